//! `core/v1` pod specifications to `api::pod::PodSpec`, with the API server's defaulting.
//!
//! Sources, v1.37: `pkg/apis/core/v1/defaults.go`; for pod-level requests the same rules that
//! `PrepareForCreate` applies since PodLevelResourcesFixDefaulting. Admission plugins (default
//! tolerations, priority classes) are not applied here.

use super::pod_affinity::{node_affinity, pod_affinity, topology_spread};
use super::{
    FieldError, QuantityMap, config, csi_migration, labels, node_features, quantity,
    resource_claim, resources, text, texts,
};
use crate::api::Text;
use crate::api::pod::{
    Container, ExplicitZero, HostPort, PodRequests, PodSpec, Probe, ProbeHandler, PullPolicy,
    RestartPolicy,
};
use crate::api::taint::{TaintEffect, Toleration, TolerationOperator};
use crate::api::volume::{Disk, DiskIdentity, Volume, VolumeSource};
use crate::units::SimDuration;
use k8s_openapi::api::core::v1 as k8s;

/// Converts a pod specification; `path` is where it stands (`spec`, `spec.template.spec`).
///
/// Everything wrong is added to `errors`; the result is then a best effort and must not be used.
/// The priority is the given `spec.priority` (0 without one): resolving a priority class is the
/// caller's business, as it is admission's upstream.
pub fn pod_spec(spec: &k8s::PodSpec, path: &str, errors: &mut Vec<FieldError>) -> PodSpec {
    let mut out = PodSpec {
        containers: containers(&spec.containers, spec, &format!("{path}.containers"), errors),
        init_containers: containers(
            spec.init_containers.as_deref().unwrap_or_default(),
            spec,
            &format!("{path}.initContainers"),
            errors,
        ),
        overhead: resources(spec.overhead.as_ref(), &format!("{path}.overhead"), errors),
        node_selector: labels(spec.node_selector.as_ref()),
        priority: spec.priority.unwrap_or(0),
        priority_class: text(spec.priority_class_name.as_ref()),
        never_preempts: spec.preemption_policy.as_deref() == Some("Never"),
        scheduler_name: match spec.scheduler_name.as_deref() {
            None | Some("") => "default-scheduler".into(),
            Some(name) => name.into(),
        },
        node_name: spec.node_name.as_deref().filter(|n| !n.is_empty()).map(Text::from),
        termination_grace: grace(spec.termination_grace_period_seconds),
        restart_policy: restart_policy(spec.restart_policy.as_deref(), path, errors),
        host_network: spec.host_network.unwrap_or(false),
        has_deadline: spec.active_deadline_seconds.is_some(),
        node_features: node_features::needed(spec),
        config_refs: config::references(spec),
        ..PodSpec::default()
    };
    for gate in spec.scheduling_gates.iter().flatten() {
        out.scheduling_gates.push(gate.name.as_str().into());
    }
    for (i, given) in spec.tolerations.iter().flatten().enumerate() {
        out.tolerations.extend(toleration(given, &format!("{path}.tolerations[{i}]"), errors));
    }
    for (i, given) in spec.topology_spread_constraints.iter().flatten().enumerate() {
        let path = format!("{path}.topologySpreadConstraints[{i}]");
        out.topology_spread.push(topology_spread(given, &path, errors));
    }
    out.resource_claims = resource_claim::of_pod(spec, path, errors);
    out.volumes = spec.volumes.iter().flatten().map(volume).collect();
    if let Some(affinity) = &spec.affinity {
        let path = format!("{path}.affinity");
        out.node_affinity = affinity
            .node_affinity
            .as_ref()
            .map(|a| Box::new(node_affinity(a, &format!("{path}.nodeAffinity"), errors)));
        out.pod_affinity = pod_affinity(affinity, &path, errors).map(Box::new);
    }
    if out.containers.is_empty() {
        let message = "a pod needs at least one container";
        errors.push(FieldError::new(format!("{path}.containers"), message));
    }
    out.pod_requests = pod_requests(spec, &out, path, errors);
    out
}

/// 30 s by default; what is negative counts as 1 s.
fn grace(seconds: Option<i64>) -> SimDuration {
    let seconds = seconds.unwrap_or(30);
    SimDuration::from_secs(u64::try_from(seconds).unwrap_or(1))
}

