//! At which level requests are followed, and why: as rates or one by one.
//!
//! Workloads that requests connect, by calls or behind one Service, make up a part of the graph: a
//! part has one level, other parts may have another. It knows what is followed best by single
//! requests, or only there, and what they can't do yet; it does not know how either is simulated.

use super::file::{ArrivalsFile, BalancingFile, LevelFile};
use super::model::{Level, Part};
use super::unmodelled::{place_called, weighs};
use crate::api::ingress::{self, Backend, Ingress};
use crate::api::service::Service;
use crate::scenario::entries::applied_services;
use crate::scenario::file::{ScenarioFile, TrafficFile, WorkloadFile};
use crate::scenario::model::{Entry, Objects, Scenario};
use crate::scenario::resolve::Resolver;
use crate::units::Bytes;
use std::collections::BTreeSet;

/// What a part is asked for, as paths of the file.
#[derive(Default)]
struct Asked {
    /// `level:` of its workloads.
    levels: Vec<(String, LevelFile)>,
    /// What single requests follow best, or alone.
    needs: Vec<String>,
    /// What they can't do yet: the path, empty for objects of manifests, and what it is.
    beyond: Vec<(String, String)>,
    /// Places of the file that are about it.
    places: BTreeSet<String>,
}

/// Workloads, then Services, then dependencies: who is connected with whom.
struct Connections {
    next: Vec<usize>,
    workloads: usize,
}

impl Connections {
    fn of(scenario: &Scenario) -> Connections {
        let objects = &scenario.objects;
        let n = scenario.workloads.len();
        let m = objects.destinations().count() + scenario.dependencies.len();
        let mut found = Connections { next: (0..n + m).collect(), workloads: n };
        for service in objects.destinations().chain(applied_services(&scenario.timeline)) {
            let Some(index) = place_of(service, objects) else { continue };
            let behind = objects.bearers().enumerate().filter(|(_, b)| b.is_behind(service));
            behind.for_each(|(workload, _)| found.join(workload, n + index));
        }
        for (workload, of) in scenario.workloads.iter().enumerate() {
            let calls = of.calls.iter().flat_map(|step| &step.calls);
            calls.for_each(|call| found.join(workload, n + call.service));
        }
        found
    }

    /// Who stands for the part of this one.
    fn part(&self, one: usize) -> usize {
        let mut at = one;
        while self.next[at] != at {
            at = self.next[at];
        }
        at
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.part(one), self.part(other));
        // The smallest stands for all: a workload, where there is one.
        self.next[one.max(other)] = one.min(other);
    }

    fn part_of_service(&self, service: usize) -> usize {
        self.part(self.workloads + service)
    }
}

fn place_of(service: &Service, objects: &Objects) -> Option<usize> {
    let same = |s: &Service| s.name == service.name && s.namespace == service.namespace;
    objects.destinations().position(same)
}

impl Resolver<'_> {
    /// Decides the levels, and tells which fields have no effect at them.
    pub(in crate::scenario) fn levels(&mut self, file: &ScenarioFile, scenario: &mut Scenario) {
        let mut unmodelled = self.unmodelled(file, scenario);
        if asks_for_a_level(file) {
            let connections = Connections::of(scenario);
            let asked = asked(file, scenario, &connections);
            for (part, asked) in asked.iter().enumerate() {
                let Some((level, why)) = self.decide(asked) else { continue };
                if level == Level::Requests {
                    unmodelled.retain(|told| !asked.places.contains(&told.object));
                }
                let all = (0..connections.next.len()).filter(|one| connections.part(*one) == part);
                let (workloads, services): (Vec<usize>, Vec<usize>) =
                    all.partition(|one| *one < connections.workloads);
                let services = services.iter().map(|one| one - connections.workloads).collect();
                scenario.levels.push(Part { level, workloads, services, why });
            }
        }
        scenario.ignored.extend(unmodelled);
    }

    /// The level of a part and the reason; `None`: nothing asks for one.
    fn decide(&mut self, asked: &Asked) -> Option<(Level, String)> {
        let says = |wanted| asked.levels.iter().find(|(_, level)| *level == wanted);
        let because = |path: &str| format!("{path} says so");
        match (says(LevelFile::Requests), says(LevelFile::Fluid)) {
            (Some((one, _)), Some((other, _))) => {
                let message = format!(
                    "is another level than that of {one}, and requests connect \
                                       them"
                );
                let hint = "leave out one of the two, or say the same of both".to_string();
                self.error(other, message, Some(hint));
                None
            }
            (Some((path, _)), None) => {
                for (place, what) in &asked.beyond {
                    let place = if place.is_empty() { path } else { place };
                    let message = format!("{what} can't be followed request by request yet");
                    let hint = format!("leave it out, or `{path}: fluid`");
                    self.error(place, message, Some(hint));
                }
                Some((Level::Requests, because(path)))
            }
            (None, Some((path, _))) => Some((Level::Fluid, because(path))),
            (None, None) => {
                let need = asked.needs.first()?;
                Some(match asked.beyond.first() {
                    None => {
                        let why = format!("{need} is followed best by single requests");
                        (Level::Requests, why)
                    }
                    Some((_, what)) => {
                        let why = format!("{what} can't be followed request by request yet");
                        (Level::Fluid, why)
                    }
                })
            }
        }
    }
}

