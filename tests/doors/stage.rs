//! The stage: acme's group with its chat and topics, and the two who are removed: bob at globex, mia at acme.
//!
//! Duty: everybody in place before, the removal, and life that goes on after it. Never: an expectation about an endpoint.

use std::collections::BTreeMap;

use comity::{
    ids::{ScopeId, SubmissionId, ThreadId, UserId},
    node::Notice,
    protocol::{Command, Records as _, Reply, account, gate},
    wire::objects::{Action, EntryKind, Floor, Grade},
};

use crate::{
    harness::{
        Workspace, admit, group,
        http::{self, Answer, Live},
        peer, reads, settings,
    },
    table::Row,
};

/// Names of ids, for templates.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places(BTreeMap<&'static str, String>);

impl Places {
    fn set(&mut self, name: &'static str, id: impl ToString) {
        self.0.insert(name, id.to_string());
    }

    pub(crate) fn fill(&self, template: &str) -> String {
        let filled = self
            .0
            .iter()
            .fold(template.to_owned(), |text, (name, id)| text.replace(&format!("{{{name}}}"), id));
        assert!(!template.starts_with('/') || !filled.contains('{'), "no place for {filled}");
        filled
    }

    /// The same with ids of nothing.
    pub(crate) fn nowhere(&self) -> Self {
        let nothing = |id: &String| match id.split_once('_') {
            Some((kind @ ("gr" | "th" | "in" | "sb" | "ws"), rest)) => {
                format!("{kind}_{}", "a".repeat(rest.len()))
            }
            _ if id.contains('@') => "nobody@acme.example".into(),
            _ => id.clone(),
        };
        Self(self.0.iter().map(|(name, id)| (*name, nothing(id))).collect())
    }

    /// Ids of what is lost with the removal.
    pub(crate) fn lost(&self) -> impl Iterator<Item = &String> {
        ["group", "chat", "direct", "started", "open"].into_iter().filter_map(|name| self.0.get(name))
    }
}

/// Somebody who will be removed.
pub(crate) struct Person {
    pub(crate) name: &'static str,
    /// Which status of a row is his.
    pub(crate) column: usize,
    pub(crate) user: UserId,
    pub(crate) places: Places,
    pub(crate) spare: Places,
    host: String,
    /// One session, from before the removal to the end.
    token: String,
    started: ThreadId,
    mine: ScopeId,
}

impl Person {
    pub(crate) async fn call(&self, row: &Row, path: &str, body: &str, places: &Places) -> Answer {
        let method = row.endpoint.split(' ').next().unwrap();
        let key = format!("{} {path}", row.endpoint);
        let headers: &[_] = if row.key { &[("idempotency-key", key.as_str())] } else { &[] };
        if row.endpoint == "GET /events" {
            let mut live = self.live(headers).await;
            live.until("hello").await;
            return Answer { status: live.seen.split(' ').nth(1).unwrap().parse().unwrap(), text: live.seen };
        }
        let (head, body) = (format!("{method} {}", places.fill(path)), places.fill(body));
        http::ask(&self.host, &self.token, &head, &body, headers).await
    }

    pub(crate) async fn live(&self, headers: &[(&str, &str)]) -> Live {
        Live::open(&self.host, &self.token, headers).await
    }

    /// The stream said what was lost, and showed nothing of what followed but the fate of own words that
    /// waited, and of an invitation that is void.
    pub(crate) fn is_cut(&self, seen: &str) {
        assert!(!seen.contains("SECRET later"), "{}: {seen}", self.name);
        let own = |event: &&str| event.starts_with("pending") || event.starts_with("invitation");
        let events: Vec<&str> = seen.split("event: ").filter(|event| !own(event)).collect();
        let lost: Vec<usize> = (0..events.len()).filter(|at| events[*at].starts_with("lost")).collect();
        for name in ["group", "direct"] {
            let said = lost.iter().any(|at| events[*at].contains(&self.places.0[name]));
            assert!(said, "{} lost {name}: {seen}", self.name);
        }
        let last = lost[lost.len() - 1];
        for event in &events[last + 1..] {
            let found = self.places.lost().find(|id| event.contains(id.as_str()));
            assert_eq!(found, None, "{}: {event}", self.name);
        }
    }
}

pub(crate) struct Stage {
    pub(crate) acme: Workspace,
    pub(crate) globex: Workspace,
    pub(crate) people: Vec<Person>,
    pub(crate) alice: UserId,
    pub(crate) group: ScopeId,
    pub(crate) chat: ThreadId,
    pub(crate) direct: ThreadId,
    /// Where bob and mia stay.
    other: ThreadId,
    bea: Option<(UserId, String)>,
}

