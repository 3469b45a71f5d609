//! The graph of owners: what an object controls knows it, is in its namespace, and is collected
//! when it is gone.

use super::{Finding, View};
use crate::api::owner::{Owner, Parent};
use crate::api::{OwnerId, PodId};
use crate::store::Store;
use crate::units::{SimDuration, SimTime};

/// The name of the invariant.
const SOUND: &str = "the graph of owners is sound";
/// How long the garbage collector may stand still before something whose owner is gone.
const PATIENCE: SimDuration = SimDuration::from_secs(600);
/// How many changes an API server that works makes in such a time at least: without them nobody
/// could have collected anything.
const CHANGES: u64 = 50;

/// What is left behind by owners that are gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct LeftBehind {
    first: Child,
    count: usize,
}

/// Something that has an owner.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Child {
    Pod(PodId),
    Owner(OwnerId),
}

/// What was left behind at the last look, and since when nothing of it has gone.
#[derive(Debug, Default)]
pub(super) struct Graph {
    since: Option<(LeftBehind, SimTime, u64)>,
}

impl Graph {
    /// The first thing wrong with who owns what.
    pub(super) fn unsound(&mut self, view: &View<'_>) -> Finding {
        let (pods, found) = pods_left_behind(view.store);
        found.or_else(|| strangers(view.store)).or_else(|| self.forgotten(view, pods))
    }

    /// Objects whose owner is gone and that nobody deletes.
    fn forgotten(&mut self, view: &View<'_>, pods: Option<LeftBehind>) -> Finding {
        let Some(left) = left_behind(view.store, pods) else {
            self.since = None;
            return None;
        };
        let version = view.store.resource_version();
        let (_, since, changes) = match self.since {
            Some(same) if same.0 == left && view.is_led => same,
            _ => *self.since.insert((left, view.now, version)),
        };
        let stands_still = view.now.since(since) > PATIENCE && version > changes + CHANGES;
        stands_still.then(|| {
            let LeftBehind { first, count } = left;
            (SOUND, format!("{count} objects outlive their owners since {since}, {first:?} first"))
        })
    }
}

/// Something that a Deployment or CronJob lists and that names another one, or is in another
/// namespace.
fn strangers(store: &Store) -> Finding {
    let mut listed = 0;
    for (id, deployment) in store.deployments() {
        for set in store.replica_sets_of(id) {
            let Some(owner) = store.owner(*set) else { continue };
            listed += 1;
            let of_it = owner.parent() == Some(Parent::Deployment(id));
            if !of_it || *owner.namespace() != deployment.namespace {
                return Some((SOUND, format!("{} lists {}", deployment.name, owner.name())));
            }
        }
    }
    for (id, cron_job) in store.cron_jobs() {
        for job in store.jobs_of(id) {
            let Some(owner) = store.owner(*job) else { continue };
            listed += 1;
            let of_it = owner.parent() == Some(Parent::CronJob(id));
            if !of_it || *owner.namespace() != cron_job.meta.namespace {
                return Some((SOUND, format!("{} lists {}", cron_job.meta.name, owner.name())));
            }
        }
    }
    let controlled = store.owners().filter(|(_, owner)| is_parent_there(store, owner)).count();
    (controlled != listed)
        .then(|| (SOUND, format!("{controlled} objects have parents, which list {listed}")))
}

/// Whether what controls an owner is there; false when nothing does.
fn is_parent_there(store: &Store, owner: &Owner) -> bool {
    match owner.parent() {
        Some(Parent::Deployment(id)) => store.deployment(id).is_some(),
        Some(Parent::CronJob(id)) => store.cron_job(id).is_some(),
        None => false,
    }
}

