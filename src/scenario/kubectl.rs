//! What a person does with `kubectl`, as plain data.

use super::model::{Happening, TimelineEntry};
use crate::api::amounts::written;
use crate::api::labels::Selector;
use crate::api::meta::Propagation;
use crate::api::object::{Object, Target};
use crate::api::quantity::Quantity;
use crate::api::taint::{Taint, TaintEffect};
use crate::api::workload::ResourceChange;
use crate::api::{ObjectName, Text};
use crate::units::SimDuration;

/// One command.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// `apply`, `create` and all that only changes a manifest (`patch`, `set image`, `rollout
    /// pause`, ...): the object as it shall be.
    Apply {
        /// The object.
        object: Object,
        /// Its `spec.replicas` stays as it is in the cluster: the command does not speak of it.
        keeps_replicas: bool,
    },
    /// `scale`.
    Scale {
        /// The object.
        target: Target,
        /// The new `spec.replicas`.
        replicas: u32,
    },
    /// `rollout undo` of a Deployment.
    Undo {
        /// Its name.
        name: ObjectName,
        /// The revision to go back to; 0: the one before the newest.
        revision: u64,
    },
    /// `rollout pause` and `resume` of a Deployment.
    Pause {
        /// Its name.
        name: ObjectName,
        /// Changes of its template have no effect any more.
        on: bool,
    },
    /// `rollout restart`.
    Restart {
        /// The object.
        target: Target,
    },
    /// `set image`.
    SetImage {
        /// The object.
        target: Target,
        /// Containers, or `*` for all, and their images.
        images: Vec<(Text, Text)>,
    },
    /// `set resources`.
    SetResources {
        /// The object.
        target: Target,
        /// Which containers, and what they get.
        change: ResourceChange,
    },
    /// `delete`.
    Delete {
        /// The object.
        target: Target,
        /// `--cascade`: what becomes of what it owns.
        propagation: Propagation,
        /// `--grace-period`.
        grace: Option<SimDuration>,
    },
    /// Something with pods.
    Pods {
        /// Which.
        which: PodChoice,
        /// What.
        what: PodCommand,
    },
    /// `cordon` and `uncordon`.
    Cordon {
        /// The node.
        node: Text,
        /// Pods may not come any more.
        on: bool,
    },
    /// `drain`: cordons, and evicts all pods but those of DaemonSets, again each five seconds
    /// while a budget refuses.
    Drain {
        /// The nodes.
        nodes: Vec<Text>,
    },
    /// `delete node`.
    DeleteNode {
        /// The node.
        node: Text,
    },
    /// `label node`.
    LabelNode {
        /// The node.
        node: Text,
        /// Labels; one without a value goes.
        pairs: Vec<(Text, Option<Text>)>,
    },
    /// `taint node`.
    TaintNode {
        /// The node.
        node: Text,
        /// Taints that come.
        add: Vec<Taint>,
        /// Taints that go, by key; of all effects without one.
        remove: Vec<(Text, Option<TaintEffect>)>,
    },
    /// A patch of a node that names its taints.
    SetTaints {
        /// The node.
        node: Text,
        /// All of them from then on, beside those that its condition makes.
        taints: Vec<Taint>,
    },
}

/// The commands of a timeline.
pub fn commands(timeline: &[TimelineEntry]) -> impl Iterator<Item = &Command> {
    timeline.iter().filter_map(|entry| match &entry.what {
        Happening::Kubectl(command) => Some(&**command),
        _ => None,
    })
}

/// The objects that a timeline applies.
pub fn applied(timeline: &[TimelineEntry]) -> impl Iterator<Item = &Object> {
    commands(timeline).filter_map(Command::applied)
}

impl Command {
    /// The object that it applies, if it does that.
    pub fn applied(&self) -> Option<&Object> {
        match self {
            Command::Apply { object, .. } => Some(object),
            _ => None,
        }
    }

