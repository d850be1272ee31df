//! Encoding of the run settings in a welcome.
//!
//! ```text
//!   run id 8 | widths: count 1, then 4 each | order 1 | delta f32 4 | family 1 | family's number 4
//!   | directions 4 | batch 4 | beta f32 4 | task timeout ms 4 | digest 32
//!
//!   order    0 first, 1 zeroth (delta is 0 in first order)
//!   family   0 coordinate, 1 hadamard (number: block), 2 rademacher, 3 sparse (number: nonzeros); else the number is 0
//! ```

use super::WireError;
use super::reader::Reader;
use crate::direction::{DirectionFamily, DirectionSpec};
use crate::estimate::Order;
use crate::model::Architecture;
use crate::task::RunSettings;
use crate::task_sizing::MAX_TASK_IMAGES;

pub(super) fn write_settings(settings: &RunSettings, out: &mut Vec<u8>) {
    let (order, delta) = match settings.order {
        Order::First => (0, 0.0),
        Order::Zeroth { delta } => (1, delta),
    };
    let (family, number) = match settings.directions.family() {
        DirectionFamily::Coordinate => (0, 0),
        DirectionFamily::Hadamard { block } => (1, block),
        DirectionFamily::Rademacher => (2, 0),
        DirectionFamily::Sparse { nonzeros } => (3, nonzeros),
    };
    let widths = settings.architecture.widths();
    out.extend(settings.run_id.to_le_bytes());
    out.push(widths.len() as u8);
    widths
        .iter()
        .for_each(|w| out.extend((*w as u32).to_le_bytes()));
    out.push(order);
    out.extend(delta.to_le_bytes());
    out.push(family);
    out.extend(number.to_le_bytes());
    out.extend((settings.directions.count() as u32).to_le_bytes());
    out.extend(settings.batch.to_le_bytes());
    out.extend(settings.beta.to_le_bytes());
    out.extend(settings.task_timeout_ms.to_le_bytes());
    out.extend(settings.train_digest);
}

pub(super) fn read_settings(body: &mut Reader<'_>) -> Result<RunSettings, WireError> {
    let run_id = body.u64()?;
    let count = body.u8()?;
    let widths: Result<Vec<usize>, WireError> =
        (0..count).map(|_| Ok(body.u32()? as usize)).collect();
    let architecture = Architecture::new(widths?).map_err(invalid)?;
    let order = read_order(body)?;
    let family = read_family(body)?;
    let directions = DirectionSpec::new(family, body.u32()? as usize, architecture.parameters());
    Ok(RunSettings {
        run_id,
        architecture,
        order,
        directions: directions.map_err(invalid)?,
        batch: match body.u32()? {
            batch @ 1..=MAX_TASK_IMAGES => batch,
            found => return Err(range("batch", "of 1 to 65536", found)),
        },
        beta: match body.f32("beta")? {
            beta if beta > 0.0 && beta <= 1.0 => beta,
            found => return Err(range("beta", "above 0 and at most 1", found)),
        },
        task_timeout_ms: body.u32()?,
        train_digest: body.array()?,
    })
}

fn read_order(body: &mut Reader<'_>) -> Result<Order, WireError> {
    let order = body.u8()?;
    let delta = body.f32("delta")?;
    match order {
        0 => Ok(Order::First),
        1 if delta > 0.0 => Ok(Order::Zeroth { delta }),
        1 => Err(range("delta", "above 0", delta)),
        found => Err(WireError::Code {
            what: "order",
            found: found.into(),
        }),
    }
}

fn read_family(body: &mut Reader<'_>) -> Result<DirectionFamily, WireError> {
    let family = body.u8()?;
    let number = body.u32()?;
    match family {
        0 => Ok(DirectionFamily::Coordinate),
        1 => Ok(DirectionFamily::Hadamard { block: number }),
        2 => Ok(DirectionFamily::Rademacher),
        3 => Ok(DirectionFamily::Sparse { nonzeros: number }),
        found => Err(WireError::Code {
            what: "direction family",
            found: found.into(),
        }),
    }
}

fn invalid(error: impl std::error::Error) -> WireError {
    WireError::Settings(error.to_string())
}

/// Returns the error of a number outside its range.
pub(super) fn range(what: &'static str, expected: &'static str, found: impl ToString) -> WireError {
    WireError::Range {
        what,
        expected,
        found: found.to_string(),
    }
}
