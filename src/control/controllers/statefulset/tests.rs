//! What the statefulset controller decides, row by row.

use super::*;
use crate::api::PodId;
use crate::api::labels::Labels;
use crate::api::meta::Propagation;
use crate::api::pod::PodPhase;
use crate::api::stateful_set::{
    Claim, ClaimOwner, ClaimRetention, POD_INDEX_LABEL, POD_NAME_LABEL, REVISION_LABEL,
};
use crate::api::workload::IntOrPercent;
use crate::control::controllers::testing::{Bench, at, bare_pod, secs, template};
use crate::units::SimTime;

/// A StatefulSet `db`, and a node for its pods.
struct Cluster {
    bench: Bench,
    set: OwnerId,
    node: crate::api::NodeId,
}

impl Cluster {
    fn new(replicas: u32) -> Cluster {
        let mut bench = Bench::new();
        let node = bench.node("n", "z");
        let set = bench.stateful_set("db", replicas);
        Cluster { bench, set, node }
    }

    /// One whose pods all run.
    fn running(replicas: u32, is_parallel: bool) -> Cluster {
        let mut cluster = Cluster::new(replicas);
        cluster.change(|set| set.is_parallel = is_parallel);
        for _ in 0..=replicas {
            cluster.settle();
            cluster.run_all();
        }
        cluster.settle();
        cluster.bench.told();
        cluster
    }

    fn get(&self) -> &StatefulSet {
        self.bench.store.stateful_set(self.set).unwrap()
    }

    fn change(&mut self, change: impl FnOnce(&mut StatefulSet)) {
        self.bench.store.update_stateful_set(self.set, |set| {
            change(set);
            set.meta.generation += 1;
            true
        });
    }

    fn sync(&self) -> Outcome {
        sync(self.set, &self.bench.store, self.bench.now)
    }

    /// Syncs until nothing is asked for any more.
    fn settle(&mut self) {
        for _ in 0..20 {
            let outcome = self.sync();
            if outcome.batches.is_empty() {
                return;
            }
            self.bench.apply(&outcome);
        }
        panic!("it does not come to rest");
    }

    fn pods(&self) -> Vec<PodId> {
        self.bench.store.pods_of(self.set).to_vec()
    }

    fn pod(&self, ordinal: u32) -> PodId {
        let name = self.get().pod_name(ordinal);
        let named = |pod: &&PodId| self.bench.store.pod(**pod).unwrap().name() == name;
        *self.pods().iter().find(named).unwrap()
    }

    /// All pods that wait run and are ready.
    fn run_all(&mut self) {
        for pod in self.pods() {
            if self.bench.store.pod(pod).unwrap().node.is_none() {
                self.bench.store.bind_pod(pod, self.node, self.bench.now);
                self.bench.run(pod);
            }
        }
    }

    fn unready(&mut self, ordinal: u32) {
        self.bench.store.set_pod_ready(self.pod(ordinal), false, self.bench.now);
    }

    fn mark(&mut self, ordinal: u32) {
        self.bench.store.mark_pod_deleted(self.pod(ordinal), self.bench.now);
    }

    /// Pods that are being deleted are gone.
    fn bury(&mut self) {
        for pod in self.pods() {
            if self.bench.store.pod(pod).unwrap().deletion.is_some() {
                self.bench.store.remove_pod(pod);
            }
        }
    }

    /// Another template.
    fn update(&mut self, hash: &str) {
        self.change(|set| set.template.hash = hash.into());
    }

    /// Ordinals and revisions of the pods, by ordinal; those that go are left out.
    fn revisions(&self) -> Vec<String> {
        let told = |pod: &PodId| {
            let pod = self.bench.store.pod(*pod).unwrap();
            let revision = pod.labels.get(REVISION_LABEL).unwrap();
            pod.deletion.is_none().then(|| format!("{} {revision}", pod.name()))
        };
        let mut all: Vec<String> = self.pods().iter().filter_map(told).collect();
        all.sort();
        all
    }

    /// The ordinals of pods that a sync deletes, batch by batch.
    fn victims(&self) -> Vec<Vec<u32>> {
        let ordinal = |action: &Action| match action {
            Action::DeletePod { pod, .. } => {
                self.get().ordinal_of(&self.bench.store.pod(*pod).unwrap().name())
            }
            _ => None,
        };
        let batches = self.sync().batches.into_iter();
        let all = batches.map(|batch| batch.iter().filter_map(ordinal).collect::<Vec<u32>>());
        all.filter(|batch| !batch.is_empty()).collect()
    }
}

