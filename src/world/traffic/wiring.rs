//! Calls and clients with a meaning beyond their number: steps, timeouts, retries, limits.
//!
//! How much a Service is asked depends on how its requests fare, since who fails asks again; and
//! how they fare depends on how much it is asked. [`Network`] looks for rates at which both hold,
//! by going down and up the call graph until nothing changes, and starts from those that held
//! before: where there are two, it stays at the one where it is. So an overload that retries keep
//! up ends when it can't, not when its cause is gone (N. Bronson et al., Metastable Failures in
//! Distributed Systems, HotOS 2021; L. Huang et al., Metastable Failures in the Wild, OSDI 2022).
//!
//! Retries follow at once here: waits between tries count in latencies, and don't delay load.

use super::network::Network;
use super::queueing::Response;
use super::rest::Turns;
use super::station::Station;
use super::tries::{Slices, Tries, Try, longest_of, made_in_a_row, mean, mean_of_longest};
use crate::scenario::graph::model::{Call, CircuitBreaker, Connections, Patience, Step};
use crate::units::{SimDuration, SimTime};

/// Sweeps of the search for rates at most.
const MOST_SWEEPS: u32 = 400;
/// A search that does not come nearer within so many sweeps goes round in circles: given up.
const STRETCH: u32 = 20;
/// Change of a call's load, as a share of its first tries, that is none.
const TOLERANCE: f64 = 1e-9;

/// Calls of one station.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    /// Steps, one after the other.
    pub steps: Vec<Step>,
    /// Whether a request ends with the first step that fails.
    pub stops: bool,
}

/// All calls and clients of a network whose calls are more than numbers.
#[derive(Clone, Debug)]
pub(super) struct Wiring {
    stations: Vec<Wired>,
    askers: Vec<Asker>,
    /// By Service: what requests to it meet.
    outlooks: Vec<Outlook>,
    /// By station.
    turns: Vec<Turns>,
    /// By Service and by station: arrivals a second, if nobody asked twice.
    firsts: (Vec<f64>, Vec<f64>),
}

/// Calls of one station, and how they fare.
#[derive(Clone, Debug, Default)]
struct Wired {
    steps: Vec<Vec<Edge>>,
    stops: bool,
    /// Chance that all succeed, and how long they take together on average, seconds.
    comes: (f64, f64),
}

/// A call of a station to a Service.
#[derive(Clone, Debug)]
struct Edge {
    call: Call,
    fares: Fares,
    /// How warm the callers' caches are: the part of the hits of warm ones.
    warm: f64,
}

/// How a call fares at present.
#[derive(Clone, Copy, Debug, Default)]
struct Fares {
    one: Try,
    comes: Tries,
    /// Requests that reach the callee for each first try.
    load: f64,
    /// What it would have had to change by at the last sweep, and the part of it that was taken.
    change: f64,
    step: f64,
}

/// Clients outside: an entry of the traffic.
#[derive(Clone, Debug)]
struct Asker {
    patience: Patience,
    service: Option<usize>,
    /// Requests a second, before any retry.
    rate: f64,
    /// Closed users and the mean of the seconds that they think; then they find the rate.
    users: Option<(f64, f64)>,
    fares: Fares,
}

/// What requests to a Service meet.
#[derive(Clone, Debug, Default)]
struct Outlook {
    answers: Slices,
    fails_after: f64,
}

/// What a sweep changed: the load or the success of a call most, and whether one went to and fro.
#[derive(Clone, Copy, Debug, Default)]
struct Change {
    most: f64,
    turned: bool,
}

impl Change {
    fn add(&mut self, other: Change) {
        self.most = self.most.max(other.most);
        self.turned |= other.turned;
    }
}

impl Fares {
    fn new() -> Fares {
        Fares { load: 1.0, step: 1.0, ..Fares::default() }
    }

    /// Latencies of calls that succeed, in slices that sum to 1.
    fn answers(&self, outlook: &Outlook, timeout: Option<f64>, takes: f64) -> Slices {
        let timeout = timeout.unwrap_or(f64::INFINITY);
        let shift = takes - self.one.takes;
        let all = outlook.answers.iter().filter(|(share, t)| *share > 0.0 && *t <= timeout);
        let whole: f64 = all.clone().map(|(share, _)| share).sum();
        // With room for what is never asked, and never answered.
        let mut found = Vec::with_capacity(outlook.answers.len() + 2);
        found.extend(all.map(|(share, t)| (share / whole, (t + shift).max(0.0))));
        found
    }

