//! Whole runs of the built binary, as a user starts it: CPU time, memory, and the cold start.
//!
//! `cargo bench --bench runs [-- [--times N] WORD...]` runs each scenario the path of which holds
//! one of the words: those of `benches/scenarios/` and those that ship. Rows go to stdout.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool")]
#![allow(clippy::unwrap_used, reason = "a benchmark that can't run shall say so and stop")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use wait4::Wait4;

const BINARY: &str = env!("CARGO_BIN_EXE_stormglass");

/// Where scenarios are looked for.
const FOLDERS: [&str; 2] = ["benches/scenarios", "scenarios"];

/// Starts of `stormglass --help`; the median is told.
const COLD_STARTS: usize = 31;

/// What one process cost.
#[derive(Clone, Copy)]
struct Cost {
    cpu: Duration,
    wall: Duration,
    peak_bytes: u64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    // `cargo test --benches` only asks whether it builds.
    if arguments.iter().any(|a| a == "--test") {
        return;
    }
    let (times, words) = parse(&arguments);
    let chosen = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word));
    if chosen("help") {
        cold_start();
    }
    let scenarios: Vec<PathBuf> = scenarios().into_iter().filter(|p| chosen(&text(p))).collect();
    if !scenarios.is_empty() {
        println!(
            "| scenario | events | CPU, s | of it simulating, s | events/CPU-s | peak, MB | \
             beyond reading it, MB |"
        );
        println!("|---|---:|---:|---:|---:|---:|---:|");
        scenarios.iter().for_each(|scenario| println!("{}", row(scenario, times)));
    }
}

fn parse(arguments: &[String]) -> (usize, Vec<String>) {
    let (mut times, mut words) = (3, Vec::new());
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if argument == "--times" {
            times = rest.next().and_then(|n| n.parse().ok()).expect("--times needs a number");
        } else {
            words.push(argument.clone());
        }
    }
    (times.max(1), words)
}

fn cold_start() {
    let mut costs: Vec<Cost> = (0..COLD_STARTS).map(|_| cost(&["--help"])).collect();
    costs.sort_by_key(|cost| cost.wall);
    let middle = costs[costs.len() / 2];
    println!(
        "`stormglass --help`: {:.1} ms from start to end, {:.1} ms of CPU, {} MB\n",
        middle.wall.as_secs_f64() * 1e3,
        middle.cpu.as_secs_f64() * 1e3,
        megabytes(middle.peak_bytes)
    );
}

/// One row of the table: the run with the median CPU time out of `times`.
fn row(scenario: &Path, times: usize) -> String {
    let out = std::env::temp_dir().join(format!("stormglass-bench-{}", std::process::id()));
    let run = ["run", &text(scenario), "--quiet", "--out", &text(&out)];
    let mut runs: Vec<(Cost, f64, u64)> = (0..times)
        .map(|_| {
            let cost = cost(&run);
            let folder = result_folder(&out).expect("a run leaves a result folder");
            let simulating = number(&folder.join("timing.json"), "wall_s");
            let events = number(&folder.join("manifest.json"), "events") as u64;
            fs::remove_dir_all(&out).unwrap();
            (cost, simulating, events)
        })
        .collect();
    runs.sort_by_key(|(cost, ..)| cost.cpu);
    let (cost, simulating, events) = runs[runs.len() / 2];
    let reading = self::cost(&["validate", &text(scenario)]);
    let cpu = cost.cpu.as_secs_f64();
    // The simulation's own clock is a wall clock: scaled to what of the process was CPU time.
    let simulating = simulating * cpu / cost.wall.as_secs_f64();
    format!(
        "| `{}` | {events} | {cpu:.2} | {simulating:.2} | {:.0} | {} | {} |",
        text(scenario),
        events as f64 / cpu,
        megabytes(cost.peak_bytes),
        megabytes(cost.peak_bytes.saturating_sub(reading.peak_bytes)),
    )
}

/// Runs the binary. A missed expectation (exit code 1) is no matter of speed; bad input is.
#[allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn cost(arguments: &[&str]) -> Cost {
    let start = Instant::now();
    let mut child =
        Command::new(BINARY).args(arguments).stdout(Stdio::null()).spawn().expect("it starts");
    let used = child.wait4().unwrap();
    let wall = start.elapsed();
    match used.status.code() {
        Some(0) => {}
        Some(1) => eprintln!("an expectation was missed: {}", arguments.join(" ")),
        code => panic!("exit code {code:?}: stormglass {}", arguments.join(" ")),
    }
    let cpu = used.rusage.utime + used.rusage.stime;
    Cost { cpu, wall, peak_bytes: used.rusage.maxrss }
}

/// All files that ask a question, in order.
fn scenarios() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "yaml") {
                let asks = |line: &str| line.starts_with("question:");
                if fs::read_to_string(&path).unwrap().lines().any(asks) {
                    found.push(path);
                }
            }
        }
    }
    let mut found = Vec::new();
    for folder in FOLDERS {
        let from = found.len();
        walk(Path::new(folder), &mut found);
        found[from..].sort();
    }
    found
}

/// The folder below `out` that holds the manifest of a run.
fn result_folder(out: &Path) -> Option<PathBuf> {
    if out.join("manifest.json").is_file() {
        return Some(out.to_path_buf());
    }
    let folders = fs::read_dir(out).ok()?.filter_map(Result::ok).map(|entry| entry.path());
    folders.filter(|path| path.is_dir()).find_map(|path| result_folder(&path))
}

fn number(file: &Path, field: &str) -> f64 {
    let value: serde_json::Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    value[field].as_f64().unwrap_or_else(|| panic!("{}: no `{field}`", file.display()))
}

fn megabytes(bytes: u64) -> String {
    format!("{:.0}", bytes as f64 / 1e6)
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
