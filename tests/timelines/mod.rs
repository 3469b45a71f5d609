//! Reads recorded timelines of the real control plane: gzip, one JSON object a line.
//!
//! Times in a recording are milliseconds since its start; stamps inside objects are whole seconds of
//! the wall clock, so instants here keep the fraction of a second at which the recording began.

#![allow(dead_code, reason = "each test binary uses its part")]

use flate2::read::GzDecoder;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use stormglass::units::SimTime;

/// A recording: its lines in the order received.
pub(crate) struct Timeline {
    pub lines: Vec<Value>,
    /// Instant of t = 0: 1,000 s and the fraction of the wall clock's second.
    origin_ms: u64,
}

impl Timeline {
    pub(crate) fn read(path: &Path) -> Timeline {
        let file = std::fs::File::open(path).unwrap();
        let lines = BufReader::new(GzDecoder::new(file)).lines();
        let lines: Vec<Value> =
            lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
        let start = lines[0]["start"].as_str().unwrap();
        let fraction = start.split_once('.').map_or("0", |(_, rest)| rest.trim_end_matches('Z'));
        let origin_ms = 1_000_000 + format!("{fraction:0<3}")[..3].parse::<u64>().unwrap();
        Timeline { lines, origin_ms }
    }

    /// The instant of a line.
    pub(crate) fn instant(&self, ms: i64) -> SimTime {
        SimTime((self.origin_ms as i64 + ms) as u64 * 1_000_000)
    }

    /// The instant of a stamp inside an object: a whole second.
    pub(crate) fn stamp(&self, ms: i64) -> SimTime {
        SimTime::from_secs((self.origin_ms as i64 + ms + 500) as u64 / 1000)
    }
}

/// The recordings of a scenario: a folder's `run*.ndjson.gz`, or kept ones named after it.
pub(crate) fn runs(directory: &Path, prefix: &str) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(directory) else { return found };
    for path in entries.map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.starts_with(prefix) {
            continue;
        }
        if path.is_dir() {
            found.extend(
                runs(&path, "run").into_iter().map(|(run, p)| (format!("{name}/{run}"), p)),
            );
        } else if name.ends_with(".ndjson.gz") {
            found.push((name, path));
        }
    }
    found.sort();
    found
}

/// The directory of the full set, beside the repository or one of its work trees.
pub(crate) fn full_set() -> Option<PathBuf> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let beside = home.ancestors().skip(1).take(2).map(|a| a.join("shared/golden/controlplane"));
    beside.into_iter().find(|d| d.is_dir())
}

/// The kept subset.
pub(crate) fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/controlplane")
}
