//! The choice of a volume held against its definition, read out letter by letter.

use super::*;
use crate::api::ObjectName;
use crate::api::labels::{Labels, Selector};
use crate::api::storage::{ClaimReference, ReclaimPolicy, VolumePhase};
use crate::control::controllers::volume::testing::{add_claim, add_volume, bench};
use crate::units::SimTime;
use proptest::prelude::*;
use serde_json::{Value, json};
use slotmap::SlotMap;
use std::collections::BTreeSet;

#[test]
fn the_smallest_volume_that_suits_is_taken() {
    type Row = (&'static str, Value, Vec<(&'static str, Value)>, bool, Option<&'static str>);
    let size = |size: &str| json!({"spec": {"capacity": {"storage": size}}});
    let kept = |name: &str, uid: Value| json!({"spec": {"claimRef": {"namespace": "default", "name": name, "uid": uid}}});
    let modes = |modes: &[&str]| json!({"spec": {"accessModes": modes}});
    let rows: Vec<Row> = vec![
        ("one that is large enough", json!({}), vec![("a", json!({}))], false, Some("a")),
        ("none that is too small", json!({}), vec![("a", size("4Gi"))], false, None),
        (
            "the smallest of those that are large enough",
            json!({}),
            vec![("a", size("20Gi")), ("b", size("6Gi")), ("c", size("8Gi"))],
            false,
            Some("b"),
        ),
        (
            "of equal ones the first by name",
            json!({}),
            vec![("b", json!({})), ("a", json!({}))],
            false,
            Some("a"),
        ),
        (
            "none of another class",
            json!({}),
            vec![("a", json!({"spec": {"storageClassName": "slow"}}))],
            false,
            None,
        ),
        (
            "a claim without a class takes a volume without one",
            json!({"spec": {"storageClassName": ""}}),
            vec![("a", json!({})), ("b", json!({"spec": {"storageClassName": null}}))],
            false,
            Some("b"),
        ),
        (
            "none that has other labels than are selected",
            json!({"spec": {"selector": {"matchLabels": {"tier": "fast"}}}}),
            vec![
                ("a", json!({"metadata": {"labels": {"tier": "slow"}}})),
                ("b", json!({"metadata": {"labels": {"tier": "fast"}}})),
            ],
            false,
            Some("b"),
        ),
        (
            "none that lacks an access mode",
            json!({"spec": {"accessModes": ["ReadWriteMany"]}}),
            vec![("a", json!({})), ("b", modes(&["ReadWriteOnce", "ReadWriteMany"]))],
            false,
            Some("b"),
        ),
        (
            "fewer access modes come before less size",
            json!({}),
            vec![("a", modes(&["ReadWriteOnce", "ReadOnlyMany"])), ("b", size("50Gi"))],
            false,
            Some("b"),
        ),
        (
            "the one that is kept for the claim comes before a smaller one",
            json!({}),
            vec![("a", size("5Gi")), ("b", kept("data", Value::Null))],
            false,
            Some("b"),
        ),
        (
            "whatever its class is",
            json!({"spec": {"storageClassName": "other"}}),
            vec![("b", kept("data", json!("u1")))],
            false,
            Some("b"),
        ),
        (
            "none that is kept for another claim, or for an earlier one of that name",
            json!({}),
            vec![("a", kept("other", Value::Null)), ("b", kept("data", json!("u0")))],
            false,
            None,
        ),
        (
            "none that is not Available",
            json!({}),
            vec![("a", json!({"status": {"phase": "Released"}}))],
            false,
            None,
        ),
        (
            "none that is a block device for a file system",
            json!({}),
            vec![("a", json!({"spec": {"volumeMode": "Block"}}))],
            false,
            None,
        ),
        (
            "where the scheduler is to choose, none that is free",
            json!({}),
            vec![("a", json!({}))],
            true,
            None,
        ),
        (
            "but one that is kept",
            json!({}),
            vec![("a", json!({})), ("b", kept("data", Value::Null))],
            true,
            Some("b"),
        ),
    ];
    for (sentence, claim, volumes, delays, expected) in rows {
        let mut bench = bench();
        for (name, given) in volumes {
            add_volume(&mut bench.store, name, given);
        }
        let claim = add_claim(&mut bench.store, claim);
        let claim = bench.store.claim(claim).unwrap().object.clone().unwrap();
        let found = best_match(&claim, bench.store.volumes(), delays);
        let found = found.map(|id| bench.store.volume(id).unwrap().name.to_string());
        assert_eq!(found.as_deref(), expected, "{sentence}");
    }
}

#[test]
fn a_volume_that_is_asked_for_says_why_it_is_none_for_the_claim() {
    let rows = [
        ("it suits", json!({}), None),
        (
            "it is too small",
            json!({"spec": {"capacity": {"storage": "1Gi"}}}),
            Some("requested PV is too small"),
        ),
        (
            "it is of another class",
            json!({"spec": {"storageClassName": "x"}}),
            Some("storageClassName does not match"),
        ),
        (
            "it is of another mode",
            json!({"spec": {"volumeMode": "Block"}}),
            Some("incompatible volumeMode"),
        ),
        (
            "it lacks an access mode",
            json!({"spec": {"accessModes": ["ReadOnlyMany"]}}),
            Some("incompatible accessMode"),
        ),
        (
            "it is being deleted",
            json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}),
            Some("the volume is marked for deletion \"a\""),
        ),
    ];
    for (sentence, given, expected) in rows {
        let mut bench = bench();
        let volume = add_volume(&mut bench.store, "a", given);
        let claim = add_claim(&mut bench.store, json!({}));
        let claim = bench.store.claim(claim).unwrap().object.clone().unwrap();
        let found = mismatch(bench.store.volume(volume).unwrap(), &claim);
        assert_eq!(found.as_deref(), expected, "{sentence}");
    }
}

