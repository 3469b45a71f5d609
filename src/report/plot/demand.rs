//! Demand against capacity: what arrived, what was served, what failed, what could be served.

use super::axis::Unit;
use super::palette::{CAPACITY, COMING, FAILED, INK};
use super::panel::{Layer, Panel, Scale, highest, stack};
use super::{Data, per_second};

/// Capacity is shown up to this multiple of the highest demand: beyond, it only flattens the rest.
const CAPACITY_SHOWN: f64 = 1.5;

pub(super) fn panels(data: &Data<'_>) -> Vec<Panel> {
    let demand = data.over_intervals(|r| per_second(r, r.offered));
    let capacity = data.over_time(|r| r.capacity_rps);
    let most_demand = highest(&demand);
    let top = most_demand.max(highest(&capacity).min(CAPACITY_SHOWN * most_demand));
    let mut layers = stack(vec![
        ("served", COMING, data.over_intervals(|r| per_second(r, r.served))),
        ("failed", FAILED, data.over_intervals(|r| per_second(r, r.failed))),
    ]);
    layers.push(Layer::line("ready pods can serve", CAPACITY, capacity));
    layers.push(Layer::line("demand", INK, demand));
    let scale = Scale::Linear(top, Unit::Amount);
    vec![Panel { caption: "requests a second", scale, weight: 1, layers }]
}
