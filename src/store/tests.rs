//! What was committed is there after reopening; what breaks is named.

use std::path::Path;

use serde::Serialize;

use crate::{
    crypto::{Random, SecretKey, sha256},
    ids::{Hash, Salt, ScopeId, SubmissionId, ThreadId, UserId, WorkspaceId},
    protocol::{
        Change, Command, Ctx, Records as _, Reply, State, decide, identity,
        row::{Pending, Role, Row},
    },
    store::{Fault, Store, tables},
    time::{Boot, Millis},
    wire::{
        AuditLine, Body, Entry, Sealed, Stored, cbor, envelope,
        objects::{EntryKind, Extensions, Manifest, Settings, Submission, WorkspaceKind},
    },
};

fn key() -> SecretKey {
    SecretKey::from_seed(&[3; 32])
}

fn founded() -> Vec<Change> {
    let (root, public) = (SecretKey::from_seed(&[2; 32]), key().public());
    let manifest = Manifest {
        revision: 0,
        previous: Hash::ZERO,
        kind: WorkspaceKind::Workspace,
        name: "Acme".into(),
        domain: "acme.example".into(),
        endpoints: vec![],
        root: root.public(),
        sign: vec![public],
        tls: vec![public],
        revoked: vec![],
        time: Millis(0),
        extensions: Extensions::default(),
    };
    let signed = envelope::sign(manifest, None, &root);
    identity::found(identity::verify_chain(None, &[signed.bytes().clone()]).unwrap(), public)
}

fn run(store: &mut Store, state: &mut State, step: u8, command: Command) -> Reply {
    let (reader, key) = (store.reader().unwrap(), key());
    let random = Random::from_seed(sha256(&[&[step]]).0);
    let ctx = Ctx {
        now: Millis(u64::from(step)),
        boot: Boot(u64::from(step)),
        random,
        key: &key,
        records: &reader,
    };
    let decision = decide(state, command, ctx).unwrap();
    decision.changes.iter().for_each(|change| state.apply(change));
    store.commit(&decision.changes).unwrap();
    decision.reply
}

#[test]
fn state_and_content_are_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("comity.redb");
    let (mut store, mut state) = Store::open(&path).unwrap();
    let founded = founded();
    founded.iter().for_each(|change| state.apply(change));
    store.commit(&founded).unwrap();
    let add = Command::AddUser { local: "ann".into(), name: "Ann".into(), role: Role::Admin };
    let Reply::User(ann) = run(&mut store, &mut state, 1, add) else { panic!() };
    let settings = Settings {
        name: "launch".into(),
        externals: true,
        open_invites: false,
        replies_off: false,
        locked: false,
        closed: false,
        open: false,
    };
    let Reply::Scope(ScopeId::Group(group), _) =
        run(&mut store, &mut state, 2, Command::CreateGroup(ann, settings))
    else {
        panic!()
    };
    let thread = *state.addressed.get(&group).unwrap().iter().next().unwrap();
    let (id, kind, text) = (SubmissionId([1; 16]), EntryKind::Message, "hello".to_owned());
    let post = Command::Post { author: ann, thread, id, kind, target: None, text, mentions: vec![] };
    assert_eq!(run(&mut store, &mut state, 3, post.clone()), Reply::Posted(1));
    drop(store);

    let (mut store, mut again) = Store::open(&path).unwrap();
    assert_eq!(again, state);
    let reader = store.reader().unwrap();
    assert_eq!(reader.stored(thread, 1).unwrap().entry.author, ann);
    assert_eq!(reader.submitted(ann.home(), id), Some((thread, 1)));
    assert_eq!(reader.marks(0, 100).unwrap().len(), 4);
    assert_eq!(
        run(&mut store, &mut again, 4, post),
        Reply::Posted(1),
        "the same answer again, over a restart"
    );
    store.commit(&[Change::Redact(thread, 1)]).unwrap();
    assert!(store.reader().unwrap().stored(thread, 1).unwrap().body.is_none());
    store.commit(&[Change::Purge(thread)]).unwrap();
    assert!(store.reader().unwrap().stored(thread, 1).is_none());
}

