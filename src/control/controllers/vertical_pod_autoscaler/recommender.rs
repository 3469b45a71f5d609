//! The recommender's loop: each minute it takes what metrics-server says of containers into its
//! histograms, and writes what it makes of them into each object.
//!
//! Source: kubernetes/autoscaler `vertical-pod-autoscaler/pkg/recommender/routines/recommender.go`,
//! `input/cluster_feeder.go` and `model/{cluster,vpa}.go`, 1.7.1. What upstream keeps of containers
//! that no object is about is left out: it changes nothing as long as objects don't come later.

use super::aggregate::{Aggregate, Container};
use super::estimator::{Estimate, estimate};
use crate::api::labels::Labels;
use crate::api::pod::{Pod, PodPhase};
use crate::api::vertical_pod_autoscaler::*;
use crate::api::workload::ConditionStatus;
use crate::api::{PodId, Text, VpaId};
use crate::control::controllers::action::{Action, Outcome};
use crate::control::vpa_flags::VpaRecommenderFlags;
use crate::store::Store;
use crate::units::{Bytes, MilliCpu, SimDuration, SimTime, WallClock};
use std::collections::BTreeMap;

/// How often what is too old is dropped (`aggregateContainerStateGCInterval`).
const COLLECTED_EVERY: SimDuration = SimDuration::from_secs(3600);

/// What metrics-server says of a container.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Usage {
    /// When it was measured.
    pub at: SimTime,
    /// CPU.
    pub cpu: MilliCpu,
    /// Memory, if it is known.
    pub memory: Option<Bytes>,
}

/// A container that was OOM-killed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Oom {
    /// Its pod.
    pub pod: PodId,
    /// Its name.
    pub container: Text,
    /// When.
    pub at: SimTime,
    /// What it requested.
    pub requested: Bytes,
}

/// Where samples come from.
pub trait Samples {
    /// What is said of a container; `None`: nothing.
    fn usage(&self, id: PodId, pod: &Pod, container: &str) -> Option<Usage>;
}

/// What is remembered.
#[derive(Debug)]
pub struct Recommender {
    flags: VpaRecommenderFlags,
    of: BTreeMap<VpaId, Memory>,
    collected: SimTime,
}

/// What is remembered of the pods of one object.
#[derive(Debug, Default)]
struct Memory {
    /// By name of the container; of pods with the same labels together.
    aggregates: BTreeMap<Text, Vec<(Labels, Aggregate)>>,
    pods: BTreeMap<PodId, BTreeMap<Text, Tracked>>,
}

/// A container of a pod, and where its samples go.
#[derive(Debug)]
struct Tracked {
    container: Container,
    aggregate: usize,
}

impl Recommender {
    /// One that knows nothing.
    pub fn new(flags: &VpaRecommenderFlags) -> Recommender {
        let flags = flags.clone();
        Recommender { flags, of: BTreeMap::new(), collected: SimTime::ZERO }
    }

    /// A turn of the loop. `ooms` are those since the last one.
    pub fn run(
        &mut self,
        store: &Store,
        samples: &dyn Samples,
        ooms: &[Oom],
        (now, clock): (SimTime, WallClock),
    ) -> Outcome {
        let mut outcome = Outcome::idle();
        outcome.wake(now + self.flags.recommender_interval);
        let collects = now.since(self.collected) >= COLLECTED_EVERY;
        if collects {
            self.collected = now;
        }
        let mut writes = Vec::new();
        for (id, vpa) in store.vpas() {
            let memory = self.of.entry(id).or_default();
            let selector = store.target_of_vpa(vpa).and_then(|target| store.selector_of(target));
            let pods = selector.into_iter().flat_map(|s| store.pods_matching(&vpa.namespace, s));
            let pods: Vec<_> = pods.filter(|(_, pod)| pod.phase != PodPhase::Pending).collect();
            memory.take_in(&pods, samples, &self.flags, clock);
            memory.take_ooms(ooms, &self.flags, clock);
            memory.pods.retain(|id, _| store.pod(*id).is_some());
            let recommendation = memory.recommend(vpa, &self.flags);
            if collects {
                memory.drop_old(clock.nanos(now), &self.flags);
            }
            let found = (selector.is_some(), !pods.is_empty());
            let at = clock.whole_second(now);
            let conditions = conditions(vpa, found, !recommendation.is_empty(), at);
            let status = VpaStatus { recommendation, conditions };
            if status != vpa.status {
                writes.push(Action::VpaStatus { vpa: id, status: Box::new(status) });
            }
        }
        if !writes.is_empty() {
            outcome.batches.push(writes);
        }
        outcome
    }
}

impl Memory {
    fn take_in(
        &mut self,
        pods: &[(PodId, &Pod)],
        samples: &dyn Samples,
        flags: &VpaRecommenderFlags,
        clock: WallClock,
    ) {
        for (id, pod) in pods {
            let tracked = self.pods.entry(*id).or_default();
            for container in &pod.spec.containers {
                let name = &container.name;
                let aggregates = self.aggregates.entry(name.clone()).or_default();
                let tracked = tracked.entry(name.clone()).or_insert_with(|| Tracked {
                    container: Container::default(),
                    aggregate: place_of(aggregates, &pod.labels, flags),
                });
                let Some(usage) = samples.usage(*id, pod, name) else { continue };
                let at = clock.nanos(usage.at);
                let aggregate = &mut aggregates[tracked.aggregate].1;
                tracked.container.add_cpu(aggregate, usage.cpu, at);
                if let Some(memory) = usage.memory {
                    let interval = flags.memory_aggregation_interval;
                    tracked.container.add_memory(aggregate, memory, at, interval);
                }
            }
        }
    }

