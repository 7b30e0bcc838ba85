//! Real nodes in one process over real QUIC on loopback: peering, membership, content, restart, removal (spec 8, 9).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

use comity::{
    crypto::sha256,
    ids::{Hash, ThreadId, UserId},
    node::{
        Link, Snapshot,
        identity::{self, Rotate},
    },
    protocol::{Command, Records as _, Reply, gate, row::PeerStatus},
    time::Millis,
    wire::{
        Blob, cbor,
        frames::{Control, Hello},
        objects::{Action, Extensions},
    },
};
use harness::{PATIENCE, Workspace, peer, raw, reads, shared_group};

mod harness;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_talk_break_and_part() {
    let (a, mut b) = (Workspace::new("acme").await, Workspace::new("globex").await);
    let (alice, bob) = (a.alice(), b.user("bob").await);
    peer(&a, &b).await;
    let (group, chat) = shared_group(&a, alice, &b, bob).await;

    assert_eq!(a.post(alice, chat, 1, "one").await, Reply::Posted(1));
    b.until("one", |snapshot| reads(snapshot, bob, chat) == ["one"]).await;
    assert_eq!(b.post(bob, chat, 1, "two").await, Reply::Pending(a.id));
    a.until("two", |snapshot| reads(snapshot, alice, chat) == ["one", "two"]).await;
    let settled =
        |snapshot: &Snapshot| snapshot.state.outbox.is_empty() && reads(snapshot, bob, chat).len() == 2;
    b.until("the answer", settled).await;

    b.stop().await;
    for n in 2..=600 {
        a.post(alice, chat, n, &format!("away {n}")).await;
    }
    b.start().await;
    let all = |snapshot: &Snapshot| reads(snapshot, bob, chat).len() == 601;
    b.until("catching up by itself", all).await;

    let everywhere = true;
    a.ask(Command::Act(alice, Action::Remove { scope: group, user: bob, everywhere })).await;
    b.until("P7.2: the removed reads nothing", |snapshot| reads(snapshot, bob, chat).is_empty()).await;
    let receipt = |snapshot: &Snapshot| {
        snapshot.state.removals.values().all(|removal| removal.homes.iter().all(|(_, at)| at.is_some()))
    };
    a.until("P7.6: the receipt", receipt).await;
    assert!(b.handle().snapshot().stored(chat, 1).is_none(), "P7.3: the copy is deleted");
    assert!(b.path().exists());
    b.stop().await;
}

/// P7.5, P8.1: the end waits for a peer that is away; it takes it and confirms it when it connects.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_peering_reaches_a_peer_that_was_away() {
    let (a, mut b) = (Workspace::new("acme").await, Workspace::new("globex").await);
    let (alice, bob) = (a.alice(), b.user("bob").await);
    peer(&a, &b).await;
    let (_, chat) = shared_group(&a, alice, &b, bob).await;
    a.post(alice, chat, 1, "one").await;
    b.until("one", |snapshot| reads(snapshot, bob, chat) == ["one"]).await;
    b.stop().await;
    a.ask(Command::EndPeer(alice, b.id)).await;
    a.post(alice, chat, 2, "two").await;
    b.start().await;
    let ended = |snapshot: &Snapshot| snapshot.state.peers[&a.id].status == PeerStatus::Ended;
    let seen = b.until("the end", ended).await;
    assert!(!gate::reaches(&seen.state, bob, chat) && seen.stored(chat, 1).is_none(), "no access, no copy");
    let receipt = |snapshot: &Snapshot| {
        snapshot.state.removals.values().all(|removal| removal.homes.iter().all(|(_, at)| at.is_some()))
    };
    let seen = a.until("P7.6: the receipt", receipt).await;
    assert_eq!(seen.state.removals.len(), 1);
    b.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_wait_for_an_owner_that_is_away() {
    let (mut a, b) = (Workspace::new("acme").await, Workspace::new("globex").await);
    let (alice, bob) = (a.alice(), b.user("bob").await);
    peer(&a, &b).await;
    let (_, chat) = shared_group(&a, alice, &b, bob).await;
    a.stop().await;
    for n in 1..=50 {
        assert_eq!(b.post(bob, chat, n, &n.to_string()).await, Reply::Pending(a.id));
    }
    a.start().await;
    let expected: Vec<String> = (1..=50).map(|n| n.to_string()).collect();
    a.until("the outbox in order", |snapshot| reads(snapshot, alice, chat) == expected).await;
    b.until("an empty outbox", |snapshot| {
        snapshot.state.outbox.is_empty() && reads(snapshot, bob, chat) == expected
    })
    .await;
}

