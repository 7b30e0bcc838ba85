//! Real nodes after a start and after a restore: what waits, what comes back, what an admin is told (spec 12; P7).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

use std::io::{BufRead as _, BufReader};

use comity::{
    crypto::sha256,
    ids::{ScopeId, UserId},
    node::Snapshot,
    protocol::{Command, Records as _, gate, recovery, row::PeerStatus},
    time::Millis,
    wire::{
        Blob, cbor, envelope,
        frames::{FeedFrame, Item},
        objects::{Action, Event, Floor, Grade},
    },
};
use harness::{PATIENCE, Workspace, admit, copy, group, http, peer, raw, reads, settings, shared_group};
use hyper::Method;
use serde_json::{Value, json};

mod harness;

/// What an admin asks of the API.
async fn get(at: &Workspace, path: &str) -> Value {
    at.client(&at.admin).await.get(path).await.unwrap()
}

async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| panic!("too long: {what}"))
}

fn journal(at: &mut Workspace) -> std::path::PathBuf {
    let path = at.path().with_added_extension("journal");
    at.journal = Some(path.clone());
    path
}

/// P7.2: the removal that an admin asks for right after a start is carried out once who is connected was heard; and so
/// is an act that another home forwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p7_2_a_removal_right_after_a_start_waits_for_the_check() {
    let (mut acme, globex) = (Workspace::new("acme").await, Workspace::new("globex").await);
    let (alice, (bob, token), carl) = (acme.alice(), globex.person("bob").await, globex.user("carl").await);
    peer(&acme, &globex).await;
    let (scope, _) = group(&acme, alice, "Project").await;
    admit(&acme, alice, scope, &globex, bob, Grade::Admin).await;
    admit(&acme, alice, scope, &globex, carl, Grade::Post).await;
    acme.stop().await;
    acme.start().await;
    let check = get(&acme, "/workspace").await["check"].clone();
    let host = acme.host.clone();
    let health = http::ask(&host, "", "GET /health", "", &[]).await.json();
    assert_eq!(health["journal"], "off");
    if check["running"] == true {
        assert_eq!(check["awaited"][0]["domain"], "globex.example", "{check}");
        assert!(check["since"].as_u64().unwrap() > 0, "{check}");
    }
    let path = format!("/groups/{scope}/members/{carl}");
    let mut admin = acme.client(&acme.admin).await;
    let removed = within("the removal", admin.call(Method::DELETE, &path, None)).await.unwrap();
    assert!(removed["epoch"].is_u64(), "{removed}");
    globex.until("the removal", |view| !gate::knows_scope(&view.state, carl, scope)).await;
    acme.stop().await;
    acme.start().await;
    globex.until("the link", |view| gate::sees_scope(&view.state, bob, scope)).await;
    let links = globex.handle().links();
    within("the link", links.clone().wait_for(|links| links[&acme.id].up.is_some())).await.unwrap();
    let mut external = globex.client(&token).await;
    let (place, name) = (format!("/groups/{scope}"), json!({ "name": "Anew" }));
    let renamed = external.call(Method::PATCH, &place, Some(&name));
    within("the act", renamed).await.unwrap();
    let named = |view: &Snapshot| view.state.scope(scope).is_some_and(|s| s.head.settings.name == "Anew");
    acme.until("the act", named).await;
}

/// P7.2: a follower that is away delays a removal for as long as the check may take, and no longer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p7_2_who_is_away_delays_a_removal_for_some_seconds_only() {
    let (mut acme, mut globex) = (Workspace::new("acme").await, Workspace::new("globex").await);
    let (alice, bob) = (acme.alice(), globex.user("bob").await);
    peer(&acme, &globex).await;
    let (scope, _) = shared_group(&acme, alice, &globex, bob).await;
    globex.stop().await;
    acme.stop().await;
    acme.start().await;
    let check = get(&acme, "/workspace").await["check"].clone();
    assert_eq!((&check["running"], &check["awaited"][0]["domain"]), (&json!(true), &json!("globex.example")));
    let health = http::ask(&acme.host, "", "GET /health", "", &[]).await;
    assert_eq!(health.json()["checking"], true);
    assert!(!health.text.contains("globex"), "strangers are not told who the partners are");
    let path = format!("/groups/{scope}/members/{bob}");
    let mut admin = acme.client(&acme.admin).await;
    within("silence is an answer", admin.call(Method::DELETE, &path, None)).await.unwrap();
    let head = acme.handle().snapshot().state.scope(scope).unwrap().head.clone();
    assert_eq!(head.incarnation >> 32, 1, "spec 12.3");
    assert_eq!(get(&acme, "/workspace").await["check"]["running"], false);
}

