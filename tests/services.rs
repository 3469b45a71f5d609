//! Kinds of Services: how requests from outside reach pods through each, and since when.

#![allow(clippy::unwrap_used, reason = "a test")]

mod serving;

use serving::{Rows, folder, loaded, rows};
use std::process::Command;

/// A StatefulSet of three pods behind a Service with this specification.
fn shop(spec: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: web}}\nspec: {spec}\n---\n{}",
        "apiVersion: apps/v1
kind: StatefulSet
metadata: {name: web}
spec:
  replicas: 3
  podManagementPolicy: Parallel
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
      annotations: {stormglass/stop-ms: \"1000\"}
    spec: {containers: [{name: web, image: web:1, resources: {requests: {cpu: 500m}}}]}
"
    )
}

const SELECTOR: &str = "selector: {app: web}, ports: [{port: 80}]";
const TRAFFIC: &str = "traffic: [{to: web, rate: 120}]\nobserve: {every: 10s}\n";

/// The second from which on all is served; `None`: it never is.
fn served_from(rows: &Rows) -> Option<u64> {
    // What fails in the milliseconds until the endpoints are written again does not count.
    let fails = |failed: f64| failed > 5.0;
    let last = rows.cluster.iter().rposition(|row| fails(row.failed));
    let first_good = last.map_or(0, |at| at + 1);
    let row = rows.cluster.get(first_good)?;
    Some(row.time.since(stormglass::units::SimTime::ZERO).as_secs_f64() as u64 - 10)
}

fn told<'a>(rows: &'a Rows, reason: &str) -> Vec<(u64, &'a str)> {
    let events = rows.events.iter().filter(|event| event.reason == reason);
    events.map(|e| (e.time.whole_secs(), e.message.as_str())).collect()
}

#[test]
fn a_load_balancer_is_open_once_the_cloud_has_provisioned_it() {
    let cold = "start: cold\nworkloads: {web: {startup: 1s, image: {size: 1M, layers: 1}}}\n";
    let flags = "flags: {cloud: {load-balancer: 100s}}\n";
    let later = "timeline: [{at: 2m, kubectl: apply -f apps.yaml}]\n";
    let manifests = |kind: &str| shop(&format!("{{type: {kind}, {SELECTOR}}}"));
    let rows_of = [
        ("a load balancer takes its time", manifests("LoadBalancer"), cold, 100..=110),
        ("a port of nodes is there at once", manifests("NodePort"), cold, 10..=20),
        ("and so is a ClusterIP", manifests("ClusterIP"), cold, 10..=20),
        ("at a settled start it has long been there", manifests("LoadBalancer"), "", 0..=0),
        ("applying it again changes nothing", manifests("LoadBalancer"), later, 0..=0),
    ];
    for (index, (sentence, manifests, more, from)) in rows_of.into_iter().enumerate() {
        let more = format!("{more}{flags}{TRAFFIC}");
        let rows = rows(&loaded(&format!("balancer-{index}"), &manifests, &more).unwrap());
        let found = served_from(&rows).unwrap();
        assert!(from.contains(&found), "{sentence}: all is served from {found} s on");
        let has_one = *from.start() >= 100;
        assert_eq!(!told(&rows, "EnsuringLoadBalancer").is_empty(), has_one, "{sentence}");
        if has_one {
            assert_eq!(told(&rows, "EnsuringLoadBalancer"), [(0, "Ensuring load balancer")]);
            assert_eq!(told(&rows, "EnsuredLoadBalancer"), [(100, "Ensured load balancer")]);
        }
    }
}

#[test]
fn load_balancers_come_one_after_the_other_unless_there_are_more_workers() {
    let balanced = format!("{{type: LoadBalancer, {SELECTOR}}}");
    let second = "---\napiVersion: v1\nkind: Service\nmetadata: {name: two}\nspec: ".to_owned();
    let manifests = shop(&balanced) + &second + &balanced + "\n";
    for (sentence, flags, ensured) in [
        ("by default one worker waits for the cloud", "load-balancer: 60s", [60, 120]),
        ("two wait side by side", "load-balancer: 60s, concurrent-service-syncs: 2", [60, 60]),
    ] {
        let more = format!("start: cold\nflags: {{cloud: {{{flags}}}}}\n{TRAFFIC}");
        let rows = rows(&loaded("balancers", &manifests, &more).unwrap());
        let times: Vec<u64> = told(&rows, "EnsuredLoadBalancer").iter().map(|e| e.0).collect();
        assert_eq!(times, ensured, "{sentence}");
    }
}

