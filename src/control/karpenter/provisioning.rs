//! Nodes for pods that wait.
//!
//! Source: kubernetes-sigs/karpenter `pkg/controllers/provisioning/provisioner.go`,
//! `controller.go`, `scheduling/events.go`, `pkg/cloudprovider/types.go` (`OrderByPrice`,
//! `Truncate`); aws/karpenter-provider-aws `pkg/providers/instance/instance.go`, August 2026.

use super::claim::NodeClaim;
use super::offering::labels_of;
use super::packing::{Fresh, Obstacle};
use super::simulate::Packed;
use super::{Chance, Karpenter, Launch, event, stamp};
use crate::api::event::EventType::{Normal, Warning};
use crate::api::{PodId, Text};
use crate::control::controllers::action::{About, Action, Outcome};
use crate::store::Store;
use crate::units::{SimDuration, SimTime};
use std::cell::Cell;
use std::collections::BTreeMap;

/// How often each pod that waits is a reason to look again.
const AGAIN: SimDuration = SimDuration::from_secs(10);
/// Machine types that the cloud is offered at most for one machine: the cheapest
/// (`maxInstanceTypes`).
const MOST_TYPES: usize = 60;
/// Events about pods' places that are published at once at most (`PodNominationRateLimiter`).
const MOST_NOMINATIONS: usize = 10;
/// How long an Event of a pod's place is not published again (`defaultDedupeTimeout`).
const SAID_ONCE: SimDuration = SimDuration::from_secs(120);

impl Karpenter {
    /// Makes nodes for pods that wait, when it is time to look.
    pub(super) fn provision(
        &mut self,
        store: &Store,
        chance: &mut Chance<'_>,
        now: SimTime,
        outcome: &mut Outcome,
    ) {
        let lengths = self.lengths();
        // Pods that still wait are a reason to look every ten seconds; if nothing has changed by
        // then, it would come to the same.
        let waiting = store.unschedulable_pods().next().is_some();
        let again = self.last_look.map(|last| last + AGAIN).filter(|_| waiting && self.changed);
        if self.batch.is_over(lengths, now) || again.is_some_and(|again| again <= now) {
            self.batch.close();
            self.look(store, chance, now, outcome);
        } else {
            outcome.wake(again.unwrap_or(SimTime::NEVER));
        }
        outcome.wake(self.batch.closes(lengths));
    }

    fn look(
        &mut self,
        store: &Store,
        chance: &mut Chance<'_>,
        now: SimTime,
        outcome: &mut Outcome,
    ) {
        self.last_look = store.unschedulable_pods().next().map(|_| now);
        self.changed = false;
        let packed = self.pack(store, &[], false, now);
        self.nominate(&packed, store, now, outcome);
        self.tell_stuck(&packed, outcome);
        let mut launches = Vec::new();
        let mut places = Vec::new();
        for fresh in &packed.fresh {
            let number = self.launch(fresh, chance, now, &mut launches);
            places.extend(fresh.items.iter().map(|item| (packed.pods[*item], number)));
        }
        self.tell_places(places, store, now, outcome);
        if !launches.is_empty() {
            outcome.batches.push(launches);
        }
        // Sold-out machines may be there again.
        if !packed.stuck.is_empty() && self.catalog.next_available(now) != SimTime::NEVER {
            self.changed = true;
            outcome.wake(now + AGAIN);
        }
    }

    /// Nodes that pods are to go to are left alone for a while.
    pub(super) fn nominate(
        &mut self,
        packed: &Packed,
        store: &Store,
        now: SimTime,
        outcome: &mut Outcome,
    ) {
        let window = (self.flags.batch_max_duration * 2).max(SimDuration::from_secs(10));
        let mut places = Vec::new();
        for (number, pods) in &packed.placed {
            let Some(claim) = self.claims.get_mut(number) else { continue };
            claim.nominated = now + window;
            places.extend(pods.iter().map(|pod| (*pod, *number)));
        }
        self.tell_places(places, store, now, outcome);
    }

    /// Tells pods where they should go, unless they have heard of a place a short while ago.
    fn tell_places(
        &mut self,
        mut places: Vec<(PodId, u64)>,
        store: &Store,
        now: SimTime,
        outcome: &mut Outcome,
    ) {
        let told = |pod: &PodId| self.told_places.get(*pod).is_some_and(|at| *at + SAID_ONCE > now);
        places.retain(|(pod, _)| !told(pod));
        for (pod, number) in places.into_iter().take(MOST_NOMINATIONS) {
            self.told_places.insert(pod, now);
            outcome.then(self.nomination(pod, number, store));
        }
    }

