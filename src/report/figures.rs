//! The key figures of a run in words: what the terminal and the report page both tell.

use crate::record::metric::{self, Unit};
use crate::record::story::Moment;
use crate::record::summary::{
    ApiServer, CrossZoneSummary, ExpectationResult, FleetSummary, Objective, Summary, TeamSummary,
};
use crate::record::wording::{amount, clock, count, duration, grouped, money, percent, rate};

/// A figure with its name and what puts it into proportion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Figure {
    pub(super) label: &'static str,
    pub(super) value: String,
    pub(super) note: String,
}

/// The run in two or three sentences.
pub(super) fn lead(summary: &Summary) -> String {
    let requests = &summary.requests;
    let length = duration(summary.duration_s);
    let traffic = if requests.offered > 0.0 {
        let arrived = amount(requests.offered);
        // Rates are fluid: less than half a request is none.
        let failed = match requests.failed_ratio {
            r if requests.failed >= 0.5 => format!("{} of them failed", percent(r)),
            _ => "none of them failed".to_owned(),
        };
        format!("In {length} of simulated time {arrived} requests arrived; {failed}.")
    } else {
        format!("{length} of simulated time, without requests.")
    };
    format!("{traffic} {}", objective_told(&summary.objective))
}

fn objective_told(o: &Objective) -> String {
    let what = format!(
        "at most {} failed, 95% answered within {}",
        percent(o.error_budget),
        duration(o.latency_s)
    );
    let Some(first) = o.first_missed_s else {
        return format!("The objective ({what}) was never missed.");
    };
    let missed = format!(
        "The objective ({what}) was first missed at {}, for {} in all",
        clock(first),
        duration(o.missed_s)
    );
    match o.time_to_recover_s {
        Some(recovery) => {
            format!("{missed}; it held for good {} after the first miss.", duration(recovery))
        }
        None => format!("{missed}; it did not hold when the run ended."),
    }
}

/// Whether the expectations held, in a few words; `None`: there are none.
pub(super) fn verdict(expectations: &[ExpectationResult]) -> Option<(bool, String)> {
    let (all, held) = (expectations.len(), expectations.iter().filter(|e| e.held).count());
    let text = match (all, all - held) {
        (0, _) => return None,
        (1, 0) => "The expectation held".to_owned(),
        (1, _) => "The expectation was missed".to_owned(),
        (_, 0) => format!("All {all} expectations held"),
        (_, missed) => format!("{missed} of {all} expectations missed"),
    };
    Some((all == held, text))
}

/// What an expectation measured, in its unit.
pub(super) fn measured(result: &ExpectationResult) -> String {
    let Some(value) = result.measured else {
        return "nothing to measure".to_owned();
    };
    match metric::find(&result.metric).map(|m| m.unit) {
        Some(Unit::Ratio) => percent(value),
        Some(Unit::Duration) => duration(value),
        Some(Unit::Rate) => rate(value),
        Some(Unit::Number) | None => amount(value),
    }
}

/// The key figures, the most asked for first.
pub(super) fn figures(s: &Summary) -> Vec<Figure> {
    let mut figures = vec![served(s), demand(s), recovery(&s.objective), latency(s), waiting(s)];
    figures.extend([startup(s), pods(s), nodes(s), cost(s), energy(s)]);
    figures.extend(s.cross_zone.as_ref().and_then(cross_zone));
    figures.extend(s.api_server.as_ref().map(api_server));
    figures.extend(s.delivery.iter().flat_map(|delivery| &delivery.fleets).flat_map(fleet));
    figures.extend(s.delivery.iter().flat_map(|delivery| &delivery.teams).map(team));
    figures
}

/// Members of a fleet, and its releases, as far as there were any.
fn fleet(f: &FleetSummary) -> Vec<Figure> {
    let time = |seconds: Option<f64>| seconds.map_or("none".to_owned(), duration);
    let mut figures = Vec::new();
    if f.members_asked > 0 {
        let (live, asked) = (grouped(f.members_ready), grouped(f.members_asked));
        let note =
            format!("fleet {}: {live} of {asked} live; p95 {}", f.name, time(f.lead_time_p95_s));
        figures.push(Figure { label: "Lead time p50", value: time(f.lead_time_p50_s), note });
    }
    if f.releases_asked > 0 {
        let (live, asked) = (grouped(f.releases_ready), grouped(f.releases_asked));
        let note = format!(
            "fleet {}: {live} of {asked} releases live; p95 {}",
            f.name,
            time(f.release_lead_time_p95_s)
        );
        let value = time(f.release_lead_time_p50_s);
        figures.push(Figure { label: "Release p50", value, note });
    }
    figures
}

