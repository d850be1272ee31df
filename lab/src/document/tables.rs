//! The tables of a report. The single-server control, if the scenario has one, is in every one of them.

use super::table::{NOTHING, accuracy, cells, percent, perhaps, quantity, table};
use crate::archive::Archive;
use crate::attack::Attack;
use crate::plot::campaign::Named;
use crate::summary::{Condition, MethodSummary};

/// Every method of every campaign: accuracy without liars and under the worst attack, and what it stands up to.
pub fn overview(campaigns: &[Named<'_>]) -> String {
    let several = campaigns.len() > 1;
    let mut shares: Vec<f64> = campaigns.iter().flat_map(|(_, archive)| shares(archive)).collect();
    shares.sort_unstable_by(f64::total_cmp);
    shares.dedup();
    let mut head = cells(["method"]);
    head.extend(several.then(|| "campaign".to_owned()));
    head.push("no liars".to_owned());
    head.extend(shares.iter().map(|share| format!("worst at {}", percent(*share))));
    head.extend(cells(["stands up to", "s to 80 %", "messages to 80 %"]));
    let row = |name: &str, archive: &Archive, method: &MethodSummary| {
        let mut row = vec![shown(archive, method)];
        row.extend(several.then(|| name.to_owned()));
        row.push(accuracy(method.clean.accuracy));
        row.extend(shares.iter().map(|share| {
            let worst = method.worst.iter().find(|worst| worst.share == *share);
            worst.map_or_else(nothing, |worst| format!("{} {}", accuracy(worst.accuracy), worst.attack))
        }));
        row.push(method.breaking_point.map_or_else(nothing, percent));
        row.push(perhaps(method.clean.target_s));
        row.push(perhaps(archive.target_messages(&method.name, None)));
        row
    };
    let of_campaign = |(name, archive): &Named<'_>| {
        archive.summary.methods.iter().map(|method| row(name, archive, method)).collect::<Vec<_>>()
    };
    table(&head, &campaigns.iter().flat_map(of_campaign).collect::<Vec<_>>())
}

/// Method by attack at one share.
pub fn attacks(archive: &Archive, share: f64) -> String {
    let attacks: Vec<&str> = archive.scenario.attacks.iter().map(Attack::name).collect();
    let mut head = cells(["method", "no liars"]);
    head.extend(attacks.iter().map(|&name| name.to_owned()));
    let row = |method: &MethodSummary| {
        let worst = method.worst.iter().find(|worst| worst.share == share);
        let cell = |&attack: &&str| {
            let Some(condition) = method.condition(Some(attack), share) else { return nothing() };
            let (text, diverged) = (accuracy(condition.accuracy), condition.diverged > 0);
            let text = if diverged { format!("{text} (diverged)") } else { text };
            if worst.is_some_and(|worst| worst.attack == attack) { format!("**{text}**") } else { text }
        };
        let mut row = vec![shown(archive, method), accuracy(method.clean.accuracy)];
        row.extend(attacks.iter().map(cell));
        row
    };
    table(&head, &archive.summary.methods.iter().map(row).collect::<Vec<_>>())
}

/// How fast each method learns without liars.
pub fn speed(archive: &Archive) -> String {
    let head = cells(["method", "accuracy", "s to 80 %", "messages to 80 %", "s of a run", "staleness"]);
    let row = |method: &MethodSummary| {
        vec![
            shown(archive, method),
            accuracy(method.clean.accuracy),
            perhaps(method.clean.target_s),
            perhaps(archive.target_messages(&method.name, None)),
            quantity(method.clean.time_s),
            quantity(method.clean.staleness),
        ]
    };
    table(&head, &archive.summary.methods.iter().map(row).collect::<Vec<_>>())
}

/// What checks cost, and whom they removed: methods that check, and the control.
pub fn checks(archive: &Archive) -> String {
    let shares: Vec<f64> = shares(archive).collect();
    let mut head = cells(["method", "accuracy without liars", "computed again without liars"]);
    head.extend(shares.iter().map(|share| format!("with {}", percent(*share))));
    head.extend(cells(["liars removed", "honest removed"]));
    let checks = |method: &&MethodSummary| {
        let conditions = || std::iter::once(&method.clean).chain(&method.attacked);
        archive.is_control(&method.name) || conditions().any(|condition| condition.recomputed.mean > 0.0)
    };
    let row = |method: &MethodSummary| {
        let at = |share: &f64| mean(method, |c| c.share == *share, |c| c.recomputed.mean).map(percent);
        let honest: u64 = method.attacked.iter().map(|condition| condition.honest_removed).sum();
        let liars = mean(method, |_| true, |condition| condition.liars_removed.mean);
        let mut row = vec![shown(archive, method), accuracy(method.clean.accuracy)];
        row.push(percent(method.clean.recomputed.mean));
        row.extend(shares.iter().map(|share| at(share).unwrap_or_else(nothing)));
        row.push(liars.map_or_else(nothing, |liars| format!("{liars:.1}")));
        row.push(format!("{}", honest + method.clean.honest_removed));
        row
    };
    table(&head, &archive.summary.methods.iter().filter(checks).map(row).collect::<Vec<_>>())
}

/// The step sizes that tuning chose.
pub fn rates(archive: &Archive) -> String {
    let factors = &archive.scenario.tuning.factors;
    let row = |method: &MethodSummary| {
        let ends = [factors.first(), factors.last()];
        let edge = factors.len() > 1 && ends.contains(&Some(&method.factor));
        let edge = if edge { "edge".to_owned() } else { String::new() };
        vec![shown(archive, method), format!("{:.2e}", method.rate), method.factor.to_string(), edge]
    };
    let rows: Vec<Vec<String>> = archive.summary.methods.iter().map(row).collect();
    table(&cells(["method", "rate", "factor", "of the grid"]), &rows)
}

/// Mean over the attacked conditions of a kind; none where there are none.
fn mean(
    method: &MethodSummary,
    which: impl Fn(&Condition) -> bool,
    value: impl Fn(&Condition) -> f64,
) -> Option<f64> {
    let values: Vec<f64> = method.attacked.iter().filter(|c| which(c)).map(value).collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn shares(archive: &Archive) -> impl Iterator<Item = f64> + '_ {
    archive.scenario.run.shares.iter().copied().filter(|share| *share > 0.0)
}

fn shown(archive: &Archive, method: &MethodSummary) -> String {
    let name = &method.name;
    if archive.is_control(name) { format!("{name} (control)") } else { name.clone() }
}

fn nothing() -> String {
    NOTHING.to_owned()
}
