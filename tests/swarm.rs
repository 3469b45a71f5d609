//! Random clusters, workloads of every kind, loads, faults and lines of kubectl, through the whole
//! program, with every invariant checked and each seed run twice.
//!
//! A seed makes a scenario and its manifests as files, as a person would write them; a failure
//! leaves them behind and names the command that repeats it. The test takes a few seeds; a long
//! swarm is `STORMGLASS_SWARM=1000-1999 cargo test --release --test swarm -- --nocapture`.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "all of this is test code")]

mod swarming;

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use stormglass::check::Stride;
use stormglass::record::Sink;
use stormglass::record::rows::{ClusterSample, EventRow, NodeRow, PodRow, WorkloadSample};
use stormglass::scenario::{Overrides, load};
use stormglass::sim::hash::EventLogHash;
use stormglass::units::SimTime;
use stormglass::world::{RunOptions, run};

/// Seeds of an ordinary test run.
const SEEDS: std::ops::RangeInclusive<u64> = 0..=299;

/// Hashes every row that a run writes, in the order written, and counts what happened.
#[derive(Default)]
struct Digest {
    hash: EventLogHash,
    rows: u64,
    reasons: std::collections::BTreeMap<String, u64>,
}

impl Digest {
    fn take(&mut self, row: &impl Debug) {
        self.rows += 1;
        self.hash.record_bytes(SimTime(self.rows), 0, format!("{row:?}").as_bytes());
    }
}

impl Sink for Digest {
    fn cluster_sample(&mut self, row: &ClusterSample) {
        self.take(row);
    }
    fn workload_sample(&mut self, row: &WorkloadSample) {
        self.take(row);
    }
    fn event(&mut self, row: &EventRow) {
        *self.reasons.entry(row.reason.to_string()).or_default() += 1;
        self.take(row);
    }
    fn pod(&mut self, row: &PodRow) {
        self.take(row);
    }
    fn node(&mut self, row: &NodeRow) {
        self.take(row);
    }
}

/// One run: its event-log hash, its rows' digest and the number of events.
fn once(file: &Path, seed: u64, stride: u64) -> Result<(String, Digest, u64), String> {
    let scenario = load(file, &Overrides::default()).map_err(|errors| errors.to_string())?;
    let mut digest = Digest::default();
    let options = RunOptions { checks: Stride::Events(stride) };
    let run = run(&scenario, seed, options, &mut digest, |_| {}).map_err(|v| v.to_string())?;
    let (hash, events) = (run.event_log_hash, run.events);
    Ok((hash, digest, events))
}

/// Makes the seed's scenario and runs it twice; what went wrong, if anything.
fn judge(folder: &Path, seed: u64) -> Result<Digest, String> {
    let file = swarming::write(folder, seed);
    let (hash, digest, events) = once(&file, seed, 1 + seed % 7)?;
    let (again, mut digest_again, events_again) = once(&file, seed, 97)?;
    if (&hash, events) != (&again, events_again) {
        return Err(format!(
            "two runs differ: {hash} after {events}, {again} after {events_again}"
        ));
    }
    if digest.hash.clone().finish() != digest_again.hash.finish() {
        return Err("two runs of one event log wrote different rows".into());
    }
    Ok(digest)
}

/// The seeds to run: both ends are included.
fn seeds() -> std::ops::RangeInclusive<u64> {
    let Ok(asked) = std::env::var("STORMGLASS_SWARM") else { return SEEDS };
    let (from, to) = asked.split_once('-').expect("STORMGLASS_SWARM is FROM-TO");
    from.parse().unwrap()..=to.parse().unwrap()
}

#[test]
fn no_invariant_breaks_and_no_two_runs_differ() {
    let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("swarm");
    let mut failed = Vec::new();
    let mut reasons = std::collections::BTreeMap::new();
    for seed in seeds() {
        let folder = root.join(seed.to_string());
        let file = folder.join("scenario.yaml");
        match std::panic::catch_unwind(|| judge(&folder, seed)) {
            Ok(Ok(digest)) => {
                for (reason, n) in digest.reasons {
                    *reasons.entry(reason).or_insert(0) += n;
                }
                std::fs::remove_dir_all(&folder).unwrap();
            }
            Ok(Err(why)) => failed.push(format!("{} --seed {seed}: {why}", file.display())),
            Err(_) => failed.push(format!("{} --seed {seed}: panicked", file.display())),
        }
    }
    println!("Events by reason over all seeds: {reasons:#?}");
    assert!(failed.is_empty(), "stormglass run --check-every 1 ...\n{}", failed.join("\n"));
    // A swarm in which nothing happens proves nothing.
    let wanted = [
        "FailedScheduling",
        "Preempted",
        "Pulling",
        "BackOff",
        "NodeNotReady",
        "TaintManagerEviction",
        "SuccessfulRescale",
        "TriggeredScaleUp",
        "ScaleDown",
        "SuccessfulDelete",
        "FailedCreate",
        "Completed",
        "BackoffLimitExceeded",
        "PodFailurePolicy",
        "SawCompletedJob",
        "JobAlreadyActive",
        "UnmanagedPods",
    ];
    for reason in wanted {
        assert!(reasons.contains_key(reason), "no seed made an Event {reason}: {reasons:#?}");
    }
}
