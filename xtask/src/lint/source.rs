//! Rules on single source files.

use regex_lite::Regex;

use super::Findings;
use super::tree::{File, Tree};

/// The most lines of a Rust file.
const MAX_LINES: usize = 450;

/// The most words of a test's name.
const MAX_TEST_WORDS: usize = 6;

/// Text that must not occur in the product lines of a folder.
struct Ban {
    folder: &'static str,
    /// Files to which the ban does not apply.
    except: &'static [&'static str],
    words: &'static [&'static str],
    reason: &'static str,
}

const BANS: [Ban; 9] = [
    Ban {
        folder: "farsign/src/",
        except: &[],
        words: &[
            "std::fs",
            "std::net",
            "std::time",
            "std::env",
            "std::thread",
            "std::process",
            "Instant",
            "SystemTime",
            "async ",
            ".await",
            "println!",
            "getrandom",
        ],
        reason: "the algorithm has no I/O, clock, async or ambient randomness",
    },
    // farsign/clippy.toml bans float functions that differ between targets. These are what clippy cannot see: ways
    // around that ban, and instructions of one kind of processor, fused and relaxed ones among them.
    Ban {
        folder: "farsign/src/",
        except: &[],
        words: &[
            "disallowed_methods",
            "clippy::style",
            "clippy::all",
            "core::arch",
            "std::arch",
            "core::simd",
            "std::simd",
        ],
        reason: "results must have the same bits on every target",
    },
    Ban {
        folder: "farsign/src/",
        except: &[],
        words: &["Serialize", "Deserialize"],
        reason: "types of the algorithm are not tied to a format",
    },
    Ban {
        folder: "farsign/src/",
        except: &[
            "farsign/src/wire",
            "farsign/src/dataset",
            "farsign/src/delta_coding",
            "farsign/src/identity",
            "farsign/src/keys",
            "farsign/src/learner/codec",
            "farsign/src/sign",
            "farsign/src/version/hash",
        ],
        words: &["_le_bytes", "_be_bytes"],
        reason: "only `wire` and `delta_coding` convert numbers to bytes",
    },
    Ban {
        folder: "server/src/",
        except: &[
            "server/src/store/codec",
            "server/src/http/export/safetensors",
        ],
        words: &["_le_bytes"],
        reason: "only `store::codec` determines saved bytes",
    },
    Ban {
        folder: "cluster/src/",
        except: &[
            "cluster/src/board/bulletin",
            "cluster/src/jobs/job",
            "cluster/src/log/checkpoints",
            "cluster/src/log/message",
        ],
        words: &["_le_bytes"],
        reason: "only these determine the bytes of a cluster",
    },
    Ban {
        folder: "cli/src/",
        except: &[],
        words: &["print!(", "println!("],
        reason: "these panic when a stream is closed or full; use `streams`",
    },
    Ban {
        folder: "server/src/",
        except: &[],
        words: &["print!(", "println!("],
        reason: "these panic when a stream is closed or full; use `writeln!`",
    },
    Ban {
        folder: "",
        except: &["xtask/", "bench/", "tests/examples/"],
        words: &["dbg!(", "thread::sleep(Duration::from_secs"],
        reason: "tests wait for conditions, and debug output is removed",
    },
];

pub fn check(tree: &Tree, findings: &mut Findings) {
    for file in tree.rust("") {
        check_length(file, findings);
        check_bans(file, findings);
        check_test_names(file, findings);
    }
    let bans_floats = |file: &File| file.text.contains("disallowed-methods");
    if !tree.get("farsign/clippy.toml").is_some_and(bans_floats) {
        findings.add(
            "farsign/clippy.toml",
            0,
            "expected `disallowed-methods`, the ban on float functions",
        );
    }
    for file in tree.files() {
        check_local_paths(file, findings);
    }
}

fn check_length(file: &File, findings: &mut Findings) {
    let lines = file.text.lines().count();
    if lines > MAX_LINES {
        findings.add(
            &file.path,
            0,
            format!("expected at most {MAX_LINES} lines, found {lines}"),
        );
    }
}

fn check_bans(file: &File, findings: &mut Findings) {
    for ban in BANS.iter().filter(|ban| file.is_below(ban.folder)) {
        if ban.except.iter().any(|except| file.is_below(except)) {
            continue;
        }
        for (number, line) in file.product_lines() {
            for word in ban.words.iter().filter(|word| line.contains(**word)) {
                findings.add(
                    &file.path,
                    number,
                    format!("`{}`: {}", word.trim(), ban.reason),
                );
            }
        }
    }
}

fn check_test_names(file: &File, findings: &mut Findings) {
    for name in test_names(&file.text) {
        let words = name.split('_').count();
        if words > MAX_TEST_WORDS {
            findings.add(
                &file.path,
                0,
                format!("test `{name}` has {words} words, expected at most {MAX_TEST_WORDS}"),
            );
        }
    }
}

/// Returns the names of all test functions in Rust source.
pub fn test_names(text: &str) -> Vec<&str> {
    let pattern = Regex::new(
        r"#\[(?:\w+::)?\w*test[^\]]*\](?:\s*#\[[^\]]*\])*\s*(?:pub\s+)?(?:async\s+)?fn\s+(\w+)",
    )
    .expect("the pattern is valid");
    let names = pattern.captures_iter(text).filter_map(|found| found.get(1));
    names.map(|name| name.as_str()).collect()
}

/// Absolute folders of one machine must not be in the repository.
fn check_local_paths(file: &File, findings: &mut Findings) {
    for word in [
        concat!("/ho", "me/"),
        concat!("/ro", "ot/"),
        concat!("/wo", "rk/"),
    ] {
        for (index, _) in file
            .text
            .lines()
            .enumerate()
            .filter(|(_, line)| line.contains(word))
        {
            findings.add(
                &file.path,
                index + 1,
                format!("`{word}`: a folder of one machine"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn async_and_browser_tests_are_found() {
        let text = "#[test]\nfn a_b() {}\n#[tokio::test(flavor = \"x\")]\n#[ignore]\nasync fn c() {}\n\
                    #[wasm_bindgen_test]\nfn d() {}\n#[cfg(test)]\nmod tests {}\nfn e() {}";
        assert_eq!(test_names(text), ["a_b", "c", "d"]);
    }

    #[test]
    fn banned_words_are_found() {
        let tree = Tree::of(&[
            (
                "farsign/src/lib.rs",
                "// Instant\nuse std::time::Instant;\n",
            ),
            ("farsign/src/wire/read.rs", "u32::from_le_bytes(x)\n"),
            ("farsign/clippy.toml", "disallowed-methods = []\n"),
        ]);
        let mut findings = Findings::default();
        check(&tree, &mut findings);
        let lines: Vec<usize> = findings.0.iter().map(|finding| finding.line).collect();
        assert_eq!(lines, [2, 2], "{findings:?}");
    }
}
