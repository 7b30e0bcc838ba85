//! Threads by their last entry: sorted per group and per direct recipient, so that the newest ones of somebody are found
//! without looking at the others.
//!
//! Duty: the order, kept with every row that moves a thread in it. Never: who may read; callers ask the gate.

use std::collections::BinaryHeap;

use imbl::{OrdMap, OrdSet};

use super::{State, state::Scope};
use crate::{
    ids::{GroupId, ThreadId, UserId, WorkspaceId},
    time::Millis,
};

/// When something was last written in a thread, and which.
pub type At = (Millis, ThreadId);

/// The sorted threads; derived from rows alone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recent {
    groups: OrdMap<GroupId, OrdSet<At>>,
    people: OrdMap<UserId, OrdSet<At>>,
}

fn put<K: Ord + Clone>(map: &mut OrdMap<K, OrdSet<At>>, key: &K, at: At) {
    map.entry(key.clone()).or_default().insert(at);
}

fn take<K: Ord + Clone>(map: &mut OrdMap<K, OrdSet<At>>, key: &K, at: At) {
    let empty = map.get_mut(key).is_some_and(|all| {
        all.remove(&at);
        all.is_empty()
    });
    if empty {
        map.remove(key);
    }
}

impl Recent {
    pub(super) fn add_group(&mut self, group: GroupId, at: At) {
        put(&mut self.groups, &group, at);
    }

    pub(super) fn remove_group(&mut self, group: GroupId, at: At) {
        take(&mut self.groups, &group, at);
    }

    pub(super) fn add_person(&mut self, user: UserId, at: At) {
        put(&mut self.people, &user, at);
    }

    pub(super) fn remove_person(&mut self, user: UserId, at: At) {
        take(&mut self.people, &user, at);
    }

    /// Something was written: the thread moves up, for its groups and its direct recipients at this home.
    pub(super) fn moved(&mut self, scope: &Scope, home: Option<WorkspaceId>, from: At, to: At) {
        for recipient in &scope.head.groups {
            take(&mut self.groups, &recipient.group, from);
            put(&mut self.groups, &recipient.group, to);
        }
        for user in home.into_iter().flat_map(|home| scope.members_of(home)) {
            take(&mut self.people, &user, from);
            put(&mut self.people, &user, to);
        }
    }
}

/// Threads of a user's groups and those to which he is added himself, the newest first, before this one. Whether he may
/// read one is for the gate to say.
pub fn newest(state: &State, user: UserId, before: Option<At>) -> impl Iterator<Item = At> {
    let places = state.places.get(&user).into_iter().flatten();
    let groups = places.filter_map(|place| place.group()).filter_map(|group| state.recent.groups.get(&group));
    merged(groups.chain(state.recent.people.get(&user)), before)
}

/// Threads of one group of a user, in the same order.
pub fn newest_of(
    state: &State,
    user: UserId,
    group: GroupId,
    before: Option<At>,
) -> impl Iterator<Item = At> {
    let his = state.places.get(&user).is_some_and(|places| places.contains(&group.into()));
    merged(state.recent.groups.get(&group).filter(|_| his).into_iter(), before)
}

fn merged<'a>(lists: impl Iterator<Item = &'a OrdSet<At>>, before: Option<At>) -> impl Iterator<Item = At> {
    let mut lists: Vec<_> = lists
        .map(|list| match before {
            Some(before) => list.range(..before).rev(),
            None => list.range(..).rev(),
        })
        .collect();
    let firsts = lists.iter_mut().enumerate().filter_map(|(n, list)| Some((*list.next()?, n)));
    let mut heap: BinaryHeap<(At, usize)> = firsts.collect();
    let mut last = None;
    std::iter::from_fn(move || {
        loop {
            let (at, n) = heap.pop()?;
            heap.extend(lists.get_mut(n).and_then(Iterator::next).map(|next| (*next, n)));
            // A thread of several groups of his comes once.
            if last != Some(at) {
                last = Some(at);
                return Some(at);
            }
        }
    })
}
