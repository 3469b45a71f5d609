//! Objects beside the Deployments: every other controller of pods with its options, what limits
//! them, and namespaces of their own.
//!
//! Each is a file of its own, so that lines of kubectl can apply, delete and create it again; most
//! have a second version to change to.

use super::Draw;
use std::fmt::Write;

/// What kubectl calls an object, and its manifests.
pub struct Made {
    /// `statefulset`, ...
    pub kind: &'static str,
    /// `metadata.name`, also the label `app` of its pods.
    pub name: String,
    /// `metadata.namespace`.
    pub namespace: &'static str,
    /// The manifest, and what it becomes when somebody changes it.
    pub versions: [String; 2],
}

impl Made {
    /// The file of one of its versions.
    pub fn file(&self, version: usize) -> String {
        format!("{}-{}-{version}.yaml", self.kind, self.name)
    }

    /// Whether it has a number of replicas that a person may set.
    pub fn scales(&self) -> bool {
        matches!(self.kind, "statefulset" | "replicaset" | "replicationcontroller")
    }

    /// Whether it is there to make pods.
    pub fn has_pods(&self) -> bool {
        !matches!(self.kind, "namespace" | "resourcequota" | "limitrange" | "poddisruptionbudget")
    }
}

/// Draws the spec of an object of a name, in one of its versions.
type Spec = fn(&mut Draw, &str, usize) -> String;

/// The namespace that comes and goes.
pub const TEAM: &str = "team";

/// Some objects of a few kinds; those in [`TEAM`] come after it.
pub fn some(draw: &mut Draw) -> Vec<Made> {
    let mut made = Vec::new();
    if draw.chance(40) {
        let text = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {TEAM}}}\n");
        let versions = [text.clone(), text];
        made.push(Made { kind: "namespace", name: TEAM.into(), namespace: TEAM, versions });
    }
    let has_team = !made.is_empty();
    for number in 0..draw.number(0, 5) {
        let namespace = if has_team && draw.chance(50) { TEAM } else { "default" };
        let (kind, spec): (&'static str, Spec) = match draw.number(0, 7) {
            0 | 1 => ("statefulset", stateful_set),
            2 => ("daemonset", daemon_set),
            3 | 4 => ("job", job),
            5 => ("cronjob", cron_job),
            6 => ("replicationcontroller", replication_controller),
            _ => match draw.chance(50) {
                true => ("replicaset", replica_set),
                false => ("pod", bare_pod),
            },
        };
        let name = format!("{}{number}", &kind[..2]);
        let mut text = |version| document(kind, namespace, &name, &spec(draw, &name, version));
        let versions = [text(0), text(1)];
        made.push(Made { kind, name: name.clone(), namespace, versions });
        if draw.chance(30) && kind != "cronjob" {
            made.push(budget(draw, &name, namespace));
        }
    }
    if draw.chance(25) {
        made.push(quota(draw, if has_team { TEAM } else { "default" }));
    }
    if draw.chance(20) {
        made.push(limits(draw, if has_team { TEAM } else { "default" }));
    }
    made
}

fn document(kind: &str, namespace: &str, name: &str, rest: &str) -> String {
    let (version, kind) = match kind {
        "statefulset" => ("apps/v1", "StatefulSet"),
        "daemonset" => ("apps/v1", "DaemonSet"),
        "replicaset" => ("apps/v1", "ReplicaSet"),
        "job" => ("batch/v1", "Job"),
        "cronjob" => ("batch/v1", "CronJob"),
        "replicationcontroller" => ("v1", "ReplicationController"),
        "poddisruptionbudget" => ("policy/v1", "PodDisruptionBudget"),
        "resourcequota" => ("v1", "ResourceQuota"),
        "limitrange" => ("v1", "LimitRange"),
        _ => ("v1", "Pod"),
    };
    format!(
        "apiVersion: {version}\nkind: {kind}\nmetadata: {{name: {name}, namespace: {namespace}, \
         labels: {{app: {name}}}}}\nspec:\n{rest}"
    )
}

