//! Pods: the shared specification and the small part that each live pod has of its own.

use super::behavior::Behavior;
use super::config::ConfigRef;
use super::devices::PodResourceClaim;
use super::drain_hints::DrainHints;
use super::labels::Labels;
use super::node_affinity::NodeAffinity;
use super::pod_affinity::PodAffinity;
use super::resize::Resize;
use super::resources::Resources;
use super::taint::Toleration;
use super::topology_spread::TopologySpreadConstraint;
use super::volume::Volume;
use super::{NodeId, OwnerId, Text};
use crate::units::{Bytes, MilliCpu, OptionalTime, SimDuration, SimTime};
use std::ops::Deref;
use std::sync::Arc;

/// What a pod template says; shared by all pods made from it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct PodSpec {
    /// Ordinary containers, at least one.
    pub containers: Vec<Container>,
    /// Init containers in order, sidecars (`restartPolicy: Always`) among them.
    pub init_containers: Vec<Container>,
    /// `overhead` of the runtime class.
    pub overhead: Resources,
    /// `nodeSelector`, sorted by key.
    pub node_selector: Labels,
    /// `affinity.nodeAffinity`.
    pub node_affinity: Option<Box<NodeAffinity>>,
    /// Tolerations, the admission plugins' defaults included.
    pub tolerations: Vec<Toleration>,
    /// `priority`, resolved from the class at admission.
    pub priority: i32,
    /// `priorityClassName`; empty when none.
    pub priority_class: Text,
    /// `preemptionPolicy: Never`.
    pub never_preempts: bool,
    /// `schedulerName`; `default-scheduler` when not given.
    pub scheduler_name: Text,
    /// `nodeName` given in the template: such pods are never scheduled.
    pub node_name: Option<Text>,
    /// `terminationGracePeriodSeconds`, default 30 s.
    pub termination_grace: SimDuration,
    /// `restartPolicy`.
    pub restart_policy: RestartPolicy,
    /// Names of `schedulingGates`.
    pub scheduling_gates: Vec<Text>,
    /// `affinity.podAffinity` and `affinity.podAntiAffinity`.
    pub pod_affinity: Option<Box<PodAffinity>>,
    /// `topologySpreadConstraints`.
    pub topology_spread: Vec<TopologySpreadConstraint>,
    /// `volumes`.
    pub volumes: Vec<Volume>,
    /// `resources.requests` of the pod as a whole; `None` when there are none.
    pub pod_requests: Option<Box<PodRequests>>,
    /// `hostNetwork`.
    pub host_network: bool,
    /// `resourceClaims`: devices that it needs.
    pub resource_claims: Vec<PodResourceClaim>,
    /// `activeDeadlineSeconds` is given: only the scopes of quotas ask.
    pub has_deadline: bool,
    /// Features of the kubelet that the pod needs, by name, sorted: what the scheduler infers from
    /// fields that nothing else reads.
    pub node_features: Vec<Text>,
    /// Secrets and ConfigMaps that it needs.
    pub config_refs: Vec<ConfigRef>,
    /// How its containers behave; `None`: they start, become ready and run.
    pub behavior: Option<Box<Behavior>>,
    /// What it tells the cluster autoscaler about moving it; `None`: nothing.
    pub drain_hints: Option<Box<DrainHints>>,
    /// Annotation `kubernetes.io/config.mirror`: the object mirrors a static pod, which its node's
    /// kubelet runs whatever becomes of the object.
    pub is_mirror: bool,
}

/// Pod-level requests (`spec.resources.requests`): each given one replaces the containers' sum.
///
/// Scalars hold huge pages only: upstream supports no other at pod level.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PodRequests {
    /// `cpu`, if given.
    pub cpu: Option<MilliCpu>,
    /// `memory`, if given.
    pub memory: Option<Bytes>,
    /// `hugepages-*` by name, in bytes.
    pub hugepages: Vec<(Text, i64)>,
}

