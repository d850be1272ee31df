//! Sections of `docs/performance.md`: whether the files that they measure have changed since.
//!
//! A section ends with a hidden line that has a digest of its files at the measurement. While the files differ, a visible
//! line at the start of the section must say that it is outdated; otherwise there must be no such line.

use anyhow::{Context as _, Result};
use regex_lite::Regex;

use super::Findings;
use super::tree::{File, Tree};
use crate::shell::Shell;

const DOCUMENT: &str = "docs/performance.md";

/// Start of the visible line of an outdated section.
const OUTDATED: &str = "> **Outdated.**";

/// A measured section.
struct Section {
    /// Name on the command line and in the document's markers.
    name: &'static str,
    /// Files, and folders with `/` at the end, that determine the figures.
    files: &'static [&'static str],
}

/// All sections of the document.
const SECTIONS: [Section; 6] = [
    Section {
        name: "browser",
        files: &[
            "bench/page/",
            "bench/src/browser/",
            "farsign/src/kernels/",
            "farsign/src/math.rs",
            "farsign/src/minibatch.rs",
            "farsign/src/momentum.rs",
            "farsign/src/sign.rs",
            "farsign/src/sign_update.rs",
            "farsign/src/simd.rs",
        ],
    },
    Section {
        name: "time-to-accuracy",
        files: &[
            "bench/src/end_to_end.rs",
            "bench/src/time_to_accuracy.rs",
            "farsign/src/assignment.rs",
            "farsign/src/kernels/sparse/",
            "farsign/src/minibatch.rs",
            "farsign/src/momentum.rs",
            "farsign/src/optimizer/mod.rs",
            "farsign/src/schedule.rs",
            "farsign/src/sign_update.rs",
            "farsign/src/step.rs",
            "farsign/src/weighting.rs",
            "server/src/gateway/snapshot.rs",
            "server/src/learner/live.rs",
            "server/src/session/mod.rs",
            "volunteer/src/worker.rs",
        ],
    },
    Section {
        name: "server",
        files: &[
            "bench/src/server/",
            "farsign/src/optimizer/mod.rs",
            "farsign/src/sign.rs",
            "farsign/src/simd.rs",
            "farsign/src/step.rs",
            "farsign/src/learner/update.rs",
            "farsign/src/wire/",
            "server/src/gateway/mod.rs",
            "server/src/gateway/snapshot.rs",
            "server/src/learner/live.rs",
            "server/src/session/",
        ],
    },
    Section {
        name: "fleet",
        files: &[
            "bench/src/fleet/",
            "farsign/src/assignment.rs",
            "farsign/src/delta_coding/",
            "farsign/src/version/",
            "farsign/src/volunteer.rs",
            "farsign/src/wire/",
            "server/src/gateway/snapshot.rs",
            "server/src/session/",
        ],
    },
    Section {
        name: "optimizer-step",
        files: &[
            "bench/src/optimizer_step.rs",
            "farsign/src/direction/mod.rs",
            "farsign/src/optimizer/mod.rs",
            "farsign/src/sign.rs",
            "farsign/src/simd.rs",
            "farsign/src/step.rs",
            "farsign/src/weighting.rs",
        ],
    },
    Section {
        name: "bandwidth",
        files: &[
            "bench/src/bandwidth.rs",
            "bench/src/end_to_end.rs",
            "farsign/src/wire/",
            "server/src/gateway/snapshot.rs",
            "server/src/session/mod.rs",
        ],
    },
];

/// Returns whether the document has a section of this name.
pub fn is_section(name: &str) -> bool {
    SECTIONS.iter().any(|section| section.name == name)
}

/// Returns the name and the present digest of every section.
pub fn digests(shell: &Shell) -> Result<Vec<(&'static str, String)>> {
    let tree = Tree::read(shell.root())?;
    let digest = |section: &Section| (section.name, section.digest(&tree));
    Ok(SECTIONS.iter().map(digest).collect())
}

/// Marks the sections whose files have changed since as outdated, and no others.
pub fn mark_outdated(shell: &Shell) -> Result<()> {
    let tree = Tree::read(shell.root())?;
    let mut text = shell.read(DOCUMENT)?;
    for section in &SECTIONS {
        let block = section.find(&text).with_context(|| missing(section))?;
        let marked = section.marked(block, &section.digest(&tree));
        let marked = marked.with_context(|| missing(section))?;
        let is_outdated = marked.contains(OUTDATED);
        println!(
            "{}: {}",
            section.name,
            if is_outdated {
                "outdated"
            } else {
                "up to date"
            }
        );
        let opening = format!("<!-- bench:{} -->", section.name); // blocks without figures are equal
        text = text.replace(&format!("{opening}{block}"), &format!("{opening}{marked}"));
    }
    std::fs::write(shell.root().join(DOCUMENT), text).context(DOCUMENT)
}

