//! A session does what docs/protocol.md says of it, whatever a client does: random sequences of a client's actions
//! beside a model of a few lines that says what must come back.

use std::sync::LazyLock;

use farsign::task::{GoodbyeReason, RejectReason, TaskId};
use farsign_server::settings::{ModelKind, RuleKind, Settings};
use farsign_tests::host::Host;
use farsign_tests::raw::{RawVolunteer, Said};
use proptest::prelude::*;

/// Softmax on the built-in data has 7,850 parameters: 982 bytes of sign bits, with 6 spare bits.
const BIT_BYTES: usize = 982;

/// Rejected answers in a row that end a session.
const MOST_REJECTS: usize = 8;

#[derive(Clone, Copy, Debug)]
enum Action {
    Hello,
    Answer(Which, Bits),
    Nonsense,
    /// Leaves without a word, and connects again.
    Leave,
}

/// The task an answer names.
#[derive(Clone, Copy, Debug)]
enum Which {
    Open,
    /// The one before, in this session.
    Closed,
    /// That of a session which is still open.
    Foreign,
    /// That of the session before.
    Earlier,
    Unknown,
}

#[derive(Clone, Copy, Debug)]
enum Bits {
    Right,
    TooFew,
    TooMany,
    Spare,
}

impl Bits {
    fn bytes(self) -> Vec<u8> {
        match self {
            Self::Right => [vec![0xaa; BIT_BYTES - 1], vec![0b10]].concat(),
            Self::TooFew => vec![0; BIT_BYTES - 1],
            Self::TooMany => vec![0; BIT_BYTES + 1],
            Self::Spare => vec![0xff; BIT_BYTES],
        }
    }
}

/// What must come back.
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
    Comes,
    Stays,
}

/// What the protocol knows of a session.
#[derive(Debug, Default)]
struct Model {
    open: Option<TaskId>,
    closed: Option<TaskId>,
    earlier: Option<TaskId>,
    rejects: usize,
}

impl Model {
    /// The number of the task, where there is such a task.
    fn task(&self, which: Which, foreign: TaskId) -> Option<TaskId> {
        match which {
            Which::Open => self.open,
            Which::Closed => self.closed,
            Which::Foreign => Some(foreign),
            Which::Earlier => self.earlier,
            Which::Unknown => Some(TaskId(u64::MAX)),
        }
    }

    fn expect(&self, action: Action) -> Expected {
        use Expected::{Accepted, Goodbye, Nothing, Rejected, Welcome};
        match (action, self.open) {
            (Action::Leave, _) => Nothing,
            (Action::Nonsense, _) | (Action::Hello, Some(_)) => Goodbye(GoodbyeReason::Malformed, 1002),
            (Action::Answer(_, Bits::TooMany), _) => Goodbye(GoodbyeReason::Oversize, 1009),
            (Action::Hello, None) => Welcome,
            (Action::Answer(..), None) => Goodbye(GoodbyeReason::NoHello, 1002),
            (Action::Answer(Which::Open, bits), Some(_)) => match bits {
                Bits::Right => Accepted,
                Bits::Spare => Rejected(RejectReason::SpareBitsSet, NextTask::Comes),
                Bits::TooFew | Bits::TooMany => Rejected(RejectReason::WrongBitCount, NextTask::Comes),
            },
            (Action::Answer(Which::Closed, _), _) => Rejected(RejectReason::AlreadyAnswered, NextTask::Stays),
            (Action::Answer(Which::Foreign | Which::Earlier, _), _) => {
                Rejected(RejectReason::NotYourTask, NextTask::Stays)
            }
            (Action::Answer(Which::Unknown, _), _) => Rejected(RejectReason::UnknownTask, NextTask::Stays),
        }
    }

    /// The session is over, another one begins.
    fn begin_again(&mut self) {
        *self = Self { earlier: self.open.or(self.closed).or(self.earlier), ..Self::default() };
    }
}

/// The client under test, the model of its session, and what all of them have accepted.
struct Client {
    volunteer: RawVolunteer,
    model: Model,
    accepted: u64,
}

static HOST: LazyLock<Host> = LazyLock::new(|| {
    let many = Some(100_000);
    Host::start(Settings {
        model: Some(ModelKind::Softmax),
        rule: Some(RuleKind::Plain),
        joins_per_minute: many,
        max_connections_per_address: many,
        ..Settings::default()
    })
});

