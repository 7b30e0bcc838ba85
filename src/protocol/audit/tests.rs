//! Every way to change an export, and what the check says about it (P8.3).

use std::collections::BTreeSet;

use super::{Header, NoExport, Record, Report, Trailer, verify};
use crate::{
    crypto::SecretKey,
    ids::{GroupId, Hash, ScopeId, UserId, WorkspaceId},
    protocol::{identity, row::Home},
    time::Millis,
    wire::{
        AuditLine, AuditRecord, Object, Proof, envelope,
        objects::{
            AuditSeal, Event, Extensions, Manifest, Op, Purge, Receipt, Statement, Word, WorkspaceKind,
        },
    },
};

fn key(n: u8) -> SecretKey {
    SecretKey::from_seed(&[n; 32])
}

/// A workspace whose first signing key was replaced: (home, old key, key in use).
fn home(n: u8) -> (Home, SecretKey, SecretKey) {
    let (root, old, new) = (key(n), key(n + 1), key(n + 2));
    let mut manifest = Manifest {
        revision: 0,
        previous: Hash::ZERO,
        kind: WorkspaceKind::Workspace,
        name: "Acme".into(),
        domain: "acme.example".into(),
        endpoints: vec![],
        root: root.public(),
        sign: vec![old.public()],
        tls: vec![old.public()],
        revoked: vec![],
        time: Millis(0),
        extensions: Extensions::default(),
    };
    let genesis = envelope::sign(manifest.clone(), None, &root);
    (manifest.revision, manifest.previous, manifest.sign) = (1, genesis.hash(), vec![new.public()]);
    let rotated = envelope::sign(manifest, None, &root);
    let home = identity::verify_chain(None, &[genesis.bytes().clone(), rotated.bytes().clone()]).unwrap();
    (home, old, new)
}

/// An export in parts.
#[derive(Clone)]
struct Export {
    lines: Vec<String>,
    records: Vec<(AuditRecord, Hash)>,
    before: Hash,
}

fn text<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap()
}

fn lines(acme: &Home, globex: &Home, by: &SecretKey, peer: &SecretKey) -> Vec<AuditLine> {
    let (scope, user) = (ScopeId::Group(GroupId([7; 32])), UserId::new(globex.id, [1; 16]));
    let event = envelope::sign(
        Event {
            scope: Some(scope),
            incarnation: 0,
            epoch: 3,
            previous: Hash::ZERO,
            time: Millis(3),
            actor: UserId::new(acme.id, [2; 16]),
            ops: vec![Op::Remove { user }],
            extensions: Extensions::default(),
        },
        None,
        by,
    );
    let purged = Some(Purge { entries: 2, threads: 1, ..Purge::begin() });
    let receipt = Receipt { scope, event: event.hash(), users: vec![user], applied: Millis(4), purged };
    let receipt = envelope::sign(receipt, Some(acme.id), peer);
    let statement =
        envelope::sign(Statement { word: Word::Offboard { user }, time: Millis(5) }, Some(acme.id), peer);
    let manifest = |at: usize| {
        let (kind, signer, audience, bytes) = (Manifest::TYPE, acme.id, None, acme.chain[at].clone());
        Proof { kind, signer, audience, bytes }
    };
    let mut all = vec![
        AuditLine::of("workspace.founded").proven(manifest(0)),
        AuditLine::of("peer.active").with(globex.id).by(UserId::new(acme.id, [2; 16])),
        AuditLine::of("member.removed").at(scope).proven(Proof::of(&event, acme.id, None)),
        AuditLine::of("removal.confirmed").at(scope).proven(Proof::of(&receipt, globex.id, Some(acme.id))),
        AuditLine::of("statement.received").proven(Proof::of(&statement, globex.id, Some(acme.id))),
        AuditLine::of("manifest.renewed").proven(manifest(1)).saying("a \"quoted\" — word"),
    ];
    all.extend((0..3).map(|n| AuditLine::of("peer.policy").saying(n.to_string())));
    all
}

