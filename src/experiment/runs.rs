//! Runs of one scenario with some of its fields changed, side by side, each made once.
//!
//! A run leaves its verdict: whether the expectations held, and what was measured. What a
//! [`RunLog`] knows from an earlier, interrupted time is not run again. It knows worlds, not what
//! is sought with them.

use crate::check::{Stride, Violation};
use crate::record::measure::{Expected, Measured, check};
use crate::record::recorder::Discard;
use crate::scenario::diagnostic::Diagnostics;
use crate::scenario::model::Scenario;
use crate::scenario::{Inputs, Overrides, load_from};
use crate::world::{self, RunOptions};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// What a run is asked to be: its changes beside those of all runs, and its seed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    /// `path=value`, in order.
    pub set: Vec<String>,
    /// Root of all random numbers.
    pub seed: u64,
}

/// What is kept of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Whether every expectation held.
    pub held: bool,
    /// What each measured, in the scenario's order; `null`: there was nothing to measure.
    pub measured: Vec<Option<f64>>,
    /// What the machines cost, in the scenario's currency.
    pub cost: f64,
    /// Hash of everything that happened.
    pub event_log_hash: String,
}

/// What earlier, interrupted work has left, and where this work is kept. It is asked from several
/// threads.
pub trait RunLog: Sync {
    /// The outcome of the run with this key, if it was made before.
    fn find(&self, key: &str) -> Option<Outcome>;
    /// Keeps an outcome, so that it is there even if the machine fails in the next moment.
    ///
    /// # Errors
    /// Why it can't be kept.
    fn keep(&self, key: &str, asked: &Asked, outcome: &Outcome) -> Result<(), String>;
}

/// Keeps nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Forget;

impl RunLog for Forget {
    fn find(&self, _key: &str) -> Option<Outcome> {
        None
    }

    fn keep(&self, _key: &str, _asked: &Asked, _outcome: &Outcome) -> Result<(), String> {
        Ok(())
    }
}

/// Why an answer was not found.
#[derive(Debug)]
pub enum Stop {
    /// A value makes the scenario impossible.
    Input(Diagnostics),
    /// A run broke an invariant: a bug of the simulator.
    Broken(Asked, Box<Violation>),
    /// The run log can't be written.
    Log(String),
}

/// Something that has a verdict for each change and seed.
pub trait Trial: Sync {
    /// The outcome of one run.
    ///
    /// # Errors
    /// Why there is none.
    fn run(&self, asked: &Asked) -> Result<Outcome, Stop>;

    /// So many runs more will be needed, as far as is known.
    fn expect(&self, _runs: usize) {}
}

/// Scenarios that are kept ready: loading one again costs little beside a run.
const MOST_READY: usize = 64;

/// A scenario loaded with some changes, by these.
type Ready = BTreeMap<Vec<String>, Arc<Scenario>>;

/// Runs of one scenario.
pub struct Runs<'a> {
    file: PathBuf,
    /// Changes that all runs share.
    set: Vec<String>,
    inputs: Inputs,
    /// What the keys of all runs begin with: the program, the inputs.
    origin: String,
    log: &'a dyn RunLog,
    /// Told of runs that are expected, and of each that is done.
    progress: &'a (dyn Fn(Progress) + Sync),
    ready: Mutex<Ready>,
    done: Mutex<BTreeMap<Asked, Outcome>>,
}

/// How far the work is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many runs more are expected.
    Expected(usize),
    /// A run is done; or was done before (`true`).
    Done(bool),
}

impl<'a> Runs<'a> {
    /// Runs of the scenario in `file`, all with the changes `set`. `program` names the build: other
    /// builds may run differently. Also gives the scenario as it is without further changes.
    ///
    /// # Errors
    /// Everything that is wrong with the scenario.
    pub fn new(
        file: &Path,
        set: &[String],
        program: &str,
        progress: &'a (dyn Fn(Progress) + Sync),
    ) -> Result<(Runs<'a>, Arc<Scenario>), Diagnostics> {
        let inputs = Inputs::default();
        let mut runs = Runs {
            file: file.to_path_buf(),
            set: set.to_vec(),
            inputs,
            origin: String::new(),
            log: &Forget,
            progress,
            ready: Mutex::default(),
            done: Mutex::default(),
        };
        let scenario = runs.scenario(&[])?;
        runs.origin = format!("{program} {}", scenario.hash);
        Ok((runs, scenario))
    }

    /// Lets `log` know of what is done from here on, and asks it before each run.
    pub fn keep_in(&mut self, log: &'a dyn RunLog) {
        self.log = log;
    }

    /// The scenario with the changes `set` beside those of all.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn scenario(&self, set: &[String]) -> Result<Arc<Scenario>, Diagnostics> {
        if let Some(scenario) = unlocked(&self.ready).get(set) {
            return Ok(scenario.clone());
        }
        let all = self.set.iter().chain(set).cloned().collect();
        let changes = Overrides { set: all, until: None };
        let scenario = Arc::new(load_from(&self.inputs, &self.file, &changes)?);
        let mut ready = unlocked(&self.ready);
        if ready.len() >= MOST_READY {
            ready.clear();
        }
        ready.insert(set.to_vec(), scenario.clone());
        Ok(scenario)
    }

    fn key(&self, asked: &Asked) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.origin.as_bytes());
        for set in &asked.set {
            hasher.update(&(set.len() as u64).to_le_bytes());
            hasher.update(set.as_bytes());
        }
        hasher.update(&asked.seed.to_le_bytes());
        hasher.finalize().to_hex()[..32].to_owned()
    }

    fn simulate(&self, asked: &Asked) -> Result<Outcome, Stop> {
        let scenario = self.scenario(&asked.set).map_err(Stop::Input)?;
        let options = RunOptions { checks: Stride::NowAndThen };
        let mut sink = Discard;
        let run = world::run(&scenario, asked.seed, options, &mut sink, |_| {})
            .map_err(|violation| Stop::Broken(asked.clone(), Box::new(violation)))?;
        let names = scenario.names_of_stations();
        let target = scenario.observe.target();
        let measured = Measured { recorder: &run.recorder, workloads: &names, target };
        let expected: Vec<Expected<'_>> = scenario.expect.iter().map(|e| e.expected()).collect();
        let results: Vec<_> = expected.iter().map(|e| check(&measured, e)).collect();
        Ok(Outcome {
            held: results.iter().all(|result| result.held),
            measured: results.iter().map(|result| result.measured).collect(),
            cost: run.recorder.totals.cost,
            event_log_hash: run.event_log_hash,
        })
    }
}

impl Trial for Runs<'_> {
    fn run(&self, asked: &Asked) -> Result<Outcome, Stop> {
        if let Some(outcome) = unlocked(&self.done).get(asked) {
            return Ok(outcome.clone());
        }
        let key = self.key(asked);
        let (outcome, is_old) = match self.log.find(&key) {
            Some(outcome) => (outcome, true),
            None => {
                let outcome = self.simulate(asked)?;
                self.log.keep(&key, asked, &outcome).map_err(Stop::Log)?;
                (outcome, false)
            }
        };
        unlocked(&self.done).insert(asked.clone(), outcome.clone());
        (self.progress)(Progress::Done(is_old));
        Ok(outcome)
    }

    fn expect(&self, runs: usize) {
        (self.progress)(Progress::Expected(runs));
    }
}

/// What a lock guards; a thread that has panicked leaves whole entries.
fn unlocked<T>(lock: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
