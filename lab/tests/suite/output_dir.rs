use std::collections::BTreeMap;
use std::fs;

use farsign_lab::suite::REVISION;

use super::*;

/// Returns every file of an output directory, by its path in it.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for part in [".", "runs", "tuning"] {
        for entry in fs::read_dir(dir.join(part)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                found.insert(format!("{part}/{name}"), fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// The quick scenario's methods and attacks, with a fortieth of its updates and without assertions.
fn shortened_quick() -> String {
    let quick = include_str!("../../scenarios/quick.toml");
    let (before_assertions, _) = quick.split_once("[[assertions]]").unwrap();
    let shortened = before_assertions
        .replace("updates = 2000", "updates = 50")
        .replace("evaluate_every = 200", "evaluate_every = 25");
    assert!(!shortened.contains("2000"), "{shortened}");
    shortened
}

#[test]
fn output_is_independent_of_threads() {
    let scenario = shortened_quick();
    let outputs = [1, 3].map(|threads| {
        let dir = tempfile::tempdir().unwrap();
        let options = SuiteOptions {
            threads: Some(threads),
            ..options(&scenario)
        };
        run(&options, dir.path()).unwrap();
        files(dir.path())
    });
    let [one, other] = &outputs;
    assert!(one.keys().eq(other.keys()));
    for (name, bytes) in one {
        assert!(other[name] == *bytes, "{name} differs");
    }
    let curves = String::from_utf8_lossy(&one["./curves.csv"]);
    // Eleven methods without attack and under eight attacks at two fractions; centralized training only without.
    let conditions = 1 + 8 * 2;
    let points = 3; // before the first update, after 25, and after 50
    assert_eq!(curves.lines().count(), 1 + (11 * conditions + 1) * points);
}

#[test]
fn resumed_suite_repeats_no_run() {
    let dir = tempfile::tempdir().unwrap();
    run(&options(SMALL), dir.path()).unwrap();
    let whole = files(dir.path());
    for lost in [
        "curves.csv",
        "summary.json",
        "runs/plain--none--1.json",
        "tuning/mean--sign-flip-0.3--100--0.5.json",
    ] {
        fs::remove_file(dir.path().join(lost)).unwrap();
    }
    // A modified file proves that a saved run is read and not repeated.
    let saved = dir.path().join("runs/mean--none--1.json");
    let text = fs::read_to_string(&saved).unwrap();
    let (_, rest) = text.split_once(',').unwrap();
    fs::write(&saved, format!("{{\n  \"accuracy\": 0.125,{rest}")).unwrap();
    let resumed = run(&options(SMALL), dir.path()).unwrap();
    assert_eq!(
        resumed.summary.method("mean").unwrap().clean.accuracy.mean,
        0.125
    );
    fs::write(&saved, text).unwrap();
    run(&options(SMALL), dir.path()).unwrap();
    assert!(files(dir.path()) == whole);
}

#[test]
fn results_of_other_inputs_are_rejected() {
    let dir = tempfile::tempdir().unwrap();
    run(&options(SMALL), dir.path()).unwrap();
    let rejection = |options: &SuiteOptions| run(options, dir.path()).unwrap_err().to_string();
    let more_seeds = rejection(&SuiteOptions {
        seeds: Some(2),
        ..options(SMALL)
    });
    assert!(
        more_seeds.contains("expected results of the same seeds"),
        "{more_seeds}"
    );
    let other = rejection(&options(&SMALL.replace("batch = 32", "batch = 31")));
    assert!(
        other.contains("expected results of the same scenario"),
        "{other}"
    );

    let manifest = dir.path().join("manifest.json");
    let whole: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&manifest).unwrap()).unwrap();
    for (field, input) in [
        ("version", "version of the lab"),
        ("revision", "revision of the lab"),
        ("fault", "server"),
        ("train_sha256", "training data"),
        ("test_sha256", "held-out data"),
    ] {
        let mut changed = whole.clone();
        changed[field] = match field {
            "revision" => (REVISION + 1).into(),
            "fault" => "signs-flipped".into(),
            _ => "other".into(),
        };
        fs::write(&manifest, changed.to_string()).unwrap();
        let error = rejection(&options(SMALL));
        assert!(
            error.contains(&format!("expected results of the same {input}")),
            "{field}: {error}"
        );
    }
}

#[test]
fn suite_resumes_before_first_run() {
    let dir = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    run(&options(SMALL), dir.path()).unwrap();
    fs::copy(
        dir.path().join("manifest.json"),
        other.path().join("manifest.json"),
    )
    .unwrap();
    run(&options(SMALL), other.path()).unwrap();
    assert!(files(other.path()) == files(dir.path()));
}

#[test]
fn revision_pins_results() {
    let summary = report(SMALL, None).summary;
    let accuracies = |method: &str| -> Vec<f64> {
        let method = summary.method(method).unwrap();
        std::iter::once(&method.clean)
            .chain(&method.attacked)
            .map(|condition| condition.accuracy.mean)
            .collect()
    };
    let found = (REVISION, ["plain", "verified", "mean"].map(accuracies));
    let plain = vec![0.89, 0.859_333, 0.755_333, 0.696, 0.496_667];
    let verified = vec![0.886, 0.889_333, 0.893_333, 0.884_667, 0.888];
    let mean = vec![0.868_667, 0.098, 0.098, 0.827_333, 0.500_667];
    let pinned = (7, [plain, verified, mean]);
    assert_eq!(
        found, pinned,
        "if the change is intended, raise REVISION and run all scenarios again"
    );
}

#[test]
fn results_without_manifest_are_untouched() {
    let rejection = |dir: &tempfile::TempDir| {
        let error = run(&options(SMALL), dir.path()).unwrap_err().to_string();
        assert!(error.contains("expected a manifest.json"), "{error}");
    };
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("runs")).unwrap();
    rejection(&dir);
    for name in ["summary.json", "curves.csv"] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        fs::write(&path, "other results").unwrap();
        rejection(&dir);
        assert_eq!(fs::read(&path).unwrap(), b"other results");
    }
}
