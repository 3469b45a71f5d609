//! Legacy ("in-tree") volumes as the CSI volumes that they have become.
//!
//! Source: csi-translation-lib `translate.go`, `plugins/`, v0.37: as far as the scheduler asks for
//! it, so drivers, volume handles and topology. It knows nothing of pods and nodes.

use crate::api::Text;
use crate::api::labels::{Labels, Operator, Requirement};
use crate::api::node_affinity::NodeSelectorTerm;
use crate::api::storage::{CsiVolume, MigratedVolume, TranslatedVolume};
use crate::api::volume::MigratedDisk;
use k8s_openapi::api::core::v1 as k8s;
use std::collections::BTreeSet;

const ZONE: &str = "topology.kubernetes.io/zone";
const REGION: &str = "topology.kubernetes.io/region";
const BETA_ZONE: &str = "failure-domain.beta.kubernetes.io/zone";
const BETA_REGION: &str = "failure-domain.beta.kubernetes.io/region";
/// Separates the zones of a volume's label.
const ZONE_DELIMITER: &str = "__";

/// A kind of legacy volume.
struct Plugin {
    name: &'static str,
    driver: &'static str,
    /// The driver's key for zones, where zones are translated.
    zone_key: Option<&'static str>,
}

const GCE_PD: Plugin = Plugin {
    name: "kubernetes.io/gce-pd",
    driver: "pd.csi.storage.gke.io",
    zone_key: Some("topology.gke.io/zone"),
};
const AWS_EBS: Plugin = Plugin {
    name: "kubernetes.io/aws-ebs",
    driver: "ebs.csi.aws.com",
    zone_key: Some("topology.ebs.csi.aws.com/zone"),
};
const CINDER: Plugin = Plugin {
    name: "kubernetes.io/cinder",
    driver: "cinder.csi.openstack.org",
    zone_key: Some("topology.cinder.csi.openstack.org/zone"),
};
const AZURE_DISK: Plugin =
    Plugin { name: "kubernetes.io/azure-disk", driver: "disk.csi.azure.com", zone_key: None };
const PORTWORX: Plugin =
    Plugin { name: "kubernetes.io/portworx-volume", driver: "pxd.portworx.com", zone_key: None };
const AZURE_FILE: Plugin =
    Plugin { name: "kubernetes.io/azure-file", driver: "file.csi.azure.com", zone_key: None };
const VSPHERE: Plugin = Plugin {
    name: "kubernetes.io/vsphere-volume",
    driver: "csi.vsphere.vmware.com",
    zone_key: None,
};

/// The CSI driver that provisions for the legacy plugin of this name
/// (`IsMigratableIntreePluginByName`, `GetCSINameFromInTreeName`); `Some(None)`: there is one, but
/// the scheduler does not take that plugin for migrated.
pub(super) fn driver_of_provisioner(name: &str) -> Option<Option<&'static str>> {
    let heeded = [GCE_PD, AWS_EBS, CINDER, AZURE_DISK, PORTWORX];
    if let Some(plugin) = heeded.iter().find(|p| p.name == name) {
        return Some(Some(plugin.driver));
    }
    [AZURE_FILE, VSPHERE].iter().any(|p| p.name == name).then_some(None)
}

/// A disk that a pod names itself (`TranslateInTreeInlineVolumeToCSI`).
pub(super) fn disk(given: &k8s::Volume) -> Option<MigratedDisk> {
    let of = |plugin: Plugin, handle: Result<String, String>, is_counted| MigratedDisk {
        driver: plugin.driver.into(),
        handle: handle.map(Text::from).map_err(Text::from),
        is_counted,
    };
    if let Some(disk) = &given.gce_persistent_disk {
        return Some(of(GCE_PD, Ok(gce_zonal("UNSPECIFIED", &disk.pd_name)), true));
    }
    if let Some(disk) = &given.aws_elastic_block_store {
        return Some(of(AWS_EBS, ebs_volume(&disk.volume_id), true));
    }
    if let Some(disk) = &given.cinder {
        return Some(of(CINDER, Ok(disk.volume_id.clone()), true));
    }
    if let Some(disk) = &given.azure_disk {
        return Some(of(AZURE_DISK, azure_disk(disk), true));
    }
    if let Some(disk) = &given.portworx_volume {
        return Some(of(PORTWORX, Ok(disk.volume_id.clone()), true));
    }
    if let Some(share) = &given.azure_file {
        return Some(of(AZURE_FILE, Ok(share.share_name.clone()), false));
    }
    let disk = given.vsphere_volume.as_ref()?;
    Some(of(VSPHERE, Ok(disk.volume_path.clone()), false))
}

