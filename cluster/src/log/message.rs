//! The bytes of a message of the log.
//!
//! ```text
//!   format 1 | run id 8 | count times: length 4 | record          all integers little-endian
//! ```
//!
//! `farsign::learner::codec` describes the records. The number of a message is not in it: the stream assigns it.

use farsign::learner::Record;
use farsign::learner::codec::{read_record, write_record};

use crate::error::MessageError;

/// The format that this program writes and reads.
const FORMAT: u8 = 1;

/// Size of the header in bytes.
const HEADER_BYTES: usize = 9;

/// Largest size of a message with several records, in bytes.
const MAX_MESSAGE_BYTES: usize = 1 << 20;

/// Most records of a message.
const MAX_RECORDS: usize = 64;

/// A message with the indices of its records among those that it was made of.
#[derive(Debug, PartialEq, Eq)]
pub struct OutgoingMessage {
    /// Its bytes.
    pub payload: Vec<u8>,
    /// The indices, in order.
    pub records: Vec<usize>,
    /// Whether it is a join.
    pub is_join: bool,
}

/// Encodes records in as few messages as their sizes allow. A join is alone in its message; all joins come first.
pub fn write_messages(run_id: u64, records: &[Record]) -> Vec<OutgoingMessage> {
    let (joins, others): (Vec<usize>, Vec<usize>) =
        (0..records.len()).partition(|index| matches!(records[*index], Record::Join { .. }));
    let mut messages = Vec::new();
    for index in joins {
        let mut message = OutgoingMessage::new(run_id);
        message.is_join = true;
        message.push(index, &write_record(&records[index]));
        messages.push(message);
    }
    let mut open: Option<OutgoingMessage> = None;
    for index in others {
        let bytes = write_record(&records[index]);
        if let Some(full) = open.take_if(|message| !message.has_place(bytes.len())) {
            messages.push(full);
        }
        let message = open.get_or_insert_with(|| OutgoingMessage::new(run_id));
        message.push(index, &bytes);
    }
    messages.extend(open);
    messages
}

impl OutgoingMessage {
    fn new(run_id: u64) -> Self {
        let mut payload = vec![FORMAT];
        payload.extend(run_id.to_le_bytes());
        Self {
            payload,
            records: Vec::new(),
            is_join: false,
        }
    }

    fn has_place(&self, bytes: usize) -> bool {
        self.records.len() < MAX_RECORDS && self.payload.len() + 4 + bytes <= MAX_MESSAGE_BYTES
    }

    fn push(&mut self, index: usize, bytes: &[u8]) {
        self.payload.extend((bytes.len() as u32).to_le_bytes());
        self.payload.extend(bytes);
        self.records.push(index);
    }
}

/// Decodes the records of a message.
///
/// # Errors
/// Returns an error if the bytes are not a message of this run.
pub fn read_message(run_id: u64, payload: &[u8]) -> Result<Vec<Record>, MessageError> {
    let split = payload.split_first_chunk::<HEADER_BYTES>();
    let (header, mut rest) = split.ok_or(MessageError::Truncated {
        expected: HEADER_BYTES,
        found: payload.len(),
    })?;
    let [format, found @ ..] = *header;
    if format != FORMAT {
        return Err(MessageError::Format {
            expected: FORMAT,
            found: format,
        });
    }
    let found = u64::from_le_bytes(found);
    if found != run_id {
        return Err(MessageError::OtherRun {
            expected: run_id,
            found,
        });
    }
    let mut records = Vec::new();
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk().ok_or(MessageError::Truncated {
            expected: 4,
            found: rest.len(),
        })?;
        let length = u32::from_le_bytes(*length) as usize;
        let split = after.split_at_checked(length);
        let (record, after) = split.ok_or(MessageError::Truncated {
            expected: length,
            found: after.len(),
        })?;
        records.push(read_record(record)?);
        rest = after;
    }
    let is_join = |record: &Record| matches!(record, Record::Join { .. });
    match records.len() {
        0 => Err(MessageError::Empty),
        found if found > 1 && records.iter().any(is_join) => {
            Err(MessageError::SharedJoin { found })
        }
        _ => Ok(records),
    }
}

#[cfg(test)]
mod tests {
    use farsign::learner::GatewayId;
    use farsign::task::VolunteerId;

    use super::*;

    fn join() -> Record {
        Record::Join {
            identity: Some(5.into()),
            gateway: GatewayId(9),
        }
    }

    fn leave(number: u64) -> Record {
        Record::Leave(VolunteerId(number))
    }

    #[test]
    fn messages_keep_order_and_joins_alone() {
        let mut records: Vec<Record> = (1..=100).map(leave).collect();
        records.insert(3, join());
        records.insert(50, join());
        let messages = write_messages(7, &records);
        let mut numbered = Vec::new();
        for message in &messages {
            let read = read_message(7, &message.payload).unwrap();
            assert!(read.len() <= MAX_RECORDS);
            numbered.extend(message.records.iter().copied().zip(read));
        }
        let (joins, others): (Vec<_>, Vec<_>) =
            numbered.iter().partition(|(_, record)| *record == join());
        assert_eq!(joins.len(), 2);
        assert!(
            others.is_sorted_by_key(|(index, _)| *index),
            "in their order"
        );
        numbered.sort_by_key(|(index, _)| *index);
        let read: Vec<Record> = numbered.into_iter().map(|(_, record)| record).collect();
        assert_eq!(read, records);
    }

    #[test]
    fn invalid_messages_are_errors() {
        let valid = write_messages(7, &[leave(1)]).remove(0).payload;
        for length in 0..valid.len() {
            assert!(read_message(7, &valid[..length]).is_err(), "{length} bytes");
        }
        let error = |payload: &[u8]| read_message(7, payload).unwrap_err().to_string();
        let other = write_messages(8, &[leave(1)]).remove(0).payload;
        assert!(error(&other).contains("found run 0000000000000008"));
        let mut format = valid.clone();
        format[0] = 9;
        assert_eq!(error(&format), "expected format 1, found 9");
        let mut fold = valid.clone();
        fold[HEADER_BYTES + 4] = 99;
        assert!(error(&fold).contains("found version 99"));
        let mut shared = valid;
        shared.extend(&write_messages(7, &[join()]).remove(0).payload[HEADER_BYTES..]);
        assert_eq!(
            error(&shared),
            "expected a join to be alone, found 2 records"
        );
    }
}
