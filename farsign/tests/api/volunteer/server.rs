//! A server without I/O: optimizer, assignment of tasks, and frames.

use std::collections::HashMap;
use std::sync::Arc;

use farsign::assignment::{
    Assigner, Assignment, AssignmentOptions, ResetInterval, VolunteerAssignment,
};
use farsign::dataset::{Dataset, ShardedDataset};
use farsign::direction::{DirectionFamily, DirectionSpec};
use farsign::estimate::Order;
use farsign::kernels::{Evaluation, sparse::Kernel};
use farsign::keys::Key;
use farsign::model::Architecture;
use farsign::optimizer::{FarSign, FarSignOptions, Rule, SignUpdate};
use farsign::schedule::{Decay, StepSize};
use farsign::sign::SignBits;
use farsign::task::{RunSettings, Task, TaskId, VolunteerId};
use farsign::version::{Grid, Version};
use farsign::wire::{ClientRecord, EncodedVersion, ServerFrame, read_client_frame};

/// The settings of a run, without the data.
#[derive(Clone, Debug)]
pub struct Run {
    pub widths: Vec<usize>,
    pub order: Order,
    pub rule: Rule,
    pub family: DirectionFamily,
    /// Directions per task; 0 means one per parameter.
    pub directions: usize,
    pub alpha: f64,
    /// Accepted weight at the end of the schedule.
    pub horizon: f64,
    pub resets: Option<ResetInterval>,
}

impl Run {
    /// A run under `plain` with one direction for each parameter.
    pub fn plain(widths: Vec<usize>, order: Order) -> Self {
        Self {
            widths,
            order,
            rule: Rule::Plain,
            family: DirectionFamily::Coordinate,
            directions: 0,
            alpha: 0.1,
            horizon: 1.0,
            resets: None,
        }
    }

    /// The settings in the welcome of a run on a training set of one shard.
    pub fn settings(&self, train: &Dataset) -> RunSettings {
        self.settings_with(ShardedDataset::from(Arc::new(train.clone())).digest())
    }

    /// The settings in the welcome of a run on training data with this digest.
    pub fn settings_with(&self, train_digest: [u8; 32]) -> RunSettings {
        let architecture = Architecture::new(self.widths.clone()).unwrap();
        let d = architecture.parameters();
        let count = if self.directions == 0 {
            d
        } else {
            self.directions
        };
        RunSettings {
            run_id: 1,
            order: self.order,
            directions: DirectionSpec::new(self.family, count, d).unwrap(),
            architecture,
            batch: 16,
            beta: 0.3,
            task_timeout_ms: 60_000,
            train_digest,
        }
    }
}

/// A run in progress.
pub struct Server {
    settings: RunSettings,
    optimizer: FarSign,
    assigner: Assigner,
    assigned: HashMap<VolunteerId, VolunteerAssignment>,
    open: HashMap<TaskId, (VolunteerId, Assignment)>,
    tasks: HashMap<VolunteerId, u64>,
}

impl Server {
    pub fn new(run: &Run, train: &Dataset) -> Self {
        let settings = run.settings(train);
        let decay = Decay::Cosine {
            horizon: run.horizon,
        };
        let step_size = StepSize {
            initial: run.alpha,
            decay,
        };
        let x = settings.architecture.initial_parameters(5);
        let options = FarSignOptions::new(&x, settings.directions, step_size, run.rule);
        let optimizer = FarSign::new(options.unwrap());
        let order = run.order;
        let rule = run.rule;
        let resets = run.resets;
        let options = AssignmentOptions {
            order,
            rule,
            minibatch_window: 10,
            direction_reuse: 4,
            resets,
        };
        Self {
            settings,
            optimizer,
            assigner: Assigner::new(options, Key::new([6; 32])),
            assigned: HashMap::new(),
            open: HashMap::new(),
            tasks: HashMap::new(),
        }
    }

    /// Writes the first frame of a session.
    pub fn join(&mut self, volunteer: VolunteerId, frame: &mut Vec<u8>) {
        self.optimizer.join(volunteer);
        self.assigned
            .insert(volunteer, VolunteerAssignment::default());
        let (version, task) = self.next_task(volunteer);
        ServerFrame::new(frame)
            .welcome(volunteer, &self.settings)
            .version(&version)
            .task(&task);
    }

    /// Applies an update and writes the reply.
    pub fn receive(&mut self, volunteer: VolunteerId, update: &[u8], frame: &mut Vec<u8>) {
        let Ok(ClientRecord::Update { task, bits }) = read_client_frame(update) else {
            panic!("not an update: {update:?}")
        };
        let (owner, assignment) = self.open.remove(&task).expect("an open task");
        assert_eq!(owner, volunteer);
        let signs = SignBits::from_bytes(bits, self.optimizer.directions()).unwrap();
        let direction_seed = assignment.direction_seed;
        let update = SignUpdate {
            volunteer,
            direction_seed,
            trust: 1.0,
            signs: &signs,
        };
        let applied = self.optimizer.apply(update).unwrap();
        let mut out = ServerFrame::new(frame);
        out.accepted(task, applied.update);
        if !self.optimizer.is_finished() {
            let (version, task) = self.next_task(volunteer);
            out.version(&version).task(&task);
        }
    }

    pub fn is_finished(&self) -> bool {
        self.optimizer.is_finished()
    }

    /// Returns the current version, on the finest grid.
    pub fn version(&self) -> Version {
        let grid = Grid {
            fixed_point: self.optimizer.fixed_point(),
            shift: 0,
        };
        let accepted = self.optimizer.accepted();
        Version::round(accepted, accepted, self.optimizer.x(), grid)
    }

    pub fn evaluate(&self, data: &Dataset) -> Evaluation {
        Kernel::new(&self.settings.architecture).evaluate(&self.optimizer.parameters(), data)
    }

    fn next_task(&mut self, volunteer: VolunteerId) -> (EncodedVersion, Task) {
        let accepted = self.optimizer.accepted();
        let assigned = self
            .assigned
            .get_mut(&volunteer)
            .expect("a volunteer that joined");
        let number = self.tasks.entry(volunteer).or_default();
        *number += 1;
        let id = TaskId::new(volunteer, *number);
        let assignment = self.assigner.assign(assigned, id, accepted);
        self.open.insert(id, (volunteer, assignment));
        let Assignment {
            minibatch_seed,
            direction_seed,
            coin_seed,
            reset_momentum,
        } = assignment;
        let version = self.version();
        let task = Task {
            id,
            version: version.hash(),
            minibatch_seed,
            direction_seed,
            coin_seed,
            images: self.settings.batch,
            shards: 1,
            reset_momentum,
        };
        (EncodedVersion::new(&version, None), task)
    }
}
