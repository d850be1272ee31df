//! The wire format: round trips, panic freedom, and every error. The golden tests contain the bytes.

mod errors;
mod properties;

use farsign::wire::{ServerFrame, ServerRecord, VERSION, WireError, read_server_frame};

/// A frame with one record, assembled by hand.
fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![VERSION, kind];
    frame.extend((body.len() as u32).to_le_bytes());
    frame.extend(body);
    frame
}

fn server_frame(write: impl FnOnce(&mut ServerFrame<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut ServerFrame::new(&mut out));
    out
}

fn read_all(frame: &[u8]) -> Result<Vec<ServerRecord<'_>>, WireError> {
    read_server_frame(frame)?.collect()
}
