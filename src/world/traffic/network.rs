//! Who calls whom, and which pods stand behind each Service right now.
//!
//! The network turns rates of entry Services into rates of stations along the call graph, and keeps
//! for every pod whether it is routed to and alive. It is told so by kube-proxies and kubelets; it
//! does not know them.

#[cfg(test)]
mod tests;

use super::arriving::Arriving;
use super::clients::Clients;
use super::near::Near;
use super::sharing::Sharing;
use super::singly::Singly;
use super::station::{PodModel, Station};
use super::uneven::Balanced;
use super::warmth::Warmth;
use super::wiring::Wiring;
use crate::api::PodId;
use crate::record::latency::LatencyHistogram;
use crate::units::{MilliCpu, SimTime};
use slotmap::SecondaryMap;
use std::collections::BTreeMap;

/// A Service as the network sees it.
#[derive(Clone, Debug)]
pub(super) struct Front {
    /// Pods that kube-proxies route to, sorted.
    pub(super) routed: Vec<PodId>,
    /// How many of them belong to each station; in the stations' order.
    pub(super) per_station: Vec<(usize, u32)>,
    /// Weights of the stations behind it, where it has some: they share by them, whatever the
    /// number of their pods.
    pub(super) weights: Option<Vec<(usize, f64)>>,
    /// The station that takes the blame when nothing is routed.
    pub(super) primary: Option<usize>,
    /// Requests a second from outside.
    pub(super) external: f64,
    /// Of them, the squared coefficients of variation of the times between, less 1, each times its
    /// rate; 0: they come by chance.
    pub(super) surplus: f64,
    /// Its pods take turns.
    pub(super) by_turns: bool,
    /// Requests a second in all.
    pub(super) offered: f64,
    /// Share of its requests that do not fail, its callees' included.
    pub(super) success: f64,
    /// Mean latency, its callees' included, seconds.
    pub(super) latency: f64,
    /// Clients that stick to its pods.
    pub(super) clients: Option<Box<Clients>>,
    /// A load balancer in front of it that picks nodes itself.
    pub(super) balanced: Option<Box<Balanced>>,
    /// It stands for a dependency outside the cluster: for replicas, not for pods.
    pub(super) is_outside: bool,
    /// Pods, their stations and their shares of the requests, where these may differ.
    pub(super) parts: Vec<(PodId, usize, f64)>,
}

impl Front {
    /// One pod more of a station, or one less.
    fn count(&mut self, station: usize, comes: bool) {
        match (self.per_station.binary_search_by_key(&station, |(s, _)| *s), comes) {
            (Ok(at), true) => self.per_station[at].1 += 1,
            (Err(at), true) => self.per_station.insert(at, (station, 1)),
            (Ok(at), false) => {
                self.per_station[at].1 -= 1;
                self.per_station.retain(|(_, n)| *n > 0);
            }
            (Err(_), false) => {}
        }
    }
}

/// One pod in the network.
#[derive(Clone, Copy, Debug)]
pub(super) struct Endpoint {
    station: u32,
    /// How many Services route to it.
    fronts: u16,
    /// Whether its containers answer.
    alive: bool,
    /// Whether it is both, and so serves.
    live: bool,
    /// While it is live: the station's line when it became so. Else the CPU seconds that it has
    /// used in requests.
    account: f64,
}

impl Endpoint {
    fn new(station: usize) -> Endpoint {
        let station = station as u32;
        Endpoint { station, fronts: 0, alive: false, live: false, account: 0.0 }
    }

    pub(super) fn station(&self) -> usize {
        self.station as usize
    }
}

/// Sums of entry requests over a sample interval.
#[derive(Clone, Debug, Default)]
pub struct EntryTally {
    /// Requests that arrived from outside.
    pub offered: f64,
    /// Requests answered in time, callees included.
    pub served: f64,
    /// Requests failed.
    pub failed: f64,
    /// Latency of the served ones.
    pub latency: LatencyHistogram,
}

