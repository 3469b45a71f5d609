//! Which records were touched, in order: from it everything that follows the cache learns what to
//! look at again. It knows nothing of records or of who reads it.

use super::super::framework::NodeIndex;
use std::collections::VecDeque;

/// How many touches are kept at least; who is further behind looks at everything.
const KEPT: usize = 1 << 16;

/// The latest touches.
#[derive(Default)]
pub struct Journal {
    touched: VecDeque<NodeIndex>,
    /// The number of the first one that is still there.
    first: u64,
}

impl Journal {
    /// A record was touched.
    pub fn push(&mut self, node: NodeIndex) {
        if self.touched.len() >= 2 * KEPT {
            self.touched.drain(..KEPT);
            self.first += KEPT as u64;
        }
        self.touched.push_back(node);
    }

    /// The number that the next touch will get.
    pub fn end(&self) -> u64 {
        self.first + self.touched.len() as u64
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
        for i in 0..2 * KEPT as u32 {
            journal.push(NodeIndex(i));
        }
        assert_eq!(journal.since(0).map(|touched| touched.len()), Some(2 * KEPT));
        journal.push(NodeIndex(7));
        assert!(journal.since(0).is_none(), "the oldest have been dropped");
        let last = journal.end() - 1;
        assert_eq!(journal.since(last).map(Iterator::collect), Some(vec![NodeIndex(7)]));
        assert_eq!(journal.since(journal.end()).map(Iterator::count), Some(0));
    }
}
