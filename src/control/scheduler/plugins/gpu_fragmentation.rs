//! GPUFragmentation: likes nodes whose free GPUs stay useful to the pods that are typical here.
//!
//! Not a plugin of upstream: an example of a policy of one's own (docs/plugin.md), and not part of
//! the default profile. The measure is that of Q. Weng et al., "Beware of Fragmentation: Scheduling
//! GPU-Sharing Workloads with Fragmentation Gradient Descent", USENIX ATC 2023, for whole GPUs.

use crate::control::scheduler::framework::{
    Context, MAX_NODE_SCORE, NodeList, PluginState, Scope, ScorePlugin,
};
use crate::control::scheduler::node_info::NodeInfo;
use crate::control::scheduler::pod_info::PodInfo;
use crate::control::scheduler::registry::decode;
use serde::Deserialize;
use serde_json::Value;

/// Scores by how little of a node's free GPUs a pod leaves useless.
pub struct GpuFragmentation {
    args: Args,
}

/// Its arguments.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct Args {
    /// The extended resource that counts GPUs.
    resource: String,
    /// Pods that are typical here.
    typical: Vec<Typical>,
}

/// A typical pod.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Typical {
    /// GPUs that it asks for.
    gpus: i64,
    /// Thousandths of a CPU that it asks for.
    milli_cpu: i64,
    /// How many of a hundred pods are like it.
    percent: i64,
}

impl Default for Args {
    fn default() -> Args {
        let typical = |gpus, percent| Typical { gpus, milli_cpu: 8000 * gpus, percent };
        Args {
            resource: "nvidia.com/gpu".to_owned(),
            typical: vec![typical(1, 70), typical(2, 10), typical(4, 10), typical(8, 10)],
        }
    }
}

impl GpuFragmentation {
    /// From its arguments.
    pub fn new(args: &Value) -> Result<GpuFragmentation, String> {
        let args: Args = decode(args)?;
        match args.typical.iter().find(|t| t.gpus < 1 || t.milli_cpu < 0 || t.percent < 0) {
            Some(_) => Err("a typical pod asks for a GPU at least, and for nothing below 0".into()),
            None => Ok(GpuFragmentation { args }),
        }
    }

    /// Free GPUs that a typical pod could not use, in hundredths, summed over the typical pods.
    fn fragment(&self, gpus: i64, milli_cpu: i64) -> i64 {
        let useless = |pod: &Typical| match milli_cpu >= pod.milli_cpu {
            true => gpus % pod.gpus,
            false => gpus,
        };
        self.args.typical.iter().map(|pod| pod.percent * useless(pod)).sum()
    }
}

impl ScorePlugin for GpuFragmentation {
    /// It looks at nothing but the node and the pods on it: scores can be kept until those change.
    fn scope(&self) -> Scope {
        Scope::Node
    }

    fn heeds_identity(&self, _pod: &PodInfo) -> bool {
        false
    }

    fn normalizes(&self) -> bool {
        true
    }

    /// How much the fragment grows.
    fn score(
        &self,
        _cx: &Context<'_>,
        _state: &PluginState,
        pod: &PodInfo,
        node: &NodeInfo,
    ) -> i64 {
        let has = &node.node.allocatable;
        let name = &self.args.resource;
        let gpus = has.scalar(name) - node.requested.scalar(name);
        let milli_cpu = has.cpu.0 - node.requested.cpu.0;
        let after = self.fragment(gpus - pod.requests.scalar(name), milli_cpu - pod.requests.cpu.0);
        after - self.fragment(gpus, milli_cpu)
    }

    /// The smallest growth gets 100, the largest 0.
    fn normalize(
        &self,
        _state: &PluginState,
        _pod: &PodInfo,
        _feasible: NodeList<'_>,
        scores: &mut [i64],
    ) {
        let least = scores.iter().copied().min().unwrap_or(0);
        let span = scores.iter().copied().max().unwrap_or(0) - least;
        for score in scores {
            *score = match span {
                0 => MAX_NODE_SCORE,
                _ => MAX_NODE_SCORE - MAX_NODE_SCORE * (*score - least) / span,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::NodeId;
    use crate::api::resources::Resources;
    use crate::control::scheduler::Scheduler;
    use crate::control::scheduler::config::SchedulerConfiguration;
    use crate::control::scheduler::decision::Decision;
    use crate::control::scheduler::testing::{node, pod, spec};
    use crate::units::{Bytes, MilliCpu, SimTime};
    use slotmap::SlotMap;
    use std::sync::Arc;

    const GPU: &str = "nvidia.com/gpu";

    fn with_gpus(mut resources: Resources, gpus: i64) -> Resources {
        resources.scalars.get_or_insert_default().insert(GPU.into(), gpus);
        resources
    }

    #[test]
    fn a_fragment_is_what_typical_pods_cannot_use() {
        let plugin = GpuFragmentation::new(&Value::Null).unwrap();
        let rows = [
            ("eight GPUs with CPUs: everybody can use them", (8, 64_000), 0),
            ("one GPU: those who want more can't use it", (1, 8_000), 30),
            ("seven: four and two leave a rest, eight don't fit", (7, 64_000), 10 + 30 + 70),
            ("no CPU left: nobody can use any", (8, 0), 800),
        ];
        for (sentence, (gpus, milli_cpu), expected) in rows {
            assert_eq!(plugin.fragment(gpus, milli_cpu), expected, "{sentence}");
        }
    }

    /// Where a pod of one GPU goes: to a whole node of eight, or to one with a single GPU left.
    fn choice(plugins: &str) -> Option<NodeId> {
        let configuration: SchedulerConfiguration = serde_json::from_str(plugins).unwrap();
        let mut scheduler = Scheduler::new(&configuration).unwrap();
        let mut ids: SlotMap<NodeId, ()> = SlotMap::with_key();
        for (name, gpus) in [("whole", 8), ("rest", 1)] {
            let mut node = node(name);
            let room = Resources::of(MilliCpu(64_000 * gpus / 8), Bytes::mebi(1 << 20));
            node.allocatable = with_gpus(room, gpus).into();
            scheduler.add_node(ids.insert(()), Arc::new(node), SimTime::ZERO);
        }
        let mut wanted = spec(4000, 100);
        wanted.containers[0].requests = with_gpus(wanted.containers[0].requests.clone(), 1);
        let mut pods = SlotMap::with_key();
        let id = pods.insert(());
        scheduler.add_pod(id, &pod("p", wanted), SimTime::ZERO);
        match scheduler.schedule_one(SimTime::ZERO) {
            Some(Decision::Scheduled { node, .. }) => Some(node),
            _ => None,
        }
    }

    #[test]
    fn a_profile_with_it_keeps_whole_nodes_whole() {
        let with = r#"{"profiles": [{"plugins": {"multiPoint": {"enabled":
            [{"name": "GPUFragmentation", "weight": 5}]}}}]}"#;
        let (default, policy) = (choice("{}"), choice(with));
        assert!(default.is_some() && policy.is_some());
        assert_ne!(default, policy, "the default spreads, the policy does not");
    }

    #[test]
    fn arguments_are_checked() {
        let rows = [
            ("an unknown field", r#"{"resorce": "nvidia.com/gpu"}"#),
            ("a pod without GPUs", r#"{"typical": [{"gpus": 0, "milliCpu": 1, "percent": 1}]}"#),
        ];
        for (sentence, args) in rows {
            let args: Value = serde_json::from_str(args).unwrap();
            assert!(GpuFragmentation::new(&args).is_err(), "{sentence}");
        }
    }
}
