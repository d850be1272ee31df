//! Verifiers of a cluster: honest volunteers gain trust, and an attacker is ejected whichever gateway it uses.

use std::process::Command;

use farsign::task::GoodbyeReason;
use farsign::wire::Hello;
use farsign_tests::child_process::ChildProcess;
use farsign_tests::nats_servers::{NatsServers, nats_program};
use farsign_tests::raw_client::RawClient;
use farsign_tests::server_process::server_program;
use farsign_tests::wait::wait_for_some;
use serde_json::Value;

use crate::cluster::Cluster;

/// Parameters of softmax regression on the built-in digits.
const PARAMETERS: usize = 7850;

/// Returns a value of the status of the first gateway.
fn status(cluster: &Cluster, pointer: &str) -> Option<u64> {
    let url = format!("http://{}/api/v1/status", cluster.addresses[0]);
    let mut response = ureq::get(&url).call().ok()?;
    let text = response.body_mut().read_to_string().ok()?;
    let status: Value = serde_json::from_str(&text).ok()?;
    status.pointer(pointer)?.as_u64()
}

#[test]
fn cluster_verifies_and_ejects() {
    let Some(program) = nats_program() else {
        println!("skipped: FARSIGN_NATS_SERVER does not name nats-server");
        return;
    };
    let nats = NatsServers::start(program);
    let settings = ["--model", "softmax", "--verify-probability", "1"];
    let cluster = Cluster::start(nats, &settings);
    let _verifier = cluster.start_verifier();
    let url = format!("http://{}", cluster.addresses[0]);
    let mut honest = Command::new(server_program());
    honest.args(["volunteer", "--url", &url, "--workers", "1"]);
    let mut honest = ChildProcess::start(&mut honest);
    wait_for_some("passed verifications", || {
        status(&cluster, "/verification/passed").filter(|passed| *passed >= 5)
    });

    let mut attacker = RawClient::connect_to(cluster.addresses[1], &[]).expect("a gateway");
    attacker.send_hello(&Hello::default());
    let mut next = attacker.try_recv().and_then(|received| received.task);
    let mut bits = [0x55; PARAMETERS.div_ceil(8)];
    bits[PARAMETERS / 8] = 1; // two bits of the last byte are signs
    let goodbye = loop {
        if let Some(task) = next {
            attacker.send_update(task.id, &bits);
        }
        let received = attacker.try_recv().expect("a goodbye before the end");
        if let Some(goodbye) = received.goodbye {
            break goodbye;
        }
        next = received.task;
    };
    assert_eq!(cluster.nats.violations(), Vec::<String>::new());
    assert_eq!(goodbye.reason, GoodbyeReason::FailedVerification);
    wait_for_some("the failed verification", || {
        status(&cluster, "/verification/failed").filter(|failed| *failed == 1)
    });
    assert!(
        !honest.exits_within(std::time::Duration::ZERO),
        "the honest one continues"
    );
}
