//! What the kubelet reports of a pod's containers (`status.containerStatuses`).
//!
//! Containers of a pod count together here: they start and end as one. Plain data.

use crate::units::SimTime;

/// `state` of the containers, and how they last ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContainerStatus {
    /// `state`.
    pub state: ContainerState,
    /// `lastState.terminated`.
    pub last: Option<Termination>,
}

/// `state` of a container.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ContainerState {
    /// `waiting`, with its reason.
    Waiting(&'static str),
    /// `running`, since when.
    Running(SimTime),
    /// `terminated`.
    Terminated(Termination),
}

/// `terminated`: how a container ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Termination {
    /// `reason`: `Completed`, `Error`, `OOMKilled`.
    pub reason: &'static str,
    /// `exitCode`.
    pub exit_code: i32,
    /// `startedAt`; [`SimTime::NEVER`]: it is not known.
    pub started: SimTime,
    /// `finishedAt`; [`SimTime::NEVER`]: it is not known.
    pub finished: SimTime,
}

impl Termination {
    /// The exit code that goes with a reason: a process that is killed for its memory gets SIGKILL.
    pub fn exit_code_of(reason: &str) -> i32 {
        match reason {
            "Completed" => 0,
            "OOMKilled" => 137,
            _ => 1,
        }
    }
}
