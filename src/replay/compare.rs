//! The first difference of a history from what was recorded.
//!
//! What is counted must be as in the repeats where those are alike, and within them where they
//! differ; a time must lie between the earliest and the latest repeat, give or take a margin.

use super::history::{History, MOMENTS, Moments, turn};
use super::{order, status};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

/// How far a time may lie outside the repeats, milliseconds, of a script that had its control plane
/// for itself: the machine was shared, and single delays of some hundred milliseconds are noise.
pub(super) const MARGIN_MS: i64 = 1000;
/// The same for one that stood beside others: their requests took tokens of the same clients, and
/// its first pods and the first syncs of its autoscaler came up to four seconds late (g01, h01).
pub(super) const SHARED_MARGIN_MS: i64 = 5000;

/// The first difference; `None`: they agree.
///
/// Where the repeats are alike, ours must be like them. Where they differ from each other, what is
/// recorded is one history of several: then ours must be like one of them, or between them in what
/// they differ in: sizes in their turning points, Events in how many tell of one reason, pods in
/// their numbers.
pub(super) fn difference(ours: &History, repeats: &[History], margin: i64) -> Option<String> {
    if repeats.is_empty() {
        return Some("no recording".to_owned());
    }
    let sizes: Vec<_> = repeats.iter().map(|repeat| &repeat.sizes).collect();
    let statuses: Vec<_> = repeats.iter().map(|repeat| &repeat.statuses).collect();
    let evictions: Vec<_> = repeats.iter().map(|repeat| &repeat.evictions).collect();
    let conditions: Vec<_> = repeats.iter().map(|repeat| &repeat.conditions).collect();
    entries("sizes of", &ours.sizes, &sizes, |ours, repeats| {
        repeats.iter().any(|repeat| turning_points(repeat) == turning_points(ours))
    })
    .or_else(|| entries("condition of", &ours.conditions, &conditions, |_, _| false))
    .or_else(|| answers("refusals", &ours.refusals, repeats, |repeat| &repeat.refusals))
    // Where repeats have different counts, those hang on who was first: then they do not bind.
    .or_else(|| entries("status of", &ours.statuses, &statuses, |_, _| true))
    .or_else(|| entries("evictions of", &ours.evictions, &evictions, is_between))
    .or_else(|| status::difference(ours, repeats))
    .or_else(|| {
        let counted: Vec<_> = repeats.iter().map(|repeat| &repeat.counted).collect();
        entries("succeeded and failed pods of", &ours.counted, &counted, |_, _| false)
    })
    .or_else(|| events(ours, repeats))
    .or_else(|| ours.pods.iter().find_map(|(owner, moments)| counts(owner, moments, repeats)))
    .or_else(|| repeats[0].pods.iter().find_map(|(owner, moments)| missing(owner, moments, ours)))
    .or_else(|| {
        ours.pods.iter().find_map(|(owner, moments)| times(owner, moments, repeats, margin))
    })
    .or_else(|| order::difference(ours, repeats))
}

