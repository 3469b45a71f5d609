//! Jobs and CronJobs.

use super::meta::{Meta, marked, object, owned_by, selector};
use super::pod_spec::template;
use crate::api::job::{CronJob, Job};
use crate::api::pod::PodPhase;
use crate::api::{CronJobId, OwnerId};
use crate::print::Snapshot;
use crate::print::chronicle::Key;
use serde_json::{Value, json};
use slotmap::Key as _;

/// A Job.
pub(super) fn job(snapshot: &Snapshot, id: OwnerId, given: &Job) -> Value {
    let (version, _) = marked(snapshot, Key::Owner(id));
    let mut out = object(&Meta {
        kind: "Job",
        namespace: &given.meta.namespace,
        name: &given.meta.name,
        ordinal: id.data().as_ffi(),
        labels: Some(&given.meta.labels),
        generation: given.meta.generation,
        created: given.meta.created,
        version,
    });
    let owner = given.owner.and_then(|id| Some((id, snapshot.store.cron_job(id)?)));
    if let Some((id, owner)) = owner {
        let reference = owned_by("CronJob", &owner.meta.name, id.data().as_ffi());
        out["metadata"]["ownerReferences"] = reference;
    }
    out["spec"] = json!({
        "selector": selector(&given.selector),
        "template": template(&given.template),
    });
    // Counted from the pods that are there.
    let pods = snapshot.store.pods_of(id).iter().filter_map(|id| snapshot.store.pod(*id));
    let mut status = json!({});
    for pod in pods {
        let field = match pod.phase {
            PodPhase::Succeeded => "succeeded",
            PodPhase::Failed => "failed",
            PodPhase::Pending | PodPhase::Running => "active",
        };
        status[field] = (status[field].as_u64().unwrap_or(0) + 1).into();
    }
    out["status"] = status;
    out
}

/// A CronJob.
pub(super) fn cron_job(snapshot: &Snapshot, id: CronJobId, given: &CronJob) -> Value {
    let (version, _) = marked(snapshot, Key::CronJob(id));
    let mut out = object(&Meta {
        kind: "CronJob",
        namespace: &given.meta.namespace,
        name: &given.meta.name,
        ordinal: id.data().as_ffi(),
        labels: Some(&given.meta.labels),
        generation: given.meta.generation,
        created: given.meta.created,
        version,
    });
    let jobs = snapshot.store.jobs_of(id).iter().filter_map(|id| snapshot.store.owner(*id));
    let active = jobs.map(|job| json!({ "kind": "Job", "name": &**job.name() }));
    out["spec"] = json!({});
    out["status"] = json!({ "active": active.collect::<Value>() });
    out
}
