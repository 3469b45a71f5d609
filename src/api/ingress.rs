//! Ingresses: which Service a request from outside goes to, by its host and path.
//!
//! Source: the Ingress API (`networking/v1` types and `pkg/apis/networking/validation`, v1.37) and
//! its documentation of path types and precedence. It knows rules and requests, not who sends them.

use super::labels::Labels;
use super::service::Service;
use super::{ObjectName, Text};
use crate::units::SimTime;

/// An Ingress.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Ingress {
    /// `metadata.name`.
    pub name: Text,
    /// `metadata.namespace`.
    pub namespace: Text,
    /// `metadata.labels`.
    pub labels: Labels,
    /// `spec.ingressClassName`.
    pub class: Option<Text>,
    /// `spec.defaultBackend`.
    pub default_backend: Option<Backend>,
    /// `spec.rules`.
    pub rules: Vec<Rule>,
    /// `spec.tls`: names of Secrets and the hosts that each is for.
    pub tls: Vec<(Text, Vec<Text>)>,
    /// When it was created.
    pub created: SimTime,
}

/// One of `spec.rules`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rule {
    /// `host`; empty: any. `*.example.com` stands for one label more.
    pub host: Text,
    /// `http.paths`.
    pub paths: Vec<Path>,
}

/// One of `http.paths`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Path {
    /// `path`; may be empty with `ImplementationSpecific`.
    pub path: Text,
    /// `pathType`.
    pub kind: PathType,
    /// `backend`.
    pub backend: Backend,
}

/// `pathType`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PathType {
    /// The whole path.
    Exact,
    /// Its first elements.
    Prefix,
    /// As the controller sees fit: here as `Prefix`, as ingress-nginx does.
    ImplementationSpecific,
}

/// Where requests go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Backend {
    /// A Service of the Ingress's namespace.
    Service {
        /// Its name.
        name: Text,
        /// Number or name of its port.
        port: Text,
    },
    /// Another object, which serves nothing here: its kind and name.
    Resource(Text, Text),
}

