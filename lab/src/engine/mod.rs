//! The engine: one run of a method under an attack.

mod centralized;
mod event_driven;
pub(crate) mod fleet;
mod synchronous;
mod task_sizing;
mod worker_pool;

use std::sync::Arc;

use farsign::kernels::sparse::Kernel;
use farsign::minibatch::Minibatch;
use farsign_attacks::Attack;

use crate::aggregators::build::{RuleContext, ServerGradient, build, build_async};
use crate::data::ExperimentData;
use crate::engine::centralized::CentralizedRun;
use crate::engine::event_driven::Simulation;
use crate::engine::fleet::{expected_attacker_updates, spawn_fleet};
use crate::engine::synchronous::Rounds;
use crate::engine::task_sizing::TaskSizing;
use crate::engine::worker_pool::{Worker, WorkerPool};
use crate::metrics::{EvalSplit, MetricsRecorder, RunMetrics};
use crate::rng::{RngStream, SimRng};
use crate::scenario::{Method, MethodKind, Scenario, Synchronous, Wait, count_of_fraction};
use crate::servers::{
    FarSignRun, FarSignServer, GradientServer, InjectedFault, SimServer, gradient_settings,
};

/// One run of a scenario.
#[derive(Clone, Copy, Debug)]
pub struct RunSpec<'a> {
    /// The method.
    pub method: &'a Method,
    /// Factor on its learning rate.
    pub factor: f64,
    /// Attack and Byzantine fraction; `None` without an attack.
    pub attack: Option<(Attack, f64)>,
    /// Seed.
    pub seed: u64,
    /// Updates.
    pub updates: u64,
    /// Data for the accuracy.
    pub eval_split: EvalSplit,
    /// Fault of FAR-SIGN's server.
    pub fault: Option<InjectedFault>,
}

impl RunSpec<'_> {
    /// Runs the method, and returns its metrics.
    pub fn run(&self, scenario: &Scenario, data: &ExperimentData) -> RunMetrics {
        let mut recorder = MetricsRecorder::new(data, self.eval_split, scenario.run.evaluate_every);
        let context = RunContext {
            spec: self,
            scenario,
            data,
        };
        match &self.method.kind {
            MethodKind::FarSign(_) | MethodKind::Asynchronous(_) => {
                context.run_asynchronous(&mut recorder);
            }
            MethodKind::Synchronous(synchronous) => context.run_rounds(synchronous, &mut recorder),
            MethodKind::Centralized(centralized) => {
                let run = CentralizedRun {
                    method: *centralized,
                    learning_rate: self.learning_rate(),
                    batch: self.method.batch,
                    seed: self.seed,
                    task_s: scenario.fleet.task_s,
                    updates: self.updates,
                };
                run.run(data, &mut recorder);
            }
        }
        recorder.into_metrics()
    }

    /// Runs an asynchronous method with an instrumented server, and returns the server.
    ///
    /// `instrument` receives the server and the flags of the attackers.
    pub(crate) fn run_instrumented<S: SimServer>(
        &self,
        scenario: &Scenario,
        data: &ExperimentData,
        instrument: impl FnOnce(Box<dyn SimServer>, &[bool]) -> S,
    ) -> S {
        let mut recorder = MetricsRecorder::new(data, self.eval_split, scenario.run.evaluate_every);
        let context = RunContext {
            spec: self,
            scenario,
            data,
        };
        let workers = context.workers();
        let byzantine: Vec<bool> = workers.iter().map(Worker::is_byzantine).collect();
        let mut server = instrument(context.server(&workers), &byzantine);
        context.simulate(workers, &mut server, &mut recorder);
        server
    }

    fn learning_rate(&self) -> f64 {
        self.method.learning_rate * self.factor
    }
}

struct RunContext<'a> {
    spec: &'a RunSpec<'a>,
    scenario: &'a Scenario,
    data: &'a ExperimentData,
}

