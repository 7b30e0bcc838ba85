//! What the running batch has written so far, laid over the last committed view.
//!
//! Duty: a command of a batch sees what the commands before it in the batch did. Never: outliving the batch.

use std::collections::{HashMap, HashSet};

use crate::{
    ids::{ScopeId, SubmissionId, ThreadId, WorkspaceId},
    protocol::{Change, Records},
    store::Reader,
    wire::{Blob, Body, Stored},
};

/// The batch's content and chains over a reader.
pub(super) struct Overlay<'a> {
    below: &'a Reader,
    content: HashMap<(ThreadId, u64), Stored>,
    purged: HashSet<ThreadId>,
    submitted: HashMap<(WorkspaceId, SubmissionId), (ThreadId, u64)>,
    feeds: HashMap<(WorkspaceId, u64), Blob>,
    events: HashMap<(ScopeId, u64, u64), Blob>,
}

impl<'a> Overlay<'a> {
    pub(super) fn over(below: &'a Reader) -> Self {
        Self {
            below,
            content: HashMap::new(),
            purged: HashSet::new(),
            submitted: HashMap::new(),
            feeds: HashMap::new(),
            events: HashMap::new(),
        }
    }

    pub(super) fn add(&mut self, change: &Change) {
        match change {
            Change::Content(stored) => {
                let entry = &stored.entry;
                let at = (entry.thread, entry.seq);
                self.submitted.insert((entry.author.home(), entry.submission), at);
                self.content.insert(at, stored.clone());
            }
            Change::Redact(thread, seq) => {
                if let Some(stored) = self.stored(*thread, *seq) {
                    self.content.insert((*thread, *seq), Stored { body: None, ..stored });
                }
            }
            Change::Purge(thread) => {
                self.content.retain(|(of, _), _| of != thread);
                self.submitted.retain(|_, (of, _)| of != thread);
                self.purged.insert(*thread);
            }
            Change::Event { scope, incarnation, epoch, bytes } => {
                self.events.insert((*scope, *incarnation, *epoch), bytes.clone());
            }
            Change::Feed { peer, number, item } => drop(self.feeds.insert((*peer, *number), item.clone())),
            Change::FeedTrim { .. }
            | Change::Put(_)
            | Change::Delete(_)
            | Change::Audit(_)
            | Change::Mark(_)
            | Change::Promise(_) => {}
        }
    }
}

impl Records for Overlay<'_> {
    fn stored(&self, thread: ThreadId, seq: u64) -> Option<Stored> {
        let added = self.content.get(&(thread, seq)).cloned();
        added.or_else(|| self.below.stored(thread, seq).filter(|_| !self.purged.contains(&thread)))
    }

    fn submitted(&self, home: WorkspaceId, id: SubmissionId) -> Option<(ThreadId, u64)> {
        let added = self.submitted.get(&(home, id)).copied();
        added.or_else(|| self.below.submitted(home, id).filter(|(of, _)| !self.purged.contains(of)))
    }

    fn refs(&self, thread: ThreadId, target: u64) -> Vec<u64> {
        let mut all =
            if self.purged.contains(&thread) { Vec::new() } else { self.below.refs(thread, target) };
        let about = |stored: &Stored| {
            let body = stored.body.as_ref().and_then(|sealed| Body::parse(&sealed.body).ok());
            body.and_then(|body| body.target) == Some(target)
        };
        let added = self.content.iter().filter(|((of, _), stored)| *of == thread && about(stored));
        all.extend(added.map(|((_, seq), _)| *seq));
        all.sort_unstable();
        all.dedup();
        all
    }

    fn feed(&self, peer: WorkspaceId, number: u64) -> Option<Blob> {
        self.feeds.get(&(peer, number)).cloned().or_else(|| self.below.feed(peer, number))
    }

    fn event(&self, scope: ScopeId, incarnation: u64, epoch: u64) -> Option<Blob> {
        let added = self.events.get(&(scope, incarnation, epoch)).cloned();
        added.or_else(|| self.below.event(scope, incarnation, epoch))
    }
}
