//! `stormglass explain`: why a pod of a finished run went where it went, or nowhere.
//!
//! Results don't keep what the scheduler considered: it is found out by running the same thing
//! again and looking on. That it was the same is seen by the hash of the event log.

use super::{Format, Outcome, complain, print};
use crate::record::recorder::Discard;
use crate::report::explanation;
use crate::scenario::diagnostic::did_you_mean;
use crate::scenario::model::Scenario;
use crate::scenario::{Overrides, load};
use crate::world;
use clap::{Args, Subcommand};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Explain what happened in a run whose results are there.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  stormglass explain results/hello/1 pod web-8vzdxssqgk-rf7f4

The run is repeated for it, so the scenario and what it names must still be there, unchanged.")]
pub(super) struct Explain {
    /// A result folder, like results/hello/1.
    result: PathBuf,
    #[command(subcommand)]
    what: What,
    /// Where the scenario file is now; default: where the manifest says.
    #[arg(long, value_name = "FILE", global = true)]
    scenario: Option<PathBuf>,
    /// All nodes, one by one, however many there are.
    #[arg(long, global = true)]
    all: bool,
    /// How to print it.
    #[arg(long, value_enum, default_value = "text", global = true)]
    format: Format,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Each attempt to schedule a pod: what every node was rejected for, or its scores.
    Pod {
        /// `name` or `namespace/name`.
        name: String,
    },
}

/// What a run's manifest says about how to repeat it.
#[derive(Deserialize)]
struct Repeatable {
    version: String,
    file: PathBuf,
    scenario_hash: String,
    seed: u64,
    set: Vec<String>,
    until: Option<String>,
    event_log_hash: String,
}

impl Explain {
    pub(super) fn execute(&self) -> Outcome {
        let What::Pod { name } = &self.what;
        match self.pod(name) {
            Ok(outcome) => outcome,
            Err(Trouble::Input(message)) => {
                complain(&message);
                Outcome::BadInput
            }
            Err(Trouble::Broken(message)) => {
                complain(&message);
                Outcome::Broken
            }
        }
    }

    fn pod(&self, given: &str) -> Result<Outcome, Trouble> {
        let known = pod_names(&self.result)?;
        let name = full_name(given, &known)?;
        let repeatable = manifest(&self.result)?;
        let scenario = self.scenario(&repeatable)?;
        let mut sink = Discard;
        let seed = repeatable.seed;
        let played = world::explain(&scenario, seed, &name, &mut sink, |_| {});
        let (run, attempts) = played.map_err(|violation| Trouble::Broken(violation.to_string()))?;
        if run.event_log_hash != repeatable.event_log_hash {
            let (again, then) = (run.event_log_hash, repeatable.event_log_hash);
            return Err(Trouble::Broken(format!(
                "error: the repeated run is another one: event-log hashes {again} and {then}"
            )));
        }
        let attempts = attempts.unwrap_or_default();
        Ok(match self.format {
            Format::Text => print(&explanation::text(&name, &attempts, self.all)),
            Format::Json => {
                let json = serde_json::to_string_pretty(&attempts).unwrap_or_default();
                print(&format!("{json}\n"))
            }
        })
    }

    fn scenario(&self, repeatable: &Repeatable) -> Result<Scenario, Trouble> {
        let here = env!("CARGO_PKG_VERSION");
        if repeatable.version != here {
            let version = &repeatable.version;
            return Err(Trouble::Input(format!(
                "error: the results are of version {version}, and this is {here}: run it again first"
            )));
        }
        let file = self.scenario.as_ref().unwrap_or(&repeatable.file);
        if !file.exists() {
            return Err(Trouble::Input(format!(
                "error: there is no {}: go to the folder that the run was started in, or say \
                 where the scenario is with --scenario",
                file.display()
            )));
        }
        let changes = Overrides { set: repeatable.set.clone(), until: repeatable.until.clone() };
        let scenario = load(file, &changes).map_err(|e| Trouble::Input(e.to_string()))?;
        if scenario.hash != repeatable.scenario_hash {
            return Err(Trouble::Input(format!(
                "error: {} or a file that it names has changed since the run: run it again first",
                file.display()
            )));
        }
        Ok(scenario)
    }
}

/// Why nothing is explained.
enum Trouble {
    Input(String),
    Broken(String),
}

/// A file of the results that can't be read.
fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> Trouble {
    Trouble::Input(format!(
        "error: {}: {error}\n  expected a result folder of `stormglass run`, like results/hello/1",
        path.display()
    ))
}

fn manifest(result: &Path) -> Result<Repeatable, Trouble> {
    let path = result.join("manifest.json");
    let text = std::fs::read_to_string(&path).map_err(|e| unreadable(&path, &e))?;
    serde_json::from_str(&text).map_err(|e| unreadable(&path, &e))
}

/// `namespace/name` of all pods of the results.
fn pod_names(result: &Path) -> Result<Vec<String>, Trouble> {
    let path = result.join("pods.csv");
    let trouble = |e: csv::Error| unreadable(&path, &e);
    let mut reader = csv::Reader::from_path(&path).map_err(trouble)?;
    let headers = reader.headers().map_err(trouble)?.clone();
    let column = |name: &str| headers.iter().position(|header| header == name).unwrap_or(0);
    let (namespace, pod) = (column("namespace"), column("name"));
    let mut names = Vec::new();
    for row in reader.records() {
        let row = row.map_err(trouble)?;
        names.push(format!("{}/{}", &row[namespace], &row[pod]));
    }
    Ok(names)
}

/// The pod of this name; a name alone will do if only one namespace has it.
fn full_name(given: &str, known: &[String]) -> Result<String, Trouble> {
    let is_meant = |full: &&String| {
        *full == given || full.split_once('/').is_some_and(|(_, name)| name == given)
    };
    let mut meant = known.iter().filter(is_meant);
    match (meant.next(), meant.next()) {
        (Some(full), None) => Ok(full.clone()),
        (Some(_), Some(_)) => Err(Trouble::Input(format!(
            "error: several namespaces have a pod {given:?}: say which, as namespace/name"
        ))),
        (None, _) => {
            let words = known.iter().map(|full| match given.contains('/') {
                true => full.as_str(),
                false => full.split_once('/').map_or(full.as_str(), |(_, name)| name),
            });
            let hint = match did_you_mean(given, words) {
                Some(near) => format!("did you mean {near}?"),
                None => "pods.csv of the results lists all pods".to_owned(),
            };
            Err(Trouble::Input(format!("error: the run had no pod {given:?}\n  {hint}")))
        }
    }
}
