//! Moves (spec 14.2, 14.4): an owner's last event with the acceptance by the next one, and near misses.

use comity::{
    ids::{GroupId, Hash, MoveId, ScopeId, UserId, WorkspaceId},
    protocol::{recovery, reign},
    time::Millis,
    wire::{
        Blob, Verified, envelope,
        objects::{Acceptance, Event, Extensions, Op},
    },
};
use serde_json::{Value, json};

use super::{hex, key};

const FROM: WorkspaceId = WorkspaceId([1; 32]);
const TO: WorkspaceId = WorkspaceId([2; 32]);

fn acceptance(change: impl Fn(&mut Acceptance)) -> Verified<Acceptance> {
    let mut acceptance = Acceptance {
        offer: MoveId([3; 16]),
        scope: ScopeId::Group(GroupId([4; 32])),
        from: FROM,
        incarnation: 0,
        epoch: 7,
        previous: Hash([5; 32]),
        high: 0,
        hash: Hash::ZERO,
        begins: recovery::first_epoch(recovery::next_incarnation(0, [0; 4])),
        time: Millis(1_700_000_000_000),
    };
    change(&mut acceptance);
    let audience = Some(acceptance.from);
    envelope::sign(acceptance, audience, &key("to"))
}

fn event(to: WorkspaceId, consent: Hash, by: &str) -> Blob {
    let event = Event {
        scope: Some(ScopeId::Group(GroupId([4; 32]))),
        incarnation: 0,
        epoch: 9,
        previous: Hash([6; 32]),
        time: Millis(1_700_000_000_001),
        actor: UserId([1; 48]),
        ops: vec![Op::Move { to, consent, high: 0, hash: Hash::ZERO }],
        extensions: Extensions::default(),
    };
    envelope::sign(event, None, &key(by)).bytes().clone()
}

fn is_believed(event: &Blob, acceptance: &Blob) -> bool {
    let by = |name: &'static str| move |hint| Some(key(name).public()).filter(|key| key.id() == hint);
    let event = envelope::open::<Event>(event, None, by("from"));
    let acceptance = envelope::open::<Acceptance>(acceptance, Some(FROM), by("to"));
    event.ok().zip(acceptance.ok()).is_some_and(|(event, acceptance)| {
        matches!(event.object().ops.as_slice(), [Op::Move { to, .. }] if *to == TO)
            && reign::belong_together(&event, &acceptance)
    })
}

/// Pairs of both objects.
pub fn moves() -> Value {
    let good = acceptance(|_| {});
    let of = |accepted: &Verified<Acceptance>| event(TO, accepted.hash(), "from");
    let later = acceptance(|it| it.epoch = 9);
    let elsewhere = acceptance(|it| it.scope = ScopeId::Group(GroupId([9; 32])));
    let reborn = acceptance(|it| it.incarnation = 1 << 32);
    let begins = acceptance(|it| it.begins += 1);
    let other = acceptance(|it| it.from = WorkspaceId([8; 32]));
    let all = [
        ("both signatures, one scope, one incarnation", of(&good), &good, true),
        ("the event names another acceptance", event(TO, Hash([7; 32]), "from"), &good, false),
        ("the event is signed by the new owner", event(TO, good.hash(), "to"), &good, false),
        ("the event names a third workspace", event(WorkspaceId([8; 32]), good.hash(), "from"), &good, false),
        ("the acceptance is of a later epoch than what went before the move", of(&later), &later, false),
        ("the acceptance is for another scope", of(&elsewhere), &elsewhere, false),
        ("the acceptance is of another incarnation", of(&reborn), &reborn, false),
        ("the acceptance begins elsewhere", of(&begins), &begins, false),
        ("the acceptance is for another owner", of(&other), &other, false),
    ];
    let cases = all.map(|(why, event, acceptance, ok)| {
        assert_eq!(is_believed(&event, acceptance.bytes()), ok, "{why}");
        let expect = if ok { "ok" } else { "refused" };
        json!({ "why": why, "event": hex(&event), "acceptance": hex(acceptance.bytes()), "expect": expect })
    });
    let keys = json!({ "from": hex(&key("from").public().0), "to": hex(&key("to").public().0) });
    json!({
        "about": "spec 14.2, 14.4: what a follower believes of a move", "from": hex(&FROM.0), "to": hex(&TO.0),
        "keys": keys, "cases": cases,
    })
}
