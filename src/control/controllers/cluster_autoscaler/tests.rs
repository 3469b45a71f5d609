//! Scale-up, its limits and failures, scale-down, and that lazy is the same as eager.

use super::testing::{Cloud, autoscaler, group};
use super::*;
use crate::control::flags::Expander;
use crate::units::SimDuration;
use proptest::prelude::*;

const fn secs(seconds: u64) -> SimDuration {
    SimDuration::from_secs(seconds)
}

#[test]
fn pending_pods_bring_the_nodes_that_they_need() {
    let mut cloud = Cloud::new(vec![group(0, 4, 0, 10)]);
    cloud.node(0);
    cloud.workload("web", 14, 1000);
    let mut autoscaler = autoscaler(|_| {});
    cloud.run(&mut autoscaler, 20);
    assert_eq!(cloud.orders(), ["IncreaseGroup { group: 0, delta: 3 }"], "10 pods wait, 4 a node");
    let told: Vec<&String> = cloud.bench.events.iter().filter(|e| e.contains("cale")).collect();
    assert_eq!(
        told[..2],
        [
            "ScaledUpGroup: Scale-up: setting group g0 size to 4 instead of 1 (max: 10)",
            "ScaledUpGroup: Scale-up: group g0 size set to 4 instead of 1 (max: 10)",
        ]
    );
    let pod = "TriggeredScaleUp: pod triggered scale-up: [{g0 1->4 (max: 10)}]";
    assert_eq!(told.iter().filter(|e| e.as_str() == pod).count(), 10);
    cloud.run(&mut autoscaler, 200);
    assert_eq!(cloud.orders().len(), 1, "nodes on their way are counted, none comes twice");
    assert!(cloud.bench.store.unschedulable_pods().next().is_none());
}

#[test]
fn limits_hold_pods_back_and_are_told() {
    type Arrange = fn(&mut Cloud) -> ClusterAutoscaler;
    let rows: [(&str, Arrange, &str, Held); 3] = [
        (
            "a group's maximum",
            |_| autoscaler(|_| {}),
            "IncreaseGroup { group: 0, delta: 3 }",
            Held::GroupMax("g0".into(), 3),
        ),
        (
            "the cluster's maximum",
            |_| autoscaler(|flags| flags.max_nodes_total = 2),
            "IncreaseGroup { group: 0, delta: 2 }",
            Held::Total(2),
        ),
        (
            "so many nodes per scale-up: the rest comes with the next scans",
            |_| autoscaler(|flags| flags.max_nodes_per_scaleup = 2),
            "IncreaseGroup { group: 0, delta: 2 }",
            Held::GroupMax("g0".into(), 3),
        ),
    ];
    for (sentence, arrange, order, held) in rows {
        let mut cloud = Cloud::new(vec![group(0, 4, 0, 3)]);
        cloud.workload("web", 40, 1000);
        let mut autoscaler = arrange(&mut cloud);
        cloud.run(&mut autoscaler, 20);
        assert_eq!(cloud.orders()[0], order, "{sentence}");
        cloud.run(&mut autoscaler, 300);
        assert_eq!(autoscaler.held(), Some(&held), "{sentence}");
    }
}

#[test]
fn pods_that_no_group_can_take_are_told_why() {
    let mut cloud = Cloud::new(vec![group(0, 4, 0, 3), group(1, 2, 0, 3)]);
    cloud.workload("huge", 2, 8000);
    let mut autoscaler = autoscaler(|_| {});
    cloud.run(&mut autoscaler, 60);
    assert!(cloud.orders().is_empty());
    let why = "NotTriggerScaleUp: pod didn't trigger scale-up: 2 Insufficient cpu";
    assert_eq!(cloud.bench.events.iter().filter(|e| e.as_str() == why).count(), 2, "once per pod");
    assert_eq!(autoscaler.held(), None, "no limit holds them back");
}

