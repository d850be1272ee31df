use std::net::IpAddr;

use proptest::prelude::*;

use super::*;

fn client(address: &str) -> ClientAddr {
    address.parse::<IpAddr>().unwrap().into()
}

fn limits(total: u64, per_address: u64) -> EgressLimits {
    EgressLimits {
        total: NonZeroU64::new(total),
        per_address: NonZeroU64::new(per_address),
    }
}

/// Writes up to this many bytes now, and returns how many the limits permitted, or the wait.
fn write(connection: &ConnectionEgress, bytes: usize, now: Instant) -> Result<usize, Duration> {
    let permitted = connection.permit(bytes, now)?;
    connection.record(permitted);
    Ok(permitted)
}

proptest! {
    /// Connections that write whenever they may, with pauses and some tasks, never send more than the limit in any span,
    /// but for the burst and one chunk or task each.
    #[test]
    fn no_span_exceeds_limit(
        limit in 10_000_u64..2_000_000,
        steps in prop::collection::vec((0_usize..3, 0_u64..200, 1_usize..100_000, any::<bool>()), 1..300),
    ) {
        let start = Instant::now();
        let egress = Egress::new(limits(limit, 0), start);
        let connections = [(); 3].map(|()| egress.connection(None));
        let mut held_until = [start; 3];
        let mut now = start;
        let mut sent = Vec::new();
        for (index, pause_ms, bytes, is_task) in steps {
            now += Duration::from_millis(pause_ms);
            if held_until[index] > now {
                continue;
            }
            if is_task {
                held_until[index] = now + connections[index].reserve_task(bytes as u64, now);
                continue;
            }
            match write(&connections[index], bytes, now) {
                Ok(permitted) => sent.push((now, permitted as u64)),
                Err(wait) => held_until[index] = now + wait,
            }
        }
        for (first, (from, _)) in sent.iter().enumerate() {
            let mut total = 0;
            for (until, bytes) in &sent[first..] {
                total += bytes;
                let span = (*until - *from + BURST).as_secs_f64();
                let bound = limit as f64 * span + 3.0 * 116_384.0;
                prop_assert!(total as f64 <= bound, "{total} bytes in {span} s at {limit}");
            }
        }
    }
}

#[test]
fn no_limit_counts_and_never_waits() {
    let now = Instant::now();
    let egress = Egress::new(EgressLimits::default(), now);
    let connection = egress.connection(None);
    assert_eq!(write(&connection, 1 << 30, now), Ok(1 << 30));
    assert_eq!(connection.reserve_task(1 << 40, now), Duration::ZERO);
    assert_eq!(egress.sent_bytes(), 1 << 30);
    assert_eq!((egress.load(now), egress.delayed_tasks()), (0.0, 0));
    assert_eq!(egress.check_join(client("192.0.2.1"), now), Ok(()));
}

#[test]
fn tasks_wait_in_turn() {
    let now = Instant::now();
    let egress = Egress::new(limits(100_000, 0), now);
    let waits = [(); 4].map(|()| {
        let connection = egress.connection(None);
        let wait = connection.reserve_task(50_000, now);
        std::mem::forget(connection); // an ended connection would give its bytes back
        wait.as_millis()
    });
    assert_eq!(waits, [0, 250, 750, 1250]);
    assert_eq!(egress.delayed_tasks(), 3);
    assert!(
        (egress.load(now) - 2.75).abs() < 1e-6,
        "{}",
        egress.load(now)
    );
}

#[test]
fn joins_wait_behind_tasks() {
    let now = Instant::now();
    let egress = Egress::new(limits(1_000_000, 100_000), now);
    let (busy, other) = (client("192.0.2.1"), client("192.0.2.2"));
    let connection = egress.connection(Some(busy));
    assert_eq!(connection.reserve_task(100_000, now), Duration::ZERO);
    assert_eq!(egress.check_join(busy, now), Ok(()));
    connection.reserve_task(250_000, now);
    assert_eq!(egress.check_join(busy, now), Err(LimitReached::PerAddress));
    assert_eq!(egress.check_join(other, now), Ok(()));
    let later = now + Duration::from_secs(3);
    assert_eq!(egress.check_join(busy, later), Ok(()));

    let all = egress.connection(None);
    all.reserve_task(5_000_000, later);
    assert_eq!(egress.check_join(other, later), Err(LimitReached::Total));
}

#[test]
fn ended_connection_returns_reservation() {
    let now = Instant::now();
    let egress = Egress::new(limits(10_000, 10_000), now);
    let address = client("2001:db8::1");
    let connection = egress.connection(None);
    connection.attribute_to(address);
    connection.reserve_task(1_000_000, now);
    assert!(egress.check_join(address, now).is_err());
    drop(connection);
    assert_eq!(egress.check_join(address, now), Ok(()));
    assert_eq!(egress.load(now), 0.0);
}

#[test]
fn reserved_task_is_written_at_once() {
    let now = Instant::now();
    let egress = Egress::new(limits(100_000, 0), now);
    let connection = egress.connection(None);
    let wait = connection.reserve_task(60_000, now);
    assert_eq!(write(&connection, 60_000, now + wait), Ok(60_000));
    assert!(write(&connection, 60_000, now).is_err(), "nothing is left");
}

#[test]
fn memory_of_addresses_is_bounded() {
    let now = Instant::now();
    let egress = Egress::new(limits(0, 10_000), now);
    for bits in 0..2 * MAX_ADDRESSES as u32 + 7 {
        let address = IpAddr::from(bits.to_be_bytes());
        egress.reserve(Some(address.into()), 1, now);
    }
    assert!(egress.addresses.lock().len() <= MAX_ADDRESSES);
}
