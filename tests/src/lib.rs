//! Helpers of the product tests: servers, clients and proxies to test against.

pub mod adversarial_client;
pub mod browser;
pub mod certificate;
pub mod child_process;
pub mod child_server;
pub mod dataset_folder;
pub mod delaying_proxy;
pub mod driver_process;
pub mod flaky_proxy;
pub mod forward_proxy;
pub mod fuzz;
pub mod hostile_cache;
pub mod http_tunnel;
pub mod load_clients;
pub mod nats_servers;
pub mod raw_client;
pub mod reverse_proxy;
pub mod server_process;
pub mod state_dir;
pub mod test_server;
pub mod wait;
