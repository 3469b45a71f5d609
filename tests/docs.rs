//! The pages in `docs/` speak of what is there: every field, column and measure, and examples that
//! load.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use stormglass::record::metric::METRICS;
use stormglass::scenario::{Overrides, load};

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// Whether a page speaks of `word`: in backticks, or as a key of an example.
fn tells(page: &str, word: &str) -> bool {
    page.contains(&format!("`{word}`")) || page.contains(&format!("{word}:"))
}

/// Names of all fields of a JSON value, at any depth; of `parameters` only its own name: those are a
/// scenario's.
fn names(value: &serde_json::Value, found: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                found.insert(name.clone());
                if name != "parameters" {
                    names(value, found);
                }
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| names(item, found)),
        _ => {}
    }
}

#[test]
fn every_file_column_and_field_of_a_result_is_explained() {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("docs-results");
    let mut run = Command::new(env!("CARGO_BIN_EXE_stormglass"));
    run.current_dir(env!("CARGO_MANIFEST_DIR"));
    run.args(["run", "scenarios/hello.yaml", "--quiet", "--out"]).arg(&out);
    assert!(run.status().unwrap().success());
    let page = page("docs/results.md");
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(out.join("hello/1")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name != "plots" {
            assert!(page.contains(&format!("`{name}`")), "{name}");
        }
        if name.ends_with(".csv") {
            let text = fs::read_to_string(&path).unwrap();
            let header = text.lines().next().unwrap_or_default();
            found.extend(header.split(',').map(str::to_owned));
        } else if name.ends_with(".json") {
            names(&serde_json::from_slice(&fs::read(&path).unwrap()).unwrap(), &mut found);
        }
    }
    assert!(found.len() > 100, "{}", found.len());
    for name in found {
        assert!(tells(&page, &name), "{name}");
    }
}

#[test]
fn every_field_of_the_schema_is_shown() {
    let page = page("docs/scenario.md");
    let schema: serde_json::Value =
        serde_json::from_str(&self::page("schema/scenario.json")).unwrap();
    // Flags are too many for a page; it names where all of them are.
    let flags = [
        "ControllerManagerFile",
        "ClusterAutoscalerFile",
        "KubeletFile",
        "SchedulerFile",
        "VpaRecommenderFile",
        "VpaUpdaterFile",
    ];
    let mut fields = BTreeSet::new();
    let definitions = schema["$defs"].as_object().unwrap();
    let shown = definitions.iter().filter(|(name, _)| !flags.contains(&name.as_str()));
    for (_, definition) in shown.chain([(&String::new(), &schema)]) {
        let properties = definition["properties"].as_object();
        fields.extend(properties.into_iter().flatten().map(|(name, _)| name.clone()));
    }
    assert!(fields.len() > 60, "{fields:?}");
    for field in fields {
        assert!(tells(&page, &field), "{field}");
    }
    for metric in METRICS {
        let row = format!("| `{}` |", metric.name);
        let line = page.lines().find(|line| line.starts_with(&row)).unwrap_or_default();
        let yes = |is: bool| if is { "yes" } else { "" };
        let cells: Vec<&str> = line.split('|').map(str::trim).skip(3).collect();
        let expected = [yes(metric.scope.of), yes(metric.scope.window), metric.meaning, ""];
        assert_eq!(cells, expected, "{}", metric.name);
    }
}

