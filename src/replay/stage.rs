//! The scenario that a script makes: its nodes, the stand-in for the kubelets, its actions as a
//! timeline. What is not modelled is said.

use super::play::Play;
use super::script::{Nodes, Script};
use crate::api::labels::Labels;
use crate::api::quantity::Quantity;
use crate::api::resources::Resources;
use crate::api::taint::{Taint, TaintEffect};
use crate::scenario::metrics::GivenMetrics;
use crate::scenario::model::*;
use crate::sim::sample::Distribution::Constant;
use crate::units::{SimDuration, SimTime, WallClock};
use serde_json::Value;

/// The stand-in kubelet: bound to Running and Ready, seconds.
const STARTS_IN: f64 = 1.0;
/// The recorded API server, on two crowded cores with its controllers and etcd beside it: what a
/// write takes, of which it works on four at once. Fitted to the times between two writes of one
/// client (b03, b13: 5 to 10 ms; 20 to 60 ms for the creation of a pod).
const WRITE_MS: u64 = 4;
const CREATE_MS: u64 = 25;
const SPREAD: f64 = 0.5;
const SEATS: u32 = 4;
/// The longest period of a loop of the controller manager's (`podgc`).
const LOOP_MS: u64 = 20_000;
/// Requests of the scripts that began beside a shared one, of one client: 20 a second and 30 at
/// once leave its first pods waiting for up to three seconds (g01, h08).
const NEIGHBORS: u32 = 90;
/// Deletion seen to gone, seconds.
const STOPS_IN: f64 = 0.5;

/// The scenario of a script whose actions were answered at these times, milliseconds, and which is
/// played by this clock; each play finds the controllers' loops at another point of their round.
///
/// # Errors
/// What of it is not modelled.
pub(super) fn scenario(
    script: &Script,
    answers: &[i64],
    clock: WallClock,
    repeat: usize,
) -> Result<Scenario, String> {
    let mut node_groups = script.nodes.iter().map(nodes).collect::<Result<Vec<_>, _>>()?;
    let mut play = Play::of(script);
    if script.class == "shared" {
        let what = Happening::Neighbors { requests: NEIGHBORS };
        play.timeline.push(TimelineEntry { at: SimTime::ZERO, until: None, what });
    }
    let known = answers.len() == script.actions.len();
    for (index, action) in script.actions.iter().enumerate() {
        let at = if known { answers[index] as f64 / 1000.0 } else { action.at };
        let at = SimTime::ZERO + SimDuration::from_secs_f64(at.max(action.at));
        play.act(action, at, &mut node_groups)?;
    }
    Ok(Scenario {
        dependencies: Vec::new(),
        name: script.name.clone(),
        question: String::new(),
        about: String::new(),
        duration: SimDuration::from_secs_f64(script.duration_s),
        cold_start: true,
        cpu_contention: false,
        clock,
        seed: 1,
        node_groups,
        karpenter: None,
        objects: Objects::default(),
        workloads: Vec::new(),
        balancing: Default::default(),
        traffic: Vec::new(),
        levels: Vec::new(),
        metrics: Vec::new(),
        timeline: play.timeline,
        fleets: Vec::new(),
        teams: Vec::new(),
        flags: flags(repeat),
        observe: Observe {
            every: SimDuration::from_secs(3600),
            traffic_resolution: SimDuration::from_secs(3600),
            error_budget: 0.01,
            carbon_intensity: None,
            latency_objective: SimDuration::from_secs(1),
            currency: "USD".to_owned(),
        },
        cut_short: false,
        expect: Vec::new(),
        ignored: Vec::new(),
        awaited: Vec::new(),
        hash: String::new(),
        parameters: Value::Null,
    })
}

