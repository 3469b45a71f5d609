//! What the world keeps of each pod and node beside their API objects.

use super::images::ImageId;
use crate::units::{SimDuration, SimTime};
use crate::world::cloud::MachineId;

/// Whether a pod's containers run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Containers {
    /// Not yet started, or waiting to be restarted.
    Waiting,
    /// Running.
    Running,
    /// Ended for good.
    Ended,
}

/// A pod on its node.
#[derive(Clone, Debug)]
pub struct PodState {
    /// Index of its Deployment in the scenario; `u32::MAX` for none.
    pub workload: u32,
    /// Raised whenever its containers end, so that steps of an earlier life find nothing to do.
    pub incarnation: u32,
    /// Whether its containers run.
    pub containers: Containers,
    /// When the present containers started.
    pub container_started: SimTime,
    /// First Running.
    pub first_running: SimTime,
    /// First Ready.
    pub first_ready: SimTime,
    /// The image pull that it waits for.
    pub pull: Option<Box<Pull>>,
    /// Its troubles, once it has any: most pods never do, and there are many pods.
    pub trouble: Option<Box<Trouble>>,
}

/// What befalls a pod that does not just run.
#[derive(Clone, Debug, Default)]
pub struct Trouble {
    /// CrashLoopBackOff: the wait before the next restart but one; zero before the first crash.
    pub back_off: SimDuration,
    /// When that wait was last raised.
    pub back_off_raised: SimTime,
    /// Grace period given with the deletion instead of the pod's own.
    pub grace: Option<SimDuration>,
    /// Why it goes, for its record; empty while it does not.
    pub end_reason: &'static str,
}

/// An image pull as the pod sees it that waits for it.
#[derive(Clone, Copy, Debug)]
pub struct Pull {
    /// Since when the pod waits.
    pub since: SimTime,
    /// How long its own pull takes; zero when another pod's pull brings the image.
    pub takes: SimDuration,
}

impl PodState {
    /// A pod that has just been created for Deployment `workload`.
    pub fn new(workload: Option<usize>) -> PodState {
        PodState {
            workload: workload.map_or(u32::MAX, |w| w as u32),
            incarnation: 0,
            containers: Containers::Waiting,
            container_started: SimTime::NEVER,
            first_running: SimTime::NEVER,
            first_ready: SimTime::NEVER,
            pull: None,
            trouble: None,
        }
    }

    /// Why it goes; empty while it does not.
    pub fn end_reason(&self) -> &'static str {
        self.trouble.as_ref().map_or("", |trouble| trouble.end_reason)
    }

    /// Index of its Deployment.
    pub fn workload(&self) -> Option<usize> {
        (self.workload != u32::MAX).then_some(self.workload as usize)
    }
}

/// A node's machine side.
#[derive(Clone, Debug)]
pub struct NodeState {
    /// Its machine.
    pub machine: MachineId,
    /// The machine runs.
    pub alive: bool,
    /// Since when the kubelet has not renewed its lease.
    pub silent_since: Option<SimTime>,
    /// Instant within the renewal interval at which it renews.
    pub lease_phase: SimTime,
    /// When the next pod may start.
    pub start_gate: SimTime,
    /// When the next image pull may start.
    pub pull_gate: SimTime,
    /// Images and when each is (or will be) there.
    pub images: Vec<(ImageId, SimTime)>,
    /// First Ready.
    pub first_ready: SimTime,
    /// Most pods at once.
    pub pods_peak: u32,
    /// Energy beyond idling, watt hours, of pods that are gone.
    pub busy_wh: f64,
    /// How often it has crashed.
    pub crashes: u64,
}
