//! What people delivered, summed up: lead times, waits, and how busy teams were.
//!
//! Whatever is not done by the end of a run counts as if it were done then: its time is a lower
//! bound, and leaving it out would flatter an overloaded team.

use super::recorder::Recorder;
use super::rows::DeliveryRow;
use super::summary::{DeliverySummary, FleetSummary, TeamSummary};
use super::totals::TeamTotals;
use crate::units::SimTime;

/// Sums up; `None`: nothing is delivered in this scenario.
pub(super) fn summary(recorder: &Recorder<'_>, end: SimTime) -> Option<DeliverySummary> {
    let rows = &recorder.deliveries;
    if rows.is_empty() && recorder.totals.teams.is_empty() {
        return None;
    }
    let mut names: Vec<&str> = rows.iter().map(|row| &*row.fleet).collect();
    names.sort_unstable();
    names.dedup();
    Some(DeliverySummary {
        fleets: names.into_iter().map(|name| fleet(name, rows, end)).collect(),
        teams: recorder.totals.teams.iter().map(|totals| team(totals, rows, end)).collect(),
    })
}

fn fleet(name: &str, rows: &[DeliveryRow], end: SimTime) -> FleetSummary {
    let of =
        |release: bool| rows.iter().filter(move |r| *r.fleet == *name && r.is_release() == release);
    let count = |release: bool, holds: fn(&DeliveryRow) -> bool| {
        of(release).filter(|row| holds(row)).count() as u64
    };
    let members = lead_times(of(false), end);
    let releases = lead_times(of(true), end);
    FleetSummary {
        name: name.to_owned(),
        members_asked: count(false, |_| true),
        members_applied: count(false, |row| row.applied.is_some()),
        members_ready: count(false, |row| row.ready.is_some()),
        lead_time_p50_s: quantile(&members, 0.50),
        lead_time_p95_s: quantile(&members, 0.95),
        releases_asked: count(true, |_| true),
        releases_applied: count(true, |row| row.applied.is_some()),
        releases_ready: count(true, |row| row.ready.is_some()),
        release_lead_time_p50_s: quantile(&releases, 0.50),
        release_lead_time_p95_s: quantile(&releases, 0.95),
    }
}

fn team(totals: &TeamTotals, rows: &[DeliveryRow], end: SimTime) -> TeamSummary {
    let of: Vec<&DeliveryRow> =
        rows.iter().filter(|row| row.team.as_ref() == Some(&totals.name)).collect();
    let waits = waits(of.iter().copied(), end);
    TeamSummary {
        name: totals.name.to_string(),
        people: totals.people,
        jobs: of.len() as u64,
        utilization: utilization(std::slice::from_ref(totals)).unwrap_or(0.0),
        wait_p50_s: quantile(&waits, 0.50),
        wait_p95_s: quantile(&waits, 0.95),
        queue_peak: queue_peak(of.iter().copied()),
    }
}

/// Seconds from asked to ready, in ascending order.
fn lead_times<'r>(rows: impl Iterator<Item = &'r DeliveryRow>, end: SimTime) -> Vec<f64> {
    sorted(rows.map(|row| row.ready.unwrap_or(end).since(row.asked).as_secs_f64()))
}

/// Seconds in a team's queue, in ascending order.
fn waits<'r>(rows: impl Iterator<Item = &'r DeliveryRow>, end: SimTime) -> Vec<f64> {
    let waited =
        |row: &DeliveryRow| Some(row.begun.unwrap_or(end).since(row.queued?).as_secs_f64());
    sorted(rows.filter_map(waited))
}

/// Working time that jobs took, of all that people had.
fn utilization(teams: &[TeamTotals]) -> Option<f64> {
    let had: f64 = teams.iter().map(|team| team.open_s * f64::from(team.people)).sum();
    let worked: f64 = teams.iter().map(|team| team.work_s).sum();
    (had > 0.0).then(|| worked / had)
}

