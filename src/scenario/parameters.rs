//! All effective parameters of a scenario as JSON, defaults included: for the run's manifest.
//!
//! They are told as a scenario file would: the same names, upstream's flags, durations like
//! `1h30m`, cores and bytes as numbers. So a script can read them, and they can be put into a
//! scenario file again; only a trace is named by its shape: its numbers are an input of their own.

use super::curve::Curve;
use super::custom_metrics::{CustomMetric, MetricValue, Whose};
use super::dependencies::{self, Dependency};
use super::flags::{Told, told_flags};
use super::graph;
use super::model::{
    Entry, Happening, NodeGroup, NodeSelection, PodSelection, Scenario, TimelineEntry, Traffic,
    Workload,
};
use super::value::duration_text;
use crate::api::resources::Resources;
use crate::api::taint::Taint;
use crate::sim::sample::Distribution;
use crate::units::{Bytes, SimTime};
use serde_json::{Map, Value, json};

/// Everything that was decided, by the file or by a default. `lines`: the instants of the file's
/// timeline, and its lines of kubectl as they were written: one may be several commands.
pub(super) fn of(scenario: &Scenario, lines: Vec<(SimTime, Option<String>)>) -> Value {
    let names = scenario.objects.names_of_bearers();
    let bearers = names.iter().map(|name| name.to_string());
    let workloads = scenario.workloads.iter().map(|w| workload(scenario, w));
    let mut told = json!({
        "duration": scenario.duration.told(),
        "start": if scenario.cold_start { "cold" } else { "settled" },
        "nodes": scenario.own_groups().iter().map(group).collect::<Vec<_>>(),
        "workloads": bearers.zip(workloads).collect::<Map<_, _>>(),
        "traffic": scenario.traffic.iter().map(|t| traffic(scenario, t)).collect::<Vec<_>>(),
        "timeline": timeline(scenario, lines),
        "flags": told_flags(&scenario.flags),
        "observe": {
            "every": scenario.observe.every.told(),
            "traffic-resolution": scenario.observe.traffic_resolution.told(),
            "error-budget": scenario.observe.error_budget,
            "latency-objective": scenario.observe.latency_objective.told(),
            "currency": scenario.observe.currency,
        },
    });
    if scenario.cpu_contention {
        told["cpu-contention"] = "shares".into();
    }
    if !scenario.objects.vpas.is_empty() {
        told["flags"]["vpa-recommender"] = scenario.flags.vpa.recommender.told();
        told["flags"]["vpa-updater"] = scenario.flags.vpa.updater.told();
    }
    if let Some(karpenter) = &scenario.karpenter {
        told["flags"]["karpenter"] = scenario.flags.karpenter.told();
        let sold = scenario.node_groups[karpenter.groups()].iter();
        told["karpenter"] = sold.map(group).collect();
    }
    if !scenario.metrics.is_empty() {
        told["metrics"] = scenario.metrics.iter().map(|m| metric(scenario, m)).collect();
    }
    if let Some(curve) = &scenario.observe.carbon_intensity {
        told["observe"]["carbon-intensity"] = shape(curve);
    }
    if !scenario.dependencies.is_empty() {
        let one = |d: &Dependency| (d.name.to_string(), dependencies::told(d));
        told["dependencies"] = scenario.dependencies.iter().map(one).collect::<Map<_, _>>().into();
    }
    if !scenario.balancing.is_empty() {
        let bearer = |index: usize| names[index].to_string();
        let one = |(index, balancing): (&usize, &_)| {
            (service(scenario, *index), graph::told::balancing(balancing, bearer))
        };
        told["services"] = scenario.balancing.iter().map(one).collect::<Map<_, _>>().into();
    }
    told
}

/// The timeline in order.
fn timeline(scenario: &Scenario, mut lines: Vec<(SimTime, Option<String>)>) -> Value {
    lines.retain(|(at, _)| *at < SimTime::ZERO + scenario.duration);
    lines.sort_by_key(|(at, _)| *at);
    let is_other = |entry: &&TimelineEntry| !matches!(entry.what, Happening::Kubectl(_));
    let mut others = scenario.timeline.iter().filter(is_other);
    let told = |(at, line): (SimTime, Option<String>)| {
        if let Some(line) = line {
            return Some(json!({"at": instant(at), "kubectl": line}));
        }
        let entry = others.next()?;
        let (name, what) = happening(scenario, &entry.what);
        let mut told = json!({"at": instant(entry.at), name: what});
        if let Some(until) = entry.until {
            told["for"] = until.since(entry.at).told();
        }
        Some(told)
    };
    lines.into_iter().filter_map(told).collect()
}

fn instant(at: SimTime) -> String {
    duration_text(at.since(SimTime::ZERO))
}

fn deployment(scenario: &Scenario, index: usize) -> String {
    let d = &scenario.objects.deployments[index];
    format!("{}/{}", d.namespace, d.name)
}

