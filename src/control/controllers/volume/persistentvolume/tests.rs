//! One sync of a claim, and of a volume, for each state in which they may be found.

use super::*;
use crate::control::controllers::volume::sync_volume;
use crate::control::controllers::volume::testing::*;
use serde_json::{Value, json};

/// A cluster, its claim if any, and its volume.
type Given = (Value, Vec<(&'static str, Value)>, Vec<(&'static str, Value)>);

fn words_of_claim((claim, classes, volumes): Given) -> Vec<String> {
    let mut bench = bench();
    for (name, given) in classes {
        add_class(&mut bench.store, name, given);
    }
    for (name, given) in volumes {
        add_volume(&mut bench.store, name, given);
    }
    let claim = add_claim(&mut bench.store, claim);
    words(&sync_claim(claim, &bench.store), &bench.store)
}

const EXTERNAL: &str = "ExternalProvisioning: Waiting for a volume to be created either by the \
                        external provisioner 'disk.example' or manually by the system \
                        administrator. If volume creation is delayed, please verify that the \
                        provisioner is running and correctly registered.";

#[test]
fn claims_find_volumes_or_have_them_made() {
    let class = || vec![("disk", json!({}))];
    let late = || vec![("disk", json!({"volumeBindingMode": "WaitForFirstConsumer"}))];
    let bound = json!({"spec": {"claimRef": {"namespace": "default", "name": "data", "uid": "u1"}},
        "status": {"phase": "Bound"}});
    let selected =
        json!({"metadata": {"annotations": {"volume.kubernetes.io/selected-node": "n1"}}});
    let rows: Vec<(&str, Given, Vec<&str>)> = vec![
        (
            "a volume that is there is bound, from both sides",
            (json!({}), class(), vec![("a", json!({}))]),
            vec!["claim a", "a Bound", "bind a", "bound a"],
        ),
        (
            "one that a provisioner has made for it needs less",
            (json!({}), class(), vec![("a", bound.clone())]),
            vec!["bind a", "bound a"],
        ),
        (
            "without one the provisioner of its class is asked",
            (json!({}), class(), vec![]),
            vec!["ask disk.example", EXTERNAL],
        ),
        (
            "which is asked once",
            (
                json!({"metadata": {"annotations":
                    {"volume.kubernetes.io/storage-provisioner": "disk.example"}}}),
                class(),
                vec![],
            ),
            vec![EXTERNAL],
        ),
        (
            "unless the claim waits for its first consumer",
            (json!({}), late(), vec![]),
            vec!["WaitForFirstConsumer: waiting for first consumer to be created before binding"],
        ),
        (
            "for whom the scheduler then chooses, also among volumes that are there",
            (json!({}), late(), vec![("a", json!({}))]),
            vec!["WaitForFirstConsumer: waiting for first consumer to be created before binding"],
        ),
        (
            "once it has chosen a node, the provisioner is asked",
            (selected, late(), vec![]),
            vec!["ask disk.example", EXTERNAL],
        ),
        (
            "a legacy provisioner's successor is asked",
            (json!({}), vec![("disk", json!({"provisioner": "kubernetes.io/gce-pd"}))], vec![]),
            vec!["ask pd.csi.storage.gke.io"],
        ),
        (
            "nobody makes volumes of a class without a provisioner",
            (
                json!({}),
                vec![("disk", json!({"provisioner": "kubernetes.io/no-provisioner"}))],
                vec![],
            ),
            vec![
                "!ProvisioningFailed: no volume plugin matched name: kubernetes.io/no-provisioner",
            ],
        ),
        (
            "nor of one that is not there",
            (json!({}), vec![], vec![]),
            vec!["!ProvisioningFailed: storageclass.storage.k8s.io \"disk\" not found"],
        ),
        (
            "a claim without a class finds nothing and says so",
            (json!({"spec": {"storageClassName": ""}}), class(), vec![]),
            vec![
                "FailedBinding: no persistent volumes available for this claim and no storage \
                 class is set",
            ],
        ),
        (
            "one that names none gets the default class, even later",
            (
                json!({"spec": {"storageClassName": null}}),
                vec![(
                    "std",
                    json!({"metadata": {"annotations":
                        {"storageclass.kubernetes.io/is-default-class": "true"}}}),
                )],
                vec![],
            ),
            vec!["class std"],
        ),
        (
            "a claim that names its volume gets it",
            (json!({"spec": {"volumeName": "a"}}), class(), vec![("a", json!({}))]),
            vec!["claim a", "a Bound", "bind a", "bound a"],
        ),
        (
            "waits for it if it is not there",
            (json!({"spec": {"volumeName": "b"}}), class(), vec![("a", json!({}))]),
            vec![],
        ),
        (
            "and is told if it is none for it",
            (
                json!({"spec": {"volumeName": "a", "resources": {"requests": {"storage": "1Ti"}}}}),
                class(),
                vec![("a", json!({}))],
            ),
            vec![
                "!VolumeMismatch: Cannot bind to requested volume \"a\": requested PV is too small",
            ],
        ),
        (
            "or another's",
            (
                json!({"spec": {"volumeName": "a"}}),
                class(),
                vec![(
                    "a",
                    json!({"spec": {"claimRef":
                    {"namespace": "default", "name": "other", "uid": "u9"}}}),
                )],
            ),
            vec!["!FailedBinding: volume \"a\" already bound to a different claim."],
        ),
    ];
    for (sentence, given, expected) in rows {
        let found = words_of_claim(given);
        let same = found.len() >= expected.len()
            && found.iter().zip(&expected).all(|(found, expected)| found == expected);
        // Of the last row but one the Event names another provisioner.
        assert!(same, "{sentence}: {found:?}");
        assert!(
            found.len() - expected.len() <= usize::from(expected == ["ask pd.csi.storage.gke.io"])
        );
    }
}

