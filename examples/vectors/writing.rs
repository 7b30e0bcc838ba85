//! Submissions: one per check that fails, showing which error wins (spec 7.3).

use comity::{
    crypto::{SecretKey, sha256},
    ids::{Salt, ScopeId, SubmissionId, ThreadId, UserId, WorkspaceId},
    protocol::{Command, Reply},
    time::Millis,
    wire::{
        Blob, Body, Sealed, envelope,
        objects::{Action, EntryKind, Settings, Submission},
    },
};
use serde_json::{Value, json};

use super::{
    chains::{local, stage},
    cluster::Cluster,
    hex,
};

struct Case {
    why: &'static str,
    submission: Submission,
    sealed: Sealed,
    audience: WorkspaceId,
    by: SecretKey,
}

fn sealed(text: &str, target: Option<u64>) -> Sealed {
    let body = Body { target, text: text.into(), mentions: vec![] }.to_blob();
    Sealed { salt: Salt([5; 16]), body }
}

/// As the simulator makes keys.
fn sign_key(name: &str) -> SecretKey {
    SecretKey::from_seed(&sha256(&[name.as_bytes(), b"sign"]).0)
}

/// The owner's node, and what it has said so far.
struct Court {
    cluster: Cluster,
    chat: ThreadId,
    cases: Vec<Value>,
}

impl Court {
    fn case(&self, why: &'static str, n: u8, author: UserId, text: &str) -> Case {
        let sealed = sealed(text, None);
        let (id, kind, commitment) = (SubmissionId([n; 16]), EntryKind::Message, sealed.commitment());
        let submission = Submission { id, thread: self.chat, author, kind, commitment, time: Millis(5) };
        Case { why, submission, sealed, audience: self.cluster.nodes[0].id, by: sign_key("globex") }
    }

    fn judge(&mut self, case: Case, expect: &str) {
        let Case { why, submission, sealed, audience, by } = case;
        let signed: Blob = envelope::sign(submission, Some(audience), &by).bytes().clone();
        let shown = json!({ "signed": hex(&signed), "salt": hex(&sealed.salt.0), "body": hex(&sealed.body) });
        let peer = self.cluster.nodes[1].id;
        let found = self.cluster.nodes[0].run(Command::Submitted { peer, signed, sealed });
        let name = match &found {
            Ok(Reply::Posted(seq)) => format!("posted {seq}"),
            Ok(other) => format!("{other:?}"),
            Err(reject) => reject.code.name().to_owned(),
        };
        assert_eq!(name, expect, "{why}: {found:?}");
        let large = shown["body"].as_str().is_some_and(|body| body.len() > 10_000);
        let submission = if large { json!({ "text_bytes": 16_385 }) } else { shown };
        self.cases.push(json!({ "why": why, "expect": expect, "submission": submission }));
    }

    fn owner(&mut self, command: Command) {
        self.cluster.nodes[0].run(command).unwrap();
    }
}

pub fn submissions() -> Value {
    let (mut cluster, group, chat) = stage();
    let (alice, bob) = (local(&cluster.nodes[0], "alice"), local(&cluster.nodes[1], "bob"));
    let stranger = cluster.nodes[1].user("bea");
    let (acme, globex) = (cluster.nodes[0].id, cluster.nodes[1].id);
    let mut court = Court { cluster, chat, cases: Vec::new() };
    before_membership(&mut court, alice, bob, stranger);
    content_and_signature(&mut court, alice, bob);
    settings_and_standing(&mut court, alice, bob, group);
    json!({
        "about": "spec 7.3: submissions over the channel of the author's home, in this order", "owner": hex(&acme.0),
        "home": hex(&globex.0), "home_key": hex(&sign_key("globex").public().0), "thread": hex(&chat.0),
        "author": hex(&bob.0), "cases": court.cases,
    })
}

fn before_membership(court: &mut Court, alice: UserId, bob: UserId, stranger: UserId) {
    court.judge(court.case("a text that is too long", 6, bob, &"x".repeat(16_385)), "too-large");
    let foreign = court.case("an author of the owner itself, over a peer's channel", 7, alice, "hello");
    court.judge(foreign, "wrong-home");
    let mut ghost = court.case("a thread that does not exist", 8, bob, "hello");
    ghost.submission.thread = ThreadId([9; 32]);
    court.judge(ghost, "not-found");
    court.judge(court.case("good", 1, bob, "hello"), "posted 1");
    court.judge(court.case("the same again", 1, bob, "hello"), "posted 1");
    court.judge(court.case("the same id with another commitment", 1, bob, "other"), "conflict");
    let mut other_body = court.case("a body that was not committed to", 2, bob, "hello");
    other_body.sealed = sealed("hallo", None);
    court.judge(other_body, "malformed");
    court.judge(court.case("an author who is no member", 9, stranger, "hello"), "not-found");
}

fn content_and_signature(court: &mut Court, alice: UserId, bob: UserId) {
    court.judge(court.case("an empty text", 10, bob, " "), "invalid");
    let (thread, id, text) = (court.chat, SubmissionId([77; 16]), "mine".to_owned());
    let kind = EntryKind::Message;
    court.owner(Command::Post { author: alice, thread, id, kind, target: None, text, mentions: vec![] });
    let mut edit = court.case("an edit of somebody else's message", 3, bob, "changed");
    edit.sealed = sealed("changed", Some(2));
    (edit.submission.kind, edit.submission.commitment) = (EntryKind::Edit, edit.sealed.commitment());
    court.judge(edit, "forbidden");
    let mut unsigned = court.case("signed by another key", 4, bob, "hello");
    unsigned.by = sign_key("acme");
    court.judge(unsigned, "signature");
    let mut elsewhere = court.case("for another owner", 5, bob, "hello");
    elsewhere.audience = court.cluster.nodes[1].id;
    court.judge(elsewhere, "signature");
}

fn settings_and_standing(court: &mut Court, alice: UserId, bob: UserId, group: ScopeId) {
    let settings = court.cluster.nodes[0].state.scope(group).unwrap().head.settings.clone();
    let set = |settings| Command::Act(alice, Action::Settings { scope: group, settings });
    court.owner(set(Settings { replies_off: true, ..settings.clone() }));
    court.judge(court.case("replies are off", 11, bob, "hello"), "forbidden");
    court.owner(set(Settings { closed: true, ..settings.clone() }));
    court.judge(court.case("the group is closed", 12, bob, "hello"), "closed");
    court.owner(set(settings));
    let globex = court.cluster.nodes[1].id;
    court.owner(Command::Pause(globex));
    court.judge(court.case("the peering is paused", 13, bob, "hello"), "peer-inactive");
    court.owner(Command::Approve(globex));
    court.owner(Command::Act(alice, Action::Remove { scope: group, user: bob, everywhere: true }));
    court.judge(court.case("the author was removed", 14, bob, "hello"), "not-found");
}
