//! One concept, one word: words that `docs/glossary.md` retires are not used.

use anyhow::{Context as _, Result, ensure};
use regex_lite::{Regex, RegexBuilder};

use super::Findings;
use super::tree::{File, Tree};

const DOCUMENT: &str = "docs/glossary.md";
const SECTION: &str = "## Retired words";

/// The fewest rows of the table; fewer mean that it was not read.
const MIN_ROWS: usize = 20;

/// Files that do not follow the glossary: itself, and texts of others.
const EXCLUDED: [&str; 4] = [
    DOCUMENT,
    "farsign/testdata/",
    "CODE_OF_CONDUCT.md",
    "www/vendor/",
];

/// A row of the table of retired words.
struct Retired {
    patterns: Vec<Pattern>,
    instead: String,
    /// Phrases that may contain a retired word.
    allowed: Vec<Regex>,
    /// Paths, with `*` for any text, of files that may use the words.
    exempt: Vec<String>,
    /// Paths of the files that the row applies to; all if empty.
    only: Vec<String>,
}

struct Pattern {
    regex: Regex,
    /// Lower-case text that every match contains, which is quicker to search for.
    needle: String,
}

/// A line, raw and with its identifiers split into words.
struct Line<'text> {
    number: usize,
    raw: &'text str,
    lower: String,
    /// `None` if there is nothing to split.
    split: Option<(String, String)>,
}

pub fn check(tree: &Tree, findings: &mut Findings) -> Result<()> {
    let Some(glossary) = tree.get(DOCUMENT) else {
        findings.add(DOCUMENT, 0, "expected the glossary");
        return Ok(());
    };
    let rows = read(&glossary.text)?;
    ensure!(
        rows.len() >= MIN_ROWS,
        "{DOCUMENT}: expected a table of at least {MIN_ROWS} rows, found {}",
        rows.len()
    );
    for file in tree
        .files()
        .iter()
        .filter(|file| !EXCLUDED.iter().any(|excluded| file.is_below(excluded)))
    {
        check_file(&rows, file, findings);
    }
    Ok(())
}

fn check_file(rows: &[Retired], file: &File, findings: &mut Findings) {
    let rows = rows.iter().filter(|row| row.applies_to(&file.path));
    let lower = file.text.to_lowercase();
    let split_lower = split_words(&file.text).to_lowercase();
    let mut lines: Option<Vec<Line<'_>>> = None;
    for row in rows {
        for pattern in &row.patterns {
            if !lower.contains(&pattern.needle) && !split_lower.contains(&pattern.needle) {
                continue;
            }
            for line in lines.get_or_insert_with(|| numbered_lines(&file.text)) {
                if let Some(word) = row.violation(pattern, line) {
                    findings.add(
                        &file.path,
                        line.number,
                        format!("\"{word}\" is retired; say: {}", row.instead),
                    );
                }
            }
        }
    }
}

fn numbered_lines(text: &str) -> Vec<Line<'_>> {
    let lines = text.lines().enumerate();
    lines
        .map(|(index, raw)| {
            let split = Some(split_words(raw)).filter(|split| split != raw);
            let split = split
                .map(|split| (split.to_lowercase(), split))
                .map(|(lower, split)| (split, lower));
            Line {
                number: index + 1,
                raw,
                lower: raw.to_lowercase(),
                split,
            }
        })
        .collect()
}

impl Retired {
    fn applies_to(&self, path: &str) -> bool {
        let matches = |globs: &[String]| globs.iter().any(|glob| matches_glob(glob, path));
        !matches(&self.exempt) && (self.only.is_empty() || matches(&self.only))
    }

    /// Returns the first retired word of a line that is not part of an allowed phrase.
    fn violation(&self, pattern: &Pattern, line: &Line<'_>) -> Option<String> {
        let split = line
            .split
            .as_ref()
            .map(|(text, lower)| (text.as_str(), lower.as_str()));
        let forms = [Some((line.raw, line.lower.as_str())), split];
        forms.into_iter().flatten().find_map(|(text, lower)| {
            if !lower.contains(&pattern.needle) {
                return None;
            }
            let mut matches = pattern.regex.find_iter(text);
            let word = matches.find(|word| {
                let covers = |phrase: regex_lite::Match<'_>| {
                    phrase.start() <= word.start() && word.end() <= phrase.end()
                };
                !self
                    .allowed
                    .iter()
                    .any(|allowed| allowed.find_iter(text).any(covers))
            })?;
            Some(word.as_str().to_owned())
        })
    }
}

/// Reads the rows ``| `pattern` `pattern` | instead | `allowed` `in:path` `only:path` |``.
fn read(glossary: &str) -> Result<Vec<Retired>> {
    let (_, section) = glossary
        .split_once(SECTION)
        .with_context(|| format!("{DOCUMENT}: expected `{SECTION}`"))?;
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| read_row(row).with_context(|| format!("{DOCUMENT}: {row}")))
        .collect()
}

fn read_row(row: &str) -> Result<Retired> {
    let cells = cells(row);
    let [patterns, instead, allowed] = cells.as_slice() else {
        anyhow::bail!("expected three cells, found {}", cells.len());
    };
    let mut retired = Retired {
        patterns: Vec::new(),
        instead: instead.clone(),
        allowed: Vec::new(),
        exempt: Vec::new(),
        only: Vec::new(),
    };
    for pattern in spans(patterns) {
        retired.patterns.push(Pattern {
            regex: compile(pattern)?,
            needle: needle(pattern),
        });
    }
    for context in spans(allowed) {
        if let Some(path) = context.strip_prefix("in:") {
            retired.exempt.push(path.to_owned());
        } else if let Some(path) = context.strip_prefix("only:") {
            retired.only.push(path.to_owned());
        } else {
            retired.allowed.push(compile(context)?);
        }
    }
    Ok(retired)
}

