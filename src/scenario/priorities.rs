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

/// A PriorityClass.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PriorityClass {
    /// `value`.
    pub value: i32,
    /// `globalDefault`.
    pub is_default: bool,
    /// `preemptionPolicy: Never`.
    pub never_preempts: bool,
}

impl PriorityClass {
    /// One with no more than a value.
    fn of(value: i32) -> PriorityClass {
        PriorityClass { value, ..PriorityClass::default() }
    }
}

/// The classes of a cluster.
struct Classes<'a> {
    values: &'a BTreeMap<String, PriorityClass>,
    /// Some may be missing.
    incomplete: bool,
}

impl Classes<'_> {
    fn give(&self, spec: &mut Arc<PodSpec>, place: &Place, path: &str, out: &mut Diagnostics) {
        let default = self.values.values().find(|class| class.is_default);
        let class = spec.priority_class.to_string();
        let found = match class.as_str() {
            "" => default.copied().unwrap_or_default(),
            "system-cluster-critical" => PriorityClass::of(2_000_000_000),
            "system-node-critical" => PriorityClass::of(2_000_001_000),
            _ => match self.values.get(&class) {
                Some(class) => *class,
                None if self.incomplete => PriorityClass::default(),
                None => {
                    let known = self.values.keys().map(String::as_str);
                    let hint = did_you_mean(&class, known).map(|k| format!("did you mean {k}?"));
                    let message = format!("no PriorityClass with name {class} was found");
                    Reader::new(place.clone(), out).error(path, &message, hint);
                    PriorityClass::default()
                }
            },
        };
        if found.value != 0 || found.never_preempts {
            let spec = Arc::make_mut(spec);
            spec.priority = found.value;
            spec.never_preempts |= found.never_preempts;
        }
    }
}
