//! Submissions: one per check that fails, showing which error wins (spec 7.3).

use comity::{
    crypto::{SecretKey, sha256},
    ids::{Salt, SubmissionId, ThreadId, UserId, WorkspaceId},
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

pub fn submissions() -> Value {
    let (mut cluster, group, chat) = stage();
    let bob = local(&cluster.nodes[1], "bob");
    let alice = local(&cluster.nodes[0], "alice");
    let stranger = cluster.nodes[1].user("bea");
    let (acme, globex) = (cluster.nodes[0].id, cluster.nodes[1].id);
    let case = |why, n: u8, author: UserId, thread: ThreadId, text: &str| {
        let sealed = sealed(text, None);
        let (id, kind, commitment) = (SubmissionId([n; 16]), EntryKind::Message, sealed.commitment());
        let submission = Submission { id, thread, author, kind, commitment, time: Millis(5) };
        Case { why, submission, sealed, audience: acme, by: sign_key("globex") }
    };
    let good = case("good", 1, bob, chat, "hello");
    let mut conflicting = case("the same id for something else", 1, bob, chat, "other");
    let mut other_body = case("a body that was not committed to", 2, bob, chat, "hello");
    other_body.sealed = sealed("hallo", None);
    let mut edit = case("an edit of somebody else's message", 3, bob, chat, "changed");
    edit.sealed = sealed("changed", Some(2));
    (edit.submission.kind, edit.submission.commitment) = (EntryKind::Edit, edit.sealed.commitment());
    let mut unsigned = case("signed by another key", 4, bob, chat, "hello");
    unsigned.by = sign_key("acme");
    let mut elsewhere = case("for another owner", 5, bob, chat, "hello");
    elsewhere.audience = globex;
    let ghost = ThreadId([9; 32]);
    conflicting.why = "the same id with another commitment";
    let large = case("a text that is too long", 6, bob, chat, &"x".repeat(16_385));
    let mut cases = Vec::new();
    let mut judge = |cluster: &mut super::cluster::Cluster, case: Case, expect: &str| {
        let Case { why, submission, sealed, audience, by } = case;
        let signed: Blob = envelope::sign(submission, Some(audience), &by).bytes().clone();
        let shown = json!({ "signed": hex(&signed), "salt": hex(&sealed.salt.0), "body": hex(&sealed.body) });
        let found = cluster.nodes[0].run(Command::Submitted { peer: globex, signed, sealed });
        let name = match &found {
            Ok(Reply::Posted(seq)) => format!("posted {seq}"),
            Ok(other) => format!("{other:?}"),
            Err(reject) => reject.code.name().to_owned(),
        };
        assert_eq!(name, expect, "{why}: {found:?}");
        let mut case = json!({ "why": why, "expect": expect });
        let large = shown["body"].as_str().is_some_and(|body| body.len() > 10_000);
        case["submission"] = if large { json!({ "text_bytes": 16_385 }) } else { shown };
        cases.push(case);
    };
    judge(&mut cluster, large, "too-large");
    judge(
        &mut cluster,
        case("an author of the owner itself, over a peer's channel", 7, alice, chat, "hello"),
        "wrong-home",
    );
    judge(&mut cluster, case("a thread that does not exist", 8, bob, ghost, "hello"), "not-found");
    judge(&mut cluster, good, "posted 1");
    judge(&mut cluster, case("the same again", 1, bob, chat, "hello"), "posted 1");
    judge(&mut cluster, conflicting, "conflict");
    judge(&mut cluster, other_body, "malformed");
    judge(&mut cluster, case("an author who is no member", 9, stranger, chat, "hello"), "not-found");
    judge(&mut cluster, case("an empty text", 10, bob, chat, " "), "invalid");
    let text = "mine".to_owned();
    let id = SubmissionId([77; 16]);
    let post = Command::Post {
        author: alice,
        thread: chat,
        id,
        kind: EntryKind::Message,
        target: None,
        text,
        mentions: vec![],
    };
    cluster.nodes[0].run(post).unwrap();
    judge(&mut cluster, edit, "forbidden");
    judge(&mut cluster, unsigned, "signature");
    judge(&mut cluster, elsewhere, "signature");
    let settings = cluster.nodes[0].state.scope(group).unwrap().head.settings.clone();
    let set = |settings| Command::Act(alice, Action::Settings { scope: group, settings });
    cluster.nodes[0].run(set(Settings { replies_off: true, ..settings.clone() })).unwrap();
    judge(&mut cluster, case("replies are off", 11, bob, chat, "hello"), "forbidden");
    cluster.nodes[0].run(set(Settings { closed: true, ..settings.clone() })).unwrap();
    judge(&mut cluster, case("the group is closed", 12, bob, chat, "hello"), "closed");
    cluster.nodes[0].run(set(settings)).unwrap();
    cluster.nodes[0].run(Command::Pause(globex)).unwrap();
    judge(&mut cluster, case("the peering is paused", 13, bob, chat, "hello"), "peer-inactive");
    cluster.nodes[0].run(Command::Approve(globex)).unwrap();
    cluster.nodes[0]
        .run(Command::Act(alice, Action::Remove { scope: group, user: bob, everywhere: true }))
        .unwrap();
    judge(&mut cluster, case("the author was removed", 14, bob, chat, "hello"), "not-found");
    json!({
        "about": "spec 7.3: submissions over the channel of the author's home, in this order", "owner": hex(&acme.0),
        "home": hex(&globex.0), "home_key": hex(&sign_key("globex").public().0), "thread": hex(&chat.0),
        "author": hex(&bob.0), "cases": cases,
    })
}
