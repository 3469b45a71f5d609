//! The folder that results are written to before they are whole, and the swap that publishes them.
//!
//! A run writes to the hidden sibling `.<seed>.partial` and renames it over `<seed>` when every
//! file is on disk. So a reader sees the earlier results or the new ones, never a mixture, and a
//! killed run leaves nothing that looks complete. `.<seed>.lock` keeps two runs from sharing the
//! partial folder; the system drops the lock of a killed process, and the next run of the
//! scenario removes what it left. This file does not know what the results are.

use super::error::ReportError;
use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Component, Path, PathBuf};

/// Name of the file that marks a folder as results and lists what belongs to it.
pub(super) const MANIFEST: &str = "manifest.json";

/// A folder being written. Dropping it without [`publish`](Staging::publish) removes it.
#[derive(Debug)]
pub(super) struct Staging {
    /// Where the results will be.
    target: PathBuf,
    /// Where they are written.
    partial: PathBuf,
    lock_path: PathBuf,
    /// Held as long as this lives.
    _lock: Lock,
    published: bool,
}

impl Staging {
    /// Prepares to write `base/scenario/name`; `name` is a seed, or that of a plan.
    ///
    /// Fails early, before any simulation: when the folder can't be written, another run writes
    /// to it, or it holds files that no run has written (they would be lost).
    pub(super) fn create(base: &Path, scenario: &str, name: &str) -> Result<Staging, ReportError> {
        let parent = base.join(scenario_path(scenario)?);
        fs::create_dir_all(&parent).map_err(|e| ReportError::new("create", &parent, e))?;
        let target = parent.join(name);
        let lock = match acquire(&parent, name)? {
            Lock::Taken => return Err(busy(&target)),
            lock => lock,
        };
        let partial = partial_path(&parent, name);
        let lock_path = lock_path(&parent, name);
        let staging = Staging { target, partial, lock_path, _lock: lock, published: false };
        staging.restore()?;
        refuse_foreign_files(&staging.target)?;
        remove_leftovers(&parent, name);
        fresh_folder(&staging.partial)?;
        Ok(staging)
    }

    /// Where the results will be.
    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    /// Where to write now.
    pub(super) fn partial(&self) -> &Path {
        &self.partial
    }

    /// Puts the written folder in the place of the earlier one.
    pub(super) fn publish(mut self) -> Result<PathBuf, ReportError> {
        let replace = |e| ReportError::new("replace", &self.target, e);
        sync_folder(&self.partial)?;
        let old = old_path(&self.target);
        match fs::rename(&self.target, &old) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(replace(e)),
        }
        // Killed here, the next run of this seed finds the old folder and puts it back.
        if let Err(e) = fs::rename(&self.partial, &self.target) {
            // The earlier results matter more than a second error.
            let _ = fs::rename(&old, &self.target);
            return Err(replace(e));
        }
        self.published = true;
        if let Some(parent) = self.target.parent() {
            sync_folder(parent)?;
        }
        // The new results are in place; what can't be removed now is removed by the next run.
        let _ = fs::remove_dir_all(&old);
        Ok(self.target.clone())
    }

    /// Undoes a publication that was killed between its two renames.
    fn restore(&self) -> Result<(), ReportError> {
        let old = old_path(&self.target);
        if !old.exists() {
            return Ok(());
        }
        let undone = if self.target.exists() {
            fs::remove_dir_all(&old)
        } else {
            fs::rename(&old, &self.target)
        };
        undone.map_err(|e| ReportError::new("clean", &old, e))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.published {
            let _ = fs::remove_dir_all(&self.partial);
        }
        // Removed while still locked: whoever waits for it notices and opens a new one.
        let _ = fs::remove_file(&self.lock_path);
    }
}

/// The folder of a scenario name; refuses names that would leave the results folder.
pub(super) fn scenario_path(scenario: &str) -> Result<&Path, ReportError> {
    let path = Path::new(scenario);
    let mut parts = path.components();
    let hidden = |c: &Component<'_>| match c {
        Component::Normal(name) => name.to_string_lossy().starts_with('.'),
        _ => true,
    };
    if scenario.is_empty() || parts.any(|c| hidden(&c)) {
        let reason = io::Error::new(
            io::ErrorKind::InvalidInput,
            "the name of a scenario is a relative path without `.` or `..`",
        );
        return Err(ReportError::new("write results of", path, reason));
    }
    Ok(path)
}

fn partial_path(parent: &Path, name: &str) -> PathBuf {
    parent.join(format!(".{name}.partial"))
}

