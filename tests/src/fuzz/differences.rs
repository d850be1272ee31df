//! Coded differences of two versions of the model.

use farsign::delta_coding::{decode, encode};

/// Tests that decoding returns, and that decoded differences survive another encoding.
///
/// The input is the number of differences in 2 bytes, followed by their bytes.
pub fn delta_coding(bytes: &[u8]) -> bool {
    let Some((count, coded)) = bytes.split_first_chunk() else {
        return false;
    };
    let mut differences = vec![0; u16::from_le_bytes(*count).into()];
    if decode(coded, &mut differences).is_err() {
        return false;
    }
    let mut again = Vec::new();
    encode(&differences, &mut again);
    let mut decoded = vec![1; differences.len()];
    decode(&again, &mut decoded).expect("encoded differences are valid");
    assert_eq!(decoded, differences);
    true
}
