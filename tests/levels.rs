//! The two levels of traffic in whole worlds: they agree where both are exact, they are chosen part
//! by part, and requests that are followed one by one reach kubelets, autoscalers and the record.

#![allow(clippy::print_stdout, reason = "it prints a table of docs/validation.md")]
#![allow(clippy::unwrap_used, reason = "a test")]

mod serving;

use serving::{Rows, loaded, rows, rows_of};
use stormglass::check::Stride;
use stormglass::record::recorder::Discard;
use stormglass::scenario::graph::model::Level;
use stormglass::scenario::model::Scenario;
use stormglass::world::{RunOptions, run};

/// A Deployment of `replicas` pods with that many cores, and a Service before it.
fn app(name: &str, replicas: u32, cores: u32) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{selector: {{app: \
         {name}}}, ports: [{{port: 80}}]}}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: \
         {{name: {name}}}\nspec:\n  replicas: {replicas}\n  selector: {{matchLabels: {{app: \
         {name}}}}}\n  template:\n    metadata: {{labels: {{app: {name}}}}}\n    spec:\n      \
         containers: [{{name: app, image: a:1, resources: {{requests: {{cpu: {cores}, memory: \
         64Mi}}, limits: {{cpu: {cores}, memory: 512Mi}}}}}}]\n---\n"
    )
}

/// A queue of its own in each pod: `servers` requests at once, 10 ms each.
fn workload(servers: u32) -> String {
    format!(
        "demand: 10ms, concurrency: {servers}, queue: 100000, timeout: 60s, idle-cpu: 0, startup: \
         2s"
    )
}

/// The same at a level.
fn at(level: &str, name: &str, manifests: &str, more: &str) -> Scenario {
    let more = more.replace("LEVEL", level);
    loaded(&format!("{name}-{level}"), manifests, &more).unwrap()
}

/// What a workload did after the first two minutes: requests a second, cores, mean time in the pod
/// in milliseconds.
fn measured(rows: &Rows, workload: usize) -> [f64; 3] {
    let of = rows.workloads.iter().filter(|row| row.workload == workload);
    let late: Vec<_> = of.filter(|row| row.time.as_secs_f64() > 120.0).collect();
    let seconds: f64 = late.iter().map(|row| row.interval.as_secs_f64()).sum();
    let sum = |f: &dyn Fn(&stormglass::record::rows::WorkloadSample) -> f64| -> f64 {
        late.iter().map(|row| f(row)).sum()
    };
    let served = sum(&|row| row.served);
    let present = sum(&|row| row.in_flight * row.interval.as_secs_f64());
    let cpu = sum(&|row| row.cpu_used.cores() * row.interval.as_secs_f64());
    [served / seconds, cpu / seconds, present / served * 1e3]
}

/// The same whose requests stay near.
fn near(manifests: &str) -> String {
    manifests.replace("spec: {selector", "spec: {trafficDistribution: PreferSameZone, selector")
}

const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];

/// Two workloads behind one Service: the new one has a tenth of the requests, and works twice as
/// long on each. Without weights it would have a fifth of them.
fn canary() -> (String, String) {
    let all = "apiVersion: v1\nkind: Service\nmetadata: {name: all}\nspec: {selector: {tier: all}, \
               ports: [{port: 80}]}\n";
    let both = (app("old", 4, 1) + &app("new", 1, 1)).replace("labels: {", "labels: {tier: all, ");
    let more = format!(
        "services: {{all: {{balancing: {{weights: {{old: 90, new: 10}}}}}}}}\nworkloads:\n  old: \
         {{{}, level: LEVEL}}\n  new: {{{}}}\ntraffic: [{{to: all, rate: 250}}]\nobserve: \
         {{every: 30s}}\n",
        workload(1),
        workload(1).replace("demand: 10ms", "demand: 20ms")
    );
    (both + all, more)
}

