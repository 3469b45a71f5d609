//! How requests run through services: whom a workload calls and how, what it does when it is cold
//! or overloaded, who shares requests among pods, and how clients behave.
//!
//! [`mod@file`] is as written, [`model`] as checked; `resolve` makes one of the other, and `told`
//! writes it back. `levels` decides how closely requests are followed. It does not know how any of
//! it is simulated.

pub mod file;
mod levels;
pub mod model;
mod resolve;
pub(super) mod told;
mod unmodelled;
