//! The allowance of one connection.

use super::usage::{Leased, slot_of};

/// Estimate of the request that opens a WebSocket and its response, in bytes.
pub const OPENING_BYTES: u64 = 1000;

/// Returns the size of a WebSocket frame with its header (RFC 6455, section 5.2), in bytes. Frames of clients are masked.
///
/// The headers of TLS, TCP and IP are not counted, because no client can know them.
pub fn websocket_frame_bytes(payload_bytes: usize, is_masked: bool) -> u64 {
    let extended_length = match payload_bytes {
        0..=125 => 0,
        126..=65_535 => 2,
        _ => 8,
    };
    let mask = if is_masked { 4 } else { 0 };
    payload_bytes as u64 + 2 + extended_length + mask
}

/// Transferred bytes, as they change the usage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Transfer {
    /// Bytes to count now, because no lease of this minute contains them.
    pub uncounted: u64,
    /// Bytes of an older lease to give back, since they are counted now.
    pub returned: Leased,
}

/// The bytes that one connection may transfer without another lease, and the measured cost of its tasks.
#[derive(Clone, Copy, Debug, Default)]
pub struct LineAllowance {
    lease: Leased,
    /// Bytes since the connection was opened, or since the last task was received.
    since_task: u64,
    /// Whether the session has received a task.
    has_task: bool,
    /// Bytes from the opening of a session to its first task; 0 before the first session.
    opening_bytes: u64,
    /// Bytes of an update and of the reply with the next task; 0 before the first.
    round_bytes: u64,
}

impl LineAllowance {
    /// Begins to measure a session. Its opening is the first transfer.
    pub fn begin_session(&mut self) {
        (self.since_task, self.has_task) = (0, false);
    }

    /// Takes transferred bytes from the lease.
    pub fn transfer(&mut self, now_ms: u64, bytes: u64) -> Transfer {
        self.since_task = self.since_task.saturating_add(bytes);
        let Leased { slot, bytes: left } = self.lease;
        let from_lease = bytes.min(left);
        self.lease.bytes = left - from_lease;
        let returned = if slot == slot_of(now_ms) {
            0
        } else {
            from_lease
        };
        Transfer {
            uncounted: bytes - from_lease + returned,
            returned: Leased {
                slot,
                bytes: returned,
            },
        }
    }

    /// Records that the bytes so far have brought a task. Returns whether it is the first of the session.
    pub fn record_task(&mut self) -> bool {
        let bytes = std::mem::take(&mut self.since_task);
        let is_first = !std::mem::replace(&mut self.has_task, true);
        if is_first {
            self.opening_bytes = bytes;
        } else {
            self.round_bytes = bytes;
        }
        is_first
    }

    /// Returns the bytes that a connection needs before it opens a session: for the first task and its update.
    pub fn needed_to_open(&self) -> u64 {
        self.opening_bytes.max(OPENING_BYTES) + self.needed_for_task()
    }

    /// Returns the bytes that a connection needs before it computes another task: for its update and the reply.
    pub fn needed_for_task(&self) -> u64 {
        self.round_bytes.max(1)
    }

    /// Returns the bytes that may be transferred without another lease.
    pub fn left(&self) -> u64 {
        self.lease.bytes
    }

    /// Begins a lease. The one before has ended.
    pub fn begin_lease(&mut self, lease: Leased) {
        self.lease = lease;
    }

    /// Ends the lease, and returns what is left of it.
    pub fn end_lease(&mut self) -> Leased {
        std::mem::take(&mut self.lease)
    }
}
