//! The controllers of volumes, each in a file of its own, with upstream's names.
//!
//! Source: kubernetes `pkg/controller/volume/`, v1.37.
//!
//! | file | what lives there |
//! |---|---|
//! | `persistentvolume.rs` | the persistentvolume-binder: claims, and the volumes that they get |
//! | `reclaim.rs` | the same controller's look at volumes: their phases, what becomes of them |
//! | `matching.rs` | which volume suits a claim |
//! | `attachdetach.rs` | the attachdetach controller: volumes go to the nodes of their pods |
//! | `request.rs` | what only these controllers ask for |

pub mod attachdetach;
mod matching;
pub mod persistentvolume;
mod reclaim;
pub mod request;
#[cfg(test)]
mod testing;

pub use reclaim::sync_volume;
