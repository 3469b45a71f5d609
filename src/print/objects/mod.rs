//! Objects of the store in the form that the Kubernetes API has: one file per kind.
//!
//! They say what the simulation knows; a field that is not simulated is not there.

mod cluster;
mod config;
mod daemon_set;
mod deployment;
pub(super) mod event;
mod hpa;
mod ingress;
mod job;
mod meta;
mod node;
mod pdb;
mod pod;
mod pod_spec;
pub(super) mod quantity;
mod quota;
mod replica_set;
mod service;
mod stateful_set;
mod storage;
mod vpa;

use super::Snapshot;
use super::chronicle::Key;
use crate::api::owner::Owner;
use serde_json::Value;

/// All objects of a kind, by namespace and name, as the API server lists them.
pub(super) fn list(snapshot: &Snapshot, kind: &str) -> Vec<Value> {
    let store = snapshot.store;
    let mut found: Vec<Value> = match kind {
        "Pod" => store.pods().map(|(id, p)| pod::pod(snapshot, id, p)).collect(),
        "Node" => store.nodes().map(|(id, n)| node::node(snapshot, id, n)).collect(),
        "Deployment" => {
            store.deployments().map(|(id, d)| deployment::deployment(snapshot, id, d)).collect()
        }
        "CronJob" => store.cron_jobs().map(|(id, j)| job::cron_job(snapshot, id, j)).collect(),
        "Service" => store.services().map(|(id, s)| service::service(snapshot, id, s)).collect(),
        "Ingress" => store.ingresses().map(|(id, i)| ingress::ingress(snapshot, id, i)).collect(),
        "Endpoints" => {
            store.services().map(|(id, s)| service::endpoints(snapshot, id, s)).collect()
        }
        "EndpointSlice" => {
            store.services().flat_map(|(id, s)| service::slices(snapshot, id, s)).collect()
        }
        "HorizontalPodAutoscaler" => {
            store.hpas().map(|(id, h)| hpa::hpa(snapshot, id, h)).collect()
        }
        "VerticalPodAutoscaler" => {
            store.vpas().map(|(id, found)| vpa::vpa(snapshot, id, found)).collect()
        }
        "ResourceQuota" => store.quotas().map(|(id, q)| quota::quota(snapshot, id, q)).collect(),
        "LimitRange" => {
            store.limit_ranges().map(|(id, l)| quota::limit_range(snapshot, id, l)).collect()
        }
        "PodDisruptionBudget" => store.pdbs().map(|(id, p)| pdb::pdb(snapshot, id, p)).collect(),
        "ConfigMap" | "Secret" => config::configs(snapshot, kind),
        "Event" => event::events(snapshot),
        "Namespace" => cluster::namespaces(snapshot),
        "ComponentStatus" => cluster::component_statuses(snapshot),
        "PersistentVolumeClaim" => storage::claims(snapshot),
        "PersistentVolume" => {
            store.volumes().map(|(id, v)| storage::volume(snapshot, id, v)).collect()
        }
        "VolumeAttachment" => {
            let all = store.attachments();
            all.map(|(id, a)| storage::attachment(snapshot, id, &a.object)).collect()
        }
        "StorageClass" => store.classes().map(|class| storage::class(class)).collect(),
        "CSINode" => store.csi_nodes().map(|node| storage::csi_node(snapshot, node)).collect(),
        "CSIDriver" => store.csi_drivers().map(|driver| storage::csi_driver(driver)).collect(),
        "CSIStorageCapacity" => store.capacities().map(|c| storage::capacity(c)).collect(),
        kind => {
            let owners = store.owners().filter(|(_, owner)| owner.kind() == kind);
            owners.filter_map(|(id, _)| object(snapshot, Key::Owner(id))).collect()
        }
    };
    found.sort_by_cached_key(|object| {
        let word = |field: &str| object["metadata"][field].as_str().unwrap_or("").to_owned();
        (word("namespace"), word("name"))
    });
    found
}

/// One object of the store; `None`: it is gone.
pub(super) fn object(snapshot: &Snapshot, key: Key) -> Option<Value> {
    let store = snapshot.store;
    Some(match key {
        Key::Pod(id) => pod::pod(snapshot, id, store.pod(id)?),
        Key::Node(id) => node::node(snapshot, id, store.node(id)?),
        Key::Deployment(id) => deployment::deployment(snapshot, id, store.deployment(id)?),
        Key::CronJob(id) => job::cron_job(snapshot, id, store.cron_job(id)?),
        Key::Service(id) => service::service(snapshot, id, store.service(id)?),
        Key::Ingress(id) => ingress::ingress(snapshot, id, store.ingress(id)?),
        Key::Hpa(id) => hpa::hpa(snapshot, id, store.hpa(id)?),
        Key::Vpa(id) => vpa::vpa(snapshot, id, store.vpa(id)?),
        Key::Pdb(id) => pdb::pdb(snapshot, id, store.pdb(id)?),
        Key::Claim(id) => storage::claim(snapshot, id, store.claim(id)?.object.as_ref()?),
        Key::Volume(id) => storage::volume(snapshot, id, store.volume(id)?),
        Key::Attachment(id) => storage::attachment(snapshot, id, &store.attachment(id)?.object),
        Key::Quota(id) => quota::quota(snapshot, id, store.quota(id)?),
        Key::LimitRange(id) => {
            let (_, range) = store.limit_ranges().find(|(known, _)| *known == id)?;
            quota::limit_range(snapshot, id, range)
        }
        Key::Owner(id) => match store.owner(id)? {
            Owner::ReplicaSet(set) => replica_set::replica_set(snapshot, id, set),
            Owner::StatefulSet(set) => stateful_set::stateful_set(snapshot, id, set),
            Owner::DaemonSet(set) => daemon_set::daemon_set(snapshot, id, set),
            Owner::Job(job) => job::job(snapshot, id, job),
        },
    })
}
