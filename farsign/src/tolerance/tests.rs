use super::*;

const D: usize = 1000;

fn estimator(d: usize) -> AgreementEstimator {
    let directions = DirectionSpec::new(DirectionFamily::Coordinate, d, d).unwrap();
    AgreementEstimator::new(directions, Order::First, Rule::Plain)
}

/// Volunteers that are wrong about each sign with a probability of their own and send in random order.
struct SimulatedVolunteers {
    stream: Stream,
    truth: Vec<f32>,
    updates: u64,
}

impl SimulatedVolunteers {
    fn new(d: usize, seed: u64) -> Self {
        let mut stream = Stream::new(seed);
        let truth = (0..d).map(|_| stream.unit() - 0.5).collect();
        Self {
            stream,
            truth,
            updates: 0,
        }
    }

    fn send(&mut self, estimator: &mut AgreementEstimator, volunteer: u64, error: f32) {
        let vote = |truth: &f32| {
            if self.stream.unit() < error {
                -truth
            } else {
                *truth
            }
        };
        let votes: Vec<f32> = self.truth.iter().map(vote).collect();
        let mut signs = SignBits::default();
        signs.copy_from(&votes, 0);
        self.updates += 1;
        estimator.observe(
            VolunteerId(volunteer),
            self.updates,
            self.updates - 1,
            &signs,
        );
    }

    fn send_all(&mut self, estimator: &mut AgreementEstimator, updates: usize, errors: &[f32]) {
        for _ in 0..updates {
            let volunteer = self.stream.below(errors.len() as u64);
            self.send(estimator, volunteer, errors[volunteer as usize]);
        }
    }
}

#[test]
fn tolerance_estimate_matches_simulated_error() {
    for (seed, (error, tolerated)) in [
        (0.0, 0.5),
        (0.1, 0.444),
        (0.2, 0.375),
        (0.3, 0.286),
        (0.4, 0.167),
    ]
    .into_iter()
    .enumerate()
    {
        for d in [100, D] {
            let mut estimator = estimator(d);
            let mut volunteers = SimulatedVolunteers::new(d, seed as u64);
            volunteers.send_all(&mut estimator, 500, &[error; 5]);
            let tolerance = estimator.tolerance().expect("enough updates");
            let off = (tolerance.sign_error - f64::from(error)).abs();
            assert!(off < 0.03, "seed {seed}, d {d}: {tolerance:?} for {error}");
            assert!(
                (tolerance.tolerated_fraction - tolerated).abs() < 0.05,
                "seed {seed}, d {d}: {tolerance:?}"
            );
        }
    }
}

#[test]
fn estimate_tracks_growing_error() {
    let mut estimator = estimator(D);
    let mut volunteers = SimulatedVolunteers::new(D, 1);
    volunteers.send_all(&mut estimator, 2000, &[0.1; 5]);
    volunteers.send_all(&mut estimator, 2000, &[0.4; 5]);
    let tolerance = estimator.tolerance().unwrap();
    assert!((tolerance.sign_error - 0.4).abs() < 0.03, "{tolerance:?}");
}

#[test]
fn clear_coordinates_do_not_hide_others() {
    for (seed, (clear, fraction)) in [(0.1, 0.5), (0.0, 0.2), (0.2, 0.7)].into_iter().enumerate() {
        let mut estimator = estimator(D);
        let mut volunteers = SimulatedVolunteers::new(D, seed as u64);
        for _ in 0..1500 {
            let volunteer = volunteers.stream.below(6);
            let mut signs = SignBits::default();
            let vote = |(k, truth): (usize, &f32)| {
                let error = if (k as f32) < fraction * D as f32 {
                    clear
                } else {
                    0.5
                };
                if volunteers.stream.unit() < error {
                    -truth
                } else {
                    *truth
                }
            };
            let votes: Vec<f32> = volunteers.truth.iter().enumerate().map(vote).collect();
            signs.copy_from(&votes, 0);
            volunteers.updates += 1;
            estimator.observe(
                VolunteerId(volunteer),
                volunteers.updates,
                volunteers.updates - 1,
                &signs,
            );
        }
        let error = f64::from(fraction * clear + (1.0 - fraction) * 0.5);
        let tolerance = estimator.tolerance().unwrap();
        assert!(
            (tolerance.sign_error - error).abs() < 0.03,
            "seed {seed}: {tolerance:?} for {error}"
        );
    }
}

