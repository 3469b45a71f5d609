//! Lines of kubectl, as people type them into a timeline.

use super::controllers::{Made, TEAM};
use super::{Draw, Shape};

/// A line about one of the Deployments, the other objects or the nodes.
pub fn line(world: &Shape, draw: &mut Draw) -> String {
    match draw.number(0, 10) {
        0..=2 => of_deployment(world, draw),
        10 => super::starts::line(draw.number(0, world.apps - 1), draw),
        3..=6 if !world.made.is_empty() => {
            let made = &world.made[draw.number(0, world.made.len() as u64 - 1) as usize];
            of_object(made, draw)
        }
        7 => of_pods(world, draw),
        _ => of_node(world, draw),
    }
}

fn cascade(draw: &mut Draw) -> &'static str {
    match draw.number(0, 4) {
        0 => " --cascade=orphan",
        1 => " --cascade=foreground",
        2 => " --cascade=background",
        _ => "",
    }
}

fn of_deployment(world: &Shape, draw: &mut Draw) -> String {
    let app = draw.number(0, world.apps - 1);
    match draw.number(0, 14) {
        0 => format!("scale deployment/app{app} --replicas={}", draw.number(0, 15)),
        1..=3 => {
            let image = draw.number(1, 4);
            format!("set image deployment/app{app} main=registry.example/app{app}:{image}")
        }
        4 => format!("rollout pause deployment/app{app}"),
        5 => format!("rollout resume deployment/app{app}"),
        6 => format!("rollout restart deployment app{app}"),
        7 => format!("rollout undo deploy/app{app}"),
        8 => format!("rollout undo deploy/app{app} --to-revision={}", draw.number(1, 3)),
        9 => format!("delete deployment app{app}{}", cascade(draw)),
        10 | 11 => "apply -f apps.yaml".to_owned(),
        12 => format!("expose deployment app{app} --port=80 --name=front{app}"),
        13 => {
            let limits = [50, 100, 200, 500][draw.number(0, 3) as usize];
            format!("set resources deployment/app{app} --limits=cpu={limits}m,memory={limits}Mi")
        }
        _ => {
            let min = draw.number(1, 4);
            let max = min + draw.number(0, 6);
            format!("autoscale deployment app{app} --min={min} --max={max} --cpu-percent=60")
        }
    }
}

fn of_object(made: &Made, draw: &mut Draw) -> String {
    let Made { kind, name, namespace, .. } = made;
    match draw.number(0, 9) {
        0 => format!("delete {kind} {name}{}{}", cascade(draw), in_namespace(namespace)),
        1 => format!("delete -f {}", made.file(0)),
        2 => format!("create -f {}", made.file(0)),
        3 | 4 if made.scales() => format!(
            "scale {kind}/{name} --replicas={}{}",
            draw.number(0, 9),
            in_namespace(namespace)
        ),
        5 if matches!(*kind, "statefulset" | "daemonset") => {
            format!("rollout restart {kind}/{name}{}", in_namespace(namespace))
        }
        6 if matches!(*kind, "statefulset" | "daemonset") => format!(
            "set image {kind}/{name} main=registry.example/{name}:{}{}",
            draw.number(0, 3),
            in_namespace(namespace)
        ),
        7 if *kind == "statefulset" => {
            format!("delete pod {name}-{}{}", draw.number(0, 4), in_namespace(namespace))
        }
        8 => format!("apply -f {}", made.file(0)),
        _ => format!("apply -f {}", made.file(1)),
    }
}

fn in_namespace(namespace: &str) -> String {
    if namespace == TEAM { format!(" -n {TEAM}") } else { String::new() }
}

fn of_pods(world: &Shape, draw: &mut Draw) -> String {
    let with_pods: Vec<&Made> = world.made.iter().filter(|made| made.has_pods()).collect();
    let (label, namespace) = match draw.number(0, 2) {
        0 if !with_pods.is_empty() => {
            let made = with_pods[draw.number(0, with_pods.len() as u64 - 1) as usize];
            (made.name.clone(), in_namespace(made.namespace))
        }
        _ => (format!("app{}", draw.number(0, world.apps - 1)), String::new()),
    };
    match draw.number(0, 5) {
        0 => {
            let cost = draw.number(0, 200) as i64 - 100;
            format!(
                "annotate pods -l app={label} controller.kubernetes.io/pod-deletion-cost={cost}{namespace}"
            )
        }
        1 => format!("label pods -l app={label} app=nobody --overwrite{namespace}"),
        2 => format!("label pods -l app=nobody app={label} --overwrite{namespace}"),
        3 => format!("label pods -l app={label} seen=yes{namespace}"),
        4 => format!("delete pods -l app={label} --grace-period={}{namespace}", draw.number(0, 20)),
        _ => format!("delete pods -l app={label}{namespace}"),
    }
}

fn of_node(world: &Shape, draw: &mut Draw) -> String {
    let (group, count) = world.nodes[draw.number(0, world.nodes.len() as u64 - 1) as usize];
    if count == 0 {
        return "apply -f apps.yaml".to_owned();
    }
    let node = format!("group{group}-{}", draw.number(0, count - 1));
    let effect = draw.one_of(&["NoSchedule", "PreferNoSchedule", "NoExecute"]);
    match draw.number(0, 9) {
        0 => format!("cordon {node}"),
        1 | 2 => format!("uncordon {node}"),
        3..=5 => format!("drain {node} --ignore-daemonsets --delete-emptydir-data --force"),
        6 => format!("taint nodes {node} swarm=yes:{effect}"),
        7 => format!("taint nodes {node} swarm-"),
        8 => format!("label node {node} disk={}", draw.one_of(&["ssd", "hdd"])),
        _ => format!("delete node {node}"),
    }
}
