//! What manifests do not say of whatever bears traffic, and who scales it.
//!
//! Names are looked up here among all bearers of traffic; `resolve` knows the sections of the file.

use super::bearers::{Bearer, bearer};
use super::diagnostic::{Diagnostic, did_you_mean};
use super::file::{ProbeFailsFile, ScenarioFile, WorkloadFile};
use super::graph::file::CallsFile;
use super::manifests::Place;
use super::model::{DiskUse, Failings, Objects, Workload};
use super::resolve::Resolver;
use super::value::Span;
use crate::api::autoscaling::Hpa;
use crate::api::convert::autoscaling::Target;
use crate::sim::sample::Distribution;
use crate::units::{Bytes, MilliCpu, SimDuration};

/// Of the objects that are applied at the start, those that bear traffic: whatever controls pods
/// for good, and bare pods that a Service selects or that the file speaks of.
pub(super) fn others(file: &ScenarioFile, objects: &Objects) -> Vec<usize> {
    let named: Vec<&str> = file.workloads.keys().map(String::as_str).collect();
    let is_meant = |bearer: &Bearer<'_>| {
        bearer.kind != "Pod"
            || objects.services.iter().any(|service| bearer.is_behind(service))
            || named.iter().any(|name| bearer.is_called(name))
    };
    let all = objects.applied.iter().enumerate();
    all.filter(|(_, object)| bearer(object).is_some_and(|b| is_meant(&b))).map(|(i, _)| i).collect()
}

