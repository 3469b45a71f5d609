//! More nodes for pods that find none.
//!
//! Source: cluster-autoscaler `core/static_autoscaler.go` (`shouldScaleUp`),
//! `core/scaleup/orchestrator/orchestrator.go`, `processors/nodegroupset/balancing_processor.go`,
//! `processors/status/eventing_scale_up_processor.go`, July 2026.

use super::estimator::estimate;
use super::expander::{Choice, Sight};
use super::pending::{PodGroup, not_helped};
use super::{ClusterAutoscaler, GroupView, Held};
use crate::api::PodId;
use crate::api::event::EventType::{Normal, Warning};
use crate::api::labels::Labels;
use crate::api::node::{HOSTNAME_LABEL, Node, REGION_LABEL, ZONE_LABEL};
use crate::control::controllers::action::{About, Action, Outcome};
use crate::control::flags::ClusterAutoscalerFlags;
use crate::control::scheduler::pod_info::PodInfo;
use crate::control::simulator::{Bin, Simulator, least_of};
use crate::units::{SimDuration, SimTime};
use std::collections::BTreeMap;

/// While even the oldest pod is younger than this, more are expected and nothing is done
/// (`unschedulablePodTimeBuffer`).
const POD_TIME_BUFFER: SimDuration = SimDuration::from_secs(2);
/// Events about pods that one scan publishes at most: what client-go's recorder keeps in its queue.
const MOST_POD_EVENTS: usize = 1000;

/// What a scan's scale-up came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScaleUp {
    /// No pod needs a node, or none can be helped.
    Nothing,
    /// All pods are too new: scale-down rests too.
    Cooldown,
    /// Machines were asked for.
    Done,
}

/// One scan's view of the world, lent to its steps.
pub(super) struct Scan<'a> {
    pub simulator: Simulator<'a>,
    pub groups: &'a [GroupView],
    pub now: SimTime,
}

impl ClusterAutoscaler {
    /// Adds nodes if pods wait for them.
    pub(super) fn scale_up(
        &mut self,
        scan: &Scan<'_>,
        pending: &[PodGroup],
        pick: &mut dyn FnMut(usize) -> usize,
        outcome: &mut Outcome,
    ) -> ScaleUp {
        self.held = None;
        if pending.is_empty() {
            return ScaleUp::Nothing;
        }
        let mut bins = self.snapshot(scan, pending);
        let waiting = not_helped(&scan.simulator, &mut bins, pending);
        if waiting.iter().all(|n| *n == 0) {
            return ScaleUp::Nothing;
        }
        let total = self.flags.max_nodes_total;
        if total > 0 && scan.simulator.store.ready_nodes().ready >= total {
            self.tell_total_reached(total, outcome);
            self.held = Some(Held::Total(total));
            let message = "max total nodes in cluster reached";
            let all: Vec<(usize, String)> =
                (0..pending.len()).map(|i| (i, message.to_string())).collect();
            self.tell_not_helped(pending, &waiting, &all, outcome);
            return ScaleUp::Nothing;
        }
        let oldest = pending.iter().zip(&waiting).filter(|(_, n)| **n > 0);
        let oldest = oldest.map(|(group, _)| group.oldest).min().unwrap_or(scan.now);
        if SimTime::from_secs(oldest.whole_secs()) + POD_TIME_BUFFER > scan.now {
            return ScaleUp::Cooldown;
        }
        self.grow(scan, pending, &waiting, pick, outcome)
    }

