//! Fewer points than pixels: what can't be seen is not drawn, what sticks out stays.

use super::panel::{Band, Points};

/// `points` with at most the lowest and the highest of each of `buckets` equal spans of time, and
/// without the inner points of level stretches.
pub(super) fn line(points: &[(f64, f64)], end_s: f64, buckets: usize) -> Points {
    let extremes = |bucket: &[(f64, f64)]| -> Vec<(f64, f64)> {
        let by_value = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
        let (low, high) = (bucket.iter().min_by(by_value), bucket.iter().max_by(by_value));
        let mut both: Points = low.into_iter().chain(high).copied().collect();
        both.sort_by(|a, b| a.0.total_cmp(&b.0));
        both.dedup();
        both
    };
    if points.len() <= 2 * buckets {
        return without_level(points.to_vec());
    }
    let mut thin = Points::new();
    for bucket in points.chunk_by(|a, b| place(a.0, end_s, buckets) == place(b.0, end_s, buckets)) {
        thin.extend(extremes(bucket));
    }
    // The ends carry the axis.
    if let (Some(first), Some(last)) = (points.first(), points.last()) {
        if thin.first() != Some(first) {
            thin.insert(0, *first);
        }
        if thin.last() != Some(last) {
            thin.push(*last);
        }
    }
    without_level(thin)
}

/// `band` with one pair of points for each of `buckets` equal spans of time: the highest there, so
/// that bands that stand on one another still do.
pub(super) fn band(band: &Band, end_s: f64, buckets: usize) -> Band {
    if band.upper.len() <= buckets {
        return band.clone();
    }
    let thin = |points: &Points| -> Points {
        points
            .chunk_by(|a, b| place(a.0, end_s, buckets) == place(b.0, end_s, buckets))
            .map(|bucket| {
                // Every band has the same times, so all take the same one: the bucket's last,
                // but the first point stays where the axis begins.
                let at =
                    if bucket[0] == points[0] { bucket[0].0 } else { bucket[bucket.len() - 1].0 };
                (at, bucket.iter().map(|(_, v)| *v).fold(f64::MIN, f64::max))
            })
            .collect()
    };
    Band { lower: thin(&band.lower), upper: thin(&band.upper) }
}

/// The span that `t` lies in.
fn place(t: f64, end_s: f64, buckets: usize) -> usize {
    (t / end_s * buckets as f64) as usize
}

/// Drops points whose neighbours on both sides have the same value.
fn without_level(points: Points) -> Points {
    let level = |i: usize| {
        i > 0
            && i + 1 < points.len()
            && points[i - 1].1 == points[i].1
            && points[i].1 == points[i + 1].1
    };
    (0..points.len()).filter(|i| !level(*i)).map(|i| points[i]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thin_line_keeps_ends_and_spikes() {
        let mut points: Points = (0..10_000).map(|i| (f64::from(i), f64::from(i % 7))).collect();
        points[4321].1 = 99.0;
        points[1234].1 = -5.0;
        let thin = line(&points, 10_000.0, 100);
        assert!(thin.len() <= 202, "{}", thin.len());
        assert_eq!((thin[0], thin[thin.len() - 1]), (points[0], points[9999]));
        assert!(thin.contains(&points[4321]) && thin.contains(&points[1234]));
        assert!(thin.is_sorted_by(|a, b| a.0 <= b.0), "time goes on");
    }

    #[test]
    fn level_stretches_are_two_points() {
        let points: Points =
            (0..50).map(|i| (f64::from(i), if i < 25 { 1.0 } else { 2.0 })).collect();
        assert_eq!(line(&points, 50.0, 100), [(0.0, 1.0), (24.0, 1.0), (25.0, 2.0), (49.0, 2.0)]);
    }

    #[test]
    fn thin_bands_still_stand_on_one_another() {
        let curve = |k: f64| -> Points {
            (0..5000).map(|i| (f64::from(i), k * f64::from(i % 13))).collect()
        };
        let below = band(&Band { lower: curve(0.0), upper: curve(1.0) }, 5000.0, 100);
        let above = band(&Band { lower: curve(1.0), upper: curve(2.0) }, 5000.0, 100);
        assert_eq!(below.upper, above.lower);
        assert_eq!(below.upper.len(), 100);
    }
}
