//! The state of an optimizer, for checkpoints.
//!
//! State and options together determine all later steps: an optimizer restored from both continues bit for bit as if it
//! had never stopped. Buffers and the last step are not part of the state.

use crate::optimizer::{FarSign, FarSignOptions};
use crate::weighting::{Activity, ActivityError, SenderState};

/// The state of a [`FarSign`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FarSignState {
    /// Parameters in units, `[d]`.
    pub x: Vec<i32>,
    /// Fraction bits of the unit.
    pub fraction_bits: u8,
    /// `vote`: moving average of the votes, `[K]`; else empty.
    pub votes: Vec<f32>,
    /// Number of accepted updates, `n`.
    pub accepted: u64,
    /// Sum of their weights, `W`, at least 0.
    pub weight: f64,
    /// Activity of the senders, in order of volunteers.
    pub senders: Vec<SenderState>,
}

/// An error in a state, or between a state and its options.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum RestoreError {
    /// A model of another size.
    #[error("expected {expected} parameters, found {found}")]
    Parameters { expected: usize, found: usize },
    /// Votes of another rule or number of directions.
    #[error("expected {expected} votes, found {found}")]
    Votes { expected: usize, found: usize },
    /// A clock that is negative, infinite or NaN.
    #[error("expected a finite weight of at least 0, found {found}")]
    Weight { found: f64 },
    /// Parameters in another unit.
    #[error("expected parameters with {expected} fraction bits, found {found}")]
    FractionBits { expected: u8, found: u8 },
    /// An inconsistent activity.
    #[error(transparent)]
    Activity(#[from] ActivityError),
}

impl FarSign {
    /// Returns the state, which together with the options determines all later steps.
    pub fn state(&self) -> FarSignState {
        FarSignState {
            x: self.x.clone(),
            fraction_bits: self.fixed_point.fraction_bits(),
            votes: self.votes.clone(),
            accepted: self.accepted,
            weight: self.weight,
            senders: self.activity.state(),
        }
    }

    /// Restores an optimizer, which continues bit for bit as if it had never stopped.
    ///
    /// Of the parameters in `options` only the number counts. The last step is empty until the first one.
    ///
    /// # Errors
    ///
    /// Returns an error if the state is inconsistent, or its sizes are not those of `options`.
    pub fn restore(options: FarSignOptions, state: FarSignState) -> Result<Self, RestoreError> {
        let mut restored = Self::new(options);
        let FarSignState {
            x,
            fraction_bits,
            votes,
            accepted,
            weight,
            senders,
        } = state;
        let expected = restored.x.len();
        let found = x.len();
        if expected != found {
            return Err(RestoreError::Parameters { expected, found });
        }
        let expected = restored.votes.len();
        let found = votes.len();
        if expected != found {
            return Err(RestoreError::Votes { expected, found });
        }
        if !(weight >= 0.0 && weight.is_finite()) {
            return Err(RestoreError::Weight { found: weight });
        }
        let expected = restored.fixed_point.fraction_bits();
        if expected != fraction_bits {
            return Err(RestoreError::FractionBits {
                expected,
                found: fraction_bits,
            });
        }
        restored.activity = Activity::restore(&senders, accepted)?;
        (
            restored.x,
            restored.votes,
            restored.accepted,
            restored.weight,
        ) = (x, votes, accepted, weight);
        Ok(restored)
    }
}

