//! Reads drawings with the shared model, by the kernel that training uses.

use farsign::kernels::sparse::Kernel;
use farsign::minibatch::SparseRows;
use farsign::model::Architecture;
use farsign::wire::{ServerRecord, read_server_frame};
use wasm_bindgen::prelude::*;

use crate::drawing;

/// A model to read with.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Reader {
    kernel: Kernel,
    /// `d`, and the width of the input.
    sizes: (usize, usize),
    /// Parameters, `[d]`; empty before the first snapshot.
    x: Vec<f32>,
    inputs: SparseRows,
}

#[wasm_bindgen]
impl Reader {
    /// A model with these layer widths, input first, and no parameters yet.
    ///
    /// # Errors
    /// When there is no such model.
    #[wasm_bindgen(constructor)]
    pub fn new(layers: &[u32]) -> Result<Self, JsError> {
        let architecture = Architecture::new(layers.iter().map(|&width| width as usize).collect())?;
        Ok(Self {
            kernel: Kernel::new(&architecture),
            sizes: (architecture.parameters(), architecture.inputs()),
            x: Vec::new(),
            inputs: SparseRows::default(),
        })
    }

    /// Takes the parameters out of a frame with a snapshot; gives its version.
    ///
    /// # Errors
    /// When the frame has no snapshot of such a model.
    pub fn take(&mut self, frame: &[u8]) -> Result<f64, JsError> {
        let record = read_server_frame(frame)?.next().transpose()?;
        let Some(ServerRecord::Snapshot(snapshot)) = record else {
            return Err(JsError::new("expected a snapshot, found none"));
        };
        let (expected, found) = (self.sizes.0, snapshot.parameters());
        if expected != found {
            return Err(JsError::new(&format!("expected {expected} parameters, found {found}")));
        }
        let version = snapshot.version;
        if let Err(error) = snapshot.unpack(&mut self.x) {
            self.x.clear();
            return Err(error.into());
        }
        Ok(version as f64)
    }

    /// Probability of each class for an image of grey values, `[pixels]`; none before the first snapshot, and for an
    /// image of another size.
    pub fn probabilities(&mut self, image: &[u8]) -> Option<Vec<f32>> {
        if self.x.is_empty() || image.len() != self.sizes.1 {
            return None;
        }
        self.inputs.clear();
        let inked = image.iter().enumerate().filter(|(_, grey)| **grey > 0);
        inked.for_each(|(pixel, &grey)| self.inputs.push(pixel, f32::from(grey) / 255.0));
        self.inputs.end_row();
        Some(self.kernel.probabilities(&self.x, &self.inputs).to_vec())
    }
}

/// A drawing of grey values in rows of `width` as an image of 28 x 28 like MNIST's; none where nothing is drawn.
#[wasm_bindgen]
pub fn centred(ink: &[u8], width: usize) -> Option<Vec<u8>> {
    drawing::centred(ink, width).map(|image| image.to_vec())
}

/// Version of this code.
#[wasm_bindgen]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}
