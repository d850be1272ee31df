//! The volunteers of a gateway: their sessions, addresses and programs.

use std::collections::{BTreeMap, VecDeque};

use farsign::identity::VolunteerIdentity;
use farsign::task::{GoodbyeReason, VolunteerId};
use tokio::sync::oneshot;

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

/// Volunteers that have left and are remembered, for notices that come late.
const MAX_DEPARTED: usize = 4096;

/// A connected volunteer.
#[derive(Debug)]
pub(super) struct VolunteerEntry {
    pub request: JoinRequest,
    /// The percentage of its time for which it receives work.
    pub effort: Effort,
    /// Notifies the session of an ejection.
    ejected: oneshot::Sender<GoodbyeReason>,
}

impl VolunteerEntry {
    pub fn new(
        request: JoinRequest,
        effort: Effort,
        ejected: oneshot::Sender<GoodbyeReason>,
    ) -> Self {
        Self {
            request,
            effort,
            ejected,
        }
    }

    pub fn log_joined(&self, volunteer: VolunteerId) {
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
            "volunteer joined"
        );
    }
}

/// The volunteers of a gateway.
#[derive(Debug, Default)]
pub(super) struct VolunteerRegistry {
    connected: BTreeMap<VolunteerId, VolunteerEntry>,
    /// The newest volunteers that have left, in order.
    departed: VecDeque<(VolunteerId, JoinRequest)>,
    /// Effort of volunteers that join from now on.
    pub default_effort: Effort,
}

impl VolunteerRegistry {
    pub fn insert(&mut self, volunteer: VolunteerId, entry: VolunteerEntry) {
        self.connected.insert(volunteer, entry);
    }

    /// Returns the request of a volunteer that is connected or has left. `None` if it is not known.
    pub fn request(&self, volunteer: VolunteerId) -> Option<&JoinRequest> {
        let connected = self.connected.get(&volunteer).map(|entry| &entry.request);
        connected.or_else(|| {
            let mut departed = self.departed.iter();
            let found = departed.find(|(id, _)| *id == volunteer);
            found.map(|(_, request)| request)
        })
    }

    /// Removes a volunteer, and remembers its request. Returns whether it was connected.
    pub fn remove(&mut self, volunteer: VolunteerId) -> bool {
        self.depart(volunteer).is_some()
    }

    /// Removes a volunteer and notifies its session. Ignored if it is not connected.
    pub fn eject(&mut self, volunteer: VolunteerId, reason: GoodbyeReason) {
        if let Some(session) = self.depart(volunteer) {
            _ = session.send(reason); // the session may have ended
        }
    }

    fn depart(&mut self, volunteer: VolunteerId) -> Option<oneshot::Sender<GoodbyeReason>> {
        let VolunteerEntry {
            request, ejected, ..
        } = self.connected.remove(&volunteer)?;
        if self.departed.len() == MAX_DEPARTED {
            self.departed.pop_front();
        }
        self.departed.push_back((volunteer, request));
        Some(ejected)
    }

    /// Returns the connected volunteers of a target.
    pub fn matching(&self, target: EjectTarget) -> Vec<VolunteerId> {
        let is_meant = |volunteer: VolunteerId, request: &JoinRequest| match target {
            EjectTarget::Volunteer(one) => volunteer == one,
            EjectTarget::Identity(identity) => request.identity == Some(identity),
            EjectTarget::Address(address) => request.address == address,
        };
        let connected = self.connected.iter();
        connected
            .filter(|(volunteer, entry)| is_meant(**volunteer, &entry.request))
            .map(|(volunteer, _)| *volunteer)
            .collect()
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
