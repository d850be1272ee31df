//! Section `browser`: the gradient step in Chromium, next to ndarray and TensorFlow.js, and natively.

mod files;
mod native;
mod page;

use anyhow::{Result, ensure};
use serde_json::Value;

use self::files::Folders;
use self::native::Native;
use crate::machine::Machine;
use crate::report::{Ratio, Row, Section};

pub use self::page::Page;

/// Name of the section.
pub const NAME: &str = "browser";
/// Number of samples of each contender, taken in alternation, so that a disturbance of the machine affects all of them.
const ROUNDS: usize = 9;

/// Contenders: the name in worker.js or in [`Native`], and in the report.
const CONTENDERS: [(&str, &str); 8] = [
    ("sparse", "Chromium: ours"),
    (
        "update",
        "Chromium: ours, complete update (minibatch, gradient, momentum, signs)",
    ),
    ("ndarray", "Chromium: ndarray, compiled with SIMD"),
    (
        "tfjs-arranged",
        "Chromium: TensorFlow.js, best of eight manual arrangements",
    ),
    ("tfjs-autodiff", "Chromium: TensorFlow.js, `variableGrads`"),
    ("native-sparse", "native: ours"),
    ("native-update", "native: ours, complete update"),
    ("native-ndarray", "native: ndarray"),
];

/// Ratios: numerator, denominator and target.
const RATIOS: [(&str, &str, Option<&str>); 6] = [
    ("tfjs-arranged", "sparse", Some("at least 20")),
    ("tfjs-autodiff", "sparse", None),
    ("ndarray", "sparse", Some("at least 3")),
    ("sparse", "native-sparse", Some("at most 1.5")),
    ("update", "native-update", Some("at most 1.5")),
    ("native-ndarray", "native-sparse", None),
];

const ABOUT: &str = "\
Loss and gradient of the network 784-128-10 in f32, at the initial parameters of a run, on the same eight \
minibatches of 128 built-in digits for every contender. First, each contender's gradients are compared with ours \
(relative 1e-4), and ours in Chromium with the native ones, bit for bit. Then the contenders alternate, with samples \
of about 150 ms, in one Web Worker of headless Chromium and natively. Each uses one thread.

Ours is limited by one multiplication, one addition and one load per weight and bright pixel; four of five pixels \
are zero and skipped. It uses 128-bit vectors in the browser and the widest available ones natively, without fused \
multiply-add, because every machine must return the same bits. A complete update also draws the minibatch and packs \
101,770 signs. ndarray multiplies zeros as well; natively it may use fused multiply-add, which WebAssembly lacks. \
TensorFlow.js also multiplies zeros, and is limited by packing and transposing entire matrices for each product.";

/// Measures the section.
///
/// # Errors
///
/// Returns an error if the browser, its driver or a part of the page is missing, or two gradients disagree.
pub fn run(machine: &Machine) -> Result<Section> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut native = Native::new(&machine.paths.root)?;
    native.validate()?;
    let (prepared, samples) = runtime.block_on(async {
        let url = files::serve(Folders::new(&machine.paths)?).await?;
        let page = Page::open(&machine.paths, &url).await?;
        let measurement = measure(&page, &mut native, machine.paths.node_modules.is_some()).await;
        page.close().await;
        measurement
    })?;
    Ok(section(&prepared, &samples))
}

/// Returns the worker's reply to its preparation, and the milliseconds per step by contender for each round.
async fn measure(
    page: &Page,
    native: &mut Native,
    peers: bool,
) -> Result<(Value, Vec<Vec<Value>>)> {
    let prepared = page.call(&format!("'prepare', {peers}")).await?;
    let ours: Vec<u64> = native.fingerprints();
    let theirs: Vec<u64> = prepared["fingerprints"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_u64)
        .collect();
    ensure!(
        ours == theirs,
        "Chromium computes other bits than the native kernel: {theirs:?}, expected {ours:?}"
    );
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        eprintln!("  round {} of {ROUNDS}", round + 1);
        rounds.push(vec![page.call("'round'").await?, native.round()]);
    }
    Ok((prepared, rounds))
}

fn section(prepared: &Value, rounds: &[Vec<Value>]) -> Section {
    let samples = |name: &str| -> Vec<f64> {
        rounds
            .iter()
            .flatten()
            .filter_map(|round| round.get(name)?.as_f64())
            .collect()
    };
    let measurements: Vec<(&str, Row)> = CONTENDERS
        .iter()
        .map(|&(name, what)| (name, what, samples(name)))
        .filter(|(_, _, samples)| !samples.is_empty())
        .map(|(name, what, samples)| (name, Row::new(what, "ms per step", &samples)))
        .collect();
    let row = |contender: &str| {
        measurements
            .iter()
            .find(|(name, _)| *name == contender)
            .map(|(_, row)| row)
    };
    let ratio = |&(over, under, target): &(&str, &str, Option<&str>)| {
        let over = row(over)?;
        let under = row(under)?;
        Some(Ratio::new(
            format!("{} / {}", over.what, under.what),
            over,
            under,
            target,
        ))
    };
    let ratios = RATIOS.iter().filter_map(ratio).collect();
    let title = "The gradient step in a browser".to_owned();
    let about = format!("{ABOUT}\n\n{}", about_peer(&prepared["peer"]));
    Section {
        name: NAME,
        title,
        about,
        tables: Vec::new(),
        rows: measurements.into_iter().map(|(_, row)| row).collect(),
        ratios,
    }
}

/// Describes the configuration of TensorFlow.js.
fn about_peer(peer: &Value) -> String {
    let Some(forms) = peer["forms"].as_array() else {
        return "TensorFlow.js was not installed and is not measured.".to_owned();
    };
    let form = |form: &Value| {
        Some(format!(
            "{} {:.1} ms",
            form["name"].as_str()?,
            form["ms"].as_f64()?
        ))
    };
    let forms: Vec<String> = forms.iter().filter_map(form).collect();
    let best = peer["best"].as_str().unwrap_or_default();
    let simd = &peer["flags"]["simd"];
    let threads = &peer["flags"]["threads"];
    format!(
        "TensorFlow.js is version 4.22.0 with its wasm backend (SIMD {simd}, threads {threads}). Images, one-hot \
         labels and parameters are tensors beforehand, and the gradient is read with `dataSync`, which sending it \
         requires. The manual forward and backward pass is a dozen calls in one `tf.tidy`, in the fastest of eight \
         arrangements by a preliminary measurement: {best}. All preliminary measurements: {}.",
        forms.join("; ")
    )
}
