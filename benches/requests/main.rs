//! Requests per CPU second through an M/M/c service, against SimPy and a simulator in Rust.
//!
//! `cargo bench --bench requests [-- --python PATH]` runs the same queue in all three, in turns: our
//! engine in this process, `mmc.py` in a Python that has SimPy, and `simcore/`, which it builds. The
//! mean time of a request is told beside the speed: they have to simulate the same thing. What
//! cannot be run is said and left out.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool")]
#![allow(clippy::unwrap_used, reason = "a benchmark that can't run shall say so and stop")]

use cpu_time::ProcessTime;
use std::path::Path;
use std::process::{Command, Stdio};
use stormglass::record::latency::LatencyHistogram;
use stormglass::sim::rng::Streams;
use stormglass::units::{SimDuration, SimTime};
use stormglass::world::requests::arrivals::POISSON;
use stormglass::world::requests::draws::Law;
use stormglass::world::requests::{Engine, EntryPlan, Plan, ServicePlan, StationPlan};
use wait4::Wait4;

/// Servers, and how busy they are.
const SIZES: [(u32, f64); 4] = [(1, 0.8), (8, 0.8), (100, 0.9), (1000, 0.9)];
/// Mean service time, seconds.
const SERVICE: f64 = 0.01;
/// How often each is run; the fastest counts, for the machine is shared.
const TIMES: usize = 3;
/// Requests of a run: as many as take some seconds.
const OURS: u64 = 10_000_000;
const IN_SIMCORE: u64 = 2_000_000;
const IN_SIMPY: u64 = 100_000;

/// Requests per CPU second, and their mean time in seconds.
#[derive(Clone, Copy)]
struct Speed {
    rate: f64,
    time: f64,
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|a| a != "--bench");
    let mut python = "python3".to_string();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            // `cargo test --benches` only asks whether it builds.
            "--test" => return,
            "--python" => python = arguments.next().expect("--python needs a path"),
            other => panic!("unknown argument {other}"),
        }
    }
    let simcore = build_simcore();
    println!(
        "| M/M/c | ours, requests/CPU-s | mean, ms | SimCore | mean, ms | times | SimPy | mean, ms | times |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|");
    for (servers, load) in SIZES {
        let rate = f64::from(servers) * load / SERVICE;
        let numbers = |requests: u64| {
            [servers.to_string(), rate.to_string(), SERVICE.to_string(), requests.to_string()]
        };
        let mut best: [Option<Speed>; 3] = [None; 3];
        for _ in 0..TIMES {
            let found = [
                Some(ours(servers, rate)),
                simcore.as_ref().and_then(|path| {
                    peer(Command::new(path).args(numbers(IN_SIMCORE)), IN_SIMCORE)
                }),
                peer(
                    Command::new(&python).arg("benches/requests/mmc.py").args(numbers(IN_SIMPY)),
                    IN_SIMPY,
                ),
            ];
            for (best, found) in best.iter_mut().zip(found) {
                *best =
                    [*best, found].into_iter().flatten().max_by(|a, b| a.rate.total_cmp(&b.rate));
            }
        }
        println!("{}", row(servers, load, best));
    }
}

fn row(servers: u32, load: f64, [ours, simcore, simpy]: [Option<Speed>; 3]) -> String {
    let mine = ours.map_or(f64::NAN, |speed| speed.rate);
    let columns = |speed: Option<Speed>| {
        speed.map_or("| - | - | - ".to_string(), |s| {
            format!("| {:.0} | {:.2} | {:.1} ", s.rate, s.time * 1e3, mine / s.rate)
        })
    };
    let first = ours.map_or(String::new(), |s| format!("{:.0} | {:.2} ", s.rate, s.time * 1e3));
    format!("| c = {servers}, load {load} | {first}{}{}|", columns(simcore), columns(simpy))
}

/// Our engine: everything that a run counts is counted, latencies included.
fn ours(servers: u32, rate: f64) -> Speed {
    let service = SimDuration::from_secs_f64(SERVICE);
    let plan = Plan {
        stations: vec![StationPlan::servers(servers, service, Law::Exponential)],
        services: vec![ServicePlan { primary: Some(0), ..ServicePlan::default() }],
        entries: vec![EntryPlan::Open { to: 0, process: POISSON, clients: None, addresses: None }],
    };
    let mut engine = Engine::new(&plan, &Streams::new(1));
    let pod = engine.add_pod(0);
    engine.set_alive(SimTime::ZERO, pod, true);
    engine.route(0, (0, pod), true);
    engine.set_rate(SimTime::ZERO, 0, rate);
    let start = ProcessTime::now();
    engine.run(SimTime::ZERO + SimDuration::from_secs_f64(OURS as f64 / rate));
    let took = start.elapsed().as_secs_f64();
    let mut latency = LatencyHistogram::default();
    let count = engine.take_station(0, &mut latency);
    assert_eq!(engine.broken_law(), None);
    Speed { rate: count.served as f64 / took, time: latency.mean().unwrap() }
}

/// A peer in a process of its own, its start included: it prints the requests served and their mean
/// time.
fn peer(command: &mut Command, requests: u64) -> Option<Speed> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
    let mut output = String::new();
    std::io::Read::read_to_string(child.stdout.as_mut()?, &mut output).ok()?;
    let used = child.wait4().ok()?;
    let mut words = output.split_whitespace();
    let served: u64 = words.next()?.parse().ok()?;
    let time: f64 = words.next()?.parse().ok()?;
    assert_eq!(served, requests, "it has to serve all");
    let cpu = (used.rusage.utime + used.rusage.stime).as_secs_f64();
    Some(Speed { rate: served as f64 / cpu, time })
}

/// The peer in Rust, built in release mode beside what else is built.
fn build_simcore() -> Option<std::path::PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/requests/simcore");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("simcore");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--release", "--manifest-path"])
        .arg(folder.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        // Flags of this build are not meant for the peer.
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .status();
    if !built.is_ok_and(|status| status.success()) {
        eprintln!("SimCore's queue could not be built and is left out");
        return None;
    }
    Some(target.join("release/mmc-in-simcore"))
}
