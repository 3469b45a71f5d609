//! The parameters that a manifest tells are those of a scenario file: written into one, they make
//! the same scenario again.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};
use stormglass::scenario::{Overrides, load, yaml};

/// All scenarios that ship.
fn shipped() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let folders = [root.clone(), root.join("pokemon-go"), root.join("self-healing")];
    let files = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let mut files: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| fs::read_to_string(path).unwrap_or_default().contains("\nquestion:"));
    files.sort();
    assert!(files.len() >= 8);
    files
}

#[test]
fn parameters_written_as_a_scenario_are_the_same_scenario() {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("parameters");
    fs::create_dir_all(&place).unwrap();
    for file in shipped() {
        let original = load(&file, &Overrides::default()).unwrap();
        let mut written = original.parameters.clone();
        written["question"] = original.question.clone().into();
        let tree = yaml::parse(&fs::read_to_string(&file).unwrap()).unwrap().remove(0);
        let folder = file.parent().unwrap();
        let manifests = tree.get("manifests").unwrap().items().iter();
        let manifests = manifests.map(|m| folder.join(m.as_text().unwrap()).display().to_string());
        written["manifests"] = manifests.collect();
        let again = place.join("again.yaml");
        fs::write(&again, format!("{written:#}")).unwrap();
        let again = load(&again, &Overrides::default());
        let again = again.unwrap_or_else(|errors| panic!("{}: {errors}", file.display()));
        assert_eq!(again.parameters, original.parameters, "{}", file.display());
    }
}

/// No text of a debugger: names of types, `Some`, `None`.
#[test]
fn parameters_are_data() {
    for file in shipped() {
        let text = load(&file, &Overrides::default()).unwrap().parameters.to_string();
        for trace_of_a_type in ["LogNormal", "Flags", "Some(", "None", " {", "SimTime"] {
            assert!(!text.contains(trace_of_a_type), "{}: {trace_of_a_type}", file.display());
        }
    }
}
