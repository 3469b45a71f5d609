//! Which autoscalers may want the same pods: upstream lets none of them scale then.
//!
//! Source: kubernetes `pkg/controller/podautoscaler/hpa_selector_store.go`, v1.37. There each sync
//! asks it of every pod; here most autoscalers know that no other can select any of theirs, since
//! both ask for another value of one label. It is found out when the first one is synced after any
//! came, changed or went.

use crate::api::autoscaling::ScaleTarget;
use crate::api::labels::Selector;
use crate::api::{HpaId, Text};
use crate::store::Store;
use slotmap::SecondaryMap;
use std::collections::BTreeMap;

/// Another autoscaler of the namespace.
#[derive(Clone, Debug)]
pub(super) struct Rival {
    pub name: Text,
    pub target: ScaleTarget,
}

/// Those of each autoscaler that has any.
#[derive(Debug, Default)]
pub(super) struct Rivals {
    known: bool,
    of: SecondaryMap<HpaId, Vec<Rival>>,
}

impl Rivals {
    /// Autoscalers that may select pods of this one's target.
    pub fn of(&mut self, id: HpaId, store: &Store) -> &[Rival] {
        if !std::mem::replace(&mut self.known, true) {
            self.find(store);
        }
        self.of.get(id).map_or(&[], Vec::as_slice)
    }

    fn find(&mut self, store: &Store) {
        let mut namespaces: BTreeMap<&Text, Vec<HpaId>> = BTreeMap::new();
        for (id, hpa) in store.hpas() {
            namespaces.entry(&hpa.namespace).or_default().push(id);
        }
        for ids in namespaces.values().filter(|ids| ids.len() > 1) {
            let of = |id: &HpaId| {
                let hpa = store.hpa(*id)?;
                Some((hpa, store.scale_of(hpa.target).map(|scale| scale.selector)))
            };
            for (at, id) in ids.iter().enumerate() {
                let Some((_, own)) = of(id) else { continue };
                for (_, other) in ids.iter().enumerate().filter(|(place, _)| *place != at) {
                    let Some((hpa, selector)) = of(other) else { continue };
                    if exclude_each_other(own, selector) {
                        continue;
                    }
                    let rival = Rival { name: hpa.name.clone(), target: hpa.target };
                    if let Some(entry) = self.of.entry(*id) {
                        entry.or_default().push(rival);
                    }
                }
            }
        }
    }
}

/// Whether no pod can be selected by both; a target that is not there may come with any selector.
fn exclude_each_other(one: Option<&Selector>, other: Option<&Selector>) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return false };
    let differs =
        |(key, value): (&Text, &Text)| other.match_labels().any(|(k, v)| k == key && v != value);
    one.match_labels().any(differs)
}
