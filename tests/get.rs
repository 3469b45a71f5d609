//! `stormglass get` and `describe` from outside: whole outputs, compared byte for byte.
//!
//! Each file in `tests/data/get/` with the end `.txt` opens with a command line, and has what it
//! prints below. To accept new texts, run with STORMGLASS_ACCEPT=1 and read the difference.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

fn stormglass(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stormglass"));
    command.current_dir(folder).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/get")
}

/// A folder with the scenario and its results, made once.
fn place() -> &'static Path {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    PLACE.get_or_init(|| {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("get");
        let _ = fs::remove_dir_all(&place);
        fs::create_dir_all(&place).unwrap();
        for file in ["shop.yaml", "shop-manifests.yaml"] {
            fs::copy(data().join(file), place.join(file)).unwrap();
        }
        let run = stormglass(&place, &["run", "shop.yaml", "--quiet"]);
        assert!(run.status.success(), "{}", text(&run.stderr));
        place
    })
}

/// The result folder, wherever it is named after.
fn result() -> String {
    let mut found = Vec::new();
    let mut folders = vec![place().join("results")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.join("manifest.json").exists() {
                found.push(entry);
            } else if entry.is_dir() {
                folders.push(entry);
            }
        }
    }
    assert_eq!(found.len(), 1);
    found[0].strip_prefix(place()).unwrap().to_string_lossy().into_owned()
}

/// Runs `get pods --at 2m` and the like on the results.
fn look(line: &str) -> Output {
    let result = result();
    let mut words = line.split_whitespace();
    let command = words.next().unwrap();
    let arguments: Vec<&str> = [command, &result].into_iter().chain(words).collect();
    stormglass(place(), &arguments)
}

#[test]
fn whole_outputs_are_as_they_were() {
    let accept = std::env::var_os("STORMGLASS_ACCEPT").is_some();
    let mut files: Vec<PathBuf> =
        fs::read_dir(data()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "txt"));
    files.sort();
    assert!(files.len() >= 15, "{} files", files.len());
    for file in files {
        let golden = fs::read_to_string(&file).unwrap();
        let (line, expected) = golden.split_once('\n').unwrap();
        let output = look(line.trim_start_matches("# "));
        let printed = text(&output.stdout) + &text(&output.stderr);
        if accept {
            fs::write(&file, format!("{line}\n{printed}")).unwrap();
        } else {
            assert_eq!(printed, expected, "{}: {line}", file.display());
        }
    }
}

#[test]
fn what_is_wrong_is_said_as_kubectl_says_it() {
    let rows = [
        (
            "a kind that is none",
            "get gizmos",
            2,
            "the server doesn't have a resource type \"gizmos\"",
        ),
        ("with a hint", "get deploymets", 2, "did you mean deployments?"),
        (
            "a name that is none",
            "get pod nobody",
            1,
            "Error from server (NotFound): pods \"nobody\" not found",
        ),
        (
            "with its group",
            "get deploy/nobody",
            1,
            "(NotFound): deployments.apps \"nobody\" not found",
        ),
        (
            "the same for describe",
            "describe node nobody",
            1,
            "(NotFound): nodes \"nobody\" not found",
        ),
        (
            "nothing there is no error",
            "get pods -n elsewhere",
            0,
            "No resources found in elsewhere namespace.",
        ),
        ("nor anywhere", "get rc -A", 0, "No resources found\n"),
        (
            "after the end of the run",
            "get pods --at 21m",
            2,
            "21m is after the end of the run, which lasts 20m",
        ),
        ("what is no time", "get pods --at soon", 2, "`soon` is no duration\n --> --at"),
        ("a form that is none", "get pods -o xml", 2, "`xml` is no form of output"),
        ("a selector that is none", "get pods -l =a", 2, "`=a` is no requirement on labels"),
        ("two kinds to watch", "get pods,nodes --watch", 2, "a single resource type"),
    ];
    for (sentence, line, code, message) in rows {
        let output = look(line);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{sentence}: {told}");
        assert!(told.contains(message), "{sentence}: {told}");
    }
    let output = stormglass(place(), &["get", ".", "pods"]);
    assert_eq!(output.status.code(), Some(2), "a folder that is no result");
    assert!(text(&output.stderr).contains("expected a result folder"));
}

