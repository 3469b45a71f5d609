//! What a component's event recorder lets through, and what it says of similar Events.
//!
//! Source: client-go `tools/record/events_cache.go` (`EventCorrelator`), v1.37: from the tenth
//! message of one reason about one object within ten minutes on, Events are combined; of one
//! source about one object 25 Events of a type get through at once, then one each five minutes.
//! Both memories forget what was used longest ago. An Event that is told counts those alike that
//! were held back before it. It knows neither the API server nor rows.

use super::client::TokenBucket;
use crate::api::event::EventType;
use crate::control::controllers::action::About;
use crate::record::rows::COMBINED;
use crate::units::{SimDuration, SimTime};
use std::collections::{BTreeMap, BTreeSet};

/// `maxLruCacheEntries`
const REMEMBERED: usize = 4096;
/// `defaultAggregateMaxEvents`
const SIMILAR: usize = 10;
/// `defaultAggregateIntervalInSeconds`
const SIMILAR_FOR: SimDuration = SimDuration::from_secs(600);
/// `defaultSpamBurst`
const BURST: u32 = 25;
/// `defaultSpamQPS`
const PER_SECOND: f64 = 1.0 / 300.0;

/// What of one source about one object gets through.
pub(super) fn spam_filter() -> TokenBucket {
    TokenBucket::new(PER_SECOND, BURST)
}

/// One recorder's memory.
#[derive(Debug, Default)]
pub(super) struct Correlator {
    spam: Memory<(About, EventType), TokenBucket>,
    similar: Memory<(About, EventType, &'static str), Similar>,
}

/// Messages of one reason about one object.
#[derive(Debug)]
struct Similar {
    messages: BTreeSet<String>,
    /// An Event stands for all of them.
    are_combined: bool,
    last: SimTime,
    /// How often each message was held back since it was last told; the combined ones as "".
    held_back: BTreeMap<String, u32>,
}

/// An Event that gets through.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Passed {
    /// What it says.
    pub message: String,
    /// One that is there is told again.
    pub again: bool,
    /// It stands for so many: itself, and those alike that were held back before it.
    pub times: u32,
}

