//! A volunteer's line budget: the bytes that it may send and receive in an hour.
//!
//! The budget is a bucket of one hour. It starts full, and what was transferred comes back an hour later. So no hour,
//! wherever it begins, has more than the budget. A bucket that refills at a constant rate would allow twice as much in
//! its first hour.
//!
//! ```text
//!   LineUsage      what all connections have transferred or leased, minute by minute     one for a browser or a program
//!      ^  |
//!      |  v lease
//!   LineAllowance  what one connection may transfer without asking again                 one for each connection
//!   StatedRate     what a second of its computing may cost, as the server knows it       one for each connection
//! ```
//!
//! A connection leases bytes before it takes a task, and a lease counts as transferred at once. So connections that act
//! at the same time cannot exceed the budget together. A frame that is longer than expected exceeds it by its length at
//! most, because no lease follows until an hour has passed. Bytes count from the minute of their transfer: those of an
//! older lease are given back and counted anew.
//!
//! Times are in milliseconds since any fixed moment, and are passed in.

mod allowance;
mod rate;
mod usage;

pub use allowance::{LineAllowance, OPENING_BYTES, Transfer, websocket_frame_bytes};
pub use rate::{StatedRate, line_rate};
pub use usage::{Leased, LineUsage, slot_of};

/// Smallest budget, in bytes an hour. A smaller one could not carry a task of an ordinary model.
pub const MIN_BYTES_PER_HOUR: u64 = 1_000_000;

/// Length of the window, in milliseconds.
pub const WINDOW_MS: u64 = 3_600_000;

/// Fraction of the budget that must have come back before a rest ends, as its inverse. Each rest costs a new session.
const RESUME_DIVISOR: u64 = 20;

/// Part of the budget that further training data may use, as its inverse.
const DOWNLOAD_DIVISOR: u64 = 2;

/// Usual length of a lease. The shorter it is, the less the connections of a fleet withhold from each other.
const LEASE_BYTES: u64 = 262_144;

/// Longest usual lease, as the inverse of its fraction of the budget.
const LEASE_DIVISOR: u64 = 256;

/// Returns the bytes to lease at once from a budget of `limit` bytes an hour, at least `needed_bytes`.
pub fn lease_request(limit: u64, needed_bytes: u64) -> u64 {
    needed_bytes.max(LEASE_BYTES.min(limit / LEASE_DIVISOR))
}

/// A lease that the budget does not allow now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetUsed {
    /// Time at which a lease is worth another session, in ms.
    pub resume_at_ms: u64,
}

/// Leases at least `needed_bytes` from a budget, and more if there is more. `limit` is in bytes an hour; `None` leases
/// any number.
///
/// A connection that needs more than the whole budget is served once nothing of it is in use.
///
/// # Errors
/// Returns an error with the time of the next attempt if too little of the budget is left.
pub fn lease(
    usage: &mut LineUsage,
    now_ms: u64,
    limit: Option<u64>,
    needed_bytes: u64,
) -> Result<Leased, BudgetUsed> {
    let Some(limit) = limit else {
        usage.add(now_ms, needed_bytes);
        return Ok(Leased::at(now_ms, needed_bytes));
    };
    let wanted = lease_request(limit, needed_bytes);
    let available = limit.saturating_sub(usage.used(now_ms));
    let needed = needed_bytes.clamp(1, limit.max(1));
    if available < needed {
        let resume = needed.max(limit / RESUME_DIVISOR);
        let resume_at_ms = usage.available_at_ms(now_ms, limit, resume);
        return Err(BudgetUsed { resume_at_ms });
    }
    let granted = wanted.min(available);
    usage.add(now_ms, granted);
    Ok(Leased::at(now_ms, granted))
}

/// Returns the time at which `bytes` of further training data may be downloaded, in ms: now, or later.
///
/// They may use half of the budget of `limit` bytes an hour, so that training continues while they come.
pub fn download_at_ms(usage: &mut LineUsage, now_ms: u64, limit: u64, bytes: u64) -> u64 {
    let share = limit / DOWNLOAD_DIVISOR;
    usage.available_at_ms(now_ms, share, bytes.min(share)) // a longer file comes once nothing else is counted
}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests;
