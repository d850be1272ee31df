//! The outcome of a training server depends on the sequence of its inputs alone.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::assignment::ResetInterval;
use crate::direction::{DirectionFamily, DirectionSpec};
use crate::estimate::Order;
use crate::keys::Key;
use crate::learner::VerdictOutcome;
use crate::optimizer::{FarSignOptions, Rule};
use crate::random::Stream;
use crate::schedule::{Decay, StepSize};
use crate::task::{RejectReason, TaskId, TaskSize};

const D: usize = 21;

/// A recorded input, as a log would hold it.
#[derive(Clone, Debug)]
enum Input {
    Join {
        identity: Option<u128>,
    },
    Leave(VolunteerId),
    Eject(VolunteerId),
    NextTask(VolunteerId, TaskSize),
    FurtherTask(VolunteerId, TaskSize),
    Update {
        volunteer: VolunteerId,
        task: TaskId,
        bits: Vec<u8>,
    },
    Publish,
    Verified(Verdict),
    DropVersion(TaskId),
}

/// Everything that an input led to.
#[derive(Clone, Debug, PartialEq)]
struct Output {
    issued: Option<Task>,
    verdict: Option<UpdateOutcome>,
    events: Vec<LearnerEvent>,
    jobs: Vec<Arc<VerificationJob>>,
    records: Vec<Record>,
    position: u64,
    x: Vec<i32>,
}

fn optimizer_options(rule: Rule) -> FarSignOptions {
    let directions = DirectionSpec::new(DirectionFamily::Hadamard { block: 8 }, D, D).unwrap();
    let step_size = StepSize {
        initial: 0.01,
        decay: Decay::Cosine { horizon: 150.0 },
    };
    let x: Vec<f32> = (0..D).map(|i| i as f32 / 7.0).collect();
    FarSignOptions::new(&x, directions, step_size, rule).unwrap()
}

fn options(rule: Rule, verified: bool) -> TrainingOptions {
    let assignment = AssignmentOptions {
        order: Order::First,
        rule,
        minibatch_window: 7,
        direction_reuse: 1,
        resets: verified.then_some(ResetInterval::VERIFIED),
    };
    let verify_probability = verified.then_some(0.03);
    let keys = RunKeys {
        tasks: Key::new([1; 32]),
        sampling: Key::new([2; 32]),
    };
    TrainingOptions {
        assignment,
        keys,
        verify_probability,
        direction_seed: None,
        horizon: 150, // short enough to matter
        fault: None,
    }
}

fn handle(server: &mut TrainingServer, input: &Input) -> Output {
    let mut issued = None;
    let mut verdict = None;
    match input.clone() {
        Input::Join { identity } => {
            server.join(identity.map(VolunteerIdentity::from));
        }
        Input::Leave(volunteer) => server.leave(volunteer),
        Input::Eject(volunteer) => _ = server.eject(volunteer, GoodbyeReason::EjectedByOperator),
        Input::NextTask(volunteer, size) => issued = server.next_task(volunteer, size),
        Input::FurtherTask(volunteer, size) => issued = server.further_task(volunteer, size),
        Input::Update {
            volunteer,
            task,
            bits,
        } => {
            verdict = Some(server.handle_update(volunteer, task, &bits, 1.0));
        }
        Input::Publish => {
            server.publish();
        }
        Input::Verified(verdict) => {
            server.handle_verdict(verdict);
        }
        Input::DropVersion(task) => server.drop_version(task),
    }
    Output {
        issued,
        verdict,
        events: std::iter::from_fn(|| server.poll_event()).collect(),
        jobs: std::iter::from_fn(|| server.poll_verification()).collect(),
        records: std::iter::from_fn(|| server.poll_record()).collect(),
        position: server.learner().position(),
        x: server.optimizer().x().to_vec(),
    }
}

/// Draws inputs that a fleet could cause, with a server that they are given to.
struct Fleet {
    stream: Stream,
    tasks: Vec<(VolunteerId, TaskId)>,
    jobs: Vec<Arc<VerificationJob>>,
    /// Volunteers that have joined.
    joined: Vec<VolunteerId>,
}

