//! Which module imports which, and that files do not import each other in circles.

use std::collections::{BTreeMap, BTreeSet};

use regex_lite::Regex;

use super::Findings;
use super::tree::{File, Tree};

/// The crates whose modules are compared, by source folder.
const SOURCES: [&str; 13] = [
    "attacks/src/",
    "bench/check/src/",
    "bench/src/",
    "cli/src/",
    "cluster/src/",
    "farsign/src/",
    "files/src/",
    "lab/src/",
    "server/src/",
    "tests/src/",
    "volunteer/src/",
    "worker-wasm/src/",
    "xtask/src/",
];

/// A path in a crate, without `crate`.
type ModulePath = Vec<String>;

/// A crate's imports between its own modules.
pub struct Imports {
    /// Modules by path, with the file of each and the items that it imports.
    modules: BTreeMap<ModulePath, Module>,
}

struct Module {
    file: String,
    uses: Vec<(usize, ModulePath)>,
}

pub fn check(tree: &Tree, findings: &mut Findings) {
    for source in SOURCES {
        let imports = Imports::of(tree, source);
        for circle in imports.circles() {
            let names: Vec<String> = circle.iter().map(|path| path.join("::")).collect();
            findings.add(
                source.trim_end_matches('/'),
                0,
                format!("files import each other: {}", names.join(", ")),
            );
        }
    }
}

impl Imports {
    /// Reads the imports of the files below a source folder.
    pub fn of(tree: &Tree, source: &str) -> Self {
        let files = tree
            .rust(source)
            .filter(|file| !file.path.ends_with("tests.rs"));
        let modules = files.map(|file| {
            let path = module_path(&file.path[source.len()..]);
            let uses = uses(file, &path);
            (
                path,
                Module {
                    file: file.path.clone(),
                    uses,
                },
            )
        });
        Self {
            modules: modules.collect(),
        }
    }

    /// Returns file, line, importing and imported module of each import between top-level modules.
    pub fn between_top_modules(&self) -> impl Iterator<Item = (&str, usize, &str, &str)> {
        self.modules.iter().flat_map(move |(path, module)| {
            let from = path.first().map_or("", String::as_str);
            module.uses.iter().filter_map(move |(line, used)| {
                let to = self.resolve(used)?.first().map_or("", String::as_str);
                (!from.is_empty() && !to.is_empty() && from != to).then_some((
                    module.file.as_str(),
                    *line,
                    from,
                    to,
                ))
            })
        })
    }

    /// Returns the names of all top-level modules.
    pub fn top_modules(&self) -> BTreeSet<&str> {
        self.modules
            .keys()
            .filter_map(|path| path.first())
            .map(String::as_str)
            .collect()
    }

    /// Returns the module that an item is in, or `None` if it is in the crate's root.
    fn resolve(&self, item: &[String]) -> Option<&ModulePath> {
        let prefixes = (1..=item.len()).rev().map(|length| &item[..length]);
        prefixes
            .filter_map(|prefix| self.modules.get_key_value(prefix))
            .map(|(path, _)| path)
            .next()
    }

    /// Returns groups of modules that import each other, directly or not. Parents and children are not counted.
    fn circles(&self) -> Vec<Vec<&ModulePath>> {
        let edges: BTreeMap<&ModulePath, BTreeSet<&ModulePath>> = self
            .modules
            .iter()
            .map(|(path, module)| {
                let targets = module
                    .uses
                    .iter()
                    .filter_map(|(_, used)| self.resolve(used));
                (
                    path,
                    targets
                        .filter(|target| !target.starts_with(path) && !path.starts_with(target))
                        .collect(),
                )
            })
            .collect();
        let reached: BTreeMap<&ModulePath, BTreeSet<&ModulePath>> = edges
            .keys()
            .map(|&start| (start, reachable(&edges, start)))
            .collect();
        let mut circles = Vec::new();
        let mut seen = BTreeSet::new();
        for (&start, targets) in &reached {
            if seen.contains(start) || !targets.contains(start) {
                continue;
            }
            let circle: Vec<&ModulePath> = targets
                .iter()
                .copied()
                .filter(|target| reached[target].contains(start))
                .collect();
            seen.extend(circle.iter().copied());
            circles.push(circle);
        }
        circles
    }
}

fn reachable<'a>(
    edges: &BTreeMap<&'a ModulePath, BTreeSet<&'a ModulePath>>,
    start: &'a ModulePath,
) -> BTreeSet<&'a ModulePath> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&ModulePath> = edges[start].iter().copied().collect();
    while let Some(next) = open.pop() {
        if reached.insert(next) {
            open.extend(&edges[next]);
        }
    }
    reached
}

