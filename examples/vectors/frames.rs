//! Frames of the link (spec 9): each kind as bytes, what is refused, the running hash of a feed, what a comparison brings.

use comity::{
    crypto::sha256,
    ids::{FeedId, GroupId, Hash, InviteId, ScopeId, SubmissionId, ThreadId, UserId, WorkspaceId},
    protocol::{Command, Records as _, draft::running_hash, witness},
    time::Millis,
    wire::{
        Blob, cbor,
        frames::{
            ContentFrame, Control, FeedFrame, FeedPosition, Hello, HistoryPage, HistoryRequest, Item,
            LeaseAsk, ScopeState, Submit, SubmitAnswer, Witness,
        },
        objects::{ClaimStand, Extensions, Profile, Word},
    },
};
use serde_json::{Value, json};

use super::{
    chains::{local, stage},
    hex,
};

fn hello() -> Hello {
    Hello {
        workspace: WorkspaceId([1; 32]),
        revision: 2,
        manifest: Hash([2; 32]),
        known: Some(1),
        ticket: None,
        approved: true,
        boots: 3,
        clock: Millis(4),
        extensions: Extensions::default(),
    }
}

/// Frames as bytes, and near misses.
pub fn frames() -> Value {
    let (feed, scope, thread) = (FeedId([3; 16]), ScopeId::from(GroupId([4; 32])), ThreadId([5; 32]));
    let (user, id) = (UserId([6; 48]), SubmissionId([7; 16]));
    let state = ScopeState {
        scope,
        incarnation: 0,
        epoch: 9,
        hash: Hash([8; 32]),
        follows: true,
        content: Some((3, Hash([8; 32]))),
    };
    let position = FeedPosition { feed, number: 5, hash: Hash([9; 32]) };
    let control = [
        Control::Hello { hello: hello() },
        Control::Manifests { chain: vec![Blob::from(vec![1, 2])] },
        Control::Resume { feed: Some(position), content: 7 },
        Control::Resume { feed: None, content: 0 },
        Control::Feed { frame: FeedFrame { feed, first: 1, items: vec![Blob::from(vec![0])] } },
        Control::FeedAck { feed, number: 5 },
        Control::Compare { scopes: vec![state.clone()] },
        Control::ContentAck { number: 5 },
        Control::ContentReset { number: 5 },
        Control::Typing { thread, user },
        Control::Read { thread, user, seq: 11 },
        Control::Bye { reason: "done".into() },
        Control::AskLease {
            ask: LeaseAsk { nonce: Hash([1; 32]), feed, number: 5, hash: Hash([9; 32]), roster: None },
        },
        Control::Lease { lease: Blob::from(vec![1]) },
        Control::NoLease { code: 13 },
        Control::Recall { scopes: vec![state.clone()], more: true },
        Control::Witness {
            frame: Witness { scopes: vec![state], items: vec![Blob::from(vec![2])], more: false },
        },
    ];
    let mut cases: Vec<Value> = control.iter().map(|frame| good("control", cbor::encode(frame))).collect();
    let signed = Blob::from(vec![1]);
    let act = Submit::Act { signed: Blob::from(vec![1]) };
    let request = HistoryRequest { thread, before: Some(10), after: None, limit: 256 };
    cases.extend([
        good("submit", cbor::encode(&act)),
        good("submit-answer", cbor::encode(&SubmitAnswer::Posted { id, seq: 4 })),
        good("submit-answer", cbor::encode(&SubmitAnswer::Done { id, scope: Some(scope), epoch: None })),
        good("submit-answer", cbor::encode(&SubmitAnswer::Refused { id, code: 4, detail: "no".into() })),
        good("history-request", cbor::encode(&request)),
        good(
            "history-page",
            cbor::encode(&HistoryPage { thread, entries: vec![], heads: vec![], bottom: true }),
        ),
        good("content-frame", cbor::encode(&ContentFrame { number: 1, entries: vec![], heads: vec![] })),
        good("item", cbor::encode(&Item::AskGroup { thread, group: GroupId([4; 32]), by: user })),
        good("item", cbor::encode(&Item::Alarm { first: vec![1].into(), second: vec![2].into() })),
        good("item", cbor::encode(&Item::Moved { event: signed.clone(), acceptance: signed.clone() })),
        good("item", cbor::encode(&Item::Acceptance { acceptance: signed.clone() })),
        good("item", cbor::encode(&Item::Estate { scope, ttl: 60_000, gone: vec![(user, 3)] })),
        good("item", cbor::encode(&Item::HandedOver { handover: signed, high: 3, hash: Hash([8; 32]) })),
    ]);
    cases.extend(claims(user));
    cases.extend(near_misses());
    json!({ "about": "spec 9.2 to 9.9: frames, without the length before them", "cases": cases })
}

