//! What DaemonSets take of new nodes.
//!
//! Source: cluster-autoscaler `simulator/node_info_utils.go`, `utils/daemonset/daemonset.go`
//! (`GetDaemonSetPodsForNode`), August 2026. A node that is there has its daemons already.

use super::GroupView;
use crate::control::controllers::daemon;
use crate::store::Store;

/// The groups with templates from which the daemons that would come with a new node are taken
/// away; `None`: there are no DaemonSets.
pub(super) fn leave_room(store: &Store, groups: &[GroupView]) -> Option<Vec<GroupView>> {
    store.daemon_sets().next()?;
    let mut out = groups.to_vec();
    out.iter_mut().for_each(|group| daemon::leave_room(store, &mut group.template));
    Some(out)
}
