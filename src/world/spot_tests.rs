//! Spot machines, stock-outs, carbon and costs, in small worlds.

use super::run::{RunOptions, run};
use super::tests::{Keep, scenario};
use crate::check::Stride;
use crate::control::flags::ClusterAutoscalerFlags;
use crate::record::rows::{EventRow, NodeRow, PodRow};
use crate::record::totals::Totals;
use crate::scenario::curve::Curve;
use crate::scenario::market::{OnNotice, Spot, StockOut};
use crate::scenario::model::{Happening, NodeSelection, Scenario, TimelineEntry};
use crate::sim::sample::Distribution;
use crate::units::{SimDuration, SimTime};

const S: fn(u64) -> SimTime = SimTime::from_secs;
const D: fn(u64) -> SimDuration = SimDuration::from_secs;

struct Played {
    events: Vec<EventRow>,
    pods: Vec<PodRow>,
    nodes: Vec<NodeRow>,
    totals: Totals,
}

fn play(scenario: &Scenario, seed: u64) -> Played {
    let mut keep = Keep::default();
    let every = RunOptions { checks: Stride::Events(1) };
    let totals = run(scenario, seed, every, &mut keep, |_| {}).unwrap().recorder.totals.clone();
    Played { events: keep.events, pods: keep.pods, nodes: keep.nodes, totals }
}

fn at(second: u64, until: Option<u64>, what: Happening) -> TimelineEntry {
    TimelineEntry { at: S(second), until: until.map(S), what }
}

/// Four pods on two spot machines, of which the cloud wants one back after five minutes.
fn one_goes(on_notice: OnNotice) -> Scenario {
    let mut scenario = scenario(4, 2, Curve::Constant(50.0));
    scenario.node_groups[0].spot = Some(Spot { interruption: None, notice: D(120), on_notice });
    let one = NodeSelection { group: None, zone: None, count: Some(1) };
    scenario.timeline = vec![at(300, None, Happening::SpotInterruption(one))];
    scenario
}

#[test]
fn a_machine_goes_when_its_notice_is_over_and_another_one_comes() {
    let played = play(&one_goes(OnNotice::Nothing), 1);
    let gone: Vec<&NodeRow> = played.nodes.iter().filter(|node| node.gone.is_some()).collect();
    assert_eq!(gone.len(), 1);
    assert_eq!(gone[0].gone, Some(S(420)), "two minutes after the notice");
    let new = played.nodes.iter().find(|node| node.requested > S(0)).unwrap();
    assert_eq!((new.requested, new.registered), (S(420), S(460)), "asked for at once, boots 40 s");
    let notices = played.events.iter().filter(|event| event.reason == "SpotInterruption");
    assert_eq!((notices.count(), played.totals.spot_interruptions), (1, 1));
}

#[test]
fn a_drain_moves_pods_before_their_machine_goes() {
    let rows = [
        ("drained: evicted within the notice", OnNotice::Drain, true),
        ("nothing is done: collected after their node is gone", OnNotice::Nothing, false),
        ("a shutdown without grace period is as good as nothing", OnNotice::Shutdown, false),
    ];
    for (sentence, on_notice, drained) in rows {
        let played = play(&one_goes(on_notice), 1);
        let ended: Vec<&PodRow> = played.pods.iter().filter(|pod| pod.gone.is_some()).collect();
        assert!(!ended.is_empty(), "{sentence}");
        let reason = if drained { "Drained" } else { "PodGC" };
        assert!(ended.iter().all(|pod| pod.end_reason == reason), "{sentence}: {ended:?}");
        let early = ended.iter().all(|pod| pod.gone.is_some_and(|gone| gone < S(420)));
        assert_eq!(early, drained, "{sentence}");
    }
}

#[test]
fn a_shutdown_ends_pods_where_the_kubelet_has_time() {
    let mut scenario = one_goes(OnNotice::Shutdown);
    scenario.flags.kubelet.shutdown_grace_period = D(30);
    let played = play(&scenario, 1);
    assert!(played.pods.iter().any(|pod| pod.phase == "Failed"), "{:?}", played.pods);
}

#[test]
fn a_group_is_interrupted_as_often_as_its_distribution_says() {
    let mut scenario = scenario(4, 4, Curve::Constant(50.0));
    scenario.duration = D(36_000);
    let interruption = Some(Distribution::Exponential(3600.0));
    let notice = D(30);
    scenario.node_groups[0].spot =
        Some(Spot { interruption, notice, on_notice: OnNotice::Nothing });
    let counts: Vec<u64> =
        (1..=8).map(|seed| play(&scenario, seed).totals.spot_interruptions).collect();
    let mean = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
    // Four machines for ten hours, one interruption an hour each: 40, with a deviation of 2.2 for
    // the mean of eight.
    assert!((33.0..47.0).contains(&mean), "{counts:?}");
    assert!(counts.iter().any(|count| *count != counts[0]), "each seed draws anew: {counts:?}");
}

