//! The session: one volunteer's WebSocket, from hello to goodbye.
//!
//! ```text
//!   connect --hello--> join --welcome, version, task--> [ update -- accepted | rejected, version?, task? ]* --> goodbye
//! ```
//!
//! A session holds one permit, up to two open tasks and at most one frame in each direction. It ends when the volunteer
//! leaves, breaks the protocol, exceeds a timeout or stops reading, when the run is finished, and when the server
//! shuts down. Its own state is local to its task; shared state is behind [`SessionContext`].

mod close;
mod pacing;
mod tasks;
mod transport;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::extract::{Extension, FromRef, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use farsign::task::{Goodbye, GoodbyeReason, RunSettings, VolunteerId};
use farsign::task_timing::MAX_TIMEOUTS_IN_A_ROW;
use farsign::version::VersionHash;
use farsign::wire::{
    ClientRecord, SUBPROTOCOL, ServerFrame, max_client_frame_bytes, read_client_frame,
};
use tokio::sync::{oneshot, watch};

use crate::admission::{Admission, VolunteerKey};
use crate::counters::Counters;
use crate::effort::Effort;
use crate::gateway::{GatewayHandle, JoinReply, JoinRequest, TaskAssignment};
use crate::net::client_addr::ClientAddr;
use crate::net::egress::ConnectionEgress;
use crate::net::listener::PeerAddr;
use crate::session::close::SessionEnd;
use crate::session::pacing::Pacing;
use crate::session::transport::{RoundTrip, Transport};
use crate::shutdown::cancelled;
use crate::state::{AppState, SessionLimits};

/// The library's read buffer. Frames are small, and there may be thousands of connections.
const READ_BUFFER_BYTES: usize = 8 * 1024;

/// Response to a request for a session that is not a WebSocket.
const NO_UPGRADE: &str = "expected a WebSocket";

/// Response to a request for a session that is a WebSocket no more.
const REMOVED_UPGRADE: &str =
    "a proxy in between does not pass WebSockets: expected that it forwards Upgrade and Connection";

/// The shared state that sessions use.
#[derive(Clone, Debug)]
pub struct SessionContext {
    gateway: GatewayHandle,
    admission: Arc<Admission>,
    counters: Arc<Counters>,
    run: Arc<RunSettings>,
    /// Number of shards of the training data.
    shards: u16,
    limits: SessionLimits,
    shutdown: watch::Receiver<bool>,
}

impl FromRef<Arc<AppState>> for SessionContext {
    fn from_ref(state: &Arc<AppState>) -> Self {
        Self {
            gateway: state.gateway.clone(),
            admission: Arc::clone(&state.admission),
            counters: Arc::clone(&state.counters),
            run: Arc::clone(&state.run),
            shards: state.data.shards.data().list().shards() as u16,
            limits: state.limits,
            shutdown: state.shutdown.clone(),
        }
    }
}

/// Handles `GET /ws`.
pub async fn upgrade(
    State(context): State<SessionContext>,
    Extension(PeerAddr(peer)): Extension<PeerAddr>,
    Extension(egress): Extension<ConnectionEgress>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    if !context.admission.allows_page(&headers) {
        return (
            StatusCode::FORBIDDEN,
            "no page of this origin may open a session here",
        )
            .into_response();
    }
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => {
            let is_removed = context
                .admission
                .report_missing_upgrade(peer.ip(), &headers);
            let found = rejection.body_text();
            let expected = if is_removed {
                REMOVED_UPGRADE
            } else {
                NO_UPGRADE
            };
            return (rejection.status(), format!("{expected}, found: {found}")).into_response();
        }
    };
    let client = context.admission.client_addr(peer.ip(), &headers);
    egress.attribute_to(client);
    let max_bytes = max_client_frame_bytes(context.run.directions.count());
    let snapshot_bytes = 4 * context.run.architecture.parameters();
    upgrade
        .protocols([SUBPROTOCOL])
        .max_frame_size(max_bytes)
        .max_message_size(max_bytes)
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(2 * snapshot_bytes + 64 * 1024)
        .on_upgrade(move |socket| serve(context, socket, client, egress))
}

