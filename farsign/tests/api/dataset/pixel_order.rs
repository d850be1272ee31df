//! Images that files store column by column.

use farsign::dataset::PixelOrder;

use super::*;

#[test]
fn columns_are_read_upright() {
    // The digits of each pixel are its row and column.
    let stored = Dataset::from_parts(DatasetParts {
        rows: 2,
        cols: 3,
        images: vec![0, 10, 1, 11, 2, 12, 100, 110, 101, 111, 102, 112],
        labels: vec![0, 1],
    })
    .unwrap();
    let upright = stored.clone().stored_by(PixelOrder::Columns);
    assert_eq!(upright.image(0), [0, 1, 2, 10, 11, 12]);
    assert_eq!(upright.image(1), [100, 101, 102, 110, 111, 112]);
    assert_eq!((upright.rows(), upright.cols()), (2, 3));
    assert_eq!(upright.labels(), stored.labels());
    assert_eq!(stored.clone().stored_by(PixelOrder::Rows), stored);
}

proptest! {
    /// Compared with a copy of pixel after pixel. The digest is that of the upright images.
    #[test]
    fn order_matches_naive_copy(parts in any_parts()) {
        let DatasetParts { rows, cols, images, labels } = parts.clone();
        let mut expected = vec![0; images.len()];
        for image in 0..labels.len() {
            for row in 0..rows {
                for col in 0..cols {
                    expected[(image * rows + row) * cols + col] = images[(image * cols + col) * rows + row];
                }
            }
        }
        let expected = Dataset::from_parts(DatasetParts { images: expected, ..parts.clone() }).unwrap();
        let stored = Dataset::from_parts(parts).unwrap();
        let upright = stored.clone().stored_by(PixelOrder::Columns);
        prop_assert_eq!(&upright, &expected);
        prop_assert_eq!(upright.digest(), expected.digest());
        prop_assert_eq!(stored.indexed().stored_by(PixelOrder::Columns), expected.indexed());
    }
}