    /// The nodes that pods can go to: those that are there, and those on their way. Of those that
    /// are there only ones with room for the least that a pod asks for.
    fn snapshot<'a>(&self, scan: &Scan<'a>, pending: &[PodGroup]) -> Vec<Bin<'a>> {
        let least = least_of(pending.iter().map(|group| &group.needs.info.requests));
        let mut bins = scan.simulator.bins_with_room(&least, |id, node| {
            !self.state.is_starting(node.group, id) && !self.state.deleting.contains(&id)
        });
        self.reserve_nominated(scan, &mut bins);
        for (index, group) in scan.groups.iter().enumerate() {
            for _ in 0..self.state.upcoming(index, scan.now) {
                bins.push(Bin::fresh(&group.template));
            }
        }
        bins
    }

    /// Pods that wait for victims on a node to go have their place there.
    fn reserve_nominated(&self, scan: &Scan<'_>, bins: &mut [Bin<'_>]) {
        let nominated = scan.simulator.store.unschedulable_pods();
        for (id, pod) in nominated.filter(|(_, pod)| pod.nominated.is_some()) {
            let place = bins.iter_mut().find(|bin| bin.id == pod.nominated);
            if let Some(bin) = place {
                bin.reserve(PodInfo::new(id, pod));
            }
        }
    }

    /// Chooses a group and asks the cloud.
    fn grow(
        &mut self,
        scan: &Scan<'_>,
        pending: &[PodGroup],
        waiting: &[usize],
        pick: &mut dyn FnMut(usize) -> usize,
        outcome: &mut Outcome,
    ) -> ScaleUp {
        let nodes = self.cluster_size(scan);
        let mut refusals: Vec<BTreeMap<String, u32>> = vec![BTreeMap::new(); pending.len()];
        let mut fits: Vec<Vec<bool>> = Vec::new();
        for (index, group) in scan.groups.iter().enumerate() {
            let skip = self.skip_reason(scan, index);
            let judge = |(i, pods): (usize, &PodGroup)| {
                let reason = scan.simulator.rejection(&group.template, &pods.needs);
                let said = if group.autoscaled { skip.or(reason.as_deref()) } else { None };
                if let Some(said) = said {
                    *refusals[i].entry(said.to_string()).or_default() += 1;
                }
                group.autoscaled && skip.is_none() && reason.is_none()
            };
            fits.push(pending.iter().enumerate().map(judge).collect());
        }
        let mut choices = Vec::new();
        for (index, group) in scan.groups.iter().enumerate() {
            let counts: Vec<usize> = waiting
                .iter()
                .zip(&fits[index])
                .map(|(n, fit)| if *fit { *n } else { 0 })
                .collect();
            if counts.iter().all(|n| *n == 0) {
                continue;
            }
            let limit = self.node_limit(scan, index, &fits, nodes);
            let estimate = estimate(&scan.simulator, &group.template, pending, &counts, limit);
            if estimate.nodes > 0 {
                choices.push(Choice { group: index, estimate });
            }
        }
        let nodes_now = scan.simulator.store.node_count();
        let sight = Sight { groups: scan.groups, pods: pending, nodes: nodes_now };
        let choice = self.chain.best(choices, &sight, pick);
        let Some(choice) = choice else {
            let stuck: Vec<(usize, String)> = (0..pending.len())
                .filter(|i| waiting[*i] > 0 && !fits.iter().any(|group| group[*i]))
                .map(|i| (i, summary(&refusals[i])))
                .collect();
            self.tell_not_helped(pending, waiting, &stuck, outcome);
            self.note_what_holds(scan, pending, waiting, &[], nodes);
            return ScaleUp::Nothing;
        };
        let infos = self.increases(scan, &choice, &fits, nodes, outcome);
        self.note_what_holds(scan, pending, waiting, &choice.estimate.placed, nodes);
        self.order(scan, pending, waiting, &choice, &infos, outcome)
    }

    /// Nodes that are there and those on their way; ones that start are among the latter.
    fn cluster_size(&self, scan: &Scan<'_>) -> u32 {
        let groups = 0..scan.groups.len();
        let upcoming: u32 = groups.map(|index| self.state.upcoming(index, scan.now)).sum();
        let starting: usize = self.state.readiness.iter().map(|state| state.starting.len()).sum();
        (scan.simulator.store.node_count() - starting) as u32 + upcoming
    }

    /// Why a group can't grow whatever the pods.
    fn skip_reason(&self, scan: &Scan<'_>, index: usize) -> Option<&'static str> {
        if self.state.is_group_unhealthy(&self.flags, index) {
            Some("not ready for scale-up")
        } else if self.state.is_backed_off(index, scan.now) {
            Some("in backoff after failed scale-up")
        } else if self.state.targets[index] >= scan.groups[index].max {
            Some("max node group size reached")
        } else {
            None
        }
    }

    /// How many nodes an estimate may try: of one scale-up, of the group and those similar to it,
    /// of the cluster. `None`: as many as it takes.
    fn node_limit(
        &self,
        scan: &Scan<'_>,
        index: usize,
        fits: &[Vec<bool>],
        nodes: u32,
    ) -> Option<u32> {
        let room = |i: usize| scan.groups[i].max.saturating_sub(self.state.targets[i]);
        let similar = self.similar(scan, index, fits);
        let mut limit = room(index) + similar.iter().map(|i| room(*i)).sum::<u32>();
        if self.flags.max_nodes_per_scaleup > 0 {
            limit = limit.min(self.flags.max_nodes_per_scaleup);
        }
        if self.flags.max_nodes_total > 0 {
            limit = limit.min(self.flags.max_nodes_total.saturating_sub(nodes));
        }
        Some(limit)
    }

    /// Groups like this one that can take the same pods.
    fn similar(&self, scan: &Scan<'_>, index: usize, fits: &[Vec<bool>]) -> Vec<usize> {
        if !self.flags.balance_similar_node_groups {
            return Vec::new();
        }
        let takes_the_same =
            |other: usize| fits[index].iter().zip(&fits[other]).all(|(a, b)| !a || *b);
        (0..scan.groups.len())
            .filter(|other| *other != index && takes_the_same(*other))
            .filter(|other| {
                !self.state.is_backed_off(*other, scan.now)
                    && !self.state.is_group_unhealthy(&self.flags, *other)
                    && are_similar(
                        &scan.groups[index].template,
                        &scan.groups[*other].template,
                        &self.flags,
                    )
            })
            .collect()
    }

    /// By how much each group grows: the chosen one, or several like it in turn, smallest first.
    fn increases(
        &mut self,
        scan: &Scan<'_>,
        choice: &Choice,
        fits: &[Vec<bool>],
        nodes: u32,
        outcome: &mut Outcome,
    ) -> Vec<(usize, u32)> {
        let total = self.flags.max_nodes_total;
        let mut left = choice.estimate.nodes;
        if total > 0 && left + nodes > total {
            left = total.saturating_sub(nodes);
            self.tell_total_reached(total, outcome);
        }
        let mut members = vec![choice.group];
        members.extend(self.similar(scan, choice.group, fits));
        let mut sizes: Vec<(u32, usize)> =
            members.iter().map(|i| (self.state.targets[*i], *i)).collect();
        while left > 0 {
            let open = sizes.iter_mut().filter(|(size, i)| *size < scan.groups[*i].max);
            let Some(smallest) = open.min_by_key(|(size, _)| *size) else { break };
            smallest.0 += 1;
            left -= 1;
        }
        let grown = sizes.into_iter().map(|(size, i)| (i, size - self.state.targets[i]));
        grown.filter(|(_, delta)| *delta > 0).collect()
    }

    /// Orders the machines and tells the pods.
    fn order(
        &mut self,
        scan: &Scan<'_>,
        pending: &[PodGroup],
        waiting: &[usize],
        choice: &Choice,
        increases: &[(usize, u32)],
        outcome: &mut Outcome,
    ) -> ScaleUp {
        if increases.is_empty() {
            return ScaleUp::Nothing;
        }
        let mut infos = Vec::new();
        for (index, delta) in increases {
            let group = &scan.groups[*index];
            let (from, name, max) = (self.state.targets[*index], &group.name, group.max);
            let to = from + delta;
            let about = About::Group(*index);
            outcome.then(Action::IncreaseGroup { group: *index, delta: *delta });
            for message in [
                format!(
                    "Scale-up: setting group {name} size to {to} instead of {from} (max: {max})"
                ),
                format!("Scale-up: group {name} size set to {to} instead of {from} (max: {max})"),
            ] {
                outcome.then(Action::Event {
                    kind: Normal,
                    reason: "ScaledUpGroup",
                    about,
                    message,
                });
            }
            infos.push(format!("{{{name} {from}->{to} (max: {max})}}"));
            self.state.requested(*index, *delta, scan.now);
        }
        self.last_scale_up = Some(scan.now);
        let message = format!("pod triggered scale-up: [{}]", infos.join(" "));
        // The oldest pods of a group find room on what is there: the next ones are helped.
        let placed = pending.iter().zip(waiting).zip(&choice.estimate.placed);
        let helped = placed.flat_map(|((group, waiting), n)| {
            group.ids.iter().skip(group.ids.len() - waiting).take(*n)
        });
        let tell = |pod: &PodId| Action::Event {
            kind: Normal,
            reason: "TriggeredScaleUp",
            about: About::Pod(*pod),
            message: message.clone(),
        };
        outcome.batches.push(helped.take(MOST_POD_EVENTS).map(tell).collect());
        ScaleUp::Done
    }

    /// Remembers which limit keeps pods waiting that this scan can't help.
    fn note_what_holds(
        &mut self,
        scan: &Scan<'_>,
        pending: &[PodGroup],
        waiting: &[usize],
        placed: &[usize],
        nodes: u32,
    ) {
        let left: Vec<usize> = (0..pending.len())
            .filter(|i| placed.get(*i).copied().unwrap_or(0) < waiting[*i])
            .collect();
        let total = self.flags.max_nodes_total;
        let added: u32 = self.state.targets.iter().sum::<u32>();
        if left.is_empty() {
            return;
        }
        if total > 0 && nodes.max(added) >= total {
            self.held = Some(Held::Total(total));
            return;
        }
        for (index, group) in scan.groups.iter().enumerate() {
            let takes = |i: &usize| {
                let needs = &pending[*i].needs;
                scan.simulator.rejection(&group.template, needs).is_none()
            };
            if !group.autoscaled || !left.iter().any(takes) {
                continue;
            }
            if self.state.is_refused(index, scan.now) {
                self.held = Some(Held::Refused(group.name.clone()));
            } else if self.state.targets[index] >= group.max {
                self.held = Some(Held::GroupMax(group.name.clone(), group.max));
            } else {
                continue;
            }
            return;
        }
    }

    fn tell_total_reached(&mut self, total: u32, outcome: &mut Outcome) {
        if std::mem::replace(&mut self.told_total, total) == total {
            return;
        }
        let message = format!("Max total nodes in cluster reached: {total}");
        let (reason, about) = ("MaxNodesTotalReached", About::Group(0));
        outcome.then(Action::Event { kind: Warning, reason, about, message });
    }

    /// Tells each pod of the given groups once why nothing comes for it; the API merges repeats.
    fn tell_not_helped(
        &mut self,
        pending: &[PodGroup],
        waiting: &[usize],
        reasons: &[(usize, String)],
        outcome: &mut Outcome,
    ) {
        let mut batch = Vec::new();
        for (index, reason) in reasons {
            let message = format!("pod didn't trigger scale-up: {reason}");
            let stamp = crc(&message);
            for pod in pending[*index].ids.iter().rev().take(waiting[*index]) {
                if batch.len() >= MOST_POD_EVENTS || self.told_pods.get(*pod) == Some(&stamp) {
                    continue;
                }
                self.told_pods.insert(*pod, stamp);
                let (about, message) = (About::Pod(*pod), message.clone());
                let reason = "NotTriggerScaleUp";
                batch.push(Action::Event { kind: Normal, reason, about, message });
            }
        }
        if !batch.is_empty() {
            outcome.batches.push(batch);
        }
    }
}

