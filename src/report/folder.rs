//! A run's result folder, `results/<scenario>/<seed>/`: which files are in it, and the order of
//! writing them.
//!
//! How the folder appears whole or not at all is in [`staging`](super::staging).

use super::error::ReportError;
use super::manifest::{Manifest, Timing, write_json, write_manifest};
use super::output::{Output, write_file};
use super::plot::{self, Format, Plot};
use super::sink::{self, StreamingSink};
use super::staging::{MANIFEST, Staging};
use super::{costs_csv, html, timeseries, timeseries_csv, timeseries_parquet};
use crate::record::rows::{ClusterSample, DeliveryRow, WorkloadSample};
use crate::record::summary::Summary;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Name of the folder of the plots.
const PLOTS: &str = "plots";

/// What a finished run hands over to be written.
#[derive(Clone, Copy, Debug)]
pub struct Results<'a> {
    /// The cluster's time series, by time.
    pub cluster: &'a [ClusterSample],
    /// The Deployments' time series, by time.
    pub workloads: &'a [WorkloadSample],
    /// What people were asked for.
    pub deliveries: &'a [DeliveryRow],
    /// Names of the Deployments, `namespace/name`, by index.
    pub names: &'a [String],
    /// The summary.
    pub summary: &'a Summary,
    /// What the run was.
    pub manifest: &'a Manifest,
    /// How fast it was.
    pub timing: Timing,
}

/// A result folder being written.
///
/// ```no_run
/// # use stormglass::record::Recorder;
/// # use stormglass::report::{ReportError, ResultFolder, Results};
/// # fn results<'a>() -> Results<'a> { unimplemented!() }
/// # fn main() -> Result<(), ReportError> {
/// let names = ["shop/web".to_owned()];
/// let folder = ResultFolder::create("results".as_ref(), "hello", 1)?;
/// let mut sink = folder.sink(&names)?;
/// let recorder = Recorder::new(&mut sink);
/// // ... the run ...
/// drop(recorder);
/// let path = folder.finish(sink, &results())?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ResultFolder {
    staging: Staging,
}

impl ResultFolder {
    /// Prepares `base/scenario/seed`; call it before the run, so that a place that can't be
    /// written fails at once.
    ///
    /// # Errors
    /// The place can't be written; another run writes there; `scenario` is no relative path; the
    /// folder holds files that no run has written.
    pub fn create(base: &Path, scenario: &str, seed: u64) -> Result<ResultFolder, ReportError> {
        Ok(ResultFolder { staging: Staging::create(base, scenario, &seed.to_string())? })
    }

    /// Where the results will be.
    pub fn path(&self) -> &Path {
        self.staging.target()
    }

    /// The sink of the run; `workloads` are the names of the Deployments by index.
    ///
    /// # Errors
    /// Its files can't be created, or there already is a sink of this folder.
    pub fn sink(&self, workloads: &[String]) -> Result<StreamingSink, ReportError> {
        StreamingSink::create(self.staging.partial(), workloads)
    }

    /// Writes all other files and puts the folder in its place; gives its path.
    ///
    /// # Errors
    /// Anything can't be written (also by `sink` during the run). Then the earlier results of the
    /// folder are still there, and nothing else.
    pub fn finish(
        self,
        sink: StreamingSink,
        results: &Results<'_>,
    ) -> Result<PathBuf, ReportError> {
        sink.close()?;
        let rows = || timeseries::rows(results.cluster, results.workloads, results.names);
        self.write("timeseries.csv", |out| timeseries_csv::write(out, rows()))?;
        self.write("timeseries.parquet", |out| timeseries_parquet::write(out, rows()))?;
        self.write("costs.csv", |out| costs_csv::write(out, &results.summary.cost.spending))?;
        self.write("summary.json", |out| write_json(out, results.summary))?;
        self.write("timing.json", |out| write_json(out, &results.timing))?;
        let plots = plot::Data::new(results);
        self.write_plots(&plots)?;
        self.write("report.html", |out| out.write_all(html::page(results, &plots)?.as_bytes()))?;
        let files = files(&plots, !results.deliveries.is_empty());
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        self.write(MANIFEST, |out| write_manifest(out, results.manifest, &files))?;
        self.staging.publish()
    }

    fn write(
        &self,
        name: &str,
        content: impl FnOnce(&mut Output) -> io::Result<()>,
    ) -> Result<(), ReportError> {
        write_file(self.staging.partial().join(name), content)
    }

    fn write_plots(&self, data: &plot::Data<'_>) -> Result<(), ReportError> {
        let folder = self.staging.partial().join(PLOTS);
        std::fs::create_dir(&folder).map_err(|e| ReportError::new("create", &folder, e))?;
        for plot in data.plots() {
            self.write(&plot_path(plot), |out| {
                out.write_all(plot.svg(data, Format::File)?.as_bytes())
            })?;
        }
        Ok(())
    }
}

fn plot_path(plot: Plot) -> String {
    format!("{PLOTS}/{}.svg", plot.name())
}

/// All files of a result folder, relative to it, sorted.
fn files(plots: &plot::Data<'_>, has_deliveries: bool) -> Vec<String> {
    let own = [
        "costs.csv",
        MANIFEST,
        "report.html",
        "summary.json",
        "timeseries.csv",
        "timeseries.parquet",
    ];
    let mut files: Vec<String> = own.into_iter().chain(sink::FILES).map(str::to_owned).collect();
    files.push("timing.json".to_owned());
    files.extend(has_deliveries.then(|| sink::DELIVERIES.to_owned()));
    files.extend(plots.plots().into_iter().map(plot_path));
    files.sort();
    files
}
