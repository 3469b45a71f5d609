//! A station whose pods are asked unequally: each has a queue of its own.
//!
//! Where clients stick to pods, one pod may be full while the next has nothing to do. Such pods are
//! stations of one pod each, and the station that they belong to only sums them up. It knows
//! neither clients nor Services.

use super::super::arriving::Arriving;
use super::super::rest::Turns;
use super::{LatencyHistogram, PodModel, Rates, Regime, Station};
use crate::api::PodId;
use crate::units::SimTime;
use std::collections::BTreeMap;

/// The queues of the pods of a station.
#[derive(Clone, Debug, Default)]
pub(super) struct Lanes {
    of: BTreeMap<PodId, Lane>,
    /// Some pod can do more or less than the others.
    differ: bool,
}

/// The queue of one pod.
#[derive(Clone, Debug)]
struct Lane {
    queue: Station,
    /// What it can do when it is warm.
    usual: PodModel,
    /// How many times as long its work takes while it is not.
    slower: f64,
    /// How its queue turned at a level, of late.
    turns: Turns,
    /// What has been offered to it since the last settling.
    offered: Arriving,
    /// Its containers died since then.
    lost: bool,
}

impl Lane {
    /// Its queue works at its present speed from now on.
    fn follow(&mut self, now: SimTime) {
        self.queue.advance(now);
        let is_warm = self.slower == 1.0;
        self.queue.pod = if is_warm { self.usual } else { self.usual.slowed(self.slower) };
        self.queue.settle(now);
    }
}

impl Lanes {
    fn queues(&self) -> impl Iterator<Item = &Station> {
        self.of.values().map(|lane| &lane.queue)
    }

    /// When the next of them changes by itself.
    pub(super) fn next_change(&self) -> SimTime {
        self.queues().map(Station::next_change).min().unwrap_or(SimTime::NEVER)
    }

    /// Requests a second that the live pods can serve, if they are not all alike.
    pub(super) fn capacity(&self) -> Option<f64> {
        let live = self.queues().filter(|queue| queue.live > 0);
        self.differ.then(|| live.map(|queue| queue.pod.rate).sum())
    }

    /// The most that a pod takes, bytes.
    pub(super) fn most_memory(&self) -> Option<f64> {
        self.queues().filter(|queue| queue.live > 0).map(Station::pod_memory).reduce(f64::max)
    }
}

impl Station {
    /// From now on each pod has a queue of its own.
    pub fn set_apart(&mut self) {
        self.lanes = Some(Box::default());
        // Requests for which there is no pod.
        self.add_lane(PodId::default());
    }

    /// Whether each pod has a queue of its own.
    pub fn is_apart(&self) -> bool {
        self.lanes.is_some()
    }

    /// A pod has come.
    pub fn add_lane(&mut self, pod: PodId) {
        let mut queue =
            Station { shape: self.shape, ..Station::new(PodModel { scv: 1.0, ..self.pod }) };
        queue.pod = self.pod;
        queue.mark_waits(self.marks.clone());
        if let Some(lanes) = &mut self.lanes {
            let (usual, turns) = (self.pod, Turns::default());
            let lane = Lane {
                queue,
                usual,
                slower: 1.0,
                turns,
                offered: Arriving::default(),
                lost: false,
            };
            lanes.of.insert(pod, lane);
        }
    }

    /// A pod that has come can do this.
    pub fn fit_lane(&mut self, pod: PodId, model: PodModel) {
        let usual = self.pod;
        if let Some(lanes) = &mut self.lanes
            && let Some(lane) = lanes.of.get_mut(&pod)
        {
            (lane.queue.pod, lane.usual) = (model, model);
            lanes.differ |= model != usual;
        }
    }

    /// From now on the work of a pod takes so many times as long as usually.
    pub fn slow_lane(&mut self, now: SimTime, pod: PodId, times: f64) {
        if let Some(lanes) = &mut self.lanes
            && let Some(lane) = lanes.of.get_mut(&pod)
        {
            lanes.differ |= times != 1.0;
            lane.slower = times;
            lane.follow(now);
        }
    }

    /// From now on a pod can do this when it is warm. What no longer fits in its queue fails with
    /// [`Station::release_lanes`]: there may be a better answer yet.
    pub fn refit_lane(&mut self, now: SimTime, pod: PodId, model: PodModel) {
        let usual = self.pod;
        if let Some(lanes) = &mut self.lanes
            && let Some(lane) = lanes.of.get_mut(&pod)
        {
            lanes.differ |= model != usual;
            (lane.usual, lane.queue.holds) = (model, true);
            lane.follow(now);
        }
    }

