//! Stormglass: a deterministic discrete-event cluster simulator.
//!
//! A virtual clock drives simulated nodes, pods, failures and traffic through the real logic of
//! Kubernetes. The modules below are the rooms of ARCHITECTURE.md, in reading order; data flows
//! down the list, and `tests/tidy.rs` holds that direction.

pub mod units;

pub mod sim;

pub mod api;

pub mod store;

pub mod control;

pub mod conform;

pub mod record;

pub mod scenario;

pub mod check;

pub mod world;

pub mod experiment;

pub mod replay;

pub mod print;

pub mod cli;

pub mod report;
