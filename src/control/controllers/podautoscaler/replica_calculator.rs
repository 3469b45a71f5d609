//! How many replicas one metric asks for.
//!
//! Source: kubernetes `pkg/controller/podautoscaler/replica_calculator.go` and
//! `metrics/utilization.go`, v1.37; whole-number arithmetic as there. It is shown the target's pods
//! and their samples and knows nothing of rates, windows and limits.

use super::census::Census;
use super::requests::requested;
use super::wording::{told, unavailable};
use crate::api::PodId;
use crate::api::autoscaling::{Hpa, Measured, MetricSource, MetricSpec, MetricTarget, ScaleTarget};
use crate::api::labels::Selector;
use crate::api::pod::{Pod, PodPhase, PodSpec};
use crate::control::flags::ControllerManagerFlags;
use crate::store::Store;
use crate::units::{SimDuration, SimTime};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Arc;

/// One pod's value of a metric, as the metrics API answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Thousandths of the metric's unit.
    pub milli: i64,
    /// End of the window it was measured over.
    pub timestamp: SimTime,
    /// Length of the window.
    pub window: SimDuration,
}

/// The metrics APIs: of resources, of custom and of external metrics.
pub trait PodMetrics {
    /// A pod's value of a resource or a Pods metric; `None`: there is none.
    fn sample(&self, pod: PodId, source: &MetricSource) -> Option<Sample>;

    /// Why the API has no Pods metric of this name; `None`: it has.
    fn refusal(&self, _namespace: &str, _source: &MetricSource) -> Option<String> {
        None
    }

    /// The values of an Object or External metric as asked for in `namespace`, in thousandths of
    /// its unit; of an object one.
    ///
    /// # Errors
    /// What the API says when it has no such metric.
    fn values(&self, _namespace: &str, _source: &MetricSource) -> Result<Vec<i64>, String> {
        Err("the server could not find the requested resource".into())
    }

    /// Until when a metric that is no resource stays what it is, as long as the controller is told
    /// of no change.
    fn stays_until(&self, _namespace: &str, _source: &MetricSource) -> SimTime {
        SimTime::NEVER
    }

    /// From which instant on every pod of `target` reads the same value, or stays without one,
    /// whenever it is asked again, until the controller is told of a change
    /// ([`super::PodAutoscaler::inputs_changed`]). `None`: not known.
    fn steady_from(&self, _target: ScaleTarget) -> Option<SimTime> {
        None
    }

    /// What most pods of `target` read alike. `None`: not known, each has to be asked. Who answers
    /// this must be asked by a controller that is told of every pod
    /// ([`super::PodAutoscaler::pod_changed`]).
    fn alike(&self, _target: ScaleTarget, _source: &MetricSource) -> Option<Alike<'_>> {
        None
    }
}

/// What the pods of a target read, the exceptions apart.
#[derive(Clone, Copy, Debug)]
pub struct Alike<'a> {
    /// The value of all pods but the exceptions.
    pub sample: Option<Sample>,
    /// Pods that may read something else.
    pub except: &'a BTreeSet<PodId>,
}

/// A metric could not be read: upstream's message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoMetrics(pub String);

/// What a metric asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Replicas.
    pub replicas: u32,
}

/// Everything a calculation looks at.
pub struct Calculator<'a> {
    /// Flags of the controller.
    pub flags: &'a ControllerManagerFlags,
    /// Objects.
    pub store: &'a Store,
    /// The metrics API.
    pub metrics: &'a dyn PodMetrics,
    /// The target.
    pub target: ScaleTarget,
    /// Its pods, sorted by whether they need a look of their own.
    pub census: &'a Census,
    /// Namespace of the target.
    pub namespace: &'a str,
    /// The target's selector (`scale.status.selector`).
    pub selector: &'a Selector,
    /// The target's pods as its own controller counts them (`scale.status.replicas`).
    pub counted: u32,
    /// Now.
    pub now: SimTime,
    /// When at the earliest a pod's sample may begin or cease to count though nothing changes;
    /// set by the calculations.
    pub turns: Cell<SimTime>,
}

/// The target's pods, sorted by what their samples are worth (`groupPods`): sums and numbers are
/// all that the arithmetic needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Groups {
    ready: Sum,
    unready: Sum,
    missing: Sum,
}

/// Some pods' samples together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    pods: u32,
    /// Sum of the values. Wider than upstream's 64 bits, which overflow at 2^63 / 100.
    value: i128,
    /// Sum of the requests, in the metric's thousandths.
    request: i128,
}