fn service(scenario: &Scenario, index: usize) -> String {
    let mut services = scenario.objects.destinations();
    if let Some(service) = services.nth(index) {
        return format!("{}/{}", service.namespace, service.name);
    }
    let past = index - scenario.objects.destinations().count();
    scenario.dependencies.get(past).map_or_else(String::new, |d| d.name.to_string())
}

fn traffic(scenario: &Scenario, traffic: &Traffic) -> Value {
    let mut told = json!({"noise": traffic.noise});
    graph::told::load(traffic, shape, &mut told);
    if scenario.may_stick().next().is_some() {
        told["clients"] = traffic.clients.into();
    }
    match &traffic.to {
        Entry::Service(index) => told["to"] = service(scenario, *index).into(),
        Entry::Ingress { only, host, path } => {
            told["host"] = host.to_string().into();
            told["path"] = path.to_string().into();
            if let Some(name) = only {
                told["to"] = format!("ingress/{}/{}", name.namespace, name.name).into();
            }
        }
    }
    told
}

fn metric(scenario: &Scenario, metric: &CustomMetric) -> Value {
    let names = scenario.objects.names_of_bearers();
    let mut told = json!({"name": &*metric.name});
    match &metric.whose {
        Whose::Nobodys => {}
        Whose::Pods(of) => told["pods"] = names[*of].clone().into(),
        Whose::Object { kind, namespace, name } => {
            told["object"] = format!("{kind}/{name}").into();
            told["namespace"] = namespace.as_deref().into();
        }
    }
    let labels = metric.labels.iter().map(|(k, v)| (k.to_string(), json!(v)));
    told["labels"] = labels.collect::<Map<_, _>>().into();
    match &metric.value {
        MetricValue::Curve(curve) => told["value"] = shape(curve),
        MetricValue::Levels(levels) => {
            let level = |(at, milli): &(SimTime, i64)| json!({"at": instant(*at), "value": *milli as f64 / 1000.0});
            told["value"] = json!({"levels": levels.iter().map(level).collect::<Vec<_>>()});
        }
        MetricValue::Measure(measure, of) => {
            told["measure"] = measure.name().into();
            told["of"] = names[*of].clone().into();
        }
    }
    told
}

fn group(group: &NodeGroup) -> Value {
    let machine = &group.machine;
    let mut told = json!({
        "name": group.name,
        "machine": {
            "name": machine.name,
            "cpu": machine.capacity.cpu.cores(),
            "memory": machine.capacity.memory.0,
            "allocatable-cpu": machine.allocatable.cpu.cores(),
            "allocatable-memory": machine.allocatable.memory.0,
            "resources": scalars(&machine.capacity),
            "pods": machine.max_pods,
            "price-per-hour": machine.price_per_hour,
            "idle-watts": machine.idle_watts,
            "peak-watts": machine.peak_watts,
            "image-download": machine.pull_bytes_per_second,
            "image-unpack": machine.unpack_bytes_per_second,
        },
        "disk": Some(machine.capacity.ephemeral_storage.0).filter(|size| *size > 0),
        "count": group.count,
        "min": group.min,
        "max": group.max,
        "zones": group.zones,
        "labels": group.labels.iter().map(|(k, v)| (k.to_string(), json!(v))).collect::<Map<_, _>>(),
        "taints": group.taints.iter().map(taint).collect::<Vec<_>>(),
        "boot": group.boot.told(),
        "ready": group.ready.told(),
        "boot-failure": group.boot_failure,
    });
    if let Some(spot) = &group.spot {
        told["spot"] = json!({
            "price-per-hour": machine.price_per_hour,
            "interruption": spot.interruption.as_ref().map(Told::told),
            "notice": spot.notice.told(),
            "on-notice": spot.on_notice.name(),
        });
    }
    told
}

fn scalars(resources: &Resources) -> Map<String, Value> {
    resources.scalars().map(|(name, amount)| (name.to_string(), json!(amount))).collect()
}

fn taint(taint: &Taint) -> Value {
    // Effects are named as upstream names them.
    json!({"key": taint.key, "value": taint.value, "effect": format!("{:?}", taint.effect)})
}

fn workload(scenario: &Scenario, workload: &Workload) -> Value {
    let mut told = json!({
        "demand": workload.demand.told(),
        "wait": workload.wait.told(),
        "concurrency": workload.concurrency,
        "queue": workload.queue,
        "timeout": workload.timeout.told(),
        "idle-cpu": workload.idle_cpu.cores(),
        "memory": {"base": workload.memory.0, "per-request": workload.memory_per_request.0},
        "startup": workload.startup.told(),
        "image": {"size": workload.image_size.0, "layers": workload.image_layers},
        "disk": {"base": workload.disk.base.0, "growth": workload.disk.growth.0},
        "burst": workload.burst,
        "calls": graph::told::calls(workload, |index| service(scenario, index)),
    });
    graph::told::serving(&workload.serving, &mut told);
    if workload.init != Distribution::Constant(1.0) {
        told["init"] = json!(workload.init.told());
    }
    // What goes wrong with few is told of those.
    let failings = &workload.failings;
    for (field, after) in
        [("crash-after", &failings.crash_after), ("hang-after", &failings.hang_after)]
    {
        if let Some(after) = after {
            told[field] = json!(after.told());
        }
    }
    if failings.memory_growth > Bytes::ZERO {
        told["memory"]["growth"] = failings.memory_growth.0.into();
    }
    if failings.probes_queue {
        told["probe-fails-when"] = "overloaded".into();
    }
    told
}

