//! Trust of disconnected volunteers, kept for their return.

use std::collections::BTreeMap;

use crate::identity::VolunteerIdentity;
use crate::trust::Trust;

/// Disconnected volunteers that are remembered. The one that left longest ago is dropped first and later joins as a newcomer.
pub const MAX_TRUST_RECORDS: usize = 65_536;

/// The trust and the credit of a volunteer over all its sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrustRecord {
    /// Trust, from passed verifications.
    pub trust: Trust,
    /// Accepted updates.
    pub accepted: u64,
}

impl TrustRecord {
    /// Records a passed verification.
    pub(super) fn record_pass(&mut self) {
        self.trust.passed = self.trust.passed.saturating_add(1);
    }
}

/// Trust records of disconnected volunteers, the oldest dropped first.
#[derive(Clone, Debug, Default)]
pub struct TrustStore {
    /// With the key in `by_age`.
    by_identity: BTreeMap<VolunteerIdentity, (u64, TrustRecord)>,
    /// In the order in which the volunteers left.
    by_age: BTreeMap<u64, VolunteerIdentity>,
    left: u64,
}

/// Stores are equal if they have the same records in the same order.
impl PartialEq for TrustStore {
    fn eq(&self, other: &Self) -> bool {
        self.records().eq(other.records())
    }
}

impl TrustStore {
    /// Returns all records, the oldest first.
    pub fn records(&self) -> impl Iterator<Item = (VolunteerIdentity, TrustRecord)> {
        let record = |identity| self.by_identity[identity].1;
        self.by_age
            .values()
            .map(move |identity| (*identity, record(identity)))
    }

    /// Removes and returns the record of a volunteer; the default if there is none.
    pub fn remove(&mut self, identity: VolunteerIdentity) -> TrustRecord {
        let Some((age, record)) = self.by_identity.remove(&identity) else {
            return TrustRecord::default();
        };
        self.by_age.remove(&age);
        record
    }

    /// Returns the record of a disconnected volunteer. `None` if there is none.
    pub fn record(&self, identity: VolunteerIdentity) -> Option<TrustRecord> {
        self.by_identity.get(&identity).map(|(_, record)| *record)
    }

    /// Stores the record of a volunteer that leaves, unless it is the default. Returns the dropped identity, if any.
    pub fn insert(
        &mut self,
        identity: VolunteerIdentity,
        record: TrustRecord,
    ) -> Option<VolunteerIdentity> {
        self.remove(identity);
        if record == TrustRecord::default() {
            return None;
        }
        self.left += 1;
        self.by_identity.insert(identity, (self.left, record));
        self.by_age.insert(self.left, identity);
        if self.by_age.len() <= MAX_TRUST_RECORDS {
            return None;
        }
        let (_, oldest) = self.by_age.pop_first()?;
        self.by_identity.remove(&oldest);
        Some(oldest)
    }

    /// Records a verification that a volunteer passed after it left, and returns its new record. `None` if there is no
    /// record.
    pub fn record_pass(&mut self, identity: VolunteerIdentity) -> Option<TrustRecord> {
        let (_, record) = self.by_identity.get_mut(&identity)?;
        record.record_pass();
        Some(*record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(number: u32) -> VolunteerIdentity {
        u128::from(number).into()
    }

    fn record(passed: u32) -> TrustRecord {
        TrustRecord {
            trust: Trust { passed },
            accepted: 10,
        }
    }

    #[test]
    fn returning_volunteer_gets_record_once() {
        let mut store = TrustStore::default();
        store.insert(identity(1), record(5));
        assert_eq!(store.record_pass(identity(1)), Some(record(6)));
        assert_eq!(store.record_pass(identity(2)), None);
        assert_eq!(store.remove(identity(1)), record(6));
        assert_eq!(
            store.remove(identity(1)),
            TrustRecord::default(),
            "a record is handed out once"
        );
        assert_eq!(store.remove(identity(2)), TrustRecord::default());
        assert_eq!(store.insert(identity(3), TrustRecord::default()), None);
        assert!(
            store.by_identity.is_empty(),
            "default records are not stored"
        );
    }

    #[test]
    fn oldest_record_is_evicted_first() {
        let mut store = TrustStore::default();
        store.insert(identity(0), record(1));
        (1..=MAX_TRUST_RECORDS as u32).for_each(|n| {
            let dropped = store.insert(identity(n), record(2));
            assert_eq!(
                dropped,
                (n == MAX_TRUST_RECORDS as u32).then(|| identity(1))
            );
            let again = store.remove(identity(0));
            store.insert(identity(0), again);
        });
        assert_eq!(
            (store.by_identity.len(), store.by_age.len()),
            (MAX_TRUST_RECORDS, MAX_TRUST_RECORDS)
        );
        assert_eq!(store.remove(identity(0)), record(1));
        assert_eq!(store.remove(identity(1)), TrustRecord::default());
    }
}
