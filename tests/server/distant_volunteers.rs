//! Volunteers on long lines: larger tasks, two open ones, and rests that hide the round trip.

use std::time::Duration;

use farsign::task::{GoodbyeReason, RejectReason, Secret, Task};
use farsign::task_sizing::MAX_OPEN_TASKS;
use farsign::volunteer::{Event, Volunteer};
use farsign::wire::{ClientFrame, Hello, ServerRecord, read_server_frame};
use farsign_server::config::settings::{ModelKind, RuleKind, ScheduleKind, Settings};
use farsign_tests::delaying_proxy::DelayingProxy;
use farsign_tests::raw_client::RawClient;
use farsign_tests::test_server::TestServer;
use farsign_volunteer::{FleetOptions, WorkerExit};

/// Delay of a byte in one direction.
const DELAY: Duration = Duration::from_millis(20);

/// Images of the configured minibatch.
const MINIBATCH: u32 = 16;

/// Updates until the tasks of a distant volunteer have grown. Each at most doubles its images.
const UPDATES: usize = 100;

fn plain() -> Settings {
    Settings {
        model: Some(ModelKind::Softmax),
        rule: Some(RuleKind::Plain),
        schedule: Some(ScheduleKind::Constant),
        batch: Some(MINIBATCH),
        ..Settings::default()
    }
}

/// A volunteer that computes its updates, with the tasks that it received.
struct Client {
    connection: RawClient,
    volunteer: Volunteer,
    tasks: Vec<Task>,
}

impl Client {
    fn join(server: &TestServer, mut connection: RawClient) -> Self {
        connection.send_hello(&Hello {
            shards: server.state().data.shards.data().held() as u16,
            secret: Some(Secret([7; 16])),
            ..Hello::default()
        });
        let mut client = Self {
            connection,
            volunteer: Volunteer::new(server.state().data.shards.data().clone()),
            tasks: Vec::new(),
        };
        client.receive();
        client
    }

    /// Returns the two open tasks, in order.
    fn open_tasks(&self) -> [Task; MAX_OPEN_TASKS] {
        *self.tasks.last_chunk().expect("two open tasks")
    }

    /// Receives a frame, and returns the tasks in it.
    fn receive(&mut self) -> Vec<Task> {
        let mut events = Vec::new();
        let frame = self.connection.recv_frame();
        self.volunteer
            .receive(&frame, &mut events)
            .expect("a valid frame");
        let tasks: Vec<Task> = events
            .into_iter()
            .filter_map(|event| match event {
                Event::Task(task) => Some(task),
                Event::Rejected(reason) => panic!("rejected: {reason}"),
                _ => None,
            })
            .collect();
        self.tasks.extend(&tasks);
        tasks
    }

    /// Receives a frame, and returns whether it accepts an update.
    fn is_accepted(&mut self) -> bool {
        let frame = self.connection.recv_frame();
        records(&frame)
            .iter()
            .any(|record| matches!(record, ServerRecord::Accepted { .. }))
    }

    /// Computes and sends the update of the first open task.
    fn update(&mut self) {
        let task = self.volunteer.next_task().expect("an open task");
        let mut frame = Vec::new();
        self.volunteer
            .write_update(&task, &mut frame)
            .expect("an update");
        self.connection.send_frame(frame);
    }

    fn state_line_rate(&mut self, bytes_per_s: u32) {
        let mut frame = Vec::new();
        ClientFrame::line_rate(bytes_per_s, &mut frame);
        self.connection.send_frame(frame);
    }

    /// Trains until this many tasks are received, or until two are open.
    fn train(&mut self, tasks: usize, until_two_open: bool) {
        while self.tasks.len() < tasks {
            while self.volunteer.next_task().is_some() {
                self.update();
            }
            let received = self.receive();
            if until_two_open && received.len() == MAX_OPEN_TASKS {
                return;
            }
        }
    }
}

fn records(frame: &[u8]) -> Vec<ServerRecord<'_>> {
    let records = read_server_frame(frame).expect("a frame of this version");
    records.collect::<Result<_, _>>().expect("valid records")
}

fn distant(server: &TestServer) -> RawClient {
    let proxy = DelayingProxy::to(server.address(), DELAY).expect("a free port");
    RawClient::connect_to(proxy.address(), &[]).expect("the server accepts connections")
}

#[test]
fn distant_volunteer_gets_larger_tasks() {
    let server = TestServer::start(plain());
    let mut client = Client::join(&server, distant(&server));
    client.train(UPDATES, false);
    let images: Vec<u32> = client.tasks.iter().map(|task| task.images).collect();
    assert!(images[..8].iter().all(|images| *images == MINIBATCH));
    let largest = images.iter().max().expect("tasks");
    assert!(*largest > 8 * MINIBATCH, "{images:?}");
    for pair in images.windows(2) {
        assert!(
            pair[1] <= 2 * pair[0],
            "a task more than doubled: {images:?}"
        );
    }
    // A task that cannot be done in time ends the session. The next one begins with the smallest task.
    drop(client);
    let again = Client::join(&server, distant(&server));
    assert_eq!(again.tasks[0].images, MINIBATCH);
}

