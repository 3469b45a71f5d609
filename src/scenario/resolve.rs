//! From the file as written to a scenario: references resolved, values checked, defaults filled in.
//!
//! Every mistake is noted with the path of its field; nothing stops at the first one.

use super::applied::heed_claims;
use super::commands::Names;
use super::diagnostic::{Diagnostic, did_you_mean};
use super::existing::{Asked, Pattern, made_by_pods};
use super::file::{
    BoundFile, CpuContention, ExpectFile, NodesFile, PodsFile, ScenarioFile, Start, TimelineFile,
};
use super::flags::WITHOUT_EFFECT;
use super::fleet::Later;
use super::load::Sources;
use super::manifests::Manifests;
use super::model::*;
use super::price_book::PriceBook;
use super::priorities::PriorityClass;
use super::value::{Span, parse_duration, parse_ratio};
use super::workloads::others;
use super::yaml::Node;
use super::{checks, group_priorities, resized, scheduler_configuration};
use crate::record::metric::{self, Unit};
use crate::units::{SimDuration, WallClock};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What befalls a selection of nodes.
type OfNodes = fn(NodeSelection) -> Happening;

/// Resolves one scenario file.
pub(super) struct Resolver<'a> {
    pub name: String,
    pub tree: &'a Node,
    pub folder: PathBuf,
    /// The scenario's duration.
    pub end: SimDuration,
    pub sources: &'a mut Sources,
    /// All node groups could be read: one that is not there is an error.
    pub all_groups: bool,
    /// All objects of the manifests could be read: one that is not there is an error.
    pub all_objects: bool,
    /// Priority classes of the manifests, and of what lines of kubectl have applied so far.
    pub priorities: BTreeMap<String, PriorityClass>,
    /// Secrets and ConfigMaps that are there although no manifest has them.
    pub existing: Vec<Pattern>,
    /// Names of what the cluster depends on and does not run.
    pub dependencies: Vec<String>,
    /// What pods of manifests ask for, those of lines of kubectl included.
    pub asked: Vec<Asked>,
}