/// The truth changes at a hundredth of the coordinates with each update, and updates are thirty updates old.
#[test]
fn stale_updates_raise_sign_error() {
    const STALENESS: u64 = 30;
    let mut estimator = estimator(D);
    let mut stream = Stream::new(7);
    let mut truth = vec![1.0_f32; D];
    let mut past = VecDeque::from([truth.clone()]);
    let mut wrong = 0;
    let mut signs = SignBits::default();
    for update in 1..=2000_u64 {
        let seen = past.front().expect("it is never empty").clone();
        let vote = |truth: &f32| if stream.unit() < 0.1 { -truth } else { *truth };
        let votes: Vec<f32> = seen.iter().map(vote).collect();
        signs.copy_from(&votes, 0);
        if update > 1000 {
            wrong += votes
                .iter()
                .zip(&truth)
                .filter(|(vote, truth)| vote != truth)
                .count();
        }
        estimator.observe(
            VolunteerId(update % 31),
            update,
            (update - 1).saturating_sub(STALENESS),
            &signs,
        );
        (0..D / 100).for_each(|_| {
            let changed = stream.below(D as u64) as usize;
            truth[changed] = if stream.unit() < 0.5 { -1.0 } else { 1.0 };
        });
        past.push_back(truth.clone());
        if past.len() as u64 > STALENESS + 1 {
            past.pop_front();
        }
    }
    let error = wrong as f64 / (1000 * D) as f64;
    assert!(error > 0.18, "staleness adds to the error: {error}");
    let tolerance = estimator.tolerance().unwrap();
    assert!(
        (tolerance.sign_error - error).abs() < 0.03,
        "seed 7: {tolerance:?} for {error}"
    );
}

#[test]
fn random_signs_leave_no_tolerance() {
    let mut estimator = estimator(D);
    let mut volunteers = SimulatedVolunteers::new(D, 2);
    volunteers.send_all(&mut estimator, 1000, &[0.5; 5]);
    let tolerance = estimator.tolerance().unwrap();
    assert!(
        tolerance.sign_error > 0.44 && tolerance.tolerated_fraction < 0.11,
        "{tolerance:?}"
    );
    assert_eq!(
        Tolerance::from_accuracy(0.0),
        Tolerance {
            sign_error: 0.5,
            tolerated_fraction: 0.0
        }
    );
}

#[test]
fn sign_flips_lower_tolerance_estimate() {
    let mut honest = estimator(D);
    let mut mixed = estimator(D);
    SimulatedVolunteers::new(D, 3).send_all(&mut honest, 1000, &[0.1; 5]);
    SimulatedVolunteers::new(D, 3).send_all(&mut mixed, 1000, &[0.1, 0.1, 0.1, 0.1, 0.9]);
    let honest = honest.tolerance().unwrap();
    let mixed = mixed.tolerance().unwrap();
    assert!(
        mixed.tolerated_fraction < honest.tolerated_fraction - 0.05,
        "{honest:?} and {mixed:?}"
    );
}

#[test]
fn same_volunteer_is_not_compared() {
    let mut estimator = estimator(D);
    let mut volunteers = SimulatedVolunteers::new(D, 4);
    volunteers.send(&mut estimator, 1, 0.1);
    (0..1000).for_each(|_| volunteers.send(&mut estimator, 2, 0.1));
    assert_eq!(estimator.pairs.count, MAX_STALENESS);
    assert_eq!(estimator.tolerance(), None);
}

#[test]
fn incomparable_updates_give_no_estimate() {
    let hadamard = DirectionFamily::Hadamard { block: 8 };
    let vote = Rule::Vote {
        gamma: 0.1,
        direction_seed: 1,
    };
    let runs = [
        (
            DirectionFamily::Coordinate,
            D - 1,
            Order::First,
            Rule::Plain,
        ),
        (hadamard, D, Order::First, Rule::Plain),
        (
            DirectionFamily::Coordinate,
            D,
            Order::Zeroth { delta: 0.1 },
            Rule::Plain,
        ),
        (DirectionFamily::Coordinate, D, Order::First, vote),
    ];
    for (family, count, order, rule) in runs {
        let mut estimator =
            AgreementEstimator::new(DirectionSpec::new(family, count, D).unwrap(), order, rule);
        SimulatedVolunteers::new(count, 5).send_all(&mut estimator, 500, &[0.1; 5]);
        assert_eq!(
            estimator.tolerance(),
            None,
            "{family:?}, {count} of {D}, {order:?}, {rule:?}"
        );
    }
}
