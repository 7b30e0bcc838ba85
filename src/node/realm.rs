//! The realm of free accounts that a node hosts (P1.2): a node of its own in the same process, with its own identity, store and
//! loop, and an ordinary peer of its host. So whoever has no workspace passes the same checks as whoever has one.
//!
//! Duty: founding the realm, and its peering with the host. Never: a rule of what free accounts may; that is `protocol`'s.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
};

use super::{
    Node, clock,
    handle::{AskError, Handle},
    identity::{self, IdentityError},
};
use crate::{
    crypto::sha256,
    ids::WorkspaceId,
    protocol::{Command, row::PeerStatus},
    wire::{Blob, objects::Manifest},
};

/// How long the two have to agree, in milliseconds; it is one conversation within the process.
const TICKET_MILLIS: u64 = 60_000;

/// The realm's folder within its host's.
#[must_use]
pub fn folder(host: &Path) -> PathBuf {
    host.join("realm")
}

/// Starts the realm in its folder, and founds it first if it is not there.
///
/// # Errors
/// The folder cannot be used.
pub fn start(dir: &Path, host: &Manifest, journal: Option<&Path>) -> Result<Node, IdentityError> {
    identity::init_realm(dir, host, Vec::new())?;
    Node::with_journal(dir, journal)
}

/// Host and realm know where the other one listens, and are peers: both sides of the conversation are ours. Safe to repeat
/// after a crash at any point.
///
/// # Errors
/// A node stops.
pub async fn join(host: (&Handle, SocketAddr), realm: (&Handle, SocketAddr)) -> Result<(), AskError> {
    let ((host, host_at), (realm, realm_at)) = (host, realm);
    host.meet(realm.me(), local(realm_at));
    realm.meet(host.me(), local(host_at));
    let status = |of: &Handle, peer: WorkspaceId| of.snapshot().state.peers.get(&peer).map(|row| row.status);
    if status(host, realm.me()).is_none() {
        let secret = clock::seed().map_err(|error| AskError::Stopped(error.to_string()))?;
        let (ticket, secret) = (sha256(&[&secret]), Blob::from(secret.to_vec()));
        host.ask(Command::OpenTicket(ticket, host.now().plus(TICKET_MILLIS))).await?;
        realm.ask(Command::Manifests(chain(host))).await?;
        let (peer, endpoints) = (host.me(), Vec::new());
        realm.ask(Command::RedeemTicket { peer, endpoints, secret: secret.clone() }).await?;
        host.ask(Command::PeerRequest { manifests: chain(realm), secret }).await?;
    }
    if status(host, realm.me()) == Some(PeerStatus::Waiting) {
        host.ask(Command::Approve(realm.me())).await?;
    }
    if status(host, realm.me()) == Some(PeerStatus::Active) {
        realm.ask(Command::PeerApproved(host.me())).await?;
    }
    Ok(())
}

fn chain(of: &Handle) -> Vec<Blob> {
    of.snapshot().state.homes.get(&of.me()).map(|home| home.chain.clone()).unwrap_or_default()
}

/// An address of this machine by which a socket that listens everywhere is reached.
fn local(at: SocketAddr) -> SocketAddr {
    let ip = match at.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, at.port())
}