    fn take_ooms(&mut self, ooms: &[Oom], flags: &VpaRecommenderFlags, clock: WallClock) {
        for oom in ooms {
            let tracked = self.pods.get_mut(&oom.pod).and_then(|pod| pod.get_mut(&oom.container));
            let (Some(tracked), Some(aggregates)) =
                (tracked, self.aggregates.get_mut(&oom.container))
            else {
                continue;
            };
            let aggregate = &mut aggregates[tracked.aggregate].1;
            tracked.container.record_oom(aggregate, oom.requested, clock.nanos(oom.at), flags);
        }
    }

    /// What is to be recommended for each container, capped by its policy.
    fn recommend(
        &mut self,
        vpa: &Vpa,
        flags: &VpaRecommenderFlags,
    ) -> Vec<ContainerRecommendation> {
        let is_on = |name: &Text| vpa.policy_of(name).is_none_or(|policy| !policy.is_off);
        let n = self.aggregates.keys().filter(|name| is_on(name)).count();
        let of = self.aggregates.iter_mut().filter(|(name, _)| is_on(name));
        let one = |(name, aggregates): (&Text, &mut Vec<(Labels, Aggregate)>)| {
            let mut merged = Aggregate::new(flags);
            aggregates.iter_mut().for_each(|(_, aggregate)| merged.merge(aggregate));
            told(name, vpa.policy_of(name), estimate(&merged, n, flags))
        };
        of.map(one).collect()
    }

    /// Forgets samples of pods of which there have been none for so long that they say nothing.
    fn drop_old(&mut self, now: i64, flags: &VpaRecommenderFlags) {
        let interval = flags.memory_aggregation_interval.0 as i64;
        let window = interval.saturating_mul(i64::from(flags.memory_aggregation_interval_count));
        for (_, aggregate) in self.aggregates.values_mut().flatten() {
            if aggregate.last.is_some_and(|last| now - last >= window) {
                *aggregate = Aggregate::new(flags);
            }
        }
    }
}

/// Where samples of pods with these labels go.
fn place_of(
    aggregates: &mut Vec<(Labels, Aggregate)>,
    labels: &Labels,
    flags: &VpaRecommenderFlags,
) -> usize {
    let known = aggregates.iter().position(|(known, _)| known == labels);
    known.unwrap_or_else(|| {
        aggregates.push((labels.clone(), Aggregate::new(flags)));
        aggregates.len() - 1
    })
}

fn told(
    name: &Text,
    policy: Option<&ContainerPolicy>,
    [cpu, memory]: [Estimate; 2],
) -> ContainerRecommendation {
    let [cpu_too, memory_too] = policy.map_or([true; 2], |policy| policy.controls);
    let amounts = |of: fn(&Estimate) -> i64| CpuAndMemory {
        cpu: cpu_too.then(|| MilliCpu(of(&cpu))),
        memory: memory_too.then(|| Bytes(of(&memory))),
    };
    let cap = |amounts: CpuAndMemory| match policy {
        Some(policy) => amounts.within(&policy.min, &policy.max),
        None => amounts,
    };
    let target = amounts(|estimate| estimate.target);
    ContainerRecommendation {
        container: name.clone(),
        target: cap(target),
        lower_bound: cap(amounts(|estimate| estimate.lower)),
        upper_bound: cap(amounts(|estimate| estimate.upper)),
        uncapped_target: target,
    }
}

/// The conditions of an object whose target and whose pods were found, or not.
fn conditions(
    vpa: &Vpa,
    (has_target, has_pods): (bool, bool),
    is_provided: bool,
    now: SimTime,
) -> Vec<VpaCondition> {
    use ConditionStatus::{False, True};
    const NO_PODS: (&str, &str) = ("NoPodsMatched", "No pods match this VPA object");
    let condition = |kind: &'static str, status, (reason, message): (&'static str, Text)| {
        let before = vpa.status.conditions.iter().find(|c| c.kind == kind && c.status == status);
        let transition = before.map_or(now, |before| before.transition);
        VpaCondition { kind, status, reason, message, transition }
    };
    let no_pods = (NO_PODS.0, Text::from(NO_PODS.1));
    let none = ("", Text::default());
    let mut found = Vec::new();
    if !has_target {
        let (kind, name) = (vpa.target_kind, &vpa.target_name);
        let why = format!(
            "Cannot read targetRef. Reason: {kind} {}/{name} does not exist",
            vpa.namespace
        );
        found.push(condition("ConfigUnsupported", True, ("", why.into())));
    }
    if !has_pods {
        found.push(condition("NoPodsMatched", True, no_pods.clone()));
    }
    found.push(match (is_provided, has_pods) {
        (true, _) => condition("RecommendationProvided", True, none),
        (false, true) => condition("RecommendationProvided", False, none),
        (false, false) => condition("RecommendationProvided", False, no_pods),
    });
    found
}
