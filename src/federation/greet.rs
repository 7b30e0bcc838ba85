//! The greeting (spec 9.3): who is there, with which manifests, and whether the key fits.
//!
//! Duty: nothing else is read or sent before the TLS key of the connection stands in the manifest of the workspace that
//! the other side says it is. Never: telling a stranger without a ticket who we are.

use std::{sync::Arc, time::Duration};

use super::{
    Federation, LinkError,
    frame::{FrameReader, FrameWriter},
    tls,
};
use crate::{
    crypto::PublicKey,
    ids::{Hash, WorkspaceId},
    node::Snapshot,
    protocol::{
        Command, identity,
        row::{Home, PeerStatus},
    },
    time::Millis,
    wire::{
        Blob,
        frames::{Control, Hello, StreamKind},
        objects::Extensions,
    },
};

/// How long a greeting may take.
const GREETING: Duration = Duration::from_secs(10);
/// Clocks that differ by more are worth a warning; nothing depends on it.
const SKEW_MILLIS: u64 = 60_000;

/// A connection whose other side is known.
pub(super) struct Greeted {
    pub(super) peer: WorkspaceId,
    pub(super) hello: Hello,
    /// What the own greeting said: what has changed since then is told again.
    pub(super) told: Option<Told>,
    pub(super) writer: FrameWriter,
    pub(super) reader: FrameReader,
}

/// What a greeting tells of the own side: status of the peer, revision of the own manifest.
pub(super) type Told = (PeerStatus, u64);

/// What a greeting with this view tells.
pub(super) fn told(snapshot: &Snapshot, peer: WorkspaceId) -> Option<Told> {
    let state = &snapshot.state;
    let revision = state.homes.get(&state.me()?)?.manifest.revision;
    Some((state.peers.get(&peer)?.status, revision))
}

/// The own greeting for a peer, as things stand.
pub(super) fn hello(snapshot: &Snapshot, peer: WorkspaceId, now: Millis) -> Option<Hello> {
    let state = &snapshot.state;
    let node = state.node.as_ref()?;
    let home = state.homes.get(&node.id)?;
    let row = state.peers.get(&peer);
    Some(Hello {
        workspace: node.id,
        revision: home.manifest.revision,
        manifest: home.hash,
        known: state.homes.get(&peer).map(|home| home.manifest.revision),
        ticket: row.and_then(|row| row.ticket.clone()),
        approved: row.is_some_and(|row| row.status != PeerStatus::Waiting),
        boots: node.boots,
        clock: now,
        extensions: Extensions::default(),
    })
}

/// Own manifests above the revision that the other side knows.
pub(super) fn lacking(snapshot: &Snapshot, known: Option<u64>) -> Vec<Blob> {
    let own = snapshot.state.me().and_then(|me| snapshot.state.homes.get(&me));
    let skip = known.map_or(0, |known| usize::try_from(known).unwrap_or(usize::MAX).saturating_add(1));
    own.map(|home| home.chain.iter().skip(skip).cloned().collect()).unwrap_or_default()
}

/// Greets as the one who dialled `peer`.
pub(super) async fn dialled(
    federation: &Arc<Federation>,
    connection: &quinn::Connection,
    peer: WorkspaceId,
) -> Result<Greeted, LinkError> {
    tokio::time::timeout(GREETING, ask(federation, connection, peer)).await.map_err(late)?
}

/// Greets as the one who was dialled.
pub(super) async fn accepted(
    federation: &Arc<Federation>,
    connection: &quinn::Connection,
) -> Result<Greeted, LinkError> {
    tokio::time::timeout(GREETING, answer(federation, connection)).await.map_err(late)?
}

fn late(_: tokio::time::error::Elapsed) -> LinkError {
    LinkError::Protocol("the greeting took too long".into())
}

async fn ask(
    federation: &Arc<Federation>,
    connection: &quinn::Connection,
    peer: WorkspaceId,
) -> Result<Greeted, LinkError> {
    let stream = connection.open_bi().await.map_err(|error| LinkError::Transport(error.to_string()))?;
    let (mut writer, mut reader) = (FrameWriter::new(stream.0), FrameReader::of_stranger(stream.1));
    let snapshot = federation.handle.snapshot();
    let own = hello(&snapshot, peer, federation.handle.now()).ok_or_else(no_identity)?;
    writer.begin(StreamKind::Control);
    let asks = own.ticket.is_some();
    writer.push(&Control::Hello { hello: own })?;
    if asks {
        writer.push(&Control::Manifests { chain: lacking(&snapshot, None) })?;
    }
    writer.flush().await?;
    let theirs = read_hello(&mut reader).await?;
    if theirs.workspace != peer {
        return Err(LinkError::Stranger(format!("{} answers where {peer} should be", theirs.workspace)));
    }
    if !asks {
        send_lacking(&mut writer, &snapshot, theirs.known).await?;
    }
    learn(federation, connection, &mut reader, &theirs).await?;
    prove(federation, connection, peer)?;
    Ok(greeted(federation, theirs, told(&snapshot, peer), writer, reader))
}

