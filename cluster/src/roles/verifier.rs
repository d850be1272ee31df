//! The role of a verifier: takes jobs, and appends verdicts.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::Message;
use farsign::dataset::ShardedDataset;
use farsign::learner::{Record, Verdict};
use farsign::task::RunSettings;
use farsign_server::counters::VerificationCounters;
use farsign_server::run::jobs::Jobs;
use farsign_server::run::log::Log;
use farsign_server::shutdown::cancelled;
use farsign_server::verifier::{VerificationOptions, VerifierThread};
use futures_util::StreamExt;
use tokio::sync::{mpsc, watch};

use crate::ClusterError;
use crate::error::failed;
use crate::jobs;
use crate::jobs::job::read_job;
use crate::log::NatsLog;
use crate::run::ClusterRun;

/// Time before jobs are asked for again after a failure.
const RETRY_DELAY: Duration = Duration::from_millis(500);

/// A verifier of a run.
#[derive(Debug)]
pub struct VerifierRole {
    run: ClusterRun,
    thread: VerifierThread,
    verdicts: mpsc::Receiver<Verdict>,
    log: NatsLog,
    parameters: usize,
}

impl VerifierRole {
    /// Starts the thread of a verifier.
    ///
    /// # Errors
    /// Returns an error if the system provides no thread.
    pub fn start(
        run: ClusterRun,
        options: VerificationOptions,
        settings: RunSettings,
        train: ShardedDataset,
        counters: Arc<VerificationCounters>,
    ) -> std::io::Result<Self> {
        let parameters = settings.directions.parameters();
        let subject = run.names().log_of_verifier();
        let log = NatsLog::new(run.context().clone(), subject, settings.run_id, None);
        let (sender, verdicts) = mpsc::channel(1);
        let report = move |verdict| sender.blocking_send(verdict).is_ok();
        let thread = VerifierThread::start(options, settings, train, counters, report)?;
        Ok(Self {
            run,
            thread,
            verdicts,
            log,
            parameters,
        })
    }

    /// Verifies until it is to stop.
    ///
    /// # Errors
    /// Returns an error if jobs cannot be taken, or the thread has ended.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) -> Result<(), ClusterError> {
        tokio::select! {
            ended = self.verify() => ended,
            () = cancelled(&mut stop) => Ok(()),
        }
    }

    async fn verify(&mut self) -> Result<(), ClusterError> {
        let stream = self.run.stream(self.run.names().jobs()).await?;
        loop {
            let consumer = jobs::consumer(&stream).await?;
            let taken = consumer.stream().max_messages_per_batch(1).messages().await;
            let mut taken = taken.map_err(failed("take verifications"))?;
            while let Some(message) = taken.next().await {
                match message {
                    Ok(message) => self.handle(&message).await?,
                    Err(error) => {
                        tracing::debug!(event = "jobs_read_again", %error, "jobs are taken again");
                        break;
                    }
                }
            }
            tokio::time::sleep(RETRY_DELAY).await;
        }
    }

    /// Verifies a job, and appends the verdict. A job whose acknowledgement is lost is verified twice, which changes nothing.
    async fn handle(&mut self, message: &Message) -> Result<(), ClusterError> {
        match read_job(&message.payload, self.parameters) {
            Ok(job) => {
                let ended =
                    || ClusterError::Io(std::io::Error::other("the verifier thread has ended"));
                self.thread.offer(&Arc::new(job)).map_err(|_| ended())?;
                let verdict = self.verdicts.recv().await.ok_or_else(ended)?;
                self.log.append(vec![Record::Verdict(verdict)]).await?;
            }
            // The learner skips it after a while.
            Err(error) => {
                tracing::warn!(event = "job_invalid", %error, "verification cannot be read");
            }
        }
        if let Err(error) = message.ack().await {
            tracing::debug!(event = "jobs_read_again", %error, "verification not acknowledged");
        }
        Ok(())
    }
}
