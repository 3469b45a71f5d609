//! The request level in the network: pods by their ids, and the engine that runs them.
//!
//! The network keeps who routes where and who answers, whatever the level; this file tells the
//! engine of it, and reads off what the world wants to know. It does not know when it is run.

use super::hints::Place;
use super::network::Network;
use super::requests::{Engine, Gauges, Plan, PodIx, Signal, Size};
use super::station::Tally;
use crate::api::PodId;
use crate::record::latency::LatencyHistogram;
use crate::sim::rng::Streams;
use crate::units::{SimDuration, SimTime};
use slotmap::Key;
use std::collections::BTreeMap;

/// Requests of parts of the network, one by one.
#[derive(Debug)]
pub struct Singly {
    pub(super) engine: Engine,
    /// Pods that somebody knows or routes to.
    of: BTreeMap<PodId, PodIx>,
    /// The same the other way round.
    ids: Vec<PodId>,
    /// Bytes of a pod without requests, and per request in it, by station.
    memory: Vec<(f64, f64)>,
    /// Stations and Services whose requests are followed.
    stations: Vec<bool>,
    fronts: Vec<bool>,
    /// When it is to go on.
    pub planned: SimTime,
    /// When the next event of the world is due: it goes on up to there.
    pub horizon: SimTime,
}

impl Network {
    /// From now on, before there is any pod, requests of its parts go through it one by one.
    pub fn set_singly(&mut self, mut singly: Singly) {
        if let Some(zones) = self.zones_of_clients() {
            singly.engine.follow_places(zones);
        }
        self.singly = Some(Box::new(singly));
    }

    /// What follows the requests of a station one by one, if anything does.
    pub fn singly_at(&self, station: usize) -> Option<&Singly> {
        self.singly.as_deref().filter(|singly| singly.has_station(station))
    }

    /// Whether the requests of a Service are followed one by one.
    pub fn is_followed(&self, service: usize) -> bool {
        self.singly.as_ref().is_some_and(|singly| singly.has_front(service))
    }

    /// What runs them, then.
    pub fn singly(&mut self) -> Option<&mut Singly> {
        self.singly.as_deref_mut()
    }

    /// So many requests a second, or users, come by an entry of the traffic, and go to this
    /// Service; `None`: they reach none. Where rates are all there is, they have been told by
    /// Service.
    pub fn set_entry(&mut self, now: SimTime, entry: usize, to: Option<usize>, asked: f64) {
        if let Some(singly) = &mut self.singly {
            singly.set_entry(now, entry, to, asked);
        }
    }

    /// Hands over what a station did since the last call, and its latencies.
    pub fn take_interval(
        &mut self,
        now: SimTime,
        station: usize,
        latency: &mut LatencyHistogram,
    ) -> Tally {
        let tally = self.stations[station].take_interval(now, latency);
        match &mut self.singly {
            Some(singly) if singly.has_station(station) => {
                singly.add_interval(now, station, latency, tally)
            }
            _ => tally,
        }
    }

    /// Bytes that a pod takes, whatever has leaked not counted.
    pub fn memory_of(&self, pod: PodId, station: usize) -> f64 {
        match self.singly_at(station) {
            Some(singly) => singly.memory_of(pod, station),
            None => self.stations[station].lane(pod).pod_memory(),
        }
    }

    /// Bytes that the fullest pod of a station takes, whatever has leaked not counted.
    pub fn most_memory_at(&self, station: usize) -> f64 {
        match self.singly_at(station) {
            Some(singly) => singly.most_memory(station),
            None => self.stations[station].pod_memory(),
        }
    }

    /// Where requests are followed one by one, each pod tells when its wait passes one of these,
    /// seconds; else nobody does, and this is false.
    pub fn mark_waits_singly(&mut self, station: usize, seconds: &[f64]) -> bool {
        let singly = self.singly.as_mut().filter(|singly| singly.has_station(station));
        singly.map(|singly| singly.mark_waits(station, seconds)).is_some()
    }
}

impl Singly {
    /// A network of this plan; counters of pods are read once in each `scrape`.
    pub fn new(
        plan: &Plan,
        memory: Vec<(f64, f64)>,
        scrape: SimDuration,
        streams: &Streams,
    ) -> Singly {
        let mut engine = Engine::new(plan, streams);
        let takes_memory = memory.iter().any(|(_, each)| *each > 0.0);
        engine.scrape_every(SimDuration(scrape.0.max(1)), takes_memory);
        Singly {
            engine,
            of: BTreeMap::new(),
            ids: Vec::new(),
            memory,
            stations: vec![false; plan.stations.len()],
            fronts: vec![false; plan.services.len()],
            planned: SimTime::NEVER,
            horizon: SimTime::ZERO,
        }
    }

    /// Requests of these stations and Services are followed.
    pub fn follow(&mut self, stations: &[usize], fronts: &[usize]) {
        stations.iter().for_each(|station| self.stations[*station] = true);
        fronts.iter().for_each(|front| self.fronts[*front] = true);
    }

    /// Whether a station's requests are followed.
    pub(super) fn has_station(&self, station: usize) -> bool {
        self.stations.get(station).copied().unwrap_or(false)
    }

    /// Whether a Service's requests are followed.
    pub(super) fn has_front(&self, service: usize) -> bool {
        self.fronts.get(service).copied().unwrap_or(false)
    }

    pub(super) fn add_pod(&mut self, pod: PodId, station: usize) {
        if !self.has_station(station) {
            return;
        }
        let place = self.engine.add_pod(station as u32);
        self.of.insert(pod, place);
        self.ids.resize(self.ids.len().max(place as usize + 1), PodId::default());
        self.ids[place as usize] = pod;
    }