impl Resolver<'_> {
    /// What the file says of each bearer of traffic.
    pub(super) fn workloads(&mut self, file: &ScenarioFile, objects: &Objects) -> Vec<Workload> {
        for name in file.workloads.keys() {
            self.bearer(name, &format!("workloads.{name}"), objects);
        }
        let default = WorkloadFile::default();
        let mut found = Vec::new();
        for bearer in objects.bearers() {
            let entry = file.workloads.iter().find(|(name, _)| bearer.is_called(name));
            let (path, given) = match entry {
                Some((name, given)) => (format!("workloads.{name}"), given),
                None => (String::new(), &default),
            };
            found.push(self.workload(given, &path, objects));
        }
        found
    }

    /// What the file says of one of them, at `path`.
    pub(super) fn workload(
        &mut self,
        given: &WorkloadFile,
        path: &str,
        objects: &Objects,
    ) -> Workload {
        let span = |given: Option<Span>, default: SimDuration| given.map_or(default, |span| span.0);
        let memory = given.memory.clone().unwrap_or_default();
        let image = given.image.clone().unwrap_or_default();
        let disk = given.disk.clone().unwrap_or_default();
        let bytes = |given: Option<super::value::Amount>, default: Bytes| {
            given.map_or(default, |amount| amount.0.as_bytes())
        };
        let demand = span(given.demand, SimDuration::from_millis(10));
        let timeout = span(given.timeout, SimDuration::from_secs(1));
        if timeout == SimDuration::ZERO {
            self.error(&format!("{path}.timeout"), "must be longer than zero", None);
        }
        if given.concurrency == Some(0) {
            self.error(&format!("{path}.concurrency"), "must be at least 1", None);
        }
        let burst = given.burst.unwrap_or(2.0);
        if !(1.0..=1000.0).contains(&burst) {
            self.error(&format!("{path}.burst"), "is a factor of at least 1", None);
        }
        let calls = self.calls(&given.calls, &format!("{path}.calls"), objects);
        let serving = self.serving(given, path);
        Workload {
            demand,
            wait: span(given.wait, SimDuration::ZERO),
            concurrency: given.concurrency.unwrap_or(100),
            queue: given.queue.unwrap_or(1000),
            timeout,
            idle_cpu: given.idle_cpu.map_or(MilliCpu(5), |amount| amount.0.as_cpu()),
            memory: bytes(memory.base, Bytes::mebi(64)),
            memory_per_request: bytes(memory.per_request, Bytes::ZERO),
            startup: given
                .startup
                .as_ref()
                .map_or_else(|| Distribution::lognormal_p50_p99(2.0, 6.0), |v| v.0.clone()),
            image_size: bytes(image.size, Bytes(200_000_000)),
            image_layers: image.layers.unwrap_or(8),
            disk: DiskUse {
                base: bytes(disk.base, Bytes::ZERO),
                growth: bytes(disk.growth, Bytes::ZERO),
            },
            burst,
            calls,
            calls_stop: matches!(given.calls, CallsFile::Steps(_)),
            serving,
            init: given.init.as_ref().map_or(Distribution::Constant(1.0), |v| v.0.clone()),
            failings: Failings {
                crash_after: given.crash_after.as_ref().map(|varying| varying.0.clone()),
                hang_after: given.hang_after.as_ref().map(|varying| varying.0.clone()),
                memory_growth: bytes(memory.growth, Bytes::ZERO),
                probes_queue: given.probe_fails_when == Some(ProbeFailsFile::Overloaded),
            },
            // Found when all of the manifests and the timeline is known.
            is_resized: false,
        }
    }

    /// The bearer of traffic that is meant by a name.
    pub(super) fn bearer(&mut self, name: &str, path: &str, objects: &Objects) -> Option<usize> {
        let all = objects.bearers().enumerate();
        let found: Vec<(usize, Bearer<'_>)> = all.filter(|(_, b)| b.is_called(name)).collect();
        let Some((index, first)) = found.first() else {
            self.no_bearer(name, path, objects);
            return None;
        };
        if let Some((_, other)) = found.iter().find(|(_, other)| other.kind != first.kind) {
            let called = |b: &Bearer<'_>| format!("`{}/{}`", b.kind.to_ascii_lowercase(), b.name);
            let message = format!("`{name}` may be a {} or a {}", first.kind, other.kind);
            let hint = format!("write {} or {}", called(first), called(other));
            self.error(path, message, Some(hint));
        }
        Some(*index)
    }

    fn no_bearer(&mut self, name: &str, path: &str, objects: &Objects) {
        let last = name.rsplit('/').next().unwrap_or(name);
        let mut targets = objects.applied.iter().map(|object| object.target());
        let ends = |kind: &str| kind == "Job" || kind == "CronJob";
        if let Some(target) = targets.find(|t| ends(&t.kind) && &*t.name.name == last) {
            let message = format!("`{name}` is a {}: its pods bear no traffic", target.kind);
            let hint = "annotations `stormglass/...` of its pods tell how long they run";
            self.error(path, message, Some(hint.to_string()));
            return;
        }
        let known: Vec<String> = objects.bearers().map(|b| b.name.to_string()).collect();
        self.unknown(path, "workload", name, &known);
    }

    /// Autoscalers with what they scale.
    pub(super) fn hpas(&mut self, given: Vec<(Hpa, Target, Place)>, objects: &mut Objects) {
        for (hpa, (kind, name), place) in given {
            let is_target = |bearer: &Bearer<'_>| {
                bearer.kind == kind && *bearer.namespace == hpa.namespace && *bearer.name == *name
            };
            let target = objects.bearers().position(|bearer| is_target(&bearer));
            let has_scale = !["DaemonSet", "Pod"].contains(&kind.as_str());
            let error = |message: String, hint: Option<String>| Diagnostic {
                file: place.file.clone(),
                span: Some(place.document.nearest("spec.scaleTargetRef.name").span.clone()),
                path: "spec.scaleTargetRef".to_string(),
                message,
                hint,
            };
            match target {
                Some(target) if has_scale => objects.hpas.push((hpa, target)),
                Some(_) => {
                    let message = format!("a {kind} can't be scaled");
                    let hint = "a Deployment, StatefulSet, ReplicaSet or ReplicationController can";
                    self.sources.out.errors.push(error(message, Some(hint.to_string())));
                }
                None if !self.all_objects => {}
                None => {
                    let known: Vec<_> =
                        objects.bearers().filter(|b| b.kind == kind).map(|b| b.name).collect();
                    let near = did_you_mean(&name, known.iter().map(|name| &**name));
                    let hint = near.map(|n| format!("did you mean `{n}`?"));
                    let message = format!("there is no {kind} `{}/{name}` to scale", hpa.namespace);
                    self.sources.out.errors.push(error(message, hint));
                }
            }
        }
    }

    /// Calls must not run in a circle.
    pub(super) fn check_calls(&mut self, objects: &Objects, workloads: &[Workload]) {
        let behind = |service: usize| {
            let service = objects.destinations().nth(service);
            let bearers = objects.bearers().enumerate();
            let is_there = move |bearer: &Bearer<'_>| service.is_some_and(|s| bearer.is_behind(s));
            bearers.filter(move |(_, bearer)| is_there(bearer)).map(|(i, _)| i)
        };
        // A workload whose calls, followed to the end, reach itself.
        for start in 0..workloads.len() {
            let mut reached = vec![false; workloads.len()];
            let mut todo = vec![start];
            while let Some(at) = todo.pop() {
                for call in workloads[at].calls.iter().flat_map(|step| &step.calls) {
                    for next in behind(call.service) {
                        if !std::mem::replace(&mut reached[next], true) {
                            todo.push(next);
                        }
                    }
                }
            }
            if reached[start] {
                let bearer = objects.bearers().nth(start);
                let name = bearer.map_or_else(String::new, |bearer| bearer.name.to_string());
                let message = format!("`{name}` calls itself through its callees");
                self.error(&format!("workloads.{name}.calls"), message, None);
            }
        }
    }
}