/// The spec of pods, as a flow mapping; `behavior` are annotations.
fn pod_spec(draw: &mut Draw, name: &str, version: usize, restart: &str) -> String {
    let (cpu, memory) = (draw.number(10, 900), draw.number(16, 512));
    let grace = draw.number(0, 30);
    let mut spec = format!(
        "{{restartPolicy: {restart}, terminationGracePeriodSeconds: {grace}, containers: [{{name: \
         main, image: \"registry.example/{name}:{version}\""
    );
    match draw.number(0, 3) {
        0 => {}
        1 => write!(
            spec,
            ", resources: {{requests: {{cpu: {cpu}m, memory: {memory}Mi}}, limits: {{cpu: \
             {}m, memory: {}Mi}}}}",
            cpu * 2,
            memory * 2
        )
        .unwrap(),
        _ => {
            write!(spec, ", resources: {{requests: {{cpu: {cpu}m, memory: {memory}Mi}}}}").unwrap()
        }
    }
    spec.push_str("}]");
    if draw.chance(20) {
        write!(spec, ", priorityClassName: {}", draw.one_of(&["high", "patient"])).unwrap();
    }
    if draw.chance(20) {
        let when = draw.one_of(&["DoNotSchedule", "ScheduleAnyway"]);
        write!(
            spec,
            ", topologySpreadConstraints: [{{maxSkew: 1, topologyKey: kubernetes.io/hostname, \
             whenUnsatisfiable: {when}, labelSelector: {{matchLabels: {{app: {name}}}}}}}]"
        )
        .unwrap();
    }
    if draw.chance(20) {
        let effect = draw.one_of(&["NoSchedule", "NoExecute"]);
        let seconds = if effect == "NoExecute" && draw.chance(50) {
            format!(", tolerationSeconds: {}", draw.number(0, 200))
        } else {
            String::new()
        };
        write!(spec, ", tolerations: [{{operator: Exists, effect: {effect}{seconds}}}]").unwrap();
    }
    spec + "}"
}

/// `template` of what keeps its pods running.
fn template(draw: &mut Draw, name: &str, version: usize) -> String {
    let mut behavior = Vec::new();
    if draw.chance(40) {
        behavior.push(format!("stormglass/ready-ms: \"{}\"", draw.number(0, 60_000)));
    }
    if draw.chance(30) {
        behavior.push(format!("stormglass/stop-ms: \"{}\"", draw.number(0, 40_000)));
    }
    if draw.chance(15) {
        behavior.push(format!("stormglass/run-ms: \"{}\"", draw.number(1000, 600_000)));
        behavior.push(format!("stormglass/exit-code: \"{}\"", draw.number(0, 1)));
    }
    if version == 1 && draw.chance(15) {
        behavior.push("stormglass/never-ready: \"true\"".into());
    }
    let spec = pod_spec(draw, name, version, "Always");
    templated(name, &behavior, &spec)
}

fn templated(name: &str, behavior: &[String], spec: &str) -> String {
    format!(
        "{{metadata: {{labels: {{app: {name}}}, annotations: {{{}}}}}, spec: {spec}}}",
        behavior.join(", ")
    )
}

fn int_or_percent(draw: &mut Draw, from: u64) -> String {
    match draw.chance(50) {
        true => draw.number(from, 4).to_string(),
        false => format!("{}%", draw.number(from * 10, 100)),
    }
}

fn stateful_set(draw: &mut Draw, name: &str, version: usize) -> String {
    let mut out = format!(
        "  replicas: {}\n  serviceName: {name}\n  selector: {{matchLabels: {{app: {name}}}}}\n",
        draw.number(0, 6)
    );
    if draw.chance(40) {
        out.push_str("  podManagementPolicy: Parallel\n");
    }
    if draw.chance(30) {
        writeln!(out, "  ordinals: {{start: {}}}", draw.number(0, 3)).unwrap();
    }
    if draw.chance(40) {
        writeln!(out, "  minReadySeconds: {}", draw.number(1, 40)).unwrap();
    }
    match draw.number(0, 3) {
        0 => out.push_str("  updateStrategy: {type: OnDelete}\n"),
        1 => {
            let (partition, max) = (draw.number(0, 4), int_or_percent(draw, 1));
            writeln!(
                out,
                "  updateStrategy: {{rollingUpdate: {{partition: {partition}, maxUnavailable: {max}}}}}"
            )
            .unwrap();
        }
        _ => {}
    }
    if draw.chance(30) {
        writeln!(out, "  revisionHistoryLimit: {}", draw.number(0, 2)).unwrap();
    }
    if draw.chance(40) {
        writeln!(
            out,
            "  persistentVolumeClaimRetentionPolicy: {{whenDeleted: {}, whenScaled: {}}}",
            draw.one_of(&["Retain", "Delete"]),
            draw.one_of(&["Retain", "Delete"])
        )
        .unwrap();
        out.push_str(
            "  volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: \
             [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}]\n",
        );
    }
    let template = template(draw, name, version);
    out + &format!("  template: {template}\n")
}

