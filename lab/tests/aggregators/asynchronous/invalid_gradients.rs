//! Gradients that are not finite, or extreme.

use farsign_lab::aggregators::AsyncAggregator;
use farsign_lab::aggregators::asynchronous::{
    AflGuard, Asgd, Basgd, Ctma, CtmaOptions, FedAsync, FedBuff, Kardam, KardamOptions,
    WeightedMedian, ZenoOptions, ZenoPlusPlus,
};
use farsign_lab::aggregators::synchronous::CoordinateMedian;

use super::updates::CONSTANT;
use super::{send, send_stale};

/// Returns every rule before its first update.
fn rules() -> Vec<(&'static str, Box<dyn AsyncAggregator>)> {
    let kardam = KardamOptions {
        step: 0.5,
        staleness: CONSTANT,
        workers: 2,
        f: 0,
    };
    let zeno = ZenoOptions {
        step: 0.5,
        rho: 0.0,
        epsilon: 1.0,
        refresh: 1,
    };
    let ctma = CtmaOptions {
        step: 0.5,
        momentum: 0.9,
        median: WeightedMedian::Coordinate,
        trimmed: 0.2,
    };
    vec![
        (
            "ASGD",
            Box::new(Asgd {
                step: 0.5,
                staleness: CONSTANT,
            }),
        ),
        (
            "FedAsync",
            Box::new(FedAsync {
                step: 0.5,
                mixing: 0.5,
                staleness: CONSTANT,
            }),
        ),
        ("Kardam", Box::new(Kardam::new(kardam))),
        ("BASGD", Box::new(Basgd::new(0.5, 2, CoordinateMedian))),
        (
            "FedBuff",
            Box::new(FedBuff::new(0.5, 2, CONSTANT, CoordinateMedian)),
        ),
        ("Zeno++", Box::new(ZenoPlusPlus::new(zeno, <[f32]>::to_vec))),
        (
            "AFLGuard",
            Box::new(AflGuard::new(0.5, 1.0, <[f32]>::to_vec)),
        ),
        ("CTMA", Box::new(Ctma::new(ctma))),
    ]
}

#[test]
fn non_finite_gradients_are_ignored() {
    for poison in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for ((name, mut attacked), (_, mut clean)) in rules().into_iter().zip(rules()) {
            let mut x = vec![1.0, 2.0];
            let mut expected = x.clone();
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
fn extreme_gradients_do_not_panic() {
    for (_, mut rule) in rules() {
        let mut x = vec![1.0, 2.0];
        for (step, value) in [f32::MAX, -f32::MAX, 0.0, f32::MIN_POSITIVE, f32::MAX]
            .iter()
            .cycle()
            .take(40)
            .enumerate()
        {
            x = send_stale(&mut *rule, step % 3, &[*value, -*value], &x, u64::MAX);
        }
    }
}
