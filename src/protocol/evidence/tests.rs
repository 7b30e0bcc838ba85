//! Files of evidence: what each tampering is called.

use serde_json::{Value, json};

use super::{Claim, claim, contradict, export, file::NoEvidence, verify};
use crate::{
    crypto::{SecretKey, sha256},
    ids::{GroupId, Hash, ScopeId, ThreadId, UserId, WorkspaceId},
    protocol::{
        identity,
        row::{Contradiction, Home},
    },
    time::Millis,
    wire::{
        Blob, envelope,
        objects::{Event, Extensions, Head, Manifest, Op, Settings, Snapshot, WorkspaceKind},
    },
};

const SCOPE: ScopeId = ScopeId::Group(GroupId([7; 32]));

fn key(name: &str) -> SecretKey {
    SecretKey::from_seed(&sha256(&[name.as_bytes()]).0)
}

/// A workspace whose first signing key was replaced, and revoked or not.
fn home(name: &str, revoked: bool) -> Home {
    let root = key(&format!("{name} root"));
    let (first, second) = (key(name).public(), key(&format!("{name} later")).public());
    let genesis = Manifest {
        revision: 0,
        previous: Hash::ZERO,
        kind: WorkspaceKind::Workspace,
        name: name.into(),
        domain: format!("{name}.example"),
        endpoints: vec![],
        root: root.public(),
        sign: vec![first],
        tls: vec![first],
        revoked: vec![],
        time: Millis(0),
        extensions: Extensions::default(),
    };
    let signed = envelope::sign(genesis.clone(), None, &root);
    let revoked = if revoked { vec![first] } else { vec![] };
    let later = Manifest { revision: 1, previous: signed.hash(), sign: vec![second], revoked, ..genesis };
    let later = envelope::sign(later, None, &root);
    identity::verify_chain(None, &[signed.bytes().clone(), later.bytes().clone()]).unwrap()
}

fn event(by: &str, scope: ScopeId, incarnation: u64, epoch: u64, time: u64) -> Blob {
    let actor = UserId::new(WorkspaceId([1; 32]), [1; 16]);
    let (scope, previous, ops) = (Some(scope), Hash([3; 32]), vec![Op::Lease { ttl: 60_000 }]);
    let (time, extensions) = (Millis(time), Extensions::default());
    let event = Event { scope, incarnation, epoch, previous, time, actor, ops, extensions };
    envelope::sign(event, None, &key(by)).bytes().clone()
}

fn head(seq: u64, hash: u8) -> Blob {
    let (thread, scope) = (ThreadId([8; 32]), SCOPE);
    let head = Head { thread, scope, incarnation: 0, epoch: 4, seq, hash: Hash([hash; 32]) };
    envelope::sign(head, None, &key("acme")).bytes().clone()
}

fn file(home: &Home, first: Blob, second: Blob) -> Value {
    let held = Contradiction { id: Hash::ZERO, owner: home.id, scope: SCOPE, first, second, time: Millis(1) };
    serde_json::to_value(export(&held, home)).unwrap()
}

#[test]
fn a_replaced_key_counts_and_a_revoked_one_is_named() {
    let (one, two) = (event("acme", SCOPE, 0, 5, 1), event("acme later", SCOPE, 0, 5, 2));
    for revoked in [false, true] {
        let home = home("acme", revoked);
        let verdict = verify(&file(&home, one.clone(), two.clone()).to_string()).unwrap();
        assert_eq!(verdict.accused, home.id);
        assert_eq!(verdict.revoked, if revoked { vec![key("acme").public().fingerprint()] } else { vec![] });
    }
    let verdict = verify(&file(&home("acme", false), head(9, 1), head(9, 2)).to_string()).unwrap();
    assert!(verdict.proves.contains("for entry 9 of thread"), "{}", verdict.proves);
}

