//! Admission: which volunteers may join. Checks are in order of their cost to the server:
//!
//! ```text
//!   page allowed? -- banned address? -- paused? -- egress -- join rate -- session limit --> hello: token? -- banned identity? --> run
//!     HTTP 403        rejection, each with a retry delay, or without one if a retry is pointless
//! ```
//!
//! Nothing here waits, and every function that depends on time takes the time as a parameter.

pub mod ban_file;
pub mod bans;
mod origin;
mod proxy_report;
mod retry_after;
mod timeout_counter;
mod token;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderName, header};
use farsign::identity::VolunteerIdentity;
use farsign::task::{Goodbye, GoodbyeReason};
use farsign::wire::Hello;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use crate::admission::ban_file::{BanFile, BanFileError};
use crate::admission::bans::{Ban, Bans};
use crate::admission::proxy_report::ProxyReport;
use crate::admission::retry_after::RetryScheduler;
use crate::admission::timeout_counter::TimeoutCounter;
use crate::net::client_addr::ClientAddr;
use crate::net::connection_limiter::{ConnectionLimiter, LimitReached, Permit};
use crate::net::egress::{Egress, EgressLimits};
use crate::net::rate_limiter::RateLimiter;
use crate::net::trusted_proxy::TrustedProxies;

pub use crate::admission::origin::{Origins, ParseOriginError};
pub use crate::admission::timeout_counter::VolunteerKey;
pub use crate::admission::token::{AdminTokenError, TokenDigest, check_admin_token};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Time before a failed write of the ban file is retried.
const RETRY_INTERVAL: Duration = Duration::from_secs(10);

/// Random delay added to retries that only one address causes.
const RETRY_JITTER: Duration = Duration::from_mins(1);

/// Options of admission.
#[derive(Clone, Debug)]
pub struct AdmissionOptions {
    /// Allowed page origins besides the server's own.
    pub origins: Origins,
    /// Token that every volunteer must send; `None` if no token is required.
    pub join_token: Option<TokenDigest>,
    /// Proxies whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: TrustedProxies,
    /// Concurrent sessions.
    pub max_volunteers: usize,
    /// Concurrent sessions of one client address.
    pub max_volunteers_per_address: usize,
    /// Joins of one client address per minute, at least 1.
    pub joins_per_minute: u32,
    /// Shortest retry delay of a rejected volunteer.
    pub retry_after: Duration,
    /// Limits on the sent bytes.
    pub egress: EgressLimits,
    /// Initial bans.
    pub bans: Bans,
    /// File of bans; `None` if bans are in memory only.
    pub ban_file: Option<PathBuf>,
}

/// The admission control of sessions. Every lock but that of the ban file is held briefly, and none across an await
/// point.
#[derive(Debug)]
pub struct Admission {
    options: AdmissionOptions,
    sessions: Arc<ConnectionLimiter>,
    joins: Mutex<RateLimiter>,
    retries: Mutex<RetryScheduler>,
    timeouts: Mutex<TimeoutCounter>,
    bans: Mutex<Bans>,
    bans_changed: Notify,
    ban_file: BanFile,
    paused: watch::Sender<bool>,
    /// Whether a rejected origin was logged. It is logged once, because any client can cause it.
    origin_logged: AtomicBool,
    proxies: ProxyReport,
    egress: Arc<Egress>,
}

impl Admission {
    /// Creates an admission control without sessions.
    pub fn new(mut options: AdmissionOptions) -> Self {
        let bans = std::mem::take(&mut options.bans);
        Self {
            sessions: ConnectionLimiter::new(
                options.max_volunteers,
                options.max_volunteers_per_address,
            ),
            joins: Mutex::new(RateLimiter::new(options.joins_per_minute)),
            retries: Mutex::default(),
            ban_file: BanFile::new(options.ban_file.take(), &bans),
            timeouts: Mutex::default(),
            bans: Mutex::new(bans),
            bans_changed: Notify::new(),
            paused: watch::Sender::new(false),
            origin_logged: AtomicBool::new(false),
            proxies: ProxyReport::default(),
            egress: Egress::new(options.egress, Instant::now()),
            options,
        }
    }

    /// Returns the limiter of sessions.
    pub fn sessions(&self) -> &ConnectionLimiter {
        &self.sessions
    }

    /// Returns the sent bytes and their limits.
    pub fn egress(&self) -> &Arc<Egress> {
        &self.egress
    }

    /// Returns whether volunteers must send a token.
    pub fn needs_token(&self) -> bool {
        self.options.join_token.is_some()
    }

