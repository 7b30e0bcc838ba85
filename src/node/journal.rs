//! The journal outside the data directory (spec 12.6): a small file of what no follower may have seen.
//!
//! Duty: appending before the store commits, and saying at the start how the two compare. Each record is a 4-byte length,
//! CBOR, and the hash over all records up to it. Never: content, a record that is not on disk when the commit begins.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    crypto::sha256,
    ids::{Hash, WorkspaceId},
    limits,
    protocol::journal::Record,
    wire::cbor,
};

/// First bytes of the file: what it is, and its version.
const MAGIC: &[u8] = b"comity-journal/1\n";

/// Where a journal stands: records so far, and the hash over them.
pub type Position = (u64, Hash);

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file system.
    #[error("{0}: {1}")]
    Io(PathBuf, #[source] std::io::Error),
    /// Something else than a journal of this workspace lies there.
    #[error(
        "{0} is no journal of this workspace: name another file as `journal` in comity.toml, or remove it"
    )]
    Foreign(PathBuf),
}

/// How the journal compares with the store at a start.
#[derive(Debug)]
pub enum Found {
    /// It goes as far as the store, or further: these records the store lacks.
    Ahead(Vec<Record>),
    /// It is missing, or was restored from before the store: an admin has to confirm.
    Behind,
}

/// The beginning of a file: whose journal, and where it goes on from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Base {
    workspace: WorkspaceId,
    position: Position,
}

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    /// Where it belongs.
    path: PathBuf,
    /// Where it is: elsewhere until an admin has confirmed.
    place: PathBuf,
    /// The first position of the file.
    base: u64,
    file: File,
    position: Position,
}

impl Journal {
    /// Opens the file, or makes it if the store never had one, and compares it with where the store stands.
    ///
    /// # Errors
    /// The file cannot be read or made, or belongs to somebody else.
    pub fn open(path: &Path, workspace: WorkspaceId, store: Position) -> Result<(Self, Found), JournalError> {
        if !path.exists() && store.0 == 0 {
            return Ok((Self::create(path, path, workspace, store)?, Found::Ahead(Vec::new())));
        }
        if !path.exists() {
            return Ok((Self::beside(path, workspace, store)?, Found::Behind));
        }
        let io = |error| JournalError::Io(path.to_owned(), error);
        let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(io)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io)?;
        let (base, mut rest) = header(&bytes)
            .filter(|(base, _)| base.workspace == workspace)
            .ok_or_else(|| JournalError::Foreign(path.to_owned()))?;
        let (mut position, mut records, mut behind) = (base.position, Vec::new(), true);
        behind &= position != store;
        while let Some((record, hash, after)) = next(position.1, rest) {
            (position, rest) = ((position.0 + 1, hash), after);
            if !behind {
                records.push(record);
            }
            behind &= position != store;
        }
        // A record that a crash cut short was never acknowledged, and goes.
        let whole = bytes.len() - rest.len();
        file.set_len(u64::try_from(whole).unwrap_or(u64::MAX)).map_err(io)?;
        file.seek(SeekFrom::End(0)).map_err(io)?;
        if behind {
            return Ok((Self::beside(path, workspace, store)?, Found::Behind));
        }
        let (path, place, base) = (path.to_owned(), path.to_owned(), base.position.0);
        Ok((Self { path, place, base, file, position }, Found::Ahead(records)))
    }

    fn create(
        path: &Path,
        place: &Path,
        workspace: WorkspaceId,
        position: Position,
    ) -> Result<Self, JournalError> {
        let io = |error| JournalError::Io(place.to_owned(), error);
        let mut file =
            OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(place).map_err(io)?;
        let begin = frame(&cbor::encode(&Base { workspace, position }));
        file.write_all(&[MAGIC, &begin].concat()).and_then(|()| file.sync_all()).map_err(io)?;
        Ok(Self { path: path.to_owned(), place: place.to_owned(), base: position.0, file, position })
    }

    /// Goes on in a file beside until an admin confirms: were it in its place, the next start would find nothing wrong.
    fn beside(path: &Path, workspace: WorkspaceId, store: Position) -> Result<Self, JournalError> {
        let place = path.with_added_extension("unconfirmed");
        match std::fs::remove_file(&place) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(JournalError::Io(place, error));
            }
            _ => {}
        }
        Self::create(path, &place, workspace, store)
    }

    /// An admin has confirmed: it takes its place. An older one is kept: it may hold what somebody wants to see.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn confirm(&mut self) -> Result<(), JournalError> {
        if self.place == self.path {
            return Ok(());
        }
        if self.path.exists() {
            let old = self.path.with_added_extension(format!("before-{}", self.base));
            std::fs::rename(&self.path, &old).map_err(|error| JournalError::Io(old, error))?;
        }
        let moved = std::fs::rename(&self.place, &self.path);
        moved.map_err(|error| JournalError::Io(self.path.clone(), error))?;
        self.place.clone_from(&self.path);
        Ok(())
    }

    /// Where it stands.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// Adds records, and returns when they are on disk.
    ///
    /// # Errors
    /// The file system refuses: the commit must not begin.
    pub fn append(&mut self, records: &[Record]) -> Result<Position, JournalError> {
        let mut bytes = Vec::new();
        let mut position = self.position;
        for record in records {
            let encoded = cbor::encode(record);
            position = (position.0 + 1, over(position.1, &encoded));
            bytes.extend(frame(&encoded));
            bytes.extend(position.1.0);
        }
        let written = self.file.write_all(&bytes).and_then(|()| self.file.sync_data());
        written.map_err(|error| JournalError::Io(self.place.clone(), error))?;
        self.position = position;
        Ok(position)
    }
}