#[test]
fn both_levels_agree_where_rates_are_exact() {
    // Requests a second and cores within 1 %, the mean time within 5 %: means over five seeds.
    let one = |servers: u32, rate: u32| {
        format!(
            "workloads: {{web: {{{}, level: LEVEL}}}}\ntraffic: [{{to: web, rate: {rate}}}]\n\
             observe: {{every: 30s}}\n",
            workload(servers)
        )
    };
    let two = format!(
        "workloads:\n  web: {{{}, level: LEVEL, calls: {{db: 2}}}}\n  db: {{{}}}\ntraffic: [{{to: \
         web, rate: 80}}]\nobserve: {{every: 30s}}\n",
        workload(1),
        workload(3)
    );
    let update = "timeline: [{at: 4m, kubectl: rollout restart deployment/web}]\n";
    let cold = |warm_up: &str, rate: u32| one(1, rate).replace("}}", warm_up) + update;
    let slow_at_first = ", warm-up: {for: 4m, slower: 3}}}";
    let empty_at_first = format!(
        "workloads:\n  web: {{{}, level: LEVEL, calls: [{{to: db, cache: {{hit-ratio: 80%, \
         warm-up: 4m}}}}]}}\n  db: {{{}}}\ntraffic: [{{to: web, rate: 80}}]\nobserve: {{every: \
         30s}}\n{update}",
        workload(1),
        workload(3)
    );
    let split = canary();
    let half_in_a = one(1, 140).replace("rate: 140", "rate: 140, zones: {a: 50%, b: 25%, c: 25%}");
    let cases = [
        ("one server in each pod, half busy", app("web", 2, 1), one(1, 100), 1),
        ("one server in each pod, busy for 80 %", app("web", 2, 1), one(1, 160), 1),
        ("three servers in each pod, busy for 80 %", app("web", 1, 3), one(3, 240), 1),
        ("two tiers", app("web", 2, 1) + &app("db", 1, 3), two, 2),
        ("a rolling update", app("web", 3, 1), one(1, 150) + update, 1),
        ("processes that are slow at first", app("web", 3, 1), cold(slow_at_first, 60), 1),
        ("caches that are empty at first", app("web", 2, 1) + &app("db", 1, 3), empty_at_first, 2),
        ("nine tenths to four pods, one to a slow one", split.0, split.1, 2),
        ("requests that stay in their zones", near(&app("web", 3, 1)), half_in_a, 1),
    ];
    for (sentence, manifests, more, workloads) in cases {
        let name = sentence.replace([' ', ',', '%'], "-");
        let fluid = rows(&at("fluid", &name, &manifests, &more));
        let scenario = at("requests", &name, &manifests, &more);
        let single: Vec<Rows> = SEEDS.iter().map(|seed| rows_of(&scenario, *seed)).collect();
        for workload in 0..workloads {
            let expected = measured(&fluid, workload);
            let all: Vec<[f64; 3]> = single.iter().map(|rows| measured(rows, workload)).collect();
            for (i, (what, margin)) in
                [("requests/s", 0.01), ("cores", 0.01), ("ms", 0.05)].into_iter().enumerate()
            {
                let mean = all.iter().map(|found| found[i]).sum::<f64>() / all.len() as f64;
                let gap = mean / expected[i] - 1.0;
                assert!(gap.abs() < margin, "{sentence}: {mean} {what} for {}", expected[i]);
            }
        }
    }
}

