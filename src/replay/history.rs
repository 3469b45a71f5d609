//! What essentially happened, read from a recording: the same whatever names were drawn.
//!
//! ReplicaSets are named by their Deployment and the order of their creation (`web-#1`), pods by
//! their owner (`web-#1-*`), nodes all alike. Of each pod the four great moments count, of each
//! owner in order; of each ReplicaSet its sizes; of each Deployment its conditions; of Events how
//! often each was told.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Events whose number is a matter of phases and of merging (the recordings' own notes).
const UNSTEADY: &[&str] = &[
    "RegisteredNode",
    "NoPods",
    "FailedScheduling",
    "FailedCreate",
    "FailedGetResourceMetric",
    "FailedComputeMetricsReplicas",
];

/// Length of what the API server adds to a name.
const SUFFIX: usize = 5;

/// What essentially happened.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct History {
    /// Events, `object reason: message`, and how often.
    pub events: BTreeMap<String, u64>,
    /// By Deployment or Job and type: `status reason: message`, one after the other.
    pub conditions: BTreeMap<String, Vec<String>>,
    /// By ReplicaSet, ReplicationController or StatefulSet: `spec.replicas`, one by one.
    pub sizes: BTreeMap<String, Vec<u64>>,
    /// By owner: the moments of its pods.
    pub pods: BTreeMap<String, Moments>,
    /// When each action of the script was answered, milliseconds.
    pub answers: Vec<i64>,
    /// What the actions were told that were refused, in their order.
    pub refusals: Vec<String>,
    /// What was told of evictions that were refused: `pod code: message; cause`.
    pub evictions: BTreeSet<String>,
}

/// When pods of one owner were created, first Ready, marked for deletion and gone: milliseconds,
/// each list in order.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Moments {
    /// The four lists.
    pub lists: [Vec<i64>; 4],
}

/// What the lists of [`Moments`] are of.
pub(super) const MOMENTS: [&str; 4] = ["created", "ready", "marked", "gone"];

/// What is wrong with a recording: line (from 1) and message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordingError(pub usize, pub String);

impl fmt::Display for RecordingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.0, self.1)
    }
}

impl std::error::Error for RecordingError {}

/// What earlier lines of a recording said of pods and Events, by name.
#[derive(Default)]
struct Seen<'a> {
    pods: BTreeMap<&'a str, [bool; 4]>,
    events: BTreeMap<&'a str, u64>,
}

/// Names as they are drawn, and what stands for them.
#[derive(Debug, Default)]
pub(super) struct Names {
    known: BTreeMap<String, String>,
    sets: BTreeMap<String, usize>,
}

impl Names {
    /// A ReplicaSet of a Deployment.
    pub(super) fn set(&mut self, name: &str, deployment: &str) {
        if !self.known.contains_key(name) {
            let number = self.sets.entry(deployment.to_owned()).or_default();
            *number += 1;
            self.known.insert(name.to_owned(), format!("{deployment}-#{number}"));
        }
    }

    /// A pod of an owner.
    pub(super) fn pod(&mut self, name: &str, owner: &str) {
        let of = self.of(owner);
        self.known.entry(name.to_owned()).or_insert_with(|| format!("{of}-*"));
    }

    /// A node.
    pub(super) fn node(&mut self, name: &str) {
        self.known.insert(name.to_owned(), "NODE".to_owned());
    }

    /// What stands for a name; also for that of a pod of a known set that was never made.
    pub(super) fn of(&self, name: &str) -> String {
        if let Some(known) = self.known.get(name) {
            return known.clone();
        }
        let set = name.rsplit_once('-').filter(|(_, suffix)| suffix.len() == SUFFIX);
        let set = set.and_then(|(set, _)| self.known.get(set));
        set.map_or_else(|| name.to_owned(), |set| format!("{set}-*"))
    }

    /// A text with all names replaced.
    pub(super) fn told(&self, text: &str) -> String {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let mut out = String::new();
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            out.push_str(&self.of(word));
            let next = after.find(is_name).unwrap_or(after.len());
            out.push_str(&after[..next]);
            rest = &after[next..];
        }
        out
    }
}

impl History {
    /// The history of a recording.
    ///
    /// # Errors
    /// A line that is no JSON object.
    pub fn of_recording(text: &str) -> Result<History, RecordingError> {
        let parse = |(number, line): (usize, &str)| {
            serde_json::from_str::<Value>(line)
                .map_err(|error| RecordingError(number + 1, error.to_string()))
        };
        let lines: Vec<Value> = text.lines().enumerate().map(parse).collect::<Result<_, _>>()?;
        let mut names = Names::default();
        for line in &lines {
            learn(&mut names, line);
        }
        let mut history = History::default();
        let mut seen = Seen::default();
        for line in &lines {
            history.take(line, &names, &mut seen);
        }
        history.sort();
        Ok(history)
    }

