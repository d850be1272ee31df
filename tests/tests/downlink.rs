//! What comes down: steps instead of snapshots where they are shorter, and the same bits either way.

use farsign::direction::Directions;
use farsign::wire::{Abilities, ServerRecord, read_server_frame};
use farsign_server::settings::{FamilyKind, ModelKind, RuleKind, Settings};
use farsign_server::volunteer::{Attack, VolunteerOptions};
use farsign_tests::host::Host;
use farsign_tests::raw::{RawVolunteer, Said};

const SNAPSHOTS: Abilities = Abilities { deltas: false, half_snapshots: false };
const STEPS: Abilities = Abilities { deltas: true, half_snapshots: false };
const HALF: Abilities = Abilities { deltas: true, half_snapshots: true };

/// A volunteer that keeps its parameters up to date from whatever it is sent.
struct Follower {
    raw: RawVolunteer,
    said: Said,
    directions: Directions,
    x: Vec<f32>,
    version: u64,
    deltas: usize,
    /// Most steps that came in one delta.
    most_steps: usize,
}

impl Follower {
    fn join(host: &Host, abilities: Abilities) -> Self {
        let mut raw = RawVolunteer::connect(host);
        raw.hello_with(abilities);
        let mut said = raw.hear();
        let spec = said.welcome.as_ref().expect("a welcome").settings.directions;
        let (version, x) = said.snapshot.take().expect("a first snapshot");
        Self { raw, said, directions: Directions::new(spec, 0), x, version, deltas: 0, most_steps: 0 }
    }

    /// Answers the task at hand with some bits, and takes in what comes back.
    fn answer(&mut self, salt: u64) {
        let task = self.said.task.expect("a task");
        assert_eq!(task.snapshot_version, self.version, "the task is for the model at hand");
        let count = self.directions.spec().count();
        let mut signs = farsign::sign::SignBits::default();
        signs.set_from(&vec![0.0; count], salt); // coins all over
        self.raw.answer(task.id, signs.as_bytes());
        self.said = self.raw.hear();
        assert!(self.said.accepted.is_some(), "{:?}", self.said);
        if let Some((version, x)) = self.said.snapshot.take() {
            (self.version, self.x) = (version, x);
        }
        if let Some((base, version, steps)) = self.said.delta.take() {
            assert_eq!(base, self.version, "the steps start from the model at hand");
            steps.iter().for_each(|step| step.take(&mut self.directions, &mut self.x));
            self.version = version;
            self.deltas += 1;
            self.most_steps = self.most_steps.max(steps.len());
        }
    }
}

fn model(host: &Host) -> (u64, Vec<u32>) {
    let frame = host.get("/api/v1/snapshot");
    let Some(Ok(ServerRecord::Snapshot(snapshot))) = read_server_frame(&frame).unwrap().next() else {
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
fn steps_rebuild_the_model_bit_for_bit() {
    for (rule, directions) in [
        (RuleKind::Plain, FamilyKind::Coordinate),
        (RuleKind::Plain, FamilyKind::Hadamard),
        (RuleKind::Vote, FamilyKind::Coordinate),
    ] {
        let (rule, directions) = (Some(rule), Some(directions));
        let model_kind = Some(ModelKind::Softmax);
        let host = Host::start(Settings { model: model_kind, rule, directions, ..Settings::default() });
        let (mut follower, mut other) = (Follower::join(&host, STEPS), Follower::join(&host, SNAPSHOTS));
        for round in 0..30 {
            follower.answer(round);
            (0..round % 4).for_each(|n| other.answer(1000 + 10 * round + n));
        }
        follower.answer(99);
        assert_eq!((follower.version, bits(&follower.x)), model(&host), "{rule:?} {directions:?}");
        assert_eq!((follower.deltas, other.deltas), (31, 0), "only who asks for steps gets them");
        assert_eq!(follower.most_steps, 4);
    }
}

#[test]
fn a_volunteer_far_behind_gets_a_snapshot_because_it_is_shorter() {
    let host = Host::start(Settings {
        model: Some(ModelKind::Softmax),
        rule: Some(RuleKind::Plain),
        ..Settings::default()
    });
    let (mut late, mut busy) = (Follower::join(&host, STEPS), Follower::join(&host, STEPS));
    (0..50).for_each(|n| busy.answer(n)); // 50 steps of 994 bytes are more than 31,400 bytes
    late.answer(50);
    assert_eq!((late.deltas, busy.deltas), (0, 50));
    assert_eq!((late.version, bits(&late.x)), model(&host));
}

/// The parameters in half precision.
fn rounded(x: &[u32]) -> Vec<u32> {
    bits(&x.iter().map(|&v| half::f16::from_f32(f32::from_bits(v)).to_f32()).collect::<Vec<_>>())
}

#[test]
fn half_precision_is_the_model_rounded_and_never_steps() {
    for model_kind in [ModelKind::Softmax, ModelKind::Mlp] {
        let host = Host::start(Settings {
            model: Some(model_kind),
            rule: Some(RuleKind::Plain),
            ..Settings::default()
        });
        let (mut half, mut other) = (Follower::join(&host, HALF), Follower::join(&host, STEPS));
        for round in 0..10 {
            half.answer(round);
            (0..round % 3).for_each(|n| other.answer(1000 + 10 * round + n));
        }
        half.answer(99);
        let (version, x) = model(&host);
        assert_ne!(rounded(&x), x, "rounding changes something");
        assert_eq!((half.version, bits(&half.x)), (version, rounded(&x)), "{model_kind:?}");
        assert_eq!(half.deltas, 0, "steps from rounded parameters lead elsewhere");
        other.answer(100);
        assert_eq!((other.version, bits(&other.x)), model(&host), "others are sent what they were before");
    }
}

#[test]
fn a_fleet_with_half_precision_learns_and_is_sent_half_of_the_bytes() {
    let trained = |half_snapshots| {
        let settings =
            Settings { model: Some(ModelKind::Softmax), horizon: Some(400.0), ..Settings::default() };
        let host = Host::start(settings);
        host.train_with(&[VolunteerOptions { half_snapshots, ..host.fleet(4) }]);
        let status = host.status();
        let number = |group: &str, name: &str| status[group][name].as_u64().unwrap();
        let parameters = number("model", "parameters");
        (
            host.final_accuracy(),
            number("traffic", "sent_bytes") / status["accepted"].as_u64().unwrap(),
            parameters,
        )
    };
    let (accuracy, bytes, parameters) = trained(true);
    assert!(accuracy > 0.8, "accuracy {accuracy}");
    let beside = 300; // the acknowledgement, the task, and a share of the first frames
    assert!((2 * parameters..2 * parameters + beside).contains(&bytes), "{bytes} bytes a task");
}

#[test]
fn four_volunteers_are_sent_a_fifth_of_the_snapshots_bytes_at_most() {
    let host = Host::start(Settings { horizon: Some(400.0), ..Settings::default() });
    host.train(&[(4, Attack::None)]);
    let status = host.status();
    let sent = status["traffic"]["sent_bytes"].as_u64().unwrap();
    let (accepted, parameters) =
        (status["accepted"].as_u64().unwrap(), status["model"]["parameters"].as_u64().unwrap());
    let without_first = sent - 4 * 4 * parameters;
    assert!(
        5 * without_first <= accepted * 4 * parameters,
        "{} bytes a task, {} for a snapshot",
        without_first / accepted,
        4 * parameters
    );
}