    /// Takes over how tries fare now. Load that goes to and fro goes in smaller steps.
    fn follow(&mut self, one: Try, comes: Tries, admitted: f64) -> Change {
        let change = comes.each * admitted - self.load;
        let turned = change * self.change < 0.0;
        let factor = if turned { 0.5 } else { 1.1 };
        let step = (self.step * factor).clamp(0.05, 1.0);
        let load = self.load + step * change;
        let most = change.abs().max((comes.success - self.comes.success).abs());
        *self = Fares { one, comes, load, change, step };
        Change { most, turned }
    }
}

impl Edge {
    /// Share of the requests that never reach the callee at present.
    fn hits(&self) -> f64 {
        self.call.cache.hit_ratio * self.warm
    }

    /// Chance that one batch of its requests succeeds.
    fn batch(&self) -> f64 {
        let hit = self.hits();
        libm::pow(hit + (1.0 - hit) * self.fares.comes.success, f64::from(self.call.fan_out))
    }

    /// Chance that it does not fail the request that it is made for.
    fn success(&self) -> f64 {
        if self.call.optional {
            return 1.0;
        }
        1.0 - self.call.probability * (1.0 - libm::pow(self.batch(), self.call.times))
    }

    /// First tries for each request whose step this is.
    fn first_tries(&self, stops: bool) -> f64 {
        let Call { times, fan_out, probability, optional, .. } = &self.call;
        let goes_on = !stops || *optional;
        let made = if goes_on { *times } else { made_in_a_row(*times, self.batch()) };
        probability * made * f64::from(*fan_out) * (1.0 - self.hits())
    }

    fn timeout(&self) -> Option<f64> {
        self.call.timeout.map(|timeout| timeout.as_secs_f64())
    }

    /// What it takes of a request's time, in slices that sum to 1.
    fn takes(&self, outlook: &Outlook) -> Slices {
        let Call { times, fan_out, optional, .. } = &self.call;
        // Less than one call on average is one that is made less often.
        let (probability, times) = (self.call.probability * times.min(1.0), times.max(1.0));
        let comes = &self.fares.comes;
        let takes = if *optional { comes.lasts } else { comes.takes };
        let mut slices = self.fares.answers(outlook, self.timeout(), takes);
        if slices.is_empty() {
            slices.push((1.0, takes));
        }
        slices.iter_mut().for_each(|(share, _)| *share *= 1.0 - self.hits());
        slices.push((self.hits(), 0.0));
        let mut slices = longest_of(slices, f64::from(*fan_out));
        // The others of a row take their mean.
        let rest = (times - 1.0) * mean(&slices);
        for (share, seconds) in &mut slices {
            *share *= probability;
            *seconds = (*seconds + rest).max(0.0);
        }
        slices.push((1.0 - probability, 0.0));
        slices
    }
}

impl Wired {
    /// Takes over how calls of this station fare.
    fn follow(&mut self, station: &Station, outlooks: &[Outlook]) -> Change {
        let mut change = Change::default();
        let pods = f64::from(station.endpoints().0.max(1));
        let mut reached = station.rates().served;
        for step in &mut self.steps {
            let before = reached;
            if self.stops {
                reached *= step.iter().map(Edge::success).product::<f64>();
            }
            for edge in step {
                let outlook = &outlooks[edge.call.service];
                let one = Try::new(&outlook.answers, edge.timeout(), outlook.fails_after);
                let tries = before * edge.first_tries(self.stops) * edge.fares.comes.each;
                let (one, admitted) = edge.limited(one, tries / pods);
                let comes = Tries::new(one, edge.call.retries.as_ref());
                change.add(edge.fares.follow(one, comes, admitted));
            }
        }
        self.comes = self.comes(outlooks);
        change
    }

    /// Chance that all calls succeed, and how long they take together.
    fn comes(&self, outlooks: &[Outlook]) -> (f64, f64) {
        let (mut success, mut latency) = (1.0, 0.0);
        for step in &self.steps {
            success *= step.iter().map(Edge::success).product::<f64>();
            let takes = |edge: &Edge| edge.takes(&outlooks[edge.call.service]);
            latency += match &step[..] {
                [alone] => mean(&takes(alone)),
                calls => mean_of_longest(&calls.iter().map(takes).collect::<Vec<_>>()),
            };
        }
        (success, latency)
    }

    /// Requests a second to each callee of a station that serves `served` of them: in all, and
    /// first tries alone.
    fn offers(&self, served: f64) -> Vec<(usize, f64, f64)> {
        let (mut reached, mut found) = (served, Vec::new());
        for step in &self.steps {
            for edge in step {
                let first = reached * edge.first_tries(self.stops);
                found.push((edge.call.service, first * edge.fares.load, first));
            }
            if self.stops {
                reached *= step.iter().map(Edge::success).product::<f64>();
            }
        }
        found
    }

