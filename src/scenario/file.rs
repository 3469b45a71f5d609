//! The scenario file as it is written: raw types, no reference resolved, no value checked beyond
//! its own form. JSON Schema and did-you-mean come from these types.
//!
//! It does not know the simulation; `resolve` makes a [`super::model::Scenario`] of it.

use super::dependencies::{DependencyFile, ResizeFile};
use super::graph::file::{
    ArrivalsFile, CallsFile, LevelFile, RetriesFile, ServiceFile, ServiceTimeFile, ShedFile,
    WarmUpFile,
};
use super::machines;
use super::market_file::{SpotFile, StockOutFile};
use super::shapes::RateFile;
use super::value::{Amount, Ratio, Span, Varying};
use crate::record::metric::{METRICS, Metric};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;

/// A scenario: one question to a simulated cluster.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ScenarioFile {
    /// The one question that the scenario asks.
    pub question: String,
    /// What it teaches, in a paragraph.
    #[serde(default)]
    pub about: String,
    /// How long to simulate.
    pub duration: Span,
    /// Root of all random numbers; `--seed` overrides it. Default 1.
    #[serde(default)]
    pub seed: Option<u64>,
    /// `settled` (default): what the manifests declare is running at the start; `cold`: the
    /// cluster is empty and starts everything.
    #[serde(default)]
    pub start: Start,
    /// What becomes of pods that together want more CPU than their node has: `none` (default): each
    /// has its limit, or its burst, however full the node is; `shares`: they share its cores by
    /// what they request, as Linux does.
    #[serde(default)]
    pub cpu_contention: CpuContention,
    /// Node groups: equal machines that the cluster has or may get.
    pub nodes: Vec<NodeGroupFile>,
    /// What manifests do not say of the machines that Karpenter may have for its NodePools.
    #[serde(default)]
    pub karpenter: Option<super::karpenter::KarpenterFile>,
    /// A file with prices of your own, relative to this file: date, source, currency, machines.
    #[serde(default)]
    pub price_book: Option<String>,
    /// Kubernetes manifests: files or folders, relative to this file.
    #[serde(default)]
    pub manifests: Vec<String>,
    /// Populations of alike objects, each made of one manifest.
    #[serde(default)]
    pub fleets: Vec<super::fleet::file::FleetFile>,
    /// Teams of people that fleets are delivered by.
    #[serde(default)]
    pub teams: Vec<super::fleet::file::TeamFile>,
    /// API groups of custom resources that are accepted without effect. Those whose
    /// CustomResourceDefinition is among the manifests are accepted anyway.
    #[serde(default)]
    pub custom_resources: Vec<String>,
    /// Secrets and ConfigMaps that the cluster has although no manifest does: `secret/NAME`,
    /// `configmap/NAME`, `*` for all names. Pods wait for what is neither here nor there.
    #[serde(default)]
    pub existing: Vec<String>,
    /// What manifests do not say of whatever bears traffic, by `name`, `namespace/name` or
    /// `kind/name`.
    #[serde(default)]
    pub workloads: BTreeMap<String, WorkloadFile>,
    /// What manifests do not say of Services, by `name` or `namespace/name`.
    #[serde(default)]
    pub services: BTreeMap<String, ServiceFile>,
    /// What the cluster depends on and does not run: a managed database, say.
    #[serde(default)]
    pub dependencies: BTreeMap<String, DependencyFile>,
    /// Requests that arrive from outside.
    #[serde(default)]
    pub traffic: Vec<TrafficFile>,
    /// What the custom and external metrics APIs answer to autoscalers.
    #[serde(default)]
    pub metrics: Vec<super::custom_metrics::MetricFile>,
    /// Faults and changes.
    #[serde(default)]
    pub timeline: Vec<TimelineFile>,
    /// Settings of the cluster's components, under upstream's flag names.
    #[serde(default)]
    pub flags: super::flags::FlagsFile,
    /// What to observe.
    #[serde(default)]
    pub observe: ObserveFile,
    /// Assertions over the results; a miss makes exit code 1.
    #[serde(default)]
    #[schemars(schema_with = "expectations")]
    pub expect: Vec<BTreeMap<String, ExpectFile>>,
}

/// Names of the catalogue, for editors.
fn catalogue(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<&str> = machines::names().collect();
    json_schema!({"type": "string", "enum": names})
}