#[test]
fn both_levels_agree_on_how_regularly_requests_come() {
    // Pods of so many cores, requests that each works on at once, how requests come and are shared.
    // All pods are busy for 80 %.
    type Row = (&'static str, u32, (u32, u32), &'static str, &'static str, f64);
    let warms = ", warm-up: {for: 10s, slower: 1.5}";
    let rows_of_laws: [Row; 8] = [
        ("as regular as a clock", 1, (1, 1), "constant", "random", 0.05),
        ("on a core that eight share", 1, (1, 8), "constant", "random", 0.05),
        ("shared by chance they are half as regular", 2, (1, 1), "constant", "random", 0.05),
        ("turns make chance regular", 4, (1, 1), "poisson", "round-robin", 0.05),
        ("and wear off bursts", 4, (1, 1), "{scv: 4}", "round-robin", 0.05),
        ("a clock's ticks by turns are a clock's", 4, (1, 1), "constant", "round-robin", 0.05),
        ("also where pods have queues of their own", 4, (1, 1), "poisson", "round-robin", 0.05),
        ("three servers in each pod", 2, (3, 3), "constant", "round-robin", 0.05),
    ];
    println!("| requests come | rates, ms | one by one, ms | rates are off by |");
    println!("|---|---:|---:|---:|");
    for (sentence, pods, (cores, servers), arrivals, balancing, margin) in rows_of_laws {
        let rate = pods * cores * 80;
        let own = if sentence.contains("queues of their own") { warms } else { "" };
        let more = format!(
            "workloads: {{web: {{{}, level: LEVEL{own}}}}}\nservices: {{web: {{balancing: \
             {balancing}}}}}\ntraffic: [{{to: web, rate: {rate}, arrivals: {arrivals}}}]\n\
             observe: {{every: 30s}}\n",
            workload(servers)
        );
        let (manifests, name) = (app("web", pods, cores), sentence.replace([' ', '\''], "-"));
        let fluid = at("fluid", &name, &manifests, &more);
        assert!(fluid.ignored.is_empty(), "{sentence}: has an effect: {:?}", fluid.ignored);
        let expected = measured(&rows(&fluid), 0);
        let scenario = at("requests", &name, &manifests, &more);
        let all: Vec<[f64; 3]> =
            SEEDS.iter().map(|seed| measured(&rows_of(&scenario, *seed), 0)).collect();
        let mean = |i: usize| all.iter().map(|found| found[i]).sum::<f64>() / all.len() as f64;
        for (i, margin) in [(0, 0.01), (1, 0.015), (2, margin)] {
            let gap = mean(i) / expected[i] - 1.0;
            assert!(gap.abs() < margin, "{sentence}: {} for {}", mean(i), expected[i]);
        }
        let gap = (expected[2] / mean(2) - 1.0) * 100.0;
        println!("| {sentence} | {:.2} | {:.2} | {gap:+.1} % |", expected[2], mean(2));
        // What comes by chance to each pod takes longer, or not, than this by more than that.
        let by_chance = more.replace(arrivals, "poisson").replace(balancing, "random");
        let by_chance = measured(&rows(&at("fluid", "chance", &manifests, &by_chance)), 0)[2];
        let is_other = (by_chance / expected[2] - 1.0).abs() > 2.0 * margin;
        assert!(is_other || arrivals == "{scv: 4}", "{sentence}: {by_chance} {}", expected[2]);
    }
}

#[test]
fn a_run_is_the_same_again_and_another_with_another_seed() {
    let more = format!(
        "workloads: {{web: {{{}, level: requests}}}}\ntraffic: [{{to: web, rate: 50}}]\n",
        workload(1)
    );
    let scenario = loaded("again", &app("web", 2, 1), &more).unwrap();
    let hash = |seed, checks| {
        let mut sink = Discard;
        run(&scenario, seed, RunOptions { checks }, &mut sink, |_| {}).unwrap().event_log_hash
    };
    let first = hash(1, Stride::NowAndThen);
    assert_eq!(first, hash(1, Stride::Events(1)), "whoever looks");
    let apart = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..2).map(|_| scope.spawn(|| hash(1, Stride::NowAndThen))).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(apart, [first.clone(), first.clone()], "side by side");
    assert_ne!(first, hash(2, Stride::NowAndThen));
}

#[test]
fn both_levels_agree_on_what_leaves_its_zone() {
    // Calls come from where the callers are; half of the clients come to a.
    let more = format!(
        "workloads:\n  web: {{{}, level: LEVEL, calls: {{db: 1}}}}\n  db: {{{}}}\ntraffic: [{{to: \
         web, rate: 60, zones: {{a: 50%, b: 30%, c: 20%}}}}]\nobserve: {{every: 30s}}\n",
        workload(1),
        workload(1)
    );
    let crossing = |level: &str, manifests: &str| {
        let scenario = at(level, "crossing", manifests, &more);
        let options = RunOptions { checks: Stride::Events(1) };
        let mut sink = Discard;
        let run = run(&scenario, 1, options, &mut sink, |_| {}).unwrap();
        let all = run.recorder.totals.cross_zone.iter();
        let (known, left) =
            all.fold((0.0, 0.0), |sum, row| (sum.0 + row.requests, sum.1 + row.crossing));
        [known / 600.0, left / known]
    };
    let anywhere = app("web", 3, 1) + &app("db", 2, 1);
    let half_near = near(&app("web", 3, 1)) + &app("db", 2, 1);
    for (sentence, manifests, most) in [
        ("nobody stays near", &anywhere, 1.0),
        ("clients do, calls don't", &half_near, 0.5),
        ("all do who can", &near(&anywhere), 0.3),
    ] {
        let [fluid, single] = ["fluid", "requests"].map(|level| crossing(level, manifests));
        let gaps = [single[0] / fluid[0] - 1.0, single[1] - fluid[1]];
        // Of some 70,000 requests: one deviation is a fifth of a percent.
        assert!(gaps.iter().all(|gap| gap.abs() < 0.01), "{sentence}: {fluid:?}, {single:?}");
        assert!(fluid[1] > 0.0 && fluid[1] < most, "{sentence}: {fluid:?}");
    }
}

