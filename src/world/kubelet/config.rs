//! Secrets and ConfigMaps that a pod needs: it waits for those that are missing.
//!
//! Source: kubernetes `pkg/kubelet/kuberuntime/kuberuntime_container.go` (`startContainer`:
//! ErrCreateContainerConfig) and `pkg/volume/util/nestedpendingoperations` with
//! `exponentialbackoff`, v1.37. It does not know who makes the objects.

use super::sync::SYNC_BACK_OFF;
use super::volumes::LOOP_PERIOD;
use crate::api::config::ConfigRef;
use crate::api::event::EventType::Warning;
use crate::api::object::Object;
use crate::api::pod::PodPhase;
use crate::api::{ConfigId, ObjectName, PodId, Text};
use crate::scenario::created;
use crate::units::{SimDuration, SimTime};
use crate::world::event::PodStep;
use crate::world::world::World;

/// First wait after a volume that could not be set up (`initialDurationBeforeRetry`).
const FIRST_WAIT: SimDuration = SimDuration::from_millis(500);
/// Longest such wait (`maxDurationBeforeRetry`).
const LONGEST_WAIT: SimDuration = SimDuration::from_secs(122);
/// Why the container of such a pod waits.
const CONFIG_ERROR: &str = "CreateContainerConfigError";

/// Volumes of a pod that could not be set up yet.
#[derive(Debug)]
pub(super) struct Unset {
    /// Their names, in the pod's order.
    left: Vec<Text>,
    /// The wait after the last try. Volumes that fail have failed from the first try on, so that
    /// their waits are one.
    wait: SimDuration,
}

impl World<'_> {
    /// What a pod lacks of what `is_asked` for, in the kubelet's words.
    fn missing(&self, pod: PodId, is_asked: impl Fn(&ConfigRef) -> bool) -> Option<String> {
        let p = self.store.pod(pod)?;
        let mut asked = p.spec.config_refs.iter().filter(|reference| is_asked(reference));
        asked.find_map(|r| {
            let found = self.store.config(r.kind, &p.namespace, &r.name);
            r.complaint(found, &p.namespace)
        })
    }

    /// Whether a pod lacks anything that it needs before all its containers can run.
    pub(in crate::world) fn lacks_config(&self, pod: PodId) -> bool {
        self.missing(pod, |_| true).is_some()
    }

    /// The volumes of a pod that can't be set up now; `None`: all can.
    pub(super) fn unset_volumes(&self, pod: PodId) -> Option<Unset> {
        let lacks = |r: &ConfigRef| !r.volume.is_empty();
        self.missing(pod, lacks)?;
        let mut left: Vec<Text> = Vec::new();
        for reference in self.store.pod(pod)?.spec.config_refs.iter().filter(|r| lacks(r)) {
            if !left.contains(&reference.volume) {
                left.push(reference.volume.clone());
            }
        }
        Some(Unset { left, wait: SimDuration::ZERO })
    }

    /// Tries to set up the volumes that a pod still lacks; those that fail are tried again later.
    pub(super) fn set_up_volumes(&mut self, pod: PodId) {
        let now = self.now;
        let Some(mut unset) = self.volumes.kubelets.unset.remove(&pod) else { return };
        let mut complaints = Vec::new();
        unset.left.retain(|volume| match self.missing(pod, |r| r.volume == *volume) {
            Some(said) => {
                complaints
                    .push(format!("MountVolume.SetUp failed for volume \"{volume}\" : {said}"));
                true
            }
            None => false,
        });
        for message in complaints {
            self.tell_trouble(pod, Warning, "FailedMount", || message);
        }
        if unset.left.is_empty() {
            self.volumes_may_be_there(pod);
            return;
        }
        unset.wait = match unset.wait {
            SimDuration::ZERO => FIRST_WAIT,
            wait => (wait * 2).min(LONGEST_WAIT),
        };
        let again = (now + unset.wait).next_on_grid(SimTime::ZERO, LOOP_PERIOD);
        self.volumes.kubelets.unset.insert(pod, unset);
        self.plan_pod(again, pod, PodStep::SetUp);
    }

    /// Whether the environment can be made of a pod's containers, or of the init container that is
    /// next; if not, they wait.
    pub(super) fn has_environment(&mut self, pod: PodId) -> bool {
        let turn = self.init_container(pod).and_then(|(place, _)| u16::try_from(place).ok());
        let missing = self.missing(pod, |r| r.volume.is_empty() && r.init == turn);
        let Some(said) = missing else { return true };
        self.set_waiting(pod, CONFIG_ERROR);
        self.tell_trouble(pod, Warning, "Failed", || format!("Error: {said}"));
        self.look_again(pod, SimTime::NEVER, |_| SYNC_BACK_OFF);
        false
    }

    /// A Secret or ConfigMap came, changed or went: pods that wait for one may find it when they
    /// look again.
    pub(in crate::world) fn config_changed(&mut self, id: ConfigId) {
        let Some(config) = self.store.config_of(id) else { return };
        let namespace = config.meta.namespace.clone();
        let mut waiting: Vec<(u64, PodId)> = self
            .store
            .pods_in(&namespace)
            .filter(|(id, _)| self.pods.get(*id).is_some_and(|s| s.waiting() == CONFIG_ERROR))
            .map(|(id, pod)| (pod.uid, id))
            .collect();
        waiting.sort_unstable();
        for (_, pod) in waiting {
            self.next_look_counts(pod, |_| SYNC_BACK_OFF);
        }
    }

    /// A pod has done its work: the Secrets and ConfigMaps that it makes are there from now on.
    pub(super) fn makes_configs(&mut self, pod: PodId) {
        let p = self.store.pod(pod).filter(|p| p.phase == PodPhase::Succeeded);
        let Some(p) = p else { return };
        let Some(behavior) = p.spec.behavior.as_deref() else { return };
        let namespace = p.namespace.clone();
        for (kind, name) in behavior.creates.clone() {
            if self.store.config(kind, &namespace, &name).is_none() {
                let name = ObjectName { namespace: namespace.clone(), name };
                let made = created(kind, &name, self.scenario);
                // A quota may be full: then it is not made.
                let _ = self.apply_object(&Object::Config(Box::new(made)), false);
            }
        }
    }
}
