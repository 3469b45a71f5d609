//! The house rules that a machine can hold: who may know whom, how files open, how long things get.
//!
//! ARCHITECTURE.md draws the map; this test makes it true.

#![allow(clippy::unwrap_used, reason = "a test that can't read its own sources shall fail")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// For each room, the rooms it may use. `main.rs` and `lib.rs` may use all.
const MAY_USE: &[(&str, &[&str])] = &[
    ("units", &[]),
    ("sim", &["units"]),
    ("api", &["units"]),
    ("store", &["units", "api"]),
    ("control", &["units", "api", "store"]),
    // Cases are drawn with the named streams, so that a seed gives the same ones everywhere.
    ("conform", &["units", "api", "control", "sim::rng"]),
    ("record", &["units", "api"]),
    // Who is in a population is part of the question: it is drawn when a scenario is read.
    ("scenario", &["units", "api", "control", "record", "sim::sample", "sim::rng"]),
    ("check", &["units", "api", "store"]),
    ("world", &["units", "sim", "api", "store", "control", "record", "scenario", "check"]),
    ("experiment", &["check", "record", "scenario", "world"]),
    ("report", &["units", "api", "record", "scenario::model", "experiment"]),
    ("replay", &["units", "sim::sample", "api", "store", "record", "scenario", "world"]),
    ("print", &["units", "api", "store", "record"]),
    (
        "cli",
        &[
            "units",
            "api",
            "store",
            "conform",
            "replay",
            "record",
            "scenario",
            "check",
            "world",
            "print",
            "report",
            "sim",
            "experiment",
        ],
    ),
];

/// Rooms that may touch files, and the macro-expanded name of what they use.
const MAY_USE_FILES: &[&str] = &["scenario", "report", "cli"];

const LINES_PER_FILE: usize = 800;
const LINES_PER_FUNCTION: usize = 70;
const COLUMNS: usize = 100;

