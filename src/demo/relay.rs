//! The demo's own UDP relay between nodes, so that links can be cut without root.
//!
//! Duty: each node is reached at its relay address, and sees the others at theirs. Never: reading a packet.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Result;
use tokio::{net::UdpSocket, task::JoinSet};

/// Largest datagram.
const DATAGRAM: usize = 65_536;

/// A relay that runs until it is dropped.
#[derive(Debug)]
pub(super) struct Relay {
    cut: Arc<Mutex<BTreeSet<(usize, usize)>>>,
    addresses: Vec<SocketAddr>,
    _tasks: JoinSet<()>,
}

impl Relay {
    /// A relay in front of the nodes that will listen at these addresses.
    pub(super) async fn start(nodes: Vec<SocketAddr>) -> Result<Self> {
        let mut sockets = Vec::new();
        for _ in &nodes {
            sockets.push(UdpSocket::bind("127.0.0.1:0").await?);
        }
        let addresses = sockets.iter().map(UdpSocket::local_addr).collect::<Result<_, _>>()?;
        let (sockets, nodes, cut) = (Arc::new(sockets), Arc::new(nodes), Arc::default());
        let mut tasks = JoinSet::new();
        for to in 0..nodes.len() {
            tasks.spawn(forward(to, sockets.clone(), nodes.clone(), Arc::clone(&cut)));
        }
        Ok(Self { cut, addresses, _tasks: tasks })
    }

    /// Where the node is reached.
    pub(super) fn address(&self, node: usize) -> Option<SocketAddr> {
        self.addresses.get(node).copied()
    }

    /// Cuts the link between two nodes, or mends it.
    pub(super) fn set(&self, a: usize, b: usize, up: bool) {
        let link = (a.min(b), a.max(b));
        let mut cut = self.cut.lock().unwrap_or_else(PoisonError::into_inner);
        if up {
            cut.remove(&link);
        } else {
            cut.insert(link);
        }
    }
}

/// What arrives at a node's relay address from another node leaves from that one's relay address.
async fn forward(
    to: usize,
    sockets: Arc<Vec<UdpSocket>>,
    nodes: Arc<Vec<SocketAddr>>,
    cut: Arc<Mutex<BTreeSet<(usize, usize)>>>,
) {
    let (Some(socket), Some(target)) = (sockets.get(to), nodes.get(to)) else { return };
    let mut packet = vec![0; DATAGRAM];
    loop {
        let Ok((length, source)) = socket.recv_from(&mut packet).await else { continue };
        let Some(from) = nodes.iter().position(|node| *node == source) else { continue };
        let link = (from.min(to), from.max(to));
        if cut.lock().unwrap_or_else(PoisonError::into_inner).contains(&link) {
            continue;
        }
        if let (Some(out), Some(bytes)) = (sockets.get(from), packet.get(..length))
            && let Err(error) = out.send_to(bytes, target).await
        {
            tracing::debug!(%error, "a packet was dropped");
        }
    }
}
