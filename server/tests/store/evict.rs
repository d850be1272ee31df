//! A run without one of its volunteers.

use farsign::optimizer::FarSign;
use farsign::random::Stream;
use farsign::sign::SignBits;
use farsign::task::{TaskId, VolunteerId};
use farsign_server::store::event::{Accepted, Event};
use farsign_server::store::evict::evict;
use farsign_server::store::log::Log;

use crate::disk::Disk;
use crate::events::{D, RULES, apply, beginning, bits, cursor, event, identity, options};

const GONE: VolunteerId = VolunteerId(4);

#[test]
fn a_replay_without_a_volunteer_is_the_run_of_the_others() {
    for rule in RULES {
        let (mut stream, disk) = (Stream::new(8), Disk::default());
        let events: Vec<Event> = (0..500).map(|_| event(&mut stream)).collect();
        let mut log = Log::create(disk.database().unwrap(), identity(), &beginning(rule)).unwrap();
        log.append(&events, &[], cursor(1)).unwrap();
        let (mut whole, mut others) = (FarSign::new(options(rule)), FarSign::new(options(rule)));
        for event in &events {
            apply(&mut whole, event);
            if event.volunteer() != GONE {
                apply(&mut others, event);
            }
        }
        let evicted = evict(&log, &options(rule), GONE).unwrap();
        assert_eq!(bits(&evicted.whole), bits(&whole), "{rule:?}");
        assert_eq!(bits(&evicted.replayed), bits(&others), "{rule:?}");
        let its = |event: &&Event| event.volunteer() == GONE && matches!(event, Event::Accepted(_));
        assert_eq!(evicted.contributions, events.iter().filter(its).count() as u64);
    }
}

/// Nine pull the parameters to 1, and a liar they trust away from it.
#[test]
fn both_ways_undo_what_a_liar_did() {
    let (rule, disk) = (RULES[0], Disk::default());
    let mut log = Log::create(disk.database().unwrap(), identity(), &beginning(rule)).unwrap();
    let mut live = FarSign::new(options(rule));
    let mut events = Vec::new();
    for n in 0..400 {
        let volunteer = VolunteerId(n % 10);
        let lie = if volunteer == GONE { -1.0 } else { 1.0 };
        // Directions mix coordinates; those of one seed make the signs of two answers comparable.
        let mut gradient = vec![0.0; D];
        let mut directions = farsign::direction::Directions::new(options(rule).directions, 5);
        let slope: Vec<f32> = live.x().iter().map(|x| x - 1.0).collect();
        directions.project(&slope, &mut gradient);
        gradient.iter_mut().for_each(|g| *g *= lie);
        let mut signs = SignBits::default();
        signs.set_from(&gradient, n);
        let trust = if volunteer == GONE { 4.0 } else { 0.2 };
        let event = Event::Accepted(Accepted { volunteer, task: TaskId(n), direction_seed: 5, trust, signs });
        apply(&mut live, &event);
        events.push(event);
    }
    log.append(&events, &[], cursor(1)).unwrap();
    let away = |run: &FarSign| run.x().iter().map(|x| (x - 1.0).abs()).sum::<f32>() / D as f32;
    let evicted = evict(&log, &options(rule), GONE).unwrap();
    let (whole, replayed) = (away(&evicted.whole), away(&evicted.replayed));
    let subtracted = away(&evicted.subtracted.expect("contributions are steps"));
    assert!(replayed < whole / 2.0 && subtracted < whole / 2.0, "{whole}, {replayed}, {subtracted}");
}

#[test]
fn steps_that_were_taken_back_already_are_not_taken_back_again() {
    let (rule, disk) = (RULES[0], Disk::default());
    let mut log = Log::create(disk.database().unwrap(), identity(), &beginning(rule)).unwrap();
    let mut live = FarSign::new(options(rule));
    let mut stream = Stream::new(6);
    let accepted = std::iter::repeat_with(|| event(&mut stream)).find_map(|event| match event {
        Event::Accepted(accepted) => Some(Accepted { volunteer: GONE, ..accepted }),
        _ => None,
    });
    let accepted = Event::Accepted(accepted.unwrap());
    apply(&mut live, &accepted);
    let step = live.last_step().clone();
    let undone = Event::Undone { volunteer: GONE, step: farsign::step::Step { scale: -step.scale, ..step } };
    log.append(&[accepted, undone], &[], cursor(1)).unwrap();
    let before = beginning(rule).state.x;
    let subtracted = evict(&log, &options(rule), GONE).unwrap().subtracted.unwrap();
    let moved = subtracted.x().iter().zip(&before).map(|(x, before)| (x - before).abs()).fold(0.0, f32::max);
    assert!(moved < 1e-6, "moved by {moved}");
}
