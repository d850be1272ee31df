//! Names of people. www/js/panels/person-name.js applies the same rule.
//!
//! ```text
//!   name     = (cluster | punctuation)+                      in NFC, with single spaces between words
//!   cluster  = letter or digit, then up to five combining marks
//!   joiner   = ZWJ or ZWNJ within a cluster of Arabic or an Indic script: after a virama, or before a letter or mark of
//!              these scripts, which spell words with it
//! ```
//!
//! Everything else that is invisible or changes the direction of text is excluded, so that no name can imitate or
//! disfigure another one.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// A name that may be shown to everyone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

/// An invalid name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum NameError {
    #[error("expected a name of 1 to {max} characters, found none", max = Name::MAX_CHARACTERS)]
    Empty,
    #[error("expected a name of 1 to {max} characters, found {found}", max = Name::MAX_CHARACTERS)]
    Long { found: usize },
    /// The name contains something else than [`Name`] allows, or allows in this place.
    #[error(
        "expected letters with at most {max} marks each, digits, spaces, hyphens, dots and apostrophes in a name, \
         found {found:?}",
        max = Name::MAX_MARKS
    )]
    Character { found: char },
}

/// The space, `_`, the hyphens, dots and apostrophes of keyboards, and the characters that UAX #31 lists for the inside
/// of words: middle dots, the Hebrew geresh and gershayim, the Tibetan tsheg, and the katakana hyphen.
const PUNCTUATION: [char; 17] = [
    ' ', '_', '-', '.', '\'', '\u{2018}', '\u{2019}', '\u{b7}', '\u{58a}', '\u{5f3}', '\u{5f4}',
    '\u{f0b}', '\u{2010}', '\u{2011}', '\u{2027}', '\u{30a0}', '\u{30fb}',
];

/// Letters and marks that are invisible, such as the Hangul fillers and the variation selectors.
const INVISIBLE: [RangeInclusive<char>; 8] = [
    '\u{34f}'..='\u{34f}',
    '\u{115f}'..='\u{1160}',
    '\u{17b4}'..='\u{17b5}',
    '\u{180b}'..='\u{180f}',
    '\u{3164}'..='\u{3164}',
    '\u{fe00}'..='\u{fe0f}',
    '\u{ffa0}'..='\u{ffa0}',
    '\u{e0100}'..='\u{e01ef}',
];

/// Marks that enclose a letter instead of spelling it.
const ENCLOSING: [RangeInclusive<char>; 5] = [
    '\u{488}'..='\u{489}',
    '\u{1abe}'..='\u{1abe}',
    '\u{20dd}'..='\u{20e0}',
    '\u{20e2}'..='\u{20e4}',
    '\u{a670}'..='\u{a672}',
];

/// The blocks of Arabic, its neighbours and the Indic scripts.
const JOINABLE: RangeInclusive<char> = '\u{600}'..='\u{dff}';

/// The marks of the Indic scripts that remove a vowel.
const VIRAMAS: [char; 12] = [
    '\u{94d}', '\u{9cd}', '\u{a4d}', '\u{acd}', '\u{b4d}', '\u{bcd}', '\u{c4d}', '\u{ccd}',
    '\u{d3b}', '\u{d3c}', '\u{d4d}', '\u{dca}',
];

/// The part of a character in a name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Letter,
    Mark,
    Joiner,
    Punctuation,
}

impl Part {
    /// Classifies a character. `None` if names must not contain it.
    fn of(character: char) -> Option<Self> {
        let is_in = |ranges: &[RangeInclusive<char>]| ranges.iter().any(|r| r.contains(&character));
        match character {
            '\u{200c}' | '\u{200d}' => Some(Self::Joiner),
            _ if PUNCTUATION.contains(&character) => Some(Self::Punctuation),
            _ if is_in(&INVISIBLE) || is_in(&ENCLOSING) => None,
            _ if is_combining_mark(character) => Some(Self::Mark),
            _ if character.is_alphanumeric() => Some(Self::Letter),
            _ => None,
        }
    }
}

impl Name {
    /// Characters of a name, without marks and joiners.
    pub const MAX_CHARACTERS: usize = 20;

    /// Combining marks after one letter. Burmese uses five; more would cover the lines above and below.
    pub const MAX_MARKS: usize = 5;
}

/// Returns the first character that is not allowed in its place.
fn find_invalid(name: &str) -> Option<char> {
    // The letter that marks and joiners belong to, the number of its marks, and the character before.
    let mut letter = None;
    let mut marks = 0;
    let mut previous = None;
    let mut characters = name.chars().peekable();
    while let Some(character) = characters.next() {
        match Part::of(character) {
            Some(Part::Letter) => (letter, marks) = (Some(character), 0),
            Some(Part::Punctuation) => letter = None,
            Some(Part::Mark) if letter.is_some() && marks < Name::MAX_MARKS => marks += 1,
            Some(Part::Joiner) if joins(letter, previous, characters.peek().copied()) => {}
            _ => return Some(character),
        }
        previous = Some(character);
    }
    None
}

