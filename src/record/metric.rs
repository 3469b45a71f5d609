//! The measures that `expect:` may name, each with its unit and meaning.
//!
//! One table serves validation ("did you mean"), documentation and evaluation.

/// Unit of a measure: decides how its bounds are written in a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A share: `1%` or `0.01`.
    Ratio,
    /// A duration: `90s`, `2h`; compared in seconds.
    Duration,
    /// An amount: pods, nodes, requests, money.
    Number,
    /// A rate: requests a second.
    Rate,
}

/// What a measure can be narrowed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// It may name one Deployment (`of:`).
    pub of: bool,
    /// It may name a window (`from:`, `until:`).
    pub window: bool,
}

/// A measure.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name in `expect:`.
    pub name: &'static str,
    /// Its unit.
    pub unit: Unit,
    /// What it can be narrowed to.
    pub scope: Scope,
    /// One line for people.
    pub meaning: &'static str,
}

const BOTH: Scope = Scope { of: true, window: true };
const WINDOW: Scope = Scope { of: false, window: true };
const WHOLE: Scope = Scope { of: false, window: false };

const fn metric(name: &'static str, unit: Unit, scope: Scope, meaning: &'static str) -> Metric {
    Metric { name, unit, scope, meaning }
}

/// All measures, in the order of the documentation.
pub const METRICS: &[Metric] = &[
    metric("failed_ratio", Unit::Ratio, BOTH, "failed requests of all that arrived"),
    metric("requests_offered", Unit::Number, BOTH, "requests that arrived"),
    metric("requests_served", Unit::Number, BOTH, "requests answered in time"),
    metric("requests_failed", Unit::Number, BOTH, "requests that failed"),
    metric("offered_rps_peak", Unit::Rate, BOTH, "highest arrival rate of an interval"),
    metric("served_rps_peak", Unit::Rate, BOTH, "highest rate served of an interval"),
    metric(
        "latency_p50",
        Unit::Duration,
        BOTH,
        "median latency (of a window: the worst interval's)",
    ),
    metric("latency_p95", Unit::Duration, BOTH, "95th percentile of latency (likewise)"),
    metric("latency_p99", Unit::Duration, BOTH, "99th percentile of latency (likewise)"),
    metric("latency_p999", Unit::Duration, BOTH, "99.9th percentile of latency (likewise)"),
    metric(
        "cross_zone_ratio",
        Unit::Ratio,
        WINDOW,
        "requests that left their zone, of all whose zones are known",
    ),
    metric("objective_missed", Unit::Duration, WINDOW, "time in which the objective was missed"),
    metric("first_miss", Unit::Duration, WHOLE, "when the objective was first missed"),
    metric("time_to_recover", Unit::Duration, WHOLE, "from the first miss until it held for good"),
    metric("pending_pod_seconds", Unit::Number, WHOLE, "pod-seconds without a node"),
    metric(
        "pods_unschedulable_peak",
        Unit::Number,
        WINDOW,
        "most pods found unschedulable at once",
    ),
    metric("schedule_p99", Unit::Duration, WHOLE, "99th percentile from created to bound"),
    metric("startup_p99", Unit::Duration, WHOLE, "99th percentile from created to Ready"),
    metric("pods_ready_peak", Unit::Number, BOTH, "most Ready pods at once"),
    metric("pods_ready_min", Unit::Number, BOTH, "fewest Ready pods at once"),
    metric("pods_desired_peak", Unit::Number, BOTH, "most pods wanted at once"),
    metric("pods_unbound_at_end", Unit::Number, WHOLE, "pods without a node at the end"),
    metric("pods_evicted", Unit::Number, WHOLE, "pods evicted"),
    metric("pods_created", Unit::Number, WHOLE, "pods created"),
    metric("restarts", Unit::Number, Scope { of: true, window: false }, "container restarts"),
    metric("image_pulls_failed", Unit::Number, WHOLE, "image pulls that failed"),
    metric(
        "api_latency_p99",
        Unit::Duration,
        WHOLE,
        "99th percentile of answers of the API server",
    ),
    metric("api_requests_refused", Unit::Number, WHOLE, "requests that it refused with 429"),
    metric("api_requests_timed_out", Unit::Number, WHOLE, "requests that took it too long"),
    metric("lease_renewals_failed", Unit::Number, WHOLE, "tries to renew a lease that failed"),
    metric("leaderless_time", Unit::Duration, WHOLE, "time without a kube-controller-manager"),
    metric("etcd_objects_peak", Unit::Number, WHOLE, "most objects in etcd at once"),
    metric("members_ready", Unit::Number, WHOLE, "members of fleets that came and were rolled out"),
    metric("releases_ready", Unit::Number, WHOLE, "releases of members that were rolled out"),
    metric("lead_time_p50", Unit::Duration, WHOLE, "median time of members from asked to ready"),
    metric("lead_time_p95", Unit::Duration, WHOLE, "95th percentile of it"),
    metric(
        "release_lead_time_p50",
        Unit::Duration,
        WHOLE,
        "median time of releases from asked to ready",
    ),
    metric("release_lead_time_p95", Unit::Duration, WHOLE, "95th percentile of theirs"),
    metric("team_wait_p50", Unit::Duration, WHOLE, "median time that jobs wait for a team"),
    metric("team_wait_p95", Unit::Duration, WHOLE, "95th percentile of these waits"),
    metric("team_utilization", Unit::Ratio, WHOLE, "working time of teams that went into jobs"),
    metric("nodes_peak", Unit::Number, WINDOW, "most nodes at once"),
    metric("nodes_min", Unit::Number, WINDOW, "fewest nodes at once"),
    metric("nodes_ready_min", Unit::Number, WINDOW, "fewest Ready nodes at once"),
    metric("node_hours", Unit::Number, WHOLE, "machine hours paid for"),
    metric("node_limit_time", Unit::Duration, WHOLE, "time at the node limit with pods waiting"),
    metric("cost", Unit::Number, WHOLE, "money for machines"),
    metric("energy_kwh", Unit::Number, WHOLE, "energy of machines"),
    metric("carbon_kg", Unit::Number, WHOLE, "CO2 that it stands for, kilograms"),
    metric("spot_interruptions", Unit::Number, WHOLE, "spot machines that the cloud took back"),
    metric("cpu_utilization", Unit::Ratio, WINDOW, "CPU used of CPU allocatable, mean"),
];

/// Whether a measure is of what people deliver.
pub(super) fn is_of_people(name: &str) -> bool {
    let starts = ["members_", "releases_", "lead_time_", "release_lead_time_", "team_"];
    starts.iter().any(|start| name.starts_with(start))
}

/// The measure called `name`.
pub fn find(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|m| m.name == name)
}
