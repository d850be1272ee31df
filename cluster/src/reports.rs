//! Reports of the learner, on request over NATS.

use std::collections::HashMap;

use async_nats::Client;
use farsign::identity::VolunteerIdentity;
use farsign::learner::TrustRecord;
use farsign::task::VolunteerId;
use farsign::trust::Trust;
use farsign_server::run::embedded::ReportSender;
use farsign_server::run::reports::{NoLearner, Reports, VolunteerReport};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::ClusterError;
use crate::error::failed;

#[derive(Debug, Serialize, Deserialize)]
enum Request {
    Volunteers,
    AcceptedCounts(Vec<u128>),
}

#[derive(Debug, Serialize, Deserialize)]
struct ReportDto {
    volunteer: u64,
    passed: u32,
    accepted: u64,
    accepted_per_s: f64,
    idle_s: f64,
    weight_fraction: f64,
    staleness: Option<f64>,
    agreement: Option<f64>,
}

impl ReportDto {
    fn new((volunteer, report): (VolunteerId, VolunteerReport)) -> Self {
        let VolunteerReport {
            record,
            accepted_per_s,
            idle_s,
            weight_fraction,
            staleness,
            agreement,
        } = report;
        Self {
            volunteer: volunteer.0,
            passed: record.trust.passed,
            accepted: record.accepted,
            accepted_per_s,
            idle_s,
            weight_fraction,
            staleness,
            agreement,
        }
    }

    fn report(self) -> (VolunteerId, VolunteerReport) {
        let Self {
            volunteer,
            passed,
            accepted,
            accepted_per_s,
            idle_s,
            weight_fraction,
            staleness,
            agreement,
        } = self;
        let report = VolunteerReport {
            record: TrustRecord {
                trust: Trust { passed },
                accepted,
            },
            accepted_per_s,
            idle_s,
            weight_fraction,
            staleness,
            agreement,
        };
        (VolunteerId(volunteer), report)
    }
}

/// Requests to the learner of a run.
#[derive(Clone, Debug)]
pub struct NatsReports {
    client: Client,
    subject: String,
}

impl NatsReports {
    /// Creates requests to a subject.
    pub fn new(client: Client, subject: String) -> Self {
        Self { client, subject }
    }

    fn request<T: for<'de> Deserialize<'de>>(
        &self,
        request: &Request,
    ) -> BoxFuture<'static, Result<T, NoLearner>> {
        let payload = serde_json::to_vec(request).expect("a request is valid JSON");
        let client = self.client.clone();
        let subject = self.subject.clone();
        Box::pin(async move {
            let reply = client.request(subject, payload.into()).await;
            let reply = reply.map_err(|_| NoLearner)?;
            serde_json::from_slice(&reply.payload).map_err(|_| NoLearner)
        })
    }
}

impl Reports for NatsReports {
    fn volunteers(
        &self,
    ) -> BoxFuture<'static, Result<HashMap<VolunteerId, VolunteerReport>, NoLearner>> {
        let reports = self.request::<Vec<ReportDto>>(&Request::Volunteers);
        Box::pin(async { Ok(reports.await?.into_iter().map(ReportDto::report).collect()) })
    }

    fn accepted_counts(
        &self,
        identities: Vec<VolunteerIdentity>,
    ) -> BoxFuture<'static, Result<HashMap<VolunteerIdentity, u64>, NoLearner>> {
        let numbers = identities
            .iter()
            .map(|identity| identity.number())
            .collect();
        let counts = self.request::<Vec<(u128, u64)>>(&Request::AcceptedCounts(numbers));
        Box::pin(async {
            let counts = counts.await?.into_iter();
            Ok(counts
                .map(|(identity, count)| (identity.into(), count))
                .collect())
        })
    }
}

/// Replies to requests until the learner ends.
///
/// # Errors
/// Returns an error if the subject cannot be subscribed to.
pub async fn serve(
    client: Client,
    subject: String,
    reports: ReportSender,
) -> Result<(), ClusterError> {
    let requests = client.subscribe(subject).await;
    let mut requests = requests.map_err(failed("serve reports"))?;
    while let Some(message) = requests.next().await {
        let Some(reply) = message.reply else { continue };
        let Ok(request) = serde_json::from_slice(&message.payload) else {
            continue;
        };
        let Ok(payload) = respond(request, &reports).await else {
            return Ok(());
        };
        _ = client.publish(reply, payload.into()).await; // the requester asks again
    }
    Ok(())
}

async fn respond(request: Request, reports: &ReportSender) -> Result<Vec<u8>, NoLearner> {
    let written = match request {
        Request::Volunteers => {
            let volunteers = reports.volunteers().await?;
            let volunteers: Vec<ReportDto> = volunteers.into_iter().map(ReportDto::new).collect();
            serde_json::to_vec(&volunteers)
        }
        Request::AcceptedCounts(identities) => {
            let identities = identities.into_iter().map(Into::into).collect();
            let counts = reports.accepted_counts(identities).await?;
            let counts: Vec<(u128, u64)> = counts
                .into_iter()
                .map(|(identity, count)| (identity.number(), count))
                .collect();
            serde_json::to_vec(&counts)
        }
    };
    Ok(written.expect("a report is valid JSON"))
}
