//! `kubectl:` entries of a timeline: a line, and what of the scenario it speaks of, to commands.
//!
//! Every name in a line is looked up here, so that a slip is an error with a hint and not a command
//! that does nothing.

use super::command_line::{
    self, Changes, Create, Files, Line, New, NewSecret, Rollout, Set, SetResources, Verb,
};
use super::diagnostic::did_you_mean;
use super::existing::Pattern;
use super::kubectl::{Command, PodChoice, PodCommand};
use super::manifests::Manifests;
use super::model::{NodeGroup, Objects};
use super::resolve::Resolver;
use crate::api::autoscaling::Hpa;
use crate::api::config::{Config, ConfigKind};
use crate::api::convert::workload::DELETION_COST;
use crate::api::kind::{Kind, kind_of};
use crate::api::labels::{Labels, Selector};
use crate::api::meta::{Meta, Propagation};
use crate::api::object::{Object, Target};
use crate::api::quantity::Quantity;
use crate::api::service::{Service, ServicePort, ServiceType};
use crate::api::taint::{Taint, TaintEffect};
use crate::api::workload::ResourceChange;
use crate::api::{ObjectName, Text};
use crate::units::{SimDuration, SimTime};

/// Namespaces that nobody can delete (admission plugin `NamespaceLifecycle`).
const IMMORTAL: [&str; 3] = ["default", "kube-system", "kube-public"];

/// What went wrong with a line: message and hint.
type Wrong = (String, Option<String>);

/// The names that lines may use.
pub(super) struct Names<'a> {
    /// Objects that are there, or are applied by some line.
    pub targets: Vec<Target>,
    /// The manifests' objects.
    pub objects: &'a Objects,
    /// The node groups.
    pub groups: &'a [NodeGroup],
    /// Secrets and ConfigMaps that the cluster has all the same.
    existing: Vec<Pattern>,
}

impl<'a> Names<'a> {
    /// The names of a scenario.
    pub(super) fn of(
        objects: &'a Objects,
        groups: &'a [NodeGroup],
        existing: Vec<Pattern>,
    ) -> Names<'a> {
        let target = |kind: &str, namespace: &Text, name: &Text| Target {
            kind: kind.into(),
            name: ObjectName { namespace: namespace.clone(), name: name.clone() },
        };
        let mut targets: Vec<Target> = objects.applied.iter().map(Object::target).collect();
        targets.extend(
            objects.deployments.iter().map(|d| target("Deployment", &d.namespace, &d.name)),
        );
        let services = objects.services.iter().chain(&objects.later);
        targets.extend(services.map(|s| target("Service", &s.namespace, &s.name)));
        let hpas = objects.hpas.iter();
        targets.extend(hpas.map(|(h, _)| target("HorizontalPodAutoscaler", &h.namespace, &h.name)));
        targets.extend(
            objects.pdbs.iter().map(|p| target("PodDisruptionBudget", &p.namespace, &p.name)),
        );
        Names { targets, objects, groups, existing }
    }

    /// The object of this kind and name.
    fn target(&self, kind: &str, namespace: &str, name: &str) -> Result<Target, Wrong> {
        let in_namespace = Kind::named(kind).is_none_or(|kind| kind.namespaced);
        let namespace = if in_namespace || kind == "Namespace" { namespace } else { "" };
        let wanted = Target { kind: kind.into(), name: ObjectName::new(namespace, name) };
        // Controllers name pods, claims and volumes; the cloud names nodes.
        let named_later = ["Pod", "Namespace", "PersistentVolume", "PersistentVolumeClaim"];
        let exists = ConfigKind::named(kind)
            .is_some_and(|kind| self.existing.iter().any(|known| known.is_meant(kind, name)));
        if exists || named_later.contains(&kind) || self.targets.contains(&wanted) {
            return Ok(wanted);
        }
        let known: Vec<&str> = self
            .targets
            .iter()
            .filter(|target| target.kind == kind && *target.name.namespace == *namespace)
            .map(|target| &*target.name.name)
            .collect();
        let near = did_you_mean(name, known.iter().copied());
        let hint = match near {
            Some(near) => Some(format!("did you mean `{near}`?")),
            None if known.is_empty() => None,
            None => Some(format!("known: {}", known.join(", "))),
        };
        Err((format!("there is no {kind} `{namespace}/{name}`"), hint))
    }

    /// Refuses a container (`*`: any) that an object of the manifests has not, unless a line may
    /// have applied another template.
    fn container(&self, target: &Target, name: &str) -> Result<(), Wrong> {
        let is_applied = self.targets.iter().filter(|known| *known == target).count() > 1;
        let bearer = self
            .objects
            .bearers()
            .find(|b| b.is_target(target))
            .filter(|_| !is_applied && name != "*");
        let Some(bearer) = bearer else { return Ok(()) };
        let all = || bearer.spec.all_containers().map(|container| &*container.name);
        if all().any(|known| known == name) {
            return Ok(());
        }
        let near = did_you_mean(name, all());
        let known = || format!("known: {}", all().collect::<Vec<_>>().join(", "));
        let hint = near.map_or_else(known, |near| format!("did you mean `{near}`?"));
        let (kind, object) = (&target.kind, &target.name);
        let place = format!("{kind} `{}/{}`", object.namespace, object.name);
        Err((format!("there is no container `{name}` in {place}"), Some(hint)))
    }

    fn targets(&self, words: &[String], namespace: &str) -> Result<Vec<Target>, Wrong> {
        let objects = command_line::objects(words).map_err(|message| (message, None))?;
        objects.into_iter().map(|(kind, name)| self.target(kind, namespace, &name)).collect()
    }

    /// A node of one of the groups, `<group>-<n>`.
    fn node(&self, name: &str) -> Result<Text, Wrong> {
        let is_of = |group: &NodeGroup| {
            let number = name.strip_prefix(&*group.name).and_then(|rest| rest.strip_prefix('-'));
            number.is_some_and(|number| number.parse::<u32>().is_ok())
        };
        if self.groups.iter().any(is_of) {
            return Ok(name.into());
        }
        let example = self.groups.first().map(|group| format!("{}-0", group.name));
        let hint = example.map(|name| format!("nodes are named by their group, like `{name}`"));
        Err((format!("there is no node `{name}`"), hint))
    }

    fn nodes(&self, names: &[String]) -> Result<Vec<Text>, Wrong> {
        names.iter().map(|name| self.node(name)).collect()
    }
}

