//! A follower's node that comes back from a copy of its folder taken before the removal (P7.3, invariant 6).

use std::fs;

use comity::{
    node::Snapshot,
    protocol::{Command, Records as _, gate},
    wire::objects::{Action, Grade},
};

use crate::harness::{Workspace, admit, copy, group, http, peer, reads, shared_group};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p7_3_a_follower_restored_from_before_the_removal_shows_nothing_once_it_is_back() {
    let (acme, mut globex) = (Workspace::new("acme").await, Workspace::new("globex").await);
    let (alice, (bob, token)) = (acme.alice(), globex.person("bob").await);
    peer(&acme, &globex).await;
    let (lost, chat) = shared_group(&acme, alice, &globex, bob).await;
    let (kept_group, other) = group(&acme, alice, "Other").await;
    admit(&acme, alice, kept_group, &globex, bob, Grade::Post).await;
    acme.post(alice, chat, 1, "SECRET words").await;
    globex.until("the words", |view| reads(view, bob, chat) == ["SECRET words"]).await;

    let old = globex.handle().snapshot().state.peers[&acme.id].inbound.map(|(feed, ..)| feed);
    globex.stop().await;
    let kept = tempfile::TempDir::new().unwrap();
    copy(globex.path(), kept.path());
    globex.start().await;
    acme.ask(Command::Act(alice, Action::Remove { scope: lost, user: bob, everywhere: true })).await;
    globex.until("the removal", |view| reads(view, bob, chat).is_empty()).await;
    let confirmed = |view: &Snapshot| {
        view.state.removals.values().all(|removal| removal.homes.iter().all(|(_, at)| at.is_some()))
    };
    acme.until("P7.6: the receipt", confirmed).await;
    acme.post(alice, chat, 2, "SECRET later").await;

    globex.stop().await;
    fs::remove_dir_all(globex.path()).unwrap();
    copy(kept.path(), globex.path());
    globex.start().await;
    let feed = |view: &Snapshot| view.state.peers[&acme.id].inbound.map(|(feed, ..)| feed);
    let compared = |view: &Snapshot| {
        assert_eq!(
            reads(view, bob, chat),
            [""; 0],
            "P7.3: without a fresh lease nothing is read, at no moment"
        );
        feed(view) != old
    };
    globex.until("the comparison", compared).await;
    acme.post(alice, other, 10, "fence").await;
    let back = globex.until("the link", |view| reads(view, bob, other).contains(&"fence".to_owned())).await;
    let gone =
        |view: &Snapshot| !gate::sees_scope(&view.state, bob, lost) && !gate::reaches(&view.state, bob, chat);
    assert!(gone(&back));
    let mut live = http::Live::open(&globex.host, &token, &[("last-event-id", "1")]).await;
    live.until("hello").await;
    acme.post(alice, chat, 3, "SECRET later").await;
    acme.post(alice, other, 20, "fence two").await;
    live.until("fence two").await;
    assert!(!live.seen.contains("SECRET"), "{}", live.seen);
    for path in [format!("/groups/{lost}"), format!("/threads/{chat}/messages")] {
        let answer = http::ask(&globex.host, &token, &format!("GET {path}"), "", &[]).await;
        assert_eq!(answer.status, 404, "{}", answer.text);
    }
    let view = globex.handle().snapshot();
    assert!(gone(&view) && view.stored(chat, 1).is_none(), "the copy is deleted again");
}
