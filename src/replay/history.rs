//! What essentially happened, read from a recording: the same whatever names were drawn.
//!
//! ReplicaSets are named by their Deployment and the order of their creation (`web-#1`), Jobs by
//! their CronJob likewise, pods by their owner (`web-#1-*`), nodes alike; pods of a StatefulSet
//! have names that stay. Of each pod the four great moments count, of each owner in order; of each
//! ReplicaSet its sizes; of each StatefulSet its status, its revisions by their numbers; of each
//! Deployment and Job its conditions; of each Job how many pods it has counted in the end; of
//! Events how often each was told.

use crate::units::WallClock;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
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
/// Counts of a DaemonSet's status.
pub(super) const DAEMON_SET: &[&str] = &[
    "desiredNumberScheduled",
    "currentNumberScheduled",
    "numberMisscheduled",
    "numberReady",
    "updatedNumberScheduled",
    "numberAvailable",
    "numberUnavailable",
    "observedGeneration",
];
/// Counts of a PodDisruptionBudget's status.
pub(super) const BUDGET: &[&str] =
    &["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"];

/// What essentially happened.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct History {
    /// What time it was.
    pub clock: WallClock,
    /// Events, `object reason: message`, and how often.
    pub events: BTreeMap<String, u64>,
    /// By Deployment or Job and type: `status reason: message`, one after the other.
    pub conditions: BTreeMap<String, Vec<String>>,
    /// By ReplicaSet, ReplicationController or StatefulSet: `spec.replicas`, one by one.
    pub sizes: BTreeMap<String, Vec<u64>>,
    /// By DaemonSet or PodDisruptionBudget: counts of its status, one by one, and all at the end.
    pub statuses: BTreeMap<String, Vec<u64>>,
    /// Answers to evictions, `pod code: message; cause`, and how often.
    pub evictions: BTreeMap<String, u64>,
    /// By StatefulSet and field of its status: the values, one by one.
    pub sets: BTreeMap<String, Vec<u64>>,
    /// Pods with names that stay, and their owners.
    pub stateful: BTreeMap<String, String>,
    /// By Job: `status.succeeded` and `status.failed` in the end.
    pub counted: BTreeMap<String, [u64; 2]>,
    /// By owner: the moments of its pods; of a StatefulSet's pods by their own names.
    pub pods: BTreeMap<String, Moments>,
    /// When each action of the script was answered, milliseconds.
    pub answers: Vec<i64>,
    /// What the actions were told that were refused, in their order.
    pub refusals: Vec<String>,
}

/// Counts in the status of a StatefulSet.
pub(super) const COUNTS: [&str; 5] =
    ["replicas", "readyReplicas", "availableReplicas", "currentReplicas", "updatedReplicas"];
/// Revisions there.
pub(super) const REVISIONS: [&str; 2] = ["currentRevision", "updateRevision"];

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

/// What earlier lines of a recording said of pods, by name and UID, and of Events, by name.
#[derive(Default)]
struct Seen<'a> {
    pods: BTreeMap<(&'a str, &'a str), [bool; 4]>,
    events: BTreeMap<&'a str, u64>,
}

/// Names as they are drawn, and what stands for them.
#[derive(Debug, Default)]
pub(super) struct Names {
    known: BTreeMap<String, String>,
    sets: BTreeMap<String, usize>,
    revisions: BTreeMap<String, Vec<String>>,
}

impl Names {
    /// A ReplicaSet of a Deployment, or a Job of a CronJob.
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

