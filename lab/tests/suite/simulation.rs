use farsign_lab::metrics::RunMetrics;
use farsign_lab::suite::output_dir::OutputDir;

use super::*;

const SCENARIO: &str = r#"
[run]
updates = 200
evaluate_every = 100
curve_images = 200
seeds = [1]
byzantine_fractions = [0.2]
breaking_distance = 0.5

[fleet]
workers = 10
stragglers = [{ fraction = 0.1, slowdown = 100 }]

[network]
latency_s = 0.1

[tuning]
updates = 1
seeds = [9]
factors = [1.0]
cases = []

[[methods]]
name = "asynchronous"
learning_rate = 0.1
batch = 16
kind.asynchronous = { rule = "asgd" }

[[methods]]
name = "all"
learning_rate = 0.5
batch = 16
kind.synchronous = { aggregator = "mean", wait = "all" }

[[methods]]
name = "fastest"
learning_rate = 0.5
batch = 16
kind.synchronous = { aggregator = "mean", wait = { fastest = 0.8 } }

[[attacks]]
kind = "stale"
factor = 1000
"#;

fn metrics(scenario: &str, methods: &[&str], condition: &str) -> Vec<RunMetrics> {
    let dir = tempfile::tempdir().unwrap();
    run(&options(scenario), dir.path()).unwrap();
    let dir = OutputDir::existing(dir.path());
    let read = |method: &&str| {
        dir.read(&format!("runs/{method}--{condition}--1"))
            .unwrap()
            .unwrap()
    };
    methods.iter().map(read).collect()
}

#[test]
fn stragglers_slow_only_synchronous_methods() {
    let times = |condition| {
        let metrics = metrics(SCENARIO, &["asynchronous", "all", "fastest"], condition);
        metrics.iter().map(|run| run.time_s).collect::<Vec<_>>()
    };
    // Twenty rounds wait for the straggler of a hundred seconds; waiting for eight of ten excludes it.
    let clean = times("none");
    assert!(
        clean[0] < 60.0 && clean[1] > 20.0 * 100.0 && clean[2] < 100.0,
        "{clean:?}"
    );
    // Two more workers take a thousand seconds, so eight of ten include the straggler of a hundred.
    let attacked = times("stale-0.2");
    assert!(
        attacked[0] < 60.0 && attacked[1] > 20.0 * 900.0,
        "{attacked:?}"
    );
    assert!((20.0 * 50.0..5000.0).contains(&attacked[2]), "{attacked:?}");
}

#[test]
fn duplicates_ignored_losses_tolerated() {
    let network = "loss = 0.5\nduplication = 1.0\ndelay = 0.2\nrejoin_s = 2.0\n";
    let unreliable = SCENARIO.replace("latency_s = 0.1\n", &format!("latency_s = 0.1\n{network}"));
    let found = &metrics(&unreliable, &["asynchronous"], "none")[0];
    assert_eq!(found.updates, 200);
    assert!(
        (150..=200).contains(&found.duplicates),
        "{} duplicates",
        found.duplicates
    );
    let reliable = &metrics(SCENARIO, &["asynchronous"], "none")[0];
    assert!(
        found.time_s > 1.5 * reliable.time_s,
        "{} s and {} s",
        found.time_s,
        reliable.time_s
    );
    assert_eq!((reliable.duplicates, reliable.updates), (0, 200));
}

/// Returns the metrics of FAR-SIGN methods, each a name and further settings, on a line of 100 ms without variation.
fn far_sign_metrics(methods: [(&str, &str); 2]) -> Vec<RunMetrics> {
    let (head, _) = SCENARIO.split_once("[[methods]]").unwrap();
    let mut scenario = head
        .replace("workers = 10\n", "workers = 10\ntask_s = 0.02\n")
        .replace("seeds = [1]\n", "seeds = [1]\nmeasure_differences = true\n")
        .replace("latency_s = 0.1\n", "latency_s = 0.05\nspread = 0.0\n");
    let method = |(name, settings)| {
        format!(
            "[[methods]]\nname = \"{name}\"\nlearning_rate = 2e-3\nbatch = 16\n\
             kind.far-sign = {{ rule = \"plain\", {settings} }}\n"
        )
    };
    scenario.push_str(&methods.map(method).concat());
    metrics(&scenario, &methods.map(|(name, _)| name), "none")
}

#[test]
fn rounding_costs_little_accuracy() {
    let methods = [
        ("exact", "parameters = \"exact\""),
        ("published", "parameters = \"published\""),
    ];
    let [exact, published] = &far_sign_metrics(methods)[..] else {
        panic!("two methods")
    };
    assert!(exact.curve != published.curve, "rounding has an effect");
    let cost = exact.accuracy - published.accuracy;
    assert!(cost.abs() < 0.05, "{cost}");
    let bits = published.difference_bits.unwrap();
    assert!((0.3..6.0).contains(&bits), "{bits} bits a parameter");
}

#[test]
fn sized_tasks_fill_the_line() {
    let methods = [
        ("fixed", "sized_tasks = false"),
        ("sized", "sized_tasks = true"),
    ];
    let [fixed, sized] = &far_sign_metrics(methods)[..] else {
        panic!("two methods")
    };
    assert_eq!(fixed.task_images, None);
    // 16 images take 20 ms, and two round trips 200 ms; a session's first tasks have 16.
    let images = sized.task_images.unwrap();
    assert!((60.0..160.0).contains(&images), "{images} images");
    assert!(sized.time_s > fixed.time_s, "larger tasks take longer");
}
