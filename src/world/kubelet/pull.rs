//! The image that a pod's containers need: there, pulled, or waited for with ImagePullBackOff.
//!
//! Source: kubernetes `pkg/kubelet/images/image_manager.go` and `kuberuntime_container.go`
//! (`startContainer`), v1.37. What the container runtime answers is in containerd's words, without
//! the address that it tried.

use super::images::{Flow, ImageId, PullRequest, pull_time, resolve_time};
use super::sync::SYNC_BACK_OFF;
use crate::api::event::EventType::{Normal, Warning};
use crate::api::pod::PullPolicy;
use crate::api::{NodeId, PodId, Text};
use crate::record::story::Moment;
use crate::units::{SimDuration, SimTime};
use crate::world::event::Event;
use crate::world::world::World;

/// First wait after an image pull that failed (`imageBackOffPeriod`).
const IMAGE_BACK_OFF: SimDuration = SimDuration::from_secs(10);
/// Longest wait after an image pull that failed (`MaxImageBackOff`).
const MAX_IMAGE_BACK_OFF: SimDuration = SimDuration::from_secs(300);

impl World<'_> {
    /// Finds the image there, pulls it, or puts it off (`EnsureImageExists`).
    pub(super) fn ensure_image(&mut self, pod: PodId, node: NodeId, fresh: bool) {
        let now = self.now;
        let Some(state) = self.pods.get(pod) else { return };
        // Of the images of pods that no scenario describes nobody knows the size: they are there.
        let Some(workload) = state.workload() else { return self.image_is_there(pod) };
        let (incarnation, image) = (state.incarnation, state.image);
        let back_off = state.trouble.as_ref().and_then(|t| t.pull.since_update(now));
        let there = self.nodes.get(node).is_some_and(|state| state.images.has(image));
        let policy = self.pull_policy(pod);
        if there && policy != PullPolicy::Always {
            let name = self.image_name(pod);
            self.tell_trouble(pod, Normal, "Pulled", || {
                format!(
                    "Container image \"{name}\" already present on machine and can be accessed by \
                     the pod"
                )
            });
            self.image_is_there(pod);
        } else if policy == PullPolicy::Never {
            self.image_is_missing(pod);
        } else if let Some(until) = back_off {
            self.waits_for_image(pod, until);
        } else {
            let name = self.image_name(pod);
            self.tell_trouble(pod, Normal, "Pulling", || format!("Pulling image \"{name}\""));
            let Some(state) = self.nodes.get_mut(node) else { return };
            let (id, since, flow) = (0, now, None);
            state.images.ask(PullRequest {
                id,
                pod,
                incarnation,
                workload,
                image,
                since,
                fresh,
                flow,
            });
            self.begin_pulls(node);
        }
    }

    /// The images of a pod, which count together; pods with the same images share them.
    pub(in crate::world) fn image_of(&mut self, pod: PodId) -> ImageId {
        let Some(p) = self.store.pod(pod) else { return ImageId(0) };
        let all = p.spec.init_containers.iter().chain(&p.spec.containers);
        let mut names: Vec<Text> = all.map(|container| container.image.clone()).collect();
        names.sort_unstable();
        let known = self.images.iter().position(|images| *images == names);
        let at = known.unwrap_or_else(|| {
            self.images.push(names);
            self.images.len() - 1
        });
        ImageId(at as u32)
    }

    /// The policy for all images of a pod together.
    fn pull_policy(&self, pod: PodId) -> PullPolicy {
        let Some(p) = self.store.pod(pod) else { return PullPolicy::IfNotPresent };
        let mut policies = p.spec.containers.iter().map(|container| container.pull_policy);
        if policies.clone().any(|policy| policy == PullPolicy::Always) {
            return PullPolicy::Always;
        }
        let never = policies.all(|policy| policy == PullPolicy::Never);
        if never { PullPolicy::Never } else { PullPolicy::IfNotPresent }
    }

    /// The first container's image reference, for messages.
    fn image_name(&self, pod: PodId) -> String {
        let container = self.store.pod(pod).and_then(|p| p.spec.containers.first());
        container.map_or_else(String::new, |c| c.image.to_string())
    }

    /// What a pull takes in all as the registry answers now.
    fn whole_of(&self, node: NodeId, request: &PullRequest, there: bool) -> SimDuration {
        let factor = self.registry.factor;
        if there {
            return resolve_time(&self.scenario.flags.kubelet, factor);
        }
        let machine = self.nodes.get(node).map(|state| state.machine);
        let group =
            machine.and_then(|machine| self.cloud.machines.get(machine)).map_or(0, |m| m.group);
        let machine = &self.scenario.node_groups[group].machine;
        let workload = &self.scenario.workloads[request.workload];
        pull_time(workload, machine, &self.scenario.flags.kubelet, factor)
    }

    /// Begins the pulls whose turn it is.
    fn begin_pulls(&mut self, node: NodeId) {
        let (now, serialize) = (self.now, self.scenario.flags.kubelet.serialize_image_pulls);
        let Some(mut images) = self.take_images(node) else { return };
        let cached = images.cached();
        for request in images.beginners(serialize) {
            let there = cached.contains(&request.image);
            let flow = Flow::new(now, self.whole_of(node, request, there), &self.registry);
            request.flow = Some(flow);
            self.plan(flow.due(), Event::Pull { node, id: request.id });
        }
        self.put_images(node, images);
    }

    /// The registry answers otherwise than before: pulls that are under way follow.
    pub(in crate::world) fn registry_changes(&mut self) {
        let now = self.now;
        for node in self.nodes.keys().collect::<Vec<_>>() {
            if self.nodes.get(node).is_none_or(|state| state.images.is_idle()) {
                continue;
            }
            let Some(mut images) = self.take_images(node) else { continue };
            let cached = images.cached();
            for request in images.running() {
                let there = cached.contains(&request.image);
                let whole = self.whole_of(node, request, there);
                let Some(flow) = &mut request.flow else { continue };
                flow.change(now, whole, &self.registry);
                let due = flow.due();
                self.plan(due, Event::Pull { node, id: request.id });
            }
            self.put_images(node, images);
        }
    }

    /// A pull ends, unless it has been overtaken by a change of the registry.
    pub(in crate::world) fn on_pull(&mut self, node: NodeId, id: u32) {
        let now = self.now;
        let Some(state) = self.nodes.get_mut(node) else { return };
        let ended = state.images.end(id, now);
        if ended.is_empty() {
            return;
        }
        // The next pull begins before this one's pod asks for more.
        self.begin_pulls(node);
        if let Some(request) = ended.iter().find(|request| request.id == id)
            && request.flow.is_some_and(|flow| flow.succeeds())
        {
            self.others_find(node, request.image);
            let (image, workload) = (request.image, request.workload);
            self.image_comes(node, image, workload);
        }
        for request in ended {
            let alive = |state: &super::PodState| state.incarnation == request.incarnation;
            if !self.pods.get(request.pod).is_some_and(alive) {
                continue;
            }
            match request.flow.filter(|_| request.id == id) {
                Some(flow) if !flow.succeeds() => self.pull_fails(&request),
                flow => {
                    let takes = flow.map_or(SimDuration::ZERO, |flow| now.since(flow.begun));
                    self.pull_succeeds(&request, takes);
                }
            }
        }
    }

    /// An image is there: pods that have been put off will find it when they look again.
    fn others_find(&mut self, node: NodeId, image: ImageId) {
        for pod in self.store.pods_on(node).to_vec() {
            let Some(state) = self.pods.get(pod) else { continue };
            if state.image == image
                && ["ImagePullBackOff", "ErrImageNeverPull"].contains(&state.waiting())
            {
                self.next_look_counts(pod, |_| SYNC_BACK_OFF);
            }
        }
    }

    fn pull_succeeds(&mut self, request: &PullRequest, takes: SimDuration) {
        let name = self.image_name(request.pod);
        let size = self.scenario.workloads[request.workload].image_size.0;
        let waited = self.now.since(request.since);
        self.tell_trouble(request.pod, Normal, "Pulled", || {
            format!(
                "Successfully pulled image \"{name}\" in {takes} ({waited} including waiting). \
                 Image size: {size} bytes."
            )
        });
        self.image_is_there(request.pod);
    }

    fn pull_fails(&mut self, request: &PullRequest) {
        let (now, pod) = (self.now, request.pod);
        let name = self.image_name(pod);
        self.recorder.totals.image_pulls_failed += 1;
        let about = self.store.pod(pod).map_or_else(String::new, |p| p.name().to_string());
        self.tell_once(Moment::FirstPullFailure, || {
            format!("the first image pull fails: {about} waits for {name}")
        });
        if let Some(state) = self.pods.get_mut(pod) {
            let entry = &mut state.trouble.get_or_insert_default().pull;
            entry.raise(now, now, IMAGE_BACK_OFF, MAX_IMAGE_BACK_OFF);
        }
        let under_way = request.flow.is_some_and(|flow| flow.was_under_way());
        self.tell_trouble(pod, Warning, "Failed", || {
            let step = if under_way {
                "failed to copy: httpReadSeeker: failed open".to_string()
            } else {
                format!("failed to resolve reference \"{name}\"")
            };
            format!(
                "Failed to pull image \"{name}\": failed to pull and unpack image \"{name}\": \
                 {step}: failed to do request: dial tcp: i/o timeout"
            )
        });
        self.refuse_start(pod, "ErrImagePull");
        if request.fresh {
            // The relist that has found the new sandbox has asked for another sync meanwhile.
            let relist = self.scenario.flags.kubelet.pleg_relist_period;
            let found = SimTime(request.since.0 + 1).next_on_grid(SimTime::ZERO, relist);
            self.plan_look(pod, found.max(now));
        } else {
            self.look_again(pod, now, |_| SYNC_BACK_OFF);
        }
    }

    /// The pull has failed not long ago.
    fn waits_for_image(&mut self, pod: PodId, until: SimTime) {
        let name = self.image_name(pod);
        self.tell_trouble(pod, Normal, "BackOff", || format!("Back-off pulling image \"{name}\""));
        self.refuse_start(pod, "ImagePullBackOff");
        self.look_again(pod, until, |_| SYNC_BACK_OFF);
    }

    /// The image is not there and may not be pulled: the kubelet looks again and again.
    fn image_is_missing(&mut self, pod: PodId) {
        let name = self.image_name(pod);
        self.tell_trouble(pod, Warning, "ErrImageNeverPull", || {
            format!("Container image \"{name}\" is not present with pull policy of Never")
        });
        self.refuse_start(pod, "ErrImageNeverPull");
        self.look_again(pod, SimTime::NEVER, |_| SYNC_BACK_OFF);
    }

    /// The container waits for `reason`.
    fn refuse_start(&mut self, pod: PodId, reason: &'static str) {
        self.set_waiting(pod, reason);
        self.tell_trouble(pod, Warning, "Failed", || format!("Error: {reason}"));
    }

    fn take_images(&mut self, node: NodeId) -> Option<super::Images> {
        self.nodes.get_mut(node).map(|state| std::mem::take(&mut state.images))
    }

    fn put_images(&mut self, node: NodeId, images: super::Images) {
        if let Some(state) = self.nodes.get_mut(node) {
            state.images = images;
        }
    }
}
