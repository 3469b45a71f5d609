//! The Vertical Pod Autoscaler at work: its two loops, what metrics-server tells it, and the
//! webhook that gives new pods what is recommended.
//!
//! Its processes are taken to live and die with those of kube-controller-manager; what the
//! recommender knows survives them in its checkpoints.

use super::controllers::Key;
use super::metrics::part_of;
use super::world::World;
use crate::api::autoscaling::{Measured, MetricSource};
use crate::api::container_status::Termination;
use crate::api::pod::{Pod, PodSpec};
use crate::api::vertical_pod_autoscaler::{ContainerRecommendation, UpdateMode, Vpa};
use crate::api::{PodId, VpaId};
use crate::control::controllers::action::Outcome;
use crate::control::controllers::podautoscaler::PodMetrics;
use crate::control::controllers::vertical_pod_autoscaler::in_place::Attempts;
use crate::control::controllers::vertical_pod_autoscaler::patch::patched;
use crate::control::controllers::vertical_pod_autoscaler::recommender::{
    Oom, Recommender, Samples, Usage,
};
use crate::control::controllers::vertical_pod_autoscaler::updater::{self, LastEnds};
use crate::units::{Bytes, MilliCpu, SimTime, WallClock};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many specifications are remembered that pods have been given.
const REMEMBERED: usize = 64;

/// A run's autoscalers.
#[derive(Debug)]
pub(super) struct Vpas {
    recommender: Recommender,
    /// Containers that were OOM-killed since the last turn of its loop.
    ooms: Vec<Oom>,
    /// Pods that the updater has seen being changed in place.
    attempts: Attempts,
    /// When pods that were changed in place were last charged for, and the core seconds that they
    /// had used by then.
    pub(super) charged: BTreeMap<PodId, (SimTime, f64)>,
    /// What became of templates, so that pods with the same recommendation share a specification.
    sized: Vec<Sized>,
}

/// A specification that pods have been given.
#[derive(Debug)]
struct Sized {
    vpa: VpaId,
    template: Arc<PodSpec>,
    recommendation: Vec<ContainerRecommendation>,
    spec: Arc<PodSpec>,
}

impl Sized {
    /// Whether it is what a pod gets: bounds don't matter.
    fn is_for(&self, vpa: (VpaId, &Vpa), template: &Arc<PodSpec>) -> bool {
        let given = &vpa.1.status.recommendation;
        let same = |(one, other): (&ContainerRecommendation, &ContainerRecommendation)| {
            one.container == other.container && one.target == other.target
        };
        self.vpa == vpa.0
            && Arc::ptr_eq(&self.template, template)
            && self.recommendation.len() == given.len()
            && self.recommendation.iter().zip(given).all(same)
    }
}

