//! The viewer's threads, newest first.
//!
//! Duty: which threads he reaches now, and what is unread. Never: a thread without a path.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use super::scopes::{self, ScopeView};
use crate::{
    ids::{ScopeId, ThreadId, UserId},
    protocol::{State, gate},
    time::Millis,
};

/// A thread in the inbox.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Row {
    /// The thread.
    #[serde(flatten)]
    pub thread: ScopeView,
    /// The last entry that may be read.
    pub last: u64,
    /// How far the viewer has read.
    pub read: u64,
    /// When something was last written.
    pub time: Millis,
}

/// A page of the inbox, and what to ask for the next one: (time, thread) of its last row.
#[must_use]
pub fn page(
    state: &State,
    viewer: UserId,
    before: Option<(Millis, ThreadId)>,
    limit: usize,
) -> (Vec<Row>, Option<(Millis, ThreadId)>) {
    let mut threads: Vec<(Millis, ThreadId)> = reached(state, viewer)
        .into_iter()
        .map(|thread| (state.logs.get(&thread).map_or(Millis(0), |log| log.time), thread))
        .filter(|at| before.is_none_or(|before| *at < before))
        .collect();
    threads.sort_unstable_by(|a, b| b.cmp(a));
    let mut rows = Vec::new();
    let mut next = None;
    for at in threads {
        if rows.len() == limit {
            return (rows, next);
        }
        rows.extend(row(state, viewer, at.1, at.0));
        next = Some(at);
    }
    (rows, None)
}

fn row(state: &State, viewer: UserId, thread: ThreadId, time: Millis) -> Option<Row> {
    let last = gate::paths(state, viewer, thread).iter().map(|path| path.to).max().unwrap_or(0);
    let read = state.reads.get(&(viewer, thread)).copied().unwrap_or(0);
    Some(Row { thread: scopes::scope(state, viewer, thread.into())?, last, read, time })
}

/// Threads that the viewer is in directly or through a group.
fn reached(state: &State, viewer: UserId) -> BTreeSet<ThreadId> {
    let mut threads = BTreeSet::new();
    for place in state.places.get(&viewer).into_iter().flatten() {
        match place {
            ScopeId::Thread(thread) => drop(threads.insert(*thread)),
            ScopeId::Group(group) => threads.extend(state.addressed.get(group).into_iter().flatten()),
        }
    }
    threads
}
