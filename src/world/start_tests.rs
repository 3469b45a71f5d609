//! Pods that wait before their containers start: for Secrets, for ConfigMaps, and for their init
//! containers.

use super::health_tests::{Told, alone, world};
use crate::api::behavior::Behavior;
use crate::api::config::{Config, ConfigKind, ConfigRef};
use crate::api::meta::Meta;
use crate::api::object::Object;
use crate::api::pod::RestartPolicy;
use crate::scenario::kubectl::Command;
use crate::scenario::model::{Happening, Scenario, TimelineEntry};
use crate::units::{SimDuration, SimTime};
use std::sync::Arc;

const S: fn(u64) -> SimTime = SimTime::from_secs;

fn config(kind: ConfigKind, keys: &[&str]) -> Object {
    Object::Config(Box::new(Config {
        kind,
        meta: Meta { name: "x".into(), namespace: "default".into(), ..Meta::default() },
        keys: keys.iter().map(|key| (*key).into()).collect(),
        secret_type: "Opaque".into(),
    }))
}

fn apply(at: u64, object: Object) -> TimelineEntry {
    let command = Command::Apply { object, keeps_replicas: false };
    TimelineEntry { at: S(at), until: None, what: Happening::Kubectl(Box::new(command)) }
}

/// Pods that need a key of Secret or ConfigMap `x`.
fn needy(kind: ConfigKind, key: &str, volume: &str) -> Scenario {
    world(30.0, |spec| {
        let (name, key, volume) = ("x".into(), key.into(), volume.into());
        let field = "".into();
        spec.config_refs = vec![ConfigRef { kind, name, key, volume, init: None, field }];
    })
}

#[test]
fn pods_wait_for_what_they_need_and_start_when_it_comes() {
    use ConfigKind::{ConfigMap, Secret};
    type Row<'a> = (&'a str, Scenario, Vec<TimelineEntry>, &'a str, &'a str, (f64, f64));
    // The reason and message of the Event, and when the first pod starts at last.
    #[rustfmt::skip]
    let rows: Vec<Row<'_>> = vec![
        ("a Secret of the environment, at the next look", needy(Secret, "", ""),
            vec![apply(100, config(Secret, &[]))], "Failed", "Error: secret \"x\" not found", (100.0, 117.0)),
        ("a ConfigMap likewise", needy(ConfigMap, "", ""),
            vec![apply(100, config(ConfigMap, &[]))], "Failed", "Error: configmap \"x\" not found", (100.0, 117.0)),
        ("a key that comes later", needy(Secret, "k", ""),
            vec![apply(0, config(Secret, &["a"])), apply(200, config(Secret, &["a", "k"]))],
            "Failed", "Error: couldn't find key k in Secret default/x", (200.0, 217.0)),
        ("the wrong kind is none", needy(Secret, "", ""), vec![apply(100, config(ConfigMap, &[]))],
            "Failed", "Error: secret \"x\" not found", (0.0, 0.0)),
        // Tries after 0.5, 1, 2, ... seconds: the first one after 100 s is that at 127.5. The pod's
        // worker gave up waiting at 123, and waits again 10 to 15 s later.
        ("a volume, at the next try, when the pod is looked at again", needy(Secret, "", "v"), vec![apply(100, config(Secret, &[]))],
            "FailedMount", "MountVolume.SetUp failed for volume \"v\" : secret \"x\" not found", (133.0, 156.0)),
    ];
    for (sentence, mut scenario, timeline, reason, message, started) in rows {
        scenario.timeline = timeline;
        let told = Told::of(&scenario);
        assert!(
            told.events.iter().any(|(_, r, m)| *r == reason && m == message),
            "{sentence}: {:?}",
            told.events
        );
        let running = told.pods.iter().filter_map(|pod| pod.running).min();
        let Some(first) = running.map(|at| at.as_secs_f64()) else {
            assert_eq!(started, (0.0, 0.0), "{sentence}");
            continue;
        };
        assert!(started.0 <= first && first <= started.1, "{sentence}: {first}");
        assert_eq!(told.ready(1799), 3, "{sentence}");
    }
}

#[test]
fn volumes_are_tried_again_after_twice_the_time() {
    let told = Told::of(&needy(ConfigKind::Secret, "", "v"));
    let first: Vec<f64> = told.at("FailedMount").into_iter().filter(|at| *at < 130.0).collect();
    // Three pods, each at the same times.
    let times: Vec<f64> = first.chunks(3).map(|pods| pods[0]).collect();
    assert_eq!(times, [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 63.5, 127.5]);
}

#[test]
fn a_container_needs_its_environment_when_it_is_its_turn() {
    // Which container needs a Secret that never comes, and how many init containers start before.
    for (sentence, turn, started) in
        [("the first one", Some(0), 0), ("the second one", Some(1), 1), ("the others", None, 2)]
    {
        let mut scenario = with_init(false, Behavior::default(), RestartPolicy::Always);
        if let Some(Object::Pod(pod)) = scenario.objects.applied.last_mut() {
            let (kind, none) = (ConfigKind::Secret, "".into());
            let reference = ConfigRef {
                kind,
                name: "x".into(),
                key: "".into(),
                volume: none,
                init: turn,
                field: "".into(),
            };
            Arc::make_mut(&mut pod.base_mut().spec).config_refs = vec![reference];
        }
        assert_eq!(Told::of(&scenario).at("Started").len(), started, "{sentence}");
    }
}

