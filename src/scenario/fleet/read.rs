//! Reading fleets: templates into the objects of all members.
//!
//! Members that are there from the start end up among the manifests' objects; those that come
//! later keep theirs. It knows the scenario's sections, not what a world does with members.

use super::draw::draw;
use super::file::FleetFile;
use super::people::{delivery, hours};
use super::template::{self, names};
use super::{Arrival, Fleet, Member, Releases};
use crate::api::autoscaling::Hpa;
use crate::api::convert::autoscaling;
use crate::api::meta::Propagation;
use crate::api::object::{Object, Target};
use crate::api::service::Service;
use crate::api::workload::Deployment;
use crate::scenario::file::ScenarioFile;
use crate::scenario::kubectl::Command;
use crate::scenario::manifests::{Extent, Manifests, Place};
use crate::scenario::model::Objects;
use crate::scenario::resolve::Resolver;
use crate::scenario::yaml::{Node, parse};
use crate::units::{SimDuration, SimTime};

/// Most members of a fleet: beyond any cluster, and below what would fill the memory by a slip.
const MOST_MEMBERS: u32 = 100_000;

/// Kinds that a member may bring in the course of a run.
const COMING: [&str; 9] = [
    "Deployment",
    "Service",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "ConfigMap",
    "Secret",
    "Namespace",
    "ResourceQuota",
    "LimitRange",
];

/// A member that comes later: which, and what the manifests held before it was read.
#[derive(Debug)]
pub(in crate::scenario) struct Arriving {
    fleet: usize,
    member: usize,
    before: Extent,
}

/// Autoscalers with what they scale and where they stand.
type LaterHpas = Vec<(Hpa, autoscaling::Target, Place)>;

/// What members that come later bring, beside what they keep themselves.
#[derive(Debug, Default)]
pub(in crate::scenario) struct Later {
    /// Their Deployments, in the order of members.
    pub deployments: Vec<Deployment>,
    /// Their Services, likewise.
    pub services: Vec<Service>,
    /// Their autoscalers, to be held against what they scale.
    pub hpas: LaterHpas,
}

