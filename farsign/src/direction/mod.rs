//! Directions `a_k`: the rows of a matrix `A`, `[K, d]`, determined by a seed.
//!
//! ```text
//!   coordinate         a_k = e_k                     K = d: every coordinate; K < d: K of them, drawn by the seed
//!   hadamard{block}    rows of blockdiag(H_n D_n) / sqrt(n)          H the Sylvester matrix, D random signs
//!   rademacher         a_k[i] = +-1 / sqrt(d)                        independent signs
//!   sparse{nonzeros}   a_k[i] = +-1 / sqrt(nonzeros) on disjoint supports        K * nonzeros <= d
//! ```
//!
//! Every direction has length 1; within one `A` they are orthogonal (rademacher: nearly so). The blocks of
//! `hadamard` have `block` coordinates each. The remainder is split into falling powers of two, so that `A` is square
//! and orthogonal for any `d`.
//!
//! The volunteer computes `A g` ([`Directions::project`]), the server `A' s` ([`Directions::accumulate`]), a
//! zeroth-order estimate one row at a time ([`Directions::add_row`]). Tests compare the three with the definition,
//! [`Directions::entry`].
//!
//! # Examples
//!
//! ```
//! use farsign::direction::{DirectionFamily, DirectionSpec, Directions};
//! use farsign::sign::SignBits;
//!
//! let spec = DirectionSpec::new(DirectionFamily::Hadamard { block: 4 }, 4, 4)?;
//! let mut directions = Directions::new(spec, 42);
//!
//! let mut y = [0.0; 4];
//! directions.project(&[1.0, 2.0, 3.0, 4.0], &mut y); // y = A g
//!
//! let signs = SignBits::from_bytes(&[0b1111], 4)?;
//! let mut x = [0; 4];
//! directions.accumulate(&signs, |nonzeros| 10 * nonzeros as i32, &mut x); // entries of +-40
//! assert_eq!(x.iter().map(|x| x * x).sum::<i32>(), 4 * 80 * 80); // A is orthogonal: |A' s| = 2
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod hadamard;
mod sign_stream;
mod spec;

use hadamard::{block_of, block_sizes, normalize, sylvester, transform};
use sign_stream::SignStream;
pub use spec::{DirectionError, DirectionFamily, DirectionSpec};

use crate::random::{Stream, permutation_prefix};
use crate::sign::SignBits;

/// The directions of one seed, in buffers that are reused for the next seed.
#[derive(Clone, Debug)]
pub struct Directions {
    spec: DirectionSpec,
    seed: u64,
    /// `coordinate` and `hadamard`: the row of each direction, `[K]`; empty if the directions are all rows in order.
    /// `sparse`: the concatenated supports, `[K * nonzeros]`.
    chosen: Vec<u32>,
    /// `hadamard`: the diagonal of D, `[d]`. `sparse`: the value of each support entry, `[K * nonzeros]`.
    values: Vec<f32>,
    scratch: Vec<f32>,
    integers: Vec<i32>,
}

/// Adds `entry h d` to `x` for values `h` of a transform and signs `d`.
fn add_scaled<'a>(h: impl Iterator<Item = (&'a i32, &'a f32)>, entry: i32, x: &mut [i32]) {
    for (x, (h, d)) in x.iter_mut().zip(h) {
        *x = x.wrapping_add(entry.wrapping_mul(h * *d as i32));
    }
}

/// Separates the stream of the signs from that of the choices, so that their bits differ.
const SIGN_STREAM: u64 = 0x5eed_0f51_6e5f_0001;

impl Directions {
    /// Creates the directions of `seed`.
    pub fn new(spec: DirectionSpec, seed: u64) -> Self {
        let mut directions = Self {
            spec,
            seed,
            chosen: Vec::new(),
            values: Vec::new(),
            scratch: Vec::new(),
            integers: Vec::new(),
        };
        directions.draw(seed);
        directions
    }

    /// Replaces the directions by those of another seed, in the same buffers.
    pub fn reseed(&mut self, seed: u64) {
        if seed != self.seed {
            self.draw(seed);
        }
    }

    /// Returns the specification.
    pub fn spec(&self) -> DirectionSpec {
        self.spec
    }

