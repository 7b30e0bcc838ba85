//! Accounts (P1): signing in, sessions, tokens and links, over the API of a real node.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

use comity::protocol::row::Role;
use harness::{Workspace, http::Checked};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

mod harness;

const PASSWORD: &str = "a long enough password";

async fn send(client: &mut Checked, method: Method, path: &str, body: Value) -> (u16, Value) {
    let answer = client.send(method, path, Some(&body), None).await.unwrap();
    (answer.status.as_u16(), answer.body)
}

/// Signs in; the session's token.
async fn sign_in(of: &Workspace, address: &str, password: &str) -> Result<String, (u16, Value)> {
    let mut nobody = of.client("").await;
    let given = json!({ "address": address, "password": password });
    match send(&mut nobody, Method::POST, "/sessions", given).await {
        (201, answer) => Ok(answer["token"].as_str().unwrap().to_owned()),
        other => Err(other),
    }
}

/// The admin makes a link for somebody's password, who uses it.
async fn first_password(of: &Workspace, user: &str) -> (String, String) {
    let mut admin = of.client(&of.admin).await;
    let link = admin.post(&format!("/users/{user}/link"), &json!({})).await.unwrap();
    let path = link["path"].as_str().unwrap().to_owned();
    let mut nobody = of.client("").await;
    let (status, session) =
        send(&mut nobody, Method::POST, &format!("{path}/password"), json!({ "password": PASSWORD })).await;
    assert_eq!(status, 201, "{session}");
    (path, session["token"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_member_signs_in_with_address_and_password() {
    let acme = Workspace::new("acme").await;
    let mut admin = acme.client(&acme.admin).await;
    let user = admin.post("/users", &json!({ "local": "mia", "name": "Mia" })).await.unwrap();
    let id = user["id"].as_str().unwrap();
    let unknown = sign_in(&acme, "nobody@acme.example", PASSWORD).await.unwrap_err();
    let without = sign_in(&acme, "mia@acme.example", PASSWORD).await.unwrap_err();
    assert_eq!(unknown, without, "P1.1: no answer tells whether an address has an account");
    assert_eq!(unknown.0, 401);
    let (path, first) = first_password(&acme, id).await;
    let mut mia = acme.client(&first).await;
    assert_eq!(mia.get("/me").await.unwrap()["address"], "mia@acme.example");
    let mut nobody = acme.client("").await;
    let (use_link, first) = (format!("{path}/password"), json!({ "password": PASSWORD }));
    let (status, body) = send(&mut nobody, Method::POST, &use_link, first).await;
    assert!(status == 409 && body["detail"].as_str().unwrap().contains("was used"), "{body}");
    assert_eq!(sign_in(&acme, "mia@acme.example", "not the password").await.unwrap_err(), unknown);
    let second = sign_in(&acme, " Mia@ACME.example ", PASSWORD).await.unwrap();
    let sessions = mia.get("/sessions").await.unwrap();
    assert_eq!(sessions["sessions"].as_array().unwrap().len(), 2);
    // A new password signs the others out, and the old one is nothing any more.
    let change = json!({ "old": PASSWORD, "new": "another long password" });
    let wrong = json!({ "old": "not the password", "new": "another long password" });
    assert_eq!(send(&mut mia, Method::POST, "/me/password", wrong).await.0, 403);
    assert_eq!(send(&mut mia, Method::POST, "/me/password", change).await.0, 204);
    assert!(acme.client(&second).await.get("/me").await.is_err());
    assert!(mia.get("/me").await.is_ok());
    assert_eq!(sign_in(&acme, "mia@acme.example", PASSWORD).await.unwrap_err().0, 401);
    // Suspended: nothing works any more, at once.
    let suspend = json!({ "role": "suspended" });
    assert_eq!(send(&mut admin, Method::PATCH, &format!("/users/{id}"), suspend).await.0, 200);
    assert!(mia.get("/me").await.is_err());
    assert_eq!(sign_in(&acme, "mia@acme.example", "another long password").await.unwrap_err(), unknown);
}

#[tokio::test]
async fn guesses_are_throttled_per_address() {
    let acme = Workspace::new("acme").await;
    let mut tried = 0;
    while sign_in(&acme, "alice@acme.example", "guess guess guess").await.unwrap_err().0 == 401 {
        tried += 1;
    }
    assert!((10..15).contains(&tried), "ten, then one a minute: {tried}");
    assert_eq!(sign_in(&acme, "other@acme.example", "guess guess guess").await.unwrap_err().0, 401);
}

#[tokio::test]
async fn a_token_does_what_its_scope_says_and_no_more() {
    let acme = Workspace::new("acme").await;
    let mut admin = acme.client(&acme.admin).await;
    let alice = admin.get("/me").await.unwrap()["id"].as_str().unwrap().to_owned();
    let path = format!("/users/{alice}/tokens");
    let mut made = Vec::new();
    for scope in ["read", "write", "admin"] {
        let token = admin.post(&path, &json!({ "name": scope, "scope": scope, "days": 1 })).await.unwrap();
        made.push((acme.client(token["token"].as_str().unwrap()).await, token["id"].clone()));
    }
    let calls = [
        (Method::GET, "/me", Value::Null, [200, 200, 200]),
        (Method::POST, "/groups", json!({ "name": "G" }), [403, 201, 201]),
        (Method::GET, "/audit", Value::Null, [403, 403, 200]),
        (Method::POST, path.as_str(), json!({ "scope": "admin" }), [403, 403, 201]),
    ];
    for (method, path, body, expected) in calls {
        for ((client, _), expected) in made.iter_mut().zip(expected) {
            let (status, answer) = send(client, method.clone(), path, body.clone()).await;
            assert_eq!(status, expected, "{method} {path}: {answer}");
        }
    }
    let id = made[0].1.as_str().unwrap().to_owned();
    assert_eq!(send(&mut admin, Method::DELETE, &format!("/sessions/{id}"), Value::Null).await.0, 204);
    assert!(made[0].0.get("/me").await.is_err(), "a revoked token ends at once");
    assert!(admin.post(&path, &json!({ "name": "", "scope": "read" })).await.is_err());
}

#[tokio::test]
async fn a_password_has_bounds_and_links_say_what_is_wrong_with_them() {
    let acme = Workspace::new("acme").await;
    let mut admin = acme.client(&acme.admin).await;
    let user = admin.post("/users", &json!({ "local": "mia", "name": "Mia" })).await.unwrap();
    let id = user["id"].as_str().unwrap();
    let link = |answer: Value| format!("{}/password", answer["path"].as_str().unwrap());
    let first = link(admin.post(&format!("/users/{id}/link"), &json!({})).await.unwrap());
    let second = link(admin.post(&format!("/users/{id}/link"), &json!({})).await.unwrap());
    let mut nobody = acme.client("").await;
    let mut attempt = async |path: &str, password: &str| {
        let (status, body) = send(&mut nobody, Method::POST, path, json!({ "password": password })).await;
        (status, body["detail"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(attempt(&second, "short").await.0, 422);
    assert_eq!(attempt(&second, &"x".repeat(300)).await.0, 422);
    let (status, why) = attempt(&first, PASSWORD).await;
    assert!(status == 409 && why.contains("replaced"), "{status} {why}");
    let (status, why) = attempt("/join/nothing/password", PASSWORD).await;
    assert!(status == 404 && why.contains("no such link"), "{status} {why}");
    assert_eq!(attempt(&second, PASSWORD).await.0, 201);
    assert_eq!(admin.send(Method::GET, "/users", None, None).await.unwrap().status, StatusCode::OK);
    assert_eq!(acme.handle().snapshot().state.users[&acme.alice()].role, Role::Admin);
}

#[tokio::test]
async fn a_full_token_is_traded_for_a_session_once() {
    let acme = Workspace::new("acme").await;
    let mut admin = acme.client(&acme.admin).await;
    let alice = admin.get("/me").await.unwrap()["id"].as_str().unwrap().to_owned();
    let mut made = Vec::new();
    for scope in ["read", "write", "admin"] {
        let new = json!({ "name": scope, "scope": scope, "days": 1 });
        let token = admin.post(&format!("/users/{alice}/tokens"), &new).await.unwrap();
        made.push(token["token"].as_str().unwrap().to_owned());
    }
    let mut answers = Vec::new();
    for token in [&made[0], &made[1], &made[2], &made[2]] {
        let mut client = acme.client(token).await;
        answers.push(send(&mut client, Method::POST, "/sessions/trade", json!({})).await);
    }
    let statuses: Vec<u16> = answers.iter().map(|(status, _)| *status).collect();
    assert_eq!(statuses, [403, 403, 201, 401], "no session out of less than one, and none twice");
    let session = answers[2].1["token"].as_str().unwrap();
    let held = acme.client(session).await.get("/sessions").await.unwrap();
    let current = held["sessions"].as_array().unwrap().iter().find(|one| one["current"] == true).unwrap();
    assert!(current["signed-in"].is_object(), "{current}");
    let names: Vec<_> =
        held["sessions"].as_array().unwrap().iter().map(|one| &one["token"]["name"]).collect();
    assert!(!names.contains(&&json!("admin")), "the token is gone from the list: {held}");
}
