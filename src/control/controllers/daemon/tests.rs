//! Table tests of the daemonset controller.

use super::*;
use crate::api::daemon_set::{DaemonSetStatus, Revision};
use crate::api::meta::Meta;
use crate::api::node_affinity::{NodeAffinity, NodeSelectorTerm};
use crate::api::pod::{PodPhase, PodSpec};
use crate::api::taint::{NOT_READY, TaintEffect, Toleration, TolerationOperator, UNREACHABLE};
use crate::api::workload::IntOrPercent::{self, Int, Percent};
use crate::control::controllers::testing::{Bench, at, secs, template as any_template};
use crate::units::SimDuration;
use std::sync::Arc;

const ROLLING: fn(IntOrPercent, IntOrPercent) -> DaemonStrategy =
    |max_surge, max_unavailable| DaemonStrategy::RollingUpdate { max_surge, max_unavailable };

fn daemon_set(bench: &mut Bench, strategy: DaemonStrategy) -> OwnerId {
    let meta = Meta {
        name: "agent".into(),
        namespace: "default".into(),
        generation: 1,
        created: bench.now,
        ..Meta::default()
    };
    let template = any_template("agent");
    let selector = crate::api::labels::Selector::from_labels(&template.labels);
    let set = DaemonSet {
        meta,
        selector,
        template,
        strategy,
        min_ready: SimDuration::ZERO,
        revision_history_limit: 10,
        template_generation: 1,
        revisions: Vec::new(),
        status: DaemonSetStatus::default(),
    };
    bench.store.create_owner(crate::api::owner::Owner::DaemonSet(Box::new(set)))
}

/// A cluster with a DaemonSet.
struct Scene {
    bench: Bench,
    daemons: Daemons,
    nodes: Vec<NodeId>,
    set: OwnerId,
}

impl Scene {
    fn new(nodes: usize, strategy: DaemonStrategy) -> Scene {
        let mut bench = Bench::new();
        let nodes = (0..nodes).map(|n| bench.node(&format!("n{n}"), "z")).collect();
        let set = daemon_set(&mut bench, strategy);
        Scene { bench, daemons: Daemons::default(), nodes, set }
    }

    /// One where each node has its pod, ready for a long time.
    fn settled(nodes: usize, strategy: DaemonStrategy) -> Scene {
        let mut scene = Scene::new(nodes, strategy);
        scene.sync();
        scene.start_all();
        scene.sync();
        scene.bench.now += secs(100);
        scene
    }

    fn sync(&mut self) -> Outcome {
        let outcome = self.daemons.sync(self.set, &self.bench.store, self.bench.now);
        self.bench.apply(&outcome);
        outcome
    }

    /// The scheduler and the kubelets do their work.
    fn start_all(&mut self) {
        for pod in self.pods() {
            let p = self.bench.store.pod(pod).unwrap();
            let Some(name) = template::target(p).cloned().filter(|_| p.node.is_none()) else {
                continue;
            };
            let named = self.bench.store.nodes().find(|(_, node)| node.name == name);
            if let Some(node) = named.map(|(id, _)| id) {
                self.bench.store.bind_pod(pod, node, self.bench.now);
                self.bench.run(pod);
            }
        }
    }

    fn pods(&self) -> Vec<PodId> {
        self.bench.store.pods_of(self.set).to_vec()
    }

    /// Pods that are marked for deletion end.
    fn end_marked(&mut self) {
        for pod in self.pods() {
            if self.bench.store.pod(pod).unwrap().deletion.is_some() {
                self.bench.store.remove_pod(pod);
            }
        }
    }

    fn update(&mut self, change: impl Fn(&mut DaemonSet)) {
        self.bench.store.update_daemon_set(self.set, |set| {
            change(set);
            true
        });
    }

    /// Another template.
    fn renew(&mut self, hash: &str) {
        self.update(|set| {
            let mut given = set.clone();
            given.template.hash = hash.into();
            set.apply(&given);
        });
    }

