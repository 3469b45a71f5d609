//! A rolling update takes no pod away that its strategy wants to keep.
//!
//! Faults, people, preemption and evictions may take more than `maxUnavailable` allows; then the
//! rollout is not to blame. So a Deployment is judged only while nothing but its own ReplicaSets
//! has taken Ready pods from it for a while, and while it had as many as it should have. Nor is a
//! controller to blame for what it was told late: a Deployment goes by the status of its
//! ReplicaSets, which says for some milliseconds that pods are there that have just gone, and for
//! seconds if a client has few tokens. It may take too many by as many as it was told of in excess
//! when it decided (upstream's does: `scaleDownOldReplicaSetsForRollingUpdate`). Ready pods are
//! counted, not available ones: whom a ReplicaSet takes does not go by `minReadySeconds`.

use super::{Finding, View};
use crate::api::workload::{Deployment, ReplicaSet, Strategy};
use crate::api::{DeploymentId, PodId};
use crate::units::{SimDuration, SimTime};
use std::collections::BTreeMap;

/// How long after a disturbance decisions may be under way that were right before it.
pub(super) const CALM: SimDuration = SimDuration::from_secs(60);
/// How long the status of a ReplicaSet usually says at most that there are more pods than there
/// are, and how old what a decision was made of is at most.
const LATE: SimDuration = SimDuration::from_millis(100);
/// Why a ReplicaSet takes a pod away.
const SCALED_DOWN: &str = "ScaleDown";

/// What is known of the Deployments.
#[derive(Debug, Default)]
pub(super) struct Availability {
    seen: BTreeMap<DeploymentId, Seen>,
    looked: SimTime,
}

/// A Deployment at the last look.
#[derive(Debug)]
struct Seen {
    terms: Terms,
    ready: u32,
    /// Since when statuses have said too much; never: they do not.
    late: SimTime,
    /// By how much they have said too much lately, and when they last did.
    excess: (u32, SimTime),
    /// By how much they said too much when pods were last asked to go that are still going.
    slack: u32,
    /// The sizes of its ReplicaSets together.
    total: u32,
    /// When something else than its ReplicaSets last took a Ready pod, or they were late.
    disturbed: SimTime,
    /// It had what it should have, and nothing more was to be taken.
    promised: bool,
    /// Pods that were taken at the instant of the last look, and counted.
    taken: Vec<PodId>,
}

/// What a Deployment asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Terms {
    replicas: u32,
    least: u32,
}

/// What is counted of a Deployment at a look.
#[derive(Default)]
struct Count {
    ready: u32,
    /// Ready pods that its ReplicaSets have taken since the last look.
    taken: Vec<PodId>,
    /// A ReplicaSet has more pods than it should have.
    surplus: bool,
    /// How many available pods statuses tell of that are not Ready, or are to go.
    overstated: u32,
    /// The sizes of the ReplicaSets together.
    total: u32,
}

impl Availability {
    /// The first rolling update that has taken too much.
    pub(super) fn broken(&mut self, view: &View<'_>) -> Finding {
        let mut found = None;
        for (id, deployment) in view.store.deployments() {
            let Some(terms) = terms(deployment) else {
                self.seen.remove(&id);
                continue;
            };
            let fresh = Seen {
                terms,
                ready: 0,
                late: SimTime::NEVER,
                excess: (0, SimTime::ZERO),
                slack: 0,
                total: 0,
                disturbed: view.now,
                promised: false,
                taken: Vec::new(),
            };
            let seen = self.seen.entry(id).or_insert(fresh);
            let count = count(view, id, self.looked);
            if !view.is_led {
                (seen.disturbed, seen.promised) = (view.now, false);
            }
            if let Some(text) = seen.step(terms, count, view.now) {
                let text = format!("{}: {text}", deployment.name);
                found = found.or(Some(("a rolling update keeps what it should", text)));
            }
        }
        self.seen.retain(|id, _| view.store.deployment(*id).is_some());
        self.looked = view.now;
        found
    }
}

