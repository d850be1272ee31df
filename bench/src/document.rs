//! Generated parts of a document, each between two markers that Markdown does not show.

use anyhow::{Context as _, Result};

/// `text` with what stands between `<!-- bench:NAME -->` and `<!-- /bench:NAME -->` replaced.
///
/// # Errors
/// When a marker is missing.
pub fn replace(text: &str, name: &str, block: &str) -> Result<String> {
    let (open, close) = (format!("<!-- bench:{name} -->"), format!("<!-- /bench:{name} -->"));
    let missing = |marker: &str| format!("expected the marker {marker}, found none");
    let (before, rest) = text.split_once(&open).with_context(|| missing(&open))?;
    let (_, after) = rest.split_once(&close).with_context(|| missing(&close))?;
    Ok(format!("{before}{open}\n\n{}\n\n{close}{after}", block.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_part_is_replaced_and_doing_it_again_changes_nothing() {
        let text = "a\n<!-- bench:x -->\nold\n<!-- /bench:x -->\nb\n<!-- bench:y --><!-- /bench:y -->\n";
        let once = replace(text, "x", "new\n").unwrap();
        let expected =
            "a\n<!-- bench:x -->\n\nnew\n\n<!-- /bench:x -->\nb\n<!-- bench:y --><!-- /bench:y -->\n";
        assert_eq!(once, expected);
        assert_eq!(replace(&once, "x", "new").unwrap(), once);
    }

    #[test]
    fn a_missing_marker_is_named() {
        let error = replace("<!-- bench:x --> no end", "x", "new").unwrap_err();
        assert!(error.to_string().contains("<!-- /bench:x -->"), "{error}");
    }
}
