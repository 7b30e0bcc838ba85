//! The API of a real node over real HTTP: refusals, idempotency, pages, live events (P1, P3, P5).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

use comity::{
    crypto::sha256,
    ids::WorkspaceId,
    protocol::Command,
    time::Millis,
    wire::{
        Blob,
        objects::{Action, Floor, Grade},
    },
};
use harness::{
    Workspace, group,
    http::{Checked, Live},
};
use hyper::Method;
use serde_json::{Value, json};

mod harness;

/// A member's client and id.
async fn member(api: &Workspace, local: &str) -> (Checked, String) {
    let (id, token) = api.person(local).await;
    (api.client(&token).await, id.to_string())
}

#[tokio::test]
async fn every_refusal_is_a_problem_that_says_what_to_do() {
    let mut api = Workspace::new("acme").await;
    let mut admin = api.client(&api.admin).await;
    let group = admin.post("/groups", &json!({ "name": "Launch" })).await.unwrap();
    let chat = format!("/threads/{}/messages", group["chat"].as_str().unwrap());
    let long = "x".repeat(17_000);
    let table: [(Method, &str, Value, u16, &str); 14] = [
        (Method::GET, "/nothing", Value::Null, 404, "no such endpoint"),
        (Method::PUT, "/groups", Value::Null, 405, "does not take this method"),
        (Method::POST, "/groups", json!({ "nmae": "x" }), 422, "unknown field `nmae`"),
        (Method::POST, "/groups", json!({ "name": "" }), 422, "name: 1 to 200 bytes"),
        (Method::POST, "/groups", json!({ "name": "a\u{7}b" }), 422, "control characters"),
        (Method::POST, "/groups", json!([1]), 422, "the body"),
        (Method::POST, "/users", json!({ "local": "A B", "name": "x" }), 422, "what stands before the @"),
        (Method::POST, "/users", json!({ "local": "alice", "name": "x" }), 409, "alice"),
        (Method::POST, "/peers", json!({ "ticket": "nonsense" }), 422, "paste the whole line"),
        (Method::POST, &chat, json!({ "text": " " }), 422, "the text is empty"),
        (Method::POST, &chat, json!({ "text": long }), 413, "too long"),
        (Method::GET, "/threads?before=yesterday", Value::Null, 422, "`next` of the page before"),
        (Method::GET, "/groups/gr_x", Value::Null, 404, "no access"),
        (Method::POST, "/workspace/rotate", json!({ "key": "all" }), 422, "sign, tls or root"),
    ];
    for (method, path, body, status, detail) in table {
        let answer =
            admin.send(method.clone(), path, Some(&body).filter(|body| !body.is_null()), None).await.unwrap();
        assert_eq!(answer.status.as_u16(), status, "{method} {path}: {}", answer.body);
        assert!(answer.body["detail"].as_str().unwrap().contains(detail), "{method} {path}: {}", answer.body);
        assert_eq!(answer.body["status"], status);
    }
    let mut nobody = api.client("comity_wrong").await;
    assert_eq!(nobody.send(Method::GET, "/me", None, None).await.unwrap().status.as_u16(), 401);
    api.stop().await;
}

#[tokio::test]
async fn p3_1_missing_and_forbidden_look_the_same() {
    let mut api = Workspace::new("acme").await;
    let mut admin = api.client(&api.admin).await;
    let (mut outsider, _) = member(&api, "otto").await;
    let group = admin.post("/groups", &json!({ "name": "Secret" })).await.unwrap();
    let (group, chat) = (group["id"].as_str().unwrap(), group["chat"].as_str().unwrap());
    let other = |id: &str| format!("{}{}", &id[..3], "a".repeat(id.len() - 3));
    for rest in ["", "/members"] {
        for (id, kind) in [(group, "groups"), (chat, "threads")] {
            let forbidden =
                outsider.send(Method::GET, &format!("/{kind}/{id}{rest}"), None, None).await.unwrap();
            let missing = format!("/{kind}/{}{rest}", other(id));
            let missing = outsider.send(Method::GET, &missing, None, None).await.unwrap();
            assert_eq!((forbidden.status, forbidden.body), (missing.status, missing.body), "{kind}{rest}");
        }
    }
    let audit = outsider.send(Method::GET, "/audit", None, None).await.unwrap();
    assert_eq!(audit.status.as_u16(), 404, "what only admins have does not exist for others");
    api.stop().await;
}

