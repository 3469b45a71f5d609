//! What pods wait for before they start: init containers, sidecars, Secrets and ConfigMaps, some of
//! which no manifest has, or only a line of kubectl makes.

use super::Draw;
use std::fmt::Write;

/// Init containers of an app, in a third of all cases: further annotations of its template, and
/// lines of its specification.
pub fn init_containers(app: u64, draw: &mut Draw) -> (String, String) {
    if !draw.chance(33) {
        return (String::new(), String::new());
    }
    let mut out = String::from("      initContainers:\n");
    for place in 0..draw.number(1, 3) {
        writeln!(out, "      - name: init{place}\n        image: registry.example/app{app}:1")
            .unwrap();
        match draw.number(0, 3) {
            0 => out.push_str("        restartPolicy: Always\n"),
            1 => {
                let (period, failures) = (draw.number(1, 5), draw.number(1, 10));
                writeln!(
                    out,
                    "        restartPolicy: Always
        startupProbe: {{tcpSocket: {{port: 80}}, periodSeconds: {period}, failureThreshold: {failures}}}"
                )
                .unwrap();
            }
            _ => {}
        }
    }
    let (runs, failures) = (draw.number(0, 20_000), draw.number(0, 3));
    let annotations = format!(
        ", annotations: {{stormglass/init-ms: \"500,{runs}\", stormglass/init-failures: \"{failures},0\"}}"
    );
    (if draw.chance(70) { annotations } else { String::new() }, out)
}

/// What an app needs of Secrets and ConfigMaps, in a third of all cases: lines of its container, and
/// of its specification.
pub fn config(app: u64, draw: &mut Draw) -> (String, String) {
    let name = name(app);
    match draw.number(0, 8) {
        0 => (format!("        envFrom: [{{secretRef: {{name: {name}}}}}]\n"), String::new()),
        1 => {
            let volume = format!("      volumes: [{{name: conf, configMap: {{name: {name}}}}}]\n");
            (String::new(), volume)
        }
        2 => {
            let volume =
                format!("      volumes: [{{name: key, secret: {{secretName: {name}}}}}]\n");
            (
                format!("        envFrom: [{{configMapRef: {{name: {name}, optional: true}}}}]\n"),
                volume,
            )
        }
        _ => (String::new(), String::new()),
    }
}

fn name(app: u64) -> String {
    format!("conf{app}")
}

/// A line that makes a Secret or ConfigMap of an app, or takes away a ConfigMap, which are all there
/// at the start.
pub fn line(app: u64, draw: &mut Draw) -> String {
    let name = name(app);
    match draw.number(0, 4) {
        0 => format!("delete cm {name}"),
        1..=3 => format!("create secret generic {name} --from-literal=key=value"),
        _ => format!("create configmap {name} --from-literal=key=value"),
    }
}
