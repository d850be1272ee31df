//! What other people's tools are given: the model as named tensors, the curve of its accuracy, and the run's manifest.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use farsign::dataset::hexadecimal;
use farsign_server::settings::{ModelKind, Settings};
use farsign_server::volunteer::Attack;
use farsign_tests::host::Host;
use safetensors::tensor::{Dtype, SafeTensors};
use serde_json::Value;

/// A server whose short run is finished and measured.
fn trained(model: ModelKind) -> Host {
    let (horizon, batch) = (Some(60.0), Some(16));
    let host = Host::start(Settings { model: Some(model), horizon, batch, ..Settings::default() });
    host.train(&[(2, Attack::None)]);
    host.final_accuracy();
    host
}

fn metadata(file: &[u8]) -> HashMap<String, String> {
    let (_, header) = SafeTensors::read_metadata(file).expect("a safetensors file");
    header.metadata().clone().expect("there is metadata")
}

#[test]
fn the_exported_model_has_every_tensor_with_its_shape_and_the_bits_of_the_snapshot() {
    for (model, shapes) in [
        (
            ModelKind::Mlp,
            &[("0.weight", &[784, 128][..]), ("0.bias", &[128]), ("1.weight", &[128, 10]), ("1.bias", &[10])]
                [..],
        ),
        (ModelKind::Softmax, &[("0.weight", &[784, 10]), ("0.bias", &[10])]),
    ] {
        let host = trained(model);
        let file = host.get("/api/v1/model.safetensors");
        let tensors = SafeTensors::deserialize(&file).expect("a safetensors file");
        assert_eq!(tensors.len(), shapes.len(), "{:?}", tensors.names());
        // In this order, one after the other, they are the flat parameters.
        let mut x = Vec::new();
        for (name, shape) in shapes {
            let tensor = tensors.tensor(&format!("layers.{name}")).expect("it is there");
            assert_eq!((tensor.dtype(), tensor.shape()), (Dtype::F32, *shape), "{name}");
            let number = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().unwrap()).to_bits();
            x.extend(tensor.data().chunks_exact(4).map(number));
        }
        let snapshot = host.app().coordinator.snapshot();
        assert!(snapshot.accepted > 0 && snapshot.x.iter().any(|v| *v != 0.0));
        assert_eq!(x, snapshot.x.iter().map(|v| v.to_bits()).collect::<Vec<_>>());
    }
}

#[test]
fn the_exported_model_says_where_it_comes_from_and_how_to_use_it() {
    let host = trained(ModelKind::Softmax);
    let found: BTreeMap<_, _> = metadata(&host.get("/api/v1/model.safetensors")).into_iter().collect();
    let (app, status) = (host.app(), host.status());
    let snapshot = app.coordinator.snapshot();
    let accuracy = status["held_out"]["accuracy"].to_string();
    let expected = [
        ("accepted", snapshot.accepted.to_string()),
        ("activation", "none".to_owned()),
        ("data", "MNIST, 10,000 digits (built in)".to_owned()),
        ("format_version", "1".to_owned()),
        ("held_out_accuracy", accuracy),
        ("held_out_at_accepted", status["accepted"].to_string()),
        ("input_scaling", "pixel / 255".to_owned()),
        ("model", "softmax 784-10".to_owned()),
        ("output", "softmax".to_owned()),
        ("program", concat!("farsign ", env!("CARGO_PKG_VERSION")).to_owned()),
        ("run_id", status["run"]["id"].as_str().unwrap().to_owned()),
        ("snapshot_version", snapshot.version.to_string()),
        ("train_sha256", hexadecimal(app.data.train.digest())),
        ("weight_layout", "[inputs, outputs]".to_owned()),
    ];
    assert_eq!(found, expected.map(|(key, value)| (key.to_owned(), value)).into());
}

