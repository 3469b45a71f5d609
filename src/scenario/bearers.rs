//! What bears traffic: Deployments and whatever else controls pods for good, and bare pods.
//!
//! Each has an entry of `workloads:` and is known by its place there: Deployments in file order
//! first, then the others. Pods of Jobs come and go by themselves: they bear none.

use super::model::Objects;
use crate::api::Text;
use crate::api::kind::kind_of;
use crate::api::labels::{Labels, Selector};
use crate::api::object::{Object, Target};
use crate::api::owner::Owner;
use crate::api::pod::PodSpec;
use crate::api::service::Service;

/// What bears traffic, as its manifest describes it.
#[derive(Clone, Debug)]
pub struct Bearer<'a> {
    /// `kind`.
    pub kind: &'static str,
    /// `metadata.namespace`.
    pub namespace: &'a Text,
    /// `metadata.name`.
    pub name: Text,
    /// `metadata.labels`.
    pub own_labels: &'a Labels,
    /// Labels of its pods.
    pub labels: &'a Labels,
    /// Specification of its pods.
    pub spec: &'a PodSpec,
    /// `spec.selector`; a pod has none.
    pub selector: Option<&'a Selector>,
}

impl Bearer<'_> {
    /// Whether a person means it by `given`: `name`, `namespace/name`, `kind/name` or
    /// `namespace/kind/name`.
    pub fn is_called(&self, given: &str) -> bool {
        let is_kind = |word: &str| kind_of(word) == Some(self.kind);
        match given.split('/').collect::<Vec<_>>()[..] {
            [name] => name == &*self.name,
            [first, name] => name == &*self.name && (first == &**self.namespace || is_kind(first)),
            [namespace, kind, name] => {
                name == &*self.name && namespace == &**self.namespace && is_kind(kind)
            }
            _ => false,
        }
    }

    /// Whether it is the object of this kind and name.
    pub fn is_target(&self, target: &Target) -> bool {
        let name = &target.name;
        *self.kind == *target.kind && self.name == name.name && *self.namespace == name.namespace
    }

    /// Whether a Service selects its pods.
    pub fn is_behind(&self, service: &Service) -> bool {
        let selects = |s: &Selector| s.matches(self.labels);
        *self.namespace == service.namespace && service.selector.as_ref().is_some_and(selects)
    }
}

/// An object as a bearer of traffic; `None`: it bears none.
pub(super) fn bearer(object: &Object) -> Option<Bearer<'_>> {
    match object {
        Object::Owner(Owner::Job(_)) => None,
        Object::Owner(owner) => Some(Bearer {
            kind: owner.kind(),
            namespace: owner.namespace(),
            name: owner.name().clone(),
            own_labels: owner.labels(),
            labels: &owner.template().labels,
            spec: &owner.template().spec,
            selector: Some(owner.selector()),
        }),
        Object::Pod(pod) => Some(Bearer {
            kind: "Pod",
            namespace: &pod.namespace,
            name: pod.name(),
            own_labels: &pod.labels,
            labels: &pod.labels,
            spec: &pod.spec,
            selector: None,
        }),
        _ => None,
    }
}

impl Objects {
    /// All that bears traffic, in the order of `workloads`.
    pub fn bearers(&self) -> impl Iterator<Item = Bearer<'_>> {
        let deployments = self.deployments.iter().map(|d| Bearer {
            kind: "Deployment",
            namespace: &d.namespace,
            name: d.name.clone(),
            own_labels: &d.labels,
            labels: &d.template.labels,
            spec: &d.template.spec,
            selector: Some(&d.selector),
        });
        let others = self.others.iter().filter_map(|at| bearer(self.applied.get(*at)?));
        deployments.chain(others)
    }

    /// Their names, `namespace/name`; with the kind in between where an earlier one has that name.
    pub fn names_of_bearers(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for bearer in self.bearers() {
            let (namespace, name) = (bearer.namespace, &bearer.name);
            let plain = format!("{namespace}/{name}");
            let kind = bearer.kind.to_ascii_lowercase();
            let is_new = !names.contains(&plain);
            names.push(if is_new { plain } else { format!("{namespace}/{kind}/{name}") });
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_is_called_by_its_name_and_what_tells_it_apart() {
        let (namespace, labels, spec) = ("shop".into(), Labels::default(), PodSpec::default());
        let bearer = Bearer {
            kind: "StatefulSet",
            namespace: &namespace,
            name: "db".into(),
            own_labels: &labels,
            labels: &labels,
            spec: &spec,
            selector: None,
        };
        let rows = [
            ("its name", "db", true),
            ("with its namespace", "shop/db", true),
            ("with its kind", "statefulset/db", true),
            ("with a short name of its kind", "sts/db", true),
            ("with both", "shop/sts/db", true),
            ("another name", "web", false),
            ("another namespace", "default/db", false),
            ("another kind", "deployment/db", false),
            ("the kind in the place of the namespace", "sts/shop/db", false),
            ("nothing at all", "", false),
        ];
        for (sentence, given, expected) in rows {
            assert_eq!(bearer.is_called(given), expected, "{sentence}");
        }
    }
}
