//! A model as a safetensors file: named tensors, with the metadata that their use requires.
//!
//! ```text
//!   layers.0.weight    [inputs, outputs]    f32
//!   layers.0.bias      [outputs]            f32
//!   layers.1.weight    …
//! ```
//!
//! Weights are stored inputs first: a layer computes `h @ weight + bias`. Tools that store outputs first must
//! transpose them. docs/http-api.md documents the metadata.

use std::borrow::Cow;
use std::collections::BTreeMap;

use farsign::dataset::hexadecimal;
use farsign::model::Architecture;
use farsign::task::RunSettings;
use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, View};

use crate::evaluation::Point;

/// Version of the names of tensors and metadata. It increases when one of them changes its meaning.
const FORMAT_VERSION: u32 = 1;

/// Alignment of the tensors in a file, in bytes.
const ALIGNMENT: usize = 8;

/// Name and version of this program.
pub(super) const PROGRAM: &str = concat!("farsign ", env!("CARGO_PKG_VERSION"));

/// Conversion from a byte of an image to an input.
pub(super) const INPUT_SCALING: &str = "pixel / 255";

/// A model with its metadata.
#[derive(Clone, Copy, Debug)]
pub struct TrainedModel<'a> {
    /// The run.
    pub run: &'a RunSettings,
    /// Name of the data.
    pub data_name: &'a str,
    /// [Digest](farsign::dataset::Dataset::digest) of the files of the training data.
    pub train_sha256: [u8; 32],
    /// Number of the newest version.
    pub version: u64,
    /// Accepted updates in the model.
    pub accepted: u64,
    /// Accuracy of this or an earlier model of the run on the held-out images; `None` if unknown.
    pub held_out: Option<HeldOutAccuracy>,
    /// The parameters, `[d]`.
    pub x: &'a [f32],
}

/// A measured accuracy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeldOutAccuracy {
    /// Fraction of correctly classified held-out images, 0 to 1.
    pub accuracy: f32,
    /// Accepted updates in the measured model.
    pub at_accepted: u64,
}

impl From<Point> for HeldOutAccuracy {
    fn from(
        Point {
            accuracy, accepted, ..
        }: Point,
    ) -> Self {
        Self {
            accuracy,
            at_accepted: accepted,
        }
    }
}

/// An error of a file that is not a model of this program.
#[derive(Debug, thiserror::Error)]
pub enum InvalidModelFile {
    /// The file is not in this format.
    #[error("expected a safetensors file, found something else: {0}")]
    Format(#[from] SafeTensorError),
    /// The first layer is missing.
    #[error("expected a tensor named {expected}, found {found:?}")]
    #[allow(missing_docs)]
    Tensor {
        expected: &'static str,
        found: Vec<String>,
    },
}

/// Returns the activation of the hidden units; `"none"` without a hidden layer.
pub(super) fn activation(architecture: &Architecture) -> &'static str {
    if architecture.widths().len() > 2 {
        "relu"
    } else {
        "none"
    }
}

impl TrainedModel<'_> {
    /// Encodes the file. Equal models have equal files.
    pub fn to_safetensors(&self) -> Vec<u8> {
        // Fails only if a name occurs twice, or a shape does not match its values.
        let file =
            safetensors::serialize(self.tensors(), None).expect("layers tile the parameters");
        insert_metadata(&file, &self.metadata())
    }

    /// Returns the metadata of the file.
    pub fn metadata(&self) -> BTreeMap<&'static str, String> {
        let Self { run, held_out, .. } = self;
        let mut metadata = BTreeMap::from([
            ("format_version", FORMAT_VERSION.to_string()),
            ("program", PROGRAM.to_owned()),
            ("run_id", format!("{:016x}", run.run_id)),
            ("model", run.architecture.to_string()),
            ("activation", activation(&run.architecture).to_owned()),
            ("output", "softmax".to_owned()),
            ("weight_layout", "[inputs, outputs]".to_owned()),
            ("input_scaling", INPUT_SCALING.to_owned()),
            ("data", self.data_name.to_owned()),
            ("train_sha256", hexadecimal(self.train_sha256)),
            ("snapshot_version", self.version.to_string()),
            ("accepted", self.accepted.to_string()),
        ]);
        if let Some(HeldOutAccuracy {
            accuracy,
            at_accepted,
        }) = held_out
        {
            metadata.insert("held_out_accuracy", accuracy.to_string());
            metadata.insert("held_out_at_accepted", at_accepted.to_string());
        }
        metadata
    }

    /// Returns the default name of the file.
    pub fn file_name(&self) -> String {
        format!(
            "farsign-{:016x}-{}.safetensors",
            self.run.run_id, self.accepted
        )
    }

    fn tensors(&self) -> impl Iterator<Item = (String, Tensor<'_>)> {
        let layers = self.run.architecture.layers().into_iter().enumerate();
        layers.flat_map(|(index, layer)| {
            let weight = Tensor {
                shape: vec![layer.inputs, layer.outputs],
                values: &self.x[layer.weights],
            };
            let bias = Tensor {
                shape: vec![layer.outputs],
                values: &self.x[layer.biases],
            };
            [
                (format!("layers.{index}.weight"), weight),
                (format!("layers.{index}.bias"), bias),
            ]
        })
    }
}

