//! A validated scenario: plain data, every reference resolved, every value possible.
//!
//! Whatever is here can be simulated; reading and checking happen in the files beside this one.
//! It does not know files, spans or YAML.

use crate::api::Text;
use crate::api::autoscaling::Hpa;
use crate::api::devices::{ClaimTemplate, DeviceObject};
use crate::api::labels::Labels;
use crate::api::object::Object;
use crate::api::pod::Pod;
use crate::api::policy::Pdb;
use crate::api::resources::Resources;
use crate::api::scaled_object::ScaledObject;
use crate::api::service::Service;
use crate::api::taint::Taint;
use crate::api::vertical_pod_autoscaler::Vpa;
use crate::api::workload::Deployment;
use crate::control::flags::{
    ClusterAutoscalerFlags, ControllerManagerFlags, KarpenterFlags, SchedulerFlags,
};
use crate::record::measure::Expected;
use crate::record::objective::Target;
use crate::scenario::curve::Curve;
use crate::scenario::custom_metrics::CustomMetric;
use crate::scenario::dependencies::Dependency;
use crate::scenario::eviction::{GracePeriods, Thresholds};
use crate::scenario::fleet::{Fleet, Team};
use crate::scenario::graph::model::{Balancing, Part, Serving, Step};
pub use crate::scenario::graph::model::{Entry, Traffic};
use crate::scenario::karpenter::Karpenter;
use crate::scenario::kubectl::Command;
use crate::scenario::market::{Spot, StockOut};
use crate::scenario::metrics::GivenMetrics;
use crate::scenario::shutdown::PriorityPeriods;
use crate::scenario::vpa_flags::VpaFlags;
use crate::sim::sample::Distribution;
use crate::units::{Bytes, SimDuration, SimTime, WallClock};
use std::collections::BTreeMap;

/// Everything one run needs but its seed.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// File name without extension; prefixed by its folder where that is not `scenarios`
    /// (`pokemon-go/launch-50x`). Names the result folder.
    pub name: String,
    /// The one question the scenario asks.
    pub question: String,
    /// What it teaches; may be empty.
    pub about: String,
    /// How long to simulate.
    pub duration: SimDuration,
    /// Whether the cluster is empty at the start; else what the manifests declare is running.
    pub cold_start: bool,
    /// Whether pods share the cores of their nodes; else each has its own, however many there are.
    pub cpu_contention: bool,
    /// What time it is in the world; schedules of CronJobs are told in it.
    pub clock: WallClock,
    /// Root seed when the command line gives none.
    pub seed: u64,
    /// Node groups in file order.
    pub node_groups: Vec<NodeGroup>,
    /// NodePools, and which of the groups are theirs; `None`: Karpenter is not installed.
    pub karpenter: Option<Box<Karpenter>>,
    /// Objects from manifests.
    pub objects: Objects,
    /// What manifests don't say; one entry for each of `objects.bearers()`, same order.
    pub workloads: Vec<Workload>,
    /// Who gets the next request of a Service (index into `objects.destinations()`), where that is
    /// said.
    pub balancing: BTreeMap<usize, Balancing>,
    /// What services call and the cluster does not run.
    pub dependencies: Vec<Dependency>,
    /// Requests that arrive from outside.
    pub traffic: Vec<Traffic>,
    /// Parts of the graph for which something asks for a level; all others are fluid.
    pub levels: Vec<Part>,
    /// What custom and external metrics APIs answer.
    pub metrics: Vec<CustomMetric>,
    /// Faults and changes, sorted by time, then file order.
    pub timeline: Vec<TimelineEntry>,
    /// Populations of alike objects; those that are there from the start are among `objects`.
    pub fleets: Vec<Fleet>,
    /// Who delivers them.
    pub teams: Vec<Team>,
    /// Settings of the components.
    pub flags: Flags,
    /// What to observe.
    pub observe: Observe,
    /// Whether the command line ends it early; then nothing is expected of it.
    pub cut_short: bool,
    /// Assertions over the results.
    pub expect: Vec<Expectation>,
    /// What was accepted but has no effect on the simulation, for the reader.
    pub ignored: Vec<Ignored>,
    /// Secrets and ConfigMaps that pods will wait for, for the reader.
    pub awaited: Vec<Ignored>,
    /// blake3 of all input bytes (scenario, manifests, traces) and overrides, hexadecimal.
    pub hash: String,
    /// All effective parameters, defaults included, for `manifest.json`.
    pub parameters: serde_json::Value,
}