#[test]
fn clients_of_a_headless_service_ask_again_when_their_answers_have_run_out() {
    // One pod of three is deleted: it stops after a second, and for so long as clients still have
    // its address, a third of 120 requests a second fails.
    let failed = |name: &str, spec: &str, flags: &str| -> f64 {
        let more = format!("{flags}{TRAFFIC}timeline: [{{at: 2m, kubectl: delete pod web-0}}]\n");
        let rows = rows(&loaded(name, &shop(spec), &more).unwrap());
        rows.cluster.iter().map(|row| row.failed).sum()
    };
    let plain = format!("{{{SELECTOR}}}");
    let headless = format!("{{clusterIP: None, {SELECTOR}}}");
    let ttl = |ttl: u32| format!("flags: {{coredns: {{ttl: {ttl}s}}}}\n");
    let rows_of = [
        ("proxies follow within a second, before the pod stops", &plain, ttl(30), 0.0, 40.0),
        ("clients follow in the mean after half of 30 s", &headless, ttl(30), 14.0, 40.0),
        ("or of 60 s", &headless, ttl(60), 29.0, 40.0),
        ("who keeps no answers follows at once", &headless, ttl(0), 0.0, 40.0),
    ];
    for (index, (sentence, spec, flags, seconds, rate)) in rows_of.into_iter().enumerate() {
        let found = failed(&format!("headless-{index}"), spec, &flags);
        let expected = seconds * rate;
        assert!((found - expected).abs() < 4.0, "{sentence}: {found} fail, not {expected}");
    }
}

#[test]
fn requests_may_wait_for_a_service_that_comes_later() {
    let alone = shop(&format!("{{{SELECTOR}}}"));
    let alone = alone.split("---\n").nth(1).unwrap();
    let expose = "expose statefulset web --port=80 --name=front";
    let rows_of = [
        ("exposed at 2m", "front", format!("[{{at: 2m, kubectl: {expose}}}]"), 120),
        (
            "exposed, deleted and exposed again",
            "front",
            format!(
                "[{{at: 2m, kubectl: {expose}}}, {{at: 3m, kubectl: delete service front}}, \
                 {{at: 5m, kubectl: {expose}}}]"
            ),
            300,
        ),
        ("applied with a file", "web", "[{at: 4m, kubectl: apply -f later.yaml}]".to_owned(), 240),
    ];
    for (index, (sentence, to, timeline, from)) in rows_of.into_iter().enumerate() {
        let name = format!("later-{index}");
        let applied = shop(&format!("{{{SELECTOR}}}"));
        let applied = applied.split("---\n").next().unwrap();
        std::fs::write(folder(&name).join("later.yaml"), applied).unwrap();
        let more = format!(
            "traffic: [{{to: {to}, rate: 120}}]\nobserve: {{every: 10s}}\ntimeline: {timeline}\n"
        );
        let rows = rows(&loaded(&name, alone, &more).unwrap());
        assert_eq!(served_from(&rows), Some(from), "{sentence}");
        let first = rows.cluster.first().map(|row| (row.offered, row.failed));
        assert_eq!(first, Some((1200.0, 1200.0)), "{sentence}: until then all fails");
    }
    let more =
        format!("traffic: [{{to: fornt, rate: 1}}]\ntimeline: [{{at: 2m, kubectl: {expose}}}]\n");
    let said = loaded("later-typo", alone, &more).unwrap_err();
    assert!(said.contains("did you mean `front`?"), "{said}");
}

