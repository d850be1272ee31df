//! Digests as text.

/// Returns bytes as hexadecimal digits, two for each.
pub fn hexadecimal<const N: usize>(bytes: [u8; N]) -> String {
    bytes.map(|byte| format!("{byte:02x}")).concat()
}

/// Returns the SHA-256 that 64 hexadecimal digits in lower case are; `None` for any other text.
pub fn parse_hexadecimal(text: &str) -> Option<[u8; 32]> {
    let digit = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut digest = [0; 32];
    if text.len() != 2 * digest.len() {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_text_is_parsed_strictly() {
        let digest = std::array::from_fn(|i| (i * 37) as u8);
        let text = hexadecimal(digest);
        assert_eq!(parse_hexadecimal(&text), Some(digest));
        let long = format!("{text}00");
        let spaced = text.replace('0', " ");
        let upper = text.to_uppercase();
        let letters = "é".repeat(32);
        for other in ["", "00", &text[1..], &long, &spaced, &upper, &letters] {
            assert_eq!(parse_hexadecimal(other), None, "{other:?}");
        }
    }
}
