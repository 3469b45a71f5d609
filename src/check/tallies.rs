//! The store's running numbers are those of its objects.

use super::Finding;
use crate::store::{NodeTally, PodTally, Store};

/// The first number that is not what counting one by one comes to.
pub(super) fn wrong(store: &Store) -> Finding {
    for (id, owner) in store.owners() {
        let mut counted = PodTally::default();
        for pod in store.pods_of(id).iter().filter_map(|pod| store.pod(*pod)) {
            counted.add(pod);
        }
        let kept = store.tally_of(id);
        if kept != counted {
            let found = format!("{}: {kept:?} are kept, {counted:?} counted", owner.name());
            return Some(("an owner's numbers are those of its pods", found));
        }
    }
    let mut counted = NodeTally::default();
    store.nodes().for_each(|(_, node)| counted.add(node));
    let kept = store.ready_nodes();
    (kept != counted).then(|| {
        let found = format!("{kept:?} are kept, {counted:?} counted");
        ("the number of Ready nodes is that of the nodes", found)
    })
}
