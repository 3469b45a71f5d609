//! Which of several groups shall grow.
//!
//! Source: cluster-autoscaler `expander/` (random, waste, mostpods, leastnodes, price, priority,
//! factory/chain.go), August 2026. Each expander of a chain narrows down what the one before it
//! leaves; of what is left in the end one is drawn, as there.

use super::GroupView;
use super::estimator::Estimate;
use super::pending::PodGroup;
use crate::api::resources::Resources;
use crate::control::flags::{ClusterAutoscalerFlags, Expander};
use regex_lite::Regex;

/// An option: a group and what its new nodes would do.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    /// Index of the group.
    pub group: usize,
    /// What new nodes would do.
    pub estimate: Estimate,
}

/// The expanders of `--expander`, ready to choose.
#[derive(Debug)]
pub(super) struct Chain {
    expanders: Vec<Expander>,
    /// Priorities and the names that have them, highest first.
    priorities: Vec<(u32, Vec<Regex>)>,
}

/// What expanders look at beside the options.
pub(super) struct Sight<'a> {
    pub groups: &'a [GroupView],
    pub pods: &'a [PodGroup],
    /// Nodes of the cluster.
    pub nodes: usize,
}

impl Chain {
    pub(super) fn new(flags: &ClusterAutoscalerFlags) -> Chain {
        // The scenario has checked that they can be read.
        let expressions =
            |names: &Vec<String>| names.iter().filter_map(|name| Regex::new(name).ok()).collect();
        let ranks = flags.priorities.iter();
        let mut priorities: Vec<_> = ranks.map(|(n, names)| (*n, expressions(names))).collect();
        priorities.sort_by_key(|(n, _)| std::cmp::Reverse(*n));
        Chain { expanders: flags.expander.clone(), priorities }
    }

    /// The option that it takes; `pick(n)` draws a number below `n` where several are left.
    pub(super) fn best(
        &self,
        mut choices: Vec<Choice>,
        sight: &Sight<'_>,
        pick: &mut dyn FnMut(usize) -> usize,
    ) -> Option<Choice> {
        for expander in &self.expanders {
            if choices.len() <= 1 {
                break;
            }
            let scores: Vec<f64> =
                choices.iter().map(|choice| self.score(*expander, choice, sight)).collect();
            let lowest = scores.iter().copied().min_by(f64::total_cmp)?;
            let mut scores = scores.into_iter();
            choices.retain(|_| scores.next() == Some(lowest));
        }
        let index = if choices.len() > 1 { pick(choices.len()) } else { 0 };
        (!choices.is_empty()).then(|| choices.swap_remove(index))
    }

    /// The lower, the better.
    fn score(&self, expander: Expander, choice: &Choice, sight: &Sight<'_>) -> f64 {
        match expander {
            Expander::Random => 0.0,
            Expander::LeastWaste => waste(choice, sight.groups, sight.pods),
            Expander::MostPods => -(choice.estimate.placed.iter().sum::<usize>() as f64),
            Expander::LeastNodes => f64::from(choice.estimate.nodes),
            Expander::Price => price(choice, sight.groups, sight.pods, sight.nodes),
            Expander::Priority => -self.priority(&sight.groups[choice.group].name),
        }
    }

    /// The highest priority that a group's name has; below all others where it has none, so that
    /// it is only taken when no group has any.
    fn priority(&self, name: &str) -> f64 {
        let has = |names: &Vec<Regex>| names.iter().any(|name_is| name_is.is_match(name));
        let found = self.priorities.iter().find(|(_, names)| has(names));
        found.map_or(-1.0, |(priority, _)| f64::from(*priority))
    }
}

/// CPU in milli-cores and memory in bytes of all pods that an option places.
fn requested(choice: &Choice, pods: &[PodGroup]) -> (f64, f64) {
    let (mut cpu, mut memory) = (0.0, 0.0);
    for (group, n) in pods.iter().zip(&choice.estimate.placed) {
        let requests = &group.needs.info.requests;
        cpu += requests.cpu.0 as f64 * *n as f64;
        memory += requests.memory.0 as f64 * *n as f64;
    }
    (cpu, memory)
}

/// Share of the new machines' CPU and memory that stays unused, summed. Measured against the whole
/// machine, not what is allocatable, as upstream.
fn waste(choice: &Choice, groups: &[GroupView], pods: &[PodGroup]) -> f64 {
    let machine = &groups[choice.group].template.capacity;
    let nodes = f64::from(choice.estimate.nodes);
    let (cpu, memory) = requested(choice, pods);
    let share = |used: f64, each: i64| 1.0 - used / (each as f64 * nodes);
    share(cpu, machine.cpu.0) + share(memory, machine.memory.0)
}

/// How well money is spent, times how far the machine is from the shape that suits a cluster of
/// this size; the latter matters less the more nodes come at once.
fn price(choice: &Choice, groups: &[GroupView], pods: &[PodGroup], nodes: usize) -> f64 {
    let unit = unit_price(groups);
    let count = f64::from(choice.estimate.nodes);
    let (cpu, memory) = requested(choice, pods);
    // Half a core and 500 MiB keep the ratio stable for pods that request next to nothing.
    let stabilization = unit.of(500.0, 500.0 * MIB);
    let spent = groups[choice.group].price_per_hour * count + stabilization;
    let worth = unit.of(cpu, memory) + stabilization;
    let unfit = unfitness(&groups[choice.group].template.capacity, nodes);
    let suppressed = (unfit - 1.0) * (1.0 - libm::tanh((count - 1.0) / 15.0)) + 1.0;
    suppressed * spent / worth
}

const MIB: f64 = 1024.0 * 1024.0;

/// What a core-hour and a GiB-hour are worth in the scenario's currency.
#[derive(Clone, Copy, Debug)]
struct UnitPrice {
    core: f64,
    gibibyte: f64,
}

impl UnitPrice {
    fn of(self, milli_cpu: f64, bytes: f64) -> f64 {
        self.core * milli_cpu / 1000.0 + self.gibibyte * bytes / (1024.0 * MIB)
    }
}

/// Upstream asks the cloud provider for prices of pods; here they are GCE's ratio of core to memory
/// prices (0.033174 : 0.004446, `cloudprovider/gce/gce_price.go`), scaled so that the groups'
/// machines together are worth what they cost.
fn unit_price(groups: &[GroupView]) -> UnitPrice {
    let unit = UnitPrice { core: 0.033_174, gibibyte: 0.004_446 };
    let (mut worth, mut cost) = (0.0, 0.0);
    for group in groups {
        let machine = &group.template.capacity;
        worth += unit.of(machine.cpu.0 as f64, machine.memory.0 as f64);
        cost += group.price_per_hour;
    }
    let scale = if worth > 0.0 && cost > 0.0 { cost / worth } else { 1.0 };
    UnitPrice { core: unit.core * scale, gibibyte: unit.gibibyte * scale }
}

/// Ratio of CPU to that of the preferred machine, whichever way it is larger than one: the larger
/// the cluster, the larger the machines (`SimplePreferredNodeProvider`, `SimpleNodeUnfitness`).
fn unfitness(machine: &Resources, nodes: usize) -> f64 {
    let cores = match nodes {
        0..=2 => 1.0,
        3..=6 => 2.0,
        7..=20 => 4.0,
        21..=60 => 8.0,
        61..=200 => 16.0,
        _ => 32.0,
    };
    let ratio = cores * 1000.0 / (machine.cpu.0.max(1) as f64);
    ratio.max(1.0 / ratio)
}
