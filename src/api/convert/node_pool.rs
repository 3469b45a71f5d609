//! NodePools (`karpenter.sh/v1`) as manifests describe them.
//!
//! Source: kubernetes-sigs/karpenter `pkg/apis/v1/nodepool.go`, `nodepool_validation.go`,
//! August 2026: the defaults are those of its CustomResourceDefinition.

use super::custom_resource::CustomResource;
use super::drain_hints::go_duration;
use super::pod::taint_effect;
use super::{FieldError, labels, quantity, requirement, text};
use crate::api::Text;
use crate::api::labels::{Labels, Operator, Requirement};
use crate::api::node_pool::{
    ConsolidationPolicy, Disruption, DisruptionBudget, DisruptionReason, Limits, NodePool,
    is_well_known,
};
use crate::api::taint::Taint;
use crate::api::workload::IntOrPercent;
use crate::units::{SimDuration, SimTime};
use k8s_openapi::api::core::v1 as k8s;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The manifest.
pub type Manifest = CustomResource<Spec>;

/// Its `spec`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    template: Template,
    #[serde(default)]
    disruption: DisruptionSpec,
    #[serde(default)]
    limits: BTreeMap<String, Quantity>,
    weight: Option<i64>,
    replicas: Option<i64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Template {
    #[serde(default)]
    metadata: TemplateMeta,
    spec: TemplateSpec,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TemplateMeta {
    labels: Option<BTreeMap<String, String>>,
    #[serde(rename = "annotations")]
    _annotations: Option<BTreeMap<String, String>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TemplateSpec {
    #[serde(default)]
    requirements: Vec<RequirementSpec>,
    node_class_ref: ClassRef,
    #[serde(default)]
    taints: Vec<k8s::Taint>,
    #[serde(default)]
    startup_taints: Vec<k8s::Taint>,
    expire_after: Option<String>,
    termination_grace_period: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequirementSpec {
    key: String,
    operator: String,
    values: Option<Vec<String>>,
    /// Machines of a type are never so scarce here that a wide choice would help.
    #[serde(rename = "minValues")]
    _min_values: Option<i64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClassRef {
    #[serde(rename = "group")]
    _group: Option<String>,
    kind: String,
    name: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DisruptionSpec {
    consolidation_policy: Option<String>,
    consolidate_after: Option<String>,
    budgets: Option<Vec<BudgetSpec>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BudgetSpec {
    nodes: Option<String>,
    reasons: Option<Vec<String>>,
    schedule: Option<String>,
    duration: Option<String>,
}

const TEMPLATE: &str = "spec.template.spec";

/// A NodePool.
pub fn node_pool(given: &Manifest, errors: &mut Vec<FieldError>) -> NodePool {
    let (spec, template) = (&given.spec, &given.spec.template.spec);
    if spec.replicas.is_some() {
        let message = "pools of a fixed size are not modelled: use a node group";
        errors.push(FieldError::new("spec.replicas".into(), message));
    }
    let requirements = requirements(&template.requirements, errors);
    let own = labels(spec.template.metadata.labels.as_ref());
    let never = |given: Option<&String>| given.is_some_and(|given| given == "Never");
    let expire = template.expire_after.as_ref();
    let expire_after = length(expire, "expireAfter", errors)
        .or((!never(expire)).then_some(SimDuration::from_secs(720 * 3600)));
    let grace = template.termination_grace_period.as_ref();
    let weight = spec.weight.unwrap_or(0);
    if !(0..=100).contains(&weight) {
        errors.push(FieldError::new("spec.weight".into(), "is between 1 and 100"));
    }
    NodePool {
        name: text(given.metadata.name.as_ref()),
        labels: with_fixed_labels(own, &requirements),
        taints: taints(&template.taints, "taints", errors),
        startup_taints: taints(&template.startup_taints, "startupTaints", errors),
        class_kind: template.node_class_ref.kind.as_str().into(),
        class: template.node_class_ref.name.as_str().into(),
        expire_after,
        termination_grace: length(grace, "terminationGracePeriod", errors),
        disruption: disruption(&spec.disruption, errors),
        limits: limits(&spec.limits, errors),
        weight: u32::try_from(weight).unwrap_or(0),
        requirements,
    }
}

/// A length of time; `None`: none is given, or it is `Never`.
fn length(
    given: Option<&String>,
    field: &str,
    errors: &mut Vec<FieldError>,
) -> Option<SimDuration> {
    let given = given.filter(|given| *given != "Never")?;
    let found = go_duration(given);
    if found.is_none() {
        let message = format!("{given:?} is no length of time like 720h, 1h30m or Never");
        errors.push(FieldError::new(format!("{TEMPLATE}.{field}"), message));
    }
    found
}

fn requirements(given: &[RequirementSpec], errors: &mut Vec<FieldError>) -> Vec<Requirement> {
    let mut found = Vec::new();
    for (i, one) in given.iter().enumerate() {
        let path = format!("{TEMPLATE}.requirements[{i}]");
        // At least and at most are one off from more and less.
        let shift = match one.operator.as_str() {
            "Gte" => Some(("Gt", -1)),
            "Lte" => Some(("Lt", 1)),
            _ => None,
        };
        let (operator, values) = match shift {
            None => (one.operator.as_str(), one.values.clone()),
            Some((operator, by)) => {
                let off = |value: &String| {
                    value.parse::<i64>().map_or(value.clone(), |n| (n + by).to_string())
                };
                (operator, one.values.as_ref().map(|values| values.iter().map(off).collect()))
            }
        };
        let read = requirement(&one.key, operator, values.as_ref(), &path, errors);
        if let Some(read) = &read
            && !is_well_known(&read.key)
            && !(read.operator == Operator::In && read.values.len() == 1)
        {
            let message = format!(
                "{:?} is no label that machines have here: one of your own needs the operator In \
                 and one value",
                one.key
            );
            errors.push(FieldError::new(format!("{path}.key"), message));
        }
        found.extend(read);
    }
    found
}

/// A requirement with one value on a label of one's own makes it a label of the nodes.
fn with_fixed_labels(own: Labels, requirements: &[Requirement]) -> Labels {
    let fixed = requirements
        .iter()
        .filter(|r| r.operator == Operator::In && r.values.len() == 1 && !is_well_known(&r.key));
    fixed.fold(own, |labels, r| labels.with(r.key.clone(), r.values[0].clone()))
}

fn taints(given: &[k8s::Taint], field: &str, errors: &mut Vec<FieldError>) -> Vec<Taint> {
    let mut found = Vec::new();
    for (i, one) in given.iter().enumerate() {
        let path = format!("{TEMPLATE}.{field}[{i}]");
        let Some(effect) = taint_effect(&one.effect, &path, errors) else { continue };
        let value = text(one.value.as_ref());
        found.push(Taint { value, ..Taint::new(&one.key, effect, SimTime::ZERO) });
    }
    found
}

fn limits(given: &BTreeMap<String, Quantity>, errors: &mut Vec<FieldError>) -> Limits {
    let mut limits = Limits::default();
    for (name, amount) in given {
        let path = format!("spec.limits.{name}");
        let amount = quantity(amount, || path.clone(), errors);
        match name.as_str() {
            "cpu" => limits.cpu = Some(amount.as_cpu()),
            "memory" => limits.memory = Some(amount.as_bytes()),
            "nodes" => limits.nodes = u32::try_from(amount.value()).ok(),
            _ => errors.push(FieldError::new(path, "limits are of cpu, memory and nodes here")),
        }
    }
    limits
}

fn disruption(given: &DisruptionSpec, errors: &mut Vec<FieldError>) -> Disruption {
    let policy = match given.consolidation_policy.as_deref() {
        Some("WhenEmpty") => ConsolidationPolicy::WhenEmpty,
        None | Some("WhenEmptyOrUnderutilized") => ConsolidationPolicy::WhenEmptyOrUnderutilized,
        Some(other) => {
            let message = format!("{other:?} is none of WhenEmpty, WhenEmptyOrUnderutilized");
            let path = "spec.disruption.consolidationPolicy".to_string();
            errors.push(FieldError::new(path, message));
            ConsolidationPolicy::WhenEmpty
        }
    };
    let consolidate_after = match given.consolidate_after.as_deref() {
        None => Some(SimDuration::ZERO),
        Some("Never") => None,
        Some(given) => {
            let found = go_duration(given);
            if found.is_none() {
                let message = format!("{given:?} is no length of time like 30s, 10m or Never");
                let path = "spec.disruption.consolidateAfter".to_string();
                errors.push(FieldError::new(path, message));
            }
            found
        }
    };
    let mut budgets = Vec::new();
    for (i, one) in given.budgets.iter().flatten().enumerate() {
        budgets.push(budget(one, &format!("spec.disruption.budgets[{i}]"), errors));
    }
    if given.budgets.is_none() {
        let nodes = IntOrPercent::Percent(10);
        budgets.push(DisruptionBudget { nodes, reasons: Vec::new(), schedule: None });
    }
    Disruption { policy, consolidate_after, budgets }
}

fn budget(given: &BudgetSpec, path: &str, errors: &mut Vec<FieldError>) -> DisruptionBudget {
    let mut wrong = |field: &str, message: String| {
        errors.push(FieldError::new(format!("{path}.{field}"), message));
    };
    let nodes = given.nodes.as_deref().unwrap_or("10%");
    let number = match nodes.strip_suffix('%') {
        Some(share) => share.parse().ok().filter(|p| *p <= 100).map(IntOrPercent::Percent),
        None => nodes.parse().ok().map(IntOrPercent::Int),
    };
    if number.is_none() {
        wrong("nodes", format!("{nodes:?} is neither a number nor a share like 10%"));
    }
    let mut reasons = Vec::new();
    for (i, name) in given.reasons.iter().flatten().enumerate() {
        let found = DisruptionReason::ALL.into_iter().find(|reason| reason.name() == name);
        if found.is_none() {
            let message = format!("{name:?} is none of Underutilized, Empty, Drifted");
            wrong(&format!("reasons[{i}]"), message);
        }
        reasons.extend(found);
    }
    let lasts = given.duration.as_deref().map(|text| (text, go_duration(text)));
    if let Some((text, None)) = lasts {
        wrong("duration", format!("{text:?} is no length of time like 8h or 1h30m"));
    }
    let schedule = match (&given.schedule, lasts.and_then(|(_, found)| found)) {
        (Some(at), Some(lasts)) => Some((Text::from(at.as_str()), lasts)),
        (None, None) => None,
        _ => {
            wrong("schedule", "schedule and duration go together".to_string());
            None
        }
    };
    DisruptionBudget { nodes: number.unwrap_or(IntOrPercent::Int(0)), reasons, schedule }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(spec: Value, disruption: Value) -> (NodePool, Vec<String>) {
        let mut template = json!({"nodeClassRef": {"kind": "EC2NodeClass", "name": "default"}});
        for (key, value) in spec.as_object().unwrap() {
            template[key] = value.clone();
        }
        let manifest = json!({
            "apiVersion": "karpenter.sh/v1", "kind": "NodePool", "metadata": {"name": "default"},
            "spec": {"template": {"spec": template}, "disruption": disruption},
        });
        let mut errors = Vec::new();
        let given: Manifest = serde_json::from_value(manifest).unwrap();
        let pool = node_pool(&given, &mut errors);
        (pool, errors.into_iter().map(|e| format!("{}: {}", e.path, e.message)).collect())
    }

    #[test]
    fn a_pool_that_says_little_has_upstreams_defaults() {
        let (pool, errors) = read(json!({}), json!({}));
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(pool.expire_after, Some(SimDuration::from_secs(720 * 3600)));
        assert_eq!(pool.termination_grace, None);
        assert_eq!(pool.disruption.policy, ConsolidationPolicy::WhenEmptyOrUnderutilized);
        assert_eq!(pool.disruption.consolidate_after, Some(SimDuration::ZERO));
        let [budget] = &pool.disruption.budgets[..] else { panic!("one budget") };
        assert_eq!(budget.nodes, IntOrPercent::Percent(10));
        assert_eq!((pool.weight, pool.limits), (0, Limits::default()));
    }

    #[test]
    fn what_a_pool_says_is_read() {
        let requirements = json!([
            {"key": "karpenter.k8s.aws/instance-cpu", "operator": "Gte", "values": ["4"]},
            {"key": "team", "operator": "In", "values": ["shop"]},
        ]);
        let template = json!({
            "requirements": requirements,
            "taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}],
            "startupTaints": [{"key": "cni", "effect": "NoExecute"}],
            "expireAfter": "Never",
            "terminationGracePeriod": "1h30m",
        });
        let disruption = json!({
            "consolidationPolicy": "WhenEmpty",
            "consolidateAfter": "Never",
            "budgets": [
                {"nodes": "3", "reasons": ["Empty"]},
                {"nodes": "0", "schedule": "0 9 * * *", "duration": "8h"},
            ],
        });
        let (pool, errors) = read(template, disruption);
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!((pool.expire_after, pool.disruption.consolidate_after), (None, None));
        assert_eq!(pool.termination_grace, Some(SimDuration::from_secs(5400)));
        assert_eq!(pool.labels, Labels::from([("team", "shop")]));
        assert_eq!((&*pool.taints[0].value, &*pool.startup_taints[0].key), ("yes", "cni"));
        let eight = Labels::from([("karpenter.k8s.aws/instance-cpu", "4"), ("team", "shop")]);
        assert!(pool.admits(&eight), "at least four are four as well");
        let three = Labels::from([("karpenter.k8s.aws/instance-cpu", "3"), ("team", "shop")]);
        assert!(!pool.admits(&three));
        let hours = SimDuration::from_secs(8 * 3600);
        assert_eq!(pool.disruption.budgets[1].schedule, Some(("0 9 * * *".into(), hours)));
        assert_eq!(pool.disruption.budgets[0].reasons, [DisruptionReason::Empty]);
        assert!(pool.wants("on-demand") && !pool.wants("spot"), "on demand if nothing is said");
    }

    #[test]
    fn mistakes_have_their_place() {
        let none = || json!({});
        let requirement = |r: Value| json!({"requirements": [r]});
        let budget = |b: Value| json!({"budgets": [b]});
        let rows = [
            (
                json!({"expireAfter": "soon"}),
                none(),
                "spec.template.spec.expireAfter: \"soon\" is no length of time",
            ),
            (
                requirement(json!({"key": "a", "operator": "Is", "values": ["b"]})),
                none(),
                "spec.template.spec.requirements[0].operator: operator \"Is\" is none of",
            ),
            (
                requirement(json!({"key": "team", "operator": "In", "values": ["a", "b"]})),
                none(),
                "spec.template.spec.requirements[0].key: \"team\" is no label that machines have here",
            ),
            (
                none(),
                json!({"consolidationPolicy": "Always"}),
                "spec.disruption.consolidationPolicy: \"Always\" is none of",
            ),
            (
                none(),
                budget(json!({"nodes": "many"})),
                "spec.disruption.budgets[0].nodes: \"many\" is neither",
            ),
            (
                none(),
                budget(json!({"nodes": "1", "schedule": "@daily"})),
                "spec.disruption.budgets[0].schedule: schedule and",
            ),
            (
                none(),
                budget(json!({"nodes": "1", "reasons": ["Old"]})),
                "spec.disruption.budgets[0].reasons[0]: \"Old\" is none",
            ),
        ];
        for (template, disruption, expected) in rows {
            let (_, errors) = read(template, disruption);
            assert_eq!(errors.len(), 1, "{errors:?}");
            assert!(errors[0].starts_with(expected), "{errors:?}");
        }
    }
}
