//! Fleets from outside: who their members are, when they come, and what is told of mistakes.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use stormglass::record::recorder::Sink;
use stormglass::record::rows::{ClusterSample, DeliveryRow, PodRow};
use stormglass::scenario::model::Scenario;
use stormglass::scenario::{Overrides, load};
use stormglass::units::SimTime;
use stormglass::world::{RunOptions, run};

const TEMPLATE: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec:
      containers:
        - {name: app, image: app, resources: {requests: {cpu: 100m, memory: 64Mi}}}
---
apiVersion: v1
kind: Service
metadata: {name: app}
spec: {selector: {app: app}, ports: [{port: 80}]}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: app}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: app}
  minReplicas: 1
  maxReplicas: 90
  metrics:
    - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}
";

const SCENARIO: &str = "question: Who comes?
duration: 3h
nodes: [{name: pool, machine: n1-standard-16, count: 9}]
observe: {every: 5m}
";

fn written(name: &str, template: &str, fleets: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fleets").join(name);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("app.yaml"), template).unwrap();
    let file = folder.join("scenario.yaml");
    fs::write(&file, format!("{SCENARIO}fleets:\n{fleets}")).unwrap();
    file
}

fn loaded(name: &str, template: &str, fleets: &str) -> Scenario {
    match load(&written(name, template, fleets), &Overrides::default()) {
        Ok(scenario) => scenario,
        Err(errors) => panic!("{errors}"),
    }
}

/// Keeps pods and levels of a run.
#[derive(Default)]
struct Kept {
    pods: Vec<PodRow>,
    levels: Vec<(u64, u32)>,
}

impl Sink for Kept {
    fn cluster_sample(&mut self, row: &ClusterSample) {
        self.levels.push((row.time.whole_secs() / 60, row.pods_ready));
    }
    fn pod(&mut self, row: &PodRow) {
        self.pods.push(row.clone());
    }
}

fn kept(scenario: &Scenario, seed: u64) -> Kept {
    let mut kept = Kept::default();
    run(scenario, seed, RunOptions::default(), &mut kept, |_| {}).unwrap();
    kept
}

#[test]
fn members_are_there_from_the_start_with_figures_of_their_own() {
    let fleets = "  - {name: app, template: app.yaml, count: 40, vary: {replicas: {min: 1, max: 9},
        cpu-request: {p50: 100m, p99: 900m}}}\n";
    let scenario = loaded("start", TEMPLATE, fleets);
    let names = scenario.objects.names_of_bearers();
    assert_eq!((names.len(), &*names[0], &*names[39]), (40, "default/app-01", "default/app-40"));
    assert_eq!(scenario.objects.services.len(), 40);
    assert_eq!(scenario.objects.hpas[7].1, 7, "each is scaled by an autoscaler of its own");
    let wanted: Vec<u32> = scenario.objects.deployments.iter().map(|d| d.replicas).collect();
    let sizes: BTreeSet<u32> = wanted.iter().copied().collect();
    assert_eq!(sizes, (1..=9).collect(), "40 draws of 1 to 9 meet every number");
    let ready = kept(&scenario, 1).levels[0].1;
    assert_eq!(ready, wanted.iter().sum::<u32>(), "all are ready");
    let other = fleets.replace("count: 40", "count: 40, population: 2");
    let others = loaded("other", TEMPLATE, &other).objects.deployments;
    assert_ne!(wanted, others.iter().map(|d| d.replicas).collect::<Vec<_>>());
}

#[test]
fn members_come_in_steps_and_take_the_place_of_others() {
    let fleets = "  - {name: old, template: app.yaml, count: 8, vary: {replicas: 2}}
  - {name: new, template: new.yaml, count: 6, vary: {replicas: 3}, \
     replaces: {fleet: old, after: 10m}, arrive: {from: 1h, until: 2h, every: 30m}}\n";
    // Without autoscalers, which would have less than idle members.
    let plain = TEMPLATE.split("---\napiVersion: autoscaling").next().unwrap();
    let file = written("steps", plain, fleets);
    let new = plain.replace("app", "new").replace("newiVersion", "apiVersion");
    let new = new.replace("apiVersion: news/v1", "apiVersion: apps/v1");
    fs::write(file.with_file_name("new.yaml"), new).unwrap();
    let scenario = load(&file, &Overrides::default()).unwrap_or_else(|errors| panic!("{errors}"));
    let kept = kept(&scenario, 1);
    let ready = |minute: u64| kept.levels.iter().find(|(at, _)| *at == minute).unwrap().1;
    let rows = [
        ("eight of two are there", 60, 16),
        ("two of three have come", 65, 22),
        ("two of two are gone", 80, 18),
        ("two more of three have come", 95, 24),
        ("and two of two are gone", 110, 20),
        ("the last two have come", 125, 26),
        ("two of the old ones are left", 140, 22),
    ];
    for (sentence, minute, expected) in rows {
        assert_eq!(ready(minute), expected, "{sentence}, at minute {minute}");
    }
    assert!(kept.pods.iter().all(|pod| pod.workload.is_some()), "all of them have rows");
}

