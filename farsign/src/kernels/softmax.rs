//! Softmax, cross-entropy and predictions from logits.

use crate::math;

/// Returns the mean cross-entropy of the logits, `[batch, classes]`, and replaces them by its derivative.
pub(super) fn cross_entropy(logits: &mut [f32], labels: &[u8]) -> f32 {
    let scale = 1.0 / labels.len() as f32;
    add_cross_entropy(logits, labels, scale, 0.0) * scale
}

/// Returns `loss` plus the cross-entropies of the logits, `[part, classes]`, and replaces the logits by the derivative
/// of `scale` times that sum.
pub(super) fn add_cross_entropy(
    logits: &mut [f32],
    labels: &[u8],
    scale: f32,
    mut loss: f32,
) -> f32 {
    for (row, &label) in logits
        .chunks_exact_mut(logits.len() / labels.len())
        .zip(labels)
    {
        let highest = highest(row);
        let of_label = row[usize::from(label)] - highest;
        let sum = exponentials(row, highest);
        loss += math::ln(sum) - of_label;
        row.iter_mut().for_each(|e| *e = *e / sum * scale);
        row[usize::from(label)] -= scale;
    }
    loss
}

/// Replaces the logits of one image, `[classes]`, by probabilities.
pub(super) fn probabilities(row: &mut [f32]) {
    let highest = highest(row);
    let sum = exponentials(row, highest);
    row.iter_mut().for_each(|e| *e /= sum);
}

/// Returns the number of images whose most likely class is the label. The lowest of equally likely classes counts.
pub(super) fn count_correct(logits: &[f32], labels: &[u8]) -> usize {
    let likeliest = |row: &[f32]| {
        row.iter().enumerate().fold(
            0,
            |best, (class, &z)| if z > row[best] { class } else { best },
        )
    };
    let predicted = logits
        .chunks_exact(logits.len() / labels.len())
        .map(likeliest);
    predicted
        .zip(labels)
        .filter(|(class, label)| *class == usize::from(**label))
        .count()
}

fn highest(row: &[f32]) -> f32 {
    row.iter().fold(row[0], |a, &b| if b > a { b } else { a })
}

/// Replaces logits by their exponentials relative to `highest`, and returns the sum.
fn exponentials(row: &mut [f32], highest: f32) -> f32 {
    let mut sum = 0.0f32;
    for z in row.iter_mut() {
        *z = math::exp(*z - highest);
        sum += *z;
    }
    sum
}
