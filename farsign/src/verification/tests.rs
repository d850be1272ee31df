//! Which updates are verified, and with which others.

use super::*;
use crate::fixed_point::FixedPoint;
use crate::random::Stream;
use crate::task::TaskId;
use crate::version::Grid;

const KEY: Key = Key::new([5; 32]);

#[test]
fn updates_are_sampled_with_probability() {
    for probability in [0.02, 0.12, 0.5] {
        let sampled: Vec<bool> = (1..=100_000)
            .map(|update| is_sampled(&KEY, update, probability))
            .collect();
        let fraction = |sampled: &mut dyn Iterator<Item = bool>| {
            let (count, hits) = sampled.fold((0, 0), |(count, hits), hit| {
                (count + 1, hits + u32::from(hit))
            });
            f64::from(hits) / f64::from(count)
        };
        // Also of those after a sampled update, and of every tenth.
        let after = sampled.windows(2).filter(|pair| pair[0]);
        for found in [
            fraction(&mut sampled.iter().copied()),
            fraction(&mut after.map(|pair| pair[1])),
            fraction(&mut sampled.iter().copied().step_by(10)),
        ] {
            assert!(
                (found - probability).abs() < 0.02,
                "{found} of {probability}"
            );
        }
    }
    assert!((1..1000).all(|update| is_sampled(&KEY, update, 1.0)));
}

#[test]
fn recomputed_fraction_matches_chains() {
    let mut stream = Stream::new(6);
    for probability in [0.02, 0.12, 0.5, 1.0] {
        let (mut tasks, mut recomputed) = (0, 0);
        for chain in 0..20_000 {
            let length = 4 + stream.below(9);
            let is_sampled = |n| is_sampled(&KEY, 12 * chain + n, probability);
            let segments = segments(&mut VerificationChain::default(), 1..=length, is_sampled);
            tasks += length;
            recomputed += segments.iter().flatten().count();
        }
        let found = recomputed as f64 / tasks as f64;
        let expected = recomputed_fraction(probability);
        assert!(
            (found - expected).abs() < 0.01,
            "seed 6, {probability}: {found}, not {expected}"
        );
    }
}

fn version() -> Version {
    let fixed_point = FixedPoint::new(0).unwrap();
    let grid = Grid {
        fixed_point,
        shift: 0,
    };
    Version::round(1, 1, &[5], grid)
}

fn task(n: u64, reset_momentum: bool) -> Task {
    Task {
        id: TaskId(n),
        version: version().hash(),
        minibatch_seed: 0,
        direction_seed: 0,
        coin_seed: 0,
        images: 1,
        shards: 1,
        reset_momentum,
    }
}

/// Records the update of task `n`, or its rejection.
fn push(
    chain: &mut VerificationChain,
    n: u64,
    reset_momentum: bool,
    sampled: Option<bool>,
) -> Lost {
    let update = VerifiableUpdate {
        position: n,
        task: task(n, reset_momentum),
        version: Arc::new(version()).into(),
        signs: sampled.map(|_| Arc::default()),
    };
    chain.push(update, sampled == Some(true))
}

/// The tasks of the segment that is due, with whether each has an update.
fn sampled(chain: &mut VerificationChain) -> Vec<(u64, bool)> {
    let segment = chain.take_sampled();
    let updates = segment.into_iter().flat_map(|segment| segment.updates);
    updates
        .map(|update| (update.task.id.0, update.signs.is_some()))
        .collect()
}

/// The tasks of the segment after each update, in a chain that begins with the first.
fn segments(
    chain: &mut VerificationChain,
    tasks: std::ops::RangeInclusive<u64>,
    is_sampled: impl Fn(u64) -> bool,
) -> Vec<Vec<u64>> {
    let first = *tasks.start();
    let segment = |n| {
        assert_eq!(push(chain, n, n == first, Some(is_sampled(n))), Lost::No);
        sampled(chain).into_iter().map(|(task, _)| task).collect()
    };
    tasks.map(segment).collect()
}

