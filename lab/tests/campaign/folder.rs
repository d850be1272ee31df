use std::collections::BTreeMap;
use std::fs;

use farsign_lab::campaign::REVISION;

use super::*;

/// Every file below a folder, by its path in it.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for part in [".", "runs", "tuning"] {
        for entry in fs::read_dir(folder.join(part)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                found.insert(format!("{part}/{name}"), fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn two_campaigns_write_the_same_bytes_whatever_the_number_of_threads() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    run(&CampaignOptions { threads: Some(1), ..options(SMALL) }, one.path()).unwrap();
    run(&CampaignOptions { threads: Some(3), ..options(SMALL) }, other.path()).unwrap();
    let (one, other) = (files(one.path()), files(other.path()));
    assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
    for (name, bytes) in &one {
        assert!(other[name] == *bytes, "{name} differs");
    }
    let curves = String::from_utf8_lossy(&one["./curves.csv"]).into_owned();
    let conditions = 1 + 2 * 2; // clean, and two attacks at two shares
    assert_eq!(curves.lines().count(), 1 + 3 * conditions * 4, "{curves}"); // three methods, four points each
}

#[test]
fn a_campaign_goes_on_where_it_was_and_runs_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    run(&options(SMALL), folder.path()).unwrap();
    let whole = files(folder.path());
    for lost in [
        "curves.csv",
        "summary.json",
        "runs/plain--none--1.json",
        "tuning/mean--sign-flip-0.3--100--0.5.json",
    ] {
        fs::remove_file(folder.path().join(lost)).unwrap();
    }
    // A record that was kept is believed.
    let kept = folder.path().join("runs/mean--none--1.json");
    let text = fs::read_to_string(&kept).unwrap();
    let (_, rest) = text.split_once(',').unwrap();
    fs::write(&kept, format!("{{\n  \"accuracy\": 0.125,{rest}")).unwrap();
    let resumed = run(&options(SMALL), folder.path()).unwrap();
    assert_eq!(resumed.summary.method("mean").unwrap().clean.accuracy.mean, 0.125);
    fs::write(&kept, text).unwrap();
    run(&options(SMALL), folder.path()).unwrap();
    assert!(files(folder.path()) == whole);
}

#[test]
fn results_of_other_things_are_not_mixed() {
    let folder = tempfile::tempdir().unwrap();
    run(&options(SMALL), folder.path()).unwrap();
    let refused = |options: &CampaignOptions| run(options, folder.path()).unwrap_err().to_string();
    let more_seeds = refused(&CampaignOptions { seeds: Some(2), ..options(SMALL) });
    assert!(more_seeds.contains("expected results of the same seeds"), "{more_seeds}");
    let other = refused(&options(&SMALL.replace("batch = 32", "batch = 31")));
    assert!(other.contains("expected results of the same scenario"), "{other}");

    let manifest = folder.path().join("manifest.json");
    let whole: serde_json::Value = serde_json::from_str(&fs::read_to_string(&manifest).unwrap()).unwrap();
    for (field, what) in [
        ("version", "version of the lab"),
        ("revision", "revision of the lab"),
        ("fault", "server"),
        ("train_sha256", "training data"),
        ("test_sha256", "held-out data"),
    ] {
        let mut changed = whole.clone();
        changed[field] = match field {
            "revision" => (REVISION + 1).into(),
            "fault" => "signs-turned".into(),
            _ => "other".into(),
        };
        fs::write(&manifest, changed.to_string()).unwrap();
        let error = refused(&options(SMALL));
        assert!(error.contains(&format!("expected results of the same {what}")), "{field}: {error}");
    }
}

#[test]
fn a_campaign_that_ended_before_its_first_run_goes_on() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    run(&options(SMALL), folder.path()).unwrap();
    fs::copy(folder.path().join("manifest.json"), other.path().join("manifest.json")).unwrap();
    run(&options(SMALL), other.path()).unwrap();
    assert!(files(other.path()) == files(folder.path()));
}

#[test]
fn runs_come_out_as_this_revision_of_the_lab_is_known_to() {
    let summary = results(SMALL, None).summary;
    let told = |method: &str| -> Vec<f64> {
        let method = summary.method(method).unwrap();
        std::iter::once(&method.clean)
            .chain(&method.attacked)
            .map(|condition| condition.accuracy.mean)
            .collect()
    };
    let found = (REVISION, ["plain", "verified", "mean"].map(told));
    let plain = vec![0.892, 0.872_667, 0.732, 0.682, 0.461_333];
    let verified = vec![0.876, 0.892, 0.89, 0.888_667, 0.894];
    let mean = vec![0.868_667, 0.098, 0.098, 0.827_333, 0.500_667];
    let known = (5, [plain, verified, mean]);
    assert_eq!(found, known, "if that is meant, raise REVISION, and every result is run anew");
}

#[test]
fn results_without_a_manifest_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("runs")).unwrap();
    let error = run(&options(SMALL), folder.path()).unwrap_err().to_string();
    assert!(error.contains("expected a manifest.json"), "{error}");
}