impl Resolver<'_> {
    /// The commands of a line; an error is noted at `path`.
    pub(super) fn kubectl(
        &mut self,
        line: &str,
        path: &str,
        names: &mut Names<'_>,
    ) -> Vec<Command> {
        let found = command_line::parse(line).and_then(|line| self.commands(line, path, names));
        match found {
            Ok(commands) => {
                for command in &commands {
                    if let Command::Apply { object, .. } = command {
                        names.targets.push(object.target());
                    }
                }
                commands
            }
            Err((message, hint)) => {
                self.error(path, message, hint);
                Vec::new()
            }
        }
    }

    fn commands(
        &mut self,
        line: Line,
        path: &str,
        names: &Names<'_>,
    ) -> Result<Vec<Command>, Wrong> {
        let namespace = &*line.namespace;
        match line.verb {
            Verb::Apply(files) => Ok(self.apply_files(&files, path)),
            Verb::Create(given) => self.create(given, namespace, path),
            Verb::Delete(given) if !given.filename.is_empty() => {
                let files = Files { filename: given.filename.clone(), server_side: false };
                let propagation = propagation(&given.cascade);
                let applied = self.apply_files(&files, path).into_iter();
                let target = |command| match command {
                    Command::Apply { object, .. } => Some((object.target(), propagation, None)),
                    _ => None,
                };
                let delete =
                    |(target, propagation, grace)| Command::Delete { target, propagation, grace };
                Ok(applied.filter_map(target).map(delete).collect())
            }
            Verb::Delete(given) => delete(&given, namespace, names),
            Verb::Scale(given) => {
                let replicas = given.replicas;
                let targets = names.targets(&given.what, namespace)?.into_iter();
                Ok(targets.map(|target| Command::Scale { target, replicas }).collect())
            }
            Verb::Set(what) => set(&what, namespace, names),
            Verb::Rollout(rollout) => roll(&rollout, namespace, names),
            Verb::Cordon(given) => cordon(names.nodes(&given.nodes)?, true),
            Verb::Uncordon(given) => cordon(names.nodes(&given.nodes)?, false),
            Verb::Drain(given) => Ok(vec![Command::Drain { nodes: names.nodes(&given.nodes)? }]),
            Verb::Taint(given) => taint(&given, names),
            Verb::Label(given) => label(&given, namespace, names),
            Verb::Annotate(given) => annotate(&given, namespace),
            Verb::Expose(given) => {
                let target = one(names.targets(&given.what, namespace)?)?;
                let found = names.objects.bearers().find(|b| b.is_target(&target));
                let Some(exposed_one) = found else {
                    return Err((format!("{} can't be exposed here", target.kind), None));
                };
                let selector = match exposed_one.selector {
                    Some(selector) => selector.clone(),
                    None => Selector::from_labels(exposed_one.labels),
                };
                let name = given.name.as_deref().unwrap_or(&target.name.name);
                let service = Service {
                    name: name.into(),
                    namespace: target.name.namespace.clone(),
                    labels: exposed_one.own_labels.clone(),
                    selector: Some(selector),
                    kind: service_type(&given.kind)?,
                    ports: exposed(&given)?,
                    ..Service::default()
                };
                Ok(vec![applied(Object::Service(Box::new(service)))])
            }
            Verb::Autoscale(given) => {
                let target = one(names.targets(&given.what, namespace)?)?;
                let hpa = autoscaler(&target, given.min, given.max, given.cpu_percent.as_deref())?;
                Ok(vec![applied(Object::Hpa(Box::new(hpa), target.name.name))])
            }
        }
    }

    fn create(
        &mut self,
        given: Create,
        namespace: &str,
        path: &str,
    ) -> Result<Vec<Command>, Wrong> {
        match given {
            Create { what: Some(new), .. } => {
                Ok(vec![applied(Object::Config(Box::new(config(&new, namespace)?)))])
            }
            Create { filename, .. } if !filename.is_empty() => {
                Ok(self.apply_files(&Files { filename, server_side: false }, path))
            }
            Create { .. } => {
                let hint = "create -f FILE, create secret generic NAME, create configmap NAME";
                Err(("what is to be created?".to_owned(), Some(hint.to_owned())))
            }
        }
    }

    /// Objects of manifests, applied in the order of kinds that `kubectl` has not: file order.
    fn apply_files(&mut self, files: &Files, path: &str) -> Vec<Command> {
        // Classes of the manifests and of earlier lines are there already.
        let mut found = Manifests::default();
        found.priorities = std::mem::take(&mut self.priorities);
        found.incomplete = !self.all_objects;
        for file in &files.filename {
            let at = self.place(path);
            let full = self.folder.join(file);
            let shown = full.display().to_string();
            if let Some(text) = self.sources.text(&full, &shown, Some(at)) {
                found.read(&shown, &text, &mut self.sources.out);
            }
        }
        found.resolve_priorities(&mut self.sources.out);
        self.keep_references(&found);
        self.priorities = std::mem::take(&mut found.priorities);
        found.into_objects().into_iter().map(applied).collect()
    }
}

