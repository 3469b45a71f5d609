//! Why a result could not be written: the path and the system's reason.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A result file or folder that could not be written.
#[derive(Debug)]
pub struct ReportError {
    /// The file or folder.
    pub path: PathBuf,
    /// What was tried, for the message: `write`, `create`, `replace`, ...
    pub doing: &'static str,
    /// The reason.
    pub source: io::Error,
}

impl ReportError {
    /// `doing` something to `path` failed because of `source`.
    pub fn new(doing: &'static str, path: &Path, source: io::Error) -> ReportError {
        ReportError { path: path.to_owned(), doing, source }
    }

    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<&'static str> {
        match self.source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Some("make room, or write elsewhere with --out; earlier results are untouched")
            }
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                Some("write elsewhere with --out")
            }
            io::ErrorKind::ResourceBusy => {
                Some("wait for the other run, or write elsewhere with --out")
            }
            _ => None,
        }
    }
}

impl fmt::Display for ReportError {
    /// One line: `cannot write results/x/1/pods.csv: no space left on device; make room, ...`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}: {}", self.doing, self.path.display(), self.source)?;
        match self.hint() {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ReportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}
