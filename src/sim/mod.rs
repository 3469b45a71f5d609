//! The kernel: event list, named random streams, samplers, hash of the event log.
//!
//! It knows nothing of Kubernetes: an event is whatever type its user gives it, and what comes
//! first among events of one instant is that user's written decision ([`queue::Phase`]).

pub mod hash;
pub mod queue;
pub mod rng;
pub mod sample;
