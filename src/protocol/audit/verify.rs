//! The check of an export (spec 13.5), with nothing but the file.
//!
//! Duty: naming every record that was changed, left out, put in or moved; the seal, and every signed object. Never:
//! stopping at the first finding, believing a key that no manifest in the file names.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    file::{Header, Record, Trailer, VERSION},
    order,
};
use crate::{
    crypto::PublicKey,
    ids::{Hash, KeyId, WorkspaceId},
    protocol::{identity, row::Home},
    time::Millis,
    wire::{
        AuditLine, AuditRecord, EnvelopeError, Object, Proof, Verified, envelope,
        objects::{
            Acceptance, Act, AuditSeal, Consent, Event, GroupConsent, Handover, Head, Invite, Manifest,
            Receipt, Snapshot, Statement, Submission,
        },
    },
};

/// Why a file is not checked at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoExport {
    /// The first line is no header.
    #[error("this is no export of an audit log: {0}")]
    Header(String),
    /// A later format.
    #[error("the export has format version {0}, this program knows {VERSION}: check it with a newer version")]
    Version(u64),
}

/// Something that is not as it was signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The record, or the first of several; none: header, trailer, seal or a line that is no record.
    pub record: Option<u64>,
    /// The last of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
    /// What.
    pub what: String,
}

/// What the check found out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whose log it is.
    pub workspace: WorkspaceId,
    /// The name and domain that its newest manifest in the file claims.
    pub name: Option<(String, String)>,
    /// The first record.
    pub first: u64,
    /// The last one.
    pub last: u64,
    /// Records in the file.
    pub records: u64,
    /// Signed objects that were checked.
    pub objects: u64,
    /// When the workspace sealed it, if the seal holds.
    pub sealed: Option<Millis>,
    /// Nothing is wrong if there are none.
    pub findings: Vec<Finding>,
}

/// Checks an export.
///
/// # Errors
/// It is none, or one of a later version.
pub fn verify(text: &str) -> Result<Report, NoExport> {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    let header = header(first)?;
    let mut check = Check::new(&header);
    if !in_one_form(&header, first) {
        check.about("the header is not in the form in which it is written");
    }
    let (records, trailer) = check.lines(lines);
    if let Some(trailer) = &trailer {
        check.trailer(&header, trailer, &records);
    }
    let (first, last) = check.range;
    let kept = check.order(records);
    check.chain(&kept, header.before);
    for (record, _) in kept.values().flatten() {
        check.object(record);
    }
    check.report.findings.sort_by_key(|finding| finding.record);
    Ok(Report { first, last, ..check.report })
}

fn header(line: &str) -> Result<Header, NoExport> {
    #[derive(Deserialize)]
    struct Version {
        comity_audit: u64,
    }
    let shown = |error: serde_json::Error| NoExport::Header(error.to_string());
    match serde_json::from_str::<Version>(line).map_err(shown)?.comity_audit {
        VERSION => serde_json::from_str(line).map_err(shown),
        other => Err(NoExport::Version(other)),
    }
}

/// A line that decodes to the same value in another writing counts as changed.
fn in_one_form<T: Serialize>(value: &T, line: &str) -> bool {
    serde_json::to_string(value).is_ok_and(|again| again == line)
}

fn read<T: Serialize + DeserializeOwned>(line: &str) -> Option<(T, bool)> {
    let value: T = serde_json::from_str(line).ok()?;
    let same = in_one_form(&value, line);
    Some((value, same))
}

/// Every copy of each number.
type Copies = BTreeMap<u64, Vec<(AuditRecord, Hash)>>;

struct Check {
    report: Report,
    homes: BTreeMap<WorkspaceId, (Home, Vec<PublicKey>)>,
    range: (u64, u64),
}

impl Check {
    fn new(header: &Header) -> Self {
        let Header { workspace, first, last, .. } = *header;
        let findings = Vec::new();
        let (name, sealed) = (None, None);
        let report = Report { workspace, name, first, last, records: 0, objects: 0, sealed, findings };
        let mut check = Self { report, homes: BTreeMap::new(), range: (first, last) };
        for manifests in &header.homes {
            let chain: Vec<_> = manifests.chain.iter().map(|link| link.0.clone()).collect();
            match identity::verify_chain(None, &chain) {
                Ok(home) if home.id == manifests.workspace => {
                    let keys = identity::ever_keys(&home);
                    check.homes.insert(home.id, (home, keys));
                }
                Ok(_) => check.about(format!("the manifests of {} are another's", manifests.workspace)),
                Err(error) => check.about(format!("the manifests of {}: {error}", manifests.workspace)),
            }
        }
        let own = check.homes.get(&workspace).map(|(home, _)| &home.manifest);
        check.report.name = own.map(|manifest| (manifest.name.clone(), manifest.domain.clone()));
        if first == 1 && header.before != Hash::ZERO {
            check.about("the header names a hash before the first record of all");
        }
        check
    }

