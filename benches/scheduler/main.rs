//! Scheduling decisions per CPU second, in the shapes of kube-scheduler's own performance suite and
//! some more.
//!
//! `cargo bench --bench scheduler [-- [--pods N] WORD...]` runs each workload of
//! `benches/workloads/` whose name holds one of the words; `--pods` changes how many are measured.
//! From a pod's creation to its binding, Events included: the informers' calls, the queue, the
//! cycle with the full default profile, assuming, the binding's return, the text of the Event.
//! Before it reports a figure it runs the beginning of the workload by the plain path as well, and
//! says nothing if one decision differs.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool")]
#![allow(clippy::unwrap_used, reason = "a benchmark that can't run shall say so and stop")]

mod cluster;
mod openb;
mod workload;

use cpu_time::ProcessTime;
use std::fs;
use std::path::Path;
use stormglass::control::scheduler::decision::Decision;
use workload::{Run, Workload, workloads};

/// Decisions of the measured part that are compared with the plain path's.
const COMPARED: usize = 1_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    // `cargo test --benches` only asks whether it builds.
    if arguments.iter().any(|a| a == "--test") {
        return;
    }
    let pods = arguments.iter().position(|a| a == "--pods");
    let count = pods.map(|at| arguments[at + 1].parse::<usize>().expect("--pods needs a number"));
    let is_word = |i: &usize| pods.is_none_or(|at| *i != at && *i != at + 1);
    let words: Vec<&String> = (0..arguments.len()).filter(is_word).map(|i| &arguments[i]).collect();
    let real = real_figures();
    println!(
        "| workload | decisions | CPU, s | decisions/CPU-s | must | compared with | ratio | \
         dry runs/CPU-s |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|");
    for mut workload in workloads() {
        let is_meant = match workload.long {
            true => words.iter().any(|w| **w == workload.name),
            false => words.is_empty() || words.iter().any(|w| workload.name.contains(*w)),
        };
        if is_meant {
            workload.measured.count = count.unwrap_or(workload.measured.count);
            row(&workload, &real);
        }
    }
    if words.is_empty() || words.iter().any(|w| "openb".contains(*w)) {
        openb_line();
    }
}

/// What the real scheduler reached: name and decisions per CPU second.
fn real_figures() -> Vec<(String, f64)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/workloads");
    let file = folder.join("kube-scheduler-1.37.2.json");
    let all: serde_json::Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let row = |r: &serde_json::Value| {
        (r["name"].as_str().unwrap().to_owned(), r["decisionsPerCPUSecond"].as_f64().unwrap())
    };
    all["results"].as_array().unwrap().iter().map(row).collect()
}

fn row(workload: &Workload, real: &[(String, f64)]) {
    if !is_equal_on_both_paths(workload) {
        println!("| {} | differs from the plain path | | | | | | |", workload.name);
        return;
    }
    let whole = ProcessTime::now();
    let mut fast = Run::new(workload, workload.nodes.count, true);
    let dry_runs_before = fast.cluster.scheduler.core().preemption_dry_runs();
    let start = ProcessTime::now();
    let count = fast.measure(usize::MAX, 0).count;
    let seconds = start.elapsed().as_secs_f64();
    let dry_runs = fast.cluster.scheduler.core().preemption_dry_runs() - dry_runs_before;
    let rate = count as f64 / seconds;
    let real = real.iter().find(|(name, _)| *name == workload.name).map(|r| r.1);
    let other = real.or(workload.peer);
    let number = |n: Option<f64>| n.map_or("-".to_owned(), |n| format!("{n:.0}"));
    println!(
        "| {} | {count} | {seconds:.3} | {rate:.0} | {} | {} | {} | {} |",
        workload.name,
        number(workload.must),
        number(other),
        number(other.map(|other| rate / other)),
        number((dry_runs > 0).then(|| dry_runs as f64 / seconds)),
    );
    if workload.long {
        let seconds = whole.elapsed().as_secs_f64();
        let peak = peak_megabytes();
        println!("\n{}: {seconds:.1} CPU-s with all objects made, {peak:.0} MB", workload.name);
    }
}

/// Whether the first decisions are those of the plain path.
fn is_equal_on_both_paths(workload: &Workload) -> bool {
    let nodes = workload.compared_nodes.unwrap_or(workload.nodes.count);
    let first = |fast| Run::new(workload, nodes, fast).measure(COMPARED, COMPARED).first;
    first(false) == first(true)
}

/// Peak memory of this process, as the kernel counts it.
fn peak_megabytes() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|l| l.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    kilobytes.map_or(f64::NAN, |kilobytes| kilobytes * 1024.0 / 1e6)
}

/// The replay of the trace; every decision of it is compared.
fn openb_line() {
    let start = ProcessTime::now();
    let trace = openb::Trace::read();
    let decisions = trace.replay(true, usize::MAX);
    let seconds = start.elapsed().as_secs_f64();
    if trace.replay(false, usize::MAX) != decisions {
        println!("\nopenb: differs from the plain path");
        return;
    }
    let is_placed = |d: &&Decision| matches!(d, Decision::Scheduled { .. });
    let placed = decisions.iter().filter(is_placed).count();
    let count = decisions.len();
    println!("\nopenb: {count} decisions, {placed} placed, {seconds:.3} CPU-s with reading it");
}
