//! Health checks of load balancers: which nodes get requests of a Service that wants them on nodes
//! with a pod of its own only (`externalTrafficPolicy: Local`).
//!
//! Source: kubernetes `pkg/proxy/healthcheck/service_health.go`, v1.37: a node answers well while
//! its proxy knows a ready endpoint there; cloud-provider-gcp `providers/gce/gce_healthchecks.go`:
//! a check each 8 s, one answer is enough to come back, three failures to be left out. Requests are
//! shared evenly among the nodes, and on each among its pods.

use super::event::Event;
use super::world::World;
use crate::api::service::{Service, ServiceType};
use crate::api::{NodeId, PodId, ServiceId};
use crate::units::{SimDuration, SimTime};
use slotmap::{Key as _, KeyData};
use std::collections::{BTreeMap, BTreeSet};

/// Time between two checks of a node (`gceHcCheckIntervalSeconds`).
const INTERVAL: SimDuration = SimDuration::from_secs(8);
/// So many failures in a row, and a node gets nothing (`gceHcUnhealthyThreshold`).
const FAILURES: u64 = 3;

/// What load balancers know of nodes, by the Service's index and the node.
#[derive(Debug, Default)]
pub(super) struct NodeChecks {
    of: BTreeMap<(usize, NodeId), Check>,
}

/// One node for one Service.
#[derive(Clone, Copy, Debug)]
struct Check {
    /// It would answer well now.
    fit: bool,
    /// It gets requests.
    open: bool,
    /// When the checks will have found that these two differ; never: they do not.
    due: SimTime,
}

impl NodeChecks {
    /// Takes over which nodes answer well now; those whose checks will find something new.
    fn follow(
        &mut self,
        service: usize,
        fit: &BTreeSet<NodeId>,
        found: impl Fn(NodeId, bool) -> SimTime,
    ) -> Vec<SimTime> {
        for node in fit {
            let new = Check { fit: false, open: false, due: SimTime::NEVER };
            self.of.entry((service, *node)).or_insert(new);
        }
        let mut due = Vec::new();
        for ((_, node), check) in self.of.range_mut(of_service(service)) {
            let is_fit = fit.contains(node);
            if std::mem::replace(&mut check.fit, is_fit) != is_fit {
                let differs = is_fit != check.open;
                check.due = if differs { found(*node, is_fit) } else { SimTime::NEVER };
                due.push(check.due);
            }
        }
        due.retain(|at| *at != SimTime::NEVER);
        due
    }

    /// What the checks have found by now is heeded.
    fn heed(&mut self, service: usize, now: SimTime) {
        for (_, check) in self.of.range_mut(of_service(service)) {
            if check.due <= now {
                (check.open, check.due) = (check.fit, SimTime::NEVER);
            }
        }
        self.of.retain(|(of, _), check| *of != service || check.fit || check.open);
    }

    /// Nodes that get requests.
    fn open(&self, service: usize) -> Vec<NodeId> {
        let all = self.of.range(of_service(service));
        all.filter(|(_, check)| check.open).map(|((_, node), _)| *node).collect()
    }
}

/// All nodes of a Service.
fn of_service(service: usize) -> std::ops::Range<(usize, NodeId)> {
    // No key comes before this one; the null key comes last.
    let first = NodeId::from(KeyData::from_ffi(0));
    (service, first)..(service + 1, first)
}

/// Whether requests from outside come to nodes that have a pod of it only.
fn is_local(service: &Service) -> bool {
    service.local && service.kind == ServiceType::LoadBalancer
}

