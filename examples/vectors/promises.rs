//! Leases, incarnations and contradictions (spec 11, 12): when each side reckons a lease over, how epochs begin, what is
//! evidence.

use comity::{
    crypto::sha256,
    ids::{FeedId, GroupId, Hash, ScopeId, ThreadId, UserId, WorkspaceId},
    limits,
    protocol::{evidence, lease, recovery},
    time::{Boot, Millis},
    wire::{
        Blob, envelope,
        objects::{Event, Extensions, Head, Lease, Op},
    },
};
use serde_json::{Value, json};

use super::{cluster::Cluster, hex, key};

/// Timelines of leases, on each side's own clock, and the sum over a roster.
pub fn leases() -> Value {
    let mut cases = Vec::new();
    for ttl in [limits::LEASE_LEAST_MILLIS, 2_001, 5_000, 60_000, 300_000, limits::LEASE_MOST_MILLIS] {
        let (over, surely) = (lease::ends(Boot(1_000), ttl), lease::surely_over(Boot(1_000), ttl));
        // Spec 11.3: the follower with the slowest clock and the owner with the fastest, both a hundredth off.
        assert!(over.since(Boot(1_000)) * 100 <= surely.since(Boot(1_000)) * 99 + 100, "{ttl}");
        cases.push(json!({ "ttl": ttl, "asked": 1_000, "answered": 1_000, "hidden_from": over.0, "surely_over": surely.0 }));
    }
    let mut cluster = Cluster::new(&["acme", "globex"]);
    let (owner, bob) = (cluster.nodes[0].id, cluster.nodes[1].user("bob"));
    let scopes = [ScopeId::Group(GroupId([7; 32])), ScopeId::Thread(ThreadId([8; 32]))];
    let mut sum = [0; 32];
    for scope in scopes {
        let kind = [u8::from(scope.thread().is_some())];
        let place = sha256(&[b"comity/1 roster", &kind, scope.bytes(), &bob.0]);
        sum.iter_mut().zip(place.0).for_each(|(sum, place)| *sum ^= place);
    }
    let (nonce, feed, number) = (Hash([1; 32]), FeedId([2; 16]), 9);
    let signed = Lease { nonce, feed, number, hash: Hash([3; 32]), time: Millis(5) };
    let signed = envelope::sign(signed, Some(owner), &key("owner"));
    let places: Vec<_> = scopes
        .iter()
        .map(|scope| {
            let kind = [u8::from(scope.thread().is_some())];
            json!({ "scope": hex(&[&kind, scope.bytes().as_slice()].concat()), "user": hex(&bob.0) })
        })
        .collect();
    json!({
        "about": "spec 11.1 to 11.3: milliseconds on the follower's clock and on the owner's; a roster's sum; a lease",
        "key": hex(&key("owner").public().0), "audience": hex(&owner.0), "lease": hex(signed.bytes()),
        "nonce": hex(&nonce.0), "places": places, "roster": hex(&sum), "cases": cases,
    })
}

fn event(incarnation: u64, epoch: u64, nonce: u8) -> Blob {
    let op = Op::Incarnate { high: u64::from(nonce), hash: Hash::ZERO };
    let event = Event {
        scope: Some(GroupId([7; 32]).into()),
        incarnation,
        epoch,
        previous: Hash::ZERO,
        time: Millis(1),
        actor: UserId::new(WorkspaceId([1; 32]), [2; 16]),
        ops: vec![op],
        extensions: Extensions::default(),
    };
    envelope::sign(event, None, &key("owner")).bytes().clone()
}

fn head(seq: u64, hash: u8) -> Blob {
    let (thread, scope) = (ThreadId([8; 32]), GroupId([7; 32]).into());
    let head = Head { thread, scope, incarnation: 0, epoch: 1, seq, hash: Hash([hash; 32]) };
    envelope::sign(head, None, &key("owner")).bytes().clone()
}

/// Pairs of objects, and whether they contradict each other; incarnations with where their epochs begin.
pub fn contradictions() -> Value {
    let first = recovery::next_incarnation(0, [0, 0, 0, 9]);
    let pairs = [
        ("two events for one epoch", event(0, 4, 1), event(0, 4, 2), true),
        ("one event twice", event(0, 4, 1), event(0, 4, 1), false),
        ("two epochs", event(0, 4, 1), event(0, 5, 1), false),
        ("two incarnations", event(0, 4, 1), event(first, 4, 2), false),
        ("two heads for one entry", head(9, 1), head(9, 2), true),
        ("heads of two entries", head(9, 1), head(10, 2), false),
        ("an event and a head", event(0, 9, 1), head(9, 2), false),
    ];
    let cases: Vec<Value> = pairs
        .into_iter()
        .map(|(why, first, second, expect)| {
            assert_eq!(evidence::contradict(&first, &second), expect, "{why}");
            json!({ "why": why, "first": hex(&first), "second": hex(&second), "contradict": expect })
        })
        .collect();
    let incarnations: Vec<Value> = [(0, [0, 0, 0, 0]), (0, [1, 2, 3, 4]), (first, [255; 4])]
        .into_iter()
        .map(|(before, random)| {
            let next = recovery::next_incarnation(before, random);
            let epoch = recovery::first_epoch(next);
            json!({ "before": before, "random": hex(&random), "next": next, "first_epoch": epoch })
        })
        .collect();
    json!({
        "about": "spec 12.3, 12.7: incarnations, and what two signed objects prove",
        "key": hex(&key("owner").public().0), "incarnations": incarnations, "cases": cases,
    })
}