#[test]
fn a_newer_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("comity.redb");
    drop(Store::open(&path).unwrap());
    let database = redb::Database::open(&path).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(tables::META).unwrap().insert(tables::SCHEMA, 99).unwrap();
    write.commit().unwrap();
    drop(database);
    assert!(matches!(Store::open(&path), Err(Fault::Newer { found: 99 })));
}

fn sealed(n: u64, text: &str) -> Sealed {
    let body = Body { target: None, text: text.into(), mentions: vec![] }.to_blob();
    Sealed { salt: Salt([u8::try_from(n).unwrap(); 16]), body }
}

fn stored(thread: ThreadId, seq: u64, text: &str) -> Stored {
    let body = sealed(seq, text);
    let entry = Entry {
        thread,
        seq,
        previous: Hash::ZERO,
        author: UserId([1; 48]),
        kind: EntryKind::Message,
        time: Millis(0),
        scope: thread.into(),
        epoch: 0,
        commitment: body.commitment(),
        submission: SubmissionId([u8::try_from(seq).unwrap(); 16]),
        signed: None,
    };
    Stored { entry, body: Some(body) }
}

fn waiting(thread: ThreadId, number: u64, text: &str) -> Row {
    let (sealed, owner, author) = (sealed(number, text), WorkspaceId([9; 32]), UserId([1; 48]));
    let (submission, kind, time) = (SubmissionId([3; 16]), EntryKind::Message, Millis(0));
    let commitment = sealed.commitment();
    let signed = Submission { id: submission, thread, author, kind, commitment, time };
    let signed = envelope::sign(signed, Some(owner), &key()).bytes().clone();
    Row::Pending(Pending {
        owner,
        number,
        signed,
        submission,
        thread,
        author,
        kind,
        sealed,
        time,
        refused: None,
    })
}

fn holds(path: &Path, text: &str) -> bool {
    std::fs::read(path).unwrap().windows(text.len()).any(|window| window == text.as_bytes())
}

fn has_key(path: &Path, thread: ThreadId) -> bool {
    let database = redb::Database::open(path).unwrap();
    let read = redb::ReadableDatabase::begin_read(&database).unwrap();
    read.open_table(tables::KEYS).unwrap().get(thread.as_ref()).unwrap().is_some()
}

/// P7.3: after a purge no page of the file holds a body, though the database keeps free pages.
#[test]
fn p7_3_a_purge_leaves_no_body_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("comity.redb");
    let (gone, kept) = (ThreadId([1; 32]), ThreadId([2; 32]));
    let (mut store, _) = Store::open(&path).unwrap();
    let control = Change::Audit(AuditLine::of("control").saying("a text that is not shredded"));
    let text = |seq: u64| format!("the secret plan number {seq}");
    store.commit(&[control]).unwrap();
    for seq in 1..=50 {
        store.commit(&[Change::Content(stored(gone, seq, &text(seq)))]).unwrap();
    }
    let waiting = waiting(gone, 7, "a plan that waits");
    store.commit(&[Change::Put(waiting.clone()), Change::Redact(gone, 3)]).unwrap();
    store.commit(&[Change::Content(stored(kept, 1, "another thread"))]).unwrap();
    assert_eq!(store.reader().unwrap().stored(gone, 50), Some(stored(gone, 50, &text(50))));
    drop(store);
    let (mut store, state) = Store::open(&path).unwrap();
    assert_eq!(state.outbox.values().next().map(|row| Row::Pending((**row).clone())), Some(waiting.clone()));

    let Row::Pending(of_the_removed) = waiting else { panic!() };
    let told = Row::Pending(Pending {
        sealed: Sealed::shredded(),
        refused: Some("your place ended".into()),
        ..of_the_removed
    });
    store.commit(&[Change::Put(told.clone()), Change::Purge(gone)]).unwrap();
    drop(store);
    assert!(!has_key(&path, gone), "what is said of a message keeps no key");
    let (mut store, state) = Store::open(&path).unwrap();
    assert_eq!(state.outbox.values().next().map(|row| Row::Pending((**row).clone())), Some(told));

    store.commit(&[Change::Content(stored(gone, 51, "after a new beginning"))]).unwrap();
    let reader = store.reader().unwrap();
    assert!(reader.stored(gone, 50).is_none());
    assert_eq!(reader.stored(gone, 51), Some(stored(gone, 51, "after a new beginning")));
    assert_eq!(reader.stored(kept, 1), Some(stored(kept, 1, "another thread")));
    drop((store, reader));
    assert!(holds(&path, "a text that is not shredded"), "what is searched for can be found");
    for text in (1..=50).map(text).chain(["a plan that waits".into(), "another thread".into()]) {
        assert!(!holds(&path, &text), "{text}");
    }
}

