//! Pods bear traffic whatever controls them: the same requests, the same answers.

#![allow(clippy::unwrap_used, reason = "a test")]

mod serving;

use serving::{Rows, loaded, rows};

const TEMPLATE: &str = "    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 10
      containers:
        - {name: web, image: web:1, resources: {requests: {cpu: 500m, memory: 128Mi}}}
";

/// Three pods with label `app: web` of a kind, and a Service before them.
fn web(kind: &str) -> String {
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: \
                   web}, ports: [{port: 80}]}\n---\n";
    let selector = "  selector: {matchLabels: {app: web}}\n  template:\n";
    let of = |version: &str, spec: &str| {
        let head = format!("apiVersion: {version}\nkind: {kind}\nmetadata: {{name: web}}\nspec:\n");
        format!("{service}{head}{spec}{TEMPLATE}")
    };
    match kind {
        "Pod" => {
            let pod = |n: usize| {
                let body = TEMPLATE.replace("\n    ", "\n").replace("    metadata", "metadata");
                let body = body.replace("{labels", &format!("{{name: web-{n}, labels"));
                format!("apiVersion: v1\nkind: Pod\n{body}---\n")
            };
            service.to_owned() + &pod(0) + &pod(1) + &pod(2)
        }
        "DaemonSet" => of("apps/v1", selector),
        "StatefulSet" => of("apps/v1", &format!("  replicas: 3\n  serviceName: web\n{selector}")),
        "ReplicationController" => of("v1", "  replicas: 3\n  selector: {app: web}\n  template:\n"),
        _ => of("apps/v1", &format!("  replicas: 3\n{selector}")),
    }
}

const KINDS: [&str; 6] =
    ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Pod"];
const TRAFFIC: &str = "traffic: [{to: web, rate: 120}]\nobserve: {every: 30s}\n";

#[test]
fn pods_of_every_kind_serve_what_a_deployments_pods_serve() {
    let sums = |kind: &str| {
        let rows = rows(&loaded(kind, &web(kind), TRAFFIC).unwrap());
        let first = &rows.cluster[0];
        assert_eq!((first.pods_ready, first.pods_desired), (3, 3), "{kind} is settled at once");
        let served: f64 = rows.workloads.iter().map(|row| row.served).sum();
        let cpu: i64 = rows.workloads.iter().map(|row| row.cpu_used.0).sum();
        let entries: f64 = rows.cluster.iter().map(|row| row.served).sum();
        let p95 = rows.cluster.last().unwrap().latency.unwrap().p95;
        (served, entries, cpu, p95)
    };
    let (served, entries, cpu, p95) = sums("Deployment");
    assert!((served - 72_000.0).abs() < 1.0, "two a second and pod for ten minutes: {served}");
    for kind in &KINDS[1..] {
        let found = sums(kind);
        let near = |one: f64, other: f64| (one - other).abs() <= 1e-9 * one.abs();
        assert!(near(found.0, served), "{kind} serves {}, not {served}", found.0);
        assert!(near(found.1, entries), "{kind} answers {}, not {entries}", found.1);
        assert!((found.2 - cpu).abs() <= 60, "{kind} uses {} milli-CPU, not {cpu}", found.2);
        assert!((found.3 - p95).abs() < 1e-9, "{kind} answers in {}, not {p95}", found.3);
    }
}

#[test]
fn a_pod_that_is_deleted_is_missed_and_replaced_by_whatever_controls_it() {
    let rows_of = [
        ("a StatefulSet's pod comes back under its name", "StatefulSet", 4, 3),
        ("a DaemonSet's pod comes back on its node", "DaemonSet", 4, 3),
        ("a ReplicaSet makes another one", "ReplicaSet", 4, 3),
        ("so does a ReplicationController", "ReplicationController", 4, 3),
        ("nobody replaces a bare pod", "Pod", 3, 2),
    ];
    for (sentence, kind, created, ready) in rows_of {
        let more = format!("{TRAFFIC}timeline: [{{at: 5m, kubectl: delete pods -l app=web}}]\n");
        let scenario = loaded(&format!("{kind}-deleted"), &web(kind), &more).unwrap();
        let rows = rows(&scenario);
        let all = if kind == "Pod" { 0 } else { 3 };
        assert_eq!(rows.cluster.last().unwrap().pods_ready, all, "{sentence}");
        let failed: f64 = rows.cluster.iter().map(|row| row.failed).sum();
        assert!(failed > 100.0, "{sentence}: {failed} requests fail meanwhile");
        let one = more.replace("pods -l app=web", "pod web-0");
        if kind == "StatefulSet" || kind == "Pod" {
            let rows = self::rows(&loaded(&format!("{kind}-one"), &web(kind), &one).unwrap());
            assert_eq!(rows.pods.len(), created, "{sentence}");
            assert_eq!(rows.cluster.last().unwrap().pods_ready, ready, "{sentence}");
            let last = rows.cluster.last().unwrap();
            assert!((last.served - last.offered).abs() < 1.0, "{sentence}: the others serve");
        }
    }
}

