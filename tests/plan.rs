//! `stormglass plan` from outside: answers as brute force finds them, interruptions, bad questions.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

const SCENARIO: &str = "tests/data/plan/spike.yaml";

fn stormglass(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stormglass"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A fresh folder for a test's results.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

/// The plan's folder below `out`: there is one.
fn plan_folder(out: &Path) -> PathBuf {
    let entries = fs::read_dir(out.join("plan/spike")).unwrap().map(|entry| entry.unwrap());
    let is_plan = |name: &str| name.starts_with("plan-");
    let mut plans = entries.filter(|entry| is_plan(&entry.file_name().to_string_lossy()));
    let found = plans.next().unwrap().path();
    assert!(plans.next().is_none(), "one question, one folder");
    found
}

/// All files of a folder and those below it.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            found.extend(contents(&path).into_iter().map(|(n, b)| (format!("{name}/{n}"), b)));
        } else {
            found.insert(name, fs::read(&path).unwrap());
        }
    }
    found
}

fn asked(vary: &str, slo: &str, out: &Path, more: &[&str]) -> Vec<String> {
    let out = out.to_string_lossy();
    let fixed = ["plan", SCENARIO, "--vary", vary, "--slo", slo, "--out", &out];
    fixed.iter().chain(more).map(|word| word.to_string()).collect()
}

