//! `stormglass init`: a starter scenario that runs, with every common section explained.

use super::{Outcome, complain, print};
use clap::Args;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

const SCENARIO: &str = include_str!("starter/scenario.yaml");
const MANIFEST: &str = include_str!("starter/web.yaml");

/// Write a commented starter scenario with its manifest.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  stormglass init my-scenario.yaml && stormglass run my-scenario.yaml")]
pub(super) struct Init {
    /// The scenario to write; its manifest goes beside it as web.yaml. Nothing is overwritten.
    #[arg(default_value = "scenario.yaml")]
    file: PathBuf,
}

impl Init {
    pub(super) fn execute(&self) -> Outcome {
        let folder = self.file.parent().unwrap_or(Path::new(""));
        let manifest = folder.join("web.yaml");
        for path in [&self.file, &manifest] {
            if path.exists() {
                complain(&format!(
                    "error: {} is there already; nothing was written",
                    path.display()
                ));
                return Outcome::BadInput;
            }
        }
        for (path, text) in [(&manifest, MANIFEST), (&self.file, SCENARIO)] {
            if let Err(error) = write_new(path, text) {
                complain(&format!("error: can't write {}: {error}", path.display()));
                return Outcome::BadInput;
            }
        }
        let file = self.file.display();
        print(&format!("wrote {file} and {}\nrun it: stormglass run {file}\n", manifest.display()))
    }
}

fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}