/// A container of a pod specification.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Container {
    /// Its name.
    pub name: Text,
    /// Image reference as written.
    pub image: Text,
    /// `resources.requests`, limits filled in where only a limit was given (API defaulting).
    pub requests: Resources,
    /// Which of cpu and memory were requested as an explicit 0 (see [`ExplicitZero`]).
    pub explicit_zero: ExplicitZero,
    /// `resources.limits.cpu`.
    pub cpu_limit: Option<MilliCpu>,
    /// `resources.limits.memory`.
    pub memory_limit: Option<Bytes>,
    /// `resources.limits.ephemeral-storage`.
    pub disk_limit: Option<Bytes>,
    /// Host ports.
    pub host_ports: Vec<HostPort>,
    /// Readiness probe; without one a container is ready once it runs.
    pub readiness_probe: Option<Probe>,
    /// Liveness probe.
    pub liveness_probe: Option<Probe>,
    /// Startup probe.
    pub startup_probe: Option<Probe>,
    /// An init container with `restartPolicy: Always`.
    pub sidecar: bool,
    /// An init container's own `restartPolicy`, if it is no sidecar.
    pub restart: Option<RestartPolicy>,
    /// `lifecycle.preStop.sleep.seconds` or the length of an exec `sleep N`.
    pub pre_stop: SimDuration,
    /// `imagePullPolicy`.
    pub pull_policy: PullPolicy,
}

/// `imagePullPolicy`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PullPolicy {
    /// Only when the image is not there (default).
    #[default]
    IfNotPresent,
    /// At each start of the container (also the default for the tag `latest`).
    Always,
    /// Not at all: the image is there, or the container does not start.
    Never,
}

/// Requests written as 0. For scoring, the scheduler takes a *missing* request for 100 milli-CPU or
/// 200 MB, but believes a written 0; `Resources` alone could not tell them apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ExplicitZero {
    /// `cpu: 0` was written.
    pub cpu: bool,
    /// `memory: 0` was written.
    pub memory: bool,
}

/// A host port that a container takes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct HostPort {
    /// `hostIP`; empty means all addresses.
    pub ip: Text,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: Text,
    /// The port.
    pub port: u16,
}

/// Timing of a probe with upstream's defaults filled in, and with what it asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Probe {
    /// `initialDelaySeconds`, default 0.
    pub initial_delay: SimDuration,
    /// `periodSeconds`, default 10.
    pub period: SimDuration,
    /// `timeoutSeconds`, default 1.
    pub timeout: SimDuration,
    /// `successThreshold`, default 1.
    pub success_threshold: u32,
    /// `failureThreshold`, default 3.
    pub failure_threshold: u32,
    /// `terminationGracePeriodSeconds`: instead of the pod's, where this probe ends a container.
    pub termination_grace: Option<SimDuration>,
    /// With what it asks.
    pub handler: ProbeHandler,
}

/// With what a probe asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ProbeHandler {
    /// `httpGet`: a request to the application.
    #[default]
    HttpGet,
    /// `grpc`: likewise.
    Grpc,
    /// `exec`: a command in the container, which asks the application.
    Exec,
    /// `tcpSocket`: a connection, which the node's kernel takes for a process that is there.
    TcpSocket,
}

/// `spec.restartPolicy`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum RestartPolicy {
    /// Containers are always restarted.
    #[default]
    Always,
    /// Only failed containers are restarted.
    OnFailure,
    /// Containers are never restarted.
    Never,
}

impl PodSpec {
    /// The pod's effective request: what the scheduler reserves.
    ///
    /// The sum of containers and sidecars, or an init container's own need beside the sidecars
    /// started before it where that is larger; replaced by what the pod as a whole requests; plus
    /// overhead. Source: component-helpers `resource/helpers.go` `PodRequests`, v1.37.
    pub fn requests(&self) -> Resources {
        self.requests_by(|container| container.requests.clone())
    }

    /// Host ports, those of sidecars included (`GetHostPorts`).
    pub fn host_ports(&self) -> impl Iterator<Item = &HostPort> {
        let sidecars = self.init_containers.iter().filter(|c| c.sidecar);
        sidecars.chain(&self.containers).flat_map(|c| &c.host_ports)
    }

    /// Whether it may run on a node of this name and labels: `nodeSelector` and what
    /// `affinity.nodeAffinity` requires (`GetRequiredNodeAffinity`).
    pub fn selects(&self, name: &str, labels: &Labels) -> bool {
        let affinity = self.node_affinity.as_ref();
        let required = affinity.and_then(|affinity| affinity.required.as_ref());
        self.node_selector.iter().all(|(key, value)| labels.get(key) == Some(value))
            && required.is_none_or(|terms| terms.iter().any(|term| term.matches(name, labels)))
    }

