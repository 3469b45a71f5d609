//! How far manifests have been read: what came after some point, for members of fleets.
//!
//! It knows lists and their lengths, not what is in them.

use super::Manifests;
use crate::api::object::{Object, Target};
use crate::api::{ObjectName, Text};

/// How much had been read at some point.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::scenario) struct Extent {
    deployments: usize,
    services: usize,
    hpas: usize,
    pdbs: usize,
    applied: usize,
    devices: usize,
    ignored: usize,
    custom: usize,
}

impl Manifests {
    /// How much has been read by now.
    pub(in crate::scenario) fn extent(&self) -> Extent {
        Extent {
            deployments: self.deployments.len(),
            services: self.services.len(),
            hpas: self.hpas.len(),
            pdbs: self.pdbs.len(),
            applied: self.applied.len(),
            devices: self.devices.objects.len() + self.devices.templates.len(),
            ignored: self.ignored.len(),
            custom: self.custom.len(),
        }
    }

    /// What is without effect in the objects since then has been told of others alike.
    pub(in crate::scenario) fn hush_since(&mut self, then: &Extent) {
        self.ignored.truncate(then.ignored);
        self.custom.truncate(then.custom);
    }

    /// The objects read since then.
    pub(in crate::scenario) fn targets_since(&self, then: &Extent) -> Vec<Target> {
        let target = |kind: &str, namespace: &Text, name: &Text| Target {
            kind: kind.into(),
            name: ObjectName { namespace: namespace.clone(), name: name.clone() },
        };
        let hpas = self.hpas[then.hpas..].iter();
        let hpas = hpas.map(|(h, ..)| target("HorizontalPodAutoscaler", &h.namespace, &h.name));
        let pdbs = self.pdbs[then.pdbs..].iter();
        let pdbs = pdbs.map(|(p, _)| target("PodDisruptionBudget", &p.namespace, &p.name));
        let services = self.services[then.services..].iter();
        let services = services.map(|(s, _)| target("Service", &s.namespace, &s.name));
        let deployments = self.deployments[then.deployments..].iter();
        let deployments = deployments.map(|(d, _)| target("Deployment", &d.namespace, &d.name));
        let applied = self.applied[then.applied..].iter().map(|(object, ..)| object.target());
        hpas.chain(pdbs).chain(services).chain(deployments).chain(applied).collect()
    }

    /// Whether an object since then is of a kind of devices.
    pub(in crate::scenario) fn has_devices_since(&self, then: &Extent) -> bool {
        self.extent().devices > then.devices
    }

    /// Takes out all objects since then but devices.
    pub(in crate::scenario) fn split_off(&mut self, then: &Extent) -> Manifests {
        Manifests {
            deployments: self.deployments.split_off(then.deployments),
            services: self.services.split_off(then.services),
            hpas: self.hpas.split_off(then.hpas),
            pdbs: self.pdbs.split_off(then.pdbs),
            applied: self.applied.split_off(then.applied),
            ..Manifests::default()
        }
    }

    /// The objects in the order in which they are applied together.
    pub(in crate::scenario) fn into_objects(self) -> Vec<Object> {
        let deployments = self.deployments.into_iter();
        let mut objects: Vec<Object> =
            deployments.map(|(d, _)| Object::Deployment(Box::new(d))).collect();
        objects.extend(self.services.into_iter().map(|(s, _)| Object::Service(Box::new(s))));
        objects.extend(self.applied.into_iter().map(|(object, ..)| object));
        let pools = self.node_pools.into_iter();
        objects.extend(pools.map(|pool| Object::NodePool(Box::new(pool))));
        let hpas = self.hpas.into_iter();
        objects.extend(hpas.map(|(hpa, target, _)| Object::Hpa(Box::new(hpa), target.1.into())));
        objects.extend(self.pdbs.into_iter().map(|(pdb, _)| Object::Pdb(Box::new(pdb))));
        objects
    }
}