/// Objects are by keys that were replaced since, the seal by the one in use.
fn export(first: u64) -> Export {
    let ((acme, old, new), (globex, peer, _)) = (home(10), home(20));
    let mut tip = Hash::ZERO;
    let mut records = Vec::new();
    for (number, line) in (1..).zip(lines(&acme, &globex, &old, &peer)) {
        let record = AuditRecord { number, line };
        let hash = record.hash(tip);
        records.push((record, hash, tip));
        tip = hash;
    }
    let records = records.split_off(usize::try_from(first - 1).unwrap());
    let (last, count) = (9, u64::try_from(records.len()).unwrap());
    let before = records[0].2;
    let seal = AuditSeal { workspace: acme.id, first, last, count, hash: tip, time: Millis(99) };
    let seal = envelope::sign(seal, None, &new).bytes().clone();
    let records: Vec<_> = records.into_iter().map(|(record, hash, _)| (record, hash)).collect();
    let header = text(&Header::new(acme.id, (first, last), before, [&acme, &globex]));
    let shown = records.iter().map(|(record, hash)| text(&Record::new(record.clone(), *hash)));
    let lines = std::iter::once(header).chain(shown).chain([text(&Trailer::new(count, tip, seal))]).collect();
    Export { lines, records, before }
}

impl Export {
    fn with(&self, change: impl FnOnce(&mut Vec<String>)) -> Report {
        let mut lines = self.lines.clone();
        change(&mut lines);
        verify(&(lines.join("\n") + "\n")).unwrap()
    }

    /// The record at this line.
    fn shown(&self, at: usize, change: impl FnOnce(&mut AuditRecord, &mut Hash)) -> String {
        let (mut record, mut hash) = self.records[at - 1].clone();
        change(&mut record, &mut hash);
        text(&Record::new(record, hash))
    }

    fn ends(&self) -> (usize, usize) {
        (self.records.len(), self.records.len() + 1)
    }
}

fn named(report: &Report) -> BTreeSet<u64> {
    report
        .findings
        .iter()
        .flat_map(|finding| {
            let first = finding.record?;
            Some(first..=finding.until.unwrap_or(first))
        })
        .flatten()
        .collect()
}

fn number(export: &Export, at: usize) -> u64 {
    export.records[at - 1].0.number
}

#[test]
fn p8_3_an_export_as_it_was_written_has_no_findings() {
    for first in [1, 4] {
        let report = export(first).with(|_| ());
        assert_eq!(report.findings, vec![], "{first}");
        assert_eq!((report.first, report.last, report.records), (first, 9, 10 - first));
        assert_eq!((report.sealed, report.objects), (Some(Millis(99)), if first == 1 { 5 } else { 3 }));
    }
}

#[test]
fn p8_3_each_change_of_each_record_names_the_record() {
    for first in [1, 4] {
        let export = export(first);
        for at in 1..=export.ends().0 {
            let n = number(&export, at);
            let changes: [(&str, String); 6] = [
                ("detail", export.shown(at, |record, _| record.line.detail.push('x'))),
                ("time", export.shown(at, |record, _| record.line.time = Millis(12_345))),
                ("actor", export.shown(at, |record, _| record.line.actor = Some(UserId([9; 48])))),
                ("peer", export.shown(at, |record, _| record.line.peer = Some(WorkspaceId([9; 32])))),
                ("hash", export.shown(at, |_, hash| hash.0[0] ^= 1)),
                ("form", export.lines[at].replacen(',', ", ", 1)),
            ];
            for (what, line) in changes {
                let report = export.with(|lines| lines[at] = line);
                assert_eq!(named(&report), BTreeSet::from([n]), "{what} of {n}: {:?}", report.findings);
            }
            let report = export.with(|lines| drop(lines.remove(at)));
            assert_eq!(named(&report), BTreeSet::from([n]), "without {n}: {:?}", report.findings);
            let garbage = export.with(|lines| lines[at] = "{\"number\":".into());
            assert_eq!(named(&garbage), BTreeSet::from([n]), "{n} as garbage: {:?}", garbage.findings);
        }
    }
}