/// Spec 12.6: without its journal a node serves no partner until an admin has confirmed; its own people go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p7_without_the_journal_partners_wait_for_an_admin() {
    let (mut acme, globex) = (Workspace::asleep("acme"), Workspace::new("globex").await);
    let file = journal(&mut acme);
    acme.start().await;
    let (alice, bob) = (acme.alice(), globex.user("bob").await);
    peer(&acme, &globex).await;
    let (scope, chat) = shared_group(&acme, alice, &globex, bob).await;
    let (_, own) = group(&acme, alice, "Own").await;
    acme.post(alice, chat, 1, "one").await;
    globex.until("one", |view| reads(view, bob, chat) == ["one"]).await;
    assert_eq!(get(&acme, "/workspace").await["check"]["journal"]["state"], "trusted");
    for start in ["the first start", "the second one, which changes nothing"] {
        acme.stop().await;
        if file.exists() {
            std::fs::remove_file(&file).unwrap();
        }
        acme.start().await;
        let check = get(&acme, "/workspace").await["check"].clone();
        assert_eq!(check["journal"]["state"], "unconfirmed", "{start}: {check}");
        assert!(check["advice"].as_str().unwrap().contains("comity journal confirm"), "{check}");
    }
    acme.post(alice, own, 2, "own people go on").await;
    let words = |view: &Snapshot| reads(view, alice, own) == ["own people go on"];
    acme.until("P7: own people are not stopped", words).await;
    acme.post(alice, chat, 3, "two").await;
    let waiting = acme.handle().snapshot().position;
    acme.until("the post after the check", |view| reads(view, alice, chat) == ["one", "two"]).await;
    let view = acme.handle().snapshot();
    assert!(
        view.position - waiting < 10,
        "seconds in which nothing happens write nothing: {}",
        view.position
    );
    assert!(
        !recovery::feeds(&view.state, globex.id) && gate::peer_floor(&view.state, globex.id, chat).is_none()
    );
    let waiting = globex.handle().snapshot();
    assert!(waiting.state.logs[&chat].high <= 1, "P7: the partner's node gets nothing");
    assert!(!file.exists(), "nothing is confirmed by waiting");
    acme.stop().await;
    let said = serve_says(&acme, &file);
    assert!(said.contains("partners are NOT served until an admin runs `comity journal confirm`"), "{said}");
    acme.start().await;
    assert!(comity(&acme, &["journal", "show"]).1.contains("journal.state: unconfirmed"));
    let (done, text) = comity(&acme, &["journal", "confirm"]);
    assert!(done, "{text}");
    globex.until("two", |view| reads(view, bob, chat) == ["one", "two"]).await;
    assert!(file.exists());
    let lines = get(&acme, "/audit?act=journal.").await["lines"].clone();
    assert_eq!(lines[0]["line"]["actor"], alice.to_string(), "P8.3: {lines}");
    acme.stop().await;
    acme.start().await;
    assert_eq!(get(&acme, "/workspace").await["check"]["journal"]["state"], "trusted");
    globex.until("served", |view| gate::sees_scope(&view.state, bob, scope)).await;
}

async fn add(at: &Workspace, actor: UserId, scope: ScopeId, user: UserId) {
    let (users, grade, floor) = (vec![user], Grade::Post, Floor::All);
    at.ask(Command::AddMembers { actor, scope, users, grade, floor }).await;
}

