//! Unlearning one volunteer.

use std::sync::Arc;

use farsign::learner::{GatewayId, Record, Verdict, VerdictOutcome};
use farsign::optimizer::FarSign;
use farsign::random::Stream;
use farsign::sign::SignBits;
use farsign::task::VolunteerId;
use farsign_server::store::run_database::RunDatabase;
use farsign_server::store::unlearn::{Unlearned, unlearn};

use crate::disk::Disk;
use crate::records::{D, Live, RULES, identity, initial, options, signs, task};

fn log_of(rule: farsign::optimizer::Rule, disk: &Disk, records: &[Record]) -> RunDatabase {
    let mut log =
        RunDatabase::create(disk.database().unwrap(), identity(), &initial(rule)).unwrap();
    log.append(records).unwrap();
    log
}

#[test]
fn replay_equals_run_of_others() {
    for rule in RULES {
        let disk = Disk::default();
        let records = Live::new(rule, 8).records(500);
        let log = log_of(rule, &disk, &records);
        let position = records
            .iter()
            .position(|record| matches!(record, Record::Update { .. }));
        let Some(Record::Update { volunteer, .. }) = position.map(|first| &records[first]) else {
            panic!("no update")
        };
        let unlearned = unlearn(&log, &options(rule), *volunteer).unwrap();
        let mut original = Live::new(rule, 0);
        let mut others = Live::new(rule, 0);
        let mut updates = 0;
        for record in &records {
            let accepted = original.learner.optimizer().accepted();
            original.take(record);
            let is_own = match record {
                Record::Update {
                    volunteer: sender, ..
                } => {
                    let is_own = sender == volunteer;
                    let is_accepted = original.learner.optimizer().accepted() > accepted;
                    updates += u64::from(is_own && is_accepted);
                    is_own
                }
                Record::Join { .. } => original.learner.position() == volunteer.0,
                Record::Leave(id) => id == volunteer,
                Record::Verdict(verdict) => verdict.volunteer == *volunteer,
                _ => false,
            };
            if is_own {
                others.learner.pass_over();
            } else {
                others.take(record);
            }
        }
        assert!(updates > 0);
        assert_eq!(unlearned.updates, updates, "{rule:?}");
        assert_eq!(unlearned.original.state(), original.state(), "{rule:?}");
        assert_eq!(unlearned.replayed.state(), others.state(), "{rule:?}");
    }
}

/// Nine honest volunteers pull the parameters towards 1, and an attacker pulls them away.
#[test]
fn both_methods_remove_attack() {
    let rule = RULES[0];
    let disk = Disk::default();
    let mut live = Live::new(rule, 0);
    let mut records: Vec<Record> = (0..10).map(|_| join()).collect();
    records.iter().for_each(|record| live.take(record));
    let attacker = VolunteerId(4);
    for n in 0..400 {
        let volunteer = VolunteerId(1 + n % 10);
        let factor = if volunteer == attacker { -4.0 } else { 1.0 };
        // Directions mix coordinates; equal seeds make the signs of two updates comparable.
        let mut gradient = vec![0.0; D];
        let spec = options(rule).optimizer.directions;
        let mut directions = farsign::direction::Directions::new(spec, 5);
        let parameters = live.learner.optimizer().parameters();
        let slope: Vec<f32> = parameters.iter().map(|x| x - 1.0).collect();
        directions.project(&slope, &mut gradient);
        gradient.iter_mut().for_each(|g| *g *= factor);
        let mut signs = SignBits::default();
        signs.copy_from(&gradient, n);
        let update = Record::Update {
            volunteer,
            task: task(volunteer, 1 + n / 10, 5),
            signs: Some(Arc::new(signs)),
        };
        live.take(&update);
        records.push(update);
    }
    let log = log_of(rule, &disk, &records);
    let distance = |run: &FarSign| {
        let distances = run.parameters().into_iter().map(|x| (x - 1.0).abs());
        distances.sum::<f32>() / D as f32
    };
    let Unlearned {
        original,
        replayed,
        subtracted,
        ..
    } = unlearn(&log, &options(rule), attacker).unwrap();
    let subtracted = subtracted.expect("each update is a step");
    let subtracted = FarSign::restore(options(rule).optimizer, subtracted).unwrap();
    let before = distance(original.optimizer());
    for after in [distance(replayed.optimizer()), distance(&subtracted)] {
        assert!(after < before, "{after} of {before}");
    }
}

#[test]
fn rolled_back_steps_are_not_subtracted() {
    let rule = RULES[0];
    let disk = Disk::default();
    let mut live = Live::new(rule, 6);
    live.take(&join());
    let volunteer = VolunteerId(1);
    let mut records = vec![join()];
    let mut stream = Stream::new(6);
    let job = (1..).find_map(|number| {
        let update = Record::Update {
            volunteer,
            task: task(volunteer, number, number),
            signs: Some(Arc::new(signs(&mut stream))),
        };
        live.learner.take(&update);
        records.push(update);
        live.learner.poll_verification()
    });
    let last = job.expect("an update is sampled").last_task();
    let verdict = Verdict {
        volunteer,
        last,
        outcome: VerdictOutcome::Failed(last),
    };
    records.push(Record::Verdict(verdict));
    live.learner.take(&Record::Verdict(verdict));
    let log = log_of(rule, &disk, &records);
    let unlearned = unlearn(&log, &options(rule), volunteer).unwrap();
    let subtracted = unlearned.subtracted.unwrap();
    assert_eq!(subtracted.x, initial(rule).state.optimizer().x);
    assert_ne!(
        live.learner.optimizer().x(),
        subtracted.x,
        "older updates stay in part"
    );
}

fn join() -> Record {
    Record::Join {
        identity: None,
        gateway: GatewayId::default(),
    }
}
