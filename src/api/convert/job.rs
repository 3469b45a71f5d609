//! Jobs and CronJobs (`batch/v1`), with the API server's defaults.

use super::FieldError;
use super::workload::{meta, template};
use crate::api::job::{CronJob, Job};
use crate::api::labels::Selector;
use k8s_openapi::api::batch::v1 as k8s;

/// A Job; `namespace` is the one it goes to when it names none.
pub fn job(given: &k8s::Job, namespace: &str, errors: &mut Vec<FieldError>) -> Job {
    let spec = given.spec.clone().unwrap_or_default();
    Job {
        meta: meta(&given.metadata, namespace),
        owner: None,
        selector: Selector::Nothing,
        template: template(&spec.template, "spec.template", errors),
    }
}

/// A CronJob.
pub fn cron_job(given: &k8s::CronJob, namespace: &str, _errors: &mut Vec<FieldError>) -> CronJob {
    CronJob { meta: meta(&given.metadata, namespace) }
}
