//! Faults for tests of the assertions.

use serde::{Deserialize, Serialize};

/// A fault in the simulated FAR-SIGN server, injected to prove that the assertions detect it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InjectedFault {
    /// Signs are flipped before they are applied.
    SignsFlipped,
    /// Every update has weight 1.
    WeightsIgnored,
    /// Verification finds no mismatch.
    VerificationDisabled,
}

impl From<InjectedFault> for farsign::learner::InjectedFault {
    fn from(fault: InjectedFault) -> Self {
        match fault {
            InjectedFault::SignsFlipped => Self::SignsFlipped,
            InjectedFault::WeightsIgnored => Self::WeightsIgnored,
            InjectedFault::VerificationDisabled => Self::VerificationDisabled,
        }
    }
}
