//! Faults under load, in an order drawn from a seed: afterwards every acknowledged update is in the log once, every
//! published version equals an independent fold of the log, and training has continued after each fault.
//!
//! `FARSIGN_DRILL_SEED` sets the seed and `FARSIGN_DRILL_FAULTS` the number of faults (8).

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

use farsign::random::Stream;
use farsign_tests::nats_servers::{NatsServers, SERVERS, nats_program};
use farsign_tests::wait::wait_for_some;

use crate::cluster::{Cluster, learner_name};
use crate::load::Load;

/// Parameters of softmax regression on the built-in digits.
const PARAMETERS: usize = 7850;

/// Acknowledged updates after which training counts as continued.
const MIN_UPDATES: u64 = 60;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    LearnersKilled,
    LearnerStopped,
    GatewayKilled,
    ServerKilled,
    AllServersKilled,
}

const FAULTS: [Fault; 5] = [
    Fault::LearnersKilled,
    Fault::LearnerStopped,
    Fault::GatewayKilled,
    Fault::ServerKilled,
    Fault::AllServersKilled,
];

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().expect("a number"))
}

fn signal(process: u32, name: &str) {
    let sent = Command::new("kill")
        .args([name, &process.to_string()])
        .status();
    assert!(sent.expect("kill runs").success());
}

impl Cluster {
    /// Causes a fault, and mends it. Returns the time until updates are acknowledged again.
    fn suffer(&mut self, fault: Fault, stream: &mut Stream, load: &Load) -> Duration {
        let either = stream.below(2) as usize;
        let started = Instant::now();
        match fault {
            Fault::LearnersKilled => {
                // Whichever has the seat: the other one, or the one that is started anew, continues.
                self.learners[either] = None;
                await_updates(load);
                self.launch_learner(either);
            }
            Fault::LearnerStopped => {
                let process = self.learners[either].as_ref().expect("it runs").id();
                signal(process, "-STOP");
                let name = learner_name(either);
                wait_for_some("another learner", || {
                    self.seat_holder().filter(|holder| *holder != name)
                });
                signal(process, "-CONT");
                await_updates(load);
            }
            Fault::GatewayKilled => {
                self.gateways[either] = None;
                await_updates(load);
                self.launch_gateway(either);
            }
            Fault::ServerKilled => {
                let server = stream.below(SERVERS as u64) as usize;
                self.nats.kill(server);
                await_updates(load);
                self.nats.launch(server);
            }
            Fault::AllServersKilled => {
                (0..SERVERS).for_each(|server| self.nats.kill(server));
                (0..SERVERS).for_each(|server| self.nats.launch(server));
                await_updates(load);
            }
        }
        started.elapsed()
    }
}

fn await_updates(load: &Load) {
    let before = load.acknowledged();
    wait_for_some("further updates", || {
        (load.acknowledged() >= before + MIN_UPDATES).then_some(())
    });
}

fn drill(faults: u64, seed: u64) {
    let Some(program) = nats_program() else {
        println!("skipped: FARSIGN_NATS_SERVER does not name nats-server");
        return;
    };
    println!("seed {seed}");
    let mut stream = Stream::new(seed);
    let nats = NatsServers::start(program);
    let settings = [
        "--model",
        "softmax",
        "--rule",
        "plain",
        "--checkpoint-every",
        "500",
    ];
    let endless = ["--horizon", "1e7"];
    let mut cluster = Cluster::start(nats, &[&settings[..], &endless[..]].concat());
    let load = Load::start(&cluster.addresses, 6, PARAMETERS);
    await_updates(&load);
    for number in 0..faults {
        let fault = if number < FAULTS.len() as u64 {
            FAULTS[number as usize]
        } else {
            FAULTS[stream.below(FAULTS.len() as u64) as usize]
        };
        let stall = cluster.suffer(fault, &mut stream, &load);
        println!(
            "{fault:?}: {:.1} s until updates continued",
            stall.as_secs_f64()
        );
        await_updates(&load);
    }
    let acknowledged = load.stop();
    let audit = cluster.audit();
    let mut lost = 0;
    for (task, message) in &acknowledged {
        let updates = audit.updates.get(message);
        lost += usize::from(!updates.is_some_and(|updates| updates.contains(task)));
    }
    let distinct: BTreeSet<_> = audit.updates.values().flatten().collect();
    println!(
        "{} acknowledged, {lost} lost, {} in the log, {} counted, {} of {} versions equal",
        acknowledged.len(),
        distinct.len(),
        audit.accepted,
        audit.equal_versions,
        audit.versions
    );
    assert_eq!(lost, 0, "acknowledged updates are in the log");
    assert!(
        audit.accepted <= distinct.len() as u64,
        "an update counts once"
    );
    assert!(audit.versions > 0 && audit.equal_versions == audit.versions);
    assert!(
        audit.is_checkpoint_equal,
        "the newest checkpoint is that of the fold"
    );
}

#[test]
fn drills_lose_no_acknowledged_update() {
    let faults = number("FARSIGN_DRILL_FAULTS", 8);
    drill(faults, number("FARSIGN_DRILL_SEED", 1));
}
