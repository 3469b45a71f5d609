//! Pods that share the cores of their nodes, in whole worlds: what they serve and use, what
//! autoscalers see of it, and what it goes with.

#![allow(clippy::unwrap_used, reason = "a test")]

mod serving;

use serving::{Rows, loaded, rows};
use stormglass::record::rows::WorkloadSample;

/// A Deployment whose pods request so much CPU and have no limit, and a Service before it.
fn app(name: &str, replicas: u32, cpu: &str) -> String {
    let resources = match cpu {
        "" => String::new(),
        cpu => format!(", resources: {{requests: {{cpu: {cpu}, memory: 64Mi}}}}"),
    };
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{selector: {{app: \
         {name}}}, ports: [{{port: 80}}]}}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: \
         {{name: {name}}}\nspec:\n  replicas: {replicas}\n  selector: {{matchLabels: {{app: \
         {name}}}}}\n  template:\n    metadata: {{labels: {{app: {name}}}}}\n    spec:\n      \
         containers: [{{name: app, image: a:1{resources}}}]\n---\n"
    )
}

/// Requests of 10 ms that may use all of a node.
const WORK: &str = "demand: 10ms, burst: 100, idle-cpu: 0, queue: 100, timeout: 10s, startup: 2s";

fn mean(rows: &Rows, workload: usize, f: impl Fn(&WorkloadSample) -> f64) -> f64 {
    let of = |row: &&WorkloadSample| row.workload == workload && row.time.as_secs_f64() > 120.0;
    let late: Vec<f64> = rows.workloads.iter().filter(of).map(f).collect();
    late.iter().sum::<f64>() / late.len() as f64
}

#[test]
fn pods_use_what_their_requests_give_them() {
    // Three nodes of 3.92 cores, a pod of each on each of them.
    type Row = (&'static str, &'static str, [&'static str; 2], [f64; 2], [f64; 2]);
    let rows_of_table: [Row; 5] = [
        (
            "off: each pod has four cores of its own",
            "none",
            ["100m", "1"],
            [900.0, 900.0],
            [9.0, 9.0],
        ),
        (
            "by requests: 4 to 39",
            "shares",
            ["100m", "1"],
            [1500.0, 1500.0],
            [3.0 * 3.92 * 4.0 / 43.0, 3.0 * 3.92 * 39.0 / 43.0],
        ),
        (
            "who wants less than its part has it all, and the other the rest",
            "shares",
            ["1", "1"],
            [300.0, 1500.0],
            [3.0, 3.0 * 3.92 - 3.0],
        ),
        (
            "who requests nothing at all has next to nothing: 1 to 39",
            "shares",
            ["''", "1"],
            [1500.0, 1500.0],
            [3.0 * 3.92 / 40.0, 3.0 * 3.92 * 39.0 / 40.0],
        ),
        (
            "and all of a node when nobody else wants it",
            "shares",
            ["''", "1"],
            [600.0, 300.0],
            [6.0, 3.0],
        ),
    ];
    for (index, (sentence, contention, cpu, rates, cores)) in rows_of_table.iter().enumerate() {
        let [one, other] = cpu.map(|cpu| cpu.trim_matches('\''));
        let manifests = app("one", 3, one) + &app("other", 3, other);
        let [a, b] = rates;
        let more = format!(
            "cpu-contention: {contention}\nworkloads: {{one: {{{WORK}}}, other: {{{WORK}}}}}\n\
             traffic: [{{to: one, rate: {a}}}, {{to: other, rate: {b}}}]\nobserve: {{every: 10s}}\n"
        );
        let rows = rows(&loaded(&format!("contention-{index}"), &manifests, &more).unwrap());
        for (workload, expected) in cores.iter().enumerate() {
            let used = mean(&rows, workload, |row| row.cpu_used.cores());
            assert!((used / expected - 1.0).abs() < 0.01, "{sentence}: {used}, not {expected}");
            let served = mean(&rows, workload, |row| row.served / 10.0);
            assert!((served * 0.01 / expected - 1.0).abs() < 0.01, "{sentence}: {served}");
        }
    }
}

#[test]
fn an_autoscaler_sees_what_pods_are_given() {
    // `one` wants four times its request, and has it while there are no neighbours. Beside them it
    // has 0.66 cores a pod: less than the autoscaler's target of 0.8, while its queues are full.
    let replicas = |neighbours: u32| {
        let hpa = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: \
                   one}\nspec:\n  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: \
                   one}\n  minReplicas: 3\n  maxReplicas: 30\n  metrics: [{type: Resource, \
                   resource: {name: cpu, target: {type: Utilization, averageUtilization: 200}}}]\n";
        let manifests = app("one", 3, "400m") + &app("other", 3, "2") + hpa;
        let busy = 2000 * neighbours;
        let more = format!(
            "cpu-contention: shares\nworkloads: {{one: {{{WORK}}}, other: {{{WORK}}}}}\ntraffic: \
             [{{to: one, rate: 480}}, {{to: other, rate: {busy}}}]\nobserve: {{every: 10s}}\n"
        );
        let name = format!("contention-hpa-{neighbours}");
        let rows = rows(&loaded(&name, &manifests, &more).unwrap());
        let last = rows.workloads.iter().rev().find(|row| row.workload == 0).unwrap();
        last.desired
    };
    let (alone, beside) = (replicas(0), replicas(1));
    assert!(alone >= 6, "4.8 cores at 0.8 a pod: {alone}");
    assert_eq!(beside, 3, "as few as before");
}