fn ask(vary: &str, slo: &str, out: &Path, more: &[&str]) -> Output {
    let words = asked(vary, slo, out, more);
    stormglass(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

fn plan(out: &Path) -> serde_json::Value {
    let text = fs::read(plan_folder(out).join("plan.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// Whether a run by itself meets the objective: its exit code says so.
fn meets(set: &str, expect: &str, seed: u64, out: &Path) -> bool {
    let (seed, out) = (seed.to_string(), out.to_string_lossy());
    let run = ["run", SCENARIO, "--seed", &seed, "--set", set, "--set", expect];
    let run: Vec<&str> = run.into_iter().chain(["--quiet", "--out", &out]).collect();
    let output = stormglass(&run);
    match output.status.code() {
        Some(0) => true,
        Some(1) => false,
        _ => panic!("{}", text(&output.stderr)),
    }
}

/// Every value by every seed, one run each: the answers are the planner's.
#[test]
fn answers_are_those_of_brute_force() {
    let rows: [(&str, &str, &[&str], &str, &str); 3] = [
        (
            "the smallest maxReplicas",
            "hpa/web.spec.maxReplicas",
            &["3", "9", "13", "15", "16", "17", "18"],
            "failed_ratio<=10%",
            "expect=[{failed_ratio: {at-most: 10%}}]",
        ),
        (
            "the smallest pool",
            "nodes.pool.max",
            &["2", "3", "4", "5", "6"],
            "failed_ratio<=10%",
            "expect=[{failed_ratio: {at-most: 10%}}]",
        ),
        (
            "the largest load",
            "traffic.*.scale",
            &["0.5", "1", "1.2", "1.3", "1.4", "1.5"],
            "failed_ratio<=10%",
            "expect=[{failed_ratio: {at-most: 10%}}]",
        ),
    ];
    for (sentence, path, values, slo, expect) in rows {
        let out = folder(&format!("plan-brute-{}", path.replace(['/', '*'], "-")));
        let vary = format!("{path}={}", values.join(","));
        let output = ask(&vary, slo, &out, &["--seeds", "3", "--meet", "60%", "--quiet"]);
        assert!(output.status.code().is_some_and(|code| code < 2), "{}", text(&output.stderr));
        let found = plan(&out);
        let answer = &found["parts"][0]["answer"];
        let mut least = [const { None }; 3];
        let order: Vec<&str> = match path.starts_with("traffic") {
            true => values.iter().rev().copied().collect(),
            false => values.to_vec(),
        };
        for (i, least) in least.iter_mut().enumerate() {
            let set = |value: &&&str| {
                meets(&format!("{path}={value}"), expect, i as u64 + 1, &out.join("brute"))
            };
            *least = order.iter().find(set).map(|value| value.to_string());
        }
        for (i, least) in least.iter().enumerate() {
            let ours = answer["thresholds"][i]["value"].as_str().map(str::to_owned);
            assert_eq!(ours, *least, "{sentence}, seed {}", i + 1);
        }
        // Two of three seeds are 60 % or more.
        let place = |least: &Option<String>| {
            order.iter().position(|v| Some(v.to_string()) == *least).unwrap_or(order.len())
        };
        let mut places: Vec<usize> = least.iter().map(place).collect();
        places.sort_unstable();
        let expected = order.get(places[1]).map(|value| value.to_string());
        assert_eq!(answer["value"].as_str().map(str::to_owned), expected, "{sentence}");
        assert!(expected.is_some(), "{sentence}: the range holds an answer, or nothing is tested");
        assert!(places[1] > 0, "{sentence}: it is no end of the range");
    }
}

const VARY: &str = "hpa/web.spec.maxReplicas=3..40";
const SLO: &str = "failed_ratio<=10%";

#[test]
fn an_interrupted_plan_goes_on_and_ends_with_the_same_bytes() {
    let (whole, parted) = (folder("plan-whole"), folder("plan-parted"));
    let more = ["--seeds", "6", "--jobs", "2"];
    let output = ask(VARY, SLO, &whole, &more);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let log = |out: &Path| fs::read_to_string(out.join("plan/spike/.plan-runs.jsonl"));
    let all = log(&whole).unwrap().lines().count();
    assert!(all > 20, "{all} runs");
    // Killed when some runs are done, like by a loss of power.
    let words = asked(VARY, SLO, &parted, &more);
    let mut command = Command::new(env!("CARGO_BIN_EXE_stormglass"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(&words);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let some = |n: usize| log(&parted).is_ok_and(|text| text.lines().count() >= n);
    while !some(5) && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let done = log(&parted).unwrap().lines().count();
    assert!(done < all, "it was stopped in the middle: {done} of {all}");
    let output = ask(VARY, SLO, &parted, &more);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(contents(&plan_folder(&whole)) == contents(&plan_folder(&parted)), "other bytes");
    let keys = |out: &Path| -> Vec<String> {
        let text = log(out).unwrap();
        let key = |line: &str| -> Option<String> {
            let line: serde_json::Value = serde_json::from_str(line).ok()?;
            Some(line["key"].as_str()?.to_owned())
        };
        let mut keys: Vec<String> = text.lines().filter_map(key).collect();
        keys.sort_unstable();
        keys
    };
    assert_eq!(keys(&whole), keys(&parted), "no run is made twice");
    // Asked again, nothing is run at all.
    let output = ask(VARY, SLO, &parted, &more);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(keys(&whole), keys(&parted));
}

#[test]
fn the_answer_does_not_depend_on_jobs_and_its_commands_repeat_its_runs() {
    let (one, three) = (folder("plan-one"), folder("plan-three"));
    for (out, jobs) in [(&one, "1"), (&three, "3")] {
        let output = ask(VARY, SLO, out, &["--seeds", "4", "--jobs", jobs]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let told = text(&output.stdout);
        assert!(told.contains("hpa/web.spec.maxReplicas = "), "{told}");
        assert!(told.contains("95% interval"), "{told}");
    }
    assert!(contents(&plan_folder(&one)) == contents(&plan_folder(&three)), "other bytes");
    let found = plan(&one);
    let run = found["runs"].as_array().unwrap().last().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_stormglass")).parent().unwrap().to_path_buf();
    let line = format!("{} --quiet --out {}", run["command"].as_str().unwrap(), one.display());
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    shell.current_dir(env!("CARGO_MANIFEST_DIR")).env("PATH", path).args(["-c", &line]);
    let status = shell.status().unwrap();
    assert_eq!(status.code() == Some(0), run["held"].as_bool().unwrap());
    let seed = run["seed"].to_string();
    let manifest = one.join("plan/spike").join(seed).join("manifest.json");
    let manifest: serde_json::Value = serde_json::from_slice(&fs::read(manifest).unwrap()).unwrap();
    assert_eq!(manifest["event_log_hash"], run["event_log_hash"], "it is the same run");
}

#[test]
fn what_nothing_in_the_range_meets_is_an_answer() {
    let out = folder("plan-none");
    let output = ask("hpa/web.spec.maxReplicas=3..8", SLO, &out, &["--seeds", "2"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let told = text(&output.stdout);
    assert!(told.contains("No value of the range is enough"), "{told}");
    assert_eq!(plan(&out)["parts"][0]["answer"]["value"], serde_json::Value::Null);
}

#[test]
fn bad_questions_are_told_with_their_places() {
    let vary = "nodes.pool.max=2..6";
    let rows: [(&str, &str, &str, &[&str]); 9] = [
        (
            "a path that leads nowhere",
            "nodes.poool.max=2..6",
            SLO,
            &["`poool`", "did you mean `pool`?"],
        ),
        (
            "an object that is not there",
            "hpa/webb.spec.maxReplicas=3..6",
            SLO,
            &["HorizontalPodAutoscaler `webb`", "did you mean `web`?"],
        ),
        ("an empty range", "nodes.pool.max=6..2", SLO, &["is empty", "--vary:1:16"]),
        ("no range", "nodes.pool.max", SLO, &["is no path=range"]),
        ("a value that can't be", "nodes.pool.max=0..6", SLO, &["max"]),
        (
            "an unknown measure",
            vary,
            "failed_ration<=1%",
            &["did you mean `failed_ratio`?", "--slo:1:1"],
        ),
        ("no comparison", vary, "failed_ratio=1%", &["is no objective"]),
        ("a bound of another unit", vary, "latency_p99<=5", &["has no unit"]),
        ("a window that it has not", vary, "cost<=5 from 1m", &["no from, no until"]),
    ];
    for (sentence, vary, slo, parts) in rows {
        let out = folder("plan-bad");
        let output = ask(vary, slo, &out, &["--seeds", "2"]);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{sentence}: {told}");
        for part in parts {
            assert!(told.contains(part), "{sentence}: no `{part}` in\n{told}");
        }
    }
    let out = folder("plan-bad");
    let output = ask("x", "y", &out, &["--seeds", "0", "--meet", "200%"]);
    let told = text(&output.stderr);
    for option in ["--vary:1:1", "--slo:1:1", "--seeds:1:1", "--meet:1:1"] {
        assert!(told.contains(option), "all at once, {option}:\n{told}");
    }
}

/// What broke is what lets the same load pass when it is lifted, and nothing is lifted in vain.
#[test]
fn what_breaks_first_is_what_would_have_helped() {
    let out = folder("plan-breaks");
    let vary = "traffic.*.scale=1..4:0.5";
    let output = ask(vary, SLO, &out, &["--seeds", "2", "--breaks"]);
    assert!(output.status.code().is_some_and(|code| code < 2), "{}", text(&output.stderr));
    let told = text(&output.stdout);
    assert!(told.contains("what breaks"), "{told}");
    let found = plan(&out);
    let parts = found["parts"].as_array().unwrap();
    assert!(parts.len() >= 2, "{told}");
    let number = |value: &serde_json::Value| value.as_str().unwrap().parse::<f64>().unwrap();
    let texts = |value: &serde_json::Value| -> Vec<String> {
        value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    for pair in parts.windows(2) {
        let (breaks, next) = (&pair[0]["breaks"], &pair[1]);
        let limits = texts(&breaks["limits"]);
        assert!(!limits.is_empty());
        let given = [texts(&pair[0]["given"]), limits].concat();
        assert_eq!(texts(&next["given"]), given, "what broke is lifted from there on");
        assert!(number(&next["answer"]["value"]) >= number(&breaks["at"]), "so the load passes");
        // By runs of their own.
        let scale = format!("traffic.*.scale={}", breaks["at"].as_str().unwrap());
        let brute = out.join("brute").to_string_lossy().into_owned();
        for (set, is_met) in [(texts(&pair[0]["given"]), false), (given, true)] {
            let expect = "expect=[{failed_ratio: {at-most: 10%}}]";
            let met = |seed: &str| {
                let mut run = vec!["run", SCENARIO, "--seed", seed, "--quiet", "--out", &brute];
                let sets = set.iter().map(String::as_str).chain([expect, &scale]);
                sets.for_each(|set| run.extend(["--set", set]));
                stormglass(&run).status.code() == Some(0)
            };
            assert_eq!(met("1") && met("2"), is_met, "{set:?}");
        }
    }
    let last = &parts.last().unwrap()["breaks"];
    assert!(last.is_null() || texts(&last["limits"]).is_empty(), "{last}");
}

#[test]
fn a_second_field_is_searched_for_each_value_of_the_first() {
    let out = folder("plan-two");
    let more = ["--seeds", "2", "--vary", "hpa/web.spec.maxReplicas=10..24"];
    let output = ask("nodes.pool.max=2,6", SLO, &out, &more);
    assert_eq!(output.status.code(), Some(1), "two nodes are never enough");
    let found = plan(&out);
    let parts = found["parts"].as_array().unwrap();
    let given = |i: usize| parts[i]["given"][0].as_str().unwrap();
    assert_eq!((given(0), given(1)), ("nodes.pool.max=2", "nodes.pool.max=6"));
    assert!(parts[0]["answer"]["value"].is_null());
    assert!(parts[1]["answer"]["value"].is_string());
    let told = text(&output.stdout);
    assert!(told.contains("smallest hpa/web.spec.maxReplicas"), "{told}");
}

/// The example of the README is what its command tells.
#[test]
fn the_readme_tells_what_the_command_tells() {
    let out = folder("plan-readme");
    let run = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stormglass"));
        command.current_dir(&out).args(words).output().unwrap()
    };
    assert!(run(&["init", "shop.yaml"]).status.success());
    let words = [
        "plan",
        "shop.yaml",
        "--vary",
        "hpa/web.spec.maxReplicas=5..60",
        "--slo",
        "failed_ratio<=8%",
    ];
    let output = run(&words);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let told = text(&output.stdout);
    let (beginning, _) = told.split_once("For 95%").unwrap();
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    assert!(fs::read_to_string(readme).unwrap().contains(beginning), "{beginning}");
}