/// Invariant 6: no follower has seen the removal of an own member; the journal has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p7_a_removal_that_no_follower_saw_comes_back_from_the_journal() {
    let mut acme = Workspace::asleep("acme");
    journal(&mut acme);
    acme.start().await;
    let (alice, mia) = (acme.alice(), acme.user("mia").await);
    let (scope, chat) = group(&acme, alice, "Own").await;
    add(&acme, alice, scope, mia).await;
    acme.post(alice, chat, 1, "one").await;
    acme.stop().await;
    let kept = tempfile::TempDir::new().unwrap();
    copy(acme.path(), kept.path());
    acme.start().await;
    acme.ask(Command::Act(alice, Action::Remove { scope, user: mia, everywhere: false })).await;
    acme.stop().await;
    std::fs::remove_dir_all(acme.path()).unwrap();
    copy(kept.path(), acme.path());
    acme.start().await;
    let view = acme.handle().snapshot();
    assert!(
        !gate::sees_scope(&view.state, mia, scope) && !gate::reaches(&view.state, mia, chat),
        "invariant 6"
    );
    assert_eq!(get(&acme, "/workspace").await["check"]["journal"]["state"], "trusted");
    acme.ask(Command::Act(alice, Action::Settings { scope, settings: settings("goes on") })).await;
}

/// A restore that forgot a peering: with the journal it comes back, without one the admin sees who knocks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forgotten_peering_comes_back_from_the_journal_or_is_shown_to_the_admin() {
    for with_journal in [true, false] {
        let (mut acme, globex) = (Workspace::asleep("acme"), Workspace::new("globex").await);
        if with_journal {
            journal(&mut acme);
        }
        let kept = tempfile::TempDir::new().unwrap();
        copy(acme.path(), kept.path());
        acme.start().await;
        peer(&acme, &globex).await;
        assert_eq!(get(&acme, "/peers").await["claims"], json!([]));
        acme.stop().await;
        std::fs::remove_dir_all(acme.path()).unwrap();
        copy(kept.path(), acme.path());
        acme.start().await;
        let peers = get(&acme, "/peers").await;
        if with_journal {
            assert_eq!(peers["peers"][0]["workspace"]["id"], globex.id.to_string());
            assert_eq!(peers["peers"][0]["status"], "active");
            let links = acme.handle().links();
            let up = |links: &std::collections::BTreeMap<_, comity::node::Link>| {
                links.get(&globex.id).is_some_and(|link| link.up.is_some())
            };
            within("the link", links.clone().wait_for(up)).await.unwrap();
            assert_eq!(get(&acme, "/peers").await["claims"], json!([]));
            continue;
        }
        assert_eq!(peers["peers"], json!([]));
        let mut errors = globex.handle().links();
        let refused = |links: &std::collections::BTreeMap<_, comity::node::Link>| {
            let error = links.get(&acme.id).and_then(|link| link.error.clone());
            error.is_some_and(|(_, error)| error.contains("is no peer and shows no ticket"))
        };
        within("the refusal", errors.wait_for(refused)).await.unwrap();
        let claims = get(&acme, "/peers").await["claims"].clone();
        assert_eq!(claims.as_array().unwrap().len(), 1, "{claims}");
        assert_eq!(claims[0]["workspace"], globex.id.to_string());
        assert_eq!(claims[0]["from"], globex.address.to_string(), "{claims}");
        assert!(claims[0]["at"].as_u64().unwrap() > 0);
        let (_, listed) = comity(&acme, &["peer", "list"]);
        assert!(listed.contains(&format!("{}  claims to be a peer, from 127.0.0.1:", globex.id)), "{listed}");
        let secret = Blob::from(vec![8; 32]);
        globex.ask(Command::OpenTicket(sha256(&[&secret]), Millis(u64::MAX))).await;
        let endpoints = vec![globex.address.to_string()];
        acme.ask(Command::RedeemTicket { peer: globex.id, endpoints, secret }).await;
        let active = |view: &Snapshot| view.state.peers[&globex.id].status == PeerStatus::Active;
        acme.until("a ticket of the partner's settles it", active).await;
        assert_eq!(get(&acme, "/peers").await["claims"], json!([]));
    }
}

/// What `comity serve` prints when it starts.
fn serve_says(at: &Workspace, journal: &std::path::Path) -> String {
    let any = "127.0.0.1:0".parse().unwrap();
    comity::config::create(at.path(), any, any).unwrap();
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_comity"));
    program.arg("--dir").arg(at.path()).arg("serve").env("COMITY_JOURNAL", journal);
    let mut node = program.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(node.stdout.take().unwrap()).lines();
    let said: Vec<String> = lines.take(2).map(Result::unwrap).collect();
    node.kill().unwrap();
    node.wait().unwrap();
    said.join("\n")
}

