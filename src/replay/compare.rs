//! The first difference of a history from what was recorded.
//!
//! What is counted must be as in one of the repeats; a time must lie between the earliest and the
//! latest repeat, give or take a margin.

use super::history::{History, MOMENTS, Moments};
use std::collections::BTreeMap;
use std::fmt::Debug;

/// How far a time may lie outside the repeats, milliseconds: the machine that recorded was shared,
/// and single delays of some hundred milliseconds are noise.
pub(super) const MARGIN_MS: i64 = 1000;

/// The first difference; `None`: they agree.
pub(super) fn difference(ours: &History, repeats: &[History]) -> Option<String> {
    let Some(first) = repeats.first() else { return Some("no recording".to_owned()) };
    let any = |same: &dyn Fn(&History) -> bool| repeats.iter().any(same);
    if !any(&|repeat| repeat.sizes == ours.sizes) {
        return different("sizes of", &ours.sizes, &first.sizes);
    }
    if !any(&|repeat| repeat.conditions == ours.conditions) {
        return different("condition of", &ours.conditions, &first.conditions);
    }
    if !any(&|repeat| repeat.counts == ours.counts) {
        return different("succeeded and failed pods of", &ours.counts, &first.counts);
    }
    if !any(&|repeat| repeat.events == ours.events) {
        return different("Event", &ours.events, &first.events);
    }
    if !any(&|repeat| counts(repeat) == counts(ours)) {
        return different("pods of", &counts(ours), &counts(first));
    }
    ours.pods.iter().find_map(|(owner, moments)| times(owner, moments, repeats))
}

fn counts(history: &History) -> BTreeMap<&String, String> {
    let told = |moments: &Moments| {
        let counts = moments.lists.iter().zip(MOMENTS);
        counts.map(|(list, name)| format!("{} {name}", list.len())).collect::<Vec<_>>().join(", ")
    };
    history.pods.iter().map(|(owner, moments)| (owner, told(moments))).collect()
}

/// The first entry that is not the same in both.
fn different<K: Ord + Debug, V: PartialEq + Debug>(
    what: &str,
    ours: &BTreeMap<K, V>,
    recorded: &BTreeMap<K, V>,
) -> Option<String> {
    let keys = ours.keys().chain(recorded.keys());
    let mut keys = keys.filter(|key| ours.get(key) != recorded.get(key));
    keys.next().map(|key| {
        let told = |entry: Option<&V>| entry.map_or("nothing".to_owned(), |v| format!("{v:?}"));
        format!("{what} {key:?}: {}, recorded {}", told(ours.get(key)), told(recorded.get(key)))
    })
}

/// The first time of an owner's pods that lies outside the repeats.
fn times(owner: &str, ours: &Moments, repeats: &[History]) -> Option<String> {
    for (which, list) in ours.lists.iter().enumerate() {
        for (k, at) in list.iter().enumerate() {
            let of = |repeat: &History| repeat.pods.get(owner)?.lists[which].get(k).copied();
            let recorded: Vec<i64> = repeats.iter().filter_map(of).collect();
            let (Some(first), Some(last)) = (recorded.iter().min(), recorded.iter().max()) else {
                continue;
            };
            if (first - MARGIN_MS..=last + MARGIN_MS).contains(at) {
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
            ("another number of pods", history(&[1000], 2), Some("pods of \"web-#1\"")),
        ];
        for (sentence, ours, expected) in rows {
            let found = difference(&ours, &repeats);
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
        assert!(difference(&repeats[0], &[]).is_some());
    }
}