/// A body that cannot be decrypted counts as damaged: neither shown nor taken for a deleted one.
#[test]
fn a_body_without_its_key_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("comity.redb");
    let thread = ThreadId([1; 32]);
    let (mut store, _) = Store::open(&path).unwrap();
    store.commit(&[Change::Content(stored(thread, 1, "x")), Change::Put(waiting(thread, 1, "y"))]).unwrap();
    drop(store);
    let database = redb::Database::open(&path).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(tables::KEYS).unwrap().insert(thread.as_ref(), [0; 32].as_slice()).unwrap();
    write.commit().unwrap();
    drop(database);
    let (store, state) = Store::open(&path).unwrap();
    assert!(store.reader().unwrap().stored(thread, 1).is_none());
    assert!(state.outbox.is_empty());
}

/// P8.3: every line is tied to the one before.
#[test]
fn p8_3_lines_are_chained_over_commits_and_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("comity.redb");
    for round in 0..3u64 {
        let (mut store, _) = Store::open(&path).unwrap();
        let line = |n: u64| Change::Audit(AuditLine::of("act").saying(format!("{round} {n}")));
        store.commit(&[line(1), line(2)]).unwrap();
        store.commit(&[line(3)]).unwrap();
    }
    let (store, _) = Store::open(&path).unwrap();
    let reader = store.reader().unwrap();
    let links = reader.audit_from(1, 100).unwrap();
    let mut before = Hash::ZERO;
    for ((hash, record), number) in links.iter().zip(1..) {
        assert_eq!((record.number, record.hash(before)), (number, *hash));
        before = *hash;
    }
    assert_eq!((links.len(), reader.audit_tip().unwrap()), (9, (9, before)));
    let page = reader.audit(10, 2, |line| line.detail.ends_with('3')).unwrap();
    let numbers: Vec<u64> = page.records.iter().map(|record| record.number).collect();
    assert_eq!((numbers, page.next), (vec![9, 6], Some(6)));
    assert_eq!(reader.audit(6, 2, |line| line.detail.ends_with('3')).unwrap().next, None);
}

/// As version 1 wrote a line: fields by name, an object hash that was never there.
#[derive(Serialize)]
struct LineOf1 {
    time: Millis,
    actor: Option<UserId>,
    peer: Option<WorkspaceId>,
    scope: Option<ScopeId>,
    act: String,
    detail: String,
    object: Option<Hash>,
}

