//! The scheduling queue: active, back-off and unschedulable pods, and what moves them.
//!
//! Source: `pkg/scheduler/backend/queue/`, v1.37, gates SchedulerPopFromBackoffQ and
//! SchedulerQueueingHints on, as by default. It knows profiles (for gates, order and hints), not
//! nodes. Upstream's timers are evaluated when something is asked or told, with the same result:
//! see [`Queue::advance`].

use super::event::{ClusterEvent, EventObjects, Resource, pod_changes};
use super::framework::{PluginId, PluginSet};
use super::objects::Objects;
use super::ordered::Ordered;
use super::pod_info::PodInfo;
use super::profile::Profile;
use super::waiting::Waiting;
use crate::api::PodId;
use crate::units::{SimDuration, SimTime};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// How often the unschedulable pool is searched for leftovers.
const FLUSH_PERIOD: SimDuration = SimDuration::from_secs(30);
/// After so long in the unschedulable pool a pod is tried again whatever happened.
const MAX_IN_UNSCHEDULABLE: SimDuration = SimDuration::from_secs(300);
/// Width of the windows into which back-off expiries are cut.
const WINDOW: u64 = 1_000_000_000;

/// A pod that waits, with what the queue remembers of it (`QueuedPodInfo`).
#[derive(Clone, Debug)]
pub struct QueuedPod {
    /// The pod.
    pub info: PodInfo,
    /// When it came into the queue, or back after a failed attempt.
    pub timestamp: SimTime,
    /// How often it was tried.
    pub attempts: u32,
    /// The profile it asks for.
    pub(super) profile: usize,
    /// Orders pods of one timestamp by arrival.
    sequence: u64,
    /// Attempts that ended with a rejection.
    unschedulable_count: u32,
    /// Attempts in a row that ended with an error.
    consecutive_errors: u32,
    /// Plugins that rejected it last time, or gate it.
    rejected_by: PluginSet,
    /// The PreEnqueue plugin that keeps it out of the active queue.
    pub(super) gated_by: Option<PluginId>,
    /// A claim of devices that it names is not there.
    pub(super) lacks_claims: bool,
    /// The last of the pods that are to be deleted for it, until its deletion has begun.
    pub(super) waits_for_victim: Option<PodId>,
    /// When it was last flushed as a leftover.
    flushed: SimTime,
    /// While its flight lasts: plugins that took some event for a reason to try it again.
    heard: PluginSet,
    place: Place,
}

/// Which part of the queue a pod is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// About to be scheduled.
    Active,
    /// Waiting for its back-off to end; tried at once if nothing is active.
    Backoff,
    /// Waiting for its back-off after an error.
    ErrorBackoff,
    /// Waiting for an event; gated pods are here too.
    Unschedulable,
    /// Popped: being scheduled or bound.
    InFlight,
}

type ActiveKey = ([i64; 2], u64);

/// All pods that wait.
pub struct Queue {
    pods: Waiting<QueuedPod>,
    active: Ordered<ActiveKey, PodId>,
    backoff: Ordered<(SimTime, ActiveKey), PodId>,
    error_backoff: Ordered<(SimTime, u64), PodId>,
    /// By what rejected and gates them, so that an event finds the pods it may concern; each
    /// group by the time from which leftovers count, then arrival.
    unschedulable: BTreeMap<Group, Ordered<(SimTime, u64), PodId>>,
    waiting_for_victims: Vec<PodId>,
    /// Pods that name claims of devices which are not there.
    lacking_claims: BTreeSet<PodId>,
    /// Popped pods whose flight lasts: those that wait on Permit.
    held: Vec<PodId>,
    initial_backoff: SimDuration,
    max_backoff: SimDuration,
    next_sequence: u64,
    /// Numbers of pods that are about to be added.
    expected: Range<u64>,
    /// Flushes up to here have been done.
    advanced: SimTime,
    /// Before this instant the leftover flush moves no pod.
    no_leftover_before: SimTime,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Group {
    profile: usize,
    rejected_by: u64,
    gated_by: Option<PluginId>,
}

impl QueuedPod {
    fn group(&self) -> Group {
        Group {
            profile: self.profile,
            rejected_by: self.rejected_by.bits(),
            gated_by: self.gated_by,
        }
    }

