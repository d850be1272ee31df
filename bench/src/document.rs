//! Generated parts of a document, each between two hidden markers.

use anyhow::{Context as _, Result};

/// Returns `text` with the part between `<!-- bench:NAME -->` and `<!-- /bench:NAME -->` replaced by `block`.
///
/// # Errors
///
/// Returns an error if a marker is missing.
pub fn replace(text: &str, name: &str, block: &str) -> Result<String> {
    let open = format!("<!-- bench:{name} -->");
    let close = format!("<!-- /bench:{name} -->");
    let missing = |marker: &str| format!("missing marker {marker}");
    let (before, rest) = text.split_once(&open).with_context(|| missing(&open))?;
    let (_, after) = rest.split_once(&close).with_context(|| missing(&close))?;
    Ok(format!(
        "{before}{open}\n\n{}\n\n{close}{after}",
        block.trim()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replace_changes_named_part_once() {
        let text =
            "a\n<!-- bench:x -->\nold\n<!-- /bench:x -->\nb\n<!-- bench:y --><!-- /bench:y -->\n";
        let once = replace(text, "x", "new\n").unwrap();
        let expected = "a\n<!-- bench:x -->\n\nnew\n\n<!-- /bench:x -->\nb\n<!-- bench:y --><!-- /bench:y -->\n";
        assert_eq!(once, expected);
        assert_eq!(replace(&once, "x", "new").unwrap(), once);
    }

    #[test]
    fn missing_marker_is_reported() {
        let error = replace("<!-- bench:x --> no end", "x", "new").unwrap_err();
        assert!(error.to_string().contains("<!-- /bench:x -->"), "{error}");
    }
}
