//! What an act of an admin would end, shown before he confirms it (spec 8.11; P8.2, P7.5, P7.8).
//!
//! Duty: who loses what where, what else goes, whom it is told; from the same lists as the act itself. Never: a change.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use super::people::{self, Home, Person};
use crate::{
    ids::{GroupId, InviteId, ScopeId, ThreadId, UserId, WorkspaceId},
    protocol::{
        State, ending, fanout, gate, leaving,
        policy::{self, Excess},
        removal::{self, Cut},
        row::{Peer, PeerStatus, Row, RowKey, ScopeHead},
        tighten,
    },
    wire::objects::{Grade, ThreadKind},
};

/// What would end.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Preview {
    /// Who loses what.
    pub losses: Vec<Loss>,
    /// How much it is.
    pub counts: Counts,
    /// Workspaces whose nodes are told.
    pub told: Vec<Home>,
    /// Who stays with fewer rights.
    pub lowered: Vec<Lowered>,
}

/// A member who keeps his place with a lower grade.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Lowered {
    /// Where.
    pub scope: ScopeId,
    /// Its name.
    pub name: String,
    /// Who.
    pub user: Person,
    /// The grade that he has.
    pub from: Grade,
    /// The grade that he keeps.
    pub to: Grade,
}

/// One user and one group or thread that he would not see any more.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Loss {
    /// What.
    pub scope: ScopeId,
    /// Its name; null for a conversation of two.
    pub name: Option<String>,
    /// Whose.
    pub owner: Home,
    /// Who.
    pub user: Person,
    /// Paths by which he still reaches the content (P7.8).
    pub remaining: Vec<ScopeId>,
}

/// Numbers of what would end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Counts {
    /// People who lose something.
    pub people: usize,
    /// Groups and threads that somebody loses.
    pub scopes: usize,
    /// Places of people in them.
    pub losses: usize,
    /// Groups that are taken off threads.
    pub groups: usize,
    /// Open invitations that end.
    pub invitations: usize,
    /// Messages that wait for their owner and will not be delivered.
    pub messages: usize,
    /// Conversations of two that take nothing new.
    pub conversations: usize,
    /// Places that stay with fewer rights.
    pub lowered: usize,
}

/// What else an act ends beside places.
#[derive(Default)]
struct Rest {
    sent: BTreeMap<InviteId, WorkspaceId>,
    received: usize,
    messages: usize,
    conversations: usize,
    told: BTreeSet<WorkspaceId>,
}

/// The end of a peering, in both directions; `None`: there is nothing to end.
#[must_use]
pub fn end_of_peering(state: &State, peer: WorkspaceId) -> Option<Preview> {
    let row = state.peers.get(&peer).filter(|row| row.status != PeerStatus::Ended)?;
    let mut cuts = ending::theirs(state, peer);
    let told = followers(state, &cuts).chain([peer]).collect();
    let mut sent = voided(state, &cuts);
    sent.retain(|_, home| *home == peer || fanout::is_linked(state, *home));
    sent.extend(ending::sent(state, peer).map(|sent| (sent.id, sent.home)));
    let ours = ending::ours(state, peer);
    let mut after = without(state, &cuts);
    for head in ours.iter().filter_map(|cut| state.scope(cut.scope)).map(|scope| scope.head.clone()) {
        after.put(Row::Scope(ScopeHead { ended: true, ..head }));
    }
    cuts.extend(ours);
    after.put(Row::Peer(Peer { status: PeerStatus::Ended, ..(**row).clone() }));
    let beyond = ending::beyond(state, peer);
    let lost: BTreeSet<(ThreadId, UserId)> = beyond
        .filter(|(thread, user)| {
            gate::reaches(state, *user, *thread) && !gate::reaches(&after, *user, *thread)
        })
        .collect();
    let elsewhere = state.outbox.values().filter(|pending| pending.refused.is_none());
    let stopped = elsewhere.filter(|pending| lost.contains(&(pending.thread, pending.author))).count();
    cuts.extend(lost.into_iter().map(|(thread, user)| Cut {
        scope: thread.into(),
        users: vec![user],
        groups: Vec::new(),
    }));
    let rest = Rest {
        sent,
        received: ending::received(state, peer).count(),
        messages: ending::outbox(state, peer).count() + stopped,
        conversations: ending::dms(state, peer).len(),
        told,
    };
    Some(build(state, &after, &cuts, rest))
}

