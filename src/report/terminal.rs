//! The story of a run for a terminal: at most 100 columns, readable without colour.

use super::figures::{self, Figure};
use crate::record::summary::{ExpectationResult, Summary};
use crate::record::wording::{clock, count, duration};
use std::path::Path;

/// Columns of a line at most.
const COLUMNS: usize = 100;

/// The question, the turning points, the key figures and the expectations of a run; `folder` is
/// where its files are, `None` when none were written.
pub fn story(summary: &Summary, folder: Option<&Path>) -> String {
    let mut out = String::new();
    paragraph(&mut out, "", "", &summary.question);
    let length = duration(summary.duration_s);
    let run = format!("{}, seed {}, {length} simulated", summary.scenario, summary.seed);
    paragraph(&mut out, "", "", &run);
    for part in &summary.levels {
        paragraph(&mut out, "", "", &part.line());
    }
    out.push('\n');
    paragraph(&mut out, "", "", &figures::lead(summary));
    timeline(&mut out, summary);
    key_figures(&mut out, &figures::figures(summary));
    expectations(&mut out, &summary.expectations);
    if !summary.ignored.is_empty() {
        let lines = count(summary.ignored.len() as u64, "input");
        out.push('\n');
        paragraph(&mut out, "", "", &format!("{lines} without effect, listed in summary.json"));
    }
    if let Some(folder) = folder {
        // Not broken: a path is there to be copied.
        out.push_str(&format!("\nReport  {}\n", folder.join("report.html").display()));
    }
    out
}

fn timeline(out: &mut String, summary: &Summary) {
    if summary.story.is_empty() {
        return;
    }
    out.push_str("\nWhat happened\n");
    let clocks: Vec<String> = summary.story.iter().map(|p| clock(p.time_s)).collect();
    let wide = clocks.iter().map(String::len).max().unwrap_or(0);
    for (point, clock) in summary.story.iter().zip(&clocks) {
        let first = format!("  {clock:>wide$}  ");
        paragraph(out, &first, &" ".repeat(wide + 4), &point.text);
    }
}

fn key_figures(out: &mut String, figures: &[Figure]) {
    out.push_str("\nKey figures\n");
    let label = figures.iter().map(|f| f.label.len()).max().unwrap_or(0);
    let value = figures.iter().map(|f| f.value.chars().count()).max().unwrap_or(0);
    for figure in figures {
        let first = format!("  {:label$}  {:>value$}  ", figure.label, figure.value);
        paragraph(out, &first, &" ".repeat(label + value + 6), &figure.note);
    }
}

fn expectations(out: &mut String, results: &[ExpectationResult]) {
    let Some((_, verdict)) = figures::verdict(results) else { return };
    out.push_str(&format!("\n{verdict}\n"));
    for result in results {
        let mark = if result.held { "  PASS  " } else { "  MISS  " };
        let text = format!("{} (measured: {})", result.text, figures::measured(result));
        paragraph(out, mark, "        ", &text);
    }
}

/// A missed expectation in one line.
pub fn missed(result: &ExpectationResult) -> String {
    format!("missed: {} (measured: {})", result.text, figures::measured(result))
}

/// Writes `text` broken at spaces; `first` and `rest` stand before its first and its other lines.
pub(super) fn paragraph(out: &mut String, first: &str, rest: &str, text: &str) {
    let mut line = first.to_owned();
    let mut empty = true;
    for word in text.split_whitespace() {
        let wide = line.chars().count() + usize::from(!empty) + word.chars().count();
        if !empty && wide > COLUMNS {
            end_line(out, &line);
            line = rest.to_owned();
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    end_line(out, &line);
}

fn end_line(out: &mut String, line: &str) {
    out.push_str(line.trim_end());
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::story::Moment;
    use crate::record::summary::Point;

    fn summary() -> Summary {
        let mut summary = Summary {
            scenario: "hello".into(),
            question: "What heals a crashed pod?".into(),
            seed: 1,
            duration_s: 600.0,
            ..Default::default()
        };
        summary.requests.offered = 60_000.0;
        summary.requests.served = 59_900.0;
        summary.requests.failed = 100.0;
        summary.requests.failed_ratio = 100.0 / 60_000.0;
        summary.objective.error_budget = 0.01;
        summary.objective.latency_s = 0.5;
        summary.story = vec![Point {
            time_s: 65.0,
            kind: Moment::FirstErrors,
            text: "the first requests fail ".to_owned() + &"again and ".repeat(10) + "again",
        }];
        let result = |held, measured| ExpectationResult {
            text: "failed_ratio at most 1%".into(),
            metric: "failed_ratio".into(),
            measured,
            held,
        };
        summary.expectations = vec![result(true, Some(0.0017)), result(false, None)];
        summary
    }

    #[test]
    fn the_story_reads_from_question_to_files() {
        let text = story(&summary(), Some(Path::new("results/hello/1")));
        let parts = [
            "What heals a crashed pod?\nhello, seed 1, 10m simulated\n",
            "\nIn 10m of simulated time 60,000 requests arrived; 0.167% of them failed.",
            "\nWhat happened\n  00:01:05  the first requests fail again and",
            "\n  Requests served      59,900  of 60,000; 100 failed, 0.167%",
            "\n1 of 2 expectations missed\n  PASS  failed_ratio at most 1% (measured: 0.17%)\n",
            "\n  MISS  failed_ratio at most 1% (measured: nothing to measure)\n",
            "\nReport  results/hello/1/report.html\n",
        ];
        let mut from = 0;
        for part in parts {
            let found = text[from..].find(part);
            assert!(found.is_some(), "`{part}` is missing, or out of order, in:\n{text}");
            from += found.unwrap();
        }
    }

    #[test]
    fn long_lines_are_broken_under_their_beginning() {
        let text = story(&summary(), None);
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS), "{text}");
        let broken = text.lines().find(|l| l.trim_start().starts_with("again")).unwrap();
        assert!(broken.starts_with("            again"), "{broken}");
    }
}