impl Fleet {
    fn volunteer(&mut self) -> VolunteerId {
        let back = self.stream.below(6) as usize;
        let volunteer = self.joined.iter().rev().nth(back);
        volunteer.copied().unwrap_or(VolunteerId(0))
    }

    /// Returns a volunteer and a task that may be another's, closed or unknown.
    fn any_task(&mut self) -> (VolunteerId, TaskId) {
        let owner = VolunteerId(self.volunteer().0.max(1));
        let task = TaskId::new(owner, 1 + self.stream.below(12));
        let sender = if self.stream.below(3) == 0 {
            self.volunteer()
        } else {
            owner
        };
        (sender, task)
    }

    fn next(&mut self) -> Input {
        match self.stream.below(20) {
            0 => {
                let identity = (self.stream.below(3) > 0).then(|| u128::from(self.stream.below(8)));
                Input::Join { identity }
            }
            1 => Input::Leave(self.volunteer()),
            2 if self.stream.below(4) == 0 => Input::Eject(self.volunteer()),
            3 => Input::Publish,
            4 if self.stream.below(4) == 0 => {
                let newest = self.tasks.last();
                Input::DropVersion(newest.map_or(TaskId(0), |(_, task)| *task))
            }
            5 if !self.jobs.is_empty() && self.stream.below(4) == 0 => {
                let job = self
                    .jobs
                    .swap_remove(self.stream.below(self.jobs.len() as u64) as usize);
                if self.stream.below(8) == 0 {
                    return Input::Verified(job.verdict(VerdictOutcome::Skipped));
                }
                let mismatch = (self.stream.below(6) == 0).then_some(0);
                Input::Verified(job.verified(mismatch))
            }
            6..=12 => {
                let volunteer = self.volunteer();
                let size = TaskSize {
                    images: 1 + self.stream.below(9) as u32,
                    shards: 1 + self.stream.below(3) as u16,
                };
                if self.stream.below(2) == 0 {
                    Input::NextTask(volunteer, size)
                } else {
                    Input::FurtherTask(volunteer, size)
                }
            }
            _ => {
                let (volunteer, task) = match self.tasks.pop() {
                    Some(open) if self.stream.below(10) > 0 => open,
                    _ => self.any_task(),
                };
                let mut bits: Vec<u8> = (0..D.div_ceil(8))
                    .map(|_| self.stream.bits() as u8)
                    .collect();
                bits[D / 8] &= (1 << (D % 8)) - 1;
                if self.stream.below(12) == 0 {
                    bits.pop();
                }
                Input::Update {
                    volunteer,
                    task,
                    bits,
                }
            }
        }
    }

    fn observe(&mut self, output: &Output) {
        self.jobs.extend(output.jobs.iter().cloned());
        for event in &output.events {
            match event {
                LearnerEvent::Joined(volunteer) => self.joined.push(*volunteer),
                LearnerEvent::Left(volunteer) => self.tasks.retain(|(owner, _)| owner != volunteer),
                _ => {}
            }
        }
    }
}

fn record(
    rule: Rule,
    verified: bool,
    seed: u64,
    count: usize,
) -> (Vec<Input>, Vec<Output>, TrainingState) {
    let mut server = TrainingServer::new(
        FarSign::new(optimizer_options(rule)),
        options(rule, verified),
    );
    let mut fleet = Fleet {
        stream: Stream::new(seed),
        tasks: Vec::new(),
        jobs: Vec::new(),
        joined: Vec::new(),
    };
    let mut inputs = Vec::new();
    let mut outputs = Vec::new();
    for _ in 0..count {
        let input = fleet.next();
        let output = handle(&mut server, &input);
        if let (
            Input::NextTask(volunteer, size) | Input::FurtherTask(volunteer, size),
            Some(issued),
        ) = (&input, &output.issued)
        {
            let TaskSize { images, shards } = *size;
            assert_eq!((issued.images, issued.shards), (images, shards));
            fleet.tasks.push((*volunteer, issued.id));
        }
        fleet.observe(&output);
        inputs.push(input);
        outputs.push(output);
    }
    (inputs, outputs, server.into_state())
}