/// A Secret or ConfigMap that a line makes: of its content the keys count.
fn config(new: &New, namespace: &str) -> Result<Config, Wrong> {
    let (kind, secret_type, given) = match new {
        New::Configmap(given) => (ConfigKind::ConfigMap, "", given),
        New::Secret(NewSecret::Generic(given)) => (ConfigKind::Secret, "Opaque", given),
        New::Secret(NewSecret::Tls(given)) => (ConfigKind::Secret, "kubernetes.io/tls", given),
        New::Secret(NewSecret::DockerRegistry(given)) => {
            (ConfigKind::Secret, "kubernetes.io/dockerconfigjson", given)
        }
    };
    let mut keys: Vec<Text> = match secret_type {
        "kubernetes.io/tls" => vec!["tls.crt".into(), "tls.key".into()],
        "kubernetes.io/dockerconfigjson" => vec![".dockerconfigjson".into()],
        _ => Vec::new(),
    };
    for literal in &given.from_literal {
        let Some((key, _)) = literal.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            return Err((format!("`{literal}` is no KEY=VALUE"), None));
        };
        keys.push(key.into());
    }
    for file in &given.from_file {
        let (key, path) = file.split_once('=').unwrap_or(("", file));
        let name = path.rsplit('/').next().unwrap_or(path);
        keys.push(if key.is_empty() { name } else { key }.into());
    }
    keys.sort_unstable();
    keys.dedup();
    let (name, namespace) = (given.name.as_str().into(), namespace.into());
    let meta = Meta { name, namespace, ..Meta::default() };
    let secret_type = given.kind.as_deref().unwrap_or(secret_type).into();
    Ok(Config { kind, meta, keys, secret_type })
}

