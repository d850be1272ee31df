//! IDX files of every type and number of dimensions, compared with a reader that is written for clarity.

use super::*;

/// Types of IDX by code, with their sizes.
const INTEGERS: [(u8, usize); 4] = [(0x08, 1), (0x09, 1), (0x0b, 2), (0x0c, 4)];
const FLOATS: [(u8, usize); 2] = [(0x0d, 4), (0x0e, 8)];

/// Writes a file of integers.
fn file(code: u8, dims: &[u32], values: &[i64]) -> Vec<u8> {
    let size = INTEGERS
        .iter()
        .chain(&FLOATS)
        .find(|(other, _)| *other == code)
        .map_or(1, |(_, size)| *size);
    let mut bytes = vec![0, 0, code, dims.len() as u8];
    bytes.extend(dims.iter().flat_map(|dim| dim.to_be_bytes()));
    for value in values {
        bytes.extend(&value.to_be_bytes()[8 - size..]);
    }
    bytes
}

fn images_of(code: u8, values: &[i64]) -> Vec<u8> {
    file(code, &[3, 2, 2], values)
}

/// Pixels of the valid pair, all below 128 so that they fit every type.
const PIXELS: [i64; 12] = [0, 1, 2, 3, 10, 11, 12, 13, 124, 125, 126, 127];

#[test]
fn fitting_integers_equal_bytes() {
    let labels = Files::valid().labels;
    let expected = Files {
        images: images_of(0x08, &PIXELS),
        labels: labels.clone(),
    };
    let expected = expected.training().unwrap();
    for (code, _) in INTEGERS {
        let files = Files {
            images: images_of(code, &PIXELS),
            labels: file(code, &[3], &[1, 0, 2]),
        };
        assert_eq!(files.training().unwrap(), expected, "type {code:#04x}");
        assert_eq!(
            files.gzipped().training().unwrap(),
            expected,
            "type {code:#04x}"
        );
    }
}

#[test]
fn qmnist_labels_are_first_column() {
    // Class, writer's series, writer, digit, class of the glyph, position, two unused.
    let rows = [
        [1, 0, 2600, 2, 53, 7, 0, 0],
        [0, 4, 1, 300_000, 48, -1, 0, 0],
        [2, 0, 9, 9, 50, 9, 9, 9],
    ];
    let qmnist = Files {
        labels: file(0x0c, &[3, 8], &rows.concat()),
        ..Files::valid()
    };
    assert_eq!(
        qmnist.training().unwrap(),
        Files::valid().training().unwrap()
    );
}

#[test]
fn integers_beyond_bytes_are_rejected() {
    for (code, value) in [
        (0x09, -1),
        (0x0b, 256),
        (0x0b, -1),
        (0x0c, 70_000),
        (0x0c, -5),
    ] {
        let mut pixels = PIXELS;
        pixels[5] = value;
        let error = error_of(|files| files.images = images_of(code, &pixels));
        let size = INTEGERS.iter().find(|(other, _)| *other == code).unwrap().1 as u64;
        assert_eq!(
            error.to_string(),
            format!(
                "train-images-idx3-ubyte: expected a pixel from 0 to 255 at byte {}, found {value}",
                16 + 5 * size
            ),
        );
    }
    let label = error_of(|files| files.labels = file(0x0c, &[3], &[0, 1, 300]));
    assert!(
        label
            .to_string()
            .ends_with("expected a label from 0 to 255 at byte 16, found 300"),
        "{label}"
    );
}

#[test]
fn held_out_label_offset_counts_columns() {
    let train = Files::valid().training().unwrap();
    let mut rows = [[0_i64; 8]; 3];
    rows[1][0] = 7;
    let files = Files {
        labels: file(0x0c, &[3, 8], &rows.concat()),
        ..Files::valid()
    };
    let error = Dataset::held_out(files.pair(), &train).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("expected a label below 3 at byte 44"),
        "{error}"
    );
}

