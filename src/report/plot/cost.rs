//! Cost per hour, and what has been spent so far.

use super::Data;
use super::axis::Unit;
use super::palette::{INK, READY};
use super::panel::{Layer, Panel, Scale, highest, stack};

pub(super) fn panels(data: &Data<'_>) -> Vec<Panel> {
    let currency = &data.results.summary.cost.currency;
    let rate = data.over_time(|r| r.cost_per_hour);
    let spent = data.over_time(|r| r.cost);
    let (most_rate, most_spent) = (highest(&rate), highest(&spent));
    let rate_label = format!("{currency} per hour");
    let spent_label = format!("{currency} since the start");
    vec![
        Panel {
            caption: "rate",
            scale: Scale::Linear(most_rate, Unit::Amount),
            weight: 1,
            layers: stack(vec![(rate_label.trim(), READY, rate)]),
        },
        Panel {
            caption: "spent",
            scale: Scale::Linear(most_spent, Unit::Amount),
            weight: 1,
            layers: vec![Layer::line(spent_label.trim(), INK, spent)],
        },
    ]
}