impl PathType {
    /// As in `pathType`.
    pub fn as_str(self) -> &'static str {
        match self {
            PathType::Exact => "Exact",
            PathType::Prefix => "Prefix",
            PathType::ImplementationSpecific => "ImplementationSpecific",
        }
    }

    /// The type of this name.
    pub fn named(name: &str) -> Option<PathType> {
        let all = [PathType::Exact, PathType::Prefix, PathType::ImplementationSpecific];
        all.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl Path {
    fn matches(&self, path: &str) -> bool {
        match self.kind {
            PathType::Exact => *self.path == *path,
            PathType::Prefix | PathType::ImplementationSpecific => {
                // Element by element; a slash at the end does not count.
                let wanted = self.path.trim_end_matches('/');
                path.strip_prefix(wanted)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
        }
    }
}

impl Backend {
    /// Whether a Service has the port that is asked for; one that tells of no ports has all.
    pub fn has_port(&self, service: &Service) -> bool {
        let Backend::Service { port, .. } = self else { return false };
        let is_it = |number: u16, name: &str| *name == **port || number.to_string() == **port;
        service.ports.is_empty() || service.ports.iter().any(|p| is_it(p.port, &p.name))
    }
}

/// How well a host fits: none at all, any, by a wildcard, by its name.
fn fit_of(rule: &str, host: &str) -> Option<u8> {
    if rule.is_empty() {
        return Some(0);
    }
    match rule.strip_prefix("*.") {
        None => (rule == host).then_some(2),
        Some(rest) => {
            let one_label =
                host.split_once('.').is_some_and(|(label, tail)| !label.is_empty() && tail == rest);
            one_label.then_some(1)
        }
    }
}

/// Where a request goes among `ingresses`: the namespace and the backend; `None`: nobody wants it,
/// it is answered with 404.
///
/// The rules of the best host decide, of their paths the longest that matches, of equally long
/// ones the exact one, and then the first. If none of them matches, the first default backend.
pub fn route<'a>(
    ingresses: impl Iterator<Item = &'a Ingress> + Clone,
    host: &str,
    path: &str,
) -> Option<(&'a Text, &'a Backend)> {
    let rules = ingresses.clone().flat_map(|i| i.rules.iter().map(move |rule| (i, rule)));
    let fitting = rules.filter_map(|(i, rule)| Some((fit_of(&rule.host, host)?, i, rule)));
    let best = fitting.clone().map(|(fit, ..)| fit).max();
    let of_best = fitting.filter(|(fit, ..)| Some(*fit) == best);
    let paths = of_best.flat_map(|(_, i, rule)| rule.paths.iter().map(move |path| (i, path)));
    let mut chosen: Option<(&Ingress, &Path)> = None;
    for (ingress, given) in paths.filter(|(_, given)| given.matches(path)) {
        let rank = |p: &Path| (p.path.len(), p.kind == PathType::Exact);
        if chosen.is_none_or(|(_, before)| rank(given) > rank(before)) {
            chosen = Some((ingress, given));
        }
    }
    let chosen = chosen.map(|(ingress, path)| (&ingress.namespace, &path.backend));
    chosen.or_else(|| {
        let mut all = ingresses;
        all.find_map(|i| Some((&i.namespace, i.default_backend.as_ref()?)))
    })
}

impl Ingress {
    /// Its namespace and name.
    pub fn object_name(&self) -> ObjectName {
        ObjectName { namespace: self.namespace.clone(), name: self.name.clone() }
    }

    /// Everything that requests may be sent to, with the path of its field.
    pub fn backends(&self) -> impl Iterator<Item = (String, &Backend)> {
        let default = self.default_backend.iter();
        let default = default.map(|backend| ("spec.defaultBackend".to_owned(), backend));
        let rules = self.rules.iter().enumerate().flat_map(|(r, rule)| {
            rule.paths.iter().enumerate().map(move |(p, path)| {
                (format!("spec.rules[{r}].http.paths[{p}].backend"), &path.backend)
            })
        });
        default.chain(rules)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backend(name: &str) -> Backend {
        Backend::Service { name: name.into(), port: "80".into() }
    }

    fn rule(host: &str, paths: &[(&str, PathType, &str)]) -> Rule {
        let path = |(path, kind, name): &(&str, PathType, &str)| Path {
            path: (*path).into(),
            kind: *kind,
            backend: backend(name),
        };
        Rule { host: host.into(), paths: paths.iter().map(path).collect() }
    }

    fn goes_to(ingresses: &[Ingress], host: &str, path: &str) -> String {
        match route(ingresses.iter(), host, path) {
            Some((_, Backend::Service { name, .. })) => name.to_string(),
            Some((_, Backend::Resource(kind, name))) => format!("{kind} {name}"),
            None => "404".to_owned(),
        }
    }

    #[test]
    fn a_path_matches_as_its_type_says() {
        use PathType::{Exact, ImplementationSpecific, Prefix};
        // The table of the Ingress documentation.
        let rows = [
            (Prefix, "/", "/any/thing", true),
            (Exact, "/foo", "/foo", true),
            (Exact, "/foo", "/bar", false),
            (Exact, "/foo", "/foo/", false),
            (Exact, "/foo/", "/foo", false),
            (Prefix, "/foo", "/foo", true),
            (Prefix, "/foo", "/foo/", true),
            (Prefix, "/foo/", "/foo", true),
            (Prefix, "/foo/", "/foo/", true),
            (Prefix, "/aaa/bb", "/aaa/bbb", false),
            (Prefix, "/aaa/bbb", "/aaa/bbb", true),
            (Prefix, "/aaa/bbb/", "/aaa/bbb", true),
            (Prefix, "/aaa/bbb", "/aaa/bbb/", true),
            (Prefix, "/aaa/bbb", "/aaa/bbb/ccc", true),
            (Prefix, "/aaa/bbb", "/aaa/bbbxyz", false),
            (Exact, "/foo", "/FOO", false),
            (ImplementationSpecific, "", "/foo", true),
        ];
        for (kind, rule, path, expected) in rows {
            let given = Path { path: rule.into(), kind, backend: backend("web") };
            assert_eq!(given.matches(path), expected, "{kind:?} {rule} and {path}");
        }
    }

    #[test]
    fn the_best_rule_gets_the_request() {
        use PathType::{Exact, Prefix};
        let shop = Ingress {
            rules: vec![
                rule(
                    "shop.example",
                    &[
                        ("/", Prefix, "web"),
                        ("/api", Prefix, "api"),
                        ("/api/v2", Prefix, "new-api"),
                        ("/api", Exact, "index"),
                    ],
                ),
                rule("*.example", &[("/", Prefix, "any-shop")]),
                rule("", &[("/health", Exact, "health")]),
            ],
            ..Ingress::default()
        };
        let fallback = Ingress { default_backend: Some(backend("lost")), ..Ingress::default() };
        let rows = [
            ("the prefix of all", "shop.example", "/cart", "web"),
            ("a longer one wins", "shop.example", "/api/items", "api"),
            ("the longest one wins", "shop.example", "/api/v2/items", "new-api"),
            ("of two that are equally long the exact one", "shop.example", "/api", "index"),
            ("elements count as wholes", "shop.example", "/apis", "web"),
            ("a name goes before a wildcard", "shop.example", "/health", "web"),
            ("a wildcard stands for one label", "other.example", "/", "any-shop"),
            ("and for no more than one", "a.b.example", "/", "404"),
            ("nor for none", "example", "/", "404"),
            ("any host", "elsewhere", "/health", "health"),
            ("no path of that host", "elsewhere", "/", "404"),
        ];
        for (sentence, host, path, expected) in rows {
            assert_eq!(goes_to(std::slice::from_ref(&shop), host, path), expected, "{sentence}");
            let both = [shop.clone(), fallback.clone()];
            let expected = if expected == "404" { "lost" } else { expected };
            assert_eq!(goes_to(&both, host, path), expected, "{sentence}, with a default");
        }
        assert_eq!(goes_to(&[], "shop.example", "/"), "404", "without any Ingress");
    }

    #[test]
    fn a_backend_has_a_port_by_number_or_name() {
        use crate::api::service::ServicePort;
        let port = ServicePort { port: 80, name: "http".into(), ..ServicePort::default() };
        let service = Service { ports: vec![port], ..Service::default() };
        for (asked, expected) in [("80", true), ("http", true), ("81", false), ("https", false)] {
            let backend = Backend::Service { name: "web".into(), port: asked.into() };
            assert_eq!(backend.has_port(&service), expected, "{asked}");
            assert!(backend.has_port(&Service::default()), "a Service without ports");
        }
        assert!(!Backend::Resource("Bucket".into(), "b".into()).has_port(&service));
    }
}