fn applied(object: Object) -> Command {
    Command::Apply { object, keeps_replicas: false }
}

fn service_type(word: &str) -> Result<ServiceType, Wrong> {
    let fits = |kind: &ServiceType| *kind != ServiceType::ExternalName;
    ServiceType::named(word).filter(fits).ok_or_else(|| {
        let hint = "one of ClusterIP, NodePort, LoadBalancer".to_owned();
        (format!("`{word}` is no type that can be exposed"), Some(hint))
    })
}

/// The port of an `expose`; without one the Service has none, and pods are reached all the same.
fn exposed(given: &command_line::Expose) -> Result<Vec<ServicePort>, Wrong> {
    let Some(port) = given.port else { return Ok(Vec::new()) };
    if port == 0 {
        return Err(("--port=0 is no port".to_owned(), None));
    }
    let target = given.target_port.unwrap_or(port).to_string().into();
    let protocol = "TCP".into();
    Ok(vec![ServicePort { port, target, protocol, ..ServicePort::default() }])
}

fn one(targets: Vec<Target>) -> Result<Target, Wrong> {
    let [target] = <[Target; 1]>::try_from(targets)
        .map_err(|targets| (format!("expected one object, found {}", targets.len()), None))?;
    Ok(target)
}

fn propagation(cascade: &str) -> Propagation {
    match cascade {
        "foreground" => Propagation::Foreground,
        "orphan" => Propagation::Orphan,
        _ => Propagation::Background,
    }
}

fn delete(
    given: &command_line::Delete,
    namespace: &str,
    names: &Names<'_>,
) -> Result<Vec<Command>, Wrong> {
    let grace = if given.now { Some(1) } else { given.grace_period };
    let grace = grace.map(SimDuration::from_secs);
    if given.selector.is_some() || given.all {
        let kind = given.what.first().and_then(|word| kind_of(word));
        if kind != Some("Pod") {
            return Err(("only pods are deleted by labels here".to_owned(), None));
        }
        let which = pods(namespace, given.selector.as_deref())?;
        return Ok(vec![Command::Pods { which, what: PodCommand::Delete(grace) }]);
    }
    let objects = command_line::objects(&given.what).map_err(|message| (message, None))?;
    let propagation = propagation(&given.cascade);
    let command = |(kind, name): (&'static str, String)| {
        if name.is_empty() {
            return Err((format!("which {kind}? a name is missing"), None));
        }
        if kind == "Namespace" && IMMORTAL.contains(&name.as_str()) {
            let message = format!("namespace `{name}` may not be deleted");
            return Err((message, Some("the API server forbids it".to_owned())));
        }
        if kind == "Node" {
            return Ok(Command::DeleteNode { node: names.node(&name)? });
        }
        let target = names.target(kind, namespace, &name)?;
        Ok(Command::Delete { target, propagation, grace })
    };
    objects.into_iter().map(command).collect()
}

fn pods(namespace: &str, selector: Option<&str>) -> Result<PodChoice, Wrong> {
    let pairs = selector.into_iter().flat_map(|text| text.split(','));
    let pair = |text: &str| match text.split_once('=') {
        Some((key, value)) => Ok((key.trim().into(), value.trim_start_matches('=').trim().into())),
        None => Err((format!("`{text}` is no KEY=VALUE"), None)),
    };
    let labels = Labels::new(pairs.map(pair).collect::<Result<_, _>>()?);
    Ok(PodChoice {
        namespace: namespace.into(),
        selector: Selector::from_labels(&labels),
        name: None,
        by_age: false,
        places: None,
    })
}

fn set(what: &Set, namespace: &str, names: &Names<'_>) -> Result<Vec<Command>, Wrong> {
    match what {
        Set::Image { what } => set_image(what, namespace, names),
        Set::Resources(given) => set_resources(given, namespace, names),
    }
}

