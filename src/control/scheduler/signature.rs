//! What of a pod its scheduling depends on: pods that agree in it share answers (`PodSignature`).
//!
//! Source: `k8s.io/kube-scheduler/framework/signers.go`, v1.37. It knows no nodes and no plugins:
//! those say which aspects count.

use super::framework::Aspects;
use super::plugins::normalized_image;
use super::pod_info::PodInfo;
use crate::api::Text;
use crate::api::labels::Labels;
use crate::api::node_affinity::NodeSelectorTerm;
use crate::api::pod::PodSpec;
use crate::api::resources::Resources;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A pod's signature.
#[derive(Clone)]
pub(super) struct Signature {
    aspects: Aspects,
    spec: Arc<PodSpec>,
    labels: Labels,
    requests: Resources,
}

impl Signature {
    /// The signature of `pod`, if `aspects` are all that counts.
    pub(super) fn new(pod: &PodInfo, aspects: Aspects) -> Signature {
        Signature {
            aspects,
            spec: Arc::clone(&pod.spec),
            labels: pod.labels.clone(),
            requests: pod.requests.clone(),
        }
    }

    /// Whether it is the signature of `pod` too, for which `aspects` count.
    pub(super) fn is_of(&self, pod: &PodInfo, aspects: Aspects) -> bool {
        let agree = |aspect: Aspects, equal: &dyn Fn() -> bool| !aspects.has(aspect) || equal();
        let (mine, theirs) = (&*self.spec, &*pod.spec);
        self.aspects == aspects
            && mine.scheduler_name == theirs.scheduler_name
            && agree(Aspects::LABELS, &|| self.labels == pod.labels)
            && (Arc::ptr_eq(&self.spec, &pod.spec)
                || agree(Aspects::IMAGES, &|| images(mine) == images(theirs))
                    && agree(Aspects::NODE_NAME, &|| mine.node_name == theirs.node_name)
                    && agree(Aspects::NODE_AFFINITY, &|| {
                        mine.node_selector == theirs.node_selector
                            && node_affinity(mine) == node_affinity(theirs)
                    })
                    && agree(Aspects::HOST_PORTS, &|| host_ports(mine) == host_ports(theirs))
                    && agree(Aspects::RESOURCES, &|| self.requests == pod.requests)
                    && agree(Aspects::TOLERATIONS, &|| tolerations(mine) == tolerations(theirs))
                    && agree(Aspects::FEATURES, &|| mine.node_features == theirs.node_features)
                    && agree(Aspects::VOLUMES, &|| volumes(mine) == volumes(theirs)))
    }
}

fn images(spec: &PodSpec) -> BTreeSet<Cow<'_, str>> {
    let containers = spec.containers.iter().chain(&spec.init_containers);
    containers.map(|c| normalized_image(&c.image)).collect()
}

/// Ports alone: upstream leaves protocols and addresses out.
fn host_ports(spec: &PodSpec) -> BTreeSet<u16> {
    let containers = spec.containers.iter().chain(&spec.init_containers);
    containers.flat_map(|c| &c.host_ports).map(|port| port.port).collect()
}

/// Terms and their requirements in no particular order.
fn node_affinity(spec: &PodSpec) -> Option<(Vec<String>, Vec<String>)> {
    let given = spec.node_affinity.as_ref()?;
    let term = |term: &NodeSelectorTerm| {
        let sorted = |list: &[_]| {
            let mut texts: Vec<String> = list.iter().map(|r| format!("{r:?}")).collect();
            texts.sort_unstable();
            texts
        };
        (sorted(&term.match_expressions), sorted(&term.match_fields))
    };
    let required = given.required.iter().flatten().map(|t| format!("{:?}", term(t)));
    let preferred = given.preferred.iter().map(|p| format!("{} {:?}", p.weight, term(&p.term)));
    let (mut required, mut preferred) =
        (required.collect::<Vec<_>>(), preferred.collect::<Vec<_>>());
    required.sort_unstable();
    preferred.sort_unstable();
    Some((required, preferred))
}

fn tolerations(spec: &PodSpec) -> Vec<&crate::api::taint::Toleration> {
    let mut all: Vec<_> = spec.tolerations.iter().collect();
    all.sort_by(|a, b| (&a.key, &a.value).cmp(&(&b.key, &b.value)));
    all
}

fn volumes(spec: &PodSpec) -> Vec<&Text> {
    let mut all: Vec<&Text> =
        spec.volumes.iter().map(|v| &v.written).filter(|written| !written.is_empty()).collect();
    all.sort_unstable();
    all
}
