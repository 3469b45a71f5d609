//! What pods are charged for: their requests or what they used, on the machine where they ran.
//!
//! Each pod is charged once, when it is gone or the run ends, for the time from its binding until
//! its containers have ended for good; one that is changed in place also at each change, for the
//! time before it. It knows prices of machines, not how the bill is told.

use super::world::World;
use crate::api::owner::Parent;
use crate::api::pod::Pod;
use crate::api::{NodeId, PodId};
use crate::record::costs::{Charge, Payer};
use crate::units::SimTime;

/// Bytes of a GiB.
const GIB: f64 = 1_073_741_824.0;

impl World<'_> {
    /// Charges a pod for its time on its node. What it used of a core is what its requests took.
    pub(super) fn charge_for_node(&mut self, id: PodId, pod: &Pod) {
        let Some(machine) = pod.node.and_then(|node| self.nodes.get(node)).map(|n| n.machine)
        else {
            return;
        };
        let Some(m) = self.cloud.machines.get(machine) else { return };
        if pod.scheduled == SimTime::NEVER {
            return;
        }
        let machine = &self.scenario.node_groups[m.group].machine;
        let begun = self.vpas.as_ref().and_then(|vpas| vpas.charged.get(&id).copied());
        let (from, used_before) = begun.unwrap_or((pod.scheduled, 0.0));
        let end = pod.more.as_ref().and_then(|more| more.finished.get()).unwrap_or(self.now);
        let hours = end.since(from.min(end)).as_secs_f64() / 3600.0;
        let requests = pod.spec.requests();
        let used = (self.network.cpu_of(id, self.now) - used_before) / 3600.0;
        let workload = self.pods.get(id).and_then(|state| state.workload());
        let memory = match (requests.memory.0, workload) {
            (0, Some(workload)) => self.scenario.workloads[workload].memory.0,
            (requested, _) => requested,
        };
        let charge = Charge::on(
            (machine.capacity.cpu.cores(), machine.capacity.memory.0 as f64 / GIB),
            machine.price_per_hour,
            (requests.cpu.cores() * hours).max(used),
            memory as f64 / GIB * hours,
        );
        let payer = self.payer(pod);
        self.recorder.totals.costs.add(payer, &charge);
    }

    /// A pod is about to request something else: it is charged for its time so far.
    pub(super) fn charge_before_resize(&mut self, id: PodId) {
        let Some(pod) = self.store.pod(id).cloned() else { return };
        self.charge_for_node(id, &pod);
        let so_far = (self.now, self.network.cpu_of(id, self.now));
        if let Some(vpas) = &mut self.vpas {
            vpas.charged.insert(id, so_far);
        }
    }

    /// A pod is gone.
    pub(super) fn forget_charges(&mut self, id: PodId) {
        if let Some(vpas) = &mut self.vpas {
            vpas.charged.remove(&id);
        }
    }

    /// A machine goes with pods on it, whose objects will be collected later.
    pub(super) fn charge_pods_on(&mut self, node: NodeId) {
        for id in self.store.pods_on(node).to_vec() {
            if let Some(pod) = self.store.pod(id).cloned() {
                self.charge_for_node(id, &pod);
            }
        }
    }

    /// What controls a pod in the end. What is gone before its pods counts as itself alone.
    fn payer(&self, pod: &Pod) -> Payer {
        let owner = pod.owner.and_then(|owner| self.store.owner(owner));
        let deployment = |id| self.store.deployment(id).map(|d| ("Deployment", d.name.clone()));
        let cron_job = |id| self.store.cron_job(id).map(|job| ("CronJob", job.meta.name.clone()));
        let found = owner.and_then(|owner| match owner.parent() {
            Some(Parent::Deployment(id)) => deployment(id),
            Some(Parent::CronJob(id)) => cron_job(id),
            None => None,
        });
        let found = found.or_else(|| owner.map(|owner| (owner.kind(), owner.name().clone())));
        let (kind, name) = found.unwrap_or_else(|| match pod.owner {
            // All pods of an owner have the beginning of their names in common.
            Some(_) => ("Pod", pod.base.name.clone()),
            None => ("Pod", pod.name()),
        });
        Payer { namespace: pod.namespace.clone(), kind: kind.into(), name }
    }
}
