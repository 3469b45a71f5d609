//! `--vary path=range`: the values that a field of a scenario is given, in order.
//!
//! A range is `100..2000`, with a step `100..2000:50` or a factor `1..64:x2`, or a list `a,b,c`.
//! Values are whole multiples of one unit, so that no value depends on how it was reached. It
//! knows texts and numbers, not what a field means.

use super::Fault;

/// A field and the values that it is given.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// Its path, as `--set` takes it.
    pub path: String,
    /// The range as written.
    pub range: String,
    values: Values,
}

/// Values in order.
#[derive(Clone, Debug, PartialEq)]
enum Values {
    /// `first`, `first + step`, ... in units.
    Steps { unit: Unit, first: i128, step: i128, count: usize },
    /// These, as written.
    Texts(Vec<String>),
}

/// What one is counted in: so many decimals of a suffix.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Unit {
    suffix: String,
    decimals: u32,
}

/// A number as written: digits, how many of them are decimals, suffix.
struct Number {
    digits: i128,
    decimals: u32,
    suffix: String,
}

/// Suffixes of times, in nanoseconds.
const TIMES: &[(&str, i128)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];
/// Suffixes of quantities, in thousandths.
const DECIMAL: &[(&str, i128)] = &[
    ("m", 1),
    ("", 1_000),
    ("k", 1_000_000),
    ("M", 1_000_000_000),
    ("G", 1_000_000_000_000),
    ("T", 1_000_000_000_000_000),
];
/// Suffixes of quantities that are powers of two, in bytes.
const BINARY: &[(&str, i128)] =
    &[("", 1), ("Ki", 1 << 10), ("Mi", 1 << 20), ("Gi", 1 << 30), ("Ti", 1 << 40)];

/// More values than anybody means.
const MOST_VALUES: i128 = 1_000_000_000;
/// A list of more values, or as many factors, is a slip.
const MOST_TEXTS: usize = 10_000;
/// Digits of a number at most.
const MOST_DIGITS: usize = 18;

impl Axis {
    /// Reads `path=range`.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(text: &str) -> Result<Axis, Fault> {
        let usage = || {
            Fault::new(0..text.len(), format!("`{text}` is no path=range"))
                .with("write --vary nodes.pool.max=100..2000 or --vary traffic.web.scale=1,2,5")
        };
        let (path, range) = text.split_once('=').ok_or_else(usage)?;
        if path.is_empty() || range.is_empty() {
            return Err(usage());
        }
        let begin = path.len() + 1;
        let values = values(range).map_err(|mut fault| {
            fault.span = fault.span.start + begin..fault.span.end + begin;
            fault
        })?;
        Ok(Axis { path: path.to_owned(), range: range.to_owned(), values })
    }

    /// How many values there are; at least one.
    pub fn count(&self) -> usize {
        match &self.values {
            Values::Steps { count, .. } => *count,
            Values::Texts(texts) => texts.len(),
        }
    }

    /// The value at `index`, as a scenario file writes it.
    pub fn value(&self, index: usize) -> String {
        match &self.values {
            Values::Steps { unit, first, step, .. } => unit.written(first + step * index as i128),
            Values::Texts(texts) => texts.get(index).cloned().unwrap_or_default(),
        }
    }

    /// The value at `index` for a plot, in the unit of [`suffix`](Axis::suffix); in a list that
    /// holds other than numbers, its place from 1 on.
    pub fn number(&self, index: usize) -> f64 {
        let number = |text: &str| text.parse::<f64>().ok().filter(|n| n.is_finite());
        match &self.values {
            Values::Steps { unit, .. } => {
                let text = self.value(index);
                number(text.strip_suffix(unit.suffix.as_str()).unwrap_or(&text)).unwrap_or(0.0)
            }
            Values::Texts(texts) => {
                let all: Option<Vec<f64>> = texts.iter().map(|text| number(text)).collect();
                all.and_then(|all| all.get(index).copied()).unwrap_or(index as f64 + 1.0)
            }
        }
    }

    /// The unit of [`number`](Axis::number), as written behind it; may be empty.
    pub fn suffix(&self) -> &str {
        match &self.values {
            Values::Steps { unit, .. } => &unit.suffix,
            Values::Texts(_) => "",
        }
    }

    /// The override that gives the field its value at `index`.
    pub fn set(&self, index: usize) -> String {
        format!("{}={}", self.path, self.value(index))
    }

    /// At most `most` indexes that lie evenly over all, the ends among them.
    pub fn spread(&self, most: usize) -> Vec<usize> {
        spread(self.count(), most)
    }

    /// What lies between neighbours, in words: `steps of 50`, `3 values`.
    pub fn steps(&self) -> String {
        match &self.values {
            Values::Steps { unit, step, .. } => format!("steps of {}", unit.written(*step)),
            Values::Texts(texts) => format!("{} values", texts.len()),
        }
    }
}

/// At most `most` of the indexes below `count`, evenly, the ends among them.
pub fn spread(count: usize, most: usize) -> Vec<usize> {
    if count <= most.max(2) {
        return (0..count).collect();
    }
    let last = count - 1;
    let parts = most.max(2) - 1;
    (0..=parts).map(|i| (last as u128 * i as u128 / parts as u128) as usize).collect()
}

