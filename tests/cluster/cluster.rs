//! The processes of a cluster, and what is left of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use farsign::learner::{Learner, Record};
use farsign::task::TaskId;
use farsign::version::Version;
use farsign_cluster::board::NatsFollower;
use farsign_cluster::connection::{NatsOptions, connect};
use farsign_cluster::log::checkpoints::Checkpoints;
use farsign_cluster::names::RunNames;
use farsign_cluster::run::ClusterRun;
use farsign_cluster::run::audit::Audit;
use farsign_cluster::run::seat;
use farsign_server::config::pinned::resume;
use farsign_server::data::loader::built_in;
use farsign_server::run::board::{BoardFollower, PublishedVersion};
use farsign_server::{Config, Settings};
use farsign_tests::child_process::ChildProcess;
use farsign_tests::nats_servers::{NatsServers, free_port};
use farsign_tests::server_process::server_program;
use farsign_tests::wait::TEST_TIMEOUT;

/// Time in which no further bulletin means that the board has been read.
const BOARD_TIMEOUT: Duration = Duration::from_secs(2);

/// A cluster.
pub struct Cluster {
    pub nats: NatsServers,
    pub learners: Vec<Option<ChildProcess>>,
    pub gateways: Vec<Option<ChildProcess>>,
    /// Addresses of the gateways.
    pub addresses: Vec<SocketAddr>,
    settings: Vec<String>,
}

impl Cluster {
    /// Starts two learners and two gateways of a run with these settings.
    pub fn start(nats: NatsServers, settings: &[&str]) -> Self {
        let addresses = [(); 2].map(|()| SocketAddr::from(([127, 0, 0, 1], free_port())));
        let mut cluster = Self {
            nats,
            learners: vec![None, None],
            gateways: vec![None, None],
            addresses: addresses.to_vec(),
            settings: settings.iter().map(|&setting| setting.to_owned()).collect(),
        };
        (0..2).for_each(|learner| cluster.launch_learner(learner));
        (0..2).for_each(|gateway| cluster.launch_gateway(gateway));
        cluster
    }

    fn command(&self, role: &str) -> Command {
        let mut command = Command::new(server_program());
        command
            .args([role, "--nats", &self.nats.addresses(role)])
            .env("FARSIGN_LOG", "info,async_nats=error");
        command
    }

    pub fn launch_learner(&mut self, learner: usize) {
        let mut command = self.command("learner");
        command
            .args(["--name", &learner_name(learner)])
            .args(["--max-log-bytes", "1000000000"])
            .args(&self.settings);
        let mut process = ChildProcess::start(&mut command);
        process.wait_for_lines(&["learner restored"]);
        self.learners[learner] = Some(process);
    }

    pub fn launch_gateway(&mut self, gateway: usize) {
        let listen = self.addresses[gateway].to_string();
        let mut command = self.command("gateway");
        command.args(["--listen", &listen, "--max-connections-per-address", "1000"]);
        command.args([
            "--joins-per-minute",
            "100000",
            "--connections-per-minute",
            "100000",
        ]);
        let mut process = ChildProcess::start(&mut command);
        process.wait_for_lines(&["server started"]);
        self.gateways[gateway] = Some(process);
    }

    /// Starts a verifier.
    pub fn start_verifier(&self) -> ChildProcess {
        let mut command = self.command("verifier");
        let mut process = ChildProcess::start(&mut command);
        process.wait_for_lines(&["verifier started"]);
        process
    }

    /// Stops all roles, so that no process uses the run.
    pub fn stop(&mut self) {
        let processes = self.gateways.iter_mut().chain(&mut self.learners);
        for process in processes.filter_map(Option::take) {
            terminate(process);
        }
    }

    /// Returns the name of the learner that publishes. `None` if there is none.
    pub fn seat_holder(&self) -> Option<String> {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let run = connect_to_run(self.nats.addresses("learner")).await;
            let seat = run.bucket(run.names().seat()).await.ok()?;
            seat::holder(&seat).await.ok()?
        })
    }

    /// Compares everything that the run has published with an independent fold of its log.
    pub fn audit(&self) -> RunAudit {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(audit(self.nats.addresses("learner")))
    }
}

/// Ends a process by a signal, as an operator does.
pub fn terminate(mut process: ChildProcess) {
    let sent = Command::new("kill").arg(process.id().to_string()).status();
    assert!(sent.expect("kill runs").success());
    assert!(process.exits_within(TEST_TIMEOUT), "it stops");
}

