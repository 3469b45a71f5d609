//! Pods that are given other requests and limits in the course of a run: by hand, by a manifest, by
//! the limits of their namespace. What they can do and what they may take follows.

#![allow(clippy::unwrap_used, reason = "a test")]

mod serving;

use serving::{Rows, folder, loaded, rows};

const LIMITS: &str = "apiVersion: v1\nkind: LimitRange\nmetadata: {name: small}\nspec:\n  limits: \
                      [{type: Container, default: {cpu: 250m, memory: 128Mi}}]\n---\n";

/// A Service and a Deployment of two pods with these resources.
fn web(resources: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: web}}\nspec: {{selector: {{app: web}}, \
         ports: [{{port: 80}}]}}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: \
         web}}\nspec:\n  replicas: 2\n  selector: {{matchLabels: {{app: web}}}}\n  template:\n    \
         metadata: {{labels: {{app: web}}}}\n    spec:\n      containers: [{{name: app, image: \
         a:1, resources: {{{resources}}}}}]\n---\n"
    )
}

/// Requests a second that are served from a minute on to another.
fn served(rows: &Rows, minutes: std::ops::Range<u64>) -> f64 {
    let seconds = minutes.start * 60..minutes.end * 60;
    let here = rows.workloads.iter().filter(|row| {
        row.time.whole_secs() > seconds.start && row.time.whole_secs() <= seconds.end
    });
    let served: f64 = here.map(|row| row.served).sum();
    served / (seconds.end - seconds.start) as f64
}

const QUARTER: &str = "requests: {cpu: 100m, memory: 128Mi}, limits: {cpu: 250m, memory: 256Mi}";
const WHOLE: &str = "requests: {cpu: 100m, memory: 128Mi}, limits: {cpu: 1, memory: 256Mi}";
const NONE: &str = "requests: {cpu: 100m, memory: 128Mi}";

#[test]
fn pods_serve_as_fast_as_their_own_limits_let_them() {
    // 10 ms of CPU each: a quarter of a core serves 25 requests a second, two pods 50, of 100.
    let apply = "apply -f other.yaml";
    let rows_of = [
        ("nothing changes", QUARTER, "", None, [50.0, 50.0]),
        (
            "a limit is raised by hand",
            QUARTER,
            "set resources deployment web --limits=cpu=1",
            None,
            [50.0, 100.0],
        ),
        (
            "it is lowered",
            WHOLE,
            "set resources deploy/web -c app --limits=cpu=250m",
            None,
            [100.0, 50.0],
        ),
        ("a manifest raises it", QUARTER, apply, Some(web(WHOLE)), [50.0, 100.0]),
        ("a manifest lowers it", WHOLE, apply, Some(web(QUARTER)), [100.0, 50.0]),
        (
            "a namespace has limits for those who have none, from their next start on",
            NONE,
            apply,
            Some(LIMITS.to_owned()),
            [40.0, 50.0],
        ),
        (
            "what the API server refuses changes nothing",
            QUARTER,
            "set resources deployment web --limits=cpu=50m",
            None,
            [50.0, 50.0],
        ),
    ];
    let levels = ["fluid", "requests"];
    let rows_of = levels.iter().flat_map(|level| rows_of.iter().map(move |row| (level, row)));
    for (number, (level, (sentence, resources, command, file, expected))) in rows_of.enumerate() {
        let name = format!("resources-{number}");
        if let Some(file) = file {
            std::fs::write(folder(&name).join("other.yaml"), file).unwrap();
        }
        let command = match *command {
            "" => String::new(),
            command => format!("{{at: 3m, kubectl: \"{command}\"}}, "),
        };
        let scenario = loaded(
            &name,
            &web(resources),
            &format!(
                "workloads: {{web: {{level: {level}, demand: 10ms, idle-cpu: 0, concurrency: 1, queue: 50, service-time: constant, \
                 timeout: 10s, startup: 2s}}}}\ntraffic: [{{to: \
                 web, rate: 100}}]\ntimeline: [{command}{{at: 4m, kubectl: rollout restart \
                 deployment/web}}]\nobserve: {{every: 30s}}\n"
            ),
        )
        .unwrap();
        let rows = rows(&scenario);
        let found = [served(&rows, 1..3), served(&rows, 6..10)];
        for (found, expected) in found.iter().zip(expected) {
            let is_near = (found / expected - 1.0).abs() < 0.02;
            assert!(is_near, "{level}: {sentence}: {found}, not {expected}");
        }
    }
}

#[test]
fn a_pod_is_killed_at_its_own_memory_limit() {
    // 1 MiB a request; 40 a second for a second each in two pods: 20 MiB each, and 60 to begin with.
    let ooms = |limit: &str, command: &str| {
        let resources = format!("requests: {{cpu: 1, memory: 32Mi}}, limits: {{memory: {limit}}}");
        let scenario = loaded(
            &format!("memory-{limit}-{}", command.len()),
            &web(&resources),
            &format!(
                "workloads: {{web: {{demand: 1ms, wait: 1s, timeout: 5s, memory: {{base: 60Mi, \
                 per-request: 1Mi}}, startup: 2s}}}}\ntraffic: [{{to: web, rate: 40}}]\n\
                 timeline: [{{at: 5m, kubectl: \"set resources deployment web \
                 --limits=memory={command}\"}}]\n"
            ),
        )
        .unwrap();
        let rows = rows(&scenario);
        let killed = |from: u64, until: u64| {
            let here = |at: u64| at >= from && at < until;
            let backing_off = rows.events.iter().filter(|event| event.reason == "BackOff");
            backing_off.filter(|event| here(event.time.whole_secs())).count()
        };
        [killed(0, 300) > 0, killed(420, 600) > 0]
    };
    assert_eq!(ooms("200Mi", "200Mi"), [false, false], "there is room");
    assert_eq!(ooms("70Mi", "200Mi"), [true, false], "a higher limit helps");
    assert_eq!(ooms("200Mi", "70Mi"), [false, true], "a lower limit kills");
}
