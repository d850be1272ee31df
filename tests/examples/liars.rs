//! What liars do to the rule `verified`: `cargo run --release -p farsign-tests --example liars [FOLDER [ATTACK...]]`.
//!
//! For every way to lie, twenty native volunteers of which eight lie train the network on a server of this process,
//! over loopback: once with liars that stay away when they are removed, once with liars that come back at once under
//! a new name. Without a folder of MNIST files, or with `-` for it, the built-in digits are used. Every row is printed
//! when it is done. Runs are of 10,000 contributions, those of sleepers of 30,000, since they are honest 500 times first.

use std::path::PathBuf;
use std::sync::Arc;

use farsign::task::GoodbyeReason;
use farsign_server::settings::Settings;
use farsign_server::volunteer::{self, Attack, Tally, VolunteerOptions, WorkerEnd};
use farsign_tests::host::Host;
use tokio::sync::watch;

const HONEST: usize = 12;
const LIARS: usize = 8;
const HONEST_ANSWERS: u64 = 500;

/// Contributions of a run, and of one with sleepers.
const SHORT: f64 = 10_000.0;
const LONG: f64 = 30_000.0;

/// What a run came to.
struct Outcome {
    accuracy: f64,
    /// Lies before each removal.
    lies: Vec<u64>,
    /// Honest volunteers that were removed.
    wronged: usize,
    accepted: u64,
    checked: u64,
    checks_s: f64,
    run_s: f64,
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let data = arguments.next().filter(|folder| folder != "-").map(PathBuf::from);
    let names: Vec<String> = arguments.collect();
    let chosen = |attack: &Attack| names.is_empty() || names.contains(&format!("{attack:?}"));
    println!(
        "| liars | accuracy | removals | median lies before one | most | honest removed | answers | checked | checks, s | run, s |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    // Liars come back as fast as they can: all of them are at one address here, which would otherwise stop them.
    let settings = |horizon| Settings {
        data: data.clone(),
        horizon: Some(horizon),
        joins_per_minute: Some(1_000_000),
        ..Settings::default()
    };
    for horizon in [SHORT, LONG] {
        tell(&format!("none, {horizon} answers"), &run(settings(horizon), HONEST + LIARS, None));
    }
    for rejoin in [false, true] {
        for attack in Attack::LIES.into_iter().filter(chosen) {
            let horizon = if attack == Attack::Sleeper { LONG } else { SHORT };
            let liar =
                |options| VolunteerOptions { attack, rejoin, honest_answers: HONEST_ANSWERS, ..options };
            let name = format!("{attack:?}{}", if rejoin { ", coming back" } else { "" });
            tell(&name, &run(settings(horizon), HONEST, Some(&liar)));
        }
    }
}

type Lie<'a> = &'a dyn Fn(VolunteerOptions) -> VolunteerOptions;

fn run(settings: Settings, honest: usize, liar: Option<Lie<'_>>) -> Outcome {
    let host = Host::start(settings);
    let (_stop, stopping) = watch::channel(false);
    let tally = Arc::new(Tally::default());
    let options = liar.map(|liar| liar(host.fleet(LIARS)));
    let ends = std::thread::scope(|scope| {
        let liars = options.as_ref().map(|options| {
            let (tally, stopping) = (Arc::clone(&tally), stopping.clone());
            scope.spawn(move || volunteer::run(options, &tally, &stopping, |_, _| {}))
        });
        let fleet = host.fleet(honest);
        let ends = volunteer::run(&fleet, &Arc::default(), &stopping, |_, _| {}).expect("data and threads");
        if let Some(liars) = liars {
            liars.join().expect("no panic").expect("data and threads");
        }
        ends
    });
    let accuracy = host.final_accuracy();
    let status = host.status();
    let number = |path: &str| status.pointer(path).and_then(serde_json::Value::as_f64).expect("it is there");
    let removed = |end: &&WorkerEnd| **end == WorkerEnd::Removed(GoodbyeReason::WrongAnswer);
    Outcome {
        accuracy,
        lies: tally.lies_before_removals(),
        wronged: ends.iter().filter(removed).count(),
        accepted: number("/accepted") as u64,
        checked: number("/checks/recomputed") as u64,
        checks_s: number("/checks/busy_s"),
        run_s: number("/run/uptime_s"),
    }
}

fn tell(liars: &str, outcome: &Outcome) {
    let Outcome { accuracy, lies, wronged, accepted, checked, checks_s, run_s } = outcome;
    let mut sorted = lies.clone();
    sorted.sort_unstable();
    let median = sorted.get(sorted.len() / 2).map_or("–".to_owned(), u64::to_string);
    let most = sorted.last().map_or("–".to_owned(), u64::to_string);
    let (removals, percent) = (lies.len(), 100.0 * accuracy);
    println!(
        "| {liars} | {percent:.1} % | {removals} | {median} | {most} | {wronged} | {accepted} | {checked} | {checks_s:.1} | {run_s:.0} |"
    );
}