#[test]
fn a_bound_claim_stays_so_or_is_lost() {
    let claim = |volume: &str| {
        json!({"metadata": {"annotations": {"pv.kubernetes.io/bind-completed": "yes"}},
            "spec": {"volumeName": volume}, "status": {"capacity": {"storage": "10Gi"}}})
    };
    let of = |uid: &str| {
        json!({"spec": {"claimRef": {"namespace": "default", "name": "data", "uid": uid}},
            "status": {"phase": "Bound"}})
    };
    let rows = [
        ("all is well", vec![("a", of("u1"))], vec![]),
        (
            "its volume is gone",
            vec![],
            vec![
                "lose",
                "!ClaimLost: Bound claim has lost its PersistentVolume. Data on the volume is lost!",
            ],
        ),
        (
            "its volume has another claim",
            vec![("a", of("u2"))],
            vec![
                "lose",
                "!ClaimMisbound: Two claims are bound to the same volume, this one is bound \
                 incorrectly",
            ],
        ),
        ("its volume has forgotten it", vec![("a", json!({}))], vec!["claim a", "a Bound"]),
    ];
    for (sentence, volumes, expected) in rows {
        assert_eq!(words_of_claim((claim("a"), vec![], volumes)), expected, "{sentence}");
    }
    let lost = json!({"metadata": {"annotations": {"pv.kubernetes.io/bind-completed": "yes"}},
        "spec": {"volumeName": "a"}, "status": {"phase": "Lost"}});
    assert!(words_of_claim((lost, vec![], vec![])).is_empty(), "it is told once");
}

#[test]
fn volumes_have_the_phase_that_their_claims_give() {
    let kept = |uid: &str, more: Value| {
        let mut given = json!({"spec": {"claimRef":
            {"namespace": "default", "name": "data", "uid": uid}}});
        given["spec"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        given
    };
    let made = |policy: &str, phase: &str| {
        json!({"metadata": {"annotations": {"pv.kubernetes.io/provisioned-by": "disk.example"}},
            "spec": {"persistentVolumeReclaimPolicy": policy,
                "claimRef": {"namespace": "default", "name": "data", "uid": "u0"}},
            "status": {"phase": phase}})
    };
    let bound = json!({"spec": {"volumeName": "a"}});
    let elsewhere = json!({"spec": {"volumeName": "b"}});
    let by_controller = json!({"metadata": {"annotations":
            {"pv.kubernetes.io/bound-by-controller": "yes"}},
        "spec": {"claimRef": {"namespace": "default", "name": "data", "uid": "u1"}}});
    let rows: Vec<(&str, Value, Option<Value>, Vec<&str>)> = vec![
        ("a new one is Available", json!({"status": {"phase": null}}), None, vec!["a Available"]),
        ("one that is kept for a claim to come is, too", kept("", json!({})), None, vec![]),
        ("one that its claim has is Bound", kept("u1", json!({})), Some(bound), vec!["a Bound"]),
        ("one whose claim is not yet bound waits", kept("u1", json!({})), Some(json!({})), vec![]),
        (
            "one whose claim is gone is Released, and retained",
            kept("u0", json!({})),
            None,
            vec!["a Released"],
        ),
        (
            "a claim of the same name is another one",
            kept("u0", json!({})),
            Some(json!({})),
            vec!["a Released"],
        ),
        (
            "one that a provisioner made is released for it to delete",
            made("Delete", "Bound"),
            None,
            vec!["a Released"],
        ),
        ("which is said once", made("Delete", "Released"), None, vec![]),
        (
            "nobody deletes what nobody made",
            kept("u0", json!({"persistentVolumeReclaimPolicy": "Delete"})),
            None,
            vec![
                "a Released",
                "a Failed",
                "!VolumeFailedDelete: error getting deleter volume plugin for volume \"a\": no \
                 deletable volume plugin matched",
            ],
        ),
        (
            "nor empties it",
            kept("u0", json!({"persistentVolumeReclaimPolicy": "Recycle"})),
            None,
            vec![
                "a Released",
                "a Failed",
                "!VolumeFailedRecycle: No recycler plugin found for the volume!",
            ],
        ),
        (
            "one whose claim has another volume is let go, if the controller had chosen it",
            by_controller,
            Some(elsewhere.clone()),
            vec!["unbind a"],
        ),
        ("and stays as a person has kept it", kept("u1", json!({})), Some(elsewhere), vec![]),
    ];
    for (sentence, volume, claim, expected) in rows {
        let mut bench = bench();
        let id = add_volume(&mut bench.store, "a", volume);
        if let Some(claim) = claim {
            add_claim(&mut bench.store, claim);
        }
        assert_eq!(words(&sync_volume(id, &bench.store), &bench.store), expected, "{sentence}");
    }
}
