//! What the node lifecycle controller hears of a kubelet: its lease, renewed every few seconds, and
//! its status, posted when it changes and at long intervals otherwise.
//!
//! Computed for the instant that somebody asks about, not ticked (DESIGN rule 7). Source:
//! kubernetes `pkg/kubelet/kubelet_node_status.go` (`tryUpdateNodeStatus`), v1.37.

use crate::api::NodeId;
use crate::units::{SimDuration, SimTime};
use crate::world::cloud::entity;
use crate::world::world::World;

/// How often the kubelet looks whether its status is to be posted (`nodeStatusUpdateFrequency`).
pub(super) const STATUS_UPDATE: SimDuration = SimDuration::from_secs(10);

impl World<'_> {
    /// When a node's kubelet was last heard of, up to `now`: by its lease or by its status.
    pub(in crate::world) fn last_heartbeat_of(&self, node: NodeId, now: SimTime) -> SimTime {
        let silent = self.unheard_since(node);
        let until = silent.map_or(now, |since| since.min(now));
        self.last_renewal(node, until).max(self.last_report(node, until))
    }

    /// The last renewal of the lease.
    fn last_renewal(&self, node: NodeId, until: SimTime) -> SimTime {
        let Some(state) = self.nodes.get(node) else { return SimTime::ZERO };
        let period = self.scenario.flags.kubelet.lease_renew_interval;
        let registered = self.store.node(node).map_or(SimTime::ZERO, |n| n.created);
        let first = registered.next_on_grid(state.lease_phase, period);
        last_on_grid(registered, first, period, until)
    }

    /// The last status: posted with the last change, then up to half an interval early or late, so
    /// that nodes which change together do not go on together, then at each interval.
    fn last_report(&self, node: NodeId, until: SimTime) -> SimTime {
        let machine = self.nodes.get(node).and_then(|s| self.cloud.machines.get(s.machine));
        let Some((n, machine)) = self.store.node(node).zip(machine) else { return SimTime::ZERO };
        let changed = n.ready_changed;
        let frequency = self.scenario.flags.kubelet.node_status_report_frequency;
        let key = entity(machine.group, machine.ordinal) ^ changed.0.rotate_left(32);
        let mut stream = self.streams.stream("node status", key);
        let wait = SimDuration(frequency.0 / 2 + stream.below(frequency.0 + 1));
        last_on_grid(changed, changed + looked_at(wait), looked_at(frequency), until)
    }
}

/// When a kubelet that looks every [`STATUS_UPDATE`] finds that `wait` is over.
fn looked_at(wait: SimDuration) -> SimDuration {
    STATUS_UPDATE * wait.0.div_ceil(STATUS_UPDATE.0).max(1)
}

/// The last of `start`, `first`, `first + period`, ... up to `until`.
fn last_on_grid(start: SimTime, first: SimTime, period: SimDuration, until: SimTime) -> SimTime {
    if until < first {
        return start;
    }
    SimTime(first.0 + (until.0 - first.0) / period.0.max(1) * period.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heartbeats_are_those_of_a_kubelet_that_ticks() {
        let (s, d) = (SimTime::from_secs, SimDuration::from_secs);
        #[rustfmt::skip]
        let rows = [
            ("before the first of the grid only the start is known", s(7), s(12), d(10), s(11), s(7)),
            ("the first one counts when it is there", s(7), s(12), d(10), s(12), s(12)),
            ("then each period has one", s(7), s(12), d(10), s(41), s(32)),
            ("a status comes after a wait of its own, then at its interval", s(0), s(170), d(300), s(800), s(770)),
        ];
        for (sentence, start, first, period, until, expected) in rows {
            assert_eq!(last_on_grid(start, first, period, until), expected, "{sentence}");
        }
        assert_eq!(looked_at(d(163)), d(170), "a kubelet looks each ten seconds");
        assert_eq!(
            looked_at(SimDuration::ZERO),
            d(10),
            "and not more often, whatever is asked for"
        );
    }
}
