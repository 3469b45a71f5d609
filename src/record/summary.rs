//! The summary of one run: what `summary.json` holds and the terminal tells.
//!
//! Units are in the names: seconds since the start or of length, hours, requests, watt hours,
//! money in the scenario's currency.

use super::costs::Spending;
use serde::Serialize;

/// Totals of one run.
#[derive(Clone, Debug, Default, Serialize, PartialEq)]
pub struct Summary {
    /// Name of the scenario.
    pub scenario: String,
    /// Its question.
    pub question: String,
    /// What it teaches; may be empty.
    pub about: String,
    /// Root seed.
    pub seed: u64,
    /// Simulated time.
    pub duration_s: f64,
    /// At which levels requests were followed; left out where nothing asked for one: as rates.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<LevelOfPart>,
    /// Requests from outside.
    pub requests: Requests,
    /// Pods.
    pub pods: Pods,
    /// Nodes.
    pub nodes: Nodes,
    /// Money.
    pub cost: Cost,
    /// How the objective (error budget and latency) was kept.
    pub objective: Objective,
    /// Turning points in time order.
    pub story: Vec<Point>,
    /// One entry per Deployment, in the scenario's order.
    pub workloads: Vec<WorkloadSummary>,
    /// One entry per node group and machine type, by name.
    pub node_groups: Vec<NodeGroupSummary>,
    /// The scenario's assertions and how they went.
    pub expectations: Vec<ExpectationResult>,
    /// What was accepted without effect: a line each.
    pub ignored: Vec<String>,
    /// Number of Warning Events.
    pub warning_events: u64,
    /// Etcd.
    pub etcd: Etcd,
    /// The API server; left out where it is not limited and kube-controller-manager always led.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_server: Option<ApiServer>,
    /// Requests between zones; left out where it is not followed who is where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cross_zone: Option<CrossZoneSummary>,
    /// What people delivered; left out where no fleet comes or has releases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliverySummary>,
}

/// Workloads that requests connect, and how closely these were followed.
#[derive(Clone, Debug, Default, Serialize, PartialEq)]
pub struct LevelOfPart {
    /// `fluid`, as rates, or `requests`, one by one.
    pub level: String,
    /// `namespace/name` of each.
    pub workloads: Vec<String>,
    /// Why: half a sentence.
    pub why: String,
}

impl LevelOfPart {
    /// A line for people.
    pub fn line(&self) -> String {
        let how = if self.level == "requests" { "one by one" } else { "as rates" };
        format!("requests of {} {how}: {}", self.workloads.join(", "), self.why)
    }
}

/// Requests between zones over the whole run: those whose proxy and pod are on nodes with a zone.
#[derive(Clone, Debug, Default, Serialize, PartialEq)]
pub struct CrossZoneSummary {
    /// Requests in all, each try and call for itself.
    pub requests: f64,
    /// Those of them whose proxy and pod are in different zones.
    pub crossing: f64,
    /// Their share; `null` when there were no requests.
    pub ratio: Option<f64>,
}

/// What people delivered. Times of what is not done by the end are those up to the end.
#[derive(Clone, Debug, Default, Serialize, PartialEq)]
pub struct DeliverySummary {
    /// Fleets that come or have releases, by name.
    pub fleets: Vec<FleetSummary>,
    /// Teams, in the scenario's order.
    pub teams: Vec<TeamSummary>,
}

/// One fleet over the whole run.
#[derive(Clone, Debug, Default, Serialize, PartialEq)]
pub struct FleetSummary {
    /// Its name.
    pub name: String,
    /// Members that somebody wanted.
    pub members_asked: u64,
    /// Members applied.
    pub members_applied: u64,
    /// Members that were rolled out.
    pub members_ready: u64,
    /// Median time from asked to rolled out, seconds.
    pub lead_time_p50_s: Option<f64>,
    /// 95th percentile of it.
    pub lead_time_p95_s: Option<f64>,
    /// Releases that somebody wanted.
    pub releases_asked: u64,
    /// Releases applied.
    pub releases_applied: u64,
    /// Releases that were rolled out, or taken over by a later one that was.
    pub releases_ready: u64,
    /// Median time of a release from asked to rolled out, seconds.
    pub release_lead_time_p50_s: Option<f64>,
    /// 95th percentile of it.
    pub release_lead_time_p95_s: Option<f64>,
}

