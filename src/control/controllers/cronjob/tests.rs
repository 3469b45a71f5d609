//! Schedules and their times, and what the cronjob controller does at them.

use super::schedule::Schedule;
use super::{CronJobs, SECOND};
use crate::api::job::{ConcurrencyPolicy, CronJob, CronJobSpec, CronJobStatus};
use crate::api::meta::Meta;
use crate::api::workload::{Condition, ConditionStatus};
use crate::api::{CronJobId, OwnerId};
use crate::control::controllers::action::Outcome;
use crate::control::controllers::job::testing::job;
use crate::control::controllers::testing::{Bench, at, secs};
use crate::units::{SimTime, WallClock};

fn seconds(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_second()
}

#[test]
fn the_next_time_is_that_of_cron() {
    let rows = [
        ("each minute", "* * * * *", "2026-11-23T10:00:00Z", "2026-11-23T10:01:00Z"),
        (
            "a fraction of a second before",
            "* * * * *",
            "2026-11-23T10:00:59Z",
            "2026-11-23T10:01:00Z",
        ),
        ("every quarter", "*/15 * * * *", "2026-11-23T10:50:00Z", "2026-11-23T11:00:00Z"),
        (
            "from a minute on in steps",
            "5/20 * * * *",
            "2026-11-23T10:26:00Z",
            "2026-11-23T10:45:00Z",
        ),
        ("lists and ranges", "0 6-16/4,22 * * *", "2026-11-23T14:00:00Z", "2026-11-23T22:00:00Z"),
        ("working days by name", "0 9 * * mon-FRI", "2026-11-27T09:00:00Z", "2026-11-30T09:00:00Z"),
        ("either of two days", "0 0 1 * sun", "2026-11-23T10:00:00Z", "2026-11-29T00:00:00Z"),
        (
            "a star does not count as a day",
            "0 0 1 * ?",
            "2026-11-23T10:00:00Z",
            "2026-12-01T00:00:00Z",
        ),
        ("a step is no star", "0 0 */10 * sun", "2026-11-23T10:00:00Z", "2026-11-29T00:00:00Z"),
        (
            "a month by name, over the year",
            "30 4 1 jan *",
            "2026-11-23T10:00:00Z",
            "2027-01-01T04:30:00Z",
        ),
        ("a leap day", "0 0 29 2 *", "2026-11-23T10:00:00Z", "2028-02-29T00:00:00Z"),
        ("@yearly", "@yearly", "2026-11-23T10:00:00Z", "2027-01-01T00:00:00Z"),
        ("@monthly", "@monthly", "2026-11-23T10:00:00Z", "2026-12-01T00:00:00Z"),
        ("@weekly", "@weekly", "2026-11-23T10:00:00Z", "2026-11-29T00:00:00Z"),
        ("@daily", "@midnight", "2026-11-23T10:00:00Z", "2026-11-24T00:00:00Z"),
        ("@hourly", "@hourly", "2026-11-23T10:00:00Z", "2026-11-23T11:00:00Z"),
        ("@every", "@every 1h30m10s", "2026-11-23T10:00:00Z", "2026-11-23T11:30:10Z"),
        ("@every, at least a second", "@every 5ms", "2026-11-23T10:00:00Z", "2026-11-23T10:00:01Z"),
        (
            "nine in Berlin, in winter",
            "TZ=Europe/Berlin 0 9 * * *",
            "2026-11-23T08:00:00Z",
            "2026-11-24T08:00:00Z",
        ),
        (
            "and in summer",
            "CRON_TZ=Europe/Berlin 0 9 * * *",
            "2026-06-23T08:00:00Z",
            "2026-06-24T07:00:00Z",
        ),
        (
            "half past two does not come when clocks go forward",
            "TZ=Europe/Berlin 30 2 * * *",
            "2026-03-28T02:00:00Z",
            "2026-03-30T00:30:00Z",
        ),
        (
            "and comes twice when they go back",
            "TZ=Europe/Berlin 30 2 * * *",
            "2026-10-25T00:30:00Z",
            "2026-10-25T01:30:00Z",
        ),
        (
            "a zone with half an hour",
            "TZ=Asia/Kolkata 0 0 * * *",
            "2026-11-23T10:00:00Z",
            "2026-11-23T18:30:00Z",
        ),
    ];
    for (sentence, written, after, next) in rows {
        let schedule = Schedule::parse(written).unwrap();
        let found = schedule.next(seconds(after) * SECOND + 300_000_000);
        assert_eq!(found, Some(seconds(next)), "{sentence}");
    }
    let never = Schedule::parse("59 23 31 2 *").unwrap();
    assert_eq!(never.next(seconds("2026-11-23T10:00:00Z") * SECOND), None, "it never comes");
}