#[tokio::test]
async fn the_same_key_does_a_thing_once() {
    let mut api = Workspace::new("acme").await;
    let mut admin = api.client(&api.admin).await;
    let body = json!({ "name": "Launch" });
    let first = admin.send(Method::POST, "/groups", Some(&body), Some("k1")).await.unwrap();
    let again = admin.send(Method::POST, "/groups", Some(&body), Some("k1")).await.unwrap();
    assert_eq!(first.body["id"], again.body["id"]);
    let other =
        admin.send(Method::POST, "/groups", Some(&json!({ "name": "Other" })), Some("k1")).await.unwrap();
    assert_eq!((other.status.as_u16(), &other.body["code"]), (409, &json!("conflict")));
    let path = format!("/threads/{}/messages", first.body["chat"].as_str().unwrap());
    for _ in 0..2 {
        let posted =
            admin.send(Method::POST, &path, Some(&json!({ "text": "once" })), Some("m1")).await.unwrap();
        assert_eq!((posted.status.as_u16(), &posted.body["seq"]), (201, &json!(1)));
    }
    let posted =
        admin.send(Method::POST, &path, Some(&json!({ "text": "twice" })), Some("m1")).await.unwrap();
    assert_eq!(posted.status.as_u16(), 409);
    assert_eq!(admin.get(&path).await.unwrap()["messages"].as_array().unwrap().len(), 1);
    api.stop().await;
}

#[tokio::test]
async fn pages_edits_reactions_and_deletions() {
    let mut api = Workspace::new("acme").await;
    let mut admin = api.client(&api.admin).await;
    let group = admin.post("/groups", &json!({ "name": "Launch" })).await.unwrap();
    let path = format!("/threads/{}/messages", group["chat"].as_str().unwrap());
    for n in 1..=7 {
        admin.post(&path, &json!({ "text": n.to_string() })).await.unwrap();
    }
    admin.call(Method::PATCH, &format!("{path}/2"), Some(&json!({ "text": "two" }))).await.unwrap();
    admin.post(&format!("{path}/3/reactions"), &json!({ "emoji": "+1" })).await.unwrap();
    admin.call(Method::DELETE, &format!("{path}/4"), None).await.unwrap();
    let (mut texts, mut before) = (Vec::new(), String::new());
    loop {
        let page = admin.get(&format!("{path}?limit=3{before}")).await.unwrap();
        let messages = page["messages"].as_array().unwrap();
        texts.splice(0..0, messages.iter().map(|message| message["text"].clone()));
        match page["next"].as_u64() {
            Some(next) => before = format!("&before={next}"),
            None => break,
        }
    }
    assert_eq!(json!(texts), json!(["1", "two", "3", null, "5", "6", "7"]));
    let third = admin.get(&format!("{path}/3")).await.unwrap();
    assert_eq!(third["reactions"]["+1"].as_array().unwrap().len(), 1);
    assert_eq!(admin.get(&format!("{path}/4")).await.unwrap()["deleted"], true);
    api.stop().await;
}

/// A second workspace that the first one has approved as a peer; nothing travels between them.
async fn known_peer(api: &Workspace, globex: &Workspace) -> WorkspaceId {
    let (secret, manifests) = (Blob::from(vec![7; 32]), globex.home.chain.clone());
    api.ask(Command::OpenTicket(sha256(&[&secret]), Millis(u64::MAX))).await;
    api.ask(Command::PeerRequest { manifests, secret }).await;
    api.ask(Command::Approve(globex.id)).await;
    globex.id
}

