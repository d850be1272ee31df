//! A volunteer that begins with the first shard and gets more while it works.

use std::sync::Arc;

use farsign::dataset::{Dataset, DatasetParts, ShardedDataset};
use farsign::estimate::Order;
use farsign::sign_update::UpdateComputer;
use farsign::task::{RunSettings, Task, TaskId, VolunteerId};
use farsign::version::Version;
use farsign::volunteer::{Volunteer, VolunteerError};
use farsign::wire::{EncodedVersion, ServerFrame};

use super::super::dataset::gzip;
use super::grid;
use super::server::Run;

/// 2,000 images of 1,024 pixels in two shards, with classes that only a part of the pixels shows.
fn training_set() -> ShardedDataset {
    let labels: Vec<u8> = (0..2000).map(|image| image as u8 % 2).collect();
    let images = (0..2000 * 1024).map(|at| (at / 7 % 251) as u8).collect();
    let data = Dataset::from_parts(DatasetParts {
        rows: 32,
        cols: 32,
        images,
        labels,
    });
    ShardedDataset::cut(Arc::new(data.unwrap()))
}

fn settings(data: &ShardedDataset) -> RunSettings {
    let run = Run::plain(vec![1024, 2], Order::First);
    run.settings_with(data.digest())
}

#[test]
fn volunteer_computes_on_held_shards() {
    let whole = training_set();
    let settings = settings(&whole);
    let x: Vec<i32> = (0..2050).map(|at| [1 << 19, -(1 << 18)][at % 2]).collect();
    let version = Version::round(1, 0, &x, grid(20, 0));
    let mut frame = Vec::new();
    ServerFrame::new(&mut frame)
        .welcome(VolunteerId(1), &settings)
        .version(&EncodedVersion::new(&version, None));
    let mut held = ShardedDataset::new(whole.list().clone());
    let mut volunteer = Volunteer::new(held.clone());
    volunteer.receive(&frame, &mut Vec::new()).unwrap();
    let mut task = Task {
        id: TaskId(1),
        version: version.hash(),
        minibatch_seed: 2,
        direction_seed: 3,
        coin_seed: 4,
        images: 16,
        shards: 1,
        reset_momentum: true,
    };
    for shards in 1..=2 {
        task.shards = shards as u16;
        assert_eq!(
            volunteer.compute_update(&task),
            Err(VolunteerError::MissingShards {
                held: shards - 1,
                expected: task.shards
            })
        );
        held.push(&gzip(&whole.unpacked_shard(shards - 1).unwrap()))
            .unwrap();
        volunteer.grow(&held);
        assert_eq!(volunteer.held_shards(), shards);
        task.minibatch_seed += 1;
        let mut server = UpdateComputer::new(settings.clone());
        let expected = server.compute(&task, version.parameters(), whole.first(shards).unwrap());
        assert_eq!(
            volunteer.compute_update(&task).ok(),
            expected,
            "{shards} shards"
        );
    }
}

#[test]
fn volunteer_grows_by_same_data_only() {
    let whole = training_set();
    let mut volunteer = Volunteer::new(ShardedDataset::new(whole.list().clone()));
    let parts = DatasetParts {
        rows: 1,
        cols: 1,
        images: vec![1, 2],
        labels: vec![0, 1],
    };
    let other = ShardedDataset::from(Arc::new(Dataset::from_parts(parts).unwrap()));
    volunteer.grow(&other);
    assert_eq!(volunteer.held_shards(), 0, "other data");
    volunteer.grow(&whole);
    volunteer.grow(&ShardedDataset::new(whole.list().clone()));
    assert_eq!(volunteer.held_shards(), 2, "fewer shards");
}
