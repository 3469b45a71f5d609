//! Outages of the API server and losses of leaders, in small worlds run to their end.

use super::run::{RunOptions, run};
use super::tests::{Keep, scenario};
use crate::check::Stride;
use crate::record::story::Moment;
use crate::scenario::curve::Curve;
use crate::scenario::model::*;
use crate::units::{SimDuration, SimTime};

const S: fn(u64) -> SimTime = SimTime::from_secs;
const EVERY: RunOptions = RunOptions { checks: Stride::Events(1) };

pub(super) fn entry(at: u64, until: Option<u64>, what: Happening) -> TimelineEntry {
    TimelineEntry { at: S(at), until: until.map(S), what }
}

fn outage(at: u64, until: u64) -> TimelineEntry {
    entry(at, Some(until), Happening::ApiServerOutage)
}

fn crash_of(component: Component) -> TimelineEntry {
    entry(300, None, Happening::ComponentCrash { component })
}

pub(super) fn delete_one() -> Happening {
    Happening::DeletePods(PodSelection { deployment: 0, count: Some(1) })
}

/// What a run came to.
pub(super) struct Told {
    keep: Keep,
    /// When leaders were lost and elected.
    pub(super) lost: Vec<f64>,
    pub(super) elected: Vec<f64>,
    pub(super) served: f64,
    pub(super) ready: Vec<(u64, u32, u32)>,
    restarts: u64,
    pub(super) renewals_failed: u64,
}

impl Told {
    pub(super) fn of(scenario: &Scenario, seed: u64) -> Told {
        let mut keep = Keep::default();
        let run = run(scenario, seed, EVERY, &mut keep, |_| {}).unwrap();
        let moments = &run.recorder.totals.moments;
        let times = |kind: Moment| -> Vec<f64> {
            let of = moments.iter().filter(|moment| moment.kind == kind);
            of.map(|moment| moment.time.since(SimTime::ZERO).as_secs_f64()).collect()
        };
        let (lost, elected) = (times(Moment::LeaderLost), times(Moment::LeaderElected));
        let rows = &run.recorder.cluster;
        let offered: f64 = rows.iter().map(|row| row.offered).sum();
        let served = rows.iter().map(|row| row.served).sum::<f64>() / offered;
        let ready = rows.iter().map(|r| (r.time.whole_secs(), r.pods_ready, r.nodes_ready));
        let ready = ready.collect();
        let restarts = run.recorder.totals.restarts.iter().sum();
        let renewals_failed = run.recorder.totals.api.as_ref().map_or(0, |a| a.renewals_failed);
        drop(run);
        Told { keep, lost, elected, served, ready, restarts, renewals_failed }
    }

    pub(super) fn first(&self, reason: &str) -> Option<f64> {
        let event = self.keep.events.iter().find(|event| event.reason == reason)?;
        Some(event.time.since(SimTime::ZERO).as_secs_f64())
    }

    /// When the pods were created that came after the start.
    pub(super) fn created(&self) -> Vec<f64> {
        let pods = self.keep.pods.iter().map(|p| p.created.since(SimTime::ZERO).as_secs_f64());
        let mut late: Vec<f64> = pods.filter(|at| *at > 0.0).collect();
        late.sort_by(f64::total_cmp);
        late
    }
}

pub(super) fn world() -> Scenario {
    scenario(6, 3, Curve::Constant(100.0))
}

#[test]
fn without_an_api_server_containers_and_traffic_go_on() {
    for seed in 1..=5 {
        let mut scenario = world();
        scenario.timeline = vec![outage(300, 900)];
        let told = Told::of(&scenario, seed);
        assert!(told.served > 0.999_999, "endpoints are known: {}", told.served);
        assert_eq!(told.first("NodeNotReady"), None, "a new leader counts from its first look");
        assert!(told.ready.iter().all(|(_, pods, nodes)| (*pods, *nodes) == (6, 3)));
        assert_eq!(told.lost.len(), 2, "both leaders give up");
        assert!(told.lost.iter().all(|at| (310.0..=312.0).contains(at)), "{:?}", told.lost);
        assert!(told.elected.iter().all(|at| (915.0..924.0).contains(at)), "{:?}", told.elected);
        let registered = told.first("RegisteredNode").unwrap();
        assert!((915.0..930.0).contains(&registered), "the new one lists anew: {registered}");
    }
}

#[test]
fn an_outage_costs_a_leader_its_lead_only_if_it_lasts_beyond_the_deadline() {
    let rows = [
        ("eight seconds are bridged: the lease is renewed at a later try", 308, 0),
        ("thirteen are not: both gave up ten to twelve seconds after it began", 313, 2),
    ];
    for (sentence, until, lost) in rows {
        for seed in 1..=10 {
            let mut scenario = world();
            scenario.timeline = vec![outage(300, until)];
            let told = Told::of(&scenario, seed);
            assert_eq!(told.lost.len(), lost, "{sentence}, seed {seed}");
            assert_eq!(told.elected.len(), lost, "{sentence}, seed {seed}");
            assert_eq!(told.first("NodeNotReady"), None, "{sentence}");
        }
    }
}

