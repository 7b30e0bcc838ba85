//! The audit log of two real nodes over HTTP and QUIC, its exports, and what a purge leaves on the disk (P7.3, P8.3).
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a test stops at the first surprise, and shares a file with the simulator"
)]

#[allow(dead_code, reason = "shared with the simulator, which uses all of it")]
#[path = "simulator/cluster.rs"]
mod cluster;

use std::{collections::BTreeSet, net::SocketAddr, path::Path, time::Duration};

use cluster::Cluster;
use comity::{
    api,
    cli::client::Client,
    federation,
    ids::{ScopeId, SubmissionId, ThreadId, UserId},
    node::{Node, Snapshot, identity},
    protocol::{
        Command, Reply,
        audit::{Report, verify},
    },
    wire::objects::{Action, EntryKind, Floor, Grade, Settings},
};
use hyper::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

struct Company {
    node: Node,
    client: Client,
    me: String,
    dir: TempDir,
}

impl Company {
    async fn start(name: &str, admin: &str) -> Self {
        let dir = TempDir::new().unwrap();
        let port = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let link: SocketAddr = format!("127.0.0.1:{port}").parse().unwrap();
        identity::init(dir.path(), name, &format!("{name}.example"), vec![link.to_string()]).unwrap();
        let token = identity::first_admin(dir.path(), admin).unwrap().unwrap();
        let node = Node::start(dir.path()).unwrap();
        node.boot().await.unwrap();
        federation::start(&node.handle, &node.tls, link).unwrap();
        let host = api::start(&node.handle, None, "127.0.0.1:0".parse().unwrap()).await.unwrap().to_string();
        let mut client = Client::connect(&host, &token).await.unwrap();
        let me = client.get("/me").await.unwrap()["id"].as_str().unwrap().to_owned();
        Self { node, client, me, dir }
    }

    async fn until(&self, what: &str, wanted: impl Fn(&Snapshot) -> bool) {
        let mut view = self.node.handle.watch();
        let seen = tokio::time::timeout(Duration::from_secs(20), view.wait_for(|snapshot| wanted(snapshot)));
        assert!(seen.await.is_ok(), "waited in vain: {what}");
    }

    async fn post(&mut self, path: &str, body: Value) -> Value {
        self.client.post(path, &body).await.unwrap()
    }

    async fn export(&mut self, query: &str) -> String {
        let mut text = Vec::new();
        self.client.download(&format!("/audit/export{query}"), &mut text).await.unwrap();
        String::from_utf8(text).unwrap()
    }

    /// (act, actor) of every line.
    async fn acts(&mut self) -> BTreeSet<(String, Option<String>)> {
        let lines = self.client.get("/audit?limit=500").await.unwrap();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let lines = lines["lines"].as_array().unwrap().iter();
        lines.map(|line| (text(&line["line"]["act"]).unwrap(), text(&line["line"]["actor"]))).collect()
    }
}

const TEXT: &str = "the merger is on the ninth";

/// Peers, a group with a member of each side, a message, the removal, its receipt, the end; the workspace ids.
async fn story(acme: &mut Company, globex: &mut Company) -> (String, String) {
    let ticket = acme.post("/peers/tickets", json!({})).await["ticket"].clone();
    globex.post("/peers", json!({ "ticket": ticket })).await;
    acme.until("the request", |snapshot| !snapshot.state.peers.is_empty()).await;
    let (a, g) = (acme.node.handle.me(), globex.node.handle.me());
    acme.post(&format!("/peers/{g}/approve"), json!({})).await;
    let active = |snapshot: &Snapshot| {
        snapshot.state.peers.values().any(|peer| peer.status == comity::protocol::row::PeerStatus::Active)
    };
    globex.until("the approval", active).await;
    let group = acme.post("/groups", json!({ "name": "Deal" })).await;
    let (group, chat) = (group["id"].as_str().unwrap(), group["chat"].as_str().unwrap());
    acme.post(&format!("/groups/{group}/members"), json!({ "address": "gina@globex.example" })).await;
    globex.until("the invitation", |snapshot| !snapshot.state.received.is_empty()).await;
    let invite = globex.node.handle.snapshot().state.received.keys().next().unwrap().0;
    globex.post(&format!("/invitations/{invite}/accept"), json!({})).await;
    // Only what is written after the join is read by who joined: his home has answered, and the answer is on its way.
    let joined = |s: &Snapshot| s.state.scopes.values().any(|scope| scope.members.len() == 2);
    acme.until("the join", joined).await;
    acme.post(&format!("/threads/{chat}/messages"), json!({ "text": TEXT })).await;
    let chat: ThreadId = chat.parse().unwrap();
    globex.until("the message", |s| s.state.logs.get(&chat).is_some_and(|log| log.high == 1)).await;
    let act = json!({ "name": "Deal 2" });
    globex.client.call(Method::PATCH, &format!("/groups/{group}"), Some(&act)).await.unwrap_err();
    let path = format!("/groups/{group}/members/{}", globex.me);
    acme.client.call(Method::DELETE, &path, None).await.unwrap();
    let confirmed = |snapshot: &Snapshot| {
        snapshot.state.removals.values().all(|removal| removal.homes.iter().all(|(_, at)| at.is_some()))
    };
    acme.until("the receipt", confirmed).await;
    acme.post("/workspace/rotate", json!({ "key": "sign" })).await;
    acme.post(&format!("/users/{}/tokens", acme.me), json!({})).await;
    acme.client
        .call(Method::PATCH, &format!("/peers/{g}"), Some(&json!({ "invites": "refuse" })))
        .await
        .unwrap();
    globex.client.call(Method::DELETE, &format!("/peers/{a}"), None).await.unwrap();
    let ended = |snapshot: &Snapshot| !active(snapshot);
    acme.until("the end", ended).await;
    (a.to_string(), g.to_string())
}

