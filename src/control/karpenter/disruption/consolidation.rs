//! Consolidation: nodes whose pods would fit elsewhere, or on one cheaper node.
//!
//! Source: kubernetes-sigs/karpenter `pkg/controllers/disruption/consolidation.go`,
//! `multinodeconsolidation.go`, `singlenodeconsolidation.go`, August 2026.

use super::super::Karpenter;
use super::super::packing::Fresh;
use super::Command;
use super::candidates::Candidate;
use crate::api::Text;
use crate::control::controllers::action::Outcome;
use crate::store::Store;
use crate::units::SimTime;
use std::collections::BTreeMap;

/// Nodes that are looked at together at most.
const MOST_TOGETHER: usize = 100;
/// So many cheaper machine types there have to be for a spot machine to be replaced by another
/// (`MinInstanceTypesForSpotToSpotConsolidation`).
const SPOT_CHOICE: usize = 15;

impl Karpenter {
    /// The most nodes, of those worth most, whose pods fit elsewhere or on one cheaper node: found
    /// by bisection.
    pub(super) fn consolidate_several(
        &self,
        mut candidates: Vec<Candidate>,
        allowed: &mut [u32],
        store: &Store,
        now: SimTime,
    ) -> Option<Command> {
        candidates.retain(|candidate| {
            let left = &mut allowed[candidate.pool];
            let may = *left > 0;
            *left = left.saturating_sub(1);
            may
        });
        candidates.truncate(MOST_TOGETHER + 1);
        let (mut low, mut high) = (2, candidates.len());
        let mut best = None;
        while low <= high {
            let middle = usize::midpoint(low, high);
            let some = &candidates[..middle];
            let mut found = self.consolidate(some, store, now).ok();
            if let Some(command) = &mut found
                && let [replacement] = &mut command.replacements[..]
            {
                self.keep_cheaper_than_the_same(replacement, some);
                if replacement.options.is_empty() {
                    found = None;
                }
            }
            if found.is_some() {
                best = found;
                low = middle + 1;
            } else {
                high = middle - 1;
            }
        }
        best
    }

    /// The first node whose pods fit elsewhere or on a cheaper one.
    pub(super) fn consolidate_one(
        &self,
        candidates: Vec<Candidate>,
        allowed: &[u32],
        store: &Store,
        now: SimTime,
        outcome: &mut Outcome,
    ) -> Option<Command> {
        for candidate in candidates.into_iter().filter(|c| allowed[c.pool] > 0) {
            match self.consolidate(std::slice::from_ref(&candidate), store, now) {
                Ok(command) => return Some(command),
                Err(why) => self.tell_once(candidate.claim, "Unconsolidatable", &why, outcome),
            }
        }
        None
    }

    /// What would become of these nodes; or why they stay.
    fn consolidate(
        &self,
        candidates: &[Candidate],
        store: &Store,
        now: SimTime,
    ) -> Result<Command, String> {
        let numbers: Vec<u64> = candidates.iter().map(|c| c.claim).collect();
        let mut packed = self.pack(store, &numbers, true, now);
        if packed.moves_fail {
            return Err("Not all pods would schedule".to_string());
        }
        let mut replacements = std::mem::take(&mut packed.fresh);
        if replacements.len() > 1 {
            return Err(format!("Can't remove without creating {} candidates", replacements.len()));
        }
        if let [replacement] = &mut replacements[..] {
            let price = candidates.iter().map(|c| c.price).sum();
            self.keep_cheaper(replacement, candidates, price)?;
        }
        Ok(Command { candidates: numbers, replacements, packed })
    }

    /// Narrows a replacement down to what costs less than the nodes that it is for.
    fn keep_cheaper(
        &self,
        replacement: &mut Fresh,
        candidates: &[Candidate],
        price: f64,
    ) -> Result<(), String> {
        let is_spot = |i: &usize| self.catalog.offerings[*i].spot;
        let from_spot = candidates.iter().all(|c| c.spot);
        let to_spot = replacement.options.iter().any(is_spot);
        if from_spot && to_spot {
            if !self.flags.spot_to_spot_consolidation {
                return Err("SpotToSpotConsolidation is disabled, can't replace a spot node with \
                            a spot node"
                    .to_string());
            }
            replacement.options.retain(is_spot);
        }
        self.keep_below(replacement, price);
        if replacement.options.is_empty() {
            return Err("Can't replace with a cheaper node".to_string());
        }
        if from_spot && to_spot && candidates.len() == 1 {
            return self.keep_choice(replacement);
        }
        // What was compared is the price of spot machines: none on demand shall come instead.
        if replacement.options.iter().any(is_spot) {
            replacement.options.retain(is_spot);
        }
        Ok(())
    }

    /// A spot machine is replaced by another only if there is much choice.
    fn keep_choice(&self, replacement: &mut Fresh) -> Result<(), String> {
        let mut types: Vec<(f64, &Text)> =
            self.worst_prices(replacement).into_iter().map(|(t, p)| (p, t)).collect();
        if types.len() < SPOT_CHOICE {
            return Err(format!(
                "SpotToSpotConsolidation requires {SPOT_CHOICE} cheaper instance type options than \
                 the current candidate to consolidate, got {}",
                types.len()
            ));
        }
        types.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(b.1)));
        let kept: Vec<Text> =
            types.into_iter().take(SPOT_CHOICE).map(|(_, machine)| machine.clone()).collect();
        replacement.options.retain(|i| kept.contains(self.catalog.offerings[*i].machine()));
        Ok(())
    }

    /// By machine type the price that its machine has at worst: of spot machines, where there are
    /// any (`WorstLaunchPrice`).
    fn worst_prices(&self, replacement: &Fresh) -> BTreeMap<&Text, f64> {
        let mut worst: BTreeMap<&Text, (bool, f64)> = BTreeMap::new();
        for offering in replacement.options.iter().map(|i| &self.catalog.offerings[*i]) {
            let of = worst.entry(offering.machine()).or_insert((offering.spot, offering.price));
            if offering.spot && !of.0 {
                *of = (true, offering.price);
            } else if offering.spot == of.0 {
                of.1 = of.1.max(offering.price);
            }
        }
        worst.into_iter().map(|(machine, (_, price))| (machine, price)).collect()
    }

    fn keep_below(&self, replacement: &mut Fresh, price: f64) {
        let worst = self.worst_prices(replacement);
        let kept: Vec<Text> = worst
            .into_iter()
            .filter(|(_, p)| *p < price)
            .map(|(machine, _)| machine.clone())
            .collect();
        replacement.options.retain(|i| kept.contains(self.catalog.offerings[*i].machine()));
    }

    /// Several nodes are not replaced by one of a type that one of them has: that one could stay
    /// (`filterOutSameInstanceType`).
    fn keep_cheaper_than_the_same(&self, replacement: &mut Fresh, candidates: &[Candidate]) {
        let mut bound = f64::INFINITY;
        for machine in self.worst_prices(replacement).into_keys() {
            let same = candidates.iter().filter(|c| c.machine == *machine);
            bound = same.map(|c| c.price).fold(bound, f64::min);
        }
        if bound.is_finite() {
            self.keep_below(replacement, bound);
        }
    }
}