/// An approval while the node greets its peer is told like any other: the greeting said that there was none yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_during_the_greeting_reaches_the_peer() {
    let (a, b) = (Workspace::new("acme").await, Workspace::asleep("globex"));
    let (secret, chain) = (Blob::from(vec![7; 32]), b.home.chain.clone());
    a.ask(Command::OpenTicket(sha256(&[&secret]), Millis(u64::MAX))).await;
    a.ask(Command::PeerRequest { manifests: chain.clone(), secret }).await;

    let (_endpoint, connection) = raw::connect(&raw::key_of(b.path(), "tls.key"), a.address).await;
    let (mut control, mut answers) = connection.open_bi().await.unwrap();
    let hello = Hello {
        workspace: b.id,
        // The node waits for the manifest that this announces, after its own greeting.
        revision: 1,
        manifest: Hash([1; 32]),
        known: Some(0),
        ticket: None,
        approved: true,
        boots: 1,
        clock: Millis(0),
        extensions: Extensions::default(),
    };
    let begin = [[1].as_slice(), &raw::frame(&cbor::encode(&Control::Hello { hello }))].concat();
    raw::send(&mut control, &begin).await;
    let Control::Hello { hello } = raw::receive(&mut answers).await else { panic!("no greeting") };
    assert!(!hello.approved);
    a.ask(Command::Approve(b.id)).await;
    raw::send(&mut control, &raw::frame(&cbor::encode(&Control::Manifests { chain }))).await;
    let told = async {
        while let Some(frame) = raw::next::<Control>(&mut answers).await {
            if matches!(frame, Control::Hello { hello } if hello.approved) {
                return;
            }
        }
        panic!("the link ended");
    };
    tokio::time::timeout(PATIENCE, told).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_learns_nothing_and_a_wrong_ticket_is_refused() {
    let (a, b) = (Workspace::new("acme").await, Workspace::new("globex").await);
    let secret = Blob::from(vec![9; 32]);
    b.ask(Command::RedeemTicket { peer: a.id, endpoints: vec![a.address.to_string()], secret }).await;
    let mut links = b.handle().links();
    let says = |link: &Link| link.error.as_ref().is_some_and(|(_, error)| error.contains("ticket"));
    let failed = links.wait_for(|links| links.get(&a.id).is_some_and(says));
    tokio::time::timeout(PATIENCE, failed).await.unwrap().unwrap();
    assert!(a.handle().snapshot().state.peers.is_empty());
    assert!(!b.handle().snapshot().state.homes.contains_key(&a.id), "the stranger learned who is there");
    assert_ne!(a.id.0, Hash::ZERO.0);
}

