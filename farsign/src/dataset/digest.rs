//! Digests as text.

/// Returns bytes as hexadecimal digits, two for each.
pub fn hexadecimal<const N: usize>(bytes: [u8; N]) -> String {
    bytes.map(|byte| format!("{byte:02x}")).concat()
}
