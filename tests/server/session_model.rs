//! A model-based test of sessions: random sequences of client actions are compared with a small model of
//! docs/protocol.md.

use std::sync::LazyLock;

use farsign::task::{GoodbyeReason, RejectReason, TaskId};
use farsign::wire::{Hello, VERSION};
use farsign_server::config::settings::{ModelKind, RuleKind, Settings};
use farsign_tests::raw_client::{RawClient, Received};
use farsign_tests::test_server::TestServer;
use proptest::prelude::*;

/// Softmax on the built-in data has 7,850 parameters: 982 bytes of sign bits, with 6 spare bits.
const BIT_BYTES: usize = 982;

/// Number of rejected updates in a row that ends a session.
const MAX_REJECTED_IN_A_ROW: usize = 8;

#[derive(Clone, Copy, Debug)]
enum Action {
    Hello,
    Update(TaskChoice, Bits),
    InvalidFrame,
    /// Disconnects without a close and connects again.
    Leave,
}

/// The task of an update.
#[derive(Clone, Copy, Debug)]
enum TaskChoice {
    Open,
    /// The second open task, if there is one.
    Second,
    /// The previous task of this session.
    Closed,
    /// A task of another open session.
    Foreign,
    /// A task of the previous session.
    Earlier,
    Unknown,
}

#[derive(Clone, Copy, Debug)]
enum Bits {
    Valid,
    TooFew,
    TooMany,
    Spare,
}

impl Bits {
    fn bytes(self) -> Vec<u8> {
        match self {
            Self::Valid => [vec![0xaa; BIT_BYTES - 1], vec![0b10]].concat(),
            Self::TooFew => vec![0; BIT_BYTES - 1],
            Self::TooMany => vec![0; BIT_BYTES + 1],
            Self::Spare => vec![0xff; BIT_BYTES],
        }
    }
}

/// The expected response.
#[derive(Debug, PartialEq)]
enum Expected {
    Welcome,
    Accepted,
    Rejected(RejectReason, NextTask),
    Goodbye(GoodbyeReason, u16),
    Nothing,
}

#[derive(Debug, PartialEq)]
enum NextTask {
    /// One, unless another is open. A client whose machine is busy looks far away, and may have two.
    Sent,
    Unchanged,
}

/// The state of a session according to the protocol.
#[derive(Debug, Default)]
struct Model {
    open: Option<TaskId>,
    second: Option<TaskId>,
    closed: Option<TaskId>,
    earlier: Option<TaskId>,
    rejects: usize,
}

impl Model {
    /// Returns the chosen task, or `None` if the session has no such task.
    fn task(&self, choice: TaskChoice, foreign: TaskId) -> Option<TaskId> {
        match choice {
            TaskChoice::Open => self.open,
            TaskChoice::Second => self.second,
            TaskChoice::Closed => self.closed,
            TaskChoice::Foreign => Some(foreign),
            TaskChoice::Earlier => self.earlier,
            TaskChoice::Unknown => self.open.map(|open| TaskId(open.0 + 99)),
        }
    }

    fn expect(&self, action: Action) -> Expected {
        use Expected::{Accepted, Goodbye, Nothing, Rejected, Welcome};
        match (action, self.open) {
            (Action::Leave, _) => Nothing,
            (Action::InvalidFrame, _) | (Action::Hello, Some(_)) => {
                Goodbye(GoodbyeReason::Malformed, 1002)
            }
            (Action::Update(_, Bits::TooMany), _) => Goodbye(GoodbyeReason::Oversize, 1009),
            (Action::Hello, None) => Welcome,
            (Action::Update(..), None) => Goodbye(GoodbyeReason::HelloMissing, 1002),
            (Action::Update(TaskChoice::Open, bits), Some(_)) => match bits {
                Bits::Valid => Accepted,
                Bits::Spare => Rejected(RejectReason::SpareBitsSet, NextTask::Sent),
                Bits::TooFew | Bits::TooMany => {
                    Rejected(RejectReason::WrongBitCount, NextTask::Sent)
                }
            },
            (Action::Update(TaskChoice::Second, _), _) => {
                Rejected(RejectReason::OutOfOrder, NextTask::Unchanged)
            }
            (Action::Update(TaskChoice::Closed, _), _) => {
                Rejected(RejectReason::DuplicateUpdate, NextTask::Unchanged)
            }
            (Action::Update(TaskChoice::Foreign | TaskChoice::Earlier, _), _) => {
                Rejected(RejectReason::NotYourTask, NextTask::Unchanged)
            }
            (Action::Update(TaskChoice::Unknown, _), _) => {
                Rejected(RejectReason::UnknownTask, NextTask::Unchanged)
            }
        }
    }

    /// Ends the session and starts another.
    fn reset(&mut self) {
        *self = Self {
            earlier: self.open.or(self.closed).or(self.earlier),
            ..Self::default()
        };
    }
}

/// The client under test, and the model of its session.
struct Client {
    volunteer: RawClient,
    model: Model,
    accepted: u64,
    /// Message of the last accepted update.
    last: u64,
}

static SERVER: LazyLock<TestServer> = LazyLock::new(|| {
    let unlimited = Some(100_000);
    TestServer::start(Settings {
        model: Some(ModelKind::Softmax),
        rule: Some(RuleKind::Plain),
        joins_per_minute: unlimited,
        max_connections_per_address: unlimited,
        ..Settings::default()
    })
});

