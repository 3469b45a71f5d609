//! What the cluster depends on and does not run: it serves, fails and recovers as pods of the same
//! size would, and is told apart from them.

#![allow(clippy::unwrap_used, reason = "a test")]

mod serving;

use serving::{Rows, loaded, rows};
use stormglass::record::rows::WorkloadSample;

const WEB: &str = "apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - {name: web, image: web:1, resources: {requests: {cpu: 1, memory: 128Mi}}}
";

/// 200 requests a second, each of which asks the database twice: a replica of it, which takes
/// 20 ms and ten at once, serves 500.
const ASKS: &str = "workloads: {web: {demand: 1ms, calls: {db: 2}}}
traffic: [{to: web, rate: 200}]
observe: {every: 30s}
";

fn played(name: &str, dependency: &str, more: &str) -> Rows {
    let more = format!("{ASKS}dependencies: {{db: {{{dependency}}}}}\n{more}");
    rows(&loaded(name, WEB, &more).unwrap())
}

/// The rows of the only dependency, after the only workload.
fn of_the_database(rows: &Rows) -> Vec<&WorkloadSample> {
    rows.workloads.iter().filter(|row| row.workload == 1).collect()
}

#[test]
fn a_dependency_serves_what_its_replicas_can() {
    let cases = [
        ("four hundred of five hundred a second are served", "replicas: 1", 1.0),
        ("two replicas are plenty", "replicas: 2", 1.0),
        ("of half as many at once five eighths are served", "concurrency: 5", 0.625),
        ("nobody is there", "replicas: 0", 0.0),
    ];
    for (sentence, given, share) in cases {
        let given = format!("wait: 20ms, {}", given);
        let given = if given.contains("concurrency") { given } else { given + ", concurrency: 10" };
        let rows = played(sentence, &given, "");
        let last = *of_the_database(&rows).last().unwrap();
        assert!((last.offered - 400.0 * 30.0).abs() < 1.0, "{sentence}: {} asked", last.offered);
        let found = last.served / last.offered;
        assert!((found - share).abs() < 0.02, "{sentence}: {found} served");
        let entry = rows.cluster.last().unwrap();
        let whole = entry.served / entry.offered;
        assert!((whole - share * share).abs() < 0.03, "{sentence}: {whole} of requests");
        assert_eq!(last.cpu_used.0, 0, "{sentence}: it uses no CPU of the cluster");
    }
}

#[test]
fn a_dependency_that_is_gone_for_a_while_takes_the_requests_with_it() {
    let outage = "timeline: [{at: 3m, for: 2m, dependency: {name: db, replicas: 0}}]\n";
    let rows = played("gone", "wait: 20ms, concurrency: 10, replicas: 2", outage);
    let states: Vec<(u64, u32, bool)> = of_the_database(&rows)
        .iter()
        .map(|row| (row.time.0 / 1_000_000_000, row.ready, row.failed < 1.0))
        .collect();
    for (second, ready, is_well) in states {
        let is_out = (181..=300).contains(&second);
        // Rows end with their interval: at 180 s the outage begins, at 300 s it is over.
        let expected = if (180..300).contains(&second) { 0 } else { 2 };
        assert_eq!((ready, is_well), (expected, !is_out), "at {second} s");
    }
    let entry = rows.cluster.last().unwrap();
    assert!(entry.failed < 1.0, "afterwards all is well: {}", entry.failed);
}

#[test]
fn what_is_wrong_with_a_dependency_is_told() {
    let cases = [
        ("one must take time", "db: {wait: 0s}", "must be longer than zero"),
        ("its name is its own", "web: {}", "is a Service too"),
        ("a slip has a hint", "db: {replica: 3}", "replicas"),
        ("calls name one that is there", "dbs: {}", "there is no Service or dependency `db`"),
    ];
    for (sentence, given, told) in cases {
        let more = format!("{ASKS}dependencies: {{{given}}}\n");
        let errors = loaded(sentence, WEB, &more).unwrap_err();
        assert!(errors.contains(told), "{sentence}: {errors}");
    }
    let resize = "timeline: [{at: 1m, dependency: {name: bd, replicas: 3}}]\n";
    let more = format!("{ASKS}dependencies: {{db: {{}}}}\n{resize}");
    let errors = loaded("resize", WEB, &more).unwrap_err();
    assert!(errors.contains("there is no dependency `bd`"), "{errors}");
    assert!(errors.contains("known: db"), "{errors}");
}

#[test]
fn retries_reach_a_dependency_like_a_service() {
    let rows = |calls: &str| {
        let asks = ASKS.replace("{db: 2}", calls);
        let db = "dependencies: {db: {wait: 20ms, concurrency: 3, queue: 0}}\n";
        rows(&loaded("retries", WEB, &(asks + db)).unwrap())
    };
    let (plain, tried) = (rows("[{to: db}]"), rows("[{to: db, retries: {attempts: 2}}]"));
    let offered = |rows: &Rows| of_the_database(rows).last().unwrap().offered;
    assert!((offered(&plain) - 6000.0).abs() < 1.0, "{}", offered(&plain));
    assert!(offered(&tried) > 1.5 * offered(&plain), "failures are tried again");
    let served = |rows: &Rows| rows.cluster.last().unwrap().served;
    assert!(served(&tried) >= served(&plain) - 1.0, "which fails no more than before");
}
