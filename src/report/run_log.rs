//! The log of the runs that plans of a scenario have made: a line of JSON each, on disk before the
//! next run begins.
//!
//! An interrupted plan goes on from it, and another question that needs the same run finds it. It
//! is `.plan-runs.jsonl` beside the results. A line that a dying machine left half written is
//! passed over. It does not know what the runs are for.

use super::error::ReportError;
use super::staging::scenario_path;
use crate::experiment::runs::{Asked, Outcome, RunLog};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Its name.
const NAME: &str = ".plan-runs.jsonl";

/// A line of the log. Numbers are texts: readers of JSON may lose their last binary digit.
#[derive(Serialize, Deserialize)]
struct Line {
    key: String,
    set: Vec<String>,
    seed: u64,
    held: bool,
    measured: Vec<Option<String>>,
    cost: String,
    event_log_hash: String,
}

impl Line {
    fn new(key: &str, asked: &Asked, outcome: &Outcome) -> Line {
        let Asked { set, seed } = asked.clone();
        let measured = outcome.measured.iter().map(|m| m.map(|m| m.to_string())).collect();
        Line {
            key: key.to_owned(),
            set,
            seed,
            held: outcome.held,
            measured,
            cost: outcome.cost.to_string(),
            event_log_hash: outcome.event_log_hash.clone(),
        }
    }

    /// The outcome; `None`: it can't be read.
    fn outcome(&self) -> Option<Outcome> {
        let number = |text: &Option<String>| match text {
            None => Some(None),
            Some(text) => text.parse().ok().map(Some),
        };
        Some(Outcome {
            held: self.held,
            measured: self.measured.iter().map(number).collect::<Option<_>>()?,
            cost: self.cost.parse().ok()?,
            event_log_hash: self.event_log_hash.clone(),
        })
    }
}

/// The log of a scenario's runs.
#[derive(Debug)]
pub struct RunLogFile {
    path: PathBuf,
    known: BTreeMap<String, Outcome>,
    file: Mutex<File>,
}

impl RunLogFile {
    /// Opens the log of `scenario` below `base`; there need not be one. `afresh`: what is in it
    /// does not count.
    ///
    /// # Errors
    /// It can't be read or written.
    pub fn open(base: &Path, scenario: &str, afresh: bool) -> Result<RunLogFile, ReportError> {
        let folder = base.join(scenario_path(scenario)?);
        fs::create_dir_all(&folder).map_err(|e| ReportError::new("create", &folder, e))?;
        let path = folder.join(NAME);
        let failed = |e| ReportError::new("write", &path, e);
        let options = File::options().read(true).create(true).append(true).to_owned();
        let mut file = options.open(&path).map_err(failed)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        if bytes.last().is_some_and(|last| *last != b'\n') {
            file.write_all(b"\n").map_err(failed)?;
        }
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        let mut known = BTreeMap::new();
        for line in bytes.split(|byte| *byte == b'\n').filter(|_| !afresh) {
            let Ok(line) = serde_json::from_slice::<Line>(line) else { continue };
            if let Some(outcome) = line.outcome() {
                known.insert(line.key, outcome);
            }
        }
        Ok(RunLogFile { path, known, file: Mutex::new(file) })
    }

    fn append(&self, line: &Line) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // One write: lines of two plans at the same time don't mix.
        file.write_all(&bytes)?;
        file.sync_data()
    }
}

impl RunLog for RunLogFile {
    fn find(&self, key: &str) -> Option<Outcome> {
        self.known.get(key).cloned()
    }

    fn keep(&self, key: &str, asked: &Asked, outcome: &Outcome) -> Result<(), String> {
        let failed = |e| ReportError::new("write", &self.path, e).to_string();
        self.append(&Line::new(key, asked, outcome)).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::Scratch;

    fn asked(seed: u64) -> Asked {
        Asked { set: vec!["nodes.pool.max=3".to_owned()], seed }
    }

    fn outcome(held: bool) -> Outcome {
        let measured = vec![Some(0.010_764_642_183_556_985), None];
        Outcome { held, measured, cost: 1.0 / 3.0, event_log_hash: "ab".to_owned() }
    }

    #[test]
    fn what_was_kept_is_found_again_bit_by_bit() {
        let scratch = Scratch::new("run-log-kept");
        let log = RunLogFile::open(scratch.path(), "a/b", false).unwrap();
        assert_eq!(log.find("one"), None);
        log.keep("one", &asked(1), &outcome(true)).unwrap();
        log.keep("two", &asked(2), &outcome(false)).unwrap();
        let log = RunLogFile::open(scratch.path(), "a/b", false).unwrap();
        assert_eq!(log.find("one"), Some(outcome(true)));
        assert_eq!(log.find("two"), Some(outcome(false)));
        let log = RunLogFile::open(scratch.path(), "a/b", true).unwrap();
        assert_eq!(log.find("one"), None, "afresh");
    }

    #[test]
    fn a_half_written_line_spoils_only_itself() {
        let scratch = Scratch::new("run-log-torn");
        let log = RunLogFile::open(scratch.path(), "a", false).unwrap();
        log.keep("one", &asked(1), &outcome(true)).unwrap();
        log.keep("two", &asked(2), &outcome(true)).unwrap();
        let path = scratch.path().join("a").join(NAME);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 9]).unwrap();
        let log = RunLogFile::open(scratch.path(), "a", false).unwrap();
        assert_eq!((log.find("one"), log.find("two")), (Some(outcome(true)), None));
        log.keep("two", &asked(2), &outcome(true)).unwrap();
        let log = RunLogFile::open(scratch.path(), "a", false).unwrap();
        assert_eq!(log.find("two"), Some(outcome(true)));
    }
}
