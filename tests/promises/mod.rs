//! What the shipped scenarios promise: runs them by name, seed and changes, and reads the table of
//! changes in `scenarios/README.md`.
//!
//! It knows the library, not which scenario should do what.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use stormglass::record::measure::{Expected, Measured, check};
use stormglass::record::objective::Target;
use stormglass::record::recorder::Discard;
use stormglass::scenario::Overrides;
use stormglass::scenario::model::{Expectation, Scenario};
use stormglass::world::{RunOptions, run};

/// A row of the table: a change to a scenario, and which of its expectations that falsifies.
pub struct Change {
    /// The scenario's path below `scenarios/`, without `.yaml`.
    pub scenario: String,
    /// As after `--set`.
    pub set: Vec<String>,
    /// Numbers of the expectations in their order in the file, from 1.
    pub misses: Vec<usize>,
    /// Why, in a sentence.
    pub because: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

/// The file of a scenario.
pub fn path_of(name: &str) -> PathBuf {
    root().join(format!("{name}.yaml"))
}

/// A scenario with changes.
pub fn load(name: &str, set: &[String]) -> Scenario {
    let changes = Overrides { set: set.to_vec(), until: None };
    match stormglass::scenario::load(&path_of(name), &changes) {
        Ok(scenario) => scenario,
        Err(errors) => panic!("{name} with {set:?}: {errors}"),
    }
}

/// Runs a scenario; the expectations that it misses, by number from 1, with what was measured.
pub fn missed(name: &str, seed: u64, set: &[String]) -> BTreeMap<usize, String> {
    let scenario = load(name, set);
    let mut sink = Discard;
    let run = match run(&scenario, seed, RunOptions::default(), &mut sink, |_| {}) {
        Ok(run) => run,
        Err(violation) => panic!("{name} --seed {seed}: {violation}"),
    };
    let names = scenario.names_of_stations();
    let observe = &scenario.observe;
    let latency_s = observe.latency_objective.as_secs_f64();
    let target = Target { error_budget: observe.error_budget, latency_s };
    let measured = Measured { recorder: &run.recorder, workloads: &names, target };
    let results = scenario.expect.iter().map(|e| check(&measured, &expected(e)));
    let missed = (1..).zip(results).filter(|(_, result)| !result.held);
    missed.map(|(n, r)| (n, format!("{} (measured {:?})", r.text, r.measured))).collect()
}

fn expected(e: &Expectation) -> Expected<'_> {
    Expected {
        metric: &e.metric,
        of: e.of.as_deref(),
        from: e.from,
        until: e.until,
        at_least: e.at_least,
        at_most: e.at_most,
        text: &e.text,
    }
}

/// The seeds to try.
pub fn seeds() -> Vec<u64> {
    let asked = std::env::var("STORMGLASS_SEEDS").unwrap_or_else(|_| "1-20".into());
    let (from, to) = asked.split_once('-').expect("STORMGLASS_SEEDS is FROM-TO");
    (from.parse().unwrap()..=to.parse().unwrap()).collect()
}

/// All files below `scenarios/` that ask a question.
pub fn names() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "yaml")
                && std::fs::read_to_string(&path)
                    .unwrap()
                    .lines()
                    .any(|l| l.starts_with("question:"))
            {
                let below = path.strip_prefix(root()).unwrap().with_extension("");
                names.insert(below.to_str().unwrap().replace('\\', "/"));
            }
        }
    }
    names
}

/// The table of changes: rows of four cells whose second holds the changes between backquotes.
pub fn changes() -> Vec<Change> {
    let text = std::fs::read_to_string(root().join("README.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| ") && line.contains('`'));
    let mut scenario = String::new();
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [name, set, misses, because] = cells[..] else { panic!("four cells: {row}") };
        // A scenario is named in its first row.
        if !name.is_empty() {
            scenario = name.to_string();
        }
        let number = |n: &str| n.trim().parse().unwrap_or_else(|_| panic!("no number: {row}"));
        Change {
            scenario: scenario.clone(),
            set: set.split('`').skip(1).step_by(2).map(str::to_string).collect(),
            misses: misses.split(',').map(number).collect(),
            because: because.to_string(),
        }
    })
    .collect()
}
