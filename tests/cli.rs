//! The program from outside: exit codes, errors as people see them, results that repeat.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn stormglass(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stormglass"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A fresh folder for a test's results.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

/// Every file in `tests/data/broken` gives the errors that stand beside it. To accept new texts,
/// run with STORMGLASS_ACCEPT=1 and read the difference.
#[test]
fn broken_files_give_all_their_errors_with_places_and_hints() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/broken");
    let mut files: Vec<PathBuf> = fs::read_dir(&data).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "yaml"));
    files.sort();
    assert!(files.len() >= 10);
    for file in files {
        let name = format!("tests/data/broken/{}", file.file_name().unwrap().to_string_lossy());
        let output = stormglass(&["validate", &name]);
        assert_eq!(output.status.code(), Some(2), "{name}");
        let (found, golden) = (text(&output.stderr), file.with_extension("txt"));
        if std::env::var_os("STORMGLASS_ACCEPT").is_some() {
            fs::write(&golden, &found).unwrap();
        }
        assert_eq!(found, fs::read_to_string(&golden).unwrap_or_default(), "{name}");
    }
}

#[test]
fn hello_runs_twice_to_the_same_bytes() {
    let (one, two) = (folder("hello-one"), folder("hello-two"));
    for out in [&one, &two] {
        let out = out.to_string_lossy();
        let output =
            stormglass(&["run", "scenarios/hello.yaml", "--out", &out, "--check-every", "1"]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    }
    let mut compared = 0;
    for entry in fs::read_dir(one.join("hello/1")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() || path.ends_with("timing.json") {
            continue;
        }
        let other = two.join("hello/1").join(path.file_name().unwrap());
        assert_eq!(fs::read(&path).unwrap(), fs::read(other).unwrap(), "{}", path.display());
        compared += 1;
    }
    assert!(compared >= 8, "{compared} files");
}

#[test]
fn exit_codes_say_what_happened() {
    let out = folder("codes");
    let out = out.to_string_lossy();
    let rows = [
        (
            "all is well",
            vec!["run", "scenarios/hello.yaml", "--quiet", "--verify", "--out", &out],
            0,
        ),
        (
            "a change that falsifies an expectation",
            vec![
                "run",
                "scenarios/hello.yaml",
                "--quiet",
                "--out",
                &out,
                "--set",
                "timeline[0].delete-pods.count=3",
            ],
            1,
        ),
        ("a file that is not there", vec!["run", "nowhere.yaml"], 2),
        (
            "an override that points nowhere",
            vec!["run", "scenarios/hello.yaml", "--set", "nodes.x.max=1"],
            2,
        ),
        ("a flag that is not there", vec!["run", "scenarios/hello.yaml", "--sede", "1"], 2),
        ("no command", vec![], 2),
    ];
    for (sentence, arguments, code) in rows {
        let output = stormglass(&arguments);
        assert_eq!(output.status.code(), Some(code), "{sentence}: {}", text(&output.stderr));
    }
}

#[test]
fn the_starter_scenario_runs_and_is_never_overwritten() {
    let out = folder("starter");
    let file = out.join("mine.yaml");
    let file = file.to_string_lossy();
    assert_eq!(stormglass(&["init", &file]).status.code(), Some(0));
    assert_eq!(stormglass(&["init", &file]).status.code(), Some(2));
    let results = out.join("results");
    let output = stormglass(&["run", &file, "--quiet", "--out", &results.to_string_lossy()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[test]
fn all_shipped_scenarios_are_valid() {
    let mut files = vec!["validate".to_string()];
    for folder in
        ["scenarios", "scenarios/pokemon-go", "scenarios/self-healing", "scenarios/traces"]
    {
        for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let content = fs::read_to_string(&path).unwrap_or_default();
            if content.contains("\nquestion:") {
                files.push(path.to_string_lossy().into_owned());
            }
        }
    }
    assert!(files.len() > 10);
    let arguments: Vec<&str> = files.iter().map(String::as_str).collect();
    let output = stormglass(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[test]
fn a_real_projects_manifests_load_unchanged() {
    let out = folder("boutique");
    let file = out.join("boutique.yaml");
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/manifests/online-boutique/kubernetes-manifests.yaml");
    let scenario = format!(
        "question: Does it run?\nduration: 10m\nnodes:\n  - {{name: pool, machine: e2-standard-4, \
         count: 3, zones: [a, b, c]}}\nmanifests: [{}]\ntraffic:\n  - {{to: frontend, rate: 20}}\n\
         expect:\n  - pods_ready_peak: {{at-least: 12, at-most: 12}}\n  - failed_ratio: {{at-most: 1%}}\n",
        manifests.display()
    );
    fs::write(&file, scenario).unwrap();
    let file = file.to_string_lossy();
    let results = out.join("results");
    let output = stormglass(&["run", &file, "--quiet", "--out", &results.to_string_lossy()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let notes = text(&stormglass(&["validate", &file]).stdout);
    assert!(notes.contains("ServiceAccount"), "what has no effect is listed: {notes}");
}
