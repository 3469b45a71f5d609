//! Evaluates the measures of [`metric`] over what a run recorded.
//!
//! A sum, rate, ratio or latency of a window counts the sample intervals that lie wholly in it;
//! a level (pods, nodes) counts the samples taken in it. Nothing to measure is `None`, never 0.

use super::delivery;
use super::metric;
use super::objective::{self, Target, start_of};
use super::recorder::Recorder;
use super::rows::{ClusterSample, Quantiles, WorkloadSample};
use super::summary::ExpectationResult;
use super::totals::{ApiTotals, CrossZone};
use crate::units::{SimDuration, SimTime};

/// An assertion over a run: a measure, what it is narrowed to, and its bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Expected<'a> {
    /// A name of [`metric::METRICS`].
    pub metric: &'a str,
    /// Only of this Deployment, `namespace/name`.
    pub of: Option<&'a str>,
    /// Only from this instant on.
    pub from: Option<SimTime>,
    /// Only until this instant.
    pub until: Option<SimTime>,
    /// Smallest value that is fine, in the measure's unit (seconds for durations).
    pub at_least: Option<f64>,
    /// Largest value that is fine.
    pub at_most: Option<f64>,
    /// The assertion as written.
    pub text: &'a str,
}

/// What a run recorded, with what is needed to measure it.
#[derive(Clone, Copy)]
pub struct Measured<'a, 'sink> {
    /// The record.
    pub recorder: &'a Recorder<'sink>,
    /// Names of the Deployments, `namespace/name`, in the order of their index.
    pub workloads: &'a [String],
    /// The objective.
    pub target: Target,
}

/// Measures what `expected` names and compares; nothing to measure is a miss.
pub fn check(run: &Measured<'_, '_>, expected: &Expected<'_>) -> ExpectationResult {
    let measured = measure(run, expected).filter(|m| m.is_finite());
    let held = measured.is_some_and(|m| {
        expected.at_least.is_none_or(|least| m >= least)
            && expected.at_most.is_none_or(|most| m <= most)
    });
    ExpectationResult {
        text: expected.text.to_owned(),
        metric: expected.metric.to_owned(),
        measured,
        held,
    }
}

/// The value of the measure that `expected` names, in its unit; `None`: unknown, narrowed in a way
/// it does not have, or nothing to measure.
pub fn measure(run: &Measured<'_, '_>, expected: &Expected<'_>) -> Option<f64> {
    let known = metric::find(expected.metric)?;
    let window = Window::of(expected);
    if (expected.of.is_some() && !known.scope.of) || (window.is_some() && !known.scope.window) {
        return None;
    }
    match expected.of {
        Some(name) => {
            let index = run.workloads.iter().position(|w| w == name)?;
            of_workload(run.recorder, index, expected.metric, window)
        }
        None => of_cluster(run, expected.metric, window),
    }
}

/// A part of the run; its ends belong to it.
#[derive(Clone, Copy, Debug)]
struct Window {
    from: SimTime,
    until: SimTime,
}

impl Window {
    fn of(expected: &Expected<'_>) -> Option<Window> {
        if expected.from.is_none() && expected.until.is_none() {
            return None;
        }
        Some(Window {
            from: expected.from.unwrap_or(SimTime::ZERO),
            until: expected.until.unwrap_or(SimTime::NEVER),
        })
    }

    fn holds(self, t: SimTime) -> bool {
        self.from <= t && t <= self.until
    }
}

/// What the two kinds of rows have in common.
struct Row {
    from: SimTime,
    time: SimTime,
    offered: f64,
    served: f64,
    failed: f64,
    latency: Option<Quantiles>,
    ready: u32,
    desired: u32,
}

impl Row {
    fn of_cluster(r: &ClusterSample) -> Row {
        Row {
            from: start_of(r),
            time: r.time,
            offered: r.offered,
            served: r.served,
            failed: r.failed,
            latency: r.latency,
            ready: r.pods_ready,
            desired: r.pods_desired,
        }
    }

    fn of_workload(r: &WorkloadSample) -> Row {
        Row {
            from: SimTime(r.time.0.saturating_sub(r.interval.0)),
            time: r.time,
            offered: r.offered,
            served: r.served,
            failed: r.failed,
            latency: r.latency,
            ready: r.ready,
            desired: r.desired,
        }
    }

    fn rate(&self, requests: f64) -> Option<f64> {
        let seconds = self.time.since(self.from).as_secs_f64();
        (seconds > 0.0).then(|| requests / seconds)
    }

    fn within(&self, window: Option<Window>) -> bool {
        window.is_none_or(|w| w.from <= self.from && self.time <= w.until)
    }

