//! Our control feed to a peer (spec 9.4): which rows go out next.
//!
//! Duty: rows from the store, in order, a bounded number of bytes on the way. Never: rows in memory for a slow peer.

use super::LinkError;
use crate::{
    ids::{FeedId, WorkspaceId},
    limits,
    node::Snapshot,
    protocol::Records as _,
    wire::frames::{FeedFrame, FeedPosition},
};

/// Bytes of rows that may be on the way: both sides may send as much without reading, so that they never block each
/// other.
const BYTES_ON_THE_WAY: usize = 512 * 1024;

/// Where the peer stands in our feed.
#[derive(Debug, Default)]
pub(super) struct Cursor {
    at: Option<(FeedId, u64)>,
    on_the_way: Vec<(u64, usize)>,
    announced: bool,
}

impl Cursor {
    /// The peer has said where it stands. With another feed, or before what is kept, it will ask for a comparison as
    /// soon as it sees where we stand.
    pub(super) fn resume(&mut self, snapshot: &Snapshot, peer: WorkspaceId, position: Option<&FeedPosition>) {
        let Some(row) = snapshot.state.peers.get(&peer) else { return };
        let continues = position
            .filter(|position| {
                position.feed == row.feed && (row.acked..=row.queued).contains(&position.number)
            })
            .filter(|position| position.number < row.queued || position.hash == row.queued_hash);
        let number = continues.map_or(row.acked, |position| position.number);
        *self = Self { at: Some((row.feed, number)), on_the_way: Vec::new(), announced: false };
    }

    /// Rows up to this one are durable there.
    pub(super) fn acked(&mut self, number: u64) {
        self.on_the_way.retain(|(last, _)| *last > number);
    }

    /// The last row that was sent.
    pub(super) fn sent(&self) -> u64 {
        self.at.map_or(0, |(_, number)| number)
    }

    /// The next frame to send, if there is one up to `until` and the window is open.
    pub(super) fn next(
        &mut self,
        snapshot: &Snapshot,
        peer: WorkspaceId,
        until: Option<u64>,
    ) -> Result<Option<FeedFrame>, LinkError> {
        let (Some((feed, sent)), Some(row)) = (self.at, snapshot.state.peers.get(&peer)) else {
            return Ok(None);
        };
        let mut sent = sent;
        if feed != row.feed {
            sent = row.acked;
            *self = Self { at: Some((row.feed, sent)), on_the_way: Vec::new(), announced: false };
        }
        let used: usize = self.on_the_way.iter().map(|(_, bytes)| bytes).sum();
        let last = until.map_or(row.queued, |until| until.min(row.queued));
        let full = used >= BYTES_ON_THE_WAY || sent >= row.acked.saturating_add(limits::FEED_WINDOW);
        if (full || sent >= last) && self.announced {
            return Ok(None);
        }
        self.announced = true;
        let mut items = Vec::new();
        let mut bytes = 0;
        for number in sent + 1..=last.min(sent.saturating_add(frame_rows())) {
            let Some(item) = snapshot.feed(peer, number) else {
                return Err(LinkError::Transport(format!("row {number} of the feed cannot be read")));
            };
            bytes += item.len();
            items.push(item);
            if bytes >= limits::PAGE_BYTES / 2 {
                break;
            }
        }
        let last = sent + u64::try_from(items.len()).unwrap_or(0);
        self.at = Some((row.feed, last));
        self.on_the_way.push((last, bytes));
        Ok(Some(FeedFrame { feed: row.feed, first: sent + 1, items }))
    }
}

fn frame_rows() -> u64 {
    u64::try_from(limits::FEED_ROWS_PER_FRAME).unwrap_or(1)
}
