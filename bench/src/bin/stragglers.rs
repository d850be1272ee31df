//! Measures the effect of slow and vanishing volunteers on the others.
//!
//! ```text
//!   cargo run --release -p farsign-bench --bin stragglers
//! ```
//!
//! One server has four steady native volunteers. Windows without and with stragglers alternate: one volunteer that takes a
//! thousand times as long for each update, and two that disconnect with an open task. The program prints the updates per
//! second of the steady volunteers in each window, and the ratio of the medians.

use std::sync::Arc;
use std::time::{Duration, Instant};

use farsign_server::Settings;
use farsign_server::config::settings::{ModelKind, ScheduleKind};
use farsign_tests::raw_client::RawClient;
use farsign_tests::test_server::TestServer;
use farsign_volunteer::{FleetOptions, FleetStats, run_fleet};
use tokio::sync::watch;

const WINDOW: Duration = Duration::from_secs(3);
const WINDOW_PAIRS: usize = 7;
const STEADY: usize = 4;

/// Starts a fleet, and returns its statistics and a function that stops it.
fn start_fleet(
    server: &TestServer,
    workers: usize,
    delay: Duration,
) -> (Arc<FleetStats>, impl FnOnce()) {
    let options = FleetOptions {
        delay,
        ..server.fleet(workers)
    };
    let stats = Arc::new(FleetStats::default());
    let (stop, stopping) = watch::channel(false);
    let thread = std::thread::spawn({
        let stats = Arc::clone(&stats);
        move || run_fleet(&options, &stats, &stopping, |_, _| {})
    });
    let stop_fleet = move || {
        stop.send_replace(true);
        thread.join().expect("no panic").expect("a fleet");
    };
    (stats, stop_fleet)
}

fn updates_per_second(stats: &FleetStats) -> f64 {
    let before = stats.accepted();
    let started = Instant::now();
    std::thread::sleep(WINDOW);
    (stats.accepted() - before) as f64 / started.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let server = TestServer::start(Settings {
        model: Some(ModelKind::Mlp),
        schedule: Some(ScheduleKind::Constant),
        alpha: Some(1e-6),
        ..Settings::default()
    });
    let (steady, stop_steady) = start_fleet(&server, STEADY, Duration::ZERO);
    server.wait_until("a warm server", |status| {
        status["accepted"].as_u64() >= Some(500)
    });
    let update_time = Duration::from_secs_f64(STEADY as f64 / updates_per_second(&steady));
    println!(
        "a steady volunteer takes {:.2} ms per update, the slow volunteer 1,000 times as long",
        update_time.as_secs_f64() * 1e3
    );

    let mut without = Vec::new();
    let mut with = Vec::new();
    for pair in 1..=WINDOW_PAIRS {
        without.push(updates_per_second(&steady));
        let (_, stop_slow) = start_fleet(&server, 1, 1000 * update_time);
        let _vanishing = [RawClient::join(&server), RawClient::join(&server)];
        let connected = STEADY + 3;
        server.wait_until("all connected", |status| {
            status["volunteers"]["connected"] == connected
        });
        with.push(updates_per_second(&steady));
        stop_slow();
        println!(
            "window {pair}: {:.0} per second without, {:.0} with",
            without[pair - 1],
            with[pair - 1]
        );
    }
    stop_steady();
    println!(
        "ratio of the medians: {:.3}",
        median(with) / median(without)
    );
}
