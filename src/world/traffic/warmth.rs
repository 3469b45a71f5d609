//! Processes and caches that are cold while they are young, as rates.
//!
//! A process works slower at first, and a cache is empty: both get better in a straight line from
//! when the containers begin to answer, by the law that single requests follow too. Rates are
//! constant between two changes, so the line is taken in steps, each at its middle. A pod whose
//! process may be cold has a queue of its own ([`super::station`]), since a cold one may be full
//! while warm ones have room; of caches the mean over the pods that make the calls counts. This
//! file knows how old pods are, not why.

use super::network::Network;
use crate::api::PodId;
use crate::scenario::graph::model::WarmUp;
use crate::units::{SimDuration, SimTime};
use std::collections::BTreeMap;

/// Steps of a line.
const STEPS: u64 = 20;

/// What is cold about the pods of a station at first.
#[derive(Clone, Debug, Default)]
pub struct Cold {
    /// Their processes.
    pub process: Option<WarmUp>,
    /// How long each of their caches takes to be warm.
    pub caches: Vec<SimDuration>,
}

impl Cold {
    fn lines(&self) -> impl Iterator<Item = SimDuration> + '_ {
        self.process.iter().map(|warm_up| warm_up.lasts).chain(self.caches.iter().copied())
    }

    /// How long until all is warm.
    fn lasts(&self) -> SimDuration {
        self.lines().max().unwrap_or(SimDuration::ZERO)
    }
}

/// Pods that are young, and what that means.
#[derive(Clone, Debug)]
pub(super) struct Warmth {
    /// By station.
    laws: Vec<Cold>,
    /// By station: since when containers of young pods answer.
    young: Vec<BTreeMap<PodId, SimTime>>,
    /// The instant for which rates are looked for.
    now: SimTime,
    /// When the next step of any of them begins.
    next: SimTime,
}

/// The part of a line that lies behind at this age: the middle of the step in which it is.
fn behind(age: SimDuration, lasts: SimDuration) -> f64 {
    let step = u128::from(age.0) * u128::from(STEPS) / u128::from(lasts.0.max(1));
    if step >= STEPS.into() { 1.0 } else { (step as f64 + 0.5) / STEPS as f64 }
}

/// The age at which the step after this one begins; `None`: the line is over.
fn next_step(age: SimDuration, lasts: SimDuration) -> Option<SimDuration> {
    let (steps, lasts) = (u128::from(STEPS), u128::from(lasts.0.max(1)));
    let step = u128::from(age.0) * steps / lasts;
    (step < steps).then(|| SimDuration(((step + 1) * lasts).div_ceil(steps) as u64))
}

impl Warmth {
    fn new(laws: Vec<Cold>) -> Warmth {
        let (now, next) = (SimTime::ZERO, SimTime::NEVER);
        Warmth { young: vec![BTreeMap::new(); laws.len()], laws, now, next }
    }

    /// When rates change because somebody is warmer.
    pub(super) fn next_change(&self) -> SimTime {
        self.next
    }

    /// A pod's containers begin to answer, or have ended.
    pub(super) fn see(&mut self, now: SimTime, (station, pod): (usize, PodId), answers: bool) {
        if !answers {
            self.young[station].remove(&pod);
        } else if self.laws[station].lasts() > SimDuration::ZERO {
            self.young[station].insert(pod, now);
            self.next = now;
        }
    }

    /// The next step of anybody, seen from now; who is warm is forgotten.
    fn look_ahead(&mut self, now: SimTime) {
        self.next = SimTime::NEVER;
        for (law, young) in self.laws.iter().zip(&mut self.young) {
            young.retain(|_, since| now.since(*since) < law.lasts());
            for since in young.values() {
                let steps = law.lines().filter_map(|lasts| next_step(now.since(*since), lasts));
                let next = steps.min().map_or(SimTime::NEVER, |age| *since + age);
                self.next = self.next.min(next);
            }
        }
    }
}

