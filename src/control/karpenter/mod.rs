//! Karpenter: makes a node of the machine that suits the pods that wait, and replaces or removes
//! nodes that cost more than they need to.
//!
//! Source: kubernetes-sigs/karpenter and, for what the cloud does, aws/karpenter-provider-aws,
//! August 2026. Lazily evaluated: loops that upstream turns every few seconds turn here at the same
//! instants, but only after something that they look at has changed, or when something that they
//! remember turns.
//!
//! | file | what lives there |
//! |---|---|
//! | `offering.rs` | what can be bought |
//! | `claim.rs` | what is kept of a node |
//! | `batch.rs` | when pods are looked at |
//! | `simulate.rs` | which pods need a place, and where there is room |
//! | `packing.rs` | packing them |
//! | `filters.rs` | those that look at other pods: by the scheduler's filters |
//! | `provisioning.rs` | nodes for pods that wait |
//! | `lifecycle.rs` | from the cloud's answer to a node that takes pods; expiry |
//! | `disruption/` | which nodes go, or are replaced, and how many at once |
//! | `termination.rs` | draining a node and deleting its machine |

mod batch;
mod claim;
mod disruption;
mod filters;
mod lifecycle;
mod offering;
mod packing;
mod provisioning;
mod recount;
mod simulate;
mod termination;

use super::controllers::action::{About, Action, Outcome};
use super::flags::KarpenterFlags;
use super::scheduler::config::ProfileConfiguration;
use super::scheduler::what_if::WhatIf;
use crate::api::event::EventType;
use crate::api::node_pool::NodePool;
use crate::api::taint::Taint;
use crate::api::{NodeId, PodId, Text};
use crate::store::Store;
use crate::units::{SimTime, WallClock};
use batch::{Batch, Lengths};
use claim::NodeClaim;
use disruption::Disruptions;
pub use lifecycle::News;
use offering::Catalog;
pub use offering::Offering;
use slotmap::SecondaryMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the cloud is asked for: one machine, of the first of these kinds that it has.
#[derive(Clone, PartialEq, Debug)]
pub struct Launch {
    /// Number of the NodeClaim.
    pub claim: u64,
    /// Its name, which the node gets.
    pub name: Text,
    /// Labels of the node beside the machine's own.
    pub labels: Vec<(Text, Text)>,
    /// Taints that it registers with.
    pub taints: Vec<Taint>,
    /// Groups of the cloud and zones, in the order of choice.
    pub options: Vec<(usize, Text)>,
}

/// What is left to chance.
pub struct Chance<'a> {
    /// Five characters for the name of the NodeClaim of this number.
    pub suffix: &'a mut dyn FnMut(u64) -> Text,
    /// A number below the second one for the NodeClaim of the first: which of equal offers it is.
    pub turn: &'a mut dyn FnMut(u64, usize) -> usize,
}

impl std::fmt::Debug for Chance<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Chance")
    }
}

/// Karpenter and its memory.
pub struct Karpenter {
    flags: KarpenterFlags,
    what_if: Arc<WhatIf>,
    pools: Vec<NodePool>,
    catalog: Catalog,
    claims: BTreeMap<u64, NodeClaim>,
    by_node: SecondaryMap<NodeId, u64>,
    /// How many NodeClaims there have been.
    made: u64,
    batch: Batch,
    /// When pods were last packed, if some went on waiting.
    last_look: Option<SimTime>,
    /// Something has changed since then.
    changed: bool,
    /// What was last said to each pod that could not be helped.
    told_pods: SecondaryMap<PodId, u64>,
    /// When each pod was last told where it should go.
    told_places: SecondaryMap<PodId, SimTime>,
    /// Pools whose limits keep pods waiting.
    held: Vec<Text>,
    disruptions: Disruptions,
    /// Limits or budgets that it has exceeded: a mistake.
    exceeded: Option<String>,
}

impl std::fmt::Debug for Karpenter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Karpenter").field("claims", &self.claims).finish_non_exhaustive()
    }
}

impl Karpenter {
    /// With these pools and what the cloud sells for them.
    pub fn new(flags: &KarpenterFlags, pools: &[NodePool], offerings: Vec<Offering>) -> Karpenter {
        let what_if = WhatIf::new(&ProfileConfiguration::default());
        Karpenter {
            flags: *flags,
            what_if: Arc::new(what_if.expect("the default profile is valid")),
            pools: pools.to_vec(),
            catalog: Catalog::new(offerings, pools),
            claims: BTreeMap::new(),
            by_node: SecondaryMap::new(),
            made: 0,
            batch: Batch::default(),
            last_look: None,
            changed: true,
            told_pods: SecondaryMap::new(),
            told_places: SecondaryMap::new(),
            held: Vec::new(),
            disruptions: Disruptions::default(),
            exceeded: None,
        }
    }

