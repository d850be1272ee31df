//! Delta synchronization: step deltas replace snapshots where they are shorter, with the same resulting bits.

use farsign::direction::Directions;
use farsign::wire::{Capabilities, Hello, ServerRecord, read_server_frame};
use farsign_server::config::settings::{FamilyKind, ModelKind, RuleKind, Settings};
use farsign_tests::raw_client::{RawClient, Received};
use farsign_tests::test_server::TestServer;
use farsign_volunteer::{Attack, FleetOptions};

const SNAPSHOTS_ONLY: Capabilities = Capabilities {
    deltas: false,
    half_snapshots: false,
};
const DELTAS: Capabilities = Capabilities {
    deltas: true,
    half_snapshots: false,
};
const HALF_PRECISION: Capabilities = Capabilities {
    deltas: true,
    half_snapshots: true,
};

/// A volunteer that updates its parameters from snapshots and deltas.
struct Follower {
    client: RawClient,
    last: Received,
    directions: Directions,
    x: Vec<f32>,
    version: u64,
    deltas: usize,
    /// Maximum number of steps in one delta.
    max_steps: usize,
}

impl Follower {
    fn join(server: &TestServer, capabilities: Capabilities) -> Self {
        let mut client = RawClient::connect(server);
        client.send_hello(&Hello {
            capabilities,
            ..Hello::default()
        });
        let mut last = client.recv();
        let spec = last
            .welcome
            .as_ref()
            .expect("a welcome")
            .settings
            .directions;
        let (version, x) = last.snapshot.take().expect("a first snapshot");
        Self {
            client,
            last,
            directions: Directions::new(spec, 0),
            x,
            version,
            deltas: 0,
            max_steps: 0,
        }
    }

    /// Sends an update of pseudo-random bits, and applies the response.
    fn send_update(&mut self, salt: u64) {
        let task = self.last.task.expect("a task");
        assert_eq!(
            task.snapshot_version, self.version,
            "the task is for the current version"
        );
        let count = self.directions.spec().count();
        let mut signs = farsign::sign::SignBits::default();
        signs.copy_from(&vec![0.0; count], salt); // zeros become pseudo-random signs
        self.client.send_update(task.id, signs.as_bytes());
        self.last = self.client.recv();
        assert!(self.last.accepted.is_some(), "{:?}", self.last);
        if let Some((version, x)) = self.last.snapshot.take() {
            (self.version, self.x) = (version, x);
        }
        if let Some((base, version, steps)) = self.last.delta.take() {
            assert_eq!(
                base, self.version,
                "the delta starts at the current version"
            );
            steps
                .iter()
                .for_each(|step| step.take(&mut self.directions, &mut self.x));
            self.version = version;
            self.deltas += 1;
            self.max_steps = self.max_steps.max(steps.len());
        }
    }
}

fn model(server: &TestServer) -> (u64, Vec<u32>) {
    let frame = server.get("/api/v1/snapshot");
    let Some(Ok(ServerRecord::Snapshot(snapshot))) = read_server_frame(&frame).unwrap().next()
    else {
        panic!("expected a snapshot")
    };
    let mut x = Vec::new();
    snapshot.unpack(&mut x).unwrap();
    (snapshot.version, bits(&x))
}

fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|v| v.to_bits()).collect()
}

#[test]
fn deltas_rebuild_model_exactly() {
    for (rule, directions) in [
        (RuleKind::Plain, FamilyKind::Coordinate),
        (RuleKind::Plain, FamilyKind::Hadamard),
        (RuleKind::Vote, FamilyKind::Coordinate),
    ] {
        let server = TestServer::start(Settings {
            model: Some(ModelKind::Softmax),
            rule: Some(rule),
            directions: Some(directions),
            ..Settings::default()
        });
        let mut follower = Follower::join(&server, DELTAS);
        let mut other = Follower::join(&server, SNAPSHOTS_ONLY);
        for round in 0..30 {
            follower.send_update(round);
            (0..round % 4).for_each(|n| other.send_update(1000 + 10 * round + n));
        }
        follower.send_update(99);
        assert_eq!(
            (follower.version, bits(&follower.x)),
            model(&server),
            "{rule:?} {directions:?}"
        );
        assert_eq!(
            (follower.deltas, other.deltas),
            (31, 0),
            "deltas are sent only on request"
        );
        assert_eq!(follower.max_steps, 4);
    }
}

