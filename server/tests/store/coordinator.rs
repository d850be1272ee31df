//! The coordinator acknowledges only durable updates, and resumes where it stopped.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Bytes;
use farsign::keys::Purpose;
use farsign::learner::Record;
use farsign::random::Stream;
use farsign::task::{Task, TaskId, VolunteerId};
use farsign_server::admission::Admission;
use farsign_server::config::settings::{ModelKind, RuleKind};
use farsign_server::coordinator::{Coordinator, CoordinatorError, Services};
use farsign_server::counters::Counters;
use farsign_server::data::loader::{TrainAndHeldOut, built_in};
use farsign_server::gateway::{
    GatewayHandle, GatewayStopped, JoinRequest, TaskAssignment, TaskRequest,
};
use farsign_server::net::client_addr::ClientAddr;
use farsign_server::store::StoreError;
use farsign_server::store::run_database::RunDatabase;
use farsign_server::{Config, SavedRun, Settings};
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
            verify_probability: Some(0.5),
            verify_cpu_fraction: Some(1.0),
            batch: Some(1),
            checkpoint_every: Some(7),
            ..Settings::default()
        };
        let data = built_in().unwrap();
        let config = Config::new(&settings, &data, 5).unwrap();
        Self { data, config }
    }

    pub fn begin(&self, disk: &Disk) -> Result<SavedRun, StoreError> {
        let database = disk.database().map_err(redb::Error::from)?;
        Ok(self.saved(RunDatabase::create(
            database,
            self.config.run_identity(),
            &self.config.initial_checkpoint(),
        )?))
    }

    /// Returns the tasks of the saved updates by position.
    fn saved_updates(disk: &Disk) -> BTreeMap<u64, TaskId> {
        let database = RunDatabase::open(disk.database().unwrap()).unwrap();
        let mut updates = BTreeMap::new();
        let each = |position, record| {
            if let Record::Update { task, .. } = record {
                updates.insert(position, task.id);
            }
            Ok(())
        };
        database.for_each_record(0, each).unwrap();
        updates
    }

    fn resume(&self, disk: &Disk) -> SavedRun {
        self.saved(RunDatabase::open(disk.database().unwrap()).unwrap())
    }

    fn saved(&self, log: RunDatabase) -> SavedRun {
        SavedRun::restore(log, None, &self.config.replay_options(), self.config.store).unwrap()
    }

    fn start(&self, saved: SavedRun) -> (JoinHandle<Result<(), CoordinatorError>>, GatewayHandle) {
        let counters = Arc::new(Counters::default());
        let admission = Arc::new(Admission::new(self.config.admission.clone()));
        let services = Services {
            train: self.data.shards.data().clone(),
            counters,
            admission,
        };
        let (coordinator, handle) =
            Coordinator::start(self.config.coordinator_options(), services, Some(saved)).unwrap();
        (tokio::spawn(coordinator.run()), handle)
    }

    fn bits(&self, stream: &mut Stream) -> Bytes {
        (0..self.config.run.directions.count().div_ceil(8))
            .map(|_| stream.bits() as u8)
            .map(spare_free)
            .collect()
    }
}

/// Clears the high bits, which are spare bits in the last byte.
fn spare_free(byte: u8) -> u8 {
    byte & 3
}

/// Everything that volunteers received.
#[derive(Default)]
struct Received {
    /// Acknowledged updates by their message in the log.
    accepted: BTreeMap<u64, TaskId>,
    tasks: Vec<Task>,
    volunteers: Vec<VolunteerId>,
    /// Parameters by number of the version, the position of the record that moved the model last.
    models: HashMap<u64, Vec<u32>>,
}

