//! A launch of realistic size is written to a result folder: whole, equal twice, without traces of
//! the machine.
//!
//! `STORMGLASS_KEEP=DIR cargo test --test report` leaves the folders of the launch and of a short
//! run in `DIR`, to be looked at.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod launch_data;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use stormglass::record::Recorder;
use stormglass::record::measure::Expected;
use stormglass::record::objective::Target;
use stormglass::record::rows::{ClusterSample, Quantiles, WorkloadSample};
use stormglass::record::summarize::{RunFacts, summarize};
use stormglass::record::summary::Summary;
use stormglass::report::{Manifest, ReportError, ResultFolder, Results, Timing, terminal};
use stormglass::units::{SimDuration, SimTime};

const SCENARIO: &str = "pokemon-go/launch-50x";

fn expectations() -> [Expected<'static>; 5] {
    [
        Expected {
            metric: "failed_ratio",
            until: Some(SimTime::from_secs(6 * 3600)),
            at_most: Some(0.001),
            text: "failed_ratio until 6h at most 0.1%",
            ..Default::default()
        },
        Expected {
            metric: "node_limit_time",
            at_least: Some(3600.0),
            text: "node_limit_time at least 1h",
            ..Default::default()
        },
        Expected {
            metric: "time_to_recover",
            at_most: Some(6.0 * 3600.0),
            text: "time_to_recover at most 6h",
            ..Default::default()
        },
        Expected {
            metric: "failed_ratio",
            at_most: Some(0.05),
            text: "failed_ratio at most 5%",
            ..Default::default()
        },
        Expected {
            metric: "latency_p99",
            of: Some("pokemon-go/no-such-service"),
            at_most: Some(1.0),
            text: "latency_p99 of pokemon-go/no-such-service at most 1s",
            ..Default::default()
        },
    ]
}

fn summary(recorder: &Recorder<'_>, names: &[String]) -> Summary {
    let ignored = [
        "manifests/frontend.yaml:41: ConfigMap pokemon-go/<settings>: no effect on the simulation"
            .to_owned(),
        "manifests/frontend.yaml:3: Deployment pokemon-go/frontend spec.strategy: not modelled yet"
            .to_owned(),
    ];
    let facts = RunFacts {
        scenario: SCENARIO,
        question: "Does a backend sized for five times the planned load survive fifty times, & what heals it?",
        about: "Traffic passed the target fifty times over within a day of opening. Watch \
                the node limit: until it is raised, no autoscaler can help.",
        seed: 1,
        duration: SimDuration::from_secs(86_400),
        workloads: names,
        target: Target { error_budget: 0.01, latency_s: 0.5 },
        currency: "USD",
        levels: &[],
        ignored: &ignored,
    };
    summarize(recorder, &facts, &expectations())
}

fn manifest() -> Manifest {
    Manifest {
        version: "0.1.0".into(),
        scenario: SCENARIO.into(),
        file: "scenarios/hello.yaml".into(),
        scenario_hash: "5f2c9d7ab1e04c6f8e3a7b90d1c2e3f45f2c9d7ab1e04c6f8e3a7b90d1c2e3f4".into(),
        seed: 1,
        set: Vec::new(),
        until: None,
        events: 12_345_678,
        event_log_hash: "9b1d4e7fa2c05d6e8f3b7a91c0d2e4f69b1d4e7fa2c05d6e8f3b7a91c0d2e4f6".into(),
        repeat: "stormglass run scenarios/pokemon-go/launch-50x.yaml --seed 1".into(),
        parameters: serde_json::json!({
            "observe": {"every": "1m", "error_budget": 0.01, "latency_objective": "500ms"},
            "cluster_autoscaler": {"scan-interval": "10s", "max-nodes-total": 420},
        }),
    }
}

/// Writes the launch to `base`; gives the folder and the summary.
fn write(base: &Path, wall_s: f64) -> Result<(PathBuf, Summary), ReportError> {
    let names = launch_data::names();
    let folder = ResultFolder::create(base, SCENARIO, 1)?;
    let mut sink = folder.sink(&names)?;
    let mut recorder = Recorder::new(&mut sink);
    launch_data::play(&mut recorder);
    launch_data::rows(&mut recorder, 50_000, 1_800, 100_000);
    let summary = summary(&recorder, &names);
    let Recorder { cluster, workloads, .. } = recorder;
    let results = Results {
        cluster: &cluster,
        workloads: &workloads,
        deliveries: &[],
        names: &names,
        summary: &summary,
        manifest: &manifest(),
        timing: Timing { wall_s, events_per_s: 1e6, peak_memory_bytes: Some(123 << 20) },
    };
    let path = folder.finish(sink, &results)?;
    Ok((path, summary))
}

/// A folder for this process that is gone afterwards, unless it is to be kept.
struct Place(PathBuf, bool);

impl Place {
    fn new(name: &str) -> Place {
        match std::env::var_os("STORMGLASS_KEEP") {
            Some(kept) if matches!(name, "first" | "short") => return Place(kept.into(), true),
            _ => {}
        }
        let name = format!("stormglass-report-{}-{name}", std::process::id());
        Place(std::env::temp_dir().join(name), false)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.1 {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// All files under `folder` by relative name.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            files.extend(contents(&path).into_iter().map(|(n, b)| (format!("{name}/{n}"), b)));
        } else {
            files.insert(name, fs::read(&path).unwrap());
        }
    }
    files
}