    /// Returns the address of a client, from its connection and the headers of trusted proxies.
    pub fn client_addr(&self, peer: IpAddr, headers: &HeaderMap) -> ClientAddr {
        // A client may have written any bytes before the proxy added its address.
        let lines: Vec<_> = headers
            .get_all(FORWARDED_FOR)
            .iter()
            .map(|line| String::from_utf8_lossy(line.as_bytes()))
            .collect();
        let client = self
            .options
            .trusted_proxies
            .client(peer, lines.iter().map(AsRef::as_ref));
        if let Some(error) = &client.error {
            self.proxies.unread_address(client.address, error, headers);
        } else if !lines.is_empty() && !self.options.trusted_proxies.contains(peer) {
            self.proxies.ignored_address(peer);
        }
        client.address.into()
    }

    /// Returns the number of sessions whose trusted proxy named no client.
    pub fn count_unread_addresses(&self) -> u64 {
        self.proxies.unread_addresses()
    }

    /// Handles a request for a session that is not a WebSocket upgrade, and returns whether a proxy removed the upgrade.
    ///
    /// A proxy drops `Upgrade` and `Connection`, which are for one hop, and passes on the other headers of the request.
    pub fn report_missing_upgrade(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        let is_websocket = headers.contains_key(header::SEC_WEBSOCKET_KEY);
        if is_websocket {
            self.proxies.missing_upgrade(peer);
        }
        is_websocket
    }