/// A record that is rewritten with its hash no longer fits the one behind it, or the seal.
#[test]
fn p8_3_a_record_that_is_hashed_anew_is_noticed() {
    let export = export(1);
    for at in 1..=export.ends().0 {
        let before = if at == 1 { export.before } else { export.records[at - 2].1 };
        let anew = export.shown(at, |record, hash| {
            record.line.detail = "innocent".into();
            *hash = record.hash(before);
        });
        let report = export.with(|lines| lines[at] = anew);
        let n = number(&export, at);
        assert_eq!(named(&report), BTreeSet::from([(n + 1).min(9)]), "{n}: {:?}", report.findings);
    }
    let mut forged = export.clone();
    forged.records[3].0.line.detail = "innocent".into();
    let mut before = export.before;
    for (record, hash) in &mut forged.records {
        *hash = record.hash(before);
        before = *hash;
    }
    let rewritten: Vec<String> =
        forged.records.iter().map(|(record, hash)| text(&Record::new(record.clone(), *hash))).collect();
    let report = export.with(|lines| drop(lines.splice(1..=9, rewritten)));
    assert_eq!(named(&report), BTreeSet::from([9]), "the seal: {:?}", report.findings);
}

#[test]
fn p8_3_each_record_that_is_moved_or_doubled_is_named() {
    let export = export(1);
    let (end, trailer) = export.ends();
    for a in 1..=end {
        for b in a + 1..=end {
            let report = export.with(|lines| lines.swap(a, b));
            let (named, far) = (named(&report), b - a);
            let (low, high) = (number(&export, a), number(&export, b));
            let expected = if far > 2 { BTreeSet::from([low, high]) } else { (low..=high).collect() };
            let right = named.is_subset(&expected) && named.len() == far.min(2);
            assert!(right, "{a} and {b}: {:?}", report.findings);
        }
        for to in 1..=trailer {
            let report = export.with(|lines| lines.insert(to, lines[a].clone()));
            assert_eq!(
                named(&report),
                BTreeSet::from([number(&export, a)]),
                "{a} at {to}: {:?}",
                report.findings
            );
        }
        let report = export.with(|lines| lines.push(lines[a].clone()));
        assert_eq!(named(&report), BTreeSet::from([number(&export, a)]), "{a} behind the trailer");
        let forged = export.shown(a, |record, _| record.number = 40);
        let report = export.with(|lines| lines.insert(a, forged));
        assert_eq!(named(&report), BTreeSet::from([40]), "{:?}", report.findings);
    }
}

#[test]
fn p8_3_each_signed_object_is_checked_by_its_signers_manifests() {
    let export = export(1);
    for at in [1, 3, 4, 5, 6] {
        let n = number(&export, at);
        let flip = |record: &mut AuditRecord| {
            let proof = record.line.object.as_mut().unwrap();
            let mut bytes = proof.bytes.to_vec();
            *bytes.last_mut().unwrap() ^= 1;
            proof.bytes = bytes.into();
        };
        let report = export.with(|lines| lines[at] = export.shown(at, |record, _| flip(record)));
        let objects = report.findings.iter().filter(|finding| finding.what.contains("signed object"));
        assert_eq!(
            objects.map(|finding| finding.record).collect::<Vec<_>>(),
            [Some(n)],
            "{:?}",
            report.findings
        );
    }
    let elsewhere = export.shown(3, |record, _| record.line.scope = Some(GroupId([8; 32]).into()));
    let report = export.with(|lines| lines[3] = elsewhere);
    assert!(
        report.findings.iter().any(|finding| finding.what.contains("another group")),
        "{:?}",
        report.findings
    );
    let (acme, globex) = (home(10).0, home(20).0);
    let alone = text(&Header::new(acme.id, (1, 9), export.before, [&acme]));
    let report = export.with(|lines| lines[0] = alone);
    assert_eq!(named(&report), BTreeSet::from([4, 5]), "{:?}", report.findings);
    let mut other = globex;
    other.id = acme.id;
    let swapped = text(&Header::new(acme.id, (1, 9), export.before, [&other]));
    let report = export.with(|lines| lines[0] = swapped);
    assert!(
        report.sealed.is_none() && report.findings[0].what.contains("are another's"),
        "{:?}",
        report.findings
    );
}

