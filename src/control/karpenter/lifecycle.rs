//! A NodeClaim from the cloud's answer to a node that takes pods; and its expiry.
//!
//! Source: kubernetes-sigs/karpenter `pkg/controllers/nodeclaim/lifecycle/` (`launch.go`,
//! `registration.go`, `initialization.go`, `liveness.go`), `nodeclaim/expiration/controller.go`;
//! aws/karpenter-provider-aws `pkg/controllers/interruption/controller.go`, August 2026.

use super::claim::{Ending, NodeClaim};
use super::simulate::leaving;
use super::{Karpenter, event};
use crate::api::event::EventType::{Normal, Warning};
use crate::api::node::{Node, NodeReady};
use crate::api::node_pool::NodePool;
use crate::api::taint::{NOT_READY, Taint, UNREACHABLE};
use crate::api::{NodeId, Text};
use crate::control::controllers::action::{About, Action, Outcome};
use crate::control::controllers::daemon;
use crate::store::Store;
use crate::units::{SimDuration, SimTime};
use std::collections::BTreeMap;

/// How long a machine has to register (`registrationTimeout`).
const REGISTRATION: SimDuration = SimDuration::from_secs(15 * 60);

/// What becomes of a NodeClaim's machine without Karpenter's doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The cloud makes a machine of this group in this zone.
    Launched(usize, Text),
    /// The cloud has none of those it was asked for.
    Refused,
    /// Its node has registered.
    Registered(NodeId),
    /// The cloud takes it back: that many nanoseconds from now it is gone.
    Interrupted,
    /// Somebody has deleted the node.
    Deleted,
    /// The machine is gone.
    Gone,
}

impl Karpenter {
    /// The cloud refuses a machine of this group in this zone, or takes one back.
    pub fn is_short_of(&mut self, group: usize, zone: &str, now: SimTime) {
        self.catalog.is_short_of(group, zone, now);
    }

    /// News of a NodeClaim's machine; Events to be told of it.
    pub fn hear(&mut self, number: u64, news: &News, store: &Store, now: SimTime) -> Vec<Action> {
        self.changed();
        let Some(claim) = self.claims.get_mut(&number) else { return Vec::new() };
        let about = About::NodeClaim(number);
        match news {
            News::Launched(group, zone) => {
                claim.offering = self.catalog.find(*group, zone);
                let pool = claim.pool;
                self.recount_limits(pool, store);
                vec![condition(number, "Launched")]
            }
            News::Refused => {
                let name = &claim.name;
                let message = format!(
                    "NodeClaim {name} event: insufficient capacity, all requested instance types \
                     were unavailable during launch"
                );
                vec![event(Warning, "InsufficientCapacityError", about, message)]
            }
            News::Registered(node) => {
                claim.node = Some(*node);
                claim.last_pod_event = now;
                self.by_node.insert(*node, number);
                vec![condition(number, "Registered")]
            }
            News::Interrupted => {
                let node = claim.node;
                self.end(number, "Interrupted", now);
                let message = "Spot interruption warning was triggered".to_string();
                let told = |about| event(Warning, "SpotInterrupted", about, message.clone());
                [Some(about), node.map(About::Node)].into_iter().flatten().map(told).collect()
            }
            News::Deleted => {
                self.end(number, "Forceful Termination", now);
                Vec::new()
            }
            News::Gone => {
                self.forget(number);
                Vec::new()
            }
        }
    }

    /// A NodeClaim is no more.
    fn forget(&mut self, number: u64) {
        if let Some(node) = self.claims.remove(&number).and_then(|claim| claim.node) {
            self.by_node.remove(node);
        }
    }

    /// A NodeClaim is deleted: its node is drained, and pods there are a reason for other nodes.
    pub(super) fn end(&mut self, number: u64, reason: &'static str, now: SimTime) {
        let Some(claim) = self.claims.get_mut(&number) else { return };
        if claim.ending.is_none() {
            let evictions = BTreeMap::new();
            claim.ending =
                Some(Ending { since: now, reason, evictions, terminating: false, told: false });
        }
        self.changed();
    }

