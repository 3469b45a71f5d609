//! Annotations `cluster-autoscaler.kubernetes.io/...` and `karpenter.sh/do-not-disrupt` of a pod
//! template, and its local volumes.

use crate::api::drain_hints::DrainHints;
use crate::units::SimDuration;
use k8s_openapi::api::core::v1 as k8s;
use std::collections::BTreeMap;

const PREFIX: &str = "cluster-autoscaler.kubernetes.io/";
const DO_NOT_DISRUPT: &str = "karpenter.sh/do-not-disrupt";

/// What a pod tells; `None`: nothing. Values that upstream does not understand say nothing.
pub(super) fn drain_hints(
    annotations: Option<&BTreeMap<String, String>>,
    volumes: Option<&[k8s::Volume]>,
) -> Option<Box<DrainHints>> {
    let said = |word: &str| annotations?.get(&format!("{PREFIX}{word}")).map(String::as_str);
    let flag = |word: &str| match said(word) {
        Some("true") => Some(true),
        Some("false") => Some(false),
        _ => None,
    };
    let listed = said("safe-to-evict-local-volumes").unwrap_or_default();
    let stays = |volume: &&k8s::Volume| {
        is_local(volume) && !listed.split(',').any(|name| name == volume.name)
    };
    let hints = DrainHints {
        safe_to_evict: flag("safe-to-evict"),
        local_storage: volumes.into_iter().flatten().any(|volume| stays(&volume)),
        enable_ds_eviction: flag("enable-ds-eviction"),
        skip_reschedule: flag("skip-reschedule") == Some(true),
        scale_up_delay: said("pod-scale-up-delay").and_then(go_duration),
        undisrupted: annotations.and_then(|all| all.get(DO_NOT_DISRUPT)).and_then(|value| {
            if value == "true" { Some(SimDuration::MAX) } else { go_duration(value) }
        }),
    };
    (hints != DrainHints::default()).then(|| Box::new(hints))
}

/// Content that is lost with the node; memory is lost anyway.
fn is_local(volume: &k8s::Volume) -> bool {
    let on_disk = |dir: &k8s::EmptyDirVolumeSource| dir.medium.as_deref() != Some("Memory");
    volume.host_path.is_some() || volume.empty_dir.as_ref().is_some_and(on_disk)
}

/// A duration as Go writes it, of hours, minutes, seconds and milliseconds: `1h30m`, `0.5s`.
pub(super) fn go_duration(text: &str) -> Option<SimDuration> {
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let amount: f64 = rest[..digits].parse().ok()?;
        let unit = [("ms", 0.001), ("h", 3600.0), ("m", 60.0), ("s", 1.0)];
        let (unit, factor) = unit.iter().find(|(unit, _)| rest[digits..].starts_with(unit))?;
        seconds += amount * factor;
        rest = &rest[digits + unit.len()..];
    }
    (!text.is_empty()).then(|| SimDuration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hints(annotations: &[(&str, &str)], volumes: serde_json::Value) -> Option<DrainHints> {
        let pair = |(word, value): &(&str, &str)| (format!("{PREFIX}{word}"), (*value).to_owned());
        let annotations: BTreeMap<String, String> = annotations.iter().map(pair).collect();
        let volumes: Vec<k8s::Volume> = serde_json::from_value(volumes).unwrap();
        drain_hints(Some(&annotations), Some(&volumes)).map(|hints| *hints)
    }

    #[test]
    fn volumes_on_disk_keep_a_pod_unless_they_are_named() {
        let dir = serde_json::json!([{"name": "tmp", "emptyDir": {}}]);
        let host = serde_json::json!([{"name": "logs", "hostPath": {"path": "/var/log"}}]);
        let memory = serde_json::json!([{"name": "tmp", "emptyDir": {"medium": "Memory"}}]);
        let config = serde_json::json!([{"name": "c", "configMap": {"name": "c"}}]);
        let list = |names| [("safe-to-evict-local-volumes", names)];
        let keeps = Some(DrainHints { local_storage: true, ..DrainHints::default() });
        let rows = [
            ("a directory on disk", hints(&[], dir.clone()), keeps),
            ("one of the host's", hints(&[], host), keeps),
            ("one in memory does not", hints(&[], memory), None),
            ("nor does a ConfigMap", hints(&[], config), None),
            ("nor one that is named", hints(&list("a,tmp"), dir.clone()), None),
            ("one that is not among those named", hints(&list("a"), dir), keeps),
        ];
        for (sentence, found, expected) in rows {
            assert_eq!(found, expected, "{sentence}");
        }
    }

    #[test]
    fn annotations_are_read_as_upstream_reads_them() {
        let none = || serde_json::json!([]);
        let safe = |value| hints(&[("safe-to-evict", value)], none());
        assert_eq!(safe("true").unwrap().safe_to_evict, Some(true));
        assert_eq!(safe("false").unwrap().safe_to_evict, Some(false));
        assert_eq!(safe("yes"), None, "what is neither says nothing");
        let delay = |value| hints(&[("pod-scale-up-delay", value)], none());
        for (text, seconds) in [("600s", 600), ("1h30m", 5400), ("2m0.5s", 120)] {
            let found = delay(text).unwrap().scale_up_delay.unwrap();
            assert_eq!(found.0 / 1_000_000_000, seconds, "{text}");
        }
        assert_eq!(delay("soon"), None);
        assert_eq!(delay("10"), None, "a number without a unit");
    }
}
