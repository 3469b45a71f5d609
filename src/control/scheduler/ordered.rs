//! A map in the order of its keys, for keys that mostly come in order and leave from the front.
//!
//! Pods enter the parts of the scheduling queue by time and leave the oldest first; a tree pays
//! for every one of them as if they came in any order. Here those that come in order stand in a row
//! and the others in a tree; what leaves from the middle of the row leaves a gap. It does not know
//! what the keys mean.

use std::collections::{BTreeMap, VecDeque};

/// Gaps that are not worth closing.
const FEW: usize = 32;

/// A map with keys in order; no key comes twice while it is there.
#[derive(Debug)]
pub(super) struct Ordered<K, V> {
    /// Keys that came in order; `None`: gone again. Its ends are never gaps.
    row: VecDeque<(K, Option<V>)>,
    /// Entries of the row that are there.
    standing: usize,
    /// All others.
    late: BTreeMap<K, V>,
}

impl<K, V> Default for Ordered<K, V> {
    fn default() -> Self {
        Ordered { row: VecDeque::new(), standing: 0, late: BTreeMap::new() }
    }
}

impl<K: Ord + Copy, V: Copy> Ordered<K, V> {
    /// Whether there is nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.standing == 0 && self.late.is_empty()
    }

    /// Adds an entry whose key is not there.
    pub(super) fn insert(&mut self, key: K, value: V) {
        match self.row.back() {
            Some((last, _)) if *last >= key => {
                self.late.insert(key, value);
            }
            _ => {
                self.row.push_back((key, Some(value)));
                self.standing += 1;
            }
        }
    }

    /// The entry with the smallest key.
    pub(super) fn first(&self) -> Option<(K, V)> {
        let row = self.row.front().and_then(|(key, value)| Some((*key, (*value)?)));
        let late = self.late.first_key_value().map(|(key, value)| (*key, *value));
        match (row, late) {
            (Some(row), Some(late)) => Some(if row.0 < late.0 { row } else { late }),
            (row, late) => row.or(late),
        }
    }

    /// Takes the entry with the smallest key.
    pub(super) fn pop_first(&mut self) -> Option<(K, V)> {
        let first = self.first()?;
        if self.row.front().is_some_and(|(key, _)| *key == first.0) {
            self.row.pop_front();
            self.standing -= 1;
            self.trim();
        } else {
            self.late.pop_first();
        }
        Some(first)
    }

    /// Takes the entry with this key, if it is there.
    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        if let Some(value) = self.late.remove(key) {
            return Some(value);
        }
        let at = self.row.binary_search_by(|(other, _)| other.cmp(key)).ok()?;
        let value = self.row[at].1.take()?;
        self.standing -= 1;
        self.trim();
        if self.row.len() > 2 * self.standing + FEW {
            self.row.retain(|(_, value)| value.is_some());
        }
        Some(value)
    }

    fn trim(&mut self) {
        while self.row.front().is_some_and(|(_, value)| value.is_none()) {
            self.row.pop_front();
        }
        while self.row.back().is_some_and(|(_, value)| value.is_none()) {
            self.row.pop_back();
        }
    }

    /// All entries in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (K, V)> + '_ {
        let row = self.row.iter().filter_map(|(key, value)| Some((*key, (*value)?)));
        let late = self.late.iter().map(|(key, value)| (*key, *value));
        let (mut row, mut late) = (row.peekable(), late.peekable());
        std::iter::from_fn(move || match (row.peek(), late.peek()) {
            (Some(a), Some(b)) if b.0 < a.0 => late.next(),
            (None, _) => late.next(),
            _ => row.next(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        /// A key so far behind the largest one so far, or before it.
        Insert(i64),
        PopFirst,
        /// The key at this place in order, or one that is not there.
        Remove(usize),
    }

    fn any_step() -> impl Strategy<Value = Step> {
        prop_oneof![
            5 => (1i64..4).prop_map(Step::Insert),
            2 => (-30i64..1).prop_map(Step::Insert),
            3 => Just(Step::PopFirst),
            3 => (0usize..200).prop_map(Step::Remove),
        ]
    }

    proptest! {
        #[test]
        fn it_is_a_tree(steps in prop::collection::vec(any_step(), 1..600)) {
            let (mut ordered, mut tree) = (Ordered::default(), BTreeMap::new());
            let mut largest = 0;
            for step in steps {
                match step {
                    Step::Insert(by) => {
                        let key = largest + by;
                        largest = largest.max(key);
                        if tree.insert(key, key * 7).is_none() {
                            ordered.insert(key, key * 7);
                        }
                    }
                    Step::PopFirst => prop_assert_eq!(ordered.pop_first(), tree.pop_first()),
                    Step::Remove(place) => {
                        let key = tree.keys().nth(place).copied().unwrap_or(largest + 1);
                        prop_assert_eq!(ordered.remove(&key), tree.remove(&key));
                    }
                }
                prop_assert_eq!(ordered.first(), tree.first_key_value().map(|(k, v)| (*k, *v)));
                prop_assert_eq!(ordered.is_empty(), tree.is_empty());
                prop_assert!(ordered.row.len() <= 2 * ordered.standing + FEW);
            }
            let all: Vec<(i64, i64)> = tree.into_iter().collect();
            prop_assert_eq!(ordered.iter().collect::<Vec<_>>(), all);
        }
    }
}