/// The whole network of one run.
#[derive(Debug)]
pub struct Network {
    /// One per Deployment of the scenario, same order.
    pub stations: Vec<Station>,
    pub(super) fronts: Vec<Front>,
    /// Calls of each station to Services, per request served.
    calls: Vec<Vec<(usize, f64)>>,
    /// Services, callers before callees.
    pub(super) order: Vec<usize>,
    pub(super) endpoints: SecondaryMap<PodId, Endpoint>,
    /// CPU seconds that live pods had used in requests before they last became so: there are few
    /// that are so for the second time.
    used_before: BTreeMap<PodId, f64>,
    /// Pods that are gone for good while somebody still routes to them: their stations, and how
    /// many Services do. A new pod may have taken their place among the endpoints.
    pub(super) ghosts: BTreeMap<PodId, (usize, u16)>,
    pub(super) live: Vec<u32>,
    dead: Vec<u32>,
    /// Live pods that died since the last settling, per station.
    pub(super) lost: Vec<u32>,
    pub(super) entries: EntryTally,
    entries_since: SimTime,
    /// Requests a second from outside that reach no Service.
    unrouted: f64,
    /// Calls and clients with a meaning beyond their number.
    pub(super) wiring: Option<Box<Wiring>>,
    /// Pods that are cold at first.
    pub(super) warmth: Option<Box<Warmth>>,
    /// Who is where, if some Services heed it.
    pub(super) near: Option<Box<Near>>,
    /// Pods that share the cores of their nodes.
    pub(super) sharing: Option<Box<Sharing>>,
    /// Requests one by one, where that is the level: there stations only count pods.
    pub(super) singly: Option<Box<Singly>>,
}

impl Network {
    /// A network of `stations`; `primaries` names the station behind each Service, `calls` the
    /// Services that each station calls.
    pub fn new(
        stations: Vec<PodModel>,
        primaries: Vec<Option<usize>>,
        calls: Vec<Vec<(usize, f64)>>,
    ) -> Network {
        let n = stations.len();
        let front = |primary: &Option<usize>| Front {
            routed: Vec::new(),
            per_station: Vec::new(),
            weights: None,
            primary: *primary,
            external: 0.0,
            surplus: 0.0,
            by_turns: false,
            offered: 0.0,
            success: 1.0,
            latency: 0.0,
            clients: None,
            balanced: None,
            is_outside: false,
            parts: Vec::new(),
        };
        Network {
            order: callers_first(&primaries, &calls),
            stations: stations.into_iter().map(Station::new).collect(),
            fronts: primaries.iter().map(front).collect(),
            calls,
            endpoints: SecondaryMap::new(),
            used_before: BTreeMap::new(),
            ghosts: BTreeMap::new(),
            live: vec![0; n],
            dead: vec![0; n],
            lost: vec![0; n],
            entries: EntryTally::default(),
            entries_since: SimTime::ZERO,
            unrouted: 0.0,
            wiring: None,
            warmth: None,
            near: None,
            sharing: None,
            singly: None,
        }
    }

    /// A pod has been created for a station; it is neither routed to nor alive.
    pub fn add_pod(&mut self, pod: PodId, station: usize) {
        self.endpoints.insert(pod, Endpoint::new(station));
        self.stations[station].add_lane(pod);
        if let Some(singly) = &mut self.singly {
            singly.add_pod(pod, station);
        }
    }

    /// A pod's containers begin or cease to answer. Rates follow with the next settling.
    pub fn set_alive(&mut self, now: SimTime, pod: PodId, alive: bool) {
        if let Some(warmth) = &mut self.warmth
            && let Some(endpoint) = self.endpoints.get(pod).filter(|e| e.alive != alive)
        {
            warmth.see(now, (endpoint.station(), pod), alive);
        }
        self.change(now, pod, |endpoint| endpoint.alive = alive);
        if let Some(singly) = &mut self.singly {
            singly.set_alive(now, pod, alive);
        }
    }

    /// Whether a pod's containers answer.
    pub fn is_alive(&self, pod: PodId) -> bool {
        self.endpoints.get(pod).is_some_and(|endpoint| endpoint.alive)
    }

    /// Seconds until a request that reaches a pod now would be answered; infinite: it is refused. A
    /// pod that nobody routes to is idle.
    pub fn answer_time(&self, pod: PodId) -> f64 {
        match self.endpoints.get(pod) {
            Some(endpoint) if endpoint.live => match self.singly_at(endpoint.station()) {
                Some(singly) => singly.answer_time(pod),
                None => self.queue_of(pod, endpoint).answer_time(),
            },
            _ => 0.0,
        }
    }

    /// Whether a pod serves: its containers answer, and it is routed to.
    pub fn is_live(&self, pod: PodId) -> bool {
        self.endpoints.get(pod).is_some_and(|endpoint| endpoint.live)
    }

