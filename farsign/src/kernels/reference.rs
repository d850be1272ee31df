//! Loss and gradient in ndarray: dense layers in order, forward then backward.
//!
//! ```text
//!   forward    h_0 = inputs,  z_l = h_(l-1) W_l + b_l,  h_l = max(z_l, 0),  p = softmax(z_L)
//!   loss       F = mean over the batch of -ln p[label]
//!   backward   dz_L = (p - onehot(label)) / batch,  dW_l = h_(l-1)' dz_l,  db_l = sum dz_l,
//!              dz_(l-1) = (dz_l W_l') where h_(l-1) > 0
//! ```

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2, Axis, Zip};

use crate::math;
use crate::minibatch::{Minibatch, SparseRows};
use crate::model::{Architecture, Layer};

/// A dense kernel, with buffers that are reused for minibatches of the same size.
#[derive(Debug)]
pub struct Reference {
    layers: Vec<Layer>,
    /// Inputs of the first layer, `[batch, inputs]`.
    inputs: Array2<f32>,
    /// Output of each layer, `[batch, outputs]`; after a loss, the last holds `dF/dz_L`.
    outputs: Vec<Array2<f32>>,
    /// `dF/dz` of each layer but the last, `[batch, outputs]`.
    deltas: Vec<Array2<f32>>,
}

impl Reference {
    /// Creates a kernel for an architecture.
    pub fn new(architecture: &Architecture) -> Self {
        let layers = architecture.layers();
        let empty = vec![Array2::zeros((0, 0)); layers.len()];
        Self {
            inputs: Array2::zeros((0, 0)),
            outputs: empty.clone(),
            deltas: empty,
            layers,
        }
    }

    /// Returns the mean cross-entropy of parameters `x`, `[d]`, on a minibatch.
    pub fn loss(&mut self, x: &[f32], batch: &Minibatch) -> f32 {
        self.forward(x, &batch.inputs);
        let logits = self.outputs.last_mut().expect("an architecture has layers");
        softmax_cross_entropy(logits.view_mut(), &batch.labels)
    }

    /// Returns the loss, and writes its gradient into `gradient`, `[d]`.
    pub fn loss_and_gradient(&mut self, x: &[f32], batch: &Minibatch, gradient: &mut [f32]) -> f32 {
        let loss = self.loss(x, batch);
        self.backward(x, batch, gradient);
        loss
    }

    fn forward(&mut self, x: &[f32], inputs: &SparseRows) {
        let batch = inputs.rows();
        densify(inputs, self.layers[0].inputs, &mut self.inputs);
        for (l, layer) in self.layers.iter().enumerate() {
            let (before, from_here) = self.outputs.split_at_mut(l);
            let out = &mut from_here[0];
            resize(out, batch, layer.outputs);
            let h = before.last().unwrap_or(&self.inputs);
            out.assign(&biases(layer, x));
            general_mat_mul(1.0, h, &weights(layer, x), 1.0, out);
            if l + 1 < self.layers.len() {
                out.mapv_inplace(|z| if z > 0.0 { z } else { 0.0 });
            }
        }
    }

    fn backward(&mut self, x: &[f32], batch: &Minibatch, gradient: &mut [f32]) {
        let last = self.layers.len() - 1;
        std::mem::swap(&mut self.deltas[last], &mut self.outputs[last]);
        for (l, layer) in self.layers.iter().enumerate().rev() {
            let (earlier, from_here) = self.deltas.split_at_mut(l);
            let delta = &from_here[0];
            let h = if l == 0 {
                &self.inputs
            } else {
                &self.outputs[l - 1]
            };
            let (mut dw, mut db) = split_gradient(layer, gradient);
            general_mat_mul(1.0, &h.t(), delta, 0.0, &mut dw);
            db.assign(&delta.sum_axis(Axis(0)));
            if let Some(before) = earlier.last_mut() {
                resize(before, batch.labels.len(), layer.inputs);
                general_mat_mul(1.0, delta, &weights(layer, x).t(), 0.0, before);
                Zip::from(before)
                    .and(h)
                    .for_each(|d, &h| *d = if h > 0.0 { *d } else { 0.0 });
            }
        }
        std::mem::swap(&mut self.deltas[last], &mut self.outputs[last]);
    }
}

fn densify(rows: &SparseRows, width: usize, out: &mut Array2<f32>) {
    resize(out, rows.rows(), width);
    out.fill(0.0);
    for (r, mut dense) in out.rows_mut().into_iter().enumerate() {
        let (columns, values) = rows.row(r);
        columns
            .iter()
            .zip(values)
            .for_each(|(&c, &v)| dense[c as usize] = v);
    }
}

fn resize(buffer: &mut Array2<f32>, rows: usize, columns: usize) {
    if buffer.dim() != (rows, columns) {
        *buffer = Array2::zeros((rows, columns));
    }
}

fn weights<'a>(layer: &Layer, x: &'a [f32]) -> ArrayView2<'a, f32> {
    ArrayView2::from_shape((layer.inputs, layer.outputs), &x[layer.weights.clone()])
        .expect("a layer's range has the layer's shape")
}

fn biases<'a>(layer: &Layer, x: &'a [f32]) -> ArrayView1<'a, f32> {
    ArrayView1::from(&x[layer.biases.clone()])
}

