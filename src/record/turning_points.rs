//! The story of a run: the moments the world saw, and those that the time series shows, in order.
//!
//! A story is short: repeats are told once, flapping is one episode, and of too many points the
//! middle ones of a kind go first (every Event is in the tables anyway). No files, no event loop.

use super::objective::{self, Episode, Target, start_of};
use super::rows::ClusterSample;
use super::story::{Moment, TurningPoint};
use super::wording;
use crate::units::{SimDuration, SimTime};

/// Points of a story at most.
pub const MOST_POINTS: usize = 20;
/// Episodes of one kind told at most: the first, the longest between, the last.
const MOST_EPISODES: usize = 3;
/// From this share of the peak on, demand is at its peak.
const PLATEAU: f64 = 0.98;
/// A peak of demand below this multiple of the first rate is noise, not a moment.
const NOTABLE_PEAK: f64 = 1.2;

/// The story of `rows` (the cluster's time series) and the `moments` that the world saw.
pub fn story(
    rows: &[ClusterSample],
    moments: &[TurningPoint],
    target: Target,
) -> Vec<TurningPoint> {
    let calm = calm(rows);
    let mut points = moments.to_vec();
    add_demand_passes_capacity(&mut points, demand_passes_capacity(rows, calm), calm);
    points.extend(first_errors(rows));
    points.extend(objective_points(rows, target, calm));
    points.extend(all_ready(rows));
    points.extend(peak_demand(rows));
    points.extend(peak_nodes(rows));
    points.sort_by_key(|p| (p.time, p.kind));
    shorten(gather_repeats(points, calm))
}

/// How long something must be over to be over: three intervals, or a fiftieth of the run.
fn calm(rows: &[ClusterSample]) -> SimDuration {
    let interval = rows.iter().map(|r| r.interval).max().unwrap_or_default();
    let span = rows.last().map_or(SimDuration::ZERO, |last| last.time.since(SimTime::ZERO));
    (interval * 3).max(SimDuration(span.0 / 50))
}

/// Arrivals a second in the interval of `row`.
fn offered_rps(row: &ClusterSample) -> f64 {
    let seconds = row.interval.as_secs_f64();
    if seconds > 0.0 { row.offered / seconds } else { 0.0 }
}

/// First, longest between and last of `episodes`, in time order.
fn notable(episodes: Vec<Episode>) -> Vec<Episode> {
    if episodes.len() <= MOST_EPISODES {
        return episodes;
    }
    let between = &episodes[1..episodes.len() - 1];
    // `max_by_key` gives the last of equals; the first reads better.
    let longest = between.iter().rev().max_by_key(|e| e.until.since(e.from));
    let ends = [episodes.first(), longest, episodes.last()];
    ends.into_iter().flatten().copied().collect()
}

fn times_told(text: String, index: usize, times: usize) -> String {
    if index == 0 && times > 1 { format!("{text} (first of {times} times)") } else { text }
}

fn demand_passes_capacity(rows: &[ClusterSample], calm: SimDuration) -> Vec<TurningPoint> {
    // Capacity is that of the end of an interval, where traffic may cease or a Service be replaced:
    // that there is none is believed when most requests of the interval fail.
    let is_known = |row: &ClusterSample| row.capacity_rps > 0.0 || row.failed > row.served;
    let passes = |row: &ClusterSample| {
        row.offered > 0.0 && offered_rps(row) > row.capacity_rps && is_known(row)
    };
    let episodes = objective::stretches(rows, passes, calm);
    let times = episodes.len();
    let tell = |(index, episode): (usize, Episode)| {
        let row = &rows[episode.first_row];
        let demand = wording::rate(offered_rps(row));
        let text = match row.pods_ready {
            _ if row.capacity_rps > 0.0 => {
                let capacity = wording::rate(row.capacity_rps);
                format!("demand, {demand}, passes what the ready pods can serve, {capacity}")
            }
            0 => format!("no pod is ready to serve the demand of {demand}"),
            _ => format!("the demand of {demand} reaches no ready pod"),
        };
        TurningPoint {
            time: episode.from,
            kind: Moment::DemandPassesCapacity,
            text: times_told(text, index, times),
        }
    };
    notable(episodes).into_iter().enumerate().map(tell).collect()
}

