//! The durable store: one redb file, one writer, everything of a commit in one transaction.
//!
//! Duty: `commit` a list of changes, and the reads that the core asks for (spec 5.3, 9.4). Never: deciding, or a
//! change that is visible before it is on disk.

mod chain;
mod migrate;
mod reader;
mod shred;
mod tables;
mod words;

use std::{collections::BTreeMap, path::Path};

use redb::{Database, Durability, ReadableDatabase as _, ReadableTable as _, WriteTransaction};

pub use chain::{AuditPage, Tip};
pub use reader::Reader;
use shred::Keys;
use tables::{
    AUDIT, BASES, CONTENT, EVENTS, FEEDS, JOURNAL, KEYS, MESSAGES, META, REFS, SCHEMA, STATE, SUBMITTED,
    content_key, event_key, feed_key, ref_key, scope_key,
};
use words::Index;

use crate::{
    ids::ThreadId,
    limits,
    protocol::{Change, Mark, State, change::joined, row::Row},
    wire::{Body, Stored, cbor, objects::EntryKind},
};

/// The version of the stored form (5: rows of former members). A newer file is refused; an older one is migrated, table by table, at opening.
const VERSION: u64 = 5;
/// The journal is shortened once in so many commits.
const JOURNAL_TRIM: u64 = 1024;
/// Pages that redb keeps in memory, in bytes.
const CACHE_BYTES: usize = 16 * 1024 * 1024;

/// Our own failure: the disk, the file, or a bug. Goes to the log, never to a peer.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The database failed.
    #[error("the store failed: {0}")]
    Database(#[from] redb::Error),
    /// The file was written by a later version.
    #[error(
        "the store has schema version {found}, this program knows {VERSION}: install the newer version again"
    )]
    Newer {
        /// The version in the file.
        found: u64,
    },
    /// The journal outside the data directory cannot be written: nothing may be committed that belongs there.
    #[error("the journal failed: {0}")]
    Journal(String),
    /// Stored bytes are not what this version wrote.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// The operating system has no random bytes for a key.
    #[error("no random bytes: {0}")]
    Random(String),
}

macro_rules! from_redb {
    ($($error:ident),+) => { $(impl From<redb::$error> for Fault {
        fn from(error: redb::$error) -> Self {
            Self::Database(error.into())
        }
    })+ };
}
from_redb!(DatabaseError, TransactionError, TableError, StorageError, CommitError, SetDurabilityError);

/// Proof that a list of changes is on disk; made by [`Store::commit`] alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    position: u64,
}

impl Committed {
    /// The number of the commit, from 1.
    #[must_use]
    pub fn position(self) -> u64 {
        self.position
    }
}

/// The one writer.
#[derive(Debug)]
pub struct Store {
    database: Database,
    position: u64,
    audited: Tip,
}

impl Store {
    /// Opens or creates the file, and loads the state.
    ///
    /// # Errors
    /// The file is of a later version, in use, unreadable or damaged.
    pub fn open(path: &Path) -> Result<(Self, State), Fault> {
        Self::with(Database::builder().set_cache_size(CACHE_BYTES).create(path)?)
    }