/// A group of equal machines.
#[derive(Clone, Debug)]
pub struct NodeGroup {
    /// Its name; nodes are named `<name>-<n>`.
    pub name: Text,
    /// The machine type.
    pub machine: Machine,
    /// Nodes that are there, Ready, at the start.
    pub count: u32,
    /// The autoscaler's lower limit.
    pub min: u32,
    /// The autoscaler's upper limit; equal to `count` for a group that does not scale.
    pub max: u32,
    /// Whether the cluster autoscaler may change it.
    pub autoscaled: bool,
    /// Zones, filled in turn.
    pub zones: Vec<Text>,
    /// Labels of its nodes, beside the usual ones.
    pub labels: Labels,
    /// Taints of its nodes.
    pub taints: Vec<Taint>,
    /// Seconds from the cloud's acceptance of a request until the node registers.
    pub boot: Distribution,
    /// Seconds from registration until Ready.
    pub ready: Distribution,
    /// Chance that a requested machine never comes up.
    pub boot_failure: f64,
    /// How its machines are taken back, if they are spot machines.
    pub spot: Option<Spot>,
    /// Pods that the kubelet of each of its nodes runs by itself, without the node in their names.
    pub static_pods: Vec<Pod>,
    /// Names of its nodes, in order of their machines, instead of `<name>-<n>`.
    pub node_names: Vec<Text>,
}

/// A machine type.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Its name, e.g. `n1-standard-4`.
    pub name: Text,
    /// The whole machine.
    pub capacity: Resources,
    /// What is left for pods.
    pub allocatable: Resources,
    /// How many pods fit.
    pub max_pods: u32,
    /// Price per hour in the scenario's currency.
    pub price_per_hour: f64,
    /// Electric power when idle, watts.
    pub idle_watts: f64,
    /// Electric power with all cores busy, watts.
    pub peak_watts: f64,
    /// Image download rate, compressed bytes a second.
    pub pull_bytes_per_second: f64,
    /// Image unpack rate, compressed bytes a second.
    pub unpack_bytes_per_second: f64,
}

/// Objects that the manifests declare and the simulation knows.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    /// Deployments in file order; behind them those of fleets whose members come later.
    pub deployments: Vec<Deployment>,
    /// How many at the end of them are not there at the start.
    pub arriving: usize,
    /// Services in file order.
    pub services: Vec<Service>,
    /// Services that only fleets and lines of the timeline make, in their order.
    pub later: Vec<Service>,
    /// Autoscalers; their target is the bearer at the index beside them (the `target` id inside is
    /// null until the store gives one).
    pub hpas: Vec<(Hpa, usize)>,
    /// VerticalPodAutoscalers, each with the bearer that it is about.
    pub vpas: Vec<(Vpa, usize)>,
    /// KEDA's ScaledObjects; their autoscalers are among `hpas`.
    pub scaled_objects: Vec<ScaledObject>,
    /// Disruption budgets.
    pub pdbs: Vec<Pdb>,
    /// Bare pods, all workloads but Deployments, Ingresses, quotas, limit ranges and namespaces, in
    /// file order: applied when the clock starts, quotas and limit ranges before anything settles.
    pub applied: Vec<Object>,
    /// Which of `applied` bear traffic.
    pub others: Vec<usize>,
    /// Devices, and claims on them.
    pub devices: Devices,
}

/// Devices, and claims on them, that the manifests declare.
#[derive(Clone, Debug, Default)]
pub struct Devices {
    /// Classes, slices, taint rules and claims in file order.
    pub objects: Vec<DeviceObject>,
    /// Templates of claims in file order.
    pub templates: Vec<ClaimTemplate>,
}

