//! The coordinator tells nobody what is not saved, and goes on where it was.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Bytes;
use farsign::random::Stream;
use farsign::task::{Task, TaskId, VolunteerId};
use farsign::wire::Abilities;
use farsign_server::admission::Admission;
use farsign_server::config::Config;
use farsign_server::coordinator::{self, CoordinatorError, Handle, Newcomer, NextTask, Stopped};
use farsign_server::counters::Counters;
use farsign_server::dataset_source::{TrainAndHeldOut, built_in};
use farsign_server::places::Network;
use farsign_server::settings::{ModelKind, RuleKind, Settings};
use farsign_server::store::StoreError;
use farsign_server::store::log::Log;
use farsign_server::store::run::{SavedRun, beginning, identity};
use tokio::task::JoinHandle;

use crate::disk::Disk;

pub struct Fixture {
    pub data: TrainAndHeldOut,
    pub config: Config,
}

impl Fixture {
    pub fn new(rule: RuleKind) -> Self {
        let settings = Settings {
            model: Some(ModelKind::Softmax),
            rule: Some(rule),
            check_share: Some(0.5),
            check_cpu_share: Some(1.0),
            batch: Some(1),
            checkpoint_every: Some(7),
            ..Settings::default()
        };
        let data = built_in().unwrap();
        let config = Config::new(&settings, &data.train, 5).unwrap();
        Self { data, config }
    }

    pub fn begin(&self, disk: &Disk) -> Result<SavedRun, StoreError> {
        let database = disk.database().map_err(redb::Error::from)?;
        Ok(self.saved(Log::create(database, identity(&self.config), &beginning(&self.config))?))
    }

    fn resume(&self, disk: &Disk) -> SavedRun {
        self.saved(Log::open(disk.database().unwrap()).unwrap())
    }

    fn saved(&self, log: Log) -> SavedRun {
        SavedRun::resume(log, None, &self.config).unwrap()
    }

    fn start(&self, saved: SavedRun) -> (JoinHandle<Result<(), CoordinatorError>>, Handle) {
        let counters = Arc::new(Counters::default());
        let admission = Arc::new(Admission::new(self.config.admission.clone()));
        let (coordinator, handle) =
            coordinator::new(&self.config, &self.data.train, counters, admission, Some(saved)).unwrap();
        (tokio::spawn(coordinator.run()), handle)
    }

    fn bits(&self, stream: &mut Stream) -> Bytes {
        (0..self.config.run.directions.count().div_ceil(8))
            .map(|_| stream.bits() as u8)
            .map(spare_free)
            .collect()
    }
}

/// The last byte has spare bits; in no byte the highest are needed.
fn spare_free(byte: u8) -> u8 {
    byte & 3
}

/// Everything volunteers were told.
#[derive(Default)]
struct Told {
    accepted: u64,
    tasks: Vec<Task>,
    volunteers: Vec<VolunteerId>,
    /// Parameters by their version.
    models: HashMap<u64, Vec<u32>>,
}

impl Told {
    fn task(&mut self, next: &NextTask) -> Task {
        let x = next.snapshot.x.iter().map(|value| value.to_bits()).collect();
        self.models.insert(next.snapshot.version, x);
        self.tasks.push(next.task);
        next.task
    }

    fn task_numbers(&self) -> BTreeSet<TaskId> {
        self.tasks.iter().map(|task| task.id).collect()
    }

    fn seeds(&self) -> BTreeSet<u64> {
        self.tasks
            .iter()
            .flat_map(|task| [task.minibatch_seed, task.direction_seed, task.coin_seed])
            .collect()
    }

    /// Volunteers that answer at random until there are so many answers, or the coordinator has stopped.
    async fn work(&mut self, fixture: &Fixture, handle: &Handle, answers: u64) -> Result<(), Stopped> {
        let mut stream = Stream::new(9);
        let mut open: Vec<(VolunteerId, Task)> = Vec::new();
        for answer in 0..answers {
            while open.len() < 3 {
                let joined = handle.join(somebody()).await?.expect("the run goes on");
                self.volunteers.push(joined.volunteer);
                open.push((joined.volunteer, self.task(&joined.first)));
            }
            let (volunteer, task) = open.remove(stream.below(3) as usize);
            if answer % 10 == 9 {
                handle.leave(volunteer).await;
                continue;
            }
            let outcome = handle.answer(volunteer, task.id, fixture.bits(&mut stream)).await?;
            self.accepted += u64::from(outcome.verdict.is_ok());
            if let Some(next) = &outcome.next {
                open.push((volunteer, self.task(next)));
            }
        }
        Ok(())
    }
}

