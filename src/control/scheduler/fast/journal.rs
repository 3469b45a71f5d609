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
    /// By record: the number of its last touch. There are as many as their numbers tell.
    last: Vec<u64>,
}

impl Journal {
    /// A record was touched.
    pub fn push(&mut self, node: NodeIndex) {
        if self.last.len() <= node.0 as usize {
            self.last.resize(node.0 as usize + 1, 0);
        }
        if self.touched.len() >= KEPT + KEPT_PER_RECORD * self.last.len() {
            self.touched.pop_front();
            self.first += 1;
        }
        self.last[node.0 as usize] = self.end();
        self.touched.push_back(node);
    }

    /// The number that the next touch will get.
    pub fn end(&self) -> u64 {
        self.first + self.touched.len() as u64
    }

    /// Whether there are so many touches from number `from` on that what was known before them is
    /// worth little.
    pub fn has_many_since(&self, from: u64) -> bool {
        self.end() - from > (KEPT + MANY_PER_RECORD * self.last.len()) as u64
    }

    /// Each record that was touched from number `from` on, once; `None`: some of these touches are
    /// not there any more.
    pub fn since(&self, from: u64) -> Option<impl Iterator<Item = NodeIndex> + '_> {
        let skip = from.checked_sub(self.first)? as usize;
        let touched = self.touched.range(skip.min(self.touched.len())..).copied();
        let is_last = |(node, number): &(NodeIndex, u64)| self.last[node.0 as usize] == *number;
        Some(touched.zip(from..).filter(is_last).map(|(node, _)| node))
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
        assert_eq!(journal.since(0).map(Iterator::count), Some(100));
        journal.push(NodeIndex(7));
        assert!(journal.since(0).is_none(), "the oldest was dropped");
        assert_eq!(journal.since(1).map(Iterator::count), Some(100));
        let last = journal.end() - 1;
        assert_eq!(journal.since(last).map(Iterator::collect), Some(vec![NodeIndex(7)]));
        assert_eq!(journal.since(journal.end()).map(Iterator::count), Some(0));
        let since = |from: u64| journal.since(from).map(Iterator::collect::<Vec<_>>);
        let before = [12, 13, 14, 15, 7].map(NodeIndex);
        assert_eq!(since(journal.end() - 5), Some(before.into()), "the 7 before it counts no more");
        let many = (KEPT + MANY_PER_RECORD * 100) as u64;
        assert!(!journal.has_many_since(journal.end() - many));
        assert!(journal.has_many_since(journal.end() - many - 1));
    }
}
