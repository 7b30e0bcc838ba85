//! The audit log (spec 13.1, 13.2): lines numbered and chained at their commit.
//!
//! Duty: writing links, reading them in either direction. Never: changing or deleting one.

use redb::{ReadableTable, WriteTransaction};

use super::{Fault, tables::AUDIT};
use crate::{
    ids::Hash,
    limits,
    wire::{AuditLine, AuditRecord, cbor},
};

/// The end of the chain: the last number and its hash; (0, zero) before the first line.
pub type Tip = (u64, Hash);

/// Lines that were found, newest first, and where to look on.
#[derive(Clone, Debug, Default)]
pub struct AuditPage {
    /// What was found.
    pub records: Vec<AuditRecord>,
    /// Lines before this one were not looked at; `None`: there are none.
    pub next: Option<u64>,
}

/// Writes the next link; the tip after it.
pub(super) fn append(write: &WriteTransaction, tip: Tip, line: &AuditLine) -> Result<Tip, Fault> {
    let record = AuditRecord { number: tip.0 + 1, line: line.clone() };
    let hash = record.hash(tip.1);
    let stored = [hash.as_ref(), &cbor::encode(&record)].concat();
    write.open_table(AUDIT)?.insert(record.number, stored.as_slice())?;
    Ok((record.number, hash))
}

fn parse(stored: &[u8]) -> Result<(Hash, AuditRecord), Fault> {
    let damaged = |what: String| Fault::Damaged(format!("a line of the audit log: {what}"));
    let (hash, record) = stored.split_at_checked(32).ok_or_else(|| damaged("cut short".into()))?;
    let hash = hash.try_into().map_err(|error| damaged(format!("{error}")))?;
    let record = ciborium::from_reader(record).map_err(|error| damaged(error.to_string()))?;
    Ok((Hash(hash), record))
}

/// The end of the chain.
pub(super) fn tip(table: &impl ReadableTable<u64, &'static [u8]>) -> Result<Tip, Fault> {
    let last = table.last()?.map(|(number, stored)| Ok((number.value(), parse(stored.value())?.0)));
    last.unwrap_or(Ok((0, Hash::ZERO)))
}

/// Links from this number on, oldest first.
pub(super) fn ascending(
    table: &impl ReadableTable<u64, &'static [u8]>,
    from: u64,
    limit: usize,
) -> Result<Vec<(Hash, AuditRecord)>, Fault> {
    table.range(from..)?.take(limit).map(|row| parse(row?.1.value())).collect()
}

/// Lines before this number that `keep` wants, newest first. Looks at a bounded number of them.
pub(super) fn descending(
    table: &impl ReadableTable<u64, &'static [u8]>,
    before: u64,
    limit: usize,
    keep: impl Fn(&AuditLine) -> bool,
) -> Result<AuditPage, Fault> {
    let mut page = AuditPage::default();
    for (looked, row) in table.range(..before)?.rev().enumerate() {
        if page.records.len() == limit || looked == limits::AUDIT_SCAN {
            return Ok(page);
        }
        let record = parse(row?.1.value())?.1;
        page.next = Some(record.number).filter(|number| *number > 1);
        if keep(&record.line) {
            page.records.push(record);
        }
    }
    page.next = None;
    Ok(page)
}
