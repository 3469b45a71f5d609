//! Services and their requests one by one: each request is a few events of its own.
//!
//! The other level is the fluid one beside it: rates and formulas. Here arrivals, queues, work,
//! answers and deadlines happen at instants, and every latency is one that a request had. Nothing
//! is approximated but the application itself. [`Engine`] has an event list of its own and is run
//! up to an instant; who runs it, and what else happens in the world, it does not know. What it is
//! told to simulate is a [`Plan`] of numbers and indexes, so it runs as well without a world.
//!
//! Random numbers do not depend on who is asked: the gaps of an entry's arrivals are a stream of
//! the entry's own, and all numbers of a request are hashed from its entry, its number there and
//! its place among the calls that it leads to ([`draws`]). So the k-th request comes at the same
//! instant and brings the same work whatever the policy, however many pods there are.

mod account;
pub mod arrivals;
mod balance;
mod calls;
mod connections;
mod deadlines;
pub mod draws;
mod engine;
mod inflight;
mod near;
mod outside;
mod places;
mod plan;
mod pod;
mod roster;
mod serve;

pub use account::{EntryCount, Gauges, StationCount};
pub use engine::{Engine, PodIx, Signal};
pub use plan::{CallPlan, EntryPlan, Pick, Plan, Retries, ServicePlan, Size, StationPlan};

#[cfg(test)]
mod tests;
