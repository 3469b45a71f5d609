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
    "a05-victims-pending",
    "a06-scale-0-and-back",
    "b02-surge1-unavail0",
    "b03-surge0-unavail2",
    "b05-minready5",
    "b06-recreate",
    "b07-pause-resume",
    "b08-rollback",
    "b11-progress-deadline",
    "b12-history-limit-2",
    "b14-rollback-to-revision",
    "b15-never-available",
    "c03-slow-start-quota",
    "j01-quota-pods",
    "j02-quota-deployment",
    "j03-limitrange",
    "n03-room-appears",
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
    assert_eq!(lines.last().unwrap(), "9 scenarios, 0 differ", "{lines:#?}");
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
