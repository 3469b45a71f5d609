//! Whole runs of the built binary, as a user starts it: CPU time, memory, and the cold start.
//!
//! `cargo bench --bench runs [-- [--times N] WORD...]` runs each scenario the path of which holds
//! one of the words: those of `benches/scenarios/` and those that ship; the year, and a plan of the
//! launch, only if a word asks for it. Rows go to stdout.

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

/// The scenario of which the memory is told by node and by pod, and its size.
const QUIET_WEEK: &str = "benches/scenarios/quiet-week.yaml";
const NODES: u64 = 5000;
const DEPLOYMENTS: u64 = 10;
const REPLICAS: u64 = 5000;

/// The scenario that runs only when a word asks for it: it takes minutes.
const YEAR: &str = "benches/scenarios/year.yaml";

/// A plan of the launch: some hundred runs. What it writes goes to a folder of its own.
const PLAN: [&str; 8] = [
    "plan",
    "scenarios/pokemon-go/launch-50x.yaml",
    "--vary",
    "nodes.pool.max=1000..3000:50",
    "--slo",
    "failed_ratio<=5%",
    "--quiet",
    "--afresh",
];

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
    if chosen(QUIET_WEEK) {
        memory_of_nodes_and_pods(times);
    }
    if words.iter().any(|word| word == "plan") {
        plan();
        return;
    }
    let is_wanted = |name: &str| chosen(name) && (name != YEAR || !words.is_empty());
    let scenarios: Vec<PathBuf> = scenarios().into_iter().filter(|p| is_wanted(&text(p))).collect();
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

/// What a node and a pod of the quiet week take: its peak memory, less that of the same week with
/// fewer of them. What does not grow with either falls out: the program, the manifests, the rows.
fn memory_of_nodes_and_pods(times: usize) {
    let peak = |nodes, replicas| {
        let folder = std::env::temp_dir().join(format!("stormglass-quiet-{}", std::process::id()));
        let scenario = quiet_week(&folder, nodes, replicas);
        let run = ["run", &text(&scenario), "--quiet", "--out", &text(&folder.join("out"))];
        let mut peaks: Vec<u64> = (0..times).map(|_| cost(&run).peak_bytes).collect();
        fs::remove_dir_all(&folder).unwrap();
        peaks.sort_unstable();
        peaks[peaks.len() / 2]
    };
    let (none, nodes, all) = (peak(1, 1), peak(NODES, 1), peak(NODES, REPLICAS));
    println!(
        "`{QUIET_WEEK}`: {NODES} nodes and {} pods take {:.1} MB beyond the same week with one node \
         and ten pods: {} B a node and {} B a pod\n",
        DEPLOYMENTS * REPLICAS,
        all.saturating_sub(none) as f64 / 1e6,
        nodes.saturating_sub(none) / NODES,
        all.saturating_sub(nodes) / (DEPLOYMENTS * REPLICAS),
    );
}

/// A copy of the quiet week in `folder` with so many nodes, and so many pods of each Deployment.
fn quiet_week(folder: &Path, nodes: u64, replicas: u64) -> PathBuf {
    let source = Path::new(QUIET_WEEK);
    let manifests = source.with_extension("");
    let to = folder.join(manifests.file_name().unwrap());
    fs::create_dir_all(&to).unwrap();
    for path in fs::read_dir(&manifests).unwrap().map(|entry| entry.unwrap().path()) {
        let manifest = resized(&path, &[("replicas: ", replicas), ("minReplicas: ", replicas)]);
        fs::write(to.join(path.file_name().unwrap()), manifest).unwrap();
    }
    let pods = DEPLOYMENTS * replicas;
    let numbers = [
        ("count: ", nodes),
        ("min: ", nodes),
        ("rate: ", 30 * replicas),
        ("pods_created: {at-least: ", pods),
        ("pods_ready_min: {at-least: ", pods),
    ];
    let scenario = folder.join(source.file_name().unwrap());
    fs::write(&scenario, resized(source, &numbers)).unwrap();
    scenario
}

/// A file's text with other numbers behind these words, where there are any.
fn resized(file: &Path, numbers: &[(&str, u64)]) -> String {
    let mut text = fs::read_to_string(file).unwrap();
    for (word, number) in numbers {
        let pieces: Vec<&str> = text.split(word).collect();
        assert!(pieces.len() > 1, "{}: no `{word}`", file.display());
        let rest = pieces[1..].iter().map(|piece| {
            let rest = piece.trim_start_matches(|c: char| c.is_ascii_digit());
            let behind = if rest == *piece { String::new() } else { number.to_string() };
            format!("{word}{behind}{rest}")
        });
        text = pieces[0].to_string() + &rest.collect::<String>();
    }
    text
}

/// Runs of a plan beside a single run of the same scenario.
fn plan() {
    let out = std::env::temp_dir().join(format!("stormglass-bench-{}", std::process::id()));
    let out_text = text(&out);
    let asked: Vec<&str> = PLAN.into_iter().chain(["--out", &out_text]).collect();
    let all = cost(&asked);
    let folder = result_folder(&out).expect("a plan leaves a folder");
    let plan = fs::read(folder.join("plan.json")).unwrap();
    let plan: serde_json::Value = serde_json::from_slice(&plan).unwrap();
    let runs = plan["runs"].as_array().unwrap().len();
    let one = cost(&["run", PLAN[1], "--quiet", "--out", &out_text]);
    fs::remove_dir_all(&out).unwrap();
    let (cpu, wall) = (all.cpu.as_secs_f64(), all.wall.as_secs_f64());
    println!(
        "`stormglass {}`: {runs} runs, {:.2} CPU-s a run ({:.2} for one `stormglass run`), {wall:.0} s \
         in all, {} MB; a thousand such runs take {:.0} CPU-s\n",
        PLAN[..6].join(" "),
        cpu / runs as f64,
        one.cpu.as_secs_f64(),
        megabytes(all.peak_bytes),
        cpu / runs as f64 * 1000.0,
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