impl Client {
    fn new() -> Self {
        let accepted = HOST.status()["accepted"].as_u64().expect("a number");
        Self { volunteer: RawVolunteer::connect(&HOST), model: Model::default(), accepted }
    }

    /// Does it, if there is such a task, and holds what comes back against the model.
    fn act(&mut self, action: Action, foreign: TaskId) {
        let expected = self.model.expect(action);
        match action {
            Action::Hello => self.volunteer.hello(),
            Action::Nonsense => self.volunteer.send(vec![1, 9, 0, 0, 0, 0]),
            Action::Leave => return self.begin_again(),
            Action::Answer(which, bits) => {
                let Some(task) =
                    self.model.task(which, foreign).or(self.model.open.is_none().then_some(foreign))
                else {
                    return;
                };
                self.volunteer.answer(task, &bits.bytes());
            }
        }
        let said = self.volunteer.hear();
        match &expected {
            Expected::Goodbye(reason, code) => self.hears_goodbye(&said, *reason, *code),
            _ => self.hears_no_end(&said, &expected),
        }
    }

    fn hears_goodbye(&mut self, said: &Said, reason: GoodbyeReason, code: u16) {
        assert_eq!(said, &Said { goodbye: said.goodbye, ..Said::default() }, "nothing else is said");
        assert_eq!(said.goodbye.map(|goodbye| goodbye.reason), Some(reason));
        assert_eq!(self.volunteer.hear_close(), code);
        self.begin_again();
    }

    fn hears_no_end(&mut self, said: &Said, expected: &Expected) {
        let mut model = std::mem::take(&mut self.model);
        let comes = match expected {
            Expected::Welcome => {
                assert!(said.welcome.is_some() && said.snapshot.is_some(), "{said:?}");
                true
            }
            Expected::Accepted => {
                self.accepted += 1;
                assert_eq!(said.accepted, Some(self.accepted), "each counts once");
                model.rejects = 0;
                true
            }
            Expected::Rejected(reason, next) => {
                assert_eq!(said.rejected.map(|(_, found)| found), Some(*reason));
                assert_eq!(said.accepted, None);
                model.rejects += 1;
                *next == NextTask::Comes
            }
            Expected::Goodbye(..) | Expected::Nothing => unreachable!("these are looked at elsewhere"),
        };
        assert_eq!(said.task.is_some(), comes, "a task comes when the one before is closed: {said:?}");
        if let Some(next) = said.task {
            assert!(model.open.is_none_or(|open| open < next.id), "no task comes twice");
            model.closed = model.open.or(model.closed);
            model.open = Some(next.id);
        }
        let over = model.rejects == MOST_REJECTS;
        self.model = model;
        if over {
            let last = self.volunteer.hear();
            self.hears_goodbye(&last, GoodbyeReason::TooManyRejects, 1008);
        }
    }

    fn begin_again(&mut self) {
        self.model.begin_again();
        self.volunteer = RawVolunteer::connect(&HOST);
    }
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let which = prop_oneof![
        4 => Just(Which::Open),
        1 => Just(Which::Closed),
        1 => Just(Which::Foreign),
        1 => Just(Which::Earlier),
        1 => Just(Which::Unknown),
    ];
    let bits = prop_oneof![
        20 => Just(Bits::Right),
        4 => Just(Bits::TooFew),
        4 => Just(Bits::Spare),
        1 => Just(Bits::TooMany),
    ];
    let action = prop_oneof![
        2 => Just(Action::Hello),
        20 => (which, bits).prop_map(|(which, bits)| Action::Answer(which, bits)),
        1 => Just(Action::Nonsense),
        1 => Just(Action::Leave),
    ];
    prop::collection::vec(action, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// A case that fails is printed, and its seed is kept in a file beside this one.
    #[test]
    fn a_session_does_what_the_protocol_says(actions in actions()) {
        let (_foreigner, foreign) = RawVolunteer::join(&HOST);
        let mut client = Client::new();
        for action in actions {
            // Only one kind of action is tried before the hello; or nearly all sessions would end there.
            let early = matches!(action, Action::Answer(Which::Foreign, _));
            if client.model.open.is_none() && !early {
                client.act(Action::Hello, foreign.id);
            }
            client.act(action, foreign.id);
        }
        prop_assert_eq!(HOST.status()["accepted"].as_u64(), Some(client.accepted));
    }
}