/// Each example is put into a scenario that has what it needs, and loads.
#[test]
fn examples_load() {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("docs");
    fs::create_dir_all(&place).unwrap();
    let mut objects = String::new();
    for (namespace, name) in [
        ("default", "web"),
        ("default", "api"),
        ("default", "feed"),
        ("shop", "api"),
        ("shop", "db"),
    ] {
        objects.push_str(&format!(
            "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
             spec:\n  selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    \
             metadata: {{labels: {{app: {name}}}}}\n    spec: {{containers: [{{name: a, image: a}}]}}\n\
             ---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
             spec: {{selector: {{app: {name}}}, ports: [{{port: 80}}]}}\n"
        ));
    }
    objects.push_str(
        "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: shop}\nspec:\n  \
         rules:\n    - host: shop.example\n      http: {paths: [{path: /, pathType: Prefix, backend: \
         {service: {name: web, port: {number: 80}}}}]}\n",
    );
    fs::write(place.join("web.yaml"), objects).unwrap();
    let agent = "{apiVersion: v1, kind: Pod, metadata: {name: agent}, \
                 spec: {containers: [{name: agent, image: agent}]}}";
    fs::write(place.join("agent.yaml"), agent).unwrap();
    let pool = "{apiVersion: karpenter.sh/v1, kind: NodePool, metadata: {name: default}, \
                spec: {template: {spec: {nodeClassRef: {kind: EC2NodeClass, name: default}}}}}";
    fs::write(place.join("node-pool.yaml"), pool).unwrap();
    let prices = "{date: 2026-11-01, source: ours, machines: {m5.xlarge: {price-per-hour: 0.1}}}";
    fs::write(place.join("prices.yaml"), prices).unwrap();
    let own = |name: &str| {
        format!(
            "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: {name}}}, spec: {{selector: \
             {{matchLabels: {{app: {name}}}}}, template: {{metadata: {{labels: {{app: {name}}}}}, \
             spec: {{containers: [{{name: a, image: a}}]}}}}}}}}"
        )
    };
    for name in ["vm", "service"] {
        fs::write(place.join(format!("{name}.yaml")), own(name)).unwrap();
    }
    fs::write(place.join("requests.csv"), "count\n5\n7\n").unwrap();
    let needed = [
        ("question:", "question: Does the example load?"),
        ("duration:", "duration: 24h"),
        ("nodes:", "nodes: [{name: pool, machine: e2-standard-4, count: 3, zones: [a, b, c]}]"),
        ("manifests:", "manifests: [web.yaml]"),
    ];
    let mut loaded = 0;
    for name in ["docs/scenario.md", "README.md"] {
        let page = page(name);
        for block in page.split("```yaml\n").skip(1) {
            let block = block.split("```").next().unwrap_or_default();
            let mut scenario = block.to_string();
            for (key, line) in needed {
                if !block.lines().any(|line| line.starts_with(key)) {
                    scenario.push_str(&format!("{line}\n"));
                }
            }
            let file = place.join("example.yaml");
            fs::write(&file, &scenario).unwrap();
            if let Err(errors) = load(&file, &Overrides::default()) {
                panic!("{name}: {errors}\n{scenario}");
            }
            loaded += 1;
        }
    }
    assert!(loaded >= 9, "{loaded} examples");
}

/// What the page on plugins quotes stands in the sources, and its configuration loads.
#[test]
fn the_plugin_of_the_tutorial_is_the_one_that_is_there() {
    let tutorial = page("docs/plugin.md");
    let sources = page("src/control/scheduler/plugins/gpu_fragmentation.rs")
        + &page("src/control/scheduler/testing_group.rs")
        + &page("src/control/scheduler/registry.rs");
    let quotes: Vec<&str> = tutorial.split("```rust\n").skip(1).collect();
    assert!(quotes.len() >= 5);
    for quote in quotes {
        let quote = quote.split("```").next().unwrap_or_default();
        assert!(sources.contains(quote), "not in the sources:\n{quote}");
    }
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("docs-plugin");
    fs::create_dir_all(&place).unwrap();
    let yaml = tutorial.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    fs::write(place.join("kube-scheduler.yaml"), yaml).unwrap();
    let scenario = "question: Does it load?\nduration: 1h\n\
                    nodes: [{name: pool, machine: e2-standard-4, count: 3}]\n\
                    flags: {kube-scheduler: {config: kube-scheduler.yaml}}\n";
    fs::write(place.join("scenario.yaml"), scenario).unwrap();
    let loaded = load(&place.join("scenario.yaml"), &Overrides::default());
    let scenario = loaded.unwrap_or_else(|errors| panic!("{errors}"));
    let score = &scenario.flags.scheduler.profiles[0].plugins.multi_point.enabled;
    assert_eq!(score[0].name, "GPUFragmentation");
}