#[test]
fn a_pod_without_the_label_is_none_of_the_services() {
    // It is none of its ReplicaSet's either, which makes another.
    let manifests = shop(&format!("{{{SELECTOR}}}"))
        .replace("kind: StatefulSet", "kind: ReplicaSet")
        .replace("  podManagementPolicy: Parallel\n", "");
    let pods = |name: &str, timeline: &str| {
        let more = format!("traffic: [{{to: web, rate: 120}}]\n{timeline}");
        let rows = rows(&loaded(name, &manifests, &more).unwrap());
        rows.pods.iter().map(|pod| pod.name.to_string()).collect::<Vec<String>>()
    };
    let before = pods("label", "");
    let line = format!("timeline: [{{at: 2m, kubectl: label pods {} app-}}]\n", before[0]);
    assert_eq!((before.len(), pods("label-less", &line).len()), (3, 4));
}

/// Three pods on two nodes: two where there is room for two, one on the other.
fn lopsided(policy: &str) -> String {
    let spec = format!("{{type: LoadBalancer, externalTrafficPolicy: {policy}, {SELECTOR}}}");
    let requests = "requests: {cpu: 500m}";
    shop(&spec).replace(requests, "requests: {cpu: 1500m}, limits: {cpu: 1500m}")
}

#[test]
fn a_load_balancer_that_stays_on_nodes_shares_among_nodes() {
    // A pod answers 100 requests a second: the one alone on its node gets half of 220.
    let more = |rate: u32, timeline: &str| {
        format!(
            "traffic: [{{to: web, rate: {rate}}}]\nworkloads: {{web: {{demand: 15ms}}}}\n\
             observe: {{every: 1s}}\n{timeline}"
        )
    };
    let run = |name: &str, policy: &str, rate: u32, timeline: &str| {
        let more = more(rate, timeline);
        let mut scenario = loaded(name, &lopsided(policy), &more).unwrap();
        scenario.node_groups[0].count = 2;
        (scenario.node_groups[0].min, scenario.node_groups[0].max) = (2, 2);
        rows(&scenario)
    };
    let even = run("cluster", "Cluster", 220, "");
    assert!(failing(&even, 60, 120) < 0.1, "all pods get the same: {}", failing(&even, 60, 120));
    let local = run("local", "Local", 220, "");
    let found = failing(&local, 60, 120);
    assert!((found - 10.0).abs() < 0.5, "110 a second for one pod, 10 too many: {found}");
    // A node dies: for 16 to 24 seconds, until three checks have failed, half of all requests is
    // lost; then the other one gets all, and loses what one pod can't answer if it has only one.
    let timeline = "timeline: [{at: 2m, node-crash: {group: node, count: 1}}]\n";
    let crash = run("local-crash", "Local", 150, timeline);
    let lost: Vec<f64> = (0..40).map(|s| failing(&crash, 120 + s, 121 + s)).collect();
    let until = lost.iter().rposition(|failed| *failed > 60.0).unwrap();
    assert!((16..=24).contains(&until), "half is lost until second {until}: {lost:?}");
}

/// Failures each second between two seconds of a run.
fn failing(rows: &Rows, from: u64, until: u64) -> f64 {
    let is_in = |time: u64| time > from && time <= until;
    let of = rows.cluster.iter().filter(|row| is_in(row.time.whole_secs()));
    of.map(|row| row.failed).sum::<f64>() / (until - from) as f64
}

/// Two pods in one of the zones a and b, and one in the other, each of which answers 100 requests a
/// second; in front of them, if it is said where, a pod that calls them.
fn in_two_zones(name: &str, spec: &str, front: Option<&str>, more: &str) -> Rows {
    let requests = "requests: {cpu: 500m}";
    let mut pods = shop(&format!("{{{spec}{SELECTOR}}}"))
        .replace(requests, "requests: {cpu: 1500m}, limits: {cpu: 1500m}");
    let mut workloads = "web: {demand: 15ms}".to_string();
    if let Some(zone) = front {
        let place = format!("spec: {{nodeSelector: {{topology.kubernetes.io/zone: {zone}}}, ");
        let front =
            shop(&format!("{{{SELECTOR}}}")).replace("web", "front").replace("s: 3", "s: 1");
        pods +=
            &format!("---\n{}", front.replace("spec: {containers", &format!("{place}containers")));
        workloads += ", front: {demand: 0s, wait: 1ms, concurrency: 1000, calls: {web: 1}}";
    }
    let more = format!("workloads: {{{workloads}}}\nobserve: {{every: 1s}}\n{more}");
    let mut scenario = loaded(name, &pods, &more).unwrap();
    scenario.node_groups[0].count = 2;
    (scenario.node_groups[0].min, scenario.node_groups[0].max) = (2, 2);
    rows(&scenario)
}

