//! Jobs in a work queue.

pub mod job;

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::stream::Stream;
use farsign::learner::{Record, VerdictOutcome, VerificationJob};
use farsign_server::run::jobs::{Jobs, OfferError};
use farsign_server::run::log::Log;
use tokio::sync::mpsc;

use crate::ClusterError;
use crate::error::failed;
use crate::jobs::job::write_job;
use crate::names::RunNames;

/// Jobs that wait to be sent, and jobs in the queue. Further ones are skipped.
pub const MAX_JOBS: usize = 1024;

/// Time after which a job that a verifier has taken is given to another.
const ACK_TIMEOUT: Duration = Duration::from_mins(1);

/// The learner's side of the queue.
#[derive(Debug)]
pub struct NatsJobs(mpsc::Sender<Arc<VerificationJob>>);

impl NatsJobs {
    /// Starts to send jobs to the queue. Those that cannot be sent are skipped by a verdict in the log.
    pub fn start(context: Context, names: &RunNames, log: Arc<dyn Log>) -> Self {
        let (sender, mut jobs) = mpsc::channel::<Arc<VerificationJob>>(MAX_JOBS);
        let subject = names.job_subject();
        tokio::spawn(async move {
            while let Some(job) = jobs.recv().await {
                if let Err(error) = send(&context, &subject, &job).await {
                    tracing::debug!(event = "job_skipped", %error, "verification skipped");
                    let verdict = Record::Verdict(job.verdict(VerdictOutcome::Skipped));
                    _ = log.append(vec![verdict]).await; // an append fails only at the end
                }
            }
        });
        Self(sender)
    }
}

async fn send(context: &Context, subject: &str, job: &VerificationJob) -> Result<(), ClusterError> {
    let payload = write_job(job).ok_or(ClusterError::Request {
        action: "offer a verification",
        cause: "it lacks a version".to_owned(),
    })?;
    let sent = context.publish(subject.to_owned(), payload.into()).await;
    let sent = sent.map_err(failed("offer a verification"))?;
    sent.await.map_err(failed("offer a verification"))?;
    Ok(())
}

impl Jobs for NatsJobs {
    fn offer(&mut self, job: &Arc<VerificationJob>) -> Result<(), OfferError> {
        self.0
            .try_send(Arc::clone(job))
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => OfferError::Full,
                mpsc::error::TrySendError::Closed(_) => OfferError::Stopped,
            })
    }
}

/// Returns the consumer that all verifiers share.
///
/// # Errors
/// Returns an error if it cannot be created.
pub async fn consumer(stream: &Stream) -> Result<PullConsumer, ClusterError> {
    let config = pull::Config {
        durable_name: Some("verifiers".to_owned()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_TIMEOUT,
        max_ack_pending: MAX_JOBS as i64,
        ..pull::Config::default()
    };
    let consumer = stream.get_or_create_consumer("verifiers", config).await;
    consumer.map_err(failed("take verifications"))
}
