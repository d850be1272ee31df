//! Random records of a small run, and the resulting states.

use std::sync::Arc;

use farsign::direction::{DirectionFamily, DirectionSpec};
use farsign::keys::{Key, RunKeys};
use farsign::learner::{
    GatewayId, Learner, LearnerEvent, LearnerOptions, LearnerState, Record, Verdict,
    VerdictOutcome, VerificationJob,
};
use farsign::optimizer::{FarSign, FarSignOptions, Rule};
use farsign::random::Stream;
use farsign::schedule::{Decay, StepSize};
use farsign::sign::SignBits;
use farsign::task::{Task, TaskId, VolunteerId};
use farsign::version::VersionHash;
use farsign_server::store::replay::ReplayOptions;
use farsign_server::store::run_database::RunDatabase;
use farsign_server::store::saved_values::{Checkpoint, RunIdentity};

/// Parameters of the model.
pub const D: usize = 37;

pub const RULES: [Rule; 2] = [
    Rule::Plain,
    Rule::Vote {
        gamma: 0.1,
        direction_seed: 77,
    },
];

const KEYS: RunKeys = RunKeys {
    tasks: Key::new([1; 32]),
    sampling: Key::new([2; 32]),
};

/// Options of a run, verified under `plain`.
pub fn options(rule: Rule) -> ReplayOptions {
    let directions = DirectionSpec::new(DirectionFamily::Hadamard { block: 8 }, D, D).unwrap();
    let step_size = StepSize {
        initial: 0.01,
        decay: Decay::Cosine { horizon: 5_000.0 },
    };
    ReplayOptions {
        optimizer: FarSignOptions::new(&[0.5; D], directions, step_size, rule).unwrap(),
        learner: LearnerOptions {
            sampling_key: KEYS.sampling,
            verify_probability: (rule == Rule::Plain).then_some(0.03),
            horizon: 60,
            fault: None,
        },
    }
}

pub fn identity() -> RunIdentity {
    RunIdentity {
        keys: KEYS,
        seed: 1,
        run_id: 2,
        train_digest: [3; 32],
        settings: String::new(),
    }
}

pub fn initial(rule: Rule) -> Checkpoint {
    let ReplayOptions { optimizer, learner } = options(rule);
    Checkpoint::initial(optimizer, learner)
}

pub fn signs(stream: &mut Stream) -> SignBits {
    let y: Vec<f32> = (0..D).map(|_| stream.unit() - 0.5).collect();
    let mut signs = SignBits::default();
    signs.copy_from(&y, 0);
    signs
}

/// Returns the task of a volunteer with this number, which resets the momentum.
pub fn task(volunteer: VolunteerId, number: u64, seed: u64) -> Task {
    Task {
        id: TaskId::new(volunteer, number),
        version: VersionHash([seed as u8; 32]),
        minibatch_seed: seed,
        direction_seed: seed,
        coin_seed: seed,
        images: 1,
        shards: 1,
        reset_momentum: true,
    }
}

/// A run that is learning.
pub struct Live {
    pub learner: Learner,
    stream: Stream,
    /// Connected volunteers, with the number of their newest task.
    connected: Vec<(VolunteerId, u64)>,
    jobs: Vec<Arc<VerificationJob>>,
}

impl Live {
    pub fn new(rule: Rule, seed: u64) -> Self {
        let ReplayOptions { optimizer, learner } = options(rule);
        Self {
            learner: Learner::new(FarSign::new(optimizer), learner),
            stream: Stream::new(seed),
            connected: Vec::new(),
            jobs: Vec::new(),
        }
    }

    fn next(&mut self) -> Record {
        let count = self.connected.len() as u64;
        let kind = self.stream.below(20);
        if count == 0 || kind == 0 {
            let number = u128::from(self.stream.below(9));
            let identity = (number > 0).then(|| number.into());
            let gateway = GatewayId::default();
            return Record::Join { identity, gateway };
        }
        let (volunteer, number) = &mut self.connected[self.stream.below(count) as usize];
        match kind {
            1 => Record::Leave(*volunteer),
            2..=5 if !self.jobs.is_empty() => {
                let job = self.jobs.swap_remove(0);
                let outcome = match self.stream.below(6) {
                    0 => VerdictOutcome::Failed(job.last_task()),
                    1 => VerdictOutcome::Skipped,
                    _ => VerdictOutcome::Passed,
                };
                Record::Verdict(Verdict {
                    volunteer: job.volunteer,
                    last: job.last_task(),
                    outcome,
                })
            }
            _ => {
                *number += 1;
                let seed = self.stream.bits();
                Record::Update {
                    volunteer: *volunteer,
                    task: task(*volunteer, *number, seed),
                    signs: Some(Arc::new(signs(&mut self.stream))),
                }
            }
        }
    }

    /// Takes a record that a fleet could cause, and returns it.
    pub fn record(&mut self) -> Record {
        let record = self.next();
        self.take(&record);
        record
    }

    /// Takes as many records.
    pub fn records(&mut self, count: u64) -> Vec<Record> {
        (0..count).map(|_| self.record()).collect()
    }

    pub fn take(&mut self, record: &Record) {
        self.learner.take(record);
        while let Some(event) = self.learner.poll_event() {
            match event {
                LearnerEvent::Joined(volunteer) => self.connected.push((volunteer, 0)),
                LearnerEvent::Left(volunteer) => self.connected.retain(|(id, _)| *id != volunteer),
                _ => {}
            }
        }
        self.jobs
            .extend(std::iter::from_fn(|| self.learner.poll_verification()));
    }

    pub fn state(&self) -> LearnerState {
        self.learner.state()
    }

    /// Returns the checkpoint at the end of a log.
    pub fn checkpoint(&self, log: &RunDatabase) -> Checkpoint {
        Checkpoint::of(&self.learner, log.position())
    }
}
