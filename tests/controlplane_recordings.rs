//! Recorded scripts of the real control plane (Kubernetes 1.37.2), played again.
//!
//! The kept recordings agree. Of the full set, where it is there, those that have agreed must go on
//! doing so: `stormglass conform controlplane` says how far the others are.

#![allow(clippy::unwrap_used, reason = "all of this is test code")]

mod timelines;

use std::path::Path;
use std::process::Command;

/// Scripts of the full set that agree.
const AGREE: &[&str] = &[
    "a01-create-10",
    "a02-scale-10-50-5",
    "a03-victims-mixed",
    "a04-victims-cost",
    "a05-victims-pending",
    "a06-scale-0-and-back",
    "b01-rolling-default",
    "b02-surge1-unavail0",
    "b03-surge0-unavail2",
    "b04-surge100-unavail0",
    "b05-minready5",
    "b06-recreate",
    "b07-pause-resume",
    "b08-rollback",
    "b09-rollover",
    "b10-proportional",
    "b11-progress-deadline",
    "b12-history-limit-2",
    "b13-surge30-unavail20",
    "b14-rollback-to-revision",
    "b15-never-available",
    "c01-adopt-orphan",
    "c02-delete-pods",
    "c03-slow-start-quota",
    "c04-replication-controller",
    "c05-failed-pods",
    "d01-ordered",
    "d02-parallel",
    "d03-partition",
    "d04-ondelete",
    "d05-stuck-update",
    "d06-minready",
    "d07-max-unavailable-2",
    "d08-stuck-create",
    "d09-delete-pod-and-set",
    "d10-ordinals-start",
    "e01-all-nodes-join-leave",
    "e02-selected-nodes",
    "e03-rolling-unavail1",
    "e04-rolling-unavail50",
    "e05-rolling-surge2",
    "e06-taints",
    "e07-ondelete-and-failed",
    "f01-parallel-3-of-8",
    "f02-backoff-3",
    "f03-backoff-default-6",
    "f04-indexed",
    "f05-indexed-failing-index",
    "f06-failure-policy-failjob",
    "f07-failure-policy-ignore",
    "f08-active-deadline",
    "f09-ttl",
    "f10-suspend-resume",
    "f11-per-index-backoff",
    "f12-success-policy",
    "f13-replacement-failed",
    "f14-replacement-default",
    "f15-fail-two-then-succeed",
    "f16-elastic",
    "f17-parallel-failures",
    "f20-cron-allow",
    "f21-cron-forbid",
    "f22-cron-replace",
    "f23-cron-history",
    "f24-cron-missed",
    "g01-node-loss-default",
    "g02-node-loss-30s",
    "g03-return-before-eviction",
    "g04-two-of-four",
    "g05-zone-full",
    "g06-zone-partial-small",
    "g08-zone-normal-large",
    "g09-node-deleted",
    "g10-all-zones-down",
    "g11-statefulset-loss",
    "g12-tolerations-0-and-forever",
    "g13-noexecute-taint",
    "g14-new-node-no-heartbeat",
    "g15-daemonset-loss",
    "h01-step-up-and-down",
    "h02-spike-50x",
    "h03-tolerance",
    "h05-custom-policies",
    "h06-unready-pods",
    "h07-missing-metrics",
    "h08-limits",
    "h09-scaledown-disabled-min",
    "h10-tolerance-per-hpa",
    "h11-young-samples",
    "h12-scale-zero-and-missing-target",
    "i01-min-available",
    "i02-drain",
    "i03-drain-deadlock",
    "i04-unhealthy-policy",
    "i05-two-budgets",
    "j01-quota-pods",
    "j02-quota-deployment",
    "j03-limitrange",
    "k01-gc-background",
    "k02-gc-foreground",
    "k03-gc-orphan",
    "k04-namespace",
    "k05-owner-missing",
    "k06-cronjob-delete",
    "l01-readiness",
    "l02-not-ready-addresses",
    "l03-over-100",
    "m01-preempt-graceful",
    "m02-preempt-pdb",
    "m03-preempt-never",
    "n01-node-joins",
    "n02-label-arrives",
    "n03-room-appears",
    "n04-taint-removed",
    "n05-gates",
];

/// What is printed of some recordings: a line each, and the last one.
fn conform(folders: &[&Path]) -> (Option<i32>, Vec<String>) {
    let binary = env!("CARGO_BIN_EXE_stormglass");
    let arguments = ["conform", "controlplane"];
    let output = Command::new(binary).args(arguments).args(folders).output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    (output.status.code(), lines.lines().map(str::to_owned).collect())
}

#[test]
fn the_kept_recordings_agree() {
    let (code, lines) = conform(&[&timelines::kept()]);
    assert_eq!(lines.last().unwrap(), "17 scenarios, 0 differ", "{lines:#?}");
    assert_eq!(code, Some(0));
}

#[test]
fn what_has_agreed_of_the_full_set_still_does() {
    let Some(full) = timelines::full_set() else { return };
    let folders: Vec<_> = AGREE.iter().map(|name| full.join(name)).collect();
    let folders: Vec<&Path> = folders.iter().map(|folder| folder.as_path()).collect();
    let (_, lines) = conform(&folders);
    assert_eq!(
        lines.last().unwrap(),
        &format!("{} scenarios, 0 differ", AGREE.len()),
        "{lines:#?}"
    );
}

#[test]
fn a_refusal_that_was_not_recorded_differs() {
    let rows = [
        ("a larger quota", "\"pods\": \"3\"", "\"pods\": \"4\"", "refusals"),
        ("another amount in the answer", "\"900m\"", "\"800m\"", "refusals"),
    ];
    change_and_play("j01-quota-pods", &rows);
}

#[test]
fn a_script_that_does_something_else_differs() {
    let rows = [
        ("another size", "\"replicas\": 0", "\"replicas\": 1", "sizes of"),
        ("the same four seconds later", "\"at\": 16", "\"at\": 20", "pod 5 of"),
        (
            "a verb that is not there",
            "\"do\": \"scale\"",
            "\"do\": \"sclae\"",
            "not modelled: sclae",
        ),
    ];
    change_and_play("a06-scale-0-and-back", &rows);
}

/// Plays a kept script with another text in it: a sentence, the text, the other one, and what is
/// said of the difference.
fn change_and_play(name: &str, rows: &[(&str, &str, &str, &str)]) {
    let kept = timelines::kept().join(name);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("another-script").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(kept.join("run1.ndjson.gz"), folder.join("run1.ndjson.gz")).unwrap();
    let script = std::fs::read_to_string(kept.join("scenario.json")).unwrap();
    for (sentence, from, to, expected) in rows {
        assert!(script.contains(*from), "{sentence}: no {from} in the script");
        std::fs::write(folder.join("scenario.json"), script.replace(*from, to)).unwrap();
        let (code, lines) = conform(&[&folder]);
        assert_eq!(code, Some(1), "{sentence}: {lines:?}");
        assert!(lines[0].contains(*expected), "{sentence}: {}", lines[0]);
    }
}