/// Names of the pods that are created, batch by batch.
fn created(outcome: &Outcome) -> Vec<Vec<String>> {
    let name = |action: &Action| match action {
        Action::CreatePodAs { pod, .. } => match &pod.name {
            crate::control::controllers::action::NewName::Is(name) => Some(name.to_string()),
            crate::control::controllers::action::NewName::Generated(_) => None,
        },
        _ => None,
    };
    let all = outcome.batches.iter().map(|batch| batch.iter().filter_map(name).collect::<Vec<_>>());
    all.filter(|batch| !batch.is_empty()).collect()
}

#[test]
fn pods_come_one_after_the_other() {
    let mut cluster = Cluster::new(2);
    cluster.settle();
    assert_eq!(cluster.pods().len(), 1, "the second waits for the first");
    let pod = cluster.bench.store.pod(cluster.pods()[0]).unwrap();
    let labels = ["app", POD_NAME_LABEL, POD_INDEX_LABEL, REVISION_LABEL]
        .map(|key| pod.labels.get(key).unwrap().to_string());
    assert_eq!(labels, ["db", "db-0", "0", "db-v1"]);
    cluster.run_all();
    cluster.settle();
    assert_eq!(cluster.pods().len(), 2, "it runs and is ready");
    cluster.run_all();
    cluster.settle();
    let told = ["db-0", "db-1"]
        .map(|pod| format!("SuccessfulCreate: Create Pod {pod} in StatefulSet db successful"));
    assert_eq!(cluster.bench.told(), told);
    let status = &cluster.get().status;
    assert_eq!((status.replicas, status.ready, status.available), (2, 2, 2));
    assert_eq!((status.current, status.updated), (2, 2));
}

#[test]
fn parallel_pods_come_in_batches() {
    let names = |ordinals: &[u32]| ordinals.iter().map(|n| format!("db-{n}")).collect::<Vec<_>>();
    let mut cluster = Cluster::new(5);
    cluster.change(|set| (set.is_parallel, set.first_ordinal) = (true, 3));
    let all = [names(&[3]), names(&[4, 5]), names(&[6, 7])];
    assert_eq!(created(&cluster.sync()), all, "of 1, 2, 4, ... from the first ordinal on");
    cluster.settle();
    cluster.change(|set| set.replicas = 9);
    let more = [names(&[8, 9]), names(&[10, 11])];
    assert_eq!(created(&cluster.sync()), more, "places that have a pod count in their batch");
}

#[test]
fn a_smaller_set_loses_the_last_pods() {
    type Arrange = fn(&mut Cluster);
    let rows: [(&str, bool, Arrange, &[&[u32]]); 8] = [
        ("in order only the last one goes", false, |_| {}, &[&[4]]),
        ("and the next when it is gone", false, |c| c.mark(4), &[]),
        ("all wait for one that is to stay", false, |c| c.unready(0), &[]),
        ("the last one may be unready itself", false, |c| c.unready(4), &[&[4]]),
        (
            "but then not another one before it",
            false,
            |c| {
                c.unready(4);
                c.unready(3);
            },
            &[],
        ),
        ("one before it that is too many does not matter", false, |c| c.unready(3), &[&[4]]),
        ("in parallel all go", true, |_| {}, &[&[4], &[3, 2]]),
        ("whatever the others do", true, |c| c.unready(0), &[&[4], &[3, 2]]),
    ];
    for (sentence, is_parallel, arrange, expected) in rows {
        let mut cluster = Cluster::running(5, is_parallel);
        cluster.change(|set| set.replicas = 2);
        arrange(&mut cluster);
        assert_eq!(cluster.victims(), expected, "{sentence}");
    }
}