fn lock_path(parent: &Path, name: &str) -> PathBuf {
    parent.join(format!(".{name}.lock"))
}

fn old_path(target: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(target.file_name().unwrap_or_default());
    name.push(".old");
    target.with_file_name(name)
}

fn busy(target: &Path) -> ReportError {
    let reason = io::Error::new(io::ErrorKind::ResourceBusy, "another run is writing there");
    ReportError::new("write", target, reason)
}

/// The lock of a partial folder.
#[derive(Debug)]
enum Lock {
    /// We have it, until the file is closed.
    Held(#[allow(dead_code, reason = "open is what it is for")] File),
    /// Another process has it.
    Taken,
    /// The file system knows no locks: the user must take care.
    Unsupported,
}

/// Tries to take the lock of `name`.
fn acquire(parent: &Path, name: &str) -> Result<Lock, ReportError> {
    let path = lock_path(parent, name);
    let failed = |e| ReportError::new("write to", parent, e);
    // Its last holder may remove the file between our opening and locking it: then try anew.
    for _ in 0..100 {
        let file = File::options().create(true).append(true).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) if is_at(&file, &path) => return Ok(Lock::Held(file)),
            Ok(()) => continue,
            Err(TryLockError::WouldBlock) => return Ok(Lock::Taken),
            Err(TryLockError::Error(e)) if e.kind() == io::ErrorKind::Unsupported => {
                return Ok(Lock::Unsupported);
            }
            Err(TryLockError::Error(e)) => return Err(failed(e)),
        }
    }
    Ok(Lock::Taken)
}

/// Whether `path` still names the open `file`.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), fs::metadata(path)) {
        (Ok(ours), Ok(there)) => ours.ino() == there.ino() && ours.dev() == there.dev(),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_at(_file: &File, path: &Path) -> bool {
    path.exists()
}

/// Removes what killed runs and plans of other names left; one in progress holds its lock and is
/// spared.
///
/// It is housekeeping: what can't be removed is left, and harms nothing.
fn remove_leftovers(parent: &Path, own: &str) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let file = entry.file_name();
        let Some(name) = file.to_str().and_then(name_of_partial).filter(|name| *name != own) else {
            continue;
        };
        if let Ok(_lock @ Lock::Held(_)) = acquire(parent, name) {
            let _ = fs::remove_dir_all(entry.path());
            let _ = fs::remove_file(lock_path(parent, name));
        }
    }
}

/// The name of a partial folder of ours: a seed, or a plan's.
fn name_of_partial(file: &str) -> Option<&str> {
    let name = file.strip_prefix('.')?.strip_suffix(".partial")?;
    (name.parse::<u64>().is_ok() || name.starts_with("plan-")).then_some(name)
}

/// Makes sure that replacing `target` loses nothing but results.
fn refuse_foreign_files(target: &Path) -> Result<(), ReportError> {
    let entries = match fs::read_dir(target) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(ReportError::new("replace", target, e)),
    };
    let ours = listed_files(target);
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let in_folder = format!("{name}/");
        if !ours.iter().any(|file| *file == name || file.starts_with(&in_folder)) {
            let reason = format!("it holds `{name}`, which no run has written: move it away first");
            let reason = io::Error::new(io::ErrorKind::AlreadyExists, reason);
            return Err(ReportError::new("replace", target, reason));
        }
    }
    Ok(())
}

/// The files that the manifest in `folder` lists; none when there is no manifest.
fn listed_files(folder: &Path) -> Vec<String> {
    #[derive(serde::Deserialize)]
    struct Listed {
        files: Vec<String>,
    }
    let text = fs::read(folder.join(MANIFEST)).unwrap_or_default();
    serde_json::from_slice::<Listed>(&text).map(|m| m.files).unwrap_or_default()
}

fn fresh_folder(path: &Path) -> Result<(), ReportError> {
    match fs::remove_dir_all(path) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(ReportError::new("clean", path, e)),
    }
    fs::create_dir(path).map_err(|e| ReportError::new("create", path, e))
}

