//! Entries of `traffic:`: what requests from outside are asked for, and of whom.
//!
//! It knows the manifests' Services and Ingresses as they are declared; where requests go in a run
//! is decided there, by what there is at that moment.

use super::file::{ScenarioFile, TrafficFile};
use super::graph::model::{Balancing, Level, Load, Part, Patience};
use super::kubectl;
use super::manifests::{Manifests, Place};
use super::model::{
    Entry, Ignored, NodeGroup, Objects, Scenario, TimelineEntry, Traffic, Workload,
};
use super::resolve::{Resolver, is_named};
use crate::api::ingress::{Backend, Ingress, route};
use crate::api::kind::kind_of;
use crate::api::object::Object;
use crate::api::service::Service;

/// Addresses that requests come from where nothing is said: so many that shares of pods are nearly
/// equal.
const CLIENTS: u32 = 1000;
/// Each is followed.
const MOST_CLIENTS: u32 = 1_000_000;

impl Scenario {
    /// Whether calls and clients have a meaning beyond their number.
    pub fn has_wiring(&self) -> bool {
        let calls = |(index, of): (usize, &Workload)| of.calls_stop && !self.is_followed(index);
        self.workloads.iter().enumerate().any(calls)
            || self.traffic.iter().filter(|traffic| !self.follows(&traffic.to)).any(|traffic| {
                let is_closed = matches!(traffic.load, Load::Closed { .. });
                is_closed || traffic.patience != Patience::default()
            })
    }

    /// Services that do not share their requests evenly among their pods at any time of the run.
    pub fn may_be_uneven(&self) -> impl Iterator<Item = &Service> {
        let all = self.objects.services.iter().chain(applied_services(&self.timeline));
        all.filter(|s| s.affinity.is_some() || s.local || s.prefers().is_some())
    }

    /// Weights of the workloads behind a Service, by index into `objects.destinations()`, if rates
    /// follow them: where clients stick to pods, or places matter, requests are shared without.
    pub fn weights_of(&self, index: usize) -> Option<&[(usize, f64)]> {
        let Some(Balancing::Weights(weights)) = self.balancing.get(&index) else { return None };
        self.is_shared_plainly(index).then_some(weights)
    }

    /// Whether pods of a Service take turns where requests are rates.
    pub fn takes_turns(&self, index: usize) -> bool {
        self.balancing.get(&index) == Some(&Balancing::RoundRobin) && self.is_shared_plainly(index)
    }

    /// Whether rates follow what a Service says of its balancing.
    pub(super) fn balances_rates(&self, index: usize) -> bool {
        match self.balancing.get(&index) {
            Some(Balancing::Weights(_)) => self.weights_of(index).is_some(),
            Some(Balancing::RoundRobin) => self.takes_turns(index),
            Some(Balancing::LeastRequest) => false,
            Some(Balancing::Random) | None => true,
        }
    }

    /// Whether clients of a Service stick to no pods, and places don't matter.
    fn is_shared_plainly(&self, index: usize) -> bool {
        let Some(service) = self.objects.destinations().nth(index) else { return false };
        let same = |s: &Service| s.name == service.name && s.namespace == service.namespace;
        !self.follows_places() && !self.may_be_uneven().any(same)
    }

    /// Whether it matters where pods and clients are: requests of a Service stay near at some time
    /// of the run, or clients have zones, so that what crosses zones can be told.
    pub fn follows_places(&self) -> bool {
        self.may_be_uneven().any(|service| service.prefers().is_some())
            || self.traffic.iter().any(|traffic| !traffic.zones.is_empty())
    }

    /// Parts of the graph whose requests are followed one by one.
    pub fn followed(&self) -> impl Iterator<Item = &Part> {
        self.levels.iter().filter(|part| part.level == Level::Requests)
    }

    /// Whether the requests of a workload are followed one by one.
    pub fn is_followed(&self, workload: usize) -> bool {
        self.followed().any(|part| part.workloads.contains(&workload))
    }

    /// Whether all requests of an entry are.
    fn follows(&self, entry: &Entry) -> bool {
        matches!(entry, Entry::Service(service)
            if self.followed().any(|part| part.services.contains(service)))
    }