/// How the containers of what bears traffic behave: what no manifest says.
#[derive(Clone, Debug)]
pub struct Workload {
    /// CPU time that a request takes in one pod.
    pub demand: SimDuration,
    /// Time that a request spends waiting on something else than CPU or a callee.
    pub wait: SimDuration,
    /// Requests that a pod works on at once; more of them queue.
    pub concurrency: u32,
    /// Requests that may queue per pod; more are refused at once.
    pub queue: u32,
    /// A request not finished after this has failed for its caller.
    pub timeout: SimDuration,
    /// CPU a pod uses without requests.
    pub idle_cpu: crate::units::MilliCpu,
    /// Memory of a pod without requests.
    pub memory: Bytes,
    /// Memory of a request in work or in the queue.
    pub memory_per_request: Bytes,
    /// Seconds from container start until the application answers.
    pub startup: Distribution,
    /// Compressed size of the pod's images together.
    pub image_size: Bytes,
    /// Layers of the pod's images together.
    pub image_layers: u32,
    /// What a pod writes on its node's disk.
    pub disk: DiskUse,
    /// How far a pod without CPU limit may go beyond its request: a factor, at least 1.
    pub burst: f64,
    /// Requests made to other Services for each request served: steps, one after the other.
    pub calls: Vec<Step>,
    /// Whether a request ends with the first step that fails, as in a list; else all are made.
    pub calls_stop: bool,
    /// How it serves, beside the means above.
    pub serving: Serving,
    /// Seconds that each init container runs.
    pub init: Distribution,
    /// How its containers go wrong.
    pub failings: Failings,
    /// Its pods may be given other requests and limits than its manifest says at first.
    pub is_resized: bool,
}

/// How containers go wrong by themselves; by default they don't.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Failings {
    /// Seconds from a container's start until it exits.
    pub crash_after: Option<Distribution>,
    /// Seconds from a container's start until it is there and answers nothing.
    pub hang_after: Option<Distribution>,
    /// Memory that a container gains a minute.
    pub memory_growth: Bytes,
    /// A probe waits in the pod's queue like any request, so that an overloaded pod fails it.
    pub probes_queue: bool,
}

/// What a pod writes on its node's disk; by default nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskUse {
    /// When its containers have started.
    pub base: Bytes,
    /// More, each minute.
    pub growth: Bytes,
}

/// One entry of the timeline: a fault or a change.
#[derive(Clone, Debug)]
pub struct TimelineEntry {
    /// When it begins.
    pub at: SimTime,
    /// When it is over; `None`: never.
    pub until: Option<SimTime>,
    /// What happens.
    pub what: Happening,
}

/// What a timeline entry does.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// Machines die with everything on them; when over, they boot again under the same name.
    NodeCrash(NodeSelection),
    /// Machines are shut down on purpose: their kubelets end the pods first, if they are given
    /// time; when over, they boot again.
    NodeShutdown(NodeSelection),
    /// Kubelets fall silent, containers go on; when over, they report again.
    NodeHang(NodeSelection),
    /// Every machine of a zone dies, and no new one comes up there; when over, they boot again.
    ZoneOutage {
        /// The zone.
        zone: Text,
    },
    /// Containers of some pods exit once.
    ContainerCrash(PodSelection),
    /// Containers of some pods are there and answer nothing; when over, they answer again.
    ContainerHang(PodSelection),
    /// While it lasts, every container of the Deployment exits so long after its start.
    CrashLoop {
        /// Index into `objects.deployments`.
        deployment: usize,
        /// Run time of a container until it exits.
        after: SimDuration,
    },
    /// Pods are deleted gracefully, as by `kubectl delete pod`.
    DeletePods(PodSelection),
    /// While it lasts, image pulls take `factor` times as long.
    RegistrySlow {
        /// At least 1.
        factor: f64,
    },
    /// The registry does not answer: pulls fail.
    RegistryOutage {
        /// How long a pull waits for an answer before it fails.
        fails_after: SimDuration,
    },
    /// While it lasts, a dependency has another size.
    Dependency {
        /// Index into `dependencies`.
        dependency: usize,
        /// Its replicas; 0: it is gone.
        replicas: u32,
    },
    /// The API server does not answer: its process is gone, connections are refused.
    ApiServerOutage,
    /// While it lasts, others than the components that are simulated ask the API server.
    ApiLoad(Box<ApiLoad>),
    /// The leading process of a component ends; it is started again when this is over.
    ComponentCrash {
        /// The component.
        component: Component,
    },
    /// A node group gets a new upper limit.
    NodeGroupMax {
        /// Index into `node_groups`.
        group: usize,
        /// The new limit.
        max: u32,
    },
    /// The cluster's total node limit (`--max-nodes-total`) changes; 0: none.
    MaxNodesTotal {
        /// The new limit.
        max: u32,
    },
    /// While it lasts, the cloud has no machines of a kind.
    StockOut(Box<StockOut>),
    /// The cloud wants spot machines back.
    SpotInterruption(NodeSelection),
    /// What a person does with `kubectl`.
    Kubectl(Box<Command>),
    /// The kubelet of a node falls silent, or reports again.
    Kubelet {
        /// The node's name.
        node: Text,
        /// Whether it reports.
        reports: bool,
    },
    /// Others who use the controllers' clients take up to so many tokens of each: objects beside
    /// the scenario's own.
    Neighbors {
        /// The most that one client loses.
        requests: u32,
    },
    /// The metrics API answers so for pods with label `app`.
    Metrics {
        /// The label's value.
        app: Text,
        /// The samples.
        given: Box<GivenMetrics>,
    },
    /// A kubelet registers a node of a group that has none at the start.
    NodeAdd {
        /// Index into `node_groups`.
        group: usize,
    },
    /// `kubectl scale deployment`.
    Scale {
        /// Index into `objects.deployments`.
        deployment: usize,
        /// The new `spec.replicas`.
        replicas: u32,
    },
}