#[test]
fn an_autoscaler_scales_whatever_has_a_scale() {
    let scaled = |kind: &str, version: &str| {
        let hpa = format!(
            "---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {{name: \
             web}}\nspec:\n  scaleTargetRef: {{apiVersion: {version}, kind: {kind}, name: web}}\n  \
             minReplicas: 2\n  maxReplicas: 8\n"
        );
        let traffic = "traffic: [{to: web, rate: {step: {at: 2m, from: 50, to: 280}}}]\n";
        let more = format!("{traffic}observe: {{every: 30s}}\n");
        let name = format!("{kind}-scaled");
        rows(&loaded(&name, &(web(kind) + &hpa), &more).unwrap())
    };
    let known = scaled("Deployment", "apps/v1");
    let most = |rows: &Rows| rows.cluster.iter().map(|row| row.pods_ready).max().unwrap();
    assert!(most(&known) > 3, "there is something to scale: {}", most(&known));
    for (kind, version) in
        [("StatefulSet", "apps/v1"), ("ReplicaSet", "apps/v1"), ("ReplicationController", "v1")]
    {
        let rows = scaled(kind, version);
        let told = |rows: &Rows| {
            let events = rows.events.iter().filter(|e| e.reason == "SuccessfulRescale");
            events.map(|e| e.message.clone()).collect::<Vec<_>>()
        };
        assert_eq!(told(&rows)[0], told(&known)[0], "{kind} gets the same first size");
        assert_eq!(most(&rows), most(&known), "{kind} is as large in the end");
    }
}

#[test]
fn what_is_no_bearer_of_traffic_is_an_error_with_a_hint() {
    let both = web("Deployment") + "---\n" + web("StatefulSet").split_once("---\n").unwrap().1;
    let job = "---\napiVersion: batch/v1\nkind: Job\nmetadata: {name: load}\nspec:\n  template:\n    \
               spec: {restartPolicy: Never, containers: [{name: a, image: a:1}]}\n";
    let workload = |name: &str| format!("workloads: {{{name}: {{demand: 20ms}}}}\n{TRAFFIC}");
    let hpa = "---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: \
               web}\nspec:\n  scaleTargetRef: {apiVersion: apps/v1, kind: DaemonSet, name: web}\n  \
               maxReplicas: 8\n";
    let rows = [
        ("a name that is none", web("StatefulSet"), workload("webb"), "did you mean `web`?"),
        (
            "a name of two kinds",
            both.clone(),
            workload("web"),
            "write `deployment/web` or `statefulset/web`",
        ),
        (
            "a Job ends by itself",
            web("Pod") + job,
            workload("load"),
            "`load` is a Job: its pods bear no traffic",
        ),
        (
            "an expectation of what is not there",
            web("DaemonSet"),
            format!("{TRAFFIC}expect: [{{failed_ratio: {{at-most: 1%, of: wbe}}}}]\n"),
            "there is no workload `wbe`",
        ),
        (
            "a DaemonSet has no scale",
            web("DaemonSet") + hpa,
            TRAFFIC.to_owned(),
            "a DaemonSet can't be scaled",
        ),
    ];
    for (sentence, manifests, more, expected) in rows {
        let errors = loaded("wrong", &manifests, &more).unwrap_err();
        assert!(errors.contains(expected), "{sentence}: {errors}");
    }
    let apart = "workloads: {statefulset/web: {demand: 40ms}, deploy/web: {demand: 5ms}}\n";
    let scenario = loaded("apart", &both, &(apart.to_owned() + TRAFFIC)).unwrap();
    assert_eq!(scenario.objects.names_of_bearers(), ["default/web", "default/statefulset/web"]);
    let demands: Vec<String> = scenario.workloads.iter().map(|w| w.demand.to_string()).collect();
    assert_eq!(demands, ["5ms", "40ms"], "each has its own");
}
