//! What volunteers have earned, kept for those who come back.

use std::collections::{BTreeMap, HashMap};

use crate::admission::identity::Identity;
use crate::store::event::Credit;

/// Volunteers that are remembered after they left; those who left longest ago are forgotten, and begin anew.
const MOST: usize = 65_536;

/// Credit of those who are not there.
#[derive(Debug, Default)]
pub struct Credits {
    /// With the number that stands in `by_age`.
    by_identity: HashMap<Identity, (u64, Credit)>,
    /// Who left first comes first.
    by_age: BTreeMap<u64, Identity>,
    left: u64,
}

impl Credits {
    /// Hands out the credit of who comes back; nothing of it stays here.
    pub fn take(&mut self, identity: Identity) -> Credit {
        let Some((age, credit)) = self.by_identity.remove(&identity) else { return Credit::default() };
        self.by_age.remove(&age);
        credit
    }

    /// Answers accepted of somebody who is not there.
    pub fn accepted_of(&self, identity: Identity) -> u64 {
        self.by_identity.get(&identity).map_or(0, |(_, credit)| credit.accepted)
    }

    /// Keeps the credit of who leaves, if there is any; gives who is forgotten for it.
    pub fn keep(&mut self, identity: Identity, credit: Credit) -> Option<Identity> {
        self.take(identity);
        if credit == Credit::default() {
            return None;
        }
        self.left += 1;
        self.by_identity.insert(identity, (self.left, credit));
        self.by_age.insert(self.left, identity);
        if self.by_age.len() <= MOST {
            return None;
        }
        let (_, oldest) = self.by_age.pop_first()?;
        self.by_identity.remove(&oldest);
        Some(oldest)
    }

    /// A check of answers from before it left has found them right; gives what it has earned now.
    pub fn passed(&mut self, identity: Identity) -> Option<Credit> {
        let (_, credit) = self.by_identity.get_mut(&identity)?;
        credit.trust.passed = credit.trust.passed.saturating_add(1);
        Some(*credit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use farsign::task::Secret;
    use farsign::trust::Trust;

    fn identity(number: u32) -> Identity {
        let mut secret = [0; 16];
        secret[..4].copy_from_slice(&number.to_le_bytes());
        Secret(secret).into()
    }

    fn credit(passed: u32) -> Credit {
        Credit { trust: Trust { passed }, accepted: 10 }
    }

    #[test]
    fn credit_is_there_once_for_who_comes_back() {
        let mut credits = Credits::default();
        credits.keep(identity(1), credit(5));
        assert_eq!(credits.passed(identity(1)), Some(credit(6)));
        assert_eq!(credits.passed(identity(2)), None);
        assert_eq!(credits.take(identity(1)), credit(6));
        assert_eq!(credits.take(identity(1)), Credit::default(), "it cannot be taken twice");
        assert_eq!(credits.take(identity(2)), Credit::default());
        assert_eq!(credits.keep(identity(3), Credit::default()), None);
        assert!(credits.by_identity.is_empty(), "who has earned nothing takes nobody's place");
    }

    #[test]
    fn who_left_longest_ago_is_forgotten_first() {
        let mut credits = Credits::default();
        credits.keep(identity(0), credit(1));
        (1..=MOST as u32).for_each(|n| {
            let forgotten = credits.keep(identity(n), credit(2));
            assert_eq!(forgotten, (n == MOST as u32).then(|| identity(1)));
            let again = credits.take(identity(0));
            credits.keep(identity(0), again); // comes and goes
        });
        assert_eq!((credits.by_identity.len(), credits.by_age.len()), (MOST, MOST));
        assert_eq!(credits.take(identity(0)), credit(1));
        assert_eq!(credits.take(identity(1)), Credit::default());
    }
}
