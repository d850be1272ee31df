//! Sizes of tasks for volunteers on simulated lines, honest and not.

use farsign::random::Stream;
use farsign::task_sizing::{
    MAX_GROWTH, MAX_LINE_TASK_S, MAX_OPEN_TASKS, MAX_TASK_IMAGES, MIN_ROUND_TRIP_S, TaskLimits,
    VolunteerPace,
};
use proptest::prelude::*;

/// Pongs before the round trip is known.
const PONGS: usize = 8;

/// Limits of a run in which nothing but the line matters.
const LIMITS: TaskLimits = TaskLimits {
    minibatch: 128,
    training_images: 60_000,
    timeout_ms: 120_000,
    active: 1,
    updates_per_s: None,
    verifiable_images: None,
};

fn at_most(value: f64, max: f64) -> f64 {
    if value > max { max } else { value }
}

fn at_least(value: f64, min: f64) -> f64 {
    if value < min { min } else { value }
}

/// A volunteer that computes one task after the other, and its line.
struct Simulated {
    pace: VolunteerPace,
    images_per_s: f64,
    round_trip_s: f64,
    /// Longest additional delay of a frame or a pong, in seconds.
    jitter_s: f64,
    stream: Stream,
}

impl Simulated {
    fn new(images_per_s: f64, round_trip_s: f64, jitter_s: f64, seed: u64) -> Self {
        Self {
            pace: VolunteerPace::default(),
            images_per_s,
            round_trip_s,
            jitter_s,
            stream: Stream::new(seed),
        }
    }

    fn line_s(&mut self) -> f64 {
        self.round_trip_s + self.jitter_s * f64::from(self.stream.unit())
    }

    /// Runs tasks one at a time, and returns their sizes.
    fn run(&mut self, tasks: usize, limits: &TaskLimits) -> Vec<u32> {
        (0..tasks)
            .map(|_| {
                let images = self.pace.task_images(limits);
                let pong = self.line_s();
                self.pace.record_round_trip(pong);
                let line = self.line_s();
                let computing = f64::from(images) / self.images_per_s;
                self.pace.record_task(images, line + computing, None);
                images
            })
            .collect()
    }
}

#[test]
fn near_volunteers_keep_the_minibatch() {
    for (images_per_s, round_trip_s) in [
        (1e6, 0.0005), // a small model on this machine
        (180_000.0, 0.0003),
        (20_000.0, 0.005), // the round trip takes less than the minibatch
        (1_000.0, 0.1),
    ] {
        let mut volunteer = Simulated::new(images_per_s, round_trip_s, 0.0, 1);
        let sizes = volunteer.run(200, &LIMITS);
        assert!(sizes.iter().all(|images| *images == 128), "{sizes:?}");
    }
}

#[test]
fn busy_machine_enlarges_no_task() {
    let seed = 3;
    let mut stream = Stream::new(seed);
    let mut pace = VolunteerPace::default();
    // Waiting for a processor: mostly short, at times as long as a scheduler lets others run.
    let mut wait = || match stream.below(10) {
        0..=5 => 0.0001,
        6..=8 => 0.004 * f64::from(stream.unit()),
        _ => 0.05 * f64::from(stream.unit()),
    };
    for task in 0..20_000 {
        pace.record_round_trip(wait());
        let images = pace.task_images(&LIMITS);
        assert_eq!(images, 128, "seed {seed}, task {task}");
        assert_eq!(pace.open_tasks(images), 1, "seed {seed}, task {task}");
        pace.record_task(images, 0.0007 + wait(), None);
    }
}

#[test]
fn distant_volunteer_computes_two_round_trips() {
    for round_trip_s in [0.01, 0.03, 0.1, 0.3] {
        let mut volunteer = Simulated::new(180_000.0, round_trip_s, round_trip_s / 20.0, 5);
        let sizes = volunteer.run(60, &LIMITS);
        let expected = 180_000.0 * at_most(2.0 * round_trip_s, MAX_LINE_TASK_S);
        let found = f64::from(sizes[59]);
        assert!(
            (found / expected - 1.0).abs() < 0.15,
            "{round_trip_s}: {found} images, expected about {expected}"
        );
        assert_eq!(volunteer.pace.open_tasks(sizes[59]), MAX_OPEN_TASKS);
    }
}

