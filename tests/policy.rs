//! Policies and conduct between real nodes over their APIs (P2.3-P2.8, P3.3, P5.1, P5.2, P5.5, P6.3, P6.6, P8.2).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

use comity::{
    ids::{ScopeId, UserId},
    node::Snapshot,
    protocol::{Command, Reply, gate, row::InviteStatus},
    wire::objects::{Action, Floor, Grade},
};
use harness::{
    Workspace, admit, group,
    http::{self, Checked},
    peer, settings, shared_group,
};
use hyper::Method;
use serde_json::{Value, json};

mod harness;

/// acme with alice, its admin, and mia; globex with its admin and bob.
struct Stage {
    acme: Workspace,
    globex: Workspace,
    alice: Checked,
    admin: Checked,
    mia: (UserId, Checked),
    bob: (UserId, Checked),
}

impl Stage {
    async fn new() -> Self {
        let (acme, globex) = (Workspace::new("acme").await, Workspace::new("globex").await);
        peer(&acme, &globex).await;
        let (mia, bob) = (acme.person("mia").await, globex.person("bob").await);
        let (alice, admin) = (acme.client(&acme.admin).await, globex.client(&globex.admin).await);
        let (mia, bob) = ((mia.0, acme.client(&mia.1).await), (bob.0, globex.client(&bob.1).await));
        Self { acme, globex, alice, admin, mia, bob }
    }

    async fn end(mut self) {
        self.acme.stop().await;
        self.globex.stop().await;
    }

    /// A topic of alice's to mia and bob.
    async fn topic(&mut self) -> ScopeId {
        let made = Command::CreateThread {
            actor: self.acme.alice(),
            settings: settings("Terms"),
            groups: vec![],
            addresses: vec!["mia@acme.example".into()],
        };
        let Reply::Scope(topic, _) = self.acme.ask(made).await else { panic!() };
        admit(&self.acme, self.acme.alice(), topic, &self.globex, self.bob.0, Grade::Post).await;
        topic
    }

    /// What acme's alice asks, with the status and the body.
    async fn alice(&mut self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        ask(&mut self.alice, method, path, body).await
    }
}

async fn ask(client: &mut Checked, method: Method, path: &str, body: &Value) -> (u16, Value) {
    let answer = client.send(method, path, Some(body).filter(|body| !body.is_null()), None).await.unwrap();
    (answer.status.as_u16(), answer.body)
}

