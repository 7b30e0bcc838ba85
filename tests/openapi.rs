//! The API's own document against real nodes: every endpoint is called, and does what the document says.
//!
//! Duty: each endpoint once with success; `harness::contract` holds every answer, here and in the other tests that use
//! the harness, against the document. Never: a refusal's wording (tests/api.rs), a right (tests/doors).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

use std::collections::BTreeSet;

use comity::{
    api,
    ids::UserId,
    node::Snapshot,
    protocol::{gate, row::PeerStatus},
};
use harness::{
    Workspace,
    contract::{self, Given},
    http::{self, Live},
};
use serde_json::{Value, json};

mod harness;

/// Endpoints that succeed only where no honest pair of nodes comes; who else tests them.
const ELSEWHERE: [(&str, &str); 16] = [
    ("POST /me/code", "needs a free account whose address is not shown, and mail: tests/mail"),
    ("POST /me/code/show", "the same"),
    ("POST /mail/test", "needs a mail server: tests/mail"),
    ("POST /mail/{number}/retry", "the same"),
    ("DELETE /mail/{number}", "the same"),
    ("POST /invitations/{id}/approve", "needs a home that holds invitations back: tests/policy.rs"),
    ("POST /invitations/{id}/refuse", "the same"),
    ("POST /join/{code}/account", "needs a realm: tests/free.rs"),
    ("GET /accounts/{user}/departure", "the same"),
    ("DELETE /accounts/{user}", "the same"),
    ("POST /claims", "needs an invitation by e-mail: tests/free.rs"),
    ("POST /claims/{id}/peering", "the same"),
    ("POST /invitations/{id}/resend", "the same"),
    ("POST /invitations/{id}/claim", "the same"),
    ("GET /evidence/{id}", "needs an owner that contradicted itself: tests/simulator/equivocation.rs"),
    ("POST /handovers", "needs the root key of a dead owner: tests/simulator/handing.rs"),
];

/// Two workspaces, and which endpoints were called with success.
struct Walk {
    acme: Workspace,
    globex: Workspace,
    /// Tokens.
    mia: String,
    carl: String,
    /// The user at globex.
    carls_id: UserId,
    done: BTreeSet<String>,
}

impl Walk {
    async fn ask(&mut self, host: &str, token: &str, head: &str, body: Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = http::ask(host, token, head, &body, &[]).await;
        assert!((200..300).contains(&answer.status), "{head} {body}: {}", answer.text);
        let (method, path) = head.split_once(' ').unwrap();
        let (template, _) = contract::operation(method, path).unwrap();
        self.done.insert(format!("{method} {template}"));
        answer.json()
    }

    /// As the admin of acme.
    async fn alice(&mut self, head: &str, body: Value) -> Value {
        let (host, token) = (self.acme.host.clone(), self.acme.admin.clone());
        self.ask(&host, &token, head, body).await
    }

    /// As a member of acme.
    async fn mia(&mut self, head: &str, body: Value) -> Value {
        let (host, token) = (self.acme.host.clone(), self.mia.clone());
        self.ask(&host, &token, head, body).await
    }

    /// As the admin of globex.
    async fn gus(&mut self, head: &str, body: Value) -> Value {
        let (host, token) = (self.globex.host.clone(), self.globex.admin.clone());
        self.ask(&host, &token, head, body).await
    }

    /// As a member of globex.
    async fn carl(&mut self, head: &str, body: Value) -> Value {
        let (host, token) = (self.globex.host.clone(), self.carl.clone());
        self.ask(&host, &token, head, body).await
    }

