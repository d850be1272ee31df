//! Training by volunteers and a server, in both orders and under both rules.

use std::sync::Arc;

use farsign::dataset::{Dataset, DrawnImages, ShardedDataset};
use farsign::direction::DirectionFamily;
use farsign::estimate::Order;
use farsign::kernels::Evaluation;
use farsign::minibatch;
use farsign::optimizer::Rule;
use farsign::random::Stream;
use farsign::task::{Task, VolunteerId};
use farsign::volunteer::{Event, Volunteer};

use super::images;
use super::server::{Run, Server};

const VOTE: Rule = Rule::Vote {
    gamma: 0.1,
    direction_seed: 77,
};
const ZEROTH: Order = Order::Zeroth { delta: 0.01 };

pub fn softmax(order: Order, rule: Rule, family: DirectionFamily, directions: usize) -> Run {
    Run {
        widths: vec![16, 3],
        order,
        rule,
        family,
        directions,
        alpha: 0.02,
        horizon: 400.0,
        resets: None,
    }
}

/// Runs the schedule to its end with five volunteers that send in random order, so that nearly every update is stale.
/// Returns the evaluation on held-out images, and all frames that were sent.
fn train(run: &Run) -> (Evaluation, Vec<Vec<u8>>) {
    train_by(run, Volunteer::new, |volunteer, task, _, update| {
        volunteer.write_update(task, update).unwrap();
    })
}

/// Does the same as [`train`] with volunteers that are created and compute their updates in this way.
fn train_by(
    run: &Run,
    create: impl Fn(Arc<Dataset>) -> Volunteer,
    compute: impl Fn(&mut Volunteer, &Task, &Dataset, &mut Vec<u8>),
) -> (Evaluation, Vec<Vec<u8>>) {
    let data = Arc::new(images(1, 300));
    let mut server = Server::new(run, &data);
    let mut volunteers: Vec<_> = (0..5)
        .map(|_| (create(Arc::clone(&data)), Vec::new()))
        .collect();
    for (id, (_, frame)) in volunteers.iter_mut().enumerate() {
        server.join(VolunteerId(id as u64), frame);
    }
    let mut turns = Stream::new(2);
    let mut events = Vec::new();
    let mut sent = Vec::new();
    while !server.is_finished() {
        let id = turns.below(5);
        let (volunteer, frame) = &mut volunteers[id as usize];
        events.clear();
        volunteer.receive(frame, &mut events).unwrap();
        let Some(Event::Task(task)) = events.last() else {
            panic!("no task in {events:?}")
        };
        let mut update = Vec::new();
        compute(volunteer, task, &data, &mut update);
        server.receive(VolunteerId(id), &update, frame);
        sent.push(update);
    }
    (server.evaluate(&images(3, 300)), sent)
}

/// Creates a volunteer without images.
fn without_images(data: Arc<Dataset>) -> Volunteer {
    let list = ShardedDataset::from(data).list().clone();
    Volunteer::new(ShardedDataset::new(list))
}

/// Computes an update on images that are drawn elsewhere, in parts of different sizes, after one that is dropped.
fn compute_in_parts(volunteer: &mut Volunteer, task: &Task, data: &Dataset, update: &mut Vec<u8>) {
    let count = task.images as usize;
    let drawn: Vec<_> = minibatch::indices(task.minibatch_seed, data.len(), count).collect();
    let add = |volunteer: &mut Volunteer, part: &[usize]| {
        let mut bytes = Vec::new();
        DrawnImages::write(data.into(), part.iter().copied(), &mut bytes);
        let images = DrawnImages::read(&bytes, part.len(), data.pixels(), data.classes());
        volunteer.add_images(task, images.unwrap()).unwrap();
    };
    volunteer.begin_update(task).unwrap();
    add(volunteer, &drawn[..count / 2]);
    volunteer.begin_update(task).unwrap();
    add(volunteer, &drawn[..1]);
    drawn[1..].chunks(5).for_each(|part| add(volunteer, part));
    volunteer.finish_update(task, update).unwrap();
}

#[track_caller]
fn assert_learns(run: &Run) {
    let (Evaluation { accuracy, loss }, _) = train(run);
    assert!(accuracy >= 0.85, "accuracy {accuracy} after {run:?}");
    assert!(loss <= 0.6, "loss {loss} after {run:?}");
}

#[test]
fn first_order_learns_under_both_rules() {
    assert_learns(&softmax(
        Order::First,
        Rule::Plain,
        DirectionFamily::Coordinate,
        0,
    ));
    assert_learns(&softmax(Order::First, VOTE, DirectionFamily::Coordinate, 0));
}

#[test]
fn zeroth_order_learns_under_both_rules() {
    assert_learns(&softmax(
        ZEROTH,
        Rule::Plain,
        DirectionFamily::Sparse { nonzeros: 2 },
        16,
    ));
    assert_learns(&softmax(ZEROTH, VOTE, DirectionFamily::Coordinate, 0));
}

#[test]
fn every_family_learns() {
    let families = [
        (DirectionFamily::Coordinate, 30),
        (DirectionFamily::Hadamard { block: 16 }, 0),
        (DirectionFamily::Hadamard { block: 16 }, 30),
        (DirectionFamily::Rademacher, 30),
        (DirectionFamily::Sparse { nonzeros: 3 }, 17),
    ];
    for (family, directions) in families {
        assert_learns(&softmax(Order::First, Rule::Plain, family, directions));
    }
}

#[test]
fn hidden_layer_learns() {
    for order in [Order::First, ZEROTH] {
        let run = softmax(order, Rule::Plain, DirectionFamily::Coordinate, 0);
        assert_learns(&Run {
            widths: vec![16, 12, 3],
            ..run
        });
    }
}

#[test]
fn equal_frames_give_equal_updates() {
    for order in [Order::First, ZEROTH] {
        for rule in [Rule::Plain, VOTE] {
            let run = Run {
                horizon: 60.0,
                ..softmax(order, rule, DirectionFamily::Hadamard { block: 16 }, 0)
            };
            let ((first, sent), (second, sent_again)) = (train(&run), train(&run));
            assert!(sent == sent_again, "updates differ: {run:?}");
            assert_eq!(first, second);
        }
    }
}

#[test]
fn drawn_parts_give_equal_updates() {
    for order in [Order::First, ZEROTH] {
        let run = Run {
            horizon: 60.0,
            widths: vec![16, 12, 3],
            ..softmax(order, Rule::Plain, DirectionFamily::Coordinate, 0)
        };
        let (evaluation, sent) = train(&run);
        let (of_parts, sent_in_parts) = train_by(&run, without_images, compute_in_parts);
        assert!(sent == sent_in_parts, "updates differ: {run:?}");
        assert_eq!(evaluation, of_parts);
    }
}
