//! The Priority admission plugin: pods get the priority of their class.
//!
//! Source: kubernetes `plugin/pkg/admission/priority/admission.go`, v1.37.

use super::diagnostic::{Diagnostics, did_you_mean};
use super::manifests::{Manifests, Place, Reader};
use crate::api::pod::PodSpec;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where a Deployment names its class.
const CLASS: &str = "spec.template.spec.priorityClassName";

impl Manifests {
    /// Gives pods the priority of their class, once all classes are known.
    pub(super) fn resolve_priorities(&mut self, out: &mut Diagnostics) {
        let classes = Classes { values: &self.priorities, incomplete: self.incomplete };
        for (deployment, place) in &mut self.deployments {
            classes.give(&mut deployment.template.spec, place, CLASS, out);
        }
        for (object, place, path) in &mut self.applied {
            if let Some(spec) = object.pod_spec_mut() {
                classes.give(spec, place, path, out);
            }
        }
    }
}

/// The classes of a cluster.
struct Classes<'a> {
    values: &'a BTreeMap<String, (i32, bool)>,
    /// Some may be missing.
    incomplete: bool,
}

impl Classes<'_> {
    fn give(&self, spec: &mut Arc<PodSpec>, place: &Place, path: &str, out: &mut Diagnostics) {
        let default = self.values.values().find(|(_, default)| *default).map_or(0, |(v, _)| *v);
        let class = spec.priority_class.to_string();
        let value = match class.as_str() {
            "" => default,
            "system-cluster-critical" => 2_000_000_000,
            "system-node-critical" => 2_000_001_000,
            _ => match self.values.get(&class) {
                Some((value, _)) => *value,
                None if self.incomplete => 0,
                None => {
                    let known = self.values.keys().map(String::as_str);
                    let hint = did_you_mean(&class, known).map(|k| format!("did you mean {k}?"));
                    let message = format!("no PriorityClass with name {class} was found");
                    Reader::new(place.clone(), out).error(path, &message, hint);
                    0
                }
            },
        };
        if value != 0 {
            Arc::make_mut(spec).priority = value;
        }
    }
}
