//! The role of a gateway: the server that volunteers reach.

use std::sync::Arc;
use std::time::Duration;

use farsign::learner::GatewayId;
use farsign_server::admission::Admission;
use farsign_server::counters::Counters;
use farsign_server::data::loader::TrainAndHeldOut;
use farsign_server::gateway::{Gateway, GatewayLinks, GatewayOptions};
use farsign_server::run::board::{BoardError, BoardFollower, Bulletin};
use farsign_server::run::log::Log;
use farsign_server::store::saved_values::RunIdentity;
use farsign_server::{Config, Server, Training};

use futures_util::future::BoxFuture;

use crate::ClusterError;
use crate::board::NatsFollower;
use crate::error::retry;
use crate::log::NatsLog;
use crate::reports::NatsReports;
use crate::run::ClusterRun;
use crate::run::presence::Presence;

/// Time between two looks for a learner.
const WAIT_INTERVAL: Duration = Duration::from_millis(500);

/// Time without a durable append after which the gateway pauses its volunteers.
const STALL_TIMEOUT: Duration = Duration::from_secs(5);

/// Time between two looks at the appends.
const STALL_INTERVAL: Duration = Duration::from_millis(500);

/// A gateway that is connected, and not started.
#[derive(Debug)]
pub struct ConnectedGateway {
    run: ClusterRun,
    id: GatewayId,
    presence: Presence,
    follower: NatsFollower,
    first: Bulletin,
}

impl ConnectedGateway {
    /// Connects a gateway to a run with `parameters` values, as soon as a learner has published a version.
    ///
    /// # Errors
    /// Returns an error if NATS cannot be reached or the board not be read.
    pub async fn connect(run: ClusterRun, parameters: usize) -> Result<Self, ClusterError> {
        let board = run.stream(run.names().board()).await?;
        let mut is_reported = false;
        let (follower, first) = loop {
            match NatsFollower::begin(board.clone(), run.names(), parameters).await {
                Ok(Some(begun)) => break begun,
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(event = "board_read_again", %error, "the board is read again");
                }
            }
            if !std::mem::replace(&mut is_reported, true) {
                tracing::info!(
                    event = "waiting_for_learner",
                    "waiting for a learner of the run"
                );
            }
            tokio::time::sleep(WAIT_INTERVAL).await;
        };
        let id = GatewayId(rand::random());
        let store = run.bucket(run.names().gateways()).await?;
        let presence = retry(|| Presence::begin(store.clone(), id)).await?;
        Ok(Self {
            run,
            id,
            presence,
            follower,
            first,
        })
    }

    /// Creates the server of the gateway.
    ///
    /// # Errors
    /// Returns an error if it cannot be created.
    pub fn serve(
        self,
        config: Config,
        data: TrainAndHeldOut,
        identity: &RunIdentity,
    ) -> std::io::Result<Server> {
        let Self {
            run,
            id,
            mut presence,
            follower,
            first,
        } = self;
        let options = GatewayOptions {
            id,
            run: config.run.clone(),
            shards: Arc::clone(data.shards.data().list()),
            assignment: config.assignment,
            task_key: identity.keys.tasks,
        };
        let names = run.names();
        let subject = names.log_of_gateway(id);
        let log = NatsLog::new(run.context().clone(), subject, identity.run_id, None);
        let reports = NatsReports::new(run.context().client(), names.reports());
        Server::with_training(config, data, None, |services| {
            let admission = Arc::clone(&services.admission);
            let links = GatewayLinks {
                log: Arc::new(log.clone()),
                board: Box::new(CountingFollower {
                    follower,
                    counters: Arc::clone(&services.counters),
                }),
                reports: Arc::new(reports),
                admission: services.admission,
                counters: services.counters,
            };
            let (gateway, handle) = Gateway::new(options, links, first);
            let training = async move {
                let ended = tokio::select! {
                    ended = gateway.run() => ended,
                    never = presence.hold() => match never {},
                    never = pause_while_stalled(&log, &admission) => match never {},
                };
                presence.end().await;
                log.close().await;
                ended.map_err(Into::into)
            };
            Ok((Box::pin(training) as Training, handle))
        })
    }
}

/// A follower that passes the learner's counts on to the status of its gateway.
#[derive(Debug)]
struct CountingFollower {
    follower: NatsFollower,
    counters: Arc<Counters>,
}

impl BoardFollower for CountingFollower {
    fn next(&mut self) -> BoxFuture<'_, Result<Bulletin, BoardError>> {
        Box::pin(async {
            let bulletin = self.follower.next().await?;
            let verdicts = bulletin.progress.verdicts;
            self.counters.verification.set_verdicts(verdicts);
            Ok(bulletin)
        })
    }
}

/// Pauses the volunteers while nothing becomes durable. They return when the log can be appended to again.
async fn pause_while_stalled(log: &NatsLog, admission: &Admission) -> std::convert::Infallible {
    let mut is_paused = false;
    loop {
        tokio::time::sleep(STALL_INTERVAL).await;
        let is_stalled = log.waiting_time().is_some_and(|time| time > STALL_TIMEOUT);
        if is_stalled != is_paused && (is_paused || !*admission.paused().borrow()) {
            tracing::warn!(event = "log_stalled", is_stalled, "appends to the log");
            admission.pause(is_stalled);
            is_paused = is_stalled;
        }
    }
}
