//! What the cluster depends on and does not run: managed databases, payment providers, other
//! companies' APIs. Equal replicas with a limited number of requests at once; services call them
//! by name.
//!
//! It knows how they are written and what is checked of them, not what requests do.

use super::file::{ScenarioFile, TimelineFile, WorkloadFile};
use super::graph::file::{ServiceTimeFile, ShedFile};
use super::model::{Happening, Objects, Scenario, Workload};
use super::resolve::{Resolver, is_named};
use super::value::Span;
use crate::api::Text;
use crate::scenario::flags::Told;
use crate::units::{Bytes, MilliCpu, SimDuration};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

/// Something outside the cluster that answers requests.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct DependencyFile {
    /// Equal parts that share its requests. Default 1.
    pub replicas: Option<u32>,
    /// Time that a request takes when it need not queue. Default 10ms.
    pub wait: Option<Span>,
    /// Requests that a replica works on at once. Default 100.
    pub concurrency: Option<u32>,
    /// Requests that may queue per replica. Default 1000.
    pub queue: Option<u32>,
    /// A request not finished after this has failed. Default 1s.
    pub timeout: Option<Span>,
    /// The law of the time of a request, around the mean `wait`. Default exponential.
    pub service_time: Option<ServiceTimeFile>,
    /// A replica refuses requests while it has too much to do. Default: only when its queue is
    /// full.
    pub shed: Option<ShedFile>,
}

/// A dependency gets another size.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ResizeFile {
    /// Which.
    pub name: String,
    /// Its replicas from now on; 0: it is gone.
    pub replicas: u32,
}

/// Something outside the cluster that answers requests.
#[derive(Clone, Debug)]
pub struct Dependency {
    /// Its name.
    pub name: Text,
    /// Equal parts at the start.
    pub replicas: u32,
    /// What one of them does with requests.
    pub serves: Workload,
}

impl Resolver<'_> {
    /// Dependencies by name.
    pub(super) fn dependencies(
        &mut self,
        file: &ScenarioFile,
        objects: &Objects,
    ) -> Vec<Dependency> {
        let mut found = Vec::new();
        for (name, given) in &file.dependencies {
            let path = format!("dependencies.{name}");
            if objects.destinations().any(|service| *service.name == **name) {
                let hint = "calls would not tell the two apart".to_string();
                self.error(&path, format!("`{name}` is a Service too"), Some(hint));
            }
            let asked = WorkloadFile {
                demand: Some(Span(SimDuration::ZERO)),
                wait: Some(given.wait.unwrap_or(Span(SimDuration::from_millis(10)))),
                concurrency: given.concurrency,
                queue: given.queue,
                timeout: given.timeout,
                service_time: given.service_time,
                shed: given.shed,
                ..WorkloadFile::default()
            };
            let serves = self.workload(&asked, &path, objects);
            let serves = Workload { idle_cpu: MilliCpu::ZERO, memory: Bytes::ZERO, ..serves };
            if serves.wait == SimDuration::ZERO {
                self.error(&format!("{path}.wait"), "must be longer than zero", None);
            }
            let name = Text::from(name.as_str());
            found.push(Dependency { name, replicas: given.replicas.unwrap_or(1), serves });
        }
        found
    }

    /// Whom a call reaches: an index into `objects.destinations()`, and past these into the
    /// dependencies.
    pub(super) fn callee(&mut self, name: &str, path: &str, objects: &Objects) -> Option<usize> {
        if self.dependencies.is_empty() {
            return self.service(name, path, objects);
        }
        let mut services = objects.destinations();
        if let Some(index) = self.dependencies.iter().position(|known| known == name) {
            return Some(services.count() + index);
        }
        let found = services.position(|s| is_named(name, &s.namespace, &s.name));
        if found.is_none() {
            let services = objects.destinations().map(|service| service.name.to_string());
            let known: Vec<String> = services.chain(self.dependencies.iter().cloned()).collect();
            self.unknown(path, "Service or dependency", name, &known);
        }
        found
    }

    /// A dependency that gets another size; `None`: the entry says nothing of it.
    pub(super) fn resized(
        &mut self,
        given: &TimelineFile,
        path: &str,
    ) -> Option<Option<Happening>> {
        let given = given.dependency.as_ref()?;
        let found = self.dependencies.iter().position(|known| *known == given.name);
        let resized = |dependency| Happening::Dependency { dependency, replicas: given.replicas };
        if found.is_none() {
            let known = self.dependencies.clone();
            self.unknown(&format!("{path}.dependency.name"), "dependency", &given.name, &known);
        }
        Some(found.map(resized))
    }
}

impl Scenario {
    /// Names of all that bears load, as tables show them: the bearers of traffic, then the
    /// dependencies.
    pub fn names_of_stations(&self) -> Vec<String> {
        let mut names = self.objects.names_of_bearers();
        names.extend(self.dependencies.iter().map(|dependency| dependency.name.to_string()));
        names
    }
}

/// A dependency as JSON that a scenario file could say.
pub(super) fn told(dependency: &Dependency) -> Value {
    let serves = &dependency.serves;
    let mut told = json!({
        "replicas": dependency.replicas,
        "wait": serves.wait.told(),
        "concurrency": serves.concurrency,
        "queue": serves.queue,
        "timeout": serves.timeout.told(),
    });
    super::graph::told::serving(&serves.serving, &mut told);
    told
}
