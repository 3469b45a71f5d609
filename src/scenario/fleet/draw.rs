//! What the members of a fleet are like: drawn once, for whatever seed a run has.
//!
//! Each figure of each member has a stream of its own, named by fleet, figure and member: another
//! count, or another figure that varies, changes no member. It knows numbers, not manifests.

use super::file::{Figure, SizeFile, VaryFile};
use super::template::Drawn;
use crate::sim::rng::Streams;

const MEBI: f64 = (1 << 20) as f64;

/// Draws member `number` (from 1) of the population `population` of the fleet `name`.
pub(super) fn draw(vary: &VaryFile, name: &str, population: u64, number: u32) -> Drawn {
    let streams = Streams::new(population);
    let one = |figure: &Option<Figure>, what: &str| {
        let purpose = format!("fleet {name} {what}");
        let Figure(distribution) = figure.as_ref()?;
        Some(distribution.sample(&mut streams.stream(&purpose, u64::from(number))))
    };
    let replicas = one(&vary.replicas, "replicas").map(|n| n.round().clamp(1.0, 1e6) as u32);
    let cpu = one(&vary.cpu_request, "cpu").map(|cores| (cores * 1000.0).round().max(1.0) as i64);
    let memory = one(&vary.memory_request, "memory")
        .map(|bytes| ((bytes / MEBI).round().max(1.0) * MEBI) as i64);
    let size = cpu.zip(memory).and_then(|(cpu, memory)| rounded_up(&vary.sizes, cpu, memory));
    match size {
        Some((cpu, memory)) => Drawn { replicas, cpu: Some(cpu), memory: Some(memory) },
        None => Drawn { replicas, cpu, memory },
    }
}

/// The first size that holds both, or the last; `None`: there are no sizes.
fn rounded_up(sizes: &[SizeFile], cpu: i64, memory: i64) -> Option<(i64, i64)> {
    let mut all = sizes.iter().map(|size| (size.cpu.0.as_cpu().0, size.memory.0.as_bytes().0));
    let last = all.clone().next_back();
    all.find(|size| cpu <= size.0 && memory <= size.1).or(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::value::Amount;
    use crate::sim::sample::Distribution;

    fn vary() -> VaryFile {
        VaryFile {
            replicas: Some(Figure(Distribution::lognormal_p50_p99(12.0, 200.0))),
            cpu_request: Some(Figure(Distribution::lognormal_p50_p99(1.0, 8.0))),
            memory_request: Some(Figure(Distribution::Uniform(1e9, 9e9))),
            sizes: Vec::new(),
        }
    }

    #[test]
    fn a_population_is_what_was_asked_for() {
        let members: Vec<Drawn> = (1..=4000).map(|n| draw(&vary(), "app", 1, n)).collect();
        let share = |holds: &dyn Fn(&Drawn) -> bool| {
            members.iter().filter(|d| holds(d)).count() as f64 / members.len() as f64
        };
        let rows = [
            ("half have at most 12 replicas", share(&|d| d.replicas <= Some(12)), 0.5),
            ("99 % have at most 200", share(&|d| d.replicas <= Some(200)), 0.99),
            ("half request at most a core", share(&|d| d.cpu <= Some(1000)), 0.5),
            ("a quarter at most 3 GB", share(&|d| d.memory <= Some(3_000_000_000)), 0.25),
        ];
        for (sentence, found, expected) in rows {
            assert!((found - expected).abs() < 0.03, "{sentence}: {found}");
        }
    }

    #[test]
    fn a_member_depends_on_its_names_alone() {
        let first = draw(&vary(), "app", 1, 17);
        assert_eq!(first, draw(&vary(), "app", 1, 17), "the same again");
        let less = VaryFile { cpu_request: None, ..vary() };
        let without = draw(&less, "app", 1, 17);
        assert_eq!(without.replicas, first.replicas, "one figure less moves no other");
        assert_eq!(without.memory, first.memory, "one figure less moves no other");
        for other in [draw(&vary(), "app", 2, 17), draw(&vary(), "job", 1, 17)] {
            assert_ne!(other, first, "another population or fleet");
        }
    }

    #[test]
    fn sizes_hold_what_they_are_for() {
        let size = |cpu: i64, gibi: i64| SizeFile {
            cpu: Amount(crate::api::quantity::Quantity::of(cpu)),
            memory: Amount(crate::api::quantity::Quantity::of(gibi << 30)),
        };
        let sizes = [size(1, 2), size(2, 4), size(4, 8)];
        let rows = [
            ("what fits exactly is not rounded", 1000, 2, (1000, 2)),
            ("CPU decides", 1001, 1, (2000, 4)),
            ("memory decides", 500, 5, (4000, 8)),
            ("what no size holds gets the last", 9000, 1, (4000, 8)),
        ];
        for (sentence, cpu, gibi, (wanted_cpu, wanted_gibi)) in rows {
            let found = rounded_up(&sizes, cpu, gibi << 30);
            assert_eq!(found, Some((wanted_cpu, wanted_gibi << 30)), "{sentence}");
        }
    }
}
