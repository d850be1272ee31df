//! Rules on documents: what they link to and name exists.

use std::collections::HashSet;
use std::path::Path;

use regex_lite::Regex;

use super::Findings;
use super::source::test_names;
use super::tree::{File, Tree};

/// The table of invariants, each with the tests that enforce it.
const INVARIANTS: &str = "docs/invariants.md";

/// The fewest tests that the table of invariants names.
const MIN_NAMED_TESTS: usize = 60;

/// Names of other projects.
const EXTERNAL: [&str; 1] = ["TCP_NODELAY"];

pub fn check(tree: &Tree, root: &Path, findings: &mut Findings) {
    let names = Names::of(tree);
    for file in tree.files().iter().filter(|file| is_document(file)) {
        check_links(tree, root, file, findings);
        check_spans(&names, root, file, findings);
    }
    check_invariants(tree, findings);
}

fn is_document(file: &File) -> bool {
    file.has_ending("md") && !file.path.contains("vendor/") && file.path != "CHANGELOG.md"
}

/// The identifiers and file names that documents may mention.
struct Names<'tree> {
    identifiers: HashSet<&'tree str>,
    files: HashSet<&'tree str>,
}

impl<'tree> Names<'tree> {
    fn of(tree: &'tree Tree) -> Self {
        let sources = tree.files().iter().filter(|file| !file.has_ending("md"));
        let words = |text: &'tree str| text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let identifiers = sources.flat_map(|file| words(&file.text)).collect();
        let files = tree
            .files()
            .iter()
            .flat_map(|file| file.path.split('/'))
            .collect();
        Self { identifiers, files }
    }
}

/// Relative links lead to files and headings of the repository.
fn check_links(tree: &Tree, root: &Path, file: &File, findings: &mut Findings) {
    let link = Regex::new(r"\]\(([^)\s]+)\)").expect("the pattern is valid");
    let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    for (index, line) in prose_lines(&file.text) {
        let line: String = line.split('`').step_by(2).collect(); // without code
        for target in link.captures_iter(&line).filter_map(|found| found.get(1)) {
            let target = target.as_str();
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (path, heading) = target
                .split_once('#')
                .map_or((target, None), |(path, h)| (path, Some(h)));
            let path = if path.is_empty() {
                file.path.clone()
            } else {
                join(folder, path)
            };
            if !root.join(&path).exists() && tree.get(&path).is_none() {
                findings.add(
                    &file.path,
                    index,
                    format!("link to `{target}`, which does not exist"),
                );
            } else if let Some(heading) = heading
                && let Some(linked) = tree.get(&path)
                && linked.has_ending("md")
                && !headings(&linked.text).any(|found| found == heading)
            {
                findings.add(
                    &file.path,
                    index,
                    format!("link to `{target}`, which has no such heading"),
                );
            }
        }
    }
}

/// Joins a folder and a relative path, resolving `..`.
fn join(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => (),
            ".." => _ = parts.pop(),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Returns the anchors of a document's headings, as GitHub makes them.
fn headings(text: &str) -> impl Iterator<Item = String> {
    let titles = text.lines().filter(|line| line.starts_with('#'));
    titles.map(|line| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    })
}

/// Identifiers and paths in code spans exist.
fn check_spans(names: &Names<'_>, root: &Path, file: &File, findings: &mut Findings) {
    let identifier =
        Regex::new(r"^(?:[a-z][a-z0-9]*(?:_[a-z0-9]+){2,}|[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)$")
            .expect("the pattern is valid");
    let path = Regex::new(r"^[\w.-]+(?:/[\w.-]+)+(?:/|\.(?:rs|js|py|toml|md|html|css))$")
        .expect("the pattern is valid");
    let bare_file = Regex::new(r"^[\w-]+\.(?:rs|js|py)$").expect("the pattern is valid");
    let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    for (index, line) in prose_lines(&file.text) {
        for span in line.split('`').skip(1).step_by(2) {
            let exists = if identifier.is_match(span) {
                // Metrics have a suffix that the exporter adds.
                span.starts_with("farsign_")
                    || EXTERNAL.contains(&span)
                    || names.identifiers.contains(span)
                    || names.files.contains(span)
            } else if path.is_match(span) {
                let generated = ["target/", "results/", "www/pkg"]
                    .iter()
                    .any(|made| span.starts_with(made));
                let below = |base: &str| root.join(base).join(span).exists();
                generated
                    || ["", folder, "farsign/src", "server/src", "lab/src", "www"]
                        .into_iter()
                        .any(below)
            } else if bare_file.is_match(span) {
                names.files.contains(span)
            } else {
                true
            };
            if !exists {
                findings.add(&file.path, index, format!("`{span}` does not exist"));
            }
        }
    }
}

/// The table of invariants names tests.
fn check_invariants(tree: &Tree, findings: &mut Findings) {
    let tests: HashSet<&str> = tree
        .rust("")
        .flat_map(|file| test_names(&file.text))
        .collect();
    let Some(document) = tree.get(INVARIANTS) else {
        findings.add(INVARIANTS, 0, "expected the table of invariants");
        return;
    };
    let spans = document.text.split('`').skip(1).step_by(2);
    let named = spans.filter(|span| tests.contains(span)).count();
    if named < MIN_NAMED_TESTS {
        findings.add(
            INVARIANTS,
            0,
            format!("expected at least {MIN_NAMED_TESTS} names of tests, found {named}"),
        );
    }
}

/// Returns numbered lines outside fenced code.
fn prose_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fenced && !fence).then_some((index + 1, line))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(files: &[(&str, &str)]) -> Vec<String> {
        let tree = Tree::of(files);
        let mut findings = Findings::default();
        let names = Names::of(&tree);
        for file in tree.files().iter().filter(|file| is_document(file)) {
            check_links(&tree, Path::new("/nowhere"), file, &mut findings);
            check_spans(&names, Path::new("/nowhere"), file, &mut findings);
        }
        findings
            .0
            .into_iter()
            .map(|finding| finding.message)
            .collect()
    }

    #[test]
    fn broken_links_are_found() {
        let page = (
            "docs/a.md",
            "[x](b.md) [y](../c.md#one-two) [z](../c.md#three) [u](https://x.y)\n",
        );
        let found = messages(&[page, ("c.md", "# One, two\n")]);
        assert_eq!(
            found,
            [
                "link to `b.md`, which does not exist",
                "link to `../c.md#three`, which has no such heading"
            ]
        );
    }

    #[test]
    fn unknown_identifiers_are_found() {
        let page = (
            "a.md",
            "`known_test_name` `gone_test_name` `MAX_GONE` `word` `farsign_x_total`\n",
        );
        let found = messages(&[page, ("b.rs", "fn known_test_name() {}\n")]);
        assert_eq!(
            found,
            [
                "`gone_test_name` does not exist",
                "`MAX_GONE` does not exist"
            ]
        );
    }

    #[test]
    fn fenced_code_is_skipped() {
        assert!(messages(&[("a.md", "```sh\n`gone_test_name`\n```\n")]).is_empty());
    }
}
