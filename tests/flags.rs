//! Every flag that a scenario may give is read by the part it is for, or listed as without effect.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};
use stormglass::scenario::flags::WITHOUT_EFFECT;
use stormglass::scenario::{Overrides, load};

/// All sources below a folder of `src/`, without tests.
fn sources(folder: &Path, found: &mut String) {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            sources(&path, found);
        } else if !path.ends_with("tests.rs") && !path.ends_with("control/flags.rs") {
            let code = fs::read_to_string(&path).unwrap();
            found.push_str(code.split("\n#[cfg(test)]\nmod ").next().unwrap());
        }
    }
}

/// Flags in the schema, as `<component>.<flag>`.
fn accepted() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let schema = fs::read_to_string(root.join("schema/scenario.json")).unwrap();
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    let definitions = &schema["$defs"];
    let components = definitions["FlagsFile"]["properties"].as_object().unwrap();
    let mut found = Vec::new();
    for (component, of) in components {
        let any = of["anyOf"].as_array().and_then(|of| of.first()).unwrap_or(of);
        let name = any["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
        let flags = definitions[name]["properties"].as_object().unwrap();
        found.extend(flags.keys().map(|flag| format!("{component}.{flag}")));
    }
    found
}

#[test]
fn every_flag_is_read_or_listed() {
    let mut code = String::new();
    for room in ["src/world", "src/control"] {
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(room), &mut code);
    }
    let is_read = |path: &str| {
        let field = path.split_once('.').unwrap().1.replace('-', "_");
        code.match_indices(&field).any(|(at, _)| {
            let (before, after) = (&code[..at], &code[at + field.len()..]);
            let ends = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_');
            before.ends_with('.') && ends(after.chars().next())
        })
    };
    let flags = accepted();
    assert!(flags.len() > 60, "{flags:?}");
    for path in &flags {
        let listed = WITHOUT_EFFECT.iter().any(|(listed, _)| listed == path);
        assert_ne!(is_read(path), listed, "{path}: either read or listed as without effect");
    }
    for (path, _) in WITHOUT_EFFECT {
        assert!(flags.iter().any(|flag| flag == path), "{path} is no flag");
    }
}

#[test]
fn flags_without_effect_are_told_where_they_are_given() {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("flags");
    fs::create_dir_all(&place).unwrap();
    let file = place.join("a.yaml");
    let text = "question: Does it say so?\nduration: 1m\n\
                nodes: [{name: pool, machine: e2-standard-4, count: 1}]\n\
                flags:\n  kube-controller-manager:\n    node-monitor-period: 5s\n    \
                node-startup-grace-period: 2m\n  \
                cluster-autoscaler: {scale-down-delay-after-failure: 1m}\n";
    fs::write(&file, text).unwrap();
    let scenario = load(&file, &Overrides::default()).unwrap();
    let told: Vec<(usize, &str)> =
        scenario.ignored.iter().map(|ignored| (ignored.line, ignored.object.as_str())).collect();
    assert_eq!(
        told,
        [
            (7, "flags.kube-controller-manager.node-startup-grace-period"),
            (8, "flags.cluster-autoscaler.scale-down-delay-after-failure"),
        ]
    );
}

#[test]
fn the_schedulers_configuration_says_how_many_workers_it_has() {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("workers");
    fs::create_dir_all(&place).unwrap();
    let rows = [
        ("one, if nobody says more", "{}", "", 1),
        ("as many as the flag says", "{parallelism: 4}", "", 4),
        ("as many as its file says", "{config: kube-scheduler.yaml}", "parallelism: 16\n", 16),
        ("one, if its file does not say", "{config: kube-scheduler.yaml}", "", 1),
    ];
    for (sentence, flags, line, workers) in rows {
        let file = place.join("a.yaml");
        let text = format!(
            "question: How many?\nduration: 1m\n\
             nodes: [{{name: pool, machine: e2-standard-4, count: 1}}]\n\
             flags: {{kube-scheduler: {flags}}}\n"
        );
        fs::write(&file, text).unwrap();
        let configuration = "apiVersion: kubescheduler.config.k8s.io/v1\n\
                             kind: KubeSchedulerConfiguration\n";
        fs::write(place.join("kube-scheduler.yaml"), configuration.to_owned() + line).unwrap();
        let scenario = load(&file, &Overrides::default()).unwrap();
        assert_eq!(scenario.flags.scheduler.parallelism, workers, "{sentence}");
        assert_eq!(scenario.ignored.len(), 0, "{sentence}: it has an effect");
    }
}
