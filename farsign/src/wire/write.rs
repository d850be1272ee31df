//! Records to bytes.

use super::settings::write_settings;
use super::{MAX_AGENT_BYTES, VERSION, encoding, kind};
use crate::sign::SignBits;
use crate::task::{Goodbye, RejectReason, RunSettings, Task, TaskId, VolunteerId};

/// Writes frames of a volunteer. A frame has one record.
#[derive(Debug)]
pub struct ClientFrame;

impl ClientFrame {
    /// A hello into `out`, which is cleared first. A name that is too long is cut.
    pub fn hello(agent: &str, out: &mut Vec<u8>) {
        let agent = &agent[..agent.floor_char_boundary(MAX_AGENT_BYTES)];
        start(out);
        record(out, kind::HELLO, |out| {
            out.push(agent.len() as u8);
            out.extend(agent.as_bytes());
        });
    }

    /// An answer into `out`, which is cleared first.
    pub fn answer(task: TaskId, signs: &SignBits, out: &mut Vec<u8>) {
        start(out);
        record(out, kind::ANSWER, |out| {
            out.extend(task.0.to_le_bytes());
            out.extend(signs.as_bytes());
        });
    }
}

/// Writes one frame of the server, record by record, into a buffer that can be used again.
#[derive(Debug)]
pub struct ServerFrame<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> ServerFrame<'a> {
    /// Starts a frame in `out`, which is cleared first.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        start(out);
        Self { out }
    }

    /// Adds a welcome.
    pub fn welcome(&mut self, volunteer: VolunteerId, settings: &RunSettings) -> &mut Self {
        self.record(kind::WELCOME, |out| {
            out.extend(volunteer.0.to_le_bytes());
            write_settings(settings, out);
        })
    }

    /// Adds a task.
    pub fn task(&mut self, task: &Task) -> &mut Self {
        let seeds = [task.minibatch_seed, task.direction_seed, task.coin_seed];
        self.record(kind::TASK, |out| {
            out.extend(task.id.0.to_le_bytes());
            out.extend(task.snapshot_version.to_le_bytes());
            seeds.iter().for_each(|seed| out.extend(seed.to_le_bytes()));
            out.push(task.reset_tracker.into());
        })
    }

    /// Adds a snapshot of parameters `x`, `[d]`.
    pub fn snapshot(&mut self, version: u64, x: &[f32]) -> &mut Self {
        self.record(kind::SNAPSHOT, |out| {
            out.reserve(13 + 4 * x.len());
            out.extend(version.to_le_bytes());
            out.push(encoding::F32);
            out.extend((x.len() as u32).to_le_bytes());
            x.iter().for_each(|v| out.extend(v.to_le_bytes()));
        })
    }

    /// Adds an acknowledgement.
    pub fn accepted(&mut self, task: TaskId, accepted: u64) -> &mut Self {
        self.record(kind::ACCEPTED, |out| {
            out.extend(task.0.to_le_bytes());
            out.extend(accepted.to_le_bytes());
        })
    }

    /// Adds a rejection.
    pub fn rejected(&mut self, task: TaskId, reason: RejectReason) -> &mut Self {
        self.record(kind::REJECTED, |out| {
            out.extend(task.0.to_le_bytes());
            out.push(reason.code());
        })
    }

    /// Adds a goodbye.
    pub fn goodbye(&mut self, goodbye: Goodbye) -> &mut Self {
        self.record(kind::GOODBYE, |out| {
            out.push(goodbye.reason.code());
            out.extend(goodbye.retry_after_ms.unwrap_or(u32::MAX).to_le_bytes());
        })
    }

    fn record(&mut self, kind: u8, body: impl FnOnce(&mut Vec<u8>)) -> &mut Self {
        record(self.out, kind, body);
        self
    }
}

fn start(out: &mut Vec<u8>) {
    out.clear();
    out.push(VERSION);
}

fn record(out: &mut Vec<u8>, kind: u8, body: impl FnOnce(&mut Vec<u8>)) {
    out.push(kind);
    let length_at = out.len();
    out.extend([0; 4]);
    body(out);
    let length = (out.len() - length_at - 4) as u32;
    out[length_at..length_at + 4].copy_from_slice(&length.to_le_bytes());
}