fn set_image(what: &[String], namespace: &str, names: &Names<'_>) -> Result<Vec<Command>, Wrong> {
    let (images, objects): (Vec<_>, Vec<_>) = what.iter().cloned().partition(|w| w.contains('='));
    let pair = |word: &String| {
        let (container, image) = word.split_once('=').unwrap_or((word, ""));
        (Text::from(container), Text::from(image))
    };
    let images: Vec<(Text, Text)> = images.iter().map(pair).collect();
    if images.is_empty() {
        return Err(("which image? CONTAINER=IMAGE is missing".to_owned(), None));
    }
    let targets = names.targets(&objects, namespace)?;
    for target in &targets {
        images.iter().try_for_each(|(container, _)| names.container(target, container))?;
    }
    let command = |target| Command::SetImage { target, images: images.clone() };
    Ok(targets.into_iter().map(command).collect())
}

fn set_resources(
    given: &SetResources,
    namespace: &str,
    names: &Names<'_>,
) -> Result<Vec<Command>, Wrong> {
    let amount = |word: &String| {
        let (name, amount) = word.split_once('=').unwrap_or((word, ""));
        if !["cpu", "memory"].contains(&name) {
            let hint = Some("`cpu` and `memory` can be set, as in `cpu=500m`".to_owned());
            return Err((format!("`{word}` is no amount of a resource"), hint));
        }
        let amount: Quantity = amount
            .parse()
            .map_err(|why| (format!("`{word}` is no amount of a resource: {why}"), None))?;
        Ok((Text::from(name), amount))
    };
    let limits = given.limits.iter().map(amount).collect::<Result<Vec<_>, Wrong>>()?;
    let requests = given.requests.iter().map(amount).collect::<Result<Vec<_>, Wrong>>()?;
    if limits.is_empty() && requests.is_empty() {
        let hint = Some("as in `--limits=cpu=1,memory=512Mi`".to_owned());
        return Err(("`--limits` or `--requests` is missing".to_owned(), hint));
    }
    let container = Text::from(given.containers.as_str());
    let change = ResourceChange { container, limits, requests };
    let targets = names.targets(&given.what, namespace)?;
    targets.iter().try_for_each(|target| names.container(target, &given.containers))?;
    let command = |target| Command::SetResources { target, change: change.clone() };
    Ok(targets.into_iter().map(command).collect())
}

fn roll(rollout: &Rollout, namespace: &str, names: &Names<'_>) -> Result<Vec<Command>, Wrong> {
    let words = match rollout {
        Rollout::Pause(given) | Rollout::Resume(given) | Rollout::Restart(given) => &given.what,
        Rollout::Undo(given) => &given.what,
    };
    let command = |target: Target| {
        if target.kind != "Deployment" && !matches!(rollout, Rollout::Restart(_)) {
            return Err((format!("a {} is not rolled here", target.kind), None));
        }
        Ok(match rollout {
            Rollout::Pause(_) => Command::Pause { name: target.name, on: true },
            Rollout::Resume(_) => Command::Pause { name: target.name, on: false },
            Rollout::Restart(_) => Command::Restart { target },
            Rollout::Undo(given) => {
                Command::Undo { name: target.name, revision: given.to_revision }
            }
        })
    };
    names.targets(words, namespace)?.into_iter().map(command).collect()
}

fn cordon(nodes: Vec<Text>, on: bool) -> Result<Vec<Command>, Wrong> {
    Ok(nodes.into_iter().map(|node| Command::Cordon { node, on }).collect())
}

/// Splits `KIND NAME... KEY=VALUE... KEY-...`.
fn split(given: &Changes) -> (Vec<String>, Vec<String>) {
    let is_change = |word: &String| word.contains('=') || word.ends_with('-');
    let (changes, objects) = given.words.iter().cloned().partition(is_change);
    (objects, changes)
}