/// Requests for lists that come steadily, each answered from etcd.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ApiLoad {
    /// Requests a second of an agent on each node.
    pub per_node: f64,
    /// Requests a second beside those.
    pub rate: f64,
    /// Objects in each list; `None`: all pods that there are.
    pub objects: Option<u64>,
}

/// A component that works through the API server and elects a leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Component {
    /// `kube-controller-manager`.
    ControllerManager,
    /// `kube-scheduler`.
    Scheduler,
    /// `cluster-autoscaler`.
    ClusterAutoscaler,
}

impl Component {
    /// All of them.
    pub const ALL: [Component; 3] =
        [Component::ControllerManager, Component::Scheduler, Component::ClusterAutoscaler];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Component::ControllerManager => "kube-controller-manager",
            Component::Scheduler => "kube-scheduler",
            Component::ClusterAutoscaler => "cluster-autoscaler",
        }
    }
}

/// Which nodes a fault hits: drawn by a named stream among those that match.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeSelection {
    /// Only this group (index into `node_groups`).
    pub group: Option<usize>,
    /// Only this zone.
    pub zone: Option<Text>,
    /// How many; `None`: all.
    pub count: Option<u32>,
}

/// Which pods a fault hits: drawn by a named stream among the running ones.
#[derive(Clone, Debug, PartialEq)]
pub struct PodSelection {
    /// Index into `objects.deployments`.
    pub deployment: usize,
    /// How many; `None`: all.
    pub count: Option<u32>,
}

/// Settings of all components, under upstream's flag names where upstream has them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Flags {
    /// `kube-controller-manager`.
    pub controller_manager: ControllerManagerFlags,
    /// `kube-scheduler`.
    pub scheduler: SchedulerFlags,
    /// `cluster-autoscaler`; `None`: not installed.
    pub cluster_autoscaler: Option<ClusterAutoscalerFlags>,
    /// The Vertical Pod Autoscaler.
    pub vpa: VpaFlags,
    /// Karpenter.
    pub karpenter: KarpenterFlags,
    /// The kubelets.
    pub kubelet: KubeletFlags,
    /// The kube-proxies.
    pub kube_proxy: KubeProxyFlags,
    /// CoreDNS.
    pub coredns: CoreDnsFlags,
    /// `metrics-server`.
    pub metrics_server: MetricsServerFlags,
    /// The API server as its clients meet it.
    pub api_server: ApiServerFlags,
    /// The control plane as a whole.
    pub control_plane: ControlPlaneFlags,
    /// The cloud provider.
    pub cloud: CloudFlags,
}

