//! Honest answers are always found right, and a single wrong bit is always found.

use std::collections::HashMap;
use std::sync::Arc;

use farsign::assignment::ResetInterval;
use farsign::dataset::Dataset;
use farsign::direction::DirectionFamily;
use farsign::estimate::Order;
use farsign::optimizer::Rule;
use farsign::random::Stream;
use farsign::recomputation::{Answered, Recomputation};
use farsign::sign::SignBits;
use farsign::task::{Task, VolunteerId};
use farsign::tracker::Tracker;
use farsign::volunteer::{Event, Volunteer};

use crate::images;
use crate::server::{Run, Server};
use crate::training::softmax;

const RESETS: Option<ResetInterval> = Some(ResetInterval::CHECKED);

/// What everybody answered from one reset to the next, for a whole run of three volunteers that answer in random turns.
fn chains(run: &Run, data: &Arc<Dataset>) -> Vec<Vec<Answered>> {
    let mut server = Server::new(run, data);
    let (mut open, mut closed) = (HashMap::<u64, Vec<Answered>>::new(), Vec::new());
    let mut volunteers: Vec<_> = (0..3).map(|_| (Volunteer::new(Arc::clone(data)), Vec::new())).collect();
    let mut sent_x = vec![server.x(); 3];
    for (id, (_, frame)) in volunteers.iter_mut().enumerate() {
        server.join(VolunteerId(id as u64), frame);
    }
    let mut turns = Stream::new(4);
    while !server.is_finished() {
        let id = turns.below(3);
        let (volunteer, frame) = &mut volunteers[id as usize];
        let (task, signs) = answer(volunteer, frame);
        let mut message = Vec::new();
        farsign::wire::ClientFrame::answer(task.id, &signs, &mut message);
        let x = Arc::clone(&sent_x[id as usize]);
        if task.reset_tracker {
            closed.extend(open.remove(&id));
        }
        open.entry(id).or_default().push(Answered { task, x, signs });
        server.answer(VolunteerId(id), &message, frame);
        sent_x[id as usize] = server.x();
    }
    closed.extend(open.into_values());
    closed
}

fn answer(volunteer: &mut Volunteer, frame: &[u8]) -> (Task, SignBits) {
    let mut events = Vec::new();
    volunteer.receive(frame, &mut events).unwrap();
    let Some(Event::Task(task)) = events.last() else { panic!("no task in {events:?}") };
    (*task, volunteer.work(task).unwrap().clone())
}

fn runs() -> Vec<Run> {
    let zeroth = Order::Zeroth { delta: 0.01 };
    let vote = Rule::Vote { gamma: 0.1, direction_seed: 77 };
    let sparse = DirectionFamily::Sparse { nonzeros: 2 };
    let mlp = |run: Run| Run { widths: vec![16, 12, 3], ..run };
    [
        softmax(Order::First, Rule::Plain, DirectionFamily::Coordinate, 0),
        softmax(Order::First, vote, DirectionFamily::Hadamard { block: 16 }, 0),
        mlp(softmax(Order::First, Rule::Plain, DirectionFamily::Coordinate, 0)),
        softmax(zeroth, Rule::Plain, sparse, 16),
        mlp(softmax(zeroth, Rule::Plain, sparse, 16)),
    ]
    .map(|run| Run { horizon: 150.0, resets: RESETS, ..run })
    .to_vec()
}

#[test]
fn honest_answers_are_right_and_every_wrong_bit_is_found() {
    let data = Arc::new(images(1, 300));
    let mut stream = Stream::new(9);
    for run in runs() {
        let mut recomputation = Recomputation::new(run.settings(&data), Arc::clone(&data));
        let chains = chains(&run, &data);
        assert!(chains.len() >= 15, "{} chains: {run:?}", chains.len());
        for (number, mut chain) in chains.into_iter().enumerate() {
            let (first, rest) = chain.split_at(stream.below(chain.len() as u64) as usize);
            let tracker = &mut Tracker::default();
            for part in [first, rest] {
                assert_eq!(recomputation.first_wrong(part, tracker), None, "chain {number} of {run:?}");
            }
            let liar = stream.below(chain.len() as u64) as usize;
            flip_one(&mut chain[liar].signs, stream.bits());
            let found = recomputation.first_wrong(&chain, &mut Tracker::default());
            assert_eq!(found, Some(liar), "chain {number} of {run:?}");
        }
    }
}

fn flip_one(signs: &mut SignBits, bits: u64) {
    let mut bytes = signs.as_bytes().to_vec();
    let bit = (bits % signs.count() as u64) as usize;
    bytes[bit / 8] ^= 1 << (bit % 8);
    *signs = SignBits::from_bytes(&bytes, signs.count()).unwrap();
}
