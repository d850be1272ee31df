//! Folds of a run's log, by a learner that publishes nothing.

use async_nats::jetstream::stream::Stream;
use farsign::attachment::Attached;
use farsign::learner::Learner;
use farsign::optimizer::FarSign;
use farsign_server::run::log::Entry;
use farsign_server::store::replay::ReplayOptions;

use crate::ClusterError;
use crate::error::failed;
use crate::log::reader::NatsReader;
use crate::run::ClusterRun;

/// A fold of a log, to the message that was the last when it began.
#[derive(Debug)]
pub struct Audit {
    learner: Learner,
    reader: NatsReader,
    /// Number of the last message that was taken.
    message: u64,
    last: u64,
}

impl Audit {
    /// Begins at the first message. `options` are those that the run began with.
    ///
    /// # Errors
    /// Returns an error if the log cannot be read.
    pub async fn begin(
        run: &ClusterRun,
        run_id: u64,
        options: ReplayOptions,
    ) -> Result<Self, ClusterError> {
        let log = run.stream(run.names().log()).await?;
        let learner = Learner::new(FarSign::new(options.optimizer), options.learner);
        let reader = NatsReader::new(log.clone(), run_id, 0);
        Self::resume(&log, learner, 0, reader).await
    }

    /// Continues with a learner that has taken everything up to a message, and the reader of what comes after it.
    ///
    /// # Errors
    /// Returns an error if the log cannot be read.
    pub async fn resume(
        log: &Stream,
        learner: Learner,
        message: u64,
        reader: NatsReader,
    ) -> Result<Self, ClusterError> {
        let info = log.get_info().await.map_err(failed("read the log"))?;
        Ok(Self {
            learner,
            reader,
            message,
            last: info.state.last_sequence,
        })
    }

    /// Takes all messages, and returns the learner after the last one.
    ///
    /// # Errors
    /// Returns an error if a message is missing or not of this run.
    pub async fn finish(mut self) -> Result<Learner, ClusterError> {
        while self.next().await?.is_some() {}
        Ok(self.learner)
    }

    /// Returns the learner after the last message that was taken.
    pub fn learner(&self) -> &Learner {
        &self.learner
    }

    /// Takes the next message, and returns its entries. `None` at the end.
    ///
    /// # Errors
    /// Returns an error if a message is missing or not of this run.
    pub async fn next(&mut self) -> Result<Option<Vec<Entry>>, ClusterError> {
        if self.message >= self.last {
            return Ok(None);
        }
        let entries = self.reader.next_message().await?;
        for Entry { message, record } in &entries {
            self.learner
                .take_message(*message, record, Attached::default());
            self.message = *message;
        }
        self.learner.drop_outputs(); // what follows was done when the records came
        Ok(Some(entries))
    }
}