fn split_gradient<'a>(
    layer: &Layer,
    gradient: &'a mut [f32],
) -> (ArrayViewMut2<'a, f32>, ArrayViewMut1<'a, f32>) {
    let here = &mut gradient[layer.weights.start..layer.biases.end];
    let (dw, db) = here.split_at_mut(layer.weights.len());
    let dw = ArrayViewMut2::from_shape((layer.inputs, layer.outputs), dw);
    (
        dw.expect("a layer's range has the layer's shape"),
        ArrayViewMut1::from(db),
    )
}

/// Returns the mean cross-entropy of the logits, `[batch, classes]`, and replaces them by its derivative.
fn softmax_cross_entropy(mut logits: ArrayViewMut2<'_, f32>, labels: &[u8]) -> f32 {
    let scale = 1.0 / labels.len() as f32;
    let mut loss = 0.0f32;
    for (mut row, &label) in logits.rows_mut().into_iter().zip(labels) {
        let highest = row
            .iter()
            .fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a });
        loss -= row[usize::from(label)] - highest;
        row.mapv_inplace(|z| math::exp(z - highest));
        let sum = row.sum();
        loss += math::ln(sum);
        row.mapv_inplace(|e| e / sum * scale);
        row[usize::from(label)] -= scale;
    }
    loss * scale
}

#[cfg(all(test, not(target_family = "wasm")))] // proptest does not run in a browser
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn batch(values: &[f32], labels: &[u8], pixels: usize) -> Minibatch {
        let mut inputs = SparseRows::default();
        inputs.clear();
        for row in values.chunks_exact(pixels) {
            row.iter().enumerate().for_each(|(c, &v)| inputs.push(c, v));
            inputs.end_row();
        }
        let mut batch = Minibatch::default();
        (batch.inputs, batch.labels) = (inputs, labels.to_vec());
        batch
    }

    /// The loss by definition in f64, independent of the kernel; and the smallest distance of a hidden unit's input
    /// from 0, where the loss is not differentiable.
    #[expect(
        clippy::disallowed_methods,
        reason = "compared with a tolerance, and deliberately independent of `math`"
    )]
    fn loss_by_definition(widths: &[usize], x: &[f32], batch: &Minibatch) -> (f64, f64) {
        let mut total = 0.0;
        let mut nearest = f64::INFINITY;
        for (row, &label) in batch.labels.iter().enumerate() {
            let (columns, values) = batch.inputs.row(row);
            let mut h = vec![0.0; widths[0]];
            columns
                .iter()
                .zip(values)
                .for_each(|(&c, &v)| h[c as usize] = f64::from(v));
            let mut start = 0;
            for (l, w) in widths.windows(2).enumerate() {
                let weights = &x[start..start + w[0] * w[1]];
                let biases = start + w[0] * w[1];
                let z = |o: usize| {
                    let dot: f64 = (0..w[0])
                        .map(|i| h[i] * f64::from(weights[i * w[1] + o]))
                        .sum();
                    dot + f64::from(x[biases + o])
                };
                let rectify = l + 2 < widths.len();
                h = (0..w[1]).map(z).collect();
                if rectify {
                    nearest = h.iter().fold(nearest, |nearest, z| nearest.min(z.abs()));
                    h.iter_mut().for_each(|z| *z = z.max(0.0));
                }
                start = biases + w[1];
            }
            total += h.iter().map(|z| z.exp()).sum::<f64>().ln() - h[usize::from(label)];
        }
        (total / batch.labels.len() as f64, nearest)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn loss_and_gradient_match_definitions(
            inner in prop::collection::vec(1usize..7, 1..4), classes in 2usize..5,
            size in 1usize..6, seed: u64,
        ) {
            let mut widths = inner;
            widths.push(classes);
            let mut stream = crate::random::Stream::new(seed);
            let architecture = Architecture::new(widths.clone()).unwrap();
            let x: Vec<f32> = (0..architecture.parameters()).map(|_| stream.unit() - 0.5).collect();
            let values: Vec<f32> = (0..size * widths[0]).map(|_| stream.unit()).collect();
            let labels: Vec<u8> = (0..size).map(|_| stream.below(classes as u64) as u8).collect();
            let batch = batch(&values, &labels, widths[0]);

            let mut gradient = vec![f32::NAN; x.len()];
            let mut kernel = Reference::new(&architecture);
            let loss = kernel.loss_and_gradient(&x, &batch, &mut gradient);
            let (expected, nearest) = loss_by_definition(&widths, &x, &batch);
            prop_assert!((f64::from(loss) - expected).abs() < 1e-5);
            prop_assert_eq!(kernel.loss(&x, &batch), loss, "loss alone differs from loss with gradient");
            // Inputs of units move by less than this below.
            prop_assume!(nearest > 1e-3);
            for k in 0..x.len() {
                let at = |by: f32| {
                    let mut x = x.clone();
                    x[k] += by;
                    (f64::from(x[k]), loss_by_definition(&widths, &x, &batch).0)
                };
                let left = at(-1e-4);
                let right = at(1e-4);
                let slope = (right.1 - left.1) / (right.0 - left.0);
                let found = f64::from(gradient[k]);
                prop_assert!((found - slope).abs() < 1e-5, "derivative {} is {}, expected {}", k, found, slope);
            }
        }
    }
}
