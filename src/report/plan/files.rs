//! `plan.json`, `runs.csv` and the manifest of a plan's folder.

use super::super::error::ReportError;
use super::super::manifest::write_json;
use super::super::output::write_file;
use super::super::plot::Format;
use super::super::staging::MANIFEST;
use super::{Objective, Part, PlanResults, page, plot, words};
use crate::experiment::Find;
use crate::experiment::plan::PlanRun;
use serde::Serialize;
use std::io::{self, Write};
use std::path::Path;

/// All files of the folder, sorted.
const FILES: [&str; 5] = [MANIFEST, "plan.json", "plots/plan.svg", "report.html", "runs.csv"];

/// `plan.json`.
#[derive(Serialize)]
struct Plan<'a> {
    scenario: &'a str,
    question: Asking<'a>,
    parts: &'a [Part],
    runs: Vec<Run<'a>>,
}

#[derive(Serialize)]
struct Asking<'a> {
    objectives: &'a [Objective],
    vary: &'a str,
    range: &'a str,
    find: Find,
    set: &'a [String],
    seeds: &'a [u64],
    meet: f64,
    confidence: f64,
}

#[derive(Serialize)]
struct Run<'a> {
    part: usize,
    set: &'a [String],
    value: String,
    seed: u64,
    held: bool,
    measured: &'a [Option<f64>],
    cost: f64,
    event_log_hash: &'a str,
    command: String,
}

/// `manifest.json`.
#[derive(Serialize)]
struct Manifest<'a> {
    version: &'a str,
    scenario: &'a str,
    about: &'a str,
    file: &'a str,
    scenario_hash: &'a str,
    command: &'a str,
    files: &'a [&'a str],
}

/// Writes them all to `folder`.
pub(super) fn write(folder: &Path, results: &PlanResults<'_>) -> Result<(), ReportError> {
    let PlanResults { version, scenario, about, file, scenario_hash, command, .. } = *results;
    write_file(folder.join("plan.json"), |out| write_json(out, &plan(results)))?;
    write_file(folder.join("runs.csv"), |out| runs(out, results))?;
    let plots = folder.join("plots");
    std::fs::create_dir(&plots).map_err(|e| ReportError::new("create", &plots, e))?;
    write_file(plots.join("plan.svg"), |out| out.write_all(svg(results)?.as_bytes()))?;
    write_file(folder.join("report.html"), |out| out.write_all(page::page(results)?.as_bytes()))?;
    let manifest =
        Manifest { version, scenario, about, file, scenario_hash, command, files: &FILES };
    write_file(folder.join(MANIFEST), |out| write_json(out, &manifest))
}

fn svg(results: &PlanResults<'_>) -> io::Result<String> {
    let title = words::question(results);
    let first = results.parts.first().ok_or_else(|| io::Error::other("no answer"))?;
    plot::plot(results, first).svg(&title, Format::File)
}

fn plan<'a>(results: &'a PlanResults<'_>) -> Plan<'a> {
    let question = results.question;
    let runs = all_runs(results).map(|(part, run)| Run {
        part,
        set: &run.asked.set,
        value: question.axis.value(run.index),
        seed: run.asked.seed,
        held: run.outcome.held,
        measured: &run.outcome.measured,
        cost: run.outcome.cost,
        event_log_hash: &run.outcome.event_log_hash,
        command: (results.repeat)(&run.asked),
    });
    Plan {
        scenario: results.scenario,
        question: Asking {
            objectives: results.objectives,
            vary: &question.axis.path,
            range: &question.axis.range,
            find: question.find,
            set: &question.set,
            seeds: &question.seeds,
            meet: question.meet,
            confidence: question.confidence,
        },
        parts: results.parts,
        runs: runs.collect(),
    }
}

/// Every run with the number of the part that needed it.
fn all_runs<'a>(results: &'a PlanResults<'_>) -> impl Iterator<Item = (usize, &'a PlanRun)> {
    let parts = results.parts.iter().enumerate();
    parts.flat_map(|(i, part)| {
        let showed = part.breaks.iter().flat_map(|breaks| &breaks.runs);
        part.answer.runs.iter().chain(showed).map(move |run| (i, run))
    })
}

/// A row for each run; what does not apply is empty.
fn runs(out: impl io::Write, results: &PlanResults<'_>) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    let mut head: Vec<String> = ["part", "set", "value", "seed", "met"].map(str::to_owned).into();
    for objective in results.objectives {
        head.push(column(&objective.metric, &head));
    }
    head.extend(["cost", "event_log_hash", "command"].map(str::to_owned));
    csv.write_record(&head)?;
    for (part, run) in all_runs(results) {
        let outcome = &run.outcome;
        let set = run.asked.set.join(" ");
        let mut row = vec![part.to_string(), set, results.question.axis.value(run.index)];
        row.extend([run.asked.seed.to_string(), outcome.held.to_string()]);
        let number = |x: &Option<f64>| x.map_or(String::new(), |x| x.to_string());
        row.extend(outcome.measured.iter().map(number));
        row.push(outcome.cost.to_string());
        row.extend([outcome.event_log_hash.clone(), (results.repeat)(&run.asked)]);
        csv.write_record(&row)?;
    }
    csv.flush()
}

/// The name of a measure's column: with a number if there is one of this name already.
fn column(metric: &str, taken: &[String]) -> String {
    let numbered = |n: usize| if n == 1 { metric.to_owned() } else { format!("{metric}_{n}") };
    (1..).map(numbered).find(|name| !taken.contains(name)).unwrap_or_default()
}
