//! Simulated volunteers: asynchronous tasks that wait instead of computing, so that thousands fit on a machine.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use farsign::dataset::ShardedDataset;
use farsign::random::Stream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::session::{ComputingTime, Session};
use super::work::Work;

/// Volunteers that join at a time.
const CONCURRENT_JOINS: usize = 32;

/// Largest delay of timers that is made up for by a shorter next wait.
const MAX_LATE: Duration = Duration::from_millis(10);

/// Rhythm of a simulated volunteer.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// Each update takes the time in which it would be computed, and then a rest as long as `rest` times that.
    Computing {
        /// Time of computing.
        time: ComputingTime,
        /// Rest after computing, as a multiple of its time.
        rest: f64,
    },
    /// One update in this time, or as many as the server allows, if those are fewer.
    Interval(Duration),
}

/// A fleet of simulated volunteers. Dropping it disconnects them.
#[derive(Debug)]
pub struct SimulatedFleet {
    counts: Arc<Counts>,
    joining: Arc<Semaphore>,
    /// Ends the volunteers when it is dropped.
    _volunteers: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Counts {
    joined: AtomicUsize,
    ended: AtomicUsize,
    /// The reason of the first end.
    first_end: Mutex<Option<String>>,
    accepted: AtomicU64,
    computed: AtomicU64,
    images: AtomicU64,
    computing_us: AtomicU64,
    resting_us: AtomicU64,
}

impl SimulatedFleet {
    /// Starts volunteers, within a runtime. They join one after the other, some at a time.
    pub fn start(
        address: SocketAddr,
        data: &ShardedDataset,
        volunteers: usize,
        pace: Pace,
    ) -> Self {
        let counts = Arc::new(Counts::default());
        let joining = Arc::new(Semaphore::new(CONCURRENT_JOINS));
        let mut tasks = JoinSet::new();
        for index in 0..volunteers {
            let (data, counts, joining) = (data.clone(), Arc::clone(&counts), Arc::clone(&joining));
            tasks.spawn(async move {
                let Ok(permit) = joining.acquire_owned().await else {
                    return; // no further volunteer joins
                };
                let joined = Session::join(address, data, index as u64).await;
                drop(permit);
                let Err(error) = live(joined, pace, index as u64, &counts).await;
                counts.record_end(&format!("{error:#}"));
            });
        }
        Self {
            counts,
            joining,
            _volunteers: tasks,
        }
    }

    /// Lets no further volunteer join.
    pub fn stop_joins(&self) {
        self.joining.close();
    }

    /// Returns the number of volunteers with a session.
    pub fn connected(&self) -> usize {
        let joined = self.counts.joined.load(Ordering::Relaxed);
        joined.saturating_sub(self.counts.ended.load(Ordering::Relaxed))
    }

    /// Returns the reason why the first of the volunteers that ended did so; `None` if none has ended.
    pub fn first_end(&self) -> Option<String> {
        self.counts.first_end().clone()
    }

    /// Returns the work so far.
    pub fn work(&self) -> Work {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let counts = &self.counts;
        Work {
            accepted: read(&counts.accepted),
            computed: read(&counts.computed),
            images: read(&counts.images),
            computing: Duration::from_micros(read(&counts.computing_us)),
            resting: Duration::from_micros(read(&counts.resting_us)),
        }
    }
}

impl Counts {
    fn first_end(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.first_end
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn record_end(&self, reason: &str) {
        self.ended.fetch_add(1, Ordering::Relaxed);
        self.first_end().get_or_insert_with(|| reason.to_owned());
    }
}

/// Works until the session ends.
async fn live(
    joined: Result<Session>,
    pace: Pace,
    seed: u64,
    counts: &Counts,
) -> Result<Infallible> {
    // A volunteer that does not join ends like the others.
    counts.joined.fetch_add(1, Ordering::Relaxed);
    let mut session = joined?;
    let mut clock = Clock::new(pace, seed);
    loop {
        let task = session.next_task().await?;
        counts
            .accepted
            .fetch_add(session.take_accepted(), Ordering::Relaxed);
        let images = task.images;
        match pace {
            Pace::Computing { time, rest } => {
                let computing = time.of(images);
                clock
                    .wait(&mut session, computing, &counts.computing_us)
                    .await?;
                let rest = computing.mul_f64(rest);
                if !rest.is_zero() {
                    session.announce_rest(rest).await?;
                    let us = rest.as_micros() as u64;
                    counts.resting_us.fetch_add(us, Ordering::Relaxed);
                }
            }
            Pace::Interval(interval) => {
                let rest = clock.until_next(interval);
                clock.wait(&mut session, rest, &counts.resting_us).await?;
            }
        }
        counts.computed.fetch_add(1, Ordering::Relaxed);
        counts.images.fetch_add(images.into(), Ordering::Relaxed);
        session.send_update(&task).await?;
    }
}

/// Waits of one volunteer.
#[derive(Debug)]
struct Clock {
    /// Time by which timers were late, and by which the next wait is shorter.
    late: Duration,
    /// Time of the last update of a steady rhythm.
    last: Instant,
}

impl Clock {
    /// Creates the clock of a volunteer. In a steady rhythm, its first update has a pseudorandom time.
    fn new(pace: Pace, seed: u64) -> Self {
        let phase = match pace {
            Pace::Computing { .. } => Duration::ZERO,
            Pace::Interval(interval) => interval.mul_f32(Stream::new(seed).unit()),
        };
        Self {
            late: Duration::ZERO,
            last: Instant::now() - phase,
        }
    }