#[test]
fn next_times_are_those_of_the_library_that_upstream_uses() {
    let table = include_str!("../../../../tests/data/cron/schedules.tsv");
    let rows = table.lines().filter(|line| !line.starts_with('#'));
    let rows: Vec<Vec<&str>> = rows.map(|row| row.split('\t').collect()).collect();
    assert_eq!(rows.len(), 400);
    for row in rows {
        let next = Schedule::parse(row[0]).unwrap().next(row[1].parse().unwrap());
        let told = next.map_or("-".to_owned(), |next| next.to_string());
        assert_eq!(told, row[2], "{} after {}", row[0], row[1]);
    }
}

#[test]
fn what_is_no_schedule_is_told() {
    let rows = [
        ("", "empty spec string"),
        ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("1/2/3 * * * *", "too many slashes: 1/2/3"),
        ("x * * * *", "failed to parse int from x: strconv.Atoi: parsing \"x\": invalid syntax"),
        ("@never", "unrecognized descriptor: @never"),
        ("@every soon", "failed to parse duration soon: time: invalid duration \"soon\""),
        (
            "TZ=Mars/Olympus * * * * *",
            "provided bad location Mars/Olympus: unknown time zone Mars/Olympus",
        ),
        ("TZ=0", "invalid schedule format: no schedule after the time zone"),
    ];
    for (written, expected) in rows {
        assert_eq!(Schedule::parse(written).unwrap_err(), expected, "{written}");
    }
}

/// A CronJob of each minute in a world that starts at ten o'clock; seconds count from there.
struct Rig {
    bench: Bench,
    memory: CronJobs,
    id: CronJobId,
    last: Outcome,
}

/// Minutes since 1970 at ten o'clock.
const TEN: i64 = 29_923_800;

fn clock() -> WallClock {
    WallClock::starting_at(TEN * 60 * SECOND)
}

impl Rig {
    fn new(change: impl FnOnce(&mut CronJobSpec)) -> Rig {
        let mut bench = Bench::new();
        let mut spec = CronJobSpec {
            schedule: "* * * * *".into(),
            time_zone: None,
            starting_deadline: None,
            concurrency: ConcurrencyPolicy::Allow,
            suspend: false,
            successful_limit: 3,
            failed_limit: 1,
            job: Box::new(job("", 1, Some(1))),
        };
        change(&mut spec);
        let meta = Meta {
            name: "cron".into(),
            namespace: "default".into(),
            created: SimTime(1_400_000_000),
            ..Meta::default()
        };
        let id =
            bench.store.create_cron_job(CronJob { meta, spec, status: CronJobStatus::default() });
        Rig { bench, memory: CronJobs::default(), id, last: Outcome::idle() }
    }

    fn sync(&mut self, second: u64) {
        self.bench.now = at(second);
        self.last = self.memory.sync(self.id, &self.bench.store, clock(), at(second));
        let outcome = self.last.clone();
        self.bench.apply(&outcome);
    }

    fn jobs(&self) -> Vec<OwnerId> {
        self.bench.store.jobs_of(self.id).to_vec()
    }

