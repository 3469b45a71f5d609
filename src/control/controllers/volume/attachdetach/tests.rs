//! When a volume is attached, detached, and told of, for each state in which its nodes and pods may
//! be found.

use super::*;
use crate::api::pod::Pod;
use crate::api::storage::VolumeAttachment;
use crate::api::taint::{Taint, TaintEffect};
use crate::api::volume::{Volume, VolumeSource};
use crate::control::controllers::testing::{Bench, at, secs};
use crate::control::controllers::volume::testing::{add_claim, add_volume, bench, words};
use serde_json::{Value, json};
use std::sync::Arc;

/// Two nodes, a volume `vol` that is bound to the claim `data`, and the controller.
struct Rig {
    bench: Bench,
    controller: AttachDetach,
    volume: VolumeId,
    nodes: [crate::api::NodeId; 2],
}

impl Rig {
    fn new(volume: Value) -> Rig {
        let mut bench = bench();
        let nodes = [bench.node("n1", "a"), bench.node("n2", "a")];
        let mut given = json!({"spec": {"claimRef":
            {"namespace": "default", "name": "data", "uid": "u1"}}});
        for (key, value) in volume.as_object().into_iter().flatten() {
            given["spec"][key] = value.clone();
        }
        let volume = add_volume(&mut bench.store, "vol", given);
        add_claim(
            &mut bench.store,
            json!({"metadata": {"annotations": {"pv.kubernetes.io/bind-completed": "yes"}},
                "spec": {"volumeName": "vol"}}),
        );
        bench.now = at(1000);
        Rig { bench, controller: AttachDetach::default(), volume, nodes }
    }

    /// A pod of the claim on a node.
    fn pod(&mut self, name: &str, node: usize) -> PodId {
        let source = VolumeSource::Claim { name: "data".into(), read_only: false };
        let volume = Volume { name: "data".into(), source, written: "".into() };
        let set = self.bench.replica_set(name, 1);
        let pod = self.bench.pod(set);
        let mut given: Pod = self.bench.store.pod(pod).unwrap().clone();
        self.bench.store.remove_pod(pod);
        let base = given.base_mut();
        base.name = name.into();
        base.spec =
            Arc::new(crate::api::pod::PodSpec { volumes: vec![volume], ..(*base.spec).clone() });
        (given.node, given.suffix) = (None, Default::default());
        let pod = self.bench.store.create_pod(given);
        assert!(self.bench.store.bind_pod(pod, self.nodes[node], self.bench.now));
        self.bench.store.set_pod_phase(pod, PodPhase::Running);
        pod
    }

    /// The volume is attached to a node, whose status says so, and whether it is used there.
    fn attached(&mut self, node: &str, is_used: bool) -> AttachmentId {
        let object = VolumeAttachment {
            name: format!("csi-{node}").into(),
            node: node.into(),
            attacher: "disk.example".into(),
            volume: Some("vol".into()),
            is_attached: true,
            is_deleted: false,
            created: at(0),
        };
        let id = self.bench.store.create_attachment(self.volume, object).unwrap();
        self.bench.store.report_attachment(id, true);
        if is_used {
            let used = std::iter::once(self.volume).collect();
            self.bench.store.set_volumes_in_use(&node.into(), used);
        }
        id
    }

    fn is_ready(&mut self, node: usize, ready: NodeReady) {
        self.bench.store.update_node(self.nodes[node], |n| {
            n.ready = ready;
            true
        });
    }

    fn is_out_of_service(&mut self, node: usize) {
        self.bench.store.update_node(self.nodes[node], |n| {
            n.taints.push(Taint::new(OUT_OF_SERVICE, TaintEffect::NoExecute, at(0)));
            true
        });
    }

    fn sync(&mut self) -> (Vec<String>, SimTime) {
        self.controller.look_at(self.volume);
        let outcome = self.controller.sync(&self.bench.store, self.bench.now);
        (words(&outcome, &self.bench.store), outcome.wake_at)
    }
}

