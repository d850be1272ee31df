//! FAR-SIGN.

pub mod data_fetch;
pub mod dataset_source;
