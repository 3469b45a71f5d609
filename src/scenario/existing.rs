//! Secrets and ConfigMaps that pods refer to and no manifest has: those that the scenario says are
//! there are made, of the others the reader is told.
//!
//! It knows references and objects, not what a kubelet makes of a missing one.

use super::kubectl::Command;
use super::manifests::Manifests;
use super::model::{Happening, Ignored, Scenario};
use super::resolve::Resolver;
use crate::api::Text;
use crate::api::config::{Config, ConfigKind, ConfigRef};
use crate::api::meta::Meta;
use crate::api::object::Object;
use crate::api::pod::PodSpec;

/// What is said of pods that will wait.
const WAITS: &str = "its pods wait until this is there; what the cluster has although no manifest \
                     does can be listed in `existing` of the scenario";

/// An entry of `existing`: a kind, and a name or `*`.
pub(super) struct Pattern {
    kind: ConfigKind,
    name: String,
}

impl Pattern {
    fn of(text: &str) -> Option<Pattern> {
        let (word, name) = text.split_once('/')?;
        let mut kinds = [ConfigKind::Secret, ConfigKind::ConfigMap].into_iter();
        let kind = kinds.find(|kind| kind.word() == word.to_ascii_lowercase())?;
        (!name.is_empty()).then(|| Pattern { kind, name: name.to_owned() })
    }

    fn is_meant(&self, reference: &ConfigRef) -> bool {
        self.kind == reference.kind && (self.name == "*" || *self.name == *reference.name)
    }
}

/// The specification of an object's pods, and their namespace.
fn spec_of(object: &Object) -> Option<(&PodSpec, &Text)> {
    match object {
        Object::Deployment(d) => Some((&d.template.spec, &d.namespace)),
        Object::Owner(owner) => Some((&owner.template().spec, owner.namespace())),
        Object::Pod(pod) => Some((&pod.spec, &pod.namespace)),
        Object::CronJob(job) => Some((&job.spec.job.template.spec, &job.meta.namespace)),
        _ => None,
    }
}

fn is_it(config: &Config, reference: &ConfigRef, namespace: &str) -> bool {
    config.kind == reference.kind
        && *config.meta.namespace == *namespace
        && config.meta.name == reference.name
}

fn configs(objects: &[Object]) -> Vec<Config> {
    let config = |object: &Object| match object {
        Object::Config(config) => Some((**config).clone()),
        _ => None,
    };
    objects.iter().filter_map(config).collect()
}

impl Resolver<'_> {
    /// What the scenario says is there.
    pub(super) fn existing(&mut self, given: &[String]) -> Vec<Pattern> {
        let mut patterns = Vec::new();
        for (index, text) in given.iter().enumerate() {
            match Pattern::of(text) {
                Some(pattern) => patterns.push(pattern),
                None => {
                    let hint = "write `secret/NAME` or `configmap/NAME`; `*` stands for all names";
                    let message = format!("`{text}` names no Secret and no ConfigMap");
                    self.error(&format!("existing[{index}]"), message, Some(hint.to_owned()));
                }
            }
        }
        patterns
    }

    /// For which Secrets and ConfigMaps pods of the manifests will wait.
    pub(super) fn awaited(&self, patterns: &[Pattern], manifests: &Manifests) -> Vec<Ignored> {
        let applied: Vec<Object> = manifests.applied.iter().map(|(o, ..)| o.clone()).collect();
        let known = configs(&applied);
        let deployments = manifests.deployments.iter().map(|(d, place)| {
            let name = format!("Deployment {}/{}", d.namespace, d.name);
            (&*d.template.spec, &d.namespace, name, place)
        });
        let others = manifests.applied.iter().filter_map(|(object, place, _)| {
            let (spec, namespace) = spec_of(object)?;
            let target = object.target();
            Some((spec, namespace, format!("{} {}", target.kind, target.name), place))
        });
        let mut notes = Vec::new();
        for (spec, namespace, object, place) in deployments.chain(others) {
            let is_missing = |r: &&ConfigRef| {
                let found = known.iter().find(|config| is_it(config, r, namespace));
                r.complaint(found, namespace).is_some()
                    && (found.is_some() || !patterns.iter().any(|pattern| pattern.is_meant(r)))
            };
            let told = |r: &ConfigRef| match r.key.is_empty() {
                true => format!("{}/{}", r.kind.word(), r.name),
                false => format!("{}/{} with key {}", r.kind.word(), r.name, r.key),
            };
            let mut fields: Vec<String> =
                spec.config_refs.iter().filter(is_missing).map(told).collect();
            fields.sort();
            fields.dedup();
            if !fields.is_empty() {
                let file = place.file.clone();
                let (line, _) = self.sources.out.line_column(&file, place.document.span.start);
                notes.push(Ignored { file, line, object, fields, reason: WAITS.to_owned() });
            }
        }
        notes
    }
}

/// Makes what the scenario says is there, as far as any of its pods asks for it.
pub(super) fn make(patterns: &[Pattern], scenario: &mut Scenario) {
    let mut known = configs(&scenario.objects.applied);
    let given = known.len();
    let deployments = scenario.objects.deployments.iter();
    let deployments = deployments.map(|d| (&*d.template.spec, &d.namespace));
    let applied = scenario.objects.applied.iter().filter_map(spec_of);
    let later = scenario.timeline.iter().filter_map(|entry| match &entry.what {
        Happening::Kubectl(command) => match &**command {
            Command::Apply { object, .. } => spec_of(object),
            _ => None,
        },
        _ => None,
    });
    for (spec, namespace) in deployments.chain(applied).chain(later) {
        for reference in &spec.config_refs {
            if !patterns.iter().any(|pattern| pattern.is_meant(reference)) {
                continue;
            }
            match known.iter().position(|config| is_it(config, reference, namespace)) {
                // One of a manifest is as the manifest says.
                Some(at) if at < given => {}
                Some(at) => known[at].keys.push(reference.key.clone()),
                None => known.push(Config {
                    kind: reference.kind,
                    meta: Meta {
                        name: reference.name.clone(),
                        namespace: namespace.clone(),
                        ..Meta::default()
                    },
                    keys: vec![reference.key.clone()],
                    secret_type: "Opaque".into(),
                }),
            }
        }
    }
    for mut config in known.split_off(given) {
        config.keys.retain(|key| !key.is_empty());
        config.keys.sort_unstable();
        config.keys.dedup();
        scenario.objects.applied.push(Object::Config(Box::new(config)));
    }
}
