//! The bytes of a bulletin.
//!
//! ```text
//!   format 1 | length of the head 4 | head, JSON | frame of the protocol with the version, if there is one
//! ```

use std::sync::Arc;

use farsign::learner::{GatewayId, TrustRecord};
use farsign::task::{GoodbyeReason, TaskId, VolunteerId};
use farsign::tolerance::Tolerance;
use farsign::trust::Trust;
use farsign::version::{Version, VersionHash};
use farsign::wire::{EncodedVersion, ServerFrame, ServerRecord, VersionBody, read_server_frame};
use farsign_server::counters::VerdictCounts;
use farsign_server::run::board::{
    BoardError, Bulletin, Capacity, Notice, Progress, PublishedVersion,
};
use serde::{Deserialize, Serialize};

/// The format that this program writes and reads.
const FORMAT: u8 = 1;

/// Everything of a bulletin but the version.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    message: u64,
    accepted: u64,
    active: usize,
    fraction: Option<f64>,
    /// Its sign error and tolerated fraction.
    tolerance: Option<(f64, f64)>,
    updates_per_s: Option<f64>,
    verifiable_images: Option<f64>,
    /// Passed, failed and skipped.
    verdicts: [u64; 3],
    /// Accepted updates in the version.
    version_accepted: Option<u64>,
    notices: Vec<NoticeDto>,
}

/// A notice.
#[derive(Debug, Serialize, Deserialize)]
enum NoticeDto {
    Ejected {
        volunteer: u64,
        reason: u8,
        passed: u32,
        accepted: u64,
    },
    Banned(u128),
    VerificationFailed {
        volunteer: u64,
        task: u64,
    },
    GatewayLost(u64),
}

impl From<&Notice> for NoticeDto {
    fn from(notice: &Notice) -> Self {
        match *notice {
            Notice::Ejected {
                volunteer,
                reason,
                record,
            } => Self::Ejected {
                volunteer: volunteer.0,
                reason: reason.code(),
                passed: record.trust.passed,
                accepted: record.accepted,
            },
            Notice::Banned(identity) => Self::Banned(identity.number()),
            Notice::GatewayLost(gateway) => Self::GatewayLost(gateway.0),
            Notice::VerificationFailed { volunteer, task } => Self::VerificationFailed {
                volunteer: volunteer.0,
                task: task.0,
            },
        }
    }
}

impl NoticeDto {
    fn notice(self) -> Result<Notice, BoardError> {
        Ok(match self {
            Self::Ejected {
                volunteer,
                reason,
                passed,
                accepted,
            } => Notice::Ejected {
                volunteer: VolunteerId(volunteer),
                reason: GoodbyeReason::from_code(reason)
                    .ok_or_else(|| invalid(format!("the reason {reason}")))?,
                record: TrustRecord {
                    trust: Trust { passed },
                    accepted,
                },
            },
            Self::Banned(identity) => Notice::Banned(identity.into()),
            Self::GatewayLost(gateway) => Notice::GatewayLost(GatewayId(gateway)),
            Self::VerificationFailed { volunteer, task } => Notice::VerificationFailed {
                volunteer: VolunteerId(volunteer),
                task: TaskId(task),
            },
        })
    }
}

fn invalid(found: impl std::fmt::Display) -> BoardError {
    BoardError::Remote(format!("expected a bulletin of this run, found {found}"))
}

/// Encodes a bulletin. Its version is written as differences to `base`, or as a whole.
pub fn write_bulletin(bulletin: &Bulletin, base: Option<&Version>) -> Vec<u8> {
    let Progress {
        accepted,
        active,
        fraction,
        tolerance,
        capacity,
        verdicts,
    } = bulletin.progress;
    let published = bulletin
        .version
        .as_ref()
        .map(|published| &published.version);
    let head = Head {
        message: bulletin.message,
        accepted,
        active,
        fraction,
        tolerance: tolerance.map(|tolerance| (tolerance.sign_error, tolerance.tolerated_fraction)),
        updates_per_s: capacity.updates_per_s,
        verifiable_images: capacity.verifiable_images,
        verdicts: [verdicts.passed, verdicts.failed, verdicts.skipped],
        version_accepted: published.map(|version| version.accepted()),
        notices: bulletin.notices.iter().map(NoticeDto::from).collect(),
    };
    let head = serde_json::to_vec(&head).expect("a head is valid JSON");
    let mut out = vec![FORMAT];
    out.extend((head.len() as u32).to_le_bytes());
    out.extend(head);
    if let Some(version) = published {
        let mut frame = Vec::new();
        ServerFrame::new(&mut frame).version(&EncodedVersion::new(version, base));
        out.extend(frame);
    }
    out
}

/// Decodes a bulletin of a run with `parameters` values. `base` is the version before, which it may continue.
///
/// # Errors
/// Returns an error if the bytes are not a bulletin, or its version continues another one.
pub fn read_bulletin(
    bytes: &[u8],
    parameters: usize,
    base: Option<&Version>,
) -> Result<Bulletin, BoardError> {
    let (head, frame) = read_head(bytes)?;
    let version = match head.version_accepted {
        Some(accepted) => Some(read_version(frame, parameters, base)?.with_accepted(accepted)),
        None => None,
    };
    let [passed, failed, skipped] = head.verdicts;
    let notices = head.notices.into_iter().map(NoticeDto::notice);
    Ok(Bulletin {
        message: head.message,
        progress: Progress {
            accepted: head.accepted,
            active: head.active,
            fraction: head.fraction,
            tolerance: head
                .tolerance
                .map(|(sign_error, tolerated_fraction)| Tolerance {
                    sign_error,
                    tolerated_fraction,
                }),
            capacity: Capacity {
                updates_per_s: head.updates_per_s,
                verifiable_images: head.verifiable_images,
            },
            verdicts: VerdictCounts {
                passed,
                failed,
                skipped,
            },
        },
        version: version.map(|version| PublishedVersion {
            version: Arc::new(version),
            exact: None,
        }),
        notices: notices.collect::<Result<_, _>>()?,
    })
}

