//! Small worlds, run to their end.

use super::run::{RunOptions, explain, run};
use crate::api::ObjectName;
use crate::api::autoscaling::Hpa;
use crate::api::labels::{Labels, Selector};
use crate::api::pod::{Container, PodSpec, PullPolicy};
use crate::api::resources::Resources;
use crate::api::service::Service;
use crate::api::taint::{NOT_READY, Toleration, UNREACHABLE};
use crate::api::workload::{Deployment, IntOrPercent, PodTemplate, Strategy, WorkloadStatus};
use crate::check::Stride;
use crate::control::flags::ClusterAutoscalerFlags;
use crate::record::Sink;
use crate::record::rows::{EventRow, NodeRow, PodRow};
use crate::scenario::curve::Curve;
use crate::scenario::graph::model::{Arrivals, Load};
use crate::scenario::kubectl::Command;
use crate::scenario::model::*;
use crate::sim::sample::Distribution;
use crate::units::{Bytes, MilliCpu, SimDuration, SimTime};
use std::sync::Arc;

const S: fn(u64) -> SimTime = SimTime::from_secs;
const D: fn(u64) -> SimDuration = SimDuration::from_secs;

pub(in crate::world) fn deployment(name: &str, replicas: u32, cpu: i64) -> Deployment {
    let labels = Labels::from([("app", name)]);
    let container = Container {
        name: name.into(),
        image: format!("{name}:1").into(),
        requests: Resources::of(MilliCpu(cpu), Bytes::mebi(256)),
        cpu_limit: Some(MilliCpu(cpu)),
        ..Container::default()
    };
    let spec = PodSpec {
        containers: vec![container],
        scheduler_name: "default-scheduler".into(),
        termination_grace: D(30),
        tolerations: vec![
            Toleration::default_seconds(NOT_READY),
            Toleration::default_seconds(UNREACHABLE),
        ],
        ..PodSpec::default()
    };
    Deployment {
        name: name.into(),
        namespace: "default".into(),
        labels: labels.clone(),
        replicas,
        selector: Selector::from_labels(&labels),
        template: PodTemplate {
            labels,
            spec: Arc::new(spec),
            hash: "abc".into(),
            ..PodTemplate::default()
        },
        strategy: Strategy::RollingUpdate {
            max_surge: IntOrPercent::Percent(25),
            max_unavailable: IntOrPercent::Percent(25),
        },
        min_ready: SimDuration::ZERO,
        paused: false,
        revision_history_limit: 10,
        progress_deadline: D(600),
        generation: 1,
        created: SimTime::ZERO,
        revision: 0,
        status: WorkloadStatus::default(),
        conditions: Vec::new(),
        deletion: None,
    }
}

