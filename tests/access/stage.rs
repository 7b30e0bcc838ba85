//! The stage: acme's closed group with its chat and a topic, and the seven who call.
//!
//! Duty: everybody in place, with spare objects for calls that end something. Never: an expectation about an endpoint.

use std::collections::BTreeMap;

use comity::{
    ids::{Hash, ScopeId, ThreadId, UserId},
    node::Handle,
    protocol::{Command, Reply, account, gate},
    wire::objects::{Action, Floor, Grade},
};
use serde_json::Value;

use crate::{
    harness::{
        PATIENCE, Workspace, admit, group,
        http::{self, Answer, Live},
        peer, settings,
    },
    matrix::{ROLES, Row},
};

/// Names of ids, for templates.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places(BTreeMap<&'static str, String>);

impl Places {
    fn set(&mut self, name: &'static str, id: impl ToString) {
        self.0.insert(name, id.to_string());
    }

    pub(crate) fn fill(&self, template: &str) -> String {
        let fill = |text: String, (name, id): (&&str, &String)| text.replace(&format!("{{{name}}}"), id);
        let filled = self.0.iter().fold(template.to_owned(), fill);
        assert!(!template.starts_with('/') || !filled.contains('{'), "no place for {filled}");
        filled
    }

    /// The same with ids of nothing, of the same form; who asks stays who he is.
    pub(crate) fn nowhere(&self) -> Self {
        let nothing = |name: &str, id: &String| match id.split_once('_') {
            Some((kind, rest)) if rest.len() > 20 && name != "me" => {
                format!("{kind}_{}", "a".repeat(rest.len()))
            }
            _ if name == "known" => format!("nobody.{id}"),
            _ => id.clone(),
        };
        Self(self.0.iter().map(|(name, id)| (*name, nothing(name, id))).collect())
    }

    /// The same with the group and threads of the home that the caller is not in.
    pub(crate) fn hidden(&self) -> Self {
        let mut hidden = self.clone();
        for (name, from) in [
            ("group", "vault"),
            ("spare", "vault"),
            ("left", "vault"),
            ("chat", "vault_chat"),
            ("topic", "vault_topic"),
            ("spare_topic", "vault_topic"),
            ("sent", "vault_sent"),
        ] {
            hidden.set(name, self.0[from].clone());
        }
        hidden
    }
}

/// Which node's API somebody calls, and where his session is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    Acme,
    Realm,
    Globex,
}

/// One of the seven.
pub(crate) struct Person {
    pub(crate) role: &'static str,
    pub(crate) column: usize,
    pub(crate) at: At,
    user: Option<UserId>,
    host: String,
    token: String,
    pub(crate) places: Places,
}

impl Person {
    pub(crate) async fn call(&self, row: &Row, places: &Places) -> Answer {
        let method = row.endpoint.split(' ').next().unwrap();
        if row.endpoint == "GET /events" && self.user.is_some() {
            let mut live = Live::open(&self.host, &self.token, &[]).await;
            live.until("hello").await;
            return Answer { status: live.seen.split(' ').nth(1).unwrap().parse().unwrap(), text: live.seen };
        }
        let (head, body) = (format!("{method} {}", places.fill(row.path)), places.fill(row.body));
        http::ask(&self.host, &self.token, &head, &body, &[]).await
    }

    pub(crate) async fn ask(&self, head: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
        http::ask(&self.host, &self.token, &self.places.fill(head), &self.places.fill(body), headers).await
    }

