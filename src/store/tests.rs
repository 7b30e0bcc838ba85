//! What was committed is there after reopening; what breaks is named.

use crate::{
    crypto::{Random, SecretKey, sha256},
    ids::{Hash, ScopeId, SubmissionId},
    protocol::{Change, Command, Ctx, Records as _, Reply, State, decide, identity, row::Role},
    store::{Fault, Store, tables},
    time::{Boot, Millis},
    wire::{
        envelope,
        objects::{EntryKind, Extensions, Manifest, Settings, WorkspaceKind},
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
