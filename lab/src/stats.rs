//! Mean and standard deviation.

use serde::{Deserialize, Serialize};

/// Mean and standard deviation over seeds (divided by one less than their number; 0 for one seed).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeanStd {
    /// Mean.
    pub mean: f64,
    /// Standard deviation.
    pub deviation: f64,
}

impl MeanStd {
    /// Computes both for at least one value.
    pub(crate) fn new(values: impl Iterator<Item = f64> + Clone) -> Self {
        let count = values.clone().count() as f64;
        let mean = values.clone().sum::<f64>() / count;
        let squares: f64 = values.map(|value| (value - mean) * (value - mean)).sum();
        let deviation = if count > 1.0 {
            (squares / (count - 1.0)).sqrt()
        } else {
            0.0
        };
        Self {
            mean: rounded(mean),
            deviation: rounded(deviation),
        }
    }
}

/// Rounds to six decimals, which is more than the precision of any result.
fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}
