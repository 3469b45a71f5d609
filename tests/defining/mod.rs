//! What each plugin of the default scheduler does, by definition: on manifests, one question at a
//! time. It knows nothing of the library.

pub mod affinity;
pub mod nodes;
pub mod preemption;
pub mod quantity;
pub mod resources;
pub mod spread;
pub mod volumes;

use serde_json::Value;
use std::collections::BTreeMap;

/// A cluster as its manifests tell it.
#[derive(Clone, Default)]
pub struct World {
    pub nodes: BTreeMap<String, Value>,
    /// Pods that have a node, by name; the node may be gone.
    pods: BTreeMap<String, (Value, String)>,
    pub namespaces: BTreeMap<String, Value>,
    pub services: Vec<Value>,
    /// Selectors of ReplicaSets, by namespace and name.
    pub owners: BTreeMap<(String, String), Value>,
    pub budgets: Vec<Value>,
    /// Where pods were nominated, by their names. Recordings of single cycles suppose there a pod
    /// that asks for nothing.
    nominated: BTreeMap<String, String>,
    /// PersistentVolumes, claims, classes and CSINodes, by kind and name.
    storage: BTreeMap<(String, String), Value>,
}

/// The name of an object.
pub fn name(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap().to_owned()
}

/// The namespace of an object.
pub fn namespace(object: &Value) -> String {
    object["metadata"]["namespace"].as_str().unwrap_or("default").to_owned()
}

/// `namespace/name` of an object.
pub fn key(object: &Value) -> String {
    format!("{}/{}", namespace(object), name(object))
}

/// The items of a list that may be missing.
pub fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// The text of a field that may be missing.
pub fn text(field: &Value) -> &str {
    field.as_str().unwrap_or("")
}

/// A node's value of a label.
pub fn label<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object["metadata"]["labels"][key].as_str()
}

impl World {
    /// A line of a case that is no scheduling cycle.
    pub fn heed(&mut self, line: &Value) {
        if let Value::Object(_) = &line["object"] {
            self.object(&line["object"]);
        }
        if let Value::Object(_) = &line["node"] {
            self.nodes.insert(name(&line["node"]), line["node"].clone());
        }
        if let Value::Object(_) = &line["pod"] {
            // It runs, whatever its claims look like.
            let pod = line["pod"].clone();
            let node = text(&pod["spec"]["nodeName"]).to_owned();
            self.pods.insert(key(&pod), (pod, node));
        }
        let step = &line["step"];
        match text(&step["op"]) {
            "addNode" | "updateNode" => {
                self.nodes.insert(name(&step["node"]), step["node"].clone());
            }
            "deleteNode" => {
                self.nodes.remove(text(&step["name"]));
            }
            "deletePod" => {
                self.evict(text(&step["name"]));
                self.nominated.remove(text(&step["name"]));
            }
            _ => {}
        }
    }

    fn object(&mut self, object: &Value) {
        match text(&object["kind"]) {
            "Namespace" => {
                self.namespaces.insert(name(object), object.clone());
            }
            "Service" => self.services.push(object.clone()),
            "PodDisruptionBudget" => self.budgets.push(object.clone()),
            "ReplicaSet" => {
                let selector = object["spec"]["selector"].clone();
                self.owners.insert((namespace(object), name(object)), selector);
            }
            kind => {
                self.storage.insert((kind.to_owned(), name(object)), object.clone());
            }
        }
    }

    /// An object of storage.
    pub fn stored(&self, kind: &str, name: &str) -> Option<&Value> {
        self.storage.get(&(kind.to_owned(), name.to_owned()))
    }

    /// A pod has a node from now on, and its claims have volumes, or will have them there.
    pub fn bind(&mut self, pod: Value, node: &str) {
        for object in volumes::bound_by(self, &pod, node) {
            self.object(&object);
        }
        self.nominated.remove(&key(&pod));
        self.pods.insert(key(&pod), (pod, node.to_owned()));
    }

    /// A pod is gone.
    pub fn evict(&mut self, name: &str) {
        self.pods.remove(name);
    }

    /// A pod is to have a node, or none, once there is room.
    pub fn nominate(&mut self, pod: &Value, node: Option<&String>) {
        match node {
            Some(node) => self.nominated.insert(key(pod), node.clone()),
            None => self.nominated.remove(&key(pod)),
        };
    }

    /// The node to which a pod is nominated, if it is there.
    pub fn nominated_node(&self, pod: &Value) -> Option<&Value> {
        self.nodes.get(self.nominated.get(&key(pod))?)
    }

