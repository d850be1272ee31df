//! Encoding of records into frames.

use std::sync::{Arc, OnceLock};

use half::f16;

use super::settings::write_settings;
use super::{Hello, RECORD_HEADER_BYTES, VERSION, encoding, kind};
use crate::sign::SignBits;
use crate::step::Step;
use crate::task::{Goodbye, RejectReason, RunSettings, Task, TaskId, VolunteerId};

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

    /// Writes a rest into `out`, which is cleared first: the volunteer takes no task for `ms` milliseconds.
    pub fn rest(ms: u32, out: &mut Vec<u8>) {
        start(out);
        record(out, kind::REST, |out| out.extend(ms.to_le_bytes()));
    }
}

/// Size of a task's record. Reserved with a large record, so that appending the task does not reallocate.
const TASK_BYTES: usize = RECORD_HEADER_BYTES + 45;

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
            out.extend(task.snapshot_version.to_le_bytes());
            seeds.iter().for_each(|seed| out.extend(seed.to_le_bytes()));
            out.extend(task.images.to_le_bytes());
            out.push(task.reset_momentum.into());
        })
    }

    /// Adds a snapshot in f32.
    pub fn snapshot(&mut self, snapshot: &EncodedSnapshot) -> &mut Self {
        self.encoded(snapshot.record())
    }

    /// Adds a snapshot in half precision, or in f32 if a parameter would become infinite.
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
        self.out
            .reserve(RECORD_HEADER_BYTES + 16 + bytes + TASK_BYTES);
        self.record(kind::DELTA, |out| {
            out.extend(base.to_le_bytes());
            out.extend(version.to_le_bytes());
            steps.for_each(|steps| out.extend(&steps.0));
        })
    }

    /// Adds the acknowledgement of an update.
    pub fn accepted(&mut self, task: TaskId, accepted: u64) -> &mut Self {
        self.record(kind::ACCEPTED, |out| {
            out.extend(task.0.to_le_bytes());
            out.extend(accepted.to_le_bytes());
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

/// Encoded steps, shared by all recipients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncodedSteps(Vec<u8>);

impl EncodedSteps {
    /// Adds a step.
    pub fn push(&mut self, step: &Step) {
        self.0.extend(step.scale.to_le_bytes());
        self.0.extend(step.direction_seed.to_le_bytes());
        self.0.extend(step.signs.as_bytes());
    }

    /// Returns the size of these steps in bytes.
    pub fn bytes(&self) -> usize {
        self.0.len()
    }
}

/// A snapshot with its encoded records, each encoded on first use and shared by all recipients.
#[derive(Debug)]
pub struct EncodedSnapshot {
    version: u64,
    x: Arc<[f32]>,
    record: OnceLock<Vec<u8>>,
    /// `None` if a parameter would become infinite.
    half_record: OnceLock<Option<Vec<u8>>>,
}

impl EncodedSnapshot {
    /// Creates the snapshot of parameters `x`, `[d]`.
    pub fn new(version: u64, x: Arc<[f32]>) -> Self {
        Self {
            version,
            x,
            record: OnceLock::new(),
            half_record: OnceLock::new(),
        }
    }

    /// Returns the parameters that a recipient of this snapshot decodes, `[d]`. `half` selects half precision.
    pub fn as_sent(&self, half: bool) -> Arc<[f32]> {
        if half && self.half_record().is_some() {
            self.x.iter().map(|v| f16::from_f32(*v).to_f32()).collect()
        } else {
            Arc::clone(&self.x)
        }
    }

    fn record(&self) -> &[u8] {
        self.record
            .get_or_init(|| self.encode(encoding::F32, f32::to_le_bytes))
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
            values
                .iter_mut()
                .zip(self.x.iter())
                .for_each(|(value, v)| *value = bytes_of(*v));
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
