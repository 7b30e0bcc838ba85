//! What leases cost their owner (spec 11): with few groups and with many, the same peers.
//!
//! Duty: the owner as a process, its peers in this one; its CPU time and its datagrams. Never: a peer that cheats: each is
//! a whole node, without a journal.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tokio::{net::UdpSocket, sync::watch, task::JoinSet};

use super::{
    Sizes,
    library::{self, Side, until},
    measure::{cpu_exact, now, rounded},
};
use crate::{
    cli::person::{Person, text},
    demo::cluster::{Workspace, free_udp},
    node::Snapshot,
    protocol::{Command, row::PeerStatus},
};

/// The lease of every group, in seconds: a follower asks at a third of it.
const TTL: u64 = 60;
/// Requests that are on the way at a time.
const IN_FLIGHT: usize = 16;

/// An owner with few groups and one with many; each with as many peers, of which each has a member in its share of them.
pub(super) async fn run(sizes: Sizes) -> Result<Value> {
    let few = measured(sizes, sizes.lease_groups.0).await?;
    let many = measured(sizes, sizes.lease_groups.1).await?;
    let ratio = |name: &str| {
        let at = |value: &Value| value.get(name).and_then(Value::as_f64).unwrap_or(f64::NAN);
        rounded(at(&many) / at(&few))
    };
    let ratios = json!({ "cpu": ratio("cpu_ms_per_second"), "bytes": ratio("bytes_per_second") });
    Ok(json!({
        "few": few, "many": many, "ratio": ratios, "peers": sizes.lease_peers, "ttl_seconds": TTL,
        "window_seconds": sizes.lease_window.as_secs(),
    }))
}

async fn measured(sizes: Sizes, groups: usize) -> Result<Value> {
    let root = tempfile::tempdir()?;
    let link = free_udp()?;
    let counter = Counter::start(link, sizes.lease_peers).await?;
    let mut owner = Workspace::make(root.path(), "acme", "alice", link, counter.address).await?;
    owner.start().await?;
    let (alice, pid) = (owner.admin().await?, owner.pid().context("the owner does not run")?);
    let mut peers = Vec::new();
    for n in 0..sizes.lease_peers {
        peers.push(befriend(&alice, n).await?);
    }
    let places = join(&alice, &peers, groups).await?;
    settle(&alice, &peers).await?;
    let (before, bytes, begin) = (cpu_exact(pid)?, counter.bytes(), now());
    tokio::time::sleep(sizes.lease_window).await;
    let seconds = begin.elapsed().as_secs_f64();
    let (used, sent) = (cpu_exact(pid)? - before, counter.bytes() - bytes);
    for peer in peers {
        peer.node.stop().await;
    }
    owner.stop().await?;
    Ok(json!({
        "groups": groups, "memberships": places, "cpu_ms_per_second": rounded(used * 1e3 / seconds),
        "bytes_per_second": rounded(f64::from(u32::try_from(sent)?) / seconds),
    }))
}

/// A peer of the owner, whose user takes every invitation.
async fn befriend(alice: &Person, n: usize) -> Result<Side> {
    // The owner cannot dial it: every datagram between the two goes through the counter.
    let peer = library::side(&format!("peer{n}"), Some("127.0.0.1:9".into())).await?;
    let ticket = text(&alice.post("/peers/tickets", json!({})).await?, "/ticket")?;
    peer.node.handle.ask(redeem(&ticket).context("an unreadable ticket")?).await?;
    let id = peer.node.handle.me();
    let waits = |answer: &Value| {
        let peers = answer.get("peers").and_then(Value::as_array).into_iter().flatten();
        peers.into_iter().any(|row| {
            row.pointer("/workspace/id").and_then(Value::as_str) == Some(&id.to_string())
                && row.get("status").and_then(Value::as_str) == Some("waiting")
        })
    };
    alice.until("/peers", waits).await?;
    alice.post(&format!("/peers/{id}/approve"), json!({})).await?;
    let active = |view: &Snapshot| view.state.peers.values().any(|row| row.status == PeerStatus::Active);
    until(&peer.node.handle, active).await?;
    library::accept_all(&peer);
    Ok(peer)
}

fn redeem(ticket: &str) -> Option<Command> {
    let mut words = ticket.split_whitespace().skip(1);
    let peer = words.next()?.parse().ok()?;
    let endpoints = words.next()?.split(',').map(str::to_owned).collect();
    let secret = data_encoding::BASE32_NOPAD.decode(words.next()?.to_uppercase().as_bytes()).ok()?;
    Some(Command::RedeemTicket { peer, endpoints, secret: secret.into() })
}