/// A legacy PersistentVolume of a kind that the scheduler takes for migrated
/// (`TranslateInTreePVToCSI`).
pub(super) fn volume(
    given: &k8s::PersistentVolumeSpec,
    labels: &Labels,
    node_affinity: Option<&Vec<NodeSelectorTerm>>,
) -> Option<MigratedVolume> {
    let (plugin, handle) = if let Some(disk) = &given.gce_persistent_disk {
        (GCE_PD, gce_volume(&disk.pd_name, labels))
    } else if let Some(disk) = &given.aws_elastic_block_store {
        (AWS_EBS, ebs_volume(&disk.volume_id))
    } else if let Some(disk) = &given.cinder {
        (CINDER, Ok(disk.volume_id.clone()))
    } else if let Some(disk) = &given.azure_disk {
        (AZURE_DISK, azure_disk(disk))
    } else if let Some(disk) = &given.portworx_volume {
        (PORTWORX, Ok(disk.volume_id.clone()))
    } else {
        return None;
    };
    let translated = handle.map_err(Text::from).map(|handle| TranslatedVolume {
        csi: CsiVolume { driver: plugin.driver.into(), handle: handle.into() },
        node_affinity: match plugin.zone_key {
            Some(key) => translate_topology(node_affinity.cloned(), labels, key),
            None => node_affinity.cloned(),
        },
    });
    Some(MigratedVolume { plugin: plugin.name.into(), translated })
}

fn gce_zonal(zone: &str, disk: &str) -> String {
    format!("projects/UNSPECIFIED/zones/{zone}/disks/{disk}")
}

/// A volume's handle tells its zone, or its region when it lies in several zones.
fn gce_volume(disk: &str, labels: &Labels) -> Result<String, String> {
    let label = |key: &str| labels.get(key).map(|v| &**v).filter(|v| !v.is_empty());
    let Some(zones) = label(BETA_ZONE).or_else(|| label(ZONE)) else {
        return Ok(gce_zonal("UNSPECIFIED", disk));
    };
    let zones: Vec<&str> = zones.split(ZONE_DELIMITER).collect();
    if let [zone] = zones[..] {
        return Ok(gce_zonal(zone, disk));
    }
    let mut regions = BTreeSet::new();
    for zone in zones {
        let parts: Vec<&str> = zone.split('-').collect();
        let [locale, region, _] = parts[..] else {
            return Err(format!(
                "failed to get region from zones: zone in unexpected format, expected: \
                 {{locale}}-{{region}}-{{zone}}, got: {zone}"
            ));
        };
        regions.insert(format!("{locale}-{region}"));
    }
    match (regions.pop_first(), regions.is_empty()) {
        (Some(region), true) => Ok(format!("projects/UNSPECIFIED/regions/{region}/disks/{disk}")),
        (first, _) => {
            // As Go prints a set.
            let all: Vec<String> =
                first.iter().chain(&regions).map(|region| format!("{region}:{{}}")).collect();
            let all = all.join(" ");
            Err(format!(
                "failed to get region from zones: multiple or no regions gotten from zones, got: \
                 map[{all}]"
            ))
        }
    }
}

/// `aws://<zone>/vol-123` or `vol-123` (`KubernetesVolumeIDToEBSVolumeID`).
fn ebs_volume(given: &str) -> Result<String, String> {
    let Some(rest) = given.strip_prefix("aws://") else { return Ok(given.to_owned()) };
    let id = rest.find('/').map_or("", |at| rest[at..].trim_matches('/'));
    if !id.starts_with("vol-") || id.contains('/') {
        return Err(format!(
            "failed to translate Kubernetes ID to EBS Volume ID Invalid format for AWS volume ({given})"
        ));
    }
    Ok(id.to_owned())
}

/// Only managed disks have become CSI volumes; the API server's default kind is `Shared`.
fn azure_disk(given: &k8s::AzureDiskVolumeSource) -> Result<String, String> {
    let kind = given.kind.as_deref().unwrap_or("Shared");
    if !kind.eq_ignore_ascii_case("Managed") {
        return Err(format!("kind({kind}) is not supported in csi migration"));
    }
    Ok(given.disk_uri.clone())
}

/// `translateTopologyFromInTreeToCSI`: zones by the driver's key, beta regions by the present one.
fn translate_topology(
    terms: Option<Vec<NodeSelectorTerm>>,
    labels: &Labels,
    zone_key: &str,
) -> Option<Vec<NodeSelectorTerm>> {
    let was_given = terms.is_some();
    let mut terms = terms.unwrap_or_default();
    let given = terms.clone();
    let mentions = |key: &str| requirements(&given).any(|r| &*r.key == key);
    let is_beta = !mentions(ZONE)
        && (mentions(BETA_ZONE) || (labels.get(ZONE).is_none() && labels.get(BETA_ZONE).is_some()));
    let (zone, region) = if is_beta { (BETA_ZONE, BETA_REGION) } else { (ZONE, REGION) };
    let has_values =
        |key: &str| requirements(&given).any(|r| &*r.key == key && !r.values.is_empty());
    if has_values(zone) {
        rename(&mut terms, zone, zone_key);
    } else if let Some(label) = labels.get(zone) {
        let zones = label.split(ZONE_DELIMITER).map(str::trim).filter(|z| !z.is_empty());
        let zones: BTreeSet<Text> = zones.map(Text::from).collect();
        if !zones.is_empty() {
            if terms.is_empty() {
                terms.push(NodeSelectorTerm::default());
            }
            let values: Vec<Text> = zones.into_iter().collect();
            for term in &mut terms {
                term.match_expressions.push(Requirement {
                    key: zone_key.into(),
                    operator: Operator::In,
                    values: values.clone(),
                });
            }
        }
    }
    if is_beta && has_values(BETA_REGION) {
        rename(&mut terms, region, REGION);
    }
    (was_given || !terms.is_empty()).then_some(terms)
}

