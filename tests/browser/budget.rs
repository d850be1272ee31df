//! The size of the pages.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::{Compression, write::GzEncoder};

/// Maximum compressed size of all pages together, without the data.
const MAX_BYTES: usize = 315_000;

/// Returns the files under `www/` that browsers load.
fn page_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path());
    let loaded = ["html", "css", "js", "svg", "wasm"];
    let files = entries.flat_map(|path| {
        if path.is_dir() {
            page_files(&path)
        } else {
            vec![path]
        }
    });
    files
        .filter(|path| {
            path.extension()
                .is_some_and(|e| loaded.iter().any(|l| e == *l))
        })
        .collect()
}

#[test]
fn compressed_pages_fit_the_budget() {
    let www = Path::new(env!("CARGO_MANIFEST_DIR")).join("../www");
    let compressed = |path: &PathBuf| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder
            .write_all(&fs::read(path).expect("a file of the page"))
            .expect("a write to memory");
        encoder.finish().expect("a write to memory").len()
    };
    let files = page_files(&www);
    assert!(
        files
            .iter()
            .any(|path| path.ends_with("pkg/farsign_worker_bg.wasm")),
        "{files:?}"
    );
    let bytes: usize = files.iter().map(compressed).sum();
    println!("{} files, {bytes} bytes compressed", files.len());
    assert!(bytes < MAX_BYTES, "{bytes} bytes compressed: {files:#?}");
}
