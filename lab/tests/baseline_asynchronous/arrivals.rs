//! One arrival at a time, with numbers that can be checked by hand.

use std::cell::Cell;

use farsign::random::Stream;
use farsign_lab::baseline::asynchronous::{
    AflGuard, Asgd, Basgd, FedAsync, FedBuff, Kardam, KardamOptions, StalenessFunction, Weighted,
    WeightedMedian, WeightedOptions, ZenoOptions, ZenoPlusPlus, centered_trimmed_mean,
};
use farsign_lab::baseline::synchronous::{CoordinateMedian, Mean};
use farsign_lab::method::{Arrival, AsyncRule};

use super::{send, send_late};

const CONSTANT: StalenessFunction = StalenessFunction::Constant;
const HALF_AFTER_ONE: StalenessFunction = StalenessFunction::Polynomial { exponent: 1.0 };

#[test]
fn old_gradients_count_as_their_function_says() {
    let exponential = StalenessFunction::Exponential { rate: 0.5 };
    let root = StalenessFunction::Polynomial { exponent: 0.5 };
    for (function, staleness, expected) in [
        (CONSTANT, 1000, 1.0),
        (HALF_AFTER_ONE, 0, 1.0),
        (HALF_AFTER_ONE, 3, 0.25),
        (root, 3, 0.5),
        (exponential, 0, 1.0),
        (exponential, 2, 0.367_879_441_171_442_33),
    ] {
        let factor = function.factor(staleness);
        assert!((factor - expected).abs() < 1e-12, "{function:?} at {staleness}: {factor}, not {expected}");
    }
}

#[test]
fn asgd_steps_at_once_and_less_for_an_old_gradient() {
    let mut rule = Asgd { step: 0.5, staleness: HALF_AFTER_ONE };
    assert_eq!(send(&mut rule, 0, &[2.0, -4.0], &[1.0, 1.0]), [0.0, 3.0]);
    assert_eq!(send_late(&mut rule, 0, &[2.0, -4.0], &[1.0, 1.0], 1), [0.5, 2.0]);
}

#[test]
fn fed_async_mixes_in_the_model_that_the_worker_ends_with() {
    let mut rule = FedAsync { step: 1.0, mixing: 0.5, staleness: HALF_AFTER_ONE };
    let mut x = [8.0];
    // The worker began at 4 and ends at 3; half of the way from 8, and a quarter of it one update later.
    rule.receive(&Arrival { worker: 0, gradient: &[1.0], x_sent: &[4.0], staleness: 0 }, &mut x);
    assert_eq!(x, [5.5]);
    let mut x = [8.0];
    rule.receive(&Arrival { worker: 0, gradient: &[1.0], x_sent: &[4.0], staleness: 1 }, &mut x);
    assert_eq!(x, [6.75]);
}

#[test]
fn basgd_waits_for_every_group_and_joins_their_means() {
    let mut rule = Basgd::new(1.0, 3, CoordinateMedian);
    // Workers 0 and 3 share a buffer, whose mean is 2: the median of 2, 10 and -7.
    for (worker, gradient) in [(0, 1.0), (3, 3.0), (1, 10.0)] {
        assert_eq!(send(&mut rule, worker, &[gradient], &[0.0]), [0.0], "worker {worker}");
    }
    assert_eq!(send(&mut rule, 2, &[-7.0], &[0.0]), [-2.0]);
    // All buffers are empty again.
    for (worker, gradient) in [(0, 4.0), (1, 5.0)] {
        assert_eq!(send(&mut rule, worker, &[gradient], &[0.0]), [0.0], "worker {worker}, second time");
    }
    assert_eq!(send(&mut rule, 5, &[6.0], &[0.0]), [-5.0]);
}

#[test]
fn fed_buff_joins_every_k_gradients_scaled_by_their_age() {
    let mut rule = FedBuff::new(0.5, 2, HALF_AFTER_ONE, Mean);
    for _ in 0..2 {
        assert_eq!(send(&mut rule, 0, &[8.0], &[0.0]), [0.0]);
        assert_eq!(send_late(&mut rule, 0, &[8.0], &[0.0], 1), [-3.0]); // half of the mean of 8 and 4
    }
}

