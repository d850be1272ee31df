use super::*;
use crate::dataset::DatasetParts;
use crate::kernels::reference::Reference;
use crate::random::Stream;
use crate::simd::with_baseline_vectors;
use proptest::prelude::*;

/// Rounds parameters to eighths and pixels to quarters, so that the inputs of the second and third layer are exact
/// in any order of addition. Otherwise a unit close to 0 may be on for one kernel and off for the other.
fn coarse(unit: f32, parts: f32) -> f32 {
    (unit * parts).floor() / parts
}

/// A minibatch with a fraction `zeros` of zeros, some blank images, and labels below `classes`.
fn batch(stream: &mut Stream, size: usize, pixels: usize, classes: usize, zeros: f32) -> Minibatch {
    let mut batch = Minibatch::default();
    batch.inputs.clear();
    for _ in 0..size {
        let dark = stream.unit() < 0.1;
        for pixel in 0..pixels {
            let skip = stream.unit() < zeros;
            let value = coarse(stream.unit(), 4.0);
            if !(dark || skip || value == 0.0) {
                batch.inputs.push(pixel, value);
            }
        }
        batch.inputs.end_row();
        batch.labels.push(stream.below(classes as u64) as u8);
    }
    batch
}

fn close(a: f32, b: f32) -> bool {
    (a - b).abs() <= 1e-5 + 1e-4 * b.abs()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn sparse_kernel_matches_reference(
        inner in prop::collection::vec(1usize..70, 1..4), classes in 2usize..40,
        size in prop_oneof![1usize..20, 1000usize..1025], zeros in 0.0f32..1.0, seed: u64,
    ) {
        let mut widths = inner;
        widths.push(classes);
        let architecture = Architecture::new(widths.clone()).unwrap();
        let mut stream = Stream::new(seed);
        let x: Vec<f32> = (0..architecture.parameters()).map(|_| coarse(stream.unit(), 8.0) - 0.5).collect();
        let batch = batch(&mut stream, size, widths[0], classes, zeros);

        let mut found = vec![f32::NAN; x.len()];
        let mut expected = vec![f32::NAN; x.len()];
        let mut kernel = Kernel::new(&architecture);
        let mut reference = Reference::new(&architecture);
        let loss = reference.loss_and_gradient(&x, &batch, &mut expected);
        for _ in 0..2 { // twice: the buffers are reused
            prop_assert!(close(kernel.loss_and_gradient(&x, &batch, &mut found), loss));
            for k in 0..x.len() {
                prop_assert!(close(found[k], expected[k]), "derivative {}: {} and {}", k, found[k], expected[k]);
            }
        }
        prop_assert!(close(kernel.loss(&x, &batch), loss));
        // The loss is the mean of -ln of the probability of the label.
        let found = kernel.probabilities(&x, &batch.inputs).chunks_exact(classes);
        let mut mean = 0.0;
        for (row, &label) in found.zip(&batch.labels) {
            prop_assert!(close(row.iter().sum(), 1.0));
            mean -= crate::math::ln(row[usize::from(label)]) / size as f32;
        }
        prop_assert!(close(mean, loss), "{} and {}", mean, loss);
    }

    #[test]
    fn weighted_sums_add_in_list_order(
        width in 1usize..150, rows in 1usize..30, entries in 0usize..60, seed: u64,
    ) {
        let mut stream = Stream::new(seed);
        let matrix: Vec<f32> = (0..rows * width).map(|_| stream.unit() - 0.5).collect();
        let list: Vec<u32> = (0..entries).map(|_| stream.below(rows as u64) as u32).collect();
        let factors: Vec<f32> = list.iter().map(|_| stream.unit() - 0.5).collect();
        // Row r of the output sums all but the first r entries.
        let list_of = |row: usize| (&list[row.min(entries)..], &factors[row.min(entries)..]);
        let mut out = vec![f32::NAN; 3 * width];
        weighted_sums::<false>(list_of, &matrix, width, &mut Vec::new(), &mut out);
        for (o, found) in out.iter().enumerate() {
            let (list, factors) = list_of(o / width);
            let add = |sum: f32, (r, f): (&u32, &f32)| sum + f * matrix[*r as usize * width + o % width];
            let expected = list.iter().zip(factors).fold(0.0, add);
            prop_assert_eq!(found.to_bits(), expected.to_bits(), "output {}", o);
        }
    }

    #[test]
    fn baseline_vectors_compute_same_bits(
        inputs in 1usize..70, hidden in 1usize..150, classes in 2usize..12, seed: u64,
    ) {
        let architecture = Architecture::new(vec![inputs, hidden, classes]).unwrap();
        let mut stream = Stream::new(seed);
        let x: Vec<f32> = (0..architecture.parameters()).map(|_| stream.unit() - 0.5).collect();
        let batch = batch(&mut stream, 9, inputs, classes, 0.5);
        let bits = || {
            let mut gradient = vec![f32::NAN; x.len()];
            let loss = Kernel::new(&architecture).loss_and_gradient(&x, &batch, &mut gradient);
            gradient.push(loss);
            gradient.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        };
        prop_assert_eq!(with_baseline_vectors(bits), bits());
    }

    #[test]
    fn scatter_equals_transposed_sums(
        rows in 1usize..20, columns in 1usize..30, bright in 0u64..5, seed: u64,
    ) {
        let mut stream = Stream::new(seed);
        let mut h = SparseRows::default();
        let mut transposed = SparseRows::default();
        h.clear();
        for _ in 0..rows {
            let chosen: Vec<usize> = (0..columns).filter(|_| stream.below(5) < bright).collect();
            chosen.iter().for_each(|column| h.push(*column, stream.unit() - 0.5));
            h.end_row();
        }
        let matrix: Vec<f32> = (0..rows * TEN).map(|_| stream.unit() - 0.5).collect();
        let mut found = vec![f32::NAN; columns * TEN];
        let mut expected = vec![f32::NAN; columns * TEN];
        scatter::<TEN, false>(&h, &matrix, &mut found);
        h.transpose(columns, &mut transposed);
        weighted_sums::<false>(|column| transposed.row(column), &matrix, TEN, &mut Vec::new(), &mut expected);
        let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
        prop_assert_eq!(bits(found), bits(expected));
    }
}

