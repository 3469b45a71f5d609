//! HorizontalPodAutoscalers.

use super::meta::{Meta, marked, object, set_count};
use crate::api::HpaId;
use crate::api::autoscaling::{Hpa, MetricSource, MetricSpec, MetricTarget, ScalingRules};
use crate::print::Snapshot;
use crate::print::chronicle::Key;
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
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": &*given.target_name,
        },
    });
    if given.has_behavior {
        out["spec"]["behavior"] =
            json!({ "scaleDown": rules(&given.scale_down), "scaleUp": rules(&given.scale_up) });
    }
    let mut status = json!({ "desiredReplicas": given.desired_replicas });
    set_count(&mut status, "currentReplicas", given.current_replicas);
    out["status"] = status;
    out
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
