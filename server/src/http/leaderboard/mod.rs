//! `/api/v1/leaderboard`: the people with the most accepted updates, among people with a name.
//!
//! ```text
//!   GET  /api/v1/leaderboard          the ten people with the most accepted updates
//!   POST /api/v1/leaderboard          {"person": HEX, "name": TEXT, "volunteers": [HEX, ...]}   set a name
//!   POST /api/v1/leaderboard/leave    {"person": HEX}                                           remove a name
//! ```
//!
//! A secret identifies a person, as it does a volunteer. The server stores the hashes of both, and names only in
//! memory. It stores a name only for volunteers with accepted updates, so memory cannot be claimed for free.

mod name;
mod registry;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use farsign::identity::VolunteerIdentity;
use farsign::task::Secret;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tower_http::timeout::TimeoutLayer;

use crate::gateway::GatewayStopped;
use crate::http::leaderboard::name::{Name, NameError};
use crate::http::leaderboard::registry::{MAX_VOLUNTEERS, NameRegistry};
use crate::http::ttl_cache::TtlCache;
use crate::state::AppState;

/// People on the list.
const LEADERBOARD_SIZE: usize = 10;

/// Time for which responses share one list.
const LIST_TTL: Duration = Duration::from_secs(3);

/// Longest body of a request: a name and the secrets of one person.
const MAX_BODY_BYTES: usize = 4096;

/// The names and the cached list. Neither of these locks is held across an await point.
#[derive(Debug)]
struct Leaderboard {
    registry: Mutex<NameRegistry>,
    list: TtlCache<List>,
    /// Held while a list is computed, so that concurrent requests query the learner once.
    computing: tokio::sync::Mutex<()>,
}

impl Default for Leaderboard {
    fn default() -> Self {
        Self {
            registry: Mutex::default(),
            list: TtlCache::new(LIST_TTL),
            computing: tokio::sync::Mutex::default(),
        }
    }
}

/// The leaderboard, as JSON.
#[derive(Clone, Debug, Default, Serialize)]
struct List {
    /// People, the most accepted updates first.
    people: Vec<Row>,
    /// People with a name.
    named: usize,
}

#[derive(Clone, Debug, Serialize)]
struct Row {
    /// The first digits of the person's hash, which distinguish people of the same name.
    id: String,
    name: String,
    /// Accepted updates of all the person's volunteers.
    accepted: u64,
}

/// The body of a request to set a name.
#[derive(Deserialize)]
struct SetNameRequest {
    person: String,
    name: String,
    volunteers: Vec<String>,
}

/// The body of a request to remove a name.
#[derive(Deserialize)]
struct RemoveNameRequest {
    person: String,
}

/// The response to a request to set a name.
#[derive(Serialize)]
struct SetNameResponse {
    id: String,
    name: String,
    /// Whether the name is stored, which requires an accepted update.
    kept: bool,
    /// Volunteers of the request with accepted updates.
    volunteers: usize,
}

/// An error of a request.
#[derive(Debug, thiserror::Error)]
enum LeaderboardError {
    #[error("no page of this origin may do that")]
    Origin,
    #[error(transparent)]
    Body(#[from] JsonRejection),
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("expected secrets of 32 hexadecimal digits, found something else")]
    Secret,
    #[error("expected at most {MAX_VOLUNTEERS} volunteers, found {0}")]
    TooManyVolunteers(usize),
    #[error(transparent)]
    Stopping(#[from] GatewayStopped),
}

impl IntoResponse for LeaderboardError {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::Origin => StatusCode::FORBIDDEN,
            Self::Body(rejection) => rejection.status(),
            Self::Name(_) | Self::Secret | Self::TooManyVolunteers(_) => StatusCode::BAD_REQUEST,
            Self::Stopping(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, self.to_string()).into_response()
    }
}

/// Routes the paths below `/api/v1/leaderboard`. A request whose body does not arrive within `body_timeout` ends, so
/// that it cannot hold its connection.
pub(super) fn router(body_timeout: Duration) -> Router<Arc<AppState>> {
    Router::new()
        .route("/", get(list).post(set_name))
        .route("/leave", post(remove_name))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(Extension(Arc::new(Leaderboard::default())))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            body_timeout,
        ))
}

async fn list(
    State(state): State<Arc<AppState>>,
    Extension(leaderboard): Extension<Arc<Leaderboard>>,
) -> Result<Json<List>, LeaderboardError> {
    if let Some(list) = leaderboard.list.get(Instant::now()) {
        return Ok(Json(list));
    }
    let _guard = leaderboard.computing.lock().await;
    if let Some(list) = leaderboard.list.get(Instant::now()) {
        return Ok(Json(list)); // another request has computed it in the meantime
    }
    let people = leaderboard.people();
    let all = people
        .iter()
        .flat_map(|(.., volunteers)| volunteers.clone())
        .collect();
    let accepted = state.gateway.accepted_counts(all).await?;
    Ok(Json(leaderboard.update_list(
        Instant::now(),
        &people,
        &accepted,
    )))
}

