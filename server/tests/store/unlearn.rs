//! Unlearning one volunteer.

use farsign::optimizer::FarSign;
use farsign::random::Stream;
use farsign::sign::SignBits;
use farsign::task::{Task, TaskId, VolunteerId};
use farsign::version::VersionHash;
use farsign_server::store::event::{Accepted, Event};
use farsign_server::store::log::Log;
use farsign_server::store::unlearn::unlearn;

use crate::disk::Disk;
use crate::events::{D, RULES, apply, bits, counters, event, identity, initial, options};

const REMOVED: VolunteerId = VolunteerId(4);

#[test]
fn replay_equals_run_of_others() {
    for rule in RULES {
        let mut stream = Stream::new(8);
        let disk = Disk::default();
        let events: Vec<Event> = (0..500).map(|_| event(&mut stream)).collect();
        let mut log = Log::create(disk.database().unwrap(), identity(), &initial(rule)).unwrap();
        log.append(&events, &[], counters(1)).unwrap();
        let mut original = FarSign::new(options(rule));
        let mut others = FarSign::new(options(rule));
        for event in &events {
            apply(&mut original, event);
            if event.volunteer() != REMOVED {
                apply(&mut others, event);
            }
        }
        let unlearned = unlearn(&log, &options(rule), REMOVED).unwrap();
        assert_eq!(bits(&unlearned.original), bits(&original), "{rule:?}");
        assert_eq!(bits(&unlearned.replayed), bits(&others), "{rule:?}");
        let is_removed =
            |event: &&Event| event.volunteer() == REMOVED && matches!(event, Event::Accepted(_));
        assert_eq!(
            unlearned.updates,
            events.iter().filter(is_removed).count() as u64
        );
    }
}

/// Nine honest volunteers pull the parameters towards 1, and a trusted attacker pulls them away.
#[test]
fn both_methods_remove_attack() {
    let rule = RULES[0];
    let disk = Disk::default();
    let mut log = Log::create(disk.database().unwrap(), identity(), &initial(rule)).unwrap();
    let mut live = FarSign::new(options(rule));
    let mut events = Vec::new();
    for n in 0..400 {
        let volunteer = VolunteerId(n % 10);
        let factor = if volunteer == REMOVED { -1.0 } else { 1.0 };
        // Directions mix coordinates; equal seeds make the signs of two updates comparable.
        let mut gradient = vec![0.0; D];
        let mut directions = farsign::direction::Directions::new(options(rule).directions, 5);
        let slope: Vec<f32> = live.parameters().iter().map(|x| x - 1.0).collect();
        directions.project(&slope, &mut gradient);
        gradient.iter_mut().for_each(|g| *g *= factor);
        let mut signs = SignBits::default();
        signs.copy_from(&gradient, n);
        let trust = if volunteer == REMOVED { 4.0 } else { 0.2 };
        let event = Event::Accepted(Accepted {
            volunteer,
            task: Task {
                id: TaskId(n),
                version: VersionHash([n as u8; 32]),
                minibatch_seed: n,
                direction_seed: 5,
                coin_seed: n,
                images: 1,
                shards: 1,
                reset_momentum: false,
            },
            trust,
            signs: signs.into(),
        });
        apply(&mut live, &event);
        events.push(event);
    }
    log.append(&events, &[], counters(1)).unwrap();
    let distance = |run: &FarSign| {
        let distances = run.parameters().into_iter().map(|x| (x - 1.0).abs());
        distances.sum::<f32>() / D as f32
    };
    let unlearned = unlearn(&log, &options(rule), REMOVED).unwrap();
    let original = distance(&unlearned.original);
    let replayed = distance(&unlearned.replayed);
    let subtracted = distance(&unlearned.subtracted.expect("each update is a step"));
    assert!(
        replayed < original / 2.0 && subtracted < original / 2.0,
        "{original}, {replayed}, {subtracted}"
    );
}

#[test]
fn rolled_back_steps_are_not_subtracted() {
    let rule = RULES[0];
    let disk = Disk::default();
    let mut log = Log::create(disk.database().unwrap(), identity(), &initial(rule)).unwrap();
    let mut live = FarSign::new(options(rule));
    let mut stream = Stream::new(6);
    let accepted = std::iter::repeat_with(|| event(&mut stream)).find_map(|event| match event {
        Event::Accepted(accepted) => Some(Accepted {
            volunteer: REMOVED,
            ..accepted
        }),
        _ => None,
    });
    let accepted = Event::Accepted(accepted.unwrap());
    apply(&mut live, &accepted);
    let step = live.last_step().clone();
    let rolled_back = Event::RolledBack {
        volunteer: REMOVED,
        step: farsign::step::Step {
            scale: -step.scale,
            ..step
        },
    };
    log.append(&[accepted, rolled_back], &[], counters(1))
        .unwrap();
    let before = initial(rule).state.x;
    let subtracted = unlearn(&log, &options(rule), REMOVED)
        .unwrap()
        .subtracted
        .unwrap();
    assert_eq!(subtracted.x(), before);
}