    fn leftover_key(&self) -> (SimTime, u64) {
        (self.timestamp.max(self.flushed), self.sequence)
    }
}

impl Queue {
    /// An empty queue with these back-offs.
    pub fn new(initial_backoff: SimDuration, max_backoff: SimDuration) -> Queue {
        Queue {
            pods: Waiting::new(),
            active: Ordered::default(),
            backoff: Ordered::default(),
            error_backoff: Ordered::default(),
            unschedulable: BTreeMap::new(),
            waiting_for_victims: Vec::new(),
            lacking_claims: BTreeSet::new(),
            held: Vec::new(),
            initial_backoff,
            max_backoff,
            next_sequence: 0,
            expected: 0..0,
            advanced: SimTime::ZERO,
            no_leftover_before: SimTime::NEVER,
        }
    }

    /// The pod, wherever in the queue it is.
    pub fn get(&self, pod: PodId) -> Option<&QueuedPod> {
        self.pods.get(pod)
    }

    /// Where the pod is.
    pub fn place(&self, pod: PodId) -> Option<Place> {
        self.pods.get(pod).map(|p| p.place)
    }

    /// How many pods wait or are in flight.
    pub fn len(&self) -> usize {
        self.pods.len()
    }

    /// Whether no pod waits.
    pub fn is_empty(&self) -> bool {
        self.pods.is_empty()
    }

    /// When there is something to do next: now if a pod can be popped, else the next instant at
    /// which a flush would move one; [`SimTime::NEVER`] if nothing waits for time to pass.
    pub fn next_wake(&self, now: SimTime) -> SimTime {
        if !self.active.is_empty() || !self.backoff.is_empty() {
            return now;
        }
        let error = self.error_backoff.first().map(|((expiry, _), _)| next_window(expiry));
        let wake = error.into_iter().chain(self.next_leftover_tick()).min();
        wake.map_or(SimTime::NEVER, |w| w.max(now))
    }

    /// The next tick of the leftover flush that will move a pod. A tick that has been is not
    /// done again for a pod that came into the pool after it.
    fn next_leftover_tick(&self) -> Option<SimTime> {
        let oldest = self.unschedulable.values().filter_map(|group| group.first());
        let due = oldest.map(|((since, _), _)| leftover_tick(since)).min()?;
        let next = SimTime(self.advanced.0 + 1).next_on_grid(SimTime::ZERO, FLUSH_PERIOD);
        Some(due.max(next))
    }

    /// Does what upstream's timers have done by `now`: each whole second pods whose back-off is
    /// over go to the active queue, each 30 s pods of more than five minutes leave the
    /// unschedulable pool.
    ///
    /// Nothing else changes the queue between two calls, and a flushed pod keeps its timestamp,
    /// so it does not matter that the flushes are done late.
    pub fn advance(&mut self, profiles: &[Profile], now: SimTime) {
        if now <= self.advanced {
            return;
        }
        if self.no_leftover_before <= now {
            self.no_leftover_before = SimTime::NEVER;
            let mut next = self.next_leftover_tick();
            while let Some(tick) = next.filter(|tick| *tick <= now) {
                self.flush_backoff(profiles, tick);
                self.flush_leftovers(profiles, tick);
                self.advanced = tick;
                next = self.next_leftover_tick();
            }
            let next = next.unwrap_or(SimTime::NEVER);
            self.no_leftover_before = self.no_leftover_before.min(next);
        }
        self.flush_backoff(profiles, now);
        self.advanced = now;
    }

    fn flush_backoff(&mut self, profiles: &[Profile], now: SimTime) {
        let window = window_of(now);
        while let Some((_, pod)) = self.backoff.first().filter(|(key, _)| key.0 < window) {
            self.backoff.pop_first();
            self.enter_active(profiles, pod);
        }
        while let Some((_, pod)) = self.error_backoff.first().filter(|(key, _)| key.0 < window) {
            self.error_backoff.pop_first();
            self.enter_active(profiles, pod);
        }
    }