#[test]
fn what_comes_is_answered_fails_or_is_under_way() {
    let more = format!(
        "workloads:\n  web: {{{}, level: requests, calls: [{{to: db, timeout: 200ms, retries: \
         {{attempts: 1}}}}]}}\n  db: {{demand: 10ms, concurrency: 1, queue: 5}}\ntraffic: [{{to: \
         web, rate: 160}}]\nobserve: {{every: 30s}}\ntimeline: [{{at: 5m, kubectl: \
         delete pods -l app=db}}]\n",
        workload(2)
    );
    let rows = rows(&loaded("conserved", &(app("web", 2, 2) + &app("db", 1, 1)), &more).unwrap());
    let sum = |f: fn(&stormglass::record::rows::ClusterSample) -> f64| -> f64 {
        rows.cluster.iter().map(f).sum()
    };
    let (offered, served, failed) = (sum(|r| r.offered), sum(|r| r.served), sum(|r| r.failed));
    let under_way = offered - served - failed;
    assert!((0.0..40.0).contains(&under_way), "{offered} = {served} + {failed} + {under_way}");
    assert!(failed > 0.1 * offered && served > 0.1 * offered, "{served} and {failed}");
    assert_eq!([offered, served, failed].map(f64::fract), [0.0; 3], "requests are whole");
    let quantiles = rows.cluster.iter().rev().find_map(|row| row.latency).unwrap();
    assert!(quantiles.p50 < quantiles.p95 && quantiles.p95 < quantiles.p99, "{quantiles:?}");
}

#[test]
fn parts_have_levels_of_their_own() {
    // Nothing connects the two: each is as if the other were at its level, too.
    let manifests = app("web", 2, 1) + &app("db", 1, 1);
    let levels = |web: &str, db: &str| {
        let more = format!(
            "workloads:\n  web: {{{one}, level: {web}}}\n  db: {{{one}, level: {db}}}\ntraffic: \
             [{{to: web, rate: 90}}, {{to: db, rate: 44.4}}]\nobserve: {{every: 30s}}\n",
            one = workload(1)
        );
        let scenario = loaded(&format!("parts-{web}-{db}"), &manifests, &more).unwrap();
        let rows = rows(&scenario);
        [0, 1].map(|workload| {
            let of = rows.workloads.iter().filter(|row| row.workload == workload);
            of.map(|r| (r.offered, r.served, r.failed, r.in_flight, r.cpu_used, r.latency))
                .collect::<Vec<_>>()
        })
    };
    let [mixed, single] = [levels("requests", "fluid"), levels("requests", "requests")];
    let fluid = levels("fluid", "fluid");
    assert_eq!(mixed, [single[0].clone(), fluid[1].clone()]);
    assert!(single[0] != fluid[0] && single[1] != fluid[1], "the levels differ");
}

#[test]
fn a_part_is_followed_by_requests_where_that_alone_has_a_meaning() {
    let manifests = app("web", 2, 1) + &app("db", 1, 1);
    let sticky = manifests.replace("spec: {selector", "spec: {sessionAffinity: ClientIP, selector");
    let calls = |call: &str| format!("workloads: {{web: {{calls: [{{to: db, {call}}}]}}}}\n");
    let cold = "cache: {hit-ratio: 80%, warm-up: 1m}";
    let bank = "dependencies: {bank: {}}\nworkloads: {web: {calls: [{to: bank}]}}\nservices: \
                {web: {balancing: round-robin}}\n";
    let near =
        manifests.replace("spec: {selector", "spec: {trafficDistribution: PreferClose, selector");
    let turns = "services: {web: {balancing: round-robin}}\n".to_string();
    let fewest = bank.replace("round-robin", "least-request");
    let slow = "workloads: {web: {warm-up: {for: 1m, slower: 2}}}\n".to_string();
    let weights = "services: {web: {balancing: {weights: {web: 1}}}}\n".to_string();
    let bursts = |more: String| more.replace("rate: 10", "rate: 10, arrivals: {self-similar: 0.8}");
    // The first part's level, if there is a reason for one, and whether it is the requests'; how
    // many fields are without effect.
    let cases = [
        (
            "connections mean something as rates",
            &manifests,
            calls("connections: {max: 3}"),
            None,
            0,
        ),
        ("so do clients that stick", &sticky, String::new(), None, 0),
        ("and caches that are warm", &manifests, calls("cache: 80%"), None, 0),
        ("and those that are not", &manifests, calls(cold), None, 0),
        ("also of a call among others", &manifests, in_parallel(cold), None, 0),
        ("and processes that are slow at first", &manifests, slow, None, 0),
        ("and weights", &manifests, weights.clone(), None, 0),
        ("but not where clients stick", &sticky, weights.clone(), Some(true), 0),
        ("nor where requests stay near", &near, weights, Some(true), 0),
        (
            "taking turns is better told of single requests",
            &manifests,
            turns.clone(),
            Some(true),
            0,
        ),
        ("what can't be followed keeps rates", &manifests, bank.to_string(), Some(false), 0),
        ("bursts on all scales are none as rates", &manifests, bank.to_string(), Some(false), 1),
        ("nor is looking at two pods", &manifests, fewest, Some(false), 1),
        ("requests that stay near are rates", &near, String::new(), None, 0),
        ("if nothing else is asked for", &near, turns, Some(true), 0),
    ];
    for (sentence, manifests, more, expected, told) in cases {
        let more = more + "traffic: [{to: web, rate: 10}]\n";
        let more = if sentence.starts_with("bursts") { bursts(more) } else { more };
        let scenario = loaded(&sentence.replace([' ', '\''], "-"), manifests, &more).unwrap();
        let found = scenario.levels.first().map(|part| part.level == Level::Requests);
        assert_eq!(found, expected, "{sentence}");
        let all_told = scenario.ignored.iter().flat_map(|ignored| &ignored.fields).count();
        assert_eq!(all_told, told, "{sentence}: without effect");
    }
}

