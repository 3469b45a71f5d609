//! One field of a schedule: lists, ranges, steps and names.
//!
//! Source: github.com/robfig/cron v3.0.1 `parser.go` (`getField`, `getRange`), which upstream uses.

/// Which values a field allows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Field {
    bits: u64,
    /// It was written `*` or `?`: of the two day fields the other one decides alone.
    pub(super) is_star: bool,
}

/// What may be written in a field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) min: u32,
    pub(super) max: u32,
    /// Names of the values from `min` on.
    pub(super) names: &'static [&'static str],
}

impl Field {
    /// All values.
    pub(super) fn all(bounds: Bounds) -> Field {
        Field { bits: bits(bounds.min, bounds.max, 1), is_star: true }
    }

    /// The smallest value alone.
    pub(super) fn first(bounds: Bounds) -> Field {
        Field { bits: 1 << bounds.min, is_star: false }
    }

    /// Whether a value is allowed.
    pub(super) fn has(self, value: u32) -> bool {
        self.bits & (1 << value) != 0
    }

    /// Reads a field: ranges with commas between them.
    pub(super) fn parse(text: &str, bounds: Bounds) -> Result<Field, String> {
        let mut field = Field { bits: 0, is_star: false };
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let more = range(part, bounds)?;
            field.bits |= more.bits;
            field.is_star |= more.is_star;
        }
        Ok(field)
    }
}

/// `*`, `N`, `N-M`, each perhaps with `/step`.
fn range(text: &str, bounds: Bounds) -> Result<Field, String> {
    let parts: Vec<&str> = text.split('/').collect();
    let limits: Vec<&str> = parts[0].split('-').collect();
    let mut is_star = limits[0] == "*" || limits[0] == "?";
    let (start, mut end) = match limits[..] {
        _ if is_star => (bounds.min, bounds.max),
        [only] => {
            let only = value(only, bounds)?;
            (only, only)
        }
        [low, high] => (value(low, bounds)?, value(high, bounds)?),
        _ => return Err(format!("too many hyphens: {text}")),
    };
    let step = match parts[..] {
        [_] => 1,
        [_, step] => {
            let step = number(step)?;
            // "N/step" means "N-max/step".
            if limits.len() == 1 {
                end = bounds.max;
            }
            is_star &= step <= 1;
            step
        }
        _ => return Err(format!("too many slashes: {text}")),
    };
    let Bounds { min, max, .. } = bounds;
    if start < min {
        return Err(format!("beginning of range ({start}) below minimum ({min}): {text}"));
    }
    if end > max {
        return Err(format!("end of range ({end}) above maximum ({max}): {text}"));
    }
    if start > end {
        return Err(format!("beginning of range ({start}) beyond end of range ({end}): {text}"));
    }
    if step == 0 {
        return Err(format!("step of range should be a positive number: {text}"));
    }
    Ok(Field { bits: bits(start, end, step), is_star })
}

fn bits(start: u32, end: u32, step: u32) -> u64 {
    (start..=end).step_by(step as usize).fold(0, |bits, value| bits | 1 << value)
}

fn value(text: &str, bounds: Bounds) -> Result<u32, String> {
    let named = bounds.names.iter().position(|name| name.eq_ignore_ascii_case(text));
    match named {
        Some(place) => Ok(bounds.min + place as u32),
        None => number(text),
    }
}

fn number(text: &str) -> Result<u32, String> {
    match text.parse::<i64>() {
        Ok(n) if n < 0 => Err(format!("negative number ({n}) not allowed: {text}")),
        Ok(n) => Ok(u32::try_from(n).unwrap_or(u32::MAX)),
        Err(_) => {
            let why = format!("strconv.Atoi: parsing {text:?}: invalid syntax");
            Err(format!("failed to parse int from {text}: {why}"))
        }
    }
}