/// Words about an invitation that went out by e-mail (spec 6.8), and the one form of a profile (spec 4.7).
fn claims(user: UserId) -> Vec<Value> {
    let short = Profile::new("jo@freelance.example", "Jo");
    let long = Profile { title: "Counsel".into(), verified: false, ..short.clone() };
    let (link, invite, signed) = (Hash([6; 32]), InviteId([7; 16]), Blob::from(vec![1]));
    let mut cases = vec![
        good("word", cbor::encode(&Word::Claim { link, user, profile: long.clone() })),
        good(
            "word",
            cbor::encode(&Word::ClaimAnswer {
                link,
                user,
                invite: Some(invite),
                stand: ClaimStand::Accepted,
            }),
        ),
        good("word", cbor::encode(&Word::ClaimAnswer { link, user, invite: None, stand: ClaimStand::Asked })),
        good(
            "item",
            cbor::encode(&Item::AccountMoved { link: Some(Hash([6; 32])), old: None, new: signed.clone() }),
        ),
        good(
            "item",
            cbor::encode(&Item::AccountMoved { link: None, old: Some(signed.clone()), new: signed }),
        ),
        good("profile", cbor::encode(&short)),
        good("profile", cbor::encode(&long)),
    ];
    let (address, name) = (short.address.as_str(), short.name.as_str());
    for (why, bytes) in [
        ("four fields that say what two say", cbor::encode(&(address, name, "", true))),
        ("three fields", cbor::encode(&(address, name, "Counsel"))),
        ("five fields", cbor::encode(&(address, name, "Counsel", true, 1))),
    ] {
        assert!(cbor::decode::<Profile>(&bytes).is_err(), "{why}");
        cases.push(json!({ "kind": "profile", "bytes": hex(&bytes), "expect": "cbor-shape", "why": why }));
    }
    cases
}

/// Bytes that nearly are a frame, and the error of each.
fn near_misses() -> Vec<Value> {
    let mut cases = Vec::new();
    for (why, bytes) in [
        ("an unknown code", "8118c8"),
        ("a field too many", "83060500"),
        ("a field too few", "8106"),
        ("text where a number belongs", "82066135"),
        ("a map", "a1000600"),
        ("a number alone", "06"),
        ("not in shortest form", "82061805"),
    ] {
        let bytes = data_encoding::HEXLOWER.decode(bytes.as_bytes()).unwrap();
        let error = cbor::decode::<Control>(&bytes).unwrap_err();
        cases.push(json!({ "kind": "control", "why": why, "bytes": hex(&bytes), "expect": error.name() }));
    }
    cases
}

fn good(kind: &str, bytes: Vec<u8>) -> Value {
    json!({ "kind": kind, "bytes": hex(&bytes), "expect": "ok" })
}

/// A feed's rows with their running hash, and the rows that comparisons bring (spec 9.4 to 9.6).
pub fn comparison() -> Value {
    let (mut cluster, group, _) = stage();
    let (acme, globex) = (cluster.nodes[0].id, cluster.nodes[1].id);
    let alice = local(&cluster.nodes[0], "alice");
    let anna = cluster.nodes[0].user("anna");
    let held = {
        let held = witness::held(&cluster.nodes[1].state, acme);
        held.into_iter().find(|held| held.scope == group).unwrap()
    };
    use comity::wire::objects::{Floor, Grade};
    let (grade, floor) = (Grade::Post, Floor::All);
    let add = Command::AddMembers { actor: alice, scope: group, users: vec![anna], grade, floor };
    cluster.nodes[0].run(add).unwrap();
    let mut cases = Vec::new();
    for (why, states, expect) in [
        ("the follower lacks one event", vec![held.clone()], vec!["event"]),
        ("the follower holds nothing: what it follows is introduced", vec![], vec!["snapshot"]),
        ("a scope that the owner does not know is not answered", vec![unknown(&held)], vec!["snapshot"]),
    ] {
        cluster.nodes[0].run(Command::Compare(globex, states.clone())).unwrap();
        let row = cluster.nodes[0].state.peers[&globex].clone();
        let items: Vec<Blob> =
            (1..=row.queued).map(|n| cluster.nodes[0].disk.feed(globex, n).unwrap()).collect();
        let (mut hash, mut shown) = (Hash::ZERO, Vec::new());
        for item in &items {
            hash = running_hash(hash, item);
            let kind = match cbor::decode::<Item>(item).unwrap() {
                Item::Event { .. } => "event",
                Item::Snapshot { .. } => "snapshot",
                Item::Manifests { .. } => "manifests",
                other => panic!("{other:?}"),
            };
            shown.push(json!({ "kind": kind, "item": hex(item), "hash": hex(&hash.0) }));
        }
        assert_eq!(hash, row.queued_hash, "{why}");
        for kind in expect {
            assert!(shown.iter().any(|row| row["kind"] == kind), "{why}: {shown:?}");
        }
        let compare = Control::Compare { scopes: states };
        cases.push(json!({ "why": why, "compare": hex(&cbor::encode(&compare)), "rows": shown }));
    }
    json!({ "about": "spec 9.4, 9.6: the rows of the new feed after a comparison", "owner": hex(&acme.0), "cases": cases })
}

fn unknown(held: &ScopeState) -> ScopeState {
    ScopeState { scope: GroupId(sha256(&[b"unknown"]).0).into(), ..held.clone() }
}