fn daemon_set(draw: &mut Draw, name: &str, version: usize) -> String {
    let mut out = format!("  selector: {{matchLabels: {{app: {name}}}}}\n");
    match draw.number(0, 3) {
        0 => out.push_str("  updateStrategy: {type: OnDelete}\n"),
        1 => {
            let max = int_or_percent(draw, 1);
            writeln!(out, "  updateStrategy: {{rollingUpdate: {{maxUnavailable: {max}}}}}")
                .unwrap();
        }
        2 => {
            let surge = int_or_percent(draw, 1);
            writeln!(
                out,
                "  updateStrategy: {{rollingUpdate: {{maxUnavailable: 0, maxSurge: {surge}}}}}"
            )
            .unwrap();
        }
        _ => {}
    }
    if draw.chance(30) {
        writeln!(out, "  minReadySeconds: {}", draw.number(1, 40)).unwrap();
    }
    let template = template(draw, name, version);
    out + &format!("  template: {template}\n")
}

fn replica_set(draw: &mut Draw, name: &str, version: usize) -> String {
    let replicas = draw.number(0, 8);
    let template = template(draw, name, version);
    format!(
        "  replicas: {replicas}\n  selector: {{matchLabels: {{app: {name}}}}}\n  minReadySeconds: \
         {}\n  template: {template}\n",
        draw.number(0, 20)
    )
}

fn replication_controller(draw: &mut Draw, name: &str, version: usize) -> String {
    let replicas = draw.number(0, 8);
    let template = template(draw, name, version);
    format!("  replicas: {replicas}\n  selector: {{app: {name}}}\n  template: {template}\n")
}

fn bare_pod(draw: &mut Draw, name: &str, version: usize) -> String {
    let restart = draw.one_of(&["Always", "OnFailure", "Never"]);
    format!("  {}\n", pod_spec(draw, name, version, restart))
}

fn job(draw: &mut Draw, name: &str, version: usize) -> String {
    let mut out = String::new();
    let (parallelism, completions) = (draw.number(0, 5), draw.number(0, 8));
    let is_indexed = draw.chance(40);
    writeln!(out, "  parallelism: {parallelism}").unwrap();
    if is_indexed || draw.chance(80) {
        writeln!(out, "  completions: {completions}").unwrap();
    }
    let only_never = is_indexed && draw.chance(40);
    let has_policy = draw.chance(30);
    if is_indexed {
        out.push_str("  completionMode: Indexed\n");
        if only_never {
            writeln!(out, "  backoffLimitPerIndex: {}", draw.number(0, 2)).unwrap();
            writeln!(out, "  maxFailedIndexes: {}", draw.number(0, completions.min(3))).unwrap();
        }
        if completions > 0 && draw.chance(30) {
            let count = draw.number(1, completions);
            writeln!(out, "  successPolicy: {{rules: [{{succeededCount: {count}}}]}}").unwrap();
        }
    }
    if !only_never && draw.chance(60) {
        writeln!(out, "  backoffLimit: {}", draw.number(0, 5)).unwrap();
    }
    if has_policy {
        let action = draw.one_of(&["FailJob", "Ignore", "Count"]);
        let on = match draw.chance(50) {
            true => "onExitCodes: {operator: In, values: [1, 42]}",
            false => "onPodConditions: [{type: DisruptionTarget, status: \"True\"}]",
        };
        writeln!(out, "  podFailurePolicy: {{rules: [{{action: {action}, {on}}}]}}").unwrap();
    } else if draw.chance(30) {
        let policy = draw.one_of(&["Failed", "TerminatingOrFailed"]);
        writeln!(out, "  podReplacementPolicy: {policy}").unwrap();
    }
    if draw.chance(25) {
        writeln!(out, "  activeDeadlineSeconds: {}", draw.number(10, 900)).unwrap();
    }
    if draw.chance(30) {
        writeln!(out, "  ttlSecondsAfterFinished: {}", draw.number(0, 300)).unwrap();
    }
    if draw.chance(20) {
        writeln!(out, "  suspend: {}", draw.one_of(&["true", "false"])).unwrap();
    }
    let mut behavior = vec![format!("stormglass/run-ms: \"{}\"", draw.number(500, 300_000))];
    match draw.number(0, 4) {
        0 => behavior.push(format!("stormglass/fail-first: \"{}\"", draw.number(1, 6))),
        1 => behavior.push(format!("stormglass/exit-code: \"{}\"", draw.one_of(&["1", "42", "3"]))),
        2 => behavior.push("stormglass/exit-codes: \"0,42,0,1\"".to_owned()),
        _ => {}
    }
    let restart = if only_never || has_policy || draw.chance(60) { "Never" } else { "OnFailure" };
    let spec = pod_spec(draw, name, version, restart);
    out + &format!("  template: {}\n", templated(name, &behavior, &spec))
}