#[cfg(all(test, not(target_family = "wasm")))] // proptest does not run in a browser
mod tests {
    use super::*;
    use crate::direction::{DirectionFamily, DirectionSpec};
    use crate::optimizer::{Rule, SignUpdate};
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
        Update {
            volunteer: u64,
            seed: u64,
            trust: f32,
        },
        Rollback {
            seed: u64,
            scale: f32,
        },
    }

    fn input() -> impl Strategy<Value = Input> {
        // Many updates of many volunteers, so that some become inactive and some weights reach the cap.
        prop_oneof![
            1 => (0u64..30).prop_map(Input::Join),
            1 => (0u64..30).prop_map(Input::Leave),
            20 => (prop_oneof![0u64..3, 0u64..30], any::<u64>(), prop_oneof![Just(1.0f32), 0.05f32..1.0])
                .prop_map(|(volunteer, seed, trust)| Input::Update { volunteer, seed, trust }),
            1 => (any::<u64>(), -0.1f32..0.1).prop_map(|(seed, scale)| Input::Rollback { seed, scale }),
        ]
    }

    fn rule() -> impl Strategy<Value = Rule> {
        prop_oneof![
            Just(Rule::Plain),
            Just(Rule::Vote {
                gamma: 0.1,
                direction_seed: 77
            })
        ]
    }

    fn options(rule: Rule) -> FarSignOptions {
        let directions = DirectionSpec::new(DirectionFamily::Hadamard { block: 8 }, D, D).unwrap();
        let step_size = StepSize {
            initial: 0.01,
            decay: Decay::Cosine { horizon: 300.0 },
        };
        FarSignOptions::new(&[0.5; D], directions, step_size, rule).unwrap()
    }

    fn signs(seed: u64) -> SignBits {
        let mut stream = Stream::new(seed);
        let y: Vec<f32> = (0..D).map(|_| stream.unit() - 0.5).collect();
        let mut signs = SignBits::default();
        signs.copy_from(&y, seed);
        signs
    }

    /// Applies an input and describes its effect.
    fn put(optimizer: &mut FarSign, input: &Input) -> String {
        match *input {
            Input::Join(volunteer) => optimizer.join(VolunteerId(volunteer)),
            Input::Leave(volunteer) => optimizer.leave(VolunteerId(volunteer)),
            Input::Rollback { seed, scale } => {
                optimizer
                    .rollback(&Step {
                        direction_seed: seed,
                        scale,
                        signs: signs(seed),
                    })
                    .unwrap();
                return format!("{:?}", optimizer.last_step());
            }
            Input::Update {
                volunteer,
                seed,
                trust,
            } => {
                let volunteer = VolunteerId(volunteer);
                let update = SignUpdate {
                    volunteer,
                    direction_seed: seed,
                    trust,
                    signs: &signs(seed),
                };
                let applied = optimizer.apply(update);
                return format!(
                    "{applied:?} {:?}",
                    applied.is_ok().then(|| optimizer.last_step())
                );
            }
        }
        String::new()
    }

    /// The state with floats as bits, so that comparisons are exact.
    fn bits(optimizer: &FarSign) -> (Vec<i32>, Vec<u32>, u64, u64, Vec<SenderState>) {
        let FarSignState {
            x,
            fraction_bits: _,
            votes,
            accepted,
            weight,
            senders,
        } = optimizer.state();
        let votes = votes.into_iter().map(f32::to_bits).collect();
        (x, votes, accepted, weight.to_bits(), senders)
    }

    proptest! {
        #[test]
        fn restored_optimizer_continues_exactly(
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
    fn inconsistent_states_are_rejected() {
        let good = FarSign::new(options(Rule::Plain)).state();
        let error = |change: fn(&mut FarSignState)| {
            let mut state = FarSignState {
                accepted: 9,
                weight: 3.0,
                ..good.clone()
            };
            change(&mut state);
            FarSign::restore(options(Rule::Plain), state)
                .map(|_| ())
                .unwrap_err()
                .to_string()
        };
        let sender = |volunteer, last, sent| SenderState {
            volunteer: VolunteerId(volunteer),
            last,
            sent,
        };
        assert_eq!(
            error(|state| _ = state.x.pop()),
            "expected 37 parameters, found 36"
        );
        assert_eq!(
            error(|state| state.votes.push(0.0)),
            "expected 0 votes, found 1"
        );
        assert_eq!(
            error(|state| state.weight = -1.0),
            "expected a finite weight of at least 0, found -1"
        );
        let activity =
            |senders: &[SenderState]| Activity::restore(senders, 9).map(|_| ()).unwrap_err();
        let late = ActivityError::UnknownUpdate {
            volunteer: VolunteerId(1),
            accepted: 9,
            found: 10,
        };
        assert_eq!(activity(&[sender(1, 10, true)]), late);
        assert_eq!(
            activity(&[sender(1, 2, true), sender(1, 3, true)]),
            ActivityError::Duplicate {
                volunteer: VolunteerId(1)
            }
        );
        let volunteers = [VolunteerId(1), VolunteerId(2)];
        assert_eq!(
            activity(&[sender(1, 3, true), sender(2, 3, true)]),
            ActivityError::Shared {
                update: 3,
                volunteers
            }
        );
    }
}
