//! The index of words in messages (invariant: with the copy of a thread goes every trace of it): under marks that need the
//! thread's key, so that after a purge nothing that stays on the disk can be read or guessed.
//!
//! Duty: which messages may have a word, written in the transaction of their content. Never: a word in the clear; deciding
//! that a message matches, which its text as it is shown does.

use std::collections::BTreeMap;

use redb::{ReadableTable as _, WriteTransaction};

use super::{Fault, reader::Bytes, shred::Keys, tables::WORDS};
use crate::{
    crypto::WordKey,
    ids::ThreadId,
    protocol::words::tokens,
    wire::{Body, Stored, objects::EntryKind},
};

/// Messages whose bits stand in one row.
const PER_ROW: u64 = 128;

/// Half of a thread's id, mark, number of the row.
type Key = [u8; 28];

fn key(thread: ThreadId, mark: [u8; 8], row: u32) -> Key {
    let bytes = thread.0.iter().take(16).chain(&mark).copied().chain(row.to_be_bytes());
    let mut key = [0; 28];
    key.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    key
}

/// The row of an entry, and its bit there. Beyond what a row number can hold nothing is found by words.
fn place(seq: u64) -> Option<(u32, u128)> {
    let bit = u32::try_from(seq % PER_ROW).ok()?;
    Some((u32::try_from(seq / PER_ROW).ok()?, 1 << bit))
}

fn bits(value: &[u8]) -> u128 {
    value.try_into().map_or(0, u128::from_be_bytes)
}

/// What one commit changes.
pub(super) struct Index<'a> {
    write: &'a WriteTransaction,
    rows: BTreeMap<Key, u128>,
}

impl<'a> Index<'a> {
    pub(super) fn new(write: &'a WriteTransaction) -> Self {
        Self { write, rows: BTreeMap::new() }
    }

    /// The words of a message, or of an edit for the message that it is about. Words of the text before stay: who is shown
    /// the edit later finds the message by them until then.
    pub(super) fn add(&mut self, stored: &Stored, keys: &mut Keys<'_>) -> Result<(), Fault> {
        self.change(stored, keys, |bits, bit| *bits |= bit)
    }

    /// The same taken away, before the body goes.
    pub(super) fn remove(&mut self, stored: &Stored, keys: &mut Keys<'_>) -> Result<(), Fault> {
        self.change(stored, keys, |bits, bit| *bits &= !bit)
    }

    fn change(
        &mut self,
        stored: &Stored,
        keys: &mut Keys<'_>,
        change: impl Fn(&mut u128, u128),
    ) -> Result<(), Fault> {
        let entry = &stored.entry;
        if !matches!(entry.kind, EntryKind::Message | EntryKind::Edit) {
            return Ok(());
        }
        let body = stored.body.as_ref().and_then(|sealed| Body::parse(&sealed.body).ok());
        let Some(body) = body else { return Ok(()) };
        let Some((row, bit)) = place(body.target.unwrap_or(entry.seq)) else { return Ok(()) };
        let (tokens, marks) = (tokens(&body.text), keys.words(entry.thread)?);
        for token in tokens {
            let key = key(entry.thread, marks.mark(&token), row);
            if !self.rows.contains_key(&key) {
                let table = self.write.open_table(WORDS)?;
                let held = table.get(key.as_slice())?.map_or(0, |value| bits(value.value()));
                self.rows.insert(key, held);
            }
            change(self.rows.entry(key).or_default(), bit);
        }
        Ok(())
    }

    /// Everything of a thread goes.
    pub(super) fn purge(&mut self, thread: ThreadId) -> Result<(), Fault> {
        let (from, to) = (key(thread, [0; 8], 0), key(thread, [u8::MAX; 8], u32::MAX));
        self.rows.retain(|key, _| !(from..=to).contains(key));
        self.write.open_table(WORDS)?.retain_in(from.as_slice()..=to.as_slice(), |_, _| false)?;
        Ok(())
    }

