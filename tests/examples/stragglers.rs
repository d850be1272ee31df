//! What slow and vanishing volunteers cost the others: `cargo run --release -p farsign-tests --example stragglers`.
//!
//! One server, four steady native volunteers. Windows without and with one volunteer that takes a thousand times as
//! long for each answer and two that vanish with their task open alternate; printed are the steady volunteers'
//! contributions per second in each, and the ratio of the medians.

use std::sync::Arc;
use std::time::{Duration, Instant};

use farsign_server::settings::{ModelKind, ScheduleKind, Settings};
use farsign_server::volunteer::{self, Attack, Tally, VolunteerOptions};
use farsign_tests::host::Host;
use farsign_tests::raw::RawVolunteer;
use tokio::sync::watch;

const WINDOW: Duration = Duration::from_secs(3);
const PAIRS: usize = 7;
const STEADY: usize = 4;

fn fleet(host: &Host, workers: usize, delay: Duration) -> (Arc<Tally>, impl FnOnce()) {
    let endpoint = host.url("").parse().expect("a server's address is one");
    let options = VolunteerOptions { endpoint, workers, attack: Attack::None, half_snapshots: false, delay };
    let (tally, (stop, stopping)) = (Arc::new(Tally::default()), watch::channel(false));
    let counted = Arc::clone(&tally);
    let thread = std::thread::spawn(move || volunteer::run(&options, &counted, &stopping, |_, _| {}));
    let end = move || {
        stop.send_replace(true);
        thread.join().expect("no panic").expect("data and threads");
    };
    (tally, end)
}

fn rate(tally: &Tally) -> f64 {
    let (before, started) = (tally.accepted(), Instant::now());
    std::thread::sleep(WINDOW);
    (tally.accepted() - before) as f64 / started.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let settings = Settings {
        model: Some(ModelKind::Mlp),
        schedule: Some(ScheduleKind::Constant),
        alpha: Some(1e-6),
        ..Settings::default()
    };
    let host = Host::start(settings);
    let (steady, end_steady) = fleet(&host, STEADY, Duration::ZERO);
    host.wait_until("a warm server", |status| status["accepted"].as_u64() >= Some(500));
    let usual = Duration::from_secs_f64(STEADY as f64 / rate(&steady));
    println!(
        "a steady volunteer takes {:.2} ms for an answer, the slow one 1,000 times that",
        usual.as_secs_f64() * 1e3
    );

    let (mut without, mut with) = (Vec::new(), Vec::new());
    for pair in 1..=PAIRS {
        without.push(rate(&steady));
        let (_, end_slow) = fleet(&host, 1, 1000 * usual);
        let _vanishing = [RawVolunteer::join(&host), RawVolunteer::join(&host)];
        let connected = STEADY + 3;
        host.wait_until("all connected", |status| status["volunteers"]["connected"] == connected);
        with.push(rate(&steady));
        end_slow();
        println!("window {pair}: {:.0} per second without, {:.0} with", without[pair - 1], with[pair - 1]);
    }
    end_steady();
    println!("ratio of the medians: {:.3}", median(with) / median(without));
}
