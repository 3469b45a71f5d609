//! Annotations `stormglass/...` of a pod template: how its containers behave.

use super::FieldError;
use crate::api::behavior::Behavior;
use crate::api::config::ConfigKind;
use crate::api::quantity::Quantity;
use crate::units::SimDuration;
use std::collections::BTreeMap;

/// What annotations with this prefix say.
const PREFIX: &str = "stormglass/";
/// What may follow.
const WORDS: &str = "of an annotation known here: start-ms, ready-ms, stop-ms, never-start, \
                     never-ready, run-ms, fail-ms, exit-code, exit-codes, fail-first, \
                     stop-exit-code, hang-ms, init-ms, init-failures, creates, memory, \
                     memory-growth";

/// Reads the annotations of a template; `path` is where they stand.
pub fn behavior(
    annotations: Option<&BTreeMap<String, String>>,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> Behavior {
    let mut out = Behavior::default();
    for (key, value) in annotations.into_iter().flatten() {
        let Some(word) = key.strip_prefix(PREFIX) else { continue };
        if let Err(expected) = read(&mut out, word, value) {
            let message = format!("{value:?} is not {expected}");
            errors.push(FieldError::new(format!("{path}.{key}"), message));
        }
    }
    out
}

/// One annotation; an error says what is expected.
fn read(out: &mut Behavior, word: &str, value: &str) -> Result<(), &'static str> {
    let ms = || value.parse().map(SimDuration::from_millis).map_err(|_| "a number of milliseconds");
    let code = |text: &str| text.trim().parse::<i32>().map_err(|_| "an exit code");
    let flag = || value.parse::<bool>().map_err(|_| "true or false");
    let bytes = || match value.parse::<Quantity>() {
        Ok(quantity) if !quantity.is_negative() => Ok(quantity.as_bytes()),
        _ => Err("an amount of memory like 64Mi"),
    };
    match word {
        "start-ms" => out.start = Some(ms()?),
        "ready-ms" => out.ready = Some(ms()?),
        "stop-ms" => out.stop = Some(ms()?),
        "run-ms" => out.run = Some(ms()?),
        "fail-ms" => out.fail = Some(ms()?),
        "hang-ms" => out.hang = Some(ms()?),
        "init-ms" => {
            let one = |text: &str| text.trim().parse().map(SimDuration::from_millis);
            let all = value.split(',').map(one).collect::<Result<_, _>>();
            out.init_runs = all.map_err(|_| "numbers of milliseconds like 500,2000")?;
        }
        "init-failures" => {
            let all = value.split(',').map(|text| text.trim().parse()).collect::<Result<_, _>>();
            out.init_failures = all.map_err(|_| "numbers of failures like 0,2")?;
        }
        "creates" => {
            let all = value.split(',').map(|text| ConfigKind::and_name(text.trim()));
            let all = all.collect::<Option<_>>();
            out.creates = all.ok_or("Secrets and ConfigMaps like secret/web-tls, configmap/web")?;
        }
        "memory" => out.memory = bytes()?,
        "memory-growth" => out.memory_growth = bytes()?,
        "never-start" => out.never_starts = flag()?,
        "never-ready" => out.never_ready = flag()?,
        "exit-code" => out.exit_code = code(value)?,
        "stop-exit-code" => out.stop_exit_code = code(value)?,
        "fail-first" => out.fail_first = value.parse().map_err(|_| "a number of pods")?,
        "exit-codes" => {
            out.exit_codes = value.split(',').map(code).collect::<Result<_, _>>()?;
        }
        _ => return Err(WORDS),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations_tell_how_containers_behave() {
        let given = BTreeMap::from([
            ("stormglass/run-ms".to_owned(), "1500".to_owned()),
            ("stormglass/exit-codes".to_owned(), "0, 42".to_owned()),
            ("other/run-ms".to_owned(), "x".to_owned()),
        ]);
        let mut errors = Vec::new();
        let found = behavior(Some(&given), "a", &mut errors);
        assert!(errors.is_empty(), "what is not ours is nobody's business");
        assert_eq!(found.run, Some(SimDuration::from_millis(1500)));
        assert_eq!(found.exit_codes, [0, 42]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (key, value) in [
            ("run-ms", "soon"),
            ("memory", "-1"),
            ("exit-code", "x"),
            ("creates", "x"),
            ("runs", "1"),
        ] {
            let given = BTreeMap::from([(format!("stormglass/{key}"), value.to_owned())]);
            let mut errors = Vec::new();
            behavior(Some(&given), "a", &mut errors);
            assert_eq!(errors.len(), 1, "{key}: {value}");
        }
    }
}