    fn take<'a>(&mut self, line: &'a Value, names: &Names, seen: &mut Seen<'a>) {
        if line["watch"] == "ACTION" {
            self.answers.extend(line["answered"].as_i64());
            // What evictions are told has lines of its own.
            let result = line["result"].as_str().filter(|result| *result != "ok");
            let result = result.filter(|_| line["action"]["do"] != "evict");
            self.refusals.extend(result.map(|result| names.told(result)));
        }
        if let (Some(pod), Some(code)) = (line["pod"].as_str(), line["code"].as_u64())
            && line["watch"] == "EVICT"
            && code >= 400
        {
            let cause = line["causes"][0]["message"].as_str().unwrap_or_default();
            let result = line["result"].as_str().unwrap_or_default();
            self.eviction(pod, code, result, cause, names);
        }
        let name = line["name"].as_str().unwrap_or_default();
        match line["kind"].as_str() {
            Some("Event") if line["watch"] != "DELETED" => {
                let told = seen.events.entry(name).or_default();
                self.recorded_event(line, names, told);
            }
            Some("Deployment" | "Job") => {
                for condition in line["status"]["conditions"].as_array().into_iter().flatten() {
                    let word = |key: &str| condition[key].as_str().unwrap_or_default();
                    let text =
                        format!("{} {}: {}", word("status"), word("reason"), word("message"));
                    self.condition(&names.of(name), word("type"), names.told(&text));
                }
            }
            Some("ReplicaSet" | "ReplicationController" | "StatefulSet") => {
                if let Some(replicas) = line["spec"]["replicas"].as_u64() {
                    self.size(names.of(name), replicas);
                }
            }
            Some("Pod") => {
                let owner = line["owner"][0].as_str().map_or(name, owner_name);
                let t = line["t"].as_i64().unwrap_or_default();
                let flags = seen.pods.entry(name).or_default();
                let conditions = line["status"]["conditions"].as_array().into_iter().flatten();
                let mut ready =
                    conditions.filter(|c| c["type"] == "Ready" && c["status"] == "True");
                let now = [
                    true,
                    ready.next().is_some(),
                    !line["deletion"].is_null(),
                    line["watch"] == "DELETED",
                ];
                for (which, now) in now.into_iter().enumerate() {
                    if now && !std::mem::replace(&mut flags[which], true) {
                        self.moment(names.of(owner), which, t);
                    }
                }
            }
            _ => {}
        }
    }

    /// A line of an Event says how often it has been told so far; `told` is what earlier ones said.
    fn recorded_event(&mut self, line: &Value, names: &Names, told: &mut u64) {
        let word = |key: &str| line[key].as_str().unwrap_or_default();
        let count = line["count"].as_u64().or(line["series"]["count"].as_u64()).unwrap_or(1);
        let more = count.saturating_sub(std::mem::replace(told, count));
        if !UNSTEADY.contains(&word("reason")) {
            let text = event_text(word("object"), word("reason"), word("message"), names);
            *self.events.entry(text).or_default() += more;
        }
    }

    /// An Event, told once.
    pub(super) fn event(&mut self, object: &str, reason: &str, message: &str, names: &Names) {
        if !UNSTEADY.contains(&reason) {
            *self.events.entry(event_text(object, reason, message, names)).or_default() += 1;
        }
    }

    /// An eviction that was refused.
    pub(super) fn eviction(
        &mut self,
        pod: &str,
        code: u64,
        message: &str,
        cause: &str,
        names: &Names,
    ) {
        let told = format!("{pod} {code}: {message}; {cause}");
        self.evictions.insert(names.told(&told));
    }

    /// A condition as it stands now.
    pub(super) fn condition(&mut self, object: &str, kind: &str, text: String) {
        let told = self.conditions.entry(format!("{object} {kind}")).or_default();
        if told.last() != Some(&text) {
            told.push(text);
        }
    }

    /// A ReplicaSet's size as it is now.
    pub(super) fn size(&mut self, set: String, replicas: u64) {
        let sizes = self.sizes.entry(set).or_default();
        if sizes.last() != Some(&replicas) {
            sizes.push(replicas);
        }
    }

    /// A moment of a pod.
    pub(super) fn moment(&mut self, owner: String, which: usize, ms: i64) {
        self.pods.entry(owner).or_default().lists[which].push(ms);
    }

    /// Lists of times in order: watches of different kinds don't keep it.
    pub(super) fn sort(&mut self) {
        for moments in self.pods.values_mut() {
            moments.lists.iter_mut().for_each(|list| list.sort_unstable());
        }
    }
}

fn event_text(object: &str, reason: &str, message: &str, names: &Names) -> String {
    format!("{} {reason}: {}", names.told(object), names.told(message))
}

/// The name in `Kind/name`.
fn owner_name(owner: &str) -> &str {
    owner.split_once('/').map_or(owner, |(_, name)| name)
}

fn learn(names: &mut Names, line: &Value) {
    let name = line["name"].as_str().unwrap_or_default();
    let owner = line["owner"][0].as_str();
    match (line["kind"].as_str(), owner) {
        (Some("ReplicaSet"), Some(owner)) => names.set(name, owner_name(owner)),
        (Some("Pod"), Some(owner)) => names.pod(name, owner_name(owner)),
        (Some("Node"), _) => names.node(name),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_names_do_not_count() {
        let mut names = Names::default();
        names.set("web-79d7", "web");
        names.set("web-1111", "web");
        names.pod("web-79d7-abc", "web-79d7");
        names.node("n1");
        let rows = [
            ("a ReplicaSet", "Scaled up replica set web-1111 from 0 to 3", "web-#2 from"),
            (
                "a pod, also behind a namespace",
                "assigned demo/web-79d7-abc to n1",
                "demo/web-#1-* to NODE",
            ),
            ("a pod that was refused", "pods \"web-79d7-x4567\" is forbidden", "\"web-#1-*\" is"),
            ("in quotes", "ReplicaSet \"web-79d7\" is progressing.", "\"web-#1\""),
            ("what is no name stays", "minimum availability.", "minimum availability."),
        ];
        for (sentence, text, expected) in rows {
            let told = names.told(text);
            assert!(told.contains(expected), "{sentence}: {told}");
        }
    }
}