#[test]
fn requests_stay_near_where_the_service_says_so() {
    let near = |rule: &str| format!("trafficDistribution: {rule}, ");
    let [zone, close, node] = ["PreferSameZone", "PreferClose", "PreferSameNode"].map(near);
    let headless = format!("clusterIP: None, {close}");
    let sticky = format!("sessionAffinity: ClientIP, {close}");
    let (halves, many) = (", zones: {a: 50%, b: 50%}", ", clients: 100000");
    // Failures each second, before and after the Service is applied anew: 110 a second are 10 too
    // many for the pod that is alone.
    let rows_of = [
        ("without a word each pod gets the same", "", halves, "", [0.0, 0.0]),
        ("half come to the zone of one pod", &zone, halves, "", [10.0, 10.0]),
        ("the older name means the same", &close, halves, "", [10.0, 10.0]),
        ("so it is with clients from anywhere", &close, "", "", [10.0, 10.0]),
        ("the two pods of a node share as those of a zone", &node, halves, "", [10.0, 10.0]),
        ("nobody stands before a headless Service", &headless, halves, "", [0.0, 0.0]),
        ("who sticks to pods sticks to those of all zones", &sticky, many, "", [0.0, 0.0]),
        ("it may come later", "", halves, &close, [0.0, 10.0]),
        ("or go", &close, halves, " ", [10.0, 0.0]),
    ];
    for (index, (sentence, spec, traffic, later, expected)) in rows_of.into_iter().enumerate() {
        let name = format!("near-{index}");
        let applied = format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: web}}\nspec: {{{later}{SELECTOR}}}\n"
        );
        std::fs::write(folder(&name).join("later.yaml"), applied).unwrap();
        let timeline = match later {
            "" => "",
            _ => "timeline: [{at: 4m, kubectl: apply -f later.yaml}]\n",
        };
        let more = format!("traffic: [{{to: web, rate: 220{traffic}}}]\n{timeline}");
        let rows = in_two_zones(&name, spec, None, &more);
        let found = [failing(&rows, 120, 240), failing(&rows, 250, 300)];
        let gap = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(gap < 0.6, "{sentence}: {found:?} fail a second, not {expected:?}");
    }
    // All come from one zone: to its one pod, or to its two. Whether from outside, or from a pod
    // there whose own clients are elsewhere.
    for front in [false, true] {
        let mut found = ["a", "b"].map(|zone| {
            let traffic = match front {
                true => "traffic: [{to: front, rate: 220, zones: {a: 50%, b: 50%}}]\n".to_string(),
                false => format!("traffic: [{{to: web, rate: 220, zones: {{{zone}: 100%}}}}]\n"),
            };
            let name = format!("from-{zone}-{front}");
            let rows = in_two_zones(&name, &close, front.then_some(zone), &traffic);
            failing(&rows, 120, 240).round()
        });
        found.sort_by(f64::total_cmp);
        assert_eq!(found, [20.0, 120.0], "beyond two pods, and beyond one; by a caller: {front}");
    }
}