impl Resolver<'_> {
    /// Reads all fleets into the manifests: first those that are there from the start.
    pub(in crate::scenario) fn read_fleets(
        &mut self,
        file: &ScenarioFile,
        manifests: &mut Manifests,
    ) -> (Vec<Fleet>, Vec<Arriving>) {
        let mut fleets: Vec<Fleet> = file.fleets.iter().map(|given| empty(file, given)).collect();
        let mut arriving = Vec::new();
        for comes_later in [false, true] {
            for (index, given) in file.fleets.iter().enumerate() {
                if given.arrive.is_some() != comes_later {
                    continue;
                }
                let path = format!("fleets[{index}]");
                let fine = self.check_fleet(file, index, &path);
                let Some(members) = fine.then(|| self.members(file, given, &path, manifests))
                else {
                    manifests.incomplete = true;
                    continue;
                };
                if comes_later {
                    let befores = members.iter().map(|(_, before)| *before).enumerate();
                    arriving.extend(befores.map(|(member, before)| Arriving {
                        fleet: index,
                        member,
                        before,
                    }));
                }
                fleets[index].members = members.into_iter().map(|(member, _)| member).collect();
            }
        }
        for (index, given) in file.fleets.iter().enumerate() {
            let Some(of) = given.replaces.as_ref().and_then(|r| place_of(file, &r.fleet)) else {
                continue;
            };
            let replaced: Vec<Vec<Target>> =
                fleets[of].members.iter().map(|member| member.targets.clone()).collect();
            for (member, targets) in fleets[index].members.iter_mut().zip(replaced) {
                member.replaced = targets.into_iter().map(deleted).collect();
            }
        }
        (fleets, arriving)
    }

    /// Whether a fleet is well said.
    fn check_fleet(&mut self, file: &ScenarioFile, index: usize, path: &str) -> bool {
        let before = self.sources.out.errors.len();
        let given = &file.fleets[index];
        if place_of(file, &given.name) != Some(index) {
            let message = format!("two fleets are named `{}`", given.name);
            self.error(&format!("{path}.name"), message, None);
        }
        if !(1..=MOST_MEMBERS).contains(&given.count) {
            let message = format!("a fleet has 1 to {MOST_MEMBERS} members");
            self.error(&format!("{path}.count"), message, None);
        }
        let vary = &given.vary;
        if !vary.sizes.is_empty() && (vary.cpu_request.is_none() || vary.memory_request.is_none()) {
            let hint = "sizes round up cpu-request and memory-request: give both".to_string();
            self.error(&format!("{path}.vary.sizes"), "nothing to round up", Some(hint));
        }
        for (at, pair) in vary.sizes.windows(2).enumerate() {
            let size = |n: usize| (pair[n].cpu.0.as_cpu(), pair[n].memory.0.as_bytes());
            if size(1).0 < size(0).0 || size(1).1 < size(0).1 {
                let path = format!("{path}.vary.sizes[{}]", at + 1);
                self.error(&path, "is smaller than the one before it", None);
            }
        }
        if let Some(arrive) = &given.arrive {
            let from = arrive.from.map_or(SimDuration::ZERO, |span| span.0);
            if arrive.until.0 < from {
                self.error(&format!("{path}.arrive.until"), "is before `from`", None);
            } else if arrive.until.0 > self.end {
                let message = "is after the end of the scenario";
                self.error(&format!("{path}.arrive.until"), message, None);
            }
            if arrive.every.is_some_and(|every| every.0 == SimDuration::ZERO) {
                self.error(&format!("{path}.arrive.every"), "must be longer than zero", None);
            }
        }
        self.check_replaces(file, given, path);
        self.check_people(file, given, path);
        self.sources.out.errors.len() == before
    }

    fn check_replaces(&mut self, file: &ScenarioFile, given: &FleetFile, path: &str) {
        let Some(replaces) = &given.replaces else { return };
        let path = format!("{path}.replaces");
        let known: Vec<String> = file.fleets.iter().map(|fleet| fleet.name.clone()).collect();
        match place_of(file, &replaces.fleet) {
            None => self.unknown(&format!("{path}.fleet"), "fleet", &replaces.fleet, &known),
            Some(of) if file.fleets[of].name == given.name => {
                self.error(&format!("{path}.fleet"), "a fleet can't replace itself", None);
            }
            Some(of) if file.fleets[of].count < given.count => {
                let count = file.fleets[of].count;
                let message = format!("`{}` has only {count} members", replaces.fleet);
                self.error(&format!("{path}.fleet"), message, None);
            }
            Some(_) => {}
        }
        if given.arrive.is_none() {
            let hint = "say when its members come: arrive: {until: 30d}".to_string();
            self.error(&path, "only what comes later can take a place", Some(hint));
        }
    }

    /// Reads all members, each with what had been read before it.
    fn members(
        &mut self,
        file: &ScenarioFile,
        given: &FleetFile,
        path: &str,
        manifests: &mut Manifests,
    ) -> Vec<(Member, Extent)> {
        let at = self.place(&format!("{path}.template"));
        let full = self.folder.join(&given.template);
        let shown = full.display().to_string();
        let Some(text) = self.sources.text(&full, &shown, Some(at)) else {
            manifests.incomplete = true;
            return Vec::new();
        };
        let documents = match parse(&text) {
            Ok(documents) => documents,
            Err(error) => {
                self.sources.out.at(&shown, error.span, error.message, None);
                manifests.incomplete = true;
                return Vec::new();
            }
        };
        let names = names(&documents);
        let (stream, population) = drawn_as(file, given);
        let width = given.count.to_string().len();
        let mut members = Vec::new();
        for number in 1..=given.count {
            let suffix = format!("{number:0width$}");
            let drawn = draw(&given.vary, stream, population, number);
            let (before, errors) = (manifests.extent(), self.sources.out.errors.len());
            for document in &documents {
                let made = template::member(document, &names, &suffix, &drawn);
                if number == 1 && given.count > 1 {
                    self.check_selectors(document, &made, &shown);
                }
                manifests.document(&shown, made, &mut self.sources.out);
            }
            if number > 1 {
                manifests.hush_since(&before);
            }
            let targets = manifests.targets_since(&before);
            if number == 1 && given.arrive.is_some() {
                self.check_kinds(&targets, manifests.has_devices_since(&before), path);
            }
            if self.sources.out.errors.len() > errors {
                // The others are wrong in the same way.
                manifests.incomplete = true;
                return Vec::new();
            }
            let name = format!("{}-{suffix}", given.name).into();
            let (applied, replaced) = (Vec::new(), Vec::new());
            members.push((Member { name, targets, applied, replaced }, before));
        }
        members
    }

    /// Members must not select each other's pods.
    fn check_selectors(&mut self, document: &Node, made: &Node, shown: &str) {
        for (of_template, of_member) in
            template::objects(document).into_iter().zip(template::objects(made))
        {
            let selector = |node: &Node| node.get("spec").and_then(|s| s.get("selector")).cloned();
            let Some(selector) = selector(of_template).zip(selector(of_member)) else { continue };
            if selector.0 == selector.1 {
                let message = "spec.selector: it is the same for all members of the fleet";
                let hint = "let a label's value be the name of an object of the template: both \
                            get the member's number";
                let (span, hint) = (selector.0.span, Some(hint.to_string()));
                self.sources.out.at(shown, span, message, hint);
            }
        }
    }

    fn check_kinds(&mut self, targets: &[Target], has_devices: bool, path: &str) {
        let kinds = targets.iter().map(|target| &*target.kind);
        let wrong = kinds.filter(|kind| !COMING.contains(kind)).map(str::to_string);
        let wrong: Vec<String> =
            wrong.chain(has_devices.then(|| "device or claim".to_string())).collect();
        for kind in wrong {
            let message = format!("a member that comes later can't bring a {kind}");
            let hint = format!("it may bring: {}", COMING.join(", "));
            self.error(&format!("{path}.template"), message, Some(hint));
        }
    }

    /// Gives members that come later their objects, which the manifests lose. Their Deployments are
    /// behind all others, in the order of members.
    pub(in crate::scenario) fn hold_back(
        &mut self,
        fleets: &mut [Fleet],
        arriving: Vec<Arriving>,
        manifests: &mut Manifests,
    ) -> Later {
        let mut later = Later::default();
        for Arriving { fleet, member, before } in arriving.into_iter().rev() {
            let found = manifests.split_off(&before);
            later.deployments.extend(found.deployments.iter().rev().map(|(d, _)| d.clone()));
            later.hpas.extend(found.hpas.iter().cloned());
            let services = found.services.iter().rev().map(|(s, _)| s.clone());
            later.services.extend(services);
            let applied = found.into_objects().into_iter();
            fleets[fleet].members[member].applied = applied.map(applied_as).collect();
        }
        later.deployments.reverse();
        later.services.reverse();
        later
    }

    /// Whether autoscalers that come later have something to scale.
    pub(in crate::scenario) fn check_later(&mut self, later: LaterHpas, objects: &mut Objects) {
        let there = objects.hpas.len();
        self.hpas(later, objects);
        objects.hpas.truncate(there);
    }
}

