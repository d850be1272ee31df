use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::direction::{DirectionFamily, DirectionSpec};
use crate::identity::VolunteerIdentity;
use crate::keys::Key;
use crate::learner::{
    GatewayId, Learner, LearnerEvent, LearnerOptions, Record, Verdict, VerdictOutcome,
    VerificationJob,
};
use crate::optimizer::{FarSign, FarSignOptions, Rule};
use crate::random::Stream;
use crate::schedule::{Decay, StepSize};
use crate::sign::SignBits;
use crate::task::{GoodbyeReason, Task, TaskId, VolunteerId};
use crate::version::VersionHash;

const D: usize = 9;

const OPTIONS: LearnerOptions = LearnerOptions {
    sampling_key: Key::new([2; 32]),
    verify_probability: Some(0.1),
    horizon: 120,
    fault: None,
};

fn optimizer() -> FarSignOptions {
    let directions = DirectionSpec::new(DirectionFamily::Coordinate, D, D).unwrap();
    let step_size = StepSize {
        initial: 0.01,
        decay: Decay::Constant,
    };
    FarSignOptions::new(&[0.5; D], directions, step_size, Rule::Plain).unwrap()
}

fn task(id: TaskId, reset_momentum: bool) -> Task {
    Task {
        id,
        version: VersionHash([9; 32]),
        minibatch_seed: 10,
        direction_seed: 0x0807_0605_0403_0201,
        coin_seed: 11,
        images: 128,
        shards: 3,
        reset_momentum,
    }
}

/// Records that a fleet could cause, in the order in which a learner takes them.
struct Fleet {
    stream: Stream,
    learner: Learner,
    /// Connected volunteers, with the number of their newest task.
    connected: BTreeMap<VolunteerId, u64>,
    jobs: Vec<Arc<VerificationJob>>,
    records: Vec<Record>,
}

impl Fleet {
    fn new(seed: u64) -> Self {
        Self {
            stream: Stream::new(seed),
            learner: Learner::new(FarSign::new(optimizer()), OPTIONS),
            connected: BTreeMap::new(),
            jobs: Vec::new(),
            records: Vec::new(),
        }
    }

    fn volunteer(&mut self) -> Option<VolunteerId> {
        let position = self.stream.below(self.connected.len().max(1) as u64);
        self.connected.keys().nth(position as usize).copied()
    }

