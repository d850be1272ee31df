//! Names that people gave themselves, and whose they are. In memory only.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::str::FromStr;

use crate::admission::identity::Identity;

/// People whose names are kept; the one who said its name longest ago is forgotten first.
pub const MOST_PEOPLE: usize = 1_000;

/// Volunteers that one person may be: a volunteer is a core of a tab.
pub const MOST_VOLUNTEERS: usize = 64;

/// A name fit to be shown to everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

/// A text that is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoName {
    /// Nothing is left without its spaces.
    #[error("expected a name of 1 to {max} characters, found none", max = Name::MOST_CHARACTERS)]
    Empty,
    /// More than [`Name::MOST_CHARACTERS`].
    #[error("expected a name of 1 to {max} characters, found {found}", max = Name::MOST_CHARACTERS)]
    Long {
        /// How many there are.
        found: usize,
    },
    /// Neither a letter that can be seen, nor a digit, a space, or one of `-_.'`.
    #[error("expected letters, digits, spaces and -_.' in a name, found {found:?}")]
    Character {
        /// The first of these.
        found: char,
    },
}

/// Letters that nobody sees: the fillers of Hangul.
const INVISIBLE: [char; 4] = ['\u{115f}', '\u{1160}', '\u{3164}', '\u{ffa0}'];

impl Name {
    /// Most characters of a name.
    pub const MOST_CHARACTERS: usize = 20;
}

impl FromStr for Name {
    type Err = NoName;

