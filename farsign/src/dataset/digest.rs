//! Digests as text.

/// Returns a SHA-256 as 64 hexadecimal digits.
pub fn hexadecimal(digest: [u8; 32]) -> String {
    digest.map(|byte| format!("{byte:02x}")).concat()
}
