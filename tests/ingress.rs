//! Ingresses: requests from outside reach Services by their host and path.

#![allow(clippy::unwrap_used, reason = "a test")]

mod serving;

use serving::{folder, loaded, rows};
use std::process::Command;

/// A Deployment of two pods with its Service, listening on a port named `http`.
fn app(name: &str) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec: {{containers: [{{name: a, image: a:1, resources: {{requests: {{cpu: 500m}}}}}}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{selector: {{app: {name}}}, ports: [{{name: http, port: 80}}]}}
---
"
    )
}

const INGRESS: &str = "apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop}
spec:
  ingressClassName: nginx
  rules:
    - host: shop.example
      http:
        paths:
          - {path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}
          - {path: /api, pathType: Prefix, backend: {service: {name: api, port: {name: http}}}}
          - {path: /old, pathType: Prefix, backend: {service: {name: old, port: {number: 80}}}}
";

fn shop() -> String {
    app("web") + &app("api") + INGRESS
}

/// Requests that each workload was offered and the cluster failed, in thousands, of ten minutes.
fn offered(name: &str, manifests: &str, more: &str) -> (Vec<u32>, u32) {
    let scenario = loaded(name, manifests, &format!("{more}observe: {{every: 30s}}\n")).unwrap();
    let rows = rows(&scenario);
    let thousands = |sum: f64| (sum / 1000.0).round() as u32;
    let of = |index: usize| {
        let its = rows.workloads.iter().filter(|row| row.workload == index);
        thousands(its.map(|row| row.offered).sum())
    };
    let failed = rows.cluster.iter().map(|row| row.failed).sum();
    ((0..scenario.workloads.len()).map(of).collect(), thousands(failed))
}

#[test]
fn requests_go_where_the_longest_path_leads() {
    let rows_of = [
        ("the prefix of all", "to: ingress/shop", [60, 0], 0),
        ("a longer one", "to: ingress/shop, path: /api/items", [0, 60], 0),
        ("elements count as wholes", "to: ing/default/shop, path: /apis", [60, 0], 0),
        ("by its host alone", "host: shop.example, path: /api", [0, 60], 0),
        ("another host is a 404", "host: other.example", [0, 0], 60),
        ("a Service that is not there is a 503", "host: shop.example, path: /old/x", [0, 0], 60),
        ("the Service itself is reached too", "to: api", [0, 60], 0),
    ];
    for (index, (sentence, entry, workloads, failed)) in rows_of.into_iter().enumerate() {
        let more = format!("traffic: [{{{entry}, rate: 100}}]\n");
        let found = offered(&format!("path-{index}"), &shop(), &more);
        assert_eq!(found, (workloads.to_vec(), failed), "{sentence}");
    }
}

#[test]
fn an_ingress_goes_past_the_load_balancer_of_a_service() {
    let balanced = shop().replace("spec: {selector", "spec: {type: LoadBalancer, selector");
    let cold = "start: cold\nflags: {cloud: {load-balancer: 1h}}\n";
    for (sentence, entry, failed) in [
        ("from outside nobody gets through", "to: web", 60),
        ("the Ingress is inside", "to: ingress/shop", 1),
    ] {
        let more = format!("{cold}traffic: [{{{entry}, rate: 100}}]\n");
        let (_, found) = offered("balanced", &balanced, &more);
        assert!(found.abs_diff(failed) <= 2, "{sentence}: {found} thousand fail");
    }
}

#[test]
fn rules_that_change_lead_elsewhere() {
    let to_api = INGRESS.replacen("name: web", "name: api", 1);
    let folder = folder("changes");
    std::fs::write(folder.join("rules.yaml"), to_api).unwrap();
    let rows_of = [
        ("applied again it leads to the other Service", "apply -f rules.yaml", [30, 30], 0),
        ("without an Ingress all are 404s", "delete ingress shop", [30, 0], 30),
        ("without the Service they are 503s", "delete svc web", [30, 0], 30),
        ("a namespace takes some seconds to go", "delete namespace store", [31, 0], 29),
    ];
    // The namespace `default` can't be deleted.
    let in_store = shop().replace("metadata: {name: ", "metadata: {namespace: store, name: ");
    for (sentence, line, workloads, failed) in rows_of {
        let is_whole = line.contains("namespace");
        let line = format!("timeline: [{{at: 5m, kubectl: {line}}}]\n");
        let (manifests, to) = match is_whole {
            true => (in_store.clone(), "ingress/store/shop"),
            false => (shop(), "ingress/shop"),
        };
        let more = format!("{line}traffic: [{{to: {to}, rate: 100}}]\n");
        let found = offered("changes", &manifests, &more);
        assert_eq!(found, (workloads.to_vec(), failed), "{sentence}");
    }
}