    /// The workspace and its people.
    async fn people(&mut self) {
        for head in ["GET /health", "GET /me", "GET /workspace", "GET /users?limit=1", "GET /evidence"] {
            self.alice(head, Value::Null).await;
        }
        self.mia("GET /workspace", Value::Null).await;
        self.alice("POST /workspace/rotate", json!({ "key": "tls" })).await;
        let keys = self.alice("GET /workspace/keys", Value::Null).await;
        let states = keys["keys"].as_array().unwrap().iter().map(|key| (&key["use"], &key["state"]));
        assert!(states.clone().any(|at| at == (&json!("tls"), &json!("replaced"))), "{keys}");
        self.alice("POST /workspace/journal/confirm", Value::Null).await;
        let new = self.alice("POST /users", json!({ "local": "new", "name": "New" })).await;
        let new = new["id"].as_str().unwrap();
        self.alice(&format!("PATCH /users/{new}"), json!({ "role": "admin" })).await;
        self.alice(&format!("POST /users/{new}/tokens"), Value::Null).await;
        self.alice(&format!("GET /users/{new}/departure"), Value::Null).await;
        self.alice(&format!("GET /users/{new}"), Value::Null).await;
        let held = self.alice(&format!("GET /users/{new}/tokens"), Value::Null).await;
        let one = held["sessions"][0]["id"].as_str().unwrap();
        self.alice(&format!("DELETE /users/{new}/tokens/{one}"), Value::Null).await;
        self.alice(&format!("DELETE /users/{new}/tokens"), Value::Null).await;
        self.accounts(new).await;
        self.alice(&format!("DELETE /users/{new}"), Value::Null).await;
        let me = self.mia("GET /me", Value::Null).await["id"].as_str().unwrap().to_owned();
        self.mia("GET /inbox", Value::Null).await;
        self.mia("PATCH /me/notifications", json!({ "told": "everything" })).await;
        self.mia("GET /me/notifications", Value::Null).await;
        let token =
            self.mia(&format!("POST /users/{me}/tokens"), json!({ "name": "script", "days": 1 })).await;
        let host = self.acme.host.clone();
        self.ask(&host, token["token"].as_str().unwrap(), "DELETE /me/token", Value::Null).await;
        let full = json!({ "name": "a link", "scope": "admin" });
        let token = self.mia(&format!("POST /users/{me}/tokens"), full).await;
        self.ask(&host, token["token"].as_str().unwrap(), "POST /sessions/trade", Value::Null).await;
    }

    /// A first password, sessions and their ends.
    async fn accounts(&mut self, user: &str) {
        let (host, password) = (self.acme.host.clone(), "a long enough password");
        let link = self.alice(&format!("POST /users/{user}/link"), Value::Null).await;
        let link = link["path"].as_str().unwrap();
        self.ask(&host, "", &format!("GET {link}"), Value::Null).await;
        let first = json!({ "password": password });
        let session = self.ask(&host, "", &format!("POST {link}/password"), first).await;
        let first = session["token"].as_str().unwrap();
        let change = json!({ "old": password, "new": "another long password" });
        self.ask(&host, first, "POST /me/password", change).await;
        let sign_in = json!({ "address": "new@acme.example", "password": "another long password" });
        let session = self.ask(&host, "", "POST /sessions", sign_in).await;
        let second = session["token"].as_str().unwrap();
        let sessions = self.ask(&host, second, "GET /sessions", Value::Null).await;
        let other =
            sessions["sessions"].as_array().unwrap().iter().find(|one| one["current"] == false).unwrap();
        let other = other["id"].as_str().unwrap();
        self.ask(&host, second, &format!("DELETE /sessions/{other}"), Value::Null).await;
        self.ask(&host, second, "DELETE /sessions", Value::Null).await;
    }

    /// The peering, from the ticket on.
    async fn peering(&mut self) {
        let ticket = self.alice("POST /peers/tickets", json!({ "hours": 1 })).await;
        self.gus("POST /peers", json!({ "ticket": ticket["ticket"] })).await;
        let globex = self.globex.id;
        let stands = |of, status| {
            move |view: &Snapshot| view.state.peers.get(&of).is_some_and(|row| row.status == status)
        };
        self.acme.until("the request", stands(globex, PeerStatus::Waiting)).await;
        self.alice(&format!("POST /peers/{globex}/approve"), Value::Null).await;
        self.globex.until("the approval", stands(self.acme.id, PeerStatus::Active)).await;
        self.alice(&format!("PATCH /peers/{globex}"), json!({ "invites": "ask" })).await;
        self.alice(&format!("GET /peers/{globex}/end"), Value::Null).await;
        self.alice(&format!("POST /peers/{globex}/dial"), Value::Null).await;
        self.alice("GET /peers", Value::Null).await;
    }

    /// Waits until carl sees a group or thread.
    async fn comes(&self, scope: &str) {
        let (carl, scope) = (self.carls_id, scope.parse().unwrap());
        self.globex
            .until(&format!("{scope} at globex"), |view| gate::sees_scope(&view.state, carl, scope))
            .await;
    }

