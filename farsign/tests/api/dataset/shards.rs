//! Training data in shards: the cut, the list, and a volunteer that gets one shard after the other.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use farsign::dataset::{
    Dataset, DatasetParts, MAX_FILE_BYTES, MAX_SHARDS, SHARD_BYTES, ShardEntry, ShardError,
    ShardList, ShardListError, ShardPlan, ShardedDataset,
};
use farsign::minibatch::Minibatch;
use farsign::random::Stream;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::gzip;

/// Images of 64 KiB, of which a shard has 16.
const SIDE: usize = 256;

/// The training set of most tests.
static WHOLE: LazyLock<ShardedDataset> = LazyLock::new(training_set);

/// Its shards, gzipped.
static PACKED: LazyLock<[Vec<u8>; 3]> =
    LazyLock::new(|| [0, 1, 2].map(|shard| gzip(&WHOLE.unpacked_shard(shard).unwrap())));

/// 40 images of three classes, in three shards.
fn training_set() -> ShardedDataset {
    let mut stream = Stream::new(17);
    let mut images = vec![0; 40 * SIDE * SIDE];
    for _ in 0..20_000 {
        let at = stream.below(images.len() as u64) as usize;
        images[at] = stream.below(256) as u8;
    }
    let labels = (0..40).map(|image| (image % 8).min(2)).collect();
    let data = Dataset::from_parts(DatasetParts {
        rows: SIDE,
        cols: SIDE,
        images,
        labels,
    });
    let data = ShardedDataset::cut(Arc::new(data.unwrap()));
    assert_eq!(data.list().shards(), 3);
    data
}

/// A volunteer's data with the first shards.
fn with_shards(shards: usize) -> ShardedDataset {
    let mut data = ShardedDataset::new(WHOLE.list().clone());
    for packed in &PACKED[..shards] {
        data.push(packed).unwrap();
    }
    data
}

/// The number of images of each class of each shard.
fn class_counts(plan: &ShardPlan, labels: &[u8]) -> Vec<[usize; 256]> {
    let count = |shard| {
        let mut counts = [0; 256];
        for &image in plan.images(shard) {
            counts[usize::from(labels[image as usize])] += 1;
        }
        counts
    };
    (0..plan.shards()).map(count).collect()
}

fn differ_by_one(numbers: impl Iterator<Item = usize> + Clone) -> bool {
    numbers.clone().max().unwrap() - numbers.min().unwrap() <= 1
}

