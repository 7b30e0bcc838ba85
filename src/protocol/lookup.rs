//! People and groups by name: sorted indexes, so that looking for somebody costs what is shown, not what there is.
//!
//! Duty: keys of names, kept with every row that names somebody. Never: who may be shown; that is the gate's.

use std::ops::Bound;

use imbl::{OrdMap, OrdSet};

use super::words::{fold, from_each_word};
use crate::{
    ids::{GroupId, ThreadId, UserId},
    limits,
};

/// Sorted names; derived from rows alone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lookup {
    /// Keys of people who are known here, with the number of profiles that have them.
    people: OrdMap<(String, UserId), u64>,
    /// Keys of groups.
    groups: OrdSet<(String, GroupId)>,
    /// Threads of a group that others than its members read too.
    mixed: OrdMap<GroupId, OrdSet<ThreadId>>,
}

/// What the first key of everybody begins with once more, so that a list of all has one key for each.
const FIRST: &str = "\u{1}";

/// The keys of a person: the folded name, then from each later word on, then the address up to its @. The rest of the
/// address may change for a whole workspace at once.
pub fn person_keys(name: &str, address: &str) -> Vec<String> {
    let (local, _) = address.rsplit_once('@').unwrap_or((address, ""));
    let name = fold(name);
    let names = from_each_word(&name, limits::NAME_KEYS).map(str::to_owned);
    with_first(names.chain([fold(local) + "@"]).collect())
}

/// The keys of a group.
pub fn group_keys(name: &str) -> Vec<String> {
    with_first(from_each_word(&fold(name), limits::NAME_KEYS).map(str::to_owned).collect())
}

/// A name without a letter is listed first.
fn with_first(mut keys: Vec<String>) -> Vec<String> {
    let first = keys.first().map_or("", String::as_str);
    keys.push(format!("{FIRST}{first}"));
    keys
}

/// What the keys have to begin with so that a person or a group may match a typed word.
#[must_use]
pub fn beginning(typed: &str) -> &str {
    if typed.is_empty() {
        return FIRST;
    }
    typed.find('@').and_then(|at| typed.get(..=at)).unwrap_or(typed)
}

impl Lookup {
    pub(super) fn add_person(&mut self, user: UserId, name: &str, address: &str) {
        for key in person_keys(name, address) {
            *self.people.entry((key, user)).or_insert(0) += 1;
        }
    }

    pub(super) fn remove_person(&mut self, user: UserId, name: &str, address: &str) {
        for key in person_keys(name, address) {
            let key = (key, user);
            match self.people.get_mut(&key) {
                Some(count) if *count > 1 => *count -= 1,
                _ => drop(self.people.remove(&key)),
            }
        }
    }

    pub(super) fn add_group(&mut self, group: GroupId, name: &str) {
        self.groups.extend(group_keys(name).into_iter().map(|key| (key, group)));
    }

    pub(super) fn remove_group(&mut self, group: GroupId, name: &str) {
        for key in group_keys(name) {
            self.groups.remove(&(key, group));
        }
    }

    /// Who reads a thread changed: whether others than the members of each of its groups read it now.
    pub(super) fn mix(&mut self, thread: ThreadId, groups: impl Iterator<Item = GroupId>, mixed: bool) {
        for group in groups {
            if mixed {
                self.mixed.entry(group).or_default().insert(thread);
            } else if let Some(threads) = self.mixed.get_mut(&group) {
                threads.remove(&thread);
                if threads.is_empty() {
                    self.mixed.remove(&group);
                }
            }
        }
    }

    /// Threads of a group that others than its members read too.
    pub fn mixed(&self, group: GroupId) -> impl Iterator<Item = ThreadId> {
        self.mixed.get(&group).into_iter().flatten().copied()
    }

    /// Keys of people that begin so, after this one, in their order.
    pub fn people<'a>(
        &'a self,
        beginning: &'a str,
        after: Option<&(String, UserId)>,
    ) -> impl Iterator<Item = &'a (String, UserId)> {
        let least = || (beginning.to_owned(), UserId([0; 48]));
        let from = after.cloned().map_or_else(|| Bound::Included(least()), Bound::Excluded);
        let keys = self.people.range((from, Bound::Unbounded)).map(|(key, _)| key);
        keys.take_while(move |(key, _)| key.starts_with(beginning))
    }

    /// Keys of groups that begin so, after this one, in their order.
    pub fn groups<'a>(
        &'a self,
        beginning: &'a str,
        after: Option<&(String, GroupId)>,
    ) -> impl Iterator<Item = &'a (String, GroupId)> {
        let least = || (beginning.to_owned(), GroupId([0; 32]));
        let from = after.cloned().map_or_else(|| Bound::Included(least()), Bound::Excluded);
        let keys = self.groups.range((from, Bound::Unbounded));
        keys.take_while(move |(key, _)| key.starts_with(beginning))
    }
}
