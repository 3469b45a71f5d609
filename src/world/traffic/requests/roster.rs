//! Pods come, answer, and go; Services route to them; what they did is read off.

use super::account::{EntryCount, StationCount};
use super::engine::{Engine, PodIx};
use super::inflight::Stage;
use super::pod::Pod;
use crate::record::latency::LatencyHistogram;
use crate::units::SimTime;

impl Engine {
    /// A pod of a station has been created; it is neither routed to nor alive.
    pub fn add_pod(&mut self, station: u32) -> PodIx {
        let plan = &self.stations[station as usize].plan;
        let pod = Pod::new(station, plan.cores, plan.concurrency);
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
        *p = Pod::new(p.station, station.plan.cores, station.plan.concurrency);
        self.unused.push(pod);
    }

    /// Waits that somebody wants to know of when a pod of a station passes them, seconds.
    pub fn mark_waits(&mut self, station: usize, seconds: Vec<f64>) {
        self.stations[station].marks = seconds;
    }

    /// Requests in a pod.
    pub fn load(&self, pod: PodIx) -> u32 {
        self.pods[pod as usize].load()
    }

    /// Requests that a pod has served.
    pub fn served_by(&self, pod: PodIx) -> u64 {
        self.pods[pod as usize].served
    }

    /// CPU seconds that a pod has used for requests.
    pub fn cpu_of(&mut self, pod: PodIx) -> f64 {
        let now = self.now;
        self.pods[pod as usize].cpu.used(now)
    }

    /// Hands over what a station did since the last time.
    pub fn take_station(&mut self, station: usize, latency: &mut LatencyHistogram) -> StationCount {
        let now = self.now;
        let theirs = self.pods.iter_mut().filter(|pod| pod.station as usize == station);
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

    /// Hands over what an entry did since the last time.
    pub fn take_entry(&mut self, entry: usize) -> EntryCount {
        std::mem::take(&mut self.entries[entry].count)
    }

    /// Recounts everything and holds two ways of counting against each other: Little's law and the
    /// utilisation law, on the path so far. Gives the first thing that does not hold.
    pub fn broken_law(&mut self) -> Option<String> {
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
        for (number, (station, present)) in self.stations.iter_mut().zip(present).enumerate() {
            if !station.presence.is_true(now, present) {
                let (kept, found) = (station.presence.count(), present.1);
                return Some(format!(
                    "Little's law, station {number}: {kept} requests are kept and {found} found"
                ));
            }
        }
        for (number, (pod, (in_work, alone))) in self.pods.iter_mut().zip(working).enumerate() {
            if in_work != pod.in_work || !pod.cpu.is_true(now, alone) {
                return Some(format!("the utilisation law, pod {number} of the engine"));
            }
        }
        None
    }
}
