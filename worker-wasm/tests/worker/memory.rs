//! Buffers are allocated once: after days of training, a tab uses no more memory than at the start.

use std::sync::Arc;

use farsign::assignment::{Assigner, AssignmentOptions, VolunteerAssignment};
use farsign::dataset::{Dataset, DatasetParts, ShardedDataset};
use farsign::direction::{DirectionFamily, DirectionSpec};
use farsign::estimate::Order;
use farsign::keys::Key;
use farsign::model::Architecture;
use farsign::optimizer::{FarSign, FarSignOptions, Rule, SignUpdate};
use farsign::random::Stream;
use farsign::schedule::{Decay, StepSize};
use farsign::sign::SignBits;
use farsign::task::{RunSettings, Task, TaskId, VolunteerId};
use farsign::version::{Grid, Version};
use farsign::volunteer::{Event, Volunteer};
use farsign::wire::{ClientRecord, EncodedVersion, ServerFrame, read_client_frame};
use wasm_bindgen_test::wasm_bindgen_test;

const VOLUNTEER: VolunteerId = VolunteerId(1);

/// Returns random images of MNIST's size and sparsity.
fn images(count: usize) -> Dataset {
    let mut stream = Stream::new(1);
    let pixels = 28 * 28 * count;
    let images = (0..pixels)
        .map(|_| {
            if stream.below(5) == 0 {
                stream.below(256) as u8
            } else {
                0
            }
        })
        .collect();
    let labels = (0..count).map(|image| (image % 10) as u8).collect();
    Dataset::from_parts(DatasetParts {
        rows: 28,
        cols: 28,
        images,
        labels,
    })
    .expect("well-formed data")
}

/// A server for one volunteer without a socket.
struct Server {
    settings: RunSettings,
    optimizer: FarSign,
    assigner: Assigner,
    assigned: VolunteerAssignment,
    open: Option<Task>,
    /// The version that was sent last.
    sent: Option<Version>,
}

impl Server {
    fn new(train: &ShardedDataset) -> Self {
        let architecture = Architecture::new(vec![784, 128, 10]).expect("a valid architecture");
        let d = architecture.parameters();
        let settings = RunSettings {
            run_id: 1,
            order: Order::First,
            directions: DirectionSpec::new(DirectionFamily::Coordinate, d, d)
                .expect("valid directions"),
            architecture,
            batch: 128,
            beta: 0.3,
            task_timeout_ms: 60_000,
            train_digest: train.digest(),
        };
        let x = settings.architecture.initial_parameters(2);
        let step_size = StepSize {
            initial: 5e-4,
            decay: Decay::Constant,
        };
        let options = FarSignOptions::new(&x, settings.directions, step_size, Rule::Plain);
        let mut optimizer = FarSign::new(options.unwrap());
        optimizer.join(VOLUNTEER);
        let options = AssignmentOptions {
            order: Order::First,
            rule: Rule::Plain,
            minibatch_window: 25,
            direction_reuse: 1,
            resets: None,
        };
        let assigner = Assigner::new(options, Key::new([3; 32]));
        let assigned = VolunteerAssignment::default();
        Self {
            settings,
            optimizer,
            assigner,
            assigned,
            open: None,
            sent: None,
        }
    }

    /// Applies the update of the open task, if there is one, and writes the next frame.
    fn next(&mut self, update: &[u8], frame: &mut Vec<u8>) {
        let accepted = self.open.map(|open| self.apply(open, update));
        let version = self.optimizer.accepted();
        let grid = Grid {
            fixed_point: self.optimizer.fixed_point(),
            shift: 6,
        };
        let newest = Version::round(version, version, self.optimizer.x(), grid);
        let id = TaskId::new(VOLUNTEER, version + 1);
        let given = self.assigner.assign(&mut self.assigned, id, version);
        let task = Task {
            id,
            version: newest.hash(),
            minibatch_seed: given.minibatch_seed,
            direction_seed: given.direction_seed,
            coin_seed: given.coin_seed,
            images: self.settings.batch,
            shards: 1,
            reset_momentum: given.reset_momentum,
        };
        self.open = Some(task);
        let mut out = ServerFrame::new(frame);
        match accepted {
            Some(id) => out.accepted(id, version),
            None => out.welcome(VOLUNTEER, &self.settings),
        };
        let base = self.sent.replace(newest);
        let newest = self.sent.as_ref().expect("it was just set");
        out.version(&EncodedVersion::new(newest, base.as_ref()))
            .task(&task);
    }

    fn apply(&mut self, open: Task, update: &[u8]) -> TaskId {
        let Ok(ClientRecord::Update { task, bits }) = read_client_frame(update) else {
            panic!("no update")
        };
        assert_eq!(task, open.id);
        let signs = SignBits::from_bytes(bits, self.optimizer.directions())
            .expect("a sign for each direction");
        let direction_seed = open.direction_seed;
        let update = SignUpdate {
            volunteer: VOLUNTEER,
            direction_seed,
            trust: 1.0,
            signs: &signs,
        };
        self.optimizer
            .apply(update)
            .expect("an honest update is accepted");
        task
    }
}

#[wasm_bindgen_test]
fn memory_is_flat_after_warmup() {
    let data = ShardedDataset::from(Arc::new(images(600)));
    let mut server = Server::new(&data);
    let mut volunteer = Volunteer::new(data);
    let (mut frame, mut update, mut events) = (Vec::new(), Vec::new(), Vec::new());
    let mut work = |tasks: u32| {
        for _ in 0..tasks {
            server.next(&update, &mut frame);
            events.clear();
            volunteer
                .receive(&frame, &mut events)
                .expect("the server's frame is valid");
            let Some(Event::Task(task)) = events.last() else {
                panic!("no task in {events:?}")
            };
            volunteer
                .write_update(task, &mut update)
                .expect("the task can be worked on");
        }
        (
            core::arch::wasm32::memory_size::<0>(),
            server.optimizer.accepted(),
        )
    };
    let (warm, _) = work(300);
    let (pages, accepted) = work(1000);
    assert_eq!(accepted, 1299, "the last update is missing");
    assert_eq!(pages, warm, "memory grew by {} KiB", 64 * (pages - warm));
}
