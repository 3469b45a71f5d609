//! Services and their requests, as fluids: rates in, rates out, queues as levels.
//!
//! Each Deployment is a [`station`]: its ready pods share the requests of the Services in front of
//! them. Rates run down the call graph in topological order; a request of an entry Service counts
//! as served when its own pod and all its callees answered in time. Formulas and their sources are
//! in [`queueing`]. This room knows rates and numbers of pods, not nodes, kubelets or controllers.

pub mod network;
pub mod queueing;
pub mod station;
