//! A version with the base that it travels as differences to.

use std::sync::Arc;

use farsign::version::{Version, VersionHash};
use farsign::wire::EncodedVersion;

use super::unavailable::VersionUnavailable;
use crate::gateway::Snapshot;

/// The names of a version and its base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionPair {
    version: VersionHash,
    /// `None` for a whole version.
    base: Option<VersionHash>,
}

impl VersionPair {
    /// Creates the pair of a whole version.
    pub fn whole(version: VersionHash) -> Self {
        let base = None;
        Self { version, base }
    }

    /// Creates a pair of two versions.
    ///
    /// # Errors
    /// Returns an error if they are the same.
    pub fn differences(
        version: VersionHash,
        base: VersionHash,
    ) -> Result<Self, VersionUnavailable> {
        if version == base {
            return Err(VersionUnavailable::SameBase);
        }
        let base = Some(base);
        Ok(Self { version, base })
    }

    /// Checks that a snapshot holds both versions.
    ///
    /// # Errors
    /// Returns an error if it does not.
    pub fn check(self, snapshot: &Snapshot) -> Result<(), VersionUnavailable> {
        self.find(snapshot).map(|_| ())
    }

    /// Encodes the version. The newest is encoded once for sessions and for requests.
    ///
    /// # Errors
    /// Returns an error if the snapshot does not hold both versions.
    pub fn encode(self, snapshot: &Snapshot) -> Result<EncodedVersion, VersionUnavailable> {
        let (version, base) = self.find(snapshot)?;
        Ok(if Arc::ptr_eq(version, &snapshot.version) {
            snapshot.encoded_since(self.base)
        } else {
            EncodedVersion::new(version, base)
        })
    }

    fn find(
        self,
        snapshot: &Snapshot,
    ) -> Result<(&Arc<Version>, Option<&Version>), VersionUnavailable> {
        let newest = snapshot.version.hash();
        let found = self.version;
        let version = snapshot
            .held(found)
            .ok_or(VersionUnavailable::UnknownVersion { newest, found })?;
        let Some(found) = self.base else {
            return Ok((version, None));
        };
        let base = snapshot
            .held(found)
            .ok_or(VersionUnavailable::UnknownBase { found })?;
        Ok((version, Some(base)))
    }
}
