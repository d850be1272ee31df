//! Which updates are verified, and with which others.

use super::*;
use crate::fixed_point::FixedPoint;
use crate::random::Stream;
use crate::task::TaskId;
use crate::version::Grid;

#[test]
fn updates_are_sampled_uniformly() {
    let mut stream = Stream::new(5);
    let gaps: Vec<_> = (0..100_000)
        .map(|_| sample_gap(0.1, stream.bits()))
        .collect();
    // At every position, a tenth of the gaps that reach it end there.
    for position in 0..12 {
        let later = gaps
            .iter()
            .filter(|p| p.is_none_or(|p| p >= position))
            .count() as f64;
        let here = gaps.iter().filter(|p| **p == Some(position)).count() as f64;
        assert!(
            (here / later - 0.1).abs() < 0.01,
            "seed 5, position {position}: {here} of {later}"
        );
    }
    assert_eq!(sample_gap(1.0, u64::MAX), Some(0));
    assert_eq!(sample_gap(1.0, 0), Some(0));
}

#[test]
fn recomputed_fraction_matches_chains() {
    let mut stream = Stream::new(6);
    for probability in [0.02, 0.12, 0.5, 1.0] {
        let (mut tasks, mut recomputed) = (0, 0);
        for _ in 0..20_000 {
            let length = 4 + stream.below(9);
            let mut chain = VerificationChain::default();
            let gap = sample_gap(probability, stream.bits());
            let next = || sample_gap(probability, stream.bits());
            let segments = segments(&mut chain, gap, 1..=length, |_| true, next);
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

fn task(n: u64) -> Task {
    Task {
        id: TaskId(n),
        version: version().hash(),
        minibatch_seed: 0,
        direction_seed: 0,
        coin_seed: 0,
        images: 1,
        shards: 1,
        reset_momentum: n == 1,
    }
}

fn begins(gap: u32) -> ChainStart {
    ChainStart { gap: Some(gap) }
}

fn issue_with(chain: &mut VerificationChain, n: u64, begins: Option<ChainStart>) -> bool {
    chain.on_task(&task(n), begins, &Arc::new(version()))
}

/// Issues task `n`. The first begins a chain with this gap.
fn issue(chain: &mut VerificationChain, n: u64, gap: Option<u32>) {
    issue_with(chain, n, (n == 1).then_some(ChainStart { gap }));
}

/// The tasks of the segment that each update returns, in a chain with this gap.
fn segments(
    chain: &mut VerificationChain,
    gap: Option<u32>,
    tasks: std::ops::RangeInclusive<u64>,
    can_verify: impl Fn(u64) -> bool,
    mut next: impl FnMut() -> Option<u32>,
) -> Vec<Vec<u64>> {
    let segment = |n| {
        issue(chain, n, gap);
        match chain.on_update(&SignBits::default(), can_verify(n), &mut next) {
            Sampled::Verify(segment) => segment
                .updates
                .iter()
                .map(|update| update.task.id.0)
                .collect(),
            Sampled::No | Sampled::Deferred | Sampled::Skipped => Vec::new(),
        }
    };
    tasks.map(segment).collect()
}

#[test]
fn chain_returns_each_update_once() {
    let mut chain = VerificationChain::default();
    let mut next = [Some(1), None].into_iter();
    let next = || next.next().unwrap();
    let segments = segments(&mut chain, Some(2), 1..=7, |_| true, next);
    assert_eq!(
        segments,
        [
            vec![],
            vec![],
            vec![1, 2, 3],
            vec![],
            vec![4, 5],
            vec![],
            vec![]
        ]
    );
    assert!(!chain.is_recording());
}

#[test]
fn deferred_update_is_verified_later() {
    let mut chain = VerificationChain::default();
    let can_verify = |n| n != 1 && n != 2;
    let segments = segments(&mut chain, Some(0), 1..=4, can_verify, || Some(0));
    assert_eq!(segments, [vec![], vec![], vec![1, 2, 3], vec![4]]);
}

/// The tasks of a segment, with whether each has an update.
fn tasks(sampled: Sampled) -> Vec<(u64, bool)> {
    match sampled {
        Sampled::Verify(segment) => segment
            .updates
            .iter()
            .map(|update| (update.task.id.0, update.signs.is_some()))
            .collect(),
        other => panic!("expected a segment, found {other:?}"),
    }
}

#[test]
fn open_reset_keeps_chain_before() {
    // The second task resets the momentum while the first is open.
    let mut chain = VerificationChain::default();
    issue_with(&mut chain, 1, Some(begins(0)));
    issue_with(&mut chain, 2, Some(begins(1)));
    let first = chain.on_update(&SignBits::default(), true, || None);
    assert_eq!(tasks(first), [(1, true)]);
    issue_with(&mut chain, 3, None);
    let second = chain.on_update(&SignBits::default(), true, || None);
    assert!(matches!(second, Sampled::No));
    let third = chain.on_update(&SignBits::default(), true, || None);
    assert_eq!(tasks(third), [(2, true), (3, true)]);
}

#[test]
fn rejected_update_continues_chain() {
    let mut chain = VerificationChain::default();
    issue_with(&mut chain, 1, Some(begins(0)));
    issue_with(&mut chain, 2, None);
    chain.on_rejected();
    let second = chain.on_update(&SignBits::default(), true, || None);
    assert_eq!(tasks(second), [(1, false), (2, true)]);
}

#[test]
fn stop_lasts_until_reset() {
    let mut chain = VerificationChain::default();
    issue_with(&mut chain, 1, Some(begins(1)));
    let update =
        |chain: &mut VerificationChain| chain.on_update(&SignBits::default(), true, || Some(0));
    assert!(matches!(update(&mut chain), Sampled::No));
    issue_with(&mut chain, 2, None);
    issue_with(&mut chain, 3, Some(begins(0)));
    chain.stop();
    assert!(
        matches!(update(&mut chain), Sampled::No),
        "the chain goes past its sampled update"
    );
    assert_eq!(tasks(update(&mut chain)), [(3, true)]);
    issue_with(&mut chain, 4, Some(begins(0)));
    chain.stop_all();
    assert!(!issue_with(&mut chain, 5, None));
    assert!(issue_with(&mut chain, 6, Some(begins(0))));
    assert!(
        matches!(update(&mut chain), Sampled::No),
        "the open reset keeps its version"
    );
    assert!(matches!(update(&mut chain), Sampled::No));
    assert_eq!(tasks(update(&mut chain)), [(6, true)]);
}

#[test]
fn attack_between_resets_is_detected() {
    let mut stream = Stream::new(8);
    for probability in [0.02, 0.12, 0.5, 1.0] {
        // Number of intervals of twelve in which the update at each position is recomputed.
        let mut covered = [0u32; 12];
        for _ in 0..20_000 {
            let mut chain = VerificationChain::default();
            let gap = sample_gap(probability, stream.bits());
            let next = || sample_gap(probability, stream.bits());
            let segments = segments(&mut chain, gap, 1..=12, |_| true, next);
            segments
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
                "seed 8, {probability}, {position}: {found}, not {expected}"
            );
        }
    }
}
