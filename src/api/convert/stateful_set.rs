//! StatefulSets (`apps/v1`), with the API server's defaults.
//!
//! Source: kubernetes `pkg/apis/apps/v1/defaults.go` (`SetDefaults_StatefulSet`),
//! `pkg/apis/apps/validation/validation.go` (`ValidateStatefulSetSpec`), v1.37.

use super::workload::{int_or_percent, meta, not_negative, seconds, selecting, template};
use super::{FieldError, storage};
use crate::api::stateful_set::{ClaimRetention, ClaimTemplate, StatefulSet, UpdateStrategy};
use crate::api::workload::IntOrPercent;
use k8s_openapi::api::apps::v1 as k8s;
use std::sync::Arc;

/// A StatefulSet; `namespace` is the one it goes to when it names none.
pub fn stateful_set(
    given: &k8s::StatefulSet,
    namespace: &str,
    errors: &mut Vec<FieldError>,
) -> StatefulSet {
    let spec = &given.spec;
    let template = template(&spec.template, "spec.template", errors);
    let first_ordinal = spec.ordinals.as_ref().and_then(|ordinals| ordinals.start);
    let limit = spec.revision_history_limit;
    StatefulSet {
        meta: meta(&given.metadata, namespace),
        replicas: not_negative(spec.replicas, 1, "spec.replicas", errors),
        selector: selecting(&spec.selector, &template, errors),
        template,
        first_ordinal: not_negative(first_ordinal, 0, "spec.ordinals.start", errors),
        is_parallel: is_parallel(spec.pod_management_policy.as_deref(), errors),
        update: update(spec.update_strategy.as_ref(), errors),
        min_ready: seconds(spec.min_ready_seconds, 0),
        revision_history_limit: not_negative(limit, 10, "spec.revisionHistoryLimit", errors),
        claim_templates: claim_templates(spec, errors),
        retention: retention(spec, errors),
        ..StatefulSet::default()
    }
}

fn is_parallel(given: Option<&str>, errors: &mut Vec<FieldError>) -> bool {
    match given {
        None | Some("OrderedReady") => false,
        Some("Parallel") => true,
        Some(other) => {
            let message = format!("{other:?} is none of OrderedReady, Parallel");
            errors.push(FieldError::new("spec.podManagementPolicy".into(), message));
            false
        }
    }
}

fn update(
    given: Option<&k8s::StatefulSetUpdateStrategy>,
    errors: &mut Vec<FieldError>,
) -> UpdateStrategy {
    let kind = given.and_then(|s| s.type_.as_deref()).unwrap_or("RollingUpdate");
    let rolling = given.and_then(|s| s.rolling_update.as_ref());
    let path = "spec.updateStrategy";
    match kind {
        "RollingUpdate" => rolling.map_or_else(UpdateStrategy::default, |r| roll(r, errors)),
        "OnDelete" => {
            if rolling.is_some() {
                let message = "only allowed for updateStrategy 'RollingUpdate'";
                errors.push(FieldError::new(format!("{path}.rollingUpdate"), message));
            }
            UpdateStrategy::OnDelete
        }
        other => {
            let message = match other {
                "Recreate" => "needs the feature gate StatefulSetRecreateStrategy, which is off",
                _ => "must be 'RollingUpdate' or 'OnDelete'",
            };
            errors.push(FieldError::new(format!("{path}.type"), message));
            UpdateStrategy::OnDelete
        }
    }
}

fn roll(
    given: &k8s::RollingUpdateStatefulSetStrategy,
    errors: &mut Vec<FieldError>,
) -> UpdateStrategy {
    let path = "spec.updateStrategy.rollingUpdate";
    let max_path = format!("{path}.maxUnavailable");
    let max = given.max_unavailable.as_ref();
    let max = max.map_or(IntOrPercent::Int(1), |max| int_or_percent(max, &max_path, errors));
    if matches!(max, IntOrPercent::Int(0) | IntOrPercent::Percent(0)) {
        errors.push(FieldError::new(max_path, "cannot be 0"));
    } else if matches!(max, IntOrPercent::Percent(percent) if percent > 100) {
        errors.push(FieldError::new(max_path, "must not be greater than 100%"));
    }
    UpdateStrategy::RollingUpdate {
        partition: not_negative(given.partition, 0, &format!("{path}.partition"), errors),
        max_unavailable: max,
    }
}

