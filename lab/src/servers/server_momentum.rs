//! `server-momentum`: the momenta that the server keeps, and the signs it takes of them.

use farsign::direction::{DirectionSpec, Directions};
use farsign::momentum::Momentum;
use farsign::sign::SignBits;
use farsign::task::Task;

use crate::scenario::{FarSignMethod, OrderConfig};

/// The momentum of every worker.
#[derive(Debug)]
pub struct ServerMomentum {
    beta: f32,
    order: OrderConfig,
    directions: Directions,
    momenta: Vec<Momentum>,
    y: Vec<f32>,
    signs: SignBits,
}

impl ServerMomentum {
    /// Creates the momenta of workers that sent no estimate yet.
    pub fn new(
        method: &FarSignMethod,
        directions: DirectionSpec,
        direction_seed: u64,
        workers: usize,
    ) -> Self {
        Self {
            beta: method.beta,
            order: method.order,
            directions: Directions::new(directions, direction_seed),
            momenta: vec![Momentum::default(); workers],
            y: vec![0.0; directions.count()],
            signs: SignBits::default(),
        }
    }

    /// Resets the momentum of a worker.
    pub fn reset(&mut self, worker: usize) {
        self.momenta[worker] = Momentum::default();
    }

    /// Returns the signs of a worker's momentum after one more estimate.
    pub fn signs(&mut self, worker: usize, task: &Task, estimate: &[f32]) -> &SignBits {
        let momentum = &mut self.momenta[worker];
        if task.reset_momentum {
            momentum.reset();
        }
        let average = momentum.update(estimate, self.beta);
        if self.order == OrderConfig::First {
            self.directions.project(average, &mut self.y);
            self.signs.copy_from(&self.y, task.coin_seed);
        } else {
            self.signs.copy_from(average, task.coin_seed);
        }
        &self.signs
    }
}
