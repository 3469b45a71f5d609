//! How a pod goes from its node to its binding: Reserve and Permit at the end of the scheduling
//! cycle, then waiting, PreBind and PostBind; and what is undone when something fails.
//!
//! Source: `pkg/scheduler/schedule_one.go` (`prepareForBindingCycle`, `bindingCycle`,
//! `handleBindingCycleError`), `framework/runtime/framework.go`, v1.37. Timers of upstream's
//! goroutines are evaluated when something is asked or told, with the same result.

use super::{BindingStep, Cycle, MAX_WAIT, Pending, Stage, Verdict};
use crate::api::PodId;
use crate::control::scheduler::Scheduler;
use crate::control::scheduler::cycle::Placement;
use crate::control::scheduler::decision::{Decision, Nomination};
use crate::control::scheduler::diagnosis::{Diagnosis, Rejection};
use crate::control::scheduler::event::{ClusterEvent, EventObjects};
use crate::control::scheduler::framework::{Code, NodeIndex, Permit, PluginId, PluginSet, Status};
use crate::control::scheduler::pod_info::PodInfo;
use crate::control::scheduler::queue::Place;
use crate::control::scheduler::registry;
use crate::units::SimTime;

/// What PreBindPreFlight finds.
#[derive(Default)]
struct Flight {
    /// Plugins with something to do.
    works: PluginSet,
    /// Those that may work side by side.
    parallel: PluginSet,
    error: Option<String>,
}

impl Scheduler {
    // ---- the end of the scheduling cycle -----------------------------------------------------

    /// The pod has found its node: Reserve, Permit, and the beginning of its binding cycle.
    pub(in super::super) fn place(
        &mut self,
        profile: usize,
        pod: PodInfo,
        placement: Placement,
        now: SimTime,
    ) -> Decision {
        let Placement { node, evaluated, feasible } = placement;
        self.core.reserve(profile, &pod, node, now);
        let pending = match self.permit(profile, &pod, node, now) {
            Ok(pending) => pending,
            Err((plugin, status)) => {
                let decision = self.refuse(profile, pod, node, (plugin, status), now);
                self.go_on(now);
                return decision;
            }
        };
        let flight = self.pre_flight(profile, &pod, node, now);
        let is_held = !pending.is_empty() || !flight.works.is_empty() || flight.error.is_some();
        let id = pod.id;
        if is_held {
            self.assume(pod.clone(), node);
            self.begin_binding(profile, pod, node, pending, flight);
        } else {
            self.assume(pod, node);
        }
        if !self.bindings.is_idle() {
            self.go_on(now);
        }
        let node = self.core.cache.id_of(node);
        Decision::Scheduled { pod: id, node, evaluated, feasible, is_held }
    }

    /// Asks the Permit plugins (`RunPermitPlugins`): who wants the pod to wait, or who rejects it.
    fn permit(
        &mut self,
        profile: usize,
        pod: &PodInfo,
        node: NodeIndex,
        now: SimTime,
    ) -> Result<Vec<Pending>, (PluginId, Status)> {
        let mut pending = Vec::new();
        let core = &self.core;
        for (id, plugin) in &core.profiles[profile].permit {
            let mut waiting = self.bindings.waiting();
            let record = core.cache.info(node);
            let answer = plugin.permit(&core.context(now), &mut waiting, pod, record);
            let words = waiting.into_words();
            self.bindings.hear(*id, words);
            match answer {
                Permit::Allow => {}
                Permit::Wait(wait) => {
                    let wait = wait.min(MAX_WAIT);
                    pending.push(Pending { plugin: *id, wait, until: now + wait });
                }
                Permit::Reject(status) => return Err((*id, status)),
            }
        }
        Ok(pending)
    }

    /// Asks the PreBind plugins whether they have something to do (`RunPreBindPreFlights`).
    fn pre_flight(
        &mut self,
        profile: usize,
        pod: &PodInfo,
        node: NodeIndex,
        now: SimTime,
    ) -> Flight {
        let mut flight = Flight::default();
        self.core.objects.speak_for(profile);
        let cx = self.core.context(now);
        let binding = self.core.pod_binding(pod, true, node);
        for (id, plugin) in &self.core.profiles[profile].pre_bind {
            match plugin.pre_flight(&cx, &binding) {
                Ok(found) => {
                    if found.works {
                        flight.works.insert(*id);
                    }
                    if found.parallel {
                        flight.parallel.insert(*id);
                    }
                }
                Err(why) => {
                    let name = registry::name_of(*id);
                    flight.error = Some(format!("running PreBindPreFlight {name:?}: {why}"));
                    break;
                }
            }
        }
        flight
    }