/// Assertions by the names of their measures, for editors.
fn expectations(generator: &mut SchemaGenerator) -> Schema {
    let bounds = generator.subschema_for::<ExpectFile>();
    let measure = |metric: &Metric| {
        let mut schema = bounds.clone();
        schema.insert("description".into(), metric.meaning.into());
        (metric.name.to_string(), schema.to_value())
    };
    let measures: serde_json::Map<_, _> = METRICS.iter().map(measure).collect();
    json_schema!({
        "type": "array",
        "items": {"type": "object", "properties": measures, "additionalProperties": false},
    })
}

/// How the cluster is at the start.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// What the manifests declare is running.
    #[default]
    Settled,
    /// Nothing runs yet.
    Cold,
}

/// What becomes of pods that want more CPU than their node has.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum CpuContention {
    /// Nothing.
    #[default]
    None,
    /// They share its cores by their weights.
    Shares,
}

/// A node group.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NodeGroupFile {
    /// Its name; nodes are `<name>-0`, `<name>-1`, ...
    pub name: String,
    /// A machine type of the catalogue (`stormglass validate` lists it on a mistake), or one of
    /// your own.
    pub machine: MachineFile,
    /// Nodes at the start.
    pub count: u32,
    /// Lower limit of the cluster autoscaler; default: count.
    #[serde(default)]
    pub min: Option<u32>,
    /// Upper limit of the cluster autoscaler; default: count. Above `min` the group is autoscaled.
    #[serde(default)]
    pub max: Option<u32>,
    /// Zones, filled in turn.
    #[serde(default)]
    pub zones: Vec<String>,
    /// Labels of its nodes.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Taints of its nodes.
    #[serde(default)]
    pub taints: Vec<TaintFile>,
    /// From the cloud's acceptance of a machine until its node registers. Default p50 32 s, p99
    /// 58 s (measured on GKE).
    #[serde(default)]
    pub boot: Option<Varying>,
    /// From registration until Ready. Default p50 21 s, p99 41 s (measured on GKE).
    #[serde(default)]
    pub ready: Option<Varying>,
    /// Makes its machines spot machines, which the cloud takes back when it wants them.
    #[serde(default)]
    pub spot: Option<SpotFile>,
    /// Share of machines that never come up. Default 0.
    #[serde(default)]
    pub boot_failure: Option<Ratio>,
    /// Manifests of pods that the kubelet of each of its nodes runs by itself (`staticPodPath`):
    /// files or folders, relative to this file.
    #[serde(default)]
    pub static_pods: Vec<String>,
    /// The disk of each machine for images and for what pods write. Default: one that never gets
    /// full.
    #[serde(default)]
    pub disk: Option<Amount>,
}

/// A machine type: a name of the catalogue or its figures.
#[derive(Clone, Debug, JsonSchema)]
#[serde(untagged)]
pub enum MachineFile {
    /// A name of the catalogue.
    Named(#[schemars(schema_with = "catalogue")] String),
    /// Figures.
    Own(Box<OwnMachine>),
}

/// A machine type of the user's.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OwnMachine {
    /// Its name.
    pub name: String,
    /// Cores.
    pub cpu: Amount,
    /// Memory.
    pub memory: Amount,
    /// Cores that pods may request; default: 97.5 % of all.
    #[serde(default)]
    pub allocatable_cpu: Option<Amount>,
    /// Memory that pods may request; default: 92 % of all.
    #[serde(default)]
    pub allocatable_memory: Option<Amount>,
    /// Other resources, e.g. `nvidia.com/gpu: 4`.
    #[serde(default)]
    pub resources: BTreeMap<String, Amount>,
    /// How many pods fit; default 110.
    #[serde(default)]
    pub pods: Option<u32>,
    /// Price per hour; default: that of the price book, or nothing.
    #[serde(default)]
    pub price_per_hour: Option<f64>,
    /// Watts when idle; default 6 per core.
    #[serde(default)]
    pub idle_watts: Option<f64>,
    /// Watts with all cores busy; default 14 per core.
    #[serde(default)]
    pub peak_watts: Option<f64>,
    /// Compressed image bytes downloaded a second; default 30M (measured 25 to 45 MB/s).
    #[serde(default)]
    pub image_download: Option<Amount>,
    /// Compressed image bytes unpacked a second; default 60M (measured 130 to 190 MB/s of content).
    #[serde(default)]
    pub image_unpack: Option<Amount>,
}

struct MachineVisitor;