#[test]
fn a_launch_is_written_whole_and_equal_twice() {
    let (first, second) = (Place::new("first"), Place::new("second"));
    let (path, summary) = write(&first.0, 2.5).unwrap();
    let (other_path, other_summary) = write(&second.0, 3.5).unwrap();
    assert_eq!(path, first.0.join(SCENARIO).join("1"));
    assert_eq!(summary, other_summary);
    let (files, other_files) = (contents(&path), contents(&other_path));
    let manifest: serde_json::Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
    let listed: Vec<&str> =
        manifest["files"].as_array().unwrap().iter().map(|f| f.as_str().unwrap()).collect();
    assert_eq!(files.keys().collect::<Vec<_>>(), listed, "the manifest lists what is there");
    for (name, bytes) in &files {
        assert_eq!(*bytes == other_files[name], name != "timing.json", "{name}");
        assert!(!bytes.is_empty(), "{name}");
    }
    let story = terminal::story(&summary, Some(Path::new("results/pokemon-go/launch-50x/1")));
    if std::env::var_os("STORMGLASS_KEEP").is_some() {
        fs::write(first.0.join("story.txt"), &story).unwrap();
    }
    assert!(story.lines().all(|line| line.chars().count() <= 100), "{story}");
}

/// Ten minutes of one service whose pod crashes in the fourth, sampled every five seconds.
fn crash(recorder: &mut Recorder<'_>) {
    for i in 1..=120 {
        let (time, interval) = (SimTime::from_secs(5 * i), SimDuration::from_secs(5));
        let down = (40..46).contains(&i);
        let (ready, failed) = if down { (1, 60.0) } else { (2, 0.0) };
        let p95 = if down { 0.4 } else { 0.05 };
        let latency = Some(Quantiles { p50: p95 / 2.0, p95, p99: p95 * 2.0, p999: p95 * 2.0 });
        let offered = 250.0;
        recorder.totals.entry_latency.add(p95 / 2.0, offered);
        recorder.workload_sample(WorkloadSample {
            time,
            interval,
            offered,
            served: offered - failed,
            failed,
            desired: 2,
            current: 2,
            ready,
            latency,
            ..Default::default()
        });
        recorder.cluster_sample(ClusterSample {
            time,
            interval,
            offered,
            served: offered - failed,
            failed,
            latency,
            capacity_rps: 40.0 * f64::from(ready),
            nodes: 2,
            nodes_ready: 2,
            nodes_limit: 2,
            pods: 2,
            pods_desired: 2,
            pods_ready: ready,
            pods_starting: 2 - ready,
            cost: 0.001 * i as f64,
            cost_per_hour: 0.72,
            ..Default::default()
        });
    }
}

#[test]
fn a_short_run_reads_well_and_its_currency_is_text() {
    let place = Place::new("short");
    let names = ["default/hello".to_owned()];
    let folder = ResultFolder::create(&place.0, "hello", 1).unwrap();
    let mut sink = folder.sink(&names).unwrap();
    let mut recorder = Recorder::new(&mut sink);
    crash(&mut recorder);
    let facts = RunFacts {
        scenario: "hello",
        question: "What heals a crashed pod?",
        about: "",
        seed: 1,
        duration: SimDuration::from_secs(600),
        workloads: &names,
        target: Target { error_budget: 0.01, latency_s: 0.5 },
        currency: "<b>",
        levels: &[],
        ignored: &[],
    };
    let summary = summarize(&recorder, &facts, &[]);
    let Recorder { cluster, workloads, .. } = recorder;
    let results = Results {
        cluster: &cluster,
        workloads: &workloads,
        deliveries: &[],
        names: &names,
        summary: &summary,
        manifest: &manifest(),
        timing: Timing::default(),
    };
    let path = folder.finish(sink, &results).unwrap();
    let story: Vec<_> =
        summary.story.iter().map(|p| format!("{:.0} {}", p.time_s, p.text)).collect();
    let expected = [
        "195 demand, 50 req/s, passes what the ready pods can serve, 40 req/s",
        "195 the first requests fail: 60 of 250 in 5 s",
        "195 the objective is missed: 24% of requests fail, budget 1%",
        "225 the objective holds again after 30 s",
        "230 all 2 wanted pods are ready, after 30 s with fewer",
    ];
    assert_eq!(story, expected);
    for name in ["report.html", "plots/cost.svg"] {
        let text = fs::read_to_string(path.join(name)).unwrap();
        assert!(!text.contains("<b> per hour"), "{name}");
        assert!(text.contains("&lt;b&gt; per hour"), "{name}");
    }
}

#[test]
fn a_run_in_which_nothing_happened_is_written_too() {
    let place = Place::new("nothing");
    let folder = ResultFolder::create(&place.0, "nothing", 1).unwrap();
    let sink = folder.sink(&[]).unwrap();
    let results = Results {
        cluster: &[],
        workloads: &[],
        deliveries: &[],
        names: &[],
        summary: &Summary::default(),
        manifest: &manifest(),
        timing: Timing::default(),
    };
    let path = folder.finish(sink, &results).unwrap();
    assert_eq!(fs::read_to_string(path.join("events.csv")).unwrap().lines().count(), 1);
}

#[test]
fn the_page_asks_nothing_of_the_network_and_trusts_no_text() {
    let place = Place::new("page");
    let (path, _) = write(&place.0, 1.0).unwrap();
    let page = fs::read_to_string(path.join("report.html")).unwrap();
    for outside in ["http://", "https://", "src=", "@import", "url(", "<script"] {
        // The name of SVG's namespace looks like an address and is none.
        let page = page.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("fifty times, &amp; what heals it?"));
    assert!(page.contains("ConfigMap pokemon-go/&lt;settings&gt;"));
    let place = place.0.to_string_lossy().into_owned();
    for (name, bytes) in contents(&path) {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(&place), "{name} tells where it was written");
    }
}
