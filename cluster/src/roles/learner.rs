//! The role of a learner: a standby until it has the seat, and then the one that publishes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use farsign::learner::{Record, Verdict};
use farsign_server::Config;
use farsign_server::counters::Counters;
use farsign_server::learner::{
    LearnerError, LearnerLinks, LearnerOptions, LearnerTask, LiveLearner,
};
use farsign_server::run::board::Board;
use farsign_server::run::embedded::{ReportSender, reports};
use farsign_server::run::jobs::Jobs;
use farsign_server::run::log::Log;
use farsign_server::shutdown::cancelled;
use farsign_server::store::replay::ReplayOptions;
use farsign_server::store::saved_values::RunIdentity;
use tokio::sync::watch;

use crate::ClusterError;
use crate::board::NatsBoard;
use crate::jobs::NatsJobs;
use crate::log::NatsLog;
use crate::log::checkpoints::Checkpoints;
use crate::roles::standby::{Standby, Successor};
use crate::run::ClusterRun;
use crate::run::presence;
use crate::run::seat::Seat;

/// Time between two looks at the presence of gateways.
const PRESENCE_INTERVAL: Duration = Duration::from_secs(2);

/// Looks in a row at which it is absent, after which a gateway has failed.
const MAX_MISSING: u32 = 3;

/// Time before a learner that has failed begins anew.
const RESTART_DELAY: Duration = Duration::from_millis(200);

/// Time after which a verification that no verifier has done is skipped.
const JOB_TIMEOUT: Duration = Duration::from_mins(2);

/// A learner of a run.
#[derive(Debug)]
pub struct LearnerRole {
    run: ClusterRun,
    config: Config,
    identity: RunIdentity,
    name: String,
}

impl LearnerRole {
    /// Creates the role. `identity` has the sampling key.
    pub fn new(run: ClusterRun, config: Config, identity: RunIdentity, name: String) -> Self {
        Self {
            run,
            config,
            identity,
            name,
        }
    }

