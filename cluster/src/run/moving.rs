//! Moves a run between a state directory and NATS.

use farsign::learner::{Learner, LearnerState};
use farsign_server::store::replay::ReplayOptions;
use farsign_server::store::saved_values::RunIdentity;

use crate::ClusterError;
use crate::error::failed;
use crate::log::checkpoints::Checkpoints;
use crate::run::audit::Audit;
use crate::run::presence;
use crate::run::seat;
use crate::run::{ClusterRun, StreamOptions};

/// Begins a run in NATS that continues a state without sessions. Its log begins after the state's position, so that no number
/// is used twice.
///
/// # Errors
/// Returns an error if there is a run of this name already, or it cannot be created.
pub async fn push(
    run: &ClusterRun,
    identity: &RunIdentity,
    state: &LearnerState,
    options: StreamOptions,
) -> Result<(), ClusterError> {
    let exists = || ClusterError::RunExists {
        name: run.names().run().to_owned(),
    };
    if run.identity().await?.is_some() {
        return Err(exists());
    }
    let position = state.position();
    run.create_streams(options, position).await?;
    let log = run.stream(run.names().log()).await?;
    let info = log.get_info().await.map_err(failed("read the log"))?;
    // An empty stream that begins after message n has n as its last.
    if info.state.messages > 0 || info.state.last_sequence != position {
        return Err(exists());
    }
    let store = run.object_store().await?;
    let checkpoints = Checkpoints::open(store, log, identity.run_id, u64::MAX).await?;
    checkpoints.save_first(position, state).await?;
    if run.create_identity(identity).await? {
        Ok(())
    } else {
        Err(exists())
    }
}

/// Returns the learner at the end of the log of a run that no process uses, after all sessions have ended.
///
/// # Errors
/// Returns an error if a learner or a gateway uses the run, or it cannot be read.
pub async fn pull(
    run: &ClusterRun,
    identity: &RunIdentity,
    options: ReplayOptions,
    initial: LearnerState,
) -> Result<Learner, ClusterError> {
    let seat = run.bucket(run.names().seat()).await?;
    let gateways = run.bucket(run.names().gateways()).await?;
    if seat::holder(&seat).await?.is_some() || !presence::gateways(&gateways).await?.is_empty() {
        return Err(ClusterError::InUse {
            name: run.names().run().to_owned(),
        });
    }
    let log = run.stream(run.names().log()).await?;
    let store = run.object_store().await?;
    let checkpoints = Checkpoints::open(store, log.clone(), identity.run_id, u64::MAX).await?;
    let restored = checkpoints.restore(initial).await?;
    let (learner, message, reader) = restored.into_learner(options)?;
    let fold = Audit::resume(&log, learner, message, reader).await?;
    let mut learner = fold.finish().await?;
    learner.end_sessions();
    learner.drop_outputs();
    Ok(learner)
}
