//! Opportunistic batching: equal pods in a row need not look at all nodes each.
//!
//! After a placement the other feasible nodes are kept, best first. If the next cycle is of an
//! equal pod, the node of the last one is scored again among them (or left out, if it is full) and
//! the best is tried alone. Decisions can differ from those of full searches, since the kept nodes
//! are those that an earlier search happened to look at: so it is part of the model, not a way to
//! be fast.
//!
//! Source: `pkg/scheduler/framework/runtime/batch.go`, `framework/sorted_nodes.go`, v1.37. Its age
//! limit is on the virtual clock here. With the default configuration nothing is batched: default
//! spread constraints leave every pod without a signature.

use super::cycle::Core;
use super::framework::{Aspects, Code, NodeIndex, NodeList, PluginId};
use super::pod_info::PodInfo;
use super::profile::CycleState;
use super::signature::Signature;
use crate::api::Text;
use crate::units::{SimDuration, SimTime};

/// Kept nodes older than this are not used (`maxBatchAge`).
const MAX_AGE: SimDuration = SimDuration::from_millis(500);

/// What each profile keeps.
#[derive(Default)]
pub(super) struct Batches {
    off: bool,
    /// Pods popped so far.
    cycle: u64,
    kept: Vec<Option<Kept>>,
}

/// What is kept of a placement.
struct Kept {
    signature: Signature,
    nodes: Candidates,
    created: SimTime,
    /// The last cycle that placed a pod by this profile, and where.
    last_cycle: u64,
    last_chosen: Text,
}

/// Feasible nodes with raw scores, in the layout of Go's heap: the best first.
#[derive(Default)]
pub(super) struct Candidates {
    nodes: Vec<Candidate>,
    /// The plugins of the columns of raw scores.
    plugins: Vec<PluginId>,
}

/// A node that was feasible.
#[derive(Clone)]
struct Candidate {
    name: Text,
    total: i64,
    /// By plugin, as [`Candidates::plugins`] lists them.
    raw: Vec<i64>,
}

/// The hint of a cycle, and what its end needs to know.
#[derive(Default)]
pub(super) struct Hint {
    /// What counts for the pod; `None`: it shares with nobody.
    aspects: Option<Aspects>,
    pub(super) node: Option<Text>,
}

impl Batches {
    /// Nothing is kept yet.
    pub(super) fn new(on: bool) -> Batches {
        Batches { off: !on, ..Batches::default() }
    }
}

impl Hint {
    /// Whether the scored nodes are wanted at the end of the cycle.
    pub(super) fn wants_nodes(&self) -> bool {
        self.aspects.is_some()
    }
}

impl Candidates {
    /// Nodes with their totals and columns of raw scores.
    pub(super) fn new(
        names: impl Iterator<Item = Text>,
        totals: &[i64],
        raw: &[(PluginId, Vec<i64>)],
    ) -> Candidates {
        let nodes = names.enumerate().map(|(at, name)| Candidate {
            name,
            total: totals[at],
            raw: raw.iter().map(|(_, column)| column[at]).collect(),
        });
        let mut nodes: Vec<Candidate> = nodes.collect();
        heap_init(&mut nodes);
        Candidates { nodes, plugins: raw.iter().map(|(plugin, _)| *plugin).collect() }
    }

    /// Takes the best.
    pub(super) fn pop(&mut self) -> Option<Text> {
        heap_pop(&mut self.nodes).map(|node| node.name)
    }

    /// A plugin's raw scores; zeros if it gave none.
    fn column(&self, plugin: PluginId) -> Vec<i64> {
        match self.plugins.iter().position(|p| *p == plugin) {
            Some(at) => self.nodes.iter().map(|node| node.raw[at]).collect(),
            None => vec![0; self.nodes.len()],
        }
    }
}

impl Core {
    /// A pod was popped (`SchedulingCycle`).
    pub(super) fn count_cycle(&mut self) {
        self.batches.cycle += 1;
        self.workers.begin_cycle(self.batches.cycle);
    }

    /// Whether equal pods in a row may share.
    pub(super) fn set_opportunistic_batching(&mut self, on: bool) {
        self.batches = Batches::new(on);
    }

    /// Whether the profile may share answers between pods like this one: then the plain path has
    /// to be taken.
    pub(super) fn batches(&self, profile: usize, pod: &PodInfo) -> bool {
        !self.batches.off && self.profiles[profile].sign(pod).is_some()
    }

    /// The profile placed a pod without a signature: nothing is kept.
    pub(super) fn flush_batch(&mut self, profile: usize) {
        if let Some(kept) = self.batches.kept.get_mut(profile) {
            *kept = None;
        }
    }

