//! Services and their requests, as fluids: rates in, rates out, queues as levels.
//!
//! Each Deployment is a [`station`]: its ready pods share the requests of the Services in front of
//! them. Rates run down the call graph in topological order; a request of an entry Service counts
//! as served when its own pod and all its callees answered in time. Formulas and their sources are
//! in [`queueing`]. Where failed requests are sent again, rates are those at which all of them hold
//! together ([`wiring`], [`users`]). How regularly requests come matters to who waits
//! ([`arriving`]). Workloads behind a Service may have shares of their own ([`weights`]). Where
//! clients stick to pods ([`clients`]), requests stay near ([`near`], by [`hints`]), pods are slow
//! while they are young ([`warmth`]), or they share the cores of their nodes ([`sharing`]), each
//! pod has a queue of its own. Or, where a scenario asks for it, requests go through it one by one
//! ([`singly`]).
//! This room knows rates, numbers of pods, places by name and who shares a node; not kubelets or
//! controllers.

mod arriving;
pub mod clients;
mod contention;
mod dependencies;
mod hints;
mod law;
mod near;
pub mod network;
pub mod queueing;
pub mod requests;
mod rest;
pub mod sharing;
pub mod singly;
pub mod station;
mod tries;
mod uneven;
mod users;
pub mod warmth;
mod weights;
pub mod wiring;
#[cfg(test)]
mod wiring_tests;