    fn taken_in(&self, window: Option<Window>) -> bool {
        window.is_none_or(|w| w.holds(self.time))
    }
}

/// The measures that the cluster and a Deployment share.
fn of_rows(rows: impl Iterator<Item = Row>, metric: &str, window: Option<Window>) -> Option<f64> {
    let level = matches!(metric, "pods_ready_peak" | "pods_ready_min" | "pods_desired_peak");
    let rows = rows.filter(|r| if level { r.taken_in(window) } else { r.within(window) });
    let latency = |p: fn(&Quantiles) -> f64| move |r: Row| r.latency.as_ref().map(p);
    match metric {
        "failed_ratio" => {
            let sums = rows.fold((0.0, 0.0), |(o, f), r| (o + r.offered, f + r.failed));
            (sums.0 > 0.0).then(|| sums.1 / sums.0)
        }
        "requests_offered" => sum(rows.map(|r| r.offered)),
        "requests_served" => sum(rows.map(|r| r.served)),
        "requests_failed" => sum(rows.map(|r| r.failed)),
        "offered_rps_peak" => max(rows.filter_map(|r| r.rate(r.offered))),
        "served_rps_peak" => max(rows.filter_map(|r| r.rate(r.served))),
        "latency_p50" => max(rows.filter_map(latency(|l| l.p50))),
        "latency_p95" => max(rows.filter_map(latency(|l| l.p95))),
        "latency_p99" => max(rows.filter_map(latency(|l| l.p99))),
        "latency_p999" => max(rows.filter_map(latency(|l| l.p999))),
        "pods_ready_peak" => max(rows.map(|r| f64::from(r.ready))),
        "pods_ready_min" => min(rows.map(|r| f64::from(r.ready))),
        "pods_desired_peak" => max(rows.map(|r| f64::from(r.desired))),
        _ => None,
    }
}

fn of_workload(
    recorder: &Recorder<'_>,
    index: usize,
    metric: &str,
    window: Option<Window>,
) -> Option<f64> {
    let whole_run_latency = || recorder.totals.workload_latency.get(index);
    match (metric, window) {
        ("restarts", _) => recorder.totals.restarts.get(index).map(|n| *n as f64),
        ("latency_p50", None) => whole_run_latency()?.quantile(0.50),
        ("latency_p95", None) => whole_run_latency()?.quantile(0.95),
        ("latency_p99", None) => whole_run_latency()?.quantile(0.99),
        ("latency_p999", None) => whole_run_latency()?.quantile(0.999),
        _ => {
            let rows = recorder.workloads.iter().filter(|r| r.workload == index);
            of_rows(rows.map(Row::of_workload), metric, window)
        }
    }
}

