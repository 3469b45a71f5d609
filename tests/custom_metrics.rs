//! Autoscalers on more than CPU: queues outside the cluster, requests of a Service, what is in
//! flight in a pod, one container of several; down to zero and back.

#![allow(clippy::unwrap_used, reason = "a test")]

mod scaling;
mod serving;

use scaling::wanted;
use serving::{Rows, loaded, rows};

const WEB: &str = "apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - {name: web, image: web:1, resources: {requests: {cpu: 300m, memory: 64Mi}}}
        - {name: proxy, image: proxy:1, resources: {requests: {cpu: 100m, memory: 64Mi}}}
";

/// `web` with an autoscaler on one metric, which scales down at once.
fn scaled(least: u32, metric: &str) -> String {
    format!(
        "{WEB}---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {{name: web}}\n\
         spec:\n  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: web}}\n  \
         minReplicas: {least}\n  maxReplicas: 10\n  metrics: [{metric}]\n  \
         behavior: {{scaleDown: {{stabilizationWindowSeconds: 0}}}}\n"
    )
}

fn said(rows: &Rows, reason: &str) -> Vec<String> {
    let of = rows.events.iter().filter(|row| row.reason == reason);
    of.map(|row| row.message.clone()).collect()
}

#[test]
fn a_queue_outside_scales_down_to_zero_and_up_again() {
    let metric = "{type: External, external: {metric: {name: depth, selector: {matchLabels: \
                  {queue: orders}}}, target: {type: AverageValue, averageValue: 30}}}";
    let more = "metrics:
  - name: depth
    labels: {queue: orders}
    value: {points: [{at: 0s, value: 0}, {at: 2m, value: 0}, {at: 2m, value: 300}, {at: 5m, value: 300}, {at: 5m, value: 0}]}
  - {name: depth, labels: {queue: other}, value: 9000}
observe: {every: 5s}
";
    let rows = rows(&loaded("queue", &scaled(0, metric), more).unwrap());
    assert_eq!(wanted(&rows, &[60, 180, 290, 360]), [0, 10, 10, 0], "as the queue");
    let first = "New size: 4; reason: external metric depth(&LabelSelector{MatchLabels:map[string]\
                 string{queue: orders,},MatchExpressions:[]LabelSelectorRequirement{},}) above target";
    let said = said(&rows, "SuccessfulRescale");
    assert_eq!(said[0], "New size: 0; reason: All metrics below target");
    assert_eq!(said[1], first, "from nothing at most four");
}

#[test]
fn what_a_person_scaled_to_zero_stays_there() {
    let metric = "{type: External, external: {metric: {name: depth}, target: {type: AverageValue, \
                  averageValue: 30}}}";
    let more = "metrics: [{name: depth, value: 300}]
timeline: [{at: 2m, kubectl: scale deployment/web --replicas=0}]
observe: {every: 5s}
";
    let rows = rows(&loaded("by-hand", &scaled(0, metric), more).unwrap());
    assert_eq!(wanted(&rows, &[110, 180, 590]), [10, 0, 0]);
}

#[test]
fn requests_of_a_service_and_in_a_pod_are_followed() {
    let object = "{type: Object, object: {describedObject: {apiVersion: v1, kind: Service, name: \
                  web}, metric: {name: rps}, target: {type: AverageValue, averageValue: 50}}}";
    let value = object.replace("AverageValue, averageValue: 50", "Value, value: 100");
    let pods = "{type: Pods, pods: {metric: {name: in_flight}, target: {type: AverageValue, \
                averageValue: 3700m}}}";
    let usual = "{type: Pods, pods: {metric: {name: requests_per_second}, target: {type: \
                 AverageValue, averageValue: 40}}}";
    let rows_of = [
        ("fifty a second for each pod", object, 4),
        ("a hundred for all of them: twice what there is, again and again", &value, 10),
        ("a little more than twenty in flight, 3.7 for each pod", pods, 6),
        ("the metric that needs no word", usual, 5),
    ];
    for (index, (sentence, metric, expected)) in rows_of.into_iter().enumerate() {
        let more = "workloads: {web: {demand: 10ms, wait: 90ms}}
traffic: [{to: web, rate: {step: {at: 1m, from: 0, to: 200}}}]
metrics:
  - {name: rps, object: service/web, measure: requests-per-second}
  - {name: in_flight, pods: web, measure: in-flight}
observe: {every: 5s}
";
        let rows = rows(&loaded(&format!("traffic-{index}"), &scaled(1, metric), more).unwrap());
        assert_eq!(wanted(&rows, &[50, 590]), [1, expected], "{sentence}");
    }
}

#[test]
fn requests_wake_a_service_that_was_scaled_to_zero() {
    let metric = "{type: Object, object: {describedObject: {kind: Service, name: web}, metric: \
                  {name: rps}, target: {type: AverageValue, averageValue: 50}}}";
    let more = "traffic: [{to: web, rate: {step: {at: 4m, from: 0, to: 120}}}]
metrics: [{name: rps, object: service/web, measure: requests-per-second}]
observe: {every: 5s}
";
    let rows = rows(&loaded("wake", &scaled(0, metric), more).unwrap());
    assert_eq!(wanted(&rows, &[200, 300, 590]), [0, 3, 3]);
}

