//! Which machines pods bring, and when.

use super::testing::{Rig, offering, pool, within};
use super::*;
use crate::api::labels::{Labels, Selector};
use crate::api::node::ZONE_LABEL;
use crate::api::node_pool::{CAPACITY_TYPE_LABEL, Limits, ON_DEMAND, SPOT};
use crate::api::pod::PodSpec;
use crate::api::resources::Resources;
use crate::api::taint::{TaintEffect, Toleration, TolerationOperator};
use crate::api::topology_spread::{TopologySpreadConstraint, WhenUnsatisfiable};
use crate::units::{Bytes, MilliCpu};
use proptest::prelude::*;

/// Small, medium and large machines, in zones a and b; medium ones also as spot machines.
fn offerings() -> Vec<Offering> {
    let (s, m, l) = (("small", 2, 4), ("medium", 4, 16), ("large", 8, 16));
    vec![
        offering(0, s, "a", 0.10, false),
        offering(0, s, "b", 0.10, false),
        offering(1, m, "a", 0.20, false),
        offering(1, m, "b", 0.20, false),
        offering(2, l, "a", 0.34, false),
        offering(2, l, "b", 0.34, false),
        offering(3, m, "a", 0.08, true),
        offering(3, m, "b", 0.08, true),
    ]
}

fn on_demand() -> NodePool {
    pool("default", &[within(CAPACITY_TYPE_LABEL, &[ON_DEMAND])])
}

fn requests(cpu: i64, mebi: i64) -> Resources {
    Resources::of(MilliCpu(cpu), Bytes::mebi(mebi))
}

#[test]
fn pods_bring_the_cheapest_machine_that_takes_them() {
    let any = || pool("default", &[within(CAPACITY_TYPE_LABEL, &[SPOT, ON_DEMAND])]);
    type Row<'a> = (&'a str, NodePool, &'a [(u32, i64, i64)], &'a [&'a str]);
    let rows: Vec<Row<'_>> = vec![
        ("one small pod brings a small machine", on_demand(), &[(1, 1000, 1024)], &["small"]),
        ("two that fill it share it", on_demand(), &[(2, 1000, 1024)], &["small"]),
        ("a third makes it a larger one", on_demand(), &[(3, 1000, 1024)], &["medium"]),
        ("memory counts as well", on_demand(), &[(1, 1000, 8192)], &["medium"]),
        (
            "pods of several kinds share one",
            on_demand(),
            &[(1, 3000, 1024), (4, 1000, 1024)],
            &["large"],
        ),
        ("what no machine holds is split", on_demand(), &[(10, 1000, 1024)], &["large", "small"]),
        ("a spot machine is taken where it may be", any(), &[(1, 1000, 1024)], &["medium"]),
        ("what fits nowhere brings nothing", on_demand(), &[(1, 9000, 1024)], &[]),
    ];
    for (sentence, pool, pods, expected) in rows {
        let mut rig = Rig::new(&[pool], offerings());
        for (i, (n, cpu, mebi)) in pods.iter().enumerate() {
            rig.workload(&format!("w{i}"), *n, *cpu, *mebi);
        }
        rig.run(60);
        assert_eq!(rig.machines(), expected, "{sentence}");
        assert_eq!(rig.waiting() == 0, !expected.is_empty(), "{sentence}: all have a node");
    }
}

#[test]
fn pods_are_looked_at_a_second_after_the_last_one_came() {
    let mut rig = Rig::new(&[on_demand()], offerings());
    rig.run(10);
    let set = rig.workload("web", 1, 1000, 1024);
    rig.run(1);
    rig.scale(set, 2);
    rig.run(20);
    assert_eq!(rig.log, [(13, "default-n1 is small".to_string())], "both come in one batch");
}

