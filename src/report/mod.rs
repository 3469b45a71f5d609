//! The only writer of result files: tables, plots, the report page and the terminal's story.
//!
//! Everything goes to `results/<scenario>/<seed>/`, whole or not at all. It is handed rows and
//! summaries of [`record`](crate::record) and knows neither the event loop nor the scenario's
//! format. All files but `timing.json` are byte-identical between two equal runs: no wall clock,
//! no absolute paths.

mod cell;
mod costs_csv;
mod error;
pub mod explanation;
mod figures;
mod folder;
mod html;
mod lines;
mod manifest;
mod output;
pub mod plan;
pub mod plot;
mod run_log;
mod sink;
mod staging;
pub mod terminal;
mod timeseries;
mod timeseries_csv;
mod timeseries_parquet;

#[cfg(test)]
mod testing;

pub use error::ReportError;
pub use folder::{ResultFolder, Results};
pub use manifest::{Manifest, Timing};
pub use run_log::RunLogFile;
pub use sink::{EVENT_COLUMNS, NODE_COLUMNS, POD_COLUMNS, StreamingSink};
pub use timeseries::CLUSTER_SCOPE;
