//! Scenarios: from files to one validated description of what to simulate.
//!
//! The only room that reads input files. It does not know the event loop.

pub mod curve;
pub mod diagnostic;
pub mod model;
pub mod strict;
pub mod yaml;
