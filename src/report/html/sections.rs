//! The parts of the page that are text: header, tiles, story, expectations, how to repeat.

use super::escape;
use crate::record::summary::Summary;
use crate::record::wording::{clock, count, duration};
use crate::report::figures::{self, Mood};
use crate::report::manifest::Manifest;

/// The question, the verdict and the run in three sentences.
pub(super) fn header(summary: &Summary) -> String {
    let run = format!(
        "<p class=\"run\"><b>Stormglass</b> <span>{}</span> <span>seed {}</span> \
         <span>{} simulated</span></p>",
        escape(&summary.scenario),
        summary.seed,
        duration(summary.duration_s)
    );
    let verdict = match figures::verdict(&summary.expectations) {
        Some((true, text)) => format!("<p class=\"verdict held\">\u{2713} {text}</p>\n"),
        Some((false, text)) => format!("<p class=\"verdict missed\">\u{2717} {text}</p>\n"),
        None => String::new(),
    };
    let about = match summary.about.trim() {
        "" => String::new(),
        about => format!("<p class=\"about\">{}</p>\n", with_code(&escape(about))),
    };
    format!(
        "<header>\n{run}\n<h1>{}</h1>\n{verdict}<p class=\"lead\">{}</p>\n{about}</header>\n",
        escape(&summary.question),
        escape(&figures::lead(summary))
    )
}

/// What stands in backticks as code, as people write it; `text` is escaped already.
fn with_code(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        // One backtick has no partner.
        return text.to_owned();
    }
    let code = |(index, part): (usize, &&str)| match index % 2 {
        0 => (*part).to_owned(),
        _ => format!("<code>{part}</code>"),
    };
    parts.iter().enumerate().map(code).collect()
}

/// The key figures.
pub(super) fn tiles(summary: &Summary) -> String {
    let mut out = "<dl class=\"tiles\" aria-label=\"Key figures\">\n".to_owned();
    for figure in figures::figures(summary) {
        out += &format!(
            "<div class=\"card\"><dt>{}</dt><dd><b>{}</b><span>{}</span></dd></div>\n",
            figure.label,
            // A unit like pod-s is not broken at its hyphen.
            escape(&figure.value).replace('-', "\u{2011}"),
            escape(&figure.note)
        );
    }
    out + "</dl>\n"
}

/// The turning points, numbered as in the plots.
pub(super) fn story(summary: &Summary) -> String {
    let mut out = "<section class=\"card story\">\n<h2>What happened</h2>\n".to_owned();
    if summary.story.is_empty() {
        return out + "<p>Nothing that is worth a mention: a calm run.</p>\n</section>\n";
    }
    out += "<ol>\n";
    for point in &summary.story {
        let (name, mood) = figures::moment(point.kind);
        let class = match mood {
            Mood::Bad => "bad",
            Mood::Good => "good",
            Mood::Neutral => "neutral",
        };
        out += &format!(
            "<li class=\"{class}\"><p class=\"when\"><time>{}</time> {name}</p><p>{}</p></li>\n",
            clock(point.time_s),
            escape(&point.text)
        );
    }
    out + "</ol>\n</section>\n"
}

/// The scenario's assertions.
pub(super) fn expectations(summary: &Summary) -> String {
    if summary.expectations.is_empty() {
        return String::new();
    }
    let mut out = "<section class=\"card expectations\">\n<h2>Expectations</h2>\n<ul>\n".to_owned();
    for result in &summary.expectations {
        let (class, word) = if result.held { ("held", "held") } else { ("missed", "missed") };
        out += &format!(
            "<li class=\"{class}\"><b>{word}</b><p><code>{}</code><span>measured: {}</span></p></li>\n",
            escape(&result.text),
            escape(&figures::measured(result))
        );
    }
    out + "</ul>\n</section>\n"
}

/// The command and the hashes.
pub(super) fn repeat(manifest: &Manifest) -> String {
    format!(
        "<section class=\"card repeat\">\n<h2>Repeat this run</h2>\n\
         <p>The same version, inputs and seed give the same results, byte for byte.</p>\n\
         <pre tabindex=\"0\"><code>{}</code></pre>\n<dl>\n\
         <div><dt>Version</dt><dd>{}</dd></div>\n\
         <div><dt>Scenario hash</dt><dd><code>{}</code></dd></div>\n\
         <div><dt>Events</dt><dd>{}</dd></div>\n\
         <div><dt>Event log hash</dt><dd><code>{}</code></dd></div>\n</dl>\n</section>\n",
        escape(&manifest.repeat),
        escape(&manifest.version),
        escape(&manifest.scenario_hash),
        count(manifest.events, "event"),
        escape(&manifest.event_log_hash)
    )
}

/// What was accepted without effect.
pub(super) fn ignored(summary: &Summary) -> String {
    if summary.ignored.is_empty() {
        return String::new();
    }
    let mut out = format!(
        "<details class=\"card\">\n<summary><h2>{} without effect</h2></summary>\n<ul class=\"code\">\n",
        count(summary.ignored.len() as u64, "input")
    );
    for line in &summary.ignored {
        out += &format!("<li><code>{}</code></li>\n", escape(line));
    }
    out + "</ul>\n</details>\n"
}

/// All effective parameters.
pub(super) fn parameters(manifest: &Manifest) -> String {
    let text = format!("{:#}", manifest.parameters);
    format!(
        "<details class=\"card\">\n<summary><h2>All parameters</h2></summary>\n\
         <pre tabindex=\"0\"><code>{}</code></pre>\n</details>\n",
        escape(&text)
    )
}

/// Where the numbers are.
pub(super) fn footer(manifest: &Manifest) -> String {
    format!(
        "<footer>\n<p>Beside this page: <code>summary.json</code>, <code>timeseries.csv</code> and \
         <code>.parquet</code>, <code>events.csv</code>, <code>pods.csv</code>, \
         <code>nodes.csv</code>, <code>manifest.json</code> and the plots as SVG. Times are hours, \
         minutes and seconds of simulated time. Written by Stormglass {}.</p>\n</footer>\n",
        escape(&manifest.version)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backticks_become_code_in_pairs() {
        let rows = [
            ("no code", "plain", "plain"),
            ("a word", "set `a` and `b`", "set <code>a</code> and <code>b</code>"),
            ("one alone", "it`s", "it`s"),
        ];
        for (sentence, text, expected) in rows {
            assert_eq!(with_code(text), expected, "{sentence}");
        }
    }
}
