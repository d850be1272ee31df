//! The repository's text files.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

/// Endings of text files that rules apply to.
const ENDINGS: [&str; 15] = [
    "cff", "css", "html", "js", "json", "md", "mjs", "py", "rs", "sh", "toml", "ts", "txt", "yaml",
    "yml",
];

/// Folders that are generated or not the project's, relative to the root, with `*` for any name.
const IGNORED: [&str; 14] = [
    ".git",
    ".tools",
    "data",
    "farsign-state",
    "results",
    "target",
    "tests/fuzz/artifacts",
    "tests/fuzz/corpus",
    "tests/fuzz/target",
    "www/pkg",
    "*/.pkg-new",
    "*/.pkg-old",
    "*/node_modules",
    "*/__pycache__",
];

/// A text file.
#[derive(Debug)]
pub struct File {
    /// The path relative to the root, with `/` between folders.
    pub path: String,
    pub text: String,
}

impl File {
    /// Returns whether the file is below a folder, which ends with `/`.
    pub fn is_below(&self, folder: &str) -> bool {
        self.path.starts_with(folder)
    }

    /// Returns whether the file's name has this ending.
    pub fn has_ending(&self, ending: &str) -> bool {
        Path::new(&self.path)
            .extension()
            .is_some_and(|found| found == ending)
    }

    /// Returns lines of Rust with their numbers, without comments and without unit tests.
    pub fn product_lines(&self) -> Vec<(usize, &str)> {
        let mut lines = Vec::new();
        let mut skipped: Option<SkippedItem> = None;
        for (index, line) in self.text.lines().enumerate() {
            let code = line.trim();
            if let Some(item) = &mut skipped {
                if item.ends_with(code) {
                    skipped = None;
                }
            } else if code.starts_with("#[cfg(test)]") || code.starts_with("#[cfg(all(test") {
                skipped = Some(SkippedItem::default());
            } else if !code.starts_with("//") {
                lines.push((index + 1, line));
            }
        }
        lines
    }
}

/// An item after `#[cfg(test)]`, which ends with its braces or its first semicolon.
#[derive(Default)]
struct SkippedItem {
    depth: i32,
    opened: bool,
}

impl SkippedItem {
    fn ends_with(&mut self, line: &str) -> bool {
        let count = |brace| line.matches(brace).count() as i32;
        self.depth += count('{') - count('}');
        self.opened |= line.contains('{');
        if self.opened {
            self.depth <= 0
        } else {
            line.ends_with(';')
        }
    }
}

/// All text files of the repository.
pub struct Tree(Vec<File>);

impl Tree {
    /// Reads all files below `root`, sorted by path.
    pub fn read(root: &Path) -> Result<Self> {
        let mut files = Vec::new();
        collect(root, "", &mut files)?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self(files))
    }

    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Self {
        let file = |&(path, text): &(&str, &str)| File {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        Self(files.iter().map(file).collect())
    }

    pub fn files(&self) -> &[File] {
        &self.0
    }

    /// Returns Rust files below a folder, which ends with `/`.
    pub fn rust<'tree>(&'tree self, folder: &'tree str) -> impl Iterator<Item = &'tree File> {
        self.0
            .iter()
            .filter(move |file| file.is_below(folder) && file.has_ending("rs"))
    }

    pub fn get(&self, path: &str) -> Option<&File> {
        self.0.iter().find(|file| file.path == path)
    }
}

fn collect(root: &Path, folder: &str, files: &mut Vec<File>) -> Result<()> {
    let absolute = root.join(folder);
    for entry in fs::read_dir(&absolute).with_context(|| absolute.display().to_string())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() {
            name
        } else {
            format!("{folder}/{name}")
        };
        let kind = entry.file_type()?;
        if kind.is_dir() && !is_ignored(&path) {
            collect(root, &path, files)?;
        } else if kind.is_file()
            && path
                .rsplit_once('.')
                .is_some_and(|(_, e)| ENDINGS.contains(&e))
        {
            // A file that vanishes meanwhile is no file of the repository.
            if let Ok(text) = fs::read_to_string(entry.path()) {
                files.push(File { path, text });
            }
        }
    }
    Ok(())
}

fn is_ignored(path: &str) -> bool {
    IGNORED
        .iter()
        .any(|ignored| match ignored.strip_prefix("*/") {
            Some(name) => path.rsplit('/').next() == Some(name),
            None => path == *ignored,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn product_lines_exclude_tests_and_comments() {
        let text = "//! head\nuse a;\n#[cfg(test)]\nmod tests {\n    fn f() {}\n}\nfn g() {}\n#[cfg(test)]\nmod t;\nlast";
        let file = File {
            path: "a.rs".to_owned(),
            text: text.to_owned(),
        };
        assert_eq!(
            file.product_lines(),
            [(2, "use a;"), (7, "fn g() {}"), (10, "last")]
        );
    }

    #[test]
    fn generated_folders_are_ignored() {
        assert!(
            is_ignored("target")
                && is_ignored("www/pkg")
                && is_ignored("tests/page-tools/node_modules")
        );
        assert!(!is_ignored("docs/results") && !is_ignored("xtask/target"));
    }
}
