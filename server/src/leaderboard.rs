//! `/api/v1/leaderboard`: who has contributed most, of those who want to be seen.
//!
//! ```text
//!   GET  /api/v1/leaderboard          the ten who contributed most
//!   POST /api/v1/leaderboard          {"person": HEX, "name": TEXT, "volunteers": [HEX, ...]}   be on it
//!   POST /api/v1/leaderboard/leave    {"person": HEX}                                           be forgotten
//! ```
//!
//! A person is known by a secret, as its volunteers are; the server keeps the hashes of both, and names only as long as
//! it runs. Only volunteers that have contributed are kept, and who has one of them, so that there is no room to be had
//! for nothing.

mod board;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use farsign::task::Secret;
use serde::{Deserialize, Serialize};
use tower_http::timeout::TimeoutLayer;

use crate::admission::identity::Identity;
use crate::app::App;
use crate::coordinator::Stopped;
use crate::shown::Shown;

use board::{Board, MOST_VOLUNTEERS, Name, NoName};

/// People that are shown.
const SHOWN: usize = 10;

/// How long the same list is shown.
const SHOWN_FOR: Duration = Duration::from_secs(3);

/// Longest body of a request: a name and as many secrets as a person may have.
const BODY_BYTES: usize = 4096;

/// Names, and the list that is shown at the moment. Neither lock of these is held across a wait.
#[derive(Debug)]
pub struct Leaderboard {
    board: Mutex<Board>,
    shown: Shown<List>,
    /// Whoever makes a list holds this: the others wait for it, so that the coordinator is asked once.
    making: tokio::sync::Mutex<()>,
}

impl Default for Leaderboard {
    fn default() -> Self {
        Self { board: Mutex::default(), shown: Shown::new(SHOWN_FOR), making: tokio::sync::Mutex::default() }
    }
}

/// What is shown.
#[derive(Clone, Debug, Default, Serialize)]
struct List {
    /// Who contributed most comes first.
    people: Vec<Row>,
    /// People who have a name.
    named: usize,
}

#[derive(Clone, Debug, Serialize)]
struct Row {
    /// Tells people of the same name apart: the first digits of the person's hash.
    id: String,
    name: String,
    /// Answers accepted of all its volunteers since the server started.
    accepted: u64,
}

/// Who wants to be seen.
#[derive(Deserialize)]
struct Naming {
    person: String,
    name: String,
    volunteers: Vec<String>,
}

/// Who wants to be forgotten.
#[derive(Deserialize)]
struct Leaving {
    person: String,
}

/// What somebody is called.
#[derive(Serialize)]
struct Named {
    id: String,
    name: String,
    /// Whether the name is kept: not before the first accepted answer.
    kept: bool,
    /// Of the volunteers that were named those that are kept, as an answer of theirs was accepted.
    volunteers: usize,
}

/// Why a request was not done.
#[derive(Debug, thiserror::Error)]
enum LeaderboardError {
    #[error("no page of this origin may do that")]
    Origin,
    #[error(transparent)]
    Unread(#[from] JsonRejection),
    #[error(transparent)]
    Name(#[from] NoName),
    #[error("expected secrets of 32 hexadecimal digits, found something else")]
    Secret,
    #[error("expected at most {MOST_VOLUNTEERS} volunteers, found {0}")]
    Many(usize),
    #[error(transparent)]
    Stopping(#[from] Stopped),
}

impl IntoResponse for LeaderboardError {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::Origin => StatusCode::FORBIDDEN,
            Self::Unread(rejection) => rejection.status(),
            Self::Name(_) | Self::Secret | Self::Many(_) => StatusCode::BAD_REQUEST,
            Self::Stopping(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, self.to_string()).into_response()
    }
}

/// The paths, relative to `/api/v1/leaderboard`. A request whose body has not come by `timeout` is given up, or it would
/// hold its connection.
pub fn router(timeout: Duration) -> Router<Arc<App>> {
    Router::new()
        .route("/", get(list).post(name))
        .route("/leave", post(leave))
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, timeout))
}

async fn list(State(app): State<Arc<App>>) -> Result<Json<List>, LeaderboardError> {
    if let Some(list) = app.leaderboard.shown.at(Instant::now()) {
        return Ok(Json(list));
    }
    let _one = app.leaderboard.making.lock().await;
    if let Some(list) = app.leaderboard.shown.at(Instant::now()) {
        return Ok(Json(list)); // somebody else has made it meanwhile
    }
    let people = app.leaderboard.people();
    let all = people.iter().flat_map(|(.., volunteers)| volunteers.clone()).collect();
    let accepted = app.coordinator.accepted_of(all).await?;
    Ok(Json(app.leaderboard.show(Instant::now(), &people, &accepted)))
}

