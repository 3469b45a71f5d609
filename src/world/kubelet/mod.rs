//! The kubelets: what happens to a pod on its node.
//!
//! A pod's way: seen, queued for the node's start rate, sandbox, image pull, containers started,
//! application up, readiness probe, Ready; crash and restart with CrashLoopBackOff; graceful end.
//! Each step is an event, so that faults can strike between any two. Kubelets know their own pods
//! and machine, not controllers nor traffic beyond "my containers answer".

mod crash;
mod images;
mod start;
mod state;
mod stop;

pub use images::ImageId;
pub use state::{Containers, NodeState, PodState};