#[test]
fn kardam_refuses_what_changes_faster_than_that_of_most_and_who_was_just_heard() {
    let options = KardamOptions { step: 1.0, staleness: CONSTANT, workers: 4, f: 1 };
    let mut rule = Kardam::new(options);
    for (worker, gradient) in [(0, 1.0), (1, 1.0), (2, 1.0), (3, -50.0)] {
        let x = send(&mut rule, worker, &[gradient], &[1.0]);
        assert_eq!(x, [1.0], "a first gradient is compared with nothing");
    }
    // Gradients of slope 1 pass. One of slope 4 does not, though its sender's own slope is 28: that is beyond the three
    // quarters that count.
    assert_eq!(send(&mut rule, 0, &[2.0], &[2.0]), [0.0]);
    assert_eq!(send(&mut rule, 1, &[2.0], &[2.0]), [0.0]);
    assert_eq!(send(&mut rule, 3, &[6.0], &[3.0]), [3.0], "a liar");
    // Workers 0 and 1 were the last two accepted; once 2 is, it is 1 and 2.
    assert_eq!(send(&mut rule, 1, &[3.0], &[3.0]), [3.0], "heard too often");
    assert_eq!(send(&mut rule, 2, &[2.0], &[2.0]), [0.0]);
    assert_eq!(send(&mut rule, 1, &[4.0], &[4.0]), [4.0], "heard too often");
    assert_eq!(send(&mut rule, 0, &[3.0], &[3.0]), [0.0]);
    // One that never changes differs from the last accepted gradient all the same.
    let mut rule = Kardam::new(options);
    for (worker, gradient) in [(0, 1.0), (1, 1.0), (2, -50.0)] {
        send(&mut rule, worker, &[gradient], &[1.0]);
    }
    assert_eq!(send(&mut rule, 0, &[2.0], &[2.0]), [0.0]);
    assert_eq!(send(&mut rule, 2, &[-50.0], &[3.0]), [3.0], "a steady push");
    assert_eq!(send(&mut rule, 1, &[3.0], &[3.0]), [0.0]);
    let dampened = KardamOptions { staleness: HALF_AFTER_ONE, f: 0, ..options };
    let mut rule = Kardam::new(dampened);
    send(&mut rule, 0, &[1.0], &[1.0]);
    assert_eq!(send_late(&mut rule, 0, &[2.0], &[2.0], 1), [1.0]);
}

/// Nobody's gradient would be accepted again after two of one sender among the first `2f`.
#[test]
fn kardam_goes_on_whoever_is_heard_first() {
    let mut rule = Kardam::new(KardamOptions { step: 1.0, staleness: CONSTANT, workers: 7, f: 2 });
    let mut at = 0.0;
    let mut accepts = |worker| {
        at += 1.0;
        send(&mut rule, worker, &[at], &[at]) == [0.0]
    };
    assert!((0..7).all(|worker| !accepts(worker)), "a first gradient is compared with nothing");
    assert_eq!([0, 0, 1, 0].map(&mut accepts), [true, false, true, false]);
    // Of every five in a row each has another sender.
    assert!((2..5).chain((0..50).map(|turn| turn % 5)).all(accepts));
}

#[test]
fn zeno_rescales_to_the_servers_gradient_and_refuses_what_promises_no_progress() {
    let calls = Cell::new(0);
    let server = |_: &[f32]| {
        calls.set(calls.get() + 1);
        vec![3.0, 4.0]
    };
    let options = ZenoOptions { step: 0.5, rho: 0.01, epsilon: 0.0, refresh: 2 };
    let mut rule = ZenoPlusPlus::new(options, server);
    assert_eq!(send(&mut rule, 0, &[30.0, 40.0], &[0.0, 0.0]), [-1.5, -2.0], "ten times too long");
    assert_eq!(send(&mut rule, 0, &[-3.0, -4.0], &[0.0, 0.0]), [0.0, 0.0], "the opposite");
    assert_eq!(calls.get(), 1, "two arrivals share a gradient of the server's");
    assert_eq!(
        send(&mut rule, 0, &[-4.0, 3.0], &[0.0, 0.0]),
        [0.0, 0.0],
        "no progress, for its length too much"
    );
    assert_eq!(calls.get(), 2);
    // With epsilon = 1 a score down to -0.5 is let through; that of the last one is -0.25.
    let mut lenient = ZenoPlusPlus::new(ZenoOptions { epsilon: 1.0, ..options }, server);
    assert_eq!(send(&mut lenient, 0, &[-4.0, 3.0], &[0.0, 0.0]), [2.0, -1.5]);
}

