//! Rules on which crates may depend on which.

use std::collections::BTreeSet;

use super::Findings;
use super::tree::Tree;

/// The project's crates that a crate may depend on, by folder.
const OWN: [(&str, &[&str]); 9] = [
    ("farsign", &[]),
    ("attacks", &["farsign"]),
    ("files", &[]),
    ("lab", &["farsign", "farsign-attacks", "farsign-files"]),
    ("server", &["farsign", "farsign-files"]),
    ("cluster", &["farsign", "farsign-server"]),
    (
        "volunteer",
        &["farsign", "farsign-attacks", "farsign-files"],
    ),
    ("worker-wasm", &["farsign"]),
    ("xtask", &[]),
];

/// All dependencies of the algorithm. They have no clock and no socket.
const OF_ALGORITHM: [&str; 9] = [
    "blake3",
    "flate2",
    "libm",
    "ndarray",
    "pulp",
    "rand_core",
    "rand_xoshiro",
    "sha2",
    "thiserror",
];

pub fn check(tree: &Tree, findings: &mut Findings) {
    for (folder, allowed) in OWN {
        let path = format!("{folder}/Cargo.toml");
        let Some(manifest) = tree.get(&path) else {
            findings.add(
                &path,
                0,
                "expected a crate here; if it moved, update xtask/src/lint/dependencies.rs",
            );
            continue;
        };
        for name in dependencies(&manifest.text, true) {
            // Tests of a crate may use the test helpers, which depend on that crate, and the crate itself with other features.
            let exempt = name == "farsign-tests" || name == folder;
            if name.starts_with("farsign") && !exempt && !allowed.contains(&name) {
                findings.add(&path, 0, format!("`{name}` is not below this crate"));
            }
        }
    }
    if let Some(manifest) = tree.get("farsign/Cargo.toml") {
        for name in dependencies(&manifest.text, false) {
            if !OF_ALGORITHM.contains(&name) {
                findings.add(
                    &manifest.path,
                    0,
                    format!("`{name}`: the algorithm has a fixed set of dependencies"),
                );
            }
        }
    }
}

/// Returns the names in the dependency tables of a manifest.
fn dependencies(manifest: &str, with_tests: bool) -> BTreeSet<&str> {
    let mut inside = false;
    let mut names = BTreeSet::new();
    for line in manifest.lines() {
        if let Some(table) = line.strip_prefix('[') {
            let table = table.trim_end_matches(']');
            let is_test =
                table.ends_with("dev-dependencies") || table.ends_with("build-dependencies");
            inside = table.ends_with("dependencies") && (with_tests || !is_test);
        } else if inside && !line.starts_with(['#', ' ']) {
            names.extend(
                line.split(['=', '.', ' '])
                    .next()
                    .filter(|name| !name.is_empty()),
            );
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifest_tables_are_read() {
        let manifest = "[package]\nname = \"x\"\n[dependencies]\nlibm.workspace = true\n# no = 1\n\
                        a-b = { path = \"..\" }\n[dev-dependencies]\nproptest.workspace = true\n";
        assert_eq!(
            dependencies(manifest, false),
            BTreeSet::from(["a-b", "libm"])
        );
        assert_eq!(
            dependencies(manifest, true),
            BTreeSet::from(["a-b", "libm", "proptest"])
        );
    }

    #[test]
    fn dependency_on_upper_crate_is_found() {
        let mut findings = Findings::default();
        let tree = Tree::of(&[(
            "farsign/Cargo.toml",
            "[dependencies]\nfarsign-lab.workspace = true\n",
        )]);
        check(&tree, &mut findings);
        assert!(
            findings
                .0
                .iter()
                .any(|finding| finding.message.contains("not below")),
            "{findings:?}"
        );
    }
}
