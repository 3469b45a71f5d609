//! From a run's record to its [`Summary`]: pure arithmetic, no files, no event loop.

use super::delivery;
use super::measure::{self, Expected, Measured, mean_cpu_share};
use super::objective::{self, Target};
use super::recorder::Recorder;
use super::rows::ClusterSample;
use super::summary::{ApiServer, CrossZoneSummary, Etcd, LevelOfPart, WorkloadSummary};
use super::summary::{Cost, NodeGroupSummary, Nodes, Objective, Pods, Point, Requests, Summary};
use super::totals::CrossZone;
use super::turning_points;
use crate::units::{SimDuration, SimTime};

/// What is known of a run beside its record.
#[derive(Clone, Copy, Debug)]
pub struct RunFacts<'a> {
    /// Name of the scenario, e.g. `pokemon-go/launch-50x`.
    pub scenario: &'a str,
    /// Its question.
    pub question: &'a str,
    /// What it teaches; may be empty.
    pub about: &'a str,
    /// Root seed.
    pub seed: u64,
    /// Simulated time.
    pub duration: SimDuration,
    /// Names of the Deployments, `namespace/name`, in the order of their index.
    pub workloads: &'a [String],
    /// The objective.
    pub target: Target,
    /// Code of the currency.
    pub currency: &'a str,
    /// At which levels requests were followed, where something asked for one.
    pub levels: &'a [LevelOfPart],
    /// What was accepted without effect: a line each.
    pub ignored: &'a [String],
}