fn team(t: &TeamSummary) -> Figure {
    let time = |seconds: Option<f64>| seconds.map_or("none".to_owned(), duration);
    let note = format!(
        "team {} of {}; wait p50 {}, p95 {}; {} waiting at most",
        t.name,
        t.people,
        time(t.wait_p50_s),
        time(t.wait_p95_s),
        grouped(t.queue_peak)
    );
    Figure { label: "Team busy", value: percent(t.utilization), note }
}

fn cross_zone(c: &CrossZoneSummary) -> Option<Figure> {
    let note = format!("{} of {} requests to pods", amount(c.crossing), amount(c.requests));
    Some(Figure { label: "Crossed zones", value: percent(c.ratio?), note })
}

fn api_server(api: &ApiServer) -> Figure {
    let mut notes = Vec::new();
    if let Some(latency) = api.latency_p50_s {
        notes.push(format!("p50 {}", duration(latency)));
        notes.push(format!("{} refused", amount(api.requests_refused)));
        notes.push(format!("{} timed out", amount(api.requests_timed_out as f64)));
        notes.push(format!("{} of leases failed", amount(api.lease_renewals_failed as f64)));
    }
    if api.leaderless_s > 0.0 {
        notes.push(format!("{} without a leader", duration(api.leaderless_s)));
    }
    let value = api.latency_p99_s.map_or("not limited".to_owned(), duration);
    Figure { label: "API server p99", value, note: notes.join(", ") }
}

fn served(s: &Summary) -> Figure {
    let r = &s.requests;
    let (mut served, mut offered) = (amount(r.served), amount(r.offered));
    // Rounded to three digits, all but all would look like all.
    if served == offered && r.failed >= 1.0 {
        (served, offered) = (grouped(r.served.round() as u64), grouped(r.offered.round() as u64));
    }
    let note = format!("of {offered}; {} failed, {}", amount(r.failed), percent(r.failed_ratio));
    Figure { label: "Requests served", value: served, note }
}

fn demand(s: &Summary) -> Figure {
    let r = &s.requests;
    let note = format!("served at most {}", rate(r.peak_served_rps));
    Figure { label: "Peak demand", value: rate(r.peak_offered_rps), note }
}

fn recovery(o: &Objective) -> Figure {
    let (value, note) = match (o.first_missed_s, o.time_to_recover_s) {
        (None, _) => ("not needed".to_owned(), "the objective was never missed".to_owned()),
        (Some(_), Some(recovery)) => {
            (duration(recovery), format!("objective missed for {} in all", duration(o.missed_s)))
        }
        (Some(_), None) => {
            ("not recovered".to_owned(), format!("objective missed for {}", duration(o.missed_s)))
        }
    };
    Figure { label: "Time to recover", value, note }
}

fn latency(s: &Summary) -> Figure {
    let (r, o) = (&s.requests, &s.objective);
    let told = |seconds: Option<f64>| seconds.map_or("unknown".to_owned(), duration);
    let all = format!("p50 {}, p99 {}", told(r.latency_p50_s), told(r.latency_p99_s));
    // One number over a day of which a half was an outage says little: both halves say more.
    let note = match (o.held_latency_p95_s, o.missed_latency_p95_s) {
        (Some(held), Some(missed)) => format!(
            "of all served, {all}; p95 {} while the objective held, {} while missed",
            duration(held),
            duration(missed)
        ),
        _ => format!("of all served, {all}"),
    };
    Figure { label: "Latency p95", value: told(r.latency_p95_s), note }
}

fn waiting(s: &Summary) -> Figure {
    let pods = &s.pods;
    let note = match pods.schedule_p99_s {
        Some(wait) => format!("without a node; 99% waited up to {}", duration(wait)),
        None => "without a node; no pod was bound".to_owned(),
    };
    Figure { label: "Pods pending", value: format!("{} pod-s", amount(pods.pending_pod_s)), note }
}

fn startup(s: &Summary) -> Figure {
    let label = "Pod startup p99";
    let Some((p50, p99)) = s.pods.startup_p50_s.zip(s.pods.startup_p99_s) else {
        let note = "no pod became ready after the start".to_owned();
        return Figure { label, value: "none".to_owned(), note };
    };
    let note = format!("from created to ready; p50 {}", duration(p50));
    Figure { label, value: duration(p99), note }
}

