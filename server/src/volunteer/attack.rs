//! Ways for a volunteer to lie, for demonstrations and tests.
//!
//! Definitions are those of the lab ([`farsign_lab::attack`]), for vectors of signs. A liar here sees what a volunteer
//! sees: its own tasks, the model and the training data, and nothing of other volunteers; where the definition looks at
//! others, it looks at its own latest answers.

use clap::ValueEnum;
use farsign::dataset::Dataset;
use farsign::sign::SignBits;
use farsign_lab::attack::{self, Company, Crowd, Lie};

/// How a volunteer misbehaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Attack {
    /// It does not.
    #[default]
    None,
    /// The opposite of every sign.
    SignFlip,
    /// Random signs.
    Random,
    /// All signs positive.
    Constant,
    /// Its first honest answer, again and again.
    Replay,
    /// What it computes from images with their labels turned round, 9 for 0, 8 for 1 and so on.
    LabelFlip,
    /// Honest where its answers have agreed with each other, the opposite where they have not: a push too small to
    /// stand out (after "A Little Is Enough", Baruch et al. 2019).
    ALittle,
    /// Honest for a while (see --honest-answers), then the opposite of every sign.
    Sleeper,
}

impl Attack {
    /// Every way to lie.
    pub const LIES: [Self; 7] = [
        Self::SignFlip,
        Self::Random,
        Self::Constant,
        Self::Replay,
        Self::LabelFlip,
        Self::ALittle,
        Self::Sleeper,
    ];

    /// Its definition, which is the lab's; none for an honest volunteer.
    fn definition(self, honest_answers: u64) -> Option<attack::Attack> {
        Some(match self {
            Self::None => return None,
            Self::SignFlip => attack::Attack::SignFlip { scale: 1.0 },
            Self::Random => attack::Attack::Random { scale: 1.0 },
            Self::Constant => attack::Attack::Constant { scale: 1.0, positive: true },
            Self::Replay => attack::Attack::Replay,
            Self::LabelFlip => attack::Attack::LabelFlip,
            Self::ALittle => attack::Attack::ALittle { z: Some(1.0) },
            Self::Sleeper => attack::Attack::Sleeper { honest_answers },
        })
    }
}

/// Latest answers of its own that stand in for the honest workers whom a liar of the lab would see.
const COMPANY: u64 = 8;

/// A volunteer's way to lie, and what it remembers for that.
#[derive(Debug)]
pub struct Liar {
    behaviour: Option<attack::Liar>,
    /// Its own latest answers, as vectors of signs.
    seen: Crowd,
    answers: u64,
    answer: Vec<f32>,
}

impl Liar {
    /// One that lies in this way; a `sleeper` after so many honest answers.
    pub fn new(attack: Attack, honest_answers: u64, seed: u64) -> Self {
        let alone = Company { workers: 1, liars: 1 };
        let new = |definition| attack::Liar::new(definition, alone, seed, seed);
        let behaviour = attack.definition(honest_answers).map(new);
        Self { behaviour, seen: Crowd::default(), answers: 0, answer: Vec::new() }
    }

    /// Whether it lies by computing on other data than it was given.
    pub fn poisoned(&self, data: &Dataset) -> Option<Dataset> {
        self.behaviour.as_ref()?.poisoned(data)
    }

    /// What it sends in place of its answer; none when it sends that. `answer` comes from poisoned data where it has
    /// some.
    pub fn lie(&mut self, answer: &SignBits) -> Option<SignBits> {
        let liar = self.behaviour.as_mut()?;
        self.answer.clear();
        self.answer.extend(answer.iter());
        self.seen.see((self.answers % COMPANY) as usize, &self.answer);
        self.answers += 1;
        match liar.lie(&self.answer, &mut self.seen) {
            Lie::Honest => None,
            Lie::Vector(lie) => Some(signs(lie)),
        }
    }
}

fn signs(values: &[f32]) -> SignBits {
    let mut signs = SignBits::default();
    signs.set_from(values, 0);
    signs
}

#[cfg(test)]
mod tests {
    use super::*;
    use farsign::dataset::DatasetParts;

    fn answer(values: &[f32]) -> SignBits {
        signs(values)
    }

    fn sent(liar: &mut Liar, honest: &SignBits) -> SignBits {
        liar.lie(honest).unwrap_or_else(|| honest.clone())
    }

    #[test]
    fn each_attack_sends_what_it_says() {
        let (one, other) = (answer(&[1.0, -1.0, 1.0]), answer(&[-1.0, -1.0, 1.0]));
        let of = |attack| Liar::new(attack, 2, 1);
        assert_eq!(sent(&mut of(Attack::None), &one), one);
        assert_eq!(sent(&mut of(Attack::SignFlip), &one), answer(&[-1.0, 1.0, -1.0]));
        assert_eq!(sent(&mut of(Attack::Constant), &one), answer(&[1.0, 1.0, 1.0]));

        let mut replay = of(Attack::Replay);
        assert_eq!([sent(&mut replay, &one), sent(&mut replay, &other)], [one.clone(), one.clone()]);

        let mut sleeper = of(Attack::Sleeper);
        let three = [(); 3].map(|()| sent(&mut sleeper, &one));
        assert_eq!(three, [one.clone(), one.clone(), one.flipped()]);

        let mut random = of(Attack::Random);
        let long = answer(&[1.0; 64]);
        assert_ne!(sent(&mut random, &long), sent(&mut random, &long));
    }

    #[test]
    fn a_little_lies_only_where_its_answers_disagree() {
        let mut liar = Liar::new(Attack::ALittle, 0, 1);
        let mut last = SignBits::default();
        for n in 0..40 {
            last = sent(&mut liar, &answer(&[1.0, -1.0, if n % 3 == 0 { -1.0 } else { 1.0 }]));
        }
        assert_eq!(last, answer(&[1.0, -1.0, -1.0]), "the third sign is mostly positive");
    }

    #[test]
    fn a_label_flipper_computes_on_labels_turned_round() {
        let parts = DatasetParts { rows: 1, cols: 1, images: vec![1, 2, 3], labels: vec![0, 1, 2] };
        let data = Dataset::from_parts(parts).unwrap();
        let poisoned = Liar::new(Attack::LabelFlip, 0, 1).poisoned(&data).unwrap();
        assert_eq!((poisoned.labels(), poisoned.images()), (&[2, 1, 0][..], data.images()));
        assert!(Liar::new(Attack::SignFlip, 0, 1).poisoned(&data).is_none());
    }
}
