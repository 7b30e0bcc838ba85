//! Reads in one consistent view.
//!
//! Duty: what the core asks of content and chains. Never: a permission; the gate is asked before.

use redb::{ReadOnlyTable, ReadTransaction, ReadableTableMetadata as _};

use super::{
    AuditPage, Fault, Tip, chain, shred,
    tables::{
        AUDIT, BASES, CONTENT, EVENTS, FEEDS, JOURNAL, KEYS, MESSAGES, REFS, SUBMITTED, WORDS, content_key,
        event_key, feed_key, ref_key, scope_key,
    },
    words,
};
use crate::{
    ids::{Hash, ScopeId, SubmissionId, ThreadId, UserId, WorkspaceId},
    protocol::{Mark, Records},
    wire::{AuditLine, AuditRecord, Blob, Entry, Stored},
};

pub(super) type Bytes = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// A view of the store as of one commit.
#[derive(Debug)]
pub struct Reader {
    content: Bytes,
    messages: Bytes,
    words: Bytes,
    keys: Bytes,
    submitted: Bytes,
    events: Bytes,
    bases: Bytes,
    feeds: Bytes,
    refs: ReadOnlyTable<&'static [u8], ()>,
    journal: ReadOnlyTable<u64, &'static [u8]>,
    audit: ReadOnlyTable<u64, &'static [u8]>,
}

impl Reader {
    pub(super) fn new(read: &ReadTransaction) -> Result<Self, Fault> {
        Ok(Self {
            content: read.open_table(CONTENT)?,
            messages: read.open_table(MESSAGES)?,
            words: read.open_table(WORDS)?,
            keys: read.open_table(KEYS)?,
            submitted: read.open_table(SUBMITTED)?,
            events: read.open_table(EVENTS)?,
            bases: read.open_table(BASES)?,
            feeds: read.open_table(FEEDS)?,
            refs: read.open_table(REFS)?,
            journal: read.open_table(JOURNAL)?,
            audit: read.open_table(AUDIT)?,
        })
    }

    /// The journal after a commit: (number of the commit, its marks), at most `limit` of them.
    ///
    /// # Errors
    /// The database failed, or a line is damaged.
    pub fn marks(&self, after: u64, limit: usize) -> Result<Vec<(u64, Vec<Mark>)>, Fault> {
        let rows = self.journal.range(after.saturating_add(1)..)?.take(limit);
        rows.map(|row| {
            let (key, value) = row?;
            let marks =
                ciborium::from_reader(value.value()).map_err(|error| Fault::Damaged(error.to_string()))?;
            Ok((key.value(), marks))
        })
        .collect()
    }

    /// Lines of the audit log before this one that `keep` wants, newest first.
    ///
    /// # Errors
    /// The database failed, or a line is damaged.
    pub fn audit(
        &self,
        before: u64,
        limit: usize,
        keep: impl Fn(&AuditLine) -> bool,
    ) -> Result<AuditPage, Fault> {
        chain::descending(&self.audit, before, limit, keep)
    }

    /// Links of the audit log from this number on, oldest first.
    ///
    /// # Errors
    /// As [`Reader::audit`].
    pub fn audit_from(&self, from: u64, limit: usize) -> Result<Vec<(Hash, AuditRecord)>, Fault> {
        chain::ascending(&self.audit, from, limit)
    }

    /// The end of the audit log.
    ///
    /// # Errors
    /// As [`Reader::audit`].
    pub fn audit_tip(&self) -> Result<Tip, Fault> {
        chain::tip(&self.audit)
    }

    /// The size of the index of words, in bytes, and the number of messages that it covers.
    ///
    /// # Errors
    /// The database failed.
    pub fn index_size(&self) -> Result<(u64, u64), Fault> {
        let stats = self.words.stats()?;
        let bytes = stats.stored_bytes() + stats.metadata_bytes() + stats.fragmented_bytes();
        Ok((bytes, self.messages.len()?))
    }

    /// A read that failed is logged and counts as nothing found: access is never widened by an error.
    fn bytes(table: &Bytes, key: &[u8]) -> Option<Vec<u8>> {
        match table.get(key) {
            Ok(value) => value.map(|value| value.value().to_vec()),
            Err(error) => {
                tracing::error!(%error, "a read from the store failed");
                None
            }
        }
    }
}