    /// The effective request when a container's own is `of(container)`; with
    /// `NonMissingContainerRequests` the scheduler's scoring asks for another one than
    /// [`PodSpec::requests`].
    pub fn requests_by(&self, of: impl Fn(&Container) -> Resources) -> Resources {
        let mut total = self.container_requests_by(of);
        if let Some(pod) = &self.pod_requests {
            pod.replace_in(&mut total);
        }
        total.add(&self.overhead);
        total
    }

    /// What the containers need together, whatever the pod as a whole requests, and without
    /// overhead (`AggregateContainerRequests`).
    pub fn container_requests_by(&self, of: impl Fn(&Container) -> Resources) -> Resources {
        let mut total = Resources::default();
        for container in &self.containers {
            total.add(&of(container));
        }
        let mut sidecars = Resources::default();
        let mut init_peak = Resources::default();
        for container in &self.init_containers {
            let mut during = of(container);
            if container.sidecar {
                total.add(&during);
                sidecars.add(&during);
                during = sidecars.clone();
            } else {
                during.add(&sidecars);
            }
            init_peak.raise_to(&during);
        }
        total.raise_to(&init_peak);
        total
    }
}

impl PodRequests {
    /// Puts every given amount in place of that of `total` (`applyPodLevelResources`).
    fn replace_in(&self, total: &mut Resources) {
        total.cpu = self.cpu.unwrap_or(total.cpu);
        total.memory = self.memory.unwrap_or(total.memory);
        for (name, amount) in &self.hugepages {
            total.scalars.get_or_insert_default().insert(name.clone(), *amount);
        }
    }
}

/// `status.phase`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PodPhase {
    /// Accepted, but not all containers run.
    Pending,
    /// Bound, and at least one container runs or restarts.
    Running,
    /// All containers ended well.
    Succeeded,
    /// All containers ended, at least one badly.
    Failed,
}

impl PodPhase {
    /// Succeeded or Failed.
    pub fn is_terminal(self) -> bool {
        matches!(self, PodPhase::Succeeded | PodPhase::Failed)
    }

    /// As in `status.phase`.
    pub fn as_str(self) -> &'static str {
        match self {
            PodPhase::Pending => "Pending",
            PodPhase::Running => "Running",
            PodPhase::Succeeded => "Succeeded",
            PodPhase::Failed => "Failed",
        }
    }
}

/// A live pod: identity, binding and status, and what it has in common with others, which reads as
/// if it were its own. There are many pods: this is as small as can be.
#[derive(Clone, PartialEq, Debug)]
pub struct Pod {
    /// What its owner's pods have in common.
    pub base: Arc<PodBase>,
    /// What its name has beside that of the base.
    pub suffix: NameSuffix,
    /// Ordinal of creation in this run, from 1: the seed of everything random about the pod.
    pub uid: u64,
    /// `metadata.creationTimestamp` (exact; the API cuts it to the second).
    pub created: SimTime,
    /// When a deletion was asked for (the API server sets `deletionTimestamp` to this plus grace).
    pub deletion: OptionalTime,
    /// `spec.nodeName` as set by binding.
    pub node: Option<NodeId>,
    /// `status.nominatedNodeName`.
    pub nominated: Option<NodeId>,
    /// `status.phase`.
    pub phase: PodPhase,
    /// Condition `Ready` is True.
    pub ready: bool,
    /// When condition `Ready` last changed.
    pub ready_changed: SimTime,
    /// When the pod was bound; [`SimTime::NEVER`] before.
    pub scheduled: SimTime,
    /// `status.startTime`: the kubelet has seen the pod; [`SimTime::NEVER`] before.
    pub started: SimTime,
    /// Condition `PodScheduled` is False with reason `Unschedulable`.
    pub unschedulable: bool,
    /// Restarts of its containers, summed.
    pub restarts: u32,
    /// Whether a container waits in CrashLoopBackOff (`state.waiting.reason`).
    pub crash_loop: bool,
    /// What few pods have.
    pub more: Option<Box<More>>,
}

