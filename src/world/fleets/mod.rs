//! Members of fleets that come in the course of a run, and releases of those that are there: what
//! people apply, when, and when the cluster has done it.
//!
//! Who asks for what, and how long teams take, is planned before the clock starts (`plan`). What a
//! member brings are commands like those of the timeline; this file does not know what is in them.

mod plan;
mod queue;

use super::event::Event;
use super::world::World;
use crate::api::workload::Deployment;
use crate::api::{DeploymentId, Text};
use crate::record::rows::DeliveryRow;
use crate::record::story::Moment;
use crate::record::wording;
use crate::scenario::fleet::{Arrival, Fleet};
use crate::scenario::kubectl::Command;
use crate::units::SimTime;
use plan::{Job, plan};
use slotmap::SecondaryMap;

/// Most steps of a fleet that the story tells one by one.
const TOLD_STEPS: u64 = 12;

/// What is delivered in the course of a run.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    jobs: Vec<Job>,
    /// Deployments that are not yet as they were last applied, and the jobs that wait for that.
    awaited: SecondaryMap<DeploymentId, Vec<u32>>,
    /// How many members of each fleet have come.
    come: Vec<usize>,
}

/// What the story tells when another member comes after `before` others, if anything.
fn told(fleet: &Fleet, arrival: &Arrival, before: usize) -> Option<String> {
    let (all, steps) = (fleet.members.len(), arrival.steps());
    let name = &fleet.name;
    if arrival.every.is_some() && steps <= TOLD_STEPS {
        let step_of = |member: usize| member as u64 * steps / all as u64;
        let is_first = before == 0 || step_of(before - 1) != step_of(before);
        let come = (0..all).filter(|other| step_of(*other) == step_of(before)).count();
        let text = format!(
            "{} of fleet {name} come, {} of {all} by now",
            wording::count(come as u64, "member"),
            before + come
        );
        return is_first.then_some(text);
    }
    match before + 1 {
        1 => Some(format!("the first of {all} members of fleet {name} comes")),
        n if n == all => Some(format!("the last of {all} members of fleet {name} comes")),
        n if n == all / 2 => Some(format!("half of the {all} members of fleet {name} have come")),
        _ => None,
    }
}

/// The image of a release: that of the container with another tag.
fn image_of_release(image: &str, release: u32) -> Text {
    let start = image.rfind('/').map_or(0, |slash| slash + 1);
    let end = image[start..].find([':', '@']).map_or(image.len(), |at| start + at);
    format!("{}:r{release}", &image[..end]).into()
}

/// Whether a rollout is over, as `kubectl rollout status` sees it.
fn is_rolled_out(deployment: &Deployment) -> bool {
    let status = &deployment.status;
    status.observed_generation >= deployment.generation
        && status.updated >= deployment.replicas
        && status.replicas <= status.updated
        && status.available >= status.updated
}

