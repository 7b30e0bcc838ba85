//! The link: this node's side of the connections to other workspaces (spec 9).
//!
//! Duty: bytes between quinn and the node's door; who is on the other end; catching up after any outage. Never: a rule
//! of who may what (the core and its gate have them), a queue that grows with a slow peer.

mod accept;
mod content;
mod control;
mod dial;
mod endpoint;
mod feed;
mod frame;
mod greet;
mod history;
mod lease;
mod link;
mod recall;
mod registry;
mod submit;
mod tls;

use std::{net::SocketAddr, sync::Arc};

use tokio::sync::watch;

use crate::{
    crypto::SecretKey,
    node::{AskError, Handle},
};

use registry::Registry;

/// Why a link ended or could not be made. For the log and the operator.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The socket, or the key, cannot be used.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, String),
    /// The transport.
    #[error("the connection failed: {0}")]
    Transport(String),
    /// The other side broke the protocol.
    #[error("the other side broke the protocol: {0}")]
    Protocol(String),
    /// Who is there is not who should be.
    #[error("{0}")]
    Stranger(String),
    /// The node stops or refuses.
    #[error(transparent)]
    Node(#[from] AskError),
}

/// What every link needs.
#[derive(Debug)]
struct Federation {
    handle: Handle,
    endpoint: quinn::Endpoint,
    client: watch::Sender<quinn::ClientConfig>,
    registry: Registry,
}

/// Listens, dials the peers, and carries acts to them, until the node stops. Returns the address in use.
///
/// # Errors
/// The address cannot be bound.
pub fn start(handle: &Handle, tls: &SecretKey, listen: SocketAddr) -> Result<SocketAddr, LinkError> {
    // Before the first key is used: what replaces it from then on is seen.
    let keys = handle.tls_key();
    let (endpoint, client) = endpoint::bind(listen, tls)?;
    let client = watch::channel(client).0;
    let address = endpoint.local_addr().map_err(|error| LinkError::Listen(listen, error.to_string()))?;
    let registry = Registry::default();
    let federation = Arc::new(Federation { handle: handle.clone(), endpoint, client, registry });
    let tasks = handle.tasks();
    tasks.spawn(accept::run(federation.clone()));
    tasks.spawn(dial::run(federation.clone()));
    tasks.spawn(submit::forwards(federation.clone()));
    let closing = federation.endpoint.clone();
    tasks.at_stop(async move {
        closing.close(quinn::VarInt::from_u32(0), b"the node stops");
        closing.wait_idle().await;
    });
    tasks.spawn(endpoint::renew(federation, keys));
    Ok(address)
}
