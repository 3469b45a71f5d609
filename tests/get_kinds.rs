//! Kinds of objects as `stormglass get` and `describe` print them, compared byte for byte.
//!
//! Each kind has a scenario and a folder in `tests/data/get/`. Each `.txt` file there opens with a
//! command line, and has what it prints below. To accept new texts, run with STORMGLASS_ACCEPT=1
//! and read the difference.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn stormglass(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stormglass"));
    command.current_dir(folder).args(arguments).output().unwrap()
}

/// A folder `name` with these files, relative to the root, and the results of the first of them.
fn place(name: &str, files: &[&str]) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("get-kinds").join(name);
    let _ = fs::remove_dir_all(&place);
    fs::create_dir_all(&place).unwrap();
    for file in files {
        fs::copy(root.join(file), place.join(Path::new(file).file_name().unwrap())).unwrap();
    }
    let scenario = Path::new(files[0]).file_name().unwrap().to_string_lossy().into_owned();
    let run = stormglass(&place, &["run", &scenario, "--quiet"]);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    place
}

/// The folder below this one that has a manifest.
fn result(folder: &Path) -> Option<PathBuf> {
    if folder.join("manifest.json").exists() {
        return Some(folder.to_owned());
    }
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.is_dir()).find_map(|path| result(&path))
}

#[test]
fn volumes_are_printed_as_kubectl_prints_them() {
    let files = ["volume-on-lost-node.yaml", "database.yaml"];
    let files = files.map(|file| format!("scenarios/incidents/{file}"));
    all_are_as_they_were("volumes", &files.each_ref().map(String::as_str), 13);
}

#[test]
fn static_pods_are_printed_as_kubectl_prints_their_mirrors() {
    let scenario = "tests/data/get/static-pods/static-pods.yaml";
    let agent = "tests/data/get/static-pods/agent.yaml";
    all_are_as_they_were("static-pods", &[scenario, agent, "scenarios/manifests/web.yaml"], 6);
}

/// Prints whatever the `least` or more texts in the folder of this name ask for.
fn all_are_as_they_were(name: &str, scenario: &[&str], least: usize) {
    let accept = std::env::var_os("STORMGLASS_ACCEPT").is_some();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/get").join(name);
    let place = place(name, scenario);
    let result = result(&place.join("results")).unwrap().display().to_string();
    let mut files: Vec<PathBuf> =
        fs::read_dir(data).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "txt"));
    files.sort();
    assert!(files.len() >= least, "{} files", files.len());
    for file in files {
        let golden = fs::read_to_string(&file).unwrap();
        let (line, expected) = golden.split_once('\n').unwrap();
        let mut words = line.trim_start_matches("# ").split_whitespace();
        let command = words.next().unwrap();
        let arguments: Vec<&str> = [command, &*result].into_iter().chain(words).collect();
        let output = stormglass(&place, &arguments);
        let printed = [output.stdout, output.stderr].concat();
        let printed = String::from_utf8(printed).unwrap();
        if accept {
            fs::write(&file, format!("{line}\n{printed}")).unwrap();
        } else {
            assert_eq!(printed, expected, "{}: {line}", file.display());
        }
    }
}
