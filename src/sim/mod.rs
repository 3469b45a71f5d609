//! The kernel: clock, event list, run loop, named random streams, samplers, hash of the event log.
//!
//! It knows nothing of Kubernetes: an event is whatever type its user gives it, and what comes
//! first among events of one instant is that user's written decision ([`queue::Phase`]).

pub mod engine;
pub mod hash;
pub mod periodic;
pub mod queue;
pub mod rng;
pub mod sample;
