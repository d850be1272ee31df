//! Recognition of drawings with the shared model, by the kernel that training uses.

use farsign::kernels::sparse::Kernel;
use farsign::minibatch::SparseRows;
use farsign::model::Architecture;
use farsign::version::Version;
use farsign::wire::{ServerRecord, read_server_frame};
use wasm_bindgen::prelude::*;

use crate::preprocess;

/// A classifier with the parameters of a version.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Classifier {
    kernel: Kernel,
    /// Number of parameters.
    d: usize,
    /// Width of the input.
    pixels: usize,
    /// Parameters, `[d]`; empty before the first version.
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

    /// Loads the parameters of a frame with a whole version, and returns its number.
    ///
    /// # Errors
    /// Returns an error if the frame has no whole version of this model.
    #[wasm_bindgen(js_name = loadVersion)]
    pub fn load_version(&mut self, frame: &[u8]) -> Result<f64, JsError> {
        let record = read_server_frame(frame)?.next().transpose()?;
        let Some(ServerRecord::Version(body)) = record.filter(is_whole) else {
            return Err(JsError::new("expected a whole version, found none"));
        };
        let expected = self.d;
        let found = body.parameters as usize;
        if expected != found {
            return Err(JsError::new(&format!(
                "expected {expected} parameters, found {found}"
            )));
        }
        let version =
            Version::from_differences(None, body.number, body.grid, body.differences, self.d)?;
        version.copy_parameters(&mut self.x);
        Ok(version.number() as f64)
    }

    /// Returns the probability of each class for an image of grey values, `[pixels]`.
    ///
    /// `None` before the first version, and if the image has another size.
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

fn is_whole(record: &ServerRecord<'_>) -> bool {
    matches!(record, ServerRecord::Version(body) if body.base.is_none())
}

/// Returns a drawing, grey values in rows of `width`, as an MNIST-like image of 28 x 28; `None` if it is empty.
#[wasm_bindgen(js_name = normalizeDrawing)]
pub fn normalize_drawing(ink: &[u8], width: usize) -> Option<Vec<u8>> {
    preprocess::normalize(ink, width).map(|image| image.to_vec())
}
