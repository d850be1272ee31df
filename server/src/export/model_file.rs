//! A model as a safetensors file: named tensors, and in its metadata all that is needed to use them.
//!
//! ```text
//!   layers.0.weight    [inputs, outputs]    f32
//!   layers.0.bias      [outputs]            f32
//!   layers.1.weight    …
//! ```
//!
//! Weights lie as the parameters have them, inputs first: a layer computes `h @ weight + bias`. Tools that keep the
//! outputs first have to transpose them. docs/protocol.md lists the metadata.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use farsign::dataset::hexadecimal;
use farsign::model::Architecture;
use farsign::task::RunSettings;
use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, View};
use sha2::{Digest, Sha256};

use crate::evaluation::Point;

/// Version of the names of tensors and metadata; rises when one of them changes its meaning.
const FORMAT_VERSION: u32 = 1;

/// The program that writes the file.
pub(super) const PROGRAM: &str = concat!("farsign ", env!("CARGO_PKG_VERSION"));

/// How a byte of an image becomes an input.
pub(super) const INPUT_SCALING: &str = "pixel / 255";

/// A model, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct TrainedModel<'a> {
    /// The run that it is of.
    pub run: &'a RunSettings,
    /// What the page calls the data.
    pub data_name: &'a str,
    /// Version of its snapshot.
    pub version: u64,
    /// Accepted contributions in it.
    pub accepted: u64,
    /// How well it, or an earlier model of the run, reads images that nobody trains on; none: not known.
    pub held_out: Option<HeldOutAccuracy>,
    /// The parameters, `[d]`.
    pub x: &'a [f32],
}

/// A measured accuracy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeldOutAccuracy {
    /// Share of the held-out images classified right, 0 to 1.
    pub accuracy: f32,
    /// Accepted contributions in the model that was measured.
    pub at_accepted: u64,
}

impl From<Point> for HeldOutAccuracy {
    fn from(Point { accuracy, accepted, .. }: Point) -> Self {
        Self { accuracy, at_accepted: accepted }
    }
}

/// Why bytes are no model of ours.
#[derive(Debug, thiserror::Error)]
pub enum NoModelFile {
    /// They are not in this format.
    #[error("expected a safetensors file, found something else: {0}")]
    Format(#[from] SafeTensorError),
    /// The first layer is not there.
    #[error("expected a tensor named {expected}, found {found:?}")]
    Tensor {
        /// Its name.
        expected: &'static str,
        /// The names that are there.
        found: Vec<String>,
    },
}

/// What the hidden units do; none where there are none.
pub(super) fn activation(architecture: &Architecture) -> &'static str {
    if architecture.widths().len() > 2 { "relu" } else { "none" }
}

impl TrainedModel<'_> {
    /// The file.
    pub fn to_safetensors(&self) -> Vec<u8> {
        let metadata: HashMap<String, String> =
            self.metadata().into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        // It fails where a name comes twice, or a shape and its numbers do not fit.
        safetensors::serialize(self.tensors(), Some(metadata)).expect("layers tile the parameters")
    }

    /// What the file says of the model.
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
            ("train_sha256", hexadecimal(run.train_digest)),
            ("snapshot_version", self.version.to_string()),
            ("accepted", self.accepted.to_string()),
        ]);
        if let Some(HeldOutAccuracy { accuracy, at_accepted }) = held_out {
            metadata.insert("held_out_accuracy", accuracy.to_string());
            metadata.insert("held_out_at_accepted", at_accepted.to_string());
        }
        metadata
    }

    /// Differs whenever the file does: the run and the version, which are in the metadata, say what the parameters are.
    pub(super) fn tag(&self) -> String {
        let mut hash = Sha256::new();
        for (key, value) in self.metadata() {
            hash.update(format!("{key}={value}\n"));
        }
        hexadecimal(hash.finalize().into())
    }

    /// What the file is called if nobody says otherwise.
    pub fn file_name(&self) -> String {
        format!("farsign-{:016x}-{}.safetensors", self.run.run_id, self.accepted)
    }

    fn tensors(&self) -> impl Iterator<Item = (String, Tensor<'_>)> {
        let layers = self.run.architecture.layers().into_iter().enumerate();
        layers.flat_map(|(index, layer)| {
            let weight = Tensor { shape: vec![layer.inputs, layer.outputs], values: &self.x[layer.weights] };
            let bias = Tensor { shape: vec![layer.outputs], values: &self.x[layer.biases] };
            [(format!("layers.{index}.weight"), weight), (format!("layers.{index}.bias"), bias)]
        })
    }
}

/// Part of the parameters, row after row.
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
        self.values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    fn data_len(&self) -> usize {
        size_of_val(self.values)
    }
}

/// Refuses what is no file of this kind, such as another server's page.
///
/// # Errors
/// When it is another format, or has not the tensors of a model.
pub fn check(file: &[u8]) -> Result<(), NoModelFile> {
    const FIRST: &str = "layers.0.weight";
    let tensors = SafeTensors::deserialize(file)?;
    if tensors.names().contains(&FIRST) {
        return Ok(());
    }
    let found = tensors.names().into_iter().map(str::to_owned).collect();
    Err(NoModelFile::Tensor { expected: FIRST, found })
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
            task_expiry_ms: 1000,
            train_digest: [0; 32],
        }
    }

    const X: [f32; 8] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 0.5, -0.0];

    fn model(run: &RunSettings) -> TrainedModel<'_> {
        TrainedModel { run, data_name: "three pixels", version: 4, accepted: 5, held_out: None, x: &X }
    }

    #[test]
    fn weights_keep_their_inputs_first_and_the_zero_its_sign() {
        let run = run();
        let file = model(&run).to_safetensors();
        let tensors = SafeTensors::deserialize(&file).unwrap();
        let bytes = |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>();
        let (weight, bias) =
            (tensors.tensor("layers.0.weight").unwrap(), tensors.tensor("layers.0.bias").unwrap());
        assert_eq!((weight.shape(), weight.data()), (&[3, 2][..], &bytes(&X[..6])[..]));
        assert_eq!((bias.shape(), bias.data()), (&[2][..], &bytes(&X[6..])[..]));
    }

    #[test]
    fn whatever_changes_in_the_file_changes_its_tag() {
        let run = run();
        let first = model(&run);
        let held_out = |at_accepted| Some(HeldOutAccuracy { accuracy: 0.5, at_accepted });
        let other = RunSettings { run_id: 8, ..run.clone() };
        let all = [
            first,
            TrainedModel { version: 5, ..first },
            TrainedModel { held_out: held_out(4), ..first },
            TrainedModel { held_out: held_out(5), ..first },
            TrainedModel { run: &other, ..first },
        ];
        let mut tags: Vec<String> = all.iter().map(TrainedModel::tag).collect();
        assert_eq!(model(&run).tag(), tags[0]);
        tags.sort();
        tags.dedup();
        assert_eq!(tags.len(), all.len());
    }

    #[test]
    fn what_is_no_model_of_ours_is_named() {
        let run = run();
        check(&model(&run).to_safetensors()).unwrap();
        let said = check(b"<!doctype html>").unwrap_err().to_string();
        assert!(said.starts_with("expected a safetensors file, found something else"), "{said}");
        let tensor = Tensor { shape: vec![1], values: &X[..1] };
        let other = safetensors::serialize([("wte", tensor)], None).unwrap();
        let said = check(&other).unwrap_err().to_string();
        assert_eq!(said, "expected a tensor named layers.0.weight, found [\"wte\"]");
    }
}
