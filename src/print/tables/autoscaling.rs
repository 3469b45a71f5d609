//! The tables of HorizontalPodAutoscalers and VerticalPodAutoscalers.

use super::{Table, name};
use crate::print::read::{age, items, number, some, text};
use serde_json::Value;

pub(super) const HPA: Table = Table {
    columns: &[
        ("NAME", false),
        ("REFERENCE", false),
        ("TARGETS", false),
        ("MINPODS", false),
        ("MAXPODS", false),
        ("REPLICAS", false),
        ("AGE", false),
    ],
    cells: |hpa, now| {
        let metrics: Vec<String> = (0..items(hpa, "/spec/metrics").len())
            .map(|index| {
                let Metric { resource, current, target, is_average, .. } = metric(hpa, index);
                let average = if is_average { " (avg)" } else { "" };
                match resource {
                    Some(name) => format!("{name}: {current}/{target}"),
                    None => format!("{current}/{target}{average}"),
                }
            })
            .collect();
        vec![
            name(hpa),
            reference(hpa),
            some(&metrics, 2, ", "),
            number(hpa, "/spec/minReplicas").to_string(),
            number(hpa, "/spec/maxReplicas").to_string(),
            number(hpa, "/status/currentReplicas").to_string(),
            age(hpa, now),
        ]
    },
};

/// The columns that the kind's CustomResourceDefinition asks for.
pub(super) const VPA: Table = Table {
    columns: &[
        ("NAME", false),
        ("MODE", false),
        ("CPU", false),
        ("MEM", false),
        ("PROVIDED", false),
        ("AGE", false),
        ("MINREPLICAS", true),
        ("OOMSECONDS", true),
    ],
    cells: |vpa, now| {
        let word = |path: &str| text(vpa, path).to_owned();
        let target = "/status/recommendation/containerRecommendations/0/target";
        let conditions = items(vpa, "/status/conditions");
        let is_provided = |c: &&Value| c["type"] == "RecommendationProvided";
        let least = vpa.pointer("/spec/updatePolicy/minReplicas");
        vec![
            name(vpa),
            word("/spec/updatePolicy/updateMode"),
            word(&format!("{target}/cpu")),
            word(&format!("{target}/memory")),
            conditions.iter().find(is_provided).map_or("", |c| text(c, "/status")).to_owned(),
            age(vpa, now),
            least.map_or(String::new(), |least| least.to_string()),
            String::new(),
        ]
    },
};

/// `Deployment/web`.
pub(in crate::print) fn reference(hpa: &Value) -> String {
    let word = |field: &str| text(hpa, &format!("/spec/scaleTargetRef/{field}"));
    format!("{}/{}", word("kind"), word("name"))
}

/// A metric as it is shown.
pub(in crate::print) struct Metric {
    /// The resource, if it is one.
    pub resource: Option<String>,
    /// What it is, in a description.
    pub what: String,
    /// As it is now.
    pub current: String,
    /// The amount of which that is the percentage.
    pub amount: String,
    /// What it should be.
    pub target: String,
    /// Whether the value of no pod is compared with a target for each.
    pub is_average: bool,
}

/// One of an autoscaler's metrics.
pub(in crate::print) fn metric(hpa: &Value, index: usize) -> Metric {
    let spec = &items(hpa, "/spec/metrics")[index];
    let current = items(hpa, "/status/currentMetrics").get(index);
    let mut key = text(spec, "/type").to_owned();
    key[..1].make_ascii_lowercase();
    let part = &spec[&key];
    let target = part.get("target");
    let value = |of: Option<&Value>| {
        let amount = |field: &str| of.map(|of| text(of, field)).filter(|v| !v.is_empty());
        let percent = of.and_then(|of| of["averageUtilization"].as_u64());
        let amount = amount("/averageValue").or_else(|| amount("/value"));
        percent.map(|percent| format!("{percent}%")).or(amount.map(str::to_owned))
    };
    let is_average = target.is_some_and(|target| target["type"] == "AverageValue");
    let kind = if is_average { "target average value" } else { "target value" };
    let (name, id) = (text(part, "/name"), text(part, "/metric/name"));
    let what = match key.as_str() {
        "resource" => format!("resource {name} on pods"),
        "containerResource" => {
            format!("resource {name} of container {:?} on pods", text(part, "/container"))
        }
        "pods" => format!("{id:?} on pods"),
        "object" => {
            let of = |field: &str| text(part, &format!("/describedObject/{field}"));
            format!("{id:?} on {}/{} ({kind})", of("kind"), of("name"))
        }
        _ => format!("{id:?} ({kind})"),
    };
    let unknown = || "<unknown>".to_owned();
    let now = current.and_then(|current| current[&key].get("current"));
    Metric {
        resource: (!name.is_empty()).then(|| name.to_owned()),
        what,
        current: value(now).unwrap_or_else(unknown),
        amount: now.map_or("", |now| text(now, "/averageValue")).to_owned(),
        target: value(target).unwrap_or_else(unknown),
        is_average: is_average && matches!(key.as_str(), "object" | "external"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::SimTime;
    use serde_json::json;

    #[test]
    fn metrics_are_told_as_kubectl_tells_them() {
        let cpu = json!({"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 60}}});
        let memory = json!({"type": "Resource", "resource": {"name": "memory", "target": {"averageValue": "200Mi"}}});
        let rate = json!({"type": "Pods", "pods": {"metric": {"name": "rps"}, "target": {"averageValue": "50"}}});
        let depth = json!({"type": "External", "external": {"metric": {"name": "depth"}, "target": {"type": "AverageValue", "averageValue": "30"}}});
        let rps = json!({"type": "Object", "object": {"describedObject": {"kind": "Service", "name": "web"}, "metric": {"name": "rps"}, "target": {"type": "Value", "value": "100"}}});
        let known =
            json!([{"resource": {"current": {"averageUtilization": 42, "averageValue": "42m"}}}]);
        let rows = [
            ("none", json!([]), json!([]), "<none>"),
            ("one of which nothing is known", json!([cpu]), json!([]), "cpu: <unknown>/60%"),
            ("one that is known", json!([cpu]), known, "cpu: 42%/60%"),
            (
                "an amount, and a rate",
                json!([memory, rate]),
                json!([]),
                "memory: <unknown>/200Mi, <unknown>/50",
            ),
            (
                "of a queue, and of a Service",
                json!([depth, rps]),
                json!([
                    {"external": {"current": {"averageValue": "7"}}},
                    {"object": {"current": {"value": "120"}}},
                ]),
                "7/30 (avg), 120/100",
            ),
            (
                "more than two",
                json!([cpu, rate, memory]),
                json!([]),
                "cpu: <unknown>/60%, <unknown>/50 + 1 more...",
            ),
        ];
        for (sentence, metrics, current, expected) in rows {
            let hpa = json!({"spec": {"metrics": metrics}, "status": {"currentMetrics": current}});
            assert_eq!((HPA.cells)(&hpa, SimTime::ZERO)[2], expected, "{sentence}");
        }
    }
}
