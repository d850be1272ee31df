//! Who may join. Asked in the order that costs the server least:
//!
//! ```text
//!   page allowed? -- banned address? -- paused? -- joins a minute -- places --> hello: token right? -- banned identity? --> run
//!     HTTP 403        goodbye, each with the time after which to come back, or that there is none
//! ```
//!
//! Nothing here waits for anything, and what depends on time is told the time.

pub mod ban_file;
pub mod bans;
pub mod identity;
mod origin;
mod proxy;
pub mod rate;
mod returns;
mod token;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderName, header};
use farsign::task::{Goodbye, GoodbyeReason};
use farsign::wire::Hello;
use tokio::sync::{Notify, watch};

use crate::places::{Network, NoPlace, Place, Places};

use bans::{Ban, Bans};
use identity::Identity;
use rate::Rate;
use returns::Returns;

pub use origin::Origins;
pub use proxy::TrustedProxies;
pub use token::Token;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Time over which those are spread who were turned away for what their address did.
const SPREAD: Duration = Duration::from_mins(1);

/// Who may join.
#[derive(Clone, Debug)]
pub struct AdmissionOptions {
    /// Pages besides the server's own.
    pub origins: Origins,
    /// What every volunteer has to know, if anything.
    pub join_token: Option<Token>,
    /// Who may speak for others.
    pub trusted_proxies: TrustedProxies,
    /// Sessions at a time.
    pub max_volunteers: usize,
    /// Sessions of one address at a time.
    pub max_volunteers_per_address: usize,
    /// Joins of one address in a minute, at least 1.
    pub joins_per_minute: u32,
    /// What a volunteer that was turned away waits at least.
    pub retry_after: Duration,
    /// Who may not, to begin with.
    pub bans: Bans,
    /// Where bans are kept, if anywhere.
    pub ban_file: Option<PathBuf>,
}

/// The doorkeeper. Every lock in it is held for a look or a change, and never across a wait.
#[derive(Debug)]
pub struct Admission {
    options: AdmissionOptions,
    places: Arc<Places>,
    rate: Mutex<Rate>,
    returns: Mutex<Returns>,
    bans: Mutex<Bans>,
    bans_changed: Notify,
    paused: watch::Sender<bool>,
    /// Whether the host was told of a page that was turned away; once, as anybody can cause it.
    told_of_origin: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Admission {
    /// One that knows nobody yet.
    pub fn new(mut options: AdmissionOptions) -> Self {
        let bans = std::mem::take(&mut options.bans);
        Self {
            places: Places::new(options.max_volunteers, options.max_volunteers_per_address),
            rate: Mutex::new(Rate::new(options.joins_per_minute)),
            returns: Mutex::default(),
            bans: Mutex::new(bans),
            bans_changed: Notify::new(),
            paused: watch::Sender::new(false),
            told_of_origin: AtomicBool::new(false),
            options,
        }
    }

    /// The places of sessions.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// Whether a volunteer needs a token.
    pub fn needs_token(&self) -> bool {
        self.options.join_token.is_some()
    }

    /// Who asks, from where the connection comes and what trusted proxies say.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Network {
        let lines = headers.get_all(FORWARDED_FOR).iter().filter_map(|line| line.to_str().ok());
        self.options.trusted_proxies.client(peer, lines).into()
    }

