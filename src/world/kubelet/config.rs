//! Secrets and ConfigMaps that a pod needs: it waits for those that are missing.
//!
//! Source: kubernetes `pkg/kubelet/kuberuntime/kuberuntime_container.go` (`startContainer`:
//! ErrCreateContainerConfig) and `pkg/volume/util/nestedpendingoperations` with
//! `exponentialbackoff`, v1.37. It does not know who makes the objects.

use super::sync::SYNC_BACK_OFF;
use crate::api::ConfigId;
use crate::api::PodId;
use crate::api::config::ConfigRef;
use crate::api::event::EventType::Warning;
use crate::units::{SimDuration, SimTime};
use crate::world::event::PodStep;
use crate::world::world::World;

/// First wait after a volume that could not be set up (`initialDurationBeforeRetry`).
const FIRST_WAIT: SimDuration = SimDuration::from_millis(500);
/// Longest such wait (`maxDurationBeforeRetry`).
const LONGEST_WAIT: SimDuration = SimDuration::from_secs(122);
/// How often the volume manager looks what is to be mounted (`reconcilerLoopSleepPeriod`).
const LOOK: SimDuration = SimDuration::from_millis(100);
/// Why the container of such a pod waits.
const CONFIG_ERROR: &str = "CreateContainerConfigError";

impl World<'_> {
    /// What a pod lacks of what `is_asked` for: in the kubelet's words, with the volume.
    fn missing(
        &self,
        pod: PodId,
        is_asked: impl Fn(&ConfigRef) -> bool,
    ) -> Option<(String, String)> {
        let p = self.store.pod(pod)?;
        let mut asked = p.spec.config_refs.iter().filter(|reference| is_asked(reference));
        asked.find_map(|r| {
            let found = self.store.config(r.kind, &p.namespace, &r.name);
            Some((r.complaint(found, &p.namespace)?, r.volume.to_string()))
        })
    }

    /// Whether a pod lacks anything that it needs before all its containers can run.
    pub(in crate::world) fn lacks_config(&self, pod: PodId) -> bool {
        self.missing(pod, |_| true).is_some()
    }

    /// Sets up the volumes of a pod, or tries again later; true when they are there.
    pub(super) fn sets_up_volumes(&mut self, pod: PodId) -> bool {
        let now = self.now;
        let missing = self.missing(pod, |reference| !reference.volume.is_empty());
        let Some((said, volume)) = missing else { return true };
        let message = format!("MountVolume.SetUp failed for volume \"{volume}\" : {said}");
        let Some(state) = self.pods.get_mut(pod) else { return false };
        let wait = &mut state.trouble.get_or_insert_default().mount_wait;
        *wait = if *wait == SimDuration::ZERO { FIRST_WAIT } else { (*wait * 2).min(LONGEST_WAIT) };
        let again = (now + *wait).next_on_grid(SimTime::ZERO, LOOK);
        self.tell_trouble(pod, Warning, "FailedMount", || message);
        self.plan_pod(again, pod, PodStep::Mount);
        false
    }

    /// Whether the environment can be made of a pod's containers, or of the init container that is
    /// next; if not, they wait.
    pub(super) fn has_environment(&mut self, pod: PodId) -> bool {
        let turn = self.init_container(pod).and_then(|(place, _)| u16::try_from(place).ok());
        let missing = self.missing(pod, |r| r.volume.is_empty() && r.init == turn);
        let Some((said, _)) = missing else { return true };
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
}
