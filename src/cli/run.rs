//! `stormglass run`: one scenario, one seed, one result folder.

use super::validate::{levels_of, lines};
use super::{Format, Outcome, complain, print, repeat};
use crate::check::{Stride, Violation};
use crate::record::measure::Expected;
use crate::record::recorder::Discard;
use crate::record::summarize::{RunFacts, summarize};
use crate::record::summary::Summary;
use crate::record::{Recorder, Sink};
use crate::report::{Manifest, ReportError, ResultFolder, Results, Timing, terminal};
use crate::scenario::model::{Expectation, Scenario};
use crate::scenario::{Overrides, load};
use crate::units::SimTime;
use crate::world::{self, RunOptions};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::path::{Path, PathBuf};

/// Run a scenario and write its results.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  stormglass run scenarios/hello.yaml
  stormglass run scenarios/pokemon-go/launch-50x.yaml --seed 7 --set nodes.pool.max=2000")]
pub(super) struct Run {
    /// The scenario file.
    file: PathBuf,
    /// Root of all random numbers, in place of the scenario's.
    #[arg(long, allow_hyphen_values = true)]
    seed: Option<u64>,
    /// Stop at this simulated time, e.g. 2h; if that is early, expectations are not judged.
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    until: Option<String>,
    /// Change a field before checking, e.g. nodes.pool.max=2000; may be given several times.
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Folder below which results are written.
    #[arg(long, default_value = "results", value_name = "DIR")]
    out: PathBuf,
    /// Neither progress nor story.
    #[arg(long)]
    quiet: bool,
    /// Run twice and compare the event-log hashes.
    #[arg(long)]
    verify: bool,
    /// Recount the invariants after every so many events; 0: never. By default now and then, the
    /// more seldom the more pods there are.
    #[arg(long, value_name = "EVENTS")]
    check_every: Option<u64>,
    /// How to print the outcome.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Why a run did not come to its end.
enum Stopped {
    Report(ReportError),
    Violation(Violation),
}

impl Run {
    pub(super) fn execute(&self) -> Outcome {
        let changes = Overrides { set: self.set.clone(), until: self.until.clone() };
        let scenario = match load(&self.file, &changes) {
            Ok(scenario) => scenario,
            Err(errors) => {
                complain(&errors.to_string());
                return Outcome::BadInput;
            }
        };
        let seed = self.seed.unwrap_or(scenario.seed);
        if scenario.cut_short && !self.quiet {
            complain("note: stopped before the scenario's end: its expectations are not judged");
        }
        if !self.quiet {
            lines(&scenario.awaited).iter().for_each(|line| complain(&format!("note: {line}")));
        }
        match self.run_once(&scenario, seed) {
            Ok((summary, folder, hash)) => self.conclude(&scenario, seed, &summary, &folder, &hash),
            Err(Stopped::Report(error)) => {
                complain(&format!("error: {error}"));
                Outcome::BadInput
            }
            Err(Stopped::Violation(violation)) => self.broken(seed, &violation),
        }
    }

    /// One run with all its files: the summary, the folder and the event-log hash.
    fn run_once(
        &self,
        scenario: &Scenario,
        seed: u64,
    ) -> Result<(Summary, PathBuf, String), Stopped> {
        let folder =
            ResultFolder::create(&self.out, &scenario.name, seed).map_err(Stopped::Report)?;
        let names = scenario.names_of_stations();
        let mut sink = folder.sink(&names).map_err(Stopped::Report)?;
        let watch = Stopwatch::start();
        let run = self.simulate(scenario, seed, &mut sink)?;
        let wall_s = watch.seconds();
        let summary = summary_of(scenario, seed, &names, &run.recorder);
        let (events, hash) = (run.events, run.event_log_hash);
        let Recorder { cluster, workloads, deliveries, .. } = run.recorder;
        let manifest = self.manifest(scenario, seed, events, &hash);
        let timing = Timing {
            wall_s,
            events_per_s: events as f64 / wall_s.max(1e-9),
            peak_memory_bytes: peak_memory(),
        };
        let results = Results {
            cluster: &cluster,
            workloads: &workloads,
            deliveries: &deliveries,
            names: &names,
            summary: &summary,
            manifest: &manifest,
            timing,
        };
        let path = folder.finish(sink, &results).map_err(Stopped::Report)?;
        Ok((summary, path, hash))
    }