    /// A node to try alone (`GetNodeHint`).
    pub(super) fn hint(
        &self,
        batches: &mut Batches,
        profile: usize,
        pod: &PodInfo,
        state: &CycleState,
        now: SimTime,
    ) -> Hint {
        let Some(aspects) = (!batches.off).then(|| self.profiles[profile].sign(pod)).flatten()
        else {
            return Hint::default();
        };
        let cycle = batches.cycle;
        let kept = batches.kept.get_mut(profile).and_then(Option::as_mut);
        let node = kept.and_then(|kept| {
            let usable = !kept.nodes.nodes.is_empty()
                && cycle == kept.last_cycle + 1
                && pod.nominated.is_none()
                && kept.signature.is_of(pod, aspects)
                && now <= kept.created + MAX_AGE;
            if !usable || !self.refresh(kept, profile, pod, state, now) {
                return None;
            }
            kept.nodes.pop()
        });
        Hint { aspects: Some(aspects), node }
    }

    /// Looks at the last pod's node again: scores it among the others if it is still feasible.
    /// False if what is kept is of no use (`refreshHintCandidates`).
    fn refresh(
        &self,
        kept: &mut Kept,
        profile: usize,
        pod: &PodInfo,
        state: &CycleState,
        now: SimTime,
    ) -> bool {
        let Some(last) = self.cache.in_snapshot(&kept.last_chosen) else { return false };
        let cx = self.context(now);
        let verdict = self.profiles[profile].run_filter(&cx, state, pod, self.cache.info(last));
        match verdict {
            Ok(()) => {
                cx.version.rescores_the_last_node() && self.rescore(kept, profile, pod, last, now)
            }
            Err((_, status)) => status.code != Code::Error,
        }
    }

    /// `rescoreHintedNode`.
    fn rescore(
        &self,
        kept: &mut Kept,
        profile: usize,
        pod: &PodInfo,
        last: NodeIndex,
        now: SimTime,
    ) -> bool {
        let found = kept.nodes.nodes.iter().map(|node| self.cache.in_snapshot(&node.name));
        let Some(mut order) = found.collect::<Option<Vec<NodeIndex>>>() else { return false };
        order.push(last);
        let cx = self.context(now);
        let list = NodeList { infos: cx.nodes.infos, order: &order };
        let before = &kept.nodes;
        let scored = self.profiles[profile].rescore(&cx, pod, list, |plugin| before.column(plugin));
        let mut raw = scored.raw;
        // What a plugin said before counts again, should it not be skipped next time.
        for plugin in &before.plugins {
            if !raw.iter().any(|(p, _)| p == plugin) {
                let mut column = before.column(*plugin);
                column.push(0);
                raw.push((*plugin, column));
            }
        }
        let names = order.iter().map(|node| self.cache.info(*node).name().clone());
        kept.nodes = Candidates::new(names, &scored.totals, &raw);
        true
    }

    /// The end of a cycle that placed a pod (`StoreScheduleResults`). `others` are the feasible
    /// nodes but the chosen one; `None` if it was the only one.
    pub(super) fn store_results(
        &self,
        batches: &mut Batches,
        (profile, pod): (usize, &PodInfo),
        hint: &Hint,
        chosen: NodeIndex,
        others: Option<Candidates>,
        now: SimTime,
    ) {
        if batches.off {
            return;
        }
        batches.kept.resize_with(self.profiles.len(), || None);
        let (cycle, kept) = (batches.cycle, &mut batches.kept[profile]);
        let chosen = self.cache.info(chosen).name();
        if hint.node.as_ref() == Some(chosen) {
            if let Some(kept) = kept {
                (kept.last_cycle, kept.last_chosen) = (cycle, chosen.clone());
            }
            return;
        }
        let others = others.filter(|others| !others.nodes.is_empty());
        *kept = hint.aspects.zip(others).map(|(aspects, nodes)| Kept {
            signature: Signature::new(pod, aspects),
            nodes,
            created: now,
            last_cycle: cycle,
            last_chosen: chosen.clone(),
        });
    }
}

// Go's `container/heap`, whose layout decides between equal totals.

fn is_better(a: &Candidate, b: &Candidate) -> bool {
    a.total > b.total
}

fn heap_init(heap: &mut [Candidate]) {
    for start in (0..heap.len() / 2).rev() {
        heap_down(heap, start);
    }
}