#[test]
fn what_leads_nowhere_is_told_with_its_place() {
    let noted = |manifests: &str, entry: &str| -> Vec<String> {
        let more = format!("traffic: [{{{entry}, rate: 1}}]\n");
        let notes = loaded("notes", manifests, &more).unwrap().ignored;
        let told = notes.iter().map(|n| format!("{}: {} {}", n.line, n.object, n.reason));
        told.collect()
    };
    let all = noted(&shop(), "host: other.example");
    assert_eq!(
        all,
        [
            "42: Ingress default/shop there is no Service `old` in the manifests: 503",
            "5: traffic[0] no rule of an Ingress wants its host and path: 404",
        ]
    );
    let no_port = shop().replace("name: old, port: {number: 80}", "name: api, port: {number: 81}");
    let notes = noted(&no_port, "to: ingress/shop");
    assert_eq!(
        notes,
        ["42: Ingress default/shop Service `api` has no port 81 in the manifests: 503"]
    );
}

#[test]
fn what_is_wrong_is_an_error_with_a_hint() {
    let ingress = |from: &str, to: &str| shop().replace(from, to);
    let two = ingress("  rules:\n", "  rules:\n    - {host: b.example, http: {paths: []}}\n");
    let rows_of = [
        ("an Ingress that is none", shop(), "to: ingress/shp", "did you mean `shop`?"),
        ("a host of a Service", shop(), "to: web, host: a", "write `to: ingress/NAME`"),
        ("no direction at all", shop(), "noise: 1%", "`to: SERVICE`, `to: ingress/NAME`"),
        ("two hosts", two, "to: ingress/shop", "one of its rules': b.example, shop.example"),
        ("a path that is none", shop(), "host: a, path: b", "must be an absolute path, like /"),
        ("hosts without an Ingress", app("web"), "host: a", "there is no Ingress"),
        (
            "a path type that is none",
            ingress("pathType: Prefix", "pathType: Begin"),
            "to: web",
            "is none of Exact, Prefix, ImplementationSpecific",
        ),
        (
            "a relative path",
            ingress("path: /api", "path: api"),
            "to: web",
            "must be an absolute path",
        ),
        (
            "a backend without a port",
            ingress("port: {name: http}", "port: {}"),
            "to: web",
            "a port has a `number` or a `name`",
        ),
    ];
    for (sentence, manifests, entry, expected) in rows_of {
        let more = format!("traffic: [{{{entry}, rate: 1}}]\n");
        let errors = loaded("wrong-ingress", &manifests, &more).unwrap_err();
        assert!(errors.contains(expected), "{sentence}: {errors}");
    }
}

fn stormglass(folder: &std::path::Path, line: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stormglass"));
    let output = command.current_dir(folder).args(line.split_whitespace()).output().unwrap();
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
}

#[test]
fn ingresses_are_printed_as_kubectl_prints_them() {
    let manifests = shop() + "  tls: [{secretName: cert, hosts: [shop.example]}]\n";
    loaded("ingress", &manifests, "traffic: [{to: ingress/shop, rate: 1}]\n").unwrap();
    let folder = folder("ingress");
    stormglass(&folder, "run scenario.yaml --quiet --out out");
    assert_eq!(
        stormglass(&folder, "get out/scenario/1 ing --at 90s"),
        "NAME   CLASS   HOSTS          ADDRESS   PORTS     AGE\n\
         shop   nginx   shop.example             80, 443   90s\n"
    );
    let told = stormglass(&folder, "describe out/scenario/1 ingress shop --at 90s");
    let web = told.lines().find(|line| line.contains("web:80")).unwrap();
    assert!(web.contains("/ ") && web.contains("web:80 (web-"), "{web}");
    let heads: Vec<&str> = told.lines().take(10).collect();
    assert_eq!(
        heads,
        [
            "Name:             shop",
            "Labels:           <none>",
            "Namespace:        default",
            "Address:          ",
            "Ingress Class:    nginx",
            "Default backend:  <default>",
            "TLS:",
            "  cert terminates shop.example",
            "Rules:",
            "  Host          Path  Backends",
        ]
    );
    assert!(told.contains("old:80 (<error: services \"old\" not found>)"), "{told}");
    let yaml = stormglass(&folder, "get out/scenario/1 ingress shop -o yaml");
    assert!(yaml.contains("ingressClassName: nginx") && yaml.contains("pathType: Prefix"));
}