    /// The number of a StatefulSet's revision, in order of appearance, from 1; 0: none.
    pub(super) fn revision(&mut self, set: &str, name: &str) -> u64 {
        if name.is_empty() {
            return 0;
        }
        let known = self.revisions.entry(set.to_owned()).or_default();
        let at = known.iter().position(|other| other == name).unwrap_or_else(|| {
            known.push(name.to_owned());
            known.len() - 1
        });
        at as u64 + 1
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
            history.recorded_status(line, &mut names);
        }
        history.sort();
        Ok(history)
    }

    fn take<'a>(&mut self, line: &'a Value, names: &Names, seen: &mut Seen<'a>) {
        if line["watch"] == "ACTION" {
            self.recorded_answer(line, names);
        }
        let name = line["name"].as_str().unwrap_or_default();
        if line["watch"] == "START" {
            let start = line["start"].as_str().and_then(|text| text.parse::<Timestamp>().ok());
            let nanos = start.and_then(|start| i64::try_from(start.as_nanosecond()).ok());
            self.clock = nanos.map(WallClock::starting_at).unwrap_or_default();
        }
        if line["kind"] == "Job" {
            let count = |key: &str| line["status"][key].as_u64().unwrap_or(0);
            self.count(names.of(name), [count("succeeded"), count("failed")]);
        }
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
            Some("DaemonSet" | "PodDisruptionBudget") if line["watch"] != "DELETED" => {
                self.recorded_counts(line, names);
            }
            None if line["watch"] == "EVICT" => self.recorded_eviction(line, names),
            Some("Pod") => {
                let mut owner = line["owner"][0].as_str().map_or(name, owner_name);
                if line["owner"][0].as_str().is_some_and(is_stateful) {
                    self.stateful(name, std::mem::replace(&mut owner, name));
                }
                let t = line["t"].as_i64().unwrap_or_default();
                let uid = line["uid"].as_str().unwrap_or_default();
                let flags = seen.pods.entry((name, uid)).or_default();
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

    fn recorded_counts(&mut self, line: &Value, names: &Names) {
        let of = |field: &str| line["status"][field].as_u64().unwrap_or(0);
        let fields = if line["kind"] == "DaemonSet" { DAEMON_SET } else { BUDGET };
        let counts: Vec<u64> = fields.iter().map(|field| of(field)).collect();
        self.status(&names.of(line["name"].as_str().unwrap_or_default()), fields, &counts);
    }

    fn recorded_eviction(&mut self, line: &Value, names: &Names) {
        let pod = names.of(line["pod"].as_str().unwrap_or_default());
        let message = line["result"].as_str().unwrap_or_default();
        let cause = line["causes"][0]["message"].as_str().unwrap_or_default();
        self.eviction(&pod, line["code"].as_u64().unwrap_or(0), message, cause);
    }

    fn recorded_status(&mut self, line: &Value, names: &mut Names) {
        let status = &line["status"];
        if line["kind"] != "StatefulSet" || !status.is_object() {
            return;
        }
        let set = line["name"].as_str().unwrap_or_default();
        for field in COUNTS {
            self.set_status(set, field, status[field].as_u64().unwrap_or(0));
        }
        for field in REVISIONS {
            let name = status[field].as_str().unwrap_or_default();
            self.set_status(set, field, names.revision(set, name));
        }
    }

    /// An action of the script, and what was answered.
    fn recorded_answer(&mut self, line: &Value, names: &Names) {
        self.answers.extend(line["answered"].as_i64());
        // What evictions are told has lines of its own.
        let result = line["result"].as_str().filter(|result| *result != "ok");
        let result = result.filter(|_| line["action"]["do"] != "evict");
        self.refusals.extend(result.map(|result| names.told(result)));
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

    /// An Event, told for the first time or again; it counts so many more.
    pub(super) fn event(
        &mut self,
        object: &str,
        (reason, message): (&str, &str),
        times: u32,
        names: &Names,
    ) {
        if !UNSTEADY.contains(&reason) {
            let text = event_text(object, reason, message, names);
            *self.events.entry(text).or_default() += u64::from(times);
        }
    }

    /// A condition as it stands now.
    pub(super) fn condition(&mut self, object: &str, kind: &str, text: String) {
        let told = self.conditions.entry(format!("{object} {kind}")).or_default();
        if told.last() != Some(&text) {
            told.push(text);
        }
    }

    /// How many pods a Job has counted now.
    pub(super) fn count(&mut self, job: String, counted: [u64; 2]) {
        self.counted.insert(job, counted);
    }

    /// A ReplicaSet's size as it is now.
    pub(super) fn size(&mut self, set: String, replicas: u64) {
        let sizes = self.sizes.entry(set).or_default();
        if sizes.last() != Some(&replicas) {
            sizes.push(replicas);
        }
    }

    /// Counts of a status as they are now. Those that pods turn ready for hang on who is first, so
    /// of them only the last counts, and of the number of disruptions where it turns.
    pub(super) fn status(&mut self, object: &str, fields: &[&str], counts: &[u64]) {
        self.statuses.insert(format!("{object} at the end"), counts.to_vec());
        for (field, count) in fields.iter().zip(counts) {
            let all = self.statuses.entry(format!("{object} {field}"));
            match *field {
                "disruptionsAllowed" => turn(all.or_default(), *count),
                "desiredNumberScheduled" | "numberMisscheduled" | "desiredHealthy" => {
                    let all = all.or_default();
                    if all.last() != Some(count) {
                        all.push(*count);
                    }
                }
                _ => {}
            }
        }
    }

    /// An answer to a request for an eviction.
    pub(super) fn eviction(&mut self, pod: &str, code: u64, message: &str, cause: &str) {
        *self.evictions.entry(format!("{pod} {code}: {message}; {cause}")).or_default() += 1;
    }

    /// A field of a status as it is now.
    pub(super) fn set_status(&mut self, set: &str, field: &str, value: u64) {
        let values = self.sets.entry(format!("{set} {field}")).or_default();
        if values.last() != Some(&value) {
            values.push(value);
        }
    }

    /// A moment of a pod.
    pub(super) fn moment(&mut self, owner: String, which: usize, ms: i64) {
        self.pods.entry(owner).or_default().lists[which].push(ms);
    }

    /// A pod with a name that stays.
    pub(super) fn stateful(&mut self, pod: &str, owner: &str) {
        if !self.stateful.contains_key(pod) {
            self.stateful.insert(pod.to_owned(), owner.to_owned());
        }
    }

    /// The same with the pods of a StatefulSet all alike: which of them is on a node is drawn.
    pub(super) fn without_ordinals(mut self) -> History {
        let mut names = Names::default();
        for (pod, owner) in std::mem::take(&mut self.stateful) {
            names.pod(&pod, &owner);
            if let Some(moments) = self.pods.remove(&pod) {
                let all = self.pods.entry(owner).or_default();
                for (all, more) in all.lists.iter_mut().zip(moments.lists) {
                    all.extend(more);
                }
            }
        }
        for (text, count) in std::mem::take(&mut self.events) {
            *self.events.entry(names.told(&text)).or_default() += count;
        }
        for (text, count) in std::mem::take(&mut self.evictions) {
            *self.evictions.entry(names.told(&text)).or_default() += count;
        }
        self.sort();
        self
    }

    /// Lists of times in order: watches of different kinds don't keep it.
    pub(super) fn sort(&mut self) {
        for moments in self.pods.values_mut() {
            moments.lists.iter_mut().for_each(|list| list.sort_unstable());
        }
    }
}

/// Goes on with a sequence of which only first, last, and where it turns are kept.
pub(super) fn turn(points: &mut Vec<u64>, next: u64) {
    if points.last() == Some(&next) {
        return;
    }
    if let [.., a, b] = points[..]
        && (a < b) == (b < next)
    {
        points.pop();
    }
    points.push(next);
}

fn event_text(object: &str, reason: &str, message: &str, names: &Names) -> String {
    // Which time was missed depends on when the script was played.
    let message = match message.split_once(": ") {
        Some((told, _)) if reason == "MissSchedule" => told,
        _ => message,
    };
    format!("{} {reason}: {}", names.told(object), names.told(message))
}

/// The name in `Kind/name`.
fn owner_name(owner: &str) -> &str {
    owner.split_once('/').map_or(owner, |(_, name)| name)
}

/// Whether pods of an owner, `Kind/name`, have names that stay.
fn is_stateful(owner: &str) -> bool {
    owner.starts_with("StatefulSet/")
}

fn learn(names: &mut Names, line: &Value) {
    let name = line["name"].as_str().unwrap_or_default();
    let owner = line["owner"][0].as_str();
    match (line["kind"].as_str(), owner) {
        (Some("ReplicaSet" | "Job"), Some(owner)) => names.set(name, owner_name(owner)),
        (Some("Pod"), Some(owner)) if !is_stateful(owner) => names.pod(name, owner_name(owner)),
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

    #[test]
    fn pods_of_a_stateful_set_keep_their_names() {
        let pod = |t: i64, uid: &str, watch: &str| {
            let line = serde_json::json!({
                "t": t, "watch": watch, "kind": "Pod", "name": "db-0", "uid": uid,
                "owner": ["StatefulSet/db"],
            });
            line.to_string()
        };
        let set = |t: i64, current: &str, update: &str| {
            let status = serde_json::json!({
                "replicas": 1, "currentRevision": current, "updateRevision": update,
            });
            serde_json::json!({"t": t, "kind": "StatefulSet", "name": "db", "status": status})
                .to_string()
        };
        let event = serde_json::json!({
            "kind": "Event", "name": "e", "object": "Pod/db-0", "reason": "R", "message": "db-0",
        });
        let lines = [
            pod(1, "a", "ADDED"),
            pod(2, "a", "DELETED"),
            pod(3, "b", "ADDED"),
            set(4, "", "db-x"),
            set(5, "db-x", "db-y"),
            event.to_string(),
        ];
        let history = History::of_recording(&lines.join("\n")).unwrap();
        assert_eq!(history.pods["db-0"].lists, [vec![1, 3], vec![], vec![], vec![2]]);
        let of = |field: &str| history.sets[&format!("db {field}")].clone();
        assert_eq!((of("replicas"), of("readyReplicas")), (vec![1], vec![0]));
        assert_eq!((of("currentRevision"), of("updateRevision")), (vec![0, 1], vec![1, 2]));
        assert!(history.events.contains_key("Pod/db-0 R: db-0"));
        let alike = history.without_ordinals();
        assert_eq!(alike.pods["db"].lists[0], [1, 3]);
        assert!(alike.events.contains_key("Pod/db-* R: db-*"));
    }
}
