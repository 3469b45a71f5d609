//! `stormglass plan`: the value that is just enough, found by search over many runs.

use super::{Format, Outcome, complain, print, repeat};
use crate::experiment::breaks::{Step, breaks};
use crate::experiment::plan::Question;
use crate::experiment::runs::{Asked, Progress, Runs, Stop};
use crate::experiment::{Axis, Fault, Find, objective};
use crate::report::RunLogFile;
use crate::report::plan::{self, Objective, Part, PlanFolder, PlanResults};
use crate::scenario::diagnostic::Diagnostics;
use crate::scenario::model::Scenario;
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Find the value of a field that just meets an objective, by search over many runs.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  stormglass plan scenarios/pokemon-go/launch-50x.yaml --slo 'failed_ratio<=1%' \\
      --vary nodes.pool.max=1000..2500:50
  stormglass plan web.yaml --slo 'latency_p99<=500ms' --vary 'hpa/web.spec.maxReplicas=4..80'
  stormglass plan web.yaml --slo 'failed_ratio<=1%' --vary 'traffic.*.scale=1..20:0.5' --breaks

An interrupted plan goes on where it was when it is asked again.")]
pub(super) struct Plan {
    /// The scenario file.
    file: PathBuf,
    /// The field that is varied and its values: nodes.pool.max=100..2000, with a step
    /// =100..2000:50 or a factor =1..64:x2, or a list =100,200,500. Of several fields the last is
    /// searched for each value (at most 9) of the others.
    #[arg(long, value_name = "PATH=RANGE", required = true)]
    vary: Vec<String>,
    /// What has to hold, e.g. 'failed_ratio<=1%' or 'latency_p99 of web <= 500ms from 1h';
    /// several: all of them. Without it, what the scenario expects.
    #[arg(long, value_name = "OBJECTIVE")]
    slo: Vec<String>,
    /// Which end is sought; by default the largest load, and the smallest of anything else.
    #[arg(long, value_enum)]
    find: Option<Sought>,
    /// Of a load: what breaks first, what next when that is lifted, and so on. Lifted are
    /// maxReplicas, sizes of node groups, quotas, replicas of dependencies and CPU limits, to ten
    /// times as much.
    #[arg(long)]
    breaks: bool,
    /// A limit that may be lifted and its other value, in place of those found in the scenario; may
    /// be given several times. Implies --breaks.
    #[arg(long, value_name = "PATH=VALUE")]
    lift: Vec<String>,
    /// So many seeds, from 1 on; or a list of them.
    #[arg(long, default_value = "20", value_name = "N|LIST")]
    seeds: String,
    /// Share of seeds that has to meet the objective.
    #[arg(long, default_value = "95%", value_name = "SHARE")]
    meet: String,
    /// Confidence of intervals.
    #[arg(long, default_value = "95%", value_name = "SHARE")]
    confidence: String,
    /// Values that are looked at one by one where more is not always better.
    #[arg(long, default_value_t = 17, value_name = "N")]
    scan: usize,
    /// Change a field of all runs, e.g. duration=2h; may be given several times.
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Runs at a time; by default as many as there are cores. The answer does not depend on it.
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Folder below which results are written.
    #[arg(long, default_value = "results", value_name = "DIR")]
    out: PathBuf,
    /// Make all runs anew, also those that an interrupted plan has left.
    #[arg(long)]
    afresh: bool,
    /// Neither progress nor answer.
    #[arg(long)]
    quiet: bool,
    /// How to print the outcome.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Limits are lifted one after the other so many times at most.
const MOST_STEPS: usize = 8;
/// Values of a field that is not the searched one.
const MOST_OF_OTHERS: usize = 9;

/// Which end of a range is sought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Sought {
    /// The smallest value that is enough.
    Smallest,
    /// The largest value that is carried.
    Largest,
}

/// What stands between question and answer: bad input, or a bug.
enum Trouble {
    Input(String),
    Broken(String),
}

impl From<Diagnostics> for Trouble {
    fn from(errors: Diagnostics) -> Trouble {
        Trouble::Input(errors.to_string())
    }
}

impl Plan {
    pub(super) fn execute(&self) -> Outcome {
        match self.plan() {
            Ok(outcome) => outcome,
            Err(Trouble::Input(message)) => {
                complain(&message);
                Outcome::BadInput
            }
            Err(Trouble::Broken(message)) => {
                complain(&message);
                Outcome::Broken
            }
        }
    }

