//! Bytes to records.

use half::f16;

use super::settings::read_settings;
use super::{Hello, RECORD_HEADER_BYTES, VERSION, WireError, encoding, kind};
use crate::step::Step;
use crate::task::{Goodbye, GoodbyeReason, RejectReason, RunSettings, Task, TaskId, VolunteerId};

/// What a volunteer sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientRecord<'a> {
    /// First record of a session.
    Hello(Hello<'a>),
    /// Answer to a task.
    Answer {
        /// The task.
        task: TaskId,
        /// Packed sign bits; their number is checked against the run.
        bits: &'a [u8],
    },
}

/// What the server sends.
#[derive(Clone, Debug, PartialEq)]
pub enum ServerRecord<'a> {
    /// Answer to the hello.
    Welcome(Box<Welcome>),
    /// The next piece of work.
    Task(Task),
    /// Parameters to work from.
    Snapshot(SnapshotBody<'a>),
    /// Steps that lead from the parameters at hand to newer ones.
    Delta(DeltaBody<'a>),
    /// An answer was applied.
    Accepted {
        /// The task it answered.
        task: TaskId,
        /// Accepted messages of the run, this one included.
        accepted: u64,
    },
    /// An answer was not applied.
    Rejected {
        /// The task it named.
        task: TaskId,
        /// Why.
        reason: RejectReason,
    },
    /// The session ends.
    Goodbye(Goodbye),
}

/// Body of a welcome.
#[derive(Clone, Debug, PartialEq)]
pub struct Welcome {
    /// The session's id.
    pub volunteer: VolunteerId,
    /// What holds for every task.
    pub settings: RunSettings,
}

/// Body of a snapshot, its parameters still packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotBody<'a> {
    /// Its version.
    pub version: u64,
    values: Values<'a>,
}

/// Packed parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Values<'a> {
    F32(&'a [[u8; 4]]),
    F16(&'a [[u8; 2]]),
}

impl SnapshotBody<'_> {
    /// Number of parameters, `d`.
    pub fn parameters(&self) -> usize {
        match self.values {
            Values::F32(values) => values.len(),
            Values::F16(values) => values.len(),
        }
    }

    /// Unpacks the parameters into `x`.
    ///
    /// # Errors
    /// When one is not finite; `x` is unspecified then.
    pub fn unpack(&self, x: &mut Vec<f32>) -> Result<(), WireError> {
        x.clear();
        match self.values {
            Values::F32(values) => x.extend(values.iter().map(|bytes| f32::from_le_bytes(*bytes))),
            Values::F16(values) => x.extend(values.iter().map(|bytes| f16::from_le_bytes(*bytes).to_f32())),
        }
        match x.iter().find(|v| !v.is_finite()) {
            Some(v) => Err(WireError::NonFinite { what: "a parameter", found: v.to_string() }),
            None => Ok(()),
        }
    }
}

/// Body of a delta, its steps still packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeltaBody<'a> {
    /// The version the steps start from.
    pub base: u64,
    /// The version they lead to.
    pub version: u64,
    steps: &'a [u8],
}

impl DeltaBody<'_> {
    /// Unpacks the steps of `directions` signs each, one after the other, into `step`, and hands each to `take`.
    ///
    /// # Errors
    /// When one cannot be read; those before it have been taken then.
    pub fn for_each_step(
        &self,
        directions: usize,
        step: &mut Step,
        mut take: impl FnMut(&Step),
    ) -> Result<(), WireError> {
        let mut body = Reader { bytes: self.steps, offset: 0 };
        while !body.bytes.is_empty() {
            step.scale = body.f32("the scale of a step")?;
            step.direction_seed = body.u64()?;
            let bits = body.take(directions.div_ceil(8))?;
            let read = step.signs.set_from_bytes(bits, directions);
            read.map_err(|error| WireError::Settings(error.to_string()))?;
            take(step);
        }
        Ok(())
    }
}

/// Reads a frame from a volunteer: exactly one record.
///
/// # Errors
/// When it is not a frame of this version with one record a volunteer may send.
pub fn read_client_frame(frame: &[u8]) -> Result<ClientRecord<'_>, WireError> {
    let mut records = Records::new(frame)?;
    let Some(record) = records.next() else { return Err(WireError::Empty) };
    let (offset, kind, mut body) = record?;
    let read = match kind {
        kind::HELLO => ClientRecord::Hello(Hello::read(&mut body)?),
        kind::ANSWER => ClientRecord::Answer { task: TaskId(body.u64()?), bits: body.rest() },
        found => return Err(WireError::Kind { offset, found }),
    };
    body.end()?;
    records.end()?;
    Ok(read)
}

/// Reads the records of a frame from the server; kinds this version does not know are passed over.
///
/// # Errors
/// At once when the version is another; with a record when that cannot be read.
pub fn read_server_frame(
    frame: &[u8],
) -> Result<impl Iterator<Item = Result<ServerRecord<'_>, WireError>>, WireError> {
    Ok(Records::new(frame)?.filter_map(|record| match record {
        Ok((_, kind, body)) => read_server_record(kind, body).transpose(),
        Err(error) => Some(Err(error)),
    }))
}

