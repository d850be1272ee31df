//! Encoding of records into frames.

use std::sync::Arc;

use super::settings::write_settings;
use super::{Hello, RECORD_HEADER_BYTES, VERSION, kind};
use crate::sign::SignBits;
use crate::task::{Goodbye, RejectReason, RunSettings, Task, TaskId, VolunteerId};
use crate::version::Version;

/// An encoder of a volunteer's frames, which have one record each.
#[derive(Debug)]
pub struct ClientFrame;

impl ClientFrame {
    /// Writes a hello into `out`, which is cleared first. A name or token above its limit is truncated.
    pub fn hello(hello: &Hello<'_>, out: &mut Vec<u8>) {
        start(out);
        record(out, kind::HELLO, |out| hello.write(out));
    }

    /// Writes an update into `out`, which is cleared first.
    pub fn update(task: TaskId, signs: &SignBits, out: &mut Vec<u8>) {
        start(out);
        record(out, kind::UPDATE, |out| {
            out.extend(task.0.to_le_bytes());
            out.extend(signs.as_bytes());
        });
    }

    /// Writes a request for the whole version of a task into `out`, which is cleared first.
    pub fn version_request(task: TaskId, out: &mut Vec<u8>) {
        start(out);
        record(out, kind::VERSION_REQUEST, |out| {
            out.extend(task.0.to_le_bytes());
        });
    }

    /// Writes a rest into `out`, which is cleared first: the volunteer takes no task for `ms` milliseconds.
    pub fn rest(ms: u32, out: &mut Vec<u8>) {
        start(out);
        record(out, kind::REST, |out| out.extend(ms.to_le_bytes()));
    }

    /// Writes the number of held shards into `out`, which is cleared first.
    pub fn shards(held: u16, out: &mut Vec<u8>) {
        start(out);
        record(out, kind::SHARDS, |out| out.extend(held.to_le_bytes()));
    }

    /// Writes a line rate into `out`, which is cleared first: the bytes that a second of computing may cost; 0 without a
    /// limit.
    pub fn line_rate(bytes_per_s: u32, out: &mut Vec<u8>) {
        start(out);
        record(out, kind::LINE_RATE, |out| {
            out.extend(bytes_per_s.to_le_bytes());
        });
    }
}

/// Size of a task's record. Reserved with a large record, so that appending the task does not reallocate.
const TASK_BYTES: usize = RECORD_HEADER_BYTES + 71;

/// An encoder of one frame of the server, record by record, into a reusable buffer.
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

    /// Continues the frame that was started in `out`.
    pub fn append(out: &'a mut Vec<u8>) -> Self {
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
            out.extend(task.version.0);
            seeds.iter().for_each(|seed| out.extend(seed.to_le_bytes()));
            out.extend(task.images.to_le_bytes());
            out.extend(task.shards.to_le_bytes());
            out.push(task.reset_momentum.into());
        })
    }

    /// Adds a version.
    pub fn version(&mut self, version: &EncodedVersion) -> &mut Self {
        self.out.reserve(version.0.len() + TASK_BYTES);
        self.out.extend(&*version.0);
        self
    }

    /// Adds the acknowledgement of an update, which is durable in a message of the log.
    pub fn accepted(&mut self, task: TaskId, message: u64) -> &mut Self {
        self.record(kind::ACCEPTED, |out| {
            out.extend(task.0.to_le_bytes());
            out.extend(message.to_le_bytes());
        })
    }

    /// Adds the rejection of an update.
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

/// The record of a version, shared by all recipients that hold its base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedVersion(Arc<[u8]>);

impl EncodedVersion {
    /// Encodes the differences of a version to `base`; `None` stands for zeros.
    pub fn new(version: &Version, base: Option<&Version>) -> Self {
        let mut out = Vec::new();
        record(&mut out, kind::VERSION, |out| {
            let grid = version.grid();
            out.extend(version.number().to_le_bytes());
            out.extend((version.k().len() as u32).to_le_bytes());
            out.push(grid.fixed_point.fraction_bits());
            out.push(grid.shift);
            out.push(base.is_some().into());
            out.extend(base.into_iter().flat_map(|base| base.hash().0));
            version.write_differences(base, out);
        });
        Self(out.into())
    }

    /// Returns the size of the record in bytes.
    pub fn bytes(&self) -> usize {
        self.0.len()
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