/// Adds the episodes that the rows show; of what the world saw begin at about the same time only
/// its exact instant is kept.
fn add_demand_passes_capacity(
    points: &mut Vec<TurningPoint>,
    episodes: Vec<TurningPoint>,
    calm: SimDuration,
) {
    for mut episode in episodes {
        let (from, until) = (episode.time.0.saturating_sub(calm.0), episode.time + calm);
        let same =
            |p: &TurningPoint| p.kind == episode.kind && (SimTime(from)..=until).contains(&p.time);
        if let Some(seen) = points.iter().position(same) {
            episode.time = points.remove(seen).time;
        }
        points.push(episode);
    }
}

/// The first interval in which a whole request fails: rates are fluid.
fn first_errors(rows: &[ClusterSample]) -> Option<TurningPoint> {
    let mut failed = 0.0;
    let row = rows.iter().find(|row| {
        failed += row.failed;
        failed >= 1.0
    })?;
    let text = if row.failed >= 1.0 {
        let span = wording::duration(row.interval.as_secs_f64());
        let (failed, offered) = (wording::amount(row.failed), wording::amount(row.offered));
        format!("the first requests fail: {failed} of {offered} in {span}")
    } else {
        // Less than one in each interval adds up.
        let so_far = rows.iter().take_while(|r| r.time <= row.time).map(|r| r.offered).sum();
        format!("the first request has failed, of {} so far", wording::amount(so_far))
    };
    Some(TurningPoint { time: start_of(row), kind: Moment::FirstErrors, text })
}

fn objective_points(
    rows: &[ClusterSample],
    target: Target,
    calm: SimDuration,
) -> Vec<TurningPoint> {
    let episodes = objective::episodes(rows, target, calm);
    let times = episodes.len();
    let first_miss = episodes.first().map_or(SimTime::ZERO, |e| e.from);
    let end = rows.last().map_or(SimTime::ZERO, |row| row.time);
    let last = episodes.last().copied();
    let mut points = Vec::new();
    for (index, episode) in notable(episodes).into_iter().enumerate() {
        let text =
            format!("the objective is missed: {}", why_missed(&rows[episode.first_row], target));
        points.push(TurningPoint {
            time: episode.from,
            kind: Moment::ObjectiveMissed,
            text: times_told(text, index, times),
        });
        if episode.until == end {
            continue;
        }
        let since = |t: SimTime| wording::duration(episode.until.since(t).as_secs_f64());
        let text = if times > 1 && Some(episode) == last {
            format!("the objective holds for good, {} after it was first missed", since(first_miss))
        } else {
            format!("the objective holds again after {}", since(episode.from))
        };
        points.push(TurningPoint { time: episode.until, kind: Moment::Recovered, text });
    }
    points
}

fn why_missed(row: &ClusterSample, target: Target) -> String {
    let mut reasons = Vec::new();
    let failed = if row.offered > 0.0 { row.failed / row.offered } else { 0.0 };
    if failed > target.error_budget {
        let (failed, budget) = (wording::percent(failed), wording::percent(target.error_budget));
        reasons.push(format!("{failed} of requests fail, budget {budget}"));
    }
    if let Some(l) = row.latency.filter(|l| l.p95 > target.latency_s) {
        let (p95, objective) = (wording::duration(l.p95), wording::duration(target.latency_s));
        reasons.push(format!("95% of requests take up to {p95}, objective {objective}"));
    }
    reasons.join("; ")
}