    fn plan(&self) -> Result<Outcome, Trouble> {
        let (question, others, set) = self.question()?;
        let unwritten = |e: crate::report::ReportError| Trouble::Input(format!("error: {e}"));
        let bar = self.progress_bar();
        let progress = |progress: Progress| match progress {
            Progress::Expected(runs) => bar.inc_length(runs as u64),
            Progress::Done(_) => bar.inc(1),
        };
        let (mut runs, scenario) = Runs::new(&self.file, &set, &program(), &progress)?;
        self.is_possible(&question, &others, &runs, &scenario)?;
        let log = RunLogFile::open(&self.out, &scenario.name, self.afresh).map_err(unwritten)?;
        runs.keep_in(&log);
        let hash = self.hash_of(&question, &others, &scenario);
        let folder = PlanFolder::create(&self.out, &scenario.name, &hash).map_err(unwritten)?;
        let threads = rayon::ThreadPoolBuilder::new().num_threads(self.jobs.unwrap_or(0));
        let threads = threads.build().map_err(|e| Trouble::Input(format!("error: {e}")))?;
        bar.enable_steady_tick(Duration::from_millis(200));
        let parts = threads.install(|| self.parts(&question, &others, &scenario, &runs));
        bar.finish_and_clear();
        let parts = parts.map_err(|stop| self.stopped(&set, stop))?;
        let objectives: Vec<Objective> = scenario.expect.iter().map(objective_of).collect();
        let results = PlanResults {
            version: env!("CARGO_PKG_VERSION"),
            scenario: &scenario.name,
            about: &scenario.question,
            file: &repeat::without_machine(&self.file),
            scenario_hash: &scenario.hash,
            command: &self.command(),
            currency: &scenario.observe.currency,
            objectives: &objectives,
            question: &question,
            parts: &parts,
            asks_what_breaks: self.asks_what_breaks(),
            repeat: &|asked: &Asked| self.run_command(&set, asked),
        };
        let path = folder.finish(&results).map_err(unwritten)?;
        Ok(self.conclude(&results, &path))
    }

    /// What is asked, and the changes of all runs.
    fn question(&self) -> Result<(Question, Vec<Axis>, Vec<String>), Trouble> {
        let mut faults = Vec::new();
        let mut note =
            |option: &str, text: &str, fault: Fault| faults.push(told(option, text, &fault));
        let axes: Vec<Option<Axis>> = self
            .vary
            .iter()
            .map(|text| Axis::parse(text).map_err(|fault| note("--vary", text, fault)).ok())
            .collect();
        let mut set = self.set.clone();
        if !self.slo.is_empty() {
            match objective::expect(&self.slo) {
                Ok(expect) => set.push(expect),
                Err((i, fault)) => note("--slo", &self.slo[i], fault),
            }
        }
        let seeds = seeds(&self.seeds);
        if let Err(fault) = &seeds {
            note("--seeds", &self.seeds, fault.clone());
        }
        let mut share = |option: &str, text: &str, whole: bool| match share(text, whole) {
            Ok(share) => share,
            Err(fault) => {
                note(option, text, fault);
                1.0
            }
        };
        let (meet, confidence) =
            (share("--meet", &self.meet, true), share("--confidence", &self.confidence, false));
        if !faults.is_empty() {
            return Err(Trouble::Input(faults.join("\n\n")));
        }
        let mut axes: Vec<Axis> = axes.into_iter().flatten().collect();
        let Some(axis) = axes.pop() else {
            return Err(Trouble::Input("error: nothing is varied".to_owned()));
        };
        let find = match self.find {
            Some(Sought::Smallest) => Find::Smallest,
            Some(Sought::Largest) => Find::Largest,
            None => Find::of(&axis.path),
        };
        let seeds = seeds.unwrap_or_default();
        let scan = self.scan.max(2);
        self.can_break(find, &axes)?;
        let question = Question { set: Vec::new(), axis, find, seeds, meet, confidence, scan };
        Ok((question, axes, set))
    }

    fn asks_what_breaks(&self) -> bool {
        self.breaks || !self.lift.is_empty()
    }

    /// Only a load breaks something, and only one at a time is followed.
    fn can_break(&self, find: Find, others: &[Axis]) -> Result<(), Trouble> {
        if !self.asks_what_breaks() || (find == Find::Largest && others.is_empty()) {
            return Ok(());
        }
        let message = "error: --breaks follows one load as it grows\n  = help: vary one, as with \
                       --vary 'traffic.*.scale=1..20'";
        Err(Trouble::Input(message.to_owned()))
    }