impl Received {
    fn task(&mut self, next: &TaskAssignment) -> Task {
        let snapshot = &next.snapshot;
        let bits = snapshot.parameters().iter().map(|value| value.to_bits());
        self.models
            .insert(snapshot.version.number(), bits.collect());
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

    /// Runs volunteers that send random updates, until `updates` are sent or the coordinator stops.
    async fn work(
        &mut self,
        fixture: &Fixture,
        handle: &GatewayHandle,
        updates: u64,
    ) -> Result<(), GatewayStopped> {
        let mut stream = Stream::new(9);
        let mut open: Vec<(VolunteerId, Task)> = Vec::new();
        for update in 0..updates {
            while open.len() < 3 {
                let joined = handle
                    .join(join_request())
                    .await?
                    .expect("the run continues");
                self.volunteers.push(joined.volunteer);
                open.push((joined.volunteer, self.task(&joined.first)));
            }
            let (volunteer, task) = open.remove(stream.below(3) as usize);
            if update % 10 == 9 {
                handle.leave(volunteer).await;
                continue;
            }
            let reply = handle
                .update(
                    volunteer,
                    task.id,
                    fixture.bits(&mut stream),
                    TaskRequest::default(),
                )
                .await?;
            if let Ok(message) = reply.verdict {
                self.accepted.insert(message, task.id);
            }
            if let [next] = &reply.next[..] {
                open.push((volunteer, self.task(next)));
            }
        }
        Ok(())
    }
}

pub fn join_request() -> JoinRequest {
    let address = ClientAddr::from(IpAddr::from([127, 0, 0, 1]));
    JoinRequest {
        agent: "test".to_owned(),
        address,
        identity: None,
        shards: 1,
    }
}

#[tokio::test]
async fn acknowledged_updates_survive_disk_failure() {
    // Random updates fail verification, so this also covers rollback.
    let fixture = Fixture::new(RuleKind::Verified);
    let mut compared = 0;
    for operations in (20..900).step_by(37) {
        let disk = Disk::default();
        let saved = fixture.begin(&disk).unwrap();
        disk.fail_after(operations);
        let (running, handle) = fixture.start(saved);
        let mut received = Received::default();
        let worked = received.work(&fixture, &handle, 10_000).await;
        assert_eq!(worked, Err(GatewayStopped), "after {operations} operations");
        let error = running.await.unwrap().unwrap_err().to_string();
        assert!(error.contains("no space left on this disk"), "{error}");
        assert_eq!(
            handle.join(join_request()).await.unwrap_err(),
            GatewayStopped,
            "joins fail too"
        );

        let disk = disk.after_power_cut(&mut Stream::new(operations));
        let updates = Fixture::saved_updates(&disk);
        let resumed = fixture.resume(&disk);
        let moved_at = resumed.learner.moved_at();
        for (message, task) in &received.accepted {
            let found = updates.get(message);
            assert_eq!(found, Some(task), "update {message} after {operations}");
        }
        if let Some(x) = received.models.get(&moved_at) {
            let found: Vec<u32> = resumed
                .learner
                .optimizer()
                .parameters()
                .into_iter()
                .map(f32::to_bits)
                .collect();
            assert!(
                found == *x,
                "a different model after {operations} operations"
            );
            compared += 1;
        }

        let (running, handle) = fixture.start(resumed);
        let mut again = Received::default();
        again.work(&fixture, &handle, 30).await.unwrap();
        handle.stop().await;
        running.await.unwrap().unwrap();
        assert!(
            again.task_numbers().is_disjoint(&received.task_numbers()),
            "a task number was reused"
        );
        assert!(
            again.seeds().is_disjoint(&received.seeds()),
            "a seed was reused"
        );
        assert!(
            again
                .volunteers
                .iter()
                .all(|volunteer| !received.volunteers.contains(volunteer))
        );
    }
    assert!(compared > 0, "no model was published last");
}

#[tokio::test]
async fn resumed_run_keeps_keys() {
    let fixture = Fixture::new(RuleKind::Plain);
    let disk = Disk::default();
    let mut received = Received::default();
    let mut saved = fixture.begin(&disk).unwrap();
    for _ in 0..3 {
        let (running, handle) = fixture.start(saved);
        received.work(&fixture, &handle, 25).await.unwrap();
        handle.stop().await;
        running.await.unwrap().unwrap();
        saved = fixture.resume(&disk);
        let accepted = saved.learner.optimizer().accepted();
        assert_eq!(accepted, received.accepted.len() as u64);
        assert!(
            saved.learner.optimizer().state().senders.is_empty(),
            "all volunteers have left"
        );
    }
    let mut ids = BTreeSet::new();
    for task in &received.tasks {
        assert!(ids.insert(task.id), "{:?} was issued twice", task.id);
        let seeds = [task.minibatch_seed, task.direction_seed, task.coin_seed];
        let words = fixture.config.keys.tasks.words(Purpose::Task, task.id.0);
        assert_eq!(seeds, words, "{:?}", task.id);
    }
}

#[tokio::test]
async fn accepted_counts_survive_crash() {
    let fixture = Fixture::new(RuleKind::Plain);
    let disk = Disk::default();
    let mut stream = Stream::new(3);
    let named = |number: u128| JoinRequest {
        identity: Some(number.into()),
        ..join_request()
    };
    let (running, handle) = fixture.start(fixture.begin(&disk).unwrap());
    for number in 1..=2 {
        let joined = handle
            .join(named(number))
            .await
            .unwrap()
            .expect("the run continues");
        let mut task = joined.first.task;
        for _ in 0..number {
            let reply = handle
                .update(
                    joined.volunteer,
                    task.id,
                    fixture.bits(&mut stream),
                    TaskRequest::default(),
                )
                .await
                .unwrap();
            task = reply.next.first().expect("the run continues").task;
        }
    }
    running.abort(); // no session says goodbye
    _ = running.await;
    let (running, handle) = fixture.start(fixture.resume(&disk.after_power_cut(&mut stream)));
    for number in 1..=3 {
        handle
            .join(named(number))
            .await
            .unwrap()
            .expect("the run continues");
    }
    let accepted: Vec<u64> = handle
        .list()
        .await
        .unwrap()
        .volunteers
        .iter()
        .map(|summary| summary.accepted)
        .collect();
    assert_eq!(accepted, [1, 2, 0], "the third is new");
    handle.stop().await;
    running.await.unwrap().unwrap();
}