#[test]
fn pods_of_an_older_revision_go() {
    type Arrange = fn(&mut Cluster);
    let rolling =
        |partition, max_unavailable| UpdateStrategy::RollingUpdate { partition, max_unavailable };
    let (one, two) = (IntOrPercent::Int(1), IntOrPercent::Int(2));
    type Row = (&'static str, bool, UpdateStrategy, Arrange, &'static [&'static [u32]]);
    let rows: [Row; 12] = [
        ("the last one first", false, rolling(0, one), |_| {}, &[&[5]]),
        ("no more than two may be away", false, rolling(0, two), |_| {}, &[&[5], &[4]]),
        (
            "half of five is two",
            false,
            rolling(0, IntOrPercent::Percent(40)),
            |_| {},
            &[&[5], &[4]],
        ),
        ("a small share is one", false, rolling(0, IntOrPercent::Percent(1)), |_| {}, &[&[5]]),
        ("not below the partition", false, rolling(5, two), |_| {}, &[&[5]]),
        ("nor at all above all", false, rolling(9, two), |_| {}, &[]),
        ("on delete nothing goes", false, UpdateStrategy::OnDelete, |_| {}, &[]),
        (
            "in order one that is not ready holds up all",
            false,
            rolling(0, two),
            |c| c.unready(1),
            &[],
        ),
        ("in parallel it goes first", true, rolling(0, one), |c| c.unready(1), &[&[1]]),
        ("and another one beside it", true, rolling(0, two), |c| c.unready(1), &[&[1], &[5]]),
        (
            "all that are away go, however many",
            true,
            rolling(0, one),
            |c| (0..4).for_each(|n| c.unready(n)),
            &[&[3], &[2], &[1], &[0]],
        ),
        ("one that goes already counts", true, rolling(0, two), |c| c.mark(2), &[&[5]]),
    ];
    for (sentence, is_parallel, strategy, arrange, expected) in rows {
        let mut cluster = Cluster::running(6, is_parallel);
        cluster.change(|set| set.update = strategy);
        cluster.settle();
        cluster.update("v2");
        arrange(&mut cluster);
        assert_eq!(cluster.victims(), expected, "{sentence}");
    }
}

#[test]
fn an_update_runs_from_the_last_pod_to_the_first() {
    let mut cluster = Cluster::running(3, false);
    cluster.update("v2");
    for ready in [["db-0 db-v1", "db-1 db-v1"].as_slice(), &["db-0 db-v1"], &[]] {
        cluster.settle();
        assert!(
            cluster
                .revisions()
                .starts_with(&ready.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>())
        );
        let status = &cluster.get().status;
        assert_eq!((&*status.current_revision, &*status.update_revision), ("db-v1", "db-v2"));
        assert_eq!(status.current as usize, ready.len());
        cluster.bury();
        cluster.settle();
        cluster.run_all();
    }
    cluster.settle();
    assert_eq!(cluster.revisions(), ["db-0 db-v2", "db-1 db-v2", "db-2 db-v2"]);
    let status = &cluster.get().status;
    assert_eq!((&*status.current_revision, status.current), ("db-v2", 3), "then it is complete");
}

#[test]
fn below_the_partition_a_lost_pod_comes_back_as_it_was() {
    let mut cluster = Cluster::running(3, false);
    cluster.change(|set| {
        let max_unavailable = IntOrPercent::Int(1);
        set.update = UpdateStrategy::RollingUpdate { partition: 2, max_unavailable };
        set.template.hash = "v2".into();
    });
    cluster.mark(0);
    cluster.settle();
    cluster.bury();
    cluster.settle();
    assert_eq!(cluster.revisions(), ["db-0 db-v1", "db-1 db-v1", "db-2 db-v1"]);
}

#[test]
fn an_update_that_is_stuck_stays_so() {
    let mut cluster = Cluster::running(3, false);
    cluster.update("bad");
    cluster.settle();
    cluster.bury();
    cluster.settle();
    let broken = ["db-0 db-v1", "db-1 db-v1", "db-2 db-bad"];
    assert_eq!(cluster.revisions(), broken, "the new pod is not ready");
    cluster.update("v1");
    cluster.settle();
    assert_eq!(cluster.revisions(), broken, "going back does not mend it");
    let status = &cluster.get().status;
    assert_eq!((&*status.current_revision, &*status.update_revision), ("db-v1", "db-v1"));
    cluster.mark(2);
    cluster.bury();
    cluster.settle();
    assert_eq!(cluster.revisions(), ["db-0 db-v1", "db-1 db-v1", "db-2 db-v1"], "a deletion does");
}

#[test]
fn revisions_are_numbered_and_forgotten() {
    let mut cluster = Cluster::new(0);
    cluster.change(|set| set.revision_history_limit = 1);
    let numbers = |cluster: &Cluster| {
        let revisions = cluster.get().revisions.iter();
        let mut all: Vec<_> =
            revisions.map(|revision| (revision.number, revision.name.to_string())).collect();
        all.sort();
        all
    };
    let revision = |number: u64, name: &str| (number, name.to_owned());
    for hash in ["v1", "v2", "v1"] {
        cluster.update(hash);
        cluster.settle();
    }
    assert_eq!(numbers(&cluster), [revision(2, "db-v2"), revision(3, "db-v1")], "v1 is the newest");
    for hash in ["v3", "v4"] {
        cluster.update(hash);
        cluster.settle();
    }
    assert_eq!(numbers(&cluster), [revision(4, "db-v3"), revision(5, "db-v4")], "one is kept");
}

#[test]
fn ended_pods_are_replaced_once_they_are_gone() {
    for phase in [PodPhase::Failed, PodPhase::Succeeded] {
        for is_parallel in [false, true] {
            let mut cluster = Cluster::running(2, is_parallel);
            let pod = cluster.pod(0);
            cluster.unready(0);
            cluster.bench.store.set_pod_phase(pod, phase);
            assert_eq!(cluster.victims(), [[0]], "{phase:?}");
            cluster.settle();
            assert_eq!(created(&cluster.sync()).len(), 0, "{phase:?}: its object is still there");
            cluster.bury();
            cluster.settle();
            assert_eq!(cluster.revisions(), ["db-0 db-v1", "db-1 db-v1"], "{phase:?}");
        }
    }
}

#[test]
fn a_pod_is_available_some_time_after_its_whole_second() {
    let mut cluster = Cluster::new(2);
    cluster.change(|set| set.min_ready = secs(4));
    cluster.settle();
    cluster.bench.now = SimTime(1_001_600_000_000);
    cluster.run_all();
    cluster.settle();
    assert_eq!((cluster.get().status.ready, cluster.get().status.available), (1, 0));
    assert_eq!(cluster.sync().wake_at, at(1005), "ready in second 1001, plus 4");
    assert_eq!(cluster.pods().len(), 1, "the next one waits for that");
    cluster.bench.now = at(1005);
    cluster.settle();
    assert_eq!((cluster.pods().len(), cluster.get().status.available), (2, 1));
}

#[test]
fn pods_are_adopted_and_let_go() {
    let labels = |app: &str| Labels::from([("app", app)]);
    let rows = [
        ("one that is called so and labelled so", "db-1", labels("db"), true),
        ("another name", "db-x", labels("db"), false),
        ("of another set", "web-1", labels("db"), false),
        ("other labels", "db-1", labels("web"), false),
    ];
    for (sentence, name, labels, is_adopted) in rows {
        let mut cluster = Cluster::new(2);
        let pod = bare_pod(name, labels, template("db").spec, cluster.bench.now);
        let pod = cluster.bench.store.create_pod(pod);
        cluster.bench.apply(&cluster.sync());
        let owner = cluster.bench.store.pod(pod).unwrap().owner;
        assert_eq!(owner, is_adopted.then_some(cluster.set), "{sentence}");
    }
    let mut cluster = Cluster::running(2, false);
    let pod = cluster.pod(1);
    cluster.bench.store.relabel_pod(pod, labels("web"));
    cluster.bench.apply(&cluster.sync());
    assert_eq!(cluster.bench.store.pod(pod).unwrap().owner, None, "it no longer matches");
}

#[test]
fn a_pod_gets_its_identity_back() {
    let mut cluster = Cluster::running(1, false);
    let pod = cluster.pod(0);
    let labels = cluster.bench.store.pod(pod).unwrap().labels.without(POD_NAME_LABEL);
    cluster.bench.store.relabel_pod(pod, labels.without(POD_INDEX_LABEL));
    cluster.settle();
    let labels = cluster.bench.store.pod(pod).unwrap().labels.clone();
    let own = [POD_NAME_LABEL, POD_INDEX_LABEL].map(|key| labels.get(key).unwrap().to_string());
    assert_eq!(own, ["db-0", "0"]);
    let told = ["SuccessfulUpdate: Update Pod db-0 in StatefulSet db successful"];
    assert_eq!(cluster.bench.told(), told);
}

#[test]
fn a_set_that_is_deleted_only_counts() {
    let mut cluster = Cluster::running(3, false);
    cluster.change(|set| set.meta.deletion = Some(Propagation::Foreground));
    cluster.mark(2);
    cluster.bury();
    cluster.settle();
    assert_eq!(cluster.pods().len(), 2, "nothing comes back");
    assert_eq!(cluster.get().status.replicas, 2);
}

/// A set of claims `data`.
fn with_claims(replicas: u32, goes_with_set: bool, goes_with_pod: bool) -> Cluster {
    let mut cluster = Cluster::new(replicas);
    cluster.change(|set| {
        set.claim_templates = vec!["data".into()];
        set.retention = ClaimRetention { goes_with_set, goes_with_pod };
    });
    for _ in 0..=replicas {
        cluster.settle();
        cluster.run_all();
    }
    cluster.settle();
    cluster
}

fn claims(cluster: &Cluster) -> Vec<(String, Option<ClaimOwner>)> {
    let claims = cluster.bench.store.claims();
    claims.map(|(_, claim)| (claim.name.to_string(), claim.owner)).collect()
}

#[test]
fn claims_come_before_their_pods() {
    let mut cluster = Cluster::new(1);
    cluster.change(|set| set.claim_templates = vec!["data".into(), "log".into()]);
    let outcome = cluster.sync();
    let is_claim = |action: &Action| {
        matches!(action, Action::StatefulSet(request)
            if matches!(**request, Request::CreateClaim(_)))
    };
    let place = |is_it: &dyn Fn(&Action) -> bool| {
        outcome.batches.iter().position(|batch| batch.iter().any(is_it)).unwrap()
    };
    let is_pod = |action: &Action| matches!(action, Action::CreatePodAs { .. });
    assert!(place(&is_claim) < place(&is_pod));
    cluster.settle();
    let told = [
        "Create Claim data-db-0 Pod db-0 in StatefulSet db success",
        "Create Claim log-db-0 Pod db-0 in StatefulSet db success",
        "Create Pod db-0 in StatefulSet db successful",
    ];
    assert_eq!(cluster.bench.told(), told.map(|text| format!("SuccessfulCreate: {text}")));
    assert_eq!(claims(&cluster), [("data-db-0".to_owned(), None), ("log-db-0".to_owned(), None)]);
}

#[test]
fn claims_go_as_the_policy_says() {
    type Owner = fn(&Cluster) -> Option<ClaimOwner>;
    let none: Owner = |_| None;
    let set: Owner = |c| Some(ClaimOwner::Set(c.set));
    let pod: Owner = |c| Some(ClaimOwner::Pod(c.pod(1)));
    let rows = [
        ("they stay", (false, false), none, none),
        ("with the set", (true, false), set, set),
        ("with a pod that is too many", (false, true), none, pod),
        ("with both", (true, true), set, pod),
    ];
    for (sentence, (goes_with_set, goes_with_pod), wanted, too_many) in rows {
        let mut cluster = with_claims(2, goes_with_set, goes_with_pod);
        let (first, second) = ("data-db-0".to_owned(), "data-db-1".to_owned());
        let owner = wanted(&cluster);
        assert_eq!(
            claims(&cluster),
            [(first.clone(), owner), (second.clone(), owner)],
            "{sentence}"
        );
        cluster.change(|set| set.replicas = 1);
        cluster.settle();
        let last = too_many(&cluster);
        assert_eq!(claims(&cluster), [(first, owner), (second, last)], "{sentence}");
    }
}

#[test]
fn a_policy_that_changes_is_an_update_of_pods() {
    let mut cluster = with_claims(1, false, false);
    cluster.bench.told();
    cluster.change(|set| set.retention.goes_with_set = true);
    cluster.settle();
    let owner = Some(ClaimOwner::Set(cluster.set));
    assert_eq!(claims(&cluster), [("data-db-0".to_owned(), owner)]);
    let told = ["SuccessfulUpdate: Update Pod db-0 in StatefulSet db successful"];
    assert_eq!(cluster.bench.told(), told);
}

#[test]
fn a_pod_waits_for_claims_that_go() {
    type Change = fn(&mut Claim, PodId);
    let rows: [(&str, Change, bool, Option<&str>); 3] = [
        ("a claim that stays is taken over", |_, _| {}, true, None),
        (
            "one that goes with the pod before holds it up",
            |claim, pod| claim.owner = Some(ClaimOwner::Pod(pod)),
            false,
            None,
        ),
        (
            "one that is being deleted does, and it is told",
            |claim, _| claim.is_deleted = true,
            true,
            Some(
                "!FailedCreate: Create Pod db-0 in StatefulSet db failed error: pvc data-db-0 is \
                 being deleted",
            ),
        ),
    ];
    for (sentence, change, asks, tells) in rows {
        let mut cluster = with_claims(1, false, true);
        let (pod, id) = (cluster.pod(0), cluster.bench.store.claims().next().unwrap().0);
        cluster.mark(0);
        cluster.bury();
        cluster.bench.store.update_claim(id, |claim| {
            change(claim, pod);
            true
        });
        cluster.bench.told();
        let outcome = cluster.sync();
        assert_eq!(!created(&outcome).is_empty(), asks, "{sentence}");
        cluster.bench.apply(&outcome);
        let told = cluster.bench.told();
        assert_eq!(told.first().filter(|t| t.starts_with('!')).map(|t| &**t), tells, "{sentence}");
    }
}
