//! Recognition of drawings with the shared model, by the kernel that training uses.

use farsign::kernels::sparse::Kernel;
use farsign::minibatch::SparseRows;
use farsign::model::Architecture;
use farsign::wire::{ServerRecord, read_server_frame};
use wasm_bindgen::prelude::*;

use crate::preprocess;

/// A classifier with the parameters of a snapshot.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Classifier {
    kernel: Kernel,
    /// Number of parameters.
    d: usize,
    /// Width of the input.
    pixels: usize,
    /// Parameters, `[d]`; empty before the first snapshot.
    x: Vec<f32>,
    inputs: SparseRows,
}

#[wasm_bindgen]
impl Classifier {
    /// Creates a classifier with these layer widths, input first, and no parameters.
    ///
    /// # Errors
    /// Returns an error if the widths are not a valid model.
    #[wasm_bindgen(constructor)]
    pub fn new(layers: &[u32]) -> Result<Self, JsError> {
        crate::throw_panics();
        let architecture = Architecture::new(layers.iter().map(|&width| width as usize).collect())?;
        Ok(Self {
            kernel: Kernel::new(&architecture),
            d: architecture.parameters(),
            pixels: architecture.inputs(),
            x: Vec::new(),
            inputs: SparseRows::default(),
        })
    }

    /// Loads the parameters of a frame with a snapshot, and returns the snapshot's version.
    ///
    /// # Errors
    /// Returns an error if the frame has no snapshot of this model.
    #[wasm_bindgen(js_name = loadSnapshot)]
    pub fn load_snapshot(&mut self, frame: &[u8]) -> Result<f64, JsError> {
        let record = read_server_frame(frame)?.next().transpose()?;
        let Some(ServerRecord::Snapshot(snapshot)) = record else {
            return Err(JsError::new("expected a snapshot, found none"));
        };
        let expected = self.d;
        let found = snapshot.parameters();
        if expected != found {
            return Err(JsError::new(&format!(
                "expected {expected} parameters, found {found}"
            )));
        }
        let version = snapshot.version;
        if let Err(error) = snapshot.unpack(&mut self.x) {
            self.x.clear();
            return Err(error.into());
        }
        Ok(version as f64)
    }

    /// Returns the probability of each class for an image of grey values, `[pixels]`.
    ///
    /// `None` before the first snapshot, and if the image has another size.
    pub fn probabilities(&mut self, image: &[u8]) -> Option<Vec<f32>> {
        if self.x.is_empty() || image.len() != self.pixels {
            return None;
        }
        self.inputs.clear();
        let inked = image.iter().enumerate().filter(|(_, grey)| **grey > 0);
        inked.for_each(|(pixel, &grey)| self.inputs.push(pixel, f32::from(grey) / 255.0));
        self.inputs.end_row();
        Some(self.kernel.probabilities(&self.x, &self.inputs).to_vec())
    }
}

/// Returns a drawing, grey values in rows of `width`, as an MNIST-like image of 28 x 28; `None` if it is empty.
#[wasm_bindgen(js_name = normalizeDrawing)]
pub fn normalize_drawing(ink: &[u8], width: usize) -> Option<Vec<u8>> {
    preprocess::normalize(ink, width).map(|image| image.to_vec())
}
