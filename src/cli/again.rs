//! A finished run made again from its result folder: what `explain`, `get` and `describe` look at.
//!
//! The manifest says which scenario, seed and changes it was; all of it must still be there, and
//! unchanged.

use super::{Outcome, complain};
use crate::scenario::model::Scenario;
use crate::scenario::{Overrides, load};
use serde::Deserialize;
use std::path::{Path, PathBuf};

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

/// A run that can be made again.
pub(super) struct Again {
    /// The scenario, as it was.
    pub scenario: Scenario,
    /// The seed.
    pub seed: u64,
    event_log_hash: String,
}

/// Why a run is not looked at.
pub(super) enum Trouble {
    /// What was given is wrong.
    Input(String),
    /// A bug of the simulator.
    Broken(String),
}

impl Trouble {
    /// Tells it; gives what it means to the shell.
    pub(super) fn tell(&self) -> Outcome {
        match self {
            Trouble::Input(message) => {
                complain(message);
                Outcome::BadInput
            }
            Trouble::Broken(message) => {
                complain(message);
                Outcome::Broken
            }
        }
    }
}

impl Again {
    /// The run of a result folder; `moved` says where its scenario is now.
    pub(super) fn of(result: &Path, moved: Option<&Path>) -> Result<Again, Trouble> {
        let path = result.join("manifest.json");
        let text = std::fs::read_to_string(&path).map_err(|e| unreadable(&path, &e))?;
        let repeatable: Repeatable =
            serde_json::from_str(&text).map_err(|e| unreadable(&path, &e))?;
        let scenario = scenario(&repeatable, moved)?;
        let Repeatable { seed, event_log_hash, .. } = repeatable;
        Ok(Again { scenario, seed, event_log_hash })
    }

    /// Whether what was made again is the run that it should be, by the hash of its event log.
    pub(super) fn is_same(&self, hash: &str) -> Result<(), Trouble> {
        if hash == self.event_log_hash {
            return Ok(());
        }
        let then = &self.event_log_hash;
        Err(Trouble::Broken(format!(
            "error: the repeated run is another one: event-log hashes {hash} and {then}"
        )))
    }
}

fn scenario(repeatable: &Repeatable, moved: Option<&Path>) -> Result<Scenario, Trouble> {
    let here = env!("CARGO_PKG_VERSION");
    if repeatable.version != here {
        let version = &repeatable.version;
        return Err(Trouble::Input(format!(
            "error: the results are of version {version}, and this is {here}: run it again first"
        )));
    }
    let file = moved.unwrap_or(&repeatable.file);
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

/// A file of the results that can't be read.
pub(super) fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> Trouble {
    Trouble::Input(format!(
        "error: {}: {error}\n  expected a result folder of `stormglass run`, like results/hello/1",
        path.display()
    ))
}