fn flags(repeat: usize) -> Flags {
    let mut flags = Flags::default();
    // The golden section of the longest loop's period: so few plays meet most phases.
    let first_round = SimDuration::from_millis(repeat as u64 * 12_361 % LOOP_MS);
    flags.controller_manager.first_round = first_round;
    flags.kubelet.sandbox = Constant(0.0);
    flags.kubelet.container_start = Constant(STARTS_IN);
    flags.kubelet.pod_starts_per_second = 1e9;
    flags.kubelet.image_resolve = SimDuration::ZERO;
    flags.kubelet.layer_seconds = 0.0;
    flags.kubelet.termination = Constant(STOPS_IN);
    flags.kubelet.never_restarts = true;
    flags.api_server.write_latency = SimDuration::from_millis(WRITE_MS);
    flags.api_server.pod_create_latency = SimDuration::from_millis(CREATE_MS);
    flags.api_server.latency_spread = SPREAD;
    flags.api_server.max_mutating_requests_inflight = SEATS;
    flags
}

/// A group of the nodes of a script.
pub(super) fn nodes(given: &Nodes) -> Result<NodeGroup, String> {
    let amount = |given: &Option<Value>, default: &str| -> Result<Quantity, String> {
        let text = match given {
            None => default.to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        text.parse().map_err(|_| format!("{text} is no quantity"))
    };
    let cpu = amount(&given.cpu, "8")?.as_cpu();
    let memory = amount(&given.memory, "32Gi")?.as_bytes();
    let room = Resources::of(cpu, memory);
    let count = given.count.unwrap_or(1);
    let labels = given.labels.as_object().into_iter().flatten();
    let labels = labels.map(|(k, v)| (k.as_str().into(), v.as_str().unwrap_or("").into()));
    Ok(NodeGroup {
        name: given.name.as_str().into(),
        machine: Machine {
            name: "recorded".into(),
            capacity: room.clone(),
            allocatable: room,
            max_pods: u32::try_from(amount(&given.pods, "110")?.value()).unwrap_or(110),
            price_per_hour: 0.0,
            idle_watts: 0.0,
            peak_watts: 0.0,
            pull_bytes_per_second: 1e12,
            unpack_bytes_per_second: 1e12,
        },
        count,
        min: count,
        max: count,
        autoscaled: false,
        zones: vec![given.zone.as_deref().unwrap_or("z0").into()],
        labels: Labels::new(labels.collect()),
        taints: taints(&given.taints)?,
        boot: Constant(0.0),
        ready: Constant(0.0),
        boot_failure: 0.0,
        spot: None,
        static_pods: Vec::new(),
        node_names: given.names(),
    })
}

/// Taints as a script writes them.
pub(super) fn taints(given: &Value) -> Result<Vec<Taint>, String> {
    let one = |given: &Value| {
        let word = |key: &str| given[key].as_str().unwrap_or_default();
        let effect = match word("effect") {
            "NoSchedule" => TaintEffect::NoSchedule,
            "PreferNoSchedule" => TaintEffect::PreferNoSchedule,
            "NoExecute" => TaintEffect::NoExecute,
            other => return Err(format!("a taint with effect {other:?}")),
        };
        let taint = Taint::new(word("key"), effect, SimTime::ZERO);
        Ok(Taint { value: word("value").into(), ..taint })
    };
    given.as_array().into_iter().flatten().map(one).collect()
}

/// What the metrics API answers from then on.
pub(super) fn metrics(given: &Value) -> GivenMetrics {
    let curve = |key: &str| {
        let points = given[key].as_array().into_iter().flatten();
        let point = |point: &Value| {
            let at = SimDuration::from_secs_f64(point[0].as_f64()?);
            Some((SimTime::ZERO + at, point[1].as_f64()?))
        };
        points.filter_map(point).collect()
    };
    let places = given["missing_index"].as_array().into_iter().flatten();
    GivenMetrics {
        total: curve("total_milli"),
        per_pod: curve("per_pod_milli"),
        missing_younger: SimDuration::from_secs_f64(
            given["missing_younger_s"].as_f64().unwrap_or(0.0),
        ),
        missing: places.filter_map(|place| Some(place.as_u64()? as usize)).collect(),
        none: given["none"].as_bool().unwrap_or(false),
        noise: given["noise"].as_f64().unwrap_or(0.0),
    }
}
