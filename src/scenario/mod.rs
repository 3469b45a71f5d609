//! Scenarios: from files to one validated description of what to simulate.
//!
//! The only room that reads input files. It does not know the event loop.

pub mod curve;
pub mod diagnostic;
pub mod file;
pub mod flags;
pub mod model;
pub mod strict;
pub mod value;
pub mod yaml;