/// What a pod asks for beside resources.
fn asks(change: impl FnOnce(&mut PodSpec)) -> Vec<String> {
    let mut gpu = pool("gpu", &[within(CAPACITY_TYPE_LABEL, &[ON_DEMAND])]);
    gpu.taints = vec![Taint { value: "yes".into(), ..taint("gpu") }];
    gpu.weight = 10;
    let mut pools = offerings();
    let mut second = offerings();
    second
        .iter_mut()
        .for_each(|offering| (offering.pool, offering.group) = (1, offering.group + 4));
    pools.extend(second);
    let mut rig = Rig::new(&[on_demand(), gpu], pools);
    rig.workload_of("web", 1, |spec| {
        spec.containers[0].requests = requests(1000, 1024);
        change(spec);
    });
    rig.run(60);
    let labels = |node: &crate::api::node::Node| {
        format!("{} {}", node.labels.get("karpenter.sh/nodepool").unwrap(), node.zone())
    };
    let nodes = rig.bench.store.nodes().map(|(_, node)| labels(node)).collect::<Vec<_>>();
    let refusals = rig.told.iter().filter(|told| told.starts_with("FailedScheduling"));
    nodes.into_iter().chain(refusals.cloned()).collect()
}

fn taint(key: &str) -> Taint {
    Taint::new(key, TaintEffect::NoSchedule, SimTime::ZERO)
}

#[test]
fn pools_are_tried_by_weight_and_taken_if_they_suit() {
    let tolerates = Toleration {
        key: "gpu".into(),
        operator: TolerationOperator::Exists,
        value: "".into(),
        effect: None,
        seconds: None,
    };
    let selects = |key: &str, value: &str| Labels::from([(key, value)]);
    let none = "FailedScheduling: Failed to schedule pod, did not tolerate taint \
                (taint=gpu=yes:NoSchedule); no instance type met all requirements";
    let rows = [
        ("a taint keeps pods away", asks(|_| {}), vec!["default a"]),
        ("but those that tolerate it", asks(|s| s.tolerations.push(tolerates)), vec!["gpu a"]),
        (
            "a zone is heeded",
            asks(|s| s.node_selector = selects(ZONE_LABEL, "b")),
            vec!["default b"],
        ),
        (
            "what no pool has is told",
            asks(|s| s.node_selector = selects("disk", "ssd")),
            vec![none],
        ),
    ];
    for (sentence, found, expected) in rows {
        assert_eq!(found, expected, "{sentence}");
    }
}

#[test]
fn limits_of_a_pool_hold() {
    let rows: [(&str, Limits, usize, &str); 3] = [
        ("no limit", Limits::default(), 0, ""),
        (
            "cores",
            Limits { cpu: Some(MilliCpu(8000)), ..Limits::default() },
            2,
            "all available instance types exceed limits for nodepool (NodePool=default)",
        ),
        (
            "nodes",
            Limits { nodes: Some(1), ..Limits::default() },
            2,
            "node limits have been exhausted for nodepool (NodePool=default)",
        ),
    ];
    for (sentence, limits, waiting, words) in rows {
        let mut rig = Rig::new(&[NodePool { limits, ..on_demand() }], offerings());
        rig.workload("web", 10, 1000, 1024);
        rig.run(120);
        assert_eq!(rig.waiting(), waiting, "{sentence}");
        assert_eq!(rig.karpenter.held().is_empty(), waiting == 0, "{sentence}");
        let told = rig.told.iter().filter(|told| told.starts_with("FailedScheduling")).count();
        assert_eq!(told, waiting, "{sentence}: each pod is told once");
        assert!(
            words.is_empty() || rig.told.iter().any(|told| told.ends_with(words)),
            "{sentence}"
        );
    }
}

#[test]
fn pods_that_spread_get_nodes_in_all_zones() {
    let spread = |key: &str| TopologySpreadConstraint {
        max_skew: 1,
        topology_key: key.into(),
        when_unsatisfiable: WhenUnsatisfiable::DoNotSchedule,
        selector: Selector::from_labels(&Labels::from([("app", "web")])),
        match_label_keys: Vec::new(),
        min_domains: 1,
        honor_node_affinity: true,
        honor_node_taints: false,
    };
    let zones = |n: u32, key: &str| {
        let mut rig = Rig::new(&[on_demand()], offerings());
        rig.workload_of("web", n, |spec| {
            spec.containers[0].requests = requests(500, 256);
            spec.topology_spread = vec![spread(key)];
        });
        rig.run(90);
        assert_eq!(rig.waiting(), 0, "{n} pods over {key}");
        let mut found: Vec<String> =
            rig.bench.store.nodes().map(|(_, node)| node.zone().to_string()).collect();
        found.sort();
        found
    };
    assert_eq!(zones(4, ZONE_LABEL), ["a", "b"], "two in each of two zones");
    assert_eq!(zones(3, "kubernetes.io/hostname").len(), 3, "one a host");
}

