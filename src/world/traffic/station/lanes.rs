//! A station whose pods are asked unequally: each has a queue of its own.
//!
//! Where clients stick to pods, one pod may be full while the next has nothing to do. Such pods are
//! stations of one pod each, and the station that they belong to only sums them up. It knows
//! neither clients nor Services.

use super::super::arriving::Arriving;
use super::super::rest::Turns;
use super::steady::{Shared, Steady, Together};
use super::{PodModel, Rates, Regime, Station};
use crate::api::PodId;
use crate::units::SimTime;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The queues of the pods of a station.
#[derive(Clone, Debug, Default)]
pub(super) struct Lanes {
    of: BTreeMap<PodId, Lane>,
    /// Some pod can do more or less than the others.
    differ: bool,
    /// What queues share while they are looked at; `None`: each finds all by itself.
    shared: Option<Box<Shared>>,
    /// Of the last settling: the most that requests of one queue want, cores.
    most_wanted: f64,
    /// When the next of them changes by itself; `None`: not known since something has happened.
    next: Option<SimTime>,
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
    /// Does something with its queue, which meanwhile knows what those of other pods found.
    fn lent<T>(&mut self, shared: &mut Option<Box<Shared>>, act: impl FnOnce(&mut Lane) -> T) -> T {
        self.queue.shared = shared.take();
        let done = act(self);
        *shared = self.queue.shared.take();
        done
    }

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
        let find = || self.queues().map(Station::next_change).min();
        self.next.or_else(find).unwrap_or(SimTime::NEVER)
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
        let shared = Some(Box::default());
        self.lanes = Some(Box::new(Lanes { shared, ..Lanes::default() }));
        // Requests for which there is no pod.
        self.add_lane(PodId::default());
    }

    /// Its queues, something about which is about to change.
    fn lanes_to_change(&mut self) -> Option<&mut Lanes> {
        let lanes = self.lanes.as_deref_mut()?;
        lanes.next = None;
        Some(lanes)
    }

    /// The most that the requests of one of its pods want at present, cores: known since its queues
    /// have followed what they were offered.
    pub fn most_wanted(&self) -> f64 {
        self.lanes.as_ref().map_or(f64::INFINITY, |lanes| lanes.most_wanted)
    }

    /// From now on latencies of all pods are taken down together, before there are any.
    pub fn take_down_together(&mut self) {
        if let Some(shared) = self.lanes.as_mut().and_then(|lanes| lanes.shared.as_mut()) {
            shared.together = Some(Together::default());
        }
    }

    /// Whether what this queue answers is what another one does, and both have nothing piled up.
    pub fn answers_like(&self, other: &Station) -> bool {
        let is_steady = self.regime == Regime::Steady && other.regime == Regime::Steady;
        is_steady && Arc::ptr_eq(&self.steady, &other.steady)
    }

    /// From now on each queue finds by itself what requests meet in it, as if there were no other.
    #[cfg(test)]
    pub fn find_each_alone(&mut self) {
        if let Some(lanes) = &mut self.lanes {
            lanes.shared = None;
        }
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
        let (usual, turns) = (self.pod, Turns::default());
        if let Some(lanes) = self.lanes_to_change() {
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
        if let Some(lanes) = self.lanes_to_change()
            && let Some(lane) = lanes.of.get_mut(&pod)
        {
            (lane.queue.pod, lane.usual) = (model, model);
            lanes.differ |= model != usual;
        }
    }

    /// From now on the work of a pod takes so many times as long as usually.
    pub fn slow_lane(&mut self, now: SimTime, pod: PodId, times: f64) {
        if let Some(lanes) = self.lanes_to_change()
            && let Some(lane) = lanes.of.get_mut(&pod)
        {
            lanes.differ |= times != 1.0;
            lane.slower = times;
            lane.lent(&mut lanes.shared, |lane| lane.follow(now));
        }
    }

    /// From now on a pod can do this when it is warm. What no longer fits in its queue fails with
    /// [`Station::release_lanes`]: there may be a better answer yet.
    pub fn refit_lane(&mut self, now: SimTime, pod: PodId, model: PodModel) {
        let usual = self.pod;
        if let Some(lanes) = self.lanes_to_change()
            && let Some(lane) = lanes.of.get_mut(&pod)
        {
            lanes.differ |= model != usual;
            (lane.usual, lane.queue.holds) = (model, true);
            lane.lent(&mut lanes.shared, |lane| lane.follow(now));
        }
    }

    /// What pods can do has been found for now.
    pub fn release_lanes(&mut self, now: SimTime) {
        let Some(lanes) = self.lanes_to_change() else { return };
        for lane in lanes.of.values_mut().filter(|lane| lane.queue.holds) {
            lane.queue.holds = false;
            lane.lent(&mut lanes.shared, |lane| lane.queue.settle(now));
        }
    }

    /// Queues that turn to and fro at a level are looked at seldom for it.
    pub fn calm_lanes(&mut self, now: SimTime) {
        if let Some(lanes) = self.lanes_to_change() {
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
        let Some(lanes) = self.lanes_to_change() else { return };
        let Some(mut lane) = lanes.of.remove(&pod) else { return };
        lane.lent(&mut lanes.shared, |lane| lane.queue.set(now, 0.0, 0, 0, 1));
        self.take_over(now, &mut lane.queue);
    }

    /// Adds what a queue did since the last time.
    fn take_over(&mut self, now: SimTime, queue: &mut Station) {
        queue.advance(now);
        queue.per_pod.bend(now, queue.cores_per_pod());
        self.interval.add(&std::mem::take(&mut queue.interval));
        self.latency.merge(&queue.latency);
        queue.latency.clear();
    }

    /// Adds what all queues did since the last time.
    pub(super) fn gather(&mut self, now: SimTime) {
        let Some(mut lanes) = self.lanes.take() else { return };
        lanes.next = None;
        for lane in lanes.of.values_mut() {
            lane.lent(&mut lanes.shared, |lane| self.take_over(now, &mut lane.queue));
        }
        let together = lanes.shared.as_mut().and_then(|shared| shared.together.as_mut());
        if let Some(together) = together {
            together.hand_over(&mut self.latency);
        }
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
            lanes.next = None;
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
        let (mut rates, mut waited, mut backlog) = (Rates::default(), 0.0, 0.0);
        let (mut most_wanted, mut next) = (0.0_f64, SimTime::NEVER);
        for (pod, lane) in &mut lanes.of {
            let (alive, routed) = class(*pod);
            lane.lent(&mut lanes.shared, |lane| {
                if lane.queue.next_change() <= now {
                    lane.queue.look(now);
                }
                // What waits in a pod that is taken out of the Service is still answered.
                let works = alive && (routed || lane.queue.backlog > 0.0);
                let (offered, lost) = (std::mem::take(&mut lane.offered), lane.lost);
                lane.lost = false;
                let (works, dead) = (works.into(), (routed && !alive).into());
                lane.queue.set_arrivals_scv(now, offered.scv());
                lane.queue.set(now, offered.rate, works, dead, lost.into());
            });
            let queue = &lane.queue;
            rates.offered += queue.rates.offered;
            rates.served += queue.rates.served;
            rates.failed += queue.rates.failed;
            waited += queue.rates.served * queue.mean_latency();
            backlog += queue.backlog;
            most_wanted = most_wanted.max(queue.wanted_cores());
            next = next.min(queue.next_change());
        }
        (self.live, self.dead) = endpoints;
        lanes.most_wanted = most_wanted;
        // Who finds all alone shows what is true.
        lanes.next = lanes.shared.as_ref().map(|_| next);
        self.offered = rates.offered;
        (self.rates, self.backlog) = (rates, backlog);
        self.regime = if self.live > 0 { Regime::Steady } else { Regime::NoEndpoint };
        let mean = if rates.served > 0.0 { waited / rates.served } else { 0.0 };
        self.steady = Arc::new(Steady::of_mean(mean));
        self.lanes = Some(lanes);
        self.per_pod.bend(now, self.cores_per_pod());
    }
}

#[cfg(test)]
mod tests {
    use super::super::LatencyHistogram;
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
            if let Some(lanes) = self.lanes_to_change() {
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