/// Whether anything has to be decided.
fn asks_for_a_level(file: &ScenarioFile) -> bool {
    file.workloads.values().any(|workload| workload.level.is_some())
        || file.services.values().any(|service| service.balancing.is_some())
        || file.traffic.iter().any(has_own_arrivals)
}

fn has_own_arrivals(traffic: &TrafficFile) -> bool {
    !matches!(traffic.arrivals, None | Some(ArrivalsFile::Poisson))
}

/// What each part is asked for, by who stands for it.
fn asked(file: &ScenarioFile, scenario: &Scenario, connections: &Connections) -> Vec<Asked> {
    let mut all: Vec<Asked> = connections.next.iter().map(|_| Asked::default()).collect();
    for (index, bearer) in scenario.objects.bearers().enumerate() {
        let asked = &mut all[connections.part(index)];
        let entry = file.workloads.iter().find(|(name, _)| bearer.is_called(name));
        if let Some((name, given)) = entry {
            of_workload(asked, format!("workloads.{name}"), given);
        }
        let workload = &scenario.workloads[index];
        let grows = workload.failings.memory_growth > Bytes::ZERO;
        if grows && workload.memory_per_request > Bytes::ZERO {
            let what = format!("memory of {} that grows by itself and by requests", bearer.name);
            asked.beyond.push((String::new(), what));
        }
    }
    if scenario.cpu_contention {
        let what = "cores that pods of one node share".to_string();
        all.iter_mut().for_each(|asked| asked.beyond.push(("cpu-contention".into(), what.clone())));
    }
    of_services(&mut all, file, scenario, connections);
    let services = scenario.objects.destinations().count();
    for (index, dependency) in scenario.dependencies.iter().enumerate() {
        let what = format!("dependency {}", dependency.name);
        all[connections.part_of_service(services + index)].beyond.push((String::new(), what));
    }
    for (index, (given, traffic)) in file.traffic.iter().zip(&scenario.traffic).enumerate() {
        let place = format!("traffic[{index}]");
        for service in targets(&traffic.to, scenario) {
            of_traffic(&mut all[connections.part_of_service(service)], &place, given);
        }
    }
    all
}

fn of_workload(asked: &mut Asked, place: String, given: &WorkloadFile) {
    if let Some(level) = given.level {
        asked.levels.push((format!("{place}.level"), level));
    }
    asked.places.insert(place);
}

fn of_services(
    all: &mut [Asked],
    file: &ScenarioFile,
    scenario: &Scenario,
    connections: &Connections,
) {
    let objects = &scenario.objects;
    for (name, given) in &file.services {
        let Some(index) = place_called(name, scenario) else { continue };
        let asked = &mut all[connections.part_of_service(index)];
        let path = format!("services.{name}.balancing");
        let is_rates_too = matches!(given.balancing, Some(BalancingFile::Random) | None);
        if !is_rates_too && !weighs(name, scenario) {
            asked.needs.push(path);
        }
        asked.places.insert(format!("services.{name}"));
    }
    for service in scenario.may_be_uneven() {
        let Some(index) = place_of(service, objects) else { continue };
        if service.local {
            let what = format!("externalTrafficPolicy: Local of Service {}", service.name);
            all[connections.part_of_service(index)].beyond.push((String::new(), what));
        }
    }
}

fn of_traffic(asked: &mut Asked, place: &str, given: &TrafficFile) {
    if has_own_arrivals(given) {
        asked.needs.push(format!("{place}.arrivals"));
    }
    asked.places.insert(place.to_string());
}

/// Services that an entry's requests go to, as the manifests are.
fn targets(to: &Entry, scenario: &Scenario) -> Vec<usize> {
    let objects = &scenario.objects;
    match to {
        Entry::Service(index) => vec![*index],
        Entry::Ingress { only, host, path } => {
            let is_meant = |i: &&Ingress| only.as_ref().is_none_or(|name| i.object_name() == *name);
            let found = ingress::route(objects.ingresses().filter(is_meant), host, path);
            let Some((namespace, Backend::Service { name, .. })) = found else { return Vec::new() };
            let is_it = |s: &Service| s.name == *name && s.namespace == *namespace;
            objects.destinations().position(is_it).into_iter().collect()
        }
    }
}
