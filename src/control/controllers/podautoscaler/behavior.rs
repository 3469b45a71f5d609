//! What windows, rates and limits make of a proposal.
//!
//! Source: kubernetes `pkg/controller/podautoscaler/horizontal.go` (`normalizeDesiredReplicas`,
//! `normalizeDesiredReplicasWithBehaviors`, `convertDesiredReplicasWithBehaviorRate`), v1.37. An
//! object without `spec.behavior` follows older rules than one with the defaults written out: at
//! most twice its replicas or four, and no memory of past steps.

use super::recommendations::Recommendations;
use crate::api::autoscaling::{Hpa, PolicyKind, ScalingRules, SelectPolicy};
use crate::units::{SimDuration, SimTime};

/// Without `spec.behavior`: at most so many times the current replicas at a sync ...
const SCALE_UP_FACTOR: u32 = 2;
/// ... or this many, whichever is more.
const SCALE_UP_MINIMUM: u32 = 4;

/// What the controller remembers of one autoscaler.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    recommendations: Recommendations,
    /// Replicas added, with times, inside the longest period.
    ups: Vec<(SimTime, u32)>,
    /// Replicas removed, likewise.
    downs: Vec<(SimTime, u32)>,
}

/// What is allowed of a proposal, and the words of the conditions that tell it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Allowed {
    /// Replicas.
    pub replicas: u32,
    /// Reason and message of `AbleToScale`, which is true.
    pub able: (&'static str, &'static str),
    /// Whether a limit holds, for `ScalingLimited`.
    pub is_limited: bool,
    /// Reason and message of `ScalingLimited`.
    pub limit: (&'static str, &'static str),
}

const READY: (&str, &str) = ("ReadyForNewScale", "recommended size matches current size");
const UP_STABILIZED: (&str, &str) = (
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
);
const DOWN_STABILIZED: (&str, &str) = (
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, \
     applying the highest recent recommendation",
);
const WITHIN: (&str, &str) =
    ("DesiredWithinRange", "the desired count is within the acceptable range");
const UP_LIMIT: (&str, &str) =
    ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate");
const DOWN_LIMIT: (&str, &str) = (
    "ScaleDownLimit",
    "the desired replica count is decreasing faster than the maximum scale rate",
);
const TOO_MANY: (&str, &str) =
    ("TooManyReplicas", "the desired replica count is more than the maximum replica count");
const TOO_FEW: (&str, &str) =
    ("TooFewReplicas", "the desired replica count is less than the minimum replica count");

impl Memory {
    /// The first sync counts the replicas it finds as a recommendation
    /// (`recordInitialRecommendation`).
    pub fn begin(&mut self, current: u32, now: SimTime) {
        if self.recommendations.is_empty() {
            self.recommendations.add(current, now, SimDuration::MAX);
        }
    }

    /// What is allowed of a proposal, and remembers the proposal. `downscale` is the window of
    /// `--horizontal-pod-autoscaler-downscale-stabilization`.
    pub fn normalize(
        &mut self,
        hpa: &Hpa,
        current: u32,
        proposed: u32,
        downscale: SimDuration,
        now: SimTime,
    ) -> Allowed {
        let (up, down) = windows(hpa, downscale);
        let highest = self.recommendations.highest(proposed, down, now);
        let lowest = self.recommendations.lowest(proposed, up, now);
        self.recommendations.add(proposed, now, up.max(down));
        let stabilized = match hpa.has_behavior {
            true => current.max(lowest).min(highest),
            false => highest,
        };
        let able = match () {
            () if stabilized == proposed => READY,
            () if hpa.has_behavior && proposed >= current => UP_STABILIZED,
            () => DOWN_STABILIZED,
        };
        let (replicas, limit) = match hpa.has_behavior {
            true => self.limited(hpa, current, stabilized, now),
            false => limited_by_factor(hpa, current, stabilized),
        };
        Allowed { replicas, able, is_limited: replicas != stabilized, limit }
    }

    /// `convertDesiredReplicasWithBehaviorRate`.
    fn limited(
        &self,
        hpa: &Hpa,
        current: u32,
        stabilized: u32,
        now: SimTime,
    ) -> (u32, (&'static str, &'static str)) {
        if stabilized > current {
            let rate = self.up_limit(&hpa.scale_up, current, now).max(current);
            let (most, limit) = match hpa.max_replicas > rate {
                true => (rate, UP_LIMIT),
                false => (hpa.max_replicas, TOO_MANY),
            };
            if stabilized > most {
                return (most, limit);
            }
        } else if stabilized < current {
            let rate = self.down_limit(&hpa.scale_down, current, now).min(current);
            let (least, limit) = match hpa.min_replicas < rate {
                true => (rate, DOWN_LIMIT),
                false => (hpa.min_replicas, TOO_FEW),
            };
            if stabilized < least {
                return (least, limit);
            }
        }
        (stabilized, WITHIN)
    }

