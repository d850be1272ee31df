//! Single updates, with numbers that can be verified by hand.

use std::cell::Cell;

use farsign::random::Stream;
use farsign_lab::aggregators::asynchronous::{
    AflGuard, Asgd, Basgd, Ctma, CtmaOptions, FedAsync, FedBuff, Kardam, KardamOptions,
    StalenessFunction, WeightedMedian, ZenoOptions, ZenoPlusPlus, centered_trimmed_mean,
};
use farsign_lab::aggregators::synchronous::{CoordinateMedian, Mean};
use farsign_lab::aggregators::{AsyncAggregator, GradientUpdate};

use super::{send, send_stale};

pub(super) const CONSTANT: StalenessFunction = StalenessFunction::Constant;
pub(super) const HALF_AFTER_ONE: StalenessFunction =
    StalenessFunction::Polynomial { exponent: 1.0 };

#[test]
fn staleness_functions() {
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
        assert!(
            (factor - expected).abs() < 1e-12,
            "{function:?} at {staleness}: {factor}, not {expected}"
        );
    }
}

#[test]
fn asgd_dampens_stale_gradient() {
    let mut rule = Asgd {
        step: 0.5,
        staleness: HALF_AFTER_ONE,
    };
    assert_eq!(send(&mut rule, 0, &[2.0, -4.0], &[1.0, 1.0]), [0.0, 3.0]);
    assert_eq!(
        send_stale(&mut rule, 0, &[2.0, -4.0], &[1.0, 1.0], 1),
        [0.5, 2.0]
    );
}

#[test]
fn fedasync_mixes_worker_model() {
    let mut rule = FedAsync {
        step: 1.0,
        mixing: 0.5,
        staleness: HALF_AFTER_ONE,
    };
    let mut x = [8.0];
    // The worker starts at 4 and ends at 3: half of the way from 8, or a quarter with a staleness of 1.
    rule.receive(
        &GradientUpdate {
            worker: 0,
            gradient: &[1.0],
            x_sent: &[4.0],
            staleness: 0,
        },
        &mut x,
    );
    assert_eq!(x, [5.5]);
    let mut x = [8.0];
    rule.receive(
        &GradientUpdate {
            worker: 0,
            gradient: &[1.0],
            x_sent: &[4.0],
            staleness: 1,
        },
        &mut x,
    );
    assert_eq!(x, [6.75]);
}

#[test]
fn basgd_waits_for_every_buffer() {
    let mut rule = Basgd::new(1.0, 3, CoordinateMedian);
    // Workers 0 and 3 share a buffer, whose mean is 2: the median of 2, 10 and -7.
    for (worker, gradient) in [(0, 1.0), (3, 3.0), (1, 10.0)] {
        assert_eq!(
            send(&mut rule, worker, &[gradient], &[0.0]),
            [0.0],
            "worker {worker}"
        );
    }
    assert_eq!(send(&mut rule, 2, &[-7.0], &[0.0]), [-2.0]);
    // All buffers are empty again.
    for (worker, gradient) in [(0, 4.0), (1, 5.0)] {
        assert_eq!(
            send(&mut rule, worker, &[gradient], &[0.0]),
            [0.0],
            "worker {worker}, second time"
        );
    }
    assert_eq!(send(&mut rule, 5, &[6.0], &[0.0]), [-5.0]);
}

#[test]
fn fedbuff_aggregates_every_k_gradients() {
    let mut rule = FedBuff::new(0.5, 2, HALF_AFTER_ONE, Mean);
    for _ in 0..2 {
        assert_eq!(send(&mut rule, 0, &[8.0], &[0.0]), [0.0]);
        assert_eq!(send_stale(&mut rule, 0, &[8.0], &[0.0], 1), [-3.0]); // half of the mean of 8 and 4
    }
}

const KARDAM: KardamOptions = KardamOptions {
    step: 1.0,
    staleness: CONSTANT,
    workers: 4,
    f: 1,
};