impl Network {
    /// From now on, before there is any pod, pods of stations are cold at first in these ways.
    pub fn set_cold(&mut self, laws: Vec<Cold>) {
        for (station, law) in self.stations.iter_mut().zip(&laws) {
            if law.process.is_some() && !station.is_apart() {
                station.set_apart();
            }
        }
        if laws.iter().any(|law| law.lasts() > SimDuration::ZERO) {
            self.warmth = Some(Box::new(Warmth::new(laws)));
        }
    }

    /// Young pods are as fast as they are at this age.
    pub(super) fn grow_warm(&mut self, now: SimTime) {
        let Some(warmth) = &mut self.warmth else { return };
        warmth.now = now;
        if warmth.next > now {
            return;
        }
        for (station, (law, young)) in warmth.laws.iter().zip(&warmth.young).enumerate() {
            let Some(WarmUp { lasts, slower }) = law.process else { continue };
            for (pod, since) in young {
                let cold = 1.0 - behind(now.since(*since), lasts);
                self.stations[station].slow_lane(now, *pod, 1.0 + (slower - 1.0) * cold);
            }
        }
        warmth.look_ahead(now);
    }

    /// How warm the caches of a station's pods are, for calls that its pods make now: the part of
    /// the hits of warm ones, by how long a cache takes. `None`: all are warm.
    pub(super) fn warmth_of_caches(
        &self,
        station: usize,
    ) -> Option<impl Fn(SimDuration) -> f64 + use<>> {
        let warmth = self.warmth.as_ref().filter(|w| !w.laws[station].caches.is_empty())?;
        let queue = &self.stations[station];
        let (served, live) = (queue.rates().served, f64::from(queue.endpoints().0.max(1)));
        let share = |pod: PodId| match queue.is_apart() && served > 0.0 {
            true => queue.lane(pod).rates().served / served,
            false => 1.0 / live,
        };
        let young = warmth.young[station].iter().filter(|(pod, _)| self.is_live(**pod));
        let ages: Vec<(f64, SimDuration)> =
            young.map(|(pod, since)| (share(*pod), warmth.now.since(*since))).collect();
        Some(move |lasts: SimDuration| {
            let misses = |(share, age): &(f64, SimDuration)| share * (1.0 - behind(*age, lasts));
            1.0 - ages.iter().map(misses).sum::<f64>().min(1.0)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::station::PodModel;
    use super::super::station::tests::pod;
    use super::*;
    use crate::record::latency::LatencyHistogram;
    use slotmap::SlotMap;

    const S: fn(u64) -> SimTime = SimTime::from_secs;

    #[test]
    fn a_line_is_taken_in_steps_that_end() {
        let lasts = SimDuration::from_secs(100);
        let rows = [
            ("at first nearly nothing", 0, 0.025, Some(5)),
            ("within a step its middle", 7, 0.075, Some(10)),
            ("the last step", 99, 0.975, Some(100)),
            ("then all of it", 100, 1.0, None),
        ];
        for (sentence, age, part, next) in rows {
            let age = SimDuration::from_secs(age);
            assert!((behind(age, lasts) - part).abs() < 1e-12, "{sentence}");
            assert_eq!(next_step(age, lasts), next.map(SimDuration::from_secs), "{sentence}");
        }
        // Whatever the length, each step begins later than the one before, and all are met.
        for nanos in [1, 7, 19, 20, 21, 1_000_003] {
            let (mut age, mut steps, mut area) = (SimDuration::ZERO, 0, 0.0);
            while let Some(next) = next_step(age, SimDuration(nanos)) {
                assert!(next > age);
                area += behind(age, SimDuration(nanos)) * (next.0 - age.0) as f64;
                (age, steps) = (next, steps + 1);
            }
            assert_eq!((age, steps), (SimDuration(nanos), nanos.min(STEPS)));
            assert!(nanos < 1000 || (area / nanos as f64 - 0.5).abs() < 1e-5, "{area}");
        }
    }

    /// Pods of 100 requests a second, the last of which comes ten seconds later than the others.
    fn network(law: Cold, pods: usize) -> (Network, Vec<PodId>) {
        let model = PodModel { bounds: (60.0, f64::INFINITY), wait_max: 59.99, ..pod() };
        let mut network = Network::new(vec![model], vec![Some(0)], vec![Vec::new()]);
        network.set_cold(vec![law]);
        let mut ids: SlotMap<PodId, ()> = SlotMap::with_key();
        let ids: Vec<PodId> = (0..pods).map(|_| ids.insert(())).collect();
        for (i, id) in ids.iter().enumerate() {
            let now = S(if i + 1 < pods { 0 } else { 10 });
            follow(&mut network, now);
            network.add_pod(*id, 0);
            network.set_alive(now, *id, true);
            network.route(now, 0, *id, true);
            network.settle(now);
        }
        (network, ids)
    }

    fn follow(network: &mut Network, until: SimTime) {
        while network.next_change() <= until {
            let at = network.next_change();
            network.settle(at);
        }
        network.settle(until);
    }

    #[test]
    fn the_pods_of_a_station_are_as_fast_as_they_are_old() {
        let process = Some(WarmUp { lasts: SimDuration::from_secs(20), slower: 3.0 });
        let (mut network, pods) = network(Cold { process, ..Cold::default() }, 3);
        // The middle of the step that has begun: 2.95 times as slow at first, then 0.1 less a step.
        let rows = [
            ("the others are half warm", 10, [1.95, 1.95, 2.95]),
            ("all are warmer", 15, [1.45, 1.45, 2.45]),
            ("the others are warm", 20, [1.0, 1.0, 1.95]),
            ("all are", 30, [1.0; 3]),
        ];
        for (sentence, at, times) in rows {
            follow(&mut network, S(at));
            let rates = pods.iter().map(|pod| network.stations[0].lane(*pod).pod.rate);
            for (rate, times) in rates.zip(times) {
                assert!((rate - 100.0 / times).abs() < 1e-9, "{sentence}: {rate}");
            }
            let all: f64 = times.iter().map(|times| 100.0 / times).sum();
            assert!((network.stations[0].capacity() - all).abs() < 1e-9, "{sentence}");
        }
        assert_eq!(network.next_change(), SimTime::NEVER, "nobody is young any more");
        network.set_alive(S(40), pods[0], false);
        network.set_alive(S(41), pods[0], true);
        network.settle(S(41));
        assert!(network.stations[0].lane(pods[0]).pod.rate < 34.0, "started again it is cold");
    }

    #[test]
    fn a_cold_pod_fills_while_the_next_has_room() {
        let process = Some(WarmUp { lasts: SimDuration::from_secs(1000), slower: 10.0 });
        let (mut network, pods) = network(Cold { process, ..Cold::default() }, 2);
        follow(&mut network, S(1020));
        network.set_alive(S(1020), pods[1], false);
        network.set_alive(S(1020), pods[1], true);
        network.set_external(S(1020), 0, 60.0);
        follow(&mut network, S(1040));
        network.take_interval(S(1040), 0, &mut LatencyHistogram::default());
        let [warm, cold] = [0, 1].map(|i| network.stations[0].lane(pods[i]));
        assert_eq!(warm.load_of_moving_queue(), None);
        assert!(cold.load_of_moving_queue() > Some(2.0));
        let grown = (30.0 - cold.pod.rate) * 20.0;
        assert!((cold.backlog() / grown - 1.0).abs() < 1e-3, "{} not {grown}", cold.backlog());
        let used = cold.pod.demand * cold.rates().served;
        assert!((used - 1.0).abs() < 1e-9, "it is busy all the time: {used}");
    }
}