pub(in crate::world) fn scenario(replicas: u32, nodes: u32, rate: Curve) -> Scenario {
    let machine = Machine {
        name: "m".into(),
        capacity: Resources::of(MilliCpu(4000), Bytes::mebi(16_384)),
        allocatable: Resources::of(MilliCpu(4000), Bytes::mebi(16_384)),
        max_pods: 110,
        price_per_hour: 0.5,
        idle_watts: 50.0,
        peak_watts: 150.0,
        pull_bytes_per_second: 30e6,
        unpack_bytes_per_second: 60e6,
    };
    let web = deployment("web", replicas, 1000);
    Scenario {
        dependencies: Vec::new(),
        name: "test".into(),
        question: "?".into(),
        about: String::new(),
        duration: D(1800),
        seed: 1,
        cold_start: false,
        cpu_contention: false,
        clock: crate::units::WallClock::default(),
        karpenter: None,
        node_groups: vec![NodeGroup {
            name: "pool".into(),
            machine,
            count: nodes,
            min: nodes,
            max: nodes,
            autoscaled: false,
            zones: vec!["a".into(), "b".into()],
            labels: Labels::default(),
            taints: vec![],
            boot: Distribution::Constant(40.0),
            ready: Distribution::Constant(20.0),
            boot_failure: 0.0,
            spot: None,
            static_pods: Vec::new(),
            node_names: Vec::new(),
        }],
        objects: Objects {
            later: Vec::new(),
            arriving: 0,
            services: vec![Service {
                name: "web".into(),
                namespace: "default".into(),
                labels: Labels::default(),
                selector: Some(web.selector.clone()),
                publish_not_ready: false,
                ..Service::default()
            }],
            deployments: vec![web],
            applied: vec![],
            others: vec![],
            hpas: vec![],
            vpas: vec![],
            scaled_objects: vec![],
            pdbs: vec![],
            devices: Default::default(),
        },
        workloads: vec![Workload {
            demand: SimDuration::from_millis(10),
            wait: SimDuration::ZERO,
            concurrency: 16,
            queue: 100,
            timeout: D(1),
            idle_cpu: MilliCpu(5),
            memory: Bytes::mebi(100),
            memory_per_request: Bytes(0),
            startup: Distribution::Constant(2.0),
            image_size: Bytes(300_000_000),
            image_layers: 5,
            disk: Default::default(),
            burst: 1.0,
            calls: vec![],
            calls_stop: false,
            serving: Default::default(),
            init: Distribution::Constant(1.0),
            failings: Default::default(),
            is_resized: false,
        }],
        balancing: Default::default(),
        levels: Vec::new(),
        traffic: vec![Traffic {
            to: Entry::Service(0),
            load: Load::Open { rate, arrivals: Arrivals::Poisson },
            noise: 0.0,
            clients: 1000,
            patience: Default::default(),
            zones: vec![],
        }],
        metrics: Vec::new(),
        timeline: vec![],
        fleets: Vec::new(),
        teams: Vec::new(),
        flags: Flags::default(),
        observe: Observe {
            every: D(15),
            traffic_resolution: D(15),
            error_budget: 0.01,
            latency_objective: D(1),
            currency: "USD".into(),
            carbon_intensity: None,
        },
        expect: vec![],
        ignored: vec![],
        awaited: vec![],
        hash: String::new(),
        parameters: serde_json::Value::Null,
        cut_short: false,
    }
}

fn hpa(min: u32, max: u32) -> (Hpa, usize) {
    let name = ObjectName { namespace: "default".into(), name: "web".into() };
    let hpa = Hpa { min_replicas: min, max_replicas: max, ..Hpa::on_cpu(&name, 60) };
    (hpa, 0)
}

#[derive(Default, Debug)]
pub(in crate::world) struct Keep {
    pub(in crate::world) events: Vec<EventRow>,
    pub(in crate::world) pods: Vec<PodRow>,
    pub(in crate::world) nodes: Vec<NodeRow>,
}

impl Sink for Keep {
    fn event(&mut self, row: &EventRow) {
        self.events.push(row.clone());
    }
    fn pod(&mut self, row: &PodRow) {
        self.pods.push(row.clone());
    }
    fn node(&mut self, row: &NodeRow) {
        self.nodes.push(row.clone());
    }
}

const EVERY: RunOptions = RunOptions { checks: Stride::Events(1) };

#[test]
fn a_deployment_becomes_ready_and_serves() {
    let mut scenario = scenario(3, 2, Curve::Constant(100.0));
    scenario.cold_start = true;
    let mut keep = Keep::default();
    let run = run(&scenario, 1, EVERY, &mut keep, |_| {}).unwrap();
    let last = run.recorder.cluster.last().unwrap().clone();
    assert_eq!((last.pods_ready, last.nodes_ready), (3, 2));
    assert!((last.served / last.offered - 1.0).abs() < 1e-6, "{last:?}");
    drop(run);
    let ready = keep.pods[0].ready.unwrap();
    assert!(ready > S(12) && ready < S(20), "pull 10 s, start, 2 s: {ready:?}");
}

#[test]
fn a_step_in_demand_is_answered_by_the_autoscalers() {
    let mut scenario = scenario(2, 2, Curve::Step { at: S(600), before: 100.0, after: 1500.0 });
    scenario.duration = D(3600);
    scenario.objects.hpas.push(hpa(2, 100));
    scenario.node_groups[0].max = 20;
    scenario.node_groups[0].autoscaled = true;
    scenario.flags.cluster_autoscaler = Some(ClusterAutoscalerFlags::default());
    let mut keep = Keep::default();
    let run = run(&scenario, 1, EVERY, &mut keep, |_| {}).unwrap();
    let last = run.recorder.cluster.last().unwrap().clone();
    assert!(last.pods_ready >= 25, "{last:?}");
    assert!(last.served / last.offered > 0.999);
    drop(run);
}

