//! Exports of audit logs: as written, and with one thing changed (spec 13).

use comity::{
    crypto::SecretKey,
    ids::{GroupId, Hash, ScopeId, UserId},
    protocol::{
        audit::{Header, Record, Trailer, verify},
        identity,
        row::Home,
    },
    time::Millis,
    wire::{
        AuditLine, AuditRecord, Object as _, Proof, envelope,
        objects::{AuditSeal, Event, Extensions, Manifest, Op, Purge, Receipt, Statement, Word},
    },
};
use serde_json::{Value, json};

use super::{chains::manifest, hex, key};

/// Two revisions; the second replaces the signing key.
fn home(root: &str, old: &str, new: &str) -> Home {
    let genesis = envelope::sign(manifest(0, Hash::ZERO, root, &[old], &[]), None, &key(root));
    let next = envelope::sign(manifest(1, genesis.hash(), root, &[new], &[]), None, &key(root));
    identity::verify_chain(None, &[genesis.bytes().clone(), next.bytes().clone()]).unwrap()
}

fn lines(acme: &Home, globex: &Home) -> Vec<AuditLine> {
    let (scope, user) = (ScopeId::Group(GroupId([7; 32])), UserId::new(globex.id, [1; 16]));
    let actor = UserId::new(acme.id, [2; 16]);
    let event = Event {
        scope: Some(scope),
        incarnation: 0,
        epoch: 3,
        previous: Hash([5; 32]),
        time: Millis(1003),
        actor,
        ops: vec![Op::Remove { user }],
        extensions: Extensions::default(),
    };
    let event = envelope::sign(event, None, &key("s0"));
    let (event_hash, users) = (event.hash(), vec![user]);
    let purged = Some(Purge { entries: 2, threads: 1, ..Purge::begin() });
    let receipt = Receipt { scope, event: event_hash, users, applied: Millis(1004), purged };
    let receipt = envelope::sign(receipt, Some(acme.id), &key("g1"));
    let word = Statement { word: Word::Offboard { user }, time: Millis(1005) };
    let statement = envelope::sign(word, Some(acme.id), &key("g1"));
    let (kind, bytes) = (Manifest::TYPE, acme.chain[0].clone());
    let founded = Proof { kind, signer: acme.id, audience: None, bytes };
    let all = [
        AuditLine::of("workspace.founded").saying("revision 0").proven(founded),
        AuditLine::of("peer.active").by(actor).with(globex.id),
        AuditLine::of("member.removed")
            .by(actor)
            .with(globex.id)
            .at(scope)
            .proven(Proof::of(&event, acme.id, None)),
        AuditLine::of("removal.confirmed").with(globex.id).at(scope).proven(Proof::of(
            &receipt,
            globex.id,
            Some(acme.id),
        )),
        AuditLine::of("statement.received")
            .with(globex.id)
            .saying("a \"word\" – offboard")
            .proven(Proof::of(&statement, globex.id, Some(acme.id))),
    ];
    all.into_iter().zip(1000..).map(|(line, time)| AuditLine { time: Millis(time), ..line }).collect()
}

fn text<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap()
}

/// The lines of an export, and the last chain hash.
fn export(
    lines: &[AuditLine],
    acme: &Home,
    globex: &Home,
    first: u64,
    by: &SecretKey,
) -> (Vec<String>, Hash) {
    let (mut hash, mut before, mut records) = (Hash::ZERO, Hash::ZERO, Vec::new());
    for (number, line) in (1..).zip(lines) {
        if number == first {
            before = hash;
        }
        let record = AuditRecord { number, line: line.clone() };
        hash = record.hash(hash);
        if number >= first {
            records.push(text(&Record::new(record, hash)));
        }
    }
    let (last, count) = (5, 6 - first);
    let seal = AuditSeal { workspace: acme.id, first, last, count, hash, time: Millis(2000) };
    let seal = envelope::sign(seal, None, by).bytes().clone();
    let header = text(&Header::new(acme.id, (first, last), before, [acme, globex]));
    (std::iter::once(header).chain(records).chain([text(&Trailer::new(count, hash, seal))]).collect(), hash)
}

/// Exports (spec 13.4, 13.5).
pub fn audit() -> Value {
    let (acme, globex) = (home("root", "s0", "s1"), home("groot", "g0", "g1"));
    let lines = lines(&acme, &globex);
    let made = |first, by: &str| export(&lines, &acme, &globex, first, &key(by));
    let (good, hash) = made(1, "s1");
    let edit = |change: &dyn Fn(&mut Vec<String>)| {
        let mut lines = good.clone();
        change(&mut lines);
        lines
    };
    let mut forged = self::lines(&acme, &globex);
    let stranger = Receipt {
        scope: ScopeId::Group(GroupId([7; 32])),
        event: Hash([1; 32]),
        users: vec![],
        applied: Millis(1),
        purged: None,
    };
    let stranger = envelope::sign(stranger, Some(acme.id), &key("other"));
    forged[3].object = Some(Proof::of(&stranger, globex.id, Some(acme.id)));
    let forged = export(&forged, &acme, &globex, 1, &key("s1")).0;
    let all = [
        ("as it was written", good.clone(), "ok"),
        ("from the third record on", made(3, "s1").0, "ok"),
        ("a detail is changed", edit(&|lines| lines[5] = lines[5].replace("word", "ward")), "record 5"),
        ("an actor is taken out", edit(&|lines| strike_actor(&mut lines[2])), "record 2"),
        ("a record is left out", edit(&|lines| drop(lines.remove(2))), "order"),
        ("two records are swapped", edit(&|lines| lines.swap(2, 4)), "order"),
        ("a record stands twice", edit(&|lines| lines.insert(3, lines[2].clone())), "order"),
        ("the trailer counts another number", edit(&|lines| lines[6] = lines[6].replace(":5", ":4")), "seal"),
        ("the seal is by a key that was replaced", made(1, "s0").0, "seal"),
        ("a receipt that its signer's keys did not sign", forged, "record 4"),
    ];
    let cases = all.map(|(why, lines, expect)| {
        let report = verify(&(lines.join("\n") + "\n")).unwrap();
        let named = report.findings.iter().any(|finding| match expect {
            "seal" => finding.record.is_none(),
            "order" => finding.record.is_some(),
            _ => finding.record.map(|number| format!("record {number}")).as_deref() == Some(expect),
        });
        assert_eq!(report.findings.is_empty(), expect == "ok", "{why}: {:?}", report.findings);
        assert!(named || expect == "ok", "{why}: {:?}", report.findings);
        json!({ "why": why, "lines": lines, "expect": expect, "hash": hex(&hash.0) })
    });
    json!({ "about": "spec 13: exports of audit logs, and the first record that breaks a rule", "cases": cases })
}

fn strike_actor(line: &mut String) {
    let mut record: serde_json::Map<String, Value> = serde_json::from_str(line).unwrap();
    let actor = record.remove("actor").unwrap();
    *line = line.replace(&actor.to_string(), "null");
}