fn taint(given: &Changes, names: &Names<'_>) -> Result<Vec<Command>, Wrong> {
    let is_change =
        |word: &&String| word.contains('=') || word.contains(':') || word.ends_with('-');
    let (changes, words): (Vec<&String>, Vec<&String>) = given.words.iter().partition(is_change);
    let effect = |text: &str| match text {
        "NoSchedule" => Ok(TaintEffect::NoSchedule),
        "PreferNoSchedule" => Ok(TaintEffect::PreferNoSchedule),
        "NoExecute" => Ok(TaintEffect::NoExecute),
        other => {
            let hint = "one of NoSchedule, PreferNoSchedule, NoExecute".to_owned();
            Err((format!("`{other}` is no effect of a taint"), Some(hint)))
        }
    };
    let (mut add, mut remove) = (Vec::new(), Vec::new());
    for change in changes {
        if let Some(key) = change.strip_suffix('-') {
            let (key, which) = key.split_once(':').map_or((key, None), |(k, e)| (k, Some(e)));
            remove.push((Text::from(key), which.map(effect).transpose()?));
            continue;
        }
        let Some((pair, which)) = change.rsplit_once(':') else {
            return Err((format!("`{change}` is no KEY=VALUE:EFFECT"), None));
        };
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let taint = Taint::new(key, effect(which)?, SimTime::ZERO);
        add.push(Taint { value: value.into(), ..taint });
    }
    let nodes = words.iter().skip_while(|word| kind_of(word) == Some("Node"));
    let nodes: Vec<String> =
        nodes.map(|word| word.trim_start_matches("node/").to_owned()).collect();
    let command = |node| Command::TaintNode { node, add: add.clone(), remove: remove.clone() };
    Ok(names.nodes(&nodes)?.into_iter().map(command).collect())
}

fn label(given: &Changes, namespace: &str, names: &Names<'_>) -> Result<Vec<Command>, Wrong> {
    let (objects, changes) = split(given);
    let change = |word: &String| match word.strip_suffix('-') {
        Some(key) => (Text::from(key), None),
        None => {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            (Text::from(key), Some(Text::from(value)))
        }
    };
    let pairs: Vec<(Text, Option<Text>)> = changes.iter().map(change).collect();
    let objects = command_line::objects(&objects).map_err(|message| (message, None))?;
    let command = |(kind, name): (&'static str, String)| match kind {
        "Node" => Ok(Command::LabelNode { node: names.node(&name)?, pairs: pairs.clone() }),
        "Pod" => {
            let mut which = pods(namespace, given.selector.as_deref())?;
            which.name = (!name.is_empty()).then(|| name.as_str().into());
            Ok(Command::Pods { which, what: PodCommand::Label(pairs.clone()) })
        }
        kind => Err((format!("a {kind} is not labelled here"), Some("nodes and pods are".into()))),
    };
    objects.into_iter().map(command).collect()
}

fn annotate(given: &Changes, namespace: &str) -> Result<Vec<Command>, Wrong> {
    let (objects, changes) = split(given);
    let cost =
        changes.iter().find_map(|change| change.strip_prefix(DELETION_COST)?.strip_prefix('='));
    let Some(cost) = cost.and_then(|cost| cost.parse().ok()) else {
        let hint = format!("{DELETION_COST}=NUMBER is");
        return Err(("no annotation that changes anything here".to_owned(), Some(hint)));
    };
    let objects = command_line::objects(&objects).map_err(|message| (message, None))?;
    let command = |(kind, name): (&'static str, String)| {
        if kind != "Pod" {
            return Err((format!("a {kind} is not annotated here"), None));
        }
        let mut which = pods(namespace, given.selector.as_deref())?;
        which.name = (!name.is_empty()).then(|| name.as_str().into());
        Ok(Command::Pods { which, what: PodCommand::DeletionCost(cost) })
    };
    objects.into_iter().map(command).collect()
}

fn autoscaler(target: &Target, min: u32, max: u32, cpu: Option<&str>) -> Result<Hpa, Wrong> {
    let per_cent = cpu.unwrap_or("80").trim_end_matches('%');
    let Ok(per_cent) = per_cent.parse::<u32>() else {
        return Err((format!("`{per_cent}` is no percentage"), None));
    };
    if max < min || max == 0 {
        return Err((format!("--max={max} is below --min={min}"), None));
    }
    Ok(Hpa {
        target_kind: kind_of(&target.kind).unwrap_or("Deployment"),
        target_name: target.name.name.clone(),
        min_replicas: min,
        max_replicas: max,
        ..Hpa::on_cpu(&target.name, per_cent)
    })
}
