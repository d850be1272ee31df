//! The part of the list of volunteers that a dashboard shows: of thousands, a screenful.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::rows::VolunteerRow;

/// Rows that a window has at most.
const MOST_ROWS: usize = 200;

/// What rows are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Column {
    #[default]
    Id,
    Address,
    Agent,
    Accepted,
    AcceptedPerS,
    SilentS,
    WeightShare,
    Staleness,
    Agreement,
    Trust,
    ChecksPassed,
    EffortPercent,
}

impl Column {
    /// The order of two rows; what is not known comes first.
    fn compare(self, a: &VolunteerRow, b: &VolunteerRow) -> Ordering {
        let maybe = |a: Option<f64>, b: Option<f64>| a.unwrap_or(-1.0).total_cmp(&b.unwrap_or(-1.0));
        match self {
            Self::Id => a.id.cmp(&b.id),
            Self::Address => a.address.cmp(&b.address),
            Self::Agent => a.agent.cmp(&b.agent),
            Self::Accepted => a.accepted.cmp(&b.accepted),
            Self::AcceptedPerS => a.accepted_per_s.total_cmp(&b.accepted_per_s),
            Self::SilentS => a.silent_s.total_cmp(&b.silent_s),
            Self::WeightShare => a.weight_share.total_cmp(&b.weight_share),
            Self::Staleness => maybe(a.staleness, b.staleness),
            Self::Agreement => maybe(a.agreement, b.agreement),
            Self::Trust => a.trust.total_cmp(&b.trust),
            Self::ChecksPassed => a.checks_passed.cmp(&b.checks_passed),
            Self::EffortPercent => a.effort_percent.cmp(&b.effort_percent),
        }
    }
}

/// Which rows, in which order: the query of the request.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Window {
    #[serde(default)]
    sort: Column,
    #[serde(default)]
    descending: bool,
    /// Rows before the first.
    #[serde(default)]
    from: usize,
    /// Rows at most; more than [`MOST_ROWS`] count as that.
    #[serde(default = "fifty")]
    rows: usize,
    /// Only those whose id it is, or in whose address, identity or agent it occurs.
    #[serde(default)]
    find: String,
}

fn fifty() -> usize {
    50
}

/// The rows that are seen.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Seen {
    /// Volunteers that are there.
    all: usize,
    /// Those of them that were asked for.
    matching: usize,
    /// Rows before the first: fewer than were asked for where there are not so many.
    from: usize,
    rows: Vec<VolunteerRow>,
}

impl Window {
    /// What is seen of these volunteers.
    pub fn of(&self, mut rows: Vec<VolunteerRow>) -> Seen {
        let all = rows.len();
        let find = self.find.trim().to_lowercase();
        rows.retain(|row| find.is_empty() || is_meant(row, &find));
        rows.sort_by(|a, b| {
            let order = self.sort.compare(a, b);
            (if self.descending { order.reverse() } else { order }).then(a.id.cmp(&b.id))
        });
        let matching = rows.len();
        let most = self.rows.clamp(1, MOST_ROWS);
        let from = if self.from < matching { self.from } else { matching.saturating_sub(1) / most * most };
        Seen { all, matching, from, rows: rows.into_iter().skip(from).take(most).collect() }
    }
}

fn is_meant(row: &VolunteerRow, find: &str) -> bool {
    let identity = row.identity.as_deref().unwrap_or_default();
    row.id.to_string() == find
        || row.address.contains(find)
        || identity.contains(find)
        || row.agent.to_lowercase().contains(find)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: u64) -> VolunteerRow {
        VolunteerRow {
            id,
            address: format!("10.0.0.{}", id % 7),
            identity: Some(format!("{id:064x}")),
            agent: if id.is_multiple_of(3) { "Python".to_owned() } else { "farsign".to_owned() },
            accepted: id * 10,
            accepted_per_s: 1.0 / (1.0 + id as f64),
            silent_s: 0.0,
            weight_share: 0.01,
            staleness: (id % 2 == 1).then_some(id as f64),
            agreement: None,
            trust: 1.0,
            checks_passed: 6,
            effort_percent: 100,
        }
    }

    fn seen(query: &str, volunteers: u64) -> (usize, usize, Vec<u64>) {
        let uri: axum::http::Uri = format!("/?{query}").parse().unwrap();
        let window = axum::extract::Query::<Window>::try_from_uri(&uri).unwrap().0;
        let seen = window.of((1..=volunteers).map(row).collect());
        assert_eq!(seen.all as u64, volunteers);
        (seen.matching, seen.from, seen.rows.iter().map(|row| row.id).collect())
    }

    #[test]
    fn a_window_shows_what_is_asked_for_in_the_order_asked_for() {
        assert_eq!(seen("", 4), (4, 0, vec![1, 2, 3, 4]));
        assert_eq!(seen("sort=accepted_per_s&rows=2", 9), (9, 0, vec![9, 8]));
        assert_eq!(seen("sort=accepted&descending=true&rows=3&from=3", 9), (9, 3, vec![6, 5, 4]));
        assert_eq!(seen("sort=staleness&rows=3", 5), (5, 0, vec![2, 4, 1]));
        assert_eq!(seen("find=PYTHON", 9), (3, 0, vec![3, 6, 9]));
        assert_eq!(seen("find=10.0.0.2&sort=id&descending=true", 20), (3, 0, vec![16, 9, 2]));
        assert_eq!(seen("find=nobody", 20), (0, 0, vec![]));
    }

    #[test]
    fn a_window_behind_the_end_shows_the_last_page_and_never_more_than_fits() {
        assert_eq!(seen("rows=4&from=400", 10), (10, 8, vec![9, 10]));
        assert_eq!(seen("rows=100000", 5000).2.len(), MOST_ROWS);
        assert_eq!(seen("rows=0&from=2", 5), (5, 2, vec![3]));
    }
}