fn clean(text: &str) -> Report {
    let report = verify(text).unwrap();
    assert_eq!(report.findings, vec![]);
    assert!(report.sealed.is_some());
    report
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p8_3_both_companies_can_check_what_the_other_exports() {
    let (mut acme, mut globex) =
        (Company::start("acme", "anna").await, Company::start("globex", "gina").await);
    let (a, g) = story(&mut acme, &mut globex).await;
    for (company, own, other) in [
        (
            &mut acme,
            &[
                "peer.ticket",
                "peer.active",
                "group.created",
                "invite.sent",
                "member.removed",
                "manifest.renewed",
                "user.token",
                "peer.policy",
            ][..],
            &[
                "workspace.founded",
                "manifest.received",
                "peer.waiting",
                "removal.confirmed",
                "statement.received",
                "peer.ended",
            ][..],
        ),
        (
            &mut globex,
            &["peer.requested", "invite.answered", "statement.sent", "peer.ended"],
            &["workspace.founded", "peer.active", "removal.received", "removal.applied", "manifest.received"],
        ),
    ] {
        let (acts, me) = (company.acts().await, company.me.clone());
        for act in own {
            assert!(acts.contains(&((*act).into(), Some(me.clone()))), "{act} by {me}: {acts:?}");
        }
        for act in other {
            assert!(acts.contains(&((*act).into(), None)), "{act}: {acts:?}");
        }
    }
    let (at_acme, at_globex) = (acme.export("").await, globex.export("").await);
    let (ours, theirs) = (clean(&at_acme), clean(&at_globex));
    assert_eq!((ours.workspace.to_string(), theirs.workspace.to_string()), (a, g));
    assert!(ours.objects >= 6 && theirs.objects >= 5, "{ours:?} {theirs:?}");
    assert!(!at_acme.contains(TEXT) && !at_globex.contains(TEXT), "exports hold no message bodies");

    let part = clean(&acme.export("?first=3&last=6").await);
    assert_eq!((part.first, part.last, part.records), (3, 6, 4));
    let newer = clean(&acme.export(&format!("?first={}", ours.last + 1)).await);
    assert!(
        newer.records == 0 || newer.first == ours.last + 1,
        "the log goes on, a node writes in it at any time"
    );
    for query in ["first=0", "first=9&last=3", "last=100000"] {
        let path = format!("/audit/export?{query}");
        assert_eq!(acme.client.send(Method::GET, &path, None, None).await.unwrap().status, 422, "{query}");
    }
    let forged = at_acme.replacen("member.removed", "member.praised", 1);
    let named = verify(&forged).unwrap().findings;
    let expected = at_acme.lines().position(|line| line.contains("member.removed")).unwrap();
    assert_eq!(named.iter().map(|found| found.record).collect::<Vec<_>>(), [u64::try_from(expected).ok()]);
    acme.node.stop().await;
    globex.node.stop().await;
}

/// P7.3: on the owner's disk and on the disk of a home that purged no text can be found; at the owner it is encrypted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p7_3_no_text_is_left_in_the_folder_of_a_home_that_purged() {
    let (mut acme, mut globex) =
        (Company::start("acme", "anna").await, Company::start("globex", "gina").await);
    story(&mut acme, &mut globex).await;
    acme.node.stop().await;
    globex.node.stop().await;
    for dir in [acme.dir, globex.dir] {
        assert!(found(dir.path(), "removal."), "what is searched for can be found");
        assert!(!found(dir.path(), TEXT), "a text lies in {:?}", dir.path());
    }
}

fn found(dir: &Path, text: &str) -> bool {
    std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).any(|path| {
        if path.is_dir() {
            return found(&path, text);
        }
        std::fs::read(path).unwrap().windows(text.len()).any(|window| window == text.as_bytes())
    })
}

