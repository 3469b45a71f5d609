//! A recorded case: one JSON object a line. It knows the format, not what a scheduler makes of it.
//!
//! First the case's header, then objects, nodes and bound pods, then steps in order; a step that
//! is a scheduling cycle may carry what the real scheduler decided.

use super::answer::{Answer, Places};
use crate::control::scheduler::config::SchedulerConfiguration;
use crate::control::scheduler::version::Version;
use k8s_openapi::api::core::v1 as k8s;
use serde::{Deserialize, Deserializer, de};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::BufRead;

/// What is wrong with a case.
#[derive(Debug, PartialEq)]
pub struct CaseError {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, where it is known.
    pub column: Option<usize>,
    /// What is wrong and what was expected.
    pub message: String,
}

/// How a case was recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Single cycles on a cache that is filled by hand.
    Direct,
    /// The whole scheduler with its queue on a virtual clock.
    Full,
}

/// The first line.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// Its name.
    pub name: String,
    /// What kind of case it is.
    #[serde(default)]
    pub family: String,
    /// The release that decided: the rules of its minor version count.
    #[serde(default, deserialize_with = "version")]
    pub kubernetes: Version,
    /// How it was recorded.
    pub mode: Mode,
    /// How many nodes upstream filters at once; only 1 is deterministic.
    #[serde(default = "one")]
    pub parallelism: u32,
    /// Feature gates that were set.
    #[serde(default)]
    pub feature_gates: BTreeMap<String, bool>,
    /// The scheduler's configuration; the default one if there is none.
    #[serde(default)]
    pub config: Option<SchedulerConfiguration>,
}

fn version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Version, D::Error> {
    let release = String::deserialize(deserializer)?;
    Version::of_release(&release).ok_or_else(|| {
        let known = Version::ALL.map(Version::name).join(", ");
        de::Error::custom(format!("kubernetes {release:?}: known are {known}"))
    })
}

fn one() -> u32 {
    1
}

/// Any line but the first.
#[derive(Debug, Deserialize)]
pub(super) struct Line {
    pub(super) object: Option<Value>,
    pub(super) node: Option<Box<k8s::Node>>,
    pub(super) pod: Option<Box<k8s::Pod>>,
    pub(super) step: Option<Step>,
    decision: Option<Answer>,
    queue: Option<Places>,
}

/// Something that happens.
#[derive(Debug, Deserialize)]
pub(super) struct Step {
    pub(super) op: String,
    /// Milliseconds of virtual time.
    #[serde(default)]
    pub(super) at: u64,
    object: Option<Value>,
    name: Option<String>,
    node: Option<Box<k8s::Node>>,
    pod: Option<Box<k8s::Pod>>,
}

impl Step {
    /// The field `name`.
    pub(super) fn name(&self) -> Result<&str, String> {
        self.name.as_deref().ok_or_else(|| self.lacks("name"))
    }

    /// The field `node`.
    pub(super) fn node(&self) -> Result<&k8s::Node, String> {
        self.node.as_deref().ok_or_else(|| self.lacks("node"))
    }

    /// The field `pod`.
    pub(super) fn pod(&self) -> Result<&k8s::Pod, String> {
        self.pod.as_deref().ok_or_else(|| self.lacks("pod"))
    }

    /// The field `object`.
    pub(super) fn object(&self) -> Result<&Value, String> {
        self.object.as_ref().ok_or_else(|| self.lacks("object"))
    }

    fn lacks(&self, field: &str) -> String {
        format!("a step `{}` needs a field `{field}`", self.op)
    }

    /// What to say of a step that this mode does not know.
    pub(super) fn unknown(&self, known: &str) -> String {
        format!("unknown step `{}`; expected one of {known}", self.op)
    }
}

/// A case that has been read.
#[derive(Debug)]
pub struct Case {
    /// Its first line.
    pub header: Header,
    lines: Vec<Line>,
}

impl Case {
    /// Reads a case.
    pub fn read(text: impl BufRead) -> Result<Case, CaseError> {
        #[derive(Deserialize)]
        struct First {
            case: Header,
        }
        let mut header: Option<Header> = None;
        let mut lines = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let at = at + 1;
            let line = line.map_err(|e| CaseError {
                line: at,
                column: None,
                message: format!("can't be read: {e}"),
            })?;
            let wrong = |e: serde_json::Error| CaseError {
                line: at,
                column: Some(e.column().max(1)),
                message: e.to_string(),
            };
            match &header {
                None => header = Some(serde_json::from_str::<First>(&line).map_err(wrong)?.case),
                Some(_) => lines.push(serde_json::from_str(&line).map_err(wrong)?),
            }
        }
        match header {
            Some(header) => Ok(Case { header, lines }),
            None => Err(CaseError {
                line: 1,
                column: None,
                message: "it is empty; expected {\"case\": ...} on the first line".to_owned(),
            }),
        }
    }

    /// What the real scheduler decided, cycle by cycle.
    pub fn recorded(&self) -> impl Iterator<Item = Answer> {
        self.lines.iter().filter_map(|line| {
            let mut answer = line.decision.clone()?;
            answer.queue.clone_from(&line.queue);
            Some(answer)
        })
    }

    /// Does something with each line but the first; its error is put in its place.
    pub(super) fn each_line(
        &self,
        mut take: impl FnMut(&Line) -> Result<(), String>,
    ) -> Result<(), CaseError> {
        for (at, line) in self.lines.iter().enumerate() {
            take(line).map_err(|message| CaseError { line: at + 2, column: None, message })?;
        }
        Ok(())
    }

    /// The scheduler's configuration.
    pub(super) fn configuration(&self) -> SchedulerConfiguration {
        SchedulerConfiguration {
            version: self.header.kubernetes,
            parallelism: self.header.parallelism,
            ..self.header.config.clone().unwrap_or_default()
        }
    }

    /// An error of the first line.
    pub(super) fn header_error(message: impl ToString) -> CaseError {
        CaseError { line: 1, column: None, message: message.to_string() }
    }
}

impl Line {
    /// The random number that was handed to the preemption of this cycle.
    pub(super) fn preemption_offset(&self) -> usize {
        self.decision.as_ref().and_then(|d| d.preemption_offset).unwrap_or(0)
    }
}
