//! A cluster with volumes for the tests of these controllers, and what they ask for in words.

use super::request::Request;
use crate::api::convert::storage as convert;
use crate::api::stateful_set;
use crate::api::storage::StorageObject;
use crate::api::{ClaimId, Text, VolumeId};
use crate::control::controllers::action::{Action, Outcome};
use crate::control::controllers::testing::Bench;
use crate::store::Store;
use serde_json::{Value, json};
use std::sync::Arc;

/// A store in which volumes are simulated.
pub(super) fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.store.begin_storage();
    bench
}

/// A class `name` with these fields over those of an Immediate one of provisioner `disk.example`.
pub(super) fn add_class(store: &mut Store, name: &str, given: Value) {
    let mut class = json!({"metadata": {"name": name}, "provisioner": "disk.example"});
    merge(&mut class, given);
    let class = serde_json::from_value(class).unwrap();
    let class = convert::storage_class(&class, &mut Vec::new());
    store.put_storage(StorageObject::Class(Arc::new(class)));
}

/// A volume `name` of 10Gi, ReadWriteOnce, Available, of class `disk`, with these fields over that.
pub(super) fn add_volume(store: &mut Store, name: &str, given: Value) -> VolumeId {
    let mut volume = json!({
        "metadata": {"name": name},
        "spec": {"capacity": {"storage": "10Gi"}, "accessModes": ["ReadWriteOnce"],
            "storageClassName": "disk", "csi": {"driver": "disk.example", "volumeHandle": name}},
        "status": {"phase": "Available"}
    });
    merge(&mut volume, given);
    let volume = serde_json::from_value(volume).unwrap();
    let mut errors = Vec::new();
    let volume = convert::volume(&volume, &mut errors);
    assert_eq!(errors, []);
    store.create_volume(volume).unwrap()
}

/// A claim `data` of uid `u1` for 5Gi, ReadWriteOnce, of class `disk`, with these fields over that.
pub(super) fn add_claim(store: &mut Store, given: Value) -> ClaimId {
    let mut claim = json!({
        "metadata": {"name": "data", "uid": "u1"},
        "spec": {"resources": {"requests": {"storage": "5Gi"}}, "accessModes": ["ReadWriteOnce"],
            "storageClassName": "disk"},
    });
    merge(&mut claim, given);
    let claim = serde_json::from_value(claim).unwrap();
    let mut errors = Vec::new();
    let claim = convert::claim(&claim, "default", &mut errors);
    assert_eq!(errors, []);
    store.create_claim(stateful_set::Claim {
        namespace: claim.name.namespace.clone(),
        name: claim.name.name.clone(),
        pod: Text::default(),
        owner: None,
        is_deleted: false,
        object: Some(Arc::new(claim)),
    })
}

/// Lays fields over an object; `null` takes one away.
fn merge(object: &mut Value, over: Value) {
    let Value::Object(fields) = over else {
        *object = over;
        return;
    };
    for (key, value) in fields {
        match value {
            Value::Null => {
                object.as_object_mut().unwrap().remove(&key);
            }
            value => merge(&mut object[&key], value),
        }
    }
}

/// What an outcome asks for and says.
pub(super) fn words(outcome: &Outcome, store: &Store) -> Vec<String> {
    let volume = |id: &VolumeId| store.volume(*id).map_or("?", |volume| &volume.name).to_owned();
    let to = |id| {
        let attachment = &store.attachment(id).unwrap().object;
        format!("{} {}", attachment.volume.as_ref().unwrap(), attachment.node)
    };
    let one = |action: &Action| match action {
        Action::Event { kind, reason, message, .. } => {
            let mark = if *kind == crate::api::event::EventType::Warning { "!" } else { "" };
            format!("{mark}{reason}: {}", message.trim())
        }
        Action::Volume(request) => match &**request {
            Request::ClaimVolume { volume: id, .. } => format!("claim {}", volume(id)),
            Request::UnbindVolume { volume: id } => format!("unbind {}", volume(id)),
            Request::VolumePhase { volume: id, phase } => {
                format!("{} {}", volume(id), phase.as_str())
            }
            Request::BindClaim { volume: id, .. } => format!("bind {}", volume(id)),
            Request::ClaimStatus { volume: id, .. } => format!("bound {}", volume(id)),
            Request::LoseClaim { .. } => "lose".to_owned(),
            Request::SetClass { class, .. } => format!("class {class}"),
            Request::AskProvisioner { provisioner, .. } => format!("ask {provisioner}"),
            Request::Attach { volume: id, node } => format!("attach {} {node}", volume(id)),
            Request::Report { attachment, is_attached: true } => {
                format!("report {}", to(*attachment))
            }
            Request::Report { attachment, .. } => format!("unreport {}", to(*attachment)),
            Request::Detach { attachment } => format!("detach {}", to(*attachment)),
        },
        other => format!("{other:?}"),
    };
    outcome.batches.iter().flatten().map(one).collect()
}
