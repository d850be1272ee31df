//! Integration tests of the product: real servers, volunteers and clients over loopback.

mod admin;
mod admission;
mod adversarial_traffic;
mod chaos;
mod connections;
mod corpus;
mod dashboard;
mod delta_sync;
mod distant_volunteers;
mod durability;
mod egress;
mod export;
mod http;
mod malformed_input;
mod native_network;
mod operations;
mod page_api;
mod proxies;
mod session_model;
mod shards;
mod tls;
mod training;
mod training_data;
mod verification;
mod versions;
mod volunteers;
