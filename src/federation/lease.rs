//! When a follower asks for a lease, and when an owner lets a grant go (spec 11.1).
//!
//! Duty: a request a third of the shortest ttl after the last one that was granted, a grant behind the rows that it counts. Never: a grant ahead of a row.

use tokio::time::{Duration, Instant};

use crate::{
    crypto::sha256,
    ids::{Hash, WorkspaceId},
    node::{Snapshot, clock},
    protocol::{lease, row::PeerStatus},
    time::Boot,
    wire::{Blob, frames::LeaseAsk},
};

/// The first pause after a refusal, in milliseconds; it doubles up to a minute.
const AGAIN_MILLIS: u64 = 500;
/// How often it doubles at the most.
const DOUBLINGS: u32 = 7;

/// The follower's side of one link.
#[derive(Debug, Default)]
pub(super) struct Asking {
    /// When the next request is due, and the ttl that it was reckoned by.
    due: Option<(Instant, u64)>,
    /// The last request: its nonce, and when it left.
    last: Option<(Hash, Boot)>,
    /// The same moment by the clock that waits go by.
    sent: Option<Instant>,
    refusals: u32,
}

impl Asking {
    /// When to look again; `None`: nothing of the peer is followed.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due.map(|(at, _)| at)
    }

    /// A request, if one is due as things stand.
    pub(super) fn next(&mut self, snapshot: &Snapshot, peer: WorkspaceId) -> Option<LeaseAsk> {
        let row = snapshot.state.peers.get(&peer).filter(|row| row.status == PeerStatus::Active);
        let Some((row, ttl)) = row.zip(lease::shortest(&snapshot.state, peer)) else {
            self.due = None;
            return None;
        };
        let (feed, number, hash) = row.inbound?;
        let now = Instant::now();
        let (at, by) = *self.due.get_or_insert((now, ttl));
        if ttl < by {
            self.due = Some((at.min(now + third(ttl)), ttl));
        }
        if self.due.is_some_and(|(at, _)| at > now) {
            return None;
        }
        let nonce = sha256(&[b"comity/1 nonce", &clock::seed().ok()?]);
        self.last = Some((nonce, clock::boot()));
        // A second request would void the answer to this one: it has twice the time.
        (self.sent, self.due) = (Some(now), Some((now + third(ttl) * 2, ttl)));
        let settled = row.acked == row.queued;
        let roster = settled.then(|| lease::roster(&snapshot.state, peer, row_home(snapshot)));
        Some(LeaseAsk { nonce, feed, number, hash, roster })
    }

    /// The request that an answer has to fit.
    pub(super) fn last(&self) -> Option<(Hash, Boot)> {
        self.last
    }

    /// The next request leaves a third of the ttl after this one.
    pub(super) fn granted(&mut self) {
        self.refusals = 0;
        if let Some(((at, ttl), sent)) = self.due.zip(self.sent) {
            self.due = Some((at.min(sent + third(ttl)), ttl));
        }
    }

    /// Asks again later, and later still if that is refused as well.
    pub(super) fn refused(&mut self) {
        let pause = Duration::from_millis(AGAIN_MILLIS << self.refusals.min(DOUBLINGS));
        self.refusals += 1;
        if let Some((at, ttl)) = self.due {
            self.due = Some((at.min(Instant::now() + pause), ttl));
        }
    }
}

fn third(ttl: u64) -> Duration {
    Duration::from_millis(ttl / 3)
}

fn row_home(snapshot: &Snapshot) -> WorkspaceId {
    snapshot.state.me().unwrap_or(WorkspaceId([0; 32]))
}

/// The owner's side: a grant that waits for the rows before it.
#[derive(Debug, Default)]
pub(super) struct Grant(Option<(u64, Blob)>);

impl Grant {
    pub(super) fn hold(&mut self, number: u64, lease: Blob) {
        self.0 = Some((number, lease));
    }

    /// A comparison began a new feed: what was granted speaks of the old one.
    pub(super) fn void(&mut self) {
        self.0 = None;
    }

    /// No row behind this one may go before the grant.
    pub(super) fn until(&self) -> Option<u64> {
        self.0.as_ref().map(|(number, _)| *number)
    }

    /// The grant, once every row that it counts was sent.
    pub(super) fn release(&mut self, sent: u64) -> Option<Blob> {
        let (_, lease) = self.0.take_if(|(number, _)| *number <= sent)?;
        Some(lease)
    }
}
