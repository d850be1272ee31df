//! Whole runs on `|x - target|^2 / 2`, with honest workers that see their gradients through noise, late, and liars.

use std::collections::VecDeque;

use farsign::random::Stream;
use farsign_lab::baseline::asynchronous::{
    AflGuard, Asgd, Basgd, FedAsync, FedBuff, Kardam, KardamOptions, StalenessFunction, Weighted,
    WeightedMedian, WeightedOptions, ZenoOptions, ZenoPlusPlus,
};
use farsign_lab::baseline::synchronous::{CoordinateMedian, TrimmedMean};
use farsign_lab::method::{Arrival, AsyncRule};

const D: usize = 20;
const WORKERS: usize = 13;
const LIARS: usize = 3;
const MESSAGES: u64 = 4000;
/// Newest models of which one is sent out.
const LATE: usize = 8;

fn target() -> Vec<f32> {
    (0..D).map(|k| (k as f32 - 10.0) / 10.0).collect()
}

fn gradient(x: &[f32], noise: f32, stream: &mut Stream) -> Vec<f32> {
    x.iter().zip(target()).map(|(x, target)| x - target + noise * (stream.unit() - 0.5)).collect()
}

/// What the server would compute itself: the gradient with less noise.
fn server_gradient(seed: u64) -> impl FnMut(&[f32]) -> Vec<f32> {
    let mut stream = Stream::new(seed);
    move |x| gradient(x, 0.1, &mut stream)
}

/// How far from the target, in the root of the mean of squares, a run ends in which `liars` send ten times the
/// opposite of what they see.
fn distance_after(mut rule: Box<dyn AsyncRule>, liars: usize) -> f32 {
    let (mut stream, mut x) = (Stream::new(5), vec![0.0; D]);
    let mut sent: VecDeque<Vec<f32>> = VecDeque::from([x.clone()]);
    for _ in 0..MESSAGES {
        let worker = stream.below(WORKERS as u64) as usize;
        let age = stream.below(sent.len() as u64) as usize;
        let mut gradient = gradient(&sent[age], 0.5, &mut stream);
        if worker < liars {
            gradient.iter_mut().for_each(|value| *value *= -10.0);
        }
        let arrival = Arrival { worker, gradient: &gradient, x_sent: &sent[age], staleness: age as u64 };
        rule.receive(&arrival, &mut x);
        sent.push_front(x.clone());
        sent.truncate(LATE);
    }
    let squares: f32 = x.iter().zip(target()).map(|(x, target)| (x - target).powi(2)).sum();
    (squares / D as f32).sqrt()
}

fn undefended() -> Vec<(&'static str, Box<dyn AsyncRule>)> {
    let staleness = StalenessFunction::Polynomial { exponent: 0.5 };
    vec![
        ("ASGD", Box::new(Asgd { step: 0.02, staleness })),
        ("FedAsync", Box::new(FedAsync { step: 0.5, mixing: 0.04, staleness })),
    ]
}

fn defended() -> Vec<(&'static str, Box<dyn AsyncRule>)> {
    let staleness = StalenessFunction::Constant;
    let zeno = ZenoOptions { step: 0.02, rho: 0.001, epsilon: 0.0, refresh: 10 };
    let weighted = |median| WeightedOptions { step: 0.02, momentum: 0.9, median, trimmed: 0.3 };
    let geometric = WeightedMedian::Geometric { smoothing: 0.001, iterations: 8 };
    vec![
        ("BASGD", Box::new(Basgd::new(0.1, 7, CoordinateMedian))),
        ("FedBuff", Box::new(FedBuff::new(0.1, 10, staleness, TrimmedMean { trimmed: 4 }))),
        ("Zeno++", Box::new(ZenoPlusPlus::new(zeno, server_gradient(1)))),
        ("AFLGuard", Box::new(AflGuard::new(0.02, 3.0, server_gradient(2)))),
        ("weighted coordinate median", Box::new(Weighted::new(weighted(WeightedMedian::Coordinate)))),
        ("weighted geometric median", Box::new(Weighted::new(weighted(geometric)))),
    ]
}

fn kardam() -> Box<dyn AsyncRule> {
    let staleness = StalenessFunction::Exponential { rate: 0.1 };
    Box::new(Kardam::new(KardamOptions { step: 0.02, staleness, workers: WORKERS, f: LIARS }))
}

#[test]
fn every_rule_learns_from_honest_workers() {
    for (name, rule) in undefended().into_iter().chain(defended()).chain([("Kardam", kardam())]) {
        let distance = distance_after(rule, 0);
        assert!(distance < 0.1, "{name}: {distance} away");
    }
}

#[test]
fn three_liars_of_thirteen_stop_only_those_without_defence() {
    for (name, rule) in undefended() {
        let distance = distance_after(rule, LIARS);
        assert!(distance.is_nan() || distance > 1.0, "{name}: {distance} away"); // beyond f32 it is infinite
    }
    for (name, rule) in defended() {
        let distance = distance_after(rule, LIARS);
        assert!(distance < 0.2, "{name}: {distance} away");
    }
}

#[test]
fn ten_liars_of_thirteen_win_unless_the_server_has_data() {
    for (name, rule) in defended() {
        let distance = distance_after(rule, 10);
        let learnt = distance < 0.2;
        assert_eq!(learnt, ["Zeno++", "AFLGuard"].contains(&name), "{name}: {distance} away");
    }
}

#[test]
fn kardam_stands_fewer_liars_than_it_was_told_of_and_not_more() {
    let (few, many) = (distance_after(kardam(), 1), distance_after(kardam(), 2 * LIARS));
    assert!(few < 0.1, "one liar of thirteen: {few} away");
    assert!(many.is_nan() || many > 1.0, "six of thirteen: {many} away");
}
