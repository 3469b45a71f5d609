//! A Deployment's pods as one station: equal queues that share the arriving requests evenly.
//!
//! Between two changes all rates are constant. Below capacity every pod is an M/M/c queue whose
//! callers give up ([`super::queueing`]); above it the surplus piles up as a fluid until the queues
//! or the callers' patience are full, and from then on it fails. What is integrated here in closed
//! form is exact between changes, so the result does not depend on how often anyone looks. It knows
//! no pods, only how many; where they are not asked evenly, [`lanes`] know them.

mod cpu_line;
mod lanes;
mod steady;
#[cfg(test)]
pub(super) mod tests;

use super::law::{self, Shape};
use super::queueing::Response;
use crate::record::latency::LatencyHistogram;
use crate::scenario::model::Workload;
use crate::units::{MilliCpu, SimDuration, SimTime};
use cpu_line::CpuLine;
use std::sync::Arc;
use steady::{Shared, Steady};

/// What one pod can do; constant over a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PodModel {
    /// CPU seconds per request.
    pub demand: f64,
    /// Mean service time of a request that is alone, seconds (CPU slowed by the limit, plus wait).
    pub service: f64,
    /// Parallel servers that a pod amounts to.
    pub servers: u32,
    /// Requests a second at which a pod is saturated.
    pub rate: f64,
    /// Squared coefficient of variation of the service time.
    pub scv: f64,
    /// Requests that a pod works on at once beyond its servers: they share these.
    pub sharing: f64,
    /// Longest wait of a request that is still served, seconds: the caller's patience or the
    /// queue's length, whichever ends first.
    pub wait_max: f64,
    /// The queue is full before its last request loses patience: then more are refused.
    pub refuses: bool,
    /// Seconds from arrival to answer that callers wait, and the wait behind a full queue.
    pub bounds: (f64, f64),
    /// Cores that a pod uses without requests.
    pub idle_cores: f64,
    /// Bytes of a pod without requests, and per request in it.
    pub memory: (f64, f64),
    /// Bytes at which a container is OOM-killed.
    pub memory_limit: Option<f64>,
}

impl PodModel {
    /// The model of a Deployment's pods that may use `cpu` of a core each.
    pub fn new(workload: &Workload, cpu: MilliCpu, memory_limit: Option<f64>) -> PodModel {
        PodModel::of_cores(workload, cpu.cores().max(1e-3), memory_limit)
    }

    /// The model of such a pod that has so many cores for requests, more than none.
    pub fn of_cores(workload: &Workload, cores: f64, memory_limit: Option<f64>) -> PodModel {
        let demand = workload.demand.as_secs_f64();
        // One request runs on one core at most; a limit below a core stretches its CPU time.
        let service = (demand / cores.min(1.0) + workload.wait.as_secs_f64()).max(1e-6);
        let by_cpu = if demand > 0.0 { cores / demand } else { f64::INFINITY };
        let by_slots = f64::from(workload.concurrency) / service;
        let raw = by_cpu.min(by_slots);
        // Whole servers: an M/M/c queue has no fraction of one. The service time is stretched so
        // that they saturate at the same rate.
        let servers = (raw * service - 1e-9).ceil().clamp(1.0, 1e6);
        let service = servers / raw;
        let timeout = workload.timeout.as_secs_f64();
        let patience = (timeout - service).max(0.0);
        let shed = &workload.serving.shed;
        let fits = shed.in_flight.map_or(f64::INFINITY, |n| (f64::from(n) - servers).max(0.0));
        let shed_wait = shed.wait.map_or(f64::INFINITY, |wait| wait.as_secs_f64());
        let longest_queue = f64::from(workload.queue).min(fits) * service / servers;
        let longest_queue = longest_queue.min(shed_wait);
        PodModel {
            demand,
            service,
            servers: servers as u32,
            rate: servers / service,
            scv: workload.serving.scv,
            sharing: (f64::from(workload.concurrency) - servers).max(0.0),
            wait_max: patience.min(longest_queue),
            refuses: longest_queue < patience,
            bounds: (timeout, longest_queue),
            idle_cores: workload.idle_cpu.cores(),
            memory: (workload.memory.0 as f64, workload.memory_per_request.0 as f64),
            memory_limit,
        }
    }

