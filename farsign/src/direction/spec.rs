//! Which directions a run asks for, checked.

/// How directions are made of a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirectionFamily {
    /// Coordinate axes.
    Coordinate,
    /// Block-wise randomized Hadamard transform; `block` is a power of two.
    Hadamard {
        /// Coordinates in a block.
        block: u32,
    },
    /// Dense random signs.
    Rademacher,
    /// Random signs on a few coordinates; the supports of one task's directions do not meet.
    Sparse {
        /// Coordinates in a direction.
        nonzeros: u32,
    },
}

/// A family, how many directions a task has (`K`), and the number of parameters (`d`). Valid by construction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirectionSpec {
    family: DirectionFamily,
    count: usize,
    parameters: usize,
}

/// Why a family cannot give so many directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DirectionError {
    /// `K` outside `1..=d`.
    #[error("expected 1 to {parameters} directions (the number of parameters), found {found}")]
    Count {
        /// Directions asked for.
        found: usize,
        /// `d`.
        parameters: usize,
    },
    /// The block of `hadamard` is no power of two, or outside 2 to 65,536.
    #[error("expected a Hadamard block that is a power of two from 2 to 65536, found {found}")]
    Block {
        /// Block asked for.
        found: u32,
    },
    /// The supports of `sparse` do not fit beside each other.
    #[error(
        "expected nonzeros of 1 to {most} ({count} directions over {parameters} parameters), found {found}"
    )]
    Nonzeros {
        /// Nonzeros asked for.
        found: u32,
        /// Largest that fits.
        most: usize,
        /// `K`.
        count: usize,
        /// `d`.
        parameters: usize,
    },
    /// `K * d` of `rademacher` above [`DirectionSpec::MAX_DENSE`].
    #[error("expected directions x parameters of at most {max} for rademacher, found {found}", max = DirectionSpec::MAX_DENSE)]
    Dense {
        /// The product.
        found: u64,
    },
}

impl DirectionSpec {
    /// Most entries a dense `A` may have: drawing them is the cost of a task.
    pub const MAX_DENSE: u64 = 1 << 27;

    /// `count` directions of `family` over `parameters` parameters.
    ///
    /// # Errors
    /// When the family cannot give them.
    pub fn new(family: DirectionFamily, count: usize, parameters: usize) -> Result<Self, DirectionError> {
        if !(1..=parameters).contains(&count) {
            return Err(DirectionError::Count { found: count, parameters });
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
                Err(DirectionError::Nonzeros { found: nonzeros, most: parameters / count, count, parameters })
            }
            DirectionFamily::Rademacher if count as u64 * parameters as u64 > Self::MAX_DENSE => {
                Err(DirectionError::Dense { found: count as u64 * parameters as u64 })
            }
            _ => Ok(Self { family, count, parameters }),
        }
    }

    /// The family.
    pub fn family(&self) -> DirectionFamily {
        self.family
    }

    /// Directions a task has, `K`.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Number of parameters, `d`.
    pub fn parameters(&self) -> usize {
        self.parameters
    }
}
