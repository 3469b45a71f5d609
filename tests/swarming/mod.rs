//! Makes a random scenario of a seed: text, as a person would write it.
//!
//! It knows the format, not the simulation. What it makes is always valid; what it is about is not
//! always sensible, and need not be.

mod controllers;
mod hands;
mod starts;

use controllers::Made;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use stormglass::sim::rng::{Stream, Streams};

/// Writes the scenario of a seed and its manifests into a folder; the scenario's path.
pub fn write(folder: &Path, seed: u64) -> PathBuf {
    let mut draw = Draw(Streams::new(seed).stream("swarm", 0));
    let world = Shape::new(&mut draw);
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("apps.yaml"), world.manifests(&mut draw)).unwrap();
    for made in &world.made {
        for (version, text) in made.versions.iter().enumerate() {
            std::fs::write(folder.join(made.file(version)), text).unwrap();
        }
    }
    let file = folder.join("scenario.yaml");
    std::fs::write(&file, world.scenario(seed, &mut draw)).unwrap();
    file
}

struct Draw(Stream);

impl Draw {
    /// A number from `from` to `to`, both included.
    fn number(&mut self, from: u64, to: u64) -> u64 {
        from + self.0.below(to - from + 1)
    }

    /// True in so many of a hundred cases.
    fn chance(&mut self, percent: u64) -> bool {
        self.0.below(100) < percent
    }

    fn one_of<'a>(&mut self, items: &[&'a str]) -> &'a str {
        self.0.pick(items).unwrap()
    }
}

const ZONES: [&str; 3] = ["a", "b", "c"];

/// What scenario and manifests must agree on.
struct Shape {
    /// The node groups: number and count.
    nodes: Vec<(u64, u64)>,
    zones: usize,
    apps: u64,
    minutes: u64,
    dedicated: bool,
    /// Objects beside the Deployments.
    made: Vec<Made>,
}

impl Shape {
    fn new(draw: &mut Draw) -> Shape {
        let groups = draw.number(1, 3);
        Shape {
            nodes: (0..groups).map(|g| (g, draw.number(u64::from(g == 0), 6))).collect(),
            zones: draw.number(1, 3) as usize,
            apps: draw.number(1, 4),
            minutes: draw.number(15, 120),
            dedicated: draw.chance(20),
            made: controllers::some(draw),
        }
    }

    fn zone_list(&self) -> String {
        ZONES[..self.zones].join(", ")
    }

