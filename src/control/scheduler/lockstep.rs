//! The fast path against the reference, decision for decision, over random histories.

use super::testing::{pod, spec, zone_node};
use super::*;
use crate::api::pod::PodSpec;
use crate::sim::rng::{Stream, Streams};
use slotmap::SlotMap;

/// Two schedulers that are told the same: one remembers failures, one runs every cycle.
struct Pair {
    fast: Scheduler,
    plain: Scheduler,
    nodes: SlotMap<NodeId, Node>,
    pods: SlotMap<PodId, Pod>,
    specs: Vec<Arc<PodSpec>>,
    now: SimTime,
    /// Failed decisions seen.
    failures: usize,
}

impl Pair {
    fn new() -> Pair {
        let scheduler = || Scheduler::new(&SchedulerConfiguration::default()).unwrap();
        let mut plain = scheduler();
        plain.set_remembers(false);
        let sized = |cpu, priority| Arc::new(PodSpec { priority, ..spec(cpu, 64) });
        Pair {
            fast: scheduler(),
            plain,
            nodes: SlotMap::with_key(),
            pods: SlotMap::with_key(),
            specs: vec![sized(900, 0), sized(1500, 0), sized(3000, 0), sized(3900, 5)],
            now: SimTime::ZERO,
            failures: 0,
        }
    }

    fn step(&mut self, stream: &mut Stream) {
        self.now += SimDuration::from_millis(stream.below(20_000));
        match stream.below(10) {
            0 if self.nodes.len() < 150 => {
                let zone = format!("z{}", stream.below(3));
                let id = self.nodes.insert(zone_node(&format!("n{}", stream.next_u64()), &zone));
                self.each(|s, nodes, _, now| s.add_node(id, &nodes[id], now));
            }
            1 => {
                if let Some(id) = pick(self.nodes.keys(), stream) {
                    self.nodes[id].unschedulable ^= true;
                    self.each(|s, nodes, _, now| s.update_node(id, &nodes[id], now));
                }
            }
            2 | 3 => {
                if let Some(id) = pick(self.pods.keys(), stream) {
                    self.pods.remove(id);
                    self.each(|s, _, _, now| s.remove_pod(id, now));
                }
            }
            _ => {
                for _ in 0..stream.below(20) {
                    let kind = stream.below(self.specs.len() as u64) as usize;
                    let mut new = pod(&format!("p{}", stream.next_u64()), PodSpec::default());
                    new.spec = Arc::clone(&self.specs[kind]);
                    let id = self.pods.insert(new);
                    self.each(|s, _, pods, now| s.add_pod(id, &pods[id], now));
                }
            }
        }
        self.run();
    }

    fn each(
        &mut self,
        f: impl Fn(&mut Scheduler, &SlotMap<NodeId, Node>, &SlotMap<PodId, Pod>, SimTime),
    ) {
        f(&mut self.fast, &self.nodes, &self.pods, self.now);
        f(&mut self.plain, &self.nodes, &self.pods, self.now);
    }

    fn run(&mut self) {
        loop {
            let (fast, plain) =
                (self.fast.schedule_one(self.now), self.plain.schedule_one(self.now));
            assert_eq!(fast, plain, "at {:?}", self.now);
            assert_eq!(self.fast.core().next_start(), self.plain.core().next_start());
            let Some(decision) = fast else { break };
            self.carry_out(decision);
        }
    }

    fn carry_out(&mut self, decision: Decision) {
        match decision {
            Decision::Scheduled { pod, node, .. } => {
                self.pods[pod].node = Some(node);
                self.each(|s, _, pods, now| {
                    s.binding_finished(pod, true, now);
                    s.update_pod(pod, &pods[pod], now);
                });
            }
            Decision::Unschedulable { pod, victims, nomination, .. } => {
                self.failures += 1;
                if let Nomination::Set(node) = nomination {
                    self.pods[pod].nominated = node;
                    self.each(|s, _, pods, now| s.update_pod(pod, &pods[pod], now));
                }
                for victim in victims {
                    self.pods.remove(victim);
                    self.each(|s, _, _, now| s.remove_pod(victim, now));
                }
                self.each(|s, _, _, now| s.preemption_finished(pod, now));
            }
        }
    }
}

fn pick<K: Copy>(keys: impl Iterator<Item = K>, stream: &mut Stream) -> Option<K> {
    let keys: Vec<K> = keys.collect();
    (!keys.is_empty()).then(|| keys[stream.below(keys.len() as u64) as usize])
}

#[test]
fn remembered_failures_are_those_of_the_reference() {
    let mut failures = 0;
    for seed in 0..12 {
        let mut stream = Streams::new(seed).stream("lockstep", 0);
        let mut pair = Pair::new();
        for _ in 0..300 {
            pair.step(&mut stream);
        }
        failures += pair.failures;
    }
    assert!(failures > 5_000, "enough failures to tell: {failures}");
}
