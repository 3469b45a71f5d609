//! Semantic versions, as attributes of devices have them.
//!
//! Source: `blang/semver/v4`, which upstream compares them with. Build metadata has no part in it.

use super::Text;
use std::cmp::Ordering;

/// A version.
#[derive(Clone, Debug)]
pub struct Semver {
    /// As written.
    pub text: Text,
    /// Major, minor and patch number.
    pub numbers: [u64; 3],
    /// What comes after `-`, split at dots.
    pre: Vec<Pre>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Pre {
    /// Comes before any text.
    Number(u64),
    Text(Text),
}

impl Ord for Semver {
    fn cmp(&self, other: &Semver) -> Ordering {
        // A version with a prerelease comes before the one without.
        self.numbers
            .cmp(&other.numbers)
            .then(self.pre.is_empty().cmp(&other.pre.is_empty()))
            .then_with(|| self.pre.cmp(&other.pre))
    }
}

impl PartialOrd for Semver {
    fn partial_cmp(&self, other: &Semver) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Semver {
    fn eq(&self, other: &Semver) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Semver {}

impl Semver {
    /// Reads `1.2.3-rc.1+build`; the error is upstream's.
    pub fn parse(text: &str) -> Result<Semver, String> {
        if text.is_empty() {
            return Err("Version string empty".to_owned());
        }
        let mut parts = text.splitn(3, '.');
        let (Some(major), Some(minor), Some(rest)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err("No Major.Minor.Patch elements found".to_owned());
        };
        let (rest, build) = rest.split_once('+').map_or((rest, None), |(r, b)| (r, Some(b)));
        let (patch, pre) = rest.split_once('-').map_or((rest, None), |(p, r)| (p, Some(r)));
        let numbers = [
            number(major, "Major", "major")?,
            number(minor, "Minor", "minor")?,
            number(patch, "Patch", "patch")?,
        ];
        let pre = pre.into_iter().flat_map(|pre| pre.split('.')).map(prerelease);
        let pre = pre.collect::<Result<_, _>>()?;
        for part in build.into_iter().flat_map(|build| build.split('.')) {
            if part.is_empty() {
                return Err("Build meta data is empty".to_owned());
            }
            if !is_alphanumeric(part) {
                return Err(format!("Invalid character(s) found in build meta data {part:?}"));
            }
        }
        Ok(Semver { text: text.into(), numbers, pre })
    }

    /// Likewise, but `v1`, `1.2` and `01.2.3` will do.
    pub fn parse_tolerant(text: &str) -> Result<Semver, String> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let without_zeros = |part: &str| {
            let stripped = part.trim_start_matches('0');
            match part.len() > 1 && !stripped.starts_with(|c: char| c.is_ascii_digit()) {
                true => format!("0{stripped}"),
                false if part.len() > 1 => stripped.to_owned(),
                false => part.to_owned(),
            }
        };
        let mut parts: Vec<String> = text.splitn(3, '.').map(without_zeros).collect();
        if parts.len() < 3 && parts.last().is_some_and(|last| last.contains(['+', '-'])) {
            return Err("short version cannot contain PreRelease/Build meta data".to_owned());
        }
        parts.resize(3, "0".to_owned());
        Semver::parse(&parts.join("."))
    }
}

fn number(text: &str, upper: &str, lower: &str) -> Result<u64, String> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("Invalid character(s) found in {lower} number {text:?}"));
    }
    if text.len() > 1 && text.starts_with('0') {
        return Err(format!("{upper} number must not contain leading zeroes {text:?}"));
    }
    text.parse().map_err(|_| format!("strconv.ParseUint: parsing {text:?}: value out of range"))
}

fn prerelease(text: &str) -> Result<Pre, String> {
    if text.is_empty() {
        return Err("Prerelease is empty".to_owned());
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        if text.len() > 1 && text.starts_with('0') {
            return Err(format!(
                "Numeric PreRelease version must not contain leading zeroes {text:?}"
            ));
        }
        return number(text, "Prerelease", "prerelease").map(Pre::Number);
    }
    match is_alphanumeric(text) {
        true => Ok(Pre::Text(text.into())),
        false => Err(format!("Invalid character(s) found in prerelease {text:?}")),
    }
}

fn is_alphanumeric(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_the_standard_says() {
        let sorted = [
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.10",
            "1.2.0",
            "10.0.0",
        ];
        let parsed: Vec<Semver> = sorted.iter().map(|t| Semver::parse(t).unwrap()).collect();
        assert!(parsed.is_sorted_by(|a, b| a < b));
        assert_eq!(Semver::parse("1.0.0+a"), Semver::parse("1.0.0+b"), "builds do not count");
    }

    #[test]
    fn what_is_no_version_is_refused_in_upstreams_words() {
        let rows = [
            ("", "Version string empty"),
            ("1.2", "No Major.Minor.Patch elements found"),
            ("v1.2.3", "Invalid character(s) found in major number \"v1\""),
            ("1.02.3", "Minor number must not contain leading zeroes \"02\""),
            ("1.2.3-", "Prerelease is empty"),
            ("1.2.3-01", "Numeric PreRelease version must not contain leading zeroes \"01\""),
        ];
        for (text, expected) in rows {
            assert_eq!(Semver::parse(text).unwrap_err(), expected, "{text}");
        }
    }

    #[test]
    fn tolerance_fills_up_and_strips() {
        let rows = [("v1", "1.0.0"), ("1.2", "1.2.0"), ("01.02.3", "1.2.3"), ("v0.0.1", "0.0.1")];
        for (text, expected) in rows {
            let found = Semver::parse_tolerant(text).unwrap();
            assert_eq!(found, Semver::parse(expected).unwrap(), "{text}");
        }
        assert!(Semver::parse_tolerant("1-rc").is_err());
    }
}