#[test]
fn the_exported_model_is_a_file_to_keep_and_comes_once() {
    let host = trained(ModelKind::Softmax);
    let response = ureq::get(host.url("/api/v1/model.safetensors")).call().expect("the server answers");
    let tag = response.headers()["etag"].clone();
    let (run, accepted) = (host.app().config.run.run_id, host.status()["accepted"].as_u64().unwrap());
    let kept = format!("attachment; filename=\"farsign-{run:016x}-{accepted}.safetensors\"");
    assert_eq!(response.headers()["content-disposition"], kept.as_str());
    assert!(!response.headers().contains_key("content-encoding"), "packing it would cost much for little");
    let again = ureq::get(host.url("/api/v1/model.safetensors")).header("if-none-match", tag).call().unwrap();
    assert_eq!(again.status(), 304);
    assert_eq!(again.into_body().read_to_vec().unwrap().len(), 0);
}

#[test]
fn the_curve_as_a_table_is_that_of_the_status() {
    let host = trained(ModelKind::Softmax);
    let text = String::from_utf8(host.get("/api/v1/history.csv")).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("accepted,elapsed_s,accuracy,loss"));
    let rows: Vec<Vec<f64>> =
        lines.map(|line| line.split(',').map(|number| number.parse().unwrap()).collect()).collect();
    let status = host.status();
    let points = status["held_out"]["history"].as_array().expect("a list");
    let column = |point: &Value, name: &str| point[name].as_f64().expect("a number");
    let point =
        |point: &Value| ["accepted", "elapsed_s", "accuracy", "loss"].map(|n| column(point, n)).to_vec();
    assert!(points.len() > 1);
    assert_eq!(rows, points.iter().map(point).collect::<Vec<_>>());
}

#[test]
fn the_manifest_says_how_the_model_is_trained_and_on_what() {
    let host = Host::start(Settings { check_share: Some(0.25), ..Settings::default() });
    let found: Value = serde_json::from_slice(&host.get("/api/v1/manifest.json")).expect("JSON");
    let data = &host.app().data;
    let expected = serde_json::json!({
        "format_version": 1,
        "program": concat!("farsign ", env!("CARGO_PKG_VERSION")),
        "run": { "id": host.status()["run"]["id"], "planned_contributions": 10_000.0 },
        "model": {
            "name": "mlp 784-128-10",
            "layers": [784, 128, 10],
            "parameters": 101_770,
            "activation": "relu",
        },
        "data": {
            "name": "MNIST, 10,000 digits (built in)",
            "train_count": 8500,
            "held_out_count": 1500,
            "rows": 28,
            "cols": 28,
            "classes": 10,
            "input_scaling": "pixel / 255",
            "train_sha256": hexadecimal(data.train.digest()),
            "held_out_sha256": hexadecimal(data.held_out.digest()),
        },
        "settings": {
            "model": "mlp",
            "hidden": 128,
            "order": "first",
            "rule": "verified",
            "check-share": 0.25,
            "directions": "coordinate",
            "direction-count": 101_770,
            "direction-hold": 1,
            "minibatch-window": 25,
            "batch": 128,
            "beta": 0.3,
            "alpha": 0.0005,
            "schedule": "cosine",
            "horizon": 10_000.0,
        },
    });
    assert_eq!(found.to_string(), expected.to_string());
}

#[test]
fn the_example_in_the_documentation_is_the_program_that_is_tested() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read_to_string(root.join(path)).expect("it is there");
    let (page, program) = (read("../docs/protocol.md"), read("third-party/model.py"));
    let (_, section) = page.split_once("### The model in other tools").expect("there is such a section");
    let example =
        section.split("```").nth(1).and_then(|block| block.strip_prefix("python\n")).expect("Python");
    let mut lines = program.lines();
    let own = |line: &&str| !line.is_empty() && !line.starts_with("print(");
    let shared: Vec<&str> = example.lines().filter(own).collect();
    assert!(shared.len() > 10, "{shared:?}");
    for line in shared {
        assert!(lines.any(|tested| tested == line), "{line:?} is not in the program, or in another order");
    }
}