#[test]
fn clients_stick_to_pods_where_the_service_says_so() {
    let sticky = format!("{{sessionAffinity: ClientIP, {SELECTOR}}}");
    let headless = format!("{{clusterIP: None, sessionAffinity: ClientIP, {SELECTOR}}}");
    let forgetful = "sessionAffinityConfig: {clientIP: {timeoutSeconds: 1}}";
    let short = format!("{{sessionAffinity: ClientIP, {forgetful}, {SELECTOR}}}");
    let plain = format!("{{{SELECTOR}}}");
    // A pod answers 100 requests a second. Failures each second, from 2m to 4m and after that.
    let rows_of = [
        ("one client has one pod, and asks too much of it", &sticky, 1, "", [20.0, 20.0]),
        ("many clients share all pods", &sticky, 10_000, "", [0.0, 0.0]),
        ("without affinity so does one", &plain, 1, "", [0.0, 0.0]),
        ("a headless Service has no proxy that would see to it", &headless, 1, "", [0.0, 0.0]),
        ("who asks less often than once a timeout is forgotten", &short, 121, "", [0.0, 0.0]),
        ("affinity that is taken away frees them", &sticky, 1, "even", [20.0, 0.0]),
        ("... and that comes later binds them", &plain, 1, "stick", [0.0, 20.0]),
    ];
    for (index, (sentence, spec, clients, later, expected)) in rows_of.into_iter().enumerate() {
        let affinity = if later == "stick" { "ClientIP" } else { "None" };
        let applied = format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: web}}\nspec: {{sessionAffinity: \
             {affinity}, {SELECTOR}}}\n"
        );
        let timeline = match later {
            "" => "",
            _ => "timeline: [{at: 4m, kubectl: apply -f later.yaml}]\n",
        };
        let traffic = format!("traffic: [{{to: web, rate: 120, clients: {clients}}}]\n");
        let more = format!("{traffic}observe: {{every: 10s}}\n{timeline}");
        let name = format!("sticky-{index}");
        std::fs::write(folder(&name).join("later.yaml"), applied).unwrap();
        let rows = rows(&loaded(&name, &shop(spec), &more).unwrap());
        let found = [failing(&rows, 120, 240), failing(&rows, 250, 300)];
        let gap = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(gap < 0.2, "{sentence}: {found:?} fail a second, not {expected:?}");
    }
}

#[test]
fn a_service_that_is_deleted_serves_nobody_until_it_is_back() {
    let lines = "timeline:\n  - {at: 2m, kubectl: delete service web}\n  - {at: 5m, kubectl: apply \
                 -f apps.yaml}\n  - {at: 6m, kubectl: delete pod web-1}\n";
    for (sentence, spec) in [
        ("a ClusterIP", format!("{{{SELECTOR}}}")),
        ("a headless one", format!("{{clusterIP: None, {SELECTOR}}}")),
    ] {
        let more = format!("flags: {{coredns: {{ttl: 0s}}}}\n{lines}{TRAFFIC}");
        let rows = rows(&loaded("gone", &shop(&spec), &more).unwrap());
        let failed: f64 = rows.cluster.iter().map(|row| row.failed).sum();
        let expected = 180.0 * 120.0;
        assert!((failed - expected).abs() < 200.0, "{sentence}: {failed}, not {expected}");
        assert_eq!(served_from(&rows), Some(300), "{sentence} is back, and follows its pods");
    }
}

fn stormglass(folder: &std::path::Path, line: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stormglass"));
    let output = command.current_dir(folder).args(line.split_whitespace()).output().unwrap();
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
}

