//! Mutations of valid inputs, drawn from a seed.

use farsign::random::Stream;

/// Boundary values and separators.
const BOUNDARIES: [u8; 8] = [0, 1, 0x7f, 0x80, 0xff, b'\n', b',', b'"'];

/// Maximum size of a mutation.
const MAX_BYTES: usize = 8192;

/// Returns `bytes` with one to four changes, drawn from `stream`. Some changes copy parts of `other`.
pub fn mutate(bytes: &[u8], other: &[u8], stream: &mut Stream) -> Vec<u8> {
    let mut mutated = bytes.to_vec();
    for _ in 0..=stream.below(4) {
        change(&mut mutated, other, stream);
    }
    mutated.truncate(MAX_BYTES);
    mutated
}

fn change(bytes: &mut Vec<u8>, other: &[u8], stream: &mut Stream) {
    let at = stream.below(bytes.len() as u64 + 1) as usize;
    let length = stream.below(8) as usize;
    let end = bytes.len().min(at + length);
    match stream.below(8) {
        0 => bytes.truncate(at),
        1 => drop(bytes.drain(at..end)),
        2 => bytes.insert(at, stream.bits() as u8),
        3 => drop(
            bytes.splice(
                at..at,
                other
                    .iter()
                    .copied()
                    .skip(stream.below(64) as usize)
                    .take(length),
            ),
        ),
        4 => bytes[at..end].fill(BOUNDARIES[stream.below(BOUNDARIES.len() as u64) as usize]),
        5 => bytes.extend_from_within(at..end),
        kind => {
            let Some(byte) = bytes.get_mut(at) else {
                return;
            };
            *byte = if kind == 6 {
                *byte ^ (1 << stream.below(8))
            } else {
                stream.bits() as u8
            };
        }
    }
}
