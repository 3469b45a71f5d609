//! What the scheduler considered in one attempt to place a pod, node by node.
//!
//! Plain data for people who ask why; it knows no plugin and no scheduler.

use crate::api::Text;
use crate::units::SimTime;
use serde::{Serialize, Serializer};

/// One scheduling cycle of a pod.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Attempt {
    /// When it began; in JSON, seconds since the start of the simulation.
    #[serde(rename = "time_s", serialize_with = "seconds")]
    pub time: SimTime,
    /// The how-manieth it was, from 1.
    pub number: u32,
    /// The node that it ended with; `None`: none would do.
    pub node: Option<Text>,
    /// The text of the FailedScheduling event; empty if it was placed, and bound for all that is
    /// known.
    pub message: String,
    /// The node whose pods are to make room for it.
    pub nominated: Option<Text>,
    /// Why no node was looked at, if that is so.
    pub pre_filter: String,
    /// Nodes that were looked at, in that order.
    pub nodes: Vec<NodeVerdict>,
    /// Nodes there were.
    pub nodes_in_all: usize,
}

/// What the scheduler's plugins said of a node.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NodeVerdict {
    /// Its name.
    pub node: Text,
    /// The plugin that rejected it; `None`: it would do.
    pub rejected_by: Option<&'static str>,
    /// That plugin's reasons.
    pub reasons: Vec<String>,
    /// Weighted scores by plugin; none if it was rejected or the only one that would do.
    pub scores: Vec<(&'static str, i64)>,
}

fn seconds<S: Serializer>(time: &SimTime, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(time.as_secs_f64())
}

impl NodeVerdict {
    /// The sum of its scores.
    pub fn total(&self) -> i64 {
        self.scores.iter().map(|(_, score)| score).sum()
    }
}