    fn about(&mut self, what: impl Into<String>) {
        self.report.findings.push(Finding { record: None, until: None, what: what.into() });
    }

    fn record(&mut self, number: u64, what: impl Into<String>) {
        self.report.findings.push(Finding { record: Some(number), until: None, what: what.into() });
    }

    /// Records in the order of the file, and the trailer.
    fn lines<'a>(
        &mut self,
        lines: impl Iterator<Item = &'a str>,
    ) -> (Vec<(AuditRecord, Hash)>, Option<Trailer>) {
        let (mut records, mut trailer) = (Vec::new(), None);
        for (at, line) in lines.enumerate() {
            let place = at.saturating_add(2);
            if let Some((record, same)) = read::<Record>(line) {
                if !same {
                    self.record(record.number, "changed: its line is not in the form in which it is written");
                }
                if trailer.is_some() {
                    self.record(record.number, "inserted: it stands behind the trailer");
                }
                records.push(record.into_link());
            } else if let Some((found, same)) = read::<Trailer>(line).filter(|_| trailer.is_none()) {
                if !same {
                    self.about("the trailer is not in the form in which it is written");
                }
                trailer = Some(found);
            } else {
                self.about(format!("line {place} is neither a record nor the one trailer"));
            }
        }
        if trailer.is_none() {
            self.about("the file is cut short: there is no trailer, so nothing says where it should end");
        }
        self.report.records = u64::try_from(records.len()).unwrap_or(u64::MAX);
        (records, trailer)
    }

    /// The seal says which records there must be; without one that holds, the header does.
    fn trailer(&mut self, header: &Header, trailer: &Trailer, records: &[(AuditRecord, Hash)]) {
        let sealed = match self.seal(header.workspace, trailer) {
            Ok(sealed) => sealed.into_object(),
            Err(error) => return self.about(format!("the seal: {error}")),
        };
        self.range = (sealed.first, sealed.last);
        self.report.sealed = Some(sealed.time);
        if sealed.workspace != header.workspace {
            self.about("the seal is of another workspace's log");
        }
        if (header.first, header.last) != self.range {
            self.about("the header names other records than the seal");
        }
        if (trailer.count, trailer.hash) != (sealed.count, sealed.hash) {
            self.about("the trailer was changed: it says otherwise than the seal");
        }
        let end = records.iter().find(|(record, _)| record.number == sealed.last);
        if end.is_some_and(|(_, hash)| *hash != sealed.hash) {
            self.record(
                sealed.last,
                "changed: the seal names another hash for it, so it or records before it are others",
            );
        }
        if sealed.count == 0 && sealed.hash != header.before {
            self.about("the header names another hash than the seal");
        }
    }

    /// By a key that the newest manifest in the file names.
    fn seal(&self, workspace: WorkspaceId, trailer: &Trailer) -> Result<Verified<AuditSeal>, String> {
        let (home, _) = self.homes.get(&workspace).ok_or("the workspace's manifests are not in the file")?;
        let valid = |hint| {
            let mut keys = home.manifest.sign.iter().filter(|key| !home.manifest.revoked.contains(key));
            keys.find(|key| key.id() == hint).copied()
        };
        envelope::open(trailer.seal(), None, valid).map_err(|error| error.to_string())
    }

    /// Names what was left out, put in or moved; every copy by its number.
    fn order(&mut self, records: Vec<(AuditRecord, Hash)>) -> Copies {
        let (first, last) = self.range;
        let mut copies = Copies::new();
        let numbers: Vec<u64> = records.iter().map(|(record, _)| record.number).collect();
        let inside = |number: &u64| (first..=last).contains(number);
        for number in numbers.iter().filter(|number| !inside(number)) {
            self.record(*number, "inserted: the seal covers no record of this number");
        }
        let numbers: Vec<u64> = numbers.into_iter().filter(inside).collect();
        let in_order = order::in_order(&numbers);
        let kept: std::collections::BTreeSet<u64> =
            numbers.iter().zip(&in_order).filter(|(_, kept)| **kept).map(|(number, _)| *number).collect();
        for number in numbers.iter().zip(&in_order).filter(|(_, kept)| !**kept).map(|(number, _)| number) {
            let twice = kept.contains(number);
            self.record(*number, if twice { "inserted: it stands more than once" } else { "out of order" });
        }
        for link in records.into_iter().filter(|(record, _)| inside(&record.number)) {
            copies.entry(link.0.number).or_default().push(link);
        }
        self.missing(&copies);
        copies
    }

    fn missing(&mut self, copies: &Copies) {
        let (first, last) = self.range;
        let mut next = first;
        let ends = last.checked_add(1).into_iter();
        for number in copies.keys().copied().chain(ends) {
            if let Some(until) = number.checked_sub(1).filter(|until| *until >= next) {
                let what = "missing; the record behind it cannot be tied to those before".into();
                let until = Some(until).filter(|until| *until > next);
                self.report.findings.push(Finding { record: Some(next), until, what });
            }
            next = number.saturating_add(1);
        }
    }

    /// Each record with the hash before it. After a record whose hash alone was changed the next one fits what it was.
    fn chain(&mut self, copies: &Copies, before: Hash) {
        let (mut at, mut before) = (self.range.0, vec![before]);
        for (number, links) in copies {
            let tied = *number == at;
            let fits = |(record, hash): &&(AuditRecord, Hash)| {
                before.iter().any(|before| record.hash(*before) == *hash)
            };
            let link = links.iter().find(fits).or(links.first());
            let Some((record, hash)) = link else { continue };
            let expected = before.first().map(|before| record.hash(*before));
            before = if !tied || link.is_some_and(|link| fits(&link)) {
                vec![*hash]
            } else {
                self.record(*number, "changed: it does not belong to its hash and the one before");
                std::iter::once(*hash).chain(expected).collect()
            };
            at = number.saturating_add(1);
        }
    }

    fn object(&mut self, record: &AuditRecord) {
        let Some(proof) = &record.line.object else { return };
        self.report.objects += 1;
        if let Err(why) = self.proof(proof, &record.line) {
            self.record(record.number, format!("its signed object does not hold: {why}"));
        }
    }

    /// The chain vouches for when an object came: any key that its signer ever had counts (spec 2.4).
    fn proof(&self, proof: &Proof, line: &AuditLine) -> Result<(), String> {
        let unknown = || format!("the manifests of {} are not in the file", proof.signer);
        let (home, keys) = self.homes.get(&proof.signer).ok_or_else(unknown)?;
        let key = |hint: KeyId| keys.iter().find(|key| key.id() == hint).copied();
        match proof.kind {
            Manifest::TYPE if home.chain.contains(&proof.bytes) => Ok(()),
            Manifest::TYPE => Err("it is no manifest of the signer's chain".into()),
            Event::TYPE => {
                let scope = opens::<Event>(proof, key)?.scope;
                about(scope.is_none() || scope == line.scope)
            }
            Receipt::TYPE => about(Some(opens::<Receipt>(proof, key)?.scope) == line.scope),
            Snapshot::TYPE => opens::<Snapshot>(proof, key).map(drop),
            Head::TYPE => opens::<Head>(proof, key).map(drop),
            Submission::TYPE => opens::<Submission>(proof, key).map(drop),
            Invite::TYPE => opens::<Invite>(proof, key).map(drop),
            Consent::TYPE => opens::<Consent>(proof, key).map(drop),
            Statement::TYPE => opens::<Statement>(proof, key).map(drop),
            Act::TYPE => opens::<Act>(proof, key).map(drop),
            GroupConsent::TYPE => opens::<GroupConsent>(proof, key).map(drop),
            Acceptance::TYPE => about(Some(opens::<Acceptance>(proof, key)?.scope) == line.scope),
            Handover::TYPE => Err("a handover is signed by a root key, and stands in no log".into()),
            other => Err(format!("objects of type {other} are unknown to this version")),
        }
    }
}

fn about(same_scope: bool) -> Result<(), String> {
    if same_scope { Ok(()) } else { Err("it is about another group or thread".into()) }
}

fn opens<T: Object>(proof: &Proof, key: impl Fn(KeyId) -> Option<PublicKey>) -> Result<T, String> {
    let opened = envelope::open::<T>(&proof.bytes, proof.audience, key);
    opened.map(Verified::into_object).map_err(|error: EnvelopeError| error.to_string())
}