    /// Forgets a pod that is gone; requests that are still routed to it fail.
    pub fn remove_pod(&mut self, now: SimTime, pod: PodId) {
        self.set_alive(now, pod, false);
        self.leave_node(pod);
        if let Some(singly) = &mut self.singly {
            singly.remove_pod(now, pod);
        }
        let Some(endpoint) = self.endpoints.remove(pod) else { return };
        if endpoint.fronts > 0 {
            self.ghosts.insert(pod, (endpoint.station(), endpoint.fronts));
        } else {
            self.lane_is_over(now, pod, endpoint.station());
        }
    }

    /// kube-proxies now route a Service to a pod, or no longer do. A pod that is gone already is
    /// not routed to.
    pub fn route(&mut self, now: SimTime, service: usize, pod: PodId, routed: bool) {
        let station = match self.endpoints.get(pod) {
            Some(endpoint) => endpoint.station(),
            None if routed => return,
            None => match self.ghosts.get(&pod) {
                Some((station, _)) => *station,
                None => return,
            },
        };
        let front = &mut self.fronts[service];
        match (front.routed.binary_search(&pod), routed) {
            (Err(at), true) => front.routed.insert(at, pod),
            (Ok(at), false) => _ = front.routed.remove(at),
            _ => return,
        }
        front.count(station, routed);
        if let Some(singly) = &mut self.singly {
            singly.route(service, pod, routed);
        }
        if let Some(clients) = &mut front.clients {
            clients.is_stale = true;
        }
        if self.endpoints.contains_key(pod) {
            self.change(now, pod, |endpoint| {
                endpoint.fronts = if routed { endpoint.fronts + 1 } else { endpoint.fronts - 1 };
            });
        } else {
            self.unroute_ghost(now, pod, station);
        }
    }

    /// One Service less routes to a pod that is gone.
    fn unroute_ghost(&mut self, now: SimTime, pod: PodId, station: usize) {
        let Some((_, fronts)) = self.ghosts.get_mut(&pod) else { return };
        *fronts -= 1;
        if *fronts == 0 {
            self.ghosts.remove(&pod);
            self.dead[station] -= 1;
            self.lane_is_over(now, pod, station);
        }
    }

    /// A pod is gone, and nobody routes to it any more.
    fn lane_is_over(&mut self, now: SimTime, pod: PodId, station: usize) {
        self.stations[station].remove_lane(now, pod);
        if let Some(near) = &mut self.near {
            near.forget_place(pod);
        }
    }

    /// A Service is gone: nothing is routed by it any more.
    pub fn forget_routes(&mut self, now: SimTime, service: usize) {
        for pod in self.fronts[service].routed.clone() {
            self.route(now, service, pod, false);
        }
    }

    /// Recounts what is routed to: the first station whose running counts are not the same, with
    /// both. For checks.
    pub fn miscounted(&self) -> Option<String> {
        let mut counts = vec![(0, 0); self.stations.len()];
        let mut count = |station: usize, alive: bool| {
            let (live, dead) = &mut counts[station];
            *(if alive { live } else { dead }) += 1;
        };
        for front in self.fronts.iter().filter(|front| front.is_outside) {
            front
                .per_station
                .iter()
                .for_each(|(station, n)| (0..*n).for_each(|_| count(*station, true)));
        }
        let mut others = Vec::new();
        for pod in self.fronts.iter().flat_map(|front| &front.routed) {
            match self.endpoints.get(*pod) {
                // Should it be routed to by several all the same, it counts too often and is found.
                Some(endpoint) if endpoint.fronts == 1 => count(endpoint.station(), endpoint.alive),
                _ => others.push(*pod),
            }
        }
        others.sort_unstable();
        others.dedup();
        for pod in others {
            let known = self.endpoints.get(pod).map(|e| (e.station(), e.alive));
            let gone = || self.ghosts.get(&pod).map(|(station, _)| (*station, false));
            if let Some((station, alive)) = known.or_else(gone) {
                count(station, alive);
            }
        }
        let kept = self.live.iter().copied().zip(self.dead.iter().copied());
        let mut pairs = kept.zip(counts).enumerate();
        let Some((station, (kept, found))) = pairs.find(|(_, (kept, found))| kept != found) else {
            let broken = self.singly.as_ref().and_then(|singly| singly.engine.broken_law());
            return broken.or_else(|| self.misplaced());
        };
        Some(format!("station {station} keeps {kept:?} live and dead endpoints and has {found:?}"))
    }