    fn end(&mut self, job: OwnerId, kind: &'static str, second: u64) {
        self.bench.store.update_job(job, |job| {
            let (updated, transition) = (at(second), at(second));
            let (status, message) = (ConditionStatus::True, "".into());
            let condition = Condition { kind, status, reason: "", message, updated, transition };
            job.status.conditions.push(condition);
            job.status.start = Some(job.meta.created);
            job.status.completion = (kind == "Complete").then_some(at(second));
            true
        });
    }

    fn status(&self) -> &CronJobStatus {
        &self.bench.store.cron_job(self.id).unwrap().status
    }
}

fn name(minute: i64) -> String {
    format!("cron-{}", TEN + minute)
}

#[test]
fn a_job_starts_a_little_after_its_minute() {
    let mut rig = Rig::new(|_| ());
    rig.sync(2);
    let soon = SimTime(60_100_000_000);
    assert_eq!((rig.jobs().len(), rig.last.wake_at), (0, soon), "100 ms after the minute");
    rig.sync(61);
    let made = rig.jobs();
    assert_eq!(*rig.bench.store.job(made[0]).unwrap().meta.name, name(1));
    assert_eq!(rig.bench.told(), [format!("SuccessfulCreate: Created job {}", name(1))]);
    assert_eq!(rig.status().active, [name(1).as_str()]);
    assert_eq!(rig.status().last_schedule, Some((TEN + 1) * 60));
    rig.sync(62);
    assert_eq!(rig.jobs().len(), 1, "once a minute");
    rig.sync(121);
    assert_eq!(rig.jobs().len(), 2, "side by side");
}

#[test]
fn what_runs_forbids_or_is_replaced() {
    use ConcurrencyPolicy::{Allow, Forbid, Replace};
    let rows = [
        ("both run", Allow, vec![name(1), name(2)]),
        ("the second does not start", Forbid, vec![name(1)]),
        ("the first is deleted", Replace, vec![name(2)]),
    ];
    for (sentence, policy, active) in rows {
        let mut rig = Rig::new(|spec| spec.concurrency = policy);
        rig.sync(61);
        rig.sync(62);
        rig.bench.told();
        rig.sync(121);
        let found: Vec<&str> = rig.status().active.iter().map(|name| &**name).collect();
        assert_eq!(found, active, "{sentence}");
        assert_eq!(rig.jobs().len(), active.len(), "{sentence}");
        let told = rig.bench.told();
        match policy {
            Allow => {}
            Forbid => assert!(told[0].starts_with("JobAlreadyActive: Not starting"), "{told:?}"),
            Replace => assert_eq!(told[0], format!("SuccessfulDelete: Deleted job {}", name(1))),
        }
    }
}

#[test]
fn a_forbidden_job_starts_when_the_other_has_ended() {
    let mut rig = Rig::new(|spec| spec.concurrency = ConcurrencyPolicy::Forbid);
    rig.sync(61);
    rig.sync(62);
    rig.sync(121);
    let first = rig.jobs()[0];
    rig.end(first, "Complete", 140);
    rig.bench.told();
    rig.sync(141);
    let saw = format!("SawCompletedJob: Saw completed job: {}, condition: Complete", name(1));
    let made = format!("SuccessfulCreate: Created job {}", name(2));
    assert_eq!(rig.bench.told(), [saw.clone(), made], "it is the one that was missed");
    assert_eq!(rig.status().last_successful, Some(at(140)));
    rig.sync(142);
    assert_eq!(rig.bench.told(), [saw], "told once more, before its own status has come back");
    rig.sync(143);
    assert!(rig.bench.told().is_empty());
}

