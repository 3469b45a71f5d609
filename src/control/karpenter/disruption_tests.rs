//! Which nodes go, when, and what comes in their place.

use super::testing::{Rig, offering, pool, within};
use super::*;
use crate::api::drain_hints::DrainHints;
use crate::api::labels::Labels;
use crate::api::node_pool::{
    CAPACITY_TYPE_LABEL, ConsolidationPolicy, DISRUPTED, DisruptionBudget, ON_DEMAND, SPOT,
};
use crate::api::policy::Budget;
use crate::api::resources::Resources;
use crate::api::taint::TaintEffect;
use crate::api::workload::IntOrPercent;
use crate::units::{Bytes, MilliCpu, SimDuration};

fn offerings() -> Vec<Offering> {
    let (s, m, l) = (("small", 2, 8), ("medium", 4, 16), ("large", 8, 32));
    vec![
        offering(0, s, "a", 0.10, false),
        offering(1, m, "a", 0.20, false),
        offering(2, l, "a", 0.40, false),
        offering(3, s, "a", 0.04, true),
        offering(4, m, "a", 0.08, true),
    ]
}

fn on_demand() -> NodePool {
    pool("default", &[within(CAPACITY_TYPE_LABEL, &[ON_DEMAND])])
}

/// What became of machines from a second on, without the pool's name.
fn since(rig: &Rig, from: u64) -> Vec<String> {
    let log = rig.log.iter().filter(|(at, _)| *at >= from);
    log.map(|(_, words)| words.replace("default-", "")).collect()
}

/// Six pods of a core on a large machine; a few minutes later there are so many.
fn shrunk_to(replicas: u32, pool: NodePool, change: impl FnOnce(&mut Rig)) -> (Rig, Vec<String>) {
    let mut rig = Rig::new(&[pool], offerings());
    let set = rig.workload("web", 6, 1000, 1024);
    rig.run(100);
    assert_eq!(since(&rig, 0), ["n1 is large"]);
    change(&mut rig);
    rig.scale(set, replicas);
    rig.run(200);
    let words = since(&rig, 100);
    (rig, words)
}

#[test]
fn nodes_that_cost_more_than_they_need_to_are_replaced_or_removed() {
    let policy = |policy| {
        let mut pool = on_demand();
        pool.disruption.policy = policy;
        pool
    };
    let any = || pool("default", &[within(CAPACITY_TYPE_LABEL, &[SPOT, ON_DEMAND])]);
    let never = || {
        let mut pool = on_demand();
        pool.disruption.consolidate_after = None;
        pool
    };
    let full = policy(ConsolidationPolicy::WhenEmptyOrUnderutilized);
    let empty_only = || policy(ConsolidationPolicy::WhenEmpty);
    let rows: Vec<(&str, u32, NodePool, &[&str])> = vec![
        (
            "a smaller one comes first, then the node goes",
            3,
            full.clone(),
            &["n2 is medium", "n1 goes"],
        ),
        ("the smallest that holds what is left", 1, full.clone(), &["n2 is small", "n1 goes"]),
        ("an empty node goes without", 0, full.clone(), &["n1 goes"]),
        ("a node that is needed stays", 5, full, &[]),
        ("WhenEmpty leaves nodes with pods", 1, empty_only(), &[]),
        ("and takes empty ones", 0, empty_only(), &["n1 goes"]),
        ("consolidateAfter Never takes none", 0, never(), &[]),
    ];
    for (sentence, replicas, pool, expected) in rows {
        let (rig, words) = shrunk_to(replicas, pool, |_| {});
        assert_eq!(words, expected, "{sentence}");
        assert_eq!(rig.waiting(), 0, "{sentence}");
    }
    // From on demand to spot is cheaper; from spot to spot is off.
    let mut rig = Rig::new(&[any()], offerings());
    let set = rig.workload("web", 4, 1000, 1024);
    rig.run(100);
    rig.scale(set, 1);
    rig.run(200);
    assert_eq!(since(&rig, 0), ["n1 is medium"], "a spot machine is not replaced by another");
    let words = "SpotToSpotConsolidation is disabled, can't replace a spot node with a spot node";
    assert!(rig.told.iter().any(|told| told == &format!("Unconsolidatable: {words}")));
}

#[test]
fn what_protects_pods_keeps_their_node() {
    let hold = |n| {
        move |rig: &mut Rig| {
            let id = rig.bench.web_budget(Budget::MaxUnavailable(IntOrPercent::Int(n)));
            rig.bench.store.update_pdb(id, |pdb| {
                pdb.status.disruptions_allowed = n;
                pdb.status.observed_generation = pdb.generation;
                true
            });
        }
    };
    let (rig, words) = shrunk_to(3, on_demand(), hold(0));
    assert!(words.is_empty(), "an exhausted budget: {words:?}");
    let blocked =
        "DisruptionBlocked: Pdb prevents pod evictions (PodDisruptionBudget=[default/web])";
    assert!(rig.told.iter().any(|told| told == blocked), "{:?}", rig.told);

    let mut rig = Rig::new(&[on_demand()], offerings());
    let set = rig.workload_of("web", 6, |spec| {
        spec.containers[0].requests = Resources::of(MilliCpu(1000), Bytes::mebi(1024));
        let undisrupted = Some(SimDuration::from_secs(600));
        spec.drain_hints = Some(Box::new(DrainHints { undisrupted, ..DrainHints::default() }));
    });
    rig.run(100);
    rig.scale(set, 1);
    rig.run(400);
    assert!(since(&rig, 100).is_empty(), "do-not-disrupt holds for ten minutes");
    rig.run(300);
    assert_eq!(since(&rig, 100), ["n2 is small", "n1 goes"], "and no longer");
}

