//! VerticalPodAutoscalers: what they recommend, whom they evict, what new pods get.

#![allow(clippy::unwrap_used, reason = "a test")]

mod serving;

use serving::{Rows, loaded, rows};

/// A Deployment of four, its Service, and an autoscaler with this specification.
fn sized(resources: &str, spec: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  replicas: 4\n  \
         selector: {{matchLabels: {{app: web}}}}\n  template:\n    metadata: {{labels: {{app: \
         web}}}}\n    spec:\n      terminationGracePeriodSeconds: 1\n      containers: [{{name: web, \
         image: a, resources: {resources}}}]\n---\napiVersion: v1\nkind: Service\nmetadata: {{name: \
         web}}\nspec: {{selector: {{app: web}}, ports: [{{port: 80}}]}}\n---\napiVersion: \
         autoscaling.k8s.io/v1\nkind: VerticalPodAutoscaler\nmetadata: {{name: web}}\nspec:\n  \
         targetRef: {{apiVersion: apps/v1, kind: Deployment, name: web}}\n{spec}"
    )
}

/// Forty requests a second, each of 50 ms of a core: half a core a pod. The recommender is sure of
/// itself after minutes, not days.
const LOAD: &str = "traffic: [{to: web, rate: {constant: 40}}]
workloads: {web: {demand: 50ms, memory: {base: 100Mi}, startup: 1s}}
observe: {every: 10s}
";
const SURE: &str =
    "flags: {vpa-recommender: {confidence-interval-cpu: 2m, confidence-interval-memory: 2m}}\n";

fn said(rows: &Rows, reason: &str) -> Vec<u64> {
    let of = rows.events.iter().filter(|row| row.reason == reason);
    of.map(|row| row.time.whole_secs()).collect()
}

/// Milli-CPU that the pods of `web` request together in the end.
fn requested(rows: &Rows) -> i64 {
    rows.workloads.last().unwrap().cpu_requested.0
}

#[test]
fn pods_are_evicted_and_come_back_right_sized() {
    let generous = "{requests: {cpu: 1500m, memory: 1Gi}}";
    let mode = |mode: &str| format!("  updatePolicy: {{updateMode: '{mode}'}}\n");
    let few = "  updatePolicy: {updateMode: Recreate, minReplicas: 5}\n".to_string();
    let up = "  updatePolicy:\n    updateMode: Recreate\n    evictionRequirements: [{resources: \
              [cpu, memory], changeRequirement: TargetHigherThanRequests}]\n";
    let memory = "  resourcePolicy: {containerPolicies: [{containerName: web, \
                  controlledResources: [memory]}]}\n";
    // How many are evicted, and what all request in the end: half a core and the margin, 629m. What
    // was recommended when pods were first outside is a little less, and within the bounds later on.
    let rows_of = [
        ("it says so and does no more", mode("Off"), 0, 6000),
        ("only new pods would get it", mode("Initial"), 0, 6000),
        ("by default pods are made anew", String::new(), 4, 4 * 629),
        (
            "nobody is evicted where pods are changed in place",
            mode("InPlaceOrRecreate"),
            0,
            4 * 587,
        ),
        ("small sets are left alone", few, 0, 6000),
        ("pods that need less stay if that is demanded", up.to_string(), 0, 6000),
        ("only the memory is its concern", memory.to_string(), 4, 6000),
    ];
    for (index, (sentence, spec, evicted, cpu)) in rows_of.into_iter().enumerate() {
        let name = format!("vpa-{index}");
        let scenario = loaded(&name, &sized(generous, &spec), &format!("{LOAD}{SURE}")).unwrap();
        let rows = rows(&scenario);
        assert_eq!(said(&rows, "EvictedByVPA").len(), evicted, "{sentence}");
        assert_eq!(said(&rows, "EvictedPod").len(), evicted, "{sentence}");
        let near = (requested(&rows) - cpu).abs() * 20 < cpu;
        assert!(near, "{sentence}: {} is not {cpu}", requested(&rows));
    }
}