async fn name(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Result<Json<Naming>, JsonRejection>,
) -> Result<Json<Named>, LeaderboardError> {
    if !app.admission.allows_page(&headers) {
        return Err(LeaderboardError::Origin);
    }
    let Json(Naming { person, name, volunteers }) = body?;
    let name: Name = name.parse()?;
    if volunteers.len() > MOST_VOLUNTEERS {
        return Err(LeaderboardError::Many(volunteers.len()));
    }
    let person = identity(&person)?;
    let volunteers: Vec<_> = volunteers.iter().map(|text| identity(text)).collect::<Result<_, _>>()?;
    let accepted = app.coordinator.accepted_of(volunteers).await?;
    let contributed = accepted.into_iter().filter(|(_, accepted)| *accepted > 0);
    let volunteers: Vec<Identity> = contributed.map(|(volunteer, _)| volunteer).collect();
    let kept = !volunteers.is_empty();
    let named = Named { id: short(person), name: name.to_string(), kept, volunteers: volunteers.len() };
    if kept {
        app.leaderboard.change(|board| board.name(person, name, &volunteers));
    }
    Ok(Json(named))
}

async fn leave(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Result<Json<Leaving>, JsonRejection>,
) -> Result<StatusCode, LeaderboardError> {
    if !app.admission.allows_page(&headers) {
        return Err(LeaderboardError::Origin);
    }
    let Json(Leaving { person }) = body?;
    let person = identity(&person)?;
    app.leaderboard.change(|board| board.forget(person).is_some());
    Ok(StatusCode::NO_CONTENT)
}

/// Whoever knows a secret is who it is of.
fn identity(secret: &str) -> Result<Identity, LeaderboardError> {
    let hex = secret.len() == 32 && secret.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = hex.then(|| u128::from_str_radix(secret, 16).ok()).flatten();
    number.map(|number| Secret(number.to_be_bytes()).into()).ok_or(LeaderboardError::Secret)
}

fn short(person: Identity) -> String {
    person.to_string().chars().take(8).collect()
}

/// A person, its name and its volunteers.
type Person = (Identity, Name, Vec<Identity>);

fn people(board: &Board) -> Vec<Person> {
    board.people().map(|(person, entry)| (person, entry.name.clone(), entry.volunteers.clone())).collect()
}

impl Leaderboard {
    fn people(&self) -> Vec<Person> {
        people(&self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the list anew from what each volunteer has contributed.
    fn show(&self, now: Instant, people: &[Person], accepted: &HashMap<Identity, u64>) -> List {
        let row = |(person, name, volunteers): &Person| {
            let accepted = volunteers.iter().filter_map(|volunteer| accepted.get(volunteer)).sum();
            Row { id: short(*person), name: name.to_string(), accepted }
        };
        let mut rows: Vec<Row> = people.iter().map(row).filter(|row| row.accepted > 0).collect();
        rows.sort_unstable_by(|a, b| b.accepted.cmp(&a.accepted).then_with(|| a.id.cmp(&b.id)));
        rows.truncate(SHOWN);
        let list = List { people: rows, named: people.len() };
        // Whoever left since then must not be shown to those who ask later.
        let board = self.lock();
        if self::people(&board) == people {
            self.shown.show(now, list.clone());
        }
        list
    }

    /// Changes the names; if that `change` says that it did, whoever asks next sees it.
    fn change(&self, change: impl FnOnce(&mut Board) -> bool) {
        if change(&mut self.lock()) {
            self.shown.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_leaves_while_the_list_is_made_is_not_shown_to_those_who_ask_later() {
        let (board, now) = (Leaderboard::default(), Instant::now());
        let (ada, volunteer): (Identity, Identity) = (Secret([1; 16]).into(), Secret([2; 16]).into());
        let named = |board: &mut Board| board.name(ada, "Ada".parse().unwrap(), &[volunteer]);
        let accepted = HashMap::from([(volunteer, 7)]);
        board.change(named);
        let people = board.people();
        assert_eq!(board.show(now, &people, &accepted).people[0].accepted, 7);
        assert_eq!(board.shown.at(now).map(|list| list.named), Some(1), "it stays for a while");
        board.change(|board| board.forget(ada).is_some());
        board.show(now, &people, &accepted);
        assert!(board.shown.at(now).is_none());
    }

    #[test]
    fn requests_that_change_nothing_leave_the_list_as_it_is() {
        let (board, now) = (Leaderboard::default(), Instant::now());
        let (ada, volunteer): (Identity, Identity) = (Secret([1; 16]).into(), Secret([2; 16]).into());
        let named = |board: &mut Board| board.name(ada, "Ada".parse().unwrap(), &[volunteer]);
        board.change(named);
        board.show(now, &board.people(), &HashMap::from([(volunteer, 7)]));
        board.change(named);
        board.change(|board| board.forget(Secret([3; 16]).into()).is_some());
        assert!(board.shown.at(now).is_some());
        board.change(|board| board.name(ada, "Ada L.".parse().unwrap(), &[volunteer]));
        assert!(board.shown.at(now).is_none());
    }
}