impl Sum {
    fn add(&mut self, value: i64, request: i64) {
        self.add_many(1, value, request);
    }

    /// Adds `n` pods of the same value and request.
    fn add_many(&mut self, n: u32, value: i64, request: i64) {
        self.pods += n;
        self.value += i128::from(n) * i128::from(value);
        self.request += i128::from(n) * i128::from(request);
    }

    /// With the pods of `other`, each counted as if it used `value` of all their requests.
    fn with(self, other: Sum, value: i128) -> Sum {
        Sum {
            pods: self.pods + other.pods,
            value: self.value + value,
            request: self.request + other.request,
        }
    }
}

/// Pods sorted together.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    groups: Groups,
    any_sample: bool,
}

impl Tally {
    /// Counts `n` pods whose sample counts if there is one.
    fn count_in_full(&mut self, n: u32, sample: Option<Sample>, request: i64) {
        match sample {
            None => self.groups.missing.add_many(n, 0, request),
            Some(sample) => {
                self.any_sample |= n > 0;
                self.groups.ready.add_many(n, sample.milli, request);
            }
        }
    }
}

impl Calculator<'_> {
    /// What `metric` asks for, of a target that has `current` replicas.
    ///
    /// # Errors
    /// The metric can't be read, no sample counts, or a container has no request to compare with.
    pub fn propose(
        &self,
        hpa: &Hpa,
        current: u32,
        metric: &MetricSpec,
    ) -> Result<Proposal, NoMetrics> {
        let proposal = match &metric.source {
            MetricSource::Object(..) | MetricSource::External(_) => {
                self.beyond_pods(hpa, current, metric)
            }
            _ => self.group(metric).and_then(|g| self.judge(hpa, current, metric.target, g)),
        };
        proposal.map_err(|error| NoMetrics(told(metric, &error)))
    }

    /// `GetObjectMetricReplicas`, `GetExternalMetricReplicas` and their `...PerPod...` siblings.
    fn beyond_pods(
        &self,
        hpa: &Hpa,
        current: u32,
        metric: &MetricSpec,
    ) -> Result<Proposal, String> {
        let source = &metric.source;
        self.looks_again(source);
        let values = self.metrics.values(self.namespace, source);
        let values =
            values.map_err(|refusal| unavailable(source, self.namespace, Some(&refusal)))?;
        if values.is_empty() {
            return Err(unavailable(source, self.namespace, None));
        }
        let usage = values.into_iter().fold(0, i64::saturating_add) as f64;
        let replicas = match metric.target {
            MetricTarget::AverageValue(target) => {
                let ratio = usage / (target as f64 * f64::from(self.counted));
                match self.within_tolerance(hpa, ratio) {
                    true => self.counted,
                    false => ceil(usage / target as f64),
                }
            }
            MetricTarget::Value(target) => {
                self.by_ready_pods(hpa, current, usage / target as f64)?
            }
            MetricTarget::Utilization(_) => current,
        };
        Ok(Proposal { replicas })
    }

    /// `getUsageRatioReplicaCount`: without a replica the ratio itself is their number.
    fn by_ready_pods(&self, hpa: &Hpa, current: u32, ratio: f64) -> Result<u32, String> {
        if current == 0 {
            return Ok(ceil(ratio));
        }
        if self.within_tolerance(hpa, ratio) {
            return Ok(current);
        }
        let (mut any, mut ready) = (false, 0u32);
        for (_, pod) in self.store.pods_matching(self.namespace, self.selector) {
            any = true;
            ready += u32::from(pod.phase == PodPhase::Running && pod.ready);
        }
        if !any {
            let error = "no pods returned by selector while calculating replica count";
            return Err(format!("unable to calculate ready pods: {error}"));
        }
        Ok(ceil(ratio * f64::from(ready)))
    }

    /// A metric that moves by itself is to be read again.
    fn looks_again(&self, source: &MetricSource) {
        let until = self.metrics.stays_until(self.namespace, source);
        self.turns.set(self.turns.get().min(until));
    }

    /// `GetResourceReplicas` and `calcPlainMetricReplicas`, which differ in the ratio and in what
    /// they take a pod without sample for.
    fn judge(
        &self,
        hpa: &Hpa,
        current: u32,
        target: MetricTarget,
        groups: Groups,
    ) -> Result<Proposal, String> {
        let first = ratio(groups.ready, target)?;
        let with_unready = groups.unready.pods > 0 && first > 1.0;
        if !with_unready && groups.missing.pods == 0 {
            if self.within_tolerance(hpa, first) {
                return Ok(Proposal { replicas: current });
            }
            return Ok(Proposal { replicas: ceil(first * f64::from(groups.ready.pods)) });
        }
        // Pods without samples count against the move: as full when it goes down, as idle when up.
        let mut counted = groups.ready;
        if first < 1.0 {
            counted = counted.with(groups.missing, full(groups.missing, target));
        } else if first > 1.0 {
            counted = counted.with(groups.missing, 0);
        }
        if with_unready {
            counted = counted.with(groups.unready, 0);
        }
        let second = ratio(counted, target)?;
        let turned = (first < 1.0 && second > 1.0) || (first > 1.0 && second < 1.0);
        if self.within_tolerance(hpa, second) || turned {
            return Ok(Proposal { replicas: current });
        }
        let replicas = ceil(second * f64::from(counted.pods));
        let against = (second < 1.0 && replicas > current) || (second > 1.0 && replicas < current);
        Ok(Proposal { replicas: if against { current } else { replicas } })
    }

    /// Sorts the target's pods: most of them together where that is possible, else one by one.
    fn group(&self, metric: &MetricSpec) -> Result<Groups, String> {
        if let MetricSource::Pods(_) = &metric.source {
            self.looks_again(&metric.source);
            if let Some(refusal) = self.metrics.refusal(self.namespace, &metric.source) {
                return Err(unavailable(&metric.source, self.namespace, Some(&refusal)));
            }
        }
        let Some(groups) = self.group_together(metric) else {
            return self.group_one_by_one(metric);
        };
        debug_assert_eq!(Ok(groups), self.group_one_by_one(metric), "together is as one by one");
        Ok(groups)
    }

    /// The pods that count in full and read alike are multiplied, the others looked at. `None`:
    /// there is something to say about a pod, or the metrics API does not know.
    fn group_together(&self, metric: &MetricSpec) -> Option<Groups> {
        let source = &metric.source;
        let alike = self.metrics.alike(self.target, source)?;
        let mut tally = Tally::default();
        for (_, pods) in &self.census.plain {
            let request = self.known_request(*pods.first()?, metric)?;
            let mut many = pods.len() as u32;
            for id in alike.except.iter().filter(|id| pods.contains(id)) {
                let sample = self.metrics.sample(*id, source);
                many -= 1;
                tally.count_in_full(1, sample, request);
            }
            tally.count_in_full(many, alike.sample, request);
        }
        for (_, pods) in &self.census.waiting {
            let request = self.known_request(*pods.first()?, metric)?;
            tally.groups.unready.add_many(pods.len() as u32, 0, request);
        }
        for id in &self.census.odd {
            let request = self.known_request(*id, metric)?;
            let sample = self.metrics.sample(*id, source);
            tally.any_sample |= sample.is_some();
            self.sort(self.store.pod(*id)?, source, sample, request, &mut tally.groups);
        }
        let complete = tally.any_sample && tally.groups.ready.pods > 0;
        (complete && !self.census.is_empty()).then_some(tally.groups)
    }

    /// A pod's request; `None` when one is missing that the metric needs.
    fn known_request(&self, id: PodId, metric: &MetricSpec) -> Option<i64> {
        let needed = matches!(metric.target, MetricTarget::Utilization(_));
        match requested(self.store.pod(id)?, &metric.source) {
            Err(_) if needed => None,
            request => Some(request.unwrap_or(0)),
        }
    }

    /// The reference: every pod gets a look.
    fn group_one_by_one(&self, metric: &MetricSpec) -> Result<Groups, String> {
        let source = &metric.source;
        let needs_request = matches!(metric.target, MetricTarget::Utilization(_));
        let mut groups = Groups::default();
        let (mut any_pod, mut any_sample, mut no_request) = (false, false, None);
        // Pods of one template share their specification: what it requests is summed up once.
        let mut last: Option<(*const PodSpec, i64)> = None;
        for (id, pod) in self.store.pods_matching(self.namespace, self.selector) {
            any_pod = true;
            let sample = self.metrics.sample(id, source);
            any_sample |= sample.is_some() || self.is_measured(id, source);
            let spec = Arc::as_ptr(&pod.spec);
            let request = match last {
                Some((same, request)) if same == spec => request,
                _ => match requested(pod, source) {
                    Err(reason) if needs_request => {
                        no_request.get_or_insert(reason);
                        0
                    }
                    request => request.unwrap_or(0),
                },
            };
            last = Some((spec, request));
            self.sort(pod, source, sample, request, &mut groups);
        }
        if !any_sample {
            return Err(unavailable(source, self.namespace, None));
        }
        if !any_pod {
            return Err("no pods returned by selector while calculating replica count".into());
        }
        if groups.ready.pods == 0 {
            return Err("did not receive metrics for targeted pods (pods might be unready)".into());
        }
        no_request.map_or(Ok(groups), Err)
    }

    /// Whether the API lists a pod although it has no such container.
    fn is_measured(&self, pod: PodId, source: &MetricSource) -> bool {
        let MetricSource::ContainerResource(resource, _) = source else { return false };
        self.metrics.sample(pod, &MetricSource::Resource(*resource)).is_some()
    }

    /// Puts one pod where its sample belongs.
    fn sort(
        &self,
        pod: &Pod,
        source: &MetricSource,
        sample: Option<Sample>,
        request: i64,
        groups: &mut Groups,
    ) {
        if pod.deletion.is_some() || pod.phase == PodPhase::Failed {
            return;
        }
        if pod.phase == PodPhase::Pending {
            groups.unready.add(0, request);
            return;
        }
        match sample {
            None => groups.missing.add(0, request),
            Some(sample)
                if source.resource() == Some(Measured::Cpu) && self.is_unready(pod, &sample) =>
            {
                groups.unready.add(0, request);
            }
            Some(sample) => groups.ready.add(sample.milli, request),
        }
    }

    /// Whether a pod's CPU sample does not count: it is not ready, or the sample's window reaches
    /// back to when it was not. Times are cut to seconds, as the API keeps them.
    fn is_unready(&self, pod: &Pod, sample: &Sample) -> bool {
        if pod.started == SimTime::NEVER {
            return true;
        }
        let (started, changed) = (whole(pod.started), whole(pod.ready_changed));
        let initialized = started + self.flags.horizontal_pod_autoscaler_cpu_initialization_period;
        let delay = self.flags.horizontal_pod_autoscaler_initial_readiness_delay;
        let never_was_ready = !pod.ready && started + delay > changed;
        if initialized <= self.now {
            return never_was_ready;
        }
        if !pod.ready {
            if !never_was_ready {
                self.turns.set(self.turns.get().min(initialized));
            }
            return true;
        }
        let young = sample.timestamp < changed + sample.window;
        if young {
            // Some later sample will count; which one only the metrics API knows.
            self.turns.set(SimTime::ZERO);
        }
        young
    }

    fn within_tolerance(&self, hpa: &Hpa, ratio: f64) -> bool {
        let flag = self.flags.horizontal_pod_autoscaler_tolerance;
        let of = |milli: Option<u32>| milli.map_or(flag, |milli| f64::from(milli) / 1000.0);
        let down = of(hpa.scale_down.tolerance_milli);
        let up = of(hpa.scale_up.tolerance_milli);
        (1.0 - down..=1.0 + up).contains(&ratio)
    }
}