#[test]
fn each_tampering_is_refused_with_its_reason() {
    let (home, other) = (home("acme", false), home("globex", false));
    let (one, two) = (event("acme", SCOPE, 0, 5, 1), event("acme", SCOPE, 0, 5, 2));
    let good = file(&home, one.clone(), two.clone());
    let with = |change: &dyn Fn(&mut Value)| {
        let mut bad = good.clone();
        change(&mut bad);
        verify(&bad.to_string()).unwrap_err()
    };
    let second = |bytes: Blob| verify(&file(&home, one.clone(), bytes).to_string()).unwrap_err();
    let elsewhere = ScopeId::Group(GroupId([9; 32]));
    assert_eq!(second(event("acme", elsewhere, 0, 5, 2)), NoEvidence::Subject);
    assert_eq!(second(event("acme", SCOPE, 1 << 32, 5, 2)), NoEvidence::Incarnation(0, 1 << 32));
    assert_eq!(second(event("acme", SCOPE, 0, 6, 2)), NoEvidence::Position(5, 6));
    assert_eq!(second(one.clone()), NoEvidence::Same(5));
    assert!(matches!(second(event("globex", SCOPE, 0, 5, 2)), NoEvidence::Object("second", why)
        if why.starts_with("envelope-key")));
    let mut flipped = one.to_vec();
    *flipped.last_mut().unwrap() ^= 1;
    assert!(matches!(second(flipped.into()), NoEvidence::Object("second", why)
        if why.starts_with("envelope-signature")));
    assert_eq!(with(&|bad| bad["comity_evidence"] = json!(2)), NoEvidence::Version(2));
    assert_eq!(with(&|bad| bad["accused"] = json!(other.id)), NoEvidence::Another(home.id, other.id));
    assert!(matches!(with(&|bad| bad["manifests"] = json!([])), NoEvidence::Manifests(_)));
    let cut = |bad: &mut Value| drop(bad["manifests"].as_array_mut().unwrap().remove(0));
    assert!(matches!(with(&cut), NoEvidence::Manifests(_)));
    // The type is bound by the signature: an event is no snapshot, and an act is no evidence at all.
    assert!(matches!(with(&|bad| bad["first"]["kind"] = json!(3)), NoEvidence::Object("first", _)));
    assert!(matches!(with(&|bad| bad["first"]["kind"] = json!(99)), NoEvidence::Object("first", why)
        if why.contains("type 99")));
    assert!(matches!(with(&|bad| bad["more"] = json!(1)), NoEvidence::File(_)));
    assert!(matches!(verify("{}").unwrap_err(), NoEvidence::File(_)));
}

#[test]
fn a_scope_of_its_own_first_event_is_the_same_subject_as_later() {
    let settings = Settings { name: "Launch".into(), ..crate::protocol::membership::empty_settings() };
    let create = Op::CreateGroup { nonce: Hash([1; 32]), settings: settings.clone() };
    let (actor, extensions) = (UserId::new(WorkspaceId([1; 32]), [1; 16]), Extensions::default());
    let (previous, time, ops) = (Hash::ZERO, Millis(1), vec![create]);
    let first = Event { scope: None, incarnation: 0, epoch: 0, previous, time, actor, ops, extensions };
    let first = envelope::sign(first, None, &key("acme"));
    let snapshot = Snapshot {
        scope: ScopeId::Group(GroupId(first.hash().0)),
        owner: WorkspaceId([1; 32]),
        kind: None,
        starter: actor,
        incarnation: 0,
        epoch: 0,
        hash: Hash([5; 32]),
        settings,
        ttl: 60_000,
        members: vec![],
        groups: vec![],
        extensions: Extensions::default(),
    };
    let snapshot = envelope::sign(snapshot, None, &key("acme"));
    assert!(contradict(first.bytes(), snapshot.bytes()));
    let Claim { position, incarnation, .. } = claim(first.bytes()).unwrap();
    assert_eq!((position, incarnation), (0, 0));
}
