//! Encodings of text files.

use farsign_files::{TextError, decode, to_utf8};
use proptest::prelude::*;

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

proptest! {
    #[test]
    fn every_encoding_is_read(text in "[^\\x00\u{feff}]*") {
        let marked = format!("\u{feff}{text}");
        for bytes in [
            text.clone().into_bytes(),
            marked.clone().into_bytes(),
            utf16(&marked, u16::to_le_bytes),
            utf16(&marked, u16::to_be_bytes),
        ] {
            prop_assert_eq!(decode(bytes.clone()).unwrap(), &text[..]);
            prop_assert_eq!(to_utf8(bytes), text.as_bytes());
        }
    }

    #[test]
    fn unmarked_utf16_is_read(text in "[a-z#][^\\x00]*") {
        for bytes in [utf16(&text, u16::to_le_bytes), utf16(&text, u16::to_be_bytes)] {
            prop_assert_eq!(decode(bytes).unwrap(), &text[..]);
        }
    }

    #[test]
    fn decoding_never_panics(bytes in any::<Vec<u8>>()) {
        _ = decode(bytes.clone());
        _ = to_utf8(bytes);
    }
}

#[test]
fn invalid_byte_error_names_position() {
    let error = decode(b"batch = 1\n# \xc3\xa4 \xe4".to_vec()).unwrap_err();
    assert_eq!(
        error,
        TextError::Utf8 {
            byte: 0xe4,
            line: 2,
            column: 5
        }
    );
}

#[test]
fn other_encodings_are_named() {
    let utf32: Vec<u8> = "\u{feff}batch"
        .chars()
        .flat_map(|character| u32::from(character).to_le_bytes())
        .collect();
    assert_eq!(decode(utf32).unwrap_err(), TextError::Utf32);
    let odd = [&utf16("\u{feff}batch", u16::to_le_bytes)[..], b"x"].concat();
    assert_eq!(decode(odd).unwrap_err(), TextError::Utf16);
}

#[test]
fn binary_bytes_stay_unchanged() {
    let bytes = b"\xff\xfe\x00\xd8".to_vec(); // an unpaired surrogate
    assert_eq!(to_utf8(bytes.clone()), bytes);
}
