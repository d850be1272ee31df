//! Loss and gradient from sparse lists, with the same bits on every target.
//!
//! ```text
//!   forward    z_l[b] = 0 + sum over j of h[b][j] W_l[j]  + b_l         (rows of W_l, h[b][j] != 0)
//!   backward   dW_l[j] = 0 + sum over b of h[b][j] dz_l[b]              (rows of dz_l, h[b][j] != 0)
//!              dh[b]   = 0 + sum over c of dz_l[b][c] W_l'[c]           (rows of the transposed W_l)
//! ```
//!
//! All three are one operation, `weighted_sums`: a sum of matrix rows, each times a factor. The outputs are
//! independent, and each is one sum in the order of the list. Neither the number of lanes, nor the grouping of outputs,
//! nor the skipping of zeros can change a bit, so the code is plain arrays that compilers vectorise. There is no fused
//! multiply-add, and library functions come from `math` only.

use std::ops::Range;

use crate::dataset::Dataset;
use crate::kernels::Evaluation;
use crate::kernels::softmax::{add_cross_entropy, count_correct, cross_entropy, probabilities};
use crate::minibatch::{Minibatch, SparseRows};
use crate::model::{Architecture, Layer};
use crate::simd::dispatch;

/// Number of images per chunk of an evaluation.
const EVALUATION_BATCH: usize = 250;

/// A sparse kernel, with buffers that are reused for every minibatch.
#[derive(Debug)]
pub struct Kernel {
    layers: Vec<Layer>,
    /// Inputs of each layer but the first, `[batch, inputs]`, without zeros.
    hidden: Vec<SparseRows>,
    /// Outputs of the current layer, `[batch, outputs]`; after a loss, `dF/dz` of the last layer.
    z: Vec<f32>,
    /// `dF/dz` of the layer before the current one.
    before: Vec<f32>,
    /// Transposed inputs of the current layer.
    columns: SparseRows,
    /// Some columns of a matrix, in row order.
    packed: Vec<f32>,
    scratch: Scratch,
}

/// Buffers for the derivative with respect to a layer's inputs.
#[derive(Debug, Default)]
struct Scratch {
    /// Transposed weights, `[outputs, inputs]`.
    transposed: Vec<f32>,
    /// `0..outputs`.
    all: Vec<u32>,
    /// Derivative before that of zero inputs is removed, `[batch, inputs]`.
    dense: Vec<f32>,
}

impl Kernel {
    /// Creates a kernel for an architecture.
    pub fn new(architecture: &Architecture) -> Self {
        let layers = architecture.layers();
        let hidden = vec![SparseRows::default(); layers.len() - 1];
        Self {
            layers,
            hidden,
            z: Vec::new(),
            before: Vec::new(),
            columns: SparseRows::default(),
            packed: Vec::new(),
            scratch: Scratch::default(),
        }
    }

    /// Returns the mean cross-entropy of parameters `x`, `[d]`, on a minibatch.
    pub fn loss(&mut self, x: &[f32], batch: &Minibatch) -> f32 {
        self.forward(x, &batch.inputs);
        cross_entropy(&mut self.z, &batch.labels)
    }

    /// Returns the loss, and writes its gradient into `gradient`, `[d]`.
    pub fn loss_and_gradient(&mut self, x: &[f32], batch: &Minibatch, gradient: &mut [f32]) -> f32 {
        let loss = self.loss(x, batch);
        self.backward::<false>(x, &batch.inputs, gradient);
        loss
    }

    /// Adds a part of a minibatch of `images` to `sum`, the sum of the losses so far, and to the gradient of their mean.
    /// The first part, at a sum of `None`, overwrites `gradient`, `[d]`.
    ///
    /// Every sum is in the order of the images, so parts of any size lead to the same bits as the whole minibatch.
    pub fn add_part(
        &mut self,
        x: &[f32],
        part: &Minibatch,
        images: usize,
        sum: &mut Option<f32>,
        gradient: &mut [f32],
    ) {
        let scale = 1.0 / images as f32;
        self.forward(x, &part.inputs);
        let before = *sum;
        let loss = add_cross_entropy(&mut self.z, &part.labels, scale, before.unwrap_or(0.0));
        *sum = Some(loss);
        if before.is_none() {
            self.backward::<false>(x, &part.inputs, gradient);
        } else {
            self.backward::<true>(x, &part.inputs, gradient);
        }
    }

    /// Returns the probability of each class for each image, `[batch, classes]`: the softmax of the last layer.
    pub fn probabilities(&mut self, x: &[f32], inputs: &SparseRows) -> &[f32] {
        self.forward(x, inputs);
        let classes = self.layers.last().map_or(1, |layer| layer.outputs);
        self.z.chunks_exact_mut(classes).for_each(probabilities);
        &self.z
    }