#[test]
fn kardam_rejects_fast_and_frequent_gradients() {
    let mut rule = Kardam::new(KARDAM);
    for (worker, gradient) in [(0, 1.0), (1, 1.0), (2, 1.0), (3, -50.0)] {
        let x = send(&mut rule, worker, &[gradient], &[1.0]);
        assert_eq!(x, [1.0], "a first gradient has no predecessor");
    }
    // Gradients of slope 1 pass. Slope 4 does not, although its sender's own slope is 28: that is outside the three
    // quarters that define the threshold.
    assert_eq!(send(&mut rule, 0, &[2.0], &[2.0]), [0.0]);
    assert_eq!(send(&mut rule, 1, &[2.0], &[2.0]), [0.0]);
    assert_eq!(send(&mut rule, 3, &[6.0], &[3.0]), [3.0], "an attacker");
    // Workers 0 and 1 are the last two accepted; after the gradient of 2, they are 1 and 2.
    assert_eq!(send(&mut rule, 1, &[3.0], &[3.0]), [3.0], "too frequent");
    assert_eq!(send(&mut rule, 2, &[2.0], &[2.0]), [0.0]);
    assert_eq!(send(&mut rule, 1, &[4.0], &[4.0]), [4.0], "too frequent");
    assert_eq!(send(&mut rule, 0, &[3.0], &[3.0]), [0.0]);
}

/// A gradient that never changes still differs from the last accepted one.
#[test]
fn kardam_rejects_constant_gradient() {
    let mut rule = Kardam::new(KARDAM);
    for (worker, gradient) in [(0, 1.0), (1, 1.0), (2, -50.0)] {
        send(&mut rule, worker, &[gradient], &[1.0]);
    }
    assert_eq!(send(&mut rule, 0, &[2.0], &[2.0]), [0.0]);
    assert_eq!(send(&mut rule, 2, &[-50.0], &[3.0]), [3.0], "a steady push");
    assert_eq!(send(&mut rule, 1, &[3.0], &[3.0]), [0.0]);
}

#[test]
fn kardam_dampens_stale_gradient() {
    let mut rule = Kardam::new(KardamOptions {
        staleness: HALF_AFTER_ONE,
        f: 0,
        ..KARDAM
    });
    send(&mut rule, 0, &[1.0], &[1.0]);
    assert_eq!(send_stale(&mut rule, 0, &[2.0], &[2.0], 1), [1.0]);
}

/// No gradient would ever be accepted again after two of one sender among the first `2f`.
#[test]
fn kardam_accepts_any_first_senders() {
    let mut rule = Kardam::new(KardamOptions {
        step: 1.0,
        staleness: CONSTANT,
        workers: 7,
        f: 2,
    });
    let mut at = 0.0;
    let mut accepts = |worker| {
        at += 1.0;
        send(&mut rule, worker, &[at], &[at]) == [0.0]
    };
    assert!(
        (0..7).all(|worker| !accepts(worker)),
        "a first gradient has no predecessor"
    );
    assert_eq!([0, 0, 1, 0].map(&mut accepts), [true, false, true, false]);
    // Each five consecutive gradients have different senders.
    assert!((2..5).chain((0..50).map(|turn| turn % 5)).all(accepts));
}

#[test]
fn zeno_plus_plus_rejects_without_progress() {
    let calls = Cell::new(0);
    let server = |_: &[f32]| {
        calls.set(calls.get() + 1);
        vec![3.0, 4.0]
    };
    let options = ZenoOptions {
        step: 0.5,
        rho: 0.01,
        epsilon: 0.0,
        refresh: 2,
    };
    let mut rule = ZenoPlusPlus::new(options, server);
    assert_eq!(
        send(&mut rule, 0, &[30.0, 40.0], &[0.0, 0.0]),
        [-1.5, -2.0],
        "ten times too long"
    );
    assert_eq!(
        send(&mut rule, 0, &[-3.0, -4.0], &[0.0, 0.0]),
        [0.0, 0.0],
        "the opposite"
    );
    assert_eq!(calls.get(), 1, "two updates share a gradient of the server");
    assert_eq!(
        send(&mut rule, 0, &[-4.0, 3.0], &[0.0, 0.0]),
        [0.0, 0.0],
        "no progress, and a penalty on its length"
    );
    assert_eq!(calls.get(), 2);
    // With epsilon = 1 a score of at least -0.5 is accepted; the last one is -0.25.
    let mut lenient = ZenoPlusPlus::new(
        ZenoOptions {
            epsilon: 1.0,
            ..options
        },
        server,
    );
    assert_eq!(
        send(&mut lenient, 0, &[-4.0, 3.0], &[0.0, 0.0]),
        [2.0, -1.5]
    );
}