impl<'de> Visitor<'de> for MachineVisitor {
    type Value = MachineFile;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a machine type, or {name, cpu, memory, ...}")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<MachineFile, E> {
        Ok(MachineFile::Named(name.to_string()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<MachineFile, A::Error> {
        let own = OwnMachine::deserialize(MapAccessDeserializer::new(map))?;
        Ok(MachineFile::Own(Box::new(own)))
    }
}

impl<'de> Deserialize<'de> for MachineFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MachineVisitor)
    }
}

/// A taint.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TaintFile {
    /// Key.
    pub key: String,
    /// Value.
    #[serde(default)]
    pub value: String,
    /// Effect.
    pub effect: EffectFile,
}

/// Effects as upstream writes them.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub enum EffectFile {
    /// New pods are not placed here.
    NoSchedule,
    /// New pods are placed elsewhere if possible.
    PreferNoSchedule,
    /// Running pods are evicted.
    NoExecute,
}

/// How the containers of a workload behave.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct WorkloadFile {
    /// CPU time per request. Default 10ms.
    pub demand: Option<Span>,
    /// Time per request that is spent waiting, not on CPU nor on callees. Default 0s.
    pub wait: Option<Span>,
    /// Requests that a pod works on at once. Default 100.
    pub concurrency: Option<u32>,
    /// Requests that may queue per pod. Default 1000.
    pub queue: Option<u32>,
    /// A request not finished after this has failed. Default 1s.
    pub timeout: Option<Span>,
    /// CPU of a pod without requests. Default 5m.
    pub idle_cpu: Option<Amount>,
    /// Memory.
    pub memory: Option<MemoryFile>,
    /// What a pod writes on its node's disk. Default: nothing.
    pub disk: Option<DiskFile>,
    /// From container start until the application answers. Default p50 2s, p99 6s.
    pub startup: Option<Varying>,
    /// How long each init container runs. Default 1s.
    pub init: Option<Varying>,
    /// The pod's images together.
    pub image: Option<ImageFile>,
    /// How far a pod without CPU limit may go beyond its request. Default 2.
    pub burst: Option<f64>,
    /// Requests to other Services for each request served: `{SERVICE: NUMBER}`, one after the
    /// other, or a list of steps.
    pub calls: CallsFile,
    /// How closely requests are followed. Default: the tool chooses, and says what.
    pub level: Option<LevelFile>,
    /// The law of the work of a request, around the means `demand` and `wait`. Default exponential.
    pub service_time: Option<ServiceTimeFile>,
    /// A process that has just become ready is slow. Default: it is not.
    pub warm_up: Option<WarmUpFile>,
    /// A pod refuses requests while it has too much to do. Default: only when its queue is full.
    pub shed: Option<ShedFile>,
    /// From the start of a container until it exits with an error. Default: never.
    pub crash_after: Option<Varying>,
    /// From the start of a container until it hangs: it is there and answers nothing, neither
    /// requests nor probes. Default: never.
    pub hang_after: Option<Varying>,
    /// When probes fail, beside those of containers that are not up. Default: hung.
    pub probe_fails_when: Option<ProbeFailsFile>,
}

/// When probes fail.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum ProbeFailsFile {
    /// Only when the container hangs: probes are answered apart from requests.
    Hung,
    /// Also when the pod is overloaded: a probe waits like any request, and fails when that takes
    /// longer than its `timeoutSeconds` or when the queue is full.
    Overloaded,
}

/// Memory of a pod.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct MemoryFile {
    /// Without requests. Default 64Mi.
    pub base: Option<Amount>,
    /// For each request in the pod. Default 0.
    pub per_request: Option<Amount>,
    /// What a container gains a minute from its start, until it is OOM-killed at its limit: a leak.
    /// Default 0.
    pub growth: Option<Amount>,
}

/// What a pod writes on its node's disk.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct DiskFile {
    /// When its containers have started. Default 0.
    pub base: Option<Amount>,
    /// More, each minute. Default 0.
    pub growth: Option<Amount>,
}

/// Images of a pod.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ImageFile {
    /// Compressed size. Default 200M.
    pub size: Option<Amount>,
    /// Layers. Default 8.
    pub layers: Option<u32>,
}

