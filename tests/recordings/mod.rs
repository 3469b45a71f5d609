//! Reads recorded cases of the real kube-scheduler: gzip, one JSON object a line.
//!
//! The manifests decode through k8s-openapi and the project's own conversion, so the recordings
//! judge that too.

pub(crate) mod objects;
pub(crate) mod queue_replay;
pub(crate) mod replay;

use flate2::read::GzDecoder;
use k8s_openapi::api::core::v1 as k8s;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use stormglass::api::convert;
use stormglass::api::node::Node;
use stormglass::api::pod::Pod;
use stormglass::units::SimTime;

/// One line of a case.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Line {
    pub case: Option<Case>,
    pub object: Option<Value>,
    pub node: Option<k8s::Node>,
    pub pod: Option<k8s::Pod>,
    pub step: Option<Step>,
    pub decision: Option<Recorded>,
    pub queue: Option<Queue>,
}

/// Where the pending pods are.
#[derive(Deserialize)]
pub(crate) struct Queue {
    pub active: Vec<String>,
    pub backoff: Vec<String>,
    pub unschedulable: Vec<String>,
    pub nominated: BTreeMap<String, String>,
}

#[derive(Deserialize)]
pub(crate) struct Case {
    pub config: Option<Value>,
}

#[derive(Deserialize)]
pub(crate) struct Step {
    pub op: String,
    #[serde(default)]
    pub at: u64,
    pub object: Option<Value>,
    pub name: Option<String>,
    pub node: Option<k8s::Node>,
    pub pod: Option<k8s::Pod>,
}

/// What the real scheduler decided.
#[derive(Clone, Deserialize, Default, Debug, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Recorded {
    pub pod: String,
    pub node: Option<String>,
    pub evaluated: Option<usize>,
    pub feasible: Option<usize>,
    pub message: Option<String>,
    pub unschedulable_plugins: Vec<String>,
    pub nominated: Option<String>,
    pub preemption_offset: Option<usize>,
    pub victims: Vec<String>,
    pub scores: Option<BTreeMap<String, BTreeMap<String, i64>>>,
}

/// The lines of a case.
pub(crate) fn read(path: &Path) -> Vec<Line> {
    let file = std::fs::File::open(path).unwrap();
    let lines = BufReader::new(GzDecoder::new(file)).lines();
    lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
}

/// The files of a directory whose name starts with `family` and a dash and a digit.
pub(crate) fn files(directory: &Path, family: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let of_family = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let rest = name.strip_prefix(family).and_then(|r| r.strip_prefix('-'));
        rest.is_some_and(|r| r.starts_with(|c: char| c.is_ascii_digit()))
    };
    let mut files: Vec<_> = entries.map(|e| e.unwrap().path()).filter(of_family).collect();
    files.sort();
    files
}

/// `namespace/name` of a manifest; `default` is the namespace of one that has none.
pub(crate) fn key(pod: &k8s::Pod) -> String {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or("default");
    format!("{namespace}/{}", pod.metadata.name.as_deref().unwrap())
}

/// A pod from its manifest. The recordings were made without the defaulting of pod-level requests
/// from pod-level limits (the API server does it after admission), so such limits are left out.
pub(crate) fn pod(given: &k8s::Pod) -> Pod {
    let mut spec = given.spec.clone().unwrap();
    if let Some(resources) = &mut spec.resources {
        resources.limits = None;
    }
    let mut errors = Vec::new();
    let spec = convert::pod::pod_spec(&spec, "spec", &mut errors);
    assert_eq!(errors, [], "{}", key(given));
    let started = given.status.as_ref().and_then(|s| s.start_time.as_ref());
    Pod {
        started: started.map_or(SimTime::NEVER, |t| instant(t.0.as_second())),
        ..Pod::pending(
            given.metadata.namespace.as_deref().unwrap_or("default").into(),
            given.metadata.name.as_deref().unwrap().into(),
            convert::labels(given.metadata.labels.as_ref()),
            Arc::new(spec),
            SimTime::ZERO,
        )
    }
}

/// `kind/namespace/name` of the controlling owner of a pod.
pub(crate) fn owner(given: &k8s::Pod) -> Option<String> {
    let namespace = given.metadata.namespace.as_deref().unwrap_or("default");
    let owners = given.metadata.owner_references.iter().flatten();
    let owner = owners.into_iter().find(|o| o.controller == Some(true))?;
    Some(format!("{}/{namespace}/{}", owner.kind, owner.name))
}

/// Wall-clock seconds as an instant; the recordings start at 2000-01-01.
fn instant(unix_seconds: i64) -> SimTime {
    SimTime::from_secs(u64::try_from(unix_seconds - 946_684_800).unwrap_or(0))
}

pub(crate) fn node(given: &k8s::Node) -> Node {
    let mut errors = Vec::new();
    let node = convert::node::node(given, "", &mut errors);
    assert_eq!(errors, []);
    node
}
