//! Python programs written from the documents alone: a volunteer that trains for a real server, a reader of the exported
//! model, and a decoder of differences.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use farsign::delta_coding::encode;
use farsign::kernels::sparse::Kernel;
use farsign::minibatch::Minibatch;
use farsign::random::Stream;
use farsign_server::config::settings::{ModelKind, RuleKind, Settings};
use farsign_server::data::loader;
use farsign_server::state::AppState;
use farsign_tests::server_process::ServerProcess;
use farsign_tests::test_server::TestServer;
use farsign_volunteer::Attack;

fn python() -> OsString {
    std::env::var_os("FARSIGN_PYTHON").expect("`cargo xtask test third-party` names a Python")
}

fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("third-party")
        .join(name)
}

/// Returns the most probable class of each held-out image, computed by the Rust kernel.
fn kernel_predictions(state: &AppState) -> Vec<usize> {
    let held_out = &state.data.held_out;
    let mut images = Minibatch::default();
    images.slice(held_out, 0..held_out.len());
    let mut kernel = Kernel::new(&state.run.architecture);
    let probabilities = kernel.probabilities(state.gateway.snapshot().parameters(), &images.inputs);
    let argmax = |row: &[f32]| {
        (0..row.len()).fold(
            0,
            |best, class| if row[class] > row[best] { class } else { best },
        )
    };
    probabilities
        .chunks_exact(held_out.classes())
        .map(argmax)
        .collect()
}

/// Starts a server and finishes a run.
///
/// One volunteer and no verification make the model deterministic. NumPy's sums differ in their last bits, so a digit on
/// the boundary between two classes could otherwise be classified as either.
fn trained(model: ModelKind) -> TestServer {
    let server = TestServer::start(Settings {
        model: Some(model),
        rule: Some(RuleKind::Plain),
        horizon: Some(400.0),
        batch: Some(32),
        ..Settings::default()
    });
    server.train(&[(1, Attack::None)]);
    server
}

#[test]
fn numpy_predictions_match_kernel() {
    let digits = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/mnist-10k");
    for model in [ModelKind::Mlp, ModelKind::Softmax] {
        let server = trained(model);
        let accuracy = server.final_accuracy();
        assert!(
            accuracy > 0.7,
            "{model:?}: {accuracy} is too low for a meaningful comparison"
        );
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("model.safetensors");
        let out = folder.path().join("classes.txt");
        fs::write(&file, server.get("/api/v1/model.safetensors")).unwrap();
        let mut reader = Command::new(python());
        reader
            .arg(program("model.py"))
            .arg("--model")
            .arg(&file)
            .arg("--out")
            .arg(&out);
        reader
            .arg("--images")
            .arg(digits.join("t10k-images-idx3-ubyte.gz"));
        reader
            .arg("--labels")
            .arg(digits.join("t10k-labels-idx1-ubyte.gz"));
        let output = reader.output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{model:?}: {errors}");
        let classes: Vec<usize> = fs::read_to_string(&out)
            .unwrap()
            .lines()
            .map(|line| line.parse().unwrap())
            .collect();
        assert_eq!(classes, kernel_predictions(server.state()), "{model:?}");
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert_eq!(
            stdout.trim(),
            format!("accuracy {accuracy:.6}"),
            "{model:?}"
        );
    }
}

/// Returns the golden differences, by name, with their bytes.
fn golden_differences() -> Vec<(String, Vec<u8>, Vec<i32>)> {
    let text = include_str!("../../farsign/testdata/delta_coding.txt");
    let values: HashMap<&str, Vec<&str>> = text
        .split("\n\n")
        .filter_map(|value| value.split_once(':'))
        .map(|(name, words)| (name, words.split_whitespace().collect()))
        .collect();
    let pairs = values.iter().filter_map(|(name, bytes)| {
        let differences = values.get(&*format!("{name}, differences"))?;
        let bytes = bytes
            .iter()
            .map(|byte| u8::from_str_radix(byte, 16).unwrap());
        let differences = differences.iter().map(|word| word.parse().unwrap());
        Some(((*name).to_owned(), bytes.collect(), differences.collect()))
    });
    pairs.collect()
}

#[test]
fn python_decodes_differences() {
    let mut cases = golden_differences();
    assert!(cases.len() >= 8, "{} golden values", cases.len());
    let mut stream = Stream::new(11);
    let mut draw =
        |scale: f32| (scale * (stream.unit() + stream.unit() + stream.unit() - 1.5)) as i32;
    let scales = [0.0, 1.0, 3.0, 100.0];
    let large: Vec<i32> = (0..101_770).map(|i| draw(scales[i / 1000 % 4])).collect();
    let mut bytes = Vec::new();
    encode(&large, &mut bytes);
    cases.push(("large".into(), bytes, large));
    let folder = tempfile::tempdir().unwrap();
    let coded = folder.path().join("coded");
    let out = folder.path().join("out");
    for (name, bytes, differences) in cases {
        fs::write(&coded, bytes).unwrap();
        let mut decoder = Command::new(python());
        decoder.arg(program("delta_coding.py"));
        decoder.args(["--parameters", &differences.len().to_string()]);
        decoder.arg("--coded").arg(&coded).arg("--out").arg(&out);
        let output = decoder.output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {errors}");
        let expected: Vec<u8> = differences
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        assert!(fs::read(&out).unwrap() == expected, "{name} differs");
    }
}

#[test]
fn guide_lines_write_idx_files() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guide.md");
    let guide = fs::read_to_string(guide).unwrap();
    let lines = guide
        .split("```")
        .filter_map(|block| block.strip_prefix("python\n"))
        .find(|block| block.contains("def write_idx"))
        .expect("the lines of Python");
    let arrays = "import numpy as np\n\
                  x = np.arange(24.0).reshape(4, 2, 3)\n\
                  y = np.array([0, 1, 2, 1])\n\
                  np.savez('mnist.npz', x_train=x, y_train=y, x_test=x[:2], y_test=y[:2])\n";
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(python())
        .current_dir(folder.path())
        .arg("-c")
        .arg(format!("{arrays}{lines}"))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let data = loader::from_folder(folder.path()).unwrap();
    assert_eq!(data.train.images(), (0..24).collect::<Vec<u8>>());
    assert_eq!(data.train.labels(), [0, 1, 2, 1]);
    assert_eq!(
        (data.train.rows(), data.train.cols(), data.held_out.len()),
        (2, 3, 2)
    );
}

#[test]
fn python_volunteer_trains_model() {
    let python = python();
    let program = program("volunteer.py");
    for directions in ["coordinate", "hadamard"] {
        let server = ServerProcess::start(&[
            "--model",
            "softmax",
            "--directions",
            directions,
            "--rule",
            "plain",
        ]);
        let url = format!("http://{}", server.address());
        let mut volunteer = Command::new(&python);
        let output = volunteer
            .arg(&program)
            .args(["--url", &url, "--updates", "300"])
            .output()
            .unwrap();
        let text =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{directions}: {text}");
        let status = server.wait_until("an evaluation of its updates", |status| {
            status["accepted"].as_u64() >= Some(300)
                && status["held_out"]["at_accepted"].as_u64() >= Some(280)
        });
        assert!(
            status["held_out"]["accuracy"].as_f64() >= Some(0.85),
            "{directions}: {status:#}"
        );
        let rejected = status["rejected"].as_object().unwrap();
        assert!(
            rejected.values().all(|count| *count == 0),
            "{directions}: {rejected:?}"
        );
    }
}
