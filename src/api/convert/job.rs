//! Jobs and CronJobs (`batch/v1`), with the API server's defaults.
//!
//! Source: kubernetes `pkg/apis/batch/v1/defaults.go`, `pkg/apis/batch/validation/validation.go`,
//! v1.37.

use super::FieldError;
use super::workload::{meta, not_negative, template};
use crate::api::job::*;
use crate::api::labels::Selector;
use crate::api::pod::RestartPolicy;
use crate::api::workload::PodTemplate;
use crate::units::SimDuration;
use k8s_openapi::api::batch::v1 as k8s;

/// `backoffLimit` when none is given, without a limit per index.
const BACKOFF_LIMIT: u32 = 6;

/// A Job; `namespace` is the one it goes to when it names none.
pub fn job(given: &k8s::Job, namespace: &str, errors: &mut Vec<FieldError>) -> Job {
    let spec = given.spec.clone().unwrap_or_default();
    let mut job = job_of(&spec, "spec", errors);
    job.meta = meta(&given.metadata, namespace);
    label(&mut job);
    job
}

/// A Job without labels has those of its template.
fn label(job: &mut Job) {
    if job.meta.labels.is_empty() {
        job.meta.labels = job.template.labels.clone();
    }
}

/// What a specification says; `path` is where it stands.
fn job_of(given: &k8s::JobSpec, path: &str, errors: &mut Vec<FieldError>) -> Job {
    let template = template(&given.template, &format!("{path}.template"), errors);
    let has_manual_selector = given.manual_selector.unwrap_or(false);
    let selector = match has_manual_selector {
        true => super::selector(given.selector.as_ref(), &format!("{path}.selector"), errors),
        false => Selector::Nothing,
    };
    let spec = JobSpec { has_manual_selector, ..job_spec(given, path, errors) };
    validate(&spec, &template, path, errors);
    let (meta, status) = (Default::default(), JobStatus::default());
    Job { meta, owner: None, selector, template, spec, status }
}

fn job_spec(given: &k8s::JobSpec, path: &str, errors: &mut Vec<FieldError>) -> JobSpec {
    let mut number = |value: Option<i32>, name: &str| {
        value.map(|n| not_negative(Some(n), 0, &format!("{path}.{name}"), errors))
    };
    let parallelism = number(given.parallelism, "parallelism");
    let completions = number(given.completions, "completions");
    let backoff_limit = number(given.backoff_limit, "backoffLimit");
    let backoff_limit_per_index = number(given.backoff_limit_per_index, "backoffLimitPerIndex");
    let max_failed_indexes = number(given.max_failed_indexes, "maxFailedIndexes");
    let ttl = number(given.ttl_seconds_after_finished, "ttlSecondsAfterFinished");
    let all = match backoff_limit_per_index {
        Some(_) => i32::MAX as u32,
        None => BACKOFF_LIMIT,
    };
    let mut one_of = |value: Option<&String>, name: &str, known: [&str; 2]| match value {
        Some(value) if !known.contains(&value.as_str()) => {
            let message = format!("{value:?} is none of {}", known.join(", "));
            errors.push(FieldError::new(format!("{path}.{name}"), message));
            false
        }
        value => value.is_some_and(|value| value == known[1]),
    };
    let modes = ["NonIndexed", "Indexed"];
    let is_indexed = one_of(given.completion_mode.as_ref(), "completionMode", modes);
    let policies = ["TerminatingOrFailed", "Failed"];
    let only_failed =
        one_of(given.pod_replacement_policy.as_ref(), "podReplacementPolicy", policies);
    let has_policy = given.pod_failure_policy.is_some();
    JobSpec {
        parallelism: parallelism.unwrap_or(1),
        completions: if given.parallelism.is_none() {
            completions.or(Some(1))
        } else {
            completions
        },
        is_indexed,
        backoff_limit: backoff_limit.unwrap_or(all),
        backoff_limit_per_index,
        max_failed_indexes,
        active_deadline: deadline(given.active_deadline_seconds, path, errors),
        ttl: ttl.map(|seconds| SimDuration::from_secs(u64::from(seconds))),
        suspend: given.suspend.unwrap_or(false),
        replaces_only_failed: match given.pod_replacement_policy {
            Some(_) => only_failed,
            None => has_policy,
        },
        failure_policy: given.pod_failure_policy.as_ref().map(|policy| {
            let rules = policy.rules.iter().enumerate();
            let path = format!("{path}.podFailurePolicy.rules");
            rules.filter_map(|(i, r)| failure_rule(r, &format!("{path}[{i}]"), errors)).collect()
        }),
        success_policy: given.success_policy.as_ref().map(|policy| {
            let rule = |rule: &k8s::SuccessPolicyRule| SuccessRule {
                indexes: rule.succeeded_indexes.as_deref().map(Into::into),
                count: rule.succeeded_count.and_then(|n| u32::try_from(n).ok()),
            };
            policy.rules.iter().map(rule).collect()
        }),
        managed_by: super::text(given.managed_by.as_ref()),
        has_manual_selector: false,
    }
}

fn deadline(given: Option<i64>, path: &str, errors: &mut Vec<FieldError>) -> Option<SimDuration> {
    let seconds = given?;
    match u64::try_from(seconds) {
        Ok(seconds) => Some(SimDuration::from_secs(seconds.min(1 << 33))),
        Err(_) => {
            let path = format!("{path}.activeDeadlineSeconds");
            errors.push(FieldError::new(path, format!("{seconds} is negative")));
            None
        }
    }
}

