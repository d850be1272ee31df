//! Properties of delta coding: round trips, sizes, and errors for every damage.

use std::collections::HashMap;

use farsign::delta_coding::{DeltaError, decode, encode};
use farsign::math::{ln, pow};
use farsign::random::Stream;
use proptest::prelude::*;

fn encoded(differences: &[i32]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(differences, &mut bytes);
    bytes
}

fn decoded(bytes: &[u8], d: usize) -> Result<Vec<i32>, DeltaError> {
    let mut out = vec![7; d];
    decode(bytes, &mut out).map(|()| out)
}

/// Returns values around 0 of a standard deviation, drawn from a seed.
fn gaussian(d: usize, sigma: f64, stream: &mut Stream) -> Vec<i32> {
    let mut draw = || (0..12).map(|_| f64::from(stream.unit())).sum::<f64>() - 6.0;
    (0..d).map(|_| (sigma * draw()).round() as i32).collect()
}

fn log2(v: f64) -> f64 {
    f64::from(ln(v as f32)) / std::f64::consts::LN_2
}

/// Returns the first-order entropy in bits a value.
fn entropy(values: &[i32]) -> f64 {
    let mut counts = HashMap::new();
    for value in values {
        *counts.entry(value).or_insert(0.0) += 1.0;
    }
    let total = values.len() as f64;
    counts
        .values()
        .map(|count: &f64| -count / total * log2(count / total))
        .sum()
}

/// Values of every size: constant, small, around a power of two, extreme.
fn any_value() -> impl Strategy<Value = i32> {
    prop_oneof![
        8 => Just(0),
        8 => -2i32..=2,
        2 => -20i32..=20,
        1 => (0u32..32, -2i32..=2).prop_map(|(shift, near)| (1i32 << shift).wrapping_add(near)),
        1 => prop_oneof![Just(i32::MIN), Just(i32::MAX), any::<i32>()],
    ]
}

/// Ranges of values, each of one distribution.
fn any_differences() -> impl Strategy<Value = Vec<i32>> {
    let range = (0usize..700, -3i32..31, any::<u64>(), any_value()).prop_map(
        |(count, size, seed, constant)| {
            if size < -1 {
                return vec![constant; count];
            }
            gaussian(
                count,
                pow(2.0, f64::from(size)) / 2.0,
                &mut Stream::new(seed),
            )
        },
    );
    let mixed = prop::collection::vec(any_value(), 0..600);
    let ranges = prop::collection::vec(prop_oneof![3 => range, 1 => mixed], 0..8);
    ranges.prop_map(|ranges| ranges.concat())
}

proptest! {
    #[test]
    fn decoding_restores_any_differences(differences in any_differences()) {
        let bytes = encoded(&differences);
        prop_assert!(bytes.len() <= 128 + 10 * differences.len(), "{} bytes", bytes.len());
        prop_assert_eq!(decoded(&bytes, differences.len()), Ok(differences));
    }

    #[test]
    fn damaged_bytes_never_panic(
        differences in any_differences(), damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = encoded(&differences);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        _ = decoded(&bytes, differences.len());
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), d in 0usize..2000) {
        _ = decoded(&bytes, d);
    }
}

/// Small inputs with pairs, escapes and low bits.
fn samples() -> Vec<Vec<i32>> {
    let mut stream = Stream::new(3);
    let mut mixed = gaussian(300, 0.8, &mut stream);
    mixed.extend(gaussian(256, 500.0, &mut stream));
    mixed[40] = -1000;
    vec![
        vec![],
        vec![0; 600],
        vec![1],
        vec![i32::MIN, i32::MAX, 5],
        gaussian(333, 1.0, &mut stream),
        mixed,
    ]
}

#[test]
fn cut_bytes_are_rejected() {
    for differences in samples() {
        let bytes = encoded(&differences);
        for end in 0..bytes.len() {
            let error = decoded(&bytes[..end], differences.len());
            assert!(
                error.is_err(),
                "{end} of {} bytes are accepted",
                bytes.len()
            );
        }
    }
}

#[test]
fn trailing_bytes_are_rejected() {
    for differences in samples() {
        for byte in [0, 1, 0xff] {
            let bytes = [encoded(&differences), vec![byte]].concat();
            let error = decoded(&bytes, differences.len());
            assert_eq!(error, Err(DeltaError::Trailing { found: 1 }));
        }
    }
}