    /// What it does, for the story.
    pub fn told(&self) -> String {
        let named = |target: &Target| format!("{} {}", target.kind, target.name.name);
        match self {
            Command::Apply { object, .. } => format!("{} is applied", named(&object.target())),
            Command::Scale { target, replicas } => {
                format!("{} is scaled to {replicas} by hand", named(target))
            }
            Command::Undo { name, revision: 0 } => {
                format!("the rollout of Deployment {} is undone", name.name)
            }
            Command::Undo { name, revision } => {
                format!("Deployment {} goes back to revision {revision}", name.name)
            }
            Command::Pause { name, on: true } => format!("Deployment {} is paused", name.name),
            Command::Pause { name, on: false } => format!("Deployment {} goes on", name.name),
            Command::Restart { target } => format!("{} is restarted", named(target)),
            Command::SetImage { target, images } => {
                let images: Vec<&str> = images.iter().map(|(_, image)| &**image).collect();
                format!("{} gets image {}", named(target), images.join(", "))
            }
            Command::SetResources { target, change } => {
                let pairs = |what: &str, all: &[(Text, Quantity)]| {
                    let pair = |(name, amount): &(Text, Quantity)| {
                        format!("{name} {what} {}", written(name, *amount))
                    };
                    all.iter().map(pair).collect::<Vec<_>>()
                };
                let mut all = pairs("limit", &change.limits);
                all.extend(pairs("request", &change.requests));
                format!("{} gets {}", named(target), all.join(", "))
            }
            Command::LabelNode { node, .. } => format!("labels of node {node} change"),
            Command::TaintNode { node, .. } => format!("taints of node {node} change"),
            Command::Delete { target, .. } => format!("{} is deleted", named(target)),
            Command::Pods { what, .. } => what.told().to_owned(),
            Command::Cordon { node, on: true } => format!("node {node} is cordoned"),
            Command::Cordon { node, on: false } => format!("node {node} is uncordoned"),
            Command::Drain { nodes } => {
                let names: Vec<&str> = nodes.iter().map(|node| &**node).collect();
                format!("nodes are drained: {}", names.join(", "))
            }
            Command::DeleteNode { node } => format!("node {node} is deleted"),
            Command::SetTaints { node, .. } => format!("the taints of node {node} change"),
        }
    }
}

impl PodCommand {
    fn told(&self) -> &'static str {
        match self {
            PodCommand::Delete(_) => "pods are deleted",
            PodCommand::Evict => "pods are evicted",
            PodCommand::DeletionCost(_) => "the deletion cost of pods changes",
            PodCommand::Label(_) => "pods are labelled",
            PodCommand::Ready(true) => "pods become ready",
            PodCommand::Ready(false) => "pods are no longer ready",
            PodCommand::Finish(_) => "containers of pods end",
            PodCommand::Ungate(_) => "scheduling gates are removed",
        }
    }
}

/// Which pods.
#[derive(Clone, Debug, PartialEq)]
pub struct PodChoice {
    /// Their namespace.
    pub namespace: Text,
    /// Their labels match this.
    pub selector: Selector,
    /// Only the one of this name.
    pub name: Option<Text>,
    /// Of those that match, in order: by age, or by name.
    pub by_age: bool,
    /// Only those at these places in the order; `None`: all.
    pub places: Option<Vec<usize>>,
}

/// What is done with pods.
#[derive(Clone, Debug, PartialEq)]
pub enum PodCommand {
    /// `delete pod`.
    Delete(Option<SimDuration>),
    /// A request to the eviction API.
    Evict,
    /// `annotate`: the annotation `controller.kubernetes.io/pod-deletion-cost`.
    DeletionCost(i32),
    /// `label`: these are put over what is there; one without a value goes.
    Label(Vec<(Text, Option<Text>)>),
    /// The application is ready from now on, or no longer.
    Ready(bool),
    /// The containers end with this exit code.
    Finish(i32),
    /// The last scheduling gates are removed.
    Ungate(Vec<Text>),
}
