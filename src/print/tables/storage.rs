//! The tables of volumes, claims, storage classes and what CSI drivers tell.

use super::{Table, name};
use crate::print::read::{age, items, text};
use serde_json::Value;

/// Access modes for short (`GetAccessModesAsString`).
pub(in crate::print) fn access_modes(object: &Value, path: &str) -> String {
    const SHORT: [(&str, &str); 4] = [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ];
    let modes = items(object, path);
    let has = |mode: &str| modes.iter().any(|m| m == mode);
    let short = SHORT.iter().filter(|(mode, _)| has(mode)).map(|(_, short)| *short);
    short.collect::<Vec<_>>().join(",")
}

/// The text at a path, or `<unset>`.
fn or_unset(object: &Value, path: &str) -> String {
    match text(object, path) {
        "" => "<unset>".to_owned(),
        text => text.to_owned(),
    }
}

/// `status.phase`, or that it is being deleted.
fn phase(object: &Value) -> String {
    match text(object, "/metadata/deletionTimestamp") {
        "" => text(object, "/status/phase").to_owned(),
        _ => "Terminating".to_owned(),
    }
}

fn truth(object: &Value, path: &str) -> String {
    object.pointer(path).and_then(Value::as_bool).unwrap_or(false).to_string()
}

pub(super) const VOLUME: Table = Table {
    columns: &[
        ("NAME", false),
        ("CAPACITY", false),
        ("ACCESS MODES", false),
        ("RECLAIM POLICY", false),
        ("STATUS", false),
        ("CLAIM", false),
        ("STORAGECLASS", false),
        ("VOLUMEATTRIBUTESCLASS", false),
        ("REASON", false),
        ("AGE", false),
        ("VOLUMEMODE", true),
    ],
    cells: |volume, now| {
        let claim = match volume.pointer("/spec/claimRef") {
            Some(claim) => format!("{}/{}", text(claim, "/namespace"), text(claim, "/name")),
            None => String::new(),
        };
        vec![
            name(volume),
            text(volume, "/spec/capacity/storage").to_owned(),
            access_modes(volume, "/spec/accessModes"),
            text(volume, "/spec/persistentVolumeReclaimPolicy").to_owned(),
            phase(volume),
            claim,
            text(volume, "/spec/storageClassName").to_owned(),
            or_unset(volume, "/spec/volumeAttributesClassName"),
            text(volume, "/status/reason").to_owned(),
            age(volume, now),
            or_unset(volume, "/spec/volumeMode"),
        ]
    },
};

pub(super) const CLAIM: Table = Table {
    columns: &[
        ("NAME", false),
        ("STATUS", false),
        ("VOLUME", false),
        ("CAPACITY", false),
        ("ACCESS MODES", false),
        ("STORAGECLASS", false),
        ("VOLUMEATTRIBUTESCLASS", false),
        ("AGE", false),
        ("VOLUMEMODE", true),
    ],
    cells: |claim, now| {
        let volume = text(claim, "/spec/volumeName").to_owned();
        // What it has is told once it has a volume.
        let (capacity, modes) = match volume.is_empty() {
            true => (String::new(), String::new()),
            false => (
                text(claim, "/status/capacity/storage").to_owned(),
                access_modes(claim, "/status/accessModes"),
            ),
        };
        vec![
            name(claim),
            phase(claim),
            volume,
            capacity,
            modes,
            text(claim, "/spec/storageClassName").to_owned(),
            or_unset(claim, "/spec/volumeAttributesClassName"),
            age(claim, now),
            or_unset(claim, "/spec/volumeMode"),
        ]
    },
};

pub(super) const CLASS: Table = Table {
    columns: &[
        ("NAME", false),
        ("PROVISIONER", false),
        ("RECLAIMPOLICY", false),
        ("VOLUMEBINDINGMODE", false),
        ("ALLOWVOLUMEEXPANSION", false),
        ("AGE", false),
    ],
    cells: |class, now| {
        let annotations = &class["metadata"]["annotations"];
        let is_default = annotations["storageclass.kubernetes.io/is-default-class"] == "true";
        vec![
            name(class) + if is_default { " (default)" } else { "" },
            text(class, "/provisioner").to_owned(),
            text(class, "/reclaimPolicy").to_owned(),
            text(class, "/volumeBindingMode").to_owned(),
            truth(class, "/allowVolumeExpansion"),
            age(class, now),
        ]
    },
};

pub(super) const ATTACHMENT: Table = Table {
    columns: &[
        ("NAME", false),
        ("ATTACHER", false),
        ("PV", false),
        ("NODE", false),
        ("ATTACHED", false),
        ("AGE", false),
    ],
    cells: |attachment, now| {
        vec![
            name(attachment),
            text(attachment, "/spec/attacher").to_owned(),
            text(attachment, "/spec/source/persistentVolumeName").to_owned(),
            text(attachment, "/spec/nodeName").to_owned(),
            truth(attachment, "/status/attached"),
            age(attachment, now),
        ]
    },
};

pub(super) const CSI_NODE: Table = Table {
    columns: &[("NAME", false), ("DRIVERS", false), ("AGE", false)],
    cells: |node, now| {
        let drivers = items(node, "/spec/drivers").len().to_string();
        vec![name(node), drivers, age(node, now)]
    },
};

pub(super) const CSI_DRIVER: Table = Table {
    columns: &[
        ("NAME", false),
        ("ATTACHREQUIRED", false),
        ("PODINFOONMOUNT", false),
        ("STORAGECAPACITY", false),
        ("TOKENREQUESTS", false),
        ("REQUIRESREPUBLISH", false),
        ("MODES", false),
        ("AGE", false),
    ],
    cells: |driver, now| {
        vec![
            name(driver),
            truth(driver, "/spec/attachRequired"),
            truth(driver, "/spec/podInfoOnMount"),
            truth(driver, "/spec/storageCapacity"),
            "<unset>".to_owned(),
            truth(driver, "/spec/requiresRepublish"),
            "Persistent".to_owned(),
            age(driver, now),
        ]
    },
};

pub(super) const CAPACITY: Table = Table {
    columns: &[("NAME", false), ("STORAGECLASSNAME", false), ("CAPACITY", false)],
    cells: |capacity, _| {
        vec![
            name(capacity),
            text(capacity, "/storageClassName").to_owned(),
            text(capacity, "/capacity").to_owned(),
        ]
    },
};