/// Sums up `recorder`; `expected` are the scenario's assertions in their order.
pub fn summarize(
    recorder: &Recorder<'_>,
    facts: &RunFacts<'_>,
    expected: &[Expected<'_>],
) -> Summary {
    let run = Measured { recorder, workloads: facts.workloads, target: facts.target };
    let story = turning_points::story(&recorder.cluster, &recorder.totals.moments, facts.target);
    let requests = requests(recorder);
    Summary {
        scenario: facts.scenario.to_owned(),
        question: facts.question.to_owned(),
        about: facts.about.to_owned(),
        seed: facts.seed,
        duration_s: facts.duration.as_secs_f64(),
        cost: cost(recorder, facts.currency, requests.served),
        levels: facts.levels.to_vec(),
        requests,
        pods: pods(recorder),
        nodes: nodes(recorder),
        objective: kept(recorder, facts.target),
        story: story
            .into_iter()
            .map(|p| Point { time_s: p.time.as_secs_f64(), kind: p.kind, text: p.text })
            .collect(),
        workloads: workloads(recorder, facts.workloads),
        node_groups: node_groups(recorder),
        expectations: expected.iter().map(|e| measure::check(&run, e)).collect(),
        ignored: facts.ignored.to_vec(),
        warning_events: recorder.events[1],
        etcd: Etcd {
            objects_peak: recorder.totals.objects_peak,
            objects_at_end: recorder.totals.objects_at_end,
        },
        api_server: api_server(recorder),
        cross_zone: cross_zone(recorder),
        delivery: delivery::summary(recorder, SimTime::ZERO + facts.duration),
    }
}

fn api_server(recorder: &Recorder<'_>) -> Option<ApiServer> {
    let totals = &recorder.totals;
    let (api, leaderless_s) = (totals.api.as_deref(), totals.leaderless_s);
    let is_told = api.is_some() || leaderless_s > 0.0;
    is_told.then(|| {
        let none = ApiServer { leaderless_s, ..ApiServer::default() };
        api.map_or(none.clone(), |api| ApiServer {
            latency_p50_s: api.latency.quantile(0.50),
            latency_p99_s: api.latency.quantile(0.99),
            requests_refused: api.refused as f64 + api.flow_refused,
            requests_timed_out: api.timed_out,
            lease_renewals_failed: api.renewals_failed,
            ..none
        })
    })
}

fn cross_zone(recorder: &Recorder<'_>) -> Option<CrossZoneSummary> {
    let rows = &recorder.totals.cross_zone;
    (!rows.is_empty()).then(|| CrossZoneSummary {
        requests: rows.iter().fold(0.0, |sum, row| sum + row.requests),
        crossing: rows.iter().fold(0.0, |sum, row| sum + row.crossing),
        ratio: CrossZone::ratio(rows.iter()),
    })
}

/// Largest of `of` over all rows; 0 when there are none.
fn peak(rows: &[ClusterSample], of: impl Fn(&ClusterSample) -> f64) -> f64 {
    rows.iter().map(of).filter(|x| x.is_finite()).fold(0.0, f64::max)
}

fn per_second(requests: f64, interval: SimDuration) -> f64 {
    let seconds = interval.as_secs_f64();
    if seconds > 0.0 { requests / seconds } else { 0.0 }
}

fn requests(recorder: &Recorder<'_>) -> Requests {
    let rows = &recorder.cluster;
    let offered = rows.iter().fold(0.0, |sum, r| sum + r.offered);
    let served = rows.iter().fold(0.0, |sum, r| sum + r.served);
    let failed = rows.iter().fold(0.0, |sum, r| sum + r.failed);
    let latency = recorder.totals.entry_latency.quantiles();
    Requests {
        offered,
        served,
        failed,
        failed_ratio: if offered > 0.0 { failed / offered } else { 0.0 },
        peak_offered_rps: peak(rows, |r| per_second(r.offered, r.interval)),
        peak_served_rps: peak(rows, |r| per_second(r.served, r.interval)),
        latency_p50_s: latency.map(|l| l.p50),
        latency_p95_s: latency.map(|l| l.p95),
        latency_p99_s: latency.map(|l| l.p99),
        latency_p999_s: latency.map(|l| l.p999),
    }
}

/// How the objective was kept, and how fast requests were meanwhile.
fn kept(recorder: &Recorder<'_>, target: Target) -> Objective {
    let totals = &recorder.totals;
    let missed = totals.entry_latency_missed.quantiles();
    let held = totals.entry_latency.without(&totals.entry_latency_missed).quantiles();
    Objective {
        held_latency_p50_s: held.map(|l| l.p50),
        held_latency_p95_s: held.map(|l| l.p95),
        held_latency_p99_s: held.map(|l| l.p99),
        missed_latency_p50_s: missed.map(|l| l.p50),
        missed_latency_p95_s: missed.map(|l| l.p95),
        missed_latency_p99_s: missed.map(|l| l.p99),
        ..objective::evaluate(&recorder.cluster, target)
    }
}

fn pods(recorder: &Recorder<'_>) -> Pods {
    let (rows, totals) = (&recorder.cluster, &recorder.totals);
    Pods {
        created: totals.pods_created,
        peak: rows.iter().map(|r| r.pods).max().unwrap_or(0),
        peak_ready: rows.iter().map(|r| r.pods_ready).max().unwrap_or(0),
        pending_pod_s: totals.pending_pod_s,
        schedule_p50_s: totals.schedule_wait.quantile(0.50),
        schedule_p99_s: totals.schedule_wait.quantile(0.99),
        startup_p50_s: totals.startup.quantile(0.50),
        startup_p99_s: totals.startup.quantile(0.99),
        restarts: totals.restarts.iter().sum(),
        image_pulls_failed: totals.image_pulls_failed,
        evicted: totals.pods_evicted,
        unbound_at_end: totals.unbound_at_end,
    }
}

fn nodes(recorder: &Recorder<'_>) -> Nodes {
    let (rows, totals) = (&recorder.cluster, &recorder.totals);
    Nodes {
        at_start: totals.nodes_at_start,
        peak: rows.iter().map(|r| r.nodes).max().unwrap_or(0).max(totals.nodes_at_start),
        at_end: totals.nodes_at_end,
        node_hours: totals.node_hours,
        at_limit_s: totals.at_limit_s,
        energy_kwh: totals.energy_wh / 1000.0,
        carbon_kg: totals.carbon_g.map(|grams| grams / 1000.0),
        spot_interruptions: totals.spot_interruptions,
        cpu_utilization: mean_cpu_share(rows.iter(), |r| r.cpu_used.cores()).unwrap_or(0.0),
        cpu_requested_ratio: mean_cpu_share(rows.iter(), |r| r.cpu_requested.cores())
            .unwrap_or(0.0),
    }
}

fn cost(recorder: &Recorder<'_>, currency: &str, served: f64) -> Cost {
    let total = recorder.totals.cost;
    Cost {
        currency: currency.to_owned(),
        total,
        peak_per_hour: peak(&recorder.cluster, |r| r.cost_per_hour),
        per_million_served: (served > 0.0).then(|| total / (served / 1e6)),
        spending: recorder.totals.costs.spending(total),
    }
}

fn workloads(recorder: &Recorder<'_>, names: &[String]) -> Vec<WorkloadSummary> {
    let totals = &recorder.totals;
    let mut summaries: Vec<WorkloadSummary> = names
        .iter()
        .enumerate()
        .map(|(index, name)| {
            let latency = totals.workload_latency.get(index).and_then(|l| l.quantiles());
            WorkloadSummary {
                name: name.clone(),
                latency_p50_s: latency.map(|l| l.p50),
                latency_p95_s: latency.map(|l| l.p95),
                latency_p99_s: latency.map(|l| l.p99),
                restarts: totals.restarts.get(index).copied().unwrap_or(0),
                ..Default::default()
            }
        })
        .collect();
    for row in &recorder.workloads {
        if let Some(summary) = summaries.get_mut(row.workload) {
            summary.offered += row.offered;
            summary.served += row.served;
            summary.failed += row.failed;
            summary.peak_desired = summary.peak_desired.max(row.desired);
            summary.peak_ready = summary.peak_ready.max(row.ready);
            summary.peak_pending = summary.peak_pending.max(row.pending);
        }
    }
    summaries
}

fn node_groups(recorder: &Recorder<'_>) -> Vec<NodeGroupSummary> {
    let groups = recorder.node_groups.iter();
    groups
        .map(|((name, machine), totals)| NodeGroupSummary {
            name: name.to_string(),
            machine: machine.to_string(),
            nodes: totals.nodes,
            never_ready: totals.never_ready,
            cost: totals.cost,
            energy_kwh: totals.energy_wh / 1000.0,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::recorder::Discard;
    use crate::record::rows::{NodeRow, WorkloadSample};
    use crate::units::SimTime;

    const TARGET: Target = Target { error_budget: 0.01, latency_s: 0.5 };

    fn facts(workloads: &[String]) -> RunFacts<'_> {
        RunFacts {
            scenario: "test",
            question: "does it add up?",
            about: "",
            seed: 7,
            duration: SimDuration::from_secs(120),
            workloads,
            target: TARGET,
            currency: "EUR",
            levels: &[],
            ignored: &[],
        }
    }

    #[test]
    fn an_empty_record_is_all_zero_and_holds_its_objective() {
        let mut sink = Discard;
        let summary = summarize(&Recorder::new(&mut sink), &facts(&[]), &[]);
        assert_eq!(summary.requests, Requests::default());
        assert_eq!(summary.cost.per_million_served, None);
        assert!(summary.objective.held_at_end);
        assert!(summary.story.is_empty());
    }

    #[test]
    fn sums_peaks_and_names() {
        let mut sink = Discard;
        let mut recorder = Recorder::new(&mut sink);
        for (minute, offered) in [(1, 600.0), (2, 1200.0)] {
            let (time, interval) = (SimTime::from_secs(60 * minute), SimDuration::from_secs(60));
            recorder.cluster_sample(ClusterSample {
                time,
                interval,
                offered,
                served: offered - 6.0,
                failed: 6.0,
                capacity_rps: 1e9,
                nodes: 3,
                cost_per_hour: offered / 100.0,
                ..Default::default()
            });
            let sample =
                WorkloadSample { time, interval, workload: 1, offered, ..Default::default() };
            recorder.workload_sample(WorkloadSample { pending: minute as u32, ..sample });
        }
        recorder.node(&node("pool", None, 2.0));
        recorder.node(&node("pool", Some(SimTime::ZERO), 3.0));
        recorder.totals.cost = 1.782;
        recorder.totals.restarts = vec![0, 3];
        let names = ["a/x".to_owned(), "a/y".to_owned()];
        let expected = Expected { metric: "cost", text: "cost is told", ..Default::default() };
        let summary = summarize(&recorder, &facts(&names), &[expected]);
        assert_eq!(summary.requests.offered, 1800.0);
        assert_eq!(summary.requests.peak_offered_rps, 20.0);
        assert_eq!(summary.cost.peak_per_hour, 12.0);
        assert_eq!(summary.cost.per_million_served, Some(1.782 / 0.001_788));
        assert_eq!(summary.workloads[0].offered, 0.0);
        assert_eq!(summary.workloads[1].name, "a/y");
        assert_eq!(summary.workloads[1].offered, 1800.0);
        assert_eq!(summary.workloads[1].peak_pending, 2);
        assert_eq!(summary.workloads[1].restarts, 3);
        let group = &summary.node_groups[0];
        assert_eq!((group.nodes, group.never_ready, group.cost), (2, 1, 5.0));
        assert!(summary.expectations[0].held);
    }

    fn node(group: &str, ready: Option<SimTime>, cost: f64) -> NodeRow {
        NodeRow {
            uid: 1,
            name: "n".into(),
            group: group.into(),
            zone: "z".into(),
            machine: "m".into(),
            requested: SimTime::ZERO,
            registered: SimTime::ZERO,
            ready,
            gone: None,
            pods_peak: 1,
            cost,
            energy_wh: 1.0,
        }
    }
}
