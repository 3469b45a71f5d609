//! Which records were touched, in order: from it everything that follows the cache learns what to
//! look at again. It knows nothing of records or of who reads it.

use super::super::framework::NodeIndex;
use std::collections::VecDeque;

/// So many touches are kept for each record that there is. Who is further behind looks at
/// everything.
const KEPT_PER_RECORD: usize = 8;
/// So many are kept beside.
const KEPT: usize = 16;
/// With more touches than this for each record, about everything is to be looked at again.
const MANY_PER_RECORD: usize = 2;

/// The latest touches.
#[derive(Default)]
pub struct Journal {
    touched: VecDeque<NodeIndex>,
    /// The number of the first one that is still there.
    first: u64,
    /// How many records there are, as far as their numbers tell.
    records: usize,
}

impl Journal {
    /// A record was touched.
    pub fn push(&mut self, node: NodeIndex) {
        self.records = self.records.max(node.0 as usize + 1);
        if self.touched.len() >= KEPT + KEPT_PER_RECORD * self.records {
            self.touched.pop_front();
            self.first += 1;
        }
        self.touched.push_back(node);
    }

    /// The number that the next touch will get.
    pub fn end(&self) -> u64 {
        self.first + self.touched.len() as u64
    }

    /// Whether there are so many touches from number `from` on that what was known before them is
    /// worth little.
    pub fn has_many_since(&self, from: u64) -> bool {
        self.end() - from > (KEPT + MANY_PER_RECORD * self.records) as u64
    }

    /// All touches from number `from` on; `None`: some of them are not there any more.
    pub fn since(&self, from: u64) -> Option<impl ExactSizeIterator<Item = NodeIndex> + '_> {
        let skip = from.checked_sub(self.first)? as usize;
        Some(self.touched.range(skip.min(self.touched.len())..).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_too_far_behind_is_told_so() {
        let mut journal = Journal::default();
        let kept = KEPT + KEPT_PER_RECORD * 100;
        for i in 0..kept as u32 {
            journal.push(NodeIndex(i % 100));
        }
        assert_eq!(journal.since(0).map(|touched| touched.len()), Some(kept));
        journal.push(NodeIndex(7));
        assert!(journal.since(0).is_none(), "the oldest was dropped");
        assert_eq!(journal.since(1).map(|touched| touched.len()), Some(kept));
        let last = journal.end() - 1;
        assert_eq!(journal.since(last).map(Iterator::collect), Some(vec![NodeIndex(7)]));
        assert_eq!(journal.since(journal.end()).map(Iterator::count), Some(0));
        let many = (KEPT + MANY_PER_RECORD * 100) as u64;
        assert!(!journal.has_many_since(journal.end() - many));
        assert!(journal.has_many_since(journal.end() - many - 1));
    }
}