    fn flush_leftovers(&mut self, profiles: &[Profile], tick: SimTime) {
        // Each group's oldest are its first: they leave it together.
        let oldest_to_stay = SimTime(tick.0.saturating_sub(MAX_IN_UNSCHEDULABLE.0));
        let mut due = Vec::new();
        for group in self.unschedulable.values_mut() {
            while let Some((_, pod)) = group.first().filter(|(key, _)| key.0 < oldest_to_stay) {
                group.pop_first();
                due.push(pod);
            }
        }
        self.unschedulable.retain(|_, group| !group.is_empty());
        for pod in due {
            let queued = &mut self.pods[pod];
            (queued.place, queued.flushed) = (Place::InFlight, tick);
            self.requeue(profiles, pod, true, tick);
        }
    }

    /// A new pod (`Add`).
    pub fn add(&mut self, profiles: &[Profile], profile: usize, info: PodInfo, now: SimTime) {
        let id = info.id;
        let sequence = self.expected.next().unwrap_or_else(|| self.sequence());
        let pod = QueuedPod {
            info,
            timestamp: now,
            attempts: 0,
            profile,
            sequence,
            unschedulable_count: 0,
            consecutive_errors: 0,
            rejected_by: PluginSet::EMPTY,
            gated_by: None,
            lacks_claims: false,
            waits_for_victim: None,
            flushed: SimTime::ZERO,
            heard: PluginSet::EMPTY,
            place: Place::InFlight,
        };
        self.pods.insert(id, pod);
        self.move_to_active(profiles, id);
    }

    /// The next `count` pods that are added have arrived by now, though they are told of one by
    /// one: what is put back meanwhile comes after them.
    pub fn expect(&mut self, count: u64) {
        self.expected = self.next_sequence + 1..self.next_sequence + 1 + count;
        self.next_sequence += count;
    }

    fn sequence(&mut self) -> u64 {
        self.next_sequence += 1;
        self.next_sequence
    }

    /// A waiting pod's object has changed (`Update`); gives false when it is not in the queue.
    pub fn update(
        &mut self,
        profiles: &[Profile],
        objects: &Objects,
        info: PodInfo,
        now: SimTime,
    ) -> bool {
        let id = info.id;
        let Some(pod) = self.pods.get(id) else { return false };
        let old = pod.info.clone();
        match pod.place {
            Place::InFlight => self.pods[id].info = info,
            Place::Unschedulable => {
                self.pods[id].info = info.clone();
                for event in pod_changes(&old, &info, Resource::TargetPod) {
                    let change = EventObjects::Pod { old: Some(&old), new: Some(&info) };
                    if !self.is_worth_requeuing(profiles, objects, id, event, &change) {
                        continue;
                    }
                    self.take_out(profiles, id);
                    self.requeue(profiles, id, true, now);
                    if self.pods[id].place != Place::Unschedulable {
                        break;
                    }
                }
            }
            place => {
                self.take_out(profiles, id);
                self.pods[id].info = info;
                self.put(profiles, id, place);
            }
        }
        true
    }

    /// A pod is gone, or got a node (`Delete`).
    pub fn remove(&mut self, profiles: &[Profile], pod: PodId) -> Option<QueuedPod> {
        if self.pods.contains_key(pod) {
            self.take_out(profiles, pod);
        }
        self.release(pod);
        self.pods.remove(pod)
    }

    /// The pod to schedule next (`Pop`): the head of the active queue, else of the back-off queue.
    pub fn pop(&mut self) -> Option<PodId> {
        let next = self.active.pop_first().map(|(_, pod)| pod);
        let pod = next.or_else(|| self.backoff.pop_first().map(|(_, pod)| pod))?;
        let queued = &mut self.pods[pod];
        queued.place = Place::InFlight;
        queued.attempts += 1;
        Some(pod)
    }

