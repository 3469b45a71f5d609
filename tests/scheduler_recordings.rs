//! The scheduler against recorded decisions of the real one (Kubernetes 1.37.2).
//!
//! A few cases lie in `tests/data/` and run always; the full set runs where it is found.
//! `cargo test --test scheduler_recordings -- --nocapture` prints the agreement family by family.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "all of this is test code")]

mod recordings;

use recordings::queue_replay::QueueReplay;
use recordings::replay::{Replay, Tally};
use std::path::{Path, PathBuf};

/// Families in which every recorded decision is reproduced in every respect.
const EQUAL: [&str; 20] = [
    "resources",
    "sampling",
    "large",
    "churn",
    "churn-return",
    "node-affinity",
    "taints",
    "pod-affinity",
    "spread",
    "default-spread",
    "match-label-keys",
    "ports-images",
    "preemption",
    "preemption-mix",
    "preemption-big",
    "preemption-pools",
    "config",
    "plugin-args",
    "kitchen-large",
    "large-mixed",
];

/// The directory of the full set, beside the repository or one of its work trees.
fn full_set() -> Option<PathBuf> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let beside = home.ancestors().skip(1).take(2).map(|a| a.join("shared/golden/scheduler"));
    beside.into_iter().find(|d| d.is_dir())
}

/// Replays a family; gives the tally and the first difference of each case.
fn replay(directory: &Path, family: &str) -> (Tally, Vec<String>) {
    let (mut tally, mut differences) = (Tally::default(), Vec::new());
    for file in recordings::files(directory, family) {
        let lines = recordings::read(&file);
        let name = file.file_name().unwrap().to_string_lossy();
        for (path, fast) in [("plain path", false), ("fast path", true)] {
            let replay = Replay::run(&lines, fast);
            differences.extend(replay.differences.first().map(|d| format!("{name}, {path}: {d}")));
            if !fast {
                tally += replay.tally;
            }
        }
    }
    (tally, differences)
}

fn check(directory: &Path) {
    let mut families = 0;
    for family in EQUAL {
        let (tally, differences) = replay(directory, family);
        println!("{family}: {tally:?}");
        assert_eq!(differences, Vec::<String>::new(), "{family}");
        families += usize::from(tally.cycles > 0);
    }
    assert!(families > 15, "there are cases of most families");
}

#[test]
fn kept_cases_agree() {
    check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/scheduler"));
}

#[test]
fn the_full_set_agrees() {
    if let Some(directory) = full_set() {
        check(&directory);
    }
}

/// Families named in the environment variable `FAMILIES`, for work on those that differ.
#[test]
fn named_families() {
    let Some(directory) = full_set() else { return };
    for family in std::env::var("FAMILIES").unwrap_or_default().split_whitespace() {
        let (tally, differences) = replay(&directory, family);
        differences.iter().for_each(|d| println!("  {d}"));
        println!("{family}: {tally:?}");
    }
}

/// Families with the queue in which every decision and every place of a pod is reproduced.
const EQUAL_WITH_QUEUE: [&str; 7] = [
    "queue-basic",
    "queue-backoff",
    "queue-gates",
    "queue-hints",
    "queue-preemption",
    "queue-preemption-mix",
    "queue-mixed",
];

/// Replays a family with the queue; gives cycles, those that agree, and first differences.
fn replay_with_queue(directory: &Path, family: &str) -> (usize, usize, Vec<String>) {
    let (mut cycles, mut equal, mut differences) = (0, 0, Vec::new());
    for file in recordings::files(directory, family) {
        let replay = QueueReplay::run(&recordings::read(&file));
        (cycles, equal) = (cycles + replay.cycles, equal + replay.equal);
        let name = file.file_name().unwrap().to_string_lossy();
        differences.extend(replay.differences.first().map(|d| format!("{name}: {d}")));
    }
    (cycles, equal, differences)
}

fn check_with_queue(directory: &Path) {
    for family in EQUAL_WITH_QUEUE {
        let (cycles, equal, differences) = replay_with_queue(directory, family);
        println!("{family}: {equal} of {cycles} cycles");
        assert_eq!(differences, Vec::<String>::new(), "{family}");
        assert!(cycles > 0, "there are cases of {family}");
    }
}

#[test]
fn kept_timelines_agree() {
    check_with_queue(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/scheduler-queue"));
}

#[test]
fn the_full_set_of_timelines_agrees() {
    if let Some(directory) = full_set() {
        check_with_queue(&directory.with_file_name("scheduler-queue"));
    }
}

/// Queue families named in the environment variable `FAMILIES`, for work on those that differ.
#[test]
fn named_queue_families() {
    let Some(directory) = full_set() else { return };
    let directory = directory.with_file_name("scheduler-queue");
    for family in std::env::var("FAMILIES").unwrap_or_default().split_whitespace() {
        let (cycles, equal, differences) = replay_with_queue(&directory, family);
        differences.iter().for_each(|d| println!("  {d}"));
        println!("{family}: {equal} of {cycles} cycles");
    }
}