impl Correlator {
    /// What an Event is published as; `None`: it is not.
    pub(super) fn correlate(
        &mut self,
        (about, kind, reason): (About, EventType, &'static str),
        message: String,
        now: SimTime,
    ) -> Option<Passed> {
        let fresh = || Similar {
            messages: BTreeSet::new(),
            are_combined: false,
            last: now,
            held_back: BTreeMap::new(),
        };
        let similar = self.similar.get((about, kind, reason), fresh);
        if now.since(similar.last) > SIMILAR_FOR {
            similar.messages.clear();
            similar.are_combined = false;
        }
        similar.last = now;
        let is_known = !similar.messages.insert(message.clone());
        let combined = similar.messages.len() >= SIMILAR;
        let again = if combined { similar.are_combined } else { is_known };
        similar.are_combined |= combined;
        if combined {
            // Upstream takes out any: the order of a Go map.
            similar.messages.pop_first();
        }
        let bucket = self.spam.get((about, kind), spam_filter);
        let alike = if combined { "" } else { &*message };
        if !bucket.try_take(now) {
            *similar.held_back.entry(alike.to_owned()).or_default() += 1;
            return None;
        }
        let held_back = similar.held_back.remove(alike);
        let message = match combined {
            true => format!("{COMBINED}{message}"),
            false => message,
        };
        Some(Passed { message, again, times: 1 + held_back.unwrap_or(0) })
    }
}

/// A map of limited size, which forgets what was used longest ago.
#[derive(Debug)]
struct Memory<K, V> {
    values: BTreeMap<K, (u64, V)>,
    /// Keys by when they were last used.
    used: BTreeMap<u64, K>,
    uses: u64,
}

impl<K, V> Default for Memory<K, V> {
    fn default() -> Self {
        Memory { values: BTreeMap::new(), used: BTreeMap::new(), uses: 0 }
    }
}

impl<K: Ord + Copy, V> Memory<K, V> {
    fn get(&mut self, key: K, fresh: impl FnOnce() -> V) -> &mut V {
        self.uses += 1;
        let uses = self.uses;
        if let Some((last, _)) = self.values.get(&key) {
            self.used.remove(last);
        } else if self.values.len() >= REMEMBERED
            && let Some((_, oldest)) = self.used.pop_first()
        {
            self.values.remove(&oldest);
        }
        self.used.insert(uses, key);
        let (last, value) = self.values.entry(key).or_insert_with(|| (uses, fresh()));
        *last = uses;
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::event::EventType::{Normal, Warning};

    fn tell(
        correlator: &mut Correlator,
        kind: EventType,
        n: usize,
        at: u64,
    ) -> Vec<Option<String>> {
        let about = About::Group(1);
        let message = |i: usize| format!("pod {i}");
        let now = SimTime::from_secs(at);
        let told = |i| correlator.correlate((about, kind, "Made"), message(i), now);
        (0..n).map(told).map(|told| told.map(|passed| passed.message)).collect()
    }

    #[test]
    fn similar_events_are_combined_and_many_are_silent() {
        let mut correlator = Correlator::default();
        let told = tell(&mut correlator, Normal, 40, 10);
        let plain = told.iter().flatten().filter(|m| m.starts_with("pod")).count();
        assert_eq!(plain, 9, "the tenth is combined with those before it");
        assert_eq!(told[9].as_deref(), Some("(combined from similar events): pod 9"));
        assert_eq!(told.iter().flatten().count(), 25, "the others are not told");
        assert_eq!(tell(&mut correlator, Warning, 1, 10)[0].as_deref(), Some("pod 0"));
        let later = tell(&mut correlator, Normal, 3, 700);
        assert_eq!(later[0].as_deref(), Some("pod 0"), "after ten minutes they are new");
        assert_eq!(later.iter().flatten().count(), 2, "a token each five minutes");
    }

    #[test]
    fn what_is_told_again_is_known() {
        let mut correlator = Correlator::default();
        let mut again = |message: &str| {
            let key = (About::Group(1), Normal, "Made");
            let passed = correlator.correlate(key, message.to_owned(), SimTime::ZERO);
            passed.map(|passed| passed.again)
        };
        assert_eq!((again("a"), again("b"), again("a")), (Some(false), Some(false), Some(true)));
        let others: Vec<_> = "cdefghij".chars().map(|c| again(&c.to_string())).collect();
        assert_eq!(others, [Some(false); 8], "the last one is that of all");
        assert_eq!(again("k"), Some(true), "which is told again");
    }

    #[test]
    fn what_is_told_counts_what_was_held_back() {
        let mut correlator = Correlator::default();
        let key = |reason| (About::Group(1), Normal, reason);
        let mut times = |reason, message: &str, at| {
            let passed =
                correlator.correlate(key(reason), message.to_owned(), SimTime::from_secs(at));
            passed.map(|passed| passed.times)
        };
        for pod in 0..24 {
            assert_eq!(times("Made", &pod.to_string(), 0), Some(1), "pod {pod}");
        }
        let rows = [
            ("the last token", "a", 0, Some(1)),
            ("nothing is left", "a", 1, None),
            ("of another message neither", "b", 2, None),
            ("again", "a", 3, None),
            ("five minutes later there is a token: two were held back", "a", 301, Some(3)),
            ("and counted", "a", 601, Some(1)),
            ("the other one is counted on its own", "b", 901, Some(2)),
        ];
        for (sentence, message, at, expected) in rows {
            assert_eq!(times("Gone", message, at), expected, "{sentence}");
        }
        for pod in 24..28 {
            assert_eq!(times("Made", &pod.to_string(), 590), None, "combined, held back: {pod}");
        }
    }

    #[test]
    fn what_was_used_longest_ago_is_forgotten() {
        let mut memory = Memory::default();
        for key in 0..REMEMBERED {
            *memory.get(key, || 0) += 1;
        }
        *memory.get(0, || 0) += 1;
        memory.get(REMEMBERED, || 7);
        assert_eq!(*memory.get(0, || 0), 2, "just used");
        assert_eq!(*memory.get(1, || 5), 5, "used longest ago");
        assert_eq!(memory.values.len(), REMEMBERED);
    }
}