impl RunContext<'_> {
    fn workers(&self) -> Vec<Worker> {
        let RunSpec { attack, seed, .. } = *self.spec;
        let partition = self.data.partition(seed);
        let Scenario { fleet, network, .. } = self.scenario;
        let profiles = spawn_fleet(fleet, network, attack, seed)
            .into_iter()
            .enumerate();
        profiles
            .map(|(index, profile)| Worker::new(index, profile, &partition))
            .collect()
    }

    fn server(&self, workers: &[Worker]) -> Box<dyn SimServer> {
        let RunSpec {
            method,
            seed,
            updates,
            fault,
            ..
        } = *self.spec;
        let learning_rate = self.spec.learning_rate();
        let batch = method.batch;
        if let MethodKind::Asynchronous(asynchronous) = &method.kind {
            let settings = gradient_settings(self.data, batch, asynchronous.beta);
            let network_s = self
                .scenario
                .network
                .mean_time_s(self.scenario.fleet.task_s);
            let timings = workers
                .iter()
                .map(|worker| (&worker.timing, worker.is_byzantine()));
            let byzantine_fraction = expected_attacker_updates(timings, network_s);
            let server_gradient = || self.server_gradient();
            let context = self.rule_context(workers.len(), &server_gradient);
            let rule = build_async(
                asynchronous.rule,
                learning_rate,
                byzantine_fraction,
                &context,
            );
            return Box::new(GradientServer::new(
                settings,
                rule,
                updates,
                workers.len(),
                seed,
            ));
        }
        let MethodKind::FarSign(far_sign) = &method.kind else {
            unreachable!("synchronous and centralized methods have no simulated server")
        };
        let attackers: Vec<bool> = workers.iter().map(Worker::is_byzantine).collect();
        let run = FarSignRun {
            method: far_sign,
            batch,
            learning_rate,
            updates,
            workers: workers.len(),
            attackers: &attackers,
            seed,
            measure_differences: self.scenario.run.measure_differences,
            fault,
        };
        Box::new(FarSignServer::new(run, self.data).expect("the scenario is valid"))
    }

    /// Returns the context of a rule that receives gradients of this many workers, capped at the largest minority of attackers.
    fn rule_context<'c>(
        &self,
        gradients: usize,
        server_gradient: &'c dyn Fn() -> ServerGradient,
    ) -> RuleContext<'c> {
        let fraction = self.spec.attack.map_or(0.0, |(_, fraction)| fraction);
        let attackers = count_of_fraction(self.scenario.fleet.workers, fraction);
        let byzantine = attackers.min((gradients - 1) / 2);
        RuleContext {
            gradients,
            byzantine,
            seed: self.spec.seed,
            server_gradient,
        }
    }

    /// Returns the gradient that the server computes on its own data, in minibatches.
    fn server_gradient(&self) -> ServerGradient {
        let mut rng = SimRng::new(self.spec.seed, RngStream::Server, 1);
        let mut kernel = Kernel::new(&self.data.architecture);
        let mut minibatch = Minibatch::default();
        let data = Arc::clone(&self.data.validation);
        let size = self.spec.method.batch as usize;
        Box::new(move |x: &[f32]| {
            let mut gradient = vec![0.0; x.len()];
            minibatch.draw(&data, rng.next_u64(), size);
            kernel.loss_and_gradient(x, &minibatch, &mut gradient);
            gradient
        })
    }

    fn run_asynchronous(&self, recorder: &mut MetricsRecorder<'_>) {
        let workers = self.workers();
        let mut server = self.server(&workers);
        self.simulate(workers, server.as_mut(), recorder);
    }

    fn simulate(
        &self,
        workers: Vec<Worker>,
        server: &mut dyn SimServer,
        recorder: &mut MetricsRecorder<'_>,
    ) {
        let pool = WorkerPool::new(
            server.settings(),
            self.spec.attack.map(|(attack, _)| attack),
        );
        let task_s = self.scenario.fleet.task_s;
        let network = self.scenario.network;
        let sizing = self.task_sizing(workers.len());
        let simulation = Simulation::new(server, pool, workers, network, task_s, self.spec.seed);
        simulation
            .with_task_sizing(sizing)
            .run(self.spec.updates, recorder);
    }

    /// Returns `None` if all tasks have as many images.
    fn task_sizing(&self, workers: usize) -> Option<TaskSizing> {
        let method = self.spec.method;
        let is_sized =
            matches!(&method.kind, MethodKind::FarSign(far_sign) if far_sign.sized_tasks);
        is_sized.then(|| TaskSizing::new(workers, method.batch, self.data.train.len()))
    }

    fn run_rounds(&self, synchronous: &Synchronous, recorder: &mut MetricsRecorder<'_>) {
        let mut workers = self.workers();
        let settings = gradient_settings(self.data, self.spec.method.batch, synchronous.beta);
        let mut pool = WorkerPool::new(&settings, self.spec.attack.map(|(attack, _)| attack));
        let wait_for = match synchronous.wait {
            Wait::All => workers.len(),
            Wait::Fastest(fraction) => count_of_fraction(workers.len(), fraction).max(1),
        };
        let server_gradient = || self.server_gradient();
        let rounds = Rounds {
            aggregator: &*build(
                &synchronous.aggregator,
                &self.rule_context(wait_for, &server_gradient),
            ),
            wait_for,
            learning_rate: self.spec.learning_rate(),
            network: self.scenario.network,
            task_s: self.scenario.fleet.task_s,
            seed: self.spec.seed,
        };
        rounds.run(
            &settings,
            &mut pool,
            &mut workers,
            self.spec.updates,
            recorder,
        );
    }
}
