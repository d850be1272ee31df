//! An independent fold of a run's whole log.

use farsign::attachment::Attached;
use farsign::learner::Learner;
use farsign::optimizer::FarSign;
use farsign_server::run::log::Entry;
use farsign_server::store::replay::ReplayOptions;

use crate::ClusterError;
use crate::error::failed;
use crate::log::reader::NatsReader;
use crate::run::ClusterRun;

/// A fold of a log from its first message to the one that was the last when it began.
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
        let info = log.get_info().await.map_err(failed("read the log"))?;
        Ok(Self {
            learner: Learner::new(FarSign::new(options.optimizer), options.learner),
            reader: NatsReader::new(log, run_id, 0),
            message: 0,
            last: info.state.last_sequence,
        })
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
        if self.message == self.last {
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