    fn manifests(&self, draw: &mut Draw) -> String {
        let mut out = String::from(
            "apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: high}
value: 1000
---
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: patient}
value: 500
preemptionPolicy: Never
",
        );
        for app in 0..self.apps {
            self.deployment(app, draw, &mut out);
            if draw.chance(40) {
                autoscaler(app, draw, &mut out);
            }
            if draw.chance(30) {
                budget(app, draw, &mut out);
            }
        }
        out
    }

    fn deployment(&self, app: u64, draw: &mut Draw, out: &mut String) {
        let (cpu, memory) = (draw.number(50, 1500), draw.number(32, 1024));
        let (limit, more) = (cpu + draw.number(0, 500), memory + draw.number(0, 512));
        let limits = match draw.number(0, 2) {
            0 => String::new(),
            1 => format!("\n          limits: {{cpu: {limit}m, memory: {more}Mi}}"),
            _ => format!("\n          limits: {{memory: {more}Mi}}"),
        };
        let policy = draw.one_of(&["IfNotPresent", "IfNotPresent", "Always", "Never"]);
        let grace = draw.number(0, 40);
        let replicas = draw.number(0, 12);
        let rollout = rollout(draw);
        let (annotations, init) = starts::init_containers(app, draw);
        let (environment, volume) = starts::config(app, draw);
        write!(
            out,
            "---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: app{app}}}
spec:
  replicas: {replicas}
{rollout}  selector: {{matchLabels: {{app: app{app}}}}}
  template:
    metadata: {{labels: {{app: app{app}}}{annotations}}}
    spec:
      terminationGracePeriodSeconds: {grace}
{init}{volume}      containers:
      - name: main
        image: registry.example/app{app}:1
        imagePullPolicy: {policy}
        resources:
          requests: {{cpu: {cpu}m, memory: {memory}Mi}}{limits}
{environment}"
        )
        .unwrap();
        self.placement(app, draw, out);
        let more = match replicas % 4 {
            3 => "sessionAffinity: ClientIP",
            2 => "type: LoadBalancer\n  externalTrafficPolicy: Local",
            _ => "type: ClusterIP",
        };
        write!(
            out,
            "---
apiVersion: v1
kind: Service
metadata: {{name: app{app}}}
spec:
  selector: {{app: app{app}}}
  {more}
  ports: [{{port: 80}}]
"
        )
        .unwrap();
    }

    /// Where the pods of an app want to be: the rest of their spec.
    fn placement(&self, app: u64, draw: &mut Draw, out: &mut String) {
        if draw.chance(25) {
            let class = draw.one_of(&["high", "patient"]);
            writeln!(out, "      priorityClassName: {class}").unwrap();
        }
        if draw.chance(15) {
            let zone = draw.one_of(&ZONES[..self.zones]);
            writeln!(out, "      nodeSelector: {{topology.kubernetes.io/zone: {zone}}}").unwrap();
        }
        if draw.chance(30) {
            let (skew, when) =
                (draw.number(1, 3), draw.one_of(&["DoNotSchedule", "ScheduleAnyway"]));
            let key = draw.one_of(&["topology.kubernetes.io/zone", "kubernetes.io/hostname"]);
            let selector = format!("{{matchLabels: {{app: app{app}}}}}");
            writeln!(
                out,
                "      topologySpreadConstraints:
      - {{maxSkew: {skew}, topologyKey: {key}, whenUnsatisfiable: {when}, labelSelector: {selector}}}"
            )
            .unwrap();
        }
        if draw.chance(20) {
            writeln!(
                out,
                "      affinity:
        podAntiAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
          - topologyKey: kubernetes.io/hostname
            labelSelector: {{matchLabels: {{app: app{app}}}}}"
            )
            .unwrap();
        }
        if self.dedicated && draw.chance(50) {
            writeln!(
                out,
                "      tolerations: [{{key: dedicated, operator: Exists, effect: NoSchedule}}]"
            )
            .unwrap();
        } else if draw.chance(20) {
            let seconds = draw.number(0, 120);
            let key = draw.one_of(&["unreachable", "not-ready"]);
            writeln!(
                out,
                "      tolerations: [{{key: node.kubernetes.io/{key}, operator: Exists, effect: \
                 NoExecute, tolerationSeconds: {seconds}}}]"
            )
            .unwrap();
        }
    }

    fn scenario(&self, seed: u64, draw: &mut Draw) -> String {
        let minutes = self.minutes;
        let files: String = self.made.iter().map(|made| format!(", {}", made.file(0))).collect();
        let mut out = format!(
            "question: Does anything break in swarm {seed}?\nduration: {minutes}m\nmanifests: \
             [apps.yaml{files}]\nobserve: {{every: 30s}}\n"
        );
        if draw.chance(40) {
            out.push_str("start: cold\n");
        }
        out.push_str("existing: [\"configmap/*\"]\n");
        self.nodes(draw, &mut out);
        self.workloads(draw, &mut out);
        self.traffic(draw, &mut out);
        self.timeline(draw, &mut out);
        flags(draw, &mut out);
        out
    }

    fn nodes(&self, draw: &mut Draw, out: &mut String) {
        out.push_str("nodes:\n");
        for (group, count) in self.nodes.iter().copied() {
            let machine =
                draw.one_of(&["n1-standard-2", "n1-standard-4", "e2-standard-4", "m5.large"]);
            let zones = self.zone_list();
            writeln!(out, "  - name: group{group}\n    machine: {machine}\n    count: {count}")
                .unwrap();
            writeln!(out, "    zones: [{zones}]").unwrap();
            if draw.chance(60) {
                let (min, max) = (draw.number(0, count), count + draw.number(0, 10));
                writeln!(out, "    min: {min}\n    max: {max}").unwrap();
            }
            if draw.chance(20) {
                out.push_str("    boot-failure: 20%\n");
            }
            if self.dedicated && group > 0 {
                out.push_str("    taints: [{key: dedicated, effect: NoSchedule}]\n");
            }
        }
    }

    fn workloads(&self, draw: &mut Draw, out: &mut String) {
        out.push_str("workloads:\n");
        for app in 0..self.apps {
            let (demand, wait) = (draw.number(1, 60), draw.number(0, 40));
            let (slots, queue) = (draw.number(1, 64), draw.number(0, 500));
            let timeout = draw.number(100, 5000);
            let (p50, more) = (draw.number(1, 20), draw.number(1, 20));
            write!(
                out,
                "  app{app}:
    demand: {demand}ms
    wait: {wait}ms
    concurrency: {slots}
    queue: {queue}
    timeout: {timeout}ms
    startup: {{p50: {p50}s, p99: {}s}}
    image: {{size: {}M, layers: {}}}
    memory: {{base: {}Mi, per-request: {}Ki}}
",
                p50 + more,
                draw.number(1, 900),
                draw.number(1, 30),
                draw.number(8, 64),
                draw.number(0, 4096),
            )
            .unwrap();
            // Calls go to later apps only: no cycles.
            if app + 1 < self.apps && draw.chance(50) {
                let (to, times) = (draw.number(app + 1, self.apps - 1), draw.number(1, 30));
                writeln!(out, "    calls: {{app{to}: {}}}", times as f64 / 10.0).unwrap();
            }
        }
    }

    fn traffic(&self, draw: &mut Draw, out: &mut String) {
        out.push_str("traffic:\n");
        for app in 0..self.apps {
            if app > 0 && draw.chance(50) {
                continue;
            }
            let rate = curve(self.minutes, draw);
            let clients = 3 + 7 * app;
            writeln!(out, "  - to: app{app}\n    rate: {rate}\n    clients: {clients}").unwrap();
            if draw.chance(40) {
                writeln!(out, "    noise: {}%", draw.number(1, 30)).unwrap();
            }
        }
    }

    fn timeline(&self, draw: &mut Draw, out: &mut String) {
        let entries = draw.number(0, 12);
        if entries > 0 {
            out.push_str("timeline:\n");
        }
        for _ in 0..entries {
            let at = draw.number(1, self.minutes * 60 - 60);
            writeln!(out, "  - at: {at}s").unwrap();
            if draw.chance(50) {
                writeln!(out, "    kubectl: \"{}\"", hands::line(self, draw)).unwrap();
                continue;
            }
            let what = self.happening(draw);
            let ends = ["registry", "api-server", "crash-loop"];
            let must_end = ends.iter().any(|kind| what.starts_with(kind));
            let may_end = what.starts_with("node-") && !what.starts_with("node-group")
                || what.starts_with("zone");
            if must_end || may_end && draw.chance(60) {
                writeln!(out, "    for: {}s", draw.number(5, 1800)).unwrap();
            }
            writeln!(out, "    {what}").unwrap();
        }
    }

    fn happening(&self, draw: &mut Draw) -> String {
        let app = draw.number(0, self.apps - 1);
        let group = draw.number(0, self.nodes.len() as u64 - 1);
        let zone = draw.one_of(&ZONES[..self.zones]);
        let count = draw.number(1, 4);
        match draw.number(0, 12) {
            0 => format!("node-crash: {{group: group{group}, count: {count}}}"),
            1 => format!("node-hang: {{group: group{group}, count: {count}}}"),
            2 => format!("node-hang: {{zone: {zone}}}"),
            3 => format!("zone-outage: {{zone: {zone}}}"),
            4 => format!("container-crash: {{deployment: app{app}, count: {count}}}"),
            5 => format!("crash-loop: {{deployment: app{app}, after: {}s}}", draw.number(1, 60)),
            6 => format!("delete-pods: {{deployment: app{app}}}"),
            7 => format!("registry-slow: {{factor: {}}}", draw.number(2, 50)),
            8 => format!("registry-outage: {{fails-after: {}s}}", draw.number(0, 60)),
            9 => format!("scale: {{deployment: app{app}, replicas: {}}}", draw.number(0, 20)),
            10 => "api-server-outage: {}".to_string(),
            11 => {
                let components = ["kube-controller-manager", "kube-scheduler"];
                format!("component-crash: {{component: {}}}", draw.one_of(&components))
            }
            _ => format!("node-crash: {{count: {count}}}"),
        }
    }
}