fn of_cluster(run: &Measured<'_, '_>, metric: &str, window: Option<Window>) -> Option<f64> {
    let rows = &run.recorder.cluster;
    let totals = &run.recorder.totals;
    let taken = || rows.iter().filter(|r| window.is_none_or(|w| w.holds(r.time)));
    let whole = || rows.iter().filter(|r| Row::of_cluster(r).within(window));
    match (metric, window) {
        ("latency_p50", None) => totals.entry_latency.quantile(0.50),
        ("latency_p95", None) => totals.entry_latency.quantile(0.95),
        ("latency_p99", None) => totals.entry_latency.quantile(0.99),
        ("latency_p999", None) => totals.entry_latency.quantile(0.999),
        ("cross_zone_ratio", _) => {
            let start = |row: &CrossZone| SimTime(row.time.0.saturating_sub(row.interval.0));
            let is_in = |w: Window, row: &CrossZone| w.from <= start(row) && row.time <= w.until;
            let all = totals.cross_zone.iter();
            CrossZone::ratio(all.filter(|row| window.is_none_or(|w| is_in(w, row))))
        }
        ("objective_missed", _) => {
            whole().next()?;
            let missed = whole().filter(|r| objective::missed(r, run.target));
            Some(missed.map(|r| r.interval).sum::<SimDuration>().as_secs_f64())
        }
        ("first_miss", _) => objective::evaluate(rows, run.target).first_missed_s,
        ("time_to_recover", _) => objective::evaluate(rows, run.target).time_to_recover_s,
        ("pending_pod_seconds", _) => Some(totals.pending_pod_s),
        ("schedule_p99", _) => totals.schedule_wait.quantile(0.99),
        ("startup_p99", _) => totals.startup.quantile(0.99),
        ("pods_unbound_at_end", _) => Some(f64::from(totals.unbound_at_end)),
        ("pods_evicted", _) => Some(totals.pods_evicted as f64),
        ("pods_created", _) => Some(totals.pods_created as f64),
        ("restarts", _) => Some(totals.restarts.iter().sum::<u64>() as f64),
        ("image_pulls_failed", _) => Some(totals.image_pulls_failed as f64),
        ("api_latency_p99", _) => totals.api.as_ref()?.latency.quantile(0.99),
        ("api_requests_refused", _) => {
            let refused = |api: &ApiTotals| api.refused as f64 + api.flow_refused;
            Some(totals.api.as_deref().map_or(0.0, refused))
        }
        ("api_requests_timed_out", _) => {
            Some(totals.api.as_ref().map_or(0.0, |api| api.timed_out as f64))
        }
        ("lease_renewals_failed", _) => {
            Some(totals.api.as_ref().map_or(0.0, |api| api.renewals_failed as f64))
        }
        ("leaderless_time", _) => Some(totals.leaderless_s),
        ("etcd_objects_peak", _) => Some(totals.objects_peak as f64),
        (name, None) if metric::is_of_people(name) => delivery::measure(run.recorder, name),
        ("node_hours", _) => Some(totals.node_hours),
        ("node_limit_time", _) => Some(totals.at_limit_s),
        ("cost", _) => Some(totals.cost),
        ("energy_kwh", _) => Some(totals.energy_wh / 1000.0),
        ("carbon_kg", _) => totals.carbon_g.map(|grams| grams / 1000.0),
        ("spot_interruptions", _) => Some(totals.spot_interruptions as f64),
        ("pods_unschedulable_peak", _) => max(taken().map(|r| f64::from(r.pods_unschedulable))),
        ("nodes_peak", _) => max(taken().map(|r| f64::from(r.nodes))),
        ("nodes_min", _) => min(taken().map(|r| f64::from(r.nodes))),
        ("nodes_ready_min", _) => min(taken().map(|r| f64::from(r.nodes_ready))),
        ("cpu_utilization", _) => mean_cpu_share(whole(), |r| r.cpu_used.cores()),
        _ => of_rows(rows.iter().map(Row::of_cluster), metric, window),
    }
}

/// Mean over time of `cores` / allocatable cores; intervals without Ready nodes don't count.
pub(super) fn mean_cpu_share<'r>(
    rows: impl Iterator<Item = &'r ClusterSample>,
    cores: impl Fn(&ClusterSample) -> f64,
) -> Option<f64> {
    let (mut weighted, mut seconds) = (0.0, 0.0);
    for row in rows.filter(|r| r.cpu_allocatable.0 > 0) {
        let weight = row.interval.as_secs_f64();
        weighted += weight * cores(row) / row.cpu_allocatable.cores();
        seconds += weight;
    }
    (seconds > 0.0).then(|| weighted / seconds)
}

fn sum(values: impl Iterator<Item = f64>) -> Option<f64> {
    values.fold(None, |so_far, v| Some(so_far.unwrap_or(0.0) + v))
}

fn max(values: impl Iterator<Item = f64>) -> Option<f64> {
    values.max_by(f64::total_cmp)
}

