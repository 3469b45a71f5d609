//! The eviction manager of one node: which thresholds are met, what the node's conditions are, and
//! what is to be reclaimed.
//!
//! A function of what is available, the time, and what it remembers. Source: kubernetes
//! `pkg/kubelet/eviction/eviction_manager.go` (`synchronize`) and `helpers.go`, v1.37. It knows no
//! pods: who goes is for `rank.rs`.

use crate::scenario::eviction::{Bound, Signal};
use crate::scenario::model::KubeletFlags;
use crate::units::{SimDuration, SimTime};

/// How often it looks (`evictionMonitoringPeriod`).
pub(super) const MONITORING: SimDuration = SimDuration::from_secs(10);

/// A bound that is watched.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Threshold {
    /// Of what.
    pub signal: Signal,
    /// How much must be available.
    pub value: Bound,
    /// For how long it may be below; `None`: not at all (a hard one).
    pub grace: Option<SimDuration>,
    /// How much more must be available again once it was met.
    pub reclaim: Option<Bound>,
}

/// The thresholds of all kubelets, hard ones first (`ParseThresholdConfig`).
pub fn thresholds(flags: &KubeletFlags) -> Vec<Threshold> {
    let of = |(signal, value): &(Signal, Bound), grace| Threshold {
        signal: *signal,
        value: *value,
        grace,
        reclaim: flags.eviction_minimum_reclaim.of(*signal),
    };
    let hard = flags.eviction_hard.0.iter().map(|one| of(one, None));
    let period = |signal| flags.eviction_soft_grace_period.of(signal).unwrap_or_default();
    let soft = flags.eviction_soft.0.iter().map(|one| of(one, Some(period(one.0))));
    hard.chain(soft).collect()
}

/// What there is of something, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Observation {
    /// What is left; below zero: more is used than there is.
    pub available: i64,
    /// What there is in all.
    pub capacity: i64,
}

/// What is seen at one look.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Observations {
    /// Memory; `None`: nothing of it can run out.
    pub memory: Option<Observation>,
    /// The node's filesystem, which is that of the images too; `None`: its size is not told.
    pub disk: Option<Observation>,
}

impl Observations {
    /// What is seen of a signal.
    pub fn of(&self, signal: Signal) -> Option<Observation> {
        match signal {
            Signal::Memory => self.memory,
            Signal::NodeFs | Signal::ImageFs => self.disk,
        }
    }

    fn meets(&self, threshold: &Threshold, with_reclaim: bool) -> bool {
        let Some(seen) = self.of(threshold.signal) else { return false };
        let more = threshold.reclaim.filter(|_| with_reclaim);
        let more = more.map_or(0, |bound| bound.of(seen.capacity));
        seen.available < threshold.value.of(seen.capacity) + more
    }
}

/// What a look came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Look {
    /// Thresholds that are to be acted on, by their places; the first is what is reclaimed.
    pub met: Vec<usize>,
    /// No threshold is met, and no condition is left to take back.
    pub is_calm: bool,
}

/// What a node's manager remembers.
#[derive(Clone, Debug, Default)]
pub struct Manager {
    /// Since when each threshold that is met has been; by the threshold's place.
    first_met: Vec<(usize, SimTime)>,
    /// Thresholds that were met, their grace periods over.
    met: Vec<usize>,
    /// When memory and disk were last seen to be short; `NEVER`: the condition is not there.
    last_short: [Option<SimTime>; 2],
}

/// Memory is short.
pub const MEMORY: usize = 0;
/// The disk is short.
pub const DISK: usize = 1;

impl Manager {
    /// Looks at what there is.
    pub fn synchronize(
        &mut self,
        thresholds: &[Threshold],
        seen: &Observations,
        transition: SimDuration,
        now: SimTime,
    ) -> Look {
        let is_met = |place: &usize| {
            seen.meets(&thresholds[*place], false)
                || (self.met.contains(place) && seen.meets(&thresholds[*place], true))
        };
        let short: Vec<usize> = (0..thresholds.len()).filter(is_met).collect();
        let since = |place: &usize| {
            let known = self.first_met.iter().find(|(other, _)| other == place);
            (*place, known.map_or(now, |(_, since)| *since))
        };
        self.first_met = short.iter().map(since).collect();
        for place in &short {
            self.last_short[condition_of(thresholds[*place].signal)] = Some(now);
        }
        for last in &mut self.last_short {
            last.take_if(|last| now.since(*last) >= transition && *last != now);
        }
        let due = |(place, since): &(usize, SimTime)| {
            let grace = thresholds[*place].grace.unwrap_or(SimDuration::ZERO);
            (now.since(*since) >= grace).then_some(*place)
        };
        self.met = self.first_met.iter().filter_map(due).collect();
        let mut met = self.met.clone();
        // Memory comes before all else.
        met.sort_by_key(|place| thresholds[*place].signal != Signal::Memory);
        let is_calm = short.is_empty() && self.last_short == [None, None];
        Look { met, is_calm }
    }

