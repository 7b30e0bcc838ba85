//! The links that are up: one per peer (spec 9.3).
//!
//! Duty: which of two connections survives, where acts for a peer go. Never: waiting.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{mpsc, watch};

use crate::{ids::WorkspaceId, node::Forward};

/// A link that is up.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) connection: quinn::Connection,
    /// Who dialled.
    pub(super) dialler: WorkspaceId,
    /// Starts of the other node, by its greeting.
    pub(super) boots: u64,
    /// Acts for this peer.
    pub(super) acts: mpsc::Sender<Forward>,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Registry {
    links: Mutex<BTreeMap<WorkspaceId, Entry>>,
    changed: watch::Sender<()>,
}

impl Default for Registry {
    fn default() -> Self {
        Self { links: Mutex::new(BTreeMap::new()), changed: watch::channel(()).0 }
    }
}

impl Registry {
    /// A poisoned lock is used on: every change under it is one step.
    fn links(&self) -> MutexGuard<'_, BTreeMap<WorkspaceId, Entry>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a link in, or says that the one that is there stays. The loser is closed. Of two that both sides
    /// dialled, the one of the smaller id survives; a node that has started anew knows nothing of the older one.
    pub(super) fn admit(&self, me: WorkspaceId, peer: WorkspaceId, entry: Entry) -> bool {
        if entry.connection.close_reason().is_some() {
            return false;
        }
        let mut links = self.links();
        if let Some(held) = links.get(&peer).filter(|held| held.connection.close_reason().is_none()) {
            let restarted = entry.boots > held.boots;
            let same_side = entry.dialler == held.dialler;
            if !restarted && !same_side && entry.dialler != me.min(peer) {
                entry.connection.close(quinn::VarInt::from_u32(1), b"another connection is up");
                return false;
            }
            held.connection.close(quinn::VarInt::from_u32(1), b"replaced by a newer connection");
        }
        links.insert(peer, entry);
        drop(links);
        self.changed.send_replace(());
        true
    }

    /// The connection is gone.
    pub(super) fn leave(&self, peer: WorkspaceId, connection: &quinn::Connection) {
        let mut links = self.links();
        if links.get(&peer).is_some_and(|held| held.connection.stable_id() == connection.stable_id()) {
            links.remove(&peer);
        }
        drop(links);
        self.changed.send_replace(());
    }

    /// Whether a link to the peer is up.
    pub(super) fn is_up(&self, peer: WorkspaceId) -> bool {
        self.links().get(&peer).is_some_and(|held| held.connection.close_reason().is_none())
    }

    /// Where acts for the peer go, if it is connected.
    pub(super) fn acts(&self, peer: WorkspaceId) -> Option<mpsc::Sender<Forward>> {
        self.links().get(&peer).map(|held| held.acts.clone())
    }

    /// Tells when a link comes or goes.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }
}
