//! What DaemonSets take of new nodes.
//!
//! Source: cluster-autoscaler `simulator/node_info_utils.go`, `utils/daemonset/daemonset.go`
//! (`GetDaemonSetPodsForNode`), August 2026. A node that is there has its daemons already.

use super::GroupView;
use crate::control::controllers::daemon;
use crate::store::Store;
use std::sync::Arc;

/// The groups with templates from which the daemons that would come with a new node are taken
/// away; `None`: there are no DaemonSets.
pub(super) fn leave_room(store: &Store, groups: &[GroupView]) -> Option<Vec<GroupView>> {
    store.daemon_sets().next()?;
    let mut out = groups.to_vec();
    for group in &mut out {
        let shape = Arc::clone(&group.template);
        let daemons = store.daemon_sets().map(|(_, set)| set);
        for set in daemons.filter(|set| daemon::would_run(set, &shape)) {
            let node = Arc::make_mut(&mut group.template);
            Arc::make_mut(&mut node.allocatable).subtract(&set.template.spec.requests());
            node.max_pods = node.max_pods.saturating_sub(1);
        }
    }
    Some(out)
}
