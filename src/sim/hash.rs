//! The rolling hash of the event log: 128 bits that two equal runs share.
//!
//! Records are buffered and hashed in blocks, so a record costs about as much as copying it. A
//! checkpoint every [`RECORDS_PER_CHECKPOINT`] records tells where two runs part. This file does
//! not know what a record means.

use crate::units::SimTime;
use std::ops::Range;

/// Records between two checkpoints.
pub const RECORDS_PER_CHECKPOINT: u64 = 1 << 16;

/// Bytes hashed at once: BLAKE3 works on 1 KiB pieces side by side, so it likes long inputs.
const BLOCK: usize = 1 << 15;

/// Hash over everything that happened, in order (BLAKE3, cut to 128 bits).
///
/// A record is its instant (8 bytes), kind (2) and length (4), all little-endian, and its bytes;
/// numbers are 8 bytes each, little-endian. The length keeps neighbours apart.
#[derive(Clone, Debug, Default)]
pub struct EventLogHash {
    hasher: blake3::Hasher,
    buffer: Vec<u8>,
    records: u64,
    checkpoints: Vec<[u8; 16]>,
}

impl EventLogHash {
    /// Adds a record of numbers.
    pub fn record(&mut self, time: SimTime, kind: u16, fields: &[u64]) {
        self.begin(time, kind, fields.len() * 8);
        for field in fields {
            self.buffer.extend_from_slice(&field.to_le_bytes());
        }
        self.end();
    }

    /// Adds a record of bytes.
    pub fn record_bytes(&mut self, time: SimTime, kind: u16, bytes: &[u8]) {
        self.begin(time, kind, bytes.len());
        self.buffer.extend_from_slice(bytes);
        self.end();
    }

    /// How many records there are so far.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// What [`finish`](Self::finish) gave after each [`RECORDS_PER_CHECKPOINT`] records.
    pub fn checkpoints(&self) -> &[[u8; 16]] {
        &self.checkpoints
    }

    /// The hash of all records so far; more may follow.
    pub fn finish(&mut self) -> [u8; 16] {
        self.flush();
        let mut short = [0; 16];
        short.copy_from_slice(&self.hasher.finalize().as_bytes()[..16]);
        short
    }

    fn begin(&mut self, time: SimTime, kind: u16, length: usize) {
        let mut head = [0u8; 14];
        head[..8].copy_from_slice(&time.0.to_le_bytes());
        head[8..10].copy_from_slice(&kind.to_le_bytes());
        head[10..].copy_from_slice(&(length as u32).to_le_bytes());
        self.buffer.extend_from_slice(&head);
    }

    fn end(&mut self) {
        self.records += 1;
        if self.records.is_multiple_of(RECORDS_PER_CHECKPOINT) {
            let checkpoint = self.finish();
            self.checkpoints.push(checkpoint);
        } else if self.buffer.len() >= BLOCK {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.hasher.update(&self.buffer);
        self.buffer.clear();
    }
}

/// The records, counted from 0, among which two logs first differ, as far as their checkpoints
/// tell; `None` if all checkpoints that both have are equal.
///
/// To find the record itself, run both again and compare the records of this range one by one.
pub fn first_difference(a: &[[u8; 16]], b: &[[u8; 16]]) -> Option<Range<u64>> {
    // A hash covers everything before it: once two differ, all later ones do.
    let common = a.len().min(b.len());
    let (mut equal, mut differ) = (0, common);
    while equal < differ {
        let middle = equal + (differ - equal) / 2;
        if a[middle] == b[middle] {
            equal = middle + 1;
        } else {
            differ = middle;
        }
    }
    let start = equal as u64 * RECORDS_PER_CHECKPOINT;
    (equal < common).then_some(start..start + RECORDS_PER_CHECKPOINT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(records: u64, odd_one: Option<u64>) -> EventLogHash {
        let mut log = EventLogHash::default();
        for i in 0..records {
            let value = if odd_one == Some(i) { u64::MAX } else { i };
            log.record(SimTime(i), 3, &[value, i % 5]);
        }
        log
    }

    #[test]
    fn golden() {
        let mut log = log(100_000, None);
        log.record_bytes(SimTime(100_000), 9, b"the end");
        let hex: String = log.finish().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, "7eb6b1ecdc79e864901ed7fb650a9a63");
        assert_eq!(log.records(), 100_001);
    }

    #[test]
    fn buffering_does_not_show() {
        let mut whole = EventLogHash::default();
        let mut naive = blake3::Hasher::new();
        for i in 0..10_000u64 {
            let bytes = vec![i as u8; (i % 97) as usize];
            whole.record_bytes(SimTime(i * i), i as u16, &bytes);
            if i % 1000 == 0 {
                whole.finish();
            }
            naive.update(&(i * i).to_le_bytes());
            naive.update(&(i as u16).to_le_bytes());
            naive.update(&(bytes.len() as u32).to_le_bytes());
            naive.update(&bytes);
        }
        assert_eq!(whole.finish(), naive.finalize().as_bytes()[..16]);
    }

    #[test]
    fn every_part_of_a_record_counts() {
        type Write = fn(&mut EventLogHash);
        let rows: [(&str, Write); 7] = [
            ("a record", |log| log.record(SimTime(1), 2, &[3])),
            ("another instant", |log| log.record(SimTime(2), 2, &[3])),
            ("another kind", |log| log.record(SimTime(1), 3, &[3])),
            ("another field", |log| log.record(SimTime(1), 2, &[4])),
            ("one field more", |log| log.record(SimTime(1), 2, &[3, 0])),
            ("nothing", |_| ()),
            ("the same twice", |log| {
                log.record(SimTime(1), 2, &[3]);
                log.record(SimTime(1), 2, &[3]);
            }),
        ];
        let mut seen = std::collections::BTreeMap::new();
        for (sentence, write) in rows {
            let mut log = EventLogHash::default();
            write(&mut log);
            if let Some(other) = seen.insert(log.finish(), sentence) {
                panic!("`{sentence}` hashes like `{other}`");
            }
        }
    }

    #[test]
    fn checkpoints_find_where_two_runs_part() {
        let n = 5 * RECORDS_PER_CHECKPOINT + 10;
        let base = log(n, None);
        assert_eq!(base.checkpoints().len(), 5);
        let k = RECORDS_PER_CHECKPOINT;
        let rows = [
            ("equal runs never part", None, None),
            ("the very first record", Some(0), Some(0..k)),
            ("the last record before a checkpoint", Some(k - 1), Some(0..k)),
            ("the first record after a checkpoint", Some(k), Some(k..2 * k)),
            ("in the last piece with a checkpoint", Some(5 * k - 1), Some(4 * k..5 * k)),
            ("behind the last checkpoint only the hash tells", Some(n - 1), None),
        ];
        for (sentence, odd_one, expected) in rows {
            let mut other = log(n, odd_one);
            let found = first_difference(base.checkpoints(), other.checkpoints());
            assert_eq!(found, expected, "{sentence}");
            assert_eq!(other.finish() == base.clone().finish(), odd_one.is_none(), "{sentence}");
        }
        assert_eq!(first_difference(base.checkpoints(), &[]), None, "nothing to compare");
    }

    #[test]
    fn checkpoints_are_the_hash_so_far() {
        let mut log = log(RECORDS_PER_CHECKPOINT, None);
        assert_eq!(log.checkpoints().last(), Some(&log.clone().finish()));
        log.record(SimTime(0), 0, &[]);
        assert_ne!(log.checkpoints().last(), Some(&log.clone().finish()));
    }
}
