use super::*;
use crate::direction::DirectionFamily;
use crate::random::Stream;
use crate::schedule::Decay;

fn optimizer(d: usize, rule: Rule, decay: Decay) -> FarSign {
    let directions = DirectionSpec::new(DirectionFamily::Coordinate, d, d).unwrap();
    let step_size = StepSize {
        initial: 0.01,
        decay,
    };
    FarSign::new(FarSignOptions::new(&vec![0.0; d], directions, step_size, rule).unwrap())
}

fn signs(y: &[f32]) -> SignBits {
    let mut signs = SignBits::default();
    signs.copy_from(y, 0);
    signs
}

/// Distance from the target after minimizing `|x - target|^2 / 2` with noisy gradients and sign-flipping attackers.
fn distance_after(rule: Rule, updates: u64, attackers: u64, senders: u64) -> f32 {
    let target: Vec<f32> = (0..40).map(|i| (i as f32 - 20.0) / 20.0).collect();
    let mut optimizer = optimizer(
        40,
        rule,
        Decay::Cosine {
            horizon: updates as f64 * 1.01,
        },
    );
    let mut stream = Stream::new(11);
    for _ in 0..updates {
        let sender = stream.below(senders);
        let sign = if sender < attackers { -1.0 } else { 1.0 };
        let noisy = |(x, t): (&f32, &f32)| sign * (x - t + 0.2 * (stream.unit() - 0.5));
        let gradient: Vec<f32> = optimizer
            .parameters()
            .iter()
            .zip(&target)
            .map(noisy)
            .collect();
        let signs = signs(&gradient);
        let volunteer = VolunteerId(sender);
        optimizer
            .apply(SignUpdate {
                volunteer,
                direction_seed: 0,
                trust: 1.0,
                signs: &signs,
            })
            .unwrap();
    }
    let squares = optimizer
        .parameters()
        .into_iter()
        .zip(&target)
        .map(|(x, t)| (x - t) * (x - t));
    (squares.sum::<f32>() / 40.0).sqrt()
}

#[test]
fn rules_tolerate_minority_of_attackers() {
    for rule in [
        Rule::Plain,
        Rule::Vote {
            gamma: 0.04,
            direction_seed: 0,
        },
    ] {
        let clean = distance_after(rule, 3000, 0, 10);
        let attacked = distance_after(rule, 3000, 3, 10);
        assert!(clean < 0.02, "{rule:?}: {clean} away after a clean run");
        assert!(
            attacked < 0.05,
            "{rule:?}: {attacked} away with 3 attackers of 10"
        );
        let captured = distance_after(rule, 3000, 7, 10);
        assert!(
            captured > 0.5,
            "{rule:?}: 7 attackers of 10 should win, yet {captured} away"
        );
    }
}

#[test]
fn update_moves_each_direction_one_step() {
    let mut optimizer = optimizer(9, Rule::Plain, Decay::Constant);
    let signs = signs(&[1.0; 9]);
    let update = SignUpdate {
        volunteer: VolunteerId(1),
        direction_seed: 5,
        trust: 1.0,
        signs: &signs,
    };
    let applied = optimizer.apply(update).unwrap();
    assert_eq!(
        applied,
        Applied {
            update: 1,
            weight: 1.0,
            alpha: 0.01
        }
    );
    let step = optimizer.step_units() as i32;
    assert!(optimizer.x().iter().all(|x| *x == -step));
}

#[test]
fn rejected_update_changes_nothing() {
    let mut optimizer = optimizer(9, Rule::Plain, Decay::Cosine { horizon: 1.0 });
    let short = signs(&[1.0; 8]);
    let right = signs(&[1.0; 9]);
    let from = |signs| SignUpdate {
        volunteer: VolunteerId(1),
        direction_seed: 5,
        trust: 1.0,
        signs,
    };
    assert_eq!(
        optimizer.apply(from(&short)),
        Err(ApplyError::SignCount {
            expected: 9,
            found: 8
        })
    );
    assert_eq!(optimizer.accepted(), 0);
    optimizer.apply(from(&right)).unwrap();
    let before = optimizer.x().to_vec();
    assert_eq!(optimizer.apply(from(&right)), Err(ApplyError::Finished));
    assert_eq!((optimizer.x(), optimizer.accepted()), (&before[..], 1));
}

#[test]
fn trust_scales_step_and_clock() {
    let mut optimizer = optimizer(9, Rule::Plain, Decay::Cosine { horizon: 100.0 });
    let signs = signs(&[1.0; 9]);
    let update = SignUpdate {
        volunteer: VolunteerId(1),
        direction_seed: 5,
        trust: 0.25,
        signs: &signs,
    };
    assert_eq!(optimizer.apply(update).unwrap().weight, 0.25);
    assert!(
        optimizer
            .parameters()
            .iter()
            .all(|x| (x + 0.0025).abs() < 1e-4)
    );
    assert_eq!(optimizer.progress(), Some(0.0025));
}