fn write_version_1(path: &Path, entry: &Stored, waiting: &Row) {
    let database = redb::Database::create(path).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(tables::META).unwrap().insert(tables::SCHEMA, 1).unwrap();
    for number in 1..=2500u64 {
        let (act, detail) = ("member.added".to_owned(), number.to_string());
        let (actor, peer, scope) = (Some(UserId([1; 48])), None, Some(entry.entry.thread.into()));
        let line = LineOf1 { time: Millis(number), actor, peer, scope, act, detail, object: None };
        write.open_table(tables::AUDIT).unwrap().insert(number, cbor::encode(&line).as_slice()).unwrap();
    }
    for seq in 1..=2500u64 {
        let entry = Entry { seq, ..entry.entry.clone() };
        let key = tables::content_key(entry.thread, seq);
        let value = cbor::encode(&Stored { entry: entry.clone(), body: sealed(1, "of version 1").into() });
        write.open_table(tables::CONTENT).unwrap().insert(key.as_slice(), value.as_slice()).unwrap();
    }
    for row in [waiting.clone(), founded().into_iter().find_map(node_row).unwrap()] {
        let value = [vec![row.kind()], row.to_bytes()].concat();
        let key = row.key().to_bytes();
        write.open_table(tables::STATE).unwrap().insert(key.as_slice(), value.as_slice()).unwrap();
    }
    write.commit().unwrap();
}

fn node_row(change: Change) -> Option<Row> {
    match change {
        Change::Put(row @ Row::Node(_)) => Some(row),
        _ => None,
    }
}

#[test]
fn a_file_of_version_1_is_chained_and_encrypted_at_opening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("comity.redb");
    let thread = ThreadId([1; 32]);
    let (entry, waiting) = (stored(thread, 1, "of version 1"), waiting(thread, 4, "waits since version 1"));
    write_version_1(&path, &entry, &waiting);
    for _ in 0..2 {
        let (store, state) = Store::open(&path).unwrap();
        assert!(state.node.is_some());
        assert_eq!(
            state.outbox.values().next().map(|row| Row::Pending((**row).clone())),
            Some(waiting.clone())
        );
        let reader = store.reader().unwrap();
        let links = reader.audit_from(1, 5000).unwrap();
        let end = links.iter().fold(Hash::ZERO, |before, (_, record)| record.hash(before));
        assert_eq!((links.len(), reader.audit_tip().unwrap()), (2500, (2500, end)));
        assert_eq!(links[6].1.line.detail, "7");
        for seq in [1, 1000, 1001, 2500] {
            assert_eq!(reader.stored(thread, seq).unwrap().body, entry.body);
        }
    }
    let database = redb::Database::open(&path).unwrap();
    let read = redb::ReadableDatabase::begin_read(&database).unwrap();
    let table = read.open_table(tables::CONTENT).unwrap();
    let row = table.get(tables::content_key(thread, 1).as_slice()).unwrap().unwrap().value().to_vec();
    assert!(!row.windows(12).any(|window| window == b"of version 1"));
}

/// A user as version 2 wrote him, tokens and all.
#[derive(Serialize)]
struct UserOf2 {
    id: UserId,
    local: String,
    name: String,
    role: Role,
    tokens: Vec<Hash>,
    blocked: Vec<UserId>,
}

#[test]
fn tokens_of_version_2_go_on_working() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("comity.redb");
    let (id, token) = (UserId([1; 48]), Hash([9; 32]));
    let (local, name, role) = ("ann".to_owned(), "Ann".to_owned(), Role::Admin);
    let user = UserOf2 { id, local, name, role, tokens: vec![token], blocked: vec![] };
    let database = redb::Database::create(&path).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(tables::META).unwrap().insert(tables::SCHEMA, 2).unwrap();
    let key = crate::protocol::row::RowKey::User(id).to_bytes();
    let value = [vec![4], cbor::encode(&user)].concat();
    write.open_table(tables::STATE).unwrap().insert(key.as_slice(), value.as_slice()).unwrap();
    write.commit().unwrap();
    drop(database);
    let (_, state) = Store::open(&path).unwrap();
    assert_eq!((state.users[&id].name.as_str(), state.users[&id].verified), ("Ann", true));
    assert_eq!(state.sessions[&token].user, id);
    assert_eq!(state.sessions_of(id).count(), 1);
}