/// Returns the module path of a file, relative to the source folder.
fn module_path(file: &str) -> ModulePath {
    let stem = file.trim_end_matches(".rs");
    let stem = stem.strip_suffix("/mod").unwrap_or(stem);
    if matches!(stem, "lib" | "main") {
        Vec::new()
    } else {
        stem.split('/').map(str::to_owned).collect()
    }
}

/// Returns the items of the same crate that a file imports or names by path, with line numbers.
fn uses(file: &File, module: &[String]) -> Vec<(usize, ModulePath)> {
    let statement = Regex::new(r"(?:^|[{};]|\n)\s*(?:pub(?:\([^)]*\))?\s+)?use\s+([^;]+);")
        .expect("the pattern is valid");
    let inline = Regex::new(r"\bcrate::[a-z_]\w*(?:::\w+)*").expect("the pattern is valid");
    let lines = file.product_lines();
    let mut code = String::new();
    let mut numbers = Vec::new();
    for (number, line) in lines {
        let line = line.split("//").next().unwrap_or_default();
        numbers.push((code.len(), number));
        code.push_str(line);
        code.push('\n');
    }
    let line_of = |offset: usize| {
        let index = numbers.partition_point(|(start, _)| *start <= offset);
        numbers[index.max(1) - 1].1
    };
    let mut found = Vec::new();
    for statement in statement.captures_iter(&code) {
        let body = statement.get(1).expect("the group is not optional");
        let items = expand(
            &body
                .as_str()
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" "),
        );
        found.extend(items.into_iter().map(|item| (line_of(body.start()), item)));
    }
    found.extend(
        inline
            .find_iter(&code)
            .map(|path| (line_of(path.start()), path.as_str().to_owned())),
    );
    let resolved = found
        .into_iter()
        .filter_map(|(line, item)| Some((line, absolute(&item, module)?)));
    let unique: BTreeSet<(usize, ModulePath)> = resolved.collect();
    unique.into_iter().collect()
}

/// Expands `a::{b, c::{d, e}}` to its paths.
fn expand(item: &str) -> Vec<String> {
    let item = item.trim();
    let Some((prefix, rest)) = item.split_once('{') else {
        let path = item.split(" as ").next().unwrap_or_default().trim();
        return Vec::from_iter((!path.is_empty()).then(|| path.to_owned()));
    };
    let inner = rest.rsplit_once('}').map_or(rest, |(inner, _)| inner);
    let mut depth = 0;
    let parts = inner.split(|c: char| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    parts
        .flat_map(expand)
        .map(|path| format!("{prefix}{path}"))
        .collect()
}

/// Resolves `crate::`, `self::` and `super::`; `None` for items of other crates.
fn absolute(item: &str, module: &[String]) -> Option<ModulePath> {
    let mut base = module.to_vec();
    let mut parts = item.split("::").peekable();
    match parts.next()? {
        "crate" => base.clear(),
        "self" => (),
        "super" => {
            base.pop();
            while parts.next_if_eq(&"super").is_some() {
                base.pop();
            }
        }
        _ => return None,
    }
    base.extend(parts.map(str::to_owned));
    Some(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_imports_are_expanded() {
        let mut found = expand("crate::{a::{B, c::D}, e as f, g}");
        found.sort();
        assert_eq!(
            found,
            ["crate::a::B", "crate::a::c::D", "crate::e", "crate::g"]
        );
    }

    #[test]
    fn circle_of_files_is_found() {
        let tree = Tree::of(&[
            ("lab/src/a.rs", "use crate::b::X;\n"),
            ("lab/src/b/mod.rs", "mod c;\n"),
            (
                "lab/src/b/c.rs",
                "fn f() {\n    super::super::a::g();\n}\nuse super::super::a::g;\n",
            ),
            (
                "lab/src/d.rs",
                "use crate::a::Y;\n#[cfg(test)]\nmod tests {\n    use crate::b;\n}\n",
            ),
        ]);
        let imports = Imports::of(&tree, "lab/src/");
        assert!(imports.circles().is_empty(), "a -> b, b::c -> a");
        let between: Vec<_> = imports
            .between_top_modules()
            .map(|(_, line, from, to)| (line, from, to))
            .collect();
        assert_eq!(between, [(1, "a", "b"), (4, "b", "a"), (1, "d", "a")]);
        let tree = Tree::of(&[
            ("lab/src/a.rs", "use crate::b::X;\n"),
            ("lab/src/b.rs", "use crate::{a, c};\n"),
        ]);
        assert_eq!(Imports::of(&tree, "lab/src/").circles().len(), 1);
    }
}
