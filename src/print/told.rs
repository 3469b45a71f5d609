//! Events as the API server has them: those that were told alike are one, with a count, and an hour
//! after the last time each is gone (`--event-ttl`, default 1h).

use crate::api::Text;
use crate::api::event::EventType;
use crate::record::Sink;
use crate::record::rows::{COMBINED, EventRow};
use crate::units::{SimDuration, SimTime};
use std::collections::BTreeMap;

/// `--event-ttl`
const KEPT_FOR: SimDuration = SimDuration::from_secs(3600);

/// What Events that are one have in common.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct What {
    pub(super) kind: &'static str,
    pub(super) namespace: Text,
    pub(super) name: Text,
    pub(super) reason: &'static str,
    pub(super) component: &'static str,
    pub(super) warns: bool,
    pub(super) message: String,
}

/// When, and how often.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Times {
    pub first: SimTime,
    pub last: SimTime,
    pub count: u32,
    /// The message of one that stands for similar ones: that of the last.
    pub says: Option<Box<str>>,
}

/// The Events of a run up to now.
#[derive(Clone, Debug, Default)]
pub struct Told {
    events: BTreeMap<What, Times>,
    swept: SimTime,
    /// What was told since somebody asked, in order; `None`: nobody will ask.
    fresh: Option<Vec<What>>,
}

impl Sink for Told {
    fn event(&mut self, row: &EventRow) {
        if row.time.since(self.swept) > KEPT_FOR {
            self.swept = row.time;
            self.events.retain(|_, times| is_kept(times, row.time));
        }
        // Similar ones that are combined are one Event, which says what the last of them said.
        let combined = row.message.starts_with(COMBINED);
        let what = What {
            kind: row.object_kind,
            namespace: row.namespace.clone(),
            name: row.name.clone(),
            reason: row.reason,
            component: row.component,
            warns: row.kind == EventType::Warning,
            message: if combined { COMBINED.to_owned() } else { row.message.clone() },
        };
        if let Some(told) = &mut self.fresh {
            told.push(what.clone());
        }
        let fresh = || Times { first: row.time, last: row.time, count: 0, says: None };
        let times = self.events.entry(what).or_insert_with(fresh);
        if !is_kept(times, row.time) {
            *times = fresh();
        }
        times.last = row.time;
        times.count += row.times;
        times.says = combined.then(|| row.message.as_str().into());
    }
}

fn is_kept(times: &Times, now: SimTime) -> bool {
    now.since(times.last) <= KEPT_FOR
}

impl Told {
    /// From now on [`Told::take_fresh`] tells what is told.
    pub fn follow(&mut self) {
        self.fresh = Some(Vec::new());
    }

    /// What was told since the last call.
    pub fn take_fresh(&mut self) -> Vec<What> {
        self.fresh.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// When one was told, and how often.
    pub(super) fn times(&self, what: &What) -> Option<&Times> {
        self.events.get(what)
    }

    /// The Events that are there.
    pub(super) fn at(&self, now: SimTime) -> impl Iterator<Item = (&What, &Times)> {
        self.events.iter().filter(move |(_, times)| is_kept(times, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_counted_and_forgotten() {
        let mut told = Told::default();
        let mut tell = |at: u64, name: &str| {
            told.event(&EventRow {
                time: SimTime::from_secs(at),
                kind: EventType::Warning,
                reason: "BackOff",
                object_kind: "Pod",
                namespace: "default".into(),
                name: name.into(),
                component: "kubelet",
                message: "Back-off".to_owned(),
                times: 1,
            });
            told.at(SimTime::from_secs(at))
                .map(|(what, times)| format!("{} x{}", what.name, times.count))
                .collect::<Vec<_>>()
        };
        let rows: [(&str, u64, &str, &[&str]); 5] = [
            ("the first", 0, "a", &["a x1"]),
            ("the same again", 10, "a", &["a x2"]),
            ("another", 3000, "b", &["a x2", "b x1"]),
            ("an hour after its last time one is gone", 3700, "b", &["b x2"]),
            ("and is counted anew", 3800, "a", &["a x1", "b x2"]),
        ];
        for (sentence, at, name, expected) in rows {
            assert_eq!(tell(at, name), expected, "{sentence}");
        }
    }
}
