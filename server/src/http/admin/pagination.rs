//! Sorting, filtering and pagination of the volunteers on a dashboard.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::http::admin::dto::VolunteerRow;

/// Rows of a page.
const MAX_ROWS: usize = 200;

/// The column to sort by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SortKey {
    #[default]
    Id,
    Address,
    Agent,
    Accepted,
    AcceptedPerS,
    IdleS,
    WeightFraction,
    Staleness,
    Agreement,
    Trust,
    VerificationsPassed,
    EffortPercent,
}

impl SortKey {
    /// Compares two rows. Unknown values come first.
    fn compare(self, a: &VolunteerRow, b: &VolunteerRow) -> Ordering {
        let optional =
            |a: Option<f64>, b: Option<f64>| a.unwrap_or(-1.0).total_cmp(&b.unwrap_or(-1.0));
        match self {
            Self::Id => a.id.cmp(&b.id),
            Self::Address => a.address.cmp(&b.address),
            Self::Agent => a.agent.cmp(&b.agent),
            Self::Accepted => a.accepted.cmp(&b.accepted),
            Self::AcceptedPerS => a.accepted_per_s.total_cmp(&b.accepted_per_s),
            Self::IdleS => a.idle_s.total_cmp(&b.idle_s),
            Self::WeightFraction => a.weight_fraction.total_cmp(&b.weight_fraction),
            Self::Staleness => optional(a.staleness, b.staleness),
            Self::Agreement => optional(a.agreement, b.agreement),
            Self::Trust => a.trust.total_cmp(&b.trust),
            Self::VerificationsPassed => a.verifications_passed.cmp(&b.verifications_passed),
            Self::EffortPercent => a.effort_percent.cmp(&b.effort_percent),
        }
    }
}

/// The query of a page of volunteers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PageRequest {
    #[serde(default)]
    sort: SortKey,
    #[serde(default)]
    descending: bool,
    /// Rows before the page.
    #[serde(default)]
    from: usize,
    /// Rows of the page, at most [`MAX_ROWS`].
    #[serde(default = "default_rows")]
    rows: usize,
    /// A filter: the id, or a part of the address, identity or agent.
    #[serde(default)]
    find: String,
}

fn default_rows() -> usize {
    50
}

/// A page of volunteers.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Page {
    /// Connected volunteers.
    all: usize,
    /// Volunteers that match the filter.
    matching: usize,
    /// Rows before the page: fewer than requested if the request is past the end.
    from: usize,
    rows: Vec<VolunteerRow>,
}

impl PageRequest {
    /// Selects the requested page of all volunteers.
    pub fn page(&self, mut rows: Vec<VolunteerRow>) -> Page {
        let all = rows.len();
        let find = self.find.trim().to_lowercase();
        rows.retain(|row| find.is_empty() || matches(row, &find));
        rows.sort_by(|a, b| {
            let order = self.sort.compare(a, b);
            (if self.descending {
                order.reverse()
            } else {
                order
            })
            .then(a.id.cmp(&b.id))
        });
        let matching = rows.len();
        let count = self.rows.clamp(1, MAX_ROWS);
        let from = if self.from < matching {
            self.from
        } else {
            matching.saturating_sub(1) / count * count
        };
        Page {
            all,
            matching,
            from,
            rows: rows.into_iter().skip(from).take(count).collect(),
        }
    }
}

fn matches(row: &VolunteerRow, find: &str) -> bool {
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
            agent: if id.is_multiple_of(3) {
                "Python".to_owned()
            } else {
                "farsign".to_owned()
            },
            accepted: id * 10,
            accepted_per_s: 1.0 / (1.0 + id as f64),
            idle_s: 0.0,
            weight_fraction: 0.01,
            staleness: (id % 2 == 1).then_some(id as f64),
            agreement: None,
            trust: 1.0,
            verifications_passed: 6,
            effort_percent: 100,
        }
    }

    /// Returns the number of matches, the offset and the ids of the page for a query.
    fn page(query: &str, volunteers: u64) -> (usize, usize, Vec<u64>) {
        let uri: axum::http::Uri = format!("/?{query}").parse().unwrap();
        let request = axum::extract::Query::<PageRequest>::try_from_uri(&uri)
            .unwrap()
            .0;
        let page = request.page((1..=volunteers).map(row).collect());
        assert_eq!(page.all as u64, volunteers);
        (
            page.matching,
            page.from,
            page.rows.iter().map(|row| row.id).collect(),
        )
    }

    #[test]
    fn page_is_sorted_and_filtered() {
        assert_eq!(page("", 4), (4, 0, vec![1, 2, 3, 4]));
        assert_eq!(page("sort=accepted_per_s&rows=2", 9), (9, 0, vec![9, 8]));
        assert_eq!(
            page("sort=accepted&descending=true&rows=3&from=3", 9),
            (9, 3, vec![6, 5, 4])
        );
        assert_eq!(page("sort=staleness&rows=3", 5), (5, 0, vec![2, 4, 1]));
        assert_eq!(page("find=PYTHON", 9), (3, 0, vec![3, 6, 9]));
        assert_eq!(
            page("find=10.0.0.2&sort=id&descending=true", 20),
            (3, 0, vec![16, 9, 2])
        );
        assert_eq!(page("find=nothing", 20), (0, 0, vec![]));
    }

    #[test]
    fn offset_past_end_returns_last_page() {
        assert_eq!(page("rows=4&from=400", 10), (10, 8, vec![9, 10]));
        assert_eq!(page("rows=0&from=2", 5), (5, 2, vec![3]));
    }

    #[test]
    fn page_size_is_bounded() {
        assert_eq!(page("rows=100000", 5000).2.len(), MAX_ROWS);
    }
}
