//! The program from outside: exit codes, errors as people see them, results that repeat.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn stormglass(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stormglass"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The files of a folder and those below it, by name, without `timing.json`.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            found.extend(contents(&path).into_iter().map(|(n, b)| (format!("{name}/{n}"), b)));
        } else if name != "timing.json" {
            found.insert(name, fs::read(&path).unwrap());
        }
    }
    found
}

/// A command line for `sh`, with the program's folder in its path.
fn shell(folder: &Path, line: &str) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_stormglass")).parent().unwrap().to_path_buf();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("sh");
    command.env("PATH", format!("{}:{path}", program.display()));
    command.current_dir(folder).args(["-c", line]).output().unwrap()
}

/// A fresh folder for a test's results.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

/// Every file in `tests/data/broken` gives the errors that stand beside it. To accept new texts,
/// run with STORMGLASS_ACCEPT=1 and read the difference.
#[test]
fn broken_files_give_all_their_errors_with_places_and_hints() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/broken");
    let mut files: Vec<PathBuf> = fs::read_dir(&data).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "yaml"));
    files.sort();
    assert!(files.len() >= 10);
    for file in files {
        let name = format!("tests/data/broken/{}", file.file_name().unwrap().to_string_lossy());
        let output = stormglass(&["validate", &name]);
        assert_eq!(output.status.code(), Some(2), "{name}");
        let (found, golden) = (text(&output.stderr), file.with_extension("txt"));
        if std::env::var_os("STORMGLASS_ACCEPT").is_some() {
            fs::write(&golden, &found).unwrap();
        }
        assert_eq!(found, fs::read_to_string(&golden).unwrap_or_default(), "{name}");
    }
}

