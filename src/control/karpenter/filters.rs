//! Packing pods that look at other pods: affinity, spreading, host ports, claims.
//!
//! They are asked of the scheduler's own filters, in the cluster as it would be: nodes that are
//! there, nodes to be made, and for each zone of each pool one that could be. So upstream's own
//! bookkeeping of topologies (`topology.go`) is not needed: a zone counts as soon as a pool could
//! make a node there, and so does one more host.

use super::packing::{Obstacle, Packing};
use crate::api::Text;
use crate::api::node::{HOSTNAME_LABEL, Node, ZONE_LABEL};
use crate::control::scheduler::framework::NodeIndex;
use crate::control::scheduler::node_info::NodeInfo;
use crate::control::scheduler::what_if::Question;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A node that could be made.
struct Possible {
    pool: usize,
    /// Its offerings, all in one zone.
    options: Vec<usize>,
    /// Price of the cheapest.
    price: f64,
}

impl Packing<'_, '_> {
    /// Places a pod where the scheduler's filters let it.
    pub(super) fn place_by_filters(&mut self, item: usize) -> Result<(), Vec<Obstacle>> {
        let kind = self.items[item].kind;
        let info = self.kinds[kind].needs.info.clone();
        let mut infos = match self.infos.take() {
            Some(infos) => infos,
            None => self.rooms.iter().map(|room| self.simulator.info_of(&room.bin)).collect(),
        };
        let rooms = infos.len();
        let beside = self.emptiest_first();
        for at in &beside {
            let option = self.cheapest(&self.fresh[*at].options);
            let node = self.supposed(option, infos.len());
            let pods = self.fresh[*at].infos.iter().cloned();
            infos.push(NodeInfo::with_pods(node, pods));
        }
        let (possible, reasons) = self.possible(kind);
        for one in &possible {
            let node = self.supposed(self.cheapest(&one.options), infos.len());
            infos.push(NodeInfo::new(node));
        }
        let order: Vec<NodeIndex> = (0..infos.len()).map(|i| NodeIndex(i as u32)).collect();
        let simulator = self.simulator;
        let asked = simulator.what_if.ask(&info, &infos, &order, &simulator.objects);
        let found = match &asked {
            Err(unfit) => Err(vec![Obstacle::Filter(unfit.status.message())]),
            Ok(question) => Ok(self.first_place(question, kind, rooms, &beside, &possible)),
        };
        drop(asked);
        infos.truncate(rooms);
        self.infos = Some(infos);
        match found? {
            Some(Place::Room(at)) => self.note_in_room_by_filters(item, at),
            Some(Place::Beside(at, options)) => self.add(item, at, options),
            Some(Place::New(at)) => {
                let Possible { pool, options, .. } = &possible[at];
                self.open(item, *pool, options.clone());
            }
            None if reasons.is_empty() => {
                let words = "no node that could be made meets its constraints";
                return Err(vec![Obstacle::Filter(words.to_string())]);
            }
            None => return Err(reasons),
        }
        Ok(())
    }

    fn first_place(
        &self,
        question: &Question<'_>,
        kind: usize,
        rooms: usize,
        beside: &[usize],
        possible: &[Possible],
    ) -> Option<Place> {
        let moves = self.kinds[kind].moves;
        let takes = |at: &usize| !(self.rooms[*at].rests && moves) && question.fits_on(*at).is_ok();
        if let Some(at) = (0..rooms).find(takes) {
            return Some(Place::Room(at));
        }
        for (i, at) in beside.iter().enumerate() {
            let zone = self.zone_of(self.cheapest(&self.fresh[*at].options));
            let mut options = self.options_with(*at, kind);
            options.retain(|option| self.zone_of(*option) == zone);
            if !options.is_empty() && question.fits_on(rooms + i).is_ok() {
                return Some(Place::Beside(*at, options));
            }
        }
        let first = rooms + beside.len();
        (0..possible.len()).find(|i| question.fits_on(first + i).is_ok()).map(Place::New)
    }

    fn note_in_room_by_filters(&mut self, item: usize, at: usize) {
        let info = self.kinds[self.items[item].kind].needs.info.clone();
        self.rooms[at].bin.reserve(info.clone());
        self.note_in_room(item, at, info);
    }

    /// For each pool in order and each of its zones a node that could be made, the cheapest first;
    /// and why pools have none.
    fn possible(&self, kind: usize) -> (Vec<Possible>, Vec<Obstacle>) {
        let (mut all, mut reasons) = (Vec::new(), Vec::new());
        for pool in self.pools_in_order() {
            let options = match self.options_for(kind, pool) {
                Ok(options) => options,
                Err(why) => {
                    reasons.push(why);
                    continue;
                }
            };
            let mut by_zone: BTreeMap<&Text, Vec<usize>> = BTreeMap::new();
            for option in options {
                by_zone.entry(self.zone_of(option)).or_default().push(option);
            }
            let of = |options: Vec<usize>| {
                let price = self.catalog.offerings[self.cheapest(&options)].price;
                Possible { pool, options, price }
            };
            let mut of_pool: Vec<Possible> = by_zone.into_values().map(of).collect();
            of_pool.sort_by(|a, b| a.price.total_cmp(&b.price));
            all.extend(of_pool);
        }
        (all, reasons)
    }

    fn zone_of(&self, option: usize) -> &Text {
        &self.catalog.offerings[option].zone
    }

    fn cheapest(&self, options: &[usize]) -> usize {
        let price = |i: &&usize| self.catalog.offerings[**i].price;
        let least = options.iter().min_by(|a, b| price(a).total_cmp(&price(b)));
        least.copied().unwrap_or(0)
    }

    /// A node of an offering, with a name and a host of its own.
    fn supposed(&self, option: usize, number: usize) -> Arc<Node> {
        let mut node = match &self.templates[option] {
            Some(node) => (**node).clone(),
            None => Node::empty(),
        };
        node.name = format!("hostname-placeholder-{number:04}").into();
        node.labels = node.labels.with(HOSTNAME_LABEL, node.name.clone());
        if node.labels.get(ZONE_LABEL).is_none() && !self.zone_of(option).is_empty() {
            node.labels = node.labels.with(ZONE_LABEL, self.zone_of(option).clone());
        }
        Arc::new(node)
    }
}

/// Where a pod goes.
enum Place {
    Room(usize),
    /// A new node, and the offerings it is narrowed down to.
    Beside(usize, Vec<usize>),
    /// One that could be made.
    New(usize),
}