    /// Its process is a new one: NodeClaims are the API server's, all else is forgotten.
    pub fn begin_anew(&mut self) {
        self.batch = Batch::default();
        self.told_pods = SecondaryMap::new();
        self.told_places = SecondaryMap::new();
        for claim in self.claims.values_mut() {
            claim.nominated = SimTime::ZERO;
        }
        self.disruptions.begin_anew();
        self.changed();
    }

    /// Requests did not get through: what was asked for is asked for again, and a machine that the
    /// cloud was not asked for does not come.
    pub fn look_anew(&mut self) {
        self.claims.retain(|_, claim| claim.offering.is_some());
        for ending in self.claims.values_mut().filter_map(|claim| claim.ending.as_mut()) {
            ending.terminating = false;
            ending.evictions.clear();
        }
        self.changed();
    }

    /// A pool says something else from now on: what it would not make so any more has drifted.
    pub fn set_pool(&mut self, pool: &NodePool, now: SimTime) {
        let Some(known) = self.pools.iter_mut().find(|known| known.name == pool.name) else {
            return;
        };
        *known = pool.clone();
        self.catalog.read(&self.pools);
        self.look_for_drift(now);
        self.changed();
    }

    /// What was found to contradict limits and budgets of pools, recounted from nodes; `None`:
    /// nothing.
    pub fn exceeded(&self) -> Option<String> {
        self.exceeded.clone()
    }

    fn lengths(&self) -> Lengths {
        let (idle, most) = (self.flags.batch_idle_duration, self.flags.batch_max_duration);
        Lengths { idle, most }
    }

    /// Name of the NodeClaim of a number, while there is one.
    pub fn claim_name(&self, number: u64) -> Option<&Text> {
        self.claims.get(&number).map(|claim| &claim.name)
    }

    /// Name of a pool.
    pub fn pool_name(&self, pool: usize) -> Option<&Text> {
        self.pools.get(pool).map(|pool| &pool.name)
    }

    /// Pools whose limits kept pods waiting when it last looked.
    pub fn held(&self) -> &[Text] {
        &self.held
    }

    /// Something that it looks at has changed.
    pub fn changed(&mut self) {
        self.changed = true;
        self.disruptions.changed();
    }

    /// It hears at `at` that the scheduler finds no node for a pod; when it will look.
    pub fn pod_waits(&mut self, pod: PodId, at: SimTime) -> SimTime {
        self.changed();
        self.batch.trigger(pod, at);
        self.batch.closes(self.lengths())
    }

    /// A pod came to a node, ended there or began to go. Whether the node is one of its own.
    pub fn pod_event(&mut self, node: NodeId, now: SimTime) -> bool {
        let number = self.by_node.get(node).copied();
        let claim = number.and_then(|number| self.claims.get_mut(&number));
        if let Some(claim) = claim {
            claim.last_pod_event = now;
        }
        number.is_some()
    }

    /// Whether a node is one of its own that can't take pods yet.
    pub fn awaits(&self, node: NodeId) -> bool {
        let claim = self.by_node.get(node).and_then(|number| self.claims.get(number));
        claim.is_some_and(|claim| claim.initialized.is_none())
    }

    /// One look at all there is to do.
    pub fn sync(
        &mut self,
        store: &Store,
        clock: WallClock,
        chance: &mut Chance<'_>,
        now: SimTime,
    ) -> Outcome {
        let mut outcome = Outcome::idle();
        self.look_at_claims(store, now, &mut outcome);
        self.follow_commands(store, now, &mut outcome);
        self.disrupt(store, clock, chance, now, &mut outcome);
        self.provision_for_leaving(store, now);
        self.provision(store, chance, now, &mut outcome);
        // Last, since a refused eviction keeps what follows from being sent.
        self.terminate(store, now, &mut outcome);
        outcome
    }
}

/// An Event.
fn event(kind: EventType, reason: &'static str, about: About, message: String) -> Action {
    Action::Event { kind, reason, about, message }
}

/// A number for a text, to notice that it changed (FNV-1a).
fn stamp(text: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod disruption_tests;
#[cfg(test)]
mod provisioning_tests;
#[cfg(test)]
mod testing;