#[test]
fn silent_volunteer_keeps_the_minibatch() {
    let mut pace = VolunteerPace::default();
    for _ in 0..100 {
        pace.record_round_trip_bound(0.2);
        pace.record_task(128, 0.2, None);
        assert_eq!(pace.task_images(&LIMITS), 128);
        assert_eq!(pace.open_tasks(128), 1);
    }
    assert_eq!(pace.round_trip_s(), None);
}

#[test]
fn line_rate_sets_size() {
    let mut volunteer = Simulated::new(180_000.0, 0.0001, 0.0, 1);
    volunteer.pace.record_task_bytes(90_000);
    (0..50).for_each(|_| volunteer.pace.record_task_bytes(110_000));
    volunteer.pace.record_task_bytes(20_000); // a frame without a version
    assert_eq!(volunteer.run(60, &LIMITS).last(), Some(&128));
    volunteer.pace.set_line_rate(1_000_000);
    let saving = *volunteer.run(60, &LIMITS).last().unwrap();
    assert!((17_000..=19_000).contains(&saving), "{saving}");
    volunteer.pace.set_line_rate(1);
    let largest = *volunteer.run(60, &LIMITS).last().unwrap();
    assert_eq!(largest, LIMITS.training_images);
    volunteer.pace.set_line_rate(0);
    assert_eq!(volunteer.run(60, &LIMITS).last(), Some(&128));
}

#[test]
fn each_bound_limits_the_size() {
    let volunteer = |limits: TaskLimits| {
        let mut volunteer = Simulated::new(180_000.0, 0.1, 0.0, 1);
        *volunteer.run(60, &limits).last().unwrap()
    };
    let near = |limits: TaskLimits| {
        let mut volunteer = Simulated::new(180_000.0, 0.0001, 0.0, 1);
        *volunteer.run(60, &limits).last().unwrap()
    };
    assert_eq!(
        volunteer(TaskLimits {
            training_images: 5_000,
            ..LIMITS
        }),
        5_000
    );
    assert_eq!(
        volunteer(TaskLimits {
            training_images: 100,
            ..LIMITS
        }),
        128
    );
    assert_eq!(
        volunteer(TaskLimits {
            verifiable_images: Some(700.0),
            ..LIMITS
        }),
        700
    );
    assert_eq!(
        volunteer(TaskLimits {
            verifiable_images: Some(0.0),
            ..LIMITS
        }),
        128
    );
    let quarter = volunteer(TaskLimits {
        timeout_ms: 100,
        ..LIMITS
    });
    assert!((4_300..=4_600).contains(&quarter), "{quarter}");
    let busy = near(TaskLimits {
        active: 1_000,
        updates_per_s: Some(20_000.0),
        ..LIMITS
    });
    assert!((8_500..=9_500).contains(&busy), "{busy}");
    // Measured values that are not numbers, or infinite, limit nothing.
    for invalid in [f64::NAN, 0.0, -1.0] {
        let limits = TaskLimits {
            updates_per_s: Some(invalid),
            verifiable_images: Some(f64::NAN),
            ..LIMITS
        };
        assert_eq!(near(limits), 128, "{invalid}");
    }
}

#[test]
fn slept_device_recovers() {
    let mut volunteer = Simulated::new(180_000.0, 0.1, 0.0, 1);
    let before = *volunteer.run(60, &LIMITS).last().unwrap();
    volunteer.pace.record_task(before, 3600.0, None);
    let after = volunteer.run(20, &LIMITS);
    assert!(after[0] > before / 2, "{after:?}");
    assert!(after[19] > before * 9 / 10, "{after:?}");
}

#[test]
fn idle_volunteer_gets_the_largest_task() {
    // It sends random signs at once, and so looks infinitely fast.
    let mut pace = VolunteerPace::default();
    let mut last = 128;
    for _ in 0..60 {
        pace.record_round_trip(0.1);
        let images = pace.task_images(&LIMITS);
        assert!(
            images <= MAX_GROWTH * last && images >= 128,
            "{last} to {images}"
        );
        pace.record_task(images, 0.1, None);
        last = images;
    }
    assert_eq!(last, LIMITS.training_images);
    let limits = TaskLimits {
        verifiable_images: Some(1_000.0),
        ..LIMITS
    };
    assert_eq!(
        pace.task_images(&limits),
        1_000,
        "verification is not overloaded"
    );
}

