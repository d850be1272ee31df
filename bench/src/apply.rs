//! Section `apply`: what an answer does to the parameters, beside a copy of as many.

use std::hint::black_box;
use std::time::Instant;

use anyhow::{Result, ensure};
use farsign::sign::SignBits;

use crate::machine::Machine;
use crate::report::{Ratio, Row, Section};

/// Rounds in which everything is measured once.
const ROUNDS: usize = 21;
/// Parameters that are worked on in a sample, so that it takes long enough.
const PARAMETERS_A_SAMPLE: usize = 20_000_000;

const ABOUT: &str = "\
One sign for each parameter, packed eight to a byte, applied to all of them: `x <- x + scale * s` of the rule `plain`, \
and the running vote of the rule `vote`, on one core and on data that the cache holds. Beside it the standard library's \
copy of the same vector into another (`memcpy`). The three alternate. Before that, every result is compared with a \
parameter by parameter loop.

Reading and writing the vector limits all three; the kernel reads a bit where the copy reads a float.";

/// Measures.
///
/// # Errors
/// When a result is not what the plain loop gives.
pub fn run(_: &Machine) -> Result<Section> {
    let (mut rows, mut ratios) = (Vec::new(), Vec::new());
    for d in [7_850, 101_770] {
        let [copy, plain, vote] = measure(d)?;
        for (rule, row) in [("plain", &plain), ("vote", &vote)] {
            let what = format!("d = {d}: time of {rule} over time of the copy");
            ratios.push(Ratio::of(what, row, &copy, Some("at most 2")));
        }
        rows.extend([copy, plain, vote]);
    }
    let title = "Applying an answer beside a copy".to_owned();
    Ok(Section { name: "apply", title, about: ABOUT.to_owned(), rows, ratios })
}

fn measure(d: usize) -> Result<[Row; 3]> {
    let from: Vec<f32> = (0..d).map(|i| (i as f32).sin()).collect();
    let mut signs = SignBits::default();
    signs.set_from(&from.iter().map(|v| v * 1e3 % 1.0).collect::<Vec<_>>(), 1);
    check(&signs, &from)?;
    let (mut to, mut samples) = (vec![0.0f32; d], [const { Vec::new() }; 3]);
    for _ in 0..ROUNDS {
        samples[0].push(nanoseconds(d, || black_box(&mut to).copy_from_slice(black_box(&from))));
        samples[1].push(nanoseconds(d, || plain(black_box(&signs), black_box(1e-9), black_box(&mut to))));
        samples[2].push(nanoseconds(d, || vote(black_box(&signs), black_box(0.04), black_box(&mut to))));
    }
    let names = ["copy", "plain", "vote"];
    Ok([0, 1, 2].map(|i| Row::of(format!("d = {d}: {}", names[i]), "ns", &samples[i])))
}

fn plain(signs: &SignBits, scale: f32, x: &mut [f32]) {
    signs.combine_into(x, |x, s| x + scale * s);
}

fn vote(signs: &SignBits, rate: f32, votes: &mut [f32]) {
    signs.combine_into(votes, |v, s| v + rate * (s - v));
}

fn check(signs: &SignBits, from: &[f32]) -> Result<()> {
    let (mut x, mut votes) = (from.to_vec(), from.to_vec());
    plain(signs, 0.01, &mut x);
    vote(signs, 0.04, &mut votes);
    let right = signs.iter().zip(from).enumerate().all(|(k, (s, v))| {
        x[k].to_bits() == (v + 0.01 * s).to_bits() && votes[k].to_bits() == (v + 0.04 * (s - v)).to_bits()
    });
    ensure!(right, "the kernel and the plain loop differ at d = {}", from.len());
    Ok(())
}

/// Time of one call.
fn nanoseconds(d: usize, mut call: impl FnMut()) -> f64 {
    let calls = PARAMETERS_A_SAMPLE / d;
    let begun = Instant::now();
    (0..calls).for_each(|_| call());
    begun.elapsed().as_secs_f64() * 1e9 / calls as f64
}
