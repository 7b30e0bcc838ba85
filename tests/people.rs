//! What people find and see of each other, over real HTTP at two workspaces (P2 to P6).
//!
//! Duty: each rule by its number, on the answers that clients get. Never: a look into a node that clients do not have.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

use comity::{
    ids::{ScopeId, ThreadId, UserId},
    node::Snapshot,
    protocol::{Command, gate},
    wire::objects::{Action, Floor, Grade, Settings},
};
use harness::{Workspace, admit, group, http, peer};
use serde_json::Value;

mod harness;

/// acme with alice, anna and ann-marie; globex with bob and bea, of whom bob is in acme's group.
struct Stage {
    acme: Workspace,
    globex: Workspace,
    alice: UserId,
    anna: (UserId, String),
    bob: (UserId, String),
    bea: (UserId, String),
    group: ScopeId,
    chat: ThreadId,
}

impl Stage {
    async fn new() -> Self {
        let (acme, globex) = (Workspace::new("acme").await, Workspace::new("globex").await);
        peer(&acme, &globex).await;
        let (alice, anna) = (acme.alice(), acme.person("anna").await);
        acme.ask(Command::Rename(anna.0, "Änna Łomnicka".into())).await;
        let (bob, bea) = (globex.person("bob").await, globex.person("bea").await);
        let (group, chat) = group(&acme, alice, "Projekt Übermut").await;
        add(&acme, alice, group, anna.0).await;
        admit(&acme, alice, group, &globex, bob.0, Grade::Post).await;
        globex.until("the chat", |view| gate::reaches(&view.state, bob.0, chat)).await;
        Self { acme, globex, alice, anna, bob, bea, group, chat }
    }

    async fn stop(mut self) {
        self.acme.stop().await;
        self.globex.stop().await;
    }
}

async fn add(acme: &Workspace, alice: UserId, scope: ScopeId, user: UserId) {
    let (actor, users, grade, floor) = (alice, vec![user], Grade::Post, Floor::All);
    acme.ask(Command::AddMembers { actor, scope, users, grade, floor }).await;
}

async fn remove(acme: &Workspace, alice: UserId, scope: ScopeId, user: UserId) {
    acme.ask(Command::Act(alice, Action::Remove { scope, user, everywhere: true })).await;
}

async fn get(at: &Workspace, token: &str, path: &str) -> Value {
    let answer = http::ask(&at.host, token, &format!("GET {path}"), "", &[]).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    answer.json()
}

async fn status(at: &Workspace, token: &str, head: &str, body: &str) -> u16 {
    http::ask(&at.host, token, head, body, &[]).await.status
}

/// One field of every row of a list.
fn each(answer: &Value, list: &str, field: &str) -> Vec<String> {
    let rows = answer[list].as_array().unwrap_or_else(|| panic!("no {list}: {answer}"));
    rows.iter().map(|row| row[field].as_str().unwrap_or_default().to_owned()).collect()
}