#[test]
fn missed_times_are_made_up_for_within_the_deadline() {
    let rows = [
        ("without a deadline the latest of three", None, 200, Some(3), None),
        ("within it likewise", Some(30), 200, Some(3), None),
        ("too late for it: nothing, until the next", Some(10), 200, None, None),
        ("a hundred minutes late", None, 102 * 60, Some(102), Some("!TooManyMissedTimes")),
    ];
    for (sentence, deadline, second, minute, told) in rows {
        let mut rig = Rig::new(|spec| spec.starting_deadline = deadline.map(secs));
        rig.sync(second);
        let found: Vec<String> = rig.status().active.iter().map(|name| name.to_string()).collect();
        assert_eq!(found, minute.map(name).into_iter().collect::<Vec<_>>(), "{sentence}");
        let next = SimTime((second / 60 + 1) * 60_000_000_000 + 100_000_000);
        assert_eq!(rig.last.wake_at, next, "{sentence}");
        if let Some(told) = told {
            assert!(rig.bench.told()[0].starts_with(told), "{sentence}");
        }
    }
}

#[test]
fn a_suspended_or_unreadable_one_starts_nothing() {
    type Row = (&'static str, fn(&mut CronJobSpec), Option<&'static str>);
    let rows: [Row; 4] = [
        ("suspended", |spec| spec.suspend = true, None),
        (
            "no schedule",
            |spec| spec.schedule = "x".into(),
            Some(
                "!UnparseableSchedule: unparseable schedule: \"x\" : expected exactly 5 fields, found 1: [x]",
            ),
        ),
        (
            "no zone",
            |spec| spec.time_zone = Some("Mars".into()),
            Some("!UnknownTimeZone: invalid timeZone: \"Mars\": unknown time zone Mars"),
        ),
        (
            "a day that never comes",
            |spec| spec.schedule = "0 0 31 2 *".into(),
            Some(
                "!InvalidSchedule: invalid schedule: 0 0 31 2 * : time difference between two schedules is less than 1 second",
            ),
        ),
    ];
    for (sentence, change, told) in rows {
        let mut rig = Rig::new(change);
        rig.sync(200);
        assert!(rig.jobs().is_empty(), "{sentence}");
        assert_eq!(rig.last.wake_at, SimTime::NEVER, "{sentence}");
        let found = rig.bench.told();
        assert_eq!(found.first().map(String::as_str), told, "{sentence}");
    }
}

#[test]
fn old_jobs_go() {
    let mut rig = Rig::new(|spec| (spec.successful_limit, spec.failed_limit) = (1, 0));
    for (minute, kind) in [(1, "Complete"), (2, "Failed"), (3, "Complete")] {
        rig.sync(minute * 60 + 1);
        let made = *rig.jobs().last().unwrap();
        rig.end(made, kind, minute * 60 + 5);
        rig.sync(minute * 60 + 6);
    }
    let names: Vec<_> =
        rig.jobs().iter().map(|id| rig.bench.store.job(*id).unwrap().meta.name.clone()).collect();
    assert_eq!(names.iter().map(|name| &**name).collect::<Vec<_>>(), [name(3).as_str()]);
}

#[test]
fn a_job_that_is_gone_is_active_no_longer() {
    let mut rig = Rig::new(|_| ());
    rig.sync(61);
    rig.sync(62);
    rig.bench.store.remove_owner(rig.jobs()[0]);
    rig.bench.told();
    rig.sync(70);
    assert_eq!(rig.bench.told(), [format!("MissingJob: Active job went missing: {}", name(1))]);
    assert!(rig.status().active.is_empty());
    assert!(rig.jobs().is_empty(), "its time has had its Job");
}

#[test]
fn another_schedule_waits_for_its_own_time() {
    let mut rig = Rig::new(|_| ());
    let look = |rig: &mut Rig| rig.memory.look_at(rig.id, &rig.bench.store, clock(), at(10));
    assert_eq!(look(&mut rig), None, "a new one is looked at at once");
    rig.bench.store.update_cron_job(rig.id, |job| {
        job.spec.suspend = true;
        true
    });
    assert_eq!(look(&mut rig), None, "and any other change");
    rig.bench.store.update_cron_job(rig.id, |job| {
        job.spec.schedule = "30 * * * *".into();
        true
    });
    let next = SimTime(30 * 60_000_000_000 + 100_000_000);
    assert_eq!(look(&mut rig), Some(next));
}