/// Reasons with how many groups each holds for; upstream's order is a map's, ours the alphabet's.
fn summary(reasons: &BTreeMap<String, u32>) -> String {
    let each: Vec<String> = reasons.iter().map(|(reason, n)| format!("{n} {reason}")).collect();
    each.join(", ")
}

/// A number for a text, to notice that it changed (FNV-1a).
fn crc(text: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

/// Whether two groups' nodes are alike: same CPU, memory and what is left for pods nearly so, same
/// labels but for name, zone and region (`processors/nodegroupset/compare_nodegroups.go`); with
/// `--balancing-label` those labels alone decide (`label_nodegroups.go`).
fn are_similar(a: &Node, b: &Node, flags: &ClusterAutoscalerFlags) -> bool {
    if !flags.balancing_label.is_empty() {
        let same =
            |key: &String| a.labels.get(key).is_some() && a.labels.get(key) == b.labels.get(key);
        return flags.balancing_label.iter().all(same);
    }
    let within = |x: i64, y: i64, share: f64| {
        let (low, high) = (x.min(y) as f64, x.max(y) as f64);
        high - low <= high * share
    };
    let labels = |labels: &Labels| -> Vec<(String, String)> {
        let ignored = |key: &str| {
            [HOSTNAME_LABEL, ZONE_LABEL, REGION_LABEL].contains(&key)
                || flags.balancing_ignore_label.iter().any(|label| label == key)
        };
        let kept = labels.iter().filter(|(key, _)| !ignored(key));
        kept.map(|(key, value)| (key.to_string(), value.to_string())).collect()
    };
    let allocatable = flags.max_allocatable_difference_ratio;
    a.capacity.cpu == b.capacity.cpu
        && within(a.capacity.memory.0, b.capacity.memory.0, flags.memory_difference_ratio)
        && within(a.allocatable.cpu.0, b.allocatable.cpu.0, allocatable)
        && within(a.allocatable.memory.0, b.allocatable.memory.0, allocatable)
        && labels(&a.labels) == labels(&b.labels)
}