    /// The same pod when its work takes so many times as long.
    pub fn slowed(&self, times: f64) -> PodModel {
        let (timeout, longest_queue) = (self.bounds.0, self.bounds.1 * times);
        let service = self.service * times;
        let patience = (timeout - service).max(0.0);
        PodModel {
            demand: self.demand * times,
            service,
            rate: self.rate / times,
            wait_max: patience.min(longest_queue),
            refuses: longest_queue < patience,
            bounds: (timeout, longest_queue),
            ..*self
        }
    }
}

/// How far beside a level is above and below it, seconds.
const BESIDE: f64 = 2e-4;

/// How the station works since the last change.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Regime {
    /// No endpoint: everything fails.
    NoEndpoint,
    /// Below capacity, nothing piled up.
    Steady,
    /// The surplus piles up.
    Filling,
    /// What has piled up is worked off.
    Draining,
    /// Queues are full: the surplus fails.
    Full,
}

/// Rates that hold since the last change, requests a second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Arrivals.
    pub offered: f64,
    /// Completions in time.
    pub served: f64,
    /// Failures.
    pub failed: f64,
}

/// Sums over a sample interval.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    /// Requests that arrived.
    pub offered: f64,
    /// Requests served.
    pub served: f64,
    /// Requests failed.
    pub failed: f64,
    /// Integral of the requests in the pods, request-seconds.
    pub in_flight: f64,
    /// CPU seconds used by live pods, idle use included.
    pub cpu: f64,
    /// Those of them that they use without requests.
    pub idle: f64,
    /// CPU seconds that the requests served have needed: the other side of the utilisation law.
    pub needed: f64,
}

impl Tally {
    fn add(&mut self, other: &Tally) {
        self.offered += other.offered;
        self.served += other.served;
        self.failed += other.failed;
        self.in_flight += other.in_flight;
        self.cpu += other.cpu;
        self.idle += other.idle;
        self.needed += other.needed;
    }
}

/// A station.
#[derive(Clone, Debug)]
pub struct Station {
    /// What its pods can do.
    pub pod: PodModel,
    since: SimTime,
    offered: f64,
    /// Squared coefficient of variation of the times between arrivals at one pod.
    arrivals_scv: f64,
    live: u32,
    dead: u32,
    backlog: f64,
    regime: Regime,
    rates: Rates,
    /// Slices of the service time, of mean 1.
    shape: Shape,
    /// What requests meet, for a steady station.
    steady: Arc<Steady>,
    /// Waits that somebody wants to know of when they are passed, seconds.
    marks: Vec<f64>,
    /// Waits at which an answer becomes too late for somebody, seconds.
    late: Vec<f64>,
    /// Of a queue that rests at such a wait: the part of its answers for which it is above it.
    pub(super) late_part: Option<f64>,
    /// Such waits are of interest from then on.
    pub(super) late_from: SimTime,
    /// Only retries fill the queue, from when it was empty.
    pushed: bool,
    /// Sums since the last [`Station::take_interval`].
    interval: Tally,
    /// Latencies since then.
    latency: LatencyHistogram,
    /// Sums over the whole run.
    total: Tally,
    /// CPU seconds that a pod live all the time would have used, as a line through (time, value).
    per_pod: CpuLine,
    /// What no longer fits in the queues does not fail yet: its pods' speed is being looked for.
    holds: bool,
    /// What it shares with the queues of other pods, while it is looked at.
    shared: Option<Box<Shared>>,
    /// Queues of their own for its pods: then it only sums them up.
    lanes: Option<Box<lanes::Lanes>>,
}