fn whole(instant: SimTime) -> SimTime {
    SimTime::from_secs(instant.whole_secs())
}

/// What pods without a sample are taken to use when the others use too little: all of their
/// request (or the target where that is more), or the target itself.
fn full(missing: Sum, target: MetricTarget) -> i128 {
    match target {
        // Upstream rounds down per pod; requests are equal in a workload, so round that way too.
        MetricTarget::Utilization(percent) => {
            let pods = i128::from(missing.pods.max(1));
            missing.request / pods * i128::from(percent.max(100)) / 100 * pods
        }
        MetricTarget::AverageValue(value) | MetricTarget::Value(value) => {
            i128::from(value) * i128::from(missing.pods)
        }
    }
}

/// Usage over target of all samples together.
fn ratio(samples: Sum, target: MetricTarget) -> Result<f64, String> {
    match target {
        MetricTarget::Utilization(percent) => {
            if samples.request == 0 {
                return Err("no metrics returned matched known pods".into());
            }
            let utilization = samples.value * 100 / samples.request;
            Ok(utilization as f64 / f64::from(percent))
        }
        MetricTarget::AverageValue(value) | MetricTarget::Value(value) => {
            let mean = samples.value / i128::from(samples.pods.max(1));
            Ok(mean as f64 / value as f64)
        }
    }
}

fn ceil(replicas: f64) -> u32 {
    replicas.ceil().min(f64::from(i32::MAX)) as u32
}