#[test]
fn a_lost_node_is_replaced_after_its_tolerations() {
    let mut scenario = scenario(6, 3, Curve::Constant(100.0));
    let selection = NodeSelection { group: None, zone: None, count: Some(1) };
    scenario.timeline.push(TimelineEntry {
        at: S(300),
        until: None,
        what: Happening::NodeCrash(selection),
    });
    let mut keep = Keep::default();
    let run = run(&scenario, 1, EVERY, &mut keep, |_| {}).unwrap();
    let last = run.recorder.cluster.last().unwrap().clone();
    assert_eq!((last.pods_ready, last.nodes_ready), (6, 2), "{last:?}");
    drop(run);
    let evicted = keep.events.iter().find(|e| e.reason == "TaintManagerEviction").unwrap();
    let after = evicted.time.since(S(300)).as_secs_f64();
    assert!((345.0..360.0).contains(&after), "45 to 55 s, then 300 s: {after}");
}

#[test]
fn a_node_object_that_somebody_deletes_leaves_its_machine_and_pods() {
    let mut scenario = scenario(6, 2, Curve::Constant(100.0));
    let delete = Command::DeleteNode { node: "pool-1".into() };
    scenario.timeline = vec![entry(300, None, Happening::Kubectl(Box::new(delete)))];
    let mut keep = Keep::default();
    // The bill is held against the nodes' records at the end: the machine is paid for all along.
    let run = run(&scenario, 1, EVERY, &mut keep, |_| {}).unwrap();
    assert_eq!(run.recorder.totals.nodes_at_end, 1);
    assert!((run.recorder.totals.cost - 0.5).abs() < 1e-9, "two machines for half an hour");
    drop(run);
    let told = keep.events.iter().find(|event| event.reason == "RemovingNode").unwrap();
    assert_eq!((&*told.name, told.time), ("pool-1", S(305)), "at the next check");
    let collected: Vec<SimTime> = keep
        .pods
        .iter()
        .filter(|pod| pod.end_reason == "PodGC")
        .filter_map(|pod| pod.gone)
        .collect();
    assert_eq!(collected.len(), 3);
    let in_time = |gone: &SimTime| (S(340)..S(365)).contains(gone);
    assert!(collected.iter().all(in_time), "after the quarantine: {collected:?}");
}

#[test]
fn the_same_seed_gives_the_same_hash_and_another_seed_another() {
    let mut scenario = scenario(3, 2, Curve::Constant(100.0));
    scenario.cold_start = true;
    let hash = |seed| {
        let mut keep = Keep::default();
        let run = run(&scenario, seed, EVERY, &mut keep, |_| {}).unwrap();
        run.event_log_hash
    };
    assert_eq!(hash(1), hash(1));
    assert_ne!(hash(1), hash(2));
}

#[test]
fn several_workers_of_the_scheduler_change_a_run_and_looking_on_does_not() {
    // Nodes that are equal to the scheduler: which of them wins is for the race to say.
    let mut scenario = scenario(30, 60, Curve::Constant(100.0));
    scenario.cold_start = true;
    scenario.duration = D(120);
    let mut hash = |workers| {
        scenario.flags.scheduler.parallelism = workers;
        let mut keep = Keep::default();
        let alone = run(&scenario, 1, EVERY, &mut keep, |_| {}).unwrap().event_log_hash;
        let pod = keep.pods[20].name.to_string();
        let mut keep = Keep::default();
        let pod = format!("default/{pod}");
        let (watched, seen) = explain(&scenario, 1, &pod, &mut keep, |_| {}).unwrap();
        assert!(seen.is_some_and(|attempts| !attempts.is_empty()));
        assert_eq!(watched.event_log_hash, alone, "{workers} workers");
        alone
    };
    let of_one = hash(1);
    let of_many = hash(16);
    assert_ne!(of_many, of_one);
    assert_eq!((hash(16), hash(1)), (of_many, of_one), "again the same");
}