    /// A Permit plugin rejects the pod in its scheduling cycle, or can't tell.
    fn refuse(
        &mut self,
        profile: usize,
        pod: PodInfo,
        node: NodeIndex,
        (plugin, status): (PluginId, Status),
        now: SimTime,
    ) -> Decision {
        // It was assumed on the node, if only for this long: the node counts as touched.
        self.assume(pod.clone(), node);
        self.core.finish_reservation(pod.id, false);
        self.unreserve(profile, &pod, node);
        self.core.cache.remove_pod(pod.id);
        let why = match status.code {
            Code::Error => {
                let (name, why) = (registry::name_of(plugin), status.message());
                (format!("running Permit plugin {name:?}: {why}"), PluginSet::EMPTY)
            }
            _ => unfit(node, Some(plugin), status),
        };
        self.put_back(&pod, why, now)
    }

    fn begin_binding(
        &mut self,
        profile: usize,
        pod: PodInfo,
        node: NodeIndex,
        pending: Vec<Pending>,
        flight: Flight,
    ) {
        self.core.cache.pin(node);
        let waits = !pending.is_empty();
        if waits {
            self.queue.hold(pod.id);
        }
        let (id, target) = (pod.id, self.core.cache.id_of(node));
        let is_told = pod.nominated == Some(target) || flight.error.is_some();
        let verdict = flight.error.map(Verdict::Failed).or((!waits).then_some(Verdict::Allowed));
        let cycle = Cycle {
            pod,
            profile,
            node,
            pending,
            verdict,
            pre_bind: flight.works,
            parallel: flight.parallel,
            stage: if is_told { Stage::Permit } else { Stage::Nominating },
            pod_is_there: true,
        };
        let number = self.bindings.begin(cycle);
        match is_told {
            true => self.bindings.ready.push_back(number),
            false => {
                let step = BindingStep::Nominate { pod: id, node: target, cycle: number };
                self.bindings.steps.push_back(step);
            }
        }
    }

    // ---- what the world asks and answers -----------------------------------------------------

    /// What binding cycles want done by now; to be asked until it is `None`, at every wake-up and
    /// after everything that is told.
    pub fn next_step(&mut self, now: SimTime) -> Option<BindingStep> {
        if !self.bindings.is_idle() {
            self.look_after_bindings(now, true);
        }
        self.bindings.steps.pop_front()
    }

    /// Whether some pod has its node and is held back from being bound, or is about to be let go.
    pub fn holds_pods(&self) -> bool {
        !self.bindings.is_idle() || !self.bindings.steps.is_empty()
    }

    /// The pod of a binding cycle.
    pub fn pod_of_binding(&self, cycle: u64) -> Option<PodId> {
        self.bindings.cycles.get(&cycle).map(|cycle| cycle.pod.id)
    }

    /// Whether this pod has its node and is held back.
    pub(in super::super) fn is_held(&self, pod: PodId) -> bool {
        self.bindings.number_of(pod).is_some()
    }

    /// The nominated node of a binding cycle's pod was written, or could not be: it goes on either
    /// way.
    pub fn nomination_written(&mut self, cycle: u64, now: SimTime) {
        self.advance(now);
        if let Some(found) = self.bindings.cycles.get_mut(&cycle)
            && matches!(found.stage, Stage::Nominating)
        {
            found.stage = Stage::Permit;
            self.bindings.ready.push_back(cycle);
            self.go_on(now);
        }
    }

    /// Takes a victim of preemption that is not bound yet away in memory, without the API server
    /// (`Preempt`, `CancelPod`). It goes back into the queue. False: the API server has to delete
    /// it.
    pub fn preempt_in_memory(&mut self, victim: PodId, now: SimTime) -> bool {
        self.advance(now);
        let Some(number) = self.bindings.number_of(victim) else { return false };
        let preempted = "waiting on permit for pod: preempted".to_owned();
        let taken = match self.bindings.working(number) {
            Some(plugin) => {
                let name = registry::name_of(plugin);
                let why = "preempted by DefaultPreemption";
                let why = format!("running PreBind plugin {name:?}: {why}");
                self.end_in_failure(number, Verdict::Failed(why), now);
                true
            }
            None => self.bindings.conclude(number, Verdict::Failed(preempted)),
        };
        if taken {
            self.core.preempted.remove(victim);
        }
        self.go_on(now);
        taken
    }

    /// A pod that was held back is tried at once, whatever its back-off (`Activate`).
    pub fn activate(&mut self, pod: PodId, now: SimTime) {
        self.advance(now);
        self.queue.activate(&self.core.profiles, pod);
    }