fn read_server_record(kind: u8, mut body: Reader<'_>) -> Result<Option<ServerRecord<'_>>, WireError> {
    let record = match kind {
        kind::WELCOME => {
            let volunteer = VolunteerId(body.u64()?);
            ServerRecord::Welcome(Box::new(Welcome { volunteer, settings: read_settings(&mut body)? }))
        }
        kind::TASK => ServerRecord::Task(read_task(&mut body)?),
        kind::SNAPSHOT => ServerRecord::Snapshot(read_snapshot(&mut body)?),
        kind::DELTA => {
            let (base, version) = (body.u64()?, body.u64()?);
            ServerRecord::Delta(DeltaBody { base, version, steps: body.rest() })
        }
        kind::ACCEPTED => ServerRecord::Accepted { task: TaskId(body.u64()?), accepted: body.u64()? },
        kind::REJECTED => {
            let (task, code) = (TaskId(body.u64()?), body.u8()?);
            let unknown = WireError::Code { what: "reject reason", found: code.into() };
            ServerRecord::Rejected { task, reason: RejectReason::from_code(code).ok_or(unknown)? }
        }
        kind::GOODBYE => {
            let (code, retry) = (body.u8()?, body.u32()?);
            let unknown = WireError::Code { what: "goodbye reason", found: code.into() };
            let reason = GoodbyeReason::from_code(code).ok_or(unknown)?;
            ServerRecord::Goodbye(Goodbye { reason, retry_after_ms: (retry != u32::MAX).then_some(retry) })
        }
        _ => return Ok(None),
    };
    body.end()?;
    Ok(Some(record))
}

fn read_task(body: &mut Reader<'_>) -> Result<Task, WireError> {
    Ok(Task {
        id: TaskId(body.u64()?),
        snapshot_version: body.u64()?,
        minibatch_seed: body.u64()?,
        direction_seed: body.u64()?,
        coin_seed: body.u64()?,
        reset_tracker: match body.u8()? {
            0 => false,
            1 => true,
            flags => return Err(WireError::Code { what: "task flags", found: flags.into() }),
        },
    })
}

fn read_snapshot<'a>(body: &mut Reader<'a>) -> Result<SnapshotBody<'a>, WireError> {
    let version = body.u64()?;
    let (encoding, count) = (body.u8()?, body.u32()? as usize);
    let values = match encoding {
        encoding::F32 => Values::F32(body.take(count.saturating_mul(4))?.as_chunks().0),
        encoding::F16 => Values::F16(body.take(count.saturating_mul(2))?.as_chunks().0),
        found => return Err(WireError::Code { what: "snapshot encoding", found: found.into() }),
    };
    Ok(SnapshotBody { version, values })
}

/// The records of a frame: offset, kind and body.
struct Records<'a>(Reader<'a>);

impl<'a> Records<'a> {
    fn new(frame: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader { bytes: frame, offset: 0 };
        match reader.u8()? {
            VERSION => Ok(Self(reader)),
            found => Err(WireError::Version { found }),
        }
    }

    fn end(&self) -> Result<(), WireError> {
        self.0.end()
    }

    fn read(&mut self) -> Result<(usize, u8, Reader<'a>), WireError> {
        let offset = self.0.offset;
        let kind = self.0.u8()?;
        let length = self.0.u32()? as usize;
        let bytes = self.0.take(length)?;
        Ok((offset, kind, Reader { bytes, offset: offset + RECORD_HEADER_BYTES }))
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<(usize, u8, Reader<'a>), WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.bytes.is_empty() {
            return None;
        }
        let record = self.read();
        if record.is_err() {
            self.0.bytes = &[]; // what follows an unreadable record has no meaning
        }
        Some(record)
    }
}

/// Reads from the front of bytes, knowing how far into the frame it is.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], WireError> {
        let (offset, found) = (self.offset, self.bytes.len());
        let Some((taken, rest)) = self.bytes.split_at_checked(count) else {
            return Err(WireError::Truncated { offset, expected: count, found });
        };
        self.bytes = rest;
        self.offset += count;
        Ok(taken)
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.bytes)
    }

    fn end(&self) -> Result<(), WireError> {
        match self.bytes.len() {
            0 => Ok(()),
            found => Err(WireError::Trailing { offset: self.offset, found }),
        }
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        Ok(self.take(N)?.try_into().expect("take gives the count asked for"))
    }

    pub fn u8(&mut self) -> Result<u8, WireError> {
        Ok(self.array::<1>()?[0])
    }

    pub fn u32(&mut self) -> Result<u32, WireError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub fn u64(&mut self) -> Result<u64, WireError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A finite float.
    pub fn f32(&mut self, what: &'static str) -> Result<f32, WireError> {
        let value = f32::from_le_bytes(self.array()?);
        if value.is_finite() {
            Ok(value)
        } else {
            Err(WireError::NonFinite { what, found: value.to_string() })
        }
    }
}
