//! Verification: honest updates pass, and a single wrong bit is detected.

use std::collections::HashMap;
use std::sync::Arc;

use farsign::assignment::ResetInterval;
use farsign::dataset::Dataset;
use farsign::direction::DirectionFamily;
use farsign::estimate::Order;
use farsign::momentum::Momentum;
use farsign::optimizer::Rule;
use farsign::random::Stream;
use farsign::sign::SignBits;
use farsign::task::{Task, TaskId, VolunteerId};
use farsign::verification::{ChainSegment, Recomputer, VerifiableUpdate};
use farsign::volunteer::{Event, Volunteer};

use super::images;
use super::server::{Run, Server};
use super::training::softmax;

const RESETS: Option<ResetInterval> = Some(ResetInterval::VERIFIED);

/// The updates between two resets, of a run of three volunteers that send in random order.
fn chains(run: &Run, data: &Arc<Dataset>) -> Vec<Vec<VerifiableUpdate>> {
    let mut server = Server::new(run, data);
    let (mut open, mut closed) = (HashMap::<u64, Vec<VerifiableUpdate>>::new(), Vec::new());
    let mut volunteers: Vec<_> = (0..3)
        .map(|_| (Volunteer::new(Arc::clone(data)), Vec::new()))
        .collect();
    let first = Arc::new(server.version());
    let mut sent = [(); 3].map(|()| Arc::clone(&first));
    for (id, (_, frame)) in volunteers.iter_mut().enumerate() {
        server.join(VolunteerId(id as u64), frame);
    }
    let mut turns = Stream::new(4);
    while !server.is_finished() {
        let id = turns.below(3);
        let (volunteer, frame) = &mut volunteers[id as usize];
        let (task, signs) = update(volunteer, frame);
        let mut update = Vec::new();
        farsign::wire::ClientFrame::update(task.id, &signs, &mut update);
        let version = Arc::clone(&sent[id as usize]);
        if task.reset_momentum {
            closed.extend(open.remove(&id));
        }
        open.entry(id).or_default().push(VerifiableUpdate {
            position: task.id.0,
            task,
            version: version.into(),
            signs: Some(Arc::new(signs)),
        });
        server.receive(VolunteerId(id), &update, frame);
        sent[id as usize] = Arc::new(server.version());
    }
    closed.extend(open.into_values());
    closed
}

fn update(volunteer: &mut Volunteer, frame: &[u8]) -> (Task, SignBits) {
    let mut events = Vec::new();
    volunteer.receive(frame, &mut events).unwrap();
    let Some(Event::Task(task)) = events.last() else {
        panic!("no task in {events:?}")
    };
    (*task, volunteer.compute_update(task).unwrap().clone())
}

fn runs() -> Vec<Run> {
    let zeroth = Order::Zeroth { delta: 0.01 };
    let vote = Rule::Vote {
        gamma: 0.1,
        direction_seed: 77,
    };
    let sparse = DirectionFamily::Sparse { nonzeros: 2 };
    let mlp = |run: Run| Run {
        widths: vec![16, 12, 3],
        ..run
    };
    [
        softmax(Order::First, Rule::Plain, DirectionFamily::Coordinate, 0),
        softmax(
            Order::First,
            vote,
            DirectionFamily::Hadamard { block: 16 },
            0,
        ),
        mlp(softmax(
            Order::First,
            Rule::Plain,
            DirectionFamily::Coordinate,
            0,
        )),
        softmax(zeroth, Rule::Plain, sparse, 16),
        mlp(softmax(zeroth, Rule::Plain, sparse, 16)),
    ]
    .map(|run| Run {
        horizon: 150.0,
        resets: RESETS,
        ..run
    })
    .to_vec()
}

#[test]
fn single_wrong_bit_fails_verification() {
    let data = Arc::new(images(1, 300));
    let mut stream = Stream::new(9);
    for run in runs() {
        let mut recomputer = Recomputer::new(run.settings(&data), Arc::clone(&data), 1);
        let chains = chains(&run, &data);
        assert!(chains.len() >= 15, "{} chains: {run:?}", chains.len());
        for (number, mut chain) in chains.into_iter().enumerate() {
            let (first, rest) = chain.split_at(stream.below(chain.len() as u64) as usize);
            let momentum = &mut Momentum::default();
            for segment in [first, rest] {
                assert_eq!(
                    recomputer.first_mismatch(segment, momentum),
                    None,
                    "chain {number} of {run:?}"
                );
            }
            let wrong = stream.below(chain.len() as u64) as usize;
            let signs = chain[wrong].signs.as_mut().expect("an update");
            flip_one(Arc::make_mut(signs), stream.bits());
            let found = recomputer.first_mismatch(&chain, &mut Momentum::default());
            assert_eq!(found, Some(wrong), "chain {number} of {run:?}");
        }
    }
}

fn flip_one(signs: &mut SignBits, bits: u64) {
    let mut bytes = signs.as_bytes().to_vec();
    let bit = (bits % signs.count() as u64) as usize;
    bytes[bit / 8] ^= 1 << (bit % 8);
    *signs = SignBits::from_bytes(&bytes, signs.count()).unwrap();
}

#[test]
fn continued_segment_passes_without_momentum() {
    let data = Arc::new(images(1, 300));
    for run in runs() {
        let settings = run.settings(&data);
        let mut recomputer = Recomputer::new(settings.clone(), Arc::clone(&data), 1);
        let mut other = Recomputer::new(settings, Arc::clone(&data), 1);
        for (number, mut chain) in chains(&run, &data).into_iter().enumerate() {
            for (index, update) in chain.iter_mut().enumerate() {
                update.task.id = TaskId::new(VolunteerId(number as u64), 1 + index as u64);
            }
            let split = chain.len() / 2;
            let (first, second) = (
                segment(&chain, 0, split),
                segment(&chain, split, chain.len()),
            );
            if split == 0 {
                continue;
            }
            let count = |recomputer: &mut Recomputer, segment| {
                let found = recomputer.verify(segment).expect("a verifiable segment");
                assert_eq!(found.mismatch, None, "chain {number} of {run:?}");
                found.updates as usize
            };
            assert_eq!(count(&mut recomputer, &first), split);
            let rest = chain.len() - split;
            assert_eq!(count(&mut recomputer, &second), rest, "from its momentum");
            assert_eq!(count(&mut other, &second), chain.len(), "from the reset");
        }
    }
}

fn segment(chain: &[VerifiableUpdate], first: usize, end: usize) -> ChainSegment {
    ChainSegment {
        updates: chain[first..end].to_vec(),
        continues: first > 0,
        verified: chain[..first].to_vec().into(),
        reset: chain[0].task.id,
    }
}