pub fn somebody() -> Newcomer {
    let network = Network::from(IpAddr::from([127, 0, 0, 1]));
    Newcomer { abilities: Abilities::default(), agent: "somebody".to_owned(), network, identity: None }
}

#[tokio::test]
async fn what_volunteers_were_told_survives_a_disk_that_fails_at_any_moment() {
    // Random answers are found out, so that steps are undone here too.
    let fixture = Fixture::new(RuleKind::Verified);
    for operations in (20..900).step_by(37) {
        let disk = Disk::default();
        let saved = fixture.begin(&disk).unwrap();
        disk.fail_after(operations);
        let (running, handle) = fixture.start(saved);
        let mut told = Told::default();
        let worked = told.work(&fixture, &handle, 10_000).await;
        assert_eq!(worked, Err(Stopped), "after {operations} operations");
        let error = running.await.unwrap().unwrap_err().to_string();
        assert!(error.contains("no space left on this disk"), "{error}");
        assert_eq!(handle.join(somebody()).await.unwrap_err(), Stopped, "nobody is let in any more");

        let disk = disk.after_power_cut(&mut Stream::new(operations));
        let resumed = fixture.resume(&disk);
        let accepted = resumed.optimizer.accepted();
        assert!(accepted >= told.accepted, "{accepted} of {} after {operations} operations", told.accepted);
        if let Some(x) = told.models.get(&resumed.cursor.version) {
            let found: Vec<u32> = resumed.optimizer.x().iter().map(|value| value.to_bits()).collect();
            assert!(found == *x, "another model after {operations} operations");
        }

        let (running, handle) = fixture.start(resumed);
        let mut again = Told::default();
        again.work(&fixture, &handle, 30).await.unwrap();
        handle.stop().await;
        running.await.unwrap().unwrap();
        assert!(again.task_numbers().is_disjoint(&told.task_numbers()), "a task number came again");
        assert!(again.seeds().is_disjoint(&told.seeds()), "a seed came again");
        assert!(again.volunteers.iter().all(|volunteer| !told.volunteers.contains(volunteer)));
    }
}

#[tokio::test]
async fn a_resumed_run_goes_on_with_the_next_task_and_draws_what_it_would_have_drawn() {
    let fixture = Fixture::new(RuleKind::Plain);
    let (disk, mut told) = (Disk::default(), Told::default());
    let mut saved = fixture.begin(&disk).unwrap();
    for _ in 0..3 {
        let (running, handle) = fixture.start(saved);
        told.work(&fixture, &handle, 25).await.unwrap();
        handle.stop().await;
        running.await.unwrap().unwrap();
        saved = fixture.resume(&disk);
        assert_eq!(saved.optimizer.accepted(), told.accepted);
        assert!(saved.optimizer.state().members.is_empty(), "everybody has left");
    }
    let mut seeds = fixture.config.seeds.tasks.clone();
    let mut draw = || rand_chacha::rand_core::Rng::next_u64(&mut seeds);
    for (index, task) in told.tasks.iter().enumerate() {
        assert_eq!(task.id, TaskId(index as u64 + 1));
        assert_eq!([task.minibatch_seed, task.direction_seed, task.coin_seed], [draw(), draw(), draw()]);
    }
}

#[tokio::test]
async fn what_was_earned_survives_with_the_answers_it_was_earned_by() {
    let fixture = Fixture::new(RuleKind::Plain);
    let (disk, mut stream) = (Disk::default(), Stream::new(3));
    let named = |number: u128| Newcomer { identity: Some(number.into()), ..somebody() };
    let (running, handle) = fixture.start(fixture.begin(&disk).unwrap());
    for number in 1..=2 {
        let joined = handle.join(named(number)).await.unwrap().expect("the run goes on");
        let mut task = joined.first.task;
        for _ in 0..number {
            let outcome = handle.answer(joined.volunteer, task.id, fixture.bits(&mut stream)).await.unwrap();
            task = outcome.next.expect("the run goes on").task;
        }
    }
    running.abort(); // nobody says goodbye
    _ = running.await;
    let (running, handle) = fixture.start(fixture.resume(&disk.after_power_cut(&mut stream)));
    for number in 1..=3 {
        handle.join(named(number)).await.unwrap().expect("the run goes on");
    }
    let accepted: Vec<u64> =
        handle.roster().await.unwrap().volunteers.iter().map(|listed| listed.accepted).collect();
    assert_eq!(accepted, [1, 2, 0], "the third is new");
    handle.stop().await;
    running.await.unwrap().unwrap();
}
