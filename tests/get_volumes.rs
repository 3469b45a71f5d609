//! Volumes as `stormglass get` and `describe` print them, compared byte for byte.
//!
//! The run is that of `scenarios/incidents/volume-on-lost-node.yaml`. Each file in
//! `tests/data/get/volumes/` opens with a command line, and has what it prints below. To accept new
//! texts, run with STORMGLASS_ACCEPT=1 and read the difference.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn stormglass(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stormglass"));
    command.current_dir(folder).args(arguments).output().unwrap()
}

/// A folder with the results in `out/run`.
fn place() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("get-volumes");
    let _ = fs::remove_dir_all(&place);
    fs::create_dir_all(&place).unwrap();
    for file in ["volume-on-lost-node.yaml", "database.yaml"] {
        fs::copy(root.join("scenarios/incidents").join(file), place.join(file)).unwrap();
    }
    let run = stormglass(&place, &["run", "volume-on-lost-node.yaml", "--quiet"]);
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
    let accept = std::env::var_os("STORMGLASS_ACCEPT").is_some();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/get/volumes");
    let place = place();
    let result = result(&place.join("results")).unwrap().display().to_string();
    let mut files: Vec<PathBuf> =
        fs::read_dir(data).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 13, "{} files", files.len());
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
