//! Every event of the simulation, in one closed list.
//!
//! An event says only that something is due; what it does is decided when it fires, from the state
//! of that moment. An event that has been overtaken (its pod is gone, its container was restarted,
//! a newer wake-up was planned) finds nothing to do: it is checked, never searched for and removed.

use super::cloud::MachineId;
use super::controllers::{FlightId, Key};
use super::leaders::LeaderStep;
use super::volumes::CsiStep;
use crate::api::{NodeId, PodId, ServiceId};
use crate::control::scheduler::framework::PluginId;
use crate::scenario::model::Component;
use crate::sim::queue::Phase;

/// Something that is due.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// A request of a controller reaches the API server.
    Request {
        /// The sync it belongs to.
        flight: FlightId,
        /// Its place in the batch that is under way.
        index: u32,
    },
    /// A controller's worker may take a key.
    Sync(Key),
    /// A key's last writes have come back on the watch: it may be synced again.
    SyncDone(Key),
    /// The scheduler has something to look at.
    Scheduler,
    /// A binding reaches the API server.
    Bind {
        /// The pod.
        pod: PodId,
        /// The node chosen.
        node: NodeId,
    },
    /// The nominated node of a pod on its way to be bound reaches the API server.
    Expect {
        /// The pod.
        pod: PodId,
        /// Where it is about to go.
        node: NodeId,
        /// The scheduler's number of its binding cycle.
        cycle: u64,
    },
    /// What a PreBind plugin writes has reached the API server.
    PreBind {
        /// The scheduler's number of the binding cycle.
        cycle: u64,
        /// The plugin.
        plugin: PluginId,
    },
    /// What the resourceclaim controller writes for a pod has reached the API server.
    Claims(PodId),
    /// The scheduler's word that a pod is unschedulable reaches the API server.
    Unschedulable(PodId),
    /// The requests that make room for a pod reach the API server.
    Preempt(PodId),
    /// A request has got its client's token.
    Sent(u32),
    /// A request has failed on its way: the API server is overloaded.
    Unanswered(u32),
    /// A kubelet renews its lease, under load.
    Renews(NodeId),
    /// A leader renews its lease, under load; and in which term.
    RenewsLead(Component, u32),
    /// The status that a step of a pod makes reaches the API server.
    Report {
        /// The pod.
        pod: PodId,
        /// Which life of its containers the step belongs to.
        incarnation: u16,
        /// The step.
        step: PodStep,
    },
    /// Somebody asks for the eviction of a pod; a drain `again` while a budget refuses.
    Evict {
        /// The pod.
        pod: PodId,
        /// It is asked for again.
        again: bool,
    },
    /// The next step of a pod on its node.
    Kubelet {
        /// The pod.
        pod: PodId,
        /// Which life of its containers the step belongs to.
        incarnation: u16,
        /// The step.
        step: PodStep,
    },
    /// A pull on a node may have ended.
    Pull {
        /// The node.
        node: NodeId,
        /// Ordinal of the request.
        id: u32,
    },
    /// A CSI driver has done something.
    Csi(CsiStep),
    /// The next step of a machine.
    Machine(MachineId, MachineStep),
    /// The next step of a node's kubelet or kernel that is not one pod's.
    Node(NodeId, NodeStep),
    /// A silent kubelet reports again.
    NodeReports(NodeId),
    /// A kubelet reaches the API server again after an outage.
    Reconnects(NodeId),
    /// A leader gives up, or a candidate takes the lead; and in which term.
    Leader(Component, LeaderStep, u32),
    /// The kube-proxies begin or end a sync.
    Proxy,
    /// Clients have asked again for the names of headless Services.
    Names,
    /// The service controller's workers may have something to do.
    Balancers,
    /// The cloud has provisioned a load balancer.
    Balancer {
        /// For this Service.
        service: ServiceId,
        /// The how-manieth it is.
        number: u32,
    },
    /// Checks of nodes that a Service's load balancer makes may have found something.
    NodeChecks(ServiceId),
    /// A curve of traffic has its next value.
    Traffic,
    /// A queue of requests runs full or empty.
    Station(u32),
    /// A group asks again for a machine in place of one that the cloud has taken back.
    Refill(u32),
    /// Requests that are followed one by one go on.
    Requests,
    /// Containers of a Deployment may have met their memory limit.
    Memory(u32),
    /// An entry of the timeline begins.
    Begin(u32),
    /// An entry of the timeline is over.
    End(u32),
    /// Somebody applies a member of a fleet, or a release of one.
    Delivered(u32),
    /// What a member of a fleet takes the place of ends.
    Replaced(u32, u32),
    /// A sample of a metric is due, for forecasts.
    Scrape(u32),
    /// A row of the time series is due.
    Observe,
}