#[test]
fn dependencies_run_one_way() {
    let mut wrong = Vec::new();
    for (path, code) in sources() {
        let Some(room) = room_of(&path) else { continue };
        let allowed = MAY_USE.iter().find(|(name, _)| *name == room).map(|(_, uses)| *uses);
        let Some(allowed) = allowed else {
            wrong.push(format!("{}: room `{room}` is not on the map", path.display()));
            continue;
        };
        for (number, line) in without_tests(&code).lines().enumerate() {
            for used in used_paths(line) {
                let name = used.split("::").next().unwrap_or("");
                let fine = name == room
                    || allowed.iter().any(|a| *a == name || used.starts_with(&format!("{a}::")));
                let known = MAY_USE.iter().any(|(room, _)| *room == name);
                if known && !fine {
                    wrong.push(format!(
                        "{}:{}: `{room}` uses `{used}`",
                        path.display(),
                        number + 1
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "arrows against the map:\n{}", wrong.join("\n"));
}

#[test]
fn only_three_rooms_touch_files() {
    let mut wrong = Vec::new();
    for (path, code) in sources() {
        let room = room_of(&path).unwrap_or_default();
        if room.is_empty() || MAY_USE_FILES.contains(&room.as_str()) {
            continue;
        }
        for (number, line) in without_tests(&code).lines().enumerate() {
            if line.contains("std::fs") || line.contains("std::env") || line.contains("std::net") {
                wrong.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "rooms that reach outside:\n{}", wrong.join("\n"));
}

#[test]
fn every_file_opens_with_what_it_is_for() {
    let silent: Vec<String> = sources()
        .into_iter()
        .filter(|(_, code)| {
            !code.starts_with("//! ") || code.lines().next().is_none_or(|l| l.len() < 20)
        })
        .map(|(path, _)| path.display().to_string())
        .collect();
    assert!(silent.is_empty(), "files without a head:\n{}", silent.join("\n"));
}

#[test]
fn files_and_functions_can_be_read_in_one_sitting() {
    let mut long = Vec::new();
    for (path, code) in sources() {
        let code = without_tests(&code);
        let lines = code.lines().count();
        if lines > LINES_PER_FILE {
            long.push(format!("{}: {lines} lines", path.display()));
        }
        for (name, start, length) in functions(&code) {
            if length > LINES_PER_FUNCTION {
                long.push(format!("{}:{start}: fn {name} has {length} lines", path.display()));
            }
        }
        for (number, line) in code.lines().enumerate() {
            if line.chars().count() > COLUMNS && !line.contains("http") && !line.contains('"') {
                long.push(format!("{}:{}: over {COLUMNS} columns", path.display(), number + 1));
            }
        }
    }
    assert!(long.is_empty(), "too long:\n{}", long.join("\n"));
}

#[test]
fn names_say_what_is_inside() {
    let vague = ["util", "utils", "common", "manager", "helper", "helpers", "misc"];
    let wrong: Vec<String> = sources()
        .into_keys()
        .filter(|path| {
            path.components().any(|part| {
                let name = Path::new(part.as_os_str()).file_stem().unwrap_or_default();
                vague.contains(&name.to_string_lossy().as_ref())
            })
        })
        .map(|path| path.display().to_string())
        .collect();
    assert!(wrong.is_empty(), "vague names:\n{}", wrong.join("\n"));
}

#[test]
fn the_map_names_rooms_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for (room, _) in MAY_USE {
        let there = root.join(room).is_dir() || root.join(format!("{room}.rs")).is_file();
        assert!(there, "room `{room}` is on the map but not in src/");
    }
}

/// All source files below `src/`, path relative to it, in order.
fn sources() -> BTreeMap<PathBuf, String> {
    fn walk(dir: &Path, root: &Path, found: &mut BTreeMap<PathBuf, String>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let name = path.strip_prefix(root).unwrap().to_path_buf();
                found.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeMap::new();
    walk(&root, &root, &mut found);
    // Files that hold only tests follow the rules of tests.
    let only_tests = ["tests.rs", "testing.rs", "lockstep.rs"];
    let is_test = |path: &Path| {
        let below = path.components().any(|part| part.as_os_str() == "tests");
        below || only_tests.iter().any(|name| path.ends_with(name))
    };
    found.retain(|path, _| !is_test(path));
    assert!(found.len() > 20, "the sources were not found");
    found
}

/// The room a file belongs to; `None` for `main.rs` and `lib.rs`.
fn room_of(path: &Path) -> Option<String> {
    let first = path.components().next()?.as_os_str().to_string_lossy().into_owned();
    let name = first.trim_end_matches(".rs").to_string();
    (name != "main" && name != "lib").then_some(name)
}

/// What stands behind `crate::` in a line, up to two levels.
fn used_paths(line: &str) -> Vec<String> {
    if line.trim_start().starts_with("//") {
        return Vec::new();
    }
    line.split("crate::")
        .skip(1)
        .map(|rest| {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
            rest[..end.unwrap_or(rest.len())].to_string()
        })
        .collect()
}

/// The code without its test modules, which stand last in a file.
fn without_tests(code: &str) -> String {
    code.split("\n#[cfg(test)]\nmod ").next().unwrap_or(code).to_string()
}

/// Name, first line and length of every function, by indentation.
fn functions(code: &str) -> Vec<(String, usize, usize)> {
    let lines: Vec<&str> = code.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let Some(at) = line.find("fn ").filter(|at| {
            let before = line[..*at].trim();
            before.is_empty()
                || before.split(' ').all(|w| {
                    w.starts_with("pub")
                        || w == "const"
                        || w.starts_with("super)")
                        || w.starts_with("in")
                })
        }) else {
            continue;
        };
        let name: String =
            line[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let close = format!("{}}}", " ".repeat(indent));
        if let Some(length) = lines[start..].iter().position(|l| *l == close) {
            found.push((name, start + 1, length + 1));
        }
    }
    found
}
