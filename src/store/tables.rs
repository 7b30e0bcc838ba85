//! The tables and their keys. Only bytes that we encode are stored, so that the database's own encodings may change.

use redb::{TableDefinition, TableError, WriteTransaction};

use crate::ids::{ScopeId, ThreadId, WorkspaceId};

/// Numbers about the file itself.
pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
/// The key of the schema version in [`META`].
pub(super) const SCHEMA: &str = "schema";
/// Row key -> kind, row.
pub(super) const STATE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("state");
/// Thread, seq -> entry, body under the thread's key.
pub(super) const CONTENT: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("content");
/// Thread -> key of its bodies.
pub(super) const KEYS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("keys");
/// Thread, seq of a message that was not deleted -> author.
pub(super) const MESSAGES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("messages");
/// Half of a thread's id, mark of a word, seq / 128 -> which of the 128 messages have the word.
pub(super) const WORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("words");
/// Thread, target, seq: the entries about a message.
pub(super) const REFS: TableDefinition<'_, &[u8], ()> = TableDefinition::new("refs");
/// Home, submission -> key in [`CONTENT`].
pub(super) const SUBMITTED: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("submitted");
/// Scope, incarnation, epoch -> signed event.
pub(super) const EVENTS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("events");
/// Scope -> the snapshot by which a followed scope began.
pub(super) const BASES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("bases");
/// Peer, number -> item.
pub(super) const FEEDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("feeds");
/// Number -> chain hash, record.
pub(super) const AUDIT: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("audit");
/// Commit -> marks.
pub(super) const JOURNAL: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("journal");

/// Makes every table, so that readers find them.
pub(super) fn create(write: &WriteTransaction) -> Result<(), TableError> {
    for table in [STATE, CONTENT, MESSAGES, WORDS, KEYS, SUBMITTED, EVENTS, BASES, FEEDS] {
        write.open_table(table)?;
    }
    write.open_table(REFS)?;
    write.open_table(AUDIT)?;
    write.open_table(JOURNAL)?;
    Ok(())
}

pub(super) fn content_key(thread: ThreadId, seq: u64) -> Vec<u8> {
    [thread.as_ref(), &seq.to_be_bytes()].concat()
}

pub(super) fn ref_key(thread: ThreadId, target: u64, seq: u64) -> Vec<u8> {
    [thread.as_ref(), &target.to_be_bytes(), &seq.to_be_bytes()].concat()
}

pub(super) fn event_key(scope: ScopeId, incarnation: u64, epoch: u64) -> Vec<u8> {
    [scope_key(scope).as_slice(), &incarnation.to_be_bytes(), &epoch.to_be_bytes()].concat()
}

pub(super) fn scope_key(scope: ScopeId) -> Vec<u8> {
    let kind = [u8::from(scope.thread().is_some())];
    [&kind, scope.bytes().as_slice()].concat()
}

pub(super) fn feed_key(peer: WorkspaceId, number: u64) -> Vec<u8> {
    [peer.as_ref(), &number.to_be_bytes()].concat()
}
