//! A scheduling decision as it is recorded and printed: one JSON object a line.
//!
//! Plain data, and how two of them differ. Fields are those of the recordings.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A number for each plugin, by its name.
pub type ByPlugin = BTreeMap<String, i64>;

/// The outcome of one scheduling cycle.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Answer {
    /// `namespace/name`.
    pub pod: String,
    /// The node it goes to; none: it is unschedulable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// `ScheduleResult.EvaluatedNodes`, of a placed pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evaluated: Option<usize>,
    /// `ScheduleResult.FeasibleNodes`, of a placed pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feasible: Option<usize>,
    /// Text of the FailedScheduling event, uncut.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Plugins that rejected the pod, sorted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unschedulable_plugins: Vec<String>,
    /// The node that it is nominated to by this cycle's preemption.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nominated: Option<String>,
    /// The random number that was handed to the preemption. Read, never printed.
    #[serde(skip_serializing)]
    pub preemption_offset: Option<usize>,
    /// Pods whose deletion this cycle begins, in that order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub victims: Vec<String>,
    /// What the claims of a placed pod have got, by their names: a line for each device, and one
    /// for the nodes from which they are reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claims: Option<BTreeMap<String, Vec<String>>>,
    /// Weighted, normalised scores of every feasible node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scores: Option<BTreeMap<String, ByPlugin>>,
    /// The plugin that rejected a node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected_by: Option<BTreeMap<String, String>>,
    /// How often the pod has been tried, this time included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// Where all pending pods are after the cycle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<Places>,
}

/// Where the pending pods are, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Places {
    /// In the active queue.
    pub active: Vec<String>,
    /// In a back-off queue.
    pub backoff: Vec<String>,
    /// In the pool of unschedulable pods; gated ones are there too.
    pub unschedulable: Vec<String>,
    /// `status.nominatedNodeName` of each pod that has one.
    pub nominated: BTreeMap<String, String>,
}

impl Answer {
    /// The first way in which this answer differs from `recorded`, for people. What one of the two
    /// need not tell (scores, rejections, attempts, the queue) is compared where both do.
    pub fn difference_from(&self, recorded: &Answer) -> Option<String> {
        let scores = |a: &Answer| a.scores.as_ref().map(without_zeros);
        differ("pod", &self.pod, &recorded.pod)
            .or_else(|| differ("node", &self.node, &recorded.node))
            .or_else(|| differ("evaluated", &self.evaluated, &recorded.evaluated))
            .or_else(|| differ("feasible", &self.feasible, &recorded.feasible))
            .or_else(|| differ("message", &self.message, &recorded.message))
            .or_else(|| {
                let (ours, theirs) = (&self.unschedulable_plugins, &recorded.unschedulable_plugins);
                differ("unschedulablePlugins", ours, theirs)
            })
            .or_else(|| differ("nominated", &self.nominated, &recorded.nominated))
            .or_else(|| differ("victims", &self.victims, &recorded.victims))
            .or_else(|| differ("claims", &self.claims, &recorded.claims))
            .or_else(|| differ_by_node("scores", &scores(self), &scores(recorded)))
            .or_else(|| differ_by_node("rejectedBy", &self.rejected_by, &recorded.rejected_by))
            .or_else(|| differ_if_told("attempts", &self.attempts, &recorded.attempts))
            .or_else(|| differ_if_told("queue", &self.queue, &recorded.queue))
    }
}

fn differ<T: PartialEq + std::fmt::Debug>(what: &str, ours: &T, theirs: &T) -> Option<String> {
    (ours != theirs).then(|| format!("{what}: recorded {theirs:?}, got {ours:?}"))
}

fn differ_if_told<T: PartialEq + std::fmt::Debug>(
    what: &str,
    ours: &Option<T>,
    theirs: &Option<T>,
) -> Option<String> {
    differ(what, ours.as_ref()?, theirs.as_ref()?)
}

fn differ_by_node<T: PartialEq + std::fmt::Debug>(
    what: &str,
    ours: &Option<BTreeMap<String, T>>,
    theirs: &Option<BTreeMap<String, T>>,
) -> Option<String> {
    let (ours, theirs) = (ours.as_ref()?, theirs.as_ref()?);
    let nodes = ours.keys().chain(theirs.keys());
    let node = nodes.filter(|node| ours.get(*node) != theirs.get(*node)).min()?;
    differ(&format!("{what}[{node}]"), &ours.get(node), &theirs.get(node))
}

/// A zero may be left out on either side.
fn without_zeros(scores: &BTreeMap<String, ByPlugin>) -> BTreeMap<String, ByPlugin> {
    let told = |scores: &ByPlugin| {
        scores.iter().filter(|(_, s)| **s != 0).map(|(plugin, s)| (plugin.clone(), *s)).collect()
    };
    scores.iter().map(|(node, scores)| (node.clone(), told(scores))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(node: &str, plugin: &str, score: i64) -> Option<BTreeMap<String, ByPlugin>> {
        Some([(node.to_owned(), [(plugin.to_owned(), score)].into())].into())
    }

    #[test]
    fn differences_are_told() {
        let placed = Answer { node: Some("n1".to_owned()), ..Answer::default() };
        let with = |scores| Answer { scores, ..placed.clone() };
        let tried = |attempts| Answer { attempts, ..placed.clone() };
        type Row = (&'static str, Answer, Answer, Option<&'static str>);
        let rows: [Row; 7] = [
            ("the same", placed.clone(), placed.clone(), None),
            (
                "another node",
                placed.clone(),
                Answer::default(),
                Some("node: recorded None, got Some(\"n1\")"),
            ),
            (
                "scores that one side does not tell",
                placed.clone(),
                with(scored("n1", "A", 3)),
                None,
            ),
            (
                "a zero left out",
                with(scored("n1", "A", 0)),
                with(Some([("n1".to_owned(), ByPlugin::new())].into())),
                None,
            ),
            (
                "another score",
                with(scored("n1", "A", 2)),
                with(scored("n1", "A", 3)),
                Some("scores[n1]: recorded Some({\"A\": 3}), got Some({\"A\": 2})"),
            ),
            ("attempts untold", tried(None), tried(Some(2)), None),
            (
                "attempts miscounted",
                tried(Some(1)),
                tried(Some(2)),
                Some("attempts: recorded 2, got 1"),
            ),
        ];
        for (sentence, ours, recorded, expected) in rows {
            assert_eq!(ours.difference_from(&recorded).as_deref(), expected, "{sentence}");
        }
    }
}
