//! Amounts by the names that quotas and limit ranges use, and what pods come to under them.
//!
//! Source: kubernetes `pkg/quota/v1/evaluator/core/pods.go` (`podComputeUsageHelper`,
//! `PodUsageFunc`), v1.37.

use super::Text;
use super::pod::{Container, PodSpec};
use super::quantity::Quantity;
use super::resources::Resources;
use crate::units::{Bytes, MilliCpu};
use std::collections::BTreeMap;

/// A `v1.ResourceList`: quantities by the names of resources, whatever these count.
pub type Amounts = BTreeMap<Text, Quantity>;

/// Amounts as upstream prints them: `pods=1,requests.cpu=300m`.
pub fn printed(amounts: &Amounts) -> String {
    let one = |(name, amount): (&Text, &Quantity)| format!("{name}={}", written(name, *amount));
    amounts.iter().map(one).collect::<Vec<String>>().join(",")
}

/// An amount of a resource as upstream writes it.
pub fn written(name: &str, amount: Quantity) -> String {
    let is_bytes = ["memory", "storage", "hugepages"].iter().any(|part| name.contains(part));
    amount.canonical(is_bytes)
}

impl Container {
    /// What it requests of a resource; `None`: nothing is written.
    pub fn requested(&self, name: &str) -> Option<Quantity> {
        let zero = match name {
            "cpu" => self.explicit_zero.cpu,
            "memory" => self.explicit_zero.memory,
            _ => false,
        };
        amount(&self.requests, name).or(zero.then(Quantity::default))
    }

    /// Its limit of a resource. Of extended resources and huge pages the limit is the request.
    pub fn limited(&self, name: &str) -> Option<Quantity> {
        match name {
            "cpu" => self.cpu_limit.map(|cpu| Quantity::of_milli(cpu.0)),
            "memory" => self.memory_limit.map(|memory| Quantity::of(memory.0)),
            "ephemeral-storage" => None,
            name => amount(&self.requests, name),
        }
    }

    /// Sets a limit. Only those of CPU and memory are kept; that of an extended resource is its
    /// request.
    pub fn set_limit(&mut self, name: &str, amount: Quantity) {
        match name {
            "cpu" => self.cpu_limit = Some(amount.as_cpu()),
            "memory" => self.memory_limit = Some(amount.as_bytes()),
            _ => {}
        }
    }

    /// Sets a request.
    pub fn set_request(&mut self, name: &Text, amount: Quantity) {
        match name.as_str() {
            "cpu" => {
                self.requests.cpu = amount.as_cpu();
                self.explicit_zero.cpu = amount.is_zero();
            }
            "memory" => {
                self.requests.memory = amount.as_bytes();
                self.explicit_zero.memory = amount.is_zero();
            }
            "ephemeral-storage" => self.requests.ephemeral_storage = amount.as_bytes(),
            _ => {
                let scalars = self.requests.scalars.get_or_insert_default();
                scalars.insert(name.clone(), amount.value());
            }
        }
    }

    /// Its limits of CPU and memory, nothing where there are none.
    fn limits(&self) -> Resources {
        let cpu = self.cpu_limit.unwrap_or(MilliCpu::ZERO);
        Resources::of(cpu, self.memory_limit.unwrap_or(Bytes::ZERO))
    }
}

impl PodSpec {
    /// All its containers.
    pub fn all_containers(&self) -> impl Iterator<Item = &Container> {
        self.containers.iter().chain(&self.init_containers)
    }

    /// What it requests of a resource without its overhead; `None`: nothing is written.
    pub fn requested(&self, name: &str) -> Option<Quantity> {
        let mut total = self.requests();
        total.subtract(&self.overhead);
        let written = self.all_containers().any(|container| container.requested(name).is_some());
        amount(&total, name).or(written.then(Quantity::default))
    }

    /// Its containers' limit of CPU or memory; `None`: nothing is written. (Limits of the pod as a
    /// whole are not kept.)
    pub fn limited(&self, name: &str) -> Option<Quantity> {
        let total = self.container_requests_by(Container::limits);
        let written = self.all_containers().any(|container| container.limited(name).is_some());
        match name {
            "cpu" | "memory" => amount(&total, name).or(written.then(Quantity::default)),
            _ => self.requested(name).filter(|_| written),
        }
    }

    /// What a pod comes to under the name of a quota's resource; `is_charged`: it has not ended.
    pub fn usage(&self, name: &str, is_charged: bool) -> Quantity {
        match name {
            "count/pods" => return Quantity::of(1),
            _ if !is_charged => return Quantity::default(),
            "pods" => return Quantity::of(1),
            _ => {}
        }
        if let Some(name) = name.strip_prefix("limits.") {
            let overhead = amount(&self.overhead, name).unwrap_or_default();
            let limit = self.limited(name).filter(|limit| !limit.is_zero());
            return limit.map_or(Quantity::default(), |limit| limit + overhead);
        }
        let name = name.strip_prefix("requests.").unwrap_or(name);
        amount(&self.requests(), name).unwrap_or_default()
    }

    /// Whether nothing of CPU or memory is requested or limited (`qosClass` BestEffort).
    pub fn is_best_effort(&self) -> bool {
        let says = |c: &Container| {
            let given = |amount: Option<Quantity>| amount.is_some_and(|amount| !amount.is_zero());
            ["cpu", "memory"].iter().any(|name| given(c.requested(name)) || given(c.limited(name)))
        };
        self.pod_requests.is_none() && !self.all_containers().any(says)
    }
}

/// The amount of a resource; `None` where there is nothing of it.
fn amount(of: &Resources, name: &str) -> Option<Quantity> {
    let amount = match name {
        "cpu" => Quantity::of_milli(of.cpu.0),
        "memory" => Quantity::of(of.memory.0),
        "ephemeral-storage" => Quantity::of(of.ephemeral_storage.0),
        name => Quantity::of(of.scalar(name)),
    };
    (!amount.is_zero()).then_some(amount)
}