    /// Services whose clients stick to pods at any time of the run.
    pub fn may_stick(&self) -> impl Iterator<Item = &Service> {
        let later = applied_services(&self.timeline);
        self.objects.services.iter().chain(later).filter(|service| service.affinity.is_some())
    }
}

/// Services as lines of the timeline make or change them.
pub(super) fn applied_services(timeline: &[TimelineEntry]) -> impl Iterator<Item = &Service> {
    kubectl::applied(timeline).filter_map(|object| match object {
        Object::Service(service) => Some(&**service),
        _ => None,
    })
}

impl Objects {
    /// All Services that requests may be sent to, whenever they are there: those of the manifests,
    /// then those that come later.
    pub fn destinations(&self) -> impl Iterator<Item = &Service> + Clone {
        self.services.iter().chain(&self.later)
    }

    /// Finds the Services that are not among the manifests.
    pub(super) fn find_later_services(&mut self, timeline: &[TimelineEntry]) {
        for service in applied_services(timeline) {
            let same = |s: &Service| s.name == service.name && s.namespace == service.namespace;
            if !self.destinations().any(same) {
                self.later.push(service.clone());
            }
        }
    }

    /// The Ingresses that the manifests declare, in file order.
    pub fn ingresses(&self) -> impl Iterator<Item = &Ingress> + Clone {
        self.applied.iter().filter_map(|object| match object {
            Object::Ingress(ingress) => Some(&**ingress),
            _ => None,
        })
    }
}