fn pods(s: &Summary) -> Figure {
    let pods = &s.pods;
    let mut note = format!("{} created", amount(pods.created as f64));
    if pods.restarts > 0 {
        note += &format!(", {}", count(pods.restarts, "restart"));
    }
    if pods.image_pulls_failed > 0 {
        note += &format!(", {} failed", count(pods.image_pulls_failed, "image pull"));
    }
    if pods.evicted > 0 {
        note += &format!(", {} evicted", amount(pods.evicted as f64));
    }
    if pods.unbound_at_end > 0 {
        note += &format!(", {} without a node at the end", amount(f64::from(pods.unbound_at_end)));
    }
    let value = format!("{} at most", amount(f64::from(pods.peak_ready)));
    Figure { label: "Pods ready", value, note }
}

fn nodes(s: &Summary) -> Figure {
    let n = &s.nodes;
    let (peak, start) = (grouped(n.peak.into()), grouped(n.at_start.into()));
    let mut note = format!("{peak} at most, {start} at the start");
    if n.at_limit_s > 0.0 {
        note += &format!("; {} at the limit", duration(n.at_limit_s));
    }
    if n.spot_interruptions > 0 {
        note += &format!("; {} taken back", count(n.spot_interruptions, "spot machine"));
    }
    Figure { label: "Nodes", value: format!("{} node-h", amount(n.node_hours)), note }
}

fn cost(s: &Summary) -> Figure {
    let c = &s.cost;
    let mut note = format!("at most {} an hour", money(c.peak_per_hour, &c.currency));
    if let Some(price) = c.per_million_served {
        note += &format!("; {} per million served", money(price, &c.currency));
    }
    Figure { label: "Cost", value: money(c.total, &c.currency), note }
}

fn energy(s: &Summary) -> Figure {
    let n = &s.nodes;
    let mut note = format!(
        "of the CPU {} used, {} requested",
        percent(n.cpu_utilization),
        percent(n.cpu_requested_ratio)
    );
    if let Some(carbon) = n.carbon_kg {
        note += &format!("; {} kg of CO2", amount(carbon));
    }
    Figure { label: "Energy", value: format!("{} kWh", amount(n.energy_kwh)), note }
}

/// How a moment bears on the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    Bad,
    Good,
    Neutral,
}

