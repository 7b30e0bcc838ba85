//! Members of scopes, with every index that follows from them.
//!
//! Duty: a member row taken in or let go. Never: deciding who is one.

use std::sync::Arc;

use super::State;
use crate::{
    ids::{ScopeId, UserId},
    protocol::row::MemberRow,
};

impl State {
    /// A member row of a scope that is not there is ignored: scopes are written before their members.
    pub(super) fn put_member(&mut self, MemberRow { scope, member }: MemberRow) {
        let foreign = !self.is_local(member.user);
        let Some(at) = self.scopes.get_mut(&scope).map(Arc::make_mut) else {
            return;
        };
        let (user, until, owner) = (member.user, member.until, at.head.owner);
        let member = Arc::new(member);
        let before = at.members.insert(user, member.clone());
        if foreign && before.as_ref().is_none_or(|before| before.profile != member.profile) {
            self.lookup.add_person(user, &member.profile.name, &member.profile.address);
            if let Some(before) = &before {
                self.lookup.remove_person(user, &before.profile.name, &before.profile.address);
            }
        }
        if before.is_none() {
            *at.homes.entry(user.home()).or_insert(0) += 1;
            self.places.entry(user).or_default().insert(scope);
            if let Some(thread) = scope.thread().filter(|_| !foreign) {
                self.recent.add_person(user, self.last_at(thread));
            }
            self.sum(owner, scope, user);
            self.note_readers(scope);
        }
        if let Some(until) = before.and_then(|before| before.until) {
            self.expiring.remove(&(until, scope, user));
        }
        if let Some(until) = until.filter(|_| Some(owner) == self.me()) {
            self.expiring.insert((until, scope, user));
        }
    }

    /// A member row goes, with what was derived from it.
    pub(super) fn delete_member(&mut self, scope: ScopeId, user: UserId) {
        let foreign = !self.is_local(user);
        let Some(at) = self.scopes.get_mut(&scope).map(Arc::make_mut) else {
            return;
        };
        let owner = at.head.owner;
        let Some(member) = at.members.remove(&user) else {
            return;
        };
        if foreign {
            self.lookup.remove_person(user, &member.profile.name, &member.profile.address);
        }
        let left = at.homes.get(&user.home()).map_or(0, |count| count - 1);
        if left == 0 {
            at.homes.remove(&user.home());
        } else {
            at.homes.insert(user.home(), left);
        }
        if let Some(until) = member.until {
            self.expiring.remove(&(until, scope, user));
        }
        if let Some(thread) = scope.thread().filter(|_| !foreign) {
            self.recent.remove_person(user, self.last_at(thread));
        }
        if let Some(places) = self.places.get_mut(&user) {
            places.remove(&scope);
            if places.is_empty() {
                self.places.remove(&user);
            }
        }
        self.sum(owner, scope, user);
        self.note_readers(scope);
    }

    /// Whether a thread has more readers than the members of one group.
    pub(super) fn note_readers(&mut self, id: ScopeId) {
        let (Some(thread), Some(scope)) = (id.thread(), self.scopes.get(&id)) else { return };
        let mixed = scope.head.groups.len() > 1 || !scope.members.is_empty();
        self.lookup.mix(thread, scope.head.groups.iter().map(|at| at.group), mixed);
    }
}
