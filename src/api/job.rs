//! Jobs and CronJobs (`batch/v1`).

use super::labels::{Labels, Selector};
use super::meta::Meta;
use super::pod::Pod;
use super::workload::{Condition, ConditionStatus, PodTemplate};
use super::{CronJobId, PodId, Text};
use crate::units::{SimDuration, SimTime};

/// The label with the completion index of a pod of an Indexed Job.
pub const INDEX_LABEL: &str = "batch.kubernetes.io/job-completion-index";
/// `spec.managedBy` of Jobs that the job controller looks after, when they say so at all.
const OWN_CONTROLLER: &str = "kubernetes.io/job-controller";
/// The label that a Job's selector asks for.
const UID_LABEL: &str = "batch.kubernetes.io/controller-uid";
/// The label with the Job's name.
const NAME_LABEL: &str = "batch.kubernetes.io/job-name";
/// The two as they were called before.
const OLD_LABELS: [&str; 2] = ["controller-uid", "job-name"];

/// A Job.
#[derive(Clone, PartialEq, Debug)]
pub struct Job {
    /// `metadata`.
    pub meta: Meta,
    /// The CronJob that controls it.
    pub owner: Option<CronJobId>,
    /// `spec.selector`: made by the API server, of the Job's uid.
    pub selector: Selector,
    /// `spec.template`.
    pub template: PodTemplate,
    /// The rest of `spec`.
    pub spec: JobSpec,
    /// `status`.
    pub status: JobStatus,
}

/// What a Job's `spec` says beside selector and template.
#[derive(Clone, PartialEq, Debug)]
pub struct JobSpec {
    /// `parallelism`, default 1.
    pub parallelism: u32,
    /// `completions`; `None`: one pod that succeeds is enough.
    pub completions: Option<u32>,
    /// `completionMode: Indexed`.
    pub is_indexed: bool,
    /// `backoffLimit`, default 6.
    pub backoff_limit: u32,
    /// `backoffLimitPerIndex`.
    pub backoff_limit_per_index: Option<u32>,
    /// `maxFailedIndexes`.
    pub max_failed_indexes: Option<u32>,
    /// `activeDeadlineSeconds`.
    pub active_deadline: Option<SimDuration>,
    /// `ttlSecondsAfterFinished`.
    pub ttl: Option<SimDuration>,
    /// `suspend`.
    pub suspend: bool,
    /// `podReplacementPolicy: Failed`: a pod is replaced when it has ended, not when it begins to.
    pub replaces_only_failed: bool,
    /// `podFailurePolicy.rules`; `None`: there is no policy.
    pub failure_policy: Option<Vec<FailureRule>>,
    /// `successPolicy.rules`; `None`: there is no policy.
    pub success_policy: Option<Vec<SuccessRule>>,
    /// `managedBy`; empty when not given.
    pub managed_by: Text,
    /// `manualSelector`.
    pub has_manual_selector: bool,
}

/// A rule about failed pods.
#[derive(Clone, PartialEq, Debug)]
pub struct FailureRule {
    /// What becomes of a pod that it matches.
    pub action: FailureAction,
    /// Which pods it matches.
    pub on: FailureMatch,
}

/// `action` of a rule about failed pods.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FailureAction {
    /// The Job fails.
    FailJob,
    /// The pod's index fails.
    FailIndex,
    /// The failure does not count.
    Ignore,
    /// The failure counts, as without the rule.
    Count,
}

impl FailureAction {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            FailureAction::FailJob => "FailJob",
            FailureAction::FailIndex => "FailIndex",
            FailureAction::Ignore => "Ignore",
            FailureAction::Count => "Count",
        }
    }
}

/// Which failed pods a rule matches.
#[derive(Clone, PartialEq, Debug)]
pub enum FailureMatch {
    /// `onExitCodes`.
    ExitCodes {
        /// `containerName`; `None`: any container.
        container: Option<Text>,
        /// `operator: In`; else `NotIn`.
        is_in: bool,
        /// `values`.
        values: Vec<i32>,
    },
    /// `onPodConditions`: type and status of each.
    Conditions(Vec<(Text, Text)>),
}

/// A rule about which succeeded indexes are enough.
#[derive(Clone, PartialEq, Debug)]
pub struct SuccessRule {
    /// `succeededIndexes`, like `0,2-4`; `None`: any.
    pub indexes: Option<Text>,
    /// `succeededCount`.
    pub count: Option<u32>,
}

/// `status` of a Job.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct JobStatus {
    /// `conditions`, in the order in which they came.
    pub conditions: Vec<Condition>,
    /// `startTime`, a whole second.
    pub start: Option<SimTime>,
    /// `completionTime`, a whole second.
    pub completion: Option<SimTime>,
    /// `active`: pods that have neither ended nor are being deleted.
    pub active: u32,
    /// `ready`; `None` before the first sync.
    pub ready: Option<u32>,
    /// `terminating`; `None` before the first sync.
    pub terminating: Option<u32>,
    /// `succeeded`.
    pub succeeded: u32,
    /// `failed`.
    pub failed: u32,
    /// `completedIndexes`, like `0,2-4`.
    pub completed_indexes: Text,
    /// `failedIndexes`; `None` without a limit per index.
    pub failed_indexes: Option<Text>,
    /// `uncountedTerminatedPods.succeeded`: about to be counted.
    pub uncounted_succeeded: Vec<PodId>,
    /// `uncountedTerminatedPods.failed`.
    pub uncounted_failed: Vec<PodId>,
}

