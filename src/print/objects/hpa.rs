//! HorizontalPodAutoscalers.

use super::meta::{Meta, condition, marked, object, set_count};
use super::quantity;
use crate::api::HpaId;
use crate::api::autoscaling::{
    Hpa, Measured, MetricId, MetricSource, MetricSpec, MetricTarget, ScalingRules,
};
use crate::api::kind::Kind;
use crate::api::pod::Container;
use crate::print::Snapshot;
use crate::print::chronicle::Key;
use crate::units::{Bytes, MilliCpu};
use serde_json::{Value, json};
use slotmap::Key as _;

/// A HorizontalPodAutoscaler.
pub(super) fn hpa(snapshot: &Snapshot, id: HpaId, given: &Hpa) -> Value {
    let (version, _) = marked(snapshot, Key::Hpa(id));
    let mut out = object(&Meta {
        kind: "HorizontalPodAutoscaler",
        namespace: &given.namespace,
        name: &given.name,
        ordinal: id.data().as_ffi(),
        labels: None,
        generation: 0,
        created: given.created,
        version,
    });
    out["spec"] = json!({
        "maxReplicas": given.max_replicas,
        "metrics": given.metrics.iter().map(metric).collect::<Value>(),
        "minReplicas": given.min_replicas,
        "scaleTargetRef": {
            "apiVersion": Kind::named(given.target_kind).map_or("apps/v1", |kind| kind.api_version),
            "kind": given.target_kind,
            "name": &*given.target_name,
        },
    });
    if given.has_behavior {
        out["spec"]["behavior"] =
            json!({ "scaleDown": rules(&given.scale_down), "scaleUp": rules(&given.scale_up) });
    }
    let mut status = json!({ "desiredReplicas": given.desired_replicas });
    set_count(&mut status, "currentReplicas", given.current_replicas);
    let current = given.metrics.iter().map(|metric| current(snapshot, given, metric));
    if let Some(current) = current.collect::<Option<Vec<Value>>>().filter(|all| !all.is_empty()) {
        status["currentMetrics"] = current.into();
    }
    if !given.conditions.is_empty() {
        status["conditions"] = given.conditions.iter().map(condition).collect();
    }
    out["status"] = status;
    out
}

/// A metric as the metrics APIs have it at this instant; `None`: they have none.
fn current(snapshot: &Snapshot, hpa: &Hpa, metric: &MetricSpec) -> Option<Value> {
    let current = match &metric.source {
        MetricSource::Object(..) | MetricSource::External(_) => {
            let values = snapshot.kubelets.values(&hpa.namespace, &metric.source);
            let sum: i64 = values.first().map(|_| values.iter().sum())?;
            match metric.target {
                MetricTarget::Value(_) => json!({ "value": thousandths(sum) }),
                _ => {
                    let counted = i64::from(snapshot.store.scale_of(hpa.target)?.counted);
                    // Without a pod upstream divides by nothing; that is not told here.
                    let mean = if counted == 0 { sum } else { (sum + counted - 1) / counted };
                    json!({ "averageValue": thousandths(mean) })
                }
            }
        }
        _ => of_pods(snapshot, hpa, metric)?,
    };
    Some(part(metric, "current", current))
}

/// Over the Ready pods that have a sample, as the controller takes it
/// (`GetResourceUtilizationRatio`). `None`: no pod has one.
fn of_pods(snapshot: &Snapshot, hpa: &Hpa, metric: &MetricSpec) -> Option<Value> {
    let target = snapshot.store.scale_of(hpa.target)?;
    let pods = snapshot.store.pods_matching(&hpa.namespace, target.selector);
    let (mut used, mut asked, mut count) = (0, 0, 0);
    let only = match &metric.source {
        MetricSource::ContainerResource(_, name) => Some(name),
        _ => None,
    };
    for (id, pod) in pods.filter(|(_, pod)| pod.ready && pod.is_active()) {
        let Some(milli) = snapshot.kubelets.usage(id, &metric.source) else { continue };
        used += milli;
        count += 1;
        let counts = |c: &&Container| only.is_none_or(|name| *name == c.name);
        let containers = pod.spec.containers.iter().filter(counts);
        asked += containers.fold(0, |sum, c| match metric.source.resource() {
            Some(Measured::Memory) => sum + c.requests.memory.0 * 1000,
            _ => sum + c.requests.cpu.0,
        });
    }
    if count == 0 {
        return None;
    }
    let mean = used / count;
    let value = match metric.source.resource() {
        Some(Measured::Cpu) => quantity::cpu(MilliCpu(mean)),
        Some(Measured::Memory) => quantity::bytes(Bytes(mean / 1000)),
        None => thousandths(mean),
    };
    let mut current = json!({ "averageValue": value });
    if let MetricTarget::Utilization(_) = metric.target
        && asked > 0
    {
        current["averageUtilization"] = (used * 100 / asked).into();
    }
    Some(current)
}

/// One entry of a list of metrics: what it is of, and one more field (`target`, `current`).
fn part(metric: &MetricSpec, field: &str, value: Value) -> Value {
    let (key, mut part) = match &metric.source {
        MetricSource::Resource(resource) => ("resource", json!({ "name": resource.name() })),
        MetricSource::ContainerResource(resource, container) => {
            ("containerResource", json!({ "name": resource.name(), "container": &**container }))
        }
        MetricSource::Pods(id) => ("pods", json!({ "metric": metric_id(id) })),
        MetricSource::Object(of, id) => {
            let mut described = json!({ "kind": &*of.kind, "name": &*of.name });
            if !of.api_version.is_empty() {
                described["apiVersion"] = (&*of.api_version).into();
            }
            ("object", json!({ "describedObject": described, "metric": metric_id(id) }))
        }
        MetricSource::External(id) => ("external", json!({ "metric": metric_id(id) })),
    };
    part[field] = value;
    json!({ key: part, "type": metric.source.kind() })
}

fn metric_id(id: &MetricId) -> Value {
    match &id.selector {
        None => json!({ "name": &*id.name }),
        Some(selector) => json!({ "name": &*id.name, "selector": super::meta::selector(selector) }),
    }
}

fn metric(metric: &MetricSpec) -> Value {
    let target = match metric.target {
        MetricTarget::Utilization(percent) => {
            json!({ "averageUtilization": percent, "type": "Utilization" })
        }
        MetricTarget::AverageValue(milli) => {
            json!({ "averageValue": thousandths(milli), "type": "AverageValue" })
        }
        MetricTarget::Value(milli) => json!({ "value": thousandths(milli), "type": "Value" }),
    };
    part(metric, "target", target)
}

/// An amount given in thousandths.
fn thousandths(milli: i64) -> String {
    match milli % 1000 {
        0 => (milli / 1000).to_string(),
        _ => format!("{milli}m"),
    }
}

fn rules(rules: &ScalingRules) -> Value {
    let policy = |p: &crate::api::autoscaling::ScalingPolicy| {
        let period = p.period.0 / 1_000_000_000;
        json!({ "periodSeconds": period, "type": format!("{:?}", p.kind), "value": p.value })
    };
    let mut out = json!({
        "policies": rules.policies.iter().map(policy).collect::<Value>(),
        "selectPolicy": format!("{:?}", rules.select),
    });
    if let Some(window) = rules.stabilization_window {
        out["stabilizationWindowSeconds"] = (window.0 / 1_000_000_000).into();
    }
    if let Some(milli) = rules.tolerance_milli {
        out["tolerance"] = thousandths(i64::from(milli)).into();
    }
    out
}