/// A topic of alice's in a group, with the two as direct recipients.
async fn topic(
    acme: &Workspace,
    alice: UserId,
    (group, subject): (ScopeId, &str),
    mia: UserId,
    globex: &Workspace,
    bob: UserId,
) -> ThreadId {
    let (settings, groups) = (settings(subject), vec![group.group().unwrap()]);
    let made = Command::CreateThread { actor: alice, settings, groups, addresses: vec![] };
    let Reply::Scope(topic, _) = acme.ask(made).await else { panic!() };
    add(acme, alice, topic, mia, Grade::Post).await;
    admit(acme, alice, topic, globex, bob, Grade::Post).await;
    topic.thread().unwrap()
}

async fn add(acme: &Workspace, alice: UserId, scope: ScopeId, user: UserId, grade: Grade) {
    let (actor, users, floor) = (alice, vec![user], Floor::All);
    acme.ask(Command::AddMembers { actor, scope, users, grade, floor }).await;
}

/// An invitation that waits for its answer.
async fn invite(acme: &Workspace, by: UserId, scope: ScopeId, address: &str) -> String {
    let (address, grade, floor) = (address.into(), Grade::Post, Floor::All);
    let invite = Action::Invite { scope, address, grade, floor, until: None };
    match acme.ask(Command::Act(by, invite)).await {
        Reply::Invited(invite) => invite.to_string(),
        other => panic!("{other:?}"),
    }
}

impl Person {
    async fn starts(&self, subject: &str, groups: &str) -> ThreadId {
        let body = format!(r#"{{"subject":"{subject}","groups":[{groups}]}}"#);
        let made = http::ask(&self.host, &self.token, "POST /threads", &body, &[]).await;
        made.json()["id"].as_str().unwrap_or_else(|| panic!("{}", made.text)).parse().unwrap()
    }
}

impl Stage {
    pub(crate) async fn new(stays: bool) -> Self {
        let (acme, globex) = (Workspace::new("acme").await, Workspace::new("globex").await);
        let alice = acme.alice();
        peer(&acme, &globex).await;
        let (bob, mia) = (globex.person("bob").await, acme.person("mia").await);
        let (bea, dora) = (globex.person("bea").await, globex.user("dora").await);
        let nora = acme.user("nora").await;
        let (group_id, chat) = group(&acme, alice, "SECRET group").await;
        add(&acme, alice, group_id, nora, Grade::Post).await;
        admit(&acme, alice, group_id, &globex, dora, Grade::Post).await;
        let removing = Action::Remove { scope: group_id, user: dora, everywhere: true };
        let Reply::Removed { epoch, .. } = acme.ask(Command::Act(alice, removing)).await else { panic!() };
        if stays {
            admit(&acme, alice, group_id, &globex, bea.0, Grade::Invite).await;
        }
        let (_, other) = shared(&acme, alice, "Other", mia.0, &globex, bob.0).await;
        let old = shared_in(&acme, alice, group_id, mia.0, &globex, bob.0).await;
        let direct = topic(&acme, alice, (group_id, "SECRET subject"), mia.0, &globex, bob.0).await;
        let person = |name, column, user: (UserId, String), host: &str| Person {
            name,
            column,
            user: user.0,
            places: Places::default(),
            spare: Places::default(),
            host: host.to_owned(),
            token: user.1,
            started: chat,
            mine: group_id,
        };
        let people = vec![person("bob", 0, bob, &globex.host), person("mia", 1, mia, &acme.host)];
        let bea = stays.then_some(bea);
        let mut stage = Self { acme, globex, people, alice, group: group_id, chat, direct, other, bea };
        stage.people.iter_mut().for_each(|person| person.places.set("epoch", epoch));
        stage.place(&old).await;
        stage
    }