    /// Whether all that must be available is, with what is to be reclaimed beyond (after a
    /// reclaim of the node's own: `reclaimNodeLevelResources`).
    pub fn is_satisfied(thresholds: &[Threshold], seen: &Observations) -> bool {
        !thresholds.iter().any(|threshold| seen.meets(threshold, true))
    }

    /// Whether memory and disk are short, as the node's conditions say.
    pub fn conditions(&self) -> [bool; 2] {
        self.last_short.map(|last| last.is_some())
    }
}

/// The condition that a signal makes.
fn condition_of(signal: Signal) -> usize {
    match signal {
        Signal::Memory => MEMORY,
        Signal::NodeFs | Signal::ImageFs => DISK,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Bytes;

    const S: fn(u64) -> SimTime = SimTime::from_secs;
    const D: fn(u64) -> SimDuration = SimDuration::from_secs;

    /// A hard threshold of 100 bytes with 50 to reclaim beyond, and a soft one of 300 for 60 s.
    fn two() -> Vec<Threshold> {
        let signal = Signal::Memory;
        let hard = Threshold {
            signal,
            value: Bound::Bytes(Bytes(100)),
            grace: None,
            reclaim: Some(Bound::Bytes(Bytes(50))),
        };
        let value = Bound::Bytes(Bytes(300));
        vec![hard, Threshold { value, grace: Some(D(60)), reclaim: None, ..hard }]
    }

    #[test]
    fn thresholds_are_met_after_their_grace_periods() {
        // (what is available, then: thresholds to act on, memory is short, nothing to do)
        type Step = (u64, i64, &'static [usize], bool, bool);
        let rows: [(&str, &[Step]); 5] = [
            ("a node that is well is left alone", &[(0, 400, &[], false, true)]),
            ("a hard threshold is acted on at once", &[(0, 99, &[0], true, false)]),
            ("just at the threshold is not below it", &[(0, 300, &[], false, true)]),
            (
                "a soft one is a condition at once, and acted on after its grace period",
                &[
                    (0, 200, &[], true, false),
                    (50, 200, &[], true, false),
                    (60, 200, &[1], true, false),
                ],
            ),
            (
                "what was met stays so until more is reclaimed, and the condition stays longer",
                &[
                    (0, 99, &[0], true, false),
                    (10, 120, &[0], true, false),
                    (20, 310, &[], true, false),
                    (309, 310, &[], true, false),
                    (310, 310, &[], false, true),
                ],
            ),
        ];
        for (sentence, steps) in rows {
            let mut manager = Manager::default();
            for (at, available, met, short, calm) in steps {
                let memory = Some(Observation { available: *available, capacity: 1000 });
                let seen = Observations { memory, disk: None };
                let look = manager.synchronize(&two(), &seen, D(300), S(*at));
                let found = (look.met.as_slice(), manager.conditions()[MEMORY], look.is_calm);
                assert_eq!(found, (*met, *short, *calm), "{sentence}, at {at} s");
            }
        }
    }

    #[test]
    fn a_grace_period_begins_anew_when_there_was_enough_meanwhile() {
        let mut manager = Manager::default();
        let met: Vec<bool> = [(0, 200), (50, 400), (60, 200), (110, 200), (120, 200)]
            .map(|(at, available)| {
                let memory = Some(Observation { available, capacity: 1000 });
                let seen = Observations { memory, disk: None };
                !manager.synchronize(&two(), &seen, D(300), S(at)).met.is_empty()
            })
            .into();
        assert_eq!(met, [false, false, false, false, true]);
    }

    #[test]
    fn memory_is_reclaimed_before_disk() {
        let disk = Threshold {
            signal: Signal::NodeFs,
            value: Bound::Share(0.1),
            grace: None,
            reclaim: None,
        };
        let memory = Threshold { signal: Signal::Memory, value: Bound::Bytes(Bytes(10)), ..disk };
        let short = Some(Observation { available: 5, capacity: 100 });
        let seen = Observations { memory: short, disk: short };
        let look = Manager::default().synchronize(&[disk, memory], &seen, D(300), S(0));
        assert_eq!(look.met, [1, 0]);
    }
}
