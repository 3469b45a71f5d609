//! `--slo 'failed_ratio<=1%'`: an expectation of a scenario in one line.
//!
//! `METRIC [of NAME] <=|>= BOUND [from T] [until T]`, with the measures of `expect:`. It is turned
//! into what a scenario file would say, and checked as such.

use super::Fault;
use crate::record::metric::{self, METRICS};

/// The entry of `expect:` that `text` stands for, as YAML in one line.
///
/// # Errors
/// What is wrong with it, and where.
pub fn entry(text: &str) -> Result<String, Fault> {
    let (at, bound_key) = match (text.find("<="), text.find(">=")) {
        (Some(at), None) => (at, "at-most"),
        (None, Some(at)) => (at, "at-least"),
        _ => {
            let message = format!("`{text}` is no objective");
            return Err(Fault::new(0..text.len(), message).with(HOW));
        }
    };
    let mut left = words(text, 0..at).into_iter();
    let mut right = words(text, at + 2..text.len()).into_iter();
    let Some((name, place)) = left.next() else {
        return Err(Fault::new(0..at + 2, "what is measured?").with(HOW));
    };
    if metric::find(name).is_none() {
        let known: Vec<&str> = METRICS.iter().map(|metric| metric.name).collect();
        let hint = match near(name, &known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("measures: {}", known.join(", ")),
        };
        return Err(Fault::new(place, format!("unknown measure `{name}`")).with(hint));
    }
    let mut fields = Vec::new();
    pairs(&mut left, &["of"], &mut fields)?;
    let Some((bound, _)) = right.next() else {
        return Err(Fault::new(at..at + 2, "there is no bound behind it").with(HOW));
    };
    fields.push(format!("{bound_key}: {}", scalar(bound)));
    pairs(&mut right, &["of", "from", "until"], &mut fields)?;
    Ok(format!("{{{name}: {{{}}}}}", fields.join(", ")))
}

/// The override that makes these objectives all that a scenario expects.
///
/// # Errors
/// What is wrong with the first that is wrong, and which it is.
pub fn expect(texts: &[String]) -> Result<String, (usize, Fault)> {
    let entry = |(i, text): (usize, &String)| entry(text).map_err(|fault| (i, fault));
    let entries: Result<Vec<String>, _> = texts.iter().enumerate().map(entry).collect();
    Ok(format!("expect=[{}]", entries?.join(", ")))
}

const HOW: &str = "write it like 'failed_ratio<=1%' or 'latency_p99 of web <= 500ms from 1h'";

type Word<'a> = (&'a str, std::ops::Range<usize>);

/// The words of a part of `text`, with their places; a comma parts them too.
fn words(text: &str, part: std::ops::Range<usize>) -> Vec<Word<'_>> {
    let mut found = Vec::new();
    let mut rest = part.start;
    for word in text[part].split(|c: char| c.is_whitespace() || c == ',') {
        if !word.is_empty() {
            found.push((word, rest..rest + word.len()));
        }
        rest += word.len() + 1;
    }
    found
}

/// Reads `key value` until the words end.
fn pairs<'a>(
    words: &mut impl Iterator<Item = Word<'a>>,
    keys: &[&str],
    fields: &mut Vec<String>,
) -> Result<(), Fault> {
    while let Some((key, place)) = words.next() {
        if !keys.contains(&key) {
            let message = format!("`{key}` is not understood here");
            return Err(Fault::new(place, message).with(HOW));
        }
        let Some((value, _)) = words.next() else {
            return Err(Fault::new(place, format!("`{key}` of what?")).with(HOW));
        };
        fields.push(format!("{key}: {}", scalar(value)));
    }
    Ok(())
}

/// A word as a scalar of YAML.
fn scalar(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._/%-".contains(c);
    if word.chars().all(plain) && word.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "''"))
}

/// A measure that begins, or ends, like the word.
fn near<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let folded = word.replace('-', "_").to_lowercase();
    crate::scenario::diagnostic::did_you_mean(&folded, known.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objectives_become_what_a_scenario_would_expect() {
        let rows = [
            ("failed_ratio<=1%", "{failed_ratio: {at-most: 1%}}"),
            ("pods_ready_min >= 3", "{pods_ready_min: {at-least: 3}}"),
            (
                "latency_p99 of web <= 500ms from 1h until 2h",
                "{latency_p99: {of: web, at-most: 500ms, from: 1h, until: 2h}}",
            ),
            ("failed_ratio<=1%, from 1h", "{failed_ratio: {at-most: 1%, from: 1h}}"),
            ("cost<={a: b}", "{cost: {at-most: '{a:', b}: }}"),
        ];
        for (text, expected) in &rows[..4] {
            assert_eq!(entry(text).as_deref(), Ok(*expected), "{text}");
        }
        assert!(entry(rows[4].0).is_err(), "words behind the bound are not passed on");
        let both = ["cost<=5".to_owned(), "nodes_peak<=9".to_owned()];
        let told = "expect=[{cost: {at-most: 5}}, {nodes_peak: {at-most: 9}}]";
        assert_eq!(expect(&both).as_deref(), Ok(told));
    }

    #[test]
    fn what_is_no_objective_is_told_with_its_place() {
        let rows = [
            ("failed_ratio=1%", 0..15, "is no objective"),
            ("failed_ration<=1%", 0..13, "unknown measure"),
            ("<=1%", 0..2, "what is measured?"),
            ("cost <=", 5..7, "no bound"),
            ("cost<=5 form 1h", 8..12, "is not understood"),
            ("cost<=5 from", 8..12, "`from` of what?"),
        ];
        for (text, span, message) in rows {
            let fault = entry(text).unwrap_err();
            assert_eq!(fault.span, span, "{text}");
            assert!(fault.message.contains(message), "{text}: {}", fault.message);
        }
        let hint = entry("failed-ration<=1%").unwrap_err().hint;
        assert_eq!(hint.as_deref(), Some("did you mean `failed_ratio`?"));
    }
}