async fn answer(federation: &Arc<Federation>, connection: &quinn::Connection) -> Result<Greeted, LinkError> {
    let stream = connection.accept_bi().await.map_err(|error| LinkError::Transport(error.to_string()))?;
    let (mut writer, mut reader) = (FrameWriter::new(stream.0), FrameReader::of_stranger(stream.1));
    if reader.kind().await? != StreamKind::Control {
        return Err(LinkError::Protocol("the first stream must be the control stream".into()));
    }
    let theirs = read_hello(&mut reader).await?;
    let peer = theirs.workspace;
    let introduced = match &theirs.ticket {
        Some(secret) => {
            introduce(federation, connection, &mut reader, peer, secret).await?;
            true
        }
        None => false,
    };
    let snapshot = federation.handle.snapshot();
    if !snapshot.state.peers.contains_key(&peer) {
        federation.handle.claimed(peer, connection.remote_address());
        return Err(LinkError::Stranger(format!("{peer} is no peer and shows no ticket")));
    }
    let own = hello(&snapshot, peer, federation.handle.now()).ok_or_else(no_identity)?;
    writer.push(&Control::Hello { hello: own })?;
    send_lacking(&mut writer, &snapshot, theirs.known).await?;
    if !introduced {
        learn(federation, connection, &mut reader, &theirs).await?;
    }
    prove(federation, connection, peer)?;
    Ok(greeted(federation, theirs, told(&snapshot, peer), writer, reader))
}

fn no_identity() -> LinkError {
    LinkError::Stranger("this node has no identity".into())
}

/// A ticket counts only for the workspace whose manifest names the key of this connection.
async fn introduce(
    federation: &Arc<Federation>,
    connection: &quinn::Connection,
    reader: &mut FrameReader,
    peer: WorkspaceId,
    secret: &Blob,
) -> Result<(), LinkError> {
    let Some(Control::Manifests { chain }) = reader.next().await? else {
        return Err(LinkError::Protocol("a ticket comes with the manifests of who shows it".into()));
    };
    let home =
        identity::verify_chain(None, &chain).map_err(|reject| LinkError::Protocol(reject.to_string()))?;
    if home.id != peer || !fits(&home, tls::proven_key(connection)) {
        return Err(LinkError::Stranger("the key of the connection is not the workspace's".into()));
    }
    federation.handle.ask(Command::PeerRequest { manifests: chain, secret: secret.clone() }).await?;
    Ok(())
}

async fn read_hello(reader: &mut FrameReader) -> Result<Hello, LinkError> {
    match reader.next().await? {
        Some(Control::Hello { hello }) => Ok(hello),
        Some(Control::Bye { reason }) => Err(LinkError::Stranger(reason)),
        Some(_) => Err(LinkError::Protocol("the control stream begins with a hello".into())),
        None => Err(LinkError::Transport("closed during the greeting".into())),
    }
}

async fn send_lacking(
    writer: &mut FrameWriter,
    snapshot: &Snapshot,
    known: Option<u64>,
) -> Result<(), LinkError> {
    let chain = lacking(snapshot, known);
    if !chain.is_empty() {
        writer.push(&Control::Manifests { chain })?;
    }
    writer.flush().await
}

/// Reads the manifests that the greeting announces, until their newest one is held.
async fn learn(
    federation: &Arc<Federation>,
    connection: &quinn::Connection,
    reader: &mut FrameReader,
    theirs: &Hello,
) -> Result<(), LinkError> {
    let held = federation.handle.snapshot().state.homes.get(&theirs.workspace).cloned();
    if held.as_ref().is_some_and(|held| held.manifest.revision >= theirs.revision) {
        let same =
            held.is_some_and(|held| held.manifest.revision > theirs.revision || held.hash == theirs.manifest);
        return if same { Ok(()) } else { Err(forked(theirs.manifest)) };
    }
    let Some(Control::Manifests { chain }) = reader.next().await? else {
        return Err(LinkError::Protocol("the manifests that the hello announced do not come".into()));
    };
    // Whoever names a peer may be anybody yet: nothing is kept before the key of the connection stands in the chain.
    let home = identity::verified(&federation.handle.snapshot().state, &chain)
        .map_err(|reject| LinkError::Protocol(reject.to_string()))?;
    if home.id != theirs.workspace || !fits(&home, tls::proven_key(connection)) {
        return Err(LinkError::Stranger(format!(
            "the key of the connection is not one of {}",
            theirs.workspace
        )));
    }
    federation.handle.ask(Command::Manifests(chain)).await?;
    Ok(())
}

fn forked(manifest: Hash) -> LinkError {
    LinkError::Stranger(format!("its manifest {manifest} contradicts the one that is known of this revision"))
}

/// The TLS key must stand in the newest manifest that is known (spec 9.1).
fn prove(
    federation: &Arc<Federation>,
    connection: &quinn::Connection,
    peer: WorkspaceId,
) -> Result<(), LinkError> {
    let snapshot = federation.handle.snapshot();
    let home = snapshot.state.homes.get(&peer);
    if home.is_some_and(|home| fits(home, tls::proven_key(connection))) {
        Ok(())
    } else {
        Err(LinkError::Stranger(format!("the key of the connection is not one of {peer}")))
    }
}

fn fits(home: &Home, key: Option<PublicKey>) -> bool {
    key.is_some_and(|key| identity::is_tls_key(home, key))
}

fn greeted(
    federation: &Arc<Federation>,
    hello: Hello,
    told: Option<Told>,
    writer: FrameWriter,
    reader: FrameReader,
) -> Greeted {
    let (now, theirs) = (federation.handle.now(), hello.clock);
    if now.since(theirs).max(theirs.since(now)) > SKEW_MILLIS {
        tracing::warn!(peer = %hello.workspace, %now, %theirs, "the clocks of the two nodes differ");
    }
    Greeted { peer: hello.workspace, hello, told, writer, reader: reader.known() }
}
