//! What keeps a node, what goes with it, and what daemons mean for new nodes and old ones.

use super::testing::{Cloud, autoscaler, group};
use super::*;
use crate::api::NodeId;
use crate::api::daemon_set::{DaemonSet, DaemonStrategy};
use crate::api::drain_hints::DrainHints;
use crate::api::labels::Labels;
use crate::api::owner::Owner;
use crate::api::pod::Pod;
use crate::api::policy::Budget;
use crate::api::resources::Resources;
use crate::api::workload::IntOrPercent;
use crate::units::{Bytes, MilliCpu, SimDuration};

/// Two nodes of four cores with a pod each, which would fit on one.
struct Two {
    cloud: Cloud,
    nodes: [NodeId; 2],
}

impl Two {
    fn new() -> Two {
        let mut cloud = Cloud::new(vec![group(0, 4, 0, 10)]);
        let set = cloud.workload("web", 5, 900);
        let nodes = [cloud.node(0), cloud.node(0)];
        cloud.run(&mut autoscaler(|_| {}), 5);
        cloud.scale(set, 2);
        for pod in cloud.bench.store.pods_of(set).to_vec().into_iter().take(3) {
            cloud.bench.store.remove_pod(pod);
        }
        Two { cloud, nodes }
    }

    /// Puts a pod on each node that is like those there but for what `change` does.
    fn beside(&mut self, change: impl Fn(&mut Pod)) {
        for node in self.nodes {
            let pod = self.cloud.bench.store.pods_on(node)[0];
            let old = self.cloud.bench.store.pod(pod).unwrap().clone();
            let mut new = Pod { node: None, ..old };
            // Else its ReplicaSet would count it.
            new.base_mut().labels = Labels::from([("app", "other")]);
            change(&mut new);
            let new = self.cloud.bench.store.create_pod(new);
            self.cloud.bench.store.bind_pod(new, node, self.cloud.bench.now);
            self.cloud.bench.run(new);
        }
    }

    /// The same with annotations or volumes.
    fn hint(&mut self, hints: DrainHints) {
        let owner = self.cloud.workload("hinted", 0, 100);
        self.beside(|pod| {
            pod.base_mut().owner = Some(owner);
            let spec = Arc::make_mut(&mut pod.base_mut().spec);
            spec.drain_hints = Some(Box::new(hints));
        });
        self.cloud.scale(owner, 2);
    }
}

fn in_kube_system(two: &mut Two) {
    let owner = two.cloud.workload("dns", 0, 100);
    two.cloud.bench.store.update_replica_set(owner, |set| {
        set.namespace = "kube-system".into();
        true
    });
    two.beside(|pod| {
        pod.base_mut().owner = Some(owner);
        pod.base_mut().namespace = "kube-system".into();
    });
    two.cloud.scale(owner, 2);
}

fn bare(two: &mut Two) {
    two.beside(|pod| pod.base_mut().owner = None);
}

fn bare_and_needless(two: &mut Two) {
    bare(two);
    for node in two.nodes {
        let pod = *two.cloud.bench.store.pods_on(node).last().unwrap();
        two.cloud.bench.store.update_pod(pod, |pod| {
            let hints = DrainHints { skip_reschedule: true, ..DrainHints::default() };
            Arc::make_mut(&mut pod.base_mut().spec).drain_hints = Some(Box::new(hints));
            true
        });
    }
}

