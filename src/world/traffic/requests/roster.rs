//! Pods come, answer, and go; Services route to them; what they did is read off.

use super::account::{EntryCount, Gauges, Scrape, StationCount};
use super::engine::{Engine, PHASE, PodIx, Signal, Tick};
use super::inflight::Stage;
use super::plan::Size;
use super::pod::Pod;
use crate::record::latency::LatencyHistogram;
use crate::units::{SimDuration, SimTime};

/// Scrapes of a pod's counters that are kept: metrics are read from the last two.
const KEPT_SCRAPES: usize = 6;

impl Engine {
    /// A pod of a station has been created; it is neither routed to nor alive.
    pub fn add_pod(&mut self, station: u32) -> PodIx {
        let plan = &self.stations[station as usize].plan;
        let pod = Pod::new(station, plan.size, plan);
        match self.unused.pop() {
            Some(place) => {
                self.pods[place as usize] = pod;
                place
            }
            None => {
                self.pods.push(pod);
                self.pods.len() as u32 - 1
            }
        }
    }

    /// A pod that has never answered yet may use this.
    pub fn resize(&mut self, pod: PodIx, size: Size) {
        let p = &mut self.pods[pod as usize];
        *p = Pod::new(p.station, size, &self.stations[p.station as usize].plan);
    }

    /// A pod may use this from now on; requests in it get on faster or slower. Its station says
    /// that this may happen.
    pub fn refit(&mut self, now: SimTime, pod: PodIx, size: Size) {
        self.now = now;
        let p = &mut self.pods[pod as usize];
        p.size = size;
        if let Some(at) = p.cpu.refit(now, size.cores) {
            let plan = p.cpu.plan;
            self.events.push(at, PHASE, Tick::Shared { pod, plan });
        }
        self.watch_memory(pod);
    }

    /// A pod's containers begin or cease to answer; when they cease, what is in it fails.
    pub fn set_alive(&mut self, now: SimTime, pod: PodIx, is_alive: bool) {
        self.now = now;
        let p = &mut self.pods[pod as usize];
        if std::mem::replace(&mut p.is_alive, is_alive) == is_alive {
            return;
        }
        if is_alive {
            p.alive_since = now;
        } else {
            self.drop_requests(pod);
        }
    }

    /// A Service routes to a pod from now on, or no longer. `order` is the pod's place among the
    /// others: the same whichever of them came first.
    pub fn route(&mut self, service: usize, (order, pod): (u64, PodIx), is_routed: bool) {
        let routed = &mut self.fronts[service].routed;
        match (routed.binary_search_by_key(&order, |(other, _)| *other), is_routed) {
            (Err(at), true) => {
                routed.insert(at, (order, pod));
                self.pods[pod as usize].routes += 1;
            }
            (Ok(at), false) => {
                routed.remove(at);
                self.pods[pod as usize].routes -= 1;
                self.forget(pod);
            }
            _ => {}
        }
        if let Some(near) = &mut self.near {
            near.routes_differ(service);
        }
    }

    /// A pod is gone; requests that are still routed to it fail.
    pub fn remove_pod(&mut self, now: SimTime, pod: PodIx) {
        self.set_alive(now, pod, false);
        self.pods[pod as usize].is_known = false;
        self.forget(pod);
    }

    /// Forgets a pod that nobody knows or routes to.
    fn forget(&mut self, pod: PodIx) {
        let p = &mut self.pods[pod as usize];
        if p.is_known || p.routes > 0 {
            return;
        }
        let station = &mut self.stations[p.station as usize];
        station.cpu.0 += p.cpu.used(self.now);
        *p = Pod::new(p.station, station.plan.size, &station.plan);
        if let Some(near) = &mut self.near {
            near.forget(pod);
        }
        self.unused.push(pod);
    }

    /// Waits that somebody wants to know of when a pod of a station passes them, seconds.
    pub fn mark_waits(&mut self, station: usize, seconds: &[f64]) {
        let marks = &mut self.stations[station].marks;
        if *marks != seconds {
            *marks = seconds.to_vec();
        }
    }

    /// It is `now` at least, for whoever reads counts.
    pub fn look(&mut self, now: SimTime) {
        self.now = self.now.max(now);
    }

    /// Requests in a pod.
    pub fn load(&self, pod: PodIx) -> u32 {
        self.pods[pod as usize].load()
    }

    /// Requests that a pod has served.
    pub fn served_by(&self, pod: PodIx) -> u64 {
        self.pods[pod as usize].counters.served
    }

    /// CPU seconds that a pod has used for requests.
    pub fn cpu_of(&self, pod: PodIx) -> f64 {
        self.pods[pod as usize].cpu.used(self.now)
    }

    /// Whether somebody still knows a pod or routes to it.
    pub fn is_used(&self, pod: PodIx) -> bool {
        let p = &self.pods[pod as usize];
        p.is_known || p.routes > 0
    }

    /// Requests in the pod of a station that has most.
    pub fn most_load(&self, station: usize) -> u32 {
        let theirs = self.pods.iter().filter(|pod| pod.station as usize == station);
        theirs.map(Pod::load).max().unwrap_or(0)
    }

    /// From now on the counters of all pods are read once a period, as by metrics-server; whether
    /// the world has to know of it.
    pub fn scrape_every(&mut self, period: SimDuration, is_told: bool) {
        self.scrape_period = period;
        self.tells_scrapes = is_told;
        self.events.push(self.now + period, PHASE, Tick::Scrape);
    }

