//! Calls each controller with what it is shown, and nothing else.

use super::controllers::Key;
use super::world::World;
use crate::api::node::Node;
use crate::api::owner::{Owner, Parent};
use crate::api::pod::Pod;
use crate::api::{HpaId, NodeId, PodId, ServiceId, VolumeId};
use crate::control::controllers::cluster_autoscaler::{ClusterAutoscaler, GroupView, Held};
use crate::control::controllers::cronjob::CronJobs;
use crate::control::controllers::daemon::Daemons;
use crate::control::controllers::endpointslice::EndpointSlices;
use crate::control::controllers::garbagecollector::{GarbageCollector, Item};
use crate::control::controllers::job::Jobs;
use crate::control::controllers::node_lifecycle::{Heartbeats, NodeLifecycle};
use crate::control::controllers::podautoscaler::PodAutoscaler;
use crate::control::controllers::podgc::PodGc;
use crate::control::controllers::taint_eviction::TaintEviction;
use crate::control::controllers::volume::attachdetach::AttachDetach;
use crate::control::controllers::volume::{persistentvolume, sync_volume};
use crate::control::controllers::{
    Outcome, deployment, disruption, namespace, replicaset, resourcequota, scaled_object,
    statefulset, ttlafterfinished,
};
use crate::control::flags::ControllerManagerFlags;
use crate::control::karpenter::Karpenter;
use crate::record::story::Moment;
use crate::scenario::model::{Component, Scenario};
use crate::store::Store;
use crate::units::SimTime;
use std::sync::Arc;

/// The controllers' own memory.
pub(super) struct Controllers {
    endpointslice: EndpointSlices,
    podautoscaler: PodAutoscaler,
    node_lifecycle: NodeLifecycle,
    taint_eviction: TaintEviction,
    podgc: PodGc,
    garbagecollector: GarbageCollector,
    daemons: Daemons,
    jobs: Jobs,
    cron_jobs: CronJobs,
    attachdetach: AttachDetach,
    cluster_autoscaler: Option<ClusterAutoscaler>,
    pub(super) karpenter: Option<Karpenter>,
    pub(super) scaled_objects: Vec<scaled_object::Memory>,
    /// What nodes of each group would look like.
    templates: Vec<Arc<crate::api::node::Node>>,
}

impl Controllers {
    pub(super) fn new(scenario: &Scenario) -> Controllers {
        let flags = &scenario.flags.controller_manager;
        let template = |(index, group): (usize, &crate::scenario::model::NodeGroup)| {
            let zone = group.zones.first().map_or("", |zone| zone);
            Arc::new(super::machines::fresh_node_of(group, index, zone))
        };
        Controllers {
            endpointslice: EndpointSlices::default(),
            podautoscaler: PodAutoscaler::new(flags),
            node_lifecycle: NodeLifecycle::new(flags),
            taint_eviction: TaintEviction::default(),
            podgc: PodGc::new(flags),
            garbagecollector: GarbageCollector::default(),
            daemons: Daemons::default(),
            jobs: Jobs::default(),
            cron_jobs: CronJobs::default(),
            attachdetach: AttachDetach::default(),
            cluster_autoscaler: scenario
                .flags
                .cluster_autoscaler
                .as_ref()
                .map(ClusterAutoscaler::new),
            karpenter: super::karpenter::of(scenario),
            scaled_objects: vec![Default::default(); scenario.objects.scaled_objects.len()],
            templates: scenario.own_groups().iter().enumerate().map(template).collect(),
        }
    }

    /// The controllers of a component begin anew: what they kept of what has happened is lost, and
    /// what they know of objects they list again.
    fn restart(&mut self, component: Component, flags: &ControllerManagerFlags, now: SimTime) {
        if component == Component::ClusterAutoscaler {
            if let Some(autoscaler) = &mut self.cluster_autoscaler {
                *autoscaler = ClusterAutoscaler::new(&autoscaler.flags().clone());
            }
            return;
        }
        self.endpointslice = EndpointSlices::default();
        self.podautoscaler = PodAutoscaler::new(flags);
        self.node_lifecycle = NodeLifecycle::begun_at(flags, now);
        self.taint_eviction = TaintEviction::default();
        self.podgc.begin_anew();
        self.daemons.begin_anew();
        self.jobs.begin_anew();
        self.cron_jobs = CronJobs::default();
        self.attachdetach = AttachDetach::default();
        if let Some(karpenter) = &mut self.karpenter {
            karpenter.begin_anew();
        }
    }