    /// Applies `f` to an endpoint and keeps the counts and the pod's CPU account true.
    fn change(&mut self, now: SimTime, pod: PodId, f: impl FnOnce(&mut Endpoint)) {
        let Some(endpoint) = self.endpoints.get_mut(pod) else { return };
        let class = |e: &Endpoint| (e.fronts > 0, e.fronts > 0 && e.alive);
        let before = class(endpoint);
        f(endpoint);
        let after = class(endpoint);
        let station = endpoint.station();
        if before == after {
            return;
        }
        match (before.1, after.1) {
            (true, false) => {
                let line = self.stations[station].lane(pod).cpu_line(now);
                let before = self.used_before.remove(&pod).unwrap_or(0.0);
                endpoint.account = before + (line - endpoint.account);
                endpoint.live = false;
                self.live[station] -= 1;
                if !endpoint.alive {
                    self.lost[station] += 1;
                    self.stations[station].lose(pod);
                }
            }
            (false, true) => {
                if endpoint.account != 0.0 {
                    self.used_before.insert(pod, endpoint.account);
                }
                endpoint.account = self.stations[station].lane(pod).cpu_line(now);
                endpoint.live = true;
                self.live[station] += 1;
            }
            _ => {}
        }
        if let Some(near) = self.near.as_mut().filter(|_| before.1 != after.1) {
            near.count_live(station, pod, after.1);
        }
        let dead = |(routed, live): (bool, bool)| routed && !live;
        match (dead(before), dead(after)) {
            (true, false) => self.dead[station] -= 1,
            (false, true) => self.dead[station] += 1,
            _ => {}
        }
    }

    /// Requests a second from outside to a Service, from now on.
    pub fn set_external(&mut self, now: SimTime, service: usize, rate: f64) {
        self.advance_entries(now);
        self.fronts[service].external = rate;
    }

    /// Requests a second from outside that reach no Service, and fail, from now on.
    pub fn set_unrouted(&mut self, now: SimTime, rate: f64) {
        self.advance_entries(now);
        self.unrouted = rate;
    }

    /// Requests a second from outside, all together.
    pub fn external(&self) -> f64 {
        self.fronts.iter().map(|front| front.external).sum::<f64>() + self.unrouted
    }

    /// Lets rates run through the call graph after any change.
    pub fn settle(&mut self, now: SimTime) {
        self.advance_entries(now);
        self.grow_warm(now);
        self.follow(now);
        if self.is_wired() {
            self.rest_queues(now);
        }
        self.share_cores(now);
        if self.is_wired() {
            self.mark_lateness();
        }
        self.note_crossing();
    }

    /// Lets rates follow, at the speeds that pods have.
    pub(super) fn follow(&mut self, now: SimTime) {
        if self.is_wired() {
            return self.follow_wired(now);
        }
        self.fronts.iter_mut().for_each(|front| front.offered = front.external);
        self.run_down(now);
        self.rate_fronts();
    }

    /// Lets what is offered to Services run down the call graph.
    pub(super) fn run_down(&mut self, now: SimTime) {
        if let Some(near) = &mut self.near {
            near.forget_calls();
        }
        let mut into = vec![Arriving::default(); self.stations.len()];
        let last = self.last_in_order();
        for index in 0..self.order.len() {
            let service = self.order[index];
            self.share_out(service, &mut into);
            // A station is settled once all Services in front of it have given their share.
            for station in self.behind(service) {
                if last[station] == Some(index) {
                    self.settle_station(now, station, into[station]);
                }
            }
        }
        for station in (0..last.len()).filter(|station| last[*station].is_none()) {
            self.settle_station(now, station, Arriving::default());
        }
    }

    /// Shares a Service's requests among the stations behind it.
    fn share_out(&mut self, service: usize, into: &mut [Arriving]) {
        if self.is_uneven(service) {
            return self.share_out_unevenly(service, into);
        }
        let front = &self.fronts[service];
        if front.per_station.is_empty() {
            if let Some(primary) = front.primary {
                into[primary].add(front.offered, 0.0);
            }
            return;
        }
        let all = front.whole();
        for (station, part) in front.split() {
            let beyond = front.beyond(front.evenly(1.0, station));
            into[station].add(front.offered * part / all, beyond);
        }
    }

    /// Stations behind a Service.
    pub(super) fn behind(&self, service: usize) -> Vec<usize> {
        let front = &self.fronts[service];
        match front.per_station.is_empty() {
            true => front.primary.into_iter().collect(),
            false => front.per_station.iter().map(|(station, _)| *station).collect(),
        }
    }

