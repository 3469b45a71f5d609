//! Scripts that nobody has recorded: what a world makes of them, told by its Events and objects.

use super::script::Script;
use super::{stage, watching};
use crate::store::{Change, Store};
use crate::units::SimTime;
use crate::world::{Audience, run_before};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Sees when claims come and go, and which pods there are in the end.
#[derive(Default)]
struct Claims {
    /// By name: the seconds at which it came, and at which it went.
    lives: BTreeMap<String, Vec<u64>>,
    names: BTreeMap<crate::api::ClaimId, String>,
    pods: Vec<String>,
}

impl Audience for Claims {
    fn sees(&mut self, now: SimTime, change: &Change, store: &Store) {
        let name = match change {
            Change::Claim(id) if !self.names.contains_key(id) => {
                let name = store.claim(*id).unwrap().name.to_string();
                self.names.insert(*id, name.clone());
                Some(name)
            }
            Change::ClaimRemoved(_, claim) => Some(claim.name.to_string()),
            _ => None,
        };
        if let Some(name) = name {
            self.lives.entry(name).or_default().push(now.whole_secs());
        }
        self.pods = store.pods().map(|(_, pod)| pod.name().to_string()).collect();
    }
}

/// A set of two pods with a claim each.
fn set(policy: &Value, replicas: u32) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"},
        "spec": {
            "replicas": replicas,
            "podManagementPolicy": "Parallel",
            "persistentVolumeClaimRetentionPolicy": policy,
            "selector": {"matchLabels": {"app": "db"}},
            "template": {
                "metadata": {"labels": {"app": "db"}},
                "spec": {"containers": [{"name": "c", "image": "v1"}]},
            },
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {}}],
        },
    })
}

/// The claims and pods of a script of 30 s on two nodes.
fn played(actions: &[Value]) -> Claims {
    let script: Script = serde_json::from_value(json!({
        "name": "s", "duration_s": 30.0, "namespaces": ["demo"],
        "nodes": [{"name": "n", "count": 2}], "actions": actions,
    }))
    .unwrap();
    let scenario = stage::scenario(&script, &[], Default::default(), 0).unwrap();
    let (mut claims, mut events) = (Claims::default(), watching::Events::default());
    run_before(&scenario, 1, &mut events, &mut claims).unwrap();
    claims.pods.sort();
    claims
}

#[test]
fn claims_live_as_long_as_the_policy_says() {
    let scale = |at: f64, replicas: u32| {
        json!({
            "at": at, "do": "scale", "kind": "StatefulSet", "name": "db", "replicas": replicas,
        })
    };
    let delete = |propagation: &str| {
        json!({
            "at": 10.0, "do": "delete", "kind": "StatefulSet", "name": "db",
            "propagation": propagation,
        })
    };
    let (keep, with_pod) = (json!({}), json!({"whenScaled": "Delete"}));
    let with_set = json!({"whenDeleted": "Delete"});
    type Row<'a> = (&'a str, &'a Value, Vec<Value>, [&'a [u64]; 2], &'a [&'a str]);
    let rows: [Row<'_>; 8] = [
        ("a smaller set keeps them", &keep, vec![scale(10.0, 1)], [&[1], &[1]], &["db-0"]),
        ("or does not", &with_pod, vec![scale(10.0, 1)], [&[1], &[1, 10]], &["db-0"]),
        (
            "a larger one finds the old ones",
            &keep,
            vec![scale(10.0, 1), scale(20.0, 2)],
            [&[1], &[1]],
            &["db-0", "db-1"],
        ),
        (
            "or gets new ones",
            &with_pod,
            vec![scale(10.0, 1), scale(20.0, 2)],
            [&[1], &[1, 10, 20]],
            &["db-0", "db-1"],
        ),
        ("a set that goes leaves them", &keep, vec![delete("Background")], [&[1], &[1]], &[]),
        (
            "or takes them along, once their pods are gone",
            &with_set,
            vec![delete("Background")],
            [&[1, 10], &[1, 10]],
            &[],
        ),
        (
            "also when it waits for them",
            &with_set,
            vec![delete("Foreground")],
            [&[1, 10], &[1, 10]],
            &[],
        ),
        (
            "but not when it leaves all behind",
            &with_set,
            vec![delete("Orphan")],
            [&[1], &[1]],
            &["db-0", "db-1"],
        ),
    ];
    for (sentence, policy, more, lives, pods) in rows {
        let apply = json!({"at": 1.0, "do": "apply", "manifest": set(policy, 2)});
        let seen = played(&[vec![apply], more].concat());
        let of = |pod: &str| seen.lives[&format!("data-{pod}")].clone();
        assert_eq!([of("db-0"), of("db-1")], lives, "{sentence}");
        assert_eq!(seen.pods, pods, "{sentence}");
    }
}

#[test]
fn a_pod_comes_back_only_when_its_claim_is_new() {
    let apply = json!({"at": 1.0, "do": "apply", "manifest": set(&json!({}), 1)});
    let claim = json!({
        "at": 10.0, "do": "delete", "kind": "PersistentVolumeClaim", "name": "data-db-0",
    });
    let pod = json!({"at": 20.0, "do": "deletePods", "selector": "app=db"});
    let seen = played(&[apply.clone(), claim.clone()]);
    assert_eq!(seen.lives["data-db-0"], [1], "its pod uses it");
    let seen = played(&[apply, claim, pod]);
    assert_eq!(
        seen.lives["data-db-0"],
        [1, 20, 20],
        "without the pod it goes, and a new one comes"
    );
    assert_eq!(seen.pods, ["db-0"]);
}
