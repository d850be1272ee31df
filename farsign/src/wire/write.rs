//! Records to bytes.

use std::sync::{Arc, OnceLock};

use half::f16;

use super::settings::write_settings;
use super::{Hello, RECORD_HEADER_BYTES, VERSION, encoding, kind};
use crate::sign::SignBits;
use crate::step::Step;
use crate::task::{Goodbye, RejectReason, RunSettings, Task, TaskId, VolunteerId};

/// Writes frames of a volunteer. A frame has one record.
#[derive(Debug)]
pub struct ClientFrame;

impl ClientFrame {
    /// A hello into `out`, which is cleared first. A name or token that is too long is cut.
    pub fn hello(hello: &Hello<'_>, out: &mut Vec<u8>) {
        start(out);
        record(out, kind::HELLO, |out| hello.write(out));
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

/// A task's record, which follows whatever is large: room for it is made beforehand, or all of that would be moved.
const TASK_BYTES: usize = RECORD_HEADER_BYTES + 41;

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

    /// Goes on with the frame that was started in `out`.
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
            out.extend(task.snapshot_version.to_le_bytes());
            seeds.iter().for_each(|seed| out.extend(seed.to_le_bytes()));
            out.push(task.reset_tracker.into());
        })
    }

    /// Adds a snapshot.
    pub fn snapshot(&mut self, snapshot: &EncodedSnapshot) -> &mut Self {
        self.encoded(snapshot.record())
    }

    /// Adds a snapshot in half precision, or in f32 where a parameter would become infinite.
    pub fn half_snapshot(&mut self, snapshot: &EncodedSnapshot) -> &mut Self {
        self.encoded(snapshot.half_record().unwrap_or_else(|| snapshot.record()))
    }

    /// Adds the steps from version `base` to `version`.
    pub fn delta<'s>(
        &mut self,
        base: u64,
        version: u64,
        steps: impl IntoIterator<Item = &'s EncodedSteps, IntoIter: Clone>,
    ) -> &mut Self {
        let steps = steps.into_iter();
        let bytes: usize = steps.clone().map(EncodedSteps::bytes).sum();
        self.out.reserve(RECORD_HEADER_BYTES + 16 + bytes + TASK_BYTES);
        self.record(kind::DELTA, |out| {
            out.extend(base.to_le_bytes());
            out.extend(version.to_le_bytes());
            steps.for_each(|steps| out.extend(&steps.0));
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

    fn encoded(&mut self, record: &[u8]) -> &mut Self {
        self.out.reserve(record.len() + TASK_BYTES);
        self.out.extend(record);
        self
    }

    fn record(&mut self, kind: u8, body: impl FnOnce(&mut Vec<u8>)) -> &mut Self {
        record(self.out, kind, body);
        self
    }
}

/// Steps as they travel, encoded once for all who are sent them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncodedSteps(Vec<u8>);

impl EncodedSteps {
    /// Adds a step.
    pub fn push(&mut self, step: &Step) {
        self.0.extend(step.scale.to_le_bytes());
        self.0.extend(step.direction_seed.to_le_bytes());
        self.0.extend(step.signs.as_bytes());
    }

    /// Bytes these steps take.
    pub fn bytes(&self) -> usize {
        self.0.len()
    }
}

/// A snapshot's record in either encoding, each made once for all who are sent it, and only when somebody is.
#[derive(Debug)]
pub struct EncodedSnapshot {
    version: u64,
    x: Arc<[f32]>,
    record: OnceLock<Vec<u8>>,
    /// None where a parameter would become infinite.
    half_record: OnceLock<Option<Vec<u8>>>,
}

impl EncodedSnapshot {
    /// Of parameters `x`, `[d]`.
    pub fn new(version: u64, x: Arc<[f32]>) -> Self {
        Self { version, x, record: OnceLock::new(), half_record: OnceLock::new() }
    }

    /// The parameters as a volunteer has them who is sent this snapshot, in half precision or not.
    pub fn as_sent(&self, half: bool) -> Arc<[f32]> {
        if half && self.half_record().is_some() {
            self.x.iter().map(|v| f16::from_f32(*v).to_f32()).collect()
        } else {
            Arc::clone(&self.x)
        }
    }

    fn record(&self) -> &[u8] {
        self.record.get_or_init(|| self.encode(encoding::F32, f32::to_le_bytes))
    }

    fn half_record(&self) -> Option<&[u8]> {
        let encode = || {
            let fits = self.x.iter().all(|v| f16::from_f32(*v).is_finite());
            fits.then(|| self.encode(encoding::F16, |v| f16::from_f32(v).to_le_bytes()))
        };
        self.half_record.get_or_init(encode).as_deref()
    }

    fn encode<const N: usize>(&self, encoding: u8, bytes_of: impl Fn(f32) -> [u8; N]) -> Vec<u8> {
        let mut out = Vec::with_capacity(RECORD_HEADER_BYTES + 13 + N * self.x.len());
        record(&mut out, kind::SNAPSHOT, |out| {
            out.extend(self.version.to_le_bytes());
            out.push(encoding);
            out.extend((self.x.len() as u32).to_le_bytes());
            let values_at = out.len();
            out.resize(values_at + N * self.x.len(), 0);
            let values = out[values_at..].as_chunks_mut().0;
            values.iter_mut().zip(self.x.iter()).for_each(|(value, v)| *value = bytes_of(*v));
        });
        out
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
