//! A script of what was done to a real control plane (`scenario.json` of a recording).

use crate::api::Text;
use serde::Deserialize;
use serde_json::Value;

/// A script.
#[derive(Clone, Debug, Deserialize)]
pub struct Script {
    /// Its name, that of its folder.
    pub name: String,
    /// `exclusive`: it had its control plane for itself; `shared`: it stood beside others.
    #[serde(default)]
    pub class: String,
    /// How long was recorded, seconds.
    pub duration_s: f64,
    /// The namespaces that objects are in; the first is the one of objects that name none.
    #[serde(default)]
    pub namespaces: Vec<String>,
    /// The nodes at the start.
    #[serde(default)]
    pub nodes: Vec<Nodes>,
    /// What is done, in order.
    #[serde(default)]
    pub actions: Vec<Action>,
}

/// A node, or several that are alike.
#[derive(Clone, Debug, Deserialize)]
pub struct Nodes {
    /// The name of the one, or what the names of the several begin with.
    pub name: String,
    /// How many: `name1`, `name2`, ...
    pub count: Option<u32>,
    /// Allocatable CPU; 8 when absent.
    pub cpu: Option<Value>,
    /// Allocatable memory; 32Gi when absent.
    pub memory: Option<Value>,
    /// How many pods fit; 110 when absent.
    pub pods: Option<Value>,
    /// The zone; z0 when absent.
    pub zone: Option<String>,
    /// Further labels.
    #[serde(default)]
    pub labels: Value,
    /// Taints.
    #[serde(default)]
    pub taints: Value,
}

impl Script {
    /// Whether anything is done to nodes that pods are on.
    pub(super) fn touches_nodes(&self) -> bool {
        let verbs = ["nodeStop", "nodeDelete", "drain", "cordon"];
        let touches =
            |action: &Action| action.kind == "Node" || verbs.contains(&action.verb.as_str());
        self.actions.iter().any(touches)
    }
}

/// Something that is done.
#[derive(Clone, Debug, Deserialize)]
pub struct Action {
    /// When, seconds from the start.
    pub at: f64,
    /// What: `apply`, `scale`, `patch`, ...
    #[serde(rename = "do")]
    pub verb: String,
    /// Kind of the object, where the verb takes one.
    #[serde(default)]
    pub kind: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// The object to apply.
    #[serde(default)]
    pub manifest: Value,
    /// The new `spec.replicas`.
    #[serde(default)]
    pub replicas: u32,
    /// The revision to go back to; 0: the one before the newest.
    #[serde(default)]
    pub revision: u64,
    /// The patch.
    #[serde(default)]
    pub patch: Value,
    /// `merge`, `strategic` or `json`.
    #[serde(default)]
    pub patch_type: String,
    /// `propagationPolicy` of a deletion.
    #[serde(default)]
    pub propagation: String,
    /// Grace period of a deletion, seconds.
    pub grace: Option<u64>,
    /// Labels of the pods that are meant, `key=value,...`.
    #[serde(default)]
    pub selector: String,
    /// `created`: places are counted by age; else by name.
    #[serde(default)]
    pub sort: String,
    /// Places of the pods that are meant; all when absent.
    pub index: Option<Vec<usize>>,
    /// The new readiness.
    #[serde(default)]
    pub ready: bool,
    /// The exit code.
    #[serde(default)]
    pub exit: i32,
    /// Names of the nodes that are meant.
    #[serde(default)]
    pub nodes: Vec<String>,
    /// The node that joins.
    pub node: Option<Nodes>,
    /// Whose pods' metrics are set.
    #[serde(default)]
    pub app: String,
    /// What the metrics API says from then on.
    #[serde(default)]
    pub metric: Value,
    /// The namespace, where it is not the first one.
    pub namespace: Option<String>,
}

impl Nodes {
    /// The names of its nodes: `name1`, `name2`, ..., or the name alone.
    pub(super) fn names(&self) -> Vec<Text> {
        match self.count {
            None => vec![self.name.as_str().into()],
            Some(count) => (1..=count).map(|n| format!("{}{n}", self.name).into()).collect(),
        }
    }
}

impl Script {
    /// Reads a script.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Script, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }
}