fn applied_as(object: Object) -> Command {
    Command::Apply { object, keeps_replicas: false }
}

fn deleted(target: Target) -> Command {
    Command::Delete { target, propagation: Propagation::Background, grace: None }
}

fn place_of(file: &ScenarioFile, name: &str) -> Option<usize> {
    file.fleets.iter().position(|fleet| fleet.name == name)
}

/// Whose draws the members of a fleet have: those of the fleet that it replaces, in the end.
fn drawn_as<'f>(file: &'f ScenarioFile, given: &'f FleetFile) -> (&'f str, u64) {
    let mut of = given;
    // A circle of fleets ends somewhere.
    for _ in 0..file.fleets.len() {
        let next = of.replaces.as_ref().and_then(|r| place_of(file, &r.fleet));
        let Some(next) = next else { break };
        of = &file.fleets[next];
    }
    (&of.name, of.population.unwrap_or(1))
}

/// A fleet without its members.
fn empty(file: &ScenarioFile, given: &FleetFile) -> Fleet {
    let after = given.replaces.as_ref().and_then(|r| r.after);
    let arrival = given.arrive.as_ref().map(|arrive| Arrival {
        from: arrive.from.map_or(SimTime::ZERO, |span| span.instant()),
        until: arrive.until.instant(),
        every: arrive.every.map(|span| span.0),
        after: after.map_or(SimDuration::ZERO, |span| span.0),
        hours: hours(arrive.hours.as_ref()),
    });
    Fleet {
        name: given.name.as_str().into(),
        members: Vec::new(),
        arrival,
        delivery: delivery(file, given.delivery.as_ref()),
        releases: given.releases.as_ref().map(|releases| Releases {
            per_day: releases.per_day,
            hours: hours(releases.hours.as_ref()),
            delivery: delivery(file, releases.delivery.as_ref()),
        }),
    }
}
