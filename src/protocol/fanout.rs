//! Who is told about a scope: followers, before and after a change (spec 9.5).
//!
//! Duty: feed rows to the nodes that a membership change concerns, snapshots to those that begin to
//! follow, marks for those that stop. Never: content.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Draft, Mark, State, lease, recovery, reign,
    row::{PeerStatus, Removal, Row},
    state::Scope,
    uptime::Promise,
};
use crate::{
    ids::{ScopeId, ThreadId, UserId, WorkspaceId},
    wire::{
        Blob,
        frames::Item,
        objects::{Extensions, Snapshot},
    },
};

/// The followers of a scope and of the threads that it grants, as they were at a moment.
#[derive(Clone, Debug, Default)]
pub struct Audience {
    /// Followers of the scope itself.
    followers: BTreeSet<WorkspaceId>,
    /// Of a group: own threads addressed to it, with their followers.
    threads: BTreeMap<ThreadId, BTreeSet<WorkspaceId>>,
    /// Direct members.
    members: BTreeSet<UserId>,
}

/// The audience of a scope now.
#[must_use]
pub fn audience(state: &State, id: ScopeId) -> Audience {
    let threads =
        addressed(state, id).into_iter().map(|thread| (thread, followers(state, thread.into()))).collect();
    let members = state.scope(id).into_iter().flat_map(|scope| scope.members.keys().copied()).collect();
    Audience { followers: followers(state, id), threads, members }
}

/// Own threads that are addressed to this group.
fn addressed(state: &State, id: ScopeId) -> Vec<ThreadId> {
    let threads = id.group().and_then(|group| state.addressed.get(&group));
    threads.into_iter().flatten().copied().filter(|thread| state.owns(*thread)).collect()
}

/// Peers whose nodes follow the scope: homes of its members; of a thread, homes of its groups' members
/// too; of a group, owners of threads that it is linked to (spec 6.6).
#[must_use]
pub fn followers(state: &State, id: ScopeId) -> BTreeSet<WorkspaceId> {
    let mut homes: BTreeSet<WorkspaceId> = BTreeSet::new();
    let granting: Vec<&Scope> = match id {
        ScopeId::Thread(thread) => state.granting(thread).map(|scope| &**scope).collect(),
        ScopeId::Group(_) => state.scope(id).map(|scope| &**scope).into_iter().collect(),
    };
    homes.extend(granting.iter().flat_map(|scope| scope.homes.keys().copied()));
    homes.extend(thread_owners(state, id));
    let owner = state.scope(id).map(|scope| scope.head.owner);
    homes.retain(|home| Some(*home) != state.me() && Some(*home) != owner && is_linked(state, *home));
    homes
}

/// Owners of threads that are addressed to an own group: they serve others by its roster (spec 6.6).
fn thread_owners(state: &State, id: ScopeId) -> impl Iterator<Item = WorkspaceId> {
    let links = state.links.values().filter(move |link| Some(link.group) == id.group());
    links.map(|link| link.follower).filter(|follower| Some(*follower) != state.me())
}

/// Whether membership news go to this peer.
#[must_use]
pub fn is_linked(state: &State, peer: WorkspaceId) -> bool {
    state.peers.get(&peer).is_some_and(|peer| matches!(peer.status, PeerStatus::Active | PeerStatus::Paused))
}

/// After a change of a scope: the event to whoever followed before, snapshots to who follows only now.
pub fn announce(draft: &mut Draft<'_>, id: ScopeId, before: &Audience, event: &Blob) {
    let after = audience(&draft.state, id);
    let homes = |audience: &Audience| audience.members.iter().map(UserId::home).collect::<BTreeSet<_>>();
    let newcomers = &homes(&after) - &homes(before);
    for peer in &before.followers {
        show_homes(draft, *peer, newcomers.clone());
        draft.feed(*peer, &Item::Event { event: event.clone() });
    }
    for peer in after.followers.difference(&before.followers) {
        introduce(draft, *peer, id);
    }
    note_removed(draft, id, before, &after);
    spread(draft, before, &after);
}

/// Follows a change of a group's roster, own or foreign, into the own threads that are addressed to it. Who followed a
/// thread otherwise hears nothing of the group, but reads what its newcomers write.
pub fn spread(draft: &mut Draft<'_>, before: &Audience, after: &Audience) {
    for (thread, now) in &after.threads {
        let then = before.threads.get(thread).cloned().unwrap_or_default();
        for peer in now & &then {
            show_homes(draft, peer, now - &then);
        }
        for peer in now.difference(&then) {
            introduce(draft, *peer, (*thread).into());
        }
        for peer in then.difference(now) {
            draft.mark(Mark::Cut((*thread).into(), *peer));
        }
    }
}

