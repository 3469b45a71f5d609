//! The fast path of the scheduler against the reference path on a recorded workload: the beginning
//! of the GPU trace that the benchmark replays. The benchmark itself compares all of it.

#![allow(clippy::unwrap_used, reason = "a test that can't read the trace shall fail")]

#[path = "../benches/scheduler/cluster.rs"]
mod cluster;
#[path = "../benches/scheduler/openb.rs"]
mod openb;

use stormglass::control::scheduler::decision::Decision;

/// Enough that the cluster has been filled and emptied in part; the plain path takes seconds.
const PODS: usize = 600;

#[test]
fn the_trace_is_decided_alike_on_both_paths() {
    let trace = openb::Trace::read();
    let fast = trace.replay(true, PODS);
    let is_placed = |d: &&Decision| matches!(d, Decision::Scheduled { .. });
    assert!(fast.iter().filter(is_placed).count() >= PODS / 2, "pods are placed at all");
    assert_eq!(fast, trace.replay(false, PODS));
}