/// Returns whether a joiner may stand between these characters, in the cluster of `letter`.
fn joins(letter: Option<char>, previous: Option<char>, next: Option<char>) -> bool {
    let is_joinable = |character: Option<char>| {
        character.is_some_and(|c| {
            JOINABLE.contains(&c) && matches!(Part::of(c), Some(Part::Letter | Part::Mark))
        })
    };
    let is_after_virama = previous.is_some_and(|c| VIRAMAS.contains(&c));
    let is_doubled = previous.is_none_or(|c| Part::of(c) == Some(Part::Joiner));
    is_joinable(letter) && !is_doubled && (is_after_virama || is_joinable(next))
}

impl FromStr for Name {
    type Err = NameError;

    /// Composes marks with their letters (NFC), trims the name, and replaces several spaces between words by one.
    fn from_str(text: &str) -> Result<Self, NameError> {
        let composed: String = text.nfc().collect();
        let name = composed.split_whitespace().collect::<Vec<_>>().join(" ");
        let counts =
            |character: &char| !matches!(Part::of(*character), Some(Part::Mark | Part::Joiner));
        match (name.chars().filter(counts).count(), find_invalid(&name)) {
            _ if name.is_empty() => Err(NameError::Empty),
            (found, _) if found > Self::MAX_CHARACTERS => Err(NameError::Long { found }),
            (_, Some(found)) => Err(NameError::Character { found }),
            (_, None) => Ok(Self(name)),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<String, NameError> {
        text.parse().map(|name: Name| name.to_string())
    }

    #[test]
    fn name_is_trimmed() {
        for (text, expected) in [
            ("Ada", "Ada"),
            ("  Ada \n Lovelace ", "Ada Lovelace"),
            ("Zoë-7 o'B.", "Zoë-7 o'B."),
            ("佐藤\u{3000}健", "佐藤 健"),
        ] {
            assert_eq!(parse(text), Ok(expected.to_owned()));
        }
    }

    #[test]
    fn names_of_many_scripts_are_valid() {
        for name in [
            "क्षितिज",
            "श्री\u{200d}निवास",
            "สมหญิง",
            "Nguyễn Thị Hằng",
            "محمّد",
            "علی\u{200c}رضا",
            "র\u{200d}\u{9cd}যান",
            "അനില\u{d4d}\u{200d}",
            "רָחֵל",
            "ကြွေးကြော်",
            "བསོད་ནམས",
            "ジョン・スミス",
            "Αθηνά",
            "Gal·la",
            "Anne\u{2010}Marie",
            "Oʻktam",
            "O\u{2019}Brien",
            "D\u{2bc}Angelo",
            "d'Arc",
        ] {
            assert_eq!(parse(name), Ok(name.nfc().collect()), "{name}");
        }
    }

    #[test]
    fn decomposed_name_equals_composed_one() {
        assert_eq!(parse("Nguye\u{302}\u{303}n"), parse("Nguyễn"));
        assert_eq!(parse("Zoe\u{308}"), Ok("Zoë".to_owned()));
    }

    #[test]
    fn marks_do_not_count_as_characters() {
        let thai = "กี่".repeat(20);
        assert_eq!(parse(&thai), Ok(thai.clone()));
        assert_eq!(parse(&"กี่".repeat(21)), Err(NameError::Long { found: 21 }));
    }

    #[test]
    fn invalid_name_is_an_error() {
        assert_eq!(parse(" \t"), Err(NameError::Empty));
        assert_eq!(parse(&"x".repeat(21)), Err(NameError::Long { found: 21 }));
        for found in [
            '<', '&', '"', '\u{202e}', '\u{2066}', '\u{200b}', '\u{200d}', '\u{3164}', '\u{ffa0}',
            '\u{fe0f}', '\u{34f}', '\u{20dd}', '\0', '@', '/',
        ] {
            assert_eq!(
                parse(&format!("a{found}b")),
                Err(NameError::Character { found })
            );
        }
    }

    #[test]
    fn misplaced_mark_is_an_error() {
        for (text, found) in [
            ("\u{301}a", '\u{301}'),
            ("a \u{301}", '\u{301}'),
            ("a\u{94d}\u{94d}\u{94d}\u{94d}\u{94d}\u{94d}", '\u{94d}'),
            ("ab\u{200d}", '\u{200d}'),
            ("क\u{200d}", '\u{200d}'),
            ("क\u{200d} ष", '\u{200d}'),
            ("क\u{94d}\u{200d}\u{200d}ष", '\u{200d}'),
            (
                "क\u{94d}\u{200d}\u{94d}\u{200d}\u{94d}\u{94d}\u{94d}\u{94d}",
                '\u{94d}',
            ),
        ] {
            assert_eq!(parse(text), Err(NameError::Character { found }), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn accepted_name_is_unchanged_and_visible(text in "[\\PC\\p{M}\u{200c}\u{200d}]{0,24}") {
            if let Ok(name) = parse(&text) {
                prop_assert_eq!(parse(&name), Ok(name.clone()));
                let is_hidden = |c: char| matches!(c, '\u{200b}' | '\u{200e}'..='\u{202e}' | '\u{2060}'..='\u{206f}');
                prop_assert!(!name.contains(is_hidden), "{name:?}");
                prop_assert!(!name.starts_with(is_combining_mark), "{name:?}");
            }
        }

        #[test]
        fn normal_forms_are_one_name(text in "[\\p{L}\\p{M} ’']{1,12}") {
            let decomposed: String = text.nfd().collect();
            prop_assert_eq!(parse(&text), parse(&decomposed));
        }
    }
}