#[test]
fn json_and_yaml_say_the_same() {
    let json =
        text(&look("get pods,nodes,deploy,hpa,pdb,svc,ep,endpointslices,ev,ns -o json").stdout);
    let yaml =
        text(&look("get pods,nodes,deploy,hpa,pdb,svc,ep,endpointslices,ev,ns -o yaml").stdout);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let yaml: serde_json::Value = serde_saphyr::from_str(&yaml).unwrap();
    assert_eq!(json, yaml);
    assert!(json["items"].as_array().unwrap().len() > 20);
}

/// Objects are read back by the types of the API, which know every field.
#[test]
fn objects_are_those_of_the_api() {
    use k8s_openapi::api::{
        apps::v1 as apps, autoscaling::v2 as scaling, batch::v1 as batch, core::v1 as core,
    };
    fn read<T: serde::de::DeserializeOwned + serde::Serialize>(kind: &str) -> usize {
        let printed = text(&look(&format!("get {kind} -A -o json")).stdout);
        let list: serde_json::Value = serde_json::from_str(&printed).unwrap();
        let items = list["items"].as_array().unwrap();
        for item in items {
            let object: T = serde_json::from_value(item.clone()).unwrap();
            let again = serde_json::to_value(&object).unwrap();
            assert_eq!(again["metadata"], item["metadata"], "{kind}: no field is unknown");
            assert_eq!(again["status"], item["status"], "{kind}: no field is unknown");
        }
        items.len()
    }
    assert!(read::<core::Pod>("pods") > 5);
    assert_eq!(read::<core::Node>("nodes"), 2);
    assert_eq!(read::<apps::Deployment>("deployments"), 3);
    assert_eq!(read::<apps::ReplicaSet>("replicasets"), 3);
    assert!(read::<batch::Job>("jobs") > 0);
    assert_eq!(read::<batch::CronJob>("cronjobs"), 1);
    assert_eq!(read::<scaling::HorizontalPodAutoscaler>("hpa"), 1);
}

/// Looking at an instant is the same as having stopped there.
#[test]
fn a_watch_ends_with_what_is_there() {
    let watched = text(&look("get deployment/web -o name --watch").stdout);
    assert!(watched.lines().count() >= 3 && watched.lines().all(|l| l == "deployment.apps/web"));
    let watched = text(&look("get deployment/web --watch").stdout);
    let last = text(&look("get deployment/web --no-headers").stdout);
    let ready = |line: &str| line.split_whitespace().nth(1).unwrap().to_owned();
    assert_eq!(ready(watched.lines().last().unwrap()), ready(&last));
}

#[test]
fn the_control_plane_is_told_as_it_is() {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("get-outage");
    let _ = fs::remove_dir_all(&place);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scenario = "scenarios/self-healing/api-server-outage.yaml";
    let out = place.to_string_lossy().into_owned();
    let run = stormglass(root, &["run", scenario, "--quiet", "--out", &out]);
    assert!(run.status.success(), "{}", text(&run.stderr));
    let result = place.join("self-healing/api-server-outage/1").to_string_lossy().into_owned();
    let rows = [
        ("before the outage all is well", "9m", "Healthy", false),
        ("its leaders work for ten more seconds", "10m5s", "Healthy", true),
        ("then they give up, and start again", "10m12s", "Unhealthy", true),
        ("and wait for an API server", "11m", "Healthy", true),
        ("that is back", "20m1s", "Healthy", false),
    ];
    for (sentence, at, status, is_down) in rows {
        let output = stormglass(root, &["get", &result, "componentstatuses", "--at", at]);
        let printed = text(&output.stdout);
        for part in ["controller-manager", "scheduler"] {
            let line = printed.lines().find(|line| line.starts_with(part)).unwrap();
            assert_eq!(line.split_whitespace().nth(1), Some(status), "{sentence}: {line}");
        }
        let told = text(&output.stderr).contains("the API server does not answer");
        assert_eq!(told, is_down, "{sentence}");
    }
}
