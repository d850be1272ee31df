//! One run: a method, an attack, a share of liars, a seed.

use crate::attack::Attack;
use crate::control;
use crate::fleet::{messages_of_liars, part_of, recruit};
use crate::host::{FarSignHost, FarSignRun, Fault, GradientHost, Host, gradient_settings};
use crate::materials::Materials;
use crate::peers::Server;
use crate::record::{Measure, Record, Recorder};
use crate::rounds::Rounds;
use crate::scenario::{Kind, Method, Scenario, Synchronous, Wait};
use crate::simulation::Simulation;
use crate::workshop::{Worker, Workshop};

/// One run of a scenario.
#[derive(Clone, Copy, Debug)]
pub struct Experiment<'a> {
    /// The method.
    pub method: &'a Method,
    /// Factor on its rate.
    pub factor: f64,
    /// What liars do, and their share of the updates; none: there are none.
    pub attack: Option<(Attack, f64)>,
    /// Seed.
    pub seed: u64,
    /// Messages.
    pub messages: u64,
    /// What accuracy is measured on.
    pub measure: Measure,
    /// A mistake in FAR-SIGN's server.
    pub fault: Option<Fault>,
}

impl Experiment<'_> {
    /// Runs it.
    pub fn run(&self, scenario: &Scenario, materials: &Materials) -> Record {
        let mut recorder = Recorder::new(materials, self.measure, scenario.run.evaluate_every);
        let world = World { experiment: self, scenario, materials };
        match &self.method.kind {
            Kind::FarSign(_) | Kind::Asynchronous(_) => world.run_asynchronous(&mut recorder),
            Kind::Synchronous(synchronous) => world.run_rounds(synchronous, &mut recorder),
            Kind::Control(control) => {
                let settings = (self.rate(), self.method.batch);
                let run = (materials, self.seed);
                control::run(*control, settings, run, scenario.fleet.task_s, self.messages, &mut recorder);
            }
        }
        recorder.into_record()
    }

    /// Runs an asynchronous method with something around its server, which is told who lies; gives it back.
    pub(crate) fn run_watched<W: Host>(
        &self,
        scenario: &Scenario,
        materials: &Materials,
        watch: impl FnOnce(Box<dyn Host>, &[bool]) -> W,
    ) -> W {
        let mut recorder = Recorder::new(materials, self.measure, scenario.run.evaluate_every);
        let world = World { experiment: self, scenario, materials };
        let workers = world.workers();
        let liars: Vec<bool> = workers.iter().map(Worker::lies).collect();
        let mut watched = watch(world.host(&workers), &liars);
        world.simulate(workers, &mut watched, &mut recorder);
        watched
    }

    fn rate(&self) -> f64 {
        self.method.rate * self.factor
    }
}

struct World<'a> {
    experiment: &'a Experiment<'a>,
    scenario: &'a Scenario,
    materials: &'a Materials,
}

impl World<'_> {
    fn workers(&self) -> Vec<Worker> {
        let Experiment { attack, seed, .. } = *self.experiment;
        let (attack, share) = attack.map_or((None, 0.0), |(attack, share)| (Some(attack), share));
        let allotment = self.materials.allot(seed);
        let Scenario { fleet, network, .. } = self.scenario;
        let recruits = recruit(fleet, network, attack, share, seed).into_iter().enumerate();
        recruits.map(|(index, recruit)| Worker::new(index, recruit, &allotment)).collect()
    }

    fn host(&self, workers: &[Worker]) -> Box<dyn Host> {
        let Experiment { method, seed, messages, fault, .. } = *self.experiment;
        let (rate, batch) = (self.experiment.rate(), method.batch);
        if let Kind::Asynchronous(asynchronous) = &method.kind {
            let settings = gradient_settings(self.materials, batch, asynchronous.beta);
            let on_the_way_s = self.scenario.network.mean_time_s(self.scenario.fleet.task_s);
            let paces = workers.iter().map(|worker| (&worker.pace, worker.lies()));
            let hostile = messages_of_liars(paces, on_the_way_s);
            let rule = asynchronous.rule.make(rate, hostile, &self.server(workers.len()));
            return Box::new(GradientHost::new(settings, rule, messages, workers.len(), seed));
        }
        let Kind::FarSign(far_sign) = &method.kind else {
            unreachable!("rounds and the control have no host")
        };
        let liars: Vec<bool> = workers.iter().map(Worker::lies).collect();
        let run = FarSignRun {
            method: far_sign,
            batch,
            rate,
            messages,
            workers: workers.len(),
            liars: &liars,
            seed,
            fault,
        };
        Box::new(FarSignHost::new(run, self.materials).expect("the scenario was checked"))
    }

    /// What a rule may know that is sent so many gradients, by as many workers or in each round: the number of liars, up
    /// to the largest minority.
    fn server(&self, gradients: usize) -> Server<'_> {
        let Experiment { attack, seed, method, .. } = *self.experiment;
        let share = attack.map_or(0.0, |(_, share)| share);
        let liars = part_of(self.scenario.fleet.workers, share).min((gradients - 1) / 2);
        Server { gradients, liars, seed, batch: method.batch, materials: self.materials }
    }

    fn run_asynchronous(&self, recorder: &mut Recorder<'_>) {
        let workers = self.workers();
        let mut host = self.host(&workers);
        self.simulate(workers, host.as_mut(), recorder);
    }

    fn simulate(&self, workers: Vec<Worker>, host: &mut dyn Host, recorder: &mut Recorder<'_>) {
        let workshop = Workshop::new(host.settings(), self.experiment.attack.map(|(attack, _)| attack));
        let clock = (self.scenario.fleet.task_s, self.experiment.seed);
        let simulation = Simulation::new(host, workshop, workers, self.scenario.network, clock);
        simulation.run(self.experiment.messages, recorder);
    }

    fn run_rounds(&self, synchronous: &Synchronous, recorder: &mut Recorder<'_>) {
        let mut workers = self.workers();
        let settings = gradient_settings(self.materials, self.experiment.method.batch, synchronous.beta);
        let mut workshop = Workshop::new(&settings, self.experiment.attack.map(|(attack, _)| attack));
        let wait_for = match synchronous.wait {
            Wait::All => workers.len(),
            Wait::Fastest(share) => part_of(workers.len(), share).max(1),
        };
        let rounds = Rounds {
            aggregation: &*synchronous.aggregation.make(&self.server(wait_for)),
            wait_for,
            rate: self.experiment.rate(),
            network: self.scenario.network,
            task_s: self.scenario.fleet.task_s,
            seed: self.experiment.seed,
        };
        rounds.run(&settings, &mut workshop, &mut workers, self.experiment.messages, recorder);
    }
}
