//! Whole runs on `|x - target|^2 / 2`, with noisy and stale honest gradients and attackers.

use std::collections::VecDeque;

use farsign::random::Stream;
use farsign_lab::aggregators::asynchronous::{
    AflGuard, Asgd, Basgd, Ctma, CtmaOptions, FedAsync, FedBuff, Kardam, KardamOptions,
    StalenessFunction, WeightedMedian, ZenoOptions, ZenoPlusPlus,
};
use farsign_lab::aggregators::synchronous::{CoordinateMedian, TrimmedMean};
use farsign_lab::aggregators::{AsyncAggregator, GradientUpdate};

const D: usize = 20;
const WORKERS: usize = 13;
const ATTACKERS: usize = 3;
const UPDATES: u64 = 4000;
/// Newest models, one of which a worker receives.
const MAX_STALENESS: usize = 8;

fn target() -> Vec<f32> {
    (0..D).map(|k| (k as f32 - 10.0) / 10.0).collect()
}

fn gradient(x: &[f32], noise: f32, stream: &mut Stream) -> Vec<f32> {
    x.iter()
        .zip(target())
        .map(|(x, target)| x - target + noise * (stream.unit() - 0.5))
        .collect()
}

/// Returns the server's own gradient, with less noise.
fn server_gradient(seed: u64) -> impl FnMut(&[f32]) -> Vec<f32> {
    let mut stream = Stream::new(seed);
    move |x| gradient(x, 0.1, &mut stream)
}

/// Returns the final distance from the target (root mean square) of a run in which `attackers` send ten times the opposite
/// of their gradients.
fn distance_after(mut rule: Box<dyn AsyncAggregator>, attackers: usize) -> f32 {
    let mut stream = Stream::new(5);
    let mut x = vec![0.0; D];
    let mut sent: VecDeque<Vec<f32>> = VecDeque::from([x.clone()]);
    for _ in 0..UPDATES {
        let worker = stream.below(WORKERS as u64) as usize;
        let age = stream.below(sent.len() as u64) as usize;
        let mut gradient = gradient(&sent[age], 0.5, &mut stream);
        if worker < attackers {
            gradient.iter_mut().for_each(|value| *value *= -10.0);
        }
        let update = GradientUpdate {
            worker,
            gradient: &gradient,
            x_sent: &sent[age],
            staleness: age as u64,
        };
        rule.receive(&update, &mut x);
        sent.push_front(x.clone());
        sent.truncate(MAX_STALENESS);
    }
    let squares: f32 = x
        .iter()
        .zip(target())
        .map(|(x, target)| (x - target).powi(2))
        .sum();
    (squares / D as f32).sqrt()
}

fn undefended() -> Vec<(&'static str, Box<dyn AsyncAggregator>)> {
    let staleness = StalenessFunction::Polynomial { exponent: 0.5 };
    vec![
        (
            "ASGD",
            Box::new(Asgd {
                step: 0.02,
                staleness,
            }),
        ),
        (
            "FedAsync",
            Box::new(FedAsync {
                step: 0.5,
                mixing: 0.04,
                staleness,
            }),
        ),
    ]
}

fn defended() -> Vec<(&'static str, Box<dyn AsyncAggregator>)> {
    let staleness = StalenessFunction::Constant;
    let zeno = ZenoOptions {
        step: 0.02,
        rho: 0.001,
        epsilon: 0.0,
        refresh: 10,
    };
    let weighted = |median| CtmaOptions {
        step: 0.02,
        momentum: 0.9,
        median,
        trimmed: 0.3,
    };
    let geometric = WeightedMedian::Geometric {
        smoothing: 0.001,
        iterations: 8,
    };
    vec![
        ("BASGD", Box::new(Basgd::new(0.1, 7, CoordinateMedian))),
        (
            "FedBuff",
            Box::new(FedBuff::new(0.1, 10, staleness, TrimmedMean { trimmed: 4 })),
        ),
        (
            "Zeno++",
            Box::new(ZenoPlusPlus::new(zeno, server_gradient(1))),
        ),
        (
            "AFLGuard",
            Box::new(AflGuard::new(0.02, 3.0, server_gradient(2))),
        ),
        (
            "weighted coordinate median",
            Box::new(Ctma::new(weighted(WeightedMedian::Coordinate))),
        ),
        (
            "weighted geometric median",
            Box::new(Ctma::new(weighted(geometric))),
        ),
    ]
}

fn kardam() -> Box<dyn AsyncAggregator> {
    let staleness = StalenessFunction::Exponential { rate: 0.1 };
    Box::new(Kardam::new(KardamOptions {
        step: 0.02,
        staleness,
        workers: WORKERS,
        f: ATTACKERS,
    }))
}

#[test]
fn every_rule_learns_without_attack() {
    for (name, rule) in undefended()
        .into_iter()
        .chain(defended())
        .chain([("Kardam", kardam())])
    {
        let distance = distance_after(rule, 0);
        assert!(distance < 0.1, "{name}: {distance} away");
    }
}

#[test]
fn minority_stops_only_undefended_rules() {
    for (name, rule) in undefended() {
        let distance = distance_after(rule, ATTACKERS);
        assert!(
            distance.is_nan() || distance > 1.0,
            "{name}: {distance} away"
        ); // infinite beyond the range of f32
    }
    for (name, rule) in defended() {
        let distance = distance_after(rule, ATTACKERS);
        assert!(distance < 0.2, "{name}: {distance} away");
    }
}

#[test]
fn majority_stops_rules_without_server_data() {
    for (name, rule) in defended() {
        let distance = distance_after(rule, 10);
        let learned = distance < 0.2;
        assert_eq!(
            learned,
            ["Zeno++", "AFLGuard"].contains(&name),
            "{name}: {distance} away"
        );
    }
}

#[test]
fn kardam_tolerates_at_most_f() {
    let few = distance_after(kardam(), 1);
    assert!(few < 0.1, "one attacker of thirteen: {few} away");
    let many = distance_after(kardam(), 2 * ATTACKERS);
    assert!(
        many.is_nan() || many > 1.0,
        "six attackers of thirteen: {many} away"
    );
}