pub fn check(tree: &Tree, findings: &mut Findings) {
    let text = tree.get(DOCUMENT).map_or("", |file| &file.text);
    for section in &SECTIONS {
        check_section(section, text, tree, findings);
    }
    let is_outdated = |section: &&Section| section.find(text).is_some_and(|b| b.contains(OUTDATED));
    let outdated: Vec<&str> = SECTIONS
        .iter()
        .filter(is_outdated)
        .map(|section| section.name)
        .collect();
    if !outdated.is_empty() {
        println!(
            "{DOCUMENT} has outdated sections, to be measured on an idle machine: {}",
            outdated.join(", ")
        );
    }
    let marker = Regex::new(r"<!-- bench:([\w-]+) -->").expect("the pattern is valid");
    for found in marker.captures_iter(text) {
        if !is_section(&found[1]) {
            let message = format!(
                "section `{}`: xtask/src/lint/measured_files.rs lacks the files that it measures",
                &found[1]
            );
            findings.add(DOCUMENT, 0, message);
        }
    }
}

fn check_section(section: &Section, text: &str, tree: &Tree, findings: &mut Findings) {
    for path in section.files {
        if !tree.files().iter().any(|file| is_at(file, path)) {
            let message = format!(
                "section `{}` measures `{path}`, which does not exist; if it moved, update \
                 xtask/src/lint/measured_files.rs",
                section.name
            );
            findings.add(DOCUMENT, 0, message);
        }
    }
    let digest = section.digest(tree);
    let block = section.find(text);
    let marked = block.and_then(|block| section.marked(block, &digest));
    if marked.is_none() {
        findings.add(DOCUMENT, 0, missing(section));
    } else if marked.as_deref() != block {
        findings.add(DOCUMENT, 0, section.difference(block, &digest));
    }
}

fn missing(section: &Section) -> String {
    let name = section.name;
    format!(
        "section `{name}` lacks its markers or the digest of its files: run `cargo xtask bench --write {name}`"
    )
}

fn is_at(file: &File, path: &str) -> bool {
    file.path == path || (path.ends_with('/') && file.is_below(path))
}

impl Section {
    /// Returns a digest of the files' code. It depends neither on comments, whitespace and unit tests nor on names.
    fn digest(&self, tree: &Tree) -> String {
        let is_measured = |file: &&File| {
            let is_code = file.has_ending("rs") || file.has_ending("js");
            is_code
                && !file.path.ends_with("tests.rs")
                && self.files.iter().any(|path| is_at(file, path))
        };
        let hashes = tree.files().iter().filter(is_measured);
        let sum = hashes.fold(0u64, |sum, file| sum.wrapping_add(hash(&bare_code(file))));
        format!("{sum:016x}")
    }

    /// Returns the part of the document between the section's markers. `None` if a marker is missing.
    fn find<'text>(&self, text: &'text str) -> Option<&'text str> {
        let (_, rest) = text.split_once(&format!("<!-- bench:{} -->", self.name))?;
        Some(
            rest.split_once(&format!("<!-- /bench:{} -->", self.name))?
                .0,
        )
    }

    /// Returns the section, with the mark of an outdated one if its digest is another. `None` if it has no digest.
    fn marked(&self, block: &str, present: &str) -> Option<String> {
        let hidden = Regex::new(r"\s*<!-- files (\w+) -->\s*$").expect("the pattern is valid");
        let found = hidden.captures(block)?;
        let mut body = block[..found.get(0)?.start()].trim();
        if body.starts_with(OUTDATED) {
            body = body.split_once("\n\n").map_or("", |(_, rest)| rest);
        }
        let measured = &found[1];
        let notice = if measured == present {
            String::new()
        } else {
            format!("{}\n\n", self.notice())
        };
        Some(format!(
            "\n\n{notice}{body}\n\n<!-- files {measured} -->\n\n"
        ))
    }

    /// Returns the visible line of an outdated section.
    fn notice(&self) -> String {
        let name = self.name;
        format!(
            "{OUTDATED} The figures are those of an earlier state: files that are measured here have changed since. \
             `cargo xtask bench --write {name}` measures them again."
        )
    }

    /// Describes why a section differs from what its digest implies.
    fn difference(&self, block: Option<&str>, present: &str) -> String {
        let name = self.name;
        if block.is_some_and(|block| block.contains(&format!("<!-- files {present} -->"))) {
            return format!(
                "section `{name}` of {DOCUMENT} measures files that have not changed since: run \
                 `cargo xtask bench --outdated`, which removes its mark"
            );
        }
        format!(
            "section `{name}` of {DOCUMENT} measures files that have changed since: run \
             `cargo xtask bench --write {name}` on an idle machine; until then, `cargo xtask bench --outdated` marks \
             the section"
        )
    }
}