#[test]
fn a_forecast_is_followed_in_place_of_the_value_now() {
    // From the first minute on 30 more each minute, and a pod for 30 of them. At 4m the line nearest to
    // 0, 0, 30, 60, 90 climbs by 24 a minute through 36 at 2m: 204 at 9m. At 6m the rise is straight.
    let metric = "{type: External, external: {metric: {name: depth}, target: {type: AverageValue, \
                  averageValue: 30}}}";
    let rows_of = [
        ("as it is", "", [1, 3, 5]),
        ("a line, five minutes ahead", ", predict-linear: {over: 5m, ahead: 5m}", [1, 7, 10]),
        ("a line that ends now", ", predict-linear: {over: 5m, ahead: 0s}", [1, 3, 5]),
        ("two minutes ago", ", offset: 2m", [1, 1, 3]),
        ("before the start all was as at the start", ", offset: 1h", [1, 1, 1]),
    ];
    for (row, forecast, expected) in rows_of {
        let more = format!(
            "metrics: [{{name: depth, value: {{ramp: {{start: 1m, end: 21m, from: 0, to: 600}}}}{forecast}}}]
observe: {{every: 5s}}
"
        );
        let rows = rows(&loaded("forecast", &scaled(1, metric), &more).unwrap());
        assert_eq!(wanted(&rows, &[60, 245, 370]), expected, "{row}");
    }
}

#[test]
fn what_can_t_be_forecast_is_said_with_its_place() {
    let rows_of = [
        ("predict-linear: {over: 1m, ahead: 5m}", "twice the `scrape-interval`"),
        ("predict-linear: {over: 5m, ahead: 5m}, offset: 1d", "not both"),
        ("offset: 0s", "longer than zero"),
        ("offset: 1d, scrape-interval: 10m", "looks no further back"),
        ("offset: 1d, scrape-interval: 0s", "longer than zero"),
        ("offset: 300d, scrape-interval: 1s", "more than 100000 samples"),
        ("scrape-interval: 30s", "only for `predict-linear` and `offset`"),
        ("pods: web, offset: 1d", "a Pods metric has no forecast"),
    ];
    let metric =
        "{type: External, external: {metric: {name: depth}, target: {type: Value, value: 5}}}";
    for (given, message) in rows_of {
        let more = format!("metrics: [{{name: depth, value: 5, {given}}}]\n");
        let faults = loaded("no-forecast", &scaled(1, metric), &more).unwrap_err();
        let told = format!("{faults:?}");
        assert!(told.contains(message) && told.contains("metrics[0]"), "{given}: {told}");
    }
}

#[test]
fn a_container_of_several_is_judged_by_its_own_request() {
    // 30 requests a second of 10 ms: 300m and 5m idle, three quarters of that in `web`, which
    // requests 300m.
    let of = |name: &str| {
        format!(
            "{{type: ContainerResource, containerResource: {{name: cpu, container: {name}, target: \
             {{type: Utilization, averageUtilization: 25}}}}}}"
        )
    };
    let more = "workloads: {web: {demand: 10ms}}\ntraffic: [{to: web, rate: 30}]\n";
    let rows_of_web = rows(&loaded("container", &scaled(1, &of("web")), more).unwrap());
    let last = rows_of_web.workloads.last().unwrap().desired;
    assert_eq!(last, 4, "305m of 400m are 76 %, thrice the target; a pod more for its own idling");
    let nobody = rows(&loaded("no-container", &scaled(1, &of("nobody")), more).unwrap());
    let said = said(&nobody, "FailedGetContainerResourceMetric");
    let expected = "failed to get cpu utilization: did not receive metrics for targeted pods (pods \
                    might be unready)";
    assert!(said.iter().any(|message| message == expected), "{said:?}");
}

#[test]
fn a_metric_that_nobody_provides_is_told_of_before_and_in_the_run() {
    let rows_of = [
        (
            "External",
            "{type: External, external: {metric: {name: gone}, target: {type: Value, value: 5}}}",
            "unable to get external metric default/gone/nil: unable to fetch metrics from external \
             metrics API: the server could not find the requested resource (get \
             gone.external.metrics.k8s.io)",
        ),
        (
            "Object",
            "{type: Object, object: {describedObject: {apiVersion: networking.k8s.io/v1, kind: \
             Ingress, name: shop}, metric: {name: gone}, target: {type: Value, value: 5}}}",
            "unable to get metric gone on Ingress default/shop: unable to fetch metrics from custom \
             metrics API: the server could not find the metric gone for \
             ingresses.networking.k8s.io shop",
        ),
        (
            "Pods",
            "{type: Pods, pods: {metric: {name: gone}, target: {type: AverageValue, averageValue: 5}}}",
            "unable to get metric gone: unable to fetch metrics from custom metrics API: the server \
             could not find the metric gone for pods",
        ),
    ];
    for (kind, metric, message) in rows_of {
        let scenario = loaded(&format!("gone-{kind}"), &scaled(1, metric), "").unwrap();
        let told = scenario.ignored.iter().find(|note| note.reason.contains("`gone`")).unwrap();
        assert!(told.reason.contains(&format!("FailedGet{kind}Metric")), "{}", told.reason);
        assert!(told.file.ends_with("apps.yaml") && told.line == 26, "{}:{}", told.file, told.line);
        let rows = rows(&scenario);
        let reason = rows.events.iter().find(|row| row.message == message).map(|row| row.reason);
        assert_eq!(reason, Some(&*format!("FailedGet{kind}Metric")), "{kind}: {:?}", rows.events);
    }
}
