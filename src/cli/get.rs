//! `stormglass get`: objects of a finished run's cluster at any instant, as kubectl prints them.

use super::again::{Again, Trouble};
use super::look::{self, Hears, Memory, Sees, When};
use super::{Outcome, complain, print};
use crate::api::kind::Kind;
use crate::api::labels::Selector;
use crate::print::get::{Form, Request, get};
use crate::print::path::Path as JsonPath;
use crate::print::selector;
use crate::print::watch::Watch;
use crate::units::SimTime;
use crate::world::Look;
use clap::Args;
use std::path::PathBuf;

/// What `all` means.
const ALL: &[&str] = &["po", "rc", "svc", "ds", "deploy", "rs", "sts", "hpa", "cj", "job"];

/// Print objects of the cluster of a finished run at any instant, as kubectl does.
#[derive(Debug, Args)]
#[command(after_help = "\
Kinds, as kubectl names them: pods, nodes, deployments, replicasets, replicationcontrollers,
statefulsets, daemonsets, jobs, cronjobs, services, endpoints, endpointslices, hpa, vpa, pdb,
namespaces, events, componentstatuses; several with commas between them, or all.

Examples:
  stormglass get results/hello/1 pods --at 2m1s
  stormglass get results/hello/1 deploy/web -o yaml
  stormglass get results/hello/1 pods -l app=web -o custom-columns=POD:.metadata.name

The run is repeated for it, so the scenario and what it names must still be there, unchanged.")]
pub(super) struct Get {
    /// A result folder, like results/hello/1.
    result: PathBuf,
    /// KIND, KIND NAME... or KIND/NAME...
    #[arg(required = true, value_name = "KIND")]
    what: Vec<String>,
    #[command(flatten)]
    when: When,
    /// wide, yaml, json, name or custom-columns=HEADER:PATH,...
    #[arg(short, long)]
    output: Option<String>,
    /// The namespace.
    #[arg(short, long, default_value = "default")]
    namespace: String,
    /// Objects of all namespaces.
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Only objects with these labels, e.g. app=web,tier!=db.
    #[arg(short = 'l', long)]
    selector: Option<String>,
    /// Sort by the value at a path, e.g. .metadata.creationTimestamp.
    #[arg(long, value_name = "PATH")]
    sort_by: Option<String>,
    /// Then print a line for each change, from the given time (default: the start) to the end.
    #[arg(short, long)]
    watch: bool,
    /// No headers.
    #[arg(long)]
    no_headers: bool,
    /// A last column with the labels.
    #[arg(long)]
    show_labels: bool,
}

impl Get {
    pub(super) fn execute(&self) -> Outcome {
        self.print().unwrap_or_else(|trouble| trouble.tell())
    }

    fn print(&self) -> Result<Outcome, Trouble> {
        let request = self.request()?;
        let again = Again::of(&self.result, self.when.scenario.as_deref())?;
        if self.watch {
            return self.follow(&again, request);
        }
        let instant = self.when.instant(&again, SimTime::ZERO + again.scenario.duration)?;
        let printed = look::at(&again, instant, |snapshot| get(snapshot, &request))?;
        let outcome = print(&printed.text);
        printed.notes.iter().for_each(|note| complain(note));
        Ok(outcome.or(if printed.missing { Outcome::Missed } else { Outcome::Fine }))
    }

    fn follow(&self, again: &Again, request: Request) -> Result<Outcome, Trouble> {
        let wrong = |message: String| Trouble::Input(format!("error: {message}"));
        let broken = |violation: crate::check::Violation| Trouble::Broken(violation.to_string());
        let mut watch = Watch::new(request).map_err(wrong)?;
        let end = SimTime::ZERO + again.scenario.duration;
        let instant = self.when.instant(again, SimTime::ZERO)?;
        let memory = Memory::default();
        let (mut hears, mut sees) = (Hears(&memory), Sees(&memory));
        let mut run = Look::new(&again.scenario, again.seed, &mut hears, &mut sees);
        memory.chronicle.borrow_mut().begin(run.store());
        run.advance(instant).map_err(broken)?;
        memory.chronicle.borrow_mut().follow();
        memory.told.borrow_mut().follow();
        let first = look::show(&run, &memory, |snapshot| watch.begin(snapshot));
        let mut outcome = print(&first);
        while outcome == Outcome::Fine && run.step(end).map_err(broken)? {
            let fresh = memory.chronicle.borrow_mut().take_fresh();
            let told = memory.told.borrow_mut().take_fresh();
            if !fresh.is_empty() || !told.is_empty() {
                outcome = print(&look::show(&run, &memory, |snapshot| {
                    watch.tell(snapshot, &fresh) + &watch.tell_events(snapshot, &told)
                }));
            }
        }
        look::finish(again, run, end)?;
        Ok(outcome)
    }

    fn request(&self) -> Result<Request, Trouble> {
        let wrong =
            |flag: &str, message: String| Trouble::Input(format!("error: {message}\n --> {flag}"));
        let form = match self.output.as_deref() {
            None => Form::Table { wide: false },
            Some(given) => Form::parse(given).map_err(|e| wrong("--output", e))?,
        };
        let selector = match &self.selector {
            None => Selector::All(Vec::new()),
            Some(given) => selector::parse(given).map_err(|e| wrong("--selector", e))?,
        };
        let sort_by = match &self.sort_by {
            None => None,
            Some(given) => Some(JsonPath::parse(given).map_err(|e| wrong("--sort-by", e))?),
        };
        Ok(Request {
            what: what(&self.what)?,
            namespace: self.namespace.clone(),
            all_namespaces: self.all_namespaces,
            selector,
            sort_by,
            form,
            headers: !self.no_headers,
            show_labels: self.show_labels,
        })
    }
}

/// Kinds and names in `KIND,KIND`, `KIND NAME...` or `KIND/NAME...`.
pub(super) fn what(words: &[String]) -> Result<Vec<(&'static Kind, Vec<String>)>, Trouble> {
    let mut found: Vec<(&'static Kind, Vec<String>)> = Vec::new();
    if words.iter().any(|word| word.contains('/')) {
        for word in words {
            let Some((kind, name)) = word.split_once('/') else {
                return Err(Trouble::Input(format!(
                    "error: `{word}` is no KIND/NAME, as the others are"
                )));
            };
            let kind = look::kind(kind)?;
            match found.last_mut().filter(|(last, _)| *last == kind) {
                Some((_, names)) => names.push(name.to_owned()),
                None => found.push((kind, vec![name.to_owned()])),
            }
        }
        return Ok(found);
    }
    let Some((kinds, names)) = words.split_first() else { return Ok(found) };
    for word in kinds.split(',') {
        let words = if word == "all" { ALL } else { &[word] };
        for word in words {
            found.push((look::kind(word)?, names.to_vec()));
        }
    }
    Ok(found)
}
