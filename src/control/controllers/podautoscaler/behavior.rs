//! What windows and rates make of a proposal: stabilisation and scaling policies.
//!
//! Source: kubernetes `pkg/controller/podautoscaler/horizontal.go`
//! (`stabilizeRecommendationWithBehaviors`, `convertDesiredReplicasWithBehaviorRate`), v1.37.

use crate::api::autoscaling::{Hpa, PolicyKind, ScalingRules, SelectPolicy};
use crate::units::{SimDuration, SimTime};

/// What the controller remembers of one autoscaler.
#[derive(Clone, Debug)]
pub struct Memory {
    /// Proposals with their times, inside the longer window.
    recommendations: Vec<(SimTime, u32)>,
    /// Replicas added, with times, inside the longest period.
    ups: Vec<(SimTime, u32)>,
    /// Replicas removed, likewise.
    downs: Vec<(SimTime, u32)>,
}

impl Memory {
    /// The memory of an autoscaler first seen at `now` with `current` replicas.
    pub fn new(current: u32, now: SimTime) -> Memory {
        Memory { recommendations: vec![(now, current)], ups: Vec::new(), downs: Vec::new() }
    }

    /// What is allowed of a proposal, and remembers the proposal.
    pub fn normalize(&mut self, hpa: &Hpa, current: u32, proposed: u32, now: SimTime) -> u32 {
        let stabilized = self.stabilize(hpa, current, proposed, now);
        if stabilized > current {
            let limit = self.up_limit(&hpa.scale_up, current, now).max(current);
            stabilized.min(hpa.max_replicas.min(limit))
        } else if stabilized < current {
            let limit = self.down_limit(&hpa.scale_down, current, now).min(current);
            stabilized.max(hpa.min_replicas.max(limit))
        } else {
            stabilized.clamp(hpa.min_replicas, hpa.max_replicas)
        }
    }

    fn stabilize(&mut self, hpa: &Hpa, current: u32, proposed: u32, now: SimTime) -> u32 {
        let inside = |at: SimTime, window: SimDuration| at + window > now;
        let (mut up, mut down) = (proposed, proposed);
        for (at, replicas) in &self.recommendations {
            if inside(*at, hpa.scale_up.stabilization_window) {
                up = up.min(*replicas);
            }
            if inside(*at, hpa.scale_down.stabilization_window) {
                down = down.max(*replicas);
            }
        }
        let longest = hpa.scale_up.stabilization_window.max(hpa.scale_down.stabilization_window);
        self.recommendations.retain(|(at, _)| inside(*at, longest));
        self.recommendations.push((now, proposed));
        current.max(up).min(down)
    }

    /// Remembers that the target was scaled.
    pub fn scaled(&mut self, hpa: &Hpa, from: u32, to: u32, now: SimTime) {
        let (events, rules) = if to > from {
            (&mut self.ups, &hpa.scale_up)
        } else {
            (&mut self.downs, &hpa.scale_down)
        };
        let longest = rules.policies.iter().map(|p| p.period).max().unwrap_or(SimDuration::ZERO);
        events.retain(|(at, _)| *at + longest > now);
        events.push((now, from.abs_diff(to)));
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

    fn hpa(min: u32, max: u32) -> Hpa {
        Hpa {
            name: "web".into(),
            namespace: "default".into(),
            target: Default::default(),
            min_replicas: min,
            max_replicas: max,
            metrics: vec![],
            scale_up: ScalingRules::default_up(),
            scale_down: ScalingRules::default_down(),
            created: SimTime::ZERO,
            current_replicas: 0,
            desired_replicas: 0,
        }
    }

    /// Replicas after syncs each 15 s with these proposals.
    fn follow(hpa: &Hpa, start: u32, proposals: &[u32]) -> Vec<u32> {
        let mut memory = Memory::new(start, SimTime::ZERO);
        let mut current = start;
        let sync = |(i, proposed): (usize, &u32)| {
            let now = SimTime::from_secs(15 * (i as u64 + 1));
            let next = memory.normalize(hpa, current, *proposed, now);
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
        let recorded = [4 + 2, 12, 24, 48, 96, 100];
        let ours = follow(&hpa(2, 100), 2, &[100; 6]);
        assert_eq!(ours, recorded, "max(100 %, 4 pods) per 15 s");
    }

    #[test]
    fn scale_down_waits_for_the_highest_of_five_minutes() {
        let mut proposals = vec![12];
        proposals.extend([2; 22]);
        let ours = follow(&hpa(2, 100), 12, &proposals);
        assert!(ours[..20].iter().all(|n| *n == 12), "for 300 s nothing happens");
        assert_eq!(*ours.last().unwrap(), 2, "then it goes down in one step");
    }

    #[test]
    fn custom_policies_limit_the_rate_as_recorded() {
        let mut slow = hpa(1, 10);
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
    fn a_disabled_direction_stays() {
        let mut fixed = hpa(1, 10);
        fixed.scale_down.select = SelectPolicy::Disabled;
        fixed.scale_down.stabilization_window = SimDuration::ZERO;
        assert_eq!(follow(&fixed, 8, &[2, 2]), [8, 8]);
    }
}