    /// A popped pod could not be scheduled or bound (`AddUnschedulablePodIfNotPresent`). No
    /// rejecting plugin means an error: it is tried again after its back-off.
    pub fn add_unschedulable(
        &mut self,
        profiles: &[Profile],
        pod: PodId,
        rejected_by: PluginSet,
        now: SimTime,
    ) {
        let sequence = self.sequence();
        self.release(pod);
        let Some(queued) = self.pods.get_mut(pod) else { return };
        let heard = std::mem::take(&mut queued.heard);
        queued.rejected_by = rejected_by;
        queued.gated_by = None;
        queued.timestamp = now;
        queued.sequence = sequence;
        if rejected_by.is_empty() {
            queued.consecutive_errors += 1;
            self.requeue(profiles, pod, true, now);
        } else {
            queued.unschedulable_count += 1;
            queued.consecutive_errors = 0;
            let worth = !heard.intersection(rejected_by).is_empty();
            self.requeue(profiles, pod, worth, now);
        }
    }

    /// The flight of a popped pod lasts: what happens meanwhile is not lost on it
    /// (`inFlightEvents`). Upstream asks for hints when the pod comes back; here each plugin is
    /// asked when the event happens, and its word counts if it is among those that rejected the
    /// pod.
    pub(super) fn hold(&mut self, pod: PodId) {
        self.held.push(pod);
    }

    /// The pod can't be rejected any more, or has been (`Done`).
    pub(super) fn release(&mut self, pod: PodId) {
        if !self.held.is_empty() {
            self.held.retain(|held| *held != pod);
        }
    }

    fn tell_held(
        &mut self,
        profiles: &[Profile],
        objects: &Objects,
        event: ClusterEvent,
        change: &EventObjects<'_>,
    ) {
        for pod in &self.held {
            let Some(queued) = self.pods.get_mut(*pod) else { continue };
            let heard = profiles[queued.profile].hints(objects, &queued.info, event, change);
            queued.heard = queued.heard.union(heard);
        }
    }

    /// A pod may have been let go by those who held it back: it is tried at once, its back-off
    /// notwithstanding (`Activate`).
    pub(super) fn activate(&mut self, profiles: &[Profile], pod: PodId) {
        let place = self.place(pod);
        if matches!(place, Some(Place::Unschedulable | Place::Backoff | Place::ErrorBackoff)) {
            self.take_out(profiles, pod);
            self.move_to_active(profiles, pod);
        }
    }

    /// A popped pod's object has changed; it is told to nobody yet.
    pub(super) fn update_in_flight(&mut self, info: PodInfo) {
        if let Some(queued) = self.pods.get_mut(info.id)
            && queued.place == Place::InFlight
        {
            queued.info = info;
        }
    }

    /// Moves the waiting pods for which `event` is a reason to try again
    /// (`MoveAllToActiveOrBackoffQueue`); only those that `check` admits.
    pub fn move_all(
        &mut self,
        profiles: &[Profile],
        objects: &Objects,
        event: ClusterEvent,
        change: &EventObjects<'_>,
        check: impl Fn(&PodInfo) -> bool,
        now: SimTime,
    ) {
        self.tell_held(profiles, objects, event, change);
        if self.unschedulable.is_empty() || !profiles.iter().any(|p| p.is_of_interest(event)) {
            return;
        }
        let mut moved = Vec::new();
        for (group, pods) in &self.unschedulable {
            let profile = &profiles[group.profile];
            let rejected_by = PluginSet::from_bits(group.rejected_by);
            let interested = |plugin| profile.is_registered(plugin, event);
            let may_move = group.gated_by.is_none_or(interested)
                && (rejected_by.is_empty() || rejected_by.iter().any(interested));
            if !may_move {
                continue;
            }
            for (_, pod) in pods.iter() {
                let info = &self.pods[pod].info;
                if check(info)
                    && (rejected_by.is_empty()
                        || profile.is_worth_requeuing(rejected_by, objects, info, event, change))
                {
                    moved.push(pod);
                }
            }
        }
        for pod in moved {
            self.take_out(profiles, pod);
            self.requeue(profiles, pod, true, now);
        }
    }