fn over(before: Hash, record: &[u8]) -> Hash {
    sha256(&[b"comity/1 journal", &before.0, record])
}

fn frame(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
    [length.as_slice(), bytes].concat()
}

fn framed(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    rest.split_at_checked(length).filter(|_| length <= limits::JOURNAL_RECORD_BYTES)
}

fn header(bytes: &[u8]) -> Option<(Base, &[u8])> {
    let (base, rest) = framed(bytes.strip_prefix(MAGIC)?)?;
    Some((ciborium::from_reader(base).ok()?, rest))
}

/// The next record, if it is whole and continues the hash.
fn next(before: Hash, bytes: &[u8]) -> Option<(Record, Hash, &[u8])> {
    let (record, rest) = framed(bytes)?;
    let (hash, rest) = rest.split_first_chunk::<32>()?;
    let hash = Hash(*hash);
    let record_hash = over(before, record);
    if record_hash != hash {
        return None;
    }
    Some((ciborium::from_reader(record).ok()?, hash, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Blob;

    const ME: WorkspaceId = WorkspaceId([1; 32]);

    fn record(n: u8) -> Record {
        Record::Event(Blob::from(vec![n; 100]))
    }

    fn ahead(found: Found) -> Vec<Record> {
        match found {
            Found::Ahead(records) => records,
            Found::Behind => panic!("behind"),
        }
    }

    #[test]
    fn what_the_store_lacks_is_found_again_and_a_torn_end_is_cut() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let (mut journal, found) = Journal::open(&path, ME, (0, Hash::ZERO)).unwrap();
        assert!(ahead(found).is_empty());
        let first = journal.append(&[record(1)]).unwrap();
        let second = journal.append(&[record(2), record(3)]).unwrap();
        drop(journal);
        let whole = std::fs::read(&path).unwrap();
        for cut in [0, 1, 20] {
            std::fs::write(&path, &whole[..whole.len() - cut]).unwrap();
            let (journal, found) = Journal::open(&path, ME, first).unwrap();
            let expected = if cut == 0 { vec![record(2), record(3)] } else { vec![record(2)] };
            assert_eq!(ahead(found), expected, "cut by {cut}");
            assert_eq!(journal.position() == second, cut == 0);
        }
    }

    #[test]
    fn a_missing_an_older_and_a_foreign_journal_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let (mut journal, _) = Journal::open(&path, ME, (0, Hash::ZERO)).unwrap();
        journal.append(&[record(1)]).unwrap();
        let old = std::fs::read(&path).unwrap();
        let later = journal.append(&[record(2)]).unwrap();
        drop(journal);
        assert!(matches!(Journal::open(&path, WorkspaceId([2; 32]), later), Err(JournalError::Foreign(_))));
        std::fs::write(&path, &old).unwrap();
        let (journal, found) = Journal::open(&path, ME, later).unwrap();
        assert!(matches!(found, Found::Behind), "restored from before the store");
        assert_eq!(journal.position(), later, "it goes on from where the store stands");
        drop(journal);
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(Journal::open(&path, ME, later).unwrap().1, Found::Behind), "missing");
    }

    #[test]
    fn starting_again_confirms_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let (mut journal, _) = Journal::open(&path, ME, (0, Hash::ZERO)).unwrap();
        let mut store = journal.append(&[record(1)]).unwrap();
        std::fs::remove_file(&path).unwrap();
        for n in 2..4 {
            let (mut journal, found) = Journal::open(&path, ME, store).unwrap();
            assert!(matches!(found, Found::Behind), "start {n} without a confirmation");
            store = journal.append(&[record(n)]).unwrap();
        }
        let (mut journal, _) = Journal::open(&path, ME, store).unwrap();
        let later = journal.append(&[record(4)]).unwrap();
        journal.confirm().unwrap();
        assert_eq!(journal.append(&[record(5)]).unwrap().0, later.0 + 1, "it goes on in its place");
        drop(journal);
        assert_eq!(ahead(Journal::open(&path, ME, later).unwrap().1), [record(5)]);
    }
}
