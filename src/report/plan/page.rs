//! `report.html` of a plan: answers, plots and tables on one page without outside requests.

use super::super::html::{escape, head, tables::table};
use super::super::plot::Format;
use super::{Part, PlanResults, plot, words};
use crate::record::wording::count;
use std::io;

/// The whole page.
pub(super) fn page(results: &PlanResults<'_>) -> io::Result<String> {
    let mut page = head(&words::question(results));
    page += &header(results);
    page += "<main>\n";
    if words::is_table(results) {
        let (head, rows) = words::overview(results);
        let columns: Vec<&str> = head.iter().map(String::as_str).collect();
        let reading = "Each row is a search of its own, over the same seeds.";
        page += &table("All answers", reading, &columns, rows.into_iter());
    }
    for part in results.parts {
        page += &figure(results, part)?;
        page += &tried(results, part);
        page += &seeds(results, part);
    }
    page += &again(results);
    page += "</main>\n";
    page += &format!(
        "<footer>\n<p>Beside this page: <code>plan.json</code>, <code>runs.csv</code> with a command \
         for each run, <code>manifest.json</code> and the plot as SVG. Written by Stormglass {}.\
         </p>\n</footer>\n",
        escape(results.version)
    );
    page += "</body>\n</html>\n";
    Ok(page)
}

fn header(results: &PlanResults<'_>) -> String {
    let mut out = format!(
        "<header>\n<p class=\"run\"><b>Stormglass</b> <span>{}</span></p>\n<h1>{}</h1>\n",
        escape(&words::effort(results)),
        escape(&words::question(results)),
    );
    let lines = words::breaking(results);
    if !lines.is_empty() {
        out += &format!("<p class=\"lead\">{}</p>\n", escape(&lines.join(" ")));
    }
    for part in results.parts.iter().filter(|_| !words::is_table(results)) {
        let lines = words::answer(results, part);
        let (first, rest) = lines.split_first().map_or(("", &[][..]), |(f, r)| (f.as_str(), r));
        let (class, mark) = match part.answer.value {
            Some(_) => ("held", '\u{2713}'),
            None => ("missed", '\u{2717}'),
        };
        out += &format!("<p class=\"verdict {class}\">{mark} {}</p>\n", escape(first));
        out += &format!("<p class=\"lead\">{}</p>\n", escape(&rest.join(" ")));
    }
    out + &format!("<p class=\"about\">{}</p>\n</header>\n", escape(results.about))
}

fn figure(results: &PlanResults<'_>, part: &Part) -> io::Result<String> {
    let plot = plot::plot(results, part);
    let reading = "Above, the share of seeds whose own answer a value meets, with its interval; \
                   below, what each run measured.";
    let title = match part.given.as_slice() {
        [] => "Who meets the objective".to_owned(),
        given => format!("Who meets the objective with {}", given.join(" ")),
    };
    let mut out = format!(
        "<figure class=\"card plot plan\">\n<figcaption><h2>{}</h2><p>{reading}</p>\
         </figcaption>\n",
        escape(&title)
    );
    let formats = [("banner", Format::Banner), ("wide", Format::Page), ("phone", Format::Phone)];
    for (class, format) in formats {
        out += &format!("<div class=\"{class}\">{}</div>\n", plot.svg(&title, format)?);
    }
    Ok(out + "</figure>\n")
}

/// The values that every seed was asked at.
fn tried(results: &PlanResults<'_>, part: &Part) -> String {
    let head = words::columns(results);
    let columns: Vec<&str> = head.iter().map(String::as_str).collect();
    let reading = "Mean over the seeds, with the least and the most.";
    let rows = part.answer.tried.iter().map(|tried| words::row(results, tried));
    table("Values asked of every seed", reading, &columns, rows)
}

/// What each seed has by itself, with the command that shows it.
fn seeds(results: &PlanResults<'_>, part: &Part) -> String {
    let title =
        format!("The answer of each of {}", count(part.answer.thresholds.len() as u64, "seed"));
    let reading = "Found by halving, each with its own random numbers, the same at every value.";
    let row = |threshold: &crate::experiment::plan::Threshold| {
        let value = threshold.value.clone().unwrap_or_else(|| "none".to_owned());
        let run = part
            .answer
            .runs
            .iter()
            .find(|run| Some(run.index) == threshold.index && run.asked.seed == threshold.seed);
        let command = run.map_or(String::new(), |run| (results.repeat)(&run.asked));
        vec![threshold.seed.to_string(), value, command]
    };
    let rows = part.answer.thresholds.iter().map(row);
    table(&title, reading, &["Seed", &results.question.axis.path, "Its run"], rows)
}

fn again(results: &PlanResults<'_>) -> String {
    format!(
        "<section class=\"card repeat\">\n<h2>Ask again</h2>\n\
         <p>The same version, inputs and question give the same answer, byte for byte.</p>\n\
         <pre tabindex=\"0\"><code>{}</code></pre>\n<dl>\n\
         <div><dt>Version</dt><dd>{}</dd></div>\n\
         <div><dt>Scenario hash</dt><dd><code>{}</code></dd></div>\n</dl>\n</section>\n",
        escape(results.command),
        escape(results.version),
        escape(results.scenario_hash),
    )
}
