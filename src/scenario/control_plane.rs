//! What the timeline does to the control plane, from the file to the model.

use super::file::{ApiLoadFile, TimelineFile};
use super::model::{ApiLoad, Component, Flags, Happening};
use super::resolve::Resolver;

impl Resolver<'_> {
    /// What befalls the control plane; `None`: nothing, `Some(None)`: what is given is wrong.
    pub(super) fn control_plane_happening(
        &mut self,
        given: &TimelineFile,
        path: &str,
    ) -> Option<Option<Happening>> {
        if given.api_server_outage.is_some() {
            return Some(Some(Happening::ApiServerOutage));
        }
        if let Some(load) = &given.api_load {
            return Some(Some(self.api_load(load, &format!("{path}.api-load"))));
        }
        let crash = given.component_crash.as_ref()?;
        let component =
            self.component(&crash.component, &format!("{path}.component-crash.component"));
        Some(component.map(|component| Happening::ComponentCrash { component }))
    }

    /// A component by its name.
    fn component(&mut self, name: &str, path: &str) -> Option<Component> {
        let found = Component::ALL.into_iter().find(|component| component.name() == name);
        if found.is_none() {
            let known = Component::ALL.map(|component| component.name().to_owned());
            self.unknown(path, "component", name, &known);
        }
        found
    }

    /// Load that others put on the API server.
    fn api_load(&mut self, given: &ApiLoadFile, path: &str) -> Happening {
        let (per_node, rate) = (given.per_node.unwrap_or(0.0), given.rate.unwrap_or(0.0));
        for (rate, field) in [(per_node, "per-node"), (rate, "rate")] {
            if !(rate >= 0.0 && rate.is_finite()) {
                self.error(&format!("{path}.{field}"), "must not be negative", None);
            }
        }
        if per_node == 0.0 && rate == 0.0 {
            let hint = "give per-node or rate, in requests a second".to_owned();
            self.error(path, "asks nothing", Some(hint));
        }
        Happening::ApiLoad(Box::new(ApiLoad { per_node, rate, objects: given.objects }))
    }

    /// Whether what the timeline does to the control plane can be done to this one.
    pub(super) fn check_control_plane(&mut self, what: &Happening, path: &str, flags: &Flags) {
        match what {
            Happening::ApiLoad(_) if flags.api_server.max_requests_inflight == 0 => {
                let hint = "give flags.api-server.max-requests-inflight: upstream has 400, and 200 \
                            for max-mutating-requests-inflight";
                let message = "does nothing to an API server without limits";
                self.error(path, message, Some(hint.to_owned()));
            }
            Happening::ComponentCrash { component: Component::ClusterAutoscaler }
                if flags.cluster_autoscaler.is_none() =>
            {
                let hint = "a node group with max above count, or its flags, install it";
                let message = "there is no cluster-autoscaler in this cluster";
                self.error(path, message, Some(hint.to_owned()));
            }
            _ => {}
        }
    }
}
