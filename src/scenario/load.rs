//! Loading a scenario: reading all files it names, then checking everything together.

use super::diagnostic::{Diagnostic, Diagnostics};
use super::file::ScenarioFile;
use super::manifests::Manifests;
use super::model::Scenario;
use super::overrides::Change;
use super::resolve::Resolver;
use super::strict::{decode, is_doubtful};
use super::value::parse_duration;
use super::yaml::{Node, Value, parse};
use super::{parameters, trace};
use crate::units::SimDuration;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// How errors name what the command line gave.
const UNTIL: &str = "--until";
const SET: &str = "--set";

/// What the command line changes about a scenario.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides {
    /// `--set path=value`, in order.
    pub set: Vec<String>,
    /// `--until T`: where the run stops, in place of the scenario's duration. What comes before is
    /// not changed by it.
    pub until: Option<String>,
}

/// Content of files, read once: what is loaded from it again and again is of one state of them.
#[derive(Clone, Debug, Default)]
pub struct Inputs(Arc<Mutex<BTreeMap<PathBuf, Arc<Vec<u8>>>>>);

impl Inputs {
    /// The content of a file, unpacked if it is gzipped.
    fn read(&self, path: &Path) -> std::io::Result<Arc<Vec<u8>>> {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = files.get(path) {
            return Ok(bytes.clone());
        }
        let bytes = Arc::new(trace::read_bytes(path)?);
        files.insert(path.to_path_buf(), bytes.clone());
        Ok(bytes)
    }
}

/// Reads a scenario and all files it names.
///
/// # Errors
/// Everything that is wrong with any of them.
pub fn load(path: &Path, changes: &Overrides) -> Result<Scenario, Diagnostics> {
    load_from(&Inputs::default(), path, changes)
}

/// Likewise, with files as `inputs` has them, if it has read them before.
///
/// # Errors
/// Everything that is wrong with any of them.
pub fn load_from(
    inputs: &Inputs,
    path: &Path,
    changes: &Overrides,
) -> Result<Scenario, Diagnostics> {
    let (out, hash) = (Diagnostics::default(), blake3::Hasher::new());
    let mut sources = Sources { out, hash, changes: Vec::new(), inputs: inputs.clone() };
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
    /// Overrides of objects in the manifests, each with the place of its text among all.
    changes: Vec<(usize, Change)>,
    inputs: Inputs,
}

impl Sources {
    fn load(&mut self, path: &Path, changes: &Overrides) -> Option<Scenario> {
        let name = path.display().to_string();
        let text = self.text(path, &name, None)?;
        let scenario = self.scenario(path, &name, &text, changes);
        self.place_overrides(&changes.set);
        scenario
    }

    fn scenario(
        &mut self,
        path: &Path,
        name: &str,
        text: &str,
        changes: &Overrides,
    ) -> Option<Scenario> {
        let name = name.to_string();
        let tree = self.tree(&name, text, changes)?;
        let decoded = decode::<ScenarioFile>(&tree);
        let well_formed = decoded.faults.is_empty();
        for fault in decoded.faults {
            self.out.at(&name, fault.span, fault.message, fault.hint);
        }
        let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
        // Manifests are read and meanings checked even if the form is wrong, so that all errors
        // come at once.
        let manifests = self.manifests(&name, &tree, &folder);
        let (file, left) = match decoded.value {
            Some(file) => (file, decoded.tree),
            None => without_what_is_missing(&tree)?,
        };
        let from = self.out.errors.len();
        let all_groups = left.get("nodes") == tree.get("nodes");
        let all_objects = !manifests.incomplete;
        let (end, name) = (file.duration.0, name.clone());
        let sources = &mut *self;
        let mut resolver = Resolver {
            name,
            tree: &left,
            folder,
            end,
            sources,
            all_groups,
            all_objects,
            priorities: Default::default(),
            existing: Vec::new(),
            dependencies: file.dependencies.keys().cloned().collect(),
            asked: Vec::new(),
        };
        let lines: Vec<_> =
            file.timeline.iter().map(|entry| (entry.at.instant(), entry.kubectl.clone())).collect();
        let mut scenario = resolver.resolve(file, manifests)?;
        if !well_formed {
            self.drop_doubtful(from, &tree, &left);
            return None;
        }
        if let Some(until) = &changes.until {
            self.stop_at(&mut scenario, until);
        }
        scenario.parameters = parameters::of(&scenario, lines);
        scenario.name = scenario_name(path);
        scenario.hash = self.hash.finalize().to_hex().to_string();
        Some(scenario)
    }

    /// Of the errors of meaning from number `from` on, drops those that may follow from errors of
    /// form: from what was taken out of `written`, which left `left`.
    fn drop_doubtful(&mut self, from: usize, written: &Node, left: &Node) {
        let name = self.out.files.first().map(|(name, _)| name.clone()).unwrap_or_default();
        let rest = self.out.errors.split_off(from);
        for mut error in rest {
            if error.file == name {
                if is_doubtful(written, left, &error.path) {
                    continue;
                }
                error.path = left.path_in(written, &error.path);
            }
            self.out.errors.push(error);
        }
    }

