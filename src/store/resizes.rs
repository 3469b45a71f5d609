//! Pods whose requests and limits are changed in place.

use super::{Change, Store};
use crate::api::PodId;
use crate::api::pod::PodSpec;
use crate::api::resize::Resize;
use std::sync::Arc;

impl Store {
    /// Changes what has become of a pod's changes in place, and what it has been allocated, through
    /// `change`, which tells whether anything changed. What its node has room for follows.
    pub fn resize_pod(
        &mut self,
        id: PodId,
        change: impl FnOnce(&mut Resize, &mut Arc<PodSpec>) -> bool,
    ) {
        let Some(pod) = self.pods.get_mut(id) else { return };
        let node = pod.loaded_node();
        let mut load = node.and_then(|node| self.loads.get_mut(node));
        if let Some(load) = &mut load {
            load.count(pod, false);
        }
        let mut resize = pod.more_mut().resize.take().unwrap_or_default();
        let mut spec = Arc::clone(&pod.spec);
        let changed = change(&mut resize, &mut spec);
        if !Arc::ptr_eq(&spec, &pod.spec) {
            pod.base_mut().spec = spec;
        }
        pod.more_mut().resize = Some(resize);
        if let Some(load) = load {
            load.count(pod, true);
        }
        if changed {
            self.note(Change::PodUpdated(id));
        }
    }
}