fn min(values: impl Iterator<Item = f64>) -> Option<f64> {
    values.min_by(f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::metric::METRICS;
    use crate::record::recorder::Discard;
    use crate::record::rows::DeliveryRow;
    use crate::record::totals::TeamTotals;
    use crate::units::MilliCpu;

    const TARGET: Target = Target { error_budget: 0.01, latency_s: 0.5 };

    /// Four minutes of two Deployments; the third minute is bad.
    fn record<'a>(sink: &'a mut Discard) -> Recorder<'a> {
        let mut r = Recorder::new(sink);
        let minute = SimDuration::from_secs(60);
        let quantiles =
            |p95: f64| Some(Quantiles { p50: p95 / 2.0, p95, p99: p95 * 2.0, p999: p95 * 2.0 });
        for (i, failed, p95) in [(1, 0.0, 0.1), (2, 0.0, 0.2), (3, 60.0, 0.8), (4, 0.0, 0.1)] {
            let level = i as u32;
            r.cluster_sample(ClusterSample {
                time: SimTime::from_secs(60 * i),
                interval: minute,
                offered: 600.0 * i as f64,
                served: 600.0 * i as f64 - failed,
                failed,
                latency: quantiles(p95),
                nodes: 10 + level,
                nodes_ready: 10,
                pods_ready: 20 + level,
                pods_desired: 30 + level,
                pods_unschedulable: 5 - level,
                cpu_used: MilliCpu(1000 * i as i64),
                cpu_allocatable: MilliCpu(10_000),
                ..Default::default()
            });
            for workload in 0..2 {
                r.workload_sample(WorkloadSample {
                    time: SimTime::from_secs(60 * i),
                    interval: minute,
                    workload,
                    offered: 60.0,
                    served: 60.0 - failed * workload as f64,
                    failed: failed * workload as f64,
                    latency: quantiles(p95),
                    ready: level + workload as u32,
                    desired: 7,
                    ..Default::default()
                });
            }
        }
        let t = &mut r.totals;
        (t.pods_created, t.pods_evicted, t.unbound_at_end) = (50, 3, 2);
        t.image_pulls_failed = 9;
        t.cross_zone = [(60, 10.0, 8.0), (120, 30.0, 2.0)]
            .map(|(second, requests, crossing)| CrossZone {
                time: SimTime::from_secs(second),
                interval: minute,
                requests,
                crossing,
            })
            .to_vec();
        let api = t.api.get_or_insert_default();
        (api.refused, api.flow_refused, api.timed_out, api.renewals_failed) = (4, 8.0, 6, 7);
        api.latency.add(0.5, 1.0);
        t.teams = vec![TeamTotals { name: "ops".into(), people: 2, work_s: 90.0, open_s: 180.0 }];
        (t.leaderless_s, t.objects_peak) = (11.0, 77);
        (t.pending_pod_s, t.node_hours, t.at_limit_s) = (90.0, 1.5, 45.0);
        (t.energy_wh, t.cost, t.restarts) = (2500.0, 12.5, vec![1, 4]);
        (t.carbon_g, t.spot_interruptions) = (Some(1500.0), 4);
        t.entry_latency.add(0.1, 1.0);
        t.schedule_wait.add(2.0, 1.0);
        t.startup.add(8.0, 1.0);
        for (release, ready) in [(0, 60), (0, 120), (0, 240), (1, 30), (2, 90)] {
            let at = |seconds: u64| Some(SimTime::from_secs(seconds));
            let (fleet, member) = ("app".into(), "app-1".into());
            let (team, begun) = (Some("ops".into()), at(ready / 2));
            let (queued, asked) = (at(10), SimTime::ZERO);
            let (applied, ready) = (at(ready), at(ready));
            let row =
                DeliveryRow { fleet, member, release, asked, team, queued, begun, applied, ready };
            r.delivery(row);
        }
        let t = &mut r.totals;
        t.workload_latency = vec![Default::default(), t.entry_latency.clone()];
        r
    }

    fn expected(metric: &str) -> Expected<'_> {
        Expected { metric, ..Default::default() }
    }

    fn value(expected: Expected<'_>) -> Option<f64> {
        let mut sink = Discard;
        let recorder = record(&mut sink);
        let workloads = ["shop/web".to_owned(), "shop/cart".to_owned()];
        measure(&Measured { recorder: &recorder, workloads: &workloads, target: TARGET }, &expected)
    }

    #[test]
    fn each_measure_over_the_whole_run() {
        let rows = [
            ("failed_ratio", 0.01),
            ("requests_offered", 6000.0),
            ("requests_served", 5940.0),
            ("requests_failed", 60.0),
            ("offered_rps_peak", 40.0),
            ("served_rps_peak", 40.0),
            ("latency_p50", 0.1),
            ("latency_p95", 0.1),
            ("latency_p99", 0.1),
            ("latency_p999", 0.1),
            ("cross_zone_ratio", 0.25),
            ("objective_missed", 60.0),
            ("first_miss", 120.0),
            ("time_to_recover", 60.0),
            ("pending_pod_seconds", 90.0),
            ("pods_unschedulable_peak", 4.0),
            ("schedule_p99", 2.0),
            ("startup_p99", 8.0),
            ("pods_ready_peak", 24.0),
            ("pods_ready_min", 21.0),
            ("pods_desired_peak", 34.0),
            ("pods_unbound_at_end", 2.0),
            ("pods_evicted", 3.0),
            ("pods_created", 50.0),
            ("restarts", 5.0),
            ("image_pulls_failed", 9.0),
            ("api_latency_p99", 0.5),
            ("api_requests_refused", 12.0),
            ("api_requests_timed_out", 6.0),
            ("lease_renewals_failed", 7.0),
            ("leaderless_time", 11.0),
            ("etcd_objects_peak", 77.0),
            ("members_ready", 3.0),
            ("releases_ready", 2.0),
            ("lead_time_p50", 120.0),
            ("lead_time_p95", 240.0),
            ("release_lead_time_p50", 30.0),
            ("release_lead_time_p95", 90.0),
            ("team_wait_p50", 35.0),
            ("team_wait_p95", 110.0),
            ("team_utilization", 0.25),
            ("nodes_peak", 14.0),
            ("nodes_min", 11.0),
            ("nodes_ready_min", 10.0),
            ("node_hours", 1.5),
            ("node_limit_time", 45.0),
            ("cost", 12.5),
            ("energy_kwh", 2.5),
            ("carbon_kg", 1.5),
            ("spot_interruptions", 4.0),
            ("cpu_utilization", 0.25),
        ];
        let named: Vec<_> = rows.iter().map(|(name, _)| *name).collect();
        let all: Vec<_> = METRICS.iter().map(|m| m.name).collect();
        assert_eq!(named, all, "every measure of the table is measured here");
        for (metric, truth) in rows {
            let ours = value(expected(metric)).unwrap();
            // Quantiles come from a histogram whose bins are 4.5 % wide.
            assert!((ours / truth - 1.0).abs() < 0.045, "{metric}: {ours}, expected {truth}");
        }
    }

    #[test]
    fn narrowed_to_a_window_or_a_deployment() {
        let minute = |m: u64| Some(SimTime::from_secs(60 * m));
        let until_2 = |metric| Expected { until: minute(2), ..expected(metric) };
        let from_2 = |metric| Expected { from: minute(2), ..expected(metric) };
        let cart = |metric| Expected { of: Some("shop/cart"), ..expected(metric) };
        let web = |metric| Expected { of: Some("shop/web"), ..expected(metric) };
        let cut = Some(SimTime::from_secs(90));
        let rows = [
            ("before the bad minute none fail", until_2("failed_ratio"), Some(0.0)),
            ("sums count whole intervals only", from_2("requests_offered"), Some(4200.0)),
            (
                "an interval cut by the window does not count",
                Expected { from: cut, ..expected("requests_offered") },
                Some(4200.0),
            ),
            ("a window's latency is its worst interval's", from_2("latency_p95"), Some(0.8)),
            ("levels count the samples taken in it", from_2("nodes_min"), Some(12.0)),
            ("CPU over a window", until_2("cpu_utilization"), Some(0.15)),
            ("the objective over a window", until_2("objective_missed"), Some(0.0)),
            ("failures are those of the Deployment", cart("requests_failed"), Some(60.0)),
            ("and not of another", web("requests_failed"), Some(0.0)),
            ("pods of one Deployment", cart("pods_ready_min"), Some(2.0)),
            ("restarts of one Deployment", cart("restarts"), Some(4.0)),
            (
                "zones crossed within it",
                Expected { until: minute(1), ..expected("cross_zone_ratio") },
                Some(0.8),
            ),
            ("nobody knows later ones", from_2("cross_zone_ratio"), None),
            ("both at once", Expected { until: minute(2), ..cart("requests_served") }, Some(120.0)),
            ("no latency was recorded", web("latency_p99"), None),
            ("no such Deployment", Expected { of: Some("x/y"), ..expected("cost") }, None),
            ("no such measure", expected("happiness"), None),
            ("cost has no window", from_2("cost"), None),
            ("nodes belong to no Deployment", cart("nodes_peak"), None),
            (
                "a window after the end holds nothing",
                Expected { from: minute(9), ..expected("failed_ratio") },
                None,
            ),
            (
                "nor was the objective kept there",
                Expected { from: minute(9), ..expected("objective_missed") },
                None,
            ),
        ];
        for (sentence, expected, truth) in rows {
            assert_eq!(value(expected), truth, "{sentence}");
        }
    }

    #[test]
    fn bounds_decide_and_nothing_measured_is_a_miss() {
        let bounds = |metric, at_least, at_most| Expected {
            at_least,
            at_most,
            text: "as written",
            ..expected(metric)
        };
        let rows = [
            ("exactly at most holds", bounds("cost", None, Some(12.5)), true),
            ("more than at most is a miss", bounds("cost", None, Some(12.4)), false),
            ("exactly at least holds", bounds("cost", Some(12.5), None), true),
            ("less than at least is a miss", bounds("cost", Some(13.0), None), false),
            ("between both holds", bounds("cost", Some(12.0), Some(13.0)), true),
            ("nothing to measure is a miss", bounds("happiness", None, Some(1.0)), false),
        ];
        let mut sink = Discard;
        let recorder = record(&mut sink);
        let run = Measured { recorder: &recorder, workloads: &[], target: TARGET };
        for (sentence, expected, held) in rows {
            let result = check(&run, &expected);
            assert_eq!(result.held, held, "{sentence}");
            assert_eq!(result.text, "as written", "{sentence}");
            assert_eq!(result.measured.is_some(), expected.metric == "cost", "{sentence}");
        }
    }
}
