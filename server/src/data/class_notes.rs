//! What an operator should know about the classes of a dataset, in sentences.

use farsign::dataset::Dataset;

/// Returns notes on classes without images, empty for a dataset without any.
pub(super) fn class_notes(train: &Dataset, held_out: &Dataset) -> Vec<String> {
    let mut notes = Vec::new();
    let trained = counts(train);
    let measured = counts(held_out);
    let classes = 0..train.classes();
    let untrained: Vec<usize> = classes
        .clone()
        .filter(|&class| trained[class] == 0)
        .collect();
    if !untrained.is_empty() {
        notes.push(format!(
            "The training labels run from {} to {}, so the model has {} classes, but there are no training images of \
             {}.",
            lowest(&trained),
            train.classes() - 1,
            train.classes(),
            class_list(&untrained),
        ));
    }
    let unmeasured: Vec<usize> = classes
        .filter(|&class| trained[class] > 0 && measured[class] == 0)
        .collect();
    if !unmeasured.is_empty() {
        notes.push(format!(
            "Accuracy leaves out {}: there are no held-out images of {}.",
            class_list(&unmeasured),
            if unmeasured.len() == 1 { "it" } else { "them" },
        ));
    }
    let unlearnable: usize = untrained.iter().map(|&class| measured[class]).sum();
    if unlearnable > 0 {
        notes.push(format!(
            "{unlearnable} of {} held-out images have a label without training images.",
            held_out.len()
        ));
    }
    if held_out.len() > train.len() {
        notes.push(format!(
            "There are more held-out images ({}) than training images ({}): are the files swapped?",
            held_out.len(),
            train.len()
        ));
    }
    notes
}

fn counts(data: &Dataset) -> [usize; 256] {
    let mut counts = [0; 256];
    for &label in data.labels() {
        counts[usize::from(label)] += 1;
    }
    counts
}

fn lowest(counts: &[usize; 256]) -> usize {
    counts.iter().position(|count| *count > 0).unwrap_or(0)
}

/// Writes rising classes as "class 0" or "classes 0, 2 and 4 to 7".
fn class_list(classes: &[usize]) -> String {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for &class in classes {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == class => *last = class,
            _ => ranges.push((class, class)),
        }
    }
    let texts: Vec<String> = ranges
        .iter()
        .map(|(first, last)| match last - first {
            0 => first.to_string(),
            1 => format!("{first}, {last}"),
            _ => format!("{first} to {last}"),
        })
        .collect();
    let plural = if classes.len() == 1 {
        "class"
    } else {
        "classes"
    };
    match texts.split_last() {
        Some((last, rest)) if !rest.is_empty() => {
            format!("{plural} {} and {last}", rest.join(", "))
        }
        _ => format!("{plural} {}", texts.concat()),
    }
}

#[cfg(test)]
mod tests {
    use farsign::dataset::DatasetParts;

    use super::*;

    fn labelled(labels: &[u8]) -> Dataset {
        Dataset::from_parts(DatasetParts {
            rows: 1,
            cols: 1,
            images: vec![1; labels.len()],
            labels: labels.to_vec(),
        })
        .unwrap()
    }

    #[test]
    fn ordinary_classes_need_no_notes() {
        let data = labelled(&[0, 1, 2, 2]);
        assert_eq!(class_notes(&data, &data), Vec::<String>::new());
    }

    #[test]
    fn labels_from_1_are_noted() {
        let labels: Vec<u8> = (1..=26).collect();
        let data = labelled(&labels);
        assert_eq!(
            class_notes(&data, &data),
            [
                "The training labels run from 1 to 26, so the model has 27 classes, but there are no training images \
                 of class 0."
            ]
        );
    }

    #[test]
    fn held_out_labels_are_noted() {
        let train = labelled(&[1, 4, 8, 8]);
        let held_out = train.map_labels(|label| if label == 8 { 0 } else { label });
        assert_eq!(
            class_notes(&train, &held_out),
            [
                "The training labels run from 1 to 8, so the model has 9 classes, but there are no training images of \
                 classes 0, 2, 3 and 5 to 7.",
                "Accuracy leaves out class 8: there are no held-out images of it.",
                "2 of 4 held-out images have a label without training images.",
            ]
        );
    }

    #[test]
    fn larger_held_out_set_is_noted() {
        let notes = class_notes(&labelled(&[0, 1]), &labelled(&[0, 1, 1]));
        assert_eq!(
            notes,
            ["There are more held-out images (3) than training images (2): are the files swapped?"]
        );
    }
}