#[test]
fn floats_are_rejected_with_words() {
    for (code, size) in FLOATS {
        let error = error_of(|files| files.images = images_of(code, &PIXELS));
        assert_eq!(
            error.to_string(),
            format!(
                "train-images-idx3-ubyte: expected IDX images of integers from 0 to 255, found {}-bit floats; write them \
                 as unsigned bytes",
                8 * size
            ),
        );
    }
}

#[test]
fn other_dimensions_are_rejected_with_words() {
    let images = |dims: &[u32]| {
        let count = dims.iter().product::<u32>() as usize;
        error_of(|files| files.images = file(0x08, dims, &vec![1; count])).to_string()
    };
    let labels = |code, dims: &[u32]| {
        let count = dims.iter().product::<u32>() as usize;
        error_of(|files| files.labels = file(code, dims, &vec![1; count])).to_string()
    };
    for (error, expected) in [
        (
            images(&[3]),
            "found 1 dimension (3) of unsigned bytes; these are labels: are the two files swapped?",
        ),
        (
            images(&[3, 4]),
            "found 2 dimensions (3 x 4) of unsigned bytes; write images of one row each",
        ),
        (
            images(&[3, 2, 2, 3]),
            "found 4 dimensions (3 x 2 x 2 x 3) of unsigned bytes; write one grey value",
        ),
        (
            labels(0x08, &[3, 2, 2]),
            "these are images: are the two files swapped?",
        ),
        (
            labels(0x08, &[3, 10]),
            "found 2 dimensions (3 x 10) of unsigned bytes; write one number for each image",
        ),
        (
            labels(0x08, &[3, 8]),
            "found 2 dimensions (3 x 8) of unsigned bytes",
        ),
        (
            labels(0x0c, &[3, 5]),
            "found 2 dimensions (3 x 5) of 32-bit integers",
        ),
    ] {
        assert!(error.contains(expected), "{expected:?} in {error:?}");
    }
}

#[test]
fn little_endian_files_are_named() {
    let swap_words = |file: &mut Vec<u8>, bytes: std::ops::Range<usize>| {
        for word in file[bytes].as_chunks_mut::<4>().0 {
            word.reverse();
        }
    };
    let magic = error_of(|files| swap_words(&mut files.images, 0..16));
    let sizes = error_of(|files| swap_words(&mut files.images, 4..16));
    // A number that is small in either order is compared with that of the images.
    let count = error_of(|files| {
        files.labels = file(0x08, &[256], &[1; 256]);
        files.images = file(0x08, &[256, 1, 1], &[1; 256]);
        files.labels[4..8].reverse();
    });
    let values = error_of(|files| {
        files.labels = file(0x0c, &[3], &[1, 0, 2]);
        swap_words(&mut files.labels, 8..20);
    });
    for (error, offset) in [(magic, 0), (sizes, 4), (count, 4), (values, 8)] {
        let text = error.to_string();
        assert!(
            text.contains("expected big-endian numbers")
                && text.contains(&format!("at byte {offset};")),
            "{text}"
        );
    }
}

/// Reads a file number by number; `None` if it is not valid for its content.
fn naive(file: &[u8], is_labels: bool) -> Option<(Vec<usize>, Vec<u8>)> {
    let (&[a, b, code, rank], mut rest) = file.split_first_chunk()?;
    let size = INTEGERS.iter().find(|(other, _)| *other == code)?.1;
    if (a, b) != (0, 0) {
        return None;
    }
    let mut dims = Vec::new();
    for _ in 0..rank {
        let (word, after) = rest.split_first_chunk()?;
        dims.push(u32::from_be_bytes(*word) as usize);
        rest = after;
    }
    let columns = match (is_labels, &dims[..]) {
        (false, [_, _, _]) | (true, [_]) => 1,
        (true, [_, 8]) if code == 0x0c => 8,
        _ => return None,
    };
    let numbers: usize = dims.iter().product();
    if rest.len() != numbers * size {
        return None;
    }
    let mut values = Vec::new();
    for number in rest.chunks(size).step_by(columns) {
        let is_negative = code != 0x08 && number[0] >= 0x80;
        let mut value = -i64::from(is_negative);
        for byte in number {
            value = value << 8 | i64::from(*byte);
        }
        values.push(u8::try_from(value).ok()?);
    }
    Some((dims, values))
}

