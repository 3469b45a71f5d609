//! KEDA's ScaledObjects: queues that wake a sleeping Deployment, and schedules.

#![allow(clippy::unwrap_used, reason = "a test")]

mod scaling;
mod serving;

use scaling::wanted;
use serving::{Rows, loaded, rows};

/// A worker with a ScaledObject.
fn scaled(spec: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: worker}}\nspec:\n  selector: \
         {{matchLabels: {{app: worker}}}}\n  template:\n    metadata: {{labels: {{app: worker}}}}\n    \
         spec:\n      terminationGracePeriodSeconds: 1\n      containers: [{{name: a, image: a, \
         resources: {{requests: {{cpu: 100m}}}}}}]\n---\napiVersion: keda.sh/v1alpha1\nkind: \
         ScaledObject\nmetadata: {{name: orders}}\nspec:\n  scaleTargetRef: {{name: worker}}\n{spec}"
    )
}

fn said(rows: &Rows, reason: &str) -> Vec<String> {
    let of = rows.events.iter().filter(|row| row.reason == reason);
    of.map(|row| format!("{}/{}: {}", row.object_kind, row.name, row.message)).collect()
}

#[test]
fn a_queue_wakes_its_workers_and_lets_them_go() {
    let spec = "  cooldownPeriod: 60
  maxReplicaCount: 8
  advanced:
    horizontalPodAutoscalerConfig:
      behavior: {scaleDown: {stabilizationWindowSeconds: 0}}
  triggers:
    - type: rabbitmq
      metadata: {queueName: orders, value: \"20\", activationValue: \"5\"}
";
    let more = "metrics:
  - name: s0-rabbitmq
    labels: {scaledobject.keda.sh/name: orders}
    value: {points: [{at: 0s, value: 4}, {at: 3m, value: 4}, {at: 3m, value: 100}, {at: 6m, value: 100}, {at: 6m, value: 0}]}
observe: {every: 5s}
";
    let rows = rows(&loaded("keda-queue", &scaled(spec), more).unwrap());
    // Four are not enough to be active; a hundred are five workers; then a minute and a poll.
    assert_eq!(wanted(&rows, &[120, 300, 590]), [0, 5, 0]);
    let on = "ScaledObject/orders: Scaled Deployment default/worker from 0 to 1, triggered by s0-rabbitmq";
    assert_eq!(said(&rows, "KEDAScaleTargetActivated"), [on]);
    let off = "ScaledObject/orders: Deactivated Deployment default/worker from 1 to 0";
    assert_eq!(said(&rows, "KEDAScaleTargetDeactivated"), [off, off]);
}

#[test]
fn a_schedule_scales_ahead_and_back() {
    // A run begins at midnight in UTC, which is one o'clock in Berlin.
    let spec = "  pollingInterval: 10
  cooldownPeriod: 30
  triggers:
    - type: cron
      metadata: {timezone: Europe/Berlin, start: 3 1 * * *, end: 6 1 * * *, desiredReplicas: \"6\"}
  advanced:
    horizontalPodAutoscalerConfig:
      behavior: {scaleDown: {stabilizationWindowSeconds: 0}}
";
    let rows = rows(&loaded("keda-cron", &scaled(spec), "observe: {every: 5s}\n").unwrap());
    assert_eq!(wanted(&rows, &[150, 240, 350, 450]), [0, 6, 6, 0]);
    let rescaled = said(&rows, "SuccessfulRescale");
    assert!(rescaled[0].starts_with("HorizontalPodAutoscaler/keda-hpa-orders: New size: "));
    assert!(
        rescaled[0].contains("external metric s0-cron-Europe-Berlin-31xxx-61xxx("),
        "{rescaled:?}"
    );
}

#[test]
fn a_floor_is_kept_and_mistakes_are_told() {
    let spec = "  minReplicaCount: 2
  triggers:
    - {type: cron, metadata: {timezone: UTC, start: 0 8 * * *, end: 0 18 * * *, desiredReplicas: \"6\"}}
";
    let rows = rows(&loaded("keda-floor", &scaled(spec), "").unwrap());
    assert_eq!(wanted(&rows, &[300, 590]), [2, 2]);
    let spec = "  pollingInterval: 0
  triggers:
    - {type: pigeon, metadata: {}}
    - {type: kafka, metadata: {lagThreshold: many}}
    - {type: prometheus, metadata: {}}
    - {type: cron, metadata: {timezone: Mars, start: 0 8 * * *, end: 0 18 * * *, desiredReplicas: \"6\"}}
";
    let errors = loaded("keda-broken", &scaled(spec), "").unwrap_err();
    for expected in [
        "spec.pollingInterval: must be 1 or more",
        "spec.triggers[0].type: triggers of type \"pigeon\" are not known here",
        "spec.triggers[1].metadata.lagThreshold:",
        "spec.triggers[2].metadata: a prometheus trigger needs `threshold`",
        "spec.triggers[3].metadata.timezone:",
    ] {
        assert!(errors.contains(expected), "{expected} is not in\n{errors}");
    }
}
