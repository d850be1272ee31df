//! JSON objects that several responses share.

use farsign::model::Architecture;
use serde::Serialize;

use crate::data::loader::TrainAndHeldOut;

/// The shape of the model.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Model {
    name: String,
    layers: Vec<usize>,
    parameters: usize,
}

impl From<&Architecture> for Model {
    fn from(architecture: &Architecture) -> Self {
        Self {
            name: architecture.to_string(),
            layers: architecture.widths().to_vec(),
            parameters: architecture.parameters(),
        }
    }
}

/// The size of the data, and what is unusual about it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Data {
    name: String,
    train_count: usize,
    held_out_count: usize,
    rows: usize,
    cols: usize,
    classes: usize,
    /// Sentences for the operator.
    notes: Vec<String>,
}

impl From<&TrainAndHeldOut> for Data {
    fn from(data: &TrainAndHeldOut) -> Self {
        Self {
            name: data.name.clone(),
            train_count: data.train.len(),
            held_out_count: data.held_out.len(),
            rows: data.train.rows(),
            cols: data.train.cols(),
            classes: data.train.classes(),
            notes: data.notes.clone(),
        }
    }
}