async fn set_name(
    State(state): State<Arc<AppState>>,
    Extension(leaderboard): Extension<Arc<Leaderboard>>,
    headers: HeaderMap,
    body: Result<Json<SetNameRequest>, JsonRejection>,
) -> Result<Json<SetNameResponse>, LeaderboardError> {
    if !state.admission.allows_page(&headers) {
        return Err(LeaderboardError::Origin);
    }
    let Json(SetNameRequest {
        person,
        name,
        volunteers,
    }) = body?;
    let name: Name = name.parse()?;
    if volunteers.len() > MAX_VOLUNTEERS {
        return Err(LeaderboardError::TooManyVolunteers(volunteers.len()));
    }
    let person = identity(&person)?;
    let volunteers: Vec<_> = volunteers
        .iter()
        .map(|text| identity(text))
        .collect::<Result<_, _>>()?;
    let accepted = state.gateway.accepted_counts(volunteers).await?;
    let credited = accepted.into_iter().filter(|(_, accepted)| *accepted > 0);
    let volunteers: Vec<VolunteerIdentity> = credited.map(|(volunteer, _)| volunteer).collect();
    let kept = !volunteers.is_empty();
    let response = SetNameResponse {
        id: short_id(person),
        name: name.to_string(),
        kept,
        volunteers: volunteers.len(),
    };
    if kept {
        leaderboard.change(|registry| registry.set_name(person, name, &volunteers));
    }
    Ok(Json(response))
}

async fn remove_name(
    State(state): State<Arc<AppState>>,
    Extension(leaderboard): Extension<Arc<Leaderboard>>,
    headers: HeaderMap,
    body: Result<Json<RemoveNameRequest>, JsonRejection>,
) -> Result<StatusCode, LeaderboardError> {
    if !state.admission.allows_page(&headers) {
        return Err(LeaderboardError::Origin);
    }
    let Json(RemoveNameRequest { person }) = body?;
    let person = identity(&person)?;
    leaderboard.change(|registry| registry.remove(person).is_some());
    Ok(StatusCode::NO_CONTENT)
}

/// Returns the identity of a secret. Knowing the secret proves ownership.
fn identity(secret: &str) -> Result<VolunteerIdentity, LeaderboardError> {
    let is_hex = secret.len() == 32 && secret.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = is_hex
        .then(|| u128::from_str_radix(secret, 16).ok())
        .flatten();
    number
        .map(|number| Secret(number.to_be_bytes()).into())
        .ok_or(LeaderboardError::Secret)
}

fn short_id(person: VolunteerIdentity) -> String {
    person.to_string().chars().take(8).collect()
}

/// A person, its name and its volunteers.
type Person = (VolunteerIdentity, Name, Vec<VolunteerIdentity>);

fn people(registry: &NameRegistry) -> Vec<Person> {
    registry
        .people()
        .map(|(person, entry)| (person, entry.name.clone(), entry.volunteers.clone()))
        .collect()
}

impl Leaderboard {
    fn people(&self) -> Vec<Person> {
        people(&self.registry.lock())
    }

    /// Computes the list from the accepted updates of each volunteer, and caches it.
    fn update_list(
        &self,
        now: Instant,
        people: &[Person],
        accepted: &HashMap<VolunteerIdentity, u64>,
    ) -> List {
        let row = |(person, name, volunteers): &Person| {
            let accepted = volunteers
                .iter()
                .filter_map(|volunteer| accepted.get(volunteer))
                .sum();
            Row {
                id: short_id(*person),
                name: name.to_string(),
                accepted,
            }
        };
        let mut rows: Vec<Row> = people
            .iter()
            .map(row)
            .filter(|row| row.accepted > 0)
            .collect();
        rows.sort_unstable_by(|a, b| b.accepted.cmp(&a.accepted).then_with(|| a.id.cmp(&b.id)));
        rows.truncate(LEADERBOARD_SIZE);
        let list = List {
            people: rows,
            named: people.len(),
        };
        // Not cached if a name was removed in the meantime, because later responses must not show it.
        let registry = self.registry.lock();
        if self::people(&registry) == people {
            self.list.insert(now, list.clone());
        }
        list
    }

    /// Changes the names, and invalidates the list if `change` returns that it changed something.
    fn change(&self, change: impl FnOnce(&mut NameRegistry) -> bool) {
        if change(&mut self.registry.lock()) {
            self.list.invalidate();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(byte: u8) -> VolunteerIdentity {
        Secret([byte; 16]).into()
    }

    #[test]
    fn removed_name_is_not_cached() {
        let leaderboard = Leaderboard::default();
        let now = Instant::now();
        let ada = identity(1);
        let volunteer = identity(2);
        let accepted = HashMap::from([(volunteer, 7)]);
        leaderboard.change(|registry| registry.set_name(ada, "Ada".parse().unwrap(), &[volunteer]));
        let people = leaderboard.people();
        assert_eq!(
            leaderboard.update_list(now, &people, &accepted).people[0].accepted,
            7
        );
        assert_eq!(
            leaderboard.list.get(now).map(|list| list.named),
            Some(1),
            "the list is cached"
        );
        leaderboard.change(|registry| registry.remove(ada).is_some());
        leaderboard.update_list(now, &people, &accepted);
        assert!(leaderboard.list.get(now).is_none());
    }

    #[test]
    fn unchanged_names_keep_cached_list() {
        let leaderboard = Leaderboard::default();
        let now = Instant::now();
        let ada = identity(1);
        let volunteer = identity(2);
        let set_name = |registry: &mut NameRegistry| {
            registry.set_name(ada, "Ada".parse().unwrap(), &[volunteer])
        };
        leaderboard.change(set_name);
        leaderboard.update_list(now, &leaderboard.people(), &HashMap::from([(volunteer, 7)]));
        leaderboard.change(set_name);
        leaderboard.change(|registry| registry.remove(identity(3)).is_some());
        assert!(leaderboard.list.get(now).is_some());
        leaderboard
            .change(|registry| registry.set_name(ada, "Ada L.".parse().unwrap(), &[volunteer]));
        assert!(leaderboard.list.get(now).is_none());
    }
}
