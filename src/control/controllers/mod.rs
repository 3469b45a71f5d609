//! The controllers of kube-controller-manager, and the cluster autoscaler: one per file, upstream's
//! names.
//!
//! A controller is shown the store and `now`, and answers with an [`Outcome`]: requests to the API
//! server in the order it would send them, Events, and when it wants to look again. It never
//! changes an object itself. The world sends the requests with the latency and the client limits
//! that the real component has, and does not sync a key again before they are answered: what
//! upstream reaches with expectations.

pub mod action;
pub mod claim;
pub mod cluster_autoscaler;
pub mod cronjob;
pub mod daemon;
pub mod deployment;
pub mod disruption;
pub mod endpointslice;
pub mod garbagecollector;
pub mod job;
pub mod namespace;
pub mod node_lifecycle;
pub mod podautoscaler;
pub mod podgc;
pub mod refused;
pub mod replicaset;
pub mod resourcequota;
pub mod scaled_object;
pub mod service;
pub mod statefulset;
pub mod taint_eviction;
#[cfg(test)]
pub(crate) mod testing;
pub mod ttlafterfinished;
pub mod vertical_pod_autoscaler;
pub mod volume;

pub use action::{Action, Outcome};