#[test]
fn similar_groups_are_balanced() {
    let mut groups = vec![group(0, 4, 0, 10), group(1, 4, 0, 10), group(2, 8, 0, 10)];
    groups[0].target = 0;
    let mut cloud = Cloud::new(groups);
    cloud.node(1);
    cloud.workload("fill", 1, 4000);
    cloud.workload("web", 16, 1000);
    let mut autoscaler = autoscaler(|flags| {
        flags.balance_similar_node_groups = true;
        flags.expander = vec![Expander::MostPods];
    });
    cloud.groups[2].autoscaled = false;
    cloud.run(&mut autoscaler, 20);
    let mut orders = cloud.orders();
    orders.sort_unstable();
    let expected = ["IncreaseGroup { group: 0, delta: 3 }", "IncreaseGroup { group: 1, delta: 1 }"];
    let even = ["IncreaseGroup { group: 0, delta: 2 }", "IncreaseGroup { group: 1, delta: 2 }"];
    assert!(orders == expected || orders == even, "{orders:?}");
}

#[test]
fn machines_that_do_not_come_are_given_back_and_the_group_rests() {
    let mut cloud = Cloud::new(vec![group(0, 4, 0, 10), group(1, 8, 0, 10)]);
    cloud.broken[0] = true;
    cloud.workload("web", 4, 1000);
    let mut autoscaler = autoscaler(|_| {});
    cloud.run(&mut autoscaler, 10 + 900 + 30);
    let expected = [
        "IncreaseGroup { group: 0, delta: 1 }",
        "DecreaseTarget { group: 0, delta: 1 }",
        "IncreaseGroup { group: 1, delta: 1 }",
    ];
    assert_eq!(cloud.orders(), expected, "after 15 minutes another group takes over");
    let late = cloud.bench.events.iter().find(|e| e.contains("ScaleUpTimedOut")).unwrap();
    assert!(late.contains("Nodes added to group g0 failed to register within 15m"), "{late}");
    cloud.run(&mut autoscaler, 100);
    assert!(cloud.bench.store.unschedulable_pods().next().is_none());
}

#[test]
fn a_refused_group_rests_for_five_minutes_and_longer_each_time() {
    let mut cloud = Cloud::new(vec![group(0, 4, 0, 10)]);
    cloud.workload("web", 4, 1000);
    let mut autoscaler = autoscaler(|_| {});
    let mut refused = Vec::new();
    for _ in 0..2000 {
        cloud.second(&mut autoscaler, true);
        if !cloud.orders().is_empty() {
            // The cloud says no: nothing is made.
            cloud.log.clear();
            cloud.groups[0].target = 0;
            cloud.groups[0].refused = Some((cloud.bench.now, Refusal::Quota));
            cloud.forget_booting();
            cloud.notified = true;
            refused.push(cloud.bench.now.whole_secs());
        }
    }
    let gaps: Vec<u64> = refused.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(gaps, [320, 620], "5 minutes, then 10, found at scans ten seconds apart");
    assert_eq!(autoscaler.held(), Some(&Held::Refused("g0".into())));
}

#[test]
fn idle_nodes_go_after_ten_minutes() {
    let mut cloud = Cloud::new(vec![group(0, 4, 1, 10)]);
    for _ in 0..3 {
        cloud.node(0);
    }
    cloud.workload("web", 3, 1000);
    let mut autoscaler = autoscaler(|_| {});
    cloud.run(&mut autoscaler, 590);
    assert!(cloud.orders().is_empty());
    cloud.run(&mut autoscaler, 60);
    assert_eq!(cloud.orders().len(), 2, "two empty nodes: {:?}", cloud.log);
    let told: Vec<&String> =
        cloud.bench.events.iter().filter(|e| e.starts_with("ScaleDown:")).collect();
    assert!(told.iter().any(|e| e.ends_with("marked the node as toBeDeleted/unschedulable")));
    assert!(told.iter().any(|e| e.ends_with("nodes removed by cluster autoscaler")));
    cloud.run(&mut autoscaler, 2000);
    assert_eq!(cloud.bench.store.node_count(), 1, "the last one is used, and the minimum");
    let syncs = cloud.syncs;
    cloud.run(&mut autoscaler, 10_000);
    assert!(cloud.syncs - syncs < 40, "a quiet cluster is not scanned: {}", cloud.syncs - syncs);
}