/// One team over the whole run.
#[derive(Clone, Debug, Default, Serialize, PartialEq)]
pub struct TeamSummary {
    /// Its name.
    pub name: String,
    /// How many people.
    pub people: u32,
    /// What came to it.
    pub jobs: u64,
    /// Share of its working time that went into jobs.
    pub utilization: f64,
    /// Median time until somebody began, nights and weekends included, seconds.
    pub wait_p50_s: Option<f64>,
    /// 95th percentile of it.
    pub wait_p95_s: Option<f64>,
    /// Most jobs that waited at once.
    pub queue_peak: u64,
}

/// What etcd holds. Events, Leases, EndpointSlices and Namespaces are not counted.
#[derive(Clone, Debug, Default, Serialize, PartialEq)]
pub struct Etcd {
    /// Most objects at once, as far as samples show.
    pub objects_peak: u64,
    /// Objects at the end.
    pub objects_at_end: u64,
}

/// What came to the API server.
#[derive(Clone, Debug, Default, Serialize, PartialEq)]
pub struct ApiServer {
    /// Median time until requests of the control plane, kubelets and leases were answered; `null`:
    /// it is not limited, so nothing was counted.
    pub latency_p50_s: Option<f64>,
    /// 99th percentile of it.
    pub latency_p99_s: Option<f64>,
    /// Requests refused with 429, those of others included.
    pub requests_refused: f64,
    /// Requests that took too long.
    pub requests_timed_out: u64,
    /// Tries to renew a lease that failed.
    pub lease_renewals_failed: u64,
    /// Seconds without a leader of kube-controller-manager.
    pub leaderless_s: f64,
}

/// Requests from outside over the whole run.
#[derive(Clone, Debug, Default, Serialize, PartialEq)]
pub struct Requests {
    /// Arrived.
    pub offered: f64,
    /// Answered in time.
    pub served: f64,
    /// Failed.
    pub failed: f64,
    /// Failed of offered; 0 when none arrived.
    pub failed_ratio: f64,
    /// Highest rate of a sample interval, requests a second.
    pub peak_offered_rps: f64,
    /// Highest rate served, requests a second.
    pub peak_served_rps: f64,
    /// Median latency of all served requests of the run, seconds; `null` when none were served.
    pub latency_p50_s: Option<f64>,
    /// 95th percentile of it.
    pub latency_p95_s: Option<f64>,
    /// 99th percentile of it.
    pub latency_p99_s: Option<f64>,
    /// 99.9th percentile of it.
    pub latency_p999_s: Option<f64>,
}