    /// Learns until it is to stop.
    ///
    /// # Errors
    /// Returns an error if the log cannot be read, or no state restored.
    pub async fn run(&self, stop: watch::Receiver<bool>) -> Result<(), ClusterError> {
        let mut is_restored = false;
        while !*stop.borrow() {
            match Box::pin(self.restore_and_learn(&mut is_restored, &stop)).await {
                Ok(()) => {}
                Err(error) if is_restored && is_passing(&error) => {
                    tracing::warn!(event = "learner_restarted", %error, "learner begins anew");
                    tokio::time::sleep(RESTART_DELAY).await;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Restores the state, waits for the seat and publishes, until the seat is lost or the learner is to stop.
    async fn restore_and_learn(
        &self,
        is_restored: &mut bool,
        stop: &watch::Receiver<bool>,
    ) -> Result<(), ClusterError> {
        let standby = Box::pin(self.restore()).await?;
        *is_restored = true;
        match Box::pin(self.stand_by(standby, stop.clone())).await? {
            Some((successor, seat)) => Box::pin(self.lead(successor, seat, stop.clone())).await,
            None => Ok(()),
        }
    }

    fn replay_options(&self) -> ReplayOptions {
        let key = self.identity.keys.sampling;
        self.config.replay_options().with_sampling_key(key)
    }

    fn learner_options(&self) -> LearnerOptions {
        let parameters = self.config.run.directions.parameters();
        let kept_bytes = self
            .config
            .verification
            .map_or(0, |options| options.version_bytes() / 2);
        LearnerOptions {
            run: self.config.run.clone(),
            assignment: self.config.assignment,
            verification: self.config.verification,
            kept_versions: kept_bytes / (size_of::<i32>() * parameters),
        }
    }

    async fn checkpoints(&self) -> Result<Checkpoints, ClusterError> {
        let store = self.run.object_store().await?;
        let log = self.run.stream(self.run.names().log()).await?;
        let retention = self.config.store.retention_bytes;
        Checkpoints::open(store, log, self.identity.run_id, retention).await
    }

    async fn restore(&self) -> Result<Standby, ClusterError> {
        let started = Instant::now();
        let initial = self.config.initial_checkpoint().state;
        let restored = self.checkpoints().await?.restore(initial).await?;
        let (learner, message, reader) = restored.into_learner(self.replay_options())?;
        let options = self.learner_options();
        let live = LiveLearner::new(learner, message, &options, Arc::new(Counters::default()));
        let took_ms = started.elapsed().as_millis() as u64;
        tracing::info!(
            event = "restored",
            log_message = message,
            took_ms,
            "learner restored"
        );
        let board = self.run.stream(self.run.names().board()).await?;
        Ok(Standby::new(live, reader, board, self.run.names().clone()))
    }

    /// Waits for the seat. `None` if it is to stop before.
    async fn stand_by(
        &self,
        mut standby: Standby,
        mut stop: watch::Receiver<bool>,
    ) -> Result<Option<(Successor, Seat)>, ClusterError> {
        let store = self.run.bucket(self.run.names().seat()).await?;
        let seat = tokio::select! {
            seat = standby.wait(Seat::take(store, &self.name)) => seat?,
            () = cancelled(&mut stop) => return Ok(None),
        };
        Ok(Some((standby.succeed().await?, seat)))
    }

    /// Publishes until the seat is lost or the learner is to stop.
    async fn lead(
        &self,
        successor: Successor,
        seat: Seat,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), ClusterError> {
        let (ended, _) = watch::channel(false);
        let seat = tokio::spawn(seat.hold(ended.clone()));
        let led = self.publish(successor, ended.clone());
        tokio::pin!(led);
        let led = tokio::select! {
            led = &mut led => led,
            () = cancelled(&mut stop) => {
                ended.send_replace(true);
                led.await
            }
        };
        ended.send_replace(true);
        _ = seat.await; // it has freed the seat
        led
    }

    async fn publish(
        &self,
        successor: Successor,
        ended: watch::Sender<bool>,
    ) -> Result<(), ClusterError> {
        let Successor {
            live,
            reader,
            last_bulletin,
            first,
        } = successor;
        let context = self.run.context().clone();
        let names = self.run.names().clone();
        let board = self.run.stream(names.board()).await?;
        let mut board = NatsBoard::new(context.clone(), board, names.clone(), last_bulletin);
        board.publish(first).await?;
        let log = NatsLog::new(
            context.clone(),
            names.log_of_learner(),
            self.identity.run_id,
            Some(self.checkpoints().await?),
        );
        let log: Arc<dyn Log> = Arc::new(log);
        let jobs = self.config.verification.map(|_| {
            let jobs = NatsJobs::start(context.clone(), &names, Arc::clone(&log));
            Box::new(jobs) as Box<dyn Jobs>
        });
        let (sender, requests) = reports();
        let links = LearnerLinks {
            log: Arc::clone(&log),
            entries: Box::new(reader),
            board: Box::new(board),
            jobs,
            reports: requests,
            stop: ended.subscribe(),
        };
        let task = LearnerTask::new(live, self.config.store.checkpoint_every, links);
        let presence = self.run.bucket(names.gateways()).await?;
        let served = crate::reports::serve(context.client(), names.reports(), sender.clone());
        let ended = tokio::select! {
            ended = task.run() => ended.map_err(ClusterError::from),
            served = served => served,
            () = watch_gateways(presence, sender.clone(), Arc::clone(&log)) => Ok(()),
            () = skip_lost_jobs(sender, Arc::clone(&log)) => Ok(()),
        };
        log.close().await;
        ended
    }
}

/// Returns whether a learner that begins anew may succeed: NATS cannot be reached, or another learner publishes.
fn is_passing(error: &ClusterError) -> bool {
    matches!(
        error,
        ClusterError::Request { .. }
            | ClusterError::Board(_)
            | ClusterError::Learner(LearnerError::Board(_))
    )
}

/// Removes the volunteers of gateways that are absent, by records in the log. Ends with the learner.
async fn watch_gateways(
    store: async_nats::jetstream::kv::Store,
    reports: ReportSender,
    log: Arc<dyn Log>,
) {
    let mut missing = HashMap::new();
    loop {
        tokio::time::sleep(PRESENCE_INTERVAL).await;
        let Ok(present) = presence::gateways(&store).await else {
            continue;
        };
        let Ok(gateways) = reports.gateways().await else {
            return;
        };
        missing.retain(|gateway, _| gateways.contains(gateway) && !present.contains(gateway));
        let mut lost = Vec::new();
        for gateway in gateways.difference(&present) {
            let looks = missing.entry(*gateway).or_insert(0);
            *looks += 1;
            if *looks == MAX_MISSING {
                let gateway_id = format!("{:016x}", gateway.0);
                tracing::warn!(event = "gateway_lost", gateway = gateway_id, "gateway lost");
                lost.push(Record::GatewayLost(*gateway));
            }
        }
        if !lost.is_empty() && log.append(lost).await.is_err() {
            return;
        }
    }
}

/// Skips verifications that have been running for too long, by records in the log. Ends with the learner.
async fn skip_lost_jobs(reports: ReportSender, log: Arc<dyn Log>) {
    let mut since: HashMap<_, Instant> = HashMap::new();
    loop {
        tokio::time::sleep(JOB_TIMEOUT / 8).await;
        let Ok(running) = reports.running().await else {
            return;
        };
        let key = |verdict: &Verdict| (verdict.volunteer, verdict.last);
        since.retain(|known, _| running.iter().any(|verdict| key(verdict) == *known));
        let now = Instant::now();
        let is_lost = |verdict: &Verdict| {
            let begin = *since.entry(key(verdict)).or_insert(now);
            now - begin > JOB_TIMEOUT
        };
        let lost: Vec<Verdict> = running.into_iter().filter(is_lost).collect();
        let lost: Vec<Record> = lost.into_iter().map(Record::Verdict).collect();
        if !lost.is_empty() && log.append(lost).await.is_err() {
            return;
        }
    }
}