/// Has the names in `folder` on disk, where the system can do that for folders.
fn sync_folder(folder: &Path) -> Result<(), ReportError> {
    if cfg!(unix) {
        let synced = File::open(folder).and_then(|f| f.sync_all());
        synced.map_err(|e| ReportError::new("write", folder, e))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::Scratch;

    fn write(staging: &Staging, name: &str, text: &str) {
        fs::write(staging.partial().join(name), text).unwrap();
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Publishes a folder of `files` for seed 1.
    fn publish(base: &Path, files: &[&str]) {
        let staging = Staging::create(base, "a/b", "1").unwrap();
        for file in files {
            write(&staging, file, "x");
        }
        let mut all = files.to_vec();
        all.push(MANIFEST);
        write(&staging, MANIFEST, &serde_json::json!({ "files": all }).to_string());
        staging.publish().unwrap();
    }

    #[test]
    fn nothing_is_seen_before_it_is_whole_and_nothing_stale_after() {
        let scratch = Scratch::new("staging-whole");
        let target = scratch.path().join("a/b/1");
        publish(scratch.path(), &["old.csv"]);
        let staging = Staging::create(scratch.path(), "a/b", "1").unwrap();
        write(&staging, "new.csv", "x");
        assert_eq!(names(&target), [MANIFEST, "old.csv"], "still the earlier results");
        staging.publish().unwrap();
        assert_eq!(names(&target), ["new.csv"], "nothing of the earlier run is left");
        assert_eq!(names(&scratch.path().join("a/b")), ["1"], "no hidden folder is left");
    }

    #[test]
    fn a_run_that_fails_leaves_the_earlier_results() {
        let scratch = Scratch::new("staging-fails");
        publish(scratch.path(), &["old.csv"]);
        let staging = Staging::create(scratch.path(), "a/b", "1").unwrap();
        write(&staging, "new.csv", "half of");
        drop(staging);
        assert_eq!(names(&scratch.path().join("a/b/1")), [MANIFEST, "old.csv"]);
        assert_eq!(names(&scratch.path().join("a/b")), ["1"]);
    }

    #[test]
    fn what_killed_runs_left_is_cleaned() {
        let scratch = Scratch::new("staging-killed");
        let parent = scratch.path().join("a/b");
        publish(scratch.path(), &["old.csv"]);
        for hidden in [".1.partial", ".2.partial", ".1.old"] {
            fs::create_dir_all(parent.join(hidden)).unwrap();
            fs::write(parent.join(hidden).join("half.csv"), "x").unwrap();
        }
        fs::write(parent.join(".2.lock"), "").unwrap();
        publish(scratch.path(), &["new.csv"]);
        assert_eq!(names(&parent), ["1"]);
        assert_eq!(names(&parent.join("1")), [MANIFEST, "new.csv"]);
    }

    #[test]
    fn a_publication_killed_between_its_renames_is_undone() {
        let scratch = Scratch::new("staging-between");
        publish(scratch.path(), &["old.csv"]);
        let target = scratch.path().join("a/b/1");
        fs::rename(&target, old_path(&target)).unwrap();
        drop(Staging::create(scratch.path(), "a/b", "1").unwrap());
        assert_eq!(names(&target), [MANIFEST, "old.csv"]);
    }

    #[test]
    fn two_runs_do_not_share_a_folder_but_seeds_run_side_by_side() {
        let scratch = Scratch::new("staging-two");
        let first = Staging::create(scratch.path(), "a/b", "1").unwrap();
        let error = Staging::create(scratch.path(), "a/b", "1").unwrap_err();
        assert!(error.to_string().contains("another run is writing there; wait"), "{error}");
        let other = Staging::create(scratch.path(), "a/b", "2").unwrap();
        assert!(first.partial().exists(), "a run in progress is no leftover");
        drop(first);
        drop(Staging::create(scratch.path(), "a/b", "1").unwrap());
        assert!(other.partial().exists());
    }

    #[test]
    fn foreign_files_are_not_deleted() {
        let scratch = Scratch::new("staging-foreign");
        publish(scratch.path(), &["old.csv"]);
        fs::write(scratch.path().join("a/b/1/thesis.ipynb"), "years of work").unwrap();
        let error = Staging::create(scratch.path(), "a/b", "1").unwrap_err().to_string();
        assert!(error.contains("it holds `thesis.ipynb`, which no run has written"), "{error}");
        assert!(scratch.path().join("a/b/1/thesis.ipynb").exists());
    }

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        let scratch = Scratch::new("staging-names");
        for name in ["", "..", "a/../../b", "/etc", ".hidden", "a/.git"] {
            let error = Staging::create(scratch.path(), name, "1").unwrap_err();
            assert_eq!(error.source.kind(), io::ErrorKind::InvalidInput, "{name}");
        }
    }

    #[test]
    fn a_place_that_is_no_folder_is_a_clear_error() {
        let scratch = Scratch::new("staging-file");
        let file = scratch.path().join("taken");
        fs::write(&file, "").unwrap();
        let error = Staging::create(&file, "a", "1").unwrap_err().to_string();
        assert!(error.starts_with("cannot create ") && error.contains("taken/a: "), "{error}");
    }
}