#[test]
fn other_counts_are_rejected() {
    let differences = gaussian(333, 1.0, &mut Stream::new(8));
    let bytes = encoded(&differences);
    for other in [0, 77, 256, 325, 341, 600, 100_000] {
        assert!(decoded(&bytes, other).is_err(), "{other} differences");
    }
}

/// Returns the fraction of all damages by one bit that are rejected.
fn rejected_fraction(differences: &[i32]) -> f64 {
    let bytes = encoded(differences);
    let is_rejected = |bit: &usize| {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        decoded(&flipped, differences.len()).is_err()
    };
    let bits = 8 * bytes.len();
    (0..bits).filter(is_rejected).count() as f64 / bits as f64
}

#[test]
fn flipped_bits_are_mostly_rejected() {
    for differences in samples() {
        rejected_fraction(&differences);
    }
    // Escaped values and low bits are plain, so that their damage is another difference. Pairs are not.
    let fraction = rejected_fraction(&gaussian(333, 1.0, &mut Stream::new(6)));
    assert!(fraction > 0.9, "{fraction} of the flips are rejected");
}

#[test]
fn sizes_are_near_entropy() {
    let d = 101_770;
    for (sigma, margin) in [
        (0.3, 0.05),
        (0.5, 0.05),
        (1.0, 0.05),
        (1.5, 0.06),
        (3.0, 0.1),
        (1000.0, 0.15),
    ] {
        let mut stream = Stream::new(1);
        let differences = gaussian(d, sigma, &mut stream);
        let bits = 8.0 * encoded(&differences).len() as f64 / d as f64;
        let entropy = if sigma < 100.0 {
            entropy(&differences)
        } else {
            log2(sigma * 4.133) // too many values to count: sqrt(2 pi e) is 4.133
        };
        assert!(
            bits <= entropy + margin,
            "sigma {sigma}: {bits} bits, entropy {entropy}"
        );
    }
}

#[test]
fn ranges_have_own_statistics() {
    let (mut differences, mut entropies) = (Vec::new(), 0.0);
    for (n, sigma) in [0.0, 0.5, 0.0, 2.0, 0.3, 30.0].into_iter().enumerate() {
        let range = gaussian(16_384, sigma, &mut Stream::new(n as u64));
        entropies += range.len() as f64 * entropy(&range);
        differences.extend(range);
    }
    let bits = 8.0 * encoded(&differences).len() as f64;
    let margin = 0.06 * differences.len() as f64;
    assert!(
        bits <= entropies + margin,
        "{bits} bits, entropy {entropies}"
    );
}

#[test]
fn outliers_cost_their_own_bits() {
    let mut differences = gaussian(10_000, 0.5, &mut Stream::new(4));
    let before = encoded(&differences).len();
    for n in 0..10 {
        differences[997 * n] = i32::MAX - n as i32;
    }
    let bytes = encoded(&differences).len();
    assert!(
        bytes < before + 10 * 10,
        "{before} bytes without, {bytes} with"
    );
    assert_eq!(decoded(&encoded(&differences), 10_000), Ok(differences));
}

#[test]
fn zeros_take_half_byte_per_block() {
    assert_eq!(encoded(&[0; 2048]), [0; 5]);
}

#[test]
fn invalid_parts_are_named() {
    let states = [0, 0, 1, 0].repeat(8);
    let words_cut = [&[1, 0, 64, 1][..], &states, &[0xff; 4]].concat();
    let errors: Vec<DeltaError> = [
        (&[][..], 1),
        (&[16], 1),
        (&[0, 1], 1),
        (&[0, 0x10], 1),
        (&[1, 29, 64, 1], 1),
        (&[1, 0, 0x80, 0x20, 1], 1),
        (&[1, 0, 0x80, 0, 1], 1),
        (&[1, 0, 64, 1, 0, 0, 0, 0], 1),
        (&words_cut, 1),
    ]
    .into_iter()
    .map(|(bytes, d)| decoded(bytes, d).unwrap_err())
    .collect();
    let found = 0;
    let expected = [
        DeltaError::Truncated { expected: 1, found },
        DeltaError::TableCount { found: 16 },
        DeltaError::Table {
            tables: 0,
            found: 1,
        },
        DeltaError::Spare { found: 1 },
        DeltaError::Shift { found: 29 },
        DeltaError::Frequencies { found: 4096 },
        DeltaError::Number,
        DeltaError::State {
            expected: "of 0x00010000 or more",
            found: 0,
        },
        DeltaError::Truncated {
            expected: 0x1_ffff_fffe,
            found,
        },
    ];
    assert_eq!(errors, expected);
}
