use super::*;
use crate::fixed_point::FixedPoint;
use proptest::prelude::*;

fn grid(shift: u8) -> Grid {
    let fixed_point = FixedPoint::new(20).unwrap();
    Grid { fixed_point, shift }
}

fn version(x: &[i32], shift: u8) -> Version {
    Version::round(1, 1, x, grid(shift))
}

proptest! {
    #[test]
    fn rounding_error_is_half_step(x in prop::collection::vec(-(1i32 << 30)..1 << 30, 1..50), shift in 0u8..=30) {
        let version = version(&x, shift);
        for (x, k) in x.iter().zip(version.k()) {
            let error = (i64::from(*k) << shift) - i64::from(*x);
            prop_assert!(2 * error.abs() <= 1 << shift, "{x} became {k}");
        }
    }

    #[test]
    fn differences_lead_to_same_bits(
        pairs in prop::collection::vec((any::<i32>(), any::<i32>()), 1..50), from in 0u8..=30, to in 0u8..=30,
    ) {
        let (x, y): (Vec<i32>, Vec<i32>) = pairs.into_iter().unzip();
        let (base, newer) = (version(&x, from), version(&y, to));
        for base in [None, Some(&base)] {
            let mut coded = Vec::new();
            newer.write_differences(base, &mut coded);
            let found = Version::from_differences(base, 1, grid(to), &coded, x.len()).unwrap();
            prop_assert_eq!(found.k(), newer.k());
            prop_assert_eq!(found.hash(), newer.hash());
        }
    }
}

proptest! {
    #[test]
    fn printed_hash_is_read_back(bytes: [u8; 32], text in "[0-9a-fA-F+]{62,66}") {
        let hash = VersionHash(bytes);
        prop_assert_eq!(hash.to_string().parse(), Ok(hash));
        if let Ok(hash) = text.parse::<VersionHash>() {
            prop_assert_eq!(hash.to_string(), text);
        }
    }
}

#[test]
fn other_text_is_no_hash() {
    let hash = version(&[1, 2], 0).hash().to_string();
    let (umlaut, upper) = ("ü".repeat(32), "A".repeat(64));
    for text in [
        "",
        &hash[1..],
        &hash[2..],
        &format!("{hash}00"),
        &umlaut,
        &upper,
    ] {
        assert_eq!(
            text.parse::<VersionHash>(),
            Err(ParseVersionHashError),
            "{text:?}"
        );
    }
}

#[test]
fn hash_names_bits_and_grid() {
    let hashes = [
        version(&[1, 2], 0),
        version(&[1, 3], 0),
        version(&[2, 4], 1), // the same k on another grid
    ];
    assert_eq!(hashes[0].k(), hashes[2].k());
    assert!(hashes[0].hash() != hashes[1].hash() && hashes[0].hash() != hashes[2].hash());
    let renumbered = Version::round(7, 9, &[1, 2], grid(0));
    assert_eq!(renumbered.hash(), hashes[0].hash());
}

#[test]
fn misfitting_differences_are_rejected() {
    let base = version(&[1, 2], 0);
    let mut coded = Vec::new();
    version(&[4, 9], 0).write_differences(Some(&base), &mut coded);
    let coarser = Version::from_differences(Some(&base), 2, grid(2), &coded, 2);
    assert_eq!(coarser.unwrap_err(), VersionError::OffGrid { shift: 2 });
    let other = Grid {
        fixed_point: FixedPoint::new(21).unwrap(),
        shift: 0,
    };
    assert!(Version::from_differences(Some(&base), 2, other, &coded, 2).is_err());
    assert!(Version::from_differences(Some(&base), 2, grid(0), &coded[1..], 2).is_err());
}

#[test]
fn grid_follows_move_of_turn() {
    let mut schedule = GridSchedule::new(&[0, 0, 0], 0, 100);
    assert_eq!(schedule.advance(&[0, 0, 0], 0, 4), 8); // 200 is nearest to 256
    assert_eq!(
        schedule.advance(&[500, 500, 500], 3, 4),
        8,
        "the turn is not over"
    );
    assert_eq!(schedule.advance(&[500, 500, 500], 4, 4), 10); // 1000 is nearest to 1024
    assert_eq!(
        schedule.advance(&[500, 500, 500], 8, 4),
        0,
        "the model rests"
    );
}
