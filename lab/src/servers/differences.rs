//! The coded differences between the versions that workers receive.

use std::sync::Arc;

use farsign::version::Version;

/// Differences from one that is encoded to the next: encoding takes about as long as computing a small gradient. A prime,
/// so that the order of tasks after a new version does not matter.
const SAMPLE_INTERVAL: u64 = 7;

/// Measures the differences from the version that a worker holds to that of its next task.
///
/// As in the product, a worker holds the version of its last task, and a worker with the newest one receives nothing. Its
/// first version, which has no base, does not count.
#[derive(Debug)]
pub struct DifferencesMeter {
    /// The version that each worker holds.
    held: Vec<Option<Arc<Version>>>,
    sample_interval: u64,
    received: u64,
    /// Number of the version to which `encoded` leads.
    newest: u64,
    /// Number of each base, and the length of the differences from it in bytes: the product, too, encodes them once.
    encoded: Vec<(u64, usize)>,
    buffer: Vec<u8>,
    bits_per_parameter: f64,
    measured: u64,
}

impl DifferencesMeter {
    /// Creates a meter of workers that hold no version.
    pub fn new(workers: usize) -> Self {
        Self {
            held: vec![None; workers],
            sample_interval: SAMPLE_INTERVAL,
            received: 0,
            newest: 0,
            encoded: Vec::new(),
            buffer: Vec::new(),
            bits_per_parameter: 0.0,
            measured: 0,
        }
    }

    /// Records that a worker receives a task against the newest version.
    pub fn on_task(&mut self, worker: usize, version: &Arc<Version>) {
        let Some(base) = self.held[worker].replace(Arc::clone(version)) else {
            return;
        };
        if base.number() == version.number() {
            return;
        }
        if self.received.is_multiple_of(self.sample_interval) {
            let bits = 8 * self.encoded_bytes(&base, version);
            self.bits_per_parameter += bits as f64 / version.k().len() as f64;
            self.measured += 1;
        }
        self.received += 1;
    }

    /// Returns the mean bits a parameter. `None` before the first differences.
    pub fn bits_per_parameter(&self) -> Option<f64> {
        (self.measured > 0).then(|| self.bits_per_parameter / self.measured as f64)
    }

    fn encoded_bytes(&mut self, base: &Version, version: &Version) -> usize {
        if self.newest != version.number() {
            self.newest = version.number();
            self.encoded.clear();
        }
        let known = self
            .encoded
            .iter()
            .find(|(number, _)| *number == base.number());
        if let Some((_, bytes)) = known {
            return *bytes;
        }
        self.buffer.clear();
        version.write_differences(Some(base), &mut self.buffer);
        self.encoded.push((base.number(), self.buffer.len()));
        self.buffer.len()
    }
}

#[cfg(test)]
mod tests {
    use farsign::fixed_point::FixedPoint;
    use farsign::version::Grid;

    use super::*;

    /// Returns a meter that encodes all differences.
    fn meter(workers: usize) -> DifferencesMeter {
        DifferencesMeter {
            sample_interval: 1,
            ..DifferencesMeter::new(workers)
        }
    }

    fn version(number: u64, x: &[i32]) -> Arc<Version> {
        let grid = Grid {
            fixed_point: FixedPoint::new(20).unwrap(),
            shift: 0,
        };
        Arc::new(Version::round(number, number, x, grid))
    }

    fn bits(base: &Version, version: &Version) -> f64 {
        let mut coded = Vec::new();
        version.write_differences(Some(base), &mut coded);
        8.0 * coded.len() as f64 / version.k().len() as f64
    }

    #[test]
    fn mean_counts_received_differences() {
        let x: Vec<i32> = (0..2000).map(|n| n * n % 7 - 3).collect();
        let zeros = vec![0; x.len()];
        let double: Vec<i32> = x.iter().map(|x| 40 * x).collect();
        let versions = [version(1, &zeros), version(2, &x), version(3, &double)];
        let mut meter = meter(3);
        for (worker, held) in [(0, 0), (1, 1), (2, 2)] {
            meter.on_task(worker, &versions[held]); // a first version has no base
        }
        assert_eq!(meter.bits_per_parameter(), None);
        for worker in 0..3 {
            meter.on_task(worker, &versions[2]); // the third worker holds it
        }
        let pairs = [0, 1].map(|base| bits(&versions[base], &versions[2]));
        let expected = f64::midpoint(pairs[0], pairs[1]);
        let found = meter.bits_per_parameter().unwrap();
        assert!((found - expected).abs() < 1e-9, "{found} for {expected}");
    }

    #[test]
    fn same_base_same_bits() {
        let versions = [
            version(1, &[0; 300]),
            version(2, &[1; 300]),
            version(3, &[-90; 300]),
        ];
        let mut meter = meter(2);
        let mut expected = 0.0;
        for pair in versions.windows(2) {
            for worker in 0..2 {
                meter.on_task(worker, &pair[0]);
            }
            for worker in 0..2 {
                meter.on_task(worker, &pair[1]);
            }
            expected += bits(&pair[0], &pair[1]) / 2.0;
        }
        let found = meter.bits_per_parameter().unwrap();
        assert!((found - expected).abs() < 1e-9, "{found} for {expected}");
    }

    #[test]
    fn samples_estimate_the_mean() {
        let d = 3000;
        let x = |n: u64| -> Vec<i32> { (0..d).map(|i| i * (n as i32) % 5 - 2).collect() };
        let mut all = meter(4);
        let mut samples = DifferencesMeter::new(4);
        for n in 0..200 {
            let version = version(n, &x(n));
            for meter in [&mut all, &mut samples] {
                meter.on_task((n % 4) as usize, &version);
            }
        }
        let [all, samples] = [all, samples].map(|meter| meter.bits_per_parameter().unwrap());
        assert!((all - samples).abs() < 0.1 * all, "{samples} for {all}");
    }
}
