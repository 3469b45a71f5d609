//! The recommender of the Vertical Pod Autoscaler against the real one (1.7.1): thousands of series
//! of samples, drawn from seeds, and what it made of them, bit by bit.
//!
//! `conformance/verticalpodautoscaler` records them; VERTICALPODAUTOSCALER names another file than
//! the kept one.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "all of this is test code")]

use flate2::read::GzDecoder;
use serde::Deserialize;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use stormglass::control::controllers::vertical_pod_autoscaler::aggregate::{Aggregate, Container};
use stormglass::control::controllers::vertical_pod_autoscaler::estimator::{Estimate, estimate};
use stormglass::control::vpa_flags::VpaRecommenderFlags;
use stormglass::units::{Bytes, MilliCpu};

const SECOND: i64 = 1_000_000_000;

/// What is known of a container at a look.
#[derive(Debug, PartialEq, Deserialize)]
struct Told {
    container: String,
    cpu: [i64; 3],
    memory: [i64; 3],
    weights: [String; 2],
    percentiles: [String; 2],
}

#[derive(Deserialize)]
struct Case {
    seed: u64,
    looks: [Vec<Told>; 2],
}

/// SplitMix64, as the recording program has it.
struct Draws(u64);

impl Draws {
    fn below(&mut self, n: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as i64
    }

    fn one_of<const N: usize>(&mut self, all: [i64; N]) -> i64 {
        all[self.below(N as i64) as usize]
    }
}

/// Pods with the same labels.
struct Group {
    aggregate: Aggregate,
    pods: Vec<Container>,
}

fn look(all: &mut [Vec<Group>], flags: &VpaRecommenderFlags) -> Vec<Told> {
    let n = all.len();
    let merged = all.iter_mut().enumerate().map(|(index, groups)| {
        let mut merged = Aggregate::new(flags);
        groups.iter_mut().for_each(|group| merged.merge(&mut group.aggregate));
        let [cpu, memory] = estimate(&merged, n, flags);
        let amounts = |of: Estimate| [of.target, of.lower, of.upper];
        let bits = |x: f64| format!("{:x}", x.to_bits());
        Told {
            container: format!("c{index}"),
            cpu: amounts(cpu),
            memory: amounts(memory),
            weights: [&merged.cpu, &merged.memory].map(|of| bits(of.total())),
            percentiles: [&merged.cpu, &merged.memory].map(|of| bits(of.percentile(0.9))),
        }
    });
    merged.collect()
}

/// The case of a seed: the same draws as in the recording program.
fn play(seed: u64, flags: &VpaRecommenderFlags) -> [Vec<Told>; 2] {
    let mut draws = Draws(seed);
    let (containers, groups) = (1 + draws.below(3), 1 + draws.below(2));
    let (pods, steps) = (1 + draws.below(3), 2 + draws.below(120));
    let step = draws.one_of([15, 60, 300, 3600, 21_600]);
    let mut now = 1_767_225_600 + draws.below(259_200);
    let cpu = draws.one_of([5, 50, 400, 3000]);
    let memory = draws.one_of([3_000_000, 90_000_000, 700_000_000, 9_000_000_000]);
    let group = |_| Group {
        aggregate: Aggregate::new(flags),
        pods: vec![Container::default(); pods as usize],
    };
    let mut all: Vec<Vec<Group>> =
        (0..containers).map(|_| (0..groups).map(group).collect()).collect();
    let mut looks = Vec::new();
    for s in 0..steps {
        for Group { aggregate, pods } in all.iter_mut().flatten() {
            for pod in pods {
                let used = MilliCpu(cpu * draws.below(200) / 100);
                pod.add_cpu(aggregate, used, now * SECOND);
                let used = Bytes(memory * (50 + draws.below(100)) / 100);
                let interval = flags.memory_aggregation_interval;
                pod.add_memory(aggregate, used, now * SECOND, interval);
                match draws.below(100) {
                    0 | 1 => {
                        let requested = Bytes(memory * draws.below(200) / 100);
                        let at = (now - draws.below(20)) * SECOND;
                        pod.record_oom(aggregate, requested, at, flags);
                    }
                    2 | 3 => *pod = Container::default(),
                    _ => {}
                }
            }
        }
        if s == steps / 2 || s == steps - 1 {
            looks.push(look(&mut all, flags));
            if steps / 2 == steps - 1 {
                looks.push(look(&mut all, flags));
            }
        }
        now += step + draws.below(step);
    }
    looks.try_into().unwrap()
}

#[test]
fn what_is_recommended_is_what_upstream_recommends() {
    let kept =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/verticalpodautoscaler.ndjson.gz");
    let path = std::env::var_os("VERTICALPODAUTOSCALER").map_or(kept, Into::into);
    let file = std::fs::File::open(&path).unwrap();
    let is_packed = path.extension().is_some_and(|ending| ending == "gz");
    let text: Box<dyn Read> =
        if is_packed { Box::new(GzDecoder::new(file)) } else { Box::new(file) };
    let flags = VpaRecommenderFlags::default();
    let (mut cases, mut told) = (0, 0);
    for line in BufReader::new(text).lines() {
        let case: Case = serde_json::from_str(&line.unwrap()).unwrap();
        let ours = play(case.seed, &flags);
        assert_eq!(ours, case.looks, "seed {}", case.seed);
        cases += 1;
        told += ours.iter().map(Vec::len).sum::<usize>();
    }
    assert!(cases >= 1000, "{cases} cases are too few");
    println!("{cases} series, {told} recommendations of containers, all equal bit by bit");
}