    /// Writes; the place of the message once its owner has said it.
    async fn says(&self, thread: ThreadId, text: &str) -> u64 {
        let (head, body) = (format!("POST /threads/{thread}/messages"), format!(r#"{{"text":"{text}"}}"#));
        let mut last = String::new();
        for _ in 0..10 {
            let said = self.ask(&head, &body, &[("idempotency-key", text)]).await;
            if said.status == 201 {
                return said.json()["seq"].as_u64().unwrap();
            }
            last = said.text;
        }
        panic!("{}: {last}", self.role)
    }
}

pub(crate) struct Stage {
    pub(crate) acme: Workspace,
    pub(crate) globex: Workspace,
    /// In the order of the matrix.
    pub(crate) people: Vec<Person>,
    alice: UserId,
    gil: UserId,
    pia: UserId,
}

async fn add(acme: &Workspace, alice: UserId, scope: ScopeId, user: UserId, grade: Grade) {
    let (actor, users, floor) = (alice, vec![user], Floor::All);
    acme.ask(Command::AddMembers { actor, scope, users, grade, floor }).await;
}

/// A topic in a group, with a message.
async fn topic(at: &Workspace, by: UserId, group: ScopeId, subject: &str) -> ThreadId {
    let (settings, groups) = (settings(subject), vec![group.group().unwrap()]);
    let made = Command::CreateThread { actor: by, settings, groups, addresses: vec![] };
    let Reply::Scope(topic, _) = at.ask(made).await else { panic!() };
    let topic = topic.thread().unwrap();
    let n = u64::from_be_bytes(topic.0[..8].try_into().unwrap());
    at.post(by, topic, n, "SECRET words").await;
    topic
}

/// Waits until somebody sees a group or a thread at home, or does so no longer.
async fn sees(home: &Handle, user: UserId, scope: ScopeId, wanted: bool) {
    let mut view = home.watch();
    let seen = view.wait_for(|now| gate::sees_scope(&now.state, user, scope) == wanted);
    tokio::time::timeout(PATIENCE, seen).await.expect("in time").unwrap();
}

async fn alice_asks(acme: &Workspace, head: &str, body: &str) -> Value {
    let answer = http::ask(&acme.host, &acme.admin, head, body, &[]).await;
    assert!(answer.status < 300, "{head}: {}", answer.text);
    answer.json()
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}")).to_owned()
}

/// The link of an invitation by e-mail.
async fn link(acme: &Workspace, group: ScopeId, address: &str) -> Value {
    let body = format!(r#"{{"address":"{address}"}}"#);
    alice_asks(acme, &format!("POST /groups/{group}/members"), &body).await
}

const JO: &str = "jo@freelance.example";

/// The free account, made by the link of an invitation: its user and token.
async fn free_account(acme: &Workspace, group: ScopeId) -> (UserId, String) {
    let link = text(&link(acme, group, JO).await, "link");
    let body = r#"{"name":"Jo","password":"a long enough password"}"#;
    let made = http::ask(&acme.host, "", &format!("POST {link}/account"), body, &[]).await.json();
    let user = text(&made, "user").parse().unwrap();
    sees(&acme.realm.as_ref().unwrap().handle, user, group, true).await;
    (user, text(&made, "token"))
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let (acme, globex) = (Workspace::hosting("acme").await, Workspace::new("globex").await);
        peer(&acme, &globex).await;
        let alice = acme.alice();
        let (mia, gil) = (acme.person("mia").await, acme.person("gil").await);
        let (bob, rex) = (globex.person("bob").await, globex.person("rex").await);
        let pia = acme.user("pia").await;
        let (group_id, chat) = group(&acme, alice, "SECRET plan").await;
        for (user, grade) in [(mia.0, Grade::Post), (gil.0, Grade::Admin), (pia, Grade::Post)] {
            add(&acme, alice, group_id, user, grade).await;
        }
        for user in [bob.0, rex.0] {
            admit(&acme, alice, group_id, &globex, user, Grade::Post).await;
        }
        let jo = free_account(&acme, group_id).await;
        let plan = (group_id, chat, topic(&acme, alice, group_id, "SECRET topic").await);
        let admin = (alice, acme.admin.clone());
        let callers: [(At, Option<(UserId, String)>); 7] = [
            (At::Acme, None),
            (At::Realm, Some(jo)),
            (At::Globex, Some(bob)),
            (At::Globex, Some(rex)),
            (At::Acme, Some(mia)),
            (At::Acme, Some(gil.clone())),
            (At::Acme, Some(admin)),
        ];
        let people = callers.into_iter().zip(ROLES).enumerate().map(|(column, ((at, caller), role))| {
            let (user, token) = caller.map_or((None, String::new()), |(user, token)| (Some(user), token));
            let host = if at == At::Globex { &globex.host } else { &acme.host };
            Person { role, column, at, user, host: host.clone(), token, places: Places::default() }
        });
        let people = people.collect();
        let mut stage = Self { acme, globex, people, alice, gil: gil.0, pia };
        stage.place(plan).await;
        stage
    }

    /// Fills the templates' names, and removes who is removed.
    async fn place(&mut self, (group_id, chat, topic_id): (ScopeId, ThreadId, ThreadId)) {
        let mut people = std::mem::take(&mut self.people);
        for person in &people {
            if let Some(user) = person.user {
                sees(self.home(person), user, topic_id.into(), true).await;
            }
        }
        for person in &mut people {
            let own = if person.user.is_some() { person.says(chat, "own words").await } else { 1 };
            person.places.set("own", own);
        }
        let (rex, alice) = (people[3].user.unwrap(), self.alice);
        let removing = Action::Remove { scope: group_id, user: rex, everywhere: true };
        let Reply::Removed { epoch, .. } = self.acme.ask(Command::Act(alice, removing)).await else {
            panic!()
        };
        sees(self.globex.handle(), rex, group_id, false).await;
        let invite = self.invites("bob@globex.example", people[2].user.unwrap()).await;
        let declined = self.invites("bob@globex.example", people[2].user.unwrap()).await;
        self.common(&mut people).await;
        for person in &mut people {
            let places = &mut person.places;
            for (name, id) in [("chat", chat), ("topic", topic_id)] {
                places.set(name, id);
            }
            for name in ["group", "spare", "left"] {
                places.set(name, group_id);
            }
            places.set("epoch", epoch);
            places.set("spare_topic", topic_id);
            places.set("invite", &invite);
            places.set("declined", &declined);
        }
        for person in people.iter_mut().filter(|person| person.user.is_some_and(|user| user != rex)) {
            let (spare, spare_topic) = self.spare(person).await;
            person.places.set("spare", spare);
            person.places.set("spare_topic", spare_topic);
            let (left, _) = self.spare(person).await;
            person.places.set("left", left);
            let sent = link(&self.acme, spare, "zed@freelance.example").await;
            person.places.set("sent", text(&sent, "invitation"));
        }
        self.people = people;
    }

    /// An invitation of somebody at globex that waits for his answer.
    async fn invites(&self, address: &str, user: UserId) -> String {
        let (scope, _) = group(&self.acme, self.alice, "SECRET invitation").await;
        let (address, grade, floor) = (address.into(), Grade::Post, Floor::All);
        let invite = Action::Invite { scope, address, grade, floor, until: None };
        let Reply::Invited(id) = self.acme.ask(Command::Act(self.alice, invite)).await else { panic!() };
        self.globex.until("the invitation", |view| view.state.received.contains_key(&(id, user))).await;
        id.to_string()
    }

    /// What is named alike for all: at each home a group that the callers are not in, and others of its people.
    async fn common(&self, people: &mut [Person]) {
        let nora = self.acme.person("nora").await.0;
        let open = link(&self.acme, group(&self.acme, self.alice, "Open").await.0, "kim@else.example").await;
        for (at, workspace, other) in
            [(At::Acme, &self.acme, nora), (At::Globex, &self.globex, self.globex.person("dora").await.0)]
        {
            let owner = workspace.alice();
            let (vault, vault_chat) = group(workspace, owner, "SECRET vault").await;
            let vault_topic = topic(workspace, owner, vault, "SECRET vault topic").await;
            let vault_sent = text(&link(workspace, vault, "kim@else.example").await, "invitation");
            let goner = workspace.user("goner").await;
            for person in people.iter_mut().filter(|person| (person.at == At::Globex) == (at == At::Globex)) {
                let places = &mut person.places;
                for (name, id) in [("other", other), ("goner", goner), ("pia", self.pia)] {
                    places.set(name, id);
                }
                places.set("alice", self.alice);
                places.set("vault", vault);
                places.set("vault_chat", vault_chat);
                places.set("vault_topic", vault_topic);
                places.set("vault_sent", &vault_sent);
                let of = account::token_hash(&format!(
                    "token of {}",
                    if at == At::Acme { "nora" } else { "dora" }
                ));
                places.set("session", of);
                places.set("peer", if at == At::Acme { self.globex.id } else { self.acme.id });
                places.set("me", person.user.unwrap_or(nora));
                places.set("role", person.column);
                places.set("known", if at == At::Acme { "mia@acme.example" } else { "bob@globex.example" });
                places.set("link", text(&open, "link").trim_start_matches("/join/"));
                places.set("sent", text(&open, "invitation"));
            }
        }
        for person in people {
            let token = account::token_hash(&format!("second of {}", person.role));
            person.places.set("second", token);
            if let Some(user) = person.user {
                let session = Command::OpenSession(account::full_token(user, token));
                self.home(person).ask(session).await.unwrap();
            }
        }
    }

    /// A group of alice's with gil as its admin, the caller and pia, and a topic that has pia as a direct recipient.
    async fn spare(&self, person: &Person) -> (ScopeId, ThreadId) {
        let (acme, alice, user) = (&self.acme, self.alice, person.user.unwrap());
        let (group_id, _) = group(acme, alice, "SECRET spare").await;
        add(acme, alice, group_id, self.gil, Grade::Admin).await;
        add(acme, alice, group_id, self.pia, Grade::Post).await;
        match person.at {
            At::Globex => drop(admit(acme, alice, group_id, &self.globex, user, Grade::Post).await),
            At::Realm => {
                let code = text(&link(acme, group_id, JO).await, "link");
                let claimed = person.ask("POST /claims", &format!(r#"{{"code":"{code}"}}"#), &[]).await;
                assert_eq!(claimed.status, 201, "{}", claimed.text);
            }
            At::Acme if user != alice && user != self.gil => {
                add(acme, alice, group_id, user, Grade::Post).await
            }
            At::Acme => (),
        }
        let topic = topic(acme, alice, group_id, "SECRET spare topic").await;
        add(acme, alice, topic.into(), self.pia, Grade::Post).await;
        sees(self.home(person), user, topic.into(), true).await;
        (group_id, topic)
    }

    fn home(&self, person: &Person) -> &Handle {
        match person.at {
            At::Acme => self.acme.handle(),
            At::Realm => &self.acme.realm.as_ref().unwrap().handle,
            At::Globex => self.globex.handle(),
        }
    }

    /// A session that a call ended goes on under its token.
    pub(crate) async fn sign_in(&self, person: &Person) {
        let Some(user) = person.user else { return };
        let (home, token): (_, Hash) = (self.home(person), account::token_hash(&person.token));
        if !home.snapshot().state.sessions.contains_key(&token) {
            home.ask(Command::OpenSession(account::full_token(user, token))).await.unwrap();
        }
    }
}