impl JobStatus {
    /// The condition of a type, if it is there.
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.kind == kind)
    }

    /// The condition that ended the Job: `Complete` or `Failed`, True (`FinishedCondition`).
    pub fn finished(&self) -> Option<&Condition> {
        let ends = |c: &&Condition| {
            (c.kind == "Complete" || c.kind == "Failed") && c.status == ConditionStatus::True
        };
        self.conditions.iter().find(ends)
    }
}

impl Job {
    /// What the API server adds to a Job that it creates: a selector of its uid, and the labels
    /// that it selects.
    pub fn admit(&mut self, uid: &str) {
        if self.spec.has_manual_selector {
            return;
        }
        self.template.labels = self.labelled(&self.template.labels, uid);
        if !self.meta.labels.is_empty() {
            self.meta.labels = self.labelled(&self.meta.labels, uid);
        }
        self.selector = Selector::from_labels(&Labels::from([(UID_LABEL, uid)]));
    }

    fn labelled(&self, labels: &Labels, uid: &str) -> Labels {
        let own = [UID_LABEL, NAME_LABEL, OLD_LABELS[0], OLD_LABELS[1]];
        let values = [uid, &*self.meta.name, uid, &*self.meta.name];
        let pairs = labels.iter().map(|(k, v)| (k.clone(), v.clone()));
        let added = own.into_iter().zip(values).map(|(k, v)| (k.into(), v.into()));
        Labels::new(pairs.chain(added).collect())
    }

    /// Whether another controller looks after it.
    pub fn is_managed_elsewhere(&self) -> bool {
        !self.spec.managed_by.is_empty() && *self.spec.managed_by != *OWN_CONTROLLER
    }

    /// Takes over what a person may change; true when anything does. What may not be changed stays:
    /// the API server would refuse the request.
    pub fn apply(&mut self, given: &Job) -> bool {
        let before = (self.spec.clone(), self.meta.labels.clone());
        let old = &self.spec;
        let is_elastic = old.is_indexed
            && old.completions.is_some()
            && given.spec.completions == Some(given.spec.parallelism);
        let completions = if is_elastic { given.spec.completions } else { old.completions };
        self.spec = JobSpec {
            completions,
            is_indexed: old.is_indexed,
            backoff_limit_per_index: old.backoff_limit_per_index,
            failure_policy: old.failure_policy.clone(),
            success_policy: old.success_policy.clone(),
            managed_by: old.managed_by.clone(),
            has_manual_selector: old.has_manual_selector,
            ..given.spec.clone()
        };
        self.meta.generation += u64::from(self.spec != before.0);
        for (key, value) in given.meta.labels.iter() {
            self.meta.labels = self.meta.labels.with(key.clone(), value.clone());
        }
        before != (self.spec.clone(), self.meta.labels.clone())
    }
}

/// The completion index of a pod; `None`: it has none (`getCompletionIndex`).
pub fn completion_index(pod: &Pod) -> Option<u32> {
    pod.labels.get(INDEX_LABEL)?.parse().ok()
}

/// A CronJob.
#[derive(Clone, PartialEq, Debug)]
pub struct CronJob {
    /// `metadata`.
    pub meta: Meta,
    /// `spec`.
    pub spec: CronJobSpec,
    /// `status`.
    pub status: CronJobStatus,
}

/// `spec` of a CronJob.
#[derive(Clone, PartialEq, Debug)]
pub struct CronJobSpec {
    /// `schedule`.
    pub schedule: Text,
    /// `timeZone`.
    pub time_zone: Option<Text>,
    /// `startingDeadlineSeconds`.
    pub starting_deadline: Option<SimDuration>,
    /// `concurrencyPolicy`.
    pub concurrency: ConcurrencyPolicy,
    /// `suspend`.
    pub suspend: bool,
    /// `successfulJobsHistoryLimit`, default 3.
    pub successful_limit: u32,
    /// `failedJobsHistoryLimit`, default 1.
    pub failed_limit: u32,
    /// `jobTemplate`: the Jobs that it makes, but for their names.
    pub job: Box<Job>,
}

/// `concurrencyPolicy` of a CronJob.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ConcurrencyPolicy {
    /// Jobs may run side by side.
    #[default]
    Allow,
    /// No Job starts while another one runs.
    Forbid,
    /// A Job that starts takes the place of one that runs.
    Replace,
}

/// `status` of a CronJob.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct CronJobStatus {
    /// `active`: names of Jobs that run. Upstream keeps their uids too; here no two of a CronJob
    /// ever have one name.
    pub active: Vec<Text>,
    /// `lastScheduleTime`, seconds since 1970 (UTC).
    pub last_schedule: Option<i64>,
    /// `lastSuccessfulTime`, a whole second.
    pub last_successful: Option<SimTime>,
}

impl CronJob {
    /// Takes over what a person may change; true when anything does.
    pub fn apply(&mut self, given: &CronJob) -> bool {
        let changes = self.spec != given.spec || self.meta.labels != given.meta.labels;
        self.meta.generation += u64::from(self.spec != given.spec);
        self.spec = given.spec.clone();
        self.meta.labels = given.meta.labels.clone();
        changes
    }
}
