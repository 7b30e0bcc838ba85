//! Bad input: each its own error that says what to do, and nothing of it is carried out.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::harness::{PATIENCE, Workspace, http};

/// A case: what is asked, with which body, and the status and the words of the answer.
type Case<'a> = (&'a str, String, u16, &'a str);

async fn refused(acme: &Workspace, (head, body, status, says): Case<'_>) -> String {
    let answer = http::ask(&acme.host, &acme.admin, head, &body, &[]).await;
    let problem = answer.json();
    let short: String = body.chars().take(80).collect();
    assert_eq!(answer.status, status, "{head} {short}: {}", answer.text);
    assert!(answer.text.contains("application/problem+json"), "{head} {short}: {}", answer.text);
    let detail = problem["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains(says), "{head} {short}: `{detail}` does not say `{says}`");
    assert!(detail.len() < 500, "the error does not repeat the input: {detail}");
    detail
}

/// A body that is larger than any: the answer comes before all of it was read.
async fn huge(acme: &Workspace, head: &str, body: &str) -> String {
    let (method, path) = head.split_once(' ').unwrap();
    let mut socket = TcpStream::connect(&acme.host).await.unwrap();
    let request = format!(
        "{method} /api/v1{path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n",
        acme.admin,
        body.len()
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let (mut read, mut write) = socket.split();
    let (mut seen, mut bytes) = (String::new(), vec![0; 1 << 12]);
    let reading = async {
        while let Ok(more @ 1..) = read.read(&mut bytes).await {
            seen.push_str(&String::from_utf8_lossy(&bytes[..more]));
        }
    };
    // The node may hang up in the middle of it.
    let writing = async { drop(write.write_all(body.as_bytes()).await) };
    tokio::time::timeout(PATIENCE, async { tokio::join!(reading, writing) }).await.unwrap();
    seen
}

async fn group(acme: &Workspace) -> (String, String) {
    let made = http::ask(&acme.host, &acme.admin, "POST /groups", r#"{"name":"Plan"}"#, &[]).await.json();
    (made["id"].as_str().unwrap().to_owned(), made["chat"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn names_and_addresses_that_cannot_be_say_what_is_wrong_with_them() {
    let acme = Workspace::hosting("acme").await;
    let (group, _) = group(&acme).await;
    let answer = huge(&acme, "POST /groups", &format!(r#"{{"name":"{}"}}"#, "x".repeat(10 << 20))).await;
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("too-large"), "{answer}");
    let named = |name: &str| serde_json::json!({ "name": name }).to_string();
    let asked = |address: &str| serde_json::json!({ "address": address }).to_string();
    let (groups, members) = ("POST /groups", format!("POST /groups/{group}/members"));
    for case in [
        (groups, named(&"x".repeat(100_000)), 422, "bytes"),
        (groups, named(""), 422, "name"),
        (groups, named("a\u{7}b"), 422, "control"),
        (groups, "{\"name\":\"a\u{1}b\"}".into(), 422, "control character"),
        (groups, r#"{"nam":"x"}"#.into(), 422, "unknown field `nam`"),
        (groups, "{".into(), 422, "the body"),
        ("PATCH /users/us_x", named("x"), 404, "no access"),
        (&members, asked(""), 422, "it is empty: type one like"),
        (&members, asked("carl"), 422, "the @ is missing"),
        (&members, asked("carl@a@b.example"), 422, "more than one @"),
        (&members, asked("@b.example"), 422, "nothing stands before the @"),
        (&members, asked("carl@nowhere"), 422, "the domain is not whole"),
        (&members, asked("carl@127.0.0.1"), 422, "a number of the network"),
        (&members, asked("carl@b.example:25"), 422, "no domain"),
        (&members, asked("carl\u{200b}@b.example"), 422, "a character that nobody sees"),
        (&members, asked("carl smith@b.example"), 422, "a space"),
        (&members, asked(&format!("{}@b.example", "x".repeat(70))), 422, "stand before the @"),
        (&members, asked(&"x".repeat(50_000)), 422, "longer than"),
    ] {
        refused(&acme, case).await;
    }
    let view = acme.handle().snapshot();
    assert_eq!((view.state.scopes.len(), view.state.sent.len()), (2, 0), "nothing of it was carried out");
}

/// A domain that looks like another one is shown in punycode, to the inviter and on the page of the link.
#[tokio::test]
async fn a_homograph_domain_is_shown_for_what_it_is() {
    let acme = Workspace::hosting("acme").await;
    let (group, _) = group(&acme).await;
    let (head, body) = (format!("POST /groups/{group}/members"), r#"{"address":"bob@аcme.example"}"#);
    let asked = http::ask(&acme.host, &acme.admin, &head, body, &[]).await;
    assert_eq!(asked.status, 202, "{}", asked.text);
    let link = asked.json()["link"].as_str().unwrap().to_owned();
    let sent = http::ask(&acme.host, &acme.admin, "GET /invitations/sent", "", &[]).await;
    let shown = http::ask(&acme.host, "", &format!("GET {link}"), "", &[]).await;
    assert!(sent.text.contains("bob@xn--cme-5cd.example"), "{}", sent.text);
    for answer in [asked, sent, shown] {
        assert!(!answer.text.contains("@аcme"), "{}", answer.text);
    }
}

#[tokio::test]
async fn an_idempotency_key_is_for_one_request() {
    let acme = Workspace::hosting("acme").await;
    let (group, chat) = group(&acme).await;
    let long = "k".repeat(256);
    let members = format!("POST /groups/{group}/members");
    let messages = format!("POST /threads/{chat}/messages");
    for (head, first, other) in [
        ("POST /groups", r#"{"name":"One"}"#, r#"{"name":"Two"}"#),
        (&members, r#"{"address":"a@b.example"}"#, r#"{"address":"c@b.example"}"#),
        (&messages, r#"{"text":"one"}"#, r#"{"text":"two"}"#),
    ] {
        let ask = async |key: &str, body: &str| {
            http::ask(&acme.host, &acme.admin, head, body, &[("idempotency-key", key)]).await
        };
        for key in ["", &long] {
            let answer = ask(key, first).await;
            assert_eq!(answer.status, 422, "{head}: {}", answer.text);
            assert!(answer.text.contains("Idempotency-Key: 1 to 255 bytes"), "{head}: {}", answer.text);
        }
        let (made, again) = (ask(head, first).await, ask(head, first).await);
        assert!(made.status < 300 && made.status == again.status, "{head}: {} {}", made.text, again.text);
        for name in ["id", "seq", "invitation"] {
            assert_eq!(made.json()[name], again.json()[name], "{head}: once");
        }
        let answer = ask(head, other).await;
        assert_eq!(answer.status, 409, "{head}: {}", answer.text);
        assert!(answer.text.contains("used for something else: take a new one"), "{head}: {}", answer.text);
    }
}