    /// Returns whether the page that sent this request may open a session.
    pub fn allows_page(&self, headers: &HeaderMap) -> bool {
        let text = |name| {
            headers
                .get(name)
                .map(|value| value.to_str().unwrap_or_default())
        };
        let origin = text(header::ORIGIN);
        let host = text(header::HOST);
        let allowed = self.options.origins.allows(origin, host);
        if !allowed && !self.origin_logged.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                event = "page_refused",
                ?origin,
                ?host,
                hint = "allow the origin with --allow-origin, or let the proxy forward Host",
                "origin refused"
            );
        }
        allowed
    }

    /// Admits a volunteer to a session.
    ///
    /// # Errors
    /// Returns the rejection to send if the volunteer may not join.
    pub fn admit(&self, client: ClientAddr, now: Instant) -> Result<Permit, Goodbye> {
        if self.is_banned(client, None) {
            return Err(self.rejection(GoodbyeReason::Banned, now));
        }
        if *self.paused.borrow() {
            return Err(self.rejection(GoodbyeReason::Paused, now));
        }
        let full = |limit| match limit {
            LimitReached::Total => self.rejection(GoodbyeReason::ServerFull, now),
            LimitReached::PerAddress => {
                self.jittered_retry(GoodbyeReason::AddressFull, self.options.retry_after)
            }
        };
        self.egress.check_join(client, now).map_err(full)?;
        if let Err(wait) = self.joins.lock().check(client, now) {
            return Err(self.jittered_retry(GoodbyeReason::TooManyJoins, wait));
        }
        self.sessions.acquire(Some(client)).map_err(full)
    }

    /// Returns the identity of a volunteer; `None` if it sent no secret.
    ///
    /// # Errors
    /// Returns an error if the token is wrong.
    pub fn authenticate(
        &self,
        hello: &Hello<'_>,
    ) -> Result<Option<VolunteerIdentity>, GoodbyeReason> {
        if let Some(token) = &self.options.join_token
            && !token.matches(hello.token.unwrap_or_default().as_bytes())
        {
            return Err(GoodbyeReason::InvalidToken);
        }
        Ok(hello.secret.map(VolunteerIdentity::from))
    }

    /// Returns whether the address or the identity is banned.
    pub fn is_banned(&self, client: ClientAddr, identity: Option<VolunteerIdentity>) -> bool {
        let bans = self.bans.lock();
        bans.contains(Ban::Address(client))
            || identity.is_some_and(|identity| bans.contains(Ban::Identity(identity)))
    }

    /// Returns the goodbye for a reason. It has no retry delay if a retry would be rejected too. Delays of rejections
    /// that affect many volunteers are spread over time.
    pub fn rejection(&self, reason: GoodbyeReason, now: Instant) -> Goodbye {
        let usual = self.options.retry_after;
        let wait = match reason {
            GoodbyeReason::ServerFull | GoodbyeReason::ShuttingDown | GoodbyeReason::Paused => {
                Some(self.retries.lock().schedule(now, usual, rand::random()))
            }
            GoodbyeReason::TaskTimeout
            | GoodbyeReason::HelloMissing
            | GoodbyeReason::SlowReader => Some(usual),
            GoodbyeReason::TooManyJoins | GoodbyeReason::AddressFull => {
                return self.jittered_retry(reason, usual);
            }
            GoodbyeReason::UnsupportedVersion
            | GoodbyeReason::Malformed
            | GoodbyeReason::Oversize
            | GoodbyeReason::TooManyRejects
            | GoodbyeReason::TooManyPings
            | GoodbyeReason::InvalidShards
            | GoodbyeReason::FailedVerification
            | GoodbyeReason::Banned
            | GoodbyeReason::InvalidToken
            | GoodbyeReason::SessionReplaced
            | GoodbyeReason::EjectedByOperator
            | GoodbyeReason::RunFinished => None,
        };
        Goodbye {
            reason,
            retry_after_ms: wait.map(milliseconds),
        }
    }

    /// Records a task that timed out. Returns how many of the volunteer's tasks did in a row, and the goodbye, whose retry
    /// delay grows with them.
    pub fn task_timeout(&self, volunteer: VolunteerKey) -> (u32, Goodbye) {
        let timeouts = self.timeouts.lock().record(volunteer);
        let delay = timeout_counter::retry_delay(self.options.retry_after, timeouts);
        let goodbye = Goodbye {
            reason: GoodbyeReason::TaskTimeout,
            retry_after_ms: Some(milliseconds(delay)),
        };
        (timeouts, goodbye)
    }

    /// Forgets the timeouts of a volunteer whose update was accepted.
    pub fn reset_timeouts(&self, volunteer: VolunteerKey) {
        self.timeouts.lock().reset(volunteer);
    }

    /// Returns a rejection that one address causes, so that its retries do not delay those of other addresses.
    fn jittered_retry(&self, reason: GoodbyeReason, min: Duration) -> Goodbye {
        let wait = min.max(self.options.retry_after) + RETRY_JITTER.mul_f64(rand::random());
        Goodbye {
            reason,
            retry_after_ms: Some(milliseconds(wait)),
        }
    }

    /// Returns a flag that is true while the run is paused.
    pub fn paused(&self) -> watch::Receiver<bool> {
        self.paused.subscribe()
    }

    /// Pauses or resumes the run. While it is paused, volunteers can neither join nor work.
    pub fn pause(&self, paused: bool) {
        match (self.paused.send_replace(paused), paused) {
            (false, true) => tracing::info!(event = "paused", "run paused"),
            (true, false) => tracing::info!(event = "resumed", "run resumed"),
            _ => {}
        }
    }

    /// Adds a ban.
    pub fn ban(&self, ban: Ban) {
        if self.bans.lock().add(ban) {
            tracing::info!(event = "banned", %ban, "ban added");
            self.bans_changed.notify_one();
        }
    }

    /// Removes a ban, and returns whether it existed.
    pub fn unban(&self, ban: Ban) -> bool {
        let removed = self.bans.lock().remove(ban);
        if removed {
            tracing::info!(event = "ban_removed", %ban, "ban removed");
            self.bans_changed.notify_one();
        }
        removed
    }

    /// Writes the bans after each change. Changes during a write are written together.
    pub async fn persist_bans(self: &Arc<Self>) {
        loop {
            self.bans_changed.notified().await;
            if self.save_bans().await.is_err() {
                tokio::time::sleep(RETRY_INTERVAL).await;
                self.bans_changed.notify_one();
            }
        }
    }

    /// Writes the bans to their file, if there is one and it lacks a change.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written.
    pub async fn save_bans(self: &Arc<Self>) -> Result<(), BanFileError> {
        let admission = Arc::clone(self);
        // The write continues if the caller stops waiting.
        tokio::task::spawn_blocking(move || admission.ban_file.save(&admission.bans))
            .await
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    /// Returns whether the newest bans could not be written to their file; `None` if there is no file.
    pub fn is_ban_file_failing(&self) -> Option<bool> {
        self.ban_file.is_failing()
    }

    /// Returns all bans.
    pub fn list_bans(&self) -> Vec<Ban> {
        self.bans.lock().list().collect()
    }

    /// Returns the number of bans.
    pub fn count_bans(&self) -> usize {
        self.bans.lock().list().count()
    }
}

/// Returns a duration in milliseconds, always below the value that means "never" on the wire.
fn milliseconds(wait: Duration) -> u32 {
    u32::try_from(wait.as_millis()).unwrap_or(u32::MAX - 1)
}
