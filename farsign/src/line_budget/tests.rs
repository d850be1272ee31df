use proptest::prelude::*;

use super::*;

const MINUTE: u64 = 60_000;

/// Transfers of connections that share one usage, and the bound that they are compared with.
#[derive(Debug)]
struct Fleet {
    usage: LineUsage,
    allowances: Vec<LineAllowance>,
    /// Time on a clock that is never set, and bytes.
    transfers: Vec<(u64, u64)>,
    limit: u64,
}

impl Fleet {
    fn new(connections: usize, limit: u64) -> Self {
        Self {
            usage: LineUsage::default(),
            allowances: vec![LineAllowance::default(); connections],
            transfers: Vec::new(),
            limit,
        }
    }

    /// Takes a task if the budget allows it, with an update and a reply of this many bytes.
    fn try_task(&mut self, connection: usize, time: u64, clock: u64, frame: u64) -> bool {
        let allowance = &mut self.allowances[connection];
        let needed = allowance.needed_for_task();
        if allowance.left() < needed {
            self.usage.give_back(allowance.end_lease());
            match lease(&mut self.usage, clock, Some(self.limit), needed) {
                Ok(leased) => allowance.begin_lease(leased),
                Err(used) => {
                    assert!(used.resume_at_ms > clock, "a rest ends at once");
                    return false;
                }
            }
        }
        let Transfer {
            uncounted,
            returned,
        } = allowance.transfer(clock, frame);
        self.usage.give_back(returned);
        self.usage.add(clock, uncounted);
        allowance.record_task();
        self.transfers.push((time, frame));
        true
    }

