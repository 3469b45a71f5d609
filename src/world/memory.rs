//! Memory of containers as it grows, and what happens at their limit.
//!
//! A pod takes what its Deployment says, more for the requests in it, and what has leaked since its
//! containers started. When it meets the limit is computed, not watched: the first pod to meet it
//! is known at any time. It does not know how a container is started again.

use super::event::Event;
use super::kubelet::Containers;
use super::world::World;
use crate::api::PodId;
use crate::api::pod::PodSpec;
use crate::units::{Bytes, SimDuration, SimTime};
use std::collections::{BTreeMap, BTreeSet};

/// In truth pods do not meet their limit in the same instant: one a second of each Deployment.
const APART: SimDuration = SimDuration::from_secs(1);

/// What leaks, by Deployment.
#[derive(Debug)]
pub(super) struct Memory {
    leaks: Vec<Leaks>,
}

/// Leaks of one Deployment's pods.
#[derive(Clone, Debug)]
struct Leaks {
    /// When a pod had leaked nothing (before its start, for one that has long been running), and
    /// when it meets its limit if no request is in it.
    of: BTreeMap<PodId, (SimTime, SimTime)>,
    /// The same pods by the second.
    due: BTreeSet<(SimTime, PodId)>,
    /// The instant for which a look is planned.
    planned: SimTime,
}

/// An instant from which all leaks can be counted, also those that began before the clock did.
const BEFORE: SimDuration = SimDuration::from_secs(100 * 366 * 86_400);

impl Memory {
    /// For so many Deployments.
    pub(super) fn new(deployments: usize) -> Memory {
        let none = Leaks { of: BTreeMap::new(), due: BTreeSet::new(), planned: SimTime::NEVER };
        Memory { leaks: vec![none; deployments] }
    }
}

/// What all containers of a pod may take together; `None`: one of them has no limit.
pub(super) fn limit_of(spec: &PodSpec) -> Option<Bytes> {
    let limits: Option<Vec<i64>> =
        spec.containers.iter().map(|c| c.memory_limit.map(|limit| limit.0)).collect();
    limits.map(|limits| Bytes(limits.into_iter().sum()))
}

/// How long something that grows by `growth` a minute takes for `room`.
pub(super) fn time_to_fill(room: f64, growth: Bytes) -> SimDuration {
    SimDuration::from_secs_f64((room / growth.0 as f64 * 60.0).clamp(0.0, BEFORE.as_secs_f64()))
}

