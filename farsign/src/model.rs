//! Model architectures and the flat parameter vector.
//!
//! A model is a chain of dense layers with ReLU between them and softmax with cross-entropy at the end. Without a
//! hidden layer it is softmax regression. Its parameters are one vector `x` in `R^d`: for each layer the weights
//! `[inputs, outputs]` in row order, then the biases `[outputs]`.

use std::fmt;
use std::ops::Range;

use crate::random::Stream;

/// A model architecture, as layer widths with the input first: `[784, 10]` is softmax regression, `[784, 128, 10]` an
/// MLP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Architecture {
    widths: Vec<usize>,
}

/// The shape of a dense layer and its position in the flat parameter vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Input width.
    pub inputs: usize,
    /// Output width.
    pub outputs: usize,
    /// Range of the weights, `[inputs, outputs]` in row order.
    pub weights: Range<usize>,
    /// Range of the biases, `[outputs]`.
    pub biases: Range<usize>,
}

/// An error in a list of layer widths.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum ArchitectureError {
    /// Fewer than two or more than [`Architecture::MAX_WIDTHS`] widths.
    #[error("expected 2 to {max} layer widths (input first, classes last), found {found}", max = Architecture::MAX_WIDTHS)]
    Depth { found: usize },
    /// A width of zero or above [`Architecture::MAX_WIDTH`].
    #[error("expected layer widths of 1 to {max}, found {found}", max = Architecture::MAX_WIDTH)]
    Width { found: usize },
    /// A last width, the number of classes, outside 2 to 256.
    #[error("expected 2 to 256 classes as the last width, found {found}")]
    Classes { found: usize },
    /// More than [`Architecture::MAX_PARAMETERS`] parameters.
    #[error("expected at most {max} parameters, found {found}", max = Architecture::MAX_PARAMETERS)]
    Parameters { found: u64 },
}

impl Architecture {
    /// Largest number of widths.
    pub const MAX_WIDTHS: usize = 16;
    /// Largest width of a layer.
    pub const MAX_WIDTH: usize = 1 << 20;
    /// Largest number of parameters; in memory, they take 64 MiB then.
    pub const MAX_PARAMETERS: u64 = 1 << 24;

    /// Creates an architecture of the given widths, input first and classes last.
    ///
    /// # Errors
    ///
    /// Returns an error if the number of widths is outside 2 to [`MAX_WIDTHS`](Self::MAX_WIDTHS), a width outside 1 to
    /// [`MAX_WIDTH`](Self::MAX_WIDTH), the number of classes outside 2 to 256, or the number of parameters above
    /// [`MAX_PARAMETERS`](Self::MAX_PARAMETERS).
    pub fn new(widths: Vec<usize>) -> Result<Self, ArchitectureError> {
        let depth = widths.len();
        let classes = widths.last().copied().unwrap_or(0);
        if !(2..=Self::MAX_WIDTHS).contains(&depth) {
            return Err(ArchitectureError::Depth { found: depth });
        }
        if let Some(&found) = widths.iter().find(|w| !(1..=Self::MAX_WIDTH).contains(*w)) {
            return Err(ArchitectureError::Width { found });
        }
        if !(2..=256).contains(&classes) {
            return Err(ArchitectureError::Classes { found: classes });
        }
        let found = widths
            .windows(2)
            .map(|w| (w[0] as u64 + 1) * w[1] as u64)
            .sum();
        if found > Self::MAX_PARAMETERS {
            return Err(ArchitectureError::Parameters { found });
        }
        Ok(Self { widths })
    }

    /// Returns the layer widths, input first.
    pub fn widths(&self) -> &[usize] {
        &self.widths
    }

    /// Returns the input width: the number of pixels of an image.
    pub fn inputs(&self) -> usize {
        self.widths[0]
    }

    /// Returns the number of classes.
    pub fn classes(&self) -> usize {
        self.widths[self.widths.len() - 1]
    }

    /// Returns the number of parameters, `d`.
    pub fn parameters(&self) -> usize {
        self.widths.windows(2).map(|w| (w[0] + 1) * w[1]).sum()
    }

    /// Returns the dense layers in order of computation.
    pub fn layers(&self) -> Vec<Layer> {
        let mut start = 0;
        let layer = |w: &[usize]| {
            let inputs = w[0];
            let outputs = w[1];
            let weights = start..start + inputs * outputs;
            let biases = weights.end..weights.end + outputs;
            start = biases.end;
            Layer {
                inputs,
                outputs,
                weights,
                biases,
            }
        };
        self.widths.windows(2).map(layer).collect()
    }

    /// Returns the initial parameters, `[d]`.
    ///
    /// Biases are zero. Weights are zero for softmax regression, else uniform in `+-sqrt(6 / inputs)` (He et al. 2015,
    /// arXiv 1502.01852, uniform form).
    pub fn initial_parameters(&self, seed: u64) -> Vec<f32> {
        let mut x = vec![0.0; self.parameters()];
        if self.widths.len() == 2 {
            return x;
        }
        let mut stream = Stream::new(seed);
        for layer in self.layers() {
            let bound = (6.0 / layer.inputs as f32).sqrt();
            x[layer.weights]
                .iter_mut()
                .for_each(|w| *w = bound * (2.0 * stream.unit() - 1.0));
        }
        x
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.widths.len() == 2 {
            "softmax "
        } else {
            "mlp "
        })?;
        let widths: Vec<String> = self.widths.iter().map(ToString::to_string).collect();
        f.write_str(&widths.join("-"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_tile_flat_vector() {
        let mlp = Architecture::new(vec![784, 128, 10]).unwrap();
        assert_eq!(mlp.parameters(), 101_770);
        assert_eq!(mlp.to_string(), "mlp 784-128-10");
        let mut next = 0;
        for layer in mlp.layers() {
            assert_eq!(layer.weights, next..next + layer.inputs * layer.outputs);
            assert_eq!(
                layer.biases,
                layer.weights.end..layer.weights.end + layer.outputs
            );
            next = layer.biases.end;
        }
        assert_eq!(next, mlp.parameters());
    }

    #[test]
    fn invalid_architectures_are_rejected() {
        let new = |widths: &[usize]| Architecture::new(widths.to_vec());
        assert_eq!(new(&[784]), Err(ArchitectureError::Depth { found: 1 }));
        assert_eq!(
            new(&[784, 0, 10]),
            Err(ArchitectureError::Width { found: 0 })
        );
        assert_eq!(new(&[784, 1]), Err(ArchitectureError::Classes { found: 1 }));
        let found = ((1u64 << 20) + 1) * 256;
        assert_eq!(
            new(&[1 << 20, 256]),
            Err(ArchitectureError::Parameters { found })
        );
    }
}