impl Station {
    /// A station without pods and requests at the start of time.
    pub fn new(pod: PodModel) -> Station {
        Station {
            pod,
            since: SimTime::ZERO,
            offered: 0.0,
            arrivals_scv: 1.0,
            live: 0,
            dead: 0,
            backlog: 0.0,
            regime: Regime::NoEndpoint,
            rates: Rates::default(),
            steady: Arc::default(),
            shape: law::shape(pod.scv),
            marks: Vec::new(),
            late: Vec::new(),
            late_part: None,
            pushed: false,
            late_from: SimTime::ZERO,
            interval: Tally::default(),
            latency: LatencyHistogram::default(),
            total: Tally::default(),
            per_pod: CpuLine::default(),
            holds: false,
            shared: None,
            lanes: None,
        }
    }

    /// The rates since the last change.
    pub fn rates(&self) -> Rates {
        self.rates
    }

    /// Live and dead endpoints.
    pub fn endpoints(&self) -> (u32, u32) {
        (self.live, self.dead)
    }

    /// Requests a second that the live pods can serve.
    pub fn capacity(&self) -> f64 {
        if let Some(capacity) = self.lanes.as_ref().and_then(|lanes| lanes.capacity()) {
            return capacity;
        }
        f64::from(self.live) * self.pod.rate
    }

    /// Requests piled up beyond what is being worked on.
    #[cfg(test)]
    pub fn backlog(&self) -> f64 {
        self.backlog
    }

    /// Lets the station change whenever the wait of a new request passes one of these.
    pub fn mark_waits(&mut self, seconds: Vec<f64>) {
        self.marks = seconds;
        self.mark_lanes();
    }

    /// Seconds until a request that arrives now would be answered; infinite: it is refused.
    pub fn answer_time(&self) -> f64 {
        match self.regime {
            Regime::NoEndpoint | Regime::Steady => self.pod.service,
            Regime::Full if self.pod.refuses => f64::INFINITY,
            _ => self.pod.service + self.backlog / self.capacity(),
        }
    }

    /// Sums over the run up to the last change.
    #[cfg(test)]
    pub fn total(&self) -> &Tally {
        &self.total
    }

    /// Share of arrivals that do not fail, under the current rates.
    pub fn success(&self) -> f64 {
        if self.rates.offered > 0.0 { 1.0 - self.rates.failed / self.rates.offered } else { 1.0 }
    }

    /// Mean time of a served request in its pod under the current rates, seconds.
    pub fn mean_latency(&self) -> f64 {
        match self.regime {
            Regime::Steady => self.steady.mean,
            Regime::NoEndpoint => 0.0,
            _ => self.pod.service + self.backlog / self.capacity(),
        }
    }

    /// Latency of served requests under the current rates, in slices of (share, seconds).
    pub fn latency_slices(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let wait = if self.regime == Regime::Steady {
            None
        } else {
            Some(self.mean_latency() - self.pod.service)
        };
        let steady = self.steady.slices.iter().copied().filter(move |_| wait.is_none());
        let piled = self.shape.iter().filter(move |_| wait.is_some() && self.live > 0);
        steady.chain(
            piled.map(move |(share, x)| (*share, wait.unwrap_or(0.0) + x * self.pod.service)),
        )
    }

    /// Takes note of how many of the arrivals a second would come if nobody asked twice.
    ///
    /// Where only retries fill an empty queue, what tips it over is that the wait of a pod close to
    /// saturation is long already.
    pub fn note_first(&mut self, first: f64) {
        let all = f64::from(self.live + self.dead);
        let share = if all > 0.0 { f64::from(self.live) / all } else { 0.0 };
        self.pushed = match self.regime {
            Regime::Filling if self.backlog == 0.0 => first * share < self.capacity(),
            Regime::Filling | Regime::Draining => self.pushed,
            _ => false,
        };
    }