impl Client {
    fn new() -> Self {
        let accepted = SERVER.status()["accepted"].as_u64().expect("a number");
        Self {
            volunteer: RawClient::connect(&SERVER),
            model: Model::default(),
            accepted,
            last: 0,
        }
    }

    /// Performs an action if its task exists, and compares the response with the model.
    fn act(&mut self, action: Action, foreign: TaskId) {
        let expected = self.model.expect(action);
        match action {
            Action::Hello => self.volunteer.send_hello(&Hello::default()),
            Action::InvalidFrame => self.volunteer.send_frame(vec![VERSION, 9, 0, 0, 0, 0]),
            Action::Leave => return self.reset(),
            Action::Update(choice, bits) => {
                let Some(task) = self.model.task(choice, foreign).or(self
                    .model
                    .open
                    .is_none()
                    .then_some(foreign))
                else {
                    return;
                };
                self.volunteer.send_update(task, &bits.bytes());
            }
        }
        let received = self.volunteer.recv();
        match &expected {
            Expected::Goodbye(reason, code) => self.expect_goodbye(&received, *reason, *code),
            _ => self.expect_open(&received, &expected),
        }
    }

    fn expect_goodbye(&mut self, received: &Received, reason: GoodbyeReason, code: u16) {
        assert_eq!(
            received,
            &Received {
                goodbye: received.goodbye,
                ..Received::default()
            },
            "the goodbye is the only record"
        );
        assert_eq!(received.goodbye.map(|goodbye| goodbye.reason), Some(reason));
        assert_eq!(self.volunteer.recv_close(), code);
        self.reset();
    }

    fn expect_open(&mut self, received: &Received, expected: &Expected) {
        let mut model = std::mem::take(&mut self.model);
        let is_task_sent = match expected {
            Expected::Welcome => {
                assert!(
                    received.welcome.is_some() && received.version.is_some(),
                    "{received:?}"
                );
                true
            }
            Expected::Accepted => {
                self.accepted += 1;
                let message = received.accepted.expect("an acknowledgement");
                assert!(message > self.last, "each update has a message");
                self.last = message;
                model.rejects = 0;
                true
            }
            Expected::Rejected(reason, next) => {
                assert_eq!(received.rejected.map(|(_, found)| found), Some(*reason));
                assert_eq!(received.accepted, None);
                model.rejects += 1;
                *next == NextTask::Sent
            }
            Expected::Goodbye(..) | Expected::Nothing => unreachable!("handled by the callers"),
        };
        if is_task_sent {
            model.closed = model.open.or(model.closed);
            model.open = model.second.take();
        }
        let sent: Vec<TaskId> = received.tasks().map(|task| task.id).collect();
        assert!(is_task_sent || sent.is_empty(), "{received:?}");
        for next in sent {
            let newest = model.second.or(model.open).or(model.closed);
            assert!(
                newest.is_none_or(|newest| newest < next),
                "task numbers increase"
            );
            assert_eq!(model.second, None, "a third open task: {received:?}");
            if model.open.is_none() {
                model.open = Some(next);
            } else {
                model.second = Some(next);
            }
        }
        assert!(
            model.open.is_some(),
            "a task follows a closed task: {received:?}"
        );
        let is_over = model.rejects == MAX_REJECTED_IN_A_ROW;
        self.model = model;
        if is_over {
            let last = self.volunteer.recv();
            self.expect_goodbye(&last, GoodbyeReason::TooManyRejects, 1008);
        }
    }

    fn reset(&mut self) {
        self.model.reset();
        self.volunteer = RawClient::connect(&SERVER);
    }
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let choice = prop_oneof![
        4 => Just(TaskChoice::Open),
        1 => Just(TaskChoice::Second),
        1 => Just(TaskChoice::Closed),
        1 => Just(TaskChoice::Foreign),
        1 => Just(TaskChoice::Earlier),
        1 => Just(TaskChoice::Unknown),
    ];
    let bits = prop_oneof![
        20 => Just(Bits::Valid),
        4 => Just(Bits::TooFew),
        4 => Just(Bits::Spare),
        1 => Just(Bits::TooMany),
    ];
    let action = prop_oneof![
        2 => Just(Action::Hello),
        20 => (choice, bits).prop_map(|(choice, bits)| Action::Update(choice, bits)),
        1 => Just(Action::InvalidFrame),
        1 => Just(Action::Leave),
    ];
    prop::collection::vec(action, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// A failing case is printed, and its seed is stored in a file next to this one.
    #[test]
    fn session_follows_protocol_model(actions in actions()) {
        let (_foreigner, foreign) = RawClient::join(&SERVER);
        let mut client = Client::new();
        for action in actions {
            // Only one kind of action is tried before the hello, because all others end the session.
            let is_early = matches!(action, Action::Update(TaskChoice::Foreign, _));
            if client.model.open.is_none() && !is_early {
                client.act(Action::Hello, foreign.id);
            }
            client.act(action, foreign.id);
        }
        SERVER.wait_until("each update counted once", |status| {
            status["accepted"].as_u64() == Some(client.accepted)
        });
    }
}