    /// A group with people of both; its id and its chat.
    async fn group(&mut self) -> (String, String) {
        let group = self.alice("POST /groups", json!({ "name": "Launch", "lease": "strict" })).await;
        let (group, chat) = (group["id"].as_str().unwrap(), group["chat"].as_str().unwrap());
        let members = format!("POST /groups/{group}/members");
        let preview = format!("GET /groups/{group}/members/preview?address=jo@free.example");
        self.alice(&preview, Value::Null).await;
        self.alice(&members, json!({ "address": "mia@acme.example" })).await;
        self.alice(&members, json!({ "address": "mia@acme.example" })).await;
        for answer in ["decline", "accept"] {
            // As long as his first answer is on its way, an invitation stands, and another one would be the same.
            let answered = |view: &Snapshot| view.state.sent.values().all(|sent| !sent.status.is_open());
            self.acme.until("the answer", answered).await;
            let invited =
                self.alice(&members, json!({ "address": "carl@globex.example", "grade": "post" })).await;
            let id = invited["invitation"].as_str().unwrap().to_owned();
            let came = |view: &Snapshot| view.state.received.keys().any(|(key, _)| key.to_string() == id);
            self.globex.until("the invitation", came).await;
            self.carl("GET /invitations", Value::Null).await;
            self.carl(&format!("POST /invitations/{id}/{answer}"), Value::Null).await;
        }
        let invited = self.alice(&members, json!({ "address": "alice@globex.example" })).await;
        self.alice(&format!("DELETE /invitations/{}", invited["invitation"].as_str().unwrap()), Value::Null)
            .await;
        self.comes(chat).await;
        (group.to_owned(), chat.to_owned())
    }

    /// What its members and admins do with it.
    async fn in_the_group(&mut self, group: &str) {
        let at = format!("/groups/{group}");
        self.carl("GET /groups", Value::Null).await;
        self.carl(&format!("GET {at}"), Value::Null).await;
        let members = self.carl(&format!("GET {at}/members?limit=2"), Value::Null).await;
        assert!(members["next"].is_string(), "there are three: {members}");
        let mia = self.mia("GET /me", Value::Null).await["id"].as_str().unwrap().to_owned();
        self.alice(&format!("PATCH {at}/members/{mia}"), json!({ "grade": "invite" })).await;
        let preview = format!("GET {at}/members/preview?address=mia@acme.example&grade=read");
        self.alice(&preview, Value::Null).await;
        self.alice(&format!("DELETE {at}/members/{mia}"), Value::Null).await;
        self.alice(&format!("POST {at}/members"), json!({ "address": "mia@acme.example" })).await;
        self.mia(&format!("POST {at}/leave"), Value::Null).await;
        self.alice(&format!("PATCH {at}"), json!({ "open_invites": true, "lease": 60 })).await;
        self.alice(&format!("GET {at}/tightening"), Value::Null).await;
        self.alice(&format!("GET {at}/move?to=globex.example"), Value::Null).await;
        self.gus(&format!("GET {at}/handover"), Value::Null).await;
    }

    /// A thread between the two, and its recipients.
    async fn threads(&mut self, group: &str) -> String {
        let new = json!({ "subject": "Plan", "people": ["mia@acme.example"] });
        let thread = self.alice("POST /threads", new).await["id"].as_str().unwrap().to_owned();
        let at = format!("/threads/{thread}");
        self.alice(&format!("POST {at}/groups"), json!({ "group": group })).await;
        self.comes(&thread).await;
        for head in ["GET /threads?limit=1", &format!("GET {at}"), &format!("GET {at}/why")] {
            self.carl(head, Value::Null).await;
        }
        self.alice(&format!("DELETE {at}/groups/{group}"), Value::Null).await;
        self.alice(&format!("POST {at}/members"), json!({ "address": "mia@acme.example" })).await;
        self.mia(&format!("GET {at}/members"), Value::Null).await;
        let mia = self.mia("GET /me", Value::Null).await["id"].as_str().unwrap().to_owned();
        self.alice(&format!("PATCH {at}/members/{mia}"), json!({ "grade": "read" })).await;
        self.alice(&format!("PATCH {at}"), json!({ "name": "The plan" })).await;
        self.mia(&format!("POST {at}/typing"), Value::Null).await;
        self.mia(&format!("POST {at}/read"), json!({ "seq": 0 })).await;
        let preview = format!("GET {at}/members/preview?address=mia@acme.example&grade=read");
        self.alice(&preview, Value::Null).await;
        self.alice(&format!("DELETE {at}/members/{mia}"), Value::Null).await;
        self.alice(&format!("POST {at}/members"), json!({ "address": "mia@acme.example" })).await;
        self.mia(&format!("POST {at}/leave"), Value::Null).await;
        self.alice(&format!("DELETE {at}"), Value::Null).await;
        let dm = self.mia("POST /dms", json!({ "address": "alice@acme.example" })).await;
        dm["id"].as_str().unwrap().to_owned()
    }

