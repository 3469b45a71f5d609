//! The tables of the page.

use super::escape;
use crate::record::costs::Share;
use crate::record::summary::{
    FleetSummary, NodeGroupSummary, Summary, TeamSummary, WorkloadSummary,
};
use crate::record::wording::{amount, duration, money, percent};

/// Rows of a table that may grow with what applies itself, like Jobs.
const MOST_ROWS: usize = 50;

/// Head and body of a table whose first column is a name and whose others are numbers; `reading`
/// says how to read it.
pub(in crate::report) fn table(
    title: &str,
    reading: &str,
    columns: &[&str],
    rows: impl Iterator<Item = Vec<String>>,
) -> String {
    let mut out = format!(
        "<section class=\"card table\">\n<h2>{title}</h2>\n<p>{reading}</p>\n<div class=\"scroll\" tabindex=\"0\" \
         role=\"region\" aria-label=\"{title}\">\n<table>\n<thead><tr>"
    );
    for column in columns {
        out += &format!("<th scope=\"col\">{column}</th>");
    }
    out += "</tr></thead>\n<tbody>\n";
    for row in rows {
        out += "<tr>";
        for (index, cell) in row.iter().enumerate() {
            let cell = escape(cell);
            out += &match index {
                0 => format!("<th scope=\"row\">{cell}</th>"),
                _ => format!("<td>{cell}</td>"),
            };
        }
        out += "</tr>\n";
    }
    out + "</tbody>\n</table>\n</div>\n</section>\n"
}

/// The Deployments.
pub(super) fn workloads(summary: &Summary) -> String {
    if summary.workloads.is_empty() {
        return String::new();
    }
    let columns = [
        "Deployment",
        "Requests",
        "Failed",
        "Share",
        "p50",
        "p95",
        "p99",
        "Most desired",
        "Most ready",
        "Most waiting",
        "Restarts",
    ];
    let latency = |seconds: Option<f64>| seconds.map_or("\u{2013}".to_owned(), duration);
    let row = |w: &WorkloadSummary| {
        let share = if w.offered > 0.0 { w.failed / w.offered } else { 0.0 };
        vec![
            w.name.clone(),
            amount(w.offered),
            amount(w.failed),
            percent(share),
            latency(w.latency_p50_s),
            latency(w.latency_p95_s),
            latency(w.latency_p99_s),
            amount(f64::from(w.peak_desired)),
            amount(f64::from(w.peak_ready)),
            amount(f64::from(w.peak_pending)),
            amount(w.restarts as f64),
        ]
    };
    let reading = "Requests and latency are those in a Deployment's own pods; a call that fails \
                   further down counts there. Latency is of requests served.";
    table("Services", reading, &columns, summary.workloads.iter().map(row))
}

/// Whom the machines' cost is charged to, the dearest first.
pub(super) fn spending(summary: &Summary) -> String {
    let (spending, currency) = (&summary.cost.spending, &summary.cost.currency);
    if spending.workloads.is_empty() {
        return String::new();
    }
    let columns = ["Charged to", "Kind", "Core hours", "GiB hours", "Cost", "Idle share", "Total"];
    let mut shares: Vec<&Share> = spending.workloads.iter().collect();
    shares.sort_by(|a, b| b.total_cost.total_cmp(&a.total_cost));
    let row = |share: &Share| {
        let name = share.name.as_deref().unwrap_or_default();
        vec![
            format!("{}/{name}", share.namespace),
            share.kind.as_deref().unwrap_or_default().to_owned(),
            amount(share.charge.cpu_core_hours),
            amount(share.charge.memory_gib_hours),
            money(share.charge.cost, currency),
            money(share.idle_share, currency),
            money(share.total_cost, currency),
        ]
    };
    let reading = format!(
        "What pods requested or used, whichever is more, at the price of their machines; {} were \
         idle and are shared in proportion. More, and namespaces, in costs.csv.",
        money(spending.idle, currency)
    );
    table("Costs", &reading, &columns, shares.into_iter().take(MOST_ROWS).map(row))
}

/// What people delivered: fleets, and teams.
pub(super) fn delivery(summary: &Summary) -> String {
    let Some(delivery) = &summary.delivery else { return String::new() };
    let time = |seconds: Option<f64>| seconds.map_or("\u{2013}".to_owned(), duration);
    let columns = [
        "Fleet",
        "Members asked for",
        "Live",
        "Lead time p50",
        "p95",
        "Releases asked for",
        "Live",
        "Lead time p50",
        "p95",
    ];
    let fleet = |f: &FleetSummary| {
        vec![
            f.name.clone(),
            amount(f.members_asked as f64),
            amount(f.members_ready as f64),
            time(f.lead_time_p50_s),
            time(f.lead_time_p95_s),
            amount(f.releases_asked as f64),
            amount(f.releases_ready as f64),
            time(f.release_lead_time_p50_s),
            time(f.release_lead_time_p95_s),
        ]
    };
    let reading = "Lead time is from asked for to rolled out. What was not live when the run ended \
                   counts with its time up to then.";
    let mut out = table("Fleets", reading, &columns, delivery.fleets.iter().map(fleet));
    if delivery.teams.is_empty() {
        return out;
    }
    let columns = ["Team", "People", "Jobs", "Busy", "Wait p50", "p95", "Longest queue"];
    let team = |t: &TeamSummary| {
        vec![
            t.name.clone(),
            amount(f64::from(t.people)),
            amount(t.jobs as f64),
            percent(t.utilization),
            time(t.wait_p50_s),
            time(t.wait_p95_s),
            amount(t.queue_peak as f64),
        ]
    };
    let reading = "Waits are those until somebody begins, nights and weekends included.";
    out += &table("Teams", reading, &columns, delivery.teams.iter().map(team));
    out
}

/// The node groups.
pub(super) fn node_groups(summary: &Summary) -> String {
    if summary.node_groups.is_empty() {
        return String::new();
    }
    let columns = ["Node group", "Machine", "Nodes in all", "Never ready", "Cost", "Energy"];
    let row = |g: &NodeGroupSummary| {
        vec![
            g.name.clone(),
            g.machine.clone(),
            amount(g.nodes as f64),
            amount(g.never_ready as f64),
            money(g.cost, &summary.cost.currency),
            format!("{} kWh", amount(g.energy_kwh)),
        ]
    };
    let reading = "All that existed at some time, also those that are gone.";
    table("Machines", reading, &columns, summary.node_groups.iter().map(row))
}
