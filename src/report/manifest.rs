//! `summary.json`, `manifest.json` and `timing.json`.

use super::output::Output;
use serde::Serialize;
use std::io::{self, Write};

/// What a run was: enough to repeat it and to see that the repetition is equal.
#[derive(Clone, Debug, Serialize)]
pub struct Manifest {
    /// Version of Stormglass.
    pub version: String,
    /// Name of the scenario.
    pub scenario: String,
    /// The scenario file, as the command line named it; without absolute paths.
    pub file: String,
    /// blake3 of all input bytes and overrides, hexadecimal.
    pub scenario_hash: String,
    /// Root seed.
    pub seed: u64,
    /// What `--set` changed in the scenario file, `path=value` each, in order.
    pub set: Vec<String>,
    /// Where `--until` stopped the run; `null`: at the scenario's end.
    pub until: Option<String>,
    /// Number of events that the kernel ran.
    pub events: u64,
    /// Rolling hash of the event log, hexadecimal.
    pub event_log_hash: String,
    /// The command that repeats the run; without absolute paths.
    pub repeat: String,
    /// All effective parameters, defaults included, named as a scenario file names them.
    pub parameters: serde_json::Value,
}

/// How fast a run was: the one result that differs between equal runs.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Timing {
    /// Wall time of the simulation, seconds.
    pub wall_s: f64,
    /// Events per second of wall time.
    pub events_per_s: f64,
    /// Peak memory of the process, bytes; `null` where it is not known.
    pub peak_memory_bytes: Option<u64>,
}

/// The manifest as it is written: with the files that belong to the folder.
#[derive(Serialize)]
struct Written<'a> {
    #[serde(flatten)]
    manifest: &'a Manifest,
    files: &'a [&'a str],
}

/// Writes the manifest of a folder with `files`.
pub(super) fn write_manifest(
    output: &mut Output,
    manifest: &Manifest,
    files: &[&str],
) -> io::Result<()> {
    write_json(output, &Written { manifest, files })
}

/// Writes any of the JSON files: indented, keys in the order of the types, a line feed at the end.
pub(super) fn write_json(output: &mut Output, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *output, value)?;
    output.write_all(b"\n")
}