fn invited(view: &Snapshot, user: UserId, status: InviteStatus) -> bool {
    view.state.received.values().any(|held| held.user == user && held.status == status)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p8_2_a_tightened_policy_shows_whom_it_cuts_and_then_cuts_them() {
    let mut stage = Stage::new().await;
    let (alice, bob) = (stage.acme.alice(), stage.bob.0);
    let (scope, chat) = shared_group(&stage.acme, alice, &stage.globex, bob).await;
    let none = json!({ "peers": [] });
    let preview = "/workspace/policy/tightening?change=%7B%22peers%22%3A%5B%5D%7D";
    let (status, shown) = stage.alice(Method::GET, preview, &Value::Null).await;
    assert_eq!(status, 200, "{shown}");
    assert_eq!(shown["losses"][0]["user"]["id"], json!(bob), "P8.2: who would lose what: {shown}");
    assert_eq!(shown["counts"]["people"], 1);
    let (status, refused) = stage.alice(Method::PATCH, "/workspace/policy", &none).await;
    assert_eq!((status, &refused["counts"]["people"]), (409, &json!(1)), "P8.2: not unseen: {refused}");
    assert!(refused["detail"].as_str().unwrap().contains("/workspace/policy/tightening"), "{refused}");
    let (status, body) = stage.alice(Method::PATCH, "/workspace/policy?confirm=true", &none).await;
    assert_eq!(status, 204, "{body}");
    assert!(!gate::sees_scope(&stage.acme.handle().snapshot().state, bob, scope), "P8.2: cut at once");
    stage.globex.until("the cut", |view| !gate::reaches(&view.state, bob, chat)).await;
    let invite = json!({ "address": "bob@globex.example" });
    let (status, body) = stage.alice(Method::POST, &format!("/groups/{scope}/members"), &invite).await;
    assert_eq!(status, 403, "P2.5: which peers is the owner's say: {body}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p2_5_a_group_narrows_who_comes_and_as_what() {
    let mut stage = Stage::new().await;
    let (alice, bob) = (stage.acme.alice(), stage.bob.0);
    let (scope, _) = shared_group(&stage.acme, alice, &stage.globex, bob).await;
    let path = format!("/groups/{scope}/policy");
    let (status, refused) = stage.alice(Method::PATCH, &path, &json!({ "grade": "read" })).await;
    assert_eq!((status, &refused["counts"]["lowered"]), (409, &json!(1)), "P8.2: {refused}");
    stage
        .alice
        .call(Method::PATCH, &format!("{path}?confirm=true"), Some(&json!({ "grade": "read" })))
        .await
        .unwrap();
    let state = stage.acme.handle().snapshot().state.clone();
    assert_eq!(state.scope(scope).unwrap().members[&bob].grade, Grade::Read, "P2.5: the highest grade");
    assert_eq!(stage.alice.get(&path).await.unwrap()["effective_grade"], "read");
    let up = json!({ "grade": "post" });
    let (status, _) = stage.alice(Method::PATCH, &format!("/groups/{scope}/members/{bob}"), &up).await;
    assert_eq!(status, 403, "P2.5: nor by a grade later");
    let (status, _) = ask(&mut stage.mia.1, Method::PATCH, &path, &json!({ "grade": "admin" })).await;
    assert_eq!(status, 404, "the policy of a group is its admins'");
    let only = json!({ "inviters": "group-admins" });
    stage.alice.call(Method::PATCH, "/workspace/policy", Some(&only)).await.unwrap();
    stage.alice.call(Method::PATCH, &path, Some(&json!({ "grade": "admin" }))).await.unwrap();
    stage
        .alice
        .call(Method::PATCH, &format!("/groups/{scope}"), Some(&json!({ "open_invites": true })))
        .await
        .unwrap();
    stage
        .alice
        .post(&format!("/groups/{scope}/members"), &json!({ "address": "mia@acme.example" }))
        .await
        .unwrap();
    let members = format!("/groups/{scope}/members");
    let carl = json!({ "address": "carl@globex.example" });
    let (status, body) = ask(&mut stage.mia.1, Method::POST, &members, &carl).await;
    assert_eq!(status, 403, "P8: only group admins invite externals: {body}");
    stage.user_joins_at_once(&members).await;
    stage.end().await;
}

impl Stage {
    /// Own people are nobody's externals.
    async fn user_joins_at_once(&mut self, members: &str) {
        self.acme.user("max").await;
        let (status, body) =
            ask(&mut self.mia.1, Method::POST, members, &json!({ "address": "max@acme.example" })).await;
        assert_eq!(status, 201, "P2.4: any member, by the group's setting: {body}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p2_5_an_admin_of_the_home_is_asked_before_the_user() {
    let mut stage = Stage::new().await;
    let (alice, bob, acme) = (stage.acme.alice(), stage.bob.0, stage.acme.id);
    let ask_admin = json!({ "invites": "ask-admin" });
    stage.admin.call(Method::PATCH, &format!("/peers/{acme}"), Some(&ask_admin)).await.unwrap();
    let (first, _) = group(&stage.acme, alice, "First").await;
    let invite = |scope| {
        let (address, grade, floor) = ("bob@globex.example".into(), Grade::Post, Floor::FromNow);
        Command::Act(alice, Action::Invite { scope, address, grade, floor, until: None })
    };
    stage.acme.ask(invite(first)).await;
    stage.globex.until("an invitation that is held", |view| invited(view, bob, InviteStatus::Held)).await;
    let seen = stage.bob.1.get("/invitations").await.unwrap();
    assert_eq!(seen["invitations"], json!([]), "P2.5: the user sees nothing before");
    let queue = stage.admin.get("/invitations/approvals").await.unwrap();
    assert_eq!(queue["approvals"][0]["user"]["id"], json!(bob), "{queue}");
    let id = queue["approvals"][0]["id"].as_str().unwrap().to_owned();
    let (status, _) =
        ask(&mut stage.bob.1, Method::POST, &format!("/invitations/{id}/accept"), &json!({})).await;
    assert_eq!(status, 404, "P2.5: nor can he answer it");
    let (status, _) =
        ask(&mut stage.bob.1, Method::POST, &format!("/invitations/{id}/approve"), &json!({})).await;
    assert_eq!(status, 404, "an admin's word");
    stage.admin.post(&format!("/invitations/{id}/approve"), &json!({})).await.unwrap();
    stage.bob.1.post(&format!("/invitations/{id}/accept"), &json!({})).await.unwrap();
    stage.globex.until("the group", |view| gate::sees_scope(&view.state, bob, first)).await;
    let (second, _) = group(&stage.acme, alice, "Second").await;
    stage.acme.ask(invite(second)).await;
    stage.globex.until("another one", |view| invited(view, bob, InviteStatus::Held)).await;
    let queue = stage.admin.get("/invitations/approvals").await.unwrap();
    let id = queue["approvals"][0]["id"].as_str().unwrap();
    stage.admin.post(&format!("/invitations/{id}/refuse"), &json!({})).await.unwrap();
    let declined =
        |view: &Snapshot| view.state.sent.values().any(|sent| sent.status == InviteStatus::Declined);
    stage.acme.until("the refusal, like one of the user", declined).await;
    let audit = stage.admin.get("/audit").await.unwrap().to_string();
    assert!(audit.contains("invite.approved") && audit.contains("invite.refused"), "P8.3: {audit}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p2_4_on_a_locked_thread_others_ask_and_the_starter_answers() {
    let mut stage = Stage::new().await;
    let (carl, _) = stage.globex.person("carl").await;
    let bob = stage.bob.0;
    let topic = stage.topic().await;
    let add = json!({ "address": "carl@globex.example" });
    let (members, requests) = (format!("/threads/{topic}/members"), format!("/threads/{topic}/requests"));
    let (status, body) = ask(&mut stage.bob.1, Method::POST, &requests, &add).await;
    assert_eq!(status, 422, "P2.4: who may add people adds them: {body}");
    let locked = |on: bool| json!({ "locked": on });
    stage.alice.call(Method::PATCH, &format!("/threads/{topic}"), Some(&locked(true))).await.unwrap();
    let is_locked = move |view: &Snapshot| view.state.scope(topic).unwrap().head.settings.locked;
    stage.globex.until("the lock", is_locked).await;
    let (status, _) = ask(&mut stage.bob.1, Method::POST, &members, &add).await;
    assert_eq!(status, 403, "P6.3: locked");
    let asked = stage.bob.1.post(&requests, &add).await.unwrap();
    let id = asked["request"].as_str().unwrap().to_owned();
    let (status, _) =
        ask(&mut stage.mia.1, Method::POST, &format!("{requests}/{id}/approve"), &json!({})).await;
    assert_eq!(status, 403, "P2.4: starter or admins approve");
    assert_eq!(stage.mia.1.get(&requests).await.unwrap()["requests"], json!([]), "nor see others' requests");
    let seen = stage.alice.get(&requests).await.unwrap();
    assert_eq!(
        (&seen["requests"][0]["id"], &seen["requests"][0]["by"]["id"]),
        (&json!(id), &json!(bob)),
        "{seen}"
    );
    let open = |view: &Snapshot| view.state.rules.requests.len() == 1;
    stage.globex.until("the owner's word on it", open).await;
    assert_eq!(stage.bob.1.get("/requests").await.unwrap()["requests"][0]["status"], "open");
    stage.alice.post(&format!("{requests}/{id}/approve"), &json!({})).await.unwrap();
    stage.globex.until("the invitation", |view| invited(view, carl, InviteStatus::Sent)).await;
    let approved =
        |view: &Snapshot| view.state.rules.requests.values().all(|row| row.status.name() == "approved");
    stage.globex.until("the answer", approved).await;
    assert_eq!(stage.bob.1.get("/requests").await.unwrap()["requests"][0]["status"], "approved");
    let state = stage.acme.handle().snapshot().state.clone();
    assert!(state.sent.values().all(|sent| sent.by == stage.acme.alice()), "in the approver's name");
    let audit = stage.alice.get("/audit").await.unwrap().to_string();
    assert!(audit.contains(&format!("asked for by {bob}")), "P8.3: the requester is noted: {audit}");
    stage.bob.1.post(&requests, &json!({ "address": "dora@globex.example" })).await.unwrap();
    stage.alice.call(Method::PATCH, &format!("/threads/{topic}"), Some(&locked(false))).await.unwrap();
    stage.alice.call(Method::PATCH, &format!("/threads/{topic}"), Some(&locked(true))).await.unwrap();
    let seen = stage.alice.get(&requests).await.unwrap();
    assert_eq!(seen["requests"][0]["status"], "void", "a request ends with the lock: {seen}");
    stage.bob.1.post(&requests, &json!({ "address": "emil@globex.example" })).await.unwrap();
    let remove = format!("{members}/{bob}?everywhere=true");
    stage.alice.call(Method::DELETE, &remove, None).await.unwrap();
    let seen = stage.alice.get(&requests).await.unwrap();
    assert_eq!(seen["requests"][0]["status"], "void", "and with the place of who asked: {seen}");
    stage.globex.until("the removal", |view| view.state.rules.requests.is_empty()).await;
    assert_eq!(stage.bob.1.get("/requests").await.unwrap()["requests"], json!([]), "P7.2");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p6_6_a_starter_of_another_home_answers_requests_until_his_access_ends() {
    let mut stage = Stage::new().await;
    let (alice, bob) = (stage.acme.alice(), stage.bob.0);
    let (scope, _) = shared_group(&stage.acme, alice, &stage.globex, bob).await;
    stage
        .alice
        .post(&format!("/groups/{scope}/members"), &json!({ "address": "mia@acme.example" }))
        .await
        .unwrap();
    let made = stage.bob.1.post("/threads", &json!({ "subject": "Mine", "groups": [scope] })).await.unwrap();
    let topic = made["id"].as_str().unwrap().to_owned();
    let direct = stage.bob.1.get(&format!("/threads/{topic}/members")).await.unwrap();
    assert_eq!(direct["members"], json!([]), "P6.6: starting makes nobody a direct recipient");
    let (thread, requests) = (format!("/threads/{topic}"), format!("/threads/{topic}/requests"));
    let renamed = json!({ "name": "Ours" });
    stage.mia.1.call(Method::PATCH, &thread, Some(&renamed)).await.unwrap();
    stage.bob.1.call(Method::PATCH, &thread, Some(&json!({ "locked": true }))).await.unwrap();
    let (status, _) = ask(&mut stage.mia.1, Method::PATCH, &thread, &json!({ "name": "Hers" })).await;
    assert_eq!(status, 403, "P6.3: starter and admins rename when locked");
    let (status, _) = ask(&mut stage.mia.1, Method::DELETE, &thread, &Value::Null).await;
    assert_eq!(status, 403, "P6.3: or delete");
    let asked = stage.mia.1.post(&requests, &json!({ "address": "max@acme.example" })).await.unwrap();
    let id = asked["request"].as_str().unwrap().to_owned();
    stage
        .globex
        .until("the request at the starter's home", |view| !view.state.rules.requests.is_empty())
        .await;
    assert_eq!(stage.bob.1.get(&requests).await.unwrap()["requests"][0]["id"], json!(id));
    stage
        .mia
        .1
        .post(&format!("{thread}/messages"), &json!({ "text": "P6.3: lock and replies-off are independent" }))
        .await
        .unwrap();
    stage.bob.1.post(&format!("{requests}/{id}/decline"), &json!({})).await.unwrap();
    assert_eq!(stage.mia.1.get("/requests").await.unwrap()["requests"][0]["status"], "declined");
    let remove = format!("/groups/{scope}/members/{bob}");
    stage.alice.call(Method::DELETE, &remove, None).await.unwrap();
    let (status, _) = ask(&mut stage.bob.1, Method::PATCH, &thread, &json!({ "locked": false })).await;
    assert_eq!(status, 404, "P6.6: the starter's rights end with the access");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p2_7_the_grade_invite_adds_colleagues_of_the_own_home_only() {
    let mut stage = Stage::new().await;
    let (alice, bob) = (stage.acme.alice(), stage.bob.0);
    stage.globex.user("carl").await;
    stage.acme.user("max").await;
    let (scope, _) = shared_group(&stage.acme, alice, &stage.globex, bob).await;
    let members = format!("/groups/{scope}/members");
    let (carl, max) = (json!({ "address": "carl@globex.example" }), json!({ "address": "max@acme.example" }));
    let (status, _) = ask(&mut stage.bob.1, Method::POST, &members, &carl).await;
    assert_eq!(status, 403, "P2.7: `post` invites nobody");
    let up = json!({ "grade": "invite" });
    stage.alice.call(Method::PATCH, &format!("{members}/{bob}"), Some(&up)).await.unwrap();
    let (status, body) = ask(&mut stage.bob.1, Method::POST, &members, &max).await;
    assert_eq!(status, 403, "P2.7: nobody of the owner's home: {body}");
    let (status, body) = ask(&mut stage.bob.1, Method::POST, &members, &carl).await;
    assert_eq!(status, 202, "P2.7: a colleague: {body}");
    let nobody = json!({ "address": "nobody@acme.example" });
    let (status, other) = ask(&mut stage.bob.1, Method::POST, &members, &nobody).await;
    assert_eq!(
        (status, other["detail"].clone()),
        (403, body_of_max(&mut stage, &members).await),
        "no enumeration"
    );
    stage.end().await;
}

async fn body_of_max(stage: &mut Stage, members: &str) -> Value {
    let max = json!({ "address": "max@acme.example" });
    ask(&mut stage.bob.1, Method::POST, members, &max).await.1["detail"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p2_4_blocked_people_are_not_heard_and_not_told() {
    let mut stage = Stage::new().await;
    let (alice, bob) = (stage.acme.alice(), stage.bob.0);
    let (_, chat) = shared_group(&stage.acme, alice, &stage.globex, bob).await;
    let dm = stage.alice.post("/dms", &json!({ "address": "bob@globex.example" })).await.unwrap();
    let dm: ScopeId = dm["id"].as_str().unwrap().parse().unwrap();
    stage
        .globex
        .until("P2.4: a DM to a contact needs no answer", |view| gate::sees_scope(&view.state, bob, dm))
        .await;
    let thread = dm.thread().unwrap();
    stage.acme.post(alice, thread, 1, "before").await;
    stage.globex.until("the message", |view| harness::reads(view, bob, thread) == ["before"]).await;
    stage.bob.1.post("/blocks", &json!({ "user": alice })).await.unwrap();
    assert_eq!(stage.bob.1.get("/blocks").await.unwrap()["blocked"][0]["id"], json!(alice));
    let (second, _) = group(&stage.acme, alice, "Second").await;
    let (status, told) = stage
        .alice(
            Method::POST,
            &format!("/groups/{second}/members"),
            &json!({ "address": "bob@globex.example" }),
        )
        .await;
    assert_eq!((status, &told["status"]), (202, &json!("invited")), "P2.4: no tell-tale");
    let answer = stage.acme.post(alice, thread, 2, "into the void").await;
    assert!(matches!(answer, Reply::Posted(2)), "P2.4: no tell-tale: {answer:?}");
    stage.acme.post(alice, chat, 3, "fence").await;
    stage
        .globex
        .until("later things", |view| harness::reads(view, bob, chat).contains(&"fence".into()))
        .await;
    let view = stage.globex.handle().snapshot();
    assert_eq!(harness::reads(&view, bob, thread), ["before"], "P2.4: takes nothing new");
    assert!(!invited(&view, bob, InviteStatus::Sent), "P2.4: the invitation was dropped");
    let (status, _) =
        ask(&mut stage.bob.1, Method::POST, &format!("/threads/{dm}/messages"), &json!({ "text": "x" }))
            .await;
    assert_eq!(status, 403, "unblock first");
    let unblock = json!({ "user": alice });
    stage.bob.1.call(Method::DELETE, "/blocks", Some(&unblock)).await.unwrap();
    let all = ["before", "into the void"];
    stage.globex.until("what was missed", |view| harness::reads(view, bob, thread) == all).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p2_4_a_dm_to_somebody_unknown_is_accepted_or_declined() {
    let mut stage = Stage::new().await;
    let bob = stage.bob.0;
    let known = json!({ "address": "bob@globex.example" });
    let dm = stage.mia.1.post("/dms", &known).await.unwrap();
    let unknown = stage.mia.1.post("/dms", &json!({ "address": "nobody@globex.example" })).await.unwrap();
    assert_ne!(dm["id"], unknown["id"], "each address has its own");
    assert_eq!(stage.mia.1.post("/dms", &known).await.unwrap()["id"], dm["id"], "and only one");
    stage.globex.until("the question", |view| invited(view, bob, InviteStatus::Sent)).await;
    let asked = stage.bob.1.get("/invitations").await.unwrap();
    let id = asked["invitations"][0]["id"].as_str().unwrap();
    stage.bob.1.post(&format!("/invitations/{id}/accept"), &json!({})).await.unwrap();
    let dm: ScopeId = dm["id"].as_str().unwrap().parse().unwrap();
    stage.globex.until("the DM", |view| gate::sees_scope(&view.state, bob, dm)).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p2_3_an_answer_is_the_same_whether_the_address_exists_or_not() {
    let mut stage = Stage::new().await;
    let (scope, _) = group(&stage.acme, stage.acme.alice(), "Project").await;
    stage.globex.stop().await;
    let (host, token) = (stage.acme.host.clone(), stage.acme.admin.clone());
    let mut answers = Vec::new();
    for address in ["bob@globex.example", "nob@globex.example"] {
        let body = json!({ "address": address }).to_string();
        let answer = http::ask(&host, &token, &format!("POST /groups/{scope}/members"), &body, &[]).await;
        let id = answer.json()["invitation"].as_str().unwrap().to_owned();
        answers.push((answer.status, answer.text.replace(&id, "in_")));
    }
    assert_eq!(answers[0], answers[1], "P2.3: identical bytes in the same order");
    assert_eq!(answers[0].0, 202, "answered and committed while the peer cannot even be asked");
    let sent = stage.acme.handle().snapshot().state.sent.len();
    assert_eq!(sent, 2, "both are rows of the feed");
    stage.globex.start().await;
    let bob = stage.bob.0;
    stage.globex.until("the one that exists", |view| invited(view, bob, InviteStatus::Sent)).await;
    let view = stage.acme.handle().snapshot();
    assert!(view.state.sent.values().all(|sent| sent.status == InviteStatus::Sent), "no answer per address");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p2_3_what_an_invitation_would_do_is_said_before_and_does_nothing() {
    let mut stage = Stage::new().await;
    let (alice, bob, mia) = (stage.acme.alice(), stage.bob.0, stage.mia.0);
    let (scope, _) = shared_group(&stage.acme, alice, &stage.globex, bob).await;
    let members = format!("/groups/{scope}/members");
    let before = stage.acme.handle().snapshot().position;
    for (address, way, history, whom) in [
        ("Mia@acme.example", "joins", "all", Value::Null),
        ("bob@globex.example", "in", "from-now", Value::Null),
        // Nobody has the second address: the answer is by the domain alone (P2.2).
        ("carl@globex.example", "asked", "from-now", json!("globex.example")),
        ("nobody-at-all@globex.example", "asked", "from-now", json!("globex.example")),
        ("jo@freelance.example", "linked", "from-now", Value::Null),
    ] {
        let path = format!("{members}/preview?address={address}");
        let (status, seen) = stage.alice(Method::GET, &path, &Value::Null).await;
        assert_eq!((status, &seen["way"], &seen["history"]), (200, &json!(way), &json!(history)), "{seen}");
        assert_eq!(seen["workspace"]["domain"], whom, "{seen}");
        assert_eq!(seen["days"].is_number(), ["asked", "linked"].contains(&way), "P2.3: {seen}");
    }
    assert_eq!(stage.acme.handle().snapshot().position, before, "nothing was done");
    // The same refusals as the act's.
    let body = |address: &str| json!({ "address": address, "grade": "admin" });
    for address in ["nobody@acme.example", "no address"] {
        let query = format!("{members}/preview?address={}&grade=admin", address.replace(' ', "%20"));
        let (status, seen) = stage.alice(Method::GET, &query, &Value::Null).await;
        assert_eq!((status, seen["detail"].clone()), {
            let (status, refused) = stage.alice(Method::POST, &members, &body(address)).await;
            (status, refused["detail"].clone())
        });
    }
    // At the home of somebody who may add colleagues, the owner decides; and of what he is not in he learns nothing (P3.1).
    let path = format!("{members}/preview?address=carl@globex.example");
    let (status, _) = ask(&mut stage.bob.1, Method::GET, &path, &Value::Null).await;
    assert_eq!(status, 403, "P2.7: who only writes adds nobody");
    stage.alice(Method::PATCH, &format!("{members}/{bob}"), &json!({ "grade": "invite" })).await;
    let may = |view: &Snapshot| view.state.scope(scope).unwrap().members[&bob].grade == Grade::Invite;
    stage.globex.until("the grade", may).await;
    let (_, seen) = ask(&mut stage.bob.1, Method::GET, &path, &Value::Null).await;
    assert_eq!(
        (&seen["way"], &seen["workspace"]["domain"]),
        (&json!("owner"), &json!("acme.example")),
        "{seen}"
    );
    let (status, _) = ask(&mut stage.mia.1, Method::GET, &path, &Value::Null).await;
    assert_eq!(status, 404, "P3.1");
    stage.alice(Method::POST, &members, &json!({ "address": "mia@acme.example" })).await;
    let state = stage.acme.handle().snapshot().state.clone();
    assert!(state.scope(scope).unwrap().members.contains_key(&mia), "as it was said");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p2_3_a_home_forbids_look_ups_once_and_for_all_addresses() {
    let mut stage = Stage::new().await;
    let (acme, globex, bob) = (stage.acme.id, stage.globex.id, stage.bob.0);
    let (scope, _) = group(&stage.acme, stage.acme.alice(), "Project").await;
    let off = json!({ "lookups": false });
    stage.admin.call(Method::PATCH, &format!("/peers/{acme}"), Some(&off)).await.unwrap();
    stage.acme.until("the statement", move |view| !view.state.peers[&globex].resolves).await;
    let members = format!("/groups/{scope}/members");
    let (status, body) =
        stage.alice(Method::POST, &members, &json!({ "address": "bob@globex.example" })).await;
    assert_eq!(status, 202, "P2.3: then by e-mail, or with a link to pass on: {body}");
    let (_, other) = stage.alice(Method::POST, &members, &json!({ "address": "nob@globex.example" })).await;
    assert_eq!(body["status"], other["status"], "P2.3: for all addresses alike");
    let state = stage.acme.handle().snapshot().state.clone();
    assert!(state.sent.values().all(|sent| sent.link.is_some()), "P2.3: its admin decides: {body}");
    for sent in state.sent.keys() {
        stage.alice.call(Method::DELETE, &format!("/invitations/{sent}"), None).await.unwrap();
    }
    let view = stage.alice.get(&format!("/peers/{globex}/policy")).await.unwrap();
    assert_eq!(view["resolves"], false);
    let on = json!({ "lookups": true });
    stage.admin.call(Method::PATCH, &format!("/peers/{acme}"), Some(&on)).await.unwrap();
    stage.acme.until("the other statement", move |view| view.state.peers[&globex].resolves).await;
    admit(&stage.acme, stage.acme.alice(), scope, &stage.globex, bob, Grade::Post).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p8_quotas_are_counted_across_a_restart() {
    let mut stage = Stage::new().await;
    let quota = json!({ "hourly_lookups": 2 });
    stage.alice.call(Method::PATCH, "/workspace/policy", Some(&quota)).await.unwrap();
    let made = stage.mia.1.post("/threads", &json!({ "subject": "x" })).await.unwrap();
    let members = format!("/threads/{}/members", made["id"].as_str().unwrap());
    for address in ["a@globex.example", "b@globex.example"] {
        stage.mia.1.post(&members, &json!({ "address": address })).await.unwrap();
    }
    stage.acme.stop().await;
    stage.acme.start().await;
    let mut mia = stage.acme.client("token of mia").await;
    let more = json!({ "address": "c@globex.example" });
    let (status, body) = ask(&mut mia, Method::POST, &members, &more).await;
    assert_eq!(status, 429, "P8: the budget for look-ups: {body}");
    stage.acme.until("compared", |view| !comity::protocol::recovery::is_checking(&view.state)).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p3_3_a_mention_adds_nobody_unless_chosen() {
    let mut stage = Stage::new().await;
    let (mia, bob) = (stage.mia.0, stage.bob.0);
    let (_, alice_only) = group(&stage.acme, stage.acme.alice(), "Alone").await;
    let nobody = UserId::new(stage.globex.id, [9; 16]);
    let text = json!({ "text": "@mia @bob", "mentions": [mia, bob, nobody, stage.acme.alice()] });
    let posted = stage.alice.post(&format!("/threads/{alice_only}/messages"), &text).await.unwrap();
    let mut strangers = vec![mia, bob, nobody];
    strangers.sort_unstable();
    assert_eq!(posted["not_recipients"], json!(strangers), "P3.3: offered, whether they exist or not");
    let state = stage.acme.handle().snapshot().state.clone();
    assert!(!gate::reaches(&state, mia, alice_only), "P3.3: nobody is added");
    let start =
        json!({ "subject": "Both", "text": "@mia", "mentions": [mia, nobody], "add_mentioned": true });
    let started = stage.alice.post("/threads", &start).await.unwrap();
    assert_eq!(
        (&started["message"]["seq"], &started["not_recipients"]),
        (&json!(1), &json!([nobody])),
        "{started}"
    );
    let thread: ScopeId = started["id"].as_str().unwrap().parse().unwrap();
    let state = stage.acme.handle().snapshot().state.clone();
    assert!(gate::sees_scope(&state, mia, thread), "P3.3: in a new thread, if chosen");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p5_2_an_archived_group_rests_until_it_is_opened_again() {
    let mut stage = Stage::new().await;
    let (alice, bob) = (stage.acme.alice(), stage.bob.0);
    let (scope, chat) = shared_group(&stage.acme, alice, &stage.globex, bob).await;
    let (path, messages) = (format!("/groups/{scope}"), format!("/threads/{chat}/messages"));
    let (status, _) = ask(&mut stage.bob.1, Method::PATCH, &path, &json!({ "closed": true })).await;
    assert_eq!(status, 403, "P5.2: admins archive");
    stage.alice.call(Method::PATCH, &path, Some(&json!({ "closed": true }))).await.unwrap();
    stage
        .globex
        .until("the archive", move |view| view.state.scope(scope).unwrap().head.settings.closed)
        .await;
    let text = json!({ "text": "hello" });
    let (status, _) = stage.alice(Method::POST, &messages, &text).await;
    assert_eq!(status, 409, "P5.2: no posts, not even of admins");
    let (status, _) = ask(&mut stage.bob.1, Method::POST, &messages, &text).await;
    assert_eq!(status, 409, "P5.2: nor of externals");
    let start = json!({ "subject": "New", "groups": [scope] });
    for client in [&mut stage.alice, &mut stage.bob.1] {
        let (status, body) = ask(client, Method::POST, "/threads", &start).await;
        assert_eq!(status, 403, "P5.2: no new threads: {body}");
    }
    stage.alice.call(Method::PATCH, &path, Some(&json!({ "closed": false }))).await.unwrap();
    stage
        .globex
        .until("open again", move |view| !view.state.scope(scope).unwrap().head.settings.closed)
        .await;
    stage.bob.1.post(&messages, &text).await.unwrap();
    let started = stage.bob.1.post("/threads", &start).await.unwrap();
    let topic = format!("/threads/{}", started["id"].as_str().unwrap());
    stage.bob.1.call(Method::PATCH, &topic, Some(&json!({ "closed": true }))).await.unwrap();
    let (status, _) = stage.alice(Method::POST, &format!("{topic}/messages"), &text).await;
    assert_eq!(status, 409, "P6.4: a topic is closed by its starter, at another home too");
    stage.alice.call(Method::PATCH, &topic, Some(&json!({ "closed": false }))).await.unwrap();
    stage.alice.post(&format!("{topic}/messages"), &text).await.unwrap();
    stage.bob.1.call(Method::DELETE, &topic, None).await.unwrap();
    let (status, _) = stage.alice(Method::GET, &topic, &Value::Null).await;
    assert_eq!(status, 404, "P6.3: the starter deletes");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p2_6_p2_8_p5_5_history_end_dates_and_admins_of_the_workspace() {
    let mut stage = Stage::new().await;
    let (mia, bob) = (stage.mia.0, stage.bob.0);
    let Reply::Scope(scope, _) = stage.acme.ask(Command::CreateGroup(mia, settings("Mias"))).await else {
        panic!()
    };
    let until = stage.acme.handle().now().plus(3_600_000);
    let add = json!({ "address": "bob@globex.example", "history": "from-now", "until": until });
    let members = format!("/groups/{scope}/members");
    let (status, body) = stage.alice(Method::POST, &members, &add).await;
    assert_eq!(status, 202, "P5.5: an admin of the workspace acts as one of the group: {body}");
    stage.globex.until("the invitation", |view| invited(view, bob, InviteStatus::Sent)).await;
    let asked = stage.bob.1.get("/invitations").await.unwrap();
    assert_eq!(asked["invitations"][0]["history"], "from-now", "P2.6: shown before he answers");
    let id = asked["invitations"][0]["id"].as_str().unwrap();
    stage.bob.1.post(&format!("/invitations/{id}/accept"), &json!({})).await.unwrap();
    stage.globex.until("the group", |view| gate::sees_scope(&view.state, bob, scope)).await;
    let state = stage.acme.handle().snapshot().state.clone();
    assert_eq!(state.scope(scope).unwrap().members[&bob].until, Some(until), "P2.8: it carries an end date");
    assert!(state.expiring.contains(&(until, scope, bob)), "P2.8: and ends by itself");
    stage.alice.call(Method::DELETE, &format!("{members}/{bob}"), None).await.unwrap();
    let again = Action::Grade { scope, user: mia, grade: Grade::Invite };
    stage.acme.ask(Command::Act(stage.acme.alice(), again)).await;
    let (status, body) = ask(&mut stage.mia.1, Method::POST, &members, &add).await;
    assert_eq!(status, 403, "P2.4: only who could have removed him brings him back: {body}");
    let (status, _) = stage.alice(Method::POST, &members, &add).await;
    assert_eq!(status, 202, "P2.4: an admin may");
    let internal = json!({ "externals": false });
    let (status, body) = stage.alice(Method::PATCH, &format!("/groups/{scope}"), &internal).await;
    assert_eq!(status, 409, "P5.1, P8.2: it would end an invitation: {body}");
    stage.alice.call(Method::PATCH, &format!("/groups/{scope}?confirm=true"), Some(&internal)).await.unwrap();
    let (status, _) = stage.alice(Method::POST, &members, &add).await;
    assert_eq!(status, 403, "P5.1: internal-only");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p5_5_admins_of_the_owner_see_who_is_in_a_group_without_being_in_it_and_nothing_that_is_said() {
    let mut stage = Stage::new().await;
    let made = ask(&mut stage.mia.1, Method::POST, "/groups", &json!({ "name": "Of mia" })).await.1;
    let (group, chat) = (made["id"].as_str().unwrap().to_owned(), made["chat"].as_str().unwrap().to_owned());
    let invite = json!({ "address": "bob@globex.example" });
    ask(&mut stage.mia.1, Method::POST, &format!("/groups/{group}/members"), &invite).await;
    let bob = stage.bob.0;
    stage.globex.until("the invitation", |view| invited(view, bob, InviteStatus::Sent)).await;
    let asked = stage.bob.1.get("/invitations").await.unwrap();
    let id = asked["invitations"][0]["id"].as_str().unwrap().to_owned();
    ask(&mut stage.bob.1, Method::POST, &format!("/invitations/{id}/accept"), &Value::Null).await;
    let scope: ScopeId = group.parse().unwrap();
    stage.acme.until("bob", |view| view.state.scope(scope).unwrap().members.contains_key(&bob)).await;
    ask(&mut stage.mia.1, Method::POST, &format!("/threads/{chat}/messages"), &json!({ "text": "ours" }))
        .await;
    let (status, seen) = stage.alice(Method::GET, &format!("/groups/{group}"), &Value::Null).await;
    assert_eq!((status, &seen["settings"]["name"]), (200, &json!("Of mia")), "P5.5: {seen}");
    assert_eq!(
        (&seen["rights"]["administers"], &seen["has_externals"]),
        (&json!(true), &json!(true)),
        "{seen}"
    );
    for path in [format!("/groups/{group}/members"), format!("/groups/{group}/members?q=bob")] {
        let (status, members) = stage.alice(Method::GET, &path, &Value::Null).await;
        assert!(status == 200 && members.to_string().contains("bob@globex.example"), "P5.5: {members}");
    }
    for path in [format!("/threads/{chat}"), format!("/threads/{chat}/messages")] {
        assert_eq!(
            stage.alice(Method::GET, &path, &Value::Null).await.0,
            404,
            "what is said is its members': {path}"
        );
    }
    let (_, listed) = stage.alice(Method::GET, "/threads?view=all", &Value::Null).await;
    assert!(!listed.to_string().contains("ours"), "{listed}");
    // Neither another workspace's admin nor a colleague who is no admin.
    let (status, _) = ask(&mut stage.admin, Method::GET, &format!("/groups/{group}"), &Value::Null).await;
    assert_eq!(status, 404, "P3.1");
    let member = stage.acme.person("max").await;
    let mut max = stage.acme.client(&member.1).await;
    assert_eq!(ask(&mut max, Method::GET, &format!("/groups/{group}"), &Value::Null).await.0, 404, "P3.1");
    // And he acts as its admins do.
    let (status, body) =
        stage.alice(Method::DELETE, &format!("/groups/{group}/members/{bob}"), &Value::Null).await;
    assert_eq!(status, 200, "P5.5, P7.1: {body}");
    stage.end().await;
}
