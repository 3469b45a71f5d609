//! One result file: buffered, flushed and on disk before anything counts as written.
//!
//! It does not know what is in it.

use super::error::ReportError;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Bytes gathered before the system is asked to write.
const BUFFER: usize = 1 << 16;

/// A file being written.
#[derive(Debug)]
pub(super) struct Output {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Output {
    /// Creates the file `path`, which must not exist.
    pub(super) fn create(path: PathBuf) -> Result<Output, ReportError> {
        match File::create_new(&path) {
            Ok(file) => Ok(Output::from_file(path, file)),
            Err(e) => Err(ReportError::new("create", &path, e)),
        }
    }

    /// Writes to the open `file`; errors tell `path`.
    pub(super) fn from_file(path: PathBuf, file: File) -> Output {
        Output { path, file: BufWriter::with_capacity(BUFFER, file) }
    }

    /// Its path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Has everything on disk.
    pub(super) fn close(self) -> Result<(), ReportError> {
        let Output { path, file } = self;
        let synced = file.into_inner().map_err(|e| e.into_error()).and_then(|f| f.sync_all());
        synced.map_err(|e| ReportError::new("write", &path, e))
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Writes the whole file `path` with `content`.
pub(super) fn write_file(
    path: PathBuf,
    content: impl FnOnce(&mut Output) -> io::Result<()>,
) -> Result<(), ReportError> {
    let mut output = Output::create(path)?;
    if let Err(e) = content(&mut output) {
        return Err(ReportError::new("write", output.path(), e));
    }
    output.close()
}