/// The suspension or removal of a user of this home; `None`: there is no such user.
#[must_use]
pub fn departure(state: &State, user: UserId) -> Option<Preview> {
    state.users.get(&user)?;
    let cuts = leaving::cuts(state, user);
    let offers = leaving::offers(state, user).filter_map(|id| state.sent.get(&id));
    let abroad = cuts.iter().filter_map(|cut| state.scope(cut.scope)).map(|scope| scope.head.owner);
    let waiting: Vec<WorkspaceId> = leaving::invitations(state, user).map(|held| held.owner).collect();
    let told = followers(state, &cuts).chain(abroad).chain(waiting.iter().copied());
    let rest = Rest {
        sent: offers.map(|sent| (sent.id, sent.home)).collect(),
        received: waiting.len(),
        messages: leaving::outbox(state, user).count(),
        conversations: 0,
        told: told.collect(),
    };
    Some(build(state, &without(state, &cuts), &cuts, rest))
}

/// A group becomes internal-only; `None`: it is not owned here.
#[must_use]
pub fn tightening(state: &State, group: GroupId) -> Option<Preview> {
    state.scope(group).filter(|_| state.owns(group))?;
    let cuts = tighten::cuts(state, group);
    let mut sent = voided(state, &cuts);
    sent.extend(tighten::offers(state, group).map(|sent| (sent.id, sent.home)));
    let changed = fanout::followers(state, group.into());
    let told = followers(state, &cuts).chain(changed).collect();
    Some(build(state, &without(state, &cuts), &cuts, Rest { sent, told, ..Rest::default() }))
}

/// A policy takes the place of the one before.
#[must_use]
pub fn policy(state: &State, policy: Row) -> Preview {
    let Excess { cuts, lowered, offers, conversations } = policy::excess(&policy::with(state, policy));
    let mut sent = voided(state, &cuts);
    sent.extend(offers.iter().map(|sent| (sent.id, sent.home)));
    let changed = lowered.iter().map(|(scope, ..)| *scope).chain(conversations.iter().copied());
    let changed = changed.flat_map(|scope| fanout::followers(state, scope));
    let told = followers(state, &cuts).chain(changed).collect();
    let rest = Rest { sent, told, conversations: conversations.len(), ..Rest::default() };
    let mut preview = build(state, &without(state, &cuts), &cuts, rest);
    let lower = |(scope, user, to): &(ScopeId, UserId, Grade)| {
        let at = state.scope(*scope)?;
        let from = at.members.get(user)?.grade;
        let (name, user) = (at.head.settings.name.clone(), people::person(state, *user));
        Some(Lowered { scope: *scope, name, user, from, to: *to })
    };
    preview.lowered = lowered.iter().filter_map(lower).collect();
    preview.counts.lowered = preview.lowered.len();
    preview
}

/// Nodes that get the events of own scopes.
fn followers<'a>(state: &'a State, cuts: &'a [Cut]) -> impl Iterator<Item = WorkspaceId> + 'a {
    let owned = cuts.iter().filter(|cut| state.owns(cut.scope));
    owned.flat_map(|cut| fanout::followers(state, cut.scope))
}

