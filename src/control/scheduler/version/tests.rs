//! What each version says and does in one situation, side by side.

use super::*;
use crate::api::node::Node;
use crate::api::pod::PodSpec;
use crate::api::taint::{Taint, TaintEffect};
use crate::api::{NodeId, PodId};
use crate::control::scheduler::Scheduler;
use crate::control::scheduler::config::SchedulerConfiguration;
use crate::control::scheduler::decision::Decision;
use crate::control::scheduler::registry::name_of;
use crate::control::scheduler::testing::{Stage, claim_volumes, node, pod, spec, spec_with};
use crate::units::SimTime;
use serde_json::{Value, json};
use slotmap::SlotMap;
use std::sync::Arc;

/// Nodes, and pods that are scheduled one after the other.
struct Situation {
    nodes: Vec<Node>,
    pods: Vec<PodSpec>,
    configuration: &'static str,
}

/// What is left of it at one version.
struct Seen {
    /// The last decision: a node with how many were looked at, or the message.
    last: String,
    /// A plugin's scores of the last decision, by node.
    scores: Vec<(String, String, i64)>,
}

impl Situation {
    fn new(nodes: impl IntoIterator<Item = Node>, pods: impl IntoIterator<Item = PodSpec>) -> Self {
        let (nodes, pods) = (nodes.into_iter().collect(), pods.into_iter().collect());
        Situation { nodes, pods, configuration: "{}" }
    }

    fn at(&self, version: Version, fast: bool) -> Seen {
        let given: SchedulerConfiguration = serde_json::from_str(self.configuration).unwrap();
        let configuration = SchedulerConfiguration { version, ..given };
        let mut scheduler = Scheduler::new(&configuration).unwrap();
        scheduler.set_fast(fast);
        scheduler.set_explain(!fast);
        // The last of the best, so that nobody takes it for the first or for the heap's.
        scheduler.set_tie_break(Box::new(|_, ties| ties - 1));
        let (mut nodes, mut pods) =
            (SlotMap::<NodeId, ()>::with_key(), SlotMap::<PodId, ()>::with_key());
        for node in &self.nodes {
            scheduler.add_node(nodes.insert(()), Arc::new(node.clone()), SimTime::ZERO);
        }
        let mut last = String::new();
        for (at, spec) in self.pods.iter().enumerate() {
            let now = SimTime::from_secs(1) + crate::units::SimDuration::from_millis(at as u64);
            scheduler.add_pod(pods.insert(()), &pod(&format!("p{at}"), spec.clone()), now);
            last = match scheduler.schedule_one(now) {
                Some(Decision::Scheduled { node, evaluated, .. }) => {
                    let cache = &scheduler.core().cache;
                    let name = cache.info(cache.index_of(node).unwrap()).name();
                    format!("{name} of {evaluated}")
                }
                Some(Decision::Unschedulable { message, .. }) => message,
                None => "nothing".to_owned(),
            };
        }
        let core = scheduler.core();
        let explanation = core.explanation();
        let scores = explanation.scores.iter().flat_map(|(plugin, scores)| {
            let of = explanation.feasible.iter().zip(scores);
            of.map(|(node, score)| {
                (name_of(*plugin).to_owned(), core.cache.info(*node).name().to_string(), *score)
            })
        });
        Seen { last, scores: scores.collect() }
    }

    /// The last decisions at all versions, the same on both paths.
    fn decisions(&self) -> [String; 4] {
        Version::ALL.map(|version| {
            let (plain, fast) = (self.at(version, false).last, self.at(version, true).last);
            assert_eq!(plain, fast, "both paths at {}", version.name());
            plain
        })
    }

    /// A plugin's score of a node at all versions.
    fn scores(&self, plugin: &str, node: &str) -> [i64; 4] {
        Version::ALL.map(|version| {
            let seen = self.at(version, false);
            let of = seen.scores.iter().find(|(p, n, _)| p == plugin && n == node);
            of.map(|(_, _, score)| *score).unwrap()
        })
    }
}

fn five() -> Vec<Node> {
    (0..5).map(|i| node(&format!("n{i}"))).collect()
}

#[test]
fn releases_have_versions() {
    let rows = [
        ("a minor version", "1.34", Some(Version::V1_34)),
        ("a patch release", "1.37.2", Some(Version::V1_37)),
        ("as tags are written", "v1.36.0", Some(Version::V1_36)),
        ("one before the oldest", "1.33.4", None),
        ("one after the newest", "1.38.0", None),
        ("one that only begins alike", "1.345", None),
        ("no version", "latest", None),
    ];
    for (sentence, release, expected) in rows {
        assert_eq!(Version::of_release(release), expected, "{sentence}");
    }
}

