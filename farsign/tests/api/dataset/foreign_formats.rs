//! Files of other formats that people have in place of IDX files: each error says what the file is and what to do.

use super::*;

/// Names of formats, their first bytes, what the error says, and its advice.
const FORMATS: [(&str, &[u8], &str, &str); 20] = [
    (
        "zip",
        b"PK\x03\x04\x14\0\0\0\x08\0 and so on",
        "a zip archive",
        "unpack it",
    ),
    (
        "npy",
        b"\x93NUMPY\x01\0v\0{'descr'",
        "a NumPy array (.npy)",
        "write its numbers as IDX files",
    ),
    (
        "html",
        b"\n  <!DOCTYPE html>\n<html><title>Sign in",
        "a web page (HTML)",
        "download the file again",
    ),
    (
        "html, upper case",
        b"<HTML><BODY>404",
        "a web page (HTML)",
        "download the file again",
    ),
    (
        "html, BOM",
        b"\xef\xbb\xbf<html>",
        "a web page (HTML)",
        "download the file again",
    ),
    (
        "xml",
        b"<?xml version=\"1.0\"?><Error>",
        "an XML document",
        "download the file again",
    ),
    (
        "json",
        b"{\"message\": \"Not Found\"}",
        "a JSON document",
        "download the file again",
    ),
    (
        "git lfs",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 9912422\n",
        "a Git LFS pointer",
        "run `git lfs pull`",
    ),
    (
        "git-annex",
        b"/annex/objects/SHA256E-s1",
        "a git-annex pointer",
        "run `git annex get`",
    ),
    (
        "png",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        "a single PNG image",
        "write all images into one IDX file",
    ),
    (
        "jpeg",
        b"\xff\xd8\xff\xe0\0\x10JFIF",
        "a single JPEG image",
        "write all images into one IDX file",
    ),
    (
        "mat",
        b"MATLAB 5.0 MAT-file, Platform",
        "a MATLAB file",
        "write its numbers as IDX files",
    ),
    (
        "hdf5",
        b"\x89HDF\r\n\x1a\n\0",
        "an HDF5 file",
        "write its numbers as IDX files",
    ),
    (
        "parquet",
        b"PAR1\x15\x04",
        "a Parquet file",
        "write its numbers as IDX files",
    ),
    ("xz", b"\xfd7zXZ\0\0\x04", "an xz file", "unpack it"),
    ("bzip2", b"BZh91AY&SY", "a bzip2 file", "unpack it"),
    (
        "zstd",
        b"\x28\xb5\x2f\xfd\x04",
        "a Zstandard file",
        "unpack it",
    ),
    (
        "csv",
        b"label,pixel0\n5,0\n",
        "text that begins with \"label,pixel0",
        "docs/guide.md",
    ),
    ("zeros", &[0; 100], "zero bytes", "get the file again"),
    ("empty", b"", "an empty file", "get the file again"),
];

/// Returns all formats: also those that are built.
fn formats() -> Vec<(&'static str, Vec<u8>, &'static str, &'static str)> {
    let mut tar = vec![b'a'; 512];
    tar[257..262].copy_from_slice(b"ustar");
    let header = [&b"PK\x03\x04\x14\0\0\0\0\0"[..], &[0; 16], &[11, 0, 0, 0]].concat();
    let npz = [&header[..], b"x_train.npy..."].concat();
    let twice = gzip(&Files::valid().images);
    let built = [
        (
            "gzip twice",
            twice,
            "a gzip file inside a gzip file",
            "unpack it once",
        ),
        ("tar", tar, "a tar archive", "unpack it"),
        (
            "npz",
            npz,
            "a NumPy archive (.npz)",
            "write its numbers as IDX files",
        ),
    ];
    let constant =
        FORMATS.map(|(name, bytes, found, advice)| (name, bytes.to_vec(), found, advice));
    built.into_iter().chain(constant).collect()
}

#[test]
fn foreign_files_are_named_with_advice() {
    for (name, bytes, found, advice) in formats() {
        // A gzip file is one inside another only if it is packed.
        let plain = (name != "gzip twice").then(|| bytes.clone());
        for bytes in plain.into_iter().chain([gzip(&bytes)]) {
            let images = error_of(|files| files.images = bytes.clone()).to_string();
            let labels = error_of(|files| files.labels = bytes).to_string();
            for (text, file, content) in [
                (images, IMAGES_NAME, "IDX images"),
                (labels, LABELS_NAME, "IDX labels"),
            ] {
                assert!(
                    text.starts_with(&format!("{file}: expected {content}, found ")),
                    "{name}: {text}"
                );
                assert!(text.contains(found), "{name}: no {found:?} in {text}");
                assert!(text.contains(advice), "{name}: no {advice:?} in {text}");
            }
        }
    }
}

/// Text is quoted in part, without control characters and cut between characters.
#[test]
fn long_text_is_quoted_in_part() {
    let text = "é".repeat(400);
    let error = error_of(|files| files.images = text.clone().into_bytes()).to_string();
    assert!(
        error.contains(&format!("begins with \"{}\"", "é".repeat(40))),
        "{error}"
    );
    let control = error_of(|files| files.images = b"abc\x07def, then more".to_vec()).to_string();
    assert!(control.ends_with("found 0x61626307"), "{control}");
}

/// Headers announce the shape, so that a few bytes of each file decide about long work.
#[test]
fn headers_are_read_from_beginnings() {
    let files = Files::valid();
    let beginnings = Files {
        images: files.images[..16].to_vec(),
        labels: files.labels[..8].to_vec(),
    };
    let shape = beginnings.pair().shape().unwrap();
    assert_eq!((shape.count, shape.rows, shape.cols), (3, 2, 2));
    assert_eq!(beginnings.pair().held_out_shape(shape), Ok(shape));
    assert!(matches!(
        beginnings.training(),
        Err(DatasetError::TruncatedBody { .. })
    ));
}
