//! A decoder of records and states.

use super::{FOLD_VERSION, RecordError};
use crate::identity::VolunteerIdentity;
use crate::sign::SignBits;
use crate::task::{Task, TaskId, VolunteerId};
use crate::version::VersionHash;

/// A decoder of the rest of a record.
pub(super) struct Decoder<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Decoder<'a> {
    /// Creates a decoder of bytes that begin with the version.
    pub fn new(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let mut decoder = Self { bytes, offset: 0 };
        match decoder.u8()? {
            FOLD_VERSION => Ok(decoder),
            found => Err(RecordError::Version { found }),
        }
    }

    pub fn take(&mut self, count: usize) -> Result<&'a [u8], RecordError> {
        let split = self.bytes.split_at_checked(count);
        let (taken, rest) = split.ok_or(RecordError::Truncated {
            offset: self.offset,
            expected: count,
            found: self.bytes.len(),
        })?;
        self.offset += count;
        self.bytes = rest;
        Ok(taken)
    }

    pub fn end(self) -> Result<(), RecordError> {
        match self.bytes.len() {
            0 => Ok(()),
            found => Err(RecordError::Trailing {
                offset: self.offset,
                found,
            }),
        }
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        let bytes = self.take(N)?;
        Ok(bytes.try_into().expect("as many were taken"))
    }

    pub fn u8(&mut self) -> Result<u8, RecordError> {
        self.array().map(|[byte]| byte)
    }

    pub fn u16(&mut self) -> Result<u16, RecordError> {
        self.array().map(u16::from_le_bytes)
    }

    pub fn u32(&mut self) -> Result<u32, RecordError> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Result<u64, RecordError> {
        self.array().map(u64::from_le_bytes)
    }

    pub fn f32(&mut self) -> Result<f32, RecordError> {
        self.array().map(f32::from_le_bytes)
    }

    pub fn f64(&mut self) -> Result<f64, RecordError> {
        self.array().map(f64::from_le_bytes)
    }

    pub fn probability(&mut self) -> Result<f64, RecordError> {
        let found = self.f64()?;
        if found > 0.0 && found <= 1.0 {
            return Ok(found);
        }
        Err(unknown("a probability above 0 to 1", found))
    }

    pub fn bool(&mut self) -> Result<bool, RecordError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            found => Err(unknown("0 or 1", found)),
        }
    }

    pub fn volunteer(&mut self) -> Result<VolunteerId, RecordError> {
        self.u64().map(VolunteerId)
    }

    pub fn task_id(&mut self) -> Result<TaskId, RecordError> {
        self.u64().map(TaskId)
    }

    /// Decodes a task id; `None` if it is 0.
    pub fn optional_task_id(&mut self) -> Result<Option<TaskId>, RecordError> {
        let id = self.task_id()?;
        Ok((id.0 > 0).then_some(id))
    }

    pub fn identity(&mut self) -> Result<VolunteerIdentity, RecordError> {
        let number = u128::from_le_bytes(self.array()?);
        Ok(number.into())
    }

    pub fn optional<T>(
        &mut self,
        value: impl FnOnce(&mut Self) -> Result<T, RecordError>,
    ) -> Result<Option<T>, RecordError> {
        self.bool()?.then(|| value(self)).transpose()
    }

    /// Decodes a count, and as many values.
    pub fn list<T>(
        &mut self,
        mut value: impl FnMut(&mut Self) -> Result<T, RecordError>,
    ) -> Result<Vec<T>, RecordError> {
        let count = self.u32()?;
        (0..count).map(|_| value(self)).collect()
    }

    /// Decodes a count, and as many numbers of four bytes.
    pub fn numbers<T>(&mut self, number: fn([u8; 4]) -> T) -> Result<Vec<T>, RecordError> {
        let count = self.u32()? as usize;
        let (numbers, _) = self.take(4 * count)?.as_chunks();
        Ok(numbers.iter().map(|bytes| number(*bytes)).collect())
    }

    pub fn task(&mut self) -> Result<Task, RecordError> {
        Ok(Task {
            id: self.task_id()?,
            version: VersionHash(self.array()?),
            minibatch_seed: self.u64()?,
            direction_seed: self.u64()?,
            coin_seed: self.u64()?,
            images: self.u32()?,
            shards: self.u16()?,
            reset_momentum: self.bool()?,
        })
    }

    pub fn signs(&mut self) -> Result<SignBits, RecordError> {
        let count = self.u32()? as usize;
        let bytes = self.take(count.div_ceil(8))?;
        SignBits::from_bytes(bytes, count).map_err(|error| unknown("packed signs", error))
    }
}

pub(super) fn unknown(expected: &'static str, found: impl ToString) -> RecordError {
    RecordError::Value {
        expected,
        found: found.to_string(),
    }
}
