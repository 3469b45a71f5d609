//! Small worlds, run to their end.

use super::run::{RunOptions, run};
use crate::api::autoscaling::{Hpa, MetricSource, MetricSpec, MetricTarget, ScalingRules};
use crate::api::labels::{Labels, Selector};
use crate::api::pod::{Container, PodSpec};
use crate::api::resources::Resources;
use crate::api::service::Service;
use crate::api::taint::{NOT_READY, Toleration, UNREACHABLE};
use crate::api::workload::{Deployment, IntOrPercent, PodTemplate, Strategy, WorkloadStatus};
use crate::check::Stride;
use crate::control::flags::ClusterAutoscalerFlags;
use crate::record::Sink;
use crate::record::rows::{EventRow, PodRow};
use crate::scenario::curve::Curve;
use crate::scenario::model::*;
use crate::sim::sample::Distribution;
use crate::units::{Bytes, MilliCpu, SimDuration, SimTime};
use std::sync::Arc;

const S: fn(u64) -> SimTime = SimTime::from_secs;
const D: fn(u64) -> SimDuration = SimDuration::from_secs;

pub(super) fn deployment(name: &str, replicas: u32, cpu: i64) -> Deployment {
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
        template: PodTemplate { labels, spec: Arc::new(spec), hash: "abc".into() },
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
        status: WorkloadStatus::default(),
    }
}

pub(super) fn scenario(replicas: u32, nodes: u32, rate: Curve) -> Scenario {
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
        name: "test".into(),
        question: "?".into(),
        about: String::new(),
        duration: D(1800),
        seed: 1,
        cold_start: false,
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
        }],
        objects: Objects {
            services: vec![Service {
                name: "web".into(),
                namespace: "default".into(),
                labels: Labels::default(),
                selector: Some(web.selector.clone()),
                publish_not_ready: false,
                endpoints: vec![],
            }],
            deployments: vec![web],
            hpas: vec![],
            pdbs: vec![],
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
            burst: 1.0,
            calls: vec![],
        }],
        traffic: vec![Traffic { service: 0, rate, noise: 0.0 }],
        timeline: vec![],
        flags: Flags::default(),
        observe: Observe {
            every: D(15),
            traffic_resolution: D(15),
            error_budget: 0.01,
            latency_objective: D(1),
            currency: "USD".into(),
        },
        expect: vec![],
        ignored: vec![],
        hash: String::new(),
        parameters: serde_json::Value::Null,
        cut_short: false,
    }
}

fn hpa(min: u32, max: u32) -> (Hpa, usize) {
    let cpu = MetricSpec { source: MetricSource::Cpu, target: MetricTarget::Utilization(60) };
    let hpa = Hpa {
        name: "web".into(),
        namespace: "default".into(),
        target: Default::default(),
        min_replicas: min,
        max_replicas: max,
        metrics: vec![cpu],
        has_behavior: false,
        scale_up: ScalingRules::default_up(),
        scale_down: ScalingRules::default_down(),
        created: SimTime::ZERO,
        current_replicas: 0,
        desired_replicas: 0,
    };
    (hpa, 0)
}

#[derive(Default)]
pub(super) struct Keep {
    events: Vec<EventRow>,
    pods: Vec<PodRow>,
}

impl Sink for Keep {
    fn event(&mut self, row: &EventRow) {
        self.events.push(row.clone());
    }
    fn pod(&mut self, row: &PodRow) {
        self.pods.push(row.clone());
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