#[test]
fn members_come_at_any_time_drawn_by_the_seed() {
    let fleets = "  - {name: app, template: app.yaml, count: 60, arrive: {until: 2h}}\n";
    let scenario = loaded("drawn", TEMPLATE, fleets);
    let births = |seed: u64| {
        let mut births: Vec<SimTime> =
            kept(&scenario, seed).pods.iter().map(|p| p.created).collect();
        births.sort_unstable();
        births
    };
    let (first, second) = (births(1), births(2));
    assert_eq!((first.len(), second.len()), (60, 60));
    assert_ne!(first, second, "another seed, other instants");
    assert_eq!(first, births(1), "the same seed, the same instants");
    let early = first.iter().filter(|at| at.whole_secs() < 3600).count();
    assert!((15..=45).contains(&early), "{early} of 60 come in the first half");
}

#[test]
fn what_is_wrong_is_told_once_and_at_its_place() {
    let same = TEMPLATE.replace("matchLabels: {app: app}", "matchLabels: {tier: web}");
    let same = same.replace("labels: {app: app}", "labels: {tier: web}");
    let one = |more: &str| format!("  - {{name: app, template: app.yaml, count: 9{more}}}\n");
    let job = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: app}\nspec: {template: {spec: \
               {restartPolicy: Never, containers: [{name: a, image: a}]}}}\n";
    let rows = [
        (
            "a mistake in the template",
            TEMPLATE.replace("cpu: 100m", "cpu: much"),
            one(""),
            "app.yaml:10:",
        ),
        ("a selector that all share", same, one(""), "it is the same for all members"),
        (
            "no members",
            TEMPLATE.into(),
            one("").replace("9", "0"),
            "a fleet has 1 to 100000 members",
        ),
        (
            "a fleet that is not there",
            TEMPLATE.into(),
            one(", replaces: {fleet: vm}, arrive: {until: 1h}"),
            "there is no fleet `vm`",
        ),
        (
            "a place that is taken at the start",
            TEMPLATE.into(),
            one(", replaces: {fleet: app}"),
            "a fleet can't replace itself",
        ),
        (
            "after the end",
            TEMPLATE.into(),
            one(", arrive: {until: 9h}"),
            "is after the end of the scenario",
        ),
        (
            "sizes of nothing",
            TEMPLATE.into(),
            one(", vary: {sizes: [{cpu: 1, memory: 1Gi}]}"),
            "nothing to round up",
        ),
        (
            "sizes that shrink",
            TEMPLATE.into(),
            one(", vary: {cpu-request: 1, memory-request: 1Gi, sizes: [{cpu: 2, memory: 1Gi}, \
                 {cpu: 1, memory: 2Gi}]}"),
            "is smaller than the one before it",
        ),
        (
            "a figure of a wrong form",
            TEMPLATE.into(),
            one(", vary: {replicas: {p50: 9}}"),
            "give an amount, {p50, p99}, {min, max} or {mean}",
        ),
        ("a Job that comes", job.into(), one(", arrive: {until: 1h}"), "can't bring a Job"),
    ];
    for (sentence, template, fleets, expected) in rows {
        let file = written("wrong", &template, &fleets);
        let errors = load(&file, &Overrides::default()).err().map(|errors| errors.to_string());
        let errors = errors.unwrap_or_else(|| panic!("{sentence}: is accepted"));
        let told = errors.matches(expected).count();
        assert_eq!(told, 1, "{sentence}: {expected} in\n{errors}");
    }
}

/// Keeps what people were asked for.
#[derive(Default)]
struct Delivered(Vec<DeliveryRow>);

