//! Bodies at rest (spec 8.12): under a random key per thread, which goes with the thread's copy, so that pages that the
//! database keeps free hold nothing that could be read or guessed.
//!
//! Duty: keys, and the stored form of entries and of waiting messages. Never: a body in the clear on the disk.

use std::collections::HashMap;

use redb::{ReadableTable, WriteTransaction};

use super::{Fault, tables::KEYS};
use crate::{
    crypto::{BodyKey, WordKey},
    ids::{Hash, Salt, ThreadId},
    protocol::row::{Pending, Row},
    wire::{Blob, Entry, Sealed, Stored, cbor, envelope, objects::Submission},
};

/// The keys that one commit needs; makes those that are missing.
pub(super) struct Keys<'a> {
    write: &'a WriteTransaction,
    known: HashMap<ThreadId, BodyKey>,
}

impl<'a> Keys<'a> {
    pub(super) fn new(write: &'a WriteTransaction) -> Self {
        Self { write, known: HashMap::new() }
    }

    fn of(&mut self, thread: ThreadId) -> Result<&BodyKey, Fault> {
        match self.known.entry(thread) {
            std::collections::hash_map::Entry::Occupied(known) => Ok(known.into_mut()),
            std::collections::hash_map::Entry::Vacant(place) => {
                let mut table = self.write.open_table(KEYS)?;
                let held = read(&table, thread)?;
                let key = match held {
                    Some(key) => key,
                    None => {
                        let mut bytes = [0; 32];
                        getrandom::fill(&mut bytes).map_err(|error| Fault::Random(error.to_string()))?;
                        table.insert(thread.as_ref(), bytes.as_slice())?;
                        BodyKey::new(bytes)
                    }
                };
                Ok(place.insert(key))
            }
        }
    }

    /// The key for marks of words in the thread's bodies.
    pub(super) fn words(&mut self, thread: ThreadId) -> Result<WordKey, Fault> {
        Ok(self.of(thread)?.words())
    }

    /// An entry of a stored form, with its body.
    pub(super) fn open(&mut self, bytes: &[u8]) -> Result<Stored, Fault> {
        let table = self.write.open_table(KEYS)?;
        open_entry(bytes, |thread| read(&table, thread))
    }

    /// The key goes; what was written under it is gone with it.
    pub(super) fn delete(&mut self, thread: ThreadId) -> Result<(), Fault> {
        self.known.remove(&thread);
        self.write.open_table(KEYS)?.remove(thread.as_ref())?;
        Ok(())
    }

    /// The stored form of an entry: the entry, then salt and body under the thread's key.
    pub(super) fn entry(&mut self, stored: &Stored) -> Result<Vec<u8>, Fault> {
        let entry = &stored.entry;
        let about = entry_place(entry);
        let sealed = match &stored.body {
            Some(sealed) => Some(seal(self.of(entry.thread)?, entry.commitment, &about, sealed)?),
            None => None,
        };
        Ok(cbor::encode(&(entry, sealed)))
    }

    /// The stored form of a row: of a waiting message with salt and body under its thread's key, else as it is. One without
    /// a text needs no key: none outlives the thread's copy for it.
    pub(super) fn row(&mut self, row: &Row) -> Result<Vec<u8>, Fault> {
        let Row::Pending(pending) = row else { return Ok(row.to_bytes()) };
        if pending.sealed.is_shredded() {
            return Ok(row.to_bytes());
        }
        let (clear, about) = (&pending.sealed, pending_place(pending));
        let body = seal(self.of(pending.thread)?, clear.commitment(), &about, clear)?;
        let sealed = Sealed { salt: Salt([0; 16]), body };
        Ok(Row::Pending(Pending { sealed, ..pending.clone() }).to_bytes())
    }
}

/// A thread's key, if it has one.
pub(super) fn read(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    thread: ThreadId,
) -> Result<Option<BodyKey>, Fault> {
    let held = table.get(thread.as_ref())?;
    let key = held.map(|bytes| bytes.value().try_into().map(BodyKey::new));
    key.transpose().map_err(|error| Fault::Damaged(format!("a thread's key: {error}")))
}

fn entry_place(entry: &Entry) -> Vec<u8> {
    [b"entry".as_slice(), entry.thread.as_ref(), &entry.seq.to_be_bytes()].concat()
}

fn pending_place(pending: &Pending) -> Vec<u8> {
    let number = pending.number.to_be_bytes();
    [b"waiting".as_slice(), pending.thread.as_ref(), pending.owner.as_ref(), &number].concat()
}

/// The nonce is of the commitment, which is different for every body: a salt that another home repeats repeats none.
fn seal(key: &BodyKey, commitment: Hash, about: &[u8], clear: &Sealed) -> Result<Blob, Fault> {
    let clear = [clear.salt.as_ref(), &*clear.body].concat();
    let sealed = key.seal(commitment, about, &clear);
    sealed.map(Blob::from).ok_or_else(|| Fault::Damaged("a body cannot be encrypted".into()))
}

fn open(key: Option<&BodyKey>, commitment: Hash, about: &[u8], sealed: &[u8]) -> Result<Sealed, Fault> {
    let damaged = || Fault::Damaged("a body cannot be decrypted".into());
    let clear = key.and_then(|key| key.open(commitment, about, sealed)).ok_or_else(damaged)?;
    let (salt, body) = clear.split_first_chunk::<16>().ok_or_else(damaged)?;
    Ok(Sealed { salt: Salt(*salt), body: body.into() })
}

/// The entry of a stored form, with its body as it is stored.
pub(super) fn parse(bytes: &[u8]) -> Result<(Entry, Option<Blob>), Fault> {
    ciborium::from_reader(bytes).map_err(|error| Fault::Damaged(format!("an entry: {error}")))
}

/// Reads an entry with its body.
pub(super) fn open_entry(
    bytes: &[u8],
    key: impl Fn(ThreadId) -> Result<Option<BodyKey>, Fault>,
) -> Result<Stored, Fault> {
    let (entry, sealed) = parse(bytes)?;
    let body = match sealed {
        None => None,
        Some(sealed) => {
            let key = key(entry.thread)?;
            Some(open(key.as_ref(), entry.commitment, &entry_place(&entry), &sealed)?)
        }
    };
    Ok(Stored { entry, body })
}

/// A row as it was before [`Keys::row`].
pub(super) fn open_row(
    row: Row,
    key: impl Fn(ThreadId) -> Result<Option<BodyKey>, Fault>,
) -> Result<Row, Fault> {
    let Row::Pending(pending) = row else { return Ok(row) };
    if pending.sealed.is_shredded() {
        return Ok(Row::Pending(pending));
    }
    let signed = envelope::peek::<Submission>(&pending.signed);
    let signed = signed.map_err(|error| Fault::Damaged(format!("a waiting message: {error}")))?;
    let (key, about) = (key(pending.thread)?, pending_place(&pending));
    let sealed = open(key.as_ref(), signed.commitment, &about, &pending.sealed.body)?;
    Ok(Row::Pending(Pending { sealed, ..pending }))
}