#[tokio::test]
async fn p8_2_what_an_act_ends_is_shown_first() {
    let (mut api, globex) = (Workspace::new("acme").await, Workspace::asleep("globex"));
    let peer = known_peer(&api, &globex).await;
    let mut admin = api.client(&api.admin).await;
    let (mut member, mia) = member(&api, "mia").await;
    let group = admin.post("/groups", &json!({ "name": "Launch" })).await.unwrap();
    let group = group["id"].as_str().unwrap();
    for address in ["mia@acme.example", "bob@globex.example"] {
        admin.post(&format!("/groups/{group}/members"), &json!({ "address": address })).await.unwrap();
    }
    let paths = [
        (format!("/peers/{peer}/end"), 0, 1, json!("globex.example")),
        (format!("/users/{mia}/departure"), 1, 0, Value::Null),
        (format!("/groups/{group}/tightening"), 0, 1, json!("globex.example")),
    ];
    for (path, losses, invitations, told) in &paths {
        let preview = admin.get(path).await.unwrap();
        assert_eq!(preview["counts"]["losses"], *losses, "{path}: {preview}");
        assert_eq!(preview["counts"]["invitations"], *invitations, "{path}: {preview}");
        assert_eq!(preview["told"][0]["domain"], *told, "{path}: {preview}");
        let hidden = member.send(Method::GET, path, None, None).await.unwrap().status.as_u16();
        assert!([403, 404].contains(&hidden), "{path}: only for who may do it");
    }
    let (path, body) = (format!("/groups/{group}"), json!({ "externals": false }));
    let refused = admin.send(Method::PATCH, &path, Some(&body), None).await.unwrap();
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (409, &json!("confirm")));
    assert_eq!(refused.body["counts"]["invitations"], 1);
    assert!(refused.body["detail"].as_str().unwrap().contains("?confirm=true"), "{}", refused.body);
    admin.call(Method::PATCH, &format!("{path}?confirm=true"), Some(&body)).await.unwrap();
    assert_eq!(admin.get(&path).await.unwrap()["settings"]["externals"], false);

    let in_own =
        admin.send(Method::DELETE, &format!("/users/{mia}/memberships/{group}"), None, None).await.unwrap();
    assert_eq!(in_own.status.as_u16(), 422, "P5.5 is for groups of others: {}", in_own.body);
    admin.call(Method::DELETE, &format!("/users/{mia}"), None).await.unwrap();
    assert_eq!(member.send(Method::GET, "/me", None, None).await.unwrap().status.as_u16(), 401);
    let body = json!({ "role": "member" });
    let back = admin.send(Method::PATCH, &format!("/users/{mia}"), Some(&body), None).await.unwrap();
    assert_eq!(back.status.as_u16(), 409, "P7.5: for good: {}", back.body);
    admin.call(Method::DELETE, &format!("/peers/{peer}"), None).await.unwrap();
    let after = admin.get(&format!("/peers/{peer}/end")).await.unwrap();
    assert_eq!(after["told"], json!([]), "nothing is left to end");
    api.stop().await;
}

#[tokio::test]
async fn p7_2_live_events_end_with_the_membership() {
    let mut api = Workspace::new("acme").await;
    let mut admin = api.client(&api.admin).await;
    let (member, id) = member(&api, "mia").await;
    let group = admin.post("/groups", &json!({ "name": "Launch" })).await.unwrap();
    let (group, chat) = (group["id"].as_str().unwrap(), group["chat"].as_str().unwrap());
    admin.post(&format!("/groups/{group}/members"), &json!({ "address": "mia@acme.example" })).await.unwrap();
    let mut events = member.events().await.unwrap();
    assert_eq!(events.next().await.unwrap().unwrap().0, "hello");
    let path = format!("/threads/{chat}/messages");
    admin.post(&path, &json!({ "text": "seen" })).await.unwrap();
    let (name, data) = events.next().await.unwrap().unwrap();
    assert_eq!((name.as_str(), &data["message"]["text"]), ("message", &json!("seen")));
    admin.call(Method::DELETE, &format!("/groups/{group}/members/{id}"), None).await.unwrap();
    admin.post(&path, &json!({ "text": "unseen" })).await.unwrap();
    let mut names = Vec::new();
    while !names.contains(&"lost".to_owned()) {
        let (name, data) = events.next().await.unwrap().unwrap();
        assert_ne!(data["message"]["text"], "unseen");
        names.push(name);
    }
    admin.call(Method::PATCH, &format!("/users/{id}"), Some(&json!({ "role": "suspended" }))).await.unwrap();
    while let Some((name, _)) = events.next().await.unwrap() {
        assert_ne!(name, "message", "a suspended user's stream ends without another message");
    }
    api.stop().await;
}

#[tokio::test]
async fn p7_2_what_waits_for_a_slow_reader_is_withheld_after_the_removal() {
    let mut api = Workspace::new("acme").await;
    let (alice, (mia, token)) = (api.alice(), api.person("mia").await);
    let mut chats = Vec::new();
    for n in 0..5 {
        let (scope, chat) = group(&api, alice, &n.to_string()).await;
        let (users, grade, floor) = (vec![mia], Grade::Post, Floor::All);
        api.ask(Command::AddMembers { actor: alice, scope, users, grade, floor }).await;
        chats.push((scope, chat));
    }
    let before = api.handle().snapshot().position.to_string();
    let (posts, text) = (190, "x".repeat(16_000));
    for n in 0..posts {
        for (m, (_, chat)) in (0..).zip(&chats) {
            api.post(alice, *chat, n * 10 + m, &text).await;
        }
    }
    let mut live = Live::open(&api.host, &token, &[("last-event-id", &before)]).await;
    live.until("event: message").await;
    for (scope, _) in &chats {
        let remove = Action::Remove { scope: *scope, user: mia, everywhere: true };
        api.ask(Command::Act(alice, remove)).await;
    }
    live.until(&format!("data: {{\"id\":\"{}\"}}", chats[4].0)).await;
    let (shown, all) = (live.seen.matches("event: message").count(), usize::try_from(posts).unwrap() * 5);
    assert!(shown < all, "all {all} were sent, those too that the reader had not taken when he was removed");
    api.stop().await;
}
