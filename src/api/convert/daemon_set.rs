//! DaemonSets (`apps/v1`), with the API server's defaults.

use super::FieldError;
use super::workload::{int_or_percent, meta, not_negative, seconds, selecting, template};
use crate::api::daemon_set::{DaemonSet, DaemonSetStatus, DaemonStrategy};
use crate::api::workload::IntOrPercent;
use k8s_openapi::api::apps::v1 as k8s;

/// A DaemonSet; `namespace` is the one it goes to when it names none.
pub fn daemon_set(
    given: &k8s::DaemonSet,
    namespace: &str,
    errors: &mut Vec<FieldError>,
) -> DaemonSet {
    let spec = &given.spec;
    let template = template(&spec.template, "spec.template", errors);
    let limit = "spec.revisionHistoryLimit";
    DaemonSet {
        meta: meta(&given.metadata, namespace),
        selector: selecting(&spec.selector, &template, errors),
        template,
        strategy: strategy(spec.update_strategy.as_ref(), errors),
        min_ready: seconds(spec.min_ready_seconds, 0),
        revision_history_limit: not_negative(spec.revision_history_limit, 10, limit, errors),
        template_generation: 1,
        revisions: Vec::new(),
        status: DaemonSetStatus::default(),
    }
}

fn strategy(
    given: Option<&k8s::DaemonSetUpdateStrategy>,
    errors: &mut Vec<FieldError>,
) -> DaemonStrategy {
    match given.and_then(|given| given.type_.as_deref()).unwrap_or("RollingUpdate") {
        "OnDelete" => DaemonStrategy::OnDelete,
        "RollingUpdate" => rolling(given.and_then(|given| given.rolling_update.as_ref()), errors),
        other => {
            let message = format!("{other:?} is none of RollingUpdate, OnDelete");
            errors.push(FieldError::new("spec.updateStrategy.type".into(), message));
            DaemonStrategy::OnDelete
        }
    }
}

/// `maxUnavailable` is 1 and `maxSurge` 0 when not given; one of them must be more than 0, and only
/// one.
fn rolling(
    given: Option<&k8s::RollingUpdateDaemonSet>,
    errors: &mut Vec<FieldError>,
) -> DaemonStrategy {
    let path = "spec.updateStrategy.rollingUpdate";
    let surge_path = format!("{path}.maxSurge");
    let away_path = format!("{path}.maxUnavailable");
    let surge = given.and_then(|given| given.max_surge.as_ref());
    let away = given.and_then(|given| given.max_unavailable.as_ref());
    let max_surge =
        surge.map_or(IntOrPercent::Int(0), |given| int_or_percent(given, &surge_path, errors));
    let max_unavailable =
        away.map_or(IntOrPercent::Int(1), |given| int_or_percent(given, &away_path, errors));
    match (max_surge.of(100, true) > 0, max_unavailable.of(100, true) > 0) {
        (true, true) => {
            let message = "may not be set when maxUnavailable is non-zero";
            errors.push(FieldError::new(surge_path, message));
        }
        (false, false) => {
            errors.push(FieldError::new(away_path, "cannot be 0 when maxSurge is 0"));
        }
        _ => {}
    }
    DaemonStrategy::RollingUpdate { max_surge, max_unavailable }
}

#[cfg(test)]
mod tests {
    use super::*;
    use IntOrPercent::{Int, Percent};
    use serde_json::json;

    #[test]
    fn strategies_are_read_with_their_defaults() {
        let rolling = |max_surge, max_unavailable| DaemonStrategy::RollingUpdate {
            max_surge,
            max_unavailable,
        };
        let fine = [
            ("none: one node at a time", json!(null), rolling(Int(0), Int(1))),
            (
                "half of the nodes at a time",
                json!({"rollingUpdate": {"maxUnavailable": "50%"}}),
                rolling(Int(0), Percent(50)),
            ),
            (
                "two new pods beside old ones",
                json!({"rollingUpdate": {"maxSurge": 2, "maxUnavailable": 0}}),
                rolling(Int(2), Int(0)),
            ),
            ("by hand", json!({"type": "OnDelete"}), DaemonStrategy::OnDelete),
        ];
        for (sentence, given, expected) in fine {
            let mut errors = Vec::new();
            let given = serde_json::from_value::<Option<_>>(given).unwrap();
            assert_eq!(strategy(given.as_ref(), &mut errors), expected, "{sentence}");
            assert!(errors.is_empty(), "{sentence}: {errors:?}");
        }
        let wrong = [
            ("surge beside the default of the other", json!({"rollingUpdate": {"maxSurge": 2}})),
            ("neither", json!({"rollingUpdate": {"maxUnavailable": 0}})),
            ("a strategy of Deployments", json!({"type": "Recreate"})),
        ];
        for (sentence, given) in wrong {
            let mut errors = Vec::new();
            strategy(Some(&serde_json::from_value(given).unwrap()), &mut errors);
            assert_eq!(errors.len(), 1, "{sentence}: {errors:?}");
        }
    }
}