    /// Returns the seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    fn draw(&mut self, seed: u64) {
        self.seed = seed;
        let count = self.spec.count();
        let parameters = self.spec.parameters();
        let mut choices = Stream::new(seed);
        let mut signs = SignStream::new(seed ^ SIGN_STREAM);
        match self.spec.family() {
            DirectionFamily::Coordinate | DirectionFamily::Hadamard { .. }
                if count == parameters =>
            {
                self.chosen.clear();
            }
            DirectionFamily::Coordinate | DirectionFamily::Hadamard { .. } => {
                permutation_prefix(&mut choices, parameters, count, &mut self.chosen);
            }
            DirectionFamily::Sparse { nonzeros } => {
                permutation_prefix(
                    &mut choices,
                    parameters,
                    count * nonzeros as usize,
                    &mut self.chosen,
                );
            }
            DirectionFamily::Rademacher => {}
        }
        self.values.clear();
        match self.spec.family() {
            DirectionFamily::Hadamard { .. } => {
                self.values.resize(parameters, 0.0);
                signs.fill(&mut self.values);
            }
            DirectionFamily::Sparse { nonzeros } => {
                let scale = 1.0 / (nonzeros as f32).sqrt();
                self.values
                    .extend(self.chosen.iter().map(|_| scale * signs.next()));
            }
            DirectionFamily::Coordinate | DirectionFamily::Rademacher => {}
        }
    }

    /// Returns `a_k[i]` by definition. Slow: it serves as the reference for the other methods.
    pub fn entry(&self, k: usize, i: usize) -> f32 {
        match self.spec.family() {
            DirectionFamily::Coordinate => f32::from(self.row(k) == i),
            DirectionFamily::Hadamard { block } => {
                let row = self.row(k);
                let (start, size) = block_of(row, block as usize, self.spec.parameters());
                if !(start..start + size).contains(&i) {
                    return 0.0;
                }
                sylvester(row - start, i - start) * self.values[i] / (size as f32).sqrt()
            }
            DirectionFamily::Rademacher => {
                let mut signs = self.rademacher_row(k);
                (0..=i).fold(0.0, |_, _| signs.next()) / (self.spec.parameters() as f32).sqrt()
            }
            DirectionFamily::Sparse { .. } => {
                let (support, values) = self.support(k);
                support
                    .iter()
                    .position(|&c| c as usize == i)
                    .map_or(0.0, |p| values[p])
            }
        }
    }

    /// Computes `A g` into `y`, `[K]`, for a vector `g`, `[d]`.
    pub fn project(&mut self, g: &[f32], y: &mut [f32]) {
        match self.spec.family() {
            DirectionFamily::Coordinate if self.chosen.is_empty() => y.copy_from_slice(g),
            DirectionFamily::Coordinate => {
                y.iter_mut()
                    .zip(&self.chosen)
                    .for_each(|(y, &c)| *y = g[c as usize]);
            }
            DirectionFamily::Hadamard { block } => {
                self.scratch.clear();
                self.scratch
                    .extend(g.iter().zip(&self.values).map(|(g, d)| g * d));
                transform(&mut self.scratch, block as usize);
                normalize(&mut self.scratch, block as usize);
                if self.chosen.is_empty() {
                    y.copy_from_slice(&self.scratch);
                } else {
                    y.iter_mut()
                        .zip(&self.chosen)
                        .for_each(|(y, &c)| *y = self.scratch[c as usize]);
                }
            }
            DirectionFamily::Rademacher | DirectionFamily::Sparse { .. } => {
                for (k, y) in y.iter_mut().enumerate() {
                    *y = 0.0;
                    self.for_each_entry(k, |i, a| *y += a * g[i]);
                }
            }
        }
    }

    /// Adds `A' s` to the integers `x`, `[d]`, for signs `s`, `[K]`. `entry` returns the integer that stands for an entry
    /// `1 / sqrt(n)` of a direction with `n` nonzero entries.
    ///
    /// Sums wrap around; [`crate::step::Step`] takes no step that would.
    pub fn accumulate(&mut self, signs: &SignBits, entry: impl Fn(usize) -> i32, x: &mut [i32]) {
        match self.spec.family() {
            DirectionFamily::Coordinate if self.chosen.is_empty() => {
                let entry = entry(1);
                signs.accumulate(x, move |x, s| x.wrapping_add(entry.wrapping_mul(s)));
            }
            DirectionFamily::Hadamard { block } => {
                self.integers.clear();
                self.integers.resize(self.spec.parameters(), 0);
                if self.chosen.is_empty() {
                    signs.accumulate(&mut self.integers, |_, s| s);
                } else {
                    self.chosen
                        .iter()
                        .zip(signs.iter())
                        .for_each(|(&c, s)| self.integers[c as usize] = s as i32);
                }
                transform(&mut self.integers, block as usize); // H is symmetric
                let mut start = 0;
                for size in block_sizes(block as usize, self.spec.parameters()) {
                    let range = start..start + size;
                    let h = self.integers[range.clone()]
                        .iter()
                        .zip(&self.values[range.clone()]);
                    add_scaled(h, entry(size), &mut x[range]);
                    start += size;
                }
            }
            _ => {
                let entry = entry(self.spec.nonzeros());
                for (k, s) in signs.iter().enumerate() {
                    self.for_each_entry(k, |i, a| {
                        let step = if s * a > 0.0 { entry } else { -entry };
                        x[i] = x[i].wrapping_add(step);
                    });
                }
            }
        }
    }

    /// Adds a direction to `x`, `[d]`: `x <- x + scale a_k`.
    pub fn add_row(&self, k: usize, scale: f32, x: &mut [f32]) {
        self.for_each_entry(k, |i, a| x[i] += scale * a);
    }

    /// Visits the entries of `a_k` that may be nonzero, in order of the support.
    fn for_each_entry(&self, k: usize, mut visit: impl FnMut(usize, f32)) {
        match self.spec.family() {
            DirectionFamily::Coordinate => visit(self.row(k), 1.0),
            DirectionFamily::Hadamard { block } => {
                let row = self.row(k);
                let (start, size) = block_of(row, block as usize, self.spec.parameters());
                let scale = 1.0 / (size as f32).sqrt();
                (start..start + size).for_each(|i| {
                    visit(
                        i,
                        sylvester(row - start, i - start) * self.values[i] * scale,
                    );
                });
            }
            DirectionFamily::Rademacher => {
                let mut signs = self.rademacher_row(k);
                let scale = 1.0 / (self.spec.parameters() as f32).sqrt();
                (0..self.spec.parameters()).for_each(|i| visit(i, scale * signs.next()));
            }
            DirectionFamily::Sparse { .. } => {
                let (support, values) = self.support(k);
                support
                    .iter()
                    .zip(values)
                    .for_each(|(&i, &a)| visit(i as usize, a));
            }
        }
    }

    fn row(&self, k: usize) -> usize {
        self.chosen.get(k).map_or(k, |&row| row as usize)
    }

    fn support(&self, k: usize) -> (&[u32], &[f32]) {
        let nonzeros = self.chosen.len() / self.spec.count();
        let range = k * nonzeros..(k + 1) * nonzeros;
        (&self.chosen[range.clone()], &self.values[range])
    }

    /// Returns the signs of row `k`: a stream seeded by output `k + 1` of the seed's stream.
    fn rademacher_row(&self, k: usize) -> SignStream {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        SignStream::new(Stream::new(self.seed.wrapping_add(STEP.wrapping_mul(k as u64))).bits())
    }
}