    /// Fills the templates' names for both.
    async fn place(&mut self, invited: &str) {
        self.say("SECRET words").await;
        let (spare_group, _) = self.shared("Spare").await;
        let (left, _) = self.shared("Left").await;
        let (bob, mia) = (self.people[0].user, self.people[1].user);
        let spare_direct =
            topic(&self.acme, self.alice, (spare_group, "Spare"), mia, &self.globex, bob).await;
        let mut people = std::mem::take(&mut self.people);
        for person in &mut people {
            let domain = ["globex.example", "acme.example"][person.column];
            let started = person.starts("SECRET subject", &format!("\"{}\"", self.group)).await;
            let ended = person.starts("Spare", &format!("\"{spare_group}\"")).await;
            person.started = started;
            person.mine = person.starts("Mine", "").await.into();
            let all = &mut person.places;
            all.set("me", person.user);
            all.set("address", format!("{}@{domain}", person.name));
            all.set("alice", self.alice);
            all.set("peer", [self.acme.id, self.globex.id][person.column]);
            all.set("mine", person.mine);
            all.set("contact", "nora@acme.example");
            all.set("removals", if person.column == 1 { self.group.to_string() } else { "removals".into() });
            person.spare = all.clone();
            let (all, spare) = (&mut person.places, &mut person.spare);
            all.set("group", self.group);
            spare.set("group", spare_group);
            all.set("left", self.group);
            spare.set("left", left);
            all.set("chat", self.chat);
            all.set("direct", self.direct);
            spare.set("direct", spare_direct);
            all.set("started", started);
            spare.set("started", ended);
        }
        for person in &mut people {
            self.post(self.alice, person.started, "SECRET words").await;
            let seq = self.post(person.user, self.chat, "own words").await;
            person.places.set("own", seq);
        }
        let (acme, alice) = (&self.acme, self.alice);
        let bob = &mut people[0];
        let open = invite(acme, alice, bob.started.into(), "bob@globex.example").await;
        bob.places.set("open", &open);
        bob.places.set("invite", invited);
        for name in ["invite", "declined"] {
            let (scope, _) = group(acme, alice, name).await;
            let id = invite(acme, alice, scope, "bob@globex.example").await;
            let (known, user) = (id.parse().unwrap(), bob.user);
            self.globex.until(name, |view| view.state.received.contains_key(&(known, user))).await;
            bob.spare.set(name, &id);
            if name == "declined" {
                bob.places.set(name, id);
            }
        }
        let known = (open.parse().unwrap(), bob.user);
        self.globex.until("the open invitation", |view| view.state.received.contains_key(&known)).await;
        let mia = &mut people[1];
        mia.places.set("sent", invite(acme, mia.user, self.group, "zed@globex.example").await);
        mia.spare.set("sent", invite(acme, mia.user, self.group, "yan@globex.example").await);
        let (bob, threads) = (people[0].user, [self.chat, self.direct, people[0].started]);
        self.globex
            .until("every thread", |view| {
                threads.iter().all(|thread| reads(view, bob, *thread).contains(&"SECRET words".to_owned()))
            })
            .await;
        self.globex.until("his own words", |view| view.state.outbox.is_empty()).await;
        self.people = people;
    }

    async fn shared(&self, name: &str) -> (ScopeId, ThreadId) {
        shared(&self.acme, self.alice, name, self.people[1].user, &self.globex, self.people[0].user).await
    }

    async fn post(&self, author: UserId, thread: ThreadId, text: &str) -> u64 {
        let at = if author.home() == self.acme.id { &self.acme } else { &self.globex };
        let n = at.handle().snapshot().position;
        at.until("the thread", |view| gate::reaches(&view.state, author, thread)).await;
        let id = match at.post(author, thread, n, text).await {
            Reply::Posted(seq) => return seq,
            _ => SubmissionId(
                comity::crypto::sha256(&[&author.home().0, &n.to_be_bytes()]).0[..16].try_into().unwrap(),
            ),
        };
        let home = author.home();
        let view = self.acme.until("the submission", |view| view.submitted(home, id).is_some()).await;
        view.submitted(home, id).unwrap().1
    }

    /// alice writes in the chat and the topic.
    async fn say(&self, text: &str) {
        for thread in [self.chat, self.direct] {
            self.post(self.alice, thread, text).await;
        }
    }

    /// The link rests on globex's side, so that two messages of bob's wait.
    pub(crate) async fn let_two_wait(&mut self) {
        self.globex.ask(Command::Pause(self.acme.id)).await;
        let bob = &mut self.people[0];
        for (n, spare) in [(1 << 40, false), (1 << 41, true)] {
            assert_eq!(
                self.globex.post(bob.user, self.chat, n, "waiting").await,
                Reply::Pending(self.acme.id)
            );
            let view = self.globex.handle().snapshot();
            let id = view.state.outbox.values().next_back().unwrap().submission;
            let places = if spare { &mut bob.spare } else { &mut bob.places };
            places.set("waiting", id);
        }
    }

    /// A session goes on under its token.
    pub(crate) async fn sign_in(&self, person: &Person) {
        let at = [&self.globex, &self.acme][person.column];
        let token = account::token_hash(&person.token);
        if !at.handle().snapshot().state.sessions.contains_key(&token) {
            at.ask(Command::OpenSession(account::full_token(person.user, token))).await;
        }
    }

    /// Both are removed, everywhere (P7.8); then the link goes on.
    pub(crate) async fn remove(&self) {
        for person in &self.people {
            let (scope, user, everywhere) = (self.group, person.user, true);
            let removed =
                self.acme.ask(Command::Act(self.alice, Action::Remove { scope, user, everywhere })).await;
            let Reply::Removed { remaining, .. } = removed else { panic!("{removed:?}") };
            assert_eq!(remaining, [], "P7.8");
        }
        let bob = self.people[0].user;
        let gone =
            |thread: ThreadId| move |state: &comity::protocol::State| !gate::reaches(state, bob, thread);
        let all = [gone(self.chat), gone(self.direct), gone(self.people[0].started)];
        self.globex.until("the removal", |view| all.iter().all(|gone| gone(&view.state))).await;
        self.globex.ask(Command::Approve(self.acme.id)).await;
        self.globex
            .until("the refusal of what waited", |view| {
                view.state.outbox.values().all(|row| row.refused.is_some())
            })
            .await;
    }