#[test]
fn what_keeps_a_node() {
    let local = || DrainHints { local_storage: true, ..DrainHints::default() };
    let safe = |safe| DrainHints { safe_to_evict: Some(safe), ..DrainHints::default() };
    let both = || DrainHints { local_storage: true, ..safe(true) };
    type Arrange<'a> = &'a dyn Fn(&mut Two);
    type Flags = fn(&mut ClusterAutoscalerFlags);
    let usual: Flags = |_| {};
    let budget = |two: &mut Two| {
        two.cloud.bench.web_budget(Budget::MaxUnavailable(IntOrPercent::Int(0)));
    };
    let rows: [(&str, Arrange<'_>, Flags, bool); 14] = [
        ("a pod that fits elsewhere does not", &|_| {}, usual, false),
        ("an exhausted budget does", &budget, usual, true),
        ("a pod that nobody controls does", &bare, usual, true),
        ("a pod on local storage does", &|two| two.hint(local()), usual, true),
        (
            "not if --skip-nodes-with-local-storage is off",
            &|two| two.hint(local()),
            |flags| flags.skip_nodes_with_local_storage = false,
            false,
        ),
        ("nor if the pod is safe to evict", &|two| two.hint(both()), usual, false),
        ("a pod that is not safe to evict does", &|two| two.hint(safe(false)), usual, true),
        ("a pod of kube-system without a budget does", &in_kube_system, usual, true),
        (
            "not if --skip-nodes-with-system-pods is off",
            &in_kube_system,
            |flags| flags.skip_nodes_with_system_pods = false,
            false,
        ),
        (
            "nor once it is older than --blocking-system-pod-distruption-timeout",
            &in_kube_system,
            |flags| flags.blocking_system_pod_distruption_timeout = SimDuration::from_secs(300),
            false,
        ),
        (
            "a ReplicaSet smaller than --min-replica-count does",
            &|_| {},
            |flags| flags.min_replica_count = 3,
            true,
        ),
        (
            "a pod that needs no other place does not, bare or not",
            &bare_and_needless,
            |flags| flags.max_pod_eviction_time = SimDuration::from_secs(1),
            false,
        ),
        (
            "nodes above --scale-down-utilization-threshold stay",
            &|_| {},
            |flags| flags.scale_down_utilization_threshold = 0.2,
            true,
        ),
        (
            "nothing goes with --scale-down-enabled=false",
            &|_| {},
            |f| f.scale_down_enabled = false,
            true,
        ),
    ];
    for (sentence, arrange, flags, stays) in rows {
        let mut two = Two::new();
        arrange(&mut two);
        let mut autoscaler = autoscaler(flags);
        two.cloud.run(&mut autoscaler, 1500);
        let there = two.cloud.bench.store.node_count() == 2;
        assert_eq!(there, stays, "{sentence}: {:?}", two.cloud.log);
    }
}

/// A DaemonSet that requests so much CPU per pod, with a pod on each node that is there.
fn daemons(cloud: &mut Cloud, cpu: i64) {
    let like = cloud.workload("daemon", 0, cpu);
    let template = cloud.bench.store.replica_set(like).unwrap().template.clone();
    let (labels, spec) = (template.labels.clone(), template.spec.clone());
    let set = DaemonSet {
        meta: crate::api::meta::Meta {
            name: "daemon".into(),
            namespace: "default".into(),
            ..Default::default()
        },
        selector: cloud.bench.store.replica_set(like).unwrap().selector.clone(),
        template,
        strategy: DaemonStrategy::OnDelete,
        min_ready: SimDuration::ZERO,
        revision_history_limit: 10,
        revisions: Vec::new(),
        template_generation: 1,
        status: Default::default(),
    };
    let set = cloud.bench.store.create_owner(Owner::DaemonSet(Box::new(set)));
    let nodes: Vec<NodeId> = cloud.bench.store.nodes().map(|(id, _)| id).collect();
    for node in nodes {
        let now = cloud.bench.now;
        let mut pod = Pod::pending("default".into(), "".into(), labels.clone(), spec.clone(), now);
        pod.base_mut().owner = Some(set);
        let pod = cloud.bench.store.create_pod(pod);
        cloud.bench.store.bind_pod(pod, node, now);
        cloud.bench.run(pod);
    }
}

#[test]
fn new_nodes_leave_room_for_their_daemons() {
    let mut cloud = Cloud::new(vec![group(0, 4, 0, 10)]);
    daemons(&mut cloud, 1000);
    cloud.workload("web", 6, 1000);
    cloud.run(&mut autoscaler(|_| {}), 20);
    assert_eq!(cloud.orders(), ["IncreaseGroup { group: 0, delta: 2 }"], "three pods a node");
}

#[test]
fn daemons_keep_no_node_and_go_with_it() {
    let mut cloud = Cloud::new(vec![group(0, 4, 1, 10)]);
    cloud.node(0);
    cloud.node(0);
    daemons(&mut cloud, 100);
    cloud.with_pods = true;
    cloud.run(&mut autoscaler(|_| {}), 700);
    assert_eq!(cloud.orders().len(), 1, "{:?}", cloud.log);
    let evicted = cloud.log.iter().any(|(_, words)| words.starts_with("EvictPod"));
    assert!(!evicted, "--daemonset-eviction-for-empty-nodes is off");
}

#[test]
fn a_drain_evicts_daemons_and_does_not_wait_for_them() {
    for (evicts, flag) in [(true, true), (false, false)] {
        let mut two = Two::new();
        daemons(&mut two.cloud, 100);
        two.cloud.with_pods = true;
        let mut autoscaler = autoscaler(|flags| flags.daemonset_eviction_for_occupied_nodes = flag);
        two.cloud.run(&mut autoscaler, 700);
        assert_eq!(two.cloud.bench.store.node_count(), 1, "{:?}", two.cloud.log);
        let evictions = two.cloud.log.iter().filter(|(_, words)| words.starts_with("EvictPod"));
        assert_eq!(evictions.count(), 1 + usize::from(evicts), "the pod, and its node's daemon");
    }
}

#[test]
fn daemons_count_as_use_unless_they_are_ignored() {
    for (ignored, left) in [(false, 2), (true, 1)] {
        let mut cloud = Cloud::new(vec![group(0, 4, 1, 10)]);
        cloud.node(0);
        cloud.node(0);
        daemons(&mut cloud, 2200);
        cloud.with_pods = true;
        let mut autoscaler = autoscaler(|flags| flags.ignore_daemonsets_utilization = ignored);
        cloud.run(&mut autoscaler, 800);
        assert_eq!(cloud.bench.store.node_count(), left, "ignored: {ignored}");
    }
}

#[test]
fn expendable_pods_bring_no_node_and_keep_none() {
    let mut cloud = Cloud::new(vec![group(0, 4, 1, 10)]);
    cloud.node(0);
    cloud.node(0);
    let set = cloud.workload("batch", 12, 1000);
    cloud.bench.store.update_replica_set(set, |set| {
        let spec = Arc::make_mut(&mut set.template.spec);
        spec.priority = -11;
        spec.containers[0].requests = Resources::of(MilliCpu(1000), Bytes::mebi(64));
        true
    });
    cloud.with_pods = true;
    let mut autoscaler = autoscaler(|_| {});
    cloud.run(&mut autoscaler, 60);
    assert!(cloud.orders().is_empty(), "four pods wait, and nobody minds");
    cloud.run(&mut autoscaler, 700);
    assert_eq!(cloud.bench.store.node_count(), 1, "a full node goes as if it were empty");
    let evicted = cloud.log.iter().any(|(_, words)| words.starts_with("EvictPod"));
    assert!(!evicted, "they end with their node");
}

#[test]
fn a_pod_may_ask_for_more_patience() {
    let mut cloud = Cloud::new(vec![group(0, 4, 0, 10)]);
    let set = cloud.workload("web", 2, 1000);
    cloud.bench.store.update_replica_set(set, |set| {
        let spec = Arc::make_mut(&mut set.template.spec);
        let hints = DrainHints {
            scale_up_delay: Some(SimDuration::from_secs(120)),
            ..DrainHints::default()
        };
        spec.drain_hints = Some(Box::new(hints));
        true
    });
    let mut autoscaler = autoscaler(|_| {});
    cloud.run(&mut autoscaler, 115);
    assert!(cloud.orders().is_empty());
    cloud.run(&mut autoscaler, 20);
    assert_eq!(cloud.orders().len(), 1, "pod-scale-up-delay has passed");
}

#[test]
fn refused_evictions_are_tried_each_ten_seconds_for_two_minutes() {
    let mut two = Two::new();
    let mut autoscaler = autoscaler(|_| {});
    two.cloud.refuses_evictions = true;
    two.cloud.run(&mut autoscaler, 780);
    let tries: Vec<u64> = two
        .cloud
        .log
        .iter()
        .filter(|(_, words)| words.starts_with("EvictPod"))
        .map(|(at, _)| *at)
        .collect();
    let first = tries[0];
    let expected: Vec<u64> = (0..12).map(|n| first + 10 * n).collect();
    assert_eq!(tries[..12], expected, "each ten seconds");
    let untainted = two.cloud.log.iter().position(|(_, words)| words.starts_with("RemoveTaint"));
    let (at, _) = &two.cloud.log[untainted.unwrap()];
    assert_eq!(*at, first + 120, "then the node is kept");
    assert_eq!(two.cloud.bench.store.node_count(), 2);
}