    /// Whether a pod names claims of devices that are not there: what gates ask next time.
    pub(super) fn set_lacks_claims(&mut self, pod: PodId, lacks: bool) {
        match lacks {
            true => self.lacking_claims.insert(pod),
            false => self.lacking_claims.remove(&pod),
        };
    }

    /// Something that is told beside the pod's object has changed for this pod.
    pub(super) fn tell_target(
        &mut self,
        profiles: &[Profile],
        objects: &Objects,
        pod: PodId,
        event: ClusterEvent,
        now: SimTime,
    ) {
        if self.place(pod) == Some(Place::Unschedulable)
            && self.is_worth_requeuing(profiles, objects, pod, event, &EventObjects::None)
        {
            self.take_out(profiles, pod);
            self.requeue(profiles, pod, true, now);
        }
    }

    /// The pod stays out of the active queue until the deletion of `victim` has begun.
    pub(super) fn wait_for_victim(&mut self, pod: PodId, victim: PodId) {
        if let Some(queued) = self.pods.get_mut(pod) {
            queued.waits_for_victim = Some(victim);
            self.waiting_for_victims.push(pod);
        }
    }

    /// The pod need not wait for a victim any more.
    pub(super) fn stop_waiting_for_victim(&mut self, pod: PodId) {
        if let Some(queued) = self.pods.get_mut(pod) {
            queued.waits_for_victim = None;
        }
    }

    /// The deletion of `victim` has begun.
    pub(super) fn victim_is_going(&mut self, victim: PodId) {
        let pods = &mut self.pods;
        self.waiting_for_victims.retain(|pod| {
            let Some(queued) = pods.get_mut(*pod) else { return false };
            if queued.waits_for_victim == Some(victim) {
                queued.waits_for_victim = None;
            }
            queued.waits_for_victim.is_some()
        });
    }

    fn is_worth_requeuing(
        &self,
        profiles: &[Profile],
        objects: &Objects,
        pod: PodId,
        event: ClusterEvent,
        change: &EventObjects<'_>,
    ) -> bool {
        let queued = &self.pods[pod];
        let profile = &profiles[queued.profile];
        queued.rejected_by.is_empty()
            || profile.is_worth_requeuing(queued.rejected_by, objects, &queued.info, event, change)
    }

    /// `requeueEntityWithQueueingStrategy`: `worth` means after its back-off, else it waits for an
    /// event. The pod must be in no part of the queue.
    fn requeue(&mut self, profiles: &[Profile], pod: PodId, worth: bool, now: SimTime) {
        if !worth {
            return self.put(profiles, pod, Place::Unschedulable);
        }
        let backing_off = self.backoff_expiry(pod).is_some_and(|e| e >= window_of(now));
        if !backing_off {
            return self.move_to_active(profiles, pod);
        }
        // Gates are asked here, since a pod may be popped from the back-off queue directly.
        if self.is_gated(profiles, pod) {
            return self.put(profiles, pod, Place::Unschedulable);
        }
        let error = self.pods[pod].rejected_by.is_empty();
        self.put(profiles, pod, if error { Place::ErrorBackoff } else { Place::Backoff });
    }

    fn move_to_active(&mut self, profiles: &[Profile], pod: PodId) {
        let gated = self.is_gated(profiles, pod);
        self.put(profiles, pod, if gated { Place::Unschedulable } else { Place::Active });
    }

    /// Runs PreEnqueue and notes what gates the pod.
    fn is_gated(&mut self, profiles: &[Profile], pod: PodId) -> bool {
        let queued = &mut self.pods[pod];
        queued.lacks_claims = self.lacking_claims.contains(&pod);
        let profile = &profiles[queued.profile];
        queued.gated_by = profile.run_pre_enqueue(queued);
        if let Some(plugin) = queued.gated_by {
            queued.rejected_by.insert(plugin);
        }
        queued.gated_by.is_some()
    }

