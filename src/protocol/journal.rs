//! What also goes to a journal outside the data directory (spec 12.6): memberships and peerings, which no follower may
//! have seen.
//!
//! Duty: which changes belong there, and taking them back after the store was restored. Never: content, a file.

use serde::{Deserialize, Serialize};

use super::{
    Change, Draft, Mark, Reject, Reply, State, ending, identity, peering,
    row::{Home, Peer, PeerStatus, Row},
    witness,
};
use crate::{
    ids::WorkspaceId,
    wire::{Blob, Verified, objects::Event},
};

/// A line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Record {
    /// A membership event of an own scope, as signed.
    Event(Blob),
    /// Where a peering stands, with the peer's manifests and endpoints.
    Peer {
        /// The peer.
        id: WorkspaceId,
        /// Where it stands.
        status: PeerStatus,
        /// Where it is reached.
        endpoints: Vec<String>,
        /// Its manifest chain.
        chain: Vec<Blob>,
    },
}

/// What of a commit belongs into the journal; `before` is the state before it.
#[must_use]
pub fn records(before: &State, changes: &[Change]) -> Vec<Record> {
    let standing = |peer: &Peer| before.peers.get(&peer.id).map(|row| row.status) == Some(peer.status);
    let chains = |id: WorkspaceId| {
        let new = changes.iter().rev().find_map(|change| match change {
            Change::Put(Row::Home(home)) if home.id == id => Some(home.chain.clone()),
            _ => None,
        });
        new.or_else(|| before.homes.get(&id).map(|home: &std::sync::Arc<Home>| home.chain.clone()))
    };
    let found = changes.iter().filter_map(|change| match change {
        Change::Event { bytes, own: true, .. } => Some(Record::Event(bytes.clone())),
        Change::Put(Row::Peer(peer)) if !standing(peer) => Some(Record::Peer {
            id: peer.id,
            status: peer.status,
            endpoints: peer.endpoints.clone(),
            chain: chains(peer.id).unwrap_or_default(),
        }),
        _ => None,
    });
    let mut records: Vec<Record> = Vec::new();
    for record in found {
        if !records.contains(&record) {
            records.push(record);
        }
    }
    records
}

/// A record that the store lacks is taken back.
///
/// # Errors
/// It is not ours, or does not hold.
pub fn taken_back(draft: &mut Draft<'_>, record: &Record) -> Result<Reply, Reject> {
    match record {
        Record::Event(bytes) => {
            let event: Verified<Event> = draft.open_own(bytes)?;
            witness::own_event(draft, None, &event)?;
        }
        Record::Peer { id, status, endpoints, chain } => peer(draft, *id, *status, endpoints, chain)?,
    }
    Ok(Reply::Done)
}

fn peer(
    draft: &mut Draft<'_>,
    id: WorkspaceId,
    status: PeerStatus,
    endpoints: &[String],
    chain: &[Blob],
) -> Result<(), Reject> {
    if !chain.is_empty() {
        identity::adopt(draft, chain)?;
    }
    let known = draft.state.peers.get(&id).map(|row| (**row).clone());
    if status == PeerStatus::Ended {
        return if known.is_some() { ending::ended(draft, id) } else { Ok(()) };
    }
    let row = known.unwrap_or_else(|| peering::fresh(draft, id, status, endpoints.to_vec(), None));
    draft.put(Row::Peer(Peer { status, ..row }));
    draft.mark(Mark::Peer(id));
    draft.audit("peer.restored", None, Some(id), None, format!("{status:?}"));
    Ok(())
}