    fn next(&mut self) -> Record {
        let kind = self.stream.below(20);
        let Some(volunteer) = self.volunteer().filter(|_| kind > 0) else {
            let number = self.stream.below(6);
            let identity = (number > 0).then(|| VolunteerIdentity::from(u128::from(number)));
            let gateway = GatewayId(self.stream.below(3));
            return Record::Join { identity, gateway };
        };
        match kind {
            1 => Record::Leave(volunteer),
            8 if self.stream.below(8) == 0 => Record::GatewayLost(GatewayId(self.stream.below(3))),
            7 if self.stream.below(8) == 0 => {
                Record::VerifyProbability(f64::from(1 + self.stream.below(4) as u32) / 10.0)
            }
            2 if self.stream.below(4) == 0 => Record::Eject {
                volunteer,
                reason: GoodbyeReason::EjectedByOperator,
            },
            3..=6 if !self.jobs.is_empty() => {
                let job = self.stream.below(self.jobs.len() as u64) as usize;
                let job = self.jobs.swap_remove(job);
                let outcome = match self.stream.below(8) {
                    0 => VerdictOutcome::Failed(job.segment.updates[0].task.id),
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
                let number = self.connected.get_mut(&volunteer).expect("it is connected");
                *number += 1 + u64::from(self.stream.below(15) == 0);
                let resets = *number == 1 || self.stream.below(6) == 0;
                let bits = [self.stream.bits() as u8, self.stream.below(2) as u8];
                let is_malformed = self.stream.below(12) == 0;
                let signs = SignBits::from_bytes(&bits, D).ok();
                Record::Update {
                    volunteer,
                    task: task(TaskId::new(volunteer, *number), resets),
                    signs: signs.filter(|_| !is_malformed).map(Arc::new),
                }
            }
        }
    }

    /// Takes records until there are as many.
    fn take(&mut self, count: usize) {
        while self.records.len() < count {
            let record = self.next();
            self.learner.take(&record);
            self.records.push(record);
            while let Some(event) = self.learner.poll_event() {
                match event {
                    LearnerEvent::Joined(volunteer) => {
                        self.connected.insert(volunteer, 0);
                    }
                    LearnerEvent::Left(volunteer) => {
                        self.connected.remove(&volunteer);
                    }
                    _ => {}
                }
            }
            self.jobs
                .extend(std::iter::from_fn(|| self.learner.poll_verification()));
        }
    }
}

/// Takes a record, and drops what follows from it.
fn take(learner: &mut Learner, record: &Record) {
    learner.take(record);
    while learner.poll_event().is_some() {}
    while learner.poll_verification().is_some() {}
}

/// Returns the signs of the record at a position from 1.
fn signs_at(records: &[Record], position: u64) -> Option<Arc<SignBits>> {
    match records.get(position as usize - 1)? {
        Record::Update { signs, .. } => signs.clone(),
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn read_state_continues_fold(seed: u64, cut in 1usize..600) {
        let mut fleet = Fleet::new(seed);
        fleet.take(600);
        let Fleet { records, learner: live, .. } = fleet;
        let mut learner = Learner::new(FarSign::new(optimizer()), OPTIONS);
        records[..cut].iter().for_each(|record| take(&mut learner, record));
        let state = learner.into_state();
        let oldest = state.oldest_reference();
        let bytes = write_state(&state);
        // Records before the oldest reference are gone.
        let mut find = |position| signs_at(&records, position).filter(|_| position >= oldest);
        let read = read_state(&bytes, &mut find).unwrap();
        prop_assert_eq!(&read, &state, "seed {}", seed);
        prop_assert_eq!(write_state(&read), bytes);
        let mut learner = Learner::from_state(optimizer(), OPTIONS, read).unwrap();
        records[cut..].iter().for_each(|record| take(&mut learner, record));
        prop_assert_eq!(learner.into_state(), live.into_state(), "seed {}", seed);
    }

    #[test]
    fn records_round_trip(seed: u64) {
        let mut fleet = Fleet::new(seed);
        fleet.take(200);
        for record in &fleet.records {
            let bytes = write_record(record);
            prop_assert_eq!(read_record(&bytes), Ok(record.clone()));
            let is_rejected = |length| read_record(&bytes[..length]).is_err();
            prop_assert!((0..bytes.len()).all(is_rejected), "{:?}", record);
            let longer = [&bytes[..], &[0]].concat();
            let trailing = RecordError::Trailing { offset: bytes.len(), found: 1 };
            prop_assert_eq!(read_record(&longer), Err(trailing));
        }
    }

    #[test]
    fn damaged_state_is_error_or_state(seed: u64, at: prop::sample::Index, value: u8) {
        let mut fleet = Fleet::new(seed);
        fleet.take(150);
        let records = std::mem::take(&mut fleet.records);
        let mut bytes = write_state(&fleet.learner.into_state());
        let at = at.index(bytes.len());
        bytes[at] = value;
        let mut find = |position: u64| signs_at(&records, position.clamp(1, 150));
        let Ok(state) = read_state(&bytes, &mut find) else {
            return Ok(());
        };
        let Ok(mut learner) = Learner::from_state(optimizer(), OPTIONS, state) else {
            return Ok(());
        };
        records.iter().for_each(|record| take(&mut learner, record));
        prop_assert!(read_state(&bytes[..at], &mut find).is_err());
    }
}

#[test]
fn fleet_reaches_every_state() {
    let mut fleet = Fleet::new(4);
    fleet.take(3_000);
    let has = |is: fn(&Record) -> bool| fleet.records.iter().any(is);
    assert!(has(|record| matches!(record, Record::Eject { .. })));
    assert!(has(|record| matches!(
        record,
        Record::Update { signs: None, .. }
    )));
    for outcome in [
        |outcome: VerdictOutcome| outcome == VerdictOutcome::Passed,
        |outcome| matches!(outcome, VerdictOutcome::Failed(_)),
        |outcome| outcome == VerdictOutcome::Skipped,
    ] {
        let verdict = |record: &Record| matches!(record, Record::Verdict(verdict) if outcome(verdict.outcome));
        assert!(fleet.records.iter().any(verdict));
    }
    assert!(fleet.learner.state().oldest_reference() > 3_000 - OPTIONS.horizon);
}

#[test]
fn missing_update_is_named() {
    let mut fleet = Fleet::new(1);
    fleet.take(100);
    let state = fleet.learner.into_state();
    let oldest = state.oldest_reference();
    let bytes = write_state(&state);
    let found = read_state(&bytes, &mut |_| None).unwrap_err();
    let ReadStateError::Missing { position } = found else {
        panic!("{found}")
    };
    assert!(
        (oldest..=100).contains(&position),
        "{position} from {oldest}"
    );
}

#[test]
fn ended_sessions_need_no_record() {
    let mut fleet = Fleet::new(5);
    fleet.take(300);
    let connected = fleet.connected.len();
    let mut learner = fleet.learner;
    learner.end_sessions();
    let records: Vec<_> = std::iter::from_fn(|| learner.poll_record()).collect();
    let left = |record: &&Record| matches!(record, Record::Leave(_));
    assert_eq!(records.iter().filter(left).count(), connected);
    while learner.poll_event().is_some() {}
    let state = learner.into_state();
    assert_eq!(read_state(&write_state(&state), &mut |_| None), Ok(state));
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

/// Later versions must read these bytes, and a record must have the same effect: they change only together with the
/// number of the fold.
#[test]
fn fold_v2_encoding() {
    let volunteer = VolunteerId(258);
    let id = TaskId::new(volunteer, 3);
    let verdict = |outcome| {
        Record::Verdict(Verdict {
            volunteer,
            last: id,
            outcome,
        })
    };
    let bits = SignBits::from_bytes(&[0b1010_0101, 0b1], 9).unwrap();
    let update = |signs| Record::Update {
        volunteer,
        task: task(id, true),
        signs,
    };
    let encoded_task = format!(
        "0300000201000000{}0a0000000000000001020304050607080b0000000000000080000000030001",
        "09".repeat(32)
    );
    for (record, expected) in [
        (
            Record::Join {
                identity: None,
                gateway: GatewayId(5),
            },
            "0201000500000000000000".to_owned(),
        ),
        (
            Record::Join {
                identity: Some(258.into()),
                gateway: GatewayId(5),
            },
            format!("0201010201{}0500000000000000", "00".repeat(14)),
        ),
        (
            update(Some(Arc::new(bits))),
            format!("0202{encoded_task}0109000000a501"),
        ),
        (update(None), format!("0202{encoded_task}00")),
        (Record::Leave(volunteer), "02030201000000000000".to_owned()),
        (
            Record::GatewayLost(GatewayId(5)),
            "02070500000000000000".to_owned(),
        ),
        (
            Record::Eject {
                volunteer,
                reason: GoodbyeReason::EjectedByOperator,
            },
            "0204020100000000000012".to_owned(),
        ),
        (
            verdict(VerdictOutcome::Passed),
            "0205030000020100000001".to_owned(),
        ),
        (
            verdict(VerdictOutcome::Failed(id)),
            "02050300000201000000020300000201000000".to_owned(),
        ),
        (
            verdict(VerdictOutcome::Skipped),
            "0205030000020100000003".to_owned(),
        ),
        (
            Record::VerifyProbability(0.5),
            "0206000000000000e03f".to_owned(),
        ),
    ] {
        assert_eq!(hex(&write_record(&record)), expected, "{record:?}");
    }
}

/// The state after a fixed run: any change of what a record does changes it.
#[test]
fn fold_v2_is_stable() {
    let mut fleet = Fleet::new(9);
    fleet.take(2_000);
    let state = write_state(&fleet.learner.into_state());
    let found = blake3::hash(&state).to_hex();
    let expected = "bc9777e32c490536f4875314b94cfb2c50ddd9d70422952a725f242a903d69ca";
    assert_eq!((found.as_str(), state.len()), (expected, 634));
}

#[test]
fn records_of_others_are_rejected() {
    assert_eq!(
        read_record(&[1, 1, 0]),
        Err(RecordError::Version { found: 1 })
    );
    let error = |bytes: &[u8]| read_record(bytes).unwrap_err().to_string();
    assert_eq!(
        error(&[2, 8]),
        "expected a record of kind 1 to 7 in a record, found 8"
    );
    let eject = [&[2, 4][..], &[0; 8], &[99]].concat();
    assert!(
        error(&eject).contains("the code of a reason"),
        "{}",
        error(&eject)
    );
    // A count of four billion does not allocate.
    let state = [&[2][..], &[0; 38], &[0xff; 4]].concat();
    let found = read_state(&state, &mut |_| None).unwrap_err();
    let truncated = ReadStateError::Record(RecordError::Truncated {
        offset: 43,
        expected: 0x3_ffff_fffc,
        found: 0,
    });
    assert_eq!(found, truncated);
}
