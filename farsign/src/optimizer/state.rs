//! Everything an optimizer has to remember, for those who write it down.
//!
//! What decides the next step is the state and the options together; an optimizer that is restored from both goes on
//! bit for bit as if it had never stopped. Buffers and the last step are no part of it.

use crate::activity::{Activity, ActivityError, MemberState};
use crate::optimizer::{FarSign, FarSignOptions};

/// State of a [`FarSign`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FarSignState {
    /// Parameters, `[d]`.
    pub x: Vec<f32>,
    /// `vote`: the running mean of the votes, `[K]`; else empty.
    pub votes: Vec<f32>,
    /// Accepted messages, `n`.
    pub accepted: u64,
    /// Their weights summed, `W`.
    pub weight: f64,
    /// Who sent when, in order of the volunteers' numbers.
    pub members: Vec<MemberState>,
}

/// Why a state is not one of an optimizer with these options.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RestoreError {
    /// The model has another size.
    #[error("expected {expected} parameters, found {found}")]
    Parameters {
        /// `d`.
        expected: usize,
        /// In the state.
        found: usize,
    },
    /// The votes are of another rule or number of directions.
    #[error("expected {expected} votes, found {found}")]
    Votes {
        /// `K` under `vote`, else 0.
        expected: usize,
        /// In the state.
        found: usize,
    },
    /// The clock is negative, infinite or not a number.
    #[error("expected a finite weight of at least 0, found {found}")]
    Weight {
        /// In the state.
        found: f64,
    },
    /// The activity contradicts itself.
    #[error(transparent)]
    Activity(#[from] ActivityError),
}

impl FarSign {
    /// Everything that decides, together with the options, what further messages do.
    pub fn state(&self) -> FarSignState {
        FarSignState {
            x: self.x.clone(),
            votes: self.votes.clone(),
            accepted: self.accepted,
            weight: self.weight,
            members: self.activity.state(),
        }
    }

    /// The optimizer that was in this state; it goes on bit for bit as if it had never stopped. Its parameters are the
    /// state's; those in `options` only say how many there are. It has no last step until it takes one.
    ///
    /// # Errors
    /// When an optimizer with these options cannot have been in this state.
    pub fn restore(options: FarSignOptions, state: FarSignState) -> Result<Self, RestoreError> {
        let mut restored = Self::new(options);
        let FarSignState { x, votes, accepted, weight, members } = state;
        let (expected, found) = (restored.x.len(), x.len());
        if expected != found {
            return Err(RestoreError::Parameters { expected, found });
        }
        let (expected, found) = (restored.votes.len(), votes.len());
        if expected != found {
            return Err(RestoreError::Votes { expected, found });
        }
        if !(weight >= 0.0 && weight.is_finite()) {
            return Err(RestoreError::Weight { found: weight });
        }
        restored.activity = Activity::restore(&members, accepted)?;
        (restored.x, restored.votes, restored.accepted, restored.weight) = (x, votes, accepted, weight);
        Ok(restored)
    }
}

#[cfg(all(test, not(target_family = "wasm")))] // proptest does not run in a browser
mod tests {
    use super::*;
    use crate::direction::{DirectionFamily, DirectionSpec};
    use crate::optimizer::{Contribution, Rule};
    use crate::random::Stream;
    use crate::schedule::{Decay, StepSize};
    use crate::sign::SignBits;
    use crate::step::Step;
    use crate::task::VolunteerId;
    use proptest::prelude::*;

    const D: usize = 37;

    #[derive(Clone, Debug)]
    enum Input {
        Join(u64),
        Leave(u64),
        Contribution { volunteer: u64, seed: u64, trust: f32 },
        Undo { seed: u64, scale: f32 },
    }

    fn input() -> impl Strategy<Value = Input> {
        // Many contributions of many volunteers, so that some become inactive and some weights meet the cap.
        prop_oneof![
            1 => (0u64..30).prop_map(Input::Join),
            1 => (0u64..30).prop_map(Input::Leave),
            20 => (prop_oneof![0u64..3, 0u64..30], any::<u64>(), prop_oneof![Just(1.0f32), 0.05f32..1.0])
                .prop_map(|(volunteer, seed, trust)| Input::Contribution { volunteer, seed, trust }),
            1 => (any::<u64>(), -0.1f32..0.1).prop_map(|(seed, scale)| Input::Undo { seed, scale }),
        ]
    }