proptest! {
    #[test]
    fn shards_part_images_evenly(
        labels in prop::collection::vec(prop_oneof![0..4_u8, any::<u8>()], 1..700),
        image_bytes in prop_oneof![1..3_000_000_usize, 10_000..60_000_usize],
        seed in any::<u64>(),
    ) {
        let plan = ShardPlan::new(&labels, image_bytes, seed);
        prop_assert_eq!(&plan, &ShardPlan::new(&labels, image_bytes, seed));

        let shards = (0..plan.shards()).map(|shard| plan.images(shard));
        let all: Vec<u32> = shards.clone().flatten().copied().collect();
        prop_assert_eq!(all.len(), labels.len());
        let distinct: BTreeSet<u32> = all.into_iter().collect();
        prop_assert!(distinct.into_iter().eq(0..labels.len() as u32));

        prop_assert!(differ_by_one(shards.clone().map(<[u32]>::len)));
        for images in shards {
            let others = (images.len() - 1) * image_bytes;
            prop_assert!((others as u64) < SHARD_BYTES, "{} images of {image_bytes}", images.len());
        }
        let counts = class_counts(&plan, &labels);
        for class in 0..256 {
            prop_assert!(differ_by_one(counts.iter().map(|counts| counts[class])), "class {class}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn damaged_shard_changes_nothing(
        shard in 0..3_usize,
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut data = with_shards(1);
        let right = &PACKED[1];
        let mut damaged = PACKED[shard].clone();
        let index = at.index(damaged.len());
        damaged[index] = byte;
        for file in [&damaged[..], &right[..cut.index(right.len())]] {
            let before = data.held();
            if data.push(file).is_ok() {
                // A byte of the gzip header, such as the time, is free.
                prop_assert_eq!(data.unpacked_shard(1), WHOLE.unpacked_shard(1));
                data = with_shards(1);
            } else {
                prop_assert_eq!(data.held(), before);
            }
        }
    }
}

#[test]
fn rare_class_is_spread() {
    // Ten images of class 1 in fifty shards of twenty images.
    let labels: Vec<u8> = (0..1000).map(|image| u8::from(image < 10)).collect();
    let image_bytes = SHARD_BYTES as usize / 20;
    let mut firsts = BTreeSet::new();
    for seed in 0..50 {
        let plan = ShardPlan::new(&labels, image_bytes, seed);
        assert_eq!(plan.shards(), 50, "seed {seed}");
        let counts = class_counts(&plan, &labels);
        firsts.insert(counts.iter().position(|counts| counts[1] > 0).unwrap());
    }
    assert!(
        firsts.len() > 5,
        "the first shard with the class: {firsts:?}"
    );
}

#[test]
fn volunteer_draws_as_server_does() {
    for held in 1..=3 {
        let data = with_shards(held);
        assert_eq!((data.held(), data.is_complete()), (held, held == 3));
        assert_eq!(data.digest(), WHOLE.digest());
        for shards in 1..=3 {
            let (server, volunteer) = (WHOLE.first(shards).unwrap(), data.first(shards));
            assert_eq!(volunteer.is_some(), shards <= held, "{shards} of {held}");
            let Some(volunteer) = volunteer else { continue };
            assert_eq!(server.len(), volunteer.len());
            let (mut expected, mut drawn) = (Minibatch::default(), Minibatch::default());
            for seed in 0..20 {
                expected.draw(server, seed, 30);
                drawn.draw(volunteer, seed, 30);
                assert_eq!(
                    (&drawn.inputs, &drawn.labels),
                    (&expected.inputs, &expected.labels),
                    "seed {seed}, {shards} of {held} shards"
                );
            }
        }
        assert!(data.first(0).is_none());
    }
    assert!(WHOLE.first(0).is_none() && WHOLE.first(4).is_none());
    assert!(ShardedDataset::new(WHOLE.list().clone()).first(0).is_none());
}

#[test]
fn shards_hold_every_image_once() {
    let images = |data: &ShardedDataset| {
        let view = data.first(data.held()).unwrap();
        let mut rows: Vec<_> = (0..view.len())
            .map(|index| view.locate(index))
            .map(|(data, at)| (data.label(at), data.image(at).to_vec()))
            .collect();
        rows.sort();
        rows
    };
    let found = images(&with_shards(3));
    assert_eq!(found.len(), 40);
    assert_eq!(found, images(&WHOLE));
}

#[test]
fn digests_name_unpacked_shards() {
    let mut all = Sha256::new();
    for (shard, entry) in WHOLE.list().entries().iter().enumerate() {
        let unpacked = WHOLE.unpacked_shard(shard).unwrap();
        assert_eq!(entry.digest[..], Sha256::digest(&unpacked)[..]);
        assert_eq!(unpacked.len() as u64, WHOLE.list().unpacked_bytes(shard));
        all.update(entry.digest);
    }
    assert_eq!(WHOLE.digest()[..], all.finalize()[..]);
    assert_eq!(WHOLE.unpacked_shard(3), None);
}

#[test]
fn other_shard_is_rejected() {
    let mut data = with_shards(1);
    let unpacked = WHOLE.unpacked_shard(1).unwrap();
    let mut changed = unpacked.clone();
    *changed.last_mut().unwrap() ^= 1;
    let short = &unpacked[..unpacked.len() - 1];
    let long = [&unpacked[..], &[0]].concat();
    for (name, file) in [
        ("empty", Vec::new()),
        ("text", b"<html>".to_vec()),
        ("unpacked", unpacked.clone()),
        ("cut short", gzip(&unpacked)[..2000].to_vec()),
        ("short", gzip(short)),
        ("long", gzip(&long)),
        ("changed", gzip(&changed)),
        ("another shard", PACKED[0].clone()),
        ("much longer", gzip(&vec![0; 8 << 20])),
    ] {
        let error = data.push(&file).unwrap_err();
        let is_expected = match name {
            "empty" | "text" | "unpacked" | "cut short" => matches!(error, ShardError::Gzip { .. }),
            "changed" => matches!(error, ShardError::Digest { .. }),
            "another shard" => {
                matches!(error, ShardError::Digest { .. } | ShardError::Size { .. })
            }
            _ => matches!(error, ShardError::Size { .. }),
        };
        assert!(is_expected, "{name}: {error}");
        assert!(error.to_string().starts_with("shard 1: "), "{error}");
        assert_eq!(data.held(), 1, "{name}");
    }
    data.push(&PACKED[1]).unwrap();
    data.push(&PACKED[2]).unwrap();
    let shards = 3;
    assert_eq!(data.push(&PACKED[2]), Err(ShardError::NoneLeft { shards }));
}

/// A server that lists a shard by its digest but describes it wrongly.
#[test]
fn shard_must_fit_its_list() {
    let list = WHOLE.list();
    let described = |rows, cols, classes| {
        let list = ShardList::new(rows, cols, classes, list.entries().to_vec()).unwrap();
        let mut data = ShardedDataset::new(list);
        data.push(&PACKED[0]).unwrap_err()
    };
    let turned = described(SIDE * 2, SIDE / 2, 3);
    assert!(matches!(turned, ShardError::Header { .. }), "{turned}");
    let fewer_classes = described(SIDE, SIDE, 2);
    assert!(matches!(
        fewer_classes,
        ShardError::Label {
            classes: 2,
            found: 2,
            ..
        }
    ));
    let larger = described(SIDE, SIDE + 1, 3);
    assert!(matches!(larger, ShardError::Size { .. }), "{larger}");
}

#[test]
fn impossible_lists_are_rejected() {
    let entry = |images| ShardEntry {
        digest: [0; 32],
        images,
    };
    let list = |rows, cols, classes, entries| ShardList::new(rows, cols, classes, entries);
    assert!(list(28, 28, 10, vec![entry(1000)]).is_ok());
    for (found, expected) in [
        (list(28, 28, 10, vec![]), "1 to 1024 shards, found 0"),
        (
            list(28, 28, 10, vec![entry(1); MAX_SHARDS + 1]),
            "found 1025",
        ),
        (
            list(28, 28, 10, vec![entry(1), entry(0)]),
            "in shard 1, found 0",
        ),
        (
            list(0, 28, 10, vec![entry(1)]),
            "found 0 rows of 28 columns",
        ),
        (list(28, 28, 1, vec![entry(1)]), "2 to 256 classes, found 1"),
        (
            list(28, 28, 257, vec![entry(1)]),
            "2 to 256 classes, found 257",
        ),
        (
            list(1 << 15, 1 << 15, 2, vec![entry(1), entry(1)]),
            "at most 1073741824 bytes",
        ),
        (
            list(usize::MAX, 2, 2, vec![entry(usize::MAX)]),
            "at most 1073741824 bytes",
        ),
    ] {
        let error: ShardListError = found.unwrap_err();
        assert!(
            error.to_string().contains(expected),
            "{expected:?} in {error}"
        );
    }
    assert_eq!(MAX_SHARDS as u64 * SHARD_BYTES, MAX_FILE_BYTES);
}
