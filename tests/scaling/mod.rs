//! What autoscalers wanted, read from the rows of a run.

use super::serving::Rows;

/// Replicas wanted at these seconds.
pub fn wanted(rows: &Rows, at: &[u64]) -> Vec<u32> {
    let of = |second: &u64| {
        let found = rows.workloads.iter().find(|row| row.time.whole_secs() >= *second);
        found.map_or(u32::MAX, |row| row.desired)
    };
    at.iter().map(of).collect()
}
