//! VerticalPodAutoscalers of the manifests, with what they are about.

use super::bearers::Bearer;
use super::diagnostic::{Diagnostic, did_you_mean};
use super::manifests::{Manifests, Place, Reader};
use super::model::Objects;
use super::resolve::Resolver;
use crate::api::convert::autoscaling::Target;
use crate::api::convert::vertical_pod_autoscaler::{Manifest, vpa};
use crate::api::vertical_pod_autoscaler::Vpa;

impl Manifests {
    /// Reads a VerticalPodAutoscaler.
    pub(super) fn vpa(&mut self, reader: &mut Reader<'_>) {
        let Some(given) = reader.decode::<Manifest>() else { return };
        let mut errors = Vec::new();
        let (object, target) = vpa(&given, "default", &mut errors);
        self.name("VerticalPodAutoscaler", &object.namespace, &object.name, reader);
        // Of a kind that is not known it is told already.
        let is_known = !errors.iter().any(|error| error.path == "spec.targetRef.kind");
        reader.fields(errors);
        if is_known {
            self.vpas.push((object, target, reader.place.clone()));
        }
    }
}

impl Resolver<'_> {
    /// VerticalPodAutoscalers with the workloads that they are about.
    pub(super) fn vpas(&mut self, given: Vec<(Vpa, Target, Place)>, objects: &mut Objects) {
        for (vpa, (kind, name), place) in given {
            let is_target = |bearer: &Bearer<'_>| {
                bearer.kind == kind && *bearer.namespace == vpa.namespace && *bearer.name == *name
            };
            let target = objects.bearers().position(|bearer| is_target(&bearer));
            if let Some(target) = target {
                objects.vpas.push((vpa, target));
                continue;
            }
            if !self.all_objects {
                continue;
            }
            let known: Vec<_> =
                objects.bearers().filter(|b| b.kind == kind).map(|b| b.name).collect();
            let near = did_you_mean(&name, known.iter().map(|name| &**name));
            self.sources.out.errors.push(Diagnostic {
                file: place.file.clone(),
                span: Some(place.document.nearest("spec.targetRef.name").span.clone()),
                path: "spec.targetRef".to_string(),
                message: format!("there is no {kind} `{}/{name}`", vpa.namespace),
                hint: near.map(|near| format!("did you mean `{near}`?")),
            });
        }
    }
}
