//! The scheduler against recorded decisions of the real one (Kubernetes 1.37.2, some of 1.35 and
//! 1.36).
//!
//! A few cases lie in `tests/data/` and run always; the full set runs where it is found.
//! `cargo test --test scheduler_recordings -- --nocapture` prints the agreement family by family;
//! `stormglass conform scheduler CASE... --check` does the same for any cases.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "all of this is test code")]

use flate2::read::GzDecoder;
use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use stormglass::conform::case::Case;
use stormglass::conform::{Path as Way, Version, differences, replay};

/// Families of single cycles.
const CYCLES: [&str; 23] = [
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
    "volumes",
    "volumes-wait",
    "preemption",
    "preemption-mix",
    "preemption-big",
    "preemption-pools",
    "config",
    "plugin-args",
    "kitchen-sink",
    "kitchen-large",
    "large-mixed",
];

/// A family that lies in the repository only: claims, disks and volumes of all kinds, legacy and
/// ephemeral ones and plugins that fail included.
const VOLUMES_MIXED: &str = "volumes-mixed";

/// Another one: features that nodes declare and pods need.
const NODE_FEATURES: &str = "node-features";

/// And these: claims of devices, with what they got.
const DEVICES: [&str; 3] = ["devices", "devices-shared", "devices-extended"];

/// Families with the queue.
const TIMELINES: [&str; 10] = [
    "queue-basic",
    "queue-backoff",
    "queue-gates",
    "queue-hints",
    "queue-volumes",
    "queue-preemption",
    "queue-preemption-mix",
    "queue-mixed",
    "queue-batching",
    "queue-batching-full",
];

/// The directory of the full set, beside the repository or one of its work trees.
fn full_set(name: &str) -> Option<PathBuf> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let golden = |a: &Path| a.join("shared/golden").join(name);
    home.ancestors().skip(1).take(2).map(golden).find(|d| d.is_dir())
}

fn kept(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// Replays all cases of these families both ways: every decision is the recorded one, in every
/// respect that was recorded.
fn check(directory: &Path, families: &[&str], at_least: usize) {
    let mut decisions: BTreeMap<String, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    let mut files: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    for file in files.iter().filter(|f| f.extension().is_some_and(|e| e == "gz")) {
        let text = BufReader::new(GzDecoder::new(std::fs::File::open(file).unwrap()));
        let case = Case::read(text).unwrap();
        if !families.contains(&&*case.header.family) {
            continue;
        }
        *decisions.entry(case.header.family.clone()).or_default() += case.recorded().count();
        for way in [Way::Plain, Way::Fast] {
            let found = differences(&case, &replay(&case, way).unwrap());
            let name = &case.header.name;
            wrong
                .extend(found.first().map(|(at, d)| format!("{name} decision {at}, {way:?}: {d}")));
        }
    }
    decisions.iter().for_each(|(family, n)| println!("{family}: {n} decisions"));
    assert_eq!(wrong, Vec::<String>::new());
    assert!(decisions.len() >= at_least, "there are cases of the families");
    assert!(decisions.values().all(|n| *n > 20), "with decisions");
}

#[test]
fn kept_cycles_agree() {
    check(&kept("scheduler"), &CYCLES, 20);
}

#[test]
fn kept_cycles_with_volumes_of_all_kinds_agree() {
    check(&kept("scheduler"), &[VOLUMES_MIXED], 1);
}

#[test]
fn kept_cycles_with_features_of_nodes_agree() {
    check(&kept("scheduler"), &[NODE_FEATURES], 1);
}

#[test]
fn kept_cycles_with_claims_of_devices_agree() {
    check(&kept("scheduler"), &DEVICES, DEVICES.len());
}

/// Recorded with the schedulers of 1.35 and 1.36; by the rules of 1.37 none of them agrees.
#[test]
fn kept_cycles_of_older_schedulers_agree() {
    let directory = kept("scheduler-older");
    let families = ["kitchen-sink", "config", "volumes-wait", NODE_FEATURES];
    check(&directory, &families, families.len());
    for file in std::fs::read_dir(directory).unwrap().map(|e| e.unwrap().path()) {
        let text = BufReader::new(GzDecoder::new(std::fs::File::open(&file).unwrap()));
        let mut case = Case::read(text).unwrap();
        assert_ne!(case.header.kubernetes, Version::V1_37, "{}", file.display());
        case.header.kubernetes = Version::V1_37;
        let found = differences(&case, &replay(&case, Way::Plain).unwrap());
        assert!(!found.is_empty(), "{} could be of any version", file.display());
    }
}

#[test]
fn kept_timelines_agree() {
    check(&kept("scheduler-queue"), &TIMELINES, TIMELINES.len());
}

#[test]
fn the_full_set_of_cycles_agrees() {
    if let Some(directory) = full_set("scheduler") {
        check(&directory, &CYCLES, CYCLES.len());
    }
}

#[test]
fn the_full_set_of_timelines_agrees() {
    if let Some(directory) = full_set("scheduler-queue") {
        check(&directory, &TIMELINES, TIMELINES.len());
    }
}
