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
    ) -> u32 {
        let (up, down) = windows(hpa, downscale);
        let highest = self.recommendations.highest(proposed, down, now);
        let lowest = self.recommendations.lowest(proposed, up, now);
        self.recommendations.add(proposed, now, up.max(down));
        if !hpa.has_behavior {
            let most = (SCALE_UP_FACTOR * current).max(SCALE_UP_MINIMUM).min(hpa.max_replicas);
            return highest.max(hpa.min_replicas).min(most);
        }
        let stabilized = current.max(lowest).min(highest);
        if stabilized > current {
            let limit = self.up_limit(&hpa.scale_up, current, now).max(current);
            stabilized.min(hpa.max_replicas.min(limit))
        } else if stabilized < current {
            let limit = self.down_limit(&hpa.scale_down, current, now).min(current);
            stabilized.max(hpa.min_replicas.max(limit))
        } else {
            stabilized
        }
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

/// Windows up and down.
fn windows(hpa: &Hpa, downscale: SimDuration) -> (SimDuration, SimDuration) {
    if hpa.has_behavior {
        (hpa.scale_up.stabilization_window, hpa.scale_down.stabilization_window)
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
            let next = memory.normalize(hpa, current, *proposed, WINDOW, now);
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
        patient.scale_up.stabilization_window = SimDuration::from_secs(60);
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
            stabilization_window: SimDuration::ZERO,
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
        fixed.scale_down.stabilization_window = SimDuration::ZERO;
        assert_eq!(follow(&fixed, 8, &[2, 2]), [8, 8], "a disabled direction stays");
    }
}
