//! The shapes of the pods that the scheduler has been told of, so that pods of one template share
//! one. It knows pods, and nothing of queues and nodes.

use super::pod_info::{PodInfo, PodShape};
use crate::api::pod::Pod;
use crate::api::{OwnerId, PodId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The latest shape of each owner's pods. An owner makes its pods from one template, so hardly any
/// pod has another one; those that have get one of their own.
#[derive(Default)]
pub(super) struct PodShapes {
    latest: BTreeMap<Option<OwnerId>, Arc<PodShape>>,
}

impl PodShapes {
    /// `pod` as [`PodInfo::new`] has it, with as much shared as can be.
    pub(super) fn info(&mut self, id: PodId, pod: &Pod) -> PodInfo {
        let known = self.latest.get(&pod.owner).filter(|shape| shape.is_of(pod));
        let shape = known.cloned().unwrap_or_else(|| {
            let shape = Arc::new(PodShape::of(pod));
            self.latest.insert(pod.owner, Arc::clone(&shape));
            shape
        });
        PodInfo::of_shape(id, pod, shape)
    }

    /// No pod of this owner will come any more.
    pub(super) fn forget(&mut self, owner: OwnerId) {
        self.latest.remove(&Some(owner));
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{pod, spec};
    use super::*;
    use crate::api::NodeId;
    use crate::api::labels::Labels;
    use crate::units::SimTime;

    #[test]
    fn a_pod_is_small() {
        // A copy of it stands on its node, one in the queue while it waits.
        assert_eq!(size_of::<PodInfo>(), 24);
    }

    #[test]
    fn pods_share_what_they_have_in_common_and_nothing_else() {
        let first = pod("a", spec(1, 1));
        let like = |change: fn(&mut Pod)| {
            let mut pod = first.clone();
            pod.base_mut().name = "b".into();
            change(&mut pod);
            pod
        };
        let rows: [(&str, Pod, bool); 8] = [
            ("a pod of the same template", like(|_| {}), true),
            ("one that has started", like(|p| p.started = SimTime::from_secs(1)), true),
            ("another namespace", like(|p| p.base_mut().namespace = "x".into()), false),
            ("other labels", like(|p| p.base_mut().labels = Labels::from([("a", "b")])), false),
            ("equal labels, written again", like(|p| p.base_mut().labels = Labels::from([])), true),
            ("another specification", pod("b", spec(2, 1)), false),
            ("a nominated one", like(|p| p.nominated = Some(NodeId::default())), false),
            ("one that is being deleted", like(|p| p.deletion = SimTime::ZERO.into()), false),
        ];
        for (sentence, other, shared) in rows {
            let mut shapes = PodShapes::default();
            let (a, b) =
                (shapes.info(PodId::default(), &first), shapes.info(PodId::default(), &other));
            assert_eq!(a.shares_shape_with(&b), shared, "{sentence}");
            let plain = PodInfo::new(PodId::default(), &other);
            assert_eq!(format!("{b:?}"), format!("{plain:?}"), "{sentence}");
        }
    }
}
