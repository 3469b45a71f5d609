//! `stormglass conform`: our decisions beside recorded ones of the real component.

use super::conform_controlplane::Controlplane;
use super::{Outcome, complain, print};
use crate::conform::case::{Case, CaseError};
use crate::conform::{Path as Way, Version, answer::Answer, differences, generate, replay};
use clap::{Args, Subcommand, ValueEnum};
use flate2::read::MultiGzDecoder;
use serde_json::json;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::{Path, PathBuf};

/// So many differences are told; the rest are counted.
const TOLD: usize = 20;

/// Hold a component against recorded decisions of the real one.
#[derive(Debug, Args)]
pub(super) struct Conform {
    #[command(subcommand)]
    component: Component,
}

#[derive(Debug, Subcommand)]
enum Component {
    /// The scheduler, against kube-scheduler.
    Scheduler(Scheduler),
    /// The control plane, against kube-apiserver and kube-controller-manager.
    Controlplane(Controlplane),
    /// Draw fresh cases for the scheduler, without decisions.
    Generate(Generate),
}

/// Draw fresh cases for the scheduler, without decisions.
///
/// The real kube-scheduler is then asked by the program in conformance/oracle. The same family,
/// seed and number give the same case everywhere.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 ok, 2 there is no such family, or a case can't be written.

Example:
  stormglass conform generate --family taints --seed 7 --cases 20 --out cases")]
struct Generate {
    /// Families of cases; all unless told.
    #[arg(long, value_name = "FAMILY")]
    family: Vec<String>,
    /// What cases are drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// So many of each family.
    #[arg(long, value_name = "N", default_value_t = 10)]
    cases: u64,
    /// The version of kube-scheduler that is to decide them, like 1.36.
    #[arg(long, value_name = "V", default_value = "1.37")]
    kubernetes_version: String,
    /// The folder to write them to.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Replay recorded cases of kube-scheduler.
///
/// Prints each decision as one JSON object a line, or with --check compares it with the recorded
/// one.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 ok, 1 a decision differs (--check), 2 a case can't be read.

Example:
  stormglass conform scheduler tests/data/scheduler tests/data/scheduler-queue --check")]
struct Scheduler {
    /// Cases (.ndjson, .ndjson.gz), or folders of them.
    #[arg(required = true, value_name = "CASE")]
    cases: Vec<PathBuf>,
    /// Compare with what was recorded; exit 1 if anything differs.
    #[arg(long)]
    check: bool,
    /// Which way to decide; --check takes both unless told.
    #[arg(long, value_enum)]
    path: Option<ByPath>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ByPath {
    /// Every plugin is asked about every node; scores and rejections are told.
    Plain,
    /// What earlier cycles found out is used again, as in simulations.
    Fast,
}

impl Conform {
    pub(super) fn execute(&self) -> Outcome {
        match &self.component {
            Component::Scheduler(scheduler) => scheduler.execute(),
            Component::Controlplane(controlplane) => controlplane.execute(),
            Component::Generate(generate) => generate.execute(),
        }
    }
}

impl Generate {
    fn execute(&self) -> Outcome {
        match self.write() {
            Ok(()) => Outcome::Fine,
            Err(message) => {
                complain(&message);
                Outcome::BadInput
            }
        }
    }

    fn write(&self) -> Result<(), String> {
        let all: Vec<&str> = generate::families().collect();
        if let Some(unknown) = self.family.iter().find(|f| !all.contains(&f.as_str())) {
            let known = all.join(", ");
            return Err(format!("error: unknown family `{unknown}`; expected one of {known}"));
        }
        let version = self.version()?;
        let chosen: Vec<&str> = match self.family.as_slice() {
            [] => all.into_iter().filter(|family| generate::is_for(family, version)).collect(),
            some => some.iter().map(String::as_str).collect(),
        };
        let unwritable = |at: &Path, e: std::io::Error| format!("error: {}: {e}", at.display());
        std::fs::create_dir_all(&self.out).map_err(|e| unwritable(&self.out, e))?;
        for family in chosen {
            for number in 0..self.cases {
                let name = generate::name(family, self.seed, number);
                let file = self.out.join(format!("{name}.ndjson"));
                let text = generate::case(family, self.seed, number, version);
                let text = text.unwrap_or_default();
                std::fs::write(&file, text).map_err(|e| unwritable(&file, e))?;
            }
        }
        Ok(())
    }
}

impl Generate {
    fn version(&self) -> Result<Version, String> {
        let given = &self.kubernetes_version;
        Version::of_release(given).ok_or_else(|| {
            let known = Version::ALL.map(Version::name).join(", ");
            format!("error: unknown version `{given}`; expected one of {known}")
        })
    }
}

impl Scheduler {
    fn execute(&self) -> Outcome {
        let files = match all_cases(&self.cases) {
            Ok(files) => files,
            Err(message) => {
                complain(&message);
                return Outcome::BadInput;
            }
        };
        let mut outcome = Outcome::Fine;
        let mut tally = Tally::default();
        for file in &files {
            let step = match self.check {
                true => self.check(file, &mut tally),
                false => self.decide(file),
            };
            match step {
                Ok(told) => outcome = outcome.or(told),
                Err(message) => {
                    complain(&message);
                    outcome = Outcome::BadInput;
                }
            }
        }
        if self.check {
            let Tally { cases, decisions, mismatches } = tally;
            let line = format!("{cases} cases, {decisions} decisions, {mismatches} mismatches\n");
            outcome = outcome.or(print(&line));
        }
        outcome
    }

