//! Measures the effect of Byzantine volunteers on the rule `verified`.
//!
//! ```text
//!   cargo run --release -p farsign-bench --bin attackers [FOLDER [ATTACK...]]
//! ```
//!
//! For each attack, twenty native volunteers of which eight attack train the network on a server of this process, over
//! loopback: once with attackers that stay away after their ejection, and once with attackers that rejoin at once under a
//! new identity. Without a folder of MNIST files, or with `-`, the built-in digits are used. Each row is printed when its
//! run ends. A run has 10,000 updates; a run with sleepers, which first send 500 honest updates, has 30,000.

use std::path::PathBuf;
use std::sync::Arc;

use farsign::task::GoodbyeReason;
use farsign_server::Settings;
use farsign_tests::test_server::TestServer;
use farsign_volunteer::{Attack, FleetOptions, FleetStats, WorkerExit, run_fleet};
use tokio::sync::watch;

const HONEST: usize = 12;
const ATTACKERS: usize = 8;

/// Honest updates of a sleeper.
const HONEST_UPDATES: u64 = 500;

/// Updates of a run.
const HORIZON: f64 = 10_000.0;

/// Updates of a run with sleepers.
const SLEEPER_HORIZON: f64 = 30_000.0;

/// The result of a run.
struct RunResult {
    accuracy: f64,
    /// Malicious updates before each ejection.
    malicious_updates: Vec<u64>,
    honest_ejected: usize,
    accepted: u64,
    recomputed: u64,
    verification_s: f64,
    run_s: f64,
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let data = arguments
        .next()
        .filter(|folder| folder != "-")
        .map(PathBuf::from);
    let names: Vec<String> = arguments.collect();
    let is_selected = |attack: &Attack| names.is_empty() || names.contains(&format!("{attack:?}"));
    println!(
        "| attack | accuracy | ejections | median malicious updates | max | honest ejected | updates | recomputed | verification, s | run, s |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    // All attackers rejoin from one address, so the rate limit per address would stop them.
    let settings = |horizon| Settings {
        data: data.clone(),
        horizon: Some(horizon),
        joins_per_minute: Some(1_000_000),
        ..Settings::default()
    };
    for horizon in [HORIZON, SLEEPER_HORIZON] {
        print_row(
            &format!("none, {horizon} updates"),
            &run(settings(horizon), HONEST + ATTACKERS, None),
        );
    }
    for rejoin in [false, true] {
        for attack in Attack::ALL.into_iter().filter(is_selected) {
            let horizon = if attack == Attack::Sleeper {
                SLEEPER_HORIZON
            } else {
                HORIZON
            };
            let attack_with = |options| FleetOptions {
                attack,
                rejoin,
                honest_updates: HONEST_UPDATES,
                ..options
            };
            let name = format!("{attack:?}{}", if rejoin { ", rejoining" } else { "" });
            print_row(&name, &run(settings(horizon), HONEST, Some(&attack_with)));
        }
    }
}

type AttackWith<'a> = &'a dyn Fn(FleetOptions) -> FleetOptions;

fn run(settings: Settings, honest: usize, attack_with: Option<AttackWith<'_>>) -> RunResult {
    let server = TestServer::start(settings);
    let (_stop, stopping) = watch::channel(false);
    let stats = Arc::new(FleetStats::default());
    let attackers = attack_with.map(|attack_with| attack_with(server.fleet(ATTACKERS)));
    let exits = std::thread::scope(|scope| {
        let attackers = attackers.as_ref().map(|options| {
            let stats = Arc::clone(&stats);
            let stopping = stopping.clone();
            scope.spawn(move || run_fleet(options, &stats, &stopping, |_, _| {}))
        });
        let fleet = server.fleet(honest);
        let exits = run_fleet(&fleet, &Arc::default(), &stopping, |_, _| {}).expect("a fleet");
        if let Some(attackers) = attackers {
            attackers.join().expect("no panic").expect("a fleet");
        }
        exits
    });
    let accuracy = server.final_accuracy();
    let status = server.status();
    let number = |pointer: &str| {
        status
            .pointer(pointer)
            .and_then(serde_json::Value::as_f64)
            .unwrap_or_else(|| panic!("no {pointer}"))
    };
    let is_ejected =
        |exit: &&WorkerExit| **exit == WorkerExit::Ejected(GoodbyeReason::FailedVerification);
    RunResult {
        accuracy,
        malicious_updates: stats.malicious_updates_per_ejection(),
        honest_ejected: exits.iter().filter(is_ejected).count(),
        accepted: number("/accepted") as u64,
        recomputed: number("/verification/recomputed") as u64,
        verification_s: number("/verification/cpu_s"),
        run_s: number("/run/uptime_s"),
    }
}

fn print_row(name: &str, result: &RunResult) {
    let mut sorted = result.malicious_updates.clone();
    sorted.sort_unstable();
    let median = sorted
        .get(sorted.len() / 2)
        .map_or("–".to_owned(), u64::to_string);
    let max = sorted.last().map_or("–".to_owned(), u64::to_string);
    println!(
        "| {name} | {:.1} % | {} | {median} | {max} | {} | {} | {} | {:.1} | {:.0} |",
        100.0 * result.accuracy,
        sorted.len(),
        result.honest_ejected,
        result.accepted,
        result.recomputed,
        result.verification_s,
        result.run_s,
    );
}