/// Returns the code of a file without comments, whitespace and unit tests.
fn bare_code(file: &File) -> String {
    // Texts and characters come first, so that slashes and quotes in them are not taken for comments and texts.
    let part =
        Regex::new(r#""(?:[^"\\]|\\.|\\\n)*"|'(?:[^'\\\n]|\\.)'|//[^\n]*|/\*(?s:.*?)\*/|\s+"#)
            .expect("the pattern is valid");
    let lines = file.product_lines().into_iter().map(|(_, line)| line);
    let code = lines.collect::<Vec<_>>().join("\n");
    let kept = |found: &regex_lite::Captures<'_>| {
        let part = &found[0];
        let is_text = part.starts_with(['"', '\'']);
        if is_text {
            part.to_owned()
        } else {
            String::new()
        }
    };
    part.replace_all(&code, kept).into_owned()
}

/// Returns the hash of a text (FNV-1a), the same with every compiler.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECTION: Section = Section {
        name: "x",
        files: &["a/", "b.rs"],
    };

    fn digest(code: &str) -> String {
        SECTION.digest(&Tree::of(&[
            ("a/one.rs", code),
            ("b.rs", "fn b() {}\n"),
            ("c.rs", ""),
        ]))
    }

    fn messages(document: &str, code: &str) -> Vec<String> {
        let files = [("a/one.rs", code), ("b.rs", "fn b() {}\n")];
        let mut findings = Findings::default();
        check_section(&SECTION, document, &Tree::of(&files), &mut findings);
        findings
            .0
            .into_iter()
            .map(|finding| finding.message)
            .collect()
    }

    fn document(block: &str) -> String {
        format!("# T\n\n<!-- bench:x -->{block}<!-- /bench:x -->\n")
    }

    #[test]
    fn digest_ignores_comments_and_whitespace() {
        let plain = "let url = \"http://a b\"; let c = '\"'; f(c);\n";
        let commented = "//! About\nlet url = \"http://a b\"; // why\n/* long\n   and \" */\n    let c =\n'\"'; f(c);\n\
                         #[cfg(test)]\nmod tests {\n    fn g() {}\n}\n";
        assert_eq!(digest(plain), digest(commented));
        for changed in [
            plain.replace("http://a b", "http://a c"),
            plain.replace("f(c)", "g(c)"),
            plain.replace("'\"'", "'x'"),
        ] {
            assert_ne!(digest(plain), digest(&changed), "{changed}");
        }
    }

    #[test]
    fn changed_file_makes_section_stale() {
        let measured = document(&format!(
            "\n\nText.\n\n<!-- files {} -->\n\n",
            digest("fn f() {}")
        ));
        assert!(messages(&measured, "fn f() { /* faster */ }").is_empty());
        let found = messages(&measured, "fn f() { g() }");
        assert_eq!(found.len(), 1);
        assert!(
            found[0].contains("cargo xtask bench --write x"),
            "{found:?}"
        );
    }

    #[test]
    fn outdated_section_needs_its_mark() {
        let measured = format!("\n\nText.\n\n<!-- files {} -->\n\n", digest("fn f() {}"));
        let marked = SECTION
            .marked(&measured, &digest("fn f() { g() }"))
            .unwrap();
        assert!(marked.contains(OUTDATED) && marked.contains("\n\nText.\n\n"));
        let marked = document(&marked);
        assert!(messages(&marked, "fn f() { g() }").is_empty());
        let hidden = marked.replace(OUTDATED, "");
        assert_eq!(messages(&hidden, "fn f() { g() }").len(), 1);
    }

    #[test]
    fn mark_of_current_section_is_removed() {
        let measured = format!("\n\nText.\n\n<!-- files {} -->\n\n", digest("fn f() {}"));
        let marked = SECTION
            .marked(&measured, &digest("fn f() { g() }"))
            .unwrap();
        let found = messages(&document(&marked), "fn f() {}");
        assert!(found[0].contains("have not changed"), "{found:?}");
        assert_eq!(
            SECTION.marked(&marked, &digest("fn f() {}")).unwrap(),
            measured
        );
    }

    #[test]
    fn section_without_digest_is_found() {
        for block in [document("\n\nText.\n\n"), "# T\n".to_owned()] {
            let found = messages(&block, "fn f() {}");
            assert!(found[0].contains("lacks its markers"), "{found:?}");
        }
    }

    #[test]
    fn table_names_existing_files() {
        let mut findings = Findings::default();
        check_section(&SECTION, "", &Tree::of(&[("a/one.rs", "")]), &mut findings);
        assert!(findings.0[0].message.contains("`b.rs`"), "{findings:?}");
    }
}
