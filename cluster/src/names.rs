//! Names of a run's streams, buckets and subjects.

use farsign::learner::GatewayId;

use crate::ClusterError;

/// Longest name of a run.
const MAX_NAME_BYTES: usize = 32;

/// The names of a run in NATS. No name contains anything that a volunteer has sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunNames {
    run: String,
}

impl RunNames {
    /// Creates the names of a run.
    ///
    /// # Errors
    /// Returns an error if the name has other characters than lower-case letters, digits and underscores, or is too long.
    pub fn new(run: &str) -> Result<Self, ClusterError> {
        let is_valid =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if (1..=MAX_NAME_BYTES).contains(&run.len()) && run.bytes().all(is_valid) {
            return Ok(Self {
                run: run.to_owned(),
            });
        }
        Err(ClusterError::Name {
            found: run.to_owned(),
        })
    }

    /// Returns the name of the run.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// Returns the stream of the log.
    pub fn log(&self) -> String {
        format!("{}_log", self.run)
    }

    /// Returns the subjects of the log.
    pub fn log_subjects(&self) -> String {
        format!("{}.log.>", self.run)
    }

    /// Returns the subject to which a gateway appends.
    pub fn log_of_gateway(&self, gateway: GatewayId) -> String {
        format!("{}.log.gateway.{:016x}", self.run, gateway.0)
    }

    /// Returns the subject to which learners append.
    pub fn log_of_learner(&self) -> String {
        format!("{}.log.learner", self.run)
    }

    /// Returns the subject to which verifiers append.
    pub fn log_of_verifier(&self) -> String {
        format!("{}.log.verifier", self.run)
    }

    /// Returns the stream of the board.
    pub fn board(&self) -> String {
        format!("{}_board", self.run)
    }

    /// Returns the subjects of the board.
    pub fn board_subjects(&self) -> String {
        format!("{}.board.>", self.run)
    }

    /// Returns the subject of bulletins with a whole version, or of the others.
    pub fn bulletins(&self, is_whole: bool) -> String {
        let kind = if is_whole { "whole" } else { "next" };
        format!("{}.board.{kind}", self.run)
    }

    /// Returns the stream of jobs.
    pub fn jobs(&self) -> String {
        format!("{}_jobs", self.run)
    }

    /// Returns the subject of jobs.
    pub fn job_subject(&self) -> String {
        format!("{}.jobs", self.run)
    }

    /// Returns the subject of requests for reports.
    pub fn reports(&self) -> String {
        format!("{}.reports", self.run)
    }

    /// Returns the bucket of what every role may know of the run.
    pub fn identity(&self) -> String {
        format!("{}_run", self.run)
    }

    /// Returns the bucket of what only learners may know.
    pub fn secret(&self) -> String {
        format!("{}_secret", self.run)
    }

    /// Returns the bucket of the seat of the learner.
    pub fn seat(&self) -> String {
        format!("{}_seat", self.run)
    }

    /// Returns the bucket of the presence of gateways.
    pub fn gateways(&self) -> String {
        format!("{}_gateways", self.run)
    }

    /// Returns the object store of checkpoints.
    pub fn checkpoints(&self) -> String {
        format!("{}_checkpoints", self.run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_names_are_rejected() {
        let long = "a".repeat(33);
        for name in ["", "a.b", "a>", "A", "a b", "*", "ä", &long] {
            assert!(RunNames::new(name).is_err(), "{name:?}");
        }
        assert!(RunNames::new("digits_2").is_ok());
    }
}