#[test]
fn late_pongs_reach_longest_line() {
    let mut pace = VolunteerPace::default();
    for _ in 0..200 {
        pace.record_round_trip(1e9);
        let images = pace.task_images(&LIMITS);
        pace.record_task(images, 0.01 + f64::from(images) / 180_000.0, None);
    }
    assert!(pace.task_images(&LIMITS) <= LIMITS.training_images);
    assert_eq!(pace.round_trip_s(), Some(1.0));
}

#[test]
fn route_change_is_followed() {
    let mut volunteer = Simulated::new(180_000.0, 0.2, 0.0, 1);
    volunteer.run(60, &LIMITS);
    volunteer.round_trip_s = 0.02;
    volunteer.run(60, &LIMITS);
    assert_eq!(volunteer.pace.round_trip_s(), Some(0.02));
    volunteer.round_trip_s = 0.1;
    volunteer.run(PONGS, &LIMITS);
    assert_eq!(volunteer.pace.round_trip_s(), Some(0.1));
    volunteer.pace.record_round_trip_bound(0.05);
    assert_eq!(
        volunteer.pace.round_trip_s(),
        Some(0.05),
        "no round trip is longer"
    );
    volunteer.pace.record_round_trip_bound(7.0);
    assert_eq!(volunteer.pace.round_trip_s(), Some(0.05));
}

proptest! {
    /// Two tasks are open, and each update may be held back. The time that it seems to save later, it spent before.
    #[test]
    fn delayed_updates_gain_no_speed(delays in prop::collection::vec(0.0f64..0.5, 80..200)) {
        let speed = 100_000.0;
        let (round_trip, images) = (0.1, 10_000u32);
        let mut pace = VolunteerPace::default();
        (0..PONGS).for_each(|_| pace.record_round_trip(round_trip));
        let (mut done, mut received, mut sent) = (0.0f64, f64::NEG_INFINITY, [0.0f64; 2]);
        for (n, delay) in delays.iter().enumerate() {
            done = at_least(done, sent[n % 2] + round_trip / 2.0) + f64::from(images) / speed;
            let arrives = at_least(done + delay + round_trip / 2.0, received);
            let since_update = (n > 0).then_some(arrives - received);
            pace.record_task(images, arrives - sent[n % 2], since_update);
            (received, sent[n % 2]) = (arrives, arrives);
            if n > 20 {
                let found = pace.images_per_s().unwrap();
                prop_assert!(found < 1.15 * speed, "task {}: {} images a second", n, found);
            }
        }
    }

    #[test]
    fn size_is_within_bounds(
        seed: u64,
        minibatch in 1u32..=MAX_TASK_IMAGES,
        training_images in 1u32..1_000_000,
        timeout_ms: u32,
        times in prop::collection::vec(prop_oneof![
            0.0f64..1.0, Just(f64::NAN), Just(f64::INFINITY), Just(-1.0), Just(0.0), Just(1e-300), Just(1e300)
        ], 60),
    ) {
        let limits = TaskLimits { minibatch, training_images, timeout_ms, ..LIMITS };
        let mut pace = VolunteerPace::default();
        let mut stream = Stream::new(seed);
        let mut last = minibatch;
        for times in times.chunks_exact(3) {
            pace.record_round_trip(times[0]);
            pace.record_round_trip_bound(times[1]);
            let images = pace.task_images(&limits);
            let most = training_images.min(MAX_TASK_IMAGES).min(last.saturating_mul(MAX_GROWTH)).max(minibatch);
            prop_assert!((minibatch..=most).contains(&images), "seed {}: {} images", seed, images);
            prop_assert!((1..=MAX_OPEN_TASKS).contains(&pace.open_tasks(images)));
            let since_update = (stream.below(2) == 0).then_some(times[1]);
            pace.record_task(images, times[2], since_update);
            last = images;
        }
    }

    #[test]
    fn short_round_trip_counts_as_none(times in prop::collection::vec(0.0..MIN_ROUND_TRIP_S, PONGS..40), speed in 1e3f64..1e9) {
        let mut pace = VolunteerPace::default();
        for time in times {
            pace.record_round_trip(time);
            prop_assert_eq!(pace.task_images(&LIMITS), 128);
            pace.record_task(128, time + 128.0 / speed, None);
        }
        prop_assert_eq!(pace.open_tasks(128), 1);
    }
}