impl Seen {
    fn step(&mut self, terms: Terms, count: Count, now: SimTime) -> Option<String> {
        let Count { ready, taken, surplus, overstated, total } = count;
        let new = taken.iter().filter(|pod| !self.taken.contains(pod)).count() as u32;
        let late = if overstated > 0 { self.late.min(now) } else { SimTime::NEVER };
        // Late until now, or still.
        let was_late = self.late != SimTime::NEVER && now.since(self.late) > LATE;
        if terms != self.terms || ready + new < self.ready || was_late {
            (self.disturbed, self.promised) = (now, false);
        }
        let lately = if now.since(self.excess.1) <= LATE { self.excess.0 } else { 0 };
        let mut slack = if surplus { self.slack } else { 0 };
        if total < self.total {
            // Decided just now.
            slack = slack.max(lately);
        }
        let excess = if overstated > 0 { (overstated.max(lately), now) } else { self.excess };
        let broken = self.promised && new > 0 && ready + slack.max(self.slack) < terms.least;
        let calm = now.since(self.disturbed) >= CALM;
        let promised = (calm && !surplus || self.promised) && ready >= terms.least;
        let disturbed = self.disturbed;
        *self = Seen { terms, ready, late, excess, slack, total, disturbed, promised, taken };
        broken.then(|| {
            let Terms { replicas, least } = terms;
            format!("{ready} of {replicas} are ready, {least} should be")
        })
    }
}

/// What a rolling update promises; `None`: this is none. Shares of pods that may be away are
/// rounded down, shares of those that may be too many up, and one of the two is more than nothing.
fn terms(deployment: &Deployment) -> Option<Terms> {
    let Strategy::RollingUpdate { max_surge, max_unavailable } = deployment.strategy else {
        return None;
    };
    let replicas = deployment.replicas;
    let (surge, away) = (max_surge.of(replicas, true), max_unavailable.of(replicas, false));
    let away = if surge == 0 && away == 0 { 1 } else { away };
    Some(Terms { replicas, least: replicas.saturating_sub(away) })
}

fn count(view: &View<'_>, id: DeploymentId, looked: SimTime) -> Count {
    let sets = view.store.replica_sets_of(id);
    let mut with_pods = sets.iter().filter(|set| !view.store.pods_of(**set).is_empty());
    let (first, second) = (with_pods.next(), with_pods.next());
    let mut count = Count::default();
    if let (Some(id), None) = (first, second) {
        // Nothing rolls: the store's numbers, which are recounted elsewhere, will do.
        let tally = view.store.tally_of(*id);
        let Some(set) = view.store.replica_set(*id) else { return count };
        (count.ready, count.surplus) = (tally.active_ready, tally.active > set.replicas);
        count.state(set, tally.active_ready);
        return count;
    }
    for set_id in sets {
        let Some(set) = view.store.replica_set(*set_id) else { continue };
        let (mut active, mut ready) = (0, 0);
        for pod_id in view.store.pods_of(*set_id) {
            let Some(pod) = view.store.pod(*pod_id) else { continue };
            active += u32::from(pod.is_active());
            match pod.deletion.get() {
                None => ready += u32::from(pod.ready),
                Some(at) if at >= looked && pod.ready => {
                    if (view.ended_by)(*pod_id) == SCALED_DOWN {
                        count.taken.push(*pod_id);
                    }
                }
                Some(_) => {}
            }
        }
        count.ready += ready;
        count.surplus |= active > set.replicas;
        count.state(set, ready);
    }
    count
}

