//! A rolling update takes no pod away that its strategy wants to keep.
//!
//! Faults, people, preemption and evictions may take more than `maxUnavailable` allows; then the
//! rollout is not to blame. So a Deployment is judged only while nothing but its own ReplicaSets
//! has taken available pods from it for a while, and while it had as many as it should have.

use super::{Finding, View};
use crate::api::pod::Pod;
use crate::api::workload::{Deployment, Strategy};
use crate::api::{DeploymentId, PodId};
use crate::units::{SimDuration, SimTime};
use std::collections::BTreeMap;

/// How long after a disturbance decisions may be under way that were right before it.
pub(super) const CALM: SimDuration = SimDuration::from_secs(60);
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
    available: u32,
    /// When something else than its ReplicaSets last took an available pod.
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
    min_ready: SimDuration,
}

/// What is counted of a Deployment at a look.
#[derive(Default)]
struct Count {
    available: u32,
    /// Available pods that its ReplicaSets have taken since the last look.
    taken: Vec<PodId>,
    /// A ReplicaSet has more pods than it should have.
    surplus: bool,
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
                available: 0,
                disturbed: view.now,
                promised: false,
                taken: Vec::new(),
            };
            let seen = self.seen.entry(id).or_insert(fresh);
            let count = count(view, id, terms.min_ready, self.looked);
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
        let Count { available, taken, surplus } = count;
        let new = taken.iter().filter(|pod| !self.taken.contains(pod)).count() as u32;
        if terms != self.terms || available + new < self.available {
            (self.disturbed, self.promised) = (now, false);
        }
        let broken = self.promised && new > 0 && available < terms.least;
        let calm = now.since(self.disturbed) >= CALM;
        let promised = (calm && !surplus || self.promised) && available >= terms.least;
        *self = Seen { terms, available, disturbed: self.disturbed, promised, taken };
        broken.then(|| {
            let Terms { replicas, least, .. } = terms;
            format!("{available} of {replicas} are available, {least} should be")
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
    let least = replicas.saturating_sub(away);
    Some(Terms { replicas, least, min_ready: deployment.min_ready })
}

fn count(view: &View<'_>, id: DeploymentId, min_ready: SimDuration, looked: SimTime) -> Count {
    let sets = view.store.replica_sets_of(id);
    let mut with_pods = sets.iter().filter(|set| !view.store.pods_of(**set).is_empty());
    let (first, second) = (with_pods.next(), with_pods.next());
    let mut count = Count::default();
    if let (Some(set), None, SimDuration::ZERO) = (first, second, min_ready) {
        // Nothing rolls: the store's numbers, which are recounted elsewhere, will do.
        let tally = view.store.tally_of(*set);
        let replicas = view.store.replica_set(*set).map_or(0, |set| set.replicas);
        (count.available, count.surplus) = (tally.active_ready, tally.active > replicas);
        return count;
    }
    for set_id in sets {
        let Some(set) = view.store.replica_set(*set_id) else { continue };
        let mut active = 0;
        for pod_id in view.store.pods_of(*set_id) {
            let Some(pod) = view.store.pod(*pod_id) else { continue };
            active += u32::from(pod.is_active());
            match pod.deletion.get() {
                None => count.available += u32::from(is_available(pod, min_ready, view.now)),
                Some(at) if at >= looked && is_available(pod, min_ready, at) => {
                    if (view.ended_by)(*pod_id) == SCALED_DOWN {
                        count.taken.push(*pod_id);
                    }
                }
                Some(_) => {}
            }
        }
        count.surplus |= active > set.replicas;
    }
    count
}

/// Times of the API are whole seconds.
fn is_available(pod: &Pod, min_ready: SimDuration, now: SimTime) -> bool {
    let since = SimTime::from_secs(pod.ready_changed.whole_secs());
    pod.ready && (min_ready == SimDuration::ZERO || since + min_ready <= now)
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

    fn mark(bench: &mut Bench, pods: &[PodId]) {
        for pod in pods {
            bench.store.mark_pod_deleted(*pod, bench.now);
        }
    }
}
