//! The kubelets: what happens to a pod on its node.
//!
//! A pod's way: seen, queued for the node's start rate, sandbox, image pull with ImagePullBackOff,
//! init containers, containers started, application up, readiness probe, Ready; crash, hang or a
//! probe that fails, and restart with CrashLoopBackOff; changes in place; graceful end.
//! Each step is an event, so that faults can strike between any two. Kubelets know their own pods
//! and machine, not controllers nor traffic beyond "my containers answer".

mod admission;
mod back_off;
mod behave;
mod config;
mod crash;
mod disk;
mod end;
mod eviction;
mod health;
mod heartbeats;
mod images;
mod init;
mod probe;
mod pull;
mod resize;
mod shutdown;
#[cfg(test)]
mod shutdown_tests;
mod sidecars;
mod start;
mod state;
mod static_pods;
#[cfg(test)]
mod static_pods_tests;
mod status;
mod stop;
mod sync;
mod usage;
mod volumes;

pub use eviction::Evictions;
pub use images::{Images, Registry};
pub(in crate::world) use init::report as report_init;
pub use state::{Containers, NodeState, PodState, Undertakings};
pub(super) use volumes::Mounts;