#[test]
fn runs_beside_each_other_on_threads_are_the_runs_alone() {
    let mut scenario = scenario(2, 2, Curve::Step { at: S(300), before: 100.0, after: 1500.0 });
    scenario.objects.hpas.push(hpa(2, 100));
    scenario.cold_start = true;
    let scenario = &scenario;
    let hash =
        |seed| run(scenario, seed, EVERY, &mut Keep::default(), |_| {}).unwrap().event_log_hash;
    let alone: Vec<String> = (1..=4).map(hash).collect();
    let beside: Vec<String> = std::thread::scope(|threads| {
        let running: Vec<_> = (1..=4).map(|seed| threads.spawn(move || hash(seed))).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(beside, alone);
}

/// A run of one pod with what befalls it; its pull policy and whether its image is there.
fn one_pod(policy: PullPolicy, settled: bool, timeline: Vec<TimelineEntry>) -> Keep {
    let mut scenario = scenario(1, 1, Curve::Constant(10.0));
    (scenario.cold_start, scenario.timeline) = (!settled, timeline);
    let spec = Arc::make_mut(&mut scenario.objects.deployments[0].template.spec);
    spec.containers[0].pull_policy = policy;
    let mut keep = Keep::default();
    run(&scenario, 1, EVERY, &mut keep, |_| {}).unwrap();
    keep
}

fn entry(at: u64, until: Option<u64>, what: Happening) -> TimelineEntry {
    TimelineEntry { at: S(at), until: until.map(S), what }
}

fn outage(at: u64, until: u64) -> TimelineEntry {
    entry(at, Some(until), Happening::RegistryOutage { fails_after: D(30) })
}

fn crash(at: u64) -> TimelineEntry {
    let all = PodSelection { deployment: 0, count: None };
    entry(at, None, Happening::ContainerCrash(all))
}

/// What the kubelet says, in order: reasons, and for failures what failed.
fn said(keep: &Keep, until: SimTime) -> Vec<String> {
    let kubelets = keep.events.iter().filter(|e| e.component == "kubelet" && e.time < until);
    let short = |e: &EventRow| match e.message.strip_prefix("Error: ") {
        Some(error) => error.to_string(),
        None => e.reason.to_string(),
    };
    kubelets.map(short).collect()
}

#[test]
fn a_registry_that_is_out_makes_the_kubelet_back_off_as_upstream() {
    let keep = one_pod(PullPolicy::IfNotPresent, false, vec![outage(0, 300)]);
    let expected =
        ["Pulling Failed ErrImagePull BackOff ImagePullBackOff", "Pulling Failed ErrImagePull"];
    let expected: Vec<&str> = expected.iter().flat_map(|text| text.split(' ')).collect();
    assert_eq!(said(&keep, S(100))[..8], expected);
    let times = |message: &str| -> Vec<SimTime> {
        let told = keep.events.iter().filter(|e| e.message.starts_with(message));
        told.map(|e| e.time).collect()
    };
    let (pulls, failures) = (times("Pulling"), times("Failed to pull"));
    for (pull, failure) in pulls.iter().zip(&failures) {
        assert_eq!(failure.since(*pull), D(30), "no answer for 30 s");
    }
    // A wait ends between two looks, which are 10 to 15 s apart and on a tick of the sync loop.
    for (n, (failure, next)) in failures.iter().zip(&pulls[1..]).enumerate() {
        let waited = next.since(*failure);
        let wait = D(10 * (1 << n).min(30));
        assert!(waited >= wait && waited <= wait + D(16), "pull {n}: {waited}");
    }
    assert!(failures.len() >= 4, "{failures:?}");
    let message = "Failed to pull image \"web:1\": failed to pull and unpack image \"web:1\": failed \
                   to resolve reference \"web:1\": failed to do request: dial tcp: i/o timeout";
    assert!(keep.events.iter().any(|e| e.message == message));
    assert_eq!(keep.pods[0].waiting_reason, "", "the registry is back, and the pod runs");
    assert!(keep.pods[0].running.unwrap() > S(300));
}

#[test]
fn pull_policies_count_when_the_registry_is_out() {
    let crashes = || vec![outage(60, 1800), crash(120)];
    #[rustfmt::skip]
    let rows = [
        ("an image that is there needs no registry", PullPolicy::IfNotPresent, true, "Pulled", ""),
        ("unless it is to be pulled always", PullPolicy::Always, true, "Pulling Failed ErrImagePull", "ImagePullBackOff"),
        ("one that is never pulled has to be there", PullPolicy::Never, true, "Pulled", ""),
        ("or the container does not start", PullPolicy::Never, false, "ErrImageNeverPull ErrImageNeverPull", "ErrImageNeverPull"),
    ];
    for (sentence, policy, settled, first, waiting) in rows {
        let keep = one_pod(policy, settled, crashes());
        let said = said(&keep, S(1800));
        let first: Vec<&str> = first.split(' ').collect();
        assert_eq!(said[..first.len()], first, "{sentence}");
        let last = keep.pods[0].waiting_reason;
        let crashing = "CrashLoopBackOff";
        assert!(last == waiting || (!waiting.is_empty() && last == crashing), "{sentence}: {last}");
    }
}

#[test]
fn a_pull_under_way_follows_the_registry() {
    let pulled = |timeline| {
        let keep = one_pod(PullPolicy::IfNotPresent, false, timeline);
        let time = |reason: &str| {
            let mut told = keep.events.iter().filter(|e| e.reason == reason);
            told.next().unwrap().time.as_secs_f64()
        };
        (time("Pulling"), time("Pulled"))
    };
    let slow = |at, until| entry(at, Some(until), Happening::RegistrySlow { factor: 4.0 });
    // 300 MB at 30 MB/s and 5 layers; four times as slow.
    let (whole, slowly) = (10.2, 40.2);
    let (begun, ended) = pulled(vec![]);
    assert!((ended - begun - whole).abs() < 1e-6, "{begun} {ended}");
    let left = |at: f64| 1.0 - (at - begun) / whole;
    #[rustfmt::skip]
    let rows = [
        ("a slow registry makes what is left slow", slow(5, 900), 5.0 + left(5.0) * slowly),
        ("one that is fast again makes it fast", slow(5, 15), 15.0 + (left(5.0) - 10.0 / slowly) * whole),
        ("one that is gone for a moment makes it wait", outage(5, 20), 20.0 + left(5.0) * whole),
    ];
    for (sentence, entry, expected) in rows {
        let (_, ended) = pulled(vec![entry]);
        assert!((ended - expected).abs() < 1e-6, "{sentence}: {ended}, expected {expected}");
    }
    let keep = one_pod(PullPolicy::IfNotPresent, false, vec![outage(5, 200)]);
    let failed = keep.events.iter().find(|e| e.reason == "Failed").unwrap();
    assert_eq!(failed.time, S(35), "nothing has come for 30 s");
    assert!(failed.message.contains("httpReadSeeker"), "{}", failed.message);
}

#[test]
fn a_crash_loop_waits_from_the_end_of_the_container() {
    let every_300_ms = |n: u64| TimelineEntry {
        at: S(60 + 100 * n) + SimDuration::from_millis(300),
        until: None,
        what: Happening::ContainerCrash(PodSelection { deployment: 0, count: None }),
    };
    let keep = one_pod(PullPolicy::IfNotPresent, true, (0..4).map(every_300_ms).collect());
    let starts = keep.events.iter().filter(|e| e.reason == "Started");
    let waits: Vec<f64> = starts
        .zip(0..)
        .map(|(start, n)| start.time.since(every_300_ms(n).at).as_secs_f64())
        .collect();
    assert_eq!(waits.len(), 4);
    // Noticed 0.7 s after the end; then 10, 20, 40 s from it, up to half of what is left late, on
    // the next tick.
    for (waited, wait) in waits.iter().zip([0.7, 10.0, 20.0, 40.0]) {
        let latest = if wait < 1.0 { wait } else { wait * 1.5 + 1.0 };
        assert!((wait..latest + 0.5).contains(waited), "{waits:?}");
    }
}