/// Makes the groups, and a member of each peer in its share of them. How many memberships that is.
async fn join(alice: &Person, peers: &[Side], groups: usize) -> Result<usize> {
    let (count, places) = (peers.len(), (groups / peers.len()).max(1));
    let next = Arc::new(AtomicUsize::new(0));
    let addresses: Arc<Vec<String>> = Arc::new(peers.iter().map(|peer| peer.address.clone()).collect());
    let mut workers = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let (alice, next, addresses) = (alice.clone(), next.clone(), addresses.clone());
        workers.spawn(async move {
            let mut client = alice.client().await?;
            loop {
                let group = next.fetch_add(1, Ordering::Relaxed);
                if group >= groups {
                    return Ok::<_, anyhow::Error>(());
                }
                let new = json!({ "name": format!("Group {group}"), "lease": TTL });
                let id = text(&client.post("/groups", &new).await?, "/id")?;
                let members = addresses.iter().enumerate().filter(|(peer, _)| peer % groups == group % count);
                for (_, address) in members {
                    let path = format!("/groups/{id}/members");
                    client.post(&path, &json!({ "address": address })).await?;
                }
            }
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker??;
    }
    let mut joined = 0;
    for peer in peers {
        let user = peer.user;
        let there = |view: &Snapshot| {
            let groups = view.state.places.get(&user).into_iter().flatten();
            groups.filter(|place| place.group().is_some()).count()
        };
        joined += there(&*until(&peer.node.handle, |view| there(view) >= places).await?);
    }
    Ok(joined)
}

/// A relay in front of the owner, one socket per peer behind it, that counts what passes in both directions.
struct Counter {
    address: SocketAddr,
    bytes: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Counter {
    async fn start(owner: SocketAddr, peers: usize) -> Result<Self> {
        let front = Arc::new(UdpSocket::bind("127.0.0.1:0").await?);
        let (address, bytes) = (front.local_addr()?, Arc::new(AtomicUsize::new(0)));
        let mut tasks = JoinSet::new();
        let (mut behind, mut known) = (Vec::new(), Vec::<watch::Sender<Option<SocketAddr>>>::new());
        for _ in 0..peers {
            let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await?);
            socket.connect(owner).await?;
            let (peer, whose) = watch::channel(None);
            tasks.spawn(back(socket.clone(), front.clone(), whose, bytes.clone()));
            behind.push(socket);
            known.push(peer);
        }
        tasks.spawn(forth(front, behind, known, bytes.clone()));
        Ok(Self { address, bytes, _tasks: tasks })
    }

    fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// Until nothing is on its way: every row is acknowledged on both sides, and each peer holds a lease.
async fn settle(alice: &Person, peers: &[Side]) -> Result<()> {
    let quiet = |answer: &Value| {
        let mut peers = answer.get("peers").and_then(Value::as_array).into_iter().flatten();
        peers.all(|row| row.get("unacknowledged").and_then(Value::as_u64) == Some(0))
    };
    alice.until("/peers", quiet).await?;
    for peer in peers {
        let leased = |view: &Snapshot| {
            !view.state.uptime.held.is_empty() && view.state.peers.values().all(|row| row.acked == row.queued)
        };
        until(&peer.node.handle, leased).await?;
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    Ok(())
}

async fn forth(
    front: Arc<UdpSocket>,
    behind: Vec<Arc<UdpSocket>>,
    known: Vec<watch::Sender<Option<SocketAddr>>>,
    bytes: Arc<AtomicUsize>,
) {
    let mut packet = vec![0; 65_536];
    while let Ok((length, from)) = front.recv_from(&mut packet).await {
        let place = known.iter().position(|peer| *peer.borrow() == Some(from));
        let place = place.or_else(|| known.iter().position(|peer| peer.borrow().is_none()));
        let Some((peer, socket)) = place.and_then(|at| known.get(at).zip(behind.get(at))) else { continue };
        if peer.borrow().is_none() {
            peer.send_replace(Some(from));
        }
        count(&bytes, packet.get(..length), socket.send(packet.get(..length).unwrap_or_default()).await);
    }
}

async fn back(
    socket: Arc<UdpSocket>,
    front: Arc<UdpSocket>,
    whose: watch::Receiver<Option<SocketAddr>>,
    bytes: Arc<AtomicUsize>,
) {
    let mut packet = vec![0; 65_536];
    loop {
        let Ok(length) = socket.recv(&mut packet).await else { continue };
        let Some(to) = *whose.borrow() else { continue };
        count(
            &bytes,
            packet.get(..length),
            front.send_to(packet.get(..length).unwrap_or_default(), to).await,
        );
    }
}

fn count(bytes: &AtomicUsize, packet: Option<&[u8]>, sent: std::io::Result<usize>) {
    match sent {
        Ok(_) => drop(bytes.fetch_add(packet.map_or(0, <[u8]>::len), Ordering::Relaxed)),
        Err(error) => tracing::debug!(%error, "a packet was dropped"),
    }
}
