//! Sets of completion indexes as intervals, and as text: `1,3-5`.
//!
//! Source: kubernetes `pkg/controller/job/indexed_job_utils.go` (`orderedIntervals`), v1.37.

use std::collections::BTreeSet;
use std::fmt;

/// A set of indexes: intervals in order, first and last of each, none touching the next.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Indexes(Vec<(u32, u32)>);

impl Indexes {
    /// Reads a text; what lies at or beyond `completions` is left out, and so is what is no number.
    pub(super) fn parse(text: &str, completions: u32) -> Indexes {
        let mut found = Indexes::default();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let mut limits = part.split('-').map(str::parse::<u32>);
            let Some(Ok(first)) = limits.next() else { continue };
            if first >= completions {
                break;
            }
            let last = match limits.next() {
                None => first,
                Some(Ok(last)) => last.min(completions - 1),
                Some(Err(_)) => continue,
            };
            found.push(first, last);
        }
        found
    }

    /// Adds an interval that begins no earlier than any before it.
    fn push(&mut self, first: u32, last: u32) {
        match self.0.last_mut() {
            Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
            _ => self.0.push((first, last)),
        }
    }

    /// These and those of another set.
    pub(super) fn merged(&self, other: &Indexes) -> Indexes {
        let mut all: Vec<(u32, u32)> = self.0.iter().chain(&other.0).copied().collect();
        all.sort_unstable();
        let mut merged = Indexes::default();
        all.into_iter().for_each(|(first, last)| merged.push(first, last));
        merged
    }

    /// These and some more.
    pub(super) fn with(&self, more: &BTreeSet<u32>) -> Indexes {
        self.merged(&Indexes(more.iter().map(|index| (*index, *index)).collect()))
    }

    /// How many there are.
    pub(super) fn total(&self) -> u32 {
        self.0.iter().map(|(first, last)| last - first + 1).sum()
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them is `index`.
    pub(super) fn has(&self, index: u32) -> bool {
        let at = self.0.partition_point(|(_, last)| *last < index);
        self.0.get(at).is_some_and(|(first, _)| *first <= index)
    }

    /// How many are in another set too.
    pub(super) fn common(&self, other: &Indexes) -> u32 {
        let (mut mine, mut theirs, mut count) = (0, 0, 0);
        while let (Some(a), Some(b)) = (self.0.get(mine), other.0.get(theirs)) {
            let (first, last) = (a.0.max(b.0), a.1.min(b.1));
            count += (last + 1).saturating_sub(first);
            if a.1 <= b.1 {
                mine += 1;
            } else {
                theirs += 1;
            }
        }
        count
    }

    /// The first `count` indexes below `completions` that are not in it.
    pub(super) fn first_missing(&self, count: usize, completions: u32) -> Vec<u32> {
        let (mut missing, mut candidate) = (Vec::new(), 0);
        let end = (completions, u32::MAX - 1);
        for (first, last) in self.0.iter().copied().chain([end]) {
            let room = count - missing.len();
            missing.extend((candidate..first.min(completions)).take(room));
            candidate = candidate.max(last + 1);
        }
        missing
    }
}

impl fmt::Display for Indexes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (first, last)) in self.0.iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            match last - first {
                0 => write!(f, "{comma}{first}")?,
                1 => write!(f, "{comma}{first},{last}")?,
                _ => write!(f, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_are_text_of_intervals() {
        let rows = [
            ("none", "", 10, "", 0),
            ("alone and in a row", "1,3-5", 10, "1,3-5", 4),
            ("two in a row are not an interval", "3-4", 10, "3,4", 2),
            ("neighbours become one", "0,1,2", 10, "0-2", 3),
            ("what is beyond the completions is cut", "2-9", 5, "2-4", 3),
            ("or left out", "2,7-9", 5, "2", 1),
            ("what is no number is left out", "x,2", 5, "2", 1),
        ];
        for (sentence, text, completions, told, total) in rows {
            let found = Indexes::parse(text, completions);
            assert_eq!((found.to_string(), found.total()), (told.to_owned(), total), "{sentence}");
        }
    }

    #[test]
    fn sets_are_those_of_a_plain_set() {
        let texts = ["", "0", "0-3", "2,4-6", "1,3,5,7", "5-9", "9"];
        let plain = |text: &str| -> BTreeSet<u32> {
            let set = Indexes::parse(text, 10);
            (0..10).filter(|index| set.has(*index)).collect()
        };
        for (a, b) in texts.iter().flat_map(|a| texts.iter().map(move |b| (a, b))) {
            let (left, right) = (Indexes::parse(a, 10), Indexes::parse(b, 10));
            let all: BTreeSet<u32> = plain(a).union(&plain(b)).copied().collect();
            let merged = left.merged(&right);
            assert_eq!(Indexes::default().with(&all), merged, "{a} and {b}");
            assert_eq!(left.with(&plain(b)), merged, "{a} with {b}");
            let common = plain(a).intersection(&plain(b)).count();
            assert_eq!(left.common(&right) as usize, common, "{a} in {b}");
            let missing: Vec<u32> = (0..10).filter(|i| !all.contains(i)).take(3).collect();
            assert_eq!(merged.first_missing(3, 10), missing, "missing of {a} and {b}");
        }
    }
}
