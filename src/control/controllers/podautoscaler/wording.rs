//! What an autoscaler says of a metric, in upstream's words.
//!
//! Source: kubernetes `pkg/controller/podautoscaler/horizontal.go`
//! (`computeStatusFor...Metric`, `computeReplicasForMetric`) and `metrics/client.go`, v1.37.

use crate::api::autoscaling::{MetricId, MetricSource, MetricSpec, MetricTarget};

/// The metric as the reason of a rescale names it.
pub(super) fn proposal(metric: &MetricSpec) -> String {
    let external =
        |id: &MetricId| format!("external metric {}({})", id.name, id.selector_as_go_tells_it());
    match (&metric.source, metric.target) {
        (MetricSource::Resource(resource), MetricTarget::Utilization(_)) => {
            format!("{} resource utilization (percentage of request)", resource.name())
        }
        (MetricSource::ContainerResource(resource, _), MetricTarget::Utilization(_)) => {
            format!("{} container resource utilization (percentage of request)", resource.name())
        }
        (MetricSource::Resource(resource) | MetricSource::ContainerResource(resource, _), _) => {
            format!("{} resource", resource.name())
        }
        (MetricSource::Pods(id), _) => format!("pods metric {}", id.name),
        (MetricSource::Object(of, id), MetricTarget::Value(_)) => {
            format!("{} metric {}", of.kind, id.name)
        }
        // Upstream calls it external, too.
        (MetricSource::Object(_, id) | MetricSource::External(id), _) => external(id),
    }
}

/// The reason of the Event, and of the condition, when a metric can't be had.
pub(super) fn failure(source: &MetricSource) -> &'static str {
    match source {
        MetricSource::Resource(_) => "FailedGetResourceMetric",
        MetricSource::ContainerResource(..) => "FailedGetContainerResourceMetric",
        MetricSource::Pods(_) => "FailedGetPodsMetric",
        MetricSource::Object(..) => "FailedGetObjectMetric",
        MetricSource::External(_) => "FailedGetExternalMetric",
    }
}

/// An error of the calculation as the Event tells it.
pub(super) fn told(metric: &MetricSpec, error: &str) -> String {
    match (metric.source.resource(), metric.target) {
        (Some(resource), MetricTarget::Utilization(_)) => {
            format!("failed to get {} utilization: {error}", resource.name())
        }
        (Some(resource), _) => format!("failed to get {} usage: {error}", resource.name()),
        (None, _) => error.to_string(),
    }
}

/// What [`told`] tells as the failure of all metrics together quotes it.
pub(super) fn in_full(metric: &MetricSpec, told: &str) -> String {
    let average = matches!(metric.target, MetricTarget::AverageValue(_));
    match &metric.source {
        MetricSource::Resource(resource) => {
            format!("failed to get {} resource metric value: {told}", resource.name())
        }
        MetricSource::ContainerResource(_, container) => {
            format!("failed to get {container} container metric value: {told}")
        }
        MetricSource::Pods(_) => format!("failed to get pods metric value: {told}"),
        MetricSource::Object(_, id) if average => {
            let name = &id.name;
            format!("failed to get object metric value: failed to get {name} object metric: {told}")
        }
        MetricSource::Object(..) => format!("failed to get object metric value: {told}"),
        MetricSource::External(id) => {
            let name = &id.name;
            let inner = match average {
                true => format!("failed to get {name} external metric"),
                false => format!("failed to get external metric {name}"),
            };
            format!("failed to get {name} external metric value: {inner}: {told}")
        }
    }
}

/// An answer of a metrics API without any value, or its refusal, as the calculation tells it.
pub(super) fn unavailable(source: &MetricSource, namespace: &str, refusal: Option<&str>) -> String {
    let api = match source {
        MetricSource::Resource(_) | MetricSource::ContainerResource(..) => "resource metrics API",
        MetricSource::Pods(_) | MetricSource::Object(..) => "custom metrics API",
        MetricSource::External(_) => "external metrics API",
    };
    let error = match refusal {
        Some(refusal) => format!("unable to fetch metrics from {api}: {refusal}"),
        None => format!("no metrics returned from {api}"),
    };
    match source {
        MetricSource::Resource(resource) | MetricSource::ContainerResource(resource, _) => {
            format!("unable to get metrics for resource {}: {error}", resource.name())
        }
        MetricSource::Pods(id) => format!("unable to get metric {}: {error}", id.name),
        MetricSource::Object(of, id) => {
            let (kind, name) = (&of.kind, &of.name);
            format!("unable to get metric {} on {kind} {namespace}/{name}: {error}", id.name)
        }
        MetricSource::External(id) => {
            let selector = id.selector_as_go_tells_it();
            format!("unable to get external metric {namespace}/{}/{selector}: {error}", id.name)
        }
    }
}