fn cron_job(draw: &mut Draw, name: &str, version: usize) -> String {
    let minutes = draw.one_of(&["*", "*/2", "*/5", "1-59/7", "0,30"]);
    let mut out = format!("  schedule: \"{minutes} * * * *\"\n");
    writeln!(out, "  concurrencyPolicy: {}", draw.one_of(&["Allow", "Forbid", "Replace"])).unwrap();
    if draw.chance(30) {
        writeln!(out, "  startingDeadlineSeconds: {}", draw.number(10, 300)).unwrap();
    }
    if draw.chance(30) {
        writeln!(
            out,
            "  successfulJobsHistoryLimit: {}\n  failedJobsHistoryLimit: {}",
            draw.number(0, 4),
            draw.number(0, 2)
        )
        .unwrap();
    }
    if draw.chance(20) {
        let zone = draw.one_of(&["Etc/UTC", "Europe/Berlin", "Asia/Kolkata"]);
        writeln!(out, "  timeZone: {zone}").unwrap();
    }
    if draw.chance(15) {
        out.push_str("  suspend: true\n");
    }
    let job = job(draw, name, version).replace("\n  ", "\n      ");
    out + &format!("  jobTemplate:\n    spec:\n      {}\n", job.trim())
}

fn budget(draw: &mut Draw, name: &str, namespace: &'static str) -> Made {
    let versions = [0, 1].map(|_| {
        let bound = match draw.number(0, 2) {
            0 => format!("minAvailable: {}", draw.number(0, 4)),
            1 => format!("maxUnavailable: {}", draw.number(0, 3)),
            _ => format!("maxUnavailable: {}%", draw.number(0, 100)),
        };
        let policy = draw.one_of(&["IfHealthyBudget", "AlwaysAllow"]);
        let rest = format!(
            "  {bound}\n  unhealthyPodEvictionPolicy: {policy}\n  selector: {{matchLabels: {{app: \
             {name}}}}}\n"
        );
        document("poddisruptionbudget", namespace, name, &rest)
    });
    Made { kind: "poddisruptionbudget", name: name.into(), namespace, versions }
}

fn quota(draw: &mut Draw, namespace: &'static str) -> Made {
    let versions = [0, 1].map(|_| {
        let mut hard = vec![format!("pods: {}", draw.number(1, 40))];
        if draw.chance(40) {
            hard.push(format!("requests.cpu: {}", draw.number(1, 12)));
        }
        if draw.chance(20) {
            hard.push(format!("limits.memory: {}Mi", draw.number(200, 8000)));
        }
        if draw.chance(20) {
            hard.push(format!("count/jobs.batch: {}", draw.number(0, 6)));
        }
        if draw.chance(20) {
            hard.push(format!("count/replicasets.apps: {}", draw.number(1, 8)));
        }
        let scope = match draw.number(0, 5) {
            0 if hard.len() == 1 => "  scopes: [BestEffort]\n",
            1 => "  scopes: [NotTerminating]\n",
            _ => "",
        };
        let hard = if scope.is_empty() { hard } else { hard[..1].to_vec() };
        let rest = format!("  hard: {{{}}}\n{scope}", hard.join(", "));
        document("resourcequota", namespace, "quota", &rest)
    });
    Made { kind: "resourcequota", name: "quota".into(), namespace, versions }
}

fn limits(draw: &mut Draw, namespace: &'static str) -> Made {
    let versions = [0, 1].map(|_| {
        let (request, more) = (draw.number(10, 300), draw.number(0, 600));
        let max = request + more + draw.number(0, 800);
        let rest = format!(
            "  limits: [{{type: Container, defaultRequest: {{cpu: {request}m, memory: 64Mi}}, \
             default: {{cpu: {}m, memory: 256Mi}}, max: {{cpu: {max}m}}}}]\n",
            request + more
        );
        document("limitrange", namespace, "limits", &rest)
    });
    Made { kind: "limitrange", name: "limits".into(), namespace, versions }
}