/// Steps of a pod's life on its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodStep {
    /// The kubelet sees the pod.
    Seen,
    /// The kubelet looks at the volumes that the pod waits for.
    Volumes,
    /// The kubelet tries again to set up volumes of Secrets and ConfigMaps.
    SetUp,
    /// All of them are mounted.
    Mounted,
    /// Sandbox and network are up: the image is needed.
    Sandbox,
    /// The kubelet looks again at a pod whose container waits.
    Sync,
    /// An init container runs.
    InitStarted,
    /// It has ended, well or badly.
    InitEnded,
    /// The kubelet sees that it is through.
    InitDone,
    /// The startup probe of a sidecar fails.
    InitProbe,
    /// A sidecar has ended whose startup probe had failed.
    InitKilled,
    /// The containers run.
    Started,
    /// The readiness probe has succeeded.
    Ready,
    /// It has failed often enough.
    Unready,
    /// Probes ask, or give up waiting for their answer.
    Probe,
    /// A container exits by itself.
    Exit,
    /// A container hangs: it is there and answers nothing.
    Hang,
    /// A container takes more memory than it may.
    OutOfMemory,
    /// A container that a probe has condemned has ended.
    Killed,
    /// The containers have done their work, or failed at it.
    Ended,
    /// The kubelet sees that the containers have ended for good, with this exit code: only sidecars
    /// are left.
    SidecarsStop(i32),
    /// They have ended too.
    SidecarsEnded(i32),
    /// The kubelet notices the exit.
    Noticed,
    /// The kubelet sees that the pod shall go.
    Stop,
    /// The containers have ended.
    Stopped,
    /// The volumes are unmounted.
    Unmounted,
}

/// What a node does beside its pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeStep {
    /// The eviction manager looks.
    Look,
    /// The kubelet posts a status that has changed.
    Status,
    /// A kubelet makes the mirrors of static pods that it lacks.
    Mirrors,
    /// The kubelet looks at pods that are changed in place.
    Resize,
    /// A shutdown goes on with the next pods.
    Shutdown,
    /// A collection of images is due.
    ImageGc,
    /// The kernel has no memory left for pods.
    OutOfMemory,
}

/// Steps of a machine's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MachineStep {
    /// It has booted: the kubelet registers the node.
    Registers,
    /// The kubelet reports Ready.
    Ready,
    /// A crashed machine has booted again.
    Returns,
    /// The cloud has deleted it.
    Gone,
    /// The cloud announces that it takes it back.
    Interrupted,
    /// It does.
    Reclaimed,
}

impl Event {
    /// Which events of one instant come first: physics, then what it does to the API server, then
    /// who watches, then who measures. Within a phase the order of planning decides.
    pub fn phase(&self) -> Phase {
        Phase(match self {
            Event::Begin(_) | Event::End(_) => 0,
            Event::Delivered(_) | Event::Replaced(..) => 0,
            Event::Machine(..)
            | Event::Refill(_)
            | Event::NodeReports(_)
            | Event::Reconnects(_) => 1,
            Event::Kubelet { .. } | Event::Pull { .. } => 2,
            Event::Node(..) => 2,
            Event::Traffic | Event::Station(_) | Event::Requests | Event::Memory(_) => 3,
            Event::Request { .. }
            | Event::Bind { .. }
            | Event::Expect { .. }
            | Event::PreBind { .. }
            | Event::Claims(_)
            | Event::Csi(_)
            | Event::Unschedulable(_)
            | Event::Preempt(_)
            | Event::Sent(_)
            | Event::Unanswered(_)
            | Event::Renews(_)
            | Event::RenewsLead(..)
            | Event::Report { .. }
            | Event::Evict { .. }
            | Event::Leader(..) => 4,
            Event::Balancer { .. } | Event::NodeChecks(_) => 1,
            Event::Proxy | Event::Names | Event::Scrape(_) => 5,
            Event::SyncDone(_) => 6,
            Event::Sync(_) | Event::Balancers => 7,
            Event::Scheduler => 8,
            Event::Observe => 9,
        })
    }
}
