//! Volunteers that hold a part of the training data.

use farsign::dataset::ShardedDataset;
use farsign::task::{GoodbyeReason, Task};
use farsign::volunteer::{Event, Volunteer};
use farsign::wire::{ClientFrame, Hello};
use farsign_server::config::settings::{ModelKind, Settings};
use farsign_tests::raw_client::RawClient;
use farsign_tests::test_server::TestServer;

/// Starts a server that recomputes every update.
fn verifying_server() -> TestServer {
    TestServer::start(Settings {
        model: Some(ModelKind::Softmax),
        verify_probability: Some(1.0),
        verify_cpu_fraction: Some(1.0),
        ..Settings::default()
    })
}

fn verifications(server: &TestServer, outcome: &str) -> u64 {
    let count = server.status()["verification"][outcome].as_u64();
    count.expect("a number of verifications")
}

/// A volunteer whose shards the test chooses.
struct Client<'a> {
    server: &'a TestServer,
    connection: RawClient,
    volunteer: Volunteer,
    data: ShardedDataset,
}

impl<'a> Client<'a> {
    /// Joins, and reports this many shards.
    fn join(server: &'a TestServer, shards: usize) -> Self {
        let list = server.state().data.shards.data().list().clone();
        let mut client = Self {
            server,
            connection: RawClient::connect(server),
            volunteer: Volunteer::new(ShardedDataset::new(list.clone())),
            data: ShardedDataset::new(list),
        };
        client.hold(shards);
        client.connection.send_hello(&Hello {
            shards: shards as u16,
            ..Hello::default()
        });
        client
    }

    fn hold(&mut self, shards: usize) {
        let packed = self.server.state().data.shards.packed();
        while self.data.held() < shards {
            let next = self.data.held();
            self.data.push(&packed[next]).expect("the next shard");
        }
        self.volunteer.grow(&self.data);
    }

    /// Receives frames until the volunteer has a task.
    fn task(&mut self) -> Task {
        self.connection.next_task(&mut self.volunteer)
    }

    /// Computes and sends the update of a task, or of a changed one under its id.
    fn send_update(&mut self, task: &Task) {
        let mut frame = Vec::new();
        let written = self.volunteer.write_update(task, &mut frame);
        written.expect("an update");
        self.connection.send_frame(frame);
    }

    /// Computes the update of one task, waits until it has passed verification, and returns the task's shards.
    fn train(&mut self) -> u16 {
        let passed = verifications(self.server, "passed");
        let task = self.task();
        self.send_update(&task);
        self.server.wait_until("the verification", |status| {
            status["verification"]["passed"].as_u64() == Some(passed + 1)
        });
        task.shards
    }

    fn report(&mut self, shards: u16) {
        let mut frame = Vec::new();
        ClientFrame::shards(shards, &mut frame);
        self.connection.send_frame(frame);
    }
}

#[test]
fn tasks_draw_from_held_shards() {
    let server = verifying_server();
    let mut client = Client::join(&server, 1);
    assert_eq!([(); 3].map(|()| client.train()), [1; 3]);
    for (reported, expected) in [(3, 3), (2, 3), (7, 7)] {
        client.hold(reported.into());
        client.report(reported);
        client.train(); // issued before the report
        client.train(); // a second open task may be as old
        assert_eq!(
            [(); 3].map(|()| client.train()),
            [expected; 3],
            "{reported}"
        );
    }
    assert_eq!(verifications(&server, "failed"), 0);
}

#[test]
fn claimed_shards_fail_verification() {
    let server = verifying_server();
    let mut client = Client::join(&server, 2);
    client.report(7);
    let goodbye = loop {
        let mut task = client.task();
        task.shards = 2; // it lacks the others
        client.send_update(&task);
        let mut events = Vec::new();
        let frame = client.connection.recv_frame();
        let received = client.volunteer.receive(&frame, &mut events);
        received.expect("a valid frame");
        if let Some(Event::Goodbye(goodbye)) = events.last() {
            break *goodbye;
        }
    };
    assert_eq!(goodbye.reason, GoodbyeReason::FailedVerification);
}

#[test]
fn invalid_shards_end_session() {
    let server = verifying_server();
    let shards = server.state().data.shards.data().list().shards() as u16;
    let mut ended = 0;
    for (in_hello, reported) in [
        (0, None),
        (shards, Some(0)),
        (1, Some(shards + 1)),
        (shards, Some(u16::MAX)),
        (shards + 1, Some(shards + 1)), // more in the hello are shards of other data
    ] {
        let mut connection = RawClient::connect(&server);
        connection.send_hello(&Hello {
            shards: in_hello,
            ..Hello::default()
        });
        if let Some(reported) = reported {
            let task = connection.recv().task.expect("a welcome with a task");
            assert_eq!(task.shards, in_hello.min(shards));
            let mut frame = Vec::new();
            ClientFrame::shards(reported, &mut frame);
            connection.send_frame(frame);
        }
        let goodbye = connection.recv().goodbye.expect("a goodbye");
        assert_eq!(goodbye.reason, GoodbyeReason::InvalidShards);
        assert_eq!(connection.recv_close(), 1002);
        ended += 1;
    }
    assert_eq!(server.status()["sessions_ended"]["invalid_shards"], ended);
}
