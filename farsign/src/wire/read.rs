//! Decoding of frames into records.

use super::reader::Reader;
use super::settings::{range, read_settings};
use super::{Hello, RECORD_HEADER_BYTES, VERSION, WireError, kind};
use crate::dataset::MAX_SHARDS;
use crate::fixed_point::FixedPoint;
use crate::task::{Goodbye, GoodbyeReason, RejectReason, RunSettings, Task, TaskId, VolunteerId};
use crate::task_sizing::MAX_TASK_IMAGES;
use crate::version::{Grid, VersionHash};

/// A record from a volunteer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientRecord<'a> {
    /// The first record of a session.
    Hello(Hello<'a>),
    /// The update of a task.
    Update {
        /// The task.
        task: TaskId,
        /// Packed sign bits. Their number is not validated here.
        bits: &'a [u8],
    },
    /// The volunteer does not hold the version of a task, and requests it as a whole.
    VersionRequest {
        /// The task.
        task: TaskId,
    },
    /// The volunteer takes no task for a time.
    Rest {
        /// The time, in milliseconds; 0 ends an earlier rest.
        ms: u32,
    },
    /// The volunteer holds more shards of the training data.
    Shards {
        /// Number of held shards. Not validated here.
        held: u16,
    },
    /// The volunteer saves its line.
    LineRate {
        /// Bytes in both directions that a second of its computing may cost; 0 without a limit.
        bytes_per_s: u32,
    },
}

/// A record from the server.
#[derive(Clone, Debug, PartialEq)]
pub enum ServerRecord<'a> {
    /// The reply to a hello.
    Welcome(Box<Welcome>),
    /// The next task.
    Task(Task),
    /// A version of the model.
    Version(VersionBody<'a>),
    /// An update was accepted.
    Accepted {
        /// The task.
        task: TaskId,
        /// Number of the message of the log in which it is durable.
        message: u64,
    },
    /// An update was rejected.
    Rejected {
        /// The task that the update named.
        task: TaskId,
        /// Reason of the rejection.
        reason: RejectReason,
    },
    /// The server closes the session.
    Goodbye(Goodbye),
}

/// The body of a welcome.
#[derive(Clone, Debug, PartialEq)]
pub struct Welcome {
    /// Number of the session.
    pub volunteer: VolunteerId,
    /// Settings of the run.
    pub settings: RunSettings,
}

/// The body of a version: coded differences to another version, or to zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionBody<'a> {
    /// Number of the version.
    pub number: u64,
    /// Number of parameters, `d`. Not validated here.
    pub parameters: u32,
    /// Unit of its values.
    pub grid: Grid,
    /// Name of the version that the differences are added to. `None` for zeros.
    pub base: Option<VersionHash>,
    /// The differences, as [`crate::delta_coding`] writes them. Not validated here.
    pub differences: &'a [u8],
}

/// Reads a frame from a volunteer, which has exactly one record.
///
/// # Errors
///
/// Returns an error if the frame is malformed, of another version, or not of exactly one record that a volunteer may
/// send.
pub fn read_client_frame(frame: &[u8]) -> Result<ClientRecord<'_>, WireError> {
    let mut records = Records::new(frame)?;
    let Some(record) = records.next() else {
        return Err(WireError::Empty);
    };
    let (offset, kind, mut body) = record?;
    let read = match kind {
        kind::HELLO => ClientRecord::Hello(Hello::read(&mut body)?),
        kind::UPDATE => ClientRecord::Update {
            task: TaskId(body.u64()?),
            bits: body.rest(),
        },
        kind::VERSION_REQUEST => ClientRecord::VersionRequest {
            task: TaskId(body.u64()?),
        },
        kind::REST => ClientRecord::Rest { ms: body.u32()? },
        kind::SHARDS => ClientRecord::Shards { held: body.u16()? },
        kind::LINE_RATE => ClientRecord::LineRate {
            bytes_per_s: body.u32()?,
        },
        found => return Err(WireError::Kind { offset, found }),
    };
    body.end()?;
    records.end()?;
    Ok(read)
}

/// Returns the records of a frame from the server. Records of unknown kinds are skipped.
///
/// # Errors
///
/// Returns an error if the version is not supported. The iterator returns an error, and ends, if a record is malformed.
pub fn read_server_frame(
    frame: &[u8],
) -> Result<impl Iterator<Item = Result<ServerRecord<'_>, WireError>>, WireError> {
    Ok(Records::new(frame)?.filter_map(|record| match record {
        Ok((_, kind, body)) => read_server_record(kind, body).transpose(),
        Err(error) => Some(Err(error)),
    }))
}

