//! Which objects bear the scenario's traffic at present: each entry of its workloads is a
//! Deployment, or something else that controls pods, or a bare pod.
//!
//! Objects that are deleted and applied again under their names bear their load again. It knows
//! objects and their pods, not what requests do.

use super::build::pod_model;
use super::level::size_of;
use super::world::World;
use crate::api::autoscaling::ScaleTarget;
use crate::api::owner::Owner;
use crate::api::pod::Pod;
use crate::api::{ObjectName, OwnerId, PodId};
use crate::scenario::model::Scenario;
use crate::store::PodTally;
use slotmap::SecondaryMap;
use std::sync::Arc;

/// What bears traffic beside Deployments.
#[derive(Debug, Default)]
pub(super) struct Others {
    /// Index of the first one's workload.
    first: usize,
    /// Kind and name of each.
    named: Vec<(&'static str, ObjectName)>,
    /// Who bears each at present.
    bearers: Vec<Option<Bearer>>,
    /// Workloads by owner.
    of_owner: SecondaryMap<OwnerId, usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bearer {
    Owner(OwnerId),
    Pod(PodId),
}

impl Others {
    /// Those of a scenario, before any of them is there.
    pub(super) fn new(scenario: &Scenario) -> Others {
        let first = scenario.objects.deployments.len();
        let others = scenario.objects.bearers().skip(first);
        let named: Vec<_> = others
            .map(|b| (b.kind, ObjectName { namespace: b.namespace.clone(), name: b.name }))
            .collect();
        let bearers = vec![None; named.len()];
        Others { first, named, bearers, of_owner: SecondaryMap::new() }
    }

    fn place(&self, kind: &str, namespace: &str, name: &str) -> Option<usize> {
        self.named.iter().position(|(known, object)| {
            *known == kind && *object.namespace == *namespace && *object.name == *name
        })
    }

    fn bearer(&self, workload: usize) -> Option<Bearer> {
        self.bearers.get(workload.checked_sub(self.first)?).copied().flatten()
    }
}

impl World<'_> {
    /// Something that controls pods has been created: it may be one of the scenario's.
    pub(super) fn owner_bears(&mut self, id: OwnerId) {
        let Some(owner) = self.store.owner(id) else { return };
        let others = &mut self.others;
        if let Some(place) = others.place(owner.kind(), owner.namespace(), owner.name()) {
            others.bearers[place] = Some(Bearer::Owner(id));
            let workload = others.first + place;
            others.of_owner.insert(id, workload);
            for hpa in &self.scaled_by[workload] {
                self.store.retarget_hpa(*hpa, ScaleTarget::Owner(id));
            }
        }
    }

    /// A pod has been created: the workload that it is of.
    pub(super) fn workload_of_new(&mut self, id: PodId) -> Option<usize> {
        let pod = self.store.pod(id)?;
        match pod.owner {
            Some(owner) => {
                let set = self.store.replica_set(owner);
                match set.and_then(|set| set.owner) {
                    Some(deployment) => self.workload_of.get(deployment).copied(),
                    None => self.others.of_owner.get(owner).copied(),
                }
            }
            None if self.others.named.is_empty() => None,
            None => {
                let place = self.others.place("Pod", &pod.namespace, &pod.name())?;
                self.others.bearers[place] = Some(Bearer::Pod(id));
                Some(self.others.first + place)
            }
        }
    }

    /// A new pod can do what its own limits and requests allow.
    pub(super) fn fit_queue_of(&mut self, id: PodId, workload: usize) {
        if !self.scenario.workloads[workload].is_resized {
            return;
        }
        let Some(pod) = self.store.pod(id) else { return };
        if self.scenario.is_followed(workload) {
            let size = size_of(self.scenario, &pod.spec, &self.scenario.workloads[workload]);
            return self.network.singly().into_iter().for_each(|singly| singly.resize(id, size));
        }
        let model = pod_model(self.scenario, &pod.spec, workload);
        self.network.stations[workload].fit_lane(id, model);
    }

    /// What a pod may use has been changed in place: it can do more or less from now on.
    pub(super) fn pod_can_do_otherwise(&mut self, id: PodId) {
        let now = self.now;
        let Some(pod) = self.store.pod(id) else { return };
        let spec = Arc::clone(&pod.spec);
        if self.scenario.cpu_contention {
            self.network.leave_node(id);
            self.pod_shares_cores(id);
        }
        let Some(workload) = self.pods.get(id).and_then(|state| state.workload()) else { return };
        if self.scenario.is_followed(workload) {
            let size = size_of(self.scenario, &spec, &self.scenario.workloads[workload]);
            self.network.singly().into_iter().for_each(|singly| singly.refit(now, id, size));
        } else {
            let model = pod_model(self.scenario, &spec, workload);
            let station = &mut self.network.stations[workload];
            station.refit_lane(now, id, model);
            station.release_lanes(now);
        }
        self.traffic_changed = true;
        self.memory_limit_changes(id, workload);
    }

    /// The workload whose size an autoscaler sets.
    pub(super) fn workload_of_target(&self, target: ScaleTarget) -> Option<usize> {
        match target {
            ScaleTarget::Deployment(id) => self.workload_of.get(id).copied(),
            ScaleTarget::Owner(id) => self.others.of_owner.get(id).copied(),
        }
    }

    /// What autoscalers of a workload scale; nothing yet where that is not there.
    pub(super) fn target_of(&self, workload: usize) -> ScaleTarget {
        match self.deployments.get(workload) {
            Some(id) => ScaleTarget::Deployment(*id),
            None => ScaleTarget::Owner(OwnerId::default()),
        }
    }

    /// The numbers of a workload's pods.
    pub(super) fn level_of(&self, workload: usize) -> PodTally {
        let mut level = PodTally::default();
        if let Some(id) = self.deployments.get(workload) {
            for set in self.store.replica_sets_of(*id) {
                level.merge(&self.store.tally_of(*set));
            }
            return level;
        }
        match self.others.bearer(workload) {
            Some(Bearer::Owner(id)) => self.store.tally_of(id),
            Some(Bearer::Pod(id)) => {
                self.store.pod(id).into_iter().for_each(|pod| level.add(pod));
                level
            }
            None => level,
        }
    }

    /// How many pods a workload wants.
    pub(super) fn desired_of(&self, workload: usize) -> u32 {
        if let Some(id) = self.deployments.get(workload) {
            return self.store.deployment(*id).map_or(0, |d| d.replicas);
        }
        match self.others.bearer(workload) {
            Some(Bearer::Owner(id)) => match self.store.owner(id) {
                Some(Owner::DaemonSet(set)) => set.status.desired,
                owner => owner.and_then(Owner::replicas).unwrap_or(0),
            },
            Some(Bearer::Pod(id)) => u32::from(self.store.pod(id).is_some_and(Pod::is_active)),
            None => 0,
        }
    }

    /// How many pods all workloads but the Deployments want.
    pub(super) fn desired_of_others(&self) -> u32 {
        let first = self.others.first;
        (0..self.others.named.len()).map(|place| self.desired_of(first + place)).sum()
    }

    /// The pods of a workload, in order of creation within what controls them.
    pub(super) fn pods_of_workload(&self, workload: usize) -> Vec<PodId> {
        if let Some(id) = self.deployments.get(workload) {
            let sets = self.store.replica_sets_of(*id).iter();
            return sets.flat_map(|set| self.store.pods_of(*set)).copied().collect();
        }
        match self.others.bearer(workload) {
            Some(Bearer::Owner(id)) => self.store.pods_of(id).to_vec(),
            Some(Bearer::Pod(id)) => self.store.pod(id).map(|_| id).into_iter().collect(),
            None => Vec::new(),
        }
    }
}