/// What few pods have.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct More {
    /// Annotation `controller.kubernetes.io/pod-deletion-cost`.
    pub deletion_cost: i32,
    /// Finalizer `batch.kubernetes.io/job-tracking`: it stays until its Job has counted it.
    pub is_tracked: bool,
    /// The how-manieth pod of its owner it is, from 1; 0: nobody counted.
    pub rank: u32,
    /// With what its containers have ended.
    pub exit_code: Option<i32>,
    /// When they have.
    pub finished: OptionalTime,
    /// Condition `DisruptionTarget` is True, with this reason; empty: it is not. Kept of tracked
    /// pods only: nobody reads it of others.
    pub disruption: &'static str,
    /// It was deleted without grace: nobody waits for its end any more.
    pub is_forced: bool,
    /// Failures of its completion index before it.
    pub index_failures: IndexFailures,
    /// Why its kubelet ended it, or did not take it.
    pub status: Option<Box<StatusReason>>,
    /// What has become of changes of its requests and limits in place.
    pub resize: Option<Box<Resize>>,
}

/// Why a pod has failed beside what its containers did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StatusReason {
    /// `status.reason`, e.g. `Evicted`.
    pub reason: &'static str,
    /// `status.message`.
    pub message: Text,
}

/// How often pods of a completion index have failed (annotations
/// `batch.kubernetes.io/job-index-failure-count` and `-ignored-failure-count`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct IndexFailures {
    /// Failures that count towards the limit.
    pub counted: u32,
    /// Failures that a policy ignores.
    pub ignored: u32,
}

impl IndexFailures {
    /// Of both kinds.
    pub fn all(self) -> u32 {
        self.counted + self.ignored
    }
}

/// What the pods of one owner have in common.
#[derive(Clone, PartialEq, Debug)]
pub struct PodBase {
    /// Their names up to the suffix.
    pub name: Text,
    /// `metadata.namespace`.
    pub namespace: Text,
    /// Labels.
    pub labels: Labels,
    /// The template's part.
    pub spec: Arc<PodSpec>,
    /// What controls them.
    pub owner: Option<OwnerId>,
}

impl PodBase {
    /// Whether the two can't be told apart. Specifications are not compared field by field: equal
    /// ones in two places count as different.
    fn is_like(&self, other: &PodBase) -> bool {
        Arc::ptr_eq(&self.spec, &other.spec)
            && self.owner == other.owner
            && self.name == other.name
            && self.namespace == other.namespace
            && self.labels == other.labels
    }
}

/// The end of a generated name: up to eight bytes of text, in place.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NameSuffix([u8; 8]);

impl NameSuffix {
    /// `text`; `None` if it is too long or has a zero byte.
    pub fn new(text: &str) -> Option<NameSuffix> {
        let mut bytes = [0; 8];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        (!text.contains('\0')).then_some(NameSuffix(bytes))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        let length = self.0.iter().position(|byte| *byte == 0).unwrap_or(self.0.len());
        std::str::from_utf8(&self.0[..length]).expect("it was made of a text")
    }
}

impl Deref for Pod {
    type Target = PodBase;

    fn deref(&self) -> &PodBase {
        &self.base
    }
}

impl Pod {
    /// A pod as the API server creates it: nobody's, on no node, not ready.
    pub fn pending(
        namespace: Text,
        name: Text,
        labels: Labels,
        spec: Arc<PodSpec>,
        created: SimTime,
    ) -> Pod {
        Pod {
            base: Arc::new(PodBase { name, namespace, labels, spec, owner: None }),
            suffix: NameSuffix::default(),
            uid: 0,
            created,
            deletion: OptionalTime::NONE,
            node: None,
            nominated: None,
            phase: PodPhase::Pending,
            ready: false,
            ready_changed: created,
            scheduled: SimTime::NEVER,
            started: SimTime::NEVER,
            unschedulable: false,
            restarts: 0,
            crash_loop: false,
            more: None,
        }
    }

    /// `metadata.name`.
    pub fn name(&self) -> Text {
        let suffix = self.suffix.as_str();
        if suffix.is_empty() {
            return self.base.name.clone();
        }
        let mut name = String::with_capacity(self.base.name.len() + suffix.len());
        name.push_str(&self.base.name);
        name.push_str(suffix);
        name.into()
    }