/// A peer begins to follow: manifests of the homes in the scope, then the scope as it stands. Nobody is shown less than
/// was signed: where events are known to be missing, or members known to be out, the scope follows when it is whole.
pub fn introduce(draft: &mut Draft<'_>, peer: WorkspaceId, id: ScopeId) {
    show_homes(draft, peer, homes(&draft.state, id));
    if recovery::is_unsettled(&draft.state, id) {
        recovery::promise(draft, Promise::Withheld(id, peer));
        return;
    }
    for item in reign::items(&draft.state, id).collect::<Vec<_>>() {
        draft.feed(peer, &item);
    }
    if let Some(snapshot) = draft.state.scope(id).map(|scope| snapshot(scope)) {
        let snapshot = draft.sign(snapshot, None).bytes().clone();
        draft.feed(peer, &Item::Snapshot { snapshot });
    }
}

/// Homes whose users may write there, and those of former owners.
fn homes(state: &State, id: ScopeId) -> BTreeSet<WorkspaceId> {
    let mut homes: BTreeSet<WorkspaceId> =
        state.scope(id).into_iter().flat_map(|scope| scope.homes.keys().copied()).collect();
    if let Some(thread) = id.thread() {
        homes.extend(state.granting(thread).flat_map(|scope| scope.homes.keys().copied()));
    }
    homes.extend(reign::of(state, id).flat_map(|reign| [reign.from, reign.to]));
    homes
}

/// Manifests of third homes: without them no signature of their users can be checked.
fn show_homes(draft: &mut Draft<'_>, peer: WorkspaceId, homes: BTreeSet<WorkspaceId>) {
    let me = draft.me();
    for home in homes.into_iter().filter(|home| *home != peer && *home != me) {
        if let Some(chain) = draft.state.homes.get(&home).map(|home| home.chain.clone()) {
            draft.feed(peer, &Item::Manifests { chain });
        }
    }
}

/// A home has new manifests behind those that were known: whoever follows an own scope in which its users may write gets them
/// from us, since the two need not be peers.
pub fn spread_manifests(draft: &mut Draft<'_>, home: WorkspaceId, known: usize) {
    let state = &draft.state;
    let own = state.scopes.keys().copied().filter(|id| state.owns(*id));
    let shared = own.filter(|id| homes(state, *id).contains(&home));
    let peers: BTreeSet<WorkspaceId> = shared.flat_map(|id| followers(state, id)).collect();
    let chain = state.homes.get(&home).map(|home| home.chain.clone()).unwrap_or_default();
    let new = chain.get(known..).unwrap_or_default().to_vec();
    for peer in peers.into_iter().filter(|peer| *peer != home) {
        draft.feed(peer, &Item::Manifests { chain: new.clone() });
    }
}

/// A scope as it stands (spec 4.10).
#[must_use]
pub fn snapshot(scope: &Scope) -> Snapshot {
    let head = scope.head.clone();
    let mut groups = head.groups;
    groups.sort_by_key(|recipient| recipient.group);
    Snapshot {
        scope: head.id,
        owner: head.owner,
        kind: head.kind,
        starter: head.starter,
        incarnation: head.incarnation,
        epoch: head.epoch,
        hash: head.hash,
        settings: head.settings,
        ttl: head.ttl,
        members: scope.members.values().map(|member| (**member).clone()).collect(),
        groups,
        extensions: Extensions::default(),
    }
}

/// Marks for local users and peers that lost access, and the removal that receipts will answer (P7.4).
fn note_removed(draft: &mut Draft<'_>, id: ScopeId, before: &Audience, after: &Audience) {
    let gone: Vec<UserId> = before.members.difference(&after.members).copied().collect();
    for peer in before.followers.difference(&after.followers) {
        draft.mark(Mark::Cut(id, *peer));
    }
    if gone.is_empty() {
        return;
    }
    draft.mark(Mark::Lost(id, gone.clone()));
    let me = draft.me();
    let owners: BTreeSet<_> = thread_owners(&draft.state, id).collect();
    let users: Vec<_> = gone.into_iter().filter(|user| user.home() != me || !owners.is_empty()).collect();
    let homes: BTreeSet<_> =
        users.iter().map(UserId::home).filter(|home| *home != me).chain(owners).collect();
    let Some(scope) = draft.state.scope(id).filter(|_| !users.is_empty()).cloned() else {
        return;
    };
    let latest = homes.iter().map(|peer| (*peer, lease::latest(&draft.state, *peer, &scope.head))).collect();
    draft.put(Row::Removal(Removal {
        latest,
        passed: false,
        scope: id,
        incarnation: scope.head.incarnation,
        epoch: scope.head.epoch,
        event: scope.head.hash,
        users,
        time: draft.ctx.now,
        homes: homes.into_iter().map(|home| (home, None)).collect(),
    }));
}
