//! Which pod a short node gives up first, and in which words.
//!
//! Source: kubernetes `pkg/kubelet/eviction/helpers.go` (`rankMemoryPressure`,
//! `rankDiskPressureFunc`, `evictionMessage`), v1.37: pods that use more than they request before
//! those that do not, then by priority, then by how much more. Where upstream's order is that of a
//! Go map, it is that of numbers drawn for the pods. It does not know how usage comes about.

use crate::api::quantity::Quantity;
use crate::api::{PodId, Text};

/// A candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The pod.
    pub pod: PodId,
    /// Its priority.
    pub priority: i32,
    /// What it uses, bytes.
    pub usage: i64,
    /// What it requests, bytes.
    pub request: i64,
    /// Decides between equals.
    pub draw: u64,
}

/// Puts those first that go first.
pub fn rank(candidates: &mut [Candidate]) {
    candidates.sort_by_key(|one| {
        let above = one.usage - one.request;
        (above <= 0, one.priority, std::cmp::Reverse(above), one.draw)
    });
}

/// A container of a pod that goes: its name, what it uses and what it requests, bytes.
pub type Share = (Text, i64, i64);

/// What a pod is told that goes for its node's sake. `short`: the threshold, and what is available.
pub fn message(resource: &str, short: (i64, i64), containers: &[Share]) -> String {
    let (threshold, available) = (amount(short.0), amount(short.1));
    let mut told = format!("The node was low on resource: {resource}. ");
    told.push_str(&format!("Threshold quantity: {threshold}, available: {available}. "));
    for (name, usage, request) in containers.iter().filter(|(_, usage, request)| usage > request) {
        let (usage, request) = (amount(*usage), amount(*request));
        told.push_str(&format!(
            "Container {name} was using {usage}, request is {request}, has larger consumption of \
             {resource}. "
        ));
    }
    told
}

/// Bytes as a quantity.
pub fn amount(bytes: i64) -> String {
    Quantity::of(bytes).canonical(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use slotmap::SlotMap;

    #[test]
    fn the_greedy_go_first_then_the_unimportant() {
        // (priority, usage, request), in the order in which they go.
        type Row = (&'static str, [(i32, i64, i64); 3]);
        let rows: [Row; 4] = [
            (
                "who uses more than it requests goes before who does not, whatever the priority",
                [(1000, 2, 1), (0, 50, 50), (0, 1, 9)],
            ),
            ("of the greedy the least important", [(0, 2, 1), (5, 90, 1), (9, 99, 1)]),
            ("of equal importance the greediest", [(0, 90, 10), (0, 60, 10), (0, 90, 80)]),
            ("a pod without requests is greedy", [(0, 1, 0), (0, 500, 500), (0, 4, 600)]),
        ];
        let mut ids: SlotMap<PodId, ()> = SlotMap::with_key();
        for (sentence, pods) in rows {
            let of = |(draw, (priority, usage, request)): (usize, (i32, i64, i64))| {
                let draw = draw as u64;
                Candidate { pod: ids.insert(()), priority, usage, request, draw }
            };
            let expected: Vec<Candidate> = pods.into_iter().enumerate().map(of).collect();
            let mut ranked: Vec<Candidate> = expected.iter().rev().cloned().collect();
            rank(&mut ranked);
            assert_eq!(ranked, expected, "{sentence}");
        }
    }

    #[test]
    fn the_words_are_upstreams() {
        let containers = [("c".into(), 300 << 20, 256 << 20), ("idle".into(), 1 << 20, 2 << 20)];
        assert_eq!(
            message("memory", (100 << 20, 81_920 << 10), &containers),
            "The node was low on resource: memory. Threshold quantity: 100Mi, available: 80Mi. \
             Container c was using 300Mi, request is 256Mi, has larger consumption of memory. "
        );
    }
}