    /// A pod has been bound: tells the PostBind plugins.
    pub(in super::super) fn post_bind(&mut self, pod: PodId, now: SimTime) {
        if self.core.profiles.iter().all(|profile| profile.post_bind.is_empty()) {
            return;
        }
        let core = &self.core;
        let Some((info, node)) = core.cache.pod(pod).zip(core.cache.node_of(pod)) else { return };
        let record = core.cache.info(node);
        let Some(profile) = core.profile_of(info) else { return };
        for (id, plugin) in &core.profiles[profile].post_bind {
            let mut waiting = self.bindings.waiting();
            plugin.post_bind(&mut waiting, info, record);
            let words = waiting.into_words();
            self.bindings.hear(*id, words);
        }
        self.go_on(now);
    }

    /// An assumed pod's deletion was asked for, or it is gone: if it waits on Permit, it waits no
    /// more (`RejectWaitingPod`). False: it does not wait there.
    pub(in super::super) fn reject_waiting(&mut self, pod: PodId) -> bool {
        let Some(number) = self.bindings.number_of(pod) else { return false };
        self.bindings.conclude(number, Verdict::Rejected(None, "removed".to_owned()))
    }

    /// A pod is gone: whoever prepares its binding finds out.
    pub(in super::super) fn binding_pod_is_gone(&mut self, pod: PodId) {
        let number = self.bindings.number_of(pod);
        if let Some(cycle) = number.and_then(|number| self.bindings.cycles.get_mut(&number)) {
            cycle.pod_is_there = false;
        }
    }

    /// A pod is bound, or not, whatever its cycle waits for.
    pub(in super::super) fn forget_binding(&mut self, pod: PodId) {
        let number = self.bindings.number_of(pod);
        if let Some(cycle) = number.and_then(|number| self.bindings.end(number)) {
            self.queue.release(pod);
            self.core.cache.unpin(cycle.node);
        }
    }

    // ---- time --------------------------------------------------------------------------------

    /// When a binding cycle has something to do by itself; [`SimTime::NEVER`]: at no time.
    pub(in super::super) fn next_binding_wake(&self) -> SimTime {
        if !self.bindings.steps.is_empty() {
            return SimTime::ZERO;
        }
        if self.bindings.is_idle() {
            return SimTime::NEVER;
        }
        let timer = self.bindings.timers.first().map(|(at, ..)| *at);
        let look = self.bindings.next_look(self.version());
        timer.unwrap_or(SimTime::NEVER).min(look)
    }

    /// Does what has been due before `now`, and what is due at `now` if `inclusive`: what is told
    /// at an instant counts for what is due at it.
    pub(in super::super) fn look_after_bindings(&mut self, now: SimTime, inclusive: bool) {
        loop {
            let timer = self.bindings.timers.first().map_or(SimTime::NEVER, |(at, ..)| *at);
            let due = timer.min(self.bindings.next_look(self.version()));
            if due > now || (due == now && !inclusive) {
                break;
            }
            self.queue.advance(&self.core.profiles, due);
            self.bindings.looked_after = self.bindings.looked_after.max(due);
            self.end_waits(due);
            self.go_on(due);
            self.look(due);
            self.go_on(due);
        }
        let done = SimTime(now.0 + u64::from(inclusive));
        self.bindings.looked_after = self.bindings.looked_after.max(done);
    }

    /// Rejects the pods that have waited on Permit for too long.
    fn end_waits(&mut self, now: SimTime) {
        while let Some((at, number, plugin)) = self.bindings.timers.first().copied()
            && at <= now
        {
            self.bindings.timers.pop_first();
            let cycle = self.bindings.cycles.get(&number);
            let pending = cycle.and_then(|c| c.pending.iter().find(|p| p.plugin == plugin));
            let Some(wait) = pending.map(|p| p.wait) else { continue };
            let name = registry::name_of(plugin);
            let why = format!("rejected due to timeout after waiting {wait} at plugin {name}");
            self.bindings.conclude(number, Verdict::Rejected(Some(plugin), why));
        }
    }

    // ---- from stage to stage -----------------------------------------------------------------

    /// Lets the cycles go on that can.
    pub(in super::super) fn go_on(&mut self, now: SimTime) {
        while let Some(number) = self.bindings.ready.pop_front() {
            let Some(cycle) = self.bindings.cycles.get_mut(&number) else { continue };
            if !matches!(cycle.stage, Stage::Permit) {
                continue; // Its nominated node is being written: it comes here after that.
            }
            match cycle.verdict.take() {
                None => {}
                Some(Verdict::Allowed) => {
                    cycle.verdict = Some(Verdict::Allowed);
                    self.queue.release(cycle.pod.id);
                    self.begin_pre_bind(number, now);
                }
                Some(verdict) => self.end_in_failure(number, verdict, now),
            }
        }
    }

