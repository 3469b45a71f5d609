//! Pods of all Deployments: ready, not ready, waiting for a node, and how many are wanted.
//!
//! Not ready are those that start, those that crash, and those on a node that has fallen silent.

use super::Data;
use super::axis::Unit;
use super::palette::{COMING, INK, READY, WAITING};
use super::panel::{Layer, Panel, Scale, highest, stack};

pub(super) fn panels(data: &Data<'_>) -> Vec<Panel> {
    let desired = data.over_time(|r| f64::from(r.pods_desired));
    let all = data.over_time(|r| f64::from(r.pods_ready + r.pods_starting + r.pods_unbound));
    let top = highest(&desired).max(highest(&all));
    let mut layers = stack(vec![
        ("ready", READY, data.over_time(|r| f64::from(r.pods_ready))),
        ("on a node, not ready", COMING, data.over_time(|r| f64::from(r.pods_starting))),
        ("waiting for a node", WAITING, data.over_time(|r| f64::from(r.pods_unbound))),
    ]);
    layers.push(Layer::line("desired", INK, desired));
    vec![Panel { caption: "pods", scale: Scale::Linear(top, Unit::Count), weight: 1, layers }]
}