#[test]
fn aflguard_refuses_what_is_far_from_the_servers_gradient() {
    let mut rule = AflGuard::new(1.0, 0.5, |x: &[f32]| x.to_vec()); // |x|^2 / 2 at the server
    assert_eq!(send(&mut rule, 0, &[3.0, 0.0], &[2.0, 0.0]), [-1.0, 0.0], "half of its length away");
    assert_eq!(send(&mut rule, 0, &[3.1, 0.0], &[2.0, 0.0]), [2.0, 0.0], "more than that");
    assert_eq!(send(&mut rule, 0, &[-2.0, 0.0], &[2.0, 0.0]), [2.0, 0.0], "the opposite");
}

#[test]
fn a_weight_of_three_is_three_gradients_to_centered_trimming() {
    for seed in 0..100 {
        let mut stream = Stream::new(seed);
        let rows: Vec<[f32; 3]> = (0..7).map(|_| [stream.unit(), stream.unit(), stream.unit()]).collect();
        let weights: Vec<f64> = (0..7).map(|_| 1.0 + stream.below(4) as f64).collect();
        let center = [stream.unit(), stream.unit(), stream.unit()];
        // Every gradient as often as it weighs; of these the closest, all but a quarter.
        let mut copies: Vec<[f32; 3]> =
            rows.iter().zip(&weights).flat_map(|(row, weight)| vec![*row; *weight as usize]).collect();
        let away = |row: &[f32; 3]| row.iter().zip(&center).map(|(a, b)| (a - b).powi(2)).sum::<f32>();
        copies.sort_by(|a, b| away(a).total_cmp(&away(b)));
        let trimmed = (copies.len() / 4) as f64 / copies.len() as f64;
        copies.truncate(copies.len() - copies.len() / 4);
        let gradients: Vec<&[f32]> = rows.iter().map(<[f32; 3]>::as_slice).collect();
        let found = centered_trimmed_mean(&gradients, &weights, &center, trimmed);
        for k in 0..3 {
            let expected = copies.iter().map(|row| row[k]).sum::<f32>() / copies.len() as f32;
            assert!(
                (found[k] - expected).abs() < 1e-5,
                "seed {seed}: expected {expected} at {k}, found {found:?}"
            );
        }
    }
}

#[test]
fn centered_trimming_splits_what_fits_in_part() {
    // Three quarters of a weight of 2 are 1.5: all of the closer gradient and half of the other.
    let found = centered_trimmed_mean(&[&[9.0], &[0.0]], &[1.0, 1.0], &[1.0], 0.25);
    assert_eq!(found, [3.0]);
}

#[test]
fn weighted_aggregation_is_centered_on_a_median_that_knows_the_weights() {
    let geometric = WeightedMedian::Geometric { smoothing: 1e-6, iterations: 200 };
    for median in [WeightedMedian::Coordinate, geometric] {
        let mut rule = Weighted::new(WeightedOptions { step: 1.0, momentum: 0.0, median, trimmed: 0.4 });
        // Five of eight gradients say 0. The mean says 4 and the median of workers 6: around either, some of 6 is kept.
        let mut x = vec![0.0];
        for (worker, gradient) in
            [(1, 6.0), (1, 6.0), (2, 20.0), (0, 0.0), (0, 0.0), (0, 0.0), (0, 0.0), (0, 0.0)]
        {
            x = send(&mut rule, worker, &[gradient], &[0.0]);
        }
        assert_eq!(x, [0.0], "{median:?}");
    }
}