#[test]
fn volumes_follow_their_pods() {
    type Row = (&'static str, Value, fn(&mut Rig), Vec<&'static str>);
    const SHARED: &str = "!FailedAttachVolume: Waiting for detach for volume \"vol\" Volume is \
                          already used by pod(s) first";
    const LEFT: &str = "!FailedAttachVolume: Waiting for detach for volume \"vol\" Volume is \
                        already exclusively attached to one node, waiting on detach before it can \
                        be attached to another node";
    let rows: Vec<Row> = vec![
        ("nobody wants it", json!({}), |_| {}, vec![]),
        ("a pod is bound", json!({}), |rig| _ = rig.pod("first", 0), vec!["attach vol n1"]),
        (
            "two pods of one node need one attachment",
            json!({}),
            |rig| _ = (rig.pod("first", 0), rig.pod("second", 0)),
            vec!["attach vol n1"],
        ),
        (
            "of two nodes one gets a volume that only one may have",
            json!({}),
            |rig| _ = (rig.pod("first", 0), rig.pod("second", 1)),
            vec!["attach vol n1"],
        ),
        (
            "and both one that many may have",
            json!({"accessModes": ["ReadWriteMany"]}),
            |rig| _ = (rig.pod("first", 0), rig.pod("second", 1)),
            vec!["attach vol n1", "attach vol n2"],
        ),
        (
            "a volume that no driver handles is not attached",
            json!({"csi": null, "hostPath": {"path": "/data"}}),
            |rig| _ = rig.pod("first", 0),
            vec![],
        ),
        (
            "it is where it shall be",
            json!({}),
            |rig| _ = (rig.attached("n1", true), rig.pod("first", 0)),
            vec![],
        ),
        (
            "it has just come there",
            json!({}),
            |rig| {
                let id = rig.attached("n1", false);
                rig.bench.store.report_attachment(id, false);
                rig.pod("first", 0);
            },
            vec![
                "SuccessfulAttachVolume: AttachVolume.Attach succeeded for volume \"vol\"",
                "report vol n1",
            ],
        ),
        (
            "its pod is elsewhere, and its node no longer uses it",
            json!({}),
            |rig| _ = (rig.attached("n1", false), rig.pod("second", 1)),
            vec!["unreport vol n1", "detach vol n1"],
        ),
        (
            "its node uses it still, and is to be trusted",
            json!({}),
            |rig| _ = (rig.attached("n1", true), rig.pod("second", 1)),
            vec![LEFT],
        ),
        (
            "another pod has it",
            json!({}),
            |rig| _ = (rig.attached("n1", true), rig.pod("first", 0), rig.pod("second", 1)),
            vec![SHARED],
        ),
        (
            "a pod that has ended has it no more",
            json!({}),
            |rig| {
                rig.attached("n1", false);
                let pod = rig.pod("first", 0);
                rig.bench.store.set_pod_phase(pod, PodPhase::Succeeded);
            },
            vec!["unreport vol n1", "detach vol n1"],
        ),
        (
            "one that is being deleted has it until its containers have ended",
            json!({}),
            |rig| {
                rig.attached("n1", true);
                let pod = rig.pod("first", 0);
                rig.bench.store.mark_pod_deleted(pod, at(999));
                rig.pod("second", 1);
            },
            vec![SHARED],
        ),
        (
            "its node is out of service: nobody waits for that",
            json!({}),
            |rig| {
                rig.attached("n1", true);
                rig.is_ready(0, NodeReady::Unknown);
                rig.is_out_of_service(0);
                rig.pod("second", 1);
            },
            vec!["unreport vol n1", "detach vol n1"],
        ),
        (
            "it is being detached: whoever wants it waits in silence",
            json!({}),
            |rig| {
                let id = rig.attached("n1", false);
                rig.bench.store.update_attachment(id, |attachment| {
                    attachment.is_deleted = true;
                    true
                });
                rig.pod("second", 1);
            },
            vec![],
        ),
    ];
    for (sentence, volume, prepare, expected) in rows {
        let mut rig = Rig::new(volume);
        prepare(&mut rig);
        assert_eq!(rig.sync().0, expected, "{sentence}");
    }
}

#[test]
fn a_node_that_is_not_ready_keeps_its_volumes_for_six_minutes() {
    type Row = (&'static str, fn(&mut Rig));
    let rows: [Row; 3] = [
        ("a silent node", |rig| rig.is_ready(0, NodeReady::Unknown)),
        ("one that says so itself", |rig| rig.is_ready(0, NodeReady::False)),
        ("one whose object is gone", |rig| _ = rig.bench.store.remove_node(rig.nodes[0])),
    ];
    for (sentence, lose) in rows {
        let mut rig = Rig::new(json!({}));
        rig.attached("n1", true);
        let first = rig.pod("first", 0);
        lose(&mut rig);
        rig.pod("second", 1);
        let (told, wake) = rig.sync();
        assert_eq!(told.len(), 1, "{sentence}: the second pod is told of the first");
        assert_eq!(wake, SimTime::NEVER, "{sentence}: while the first pod is there nothing runs");
        rig.bench.now = at(2000);
        rig.bench.store.remove_pod(first);
        let (told, wake) = rig.sync();
        assert_eq!(told, Vec::<String>::new(), "{sentence}: it is told once");
        let over = at(2000) + MAX_WAIT_FOR_UNMOUNT;
        assert_eq!(wake, over + LOOP_PERIOD, "{sentence}: the loop after six minutes");
        rig.bench.now = over;
        assert_eq!(rig.sync().0, Vec::<String>::new(), "{sentence}: not before they are over");
        rig.bench.now = wake;
        assert_eq!(rig.sync().0, ["unreport vol n1", "detach vol n1"], "{sentence}");
    }
}

#[test]
fn whoever_comes_back_stops_the_clock() {
    let mut rig = Rig::new(json!({}));
    rig.attached("n1", true);
    rig.is_ready(0, NodeReady::Unknown);
    let (_, first) = rig.sync();
    assert_eq!(first, at(1360) + LOOP_PERIOD);
    rig.bench.now = at(1200);
    let pod = rig.pod("first", 0);
    assert_eq!(rig.sync(), (vec![], SimTime::NEVER), "a pod uses it there again");
    rig.bench.store.remove_pod(pod);
    assert_eq!(rig.sync().1, at(1560) + LOOP_PERIOD, "six minutes begin anew");
    rig.bench.now = at(1200) + secs(300);
    rig.is_ready(0, NodeReady::True);
    assert_eq!(rig.sync(), (vec![], SimTime::NEVER), "a ready node says itself when it is done");
    rig.bench.store.set_volumes_in_use(&"n1".into(), BTreeSet::new());
    assert_eq!(rig.sync().0, ["unreport vol n1", "detach vol n1"]);
}