    /// Remembers that the target was scaled.
    pub fn scaled(&mut self, hpa: &Hpa, from: u32, to: u32, now: SimTime) {
        if !hpa.has_behavior {
            return;
        }
        let (events, rules) = if to > from {
            (&mut self.ups, &hpa.scale_up)
        } else {
            (&mut self.downs, &hpa.scale_down)
        };
        let longest = rules.policies.iter().map(|p| p.period).max().unwrap_or(SimDuration::ZERO);
        events.retain(|(at, _)| *at + longest > now);
        events.push((now, from.abs_diff(to)));
    }

    /// The latest proposal would have been repeated at every sync up to `at`.
    pub fn repeat_until(&mut self, at: SimTime) {
        self.recommendations.repeat_until(at);
    }

    /// The first instant after `now` at which the same proposal may be answered otherwise: a
    /// recommendation leaves its window, or a past step its period.
    pub fn turns(&self, hpa: &Hpa, downscale: SimDuration, now: SimTime) -> SimTime {
        let (up, down) = windows(hpa, downscale);
        let recommendations = &self.recommendations;
        let mut turns =
            recommendations.next_leaves(up, now).min(recommendations.next_leaves(down, now));
        for policy in hpa.scale_up.policies.iter().chain(&hpa.scale_down.policies) {
            let ends = self.ups.iter().chain(&self.downs).map(|(at, _)| *at + policy.period);
            turns = turns.min(ends.filter(|at| *at > now).min().unwrap_or(SimTime::NEVER));
        }
        turns
    }

    /// Replicas at the start of a policy's period.
    fn period_start(&self, current: u32, period: SimDuration, now: SimTime) -> i64 {
        let sum = |events: &[(SimTime, u32)]| -> i64 {
            events.iter().filter(|(at, _)| *at + period > now).map(|(_, n)| i64::from(*n)).sum()
        };
        i64::from(current) - sum(&self.ups) + sum(&self.downs)
    }

    fn up_limit(&self, rules: &ScalingRules, current: u32, now: SimTime) -> u32 {
        let limits = rules.policies.iter().map(|policy| {
            let start = self.period_start(current, policy.period, now);
            let value = i64::from(policy.value);
            match policy.kind {
                PolicyKind::Pods => start + value,
                PolicyKind::Percent => (start as f64 * (1.0 + value as f64 / 100.0)).ceil() as i64,
            }
        });
        select(rules.select, limits, current, i64::max, i64::min)
    }

    fn down_limit(&self, rules: &ScalingRules, current: u32, now: SimTime) -> u32 {
        let limits = rules.policies.iter().map(|policy| {
            let start = self.period_start(current, policy.period, now);
            let value = i64::from(policy.value);
            match policy.kind {
                PolicyKind::Pods => start - value,
                PolicyKind::Percent => (start as f64 * (1.0 - value as f64 / 100.0)) as i64,
            }
        });
        select(rules.select, limits, current, i64::min, i64::max)
    }
}

/// `convertDesiredReplicasWithRules`.
fn limited_by_factor(
    hpa: &Hpa,
    current: u32,
    stabilized: u32,
) -> (u32, (&'static str, &'static str)) {
    let rate = SCALE_UP_FACTOR.saturating_mul(current).max(SCALE_UP_MINIMUM);
    let (most, limit) = match hpa.max_replicas > rate {
        true => (rate, UP_LIMIT),
        false => (hpa.max_replicas, TOO_MANY),
    };
    if stabilized < hpa.min_replicas {
        (hpa.min_replicas, TOO_FEW)
    } else if stabilized > most {
        (most, limit)
    } else {
        (stabilized, WITHIN)
    }
}

/// Windows up and down.
fn windows(hpa: &Hpa, downscale: SimDuration) -> (SimDuration, SimDuration) {
    if hpa.has_behavior {
        let up = hpa.scale_up.stabilization_window.unwrap_or(SimDuration::ZERO);
        (up, hpa.scale_down.stabilization_window.unwrap_or(downscale))
    } else {
        (SimDuration::ZERO, downscale)
    }
}