/// The command line of the program, as a person uses it.
fn comity(at: &Workspace, args: &[&str]) -> (bool, String) {
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_comity"));
    let run = program.args(["--api", &at.host, "--token", &at.admin]).args(args).output().unwrap();
    let text = [run.stdout, run.stderr].concat();
    (run.status.success(), String::from_utf8(text).unwrap())
}

/// Another event for the epoch at which a group stands, signed by its owner's key.
fn forged(acme: &Workspace, scope: ScopeId) -> Blob {
    let view = acme.handle().snapshot();
    let head = &view.state.scope(scope).unwrap().head;
    let mut event: Event = envelope::peek(&view.event(scope, head.incarnation, head.epoch).unwrap()).unwrap();
    event.time = Millis(event.time.0 + 1);
    envelope::sign(event, None, &raw::key_of(acme.path(), "sign.key")).bytes().clone()
}

/// Spec 12.7, 12.8: members are told that a scope is frozen, admins of both sides hold evidence that anybody can check,
/// and the scope thaws by itself when its owner goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contradiction_is_shown_to_members_and_is_evidence_for_anybody() {
    let (mut acme, globex) = (Workspace::new("acme").await, Workspace::new("globex").await);
    let (alice, (bob, token)) = (acme.alice(), globex.person("bob").await);
    let (_, stranger) = globex.person("stranger").await;
    peer(&acme, &globex).await;
    let (scope, chat) = shared_group(&acme, alice, &globex, bob).await;
    acme.post(alice, chat, 1, "one").await;
    globex.until("one", |view| reads(view, bob, chat) == ["one"]).await;
    let event = forged(&acme, scope);
    acme.stop().await;
    let (feed, number, _) = globex.handle().snapshot().state.peers[&acme.id].inbound.unwrap();
    let items = vec![cbor::encode(&Item::Event { event }).into()];
    globex.ask(Command::Feed(acme.id, FeedFrame { feed, first: number + 1, items })).await;

    let (group, messages) = (format!("/groups/{scope}"), format!("/threads/{chat}/messages"));
    let ask =
        async |head: String, token: &str, body: &str| http::ask(&globex.host, token, &head, body, &[]).await;
    let shown = ask(format!("GET {group}"), &token, "").await.json();
    assert!(shown["frozen"].as_str().unwrap().contains("ask your admin"), "{shown}");
    assert_eq!((&shown["members"], &shown["settings"]["name"]), (&json!(0), &json!("")), "nothing else");
    assert!(
        ask("GET /groups".into(), &token, "").await.text.contains("frozen: the owner contradicted itself")
    );
    for (head, body) in [
        (format!("GET {messages}"), ""),
        (format!("GET {messages}/1"), ""),
        (format!("GET {group}/members"), ""),
        (format!("POST {messages}"), r#"{"text":"x"}"#),
    ] {
        let answer = ask(head.clone(), &token, body).await;
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (503, &json!("frozen")),
            "{head}: {}",
            answer.text
        );
        assert_eq!(ask(head.clone(), &stranger, body).await.status, 404, "P3.1: {head}");
    }
    assert_eq!(ask(format!("GET {group}"), &stranger, "").await.status, 404, "P3.1");

    acme.start().await;
    acme.until("the alarm", |view| !view.state.evidence.is_empty()).await;
    globex.until("the thaw", |view| reads(view, bob, chat) == ["one"]).await;
    let dir = tempfile::tempdir().unwrap();
    for (at, own) in [(&globex, false), (&acme, true)] {
        let listed = get(at, "/evidence").await["evidence"].clone();
        assert_eq!(
            (listed[0]["own"].as_bool(), &listed[0]["accused"]["domain"]),
            (Some(own), &json!("acme.example"))
        );
        let (id, file) = (listed[0]["id"].as_str().unwrap(), dir.path().join("evidence.json"));
        let path = file.to_str().unwrap();
        assert!(comity(at, &["evidence", "list"]).1.contains(id));
        assert!(comity(at, &["evidence", "export", id, "--out", path]).0);
        let (holds, text) = comity(at, &["evidence", "verify", path]);
        assert!(holds && text.contains("at most one can be true"), "{text}");
        let tampered = std::fs::read_to_string(&file).unwrap().replace("\"kind\": 2", "\"kind\": 4");
        std::fs::write(&file, tampered).unwrap();
        let (holds, text) = comity(at, &["evidence", "verify", path]);
        assert!(!holds && text.contains("object does not hold: envelope-signature"), "{text}");
    }
}
