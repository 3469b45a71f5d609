//! How the cores of a node are divided when its pods want more than there are.
//!
//! Linux gives each control group a part in proportion to its `cpu.weight`, and what a group does
//! not want goes to the others, by weight again: max-min fairness (A. K. Parekh and R. G. Gallager,
//! A Generalized Processor Sharing Approach to Flow Control, IEEE/ACM ToN 1(3), 1993). kubelet
//! makes a tree of them: Guaranteed pods stand beside one group of all Burstable and one of all
//! BestEffort pods. Sources: kubernetes `pkg/kubelet/cm/helpers_linux.go` (`MilliCPUToShares`),
//! `cgroup_manager_linux.go` (`getCPUWeight`) and `qos_container_manager_linux.go`
//! (`setCPUCgroupConfig`), v1.37. Numbers in, numbers out: it knows neither pods nor nodes.

use crate::api::qos::Qos;
use crate::units::MilliCpu;

/// `MinShares` and `MaxShares`.
const SHARES: (u64, u64) = (2, 262_144);
/// `cpu.weight` of the group of BestEffort pods, which has `MinShares`.
const BEST_EFFORT: u64 = 1;

/// `cpu.weight` of a group whose pods request so much.
pub(super) fn weight(request: MilliCpu) -> u64 {
    let shares = request.0.max(0) as u64 * 1024 / 1000;
    1 + (shares.clamp(SHARES.0, SHARES.1) - 2) * 9999 / 262_142
}

/// A pod that wants a part of its node's cores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Claim {
    /// Which group of pods it belongs to.
    pub qos: Qos,
    /// Its `cpu.weight`.
    pub weight: u64,
    /// Cores that it would use if it were alone.
    pub wants: f64,
    /// Cores that it can't use more than, its limit say; at least what it wants.
    pub most: f64,
}

/// A node as its pods' control groups see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cpu {
    /// Cores that pods have together.
    pub cores: f64,
    /// `cpu.weight` of the group of Burstable pods: of what all of them request together, those
    /// that want nothing included.
    pub burstable: u64,
}

impl Cpu {
    /// Cores that each pod could use if it wanted the most that it can, while the others go on
    /// wanting what they do: how fast it is while it is at work.
    ///
    /// For a pod that does not get what it wants, that is what it gets; for one that does, what is
    /// left besides, or what it could take from others by its weight. So nobody's speed jumps when
    /// the node becomes full.
    pub(super) fn open_to(&self, claims: &[Claim]) -> Vec<f64> {
        let free = self.cores - claims.iter().map(|claim| claim.wants).sum::<f64>();
        let mut asked = claims.to_vec();
        let open = |(place, claim): (usize, &Claim)| {
            if claim.most - claim.wants <= free {
                return claim.most;
            }
            asked[place].wants = claim.most;
            let open = self.divided(&asked)[place];
            asked[place].wants = claim.wants;
            open
        };
        claims.iter().enumerate().map(open).collect()
    }

    /// Cores that each pod uses.
    pub(super) fn divided(&self, claims: &[Claim]) -> Vec<f64> {
        let of = |qos| -> Vec<usize> {
            (0..claims.len()).filter(|place| claims[*place].qos == qos).collect()
        };
        let child = |place: &usize| (claims[*place].weight, claims[*place].wants);
        let wants = |group: &[usize]| group.iter().map(|place| claims[*place].wants).sum::<f64>();
        let (sure, burstable) = (of(Qos::Guaranteed), of(Qos::Burstable));
        let best_effort = of(Qos::BestEffort);
        let mut top: Vec<(u64, f64)> = sure.iter().map(child).collect();
        top.push((self.burstable, wants(&burstable)));
        top.push((BEST_EFFORT, wants(&best_effort)));
        let of_top = fill(self.cores, &top);
        let mut cores = vec![0.0; claims.len()];
        for (place, part) in sure.iter().zip(&of_top) {
            cores[*place] = *part;
        }
        for (group, part) in [burstable, best_effort].iter().zip(&of_top[sure.len()..]) {
            let children: Vec<(u64, f64)> = group.iter().map(child).collect();
            for (place, part) in group.iter().zip(fill(*part, &children)) {
                cores[*place] = part;
            }
        }
        cores
    }
}