impl World<'_> {
    /// A Service or who is routed to has changed, or a node died or is back: the load balancer will
    /// find it, or has, if `at_once`.
    pub(super) fn nodes_may_answer_otherwise(&mut self, id: ServiceId, at_once: bool) {
        let Some(index) = self.service_index.get(id).copied() else { return };
        if !self.store.service(id).is_some_and(is_local) {
            self.balancers.checks.of.retain(|(service, _), _| *service != index);
            return self.network.set_balanced(index, None);
        }
        let is_alive = |node: &NodeId| self.nodes.get(*node).is_some_and(|state| state.alive);
        let mut fit: BTreeSet<NodeId> = self.local_pods(index).into_keys().collect();
        fit.retain(is_alive);
        let (now, streams) = (self.now, self.streams);
        let found = |node: NodeId, is_fit: bool| {
            let entity = node.data().as_ffi() ^ (index as u64) << 48;
            let phase = SimTime(streams.stream("health check", entity).below(INTERVAL.0));
            let first = SimTime(now.0 + 1).next_on_grid(phase, INTERVAL);
            if is_fit { first } else { first + INTERVAL * (FAILURES - 1) }
        };
        let due = self.balancers.checks.follow(index, &fit, found);
        if at_once {
            let own = self.balancers.checks.of.range_mut(of_service(index));
            own.for_each(|(_, check)| check.due = now);
        }
        due.into_iter().for_each(|at| self.plan(at, Event::NodeChecks(id)));
        self.on_node_checks(id);
    }

    /// Checks of nodes may have found something.
    pub(super) fn on_node_checks(&mut self, id: ServiceId) {
        let Some(index) = self.service_index.get(id).copied() else { return };
        if !self.store.service(id).is_some_and(is_local) {
            return;
        }
        self.balancers.checks.heed(index, self.now);
        let open = self.balancers.checks.open(index);
        let pods_on = self.local_pods(index);
        let mut shares = BTreeMap::new();
        for node in &open {
            // A node without a pod drops what comes: nobody's share.
            let pods = pods_on.get(node).map_or(&[][..], Vec::as_slice);
            let each = 1.0 / (open.len() * pods.len().max(1)) as f64;
            shares.extend(pods.iter().map(|pod| (*pod, each)));
        }
        self.network.set_balanced(index, Some(shares));
        self.traffic_changed = true;
    }

    /// A machine died or is back: its proxy answers no check, or does again.
    pub(super) fn node_answers_otherwise(&mut self) {
        let local = self.store.services().filter(|(_, service)| is_local(service));
        for id in local.map(|(id, _)| id).collect::<Vec<_>>() {
            self.nodes_may_answer_otherwise(id, false);
        }
    }

    /// Pods that are routed to, by their nodes.
    fn local_pods(&self, index: usize) -> BTreeMap<NodeId, Vec<PodId>> {
        let mut found: BTreeMap<NodeId, Vec<PodId>> = BTreeMap::new();
        for pod in self.network.routed(index) {
            if let Some(node) = self.store.pod(*pod).and_then(|pod| pod.node) {
                found.entry(node).or_default().push(*pod);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_balancer_follows_its_checks() {
        let mut nodes: slotmap::SlotMap<NodeId, ()> = slotmap::SlotMap::with_key();
        let [a, b] = [nodes.insert(()), nodes.insert(())];
        let s = SimTime::from_secs;
        let mut checks = NodeChecks::default();
        // Who answers well from a second on, until when that is looked at, and who is open then.
        type Row<'a> = (&'a str, u64, &'a [NodeId], u64, &'a [NodeId]);
        let rows: [Row<'_>; 6] = [
            ("at first nobody is", 0, &[a], 1, &[]),
            ("one answer is enough", 0, &[a], 2, &[a]),
            ("another comes", 10, &[a, b], 12, &[a, b]),
            ("the first has no pod any more, and goes on getting requests", 20, &[b], 25, &[a, b]),
            ("until it was found three times", 20, &[b], 38, &[b]),
            ("one that is back in time was never away", 40, &[b], 41, &[b]),
        ];
        let mut last = u64::MAX;
        for (sentence, from, fit, until, open) in rows {
            if from != last {
                let found = |_, is_fit| if is_fit { s(from + 2) } else { s(from + 18) };
                checks.follow(7, &fit.iter().copied().collect(), found);
                last = from;
            }
            checks.heed(7, s(until));
            assert_eq!(checks.open(7), open, "{sentence}");
        }
        let gone = |_, is_fit| if is_fit { s(45) } else { s(60) };
        checks.follow(7, &BTreeSet::new(), gone);
        checks.follow(7, &[b].into(), gone);
        checks.heed(7, s(100));
        assert_eq!(checks.open(7), [b], "who was back before it was found stays");
        assert!(checks.open(6).is_empty() && checks.open(8).is_empty());
    }
}
