//! Dialling the peers (spec 9.3): one task per peer that should be connected.
//!
//! Duty: back-off that doubles, cleared by any contact from the other side. Never: two attempts to one peer at a time.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use super::{Federation, LinkError, greet, link};
use crate::{
    crypto::Random,
    ids::WorkspaceId,
    node::{Link, Snapshot, clock},
    protocol::row::{Peer, PeerStatus},
};

/// First pause after a failed attempt, and the longest, in milliseconds.
const PAUSE_MILLIS: (u64, u64) = (1_000, 20_000);
/// How long the side with the larger id lets the other one dial first, in milliseconds.
const COURTESY_MILLIS: u64 = 300;
/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(8);

/// Keeps one dialling task per peer that should be connected.
pub(super) async fn run(federation: Arc<Federation>) {
    let mut view = federation.handle.watch();
    let mut dialling: BTreeMap<WorkspaceId, CancellationToken> = BTreeMap::new();
    loop {
        let snapshot = view.now();
        for peer in snapshot.state.peers.values() {
            let due = should_dial(peer);
            if due && !dialling.contains_key(&peer.id) {
                let stop = CancellationToken::new();
                dialling.insert(peer.id, stop.clone());
                federation.handle.tasks().spawn(keep(federation.clone(), peer.id, stop));
            } else if !due && let Some(stop) = dialling.remove(&peer.id) {
                stop.cancel();
            }
        }
        if view.changed().await.is_err() {
            return;
        }
    }
}

/// An ended peer is dialled only while it has not acknowledged the end.
fn should_dial(peer: &Peer) -> bool {
    match peer.status {
        PeerStatus::Requested | PeerStatus::Active | PeerStatus::Paused => true,
        PeerStatus::Waiting => false,
        PeerStatus::Ended => peer.acked < peer.queued,
    }
}

async fn keep(federation: Arc<Federation>, peer: WorkspaceId, stop: CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = dial_forever(&federation, peer) => {}
    }
}

async fn dial_forever(federation: &Arc<Federation>, peer: WorkspaceId) {
    let mut changes = federation.registry.changes();
    let mut dials = federation.handle.dials();
    let courtesy = if federation.handle.me() > peer { COURTESY_MILLIS } else { 0 };
    let mut pause = courtesy;
    loop {
        let woken = async {
            tokio::select! {
                _ = changes.changed() => {}
                () = wanted(&mut dials, peer) => {}
            }
        };
        let waited = tokio::time::timeout(Duration::from_millis(pause), woken).await;
        changes.borrow_and_update();
        if federation.registry.is_up(peer) {
            pause = PAUSE_MILLIS.1;
            continue;
        }
        let contact = waited.is_ok();
        match attempt(federation, peer).await {
            Ok(()) => pause = courtesy,
            Err(error) => {
                if federation.registry.is_up(peer) {
                    continue;
                }
                tracing::debug!(%peer, %error, "no link");
                let error = Some((federation.handle.now(), error.to_string()));
                federation.handle.report(peer, Link { up: None, error });
                pause = if contact { PAUSE_MILLIS.0 } else { next_pause(pause) };
            }
        }
    }
}

/// Until an operator wants this peer dialled, or so many that it may be among them.
async fn wanted(dials: &mut broadcast::Receiver<WorkspaceId>, peer: WorkspaceId) {
    while dials.recv().await.is_ok_and(|wanted| wanted != peer) {}
}

/// Doubled, between the bounds, with up to a fifth of jitter so that peers do not dial in step.
fn next_pause(pause: u64) -> u64 {
    let doubled = (pause * 2).clamp(PAUSE_MILLIS.0, PAUSE_MILLIS.1);
    let random = clock::seed().map_or(0, |seed| u64::from_be_bytes(Random::from_seed(seed).bytes()));
    doubled - random % (doubled / 5)
}

/// One attempt at every endpoint; returns when the link that it made is down again.
async fn attempt(federation: &Arc<Federation>, peer: WorkspaceId) -> Result<(), LinkError> {
    let mut endpoints = endpoints(&federation.handle.snapshot(), peer);
    if let Some(neighbour) = federation.handle.neighbour(peer) {
        endpoints.insert(0, neighbour.to_string());
    }
    let mut last = LinkError::Transport("no endpoint of this peer is known".into());
    for endpoint in endpoints {
        match tokio::time::timeout(ATTEMPT, connect(federation, peer, &endpoint)).await {
            Ok(Ok((connection, greeted))) => {
                link::run(federation, connection, greeted, federation.handle.me()).await;
                return Ok(());
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = LinkError::Transport(format!("{endpoint} does not answer")),
        }
    }
    Err(last)
}

async fn connect(
    federation: &Arc<Federation>,
    peer: WorkspaceId,
    endpoint: &str,
) -> Result<(quinn::Connection, greet::Greeted), LinkError> {
    let failed = |error: &dyn std::fmt::Display| LinkError::Transport(format!("{endpoint}: {error}"));
    let mut addresses = tokio::net::lookup_host(endpoint).await.map_err(|error| failed(&error))?;
    let address: SocketAddr = addresses.next().ok_or_else(|| failed(&"no such host"))?;
    let client = federation.client.borrow().clone();
    let connecting =
        federation.endpoint.connect_with(client, address, "comity").map_err(|error| failed(&error))?;
    let connection = connecting.await.map_err(|error| failed(&error))?;
    match greet::dialled(federation, &connection, peer).await {
        Ok(greeted) => Ok((connection, greeted)),
        Err(error) => {
            let told = told(&connection);
            connection.close(quinn::VarInt::from_u32(2), b"the greeting failed");
            Err(told.map_or(error, LinkError::Stranger))
        }
    }
}

/// Why the other side closed the connection, as it says; for the operator, so without control characters.
fn told(connection: &quinn::Connection) -> Option<String> {
    let Some(quinn::ConnectionError::ApplicationClosed(close)) = connection.close_reason() else {
        return None;
    };
    let text = String::from_utf8_lossy(&close.reason);
    let shown: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
    Some(format!("the other side closed the connection: {shown}"))
}

/// The manifest's endpoints first, then those of the ticket.
fn endpoints(snapshot: &Snapshot, peer: WorkspaceId) -> Vec<String> {
    let of_manifest = snapshot.state.homes.get(&peer).map(|home| home.manifest.endpoints.clone());
    let of_ticket = snapshot.state.peers.get(&peer).map(|row| row.endpoints.clone());
    let mut all = of_manifest.unwrap_or_default();
    for endpoint in of_ticket.unwrap_or_default() {
        if !all.contains(&endpoint) {
            all.push(endpoint);
        }
    }
    all
}