impl Sink for Delivered {
    fn delivery(&mut self, row: &DeliveryRow) {
        self.0.push(row.clone());
    }
}

fn delivered(scenario: &Scenario, seed: u64) -> Vec<DeliveryRow> {
    let mut kept = Delivered::default();
    run(scenario, seed, RunOptions::default(), &mut kept, |_| {}).unwrap();
    kept.0
}

#[test]
fn members_wait_for_their_team_and_are_released_afterwards() {
    let fleets = "  - {name: app, template: app.yaml, count: 20, arrive: {until: 1h}, \
                  delivery: {takes: 1m, team: ops, work: 5m}, \
                  releases: {per-day: 48, delivery: {takes: 30s}}}\nteams: [{name: ops, people: 1}]\n";
    let scenario = loaded("team", TEMPLATE, fleets);
    let rows = delivered(&scenario, 1);
    let members: Vec<&DeliveryRow> = rows.iter().filter(|row| !row.is_release()).collect();
    assert_eq!(members.len(), 20);
    let mut free = SimTime::ZERO;
    for row in &members {
        let (queued, begun) = (row.queued.unwrap(), row.begun.unwrap());
        let minutes = |a: SimTime, b: SimTime| b.since(a).as_secs_f64() / 60.0;
        assert_eq!(minutes(row.asked, queued), 1.0, "{}: whoever asks takes a minute", row.member);
        assert_eq!(begun, queued.max(free), "{}: first come, first served", row.member);
        free = row.applied.unwrap();
        assert_eq!(minutes(begun, free), 5.0, "{}: five minutes of work", row.member);
        let ready = minutes(free, row.ready.unwrap());
        assert!(ready > 0.0 && ready < 1.5, "{}: live after {ready} minutes", row.member);
    }
    assert!(free > SimTime::from_secs(100 * 60), "20 times 5 minutes of one person");
    let releases: Vec<&DeliveryRow> = rows.iter().filter(|row| row.is_release()).collect();
    // 20 members live for 130 minutes and fewer, two releases an hour each.
    assert!((30..90).contains(&releases.len()), "{} releases", releases.len());
    for row in &releases {
        let of = members.iter().find(|member| member.member == row.member).unwrap();
        assert!(row.asked >= of.applied.unwrap(), "{}: released before it was there", row.member);
        assert!(row.team.is_none() && row.ready >= row.applied);
    }
    assert_eq!(delivered(&scenario, 1), rows, "the same seed, the same jobs");
    assert_ne!(delivered(&scenario, 2), rows, "another seed, other jobs");
}

#[test]
fn what_is_wrong_with_teams_is_told() {
    let team = "teams: [{name: ops, people: 2}]\n";
    let one = |more: &str, teams: &str| {
        format!(
            "  - {{name: app, template: app.yaml, count: 9, arrive: {{until: 1h}}{more}}}\n{teams}"
        )
    };
    let rows = [
        (
            "a team that is not there",
            one(", delivery: {team: opps, work: 1h}", team),
            "did you mean `ops`?",
        ),
        ("no work", one(", delivery: {team: ops}", team), "how long does the team work on it?"),
        ("nobody's work", one(", delivery: {work: 1h}", team), "which team works on it?"),
        (
            "no people",
            one("", "teams: [{name: ops, people: 0}]\n"),
            "a team has 1 to 100000 people",
        ),
        (
            "two of a name",
            one("", "teams: [{name: ops, people: 1}, {name: ops, people: 1}]\n"),
            "two teams are named `ops`",
        ),
        (
            "hours that end before they begin",
            one("", "teams: [{name: ops, people: 1, hours: {from: 17h, until: 9h}}]\n"),
            "a day's work ends after it began",
        ),
        ("no releases", one(", releases: {per-day: 0}", team), "is a number above 0"),
        (
            "more than all",
            one(", delivery: {team: ops, work: 1h, share: 130%}", team),
            "is a share between 0% and 100%",
        ),
    ];
    for (sentence, fleets, expected) in rows {
        let file = written("wrong-team", TEMPLATE, &fleets);
        let errors = load(&file, &Overrides::default()).err().map(|errors| errors.to_string());
        let errors = errors.unwrap_or_else(|| panic!("{sentence}: is accepted"));
        assert!(errors.contains(expected), "{sentence}: {expected} in\n{errors}");
    }
}
