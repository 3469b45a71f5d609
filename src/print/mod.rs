//! A simulated cluster as kubectl prints it: tables, YAML, JSON, descriptions.
//!
//! Everything goes one way: from the store, and what kubelets report, to objects in the form that
//! the Kubernetes API has (`objects/`), and from these to text (`tables/`, `describe/`, YAML and
//! JSON). It knows neither how a state came about nor files.

pub mod chronicle;
mod clock;
mod columns;
mod describe;
pub mod get;
mod objects;
pub mod path;
mod read;
pub mod selector;
mod tables;
pub mod told;
pub mod watch;
mod yaml;

use crate::api::PodId;
use crate::api::autoscaling::MetricSource;
use crate::api::container_status::ContainerStatus;
use crate::store::Store;
use crate::units::{SimDuration, SimTime};

pub use chronicle::Chronicle;
pub use describe::describe;
pub use told::Told;

/// What kubelets know and the store does not.
pub trait Kubelets {
    /// What is reported of a pod's containers; `None`: no kubelet has the pod.
    fn containers(&self, pod: PodId) -> Option<ContainerStatus>;
    /// The grace period that a pod's deletion was given instead of its own.
    fn grace(&self, pod: PodId) -> Option<SimDuration>;
    /// What the metrics API says of a pod at present, in thousandths; `None`: it has no sample.
    fn usage(&self, pod: PodId, source: &MetricSource) -> Option<i64>;
    /// What the metrics APIs say of an Object or External metric at present, in thousandths.
    fn values(&self, namespace: &str, source: &MetricSource) -> Vec<i64>;
}

/// Which processes of the control plane run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    /// The API server answers.
    pub api_server: bool,
    /// A kube-controller-manager runs, leading or not.
    pub controller_manager: bool,
    /// A kube-scheduler runs, leading or not.
    pub scheduler: bool,
}

/// A cluster at one instant.
#[derive(Clone, Copy)]
pub struct Snapshot<'a> {
    /// All objects.
    pub store: &'a Store,
    /// The instant.
    pub now: SimTime,
    /// What kubelets know.
    pub kubelets: &'a dyn Kubelets,
    /// What was seen of the objects.
    pub chronicle: &'a Chronicle,
    /// The Events.
    pub events: &'a Told,
    /// The control plane.
    pub health: Health,
}

impl Snapshot<'_> {
    fn containers(&self, pod: PodId) -> Option<ContainerStatus> {
        self.kubelets.containers(pod)
    }

    fn grace(&self, pod: PodId) -> Option<SimDuration> {
        self.kubelets.grace(pod)
    }
}

/// An object that is not there, in the API server's words.
fn not_found(kind: &crate::api::kind::Kind, name: &str) -> String {
    format!("Error from server (NotFound): {} {name:?} not found", kind.resource())
}
