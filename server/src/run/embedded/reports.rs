//! Reports of a learner in this process.

use std::collections::{BTreeSet, HashMap};

use farsign::identity::VolunteerIdentity;
use farsign::learner::{GatewayId, Verdict};
use farsign::task::VolunteerId;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use crate::run::reports::{NoLearner, Reports, VolunteerReport};

/// Requests that wait for the learner.
const MAX_REQUESTS: usize = 64;

/// A request for a report.
#[derive(Debug)]
pub enum ReportRequest {
    /// All connected volunteers.
    Volunteers(oneshot::Sender<HashMap<VolunteerId, VolunteerReport>>),
    /// The gateways of the connected volunteers.
    Gateways(oneshot::Sender<BTreeSet<GatewayId>>),
    /// The running verifications, each with the verdict that skips it.
    Running(oneshot::Sender<Vec<Verdict>>),
    /// The accepted updates of these identities.
    AcceptedCounts(
        Vec<VolunteerIdentity>,
        oneshot::Sender<HashMap<VolunteerIdentity, u64>>,
    ),
}

/// The sender of requests.
#[derive(Clone, Debug)]
pub struct ReportSender(mpsc::Sender<ReportRequest>);

/// Creates a sender of requests with the receiver for the learner.
pub fn reports() -> (ReportSender, mpsc::Receiver<ReportRequest>) {
    let (sender, receiver) = mpsc::channel(MAX_REQUESTS);
    (ReportSender(sender), receiver)
}

impl ReportSender {
    /// Returns the gateways of the connected volunteers.
    ///
    /// # Errors
    /// Returns an error if the learner has ended.
    pub fn gateways(&self) -> BoxFuture<'static, Result<BTreeSet<GatewayId>, NoLearner>> {
        self.request(ReportRequest::Gateways)
    }

    /// Returns the running verifications, each with the verdict that skips it.
    ///
    /// # Errors
    /// Returns an error if the learner has ended.
    pub fn running(&self) -> BoxFuture<'static, Result<Vec<Verdict>, NoLearner>> {
        self.request(ReportRequest::Running)
    }

    fn request<T: Send + 'static>(
        &self,
        request: impl FnOnce(oneshot::Sender<T>) -> ReportRequest,
    ) -> BoxFuture<'static, Result<T, NoLearner>> {
        let (sender, reply) = oneshot::channel();
        let request = request(sender);
        let requests = self.0.clone();
        Box::pin(async move {
            requests.send(request).await.map_err(|_| NoLearner)?;
            reply.await.map_err(|_| NoLearner)
        })
    }
}

impl Reports for ReportSender {
    fn volunteers(
        &self,
    ) -> BoxFuture<'static, Result<HashMap<VolunteerId, VolunteerReport>, NoLearner>> {
        self.request(ReportRequest::Volunteers)
    }

    fn accepted_counts(
        &self,
        identities: Vec<VolunteerIdentity>,
    ) -> BoxFuture<'static, Result<HashMap<VolunteerIdentity, u64>, NoLearner>> {
        self.request(|reply| ReportRequest::AcceptedCounts(identities, reply))
    }
}