/// Both write, both read both.
async fn both_ways(a: &Workspace, alice: UserId, b: &Workspace, bob: UserId, chat: ThreadId, n: u64) {
    let (from_a, from_b) = (format!("a{n}"), format!("b{n}"));
    a.post(alice, chat, n, &from_a).await;
    b.post(bob, chat, n, &from_b).await;
    let has = |texts: &[String]| texts.contains(&from_a) && texts.contains(&from_b);
    a.until(&from_b, |snapshot| has(&reads(snapshot, alice, chat))).await;
    b.until(&from_a, |snapshot| has(&reads(snapshot, bob, chat))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_key_is_rotated_while_peers_are_connected_and_while_they_are_away() {
    let (mut a, mut b) = (Workspace::new("acme").await, Workspace::new("globex").await);
    let (alice, bob) = (a.alice(), b.user("bob").await);
    peer(&a, &b).await;
    let (_, chat) = shared_group(&a, alice, &b, bob).await;
    let keys = [Rotate::Sign { revoke: false }, Rotate::Tls, Rotate::Root, Rotate::Sign { revoke: true }];
    for (n, which) in (1..).zip(keys) {
        identity::rotate_running(a.handle(), a.path(), which, alice).await.unwrap();
        let revision = |snapshot: &Snapshot| snapshot.state.homes[&a.id].manifest.revision == n;
        b.until("the new manifest", revision).await;
        both_ways(&a, alice, &b, bob, chat, n).await;
    }
    b.stop().await;
    identity::rotate_running(a.handle(), a.path(), Rotate::Tls, alice).await.unwrap();
    identity::rotate_running(a.handle(), a.path(), Rotate::Tls, alice).await.unwrap();
    a.stop().await;
    identity::rotate(a.path(), Rotate::Sign { revoke: false }).unwrap();
    a.start().await;
    b.start().await;
    both_ways(&a, alice, &b, bob, chat, 9).await;
    b.stop().await;
    identity::rotate(b.path(), Rotate::Tls).unwrap();
    b.start().await;
    both_ways(&a, alice, &b, bob, chat, 10).await;
}

/// P5.4: a group moves to the other node with its history, goes on there, and the old owner obeys the new one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_moves_to_the_other_node() {
    let (mut a, b) = (Workspace::new("acme").await, Workspace::new("globex").await);
    let (alice, bob) = (a.alice(), b.alice());
    peer(&a, &b).await;
    let (group, chat) = shared_group(&a, alice, &b, bob).await;
    a.post(alice, chat, 1, "one").await;
    b.post(bob, chat, 1, "two").await;
    a.until("two", |snapshot| reads(snapshot, alice, chat) == ["one", "two"]).await;
    let Reply::Offered(id) = a.ask(Command::OfferMove(alice, group.group().unwrap(), b.id)).await else {
        panic!()
    };
    b.until("the offer", |snapshot| snapshot.state.transfers.contains_key(&id)).await;
    b.ask(Command::WantMove(bob, id)).await;
    b.until("the group", |snapshot| snapshot.state.owns(group) && snapshot.state.owns(chat)).await;
    let follows = |snapshot: &Snapshot| {
        snapshot.state.scope(chat).is_some_and(|scope| scope.head.owner == b.id)
            && reads(snapshot, alice, chat) == ["one", "two"]
    };
    a.until("the group by the new owner's lease", follows).await;
    assert_eq!(a.post(alice, chat, 2, "three").await, Reply::Pending(b.id));
    assert!(matches!(b.post(bob, chat, 2, "four").await, Reply::Posted(_)));
    let all = |snapshot: &Snapshot, user: UserId| {
        let mut texts = reads(snapshot, user, chat);
        texts.sort_unstable();
        texts == ["four", "one", "three", "two"]
    };
    a.until("all of it", |snapshot| all(snapshot, alice)).await;
    b.until("all of it", |snapshot| all(snapshot, bob)).await;
    a.stop().await;
    a.start().await;
    a.until("all of it after a restart", |snapshot| all(snapshot, alice)).await;
    b.ask(Command::Act(bob, Action::Remove { scope: group, user: alice, everywhere: true })).await;
    a.until("P7.2: the removed reads nothing", |snapshot| reads(snapshot, alice, chat).is_empty()).await;
    let receipt = |snapshot: &Snapshot| {
        let mut homes = snapshot.state.removals.values().flat_map(|removal| removal.homes.iter());
        !snapshot.state.removals.is_empty() && homes.all(|(_, at)| at.is_some())
    };
    b.until("P7.6: the receipt", receipt).await;
}
