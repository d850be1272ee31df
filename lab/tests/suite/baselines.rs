//! The rules that FAR-SIGN is compared with, as a run builds them from a scenario.

use super::*;

/// Rules without a defence, and Kardam, whose defence fails against a fifth of attackers.
const UNDEFENDED: [&str; 4] = ["mean", "asgd", "fedasync", "kardam"];

#[test]
fn defended_rules_tolerate_attackers() {
    let summary = report(include_str!("../../testdata/baselines.toml"), None).summary;
    let mut found = Vec::new();
    for method in &summary.methods {
        let clean = method.clean.accuracy.mean;
        let attacked = method
            .condition(Some("sign-flip"), 0.2)
            .unwrap()
            .accuracy
            .mean;
        found.push((method.name.clone(), clean, attacked));
    }
    for (name, clean, attacked) in &found {
        assert!(*clean > 0.75, "{name} learns: {found:?}");
        let tolerates = attacked > &(clean - 0.12);
        assert_eq!(
            tolerates,
            !UNDEFENDED.contains(&name.as_str()),
            "{name}: {found:?}"
        );
    }
}
