//! The plots of a result folder and of the report page.
//!
//! A plot file says what is shown, as `panel`s; `frame` draws. All plots share the time axis
//! and the numbered turning points. Bytes depend on the results only.

mod axis;
mod cost;
mod delivery;
mod demand;
mod frame;
mod latency;
mod legend;
mod nodes;
mod palette;
mod panel;
pub(super) mod plan;
mod replicas;
mod services;
mod sheet;
mod thin;

use super::folder::Results;
use crate::record::metric;
use crate::record::objective::{self, Target};
use crate::record::rows::ClusterSample;
use crate::units::SimDuration;
use frame::Frame;
use panel::{Panel, Points};
use std::io;

/// A plot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plot {
    /// Demand against what the ready pods can serve.
    Demand,
    /// Latency and errors.
    Latency,
    /// Which Deployment failed requests, and when.
    Services,
    /// Pods: desired, ready, not ready, waiting.
    Replicas,
    /// Nodes: ready, booting, the limit; CPU.
    Nodes,
    /// Cost per hour and so far.
    Cost,
    /// What people were asked for and what is live; only where anything was delivered.
    Delivery,
}

/// What a plot is drawn for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A file of its own: titled, on white.
    File,
    /// The report page, over its whole width.
    Banner,
    /// The report page, beside another plot or on a small screen: the page gives title and ground.
    Page,
    /// The report page on a phone.
    Phone,
}

/// What the plots show.
#[derive(Clone, Debug)]
pub struct Data<'a> {
    results: &'a Results<'a>,
    end_s: f64,
    marks: Vec<f64>,
    missed: Vec<(f64, f64)>,
}

impl<'a> Data<'a> {
    /// The plots' view of `results`.
    pub fn new(results: &'a Results<'a>) -> Data<'a> {
        let summary = results.summary;
        let objective = &summary.objective;
        let target =
            Target { error_budget: objective.error_budget, latency_s: objective.latency_s };
        let episodes = objective::episodes(results.cluster, target, SimDuration::ZERO);
        let missed = |e: objective::Episode| (e.from.as_secs_f64(), e.until.as_secs_f64());
        Data {
            results,
            // An axis needs a length.
            end_s: summary.duration_s.max(1.0),
            marks: summary.story.iter().map(|p| p.time_s.min(summary.duration_s)).collect(),
            missed: episodes.into_iter().map(missed).collect(),
        }
    }

    /// The plots that these results have, in the order of the page.
    pub fn plots(&self) -> Vec<Plot> {
        let delivery = self.results.summary.delivery.is_some().then_some(Plot::Delivery);
        Plot::ALL.into_iter().chain(delivery).collect()
    }

    /// Values of instants.
    fn over_time(&self, value: impl Fn(&ClusterSample) -> f64) -> Points {
        self.results.cluster.iter().map(|row| (row.time.as_secs_f64(), value(row))).collect()
    }

    /// Values of intervals: each holds from the interval's start to its end.
    fn over_intervals(&self, value: impl Fn(&ClusterSample) -> f64) -> Points {
        let rows = self.results.cluster.iter();
        rows.flat_map(|row| {
            let held = value(row);
            let from = objective::start_of(row).as_secs_f64();
            [(from, held), (row.time.as_secs_f64(), held)]
        })
        .collect()
    }

    fn frame(&self, plot: Plot, format: Format) -> Frame<'_> {
        let (marks, missed) = (&self.marks, &self.missed);
        let left = sheet::Measures::of(format).left;
        Frame { title: plot.title(), format, left, end_s: self.end_s, marks, missed }
    }
}

/// Requests a second of the `requests` in the interval of `row`.
fn per_second(row: &ClusterSample, requests: f64) -> f64 {
    let seconds = row.interval.as_secs_f64();
    if seconds > 0.0 { requests / seconds } else { 0.0 }
}

/// How values of a measure are written on an axis.
pub(super) fn unit_of(unit: Option<metric::Unit>) -> axis::Unit {
    match unit {
        Some(metric::Unit::Ratio) => axis::Unit::Share,
        Some(metric::Unit::Duration) => axis::Unit::Seconds,
        Some(metric::Unit::Number | metric::Unit::Rate) | None => axis::Unit::Amount,
    }
}

impl Plot {
    /// The plots of all results, in the order of the page.
    pub const ALL: [Plot; 6] =
        [Plot::Demand, Plot::Latency, Plot::Services, Plot::Replicas, Plot::Nodes, Plot::Cost];

    /// Name of its file, without extension.
    pub fn name(self) -> &'static str {
        match self {
            Plot::Demand => "demand",
            Plot::Latency => "latency",
            Plot::Services => "services",
            Plot::Replicas => "replicas",
            Plot::Nodes => "nodes",
            Plot::Cost => "cost",
            Plot::Delivery => "delivery",
        }
    }

    /// Its title.
    pub fn title(self) -> &'static str {
        match self {
            Plot::Demand => "Demand against capacity",
            Plot::Latency => "Latency and errors",
            Plot::Services => "Which services failed, and when",
            Plot::Replicas => "Pods",
            Plot::Nodes => "Nodes and CPU",
            Plot::Cost => "Cost",
            Plot::Delivery => "What people delivered",
        }
    }

    /// How to read it, in a sentence or two.
    pub fn reading(self) -> &'static str {
        match self {
            Plot::Demand => {
                "Where demand rises above what the ready pods can serve, queues fill and requests \
                 fail. The line is of the services that users call; where one behind them is \
                 short, requests fail below it."
            }
            Plot::Latency => {
                "Of the requests served in each interval, half are faster than p50, 99% faster than \
                 p99. Latency is on a logarithmic scale."
            }
            Plot::Services => {
                "The share of requests that failed at each service's own pods: what broke first, \
                 and what was only dragged along."
            }
            Plot::Replicas => {
                "Between the desired pods and the ready ones lie those that start or have failed, \
                 and those for which there is no node."
            }
            Plot::Nodes => {
                "Machines that serve and machines that boot, and how well their CPU is used."
            }
            Plot::Cost => "What the machines cost while they exist, used or not.",
            Plot::Delivery => {
                "Between what was asked for and what is live lies what waits for people, and what \
                 starts."
            }
        }
    }

    /// The picture as SVG.
    ///
    /// # Errors
    /// The drawing library failed; none is known to happen.
    pub fn svg(self, data: &Data<'_>, format: Format) -> io::Result<String> {
        let frame = data.frame(self, format);
        let panels: Vec<Panel> = match self {
            Plot::Demand => demand::panels(data),
            Plot::Latency => latency::panels(data),
            Plot::Services => return services::svg(data, &frame),
            Plot::Replicas => replicas::panels(data),
            Plot::Nodes => nodes::panels(data),
            Plot::Cost => cost::panels(data),
            Plot::Delivery => delivery::panels(data),
        };
        let labels = panels.iter().flat_map(|p| &p.layers).map(|l| l.label.as_str());
        let labels: Vec<&str> = labels.filter(|l| !l.is_empty()).collect();
        frame.svg(&panels, &format!("{} over time: {}", self.title(), labels.join(", ")))
    }
}