#[test]
fn aflguard_rejects_distant_gradient() {
    let mut rule = AflGuard::new(1.0, 0.5, |x: &[f32]| x.to_vec()); // |x|^2 / 2 at the server
    assert_eq!(
        send(&mut rule, 0, &[3.0, 0.0], &[2.0, 0.0]),
        [-1.0, 0.0],
        "at half of its length"
    );
    assert_eq!(
        send(&mut rule, 0, &[3.1, 0.0], &[2.0, 0.0]),
        [2.0, 0.0],
        "more than that"
    );
    assert_eq!(
        send(&mut rule, 0, &[-2.0, 0.0], &[2.0, 0.0]),
        [2.0, 0.0],
        "the opposite"
    );
}

#[test]
fn centered_trimming_weights_act_as_copies() {
    for seed in 0..100 {
        let mut stream = Stream::new(seed);
        let rows: Vec<[f32; 3]> = (0..7)
            .map(|_| [stream.unit(), stream.unit(), stream.unit()])
            .collect();
        let weights: Vec<f64> = (0..7).map(|_| 1.0 + stream.below(4) as f64).collect();
        let center = [stream.unit(), stream.unit(), stream.unit()];
        // Each gradient is copied by its weight; a quarter of the copies, the most distant, is dropped.
        let mut copies: Vec<[f32; 3]> = rows
            .iter()
            .zip(&weights)
            .flat_map(|(row, weight)| vec![*row; *weight as usize])
            .collect();
        let distance = |row: &[f32; 3]| {
            row.iter()
                .zip(&center)
                .map(|(a, b)| (a - b).powi(2))
                .sum::<f32>()
        };
        copies.sort_by(|a, b| distance(a).total_cmp(&distance(b)));
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
fn centered_trimming_splits_weights() {
    // Three quarters of a weight of 2 are 1.5: all of the closer gradient and half of the other.
    let found = centered_trimmed_mean(&[&[9.0], &[0.0]], &[1.0, 1.0], &[1.0], 0.25);
    assert_eq!(found, [3.0]);
}

#[test]
fn ctma_center_uses_weights() {
    let geometric = WeightedMedian::Geometric {
        smoothing: 1e-6,
        iterations: 200,
    };
    for median in [WeightedMedian::Coordinate, geometric] {
        let mut rule = Ctma::new(CtmaOptions {
            step: 1.0,
            momentum: 0.0,
            median,
            trimmed: 0.4,
        });
        // Five of eight gradients are 0. The mean is 4 and the median of workers is 6: around either, part of 6 would remain.
        let mut x = vec![0.0];
        for (worker, gradient) in [
            (1, 6.0),
            (1, 6.0),
            (2, 20.0),
            (0, 0.0),
            (0, 0.0),
            (0, 0.0),
            (0, 0.0),
            (0, 0.0),
        ] {
            x = send(&mut rule, worker, &[gradient], &[0.0]);
        }
        assert_eq!(x, [0.0], "{median:?}");
    }
}

#[test]
fn ctma_keeps_momentum_per_worker() {
    let geometric = WeightedMedian::Geometric {
        smoothing: 0.01,
        iterations: 50,
    };
    for median in [WeightedMedian::Coordinate, geometric] {
        let mut rule = Ctma::new(CtmaOptions {
            step: 1.0,
            momentum: 0.5,
            median,
            trimmed: 0.0,
        });
        assert_eq!(send(&mut rule, 0, &[8.0], &[0.0]), [-8.0]);
        assert_eq!(send(&mut rule, 0, &[0.0], &[0.0]), [-4.0]);
        // Without trimming: the mean of 4 with weight 2, and 10.
        assert_eq!(send(&mut rule, 1, &[10.0], &[0.0]), [-6.0], "{median:?}");
    }
}

#[test]
fn ctma_trims_low_weight_outliers() {
    let options = CtmaOptions {
        step: 1.0,
        momentum: 0.0,
        median: WeightedMedian::Coordinate,
        trimmed: 0.25,
    };
    let mut rule = Ctma::new(options);
    for worker in [0, 1, 2, 0, 1, 2] {
        send(&mut rule, worker, &[1.0], &[0.0]);
    }
    assert_eq!(
        send(&mut rule, 3, &[1e9], &[0.0]),
        [-1.0],
        "one gradient of seven"
    );
    assert_eq!(send(&mut rule, 3, &[1e9], &[0.0]), [-1.0], "two of eight");
    assert!(
        send(&mut rule, 3, &[1e9], &[0.0])[0] < -1e7,
        "three of nine are more than a quarter"
    );
}
