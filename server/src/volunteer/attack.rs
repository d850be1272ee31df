//! Ways for a volunteer to lie, for demonstrations and tests.
//!
//! Definitions follow the literature on Byzantine-robust learning, adapted to answers of one sign per direction. A liar
//! here sees what a volunteer sees: its own tasks, the model and the training data, and nothing of other volunteers.

use clap::ValueEnum;
use farsign::dataset::{Dataset, DatasetParts};
use farsign::random::Stream;
use farsign::sign::SignBits;

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
}

/// Rate at which `a-little` follows its own answers.
const RATE: f32 = 0.2;

/// `a-little` lies about a sign whose running mean is below this.
const CONTESTED: f32 = 0.7;

/// A volunteer's way to lie, and what it remembers for that.
#[derive(Debug)]
pub struct Liar {
    attack: Attack,
    honest_answers: u64,
    answers: u64,
    first: Option<SignBits>,
    /// Running mean of its honest answers, `[K]`.
    mean: Vec<f32>,
    random: Stream,
}

impl Liar {
    /// One that lies in this way; a `sleeper` after so many honest answers.
    pub fn new(attack: Attack, honest_answers: u64, seed: u64) -> Self {
        let random = Stream::new(seed);
        Self { attack, honest_answers, answers: 0, first: None, mean: Vec::new(), random }
    }

    /// Whether it lies by computing on other data than it was given.
    pub fn poisoned(&self, data: &Dataset) -> Option<Dataset> {
        (self.attack == Attack::LabelFlip).then(|| with_labels_turned_round(data))
    }

    /// What it sends in place of its answer; none when it sends that. `answer` comes from poisoned data where it has
    /// some.
    pub fn lie(&mut self, answer: &SignBits) -> Option<SignBits> {
        self.answers += 1;
        match self.attack {
            Attack::None | Attack::LabelFlip => None,
            Attack::SignFlip => Some(answer.flipped()),
            Attack::Random => Some(signs((0..answer.count()).map(|_| self.random.unit() - 0.5))),
            Attack::Constant => Some(signs((0..answer.count()).map(|_| 1.0))),
            Attack::Replay => self.first.replace(self.first.clone().unwrap_or_else(|| answer.clone())),
            Attack::ALittle => {
                self.mean.resize(answer.count(), 0.0);
                answer.combine_into(&mut self.mean, |mean, sign| mean + RATE * (sign - mean));
                Some(signs(self.mean.iter().map(|mean| if mean.abs() < CONTESTED { -mean } else { *mean })))
            }
            Attack::Sleeper => (self.answers > self.honest_answers).then(|| answer.flipped()),
        }
    }
}

fn signs(values: impl Iterator<Item = f32>) -> SignBits {
    let (mut signs, values) = (SignBits::default(), values.collect::<Vec<f32>>());
    signs.set_from(&values, 0);
    signs
}

fn with_labels_turned_round(data: &Dataset) -> Dataset {
    let last = (data.classes() - 1) as u8;
    let labels = data.labels().iter().map(|label| last - label).collect();
    let parts = DatasetParts { rows: data.rows(), cols: data.cols(), images: data.images().to_vec(), labels };
    Dataset::from_parts(parts).expect("other labels of the same classes are as good")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(values: &[f32]) -> SignBits {
        signs(values.iter().copied())
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
