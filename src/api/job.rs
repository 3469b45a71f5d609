//! Jobs and CronJobs (`batch/v1`).

use super::CronJobId;
use super::labels::Selector;
use super::meta::Meta;
use super::workload::PodTemplate;

/// A Job with the part of its status that anything reads.
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
}

/// A CronJob with the part of its status that anything reads.
#[derive(Clone, PartialEq, Debug)]
pub struct CronJob {
    /// `metadata`.
    pub meta: Meta,
}

impl Job {
    /// Takes over what a person may change; true when anything does.
    pub fn apply(&mut self, given: &Job) -> bool {
        let before = self.meta.labels.clone();
        self.meta.labels = given.meta.labels.clone();
        before != self.meta.labels
    }
}

impl CronJob {
    /// Takes over what a person may change; true when anything does.
    pub fn apply(&mut self, given: &CronJob) -> bool {
        let before = self.meta.labels.clone();
        self.meta.labels = given.meta.labels.clone();
        before != self.meta.labels
    }
}
