//! Labels and label selectors (`metav1.LabelSelector`).
//!
//! Source: apimachinery `pkg/labels/selector.go`, `pkg/apis/meta/v1/helpers.go`, v1.37.

use super::Text;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The labels of one object: sorted by key, keys unique, shared between equal objects.
///
/// Nodes of one make differ in a single label of many: such a set is the common one and that label.
#[derive(Clone, Debug, Default)]
pub struct Labels(Arc<Set>);

#[derive(Debug)]
enum Set {
    List(Box<[(Text, Text)]>),
    /// A list, and a label with a key that it does not have.
    And(Labels, (Text, Text)),
}

impl Default for Set {
    fn default() -> Set {
        Set::List(Box::default())
    }
}

/// Shorter lists are not worth sharing.
const WORTH_SHARING: usize = 4;

impl Labels {
    /// Sorts `pairs` by key; of equal keys the last one given wins, as in a map.
    pub fn new(mut pairs: Vec<(Text, Text)>) -> Labels {
        pairs.reverse();
        pairs.sort_by(|a, b| a.0.cmp(&b.0));
        pairs.dedup_by(|later, kept| later.0 == kept.0);
        Labels(Arc::new(Set::List(pairs.into())))
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&Text> {
        match &*self.0 {
            Set::List(pairs) => {
                let at = pairs.binary_search_by(|(k, _)| (**k).cmp(key)).ok()?;
                Some(&pairs[at].1)
            }
            Set::And(_, (k, value)) if **k == *key => Some(value),
            Set::And(list, _) => list.get(key),
        }
    }

    /// All pairs in key order.
    pub fn iter(&self) -> impl Iterator<Item = (&Text, &Text)> {
        let (before, more, behind) = match &*self.0 {
            Set::List(pairs) => (&pairs[..], None, &[][..]),
            Set::And(list, pair) => {
                let pairs = list.pairs();
                let (before, behind) = pairs.split_at(pairs.partition_point(|p| p.0 < pair.0));
                (before, Some(pair), behind)
            }
        };
        before.iter().chain(more).chain(behind).map(|(k, v)| (k, v))
    }

    /// The pairs of a list; of others those without the single one.
    fn pairs(&self) -> &[(Text, Text)] {
        match &*self.0 {
            Set::List(pairs) => pairs,
            Set::And(list, _) => list.pairs(),
        }
    }

    /// Whether there is no label at all.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// These labels and `key=value` in place of what `key` was.
    pub fn with(&self, key: impl Into<Text>, value: impl Into<Text>) -> Labels {
        let pair = (key.into(), value.into());
        let is_list = matches!(&*self.0, Set::List(pairs) if pairs.len() >= WORTH_SHARING);
        if is_list && self.get(&pair.0).is_none() {
            return Labels(Arc::new(Set::And(self.clone(), pair)));
        }
        let pairs = self.iter().map(|(k, v)| (k.clone(), v.clone()));
        Labels::new(pairs.chain([pair]).collect())
    }

    /// These labels but that of `key`.
    pub fn without(&self, key: &str) -> Labels {
        let pairs = self.iter().filter(|(k, _)| **k != *key);
        Labels::new(pairs.map(|(k, v)| (k.clone(), v.clone())).collect())
    }
}

impl PartialEq for Labels {
    fn eq(&self, other: &Labels) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.iter().eq(other.iter())
    }
}

impl Eq for Labels {}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Labels) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Labels {
    fn cmp(&self, other: &Labels) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) {
            return Ordering::Equal;
        }
        self.iter().cmp(other.iter())
    }
}

impl Hash for Labels {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_usize(self.iter().count());
        self.iter().for_each(|pair| pair.hash(state));
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Labels {
    fn from(pairs: [(&str, &str); N]) -> Labels {
        Labels::new(pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect())
    }
}

/// One `matchExpressions` entry of a label selector.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Requirement {
    /// The label key it speaks of.
    pub key: Text,
    /// How the label's value is compared.
    pub operator: Operator,
    /// The values of `In` and `NotIn`, sorted; the bound of `Gt` and `Lt`; else empty.
    pub values: Vec<Text>,
}

/// Operators of selectors. `Gt` and `Lt` exist in node affinity only.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Operator {
    /// The label is there with one of the values.
    In,
    /// The label is missing or has none of the values.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is missing.
    DoesNotExist,
    /// The label is an integer greater than the value.
    Gt,
    /// The label is an integer less than the value.
    Lt,
}

impl Requirement {
    /// Whether a label of this value (`None`: no such label) meets the requirement.
    pub fn matches_value(&self, value: Option<&str>) -> bool {
        let listed = |v: &str| self.values.iter().any(|x| **x == *v);
        match self.operator {
            Operator::In => value.is_some_and(listed),
            Operator::NotIn => !value.is_some_and(listed),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::Gt | Operator::Lt => self.compares(value),
        }
    }

    fn compares(&self, value: Option<&str>) -> bool {
        let bound = self.values.first().and_then(|v| v.parse::<i64>().ok());
        let (Some(value), Some(bound)) = (value.and_then(|v| v.parse::<i64>().ok()), bound) else {
            return false;
        };
        if self.operator == Operator::Gt { value > bound } else { value < bound }
    }
}

