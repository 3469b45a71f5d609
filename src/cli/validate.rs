//! `stormglass validate`: everything that is wrong with scenarios, without running them.

use super::{Format, Outcome, complain, print};
use crate::record::summary::LevelOfPart;
use crate::record::wording::count;
use crate::scenario::diagnostic::Diagnostics;
use crate::scenario::graph::model::{Level, Part};
use crate::scenario::model::{Ignored, Scenario};
use crate::scenario::{Overrides, load};
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Check scenarios and everything they name, without running them.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  stormglass validate scenarios/hello.yaml scenarios/pokemon-go/*.yaml")]
pub(super) struct Validate {
    /// Scenario files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// How to print the findings.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl Validate {
    pub(super) fn execute(&self) -> Outcome {
        let mut outcome = Outcome::Fine;
        let mut findings = Vec::new();
        for file in &self.files {
            let loaded = load(file, &Overrides::default());
            if loaded.is_err() {
                outcome = Outcome::BadInput;
            }
            match (&loaded, self.format) {
                (Ok(scenario), Format::Text) => {
                    let told = print(&describe(&file.display().to_string(), scenario));
                    outcome = outcome.or(told);
                }
                (Err(errors), Format::Text) => complain(&errors.to_string()),
                (_, Format::Json) => findings.push(as_json(&file.display().to_string(), &loaded)),
            }
        }
        if self.format == Format::Json {
            outcome = outcome.or(print(&format!("{:#}\n", Value::from(findings))));
        }
        outcome
    }
}

fn describe(file: &str, scenario: &Scenario) -> String {
    let objects = &scenario.objects;
    let mut text = format!("{file}: ok\n  {}\n", scenario.question);
    let nodes: u32 = scenario.node_groups.iter().map(|group| group.count).sum();
    text.push_str(&format!(
        "  {} of simulated time; {} at the start; {}, {}, {}, {}{}\n",
        scenario.duration,
        count(u64::from(nodes), "node"),
        count(objects.deployments.len() as u64, "Deployment"),
        count(objects.services.len() as u64, "Service"),
        count(objects.hpas.len() as u64, "autoscaler"),
        count(objects.pdbs.len() as u64, "disruption budget"),
        others(objects),
    ));
    text.push_str(&levels_told(scenario));
    for line in notes(scenario) {
        text.push_str(&format!("  note: {line}\n"));
    }
    text
}

/// How closely requests are followed, a line for each part of the graph that asks for something.
fn levels_told(scenario: &Scenario) -> String {
    let line = |part: &LevelOfPart| format!("  {}\n", part.line());
    let told: String = levels_of(scenario).iter().map(line).collect();
    match told.is_empty() && !scenario.traffic.is_empty() {
        true => "  requests as rates (level fluid): nothing asks for single ones\n".to_string(),
        false => told,
    }
}

/// At which levels requests are followed, where something asks for one.
pub(super) fn levels_of(scenario: &Scenario) -> Vec<LevelOfPart> {
    let names = scenario.objects.names_of_bearers();
    let part = |part: &Part| LevelOfPart {
        level: match part.level {
            Level::Fluid => "fluid".to_string(),
            Level::Requests => "requests".to_string(),
        },
        workloads: part.workloads.iter().map(|workload| names[*workload].clone()).collect(),
        why: part.why.clone(),
    };
    scenario.levels.iter().map(part).collect()
}

/// How many other objects there are, by kind.
fn others(objects: &crate::scenario::model::Objects) -> String {
    let mut kinds: Vec<(String, u64)> = Vec::new();
    for object in &objects.applied {
        let kind = object.target().kind.to_string();
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, number)) => *number += 1,
            None => kinds.push((kind, 1)),
        }
    }
    kinds.iter().map(|(kind, number)| format!(", {}", count(*number, kind))).collect()
}

/// What pods will wait for, and what was accepted without effect.
fn notes(scenario: &Scenario) -> Vec<String> {
    [lines(&scenario.awaited), lines(&scenario.ignored)].concat()
}

/// Notes, a line each.
pub(super) fn lines(notes: &[Ignored]) -> Vec<String> {
    let line = |i: &Ignored| {
        let fields = match i.fields.len() {
            0 => String::new(),
            n if n <= 6 => format!(" ({})", i.fields.join(", ")),
            n => format!(" ({} and {} more fields)", i.fields[..6].join(", "), n - 6),
        };
        format!("{}:{}: {}{fields}: {}", i.file, i.line, i.object, i.reason)
    };
    notes.iter().map(line).collect()
}

fn as_json(file: &str, loaded: &Result<Scenario, Diagnostics>) -> Value {
    match loaded {
        Ok(scenario) => json!({
            "file": file,
            "ok": true,
            "scenario": scenario.name,
            "question": scenario.question,
            "duration_s": scenario.duration.as_secs_f64(),
            "levels": levels_of(scenario),
            "notes": notes(scenario),
            "errors": [],
        }),
        Err(diagnostics) => {
            let error = |e: &crate::scenario::diagnostic::Diagnostic| {
                let place =
                    e.span.as_ref().map(|span| diagnostics.line_column(&e.file, span.start));
                json!({
                    "file": e.file,
                    "line": place.map(|(line, _)| line),
                    "column": place.map(|(_, column)| column),
                    "path": e.path,
                    "message": e.message,
                    "hint": e.hint,
                })
            };
            let errors: Vec<Value> = diagnostics.errors.iter().map(error).collect();
            json!({"file": file, "ok": false, "notes": [], "errors": errors})
        }
    }
}
