//! Where the queue keeps its pods: found by key at once, and room only for those that wait now, not
//! for all that ever did. It knows nothing of what a queued pod is.

use crate::api::PodId;
use slotmap::SecondaryMap;
use std::ops::{Index, IndexMut};

/// Values of the pods that wait.
pub(super) struct Waiting<T> {
    /// By pod: its place among the values.
    places: SecondaryMap<PodId, u32>,
    values: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Waiting<T> {
    /// Nobody waits.
    pub(super) fn new() -> Waiting<T> {
        Waiting { places: SecondaryMap::new(), values: Vec::new(), free: Vec::new() }
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.values.len() - self.free.len()
    }

    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the pod waits.
    pub(super) fn contains_key(&self, pod: PodId) -> bool {
        self.places.contains_key(pod)
    }

    /// The value of a pod that waits.
    pub(super) fn get(&self, pod: PodId) -> Option<&T> {
        self.values[*self.places.get(pod)? as usize].as_ref()
    }

    /// The same, to be changed.
    pub(super) fn get_mut(&mut self, pod: PodId) -> Option<&mut T> {
        self.values[*self.places.get(pod)? as usize].as_mut()
    }

    /// The pod waits from now on, with this value.
    pub(super) fn insert(&mut self, pod: PodId, value: T) {
        if let Some(known) = self.get_mut(pod) {
            *known = value;
            return;
        }
        let place = self.free.pop().unwrap_or_else(|| {
            self.values.push(None);
            self.values.len() as u32 - 1
        });
        self.values[place as usize] = Some(value);
        self.places.insert(pod, place);
    }

    /// The pod waits no more. When the last one goes, so does the room that they took.
    pub(super) fn remove(&mut self, pod: PodId) -> Option<T> {
        let place = self.places.remove(pod)?;
        let value = self.values[place as usize].take();
        self.free.push(place);
        if self.is_empty() && self.values.len() > KEPT {
            (self.values, self.free) = (Vec::new(), Vec::new());
        }
        value
    }
}

/// Room for so many is kept when nobody waits.
const KEPT: usize = 1024;

impl<T> Index<PodId> for Waiting<T> {
    type Output = T;

    fn index(&self, pod: PodId) -> &T {
        self.get(pod).expect("the queue asks for pods that wait")
    }
}

impl<T> IndexMut<PodId> for Waiting<T> {
    fn index_mut(&mut self, pod: PodId) -> &mut T {
        self.get_mut(pod).expect("the queue asks for pods that wait")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use slotmap::SlotMap;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn it_is_a_map(acts in prop::collection::vec((0usize..8, any::<bool>()), 1..200)) {
            let mut ids: SlotMap<PodId, ()> = SlotMap::with_key();
            let ids: Vec<PodId> = (0..8).map(|_| ids.insert(())).collect();
            let (mut waiting, mut model) = (Waiting::new(), BTreeMap::new());
            for (value, (pod, comes)) in acts.into_iter().enumerate() {
                if comes {
                    waiting.insert(ids[pod], value);
                    model.insert(ids[pod], value);
                } else {
                    prop_assert_eq!(waiting.remove(ids[pod]), model.remove(&ids[pod]));
                }
                prop_assert_eq!(waiting.len(), model.len());
                for id in &ids {
                    prop_assert_eq!(waiting.get(*id), model.get(id));
                }
            }
        }
    }

    #[test]
    fn who_has_gone_takes_no_room() {
        let mut ids: SlotMap<PodId, ()> = SlotMap::with_key();
        let mut waiting = Waiting::new();
        for _ in 0..3 {
            let pods: Vec<PodId> = (0..=KEPT).map(|_| ids.insert(())).collect();
            pods.iter().for_each(|pod| waiting.insert(*pod, 0));
            assert!(waiting.values.capacity() < 4 * KEPT, "places are used again");
            pods.iter().for_each(|pod| _ = waiting.remove(*pod));
        }
        assert_eq!(waiting.values.capacity(), 0);
    }
}
