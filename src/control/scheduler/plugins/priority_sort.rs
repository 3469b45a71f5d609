//! PrioritySort: higher priority first, then who waits longer in the queue.
//!
//! Source: `plugins/queuesort/priority_sort.go`, v1.37.

use crate::control::scheduler::framework::QueueSortPlugin;
use crate::control::scheduler::queue::QueuedPod;

/// The default order of the active queue.
pub struct PrioritySort;

impl QueueSortPlugin for PrioritySort {
    fn sort_key(&self, pod: &QueuedPod) -> [i64; 2] {
        [-i64::from(pod.info.priority()), pod.timestamp.0 as i64]
    }
}