/// `findByClaim` and `FindMatchingVolume`, read out.
fn naive(claim: &Claim, volumes: &[PersistentVolume], delays: bool) -> Option<Text> {
    let set = |volume: &PersistentVolume| -> Vec<&str> {
        let has = |mode: &&&str| volume.access_modes.iter().any(|m| **m == ***mode);
        MODES.iter().filter(has).copied().collect()
    };
    let mut sets: Vec<Vec<&str>> = Vec::new();
    for volume in volumes {
        if !sets.contains(&set(volume)) {
            sets.push(set(volume));
        }
    }
    let bit = |mode: &&str| 1u8 << MODES.iter().position(|known| known == mode).unwrap();
    sets.sort_by_key(|set| (set.len(), set.iter().map(|mode| u32::from(bit(mode))).sum::<u32>()));
    for modes in sets {
        if !claim.access_modes.iter().all(|wanted| modes.iter().any(|mode| **mode == **wanted)) {
            continue;
        }
        let mut smallest: Option<&PersistentVolume> = None;
        let mut kept = None;
        for volume in volumes.iter().filter(|volume| set(volume) == modes) {
            let mine = volume.claim.as_ref().is_some_and(|reference| {
                reference.name == claim.name
                    && (reference.uid.is_empty() || reference.uid == claim.uid)
            });
            if volume.claim.is_some() && !mine {
                continue;
            }
            if volume.capacity < claim.request.unwrap_or_default()
                || volume.is_block != claim.is_block
                || volume.attributes_class != claim.attributes_class
                || volume.is_deleted
            {
                continue;
            }
            if mine {
                kept = kept.or(Some(volume));
                continue;
            }
            if delays
                || volume.phase != VolumePhase::Available
                || !claim.selector.as_ref().is_none_or(|s| s.matches(&volume.labels))
                || volume.class != claim.class
            {
                continue;
            }
            if smallest.is_none_or(|best| best.capacity > volume.capacity) {
                smallest = Some(volume);
            }
        }
        if let Some(found) = kept.or(smallest) {
            return Some(found.name.clone());
        }
    }
    None
}

fn some_modes(bits: u8) -> Vec<Text> {
    let all = MODES.iter().enumerate();
    all.filter(|(i, _)| bits & 1 << i != 0).map(|(_, mode)| (*mode).into()).collect()
}

/// A volume by the numbers that were drawn for it.
fn volume(
    i: usize,
    (size, modes, class, keeps, phase, odd): (i64, u8, u8, u8, u8, u8),
) -> PersistentVolume {
    let claim = |name: &str, uid: &str| {
        Some(ClaimReference { name: ObjectName::new("default", name), uid: uid.into() })
    };
    PersistentVolume {
        name: format!("pv-{i:02}").into(),
        labels: Labels::from([("tier", if odd & 1 == 0 { "fast" } else { "slow" })]),
        class: format!("c{class}").into(),
        spec_class: format!("c{class}").into(),
        capacity: Quantity::of(size),
        access_modes: some_modes(modes),
        is_block: odd & 2 != 0 && odd & 8 != 0,
        attributes_class: Text::default(),
        claim: match keeps {
            0 => claim("data", ""),
            1 => claim("data", "u1"),
            2 => claim("data", "u0"),
            3 => claim("other", ""),
            _ => None,
        },
        is_bound_by_controller: false,
        phase: if phase == 0 { VolumePhase::Released } else { VolumePhase::Available },
        is_deleted: odd & 4 != 0 && odd & 8 != 0,
        reclaim: ReclaimPolicy::Retain,
        provisioner: Text::default(),
        created: SimTime::ZERO,
        deletion: None,
        node_affinity: None,
        csi: None,
        migrated: None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 600,
        rng_seed: proptest::test_runner::RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]
    #[test]
    fn the_choice_is_that_of_the_definition(
        drawn in prop::collection::vec((0i64..6, 1u8..16, 0u8..2, 0u8..12, 0u8..5, 0u8..16), 0..14),
        (request, modes, class, selects, delays) in (0i64..6, 0u8..16, 0u8..2, any::<bool>(), 0u8..4),
    ) {
        let volumes: Vec<PersistentVolume> =
            drawn.into_iter().enumerate().map(|(i, one)| volume(i, one)).collect();
        let fast = || Selector::from_labels(&Labels::from([("tier", "fast")]));
        let claim = Claim {
            uid: "u1".into(),
            class: format!("c{class}").into(),
            request: Some(Quantity::of(request)),
            access_modes: some_modes(modes & modes >> 1),
            selector: selects.then(fast),
            ..Claim::new(ObjectName::new("default", "data"))
        };
        let mut ids: SlotMap<VolumeId, Arc<PersistentVolume>> = SlotMap::with_key();
        for volume in &volumes {
            ids.insert(Arc::new(volume.clone()));
        }
        let found = best_match(&claim, ids.iter(), delays == 0);
        let found = found.map(|id| ids[id].name.clone());
        prop_assert_eq!(found, naive(&claim, &volumes, delays == 0));
        let names: BTreeSet<&Text> = volumes.iter().map(|volume| &volume.name).collect();
        prop_assert_eq!(names.len(), volumes.len());
    }
}