/// The end of the longest time with fewer pods ready than wanted.
fn all_ready(rows: &[ClusterSample]) -> Option<TurningPoint> {
    let short = |row: &ClusterSample| row.pods_ready < row.pods_desired;
    let stretches = objective::stretches(rows, short, SimDuration::ZERO);
    // Of equally long ones the last: after it all is well.
    let longest = stretches.into_iter().max_by_key(|e| e.until.since(e.from))?;
    let row = rows.iter().find(|row| row.time > longest.until)?;
    let pods = wording::count(u64::from(row.pods_desired), "wanted pod");
    let lasted = wording::duration(longest.until.since(longest.from).as_secs_f64());
    let text = format!("all {pods} are ready, after {lasted} with fewer");
    Some(TurningPoint { time: row.time, kind: Moment::AllReady, text })
}

fn peak_demand(rows: &[ClusterSample]) -> Option<TurningPoint> {
    let peak = rows.iter().map(offered_rps).max_by(f64::total_cmp)?;
    // On a noisy plateau the highest sample is an accident: told is when the plateau is reached.
    let row = rows.iter().find(|row| offered_rps(row) >= peak * PLATEAU)?;
    let start = rows.iter().map(offered_rps).find(|rps| *rps > 0.0)?;
    if peak < start * NOTABLE_PEAK {
        return None;
    }
    let mut text = format!("demand peaks at {}", wording::rate(peak));
    if peak >= start * 1.95 {
        text += &format!(", {} times that of the start", wording::amount((peak / start).round()));
    }
    Some(TurningPoint { time: start_of(row), kind: Moment::PeakDemand, text })
}

fn peak_nodes(rows: &[ClusterSample]) -> Option<TurningPoint> {
    let first = rows.first()?;
    let row = rows.iter().rev().max_by_key(|row| row.nodes)?;
    if row.nodes <= first.nodes {
        return None;
    }
    let nodes = wording::count(u64::from(row.nodes), "node");
    let text = format!("{nodes}, the most at once; {} at the start", first.nodes);
    Some(TurningPoint { time: row.time, kind: Moment::PeakNodes, text })
}

/// Tells a moment of a kind that soon follows another of it only by number.
fn gather_repeats(points: Vec<TurningPoint>, calm: SimDuration) -> Vec<TurningPoint> {
    struct Group {
        point: TurningPoint,
        last: SimTime,
        more: u64,
    }
    let mut groups: Vec<Group> = Vec::new();
    for point in points {
        let timeline = matches!(point.kind, Moment::TimelineBegins | Moment::TimelineEnds);
        // What the user planned is told one by one, unless it reads the same.
        let repeats = |g: &&mut Group| {
            g.point.kind == point.kind
                && point.time.since(g.last) <= calm
                && (!timeline || g.point.text == point.text)
        };
        match groups.iter_mut().rev().find(repeats) {
            Some(group) => {
                group.last = point.time;
                group.more += 1;
            }
            None => groups.push(Group { last: point.time, point, more: 0 }),
        }
    }
    let tell = |Group { mut point, last, more }: Group| {
        if more > 0 {
            let within = last.since(point.time).as_secs_f64();
            point.text += &match within {
                w if w > 0.0 => format!(" (and {more} more within {})", wording::duration(w)),
                _ => format!(" (and {more} more)"),
            };
        }
        point
    };
    groups.into_iter().map(tell).collect()
}

