//! Connected volunteers: what the coordinator knows besides their training state.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use farsign::identity::VolunteerIdentity;
use farsign::learner::TrustRecord;
use farsign::task::{GoodbyeReason, TaskId, VolunteerId};
use tokio::sync::oneshot;

use super::telemetry::VolunteerStats;
use crate::effort::Effort;
use crate::net::client_addr::ClientAddr;

/// Volunteers to eject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EjectTarget {
    /// One volunteer.
    Volunteer(VolunteerId),
    /// The connected volunteer of an identity.
    Identity(VolunteerIdentity),
    /// All volunteers of an address.
    Address(ClientAddr),
}

/// A volunteer that joins.
#[derive(Clone, Debug)]
pub struct JoinRequest {
    /// Name of the volunteer's program.
    pub agent: String,
    /// Address of the volunteer.
    pub address: ClientAddr,
    /// Identity, if the volunteer sent a secret.
    pub identity: Option<VolunteerIdentity>,
    /// Number of shards that the volunteer holds, at least 1 and at most all.
    pub shards: u16,
}

/// A volunteer that is connected, or that left while a verification of its updates is running.
#[derive(Debug)]
pub(super) struct VolunteerEntry {
    pub request: JoinRequest,
    pub stats: VolunteerStats,
    /// The percentage of its time for which it receives work.
    pub effort: Effort,
    /// Its open tasks in order, with the accepted updates in the snapshot of each.
    open: VecDeque<(TaskId, u64)>,
    /// Notifies the session of an ejection; taken when it is sent.
    pub ejected: Option<oneshot::Sender<GoodbyeReason>>,
}

impl VolunteerEntry {
    pub fn new(
        request: JoinRequest,
        effort: Effort,
        ejected: oneshot::Sender<GoodbyeReason>,
    ) -> Self {
        Self {
            request,
            stats: VolunteerStats::new(Instant::now()),
            effort,
            open: VecDeque::new(),
            ejected: Some(ejected),
        }
    }

    /// Records a task issued against a snapshot with `accepted` updates.
    pub fn on_task_issued(&mut self, task: TaskId, accepted: u64) {
        self.open.push_back((task, accepted));
    }

    /// Records that an open task was closed, and with it those before it. Returns the accepted updates in its snapshot;
    /// `None` if it was not open.
    pub fn on_task_closed(&mut self, task: TaskId) -> Option<u64> {
        while let Some((closed, accepted)) = self.open.pop_front() {
            if closed == task {
                return Some(accepted);
            }
        }
        None
    }

    pub fn log_joined(&self, volunteer: VolunteerId, record: TrustRecord) {
        let JoinRequest {
            agent,
            address,
            identity,
            ..
        } = &self.request;
        tracing::info!(
            event = "joined",
            volunteer = volunteer.0,
            address = %address,
            identity = identity.map(tracing::field::display),
            agent,
            verifications_passed = record.trust.passed,
            "volunteer joined"
        );
    }
}

/// All volunteers of the coordinator.
#[derive(Debug, Default)]
pub(super) struct VolunteerRegistry {
    connected: HashMap<VolunteerId, VolunteerEntry>,
    departed: HashMap<VolunteerId, VolunteerEntry>,
    /// Effort of volunteers that join from now on.
    pub default_effort: Effort,
}

impl VolunteerRegistry {
    pub fn insert(&mut self, volunteer: VolunteerId, entry: VolunteerEntry) {
        self.connected.insert(volunteer, entry);
    }

    pub fn get_mut(&mut self, volunteer: VolunteerId) -> Option<&mut VolunteerEntry> {
        self.connected.get_mut(&volunteer)
    }

    pub fn get_or_departed(&self, volunteer: VolunteerId) -> Option<&VolunteerEntry> {
        self.connected
            .get(&volunteer)
            .or_else(|| self.departed.get(&volunteer))
    }

    pub fn get_or_departed_mut(&mut self, volunteer: VolunteerId) -> Option<&mut VolunteerEntry> {
        let connected = self.connected.get_mut(&volunteer);
        connected.or_else(|| self.departed.get_mut(&volunteer))
    }

    /// Removes a volunteer, or keeps it among the departed while a verification of its updates is running.
    pub fn remove(&mut self, volunteer: VolunteerId, is_departed: bool) {
        if let Some(entry) = self.connected.remove(&volunteer)
            && is_departed
        {
            self.departed.insert(volunteer, entry);
        }
    }

    pub fn forget_departed(&mut self, volunteer: VolunteerId) {
        self.departed.remove(&volunteer);
    }

    /// Returns the connected volunteers of an address.
    pub fn at(&self, address: ClientAddr) -> Vec<VolunteerId> {
        let there = self
            .connected
            .iter()
            .filter(|(_, entry)| entry.request.address == address);
        let mut volunteers: Vec<VolunteerId> = there.map(|(volunteer, _)| *volunteer).collect();
        volunteers.sort_unstable();
        volunteers
    }

    /// Returns the effort of a volunteer; full effort if it is not connected.
    pub fn effort_of(&self, volunteer: VolunteerId) -> Effort {
        self.connected
            .get(&volunteer)
            .map_or(Effort::FULL, |entry| entry.effort)
    }

    /// Sets the effort of one volunteer, or of all volunteers now and later. Returns how many are connected.
    pub fn set_effort(&mut self, volunteer: Option<VolunteerId>, effort: Effort) -> usize {
        if volunteer.is_none() {
            self.default_effort = effort;
        }
        let matching = self
            .connected
            .iter_mut()
            .filter(|(id, _)| volunteer.is_none_or(|one| one == **id));
        matching.map(|(_, entry)| entry.effort = effort).count()
    }

    pub fn connected(&self) -> impl Iterator<Item = (VolunteerId, &VolunteerEntry)> {
        self.connected
            .iter()
            .map(|(volunteer, entry)| (*volunteer, entry))
    }
}