    /// By station: the place in call order of the last Service in front of it.
    fn last_in_order(&self) -> Vec<Option<usize>> {
        let mut last = vec![None; self.stations.len()];
        for (index, service) in self.order.iter().enumerate() {
            self.behind(*service).into_iter().for_each(|station| last[station] = Some(index));
        }
        last
    }

    fn settle_station(&mut self, now: SimTime, station: usize, arriving: Arriving) {
        let offered = arriving.rate;
        let lost = std::mem::take(&mut self.lost[station]);
        if self.singly_at(station).is_some() {
            let s = &mut self.stations[station];
            s.set(now, 0.0, self.live[station], self.dead[station], lost);
            // Only for what there is to be asked for on average: nothing is served by it.
            for (service, each) in &self.calls[station] {
                self.fronts[*service].offered += offered * each;
            }
            return;
        }
        let s = &mut self.stations[station];
        if s.is_apart() {
            let (endpoints, ghosts) = (&self.endpoints, &self.ghosts);
            s.settle_lanes(now, (self.live[station], self.dead[station]), |pod| {
                let known = endpoints.get(pod).map(|e| (e.alive, e.fronts > 0));
                known.unwrap_or((false, ghosts.contains_key(&pod)))
            });
        } else {
            if s.next_change() <= now {
                s.look(now);
            }
            s.set_arrivals_scv(now, arriving.scv());
            s.set(now, offered, self.live[station], self.dead[station], lost);
        }
        let served = s.rates().served;
        if self.is_wired() {
            return self.make_calls(station, served);
        }
        for (service, each) in &self.calls[station] {
            self.fronts[*service].offered += served * each;
            if let Some(near) = &mut self.near {
                near.note_call(station, *service, served * each);
            }
        }
    }

    /// Success and latency of every Service, callees first.
    fn rate_fronts(&mut self) {
        for index in (0..self.order.len()).rev() {
            let service = self.order[index];
            let (mut success, mut latency, mut weight) = (0.0, 0.0, 0.0);
            if self.is_uneven(service) {
                self.rate_unevenly(service);
                continue;
            }
            let front = &self.fronts[service];
            let alone = front.primary.map(|primary| (primary, 1.0));
            let behind = front.split().chain(alone.filter(|_| front.per_station.is_empty()));
            for (station, part) in behind {
                let (callees, wait) = self.callees(station);
                success += part * self.stations[station].success() * callees;
                latency += part * (self.stations[station].mean_latency() + wait);
                weight += part;
            }
            let front = &mut self.fronts[service];
            (front.success, front.latency) =
                if weight > 0.0 { (success / weight, latency / weight) } else { (0.0, 0.0) };
        }
    }

    /// Chance that all calls of a request at `station` succeed, and how long they take together,
    /// one after the other, on average.
    pub(super) fn callees(&self, station: usize) -> (f64, f64) {
        if let Some(wiring) = &self.wiring {
            return wiring.comes(station);
        }
        self.calls[station].iter().fold((1.0, 0.0), |(success, latency), (service, each)| {
            let front = &self.fronts[*service];
            (success * libm::pow(front.success, *each), latency + each * front.latency)
        })
    }

    /// Integrates entry requests over the rates that held until `now`.
    pub(super) fn advance_entries(&mut self, now: SimTime) {
        let seconds = now.since(self.entries_since).as_secs_f64();
        self.entries_since = now;
        if seconds == 0.0 {
            return;
        }
        self.entries.offered += self.unrouted * seconds;
        self.entries.failed += self.unrouted * seconds;
        self.count_crossing(seconds);
        for service in 0..self.fronts.len() {
            if self.fronts[service].external > 0.0 && !self.is_followed(service) {
                self.advance_entry(service, seconds);
            }
        }
    }

    fn advance_entry(&mut self, service: usize, seconds: f64) {
        if self.is_wired() {
            return self.advance_askers(service, seconds);
        }
        let front = &self.fronts[service];
        let arrived = front.external * seconds;
        let served = arrived * front.success;
        self.entries.offered += arrived;
        self.entries.served += served;
        self.entries.failed += arrived - served;
        if self.is_uneven(service) {
            return self.add_latencies(service, arrived);
        }
        let front = &self.fronts[service];
        let all = front.whole();
        for (station, part) in front.split() {
            let (_, wait) = self.callees(station);
            let part = served * part / all;
            for (share, seconds) in self.stations[station].latency_slices() {
                self.entries.latency.add(seconds + wait, part * share);
            }
        }
    }