    /// On a database that is open already: crash tests bring a backend of their own.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn with(database: Database) -> Result<(Self, State), Fault> {
        let write = begin(&database)?;
        tables::create(&write)?;
        check_version(&write)?;
        write.commit()?;
        let read = database.begin_read()?;
        let (mut state, keys) = (State::default(), read.open_table(KEYS)?);
        for row in read.open_table(STATE)?.iter()? {
            let (_, value) = row?;
            let (kind, bytes) =
                value.value().split_first().ok_or_else(|| Fault::Damaged("an empty row".into()))?;
            let row = Row::from_bytes(*kind, bytes).map_err(Fault::Damaged)?;
            match shred::open_row(row, |thread| shred::read(&keys, thread)) {
                Ok(row) => state.put(row),
                Err(error) => tracing::error!(%error, "a waiting message is left out"),
            }
        }
        let position = read.open_table(JOURNAL)?.last()?.map_or(0, |(key, _)| key.value());
        let audited = chain::tip(&read.open_table(AUDIT)?)?;
        drop(read);
        Ok((Self { database, position, audited }, state))
    }

    /// The number of the last commit, 0 before the first.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// A consistent view of everything committed so far.
    ///
    /// # Errors
    /// The database failed.
    pub fn reader(&self) -> Result<Reader, Fault> {
        Reader::new(&self.database.begin_read()?)
    }

    /// Writes all of it or nothing, and returns when it is on disk.
    ///
    /// # Errors
    /// The database failed: nothing of it may be shown, the node stops.
    pub fn commit(&mut self, changes: &[Change]) -> Result<Committed, Fault> {
        let write = begin(&self.database)?;
        let (mut audited, mut keys, mut index) = (self.audited, Keys::new(&write), Index::new(&write));
        for change in changes {
            write_growing(&write, change, &mut audited, (&mut keys, &mut index))?;
        }
        index.write()?;
        write_state(&write, changes, &mut keys)?;
        let position = self.position + 1;
        let mut journal = write.open_table(JOURNAL)?;
        journal.insert(position, cbor::encode(&marks(changes)).as_slice())?;
        if position.is_multiple_of(JOURNAL_TRIM) {
            journal.retain_in(..position.saturating_sub(limits::JOURNAL_COMMITS), |_, _| false)?;
        }
        drop(journal);
        write.commit()?;
        (self.position, self.audited) = (position, audited);
        Ok(Committed { position })
    }
}

fn begin(database: &Database) -> Result<WriteTransaction, Fault> {
    let mut write = database.begin_write()?;
    write.set_durability(Durability::Immediate)?;
    write.set_two_phase_commit(true);
    write.set_quick_repair(true);
    Ok(write)
}

/// A file of an older version is migrated in the same transaction.
fn check_version(write: &WriteTransaction) -> Result<(), Fault> {
    let found = write.open_table(META)?.get(SCHEMA)?.map(|version| version.value());
    match found {
        Some(VERSION) => return Ok(()),
        Some(found) if found > VERSION => return Err(Fault::Newer { found }),
        Some(found) => migrate::from(write, found)?,
        None => {}
    }
    write.open_table(META)?.insert(SCHEMA, VERSION)?;
    Ok(())
}

/// Rows of state: of several changes of one key only the last is written. Members come after their scope, as the
/// order of kinds in the keys has it. After what grows: a key that goes with a purge is not one for rows that stay.
fn write_state(write: &WriteTransaction, changes: &[Change], keys: &mut Keys<'_>) -> Result<(), Fault> {
    let mut last: BTreeMap<Vec<u8>, Option<&Row>> = BTreeMap::new();
    for change in changes {
        match change {
            Change::Put(row) => drop(last.insert(row.key().to_bytes(), Some(row))),
            Change::Delete(key) => drop(last.insert(key.to_bytes(), None)),
            _ => {}
        }
    }
    let mut table = write.open_table(STATE)?;
    for (key, row) in last {
        if let Some(row) = row {
            let mut value = vec![row.kind()];
            value.extend(keys.row(row)?);
            table.insert(key.as_slice(), value.as_slice())?;
        } else {
            table.remove(key.as_slice())?;
        }
    }
    Ok(())
}

fn write_growing(
    write: &WriteTransaction,
    change: &Change,
    audited: &mut Tip,
    (keys, index): (&mut Keys<'_>, &mut Index<'_>),
) -> Result<(), Fault> {
    match change {
        Change::Content(stored) => {
            index.add(stored, keys)?;
            write_content(write, stored, keys)
        }
        Change::Redact(thread, seq) => redact(write, *thread, *seq, (keys, index)),
        Change::Purge(thread) => {
            purge(write, *thread, 0)?;
            index.purge(*thread)?;
            keys.delete(*thread)
        }
        Change::Base(scope, bytes) => {
            write.open_table(BASES)?.insert(scope_key(*scope).as_slice(), &**bytes)?;
            Ok(())
        }
        Change::Truncate(thread, above) => {
            index.truncate(*thread, *above)?;
            purge(write, *thread, above.saturating_add(1))
        }
        Change::Event { scope, incarnation, epoch, bytes, .. } => {
            write.open_table(EVENTS)?.insert(event_key(*scope, *incarnation, *epoch).as_slice(), &**bytes)?;
            Ok(())
        }
        Change::Feed { peer, number, item } => {
            write.open_table(FEEDS)?.insert(feed_key(*peer, *number).as_slice(), &**item)?;
            Ok(())
        }
        Change::FeedTrim { peer, number } => {
            let range = feed_key(*peer, 0)..=feed_key(*peer, *number);
            let (from, to) = (range.start().as_slice(), range.end().as_slice());
            write.open_table(FEEDS)?.retain_in(from..=to, |_, _| false)?;
            Ok(())
        }
        Change::Audit(line) => {
            *audited = chain::append(write, *audited, line)?;
            Ok(())
        }
        Change::Put(_) | Change::Delete(_) | Change::Mark(_) | Change::Promise(_) => Ok(()),
    }
}