#[test]
fn decisions_by_version() {
    let taint = Taint::new("gpu", TaintEffect::NoSchedule, SimTime::ZERO);
    let tainted = Node { taints: vec![Taint { value: "yes".into(), ..taint }], ..node("n") };
    let important = PodSpec { priority: 10, ..spec(3000, 100) };
    let sharing = r#"{"profiles": [{"pluginConfig":
        [{"name": "PodTopologySpread", "args": {"defaultingType": "List"}}]}]}"#;
    let two = |spec: PodSpec| Situation {
        configuration: sharing,
        ..Situation::new(five(), [spec.clone(), spec])
    };
    let old = "0/1 nodes are available: 1 node(s) had untolerated taint {gpu: yes}. no new claims \
               to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful \
               for scheduling.";
    let newer = "0/1 nodes are available: 1 node(s) had untolerated taint(s). no new claims to \
                 deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for \
                 scheduling.";
    let new = "0/1 nodes are available: 1 node(s) had untolerated taint(s). preemption: 0/1 nodes \
               are available: 1 Preemption is not helpful for scheduling.";
    let made = "0/1 nodes are available: 1 Insufficient cpu. preemption: found a potential \
                placement for pod on node n, preempting 1 victims";
    let short = "0/1 nodes are available: 1 Insufficient cpu.";
    type Row = (&'static str, Situation, [&'static str; 4]);
    let rows: [Row; 5] = [
        (
            "a taint is named at first, and claims that nobody has are spoken of until 1.36",
            Situation::new([tainted], [spec(1, 1)]),
            [old, newer, newer, new],
        ),
        (
            "victims are spoken of since 1.37",
            Situation::new([node("n")], [spec(3000, 100), important]),
            [short, short, short, made],
        ),
        (
            "one of five equal nodes is drawn at first, then it is the first in the heap",
            Situation::new(five(), [spec(1000, 100)]),
            ["n4 of 5", "n0 of 5", "n0 of 5", "n0 of 5"],
        ),
        (
            "equal pods that fill their nodes share since 1.35",
            two(spec(4000, 100)),
            ["n3 of 5", "n4 of 1", "n4 of 1", "n4 of 1"],
        ),
        (
            "where the first one's node has room, sharing begins with 1.37",
            two(spec(1000, 100)),
            ["n3 of 5", "n1 of 5", "n1 of 5", "n4 of 1"],
        ),
    ];
    for (sentence, situation, expected) in rows {
        assert_eq!(situation.decisions(), expected, "{sentence}");
    }
}

#[test]
fn scores_by_version() {
    let volumes = json!([{"name": "v", "image": {"reference": "models:1"}}]);
    let wants_image =
        || PodSpec { containers: spec(1, 1).containers, ..spec_with(volumes.clone()) };
    let has_image = Node {
        images: Arc::new([crate::api::node::NodeImage {
            names: vec!["models:1".into()],
            size: crate::units::Bytes::mebi(1000),
        }]),
        ..node("n0")
    };
    let balance = "NodeResourcesBalancedAllocation";
    type Row = (&'static str, Situation, &'static str, [i64; 4]);
    let rows: [Row; 3] = [
        (
            "a pod of CPU alone on an empty node: 75 for how balanced it is with it, then half of \
             what it lost, counted from 75",
            Situation::new(five(), [spec(2000, 0)]),
            balance,
            [75, 75, 62, 62],
        ),
        (
            "a pod of CPU and memory in proportion: nothing is lost",
            Situation::new(five(), [spec(2000, 8 * 1024)]),
            balance,
            [100, 100, 75, 75],
        ),
        (
            "an image volume's image is found since 1.36, and one of two images since 1.37",
            Situation::new([has_image, node("n1")], [wants_image()]),
            "ImageLocality",
            [0, 0, 48, 24],
        ),
    ];
    for (sentence, situation, plugin, expected) in rows {
        assert_eq!(situation.scores(plugin, "n0"), expected, "{sentence}");
    }
}

/// VolumeLimitScaling and StorageCapacityScoring are on since 1.37.
#[test]
fn volumes_by_version() {
    use crate::control::scheduler::framework::{FilterPlugin, NodeList, PreScorePlugin};
    use crate::control::scheduler::framework::{PreFilter, PreFilterPlugin, PreScore};
    use crate::control::scheduler::plugins::{NodeVolumeLimits, VolumeBinding};
    let stage = |version: Version| {
        let claim = json!({"metadata": {"name": "a", "namespace": "default"},
            "spec": {"storageClassName": "c", "accessModes": ["ReadWriteOnce"]}});
        let class = json!({"metadata": {"name": "c"}, "provisioner": "d",
            "volumeBindingMode": "WaitForFirstConsumer"});
        let driver = json!({"metadata": {"name": "d"},
            "spec": {"preventPodSchedulingIfMissing": true}});
        let mut stage = Stage::new([node("n")]);
        stage.version = version;
        stage
            .with("PersistentVolumeClaim", claim)
            .with("StorageClass", class)
            .with("CSIDriver", driver)
    };
    let missing = "d CSI driver is not installed on the node";
    let said = Version::ALL.map(|version| {
        let mut stage = stage(version);
        let pod = stage.pod("pod", claim_volumes(&["a"]));
        let verdict = stage.verdict(&NodeVolumeLimits, &pod, 0);
        let plugin = VolumeBinding::new(&Value::Null).unwrap();
        let nodes = NodeList { infos: &stage.nodes, order: &[] };
        let scores =
            matches!(plugin.pre_score(&stage.context(), &pod, nodes), PreScore::Continue(_));
        let found = plugin.pre_filter(&stage.context(), &pod);
        let PreFilter::Continue { state, .. } = found else { panic!("the claim may wait") };
        let fits = plugin.filter(&stage.context(), &state, &pod, &stage.nodes[0]).is_success();
        (verdict, scores, fits)
    });
    let old = (String::new(), false, true);
    assert_eq!(said, [old.clone(), old.clone(), old, (missing.to_owned(), true, true)]);
}
