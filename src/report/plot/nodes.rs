//! Nodes with their limit, and the CPU that they offer, that is requested and that is used.

use super::Data;
use super::axis::Unit;
use super::palette::{CAPACITY, COMING, FAILED, INK, LIMIT, READY};
use super::panel::{Layer, Panel, Scale, highest, stack};

/// The limit is shown when it is at most this multiple of the nodes: beyond, it only flattens them.
const LIMIT_SHOWN: f64 = 2.0;

pub(super) fn panels(data: &Data<'_>) -> Vec<Panel> {
    vec![nodes(data), cpu(data)]
}

fn nodes(data: &Data<'_>) -> Panel {
    let all = data.over_time(|r| f64::from(r.nodes + r.nodes_booting));
    let limit = data.over_time(|r| f64::from(r.nodes_limit));
    let most = highest(&all);
    let mut layers = stack(vec![
        ("ready", READY, data.over_time(|r| f64::from(r.nodes_ready))),
        ("not ready", FAILED, data.over_time(|r| f64::from(r.nodes - r.nodes.min(r.nodes_ready)))),
        ("booting", COMING, data.over_time(|r| f64::from(r.nodes_booting))),
    ]);
    let mut top = most;
    let shown = |limit: f64| limit > 0.0 && limit <= most * LIMIT_SHOWN;
    if limit.iter().any(|(_, l)| shown(*l)) {
        let visible = limit.iter().map(|(t, l)| (*t, if shown(*l) { *l } else { f64::NAN }));
        let visible = visible.collect();
        top = top.max(highest(&visible));
        layers.push(Layer::dashed("limit", LIMIT, visible));
    }
    Panel { caption: "nodes", scale: Scale::Linear(top, Unit::Count), weight: 3, layers }
}

fn cpu(data: &Data<'_>) -> Panel {
    let offered = data.over_time(|r| r.cpu_allocatable.cores());
    let requested = data.over_time(|r| r.cpu_requested.cores());
    let used = data.over_intervals(|r| r.cpu_used.cores());
    let top = highest(offered.iter().chain(&requested).chain(&used));
    Panel {
        caption: "CPU cores",
        scale: Scale::Linear(top, Unit::Amount),
        weight: 2,
        layers: vec![
            Layer::line("of ready nodes", INK, offered),
            Layer::line("requested", READY, requested),
            Layer::line("used", CAPACITY, used),
        ],
    }
}