    /// What pods can do has been found for now.
    pub fn release_lanes(&mut self, now: SimTime) {
        let lanes = self.lanes.iter_mut().flat_map(|lanes| lanes.of.values_mut());
        for lane in lanes.filter(|lane| lane.queue.holds) {
            lane.queue.holds = false;
            lane.queue.settle(now);
        }
    }

    /// Queues that turn to and fro at a level are looked at seldom for it.
    pub fn calm_lanes(&mut self, now: SimTime) {
        if let Some(lanes) = &mut self.lanes {
            lanes.of.values_mut().for_each(|lane| lane.turns.calm(now, &mut lane.queue));
        }
    }

    /// A live pod that has met its memory limit, if pods have limits of their own.
    pub fn full_lane(&self) -> Option<PodId> {
        let is_full = |queue: &Station| {
            queue.live > 0 && queue.pod.memory_limit.is_some_and(|most| queue.pod_memory() > most)
        };
        self.lanes().find(|(_, queue)| is_full(queue)).map(|(pod, _)| pod)
    }

    /// Whether some pod can do more or less than the others.
    pub fn has_unlike_pods(&self) -> bool {
        self.lanes.as_ref().is_some_and(|lanes| lanes.differ)
    }

    /// A pod is gone, and nobody routes to it any more. What it did counts.
    pub fn remove_lane(&mut self, now: SimTime, pod: PodId) {
        let lanes = self.lanes.as_mut();
        let Some(mut lane) = lanes.and_then(|lanes| lanes.of.remove(&pod)) else { return };
        lane.queue.set(now, 0.0, 0, 0, 1);
        self.take_over(now, &mut lane.queue);
    }

    /// Adds what a queue did since the last time.
    fn take_over(&mut self, now: SimTime, queue: &mut Station) {
        let mut latency = LatencyHistogram::default();
        self.interval.add(&queue.take_interval(now, &mut latency));
        self.latency.merge(&latency);
    }

    /// Adds what all queues did since the last time.
    pub(super) fn gather(&mut self, now: SimTime) {
        let Some(mut lanes) = self.lanes.take() else { return };
        lanes.of.values_mut().for_each(|lane| self.take_over(now, &mut lane.queue));
        self.lanes = Some(lanes);
    }

    /// The queue of a pod: the station itself, if its pods are all alike.
    pub fn lane(&self, pod: PodId) -> &Station {
        let lane = self.lanes.as_ref().and_then(|lanes| lanes.of.get(&pod));
        lane.map_or(self, |lane| &lane.queue)
    }

    /// Whether a pod has a queue of its own.
    pub fn has_lane(&self, pod: PodId) -> bool {
        self.lanes.as_ref().is_some_and(|lanes| lanes.of.contains_key(&pod))
    }

    /// Pods with a queue of their own, and their queues.
    pub fn lanes(&self) -> impl Iterator<Item = (PodId, &Station)> {
        let lanes = self.lanes.iter().flat_map(|lanes| &lanes.of);
        lanes.map(|(pod, lane)| (*pod, &lane.queue))
    }

    /// So many requests a second more are for this pod, of a stream with this squared coefficient
    /// of variation less 1.
    pub fn offer(&mut self, pod: PodId, rate: f64, beyond: f64) {
        if let Some(lanes) = &mut self.lanes {
            let nobody = !lanes.of.contains_key(&pod);
            let pod = if nobody { PodId::default() } else { pod };
            if let Some(lane) = lanes.of.get_mut(&pod) {
                lane.offered.add(rate, beyond);
            }
        }
    }

    /// The containers of a pod have died.
    pub fn lose(&mut self, pod: PodId) {
        if let Some(lane) = self.lanes.as_mut().and_then(|lanes| lanes.of.get_mut(&pod)) {
            lane.lost = true;
        }
    }

    /// Waits that somebody wants to know of, of each queue.
    pub(super) fn mark_lanes(&mut self) {
        if let Some(lanes) = &mut self.lanes {
            for lane in lanes.of.values_mut() {
                lane.queue.marks.clone_from(&self.marks);
                lane.queue.late.clone_from(&self.late);
            }
        }
    }

    /// Bends that end before `t` are of no use any more.
    pub(super) fn forget_lanes_before(&mut self, t: SimTime) {
        if let Some(lanes) = &mut self.lanes {
            lanes.of.values_mut().for_each(|lane| lane.queue.forget_before(t));
        }
    }

