//! What the world keeps of each pod and node beside their API objects.

use super::back_off::BackOff;
use super::health::Health;
use super::images::{ImageId, Images};
use super::init::Init;
use super::shutdown::Shutdown;
use crate::api::container_status::Termination;
use crate::api::pod::{Pod, StatusReason};
use crate::api::{NodeId, PodId};
use crate::units::{OptionalTime, SimDuration, SimTime};
use crate::world::client::TokenBucket;
use crate::world::cloud::MachineId;
use crate::world::correlator::spam_filter;
use crate::world::event::PodStep;
use std::collections::BTreeMap;

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
    /// Its images.
    pub image: ImageId,
    /// Raised whenever its containers end, so that steps of an earlier life find nothing to do.
    /// It starts again from 0 after 65,535: a step outlives a few lives at most.
    pub incarnation: u16,
    /// Whether its containers run.
    pub containers: Containers,
    /// When the present containers started.
    pub container_started: SimTime,
    /// First Ready.
    pub first_ready: SimTime,
    /// Its troubles, once it has any: most pods never do, and there are many pods.
    pub trouble: Option<Box<Trouble>>,
}

/// What befalls a pod that does not just run.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// CrashLoopBackOff.
    pub crash: BackOff,
    /// When its container last ended; `NEVER` while it runs.
    pub finished: SimTime,
    /// How its container ended the last time that it did (`lastState.terminated`).
    pub last_end: Option<Termination>,
    /// First Running, once the present containers are not the first; `NEVER` before.
    pub first_running: SimTime,
    /// ImagePullBackOff.
    pub pull: BackOff,
    /// Why its container waits (`state.waiting.reason`); empty: it does not.
    pub waiting: &'static str,
    /// When the kubelet last looked at the pod in vain.
    pub looked: SimTime,
    /// When it looks again.
    pub next_look: SimTime,
    /// Which Events about it get through the recorder's spam filter: 25 at once, then one each five
    /// minutes (client-go `tools/record/events_cache.go`).
    pub told: TokenBucket,
    /// Grace period given with the deletion instead of the pod's own.
    pub grace: Option<SimDuration>,
    /// Why it goes, for its record; empty while it does not.
    pub end_reason: &'static str,
    /// What probes find of its present containers.
    pub health: Health,
    /// Its kubelet ends it: why, for its status.
    pub fate: Option<Box<StatusReason>>,
    /// How far its init containers are; `None`: they are through, or there are none.
    pub init: Option<Box<Init>>,
}

impl Default for Trouble {
    fn default() -> Trouble {
        Trouble {
            crash: BackOff::default(),
            finished: SimTime::NEVER,
            last_end: None,
            first_running: SimTime::NEVER,
            pull: BackOff::default(),
            waiting: "",
            looked: SimTime::ZERO,
            next_look: SimTime::NEVER,
            told: spam_filter(),
            grace: None,
            end_reason: "",
            health: Health::default(),
            fate: None,
            init: None,
        }
    }
}

impl PodState {
    /// A pod that has just been created for Deployment `workload`.
    pub fn new(workload: Option<usize>, image: ImageId) -> PodState {
        PodState {
            workload: workload.map_or(u32::MAX, |w| w as u32),
            image,
            incarnation: 0,
            containers: Containers::Waiting,
            container_started: SimTime::NEVER,
            first_ready: SimTime::NEVER,
            trouble: None,
        }
    }

    /// Its containers are another life's from now on.
    pub fn begin_life(&mut self) {
        self.incarnation = self.incarnation.wrapping_add(1);
    }

    /// Its containers start.
    pub fn start(&mut self, now: SimTime) {
        let before = std::mem::replace(&mut self.container_started, now);
        self.containers = Containers::Running;
        if before != SimTime::NEVER {
            let trouble = self.trouble.get_or_insert_default();
            trouble.first_running = trouble.first_running.min(before);
        }
        if let Some(trouble) = &mut self.trouble {
            trouble.finished = SimTime::NEVER;
            trouble.health = Health::default();
        }
    }

    /// What probes have found, if they have found anything.
    pub fn health(&self) -> Option<&Health> {
        self.trouble.as_ref().map(|trouble| &trouble.health)
    }

    /// What probes find, to be changed.
    pub fn health_mut(&mut self) -> &mut Health {
        &mut self.trouble.get_or_insert_default().health
    }

    /// Whether its containers hang.
    pub fn is_hung(&self) -> bool {
        self.health().is_some_and(|health| health.hung != SimTime::NEVER)
    }

    /// First Running; [`SimTime::NEVER`] before.
    pub fn first_running(&self) -> SimTime {
        let before = self.trouble.as_ref().map_or(SimTime::NEVER, |trouble| trouble.first_running);
        before.min(self.container_started)
    }

    /// Why it goes; empty while it does not.
    pub fn end_reason(&self) -> &'static str {
        self.trouble.as_ref().map_or("", |trouble| trouble.end_reason)
    }

    /// Why its container waits; empty: it does not, or for nothing but its start.
    pub fn waiting(&self) -> &'static str {
        self.trouble.as_ref().map_or("", |trouble| trouble.waiting)
    }

    /// Index of its Deployment.
    pub fn workload(&self) -> Option<usize> {
        (self.workload != u32::MAX).then_some(self.workload as usize)
    }
}

/// What kubelets are at beside their pods, of the few that are at anything.
#[derive(Debug, Default)]
pub struct Undertakings {
    /// When nodes whose statuses are not true any more have them written.
    pub(super) statuses: BTreeMap<NodeId, SimTime>,
    /// Mirrors of static pods that are about to come.
    pub(super) mirrors: BTreeMap<NodeId, Vec<Pod>>,
    /// Pods that are being changed in place, and when their kubelet sees it.
    pub(super) resizes: BTreeMap<NodeId, BTreeMap<PodId, SimTime>>,
    /// Nodes that are being shut down.
    pub(super) shutdowns: BTreeMap<NodeId, Shutdown>,
}

/// A node's machine side.
#[derive(Clone, Debug)]
pub struct NodeState {
    /// Its machine.
    pub machine: MachineId,
    /// The machine runs.
    pub alive: bool,
    /// Since when the kubelet has not renewed its lease.
    pub silent_since: OptionalTime,
    /// Instant within the renewal interval at which it renews.
    pub lease_phase: SimTime,
    /// When the next pod may start.
    pub start_gate: SimTime,
    /// Images that are there or are being pulled.
    pub images: Images,
    /// First Ready.
    pub first_ready: SimTime,
    /// Most pods at once.
    pub pods_peak: u32,
    /// Energy beyond idling, watt hours, of pods that are gone.
    pub busy_wh: f64,
    /// How often it has crashed.
    pub crashes: u32,
    /// Steps of pods, and of which life, that a silent kubelet has not reported.
    pub unreported: Vec<(PodId, u16, PodStep)>,
}

impl NodeState {
    /// The kubelet falls silent, unless it is already.
    pub fn falls_silent(&mut self, now: SimTime) {
        if self.silent_since.is_none() {
            self.silent_since = now.into();
        }
    }
}