/// The kubelet's timing. Flags by upstream's configuration names; the rest measured.
#[derive(Clone, Debug, PartialEq)]
pub struct KubeletFlags {
    /// Lease renewal period (`nodeLeaseDurationSeconds` 40 s x 0.25).
    pub lease_renew_interval: SimDuration,
    /// `nodeStatusReportFrequency`.
    pub node_status_report_frequency: SimDuration,
    /// `serializeImagePulls`.
    pub serialize_image_pulls: bool,
    /// Pods that one node starts a second. Measured: 2 to 3.6 (EKS, images cached).
    pub pod_starts_per_second: f64,
    /// Seconds for sandbox and network of a pod. Measured: at least 0.39 to 0.45.
    pub sandbox: Distribution,
    /// Seconds to create and start a container. Measured: p50 0.050 to 0.064.
    pub container_start: Distribution,
    /// Time to ask the registry whether an image that is there is still the one of its tag
    /// (`imagePullPolicy: Always`). Measured: the fastest of 3,785 recorded pulls, which had next
    /// to nothing to load, took 0.45 to 0.49 s.
    pub image_resolve: SimDuration,
    /// Seconds per image layer beside the bytes. Measured: about 0.04.
    pub layer_seconds: f64,
    /// Delay until the kubelet notices an exited container (PLEG relist period).
    pub pleg_relist_period: SimDuration,
    /// First back-off of a crashing container (`CrashLoopBackOff`).
    pub crash_loop_initial: SimDuration,
    /// Longest back-off of a crashing container.
    pub crash_loop_max: SimDuration,
    /// Seconds that a container takes to end after SIGTERM, at most the grace period.
    pub termination: Distribution,
    /// Seconds to mount a volume that is attached.
    pub volume_mount: Distribution,
    /// Seconds to unmount one.
    pub volume_unmount: Distribution,
    /// `evictionHard`.
    pub eviction_hard: Thresholds,
    /// `evictionSoft`.
    pub eviction_soft: Thresholds,
    /// `evictionSoftGracePeriod`, for each signal of the other.
    pub eviction_soft_grace_period: GracePeriods,
    /// `evictionMinimumReclaim`.
    pub eviction_minimum_reclaim: Thresholds,
    /// `evictionMaxPodGracePeriod`: most time for a pod to end at a soft threshold.
    pub eviction_max_pod_grace_period: SimDuration,
    /// `evictionPressureTransitionPeriod`.
    pub eviction_pressure_transition_period: SimDuration,
    /// `imageGCHighThresholdPercent`: of the disk used, from which images are deleted.
    pub image_gc_high_threshold_percent: u32,
    /// `imageGCLowThresholdPercent`: down to which they are.
    pub image_gc_low_threshold_percent: u32,
    /// `imageMinimumGCAge`: younger images stay.
    pub image_minimum_gc_age: SimDuration,
    /// `shutdownGracePeriod`: time to end pods when the machine is shut down; zero: none.
    pub shutdown_grace_period: SimDuration,
    /// `shutdownGracePeriodCriticalPods`: the part of it for critical pods.
    pub shutdown_grace_period_critical_pods: SimDuration,
    /// `shutdownGracePeriodByPodPriority`, in place of the other two.
    pub shutdown_grace_period_by_pod_priority: PriorityPeriods,
    /// Containers that end are not started again, whatever their `restartPolicy`: so does the
    /// stand-in for the kubelets of the recordings, and no other.
    pub never_restarts: bool,
}

impl Default for KubeletFlags {
    fn default() -> Self {
        KubeletFlags {
            lease_renew_interval: SimDuration::from_secs(10),
            node_status_report_frequency: SimDuration::from_secs(300),
            serialize_image_pulls: true,
            pod_starts_per_second: 3.0,
            sandbox: Distribution::lognormal_p50_p99(0.45, 0.9),
            container_start: Distribution::lognormal_p50_p99(0.06, 0.3),
            image_resolve: SimDuration::from_millis(450),
            layer_seconds: 0.04,
            pleg_relist_period: SimDuration::from_secs(1),
            crash_loop_initial: SimDuration::from_secs(10),
            crash_loop_max: SimDuration::from_secs(300),
            termination: Distribution::lognormal_p50_p99(0.5, 3.0),
            // Assumed: a file system that is there already.
            volume_mount: Distribution::lognormal_p50_p99(0.5, 3.0),
            volume_unmount: Distribution::lognormal_p50_p99(0.3, 2.0),
            eviction_hard: Thresholds::hard(),
            eviction_soft: Thresholds::default(),
            eviction_soft_grace_period: GracePeriods::default(),
            eviction_minimum_reclaim: Thresholds::default(),
            eviction_max_pod_grace_period: SimDuration::ZERO,
            eviction_pressure_transition_period: SimDuration::from_secs(300),
            image_gc_high_threshold_percent: 85,
            image_gc_low_threshold_percent: 80,
            image_minimum_gc_age: SimDuration::from_secs(120),
            shutdown_grace_period: SimDuration::ZERO,
            shutdown_grace_period_critical_pods: SimDuration::ZERO,
            shutdown_grace_period_by_pod_priority: PriorityPeriods::default(),
            never_restarts: false,
        }
    }
}

