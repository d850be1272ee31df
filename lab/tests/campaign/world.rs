use farsign_lab::folder::Folder;
use farsign_lab::record::Record;

use super::*;

const WORLD: &str = r#"
[run]
messages = 200
evaluate_every = 100
curve_images = 200
seeds = [1]
shares = [0.2]
breaking_distance = 0.5

[fleet]
workers = 10
stragglers = [{ share = 0.1, slowdown = 100 }]

[network]
latency_s = 0.1

[tuning]
messages = 1
seeds = [9]
factors = [1.0]
cases = []

[[methods]]
name = "asynchronous"
rate = 0.1
batch = 16
kind.asynchronous = { rule = "asgd" }

[[methods]]
name = "all"
rate = 0.5
batch = 16
kind.synchronous = { aggregation = "mean", wait = "all" }

[[methods]]
name = "fastest"
rate = 0.5
batch = 16
kind.synchronous = { aggregation = "mean", wait = { fastest = 0.8 } }

[[attacks]]
kind = "slow"
factor = 1000
"#;

fn records(scenario: &str, methods: &[&str], condition: &str) -> Vec<Record> {
    let folder = tempfile::tempdir().unwrap();
    run(&options(scenario), folder.path()).unwrap();
    let folder = Folder::existing(folder.path());
    let read = |method: &&str| folder.read(&format!("runs/{method}--{condition}--1")).unwrap().unwrap();
    methods.iter().map(read).collect()
}

#[test]
fn only_who_waits_for_the_slow_is_slow() {
    let times = |condition| {
        let records = records(WORLD, &["asynchronous", "all", "fastest"], condition);
        records.iter().map(|record| record.time_s).collect::<Vec<_>>()
    };
    // Twenty rounds for the straggler of a hundred seconds; who waits for eight of ten, waits for nobody slow.
    let clean = times("none");
    assert!(clean[0] < 60.0 && clean[1] > 20.0 * 100.0 && clean[2] < 100.0, "{clean:?}");
    // Two more take a thousand seconds, so that eight of ten include the straggler of a hundred now.
    let attacked = times("slow-0.2");
    assert!(
        attacked[0] < 60.0 && attacked[1] > 20.0 * 900.0 && (20.0 * 50.0..5000.0).contains(&attacked[2]),
        "{attacked:?}"
    );
}

#[test]
fn answers_that_come_twice_count_once_and_lost_ones_do_not_stop_anybody() {
    let network = "loss = 0.5\nduplication = 1.0\ndelay = 0.2\nrejoin_s = 2.0\n";
    let unreliable = WORLD.replace("latency_s = 0.1\n", &format!("latency_s = 0.1\n{network}"));
    let found = &records(&unreliable, &["asynchronous"], "none")[0];
    assert_eq!(found.messages, 200);
    assert!((150..=200).contains(&found.refused), "{} came twice", found.refused);
    let reliable = &records(WORLD, &["asynchronous"], "none")[0];
    assert!(found.time_s > 1.5 * reliable.time_s, "{} s and {} s", found.time_s, reliable.time_s);
    assert_eq!((reliable.refused, reliable.messages), (0, 200));
}
