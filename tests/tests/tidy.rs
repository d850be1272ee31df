//! The house stays in order: who may depend on whom, and what the algorithm may not touch.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace").to_owned()
}

/// Names of the dependencies a package asks for, in the given tables.
fn dependencies(package: &str, tables: &[&str]) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join(package).join("Cargo.toml")).expect("the package is there");
    let manifest: toml::Table = text.parse().expect("a manifest is TOML");
    let names = |table: &toml::Table| table.keys().cloned().collect::<Vec<_>>();
    let wanted = |name: &&str| manifest.get(*name).and_then(toml::Value::as_table);
    tables.iter().filter_map(wanted).flat_map(names).collect()
}

/// All files below a folder with this ending.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.expect("a folder can be read").path());
    let below = |path: PathBuf| {
        if path.is_dir() {
            files(&path, ending)
        } else {
            Vec::from_iter(path.extension().is_some_and(|e| e == ending).then_some(path))
        }
    };
    paths.flat_map(below).collect()
}

/// Lines of Rust that are neither comments nor inside the unit tests at a file's end.
fn product_lines(path: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(path).expect("a source file can be read");
    let lines = text
        .lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]") && !line.starts_with("#[cfg(all(test"));
    let numbered = lines.enumerate().map(|(index, line)| (index + 1, line.trim().to_owned()));
    numbered.filter(|(_, line)| !line.starts_with("//")).collect()
}

fn assert_absent(folder: &str, words: &[&str]) {
    for path in files(&root().join(folder), "rs") {
        for (number, line) in product_lines(&path) {
            for word in words {
                assert!(!line.contains(word), "{}:{number}: {word} in {line:?}", path.display());
            }
        }
    }
}

#[test]
fn dependencies_point_at_the_algorithm_and_never_back() {
    let all = ["dependencies", "dev-dependencies", "build-dependencies"];
    let ours = |package: &str| -> BTreeSet<String> {
        dependencies(package, &all).into_iter().filter(|name| name.starts_with("farsign")).collect()
    };
    assert_eq!(ours("farsign"), BTreeSet::new());
    assert_eq!(ours("lab"), BTreeSet::from(["farsign".to_owned()]));
    assert_eq!(ours("server"), BTreeSet::from(["farsign".to_owned(), "farsign-lab".to_owned()]));
    assert_eq!(ours("worker-wasm"), BTreeSet::from(["farsign".to_owned()]));
    assert_eq!(ours("xtask"), BTreeSet::new());
}

#[test]
fn the_algorithm_has_few_dependencies_and_none_with_a_clock_or_a_socket() {
    let allowed =
        ["flate2", "half", "libm", "ndarray", "pulp", "rand_core", "rand_xoshiro", "sha2", "thiserror"];
    let found = dependencies("farsign", &["dependencies"]);
    let others: Vec<_> = found.iter().filter(|name| !allowed.contains(&name.as_str())).collect();
    assert!(others.is_empty(), "farsign depends on {others:?}; is that still the algorithm?");
}

#[test]
fn the_algorithm_has_no_io_clock_async_or_ambient_randomness() {
    let words = [
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
    ];
    assert_absent("farsign/src", &words);
}

/// Float functions that differ between targets are banned by farsign/clippy.toml. This is what clippy cannot see: that
/// it is told to look away, and instructions of one kind of processor, fused and relaxed ones among them, in code that
/// is compiled for that kind only.
#[test]
fn the_algorithm_goes_around_no_ban_on_float_functions() {
    assert_absent(
        "farsign/src",
        &["disallowed_methods", "clippy::style", "clippy::all", "::arch::", "::simd::"],
    );
    let ban = fs::read_to_string(root().join("farsign/clippy.toml")).expect("clippy is told of the ban");
    assert!(ban.contains("disallowed-methods"), "the ban is gone");
}

#[test]
fn domain_types_do_not_serialize_themselves() {
    assert_absent("farsign/src", &["Serialize", "Deserialize"]);
}

