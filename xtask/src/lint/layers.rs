//! Layers: each top-level module of a crate imports only modules of the layers below it.

use std::collections::BTreeSet;

use super::Findings;
use super::imports::Imports;
use super::tree::Tree;

/// The layers of a crate, bottom up. Modules of one layer do not import each other.
struct Layers {
    source: &'static str,
    layers: &'static [&'static [&'static str]],
}

const CRATES: [Layers; 6] = [
    Layers {
        source: "farsign/src/",
        layers: &[
            &[
                "attachment",
                "backoff",
                "keys",
                "line_budget",
                "math",
                "momentum",
                "random",
                "simd",
                "task_timing",
                "trust",
            ],
            &[
                "dataset",
                "delta_coding",
                "model",
                "schedule",
                "sign",
                "task_sizing",
            ],
            &["minibatch"],
            &["direction", "kernels"],
            &["estimate", "fixed_point"],
            &["step", "version"],
            &["task"],
            &["identity", "rollback", "sign_update", "weighting", "wire"],
            &["optimizer", "volunteer"],
            &["assignment", "tolerance"],
            &["verification"],
            &["task_issuer"],
            &["learner"],
            &["training_server"],
        ],
    },
    Layers {
        source: "lab/src/",
        layers: &[
            &["rng", "stats"],
            &["scenario"],
            &["aggregators", "data", "testing"],
            &["metrics"],
            &["servers"],
            &["engine"],
            &["suite"],
            &["report"],
            &["studies"],
        ],
    },
    Layers {
        source: "server/src/",
        layers: &[
            &["counters", "data", "effort", "shutdown", "throughput"],
            &["net"],
            &["store"],
            &["admission"],
            &["run"],
            &["verifier"],
            &["gateway", "learner"],
            &["coordinator", "evaluation"],
            &["state"],
            &["session"],
            &["http"],
            &["config"],
            &["server"],
        ],
    },
    Layers {
        source: "cluster/src/",
        layers: &[
            &["error", "names", "stream_reader"],
            &["board", "connection", "log", "reports"],
            &["jobs"],
            &["run"],
            &["roles"],
        ],
    },
    Layers {
        source: "volunteer/src/",
        layers: &[
            &["attack", "identity_file", "server_url"],
            &["remote"],
            &["disconnect", "line", "training_data"],
            &["worker"],
        ],
    },
    Layers {
        source: "worker-wasm/src/",
        layers: &[
            &[
                "data_messages",
                "line",
                "port",
                "preprocess",
                "socket",
                "throttle",
                "worker_global",
            ],
            &["events"],
            &["data", "disconnect", "inference"],
            &["data_worker", "driver"],
        ],
    },
];

pub fn check(tree: &Tree, findings: &mut Findings) {
    for Layers { source, layers } in CRATES {
        let imports = Imports::of(tree, source);
        let layer_of = |module: &str| layers.iter().position(|layer| layer.contains(&module));
        for module in imports.top_modules() {
            if layer_of(module).is_none() {
                findings.add(
                    source,
                    0,
                    format!("module `{module}` has no layer in xtask/src/lint/layers.rs"),
                );
            }
        }
        for module in layers
            .iter()
            .copied()
            .flatten()
            .filter(|module| !imports.top_modules().contains(**module))
        {
            findings.add(
                source,
                0,
                format!("`{module}` of xtask/src/lint/layers.rs does not exist"),
            );
        }
        let edges: BTreeSet<(&str, usize, &str, &str)> = imports.between_top_modules().collect();
        for (file, line, from, to) in edges {
            if let (Some(upper), Some(lower)) = (layer_of(from), layer_of(to))
                && lower >= upper
            {
                findings.add(
                    file,
                    line,
                    format!("`{from}` imports `{to}`, which is not below it"),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn import_from_upper_layer_is_found() {
        let tree = Tree::of(&[
            (
                "server/src/net/mod.rs",
                "use crate::shutdown;\nuse crate::store::Log;\n",
            ),
            ("server/src/shutdown.rs", ""),
            ("server/src/store.rs", ""),
        ]);
        let mut findings = Findings::default();
        check(&tree, &mut findings);
        let imports: Vec<&str> = findings
            .0
            .iter()
            .map(|f| f.message.as_str())
            .filter(|message| message.contains("imports"))
            .collect();
        assert_eq!(imports, ["`net` imports `store`, which is not below it"]);
    }
}