impl Count {
    /// Adds what the status of a ReplicaSet says that has so many Ready pods.
    fn state(&mut self, set: &ReplicaSet, ready: u32) {
        self.total += set.replicas;
        self.overstated += set.status.available.saturating_sub(ready.min(set.replicas));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::workload::IntOrPercent;
    use crate::control::controllers::testing::{Bench, at};

    /// Four ready pods, of which one may be away; a new one is on its way.
    fn four(bench: &mut Bench) -> Vec<PodId> {
        let id = bench.deployment("web", 4);
        bench.store.update_deployment(id, |d| {
            d.strategy = Strategy::RollingUpdate {
                max_surge: IntOrPercent::Int(0),
                max_unavailable: IntOrPercent::Int(1),
            };
            true
        });
        let node = bench.node("n", "a");
        let set = bench.replica_set_of("web", 4, Some(id));
        let new = bench.replica_set_of("web-new", 1, Some(id));
        bench.pod(new);
        (0..4).map(|_| bench.ready_pod(set, node)).collect()
    }

    #[test]
    fn only_the_rollout_is_to_blame() {
        type Act = fn(&mut Bench, &[PodId]);
        let rows: [(&str, Act, &str, bool); 7] = [
            ("nothing happens", |_, _| {}, SCALED_DOWN, true),
            ("one is taken", |b, pods| mark(b, &pods[..1]), SCALED_DOWN, true),
            ("two are taken", |b, pods| mark(b, &pods[..2]), SCALED_DOWN, false),
            ("a person deletes two", |b, pods| mark(b, &pods[..2]), "Deleted", true),
            (
                "one is taken, and another is no longer ready",
                |b, pods| {
                    mark(b, &pods[..1]);
                    b.store.set_pod_ready(pods[1], false, b.now);
                },
                SCALED_DOWN,
                true,
            ),
            (
                "two are taken that were not ready",
                |b, pods| {
                    for pod in &pods[..2] {
                        b.store.set_pod_ready(*pod, false, b.now);
                    }
                    mark(b, &pods[..2]);
                },
                SCALED_DOWN,
                true,
            ),
            (
                "half as many are wanted, and two are taken",
                |b, pods| {
                    let all: Vec<_> = b.store.deployments().map(|(id, _)| id).collect();
                    b.store.scale_deployment(all[0], 2);
                    mark(b, &pods[..2]);
                },
                SCALED_DOWN,
                true,
            ),
        ];
        for (sentence, act, reason, fine) in rows {
            let mut bench = Bench::new();
            let pods = four(&mut bench);
            let mut availability = Availability::default();
            for second in [1010, 1080] {
                bench.now = at(second);
                let view = View { ended_by: &|_| reason, ..View::of(&bench.store, bench.now) };
                assert_eq!(availability.broken(&view), None, "{sentence}: before");
            }
            bench.now = at(1090);
            act(&mut bench, &pods);
            let view = View { ended_by: &|_| reason, ..View::of(&bench.store, bench.now) };
            assert_eq!(availability.broken(&view).is_none(), fine, "{sentence}");
            assert_eq!(availability.broken(&view), None, "{sentence}: told once");
        }
    }

    #[test]
    fn who_is_told_late_is_not_to_blame() {
        let rows = [
            ("nobody is told anything wrong", 0, 50, false),
            ("a status is late for a moment, and tells of one too many", 1, 50, true),
            ("it has been right again for a while", 1, 150, false),
        ];
        for (sentence, excess, milliseconds, fine) in rows {
            let mut bench = Bench::new();
            let pods = four(&mut bench);
            let mut availability = Availability::default();
            let look = |availability: &mut Availability, bench: &Bench| {
                let view = View { ended_by: &|_| SCALED_DOWN, ..View::of(&bench.store, bench.now) };
                availability.broken(&view)
            };
            for second in [1010, 1080] {
                bench.now = at(second);
                assert_eq!(look(&mut availability, &bench), None, "{sentence}: before");
            }
            let owner = bench.store.pod(pods[0]).and_then(|pod| pod.owner).unwrap();
            let mut tell = |bench: &mut Bench, replicas, available| {
                bench.store.update_replica_set(owner, |set| {
                    (set.replicas, set.status.available) = (replicas, available);
                    true
                });
                assert_eq!(look(&mut availability, bench), None, "{sentence}: {available} told");
            };
            tell(&mut bench, 4, 4 + excess);
            tell(&mut bench, 4, 4);
            bench.now += SimDuration::from_millis(milliseconds);
            tell(&mut bench, 2, 4);
            mark(&mut bench, &pods[..2]);
            assert_eq!(look(&mut availability, &bench).is_none(), fine, "{sentence}");
        }
    }

    fn mark(bench: &mut Bench, pods: &[PodId]) {
        for pod in pods {
            bench.store.mark_pod_deleted(*pod, bench.now);
        }
    }
}
