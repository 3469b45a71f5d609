//! `stormglass schema`: the JSON Schema of scenario files, for editors.

use super::{Outcome, print};
use crate::scenario::file::ScenarioFile;
use clap::Args;

/// Print the JSON Schema of scenario files.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  stormglass schema > schema/scenario.json

Editors with a YAML language server complete and check scenarios that begin with
  # yaml-language-server: $schema=../schema/scenario.json")]
pub(super) struct Schema {}

impl Schema {
    pub(super) fn execute(&self) -> Outcome {
        print(&text())
    }
}

/// The schema as pretty JSON with a final line feed.
pub(super) fn text() -> String {
    let schema = schemars::schema_for!(ScenarioFile);
    let json = serde_json::to_string_pretty(&schema).unwrap_or_default();
    format!("{json}\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_committed_schema_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/scenario.json");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(committed, super::text(), "run: cargo run -- schema > schema/scenario.json");
    }
}