fn values(range: &str) -> Result<Values, Fault> {
    let Some((first, rest)) = range.split_once("..") else { return list(range) };
    let (last, step) = match rest.split_once(':') {
        Some((last, step)) => (last, Some(step)),
        None => (rest, None),
    };
    let last_at = first.len() + 2;
    let step_at = last_at + last.len() + 1;
    let from = number(first, 0)?;
    let to = number(last, last_at)?;
    let factor = step.and_then(|step| step.strip_prefix('x'));
    let by = match (step, factor) {
        (Some(step), None) => Some(number(step, step_at)?),
        _ => None,
    };
    let unit = unit([Some(&from), Some(&to), by.as_ref()], range)?;
    let count_of = |number: &Number| unit.count(number);
    let (first, last) = (count_of(&from), count_of(&to));
    if last < first {
        let message = format!("`{range}` is empty: its end is below its beginning");
        return Err(Fault::new(0..range.len(), message));
    }
    if let (Some(factor), Some(step)) = (factor, step) {
        return factors(&unit, first, last, factor, step_at..step_at + step.len());
    }
    let step = by.as_ref().map_or(1, count_of);
    if step <= 0 {
        let length = range.len() - step_at.min(range.len());
        return Err(Fault::new(step_at..step_at + length, "a step is more than zero"));
    }
    let count = (last - first) / step + 1;
    if count > MOST_VALUES {
        let hint = "give a step, as in 100..2000:50";
        let message = format!("`{range}` has {count} values");
        return Err(Fault::new(0..range.len(), message).with(hint));
    }
    Ok(Values::Steps { unit, first, step, count: count as usize })
}

/// `first`, then each so many times the one before, up to `last`.
fn factors(
    unit: &Unit,
    first: i128,
    last: i128,
    factor: &str,
    span: std::ops::Range<usize>,
) -> Result<Values, Fault> {
    let by: f64 = factor.parse().unwrap_or(0.0);
    if !(by > 1.0 && by.is_finite()) || first <= 0 {
        let message = "a factor is more than 1, and the range begins above zero";
        return Err(Fault::new(span, message).with("as in 1..64:x2"));
    }
    let mut texts = Vec::new();
    let mut at = first as f64;
    while at.round() as i128 <= last && texts.len() < MOST_TEXTS {
        let text = unit.written(at.round() as i128);
        if texts.last() != Some(&text) {
            texts.push(text);
        }
        at *= by;
    }
    Ok(Values::Texts(texts))
}

fn list(range: &str) -> Result<Values, Fault> {
    let texts: Vec<String> = range.split(',').map(|text| text.trim().to_owned()).collect();
    if texts.iter().any(String::is_empty) {
        let hint = "write 100..2000, 100..2000:50 or 100,200,500";
        return Err(Fault::new(0..range.len(), format!("`{range}` is no range")).with(hint));
    }
    if let Some(twice) = texts.iter().enumerate().find(|(i, text)| texts[..*i].contains(text)) {
        return Err(Fault::new(0..range.len(), format!("`{}` is there twice", twice.1)));
    }
    if texts.len() > MOST_TEXTS {
        return Err(Fault::new(0..range.len(), format!("a list of {} values", texts.len())));
    }
    Ok(Values::Texts(texts))
}

fn number(text: &str, at: usize) -> Result<Number, Fault> {
    let wrong = || {
        Fault::new(at..at + text.len(), format!("`{text}` is no number with a unit"))
            .with("write 100..2000, 250m..4, 30s..10m or 1%..20%")
    };
    let digit = |c: char| c.is_ascii_digit() || c == '.';
    let end = text.find(|c| !digit(c)).unwrap_or(text.len());
    let (figure, suffix) = text.split_at(end);
    let (whole, decimals) = figure.split_once('.').unwrap_or((figure, ""));
    if whole.is_empty() || decimals.contains('.') || figure.len() > MOST_DIGITS {
        return Err(wrong());
    }
    let digits: i128 = format!("{whole}{decimals}").parse().map_err(|_| wrong())?;
    let known = |table: &[(&str, i128)]| table.iter().any(|(name, _)| *name == suffix);
    if suffix != "%" && !known(TIMES) && !known(DECIMAL) && !known(BINARY) {
        return Err(wrong());
    }
    Ok(Number { digits, decimals: decimals.len() as u32, suffix: suffix.to_owned() })
}

