//! What roles may not do.

use std::time::Duration;

use farsign_cluster::connection::{NatsOptions, connect};
use farsign_cluster::names::RunNames;
use farsign_cluster::run::ClusterRun;
use farsign_tests::nats_servers::{NatsServers, nats_program};

use crate::cluster::Cluster;

/// Time for a request, after which it counts as rejected.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(1);

async fn connect_as(cluster: &Cluster, role: &'static str) -> ClusterRun {
    let options = NatsOptions {
        servers: cluster.nats.addresses(role),
        credentials: None,
        nkey: None,
        authority: None,
        role,
    };
    let mut context = connect(&options, "test").await.expect("a server");
    context.set_timeout(REQUEST_TIMEOUT);
    let names = RunNames::new("farsign").expect("a valid name");
    ClusterRun::new(context, names)
}

async fn may_publish(run: &ClusterRun, subject: String) -> bool {
    match run.context().publish(subject, "".into()).await {
        Ok(sent) => sent.await.is_ok(),
        Err(_) => false,
    }
}

#[test]
fn roles_have_least_privilege() {
    let Some(program) = nats_program() else {
        println!("skipped: FARSIGN_NATS_SERVER does not name nats-server");
        return;
    };
    let cluster = Cluster::start(NatsServers::start(program), &["--model", "softmax"]);
    assert_eq!(
        cluster.nats.violations(),
        Vec::<String>::new(),
        "no role lacks a right"
    );
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        for role in ["gateway", "verifier"] {
            let run = connect_as(&cluster, role).await;
            let names = run.names();
            for subject in [names.log_of_learner(), names.bulletins(true)] {
                assert!(
                    !may_publish(&run, subject.clone()).await,
                    "{role}: {subject}"
                );
            }
            let secret = run.context().get_key_value(names.secret()).await;
            assert!(secret.is_err(), "{role} reads the sampling key");
        }
        let gateway = connect_as(&cluster, "gateway").await;
        let verdicts = gateway.names().log_of_verifier();
        assert!(
            !may_publish(&gateway, verdicts).await,
            "a gateway appends verdicts"
        );
    });
}
