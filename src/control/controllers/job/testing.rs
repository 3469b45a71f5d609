//! A Job, its controller and a small API server for tests.

use super::Jobs;
use crate::api::job::{Job, JobSpec, JobStatus};
use crate::api::labels::{Labels, Selector};
use crate::api::meta::Meta;
use crate::api::owner::Owner;
use crate::api::pod::{Pod, PodPhase, RestartPolicy};
use crate::api::workload::PodTemplate;
use crate::api::{NodeId, OwnerId, PodId, Text};
use crate::control::controllers::action::{Action, Outcome};
use crate::control::controllers::testing::{Bench, at, template};
use crate::units::{SimTime, WallClock};
use std::sync::Arc;

/// A Job whose pods are labelled `app=name` and are never restarted.
pub(crate) fn job(name: &str, parallelism: u32, completions: Option<u32>) -> Job {
    let PodTemplate { labels, spec, hash, rest, as_applied } = template(name);
    let mut spec = (*spec).clone();
    spec.restart_policy = RestartPolicy::Never;
    Job {
        meta: Meta {
            name: name.into(),
            namespace: "default".into(),
            generation: 1,
            created: at(1000),
            ..Meta::default()
        },
        owner: None,
        selector: Selector::from_labels(&Labels::from([("app", name)])),
        template: PodTemplate { labels, spec: Arc::new(spec), hash, rest, as_applied },
        spec: JobSpec {
            parallelism,
            completions,
            is_indexed: false,
            backoff_limit: 6,
            backoff_limit_per_index: None,
            max_failed_indexes: None,
            active_deadline: None,
            ttl: None,
            suspend: false,
            replaces_only_failed: false,
            failure_policy: None,
            success_policy: None,
            managed_by: Text::default(),
            has_manual_selector: false,
        },
        status: JobStatus::default(),
    }
}

/// One Job and what becomes of it.
pub(crate) struct Rig {
    pub(crate) bench: Bench,
    pub(crate) jobs: Jobs,
    pub(crate) id: OwnerId,
    pub(crate) node: NodeId,
    pub(crate) last: Outcome,
}

impl Rig {
    /// A Job that has been created at second 1000 and not been synced.
    pub(crate) fn new(job: Job) -> Rig {
        let mut bench = Bench::new();
        let node = bench.node("n", "z");
        let id = bench.store.create_owner(Owner::Job(Box::new(job)));
        Rig { bench, jobs: Jobs::default(), id, node, last: Outcome::idle() }
    }

    /// Syncs at a second and does what is asked for.
    pub(crate) fn sync(&mut self, second: u64) {
        self.sync_at(at(second));
    }

    pub(crate) fn sync_at(&mut self, now: SimTime) {
        self.bench.now = now;
        self.last = self.jobs.sync(self.id, &self.bench.store, WallClock::starting_at(0), now);
        let outcome = self.last.clone();
        self.bench.apply(&outcome);
    }

    pub(crate) fn status(&self) -> &JobStatus {
        &self.bench.store.job(self.id).unwrap().status
    }

    /// `[active, ready, succeeded, failed, terminating]`.
    pub(crate) fn counts(&self) -> [u32; 5] {
        let s = self.status();
        [s.active, s.ready.unwrap(), s.succeeded, s.failed, s.terminating.unwrap()]
    }

    /// Types of the conditions that hold.
    pub(crate) fn conditions(&self) -> Vec<&'static str> {
        let all = self.status().conditions.iter();
        all.filter(|c| format!("{:?}", c.status) == "True").map(|c| c.kind).collect()
    }

    /// Its pods that have not ended and are not being deleted, in order of creation.
    pub(crate) fn active(&self) -> Vec<PodId> {
        let is_active = |id: &PodId| self.bench.store.pod(*id).is_some_and(Pod::is_active);
        self.bench.store.pods_of(self.id).iter().copied().filter(is_active).collect()
    }

    /// Its active pod of an index.
    pub(crate) fn of_index(&self, index: u32) -> PodId {
        let has = |id: &PodId| {
            let pod = self.bench.store.pod(*id).unwrap();
            crate::api::job::completion_index(pod) == Some(index)
        };
        self.active().into_iter().find(has).unwrap()
    }

    /// Binds and starts all its active pods.
    pub(crate) fn run(&mut self) {
        for pod in self.active() {
            self.bench.store.bind_pod(pod, self.node, self.bench.now);
            self.bench.run(pod);
        }
    }

    /// A pod ends with an exit code at a second.
    pub(crate) fn end(&mut self, pod: PodId, code: i32, second: u64) {
        self.bench.store.bind_pod(pod, self.node, self.bench.now);
        self.bench.store.update_pod(pod, |p| {
            p.phase = if code == 0 { PodPhase::Succeeded } else { PodPhase::Failed };
            p.ready = false;
            let more = p.more_mut();
            (more.exit_code, more.finished) = (Some(code), at(second).into());
            true
        });
    }

    /// A person changes the specification.
    pub(crate) fn change(&mut self, change: impl FnOnce(&mut JobSpec)) {
        self.bench.store.update_job(self.id, |job| {
            change(&mut job.spec);
            true
        });
    }

    /// How many pods each batch of the last sync made.
    pub(crate) fn created(&self) -> Vec<usize> {
        let creates =
            |a: &&Action| matches!(a, Action::CreatePodAs { .. } | Action::CreateIndexPod { .. });
        let sizes = self.last.batches.iter().map(|batch| batch.iter().filter(creates).count());
        sizes.filter(|n| *n > 0).collect()
    }

    /// How often the last sync wrote the status.
    pub(crate) fn writes(&self) -> usize {
        let all = self.last.batches.iter().flatten();
        all.filter(|action| matches!(action, Action::JobStatus { .. })).count()
    }
}