    /// Latency of served requests as callers with a timeout meet it, in slices of (share, seconds).
    pub fn answers(&self) -> Vec<(f64, f64)> {
        let moves = matches!(self.regime, Regime::Filling | Regime::Draining) && !self.is_apart();
        let mut slices: Vec<(f64, f64)> = match self.pushed && moves {
            true => self.saturated_slices(),
            false => {
                let mut all = Vec::with_capacity(self.steady.slices.len().max(self.shape.len()));
                all.extend(self.latency_slices());
                all
            }
        };
        if let Some(above) = self.late_part.filter(|_| moves) {
            let over: Vec<(f64, f64)> =
                slices.iter().map(|(share, t)| (share * above, t + BESIDE)).collect();
            for (share, t) in &mut slices {
                (*share, *t) = (*share * (1.0 - above), *t - BESIDE);
            }
            slices.extend(over);
        }
        slices
    }

    /// Latency of a pod that is all but saturated, no shorter than by what has piled up.
    fn saturated_slices(&self) -> Vec<(f64, f64)> {
        let piled = self.backlog / self.capacity();
        let response = self.response(self.capacity() * (1.0 - 1e-9));
        let waits = response.waits / (1.0 - response.lost);
        let mut all = Vec::with_capacity(72);
        for (share, x) in self.shape {
            all.push((share * (1.0 - waits), x * self.pod.service + piled));
        }
        for (wait_share, wait) in response.wait_slices() {
            for (share, x) in self.shape {
                all.push((share * wait_share * waits, x * self.pod.service + wait.max(piled)));
            }
        }
        all
    }

    /// Seconds after which a request that fails here is known to have failed.
    pub fn fails_after(&self) -> f64 {
        let waits = !self.pod.refuses && self.live > 0;
        if waits { self.pod.wait_max + self.pod.service } else { 0.0 }
    }

    /// Wait by what has piled up, seconds.
    pub fn piled_wait(&self) -> f64 {
        if self.live > 0 { self.backlog / self.capacity() } else { 0.0 }
    }

    /// Load of a queue that grows or shrinks: arrivals for each request that can be served.
    pub fn load_of_moving_queue(&self) -> Option<f64> {
        let moves = matches!(self.regime, Regime::Filling | Regime::Draining);
        moves.then(|| self.arrivals() / self.capacity())
    }

    /// Lets the station change whenever more or fewer of its answers come within one of these
    /// timeouts, and when a wait passes one of the `steps`, seconds.
    pub fn mark_lateness(&mut self, timeouts: &[f64], steps: Vec<f64>) {
        let service = self.pod.service;
        self.late = steps.into_iter().map(|wait| wait + service).collect();
        for timeout in timeouts {
            let waits = self.shape.iter().map(|(_, x)| timeout - x * self.pod.service);
            // Marks are answer times.
            self.late.extend(waits.filter(|wait| *wait > 0.0).map(|wait| wait + self.pod.service));
        }
        self.mark_lanes();
    }

    /// Requests a second that one live pod serves.
    pub fn rate_per_pod(&self) -> f64 {
        self.rates.served / f64::from(self.live.max(1))
    }

    /// Memory of one live pod, bytes; of the one that takes most, where they differ.
    pub fn pod_memory(&self) -> f64 {
        if let Some(most) = self.lanes.as_ref().and_then(|lanes| lanes.most_memory()) {
            return most;
        }
        let pods = f64::from(self.live.max(1));
        let busy = (self.rates.served * self.pod.service / pods).min(f64::from(self.pod.servers));
        self.pod.memory.0 + self.pod.memory.1 * (busy + self.backlog / pods)
    }

    /// Sets arrivals and endpoints from `now` on. `lost` pods of the live ones died: what was
    /// queued at them fails.
    pub fn set(&mut self, now: SimTime, offered: f64, live: u32, dead: u32, lost: u32) {
        if offered == self.offered && (live, dead) == (self.live, self.dead) && lost == 0 {
            return;
        }
        self.advance(now);
        if self.live > 0 && lost > 0 {
            let failed = self.backlog * f64::from(lost.min(self.live)) / f64::from(self.live);
            self.fail(failed);
        }
        (self.offered, self.live, self.dead) = (offered, live, dead);
        if live == 0 {
            self.fail(self.backlog);
        }
        self.settle(now);
    }