    /// Whether nobody controls it. What mirrors a static pod its node controls.
    pub fn is_orphan(&self) -> bool {
        self.owner.is_none() && !self.spec.is_mirror
    }

    /// Whether its name was given and not generated.
    pub fn has_own_name(&self) -> bool {
        self.suffix == NameSuffix::default()
    }

    /// What few pods have, to be changed.
    pub fn more_mut(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    /// Whether a finalizer keeps the object.
    pub fn is_tracked(&self) -> bool {
        self.more.as_ref().is_some_and(|more| more.is_tracked)
    }

    /// Annotation `controller.kubernetes.io/pod-deletion-cost`; 0 without one.
    pub fn deletion_cost(&self) -> i32 {
        self.more.as_ref().map_or(0, |more| more.deletion_cost)
    }

    /// The pod with this owner.
    pub fn owned_by(mut self, owner: OwnerId) -> Pod {
        self.base_mut().owner = Some(owner);
        self
    }

    /// Its base, to be changed for this pod alone.
    pub fn base_mut(&mut self) -> &mut PodBase {
        Arc::make_mut(&mut self.base)
    }

    /// Takes the base of `other` if its own is like it, so that there is one less.
    pub fn share_base_of(&mut self, other: &Pod) {
        if self.base.is_like(&other.base) {
            self.base = Arc::clone(&other.base);
        }
    }

    /// Whether the pod counts for its owner: neither ended nor being deleted
    /// (`controller.IsPodActive`).
    pub fn is_active(&self) -> bool {
        !self.phase.is_terminal() && self.deletion.is_none()
    }

    /// The node whose room it takes: the one it is bound to, until it has ended.
    pub fn loaded_node(&self) -> Option<NodeId> {
        self.node.filter(|_| !self.phase.is_terminal())
    }

    /// Whether it is neither bound nor being deleted.
    pub fn waits_for_node(&self) -> bool {
        self.node.is_none() && self.deletion.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(cpu: i64, sidecar: bool) -> Container {
        let requests = Resources::of(MilliCpu(cpu), Bytes(cpu));
        Container { requests, sidecar, ..Container::default() }
    }

    #[test]
    fn a_pod_is_small() {
        // The store has one for each pod, with four bytes of its own; all else is shared.
        assert_eq!(size_of::<Pod>(), 96);
    }

    #[test]
    fn names_are_a_base_and_a_suffix() {
        let spec = Arc::new(PodSpec::default());
        let pod = |name: &str, suffix: &str| {
            let suffix = NameSuffix::new(suffix).unwrap();
            let labels = Labels::default();
            let pod = Pod::pending("ns".into(), name.into(), labels, Arc::clone(&spec), SimTime(0));
            Pod { suffix, ..pod }
        };
        for (name, suffix) in [("web", ""), ("web-", "b"), ("web-", "b2c3d"), ("web-", "12345678")]
        {
            assert_eq!(*pod(name, suffix).name(), format!("{name}{suffix}"));
        }
        assert_eq!(NameSuffix::new("123456789"), None);
        let (first, mut second, mut other) = (pod("web-", "a"), pod("web-", "b"), pod("db-", "a"));
        second.share_base_of(&first);
        other.share_base_of(&first);
        assert!(Arc::ptr_eq(&first.base, &second.base) && *second.name() == *"web-b");
        assert!(!Arc::ptr_eq(&first.base, &other.base) && *other.name() == *"db-a");
    }

    #[test]
    fn effective_requests_follow_upstream_arithmetic() {
        let rows: [(&str, Vec<Container>, Vec<Container>, i64); 4] = [
            ("containers add up", vec![container(100, false), container(50, false)], vec![], 150),
            (
                "a larger init container wins",
                vec![container(100, false)],
                vec![container(300, false)],
                300,
            ),
            (
                "a sidecar adds to the containers",
                vec![container(100, false)],
                vec![container(30, true)],
                130,
            ),
            (
                "an init container runs beside the sidecars before it, not those after",
                vec![container(10, false)],
                vec![container(20, true), container(100, false), container(40, true)],
                120,
            ),
        ];
        for (sentence, containers, init_containers, cpu) in rows {
            let spec = PodSpec { containers, init_containers, ..PodSpec::default() };
            assert_eq!(spec.requests().cpu, MilliCpu(cpu), "{sentence}");
        }
    }
}
