//! `stormglass explain` from outside: the tables of a pod's attempts, and results that don't fit.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn stormglass(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stormglass"));
    command.current_dir(folder).args(arguments).output().unwrap()
}

/// A folder with the scenarios, and the results of `scheduling/packing` with another scheduler.
fn place(name: &str, configuration: &str) -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&place);
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/scheduling");
    for folder in ["", "configurations"] {
        let to = place.join("scheduling").join(folder);
        fs::create_dir_all(&to).unwrap();
        for entry in fs::read_dir(from.join(folder)).unwrap().map(|e| e.unwrap()) {
            if entry.path().is_file() {
                fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
            }
        }
    }
    let set = format!("flags.kube-scheduler.config=configurations/{configuration}.yaml");
    let run = ["run", "scheduling/packing.yaml", "--quiet", "--set", set.as_str()];
    stormglass(&place, &run);
    place
}

/// The first large pod of the results.
fn large_pod(place: &Path) -> String {
    let pods = fs::read_to_string(place.join(RESULT).join("pods.csv")).unwrap();
    let pod = pods.lines().find(|line| line.contains(",report-")).unwrap();
    pod.split(',').nth(2).unwrap().to_owned()
}

const RESULT: &str = "results/scheduling/packing/1";

fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_pending_pod_is_explained_node_by_node() {
    let place = place("explain-spread", "spread");
    let pod = large_pod(&place);
    let (code, out, err) = told(&stormglass(&place, &["explain", RESULT, "pod", &pod]));
    assert_eq!((code, &*err), (0, ""));
    assert!(out.starts_with(&format!("Pod default/{pod}: goes nowhere after ")), "{out}");
    assert!(out.contains("all the same: no node; 10 of 10 nodes looked at"), "{out}");
    assert_eq!(out.matches("NodeResourcesFit  Insufficient cpu").count(), 10, "{out}");

    let json = ["explain", RESULT, "pod", &pod, "--format", "json"];
    let (_, out, _) = told(&stormglass(&place, &json));
    let attempts: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(attempts[0]["time_s"].as_f64().unwrap().floor(), 600.0);
    assert_eq!(attempts[0]["nodes"][0]["rejected_by"], "NodeResourcesFit");
}

#[test]
fn a_placed_pod_is_explained_by_scores() {
    let place = place("explain-pack", "pack");
    let pod = large_pod(&place);
    let (code, out, _) = told(&stormglass(&place, &["explain", RESULT, "pod", &pod]));
    assert_eq!(code, 0);
    assert!(out.contains("node       total  TaintToleration  NodeResourcesFit"), "{out}");
    assert_eq!(out.matches(" <-").count(), 1, "one node is the chosen one: {out}");
}

#[test]
fn what_does_not_fit_the_results_is_refused() {
    let place = place("explain-refused", "pack");
    let pod = large_pod(&place);
    let explain = |arguments: &[&str]| told(&stormglass(&place, arguments));
    let manifest = place.join(RESULT).join("manifest.json");
    let written = fs::read_to_string(&manifest).unwrap();

    let (code, _, err) = explain(&["explain", RESULT, "pod", &format!("{pod}x")]);
    assert!(code == 2 && err.contains(&format!("did you mean {pod}?")), "{err}");
    let (code, _, err) = explain(&["explain", "results/nothing/1", "pod", &pod]);
    assert!(code == 2 && err.contains("expected a result folder"), "{err}");
    let (code, _, err) = explain(&["explain", RESULT, "pod", &pod, "--scenario", "gone.yaml"]);
    assert!(code == 2 && err.contains("there is no gone.yaml"), "{err}");

    fs::write(&manifest, written.replacen("\"version\": \"", "\"version\": \"9", 1)).unwrap();
    let (code, _, err) = explain(&["explain", RESULT, "pod", &pod]);
    assert!(code == 2 && err.contains("run it again first"), "{err}");
    fs::write(&manifest, written.replacen("event_log_hash\": \"", "event_log_hash\": \"0", 1))
        .unwrap();
    let (code, _, err) = explain(&["explain", RESULT, "pod", &pod]);
    assert!(code == 3 && err.contains("is another one"), "{err}");
    fs::write(&manifest, &written).unwrap();

    let scenario = place.join("scheduling/packing.yaml");
    let text = fs::read_to_string(&scenario).unwrap();
    fs::write(&scenario, text.replace("rate: 600", "rate: 601")).unwrap();
    let (code, _, err) = explain(&["explain", RESULT, "pod", &pod]);
    assert!(code == 2 && err.contains("has changed since the run"), "{err}");
}
