//! Versions: differences lead to the same bits as whole versions, and take far fewer bytes.

use std::collections::VecDeque;

use farsign::sign::SignBits;
use farsign::task::Task;
use farsign::version::VersionHash;
use farsign::wire::{ClientFrame, Hello};
use farsign_server::config::settings::{FamilyKind, ModelKind, RuleKind, Settings};
use farsign_tests::raw_client::{RawClient, Received};
use farsign_tests::test_server::TestServer;
use farsign_volunteer::Attack;

/// A volunteer that sends pseudo-random signs.
struct Follower {
    client: RawClient,
    last: Received,
    /// Open tasks in order. A client whose machine is busy looks far away, and may have two.
    tasks: VecDeque<Task>,
    directions: usize,
    /// Name of the newest version.
    held: VersionHash,
    differences: usize,
    /// Versions that came as a whole after the first.
    wholes: usize,
}

impl Follower {
    fn join(server: &TestServer) -> Self {
        let mut client = RawClient::connect(server);
        client.send_hello(&Hello::default());
        let last = client.recv();
        let welcome = last.welcome.as_ref().expect("a welcome");
        let first = last.version.as_ref().expect("a first version");
        assert!(!last.is_difference);
        Self {
            directions: welcome.settings.directions.count(),
            held: first.hash(),
            tasks: last.task.into_iter().collect(),
            client,
            last,
            differences: 0,
            wholes: 0,
        }
    }

    /// Sends an update of pseudo-random bits, and takes the response.
    fn send_update(&mut self, salt: u64) {
        let task = self.tasks.pop_front().expect("a task");
        let mut signs = SignBits::default();
        signs.copy_from(&vec![0.0; self.directions], salt); // zeros become pseudo-random signs
        self.client.send_update(task.id, signs.as_bytes());
        self.last = self.client.recv();
        assert!(self.last.accepted.is_some(), "{:?}", self.last);
        self.take_tasks();
    }

    /// Sends updates until one brings a version.
    fn follow(&mut self, salt: u64) {
        self.send_update(salt);
        while self.last.version.is_none() {
            self.send_update(salt);
        }
    }

    fn take_tasks(&mut self) {
        if let Some(version) = &self.last.version {
            self.held = version.hash();
            self.differences += usize::from(self.last.is_difference);
            self.wholes += usize::from(!self.last.is_difference);
        }
        for task in self.last.tasks() {
            assert_eq!(task.version, self.held, "the task is for another version");
            self.tasks.push_back(task);
        }
    }
}

fn published(server: &TestServer) -> VersionHash {
    server.state().gateway.snapshot().version.hash()
}

#[test]
fn differences_lead_to_published_version() {
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
        let mut follower = Follower::join(&server);
        let mut other = Follower::join(&server);
        for round in 0..30 {
            follower.follow(round);
            (0..round % 4).for_each(|n| other.send_update(1000 + 10 * round + n));
        }
        follower.follow(99);
        assert_eq!(follower.held, published(&server), "{rule:?} {directions:?}");
        let versions = (follower.differences, follower.wholes);
        assert_eq!(versions, (31, 0), "{rule:?} {directions:?}");
    }
}

#[test]
fn late_volunteer_gets_whole_version() {
    let server = TestServer::start(Settings {
        model: Some(ModelKind::Softmax),
        rule: Some(RuleKind::Plain),
        ..Settings::default()
    });
    let mut late = Follower::join(&server);
    let mut busy = Follower::join(&server);
    (0..70).for_each(|n| busy.follow(n)); // more than the 64 versions that a server keeps
    late.follow(70);
    assert_eq!((late.differences, late.wholes), (0, 1));
    assert_eq!((busy.differences, busy.wholes), (70, 0));
    assert_eq!(late.held, published(&server));
}

#[test]
fn version_request_gets_whole_version() {
    let server = TestServer::start(Settings {
        model: Some(ModelKind::Softmax),
        ..Settings::default()
    });
    let mut follower = Follower::join(&server);
    follower.send_update(1);
    let task = follower.last.task.expect("a task");
    let mut request = Vec::new();
    ClientFrame::version_request(task.id, &mut request);
    follower.client.send_frame(request);
    follower.last = follower.client.recv();
    assert!(follower.last.version.is_some() && !follower.last.is_difference);
    let next = follower.last.task.expect("another task");
    assert!(next.id > task.id && next.reset_momentum, "{next:?}");
    follower.tasks.clear(); // the server has closed them
    follower.take_tasks();
    follower.send_update(2);
    assert_eq!(server.status()["rejected"]["version_missing"], 1);
}

#[test]
fn differences_are_smaller_than_parameters() {
    let server = TestServer::start(Settings {
        horizon: Some(400.0),
        ..Settings::default()
    });
    server.train(&[(4, Attack::None)]);
    let status = server.status();
    let sent = status["traffic"]["sent_bytes"].as_u64().unwrap();
    let accepted = status["accepted"].as_u64().unwrap();
    let parameters = status["model"]["parameters"].as_u64().unwrap();
    let bits = 8 * sent / (accepted * parameters);
    assert!(bits <= 4, "{bits} bits a parameter for an update");
}