    /// From now on the times between arrivals at one pod have this squared coefficient of
    /// variation.
    pub fn set_arrivals_scv(&mut self, now: SimTime, scv: f64) {
        if scv != self.arrivals_scv {
            self.advance(now);
            self.arrivals_scv = scv;
            self.settle(now);
        }
    }

    /// The coefficient of variation, squared, of the times between arrivals at one pod.
    #[cfg(test)]
    pub(super) fn arrivals_scv(&self) -> f64 {
        self.arrivals_scv
    }

    /// Queued requests that fail at once.
    fn fail(&mut self, requests: f64) {
        self.backlog -= requests;
        self.interval.failed += requests;
        self.total.failed += requests;
    }

    /// When the regime ends by itself, if it does.
    pub fn next_change(&self) -> SimTime {
        if let Some(lanes) = &self.lanes {
            return lanes.next_change();
        }
        let slope = self.slope();
        let distance = match self.regime {
            Regime::Filling => self.cap() - self.backlog,
            Regime::Draining => self.backlog,
            _ => return SimTime::NEVER,
        };
        if slope == 0.0 {
            return SimTime::NEVER;
        }
        let ahead = |marks: &[f64]| self.to_next_mark(slope, marks).unwrap_or(distance);
        let (first, late) = (ahead(&self.marks).min(distance), ahead(&self.late));
        // Past the level by a microsecond, so that it is met for certain whatever the rounding.
        let after = |distance: f64| {
            let wait = SimDuration::from_secs_f64(distance / slope.abs());
            self.since.saturating_add(wait).saturating_add(SimDuration::from_micros(1))
        };
        let first = after(first);
        if late < distance { first.min(after(late).max(self.late_from)) } else { first }
    }

    /// How far the backlog is from the next marked wait ahead of it.
    fn to_next_mark(&self, slope: f64, marks: &[f64]) -> Option<f64> {
        let ahead = |seconds: &f64| {
            let level = (seconds - self.pod.service).max(0.0) * self.capacity();
            let distance = if slope > 0.0 { level - self.backlog } else { self.backlog - level };
            (distance > 0.0).then_some(distance)
        };
        marks.iter().filter_map(ahead).reduce(f64::min)
    }

    /// Integrates up to `now` and lets a level that was met change the regime.
    pub fn look(&mut self, now: SimTime) {
        self.advance(now);
        self.settle(now);
    }

    /// Arrivals at live endpoints a second.
    fn arrivals(&self) -> f64 {
        let all = f64::from(self.live + self.dead);
        if all == 0.0 { 0.0 } else { self.offered * f64::from(self.live) / all }
    }

    /// Most requests that can pile up.
    fn cap(&self) -> f64 {
        self.capacity() * self.pod.wait_max
    }

    /// Change of the backlog a second.
    fn slope(&self) -> f64 {
        match self.regime {
            Regime::Filling | Regime::Draining => self.arrivals() - self.capacity(),
            _ => 0.0,
        }
    }

    /// Chooses the regime and its rates for the present arrivals, endpoints and backlog.
    fn settle(&mut self, now: SimTime) {
        let (arrivals, capacity, cap) = (self.arrivals(), self.capacity(), self.cap());
        if self.backlog > cap && !self.holds {
            // Fewer pods than before: what no longer fits in the queues fails.
            self.fail(self.backlog - cap);
        }
        self.regime = if self.live == 0 {
            Regime::NoEndpoint
        } else if arrivals >= capacity {
            if self.backlog < cap { Regime::Filling } else { Regime::Full }
        } else if self.backlog > 0.0 {
            Regime::Draining
        } else {
            Regime::Steady
        };
        let at_dead = self.offered - arrivals;
        let (served, failed) = match self.regime {
            Regime::NoEndpoint => (0.0, arrivals),
            Regime::Steady => {
                self.steady = self.found_steady(arrivals);
                let served = arrivals * self.steady.served;
                (served, arrivals - served)
            }
            Regime::Filling | Regime::Draining => (capacity, 0.0),
            Regime::Full => (capacity, arrivals - capacity),
        };
        self.rates = Rates { offered: self.offered, served, failed: failed + at_dead };
        self.per_pod.bend(now, self.cores_per_pod());
    }