#[test]
fn a_settled_start_has_pods_running_whose_objects_are_there() {
    let mut scenario = needy(ConfigKind::Secret, "", "");
    scenario.objects.applied.push(config(ConfigKind::Secret, &[]));
    let told = Told::of(&scenario);
    assert_eq!((told.events.len(), told.ready(15)), (0, 3));
}

#[test]
fn a_pod_that_succeeds_makes_what_others_wait_for() {
    // With what the pod ends after a minute, and how many of the three others are ready in the end.
    for (sentence, exit_code, ready) in
        [("it succeeds", 0, 3), ("it fails, and makes nothing", 1, 0)]
    {
        let behavior = Behavior {
            run: Some(SimDuration::from_secs(60)),
            exit_code,
            creates: vec![(ConfigKind::Secret, "x".into())],
            ..Behavior::default()
        };
        let mut scenario = alone(behavior, RestartPolicy::Never);
        let (name, key, volume) = ("x".into(), "k".into(), "".into());
        let (kind, field) = (ConfigKind::Secret, "".into());
        let reference = ConfigRef { kind, name, key, volume, init: None, field };
        let template = &mut scenario.objects.deployments[0].template;
        Arc::make_mut(&mut template.spec).config_refs = vec![reference];
        let told = Told::of(&scenario);
        assert_eq!((told.ready(55), told.ready(1799)), (0, ready), "{sentence}");
    }
}

fn init(name: &str, sidecar: bool) -> crate::api::pod::Container {
    crate::api::pod::Container { name: name.into(), sidecar, ..Default::default() }
}

/// A pod with init containers `a` and `b`, of which the second may be a sidecar.
fn with_init(sidecar: bool, behavior: Behavior, policy: RestartPolicy) -> Scenario {
    let mut scenario = alone(behavior, policy);
    scenario.cold_start = true;
    scenario.objects.deployments[0].replicas = 0;
    if let Some(Object::Pod(pod)) = scenario.objects.applied.last_mut() {
        let spec = Arc::make_mut(&mut pod.base_mut().spec);
        spec.init_containers = vec![init("a", false), init("b", sidecar)];
        spec.containers[0].liveness_probe = None;
    }
    scenario
}

#[test]
fn init_containers_run_one_after_the_other() {
    let runs = |seconds: &[u64]| Behavior {
        init_runs: seconds.iter().map(|s| SimDuration::from_secs(*s)).collect(),
        ..Behavior::default()
    };
    let fails = |failures: &[u32]| Behavior { init_failures: failures.to_vec(), ..runs(&[2]) };
    // When the pod is Running, its phase at the end, and how often a container was started.
    #[rustfmt::skip]
    let rows = [
        ("each runs for its time", with_init(false, runs(&[5, 20]), RestartPolicy::Always), (25.0, 31.0), "Running", 3),
        ("a sidecar need only start", with_init(true, runs(&[5, 20]), RestartPolicy::Always), (5.0, 11.0), "Running", 3),
        ("one that fails starts again: at once, then after 10 s", with_init(false, fails(&[0, 2]), RestartPolicy::Always), (16.0, 34.0), "Running", 5),
        ("of a pod that is never restarted it ends the pod", with_init(false, fails(&[1]), RestartPolicy::Never), (0.0, 0.0), "Failed", 1),
    ];
    for (sentence, scenario, running, phase, starts) in rows {
        let told = Told::of(&scenario);
        let pod = told.pods.iter().find(|pod| *pod.name == *"alone").unwrap();
        let at = pod.running.map_or(0.0, |at| at.as_secs_f64());
        assert!(running.0 <= at && at <= running.1, "{sentence}: {at}");
        assert_eq!(pod.phase, phase, "{sentence}");
        assert_eq!(told.at("Started").len(), starts, "{sentence}");
    }
}

#[test]
fn what_has_done_its_work_ends_although_its_sidecar_would_not() {
    // How a pod ends whose main container runs for a minute, and when its sidecar is told to stop.
    #[rustfmt::skip]
    let rows = [
        ("done well", RestartPolicy::Never, 0, "Succeeded", 1),
        ("badly", RestartPolicy::Never, 3, "Failed", 1),
        ("done well, although failures start again", RestartPolicy::OnFailure, 0, "Succeeded", 1),
        ("what starts again keeps its sidecar", RestartPolicy::OnFailure, 3, "Running", 0),
    ];
    for (sentence, policy, exit_code, phase, stops) in rows {
        let run = Some(SimDuration::from_secs(60));
        let behavior = Behavior { run, exit_code, ..Behavior::default() };
        let told = Told::of(&with_init(true, behavior, policy));
        let pod = told.pods.iter().find(|pod| *pod.name == *"alone").unwrap();
        assert_eq!(pod.phase, phase, "{sentence}");
        let stopped = told.events.iter().filter(|(_, _, m)| m == "Stopping container b");
        let at: Vec<f64> = stopped.map(|(at, ..)| *at).collect();
        assert_eq!(at.len(), stops, "{sentence}: {at:?}");
        // The kubelet sees at its relist that only the sidecar is left.
        assert!(at.iter().all(|at| at.fract() == 0.0 && *at > 60.0), "{sentence}: {at:?}");
    }
}