#[test]
fn late_volunteer_gets_shorter_snapshot() {
    let server = TestServer::start(Settings {
        model: Some(ModelKind::Softmax),
        rule: Some(RuleKind::Plain),
        ..Settings::default()
    });
    let mut late = Follower::join(&server, DELTAS);
    let mut busy = Follower::join(&server, DELTAS);
    (0..50).for_each(|n| busy.send_update(n)); // 50 steps of 994 bytes exceed a snapshot of 31,400 bytes
    late.send_update(50);
    assert_eq!((late.deltas, busy.deltas), (0, 50));
    assert_eq!((late.version, bits(&late.x)), model(&server));
}

/// Rounds parameters to half precision.
fn rounded(x: &[u32]) -> Vec<u32> {
    bits(
        &x.iter()
            .map(|&v| half::f16::from_f32(f32::from_bits(v)).to_f32())
            .collect::<Vec<_>>(),
    )
}

#[test]
fn f16_snapshots_match_rounded_model() {
    for model_kind in [ModelKind::Softmax, ModelKind::Mlp] {
        let server = TestServer::start(Settings {
            model: Some(model_kind),
            rule: Some(RuleKind::Plain),
            ..Settings::default()
        });
        let mut half = Follower::join(&server, HALF_PRECISION);
        let mut other = Follower::join(&server, DELTAS);
        for round in 0..10 {
            half.send_update(round);
            (0..round % 3).for_each(|n| other.send_update(1000 + 10 * round + n));
        }
        half.send_update(99);
        let (version, x) = model(&server);
        assert_ne!(rounded(&x), x, "rounding changes the parameters");
        assert_eq!(
            (half.version, bits(&half.x)),
            (version, rounded(&x)),
            "{model_kind:?}"
        );
        assert_eq!(half.deltas, 0, "deltas do not apply to rounded parameters");
        other.send_update(100);
        assert_eq!(
            (other.version, bits(&other.x)),
            model(&server),
            "other volunteers still follow the model"
        );
    }
}

#[test]
fn f16_snapshots_halve_download() {
    let train = |half_snapshots| {
        let settings = Settings {
            model: Some(ModelKind::Softmax),
            horizon: Some(400.0),
            ..Settings::default()
        };
        let server = TestServer::start(settings);
        server.train_with(&[FleetOptions {
            half_snapshots,
            ..server.fleet(4)
        }]);
        let status = server.status();
        let number = |group: &str, name: &str| status[group][name].as_u64().unwrap();
        let parameters = number("model", "parameters");
        (
            server.final_accuracy(),
            number("traffic", "sent_bytes") / status["accepted"].as_u64().unwrap(),
            parameters,
        )
    };
    let (accuracy, bytes, parameters) = train(true);
    assert!(accuracy > 0.8, "accuracy {accuracy}");
    let overhead = 300; // the acknowledgement, the task, and a fraction of the first frames
    assert!(
        (2 * parameters..2 * parameters + overhead).contains(&bytes),
        "{bytes} bytes per task"
    );
}

#[test]
fn deltas_are_smaller_than_snapshots() {
    let server = TestServer::start(Settings {
        horizon: Some(400.0),
        ..Settings::default()
    });
    server.train(&[(4, Attack::None)]);
    let status = server.status();
    let sent = status["traffic"]["sent_bytes"].as_u64().unwrap();
    let accepted = status["accepted"].as_u64().unwrap();
    let parameters = status["model"]["parameters"].as_u64().unwrap();
    let without_first = sent - 4 * 4 * parameters;
    assert!(
        5 * without_first <= accepted * 4 * parameters,
        "{} bytes per task, {} per snapshot",
        without_first / accepted,
        4 * parameters
    );
}
