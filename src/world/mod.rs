//! The physics: kubelets, image pulls, the API server's latency and clients' limits, cloud
//! machines, services and traffic, faults; every event of a run.
//!
//! One world is one run on one thread. It knows neither files nor reports; what it leaves goes
//! through the recorder.

mod admission;
mod api_server;
mod apply;
mod bearers;
mod bind;
#[cfg(test)]
mod bind_tests;
mod build;
mod charges;
mod client;
mod cloud;
mod contention;
mod controllers;
mod correlator;
mod custom_metrics;
mod dependencies;
mod devices;
mod election;
mod event;
mod explain;
mod faults;
mod fleets;
mod flow;
mod forecast;
#[cfg(test)]
mod health_tests;
#[cfg(test)]
mod job_tests;
mod jobs;
mod karpenter;
mod kubectl;
mod kubelet;
mod leaders;
mod ledger;
mod level;
mod links;
mod load;
#[cfg(test)]
mod load_tests;
mod log;
mod look;
mod machines;
mod memory;
mod metrics;
mod node_checks;
mod observe;
mod outage;
#[cfg(test)]
mod outage_tests;
mod overload;
mod owners;
mod places;
mod proxies;
mod reconnect;
mod run;
mod scaled_objects;
mod schedule;
mod services;
mod settle;
mod spot;
#[cfg(test)]
mod spot_tests;
#[cfg(test)]
mod start_tests;
mod stateful_sets;
mod syncs;
#[cfg(test)]
mod tests;
mod traffic;
mod volumes;
mod vpas;
mod watch;
#[allow(clippy::module_inception)]
mod world;

pub use look::Look;
pub use run::{Audience, Run, RunOptions, explain, run, run_before};
pub use traffic::requests;
pub use world::World;