/// Divides `cores` among groups of (weight, wanted cores) like water among vessels as wide as their
/// weights: who wants less than the common level has what it wants, all others stand at the level.
pub(super) fn fill(cores: f64, groups: &[(u64, f64)]) -> Vec<f64> {
    let level = |place: &usize| groups[*place].1 / groups[*place].0.max(1) as f64;
    let mut order: Vec<usize> = (0..groups.len()).collect();
    // Equal ones in their own order: sums are the same whatever else changes.
    order.sort_by(|one, other| level(one).total_cmp(&level(other)));
    let mut left = cores.max(0.0);
    let mut weights: u64 = groups.iter().map(|(weight, _)| (*weight).max(1)).sum();
    let mut filled = vec![0.0; groups.len()];
    for (at, place) in order.iter().enumerate() {
        let common = left / weights as f64;
        if level(place) > common {
            for place in &order[at..] {
                filled[*place] = common * groups[*place].0.max(1) as f64;
            }
            break;
        }
        filled[*place] = groups[*place].1;
        left = (left - groups[*place].1).max(0.0);
        weights -= groups[*place].0.max(1);
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;
    use Qos::{BestEffort, Burstable, Guaranteed};
    use proptest::prelude::*;

    #[test]
    fn weights_are_those_of_kubelet() {
        let rows = [
            ("nothing requested: MinShares", 0, 1),
            ("one thousandth is less than MinShares", 1, 1),
            ("a tenth of a core: 102 shares", 100, 4),
            ("a core: 1,024 shares, not the 100 of systemd", 1000, 39),
            ("eight cores, as of kubernetes/kubernetes#139807", 8000, 313),
            ("64 cores, as of kubernetes/kubernetes#139790", 64_000, 2500),
            ("no more than there are", 1_000_000, 10_000),
        ];
        for (sentence, request, expected) in rows {
            assert_eq!(weight(MilliCpu(request)), expected, "{sentence}");
        }
    }

    #[test]
    fn groups_stand_at_one_level() {
        type Row = (&'static str, f64, &'static [(u64, f64)], &'static [f64]);
        let rows: [Row; 8] = [
            ("nobody is there", 4.0, &[], &[]),
            ("there is enough for all", 4.0, &[(1, 1.0), (9, 2.0)], &[1.0, 2.0]),
            ("just enough", 3.0, &[(1, 1.0), (9, 2.0)], &[1.0, 2.0]),
            ("equal weights, equal parts", 4.0, &[(5, 9.0), (5, 8.0)], &[2.0, 2.0]),
            ("by weight", 4.0, &[(1, 9.0), (3, 9.0)], &[1.0, 3.0]),
            ("what one does not want is the others'", 4.0, &[(2, 0.5), (1, 9.0)], &[0.5, 3.5]),
            (
                "and is divided by weight among them",
                4.0,
                &[(6, 1.0), (1, 9.0), (2, 9.0)],
                &[1.0, 1.0, 2.0],
            ),
            ("nothing to divide", 0.0, &[(1, 1.0), (1, 0.0)], &[0.0, 0.0]),
        ];
        for (sentence, cores, groups, expected) in rows {
            let found = fill(cores, groups);
            let near = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-12;
            assert!(found.len() == expected.len(), "{sentence}");
            assert!(found.iter().zip(expected).all(near), "{sentence}: {found:?}");
        }
    }

    fn claim(qos: Qos, request: i64, wants: f64, most: f64) -> Claim {
        Claim { qos, weight: weight(MilliCpu(request)), wants, most }
    }

    /// A node of so many cores whose Burstable pods request so much together.
    fn cpu(cores: f64, burstable: i64) -> Cpu {
        Cpu { cores, burstable: weight(MilliCpu(burstable)) }
    }

    #[test]
    fn pods_have_what_their_class_and_requests_give_them() {
        type Row = (&'static str, Cpu, Vec<Claim>, &'static [f64], &'static [f64]);
        let rows: [Row; 7] = [
            (
                "a node that is not full leaves everybody its most",
                cpu(4.0, 1000),
                vec![claim(Burstable, 500, 1.0, 2.0), claim(Burstable, 500, 1.0, 2.0)],
                &[1.0, 1.0],
                &[2.0, 2.0],
            ),
            (
                "or what is left beside the others",
                cpu(4.0, 1000),
                vec![claim(Burstable, 500, 1.0, 4.0), claim(Burstable, 500, 2.5, 3.0)],
                &[1.0, 2.5],
                &[2.0, 3.0],
            ),
            (
                "who wants little can take its part whenever it wants more",
                cpu(4.0, 1000),
                vec![claim(Burstable, 500, 0.5, 4.0), claim(Burstable, 500, 9.0, 9.0)],
                &[0.5, 3.5],
                &[2.0, 3.5],
            ),
            (
                "20 to 79: half a core and two",
                cpu(4.0, 2500),
                vec![claim(Burstable, 500, 9.0, 9.0), claim(Burstable, 2000, 9.0, 9.0)],
                &[4.0 * 20.0 / 99.0, 4.0 * 79.0 / 99.0],
                &[4.0 * 20.0 / 99.0, 4.0 * 79.0 / 99.0],
            ),
            (
                "a Guaranteed pod stands beside all Burstable ones, for which idle ones count",
                cpu(4.0, 3000),
                vec![claim(Guaranteed, 1000, 9.0, 9.0), claim(Burstable, 500, 9.0, 9.0)],
                &[4.0 * 39.0 / 157.0, 4.0 * 118.0 / 157.0],
                &[4.0 * 39.0 / 157.0, 4.0 * 118.0 / 157.0],
            ),
            (
                "its limit leaves the rest to them",
                cpu(4.0, 1000),
                vec![claim(Guaranteed, 1000, 1.0, 1.0), claim(Burstable, 500, 9.0, 9.0)],
                &[1.0, 3.0],
                &[1.0, 3.0],
            ),
            (
                "all BestEffort pods together weigh 1",
                cpu(4.0, 1000),
                vec![
                    claim(BestEffort, 0, 9.0, 9.0),
                    claim(BestEffort, 0, 9.0, 9.0),
                    claim(Burstable, 1000, 9.0, 9.0),
                ],
                &[0.05, 0.05, 3.9],
                &[0.05, 0.05, 3.9],
            ),
        ];
        for (sentence, cpu, claims, used, open) in rows {
            let near = |found: &[f64], expected: &[f64]| {
                found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9)
            };
            assert!(near(&cpu.divided(&claims), used), "{sentence}: {:?}", cpu.divided(&claims));
            assert!(near(&cpu.open_to(&claims), open), "{sentence}: {:?}", cpu.open_to(&claims));
        }
    }

    /// Drop by drop: everybody who wants more gets as many drops as it weighs.
    fn drop_by_drop(cores: f64, groups: &[(u64, f64)], drop: f64) -> Vec<f64> {
        let (mut left, mut filled) = (cores, vec![0.0; groups.len()]);
        let wants = |filled: &[f64]| (0..groups.len()).any(|place| filled[place] < groups[place].1);
        while left > 0.0 && wants(&filled) {
            for (place, (weight, wanted)) in groups.iter().enumerate() {
                let part = (drop * *weight as f64).min(wanted - filled[place]).max(0.0).min(left);
                filled[place] += part;
                left -= part;
            }
        }
        filled
    }

    fn any_claim() -> impl Strategy<Value = Claim> {
        let qos = prop_oneof![Just(Guaranteed), Just(Burstable), Just(BestEffort)];
        (qos, 1i64..4000, 0.0..3.0, 0.0..3.0).prop_map(|(qos, request, wants, more)| {
            let request = if qos == BestEffort { 0 } else { request };
            claim(qos, request, wants, wants + more)
        })
    }

    proptest! {
        #[test]
        fn filling_is_filling_drop_by_drop(
            cores in 0.0..8.0,
            groups in prop::collection::vec((1u64..40, 0.0..4.0), 0..8),
        ) {
            let drop = 1e-5;
            let slow = drop_by_drop(cores, &groups, drop);
            for ((weight, _), (a, b)) in groups.iter().zip(fill(cores, &groups).iter().zip(&slow)) {
                // One round more or less, and what the last round left to whom.
                let off = drop * (2 * weight + 40 * 8) as f64;
                prop_assert!((a - b).abs() <= off, "{a} is not {b}");
            }
        }

        #[test]
        fn nothing_is_wasted_and_nobody_has_too_much(
            cores in 0.1..8.0,
            more in 0i64..4000,
            claims in prop::collection::vec(any_claim(), 1..8),
        ) {
            let requests = 500 * claims.len() as i64 + more;
            let cpu = cpu(cores, requests);
            let (used, open) = (cpu.divided(&claims), cpu.open_to(&claims));
            let wanted: f64 = claims.iter().map(|claim| claim.wants).sum();
            let all: f64 = used.iter().sum();
            prop_assert!((all - wanted.min(cores)).abs() < 1e-9, "{all} of {cores} for {wanted}");
            for ((claim, used), open) in claims.iter().zip(&used).zip(&open) {
                prop_assert!(*used <= claim.wants + 1e-12);
                prop_assert!(*open >= used - 1e-9 && *open <= claim.most + 1e-12);
                let is_short = *used < claim.wants - 1e-9;
                prop_assert!(!is_short || (open - used).abs() < 1e-9, "{open} is not {used}");
            }
            // Of two of a class, who has less for its weight has what it wants.
            for (one, a) in claims.iter().zip(&used) {
                for (other, b) in claims.iter().zip(&used) {
                    let level = |claim: &Claim, used: &f64| used / claim.weight as f64;
                    if one.qos == other.qos && level(one, a) < level(other, b) - 1e-9 {
                        prop_assert!(*a >= one.wants - 1e-9, "{claims:?}: {used:?}");
                    }
                }
            }
        }

        #[test]
        fn speeds_do_not_jump_when_a_node_becomes_full(
            cores in 0.5..4.0,
            claims in prop::collection::vec(any_claim(), 2..6),
        ) {
            // The first one's want moves in small steps across the point where the node is full.
            let steps = 400;
            let mut before: Option<Vec<f64>> = None;
            for step in 0..=steps {
                let mut claims = claims.clone();
                claims[0].wants = claims[0].most * f64::from(step) / f64::from(steps);
                let open = cpu(cores, 2000).open_to(&claims);
                if let Some(before) = before {
                    let most = claims[0].most / f64::from(steps) + 1e-9;
                    let near = open.iter().zip(&before).all(|(a, b)| (a - b).abs() <= most);
                    prop_assert!(near, "{before:?} becomes {open:?}");
                }
                before = Some(open);
            }
        }
    }
}