#[test]
fn half_of_a_set_may_be_away_and_budgets_count() {
    let generous = "{requests: {cpu: 1500m, memory: 1Gi}}";
    let manifests = sized(generous, "");
    let all = rows(&loaded("vpa-half", &manifests, &format!("{LOAD}{SURE}")).unwrap());
    let at = said(&all, "EvictedByVPA");
    assert!(at[1] < at[0] + 2 && at[2] > at[0] + 50, "two at once, then two more: {at:?}");
    let budget = "\n---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: web}\n\
                  spec: {minAvailable: 3, selector: {matchLabels: {app: web}}}\n";
    let more = format!("{LOAD}{SURE}");
    let guarded = rows(&loaded("vpa-budget", &(manifests + budget), &more).unwrap());
    let at = said(&guarded, "EvictedByVPA");
    assert!(at.windows(2).all(|pair| pair[1] > pair[0] + 50), "one at a time: {at:?}");
    assert!(at.len() >= 4, "{at:?}");
}

#[test]
fn limits_keep_their_proportion_and_bound_what_pods_can_do() {
    // Twice what it requests may be used: after that twice as little, at 50 ms of a core a request.
    let resources = "{requests: {cpu: '1.5', memory: 1Gi}, limits: {cpu: '3', memory: 2Gi}}";
    let manifests = sized(resources, "");
    let rows = rows(&loaded("vpa-limits", &manifests, &format!("{LOAD}{SURE}")).unwrap());
    let capacity = |row: &stormglass::record::rows::WorkloadSample| row.capacity_rps;
    let (first, last) = (&rows.workloads[1], rows.workloads.last().unwrap());
    assert!((capacity(first) - 4.0 * 60.0).abs() < 1.0, "{}", capacity(first));
    let limits = 2.0 * requested(&rows) as f64 / 1000.0;
    assert!(limits < 4.0 * 1.3, "{limits}");
    assert!((capacity(last) - limits / 0.05).abs() < 0.1, "{}", capacity(last));
}

#[test]
fn what_was_killed_for_its_memory_gets_more() {
    // Each container grows beyond its limit within minutes, again and again.
    let resources = "{requests: {cpu: 600m, memory: 200Mi}, limits: {memory: 200Mi}}";
    let load = "traffic: [{to: web, rate: {constant: 40}}]
workloads: {web: {demand: 50ms, memory: {base: 150Mi, growth: 20Mi}, startup: 1s}}
observe: {every: 10s}
";
    let off = "  updatePolicy: {updateMode: 'Off'}\n";
    let kills = |spec: &str, name: &str| {
        let rows = rows(&loaded(name, &sized(resources, spec), load).unwrap());
        (said(&rows, "OOMKilling").len(), said(&rows, "EvictedByVPA").len())
    };
    let (told, _) = kills(off, "vpa-oom-off");
    let (changed, evicted) = kills("", "vpa-oom");
    assert!(evicted >= 4 && changed < told, "{changed} of {told} kills, {evicted} evicted");
}

#[test]
fn mistakes_are_told() {
    let broken = "  updatePolicy: {updateMode: Sometimes, minReplicas: 0}
  recommenders: [{name: own}]
  resourcePolicy:
    containerPolicies:
      - {containerName: web, minAllowed: {cpu: '2'}, maxAllowed: {cpu: '1'}, mode: Maybe}
      - {containerName: db, controlledResources: [cpu, disk], oomBumpUpRatio: 2}
";
    let told = loaded("vpa-broken", &sized("{}", broken), LOAD).unwrap_err();
    for expected in [
        "spec.updatePolicy.updateMode: \"Sometimes\" is none of Off, Initial, Recreate",
        "spec.updatePolicy.minReplicas: minReplicas has to be positive",
        "there is no recommender \"own\" here, only `default`",
        "max resource for cpu is lower than min",
        "containerPolicies[0].mode: \"Maybe\" is none of Auto, Off",
        "\"disk\" is none of cpu, memory",
        "oomBumpUpRatio: not supported while the feature gate PerVPAConfig is off",
    ] {
        assert!(told.contains(expected), "{expected} is not in\n{told}");
    }
    let manifests =
        sized("{}", "").replace("kind: Deployment, name: web", "kind: Deployment, name: wev");
    let told = loaded("vpa-target", &manifests, LOAD).unwrap_err();
    assert!(told.contains("there is no Deployment `default/wev`"), "{told}");
    assert!(told.contains("did you mean `web`?"), "{told}");
    let manifests = sized("{}", "").replace("kind: Deployment, name: web", "kind: Job, name: web");
    let told = loaded("vpa-kind", &manifests, LOAD).unwrap_err();
    assert!(told.contains("nothing is known here of what pods of a Job use"), "{told}");
}

const IN_PLACE: &str = "  updatePolicy: {updateMode: InPlaceOrRecreate}\n";

