//! Who costs what: machines' prices shared out among the pods that ran there, as OpenCost does it.
//!
//! A pod is charged for what it requested or used, whichever is more, at the price of its machine's
//! cores and memory; what nobody is charged for is idle. Source: OpenCost specification
//! (`CPU allocated = max(request, usage)`), with a run as its window; the price of a machine is
//! split between cores and GiB as its default prices are. It knows neither pods nor machines.

use crate::api::Text;
use serde::Serialize;
use std::collections::BTreeMap;

/// Prices of a core and of a GiB an hour that a machine's price is split by (OpenCost's defaults,
/// GCE's us-central1 list: `configs/default.json`).
const CORE_TO_GIB: (f64, f64) = (0.031_611, 0.004_237);

/// Whose pods they are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Payer {
    /// Namespace.
    pub namespace: Text,
    /// Kind of what controls them in the end, e.g. `Deployment`; `Pod` of a pod that nothing does.
    pub kind: Text,
    /// Its name.
    pub name: Text,
}

/// What somebody's pods took, and what that cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Charge {
    /// Cores requested or used, in hours.
    pub cpu_core_hours: f64,
    /// GiB of memory requested, in hours.
    pub memory_gib_hours: f64,
    /// Money for both.
    pub cost: f64,
}

impl Charge {
    /// What these cost on a machine of `cores` and `gib` at `price` an hour.
    pub fn on(machine: (f64, f64), price: f64, core_hours: f64, gib_hours: f64) -> Charge {
        let worth = |cores: f64, gib: f64| cores * CORE_TO_GIB.0 + gib * CORE_TO_GIB.1;
        let whole = worth(machine.0, machine.1);
        let share = if whole > 0.0 { worth(core_hours, gib_hours) / whole } else { 0.0 };
        Charge { cpu_core_hours: core_hours, memory_gib_hours: gib_hours, cost: price * share }
    }

    fn add(&mut self, other: &Charge) {
        self.cpu_core_hours += other.cpu_core_hours;
        self.memory_gib_hours += other.memory_gib_hours;
        self.cost += other.cost;
    }
}

/// Charges of a run so far.
#[derive(Clone, Debug, Default)]
pub struct Costs {
    by: BTreeMap<Payer, Charge>,
}

/// What somebody pays, with a share of what was idle.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Share {
    /// Namespace.
    pub namespace: Text,
    /// Kind; left out of a namespace's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Text>,
    /// Name; left out of a namespace's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
    /// What its pods took.
    #[serde(flatten)]
    pub charge: Charge,
    /// Its share of what was idle, in proportion to its cost.
    pub idle_share: f64,
    /// Both together.
    pub total_cost: f64,
}

/// Where the money went.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Spending {
    /// What nobody was charged for: idle, reserved for the system, booting.
    pub idle: f64,
    /// By workload, sorted by namespace, kind and name.
    pub workloads: Vec<Share>,
    /// By namespace.
    pub namespaces: Vec<Share>,
}

impl Costs {
    /// Charges somebody.
    pub fn add(&mut self, payer: Payer, charge: &Charge) {
        self.by.entry(payer).or_default().add(charge);
    }

    /// How all machines' cost, `total`, is shared out. Pods that use more than they request may be
    /// charged for more than there is on a crowded machine: then all pay less in proportion.
    pub fn spending(&self, total: f64) -> Spending {
        let charged: f64 = self.by.values().map(|charge| charge.cost).sum();
        let scale = if charged > total && charged > 0.0 { total / charged } else { 1.0 };
        let idle = (total - charged).max(0.0);
        let share = |namespace: &Text, named: Option<&Payer>, charge: &Charge| {
            let part = if charged > 0.0 { charge.cost / charged } else { 0.0 };
            let charge = Charge { cost: charge.cost * scale, ..*charge };
            let idle_share = idle * part;
            Share {
                namespace: namespace.clone(),
                kind: named.map(|payer| payer.kind.clone()),
                name: named.map(|payer| payer.name.clone()),
                charge,
                idle_share,
                total_cost: charge.cost + idle_share,
            }
        };
        let mut of_namespace: BTreeMap<&Text, Charge> = BTreeMap::new();
        for (payer, charge) in &self.by {
            of_namespace.entry(&payer.namespace).or_default().add(charge);
        }
        let workloads = self.by.iter().map(|(payer, c)| share(&payer.namespace, Some(payer), c));
        let namespaces = of_namespace.iter().map(|(namespace, c)| share(namespace, None, c));
        Spending { idle, workloads: workloads.collect(), namespaces: namespaces.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payer(namespace: &str, name: &str) -> Payer {
        Payer { namespace: namespace.into(), kind: "Deployment".into(), name: name.into() }
    }

    #[test]
    fn a_machine_is_worth_its_cores_and_its_memory() {
        let machine = (4.0, 16.0);
        let rows = [
            ("all of it for an hour costs its price", 4.0, 16.0, 0.2),
            ("half of both costs half", 2.0, 8.0, 0.1),
            ("nothing costs nothing", 0.0, 0.0, 0.0),
            ("its cores alone: 0.126444 of 0.194236", 4.0, 0.0, 0.2 * 0.126_444 / 0.194_236),
        ];
        for (sentence, cores, gib, expected) in rows {
            let charge = Charge::on(machine, 0.2, cores, gib);
            assert!((charge.cost - expected).abs() < 1e-12, "{sentence}: {charge:?}");
        }
    }

    #[test]
    fn what_is_shared_out_adds_up_to_what_was_paid() {
        let mut costs = Costs::default();
        for (who, cost) in [(payer("a", "x"), 2.0), (payer("a", "y"), 1.0), (payer("b", "x"), 1.0)]
        {
            costs.add(who, &Charge { cpu_core_hours: 1.0, memory_gib_hours: 1.0, cost });
        }
        for (sentence, total, idle, first) in [
            ("half is idle: the first pays half of both", 8.0, 4.0, 4.0),
            ("nothing is idle", 4.0, 0.0, 2.0),
            ("charged for more than there is: all pay less", 3.0, 0.0, 1.5),
        ] {
            let spending = costs.spending(total);
            assert!((spending.idle - idle).abs() < 1e-12, "{sentence}");
            assert!((spending.workloads[0].total_cost - first).abs() < 1e-12, "{sentence}");
            for shares in [&spending.workloads, &spending.namespaces] {
                let sum: f64 = shares.iter().map(|share| share.total_cost).sum();
                assert!((sum - total).abs() < 1e-12, "{sentence}: {sum}");
            }
        }
        let spending = costs.spending(8.0);
        let names: Vec<&str> = spending.namespaces.iter().map(|share| &*share.namespace).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(spending.namespaces[0].total_cost, 6.0);
    }

    #[test]
    fn where_nobody_runs_all_is_idle() {
        let spending = Costs::default().spending(3.0);
        assert_eq!((spending.idle, spending.workloads.len()), (3.0, 0));
    }
}