impl World<'_> {
    /// Creates the autoscalers, whose loops begin at some instant of their first interval.
    pub(super) fn begin_vpas(&mut self) {
        let scenario = self.scenario;
        let objects = &scenario.objects.vpas;
        if objects.is_empty() {
            return;
        }
        for (vpa, _) in objects {
            let id = self.store.create_vpa(Vpa { created: self.now, ..vpa.clone() });
            self.store.retarget_vpa(id);
        }
        self.vpas = Some(Box::new(Vpas {
            recommender: Recommender::new(&scenario.flags.vpa.recommender),
            ooms: Vec::new(),
            attempts: Attempts::default(),
            charged: BTreeMap::new(),
            sized: Vec::new(),
        }));
        let flags = &scenario.flags.vpa;
        let loops = [
            (Key::VpaRecommender, flags.recommender.recommender_interval),
            (Key::VpaUpdater, flags.updater.updater_interval),
        ];
        for (index, (key, interval)) in loops.into_iter().enumerate() {
            let mut stream = self.streams.stream("vpa phase", index as u64);
            self.enqueue(key, SimTime(stream.below(interval.0.max(1))));
        }
    }

    /// A turn of the recommender's loop. While the API server is away it learns nothing.
    pub(super) fn sync_vpa_recommender(&mut self) -> Outcome {
        let Some(mut vpas) = self.vpas.take() else { return Outcome::idle() };
        let mut outcome = Outcome::idle();
        if self.outages.is_down() {
            outcome.wake(self.now + self.scenario.flags.vpa.recommender.recommender_interval);
        } else {
            let ooms = std::mem::take(&mut vpas.ooms);
            let now = (self.now, WallClock::default());
            outcome = vpas.recommender.run(&self.store, self, &ooms, now);
        }
        self.vpas = Some(vpas);
        outcome
    }

    /// A turn of the updater's loop.
    pub(super) fn sync_vpa_updater(&mut self) -> Outcome {
        let flags = &self.scenario.flags.vpa.updater;
        if self.outages.is_down() {
            let mut outcome = Outcome::idle();
            outcome.wake(self.now + flags.updater_interval);
            return outcome;
        }
        let Some(mut vpas) = self.vpas.take() else { return Outcome::idle() };
        let outcome = updater::run(&self.store, self, flags, &mut vpas.attempts, self.now);
        self.vpas = Some(vpas);
        outcome
    }

    /// The webhook: a new pod requests what is recommended for it.
    pub(super) fn give_recommendation(&mut self, pod: &mut Pod) {
        let Some(mut vpas) = self.vpas.take() else { return };
        if let Some((id, vpa)) = self.vpa_of(pod) {
            let known = vpas.sized.iter().position(|sized| sized.is_for((id, vpa), &pod.spec));
            let spec = match known {
                Some(at) => Arc::clone(&vpas.sized[at].spec),
                None => {
                    let template = Arc::clone(&pod.spec);
                    let found = patched(&template, vpa).map(Arc::new);
                    let spec = found.unwrap_or_else(|| Arc::clone(&template));
                    let recommendation = vpa.status.recommendation.clone();
                    let sized = Sized { vpa: id, template, recommendation, spec };
                    if vpas.sized.len() == REMEMBERED {
                        vpas.sized.remove(0);
                    }
                    let spec = Arc::clone(&sized.spec);
                    vpas.sized.push(sized);
                    spec
                }
            };
            if !Arc::ptr_eq(&spec, &pod.spec) {
                pod.base_mut().spec = spec;
            }
        }
        self.vpas = Some(vpas);
    }

    /// The autoscaler that decides of a new pod.
    fn vpa_of(&self, pod: &Pod) -> Option<(VpaId, &Vpa)> {
        let decides = |vpa: &Vpa| {
            let target = self.store.target_of_vpa(vpa)?;
            let selector = self.store.selector_of(target)?;
            let is_its = vpa.namespace == pod.namespace && selector.matches(&pod.labels);
            (is_its && self.store.is_pod_of(pod, target)).then_some(())
        };
        let all = self.store.vpas().filter(|(_, vpa)| vpa.mode() != UpdateMode::Off);
        let found = all.filter(|(_, vpa)| decides(vpa).is_some());
        found.reduce(|one, other| if other.1.is_stronger_than(one.1) { other } else { one })
    }

    /// A pod was OOM-killed: the recommender will hear of it. Containers of a pod end together; it
    /// is the one that requests most memory that had too little.
    pub(super) fn tell_vpas_of_oom(&mut self, id: PodId) {
        let Some(vpas) = &mut self.vpas else { return };
        let Some(pod) = self.store.pod(id) else { return };
        let containers = pod.spec.containers.iter().rev();
        if let Some(container) = containers.max_by_key(|container| container.requests.memory) {
            vpas.ooms.push(Oom {
                pod: id,
                container: container.name.clone(),
                at: self.now,
                requested: container.requests.memory,
            });
        }
    }
}

impl Samples for World<'_> {
    fn usage(&self, id: PodId, pod: &Pod, container: &str) -> Option<Usage> {
        // What part of a pod a container uses does not depend on what it has been given.
        let template = self.store.owner(pod.owner?)?.template();
        let of = |resource| {
            let sample = self.sample(id, &MetricSource::Resource(resource))?;
            let part = part_of(&template.spec, resource, container, sample.milli)?;
            Some((part, sample.timestamp))
        };
        let (cpu, at) = of(Measured::Cpu)?;
        let is_given =
            pod.labels.get("app").is_some_and(|app| self.given_metrics.contains_key(app));
        let memory = of(Measured::Memory).filter(|_| !is_given);
        let memory = memory.map(|(milli, _)| Bytes(milli / 1000));
        Some(Usage { at, cpu: MilliCpu(cpu), memory })
    }
}

impl LastEnds for World<'_> {
    fn last_end(&self, pod: PodId) -> Option<Termination> {
        self.pods.get(pod)?.trouble.as_ref()?.last_end
    }
}
