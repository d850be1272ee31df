//! A decoder of records.

use farsign::sign::SignBits;
use farsign::task::{Task, TaskId};
use farsign::version::VersionHash;

use super::{RecordError, unknown};
use crate::store::event::{CoordinatorCounters, LogPosition};

/// A decoder of the rest of a record.
pub(super) struct Decoder<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Decoder<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    pub fn take(&mut self, count: usize) -> Result<&'a [u8], RecordError> {
        let (taken, rest) = self
            .bytes
            .split_at_checked(count)
            .ok_or(RecordError::Truncated {
                offset: self.offset,
                expected: count,
                found: self.bytes.len(),
            })?;
        self.offset += count;
        self.bytes = rest;
        Ok(taken)
    }

    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.bytes)
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
        self.take(N)
            .map(|bytes| bytes.try_into().expect("as many were taken"))
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

    pub fn bool(&mut self) -> Result<bool, RecordError> {
        match self.array()? {
            [0] => Ok(false),
            [1] => Ok(true),
            [found] => Err(unknown("0 or 1", found)),
        }
    }

    pub fn integers(&mut self) -> Result<Vec<i32>, RecordError> {
        self.numbers(i32::from_le_bytes)
    }

    pub fn floats(&mut self) -> Result<Vec<f32>, RecordError> {
        self.numbers(f32::from_le_bytes)
    }

    fn numbers<T>(&mut self, number: fn([u8; 4]) -> T) -> Result<Vec<T>, RecordError> {
        let count = self.u32()? as usize;
        let (numbers, _) = self.take(4 * count)?.as_chunks();
        Ok(numbers.iter().map(|bytes| number(*bytes)).collect())
    }

    pub fn task(&mut self) -> Result<Task, RecordError> {
        Ok(Task {
            id: TaskId(self.u64()?),
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

    pub fn position(&mut self) -> Result<(LogPosition, CoordinatorCounters), RecordError> {
        let position = LogPosition {
            sequence: self.u64()?,
            bytes: self.u64()?,
        };
        let record = self.u64()?;
        let version = self.u64()?;
        let trust_mean = self.f32()?;
        Ok((
            position,
            CoordinatorCounters {
                position: record,
                version,
                trust_mean,
            },
        ))
    }
}