    fn active_key(&self, profiles: &[Profile], pod: PodId) -> ActiveKey {
        let queued = &self.pods[pod];
        (profiles[queued.profile].queue_sort().sort_key(queued), queued.sequence)
    }

    fn backoff_key(&self, profiles: &[Profile], pod: PodId) -> (SimTime, ActiveKey) {
        let expiry = self.backoff_expiry(pod).unwrap_or(SimTime::ZERO);
        (expiry, self.active_key(profiles, pod))
    }

    fn enter_active(&mut self, profiles: &[Profile], pod: PodId) {
        self.put(profiles, pod, Place::Active);
    }

    /// Puts a pod that is in no part into one.
    fn put(&mut self, profiles: &[Profile], pod: PodId, place: Place) {
        match place {
            Place::Active => {
                self.active.insert(self.active_key(profiles, pod), pod);
            }
            Place::Backoff => {
                self.backoff.insert(self.backoff_key(profiles, pod), pod);
            }
            Place::ErrorBackoff => {
                let (expiry, key) = self.backoff_key(profiles, pod);
                self.error_backoff.insert((expiry, key.1), pod);
            }
            Place::Unschedulable => {
                let queued = &self.pods[pod];
                let key = queued.leftover_key();
                self.unschedulable.entry(queued.group()).or_default().insert(key, pod);
                let stays = key.0.saturating_add(MAX_IN_UNSCHEDULABLE);
                self.no_leftover_before = self.no_leftover_before.min(stays);
            }
            Place::InFlight => {}
        }
        self.pods[pod].place = place;
    }

    /// Takes a pod out of the part it is in.
    fn take_out(&mut self, profiles: &[Profile], pod: PodId) {
        match std::mem::replace(&mut self.pods[pod].place, Place::InFlight) {
            Place::Active => {
                self.active.remove(&self.active_key(profiles, pod));
            }
            Place::Backoff => {
                self.backoff.remove(&self.backoff_key(profiles, pod));
            }
            Place::ErrorBackoff => {
                let (expiry, key) = self.backoff_key(profiles, pod);
                self.error_backoff.remove(&(expiry, key.1));
            }
            Place::Unschedulable => {
                let queued = &self.pods[pod];
                let (name, entry) = (queued.group(), queued.leftover_key());
                if let Some(group) = self.unschedulable.get_mut(&name) {
                    group.remove(&entry);
                    if group.is_empty() {
                        self.unschedulable.remove(&name);
                    }
                }
            }
            Place::InFlight => {}
        }
    }

    /// When the pod's back-off ends, cut to the whole second (`getBackoffTime`); `None` without
    /// one.
    fn backoff_expiry(&self, pod: PodId) -> Option<SimTime> {
        let queued = &self.pods[pod];
        let errors = queued.consecutive_errors;
        let count = if errors > 0 { errors } else { queued.unschedulable_count };
        if count == 0 || self.max_backoff == SimDuration::ZERO {
            return None;
        }
        let shift = (count - 1).min(63);
        let duration = if self.initial_backoff.0 > self.max_backoff.0 >> shift {
            self.max_backoff
        } else {
            SimDuration(self.initial_backoff.0 << shift)
        };
        Some(window_of(queued.timestamp.saturating_add(duration)))
    }
}

/// The start of the one-second window that `at` lies in.
fn window_of(at: SimTime) -> SimTime {
    SimTime(at.0 / WINDOW * WINDOW)
}

/// The flush that lets a pod with this expiry go.
fn next_window(expiry: SimTime) -> SimTime {
    expiry.saturating_add(SimDuration(WINDOW))
}

/// The first tick of the leftover flush that is more than five minutes after `since`.
fn leftover_tick(since: SimTime) -> SimTime {
    let more_than = SimDuration(MAX_IN_UNSCHEDULABLE.0 + 1);
    since.saturating_add(more_than).next_on_grid(SimTime::ZERO, FLUSH_PERIOD)
}
