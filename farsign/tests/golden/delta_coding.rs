//! Delta coding byte for byte: encoding yields the committed bytes, and decoding them the differences.

use farsign::delta_coding::{decode, encode};
use farsign::random::Stream;

use crate::values::Golden;

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const DOCUMENT: &str = include_str!("../../../docs/delta-coding.md");

/// The example of docs/delta-coding.md.
const EXAMPLE: [i32; 16] = [0, 1, -1, 0, 0, 0, 2, 0, -1, 0, 0, 1, 0, 0, 300, 0];

/// Ranges of values around 0: `count` of standard deviation `scale * sqrt(bits) / 2`.
fn ranges(ranges: &[(usize, u32, i32)]) -> Vec<i32> {
    let mut stream = Stream::new(17);
    let mut values = Vec::new();
    for &(count, bits, scale) in ranges {
        let mut ones = || (stream.bits() & ((1 << bits) - 1)).count_ones() as i32;
        values.extend((0..count).map(|_| scale * (2 * ones() - bits as i32) / 2));
    }
    values
}

#[test]
fn coded_differences() {
    let mut golden = Golden::new(
        "delta_coding.txt",
        include_str!("../../testdata/delta_coding.txt"),
    );
    let mixed = ranges(&[
        (1000, 2, 1),
        (300, 0, 0),
        (777, 4, 1),
        (256, 32, 1),
        (100, 32, 50),
        (67, 32, 1 << 20),
    ]);
    for (name, differences) in [
        ("none", &[][..]),
        ("zeros", &[0; 700]),
        ("one", &[-1]),
        ("example", &EXAMPLE),
        (
            "extremes",
            &[i32::MIN, i32::MAX, 0, 1 << 30, -1, i32::MIN, i32::MIN + 1],
        ),
        ("outlier", &[&[0; 255][..], &[i32::MAX]].concat()),
        ("small", &ranges(&[(600, 4, 1)])),
        ("mixed", &mixed),
    ] {
        let mut bytes = vec![9]; // what was there is kept
        encode(differences, &mut bytes);
        golden.bytes(name, &bytes[1..]);
        golden.integers(&format!("{name}, differences"), differences);
        let mut decoded = vec![9; differences.len()];
        assert_eq!(decode(&bytes[1..], &mut decoded), Ok(()), "{name}");
        assert_eq!(decoded, differences, "{name}");
    }
    golden.check();
}

#[test]
fn documented_differences() {
    let mut bytes = Vec::new();
    encode(&EXAMPLE, &mut bytes);
    let hexadecimal: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let differences: Vec<String> = EXAMPLE.iter().map(i32::to_string).collect();
    let lines: Vec<String> = hexadecimal.chunks(32).map(|line| line.join(" ")).collect();
    for text in [differences.join(" "), lines.join("\n")] {
        assert!(
            DOCUMENT.contains(&text),
            "docs/delta-coding.md lacks {text}"
        );
    }
}