#[test]
fn a_refusal_is_remembered_for_three_minutes() {
    let mut any = pool("default", &[within(CAPACITY_TYPE_LABEL, &[SPOT, ON_DEMAND])]);
    any.disruption.consolidate_after = None;
    let mut rig = Rig::new(&[any], offerings());
    rig.sold_out = vec![3];
    let set = rig.workload("web", 1, 1000, 1024);
    rig.run(30);
    let refused = "InsufficientCapacityError: NodeClaim default-n1 event: insufficient capacity, all \
                   requested instance types were unavailable during launch";
    assert!(rig.told.iter().any(|told| told == refused), "{:?}", rig.told);
    assert_eq!(rig.log.last().unwrap().1, "default-n2 is small", "one on demand comes instead");
    rig.sold_out.clear();
    rig.run(30);
    rig.scale(set, 3);
    rig.run(10);
    assert_eq!(rig.log.last().unwrap().1, "default-n3 is small", "spot is not asked for yet");
    rig.run(200);
    rig.scale(set, 6);
    rig.run(10);
    assert_eq!(rig.log.last().unwrap().1, "default-n4 is medium", "by now it is");
}

#[test]
fn a_machine_that_does_not_register_is_given_up() {
    let mut rig = Rig::new(&[on_demand()], offerings());
    rig.broken = vec![0];
    rig.workload("web", 1, 1000, 1024);
    rig.run(15 * 60 + 5);
    let launched = rig.log.iter().filter(|(_, words)| words.ends_with("is small")).count();
    assert_eq!(launched, 2, "after a quarter of an hour another one is asked for: {:?}", rig.log);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Pods without constraints are packed as by the plainest reading of the rules: the largest
    /// first, each on the new node with the fewest pods that some machine could still be, or on one
    /// more; then each node is the cheapest machine that holds its pods.
    #[test]
    fn machines_are_those_of_a_naive_packing(
        pods in proptest::collection::vec((1i64..=80, 1i64..=64), 1..30),
    ) {
        let mut rig = Rig::new(&[on_demand()], offerings());
        for (i, (cpu, mem)) in pods.iter().enumerate() {
            rig.workload(&format!("w{i}"), 1, cpu * 100, mem * 256);
        }
        rig.run(5);
        let types = [("small", 2000, 4096, 10), ("medium", 4000, 16384, 20), ("large", 8000, 16384, 34)];
        let holds = |total: (i64, i64)| {
            let fits = types.iter().filter(|t| total.0 <= t.1 && total.1 <= t.2);
            fits.min_by_key(|t| t.3).map(|t| t.0.to_string())
        };
        let mut order: Vec<(usize, (i64, i64))> =
            pods.iter().map(|(cpu, mem)| (cpu * 100, mem * 256)).enumerate().collect();
        order.sort_by_key(|(i, (cpu, mem))| (-cpu, -mem, *i));
        // In order of opening; sorted anew by number of pods before each.
        let mut nodes: Vec<(usize, (i64, i64))> = Vec::new();
        for (_, pod) in order {
            let mut by_pods: Vec<usize> = (0..nodes.len()).collect();
            by_pods.sort_by_key(|i| nodes[*i].0);
            let with = |i: usize| (nodes[i].1.0 + pod.0, nodes[i].1.1 + pod.1);
            match by_pods.into_iter().find(|i| holds(with(*i)).is_some()) {
                Some(i) => nodes[i] = (nodes[i].0 + 1, with(i)),
                None if holds(pod).is_some() => nodes.push((1, pod)),
                None => {}
            }
        }
        let chosen = nodes.iter().filter_map(|(_, total)| holds(*total));
        let mut expected: Vec<String> = chosen.collect();
        expected.sort();
        let mut launched: Vec<String> = rig
            .log
            .iter()
            .filter_map(|(_, words)| Some(words.rsplit_once(' ')?.1.to_string()))
            .collect();
        launched.sort();
        prop_assert_eq!(launched, expected);
    }
}
