//! Generations only rise, and no controller has seen one that is not there yet.

use super::Finding;
use crate::api::owner::Owner;
use crate::api::{DeploymentId, OwnerId, PdbId};
use crate::store::Store;
use slotmap::{Key, SecondaryMap};

/// `metadata.generation` and `status.observedGeneration` of everything that has both, as at the
/// last look.
#[derive(Debug, Default)]
pub(super) struct Generations {
    deployments: SecondaryMap<DeploymentId, [u64; 2]>,
    owners: SecondaryMap<OwnerId, [u64; 2]>,
    pdbs: SecondaryMap<PdbId, [u64; 2]>,
}

impl Generations {
    /// The first object whose generation, or observed generation, went back or is ahead.
    pub(super) fn wrong(&mut self, store: &Store) -> Finding {
        let mut found = None;
        for (id, d) in store.deployments() {
            let now = [d.generation, d.status.observed_generation];
            found = found.or(step(&mut self.deployments, id, now, "Deployment", &d.name));
        }
        for (id, owner) in store.owners() {
            let now = [owner.generation(), observed(owner)];
            found = found.or(step(&mut self.owners, id, now, owner.kind(), owner.name()));
        }
        for (id, pdb) in store.pdbs() {
            let now = [pdb.generation, pdb.status.observed_generation];
            found = found.or(step(&mut self.pdbs, id, now, "PodDisruptionBudget", &pdb.name));
        }
        found
    }
}

fn observed(owner: &Owner) -> u64 {
    match owner {
        Owner::ReplicaSet(set) => set.status.observed_generation,
        Owner::StatefulSet(set) => set.status.observed_generation,
        Owner::DaemonSet(set) => set.status.observed_generation,
        // A Job tells none.
        Owner::Job(_) => 0,
    }
}

/// Takes note of an object as it is now, and tells what of it may not be.
fn step<K: Key>(
    seen: &mut SecondaryMap<K, [u64; 2]>,
    id: K,
    now: [u64; 2],
    kind: &str,
    name: &str,
) -> Finding {
    let before = seen.insert(id, now).unwrap_or_default();
    let [generation, observed] = now;
    let wrong = if generation < before[0] {
        format!("generation {generation} after {}", before[0])
    } else if observed < before[1] {
        format!("observedGeneration {observed} after {}", before[1])
    } else if observed > generation {
        format!("observedGeneration {observed} of generation {generation}")
    } else {
        return None;
    };
    Some(("generations are observed in order", format!("{kind} {name}: {wrong}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::controllers::testing::Bench;

    #[test]
    fn generations_are_judged() {
        type Change = fn(&mut crate::api::workload::Deployment);
        let rows: [(&str, Change, bool); 5] = [
            ("a change that is yet to be seen", |d| d.generation = 8, true),
            ("and is", |d| (d.generation, d.status.observed_generation) = (8, 8), true),
            ("a generation that falls", |d| d.generation = 6, false),
            ("one that is forgotten", |d| d.status.observed_generation = 5, false),
            ("one that is seen before it is there", |d| d.status.observed_generation = 8, false),
        ];
        for (sentence, change, fine) in rows {
            let mut bench = Bench::new();
            let id = bench.deployment("web", 1);
            let set = |bench: &mut Bench, change: Change| {
                bench.store.update_deployment(id, |d| {
                    change(d);
                    true
                });
            };
            set(&mut bench, |d| (d.generation, d.status.observed_generation) = (7, 7));
            let mut generations = Generations::default();
            assert_eq!(generations.wrong(&bench.store), None, "{sentence}: before");
            set(&mut bench, change);
            assert_eq!(generations.wrong(&bench.store).is_none(), fine, "{sentence}");
        }
    }

    #[test]
    fn all_that_have_one_are_asked() {
        let mut bench = Bench::new();
        let sets = [bench.replica_set("web", 1), bench.stateful_set("db", 1)];
        for id in sets {
            let mut generations = Generations::default();
            assert_eq!(generations.wrong(&bench.store), None);
            bench.store.update_owner(id, |owner| {
                match owner {
                    Owner::ReplicaSet(set) => set.status.observed_generation = 99,
                    Owner::StatefulSet(set) => set.status.observed_generation = 99,
                    _ => {}
                }
                true
            });
            assert!(generations.wrong(&bench.store).is_some(), "{id:?}");
            bench.store.remove_owner(id);
        }
    }
}
