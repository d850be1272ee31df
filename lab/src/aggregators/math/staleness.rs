//! Dampening of old gradients.

use farsign::math::pow;

/// A factor `s(tau)` in `(0, 1]` on gradients with a staleness of `tau`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StalenessFunction {
    /// `1`: no dampening.
    Constant,
    /// `(1 + tau)^-a`. Staleness-aware SGD has about `a = 1` (Zhang, Gupta, Lian, Liu, IJCAI 2016, arXiv 1511.05950:
    /// `1 / tau`), FedBuff `a = 1/2`, FedAsync leaves it open.
    Polynomial {
        /// `a`, from 0.
        exponent: f64,
    },
    /// `e^(-rate tau)` (Kardam).
    Exponential {
        /// From 0.
        rate: f64,
    },
}

impl StalenessFunction {
    /// Returns `s(staleness)`.
    pub fn factor(self, staleness: u64) -> f64 {
        let tau = staleness as f64;
        match self {
            Self::Constant => 1.0,
            Self::Polynomial { exponent } => pow(1.0 + tau, -exponent),
            Self::Exponential { rate } => pow(std::f64::consts::E, -rate * tau),
        }
    }
}