/// Requests from outside.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TrafficFile {
    /// The Service (`name` or `namespace/name`), or the Ingress (`ingress/name`).
    #[serde(default)]
    pub to: Option<String>,
    /// The host that is asked for, by which Ingresses choose. Default: the one host of the Ingress.
    #[serde(default)]
    pub host: Option<String>,
    /// The path that is asked for. Default /.
    #[serde(default)]
    pub path: Option<String>,
    /// Requests a second over time, whatever becomes of them: a number or a shape.
    #[serde(default)]
    pub rate: Option<RateFile>,
    /// The law of the times between two of them. Default poisson.
    #[serde(default)]
    pub arrivals: Option<ArrivalsFile>,
    /// In place of a rate: users over time, each of whom asks, waits for the answer, thinks, and
    /// asks again.
    #[serde(default)]
    pub users: Option<RateFile>,
    /// How long a user thinks; `users` need it. As rates only its mean counts.
    #[serde(default)]
    pub think: Option<Varying>,
    /// A request not answered after this has failed for the clients. Default: no limit but the
    /// workload's own.
    #[serde(default)]
    pub timeout: Option<Span>,
    /// Clients send failed requests again. Default: they don't.
    #[serde(default)]
    pub retries: Option<RetriesFile>,
    /// Zones that the requests come from, with their shares: where Services prefer near endpoints.
    /// Default: each zone by its nodes.
    #[serde(default)]
    pub zones: BTreeMap<String, Ratio>,
    /// So many times what `rate` or `users` say: the whole load larger or smaller. Default 1.
    #[serde(default)]
    pub scale: Option<f64>,
    /// Relative standard deviation of each step. Default 0.
    #[serde(default)]
    pub noise: Option<Ratio>,
    /// Addresses that the requests come from, each as often as the others. It matters where a
    /// Service has `sessionAffinity: ClientIP`. Default 1000.
    #[serde(default)]
    pub clients: Option<u32>,
}

/// An entry of the timeline: when, for how long, and exactly one happening.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TimelineFile {
    /// When it begins.
    pub at: Span,
    /// How long it lasts; default: for good.
    #[serde(default, rename = "for")]
    pub lasts: Option<Span>,
    /// Machines die, and boot again when it is over.
    #[serde(default)]
    pub node_crash: Option<NodesFile>,
    /// Machines are shut down on purpose, and boot again when it is over. Their kubelets end the
    /// pods first, if `flags.kubelet.shutdown-grace-period` gives them time.
    #[serde(default)]
    pub node_shutdown: Option<NodesFile>,
    /// Kubelets fall silent; containers go on.
    #[serde(default)]
    pub node_hang: Option<NodesFile>,
    /// A zone loses power.
    #[serde(default)]
    pub zone_outage: Option<ZoneFile>,
    /// Containers exit once.
    #[serde(default)]
    pub container_crash: Option<PodsFile>,
    /// Containers hang: they are there and answer nothing, and answer again when it is over.
    #[serde(default)]
    pub container_hang: Option<PodsFile>,
    /// Every container of a Deployment exits some time after its start.
    #[serde(default)]
    pub crash_loop: Option<CrashLoopFile>,
    /// Pods are deleted gracefully.
    #[serde(default)]
    pub delete_pods: Option<PodsFile>,
    /// Image pulls take longer.
    #[serde(default)]
    pub registry_slow: Option<SlowFile>,
    /// The image registry does not answer: pulls fail, those under way too.
    #[serde(default)]
    pub registry_outage: Option<OutageFile>,
    /// A dependency gets another size.
    #[serde(default)]
    pub dependency: Option<ResizeFile>,
    /// The API server is gone: connections are refused.
    #[serde(default)]
    pub api_server_outage: Option<NothingFile>,
    /// Others ask the API server for lists; needs `flags.api-server.max-requests-inflight`.
    #[serde(default)]
    pub api_load: Option<ApiLoadFile>,
    /// The leading process of a component ends; it is started again at once, or when it is over.
    #[serde(default)]
    pub component_crash: Option<ComponentFile>,
    /// A node group gets a new upper limit.
    #[serde(default)]
    pub node_group_max: Option<GroupMaxFile>,
    /// The cluster's total node limit changes; 0: none.
    #[serde(default)]
    pub max_nodes_total: Option<u32>,
    /// While it lasts, the cloud has no machines of a kind: new ones are refused.
    #[serde(default)]
    pub stock_out: Option<StockOutFile>,
    /// The cloud wants spot machines back: those of a group, of a zone, or all.
    #[serde(default)]
    pub spot_interruption: Option<NodesFile>,
    /// `kubectl scale deployment`.
    #[serde(default)]
    pub scale: Option<ScaleFile>,
    /// What a person types: `rollout undo deployment/web`, `drain pool-3`, `apply -f v2.yaml`.
    #[serde(default)]
    pub kubectl: Option<String>,
}