impl Resolver<'_> {
    pub(super) fn place(&self, path: &str) -> Diagnostic {
        Diagnostic {
            file: self.name.clone(),
            span: Some(self.tree.nearest(path).span.clone()),
            path: path.to_string(),
            message: String::new(),
            hint: None,
        }
    }

    pub(super) fn error(&mut self, path: &str, message: impl Into<String>, hint: Option<String>) {
        let diagnostic = Diagnostic { message: message.into(), hint, ..self.place(path) };
        self.sources.out.errors.push(diagnostic);
    }

    pub(super) fn unknown(&mut self, path: &str, what: &str, name: &str, known: &[String]) {
        let unsure = match what {
            "node group" | "zone" => !self.all_groups,
            "Service" | "Service or dependency" | "Deployment" | "workload" | "Ingress" => {
                !self.all_objects
            }
            _ => false,
        };
        if unsure {
            return;
        }
        let near = did_you_mean(name, known.iter().map(String::as_str));
        let hint = match near {
            Some(near) => Some(format!("did you mean `{near}`?")),
            None if known.is_empty() => None,
            None => Some(format!("known: {}", known.join(", "))),
        };
        self.error(path, format!("there is no {what} `{name}`"), hint);
    }

    fn check_frame(&mut self, file: &ScenarioFile) {
        if file.question.trim().is_empty() {
            self.error("question", "a scenario asks a question", None);
        }
        if file.duration.0 == SimDuration::ZERO {
            self.error("duration", "must be longer than zero", None);
        }
    }

    /// The whole scenario; `None` when it can't be put together at all.
    pub(super) fn resolve(
        &mut self,
        file: ScenarioFile,
        mut manifests: Manifests,
    ) -> Option<Scenario> {
        let (mut fleets, arriving) = self.read_fleets(&file, &mut manifests);
        manifests.judge(&file.custom_resources, &mut self.sources.out);
        self.all_objects = !manifests.incomplete;
        self.check_frame(&file);
        let mut ignored = manifests.ignored.clone();
        self.priorities = manifests.priorities.clone();
        ignored.extend(self.flags_without_effect());
        ignored.extend(self.lost_backends(&manifests));
        self.read_existing(&file.existing);
        self.keep_references(&manifests);
        let askers = Self::askers(&manifests);
        let ranks = group_priorities::find(&manifests);
        let later = self.hold_back(&mut fleets, arriving, &mut manifests);
        let pools = std::mem::take(&mut manifests.node_pools);
        let mut objects = self.objects(&file, manifests, later);
        let book = self.price_book(&file);
        let (mut groups, mut karpenter) = self.all_groups(&file, pools, &book, &mut ignored);
        let mut flags = file.flags.over_defaults(groups.iter().any(|group| group.autoscaled));
        ignored.extend(self.scheduler_configuration(&file, &mut flags));
        self.group_priorities(ranks, &mut flags);
        self.check_flags(&flags);
        let timeline = self.planned(&file, &objects, (&mut groups, &mut karpenter), &flags, &book);
        objects.find_later_services(&timeline);
        let workloads = resized::marked(self.workloads(&file, &objects), &objects, &timeline);
        self.check_calls(&objects, &workloads);
        let balancing = self.balancing(&file, &objects);
        let traffic = self.traffic(&file, &objects, &groups);
        ignored.extend(self.unwanted(&traffic, &objects));
        let metrics = self.metrics(&file, &objects);
        ignored.extend(self.unprovided(&askers, &objects, &metrics));
        let mut scenario = Scenario {
            name: String::new(),
            question: file.question.trim().to_string(),
            about: file.about.trim().to_string(),
            duration: file.duration.0,
            cut_short: false,
            cold_start: file.start == Start::Cold,
            cpu_contention: file.cpu_contention == CpuContention::Shares,
            clock: WallClock::default(),
            seed: file.seed.unwrap_or(1),
            balancing,
            dependencies: self.dependencies(&file, &objects),
            traffic,
            levels: Vec::new(),
            metrics,
            timeline,
            fleets,
            teams: self.teams(&file),
            observe: self.observe(&file, &book),
            expect: self.expect(&file, &objects),
            node_groups: groups,
            karpenter,
            objects,
            workloads,
            flags,
            ignored,
            awaited: Vec::new(),
            hash: String::new(),
            parameters: serde_json::Value::Null,
        };
        self.levels(&file, &mut scenario);
        heed_claims(&mut scenario);
        self.provide(&mut scenario);
        Some(scenario)
    }

    fn check_flags(&mut self, flags: &Flags) {
        for (path, message) in checks::flags(flags) {
            self.error(&format!("flags.{path}"), message, None);
        }
    }

    /// Reads the file that `--config` of the scheduler names; gives what of it changes nothing.
    fn scheduler_configuration(
        &mut self,
        file: &ScenarioFile,
        flags: &mut Flags,
    ) -> Option<Ignored> {
        const PATH: &str = "flags.kube-scheduler";
        let given = &file.flags.kube_scheduler;
        let name = given.config.as_ref()?;
        let also = [
            (given.kube_api_qps.is_some(), "kube-api-qps", "clientConnection.qps"),
            (given.kube_api_burst.is_some(), "kube-api-burst", "clientConnection.burst"),
            (given.parallelism.is_some(), "parallelism", "parallelism"),
            (
                given.percentage_of_nodes_to_score.is_some(),
                "percentage-of-nodes-to-score",
                "percentageOfNodesToScore",
            ),
            (
                given.pod_initial_backoff.is_some(),
                "pod-initial-backoff",
                "podInitialBackoffSeconds",
            ),
            (given.pod_max_backoff.is_some(), "pod-max-backoff", "podMaxBackoffSeconds"),
        ];
        for (_, flag, field) in also.into_iter().filter(|(is_given, ..)| *is_given) {
            let hint = Some(format!("say it there, as `{field}`"));
            self.error(&format!("{PATH}.{flag}"), "is for the configuration file to say", hint);
        }
        let path = self.folder.join(name);
        let shown = path.display().to_string();
        let at = self.place(&format!("{PATH}.config"));
        let text = self.sources.text(&path, &shown, Some(at))?;
        match scheduler_configuration::read(&shown, &text) {
            Ok(configured) => {
                let (scheduler, read) = (&mut flags.scheduler, configured.configuration);
                scheduler.kube_api_qps = configured.qps.unwrap_or(scheduler.kube_api_qps);
                scheduler.kube_api_burst = configured.burst.unwrap_or(scheduler.kube_api_burst);
                scheduler.parallelism = read.parallelism;
                scheduler.percentage_of_nodes_to_score = read.percentage_of_nodes_to_score;
                let seconds = SimDuration::from_secs;
                scheduler.pod_initial_backoff = seconds(read.pod_initial_backoff_seconds);
                scheduler.pod_max_backoff = seconds(read.pod_max_backoff_seconds);
                scheduler.profiles = read.profiles;
                configured.ignored
            }
            Err(faults) => {
                for fault in faults {
                    self.sources.out.at(&shown, fault.span, fault.message, fault.hint);
                }
                None
            }
        }
    }

    /// Flags that are given and can have no effect.
    fn flags_without_effect(&self) -> Vec<Ignored> {
        let given = |(path, reason): &(&str, &str)| {
            let (component, flag) = path.split_once('.')?;
            let key = self.tree.get("flags")?.get(component)?.get(flag)?;
            let (line, _) = self.sources.out.line_column(&self.name, key.span.start);
            let (object, reason) = (format!("flags.{path}"), reason.to_string());
            Some(Ignored { file: self.name.clone(), line, object, fields: Vec::new(), reason })
        };
        WITHOUT_EFFECT.iter().filter_map(given).collect()
    }

    fn objects(&mut self, file: &ScenarioFile, manifests: Manifests, later: Later) -> Objects {
        let mut deployments: Vec<_> = manifests.deployments.into_iter().map(|(d, _)| d).collect();
        let arriving = later.deployments.len();
        deployments.extend(later.deployments);
        let mut objects = Objects {
            services: manifests.services.into_iter().map(|(s, _)| s).collect(),
            later: later.services,
            pdbs: manifests.pdbs.into_iter().map(|(p, _)| p).collect(),
            devices: Devices {
                objects: manifests.devices.objects.into_iter().map(|(o, _)| o).collect(),
                templates: manifests.devices.templates.into_iter().map(|(t, _)| t).collect(),
            },
            hpas: Vec::new(),
            vpas: Vec::new(),
            scaled_objects: manifests.scaled_objects,
            applied: manifests.applied.into_iter().map(|(object, ..)| object).collect(),
            others: Vec::new(),
            deployments,
            arriving,
        };
        objects.others = others(file, &objects);
        self.hpas(manifests.hpas, &mut objects);
        self.vpas(manifests.vpas, &mut objects);
        self.check_later(later.hpas, &mut objects);
        objects
    }

    pub(super) fn service(&mut self, name: &str, path: &str, objects: &Objects) -> Option<usize> {
        let mut all = objects.destinations();
        let found = all.position(|s| is_named(name, &s.namespace, &s.name));
        if found.is_none() {
            let known: Vec<String> = objects.destinations().map(|s| s.name.to_string()).collect();
            self.unknown(path, "Service", name, &known);
        }
        found
    }

    fn deployment(&mut self, name: &str, path: &str, objects: &Objects) -> Option<usize> {
        let found = objects.deployments.iter().position(|d| is_named(name, &d.namespace, &d.name));
        if found.is_none() {
            self.unknown(path, "Deployment", name, &names_of(objects));
        }
        found
    }

    pub(super) fn timeline(
        &mut self,
        file: &ScenarioFile,
        objects: &Objects,
        groups: &[NodeGroup],
        flags: &Flags,
    ) -> Vec<TimelineEntry> {
        let mut entries = Vec::new();
        let existing = self.existing.iter().cloned().chain(made_by_pods(objects)).collect();
        let mut names = Names::of(objects, groups, existing);
        for (index, given) in file.timeline.iter().enumerate() {
            let path = format!("timeline[{index}]");
            if given.at.0 >= file.duration.0 {
                self.error(&format!("{path}.at"), "is after the end of the scenario", None);
            }
            let what = self.happenings(given, &path, objects, groups);
            what.iter().for_each(|what| self.check_control_plane(what, &path, flags));
            let line = given.kubectl.iter();
            let commands =
                line.flat_map(|line| self.kubectl(line, &format!("{path}.kubectl"), &mut names));
            let commands: Vec<Happening> =
                commands.map(|command| Happening::Kubectl(Box::new(command))).collect();
            let count = given.count();
            if count != 1 {
                let hint = "one of node-crash, node-shutdown, node-hang, zone-outage, \
                            container-crash, container-hang, crash-loop, delete-pods, \
                            registry-slow, registry-outage, dependency, api-server-outage, \
                            api-load, component-crash, node-group-max, max-nodes-total, stock-out, \
                            spot-interruption, scale, kubectl";
                let message = format!("expected one happening, found {count}");
                self.error(&path, message, Some(hint.into()));
            }
            let at = given.at.instant();
            let until = given.lasts.map(|span| at + span.0);
            let all = what.into_iter().chain(commands);
            entries.extend(all.map(|what| TimelineEntry { at, until, what }));
        }
        entries.sort_by_key(|entry| entry.at);
        entries
    }

    fn happenings(
        &mut self,
        given: &TimelineFile,
        path: &str,
        objects: &Objects,
        groups: &[NodeGroup],
    ) -> Option<Happening> {
        let of_nodes = [
            ("node-crash", &given.node_crash, Happening::NodeCrash as OfNodes),
            ("node-shutdown", &given.node_shutdown, Happening::NodeShutdown),
            ("node-hang", &given.node_hang, Happening::NodeHang),
        ];
        for (name, nodes, happening) in of_nodes {
            if let Some(nodes) = nodes {
                return self.nodes(nodes, &format!("{path}.{name}"), groups).map(happening);
            }
        }
        if let Some(zone) = &given.zone_outage {
            let zone = self.zone(&zone.zone, &format!("{path}.zone-outage.zone"), groups)?;
            return Some(Happening::ZoneOutage { zone });
        }
        if let Some(pods) = &given.container_crash {
            let pods = self.pods(pods, &format!("{path}.container-crash"), objects)?;
            return Some(Happening::ContainerCrash(pods));
        }
        if let Some(pods) = &given.container_hang {
            let pods = self.pods(pods, &format!("{path}.container-hang"), objects)?;
            return Some(Happening::ContainerHang(pods));
        }
        if let Some(pods) = &given.delete_pods {
            let pods = self.pods(pods, &format!("{path}.delete-pods"), objects)?;
            return Some(Happening::DeletePods(pods));
        }
        if let Some(crash) = &given.crash_loop {
            let inner = format!("{path}.crash-loop.deployment");
            let deployment = self.deployment(&crash.deployment, &inner, objects)?;
            return Some(Happening::CrashLoop { deployment, after: crash.after.0 });
        }
        if let Some(slow) = &given.registry_slow {
            if slow.factor.is_nan() || slow.factor < 1.0 {
                self.error(&format!("{path}.registry-slow.factor"), "must be at least 1", None);
            }
            return Some(Happening::RegistrySlow { factor: slow.factor });
        }
        if let Some(outage) = &given.registry_outage {
            // containerd, core/remotes/docker/registry.go: the dialer's timeout.
            let patience = outage.fails_after.map_or(SimDuration::from_secs(30), |span| span.0);
            return Some(Happening::RegistryOutage { fails_after: patience });
        }
        let outside = self.resized(given, path);
        if let Some(found) = outside.or_else(|| self.control_plane_happening(given, path)) {
            return found;
        }
        if let Some(found) = self.market_happening(given, path, groups) {
            return found;
        }
        if let Some(limit) = &given.node_group_max {
            let inner = format!("{path}.node-group-max.group");
            let group = self.group(&limit.group, &inner, groups)?;
            return Some(Happening::NodeGroupMax { group, max: limit.max });
        }
        if let Some(max) = given.max_nodes_total {
            return Some(Happening::MaxNodesTotal { max });
        }
        let scale = given.scale.as_ref()?;
        let inner = format!("{path}.scale.deployment");
        let deployment = self.deployment(&scale.deployment, &inner, objects)?;
        Some(Happening::Scale { deployment, replicas: scale.replicas })
    }

    pub(super) fn nodes(
        &mut self,
        given: &NodesFile,
        path: &str,
        groups: &[NodeGroup],
    ) -> Option<NodeSelection> {
        let group = match &given.group {
            None => None,
            Some(name) => Some(self.group(name, &format!("{path}.group"), groups)?),
        };
        let zone = match &given.zone {
            None => None,
            Some(zone) => Some(self.zone(zone, &format!("{path}.zone"), groups)?),
        };
        self.some(given.count, path);
        Some(NodeSelection { group, zone, count: given.count })
    }

    fn pods(&mut self, given: &PodsFile, path: &str, objects: &Objects) -> Option<PodSelection> {
        let deployment =
            self.deployment(&given.deployment, &format!("{path}.deployment"), objects)?;
        self.some(given.count, path);
        Some(PodSelection { deployment, count: given.count })
    }

    /// A fault hits something.
    fn some(&mut self, count: Option<u32>, path: &str) {
        if count == Some(0) {
            let hint = "leave it out to hit all".to_string();
            self.error(&format!("{path}.count"), "must be at least 1", Some(hint));
        }
    }

    fn group(&mut self, name: &str, path: &str, groups: &[NodeGroup]) -> Option<usize> {
        let found = groups.iter().position(|group| *group.name == *name);
        if found.is_none() {
            let known: Vec<String> = groups.iter().map(|g| g.name.to_string()).collect();
            self.unknown(path, "node group", name, &known);
        }
        found
    }

    pub(super) fn zone(
        &mut self,
        name: &str,
        path: &str,
        groups: &[NodeGroup],
    ) -> Option<crate::api::Text> {
        let mut known: Vec<String> =
            groups.iter().flat_map(|g| g.zones.iter().map(|z| z.to_string())).collect();
        known.sort();
        known.dedup();
        if !known.iter().any(|zone| zone == name) {
            self.unknown(path, "zone", name, &known);
            return None;
        }
        Some(name.into())
    }

    fn observe(&mut self, file: &ScenarioFile, book: &PriceBook) -> Observe {
        let given = &file.observe;
        let carbon = given.carbon_intensity.as_ref();
        let second = SimDuration::from_secs(1);
        let default = SimDuration::from_secs((file.duration.0.0 / 1440).div_ceil(second.0).max(1));
        let every = given.every.map_or(default, |span| span.0);
        let resolution = given.traffic_resolution.map_or(SimDuration::from_secs(15), |s| s.0);
        for (value, name) in [(every, "every"), (resolution, "traffic-resolution")] {
            if value == SimDuration::ZERO {
                self.error(&format!("observe.{name}"), "must be longer than zero", None);
            }
        }
        let error_budget = given.error_budget.map_or(0.01, |ratio| ratio.0);
        if !(0.0..=1.0).contains(&error_budget) {
            self.error("observe.error-budget", "is a share between 0% and 100%", None);
        }
        Observe {
            every,
            traffic_resolution: resolution,
            error_budget,
            latency_objective: given.latency_objective.map_or(second, |span| span.0),
            currency: given
                .currency
                .clone()
                .or(book.currency.clone())
                .unwrap_or_else(|| "USD".to_string()),
            carbon_intensity: carbon
                .and_then(|curve| self.curve(curve, "observe.carbon-intensity")),
        }
    }

    fn expect(&mut self, file: &ScenarioFile, objects: &Objects) -> Vec<Expectation> {
        let mut found = Vec::new();
        for (index, entry) in file.expect.iter().enumerate() {
            if entry.is_empty() {
                let hint = "like failed_ratio: {at-most: 1%}".to_string();
                self.error(&format!("expect[{index}]"), "expected a measure", Some(hint));
            }
            for (name, given) in entry {
                let path = format!("expect[{index}].{name}");
                found.extend(self.expectation(name, given, &path, objects));
            }
        }
        found
    }

    fn expectation(
        &mut self,
        name: &str,
        given: &ExpectFile,
        path: &str,
        objects: &Objects,
    ) -> Option<Expectation> {
        let Some(metric) = metric::find(name) else {
            let known: Vec<String> = metric::METRICS.iter().map(|m| m.name.to_string()).collect();
            self.unknown(path, "measure", name, &known);
            return None;
        };
        if given.of.is_some() && !metric.scope.of {
            self.error(
                &format!("{path}.of"),
                format!("`{name}` is one of the whole cluster"),
                None,
            );
        }
        if (given.from.is_some() || given.until.is_some()) && !metric.scope.window {
            self.error(path, format!("`{name}` is one of the whole run: no from, no until"), None);
        }
        let of = match &given.of {
            None => None,
            Some(of) => match self.dependencies.iter().find(|name| *name == of) {
                Some(name) => Some(name.clone()),
                None => {
                    let index = self.bearer(of, &format!("{path}.of"), objects)?;
                    objects.names_of_bearers().into_iter().nth(index)
                }
            },
        };
        let at_least =
            self.bound(given.at_least.as_ref(), metric.unit, &format!("{path}.at-least"));
        let at_most = self.bound(given.at_most.as_ref(), metric.unit, &format!("{path}.at-most"));
        if given.at_least.is_none() && given.at_most.is_none() {
            self.error(path, "an expectation has at-least, at-most or both", None);
        }
        if let (Some(least), Some(most)) = (at_least, at_most)
            && least > most
        {
            self.error(&format!("{path}.at-most"), "is below at-least: nothing can hold", None);
        }
        let end = self.end;
        if given.from.is_some_and(|from| from.0 >= end) {
            self.error(&format!("{path}.from"), "is after the end of the scenario", None);
        }
        if let (Some(from), Some(until)) = (given.from, given.until)
            && until.0 <= from.0
        {
            self.error(&format!("{path}.until"), "must be after from", None);
        }
        let text = words(name, given);
        let (from, until) = (given.from.map(Span::instant), given.until.map(Span::instant));
        Some(Expectation { metric: name.to_string(), of, from, until, at_least, at_most, text })
    }

    fn bound(&mut self, given: Option<&BoundFile>, unit: Unit, path: &str) -> Option<f64> {
        let parsed = match (given?, unit) {
            (BoundFile::Number(n), Unit::Duration) if *n != 0.0 => {
                Err(format!("{n} has no unit|write a duration like 90s or 2h"))
            }
            (BoundFile::Number(n), _) => Ok(*n),
            (BoundFile::Text(text), Unit::Duration) => {
                parse_duration(text).map(|d| d.as_secs_f64())
            }
            (BoundFile::Text(text), Unit::Ratio) => parse_ratio(text),
            (BoundFile::Text(text), _) => {
                text.parse().map_err(|_| format!("`{text}` is no number|this measure is a number"))
            }
        };
        match parsed {
            Ok(value) => Some(value),
            Err(message) => {
                let (message, hint) = match message.split_once('|') {
                    Some((message, hint)) => (message.to_string(), Some(hint.to_string())),
                    None => (message, None),
                };
                self.error(path, message, hint);
                None
            }
        }
    }
}

/// An expectation in words, for messages and the report.
fn words(name: &str, given: &ExpectFile) -> String {
    let bound = |bound: &BoundFile| match bound {
        BoundFile::Number(n) => n.to_string(),
        BoundFile::Text(text) => text.clone(),
    };
    let mut text = name.to_string();
    if let Some(of) = &given.of {
        text.push_str(&format!(" of {of}"));
    }
    if let Some(from) = given.from {
        text.push_str(&format!(" from {}", from.0));
    }
    if let Some(until) = given.until {
        text.push_str(&format!(" until {}", until.0));
    }
    if let Some(least) = &given.at_least {
        text.push_str(&format!(" at least {}", bound(least)));
    }
    if let Some(most) = &given.at_most {
        text.push_str(&format!(" at most {}", bound(most)));
    }
    text
}

fn names_of(objects: &Objects) -> Vec<String> {
    objects.deployments.iter().map(|d| d.name.to_string()).collect()
}

/// Whether `given` (`name` or `namespace/name`) names this object.
pub(super) fn is_named(given: &str, namespace: &str, name: &str) -> bool {
    match given.split_once('/') {
        Some((space, rest)) => space == namespace && rest == name,
        None => given == name,
    }
}