    /// Returns accuracy and loss of parameters `x`, `[d]`, on a dataset.
    pub fn evaluate(&mut self, x: &[f32], data: &Dataset) -> Evaluation {
        let mut correct = 0usize;
        let mut loss = 0.0f64;
        let mut batch = Minibatch::default();
        for start in (0..data.len()).step_by(EVALUATION_BATCH) {
            let end = (start + EVALUATION_BATCH).min(data.len());
            batch.slice(data, start..end);
            self.forward(x, &batch.inputs);
            correct += count_correct(&self.z, &batch.labels);
            let mean = cross_entropy(&mut self.z, &batch.labels);
            loss += f64::from(mean) * (end - start) as f64;
        }
        let count = data.len() as f64;
        Evaluation {
            accuracy: (correct as f64 / count) as f32,
            loss: (loss / count) as f32,
        }
    }

    fn forward(&mut self, x: &[f32], inputs: &SparseRows) {
        for (l, layer) in self.layers.iter().enumerate() {
            let (so_far, from_here) = self.hidden.split_at_mut(l);
            let inputs = so_far.last().unwrap_or(inputs);
            let weights = &x[layer.weights.clone()];
            let biases = &x[layer.biases.clone()];
            self.z.resize(inputs.rows() * layer.outputs, 0.0);
            weighted_sums::<false>(
                |row| inputs.row(row),
                weights,
                layer.outputs,
                &mut self.packed,
                &mut self.z,
            );
            for z in self.z.chunks_exact_mut(layer.outputs) {
                z.iter_mut().zip(biases).for_each(|(z, b)| *z += b);
            }
            if let Some(next) = from_here.first_mut() {
                rectify(&self.z, layer.outputs, next);
            }
        }
    }

    /// Writes the gradient, or adds to it (`ADD`).
    fn backward<const ADD: bool>(&mut self, x: &[f32], inputs: &SparseRows, gradient: &mut [f32]) {
        for (l, layer) in self.layers.iter().enumerate().rev() {
            let inputs = if l == 0 { inputs } else { &self.hidden[l - 1] };
            let (dw, db) =
                gradient[layer.weights.start..layer.biases.end].split_at_mut(layer.weights.len());
            if layer.outputs == TEN {
                scatter::<TEN, ADD>(inputs, &self.z, dw);
            } else {
                inputs.transpose(layer.inputs, &mut self.columns);
                let list = |column| self.columns.row(column);
                weighted_sums::<ADD>(list, &self.z, layer.outputs, &mut self.packed, dw);
            }
            if !ADD {
                db.fill(0.0);
            }
            for dz in self.z.chunks_exact(layer.outputs) {
                db.iter_mut().zip(dz).for_each(|(db, dz)| *db += dz);
            }
            if l > 0 {
                let weights = &x[layer.weights.clone()];
                self.scratch.backpropagate(
                    &self.z,
                    weights,
                    layer,
                    inputs,
                    &mut self.packed,
                    &mut self.before,
                );
                std::mem::swap(&mut self.z, &mut self.before);
            }
        }
    }
}

impl Scratch {
    /// Computes `dF/dz` of the layer before `layer` into `before`, `[batch, inputs]`, from `dz` of `layer`. It is 0
    /// where the rectified inputs are.
    fn backpropagate(
        &mut self,
        dz: &[f32],
        weights: &[f32],
        layer: &Layer,
        inputs: &SparseRows,
        packed: &mut Vec<f32>,
        before: &mut Vec<f32>,
    ) {
        transpose(weights, layer, &mut self.transposed);
        self.all.clear();
        self.all.extend(0..layer.outputs as u32);
        self.dense.resize(inputs.rows() * layer.inputs, 0.0);
        let list = |row: usize| (&*self.all, &dz[row * layer.outputs..]);
        weighted_sums::<false>(
            list,
            &self.transposed,
            layer.inputs,
            packed,
            &mut self.dense,
        );
        before.clear();
        before.resize(self.dense.len(), 0.0);
        let rows = before
            .chunks_exact_mut(layer.inputs)
            .zip(self.dense.chunks_exact(layer.inputs));
        for (row, (before, dense)) in rows.enumerate() {
            inputs
                .row(row)
                .0
                .iter()
                .for_each(|&c| before[c as usize] = dense[c as usize]);
        }
    }
}

/// Number of classes of the built-in data, which has a code path that reads each list only once.
const TEN: usize = 10;

/// Number of columns that are summed together, limited by a processor's registers.
const WIDE: usize = if cfg!(target_family = "wasm") { 32 } else { 64 };