/// Returns a file without metadata as one with metadata, in the order of the keys. The library takes the metadata from
/// a hash map, so its order would differ each time.
fn insert_metadata(file: &[u8], metadata: &BTreeMap<&'static str, String>) -> Vec<u8> {
    let (length, rest) = file
        .split_first_chunk()
        .expect("a file begins with a length");
    let (header, tensors) = rest.split_at(u64::from_le_bytes(*length) as usize);
    let mut extended = br#"{"__metadata__":"#.to_vec();
    serde_json::to_writer(&mut extended, metadata).expect("metadata is text");
    extended.push(b',');
    extended.extend(&header.trim_ascii_end()[1..]);
    extended.resize(extended.len().next_multiple_of(ALIGNMENT), b' ');
    let length = (extended.len() as u64).to_le_bytes();
    [&length[..], &extended, tensors].concat()
}

/// A slice of the parameters, in row-major order.
struct Tensor<'a> {
    shape: Vec<usize>,
    values: &'a [f32],
}

impl View for Tensor<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect()
    }

    fn data_len(&self) -> usize {
        size_of_val(self.values)
    }
}

/// Checks that a file is a model, and not for example the page of another server.
///
/// # Errors
/// Returns an error if the format differs or the tensors of a model are missing.
pub fn check(file: &[u8]) -> Result<(), InvalidModelFile> {
    const FIRST: &str = "layers.0.weight";
    let tensors = SafeTensors::deserialize(file)?;
    if tensors.names().contains(&FIRST) {
        return Ok(());
    }
    let found = tensors.names().into_iter().map(str::to_owned).collect();
    Err(InvalidModelFile::Tensor {
        expected: FIRST,
        found,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use farsign::direction::{DirectionFamily, DirectionSpec};
    use farsign::estimate::Order;

    fn run() -> RunSettings {
        let architecture = Architecture::new(vec![3, 2]).unwrap();
        let directions = DirectionSpec::new(DirectionFamily::Coordinate, 8, 8).unwrap();
        RunSettings {
            run_id: 7,
            architecture,
            order: Order::First,
            directions,
            batch: 1,
            beta: 1.0,
            task_timeout_ms: 1000,
            train_digest: [0; 32],
        }
    }

    const X: [f32; 8] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 0.5, -0.0];

    fn model(run: &RunSettings) -> TrainedModel<'_> {
        TrainedModel {
            run,
            data_name: "three pixels",
            train_sha256: [0; 32],
            version: 4,
            accepted: 5,
            held_out: None,
            x: &X,
        }
    }

    #[test]
    fn weights_are_stored_inputs_first() {
        let run = run();
        let file = model(&run).to_safetensors();
        let tensors = SafeTensors::deserialize(&file).unwrap();
        let bytes = |values: &[f32]| {
            values
                .iter()
                .flat_map(|v| v.to_le_bytes())
                .collect::<Vec<_>>()
        };
        let weight = tensors.tensor("layers.0.weight").unwrap();
        let bias = tensors.tensor("layers.0.bias").unwrap();
        assert_eq!(
            (weight.shape(), weight.data()),
            (&[3, 2][..], &bytes(&X[..6])[..])
        );
        assert_eq!((bias.shape(), bias.data()), (&[2][..], &bytes(&X[6..])[..]));
    }

    #[test]
    fn equal_models_have_equal_files() {
        let run = run();
        let first = TrainedModel {
            held_out: Some(HeldOutAccuracy {
                accuracy: 0.5,
                at_accepted: 5,
            }),
            data_name: "quotes \" and ümlauts",
            ..model(&run)
        };
        let file = first.to_safetensors();
        assert!((0..20).all(|_| first.to_safetensors() == file));
        let (header_bytes, header) = SafeTensors::read_metadata(&file).unwrap();
        assert_eq!(header_bytes % 8, 0, "tensors are aligned");
        let found: BTreeMap<_, _> = header.metadata().clone().unwrap().into_iter().collect();
        let expected = first.metadata().into_iter();
        assert_eq!(
            found,
            expected
                .map(|(key, value)| (key.to_owned(), value))
                .collect()
        );
    }

    #[test]
    fn invalid_model_file_is_an_error() {
        let run = run();
        check(&model(&run).to_safetensors()).unwrap();
        let error = check(b"<!doctype html>").unwrap_err().to_string();
        assert!(
            error.starts_with("expected a safetensors file, found something else"),
            "{error}"
        );
        let tensor = Tensor {
            shape: vec![1],
            values: &X[..1],
        };
        let other = safetensors::serialize([("wte", tensor)], None).unwrap();
        let error = check(&other).unwrap_err().to_string();
        assert_eq!(
            error,
            "expected a tensor named layers.0.weight, found [\"wte\"]"
        );
    }
}