fn shape(curve: &Curve) -> Value {
    match curve {
        Curve::Constant(value) => json!({"constant": value}),
        Curve::Step { at, before, after } => {
            json!({"step": {"at": instant(*at), "from": before, "to": after}})
        }
        Curve::Ramp { start, end, before, after } => json!({"ramp": {
            "start": instant(*start), "end": instant(*end), "from": before, "to": after,
        }}),
        Curve::Diurnal { mean, amplitude, peak, period } => json!({"diurnal": {
            "mean": mean, "amplitude": amplitude, "peak": instant(*peak), "period": period.told(),
        }}),
        Curve::Spike { base, peak, at, rise, hold, fall } => json!({"spike": {
            "base": base, "peak": peak, "at": instant(*at),
            "rise": rise.told(), "hold": hold.told(), "fall": fall.told(),
        }}),
        Curve::Points(points) => {
            let point = |(at, value): &(SimTime, f64)| json!({"at": instant(*at), "value": value});
            json!({"points": points.iter().map(point).collect::<Vec<_>>()})
        }
        Curve::Trace { start, slot, values } => json!({"trace": {
            "start": instant(*start),
            "slot": slot.told(),
            "slots": values.len(),
            "peak": values.iter().copied().fold(0.0, f64::max),
        }}),
        Curve::Sum(curves) => json!({"sum": curves.iter().map(shape).collect::<Vec<_>>()}),
        Curve::Product(curves) => json!({"product": curves.iter().map(shape).collect::<Vec<_>>()}),
    }
}

/// Name and content of a happening, as the timeline writes it.
fn happening(scenario: &Scenario, what: &Happening) -> (&'static str, Value) {
    let group = |index: usize| &scenario.node_groups[index].name;
    let nodes = |of: &NodeSelection| json!({"group": of.group.map(group), "zone": of.zone, "count": of.count});
    let pods = |of: &PodSelection| json!({"deployment": deployment(scenario, of.deployment), "count": of.count});
    match what {
        Happening::NodeCrash(of) => ("node-crash", nodes(of)),
        Happening::NodeShutdown(of) => ("node-shutdown", nodes(of)),
        Happening::NodeHang(of) => ("node-hang", nodes(of)),
        Happening::ZoneOutage { zone } => ("zone-outage", json!({"zone": zone})),
        Happening::ContainerCrash(of) => ("container-crash", pods(of)),
        Happening::ContainerHang(of) => ("container-hang", pods(of)),
        Happening::CrashLoop { deployment: d, after } => {
            let told = json!({"deployment": deployment(scenario, *d), "after": after.told()});
            ("crash-loop", told)
        }
        Happening::DeletePods(of) => ("delete-pods", pods(of)),
        Happening::RegistrySlow { factor } => ("registry-slow", json!({"factor": factor})),
        Happening::RegistryOutage { fails_after } => {
            ("registry-outage", json!({"fails-after": fails_after.told()}))
        }
        Happening::Dependency { dependency: d, replicas } => {
            let name = &scenario.dependencies[*d].name;
            ("dependency", json!({"name": name, "replicas": replicas}))
        }
        Happening::ApiServerOutage => ("api-server-outage", json!({})),
        Happening::ApiLoad(load) => {
            let (per_node, rate, objects) = (load.per_node, load.rate, load.objects);
            ("api-load", json!({"per-node": per_node, "rate": rate, "objects": objects}))
        }
        Happening::ComponentCrash { component } => {
            ("component-crash", json!({"component": component.name()}))
        }
        Happening::NodeGroupMax { group: g, max } => {
            ("node-group-max", json!({"group": group(*g), "max": max}))
        }
        Happening::MaxNodesTotal { max } => ("max-nodes-total", json!(max)),
        Happening::StockOut(out) => {
            ("stock-out", json!({"machine": out.machine, "zone": out.zone, "spot": out.spot}))
        }
        Happening::SpotInterruption(of) => ("spot-interruption", nodes(of)),
        Happening::Kubectl(command) => ("kubectl", json!(command.told())),
        Happening::Kubelet { node, reports } => {
            ("kubelet", json!({"node": node.to_string(), "reports": reports}))
        }
        Happening::Neighbors { requests } => ("neighbors", json!(requests)),
        Happening::Metrics { app, .. } => ("metrics", json!(app.to_string())),
        Happening::NodeAdd { group: g } => ("node-add", json!(group(*g))),
        Happening::Scale { deployment: d, replicas } => {
            ("scale", json!({"deployment": deployment(scenario, *d), "replicas": replicas}))
        }
    }
}
