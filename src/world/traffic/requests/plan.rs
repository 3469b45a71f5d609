//! What the engine is told before it starts: stations, Services and entries, by index.

use super::arrivals::Process;
use super::draws::Law;
pub use crate::scenario::graph::model::Retries;
use crate::sim::sample::Distribution;
use crate::units::SimDuration;

/// All of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Kinds of pods.
    pub stations: Vec<StationPlan>,
    /// Services.
    pub services: Vec<ServicePlan>,
    /// Where requests come from outside.
    pub entries: Vec<EntryPlan>,
}

/// Pods of one kind.
///
/// A pod works on up to `concurrency` requests at once. Each of them first needs CPU: at most one
/// core, and all together at most the pod's `cores` (limited processor sharing: the cores are
/// shared evenly); then it waits for something else. More requests queue, first come first served,
/// up to `queue`; more than that are refused.
#[derive(Clone, Debug, PartialEq)]
pub struct StationPlan {
    /// Mean CPU time of a request.
    pub demand: SimDuration,
    /// Mean time that it waits for something else than CPU.
    pub wait: SimDuration,
    /// Law of both together, around their means: a large request is large in both.
    pub law: Law,
    /// What a pod may use, where nothing else is said of it.
    pub size: Size,
    /// Pods may get more or less of it while they run.
    pub varies: bool,
    /// Requests at once in work.
    pub concurrency: u32,
    /// Requests that may wait.
    pub queue: u32,
    /// A request not finished in its pod after this has failed for its caller: one that waits
    /// leaves, one in work is worked on to its end, for nobody.
    pub timeout: Option<SimDuration>,
    /// A process that has just begun to answer is slow: its work takes so many times as long then,
    /// and less and less on a straight line over this time.
    pub warm_up: Option<(SimDuration, f64)>,
    /// More requests than this in a pod are refused.
    pub shed_at: Option<u32>,
    /// Requests that would wait longer than this are refused.
    pub shed_wait: Option<SimDuration>,
    /// Calls to other Services when its own work is done: those of a step at once, step by step.
    pub steps: Vec<Vec<CallPlan>>,
    /// The first step that fails is the last; else all are made, and then it fails.
    pub stops: bool,
}

/// What a pod may use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Size {
    /// Cores.
    pub cores: f64,
    /// Requests in it at which its memory is full.
    pub full_at: Option<u32>,
}

/// A call to a Service.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CallPlan {
    /// The Service.
    pub to: u32,
    /// How often, one after the other; on average, if it is no whole number.
    pub times: f64,
    /// Requests side by side, each of them so many times.
    pub fan_out: u32,
    /// Chance that it is made at all.
    pub probability: f64,
    /// A try without an answer after this has failed.
    pub timeout: Option<SimDuration>,
    /// Tries that have failed are made again.
    pub retries: Option<Retries>,
    /// So many failures in a row let all fail at once for so long; then one is let through, and
    /// decides. All calls of this kind together.
    pub circuit_breaker: Option<(u32, SimDuration)>,
    /// So many requests of one calling pod at once, and so many that wait; more fail at once.
    pub connections: Option<(u32, u32)>,
    /// Share that never reaches the callee.
    pub hit_ratio: f64,
    /// Time in which that share rises from nothing in a new pod, on a straight line.
    pub cache_warm_up: SimDuration,
    /// Its failure does not matter.
    pub optional: bool,
}

impl CallPlan {
    /// One request, whatever becomes of it.
    pub fn plain(to: u32) -> CallPlan {
        CallPlan {
            to,
            times: 1.0,
            fan_out: 1,
            probability: 1.0,
            timeout: None,
            retries: None,
            circuit_breaker: None,
            connections: None,
            hit_ratio: 0.0,
            cache_warm_up: SimDuration::ZERO,
            optional: false,
        }
    }
}

impl StationPlan {
    /// Pods with `servers` servers whose requests take `service` on average, by `law`; all may
    /// wait, and nobody gives up.
    pub fn servers(servers: u32, service: SimDuration, law: Law) -> StationPlan {
        StationPlan {
            demand: service,
            wait: SimDuration::ZERO,
            law,
            size: Size { cores: f64::from(servers), full_at: None },
            varies: false,
            concurrency: servers,
            queue: u32::MAX,
            timeout: None,
            warm_up: None,
            shed_at: None,
            shed_wait: None,
            steps: Vec::new(),
            stops: true,
        }
    }

    /// Mean time of a request that is alone in a pod with so many cores, seconds.
    pub fn alone(&self, cores: f64) -> f64 {
        self.demand.as_secs_f64() / cores.clamp(1e-3, 1.0) + self.wait.as_secs_f64()
    }

    /// Seconds by which a request that reaches a pod with so many cores, and so many others in it,
    /// is answered later than one that is alone: those that the pod's cores and places are too few
    /// for come first.
    pub fn delay(&self, cores: f64, load: u32) -> f64 {
        let rate = self.saturation(cores);
        let at_once = (rate * self.alone(cores) - 1e-9).ceil().max(1.0);
        (f64::from(load) + 1.0 - at_once).max(0.0) / rate
    }

    /// Requests a second at which a pod with so many cores is saturated.
    pub fn saturation(&self, cores: f64) -> f64 {
        let demand = self.demand.as_secs_f64();
        let by_cpu = if demand > 0.0 { cores / demand } else { f64::INFINITY };
        by_cpu.min(f64::from(self.concurrency) / self.alone(cores).max(1e-9))
    }
}

/// A Service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServicePlan {
    /// The station that takes the blame when nothing is routed.
    pub primary: Option<u32>,
    /// Who gets the next request.
    pub pick: Pick,
}

/// Who of the pods that are routed to gets the next request.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Pick {
    /// Any, each with the same chance.
    #[default]
    Random,
    /// One after the other.
    RoundRobin,
    /// The one with fewer requests of two that are drawn.
    LeastRequest,
    /// Stations by weight, and any pod of the one that is drawn. What is not named gets none.
    Weights(Vec<(u32, f64)>),
}

/// Requests from outside to one Service.
#[derive(Clone, Debug, PartialEq)]
pub enum EntryPlan {
    /// They come whatever happens to those before them.
    Open {
        /// The Service.
        to: u32,
        /// How they come.
        process: Process,
        /// What their clients do; `None`: they wait, and try once.
        clients: Option<CallPlan>,
        /// Addresses that they come from, each as often; `None`: that of a proxy, which sticks to
        /// nobody.
        addresses: Option<u32>,
    },
    /// Users who wait for the answer, think, and ask again.
    Closed {
        /// The Service.
        to: u32,
        /// Seconds that they think.
        think: Distribution,
        /// What they do while they wait; `None`: they wait.
        clients: Option<CallPlan>,
        /// Addresses that they have together, in turn; `None`: that of a proxy.
        addresses: Option<u32>,
    },
}
