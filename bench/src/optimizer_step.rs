//! Section `optimizer-step`: the time to apply an update to the parameters, next to a copy of them.

use std::hint::black_box;
use std::time::Instant;

use anyhow::{Result, ensure};
use farsign::direction::{DirectionFamily, DirectionSpec, Directions};
use farsign::optimizer::{FarSign, FarSignOptions, Rule, SignUpdate};
use farsign::schedule::{Decay, StepSize};
use farsign::sign::SignBits;
use farsign::step::Step;
use farsign::task::VolunteerId;

use crate::machine::Machine;
use crate::report::{Ratio, Row, Section};

/// Name of the section.
pub const NAME: &str = "optimizer-step";
/// Number of samples of each call, taken in alternation.
const ROUNDS: usize = 21;
/// Number of parameters processed per sample, which makes a sample long enough to time.
const PARAMETERS_PER_SAMPLE: usize = 20_000_000;
/// Direction seed of every step.
const SEED: u64 = 5;
/// Step size of every update.
const ALPHA: f32 = 5e-4;
/// Rate of the running vote.
const GAMMA: f32 = 0.04;

const ABOUT: &str = "\
One sign per parameter, packed eight to a byte, is applied to all parameters with the calls of server and \
the lab: `FarSign::apply` with the rules `plain` and `vote`, and `Step::take`. The peer is the standard library's \
copy of a vector of the same length (`memcpy`). All four run on one core, on data in the cache, and alternate. \
First, every result is compared with a loop over single parameters.

Reading and writing the vector limits `plain`, `take` and the copy; the kernel reads a bit where the copy reads a \
float. `vote` moves two vectors and packs the signs of one.";

/// Measures the section.
///
/// # Errors
///
/// Returns an error if a result differs from that of a loop over single parameters.
pub fn run(_: &Machine) -> Result<Section> {
    let mut rows = Vec::new();
    let mut ratios = Vec::new();
    for d in [7_850, 101_770] {
        let [copy, plain, take, vote] = measure(d)?;
        for (call, row, target) in [
            ("FarSign::apply, plain", &plain, Some("at most 2")),
            ("Step::take", &take, Some("at most 2")),
            ("FarSign::apply, vote", &vote, None),
        ] {
            let what = format!("d = {d}: {call} over copy");
            ratios.push(Ratio::new(what, row, &copy, target));
        }
        rows.extend([copy, plain, take, vote]);
    }
    let title = "Applying an update next to a copy".to_owned();
    Ok(Section {
        name: NAME,
        title,
        about: ABOUT.to_owned(),
        tables: Vec::new(),
        rows,
        ratios,
    })
}

fn measure(d: usize) -> Result<[Row; 4]> {
    let parameters: Vec<f32> = (0..d).map(|i| (i as f32).sin()).collect();
    let mut signs = SignBits::default();
    let scrambled: Vec<f32> = parameters.iter().map(|v| v * 1e3 % 1.0).collect();
    signs.copy_from(&scrambled, 1);
    validate(&signs, &parameters)?;
    let mut plain = optimizer(&parameters, Rule::Plain);
    let fixed_point = plain.fixed_point();
    let from = plain.x().to_vec();
    let mut to = vec![0; d];
    let mut vote = optimizer(
        &parameters,
        Rule::Vote {
            gamma: GAMMA,
            direction_seed: SEED,
        },
    );
    let mut directions = Directions::new(spec(d), SEED);
    let step = Step {
        direction_seed: SEED,
        scale: -ALPHA,
        signs: signs.clone(),
    };
    let mut x = from.clone();
    let mut samples = [const { Vec::new() }; 4];
    for _ in 0..ROUNDS {
        samples[0].push(nanoseconds(d, || {
            black_box(&mut to).copy_from_slice(black_box(&from));
        }));
        samples[1].push(nanoseconds(d, || {
            apply(black_box(&mut plain), black_box(&signs));
        }));
        samples[2].push(nanoseconds(d, || {
            black_box(&step).take(&mut directions, fixed_point, black_box(&mut x));
        }));
        samples[3].push(nanoseconds(d, || {
            apply(black_box(&mut vote), black_box(&signs));
        }));
    }
    let names = [
        "copy",
        "FarSign::apply, plain",
        "Step::take",
        "FarSign::apply, vote",
    ];
    Ok([0, 1, 2, 3].map(|i| Row::new(format!("d = {d}: {}", names[i]), "ns", &samples[i])))
}

/// Returns one direction per parameter, the default of the server.
fn spec(d: usize) -> DirectionSpec {
    DirectionSpec::new(DirectionFamily::Coordinate, d, d).expect("one direction per parameter")
}

fn optimizer(from: &[f32], rule: Rule) -> FarSign {
    let step_size = StepSize {
        initial: f64::from(ALPHA),
        decay: Decay::Constant,
    };
    let options = FarSignOptions::new(from, spec(from.len()), step_size, rule);
    let mut optimizer = FarSign::new(options.expect("small steps fit"));
    optimizer.join(VolunteerId(1));
    optimizer
}

fn apply(optimizer: &mut FarSign, signs: &SignBits) {
    let update = SignUpdate {
        volunteer: VolunteerId(1),
        direction_seed: SEED,
        trust: 1.0,
        signs,
    };
    optimizer.apply(update).expect("an update of this model");
}

/// Compares each call with a loop over single parameters.
fn validate(signs: &SignBits, from: &[f32]) -> Result<()> {
    let mut plain = optimizer(from, Rule::Plain);
    apply(&mut plain, signs);
    let mut vote = optimizer(
        from,
        Rule::Vote {
            gamma: GAMMA,
            direction_seed: SEED,
        },
    );
    apply(&mut vote, signs);
    let fixed_point = plain.fixed_point();
    let before = fixed_point.quantize(from)?;
    let mut taken = before.clone();
    let step = Step {
        direction_seed: SEED,
        scale: -ALPHA,
        signs: signs.clone(),
    };
    let mut directions = Directions::new(spec(from.len()), SEED);
    step.take(&mut directions, fixed_point, &mut taken);
    let units = plain.step_units() as i32;
    for (k, (sign, value)) in signs.iter().zip(before).enumerate() {
        let expected = value - units * sign as i32;
        let same = plain.x()[k] == expected && taken[k] == expected;
        // The first vote has the sign of the update, regardless of the rate.
        ensure!(
            same && vote.x()[k] == expected,
            "parameter {k} of {} differs",
            from.len()
        );
    }
    Ok(())
}

/// Returns the time of one call, in nanoseconds.
fn nanoseconds(d: usize, mut call: impl FnMut()) -> f64 {
    let calls = PARAMETERS_PER_SAMPLE / d;
    let started = Instant::now();
    (0..calls).for_each(|_| call());
    started.elapsed().as_secs_f64() * 1e9 / calls as f64
}