fn claim_templates(
    spec: &k8s::StatefulSetSpec,
    errors: &mut Vec<FieldError>,
) -> Vec<ClaimTemplate> {
    let mut templates = Vec::new();
    for (i, given) in spec.volume_claim_templates.iter().flatten().enumerate() {
        let path = format!("spec.volumeClaimTemplates[{i}]");
        let Some(name) = given.metadata.name.as_deref() else {
            errors.push(FieldError::new(format!("{path}.metadata"), "missing field `name`"));
            continue;
        };
        let mut own = Vec::new();
        let claim = Arc::new(storage::claim(given, "", &mut own));
        for error in own {
            errors.push(FieldError { path: format!("{path}.{}", error.path), ..error });
        }
        templates.push(ClaimTemplate { name: name.into(), claim });
    }
    templates
}

fn retention(spec: &k8s::StatefulSetSpec, errors: &mut Vec<FieldError>) -> ClaimRetention {
    let Some(given) = &spec.persistent_volume_claim_retention_policy else {
        return ClaimRetention::default();
    };
    let mut goes = |value: Option<&str>, name: &str| match value {
        None | Some("Retain") => false,
        Some("Delete") => true,
        Some(other) => {
            let path = format!("spec.persistentVolumeClaimRetentionPolicy.{name}");
            let message = format!("{other:?} is none of Retain, Delete");
            errors.push(FieldError::new(path, message));
            false
        }
    };
    ClaimRetention {
        goes_with_set: goes(given.when_deleted.as_deref(), "whenDeleted"),
        goes_with_pod: goes(given.when_scaled.as_deref(), "whenScaled"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn set(extra: &Value) -> (StatefulSet, Vec<String>) {
        let mut given = json!({
            "metadata": {"name": "db"},
            "spec": {
                "selector": {"matchLabels": {"app": "db"}},
                "template": {
                    "metadata": {"labels": {"app": "db"}},
                    "spec": {"containers": [{"name": "c"}]},
                },
            },
        });
        for (key, value) in extra.as_object().unwrap() {
            given["spec"][key] = value.clone();
        }
        let mut errors = Vec::new();
        let set = stateful_set(&serde_json::from_value(given).unwrap(), "shop", &mut errors);
        (set, errors.into_iter().map(|e| format!("{}: {}", e.path, e.message)).collect())
    }

    #[test]
    fn what_is_not_said_is_as_the_api_server_fills_it_in() {
        let (set, errors) = set(&json!({}));
        assert_eq!(errors, Vec::<String>::new());
        assert_eq!((&*set.meta.namespace, set.replicas, set.first_ordinal), ("shop", 1, 0));
        assert!(!set.is_parallel);
        let one = IntOrPercent::Int(1);
        let rolls = UpdateStrategy::RollingUpdate { partition: 0, max_unavailable: one };
        assert_eq!((set.update, set.revision_history_limit), (rolls, 10));
        assert_eq!(set.retention, ClaimRetention::default());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_path() {
        let rolling = |given: Value| json!({"updateStrategy": {"rollingUpdate": given}});
        let rows = [
            (
                "a policy that is none",
                json!({"podManagementPolicy": "Serial"}),
                "spec.podManagementPolicy: \"Serial\"",
            ),
            (
                "no pod may be away",
                rolling(json!({"maxUnavailable": 0})),
                "spec.updateStrategy.rollingUpdate.maxUnavailable: cannot be 0",
            ),
            (
                "more than all",
                rolling(json!({"maxUnavailable": "101%"})),
                "spec.updateStrategy.rollingUpdate.maxUnavailable: must not be greater",
            ),
            (
                "a partition below the first pod",
                rolling(json!({"partition": -1})),
                "spec.updateStrategy.rollingUpdate.partition: -1 is negative",
            ),
            (
                "a strategy behind a gate",
                json!({"updateStrategy": {"type": "Recreate"}}),
                "spec.updateStrategy.type: needs the feature gate",
            ),
            (
                "a rolling update on delete",
                json!({"updateStrategy": {"type": "OnDelete", "rollingUpdate": {}}}),
                "spec.updateStrategy.rollingUpdate: only allowed",
            ),
            (
                "claims that are neither kept nor deleted",
                json!({"persistentVolumeClaimRetentionPolicy": {"whenScaled": "Keep"}}),
                "spec.persistentVolumeClaimRetentionPolicy.whenScaled: \"Keep\"",
            ),
            (
                "a claim without a name",
                json!({"volumeClaimTemplates": [{"metadata": {}, "spec": {}}]}),
                "spec.volumeClaimTemplates[0].metadata: missing",
            ),
        ];
        for (sentence, extra, expected) in rows {
            let (_, errors) = set(&extra);
            assert_eq!(errors.len(), 1, "{sentence}: {errors:?}");
            assert!(errors[0].starts_with(expected), "{sentence}: {errors:?}");
        }
    }
}
