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

/// A scenario in which calls, clients and balancing say all that they can.
const GRAPH: &str = "
question: Is it the same again?
duration: 10m
nodes: [{name: pool, machine: e2-standard-4, count: 3, zones: [a, b]}]
manifests: [ROOT/scenarios/manifests/web.yaml, api.yaml]
workloads:
  web:
    service-time: {scv: 4}
    warm-up: {for: 30s, slower: 3}
    shed: {in-flight: 200, wait: 100ms}
    level: fluid
    calls:
      - {to: api, probability: 30%}
      - parallel: [{to: api, fan-out: 4}, {to: api, optional: true, cache: 50%}]
      - to: default/api
        times: 2.5
        timeout: 300ms
        retries: {attempts: 2, back-off: {base: 10ms}, jitter: none, budget: 20%}
        circuit-breaker: {failures: 3}
        connections: {pending: 0}
        cache: {hit-ratio: 0.8, warm-up: 10m}
  api: {service-time: constant}
services:
  web: {balancing: round-robin}
  api: {balancing: {weights: {api: 3}}}
traffic:
  - {to: web, rate: 10, arrivals: {self-similar: 0.8}, timeout: 2s, retries: {attempts: 3}}
  - {to: web, rate: 10, arrivals: constant, zones: {a: 25%, b: 75%}}
";

#[test]
fn parameters_of_a_service_graph_are_the_same_graph() {
    let root = env!("CARGO_MANIFEST_DIR");
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("parameters-graph");
    fs::create_dir_all(&place).unwrap();
    let web = fs::read_to_string(format!("{root}/scenarios/manifests/web.yaml")).unwrap();
    fs::write(place.join("api.yaml"), web.replace("web", "api")).unwrap();
    let file = place.join("graph.yaml");
    fs::write(&file, GRAPH.replace("ROOT", root)).unwrap();
    let original = load(&file, &Overrides::default()).unwrap_or_else(|errors| panic!("{errors}"));
    let mut written = original.parameters.clone();
    written["question"] = original.question.clone().into();
    let manifests = [format!("{root}/scenarios/manifests/web.yaml"), "api.yaml".to_string()];
    written["manifests"] = manifests.to_vec().into();
    let again = place.join("again.yaml");
    fs::write(&again, format!("{written:#}")).unwrap();
    let again = load(&again, &Overrides::default()).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(again.parameters, original.parameters);
    let calls = |scenario: &stormglass::scenario::model::Scenario| {
        let bearers = scenario.workloads.iter().map(|w| (w.calls.clone(), w.serving.clone()));
        bearers.collect::<Vec<_>>()
    };
    assert_eq!(calls(&again), calls(&original));
    assert_eq!(calls(&original)[0].0.len(), 3, "three steps");
}