/// Splits a row at `|`, but not at `\|`.
fn cells(row: &str) -> Vec<String> {
    let mark = "\u{0}";
    let row = row.trim().trim_start_matches('|').replace("\\|", mark);
    let cells = row.trim_end_matches('|').split('|');
    cells.map(|cell| cell.trim().replace(mark, "|")).collect()
}

fn spans(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// Compiles a pattern, which ignores case unless it has capital letters.
fn compile(pattern: &str) -> Result<Regex> {
    let ignores_case = !pattern.contains(|c: char| c.is_ascii_uppercase());
    Ok(RegexBuilder::new(pattern)
        .case_insensitive(ignores_case)
        .build()?)
}

/// Returns the longest text that every match of a pattern contains; empty if the pattern has alternatives.
fn needle(pattern: &str) -> String {
    let mut runs = vec![String::new()];
    let mut depth = 0;
    let mut letters = pattern.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => {
                letters.next();
                runs.push(String::new());
            }
            '(' | '[' => depth += 1,
            ')' | ']' => {
                depth -= 1;
                runs.push(String::new());
            }
            '|' if depth == 0 => return String::new(),
            _ if depth > 0 => (),
            '?' | '*' | '{' => {
                if let Some(run) = runs.last_mut() {
                    run.pop(); // optional
                }
                runs.push(String::new());
            }
            '.' | '^' | '$' | '+' | '}' => runs.push(String::new()),
            letter => runs
                .last_mut()
                .expect("there is always a run")
                .push(letter.to_ascii_lowercase()),
        }
    }
    runs.into_iter().max_by_key(String::len).unwrap_or_default()
}

/// Splits identifiers: `take_apple` and `takeApple` become `take apple` and `take Apple`.
fn split_words(line: &str) -> String {
    let mut words = String::with_capacity(line.len() + 16);
    let mut before = ' ';
    for letter in line.chars() {
        if letter == '_' && before.is_alphanumeric() {
            words.push(' ');
        } else {
            if letter.is_uppercase() && before.is_lowercase() {
                words.push(' ');
            }
            words.push(letter);
        }
        before = letter;
    }
    words
}

/// Returns whether a path matches a glob, in which `*` stands for any text.
fn matches_glob(glob: &str, path: &str) -> bool {
    let mut parts = glob.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = path.strip_prefix(first) else {
        return false;
    };
    let mut last = first;
    let mut stars = 0;
    for part in parts {
        stars += 1;
        last = part;
        let Some(index) = rest.find(part) else {
            return false;
        };
        rest = &rest[index + part.len()..];
    }
    rest.is_empty() || (stars > 0 && (last.is_empty() || path.ends_with(last)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(row: &str, path: &str, text: &str) -> Vec<String> {
        let mut findings = Findings::default();
        let file = File {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        check_file(&[read_row(row).unwrap()], &file, &mut findings);
        findings
            .0
            .into_iter()
            .map(|finding| format!("{}: {}", finding.line, finding.message))
            .collect()
    }

    #[test]
    fn retired_word_is_found_in_identifiers() {
        let row = "| `\\bpears?\\b` | apple | `--pear` `pear tree` |";
        let found = words(
            row,
            "a.rs",
            "pear tree --pear\nlet the_pear = GreenPear::new();\n",
        );
        assert_eq!(found, ["2: \"pear\" is retired; say: apple"]);
    }

    #[test]
    fn allowed_phrase_covers_its_word_only() {
        let row = "| `\\bpear\\b` | apple | `pear-tree` `in:docs/*.md` |";
        assert_eq!(
            words(row, "a.rs", "pear-tree or pear\npear-tree\n").len(),
            1
        );
        assert!(words(row, "docs/a.md", "pear").is_empty());
    }

    #[test]
    fn capitals_make_patterns_case_sensitive() {
        let row = "| `\\b(PEAR\\|PLUM)(_[A-Z]+)*\\b` | APPLE | |";
        assert_eq!(words(row, "a.rs", "a pear\nPEAR_ROWS\n").len(), 1);
    }

    #[test]
    fn row_can_be_limited_to_paths() {
        let row = "| `\\bpears\\b` | apples | `only:lab/*` |";
        assert!(words(row, "server/a.rs", "pears").is_empty());
        assert_eq!(words(row, "lab/a.rs", "pears").len(), 1);
    }

    #[test]
    fn needle_is_required_text() {
        assert_eq!(needle("\\bpears?\\b"), "pear");
        assert_eq!(needle("\\bpear tree\\b"), "pear tree");
        assert_eq!(needle("(PEAR|PLUM)_"), "_");
        assert_eq!(needle("a|b"), "");
    }

    #[test]
    fn globs_match_paths() {
        assert!(matches_glob("lab/*", "lab/src/a.rs") && matches_glob("*.md", "docs/a.md"));
        assert!(matches_glob("docs/*.md", "docs/a.md") && !matches_glob("docs/*.md", "docs/a.rs"));
        assert!(matches_glob("a.rs", "a.rs") && !matches_glob("a.rs", "b/a.rs"));
    }
}