impl Resolver<'_> {
    pub(super) fn traffic(
        &mut self,
        file: &ScenarioFile,
        objects: &Objects,
        groups: &[NodeGroup],
    ) -> Vec<Traffic> {
        let zones = groups.iter().flat_map(|group| group.zones.iter().cloned()).collect();
        let mut found = Vec::new();
        for (index, given) in file.traffic.iter().enumerate() {
            let path = format!("traffic[{index}]");
            let to = self.entry(given, &path, objects);
            let load = self.load(given, &path);
            let load = match given.scale {
                None => load,
                Some(scale) if scale.is_finite() && scale >= 0.0 => {
                    load.map(|load| load.scaled(scale))
                }
                Some(_) => {
                    self.error(&format!("{path}.scale"), "is a factor, 0 or more", None);
                    None
                }
            };
            let patience = self.patience(given, &path);
            let zones = self.zones_of_clients(given, &path, &zones);
            let noise = given.noise.map_or(0.0, |ratio| ratio.0);
            if !(0.0..=1.0).contains(&noise) {
                self.error(&format!("{path}.noise"), "is a share between 0% and 100%", None);
            }
            let clients = given.clients.unwrap_or(CLIENTS);
            if !(1..=MOST_CLIENTS).contains(&clients) {
                let message = format!("is a number of addresses, 1 to {MOST_CLIENTS}");
                self.error(&format!("{path}.clients"), &message, None);
            }
            if let (Some(to), Some(load)) = (to, load) {
                found.push(Traffic { to, load, noise, clients, patience, zones });
            }
        }
        found
    }

    fn entry(&mut self, given: &TrafficFile, path: &str, objects: &Objects) -> Option<Entry> {
        let asks = given.host.is_some() || given.path.is_some();
        let only = match given.to.as_deref() {
            None if asks => None,
            None => {
                let hint = "`to: SERVICE`, `to: ingress/NAME` or `host: NAME`".to_string();
                self.error(path, "says not where its requests go", Some(hint));
                return None;
            }
            Some(to) => match to.split_once('/') {
                Some((word, name)) if kind_of(word) == Some("Ingress") => {
                    Some(self.ingress(name, &format!("{path}.to"), objects)?)
                }
                _ if asks => {
                    let hint = "write `to: ingress/NAME`, or leave `to` out".to_string();
                    let message = "only Ingresses tell hosts and paths apart";
                    self.error(&format!("{path}.to"), message, Some(hint));
                    return None;
                }
                _ => return self.service(to, &format!("{path}.to"), objects).map(Entry::Service),
            },
        };
        if only.is_none() && objects.ingresses().next().is_none() && self.all_objects {
            let hint = "there is no Ingress among the manifests".to_string();
            self.error(&format!("{path}.host"), "nobody listens to hosts", Some(hint));
            return None;
        }
        let host = match (&given.host, only) {
            (Some(host), _) => host.clone(),
            (None, Some(ingress)) => self.only_host(ingress, path)?,
            (None, None) => String::new(),
        };
        let asked = given.path.as_deref().unwrap_or("/");
        if !asked.starts_with('/') {
            self.error(&format!("{path}.path"), "must be an absolute path, like /", None);
        }
        let only = only.map(Ingress::object_name);
        Some(Entry::Ingress { only, host: host.as_str().into(), path: asked.into() })
    }

    /// The host that an entry means which names only an Ingress.
    fn only_host(&mut self, ingress: &Ingress, path: &str) -> Option<String> {
        let mut hosts: Vec<&str> = ingress.rules.iter().map(|rule| &*rule.host).collect();
        hosts.dedup();
        match hosts[..] {
            [] => Some(String::new()),
            [host] if !host.starts_with('*') => Some(host.to_owned()),
            _ => {
                let hint = format!("one of its rules': {}", hosts.join(", "));
                self.error(path, "needs a `host`", Some(hint));
                None
            }
        }
    }

    fn ingress<'o>(&mut self, name: &str, path: &str, objects: &'o Objects) -> Option<&'o Ingress> {
        let found = objects.ingresses().find(|i| is_named(name, &i.namespace, &i.name));
        if found.is_none() {
            let known: Vec<String> = objects.ingresses().map(|i| i.name.to_string()).collect();
            self.unknown(path, "Ingress", name, &known);
        }
        found
    }

    /// Entries that no rule wants as the manifests are: 404s.
    pub(super) fn unwanted(&self, traffic: &[Traffic], objects: &Objects) -> Vec<Ignored> {
        let wanted = |entry: &Traffic| match &entry.to {
            Entry::Service(_) => true,
            Entry::Ingress { only, host, path } => {
                let is_meant =
                    |i: &&Ingress| only.as_ref().is_none_or(|name| i.object_name() == *name);
                route(objects.ingresses().filter(is_meant), host, path).is_some()
            }
        };
        let unwanted = traffic.iter().enumerate().filter(|(_, entry)| !wanted(entry));
        let note = |(index, _)| {
            let span = &self.tree.nearest(&format!("traffic[{index}]")).span;
            let (line, _) = self.sources.out.line_column(&self.name, span.start);
            let object = format!("traffic[{index}]");
            let reason = "no rule of an Ingress wants its host and path: 404".to_string();
            Ignored { file: self.name.clone(), line, object, fields: Vec::new(), reason }
        };
        unwanted.map(note).collect()
    }

    /// Backends of Ingresses that are not among the manifests: as in a real cluster no error, but
    /// requests for them fail with 503.
    pub(super) fn lost_backends(&self, manifests: &Manifests) -> Vec<Ignored> {
        let mut found = Vec::new();
        for (object, place, _) in &manifests.applied {
            let Object::Ingress(ingress) = object else { continue };
            for (path, backend) in ingress.backends() {
                let Backend::Service { name, port } = backend else { continue };
                let mut services = manifests.services.iter().map(|(service, _)| service);
                let same = |s: &&crate::api::service::Service| {
                    s.name == *name && s.namespace == ingress.namespace
                };
                let (field, what) = match services.find(same) {
                    None => ("service.name", format!("there is no Service `{name}`")),
                    Some(service) if !backend.has_port(service) => {
                        ("service.port", format!("Service `{name}` has no port {port}"))
                    }
                    Some(_) => continue,
                };
                let path = format!("{path}.{field}");
                let reason = format!("{what} in the manifests: 503");
                found.push(self.note_of(place, ingress, path, reason));
            }
        }
        found
    }

    fn note_of(&self, place: &Place, ingress: &Ingress, path: String, reason: String) -> Ignored {
        let span = &place.document.nearest(&path).span;
        let (line, _) = self.sources.out.line_column(&place.file, span.start);
        let object = format!("Ingress {}/{}", ingress.namespace, ingress.name);
        Ignored { file: place.file.clone(), line, object, fields: vec![path], reason }
    }
}