/// Open invitations of and by those who lose their place (spec 6.5).
fn voided(state: &State, cuts: &[Cut]) -> BTreeMap<InviteId, WorkspaceId> {
    let mut all = BTreeMap::new();
    for cut in cuts {
        let Some(scope) = state.scope(cut.scope) else { continue };
        let users: BTreeSet<UserId> = cut.users.iter().copied().collect();
        let places = users.iter().filter_map(|user| scope.members.get(user));
        let addresses: BTreeSet<&String> = places.map(|member| &member.profile.address).collect();
        let open = state.open_offers(cut.scope);
        let ends = open.filter(|sent| users.contains(&sent.by) || addresses.contains(&sent.address));
        all.extend(ends.map(|sent| (sent.id, sent.home)));
    }
    all
}

/// The state as it would be without these places and recipients.
fn without(state: &State, cuts: &[Cut]) -> State {
    let mut after = state.clone();
    for cut in cuts {
        for user in &cut.users {
            after.delete(&RowKey::Member((cut.scope, *user)));
        }
        let head = after.scope(cut.scope).map(|scope| scope.head.clone());
        if let Some(head) = head.filter(|_| !cut.groups.is_empty()) {
            let mut groups = head.groups.clone();
            groups.retain(|at| !cut.groups.contains(&at.group));
            after.put(Row::Scope(ScopeHead { groups, ..head }));
        }
    }
    after
}

fn build(state: &State, after: &State, cuts: &[Cut], rest: Rest) -> Preview {
    let mut losses = Vec::new();
    for cut in cuts {
        losses.extend(
            cut.users.iter().map(|user| (cut.scope, *user, remaining(state, after, cut.scope, *user))),
        );
        losses.extend(by_group(state, after, cut).map(|user| (cut.scope, user, Vec::new())));
    }
    let Rest { sent, received, messages, conversations, mut told } = rest;
    told.extend(sent.values().filter(|home| fanout::is_linked(state, **home)));
    told.retain(|home| Some(*home) != state.me());
    let counts = Counts {
        people: losses.iter().map(|(_, user, _)| *user).collect::<BTreeSet<_>>().len(),
        scopes: losses.iter().map(|(scope, ..)| *scope).collect::<BTreeSet<_>>().len(),
        losses: losses.len(),
        groups: cuts.iter().map(|cut| cut.groups.len()).sum(),
        invitations: sent.len() + received,
        messages,
        conversations,
        lowered: 0,
    };
    let losses =
        losses.into_iter().filter_map(|(scope, user, remaining)| loss(state, scope, user, remaining));
    let told = told.into_iter().map(|home| people::home(state, home)).collect();
    Preview { losses: losses.collect(), counts, told, lowered: Vec::new() }
}

/// Who reads a thread only through groups that are taken off.
fn by_group(state: &State, after: &State, cut: &Cut) -> impl Iterator<Item = UserId> {
    let groups = cut.groups.iter().filter_map(|group| state.scope(*group));
    let people: BTreeSet<UserId> = groups.flat_map(|group| group.members.keys().copied()).collect();
    let lost = people.into_iter().filter(|user| {
        let reaches = |state| cut.scope.thread().is_some_and(|thread| gate::reaches(state, *user, thread));
        !cut.users.contains(user) && reaches(state) && !reaches(after)
    });
    lost.collect::<Vec<_>>().into_iter()
}

fn remaining(state: &State, after: &State, id: ScopeId, user: UserId) -> Vec<ScopeId> {
    let threads = removal::related(state, id).into_iter();
    let paths = threads.flat_map(|thread| gate::paths(after, user, thread)).map(|path| path.scope);
    paths.collect::<BTreeSet<_>>().into_iter().collect()
}

fn loss(state: &State, id: ScopeId, user: UserId, remaining: Vec<ScopeId>) -> Option<Loss> {
    let head = &state.scope(id)?.head;
    let name = (head.kind != Some(ThreadKind::Dm)).then(|| head.settings.name.clone());
    Some(Loss {
        scope: id,
        name,
        owner: people::home(state, head.owner),
        user: people::person(state, user),
        remaining,
    })
}