#[test]
fn near_volunteer_keeps_minibatch() {
    let server = TestServer::start(Settings {
        batch: None,
        ..plain()
    });
    let mut client = Client::join(&server, RawClient::connect(&server));
    client.train(UPDATES, true);
    assert!(client.tasks.iter().all(|task| task.images == 512));
    assert_eq!(client.tasks.len(), UPDATES, "two tasks were open");
}

#[test]
fn line_rate_enlarges_tasks() {
    let server = TestServer::start(plain());
    let mut client = Client::join(&server, RawClient::connect(&server));
    client.state_line_rate(1_000);
    client.train(UPDATES, false);
    let last = |client: &Client| client.tasks.last().expect("tasks").images;
    let held = server.state().data.shards.data().list().images() as u32;
    assert_eq!(last(&client), held, "{:?}", client.tasks);
    client.state_line_rate(0);
    client.train(UPDATES + 8, false);
    assert!(last(&client) < held / 8, "{:?}", client.tasks);
}

#[test]
fn second_update_before_first_is_rejected() {
    let server = TestServer::start(plain());
    let mut client = Client::join(&server, distant(&server));
    client.train(UPDATES, true);
    let [first, second] = client.open_tasks();
    assert_eq!(client.volunteer.next_task(), Some(first), "two open tasks");
    let before = server.status()["accepted"].clone();
    let mut frame = Vec::new();
    // A volunteer of its own, so that the updates are computed in the wrong order.
    let signs = client.volunteer.compute_update(&second).expect("an update");
    ClientFrame::update(second.id, signs, &mut frame);
    client.connection.send_frame(frame.clone());
    let reply = client.connection.recv();
    assert_eq!(
        reply.rejected,
        Some((second.id, RejectReason::OutOfOrder)),
        "{reply:?}"
    );
    assert_eq!(reply.task, None, "both tasks stay open");
    let status = server.status();
    assert_eq!(status["accepted"], before, "the model is unchanged");
    assert_eq!(status["rejected"]["out_of_order"], 1);
    client.update();
    assert!(client.is_accepted());
    client.connection.send_frame(frame);
    assert!(client.is_accepted());
}

#[test]
fn version_request_closes_both_tasks() {
    let server = TestServer::start(plain());
    let mut client = Client::join(&server, distant(&server));
    client.train(UPDATES, true);
    let [first, second] = client.open_tasks();
    let mut frame = Vec::new();
    ClientFrame::version_request(second.id, &mut frame);
    client.connection.send_frame(frame.clone());
    client.connection.send_frame(frame); // names a task that is no longer open
    let reply = client.connection.recv_frame();
    let [ServerRecord::Version(version), ServerRecord::Task(next)] = &records(&reply)[..] else {
        panic!("expected a version and a task, found {:?}", records(&reply))
    };
    assert!(next.reset_momentum && version.base.is_none(), "{next:?}");
    let bits = [0; 982]; // one sign for each parameter
    for task in [first, second] {
        client.connection.send_update(task.id, &bits);
        let rejected = client.connection.recv().rejected;
        assert_eq!(rejected, Some((task.id, RejectReason::TaskTimedOut)));
    }
    client.connection.send_update(next.id, &bits);
    assert!(client.is_accepted());
    assert_eq!(server.status()["rejected"]["version_missing"], 2);
}

#[test]
fn rest_delays_next_task() {
    let server = TestServer::start(plain());
    let mut client = Client::join(&server, RawClient::connect(&server));
    let rest = |client: &mut Client, ms| {
        let mut frame = Vec::new();
        ClientFrame::rest(ms, &mut frame);
        client.connection.send_frame(frame);
    };
    rest(&mut client, u32::MAX);
    client.update();
    assert_eq!(client.receive(), [], "the update was accepted");
    rest(&mut client, 0);
    assert_eq!(client.receive().len(), 1, "the rest is over");
    rest(&mut client, 1);
    client.update();
    while client.volunteer.next_task().is_none() {
        client.receive(); // the accepted update, and the task after the rest
    }
}

#[test]
fn endless_rests_end_session() {
    let server = TestServer::start(plain());
    let mut client = Client::join(&server, RawClient::connect(&server));
    let mut frame = Vec::new();
    ClientFrame::rest(5, &mut frame);
    (0..257).for_each(|_| client.connection.send_frame(frame.clone()));
    let goodbye = client.connection.recv().goodbye.expect("a goodbye");
    assert_eq!(goodbye.reason, GoodbyeReason::TooManyPings);
}

#[test]
fn distant_fleet_passes_verification() {
    let server = TestServer::start(Settings {
        model: Some(ModelKind::Softmax),
        verify_probability: Some(0.5),
        verify_cpu_fraction: Some(1.0),
        horizon: Some(300.0),
        ..Settings::default()
    });
    let proxy = DelayingProxy::to(server.address(), DELAY).expect("a free port");
    let url = format!("http://{}", proxy.address());
    let fleet = FleetOptions::new(url.parse().expect("a server URL"), 4);
    let exits = server.train_with(&[fleet]);
    assert_eq!(exits, vec![WorkerExit::Finished; 4]);
    let status = server.status();
    assert_eq!(status["verification"]["failed"], 0, "{status:#}");
    assert!(
        status["verification"]["passed"].as_u64() > Some(10),
        "{status:#}"
    );
    assert_eq!(status["rejected"]["out_of_order"], 0, "{status:#}");
    assert_eq!(status["rejected"]["task_timed_out"], 0, "{status:#}");
}