    /// Returns the time until the next update of a steady rhythm. Missed updates are not made up for.
    fn until_next(&mut self, interval: Duration) -> Duration {
        let now = Instant::now();
        self.last = (self.last + interval).max(now);
        self.last - now
    }

    /// Waits while the session receives, and adds the time to `sum_us`. A wait of no time takes none.
    async fn wait(
        &mut self,
        session: &mut Session,
        time: Duration,
        sum_us: &AtomicU64,
    ) -> Result<()> {
        if time.is_zero() {
            return Ok(());
        }
        let started = Instant::now();
        session
            .receive_until(started + time.saturating_sub(self.late))
            .await?;
        let waited = started.elapsed();
        self.late = (self.late + waited).saturating_sub(time).min(MAX_LATE);
        sum_us.fetch_add(waited.as_micros() as u64, Ordering::Relaxed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use farsign_server::Settings;
    use farsign_server::config::settings::{ModelKind, RuleKind};
    use farsign_tests::test_server::TestServer;
    use farsign_tests::wait::POLL_INTERVAL;

    use super::*;

    fn server() -> TestServer {
        TestServer::start(Settings {
            model: Some(ModelKind::Softmax),
            rule: Some(RuleKind::Plain),
            horizon: Some(1e8),
            evaluate_every: Some(1 << 40),
            ..Settings::default()
        })
    }

    fn data() -> ShardedDataset {
        let data = farsign_server::data::loader::built_in().unwrap();
        data.shards.data().clone()
    }

    /// Runs a fleet of 8 until it has made this many updates a volunteer on average, and returns its work.
    async fn work(server: &TestServer, pace: Pace, updates: u64) -> Work {
        let fleet = SimulatedFleet::start(server.address(), &data(), 8, pace);
        loop {
            assert_eq!(fleet.first_end(), None);
            let work = fleet.work();
            if work.accepted >= 8 * updates {
                assert_eq!(fleet.connected(), 8);
                return work;
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    #[tokio::test]
    async fn simulated_updates_are_accepted() {
        let server = server();
        let session = Session::join(server.address(), data(), 99).await.unwrap();
        let time = session.measure_computing().unwrap();
        let (alone, images) = time.measured();
        let of_twice = time.of(2 * images);
        assert!(
            of_twice.abs_diff(2 * alone) < Duration::from_micros(1),
            "{of_twice:?}"
        );
        let work = work(&server, Pace::Computing { time, rest: 1.0 }, 20).await;
        assert!(work.computed >= work.accepted, "{work:?}");
        // A task has the minibatch of the rule, or more.
        assert!(work.images >= work.computed * 512, "{work:?}");
        let expected = alone * work.computed as u32;
        assert!(
            work.computing + MAX_LATE * 8 >= expected,
            "{work:?}, {time:?}"
        );
        assert!(
            work.resting + MAX_LATE * 8 >= expected,
            "{work:?}, {time:?}"
        );
        let status = server.status();
        assert!(status["accepted"].as_u64() >= Some(160), "{status:#}");
        let rejected = status["rejected"].as_object().unwrap().values();
        assert!(rejected.clone().all(|count| count == 0), "{status:#}");
    }

    #[tokio::test]
    async fn steady_rhythm_limits_updates() {
        let server = server();
        let interval = Duration::from_millis(50);
        let started = Instant::now();
        let work = work(&server, Pace::Interval(interval), 5).await;
        let possible = 8 * (started.elapsed().as_millis() / interval.as_millis() + 1) as u64;
        assert!(work.computed <= possible, "{work:?}, {possible} possible");
    }

    #[tokio::test]
    async fn end_of_server_is_reported() {
        let server = server();
        let address = server.address();
        let pace = Pace::Interval(Duration::from_millis(1));
        let fleet = SimulatedFleet::start(address, &data(), 2, pace);
        while fleet.work().accepted == 0 {
            assert_eq!(fleet.first_end(), None);
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        drop(server);
        let reason = loop {
            if let Some(reason) = fleet.first_end() {
                break reason;
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        };
        assert!(reason.contains("shutting down"), "{reason}");
    }
}
