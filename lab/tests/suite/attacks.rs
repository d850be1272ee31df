use std::collections::BTreeMap;

use farsign_lab::suite::summary::Summary;

use super::*;

/// One short run of each method under each attack, and without.
const ALL: &str = include_str!("../../testdata/attacks.toml");

/// Returns the summary, and the last line of each curve by method and attack.
fn results() -> (Summary, BTreeMap<(String, String), String>) {
    let dir = tempfile::tempdir().unwrap();
    let summary = run(&options(ALL), dir.path()).unwrap().summary;
    let curves = std::fs::read_to_string(dir.path().join("curves.csv")).unwrap();
    let mut ends = BTreeMap::new();
    for line in curves.lines() {
        let mut columns = line.splitn(5, ',').map(str::to_owned);
        let (Some(method), Some(attack)) = (columns.next(), columns.next()) else {
            continue;
        };
        ends.insert((method, attack), columns.last().unwrap_or_default());
    }
    (summary, ends)
}

#[test]
fn every_attack_affects_every_method() {
    let (summary, ends) = results();
    for method in &summary.methods {
        for condition in &method.attacked {
            let attack = condition.attack.as_deref().unwrap();
            let end = |attack: &str| &ends[&(method.name.clone(), attack.to_owned())];
            assert_ne!(
                end(attack),
                end("none"),
                "{attack} has no effect on {}",
                method.name
            );
            let fraction = condition.byzantine_updates.mean;
            let expected = match attack {
                "flooding" if method.name != "round" => 0.55..0.95,
                "stale" if method.name != "round" => 0.01..0.15,
                _ => 0.2..0.4,
            };
            assert!(
                expected.contains(&fraction),
                "{} under {attack}: attackers sent {fraction}",
                method.name
            );
        }
    }
    let accuracy = |method: &str, attack: &str| {
        let found = summary.method(method).unwrap().condition(Some(attack), 0.3);
        found.unwrap().accuracy.mean
    };
    for harmful in ["sign-flip", "ipm"] {
        let gradients = accuracy("gradients", harmful);
        let signs = accuracy("signs", harmful);
        assert!(
            gradients < signs - 0.1,
            "{harmful}: gradients {gradients}, signs {signs}"
        );
    }
    let flooding = summary
        .method("signs")
        .unwrap()
        .condition(Some("flooding"), 0.3)
        .unwrap();
    let updates = flooding.byzantine_updates.mean;
    let weight = flooding.byzantine_weight.unwrap().mean;
    assert!(
        updates > 0.6 && weight < 0.45,
        "flooding: {updates} of the updates, {weight} of the weight"
    );
}