    fn simulate<'a>(
        &self,
        scenario: &'a Scenario,
        seed: u64,
        sink: &'a mut dyn Sink,
    ) -> Result<world::Run<'a>, Stopped> {
        let bar = self.progress_bar(scenario);
        let checks = match self.check_every {
            None => Stride::NowAndThen,
            Some(0) => Stride::Off,
            Some(n) => Stride::Events(n),
        };
        let show = |at: SimTime| bar.set_position(at.whole_secs());
        let run = world::run(scenario, seed, RunOptions { checks }, sink, show);
        bar.finish_and_clear();
        run.map_err(Stopped::Violation)
    }

    fn progress_bar(&self, scenario: &Scenario) -> ProgressBar {
        let target =
            if self.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let length = scenario.duration.0 / 1_000_000_000;
        let bar = ProgressBar::with_draw_target(Some(length), target);
        let style = ProgressStyle::with_template("{msg} [{bar:40}] {percent}% {elapsed}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message(scenario.name.clone());
        bar
    }

    /// Second run, story and exit code.
    fn conclude(
        &self,
        scenario: &Scenario,
        seed: u64,
        summary: &Summary,
        folder: &Path,
        hash: &str,
    ) -> Outcome {
        if self.verify {
            match self.simulate(scenario, seed, &mut Discard) {
                Ok(again) if again.event_log_hash == hash => {
                    complain(&format!("verified: both runs have event-log hash {hash}"));
                }
                Ok(again) => {
                    complain(&format!(
                        "error: two runs differ: event-log hashes {hash} and {}",
                        again.event_log_hash
                    ));
                    return Outcome::Broken;
                }
                Err(Stopped::Violation(violation)) => return self.broken(seed, &violation),
                Err(Stopped::Report(error)) => {
                    complain(&format!("error: {error}"));
                    return Outcome::BadInput;
                }
            }
        }
        let printed = match self.format {
            Format::Json => {
                print(&format!("{}\n", serde_json::to_string_pretty(summary).unwrap_or_default()))
            }
            Format::Text if !self.quiet => print(&terminal::story(summary, Some(folder))),
            Format::Text => Outcome::Fine,
        };
        let held = summary.expectations.iter().all(|expectation| expectation.held);
        if !held && self.quiet {
            for missed in summary.expectations.iter().filter(|e| !e.held) {
                complain(&terminal::missed(missed));
            }
        }
        printed.or(if held { Outcome::Fine } else { Outcome::Missed })
    }

    fn broken(&self, seed: u64, violation: &Violation) -> Outcome {
        complain(&self.how_it_broke(seed, violation));
        Outcome::Broken
    }

    /// What broke, when, and the command that shows it again, looking after every event.
    fn how_it_broke(&self, seed: u64, violation: &Violation) -> String {
        format!("{violation}\nseed {seed}; repeat with: {}", self.repeat(seed, Some(1)))
    }

    fn manifest(&self, scenario: &Scenario, seed: u64, events: u64, hash: &str) -> Manifest {
        Manifest {
            version: env!("CARGO_PKG_VERSION").to_string(),
            scenario: scenario.name.clone(),
            file: repeat::without_machine(&self.file),
            scenario_hash: scenario.hash.clone(),
            seed,
            set: self.set.clone(),
            until: self.until.clone(),
            events,
            event_log_hash: hash.to_string(),
            repeat: self.repeat(seed, self.check_every),
            parameters: scenario.parameters.clone(),
        }
    }

    /// The command that repeats this run, for a POSIX shell.
    fn repeat(&self, seed: u64, check_every: Option<u64>) -> String {
        let until = self.until.as_deref();
        repeat::command(&self.file, seed, until, &self.set, check_every)
    }
}

fn summary_of(
    scenario: &Scenario,
    seed: u64,
    names: &[String],
    recorder: &Recorder<'_>,
) -> Summary {
    let observe = &scenario.observe;
    let expected: Vec<Expected<'_>> = scenario.expect.iter().map(Expectation::expected).collect();
    let facts = RunFacts {
        scenario: &scenario.name,
        question: &scenario.question,
        about: &scenario.about,
        seed,
        duration: scenario.duration,
        workloads: names,
        target: observe.target(),
        currency: &observe.currency,
        levels: &levels_of(scenario),
        ignored: &lines(&scenario.ignored),
    };
    summarize(recorder, &facts, &expected)
}

/// The largest resident set of this process so far, where the system tells (Linux).
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

/// Wall time of a run. The one place that reads a clock: what it tells goes to `timing.json` only.
struct Stopwatch(std::time::Instant);

impl Stopwatch {
    #[allow(clippy::disallowed_methods, reason = "wall time of a run, kept out of all results")]
    fn start() -> Stopwatch {
        Stopwatch(std::time::Instant::now())
    }

    fn seconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_invariant_tells_seed_event_and_how_to_see_it_again() {
        let run = Run {
            file: "scenarios/hello.yaml".into(),
            seed: Some(7),
            until: Some("5m".into()),
            set: vec!["nodes.node.count=3".into()],
            out: "results".into(),
            quiet: true,
            verify: false,
            check_every: None,
            format: Format::Text,
        };
        let violation = Violation {
            invariant: "pods are conserved",
            found: "3 were created, 2 are there and 0 are gone".into(),
            time: SimTime::from_secs(61),
            event: 8192,
        };
        let told = run.how_it_broke(7, &violation);
        let expected = "invariant broken: pods are conserved: 3 were created, 2 are there and 0 are \
                        gone (at 00:01:01, event 8192)\nseed 7; repeat with: stormglass run \
                        scenarios/hello.yaml --seed 7 --until 5m --set nodes.node.count=3 \
                        --check-every 1";
        assert_eq!(told, expected);
    }
}