#[test]
fn invalid_trust_is_rejected() {
    let mut optimizer = optimizer(9, Rule::Plain, Decay::Constant);
    let signs = signs(&[1.0; 9]);
    for trust in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        let update = SignUpdate {
            volunteer: VolunteerId(1),
            direction_seed: 5,
            trust,
            signs: &signs,
        };
        let error = optimizer.apply(update).unwrap_err();
        assert!(
            matches!(error, ApplyError::Trust { .. }),
            "{trust}: {error}"
        );
        assert_eq!(optimizer.accepted(), 0, "{trust}");
    }
}

#[test]
fn rollback_moves_only_parameters() {
    let mut optimizer = optimizer(9, Rule::Plain, Decay::Constant);
    let up = signs(&[1.0; 9]);
    let short = signs(&[1.0; 8]);
    let from = |signs| SignUpdate {
        volunteer: VolunteerId(1),
        direction_seed: 5,
        trust: 1.0,
        signs,
    };
    optimizer.apply(from(&up)).unwrap();
    let step = optimizer.last_step().clone();
    let wrong = |scale, signs: &SignBits| Step {
        direction_seed: 5,
        scale,
        signs: signs.clone(),
    };
    assert_eq!(
        optimizer.rollback(&wrong(1.0, &short)),
        Err(RollbackError::SignCount {
            expected: 9,
            found: 8
        })
    );
    assert_eq!(
        optimizer.rollback(&wrong(f32::INFINITY, &up)),
        Err(RollbackError::Scale {
            found: f32::INFINITY
        })
    );
    assert!(
        optimizer.last_step() == &step
            && optimizer
                .parameters()
                .iter()
                .all(|x| (x + 0.01).abs() < 1e-4)
    );
    let before = FarSignState {
        x: vec![0; 9],
        ..optimizer.state()
    };
    let reverse = Step {
        scale: -step.scale,
        ..step
    };
    optimizer.rollback(&reverse).unwrap();
    assert_eq!(
        (optimizer.state(), optimizer.last_step()),
        (before, &reverse)
    );
}

#[test]
fn step_out_of_range_is_rejected() {
    let mut optimizer = optimizer(9, Rule::Plain, Decay::Constant);
    let signs = signs(&[-1.0; 9]);
    let update = SignUpdate {
        volunteer: VolunteerId(1),
        direction_seed: 5,
        trust: 1.0,
        signs: &signs,
    };
    optimizer.apply(update).unwrap();
    let step = optimizer.last_step().clone();
    optimizer.x[4] = i32::MAX - 10;
    optimizer.room = 10;
    let before = optimizer.state();
    let rejected = optimizer.apply(update);
    assert!(
        matches!(rejected, Err(ApplyError::Reach { max: 10, .. })),
        "{rejected:?}"
    );
    let rejected = optimizer.rollback(&step);
    assert!(
        matches!(rejected, Err(RollbackError::Reach { max: 10, .. })),
        "{rejected:?}"
    );
    assert_eq!(optimizer.state(), before);
}

#[test]
fn steps_add_up_in_any_order() {
    let vote = Rule::Vote {
        gamma: 0.1,
        direction_seed: 3,
    };
    let families = [
        DirectionFamily::Coordinate,
        DirectionFamily::Hadamard { block: 8 },
        DirectionFamily::Rademacher,
        DirectionFamily::Sparse { nonzeros: 2 },
    ];
    for (family, rule) in families
        .into_iter()
        .zip([Rule::Plain, vote].into_iter().cycle())
    {
        let directions = DirectionSpec::new(family, 5, 11).unwrap();
        let step_size = StepSize {
            initial: 0.01,
            decay: Decay::Constant,
        };
        let options = FarSignOptions::new(&[0.1; 11], directions, step_size, rule).unwrap();
        let mut x = options.x.clone();
        let mut optimizer = FarSign::new(options);
        let mut stream = Stream::new(12);
        let mut steps = Vec::new();
        for n in 0..50 {
            let y: Vec<f32> = (0..5).map(|_| stream.unit() - 0.5).collect();
            let update = SignUpdate {
                volunteer: VolunteerId(stream.below(4)),
                direction_seed: n,
                trust: 1.0,
                signs: &signs(&y),
            };
            optimizer.apply(update).unwrap();
            steps.push(optimizer.last_step().clone());
        }
        let mut drawn = Directions::new(directions, 0);
        for step in steps.iter().rev() {
            step.take(&mut drawn, optimizer.fixed_point(), &mut x);
        }
        assert_eq!(x, optimizer.x(), "{family:?}");
    }
}

#[test]
fn vote_follows_recent_majority() {
    let rule = Rule::Vote {
        gamma: 0.2,
        direction_seed: 0,
    };
    let mut optimizer = optimizer(1, rule, Decay::Constant);
    let up = signs(&[1.0]);
    let down = signs(&[-1.0]);
    for n in 0..60 {
        let signs = if n % 3 == 0 { &down } else { &up };
        let volunteer = VolunteerId(n % 3);
        optimizer
            .apply(SignUpdate {
                volunteer,
                direction_seed: 0,
                trust: 1.0,
                signs,
            })
            .unwrap();
    }
    // Two of three vote up, so nearly all sixty steps go down, not just a net third.
    let x = optimizer.parameters()[0];
    assert!(x < -0.4, "x is {x}");
}
