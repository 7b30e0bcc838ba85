//! What was committed, as one consistent view: state, content, and what happened lately.
//!
//! Duty: every read of pumps, pages and live streams. Never: a permission; callers ask the gate with the same view.

use std::sync::Arc;

use tokio::sync::watch;

use super::clock;
use crate::{
    ids::{Hash, ScopeId, SubmissionId, ThreadId, UserId, WorkspaceId},
    limits,
    protocol::{Mark, Records, State},
    store::{AuditPage, Fault, Reader, Tip},
    time::{Boot, Millis},
    wire::{AuditLine, AuditRecord, Blob, Entry, Stored},
};

/// Marks of one commit with its number.
pub type Happened = (u64, Arc<[Mark]>);

/// The node as of one commit.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The state.
    pub state: State,
    /// The number of the last commit.
    pub position: u64,
    reader: Arc<Reader>,
    recent: imbl::Vector<Happened>,
}

/// The newest view, and the wait for a newer one.
#[derive(Clone, Debug)]
pub struct View(watch::Receiver<Arc<Snapshot>>);

impl View {
    pub(super) fn new(receiver: watch::Receiver<Arc<Snapshot>>) -> Self {
        Self(receiver)
    }

    /// The newest view as of now; it counts as seen.
    pub fn now(&mut self) -> Arc<Snapshot> {
        let newest = self.0.borrow_and_update().clone();
        Arc::new(newest.at(clock::boot(), clock::now()))
    }

    /// Waits for one that was not seen.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn changed(&mut self) -> Result<(), watch::error::RecvError> {
        self.0.changed().await
    }

    /// Waits until the view is as wanted. Time alone brings a view at least every second in which a lease ends.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn wait_for(
        &mut self,
        wanted: impl Fn(&Snapshot) -> bool,
    ) -> Result<Arc<Snapshot>, watch::error::RecvError> {
        loop {
            let snapshot = self.now();
            if wanted(&snapshot) {
                return Ok(snapshot);
            }
            self.changed().await?;
        }
    }
}

impl Snapshot {
    pub(super) fn new(state: State, position: u64, reader: Reader) -> Self {
        Self { state, position, reader: reader.into(), recent: imbl::Vector::new() }
    }

    /// The view after one more commit.
    pub(super) fn next(&self, state: State, position: u64, reader: Reader, marks: Vec<Mark>) -> Self {
        let mut recent = self.recent.clone();
        recent.push_back((position, marks.into()));
        while recent.len() > limits::RECENT_COMMITS {
            recent.pop_front();
        }
        Self { state, position, reader: reader.into(), recent }
    }

    /// The view after a change that is not on disk.
    pub(super) fn with(&self, state: State) -> Self {
        let (reader, recent) = (self.reader.clone(), self.recent.clone());
        Self { state, position: self.position, reader, recent }
    }

    /// The view as of a moment: leases that have run out by then hide what they covered (spec 11.2).
    pub(super) fn at(&self, boot: Boot, wall: Millis) -> Self {
        let mut state = self.state.clone();
        (state.uptime.now, state.uptime.wall) = (boot, wall);
        self.with(state)
    }

    pub(super) fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Lines of the audit log before this one that `keep` wants, newest first.
    ///
    /// # Errors
    /// The store failed.
    pub fn audit(
        &self,
        before: u64,
        limit: usize,
        keep: impl Fn(&AuditLine) -> bool,
    ) -> Result<AuditPage, Fault> {
        self.reader.audit(before, limit, keep)
    }

    /// Links of the audit log from this number on, oldest first.
    ///
    /// # Errors
    /// The store failed.
    pub fn audit_from(&self, from: u64, limit: usize) -> Result<Vec<(Hash, AuditRecord)>, Fault> {
        self.reader.audit_from(from, limit)
    }

    /// The last number of the audit log with its hash.
    ///
    /// # Errors
    /// The store failed.
    pub fn audit_tip(&self) -> Result<Tip, Fault> {
        self.reader.audit_tip()
    }

    /// What happened in the commits after this one, oldest first, at most `limit` commits.
    ///
    /// # Errors
    /// The store failed.
    pub fn marks(&self, after: u64, limit: usize) -> Result<Vec<Happened>, Fault> {
        let first = self.recent.front().map(|(position, _)| *position);
        if after >= self.position {
            return Ok(Vec::new());
        }
        if first.is_some_and(|first| first <= after + 1) {
            let skip = first.map_or(0, |first| after + 1 - first);
            let skip = usize::try_from(skip).unwrap_or(usize::MAX);
            return Ok(self.recent.iter().skip(skip).take(limit).cloned().collect());
        }
        let rows = self.reader.marks(after, limit)?;
        Ok(rows.into_iter().map(|(position, marks)| (position, marks.into())).collect())
    }
}

impl Records for Snapshot {
    fn stored(&self, thread: ThreadId, seq: u64) -> Option<Stored> {
        self.reader.stored(thread, seq)
    }

    fn entry(&self, thread: ThreadId, seq: u64) -> Option<Entry> {
        self.reader.entry(thread, seq)
    }

    fn submitted(&self, home: WorkspaceId, id: SubmissionId) -> Option<(ThreadId, u64)> {
        self.reader.submitted(home, id)
    }

    fn refs(&self, thread: ThreadId, target: u64) -> Vec<u64> {
        self.reader.refs(thread, target)
    }

    fn messages(&self, thread: ThreadId, after: u64, to: u64, but: Option<UserId>, most: usize) -> usize {
        self.reader.messages(thread, after, to, but, most)
    }

    fn with_words(&self, thread: ThreadId, words: &[String], range: (u64, u64), most: usize) -> Vec<u64> {
        self.reader.with_words(thread, words, range, most)
    }

    fn feed(&self, peer: WorkspaceId, number: u64) -> Option<Blob> {
        self.reader.feed(peer, number)
    }

    fn event(&self, scope: ScopeId, incarnation: u64, epoch: u64) -> Option<Blob> {
        self.reader.event(scope, incarnation, epoch)
    }

    fn events(&self, scope: ScopeId, epoch: u64) -> Vec<Blob> {
        self.reader.events(scope, epoch)
    }

    fn base(&self, scope: ScopeId) -> Option<Blob> {
        self.reader.base(scope)
    }
}
