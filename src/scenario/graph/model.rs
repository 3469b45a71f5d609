//! How requests run through services, checked: what both levels of the traffic give a meaning to.

use crate::api::{ObjectName, Text};
use crate::scenario::curve::Curve;
use crate::sim::sample::Distribution;
use crate::units::SimDuration;

/// How closely the requests of a workload are followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As rates, with formulas for each pod.
    #[default]
    Fluid,
    /// One by one.
    Requests,
}

/// Workloads and Services that requests connect: one level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// How closely its requests are followed.
    pub level: Level,
    /// Indexes into `workloads`.
    pub workloads: Vec<usize>,
    /// Indexes into `objects.destinations()`, and past these into `dependencies`.
    pub services: Vec<usize>,
    /// Why it has this level: half a sentence.
    pub why: String,
}

/// How the pods of a workload serve, beside the mean of their work.
#[derive(Clone, Debug, PartialEq)]
pub struct Serving {
    /// The level that the file asks for; `None`: the tool chooses.
    pub level: Option<Level>,
    /// Squared coefficient of variation of a request's work, 0 or more: 1 is exponential, 0
    /// constant.
    pub scv: f64,
    /// A process that has just become ready is slow.
    pub warm_up: Option<WarmUp>,
    /// When requests are refused although they might wait.
    pub shed: Shed,
}

impl Default for Serving {
    fn default() -> Self {
        Serving { level: None, scv: 1.0, warm_up: None, shed: Shed::default() }
    }
}

/// A process that has just become ready is slow: its work takes `slower` times as long then, and
/// less and less in a straight line, until after `lasts` it takes what it takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WarmUp {
    /// Longer than zero.
    pub lasts: SimDuration,
    /// At least 1.
    pub slower: f64,
}

/// A pod refuses requests while it has too much to do; by default only a full queue does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shed {
    /// When so many are in it, in work or waiting.
    pub in_flight: Option<u32>,
    /// When a new one would have to wait longer than this.
    pub wait: Option<SimDuration>,
}

/// Calls that are made at once; the step is over when all are. There is one at least.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The calls, in the order of the file.
    pub calls: Vec<Call>,
}

/// What a workload asks of a Service for each request that it serves.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Index into `objects.destinations()`, and past these into `dependencies`.
    pub service: usize,
    /// How often, one after the other; on average, where it is no whole number.
    pub times: f64,
    /// Requests of each of those times, sent at once and all waited for; at least 1.
    pub fan_out: u32,
    /// Chance that the call is made at all, all its times.
    pub probability: f64,
    /// A request not answered after this has failed for its caller.
    pub timeout: Option<SimDuration>,
    /// Failed requests are sent again.
    pub retries: Option<Retries>,
    /// Calls fail at once while the callee fails.
    pub circuit_breaker: Option<CircuitBreaker>,
    /// Limits of one calling pod.
    pub connections: Option<Connections>,
    /// Requests that never reach the callee.
    pub cache: Cache,
    /// Its failure does not fail the request that it is made for.
    pub optional: bool,
}

impl Call {
    /// A plain call, so many times.
    pub fn plain(service: usize, times: f64) -> Call {
        Call {
            service,
            times,
            fan_out: 1,
            probability: 1.0,
            timeout: None,
            retries: None,
            circuit_breaker: None,
            connections: None,
            cache: Cache::default(),
            optional: false,
        }
    }

    /// Requests of it for each request of the caller, on average, before caches and retries.
    pub fn requests(&self) -> f64 {
        self.probability * self.times * f64::from(self.fan_out)
    }
}

/// Failed requests are sent again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Retries {
    /// Tries beyond the first; at least 1.
    pub attempts: u32,
    /// The wait before the first of them; each further one is twice as long.
    pub base: SimDuration,
    /// The longest wait.
    pub max: SimDuration,
    /// Whether any wait up to that is drawn, each with the same chance; else it is the whole.
    pub jitter: bool,
    /// Most retries, as a share of the first tries.
    pub budget: Option<f64>,
}

impl Retries {
    /// The wait before retry number `n`, from 1 on, before jitter.
    pub fn wait(&self, n: u32) -> SimDuration {
        let doubled = self.base.0.saturating_mul(1 << n.saturating_sub(1).min(62));
        SimDuration(doubled.min(self.max.0))
    }

