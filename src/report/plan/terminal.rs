//! A plan for a terminal: the answer first, then what it rests on.

use super::super::terminal::paragraph;
use super::{Part, PlanResults, words};
use std::path::Path;

/// Question, answers, a table of values, and commands to look closer; `folder` is where the files
/// are.
pub fn told(results: &PlanResults<'_>, folder: Option<&Path>) -> String {
    let mut out = String::new();
    paragraph(&mut out, "", "", &words::question(results));
    paragraph(&mut out, "", "", &words::effort(results));
    if words::is_table(results) {
        out.push('\n');
        let (head, rows) = words::overview(results);
        table(&mut out, &std::iter::once(head).chain(rows).collect::<Vec<_>>());
        let lines = words::breaking(results);
        if !lines.is_empty() {
            out.push('\n');
        }
        lines.iter().for_each(|line| paragraph(&mut out, "", "  ", line));
    } else {
        results.parts.iter().for_each(|part| one(&mut out, results, part));
    }
    if let Some(folder) = folder {
        // Not broken: a path is there to be copied.
        out.push_str(&format!("\nReport  {}\n", folder.join("report.html").display()));
    }
    out
}

fn one(out: &mut String, results: &PlanResults<'_>, part: &Part) {
    out.push('\n');
    for line in words::answer(results, part) {
        paragraph(out, "", "  ", &line);
    }
    out.push_str("\nAsked of every seed\n");
    table(out, &rows(results, part));
    let commands = commands(results, part);
    if !commands.is_empty() {
        out.push_str("\nRuns to look at\n");
        for (what, command) in commands {
            out.push_str(&format!("  {what}\n    {command}\n"));
        }
    }
}

/// Head and rows of the values that every seed was asked at.
fn rows(results: &PlanResults<'_>, part: &Part) -> Vec<Vec<String>> {
    let head = words::columns(results);
    let tried = part.answer.tried.iter().map(|tried| words::row(results, tried));
    std::iter::once(head).chain(tried).collect()
}

/// Columns as wide as what is in them.
fn table(out: &mut String, rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let wide = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(wide).collect();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
        out.push_str(&format!("  {}\n", cells.collect::<Vec<_>>().join("  ").trim_end()));
    }
}

/// A run that just meets the objective, and one that just misses it.
fn commands(results: &PlanResults<'_>, part: &Part) -> Vec<(&'static str, String)> {
    let answer = &part.answer;
    let at = |value: &str, held: bool| {
        let is_there = |run: &&crate::experiment::plan::PlanRun| {
            results.question.axis.value(run.index) == value && run.outcome.held == held
        };
        answer.runs.iter().find(is_there).map(|run| (results.repeat)(&run.asked))
    };
    let met = at(&answer.at.value, true).map(|command| ("it is met", command));
    let next = answer.next.as_ref().unwrap_or(&answer.at);
    let missed = at(&next.value, false).map(|command| ("it is missed", command));
    met.into_iter().chain(missed).collect()
}