    /// Lets each queue follow what it was offered, and sums them up. `class` tells of a pod whether
    /// its containers answer and whether it is routed to; `endpoints` how many live and dead ones
    /// there are.
    pub fn settle_lanes(
        &mut self,
        now: SimTime,
        endpoints: (u32, u32),
        class: impl Fn(PodId) -> (bool, bool),
    ) {
        let Some(mut lanes) = self.lanes.take() else { return };
        for (pod, lane) in &mut lanes.of {
            if lane.queue.next_change() <= now {
                lane.queue.look(now);
            }
            let (alive, routed) = class(*pod);
            // What waits in a pod that is taken out of the Service is still answered.
            let works = alive && (routed || lane.queue.backlog > 0.0);
            let (offered, lost) = (std::mem::take(&mut lane.offered), lane.lost);
            lane.lost = false;
            lane.queue.set_arrivals_scv(now, offered.scv());
            lane.queue.set(now, offered.rate, works.into(), (routed && !alive).into(), lost.into());
        }
        (self.live, self.dead) = endpoints;
        let (mut rates, mut waited, mut backlog) = (Rates::default(), 0.0, 0.0);
        for queue in lanes.queues() {
            rates.offered += queue.rates.offered;
            rates.served += queue.rates.served;
            rates.failed += queue.rates.failed;
            waited += queue.rates.served * queue.mean_latency();
            backlog += queue.backlog;
        }
        self.offered = rates.offered;
        (self.rates, self.backlog) = (rates, backlog);
        self.regime = if self.live > 0 { Regime::Steady } else { Regime::NoEndpoint };
        let mean = if rates.served > 0.0 { waited / rates.served } else { 0.0 };
        self.slices = vec![(1.0, mean)];
        self.lanes = Some(lanes);
        self.per_pod.bend(now, self.cores_per_pod());
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::pod;
    use super::*;

    /// Two pods of 100 requests a second each, that are offered so much.
    fn two(offered: [f64; 2]) -> (Station, [PodId; 2]) {
        let mut ids: slotmap::SlotMap<PodId, ()> = slotmap::SlotMap::with_key();
        let pods = [ids.insert(()), ids.insert(())];
        let mut station = Station::new(pod());
        station.set_apart();
        for (pod, rate) in pods.into_iter().zip(offered) {
            station.add_lane(pod);
            station.offer(pod, rate, 0.0);
        }
        station.settle_lanes(SimTime::ZERO, (2, 0), |pod| {
            let is_pod = pod != PodId::default();
            (is_pod, is_pod)
        });
        (station, pods)
    }

    fn follow(station: &mut Station, until: SimTime) {
        while station.next_change() <= until {
            let at = station.next_change();
            station.look_at_lanes(at);
        }
    }

    impl Station {
        fn look_at_lanes(&mut self, now: SimTime) {
            if let Some(lanes) = &mut self.lanes {
                lanes.of.values_mut().for_each(|lane| lane.queue.look(now));
            }
        }
    }

    #[test]
    fn a_full_pod_fails_while_the_next_has_room() {
        let (even, _) = two([90.0, 90.0]);
        assert!(even.success() > 0.999, "together they can bear 180 a second");
        let (mut station, [hot, cold]) = two([170.0, 10.0]);
        follow(&mut station, SimTime::from_secs(100));
        let mut latency = LatencyHistogram::default();
        let tally = station.take_interval(SimTime::from_secs(100), &mut latency);
        assert!((tally.offered - 18_000.0).abs() < 1e-6, "{tally:?}");
        let beyond = 70.0 * 100.0 - station.lane(hot).backlog;
        assert!((tally.failed - beyond).abs() < 1e-3, "{tally:?}, not {beyond}");
        let gap = tally.in_flight / (latency.mean().unwrap_or(0.0) * latency.total()) - 1.0;
        assert!(gap.abs() < 1e-3, "Little's law holds of the sums: {gap}");
        assert!(station.lane(hot).answer_time() > 0.4 && station.lane(cold).answer_time() < 0.02);
    }

    #[test]
    fn what_a_pod_did_counts_when_it_is_gone() {
        let (mut station, [hot, _]) = two([170.0, 10.0]);
        let s = SimTime::from_secs;
        follow(&mut station, s(10));
        station.remove_lane(s(10), hot);
        let tally = station.take_interval(s(10), &mut LatencyHistogram::default());
        assert!((tally.offered - 1800.0).abs() < 1e-6);
        assert!((tally.offered - tally.served - tally.failed).abs() < 1e-6, "{tally:?}");
        let gap = (tally.failed - 700.0).abs();
        assert!(gap < 1e-3, "what waited in it has failed too: {tally:?}");
    }

    #[test]
    fn requests_without_a_pod_fail() {
        let mut station = Station::new(pod());
        station.set_apart();
        station.offer(PodId::default(), 5.0, 0.0);
        station.settle_lanes(SimTime::ZERO, (0, 0), |_| (false, false));
        let tally = station.take_interval(SimTime::from_secs(2), &mut LatencyHistogram::default());
        assert_eq!((tally.offered, tally.served, tally.failed), (10.0, 0.0, 10.0));
        assert_eq!(station.success(), 0.0);
    }
}
