//! The training data of the section: all of MNIST, or the built-in digits.

use anyhow::Result;
use farsign::dataset::ShardedDataset;
use farsign_server::data::loader;

use crate::machine::Machine;

/// The training data of the servers and of the simulated volunteers.
#[derive(Debug)]
pub struct FleetData {
    /// Name for people.
    pub name: &'static str,
    /// The shards that volunteers hold.
    pub shards: ShardedDataset,
    /// Settings with which a server uses the data.
    pub settings: Vec<String>,
}

impl FleetData {
    /// Loads all of MNIST if its folder is known, else the built-in digits.
    ///
    /// # Errors
    ///
    /// Returns an error if the folder has no valid data.
    pub fn load(machine: &Machine) -> Result<Self> {
        let Some(folder) = &machine.paths.data else {
            return Ok(Self {
                name: "the built-in digits",
                shards: loader::built_in()?.shards.data().clone(),
                settings: Vec::new(),
            });
        };
        Ok(Self {
            name: "all of MNIST",
            shards: loader::from_folder(folder)?.shards.data().clone(),
            settings: vec!["--data".to_owned(), folder.display().to_string()],
        })
    }
}
