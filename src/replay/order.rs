//! Whether pods with names that stay do things in the recorded order.

use super::history::{History, MOMENTS};

/// How far two moments may stand the other way round, milliseconds: what is asked for side by side
/// comes in any order.
const SLACK_MS: i64 = 50;

/// A moment of a pod: its name, which of [`MOMENTS`], and the how-manieth time.
type Moment<'a> = (&'a str, usize, usize);

/// Two moments that come in one order in all repeats and clearly in the other one here.
pub(super) fn difference(ours: &History, repeats: &[History]) -> Option<String> {
    let moments: Vec<Moment<'_>> = moments_of(ours);
    let times = |history: &History| -> Vec<Option<i64>> {
        moments.iter().map(|moment| time(history, *moment)).collect()
    };
    let here = times(ours);
    let recorded: Vec<Vec<Option<i64>>> = repeats.iter().map(times).collect();
    let precedes = |a: usize, b: usize| {
        let mut all = recorded.iter().map(|times| times[a].zip(times[b]));
        all.all(|pair| pair.is_some_and(|(a, b)| a < b))
    };
    for (a, b) in (0..moments.len()).flat_map(|a| (0..moments.len()).map(move |b| (a, b))) {
        let Some((first, second)) = here[a].zip(here[b]) else { continue };
        if second + SLACK_MS < first && precedes(a, b) {
            return Some(format!(
                "{} at {first} ms, behind {} at {second} ms: recorded the other way round",
                told(moments[a]),
                told(moments[b])
            ));
        }
    }
    None
}

fn moments_of(history: &History) -> Vec<Moment<'_>> {
    let named = history.stateful.keys().filter_map(|pod| Some((pod, history.pods.get(pod)?)));
    let mut all = Vec::new();
    for (pod, moments) in named {
        for (which, list) in moments.lists.iter().enumerate() {
            all.extend((0..list.len()).map(|k| (pod.as_str(), which, k)));
        }
    }
    all
}

fn time(history: &History, (pod, which, k): Moment<'_>) -> Option<i64> {
    history.pods.get(pod)?.lists[which].get(k).copied()
}

fn told((pod, which, k): Moment<'_>) -> String {
    format!("{pod} {} (time {})", MOMENTS[which], k + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(moments: &[(&str, usize, i64)]) -> History {
        let mut history = History::default();
        for (pod, which, ms) in moments {
            history.stateful(pod, "db");
            history.moment((*pod).to_owned(), *which, *ms);
        }
        history
    }

    #[test]
    fn moments_come_as_recorded() {
        let repeat = |ready| history(&[("db-0", 1, ready), ("db-1", 0, 1110), ("db-2", 0, 1120)]);
        let repeats = [repeat(1100), repeat(1050)];
        let rows = [
            ("one after the other", [1000, 1010, 1020], None),
            ("side by side they may change places", [1000, 1040, 1010], None),
            (
                "but a pod does not come before the one that it waits for",
                [1000, 100, 1020],
                Some("db-0 ready (time 1) at 1000 ms, behind db-1 created (time 1) at 100 ms"),
            ),
        ];
        for (sentence, [ready, one, two], expected) in rows {
            let ours = history(&[("db-0", 1, ready), ("db-1", 0, one), ("db-2", 0, two)]);
            let found = difference(&ours, &repeats);
            let found = found.as_ref().map(|text| text.split(": ").next().unwrap());
            assert_eq!(found, expected, "{sentence}");
        }
        let other = history(&[("db-0", 1, 2000), ("db-1", 0, 1110)]);
        let ours = history(&[("db-0", 1, 1000), ("db-1", 0, 100)]);
        assert_eq!(difference(&ours, &[repeat(1100), other]), None, "repeats that do not agree");
    }
}