    fn rule() -> impl Strategy<Value = Rule> {
        prop_oneof![Just(Rule::Plain), Just(Rule::Vote { gamma: 0.1, direction_seed: 77 })]
    }

    fn options(rule: Rule) -> FarSignOptions {
        let directions = DirectionSpec::new(DirectionFamily::Hadamard { block: 8 }, D, D).unwrap();
        let step_size = StepSize { initial: 0.01, decay: Decay::Cosine { horizon: 300.0 } };
        FarSignOptions { x: vec![0.5; D], directions, step_size, rule }
    }

    fn signs(seed: u64) -> SignBits {
        let mut stream = Stream::new(seed);
        let y: Vec<f32> = (0..D).map(|_| stream.unit() - 0.5).collect();
        let mut signs = SignBits::default();
        signs.set_from(&y, seed);
        signs
    }

    /// What the input did.
    fn put(optimizer: &mut FarSign, input: &Input) -> String {
        match *input {
            Input::Join(volunteer) => optimizer.join(VolunteerId(volunteer)),
            Input::Leave(volunteer) => optimizer.leave(VolunteerId(volunteer)),
            Input::Undo { seed, scale } => {
                optimizer.undo(&Step { direction_seed: seed, scale, signs: signs(seed) }).unwrap();
                return format!("{:?}", optimizer.last_step());
            }
            Input::Contribution { volunteer, seed, trust } => {
                let volunteer = VolunteerId(volunteer);
                let contribution =
                    Contribution { volunteer, direction_seed: seed, trust, signs: &signs(seed) };
                let applied = optimizer.apply(contribution);
                return format!("{applied:?} {:?}", applied.is_ok().then(|| optimizer.last_step()));
            }
        }
        String::new()
    }

    /// The state with floats as bits, so that comparisons are exact.
    fn bits(optimizer: &FarSign) -> (Vec<u32>, Vec<u32>, u64, u64, Vec<MemberState>) {
        let FarSignState { x, votes, accepted, weight, members } = optimizer.state();
        let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect();
        (bits(x), bits(votes), accepted, weight.to_bits(), members)
    }

    proptest! {
        #[test]
        fn a_restored_optimizer_goes_on_as_if_it_had_never_stopped(
            rule in rule(), inputs in prop::collection::vec(input(), 1..600), cut in any::<prop::sample::Index>(),
        ) {
            let (before, after) = inputs.split_at(cut.index(inputs.len()));
            let mut whole = FarSign::new(options(rule));
            before.iter().for_each(|input| _ = put(&mut whole, input));
            let mut restored = FarSign::restore(options(rule), whole.state()).unwrap();
            for input in after {
                prop_assert_eq!(put(&mut restored, input), put(&mut whole, input));
                prop_assert_eq!(restored.active(), whole.active());
            }
            prop_assert_eq!(bits(&restored), bits(&whole));
        }
    }

    #[test]
    fn impossible_states_are_named() {
        let good = FarSign::new(options(Rule::Plain)).state();
        let error = |change: fn(&mut FarSignState)| {
            let mut state = FarSignState { accepted: 9, weight: 3.0, ..good.clone() };
            change(&mut state);
            FarSign::restore(options(Rule::Plain), state).map(|_| ()).unwrap_err().to_string()
        };
        let member = |volunteer, last, sent| MemberState { volunteer: VolunteerId(volunteer), last, sent };
        assert_eq!(error(|state| _ = state.x.pop()), "expected 37 parameters, found 36");
        assert_eq!(error(|state| state.votes.push(0.0)), "expected 0 votes, found 1");
        assert_eq!(error(|state| state.weight = -1.0), "expected a finite weight of at least 0, found -1");
        let activity = |members: &[MemberState]| Activity::restore(members, 9).map(|_| ()).unwrap_err();
        let late = ActivityError::Message { volunteer: VolunteerId(1), accepted: 9, found: 10 };
        assert_eq!(activity(&[member(1, 10, true)]), late);
        assert_eq!(
            activity(&[member(1, 2, true), member(1, 3, true)]),
            ActivityError::Twice { volunteer: VolunteerId(1) }
        );
        let volunteers = [VolunteerId(1), VolunteerId(2)];
        assert_eq!(
            activity(&[member(1, 3, true), member(2, 3, true)]),
            ActivityError::Shared { message: 3, volunteers }
        );
    }
}
