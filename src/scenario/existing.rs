//! Secrets and ConfigMaps that pods refer to and no manifest has: those that the scenario says are
//! there are made, of the others the reader is told.
//!
//! It knows references and objects, not what a kubelet makes of a missing one.

use super::kubectl::{self, Command};
use super::manifests::{Manifests, Place};
use super::model::{Ignored, Objects, Scenario};
use super::resolve::Resolver;
use crate::api::config::{Config, ConfigKind, ConfigRef};
use crate::api::meta::Meta;
use crate::api::object::Object;
use crate::api::pod::PodSpec;
use crate::api::{ObjectName, Text};

/// An entry of `existing`: a kind, and a name or `*`.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    kind: ConfigKind,
    name: Text,
}

impl Pattern {
    /// Whether it speaks of this one.
    pub(super) fn is_meant(&self, kind: ConfigKind, name: &str) -> bool {
        self.kind == kind && (*self.name == *"*" || *self.name == *name)
    }
}

/// A reference of a manifest's pods, and what is said of it if nothing is there.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    reference: ConfigRef,
    namespace: Text,
    note: Ignored,
}

/// The specification of an object's pods, their namespace, and where it stands in a manifest.
fn spec_of(object: &Object) -> Option<(&PodSpec, &Text, &'static str)> {
    let template = "spec.template.spec";
    match object {
        Object::Deployment(d) => Some((&d.template.spec, &d.namespace, template)),
        Object::Owner(owner) => Some((&owner.template().spec, owner.namespace(), template)),
        Object::Pod(pod) => Some((&pod.spec, &pod.namespace, "spec")),
        Object::CronJob(job) => {
            let (spec, namespace) = (&job.spec.job.template.spec, &job.meta.namespace);
            Some((spec, namespace, "spec.jobTemplate.spec.template.spec"))
        }
        _ => None,
    }
}

fn is_it(config: &Config, kind: ConfigKind, namespace: &str, name: &str) -> bool {
    config.kind == kind && *config.meta.namespace == *namespace && *config.meta.name == *name
}

/// Objects that lines of the timeline apply, or members of fleets bring.
fn applied_later(scenario: &Scenario) -> impl Iterator<Item = &Object> {
    let members = scenario.fleets.iter().flat_map(|fleet| &fleet.members);
    let brought = members.flat_map(|member| &member.applied);
    kubectl::applied(&scenario.timeline).chain(brought.filter_map(Command::applied))
}

/// What pods of a scenario are made of, now or later, and their namespaces.
fn specs(scenario: &Scenario) -> impl Iterator<Item = (&PodSpec, &Text)> {
    let deployments = scenario.objects.deployments.iter();
    let deployments = deployments.map(|d| (&*d.template.spec, &d.namespace));
    let others = scenario.objects.applied.iter().chain(applied_later(scenario));
    deployments.chain(others.filter_map(spec_of).map(|(spec, namespace, _)| (spec, namespace)))
}

/// A Secret or ConfigMap that comes from outside of the manifests: with all keys that pods of the
/// scenario ask of it.
pub fn created(kind: ConfigKind, name: &ObjectName, scenario: &Scenario) -> Config {
    let is_of = |r: &&ConfigRef| r.kind == kind && r.name == name.name && !r.key.is_empty();
    let mut keys: Vec<Text> = specs(scenario)
        .filter(|(_, namespace)| **namespace == name.namespace)
        .flat_map(|(spec, _)| spec.config_refs.iter().filter(is_of))
        .map(|reference| reference.key.clone())
        .collect();
    keys.sort_unstable();
    keys.dedup();
    let (name, namespace) = (name.name.clone(), name.namespace.clone());
    let meta = Meta { name, namespace, ..Meta::default() };
    Config { kind, meta, keys, secret_type: "Opaque".into() }
}

/// What pods of Jobs make.
pub(super) fn made_by_pods(objects: &Objects) -> impl Iterator<Item = Pattern> {
    let specs = objects.applied.iter().filter_map(spec_of);
    let made = specs.filter_map(|(spec, ..)| Some(&spec.behavior.as_ref()?.creates)).flatten();
    made.map(|(kind, name)| Pattern { kind: *kind, name: name.clone() })
}