fn read_version(
    frame: &[u8],
    parameters: usize,
    base: Option<&Version>,
) -> Result<Version, BoardError> {
    let mut records = read_server_frame(frame).map_err(invalid)?;
    match records.next() {
        Some(Ok(ServerRecord::Version(body))) => decode_version(&body, parameters, base),
        Some(Ok(_)) => Err(invalid("another record")),
        Some(Err(error)) => Err(invalid(error)),
        None => Err(invalid("no version")),
    }
}

/// Returns the number of the last message of the log in a bulletin.
///
/// # Errors
/// Returns an error if the bytes are not a bulletin.
pub fn read_message_number(bytes: &[u8]) -> Result<u64, BoardError> {
    read_head(bytes).map(|(head, _)| head.message)
}

fn read_head(bytes: &[u8]) -> Result<(Head, &[u8]), BoardError> {
    let truncated = || invalid(format!("{} bytes", bytes.len()));
    let (header, rest) = bytes.split_first_chunk::<5>().ok_or_else(truncated)?;
    let [format, length @ ..] = *header;
    if format != FORMAT {
        return Err(invalid(format!("format {format}")));
    }
    let length = u32::from_le_bytes(length) as usize;
    let (head, frame) = rest.split_at_checked(length).ok_or_else(truncated)?;
    Ok((serde_json::from_slice(head).map_err(invalid)?, frame))
}

/// Decodes a version of `parameters` values that continues `base`.
///
/// # Errors
/// Returns an error if it continues another version or its differences are invalid.
pub fn decode_version(
    body: &VersionBody<'_>,
    parameters: usize,
    base: Option<&Version>,
) -> Result<Version, BoardError> {
    let held = base.map(Version::hash);
    let base = base.filter(|_| body.base.is_some());
    if body.base.is_some() && body.base != held {
        let name = |hash: Option<VersionHash>| {
            hash.map_or("no version".to_owned(), |hash| hash.to_string())
        };
        let [needed, held] = [body.base, held].map(name);
        return Err(invalid(format!("one that continues {needed} after {held}")));
    }
    if body.parameters as usize != parameters {
        return Err(invalid(format!(
            "a version of {} parameters",
            body.parameters
        )));
    }
    let VersionBody {
        number,
        grid,
        differences,
        ..
    } = *body;
    Version::from_differences(base, number, grid, differences, parameters).map_err(invalid)
}

#[cfg(test)]
mod tests {
    use farsign::fixed_point::FixedPoint;
    use farsign::version::Grid;

    use super::*;

    fn version(number: u64, x: &[i32]) -> Arc<Version> {
        let fixed_point = FixedPoint::new(20).unwrap();
        let grid = Grid {
            fixed_point,
            shift: 0,
        };
        Arc::new(Version::round(number, 10 * number, x, grid))
    }

    fn bulletin(published: Option<&Arc<Version>>) -> Bulletin {
        Bulletin {
            message: 7,
            progress: Progress {
                accepted: 30,
                active: 2,
                fraction: Some(0.25),
                tolerance: None,
                capacity: Capacity {
                    updates_per_s: Some(0.1 + 0.2),
                    verifiable_images: None,
                },
                verdicts: VerdictCounts {
                    passed: 5,
                    failed: 6,
                    skipped: 7,
                },
            },
            version: published.map(|version| PublishedVersion {
                version: Arc::clone(version),
                exact: None,
            }),
            notices: vec![
                Notice::Banned(u128::MAX.into()),
                Notice::Ejected {
                    volunteer: VolunteerId(5),
                    reason: GoodbyeReason::EjectedByOperator,
                    record: TrustRecord {
                        trust: Trust { passed: 3 },
                        accepted: 9,
                    },
                },
            ],
        }
    }

    #[test]
    fn bulletins_round_trip() {
        let first = version(1, &[1, -2, 300]);
        let second = version(2, &[1, -3, 200]);
        for (published, base) in [
            (None, None),
            (Some(&second), None),
            (Some(&second), Some(&*first)),
        ] {
            let written = bulletin(published);
            let bytes = write_bulletin(&written, base);
            let read = read_bulletin(&bytes, 3, base).unwrap();
            assert_eq!(
                (read.message, read.progress),
                (written.message, written.progress)
            );
            assert_eq!(read.notices, written.notices);
            let found = read.version.map(|published| published.version);
            assert_eq!(found.as_ref(), published);
        }
    }

    #[test]
    fn damaged_bulletins_are_errors() {
        let first = version(1, &[1, -2, 300]);
        let second = version(2, &[1, -3, 200]);
        let bytes = write_bulletin(&bulletin(Some(&second)), Some(&first));
        for length in 0..bytes.len() {
            assert!(
                read_bulletin(&bytes[..length], 3, Some(&first)).is_err(),
                "{length} bytes"
            );
        }
        let error = read_bulletin(&bytes, 3, Some(&second))
            .unwrap_err()
            .to_string();
        assert!(error.contains(&first.hash().to_string()), "{error}");
        assert!(
            read_bulletin(&bytes, 4, Some(&first)).is_err(),
            "a larger model"
        );
    }
}
