//! Pods that have written more than they may: each is evicted, whatever room its node has.
//!
//! Source: kubernetes `pkg/kubelet/eviction/eviction_manager.go` (`localStorageEviction`), v1.37.
//! `sizeLimit` of volumes is not modelled. It does not know what a pod writes.

use super::rank::{Share, amount};
use crate::api::pod::PodSpec;

/// The sum of all limits of ephemeral storage, if there is any.
fn pod_limit(spec: &PodSpec) -> Option<i64> {
    let limits = spec.containers.iter().filter_map(|container| container.disk_limit);
    limits.map(|limit| limit.0).reduce(|all, limit| all + limit)
}

/// What a pod has to write at least to be above a limit: its containers write in parts.
pub fn lowest_limit(spec: &PodSpec) -> Option<f64> {
    let whole = pod_limit(spec)? as f64;
    let parts = parts_of(spec);
    let limits = spec.containers.iter().zip(parts).filter_map(|(container, part)| {
        Some(container.disk_limit?.0 as f64 / part).filter(|limit| limit.is_finite())
    });
    Some(limits.fold(whole, f64::min))
}

/// Each container's part of what the pod writes: by what it requests, or equal parts.
pub fn parts_of(spec: &PodSpec) -> Vec<f64> {
    let requests = spec.containers.iter().map(|c| c.requests.ephemeral_storage.0 as f64);
    let all: f64 = requests.clone().sum();
    let equal = 1.0 / spec.containers.len().max(1) as f64;
    requests.map(|request| if all > 0.0 { request / all } else { equal }).collect()
}

/// Why a pod has to go that has written so much, its containers these parts of it; `None`: it may
/// stay.
pub fn above_limit(spec: &PodSpec, written: i64, containers: &[Share]) -> Option<String> {
    let whole = pod_limit(spec)?;
    if written > whole {
        let limit = amount(whole);
        return Some(format!(
            "Pod ephemeral local storage usage exceeds the total limit of containers {limit}. "
        ));
    }
    spec.containers.iter().zip(containers).find_map(|(container, (name, used, _))| {
        let limit = container.disk_limit.filter(|limit| *used > limit.0)?;
        let limit = amount(limit.0);
        Some(format!("Container {name} exceeded its local ephemeral storage limit {limit:?}. "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::pod::Container;
    use crate::units::Bytes;

    #[test]
    fn who_is_above_a_limit_goes() {
        let spec = |limits: &[i64]| {
            let container = |(index, limit): (usize, &i64)| Container {
                name: format!("c{index}").into(),
                disk_limit: (*limit > 0).then_some(Bytes(limit << 30)),
                ..Container::default()
            };
            let containers = limits.iter().enumerate().map(container).collect();
            PodSpec { containers, ..PodSpec::default() }
        };
        let of_pod = |gi: u8| {
            format!(
                "Pod ephemeral local storage usage exceeds the total limit of containers {gi}Gi. "
            )
        };
        let of_c0 = "Container c0 exceeded its local ephemeral storage limit \"1Gi\". ".to_owned();
        let rows = [
            ("without a limit nobody goes", spec(&[0]), 100, None),
            ("at the limit neither", spec(&[2]), 2, None),
            ("the pod's is the sum of its containers'", spec(&[1, 2]), 4, Some(of_pod(3))),
            ("a container has its own", spec(&[1, 6]), 4, Some(of_c0.clone())),
            ("one without a limit does not count, but writes", spec(&[3, 0]), 4, Some(of_pod(3))),
        ];
        for (sentence, spec, written, expected) in rows {
            let written = written << 30;
            let parts = parts_of(&spec);
            let share =
                |(c, part): (&Container, f64)| (c.name.clone(), (written as f64 * part) as i64, 0);
            let shares: Vec<Share> = spec.containers.iter().zip(parts).map(share).collect();
            assert_eq!(above_limit(&spec, written, &shares), expected, "{sentence}");
            let above = lowest_limit(&spec).is_some_and(|limit| written as f64 > limit);
            assert_eq!(above, expected.is_some(), "{sentence}: foreseen");
        }
    }
}