/// Most jobs that waited for their team at once.
fn queue_peak<'r>(rows: impl Iterator<Item = &'r DeliveryRow>) -> u64 {
    let mut steps: Vec<(SimTime, i64)> = Vec::new();
    for row in rows {
        let Some(queued) = row.queued.filter(|queued| row.begun != Some(*queued)) else { continue };
        steps.push((queued, 1));
        steps.extend(row.begun.map(|begun| (begun, -1)));
    }
    steps.sort_unstable();
    let (mut waiting, mut most) = (0, 0);
    for (_, step) in steps {
        waiting += step;
        most = most.max(waiting);
    }
    most as u64
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// The smallest value that a share `p` of all is not above.
fn quantile(sorted: &[f64], p: f64) -> Option<f64> {
    let rank = (p * sorted.len() as f64).ceil().max(1.0) as usize;
    sorted.get(rank - 1).copied()
}

/// The measures of what people deliver, over all fleets and teams.
pub(super) fn measure(recorder: &Recorder<'_>, metric: &str) -> Option<f64> {
    let (rows, teams) = (&recorder.deliveries, &recorder.totals.teams);
    let end = recorder.cluster.last().map_or(SimTime::ZERO, |row| row.time);
    let of = |release: bool| rows.iter().filter(move |row| row.is_release() == release);
    let ready = |release: bool| of(release).filter(|row| row.ready.is_some()).count() as f64;
    match metric {
        "members_ready" => Some(ready(false)),
        "releases_ready" => Some(ready(true)),
        "lead_time_p50" => quantile(&lead_times(of(false), end), 0.50),
        "lead_time_p95" => quantile(&lead_times(of(false), end), 0.95),
        "release_lead_time_p50" => quantile(&lead_times(of(true), end), 0.50),
        "release_lead_time_p95" => quantile(&lead_times(of(true), end), 0.95),
        "team_wait_p50" => quantile(&waits(rows.iter(), end), 0.50),
        "team_wait_p95" => quantile(&waits(rows.iter(), end), 0.95),
        "team_utilization" => utilization(teams),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A job by the hours at which it was asked for, begun and ready; `u64::MAX`: not by the end.
    fn row(asked: u64, begun: u64, ready: u64) -> DeliveryRow {
        let at = |hour: u64| (hour != u64::MAX).then(|| SimTime::from_secs(hour * 3600));
        DeliveryRow {
            fleet: "app".into(),
            member: "app-1".into(),
            release: 0,
            asked: SimTime::from_secs(asked * 3600),
            team: Some("ops".into()),
            queued: at(asked),
            begun: at(begun),
            applied: at(ready),
            ready: at(ready),
        }
    }

    #[test]
    fn what_is_not_done_counts_as_if_it_were_done_at_the_end() {
        let never = u64::MAX;
        let rows =
            [row(0, 0, 2), row(1, 2, 4), row(2, 4, 7), row(3, 7, never), row(4, never, never)];
        let end = SimTime::from_secs(20 * 3600);
        let hours = |seconds: Vec<f64>| -> Vec<u64> {
            seconds.into_iter().map(|s| (s / 3600.0) as u64).collect()
        };
        assert_eq!(hours(lead_times(rows.iter(), end)), [2, 3, 5, 16, 17]);
        assert_eq!(hours(waits(rows.iter(), end)), [0, 1, 2, 4, 16]);
        assert_eq!(queue_peak(rows.iter()), 2, "the last two wait together");
    }

    #[test]
    fn quantiles_are_values_that_were_there() {
        let values = [1.0, 2.0, 3.0, 4.0];
        let rows = [(0.5, Some(2.0)), (0.51, Some(3.0)), (0.95, Some(4.0)), (1.0, Some(4.0))];
        for (p, expected) in rows {
            assert_eq!(quantile(&values, p), expected, "{p}");
        }
        assert_eq!(quantile(&[], 0.5), None);
    }
}