impl Resolver<'_> {
    /// What the scenario says is there.
    pub(super) fn read_existing(&mut self, given: &[String]) {
        for (index, text) in given.iter().enumerate() {
            match ConfigKind::and_name(text) {
                Some((kind, name)) => self.existing.push(Pattern { kind, name }),
                None => {
                    let hint = "write `secret/NAME` or `configmap/NAME`; `*` stands for all names";
                    let message = format!("`{text}` names no Secret and no ConfigMap");
                    self.error(&format!("existing[{index}]"), message, Some(hint.to_owned()));
                }
            }
        }
    }

    /// Keeps what pods of these manifests ask for.
    pub(super) fn keep_references(&mut self, manifests: &Manifests) {
        for (d, place) in &manifests.deployments {
            let object = format!("Deployment {}/{}", d.namespace, d.name);
            let spec = (&*d.template.spec, &d.namespace, "spec.template.spec");
            self.keep_references_of(spec, &object, place);
        }
        for (object, place, _) in &manifests.applied {
            if let Some(spec) = spec_of(object) {
                let target = object.target();
                self.keep_references_of(spec, &format!("{} {}", target.kind, target.name), place);
            }
        }
    }

    fn keep_references_of(
        &mut self,
        (spec, namespace, path): (&PodSpec, &Text, &str),
        object: &str,
        place: &Place,
    ) {
        for reference in &spec.config_refs {
            let field = format!("{path}.{}", reference.field);
            let span = &place.document.nearest(&field).span;
            let (line, _) = self.sources.out.line_column(&place.file, span.start);
            let (file, object) = (place.file.clone(), object.to_owned());
            let note = Ignored { file, line, object, fields: vec![field], reason: String::new() };
            let (reference, namespace) = (reference.clone(), namespace.clone());
            self.asked.push(Asked { reference, namespace, note });
        }
    }

    /// Makes what the scenario says is there, as far as any pod asks for it, and notes for which
    /// others pods will wait.
    pub(super) fn provide(&self, scenario: &mut Scenario) {
        let mut wanted: Vec<(ConfigKind, ObjectName)> = specs(scenario)
            .flat_map(|(spec, namespace)| spec.config_refs.iter().map(move |r| (r, namespace)))
            .filter(|(r, _)| self.existing.iter().any(|known| known.is_meant(r.kind, &r.name)))
            .map(|(r, namespace)| (r.kind, ObjectName::new(namespace, &r.name)))
            .collect();
        wanted.sort();
        wanted.dedup();
        // One of a manifest is as the manifest says.
        wanted.retain(|(kind, name)| {
            let is_it = |config: &Config| is_it(config, *kind, &name.namespace, &name.name);
            !scenario.objects.applied.iter().filter_map(as_config).any(is_it)
        });
        let made = wanted.iter().map(|(kind, name)| created(*kind, name, scenario));
        let made: Vec<Object> = made.map(|config| Object::Config(Box::new(config))).collect();
        scenario.objects.applied.extend(made);
        scenario.awaited = self.awaited(scenario);
    }

    /// For which Secrets and ConfigMaps pods will wait, unless something else makes them: once for
    /// each of them and each object whose pods ask.
    fn awaited(&self, scenario: &Scenario) -> Vec<Ignored> {
        let there: Vec<&Config> = scenario.objects.applied.iter().filter_map(as_config).collect();
        let later: Vec<&Config> = applied_later(scenario).filter_map(as_config).collect();
        let jobs: Vec<(&Text, &(ConfigKind, Text))> = specs(scenario)
            .filter_map(|(spec, namespace)| Some((spec.behavior.as_ref()?, namespace)))
            .flat_map(|(behavior, ns)| behavior.creates.iter().map(move |made| (ns, made)))
            .collect();
        let mut notes: Vec<Ignored> = Vec::new();
        for Asked { reference: r, namespace, note } in &self.asked {
            let is_it = |config: &&&Config| is_it(config, r.kind, namespace, &r.name);
            let is_made = later
                .iter()
                .any(|config| is_it(&config) && r.complaint(Some(config), namespace).is_none())
                || jobs.contains(&(namespace, &(r.kind, r.name.clone())));
            let found = there.iter().find(is_it).copied();
            if is_made || r.complaint(found, namespace).is_none() {
                continue;
            }
            let (kind, word, name) = (r.kind.as_str(), r.kind.word(), &r.name);
            let reason = match found {
                Some(_) => format!("{kind} `{name}` has no key `{}`: pods wait for it", r.key),
                None => format!(
                    "{kind} `{name}` is in no manifest: pods wait until it is there; if something \
                     outside of the manifests makes it, list `{word}/{name}` in `existing`"
                ),
            };
            let same = |known: &&mut Ignored| {
                (&known.file, &known.object, &known.reason) == (&note.file, &note.object, &reason)
            };
            match notes.iter_mut().find(same) {
                Some(known) if known.fields == note.fields => {}
                Some(known) => known.fields.extend(note.fields.iter().cloned()),
                None => notes.push(Ignored { reason, ..note.clone() }),
            }
        }
        notes
    }
}

fn as_config(object: &Object) -> Option<&Config> {
    match object {
        Object::Config(config) => Some(config),
        _ => None,
    }
}