    /// Whether the page that opens a WebSocket may do so.
    pub fn allows_page(&self, headers: &HeaderMap) -> bool {
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let (origin, host) = (text(header::ORIGIN), text(header::HOST));
        let allowed = self.options.origins.allow(origin, host);
        if !allowed && !self.told_of_origin.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                event = "page_refused",
                ?origin,
                ?host,
                "turned a page away; --allow-origin lets it in, and a proxy has to pass Host on"
            );
        }
        allowed
    }

    /// Gives a volunteer a place.
    ///
    /// # Errors
    /// When it may not have one, what to say.
    pub fn enter(&self, network: Network, now: Instant) -> Result<Place, Goodbye> {
        if self.bans(network, None) {
            return Err(self.goodbye(GoodbyeReason::Banned, now));
        }
        if *self.paused.borrow() {
            return Err(self.goodbye(GoodbyeReason::Paused, now));
        }
        if let Err(wait) = lock(&self.rate).count(network, now) {
            return Err(self.spread(GoodbyeReason::TooManyJoins, wait));
        }
        self.places.take(Some(network)).map_err(|why| match why {
            NoPlace::Full => self.goodbye(GoodbyeReason::ServerFull, now),
            NoPlace::AddressFull => self.spread(GoodbyeReason::AddressFull, self.options.retry_after),
        })
    }

    /// Who says hello; nobody in particular, if it has no secret.
    ///
    /// # Errors
    /// When it does not know the token.
    pub fn recognise(&self, hello: &Hello<'_>) -> Result<Option<Identity>, GoodbyeReason> {
        if let Some(token) = &self.options.join_token
            && !token.is(hello.token.unwrap_or_default().as_bytes())
        {
            return Err(GoodbyeReason::TokenWrong);
        }
        Ok(hello.secret.map(Identity::from))
    }

    /// Whether somebody may not join, or has joined while being banned.
    pub fn bans(&self, network: Network, identity: Option<Identity>) -> bool {
        let bans = lock(&self.bans);
        bans.contain(Ban::Address(network))
            || identity.is_some_and(|identity| bans.contain(Ban::Identity(identity)))
    }

    /// What is said for a reason, and when to come back: never where one would only be turned away again, and not all
    /// at once where many are sent away.
    pub fn goodbye(&self, reason: GoodbyeReason, now: Instant) -> Goodbye {
        let usual = self.options.retry_after;
        let wait = match reason {
            GoodbyeReason::ServerFull | GoodbyeReason::ShuttingDown | GoodbyeReason::Paused => {
                Some(lock(&self.returns).wait(now, usual, rand::random()))
            }
            GoodbyeReason::NoAnswer | GoodbyeReason::NoHello | GoodbyeReason::SlowReader => Some(usual),
            GoodbyeReason::TooManyJoins | GoodbyeReason::AddressFull => return self.spread(reason, usual),
            GoodbyeReason::UnsupportedVersion
            | GoodbyeReason::Malformed
            | GoodbyeReason::Oversize
            | GoodbyeReason::TooManyRejects
            | GoodbyeReason::TooManyPings
            | GoodbyeReason::WrongAnswer
            | GoodbyeReason::Banned
            | GoodbyeReason::TokenWrong
            | GoodbyeReason::TakenOver
            | GoodbyeReason::Kicked
            | GoodbyeReason::RunFinished => None,
        };
        Goodbye { reason, retry_after_ms: wait.map(milliseconds) }
    }

    /// The same where only the address is to blame: others do not wait longer for it.
    fn spread(&self, reason: GoodbyeReason, least: Duration) -> Goodbye {
        let wait = least.max(self.options.retry_after) + SPREAD.mul_f64(rand::random());
        Goodbye { reason, retry_after_ms: Some(milliseconds(wait)) }
    }

    /// Turns true while the run is paused.
    pub fn paused(&self) -> watch::Receiver<bool> {
        self.paused.subscribe()
    }

    /// Pauses the run, or lets it go on: meanwhile nobody joins, and nobody works.
    pub fn pause(&self, paused: bool) {
        match (self.paused.send_replace(paused), paused) {
            (false, true) => tracing::info!(event = "paused", "the host has paused the run"),
            (true, false) => tracing::info!(event = "resumed", "the host lets the run go on"),
            _ => {}
        }
    }

    /// Bans from now on.
    pub fn ban(&self, ban: Ban) {
        if lock(&self.bans).add(ban) {
            tracing::info!(event = "banned", %ban, "somebody is shut out");
            self.bans_changed.notify_one();
        }
    }

    /// Lifts a ban; whether there was one.
    pub fn lift(&self, ban: Ban) -> bool {
        let was = lock(&self.bans).lift(ban);
        if was {
            tracing::info!(event = "ban_lifted", %ban, "somebody may join again");
            self.bans_changed.notify_one();
        }
        was
    }

    /// All bans.
    pub fn list_bans(&self) -> Vec<Ban> {
        lock(&self.bans).list().collect()
    }

    /// How many bans there are.
    pub fn count_bans(&self) -> usize {
        lock(&self.bans).list().count()
    }
}

/// Far below the number that means never.
fn milliseconds(wait: Duration) -> u32 {
    u32::try_from(wait.as_millis()).unwrap_or(u32::MAX - 1)
}