    /// One answer, or several.
    fn parts(
        &self,
        question: &Question,
        others: &[Axis],
        scenario: &Scenario,
        runs: &Runs<'_>,
    ) -> Result<Vec<Part>, Stop> {
        if self.asks_what_breaks() {
            let found = || crate::scenario::limits::lifts(scenario);
            let limits = if self.lift.is_empty() { found() } else { self.lift.clone() };
            let steps = breaks(question, &limits, MOST_STEPS, runs)?;
            let part = |step: Step| {
                let Step { lifted, answer, breaks } = step;
                Part { given: lifted, answer, breaks }
            };
            return Ok(steps.into_iter().map(part).collect());
        }
        let one = |given: Vec<String>| {
            let set = question.set.iter().chain(&given).cloned().collect();
            let answer = Question { set, ..question.clone() }.answer(runs)?;
            Ok(Part { given, answer, breaks: None })
        };
        grid(others).into_iter().map(one).collect()
    }

    /// Whether both ends of the range make a scenario, and there is something to hold.
    fn is_possible(
        &self,
        question: &Question,
        others: &[Axis],
        runs: &Runs<'_>,
        scenario: &Scenario,
    ) -> Result<(), Trouble> {
        if scenario.expect.is_empty() {
            let message = "error: nothing has to hold: the scenario expects nothing\n  = help: \
                           say what, as with --slo 'failed_ratio<=1%'";
            return Err(Trouble::Input(message.to_owned()));
        }
        let ends = [0, question.axis.count() - 1].map(|index| question.axis.set(index));
        for given in grid(others) {
            for end in &ends {
                let set: Vec<String> = given.iter().chain([end]).cloned().collect();
                runs.scenario(&set)?;
            }
        }
        for lift in &self.lift {
            runs.scenario(std::slice::from_ref(lift))?;
        }
        Ok(())
    }

    fn stopped(&self, set: &[String], stop: Stop) -> Trouble {
        match stop {
            Stop::Input(errors) => Trouble::Input(errors.to_string()),
            Stop::Log(message) => Trouble::Input(format!("error: {message}")),
            Stop::Broken(asked, violation) => {
                let all: Vec<String> = set.iter().chain(&asked.set).cloned().collect();
                let command = repeat::command(&self.file, asked.seed, None, &all, Some(1));
                Trouble::Broken(format!("{violation}\nseed {}; repeat with: {command}", asked.seed))
            }
        }
    }

    fn conclude(&self, results: &PlanResults<'_>, folder: &Path) -> Outcome {
        let found = results.parts.iter().all(|part| part.answer.value.is_some());
        let outcome = if found { Outcome::Fine } else { Outcome::Missed };
        let printed = match self.format {
            Format::Json => match std::fs::read_to_string(folder.join("plan.json")) {
                Ok(text) => print(&text),
                Err(_) => Outcome::BadInput,
            },
            Format::Text if !self.quiet => print(&plan::told(results, Some(folder))),
            Format::Text => Outcome::Fine,
        };
        printed.or(outcome)
    }

    /// The command that makes one of the runs, with its result folder.
    fn run_command(&self, set: &[String], asked: &Asked) -> String {
        let all: Vec<String> = set.iter().chain(&asked.set).cloned().collect();
        repeat::command(&self.file, asked.seed, None, &all, None)
    }

    /// The command that asks the same.
    fn command(&self) -> String {
        let file = repeat::without_machine(&self.file);
        let mut command = format!("stormglass plan {}", repeat::quoted(&file));
        let find = self.find.map(|find| match find {
            Sought::Smallest => "smallest".to_owned(),
            Sought::Largest => "largest".to_owned(),
        });
        let mut all: Vec<(&str, &String)> = Vec::new();
        all.extend(self.slo.iter().map(|slo| ("--slo", slo)));
        all.extend(self.vary.iter().map(|vary| ("--vary", vary)));
        all.extend(self.set.iter().map(|set| ("--set", set)));
        all.extend(self.lift.iter().map(|lift| ("--lift", lift)));
        all.extend(find.as_ref().map(|find| ("--find", find)));
        let scan = self.scan.to_string();
        all.extend([("--seeds", &self.seeds), ("--meet", &self.meet)]);
        all.extend([("--confidence", &self.confidence), ("--scan", &scan)]);
        for (option, value) in all {
            command.push_str(&format!(" {option} {}", repeat::quoted(value)));
        }
        if self.breaks {
            command.push_str(" --breaks");
        }
        command
    }