    /// Ends the scenario at `until`. One that ends early has not seen what its expectations speak
    /// of, so they are not judged.
    fn stop_at(&mut self, scenario: &mut Scenario, until: &str) {
        self.hash.update(b"--until ");
        self.hash.update(until.as_bytes());
        match parse_duration(until) {
            Ok(SimDuration::ZERO) => self.out.file(
                UNTIL,
                "must be longer than zero",
                Some("a time of the simulation, like 90s or 2h".into()),
            ),
            Ok(end) => {
                scenario.cut_short = end < scenario.duration;
                if scenario.cut_short {
                    scenario.expect.clear();
                }
                scenario.duration = end;
            }
            Err(message) => {
                let (message, hint) = message.split_once('|').unwrap_or((&message, ""));
                self.out.file(UNTIL, message, Some(hint.into()).filter(|h: &String| !h.is_empty()));
            }
        }
    }

    fn tree(&mut self, name: &str, text: &str, changes: &Overrides) -> Option<Node> {
        let mut documents = match parse(text) {
            Ok(documents) => documents,
            Err(error) => {
                self.out.at(name, error.span, error.message, None);
                return None;
            }
        };
        if documents.len() != 1 {
            let hint = "a scenario is one YAML document with `question:` and `duration:`; \
                        `stormglass init` writes one";
            let found = match documents.len() {
                0 => "the file is empty".to_string(),
                n => format!("expected one document, found {n}"),
            };
            self.out.file(name, found, Some(hint.into()));
            return None;
        }
        let mut tree = documents.remove(0);
        // What an override puts into the tree stands, as to places, behind the end of the file.
        let (end, mut offset) = (text.len() + 1, 0);
        for set in &changes.set {
            self.hash.update(set.as_bytes());
            let applied = match Change::read(set) {
                Ok(change) if change.is_of_objects() => {
                    self.changes.push((offset, change));
                    Ok(())
                }
                Ok(change) => change.apply(&mut tree, end + offset),
                Err(fault) => Err(fault),
            };
            if let Err(fault) = applied {
                self.out.misplaced(name, end + offset, fault);
            }
            offset += set.len() + 1;
        }
        Some(tree)
    }

    /// Errors about what overrides gave are shown in the overrides, a line each.
    fn place_overrides(&mut self, set: &[String]) {
        let Diagnostics { errors, files } = &mut self.out;
        for error in errors {
            let text = files.iter().find(|(name, _)| *name == error.file).map(|(_, text)| text);
            let end = text.map_or(usize::MAX, String::len);
            let Some(span) = error.span.as_mut().filter(|span| span.start > end) else { continue };
            *span = span.start - end - 1..span.end.max(span.start) - end - 1;
            error.file = SET.to_string();
        }
        files.push((SET.to_string(), set.join("\n")));
    }

    /// Reads a text file; an error is noted at `at` in the file that names it.
    pub(super) fn text(
        &mut self,
        path: &Path,
        shown: &str,
        at: Option<Diagnostic>,
    ) -> Option<String> {
        let bytes = self.bytes(path, shown, at)?;
        let (text, wrong) = match std::str::from_utf8(&bytes) {
            Ok(text) => (text.to_string(), None),
            Err(error) => (String::from_utf8_lossy(&bytes).into_owned(), Some(error.valid_up_to())),
        };
        // Some editors of Windows begin a file with a mark.
        let text = text.strip_prefix('\u{feff}').map_or(text.clone(), str::to_string);
        self.out.files.push((shown.to_string(), text.clone()));
        let Some(at) = wrong else { return Some(text) };
        let hint = Some("save it as UTF-8".to_string());
        self.out.at(shown, at..at + 1, "the file is not UTF-8 from here on", hint);
        None
    }

    /// Reads a file, unpacked if gzipped, and takes it into the hash.
    pub(super) fn bytes(
        &mut self,
        path: &Path,
        shown: &str,
        at: Option<Diagnostic>,
    ) -> Option<Arc<Vec<u8>>> {
        match self.inputs.read(path) {
            Ok(bytes) => {
                self.hash.update(&(bytes.len() as u64).to_le_bytes());
                self.hash.update(&bytes);
                Some(bytes)
            }
            Err(error) => {
                let message = format!("can't read {shown}: {error}");
                match at {
                    Some(place) => {
                        let hint = Some("paths are relative to the scenario's folder".to_string());
                        self.out.errors.push(Diagnostic { message, hint, ..place });
                    }
                    None => self.out.file(shown, message, None),
                }
                None
            }
        }
    }

    /// Reads all manifests that the tree names.
    fn manifests(&mut self, name: &str, tree: &Node, folder: &Path) -> Manifests {
        let changes = std::mem::take(&mut self.changes);
        let mut found = Manifests::default();
        found.changes = changes;
        let listed = tree.get("manifests").map(|node| node.value.clone());
        let items = match listed {
            Some(Value::List(items)) => items,
            _ => Vec::new(),
        };
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
                match self.text(&path, &shown, Some(at.clone())) {
                    Some(text) => found.read(&shown, &text, &mut self.out),
                    None => found.incomplete = true,
                }
            }
        }
        found.judge_changes(name, &mut self.out);
        found
    }

    /// A file, or the YAML files of a folder in order of their names.
    pub(super) fn expand(
        &mut self,
        folder: &Path,
        entry: &str,
        at: &Diagnostic,
    ) -> Vec<(PathBuf, String)> {
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

/// A scenario that lacks what each has to have, with something in its place: to look at the rest.
fn without_what_is_missing(written: &Node) -> Option<(ScenarioFile, Node)> {
    let mut tree = written.clone();
    tree.set_default("question", Value::Text("?".to_string()));
    tree.set_default("duration", Value::Text("100000h".to_string()));
    tree.set_default("nodes", Value::List(Vec::new()));
    let decoded = decode::<ScenarioFile>(&tree);
    Some((decoded.value?, decoded.tree))
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
