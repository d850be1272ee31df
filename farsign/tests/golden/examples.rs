//! The examples of docs/protocol.md and docs/check-values.md: blocks of hexadecimal bytes.

use std::ops::Range;

/// A document with examples: its path from the root of the repository, and its text.
struct Document {
    path: &'static str,
    text: &'static str,
}

const DOCUMENTS: [Document; 2] = [
    Document {
        path: "docs/protocol.md",
        text: include_str!("../../../docs/protocol.md"),
    },
    Document {
        path: "docs/check-values.md",
        text: include_str!("../../../docs/check-values.md"),
    },
];

const BYTES_PER_LINE: usize = 32;

/// Returns the text of both documents.
pub fn texts() -> [&'static str; 2] {
    DOCUMENTS.map(|document| document.text)
}

/// Compares the examples of the documents with `expected`, in order, or rewrites them if `FARSIGN_WRITE_GOLDEN` is set.
pub fn check(expected: &[Vec<u8>]) {
    let mut expected = expected;
    for document in DOCUMENTS {
        let documented = examples(document.text);
        assert!(documented.len() <= expected.len(), "number of examples");
        let (of_document, rest) = expected.split_at(documented.len());
        check_document(&document, documented, of_document);
        expected = rest;
    }
    assert!(expected.is_empty(), "number of examples");
}

fn check_document(document: &Document, documented: Vec<Example>, expected: &[Vec<u8>]) {
    let Document { path, text } = document;
    if std::env::var_os("FARSIGN_WRITE_GOLDEN").is_some() {
        let mut text = (*text).to_owned();
        let changed = documented
            .into_iter()
            .zip(expected)
            .filter(|((_, found), bytes)| found != *bytes);
        for ((range, _), bytes) in changed.rev() {
            text.replace_range(range, &render(bytes));
        }
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
        std::fs::write(format!("{root}/{path}"), text).expect("the document is writable");
        return;
    }
    for (n, ((_, found), bytes)) in documented.iter().zip(expected).enumerate() {
        let expected = render(bytes);
        assert!(
            found == bytes,
            "example {n} of {path}, expected:\n{expected}"
        );
    }
}

/// The range of an example's lines, and its bytes.
type Example = (Range<usize>, Vec<u8>);

/// Returns the examples of a document.
fn examples(document: &str) -> Vec<Example> {
    let mut examples = Vec::new();
    let mut at = 0;
    while let Some(start) = document[at..].find("```text\n") {
        let start = at + start + "```text\n".len();
        let end = start + document[start..].find("```").expect("blocks end");
        let block = document[start..end].split_whitespace();
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
