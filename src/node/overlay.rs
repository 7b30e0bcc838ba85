//! What the running batch has written so far, laid over the last committed view.
//!
//! Duty: a command of a batch sees what the commands before it in the batch did. Never: outliving the batch.

use std::collections::{BTreeMap, HashMap, HashSet};

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
    /// Threads of which nothing above an entry counts below.
    cut: HashMap<ThreadId, u64>,
    submitted: HashMap<(WorkspaceId, SubmissionId), (ThreadId, u64)>,
    feeds: HashMap<(WorkspaceId, u64), Blob>,
    events: BTreeMap<(ScopeId, u64, u64), Blob>,
    bases: HashMap<ScopeId, Blob>,
}

impl<'a> Overlay<'a> {
    pub(super) fn over(below: &'a Reader) -> Self {
        Self {
            below,
            content: HashMap::new(),
            purged: HashSet::new(),
            cut: HashMap::new(),
            submitted: HashMap::new(),
            feeds: HashMap::new(),
            events: BTreeMap::new(),
            bases: HashMap::new(),
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
            Change::Truncate(thread, above) => {
                self.content.retain(|(of, seq), _| of != thread || seq <= above);
                self.submitted.retain(|_, (of, seq)| of != thread || *seq <= *above);
                self.cut.insert(*thread, *above);
            }
            Change::Event { scope, incarnation, epoch, bytes, .. } => {
                self.events.insert((*scope, *incarnation, *epoch), bytes.clone());
            }
            Change::Base(scope, bytes) => drop(self.bases.insert(*scope, bytes.clone())),
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

impl Overlay<'_> {
    /// Whether what the view below holds of an entry still counts.
    fn counts(&self, thread: ThreadId, seq: u64) -> bool {
        !self.purged.contains(&thread) && self.cut.get(&thread).is_none_or(|above| seq <= *above)
    }
}

impl Records for Overlay<'_> {
    fn stored(&self, thread: ThreadId, seq: u64) -> Option<Stored> {
        let added = self.content.get(&(thread, seq)).cloned();
        added.or_else(|| self.below.stored(thread, seq).filter(|_| self.counts(thread, seq)))
    }

    fn submitted(&self, home: WorkspaceId, id: SubmissionId) -> Option<(ThreadId, u64)> {
        let added = self.submitted.get(&(home, id)).copied();
        added.or_else(|| self.below.submitted(home, id).filter(|(of, seq)| self.counts(*of, *seq)))
    }

    fn refs(&self, thread: ThreadId, target: u64) -> Vec<u64> {
        let mut all = self.below.refs(thread, target);
        all.retain(|seq| self.counts(thread, *seq));
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

    fn events(&self, scope: ScopeId, epoch: u64) -> Vec<Blob> {
        let added = self.events.range((scope, 0, 0)..=(scope, u64::MAX, u64::MAX));
        let added = added.filter(|((_, _, at), _)| *at >= epoch).map(|(_, bytes)| bytes.clone());
        let mut all = self.below.events(scope, epoch);
        all.extend(added);
        all
    }

    fn base(&self, scope: ScopeId) -> Option<Blob> {
        self.bases.get(&scope).cloned().or_else(|| self.below.base(scope))
    }
}