    /// What requests meet while nothing is piled up.
    fn found_steady(&mut self, arrivals: f64) -> Arc<Steady> {
        let Some(mut shared) = self.shared.take() else {
            return Arc::new(self.find_steady(arrivals));
        };
        // Queues that share what they find have one pod each.
        debug_assert_eq!(self.live, 1);
        let key = ((arrivals, self.arrivals_scv), &self.pod);
        let steady = shared.steady(key, || self.find_steady(arrivals));
        self.shared = Some(shared);
        steady
    }

    fn find_steady(&self, arrivals: f64) -> Steady {
        let response = self.response(arrivals);
        let served = 1.0 - response.lost;
        let waits = response.waits / served;
        let at_once = 1.0 - waits;
        let mut slices = Vec::with_capacity(72);
        for (share, x) in self.shape {
            slices.push((share * at_once, x * self.pod.service));
        }
        if waits > 1e-12 {
            for (wait_share, wait) in response.wait_slices() {
                for (share, x) in self.shape {
                    slices.push((share * wait_share * waits, x * self.pod.service + wait));
                }
            }
        }
        let mean = slices.iter().map(|(share, seconds)| share * seconds).sum();
        // By closed forms (not from slices): the other side of Little's law.
        let stays = served * self.pod.service + response.mean_wait();
        Steady { slices, mean, served, stays }
    }

    fn response(&self, arrivals: f64) -> Response {
        let each = arrivals / f64::from(self.live);
        let PodModel { servers, service, wait_max, scv, sharing, .. } = self.pod;
        // What varies matters to those who wait in order behind it (Allen and Cunneen); where more
        // requests are worked on at once than there are servers, only while all places are taken
        // (B. Avi-Itzhak and S. Halfin, Expected Response Times in a Non-Symmetric Time Sharing
        // Queue with a Limited Number of Service Positions, ITC 12, 1988).
        let load = (each * service / f64::from(servers)).min(1.0);
        let behind = if scv == 1.0 { 0.0 } else { libm::pow(load, sharing) };
        if self.arrivals_scv != 1.0 {
            let scv = (self.arrivals_scv, 1.0 + behind * (scv - 1.0));
            return Response::renewal(servers, service, each, wait_max, scv);
        }
        let spread = 1.0 + behind * (scv - 1.0) / 2.0;
        Response::spread(servers, service, each, wait_max, spread)
    }

    /// Cores that a live pod uses under the current rates.
    fn cores_per_pod(&self) -> f64 {
        let busy = if self.live > 0 {
            self.rates.served * self.pod.demand / f64::from(self.live)
        } else {
            0.0
        };
        self.pod.idle_cores + busy
    }

    /// Cores that requests would keep busy if there were enough; infinite while some are piled up.
    pub fn wanted_cores(&self) -> f64 {
        match self.live {
            0 => 0.0,
            _ if self.backlog > 0.0 => f64::INFINITY,
            _ => self.arrivals() * self.pod.demand,
        }
    }

    /// Cores that all live pods use under the current rates.
    pub fn cores(&self) -> f64 {
        self.cores_per_pod() * f64::from(self.live)
    }