    /// Life in the group goes on; last a word where bob and mia still are, behind which all else has come.
    pub(crate) async fn go_on(&self, fence: &str) {
        let (acme, alice) = (&self.acme, self.alice);
        let threads = [self.chat, self.direct, self.people[0].started, self.people[1].started];
        for thread in threads {
            self.post(alice, thread, "SECRET later").await;
            let (author, kind, text, mentions) = (alice, EntryKind::Edit, "SECRET later".to_owned(), vec![]);
            let id = SubmissionId(thread.0[..16].try_into().unwrap());
            acme.ask(Command::Post { author, thread, id, kind, target: Some(1), text, mentions }).await;
            acme.handle().notify(Notice::Typing { thread, user: alice });
        }
        let (scope, settings) = (self.group, settings("SECRET later group"));
        acme.ask(Command::Act(alice, Action::Settings { scope, settings })).await;
        self.post(alice, self.other, fence).await;
        if let Some((bea, _)) = &self.bea {
            let seen = |view: &comity::node::Snapshot| {
                reads(view, *bea, self.chat).contains(&"SECRET later".to_owned())
            };
            self.globex.until("bea reads on", seen).await;
        } else {
            let view = self.globex.handle().snapshot();
            let copies = threads.iter().filter(|thread| view.stored(**thread, 1).is_some()).count();
            assert_eq!(copies, 0, "P7.3: the copies are deleted");
        }
    }

    pub(crate) fn stays(&self) -> bool {
        self.bea.is_some()
    }

    /// P2.4: a colleague with the grade `invite` may invite, but not whom an admin removed.
    pub(crate) async fn bea_brings_nobody_back(&self) {
        let Some((_, token)) = &self.bea else { return };
        let head = format!("POST /groups/{}/members", self.group);
        for (address, status) in [
            ("bob@globex.example", 403),
            ("mia@acme.example", 403),
            ("dora@globex.example", 403),
            ("Eve@globex.example", 202),
        ] {
            let body = format!(r#"{{"address":"{address}"}}"#);
            let answer = http::ask(&self.globex.host, token, &head, &body, &[]).await;
            assert_eq!(answer.status, status, "{address}: {}", answer.text);
        }
    }

    /// What the removed could have changed.
    pub(crate) fn held(&self) -> Vec<(ScopeId, Vec<UserId>, usize)> {
        let view = self.acme.handle().snapshot();
        let scopes = view.state.scopes.values().filter(|scope| {
            let id = scope.head.id;
            let lost = self.people[0].places.lost().chain(self.people[1].places.lost());
            lost.map(String::as_str).any(|lost| lost == id.to_string())
        });
        let held = scopes.map(|scope| {
            let id = scope.head.id;
            let invites = view
                .state
                .sent
                .values()
                .filter(|sent| sent.scope == id && sent.address != "Eve@globex.example");
            (id, scope.members.keys().copied().collect(), invites.count())
        });
        held.collect()
    }

    pub(crate) fn unchanged(&self, held: &[(ScopeId, Vec<UserId>, usize)]) {
        assert_eq!(self.held(), held, "the removed changed something");
        let view = self.acme.handle().snapshot();
        for thread in [self.chat, self.direct] {
            let log = view.state.logs[&thread].high;
            let late = (1..=log).rev().filter_map(|seq| view.stored(thread, seq)).take(3);
            assert!(late.into_iter().all(|stored| stored.entry.author == self.alice), "P7.2: sequenced");
        }
    }
}

/// A group in which alice, bob and mia are.
async fn shared(
    acme: &Workspace,
    alice: UserId,
    name: &str,
    mia: UserId,
    globex: &Workspace,
    bob: UserId,
) -> (ScopeId, ThreadId) {
    let (id, chat) = group(acme, alice, name).await;
    shared_in(acme, alice, id, mia, globex, bob).await;
    (id, chat)
}

/// bob and mia join with the grade `invite`; bob's invitation.
async fn shared_in(
    acme: &Workspace,
    alice: UserId,
    id: ScopeId,
    mia: UserId,
    globex: &Workspace,
    bob: UserId,
) -> String {
    add(acme, alice, id, mia, Grade::Invite).await;
    admit(acme, alice, id, globex, bob, Grade::Invite).await.to_string()
}
