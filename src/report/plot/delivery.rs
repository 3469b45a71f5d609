//! What people were asked for and what is live, and what waits for each team.

use super::Data;
use super::axis::Unit;
use super::palette::{CAPACITY, FAILED, INK, LIMIT, READY, WAITING};
use super::panel::{Layer, Panel, Points, Scale, highest, stack};
use crate::record::rows::DeliveryRow;
use crate::units::SimTime;
use plotters::style::RGBColor;

/// Colours of teams; of more than these the later ones share the last.
const TEAMS: [RGBColor; 4] = [WAITING, FAILED, CAPACITY, LIMIT];

/// How many of these instants have passed at each row of the time series.
fn passed(data: &Data<'_>, instants: impl Iterator<Item = SimTime>) -> Points {
    let mut instants: Vec<SimTime> = instants.collect();
    instants.sort_unstable();
    let rows = data.results.cluster.iter();
    rows.map(|row| {
        let count = instants.partition_point(|at| *at <= row.time);
        (row.time.as_secs_f64(), count as f64)
    })
    .collect()
}

pub(super) fn panels(data: &Data<'_>) -> Vec<Panel> {
    let rows = data.results.deliveries;
    let members = || rows.iter().filter(|row| !row.is_release());
    let asked = passed(data, members().map(|row| row.asked));
    let live = passed(data, members().filter_map(|row| row.ready));
    let most = highest(&asked);
    let mut layers = stack(vec![("live", READY, live)]);
    layers.push(Layer::line("asked for", INK, asked));
    let scale = Scale::Linear(most, Unit::Count);
    let mut panels = vec![Panel { caption: "members of fleets", scale, weight: 2, layers }];
    let teams = data.results.summary.delivery.iter().flat_map(|delivery| &delivery.teams);
    let waiting: Vec<(&str, Points)> =
        teams.map(|team| (team.name.as_str(), waiting_for(data, &team.name))).collect();
    if !waiting.is_empty() {
        let most = waiting.iter().map(|(_, points)| highest(points)).fold(0.0, f64::max);
        let color = |index: usize| TEAMS[index.min(TEAMS.len() - 1)];
        let lines = waiting.into_iter().enumerate();
        let layers = lines
            .map(|(index, (team, points))| {
                Layer::line(&format!("for team {team}"), color(index), points)
            })
            .collect();
        let scale = Scale::Linear(most, Unit::Count);
        panels.push(Panel { caption: "waiting", scale, weight: 1, layers });
    }
    panels
}

/// How many jobs wait for a team.
fn waiting_for(data: &Data<'_>, team: &str) -> Points {
    let of = |row: &&DeliveryRow| row.team.as_deref() == Some(team);
    let rows = || data.results.deliveries.iter().filter(of);
    let came = passed(data, rows().filter_map(|row| row.queued));
    let went = passed(data, rows().filter_map(|row| row.begun));
    came.into_iter().zip(went).map(|((t, came), (_, went))| (t, came - went)).collect()
}
