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
    /// Of its init containers; `None`: it has none, or they have long been through.
    pub init: Option<InitStatus>,
}

/// What the kubelet reports of a pod's init containers (`status.initContainerStatuses`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InitStatus {
    /// Those that are through, in their order.
    pub done: Vec<InitDone>,
    /// `state` of the one whose turn it is, if there is one.
    pub state: ContainerState,
    /// How that one last ended.
    pub last: Option<Termination>,
    /// How often it was started again.
    pub restarts: u32,
}

/// An init container that is through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InitDone {
    /// When it started.
    pub started: SimTime,
    /// When it had ended or, a sidecar, was seen to have started.
    pub ended: SimTime,
    /// How often it was started again.
    pub restarts: u32,
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