#[test]
fn evaluation_counts_correct_across_chunks() {
    let count = EVALUATION_BATCH + 7;
    let labels: Vec<u8> = (0..count).map(|i| (i % 2) as u8).collect();
    let mut images: Vec<u8> = labels.iter().map(|l| l * 255).collect();
    images[3] = 0; // looks like label 0
    let data = Dataset::from_parts(DatasetParts {
        rows: 1,
        cols: 1,
        images,
        labels,
    })
    .unwrap();
    let architecture = Architecture::new(vec![1, 2]).unwrap();
    // Class 1 if the pixel is bright: logits (0, 8 v - 4).
    let evaluation = Kernel::new(&architecture).evaluate(&[0.0, 8.0, 0.0, -4.0], &data);
    assert_eq!(evaluation.accuracy, (count - 1) as f32 / count as f32);
    assert!(
        evaluation.loss > 0.0 && evaluation.loss < 0.1,
        "{evaluation:?}"
    );
}

/// Returns the images of a range.
fn part(whole: &Minibatch, range: std::ops::Range<usize>) -> Minibatch {
    let mut part = Minibatch::default();
    part.inputs.clear();
    for row in range {
        let (columns, values) = whole.inputs.row(row);
        let entries = columns.iter().zip(values);
        entries.for_each(|(&column, &value)| part.inputs.push(column as usize, value));
        part.inputs.end_row();
        part.labels.push(whole.labels[row]);
    }
    part
}

#[test]
fn parts_equal_whole_minibatch() {
    const IMAGES: usize = 50;
    let seed = 9;
    let mut stream = Stream::new(seed);
    for widths in [vec![30, 10], vec![12, 70, 3], vec![9, 66, 10]] {
        let architecture = Architecture::new(widths.clone()).unwrap();
        let x: Vec<f32> = (0..architecture.parameters())
            .map(|_| stream.unit() - 0.5)
            .collect();
        let whole = batch(
            &mut stream,
            IMAGES,
            widths[0],
            widths[widths.len() - 1],
            0.5,
        );
        let mut kernel = Kernel::new(&architecture);
        let mut expected = vec![f32::NAN; x.len()];
        let loss = kernel.loss_and_gradient(&x, &whole, &mut expected);
        for size in [1, 7, IMAGES - 1, IMAGES] {
            let mut found = vec![f32::NAN; x.len()];
            let mut sum = None;
            for start in (0..IMAGES).step_by(size) {
                let part = part(&whole, start..(start + size).min(IMAGES));
                kernel.add_part(&x, &part, IMAGES, &mut sum, &mut found);
            }
            let mean = sum.expect("a part") * (1.0 / IMAGES as f32);
            assert_eq!(mean.to_bits(), loss.to_bits(), "{widths:?} by {size}");
            let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert_eq!(
                bits(&found),
                bits(&expected),
                "seed {seed}, {widths:?} by {size}"
            );
        }
    }
}