    fn edges(&mut self) -> impl Iterator<Item = &mut Edge> {
        self.steps.iter_mut().flatten()
    }
}

impl Wiring {
    fn new(calls: Vec<Calls>, patience: Vec<Patience>, services: usize) -> Wiring {
        let edge = |call: &Call| Edge { call: call.clone(), fares: Fares::new(), warm: 1.0 };
        let station = |calls: &Calls| Wired {
            steps: calls.steps.iter().map(|step| step.calls.iter().map(edge).collect()).collect(),
            stops: calls.stops,
            comes: (1.0, 0.0),
        };
        let asker = |patience| Asker {
            patience,
            service: None,
            rate: 0.0,
            users: None,
            fares: Fares::new(),
        };
        Wiring {
            firsts: (vec![0.0; services], vec![0.0; calls.len()]),
            stations: calls.iter().map(station).collect(),
            turns: vec![Turns::default(); calls.len()],
            askers: patience.into_iter().map(asker).collect(),
            outlooks: vec![Outlook::default(); services],
        }
    }

    /// Chance that all calls of a station's request succeed, and how long they take together.
    pub(super) fn comes(&self, station: usize) -> (f64, f64) {
        self.stations[station].comes
    }

    pub(super) fn turns(&mut self, station: usize) -> &mut Turns {
        &mut self.turns[station]
    }

    /// Clients who are closed users of a Service that is there, how many, and how long they think.
    pub(super) fn closed(&self) -> Vec<(usize, f64, f64)> {
        let all = self.askers.iter().enumerate().filter(|(_, asker)| asker.service.is_some());
        all.filter_map(|(i, asker)| asker.users.map(|(users, think)| (i, users, think))).collect()
    }

    /// Requests a second of clients, before any retry.
    pub(super) fn rate(&self, asker: usize) -> f64 {
        self.askers[asker].rate
    }

    /// Likewise, with the retries that were made of late.
    pub(super) fn asked_by(&self, asker: usize) -> f64 {
        self.askers[asker].rate * self.askers[asker].fares.load
    }

    pub(super) fn set_rate(&mut self, asker: usize, rate: f64) {
        self.askers[asker].rate = rate;
    }

    /// Mean time of a request of clients, however it ends, seconds.
    pub(super) fn lasts(&self, asker: usize) -> f64 {
        self.askers[asker].fares.comes.lasts
    }
}

impl Network {
    /// From now on calls and clients are these: `calls` of each station, `patience` of the clients
    /// of each entry of the traffic.
    pub fn wire(&mut self, calls: Vec<Calls>, patience: Vec<Patience>) {
        self.wiring = Some(Box::new(Wiring::new(calls, patience, self.fronts.len())));
    }

    /// Whether calls and clients have a meaning beyond their number.
    pub fn is_wired(&self) -> bool {
        self.wiring.is_some()
    }

    /// Requests a second of an entry of the traffic, before retries, and the Service they go to.
    pub fn set_asker(&mut self, now: SimTime, entry: usize, service: Option<usize>, rate: f64) {
        self.advance_entries(now);
        if let Some(wiring) = &mut self.wiring {
            (wiring.askers[entry].service, wiring.askers[entry].rate) = (service, rate);
        }
    }

    /// So many closed users of an entry of the traffic, and the Service that they ask.
    pub fn set_users(
        &mut self,
        now: SimTime,
        entry: usize,
        service: Option<usize>,
        (users, think): (f64, f64),
    ) {
        self.advance_entries(now);
        if let Some(wiring) = &mut self.wiring {
            let asker = &mut wiring.askers[entry];
            (asker.service, asker.users) = (service, Some((users, think)));
        }
    }

    /// Looks for the rates of all calls and clients.
    pub(super) fn follow_wired(&mut self, now: SimTime) {
        if self.wiring.as_ref().is_some_and(|wiring| wiring.has_users()) {
            self.settle_users(now);
        } else {
            self.follow_rates(now);
        }
    }

    /// Looks for rates at which all hold together, from those that held before.
    pub(super) fn follow_rates(&mut self, now: SimTime) {
        let (mut before, mut stretches) = (f64::INFINITY, 1);
        for sweep in 0..MOST_SWEEPS {
            self.begin_sweep();
            self.run_down(now);
            self.note_firsts();
            let Change { most: change, turned } = self.look_up();
            if change <= TOLERANCE {
                break;
            }
            if turned && sweep >= STRETCH * stretches {
                if change > 0.8 * before {
                    break;
                }
                (before, stretches) = (change, stretches + 1);
            }
        }
    }

