//! The folder of a plan, `results/<scenario>/plan-<hash>/`: question, answers and every run that
//! they rest on.
//!
//! It is handed answers of [`experiment`](crate::experiment) and knows nothing of how they were
//! found. Equal questions to equal inputs give equal bytes.

mod files;
mod page;
mod plot;
mod terminal;
mod words;

pub use terminal::told;

use super::error::ReportError;
use super::staging::Staging;
use crate::experiment::breaks::Breaks;
use crate::experiment::plan::{Answer, Question};
use crate::experiment::runs::Asked;
use std::path::{Path, PathBuf};

/// What a plan hands over to be told and written.
pub struct PlanResults<'a> {
    /// Version of Stormglass.
    pub version: &'a str,
    /// Name of the scenario.
    pub scenario: &'a str,
    /// Its question.
    pub about: &'a str,
    /// The scenario file as the command line named it; without absolute paths.
    pub file: &'a str,
    /// Hash of all inputs, overrides of all runs included.
    pub scenario_hash: &'a str,
    /// The command that asks again; without absolute paths.
    pub command: &'a str,
    /// Code of the currency.
    pub currency: &'a str,
    /// What has to hold.
    pub objectives: &'a [Objective],
    /// What was asked.
    pub question: &'a Question,
    /// What was found: one answer; or one for each value of other fields; or, as limits are lifted,
    /// one after the other.
    pub parts: &'a [Part],
    /// Whether it was asked what breaks.
    pub asks_what_breaks: bool,
    /// The command that repeats a run.
    pub repeat: &'a dyn Fn(&Asked) -> String,
}

/// Something that has to hold.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Objective {
    /// As written.
    pub text: String,
    /// Name of what it measures.
    pub metric: String,
    /// Smallest value that is fine.
    pub at_least: Option<f64>,
    /// Largest value that is fine.
    pub at_most: Option<f64>,
}

/// An answer, and what was given for it beside what all runs share.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Part {
    /// `path=value` of other fields; of limits that are lifted, if it was asked what breaks.
    pub given: Vec<String>,
    /// The answer.
    pub answer: Answer,
    /// What stops the load there, if that was asked and something does.
    pub breaks: Option<Breaks>,
}

/// A plan's folder being written.
#[derive(Debug)]
pub struct PlanFolder {
    staging: Staging,
}

impl PlanFolder {
    /// Prepares `base/scenario/plan-hash`; call it before the runs, so that a place that can't be
    /// written fails at once.
    ///
    /// # Errors
    /// The place can't be written; another plan writes there; it holds files that none has written.
    pub fn create(base: &Path, scenario: &str, hash: &str) -> Result<PlanFolder, ReportError> {
        Ok(PlanFolder { staging: Staging::create(base, scenario, &format!("plan-{hash}"))? })
    }

    /// Where the results will be.
    pub fn path(&self) -> &Path {
        self.staging.target()
    }

    /// Writes all files and puts the folder in its place; gives its path.
    ///
    /// # Errors
    /// Anything can't be written. Then what was there before is still there.
    pub fn finish(self, results: &PlanResults<'_>) -> Result<PathBuf, ReportError> {
        files::write(self.staging.partial(), results)?;
        self.staging.publish()
    }
}