/// Pods that name an owner that is not there, and that nobody has begun to delete; and one that is
/// in another namespace than its owner.
fn pods_left_behind(store: &Store) -> (Option<LeftBehind>, Finding) {
    let (mut left, mut found) = (None, None);
    for (id, pod) in store.pods() {
        let Some(owner) = pod.owner else { continue };
        match store.owner(owner) {
            Some(owner) if pod.namespace == *owner.namespace() => {}
            Some(owner) => {
                let of = format!("{}/{}", owner.kind(), owner.name());
                found = Some((SOUND, format!("{of} has pod {} elsewhere", pod.name())));
            }
            None if pod.deletion.is_some() => {}
            None => left = Some(one_more(left, Child::Pod(id))),
        }
    }
    (left, found)
}

/// Those pods, and ReplicaSets and Jobs of which the same is true.
fn left_behind(store: &Store, pods: Option<LeftBehind>) -> Option<LeftBehind> {
    let owners = store.owners().filter(|(_, owner)| {
        owner.parent().is_some() && owner.deletion().is_none() && !is_parent_there(store, owner)
    });
    owners.fold(pods, |left, (id, _)| Some(one_more(left, Child::Owner(id))))
}

fn one_more(left: Option<LeftBehind>, child: Child) -> LeftBehind {
    let LeftBehind { first, count } = left.unwrap_or(LeftBehind { first: child, count: 0 });
    LeftBehind { first, count: count + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::controllers::testing::{Bench, at};

    fn look(graph: &mut Graph, bench: &Bench) -> Finding {
        graph.unsound(&View::of(&bench.store, bench.now))
    }

    #[test]
    fn what_is_left_behind_is_to_be_collected() {
        type Act = fn(&mut Bench, PodId);
        let rows: [(&str, u64, Act, bool); 5] = [
            ("just now", 1300, |_, _| {}, true),
            ("nobody collects it", 1700, |_, _| {}, false),
            (
                "it is being deleted",
                1700,
                |bench, pod| _ = bench.store.mark_pod_deleted(pod, at(1200)),
                true,
            ),
            (
                "it is nobody's any more",
                1700,
                |bench, pod| bench.store.set_pod_owner(pod, None),
                true,
            ),
            ("it is gone", 1700, |bench, pod| _ = bench.store.remove_pod(pod), true),
        ];
        for (sentence, second, act, fine) in rows {
            let mut bench = Bench::new();
            let set = bench.replica_set("web", 1);
            let pod = bench.pod(set);
            let mut graph = Graph::default();
            bench.store.remove_owner(set);
            assert_eq!(look(&mut graph, &bench), None, "{sentence}: at first");
            act(&mut bench, pod);
            // Others go on.
            let other = bench.replica_set("other", 1);
            (0..60).for_each(|_| _ = bench.pod(other));
            bench.now = at(second);
            assert_eq!(look(&mut graph, &bench).is_none(), fine, "{sentence}");
        }
    }

    #[test]
    fn an_api_server_that_does_nothing_collects_nothing() {
        let mut bench = Bench::new();
        let set = bench.replica_set("web", 1);
        bench.pod(set);
        let mut graph = Graph::default();
        bench.store.remove_owner(set);
        look(&mut graph, &bench);
        bench.now = at(100_000);
        assert_eq!(look(&mut graph, &bench), None, "nothing at all has changed");
    }

    #[test]
    fn owners_and_what_they_list_agree() {
        type Change = fn(&mut Bench, OwnerId);
        let rows: [(&str, Change, bool); 3] = [
            ("as it should be", |_, _| {}, true),
            (
                "a ReplicaSet in another namespace than its Deployment",
                |bench, set| {
                    bench.store.update_replica_set(set, |set| {
                        set.namespace = "elsewhere".into();
                        true
                    });
                },
                false,
            ),
            (
                "one that names a Deployment that does not list it",
                |bench, set| {
                    let other = bench.deployment("other", 1);
                    bench.store.update_replica_set(set, |set| {
                        set.owner = Some(other);
                        true
                    });
                },
                false,
            ),
        ];
        for (sentence, change, fine) in rows {
            let mut bench = Bench::new();
            let deployment = bench.deployment("web", 1);
            let set = bench.replica_set_of("web", 1, Some(deployment));
            change(&mut bench, set);
            assert_eq!(look(&mut Graph::default(), &bench).is_none(), fine, "{sentence}");
        }
    }
}