    async fn messages(&mut self, thread: &str) {
        let at = format!("/threads/{thread}/messages");
        let mia = self.mia("GET /me", Value::Null).await["id"].clone();
        let post = format!("POST {at}");
        let seq = self.alice(&post, json!({ "text": "Hello", "mentions": [mia] })).await["seq"].clone();
        self.alice(&format!("PATCH {at}/{seq}"), json!({ "text": "Hello!" })).await;
        self.mia(&format!("POST {at}/{seq}/reactions"), json!({ "emoji": "+1" })).await;
        self.mia(&format!("GET {at}/{seq}"), Value::Null).await;
        self.mia(&format!("GET {at}?limit=1"), Value::Null).await;
        self.mia(&format!("DELETE {at}/{seq}/reactions"), json!({ "emoji": "+1" })).await;
        self.alice(&format!("DELETE {at}/{seq}"), Value::Null).await;
        self.mia(&format!("GET {at}"), Value::Null).await;
    }

    /// A group of acme with carl in it.
    async fn with_carl(&mut self, name: &str) -> String {
        let group =
            self.alice("POST /groups", json!({ "name": name })).await["id"].as_str().unwrap().to_owned();
        let invite = format!("POST /groups/{group}/members");
        let invited = self.alice(&invite, json!({ "address": "carl@globex.example" })).await;
        let id = invited["invitation"].as_str().unwrap();
        let came = |view: &Snapshot| view.state.received.keys().any(|(key, _)| key.to_string() == id);
        self.globex.until("the invitation", came).await;
        self.carl(&format!("POST /invitations/{id}/accept"), Value::Null).await;
        self.comes(&group).await;
        group
    }

    /// A removal that globex has to obey, and what the logs say of all this.
    async fn removal(&mut self) {
        let (group, carl) = (self.with_carl("Short").await, self.carls_id);
        self.alice(&format!("GET /invitations/sent?scope={group}"), Value::Null).await;
        self.alice("GET /invitations/sent?open=false&limit=1", Value::Null).await;
        self.carl("GET /claims", Value::Null).await;
        self.gus("GET /claims/peerings", Value::Null).await;
        let here = self.alice("GET /externals", Value::Null).await;
        assert_eq!(here["externals"][0]["address"], "carl@globex.example", "{here}");
        let there = self.gus("GET /abroad", Value::Null).await;
        assert_eq!(there["abroad"][0]["people"][0]["user"]["id"], carl.to_string(), "{there}");
        self.alice("GET /accounts", Value::Null).await;
        let remove = format!("DELETE /groups/{group}/members/{carl}?everywhere=true");
        let epoch = self.alice(&remove, Value::Null).await["epoch"].as_u64().unwrap();
        self.alice("GET /removals", Value::Null).await;
        self.alice(&format!("GET /removals/{group}/{epoch}"), Value::Null).await;
        self.alice(&format!("DELETE /groups/{group}"), Value::Null).await;
        self.alice("GET /audit?limit=3&act=member.", Value::Null).await;
        self.alice("GET /audit/export", Value::Null).await;
    }

    /// An offer that is declined, and one that is wanted.
    async fn moves(&mut self) {
        let group = self.with_carl("Moving").await;
        for wanted in [false, true] {
            let to = json!({ "to": "globex.example" });
            let offer = self.alice(&format!("POST /groups/{group}/move"), to).await;
            let offer = offer["id"].as_str().unwrap();
            let came = |view: &Snapshot| view.state.transfers.keys().any(|id| id.to_string() == offer);
            self.globex.until("the offer", came).await;
            self.gus("GET /moves", Value::Null).await;
            if wanted {
                self.gus(&format!("POST /moves/{offer}/accept"), Value::Null).await;
            } else {
                self.gus(&format!("DELETE /moves/{offer}"), Value::Null).await;
                let over = |view: &Snapshot| view.state.transfers.values().all(|row| !row.is_open());
                self.acme.until("that it was declined", over).await;
            }
        }
    }

