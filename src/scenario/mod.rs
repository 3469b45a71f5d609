//! Scenarios: from files to one validated description of what to simulate.
//!
//! The only room that reads input files. It does not know the event loop.

mod applied;
pub mod bearers;
mod checks;
pub(crate) mod command_line;
mod commands;
mod control_plane;
pub mod curve;
mod curves;
pub mod custom_metrics;
pub mod dependencies;
pub mod diagnostic;
mod entries;
pub mod eviction;
mod existing;
pub mod file;
pub mod flags;
pub mod fleet;
pub mod forecast;
pub mod graph;
mod group_priorities;
pub mod hours;
pub mod karpenter;
pub mod kubectl;
pub mod limits;
pub mod load;
pub mod machines;
mod manifests;
pub mod market;
pub mod market_file;
pub mod metrics;
pub mod model;
mod node_groups;
mod overrides;
mod parameters;
mod price_book;
mod priorities;
mod resized;
mod resolve;
mod scheduler_arguments;
mod scheduler_configuration;
pub mod shapes;
pub mod shutdown;
mod static_pods;
pub mod strict;
mod trace;
pub mod value;
pub mod vpa_flags;
mod vpas;
mod workloads;
pub mod yaml;

pub use existing::created;
pub use load::{Inputs, Overrides, load, load_from};