    /// Returns the most bytes of any hour.
    fn max_in_an_hour(&self) -> u64 {
        let in_hour_from = |start: u64| {
            let within = |time: u64| (start..start + WINDOW_MS).contains(&time);
            self.transfers
                .iter()
                .filter(|(time, _)| within(*time))
                .map(|(_, bytes)| bytes)
                .sum()
        };
        self.transfers
            .iter()
            .map(|(start, _)| in_hour_from(*start))
            .max()
            .unwrap_or_default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Every connection may exceed the budget by the one frame that it did not expect.
    #[test]
    fn no_hour_exceeds_budget(
        connections in 1_usize..4,
        limit in MIN_BYTES_PER_HOUR..20_000_000,
        start in 0..=u64::MAX / 2,
        steps in prop::collection::vec((0_usize..4, 0..30 * MINUTE, 1..2_000_000_u64), 1..120),
    ) {
        let mut fleet = Fleet::new(connections, limit);
        let mut time = start;
        for (connection, pause, frame) in steps {
            time += if frame % 3 == 0 { pause } else { pause / 1000 };
            fleet.try_task(connection % connections, time, time, frame);
        }
        let bound = limit + connections as u64 * 2_000_000;
        prop_assert!(fleet.max_in_an_hour() <= bound);
    }

    /// The time on the wall, and a clock that is set back now and then.
    #[test]
    fn clock_set_back_frees_nothing(
        steps in prop::collection::vec((0..10 * MINUTE, 0..90 * MINUTE, 1..2_000_000_u64), 1..120),
    ) {
        let mut fleet = Fleet::new(1, 5_000_000);
        let (mut time, mut clock) = (0, 1_u64 << 40);
        for (pause, set_back, frame) in steps {
            time += pause;
            clock += pause;
            if frame % 8 == 0 {
                clock -= set_back;
            }
            fleet.try_task(0, time, clock, frame);
        }
        prop_assert!(fleet.max_in_an_hour() <= 5_000_000 + 2_000_000);
    }

    /// The end of a rest is the time at which a lease succeeds, and no later.
    #[test]
    fn rest_ends_when_budget_allows(
        transfers in prop::collection::vec((0..5 * MINUTE, 1..3_000_000_u64), 1..80),
        needed in 1..3_000_000_u64,
    ) {
        let limit = 10_000_000;
        let mut usage = LineUsage::default();
        let mut now = 7 * WINDOW_MS;
        for (pause, bytes) in transfers {
            now += pause;
            usage.add(now, bytes);
        }
        if let Err(used) = lease(&mut usage.clone(), now, Some(limit), needed) {
            let resumed = lease(&mut usage.clone(), used.resume_at_ms, Some(limit), needed);
            prop_assert!(resumed.is_ok());
            prop_assert!(used.resume_at_ms <= now + WINDOW_MS + MINUTE);
            let early = usage.clone().used(used.resume_at_ms - 1);
            let resume = needed.max(limit / RESUME_DIVISOR);
            prop_assert!(limit.saturating_sub(early) < resume);
        }
    }
}

#[test]
fn bucket_starts_full_and_refills() {
    let limit = 10_000_000;
    let mut usage = LineUsage::default();
    let now = 1000 * MINUTE;
    usage.add(now, 9_000_000);
    usage.add(now + 20 * MINUTE, 1_000_000);
    assert_eq!(usage.used(now + 20 * MINUTE), limit);
    let used = lease(&mut usage, now + 20 * MINUTE, Some(limit), 1).unwrap_err();
    assert_eq!(used.resume_at_ms, now + 61 * MINUTE);
    assert_eq!(usage.used(now + 61 * MINUTE), 1_000_000);
    assert_eq!(usage.used(now + 81 * MINUTE), 0);
}

#[test]
fn gap_of_years_fills_bucket() {
    let mut usage = LineUsage::default();
    usage.add(0, u64::MAX);
    usage.add(0, u64::MAX);
    assert_eq!(usage.used(0), u64::MAX);
    assert_eq!(usage.used(u64::MAX), 0);
    usage.add(u64::MAX / 2, 5);
    assert_eq!(usage.used(u64::MAX / 2), 5);
}

#[test]
fn far_future_slots_expire() {
    let now = 1 << 40;
    let mut usage = LineUsage::from_slots([(u64::MAX, 7), (now / MINUTE, 2)]);
    assert_eq!(usage.used(now), 9);
    assert_eq!(usage.used(now + 2 * WINDOW_MS + 2 * MINUTE), 0);
}

#[test]
fn unused_lease_returns_to_budget() {
    let (now, limit) = (5 * MINUTE, 2_000_000);
    let mut usage = LineUsage::default();
    let leased = lease(&mut usage, now, Some(limit), 10).unwrap();
    let mut allowance = LineAllowance::default();
    allowance.begin_lease(leased);
    assert_eq!(allowance.transfer(now, 1000).uncounted, 0);
    usage.give_back(allowance.end_lease());
    assert_eq!(usage.used(now), 1000);
    assert_eq!(allowance.transfer(now, 5).uncounted, 5);
}

#[test]
fn old_lease_counts_from_transfer() {
    let limit = 2_000_000;
    let mut usage = LineUsage::default();
    let mut allowance = LineAllowance::default();
    allowance.begin_lease(lease(&mut usage, 0, Some(limit), 1_500_000).unwrap());
    let later = 50 * MINUTE;
    let transfer = allowance.transfer(later, 1_000_000);
    usage.give_back(transfer.returned);
    usage.add(later, transfer.uncounted);
    assert_eq!(usage.used(later), 1_500_000);
    assert_eq!(usage.used(61 * MINUTE), 1_000_000);
}

#[test]
fn session_costs_are_measured() {
    let mut allowance = LineAllowance::default();
    allowance.begin_session();
    _ = allowance.transfer(0, 400_000);
    assert!(allowance.record_task());
    _ = allowance.transfer(0, 12_000);
    _ = allowance.transfer(0, 30_000);
    assert!(!allowance.record_task());
    assert_eq!(allowance.needed_for_task(), 42_000);
    assert!(allowance.needed_to_open() >= 442_000);
    allowance.begin_session();
    assert!(allowance.record_task(), "a new session has a first task");
}

#[test]
fn connection_beyond_whole_budget_waits() {
    let mut usage = LineUsage::default();
    let (now, limit) = (5 * MINUTE, MIN_BYTES_PER_HOUR);
    usage.add(now, 1);
    let used = lease(&mut usage, now, Some(limit), 3 * limit).unwrap_err();
    assert_eq!(used.resume_at_ms, now + 61 * MINUTE);
    assert_eq!(
        lease(&mut usage, used.resume_at_ms, Some(limit), 3 * limit),
        Ok(Leased::at(used.resume_at_ms, limit))
    );
}

#[test]
fn budget_off_leases_any_number() {
    let mut usage = LineUsage::default();
    let leased = lease(&mut usage, 0, None, u64::MAX);
    assert_eq!(leased, Ok(Leased::at(0, u64::MAX)));
    assert!(lease(&mut usage, 0, None, 1).is_ok());
}

#[test]
fn frame_size_includes_header() {
    for (payload, masked, bytes) in [
        (0, false, 2),
        (125, true, 131),
        (126, false, 130),
        (65_535, true, 65_543),
        (65_536, false, 65_546),
    ] {
        assert_eq!(websocket_frame_bytes(payload, masked), bytes, "{payload}");
    }
}

/// Three hours of two connections on a quarter of a core each, whose tasks grow as far as the stated rate asks for.
#[test]
fn spread_half_is_seldom_used() {
    const TASK_BYTES: u64 = 33_000;
    const MINIBATCH_S: f64 = 0.005;
    const EFFORT: f64 = 0.25;
    let mut fleet = Fleet::new(2, 100_000_000);
    let mut stated = [StatedRate::default(); 2];
    let mut rates = [0; 2];
    let mut ready_ms = [0.0_f64; 2];
    let mut statements = 0;
    while let Some(connection) = (0..2)
        .min_by(|a, b| ready_ms[*a].total_cmp(&ready_ms[*b]))
        .filter(|next| ready_ms[*next] < 3.0 * WINDOW_MS as f64)
    {
        let now = ready_ms[connection] as u64;
        assert!(fleet.try_task(connection, now, now, TASK_BYTES), "{now} ms");
        let rate = line_rate(&mut fleet.usage, now, Some(fleet.limit));
        if let Some(rate) = stated[connection].restate(rate, 2.0 * EFFORT) {
            rates[connection] = rate;
            statements += 1;
        }
        let computing_s = match rates[connection] {
            0 => MINIBATCH_S,
            rate => crate::math::larger(MINIBATCH_S, TASK_BYTES as f64 / f64::from(rate)),
        };
        ready_ms[connection] += 1000.0 * computing_s / EFFORT;
    }
    assert!(fleet.max_in_an_hour() <= fleet.limit + 2 * TASK_BYTES);
    let total: u64 = fleet.transfers.iter().map(|(_, bytes)| bytes).sum();
    assert!(total > 9 * fleet.limit / 4, "{total} bytes in three hours");
    assert!(statements < 150, "{statements} statements");
}

#[test]
fn rate_is_stated_once() {
    let mut stated = StatedRate::default();
    assert_eq!(stated.restate(None, 0.25), None, "no limit yet");
    assert_eq!(stated.restate(Some(10_000.0), 0.25), Some(40_000));
    assert_eq!(stated.restate(Some(9_000.0), 0.25), None, "about the same");
    assert_eq!(stated.restate(Some(9_000.0), 0.5), Some(18_000));
    assert_eq!(stated.restate(Some(0.0), 0.5), Some(1), "nothing is left");
    assert_eq!(stated.restate(None, 0.5), Some(0));
    assert_eq!(stated.restate(None, 0.5), None);
    assert_eq!(stated.restate(Some(1e300), 0.5), Some(u32::MAX));
    stated.begin_session();
    assert_eq!(stated.restate(Some(1e300), 0.5), Some(u32::MAX));
}