async fn serve(
    context: SessionContext,
    socket: WebSocket,
    client: ClientAddr,
    egress: ConnectionEgress,
) {
    let permit = context.admission.admit(client, std::time::Instant::now());
    let transport = Transport::new(
        socket,
        Arc::clone(&context.counters),
        &context.limits,
        egress,
        context.shutdown.clone(),
    );
    let mut session = Session {
        context,
        transport,
        client,
        volunteer: VolunteerKey::Address(client),
        has_accepted: false,
        sent_version: None,
        task_bytes: 0,
        pacing: Pacing::new(),
        last_work: (Effort::FULL, Duration::ZERO),
        rejected_in_a_row: 0,
    };
    let end = match &permit {
        Ok(_) => session.run().await,
        Err(goodbye) => {
            log_rejected(client, goodbye.reason.name());
            SessionEnd::Rejected(*goodbye)
        }
    };
    session.finish(end).await;
    drop(permit);
}

/// Logs a rejected volunteer, at debug level because any client can cause it at any rate.
fn log_rejected(client: ClientAddr, reason: &str) {
    tracing::debug!(event = "refused", address = %client, reason, "volunteer rejected");
}

/// The state of one session.
struct Session {
    context: SessionContext,
    transport: Transport,
    client: ClientAddr,
    /// The volunteer across sessions.
    volunteer: VolunteerKey,
    /// Whether an update of this session was accepted.
    has_accepted: bool,
    /// Name of the version that was sent last.
    sent_version: Option<VersionHash>,
    /// Size of the last frame with tasks after the first update: the expected size of the next.
    task_bytes: u64,
    /// Open tasks and measured times.
    pacing: Pacing,
    /// The operator's effort after the last task, and the time that the volunteer took for it.
    last_work: (Effort, Duration),
    /// Rejected updates since the last accepted one.
    rejected_in_a_row: u32,
}

impl Session {
    /// Runs the session and returns the reason for its end.
    async fn run(&mut self) -> SessionEnd {
        let request = match self.hello().await {
            Ok(request) => request,
            Err(end) => {
                log_rejected(self.client, end.name());
                return end;
            }
        };
        let identity = request.identity;
        if let Some(identity) = identity {
            self.volunteer = VolunteerKey::Identity(identity);
        }
        let JoinReply {
            volunteer,
            first,
            ejection,
        } = match self.context.gateway.join(request).await {
            Ok(Some(reply)) => reply,
            Ok(None) => return SessionEnd::Goodbye(GoodbyeReason::RunFinished),
            Err(_) => return SessionEnd::Goodbye(GoodbyeReason::ShuttingDown),
        };
        // Checked again after the join: a ban ends existing sessions, and could have been added just before this one.
        let end = if self.context.admission.is_banned(self.client, identity) {
            SessionEnd::Goodbye(GoodbyeReason::Banned)
        } else {
            self.run_until_closed(volunteer, first, ejection).await
        };
        self.context.gateway.leave(volunteer).await;
        let reason = end.name();
        tracing::info!(event = "left", volunteer = volunteer.0, address = %self.client, reason, "session ended");
        end
    }

    async fn run_until_closed(
        &mut self,
        volunteer: VolunteerId,
        first: TaskAssignment,
        ejection: oneshot::Receiver<GoodbyeReason>,
    ) -> SessionEnd {
        let mut paused = self.context.admission.paused();
        tokio::select! {
            biased; // an ejection explains why the coordinator issues no further task
            Ok(reason) = ejection => SessionEnd::Goodbye(reason),
            end = self.train(volunteer, first) => match end {
                Ok(never) => match never {},
                Err(end) => end,
            },
            () = cancelled(&mut paused) => SessionEnd::Goodbye(GoodbyeReason::Paused),
        }
    }