    /// Everything of a thread above this entry goes.
    pub(super) fn truncate(&mut self, thread: ThreadId, above: u64) -> Result<(), Fault> {
        self.write()?;
        let (from, to) = (key(thread, [0; 8], 0), key(thread, [u8::MAX; 8], u32::MAX));
        let (last, kept) = place(above).map_or((u32::MAX, u128::MAX), |(row, bit)| (row, bit | (bit - 1)));
        let table = self.write.open_table(WORDS)?;
        for row in table.range(from.as_slice()..=to.as_slice())? {
            let (key, value) = row?;
            let Ok(key) = Key::try_from(key.value()) else { continue };
            let row = key.last_chunk().map_or(0, |row| u32::from_be_bytes(*row));
            if row >= last {
                let kept = if row == last { bits(value.value()) & kept } else { 0 };
                self.rows.insert(key, kept);
            }
        }
        drop(table);
        self.write()
    }

    /// To the table, in its order.
    pub(super) fn write(&mut self) -> Result<(), Fault> {
        let mut table = self.write.open_table(WORDS)?;
        for (key, bits) in std::mem::take(&mut self.rows) {
            if bits == 0 {
                table.remove(key.as_slice())?;
            } else {
                table.insert(key.as_slice(), bits.to_be_bytes().as_slice())?;
            }
        }
        Ok(())
    }
}