    /// All is prepared: the pod is to be bound, and can't be held back any more.
    pub(super) fn end_in_binding(&mut self, number: u64) {
        let Some(cycle) = self.bindings.end(number) else { return };
        let node = self.core.cache.id_of(cycle.node);
        self.bindings.steps.push_back(BindingStep::Bind { pod: cycle.pod.id, node });
        self.core.cache.unpin(cycle.node);
    }

    /// The cycle ends without a binding (`handleBindingCycleError`).
    pub(super) fn end_in_failure(&mut self, number: u64, verdict: Verdict, now: SimTime) {
        let Some(cycle) = self.bindings.end(number) else { return };
        let pod = cycle.pod.id;
        self.core.finish_reservation(pod, false);
        self.unreserve(cycle.profile, &cycle.pod, cycle.node);
        self.give_claims_back(&cycle.pod);
        let assumed = self.core.cache.is_assumed(pod);
        let forgotten = assumed.then(|| self.core.cache.remove_pod(pod)).flatten();
        let is_rejected = matches!(verdict, Verdict::Rejected(..));
        if let Some(forgotten) = forgotten.as_ref().filter(|_| !is_rejected) {
            let objects = EventObjects::Pod { old: Some(forgotten), new: None };
            self.move_all(ClusterEvent::ASSIGNED_POD_DELETE, &objects, now);
        }
        if self.queue.place(pod) == Some(Place::InFlight) {
            let why = match verdict {
                Verdict::Rejected(plugin, why) => {
                    let status = Status::made(Code::Unschedulable, why);
                    unfit(cycle.node, plugin, status)
                }
                Verdict::Failed(message) => (message, PluginSet::EMPTY),
                Verdict::Allowed => unreachable!("who is allowed does not fail for it"),
            };
            let decision = self.put_back(&cycle.pod, why, now);
            self.bindings.steps.push_back(BindingStep::Failed(decision));
        }
        // A rejected pod's own place is no reason to try it again: it is back by now.
        if let Some(forgotten) = forgotten.filter(|_| is_rejected) {
            let objects = EventObjects::Pod { old: Some(&forgotten), new: None };
            let event = ClusterEvent::ASSIGNED_POD_DELETE;
            let core = &self.core;
            let other = |info: &PodInfo| info.id != pod;
            self.queue.move_all(&core.profiles, &core.objects, event, &objects, other, now);
        }
        self.core.cache.unpin(cycle.node);
    }

    /// Tells the Reserve plugins that a pod does not get its node, the last one first.
    pub(in super::super) fn unreserve(&mut self, profile: usize, pod: &PodInfo, node: NodeIndex) {
        let core = &self.core;
        for (id, plugin) in core.profiles[profile].reserve.iter().rev() {
            let mut waiting = self.bindings.waiting();
            plugin.unreserve(&mut waiting, pod, core.cache.info(node));
            let words = waiting.into_words();
            self.bindings.hear(*id, words);
        }
    }

    /// Puts a pod that had its node back into the queue, for this reason and because of these
    /// plugins; one that is on its way out is not put back.
    fn put_back(
        &mut self,
        pod: &PodInfo,
        (message, rejected_by): (String, PluginSet),
        now: SimTime,
    ) -> Decision {
        let id = pod.id;
        if self.queue.get(id).is_some_and(|queued| queued.info.deletion.is_some()) {
            self.queue.remove(&self.core.profiles, id);
        } else {
            self.queue.add_unschedulable(&self.core.profiles, id, rejected_by, now);
        }
        self.core.remove_nomination(id);
        Decision::Unschedulable {
            pod: id,
            message,
            rejected_by,
            nomination: Nomination::Set(None),
            victims: Vec::new(),
            denominated: Vec::new(),
        }
    }
}

/// The words for a pod whose one node is refused, and the plugin that does it.
fn unfit(node: NodeIndex, plugin: Option<PluginId>, status: Status) -> (String, PluginSet) {
    let mut by = PluginSet::EMPTY;
    let Some(plugin) = plugin else {
        let words = status.message();
        return (format!("0/1 nodes are available: 1 {words}."), by);
    };
    by.insert(plugin);
    let mut diagnosis = Diagnosis::new(Vec::new());
    diagnosis.reject(Rejection { node, plugin, status }, false);
    (diagnosis.message(1), by)
}