/// The largest unit of which all are whole multiples, if they have one dimension.
fn unit(all: [Option<&Number>; 3], range: &str) -> Result<Unit, Fault> {
    let all: Vec<&Number> = all.into_iter().flatten().collect();
    let decimals = all.iter().map(|n| n.decimals).max().unwrap_or(0);
    let first = &all[0].suffix;
    if all.iter().all(|n| n.suffix == *first) {
        return Ok(Unit { suffix: first.clone(), decimals });
    }
    let of = |table: &[(&'static str, i128)]| -> Option<&'static str> {
        let place = |n: &&Number| table.iter().position(|(name, _)| *name == n.suffix);
        let places: Option<Vec<usize>> = all.iter().map(place).collect();
        Some(table[places?.into_iter().min()?].0)
    };
    // `m` is minutes among times and thousandths among quantities: what stands beside it tells.
    match of(TIMES).or_else(|| of(DECIMAL)).or_else(|| of(BINARY)) {
        Some(suffix) => Ok(Unit { suffix: suffix.to_owned(), decimals }),
        None => {
            let message = format!("`{range}` mixes units of different kinds");
            Err(Fault::new(0..range.len(), message))
        }
    }
}

impl Unit {
    /// `number` in this unit.
    fn count(&self, number: &Number) -> i128 {
        let power = |n: u32| 10_i128.pow(n.min(MOST_DIGITS as u32));
        let scaled = number.digits * power(self.decimals - number.decimals);
        if number.suffix == self.suffix {
            return scaled;
        }
        let within = |table: &[(&str, i128)]| {
            let size = |suffix: &str| table.iter().find(|(n, _)| *n == suffix).map(|(_, s)| *s);
            Some(size(&number.suffix)? / size(&self.suffix)?)
        };
        let factor = within(TIMES).or_else(|| within(DECIMAL)).or_else(|| within(BINARY));
        scaled.saturating_mul(factor.unwrap_or(1))
    }

    /// So many of it, as a scenario file writes them.
    fn written(&self, count: i128) -> String {
        let power = 10_i128.pow(self.decimals);
        let (whole, rest) = (count / power, count % power);
        let decimals = match rest {
            0 => String::new(),
            rest => format!(".{rest:0width$}", width = self.decimals as usize),
        };
        let decimals = decimals.trim_end_matches('0');
        format!("{whole}{decimals}{}", self.suffix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(range: &str) -> Vec<String> {
        let axis = Axis::parse(&format!("a.b={range}")).unwrap();
        (0..axis.count()).map(|i| axis.value(i)).collect()
    }

    #[test]
    fn ranges_are_the_values_that_they_name() {
        let rows: [(&str, &str, &[&str]); 12] = [
            ("whole numbers, one by one", "3..6", &["3", "4", "5", "6"]),
            ("a step; the end need not be met", "100..400:150", &["100", "250", "400"]),
            ("a step that passes the end", "1..6:2", &["1", "3", "5"]),
            ("the last decimal is the step", "0.5..0.8", &["0.5", "0.6", "0.7", "0.8"]),
            ("zeros at the end are not written", "0.90..1.1:0.1", &["0.9", "1", "1.1"]),
            ("times in the smaller unit", "30s..2m:30s", &["30s", "60s", "90s", "120s"]),
            ("quantities likewise", "500m..2:500m", &["500m", "1000m", "1500m", "2000m"]),
            ("powers of two", "512Mi..2Gi:512Mi", &["512Mi", "1024Mi", "1536Mi", "2048Mi"]),
            ("shares", "1%..3%", &["1%", "2%", "3%"]),
            ("factors", "1..10:x2", &["1", "2", "4", "8"]),
            ("a list as written", "b,a,1h30m", &["b", "a", "1h30m"]),
            ("one value", "7", &["7"]),
        ];
        for (sentence, range, expected) in rows {
            assert_eq!(all(range), expected, "{sentence}");
        }
        let axis = Axis::parse("nodes.pool.max=100..2000").unwrap();
        assert_eq!((axis.count(), axis.set(1900).as_str()), (1901, "nodes.pool.max=2000"));
        assert_eq!(Axis::parse("a=0.5..2").unwrap().number(3), 0.8);
        assert_eq!(Axis::parse("a=30s..2m:30s").unwrap().number(2), 90.0);
        assert_eq!(Axis::parse("a=x,y").unwrap().number(1), 2.0);
        assert_eq!(Axis::parse("a=10,40").unwrap().number(1), 40.0);
    }

    #[test]
    fn what_is_no_range_is_told_with_its_place() {
        let rows = [
            ("a", 0..1, "is no path=range"),
            ("=1..2", 0..5, "is no path=range"),
            ("a=", 0..2, "is no path=range"),
            ("a=5..3", 2..6, "is empty"),
            ("a=1..x", 5..6, "is no number with a unit"),
            ("a=1..9:0", 7..8, "more than zero"),
            ("a=1s..2Gi", 2..9, "mixes units"),
            ("a=1,,2", 2..6, "is no range"),
            ("a=1,2,1", 2..7, "is there twice"),
            ("a=1..9:x1", 7..9, "a factor is more than 1"),
            ("a=1ns..9d", 2..9, "values"),
        ];
        for (text, span, message) in rows {
            let fault = Axis::parse(text).unwrap_err();
            assert_eq!(fault.span, span, "{text}: {}", fault.message);
            assert!(fault.message.contains(message), "{text}: {}", fault.message);
        }
    }

    #[test]
    fn a_spread_has_both_ends() {
        assert_eq!(spread(11, 3), [0, 5, 10]);
        assert_eq!(spread(3, 10), [0, 1, 2]);
        assert_eq!(spread(1, 10), [0]);
        assert_eq!(spread(100, 1), [0, 99]);
    }
}