/// How a Deployment rolls its pods: the first lines of its spec.
fn rollout(draw: &mut Draw) -> String {
    let mut out = String::new();
    match draw.number(0, 3) {
        0 => out.push_str("  strategy: {type: Recreate}\n"),
        1 => {
            let (surge, away) = (draw.number(0, 4), draw.number(0, 4));
            let away = if surge == 0 { away.max(1) } else { away };
            writeln!(
                out,
                "  strategy: {{rollingUpdate: {{maxSurge: {surge}, maxUnavailable: {away}}}}}"
            )
            .unwrap();
        }
        2 => {
            let (surge, away) = (draw.number(1, 100), draw.number(0, 100));
            writeln!(
                out,
                "  strategy: {{rollingUpdate: {{maxSurge: {surge}%, maxUnavailable: {away}%}}}}"
            )
            .unwrap();
        }
        _ => {}
    }
    if draw.chance(30) {
        writeln!(out, "  minReadySeconds: {}", draw.number(1, 60)).unwrap();
    }
    if draw.chance(20) {
        writeln!(out, "  revisionHistoryLimit: {}", draw.number(0, 2)).unwrap();
    }
    if draw.chance(20) {
        writeln!(out, "  progressDeadlineSeconds: {}", draw.number(61, 300)).unwrap();
    }
    out
}