/// `metrics-server`.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricsServerFlags {
    /// `--metric-resolution`: how often kubelets are scraped, and the window of a sample.
    pub metric_resolution: SimDuration,
}

impl Default for MetricsServerFlags {
    fn default() -> Self {
        MetricsServerFlags { metric_resolution: SimDuration::from_secs(15) }
    }
}

/// Latencies of the API server, calibrated on recorded controllers (5 to 10 ms a step).
#[derive(Clone, Debug, PartialEq)]
pub struct ApiServerFlags {
    /// A mutating request, from send to applied and answered.
    pub write_latency: SimDuration,
    /// From applied to seen by a watcher.
    pub watch_latency: SimDuration,
    /// The same for the creation of a pod, which passes admission.
    pub pod_create_latency: SimDuration,
    /// How far latencies of writes lie from these: sigma of a log-normal distribution; 0: nowhere.
    pub latency_spread: f64,
    /// `--max-mutating-requests-inflight`: writes that it works on at once, each for the write
    /// latency; 0: no limit.
    pub max_mutating_requests_inflight: u32,
    /// `--max-requests-inflight`: with the mutating ones, all requests that are in flight at once;
    /// 0: no limit, and overload is not modelled.
    pub max_requests_inflight: u32,
    /// `--enable-priority-and-fairness`: levels have seats of their own and short queues. Without
    /// it all share one pool, and what finds no seat is refused at once.
    pub enable_priority_and_fairness: bool,
    /// Requests of a level that may wait for a seat: six queues of 50 for one flow.
    pub queue_length_limit: u32,
    /// `--request-timeout`.
    pub request_timeout: SimDuration,
    /// Requests that API server and etcd work on side by side; those in flight beyond wait. Not
    /// measured.
    pub workers: u32,
    /// What a list costs for each of its objects. Not measured.
    pub list_latency_per_object: SimDuration,
}

impl Default for ApiServerFlags {
    fn default() -> Self {
        ApiServerFlags {
            write_latency: SimDuration::from_millis(5),
            watch_latency: SimDuration::from_millis(3),
            pod_create_latency: SimDuration::from_millis(5),
            latency_spread: 0.0,
            max_mutating_requests_inflight: 0,
            max_requests_inflight: 0,
            enable_priority_and_fairness: true,
            queue_length_limit: 300,
            request_timeout: SimDuration::from_secs(60),
            workers: 16,
            list_latency_per_object: SimDuration::from_micros(50),
        }
    }
}

/// The control plane as a whole.
#[derive(Clone, Debug, PartialEq)]
pub struct ControlPlaneFlags {
    /// Replicas of each component that elects a leader; at least 1.
    pub replicas: u32,
}

impl Default for ControlPlaneFlags {
    fn default() -> Self {
        ControlPlaneFlags { replicas: 1 }
    }
}

/// The kube-proxies, in iptables mode.
#[derive(Clone, Debug, PartialEq)]
pub struct KubeProxyFlags {
    /// `--iptables-min-sync-period`: the least time between two syncs.
    pub iptables_min_sync_period: SimDuration,
    /// How long a sync takes until nodes route by it. Not measured: none.
    pub sync_time: SimDuration,
}

impl Default for KubeProxyFlags {
    fn default() -> Self {
        KubeProxyFlags {
            iptables_min_sync_period: SimDuration::from_secs(1),
            sync_time: SimDuration::ZERO,
        }
    }
}

/// CoreDNS, which answers for headless Services.
#[derive(Clone, Debug, PartialEq)]
pub struct CoreDnsFlags {
    /// `ttl` of its plugin `kubernetes`: how long clients keep an answer. Kubernetes' own Corefile
    /// says 30 s (`cluster/addons/dns/coredns/coredns.yaml.base`, v1.37).
    pub ttl: SimDuration,
}

impl Default for CoreDnsFlags {
    fn default() -> Self {
        CoreDnsFlags { ttl: SimDuration::from_secs(30) }
    }
}

