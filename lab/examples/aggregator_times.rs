//! Measures the time of a round or of an update under each rule, with fifty workers, fifteen of them Byzantine, for the
//! sizes of the two models in docs/algorithm.md.
//!
//! ```sh
//! cargo run --release -p farsign-lab --example aggregator_times
//! ```

use std::time::Instant;

use farsign::random::Stream;
use farsign_lab::aggregators::asynchronous::{
    Asgd, Ctma, CtmaOptions, Kardam, KardamOptions, StalenessFunction, WeightedMedian,
};
use farsign_lab::aggregators::synchronous::{
    Bucketing, Bulyan, CenteredClipping, CoordinateMedian, GeometricMedian, Krum, MajorityVote,
    Mean, MultiKrum, NearestNeighbourMixing, Neighbours, TrimmedMean,
};
use farsign_lab::aggregators::{Aggregator, AsyncAggregator, GradientUpdate};

const WORKERS: usize = 50;
const BYZANTINE: usize = 15;
/// Number of repetitions; the fastest is reported.
const REPETITIONS: usize = 20;

fn synchronous() -> Vec<(&'static str, Box<dyn Aggregator>)> {
    let f = BYZANTINE;
    let neighbours = Neighbours::paper(f);
    vec![
        ("mean", Box::new(Mean)),
        ("majority vote", Box::new(MajorityVote)),
        ("coordinate median", Box::new(CoordinateMedian)),
        ("trimmed mean", Box::new(TrimmedMean { trimmed: f })),
        (
            "geometric median, 8 iterations",
            Box::new(GeometricMedian {
                smoothing: 1e-6,
                iterations: 8,
            }),
        ),
        (
            "centered clipping, 3 iterations",
            Box::new(CenteredClipping::new(1.0, 3)),
        ),
        ("Krum", Box::new(Krum { neighbours })),
        (
            "Multi-Krum",
            Box::new(MultiKrum {
                neighbours,
                selected: WORKERS - f,
            }),
        ),
        ("Bulyan (f = 11)", Box::new(Bulyan::paper(WORKERS, 11))),
        (
            "NNM, then median",
            Box::new(NearestNeighbourMixing {
                f,
                rule: CoordinateMedian,
            }),
        ),
        (
            "bucketing by 2, then median",
            Box::new(Bucketing::new(2, 1, CoordinateMedian)),
        ),
    ]
}

fn asynchronous() -> Vec<(&'static str, Box<dyn AsyncAggregator>)> {
    let staleness = StalenessFunction::Constant;
    let options = |median| CtmaOptions {
        step: 0.01,
        momentum: 0.9,
        median,
        trimmed: 0.3,
    };
    let geometric = WeightedMedian::Geometric {
        smoothing: 1e-6,
        iterations: 8,
    };
    vec![
        (
            "ASGD",
            Box::new(Asgd {
                step: 0.01,
                staleness,
            }),
        ),
        (
            "Kardam",
            Box::new(Kardam::new(KardamOptions {
                step: 0.01,
                staleness,
                workers: WORKERS,
                f: BYZANTINE,
            })),
        ),
        (
            "CTMA, weighted coordinate median",
            Box::new(Ctma::new(options(WeightedMedian::Coordinate))),
        ),
        (
            "CTMA, weighted geometric median",
            Box::new(Ctma::new(options(geometric))),
        ),
    ]
}

/// Returns the time of the fastest repetition in milliseconds.
fn best_ms(mut run: impl FnMut()) -> f64 {
    let times = (0..REPETITIONS).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64() * 1000.0
    });
    times.fold(f64::INFINITY, f64::min)
}

fn main() {
    for d in [7_850, 101_770] {
        let mut stream = Stream::new(1);
        let rows: Vec<Vec<f32>> = (0..WORKERS)
            .map(|_| (0..d).map(|_| stream.unit() - 0.5).collect())
            .collect();
        let gradients: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
        println!("d = {d}: a round of {WORKERS}, ms");
        for (name, rule) in synchronous() {
            println!(
                "  {name:34}{:9.2}",
                best_ms(|| drop(rule.aggregate(&gradients)))
            );
        }
        println!("d = {d}: an update with {WORKERS} known workers, ms");
        for (name, mut rule) in asynchronous() {
            let mut x = vec![0.0; d];
            let sent = vec![0.0; d];
            let mut receive = |worker: usize| {
                rule.receive(
                    &GradientUpdate {
                        worker,
                        gradient: &rows[worker],
                        x_sent: &sent,
                        staleness: 1,
                    },
                    &mut x,
                );
            };
            (0..WORKERS).for_each(&mut receive);
            println!("  {name:34}{:9.2}", best_ms(|| receive(0)));
        }
    }
}