#[test]
fn pods_share_cores_whatever_else_is_modelled() {
    // Every check after every event: Little's law, the utilisation law, and no core used twice.
    let one = format!(
        "one: {{{WORK}, warm-up: {{for: 30s, slower: 3}}, calls: [{{to: other, timeout: 300ms, \
         retries: {{attempts: 2}}}}]}}"
    );
    type Row<'a> = (&'a str, String, &'a str);
    let rows_of_table: [Row<'_>; 4] = [
        (
            "cold processes, and calls with retries on the same nodes",
            one.clone(),
            "traffic: [{to: one, rate: {ramp: {start: 1m, end: 4m, from: 50, to: 1500}}, timeout: \
             1s, retries: {attempts: 2}}]",
        ),
        (
            "closed users",
            format!("one: {{{WORK}, calls: {{other: 2}}}}"),
            "traffic: [{to: one, users: 3000, think: {mean: 2s}}]",
        ),
        (
            "nodes that die and come back, with pods that move",
            one.clone(),
            "traffic: [{to: one, rate: 500}]\ntimeline: [{at: 2m, for: 2m, node-crash: {count: \
             1}}, {at: 5m, container-crash: {deployment: one, count: 2}}]",
        ),
        (
            "a dependency that all of it waits for",
            format!("one: {{{WORK}, calls: [{{to: store, timeout: 200ms}}]}}"),
            "dependencies: {store: {replicas: 1, concurrency: 4, wait: 10ms}}\ntraffic: [{to: \
             one, rate: 600}, {to: other, rate: 900}]",
        ),
    ];
    for (index, (sentence, one, more)) in rows_of_table.iter().enumerate() {
        let manifests = app("one", 4, "200m") + &app("other", 4, "500m");
        let more = format!(
            "cpu-contention: shares\nworkloads: {{{one}, other: {{{WORK}}}}}\n{more}\nobserve: \
             {{every: 10s}}\n"
        );
        let rows = rows(&loaded(&format!("contention-with-{index}"), &manifests, &more).unwrap());
        let used: Vec<f64> = rows.cluster.iter().map(|row| row.cpu_used.cores()).collect();
        let most = used.iter().copied().fold(0.0, f64::max);
        assert!(most <= 3.0 * 3.92 + 0.01, "{sentence}: {most}");
        assert!(most > 5.0, "{sentence}: {most}");
    }
}

#[test]
fn single_requests_do_not_share_cores_yet() {
    let more = "cpu-contention: shares\nworkloads: {one: {level: requests}}\ntraffic: [{to: one, \
                rate: 5}]\n";
    let said = loaded("contention-singly", &app("one", 1, "1"), more).unwrap_err();
    assert!(said.contains("cores that pods of one node share can't be followed"), "{said}");
    assert!(said.contains("cpu-contention: shares"), "its line is shown: {said}");
    let more = "cpu-contention: all\ntraffic: [{to: one, rate: 5}]\n";
    let said = loaded("contention-typo", &app("one", 1, "1"), more).unwrap_err();
    assert!(said.contains("shares"), "{said}");
}