#[test]
fn services_are_printed_as_kubectl_prints_them() {
    let manifests = shop(&format!("{{clusterIP: None, {SELECTOR}}}"));
    let more = format!(
        "flags: {{cloud: {{load-balancer: 50s}}}}\n{TRAFFIC}timeline:\n  - {{at: 1m, kubectl: expose \
         statefulset web --name=front --port=443 --target-port=8443 --type=LoadBalancer}}\n  - {{at: \
         4m, kubectl: expose sts/web --name=ports --port=80 --type=NodePort}}\n"
    );
    loaded("printed", &manifests, &more).unwrap();
    let folder = folder("printed");
    stormglass(&folder, "run scenario.yaml --quiet --out out");
    let get = |at: &str| stormglass(&folder, &format!("get out/scenario/1 service --at {at}"));
    let lines = |text: &str| -> Vec<String> {
        text.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    };
    let first = lines(&get("90s"));
    let port = first[1].split([':', '/']).nth(1).unwrap().to_owned();
    assert!((30_000..32_768).contains(&port.parse::<u32>().unwrap()), "{port}");
    assert_eq!(
        first,
        [
            "NAME TYPE CLUSTER-IP EXTERNAL-IP PORT(S) AGE".to_owned(),
            format!("front LoadBalancer <none> <pending> 443:{port}/TCP 30s"),
            "web ClusterIP None <none> 80/TCP 90s".to_owned(),
        ]
    );
    assert_eq!(
        lines(&get("2m"))[1],
        format!("front LoadBalancer <none> 198.18.0.1 443:{port}/TCP 60s")
    );
    let last = lines(&get("5m"));
    assert!(last[2].starts_with("ports NodePort <none> <none> 80:3"), "{last:?}");
    assert_eq!(
        stormglass(&folder, "describe out/scenario/1 service front --at 2m"),
        format!(
            "Name:                  front
Namespace:             default
Labels:                <none>
Annotations:           <none>
Selector:              app=web
Type:                  LoadBalancer
IP Families:           <none>
IP:                    
IPs:                   <none>
LoadBalancer Ingress:  198.18.0.1 (VIP)
Port:                  <unset>  443/TCP
TargetPort:            8443/TCP
NodePort:              <unset>  {port}/TCP
Endpoints:             web-0,web-1,web-2
Session Affinity:      None
Events:
  Type    Reason                Age   From                Message
  ----    ------                ----  ----                -------
  Normal  EnsuringLoadBalancer  60s   service-controller  Ensuring load balancer
  Normal  EnsuredLoadBalancer   10s   service-controller  Ensured load balancer
"
        )
    );
}

#[test]
fn a_distribution_that_nobody_heeds_is_told() {
    let rows = [
        ("a proxy heeds it", "", 0),
        ("nobody does before a headless Service", "clusterIP: None, ", 1),
        ("nor where clients stick to pods", "sessionAffinity: ClientIP, ", 1),
    ];
    for (index, (sentence, more, expected)) in rows.into_iter().enumerate() {
        let spec = format!("{{{more}trafficDistribution: PreferClose, {SELECTOR}}}");
        let scenario = loaded(&format!("heeded-{index}"), &shop(&spec), TRAFFIC).unwrap();
        let told = scenario.ignored.iter().flat_map(|ignored| &ignored.fields);
        let told = told.filter(|field| *field == "spec.trafficDistribution").count();
        assert_eq!(told, expected, "{sentence}");
    }
}

#[test]
fn what_a_service_can_not_be_is_an_error() {
    for (sentence, spec, expected) in [
        ("a type that is none", "{type: Balancer}", "is none of ClusterIP, NodePort"),
        ("a port that is none", "{ports: [{port: 70000}]}", "must be a port, 1 to 65535"),
        ("an affinity that is none", "{sessionAffinity: Cookie}", "is none of None, ClientIP"),
        (
            "clients that are remembered for too long",
            "{sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 86401}}}",
            "must be seconds, 1 to 86400",
        ),
        (
            "a distribution that is none",
            "{trafficDistribution: Near}",
            "is none of PreferClose, PreferSameNode, PreferSameZone",
        ),
        (
            "a policy that is none",
            "{type: LoadBalancer, externalTrafficPolicy: Here}",
            "is none of Cluster, Local",
        ),
        (
            "a policy of what nobody reaches from outside",
            "{externalTrafficPolicy: Local}",
            "may only be set for externally-accessible services",
        ),
    ] {
        let errors = loaded("no-service", &shop(spec), TRAFFIC).unwrap_err();
        assert!(errors.contains(expected), "{sentence}: {errors}");
    }
    let line = "timeline: [{at: 1m, kubectl: expose sts web --type=Ingress}]\n";
    let more = format!("{line}{TRAFFIC}");
    let errors = loaded("no-type", &shop(&format!("{{{SELECTOR}}}")), &more).unwrap_err();
    assert!(errors.contains("one of ClusterIP, NodePort, LoadBalancer"), "{errors}");
}
