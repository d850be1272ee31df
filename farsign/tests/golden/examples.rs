//! The examples of docs/protocol.md: blocks of hexadecimal bytes.

use std::ops::Range;

pub const DOCUMENT: &str = include_str!("../../../docs/protocol.md");

const BYTES_PER_LINE: usize = 32;

/// Compares the document's examples with `expected`, in order, or rewrites them if `FARSIGN_WRITE_GOLDEN` is set.
pub fn check(expected: &[Vec<u8>]) {
    let documented = examples();
    assert_eq!(documented.len(), expected.len(), "number of examples");
    if std::env::var_os("FARSIGN_WRITE_GOLDEN").is_some() {
        let mut document = DOCUMENT.to_owned();
        let changed = documented
            .into_iter()
            .zip(expected)
            .filter(|((_, found), bytes)| found != *bytes);
        for ((range, _), bytes) in changed.rev() {
            document.replace_range(range, &render(bytes));
        }
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/protocol.md");
        std::fs::write(path, document).expect("the document is writable");
        return;
    }
    for (n, ((_, found), bytes)) in documented.iter().zip(expected).enumerate() {
        let expected = render(bytes);
        assert!(
            found == bytes,
            "example {n} of docs/protocol.md, expected:\n{expected}"
        );
    }
}

/// Returns the document's examples: the range of their lines, and their bytes.
fn examples() -> Vec<(Range<usize>, Vec<u8>)> {
    let mut examples = Vec::new();
    let mut at = 0;
    while let Some(start) = DOCUMENT[at..].find("```text\n") {
        let start = at + start + "```text\n".len();
        let end = start + DOCUMENT[start..].find("```").expect("blocks end");
        let block = DOCUMENT[start..end].split_whitespace();
        if let Some(bytes) = block.map(byte).collect() {
            examples.push((start..end, bytes));
        }
        at = end + "```".len();
    }
    examples
}

fn byte(word: &str) -> Option<u8> {
    let digits = Some(word).filter(|word| word.len() == 2);
    digits.and_then(|word| u8::from_str_radix(word, 16).ok())
}

fn render(bytes: &[u8]) -> String {
    let line = |bytes: &[u8]| {
        let words: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        words.join(" ") + "\n"
    };
    bytes.chunks(BYTES_PER_LINE).map(line).collect()
}