/// The limit that the selected policy gives: `most` is the function that picks the largest change.
fn select(
    policy: SelectPolicy,
    limits: impl Iterator<Item = i64>,
    current: u32,
    most: fn(i64, i64) -> i64,
    least: fn(i64, i64) -> i64,
) -> u32 {
    let limit = match policy {
        SelectPolicy::Disabled => None,
        SelectPolicy::Max => limits.reduce(most),
        SelectPolicy::Min => limits.reduce(least),
    };
    limit.map_or(current, |limit| u32::try_from(limit.max(0)).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::autoscaling::ScalingPolicy;
    use crate::control::controllers::podautoscaler::testing::hpa;

    const WINDOW: SimDuration = SimDuration::from_secs(300);

    /// Replicas after syncs each 15 s with these proposals.
    fn follow(hpa: &Hpa, start: u32, proposals: &[u32]) -> Vec<u32> {
        let mut memory = Memory::default();
        memory.begin(start, SimTime::ZERO);
        let mut current = start;
        let sync = |(i, proposed): (usize, &u32)| {
            let now = SimTime::from_secs(15 * (i as u64 + 1));
            let next = memory.normalize(hpa, current, *proposed, WINDOW, now).replicas;
            if next != current {
                memory.scaled(hpa, current, next, now);
            }
            current = next;
            next
        };
        proposals.iter().enumerate().map(sync).collect()
    }

    #[test]
    fn a_spike_doubles_the_replicas_each_sync() {
        let plain = follow(&hpa(2, 100), 2, &[100; 6]);
        assert_eq!(plain, [4, 8, 16, 32, 64, 100], "as recorded without spec.behavior");
        let mut written_out = hpa(2, 100);
        written_out.has_behavior = true;
        let ours = follow(&written_out, 2, &[100; 6]);
        assert_eq!(ours, [6, 12, 24, 48, 96, 100], "max(100 %, 4 pods) per 15 s");
    }

    #[test]
    fn scale_down_waits_for_the_highest_of_five_minutes() {
        for has_behavior in [false, true] {
            let mut hpa = hpa(2, 100);
            hpa.has_behavior = has_behavior;
            let mut proposals = vec![12];
            proposals.extend([2; 22]);
            let ours = follow(&hpa, 12, &proposals);
            assert!(ours[..20].iter().all(|n| *n == 12), "for 300 s nothing happens");
            assert_eq!(ours[20], 2, "then it goes down in one step");
        }
    }

    #[test]
    fn the_down_window_raises_too() {
        let ours = follow(&hpa(2, 100), 4, &[12, 8, 8]);
        assert_eq!(ours, [8, 12, 12], "12 was cut to 8 and comes back though 8 is enough now");
    }

    #[test]
    fn an_up_window_waits_for_the_lowest() {
        let mut patient = hpa(2, 100);
        patient.has_behavior = true;
        patient.scale_up.stabilization_window = Some(SimDuration::from_secs(60));
        let ours = follow(&patient, 4, &[8, 8, 8, 8, 8]);
        assert_eq!(ours, [4, 4, 4, 8, 8], "four replicas were fine less than a minute ago");
    }

    #[test]
    fn custom_policies_limit_the_rate_as_recorded() {
        let mut slow = hpa(1, 10);
        slow.has_behavior = true;
        let period = SimDuration::from_secs(30);
        slow.scale_up.policies = vec![ScalingPolicy { kind: PolicyKind::Pods, value: 2, period }];
        assert_eq!(follow(&slow, 4, &[10; 6]), [6, 6, 8, 8, 10, 10], "two pods each 30 s");
        slow.scale_down = ScalingRules {
            stabilization_window: Some(SimDuration::ZERO),
            policies: vec![ScalingPolicy { kind: PolicyKind::Percent, value: 50, period }],
            ..ScalingRules::default_down()
        };
        assert_eq!(follow(&slow, 10, &[1; 6]), [5, 5, 2, 2, 1, 1], "half each 30 s");
    }

    #[test]
    fn the_selected_policy_decides() {
        let period = SimDuration::from_secs(15);
        let policies = vec![
            ScalingPolicy { kind: PolicyKind::Pods, value: 4, period },
            ScalingPolicy { kind: PolicyKind::Percent, value: 100, period },
        ];
        let rows = [
            ("the larger change", SelectPolicy::Max, 20),
            ("the smaller change", SelectPolicy::Min, 14),
            ("no change at all", SelectPolicy::Disabled, 10),
        ];
        for (sentence, select, expected) in rows {
            let mut hpa = hpa(1, 100);
            hpa.has_behavior = true;
            hpa.scale_up =
                ScalingRules { select, policies: policies.clone(), ..ScalingRules::default_up() };
            assert_eq!(follow(&hpa, 10, &[50]), [expected], "{sentence}");
        }
        let mut fixed = hpa(1, 10);
        fixed.has_behavior = true;
        fixed.scale_down.select = SelectPolicy::Disabled;
        fixed.scale_down.stabilization_window = Some(SimDuration::ZERO);
        assert_eq!(follow(&fixed, 8, &[2, 2]), [8, 8], "a disabled direction stays");
    }
}
