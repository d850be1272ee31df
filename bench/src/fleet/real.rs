//! Volunteers that compute: the library of `farsign volunteer`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use anyhow::Result;
use farsign_volunteer::{FleetError, FleetOptions, FleetStats, ServerUrl, WorkerExit, run_fleet};
use tokio::sync::watch;

use super::work::Work;

/// A fleet of native volunteers on threads of this process. Dropping it stops them.
#[derive(Debug)]
pub struct RealFleet {
    stats: Arc<FleetStats>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<Result<Vec<WorkerExit>, FleetError>>>,
}

impl RealFleet {
    /// Starts volunteers with this effort, in percent.
    ///
    /// # Errors
    ///
    /// Returns an error if the address cannot be that of a server.
    pub fn start(address: SocketAddr, volunteers: usize, effort: u32) -> Result<Self> {
        let server = format!("http://{address}").parse::<ServerUrl>()?;
        let options = FleetOptions {
            effort_percent: effort,
            ..FleetOptions::new(server, volunteers)
        };
        let stats = Arc::new(FleetStats::default());
        let (stop, stopping) = watch::channel(false);
        let thread = std::thread::spawn({
            let stats = Arc::clone(&stats);
            move || run_fleet(&options, &stats, &stopping, |_, _| {})
        });
        Ok(Self {
            stats,
            stop,
            thread: Some(thread),
        })
    }

    /// Returns the number of volunteers with a session.
    pub fn connected(&self) -> usize {
        self.stats.connected.load(Ordering::Relaxed)
    }

    /// Returns the work so far.
    pub fn work(&self) -> Work {
        Work {
            accepted: self.stats.accepted(),
            computed: self.stats.computed.load(Ordering::Relaxed),
            images: self.stats.images.load(Ordering::Relaxed),
            computing: self.stats.computing(),
            resting: self.stats.resting(),
        }
    }
}

impl Drop for RealFleet {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        // A volunteer that failed has shown in the figures; a panic was printed.
        _ = self.thread.take().map(JoinHandle::join);
    }
}

#[cfg(test)]
mod tests {
    use farsign_server::Settings;
    use farsign_server::config::settings::{ModelKind, RuleKind};
    use farsign_tests::test_server::TestServer;
    use farsign_tests::wait::wait_for_some;

    use super::*;

    #[test]
    fn computing_and_rests_are_counted() {
        let server = TestServer::start(Settings {
            model: Some(ModelKind::Softmax),
            rule: Some(RuleKind::Plain),
            horizon: Some(1e8),
            ..Settings::default()
        });
        let fleet = RealFleet::start(server.address(), 2, 50).unwrap();
        let work = wait_for_some("ten updates", || {
            Some(fleet.work()).filter(|work| work.accepted >= 10)
        });
        assert_eq!(fleet.connected(), 2);
        assert!(!work.computing.is_zero(), "{work:?}");
        assert!(!work.resting.is_zero(), "{work:?}");
        // The minibatch of the rule; an update of each volunteer may be half counted.
        assert!(
            work.images.abs_diff(work.computed * 512) <= 2 * 512,
            "{work:?}"
        );
    }
}