#[test]
fn a_budget_lets_one_node_go_after_the_other() {
    let mut pool = on_demand();
    pool.disruption.budgets =
        vec![DisruptionBudget { nodes: IntOrPercent::Int(1), reasons: Vec::new(), schedule: None }];
    let mut rig = Rig::new(&[pool], offerings());
    let set = rig.workload("web", 24, 1000, 1024);
    rig.run(60);
    assert_eq!(rig.machines(), ["large", "large", "large"]);
    rig.scale(set, 0);
    let mut most = 0;
    for _ in 0..300 {
        rig.run(1);
        let marked = rig
            .bench
            .store
            .nodes()
            .filter(|(_, node)| node.has_taint(DISRUPTED, TaintEffect::NoSchedule));
        most = most.max(marked.count());
    }
    assert_eq!(most, 1, "never two at once");
    assert_eq!(rig.machines().len(), 0, "and all have gone");
}

#[test]
fn two_nodes_become_one_if_that_is_cheaper() {
    let mut rig = Rig::new(&[on_demand()], offerings());
    let first = rig.workload("web", 7, 1000, 1024);
    rig.run(60);
    let second = rig.workload("shop", 7, 1000, 1024);
    rig.run(60);
    assert_eq!(rig.machines(), ["large", "large"]);
    rig.scale(first, 2);
    rig.scale(second, 2);
    rig.run(300);
    assert_eq!(rig.machines(), ["medium"], "{:?}", rig.log);
    assert_eq!(rig.waiting(), 0);
}

#[test]
fn a_node_of_an_old_template_is_replaced() {
    let mut rig = Rig::new(&[on_demand()], offerings());
    rig.workload("web", 2, 1000, 1024);
    rig.run(100);
    let mut changed = on_demand();
    changed.labels = Labels::from([("team", "shop")]);
    rig.karpenter.set_pool(&changed, rig.bench.now);
    rig.hear(0, &News::Gone);
    rig.run(100);
    assert_eq!(since(&rig, 0), ["n1 is small", "n2 is small", "n1 goes"]);
    assert!(rig.told.iter().any(|told| told == "DisruptionTerminating: Disrupting Node: Drifted"));
    assert_eq!(rig.waiting(), 0);
}

#[test]
fn nodes_end_whatever_budgets_say_when_they_are_old_or_taken_back() {
    let mut old = on_demand();
    old.expire_after = Some(SimDuration::from_secs(600));
    old.disruption.budgets =
        vec![DisruptionBudget { nodes: IntOrPercent::Int(0), reasons: Vec::new(), schedule: None }];
    let mut rig = Rig::new(&[old], offerings());
    rig.workload("web", 2, 1000, 1024);
    rig.run(590);
    assert_eq!(since(&rig, 0), ["n1 is small"]);
    rig.run(60);
    assert_eq!(since(&rig, 0), ["n1 is small", "n2 is small", "n1 goes"], "it has expired");
    assert!(rig.told.iter().any(|told| told == "Evicted: Evicted pod: Expired"));

    let mut rig = Rig::new(&[on_demand()], offerings());
    rig.workload("web", 2, 1000, 1024);
    rig.run(100);
    rig.hear(1, &News::Interrupted);
    rig.run(60);
    assert_eq!(since(&rig, 0), ["n1 is small", "n2 is small", "n1 goes"], "the cloud wants it");
    let told = "SpotInterrupted: Spot interruption warning was triggered";
    assert_eq!(rig.told.iter().filter(|words| *words == told).count(), 2, "node and NodeClaim");
    assert_eq!(rig.waiting(), 0);
}

#[test]
fn a_grace_period_of_the_pool_ends_a_drain_that_is_blocked() {
    let mut rig = Rig::new(
        &[NodePool { termination_grace: Some(SimDuration::from_secs(120)), ..on_demand() }],
        offerings(),
    );
    rig.workload("web", 2, 1000, 1024);
    rig.run(100);
    let id = rig.bench.web_budget(Budget::MaxUnavailable(IntOrPercent::Int(0)));
    rig.bench.store.update_pdb(id, |pdb| {
        pdb.status.observed_generation = pdb.generation;
        true
    });
    rig.hear(1, &News::Deleted);
    rig.run(80);
    assert!(!since(&rig, 0).contains(&"n1 goes".to_string()), "the budget holds its pods");
    rig.run(40);
    assert!(since(&rig, 0).contains(&"n1 goes".to_string()), "until they have to go");
    assert!(rig.told.iter().any(|told| told.starts_with("Disrupted: Deleting the pod")));
}