#[test]
fn nothing_reconciles_until_it_is_back() {
    let crash = NodeSelection { group: None, zone: None, count: Some(1) };
    for seed in 1..=5 {
        let mut scenario = world();
        let deleted = entry(299, None, delete_one());
        let scale = Happening::Scale { deployment: 0, replicas: 9 };
        let node = entry(400, None, Happening::NodeCrash(crash.clone()));
        scenario.timeline = vec![deleted, outage(300, 900), entry(350, None, scale), node];
        scenario.duration = SimDuration::from_secs(3600);
        let told = Told::of(&scenario, seed);
        let created = told.created();
        assert!(created[0] < 300.0, "what was asked for before is done: {created:?}");
        assert!(created[1..].iter().all(|at| *at > 915.0), "nothing else before: {created:?}");
        let not_ready = told.first("NodeNotReady").unwrap();
        assert!(
            (965.0..985.0).contains(&not_ready),
            "the dead node is found 50 s after the new leader's first look: {not_ready}"
        );
        let (_, pods, nodes) = *told.ready.last().unwrap();
        assert_eq!((pods, nodes), (6, 2), "what was asked for meanwhile was refused");
    }
}

#[test]
fn containers_restart_where_they_are() {
    let mut scenario = world();
    let pods = PodSelection { deployment: 0, count: Some(2) };
    let crash = entry(400, None, Happening::ContainerCrash(pods));
    scenario.timeline = vec![outage(300, 900), crash];
    let told = Told::of(&scenario, 1);
    assert_eq!(told.restarts, 2);
    let at = |second: u64| told.ready.iter().find(|(time, ..)| *time == second).unwrap().1;
    assert_eq!((at(390), at(420)), (6, 6), "within seconds, and nobody had to be asked");
}

#[test]
fn a_lost_leader_is_replaced_when_its_lease_has_run_out() {
    let rows: [(&str, u32, bool, std::ops::Range<f64>); 3] = [
        ("alone it starts again, sees the old lease and waits for its end", 1, true, 317.0..322.5),
        ("one of two others has seen the lease before", 3, true, 313.0..320.5),
        ("without election it works as soon as it runs", 1, false, 302.0..302.5),
    ];
    for (sentence, replicas, leader_elect, expected) in rows {
        for seed in 1..=10 {
            let mut scenario = world();
            scenario.flags.control_plane.replicas = replicas;
            scenario.flags.controller_manager.leader_elect = leader_elect;
            let deleted = entry(301, None, delete_one());
            scenario.timeline = vec![crash_of(Component::ControllerManager), deleted];
            let told = Told::of(&scenario, seed);
            let [elected] = told.elected[..] else { panic!("one election: {:?}", told.elected) };
            assert!(expected.contains(&elected), "{sentence}: {elected}");
            let created = told.created();
            assert_eq!(created.len(), 1, "{sentence}");
            let after = created[0] - elected;
            assert!((0.0..0.1).contains(&after), "the new leader sees the loss: {after}");
        }
    }
}

#[test]
fn without_a_scheduler_pods_wait() {
    for seed in 1..=10 {
        let mut scenario = world();
        let deleted = entry(301, None, delete_one());
        scenario.timeline = vec![crash_of(Component::Scheduler), deleted];
        let told = Told::of(&scenario, seed);
        let pod = told.keep.pods.iter().find(|pod| pod.created > S(1)).unwrap();
        let bound = pod.scheduled.unwrap().since(S(0)).as_secs_f64();
        assert!(pod.created < S(302), "the ReplicaSet replaces it at once");
        assert!((317.0..322.5).contains(&bound), "the new scheduler binds it: {bound}");
        assert_eq!(told.ready.last().unwrap().1, 6);
    }
}

#[test]
fn a_controller_that_keeps_its_lead_does_not_take_old_leases_for_silence() {
    for seed in 1..=10 {
        let mut scenario = world();
        scenario.flags.controller_manager.leader_elect = false;
        scenario.flags.scheduler.leader_elect = false;
        scenario.timeline = vec![outage(300, 900)];
        let told = Told::of(&scenario, seed);
        assert!(told.lost.is_empty() && told.served > 0.999_999, "seed {seed}");
        if let Some(at) = told.first("NodeNotReady") {
            assert!((900.0..907.0).contains(&at), "only before a kubelet has renewed: {at}");
        }
        let (_, pods, nodes) = *told.ready.last().unwrap();
        assert_eq!((pods, nodes), (6, 3), "seed {seed}");
        let marked = |(_, pods, nodes): &(u64, u32, u32)| (*pods, *nodes) != (6, 3);
        let wrong = told.ready.iter().filter(|row| marked(row)).count();
        assert!(wrong <= 1, "what was marked is ready again within seconds: {wrong} rows");
        assert_eq!(told.first("TaintManagerEviction"), None);
    }
}