#[test]
fn chain_returns_each_update_once() {
    let mut chain = VerificationChain::default();
    let segments = segments(&mut chain, 1..=7, |n| n == 3 || n == 5);
    let none = Vec::new;
    assert_eq!(
        segments,
        [
            none(),
            none(),
            vec![1, 2, 3],
            none(),
            vec![4, 5],
            none(),
            none()
        ]
    );
}

#[test]
fn sampled_update_waits_for_place() {
    let mut chain = VerificationChain::default();
    assert_eq!(push(&mut chain, 1, true, Some(true)), Lost::No);
    assert_eq!(push(&mut chain, 2, false, Some(false)), Lost::No);
    assert_eq!(sampled(&mut chain), [(1, true), (2, true)]);
    assert_eq!(sampled(&mut chain), []);
}

#[test]
fn reset_loses_waiting_update() {
    let mut chain = VerificationChain::default();
    assert_eq!(push(&mut chain, 1, true, Some(true)), Lost::No);
    assert_eq!(push(&mut chain, 2, true, Some(false)), Lost::Sampled);
    assert_eq!(sampled(&mut chain), []);
}

#[test]
fn rejected_update_continues_chain() {
    let mut chain = VerificationChain::default();
    assert_eq!(push(&mut chain, 1, true, None), Lost::No);
    assert_eq!(push(&mut chain, 2, false, Some(true)), Lost::No);
    assert_eq!(sampled(&mut chain), [(1, false), (2, true)]);
}

#[test]
fn chain_ends_at_missing_task() {
    let mut chain = VerificationChain::default();
    assert_eq!(push(&mut chain, 1, true, Some(true)), Lost::No);
    assert_eq!(push(&mut chain, 3, false, Some(true)), Lost::Sampled);
    assert_eq!(push(&mut chain, 4, false, Some(true)), Lost::No);
    assert_eq!(sampled(&mut chain), []);
    assert_eq!(push(&mut chain, 5, true, Some(true)), Lost::No);
    assert_eq!(sampled(&mut chain), [(5, true)]);
}

#[test]
fn stop_lasts_until_reset() {
    let mut chain = VerificationChain::default();
    _ = push(&mut chain, 1, true, Some(true));
    chain.stop();
    _ = push(&mut chain, 2, false, Some(true));
    assert_eq!(sampled(&mut chain), []);
    _ = push(&mut chain, 3, true, Some(true));
    assert_eq!(sampled(&mut chain), [(3, true)]);
}

#[test]
fn segment_needs_all_versions() {
    let mut chain = VerificationChain::default();
    _ = push(&mut chain, 1, true, Some(true));
    let mut first = chain.take_sampled().expect("a sampled update");
    assert!(first.is_verifiable());
    first.updates[0].version = Attached::default();
    assert!(!first.is_verifiable());
    _ = push(&mut chain, 2, false, Some(true));
    let mut second = chain.take_sampled().expect("a sampled update");
    assert!(second.is_verifiable());
    assert_eq!(second.verified.get().map(Vec::len), Some(1));
    second.verified.0.as_mut().unwrap()[0].version = Attached::default();
    assert!(!second.is_verifiable());
    second.verified = Attached::default();
    assert!(!second.is_verifiable(), "a restored chain");
}

#[test]
fn attack_between_resets_is_detected() {
    for probability in [0.02, 0.12, 0.5, 1.0] {
        // Number of intervals of twelve in which the update at each position is recomputed.
        let mut covered = [0u32; 12];
        for chain in 0..20_000 {
            let is_sampled = |n| is_sampled(&KEY, 12 * chain + n, probability);
            segments(&mut VerificationChain::default(), 1..=12, is_sampled)
                .into_iter()
                .flatten()
                .for_each(|n| covered[n as usize - 1] += 1);
        }
        for (position, covered) in covered.into_iter().enumerate() {
            let chances = 12 - position as i32; // updates whose sampling covers this position
            let expected = 1.0 - libm::pow(1.0 - probability, f64::from(chances));
            let found = f64::from(covered) / 20_000.0;
            assert!(
                (found - expected).abs() < 0.02,
                "{probability}, {position}: {found}, not {expected}"
            );
        }
    }
}