    /// Looks at each NodeClaim that is becoming a node, or too old to be one.
    pub(super) fn look_at_claims(&mut self, store: &Store, now: SimTime, outcome: &mut Outcome) {
        let (mut late, mut expired) = (Vec::new(), Vec::new());
        for (number, claim) in &mut self.claims {
            if claim.ending.is_some() {
                continue;
            }
            let pool = &self.pools[claim.pool];
            if let Some(expires) = pool.expire_after.map(|after| claim.created + after) {
                if expires <= now {
                    expired.push(*number);
                    continue;
                }
                outcome.wake(expires);
            }
            match claim.node {
                None if claim.created + REGISTRATION <= now => late.push(*number),
                None => outcome.wake(claim.created + REGISTRATION),
                Some(id) if claim.initialized.is_none() => {
                    let Some(node) = store.node(id) else { continue };
                    if initialize(claim, pool, (id, node), store, now, outcome) {
                        claim.nominated = now + self.flags.batch_max_duration * 2;
                        let told = ["Initialized", "Ready"];
                        told.iter().for_each(|word| outcome.then(condition(*number, word)));
                        self.disruptions.changed();
                    }
                }
                Some(_) => {}
            }
        }
        late.into_iter().for_each(|number| self.end(number, "registration_timeout", now));
        expired.into_iter().for_each(|number| self.end(number, "Expired", now));
    }

    /// Pods on nodes whose deletion has begun are a reason to look for other nodes.
    pub(super) fn provision_for_leaving(&mut self, store: &Store, now: SimTime) {
        for claim in self.claims.values_mut() {
            let Some(ending) = claim.ending.as_mut().filter(|ending| !ending.told) else {
                continue;
            };
            ending.told = true;
            for pod in claim.node.into_iter().flat_map(|node| leaving(node, store, now)) {
                self.batch.trigger(pod, now);
            }
        }
    }
}

/// Whether a node can take pods now: it is Ready, and what was to come first has come. Startup
/// taints are taken away when the daemons that its pool's nodes get are ready there: that is what
/// they are for, and who does it on a real cluster is one of these daemons.
fn initialize(
    claim: &mut NodeClaim,
    pool: &NodePool,
    (id, node): (NodeId, &Node),
    store: &Store,
    now: SimTime,
    outcome: &mut Outcome,
) -> bool {
    // The taint of a node that is not ready goes a moment after it has become so.
    let keeps = |taint: &Taint| [NOT_READY, UNREACHABLE].contains(&&*taint.key);
    if node.ready != NodeReady::True || node.taints.iter().any(keeps) {
        return false;
    }
    let mut left =
        pool.startup_taints.iter().filter(|t| node.has_taint(&t.key, t.effect)).peekable();
    if left.peek().is_some() {
        if daemons_are_ready(id, node, store) {
            for taint in left {
                let (key, effect) = (taint.key.clone(), taint.effect);
                outcome.then(Action::RemoveTaint { node: id, key, effect });
            }
        }
        return false;
    }
    claim.initialized = Some(now);
    true
}

fn daemons_are_ready(id: NodeId, node: &Node, store: &Store) -> bool {
    let on_node: Vec<_> = store
        .pods_on(id)
        .iter()
        .filter_map(|pod| store.pod(*pod))
        .filter(|pod| pod.ready)
        .collect();
    let is_there = |(set, _): &(_, &_)| on_node.iter().any(|pod| pod.owner == Some(*set));
    store.daemon_sets().filter(|(_, set)| daemon::would_run(set, node)).all(|one| is_there(&one))
}

/// A condition of a NodeClaim that has become true.
fn condition(number: u64, which: &'static str) -> Action {
    let message = format!(
        "Status condition transitioned, Type: {which}, Status: Unknown -> True, Reason: {which}"
    );
    event(Normal, which, About::NodeClaim(number), message)
}
