//! What `get` and `describe` have in common: a finished run, looked at as it was at an instant.

use super::again::{Again, Trouble};
use crate::api::PodId;
use crate::api::autoscaling::MetricSource;
use crate::api::container_status::ContainerStatus;
use crate::api::kind::{KINDS, Kind};
use crate::print::{Chronicle, Health, Kubelets, Snapshot, Told};
use crate::record::Sink;
use crate::record::rows::EventRow;
use crate::scenario::diagnostic::did_you_mean;
use crate::scenario::model::Component;
use crate::scenario::value::parse_duration;
use crate::store::{Change, Store};
use crate::units::{SimDuration, SimTime};
use crate::world::{Audience, Look};
use clap::Args;
use std::cell::RefCell;
use std::path::PathBuf;

/// Which run, and when.
#[derive(Debug, Args)]
pub(super) struct When {
    /// Simulated time since the start, e.g. 2m30s; default: the end of the run.
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub at: Option<String>,
    /// Where the scenario file is now; default: where the manifest says.
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,
}

/// What is kept of what happens: shared, as it is written while the run goes on and read in
/// between.
#[derive(Default)]
pub(super) struct Memory {
    pub chronicle: RefCell<Chronicle>,
    pub told: RefCell<Told>,
}

/// Sees changes.
pub(super) struct Sees<'a>(pub &'a Memory);

impl Audience for Sees<'_> {
    fn sees(&mut self, now: SimTime, change: &Change, store: &Store) {
        self.0.chronicle.borrow_mut().sees(now, change, store);
    }
}

/// Hears Events.
pub(super) struct Hears<'a>(pub &'a Memory);

impl Sink for Hears<'_> {
    fn event(&mut self, row: &EventRow) {
        self.0.told.borrow_mut().event(row);
    }
}

struct Reports<'a, 'w>(&'a Look<'w>);

impl Kubelets for Reports<'_, '_> {
    fn containers(&self, pod: PodId) -> Option<ContainerStatus> {
        self.0.containers(pod)
    }

    fn grace(&self, pod: PodId) -> Option<SimDuration> {
        self.0.grace(pod)
    }

    fn usage(&self, pod: PodId, source: &MetricSource) -> Option<i64> {
        self.0.usage(pod, source)
    }

    fn values(&self, namespace: &str, source: &MetricSource) -> Vec<i64> {
        self.0.values(namespace, source)
    }
}

/// Shows what is there at present.
pub(super) fn show<T>(look: &Look, memory: &Memory, see: impl FnOnce(&Snapshot) -> T) -> T {
    let snapshot = Snapshot {
        store: look.store(),
        now: look.now(),
        kubelets: &Reports(look),
        chronicle: &memory.chronicle.borrow(),
        events: &memory.told.borrow(),
        health: Health {
            api_server: look.is_api_server_up(),
            controller_manager: look.is_running(Component::ControllerManager),
            scheduler: look.is_running(Component::Scheduler),
        },
    };
    see(&snapshot)
}

impl When {
    /// The instant.
    pub(super) fn instant(&self, again: &Again, default: SimTime) -> Result<SimTime, Trouble> {
        let end = SimTime::ZERO + again.scenario.duration;
        let Some(given) = &self.at else { return Ok(default) };
        let wrong = |told: String| {
            let (message, hint) = told.split_once('|').unwrap_or((&told, ""));
            Trouble::Input(format!("error: {message}\n --> --at\n  {hint}"))
        };
        let at = SimTime::ZERO + parse_duration(given).map_err(wrong)?;
        if at > end {
            return Err(Trouble::Input(format!(
                "error: {given} is after the end of the run, which lasts {}\n --> --at",
                again.scenario.duration
            )));
        }
        Ok(at)
    }
}

/// Goes on to an instant and shows what is there then. A run that comes to its end is held against
/// the one that it repeats.
pub(super) fn at<T>(
    again: &Again,
    instant: SimTime,
    see: impl FnOnce(&Snapshot) -> T,
) -> Result<T, Trouble> {
    let memory = Memory::default();
    let (mut hears, mut sees) = (Hears(&memory), Sees(&memory));
    let mut look = Look::new(&again.scenario, again.seed, &mut hears, &mut sees);
    memory.chronicle.borrow_mut().begin(look.store());
    look.advance(instant).map_err(|violation| Trouble::Broken(violation.to_string()))?;
    let seen = show(&look, &memory, see);
    finish(again, look, instant)?;
    Ok(seen)
}

/// Ends a run that has come to its end.
pub(super) fn finish(again: &Again, look: Look, instant: SimTime) -> Result<(), Trouble> {
    if instant < SimTime::ZERO + again.scenario.duration {
        return Ok(());
    }
    let hash = look.finish(instant).map_err(|violation| Trouble::Broken(violation.to_string()))?;
    again.is_same(&hash)
}

/// The kind that a word means.
pub(super) fn kind(word: &str) -> Result<&'static Kind, Trouble> {
    Kind::find(word).ok_or_else(|| {
        let words = KINDS.iter().flat_map(|kind| kind.words.iter().copied());
        let hint = match did_you_mean(word, words) {
            Some(near) => format!("did you mean {near}?"),
            None => {
                "known are pods, nodes, deployments, services and others: see --help".to_owned()
            }
        };
        Trouble::Input(format!("error: the server doesn't have a resource type {word:?}\n  {hint}"))
    })
}
