//! Karpenter in the world: who tells it what, and what the cloud does for it.
//!
//! Its processes are taken to live and die with those of kube-controller-manager. It knows none of
//! Karpenter's logic.

use super::cloud::{Claimed, MachineId};
use super::controllers::Key;
use super::event::{Event, MachineStep};
use super::world::World;
use crate::api::node_pool::NodePool;
use crate::api::{NodeId, PodId, Text};
use crate::control::controllers::Outcome;
use crate::control::controllers::cluster_autoscaler::Refusal;
use crate::control::karpenter::{Chance, Karpenter, Launch, News, Offering};
use crate::record::story::Moment;
use crate::scenario::model::Scenario;
use crate::units::SimTime;
use std::sync::Arc;

/// Suffixes from here on are for NodeClaims: pods begin at the other end.
const PODS: u64 = 7_000_000;

/// What the cloud sells for the pools of a scenario.
pub(super) fn of(scenario: &Scenario) -> Option<Karpenter> {
    let karpenter = scenario.karpenter.as_ref()?;
    let mut offerings = Vec::new();
    for (index, pool) in karpenter.groups().zip(&karpenter.pool_of) {
        let group = &scenario.node_groups[index];
        for zone in &group.zones {
            let node = super::machines::fresh_node_of(group, index, zone);
            offerings.push(Offering {
                pool: *pool,
                group: index,
                zone: zone.clone(),
                spot: group.spot.is_some(),
                price: group.machine.price_per_hour,
                node: Arc::new(node),
            });
        }
    }
    Some(Karpenter::new(&scenario.flags.karpenter, &karpenter.pools, offerings))
}