fn autoscaler(app: u64, draw: &mut Draw, out: &mut String) {
    let min = draw.number(1, 4);
    let max = min + draw.number(0, 20);
    let target = draw.number(30, 90);
    write!(
        out,
        "---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{name: app{app}}}
spec:
  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: app{app}}}
  minReplicas: {min}
  maxReplicas: {max}
  metrics:
  - type: Resource
    resource: {{name: cpu, target: {{type: Utilization, averageUtilization: {target}}}}}
"
    )
    .unwrap();
}

fn budget(app: u64, draw: &mut Draw, out: &mut String) {
    let bound = match draw.number(0, 2) {
        0 => format!("minAvailable: {}", draw.number(0, 5)),
        1 => format!("maxUnavailable: {}", draw.number(0, 3)),
        _ => format!("minAvailable: {}%", draw.number(0, 100)),
    };
    write!(
        out,
        "---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{name: app{app}}}
spec:
  {bound}
  selector: {{matchLabels: {{app: app{app}}}}}
"
    )
    .unwrap();
}

fn curve(minutes: u64, draw: &mut Draw) -> String {
    let (base, peak) = (draw.number(0, 200), draw.number(1, 2000));
    let at = draw.number(0, minutes);
    match draw.number(0, 5) {
        0 => base.to_string(),
        1 => format!("{{step: {{at: {at}m, from: {base}, to: {peak}}}}}"),
        2 => format!(
            "{{ramp: {{start: {at}m, end: {}m, from: {base}, to: {peak}}}}}",
            at + draw.number(1, 30)
        ),
        3 => format!(
            "{{spike: {{base: {base}, peak: {peak}, at: {at}m, rise: {}s, hold: {}s, fall: {}s}}}}",
            draw.number(0, 300),
            draw.number(0, 900),
            draw.number(0, 300)
        ),
        4 => {
            let mean = draw.number(1, 500);
            let (amplitude, period) = (draw.number(0, mean), draw.number(10, 120));
            format!(
                "{{diurnal: {{mean: {mean}, amplitude: {amplitude}, peak: {at}m, period: {period}m}}}}"
            )
        }
        _ => format!("{{sum: [{base}, {{step: {{at: {at}m, from: 0, to: {peak}}}}}]}}"),
    }
}

fn flags(draw: &mut Draw, out: &mut String) {
    out.push_str("flags:\n");
    if draw.chance(50) {
        writeln!(
            out,
            "  cluster-autoscaler: {{scale-down-unneeded-time: {}s, expander: {}, \
             max-nodes-total: {}}}",
            draw.number(30, 900),
            draw.one_of(&["random", "least-waste", "most-pods", "price"]),
            draw.one_of(&["0", "10", "25"])
        )
        .unwrap();
    }
    writeln!(
        out,
        "  kube-controller-manager: {{kube-api-qps: {}, kube-api-burst: {}}}",
        draw.number(5, 100),
        draw.number(5, 200)
    )
    .unwrap();
}