#[cfg(all(test, not(target_family = "wasm")))] // proptest does not run in a browser
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn family() -> impl Strategy<Value = DirectionFamily> {
        prop_oneof![
            Just(DirectionFamily::Coordinate),
            (1u32..7).prop_map(|log| DirectionFamily::Hadamard { block: 1 << log }),
            Just(DirectionFamily::Rademacher),
            (1u32..5).prop_map(|nonzeros| DirectionFamily::Sparse { nonzeros }),
        ]
    }

    fn directions() -> impl Strategy<Value = Directions> {
        (family(), 1usize..150, any::<u64>(), 0.0f64..1.2).prop_map(|(family, d, seed, share)| {
            let fits = if let DirectionFamily::Sparse { nonzeros } = family {
                d / nonzeros as usize
            } else {
                d
            };
            let (d, fits) = if fits == 0 { (d * 5, d) } else { (d, fits) };
            let count = ((fits as f64 * share) as usize).clamp(1, fits);
            Directions::new(DirectionSpec::new(family, count, d).unwrap(), seed)
        })
    }

    fn vector(seed: u64, len: usize) -> Vec<f32> {
        let mut stream = Stream::new(seed);
        (0..len).map(|_| stream.unit() - 0.5).collect()
    }

    proptest! {
        #[test]
        fn fast_paths_match_definition(mut a in directions(), seed: u64) {
            let count = a.spec.count();
            let d = a.spec.parameters();
            let g = vector(seed, d);
            let mut y = vec![f32::NAN; count];
            a.project(&g, &mut y);
            let mut signs = SignBits::default();
            signs.copy_from(&y, seed);
            let entry = |nonzeros: usize| 1_000_000 + nonzeros as i32;
            let mut x = vec![7; d];
            a.accumulate(&signs, entry, &mut x);
            let s: Vec<f32> = signs.iter().collect();
            for k in 0..count {
                let expected: f32 = (0..d).map(|i| a.entry(k, i) * g[i]).sum();
                prop_assert!((y[k] - expected).abs() < 1e-5, "y[{}] is {}, expected {}", k, y[k], expected);
                let mut row = vec![0.0; d];
                a.add_row(k, 1.0, &mut row);
                prop_assert!((0..d).all(|i| (row[i] - a.entry(k, i)).abs() < 1e-6));
            }
            for i in 0..d {
                let integer = |k| {
                    let nonzeros = (0..d).filter(|&i| a.entry(k, i) != 0.0).count();
                    let sign = a.entry(k, i) * s[k];
                    if sign == 0.0 { 0 } else if sign > 0.0 { entry(nonzeros) } else { -entry(nonzeros) }
                };
                prop_assert_eq!(x[i], 7 + (0..count).map(integer).sum::<i32>(), "x[{}]", i);
            }
        }

        #[test]
        fn directions_are_orthonormal(a in directions()) {
            let count = a.spec.count();
            let d = a.spec.parameters();
            let exact = a.spec.family() != DirectionFamily::Rademacher;
            for k in 0..count {
                for l in 0..=k {
                    let dot: f32 = (0..d).map(|i| a.entry(k, i) * a.entry(l, i)).sum();
                    let expected = f32::from(k == l);
                    prop_assert!(!(exact || k == l) || (dot - expected).abs() < 1e-5, "a_{} . a_{} = {}", k, l, dot);
                }
            }
        }

        #[test]
        fn reseed_equals_new(mut a in directions(), seed: u64) {
            a.reseed(seed);
            let fresh = Directions::new(a.spec, seed);
            prop_assert_eq!(&a.chosen, &fresh.chosen);
            prop_assert_eq!(&a.values, &fresh.values);
        }
    }

    #[test]
    fn dense_rows_are_nearly_orthogonal() {
        let spec = DirectionSpec::new(DirectionFamily::Rademacher, 20, 10_000).unwrap();
        let mut a = Directions::new(spec, 3);
        for k in 0..20 {
            let mut row = vec![0.0; 10_000];
            let mut dots = vec![0.0; 20];
            a.add_row(k, 1.0, &mut row);
            a.project(&row, &mut dots);
            let mut off_diagonal = dots.iter().enumerate().filter(|(l, _)| *l != k);
            assert!(
                off_diagonal.all(|(_, dot)| dot.abs() < 0.05),
                "rows of seed 3 are not orthogonal to row {k}"
            );
        }
    }

    #[test]
    fn invalid_specs_are_rejected() {
        let new = |family, count| DirectionSpec::new(family, count, 100);
        assert!(matches!(
            new(DirectionFamily::Coordinate, 0),
            Err(DirectionError::Count { found: 0, .. })
        ));
        assert!(matches!(
            new(DirectionFamily::Coordinate, 101),
            Err(DirectionError::Count { .. })
        ));
        let block = DirectionFamily::Hadamard { block: 48 };
        assert_eq!(new(block, 10), Err(DirectionError::Block { found: 48 }));
        let sparse = DirectionFamily::Sparse { nonzeros: 11 };
        assert!(matches!(
            new(sparse, 10),
            Err(DirectionError::Nonzeros {
                found: 11,
                max: 10,
                ..
            })
        ));
        let dense = DirectionSpec::new(DirectionFamily::Rademacher, 20_000, 20_000);
        assert_eq!(dense, Err(DirectionError::Dense { found: 400_000_000 }));
    }
}
