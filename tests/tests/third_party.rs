//! Programs in another language, written from docs/protocol.md alone: a volunteer trains against the real server, and
//! its model is used without any of our code.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use farsign::kernels::sparse::Kernel;
use farsign::minibatch::Minibatch;
use farsign_server::app::App;
use farsign_server::settings::{ModelKind, RuleKind, Settings};
use farsign_server::volunteer::Attack;
use farsign_tests::host::Host;
use farsign_tests::process::Server;

fn python() -> OsString {
    std::env::var_os("FARSIGN_PYTHON").expect("`cargo xtask test third-party` names a Python")
}

fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("third-party").join(name)
}

/// The class that our own kernel finds likeliest for each held-out image.
fn read_by_the_kernel(app: &App) -> Vec<usize> {
    let (held_out, mut images) = (&app.data.held_out, Minibatch::default());
    images.slice(held_out, 0..held_out.len());
    let mut kernel = Kernel::new(&app.config.run.architecture);
    let probabilities = kernel.probabilities(&app.coordinator.snapshot().x, &images.inputs);
    let likeliest =
        |row: &[f32]| (0..row.len()).fold(0, |best, class| if row[class] > row[best] { class } else { best });
    probabilities.chunks_exact(held_out.classes()).map(likeliest).collect()
}

/// A server whose run is finished. One volunteer and no checks beside it, so that the model is always the same: NumPy's
/// sums differ in their last bits, and a digit on the edge between two classes could be read as either.
fn trained(model: ModelKind) -> Host {
    let (model, rule) = (Some(model), Some(RuleKind::Plain));
    let (horizon, batch) = (Some(400.0), Some(32));
    let host = Host::start(Settings { model, rule, horizon, batch, ..Settings::default() });
    host.train(&[(1, Attack::None)]);
    host
}

#[test]
fn numpy_reads_every_held_out_digit_as_the_kernel_does() {
    let digits = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/mnist-10k");
    for model in [ModelKind::Mlp, ModelKind::Softmax] {
        let host = trained(model);
        let accuracy = host.final_accuracy();
        assert!(accuracy > 0.7, "{model:?}: {accuracy}, so it says little that all are read alike");
        let folder = tempfile::tempdir().unwrap();
        let (file, out) = (folder.path().join("model.safetensors"), folder.path().join("classes.txt"));
        fs::write(&file, host.get("/api/v1/model.safetensors")).unwrap();
        let mut reader = Command::new(python());
        reader.arg(program("model.py")).arg("--model").arg(&file).arg("--out").arg(&out);
        reader.arg("--images").arg(digits.join("t10k-images-idx3-ubyte.gz"));
        reader.arg("--labels").arg(digits.join("t10k-labels-idx1-ubyte.gz"));
        let output = reader.output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{model:?}: {errors}");
        let classes: Vec<usize> =
            fs::read_to_string(&out).unwrap().lines().map(|line| line.parse().unwrap()).collect();
        assert_eq!(classes, read_by_the_kernel(host.app()), "{model:?}");
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(said.trim(), format!("accuracy {accuracy:.6}"), "{model:?}");
    }
}

#[test]
fn the_python_volunteer_trains_a_model() {
    let (python, program) = (python(), program("volunteer.py"));
    for directions in ["coordinate", "hadamard"] {
        let server = Server::start(&["--model", "softmax", "--directions", directions, "--rule", "plain"]);
        let url = format!("http://{}", server.address());
        let mut volunteer = Command::new(&python);
        let output =
            volunteer.arg(&program).args(["--url", &url, "--contributions", "300"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{directions}: {said}");
        let status = server.wait_until("an evaluation of what it did", |status| {
            status["accepted"].as_u64() >= Some(300)
                && status["held_out"]["at_accepted"].as_u64() >= Some(280)
        });
        assert!(status["held_out"]["accuracy"].as_f64() >= Some(0.85), "{directions}: {status:#}");
        let rejected = status["rejected"].as_object().unwrap();
        assert!(rejected.values().all(|count| *count == 0), "{directions}: {rejected:?}");
    }
}