    pub(super) fn set_max_nodes_total(&mut self, max: u32) {
        if let Some(autoscaler) = &mut self.cluster_autoscaler {
            autoscaler.set_max_nodes_total(max);
        }
    }

    pub(super) fn max_nodes_total(&self) -> u32 {
        self.cluster_autoscaler.as_ref().map_or(0, |a| a.flags().max_nodes_total)
    }
}

impl World<'_> {
    /// Syncs one key now.
    pub(super) fn sync(&mut self, key: Key) -> Outcome {
        let now = self.now;
        match key {
            Key::Deployment(id) => deployment::sync(id, &self.store, now),
            Key::ReplicaSet(id) | Key::ReplicationController(id) => {
                replicaset::sync(id, &self.store, now)
            }
            Key::StatefulSet(id) => statefulset::sync(id, &self.store, now),
            Key::ResourceQuota(id) => resourcequota::sync(id, &self.store),
            Key::Namespace(id) => namespace::sync(id, &self.store, now),
            Key::DaemonSet(id) => self.with_controllers(|controllers, world| {
                controllers.daemons.sync(id, &world.store, now)
            }),
            Key::Job(id) => {
                self.with_jobs(|jobs, world| jobs.sync(id, &world.store, world.clock(), now))
            }
            Key::OrphanPods => self.with_jobs(|jobs, world| jobs.release_orphans(&world.store)),
            Key::TtlAfterFinished(id) => ttlafterfinished::sync(id, &self.store, now),
            Key::CronJob(id) => {
                self.with_cron_jobs(|jobs, world| jobs.sync(id, &world.store, world.clock(), now))
            }
            Key::GarbageCollector => self.with_controllers(|controllers, world| {
                controllers.garbagecollector.sync(&world.store)
            }),
            Key::EndpointSlice(id) => self.with_controllers(|controllers, world| {
                controllers.endpointslice.sync(id, &world.store)
            }),
            Key::Disruption(id) => disruption::sync(id, &self.store),
            Key::Hpa(id) => self.sync_hpa(id),
            Key::NodeLifecycle => self.with_controllers(|controllers, world| {
                controllers.node_lifecycle.sync(&world.store, world, now)
            }),
            Key::TaintEviction => self.with_controllers(|controllers, world| {
                controllers.taint_eviction.sync(&world.store, now)
            }),
            Key::PodGc => self
                .with_controllers(|controllers, world| controllers.podgc.sync(&world.store, now)),
            Key::ClusterAutoscaler => self.sync_cluster_autoscaler(),
            Key::ScaledObject(index) => self.sync_scaled_object(index),
            Key::VpaRecommender => self.sync_vpa_recommender(),
            Key::VpaUpdater => self.sync_vpa_updater(),
            Key::Karpenter => self.sync_karpenter(),
            Key::Claim(id) => persistentvolume::sync_claim(id, &self.store),
            Key::Volume(id) => sync_volume(id, &self.store),
            Key::AttachDetach => self.with_controllers(|controllers, world| {
                controllers.attachdetach.sync(&world.store, now)
            }),
        }
    }

    /// Lends the controllers' memory out while the world is only read.
    pub(super) fn with_controllers<T>(
        &mut self,
        f: impl FnOnce(&mut Controllers, &World<'_>) -> T,
    ) -> T {
        let mut controllers = self.controllers.take().expect("controllers are lent one at a time");
        let result = f(&mut controllers, self);
        self.controllers = Some(controllers);
        result
    }

    /// Lends the job controller's memory.
    pub(super) fn with_jobs<T>(&mut self, f: impl FnOnce(&mut Jobs, &World<'_>) -> T) -> T {
        self.with_controllers(|controllers, world| f(&mut controllers.jobs, world))
    }

    /// Lends the cronjob controller's memory.
    pub(super) fn with_cron_jobs<T>(
        &mut self,
        f: impl FnOnce(&mut CronJobs, &World<'_>) -> T,
    ) -> T {
        self.with_controllers(|controllers, world| f(&mut controllers.cron_jobs, world))
    }

    /// The controllers of a component begin anew.
    pub(super) fn restart_controllers(&mut self, component: Component) {
        let (flags, now) = (&self.scenario.flags.controller_manager, self.now);
        self.with_controllers(|controllers, _| controllers.restart(component, flags, now));
        if component == Component::ControllerManager {
            self.collect_all();
        }
    }

    /// The garbage collector looks at every object that may have an owner.
    fn collect_all(&mut self) {
        self.with_controllers(|controllers, world| {
            let store = &world.store;
            let gc = &mut controllers.garbagecollector;
            let orphans = |pod: &Pod| pod.owner.is_some_and(|owner| store.owner(owner).is_none());
            let pods = store.pods().filter(|(_, pod)| orphans(pod));
            pods.for_each(|(id, _)| gc.look_at(Item::Pod(id)));
            let goes = |owner: &Owner| owner.deletion().is_some() || has_lost(store, owner);
            let owners = store.owners().filter(|(_, owner)| goes(owner));
            owners.for_each(|(id, _)| gc.look_at(Item::Owner(id)));
            let deployments = store.deployments().filter(|(_, d)| d.deletion.is_some());
            deployments.for_each(|(id, _)| gc.look_at(Item::Deployment(id)));
            let cron_jobs = store.cron_jobs().filter(|(_, job)| job.meta.deletion.is_some());
            cron_jobs.for_each(|(id, _)| gc.look_at(Item::CronJob(id)));
            store.claims().for_each(|(id, _)| gc.look_at(Item::Claim(id)));
        });
    }

    /// Requests of a key did not get through: what its controller takes for done is not.
    pub(super) fn look_anew(&mut self, key: Key) {
        match key {
            Key::EndpointSlice(id) => self.with_controllers(|controllers, _| {
                controllers.endpointslice.forget(id);
            }),
            Key::GarbageCollector => self.collect_all(),
            Key::AttachDetach => self.look_at_all_volumes(),
            Key::Karpenter => self.karpenter_looks_anew(),
            Key::NodeLifecycle => self.with_controllers(|controllers, world| {
                controllers.node_lifecycle.mark_again(&world.store);
            }),
            _ => {}
        }
    }

    fn sync_hpa(&mut self, id: HpaId) -> Outcome {
        let now = self.now;
        self.settle_samples(id);
        let (outcome, conditions) = self.with_controllers(|controllers, world| {
            let outcome = controllers.podautoscaler.sync(id, &world.store, world, now);
            (outcome, controllers.podautoscaler.take_conditions(id))
        });
        if let Some(conditions) = conditions {
            self.store.set_hpa_conditions(id, conditions);
        }
        let Some(hpa) = self.store.hpa(id) else { return outcome };
        let at_max = hpa.desired_replicas >= hpa.max_replicas;
        if at_max && hpa.max_replicas > hpa.min_replicas {
            let text = format!("{} stands at its maxReplicas, {}", hpa.name, hpa.max_replicas);
            self.tell_once(Moment::MaxReplicasReached, || text);
        }
        outcome
    }

    fn sync_cluster_autoscaler(&mut self) -> Outcome {
        let now = self.now;
        let autoscaler = self.controllers.as_ref().and_then(|c| c.cluster_autoscaler.as_ref());
        let groups = match autoscaler.is_some_and(|autoscaler| autoscaler.scans_at(now)) {
            true => self.group_views(),
            false => Vec::new(),
        };
        self.observed.draws += 1;
        // Most syncs draw nothing.
        let (streams, number) = (self.streams, self.observed.draws);
        let mut stream = None;
        let mut pick = |n: usize| {
            let stream = stream.get_or_insert_with(|| streams.stream("expander", number));
            stream.below(n as u64) as usize
        };
        let (outcome, held) =
            self.with_controllers(|controllers, world| match &mut controllers.cluster_autoscaler {
                None => (Outcome::idle(), None),
                Some(autoscaler) => {
                    let outcome = autoscaler.sync(&world.store, &groups, &mut pick, now);
                    (outcome, autoscaler.held().cloned())
                }
            });
        self.at_limit(held.map(|held| match held {
            Held::GroupMax(group, max) => {
                format!("node group {group} stands at its limit of {max} nodes while pods wait")
            }
            Held::Refused(group) => {
                format!("the cloud refuses machines of node group {group} while pods wait")
            }
            Held::Total(max) => {
                format!("the cluster stands at its limit of {max} nodes while pods wait")
            }
        }));
        outcome
    }

    fn group_views(&self) -> Vec<GroupView> {
        let mut booting = vec![Vec::new(); self.cloud.group_count()];
        // Mostly there are none, and many machines.
        let none = self.cloud.booting() == 0;
        for machine in self.cloud.machines.values().take_while(|_| !none) {
            if machine.node.is_none() && machine.state != super::cloud::MachineState::Deleting {
                booting[machine.group].push(machine.requested);
            }
        }
        let templates = &self.controllers.as_ref().expect("not lent").templates;
        // Behind them are those of pools.
        booting.truncate(templates.len());
        let view = |(index, mut booting): (usize, Vec<SimTime>)| {
            booting.sort_unstable();
            let group = self.cloud.group(index);
            GroupView {
                name: group.name.to_string(),
                autoscaled: group.autoscaled,
                min: group.min,
                max: self.cloud.max(index),
                target: self.cloud.target(index),
                template: Arc::clone(&templates[index]),
                price_per_hour: group.machine.price_per_hour,
                booting,
                refused: self.cloud.refused(index),
            }
        };
        booting.into_iter().enumerate().map(view).collect()
    }

    /// The requests of an autoscaler's sync were answered: it comes back a period later.
    pub(super) fn hpa_synced(&mut self, hpa: HpaId) {
        let now = self.now;
        let due = self.with_controllers(|controllers, _| controllers.podautoscaler.ended(hpa, now));
        self.enqueue(Key::Hpa(hpa), due);
    }

    /// What an autoscaler reads has changed: it looks at its next sync.
    pub(super) fn hpa_inputs_changed(&mut self, hpa: HpaId) {
        let now = self.now;
        let due = self
            .with_controllers(|controllers, _| controllers.podautoscaler.inputs_changed(hpa, now));
        self.enqueue(Key::Hpa(hpa), due);
    }

    /// A kubelet has fallen silent or reports again.
    pub(super) fn heartbeats_changed(&mut self, node: NodeId) {
        self.with_controllers(|controllers, _| controllers.node_lifecycle.node_changed(node));
        self.notify(Key::NodeLifecycle);
    }

    /// A pod came, changed or went: the Services and autoscalers that select it look at it again.
    pub(super) fn tell_selectors(&mut self, workload: usize, pod: PodId) {
        self.with_controllers(|controllers, world| {
            for service in &world.fronted_by[workload] {
                controllers.endpointslice.pod_changed(*service, pod);
            }
            for hpa in &world.counted_by[workload] {
                controllers.podautoscaler.pod_changed(*hpa, pod);
            }
        });
    }

    /// Limits of the cluster autoscaler have changed.
    pub(super) fn autoscaler_changed(&mut self) {
        self.notify(Key::ClusterAutoscaler);
    }

    /// A node has been found silent.
    pub(super) fn node_lost(&mut self, node: NodeId) {
        let name = self.store.node(node).map_or_else(String::new, |n| n.name.to_string());
        self.tell_once(Moment::NodeLost, || {
            format!("node {name} is found silent: its pods count as not ready")
        });
    }

    /// A pod is about to be evicted from a tainted node.
    pub(super) fn eviction_begins(&mut self, pod: PodId) {
        let Some(p) = self.store.pod(pod) else { return };
        let Some(node) = p.node.and_then(|node| self.store.node(node)) else { return };
        let text = format!("the first pod is evicted: {} from {}", p.name(), node.name);
        self.tell_once(Moment::EvictionBegins, || text);
    }

    /// A pod was bound, marked, removed or changed its status: those who take pods away hear of it.
    pub(super) fn tell_collectors(&mut self, pod: PodId) {
        self.tell_karpenter_of_move(pod);
        let ended = self.with_controllers(|controllers, world| {
            controllers.taint_eviction.pod_changed(pod);
            controllers.podgc.pod_changed(pod, &world.store);
            world.store.pod(pod).is_some_and(|p| p.phase.is_terminal() || PodGc::is_stuck(p))
        });
        if ended {
            self.notify(Key::PodGc);
        }
    }

    /// A pod has been created: the node that it names may not be there.
    pub(super) fn may_be_stray(&mut self, pod: PodId) {
        if self.store.pod(pod).is_some_and(|p| p.spec.node_name.is_some() && p.waits_for_node()) {
            self.with_controllers(|controllers, _| controllers.podgc.stray(pod));
            self.notify(Key::PodGc);
        }
    }

    /// A node appeared or changed: its taints may have.
    pub(super) fn tell_of_changed_node(&mut self, node: NodeId) {
        let (concerned, is_out) = self.with_controllers(|controllers, world| {
            controllers.taint_eviction.node_changed(node);
            controllers.node_lifecycle.node_changed(node);
            let is_out = controllers.podgc.node_changed(node, &world.store);
            (controllers.daemons.node_changed(node, &world.store), is_out)
        });
        if is_out {
            self.notify(Key::PodGc);
        }
        concerned.into_iter().for_each(|set| self.notify(Key::DaemonSet(set)));
    }

    /// A node object is gone; these pods were bound to it.
    pub(super) fn tell_of_lost_node(&mut self, id: NodeId, node: &Node, orphans: &[PodId]) {
        let known = self.with_controllers(|controllers, _| {
            controllers.taint_eviction.node_changed(id);
            controllers.node_lifecycle.node_changed(id);
            controllers.podgc.node_removed(id, orphans);
            controllers.daemons.node_removed(id);
            controllers.node_lifecycle.knows(id)
        });
        if known {
            self.gone_nodes.insert(id, node.name.clone());
        }
    }

    /// The garbage collector is to look at an object.
    pub(super) fn tell_garbage_collector(&mut self, item: Item) {
        self.with_controllers(|controllers, _| controllers.garbagecollector.look_at(item));
    }

    /// Something about a volume has changed that the attachdetach controller watches.
    pub(super) fn tell_attach_detach(&mut self, volume: VolumeId) {
        self.with_controllers(|controllers, _| controllers.attachdetach.look_at(volume));
    }

    /// A Service came, changed or went: it may select others.
    pub(super) fn recount_endpoints(&mut self, service: ServiceId) {
        self.with_controllers(|controllers, _| controllers.endpointslice.forget(service));
        self.notify(Key::EndpointSlice(service));
    }

    /// An autoscaler came, changed or went.
    pub(super) fn hpa_changed(&mut self, hpa: HpaId) {
        self.with_controllers(|controllers, _| controllers.podautoscaler.spec_changed(hpa));
        self.notify(Key::Hpa(hpa));
    }

    /// A pod came, changed or went that an autoscaler counts.
    pub(super) fn census_may_change(&mut self, hpa: HpaId, pod: PodId) {
        self.with_controllers(|controllers, _| controllers.podautoscaler.pod_changed(hpa, pod));
        self.hpa_inputs_changed(hpa);
    }

    /// A pod came, changed or went that a Service selects.
    pub(super) fn endpoints_may_change(&mut self, service: ServiceId, pod: PodId) {
        self.with_controllers(|controllers, _| controllers.endpointslice.pod_changed(service, pod));
    }
}

/// Whether what a controller of pods was made by is gone.
fn has_lost(store: &Store, owner: &Owner) -> bool {
    match owner.parent() {
        Some(Parent::Deployment(id)) => store.deployment(id).is_none(),
        Some(Parent::CronJob(id)) => store.cron_job(id).is_none(),
        None => false,
    }
}

impl Heartbeats for World<'_> {
    fn last_heartbeat(&self, node: NodeId, now: SimTime) -> SimTime {
        self.last_heartbeat_of(node, now)
    }

    fn silent_since(&self, node: NodeId) -> Option<SimTime> {
        self.unheard_since(node)
    }

    fn can_be_trusted(&self, now: SimTime) -> bool {
        self.outages.leases_can_be_trusted(now)
    }
}