#[test]
fn hello_runs_twice_to_the_same_bytes() {
    let (one, two) = (folder("hello-one"), folder("hello-two"));
    for out in [&one, &two] {
        let out = out.to_string_lossy();
        let output =
            stormglass(&["run", "scenarios/hello.yaml", "--out", &out, "--check-every", "1"]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    }
    let (one, two) = (contents(&one.join("hello/1")), contents(&two.join("hello/1")));
    assert!(one.len() >= 14, "{:?}", one.keys());
    assert!(one.keys().eq(two.keys()));
    for (name, bytes) in &one {
        assert!(*bytes == two[name], "{name} differs");
    }
}

/// Schedulers of 1.34 and before draw among equal nodes; since then the same one is chosen.
#[test]
fn the_scheduler_is_of_the_version_that_a_scenario_names() {
    let first_node = |version: &str, seed: &str| {
        let out = folder(&format!("version-{version}"));
        let version = format!("flags.kube-scheduler.version=\"{version}\"");
        let output = stormglass(&[
            "run",
            "scenarios/hello.yaml",
            "--until",
            "10s",
            "--seed",
            seed,
            "--set",
            &version,
            "--set",
            "nodes.node.count=8",
            "--set",
            "nodes.node.zones=[a]",
            "--quiet",
            "--out",
            &out.to_string_lossy(),
        ]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let run = out.join("hello").join(seed);
        let manifest = fs::read_to_string(run.join("manifest.json")).unwrap();
        let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
        let told = &manifest["parameters"]["flags"]["kube-scheduler"]["version"];
        assert!(version.ends_with(&told.to_string()), "{told}");
        let pods = fs::read_to_string(run.join("pods.csv")).unwrap();
        pods.lines().nth(1).unwrap().split(',').nth(4).unwrap().to_string()
    };
    let nodes = |version: &str| -> BTreeSet<String> {
        ["1", "2", "3", "4", "5", "6"].map(|seed| first_node(version, seed)).into()
    };
    assert_eq!(nodes("1.35").len(), 1);
    assert!(nodes("1.34").len() > 2);
}

/// The manifest's command, given to a shell, makes the same files again: all that was changed from
/// the command line is in it.
#[test]
fn the_repeat_command_repeats_the_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (one, two) = (folder("repeat-one"), folder("repeat-two"));
    let out = one.to_string_lossy();
    let output = stormglass(&[
        "run",
        "scenarios/hello.yaml",
        "--seed",
        "7",
        "--until",
        "5m",
        "--set",
        "traffic.web.rate={spike: {base: 50, peak: 90, at: 1m, rise: 10s, hold: 1m, fall: 10s}}",
        "--set",
        "question=What's `new` in $HOME?",
        "--check-every",
        "1",
        "--quiet",
        "--out",
        &out,
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let first = contents(&one.join("hello/7"));
    let manifest: serde_json::Value = serde_json::from_slice(&first["manifest.json"]).unwrap();
    assert_eq!(manifest["until"], "5m");
    assert_eq!(manifest["set"].as_array().unwrap().len(), 2);
    let repeat = manifest["repeat"].as_str().unwrap();
    let output = shell(root, &format!("{repeat} --quiet --out '{}'", two.display()));
    assert_eq!(output.status.code(), Some(0), "{repeat}: {}", text(&output.stderr));
    let second = contents(&two.join("hello/7"));
    for (name, bytes) in &first {
        assert!(*bytes == second[name], "{name} differs");
    }
}

#[test]
fn a_run_that_is_stopped_early_is_the_beginning_of_the_whole_run() {
    let (whole, part) = (folder("until-whole"), folder("until-part"));
    for (out, more) in [(&whole, vec![]), (&part, vec!["--until", "4m"])] {
        let out = out.to_string_lossy();
        let mut arguments = vec!["run", "scenarios/hello.yaml", "--quiet", "--out", &out];
        arguments.extend(more);
        let output = stormglass(&arguments);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    }
    for table in ["timeseries.csv", "events.csv"] {
        let read = |folder: &Path| fs::read_to_string(folder.join("hello/1").join(table)).unwrap();
        let (whole, part) = (read(&whole), read(&part));
        assert!(part.lines().count() > 5, "{part}");
        for (longer, shorter) in whole.lines().zip(part.lines()) {
            assert_eq!(longer, shorter, "{table}");
        }
    }
    let summary = fs::read(part.join("hello/1/summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&summary).unwrap();
    assert_eq!(summary["expectations"], serde_json::json!([]), "what was not seen is not judged");
}

#[test]
fn a_killed_run_leaves_the_earlier_results() {
    let out = folder("killed");
    let base = out.to_string_lossy();
    let run = ["run", "scenarios/hello.yaml", "--quiet", "--out", &base];
    assert_eq!(stormglass(&run).status.code(), Some(0));
    let earlier = contents(&out.join("hello/1"));
    let mut long = Command::new(env!("CARGO_BIN_EXE_stormglass"));
    long.current_dir(env!("CARGO_MANIFEST_DIR")).args(run);
    let mut long =
        long.args(["--set", "duration=90d", "--set", "observe.every=1s"]).spawn().unwrap();
    let partial = out.join("hello/.1.partial/events.csv");
    let waited = (0..6000).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        partial.exists()
    });
    let second = stormglass(&run);
    long.kill().unwrap();
    long.wait().unwrap();
    assert!(waited, "the long run has begun");
    assert_eq!(second.status.code(), Some(2), "two runs do not share a folder");
    assert!(contents(&out.join("hello/1")) == earlier, "the earlier results are untouched");
    assert_eq!(stormglass(&run).status.code(), Some(0));
    let left: Vec<_> = fs::read_dir(out.join("hello")).unwrap().flatten().collect();
    assert_eq!(left.len(), 1, "nothing is left of the killed run: {left:?}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let out = folder("reader");
    let rows = [
        "stormglass schema".to_string(),
        "stormglass --help".to_string(),
        format!("stormglass run scenarios/hello.yaml --out '{}'", out.display()),
        "stormglass validate --format json scenarios/hello.yaml".to_string(),
    ];
    for line in rows {
        let program = format!("({line}; echo $? >&2) | head -c 1");
        let output = shell(Path::new(env!("CARGO_MANIFEST_DIR")), &program);
        assert_eq!(text(&output.stderr).trim(), "0", "{line}");
    }
}

/// Examples are run where the repository's scenarios and schema lie; long ones are cut short.
#[test]
fn the_examples_of_every_help_work() {
    let place = folder("examples");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let copied =
        shell(root, &format!("cp -r --parents scenarios schema tests/data '{}'", place.display()));
    assert!(copied.status.success());
    let mut tried = 0;
    let commands = [
        "",
        "init",
        "validate",
        "run",
        "explain",
        "get",
        "describe",
        "conform scheduler",
        "schema",
    ];
    for command in commands {
        let mut arguments: Vec<&str> = command.split_whitespace().collect();
        arguments.push("--help");
        let help = text(&stormglass(&arguments).stdout);
        let examples = help.split("Example").nth(1).unwrap_or_default();
        for line in examples.lines().map(str::trim).filter(|l| l.starts_with("stormglass ")) {
            let long = if line.contains("launch") { " --until 5m" } else { "" };
            let output = shell(&place, &format!("{line}{long}"));
            assert_eq!(output.status.code(), Some(0), "{line}: {}", text(&output.stderr));
            tried += 1;
        }
    }
    assert!(tried >= 8, "{tried} examples");
}

#[test]
fn what_the_command_line_changes_is_told_where_it_stands() {
    let rows = [
        (
            "--set=nodes.node.max=abc",
            "error: expected a whole number, 0 or more, found `abc`\n --> --set:1:16",
        ),
        ("--set=nodes.nod.max=3", "error: the scenario has no `nod` there\n --> --set:1:1"),
        ("--set=nodes", "error: `nodes` is no path=value\n --> --set:1:1"),
        (
            "--set=flags.kubelet.sandbox={p50: 1s, p99: 0s}",
            "error: p50 must be above zero and p99 not below it\n --> --set:1:23",
        ),
        ("--set=traffic.web.rate={step: 3", "error: unclosed bracket '{'\n --> --set:1:18"),
        ("--until=soon", "error: `soon` is no duration\n --> --until"),
        ("--until=0s", "error: must be longer than zero\n --> --until"),
        ("--seed=-1", "error: invalid value '-1' for '--seed <SEED>'"),
        ("--out=Cargo.toml", "error: cannot create Cargo.toml/hello: "),
    ];
    for (argument, expected) in rows {
        let output = stormglass(&["run", "scenarios/hello.yaml", "--quiet", argument]);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{argument}: {told}");
        assert!(told.starts_with(expected), "{argument}: {told}");
    }
}

#[test]
fn json_for_scripts_has_all_its_fields() {
    let good = stormglass(&["validate", "--format", "json", "scenarios/hello.yaml"]);
    let bad = stormglass(&["validate", "--format", "json", "tests/data/broken/bad-trace.yaml"]);
    assert_eq!((good.status.code(), bad.status.code()), (Some(0), Some(2)));
    let good: serde_json::Value = serde_json::from_slice(&good.stdout).unwrap();
    assert_eq!(good[0]["ok"], true);
    assert_eq!(good[0]["scenario"], "hello");
    assert_eq!(good[0]["errors"], serde_json::json!([]));
    assert!(bad.stderr.is_empty(), "data goes to stdout only");
    let bad: serde_json::Value = serde_json::from_slice(&bad.stdout).unwrap();
    let errors = bad[0]["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 5);
    let cell = errors.iter().find(|e| e["message"].as_str().unwrap().contains("12O")).unwrap();
    assert_eq!((cell["line"].as_u64(), cell["column"].as_u64()), (Some(4), Some(3)));
    for field in ["file", "path", "hint"] {
        assert!(cell.get(field).is_some(), "{field}");
    }
    let out = folder("json");
    let base = out.to_string_lossy();
    let run = stormglass(&["run", "scenarios/hello.yaml", "--format", "json", "--out", &base]);
    let summary = fs::read(out.join("hello/1/summary.json")).unwrap();
    assert!(run.stdout == summary, "stdout is the summary");
    let summary: serde_json::Value = serde_json::from_slice(&summary).unwrap();
    // Two nodes, three pods, and a Deployment, its ReplicaSet and a Service.
    assert_eq!(summary["etcd"]["objects_at_end"], 8);
}

#[test]
fn exit_codes_say_what_happened() {
    let out = folder("codes");
    let out = out.to_string_lossy();
    let rows = [
        (
            "all is well",
            vec!["run", "scenarios/hello.yaml", "--quiet", "--verify", "--out", &out],
            0,
        ),
        (
            "a change that falsifies an expectation",
            vec![
                "run",
                "scenarios/hello.yaml",
                "--quiet",
                "--out",
                &out,
                "--set",
                "timeline[0].delete-pods.count=3",
            ],
            1,
        ),
        ("a file that is not there", vec!["run", "nowhere.yaml"], 2),
        (
            "an override that points nowhere",
            vec!["run", "scenarios/hello.yaml", "--set", "nodes.x.max=1"],
            2,
        ),
        ("a flag that is not there", vec!["run", "scenarios/hello.yaml", "--sede", "1"], 2),
        ("no command", vec![], 2),
    ];
    for (sentence, arguments, code) in rows {
        let output = stormglass(&arguments);
        assert_eq!(output.status.code(), Some(code), "{sentence}: {}", text(&output.stderr));
    }
}

#[test]
fn the_starter_scenario_runs_and_is_never_overwritten() {
    let out = folder("starter");
    let file = out.join("mine.yaml");
    let file = file.to_string_lossy();
    assert_eq!(stormglass(&["init", &file]).status.code(), Some(0));
    assert_eq!(stormglass(&["init", &file]).status.code(), Some(2));
    let results = out.join("results");
    let output = stormglass(&["run", &file, "--quiet", "--out", &results.to_string_lossy()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[test]
fn all_shipped_scenarios_are_valid() {
    let mut files = vec!["validate".to_string()];
    for folder in
        ["scenarios", "scenarios/pokemon-go", "scenarios/self-healing", "scenarios/traces"]
    {
        for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let content = fs::read_to_string(&path).unwrap_or_default();
            if content.contains("\nquestion:") {
                files.push(path.to_string_lossy().into_owned());
            }
        }
    }
    assert!(files.len() > 10);
    let arguments: Vec<&str> = files.iter().map(String::as_str).collect();
    let output = stormglass(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

/// Of each project all pods run, and what has no effect is listed.
#[test]
fn real_projects_manifests_load_unchanged() {
    let rows = [
        ("online-boutique", 12, "", "ServiceAccount frontend: no effect"),
        ("sock-shop", 14, "", "0 disruption budgets, 1 Namespace"),
        ("guestbook", 6, "", "containers[0].env): no effect"),
        ("bookinfo", 6, "", "ServiceAccount bookinfo-details: no effect"),
        (
            "ingress-nginx",
            0,
            "",
            "Secret `ingress-nginx-admission` is in no manifest: pods wait until it is there; if \
             something outside of the manifests makes it, list `secret/ingress-nginx-admission` in \
             `existing`",
        ),
        (
            "ingress-nginx",
            1,
            "existing: [secret/ingress-nginx-admission]",
            "2 Services, 0 autoscalers",
        ),
        ("metrics-server", 1, "", "APIService v1beta1.metrics.k8s.io: no effect"),
    ];
    let out = folder("projects");
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/manifests");
    for (project, pods, existing, note) in rows {
        let file = out.join(format!("{project}.yaml"));
        let scenario = format!(
            "question: Does it run?\nduration: 10m\nnodes:\n  - {{name: pool, machine: \
             e2-standard-4, count: 4, zones: [a, b]}}\nmanifests: [{}]\n{existing}\nexpect:\n  - \
             pods_ready_min: {{at-least: {pods}}}\n  - pods_ready_peak: {{at-most: {pods}}}\n",
            data.join(project).display()
        );
        fs::write(&file, scenario).unwrap();
        let (file, results) = (file.to_string_lossy(), out.join("results"));
        let output = stormglass(&["run", &file, "--quiet", "--out", &results.to_string_lossy()]);
        assert_eq!(output.status.code(), Some(0), "{project}: {}", text(&output.stderr));
        let notes = text(&stormglass(&["validate", &file]).stdout);
        assert!(notes.contains(note), "{project}: what has no effect is listed: {notes}");
    }
}

/// What pods need of Secrets and ConfigMaps is said at its place, and waited for.
#[test]
fn pods_wait_for_secrets_that_no_manifest_has() {
    let web = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 2\n  \
               selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: \
               web}}\n    spec:\n      containers:\n        - name: web\n          image: web:1\n          \
               envFrom:\n            - secretRef: {name: db}\n            - configMapRef: {name: \
               kube-root-ca.crt}\n";
    let job = "---\napiVersion: batch/v1\nkind: Job\nmetadata: {name: job}\nspec:\n  template:\n    \
               metadata: {annotations: {stormglass/creates: secret/db}}\n    spec:\n      \
               restartPolicy: Never\n      containers: [{name: job, image: job}]\n";
    let secret =
        "---\napiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData: {user: me}\n";
    let note = "web.yaml:14: Deployment default/web (spec.template.spec.containers[0].envFrom[0].\
                secretRef): Secret `db` is in no manifest";
    let create = "{at: 5m, kubectl: \"create secret generic db --from-literal=user=me\"}";
    let delete =
        "{at: 6m, kubectl: delete secret db}, {at: 6m, kubectl: rollout restart deploy/web}";
    // Manifests beside the Deployment, `existing`, timeline; whether it is said, how many pods are
    // ready at most in the first minutes, and at least after the fifth, and STATUS in the end.
    let rows = [
        ("nobody makes it", "", "", String::new(), true, 0, 0, "CreateContainerConfigError"),
        ("it is there", secret, "", String::new(), false, 2, 2, "Running"),
        ("it is said to be there", "", "secret/db", String::new(), false, 2, 2, "Running"),
        ("all are", "", "secret/*", String::new(), false, 2, 2, "Running"),
        (
            "only ConfigMaps are",
            "",
            "configmap/*",
            String::new(),
            true,
            0,
            0,
            "CreateContainerConfigError",
        ),
        ("a Job makes it", job, "", String::new(), false, 2, 2, "Running"),
        ("it is made by hand", "", "", create.to_owned(), false, 0, 2, "Running"),
        (
            "it is applied",
            "",
            "",
            "{at: 5m, kubectl: apply -f secret.yaml}".to_owned(),
            false,
            0,
            2,
            "Running",
        ),
        (
            "it goes before new pods come",
            "",
            "secret/db",
            delete.to_owned(),
            false,
            2,
            2,
            "CreateContainerConfigError",
        ),
    ];
    for (sentence, beside, existing, timeline, is_told, first, later, status) in rows {
        let out = folder("secrets");
        fs::write(out.join("web.yaml"), format!("{web}{beside}")).unwrap();
        fs::write(out.join("secret.yaml"), secret).unwrap();
        let scenario = format!(
            "question: Do they start?\nduration: 10m\nnodes: [{{name: pool, machine: e2-standard-4, \
             count: 2}}]\nmanifests: [web.yaml]\nexisting: [{existing}]\ntimeline: [{timeline}]\n\
             expect:\n  - pods_ready_peak: {{at-most: {first}, until: 4m}}\n  - pods_ready_min: \
             {{at-least: {later}, from: 6m}}\n"
        );
        fs::write(out.join("one.yaml"), scenario).unwrap();
        let ran = shell(&out, "stormglass run one.yaml");
        assert_eq!(ran.status.code(), Some(0), "{sentence}: {}", text(&ran.stdout));
        let validated = text(&shell(&out, "stormglass validate one.yaml").stdout);
        let (told, noted) = (text(&ran.stderr).contains(note), validated.contains(note));
        assert_eq!((told, noted), (is_told, is_told), "{sentence}: {validated}");
        let pods = text(&shell(&out, "stormglass get results/one/1 pods").stdout);
        let newest = pods.lines().find(|line| line.starts_with("web") && line.contains(status));
        assert!(newest.is_some(), "{sentence}: {pods}");
    }
    let maps = text(
        &shell(
            &Path::new(env!("CARGO_TARGET_TMPDIR")).join("secrets"),
            "stormglass get results/one/1 cm",
        )
        .stdout,
    );
    assert!(maps.contains("kube-root-ca.crt   1      10m"), "{maps}");
}

/// A real application under load.
#[test]
fn a_real_project_serves_requests() {
    let out = folder("boutique");
    let file = out.join("boutique.yaml");
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/manifests/online-boutique/kubernetes-manifests.yaml");
    let scenario = format!(
        "question: Does it run?\nduration: 10m\nnodes:\n  - {{name: pool, machine: e2-standard-4, \
         count: 3, zones: [a, b, c]}}\nmanifests: [{}]\ntraffic:\n  - {{to: frontend, rate: 20}}\n\
         expect:\n  - requests_served: {{at-least: 11900}}\n  - failed_ratio: {{at-most: 1%}}\n",
        manifests.display()
    );
    fs::write(&file, scenario).unwrap();
    let (file, results) = (file.to_string_lossy(), out.join("results"));
    let output = stormglass(&["run", &file, "--quiet", "--out", &results.to_string_lossy()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

/// Custom resources are accepted when the scenario says so, or when a definition is there.
#[test]
fn custom_resources_are_accepted_by_name_or_by_definition() {
    let out = folder("custom");
    let resource = "apiVersion: acme.example/v1\nkind: Anvil\nmetadata: {name: one}\n";
    let definition = "---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n\
                      metadata: {name: anvils.acme.example}\nspec: {group: acme.example}\n";
    let rows = [
        ("neither", resource.to_string(), "", 2),
        ("by definition, wherever it stands", format!("{resource}{definition}"), "", 0),
        ("by name", resource.to_string(), "custom-resources: [acme.example]\n", 0),
        ("another name", resource.to_string(), "custom-resources: [acme.test]\n", 2),
    ];
    for (sentence, manifest, line, code) in rows {
        fs::write(out.join("manifest.yaml"), manifest).unwrap();
        let scenario = format!(
            "question: Does it load?\nduration: 1m\nnodes: [{{name: pool, machine: e2-standard-4, \
             count: 1}}]\nmanifests: [manifest.yaml]\n{line}"
        );
        let file = out.join("scenario.yaml");
        fs::write(&file, scenario).unwrap();
        let output = stormglass(&["validate", &file.to_string_lossy()]);
        assert_eq!(output.status.code(), Some(code), "{sentence}: {}", text(&output.stderr));
        let listed = text(&output.stdout).contains("Anvil one: a custom resource");
        assert_eq!(listed, code == 0, "{sentence}: it is listed");
    }
}

/// Gangs: what a manifest says of them is read strictly and listed, with what it means. Devices are
/// modelled: of two pods that each want one, one goes without where there is one.
#[test]
fn gangs_are_listed_as_not_modelled_and_devices_are_not() {
    let place = folder("not-modelled");
    fs::create_dir_all(&place).unwrap();
    let manifest = r#"
apiVersion: resource.k8s.io/v1
kind: DeviceClass
metadata: {name: gpu}
spec: {selectors: [{cel: {expression: 'device.driver == "gpu.example.com"'}}]}
---
apiVersion: resource.k8s.io/v1
kind: ResourceSlice
metadata: {name: rack}
spec:
  driver: gpu.example.com
  pool: {name: rack, generation: 1, resourceSliceCount: 1}
  allNodes: true
  devices: [{name: gpu-0}]
---
apiVersion: resource.k8s.io/v1
kind: ResourceClaimTemplate
metadata: {name: one-gpu}
spec: {spec: {devices: {requests: [{name: gpu, exactly: {deviceClassName: gpu}}]}}}
---
apiVersion: scheduling.k8s.io/v1beta1
kind: PodGroup
metadata: {name: train}
spec: {schedulingPolicy: {gang: {minCount: 4}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: train}
spec:
  replicas: 2
  selector: {matchLabels: {app: train}}
  template:
    metadata: {labels: {app: train}}
    spec:
      schedulingGroup: {podGroupName: train}
      resourceClaims: [{name: gpu, resourceClaimTemplateName: one-gpu}]
      dnsPolicy: Default
      containers:
        - {name: c, image: i, resources: {claims: [{name: gpu}], requests: {cpu: "1"}}}
"#;
    let scenario = "question: Does it train?\nduration: 5m\nmanifests: [train.yaml]\nstart: START\n\
                    nodes: [{name: pool, machine: e2-standard-4, count: 3}]\n";
    fs::write(place.join("train.yaml"), manifest).unwrap();
    for start in ["settled", "cold"] {
        let file = place.join(format!("{start}.yaml"));
        fs::write(&file, scenario.replace("START", start)).unwrap();
        let output = stormglass(&["validate", &file.to_string_lossy()]);
        let told = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        for expected in [
            "PodGroup train: gang scheduling is not modelled, and off by default in Kubernetes 1.37",
            "(spec.template.spec.schedulingGroup): gang scheduling is not modelled",
            "(spec.template.spec.dnsPolicy): no effect",
        ] {
            assert!(told.contains(expected), "{expected}\n{told}");
        }
        assert!(!told.contains("laim") && !told.contains("gpu"), "{told}");

        let out = place.join(start);
        let output = stormglass(&["run", &file.to_string_lossy(), "--out", &out.to_string_lossy()]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let file = |end: &str| {
            let mut files = contents(&out).into_iter();
            text(&files.find(|(name, _)| name.ends_with(end)).unwrap().1)
        };
        let running = file("pods.csv").lines().filter(|line| line.contains(",Running,")).count();
        assert_eq!(running, 1, "{start}: there is one device");
        if start == "cold" {
            let why = "0/3 nodes are available: 3 cannot allocate all claims.";
            assert!(file("events.csv").contains(why), "{}", file("events.csv"));
        }
    }
}

/// What is wrong with a selector of devices is told where it stands.
#[test]
fn selectors_of_devices_are_checked() {
    let place = folder("selectors");
    fs::create_dir_all(&place).unwrap();
    let manifest = "apiVersion: resource.k8s.io/v1\nkind: DeviceClass\nmetadata: {name: gpu}\nspec:\n  \
                    selectors:\n    - cel: {expression: 'device.name == \"gpu\"'}\n";
    let scenario = "question: Does it load?\nduration: 1m\nmanifests: [class.yaml]\n\
                    nodes: [{name: pool, machine: e2-standard-4, count: 1}]\n";
    fs::write(place.join("class.yaml"), manifest).unwrap();
    let file = place.join("scenario.yaml");
    fs::write(&file, scenario).unwrap();
    let output = stormglass(&["validate", &file.to_string_lossy()]);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    let field = "spec.selectors[0].cel.expression: undefined field \"name\": a device has driver";
    assert!(told.contains("class.yaml:6:") && told.contains(field), "{told}");
}
