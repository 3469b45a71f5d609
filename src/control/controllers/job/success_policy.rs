//! `successPolicy`: which succeeded indexes are enough.
//!
//! Source: kubernetes `pkg/controller/job/success_policy.go`, v1.37.

use super::indexes::Indexes;
use crate::api::job::SuccessRule;

/// Why the Job has succeeded, if it has.
pub(super) fn met(
    policy: Option<&[SuccessRule]>,
    completions: u32,
    succeeded: &Indexes,
) -> Option<String> {
    if succeeded.is_empty() {
        return None;
    }
    let is_met = |rule: &SuccessRule| {
        let enough = |count: u32| rule.count.is_some_and(|wanted| count >= wanted);
        let Some(wanted) = &rule.indexes else { return enough(succeeded.total()) };
        let wanted = Indexes::parse(wanted, completions);
        let common = wanted.common(succeeded);
        !wanted.is_empty() && (common == wanted.total() || enough(common))
    };
    let place = policy?.iter().position(is_met)?;
    Some(format!("Matched rules at index {place}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_ask_for_indexes_or_for_a_number() {
        let rule =
            |indexes: Option<&str>, count| SuccessRule { indexes: indexes.map(Into::into), count };
        let rows = [
            ("all of the named ones", vec![rule(Some("0,2-3"), None)], "0-3", Some(0)),
            ("one is missing", vec![rule(Some("0,2-3"), None)], "0-2", None),
            ("two of the named ones", vec![rule(Some("0,2-3"), Some(2))], "0-2", Some(0)),
            ("any three", vec![rule(None, Some(3))], "1,3,4", Some(0)),
            ("the second rule", vec![rule(Some("9"), None), rule(None, Some(1))], "3", Some(1)),
            ("none has succeeded yet", vec![rule(None, Some(0))], "", None),
            ("indexes beyond the completions don't count", vec![rule(Some("12"), None)], "1", None),
        ];
        for (sentence, rules, succeeded, place) in rows {
            let found = met(Some(&rules), 10, &Indexes::parse(succeeded, 10));
            let expected = place.map(|place: usize| format!("Matched rules at index {place}"));
            assert_eq!(found, expected, "{sentence}");
        }
        assert_eq!(met(None, 10, &Indexes::parse("0-9", 10)), None);
    }
}