impl World<'_> {
    /// A container of a pod has started: it leaks from now on. One of a settled start has done so
    /// for a while: any part of the way to its limit.
    pub(super) fn memory_grows(&mut self, pod: PodId, workload: usize, has_run: bool) {
        let growth = self.scenario.workloads[workload].failings.memory_growth;
        if growth <= Bytes::ZERO {
            return;
        }
        let Some(p) = self.store.pod(pod) else { return };
        let base = self.network.stations[workload].pod.memory.0;
        let life = limit_of(&p.spec).map(|limit| time_to_fill(limit.0 as f64 - base, growth));
        let begun = self.now + BEFORE;
        let ahead = match life.filter(|_| has_run) {
            Some(life) => self.streams.stream("leak", p.uid).unit() * life.as_secs_f64(),
            None => 0.0,
        };
        let zero = SimTime(begun.0.saturating_sub(SimDuration::from_secs_f64(ahead).0));
        let due = life.map_or(SimTime::NEVER, |life| SimTime((zero + life).0 - BEFORE.0));
        let leaks = &mut self.memory.leaks[workload];
        leaks.of.insert(pod, (zero, due));
        leaks.due.insert((due, pod));
        self.watch_memory_of(workload);
    }

    /// A pod has another memory limit: it meets that earlier or later.
    pub(super) fn memory_limit_changes(&mut self, pod: PodId, workload: usize) {
        let growth = self.scenario.workloads[workload].failings.memory_growth;
        let limit = self.store.pod(pod).and_then(|p| limit_of(&p.spec));
        let base = self.network.stations[workload].pod.memory.0;
        let leaks = &mut self.memory.leaks[workload];
        if let Some((zero, due)) = leaks.of.get_mut(&pod) {
            leaks.due.remove(&(*due, pod));
            let life = limit.map(|limit| time_to_fill(limit.0 as f64 - base, growth));
            *due = life.map_or(SimTime::NEVER, |life| SimTime((*zero + life).0 - BEFORE.0));
            leaks.due.insert((*due, pod));
        }
        self.watch_memory_of(workload);
    }

    /// A pod's containers started or ended: what has leaked is gone with those that ended.
    pub(super) fn memory_is_freed(&mut self, pod: PodId, workload: usize) {
        let runs = self.pods.get(pod).is_some_and(|state| state.containers == Containers::Running);
        let leaks = &mut self.memory.leaks[workload];
        if !runs && let Some((_, due)) = leaks.of.remove(&pod) {
            leaks.due.remove(&(due, pod));
        }
    }

    /// What a pod has leaked by now, bytes.
    pub(super) fn leaked(&self, pod: PodId, workload: usize) -> f64 {
        let Some((zero, _)) = self.memory.leaks[workload].of.get(&pod) else { return 0.0 };
        let growth = self.scenario.workloads[workload].failings.memory_growth;
        (self.now + BEFORE).since(*zero).as_secs_f64() / 60.0 * growth.0 as f64
    }

    /// What a pod of a Deployment takes, bytes.
    pub(super) fn memory_of(&self, pod: PodId) -> Option<i64> {
        let workload = self.pods.get(pod)?.workload()?;
        let memory = self.network.memory_of(pod, workload) + self.leaked(pod, workload);
        Some(memory.round() as i64)
    }

    /// Whether pods of a Deployment take more the older they are.
    pub(super) fn leaks(&self, workload: usize) -> bool {
        self.scenario.workloads[workload].failings.memory_growth > Bytes::ZERO
    }

    /// Pods above their memory limit are OOM-killed.
    pub(super) fn watch_memory(&mut self) {
        for workload in 0..self.network.stations.len() {
            let station = &self.network.stations[workload];
            // Stations of dependencies come after those of workloads.
            let of = self.scenario.workloads.get(workload);
            let is_resized = of.is_some_and(|workload| workload.is_resized);
            if station.pod.memory_limit.is_some() || is_resized {
                self.watch_memory_of(workload);
            }
        }
    }

    /// A container may have met its memory limit.
    pub(super) fn on_memory(&mut self, workload: usize) {
        self.memory.leaks[workload].planned = SimTime::NEVER;
        self.watch_memory_of(workload);
    }

    /// Who is killed when the pods of a workload are above their limit: any, if all are alike.
    fn fullest_pod(&mut self, workload: usize) -> Option<PodId> {
        let station = &self.network.stations[workload];
        if station.has_unlike_pods() {
            return station.full_lane();
        }
        let live = station.lanes().filter(|(pod, _)| self.network.is_live(*pod));
        let memory = |queue: &super::traffic::station::Station| queue.pod_memory();
        let most = live.max_by(|a, b| memory(a.1).total_cmp(&memory(b.1)));
        match most {
            Some((pod, _)) => Some(pod),
            None => self.draw_running_pod(workload, "oom"),
        }
    }

    fn watch_memory_of(&mut self, workload: usize) {
        let now = self.now;
        let station = &self.network.stations[workload];
        let (memory, base) = (station.pod_memory(), station.pod.memory.0);
        let over = match station.has_unlike_pods() {
            true => station.full_lane().is_some(),
            false => station.pod.memory_limit.is_some_and(|limit| memory > limit),
        };
        if over && station.endpoints().0 > 0 {
            if self.may_kill(workload)
                && let Some(pod) = self.fullest_pod(workload)
            {
                self.container_exits(pod, "OOMKilled");
            }
            return;
        }
        // Requests in the pods bring the limit nearer for all alike.
        let growth = self.scenario.workloads[workload].failings.memory_growth;
        while let Some((due, pod)) = self.memory.leaks[workload].due.first().copied() {
            let nearer = time_to_fill(memory - base, growth);
            let at = SimTime(due.0.saturating_sub(nearer.0));
            if due == SimTime::NEVER {
                return;
            }
            if at > now {
                return self.look_at_memory(workload, at);
            }
            if !self.may_kill(workload) {
                return;
            }
            let leaks = &mut self.memory.leaks[workload];
            leaks.of.remove(&pod);
            leaks.due.remove(&(due, pod));
            self.container_exits(pod, "OOMKilled");
        }
    }

    /// Whether a pod of a Deployment may be OOM-killed now; if not, it is looked at again when one
    /// may.
    fn may_kill(&mut self, workload: usize) -> bool {
        let last = self.observed.last_oom[workload];
        if last != SimTime::ZERO && self.now.since(last) < APART {
            self.look_at_memory(workload, last + APART);
            return false;
        }
        self.observed.last_oom[workload] = self.now;
        true
    }

    fn look_at_memory(&mut self, workload: usize, at: SimTime) {
        let planned = &mut self.memory.leaks[workload].planned;
        if *planned != at {
            *planned = at;
            self.plan(at, Event::Memory(workload as u32));
        }
    }
}