#[test]
fn only_the_wire_module_turns_numbers_into_bytes() {
    for path in files(&root().join("farsign/src"), "rs") {
        // `sign` packs bits, `dataset` reads IDX files: formats of their own, drawn at their heads.
        let own_format = ["wire", "dataset", "sign"].iter().any(|name| path.to_string_lossy().contains(name));
        if !own_format {
            for (number, line) in product_lines(&path) {
                assert!(
                    !line.contains("_le_bytes") && !line.contains("_be_bytes"),
                    "{}:{number}",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn only_the_record_module_knows_the_bytes_of_what_is_saved() {
    for path in files(&root().join("server/src"), "rs") {
        // What is exported is for other people's tools: a format of its own, and never read back.
        if !path.ends_with("store/record.rs") && !path.ends_with("export/model_file.rs") {
            for (number, line) in product_lines(&path) {
                assert!(!line.contains("_le_bytes"), "{}:{number}", path.display());
            }
        }
    }
}

#[test]
fn files_and_the_top_level_stay_small_enough_to_see_whole() {
    let root = root();
    for folder in
        ["farsign/src", "lab/src", "server/src", "worker-wasm/src", "xtask/src", "tests/src", "tests/tests"]
    {
        for path in files(&root.join(folder), "rs") {
            let lines = fs::read_to_string(&path).expect("a source file can be read").lines().count();
            assert!(lines <= 500, "{} has {lines} lines; is it still one concept?", path.display());
        }
    }
    let entries = fs::read_dir(&root).expect("the root can be read");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let made = ["target", ".tools", ".git", "results"];
    let kept: Vec<String> = names.filter(|name| !made.contains(&name.as_str())).collect();
    assert!(kept.len() <= 22, "{} entries at the top level: {kept:?}", kept.len());
}

/// What the documents claim stands on tests: one that is renamed or gone is missed here.
#[test]
fn every_test_that_the_documents_name_is_there() {
    let read = |path: &Path| fs::read_to_string(path).expect("a file can be read");
    let folders = [
        "farsign/src",
        "farsign/tests",
        "lab/src",
        "lab/tests",
        "server/src",
        "server/tests",
        "tests/src",
        "tests/tests",
        "worker-wasm/src",
        "worker-wasm/tests",
    ];
    let paths = folders.iter().flat_map(|folder| files(&root().join(folder), "rs"));
    let sources: String = paths.map(|path| read(&path)).collect();
    let is_test = |word: &&str| {
        word.matches('_').count() >= 3
            && !word.starts_with("farsign_") // a figure of the host's
            && word.bytes().all(|b| b == b'_' || b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    let threats = read(&root().join("docs/threat-model.md"));
    let architecture = read(&root().join("ARCHITECTURE.md"));
    let (_, absences) = architecture.split_once("## What never happens").expect("the section is there");
    let absences = absences.split("\n## ").next().unwrap_or_default();
    for (page, text, at_least) in
        [("the threat model", threats.as_str(), 20), ("\"What never happens\"", absences, 60)]
    {
        let named: Vec<&str> = text.split('`').skip(1).step_by(2).filter(is_test).collect();
        assert!(named.len() >= at_least, "{page}: {named:?}");
        for name in named {
            assert!(sources.contains(&format!("fn {name}(")), "{page} names {name}, which is not there");
        }
    }
}

/// Hosts build alerts on the names of events.
#[test]
fn every_event_of_the_log_has_a_name_and_a_row_in_the_documentation() {
    let mut told = BTreeSet::new();
    for path in files(&root().join("server/src"), "rs") {
        let lines = product_lines(&path).into_iter().map(|(_, line)| line + " ");
        for call in lines.collect::<String>().split("tracing::").skip(1) {
            let Some((level, fields)) = call.split_once("!(") else { continue };
            if !["error", "warn", "info", "debug", "trace"].contains(&level) {
                continue;
            }
            let name = fields.trim_start().strip_prefix("event = \"").and_then(|rest| rest.split('"').next());
            let name = name.unwrap_or_else(|| panic!("{}: no event in {fields:.60}", path.display()));
            told.insert((name.to_owned(), level.to_owned()));
        }
    }
    let page = fs::read_to_string(root().join("docs/hosting.md")).expect("the page is there");
    let (_, section) = page.split_once("### The log").expect("there is a section on the log");
    let section = section.split("\n#").next().unwrap_or_default();
    let row = |line: &str| {
        let (name, rest) = line.strip_prefix("| `")?.split_once("` | ")?;
        Some((name.to_owned(), rest.split(' ').next()?.to_owned()))
    };
    assert_eq!(told, section.lines().filter_map(row).collect());
}

#[test]
fn nothing_speaks_of_the_machine_it_was_written_on() {
    let folders = ["farsign/src", "lab", "server/src", "worker-wasm/src", "xtask/src", "tests/src", "docs"];
    let paths = folders.iter().flat_map(|folder| {
        ["rs", "md"].into_iter().flat_map(move |ending| files(&root().join(folder), ending))
    });
    for path in paths.chain([root().join("README.md"), root().join("ARCHITECTURE.md")]) {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for word in ["/home/", concat!("/ro", "ot/"), concat!("/wo", "rk/")] {
            assert!(!text.contains(word), "{} names {word}", path.display());
        }
    }
}