#[test]
fn what_single_requests_can_not_do_yet_is_an_error_where_they_are_asked_for() {
    let local = "spec: {type: LoadBalancer, externalTrafficPolicy: Local, selector";
    let manifests = app("web", 2, 1).replace("spec: {selector", local);
    let more = "workloads: {web: {level: requests}}\ntraffic: [{to: web, rate: 10}]\n";
    let errors = loaded("local-single", &manifests, more).unwrap_err();
    let expected = "workloads.web.level: externalTrafficPolicy: Local of Service web can't be \
                    followed request by request yet";
    assert!(errors.contains(expected) && errors.contains("scenario.yaml:5:26"), "{errors}");
}

fn in_parallel(call: &str) -> String {
    format!("workloads: {{web: {{calls: [{{parallel: [{{to: db, {call}}}, {{to: db}}]}}]}}}}\n")
}

#[test]
fn clients_connections_and_weights_reach_single_requests() {
    let sticky =
        app("web", 3, 1).replace("spec: {selector", "spec: {sessionAffinity: ClientIP, selector");
    let more = format!(
        "workloads: {{web: {{{}, level: requests}}}}\ntraffic: [{{to: web, rate: 60, clients: \
         1}}]\nobserve: {{every: 30s}}\n",
        workload(1)
    );
    let one = rows(&loaded("stuck", &sticky, &more).unwrap());
    let three = rows(&loaded("free", &app("web", 3, 1), &more).unwrap());
    let [stuck, free] = [measured(&one, 0), measured(&three, 0)];
    // One pod is busy for 60 %, or each of three for 20 %: 25 ms or 12.5 ms (M/M/1).
    for (sentence, found, millis) in
        [("one client, one pod", stuck, 25.0), ("shared by chance", free, 12.5)]
    {
        assert!((found[2] / millis - 1.0).abs() < 0.05, "{sentence}: {} ms", found[2]);
    }
    let more = format!(
        "workloads:\n  web: {{{}, level: requests, calls: [{{to: db, connections: {{max: 1, \
         pending: 0}}}}]}}\n  db: {{demand: 0s, wait: 20ms, concurrency: 100}}\n\
         traffic: [{{to: web, rate: 50}}]\nobserve: {{every: 30s}}\n",
        workload(100)
    );
    let rows = rows(&loaded("limited", &(app("web", 1, 1) + &app("db", 1, 1)), &more).unwrap());
    let late: Vec<_> = rows.cluster.iter().filter(|row| row.time.as_secs_f64() > 120.0).collect();
    let failed = late.iter().map(|row| row.failed).sum::<f64>();
    let share = failed / late.iter().map(|row| row.offered).sum::<f64>();
    // Calls would be one under way on average: Erlang's formula says that half find none free.
    assert!((share - 0.5).abs() < 0.02, "{share} have failed");
    let all = "apiVersion: v1\nkind: Service\nmetadata: {name: all}\nspec: {selector: {tier: all}, \
               ports: [{port: 80}]}\n";
    let both = (app("old", 1, 1) + &app("new", 2, 1)).replace("labels: {", "labels: {tier: all, ");
    let more = "services: {all: {balancing: {weights: {old: 3, new: 1}}}}\nworkloads: {old: \
                {demand: 1ms, level: requests}, new: {demand: 1ms}}\ntraffic: [{to: all, rate: \
                100}]\n";
    let rows = serving::rows(&loaded("weighed", &(both + all), more).unwrap());
    let [old, new] = [0, 1].map(|workload| measured(&rows, workload)[0]);
    assert!((old / 75.0 - 1.0).abs() < 0.02 && (new / 25.0 - 1.0).abs() < 0.04, "{old} and {new}");
}