impl World<'_> {
    /// Plans the coming of all members that are not there at the start, and all releases.
    pub(super) fn plan_deliveries(&mut self) {
        let scenario = self.scenario;
        let comes = |fleet: &Fleet| fleet.arrival.is_some() || fleet.releases.is_some();
        if !scenario.fleets.iter().any(comes) {
            return;
        }
        let planned = plan(scenario, self.streams);
        for (index, job) in planned.jobs.iter().enumerate() {
            self.plan(job.applied, Event::Delivered(index as u32));
        }
        self.recorder.totals.teams = planned.teams;
        self.deliveries = Some(Box::new(Deliveries {
            jobs: planned.jobs,
            awaited: SecondaryMap::new(),
            come: vec![0; scenario.fleets.len()],
        }));
    }

    /// Somebody applies what was asked for. While the API server is away they wait for it.
    pub(super) fn on_delivered(&mut self, index: u32) {
        if self.outages.is_down() {
            return self.outages.hold(self.now, Event::Delivered(index));
        }
        let now = self.now;
        let Some(deliveries) = &mut self.deliveries else { return };
        let job = &mut deliveries.jobs[index as usize];
        job.applied = now;
        let Job { fleet, member, release, .. } = *job;
        if release == 0 {
            self.member_comes(fleet as usize, member as usize);
        } else {
            self.release(fleet as usize, member as usize, release);
        }
        self.await_rollout(index);
    }

    fn member_comes(&mut self, fleet: usize, member: usize) {
        let scenario = self.scenario;
        let fleet_of = &scenario.fleets[fleet];
        let Some(arrival) = &fleet_of.arrival else { return };
        let before = self.deliveries.as_mut().map_or(0, |deliveries| {
            deliveries.come[fleet] += 1;
            deliveries.come[fleet] - 1
        });
        if let Some(text) = told(fleet_of, arrival, before) {
            self.tell_moment(Moment::TimelineBegins, text);
        }
        let coming = &fleet_of.members[member];
        coming.applied.iter().for_each(|command| self.kubectl(command));
        if !coming.replaced.is_empty() {
            let at = self.now + arrival.after;
            self.plan(at, Event::Replaced(fleet as u32, member as u32));
        }
    }

    /// A new version of a member: `kubectl set image` for its Deployments.
    fn release(&mut self, fleet: usize, member: usize, release: u32) {
        let scenario = self.scenario;
        let targets = scenario.fleets[fleet].members[member].targets.iter();
        for target in targets.filter(|target| &*target.kind == "Deployment") {
            let found = self.deployment_named(&target.name);
            let Some(deployment) = found.and_then(|id| self.store.deployment(id)) else { continue };
            let Some(container) = deployment.template.spec.containers.first() else { continue };
            let image = image_of_release(&container.image, release);
            let images = vec![(container.name.clone(), image)];
            self.kubectl(&Command::SetImage { target: target.clone(), images });
        }
    }

    /// A job is done when the Deployment that it was about is rolled out; of several, the last one
    /// counts. Without a Deployment it is done at once.
    fn await_rollout(&mut self, index: u32) {
        let scenario = self.scenario;
        let Some(deliveries) = &self.deliveries else { return };
        let Job { fleet, member, .. } = deliveries.jobs[index as usize];
        let targets = &scenario.fleets[fleet as usize].members[member as usize].targets;
        let last = targets.iter().rev().find(|target| &*target.kind == "Deployment");
        let id = last.and_then(|target| self.deployment_named(&target.name));
        let now = self.now;
        let Some(deliveries) = &mut self.deliveries else { return };
        match id {
            Some(id) if deliveries.awaited.contains_key(id) => {
                deliveries.awaited[id].push(index);
            }
            Some(id) => drop(deliveries.awaited.insert(id, vec![index])),
            None if last.is_none() => deliveries.jobs[index as usize].ready = now.into(),
            None => {}
        }
    }

    /// A Deployment has changed: it may be rolled out.
    pub(super) fn rollout_may_be_over(&mut self, id: DeploymentId) {
        let now = self.now;
        let Some(deliveries) = &mut self.deliveries else { return };
        if !deliveries.awaited.contains_key(id) {
            return;
        }
        if self.store.deployment(id).is_some_and(is_rolled_out) {
            for job in deliveries.awaited.remove(id).unwrap_or_default() {
                deliveries.jobs[job as usize].ready = now.into();
            }
        }
    }

    /// What a member takes the place of ends.
    pub(super) fn on_replaced(&mut self, fleet: usize, member: usize) {
        if self.outages.is_down() {
            let event = Event::Replaced(fleet as u32, member as u32);
            return self.outages.hold(self.now, event);
        }
        let scenario = self.scenario;
        let replaced = &scenario.fleets[fleet].members[member].replaced;
        replaced.iter().for_each(|command| self.kubectl(command));
    }

    /// Hands on what was delivered, and what was not by the end.
    pub(super) fn record_deliveries(&mut self) {
        let Some(deliveries) = self.deliveries.take() else { return };
        let scenario = self.scenario;
        let (now, by_now) = (self.now, |at: SimTime| (at <= self.now).then_some(at));
        let rows: Vec<DeliveryRow> = deliveries
            .jobs
            .iter()
            .filter(|job| job.asked <= now)
            .map(|job| {
                let fleet = &scenario.fleets[job.fleet as usize];
                DeliveryRow {
                    fleet: fleet.name.clone(),
                    member: fleet.members[job.member as usize].name.clone(),
                    release: job.release,
                    asked: job.asked,
                    team: job.team.map(|(team, _)| scenario.teams[team as usize].name.clone()),
                    queued: job.team.map(|(_, since)| since),
                    begun: by_now(job.begun),
                    applied: by_now(job.applied),
                    ready: job.ready.get(),
                }
            })
            .collect();
        rows.into_iter().for_each(|row| self.recorder.delivery(row));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_has_the_image_with_a_tag_of_its_own() {
        let rows = [
            ("without a tag", "registry.example/app", "registry.example/app:r3"),
            (
                "in place of its tag",
                "registry.example:5000/app:1.4",
                "registry.example:5000/app:r3",
            ),
            ("in place of a digest", "app@sha256:0123", "app:r3"),
        ];
        for (sentence, image, expected) in rows {
            assert_eq!(&*image_of_release(image, 3), expected, "{sentence}");
        }
    }
}