    /// Names the folder: equal questions to equal inputs share it.
    fn hash_of(&self, question: &Question, others: &[Axis], scenario: &Scenario) -> String {
        let mut hasher = blake3::Hasher::new();
        let seeds = format!("{:?}", question.seeds);
        let shares = format!("{} {} {}", question.meet, question.confidence, question.scan);
        let told = |axis: &Axis| format!("{}={}", axis.path, axis.range);
        let mut texts = vec![scenario.hash.clone(), told(&question.axis), seeds, shares];
        texts.push(question.find.word().to_owned());
        texts.extend(others.iter().map(told));
        if self.asks_what_breaks() {
            texts.push("breaks".to_owned());
            texts.extend(self.lift.iter().cloned());
        }
        for text in texts {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
        hasher.finalize().to_hex()[..10].to_owned()
    }

    fn progress_bar(&self) -> ProgressBar {
        let target =
            if self.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        let style = "{msg} [{bar:40}] {pos} of about {len} runs, {elapsed}, about {eta} more";
        let style = ProgressStyle::with_template(style);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message("planning");
        bar
    }
}

/// All combinations of values of these fields, few of each.
fn grid(others: &[Axis]) -> Vec<Vec<String>> {
    let with = |combinations: Vec<Vec<String>>, axis: &Axis| {
        let values = axis.spread(MOST_OF_OTHERS);
        let further = |given: &Vec<String>| {
            let with = |&index: &usize| given.iter().cloned().chain([axis.set(index)]).collect();
            values.iter().map(with).collect::<Vec<_>>()
        };
        combinations.iter().flat_map(further).collect()
    };
    others.iter().fold(vec![Vec::new()], with)
}

fn objective_of(expected: &crate::scenario::model::Expectation) -> Objective {
    Objective {
        text: expected.text.clone(),
        metric: expected.metric.clone(),
        at_least: expected.at_least,
        at_most: expected.at_most,
    }
}

/// `20` is 1 to 20; `1,4,7` are those.
fn seeds(text: &str) -> Result<Vec<u64>, Fault> {
    let wrong = |message: String| {
        Fault::new(0..text.len(), message).with("write --seeds 20 or --seeds 1,4,7")
    };
    let number = |text: &str| text.trim().parse::<u64>();
    let unread = |_| wrong(format!("`{text}` is no number of seeds"));
    if !text.contains(',') {
        return match number(text).map_err(unread)? {
            0 => Err(wrong("at least one seed is needed".to_owned())),
            n if n > 100_000 => Err(wrong(format!("{n} seeds are more than 100,000"))),
            n => Ok((1..=n).collect()),
        };
    }
    let listed: Result<Vec<u64>, _> = text.split(',').map(number).collect();
    let mut listed = listed.map_err(unread)?;
    listed.sort_unstable();
    listed.dedup();
    Ok(listed)
}

/// A share above 0, up to 1 (`whole`) or below it.
fn share(text: &str, whole: bool) -> Result<f64, Fault> {
    let parsed = crate::scenario::value::parse_ratio(text).ok();
    let fine = |share: &f64| *share > 0.0 && (*share < 1.0 || (whole && *share <= 1.0));
    parsed.filter(fine).ok_or_else(|| {
        let message = format!("`{text}` is no share between 0% and 100%");
        Fault::new(0..text.len(), message).with("write 95% or 0.95")
    })
}

/// A fault of an option, shown in its text.
fn told(option: &str, text: &str, fault: &Fault) -> String {
    let mut errors = Diagnostics::default();
    errors.files.push((option.to_owned(), text.to_owned()));
    errors.at(option, fault.span.clone(), fault.message.clone(), fault.hint.clone());
    let told = errors.to_string();
    told.rsplit_once("\n\n").map_or(told.clone(), |(told, _)| told.to_owned())
}

/// What tells this build from others: results of another build are not mixed with its own.
fn program() -> String {
    let file = std::env::current_exe().and_then(std::fs::metadata);
    let built = file.as_ref().ok().and_then(|file| file.modified().ok());
    let built = built.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    let (size, at) = (file.map_or(0, |file| file.len()), built.unwrap_or_default());
    format!("{} {size} {}", env!("CARGO_PKG_VERSION"), at.as_nanos())
}