/// What was answered must be what a repeat was answered.
fn answers<'a, T: PartialEq + Debug + 'a>(
    what: &str,
    ours: &T,
    repeats: &'a [History],
    of: impl Fn(&'a History) -> &'a T,
) -> Option<String> {
    let same = repeats.iter().any(|repeat| of(repeat) == ours);
    (!same).then(|| format!("{what}: {ours:?}, recorded {:?}", of(&repeats[0])))
}

/// The first entry that is not that of a repeat, nor `between` those of repeats that differ.
fn entries<V: PartialEq + Debug>(
    what: &str,
    ours: &BTreeMap<String, V>,
    repeats: &[&BTreeMap<String, V>],
    between: impl Fn(&V, &[&V]) -> bool,
) -> Option<String> {
    let keys: BTreeSet<&String> = ours.keys().chain(repeats[0].keys()).collect();
    keys.into_iter().find_map(|key| {
        let own = ours.get(key);
        let recorded: Vec<Option<&V>> = repeats.iter().map(|repeat| repeat.get(key)).collect();
        if recorded.contains(&own) {
            return None;
        }
        let all: Option<Vec<&V>> = recorded.iter().copied().collect();
        let differ = recorded.iter().any(|other| *other != recorded[0]);
        if let (true, Some(own), Some(all)) = (differ, own, all)
            && between(own, &all)
        {
            return None;
        }
        Some(different(what, key, own, recorded[0]))
    })
}

fn different<V: Debug>(what: &str, key: &str, ours: Option<&V>, recorded: Option<&V>) -> String {
    let told = |entry: Option<&V>| entry.map_or("nothing".to_owned(), |v| format!("{v:?}"));
    format!("{what} {key:?}: {}, recorded {}", told(ours), told(recorded))
}

/// First, last, and where a sequence turns from up to down or back.
pub(super) fn turning_points(sequence: &[u64]) -> Vec<u64> {
    let mut points = Vec::new();
    sequence.iter().for_each(|value| turn(&mut points, *value));
    points
}

fn is_between(ours: &u64, repeats: &[&u64]) -> bool {
    repeats.iter().any(|other| *other <= ours) && repeats.iter().any(|other| *other >= ours)
}

/// The first Event, or reason, that is told too often or too rarely.
fn events(ours: &History, repeats: &[History]) -> Option<String> {
    let mut keys: BTreeSet<&String> = ours.events.keys().collect();
    keys.extend(repeats.iter().flat_map(|repeat| repeat.events.keys()));
    let number = |of: &History, key: &str| of.events.get(key).copied().unwrap_or(0);
    let is_steady = |key: &str| {
        let first = number(&repeats[0], key);
        repeats.iter().all(|repeat| number(repeat, key) == first)
    };
    let unsteady = keys.iter().filter(|key| !is_steady(key));
    let unsteady: BTreeSet<&str> = unsteady.map(|key| reason(key)).collect();
    for key in keys {
        let (own, recorded) = (number(ours, key), number(&repeats[0], key));
        if own != recorded && !unsteady.contains(reason(key)) {
            let (own, recorded) = (ours.events.get(key), repeats[0].events.get(key));
            return Some(different("Event", key, own, recorded));
        }
    }
    unsteady.into_iter().find_map(|wanted| {
        let all = |of: &History| -> u64 {
            let of_it = of.events.iter().filter(|(key, _)| reason(key) == wanted);
            of_it.map(|(_, number)| number).sum()
        };
        let (own, recorded) = (all(ours), repeats.iter().map(all));
        let (least, most) = (recorded.clone().min()?, recorded.max()?);
        (!(least..=most).contains(&own))
            .then(|| format!("Events {wanted:?}: {own} in all, recorded from {least} to {most}"))
    })
}

/// `Kind/name Reason: message` without the message.
fn reason(event: &str) -> &str {
    event.split_once(": ").map_or(event, |(head, _)| head)
}

/// Numbers of an owner's pods that lie outside the repeats.
fn counts(owner: &str, ours: &Moments, repeats: &[History]) -> Option<String> {
    MOMENTS.iter().enumerate().find_map(|(which, name)| {
        let of = |repeat: &History| {
            repeat.pods.get(owner).map_or(0, |moments| moments.lists[which].len())
        };
        let (own, recorded) = (ours.lists[which].len(), repeats.iter().map(of));
        let (least, most) = (recorded.clone().min()?, recorded.max()?);
        let between = if least == most { least.to_string() } else { format!("{least} to {most}") };
        (!(least..=most).contains(&own))
            .then(|| format!("pods of {owner}: {own} {name}, recorded {between}"))
    })
}

/// An owner whose pods are not there.
fn missing(owner: &str, recorded: &Moments, ours: &History) -> Option<String> {
    let any = recorded.lists.iter().any(|list| !list.is_empty());
    (any && !ours.pods.contains_key(owner)).then(|| format!("pods of {owner}: none"))
}

/// The first time of an owner's pods that lies outside the repeats.
fn times(owner: &str, ours: &Moments, repeats: &[History], margin: i64) -> Option<String> {
    for (which, list) in ours.lists.iter().enumerate() {
        for (k, at) in list.iter().enumerate() {
            let of = |repeat: &History| repeat.pods.get(owner)?.lists[which].get(k).copied();
            let recorded: Vec<i64> = repeats.iter().filter_map(of).collect();
            let (Some(first), Some(last)) = (recorded.iter().min(), recorded.iter().max()) else {
                continue;
            };
            if (first - margin..=last + margin).contains(at) {
                continue;
            }
            let (name, number) = (MOMENTS[which], k + 1);
            return Some(format!(
                "pod {number} of {owner} {name} at {at} ms, recorded from {first} to {last} ms"
            ));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(created: &[i64], size: u64) -> History {
        let mut history = History::default();
        history.size("web-#1".to_owned(), size);
        created.iter().for_each(|ms| history.moment("web-#1".to_owned(), 0, *ms));
        history
    }

    #[test]
    fn what_counts_is_told_first() {
        let repeats = [history(&[1000, 1100], 2), history(&[1000, 1500], 2)];
        let rows = [
            ("a repeat agrees", history(&[1000, 1100], 2), None),
            ("times between repeats do", history(&[1000, 1300], 2), None),
            ("and a margin beside them", history(&[100, 2400], 2), None),
            ("beyond it they don't", history(&[1000, 2600], 2), Some("pod 2 of web-#1 created")),
            ("another size", history(&[1000, 1100], 3), Some("sizes of \"web-#1\": [3]")),
            ("another number of pods", history(&[1000], 2), Some("pods of web-#1: 1 created")),
        ];
        for (sentence, ours, expected) in rows {
            let found = difference(&ours, &repeats, MARGIN_MS);
            match expected {
                None => assert_eq!(found, None, "{sentence}"),
                Some(start) => {
                    assert!(
                        found.as_ref().is_some_and(|f| f.starts_with(start)),
                        "{sentence}: {found:?}"
                    );
                }
            }
        }
        assert!(difference(&repeats[0], &[], MARGIN_MS).is_some());
    }

    #[test]
    fn statuses_and_answers_bind_where_repeats_are_alike() {
        let of = |desired: &[u64], ready: u64, refused: u64| {
            let mut history = History::default();
            for desired in desired {
                let fields = ["desiredNumberScheduled", "numberReady"];
                history.status("agent", &fields, &[*desired, ready]);
            }
            (0..refused).for_each(|_| history.eviction("web-#1-*", 429, "no", ""));
            history
        };
        let repeats = [of(&[0, 4, 3], 3, 1), of(&[0, 4, 3], 2, 3)];
        let rows = [
            ("as in a repeat", of(&[0, 4, 3], 3, 1), None),
            ("at the end they differ, so ours may too", of(&[0, 4, 3], 1, 1), None),
            ("answers between those of repeats", of(&[0, 4, 3], 3, 2), None),
            ("other nodes in between", of(&[0, 3], 3, 1), Some("status of \"agent desired")),
            ("too many refusals", of(&[0, 4, 3], 3, 4), Some("evictions of \"web-#1-* 429: no")),
            ("none at all", of(&[0, 4, 3], 3, 0), Some("evictions of \"web-#1-* 429: no")),
        ];
        for (sentence, ours, expected) in rows {
            let found = difference(&ours, &repeats, MARGIN_MS);
            let fits = match (&found, expected) {
                (None, None) => true,
                (Some(found), Some(start)) => found.starts_with(start),
                _ => false,
            };
            assert!(fits, "{sentence}: {found:?}");
        }
    }

    #[test]
    fn of_a_sequence_its_turns_are_kept() {
        let rows: [(&str, &[u64], &[u64]); 4] = [
            ("steps up are one", &[0, 1, 2, 4], &[0, 4]),
            ("up and down are two", &[0, 1, 3, 2, 0], &[0, 3, 0]),
            ("what stays is no step", &[2, 2, 2], &[2]),
            ("nothing is nothing", &[], &[]),
        ];
        for (sentence, sequence, expected) in rows {
            assert_eq!(turning_points(sequence), expected, "{sentence}");
        }
    }

    #[test]
    fn where_repeats_differ_ours_lies_between_them() {
        let of = |sizes: &[u64], told: u64| {
            let mut history = History::default();
            sizes.iter().for_each(|size| history.size("web-#1".to_owned(), *size));
            history.events.insert("Deployment/web Scaled: some text".to_owned(), told);
            history
        };
        let repeats = [of(&[10, 7, 0], 3), of(&[10, 4, 0], 5)];
        let rows = [
            ("steps on the way are free", of(&[10, 8, 3, 0], 4), None),
            ("the turns are not", of(&[10, 3, 4, 0], 4), Some("sizes of")),
            ("nor is the end", of(&[10, 1], 4), Some("sizes of")),
            ("nor how often it is told", of(&[10, 7, 0], 6), Some("Events \"Deployment/web Sc")),
        ];
        for (sentence, ours, expected) in rows {
            let found = difference(&ours, &repeats, MARGIN_MS);
            match expected {
                None => assert_eq!(found, None, "{sentence}"),
                Some(start) => assert!(found.unwrap().starts_with(start), "{sentence}"),
            }
        }
        let same = [of(&[10, 7, 0], 3), of(&[10, 7, 0], 3)];
        assert!(difference(&of(&[10, 4, 0], 3), &same, MARGIN_MS).is_some(), "alike, they bind");
    }
}