#[test]
fn machines_on_demand_are_left_alone() {
    let mut scenario = one_goes(OnNotice::Nothing);
    scenario.node_groups[0].spot = None;
    let played = play(&scenario, 1);
    assert!(played.nodes.iter().all(|node| node.gone.is_none()));
}

/// Pods for which a node has to come, while the cloud has none of some kind.
fn short(out: StockOut) -> Scenario {
    let mut scenario = scenario(6, 1, Curve::Constant(50.0));
    let group = &mut scenario.node_groups[0];
    (group.max, group.autoscaled) = (4, true);
    scenario.cold_start = true;
    scenario.flags.cluster_autoscaler = Some(ClusterAutoscalerFlags::default());
    scenario.timeline = vec![at(0, Some(1200), Happening::StockOut(Box::new(out)))];
    scenario
}

#[test]
fn what_is_out_of_stock_is_refused() {
    let out = |machine: &str, zone: &str, spot| StockOut {
        machine: (!machine.is_empty()).then(|| machine.into()),
        zone: (!zone.is_empty()).then(|| zone.into()),
        spot,
    };
    let rows = [
        ("everything", out("", "", false), true),
        ("this machine type", out("m", "", false), true),
        ("another machine type", out("x", "", false), false),
        ("one of two zones: the other one has some", out("", "b", false), false),
        ("spot machines, and these are none", out("", "", true), false),
    ];
    for (sentence, out, refused) in rows {
        let played = play(&short(out), 1);
        let told = played.events.iter().any(|event| {
            event.reason == "FailedToScaleUpGroup" && event.message.ends_with("out of stock")
        });
        assert_eq!(told, refused, "{sentence}");
        let first = played.nodes.iter().map(|node| node.requested).filter(|at| *at > S(0)).min();
        let late = first.is_none_or(|first| first >= S(1200));
        assert_eq!(late, refused, "{sentence}: {first:?}");
        let zones_of_new = played.nodes.iter().filter(|node| node.requested > S(0));
        let all_elsewhere = zones_of_new.clone().all(|node| &*node.zone == "a");
        if sentence.starts_with("one of two") {
            assert!(all_elsewhere && zones_of_new.count() > 0, "{sentence}");
        }
    }
}

#[test]
fn a_group_with_a_minimum_asks_until_it_gets_a_machine() {
    let mut scenario = one_goes(OnNotice::Nothing);
    let out = StockOut { machine: None, zone: None, spot: true };
    scenario.timeline.insert(0, at(0, Some(1000), Happening::StockOut(Box::new(out))));
    let played = play(&scenario, 1);
    let new = played.nodes.iter().find(|node| node.requested > S(0)).unwrap();
    assert_eq!(new.requested, S(1020), "each minute from 420 s on");
}

#[test]
fn carbon_is_energy_at_its_hour() {
    let mut scenario = scenario(1, 2, Curve::Constant(0.0));
    scenario.duration = D(7200);
    let idle = 2.0 * 50.0 * 2.0 / 1000.0;
    let rows = [
        ("nobody has asked", None, None),
        ("always the same", Some(Curve::Constant(400.0)), Some(400.0 * idle)),
        (
            "clean power in the second hour",
            Some(Curve::Step { at: S(3600), before: 400.0, after: 0.0 }),
            Some(200.0 * idle),
        ),
        (
            "a straight change has its mean",
            Some(Curve::Ramp { start: S(0), end: S(7200), before: 0.0, after: 600.0 }),
            Some(300.0 * idle),
        ),
    ];
    for (sentence, curve, expected) in rows {
        scenario.observe.carbon_intensity = curve;
        let found = play(&scenario, 1).totals.carbon_g;
        match (found, expected) {
            (Some(found), Some(expected)) => {
                assert!((found - expected).abs() < 0.01 * expected, "{sentence}: {found}");
            }
            _ => assert_eq!(found, expected, "{sentence}"),
        }
    }
}

#[test]
fn pods_pay_for_what_they_request_or_use() {
    // Two pods of one core and 256 MiB each, for half an hour on two machines of four cores.
    let scenario = scenario(2, 2, Curve::Constant(0.0));
    let totals = play(&scenario, 1).totals;
    let spending = totals.costs.spending(totals.cost);
    let [web] = &spending.workloads[..] else { panic!("{spending:?}") };
    assert_eq!((web.kind.as_deref(), web.name.as_deref()), (Some("Deployment"), Some("web")));
    assert!((web.charge.cpu_core_hours - 1.0).abs() < 1e-9, "{web:?}");
    assert!((web.charge.memory_gib_hours - 0.25).abs() < 1e-9, "{web:?}");
    assert!((web.total_cost - totals.cost).abs() < 1e-9, "with what is idle they pay for all");
    assert!(spending.idle > 0.7 * totals.cost);
    assert!((totals.cost - 0.5).abs() < 1e-9, "two machines, half an hour, 0.5 each");
}