#[test]
fn nodes_with_pods_are_drained_one_at_a_time() {
    let mut cloud = Cloud::new(vec![group(0, 4, 0, 10)]);
    let set = cloud.workload("web", 12, 1000);
    for _ in 0..3 {
        cloud.node(0);
    }
    let mut autoscaler = autoscaler(|_| {});
    cloud.run(&mut autoscaler, 5);
    // Twelve pods fill three nodes; then four remain, spread over them.
    cloud.scale(set, 4);
    cloud.run(&mut autoscaler, 3000);
    let left = cloud.bench.store.node_count();
    assert!(left <= 2, "pods move together: {left} nodes");
    assert_eq!(cloud.bench.store.pod_count(), 4);
    assert!(cloud.bench.store.unschedulable_pods().next().is_none());
}

#[test]
fn a_broken_cluster_is_left_alone() {
    let mut cloud = Cloud::new(vec![group(0, 4, 0, 20)]);
    let nodes: Vec<_> = (0..8).map(|_| cloud.node(0)).collect();
    for node in &nodes[..4] {
        cloud.bench.store.update_node(*node, |n| {
            (n.ready, n.created) = (crate::api::node::NodeReady::Unknown, SimTime::ZERO);
            true
        });
    }
    cloud.workload("web", 40, 1000);
    let mut autoscaler = autoscaler(|_| {});
    cloud.run(&mut autoscaler, 60);
    assert!(cloud.orders().is_empty(), "half of the nodes, and more than three, are unready");
    assert!(cloud.bench.events.iter().any(|e| e == "!ClusterUnhealthy: Cluster is unhealthy"));
}

fn scenario(lazy: bool, steps: &[(u64, usize, u32)], broken: bool) -> (Vec<(u64, String)>, u32) {
    let mut cloud = Cloud::new(vec![group(0, 4, 1, 6), group(1, 8, 0, 3)]);
    cloud.node(0);
    cloud.broken[1] = broken;
    let sets =
        [cloud.workload("a", 2, 900), cloud.workload("b", 1, 2500), cloud.workload("c", 0, 6500)];
    let mut autoscaler = autoscaler(|flags| {
        flags.scale_down_unneeded_time = secs(120);
        flags.scale_down_delay_after_add = secs(90);
        flags.max_node_provision_time = secs(200);
    });
    for (seconds, set, replicas) in steps {
        for _ in 0..*seconds {
            cloud.second(&mut autoscaler, lazy);
        }
        cloud.scale(sets[*set], *replicas);
    }
    for _ in 0..900 {
        cloud.second(&mut autoscaler, lazy);
    }
    (cloud.log, cloud.syncs)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24,
        rng_seed: proptest::test_runner::RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]
    #[test]
    fn lazy_does_what_scanning_every_interval_does(
        steps in proptest::collection::vec((1u64..400, 0usize..3, 0u32..14), 1..7),
        broken in any::<bool>(),
    ) {
        let (eager, every) = scenario(false, &steps, broken);
        let (lazy, some) = scenario(true, &steps, broken);
        prop_assert_eq!(lazy, eager);
        prop_assert!(some < every);
    }
}

#[test]
fn thousands_of_pending_pods_are_counted_not_placed() {
    let mut cloud = Cloud::new(vec![group(0, 4, 0, 2000), group(1, 32, 0, 2000)]);
    let set = cloud.workload("web", 0, 500);
    for _ in 0..5000 {
        let pod = cloud.bench.pod(set);
        cloud.bench.store.update_pod(pod, |p| {
            p.unschedulable = true;
            true
        });
    }
    let mut autoscaler = autoscaler(|flags| flags.expander = vec![Expander::MostPods]);
    let outcome =
        autoscaler.sync(&cloud.bench.store, &cloud.groups, &mut |_| 0, SimTime::from_secs(1010));
    let asked = outcome.batches.iter().flatten().find_map(|action| match action {
        crate::control::controllers::Action::IncreaseGroup { group, delta } => {
            Some((*group, *delta))
        }
        _ => None,
    });
    assert_eq!(asked, Some((0, 625)), "eight pods a node; of equals the drawn one");
}
