//! Exports for other tools: the model as safetensors, the accuracy curve, and the manifest.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use farsign::dataset::hexadecimal;
use farsign_server::config::settings::{ModelKind, Settings};
use farsign_tests::test_server::TestServer;
use farsign_volunteer::Attack;
use safetensors::tensor::{Dtype, SafeTensors};
use serde_json::Value;

/// Starts a server, and finishes and evaluates a short run.
fn trained(model: ModelKind) -> TestServer {
    let server = TestServer::start(Settings {
        model: Some(model),
        horizon: Some(60.0),
        batch: Some(16),
        ..Settings::default()
    });
    server.train(&[(2, Attack::None)]);
    server.final_accuracy();
    server
}

fn metadata(file: &[u8]) -> HashMap<String, String> {
    let (_, header) = SafeTensors::read_metadata(file).expect("a safetensors file");
    header.metadata().clone().expect("metadata")
}

#[test]
fn safetensors_export_matches_snapshot() {
    for (model, shapes) in [
        (
            ModelKind::Mlp,
            &[
                ("0.weight", &[784, 128][..]),
                ("0.bias", &[128]),
                ("1.weight", &[128, 10]),
                ("1.bias", &[10]),
            ][..],
        ),
        (
            ModelKind::Softmax,
            &[("0.weight", &[784, 10]), ("0.bias", &[10])],
        ),
    ] {
        let server = trained(model);
        let file = server.get("/api/v1/model.safetensors");
        let tensors = SafeTensors::deserialize(&file).expect("a safetensors file");
        assert_eq!(tensors.len(), shapes.len(), "{:?}", tensors.names());
        // The tensors in this order are the flat parameters.
        let mut x = Vec::new();
        for (name, shape) in shapes {
            let tensor = tensors.tensor(&format!("layers.{name}")).expect("a tensor");
            assert_eq!(
                (tensor.dtype(), tensor.shape()),
                (Dtype::F32, *shape),
                "{name}"
            );
            let number = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().unwrap()).to_bits();
            x.extend(tensor.data().chunks_exact(4).map(number));
        }
        let snapshot = server.state().gateway.snapshot();
        assert!(snapshot.accepted > 0 && snapshot.parameters().iter().any(|v| *v != 0.0));
        assert_eq!(
            x,
            snapshot
                .parameters()
                .iter()
                .map(|v| v.to_bits())
                .collect::<Vec<_>>()
        );
    }
}

#[test]
fn safetensors_metadata_describes_run() {
    let server = trained(ModelKind::Softmax);
    let found: BTreeMap<_, _> = metadata(&server.get("/api/v1/model.safetensors"))
        .into_iter()
        .collect();
    let state = server.state();
    let status = server.status();
    let snapshot = state.gateway.snapshot();
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
        (
            "program",
            concat!("farsign ", env!("CARGO_PKG_VERSION")).to_owned(),
        ),
        ("run_id", status["run"]["id"].as_str().unwrap().to_owned()),
        ("snapshot_version", snapshot.version.number().to_string()),
        ("train_sha256", hexadecimal(state.data.train.digest())),
        ("weight_layout", "[inputs, outputs]".to_owned()),
    ];
    assert_eq!(
        found,
        expected.map(|(key, value)| (key.to_owned(), value)).into()
    );
}

#[test]
fn safetensors_export_supports_etag() {
    let server = trained(ModelKind::Softmax);
    let response = ureq::get(server.url("/api/v1/model.safetensors"))
        .call()
        .expect("a response");
    let tag = response.headers()["etag"].clone();
    let run = server.state().run.run_id;
    let accepted = server.status()["accepted"].as_u64().unwrap();
    let disposition = format!("attachment; filename=\"farsign-{run:016x}-{accepted}.safetensors\"");
    assert_eq!(
        response.headers()["content-disposition"],
        disposition.as_str()
    );
    assert!(
        !response.headers().contains_key("content-encoding"),
        "compression would save little"
    );
    let again = ureq::get(server.url("/api/v1/model.safetensors"))
        .header("if-none-match", tag)
        .call()
        .unwrap();
    assert_eq!(again.status(), 304);
    assert_eq!(again.into_body().read_to_vec().unwrap().len(), 0);
}

#[test]
fn history_csv_matches_status() {
    let server = trained(ModelKind::Softmax);
    let text = String::from_utf8(server.get("/api/v1/history.csv")).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("accepted,elapsed_s,accuracy,loss"));
    let rows: Vec<Vec<f64>> = lines
        .map(|line| {
            line.split(',')
                .map(|number| number.parse().unwrap())
                .collect()
        })
        .collect();
    let status = server.status();
    let points = status["held_out"]["history"].as_array().expect("a list");
    let column = |point: &Value, name: &str| point[name].as_f64().expect("a number");
    let point = |point: &Value| {
        ["accepted", "elapsed_s", "accuracy", "loss"]
            .map(|n| column(point, n))
            .to_vec()
    };
    assert!(points.len() > 1);
    assert_eq!(rows, points.iter().map(point).collect::<Vec<_>>());
}

#[test]
fn manifest_describes_model_data_settings() {
    let server = TestServer::start(Settings {
        verify_probability: Some(0.25),
        ..Settings::default()
    });
    let found: Value = serde_json::from_slice(&server.get("/api/v1/manifest.json")).expect("JSON");
    let data = &server.state().data;
    let expected = serde_json::json!({
        "format_version": 1,
        "program": concat!("farsign ", env!("CARGO_PKG_VERSION")),
        "run": { "id": server.status()["run"]["id"], "planned_updates": 10_000.0 },
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
            "notes": [],
            "input_scaling": "pixel / 255",
            "train_sha256": hexadecimal(data.train.digest()),
            "held_out_sha256": hexadecimal(data.held_out.digest()),
        },
        "settings": {
            "pixel-order": "rows",
            "model": "mlp",
            "hidden": 128,
            "order": "first",
            "rule": "verified",
            "verify-probability": 0.25,
            "directions": "coordinate",
            "direction-count": 101_770,
            "direction-reuse": 1,
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
fn documented_example_matches_tested_program() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read_to_string(root.join(path)).expect("a file");
    let page = read("../docs/http-api.md");
    let program = read("third-party/model.py");
    let (_, section) = page
        .split_once("The model in other tools\n")
        .expect("a section");
    let example = section
        .split("```")
        .nth(1)
        .and_then(|block| block.strip_prefix("python\n"))
        .expect("a Python block");
    let mut lines = program.lines();
    let is_shared = |line: &&str| !line.is_empty() && !line.starts_with("print(");
    let shared: Vec<&str> = example.lines().filter(is_shared).collect();
    assert!(shared.len() > 10, "{shared:?}");
    for line in shared {
        assert!(
            lines.any(|tested| tested == line),
            "expected {line:?} in the program, in this order"
        );
    }
}
