//! The list of shards as the server sends it: JSON.

use farsign::dataset::{ShardList, ShardListError};
use serde::Deserialize;

/// An invalid list of shards.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ListError {
    #[error("expected the JSON of /api/v1/data/shards, found other content: {0}")]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Shards(#[from] ShardListError),
}

#[derive(Debug, Deserialize)]
struct List {
    rows: usize,
    cols: usize,
    classes: usize,
    shards: Vec<Shard>,
}

#[derive(Debug, Deserialize)]
struct Shard {
    digest: String,
    images: usize,
}

/// Parses the list.
///
/// # Errors
/// Returns an error if the text is not a list that a training set can have.
pub fn parse(json: &[u8]) -> Result<ShardList, ListError> {
    let list: List = serde_json::from_slice(json)?;
    let shards = list
        .shards
        .iter()
        .map(|shard| (&*shard.digest, shard.images));
    let list = ShardList::from_hexadecimal(list.rows, list.cols, list.classes, shards);
    Ok(list?)
}

#[cfg(test)]
mod tests {
    use farsign::dataset::ShardEntry;

    use super::*;

    fn json(digest: &str, images: u64) -> String {
        format!(
            r#"{{"digest": "", "rows": 2, "cols": 2, "classes": 2, "images": 1, "bytes": 1,
                "shards": [{{"digest": "{digest}", "images": {images}, "bytes": 1}}]}}"#
        )
    }

    #[test]
    fn list_is_read_from_json() {
        let list = parse(json(&"0a".repeat(32), 3).as_bytes()).unwrap();
        let entry = ShardEntry {
            digest: [10; 32],
            images: 3,
        };
        assert_eq!((list.entries(), list.pixels()), (&[entry][..], 4));
    }

    #[test]
    fn invalid_list_names_the_fault() {
        for (json, expected) in [
            (
                "<html>".to_owned(),
                "expected the JSON of /api/v1/data/shards",
            ),
            (json("0a", 1), "shard 0: expected a digest"),
            (json(&"0a".repeat(32), 0), "at least one image in shard 0"),
            (
                json(&"0a".repeat(32), u64::MAX / 2),
                "at most 1073741824 bytes",
            ),
        ] {
            let found = parse(json.as_bytes()).unwrap_err().to_string();
            assert!(found.contains(expected), "{expected:?} in {found}");
        }
    }
}
