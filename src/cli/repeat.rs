//! The command that makes a run again, as results tell it.
//!
//! It is for a POSIX shell and says nothing of the machine that it was made on.

use std::path::Path;

/// `stormglass run` with all that makes the run what it is.
pub(super) fn command(
    file: &Path,
    seed: u64,
    until: Option<&str>,
    set: &[String],
    check_every: Option<u64>,
) -> String {
    let file = without_machine(file);
    let mut command = format!("stormglass run {} --seed {seed}", quoted(&file));
    if let Some(until) = until {
        command.push_str(&format!(" --until {}", quoted(until)));
    }
    for set in set {
        command.push_str(&format!(" --set {}", quoted(set)));
    }
    if let Some(check_every) = check_every {
        command.push_str(&format!(" --check-every {check_every}"));
    }
    command
}

/// The path as seen from the working directory; elsewhere an absolute one is cut to its last two
/// parts: results do not tell of the machine they were made on.
pub(super) fn without_machine(file: &Path) -> String {
    let here = std::env::current_dir().ok();
    let inside = here.and_then(|here| file.strip_prefix(here).ok().map(Path::to_path_buf));
    let path = match inside {
        Some(inside) => inside,
        None if file.is_absolute() => {
            let parts: Vec<_> = file.iter().collect();
            parts[parts.len().saturating_sub(2)..].iter().collect()
        }
        None => file.to_path_buf(),
    };
    path.display().to_string()
}

/// `word` as one word of a POSIX shell.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,=+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}