    fn taint(&mut self, node: usize, key: &str, effect: TaintEffect) {
        self.bench.store.update_node(self.nodes[node], |n| {
            n.taints.push(Taint::new(key, effect, SimTime::ZERO));
            true
        });
    }

    fn status(&self) -> DaemonSetStatus {
        self.bench.store.daemon_set(self.set).unwrap().status
    }
}

/// Nodes that pods are made for, and pods that are deleted, by their places.
fn asked(outcome: &Outcome, scene: &Scene, pods: &[PodId]) -> (Vec<String>, Vec<usize>) {
    let (mut made, mut deleted) = (Vec::new(), Vec::new());
    for action in outcome.batches.iter().flatten() {
        match action {
            Action::CreatePodAs { pod, .. } => {
                let affinity = pod.spec.node_affinity.as_ref().unwrap();
                let term = &affinity.required.as_ref().unwrap()[0];
                made.push(term.match_fields[0].values[0].to_string());
            }
            Action::DeletePod { pod, .. } => {
                deleted.push(pods.iter().position(|known| known == pod).unwrap());
            }
            _ => {}
        }
    }
    assert!(made.len() <= scene.bench.store.node_count());
    (made, deleted)
}

#[test]
fn daemons_run_where_they_are_meant_to() {
    use TaintEffect::{NoExecute, NoSchedule, PreferNoSchedule};
    type Change = fn(&mut PodSpec);
    type Row<'a> = (&'a str, Change, Option<(&'a str, TaintEffect)>, (bool, bool));
    let plain: Change = |_| {};
    #[rustfmt::skip]
    let rows: [Row<'_>; 16] = [
        ("on any node", plain, None, (true, true)),
        ("not where a taint keeps pods away, but what is there stays", plain, Some(("x", NoSchedule)), (false, true)),
        ("nor stays it where a taint drives pods out", plain, Some(("x", NoExecute)), (false, false)),
        ("a taint that only asks is no matter", plain, Some(("x", PreferNoSchedule)), (true, true)),
        ("a cordoned node is fine", plain, Some(("node.kubernetes.io/unschedulable", NoSchedule)), (true, true)),
        ("so is one short of memory", plain, Some(("node.kubernetes.io/memory-pressure", NoSchedule)), (true, true)),
        ("of disk", plain, Some(("node.kubernetes.io/disk-pressure", NoSchedule)), (true, true)),
        ("or of process ids", plain, Some(("node.kubernetes.io/pid-pressure", NoSchedule)), (true, true)),
        ("one without network is not", plain, Some(("node.kubernetes.io/network-unavailable", NoSchedule)), (false, true)),
        ("but for a pod on the host's network", |spec| spec.host_network = true, Some(("node.kubernetes.io/network-unavailable", NoSchedule)), (true, true)),
        ("a new node has to be ready first", plain, Some((NOT_READY, NoSchedule)), (false, true)),
        ("no lost node drives it out", plain, Some((UNREACHABLE, NoExecute)), (true, true)),
        (
            "what the template tolerates is fine",
            |spec| spec.tolerations.push(Toleration {
                key: "x".into(),
                operator: TolerationOperator::Exists,
                value: "".into(),
                effect: None,
                seconds: None,
            }),
            Some(("x", NoExecute)),
            (true, true),
        ),
        (
            "not on nodes that the template does not select",
            |spec| spec.node_selector = Labels::from([("role", "edge")]),
            None,
            (false, false),
        ),
        (
            "nor on those that its affinity does not match",
            |spec| spec.node_affinity = Some(Box::new(NodeAffinity {
                required: Some(vec![NodeSelectorTerm::default()]),
                preferred: Vec::new(),
            })),
            None,
            (false, false),
        ),
        ("nor on others than the one that it names", |spec| spec.node_name = Some("m".into()), None, (false, false)),
    ];
    for (sentence, change, taint, expected) in rows {
        let mut scene = Scene::new(1, DaemonStrategy::OnDelete);
        if let Some((key, effect)) = taint {
            scene.taint(0, key, effect);
        }
        scene.update(|set| change(Arc::make_mut(&mut set.template.spec)));
        let set = scene.bench.store.daemon_set(scene.set).unwrap();
        let node = scene.bench.store.node(scene.nodes[0]).unwrap();
        assert_eq!(Placement::of(set).of_node(node), expected, "{sentence}");
    }
}

#[test]
fn a_pod_is_for_its_node_alone() {
    let mut scene = Scene::new(1, DaemonStrategy::OnDelete);
    scene.sync();
    let pod = scene.bench.store.pod(scene.pods()[0]).unwrap();
    assert_eq!(template::target(pod), Some(&"n0".into()));
    let label = |key: &str| pod.labels.get(key).map(|value| value.to_string());
    assert_eq!(label("controller-revision-hash"), Some("v1".to_owned()));
    assert_eq!(label("pod-template-generation"), Some("1".to_owned()));
    let forever = pod.spec.tolerations.iter().filter(|t| t.seconds.is_none()).count();
    assert_eq!((pod.spec.tolerations.len(), forever), (6, 6), "none for 300 s any more");
    assert_eq!(scene.bench.told(), ["SuccessfulCreate: Created pod: agent-1"]);
}

#[test]
fn creations_start_slowly_and_end_at_250() {
    let rows: [(&str, usize, &[usize]); 3] = [
        ("one pod is one batch", 1, &[1]),
        ("five come as one, two and two", 5, &[1, 2, 2]),
        ("300 stop at 250", 300, &[1, 2, 4, 8, 16, 32, 64, 123]),
    ];
    for (sentence, nodes, expected) in rows {
        let mut scene = Scene::new(nodes, DaemonStrategy::OnDelete);
        let created = |a: &&Action| matches!(a, Action::CreatePodAs { .. });
        let sizes: Vec<usize> = scene
            .sync()
            .batches
            .iter()
            .map(|batch| batch.iter().filter(created).count())
            .filter(|n| *n > 0)
            .collect();
        assert_eq!(sizes, expected, "{sentence}");
    }
}

#[test]
fn each_node_has_one_pod() {
    type Arrange = fn(&mut Scene);
    #[rustfmt::skip]
    let rows: [(&str, Arrange, &[&str], &[usize]); 9] = [
        ("all is well", |_| {}, &[], &[]),
        ("a pod that goes is not replaced before it has gone", |s| {
            let pod = s.pods()[0];
            s.bench.store.mark_pod_deleted(pod, s.bench.now);
        }, &[], &[]),
        ("nor after it has ended, while it is still there", |s| {
            let pod = s.pods()[0];
            s.bench.store.set_pod_phase(pod, PodPhase::Failed);
        }, &[], &[0]),
        ("one that is being deleted and has ended does not count", |s| {
            let pod = s.pods()[0];
            s.bench.store.mark_pod_deleted(pod, s.bench.now);
            s.bench.store.set_pod_phase(pod, PodPhase::Succeeded);
        }, &["n0"], &[]),
        ("a node that joins gets one", |s| { s.bench.node("late", "z"); }, &["late"], &[]),
        ("where it may not stay it goes", |s| s.taint(1, "x", TaintEffect::NoExecute), &[], &[1]),
        ("where it only should not be it stays", |s| s.taint(1, "x", TaintEffect::NoSchedule), &[], &[]),
        ("of two the younger goes", |s| {
            let twin = s.bench.store.pod(s.pods()[1]).unwrap().clone();
            let id = s.bench.store.create_pod(crate::api::pod::Pod {
                created: s.bench.now, ..twin
            });
            s.bench.run(id);
        }, &[], &[3]),
        ("one that waits for a node that is gone is deleted, one that was there is not", |s| {
            s.bench.node("late", "z");
            s.sync();
            let gone: Vec<NodeId> = s.bench.store.nodes().map(|(id, _)| id).skip(2).collect();
            for node in gone {
                s.bench.store.remove_node(node);
            }
        }, &[], &[3]),
    ];
    for (sentence, arrange, made, deleted) in rows {
        let mut scene = Scene::settled(3, DaemonStrategy::OnDelete);
        arrange(&mut scene);
        let pods = scene.pods();
        let outcome = scene.daemons.sync(scene.set, &scene.bench.store, scene.bench.now);
        let found = asked(&outcome, &scene, &pods);
        let made: Vec<String> = made.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(found, (made, deleted.to_vec()), "{sentence}");
    }
}

#[test]
fn a_rolling_update_keeps_within_its_limits() {
    /// Which pods are not ready, and which are on nodes that no pod should be on.
    type Row<'a> = (&'a str, DaemonStrategy, &'a [usize], &'a [usize], usize, &'a [usize]);
    #[rustfmt::skip]
    let rows: [Row<'_>; 10] = [
        ("one at a time", ROLLING(Int(0), Int(1)), &[], &[], 0, &[0]),
        ("half of them, rounded up", ROLLING(Int(0), Percent(50)), &[], &[], 0, &[0, 1, 2]),
        ("the one that is not ready goes first, and uses the budget up", ROLLING(Int(0), Int(1)), &[3], &[], 0, &[3]),
        ("all that are not ready go", ROLLING(Int(0), Int(1)), &[1, 3], &[], 0, &[1, 3]),
        ("beside one that is not ready another one", ROLLING(Int(0), Int(2)), &[3], &[], 0, &[3, 0]),
        ("by hand: none", DaemonStrategy::OnDelete, &[], &[], 0, &[]),
        ("with surge new ones come first", ROLLING(Int(2), Int(0)), &[], &[], 2, &[]),
        ("beside a pod that is not ready without using surge", ROLLING(Int(1), Int(0)), &[4], &[], 2, &[]),
        ("where no pod should be there is no new one", ROLLING(Int(5), Int(0)), &[], &[0], 4, &[0]),
        ("and what is not ready there goes", ROLLING(Int(5), Int(0)), &[0], &[0], 4, &[0]),
    ];
    for (sentence, strategy, unready, unwanted, made, deleted) in rows {
        let mut scene = Scene::settled(5, strategy);
        let pods = scene.pods();
        for place in unready {
            scene.bench.store.set_pod_ready(pods[*place], false, scene.bench.now);
        }
        for place in unwanted {
            scene.taint(*place, "x", TaintEffect::NoSchedule);
        }
        scene.renew("v2");
        let outcome = scene.sync();
        let found = asked(&outcome, &scene, &pods);
        assert_eq!((found.0.len(), &found.1[..]), (made, deleted), "{sentence}");
        let revision = Revision { hash: "v2".into(), number: 2 };
        let set = scene.bench.store.daemon_set(scene.set).unwrap();
        assert!(set.revisions.contains(&revision), "{sentence}");
    }
}

#[test]
fn an_update_goes_on_until_all_is_new() {
    #[rustfmt::skip]
    let rows = [
        ("one at a time: delete, create, five times", ROLLING(Int(0), Int(1)), 5, 1),
        ("half of them: twice", ROLLING(Int(0), Percent(50)), 2, 3),
        ("two beside the old ones", ROLLING(Int(2), Int(0)), 3, 0),
    ];
    for (sentence, strategy, rounds, away) in rows {
        let mut scene = Scene::settled(5, strategy);
        scene.renew("v2");
        let mut taken = 0;
        while scene.status().observed_generation < 2
            || scene.status().updated < 5
            || scene.pods().len() > 5
        {
            taken += 1;
            assert!(taken < 20, "{sentence}: it goes on");
            scene.sync();
            scene.end_marked();
            let old = scene.pods().len();
            assert!(old >= 5 - away && old <= 7, "{sentence}: {old} pods");
            scene.sync();
            scene.start_all();
            scene.sync();
            scene.end_marked();
            scene.sync();
        }
        assert!(taken >= rounds, "{sentence}: {taken} rounds");
        let status = scene.status();
        assert_eq!((status.desired, status.ready, status.available), (5, 5, 5), "{sentence}");
        assert_eq!((status.unavailable, status.observed_generation), (0, 2), "{sentence}");
    }
}

#[test]
fn failed_pods_are_deleted_with_a_back_off() {
    let mut scene = Scene::settled(1, DaemonStrategy::OnDelete);
    scene.bench.told();
    let fail = |scene: &mut Scene| {
        let pod = scene.pods()[0];
        scene.bench.store.set_pod_phase(pod, PodPhase::Failed);
        let outcome = scene.sync();
        scene.end_marked();
        outcome
    };
    fail(&mut scene);
    let told = scene.bench.told();
    assert_eq!(
        told[0],
        "!FailedDaemonPod: Found failed daemon pod default/agent-1 on node n0, will try to kill it"
    );
    assert_eq!(told[1], "SuccessfulDelete: Deleted pod: agent-1");
    scene.sync();
    scene.start_all();
    scene.bench.told();
    let outcome = fail(&mut scene);
    assert_eq!(scene.bench.told(), [""; 0], "a second too early: it is left alone");
    assert_eq!(outcome.wake_at, scene.bench.now + secs(1));
    scene.bench.now += SimDuration::from_millis(500);
    let later = scene.sync();
    assert_eq!(later.wake_at, outcome.wake_at, "another look does not put it off");
    scene.bench.now = outcome.wake_at;
    scene.sync();
    assert_eq!(scene.bench.told().len(), 2, "then it goes");
}

#[test]
fn a_pod_that_ended_well_goes_at_once() {
    let mut scene = Scene::settled(1, DaemonStrategy::OnDelete);
    scene.bench.told();
    let pod = scene.pods()[0];
    scene.bench.store.set_pod_phase(pod, PodPhase::Succeeded);
    scene.sync();
    let expected = "SucceededDaemonPod: Found succeeded daemon pod default/agent-1 on node n0, \
                    will try to delete it";
    assert_eq!(scene.bench.told()[0], expected);
}

#[test]
fn a_ready_pod_is_available_after_a_while() {
    let mut scene = Scene::new(1, ROLLING(Int(0), Int(1)));
    scene.update(|set| set.min_ready = secs(5));
    scene.sync();
    scene.bench.now = SimTime(1_001_600_000_000);
    scene.start_all();
    let outcome = scene.sync();
    assert_eq!(outcome.wake_at, scene.bench.now + secs(5));
    assert_eq!((scene.status().ready, scene.status().available), (1, 0));
    scene.bench.now = at(1006);
    scene.sync();
    assert_eq!(scene.status().available, 1, "the API keeps whole seconds");
}

#[test]
fn revisions_come_back_and_are_dropped() {
    let mut scene = Scene::settled(1, DaemonStrategy::OnDelete);
    scene.update(|set| set.revision_history_limit = 1);
    let revisions = |scene: &Scene| {
        let set = scene.bench.store.daemon_set(scene.set).unwrap();
        set.revisions.iter().map(|r| format!("{} {}", r.hash, r.number)).collect::<Vec<_>>()
    };
    assert_eq!(revisions(&scene), ["v1 1"]);
    let rows: [(&str, &str, &[&str]); 4] = [
        ("a new template has a revision", "v2", &["v1 1", "v2 2"]),
        ("that of the pods is kept, another one is dropped", "v3", &["v1 1", "v3 3"]),
        ("a template that comes back is the newest", "v1", &["v1 4", "v3 3"]),
        ("as many old ones are kept as is said", "v4", &["v1 4", "v4 5"]),
    ];
    for (sentence, hash, expected) in rows {
        scene.renew(hash);
        scene.sync();
        assert_eq!(revisions(&scene), expected, "{sentence}");
    }
}

#[test]
fn a_node_wakes_only_the_sets_that_it_concerns() {
    type Change = fn(&mut Scene);
    #[rustfmt::skip]
    let rows: [(&str, Change, bool); 7] = [
        ("nothing that decides has changed", |s| s.bench.store.update_node(s.nodes[0], |n| {
            n.ready = crate::api::node::NodeReady::Unknown;
            true
        }), false),
        ("a label that the set does not select by", |s| s.bench.store.update_node(s.nodes[0], |n| {
            n.labels = n.labels.with("a", "b");
            true
        }), false),
        ("a taint that drives the pod out", |s| s.taint(0, "x", TaintEffect::NoExecute), true),
        ("one that only keeps others away", |s| s.taint(0, "x", TaintEffect::NoSchedule), false),
        ("a taint where a pod is missing keeps it missing", |s| {
            s.bench.store.remove_pod(s.pods()[0]);
            s.taint(0, "x", TaintEffect::NoSchedule);
        }, false),
        ("a pod is missing, and now there may be one", |s| {
            s.bench.store.remove_pod(s.pods()[0]);
            s.bench.store.update_node(s.nodes[0], |n| {
                n.labels = n.labels.with("a", "b");
                true
            });
        }, true),
        ("what was misplaced may not be any more", |s| {
            s.update(|set| set.status.misscheduled = 1);
            s.bench.store.update_node(s.nodes[0], |n| {
                n.labels = n.labels.with("a", "b");
                true
            });
        }, true),
    ];
    for (sentence, change, expected) in rows {
        let mut scene = Scene::settled(2, DaemonStrategy::OnDelete);
        scene.daemons.node_changed(scene.nodes[0], &scene.bench.store);
        change(&mut scene);
        let told = scene.daemons.node_changed(scene.nodes[0], &scene.bench.store);
        assert_eq!(told == [scene.set], expected, "{sentence}");
        let again = scene.daemons.node_changed(scene.nodes[0], &scene.bench.store);
        assert!(again.is_empty(), "{sentence}: once");
    }
    let mut scene = Scene::settled(1, DaemonStrategy::OnDelete);
    let late = scene.bench.node("late", "z");
    assert_eq!(scene.daemons.node_changed(late, &scene.bench.store), [scene.set], "a new node");
    scene.bench.store.remove_node(late);
    assert!(scene.daemons.node_changed(late, &scene.bench.store).is_empty());
}

#[test]
fn each_node_counts_once_in_the_status() {
    let mut scene = Scene::settled(4, DaemonStrategy::OnDelete);
    let pods = scene.pods();
    scene.taint(0, "x", TaintEffect::NoSchedule);
    scene.bench.store.set_pod_ready(pods[1], false, scene.bench.now);
    scene.bench.store.remove_pod(pods[2]);
    scene.bench.store.remove_node(scene.nodes[3]);
    scene.bench.node("late", "z");
    scene.renew("v2");
    let spots = scene.daemons.sync(scene.set, &scene.bench.store, scene.bench.now);
    let written = spots.batches.iter().flatten().find_map(|action| match action {
        Action::DaemonSetStatus { status, .. } => Some(*status),
        _ => None,
    });
    let expected = DaemonSetStatus {
        observed_generation: 2,
        desired: 3,
        current: 1,
        misscheduled: 1,
        ready: 0,
        updated: 0,
        available: 0,
        unavailable: 3,
    };
    assert_eq!(written, Some(expected));
}

#[test]
fn pods_are_its_own_by_their_labels() {
    let mut scene = Scene::settled(2, DaemonStrategy::OnDelete);
    let pods = scene.pods();
    scene.bench.store.relabel_pod(pods[0], Labels::from([("app", "other")]));
    let outcome = scene.sync();
    let made = asked(&outcome, &scene, &pods);
    assert_eq!(made, (vec!["n0".to_owned()], vec![]), "one is released, its node gets a new one");
    assert_eq!(scene.bench.store.pod(pods[0]).unwrap().owner, None);
    assert!(scene.sync().batches.len() <= 1, "then all is well");
    let new = scene.pods()[1];
    scene.bench.store.set_pod_owner(new, None);
    let outcome = scene.sync();
    assert_eq!(asked(&outcome, &scene, &pods), (vec![], vec![]), "an orphan is taken back");
    assert_eq!(scene.bench.store.pod(new).unwrap().owner, Some(scene.set));
}

#[test]
fn a_set_that_goes_does_nothing_any_more() {
    let mut scene = Scene::new(2, DaemonStrategy::OnDelete);
    scene.update(|set| set.meta.deletion = Some(crate::api::meta::Propagation::Foreground));
    assert!(scene.sync().batches.is_empty());
}