/// Limits of the cloud provider's API.
#[derive(Clone, Debug, PartialEq)]
pub struct CloudFlags {
    /// Machine creations that the API takes a second.
    pub creates_per_second: f64,
    /// Machine creations that it takes at once.
    pub create_burst: u32,
    /// Quota of CPU cores over all groups; `None`: no limit.
    pub cpu_quota: Option<u32>,
    /// Seconds to delete a machine; it is paid for until then.
    pub delete: Distribution,
    /// Seconds in which an external provisioner makes a volume.
    pub volume_provision: Distribution,
    /// Seconds in which it deletes one.
    pub volume_delete: Distribution,
    /// Seconds in which a CSI driver attaches a volume to a machine.
    pub volume_attach: Distribution,
    /// Seconds in which it detaches one.
    pub volume_detach: Distribution,
    /// How many volumes can be attached to a machine (`allocatable.count` of every CSINode);
    /// `None`: no limit is known.
    pub volumes_per_node: Option<u32>,
    /// Seconds to provision a load balancer.
    pub load_balancer: Distribution,
    /// `--concurrent-service-syncs` of the cloud-controller-manager: load balancers that are
    /// provisioned side by side.
    pub concurrent_service_syncs: u32,
}

impl Default for CloudFlags {
    fn default() -> Self {
        CloudFlags {
            creates_per_second: 10.0,
            create_burst: 100,
            cpu_quota: None,
            // GKE, one node fewer: p50 92.6 s, p99 237 s (1,826 timed resizes).
            delete: Distribution::lognormal_p50_p99(92.6, 237.0),
            // Assumed. What is known: GCE's driver asks each 5 s whether a disk is attached
            // (gcp-compute-persistent-disk-csi-driver#956), and pods with a disk of EBS or GCE were
            // seen to take about 15 s longer, the node's status included (kubernetes#62119,
            // gitpod#8397).
            volume_provision: Distribution::lognormal_p50_p99(3.0, 12.0),
            volume_delete: Distribution::lognormal_p50_p99(3.0, 12.0),
            volume_attach: Distribution::lognormal_p50_p99(5.0, 20.0),
            volume_detach: Distribution::lognormal_p50_p99(5.0, 20.0),
            volumes_per_node: None,
            // Not measured: about what clouds say of themselves.
            load_balancer: Distribution::lognormal_p50_p99(45.0, 150.0),
            concurrent_service_syncs: 1,
        }
    }
}

/// What to observe.
#[derive(Clone, Debug, PartialEq)]
pub struct Observe {
    /// Time between two rows of the time series.
    pub every: SimDuration,
    /// Steps in which a continuous curve of traffic is followed.
    pub traffic_resolution: SimDuration,
    /// A service is well while at most this share of its requests fails: the objective that the
    /// turning points and the recovery time speak of.
    pub error_budget: f64,
    /// ... and while its 95th percentile of latency stays below this.
    pub latency_objective: SimDuration,
    /// Three-letter code printed beside costs.
    pub currency: String,
    /// Grams of CO2 that a kilowatt hour stands for, over time.
    pub carbon_intensity: Option<Curve>,
}

impl Observe {
    /// The objective.
    pub fn target(&self) -> Target {
        let latency_s = self.latency_objective.as_secs_f64();
        Target { error_budget: self.error_budget, latency_s }
    }
}

/// An assertion over the results; a miss makes exit code 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// What is measured, e.g. `failed_ratio`: a name from `record::metric`.
    pub metric: String,
    /// Only for this bearer of traffic (as `names_of_bearers` has it), where the metric has that.
    pub of: Option<String>,
    /// Only from this instant on.
    pub from: Option<SimTime>,
    /// Only until this instant.
    pub until: Option<SimTime>,
    /// Smallest value that is fine, in the metric's unit (seconds for times).
    pub at_least: Option<f64>,
    /// Largest value that is fine.
    pub at_most: Option<f64>,
    /// The assertion as written, for messages.
    pub text: String,
}

impl Expectation {
    /// As it is measured.
    pub fn expected(&self) -> Expected<'_> {
        Expected {
            metric: &self.metric,
            of: self.of.as_deref(),
            from: self.from,
            until: self.until,
            at_least: self.at_least,
            at_most: self.at_most,
            text: &self.text,
        }
    }
}

/// Something accepted that the simulation does not act on, or that pods will wait for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ignored {
    /// File as written in the scenario.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// The object, e.g. `ConfigMap default/settings`.
    pub object: String,
    /// The fields of it that have no effect; empty: the whole object.
    pub fields: Vec<String>,
    /// Why: `no effect on the simulation`, `not modelled yet`, or that only single requests would
    /// be different for it.
    pub reason: String,
}