    pub(super) fn on_scrape(&mut self) {
        for pod in self.pods.iter_mut().filter(|pod| pod.is_known) {
            if pod.scrapes.len() >= KEPT_SCRAPES {
                pod.scrapes.pop_front();
            }
            let (at, cpu) = (self.now, pod.cpu.used(self.now));
            pod.scrapes.push_back(Scrape { at, cpu, requests: pod.counters });
        }
        if self.tells_scrapes {
            self.signals.push(Signal::Scraped);
        }
        self.events.push(self.now + self.scrape_period, PHASE, Tick::Scrape);
    }

    /// CPU seconds that a pod had used for requests at an instant of the recent past: exact at
    /// scrapes and now, on a straight line between.
    pub fn cpu_at(&self, pod: PodIx, t: SimTime) -> f64 {
        let p = &self.pods[pod as usize];
        let now = (self.now.max(t), p.cpu.used(self.now.max(t)));
        if t >= self.now {
            return now.1;
        }
        let known = p.scrapes.iter().map(|scrape| (scrape.at, scrape.cpu));
        let (mut before, mut after) = (None, now);
        for point in known {
            if point.0 <= t {
                before = Some(point);
            } else {
                after = point;
                break;
            }
        }
        let Some((from, low)) = before else { return 0.0 };
        let part = t.since(from).as_secs_f64() / after.0.since(from).as_secs_f64().max(1e-9);
        low + (after.1 - low) * part
    }

    /// What a pod's counters show.
    pub fn gauges_of(&self, pod: PodIx) -> Gauges {
        let p = &self.pods[pod as usize];
        let now = Gauges { in_work: p.in_work, queued: p.queued, ..Gauges::default() };
        let mut latest = p.scrapes.iter().rev();
        let (Some(to), Some(from)) = (latest.next(), latest.next()) else { return now };
        let seconds = to.at.since(from.at).as_secs_f64();
        let (to, from) = (&to.requests, &from.requests);
        let a_second = |to: u64, from: u64| (to - from) as f64 / seconds;
        let served = to.served - from.served;
        Gauges {
            offered: a_second(to.offered, from.offered),
            served: a_second(to.served, from.served),
            failed: a_second(to.failed, from.failed),
            latency: (to.stayed - from.stayed) as f64 / 1e9 / served.max(1) as f64,
            ..now
        }
    }

    /// What the counters of a station's pods show together.
    pub fn gauges(&self, station: usize) -> Gauges {
        let places = (0..self.pods.len()).filter(|place| {
            let pod = &self.pods[*place];
            pod.station as usize == station && pod.is_known
        });
        places.map(|place| self.gauges_of(place as PodIx)).fold(Gauges::default(), Gauges::plus)
    }

    /// Hands over what a station did since the last time.
    pub fn take_station(&mut self, station: usize, latency: &mut LatencyHistogram) -> StationCount {
        let now = self.now;
        let theirs = self.pods.iter().filter(|pod| pod.station as usize == station);
        let used: f64 = theirs.map(|pod| pod.cpu.used(now)).sum();
        let s = &mut self.stations[station];
        let mut count = std::mem::take(&mut s.count);
        let all = s.cpu.0 + used;
        count.cpu = all - std::mem::replace(&mut s.cpu.1, all);
        count.in_flight = s.presence.take(now);
        std::mem::swap(latency, &mut s.latency);
        s.latency.clear();
        count
    }

    /// How many entries there are.
    pub fn entries(&self) -> usize {
        self.entries.len()
    }

    /// Hands over what an entry did since the last time.
    pub fn take_entry(&mut self, entry: usize) -> EntryCount {
        std::mem::take(&mut self.entries[entry].count)
    }

    /// Recounts everything and holds two ways of counting against each other: Little's law and the
    /// utilisation law, on the path so far. Gives the first thing that does not hold.
    pub fn broken_law(&self) -> Option<String> {
        let now = self.now;
        // By station: how long those that are there have been so, and how many. By pod: those in
        // work, and the CPU that those have got who share with nobody.
        let mut present = vec![(0u128, 0u64); self.stations.len()];
        let mut working = vec![(0u32, 0.0); self.pods.len()];
        for request in self.requests.iter() {
            let pod = &self.pods[request.pod as usize];
            let (time, n) = &mut present[pod.station as usize];
            *time += u128::from(now.0 - request.arrived.0);
            *n += 1;
            let (in_work, got) = &mut working[request.pod as usize];
            *in_work += u32::from(request.stage != Stage::Queued);
            if request.stage == Stage::Cpu && !pod.cpu.is_shared {
                *got += pod.cpu.got_alone(now, request.began);
            }
        }
        for (number, (station, present)) in self.stations.iter().zip(present).enumerate() {
            if !station.presence.is_true(now, present) {
                let (kept, found) = (station.presence.count(), present.1);
                return Some(format!(
                    "Little's law, station {number}: {kept} requests are kept and {found} found"
                ));
            }
        }
        for (number, (pod, (in_work, alone))) in self.pods.iter().zip(working).enumerate() {
            if in_work != pod.in_work || !pod.cpu.is_true(now, alone) {
                return Some(format!("the utilisation law, pod {number} of the engine"));
            }
        }
        None
    }
}
