//! Loading a scenario: reading all files it names, then checking everything together.

use super::diagnostic::{Diagnostic, Diagnostics};
use super::file::ScenarioFile;
use super::manifests::Manifests;
use super::model::Scenario;
use super::resolve::Resolver;
use super::strict::decode;
use super::yaml::{Node, parse};
use super::{overrides, trace};
use std::path::{Path, PathBuf};

/// What the command line changes about a scenario.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides {
    /// `--set path=value`, in order.
    pub set: Vec<String>,
    /// `--until T`: the duration.
    pub until: Option<String>,
}

/// Reads a scenario and all files it names.
///
/// # Errors
/// Everything that is wrong with any of them.
pub fn load(path: &Path, changes: &Overrides) -> Result<Scenario, Diagnostics> {
    let mut sources = Sources { out: Diagnostics::default(), hash: blake3::Hasher::new() };
    let scenario = sources.load(path, changes);
    let mut out = sources.out;
    match scenario {
        Some(scenario) if out.errors.is_empty() => Ok(scenario),
        _ => {
            out.sort();
            Err(out)
        }
    }
}

/// Files read so far and what is wrong with them.
pub(super) struct Sources {
    pub out: Diagnostics,
    hash: blake3::Hasher,
}

impl Sources {
    fn load(&mut self, path: &Path, changes: &Overrides) -> Option<Scenario> {
        let name = path.display().to_string();
        let text = self.text(path, &name, None)?;
        let tree = self.tree(&name, &text, changes)?;
        let (file, faults) = decode::<ScenarioFile>(&tree);
        for fault in faults {
            self.out.errors.push(Diagnostic {
                file: name.clone(),
                span: Some(fault.span),
                path: String::new(),
                message: fault.message,
                hint: fault.hint,
            });
        }
        let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
        // Manifests are read even if the scenario is wrong, so that all errors come at once.
        let manifests = self.manifests(&name, &tree, &folder);
        let file = file?;
        let mut resolver = Resolver { name, tree: &tree, folder, sources: self };
        let mut scenario = resolver.resolve(file, manifests)?;
        scenario.name = scenario_name(path);
        scenario.hash = self.hash.finalize().to_hex().to_string();
        Some(scenario)
    }

    fn tree(&mut self, name: &str, text: &str, changes: &Overrides) -> Option<Node> {
        let mut documents = match parse(text) {
            Ok(documents) => documents,
            Err(error) => {
                let span = Some(error.span);
                let (path, message) = (String::new(), error.message);
                let file = name.to_string();
                self.out.errors.push(Diagnostic { file, span, path, message, hint: None });
                return None;
            }
        };
        if documents.len() != 1 {
            let hint = "a scenario is one YAML document with `question:` and `duration:`";
            let found = format!("expected one document, found {}", documents.len());
            self.out.file(name, found, Some(hint.into()));
            return None;
        }
        let mut tree = documents.remove(0);
        let until = changes.until.iter().map(|until| format!("duration={until}"));
        for set in changes.set.iter().cloned().chain(until) {
            self.hash.update(set.as_bytes());
            if let Err((message, hint)) = overrides::apply(&mut tree, &set) {
                self.out.file(name, message, hint);
            }
        }
        Some(tree)
    }

    /// Reads a text file; an error is noted at `at` in the file that names it.
    fn text(&mut self, path: &Path, shown: &str, at: Option<Diagnostic>) -> Option<String> {
        let bytes = self.bytes(path, shown, at)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if text.len() != bytes.len() {
            self.out.file(shown, "the file is not UTF-8", None);
            return None;
        }
        self.out.files.push((shown.to_string(), text.clone()));
        Some(text)
    }

    /// Reads a file, unpacked if gzipped, and takes it into the hash.
    pub(super) fn bytes(
        &mut self,
        path: &Path,
        shown: &str,
        at: Option<Diagnostic>,
    ) -> Option<Vec<u8>> {
        match trace::read_bytes(path) {
            Ok(bytes) => {
                self.hash.update(&(bytes.len() as u64).to_le_bytes());
                self.hash.update(&bytes);
                Some(bytes)
            }
            Err(error) => {
                let message = format!("can't read {shown}: {error}");
                match at {
                    Some(place) => self.out.errors.push(Diagnostic { message, ..place }),
                    None => self.out.file(shown, message, None),
                }
                None
            }
        }
    }

    /// Reads all manifests that the tree names.
    fn manifests(&mut self, name: &str, tree: &Node, folder: &Path) -> Manifests {
        let mut found = Manifests::default();
        let listed = tree.get("manifests").map(|node| node.value.clone());
        let Some(super::yaml::Value::List(items)) = listed else { return found };
        for item in items {
            let Some(entry) = item.as_text() else { continue };
            let at = Diagnostic {
                file: name.to_string(),
                span: Some(item.span.clone()),
                path: "manifests".to_string(),
                message: String::new(),
                hint: None,
            };
            for (path, shown) in self.expand(folder, entry, &at) {
                if let Some(text) = self.text(&path, &shown, Some(at.clone())) {
                    found.read(&shown, &text, &mut self.out);
                }
            }
        }
        found.resolve_priorities(&mut self.out);
        found
    }

    /// A file, or the YAML files of a folder in order of their names.
    fn expand(&mut self, folder: &Path, entry: &str, at: &Diagnostic) -> Vec<(PathBuf, String)> {
        let path = folder.join(entry);
        let shown = path.display().to_string();
        if !path.is_dir() {
            return vec![(path, shown)];
        }
        let Ok(entries) = std::fs::read_dir(&path) else { return vec![(path, shown)] };
        let yaml = |p: &PathBuf| p.extension().is_some_and(|e| e == "yaml" || e == "yml");
        let mut files: Vec<PathBuf> = entries.flatten().map(|e| e.path()).filter(yaml).collect();
        files.sort();
        if files.is_empty() {
            let message = format!("the folder {shown} holds no .yaml files");
            self.out.errors.push(Diagnostic { message, ..at.clone() });
        }
        files.into_iter().map(|p| (p.clone(), p.display().to_string())).collect()
    }
}

/// `scenarios/pokemon-go/launch-50x.yaml` is `pokemon-go/launch-50x`; a file in a folder named
/// `scenarios`, or in none, is its own name.
fn scenario_name(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let folder = path.parent().and_then(Path::file_name).map(|f| f.to_string_lossy().into_owned());
    match folder {
        Some(folder) if folder != "scenarios" && folder != "." => format!("{folder}/{stem}"),
        _ => stem,
    }
}