/// Drops points until [`MOST_POINTS`] are left: from the middle of the most frequent kind.
fn shorten(mut points: Vec<TurningPoint>) -> Vec<TurningPoint> {
    while points.len() > MOST_POINTS {
        let of_kind = |kind: Moment| -> Vec<usize> {
            (0..points.len()).filter(|&i| points[i].kind == kind).collect()
        };
        let frequent = points.iter().map(|p| of_kind(p.kind)).max_by_key(Vec::len);
        let Some(indices) = frequent else { break };
        points.remove(indices[indices.len() / 2]);
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::rows::Quantiles;

    const TARGET: Target = Target { error_budget: 0.01, latency_s: 0.5 };

    /// A minute: demand and capacity a second, share failed, nodes.
    #[derive(Clone, Copy)]
    struct Minute(f64, f64, f64, u32);

    fn rows(of: &[Minute]) -> Vec<ClusterSample> {
        let sample = |(i, m): (u64, &Minute)| ClusterSample {
            time: SimTime::from_secs(60 * i),
            interval: SimDuration::from_secs(60),
            offered: m.0 * 60.0,
            failed: m.0 * 60.0 * m.2,
            served: m.0 * 60.0 * (1.0 - m.2),
            capacity_rps: m.1,
            latency: Some(Quantiles { p50: 0.1, p95: 0.2, p99: 0.3, p999: 0.3 }),
            nodes: m.3,
            ..Default::default()
        };
        (1..).zip(of).map(sample).collect()
    }

    fn point(minute: u64, kind: Moment, text: &str) -> TurningPoint {
        TurningPoint { time: SimTime::from_secs(60 * minute), kind, text: text.into() }
    }

    fn told(points: &[TurningPoint]) -> Vec<String> {
        points.iter().map(|p| format!("{} {}", p.time, p.text)).collect()
    }

    const CALM: Minute = Minute(100.0, 200.0, 0.0, 3);
    const OVERRUN: Minute = Minute(400.0, 200.0, 0.5, 3);
    const HEALED: Minute = Minute(400.0, 500.0, 0.0, 6);

    #[test]
    fn a_calm_run_has_no_story() {
        assert_eq!(told(&story(&rows(&[CALM; 30]), &[], TARGET)), Vec::<String>::new());
        assert_eq!(told(&story(&[], &[], TARGET)), Vec::<String>::new());
    }

    #[test]
    fn an_overrun_that_heals_is_told_in_order() {
        let mut of = vec![CALM; 10];
        of.extend([OVERRUN; 5]);
        of.extend([HEALED; 10]);
        let seen = [point(12, Moment::FirstUnschedulable, "the first pod finds no node")];
        let expected = [
            "00:10:00 demand, 400 req/s, passes what the ready pods can serve, 200 req/s",
            "00:10:00 the first requests fail: 12,000 of 24,000 in 1m",
            "00:10:00 the objective is missed: 50% of requests fail, budget 1%",
            "00:10:00 demand peaks at 400 req/s, 4 times that of the start",
            "00:12:00 the first pod finds no node",
            "00:15:00 the objective holds again after 5m",
            "00:16:00 6 nodes, the most at once; 3 at the start",
        ];
        assert_eq!(told(&story(&rows(&of), &seen, TARGET)), expected);
    }

    #[test]
    fn what_the_world_saw_exactly_is_not_told_twice() {
        let mut of = vec![CALM; 10];
        of.extend([OVERRUN; 5]);
        of.extend([HEALED; 10]);
        let mut seen = point(10, Moment::DemandPassesCapacity, "demand passes capacity");
        seen.time += SimDuration::from_secs(7);
        let points = story(&rows(&of), &[seen], TARGET);
        let passes: Vec<_> =
            points.iter().filter(|p| p.kind == Moment::DemandPassesCapacity).cloned().collect();
        let expected =
            "00:10:07 demand, 400 req/s, passes what the ready pods can serve, 200 req/s";
        assert_eq!(told(&passes), [expected]);
    }

    #[test]
    fn without_a_ready_pod_there_is_no_capacity_to_name() {
        let points = story(&rows(&[Minute(5.0, 0.0, 1.0, 1)]), &[], TARGET);
        assert_eq!(points[0].text, "no pod is ready to serve the demand of 5 req/s");
        assert!(points.iter().all(|p| p.kind != Moment::Recovered), "it never holds again");
        let mut rows = rows(&[Minute(5.0, 0.0, 1.0, 1)]);
        rows[0].pods_ready = 2;
        let text = &story(&rows, &[], TARGET)[0].text;
        assert_eq!(text, "the demand of 5 req/s reaches no ready pod", "no Service selects them");
        rows[0].failed = 0.0;
        rows[0].served = rows[0].offered;
        assert_eq!(demand_passes_capacity(&rows, SimDuration::ZERO), [], "traffic has just ceased");
    }

    #[test]
    fn the_longest_time_with_too_few_ready_pods_is_told() {
        let with = |pods: &[(u32, u32)]| {
            let mut rows = rows(&vec![CALM; pods.len()]);
            for (row, (ready, wanted)) in rows.iter_mut().zip(pods) {
                (row.pods_ready, row.pods_desired) = (*ready, *wanted);
            }
            told(&story(&rows, &[], TARGET))
        };
        type Row = (&'static str, &'static [(u32, u32)], &'static [&'static str]);
        let table: [Row; 3] = [
            (
                "of two the longer one",
                &[(3, 3), (2, 3), (3, 3), (1, 3), (2, 3), (3, 3)],
                &["00:06:00 all 3 wanted pods are ready, after 2m with fewer"],
            ),
            ("what lasts to the end has no end to tell", &[(3, 3), (2, 3)], &[]),
            ("more ready pods than wanted are no lack", &[(4, 3), (3, 3)], &[]),
        ];
        for (sentence, pods, expected) in table {
            assert_eq!(with(pods), expected, "{sentence}");
        }
    }

    #[test]
    fn slowness_is_a_reason_of_its_own() {
        let mut slow = rows(&[CALM; 3]);
        slow[1].latency = Some(Quantiles { p50: 0.3, p95: 3.2, p99: 4.0, p999: 4.0 });
        let points = story(&slow, &[], TARGET);
        assert_eq!(
            points[0].text,
            "the objective is missed: 95% of requests take up to 3.2 s, objective 500 ms"
        );
    }

    #[test]
    fn flapping_is_one_episode_and_distant_ones_are_counted() {
        let mut of = Vec::new();
        for _ in 0..6 {
            of.extend([OVERRUN, HEALED, OVERRUN]);
            of.extend([HEALED; 10]);
        }
        let points = story(&rows(&of), &[], TARGET);
        let missed: Vec<_> = points.iter().filter(|p| p.kind == Moment::ObjectiveMissed).collect();
        assert_eq!(missed.len(), MOST_EPISODES, "of six the first, one between and the last");
        assert!(missed[0].text.ends_with("(first of 6 times)"), "{}", missed[0].text);
        let recovered: Vec<_> = points.iter().filter(|p| p.kind == Moment::Recovered).collect();
        assert_eq!(recovered[0].text, "the objective holds again after 3m");
        assert_eq!(
            recovered[2].text,
            "the objective holds for good, 1h 8m after it was first missed"
        );
    }

    #[test]
    fn repeats_are_told_by_number() {
        let seen = [
            point(1, Moment::NodeLost, "node a is silent"),
            point(1, Moment::TimelineBegins, "zone b goes down"),
            point(2, Moment::NodeLost, "node b is silent"),
            point(2, Moment::TimelineBegins, "the registry is slow"),
            point(3, Moment::NodeLost, "node c is silent"),
            point(20, Moment::NodeLost, "node d is silent"),
        ];
        let expected = [
            "00:01:00 zone b goes down",
            "00:01:00 node a is silent (and 2 more within 2m)",
            "00:02:00 the registry is slow",
            "00:20:00 node d is silent",
        ];
        assert_eq!(told(&story(&rows(&[CALM; 30]), &seen, TARGET)), expected);
    }

    #[test]
    fn a_story_is_short_and_keeps_its_ends() {
        let seen: Vec<_> =
            (0..60).map(|i| point(10 * i, Moment::TimelineBegins, &format!("fault {i}"))).collect();
        let points = story(&rows(&[CALM; 30]), &seen, TARGET);
        assert_eq!(points.len(), MOST_POINTS);
        assert_eq!(points[0].text, "fault 0");
        assert_eq!(points[MOST_POINTS - 1].text, "fault 59");
    }
}