#[test]
fn p8_3_a_trailer_that_was_changed_or_cut_off_is_named() {
    let export = export(1);
    let (end, trailer) = export.ends();
    let says = |report: &Report, what: &str| {
        assert!(
            report.findings.iter().any(|finding| finding.what.contains(what)),
            "{what}: {:?}",
            report.findings
        );
    };
    says(&export.with(|lines| drop(lines.remove(trailer))), "no trailer");
    says(&export.with(|lines| lines.push(lines[trailer].clone())), "neither a record nor the one trailer");
    says(
        &export.with(|lines| lines[trailer] = lines[trailer].replace("\"count\":9", "\"count\":8")),
        "says otherwise",
    );
    says(
        &export.with(|lines| lines[trailer] = lines[trailer].replace(':', ": ")),
        "the trailer is not in the form",
    );
    says(
        &export.with(|lines| lines[0] = lines[0].replace("\"last\":9", "\"last\":8")),
        "other records than the seal",
    );
    says(&export.with(|lines| lines[0] = lines[0].replace(':', ": ")), "the header is not in the form");
    let (acme, old, _) = home(10);
    let seal = |workspace, count, by: &SecretKey| {
        let seal = AuditSeal {
            workspace,
            first: 1,
            last: count,
            count,
            hash: export.records[end - 1].1,
            time: Millis(1),
        };
        text(&Trailer::new(count, seal.hash, envelope::sign(seal, None, by).bytes().clone()))
    };
    for (line, what) in [
        (seal(acme.id, 9, &old), "the seal: envelope-key"),
        (seal(acme.id, 9, &key(99)), "the seal: envelope-key"),
        (seal(WorkspaceId([1; 32]), 9, &home(10).2), "another workspace's log"),
    ] {
        says(&export.with(|lines| lines[trailer] = line), what);
    }
    let report = export.with(|lines| lines[trailer] = seal(acme.id, 12, &home(10).2));
    assert_eq!(named(&report), BTreeSet::from([10, 11, 12]), "{:?}", report.findings);
}

#[test]
fn p8_3_a_truncated_file_is_noticed_wherever_it_ends() {
    let export = export(1);
    let whole = export.lines.join("\n") + "\n";
    let header = export.lines[0].len();
    for end in 0..whole.len() - 1 {
        let Some(part) = whole.get(..end) else { continue };
        match verify(part) {
            Ok(report) => assert!(!report.findings.is_empty() && report.sealed.is_none(), "{end}"),
            Err(error) => assert!(end < header, "{end}: {error}"),
        }
    }
    let mut starts = whole.match_indices('\n').map(|(at, _)| at + 1);
    let third = starts.nth(2).unwrap();
    let report = verify(&whole[..third]).unwrap();
    assert_eq!(named(&report), (3..=9).collect(), "what is cut off is named as the header promised it");
}

#[test]
fn p8_3_what_is_no_export_says_so() {
    let export = export(1);
    let version = export.lines.join("\n").replacen("\"comity_audit\":1", "\"comity_audit\":2", 1);
    assert_eq!(verify(&version), Err(NoExport::Version(2)));
    for garbage in ["", "\n", "hello", "{}", "[]", "\u{0}\u{fffd}", "{\"comity_audit\":1}", &export.lines[1]]
    {
        assert!(matches!(verify(garbage), Err(NoExport::Header(_))), "{garbage}");
    }
    let endless = export.lines[0].replace("\"last\":9", "\"last\":18446744073709551615");
    let report = verify(&endless).unwrap();
    assert!(report.findings.len() < 5, "{:?}", report.findings);
}
