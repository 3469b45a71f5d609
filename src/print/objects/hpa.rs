//! HorizontalPodAutoscalers.

use super::meta::{Meta, marked, object, set_count};
use super::quantity;
use crate::api::HpaId;
use crate::api::autoscaling::{Hpa, MetricSource, MetricSpec, MetricTarget, ScalingRules};
use crate::api::kind::Kind;
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
    out["status"] = status;
    out
}

/// A metric as the metrics API has it at this instant: over the Ready pods that have a sample, as
/// the controller takes it (`GetResourceUtilizationRatio`). `None`: no pod has one.
fn current(snapshot: &Snapshot, hpa: &Hpa, metric: &MetricSpec) -> Option<Value> {
    let target = snapshot.store.scale_of(hpa.target)?;
    let pods = snapshot.store.pods_matching(&hpa.namespace, target.selector);
    let (mut used, mut asked, mut count) = (0, 0, 0);
    for (id, pod) in pods.filter(|(_, pod)| pod.ready && pod.is_active()) {
        let Some(milli) = snapshot.kubelets.usage(id, metric.source) else { continue };
        used += milli;
        count += 1;
        asked += pod.spec.containers.iter().fold(0, |sum, c| match metric.source {
            MetricSource::Memory => sum + c.requests.memory.0 * 1000,
            _ => sum + c.requests.cpu.0,
        });
    }
    if count == 0 {
        return None;
    }
    let mean = used / count;
    let (part, value) = match metric.source {
        MetricSource::Cpu => (json!({ "name": "cpu" }), quantity::cpu(MilliCpu(mean))),
        MetricSource::Memory => (json!({ "name": "memory" }), quantity::bytes(Bytes(mean / 1000))),
        MetricSource::RequestsPerSecond => {
            (json!({ "metric": { "name": "requests_per_second" } }), thousandths(mean))
        }
    };
    let mut current = json!({ "averageValue": value });
    if let MetricTarget::Utilization(_) = metric.target
        && asked > 0
    {
        current["averageUtilization"] = (used * 100 / asked).into();
    }
    let mut part = part;
    part["current"] = current;
    Some(match metric.source {
        MetricSource::RequestsPerSecond => json!({ "pods": part, "type": "Pods" }),
        _ => json!({ "resource": part, "type": "Resource" }),
    })
}

fn metric(metric: &MetricSpec) -> Value {
    let (resource, target) = match (metric.source, metric.target) {
        (source, MetricTarget::Utilization(percent)) => {
            (source, json!({ "averageUtilization": percent, "type": "Utilization" }))
        }
        (source, MetricTarget::AverageValue(milli)) => {
            (source, json!({ "averageValue": thousandths(milli), "type": "AverageValue" }))
        }
    };
    match resource {
        MetricSource::Cpu => {
            json!({ "resource": { "name": "cpu", "target": target }, "type": "Resource" })
        }
        MetricSource::Memory => {
            json!({ "resource": { "name": "memory", "target": target }, "type": "Resource" })
        }
        MetricSource::RequestsPerSecond => {
            let metric = json!({ "name": "requests_per_second" });
            json!({ "pods": { "metric": metric, "target": target }, "type": "Pods" })
        }
    }
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
    json!({
        "policies": rules.policies.iter().map(policy).collect::<Value>(),
        "selectPolicy": format!("{:?}", rules.select),
        "stabilizationWindowSeconds": rules.stabilization_window.0 / 1_000_000_000,
    })
}