    /// Policies at their three places; a change that is to be looked at comes as JSON in the query.
    async fn policies(&mut self, group: &str) {
        let (nothing, globex) = ("change=%7B%7D", self.globex.id);
        self.mia("GET /workspace/policy", Value::Null).await;
        self.alice(&format!("GET /workspace/policy/tightening?{nothing}"), Value::Null).await;
        self.alice("PATCH /workspace/policy", json!({ "open_invitations": 100, "peers": "all" })).await;
        self.alice(&format!("GET /peers/{globex}/policy"), Value::Null).await;
        self.alice(&format!("GET /peers/{globex}/tightening?{nothing}"), Value::Null).await;
        self.alice(&format!("GET /groups/{group}/policy"), Value::Null).await;
        self.alice(&format!("GET /groups/{group}/policy/tightening?{nothing}"), Value::Null).await;
        self.alice(&format!("PATCH /groups/{group}/policy?confirm=true"), json!({ "peers": [globex] })).await;
    }

    /// A locked thread's requests, and who is blocked.
    async fn conduct(&mut self) {
        let new = json!({ "subject": "Locked", "people": ["mia@acme.example"], "text": "Sh" });
        let thread = self.alice("POST /threads", new).await["id"].as_str().unwrap().to_owned();
        let at = format!("/threads/{thread}");
        self.alice(&format!("PATCH {at}"), json!({ "locked": true })).await;
        for (whom, answer) in [("alice", "decline"), ("carl", "approve")] {
            let asked = json!({ "address": format!("{whom}@globex.example") });
            let asked = self.mia(&format!("POST {at}/requests"), asked).await;
            self.mia("GET /requests", Value::Null).await;
            self.alice(&format!("GET {at}/requests"), Value::Null).await;
            let request = asked["request"].as_str().unwrap();
            self.alice(&format!("POST {at}/requests/{request}/{answer}"), Value::Null).await;
        }
        self.alice("GET /invitations/approvals", Value::Null).await;
        let carl = json!({ "user": self.carls_id });
        self.mia("POST /blocks", carl.clone()).await;
        self.mia("GET /blocks", Value::Null).await;
        self.mia("DELETE /blocks", carl).await;
    }

    /// People, groups and messages by name, and what stays in the inbox.
    async fn names(&mut self, thread: &str) {
        let open = json!({ "name": "Open house", "open": true });
        let open = self.alice("POST /groups", open).await["id"].as_str().unwrap().to_owned();
        for head in ["GET /contacts?q=a", "GET /directory?limit=1", "GET /search?q=hello"] {
            self.mia(head, Value::Null).await;
        }
        self.mia(&format!("GET /people/{}", self.acme.alice()), Value::Null).await;
        self.mia(&format!("POST /groups/{open}/join"), Value::Null).await;
        self.mia(&format!("GET /groups/{open}/members?q=m"), Value::Null).await;
        for what in ["follow", "archive"] {
            self.mia(&format!("POST /threads/{thread}/{what}"), Value::Null).await;
            self.mia(&format!("DELETE /threads/{thread}/{what}"), Value::Null).await;
        }
        self.mia("GET /threads?view=all&unread=true", Value::Null).await;
        let host = self.acme.host.clone();
        self.ask(&host, "", "POST /forgotten", json!({ "address": "mia@acme.example" })).await;
        self.alice("GET /mail", Value::Null).await;
    }

