//! DaemonSets (`apps/v1`), with the API server's defaults.

use super::FieldError;
use super::workload::{meta, selecting, template};
use crate::api::daemon_set::DaemonSet;
use k8s_openapi::api::apps::v1 as k8s;

/// A DaemonSet; `namespace` is the one it goes to when it names none.
pub fn daemon_set(
    given: &k8s::DaemonSet,
    namespace: &str,
    errors: &mut Vec<FieldError>,
) -> DaemonSet {
    let spec = &given.spec;
    let template = template(&spec.template, "spec.template", errors);
    DaemonSet {
        meta: meta(&given.metadata, namespace),
        selector: selecting(&spec.selector, &template, errors),
        template,
    }
}
