//! Contacts (product.md, terms; P2.2): whom a user may find by name beyond his own workspace.
//!
//! Duty: whether two people share a conversation now; nothing is stored, so it ends with the last one. Never: a
//! person whom no path shows.

use super::{State, gate, state::Scope};
use crate::{
    ids::{ScopeId, ThreadId, UserId},
    limits,
    wire::objects::WorkspaceKind,
};

/// Whether this node speaks for free accounts, who find nobody but contacts (P1.3).
#[must_use]
pub fn is_realm(state: &State) -> bool {
    let home = state.me().and_then(|me| state.homes.get(&me));
    home.is_some_and(|home| home.manifest.kind == WorkspaceKind::Free)
}

/// Whether the user may find somebody by name: a colleague with an account in use, or a contact (P2.2).
#[must_use]
pub fn may_find(state: &State, viewer: UserId, other: UserId) -> bool {
    if viewer == other || !gate::standing(state, viewer) || !gate::standing(state, other) {
        return false;
    }
    let colleagues = state.is_local(other) && !is_realm(state);
    colleagues || is_contact(state, viewer, other)
}

/// Whether the two share a group or thread that the viewer is shown now, through any path. A DM that both had counts as
/// long as its copy is readable.
#[must_use]
pub fn is_contact(state: &State, viewer: UserId, other: UserId) -> bool {
    let (Some(mine), Some(theirs)) = (state.places.get(&viewer), state.places.get(&other)) else {
        return false;
    };
    let (few, many) = if mine.len() < theirs.len() { (mine, theirs) } else { (theirs, mine) };
    let both = few.iter().filter(|scope| many.contains(scope));
    both.copied().any(|scope| gate::sees_scope(state, viewer, scope)) || by_groups(state, viewer, other)
}

/// Whether the two read a thread by different groups, or one of them directly. Looks at a bounded number of threads.
fn by_groups(state: &State, viewer: UserId, other: UserId) -> bool {
    let places = state.places.get(&other).into_iter().flatten();
    let threads = places.flat_map(|place| {
        let direct = place.thread();
        let by_group = place.group().into_iter().flat_map(|group| state.lookup.mixed(group));
        direct.into_iter().chain(by_group)
    });
    let mut looked = threads.take(limits::CONTACT_THREADS);
    looked.any(|thread| is_in(state, viewer, thread) && gate::reaches(state, viewer, thread))
}

/// Whether the user is a member of the thread or of one of its groups: as cheap as can be, before the gate is asked.
fn is_in(state: &State, user: UserId, thread: ThreadId) -> bool {
    let member = |scope: &Scope| scope.members.contains_key(&user);
    let Some(own) = state.scope(ScopeId::Thread(thread)) else { return false };
    let mut groups = own.head.groups.iter().filter_map(|at| state.scope(at.group));
    member(own) || groups.any(|group| member(group))
}