/// Returns the name of a learner.
pub fn learner_name(learner: usize) -> String {
    format!("learner-{learner}")
}

/// Connects to the run of the cluster.
async fn connect_to_run(servers: String) -> ClusterRun {
    let options = NatsOptions {
        servers,
        credentials: None,
        nkey: None,
        authority: None,
        role: "learner",
    };
    let context = connect(&options, "test").await.expect("the servers run");
    let names = RunNames::new("farsign").expect("a valid name");
    ClusterRun::new(context, names)
}

/// What an independent fold of the log has found.
pub struct RunAudit {
    /// The updates of each message.
    pub updates: BTreeMap<u64, Vec<TaskId>>,
    /// Accepted updates.
    pub accepted: u64,
    /// Published versions whose bits equal those of the fold.
    pub equal_versions: usize,
    /// Published versions.
    pub versions: usize,
    /// Whether the state of the newest checkpoint equals that of the fold.
    pub is_checkpoint_equal: bool,
}

async fn audit(servers: String) -> RunAudit {
    let run = connect_to_run(servers).await;
    let identity = run.secret_identity().await.expect("a readable run");
    let identity = identity.expect("a run");
    let settings = resume(Settings::default(), &identity).expect("the settings of the run");
    let data = built_in().expect("the built-in digits");
    let config = Config::new(&settings, &data, 0).expect("valid settings");
    let replay = config
        .replay_options()
        .with_sampling_key(identity.keys.sampling);
    let published = published_versions(&run, config.run.directions.parameters()).await;
    let store = run.object_store().await.expect("checkpoints");
    let log = run.stream(run.names().log()).await.expect("a log");
    let checkpoints = Checkpoints::open(store, log, identity.run_id, u64::MAX).await;
    let initial = config.initial_checkpoint().state;
    let checkpoint = checkpoints.expect("checkpoints").restore(initial).await;
    let checkpoint = checkpoint.expect("a checkpoint");
    let mut audit = Audit::begin(&run, identity.run_id, replay)
        .await
        .expect("a log");
    let mut found = RunAudit {
        updates: BTreeMap::new(),
        accepted: 0,
        equal_versions: 0,
        versions: published.values().map(Vec::len).sum(),
        is_checkpoint_equal: checkpoint.message == 0,
    };
    found.equal_versions += equal_versions(audit.learner(), published.get(&0));
    while let Some(entries) = audit.next().await.expect("a log without gaps") {
        let message = entries[0].message;
        for entry in &entries {
            if let Record::Update { task, .. } = entry.record {
                found.updates.entry(message).or_default().push(task.id);
            }
        }
        let learner = audit.learner();
        if message == checkpoint.message {
            found.is_checkpoint_equal = learner.state() == checkpoint.state;
        }
        found.equal_versions += equal_versions(learner, published.get(&message));
    }
    found.accepted = audit.learner().optimizer().accepted();
    found
}

/// Returns how many versions have the bits of the learner's model.
fn equal_versions(learner: &Learner, published: Option<&Vec<Arc<Version>>>) -> usize {
    let optimizer = learner.optimizer();
    let is_equal = |version: &&Arc<Version>| {
        let number = learner.moved_at();
        let accepted = optimizer.accepted();
        Version::round(number, accepted, optimizer.x(), version.grid()) == ***version
    };
    published.into_iter().flatten().filter(is_equal).count()
}

/// Returns the versions on the board by the last message in each.
async fn published_versions(
    run: &ClusterRun,
    parameters: usize,
) -> BTreeMap<u64, Vec<Arc<Version>>> {
    let board = run.stream(run.names().board()).await.expect("a board");
    let oldest = NatsFollower::begin_at_oldest(board, run.names(), parameters).await;
    let (mut follower, first) = oldest.expect("a readable board").expect("a version");
    let mut published: BTreeMap<u64, Vec<_>> = BTreeMap::new();
    let mut add = |message, version: Option<PublishedVersion>| {
        let version = version.map(|published| published.version);
        published.entry(message).or_default().extend(version);
    };
    add(first.message, first.version);
    while let Ok(next) = tokio::time::timeout(BOARD_TIMEOUT, follower.next()).await {
        let bulletin = next.expect("a board without gaps");
        add(bulletin.message, bulletin.version);
    }
    published
}