async fn found(at: &Workspace, token: &str, q: &str) -> Vec<String> {
    each(&get(at, token, &format!("/contacts?q={q}")).await, "contacts", "address")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p2_2_names_are_found_among_contacts_and_colleagues_only() {
    let stage = Stage::new().await;
    let (acme, globex, bob, bea) = (&stage.acme, &stage.globex, &stage.bob.1, &stage.bea.1);
    let anna = "anna@acme.example";
    assert_eq!(found(globex, bob, "lomn").await, [anna], "P2.2: a contact, without accents and case");
    assert_eq!(found(globex, bob, "LOMN%20%C3%A4n").await, [anna], "P2.2: every word, in any order");
    assert_eq!(found(globex, bob, "anna@ac").await, [anna], "P2.2: by the address");
    let typed = ["", "anna", "anna@acme.example", "alice", "a", "%40", "acme"];
    for q in typed {
        let all = found(globex, bea, q).await;
        let foreign: Vec<_> = all.iter().filter(|address| address.ends_with("@acme.example")).collect();
        assert!(foreign.is_empty(), "P2.2: who shares nothing finds nobody: {q}: {foreign:?}");
    }
    assert_eq!(found(globex, bea, "bob").await, ["bob@globex.example"], "P2.2: a colleague");
    let everybody = found(acme, &stage.anna.1, "").await;
    assert_eq!(everybody, ["alice@acme.example", "bob@globex.example"], "P2.2: colleagues and contacts");
    let one = get(acme, &stage.anna.1, "/contacts?limit=1").await;
    let next = one["next"].as_str().unwrap();
    let two = get(acme, &stage.anna.1, &format!("/contacts?limit=1&after={next}")).await;
    assert_eq!(each(&two, "contacts", "address"), ["bob@globex.example"], "the next page goes on");
    let row = &get(acme, &stage.anna.1, "/contacts?q=bob").await["contacts"][0];
    assert_eq!(row["external"], true, "P4.1: {row}");
    assert_eq!(row["workspace"]["domain"], "globex.example", "P4.1: {row}");
    // The last common conversation ends, and so does the contact.
    remove(acme, stage.alice, stage.group, stage.bob.0).await;
    let (user, scope) = (stage.bob.0, stage.group);
    assert_eq!(found(acme, &stage.anna.1, "bob").await, Vec::<String>::new(), "P2.2: at once");
    globex.until("the removal", |view| !gate::knows_scope(&view.state, user, scope)).await;
    assert_eq!(found(globex, bob, "anna").await, Vec::<String>::new(), "P2.2: on both sides");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p2_2_a_thread_through_different_groups_makes_contacts_and_a_suspension_ends_them() {
    let stage = Stage::new().await;
    let acme = &stage.acme;
    let carl = acme.person("carl").await;
    let (other, _) = group(acme, stage.alice, "Other").await;
    add(acme, stage.alice, other, carl.0).await;
    let subject = Settings { open: false, ..harness::settings("Both") };
    let groups = vec![stage.group.group().unwrap(), other.group().unwrap()];
    let start = Command::CreateThread { actor: stage.alice, settings: subject, groups, addresses: vec![] };
    acme.ask(start).await;
    assert_eq!(found(acme, &carl.1, "bob").await, ["bob@globex.example"], "P2.2: by a thread of two groups");
    remove(acme, stage.alice, other, carl.0).await;
    assert_eq!(found(acme, &carl.1, "bob").await, Vec::<String>::new(), "P2.2: at once");
    assert_eq!(found(acme, &stage.anna.1, "carl").await, ["carl@acme.example"]);
    acme.ask(Command::SetRole(carl.0, comity::protocol::row::Role::Suspended)).await;
    assert_eq!(found(acme, &stage.anna.1, "carl").await, Vec::<String>::new(), "nobody to write to");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p4_1_p4_3_the_facts_of_both_badges_where_they_are_named_and_nowhere_else() {
    let stage = Stage::new().await;
    let (acme, globex) = (&stage.acme, &stage.globex);
    let (inner, _) = group(acme, stage.alice, "Inner").await;
    add(acme, stage.alice, inner, stage.anna.0).await;
    let at_acme = get(acme, &stage.anna.1, "/directory").await;
    assert_eq!(
        each(&at_acme, "directory", "name"),
        ["Inner", "Projekt Übermut"],
        "P4.3: own groups, by name"
    );
    let rows = at_acme["directory"].as_array().unwrap();
    for (row, externals) in rows.iter().zip([false, true]) {
        assert_eq!(row["has_externals"], externals, "P4.1: a group that includes externals: {row}");
        assert_eq!(row["external"], false, "P4.1: {row}");
        assert_eq!(row["joined"], true, "{row}");
    }
    let at_globex = get(globex, &stage.bob.1, "/directory?q=ubermut").await;
    let row = &at_globex["directory"][0];
    assert_eq!(row["external"], true, "P4.1, P4.3: owned by an external workspace: {row}");
    assert_eq!(row["owner"]["name"], "acme", "P4.1: with the owner's name: {row}");
    assert_eq!(
        get(globex, &stage.bea.1, "/directory").await["directory"].as_array().unwrap().len(),
        0,
        "P4.3"
    );
    for (at, token, who, external) in [
        (acme, &stage.anna.1, "bob", true),
        (acme, &stage.anna.1, "alice", false),
        (globex, &stage.bob.1, "alice", true),
        (globex, &stage.bob.1, "bob", false),
    ] {
        let members = get(at, token, &format!("/groups/{}/members?q={who}", stage.group)).await;
        assert_eq!(members["members"].as_array().unwrap().len(), 1, "P5.2: {who}: {members}");
        assert_eq!(members["members"][0]["external"], external, "P4.1: the member list: {who}");
        let topic = get(at, token, &format!("/groups/{}/members", stage.group)).await;
        assert_eq!(topic["members"].as_array().unwrap().len(), 3, "P5.2: all of them");
    }
    stage.stop().await;
}

/// Whether a field of this name stands anywhere in an answer.
fn holds(answer: &Value, field: &str) -> bool {
    match answer {
        Value::Object(fields) => {
            fields.contains_key(field) || fields.values().any(|value| holds(value, field))
        }
        Value::Array(values) => values.iter().any(|value| holds(value, field)),
        _ => false,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p4_2_no_mark_in_a_conversation_nor_in_the_inbox_and_p4_1_on_the_profile() {
    let stage = Stage::new().await;
    let (acme, globex) = (&stage.acme, &stage.globex);
    let topic = topic(acme, &acme.admin, "Plan", &[stage.group]).await;
    let at_acme = says(acme, &acme.admin, topic, "words of alice").await;
    shown(globex, stage.bob.0, topic, at_acme).await;
    let last = says(globex, &stage.bob.1, topic, "words of bob").await;
    shown(acme, stage.anna.0, topic, last).await;
    for (at, token) in [(acme, &stage.anna.1), (globex, &stage.bob.1)] {
        for path in [
            "/threads".to_owned(),
            format!("/threads/{topic}/messages"),
            format!("/threads/{topic}/messages/{last}"),
            "/search?q=words".to_owned(),
            "/search?q=plan".to_owned(),
        ] {
            let mut answer = get(at, token, &path).await;
            let found = answer.as_object_mut().unwrap();
            // Who and what is found by name stands on its own, as in the directory.
            found.remove("people");
            found.remove("groups");
            assert!(
                ["words", "Plan"].iter().any(|text| answer.to_string().contains(text)),
                "{path}: {answer}"
            );
            for mark in ["external", "has_externals", "home", "verified"] {
                assert!(!holds(&answer, mark), "P4.2: {mark} at {path}: {answer}");
            }
        }
        let messages = get(at, token, &format!("/threads/{topic}/messages")).await;
        let author = messages["messages"][0]["author"].as_object().unwrap().clone();
        assert_eq!(author.keys().collect::<Vec<_>>(), ["address", "id", "name"], "P4.2: {author:?}");
    }
    let bob = get(acme, &stage.anna.1, &format!("/people/{}", stage.bob.0)).await;
    assert_eq!((&bob["external"], &bob["free"]), (&true.into(), &false.into()), "P4.1: his profile: {bob}");
    assert_eq!(bob["workspace"]["domain"], "globex.example", "P4.1: {bob}");
    let at_home = get(globex, &stage.bea.1, &format!("/people/{}", stage.bob.0)).await;
    assert_eq!(at_home["external"], false, "P4: computed for the viewer's workspace: {at_home}");
    let stranger = format!("GET /people/{}", stage.alice);
    assert_eq!(
        status(globex, &stage.bea.1, &stranger, "").await,
        404,
        "P3.1: who shares nothing sees nobody"
    );
    stage.stop().await;
}

/// Who has left stays the author of what he wrote, by name: for the owner's people and for a partner's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_keep_their_author_after_the_removal() {
    let stage = Stage::new().await;
    let (acme, globex) = (&stage.acme, &stage.globex);
    admit(acme, stage.alice, stage.group, globex, stage.bea.0, Grade::Post).await;
    let zoe = acme.person("zoe").await;
    add(acme, stage.alice, stage.group, zoe.0).await;
    for (at, who) in [(acme, &zoe), (globex, &stage.bob)] {
        globex
            .until("its member", |view| gate::sees_scope(&view.state, who.0, stage.group) || who.0 == zoe.0)
            .await;
        let said = says(at, &who.1, stage.chat, "words").await;
        shown(globex, stage.bea.0, stage.chat, said).await;
    }
    for gone in [zoe.0, stage.bob.0] {
        remove(acme, stage.alice, stage.group, gone).await;
        let out = |view: &Snapshot| !view.state.scope(stage.group).unwrap().members.contains_key(&gone);
        globex.until("the removal", out).await;
    }
    for (at, token) in [(acme, &stage.anna.1), (globex, &stage.bea.1)] {
        let page = get(at, token, &format!("/threads/{}/messages", stage.chat)).await;
        let authors = page["messages"].as_array().unwrap().iter().map(|message| &message["author"]["name"]);
        assert_eq!(authors.collect::<Vec<_>>(), ["zoe", "bob"], "{page}");
    }
    remove(acme, stage.alice, stage.group, stage.bea.0).await;
    globex.until("the purge", |view| view.state.former.is_empty()).await;
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p2_1_one_address_is_all_it_takes_in_a_group_a_thread_and_a_dm() {
    let stage = Stage::new().await;
    let (acme, globex, bea) = (&stage.acme, &stage.globex, &stage.bea);
    let topic = topic(acme, &acme.admin, "For two", &[]).await;
    let whom = r#"{"address":"bea@globex.example"}"#;
    let mut wanted = vec![stage.group, topic.into()];
    for scope in &wanted {
        let kind = if scope.group().is_some() { "groups" } else { "threads" };
        let added = status(acme, &acme.admin, &format!("POST /{kind}/{scope}/members"), whom).await;
        assert_eq!(added, 202, "P2.1: {kind}");
    }
    let dm = http::ask(&acme.host, &acme.admin, "POST /dms", whom, &[]).await;
    assert_eq!(dm.status, 201, "P2.1: {}", dm.text);
    wanted.push(dm.json()["id"].as_str().unwrap().parse().unwrap());
    let came = |view: &Snapshot| view.state.received.values().filter(|row| row.user == bea.0).count() == 3;
    globex.until("the invitations", came).await;
    let asked = get(globex, &bea.1, "/invitations").await;
    assert_eq!(
        each(&asked, "invitations", "inviter").iter().filter(|by| by.contains("alice")).count(),
        3,
        "P2.5: who asks: {asked}"
    );
    for id in each(&asked, "invitations", "id") {
        assert_eq!(status(globex, &bea.1, &format!("POST /invitations/{id}/accept"), "").await, 204);
    }
    for scope in wanted {
        globex.until("all three", |view| gate::sees_scope(&view.state, bea.0, scope)).await;
    }
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p3_2_an_external_sees_members_and_the_granted_history_with_all_that_became_of_it() {
    let stage = Stage::new().await;
    let (acme, globex, bea) = (&stage.acme, &stage.globex, &stage.bea);
    let before = says(acme, &acme.admin, stage.chat, "before her time").await;
    let whom = r#"{"address":"bea@globex.example","history":"from-now"}"#;
    let added =
        http::ask(&acme.host, &acme.admin, &format!("POST /groups/{}/members", stage.group), whom, &[]).await;
    let invite = added.json()["invitation"].as_str().unwrap().to_owned();
    let known = (invite.parse().unwrap(), bea.0);
    globex.until("the invitation", |view| view.state.received.contains_key(&known)).await;
    assert_eq!(status(globex, &bea.1, &format!("POST /invitations/{invite}/accept"), "").await, 204);
    let joined = |view: &Snapshot| gate::knows_scope(&view.state, bea.0, stage.group);
    acme.until("the join", joined).await;
    let at = |seq: u64| format!("/threads/{}/messages/{seq}", stage.chat);
    let edited = says(acme, &acme.admin, stage.chat, "frist").await;
    let deleted = says(acme, &acme.admin, stage.chat, "oops").await;
    assert_eq!(status(acme, &acme.admin, &format!("PATCH {}", at(edited)), r#"{"text":"first"}"#).await, 201);
    assert_eq!(status(acme, &acme.admin, &format!("DELETE {}", at(deleted)), "").await, 201);
    let react = format!("POST {}/reactions", at(edited));
    let reacted = http::ask(&acme.host, &stage.anna.1, &react, r#"{"emoji":"👍"}"#, &[]).await;
    let last = reacted.json()["seq"].as_u64().unwrap_or_else(|| panic!("{}", reacted.text));
    shown(globex, bea.0, stage.chat, last).await;
    let page = get(globex, &bea.1, &format!("/threads/{}/messages", stage.chat)).await;
    let messages = page["messages"].as_array().unwrap();
    let seen: Vec<_> = messages.iter().map(|message| (message["seq"].as_u64().unwrap(), message)).collect();
    assert_eq!(seen.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), [edited, deleted], "P3.2: {page}");
    let (first, second) = (seen[0].1, seen[1].1);
    assert_eq!((&first["text"], first["edited"].is_u64()), (&"first".into(), true), "P3.2: edits: {first}");
    assert_eq!(first["reactions"]["👍"][0], stage.anna.0.to_string(), "P3.2: reactions: {first}");
    assert_eq!(
        (&second["text"], &second["deleted"]),
        (&Value::Null, &true.into()),
        "P3.2: deletes: {second}"
    );
    assert_eq!(status(globex, &bea.1, &format!("GET {}", at(before)), "").await, 404, "P2.6: not before");
    let members = get(globex, &bea.1, &format!("/groups/{}/members", stage.group)).await;
    let mut facts: Vec<_> =
        ["name", "address", "home"].iter().map(|field| each(&members, "members", field)).collect();
    facts.iter_mut().for_each(|column| column.sort_unstable());
    let addresses = ["alice@acme.example", "anna@acme.example", "bea@globex.example", "bob@globex.example"];
    assert_eq!(facts[0], ["alice", "bea", "bob", "Änna Łomnicka"], "P3.2");
    assert_eq!(facts[1], addresses, "P3.2");
    assert_eq!(facts[2], ["acme", "acme", "globex", "globex"], "P3.2");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p5_1_open_groups_are_joined_by_members_of_the_workspace_alone() {
    let stage = Stage::new().await;
    let (acme, globex, alice) = (&stage.acme, &stage.globex, stage.alice);
    let carl = acme.person("carl").await;
    let (open, _) = group(acme, alice, "Open to all").await;
    let join = |id: ScopeId| format!("POST /groups/{id}/join");
    let seen = |answer: &Value| each(answer, "directory", "name");
    assert_eq!(
        seen(&get(acme, &carl.1, "/directory").await),
        Vec::<String>::new(),
        "P5.1: closed by default"
    );
    assert_eq!(status(acme, &carl.1, &join(open), "").await, 404, "P3.1: a closed group is not confirmed");
    let set = |open| Settings { open, ..harness::settings("Open to all") };
    acme.ask(Command::Act(alice, Action::Settings { scope: open, settings: set(true) })).await;
    let listed = get(acme, &carl.1, "/directory?q=open").await;
    assert_eq!(seen(&listed), ["Open to all"], "P5.1: an open one is listed");
    assert_eq!(listed["directory"][0]["joined"], false);
    assert_eq!(status(acme, &carl.1, &format!("GET /groups/{open}"), "").await, 404, "not before joining");
    let members = format!("GET /groups/{open}/members");
    assert_eq!(status(acme, &carl.1, &members, "").await, 404, "not before joining");
    assert_eq!(status(globex, &stage.bea.1, &join(open), "").await, 404, "P5.1: not for other workspaces");
    assert_eq!(status(acme, &carl.1, &join(open), "").await, 200, "P5.1: joins");
    assert_eq!(status(acme, &carl.1, &join(open), "").await, 200, "again is no fault");
    assert_eq!(status(acme, &carl.1, &members, "").await, 200, "P5.2: any member sees the members");
    assert_eq!(status(acme, &carl.1, &format!("POST /groups/{open}/leave"), "").await, 204, "P5.2: leaves");
    assert_eq!(status(acme, &carl.1, &join(open), "").await, 200, "who left by himself comes back");
    remove(acme, alice, open, carl.0).await;
    assert_eq!(status(acme, &carl.1, &join(open), "").await, 403, "P2.4: who was removed does not");
    add(acme, alice, open, carl.0).await;
    assert_eq!(status(acme, &carl.1, &members, "").await, 200, "P2.4: but an admin brings him back");
    acme.ask(Command::Act(alice, Action::Settings { scope: open, settings: set(false) })).await;
    let dan = acme.person("dan").await;
    assert_eq!(seen(&get(acme, &dan.1, "/directory").await), Vec::<String>::new(), "P5.1: closed again");
    let subject = r#"{"open":true}"#;
    let chat = format!("PATCH /threads/{}", stage.chat);
    assert_eq!(status(acme, &acme.admin, &chat, subject).await, 422, "only groups are open");
    stage.stop().await;
}

/// Writes, and waits until it is sequenced; its place.
async fn write(at: &Workspace, token: &str, thread: ThreadId, body: &str) -> u64 {
    let answer = http::ask(&at.host, token, &format!("POST /threads/{thread}/messages"), body, &[]).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json()["seq"].as_u64().unwrap()
}

async fn says(at: &Workspace, token: &str, thread: ThreadId, text: &str) -> u64 {
    write(at, token, thread, &serde_json::json!({ "text": text }).to_string()).await
}

/// The inbox's row of a thread.
async fn row(at: &Workspace, token: &str, query: &str, thread: ThreadId) -> Option<Value> {
    let page = get(at, token, &format!("/threads?{query}")).await;
    let rows = page["threads"].as_array().unwrap();
    rows.iter().find(|row| row["id"] == thread.to_string()).cloned()
}

fn why(row: &Value) -> Vec<&str> {
    row["why"].as_array().unwrap().iter().map(|why| why.as_str().unwrap()).collect()
}

async fn topic(at: &Workspace, token: &str, subject: &str, groups: &[ScopeId]) -> ThreadId {
    let body = serde_json::json!({ "subject": subject, "groups": groups }).to_string();
    let made = http::ask(&at.host, token, "POST /threads", &body, &[]).await;
    assert_eq!(made.status, 201, "{}", made.text);
    made.json()["id"].as_str().unwrap().parse().unwrap()
}

/// Until somebody is shown an entry.
async fn shown(at: &Workspace, user: UserId, thread: ThreadId, seq: u64) {
    let shows = |path: &gate::Path| path.shows(seq);
    at.until("the entry", |view| gate::paths(&view.state, user, thread).iter().any(shows)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p5_3_the_inbox_has_what_is_new_for_me_wherever_it_lives() {
    let stage = Stage::new().await;
    let (acme, globex, bob) = (&stage.acme, &stage.globex, &stage.bob.1);
    let topic = topic(acme, &acme.admin, "Plan", &[stage.group]).await;
    says(acme, &acme.admin, topic, "one").await;
    let last = says(acme, &acme.admin, topic, "two").await;
    shown(globex, stage.bob.0, topic, last).await;
    let new = row(globex, bob, "", topic).await.unwrap();
    assert_eq!((new["unread"].as_u64(), why(&new)), (Some(2), vec!["followed"]), "P5.3: {new}");
    let mine = row(acme, &acme.admin, "", topic).await.unwrap();
    assert_eq!(mine["unread"], 0, "what I wrote is not new for me: {mine}");
    assert_eq!(why(&mine), ["started", "replied", "followed"]);
    let of = |group: ScopeId| format!("view=all&group={group}");
    assert!(row(globex, bob, &of(stage.group), topic).await.is_some(), "a group's own list");
    let (other, _) = group(acme, stage.alice, "Elsewhere").await;
    assert!(row(acme, &acme.admin, &of(other), topic).await.is_none(), "another group's has it not");
    let strange = get(globex, bob, &format!("/threads?{}", of(other))).await;
    assert_eq!(strange["threads"], Value::Array(Vec::new()), "P3.1: nor has a group that he is not in");
    let chat = row(globex, bob, "unread=true", stage.chat).await;
    assert!(chat.is_none(), "nothing unread there");
    let head = |method: &str, what: &str| format!("{method} /threads/{topic}/{what}");
    // Put away until something new comes.
    assert_eq!(status(globex, bob, &head("POST", "archive"), "").await, 204);
    assert!(row(globex, bob, "", topic).await.is_none(), "archived");
    assert_eq!(row(globex, bob, "view=archived", topic).await.unwrap()["archived"], true);
    let last = says(acme, &acme.admin, topic, "three").await;
    shown(globex, stage.bob.0, topic, last).await;
    let back = row(globex, bob, "", topic).await.unwrap();
    assert_eq!((&back["archived"], back["unread"].as_u64()), (&Value::Bool(false), Some(3)), "{back}");
    let read = format!(r#"{{"seq":{last}}}"#);
    assert_eq!(status(globex, bob, &head("POST", "read"), &read).await, 204);
    assert_eq!(row(globex, bob, "", topic).await.unwrap()["unread"], 0);
    // Not followed any more: it comes when it names him.
    assert_eq!(status(globex, bob, &head("DELETE", "follow"), "").await, 204);
    assert!(row(globex, bob, "", topic).await.is_none(), "not followed");
    assert_eq!(row(globex, bob, "view=all", topic).await.unwrap()["followed"], false);
    let named = serde_json::json!({ "text": "bob?", "mentions": [stage.bob.0, stage.bea.0] }).to_string();
    let last = write(acme, &acme.admin, topic, &named).await;
    shown(globex, stage.bob.0, topic, last).await;
    assert_eq!(why(&row(globex, bob, "", topic).await.unwrap()), ["mentioned"]);
    let nothing = get(globex, &stage.bea.1, "/threads?view=all").await;
    assert_eq!(nothing["threads"].as_array().unwrap().len(), 0, "P3.3: a mention gives access to nobody");
    assert_eq!(status(globex, &stage.bea.1, &head("POST", "follow"), "").await, 404, "P3.1");
    // Who does not follow a group's chat is spared its topics, but not what he takes part in.
    let leave_chat = format!("DELETE /threads/{}/follow", stage.chat);
    assert_eq!(status(globex, bob, &leave_chat, "").await, 204);
    let other = self::topic(acme, &acme.admin, "Other", &[stage.group]).await;
    let last = says(acme, &acme.admin, other, "hm").await;
    shown(globex, stage.bob.0, other, last).await;
    assert!(row(globex, bob, "", other).await.is_none(), "a topic of a group that he does not follow");
    says(globex, bob, other, "here").await;
    assert_eq!(why(&row(globex, bob, "", other).await.unwrap()), ["replied"]);
    stage.stop().await;
}

/// Texts of messages that are found.
async fn hits(at: &Workspace, token: &str, q: &str) -> Vec<String> {
    each(&get(at, token, &format!("/search?q={q}")).await, "messages", "text")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p3_1_search_finds_what_may_be_read_now_and_nothing_else() {
    let stage = Stage::new().await;
    let (acme, globex, bob) = (&stage.acme, &stage.globex, &stage.bob.1);
    let (secret, inner) = group(acme, stage.alice, "Secret budget").await;
    add(acme, stage.alice, secret, stage.anna.0).await;
    says(acme, &acme.admin, inner, "The secret budget").await;
    let seq = says(acme, &acme.admin, stage.chat, "Das Büdget für Mai").await;
    let gone = says(acme, &acme.admin, stage.chat, "budget to delete").await;
    let subject = topic(acme, &acme.admin, "Budget talk", &[stage.group]).await;
    let last = says(acme, &acme.admin, subject, "budgets everywhere").await;
    shown(globex, stage.bob.0, subject, last).await;
    shown(globex, stage.bob.0, stage.chat, gone).await;
    let of_bob = ["budgets everywhere", "budget to delete", "Das Büdget für Mai"];
    assert_eq!(hits(globex, bob, "budg").await, of_bob, "the newest thread first, by a beginning");
    assert_eq!(hits(globex, bob, "mai%20budg").await, of_bob[2..], "all words");
    assert_eq!(hits(globex, bob, "secret").await, Vec::<String>::new(), "P3.1");
    assert_eq!(hits(globex, &stage.bea.1, "budget").await, Vec::<String>::new(), "P3.1");
    assert_eq!(hits(acme, &stage.anna.1, "secret").await, ["The secret budget"]);
    let all = get(globex, bob, "/search?q=budget").await;
    assert_eq!(each(&all, "threads", "id"), [subject.to_string()], "by the subject");
    assert_eq!(
        each(&get(acme, &stage.anna.1, "/search?q=secret").await, "groups", "name"),
        ["Secret budget"]
    );
    assert_eq!(each(&all, "groups", "name"), Vec::<String>::new(), "P3.1: no group of others");
    assert_eq!(each(&get(globex, bob, "/search?q=ann").await, "people", "address"), ["anna@acme.example"]);
    let mut pages = Vec::new();
    let mut path = "/search?q=budg&limit=1".to_owned();
    loop {
        let page = get(globex, bob, &path).await;
        pages.extend(each(&page, "messages", "text"));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/search?q=budg&limit=1&after={next}");
    }
    assert_eq!(pages, of_bob, "page by page, each once");
    // Edits replace, deletions take away.
    let at = |seq: u64| format!("/threads/{}/messages/{seq}", stage.chat);
    let edit = r#"{"text":"Der Etat"}"#;
    assert_eq!(status(acme, &acme.admin, &format!("PATCH {}", at(seq)), edit).await, 201);
    assert_eq!(status(acme, &acme.admin, &format!("DELETE {}", at(gone)), "").await, 201);
    let fence = says(acme, &acme.admin, stage.chat, "fence").await;
    shown(globex, stage.bob.0, stage.chat, fence).await;
    for (at, token) in [(acme, &acme.admin), (globex, bob)] {
        assert_eq!(hits(at, token, "etat").await, ["Der Etat"], "the text that is shown");
        assert_eq!(hits(at, token, "mai").await, Vec::<String>::new(), "not the one before");
        assert_eq!(hits(at, token, "delete").await, Vec::<String>::new(), "not a deleted one");
    }
    remove(acme, stage.alice, stage.group, stage.bob.0).await;
    let (user, thread) = (stage.bob.0, stage.chat);
    globex.until("the removal", |view| !gate::reaches(&view.state, user, thread)).await;
    let none = get(globex, bob, "/search?q=budget").await;
    for list in ["messages", "threads", "groups"] {
        assert_eq!(none[list].as_array().unwrap().len(), 0, "P7.2: the removed finds nothing: {none}");
    }
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p6_4_any_message_can_start_a_thread_and_who_may_not_read_it_is_not_told() {
    let stage = Stage::new().await;
    let (acme, globex, bob) = (&stage.acme, &stage.globex, &stage.bob.1);
    let seq = says(acme, &acme.admin, stage.chat, "an idea").await;
    shown(globex, stage.bob.0, stage.chat, seq).await;
    let from = serde_json::json!({ "thread": stage.chat, "seq": seq });
    let new = serde_json::json!({ "subject": "The idea", "groups": [stage.group], "from": from }).to_string();
    let made = http::ask(&globex.host, bob, "POST /threads", &new, &[]).await;
    assert_eq!(made.status, 201, "P6.4: {}", made.text);
    let path = format!("/threads/{}", made.json()["id"].as_str().unwrap());
    assert_eq!(get(globex, bob, &path).await["from"], from, "P6.4: a reference");
    // A conversation with a colleague who is not in the group: he is not told of the message.
    let people = ["bea@globex.example"];
    let new = serde_json::json!({ "subject": "Aside", "people": people, "from": from }).to_string();
    let made = http::ask(&globex.host, bob, "POST /threads", &new, &[]).await.json();
    let path = format!("/threads/{}", made["id"].as_str().unwrap());
    assert_eq!(get(globex, bob, &path).await["from"], from, "P6.4");
    assert_eq!(get(globex, &stage.bea.1, &path).await["from"], Value::Null, "P6.4: resolved by the gate");
    assert_eq!(
        status(globex, &stage.bea.1, "POST /threads", &new).await,
        404,
        "P3.1: not from what is not read"
    );
    remove(acme, stage.alice, stage.group, stage.bob.0).await;
    let (user, chat) = (stage.bob.0, stage.chat);
    globex.until("the removal", |view| !gate::reaches(&view.state, user, chat)).await;
    assert_eq!(get(globex, bob, &path).await["from"], Value::Null, "P7.2: nor after a removal");
    stage.stop().await;
}

/// A free account at acme's realm by an invitation into a group; its token.
async fn free_account(acme: &Workspace, group: ScopeId, address: &str, name: &str) -> String {
    let body = serde_json::json!({ "address": address }).to_string();
    let head = format!("POST /groups/{group}/members");
    let asked = http::ask(&acme.host, &acme.admin, &head, &body, &[]).await;
    let link = asked.json()["link"].as_str().unwrap_or_else(|| panic!("{}", asked.text)).to_owned();
    let body = serde_json::json!({ "name": name, "password": "a long enough password" }).to_string();
    let joined = http::ask(&acme.host, "", &format!("POST {link}/account"), &body, &[]).await;
    joined.json()["token"].as_str().unwrap_or_else(|| panic!("{}", joined.text)).to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p1_3_free_accounts_find_contacts_and_what_they_are_in_and_nothing_else() {
    let acme = Workspace::hosting("acme").await;
    let alice = acme.alice();
    let (one, chat) = group(&acme, alice, "One").await;
    let (other, _) = group(&acme, alice, "Other").await;
    acme.ask(Command::Act(
        alice,
        Action::Settings { scope: other, settings: Settings { open: true, ..harness::settings("Other") } },
    ))
    .await;
    acme.person("anna").await;
    let jo = free_account(&acme, one, "jo@free.example", "Jo").await;
    free_account(&acme, other, "kim@free.example", "Kim").await;
    // The group comes first, and shows nothing and nobody before the lease that follows it.
    let shown = async {
        loop {
            let contacts = get(&acme, &jo, "/contacts").await["contacts"].clone();
            if contacts != Value::Array(Vec::new()) {
                return contacts;
            }
            tokio::task::yield_now().await;
        }
    };
    let row = tokio::time::timeout(harness::PATIENCE, shown).await.unwrap();
    assert_eq!(row.as_array().unwrap().len(), 1, "P1.3: whom he shares a group with: {row}");
    assert_eq!((&row[0]["address"], &row[0]["external"]), (&"alice@acme.example".into(), &Value::Bool(true)));
    for q in ["kim", "anna", "kim@free.example", "jo"] {
        assert_eq!(found(&acme, &jo, q).await, Vec::<String>::new(), "P1.3: {q}");
    }
    assert_eq!(status(&acme, &jo, "GET /directory", "").await, 403, "P1.3: no directory");
    let join = format!("POST /groups/{other}/join");
    assert!([403, 404].contains(&status(&acme, &jo, &join, "").await), "P5.1: an open group is for members");
    says(&acme, &acme.admin, chat, "words of one").await;
    let seen = async {
        while hits(&acme, &jo, "words").await.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(harness::PATIENCE, seen).await.unwrap();
    let groups = get(&acme, &jo, "/search?q=o").await;
    assert_eq!(groups["people"].as_array().unwrap().len(), 0, "a letter finds nobody");
    assert_eq!(each(&get(&acme, &jo, "/search?q=one").await, "groups", "name"), ["One"]);
    assert_eq!(each(&get(&acme, &jo, "/search?q=other").await, "groups", "name"), Vec::<String>::new());
}

/// acme's chat says something; what bob's stream, which begins at a position, has of it.
async fn told(stage: &Stage, position: u64, body: &str, text: &str) -> Value {
    let last = write(&stage.acme, &stage.acme.admin, stage.chat, body).await;
    shown(&stage.globex, stage.bob.0, stage.chat, last).await;
    let mut live = http::Live::after(&stage.globex.host, &stage.bob.1, position).await;
    live.message(text).await["concern"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p5_3_one_is_told_of_what_one_wants_to_hear_and_nothing_is_lost_between_a_page_and_its_stream() {
    let stage = Stage::new().await;
    let (globex, bob) = (&stage.globex, &stage.bob.1);
    let before = get(globex, bob, "/inbox").await;
    assert_eq!((&before["unread"], &before["invitations"]), (&Value::from(0), &Value::from(0)), "{before}");
    let position = before["position"].as_u64().unwrap();
    let says = |text: &str| serde_json::json!({ "text": text }).to_string();
    let names = |text: &str| serde_json::json!({ "text": text, "mentions": [stage.bob.0] }).to_string();
    // The stream begins after the words were written, from where the page stood.
    assert_eq!(
        told(&stage, position, &says("to all"), "to all").await,
        Value::Null,
        "by default only what is his"
    );
    assert_eq!(get(globex, bob, "/inbox").await["unread"], 1);
    assert_eq!(told(&stage, position, &names("hey bob"), "hey bob").await, "direct");
    let wants = async |what: &str| {
        let body = serde_json::json!({ "told": what }).to_string();
        assert_eq!(status(globex, bob, "PATCH /me/notifications", &body).await, 204);
        assert_eq!(get(globex, bob, "/me/notifications").await["told"], what);
    };
    wants("everything").await;
    assert_eq!(told(&stage, position, &says("news"), "news").await, "inbox");
    let edit = serde_json::json!({ "text": "newer words" }).to_string();
    let last = get(globex, bob, &format!("/threads/{}/messages?limit=1", stage.chat)).await;
    let head = format!("PATCH /threads/{}/messages/{}", stage.chat, last["messages"][0]["seq"]);
    let from = get(globex, bob, "/inbox").await["position"].as_u64().unwrap();
    assert!(status(&stage.acme, &stage.acme.admin, &head, &edit).await < 300);
    let mut live = http::Live::after(&globex.host, bob, from).await;
    assert_eq!(live.message("newer words").await["concern"], Value::Null, "of an edit nobody is told");
    wants("nothing").await;
    assert_eq!(told(&stage, position, &names("bob again"), "bob again").await, Value::Null);
    let bad = status(globex, bob, "PATCH /me/notifications", r#"{"told":"loudly"}"#).await;
    assert_eq!(bad, 422);
    stage.stop().await;
}