/// Which nodes.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct NodesFile {
    /// Only this group.
    pub group: Option<String>,
    /// Only this zone.
    pub zone: Option<String>,
    /// How many, drawn among those that match; default: all.
    pub count: Option<u32>,
}

/// A happening of which there is nothing more to say: `{}`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NothingFile {}

/// Requests for lists that come steadily.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ApiLoadFile {
    /// Requests a second of an agent on each node. Default 0.
    pub per_node: Option<f64>,
    /// Requests a second beside those. Default 0.
    pub rate: Option<f64>,
    /// Objects in each list; default: all pods that there are.
    pub objects: Option<u64>,
}

/// A component of the control plane.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ComponentFile {
    /// `kube-controller-manager`, `kube-scheduler` or `cluster-autoscaler`.
    pub component: String,
}

/// A zone.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ZoneFile {
    /// Its name.
    pub zone: String,
}

/// Which pods.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PodsFile {
    /// Of which Deployment.
    pub deployment: String,
    /// How many, drawn among the running ones; default: all.
    #[serde(default)]
    pub count: Option<u32>,
}

/// A crash loop.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CrashLoopFile {
    /// Of which Deployment.
    pub deployment: String,
    /// How long a container runs.
    pub after: Span,
}

/// A slow registry.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SlowFile {
    /// How many times as long.
    pub factor: f64,
}

/// A registry that does not answer.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct OutageFile {
    /// How long a pull waits for an answer before it fails. Default 30s: containerd's timeout for
    /// connections.
    pub fails_after: Option<Span>,
}

/// A new limit.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct GroupMaxFile {
    /// The group.
    pub group: String,
    /// The limit.
    pub max: u32,
}

/// A new size.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ScaleFile {
    /// The Deployment.
    pub deployment: String,
    /// Its new replicas.
    pub replicas: u32,
}

/// What to observe.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ObserveFile {
    /// Time between two rows of the time series; default: duration / 1440, at least 1s.
    pub every: Option<Span>,
    /// Steps in which a continuous curve is followed; default 15s.
    pub traffic_resolution: Option<Span>,
    /// Share of failed requests that is still fine; default 1%.
    pub error_budget: Option<Ratio>,
    /// 95th percentile of latency that is still fine; default 1s.
    pub latency_objective: Option<Span>,
    /// Currency of the prices; default: that of the price book, or USD.
    pub currency: Option<String>,
    /// Grams of CO2 that a kilowatt hour stands for: a number, or a shape as of traffic.
    pub carbon_intensity: Option<RateFile>,
}

/// Bounds of a measure.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ExpectFile {
    /// Smallest value that is fine.
    pub at_least: Option<BoundFile>,
    /// Largest value that is fine.
    pub at_most: Option<BoundFile>,
    /// Only for this workload (`name`, `namespace/name` or `kind/name`).
    pub of: Option<String>,
    /// Only from this instant on.
    pub from: Option<Span>,
    /// Only until this instant.
    pub until: Option<Span>,
}

/// A bound: a number, a share (`1%`) or a duration (`2h`), as the measure's unit asks.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum BoundFile {
    /// A number.
    Number(f64),
    /// A share or a duration.
    Text(String),
}

impl TimelineFile {
    /// How many happenings are given; exactly one should be.
    pub fn count(&self) -> usize {
        [
            self.node_crash.is_some(),
            self.node_shutdown.is_some(),
            self.node_hang.is_some(),
            self.zone_outage.is_some(),
            self.container_crash.is_some(),
            self.container_hang.is_some(),
            self.crash_loop.is_some(),
            self.delete_pods.is_some(),
            self.registry_slow.is_some(),
            self.registry_outage.is_some(),
            self.dependency.is_some(),
            self.api_server_outage.is_some(),
            self.api_load.is_some(),
            self.component_crash.is_some(),
            self.node_group_max.is_some(),
            self.max_nodes_total.is_some(),
            self.stock_out.is_some(),
            self.spot_interruption.is_some(),
            self.scale.is_some(),
            self.kubectl.is_some(),
        ]
        .into_iter()
        .filter(|given| *given)
        .count()
    }
}