/// The name of a kind of moment, and its mood.
pub(super) fn moment(kind: Moment) -> (&'static str, Mood) {
    match kind {
        Moment::TimelineBegins => ("Timeline: begins", Mood::Neutral),
        Moment::TimelineEnds => ("Timeline: over", Mood::Neutral),
        Moment::DemandPassesCapacity => ("Demand passes capacity", Mood::Bad),
        Moment::FirstErrors => ("First errors", Mood::Bad),
        Moment::ObjectiveMissed => ("Objective missed", Mood::Bad),
        Moment::Recovered => ("Recovered", Mood::Good),
        Moment::FirstUnschedulable => ("First pod without a node", Mood::Bad),
        Moment::MaxReplicasReached => ("Autoscaler at its limit", Mood::Bad),
        Moment::NodeLimitReached => ("Node limit reached", Mood::Bad),
        Moment::QuotaReached => ("Quota reached", Mood::Bad),
        Moment::OutOfStock => ("Out of stock", Mood::Bad),
        Moment::SpotInterrupted => ("Spot machine taken back", Mood::Bad),
        Moment::FirstNodeJoins => ("First node joins", Mood::Good),
        Moment::FirstPullFailure => ("Image pull fails", Mood::Bad),
        Moment::LeaderLost => ("Leader lost", Mood::Bad),
        Moment::LeaderElected => ("Leader elected", Mood::Good),
        Moment::FirstEviction => ("Node is short", Mood::Bad),
        Moment::NodeLost => ("Node lost", Mood::Bad),
        Moment::EvictionBegins => ("Eviction begins", Mood::Bad),
        Moment::AllReady => ("All pods ready", Mood::Good),
        Moment::PeakDemand => ("Peak of demand", Mood::Neutral),
        Moment::PeakNodes => ("Most nodes", Mood::Neutral),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::summary::Requests;

    fn objective(first: Option<f64>, recovery: Option<f64>) -> Objective {
        Objective {
            error_budget: 0.01,
            latency_s: 0.5,
            missed_s: 1200.0,
            first_missed_s: first,
            time_to_recover_s: recovery,
            held_at_end: recovery.is_some(),
            ..Default::default()
        }
    }

    #[test]
    fn the_lead_tells_how_it_ended() {
        let what = "The objective (at most 1% failed, 95% answered within 500 ms) was";
        let rows = [
            (objective(None, None), format!("{what} never missed.")),
            (
                objective(Some(3600.0), Some(1800.0)),
                format!(
                    "{what} first missed at 01:00:00, for 20m in all; it held for good 30m after \
                     the first miss."
                ),
            ),
            (
                objective(Some(3600.0), None),
                format!(
                    "{what} first missed at 01:00:00, for 20m in all; it did not hold when the run \
                     ended."
                ),
            ),
        ];
        for (objective, expected) in rows {
            let requests =
                Requests { offered: 2e9, failed: 2e7, failed_ratio: 0.01, ..Default::default() };
            let summary =
                Summary { duration_s: 86_400.0, requests, objective, ..Default::default() };
            let traffic = "In 24h of simulated time 2 billion requests arrived; 1% of them failed.";
            assert_eq!(lead(&summary), format!("{traffic} {expected}"));
        }
    }

    #[test]
    fn latency_says_what_it_is_of() {
        let mut summary = Summary::default();
        summary.requests.latency_p50_s = Some(12.7);
        summary.requests.latency_p95_s = Some(12.7);
        summary.requests.latency_p99_s = Some(12.7);
        summary.objective.held_latency_p95_s = Some(0.4);
        assert_eq!(latency(&summary).note, "of all served, p50 12.7 s, p99 12.7 s");
        summary.objective.missed_latency_p95_s = Some(12.7);
        let note = "of all served, p50 12.7 s, p99 12.7 s; p95 400 ms while the objective held, \
                    12.7 s while missed";
        assert_eq!(latency(&summary).note, note);
    }

    #[test]
    fn almost_all_is_not_told_as_all() {
        let rows = [
            ("some failed", 35_985.4, 14.6, "35,985", "of 36,000; 14.6 failed, 0.0406%"),
            ("none failed", 36_000.0, 0.0, "36,000", "of 36,000; 0 failed, 0%"),
            ("many failed", 30_000.0, 6_000.0, "30,000", "of 36,000; 6,000 failed, 16.7%"),
        ];
        for (sentence, ok, failed, value, note) in rows {
            let mut summary = Summary::default();
            let r = &mut summary.requests;
            (r.offered, r.served, r.failed) = (36_000.0, ok, failed);
            r.failed_ratio = failed / 36_000.0;
            let told = served(&summary);
            assert_eq!((told.value.as_str(), told.note.as_str()), (value, note), "{sentence}");
        }
    }

    #[test]
    fn crossed_zones_are_told_where_somebody_counts_them() {
        let told = |requests: f64, crossing: f64| {
            let ratio = (requests > 0.0).then(|| crossing / requests);
            cross_zone(&CrossZoneSummary { requests, crossing, ratio })
        };
        let note = "25,000 of 100,000 requests to pods".to_owned();
        let figure = Figure { label: "Crossed zones", value: "25%".to_owned(), note };
        assert_eq!(told(100_000.0, 25_000.0), Some(figure));
        assert_eq!(told(0.0, 0.0), None, "nobody asked anybody");
        let is_told = |s: &Summary| figures(s).iter().any(|f| f.label == "Crossed zones");
        let mut summary = Summary::default();
        assert!(!is_told(&summary), "nobody counts them");
        summary.cross_zone = Some(CrossZoneSummary { ratio: Some(0.25), ..Default::default() });
        assert!(is_told(&summary));
    }

    #[test]
    fn verdicts() {
        let result = |held| ExpectationResult {
            text: String::new(),
            metric: "cost".into(),
            measured: None,
            held,
        };
        type Row = (&'static [bool], Option<(bool, &'static str)>);
        let rows: [Row; 5] = [
            (&[], None),
            (&[true], Some((true, "The expectation held"))),
            (&[false], Some((false, "The expectation was missed"))),
            (&[true, true], Some((true, "All 2 expectations held"))),
            (&[true, false, false], Some((false, "2 of 3 expectations missed"))),
        ];
        for (held, expected) in rows {
            let results: Vec<_> = held.iter().map(|h| result(*h)).collect();
            let told = verdict(&results);
            assert_eq!(told.as_ref().map(|(all, text)| (*all, text.as_str())), expected);
        }
    }
}
