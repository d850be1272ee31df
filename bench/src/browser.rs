//! Section `browser`: the gradient step in Chromium, ours beside ndarray and TensorFlow.js, and natively.

mod files;
mod native;
mod page;

use anyhow::{Result, ensure};
use serde_json::Value;

use self::files::Folders;
use self::native::Native;
use self::page::Page;
use crate::machine::Machine;
use crate::report::{Ratio, Row, Section};

/// Samples of each contender; they take turns, so that a disturbance of the machine meets all of them.
const ROUNDS: usize = 9;

/// What is measured: its name in worker.js or in [`Native`], and in the report.
const CONTENDERS: [(&str, &str); 8] = [
    ("sparse", "Chromium: ours"),
    ("answer", "Chromium: ours, the whole of an answer (minibatch, gradient, average, signs)"),
    ("ndarray", "Chromium: ndarray, compiled with SIMD as ours"),
    ("tfjs-arranged", "Chromium: TensorFlow.js, the best of eight arrangements by hand"),
    ("tfjs-autodiff", "Chromium: TensorFlow.js, `variableGrads`"),
    ("native-sparse", "native: ours"),
    ("native-answer", "native: ours, the whole of an answer"),
    ("native-ndarray", "native: ndarray"),
];

/// Over what, under what, and what is wanted of the quotient.
const RATIOS: [(&str, &str, Option<&str>); 6] = [
    ("tfjs-arranged", "sparse", Some("at least 20")),
    ("tfjs-autodiff", "sparse", None),
    ("ndarray", "sparse", Some("at least 3")),
    ("sparse", "native-sparse", Some("at most 1.5")),
    ("answer", "native-answer", Some("at most 1.5")),
    ("native-ndarray", "native-sparse", None),
];

const ABOUT: &str = "\
Loss and whole gradient of the network 784-128-10 in f32 on minibatches of 128 built-in digits, the same eight in \
every form, at the parameters a run begins with. Before the clock starts, every form's gradient is compared with ours on all \
eight (relative 1e-4), and ours in Chromium with ours here, bit for bit. Then all take turns, a sample of about 150 ms \
each a round, in one Web Worker of headless Chromium and in this program. One thread each.

Ours is limited by one multiplication, one addition and one load for each weight and bright pixel (four of five pixels \
are zero and skipped), in vectors of 128 bits in the browser and the widest at hand natively, without fused \
multiplication, because every machine must find the same bits. Around it, an answer draws the minibatch and takes \
101,770 signs. ndarray does all the multiplications, zeros included; natively it may use fused multiplication, which \
WebAssembly lacks. TensorFlow.js multiplies zeros too, and is limited by packing and transposing whole matrices for each product.";

/// Measures.
///
/// # Errors
/// When the browser, its driver or the page's parts are missing, or when two gradients disagree.
pub fn run(machine: &Machine) -> Result<Section> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut native = Native::new(&machine.paths.root)?;
    native.check()?;
    let (prepared, samples) = runtime.block_on(async {
        let url = files::serve(Folders::of(&machine.paths)?).await?;
        let page = Page::open(&machine.paths, &url).await?;
        let measured = measure(&page, &mut native, machine.paths.node_modules.is_some()).await;
        page.close().await;
        measured
    })?;
    Ok(section(&prepared, &samples))
}

/// What the worker said when it was ready, and for each round the milliseconds of a step by contender.
async fn measure(page: &Page, native: &mut Native, peers: bool) -> Result<(Value, Vec<Vec<Value>>)> {
    let prepared = page.call(&format!("'prepare', {peers}")).await?;
    let ours: Vec<u64> = native.fingerprints();
    let theirs: Vec<u64> =
        prepared["fingerprints"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
    ensure!(ours == theirs, "Chromium finds other bits than this machine: {theirs:?}, expected {ours:?}");
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        eprintln!("  round {} of {ROUNDS}", round + 1);
        rounds.push(vec![page.call("'round'").await?, native.round()]);
    }
    Ok((prepared, rounds))
}

fn section(prepared: &Value, rounds: &[Vec<Value>]) -> Section {
    let samples = |name: &str| -> Vec<f64> {
        rounds.iter().flatten().filter_map(|round| round.get(name)?.as_f64()).collect()
    };
    let measured: Vec<(&str, Row)> = CONTENDERS
        .iter()
        .map(|&(name, what)| (name, what, samples(name)))
        .filter(|(_, _, samples)| !samples.is_empty())
        .map(|(name, what, samples)| (name, Row::of(what, "ms a step", &samples)))
        .collect();
    let row = |wanted: &str| measured.iter().find(|(name, _)| *name == wanted).map(|(_, row)| row);
    let ratio = |&(over, under, wanted): &(&str, &str, Option<&str>)| {
        let (over, under) = (row(over)?, row(under)?);
        Some(Ratio::of(format!("{} / {}", over.what, under.what), over, under, wanted))
    };
    let ratios = RATIOS.iter().filter_map(ratio).collect();
    let title = "The gradient step in a browser".to_owned();
    let about = format!("{ABOUT}\n\n{}", about_peer(&prepared["peer"]));
    Section {
        name: "browser",
        title,
        about,
        rows: measured.into_iter().map(|(_, row)| row).collect(),
        ratios,
    }
}

/// How TensorFlow.js was run, in words.
fn about_peer(peer: &Value) -> String {
    let Some(forms) = peer["forms"].as_array() else {
        return "TensorFlow.js was not installed and is not measured.".to_owned();
    };
    let form = |form: &Value| Some(format!("{} {:.1} ms", form["name"].as_str()?, form["ms"].as_f64()?));
    let forms: Vec<String> = forms.iter().filter_map(form).collect();
    let best = peer["best"].as_str().unwrap_or_default();
    let (simd, threads) = (&peer["flags"]["simd"], &peer["flags"]["threads"]);
    format!(
        "TensorFlow.js is 4.22.0 with its wasm backend (SIMD {simd}, threads {threads}). Images, one-hot labels and \
         parameters are tensors before the clock starts, and the gradient is read back with `dataSync`, as anyone \
         must who sends it. By hand, forward and backward pass are a dozen calls in one `tf.tidy`; of eight \
         arrangements the fastest of a first look is measured: {best}. All at that look: {}.",
        forms.join("; ")
    )
}