fn failure_rule(
    given: &k8s::PodFailurePolicyRule,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> Option<FailureRule> {
    let known = [
        FailureAction::FailJob,
        FailureAction::FailIndex,
        FailureAction::Ignore,
        FailureAction::Count,
    ];
    let Some(action) = known.into_iter().find(|action| action.as_str() == given.action) else {
        let message = format!("{:?} is none of FailJob, FailIndex, Ignore, Count", given.action);
        errors.push(FieldError::new(format!("{path}.action"), message));
        return None;
    };
    let conditions = given.on_pod_conditions.as_ref().filter(|patterns| !patterns.is_empty());
    let on = match (&given.on_exit_codes, conditions) {
        (Some(codes), None) => {
            if !["In", "NotIn"].contains(&codes.operator.as_str()) {
                let message = format!("{:?} is none of In, NotIn", codes.operator);
                errors.push(FieldError::new(format!("{path}.onExitCodes.operator"), message));
            }
            FailureMatch::ExitCodes {
                container: codes.container_name.as_deref().map(Into::into),
                is_in: codes.operator == "In",
                values: codes.values.clone(),
            }
        }
        (None, Some(patterns)) => {
            let pattern = |p: &k8s::PodFailurePolicyOnPodConditionsPattern| {
                let status = p.status.as_deref().filter(|s| !s.is_empty()).unwrap_or("True");
                (p.type_.as_str().into(), status.into())
            };
            FailureMatch::Conditions(patterns.iter().map(pattern).collect())
        }
        _ => {
            let message = "expected one of `onExitCodes` and `onPodConditions`";
            errors.push(FieldError::new(path.to_owned(), message));
            return None;
        }
    };
    Some(FailureRule { action, on })
}

/// What fields demand of each other.
fn validate(spec: &JobSpec, template: &PodTemplate, path: &str, errors: &mut Vec<FieldError>) {
    let restarts = template.spec.restart_policy;
    let per_index = spec.backoff_limit_per_index.is_some();
    let rows = [
        (
            restarts == RestartPolicy::Always,
            "template.spec.restartPolicy",
            "a Job needs `OnFailure` or `Never`",
        ),
        (
            spec.is_indexed && spec.completions.is_none(),
            "completions",
            "required when `completionMode` is Indexed",
        ),
        (per_index && !spec.is_indexed, "backoffLimitPerIndex", "needs `completionMode: Indexed`"),
        (
            spec.max_failed_indexes.is_some() && !per_index,
            "maxFailedIndexes",
            "needs `backoffLimitPerIndex`",
        ),
        (
            spec.failure_policy.is_some() && restarts != RestartPolicy::Never,
            "podFailurePolicy",
            "needs `restartPolicy: Never`",
        ),
        (
            spec.success_policy.is_some() && !spec.is_indexed,
            "successPolicy",
            "needs `completionMode: Indexed`",
        ),
        (
            spec.failure_policy.is_some() && !spec.replaces_only_failed,
            "podReplacementPolicy",
            "only `Failed` goes with a podFailurePolicy",
        ),
    ];
    for (_, field, message) in rows.into_iter().filter(|(wrong, ..)| *wrong) {
        errors.push(FieldError::new(format!("{path}.{field}"), message));
    }
}

/// A CronJob. Whether its schedule can be read is for its controller to say.
pub fn cron_job(given: &k8s::CronJob, namespace: &str, errors: &mut Vec<FieldError>) -> CronJob {
    let spec = given.spec.clone();
    let path = "spec.jobTemplate.spec";
    let mut job = job_of(&spec.job_template.spec.unwrap_or_default(), path, errors);
    let metadata = spec.job_template.metadata.unwrap_or_default();
    let meta = meta(&given.metadata, namespace);
    job.meta = super::workload::meta(&metadata, &meta.namespace);
    label(&mut job);
    let concurrency = match spec.concurrency_policy.as_deref() {
        None | Some("Allow") => ConcurrencyPolicy::Allow,
        Some("Forbid") => ConcurrencyPolicy::Forbid,
        Some("Replace") => ConcurrencyPolicy::Replace,
        Some(other) => {
            let message = format!("{other:?} is none of Allow, Forbid, Replace");
            errors.push(FieldError::new("spec.concurrencyPolicy".into(), message));
            ConcurrencyPolicy::Allow
        }
    };
    let seconds = spec.starting_deadline_seconds.and_then(|n| u64::try_from(n).ok());
    let mut limit = |given, default, name: &str| {
        not_negative(given, default, &format!("spec.{name}JobsHistoryLimit"), errors)
    };
    let successful_limit = limit(spec.successful_jobs_history_limit, 3, "successful");
    let failed_limit = limit(spec.failed_jobs_history_limit, 1, "failed");
    let spec = CronJobSpec {
        schedule: spec.schedule.as_str().into(),
        time_zone: spec.time_zone.as_deref().map(Into::into),
        starting_deadline: seconds.map(|n| SimDuration::from_secs(n.min(1 << 33))),
        concurrency,
        suspend: spec.suspend.unwrap_or(false),
        successful_limit,
        failed_limit,
        job: Box::new(job),
    };
    CronJob { meta, spec, status: CronJobStatus::default() }
}