/// A label selector: all requirements must hold. `matchLabels` entries become `In` with one value.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Selector {
    /// A missing selector (`null`): matches nothing.
    Nothing,
    /// Matches what meets every requirement; an empty list matches everything.
    All(Vec<Requirement>),
}

impl Selector {
    /// Whether `labels` meet the selector.
    pub fn matches(&self, labels: &Labels) -> bool {
        match self {
            Selector::Nothing => false,
            Selector::All(requirements) => {
                requirements.iter().all(|r| r.matches_value(labels.get(&r.key).map(|v| &**v)))
            }
        }
    }

    /// Its `matchLabels`: keys that must have one value.
    pub fn match_labels(&self) -> impl Iterator<Item = (&Text, &Text)> {
        let requirements = match self {
            Selector::Nothing => &[][..],
            Selector::All(requirements) => requirements,
        };
        let one = |r: &Requirement| r.operator == Operator::In && r.values.len() == 1;
        requirements.iter().filter(move |r| one(r)).map(|r| (&r.key, &r.values[0]))
    }

    /// The selector that `matchLabels` of these pairs makes.
    pub fn from_labels(labels: &Labels) -> Selector {
        let one = |(key, value): (&Text, &Text)| Requirement {
            key: key.clone(),
            operator: Operator::In,
            values: vec![value.clone()],
        };
        Selector::All(labels.iter().map(one).collect())
    }
}

/// As in the API's queries, and in messages: `app=web,tier in (a,b),!old`.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Selector::All(requirements) = self else { return Ok(()) };
        let mut sorted: Vec<&Requirement> = requirements.iter().collect();
        sorted.sort_by(|a, b| a.key.cmp(&b.key));
        for (index, r) in sorted.into_iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            let (key, values) = (&r.key, r.values.join(","));
            match r.operator {
                Operator::In if r.values.len() == 1 => write!(f, "{key}={values}")?,
                Operator::In => write!(f, "{key} in ({values})")?,
                Operator::NotIn => write!(f, "{key} notin ({values})")?,
                Operator::Exists => write!(f, "{key}")?,
                Operator::DoesNotExist => write!(f, "!{key}")?,
                Operator::Gt => write!(f, "{key}>{values}")?,
                Operator::Lt => write!(f, "{key}<{values}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requirement(key: &str, operator: Operator, values: &[&str]) -> Requirement {
        Requirement {
            key: key.into(),
            operator,
            values: values.iter().map(|v| (*v).into()).collect(),
        }
    }

    #[test]
    fn a_label_more_changes_nothing_but_itself() {
        let base = Labels::from([("a", "1"), ("c", "3"), ("e", "5"), ("g", "7")]);
        for (key, at) in [("0", 0), ("b", 1), ("c", 1), ("f", 3), ("h", 4)] {
            let more = base.with(key, "new");
            let mut pairs: Vec<(Text, Text)> =
                base.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
            pairs.push((key.into(), "new".into()));
            let whole = Labels::new(pairs);
            assert_eq!(more, whole, "{key}");
            assert_eq!(more.cmp(&whole), Ordering::Equal, "{key}");
            assert_eq!(more.iter().position(|(k, _)| **k == *key), Some(at), "{key}");
            assert_eq!(more.get(key).map(|v| &**v), Some("new"));
            assert_eq!(more.get("g").map(|v| &**v), Some("7"));
            assert_eq!(more.get("x"), None);
            assert_eq!(more.with("z", "26").iter().count(), whole.iter().count() + 1);
            assert_ne!(more, base);
        }
        assert!(Labels::default().is_empty() && !base.is_empty());
    }

    #[test]
    fn selectors_match_as_upstream() {
        use Operator::*;
        let labels = Labels::from([("app", "web"), ("tier", "front"), ("gen", "7")]);
        let rows = [
            ("a value in the list matches", requirement("app", In, &["api", "web"]), true),
            ("a missing label is in no list", requirement("zone", In, &["a"]), false),
            ("a missing label is not in any list", requirement("zone", NotIn, &["a"]), true),
            ("a listed value fails NotIn", requirement("app", NotIn, &["web"]), false),
            ("an existing label exists", requirement("tier", Exists, &[]), true),
            ("an existing label does not not-exist", requirement("tier", DoesNotExist, &[]), false),
            ("seven is greater than six", requirement("gen", Gt, &["6"]), true),
            ("a word is less than nothing", requirement("app", Lt, &["6"]), false),
        ];
        for (sentence, row, expected) in rows {
            assert_eq!(Selector::All(vec![row]).matches(&labels), expected, "{sentence}");
        }
        assert!(Selector::All(vec![]).matches(&labels), "an empty selector matches everything");
        assert!(!Selector::Nothing.matches(&labels), "a missing selector matches nothing");
    }

    #[test]
    fn of_equal_keys_the_last_wins() {
        let labels = Labels::from([("a", "1"), ("b", "2"), ("a", "3")]);
        assert_eq!(labels.get("a").map(|v| &**v), Some("3"));
        assert_eq!(labels.with("b", "9").get("b").map(|v| &**v), Some("9"));
    }
}
