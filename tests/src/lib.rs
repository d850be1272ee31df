//! What the tests of the whole product share: servers to test against and a volunteer that keeps no rules.

pub mod apart;
pub mod browser;
pub mod crowd;
pub mod fuzz;
pub mod host;
pub mod hostile;
pub mod line;
pub mod process;
pub mod raw;
pub mod saved;
pub mod waiting;