fn read_server_record(
    kind: u8,
    mut body: Reader<'_>,
) -> Result<Option<ServerRecord<'_>>, WireError> {
    let record = match kind {
        kind::WELCOME => {
            let volunteer = VolunteerId(body.u64()?);
            ServerRecord::Welcome(Box::new(Welcome {
                volunteer,
                settings: read_settings(&mut body)?,
            }))
        }
        kind::TASK => ServerRecord::Task(read_task(&mut body)?),
        kind::VERSION => ServerRecord::Version(read_version(&mut body)?),
        kind::ACCEPTED => ServerRecord::Accepted {
            task: TaskId(body.u64()?),
            message: body.u64()?,
        },
        kind::REJECTED => {
            let task = TaskId(body.u64()?);
            let code = body.u8()?;
            let unknown = WireError::Code {
                what: "reject reason",
                found: code.into(),
            };
            ServerRecord::Rejected {
                task,
                reason: RejectReason::from_code(code).ok_or(unknown)?,
            }
        }
        kind::GOODBYE => {
            let code = body.u8()?;
            let retry = body.u32()?;
            let unknown = WireError::Code {
                what: "goodbye reason",
                found: code.into(),
            };
            let reason = GoodbyeReason::from_code(code).ok_or(unknown)?;
            ServerRecord::Goodbye(Goodbye {
                reason,
                retry_after_ms: (retry != u32::MAX).then_some(retry),
            })
        }
        _ => return Ok(None),
    };
    body.end()?;
    Ok(Some(record))
}

fn read_task(body: &mut Reader<'_>) -> Result<Task, WireError> {
    Ok(Task {
        id: TaskId(body.u64()?),
        version: VersionHash(body.array()?),
        minibatch_seed: body.u64()?,
        direction_seed: body.u64()?,
        coin_seed: body.u64()?,
        images: match body.u32()? {
            images @ 1..=MAX_TASK_IMAGES => images,
            found => return Err(range("images of a task", "of 1 to 65536", found)),
        },
        shards: match body.u16()? {
            shards if (1..=MAX_SHARDS).contains(&usize::from(shards)) => shards,
            found => return Err(range("shards of a task", "of 1 to 1024", found)),
        },
        reset_momentum: match body.u8()? {
            0 => false,
            1 => true,
            flags => {
                return Err(WireError::Code {
                    what: "task flags",
                    found: flags.into(),
                });
            }
        },
    })
}

fn read_version<'a>(body: &mut Reader<'a>) -> Result<VersionBody<'a>, WireError> {
    let number = body.u64()?;
    let parameters = body.u32()?;
    let bits = body.u8()?;
    let shift = body.u8()?;
    let fixed_point = FixedPoint::new(bits);
    let grid = fixed_point.filter(|_| shift <= Grid::MAX_SHIFT);
    let grid = grid.map(|fixed_point| Grid { fixed_point, shift });
    let base = match body.u8()? {
        0 => None,
        1 => Some(VersionHash(body.array()?)),
        found => {
            return Err(WireError::Code {
                what: "kind of base",
                found: found.into(),
            });
        }
    };
    Ok(VersionBody {
        number,
        parameters,
        grid: grid.ok_or_else(|| {
            let found = format!("{bits} and {shift}");
            range(
                "fraction bits and the shift of a grid",
                "of at most 30",
                found,
            )
        })?,
        base,
        differences: body.rest(),
    })
}

/// An iterator over the records of a frame: offset, kind and body.
struct Records<'a>(Reader<'a>);

impl<'a> Records<'a> {
    fn new(frame: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(frame, 0);
        match reader.u8()? {
            VERSION => Ok(Self(reader)),
            found => Err(WireError::Version { found }),
        }
    }

    fn end(&self) -> Result<(), WireError> {
        self.0.end()
    }

    fn read(&mut self) -> Result<(usize, u8, Reader<'a>), WireError> {
        let offset = self.0.offset();
        let kind = self.0.u8()?;
        let length = self.0.u32()? as usize;
        let bytes = self.0.take(length)?;
        Ok((
            offset,
            kind,
            Reader::new(bytes, offset + RECORD_HEADER_BYTES),
        ))
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<(usize, u8, Reader<'a>), WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let record = self.read();
        if record.is_err() {
            self.0.rest(); // the bytes after a malformed record have no meaning
        }
        Some(record)
    }
}
