//! Init containers and sidecars from outside: what `get` and `describe` show of pods that start, fail
//! to, and end.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::Path;
use std::process::Command;

/// A pod that nobody controls: annotations of its init containers, what else its specification
/// says, and its init containers.
fn pod(name: &str, annotations: &str, spec: &str, init: &[&str]) -> String {
    let init: String = init.iter().map(|more| format!("    - {{image: web, {more}}}\n")).collect();
    format!(
        "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, annotations: {{{annotations}}}}}\nspec:\n  \
         containers: [{{name: main, image: web}}]\n  {spec}\n  initContainers:\n{init}"
    )
}

fn stormglass(folder: &Path, line: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stormglass"));
    let output = command.current_dir(folder).args(line.split(' ')).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// One run in which ten pods start, each in its own way; the folder with its results.
fn started() -> std::path::PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("starts");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let always = "restartPolicy: Always";
    let probed = "name: proxy, restartPolicy: Always, startupProbe: {tcpSocket: {port: 1}, \
                  periodSeconds: 5, failureThreshold: 3}";
    let patient = "name: proxy, restartPolicy: Always, startupProbe: {tcpSocket: {port: 1}, \
                   periodSeconds: 10, failureThreshold: 9}";
    let proxy = &*format!("name: proxy, {always}");
    let fails = "stormglass/init-ms: \"1000\", stormglass/init-failures: \"9\"";
    let ends = "stormglass/init-ms: \"0\", stormglass/run-ms: \"60000\"";
    let volume = "volumes: [{name: v, secret: {secretName: x}}]";
    let pods = [
        pod("two", "stormglass/init-ms: \"20000,20000\"", "", &["name: a", "name: b"]),
        pod("side", "stormglass/init-ms: \"0,20000\"", "", &[proxy, "name: b"]),
        pod("crash", fails, "", &["name: a"]),
        pod("once", fails, "restartPolicy: Never", &["name: a"]),
        pod("own", fails, "", &["name: a, restartPolicy: Never"]),
        pod("job", ends, "restartPolicy: Never", &[proxy]),
        pod("slow", "stormglass/init-ms: \"60000\"", "", &[probed]),
        pod("late", "stormglass/init-ms: \"25000,1000\"", "", &[patient, "name: b"]),
        pod("needs", fails, "", &["name: a, envFrom: [{secretRef: {name: x}}]"]),
        pod("mount", fails, volume, &["name: a"]),
    ];
    fs::write(folder.join("pods.yaml"), pods.concat()).unwrap();
    let scenario = "question: How do they start?\nduration: 15m\nstart: cold\nnodes: [{name: pool, \
                    machine: e2-standard-4, count: 1}]\nmanifests: [pods.yaml]\n";
    fs::write(folder.join("one.yaml"), scenario).unwrap();
    stormglass(&folder, "run one.yaml --quiet");
    folder
}

#[test]
fn kubectl_tells_how_far_pods_are() {
    let folder = started();
    let rows = [
        ("the first of two init containers runs", "two", "10s", "0/1 Init:0/2 0"),
        ("the second one", "two", "35s", "0/1 Init:1/2 0"),
        ("then the others", "two", "60s", "1/1 Running 0"),
        ("a sidecar counts, and need only have started", "side", "10s", "1/2 Init:1/2 0"),
        ("it stays", "side", "60s", "2/2 Running 0"),
        (
            "one that fails is tried again, later each time",
            "crash",
            "60s",
            "0/1 Init:CrashLoopBackOff 3",
        ),
        ("but not in a pod that is never restarted", "once", "60s", "0/1 Init:Error 0"),
        ("nor if it says so itself", "own", "60s", "0/1 Init:Error 0"),
        ("the work is being done", "job", "30s", "2/2 Running 0"),
        ("it is done, and the sidecar ends too", "job", "90s", "0/2 Completed 0"),
        ("a sidecar whose startup probe fails is no start", "slow", "10s", "0/2 Init:0/1 0"),
        ("it is ended and begun again", "slow", "30s", "0/2 Init:0/1 2"),
        ("until it has to wait", "slow", "60s", "0/2 Init:CrashLoopBackOff 3"),
        ("one that comes up late holds the next one back", "late", "20s", "0/2 Init:0/2 0"),
        ("until its probe finds it", "late", "40s", "2/2 Running 0"),
        ("a Secret is missing", "needs", "60s", "0/1 Init:CreateContainerConfigError 0"),
        ("a volume of one is", "mount", "60s", "0/1 Init:0/1 0"),
    ];
    for (sentence, pod, at, expected) in rows {
        let shown =
            stormglass(&folder, &format!("get results/one/1 pod {pod} --no-headers --at {at}"));
        let words: Vec<&str> = shown.split_whitespace().collect();
        assert_eq!(words[1..4].join(" "), expected, "{sentence}: {shown}");
    }
    let rows = [
        (
            "an init container is behind",
            "two",
            "10s",
            "PodReadyToStartContainers   True",
            "Initialized                 False",
        ),
        (
            "all are through",
            "two",
            "60s",
            "Ready                       True",
            "Initialized                 True",
        ),
        (
            "nothing has begun",
            "mount",
            "60s",
            "PodReadyToStartContainers   False",
            "Initialized                 False",
        ),
        (
            "it will never be through",
            "once",
            "60s",
            "Ready                       False",
            "Initialized                 False",
        ),
    ];
    for (sentence, pod, at, one, other) in rows {
        let shown = stormglass(&folder, &format!("describe results/one/1 pod {pod} --at {at}"));
        assert!(shown.contains(one) && shown.contains(other), "{sentence}: {shown}");
    }
    let rows = [
        ("probes complain", "slow", "Startup probe failed: dial tcp: connect: connection refused"),
        ("then the sidecar is ended", "slow", "Init container proxy failed startup probe"),
        (
            "the back-off names the init container",
            "crash",
            "Back-off restarting failed container a in pod crash_default",
        ),
        ("sidecars are stopped when the work is done", "job", "Stopping container proxy"),
        ("a Secret is asked for", "needs", "Error: secret \"x\" not found"),
        (
            "or a volume of it",
            "mount",
            "MountVolume.SetUp failed for volume \"v\" : secret \"x\" not found",
        ),
    ];
    for (sentence, pod, message) in rows {
        let shown = stormglass(&folder, &format!("describe results/one/1 pod {pod} --at 5m"));
        assert!(shown.contains(message), "{sentence}: {shown}");
    }
}