/// Messages between two entries that may have all of these words, the newest first.
pub(super) fn find(
    table: &Bytes,
    marks: &WordKey,
    thread: ThreadId,
    words: &[String],
    (from, to): (u64, u64),
    most: usize,
) -> Result<Vec<u64>, Fault> {
    let mut marks = words.iter().map(|word| marks.mark(word));
    let (Some(first), Some((low, _))) = (marks.next(), place(from)) else { return Ok(Vec::new()) };
    let high = place(to).map_or(u32::MAX, |(row, _)| row);
    let others: Vec<[u8; 8]> = marks.collect();
    let mut found = Vec::new();
    if from > to {
        return Ok(found);
    }
    let (least, greatest) = (key(thread, first, low), key(thread, first, high));
    for row in table.range(least.as_slice()..=greatest.as_slice())?.rev() {
        let (at, value) = row?;
        let row = at.value().last_chunk().map_or(0, |row| u32::from_be_bytes(*row));
        let mut all = bits(value.value());
        for mark in &others {
            all &= table.get(key(thread, *mark, row).as_slice())?.map_or(0, |value| bits(value.value()));
        }
        while all != 0 {
            let bit = 127 - all.leading_zeros();
            all &= !(1 << bit);
            let seq = u64::from(row) * PER_ROW + u64::from(bit);
            if (from..=to).contains(&seq) {
                found.push(seq);
            }
            if found.len() == most {
                return Ok(found);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use redb::{ReadableDatabase as _, ReadableTableMetadata as _};

    use super::*;
    use crate::{
        ids::{Hash, Salt, SubmissionId, UserId},
        protocol::{Change, Records as _},
        store::{Store, tables},
        time::Millis,
        wire::{Entry, Sealed},
    };

    fn stored(thread: ThreadId, seq: u64, target: Option<u64>, text: &str) -> Stored {
        let body = Body { target, text: text.into(), mentions: vec![] }.to_blob();
        let salt = Salt([u8::try_from(seq % 256).unwrap(); 16]);
        let sealed = Sealed { salt, body };
        let kind = if target.is_some() { EntryKind::Edit } else { EntryKind::Message };
        let mut submission = [thread.0[0]; 16];
        submission[8..].copy_from_slice(&seq.to_be_bytes());
        let entry = Entry {
            thread,
            seq,
            previous: Hash::ZERO,
            author: UserId([1; 48]),
            kind,
            time: Millis(0),
            scope: thread.into(),
            epoch: 0,
            commitment: sealed.commitment(),
            submission: SubmissionId(submission),
            signed: None,
        };
        Stored { entry, body: Some(sealed) }
    }

    fn found(store: &Store, thread: ThreadId, words: &[&str]) -> Vec<u64> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        store.reader().unwrap().with_words(thread, &words, (1, u64::MAX >> 1), 1000)
    }

    fn rows(path: &std::path::Path, of: ThreadId) -> usize {
        let database = redb::Database::open(path).unwrap();
        let table = database.begin_read().unwrap().open_table(WORDS).unwrap();
        let (from, to) = (key(of, [0; 8], 0), key(of, [u8::MAX; 8], u32::MAX));
        table.range(from.as_slice()..=to.as_slice()).unwrap().count()
    }

    #[test]
    fn messages_are_found_until_they_or_their_thread_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("comity.redb");
        let (gone, kept) = (ThreadId([1; 32]), ThreadId([2; 32]));
        let (mut store, _) = Store::open(&path).unwrap();
        let text = |seq: u64| if seq.is_multiple_of(100) { "budget plan" } else { "some plan" };
        let all = (1..=300).map(|seq| Change::Content(stored(gone, seq, None, text(seq))));
        store.commit(&all.collect::<Vec<_>>()).unwrap();
        store.commit(&[Change::Content(stored(kept, 1, None, "budget plan"))]).unwrap();
        assert_eq!(found(&store, gone, &["budget"]), [300, 200, 100]);
        assert_eq!(found(&store, gone, &["bud", "pla"]), [300, 200, 100]);
        assert_eq!(found(&store, gone, &["bud", "som"]), [0; 0]);
        store.commit(&[Change::Content(stored(gone, 301, Some(7), "an edited budget"))]).unwrap();
        assert_eq!(found(&store, gone, &["budget"]), [300, 200, 100, 7], "an edit, for its message");
        let messages = store.reader().unwrap().messages(gone, 0, 400, None, 1000);
        assert_eq!(messages, 300, "an edit is no message");
        store
            .commit(&[Change::Redact(gone, 7), Change::Redact(gone, 301), Change::Redact(gone, 300)])
            .unwrap();
        assert_eq!(found(&store, gone, &["budget"]), [200, 100], "what was deleted is not found");
        assert_eq!(store.reader().unwrap().messages(gone, 290, 400, None, 1000), 9);
        store.commit(&[Change::Truncate(gone, 150)]).unwrap();
        assert_eq!(found(&store, gone, &["budget"]), [100], "nor what the owner forgot");
        assert_eq!(found(&store, gone, &["som"]).first(), Some(&150));
        store.commit(&[Change::Purge(gone)]).unwrap();
        assert_eq!(found(&store, gone, &["budget"]), [0; 0]);
        assert_eq!(found(&store, kept, &["budget"]), [1]);
        drop(store);
        assert_eq!(rows(&path, gone), 0, "P7.3: no row of the purged thread is left");
        assert!(rows(&path, kept) > 0);
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"budget"), "P7.3: no word in the clear");
    }

    #[test]
    fn a_file_of_version_3_gets_its_index_at_opening() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("comity.redb");
        let thread = ThreadId([1; 32]);
        let (mut store, _) = Store::open(&path).unwrap();
        let all = (1..=2100).map(|seq| Change::Content(stored(thread, seq, None, "hello")));
        store.commit(&all.collect::<Vec<_>>()).unwrap();
        drop(store);
        let database = redb::Database::open(&path).unwrap();
        let write = database.begin_write().unwrap();
        write.delete_table(WORDS).unwrap();
        write.delete_table(tables::MESSAGES).unwrap();
        write.open_table(tables::META).unwrap().insert(tables::SCHEMA, 3).unwrap();
        write.commit().unwrap();
        drop(database);
        let (store, _) = Store::open(&path).unwrap();
        assert_eq!(found(&store, thread, &["hel"]).len(), 1000);
        assert_eq!(store.reader().unwrap().messages(thread, 0, 3000, None, 5000), 2100);
        let table = store.database.begin_read().unwrap().open_table(WORDS).unwrap();
        assert_eq!(table.len().unwrap(), 17, "one row for 128 messages with a word");
    }
}