fn restart_policy(given: Option<&str>, path: &str, errors: &mut Vec<FieldError>) -> RestartPolicy {
    match given {
        None | Some("" | "Always") => RestartPolicy::Always,
        Some("OnFailure") => RestartPolicy::OnFailure,
        Some("Never") => RestartPolicy::Never,
        Some(other) => {
            let message = format!("{other:?} is none of Always, OnFailure, Never");
            errors.push(FieldError::new(format!("{path}.restartPolicy"), message));
            RestartPolicy::Always
        }
    }
}

fn containers(
    given: &[k8s::Container],
    spec: &k8s::PodSpec,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> Vec<Container> {
    let host_network = spec.host_network.unwrap_or(false);
    let one = |(i, c): (usize, &k8s::Container)| {
        container(c, host_network, &format!("{path}[{i}]"), errors)
    };
    given.iter().enumerate().map(one).collect()
}

fn container(
    given: &k8s::Container,
    host_network: bool,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> Container {
    let given_resources = given.resources.clone().unwrap_or_default();
    let limits = given_resources.limits.unwrap_or_default();
    let mut requests = given_resources.requests.unwrap_or_default();
    check_limits(&requests, &limits, &format!("{path}.resources.requests"), errors);
    for (name, limit) in &limits {
        requests.entry(name.clone()).or_insert_with(|| limit.clone());
    }
    let limit_path = format!("{path}.resources.limits");
    let limited = resources(Some(&limits), &limit_path, errors);
    let requested = resources(Some(&requests), &format!("{path}.resources.requests"), errors);
    Container {
        name: given.name.as_str().into(),
        image: text(given.image.as_ref()),
        explicit_zero: ExplicitZero {
            cpu: requests.contains_key("cpu") && requested.cpu.0 == 0,
            memory: requests.contains_key("memory") && requested.memory.0 == 0,
        },
        requests: requested,
        cpu_limit: limits.contains_key("cpu").then_some(limited.cpu),
        memory_limit: limits.contains_key("memory").then_some(limited.memory),
        disk_limit: limits.contains_key("ephemeral-storage").then_some(limited.ephemeral_storage),
        host_ports: host_ports(given, host_network, path, errors),
        readiness_probe: probe(given.readiness_probe.as_ref()),
        liveness_probe: probe(given.liveness_probe.as_ref()),
        startup_probe: probe(given.startup_probe.as_ref()),
        sidecar: given.restart_policy.as_deref() == Some("Always"),
        restart: match given.restart_policy.as_deref() {
            Some("Never") => Some(RestartPolicy::Never),
            Some("OnFailure") => Some(RestartPolicy::OnFailure),
            _ => None,
        },
        pre_stop: pre_stop(given),
        pull_policy: pull_policy(given),
    }
}

/// A request above its limit is refused by the API server's validation.
fn check_limits(
    requests: &QuantityMap,
    limits: &QuantityMap,
    path: &str,
    errors: &mut Vec<FieldError>,
) {
    for (name, request) in requests {
        let Some(limit) = limits.get(name) else { continue };
        let parsed = (request.0.parse::<crate::api::quantity::Quantity>(), limit.0.parse());
        if let (Ok(r), Ok(l)) = parsed
            && r > l
        {
            let message = format!("{} is more than the {name} limit of {}", request.0, limit.0);
            errors.push(FieldError::new(format!("{path}.{name}"), message));
        }
    }
}

/// Ports that a container takes on its node: those with `hostPort`, with `hostNetwork` all.
fn host_ports(
    given: &k8s::Container,
    host_network: bool,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> Vec<HostPort> {
    let mut out = Vec::new();
    for (i, port) in given.ports.iter().flatten().enumerate() {
        let mut number = port.host_port.unwrap_or(0);
        if number == 0 && host_network {
            number = port.container_port;
        }
        if number == 0 {
            continue;
        }
        let Ok(number) = u16::try_from(number) else {
            let message = format!("{number} is no port: it must be 1 to 65535");
            errors.push(FieldError::new(format!("{path}.ports[{i}].hostPort"), message));
            continue;
        };
        let protocol = port.protocol.as_deref().filter(|p| !p.is_empty()).unwrap_or("TCP");
        out.push(HostPort {
            ip: text(port.host_ip.as_ref()),
            protocol: protocol.into(),
            port: number,
        });
    }
    out
}

/// `SetDefaults_Probe`: a value of 0 means the default.
fn probe(given: Option<&k8s::Probe>) -> Option<Probe> {
    let given = given?;
    let positive = |value: Option<i32>, default: u32| match value.map(u32::try_from) {
        None | Some(Ok(0) | Err(_)) => default,
        Some(Ok(value)) => value,
    };
    let seconds = |value, default: u32| SimDuration::from_secs(u64::from(positive(value, default)));
    Some(Probe {
        initial_delay: seconds(given.initial_delay_seconds, 0),
        period: seconds(given.period_seconds, 10),
        timeout: seconds(given.timeout_seconds, 1),
        success_threshold: positive(given.success_threshold, 1),
        failure_threshold: positive(given.failure_threshold, 3),
        termination_grace: given.termination_grace_period_seconds.map(|s| grace(Some(s))),
        handler: if given.tcp_socket.is_some() {
            ProbeHandler::TcpSocket
        } else if given.exec.is_some() {
            ProbeHandler::Exec
        } else if given.grpc.is_some() {
            ProbeHandler::Grpc
        } else {
            ProbeHandler::HttpGet
        },
    })
}

/// How long a preStop hook lasts: `sleep.seconds`, or an exec of `sleep N`, also inside `sh -c`.
fn pre_stop(given: &k8s::Container) -> SimDuration {
    let hook = given.lifecycle.as_ref().and_then(|l| l.pre_stop.as_ref());
    let Some(hook) = hook else { return SimDuration::ZERO };
    if let Some(sleep) = &hook.sleep {
        return SimDuration::from_secs(u64::try_from(sleep.seconds).unwrap_or(0));
    }
    let command = hook.exec.as_ref().and_then(|e| e.command.clone()).unwrap_or_default();
    let words: Vec<&str> = command.iter().flat_map(|word| word.split_whitespace()).collect();
    let at = words.iter().position(|w| w.rsplit('/').next() == Some("sleep"));
    let seconds = at.and_then(|at| words.get(at + 1)).and_then(|n| n.parse::<f64>().ok());
    SimDuration::from_secs_f64(seconds.unwrap_or(0.0))
}

/// `imagePullPolicy`, by default Always for the tag `latest`, which is the tag of a reference
/// with neither tag nor digest.
fn pull_policy(given: &k8s::Container) -> PullPolicy {
    let always = match given.image_pull_policy.as_deref() {
        None | Some("") => {
            let image = given.image.as_deref().unwrap_or("");
            let last = image.rsplit('/').next().unwrap_or("");
            match last.split_once('@') {
                Some((name, _digest)) => name.ends_with(":latest"),
                None => last.split_once(':').is_none_or(|(_, tag)| tag == "latest"),
            }
        }
        Some("Never") => return PullPolicy::Never,
        Some(policy) => policy == "Always",
    };
    if always { PullPolicy::Always } else { PullPolicy::IfNotPresent }
}

fn toleration(
    given: &k8s::Toleration,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> Option<Toleration> {
    let operator = match given.operator.as_deref() {
        None | Some("" | "Equal") => TolerationOperator::Equal,
        Some("Exists") => TolerationOperator::Exists,
        Some(other) => {
            let message = format!("{other:?} is neither Equal nor Exists");
            errors.push(FieldError::new(format!("{path}.operator"), message));
            return None;
        }
    };
    let effect = match given.effect.as_deref() {
        None | Some("") => None,
        Some(effect) => Some(taint_effect(effect, path, errors)?),
    };
    // A negative time means at once, as upstream's "zero and negative values".
    let seconds = |s: i64| SimDuration::from_secs(u64::try_from(s).unwrap_or(0));
    Some(Toleration {
        key: text(given.key.as_ref()),
        operator,
        value: text(given.value.as_ref()),
        effect,
        seconds: given.toleration_seconds.map(seconds),
    })
}

/// A taint effect by name.
pub(super) fn taint_effect(
    effect: &str,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> Option<TaintEffect> {
    match effect {
        "NoSchedule" => Some(TaintEffect::NoSchedule),
        "PreferNoSchedule" => Some(TaintEffect::PreferNoSchedule),
        "NoExecute" => Some(TaintEffect::NoExecute),
        other => {
            let message = format!("{other:?} is none of NoSchedule, PreferNoSchedule, NoExecute");
            errors.push(FieldError::new(format!("{path}.effect"), message));
            None
        }
    }
}

fn volume(given: &k8s::Volume) -> Volume {
    let source = if let Some(claim) = &given.persistent_volume_claim {
        VolumeSource::Claim {
            name: claim.claim_name.as_str().into(),
            read_only: claim.read_only.unwrap_or(false),
        }
    } else if given.ephemeral.is_some() {
        VolumeSource::Ephemeral
    } else if let Some(image) = &given.image {
        VolumeSource::Image { reference: text(image.reference.as_ref()) }
    } else if let Some(csi) = &given.csi {
        VolumeSource::Csi { driver: csi.driver.as_str().into() }
    } else {
        let disk = Disk { conflict: disk_identity(given), csi: csi_migration::disk(given) };
        match disk {
            Disk { conflict: None, csi: None } => VolumeSource::Other,
            disk => VolumeSource::Disk(Box::new(disk)),
        }
    };
    Volume { name: given.name.as_str().into(), source, written: written(given) }
}

/// The source as upstream's `VolumesSigner` writes it.
fn written(given: &k8s::Volume) -> Text {
    if given.config_map.is_some() || given.secret.is_some() {
        return "".into();
    }
    let source = k8s::Volume { name: String::new(), ..given.clone() };
    serde_json::to_string(&source).unwrap_or_default().into()
}

/// The disk that a volume names, if it is of a kind of which two pods may be in each other's way.
fn disk_identity(given: &k8s::Volume) -> Option<DiskIdentity> {
    let reads = |read_only: Option<bool>| read_only.unwrap_or(false);
    if let Some(disk) = &given.gce_persistent_disk {
        let (name, read_only) = (disk.pd_name.as_str().into(), reads(disk.read_only));
        return Some(DiskIdentity::GcePersistentDisk { name, read_only });
    }
    if let Some(disk) = &given.aws_elastic_block_store {
        let volume = disk.volume_id.as_str().into();
        return Some(DiskIdentity::AwsElasticBlockStore { volume });
    }
    if let Some(disk) = &given.iscsi {
        let (iqn, read_only) = (disk.iqn.as_str().into(), reads(disk.read_only));
        return Some(DiskIdentity::Iscsi { iqn, read_only });
    }
    let disk = given.rbd.as_ref()?;
    Some(DiskIdentity::Rbd {
        monitors: texts(Some(&disk.monitors)),
        pool: disk.pool.as_deref().filter(|pool| !pool.is_empty()).unwrap_or("rbd").into(),
        image: disk.image.as_str().into(),
        read_only: reads(disk.read_only),
    })
}

/// Pod-level requests. Where only a pod-level limit is given, the request defaults to what the
/// containers request together, or to the limit if they request none (`defaultPodRequests`).
fn pod_requests(
    spec: &k8s::PodSpec,
    converted: &PodSpec,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> Option<Box<PodRequests>> {
    let given = spec.resources.as_ref()?;
    let path = format!("{path}.resources");
    let mut out = PodRequests::default();
    let supported = |name: &str| matches!(name, "cpu" | "memory") || name.starts_with("hugepages-");
    for (name, amount) in given.requests.iter().flatten().filter(|(name, _)| supported(name)) {
        let q = quantity(amount, || format!("{path}.requests.{name}"), errors);
        out.give(name, q);
    }
    let containers = || spec.containers.iter().chain(spec.init_containers.iter().flatten());
    let requested = |name: &str| {
        let lists = containers().filter_map(|c| c.resources.as_ref());
        lists.flat_map(|r| [&r.requests, &r.limits]).flatten().any(|l| l.contains_key(name))
    };
    let limits = given.limits.as_ref();
    if limits.is_some_and(|l| !l.is_empty()) {
        // The containers' own sum: pod-level requests and overhead play no part in it.
        let bare = PodSpec { overhead: Default::default(), ..converted.clone() };
        let sum = bare.requests();
        out.cpu = out.cpu.or(requested("cpu").then_some(sum.cpu));
        out.memory = out.memory.or(requested("memory").then_some(sum.memory));
    }
    for (name, amount) in limits.into_iter().flatten().filter(|(name, _)| supported(name)) {
        let q = quantity(amount, || format!("{path}.limits.{name}"), errors);
        if !out.has(name) {
            out.give(name, q);
        }
    }
    (out != PodRequests::default()).then(|| Box::new(out))
}

impl PodRequests {
    fn has(&self, name: &str) -> bool {
        match name {
            "cpu" => self.cpu.is_some(),
            "memory" => self.memory.is_some(),
            _ => self.hugepages.iter().any(|(n, _)| **n == *name),
        }
    }

    fn give(&mut self, name: &str, q: crate::api::quantity::Quantity) {
        match name {
            "cpu" => self.cpu = Some(q.as_cpu()),
            "memory" => self.memory = Some(q.as_bytes()),
            _ => self.hugepages.push((name.into(), q.value())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ignored::ignored_fields;
    use super::*;
    use crate::units::{Bytes, MilliCpu};
    use serde_json::json;

    fn convert(spec: serde_json::Value) -> (PodSpec, Vec<FieldError>) {
        let spec: k8s::PodSpec = serde_json::from_value(spec).unwrap();
        let mut errors = Vec::new();
        let out = pod_spec(&spec, "spec", &mut errors);
        (out, errors)
    }

    #[test]
    fn pods_are_defaulted_as_by_the_api_server() {
        let (spec, errors) = convert(json!({
            "hostNetwork": true,
            "containers": [{
                "name": "a", "image": "registry.example:5000/a",
                "ports": [{"containerPort": 80}],
                "readinessProbe": {"periodSeconds": 5},
                "resources": {"limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"cpu": "0"}}
            }]
        }));
        assert_eq!(errors, []);
        let container = &spec.containers[0];
        assert_eq!(container.requests.memory, Bytes::mebi(1024), "a limit alone is the request");
        assert!(container.explicit_zero.cpu && !container.explicit_zero.memory);
        assert_eq!(container.cpu_limit, Some(MilliCpu(2000)));
        assert_eq!(container.host_ports[0].port, 80, "with hostNetwork a port is a host port");
        assert_eq!(&*container.host_ports[0].protocol, "TCP");
        assert_eq!(
            container.pull_policy,
            PullPolicy::Always,
            "a reference without a tag means latest"
        );
        let probe = container.readiness_probe.unwrap();
        assert_eq!((probe.period, probe.failure_threshold), (SimDuration::from_secs(5), 3));
        assert_eq!(&*spec.scheduler_name, "default-scheduler");
        assert_eq!(spec.termination_grace, SimDuration::from_secs(30));
    }

    #[test]
    fn pod_level_requests_default_from_containers_then_from_limits() {
        let (spec, _) = convert(json!({
            "resources": {"limits": {"cpu": "2", "memory": "3Gi"}},
            "overhead": {"cpu": "10m"},
            "containers": [{"name": "a", "resources": {"requests": {"cpu": "250m"}}}]
        }));
        let expected = PodRequests {
            cpu: Some(MilliCpu(250)),
            memory: Some(Bytes::mebi(3072)),
            hugepages: vec![],
        };
        assert_eq!(spec.pod_requests.as_deref(), Some(&expected));
        assert_eq!(spec.requests().cpu, MilliCpu(260), "overhead comes on top");
    }

    #[test]
    fn all_errors_are_told_with_their_paths() {
        let (_, errors) = convert(json!({
            "restartPolicy": "Sometimes",
            "tolerations": [{"operator": "Like"}],
            "nodeSelector": {},
            "containers": [{"name": "a", "resources": {
                "requests": {"cpu": "2x", "memory": "2Gi"}, "limits": {"memory": "1Gi"}}}]
        }));
        let paths: Vec<&str> = errors.iter().map(|e| &*e.path).collect();
        let expected = [
            "spec.containers[0].resources.requests.memory",
            "spec.containers[0].resources.requests.cpu",
            "spec.restartPolicy",
            "spec.tolerations[0].operator",
        ];
        assert_eq!(paths, expected);
    }

    #[test]
    fn fields_without_effect_are_listed() {
        let spec = json!({
            "securityContext": {"runAsUser": 1},
            "serviceAccountName": "x",
            "hostAliases": null,
            "volumes": [{"name": "t", "emptyDir": {}},
                {"name": "d", "persistentVolumeClaim": {"claimName": "d"}}],
            "containers": [{"name": "a", "env": [{"name": "A", "value": "1"}], "args": []}]
        });
        let expected = [
            "spec.securityContext",
            "spec.serviceAccountName",
            "spec.volumes[1].persistentVolumeClaim",
            "spec.containers[0].env",
        ];
        assert_eq!(ignored_fields(&spec, "spec"), expected);
    }

    #[test]
    fn pre_stop_lasts_as_long_as_its_sleep() {
        let rows = [
            ("the sleep action", json!({"sleep": {"seconds": 7}}), 7),
            ("an exec of sleep", json!({"exec": {"command": ["/bin/sleep", "9"]}}), 9),
            ("sleep in a shell", json!({"exec": {"command": ["sh", "-c", "sleep 11"]}}), 11),
            ("another command takes no time", json!({"exec": {"command": ["nginx", "-s"]}}), 0),
        ];
        for (sentence, hook, seconds) in rows {
            let (spec, _) =
                convert(json!({"containers": [{"name": "a", "lifecycle": {"preStop": hook}}]}));
            assert_eq!(spec.containers[0].pre_stop, SimDuration::from_secs(seconds), "{sentence}");
        }
    }
}
