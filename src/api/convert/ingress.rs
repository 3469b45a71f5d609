//! Ingresses (`networking.k8s.io/v1`), with the API server's validation.

use super::{FieldError, labels};
use crate::api::ingress::{Backend, Ingress, Path, PathType, Rule};
use crate::units::SimTime;
use k8s_openapi::api::networking::v1;

/// An Ingress; `namespace` is the one it goes to when it names none.
pub fn ingress(given: &v1::Ingress, namespace: &str, errors: &mut Vec<FieldError>) -> Ingress {
    let spec = given.spec.clone().unwrap_or_default();
    if spec.default_backend.is_none() && spec.rules.as_ref().is_none_or(Vec::is_empty) {
        let message = "either `defaultBackend` or `rules` must be specified";
        errors.push(FieldError::new("spec".into(), message));
    }
    let default = spec.default_backend.as_ref();
    let rules = spec.rules.iter().flatten().enumerate();
    let tls = spec.tls.iter().flatten().map(|tls| {
        let hosts = tls.hosts.iter().flatten().map(|host| host.as_str().into());
        (tls.secret_name.as_deref().unwrap_or("").into(), hosts.collect())
    });
    Ingress {
        name: given.metadata.name.as_deref().unwrap_or("").into(),
        namespace: given.metadata.namespace.as_deref().unwrap_or(namespace).into(),
        labels: labels(given.metadata.labels.as_ref()),
        class: spec.ingress_class_name.as_deref().map(Into::into),
        default_backend: default.and_then(|b| backend(b, "spec.defaultBackend", errors)),
        rules: rules.map(|(i, given)| rule(given, &format!("spec.rules[{i}]"), errors)).collect(),
        tls: tls.collect(),
        created: SimTime::ZERO,
    }
}

fn rule(given: &v1::IngressRule, path: &str, errors: &mut Vec<FieldError>) -> Rule {
    let paths = given.http.iter().flat_map(|http| &http.paths).enumerate();
    let host = given.host.as_deref().unwrap_or("");
    let rest = host.strip_prefix("*.").unwrap_or(host);
    if rest.contains('*') || host.contains(['/', ':']) {
        let message = format!("{host:?} is no host: a DNS name, or one that begins with `*.`");
        errors.push(FieldError::new(format!("{path}.host"), message));
    }
    Rule {
        host: host.into(),
        paths: paths
            .filter_map(|(i, given)| http_path(given, &format!("{path}.http.paths[{i}]"), errors))
            .collect(),
    }
}

fn http_path(
    given: &v1::HTTPIngressPath,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> Option<Path> {
    let text = given.path.as_deref().unwrap_or("");
    let kind = PathType::named(&given.path_type);
    let Some(kind) = kind else {
        let message =
            format!("{:?} is none of Exact, Prefix, ImplementationSpecific", given.path_type);
        errors.push(FieldError::new(format!("{path}.pathType"), message));
        return None;
    };
    if (kind != PathType::ImplementationSpecific || !text.is_empty()) && !text.starts_with('/') {
        errors.push(FieldError::new(format!("{path}.path"), "must be an absolute path"));
    }
    let backend = backend(&given.backend, &format!("{path}.backend"), errors)?;
    Some(Path { path: text.into(), kind, backend })
}

fn backend(
    given: &v1::IngressBackend,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> Option<Backend> {
    match (&given.service, &given.resource) {
        (Some(service), None) => {
            let port = service.port.clone().unwrap_or_default();
            let port = match (port.number, port.name) {
                (Some(number), None) if number > 0 => number.to_string(),
                (None, Some(name)) if !name.is_empty() => name,
                _ => {
                    let message = "a port has a `number` or a `name`";
                    errors.push(FieldError::new(format!("{path}.service.port"), message));
                    return None;
                }
            };
            Some(Backend::Service { name: service.name.as_str().into(), port: port.into() })
        }
        (None, Some(given)) => {
            Some(Backend::Resource(given.kind.as_str().into(), given.name.as_str().into()))
        }
        _ => {
            let message = "a backend is a `service` or a `resource`";
            errors.push(FieldError::new(path.to_owned(), message));
            None
        }
    }
}