fn heap_down(heap: &mut [Candidate], mut at: usize) {
    loop {
        let left = 2 * at + 1;
        if left >= heap.len() {
            return;
        }
        let right = left + 1;
        let right_wins = right < heap.len() && is_better(&heap[right], &heap[left]);
        let child = if right_wins { right } else { left };
        if !is_better(&heap[child], &heap[at]) {
            return;
        }
        heap.swap(at, child);
        at = child;
    }
}

fn heap_pop(heap: &mut Vec<Candidate>) -> Option<Candidate> {
    let last = heap.len().checked_sub(1)?;
    heap.swap(0, last);
    heap_down(&mut heap[..last], 0);
    heap.pop()
}

#[cfg(test)]
mod tests {
    use super::super::Scheduler;
    use super::super::config::SchedulerConfiguration;
    use super::super::decision::Decision;
    use super::super::testing::{node, pod, spec};
    use super::*;
    use crate::api::pod::PodSpec;
    use crate::api::{NodeId, PodId};
    use slotmap::SlotMap;
    use std::sync::Arc;

    /// What happens between two equal pods.
    #[derive(Clone, Copy, PartialEq)]
    enum Between {
        Nothing,
        /// So many milliseconds pass.
        Time(u64),
        /// A pod comes that fits nowhere.
        Failure,
        /// Another pod is placed.
        Other,
    }

    /// How many nodes are evaluated for the second of two equal pods that fill a node each.
    fn evaluated(configuration: &str, gate: bool, between: Between, second: PodSpec) -> usize {
        let configuration: SchedulerConfiguration = serde_json::from_str(configuration).unwrap();
        let mut scheduler = Scheduler::new(&configuration).unwrap();
        scheduler.set_opportunistic_batching(gate);
        let mut node_ids: SlotMap<NodeId, ()> = SlotMap::with_key();
        for i in 0..5 {
            let node = Arc::new(node(&format!("n{i}")));
            scheduler.add_node(node_ids.insert(()), node, SimTime::ZERO);
        }
        let mut pod_ids: SlotMap<PodId, ()> = SlotMap::with_key();
        let mut now = SimTime::from_secs(1);
        let mut place = |spec: PodSpec, now: SimTime| {
            scheduler.add_pod(pod_ids.insert(()), &pod("p", spec), now);
            match scheduler.schedule_one(now) {
                Some(Decision::Scheduled { evaluated, .. }) => evaluated,
                _ => 0,
            }
        };
        assert_eq!(place(spec(4000, 100), now), 5);
        match between {
            Between::Nothing => {}
            Between::Time(millis) => now += SimDuration::from_millis(millis),
            Between::Failure => assert_eq!(place(spec(9000, 100), now), 0),
            Between::Other => assert_eq!(place(spec(10, 100), now), 5),
        }
        place(second, now)
    }

    #[test]
    fn one_node_is_tried_for_an_equal_pod_in_a_row() {
        let batching = r#"{"profiles": [{"pluginConfig":
            [{"name": "PodTopologySpread", "args": {"defaultingType": "List"}}]}]}"#;
        let equal = || spec(4000, 100);
        let tolerant = PodSpec { host_network: true, ..equal() };
        let larger = spec(4000, 200);
        let rows = [
            ("an equal pod: one node", batching, true, Between::Nothing, equal(), 1),
            ("just within the age limit", batching, true, Between::Time(500), equal(), 1),
            ("too late", batching, true, Between::Time(501), equal(), 5),
            ("another one has failed", batching, true, Between::Failure, equal(), 5),
            ("another one was placed", batching, true, Between::Other, equal(), 5),
            ("a larger one", batching, true, Between::Nothing, larger, 5),
            ("what no plugin reads may differ", batching, true, Between::Nothing, tolerant, 1),
            ("the gate is off", batching, false, Between::Nothing, equal(), 5),
            ("default constraints leave no signature", "{}", true, Between::Nothing, equal(), 5),
        ];
        for (sentence, configuration, gate, between, second, expected) in rows {
            let found = evaluated(configuration, gate, between, second);
            assert_eq!(found, expected, "{sentence}");
        }
    }

    proptest::proptest! {
        #[test]
        fn the_heap_gives_the_best_first(totals in proptest::collection::vec(0i64..5, 0..40)) {
            let candidate = |total: &i64| {
                Candidate { name: "n".into(), total: *total, raw: Vec::new() }
            };
            let mut heap: Vec<Candidate> = totals.iter().map(candidate).collect();
            heap_init(&mut heap);
            let mut found = Vec::new();
            while let Some(next) = heap_pop(&mut heap) {
                found.push(next.total);
            }
            let mut sorted = totals;
            sorted.sort_unstable_by(|a, b| b.cmp(a));
            proptest::prop_assert_eq!(found, sorted);
        }
    }
}
