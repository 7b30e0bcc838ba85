//! When people were seen last (P8): by what they did in threads that are owned here.
//!
//! Duty: the newest entry of each, within a bound. Never: a word that another node would have to say; who reads without
//! writing is not seen.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use crate::{
    ids::{ThreadId, UserId},
    limits,
    protocol::{Records, State},
    time::Millis,
};

/// For each of these people the time of the newest entry (a message, an edit, a deletion, a reaction set or taken back)
/// that he wrote in a thread that is owned here and that he reads now, by himself or through a group. Nobody is there of
/// whom none was found: he wrote none, or it is not among the [`limits::SEEN_ENTRIES`] newest ones of these threads.
#[must_use]
pub fn last(
    state: &State,
    records: &dyn Records,
    people: impl IntoIterator<Item = UserId>,
) -> BTreeMap<UserId, Millis> {
    let mut looked = Looked { state, records, threads: BTreeMap::new(), found: BTreeMap::new() };
    for user in people {
        looked.threads_of(user);
    }
    looked.newest_first();
    looked.found
}

/// How far was looked.
struct Looked<'a> {
    state: &'a State,
    records: &'a dyn Records,
    /// Threads with who of the people reads them.
    threads: BTreeMap<ThreadId, BTreeSet<UserId>>,
    found: BTreeMap<UserId, Millis>,
}

/// An entry in its place: when, where, by whom.
type Place = (Millis, ThreadId, u64, UserId);

impl Looked<'_> {
    fn threads_of(&mut self, user: UserId) {
        let state = self.state;
        for place in state.places.get(&user).into_iter().flatten() {
            let by_group = place.group().and_then(|group| state.addressed.get(&group)).into_iter().flatten();
            let threads = by_group.copied().chain(place.thread());
            for thread in threads.filter(|thread| state.owns(*thread)) {
                self.threads.entry(thread).or_default().insert(user);
            }
        }
    }

    /// Looks at the entries of all threads as if they were one list, newest first: so the first of somebody is his newest.
    fn newest_first(&mut self) {
        let ends = self.threads.keys().filter_map(|id| self.at(*id, self.state.logs.get(id)?.high));
        let mut next: BinaryHeap<Place> = ends.collect();
        for _ in 0..limits::SEEN_ENTRIES {
            let Some((time, thread, seq, author)) = next.pop() else { return };
            let Some(readers) = self.threads.get(&thread) else { continue };
            if readers.contains(&author) {
                self.found.entry(author).or_insert(time);
            }
            // Where everybody was found, nothing older is of use.
            if readers.iter().any(|reader| !self.found.contains_key(reader)) {
                next.extend(self.at(thread, seq - 1));
            }
        }
    }

    fn at(&self, thread: ThreadId, seq: u64) -> Option<Place> {
        let entry = if seq == 0 { None } else { self.records.entry(thread, seq) }?;
        Some((entry.time, thread, seq, entry.author))
    }
}
