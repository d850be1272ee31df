use std::collections::BTreeMap;

use farsign_lab::summary::Summary;

use super::*;

/// One short run of each method under each attack, and without.
const ALL: &str = include_str!("../../testdata/attacks.toml");

/// The summary, and the last line of each curve by method and attack.
fn campaign() -> (Summary, BTreeMap<(String, String), String>) {
    let folder = tempfile::tempdir().unwrap();
    let summary = run(&options(ALL), folder.path()).unwrap().summary;
    let curves = std::fs::read_to_string(folder.path().join("curves.csv")).unwrap();
    let mut ends = BTreeMap::new();
    for line in curves.lines() {
        let mut columns = line.splitn(5, ',').map(str::to_owned);
        let (Some(method), Some(attack)) = (columns.next(), columns.next()) else { continue };
        ends.insert((method, attack), columns.last().unwrap_or_default());
    }
    (summary, ends)
}

#[test]
fn every_attack_changes_what_every_kind_of_message_leads_to() {
    let (summary, ends) = campaign();
    for method in &summary.methods {
        for condition in &method.attacked {
            let attack = condition.attack.as_deref().unwrap();
            let end = |attack: &str| &ends[&(method.name.clone(), attack.to_owned())];
            assert_ne!(end(attack), end("none"), "{} under {attack} is as without", method.name);
            let share = condition.liars_share.mean;
            let expected = match attack {
                "fast" if method.name != "round" => 0.55..0.95,
                "slow" if method.name != "round" => 0.01..0.15,
                _ => 0.2..0.4,
            };
            assert!(expected.contains(&share), "{} under {attack}: liars sent {share}", method.name);
        }
    }
    let accuracy = |method: &str, attack: &str| {
        let found = summary.method(method).unwrap().condition(Some(attack), 0.3);
        found.unwrap().accuracy.mean
    };
    for harmful in ["sign-flip", "inner-product"] {
        let (gradients, signs) = (accuracy("gradients", harmful), accuracy("signs", harmful));
        assert!(gradients < signs - 0.1, "{harmful}: gradients {gradients}, signs {signs}");
    }
    let fast = summary.method("signs").unwrap().condition(Some("fast"), 0.3).unwrap();
    let (share, weight) = (fast.liars_share.mean, fast.liars_weight.unwrap().mean);
    assert!(share > 0.6 && weight < 0.45, "fast liars: {share} of the messages, {weight} of the weight");
}
