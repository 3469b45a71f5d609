//! `report.html`: the story, the plots and the tables on one page without outside requests.
//!
//! It reads without JavaScript, on a phone, a projector, on paper and in the dark. All text of
//! users goes through `escape`.

mod escape;
mod sections;
pub(super) mod tables;

pub(super) use escape::escape;

use super::folder::Results;
use super::plot::{Data, Format, Plot};
use std::io;

/// Up to so many services, their plot is as low as a table.
const FEW_SERVICES: usize = 4;
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
    page += &grid(results, plots)?;
    if summary.delivery.is_some() {
        page += &figure(Plot::Delivery, plots, &[Format::Banner, Format::Page, Format::Phone])?;
        page += &tables::delivery(summary);
    }
    page += &tables::workloads(summary);
    page += &tables::spending(summary);
    page += &sections::ignored(summary);
    page += &sections::parameters(results.manifest);
    page += "</main>\n";
    page += &sections::footer(results.manifest);
    page += "</body>\n</html>\n";
    Ok(page)
}

/// The plots beside one another, with the tables that fit between them. Neighbours are of about
/// the same height.
fn grid(results: &Results<'_>, plots: &Data<'_>) -> io::Result<String> {
    let plot = |plot| figure(plot, plots, &[Format::Page, Format::Phone]);
    let machines = tables::node_groups(results.summary);
    let repeat = sections::repeat(results.manifest);
    let column = |cards: [&str; 2]| format!("<div class=\"column\">\n{}</div>\n", cards.concat());
    let services = plot(Plot::Services)?;
    let mut out = "<div class=\"grid\">\n".to_owned();
    out += &plot(Plot::Latency)?;
    out += &plot(Plot::Nodes)?;
    out += &plot(Plot::Replicas)?;
    // With a row for each, the plot of services grows with their number.
    if results.names.len() <= FEW_SERVICES {
        out += &plot(Plot::Cost)?;
        out += &column([&services, &machines]);
        out += &repeat;
    } else {
        out += &services;
        out += &plot(Plot::Cost)?;
        out += &column([&machines, &repeat]);
    }
    Ok(out + "</div>\n")
}

pub(super) fn head(title: &str) -> String {
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