/// A file of random type and dimensions. Most are valid images or labels of three items.
fn any_file(is_labels: bool) -> impl Strategy<Value = Vec<u8>> {
    let code = prop_oneof![
        8 => prop::sample::select(vec![0x08_u8, 0x09, 0x0b, 0x0c]),
        1 => prop::sample::select(vec![0x00_u8, 0x0a, 0x0d, 0x0e, 0xff]),
    ];
    let usual = if is_labels {
        prop_oneof![Just(vec![3_u32]), Just(vec![3, 8])].boxed()
    } else {
        (1_u32..4, 1_u32..4)
            .prop_map(|(rows, cols)| vec![3, rows, cols])
            .boxed()
    };
    let dims = prop_oneof![6 => usual, 1 => prop::collection::vec(0_u32..4, 0..5)];
    (code, dims).prop_flat_map(|(code, dims)| {
        let count = dims.iter().product::<u32>() as usize;
        let value = prop_oneof![40 => 0_i64..128, 1 => -300_i64..300];
        prop::collection::vec(value, count).prop_map(move |values| file(code, &dims, &values))
    })
}

proptest! {
    #[test]
    fn readers_match_naive_reader(
        images in any_file(false),
        labels in any_file(true),
        packed in any::<(bool, bool)>(),
        cut in prop::option::weighted(0.1, any::<(bool, prop::sample::Index)>()),
        extra in prop::option::weighted(0.1, any::<(bool, u8)>()),
    ) {
        let mut files = Files { images, labels };
        if let Some((in_images, byte)) = extra {
            if in_images { &mut files.images } else { &mut files.labels }.push(byte);
        }
        if let Some((in_images, index)) = cut {
            let file = if in_images { &mut files.images } else { &mut files.labels };
            file.truncate(index.index(file.len()));
        }
        let expected = naive(&files.images, false).zip(naive(&files.labels, true)).filter(|((dims, _), (count, labels))| {
            dims[0] == count[0] && dims.iter().all(|dim| *dim > 0) && labels.iter().any(|label| *label != labels[0])
        });
        let packed = Files {
            images: if packed.0 { gzip(&files.images) } else { files.images.clone() },
            labels: if packed.1 { gzip(&files.labels) } else { files.labels.clone() },
        };
        match (packed.training(), expected) {
            (Ok(dataset), Some(((dims, images), (_, labels)))) => {
                prop_assert_eq!((dataset.len(), dataset.rows(), dataset.cols()), (dims[0], dims[1], dims[2]));
                prop_assert_eq!(dataset.images(), images);
                prop_assert_eq!(dataset.labels(), labels);
            }
            (Err(error), None) => prop_assert!(error.to_string().starts_with("train-"), "{}", error),
            (read, expected) => prop_assert!(false, "{:?}, expected {:?}", read, expected),
        }
    }

    /// Bytes without any structure never panic, gzipped or not.
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600), start in 0_usize..4) {
        let good = Files::valid();
        let starts: [&[u8]; 4] = [b"", b"\x1f\x8b\x08", &[0, 0, 12, 2], b"PK\x03\x04"];
        let bytes = [starts[start], &bytes].concat();
        for file in [gzip(&bytes), bytes] {
            let images = Files { images: file.clone(), ..good.clone() }.training();
            let labels = Files { labels: file, ..good.clone() }.training();
            for error in [images, labels].into_iter().filter_map(Result::err) {
                prop_assert!(error.to_string().starts_with("train-"), "{}", error);
            }
        }
    }
}
