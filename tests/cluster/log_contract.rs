//! What every log must do: the embedded ones, and that of a cluster.

use std::sync::Arc;

use farsign::learner::{GatewayId, Record};
use farsign::task::VolunteerId;
use farsign_cluster::connection::{NatsOptions, connect};
use farsign_cluster::log::NatsLog;
use farsign_cluster::log::reader::NatsReader;
use farsign_cluster::names::RunNames;
use farsign_cluster::run::{ClusterRun, StreamOptions};
use farsign_server::run::embedded::memory_log;
use farsign_server::run::log::{Log, LogReader};
use farsign_server::store::saved_values::RunIdentity;
use farsign_tests::nats_servers::{NatsServers, nats_program};

const RUN: u64 = 7;

fn leave(number: u64) -> Record {
    Record::Leave(VolunteerId(number))
}

fn join() -> Record {
    Record::Join {
        identity: None,
        gateway: GatewayId(1),
    }
}

/// Several writers append at once; the reader has every record once, in each writer's order, and joins alone.
async fn check(log: Arc<dyn Log>, mut reader: Box<dyn LogReader>) {
    let writers = (0..4u64).map(|writer| {
        let log = Arc::clone(&log);
        tokio::spawn(async move {
            let mut appended = Vec::new();
            for batch in 0..20u64 {
                let number = |record| 1 + 1000 * writer + 10 * batch + record;
                let mut records: Vec<Record> = (0..3).map(|record| leave(number(record))).collect();
                records.push(join());
                let messages = log.append(records.clone()).await.expect("a durable append");
                assert_eq!(messages.len(), records.len());
                appended.extend(messages.into_iter().zip(records));
            }
            appended
        })
    });
    let mut appended = Vec::new();
    let writers: Vec<_> = writers.collect();
    let count = 4 * 20 * 4;
    let mut read = Vec::new();
    while read.len() < count {
        let entries = reader
            .next()
            .await
            .expect("a readable log")
            .expect("an open log");
        assert!(!entries.is_empty());
        read.extend(entries);
    }
    for writer in writers {
        appended.push(writer.await.expect("no writer panics"));
    }
    assert!(read.is_sorted_by_key(|entry| entry.message), "one order");
    for records in &appended {
        for (message, record) in records {
            let found = read.iter().filter(|entry| entry.message == *message);
            let found: Vec<_> = found.map(|entry| &entry.record).collect();
            assert!(found.contains(&record), "{record:?} in message {message}");
            assert!(found.len() == 1 || !matches!(record, Record::Join { .. }));
        }
        let leaves = records.iter().filter(|(_, record)| *record != join());
        assert!(
            leaves.clone().is_sorted_by_key(|(message, _)| *message),
            "in the writer's order"
        );
    }
    let total: usize = appended.iter().map(Vec::len).sum();
    assert_eq!(read.len(), total, "each record once");
    log.close().await;
}

#[tokio::test]
async fn memory_log_keeps_contract() {
    let (log, reader) = memory_log();
    check(Arc::new(log), Box::new(reader)).await;
}

#[tokio::test]
async fn nats_log_keeps_contract() {
    let Some(program) = nats_program() else {
        println!("skipped: FARSIGN_NATS_SERVER does not name nats-server");
        return;
    };
    let servers = NatsServers::start(program);
    let options = NatsOptions {
        servers: servers.addresses("learner"),
        credentials: None,
        nkey: None,
        authority: None,
        role: "learner",
    };
    let context = connect(&options, "test").await.expect("a server");
    let names = RunNames::new("farsign").expect("a valid name");
    let run = ClusterRun::new(context.clone(), names.clone());
    assert!(run.identity().await.expect("a reply").is_none());
    let identity = RunIdentity {
        seed: 1,
        keys: farsign::keys::RunKeys {
            tasks: farsign::keys::Key::new([1; 32]),
            sampling: farsign::keys::Key::new([2; 32]),
        },
        run_id: RUN,
        train_digest: [3; 32],
        settings: String::new(),
    };
    let options = StreamOptions {
        replicas: 1,
        max_log_bytes: 100_000_000,
    };
    assert!(run.create(&identity, options, 0).await.expect("a new run"));
    assert!(
        !run.create(&identity, options, 0).await.expect("an old run"),
        "it exists"
    );
    let public = run.identity().await.expect("a reply").expect("a run");
    assert_eq!(
        public.keys.sampling.bytes(),
        &[0; 32],
        "gateways do not get it"
    );
    let secret = run
        .secret_identity()
        .await
        .expect("a reply")
        .expect("a run");
    assert_eq!(secret, identity);
    let log = NatsLog::new(context, names.log_of_learner(), RUN, None);
    let stream = run.stream(names.log()).await.expect("a stream");
    let reader = NatsReader::new(stream.clone(), RUN, 0);
    check(Arc::new(log), Box::new(reader)).await;
    let mut other = NatsReader::new(stream.clone(), RUN + 1, 0);
    let error = other
        .next()
        .await
        .expect_err("a message of another run")
        .to_string();
    assert!(
        error.starts_with("message 1 of the log: expected run"),
        "{error}"
    );
    stream.purge().sequence(10).await.expect("a purge");
    let error = NatsReader::new(stream, RUN, 0)
        .next()
        .await
        .expect_err("a gap")
        .to_string();
    assert!(
        error.contains("expected message 1 of the log, found 10"),
        "{error}"
    );
}
