//! StatefulSets (`apps/v1`), with the API server's defaults.

use super::FieldError;
use super::workload::{meta, not_negative, selecting, template};
use crate::api::stateful_set::StatefulSet;
use k8s_openapi::api::apps::v1 as k8s;

/// A StatefulSet; `namespace` is the one it goes to when it names none.
pub fn stateful_set(
    given: &k8s::StatefulSet,
    namespace: &str,
    errors: &mut Vec<FieldError>,
) -> StatefulSet {
    let spec = &given.spec;
    let template = template(&spec.template, "spec.template", errors);
    StatefulSet {
        meta: meta(&given.metadata, namespace),
        replicas: not_negative(spec.replicas, 1, "spec.replicas", errors),
        selector: selecting(&spec.selector, &template, errors),
        template,
    }
}
