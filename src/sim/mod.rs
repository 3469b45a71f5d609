//! The kernel: clock, event list, named random streams, samplers, the hash of the event log.
//!
//! It knows nothing of Kubernetes.

pub mod hash;
pub mod queue;
pub mod rng;
pub mod sample;
