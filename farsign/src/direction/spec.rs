//! Validated specifications of a run's directions.

use super::hadamard::block_sizes;

/// A family of directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirectionFamily {
    /// Coordinate axes: all of them, or `K` drawn by the seed.
    Coordinate,
    /// Rows of a block-wise randomized Hadamard matrix.
    Hadamard {
        /// Coordinates per block: a power of two from 2 to 65,536.
        block: u32,
    },
    /// Dense random signs.
    Rademacher,
    /// Random signs on a few coordinates; the supports of one task's directions are disjoint.
    Sparse {
        /// Nonzero coordinates per direction, at least 1.
        nonzeros: u32,
    },
}

/// A family of directions, their number per task `K`, and the number of parameters `d`. Valid by construction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirectionSpec {
    family: DirectionFamily,
    count: usize,
    parameters: usize,
}

/// An error in a specification of directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum DirectionError {
    /// `K` outside `1..=d`.
    #[error("expected 1 to {parameters} directions (the number of parameters), found {found}")]
    Count { found: usize, parameters: usize },
    /// A Hadamard block that is not a power of two from 2 to 65,536.
    #[error("expected a Hadamard block that is a power of two from 2 to 65536, found {found}")]
    Block { found: u32 },
    /// Sparse directions whose disjoint supports need more than `d` coordinates.
    #[error(
        "expected nonzeros of 1 to {max} ({count} directions over {parameters} parameters), found {found}"
    )]
    Nonzeros {
        found: u32,
        max: usize,
        count: usize,
        parameters: usize,
    },
    /// Rademacher directions with `K * d` above [`DirectionSpec::MAX_DENSE`].
    #[error("expected directions x parameters of at most {max} for rademacher, found {found}", max = DirectionSpec::MAX_DENSE)]
    Dense { found: u64 },
}

impl DirectionSpec {
    /// Largest number of entries of a dense `A`, which each task draws.
    pub const MAX_DENSE: u64 = 1 << 27;

    /// Creates a specification of `count` directions (`K`) of `family` over `parameters` parameters (`d`).
    ///
    /// # Errors
    ///
    /// Returns an error if `count` is outside `1..=parameters`, or the family does not have that many directions.
    pub fn new(
        family: DirectionFamily,
        count: usize,
        parameters: usize,
    ) -> Result<Self, DirectionError> {
        if !(1..=parameters).contains(&count) {
            return Err(DirectionError::Count {
                found: count,
                parameters,
            });
        }
        match family {
            DirectionFamily::Hadamard { block }
                if !block.is_power_of_two() || !(2..=65_536).contains(&block) =>
            {
                Err(DirectionError::Block { found: block })
            }
            DirectionFamily::Sparse { nonzeros }
                if !(1..=parameters / count).contains(&(nonzeros as usize)) =>
            {
                Err(DirectionError::Nonzeros {
                    found: nonzeros,
                    max: parameters / count,
                    count,
                    parameters,
                })
            }
            DirectionFamily::Rademacher if count as u64 * parameters as u64 > Self::MAX_DENSE => {
                Err(DirectionError::Dense {
                    found: count as u64 * parameters as u64,
                })
            }
            _ => Ok(Self {
                family,
                count,
                parameters,
            }),
        }
    }

    /// Returns the family.
    pub fn family(&self) -> DirectionFamily {
        self.family
    }

    /// Returns the number of directions per task, `K`.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Returns the number of parameters, `d`.
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    /// Returns the largest number of nonzero entries of a direction, `n`. Each is `+-1 / sqrt(n)`.
    pub(crate) fn nonzeros(&self) -> usize {
        self.blocks()
            .map(|(nonzeros, _)| nonzeros)
            .max()
            .unwrap_or(1)
    }

    /// Returns, for each kind of directions of this family, the number of nonzero entries of a direction, and the largest
    /// number of directions that share a coordinate.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = (usize, usize)> {
        let d = self.parameters;
        let (other, hadamard) = match self.family {
            DirectionFamily::Coordinate => (Some((1, 1)), None),
            DirectionFamily::Hadamard { block } => (None, Some(block as usize)),
            DirectionFamily::Rademacher => (Some((d, self.count)), None),
            DirectionFamily::Sparse { nonzeros } => (Some((nonzeros as usize, 1)), None),
        };
        let sizes = hadamard.into_iter().flat_map(move |block| {
            let whole = block.min(d - d % block); // all whole blocks are of one size
            block_sizes(block, whole + d % block)
        });
        other.into_iter().chain(sizes.map(|size| (size, size)))
    }
}