#[test]
fn pods_are_changed_where_they_are() {
    // Twice what it requests may be used, as above, by pods that go on serving.
    let resources = "{requests: {cpu: '1.5', memory: 1Gi}, limits: {cpu: '3', memory: 2Gi}}";
    let manifests = sized(resources, IN_PLACE);
    for level in ["fluid", "requests"] {
        let load = LOAD.replace("startup: 1s", &format!("startup: 1s, level: {level}"));
        let scenario = loaded(&format!("vpa-place-{level}"), &manifests, &format!("{load}{SURE}"));
        let rows = rows(&scenario.unwrap());
        for (reason, times) in [
            ("InPlaceResizedByVPA", 4),
            ("ResizeStarted", 4),
            ("ResizeCompleted", 4),
            ("EvictedByVPA", 0),
            ("Killing", 0),
        ] {
            assert_eq!(said(&rows, reason).len(), times, "{level}: {reason}");
        }
        let at = said(&rows, "InPlaceResizedByVPA");
        assert!(at[1] < at[0] + 2 && at[2] > at[0] + 50, "two at once, then two more: {at:?}");
        let last = rows.workloads.last().unwrap();
        assert!(requested(&rows) < 4000, "{level}: {} of 6000", requested(&rows));
        let limits = 2.0 * requested(&rows) as f64 / 1000.0;
        // What single requests are held up by is not told in this column.
        let tells = level == "fluid";
        let is_near = (last.capacity_rps - limits / 0.05).abs() < 0.1;
        assert_eq!(is_near, tells, "{level}: {}", last.capacity_rps);
        assert!(rows.pods.iter().all(|pod| pod.restarts == 0), "{level}");
        let started = rows.events.iter().find(|row| row.reason == "ResizeStarted").unwrap();
        let begin =
            "Pod resize started: {\"containers\":[{\"name\":\"web\",\"resources\":{\"limits\":";
        assert!(started.message.starts_with(begin), "{}", started.message);
        assert!(started.message.ends_with("\"generation\":2}"), "{}", started.message);
    }
}

/// What leaves 420m of each of the three nodes.
const FILLER: &str = "\n---\napiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: filler}\nspec:\n  \
                      selector: {matchLabels: {app: filler}}\n  template:\n    metadata: {labels: \
                      {app: filler}}\n    spec: {containers: [{name: a, image: b, resources: \
                      {requests: {cpu: 3500m}}}]}\n";

#[test]
fn what_does_not_fit_waits_or_is_evicted() {
    let modest = "{requests: {cpu: 100m, memory: 1Gi}, limits: {cpu: '3'}}";
    let load = LOAD.replace("constant: 40", "constant: 39.9");
    let huge = format!(
        "{IN_PLACE}  resourcePolicy: {{containerPolicies: [{{containerName: web, minAllowed: {{cpu: \
         '5'}}}}]}}\n"
    );
    let leaves = "timeline: [{at: 5m, kubectl: delete daemonset filler}]\n";
    let filled = |resources: &str, spec: &str| sized(resources, spec) + FILLER;
    // Whether pods are deferred, infeasible, evicted, changed in place.
    let rows_of = [
        (
            "what has no room is deferred, and evicted in the end",
            filled(modest, IN_PLACE),
            "",
            (true, false, true, false),
        ),
        (
            "if room comes in time it has that",
            filled(modest, IN_PLACE),
            leaves,
            (true, false, false, true),
        ),
        (
            "what no node could hold is evicted at once",
            sized(modest, &huge),
            "",
            (false, true, true, false),
        ),
        (
            "and so is what would be of another class; what takes its place can be changed",
            sized("{}", IN_PLACE),
            "",
            (false, false, true, true),
        ),
    ];
    for (index, (sentence, manifests, more, expected)) in rows_of.into_iter().enumerate() {
        let more = format!("{load}{SURE}{more}");
        let rows = rows(&loaded(&format!("vpa-room-{index}"), &manifests, &more).unwrap());
        let any = |reason| !said(&rows, reason).is_empty();
        let found = (
            any("ResizeDeferred"),
            any("ResizeInfeasible"),
            any("EvictedByVPA"),
            any("ResizeCompleted"),
        );
        assert_eq!(found, expected, "{sentence}");
        if expected.0 && expected.2 {
            let waits = said(&rows, "EvictedByVPA")[0] - said(&rows, "ResizeDeferred")[0];
            assert!((300..=421).contains(&waits), "{sentence}: {waits}");
        }
    }
}
