//! The logic under study: the scheduler and the controllers, as deterministic functions.
//!
//! Code here is shown objects and handed `now`; it returns actions, reasons and "wake me at". It
//! knows neither the virtual clock's progress, nor the event list, random numbers, files, or the
//! physics of the world, so it would be just as correct on a wall clock (DESIGN rule 4).

pub mod controllers;
pub mod flags;
pub mod karpenter;
pub mod leader_election;
pub mod scheduler;
pub(crate) mod simulator;
pub mod vpa_flags;