    /// Hands over the sums of entry requests since the last call.
    pub fn take_entries(&mut self, now: SimTime) -> EntryTally {
        self.advance_entries(now);
        let mut all = std::mem::take(&mut self.entries);
        if let Some(singly) = &mut self.singly {
            for entry in 0..singly.entries() {
                let entry = singly.engine.take_entry(entry);
                all.offered += entry.offered as f64;
                all.served += entry.served as f64;
                all.failed += entry.failed as f64;
                all.latency.merge(&entry.latency);
            }
        }
        all
    }

    /// When the next station changes by itself.
    pub fn next_change(&self) -> SimTime {
        let warmer = self.warmth.as_ref().map_or(SimTime::NEVER, |warmth| warmth.next_change());
        self.stations.iter().map(Station::next_change).fold(warmer, SimTime::min)
    }

    /// CPU seconds that a pod has used in requests, up to `t` in the recent past.
    pub fn cpu_of(&self, pod: PodId, t: SimTime) -> f64 {
        let Some(endpoint) = self.endpoints.get(pod) else { return 0.0 };
        let by_requests = self.singly.as_ref().map_or(0.0, |singly| singly.cpu_of(pod, t));
        if !endpoint.live {
            return by_requests + endpoint.account;
        }
        let line = self.queue_of(pod, endpoint).cpu_line(t);
        by_requests
            + self.used_before.get(&pod).unwrap_or(&0.0)
            + (line - endpoint.account).max(0.0)
    }

    /// Whether a pod has been live in the network since `t`, so that since then it has used as much
    /// as any other such pod of its station.
    pub fn live_since(&self, pod: PodId, t: SimTime) -> bool {
        self.endpoints.get(pod).is_some_and(|endpoint| {
            // One by one, no pod has used what another has.
            let alike = endpoint.live && self.singly_at(endpoint.station()).is_none();
            alike && endpoint.account <= self.queue_of(pod, endpoint).cpu_line(t)
        })
    }

    /// Requests a second that a pod serves.
    pub fn rate_of(&self, pod: PodId) -> f64 {
        match self.endpoints.get(pod) {
            Some(endpoint) if endpoint.live => match self.singly_at(endpoint.station()) {
                Some(singly) => singly.rate_of(pod),
                None => self.queue_of(pod, endpoint).rate_per_pod(),
            },
            _ => 0.0,
        }
    }

    /// Requests a second that the stations behind entry Services can serve for them.
    pub fn entry_capacity(&self) -> f64 {
        let mut stations: Vec<usize> = Vec::new();
        for front in self.fronts.iter().filter(|front| front.external > 0.0) {
            stations.extend(front.primary);
        }
        stations.sort_unstable();
        stations.dedup();
        let own: f64 = stations.iter().map(|station| self.stations[*station].capacity()).sum();
        // A callee may be narrower than the entry: what reaches it bounds what gets through.
        let narrowest = |scale: f64, service: usize| {
            let front = &self.fronts[service];
            let behind: f64 = front.primary.map_or(0.0, |s| self.stations[s].capacity());
            if front.offered > 0.0 { scale.min(behind / front.offered) } else { scale }
        };
        let external = self.external();
        let scale = self.order.iter().copied().fold(f64::INFINITY, narrowest);
        if external > 0.0 && scale.is_finite() { own.min(scale * external) } else { own }
    }
}

/// The CPU that a pod may use: its limit, or `burst` times its request, at most `node`.
pub fn pod_cpu(limit: Option<MilliCpu>, request: MilliCpu, burst: f64, node: MilliCpu) -> MilliCpu {
    let free = MilliCpu((request.0.max(100) as f64 * burst.max(1.0)) as i64);
    limit.unwrap_or(free).min(node)
}

/// Services so that callers come before callees. The scenario has been checked for cycles.
fn callers_first(primaries: &[Option<usize>], calls: &[Vec<(usize, f64)>]) -> Vec<usize> {
    fn visit(
        service: usize,
        primaries: &[Option<usize>],
        calls: &[Vec<(usize, f64)>],
        seen: &mut [bool],
        order: &mut Vec<usize>,
    ) {
        if std::mem::replace(&mut seen[service], true) {
            return;
        }
        for (callee, _) in primaries[service].map_or(&[][..], |station| &calls[station]) {
            visit(*callee, primaries, calls, seen, order);
        }
        order.push(service);
    }
    let mut seen = vec![false; primaries.len()];
    let mut order = Vec::with_capacity(primaries.len());
    for service in 0..primaries.len() {
        visit(service, primaries, calls, &mut seen, &mut order);
    }
    order.reverse();
    order
}