fn rule() -> impl Strategy<Value = (Rule, bool)> {
    prop_oneof![
        3 => Just((Rule::Plain, true)),
        1 => Just((Rule::Plain, false)),
        1 => Just((Rule::Vote { gamma: 0.1, direction_seed: 77 }, false)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn fold_of_records_equals_server((rule, verified) in rule(), seed: u64) {
        let (_, outputs, state) = record(rule, verified, seed, 900);
        let options = options(rule, verified);
        let mut learner = Learner::new(FarSign::new(optimizer_options(rule)), options.learner());
        for record in outputs.iter().flat_map(|output| &output.records) {
            learner.take(record);
            prop_assert_eq!(learner.poll_record(), None);
            while learner.poll_event().is_some() {}
            while learner.poll_verification().is_some() {}
        }
        prop_assert_eq!(learner.into_state(), state.learner, "seed {}", seed);
    }

    #[test]
    fn replayed_inputs_give_equal_bits((rule, verified) in rule(), seed: u64) {
        let (inputs, outputs, state) = record(rule, verified, seed, 900);
        let mut server = TrainingServer::new(FarSign::new(optimizer_options(rule)), options(rule, verified));
        for (position, (input, expected)) in inputs.iter().zip(&outputs).enumerate() {
            prop_assert_eq!(&handle(&mut server, input), expected, "seed {}, input {}", seed, position);
        }
        prop_assert_eq!(server.into_state(), state);
    }

    #[test]
    fn replay_in_pieces_gives_equal_bits((rule, verified) in rule(), seed: u64, cut in 1usize..40) {
        let (inputs, outputs, state) = record(rule, verified, seed, 900);
        let options = options(rule, verified);
        let mut server = TrainingServer::new(FarSign::new(optimizer_options(rule)), options);
        for (position, (input, expected)) in inputs.iter().zip(&outputs).enumerate() {
            if position % cut == 0 {
                server = TrainingServer::from_state(optimizer_options(rule), options, server.into_state()).unwrap();
            }
            prop_assert_eq!(&handle(&mut server, input), expected, "seed {}, input {}", seed, position);
        }
        prop_assert_eq!(server.into_state(), state);
    }
}

#[test]
fn repeated_records_count_once() {
    let options = options(Rule::Plain, true);
    let (_, outputs, _) = record(Rule::Plain, true, 3, 900);
    let mut learner = Learner::new(
        FarSign::new(optimizer_options(Rule::Plain)),
        options.learner(),
    );
    for record in outputs.iter().flat_map(|output| &output.records) {
        learner.take(record);
        let optimizer = learner.optimizer().state();
        if matches!(
            record,
            Record::Update { .. } | Record::Verdict(_) | Record::Leave(_)
        ) {
            learner.take(record); // as by a retry
        }
        assert_eq!(learner.optimizer().state(), optimizer, "{record:?}");
    }
}

#[test]
fn recorded_inputs_reach_every_outcome() {
    let outputs: Vec<Output> = (0..30)
        .flat_map(|seed| record(Rule::Plain, true, seed, 2_000).1)
        .collect();
    let events = || outputs.iter().flat_map(|output| &output.events);
    let verdicts = || outputs.iter().filter_map(|output| output.verdict);
    assert!(verdicts().any(|verdict| verdict.verdict.is_ok()));
    for reason in [
        RejectReason::UnknownTask,
        RejectReason::NotYourTask,
        RejectReason::WrongBitCount,
        RejectReason::OutOfOrder,
        RejectReason::TaskTimedOut,
    ] {
        assert!(
            verdicts().any(|outcome| outcome.verdict == Err(reason)),
            "{reason:?}"
        );
    }
    assert!(outputs.iter().any(|output| !output.jobs.is_empty()));
    assert!(events().any(|event| matches!(event, LearnerEvent::RolledBack { .. })));
    assert!(events().any(|event| matches!(event, LearnerEvent::Banned(_))));
    assert!(events().any(|event| matches!(event, LearnerEvent::VerificationSkipped(_))));
    for reason in [
        GoodbyeReason::SessionReplaced,
        GoodbyeReason::FailedVerification,
    ] {
        let ejected = |event: &LearnerEvent| matches!(event, LearnerEvent::Ejected { reason: found, .. } if *found == reason);
        assert!(events().any(ejected), "{reason:?}");
    }
}