    /// How many other pods are nominated to a node that are as important as `pod`.
    pub fn nominations(&self, pod: &Value, node: &Value) -> usize {
        let (own, here) = (key(pod), name(node));
        let others = self.nominated.iter().filter(|(name, to)| **name != own && **to == here);
        if preemption::priority(pod) <= 0 { others.count() } else { 0 }
    }

    /// The cluster without some pods.
    pub fn without(&self, names: &[String]) -> World {
        let mut world = self.clone();
        names.iter().for_each(|name| world.evict(name));
        world
    }

    /// Whether a pod has a node.
    pub fn runs(&self, pod: &Value) -> bool {
        self.pods.contains_key(&key(pod))
    }

    /// All pods on nodes that are there.
    pub fn placed(&self) -> impl Iterator<Item = (&Value, &Value)> {
        self.pods.values().filter_map(|(pod, node)| Some((pod, self.nodes.get(node)?)))
    }

    /// The pods on a node.
    pub fn on<'a>(&'a self, node: &'a Value) -> impl Iterator<Item = &'a Value> {
        let here = name(node);
        self.pods.values().filter(move |(_, node)| *node == here).map(|(pod, _)| pod)
    }
}

/// Whether a plugin rejects a node.
pub type Rejects = fn(&World, &Value, &Value) -> bool;
/// What a plugin gives to each feasible node, 0 to 100.
pub type Scores = fn(&World, &Value, &[&Value]) -> Vec<i64>;

/// All that filter, in the order in which they are asked.
pub fn filters() -> [(&'static str, Rejects); 13] {
    [
        ("NodeName", nodes::name_differs),
        ("NodeUnschedulable", nodes::is_cordoned),
        ("TaintToleration", nodes::is_tainted),
        ("NodeAffinity", nodes::is_not_selected),
        ("NodePorts", nodes::ports_conflict),
        ("NodeResourcesFit", resources::lacks_room),
        ("VolumeRestrictions", volumes::are_used_alone),
        ("NodeVolumeLimits", volumes::are_too_many),
        ("VolumeBinding", volumes::do_not_bind),
        ("VolumeZone", volumes::lie_in_other_zones),
        ("PodTopologySpread", spread::skews),
        ("InterPodAffinity", affinity::is_violated),
        ("NodeDeclaredFeatures", nodes::lacks_features),
    ]
}

/// Whether no plugin rejects a node.
pub fn fits(world: &World, pod: &Value, node: &Value) -> bool {
    filters().iter().all(|(_, rejects)| !rejects(world, pod, node))
}

/// All that score, with their weights.
pub fn scorers() -> [(&'static str, i64, Scores); 8] {
    [
        ("TaintToleration", 3, nodes::taint_scores),
        ("NodeAffinity", 2, nodes::affinity_scores),
        ("NodeResourcesFit", 1, resources::least_allocated),
        ("VolumeBinding", 1, volumes::scores),
        ("PodTopologySpread", 2, spread::scores),
        ("InterPodAffinity", 2, affinity::scores),
        ("NodeResourcesBalancedAllocation", 1, resources::balanced),
        ("ImageLocality", 1, nodes::image_scores),
    ]
}

/// Whether a label selector selects an object; one that is missing selects nothing.
pub fn selects(selector: &Value, object: &Value) -> bool {
    if selector.is_null() {
        return false;
    }
    let equal = selector["matchLabels"].as_object().into_iter().flatten();
    let mut equal = equal.map(|(key, value)| label(object, key) == value.as_str());
    equal.all(|holds| holds)
        && items(&selector["matchExpressions"]).all(|e| holds(e, |key| label(object, key)))
}

/// Whether an expression about labels holds.
pub fn holds<'a>(expression: &Value, value: impl Fn(&str) -> Option<&'a str>) -> bool {
    let found = value(text(&expression["key"]));
    let is_listed = |found: &str| items(&expression["values"]).any(|value| text(value) == found);
    let number = |text: &str| text.parse::<i64>().ok();
    let bound = || number(text(&expression["values"][0]));
    match text(&expression["operator"]) {
        "In" => found.is_some_and(is_listed),
        "NotIn" => !found.is_some_and(is_listed),
        "Exists" => found.is_some(),
        "DoesNotExist" => found.is_none(),
        "Gt" => found.and_then(number).zip(bound()).is_some_and(|(found, bound)| found > bound),
        "Lt" => found.and_then(number).zip(bound()).is_some_and(|(found, bound)| found < bound),
        other => panic!("{other} is no operator"),
    }
}
