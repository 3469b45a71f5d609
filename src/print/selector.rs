//! Label selectors as people type them: `app=web,tier!=db,env in (a,b),!old`.
//!
//! Source: apimachinery `pkg/labels/selector.go` (`Parse`), v1.37.

use crate::api::Text;
use crate::api::labels::{Operator, Requirement, Selector};

/// Reads a selector.
///
/// # Errors
/// The term that can't be read.
pub fn parse(text: &str) -> Result<Selector, String> {
    let terms = terms(text);
    let terms = terms.iter().map(|term| term.trim()).filter(|term| !term.is_empty());
    terms.map(requirement).collect::<Result<_, _>>().map(Selector::All)
}

/// The terms between commas that do not stand in parentheses.
fn terms(text: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut depth = 0;
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        match found.last_mut() {
            Some(last) if c != ',' || depth > 0 => last.push(c),
            _ => found.push(String::new()),
        }
    }
    found
}

fn requirement(term: &str) -> Result<Requirement, String> {
    let wrong = || {
        format!(
            "`{term}` is no requirement on labels: expected KEY=VALUE, KEY!=VALUE, KEY in (A,B), KEY or !KEY"
        )
    };
    let make = |key: &str, operator: Operator, values: Vec<Text>| {
        let key = key.trim();
        let is_key = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        if key.is_empty() || !key.chars().all(is_key) {
            return Err(wrong());
        }
        Ok(Requirement { key: key.into(), operator, values })
    };
    let one = |value: &str| vec![Text::from(value.trim())];
    if let Some((key, list)) = term.split_once('(') {
        let list = list.strip_suffix(')').ok_or_else(wrong)?;
        let mut values: Vec<Text> = list.split(',').map(|value| value.trim().into()).collect();
        values.sort();
        let (key, operator) = key.trim().rsplit_once(' ').ok_or_else(wrong)?;
        let operator = match operator {
            "in" => Operator::In,
            "notin" => Operator::NotIn,
            _ => return Err(wrong()),
        };
        return make(key, operator, values);
    }
    if let Some((key, value)) = term.split_once("!=") {
        return make(key, Operator::NotIn, one(value));
    }
    if let Some((key, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
        return make(key, Operator::In, one(value));
    }
    match term.strip_prefix('!') {
        Some(key) => make(key, Operator::DoesNotExist, Vec::new()),
        None => make(term, Operator::Exists, Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::labels::Labels;

    #[test]
    fn selectors_are_read_as_kubectl_reads_them() {
        let labels = Labels::from([("app", "web"), ("tier", "front")]);
        let rows = [
            ("nothing matches all", "", Some(true)),
            ("a value", "app=web", Some(true)),
            ("with two signs", "app==web", Some(true)),
            ("another value", "app=db", Some(false)),
            ("not a value", "app!=db", Some(true)),
            ("a missing label is not a value", "zone!=a", Some(true)),
            ("one of some", "tier in (front, back)", Some(true)),
            ("none of some", "tier notin (front)", Some(false)),
            ("a label", "app", Some(true)),
            ("no label", "!app", Some(false)),
            ("all must hold", "app=web,tier in (a,b)", Some(false)),
            ("what is no selector", "app in web", None),
            ("a list that is not closed", "app in (a", None),
            ("a value without a key", "=web", None),
        ];
        for (sentence, text, expected) in rows {
            assert_eq!(parse(text).ok().map(|s| s.matches(&labels)), expected, "{sentence}");
        }
    }
}