impl World<'_> {
    fn with_karpenter<T>(&mut self, f: impl FnOnce(&mut Karpenter, &World<'_>) -> T) -> Option<T> {
        self.scenario.karpenter.as_ref()?;
        self.with_controllers(|controllers, world| {
            controllers.karpenter.as_mut().map(|karpenter| f(karpenter, world))
        })
    }

    pub(super) fn sync_karpenter(&mut self) -> Outcome {
        let (now, clock, streams) = (self.now, self.clock(), self.streams);
        let found = self.with_karpenter(|karpenter, world| {
            let mut suffix = |number: u64| Text::from(world.suffix_of(PODS + number).as_str());
            let mut turn = |number: u64, n: usize| {
                streams.stream("machine offer", number).below(n as u64) as usize
            };
            let mut chance = Chance { suffix: &mut suffix, turn: &mut turn };
            let outcome = karpenter.sync(&world.store, clock, &mut chance, now);
            (outcome, karpenter.held().to_vec())
        });
        let Some((outcome, held)) = found else { return Outcome::idle() };
        self.at_limit(
            (!held.is_empty()).then(|| {
                format!("NodePool {} stands at its limits while pods wait", held.join(", "))
            }),
        );
        outcome
    }

    /// Those who make nodes look again.
    pub(super) fn provisioners_look(&mut self) {
        self.notify(Key::ClusterAutoscaler);
        if self.with_karpenter(|karpenter, _| karpenter.changed()).is_some() {
            self.notify(Key::Karpenter);
        }
    }

    /// A pod changed: it may wait for a node, or be what a new node was waiting for.
    pub(super) fn tell_karpenter(&mut self, pod: PodId) {
        if self.scenario.karpenter.is_none() {
            return;
        }
        let at = self.seen_by(Key::Karpenter.component());
        let due = self.with_karpenter(|karpenter, world| {
            let pod_now = world.store.pod(pod)?;
            match pod_now.node {
                None if pod_now.unschedulable => Some(karpenter.pod_waits(pod, at)),
                Some(node) if karpenter.awaits(node) => Some(at),
                _ => None,
            }
        });
        if let Some(Some(due)) = due {
            self.enqueue(Key::Karpenter, due);
        }
    }

    /// A pod was bound, marked or changed its status: its node may have come to rest.
    pub(super) fn tell_karpenter_of_move(&mut self, pod: PodId) {
        let now = self.now;
        self.with_karpenter(|karpenter, world| {
            let Some(pod) = world.store.pod(pod) else { return };
            let daemon = pod.owner.is_some_and(|owner| world.store.daemon_set(owner).is_some());
            let is_new = pod.scheduled == now || pod.deletion.get() == Some(now);
            if let Some(node) = pod.node.filter(|_| !daemon)
                && (is_new || pod.phase.is_terminal())
            {
                karpenter.pod_event(node, now);
            }
        });
    }

    /// Something became of the machine of a NodeClaim.
    pub(super) fn claim_hears(&mut self, number: u64, news: &News) {
        let now = self.now;
        let told =
            self.with_karpenter(|karpenter, world| karpenter.hear(number, news, &world.store, now));
        for event in told.into_iter().flatten() {
            self.publish_action(Key::Karpenter.source(), event);
        }
        self.notify(Key::Karpenter);
    }

    /// The NodeClaim that a machine is for.
    pub(super) fn claim_of(&self, machine: MachineId) -> Option<u64> {
        let machine = self.cloud.machines.get(machine)?;
        machine.claimed.as_ref().map(|claimed| claimed.number)
    }

    /// Asks the cloud for a machine of the first kind that it has.
    pub(super) fn launch_machine(&mut self, launch: Launch) -> bool {
        let Launch { claim, name, labels, taints, options } = launch;
        let claimed = Claimed { number: claim, name, labels, taints };
        let now = self.now;
        for (group, zone) in options {
            let made = self.cloud.create_for(now, group, &zone, claimed.clone(), &self.streams);
            match made {
                Ok(one) => {
                    self.ledger.open(now, &self.scenario.node_groups[group].machine);
                    if one.registers != SimTime::NEVER {
                        let step = MachineStep::Registers;
                        self.plan(one.registers, Event::Machine(one.machine, step));
                    }
                    self.claim_hears(claim, &News::Launched(group, zone));
                    return true;
                }
                Err(why) => {
                    self.tell_of_shortage(group, why);
                    self.with_karpenter(|karpenter, _| karpenter.is_short_of(group, &zone, now));
                }
            }
        }
        self.claim_hears(claim, &News::Refused);
        self.claim_hears(claim, &News::Gone);
        true
    }

    /// The story of a cloud that refuses machines.
    pub(super) fn tell_of_shortage(&mut self, group: usize, why: Refusal) {
        match why {
            Refusal::Quota => {
                let quota = self.scenario.flags.cloud.cpu_quota.unwrap_or(0);
                self.tell_once(Moment::QuotaReached, || {
                    format!("the cloud refuses machines: the quota of {quota} CPU cores is used up")
                });
            }
            Refusal::StockOut => {
                let group = &self.scenario.node_groups[group];
                let (machine, name) = (group.machine.name.clone(), group.name.clone());
                self.tell_once(Moment::OutOfStock, || {
                    format!("the cloud refuses machines of node group {name}: it has no {machine}")
                });
            }
        }
    }

    /// Requests of Karpenter did not get through.
    pub(super) fn karpenter_looks_anew(&mut self) {
        self.with_karpenter(|karpenter, _| karpenter.look_anew());
    }

    /// Takes back the machine of a NodeClaim that has not registered.
    pub(super) fn cancel_machine(&mut self, number: u64) -> bool {
        let is_its = |claimed: &Claimed| claimed.number == number;
        let mut machines = self.cloud.machines.iter();
        let found = machines.find(|(_, m)| m.claimed.as_deref().is_some_and(is_its));
        let Some((machine, _)) = found else {
            self.claim_hears(number, &News::Gone);
            return true;
        };
        if self.cloud.delete(self.now, machine, &self.streams).is_some() {
            self.machine_gone(machine);
        }
        true
    }

    /// The cloud takes the machine of a NodeClaim back.
    pub(super) fn claim_interrupted(&mut self, number: u64, group: usize, zone: &str) {
        let now = self.now;
        self.with_karpenter(|karpenter, _| karpenter.is_short_of(group, zone, now));
        self.claim_hears(number, &News::Interrupted);
    }

    /// A NodePool is applied anew.
    pub(super) fn pool_changes(&mut self, pool: &NodePool) {
        let now = self.now;
        self.with_karpenter(|karpenter, _| karpenter.set_pool(pool, now));
        self.notify(Key::Karpenter);
    }

    /// Somebody deletes a node: if it is of a NodeClaim, that is deleted first. Whether it is.
    pub(super) fn node_of_claim_is_deleted(&mut self, node: NodeId) -> bool {
        let machine = self.nodes.get(node).map(|state| state.machine);
        let Some(number) = machine.and_then(|machine| self.claim_of(machine)) else { return false };
        self.claim_hears(number, &News::Deleted);
        true
    }
}