    /// Integrates the rates from the last change to `now`.
    fn advance(&mut self, now: SimTime) {
        let seconds = now.since(self.since).as_secs_f64();
        self.since = now;
        if seconds == 0.0 {
            return;
        }
        let before = self.backlog;
        let cap = self.cap();
        let unbounded = before + self.slope() * seconds;
        let after = unbounded.clamp(0.0, cap.max(0.0));
        self.backlog = match self.regime {
            // Within a nanosecond's worth of the level, or rounding's, it is the level.
            Regime::Filling if cap - after <= self.slope() * 2e-9 + cap * 1e-9 => cap,
            Regime::Draining if after <= -self.slope() * 2e-9 + cap * 1e-9 => 0.0,
            Regime::Filling | Regime::Draining => after,
            _ => before,
        };
        let mut part = Tally {
            offered: self.rates.offered * seconds,
            // What arrived between the full queue and this look at it failed already.
            failed: self.rates.failed * seconds + (unbounded - cap).max(0.0),
            cpu: self.cores() * seconds,
            idle: f64::from(self.live) * self.pod.idle_cores * seconds,
            ..Tally::default()
        };
        // By conservation, so that no request is lost to rounding at a level.
        part.served = part.offered - part.failed - (self.backlog - before);
        if self.regime == Regime::NoEndpoint {
            part.served = 0.0;
        }
        part.needed = part.served * self.pod.demand;
        part.in_flight = self.in_flight_area(seconds, before);
        self.record_latency(&part, before);
        self.interval.add(&part);
        self.total.add(&part);
    }

    /// Integral of the requests in the pods over a segment, from closed forms (not from slices):
    /// the other side of Little's law.
    fn in_flight_area(&self, seconds: f64, before: f64) -> f64 {
        match self.regime {
            Regime::NoEndpoint => 0.0,
            Regime::Steady => seconds * self.arrivals() * self.steady.stays,
            _ => {
                let piled = (before + self.backlog) / 2.0 * seconds;
                piled + self.capacity() * self.pod.service * seconds
            }
        }
    }

    fn record_latency(&mut self, part: &Tally, before: f64) {
        if part.served <= 0.0 {
            return;
        }
        let (capacity, service) = (self.capacity(), self.pod.service);
        let together = self.shared.as_mut().and_then(|shared| shared.together.as_mut());
        if self.regime == Regime::Steady {
            if let Some(together) = together {
                return together.add(&self.steady, part.served);
            }
            for (share, latency) in &self.steady.slices {
                self.latency.add(*latency, share * part.served);
            }
            return;
        }
        // The backlog moves in a straight line: four equal stretches, each at its middle level; one
        // if it stands still, where sums may be in another order.
        let stretches = if together.is_some() && before == self.backlog { 1 } else { 4 };
        let latency = together.map_or(&mut self.latency, |together| &mut together.latency);
        for stretch in 0..stretches {
            let part_of_way = (f64::from(stretch) + 0.5) / f64::from(stretches);
            let level = before + (self.backlog - before) * part_of_way;
            for (share, x) in self.shape {
                let weight = share * part.served / f64::from(stretches);
                latency.add(level / capacity + x * service, weight);
            }
        }
    }

    /// Hands over the sums and latencies since the last call.
    pub fn take_interval(&mut self, now: SimTime, into: &mut LatencyHistogram) -> Tally {
        if self.is_apart() {
            self.gather(now);
        } else {
            self.advance(now);
        }
        self.per_pod.bend(now, self.cores_per_pod());
        std::mem::swap(into, &mut self.latency);
        self.latency.clear();
        std::mem::take(&mut self.interval)
    }

    /// CPU seconds of a pod that has been live since the start, up to `t` (not before the oldest
    /// line kept).
    pub fn cpu_line(&self, t: SimTime) -> f64 {
        self.per_pod.at(t)
    }

    /// Since when the rates have not changed.
    pub fn steady_since(&self) -> SimTime {
        self.per_pod.last_bend()
    }

    /// Drops lines that end before `t`.
    pub fn forget_before(&mut self, t: SimTime) {
        self.per_pod.forget_before(t);
        self.forget_lanes_before(t);
    }
}