impl Records for Reader {
    fn stored(&self, thread: ThreadId, seq: u64) -> Option<Stored> {
        let bytes = Self::bytes(&self.content, &content_key(thread, seq))?;
        let opened = shred::open_entry(&bytes, |thread| shred::read(&self.keys, thread));
        opened.inspect_err(|error| tracing::error!(%error, "an entry cannot be read")).ok()
    }

    fn entry(&self, thread: ThreadId, seq: u64) -> Option<Entry> {
        let bytes = Self::bytes(&self.content, &content_key(thread, seq))?;
        let parsed = shred::parse(&bytes).map(|(entry, _)| entry);
        parsed.inspect_err(|error| tracing::error!(%error, "an entry cannot be read")).ok()
    }

    fn submitted(&self, home: WorkspaceId, id: SubmissionId) -> Option<(ThreadId, u64)> {
        let key = Self::bytes(&self.submitted, &[home.as_ref(), id.as_ref()].concat())?;
        let (thread, seq) = key.split_at_checked(32)?;
        Some((ThreadId(thread.try_into().ok()?), u64::from_be_bytes(seq.try_into().ok()?)))
    }

    fn refs(&self, thread: ThreadId, target: u64) -> Vec<u64> {
        let (from, to) = (ref_key(thread, target, 0), ref_key(thread, target, u64::MAX));
        let Ok(rows) = self.refs.range(from.as_slice()..=to.as_slice()) else {
            tracing::error!("references of a thread cannot be read");
            return Vec::new();
        };
        let seq = |key: &[u8]| Some(u64::from_be_bytes(key.get(40..)?.try_into().ok()?));
        rows.filter_map(|row| seq(row.ok()?.0.value())).collect()
    }

    fn messages(&self, thread: ThreadId, after: u64, to: u64, but: Option<UserId>, most: usize) -> usize {
        if after >= to {
            return 0;
        }
        let (from, to) = (content_key(thread, after.saturating_add(1)), content_key(thread, to));
        let Ok(rows) = self.messages.range(from.as_slice()..=to.as_slice()) else {
            tracing::error!("messages of a thread cannot be counted");
            return 0;
        };
        let other = |author: &[u8]| but.is_none_or(|but| author != but.as_ref());
        rows.filter_map(Result::ok).filter(|(_, author)| other(author.value())).take(most).count()
    }

    fn with_words(
        &self,
        thread: ThreadId,
        words: &[String],
        (from, to): (u64, u64),
        most: usize,
    ) -> Vec<u64> {
        let key = shred::read(&self.keys, thread).transpose();
        let found = key.map(|key| words::find(&self.words, &key?.words(), thread, words, (from, to), most));
        let found =
            found.transpose().inspect_err(|error| tracing::error!(%error, "the index cannot be read"));
        found.ok().flatten().unwrap_or_default()
    }

    fn feed(&self, peer: WorkspaceId, number: u64) -> Option<Blob> {
        Self::bytes(&self.feeds, &feed_key(peer, number)).map(Blob::from)
    }

    fn event(&self, scope: ScopeId, incarnation: u64, epoch: u64) -> Option<Blob> {
        Self::bytes(&self.events, &event_key(scope, incarnation, epoch)).map(Blob::from)
    }

    fn events(&self, scope: ScopeId, epoch: u64) -> Vec<Blob> {
        // Epochs of a later incarnation lie above those of an earlier one (spec 12.3): the key's order is theirs.
        let (from, to) = (event_key(scope, epoch >> 32 << 32, 0), event_key(scope, u64::MAX, u64::MAX));
        let Ok(rows) = self.events.range(from.as_slice()..=to.as_slice()) else {
            tracing::error!("events of a scope cannot be read");
            return Vec::new();
        };
        let at = |key: &[u8]| key.last_chunk::<8>().map(|epoch| u64::from_be_bytes(*epoch));
        let found = rows.filter_map(Result::ok).filter(|(key, _)| at(key.value()) >= Some(epoch));
        found.map(|(_, value)| Blob::from(value.value().to_vec())).collect()
    }

    fn base(&self, scope: ScopeId) -> Option<Blob> {
        Self::bytes(&self.bases, &scope_key(scope)).map(Blob::from)
    }
}