/// Computes `out[r] <- sum over i of factors[i] * matrix[rows[i]]` for each row `r` of `out`, or continues the sums that
/// are in `out` (`ADD`).
///
/// `(rows, factors)` is the list of `r`. Rows of `out` and of `matrix` have `width` columns.
fn weighted_sums<'a, const ADD: bool>(
    list: impl Fn(usize) -> (&'a [u32], &'a [f32]),
    matrix: &[f32],
    width: usize,
    packed: &mut Vec<f32>,
    out: &mut [f32],
) {
    dispatch(
        #[inline(always)]
        move || {
            if width == TEN {
                sums::<TEN, ADD>(&list, matrix.as_chunks().0, 0..TEN, width, out);
                return;
            }
            let mut done = blocks::<WIDE, ADD>(&list, matrix, width, 0, packed, out);
            done = blocks::<8, ADD>(&list, matrix, width, done, packed, out);
            done = blocks::<2, ADD>(&list, matrix, width, done, packed, out);
            blocks::<1, ADD>(&list, matrix, width, done, packed, out);
        },
    );
}

/// Computes `out[c] <- sum over r of h[r][c] * matrix[r]`; rows of `out` and of `matrix` have `N` columns.
///
/// [`weighted_sums`] of the transposed list computes the same, but few columns do not justify the transposition. Each
/// output is one sum in the order of the rows.
fn scatter<const N: usize, const ADD: bool>(h: &SparseRows, matrix: &[f32], out: &mut [f32]) {
    if !ADD {
        out.fill(0.0);
    }
    dispatch(
        #[inline(always)]
        move || scatter_lanes::<N>(h, matrix, out),
    );
}

#[inline(always)]
fn scatter_lanes<const N: usize>(h: &SparseRows, matrix: &[f32], out: &mut [f32]) {
    let (out, _) = out.as_chunks_mut::<N>();
    let (matrix, _) = matrix.as_chunks::<N>();
    for (row, values) in matrix.iter().enumerate() {
        let (columns, factors) = h.row(row);
        for (&column, &factor) in columns.iter().zip(factors) {
            let sums = &mut out[column as usize];
            for lane in 0..N {
                sums[lane] += factor * values[lane];
            }
        }
    }
}

/// Computes as many blocks of `N` columns as fit from column `start` on, and returns their end.
///
/// The columns of a block are packed first: unpacked, they would map to the same few sets of the first-level cache.
#[inline(always)]
fn blocks<'a, const N: usize, const ADD: bool>(
    list: &impl Fn(usize) -> (&'a [u32], &'a [f32]),
    matrix: &[f32],
    width: usize,
    mut start: usize,
    packed: &mut Vec<f32>,
    out: &mut [f32],
) -> usize {
    while start + N <= width {
        let columns = start..start + N;
        packed.clear();
        matrix
            .chunks_exact(width)
            .for_each(|row| packed.extend_from_slice(&row[columns.clone()]));
        sums::<N, ADD>(list, packed.as_chunks().0, columns, width, out);
        start += N;
    }
    start
}

/// Computes `columns` of `out` from those columns of the matrix, `[rows][N]`.
#[inline(always)]
fn sums<'a, const N: usize, const ADD: bool>(
    list: &impl Fn(usize) -> (&'a [u32], &'a [f32]),
    matrix: &[[f32; N]],
    columns: Range<usize>,
    width: usize,
    out: &mut [f32],
) {
    for (row, out) in out.chunks_exact_mut(width).enumerate() {
        let (rows, factors) = list(row);
        let mut sums = [0.0f32; N];
        if ADD {
            sums.copy_from_slice(&out[columns.clone()]);
        }
        for (&row, &factor) in rows.iter().zip(factors) {
            let values = &matrix[row as usize];
            for lane in 0..N {
                sums[lane] += factor * values[lane];
            }
        }
        out[columns.clone()].copy_from_slice(&sums);
    }
}

/// Computes `h = max(z, 0)` of rows of `width` columns, without zeros.
fn rectify(z: &[f32], width: usize, h: &mut SparseRows) {
    h.clear();
    z.chunks_exact(width)
        .for_each(|row| h.push_positive_row(row));
}

/// Transposes weights from `[inputs, outputs]` to `[outputs, inputs]`.
fn transpose(weights: &[f32], layer: &Layer, out: &mut Vec<f32>) {
    out.resize(weights.len(), 0.0);
    for (input, row) in weights.chunks_exact(layer.outputs).enumerate() {
        row.iter()
            .enumerate()
            .for_each(|(output, &w)| out[output * layer.inputs + input] = w);
    }
}

#[cfg(all(test, feature = "reference", not(target_family = "wasm")))]
mod tests;