    /// Spaces around it are dropped, several between words become one.
    fn from_str(text: &str) -> Result<Self, NoName> {
        let name = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let strange = |letter: &char| {
            !(letter.is_alphanumeric() || " -_.'".contains(*letter)) || INVISIBLE.contains(letter)
        };
        match (name.chars().count(), name.chars().find(strange)) {
            (0, _) => Err(NoName::Empty),
            (found, _) if found > Self::MOST_CHARACTERS => Err(NoName::Long { found }),
            (_, Some(found)) => Err(NoName::Character { found }),
            (_, None) => Ok(Self(name)),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One person: a name, and the volunteers it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is called.
    pub name: Name,
    /// Whose contributions are its own, at most [`MOST_VOLUNTEERS`].
    pub volunteers: Vec<Identity>,
    age: u64,
}

/// Everybody who has a name. A volunteer belongs to one person at most: to the one that claimed it last, as only its
/// owner knows its secret.
#[derive(Debug, Default)]
pub struct Board {
    people: HashMap<Identity, Entry>,
    owners: HashMap<Identity, Identity>,
    /// Who said its name longest ago comes first.
    by_age: BTreeMap<u64, Identity>,
    said: u64,
}

impl Board {
    /// Calls a person by a name, and adds these volunteers to it; of too many those of earlier go. Whether anybody can
    /// tell.
    pub fn name(&mut self, person: Identity, name: Name, volunteers: &[Identity]) -> bool {
        let before = self.forget(person);
        let earlier = before.as_ref().map_or(&[][..], |entry| &entry.volunteers);
        let mut mine: Vec<Identity> = Vec::new();
        for volunteer in volunteers.iter().chain(earlier) {
            if mine.len() < MOST_VOLUNTEERS && !mine.contains(volunteer) {
                mine.push(*volunteer);
            }
        }
        mine.sort_unstable();
        let changed = before.as_ref().is_none_or(|entry| entry.name != name || entry.volunteers != mine);
        for volunteer in &mine {
            let owner = self.owners.insert(*volunteer, person);
            if let Some(owner) = owner.filter(|owner| *owner != person) {
                self.take_from(owner, volunteer);
            }
        }
        self.said += 1;
        self.by_age.insert(self.said, person);
        self.people.insert(person, Entry { name, volunteers: mine, age: self.said });
        if self.people.len() > MOST_PEOPLE
            && let Some((_, &oldest)) = self.by_age.first_key_value()
        {
            self.forget(oldest);
        }
        changed
    }

    /// A volunteer is somebody else's. Who has none left is nobody: or one volunteer could give itself all names in turn,
    /// and push everybody else out.
    fn take_from(&mut self, owner: Identity, volunteer: &Identity) {
        let Some(entry) = self.people.get_mut(&owner) else { return };
        entry.volunteers.retain(|other| other != volunteer);
        if entry.volunteers.is_empty() {
            self.forget(owner);
        }
    }

    /// Forgets a person; what it was, if it was there.
    pub fn forget(&mut self, person: Identity) -> Option<Entry> {
        let entry = self.people.remove(&person)?;
        self.by_age.remove(&entry.age);
        entry.volunteers.iter().for_each(|volunteer| _ = self.owners.remove(volunteer));
        Some(entry)
    }

    /// Everybody.
    pub fn people(&self) -> impl Iterator<Item = (Identity, &Entry)> {
        self.people.iter().map(|(person, entry)| (*person, entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use farsign::task::Secret;

    fn identity(number: u32) -> Identity {
        let mut secret = [0; 16];
        secret[..4].copy_from_slice(&number.to_le_bytes());
        Secret(secret).into()
    }

    fn name(text: &str) -> Name {
        text.parse().expect("a name")
    }

    /// Who is on the board, with the number of its volunteers.
    fn shown(board: &Board) -> Vec<(String, usize)> {
        let row = |(_, entry): (Identity, &Entry)| (entry.name.to_string(), entry.volunteers.len());
        let mut rows: Vec<_> = board.people().map(row).collect();
        rows.sort();
        rows
    }

    #[test]
    fn names_are_short_and_plain() {
        for (text, expected) in
            [("Ada", "Ada"), ("  Ada \n Lovelace ", "Ada Lovelace"), ("Zoë-7 o'B.", "Zoë-7 o'B.")]
        {
            assert_eq!(text.parse::<Name>().map(|name| name.to_string()), Ok(expected.to_owned()));
        }
        assert_eq!(" \t".parse::<Name>(), Err(NoName::Empty));
        assert_eq!("x".repeat(21).parse::<Name>(), Err(NoName::Long { found: 21 }));
        for found in ['<', '&', '"', '\u{202e}', '\u{200b}', '\u{3164}', '\u{ffa0}', '\0', '@', '/'] {
            assert_eq!(format!("a{found}b").parse::<Name>(), Err(NoName::Character { found }));
        }
    }

    #[test]
    fn a_person_is_all_its_volunteers_and_a_volunteer_is_one_persons() {
        let mut board = Board::default();
        let (ada, bob) = (identity(1), identity(2));
        board.name(ada, name("Ada"), &[identity(10), identity(11)]);
        board.name(ada, name("Ada L."), &[identity(11), identity(12)]);
        assert_eq!(shown(&board), [("Ada L.".to_owned(), 3)]);
        board.name(bob, name("Bob"), &[identity(12)]);
        assert_eq!(shown(&board), [("Ada L.".to_owned(), 2), ("Bob".to_owned(), 1)]);
        assert!(board.forget(ada).is_some() && board.forget(ada).is_none());
        assert_eq!(shown(&board), [("Bob".to_owned(), 1)]);
    }

    #[test]
    fn a_volunteer_that_gives_itself_name_after_name_has_the_last_one_only() {
        let mut board = Board::default();
        board.name(identity(1), name("Ada"), &[identity(10)]);
        (100..2000).for_each(|n| _ = board.name(identity(n), name("greedy"), &[identity(11)]));
        assert_eq!(shown(&board), [("Ada".to_owned(), 1), ("greedy".to_owned(), 1)]);
    }

    #[test]
    fn memory_stays_bounded_and_the_oldest_name_goes_first() {
        let mut board = Board::default();
        let most = u32::try_from(MOST_PEOPLE).unwrap();
        for n in 0..most {
            board.name(identity(n), name("someone"), &[identity(1_000_000 + n)]);
        }
        board.name(identity(0), name("still here"), &[]);
        board.name(identity(most), name("new"), &[]);
        assert_eq!((board.people.len(), board.by_age.len()), (MOST_PEOPLE, MOST_PEOPLE));
        assert_eq!(board.owners.len(), MOST_PEOPLE - 1, "what was forgotten is forgotten whole");
        let names = shown(&board);
        assert!(names.contains(&("still here".to_owned(), 1)) && names.contains(&("new".to_owned(), 0)));
        let many: Vec<_> = (0..1000).map(identity).collect();
        board.name(identity(5), name("many"), &many);
        assert!(board.people().all(|(_, entry)| entry.volunteers.len() <= MOST_VOLUNTEERS));
        board.name(identity(5), name("many"), &[identity(5000)]);
        let (_, entry) = board.people().find(|(person, _)| *person == identity(5)).expect("it is there");
        assert!(entry.volunteers.contains(&identity(5000)), "the newest are never those that go");
    }
}