#[test]
fn weighted_aggregation_keeps_a_momentum_for_each_worker() {
    let geometric = WeightedMedian::Geometric { smoothing: 0.01, iterations: 50 };
    for median in [WeightedMedian::Coordinate, geometric] {
        let mut rule = Weighted::new(WeightedOptions { step: 1.0, momentum: 0.5, median, trimmed: 0.0 });
        assert_eq!(send(&mut rule, 0, &[8.0], &[0.0]), [-8.0]);
        assert_eq!(send(&mut rule, 0, &[0.0], &[0.0]), [-4.0]);
        // Nothing is trimmed: the mean of 4, which counts twice, and 10.
        assert_eq!(send(&mut rule, 1, &[10.0], &[0.0]), [-6.0], "{median:?}");
    }
}

#[test]
fn weighted_aggregation_trims_what_few_gradients_stand_for() {
    let options =
        WeightedOptions { step: 1.0, momentum: 0.0, median: WeightedMedian::Coordinate, trimmed: 0.25 };
    let mut rule = Weighted::new(options);
    for worker in [0, 1, 2, 0, 1, 2] {
        send(&mut rule, worker, &[1.0], &[0.0]);
    }
    assert_eq!(send(&mut rule, 3, &[1e9], &[0.0]), [-1.0], "one gradient of seven");
    assert_eq!(send(&mut rule, 3, &[1e9], &[0.0]), [-1.0], "two of eight");
    assert!(send(&mut rule, 3, &[1e9], &[0.0])[0] < -1e7, "three of nine are more than a quarter");
}

/// Every rule, fresh.
fn rules() -> Vec<(&'static str, Box<dyn AsyncRule>)> {
    let kardam = KardamOptions { step: 0.5, staleness: CONSTANT, workers: 2, f: 0 };
    let zeno = ZenoOptions { step: 0.5, rho: 0.0, epsilon: 1.0, refresh: 1 };
    let weighted =
        WeightedOptions { step: 0.5, momentum: 0.9, median: WeightedMedian::Coordinate, trimmed: 0.2 };
    vec![
        ("ASGD", Box::new(Asgd { step: 0.5, staleness: CONSTANT })),
        ("FedAsync", Box::new(FedAsync { step: 0.5, mixing: 0.5, staleness: CONSTANT })),
        ("Kardam", Box::new(Kardam::new(kardam))),
        ("BASGD", Box::new(Basgd::new(0.5, 2, CoordinateMedian))),
        ("FedBuff", Box::new(FedBuff::new(0.5, 2, CONSTANT, CoordinateMedian))),
        ("Zeno++", Box::new(ZenoPlusPlus::new(zeno, <[f32]>::to_vec))),
        ("AFLGuard", Box::new(AflGuard::new(0.5, 1.0, <[f32]>::to_vec))),
        ("weighted", Box::new(Weighted::new(weighted))),
    ]
}

#[test]
fn gradients_that_are_not_finite_are_as_if_they_had_not_come() {
    for poison in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for ((name, mut attacked), (_, mut clean)) in rules().into_iter().zip(rules()) {
            let (mut x, mut expected) = (vec![1.0, 2.0], vec![1.0, 2.0]);
            for step in 0..20 {
                let before = x.clone();
                x = send(&mut *attacked, step % 2, &[0.1, poison], &x);
                assert_eq!(x, before, "{name}, {poison}, step {step}");
                x = send(&mut *attacked, step % 2, &before, &x);
                expected = send(&mut *clean, step % 2, &expected.clone(), &expected);
            }
            assert_eq!(x, expected, "{name}, {poison}");
            assert!(x[0] < 0.9, "{name} has not moved: {x:?}");
        }
    }
}

#[test]
fn the_largest_and_the_smallest_gradients_make_no_rule_panic() {
    for (_, mut rule) in rules() {
        let mut x = vec![1.0, 2.0];
        for (step, value) in
            [f32::MAX, -f32::MAX, 0.0, f32::MIN_POSITIVE, f32::MAX].iter().cycle().take(40).enumerate()
        {
            x = send_late(&mut *rule, step % 3, &[*value, -*value], &x, u64::MAX);
        }
    }
}