    /// A pod that has just come may use this.
    pub fn resize(&mut self, pod: PodId, size: Size) {
        if let Some(place) = self.of.get(&pod) {
            self.engine.resize(*place, size);
        }
    }

    /// A pod may use this from now on.
    pub fn refit(&mut self, now: SimTime, pod: PodId, size: Size) {
        if let Some(place) = self.of.get(&pod) {
            self.engine.refit(now, *place, size);
        }
    }

    pub(super) fn set_alive(&mut self, now: SimTime, pod: PodId, is_alive: bool) {
        if let Some(place) = self.of.get(&pod) {
            self.engine.set_alive(now, *place, is_alive);
        }
    }

    pub(super) fn route(&mut self, service: usize, pod: PodId, is_routed: bool) {
        if let Some(place) = self.of.get(&pod).copied() {
            self.engine.route(service, (pod.data().as_ffi(), place), is_routed);
            self.forget(pod, place);
        }
    }

    pub(super) fn remove_pod(&mut self, now: SimTime, pod: PodId) {
        if let Some(place) = self.of.get(&pod).copied() {
            self.engine.remove_pod(now, place);
            self.forget(pod, place);
        }
    }

    fn forget(&mut self, pod: PodId, place: PodIx) {
        if !self.engine.is_used(place) {
            self.of.remove(&pod);
        }
    }

    /// A pod is there.
    pub(super) fn set_place(&mut self, pod: PodId, place: Place) {
        if let Some(of) = self.of.get(&pod) {
            self.engine.set_place(*of, place);
        }
    }

    /// How many entries there are.
    pub(super) fn entries(&self) -> usize {
        self.engine.entries()
    }

    /// `asked`: requests a second, or users.
    pub(super) fn set_entry(&mut self, now: SimTime, entry: usize, to: Option<usize>, asked: f64) {
        let to = to.filter(|service| self.has_front(*service));
        if let Some(to) = to {
            self.engine.set_target(entry, to);
        }
        let asked = if to.is_some() { asked } else { 0.0 };
        // An entry is one or the other.
        self.engine.set_rate(now, entry, asked);
        self.engine.set_users(now, entry, asked.round() as u32);
    }

    /// CPU seconds that a pod had used for requests at an instant of the recent past.
    pub(super) fn cpu_of(&self, pod: PodId, t: SimTime) -> f64 {
        self.of.get(&pod).map_or(0.0, |place| self.engine.cpu_at(*place, t))
    }

    pub(super) fn rate_of(&self, pod: PodId) -> f64 {
        self.gauges_of(pod).served
    }

    /// What a pod's counters show.
    pub fn gauges_of(&self, pod: PodId) -> Gauges {
        self.of.get(&pod).map(|place| self.engine.gauges_of(*place)).unwrap_or_default()
    }

    /// What the counters of a station's pods show together.
    pub fn gauges(&self, station: usize) -> Gauges {
        self.engine.gauges(station)
    }

    pub(super) fn answer_time(&self, pod: PodId) -> f64 {
        self.of.get(&pod).map_or(0.0, |place| self.engine.answer_time(*place))
    }

    /// Bytes that a pod of a station takes.
    pub(super) fn memory_of(&self, pod: PodId, station: usize) -> f64 {
        let (base, each) = self.memory[station];
        base + each * self.of.get(&pod).map_or(0.0, |place| f64::from(self.engine.load(*place)))
    }

    fn most_memory(&self, station: usize) -> f64 {
        let (base, each) = self.memory[station];
        base + each * f64::from(self.engine.most_load(station))
    }

    /// Adds what a station did since the last time to what it did without requests.
    pub(super) fn add_interval(
        &mut self,
        now: SimTime,
        station: usize,
        latency: &mut LatencyHistogram,
        mut idle: Tally,
    ) -> Tally {
        self.engine.look(now);
        let count = self.engine.take_station(station, latency);
        idle.offered = count.offered as f64;
        idle.served = count.served as f64;
        idle.failed = count.failed as f64;
        idle.in_flight = count.in_flight;
        idle.cpu += count.cpu;
        idle
    }

    /// Runs up to `until`, or to the first thing that the world has to know.
    pub fn run(&mut self, until: SimTime) {
        self.engine.run(until);
    }

    /// The instant that it has come to.
    pub fn now(&self) -> SimTime {
        self.engine.now()
    }

    /// Whether there is something that the world has to know.
    pub fn has_signals(&self) -> bool {
        self.engine.has_signals()
    }

    /// When it has to be run next.
    pub fn next(&self) -> SimTime {
        self.engine.next()
    }

    /// Lets runs stop whenever the wait in a pod of a station passes one of these, seconds.
    pub(super) fn mark_waits(&mut self, station: usize, seconds: &[f64]) {
        self.engine.mark_waits(station, seconds);
    }

    /// What the world has to know, and has not been told yet.
    pub fn take_news(&mut self) -> News {
        let mut news = News::default();
        for signal in self.engine.take_signals() {
            match signal {
                Signal::Full(pod) => news.full.push(self.ids[pod as usize]),
                Signal::Wait(pod) => news.waits.push(self.ids[pod as usize]),
                Signal::Scraped => news.scraped = true,
            }
        }
        news
    }
}

/// What the world has to know at once.
#[derive(Debug, Default)]
pub struct News {
    /// Pods whose memory is full.
    pub full: Vec<PodId>,
    /// Pods whose wait has passed a mark.
    pub waits: Vec<PodId>,
    /// Counters have been read.
    pub scraped: bool,
}
