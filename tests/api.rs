//! The API of a real node over real HTTP: refusals, idempotency, pages, live events (P1, P3, P5).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

use comity::{
    cli::client::Client,
    protocol::Command,
    wire::objects::{Action, Floor, Grade},
};
use harness::{Workspace, group, http::Live};
use hyper::Method;
use serde_json::{Value, json};

mod harness;

/// A member's client and id.
async fn member(api: &Workspace, local: &str) -> (Client, String) {
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
