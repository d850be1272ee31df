//! Every event of the log has a name and a row in the documentation: operators build alerts on the names.

use std::collections::BTreeSet;

use super::Findings;
use super::tree::{File, Tree};

const DOCUMENT: &str = "docs/reference/log-events.md";
const FOLDERS: [&str; 4] = ["server/src/", "cluster/src/", "volunteer/src/", "cli/src/"];
const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

pub fn check(tree: &Tree, findings: &mut Findings) {
    let mut logged = BTreeSet::new();
    for file in FOLDERS.iter().flat_map(|folder| tree.rust(folder)) {
        for (event, level) in events(file, findings) {
            logged.insert((event, level));
        }
    }
    let Some(document) = tree.get(DOCUMENT) else {
        findings.add(DOCUMENT, 0, "expected the table of log events");
        return;
    };
    let documented: BTreeSet<(String, String)> = document.text.lines().filter_map(row).collect();
    for (event, level) in logged.difference(&documented) {
        findings.add(
            DOCUMENT,
            0,
            format!("expected a row for event `{event}` of level {level}"),
        );
    }
    for (event, level) in documented.difference(&logged) {
        findings.add(
            DOCUMENT,
            0,
            format!("event `{event}` of level {level} is not in the source"),
        );
    }
}

/// Returns the events of a file with their levels.
fn events(file: &File, findings: &mut Findings) -> Vec<(String, String)> {
    let code: String = file
        .product_lines()
        .into_iter()
        .map(|(_, line)| line.trim().to_owned() + " ")
        .collect();
    let mut found = Vec::new();
    for call in code.split("tracing::").skip(1) {
        let Some((level, fields)) = call.split_once("!(") else {
            continue;
        };
        if !LEVELS.contains(&level) {
            continue;
        }
        let name = fields
            .trim_start()
            .strip_prefix("event = \"")
            .and_then(|rest| rest.split('"').next());
        match name {
            Some(name) => found.push((name.to_owned(), level.to_owned())),
            None => findings.add(
                &file.path,
                0,
                format!("a log call without `event`: {fields:.60}"),
            ),
        }
    }
    found
}

/// Reads a row such as ``| `joined` | info | ...``.
fn row(line: &str) -> Option<(String, String)> {
    let (name, rest) = line.strip_prefix("| `")?.split_once("` | ")?;
    Some((name.to_owned(), rest.split(' ').next()?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undocumented_event_is_found() {
        let source = "fn f() {\n    tracing::info!(\n        event = \"joined\", x = 1, \"joined\"\n    );\n}\n";
        let tree = Tree::of(&[
            ("server/src/a.rs", source),
            (DOCUMENT, "| `left` | info | x |\n"),
        ]);
        let mut findings = Findings::default();
        check(&tree, &mut findings);
        let messages: Vec<&str> = findings
            .0
            .iter()
            .map(|finding| finding.message.as_str())
            .collect();
        assert_eq!(
            messages,
            [
                "expected a row for event `joined` of level info",
                "event `left` of level info is not in the source"
            ]
        );
    }
}
