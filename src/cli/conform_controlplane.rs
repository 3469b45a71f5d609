//! `stormglass conform controlplane`: what happens here beside what was recorded of the real
//! control plane.

use super::{Outcome, complain, print};
use crate::replay::{History, Script, Verdict, check};
use clap::Args;
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Play recorded scripts of a control plane again.
///
/// A recording is a folder with scenario.json (what was done) and run1.ndjson.gz, run2... (what
/// happened, each time that it was done). Prints a line for each: it agrees, or what differs first.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 all agree, 1 one differs or does what is not modelled, 2 a recording can't be read.

Example:
  stormglass conform controlplane tests/data/controlplane")]
pub(super) struct Controlplane {
    /// Recordings, or folders of them.
    #[arg(required = true, value_name = "FOLDER")]
    folders: Vec<PathBuf>,
}

impl Controlplane {
    pub(super) fn execute(&self) -> Outcome {
        match self.check() {
            Ok(outcome) => outcome,
            Err(message) => {
                complain(&format!("error: {message}"));
                Outcome::BadInput
            }
        }
    }

    fn check(&self) -> Result<Outcome, String> {
        let mut outcome = Outcome::Fine;
        let (mut all, mut differ) = (0, 0);
        for folder in recordings(&self.folders)? {
            let (script, repeats) = read(&folder)?;
            let told = match check(&script, &repeats) {
                Verdict::Agrees => "agrees".to_owned(),
                Verdict::Differs(difference) => format!("differs: {difference}"),
                Verdict::NotModelled(what) => format!("differs: not modelled: {what}"),
            };
            all += 1;
            differ += usize::from(told != "agrees");
            outcome = outcome.or(print(&format!("{}: {told}\n", script.name)));
        }
        outcome = outcome.or(print(&format!("{all} scenarios, {differ} differ\n")));
        Ok(if differ > 0 { outcome.or(Outcome::Missed) } else { outcome })
    }
}

/// Folders as they are if they are recordings, else the recordings in them, sorted by name.
fn recordings(given: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let is_recording = |path: &Path| path.join("scenario.json").is_file();
    let mut found = Vec::new();
    for folder in given {
        if is_recording(folder) {
            found.push(folder.clone());
            continue;
        }
        let entries =
            std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let mut inside: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        inside.retain(|path| is_recording(path));
        if inside.is_empty() {
            let hint = "expected a folder with scenario.json, or of such folders";
            return Err(format!("{}: no recording in it; {hint}", folder.display()));
        }
        inside.sort();
        found.extend(inside);
    }
    Ok(found)
}

fn read(folder: &Path) -> Result<(Script, Vec<History>), String> {
    let unreadable = |path: &Path, e: String| format!("{}: {e}", path.display());
    let path = folder.join("scenario.json");
    let text = std::fs::read_to_string(&path).map_err(|e| unreadable(&path, e.to_string()))?;
    let script = Script::parse(&text).map_err(|e| unreadable(&path, e))?;
    let mut repeats = Vec::new();
    for number in 1.. {
        let path = folder.join(format!("run{number}.ndjson.gz"));
        if !path.is_file() {
            break;
        }
        let opened = File::open(&path).map_err(|e| unreadable(&path, e.to_string()))?;
        let mut text = String::new();
        let read = MultiGzDecoder::new(opened).read_to_string(&mut text);
        read.map_err(|e| unreadable(&path, e.to_string()))?;
        repeats.push(History::of_recording(&text).map_err(|e| unreadable(&path, e.to_string()))?);
    }
    match repeats.is_empty() {
        true => Err(unreadable(folder, "there is no run1.ndjson.gz".to_owned())),
        false => Ok((script, repeats)),
    }
}
