//! What the plots of a campaign show. Several campaigns lie over each other in one chart.

use crate::archive::{Archive, Condition, MeanPoint};
use crate::attack::Attack;

use super::{Axis, Chart, HeatMap, Line, Look, heat_map, svg};

/// A campaign and its name, which is shown where there are several.
pub type Named<'a> = (&'a str, &'a Archive);

const ACCURACY: &str = "held-out accuracy (%)";

/// Mean accuracy over received messages under a condition, with a standard deviation over seeds around it.
pub fn over_messages(campaigns: &[Named<'_>], condition: Condition<'_>) -> String {
    let x = Axis::linear("messages received").with(0.0, 0.0);
    svg(&Chart { x, y: accuracy(), lines: curves(campaigns, condition, |point| point.messages) })
}

/// Mean accuracy over simulated time under a condition, with a standard deviation over seeds around it.
pub fn over_time(campaigns: &[Named<'_>], condition: Condition<'_>) -> String {
    let x = Axis::logarithmic("simulated time (s)");
    svg(&Chart { x, y: accuracy(), lines: curves(campaigns, condition, |point| point.time_s) })
}

/// Mean accuracy at the end under the worst attack, over the adversaries' share; without liars where it is 0.
pub fn over_share(campaigns: &[Named<'_>]) -> String {
    let lines = lines(campaigns, |archive, method| {
        let Some(method) = archive.summary.method(method) else { return (Vec::new(), Vec::new()) };
        let clean = (0.0, 100.0 * method.clean.accuracy.mean);
        let worst = method.worst.iter().map(|worst| (worst.share, 100.0 * worst.accuracy.mean));
        let mut points: Vec<(f64, f64)> = std::iter::once(clean).chain(worst).collect();
        if points.len() == 1 {
            // Nobody attacks the control: it is a line across.
            points.extend(archive.scenario.run.shares.last().map(|&share| (share, clean.1)));
        }
        (points, Vec::new())
    });
    svg(&Chart { x: Axis::linear("adversaries' share of updates"), y: accuracy(), lines })
}

/// Mean accuracy at the end, method by attack, at one share.
pub fn attacks(archive: &Archive, share: f64) -> String {
    let attacks: Vec<&str> = archive.scenario.attacks.iter().map(Attack::name).collect();
    let row = |method: &crate::summary::MethodSummary| {
        let attacked = attacks.iter().map(|attack| method.condition(Some(attack), share));
        let conditions = std::iter::once(Some(&method.clean)).chain(attacked);
        let percent = |condition: &crate::summary::Condition| 100.0 * condition.accuracy.mean;
        (method.name.clone(), conditions.map(|condition| condition.map(percent)).collect())
    };
    let columns = std::iter::once("none").chain(attacks.iter().copied()).map(str::to_owned).collect();
    heat_map(&HeatMap { columns, rows: archive.summary.methods.iter().map(row).collect() })
}

fn accuracy() -> Axis {
    Axis::linear(ACCURACY)
}

fn curves(campaigns: &[Named<'_>], condition: Condition<'_>, x: impl Fn(&MeanPoint) -> f64) -> Vec<Line> {
    lines(campaigns, |archive, method| {
        let condition = if archive.is_control(method) { None } else { condition };
        let curve = archive.curve(method, condition);
        let point = |point: &MeanPoint| (x(point), 100.0 * point.accuracy.mean);
        let around = curve.iter().map(|point| 100.0 * point.accuracy.deviation).collect();
        (curve.iter().map(point).collect(), around)
    })
}

type Drawn = (Vec<(f64, f64)>, Vec<f64>);

/// A line for each method of each campaign, where there is one. A method has the same colour in all campaigns.
fn lines(campaigns: &[Named<'_>], drawn: impl Fn(&Archive, &str) -> Drawn) -> Vec<Line> {
    let (mut lines, mut methods): (Vec<Line>, Vec<&str>) = (Vec::new(), Vec::new());
    for (group, (campaign, archive)) in campaigns.iter().enumerate() {
        for method in archive.scenario.methods.iter().map(|method| method.name.as_str()) {
            let (points, around) = drawn(archive, method);
            if points.is_empty() {
                continue;
            }
            let control = archive.is_control(method);
            let number = methods.iter().position(|known| *known == method).unwrap_or_else(|| {
                methods.extend((!control).then_some(method));
                methods.len().saturating_sub(1)
            });
            let name = if campaigns.len() > 1 { format!("{method}, {campaign}") } else { method.to_owned() };
            let look = match campaigns.len() {
                _ if control => Look::reference(),
                1 => Look::of(number),
                _ => Look::in_group(number, group),
            };
            lines.push(Line { name, look, points, around });
        }
    }
    lines
}
