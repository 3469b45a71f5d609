//! What the cloud sells that a pool may use: machine types by zone and capacity type, with prices.
//!
//! Source: kubernetes-sigs/karpenter `pkg/cloudprovider/types.go`;
//! aws/karpenter-provider-aws `pkg/cache/unavailableofferings.go`, August 2026.

use crate::api::Text;
use crate::api::labels::Labels;
use crate::api::node::{INSTANCE_TYPE_LABEL, Node, ZONE_LABEL};
use crate::api::node_pool::{NODE_POOL_LABEL, NodePool};
use crate::control::controllers::daemon;
use crate::store::Store;
use crate::units::{SimDuration, SimTime};
use std::sync::Arc;

/// How long an offering that the cloud has refused is not asked for again
/// (`UnavailableOfferingsTTL`).
const UNAVAILABLE: SimDuration = SimDuration::from_secs(180);

/// A machine type in a zone, at a price.
#[derive(Clone, Debug)]
pub struct Offering {
    /// Index of the pool that it is for.
    pub pool: usize,
    /// Index of the cloud's group of such machines.
    pub group: usize,
    /// The zone.
    pub zone: Text,
    /// Whether the cloud may take the machine back.
    pub spot: bool,
    /// Price of an hour.
    pub price: f64,
    /// Its node as it registers, without what the pool adds.
    pub node: Arc<Node>,
}

impl Offering {
    /// The machine type.
    pub(super) fn machine(&self) -> &Text {
        // Machines always say what they are; a test's may not.
        self.node.labels.get(INSTANCE_TYPE_LABEL).unwrap_or(&self.node.name)
    }
}

/// All offerings, with what is known of them at present.
#[derive(Debug)]
pub(super) struct Catalog {
    pub offerings: Vec<Offering>,
    /// What a node of each would be like, labels and taints of its pool included; `None`: the pool
    /// does not want it.
    pub templates: Vec<Option<Arc<Node>>>,
    /// Until when each counts as sold out.
    unavailable: Vec<SimTime>,
}

impl Catalog {
    pub(super) fn new(offerings: Vec<Offering>, pools: &[NodePool]) -> Catalog {
        let unavailable = vec![SimTime::ZERO; offerings.len()];
        let mut catalog = Catalog { templates: Vec::new(), offerings, unavailable };
        catalog.read(pools);
        catalog
    }

    /// Pools have changed: what they want is found out anew.
    pub(super) fn read(&mut self, pools: &[NodePool]) {
        let of = |offering: &Offering| template(offering, &pools[offering.pool]);
        self.templates = self.offerings.iter().map(of).collect();
    }

    /// Templates as they are left for pods once the daemons have come.
    pub(super) fn with_daemons(&self, store: &Store) -> Vec<Option<Arc<Node>>> {
        let mut templates = self.templates.clone();
        if store.daemon_sets().next().is_some() {
            templates.iter_mut().flatten().for_each(|node| daemon::leave_room(store, node));
        }
        templates
    }

    /// Whether the cloud is believed to have such a machine.
    pub(super) fn is_available(&self, offering: usize, now: SimTime) -> bool {
        self.unavailable[offering] <= now
    }

    /// The cloud has refused one, or taken one back.
    pub(super) fn is_short_of(&mut self, group: usize, zone: &str, now: SimTime) {
        for (offering, until) in self.offerings.iter().zip(&mut self.unavailable) {
            if offering.group == group && *offering.zone == *zone {
                *until = now + UNAVAILABLE;
            }
        }
    }

    /// When the next one that is believed to be sold out is asked for again.
    pub(super) fn next_available(&self, now: SimTime) -> SimTime {
        let later = self.unavailable.iter().copied().filter(|at| *at > now);
        later.min().unwrap_or(SimTime::NEVER)
    }

    pub(super) fn find(&self, group: usize, zone: &str) -> Option<usize> {
        self.offerings.iter().position(|o| o.group == group && *o.zone == *zone)
    }
}

/// Labels that a pool gives its nodes.
pub(super) fn labels_of(pool: &NodePool) -> Vec<(Text, Text)> {
    let own = pool.labels.iter().map(|(key, value)| (key.clone(), value.clone()));
    own.chain([(NODE_POOL_LABEL.into(), pool.name.clone())]).collect()
}

fn template(offering: &Offering, pool: &NodePool) -> Option<Arc<Node>> {
    let pairs = offering.node.labels.iter().map(|(k, v)| (k.clone(), v.clone()));
    let zone = [(Text::from(ZONE_LABEL), offering.zone.clone())];
    let zone = zone.into_iter().filter(|(_, zone)| !zone.is_empty());
    let labels = Labels::new(pairs.chain(zone).chain(labels_of(pool)).collect());
    let taints = pool.taints.clone();
    pool.admits(&labels).then(|| Arc::new(Node { labels, taints, ..(*offering.node).clone() }))
}