    fn decide(&self, file: &Path) -> Result<Outcome, String> {
        let way = if self.path == Some(ByPath::Fast) { Way::Fast } else { Way::Plain };
        let case = read(file)?;
        let answers = replay(&case, way).map_err(|e| located(file, &e))?;
        let mut text = String::new();
        for answer in &answers {
            let line = as_line(&case.header.name, answer).map_err(|e| e.to_string())?;
            text.push_str(&line);
            text.push('\n');
        }
        Ok(print(&text))
    }

    fn check(&self, file: &Path, tally: &mut Tally) -> Result<Outcome, String> {
        let case = read(file)?;
        let mut wrong: Vec<(usize, String)> = Vec::new();
        for (by_path, way) in [(ByPath::Plain, Way::Plain), (ByPath::Fast, Way::Fast)] {
            if self.path.is_some_and(|p| p != by_path) {
                continue;
            }
            let answers = replay(&case, way).map_err(|e| located(file, &e))?;
            let name = format!("{way:?} path").to_lowercase();
            let found = differences(&case, &answers);
            wrong.extend(found.into_iter().map(|(at, text)| (at, format!("{name}: {text}"))));
        }
        wrong.sort_by_key(|(at, _)| *at);
        // A decision that both ways miss is one mismatch.
        wrong.dedup_by_key(|(at, _)| *at);
        let mut outcome = Outcome::Fine;
        for (at, text) in &wrong {
            if tally.mismatches < TOLD {
                let line = format!("{} decision {at}, {text}\n", case.header.name);
                outcome = outcome.or(print(&line));
            }
            tally.mismatches += 1;
        }
        tally.cases += 1;
        tally.decisions += case.recorded().count();
        Ok(if wrong.is_empty() { outcome } else { outcome.or(Outcome::Missed) })
    }
}

#[derive(Default)]
struct Tally {
    cases: usize,
    decisions: usize,
    mismatches: usize,
}

fn as_line(case: &str, answer: &Answer) -> serde_json::Result<String> {
    let mut line = json!({"case": case});
    if let (Some(line), serde_json::Value::Object(fields)) =
        (line.as_object_mut(), serde_json::to_value(answer)?)
    {
        line.extend(fields);
    }
    serde_json::to_string(&line)
}

/// Files as they are, folders as the cases in them, sorted by name.
fn all_cases(given: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    for path in given {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let unreadable = |e: std::io::Error| format!("error: {}: {e}", path.display());
        let before = files.len();
        for entry in std::fs::read_dir(path).map_err(unreadable)? {
            let file = entry.map_err(unreadable)?.path();
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.ends_with(".ndjson.gz") || name.ends_with(".ndjson") {
                files.push(file);
            }
        }
        if files.len() == before {
            let hint = "expected files that end in .ndjson or .ndjson.gz";
            return Err(format!("error: {}: no case in it; {hint}", path.display()));
        }
        files[before..].sort();
    }
    Ok(files)
}

fn read(file: &Path) -> Result<Case, String> {
    let unreadable = |e: std::io::Error| format!("error: {}: {e}", file.display());
    let mut opened = File::open(file).map_err(unreadable)?;
    let mut magic = [0; 2];
    let zipped = opened.read(&mut magic).map_err(unreadable)? == 2 && magic == [0x1f, 0x8b];
    opened.rewind().map_err(unreadable)?;
    let case = match zipped {
        true => Case::read(BufReader::new(MultiGzDecoder::new(opened))),
        false => Case::read(BufReader::new(opened)),
    };
    case.map_err(|e| located(file, &e))
}

fn located(file: &Path, error: &CaseError) -> String {
    let column = error.column.map_or(String::new(), |c| format!(":{c}"));
    format!("error: {}:{}{column}: {}", file.display(), error.line, error.message)
}
