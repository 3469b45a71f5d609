//! What is told when the API server refuses a pod that its owner asks for.
//!
//! Source: kubernetes `pkg/controller/controller_utils.go` (`RealPodControl.createPods`),
//! `pkg/controller/statefulset/stateful_pod_control.go` (`recordPodEvent`), v1.37.

use super::action::{About, Action};
use crate::api::OwnerId;
use crate::api::event::EventType::Warning;
use crate::api::owner::Owner;
use crate::api::refusal::Refusal;

/// The owner's Event.
pub fn event(id: OwnerId, owner: &Owner, pod: &str, refusal: &Refusal) -> Action {
    let why = &refusal.message;
    let message = match owner {
        Owner::StatefulSet(set) => {
            format!("create Pod {pod} in StatefulSet {} failed error: {why}", set.meta.name)
        }
        _ => format!("Error creating: {why}"),
    };
    Action::Event { kind: Warning, reason: "FailedCreate", about: About::Owner(id), message }
}
