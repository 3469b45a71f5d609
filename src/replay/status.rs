//! Whether the status of a StatefulSet passes through the recorded values.

use super::compare::turning_points;
use super::history::History;
use std::collections::BTreeSet;

/// How closely the values of a field are looked at.
#[derive(Clone, Copy, PartialEq)]
enum Look {
    /// Value by value.
    All,
    /// Where they turn.
    Turns,
    /// The last one.
    End,
}

impl Look {
    fn at(self, values: &[u64]) -> Vec<u64> {
        match self {
            Look::All => values.to_vec(),
            Look::Turns => turning_points(values),
            Look::End => values.last().copied().into_iter().collect(),
        }
    }
}

/// The first field of a status whose values are not those of the repeats.
///
/// How many pods are ready at a sync is a matter of milliseconds, and so is what a status that
/// counts them passes through on its way up or down: there only the turning points count. Other
/// fields are compared value by value where the repeats do agree on them.
pub(super) fn difference(ours: &History, repeats: &[History]) -> Option<String> {
    let keys = repeats.iter().chain([ours]).flat_map(|history| history.sets.keys());
    for key in keys.collect::<BTreeSet<_>>() {
        let of = |history: &History, look: Look| {
            look.at(history.sets.get(key).map_or(&[], Vec::as_slice))
        };
        let is_exact = !READINESS.iter().any(|field| key.ends_with(field));
        let repeats_agree = |look: &Look| {
            let mut seen = repeats.iter().map(|repeat| of(repeat, *look));
            let first = seen.next();
            seen.all(|other| Some(other) == first)
        };
        let mut looks = [Look::All, Look::Turns].into_iter().skip(usize::from(!is_exact));
        let look = looks.find(repeats_agree).unwrap_or(Look::End);
        let seen = of(ours, look);
        if !repeats.iter().any(|repeat| of(repeat, look) == seen) {
            let recorded = of(&repeats[0], look);
            return Some(format!("status of {key}: {seen:?}, recorded {recorded:?}"));
        }
    }
    None
}

/// Fields that count pods that are there, ready or available.
const READINESS: [&str; 3] = [" replicas", " readyReplicas", " availableReplicas"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_compared_as_far_as_the_repeats_agree() {
        let history = |field: &str, values: &[u64]| {
            let mut history = History::default();
            values.iter().for_each(|value| history.set_status("db", field, *value));
            history
        };
        let (updated, ready) = ("updatedReplicas", "readyReplicas");
        type Row<'a> = (&'a str, &'a str, [&'a [u64]; 2], &'a [u64], bool);
        let rows: [Row<'_>; 8] = [
            ("value by value", updated, [&[0, 1, 2], &[0, 1, 2]], &[0, 1, 2], true),
            ("one is left out", updated, [&[0, 1, 2], &[0, 1, 2]], &[0, 2], false),
            ("but so do the repeats", updated, [&[0, 1, 2], &[0, 2]], &[0, 1, 2], true),
            ("where it turns counts then", updated, [&[0, 3, 2], &[0, 1, 3, 2]], &[0, 2], false),
            ("repeats that turn elsewhere", updated, [&[0, 3, 2], &[0, 2]], &[0, 1, 0, 2], true),
            ("end somewhere", updated, [&[0, 3, 2], &[0, 2]], &[0, 3], false),
            ("pods turn ready together or not", ready, [&[0, 1, 2], &[0, 1, 2]], &[0, 2], true),
            ("all of them do", ready, [&[0, 1, 2], &[0, 1, 2]], &[0, 1], false),
        ];
        for (sentence, field, repeats, ours, agrees) in rows {
            let repeats = repeats.map(|values| history(field, values));
            let found = difference(&history(field, ours), &repeats);
            assert_eq!(found.is_none(), agrees, "{sentence}: {found:?}");
        }
    }
}
