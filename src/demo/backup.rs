//! A copy of a workspace's folder and of its journal, as an operator makes and restores it.
//!
//! Duty: what a restored backup is: files as they were. Never: touching them while the node runs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

/// What a restored workspace gets back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Restored {
    /// The folder, and the journal beside it: nothing on this machine remembers.
    All,
    /// Only the folder; the journal lies on another disk, and was not restored.
    FolderOnly,
}

/// A copy.
#[derive(Debug)]
pub(super) struct Backup {
    folder: PathBuf,
    copy: tempfile::TempDir,
}

impl Backup {
    /// Copies what belongs to a workspace that is stopped.
    pub(super) fn of(folder: &Path) -> Result<Self> {
        let copy = tempfile::tempdir()?;
        let backup = Self { folder: folder.to_owned(), copy };
        copy_folder(folder, &backup.copy.path().join("folder"))?;
        for (at, journal) in backup.journals().iter().enumerate() {
            fs::copy(journal, backup.copy.path().join(format!("journal-{at}"))).context("a journal")?;
        }
        Ok(backup)
    }

    /// Puts it back, over a workspace that is stopped.
    pub(super) fn restore(&self, what: Restored) -> Result<()> {
        fs::remove_dir_all(&self.folder)?;
        copy_folder(&self.copy.path().join("folder"), &self.folder)?;
        if what == Restored::All {
            for (at, journal) in self.journals().iter().enumerate() {
                fs::copy(self.copy.path().join(format!("journal-{at}")), journal)?;
            }
        }
        Ok(())
    }

    /// Where a workspace and its realm have their journals unless they are told otherwise.
    fn journals(&self) -> [PathBuf; 2] {
        let journal = self.folder.with_added_extension("journal");
        let of_realm = journal.with_added_extension("realm");
        [journal, of_realm]
    }
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Whether a text stands anywhere in the files of a folder.
pub(super) fn is_found(text: &str, folder: &Path) -> Result<bool> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let found = if entry.file_type()?.is_dir() {
            is_found(text, &entry.path())?
        } else {
            let bytes = fs::read(entry.path())?;
            bytes.windows(text.len()).any(|window| window == text.as_bytes())
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}
