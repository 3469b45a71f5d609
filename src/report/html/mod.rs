//! `report.html`: the story, the plots and the tables on one page without outside requests.
//!
//! It reads without JavaScript, on a phone, a projector, on paper and in the dark. All text of
//! users goes through `escape`.

mod escape;
mod sections;
mod tables;

pub(super) use escape::escape;

use super::folder::Results;
use super::plot::{Data, Format, Plot};
use std::io;

const STYLE: &str = include_str!("style.css");

/// The whole page.
pub(super) fn page(results: &Results<'_>, plots: &Data<'_>) -> io::Result<String> {
    let summary = results.summary;
    let mut page = head(&summary.question);
    page += &sections::header(summary);
    page += "<main>\n";
    page += &sections::tiles(summary);
    page += &figure(Plot::Demand, plots, &[Format::Banner, Format::Page, Format::Phone])?;
    page += &sections::story(summary);
    page += &sections::expectations(summary);
    page += "<div class=\"grid\">\n";
    // Neighbours are of about the same height.
    for plot in [Plot::Latency, Plot::Nodes, Plot::Replicas, Plot::Services, Plot::Cost] {
        page += &figure(plot, plots, &[Format::Page, Format::Phone])?;
    }
    page += "<div class=\"column\">\n";
    page += &tables::node_groups(summary);
    page += &sections::repeat(results.manifest);
    page += "</div>\n</div>\n";
    page += &tables::workloads(summary);
    page += &sections::ignored(summary);
    page += &sections::parameters(results.manifest);
    page += "</main>\n";
    page += &sections::footer(results.manifest);
    page += "</body>\n</html>\n";
    Ok(page)
}

fn head(title: &str) -> String {
    let title = escape(title);
    // The policy makes "no outside requests" something that the browser holds.
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n\
         <link rel=\"icon\" href=\"data:,\">\n\
         <title>{title} \u{2013} Stormglass</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n"
    )
}

/// A plot with its title, drawn for screens of several widths; the style sheet shows one.
fn figure(plot: Plot, plots: &Data<'_>, formats: &[Format]) -> io::Result<String> {
    let (name, title, reading) = (plot.name(), plot.title(), plot.reading());
    let mut out = format!(
        "<figure class=\"card plot {name}\">\n<figcaption><h2>{title}</h2><p>{reading}</p>\
         </figcaption>\n"
    );
    for format in formats {
        let class = match format {
            Format::Banner => "banner",
            Format::File | Format::Page => "wide",
            Format::Phone => "phone",
        };
        out += &format!("<div class=\"{class}\">{}</div>\n", plot.svg(plots, *format)?);
    }
    out += "</figure>\n";
    Ok(out)
}