#[tokio::test]
async fn filters_of_the_audit_log_combine() {
    let mut acme = Company::start("acme", "anna").await;
    for n in 0..5 {
        acme.post("/groups", json!({ "name": n.to_string() })).await;
        acme.post("/users", json!({ "local": format!("u{n}"), "name": "U" })).await;
    }
    let group = acme.client.get("/groups").await.unwrap()["groups"][0]["id"].as_str().unwrap().to_owned();
    let (me, now) = (acme.me.clone(), acme.node.handle.now().plus(1).0);
    for (query, count) in [
        (String::new(), 13),
        ("act=user.".into(), 7),
        ("act=user.added&limit=2".into(), 2),
        (format!("actor={me}"), 10),
        (format!("actor={me}&act=group."), 5),
        (format!("scope={group}"), 1),
        (format!("from={now}"), 0),
        (format!("to={now}&from=2020-01-01"), 13),
        ("to=2020-01-01T00:00:00Z".into(), 0),
        (format!("peer={}", acme.node.handle.me()), 0),
    ] {
        let answer = acme.client.get(&format!("/audit?{query}")).await.unwrap();
        assert_eq!(answer["lines"].as_array().unwrap().len(), count, "{query}: {answer}");
    }
    let wrong = acme.client.send(Method::GET, "/audit?from=yesterday", None, None).await.unwrap();
    assert_eq!(wrong.status, 422);
    assert!(wrong.body["detail"].as_str().unwrap().contains("write 2026-11-24"), "{}", wrong.body);
    acme.node.stop().await;
}

fn settings() -> Settings {
    let off = false;
    Settings {
        name: "Deal".into(),
        externals: true,
        open_invites: off,
        replies_off: off,
        locked: off,
        closed: off,
        open: off,
    }
}

/// A group at acme with these people of globex: (group, chat).
fn shared(cluster: &mut Cluster, alice: UserId, people: &[(&str, UserId)]) -> (ScopeId, ThreadId) {
    let made = cluster.nodes[0].run(Command::CreateGroup(alice, settings())).unwrap();
    let Reply::Scope(group, _) = made else { panic!() };
    for (local, user) in people {
        let address = format!("{local}@globex.example");
        let (grade, floor) = (Grade::Post, Floor::All);
        let invite = Action::Invite { scope: group, address, grade, floor, until: None };
        cluster.nodes[0].run(Command::Act(alice, invite)).unwrap();
        while cluster.feed(0, 1, false) {}
        let invite = cluster.nodes[1].state.received.keys().find(|(_, of)| of == user).unwrap().0;
        cluster.nodes[1].run(Command::AnswerInvite(*user, invite, true)).unwrap();
        while cluster.feed(1, 0, false) || cluster.feed(0, 1, false) {}
    }
    let chat = *cluster.nodes[0].state.addressed[&group.group().unwrap()].iter().next().unwrap();
    (group, chat)
}

/// P7.3: what the removed wrote and the owner never got goes with his place; what others wrote stays.
#[test]
fn p7_3_the_outbox_of_the_removed_goes_with_the_removal() {
    let mut cluster = Cluster::new(&["acme", "globex"]);
    let alice = cluster.nodes[0].user("alice");
    let (bob, bea) = (cluster.nodes[1].user("bob"), cluster.nodes[1].user("bea"));
    let (group, chat) = shared(&mut cluster, alice, &[("bob", bob), ("bea", bea)]);
    for (n, author) in [(1, bob), (2, bea)] {
        let (id, kind) = (SubmissionId([n; 16]), EntryKind::Message);
        let (thread, text) = (chat, "never sent".to_owned());
        let post = Command::Post { author, thread, id, kind, target: None, text, mentions: vec![] };
        assert!(matches!(cluster.nodes[1].run(post).unwrap(), Reply::Pending(_)));
    }
    let waiting = |cluster: &Cluster| {
        let rows = cluster.nodes[1].state.outbox.values();
        let (told, waiting): (Vec<_>, Vec<_>) = rows.partition(|row| row.sealed.is_shredded());
        assert!(told.iter().all(|row| row.refused.is_some()), "spec 8.12: he is told");
        assert!(waiting.iter().all(|row| row.refused.is_none()));
        waiting.iter().map(|row| row.author).collect::<Vec<_>>()
    };
    for (user, left) in [(bob, vec![bea]), (bea, vec![])] {
        let remove = Action::Remove { scope: group, user, everywhere: false };
        cluster.nodes[0].run(Command::Act(alice, remove)).unwrap();
        while cluster.feed(0, 1, false) {}
        assert_eq!(waiting(&cluster), left, "P7.3: no text of the removed");
    }
}
