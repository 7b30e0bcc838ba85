//! What a decision changes: the one vocabulary of core, store, simulator and dispatch.
//!
//! Duty: to say everything that a commit writes. Never: deciding; a change is a fact.

use serde::{Deserialize, Serialize};

use super::{
    row::{Row, RowKey},
    uptime::Promise,
};
use crate::{
    ids::{InviteId, ScopeId, ThreadId, UserId, WorkspaceId},
    wire::{AuditLine, Blob, Stored},
};

/// One change. A commit applies a list of them in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A row of state is written, whole.
    Put(Row),
    /// A row of state goes.
    Delete(RowKey),
    /// An entry is stored under (thread, seq): appended by the owner, or received by a follower.
    Content(Stored),
    /// The body of an entry is deleted; the entry stays.
    Redact(ThreadId, u64),
    /// All content of a thread is deleted here, its index and references too.
    Purge(ThreadId),
    /// A membership event is stored under (scope, incarnation, epoch). Never deleted.
    Event {
        /// The scope.
        scope: ScopeId,
        /// The incarnation.
        incarnation: u64,
        /// The epoch.
        epoch: u64,
        /// The signed event.
        bytes: Blob,
        /// Whether the scope is ours: then it goes to the journal too.
        own: bool,
    },
    /// The snapshot by which a followed scope began, as signed: the base of its events. The newest one is kept.
    Base(ScopeId, Blob),
    /// Entries of a thread above this one are deleted: its owner went on without them (spec 12.3).
    Truncate(ThreadId, u64),
    /// A row is appended to our control feed to a peer; the encoded `frames::Item`.
    Feed {
        /// The peer.
        peer: WorkspaceId,
        /// Its number, from 1.
        number: u64,
        /// The item.
        item: Blob,
    },
    /// Rows up to this one were acknowledged and may go.
    FeedTrim {
        /// The peer.
        peer: WorkspaceId,
        /// The last row that may go.
        number: u64,
    },
    /// A line for the audit log, from the transaction of the act (P8.3); the store numbers and chains it.
    Audit(AuditLine),
    /// A line for the journal, which wakes pumps and live streams.
    Mark(Mark),
    /// Something that holds until the node stops; never on disk.
    Promise(Promise),
}

impl Change {
    /// Whether the store has to write it.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        !matches!(self, Self::Promise(_))
    }

    /// Whether it may mean something to who follows the view: that a lease was given concerns only later removals.
    #[must_use]
    pub fn is_news(&self) -> bool {
        !matches!(self, Self::Promise(Promise::Given(..)))
    }
}

/// What happened in a commit, for those who follow along. The journal keeps these by commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mark {
    /// Entries `from..=to` of a thread are new here.
    Content {
        /// The thread.
        thread: ThreadId,
        /// First.
        from: u64,
        /// Last.
        to: u64,
    },
    /// A thread may now be shown further than before, without new entries.
    Covered(ThreadId),
    /// Settings, members or existence of a scope changed.
    Scope(ScopeId),
    /// These users of this home lost a path to the scope: live views must be re-checked.
    Lost(ScopeId, Vec<UserId>),
    /// A peer lost its last reader of the scope: open content streams to it are reset.
    Cut(ScopeId, WorkspaceId),
    /// A user has a new or answered invitation.
    Invited(UserId, InviteId),
    /// A claim of this user was answered.
    Claim(UserId),
    /// A peering changed.
    Peer(WorkspaceId),
    /// A receipt for a removal arrived.
    Receipt(ScopeId, u64),
    /// The lease of this owner ran out, or is there again: what is shown of its scopes changes.
    Lease(WorkspaceId),
    /// A removal takes effect at the latest now at a peer that has not confirmed it.
    Effective(ScopeId, u64),
    /// A message in the outbox of this user changed.
    Outbox(UserId, ThreadId),
}

/// The marks of a commit, neighbouring entries of a thread as one range, nothing twice in a row.
pub fn joined(marks: impl Iterator<Item = Mark>) -> Vec<Mark> {
    let mut all: Vec<Mark> = Vec::new();
    for mark in marks {
        match (all.last_mut(), &mark) {
            (Some(Mark::Content { thread, to, .. }), Mark::Content { thread: next, from, to: last })
                if thread == next && *from == *to + 1 =>
            {
                *to = *last;
            }
            (Some(last), mark) if last == mark => {}
            _ => all.push(mark),
        }
    }
    all
}
