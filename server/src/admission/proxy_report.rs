//! Reports on proxies that do not pass on what the server needs. Only the operator can mend them, so they are logged.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, header};

use crate::net::log_limiter::LogLimiter;
use crate::net::trusted_proxy::ForwardedError;

/// Time between two warnings of one kind, because any client can cause them.
const WARNING_INTERVAL: Duration = Duration::from_mins(1);

/// Time between two warnings that clients without a proxy cause too: a trusted machine's own, and those that write
/// headers themselves.
const RARE_WARNING_INTERVAL: Duration = Duration::from_hours(24);

/// The reports on proxies since the server started.
#[derive(Debug)]
pub(super) struct ProxyReport {
    unread_addresses: AtomicU64,
    unread_warnings: LogLimiter,
    missing_warnings: LogLimiter,
    ignored_warnings: LogLimiter,
    upgrade_warnings: LogLimiter,
}

impl Default for ProxyReport {
    fn default() -> Self {
        Self {
            unread_addresses: AtomicU64::new(0),
            unread_warnings: LogLimiter::new(WARNING_INTERVAL),
            missing_warnings: LogLimiter::new(RARE_WARNING_INTERVAL),
            ignored_warnings: LogLimiter::new(RARE_WARNING_INTERVAL),
            upgrade_warnings: LogLimiter::new(WARNING_INTERVAL),
        }
    }
}

impl ProxyReport {
    /// Counts a session whose trusted proxy named no client, and warns about it.
    pub fn unread_address(&self, proxy: IpAddr, error: &ForwardedError, headers: &HeaderMap) {
        self.unread_addresses.fetch_add(1, Ordering::Relaxed);
        let limiter = match error {
            ForwardedError::Missing => &self.missing_warnings,
            ForwardedError::NotAnAddress { .. } => &self.unread_warnings,
        };
        let Some(suppressed) = limiter.permit(Instant::now()) else {
            return;
        };
        let hint = if headers.contains_key(header::FORWARDED) {
            "let the proxy write X-Forwarded-For; Forwarded is not read"
        } else {
            "let the proxy write X-Forwarded-For"
        };
        let effect = "these clients share the limits and bans of the proxy's address";
        tracing::warn!(
            event = "client_address_unread",
            %proxy,
            %error,
            effect,
            hint,
            suppressed,
            "client address not understood"
        );
    }

    /// Warns about a machine in the operator's network that forwards an address and is no trusted proxy.
    pub fn ignored_address(&self, peer: IpAddr) {
        let is_local = match peer.to_canonical() {
            IpAddr::V4(v4) => v4.is_loopback() || v4.is_private(),
            IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local(),
        };
        if is_local && let Some(suppressed) = self.ignored_warnings.permit(Instant::now()) {
            tracing::warn!(
                event = "forwarded_address_ignored",
                %peer,
                effect = "its clients share the limits and bans of its address",
                hint = "if this is a proxy, name it with --trusted-proxy",
                suppressed,
                "X-Forwarded-For ignored"
            );
        }
    }

    /// Returns the number of sessions whose trusted proxy named no client.
    pub fn unread_addresses(&self) -> u64 {
        self.unread_addresses.load(Ordering::Relaxed)
    }

    /// Warns about a proxy that passed on a WebSocket request without its `Upgrade` or `Connection`.
    pub fn missing_upgrade(&self, peer: IpAddr) {
        if let Some(suppressed) = self.upgrade_warnings.permit(Instant::now()) {
            tracing::warn!(
                event = "upgrade_missing",
                %peer,
                hint = "let the proxy forward the headers Upgrade and Connection, with HTTP/1.1",
                suppressed,
                "proxy blocks WebSockets"
            );
        }
    }
}