fn requirements(terms: &[NodeSelectorTerm]) -> impl Iterator<Item = &Requirement> {
    terms.iter().flat_map(|term| &term.match_expressions)
}

fn rename(terms: &mut [NodeSelectorTerm], from: &str, to: &str) {
    let expressions = terms.iter_mut().flat_map(|term| &mut term.match_expressions);
    for expression in expressions.filter(|e| &*e.key == from) {
        expression.key = to.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn translated(labels: Labels, spec: serde_json::Value) -> Result<TranslatedVolume, Text> {
        let spec: k8s::PersistentVolumeSpec = serde_json::from_value(spec).unwrap();
        volume(&spec, &labels, None).unwrap().translated
    }

    #[test]
    fn handles_are_translated_as_upstream() {
        let none = Labels::default();
        let zone = |zones: &str| Labels::from([(ZONE, zones)]);
        let gce = || json!({"gcePersistentDisk": {"pdName": "d"}});
        let ebs = |id: &str| json!({"awsElasticBlockStore": {"volumeID": id}});
        let rows = [
            ("a bare EBS volume", none.clone(), ebs("vol-1"), Ok("vol-1")),
            ("an EBS volume with its zone", none.clone(), ebs("aws://z/vol-1"), Ok("vol-1")),
            ("an EBS volume without", none.clone(), ebs("aws:///vol-1"), Ok("vol-1")),
            (
                "no EBS volume",
                none.clone(),
                ebs("aws://z/disk"),
                Err(
                    "failed to translate Kubernetes ID to EBS Volume ID Invalid format for AWS volume (aws://z/disk)",
                ),
            ),
            (
                "a GCE disk somewhere",
                none.clone(),
                gce(),
                Ok("projects/UNSPECIFIED/zones/UNSPECIFIED/disks/d"),
            ),
            (
                "a GCE disk in a zone",
                zone("us-east1-b"),
                gce(),
                Ok("projects/UNSPECIFIED/zones/us-east1-b/disks/d"),
            ),
            (
                "a GCE disk in two zones",
                zone("us-east1-b__us-east1-c"),
                gce(),
                Ok("projects/UNSPECIFIED/regions/us-east1/disks/d"),
            ),
            (
                "an Azure disk is shared by default",
                none,
                json!({"azureDisk": {"diskName": "d", "diskURI": "u"}}),
                Err("kind(Shared) is not supported in csi migration"),
            ),
        ];
        for (sentence, labels, spec, expected) in rows {
            let handle = translated(labels, spec).map(|t| t.csi.handle);
            assert_eq!(handle.as_deref().map_err(|e| &**e), expected, "{sentence}");
        }
    }

    #[test]
    fn zones_are_translated_to_the_drivers_key() {
        let spec = json!({"awsElasticBlockStore": {"volumeID": "vol-1"}});
        let found = translated(Labels::from([(BETA_ZONE, "a__b")]), spec).unwrap();
        let in_zone = |z: &str| Labels::from([("topology.ebs.csi.aws.com/zone", z)]);
        assert!(found.reaches(&in_zone("b")) && !found.reaches(&in_zone("c")));

        let of = |key: &str| NodeSelectorTerm {
            match_expressions: vec![Requirement {
                key: key.into(),
                operator: Operator::In,
                values: vec!["a".into()],
            }],
            ..NodeSelectorTerm::default()
        };
        let key = "topology.ebs.csi.aws.com/zone";
        let rows = [
            ("the zone", vec![of(ZONE)], vec![of(key)]),
            ("the beta zone", vec![of(BETA_ZONE)], vec![of(key)]),
            (
                "a beta region beside a beta zone",
                vec![of(BETA_ZONE), of(BETA_REGION)],
                vec![of(key), of(REGION)],
            ),
            ("a beta region alone stays", vec![of(BETA_REGION)], vec![of(BETA_REGION)]),
            ("anything else stays", vec![of("rack")], vec![of("rack")]),
        ];
        for (sentence, given, expected) in rows {
            let found = translate_topology(Some(given), &Labels::default(), key);
            assert_eq!(found, Some(expected), "{sentence}");
        }
        assert_eq!(translate_topology(None, &Labels::default(), key), None, "no topology at all");
    }
}
