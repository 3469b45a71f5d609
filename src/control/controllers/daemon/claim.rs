//! Whose pods they are: orphans that the selector matches are adopted, own ones that it does not
//! match are released.
//!
//! Source: kubernetes `pkg/controller/controller_ref_manager.go`, v1.37.

use super::super::action::{Action, Outcome};
use crate::api::daemon_set::DaemonSet;
use crate::api::pod::Pod;
use crate::api::{OwnerId, PodId};
use crate::store::Store;

/// The set's pods, as they will be when what this asks for has been done.
pub(super) fn claim<'a>(
    id: OwnerId,
    set: &'a DaemonSet,
    store: &'a Store,
    outcome: &mut Outcome,
) -> Vec<(PodId, &'a Pod)> {
    let own = store.pods_of(id).iter().filter_map(|pod| Some((*pod, store.pod(*pod)?)));
    let mut pods = Vec::with_capacity(store.pods_of(id).len());
    for (pod, p) in own {
        if set.selector.matches(&p.labels) {
            pods.push((pod, p));
        } else {
            outcome.then(Action::ReleasePod { pod });
        }
    }
    for (pod, p) in store.pods_matching(&set.meta.namespace, &set.selector) {
        if p.owner.is_none() && p.deletion.is_none() {
            outcome.then(Action::AdoptPod { pod, owner: id });
            pods.push((pod, p));
        }
    }
    pods
}
