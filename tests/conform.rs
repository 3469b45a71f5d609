//! `stormglass conform` from outside: what it prints, its exit codes, cases that can't be read.

#![allow(clippy::unwrap_used, reason = "a test")]

use flate2::read::GzDecoder;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

const CASE: &str = "tests/data/scheduler/taints-0002.ndjson.gz";

/// Exit code, standard output, standard error.
fn conform(arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stormglass"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(["conform", "scheduler"]);
    let output = command.args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// The text of [`CASE`].
fn case() -> String {
    let file = File::open(Path::new(env!("CARGO_MANIFEST_DIR")).join(CASE)).unwrap();
    let mut text = String::new();
    GzDecoder::new(file).read_to_string(&mut text).unwrap();
    text
}

/// A case of this text.
fn written(name: &str, text: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn decisions_are_printed_a_line_each() {
    let (code, out, err) = conform(&[CASE]);
    assert_eq!((code, &*err), (0, ""));
    assert_eq!(out.lines().count(), 48);
    assert!(out.starts_with("{\"case\":\"taints-0002\","), "{out}");
    let (_, fast, _) = conform(&[CASE, "--path", "fast"]);
    assert_eq!(fast.lines().count(), 48);
    assert!(!fast.contains("\"scores\"") && out.contains("\"scores\""));
}

#[test]
fn a_check_counts_what_differs() {
    let (code, out, _) = conform(&[CASE, "--check"]);
    assert_eq!((code, &*out), (0, "1 cases, 48 decisions, 0 mismatches\n"));

    let altered = case().replacen("\"evaluated\":", "\"evaluated\":9", 1);
    let altered = written("altered.ndjson", &altered);
    let (code, out, _) = conform(&[altered.to_str().unwrap(), "--check"]);
    assert_eq!(code, 1);
    assert!(out.contains("plain path: ") && out.contains("evaluated: recorded Some(9"), "{out}");
    assert!(out.ends_with("1 cases, 48 decisions, 1 mismatches\n"), "{out}");
}

#[test]
fn what_cannot_be_read_is_told_with_its_place() {
    let text = case();
    let (first, _) = text.split_once('\n').unwrap();
    let step = |step: &str| format!("{first}\n{{\"step\":{step}}}\n");
    let rows = [
        ("nothing at all", String::new(), ":1: it is empty"),
        ("no JSON", format!("{first}\nnode\n"), ":2:2: expected ident"),
        ("an unknown step", step("{\"op\":\"jump\"}"), ":2: unknown step `jump`; expected one of"),
        ("a step without its pod", step("{\"op\":\"schedule\"}"), ":2: a step `schedule` needs"),
        (
            "a node that is not there",
            step("{\"op\":\"deleteNode\",\"name\":\"n999\"}"),
            ":2: there is no node n999",
        ),
        (
            "a release that nobody knows",
            "{\"case\":{\"name\":\"a\",\"mode\":\"direct\",\"kubernetes\":\"1.33.1\"}}\n".to_owned(),
            ":1:58: kubernetes \"1.33.1\": known are 1.34, 1.35, 1.36, 1.37",
        ),
        (
            "a gate that is not modelled",
            "{\"case\":{\"name\":\"a\",\"mode\":\"full\",\"featureGates\":{\"GenericWorkload\":true}}}\n"
                .to_owned(),
            ":1: the feature gate GenericWorkload is not modelled; known are",
        ),
    ];
    for (sentence, text, expected) in rows {
        let file = written("unreadable.ndjson", &text);
        let (code, _, err) = conform(&[file.to_str().unwrap(), "--check"]);
        assert_eq!(code, 2, "{sentence}");
        assert!(err.contains(&format!("unreadable.ndjson{expected}")), "{sentence}: {err}");
    }
    let (code, _, err) = conform(&["no-such-case.ndjson"]);
    assert_eq!(code, 2);
    assert!(err.contains("no-such-case.ndjson: No such file"), "{err}");
}

/// What `conform generate` says, and the files it wrote to a folder of this name.
fn generated(folder: &str, arguments: &[&str]) -> (i32, String, Vec<(String, String)>) {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
    let mut command = Command::new(env!("CARGO_BIN_EXE_stormglass"));
    command.args(["conform", "generate", "--out", out.to_str().unwrap()]).args(arguments);
    let output = command.output().unwrap();
    let read = fs::read_dir(&out).into_iter().flatten().map(|entry| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, fs::read_to_string(path).unwrap())
    });
    let mut files: Vec<(String, String)> = read.collect();
    files.sort();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap(), said, files)
}

#[test]
fn drawn_cases_are_the_same_each_time_and_can_be_played() {
    let arguments = ["--family", "taints", "--family", "spread", "--seed", "5", "--cases", "2"];
    let (code, said, once) = generated("drawn-once", &arguments);
    assert_eq!((code, &*said), (0, ""));
    let names: Vec<&str> = once.iter().map(|(name, _)| name.as_str()).collect();
    let expected = ["spread-5-0000", "spread-5-0001", "taints-5-0000", "taints-5-0001"];
    assert_eq!(names, expected.map(|name| format!("{name}.ndjson")));
    let (_, _, again) = generated("drawn-again", &arguments);
    assert_eq!(once, again);

    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("drawn-once");
    let (code, out, err) = conform(&[folder.to_str().unwrap()]);
    assert_eq!((code, &*err), (0, ""));
    assert!(out.lines().count() > 200, "{out}");
}

#[test]
fn cases_are_drawn_for_a_version() {
    let given = ["--family", "taints", "--cases", "1", "--kubernetes-version"];
    let of = |folder, version| generated(folder, &[&given[..], &[version]].concat());
    let (_, _, present) = of("drawn-for-1.37", "1.37");
    let (code, said, old) = of("drawn-for-1.36", "1.36");
    assert_eq!((code, &*said), (0, ""));
    let version = |version| format!("\"kubernetes\":\"{version}\"");
    assert_eq!(old[0].1, present[0].1.replacen(&version("1.37"), &version("1.36"), 1));
    assert_ne!(old[0].1, present[0].1);

    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (_, ours, _) = conform(&[folder.join("drawn-for-1.37").to_str().unwrap()]);
    let (_, then, _) = conform(&[folder.join("drawn-for-1.36").to_str().unwrap()]);
    assert_ne!(ours, then, "the header's version counts");

    let (code, said, files) = of("drawn-for-never", "1.99");
    assert_eq!((code, files.len()), (2, 0));
    let told = "error: unknown version `1.99`; expected one of 1.34, 1.35, 1.36, 1.37";
    assert!(said.contains(told), "{said}");
}

#[test]
fn an_unknown_family_is_told() {
    let (code, said, files) = generated("drawn-never", &["--family", "taint"]);
    assert_eq!((code, files.len()), (2, 0));
    assert!(said.contains("unknown family `taint`; expected one of resources, "), "{said}");
}