    /// What is asked from outside, with the retries that were made of late.
    fn begin_sweep(&mut self) {
        let Some(wiring) = &mut self.wiring else { return };
        for (service, front) in self.fronts.iter_mut().enumerate() {
            // Nobody tells again who asks where requests are followed one by one.
            if self.singly.as_ref().is_none_or(|singly| !singly.has_front(service)) {
                front.external = 0.0;
            }
            front.offered = 0.0;
        }
        wiring.firsts.0.fill(0.0);
        wiring.firsts.1.fill(0.0);
        for asker in &wiring.askers {
            if let Some(service) = asker.service {
                self.fronts[service].external += asker.rate;
                self.fronts[service].offered += asker.rate * asker.fares.load;
                // Closed users fill a queue by fluctuation alone, as retries do.
                let first = if asker.users.is_some() { 0.0 } else { asker.rate };
                wiring.firsts.0[service] += first;
            }
        }
    }

    /// A station calls others.
    pub(super) fn make_calls(&mut self, station: usize, served: f64) {
        let warmth = self.warmth_of_caches(station);
        let Some(wiring) = &mut self.wiring else { return };
        if let Some(warmth) = warmth {
            let edges = wiring.stations[station].edges();
            let cold = edges.filter(|edge| edge.call.cache.warm_up > SimDuration::ZERO);
            cold.for_each(|edge| edge.warm = warmth(edge.call.cache.warm_up));
        }
        for (service, all, first) in wiring.stations[station].offers(served) {
            self.fronts[service].offered += all;
            wiring.firsts.0[service] += first;
            if let Some(near) = &mut self.near {
                near.note_call(station, service, all);
            }
        }
    }

    /// Shares the first tries among stations as all requests are.
    fn note_firsts(&mut self) {
        let Some(wiring) = &mut self.wiring else { return };
        let (services, stations) = (&wiring.firsts.0, &mut wiring.firsts.1);
        for (front, first) in self.fronts.iter().zip(services) {
            let all = front.whole();
            for (station, part) in front.split() {
                stations[station] += first * part / all;
            }
        }
        for (station, first) in self.stations.iter_mut().zip(&*stations) {
            station.note_first(*first);
        }
    }

    /// Calls and clients take over what their requests meet, callees first; how much changed by
    /// that.
    fn look_up(&mut self) -> Change {
        let mut change = Change::default();
        let Some(mut wiring) = self.wiring.take() else { return change };
        let mut seen = vec![false; self.stations.len()];
        for index in (0..self.order.len()).rev() {
            let service = self.order[index];
            for station in self.behind(service) {
                if !std::mem::replace(&mut seen[station], true) {
                    let Wiring { stations, outlooks, .. } = &mut *wiring;
                    change.add(stations[station].follow(&self.stations[station], outlooks));
                }
            }
            let outlook = self.outlook(service, &wiring);
            let success: f64 = outlook.answers.iter().map(|(share, _)| share).sum();
            let area: f64 = outlook.answers.iter().map(|(share, t)| share * t).sum();
            self.fronts[service].success = success;
            self.fronts[service].latency = if success > 0.0 { area / success } else { 0.0 };
            wiring.outlooks[service] = outlook;
        }
        let Wiring { askers, outlooks, .. } = &mut *wiring;
        for asker in askers {
            let Some(service) = asker.service else { continue };
            let outlook = &outlooks[service];
            let timeout = asker.patience.timeout.map(|timeout| timeout.as_secs_f64());
            let one = Try::new(&outlook.answers, timeout, outlook.fails_after);
            let comes = Tries::new(one, asker.patience.retries.as_ref());
            change.add(asker.fares.follow(one, comes, 1.0));
        }
        self.wiring = Some(wiring);
        change
    }

    fn outlook(&self, service: usize, wiring: &Wiring) -> Outlook {
        let (mut answers, mut failed, mut waited) = (Vec::new(), 0.0, 0.0);
        let mut add = |station: usize, queue: &Station, weight: f64| {
            let (callees, wait) = wiring.stations[station].comes;
            let (own, slices) = (queue.success(), queue.answers());
            answers.extend(slices.iter().map(|(s, t)| (s * weight * own * callees, t + wait)));
            let (refused, beyond) = (weight * (1.0 - own), weight * own * (1.0 - callees));
            failed += refused + beyond;
            waited += refused * queue.fails_after() + beyond * (queue.mean_latency() + wait);
        };
        let front = &self.fronts[service];
        if self.is_uneven(service) {
            for (pod, station, share) in &front.parts {
                add(*station, self.stations[*station].lane(*pod), *share);
            }
        } else if front.per_station.is_empty() {
            front.primary.iter().for_each(|s| add(*s, &self.stations[*s], 1.0));
        } else {
            let all = front.whole();
            for (station, part) in front.split() {
                add(station, &self.stations[station], part / all);
            }
        }
        let fails_after = if failed > 0.0 { waited / failed } else { 0.0 };
        Outlook { answers, fails_after }
    }