    /// The mean wait before retry number `n`, from 1 on, seconds.
    pub fn mean_wait(&self, n: u32) -> f64 {
        self.wait(n).as_secs_f64() * if self.jitter { 0.5 } else { 1.0 }
    }
}

/// Calls from one workload to a Service fail at once while the callee fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CircuitBreaker {
    /// Failures in a row that open it; at least 1.
    pub failures: u32,
    /// How long it stays open; then one request is let through, and decides.
    pub open: SimDuration,
}

/// Limits of connections from one calling pod to a Service, a request each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// Most requests under way at once; at least 1.
    pub max: u32,
    /// Most requests that wait for one of them; more fail at once.
    pub pending: u32,
}

/// A cache of the caller.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cache {
    /// Share of the requests that never reach the callee, once it is warm; below 1.
    pub hit_ratio: f64,
    /// Time in which the share of a new pod rises from nothing to that, in a straight line.
    pub warm_up: SimDuration,
}

/// Who gets the next request of a Service.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Balancing {
    /// Any pod, each with the same chance.
    #[default]
    Random,
    /// One after the other.
    RoundRobin,
    /// The one with fewer requests of two that are drawn.
    LeastRequest,
    /// Workloads by weight (index into `workloads`), and any pod of the one that is drawn.
    Weights(Vec<(usize, f64)>),
}

/// The law of the times between two requests from outside.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Arrivals {
    /// Each comes without regard to the others.
    #[default]
    Poisson,
    /// Independent times with this squared coefficient of variation; 0: as regular as a clock.
    Renewal(f64),
    /// Bursts on all time scales, with this Hurst parameter, between 0.5 and 1.
    SelfSimilar(f64),
}

impl Arrivals {
    /// Squared coefficient of variation of the times between two, where these are independent.
    pub fn scv(self) -> Option<f64> {
        match self {
            Arrivals::Poisson => Some(1.0),
            Arrivals::Renewal(scv) => Some(scv),
            Arrivals::SelfSimilar(_) => None,
        }
    }
}

/// How many come from outside.
#[derive(Clone, Debug)]
pub enum Load {
    /// So many requests a second, whatever becomes of them.
    Open {
        /// Requests a second over time.
        rate: Curve,
        /// How they follow each other.
        arrivals: Arrivals,
    },
    /// So many users, each of whom asks, waits for the answer, thinks, and asks again.
    Closed {
        /// Users over time.
        users: Curve,
        /// Seconds between an answer and the next request.
        think: Distribution,
    },
}

impl Load {
    /// So many times as many.
    pub fn scaled(self, scale: f64) -> Load {
        let times = |curve| Curve::Product(vec![curve, Curve::Constant(scale)]);
        match self {
            Load::Open { rate, arrivals } => Load::Open { rate: times(rate), arrivals },
            Load::Closed { users, think } => Load::Closed { users: times(users), think },
        }
    }

    /// Requests a second, or users, over time.
    pub fn curve(&self) -> &Curve {
        match self {
            Load::Open { rate, .. } => rate,
            Load::Closed { users, .. } => users,
        }
    }
}

/// What clients outside do when an answer is late or a failure.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Patience {
    /// A request not answered after this has failed for them.
    pub timeout: Option<SimDuration>,
    /// Failed requests are sent again.
    pub retries: Option<Retries>,
}

/// Whom requests from outside are sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A Service: index into `objects.services`.
    Service(usize),
    /// Whatever Ingresses make of a host and a path.
    Ingress {
        /// Only the rules of this one.
        only: Option<ObjectName>,
        /// The host asked for; empty: none that a rule names.
        host: Text,
        /// The path asked for.
        path: Text,
    },
}

/// Requests from outside.
#[derive(Clone, Debug)]
pub struct Traffic {
    /// Where they go.
    pub to: Entry,
    /// How many come.
    pub load: Load,
    /// Relative standard deviation of each resolution step (log-normal, mean 1); 0: none.
    pub noise: f64,
    /// Addresses that they come from.
    pub clients: u32,
    /// What clients do when an answer is late or a failure.
    pub patience: Patience,
    /// Zones that they come from, with shares that sum to 1; empty: each zone by its nodes.
    pub zones: Vec<(Text, f64)>,
}