fn write_content(write: &WriteTransaction, stored: &Stored, keys: &mut Keys<'_>) -> Result<(), Fault> {
    let entry = &stored.entry;
    let key = content_key(entry.thread, entry.seq);
    write.open_table(CONTENT)?.insert(key.as_slice(), keys.entry(stored)?.as_slice())?;
    let submission = [entry.author.home().as_ref(), entry.submission.as_ref()].concat();
    write.open_table(SUBMITTED)?.insert(submission.as_slice(), key.as_slice())?;
    if is_message(stored) {
        write.open_table(MESSAGES)?.insert(key.as_slice(), entry.author.as_ref())?;
    }
    if let Some(target) = target(stored) {
        write.open_table(REFS)?.insert(ref_key(entry.thread, target, entry.seq).as_slice(), ())?;
    }
    Ok(())
}

/// Whether it is a message that was not deleted.
fn is_message(stored: &Stored) -> bool {
    stored.entry.kind == EntryKind::Message && stored.body.is_some()
}

/// The message that an edit, deletion or reaction is about.
fn target(stored: &Stored) -> Option<u64> {
    let about = stored.entry.kind != EntryKind::Message;
    let sealed = stored.body.as_ref().filter(|_| about)?;
    Body::parse(&sealed.body).ok()?.target
}

fn redact(
    write: &WriteTransaction,
    thread: ThreadId,
    seq: u64,
    (keys, index): (&mut Keys<'_>, &mut Index<'_>),
) -> Result<(), Fault> {
    let key = content_key(thread, seq);
    write.open_table(MESSAGES)?.remove(key.as_slice())?;
    let mut table = write.open_table(CONTENT)?;
    let held = table.get(key.as_slice())?.map(|value| value.value().to_vec());
    if let Some(held) = held {
        match keys.open(&held) {
            Ok(stored) => index.remove(&stored, keys)?,
            Err(error) => tracing::error!(%error, "words of a deleted message stay in the index"),
        }
        let (entry, _) = shred::parse(&held)?;
        table.insert(key.as_slice(), cbor::encode(&(entry, None::<()>)).as_slice())?;
    }
    Ok(())
}

/// Deletes entries from this one on, with what leads to them.
fn purge(write: &WriteTransaction, thread: ThreadId, from: u64) -> Result<(), Fault> {
    let first = from;
    let (from, to) = (content_key(thread, first), content_key(thread, u64::MAX));
    let mut submitted = write.open_table(SUBMITTED)?;
    let mut content = write.open_table(CONTENT)?;
    for row in content.range(from.as_slice()..=to.as_slice())? {
        let (entry, _) = shred::parse(row?.1.value())?;
        let submission = [entry.author.home().as_ref(), entry.submission.as_ref()].concat();
        submitted.remove(submission.as_slice())?;
    }
    content.retain_in(from.as_slice()..=to.as_slice(), |_, _| false)?;
    write.open_table(MESSAGES)?.retain_in(from.as_slice()..=to.as_slice(), |_, _| false)?;
    let (from, to) = (ref_key(thread, 0, 0), ref_key(thread, u64::MAX, u64::MAX));
    let later = |key: &[u8]| key.last_chunk::<8>().map(|seq| u64::from_be_bytes(*seq)) >= Some(first);
    write.open_table(REFS)?.retain_in(from.as_slice()..=to.as_slice(), |key, ()| !later(key))?;
    Ok(())
}

/// The journal's line.
fn marks(changes: &[Change]) -> Vec<Mark> {
    joined(changes.iter().filter_map(|change| match change {
        Change::Mark(mark) => Some(mark.clone()),
        _ => None,
    }))
}

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod tests;
