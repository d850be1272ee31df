//! The registry of names, in memory only.

use std::collections::{BTreeMap, HashMap};

use farsign::identity::VolunteerIdentity;

use super::name::Name;

/// People with a name. The one that set its name longest ago is removed first.
pub const MAX_PEOPLE: usize = 1_000;

/// Volunteers of one person. A browser tab has one volunteer per core.
pub const MAX_VOLUNTEERS: usize = 64;

/// The name and the volunteers of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameEntry {
    /// The name.
    pub name: Name,
    /// The volunteers of the person, at most [`MAX_VOLUNTEERS`].
    pub volunteers: Vec<VolunteerIdentity>,
    age: u64,
}

/// The registry of all names. A volunteer belongs to the person that claimed it last, because a claim requires the
/// volunteer's secret.
#[derive(Debug, Default)]
pub struct NameRegistry {
    people: HashMap<VolunteerIdentity, NameEntry>,
    owners: HashMap<VolunteerIdentity, VolunteerIdentity>,
    /// People by the time at which they set their name, the oldest first.
    by_age: BTreeMap<u64, VolunteerIdentity>,
    next_age: u64,
}

impl NameRegistry {
    /// Sets the name of a person and adds volunteers to it. Beyond the limit, earlier volunteers are dropped. Returns
    /// whether the registry changed visibly.
    pub fn set_name(
        &mut self,
        person: VolunteerIdentity,
        name: Name,
        volunteers: &[VolunteerIdentity],
    ) -> bool {
        let before = self.remove(person);
        let earlier = before.as_ref().map_or(&[][..], |entry| &entry.volunteers);
        let mut own: Vec<VolunteerIdentity> = Vec::new();
        for volunteer in volunteers.iter().chain(earlier) {
            if own.len() < MAX_VOLUNTEERS && !own.contains(volunteer) {
                own.push(*volunteer);
            }
        }
        own.sort_unstable();
        let changed = before
            .as_ref()
            .is_none_or(|entry| entry.name != name || entry.volunteers != own);
        for volunteer in &own {
            let owner = self.owners.insert(*volunteer, person);
            if let Some(owner) = owner.filter(|owner| *owner != person) {
                self.remove_volunteer(owner, volunteer);
            }
        }
        self.next_age += 1;
        self.by_age.insert(self.next_age, person);
        self.people.insert(
            person,
            NameEntry {
                name,
                volunteers: own,
                age: self.next_age,
            },
        );
        if self.people.len() > MAX_PEOPLE
            && let Some((_, &oldest)) = self.by_age.first_key_value()
        {
            self.remove(oldest);
        }
        changed
    }

    /// Removes a volunteer from its former owner. An owner without volunteers is removed; otherwise one volunteer
    /// could claim names in turn, and displace all others.
    fn remove_volunteer(&mut self, owner: VolunteerIdentity, volunteer: &VolunteerIdentity) {
        let Some(entry) = self.people.get_mut(&owner) else {
            return;
        };
        entry.volunteers.retain(|other| other != volunteer);
        if entry.volunteers.is_empty() {
            self.remove(owner);
        }
    }

    /// Removes a person and returns its entry.
    pub fn remove(&mut self, person: VolunteerIdentity) -> Option<NameEntry> {
        let entry = self.people.remove(&person)?;
        self.by_age.remove(&entry.age);
        entry
            .volunteers
            .iter()
            .for_each(|volunteer| _ = self.owners.remove(volunteer));
        Some(entry)
    }

    /// Iterates over all people.
    pub fn people(&self) -> impl Iterator<Item = (VolunteerIdentity, &NameEntry)> {
        self.people.iter().map(|(person, entry)| (*person, entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use farsign::task::Secret;

    fn identity(number: u32) -> VolunteerIdentity {
        let mut secret = [0; 16];
        secret[..4].copy_from_slice(&number.to_le_bytes());
        Secret(secret).into()
    }

    fn name(text: &str) -> Name {
        text.parse().expect("a name")
    }

    /// Returns the names with their numbers of volunteers, sorted.
    fn names(registry: &NameRegistry) -> Vec<(String, usize)> {
        let row = |(_, entry): (VolunteerIdentity, &NameEntry)| {
            (entry.name.to_string(), entry.volunteers.len())
        };
        let mut rows: Vec<_> = registry.people().map(row).collect();
        rows.sort();
        rows
    }

    #[test]
    fn volunteer_belongs_to_last_claimant() {
        let mut registry = NameRegistry::default();
        let ada = identity(1);
        let bob = identity(2);
        registry.set_name(ada, name("Ada"), &[identity(10), identity(11)]);
        registry.set_name(ada, name("Ada L."), &[identity(11), identity(12)]);
        assert_eq!(names(&registry), [("Ada L.".to_owned(), 3)]);
        registry.set_name(bob, name("Bob"), &[identity(12)]);
        assert_eq!(
            names(&registry),
            [("Ada L.".to_owned(), 2), ("Bob".to_owned(), 1)]
        );
        assert!(registry.remove(ada).is_some() && registry.remove(ada).is_none());
        assert_eq!(names(&registry), [("Bob".to_owned(), 1)]);
    }

    #[test]
    fn last_name_wins() {
        let mut registry = NameRegistry::default();
        registry.set_name(identity(1), name("Ada"), &[identity(10)]);
        (100..2000)
            .for_each(|n| _ = registry.set_name(identity(n), name("greedy"), &[identity(11)]));
        assert_eq!(
            names(&registry),
            [("Ada".to_owned(), 1), ("greedy".to_owned(), 1)]
        );
    }

    #[test]
    fn oldest_name_is_removed_at_limit() {
        let mut registry = NameRegistry::default();
        let max = u32::try_from(MAX_PEOPLE).unwrap();
        for n in 0..max {
            registry.set_name(identity(n), name("someone"), &[identity(1_000_000 + n)]);
        }
        registry.set_name(identity(0), name("still here"), &[]);
        registry.set_name(identity(max), name("new"), &[]);
        assert_eq!(
            (registry.people.len(), registry.by_age.len()),
            (MAX_PEOPLE, MAX_PEOPLE)
        );
        assert_eq!(
            registry.owners.len(),
            MAX_PEOPLE - 1,
            "a removed person leaves no volunteers"
        );
        let names = names(&registry);
        assert!(
            names.contains(&("still here".to_owned(), 1)) && names.contains(&("new".to_owned(), 0))
        );
    }

    #[test]
    fn newest_volunteers_stay_at_limit() {
        let mut registry = NameRegistry::default();
        let many: Vec<_> = (0..1000).map(identity).collect();
        registry.set_name(identity(5), name("many"), &many);
        assert!(
            registry
                .people()
                .all(|(_, entry)| entry.volunteers.len() <= MAX_VOLUNTEERS)
        );
        registry.set_name(identity(5), name("many"), &[identity(5000)]);
        let (_, entry) = registry
            .people()
            .find(|(person, _)| *person == identity(5))
            .expect("a person");
        assert!(entry.volunteers.contains(&identity(5000)));
    }
}