    fn nomination(&self, pod: PodId, number: u64, store: &Store) -> Action {
        let claim = self.claims.get(&number);
        let name = claim.map_or("", |claim| &claim.name);
        let node = claim.and_then(|claim| store.node(claim.node?));
        let node = node.map_or(String::new(), |node| format!(", node/{}", node.name));
        let message = format!("Pod should schedule on: nodeclaim/{name}{node}");
        event(Normal, "Nominated", About::Pod(pod), message)
    }

    /// Tells each pod once why nothing comes for it, and remembers whose limits it is.
    fn tell_stuck(&mut self, packed: &Packed, outcome: &mut Outcome) {
        self.held.clear();
        if packed.stuck.is_empty() {
            self.told_pods.clear();
        }
        for (pod, why) in &packed.stuck {
            for obstacle in why {
                if let Obstacle::NodeLimit(_, pool) | Obstacle::Limits(_, pool) = obstacle
                    && !self.held.contains(pool)
                {
                    self.held.push(pool.clone());
                }
            }
            let words: Vec<String> = why.iter().map(ToString::to_string).collect();
            let message = format!("Failed to schedule pod, {}", words.join("; "));
            let stamp = stamp(&message);
            if self.told_pods.insert(*pod, stamp) != Some(stamp) {
                outcome.then(event(Warning, "FailedScheduling", About::Pod(*pod), message));
            }
        }
    }

    /// Makes a NodeClaim and asks the cloud for its machine.
    pub(super) fn launch(
        &mut self,
        fresh: &Fresh,
        chance: &mut Chance<'_>,
        now: SimTime,
        launches: &mut Vec<Action>,
    ) -> u64 {
        self.made += 1;
        let number = self.made;
        let pool = &self.pools[fresh.pool];
        let name: Text = format!("{}-{}", pool.name, (chance.suffix)(number)).into();
        let mut taints = pool.taints.clone();
        taints.extend(pool.startup_taints.iter().cloned());
        let options = self.in_order(&fresh.options, number, chance);
        let launch =
            Launch { claim: number, name: name.clone(), labels: labels_of(pool), taints, options };
        launches.push(Action::LaunchMachine(Box::new(launch)));
        let claim = NodeClaim {
            name,
            pool: fresh.pool,
            created: now,
            offering: None,
            node: None,
            initialized: None,
            last_pod_event: SimTime::ZERO,
            nominated: SimTime::ZERO,
            template: template_stamp(pool),
            drifted: None,
            marked: false,
            ending: None,
            told: Cell::new(0),
        };
        self.claims.insert(number, claim);
        number
    }

    /// What the cloud is offered: spot machines if there are any, and of the cheapest types all
    /// zones; the cheapest first, and of equal ones any.
    fn in_order(
        &self,
        options: &[usize],
        number: u64,
        chance: &mut Chance<'_>,
    ) -> Vec<(usize, Text)> {
        let offering = |i: &usize| &self.catalog.offerings[*i];
        let mut options = options.to_vec();
        options.sort_by(|a, b| {
            let (a, b) = (offering(a), offering(b));
            a.price.total_cmp(&b.price).then_with(|| a.machine().cmp(b.machine()))
        });
        let mut types: BTreeMap<&Text, ()> = BTreeMap::new();
        options.retain(|i| {
            let machine = offering(i).machine();
            let taken = types.contains_key(machine) || types.len() < MOST_TYPES;
            if taken {
                types.insert(machine, ());
            }
            taken
        });
        if options.iter().any(|i| offering(i).spot) {
            options.retain(|i| offering(i).spot);
        }
        for equal in options.chunk_by_mut(|a, b| offering(a).price == offering(b).price) {
            if equal.len() > 1 {
                equal.rotate_left((chance.turn)(number, equal.len()));
            }
        }
        let told = |i: &usize| (offering(i).group, offering(i).zone.clone());
        options.iter().map(told).collect()
    }
}

/// A number for what a pool's template says, to notice that it changed (`NodePool.Hash`).
pub(super) fn template_stamp(pool: &crate::api::node_pool::NodePool) -> u64 {
    let parts = (&pool.labels, &pool.taints, &pool.startup_taints, &pool.class);
    stamp(&format!("{parts:?} {:?} {:?}", pool.expire_after, pool.termination_grace))
}
