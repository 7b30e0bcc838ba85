//! Files of older schema versions, rewritten at opening in one transaction: all of it or nothing.
//!
//! Duty: one step per version. Never: a value that the older version did not have.

use redb::{ReadableTable as _, WriteTransaction};
use serde::Deserialize;

use super::{
    Fault, chain, is_message,
    shred::Keys,
    tables::{AUDIT, CONTENT, MESSAGES, STATE},
    words::Index,
};
use crate::{
    ids::{Hash, ScopeId, UserId, WorkspaceId},
    limits,
    protocol::{
        account::full_token,
        row::{Row, RowKey},
    },
    time::Millis,
    wire::{AuditLine, Stored},
};

/// From the version in the file to the one of this program, step by step.
pub(super) fn from(write: &WriteTransaction, found: u64) -> Result<(), Fault> {
    if found < 2 {
        from_1(write)?;
    }
    if found < 3 {
        from_2(write)?;
    }
    if found < 4 {
        from_3(write)?;
    }
    Ok(())
}

/// Version 3 had no index of words, and no list of messages that were not deleted.
fn from_3(write: &WriteTransaction) -> Result<(), Fault> {
    let (mut keys, mut index) = (Keys::new(write), Index::new(write));
    let mut after: Vec<u8> = Vec::new();
    loop {
        let table = write.open_table(CONTENT)?;
        let from = (std::ops::Bound::Excluded(after.as_slice()), std::ops::Bound::Unbounded);
        let rows = table.range::<&[u8]>(from)?.take(limits::MIGRATED_ROWS);
        let read = rows.map(|row| {
            let (key, value) = row?;
            Ok((key.value().to_vec(), keys.open(value.value())?))
        });
        let read = read.collect::<Result<Vec<_>, Fault>>()?;
        drop(table);
        let Some((last, _)) = read.last() else { return index.write() };
        after.clone_from(last);
        let mut messages = write.open_table(MESSAGES)?;
        for (key, stored) in &read {
            if is_message(stored) {
                messages.insert(key.as_slice(), stored.entry.author.as_ref())?;
            }
            index.add(stored, &mut keys)?;
        }
        drop(messages);
        index.write()?;
    }
}

/// Version 1 had audit lines without a chain, and bodies in the clear.
fn from_1(write: &WriteTransaction) -> Result<(), Fault> {
    chain_lines(write)?;
    let mut keys = Keys::new(write);
    encrypt_entries(write, &mut keys)?;
    encrypt_waiting(write, &mut keys)
}

/// A line as version 1 stored it, the fields by name; its object was never filled in.
#[derive(Deserialize)]
struct LineOf1 {
    time: Millis,
    actor: Option<UserId>,
    peer: Option<WorkspaceId>,
    scope: Option<ScopeId>,
    act: String,
    detail: String,
}

/// Version 2 kept the hashes of tokens in the rows of their users.
fn from_2(write: &WriteTransaction) -> Result<(), Fault> {
    let kind = RowKey::User(UserId([0; 48])).to_bytes().into_iter().take(1).collect::<Vec<_>>();
    let mut table = write.open_table(STATE)?;
    let rows = table.range(kind.as_slice()..)?.map(|row| {
        let (key, value) = row?;
        Ok((key.value().starts_with(&kind), value.value().get(1..).unwrap_or_default().to_vec()))
    });
    let users = rows.take_while(|row| !matches!(row, Ok((false, _)))).collect::<Result<Vec<_>, Fault>>()?;
    for (_, bytes) in users {
        let UserOf2 { id, tokens } = ciborium::from_reader(bytes.as_slice()).map_err(damaged_2)?;
        for token in tokens {
            let row = Row::Session(full_token(id, token));
            let value = [vec![row.kind()], row.to_bytes()].concat();
            table.insert(row.key().to_bytes().as_slice(), value.as_slice())?;
        }
    }
    Ok(())
}

/// What a user's row of version 2 had and later ones have not.
#[derive(Deserialize)]
struct UserOf2 {
    id: UserId,
    tokens: Vec<Hash>,
}

fn damaged_2(error: impl std::fmt::Display) -> Fault {
    Fault::Damaged(format!("a row of schema version 2: {error}"))
}

fn damaged(error: impl std::fmt::Display) -> Fault {
    Fault::Damaged(format!("a row of schema version 1: {error}"))
}

fn chain_lines(write: &WriteTransaction) -> Result<(), Fault> {
    let mut tip = (0, Hash::ZERO);
    loop {
        let table = write.open_table(AUDIT)?;
        let rows = table.range(tip.0 + 1..)?.take(limits::MIGRATED_ROWS);
        let lines = rows.map(|row| {
            let LineOf1 { time, actor, peer, scope, act, detail } =
                ciborium::from_reader(row?.1.value()).map_err(damaged)?;
            Ok(AuditLine { time, actor, peer, scope, act, detail, object: None })
        });
        let lines = lines.collect::<Result<Vec<_>, Fault>>()?;
        drop(table);
        if lines.is_empty() {
            return Ok(());
        }
        for line in &lines {
            tip = chain::append(write, tip, line)?;
        }
    }
}

fn encrypt_entries(write: &WriteTransaction, keys: &mut Keys<'_>) -> Result<(), Fault> {
    let mut table = write.open_table(CONTENT)?;
    let mut after: Vec<u8> = Vec::new();
    loop {
        let from = (std::ops::Bound::Excluded(after.as_slice()), std::ops::Bound::Unbounded);
        let rows = table.range::<&[u8]>(from)?.take(limits::MIGRATED_ROWS);
        let read = rows.map(|row| {
            let (key, value) = row?;
            let stored: Stored = ciborium::from_reader(value.value()).map_err(damaged)?;
            Ok((key.value().to_vec(), stored))
        });
        let read = read.collect::<Result<Vec<_>, Fault>>()?;
        let Some((last, _)) = read.last() else { return Ok(()) };
        after.clone_from(last);
        for (key, stored) in read {
            table.insert(key.as_slice(), keys.entry(&stored)?.as_slice())?;
        }
    }
}

fn encrypt_waiting(write: &WriteTransaction, keys: &mut Keys<'_>) -> Result<(), Fault> {
    let kind = RowKey::Pending((WorkspaceId([0; 32]), 0)).to_bytes().into_iter().take(1).collect::<Vec<_>>();
    let mut table = write.open_table(STATE)?;
    let rows = table.range(kind.as_slice()..)?.map(|row| {
        let (key, value) = row?;
        let (code, bytes) = value.value().split_first().ok_or_else(|| damaged("an empty row"))?;
        Ok((key.value().to_vec(), *code, Row::from_bytes(*code, bytes).map_err(damaged)?))
    });
    let rows = rows.filter(|row| !matches!(row, Ok((_, _, row)) if !matches!(row, Row::Pending(_))));
    let waiting = rows.collect::<Result<Vec<_>, Fault>>()?;
    for (key, code, row) in waiting {
        let value = [vec![code], keys.row(&row)?].concat();
        table.insert(key.as_slice(), value.as_slice())?;
    }
    Ok(())
}
