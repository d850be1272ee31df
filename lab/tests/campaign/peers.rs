//! Rules that FAR-SIGN is compared with, as a run makes them: what they are told of liars reaches them.

use super::*;

/// Rules that have no defence; and Kardam, whose defence a fifth of liars gets through.
const UNDEFENDED: [&str; 4] = ["mean", "asgd", "fed-async", "kardam"];

#[test]
fn every_rule_with_a_defence_is_told_enough_of_the_liars_to_stand_some() {
    let summary = results(include_str!("../../testdata/peers.toml"), None).summary;
    let mut found = Vec::new();
    for method in &summary.methods {
        let clean = method.clean.accuracy.mean;
        let attacked = method.condition(Some("sign-flip"), 0.2).unwrap().accuracy.mean;
        found.push((method.name.clone(), clean, attacked));
    }
    for (name, clean, attacked) in &found {
        assert!(*clean > 0.75, "{name} learns: {found:?}");
        let stands = attacked > &(clean - 0.12);
        assert_eq!(stands, !UNDEFENDED.contains(&name.as_str()), "{name}: {found:?}");
    }
}
