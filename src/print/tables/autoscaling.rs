//! The table of HorizontalPodAutoscalers.

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
                let (what, current, _, target) = metric(hpa, index);
                match what.strip_prefix("resource ") {
                    Some(name) => format!("{name}: {current}/{target}"),
                    None => format!("{current}/{target}"),
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

/// `Deployment/web`.
pub(in crate::print) fn reference(hpa: &Value) -> String {
    let word = |field: &str| text(hpa, &format!("/spec/scaleTargetRef/{field}"));
    format!("{}/{}", word("kind"), word("name"))
}

/// A metric: what it is (`resource cpu`, or a name), as it is now, the amount of which that is the
/// percentage, and what it should be.
pub(in crate::print) fn metric(hpa: &Value, index: usize) -> (String, String, String, String) {
    let spec = &items(hpa, "/spec/metrics")[index];
    let current = items(hpa, "/status/currentMetrics").get(index);
    let (part, what) = match spec["type"] == "Resource" {
        true => ("resource", format!("resource {}", text(spec, "/resource/name"))),
        false => ("pods", text(spec, "/pods/metric/name").to_owned()),
    };
    let value = |of: Option<&Value>| {
        let amount = of.map(|of| text(of, "/averageValue")).filter(|v| !v.is_empty());
        let percent = of.and_then(|of| of["averageUtilization"].as_u64());
        percent.map(|percent| format!("{percent}%")).or(amount.map(str::to_owned))
    };
    let unknown = || "<unknown>".to_owned();
    let now = current.and_then(|current| current[part].get("current"));
    let target = spec[part].get("target");
    let amount = now.map_or("", |now| text(now, "/averageValue")).to_owned();
    let (now, target) = (value(now), value(target));
    (what, now.unwrap_or_else(unknown), amount, target.unwrap_or_else(unknown))
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