/// Pods over the whole run.
#[derive(Clone, Debug, Default, Serialize, PartialEq)]
pub struct Pods {
    /// Created.
    pub created: u64,
    /// Most at once.
    pub peak: u32,
    /// Most Ready at once.
    pub peak_ready: u32,
    /// Pod-seconds without a node.
    pub pending_pod_s: f64,
    /// Median wait from created to bound of pods that were bound, seconds.
    pub schedule_p50_s: Option<f64>,
    /// 99th percentile of it.
    pub schedule_p99_s: Option<f64>,
    /// Median from created to first Ready, seconds.
    pub startup_p50_s: Option<f64>,
    /// 99th percentile of it.
    pub startup_p99_s: Option<f64>,
    /// Container restarts.
    pub restarts: u64,
    /// Image pulls that failed.
    pub image_pulls_failed: u64,
    /// Pods evicted (taints, node loss, drain).
    pub evicted: u64,
    /// Pods without a node when the run ended.
    pub unbound_at_end: u32,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// Nodes over the whole run.
#[derive(Clone, Debug, Default, Serialize, PartialEq)]
pub struct Nodes {
    /// At the start.
    pub at_start: u32,
    /// Most at once.
    pub peak: u32,
    /// At the end.
    pub at_end: u32,
    /// Machine hours paid for.
    pub node_hours: f64,
    /// Seconds during which the node limit held back pods.
    pub at_limit_s: f64,
    /// Energy, kilowatt hours.
    pub energy_kwh: f64,
    /// Kilograms of CO2 that it stands for; left out where the scenario has no carbon intensity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carbon_kg: Option<f64>,
    /// Spot machines that the cloud took back; left out where it took none.
    #[serde(skip_serializing_if = "is_zero")]
    pub spot_interruptions: u64,
    /// Mean of CPU used / CPU allocatable over time.
    pub cpu_utilization: f64,
    /// Mean of CPU requested / CPU allocatable over time.
    pub cpu_requested_ratio: f64,
}

/// Money.
#[derive(Clone, Debug, Default, Serialize, PartialEq)]
pub struct Cost {
    /// Code of the currency.
    pub currency: String,
    /// All machines.
    pub total: f64,
    /// Highest cost per hour.
    pub peak_per_hour: f64,
    /// Per million requests served; `null` when none were.
    pub per_million_served: Option<f64>,
    /// Whom it is charged to.
    pub spending: Spending,
}

/// How the objective was kept.
#[derive(Clone, Debug, Default, Serialize, PartialEq)]
pub struct Objective {
    /// Share of failed requests that is still fine.
    pub error_budget: f64,
    /// 95th percentile of latency that is still fine, seconds.
    pub latency_s: f64,
    /// Seconds (whole sample intervals) in which it was missed.
    pub missed_s: f64,
    /// First miss, seconds since the start.
    pub first_missed_s: Option<f64>,
    /// From the first miss until it held again for good; `null`: never missed, or never again held.
    pub time_to_recover_s: Option<f64>,
    /// Whether it held when the run ended.
    pub held_at_end: bool,
    /// Median latency of requests served in sample intervals that held it, seconds; `null` when
    /// none were.
    pub held_latency_p50_s: Option<f64>,
    /// 95th percentile of it.
    pub held_latency_p95_s: Option<f64>,
    /// 99th percentile of it.
    pub held_latency_p99_s: Option<f64>,
    /// Median latency of requests served in sample intervals that missed it, seconds; `null` when
    /// none were.
    pub missed_latency_p50_s: Option<f64>,
    /// 95th percentile of it.
    pub missed_latency_p95_s: Option<f64>,
    /// 99th percentile of it.
    pub missed_latency_p99_s: Option<f64>,
}

/// A turning point.
#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct Point {
    /// Seconds since the start.
    pub time_s: f64,
    /// Its kind.
    pub kind: super::story::Moment,
    /// The sentence.
    pub text: String,
}

/// One Deployment over the whole run.
#[derive(Clone, Debug, Default, Serialize, PartialEq)]
pub struct WorkloadSummary {
    /// `namespace/name`.
    pub name: String,
    /// Requests that arrived.
    pub offered: f64,
    /// Answered in time.
    pub served: f64,
    /// Failed here.
    pub failed: f64,
    /// Highest `spec.replicas`.
    pub peak_desired: u32,
    /// Most Ready pods.
    pub peak_ready: u32,
    /// Most pods without a node.
    pub peak_pending: u32,
    /// Latency in its pods, seconds.
    pub latency_p50_s: Option<f64>,
    /// 95th percentile.
    pub latency_p95_s: Option<f64>,
    /// 99th percentile.
    pub latency_p99_s: Option<f64>,
    /// Container restarts.
    pub restarts: u64,
}

/// The machines of one group over the whole run.
#[derive(Clone, Debug, Default, Serialize, PartialEq)]
pub struct NodeGroupSummary {
    /// Name of the group.
    pub name: String,
    /// Machine type.
    pub machine: String,
    /// Nodes that existed at some time.
    pub nodes: u64,
    /// Those of them that never became Ready.
    pub never_ready: u64,
    /// What they cost.
    pub cost: f64,
    /// Energy they took, kilowatt hours.
    pub energy_kwh: f64,
}

/// An assertion and its outcome.
#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct ExpectationResult {
    /// As written.
    pub text: String,
    /// Name of what it measures.
    pub metric: String,
    /// What was measured; `null` when there was nothing to measure (which is a miss).
    pub measured: Option<f64>,
    /// Whether it held.
    pub held: bool,
}