    async fn events(&mut self) {
        let mut live = Live::open(&self.acme.host, &self.mia, &[]).await;
        live.until("hello").await;
        let (head, body) = live.seen.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("content-type: text/event-stream"), "{head}");
        contract::check("GET", "/events", "", &Given { status: 200, kind: Some("text/event-stream"), body });
        self.done.insert("GET /events".to_owned());
    }

    /// What an owner who is away has not taken, and the end of the peering.
    async fn apart(&mut self, group: &str, chat: &str) {
        self.acme.stop().await;
        let waits = self.carl(&format!("POST /threads/{chat}/messages"), json!({ "text": "Later" })).await;
        assert_eq!(waits["status"], "pending");
        self.carl("GET /pending", Value::Null).await;
        self.carl(&format!("GET /threads/{chat}/messages"), Value::Null).await;
        self.carl(&format!("DELETE /pending/{}", waits["id"].as_str().unwrap()), Value::Null).await;
        let carl = self.carls_id;
        self.gus(&format!("DELETE /users/{carl}/memberships/{group}"), Value::Null).await;
        let acme = self.acme.id;
        self.gus(&format!("POST /peers/{acme}/pause"), Value::Null).await;
        self.gus(&format!("DELETE /peers/{acme}"), Value::Null).await;
        self.globex.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_endpoint_does_what_the_document_says() {
    let (acme, globex) = (Workspace::new("acme").await, Workspace::new("globex").await);
    let (_, mia) = acme.person("mia").await;
    let (carls_id, carl) = globex.person("carl").await;
    let mut walk = Walk { acme, globex, mia, carl, carls_id, done: BTreeSet::new() };
    walk.people().await;
    walk.peering().await;
    let (group, chat) = walk.group().await;
    let dm = walk.threads(&group).await;
    walk.in_the_group(&group).await;
    walk.messages(&dm).await;
    walk.removal().await;
    walk.moves().await;
    walk.policies(&group).await;
    walk.conduct().await;
    walk.names(&dm).await;
    walk.events().await;
    walk.apart(&group, &chat).await;
    let listed = api::endpoints().into_iter().map(|(method, path, _)| format!("{method} {path}"));
    let missed: Vec<_> = listed
        .filter(|head| !walk.done.contains(head) && !ELSEWHERE.iter().any(|(elsewhere, _)| elsewhere == head))
        .collect();
    assert!(missed.is_empty(), "tests/openapi.rs calls none of {missed:?} with success: add a step");
}

/// What the document itself must hold; `.ci/run` holds it against the meta-schema of OpenAPI.
#[test]
fn the_document_lists_every_endpoint_once_and_leaves_nothing_open() {
    let document = api::document();
    let listed: BTreeSet<_> =
        api::endpoints().into_iter().map(|(method, path, _)| format!("{method} {path}")).collect();
    let (mut shown, mut names) = (BTreeSet::new(), BTreeSet::new());
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            shown.insert(format!("{} {path}", method.to_uppercase()));
            assert!(names.insert(operation["operationId"].to_string()), "{method} {path}: a name twice");
            let given = operation["parameters"].as_array().into_iter().flatten();
            let named: Vec<_> =
                given.filter(|one| one["in"] == "path").map(|one| one["name"].as_str().unwrap()).collect();
            let braces: Vec<_> =
                path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
            assert_eq!(named, braces, "{method} {path}");
        }
    }
    assert_eq!(shown, listed);
    // Where two types have one name, the generator appends a number.
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let twice: Vec<_> = schemas.keys().filter(|name| name.ends_with(|c: char| c.is_ascii_digit())).collect();
    assert!(twice.is_empty(), "two types of one name: give one of them #[schemars(rename)]: {twice:?}");
    open_schemas(&document, &document, "#");
}

/// Every reference leads somewhere, and every schema says what it is about.
fn open_schemas(document: &Value, value: &Value, at: &str) {
    for (name, inner) in value.as_object().into_iter().flatten() {
        let here = format!("{at}/{name}");
        if let (true, Some(reference)) = (name == "$ref", inner.as_str()) {
            assert!(document.pointer(&reference[1..]).is_some(), "{here}: {reference} is nowhere");
        }
        let typed = !inner.is_boolean() && inner.as_object().is_none_or(|fields| !fields.is_empty());
        assert!(typed || !["schema", "items"].contains(&name.as_str()), "{here}: an answer without a type");
        open_schemas(document, inner, &here);
    }
    for (n, inner) in value.as_array().into_iter().flatten().enumerate() {
        open_schemas(document, inner, &format!("{at}/{n}"));
    }
}

/// Who reads the document alone is told what each operation does.
#[test]
fn every_operation_has_a_summary() {
    let document = api::document();
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, methods)| {
        methods.as_object().unwrap().iter().map(move |(method, operation)| (path, method, operation))
    });
    let bare: Vec<_> = operations
        .filter(|(.., operation)| operation["summary"].as_str().is_none_or(str::is_empty))
        .map(|(path, method, _)| format!("{method} {path}"))
        .collect();
    assert!(bare.is_empty(), "a comment above the line in the table of endpoints is missing: {bare:?}");
}
