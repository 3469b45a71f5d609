//! What the tests of this room share: a folder of their own that is gone afterwards.

use std::path::{Path, PathBuf};

/// A fresh folder, removed when dropped.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// `name` tells apart the tests of one process.
    pub(super) fn new(name: &str) -> Scratch {
        let name = format!("stormglass-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