    /// Integrates requests from outside to a Service over `seconds`.
    pub(super) fn advance_askers(&mut self, service: usize, seconds: f64) {
        let Some(wiring) = &self.wiring else { return };
        for asker in wiring.askers.iter().filter(|asker| asker.service == Some(service)) {
            let arrived = asker.rate * seconds;
            let comes = &asker.fares.comes;
            let served = arrived * comes.success;
            self.entries.offered += arrived;
            self.entries.served += served;
            self.entries.failed += arrived - served;
            let timeout = asker.patience.timeout.map(|timeout| timeout.as_secs_f64());
            let outlook = &wiring.outlooks[service];
            for (share, seconds) in asker.fares.answers(outlook, timeout, comes.takes) {
                self.entries.latency.add(seconds, served * share);
            }
        }
    }

    /// Stations change when an answer of theirs becomes too late for somebody, or no longer is.
    pub(super) fn mark_lateness(&mut self) {
        let Some(wiring) = &mut self.wiring else { return };
        let mut timeouts: Vec<(usize, f64)> = Vec::new();
        for wired in &mut wiring.stations {
            timeouts.extend(
                wired.edges().filter_map(|edge| Some((edge.call.service, edge.timeout()?))),
            );
        }
        for asker in &wiring.askers {
            let timeout = asker.patience.timeout.map(|timeout| timeout.as_secs_f64());
            timeouts.extend(asker.service.zip(timeout));
        }
        let mut marks: Vec<Vec<f64>> = vec![Vec::new(); self.stations.len()];
        for (service, timeout) in timeouts {
            let front = &self.fronts[service];
            let behind = front.per_station.iter().map(|(station, _)| *station);
            let alone = front.primary.filter(|_| front.per_station.is_empty());
            for station in behind.chain(alone) {
                marks[station].push(timeout - wiring.stations[station].comes.1);
            }
        }
        let has_users = wiring.has_users();
        for (station, timeouts) in marks.into_iter().enumerate() {
            let steps = if has_users { self.marks_of_users(station) } else { Vec::new() };
            self.stations[station].mark_lateness(&timeouts, steps);
        }
    }
}

impl Edge {
    /// What is left of the tries by limits of the calling pod, at so many a second of each.
    fn limited(&self, one: Try, tries: f64) -> (Try, f64) {
        let (mut one, mut admitted) = (one, 1.0);
        if let Some(connections) = &self.call.connections {
            let share = through_connections(connections, one, tries);
            (one, admitted) = (one.admitted(share), admitted * share);
        }
        if let Some(breaker) = &self.call.circuit_breaker {
            let share = through_breaker(breaker, 1.0 - one.success, tries);
            (one, admitted) = (one.admitted(share), admitted * share);
        }
        (one, admitted)
    }
}

/// Share of the requests that find a connection, or a place to wait for one: M/M/c with a limited
/// queue, whose servers are the connections and whose service times are the callee's latencies.
/// Beyond its capacity it is what fits.
fn through_connections(limits: &Connections, one: Try, tries: f64) -> f64 {
    let held = one.success * one.takes + (1.0 - one.success) * one.fails_after;
    if held <= 0.0 || tries <= 0.0 {
        return 1.0;
    }
    let capacity = f64::from(limits.max) / held;
    let patience = f64::from(limits.pending) / capacity;
    let below = Response::steady(limits.max, held, tries.min(capacity), patience);
    (1.0 - below.lost).min(capacity / tries)
}

/// Share of the tries that a breaker lets through, each of which fails with the same chance, at so
/// many a second: breakers of many pods, out of step with each other.
///
/// By renewal: closed, a breaker sees (p^-n - 1) / (1 - p) tries until n failures in a row open it;
/// open, it lets one through after each `open`, until one succeeds: 1 / (1 - p) of them.
fn through_breaker(breaker: &CircuitBreaker, failure: f64, tries: f64) -> f64 {
    let in_a_row = libm::pow(failure, f64::from(breaker.failures));
    let missed = (tries * breaker.open.as_secs_f64() - 1.0).max(0.0);
    1.0 / (1.0 + in_a_row * missed)
}
