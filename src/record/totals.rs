//! What the world counts as it goes, for the summary: sums and histograms that no row holds.

use super::costs::Costs;
use super::latency::LatencyHistogram;
use super::rows::NodeRow;
use super::story::TurningPoint;
use crate::api::Text;
use crate::units::{SimDuration, SimTime};

/// Running totals of a run.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Pods created.
    pub pods_created: u64,
    /// Pods gone.
    pub pods_gone: u64,
    /// Pod-seconds without a node.
    pub pending_pod_s: f64,
    /// Created to bound, of pods that were bound.
    pub schedule_wait: LatencyHistogram,
    /// Created to first Ready.
    pub startup: LatencyHistogram,
    /// Container restarts, by Deployment index of the scenario.
    pub restarts: Vec<u64>,
    /// Image pulls that failed.
    pub image_pulls_failed: u64,
    /// Pods evicted: by taints, node loss, drain.
    pub pods_evicted: u64,
    /// Pods without a node when the run ended.
    pub unbound_at_end: u32,
    /// Nodes at the start.
    pub nodes_at_start: u32,
    /// Nodes at the end.
    pub nodes_at_end: u32,
    /// Machine hours paid for.
    pub node_hours: f64,
    /// Seconds at the node limit (group, total or quota) while pods were unschedulable.
    pub at_limit_s: f64,
    /// Energy, watt hours.
    pub energy_wh: f64,
    /// Money, in the scenario's currency.
    pub cost: f64,
    /// Spot machines that the cloud has announced to take back.
    pub spot_interruptions: u64,
    /// Grams of CO2 that the energy stands for, where the scenario says how many a kilowatt hour
    /// does.
    pub carbon_g: Option<f64>,
    /// Whom the machines' cost is charged to.
    pub costs: Costs,
    /// Latency of entry requests served, callees included.
    pub entry_latency: LatencyHistogram,
    /// The part of it in sample intervals that missed the objective.
    pub entry_latency_missed: LatencyHistogram,
    /// Latency in the pods of each Deployment.
    pub workload_latency: Vec<LatencyHistogram>,
    /// What came to the API server, where it is limited.
    pub api: Option<Box<ApiTotals>>,
    /// Most objects in etcd at once, as far as samples show.
    pub objects_peak: u64,
    /// Objects in etcd at the end.
    pub objects_at_end: u64,
    /// Requests between zones, by sample interval; none where it is not followed who is where.
    pub cross_zone: Vec<CrossZone>,
    /// Seconds without a leader of kube-controller-manager.
    pub leaderless_s: f64,
    /// Teams of people, in the scenario's order; none where nothing is delivered.
    pub teams: Vec<TeamTotals>,
    /// Turning points that the world saw itself (limits, faults, lost nodes), in time order.
    pub moments: Vec<TurningPoint>,
}

/// Requests between zones in a sample interval: those whose proxy and pod are on nodes with a zone.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CrossZone {
    /// Its end.
    pub time: SimTime,
    /// How long it was.
    pub interval: SimDuration,
    /// Requests in all, each try and call for itself.
    pub requests: f64,
    /// Those of them whose proxy and pod are in different zones.
    pub crossing: f64,
}

impl CrossZone {
    /// Share of the requests that left their zone; `None`: there were none.
    pub fn ratio<'a>(intervals: impl Iterator<Item = &'a CrossZone>) -> Option<f64> {
        let sums = intervals
            .fold((0.0, 0.0), |(all, crossing), row| (all + row.requests, crossing + row.crossing));
        (sums.0 > 0.0).then(|| sums.1 / sums.0)
    }
}

/// How a team spent its time.
#[derive(Clone, Debug, PartialEq)]
pub struct TeamTotals {
    /// Its name.
    pub name: Text,
    /// How many people.
    pub people: u32,
    /// Working time of all of them that went into jobs, seconds.
    pub work_s: f64,
    /// Working time of one of them, seconds.
    pub open_s: f64,
}

/// Requests to the API server.
#[derive(Clone, Debug, Default)]
pub struct ApiTotals {
    /// From sent to answered, of those that were done.
    pub latency: LatencyHistogram,
    /// Refused with 429: each try counts.
    pub refused: u64,
    /// Likewise of load that is not simulated request by request.
    pub flow_refused: f64,
    /// Given up after their time.
    pub timed_out: u64,
    /// Tries to renew a lease that failed.
    pub renewals_failed: u64,
}

/// What is kept of the nodes of one group when they are gone.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NodeGroupTotals {
    /// Nodes that existed.
    pub nodes: u64,
    /// Those that never became Ready.
    pub never_ready: u64,
    /// What they cost.
    pub cost: f64,
    /// Energy they took, watt hours.
    pub energy_wh: f64,
}

impl NodeGroupTotals {
    /// Adds a node's life.
    pub fn add(&mut self, node: &NodeRow) {
        self.nodes += 1;
        self.never_ready += u64::from(node.ready.is_none());
        self.cost += node.cost;
        self.energy_wh += node.energy_wh;
    }
}