    async fn hello(&mut self) -> Result<JoinRequest, SessionEnd> {
        let frame = self.transport.receive().await?;
        let frame = frame.ok_or(SessionEnd::Goodbye(GoodbyeReason::HelloMissing))?;
        self.transport.reset_control_frames();
        let ClientRecord::Hello(hello) = read_client_frame(&frame)? else {
            return Err(SessionEnd::Goodbye(GoodbyeReason::HelloMissing));
        };
        let identity = self
            .context
            .admission
            .authenticate(&hello)
            .map_err(SessionEnd::Goodbye)?;
        if self.context.admission.is_banned(self.client, identity) {
            return Err(SessionEnd::Goodbye(GoodbyeReason::Banned));
        }
        // A volunteer that holds more has other data, as the welcome shows it.
        let shards = hello.shards.min(self.context.shards);
        self.take_shards(shards)?;
        Ok(JoinRequest {
            agent: hello.agent.to_owned(),
            address: self.client,
            identity,
            shards,
        })
    }

    /// Records the number of shards that the volunteer says it holds.
    fn take_shards(&mut self, held: u16) -> Result<(), SessionEnd> {
        if (1..=self.context.shards).contains(&held) {
            self.pacing.on_shards(held);
            Ok(())
        } else {
            Err(SessionEnd::Goodbye(GoodbyeReason::InvalidShards))
        }
    }

    async fn train(
        &mut self,
        volunteer: VolunteerId,
        first: TaskAssignment,
    ) -> Result<std::convert::Infallible, SessionEnd> {
        ServerFrame::new(&mut self.transport.frame).welcome(volunteer, &self.context.run);
        self.send_with_tasks(&[first]).await?;
        loop {
            let received = self.transport.receive().await?;
            if let Some(RoundTrip { time, was_idle }) = self.transport.take_round_trip() {
                self.pacing.on_round_trip(time, was_idle);
            }
            match received {
                Some(frame) => self.handle_frame(volunteer, &frame).await?,
                None if self.pacing.is_idle() => self.resume(volunteer).await?,
                None => return Err(SessionEnd::Goodbye(GoodbyeReason::TaskTimeout)),
            }
        }
    }

    /// Counts the end of the session, and sends a goodbye if the volunteer still reads.
    async fn finish(&mut self, end: SessionEnd) {
        if self.has_accepted {
            self.context.admission.reset_timeouts(self.volunteer);
        }
        let goodbye = match end {
            SessionEnd::Left => return,
            SessionEnd::SlowReader => {
                return self
                    .context
                    .counters
                    .session_ended(GoodbyeReason::SlowReader);
            }
            SessionEnd::Goodbye(GoodbyeReason::TaskTimeout) => self.on_task_timeout(),
            SessionEnd::Goodbye(reason) => self
                .context
                .admission
                .rejection(reason, std::time::Instant::now()),
            SessionEnd::Rejected(goodbye) => goodbye,
        };
        self.context.counters.session_ended(goodbye.reason);
        self.transport.close(goodbye).await;
    }

    /// Records a task that timed out, and logs a volunteer that never completes one in time.
    fn on_task_timeout(&self) -> Goodbye {
        let (timeouts, goodbye) = self.context.admission.task_timeout(self.volunteer);
        // At the 3rd, 6th, 12th, ... timeout.
        let multiple = timeouts / MAX_TIMEOUTS_IN_A_ROW;
        if timeouts.is_multiple_of(MAX_TIMEOUTS_IN_A_ROW) && multiple.is_power_of_two() {
            tracing::warn!(
                event = "volunteer_too_slow",
                address = %self.client,
                timeouts,
                task_timeout_ms = self.context.limits.task_timeout.as_millis() as u64,
                retry_after_ms = goodbye.retry_after_ms,
                hint = "raise --task-timeout-ms, or choose a smaller --batch or --hidden",
                "tasks timed out repeatedly"
            );
        }
        goodbye
    }
}
