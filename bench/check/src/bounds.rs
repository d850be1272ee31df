//! The table of all ratios and their bounds.

use std::convert::Infallible;
use std::fmt::Write as _;

use farsign::simd::with_baseline_vectors;

use crate::calls;
use crate::pair::Pair;
use crate::verdict::Verdict;

/// A ratio that must stay within bounds.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// Call that is measured, as Markdown.
    pub call: &'static str,
    /// Peer that its time is divided by.
    pub peer: &'static str,
    /// Largest ratio with the widest vectors of the processor.
    pub widest: f64,
    /// Largest ratio with the vectors that every processor has. `None` if the call uses the same ones everywhere.
    pub baseline: Option<f64>,
    /// Maker of the call and its peer. `None` for the server, which `farsign-bench` measures.
    pub pair: Option<fn() -> Pair>,
}

const COPY: &str = "copy of the parameters";
const BIT_COPY: &str = "copy of the sign bits";
const ECHO: &str = "echo with tokio-tungstenite";

/// All ratios. A bound is about twice the ratio on a quiet machine: a threefold slowdown exceeds it, noise does not.
pub static BOUNDS: [Bound; 12] = [
    kernel(
        "`FarSign::apply`, rule `plain`",
        COPY,
        3.0,
        5.0,
        calls::apply_plain,
    ),
    kernel(
        "`FarSign::apply`, rule `vote`",
        COPY,
        10.0,
        15.0,
        calls::apply_vote,
    ),
    kernel("`Step::take`", COPY, 2.5, 5.0, calls::take_step),
    kernel("`SignBits::copy_from`", COPY, 5.0, 8.0, calls::pack_signs),
    kernel(
        "`Kernel::loss_and_gradient`",
        "the same with ndarray",
        1.0,
        1.5,
        calls::gradient,
    ),
    frame("encoding of an update", BIT_COPY, 2.5, calls::encode_update),
    frame("decoding of an update", BIT_COPY, 3.0, calls::decode_update),
    kernel("`Version::round`", COPY, 18.0, 22.0, calls::round_version),
    kernel(
        "encoding of a version",
        COPY,
        30.0,
        45.0,
        calls::encode_version,
    ),
    kernel(
        "decoding of a version",
        COPY,
        34.0,
        58.0,
        calls::decode_version,
    ),
    server("server, model `softmax`", 10.0),
    server("server, model `mlp`", 11.0),
];

const fn kernel(
    call: &'static str,
    peer: &'static str,
    widest: f64,
    baseline: f64,
    pair: fn() -> Pair,
) -> Bound {
    Bound {
        call,
        peer,
        widest,
        baseline: Some(baseline),
        pair: Some(pair),
    }
}

const fn frame(call: &'static str, peer: &'static str, bound: f64, pair: fn() -> Pair) -> Bound {
    Bound {
        call,
        peer,
        widest: bound,
        baseline: None,
        pair: Some(pair),
    }
}

const fn server(call: &'static str, bound: f64) -> Bound {
    Bound {
        call,
        peer: ECHO,
        widest: bound,
        baseline: None,
        pair: None,
    }
}

impl Bound {
    /// Returns the bound of a call.
    ///
    /// # Panics
    ///
    /// Panics if the table lacks the call.
    pub fn of(call: &str) -> &'static Self {
        let bound = BOUNDS.iter().find(|bound| bound.call == call);
        bound.unwrap_or_else(|| panic!("the table of bounds lacks {call}"))
    }

    /// Returns the description of the ratio with the widest vectors.
    pub fn what(&self) -> String {
        let call = self.call.replace('`', "");
        format!("{call} over {}", self.peer)
    }
}

/// Measures every ratio that has a pair, with the widest and with the baseline vectors.
pub fn measure() -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for bound in &BOUNDS {
        let Some(pair) = bound.pair else { continue };
        let mut pair = pair();
        let mut measure = |what, bound| {
            let Ok(verdict) = Verdict::measure(what, bound, || Ok::<_, Infallible>(pair.ratio()));
            verdicts.push(verdict);
        };
        measure(bound.what(), bound.widest);
        if let Some(baseline) = bound.baseline {
            let what = format!("{}, baseline vectors", bound.what());
            with_baseline_vectors(|| measure(what, baseline));
        }
    }
    verdicts
}

/// Returns the table as Markdown.
pub fn table() -> String {
    let mut text =
        "| time of | over that of | at most | with baseline vectors |\n|---|---|---:|---:|\n"
            .to_owned();
    for bound in &BOUNDS {
        let baseline = bound.baseline.map_or(String::new(), |b| b.to_string());
        let Bound {
            call, peer, widest, ..
        } = bound;
        _ = writeln!(text, "| {call} | {peer} | {widest} | {baseline} |");
    }
    text
}
