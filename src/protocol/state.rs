//! The whole state of a node, in persistent maps: a clone is cheap and stays as it was.
//!
//! Duty: rows by key, and the few indexes that are derived from them. Never: content, links of chains
//! and feed rows, which are read through [`super::Records`].

mod lapsing;
mod members;

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};

use super::change::Change;
use super::handover::Succession;
use super::letter::Letters;
use super::lookup::Lookup;
use super::moving::Transfer;
use super::policy::Rules;
use super::recent::{At, Recent};
use super::reign::Reign;
use super::row::{
    Attention, Claim, Contradiction, Credential, Deferred, Former, GroupLink, Home, Link, Log, Node, Origin,
    Peer, Pending, ReadMark, ReceivedInvite, Remembered, Removal, Row, RowKey, ScopeHead, SentInvite,
    Session, Successor, Ticket, User,
};
use super::uptime::Uptime;
use crate::{
    crypto::{PublicKey, sha256},
    ids::{GroupId, Hash, InviteId, KeyId, MoveId, ScopeId, SubmissionId, ThreadId, UserId, WorkspaceId},
    time::Millis,
    wire::{
        envelope,
        objects::{Manifest, Member, ThreadKind},
    },
};

/// A group or thread with its members.
#[derive(Clone, Debug, PartialEq)]
pub struct Scope {
    /// Everything but the members.
    pub head: ScopeHead,
    /// Direct members.
    pub members: OrdMap<UserId, Arc<Member>>,
    /// Homes of direct members, with the number of members.
    pub homes: OrdMap<WorkspaceId, u64>,
}

/// The state. Equal states behave equally.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// The node's own row; `None` only before the first manifest.
    pub node: Option<Node>,
    /// Workspaces by id, own included.
    pub homes: OrdMap<WorkspaceId, Arc<Home>>,
    /// Peers.
    pub peers: OrdMap<WorkspaceId, Arc<Peer>>,
    /// Open tickets by the hash of their secret.
    pub tickets: OrdMap<Hash, Ticket>,
    /// Users of this workspace.
    pub users: OrdMap<UserId, Arc<User>>,
    /// Groups and threads, owned and followed.
    pub scopes: OrdMap<ScopeId, Arc<Scope>>,
    /// Content chains.
    pub logs: OrdMap<ThreadId, Arc<Log>>,
    /// Invitations from here.
    pub sent: OrdMap<InviteId, Arc<SentInvite>>,
    /// Invitations to users of this home.
    pub received: OrdMap<(InviteId, UserId), Arc<ReceivedInvite>>,
    /// Messages that wait for their owner.
    pub outbox: OrdMap<(WorkspaceId, u64), Arc<Pending>>,
    /// Answers to acts.
    pub remembered: OrdMap<SubmissionId, Arc<Remembered>>,
    /// Removals committed here.
    pub removals: OrdMap<(ScopeId, u64), Arc<Removal>>,
    /// Consents for groups in threads of other owners.
    pub links: OrdMap<(GroupId, ThreadId), Arc<GroupLink>>,
    /// Items that wait for the end of a check.
    pub deferred: OrdMap<u64, Arc<Deferred>>,
    /// Evidence against owners.
    pub evidence: OrdMap<Hash, Arc<Contradiction>>,
    /// Moves of scopes, by the epoch of the old owner's last event.
    pub reigns: OrdMap<(ScopeId, u64), Arc<Reign>>,
    /// Offers to move a group, from here and to here.
    pub transfers: OrdMap<MoveId, Arc<Transfer>>,
    /// Handovers of dead owners to this workspace, while the followers are asked.
    pub successions: OrdMap<MoveId, Arc<Succession>>,
    /// Read marks.
    pub reads: OrdMap<(UserId, ThreadId), u64>,
    /// Letters that wait for the mail server.
    pub letters: Letters,
    /// Policies, requests and counts.
    pub rules: Rules,

    /// What users of this home want of threads.
    pub attention: OrdMap<(ThreadId, UserId), Arc<Attention>>,
    /// People of other homes who were in a scope.
    pub former: OrdMap<(UserId, ScopeId), Arc<Former>>,
    /// Messages from which threads were started.
    pub origins: OrdMap<ThreadId, Origin>,

    /// Passwords.
    pub credentials: OrdMap<UserId, Arc<Credential>>,
    /// Sessions and tokens, by the hash of what is shown.
    pub sessions: OrdMap<Hash, Arc<Session>>,
    /// Links that work once, by the hash of their secret.
    pub links_out: OrdMap<Hash, Arc<Link>>,

    /// Invitations' links that users of this home have shown here.
    pub claims: OrdMap<Hash, Arc<Claim>>,

    /// Users who took the places of others, with whose.
    pub successors: OrdMap<UserId, Successor>,

    /// Derived: sessions of a user.
    pub signed_in: OrdMap<UserId, OrdSet<Hash>>,
    /// Derived: what ends by itself at a moment, the next first.
    pub lapsing: OrdSet<(Millis, RowKey)>,
    /// Derived: local part of the address to user.
    pub locals: OrdMap<String, UserId>,
    /// Derived: threads addressed to a group.
    pub addressed: OrdMap<GroupId, OrdSet<ThreadId>>,
    /// Derived: scopes in which a user is a direct member.
    pub places: OrdMap<UserId, OrdSet<ScopeId>>,
    /// Derived: followed scopes that need a lease, as (owner, ttl) with their number.
    pub followed: OrdMap<(WorkspaceId, u64), u64>,
    /// Derived: removals that are neither confirmed nor past their deadline, by it.
    pub awaited: OrdSet<(Millis, ScopeId, u64)>,
    /// Derived: per owner and home, the sum of what the home's users are in (spec 11.1).
    pub rosters: OrdMap<(WorkspaceId, WorkspaceId), Hash>,
    /// Derived: memberships with an end date in scopes that are owned here, the next to end first.
    pub expiring: OrdSet<(Millis, ScopeId, UserId)>,
    /// Derived: invitations from a scope that wait for an answer.
    pub offers: OrdMap<ScopeId, OrdSet<InviteId>>,

    /// Derived: people and groups by name.
    pub lookup: Lookup,
    /// Derived: threads by their last entry.
    pub recent: Recent,
    /// Derived: the chat of each group.
    pub chats: OrdMap<GroupId, ThreadId>,

    /// What a restart forgets.
    pub uptime: Uptime,
}

impl Scope {
    /// Direct members of one home: as much work as there are of them.
    pub fn members_of(&self, home: WorkspaceId) -> impl Iterator<Item = UserId> {
        self.members.range(of_home(home)).map(|(user, _)| *user)
    }
}

/// Every id that a user of a home can have.
fn of_home(home: WorkspaceId) -> std::ops::RangeInclusive<UserId> {
    UserId::new(home, [0; 16])..=UserId::new(home, [u8::MAX; 16])
}

impl State {
    /// The own workspace.
    #[must_use]
    pub fn me(&self) -> Option<WorkspaceId> {
        self.node.as_ref().map(|node| node.id)
    }

    /// Whether the user is at home here.
    #[must_use]
    pub fn is_local(&self, user: UserId) -> bool {
        Some(user.home()) == self.me()
    }

    /// A scope by id.
    #[must_use]
    pub fn scope(&self, id: impl Into<ScopeId>) -> Option<&Arc<Scope>> {
        self.scopes.get(&id.into())
    }

    /// Whether the scope exists and is owned here.
    #[must_use]
    pub fn owns(&self, id: impl Into<ScopeId>) -> bool {
        self.scope(id).is_some_and(|scope| Some(scope.head.owner) == self.me())
    }

    /// Users of a home who are members of anything that is known here, with their places.
    pub fn people_of(&self, home: WorkspaceId) -> impl Iterator<Item = (UserId, &OrdSet<ScopeId>)> {
        self.places.range(of_home(home)).map(|(user, places)| (*user, places))
    }

    /// Invitations from a scope that wait for an answer.
    pub fn open_offers(&self, scope: ScopeId) -> impl Iterator<Item = &Arc<SentInvite>> {
        self.offers.get(&scope).into_iter().flatten().filter_map(|id| self.sent.get(id))
    }

    /// The valid signing key of a workspace with this hint, as its newest manifest says.
    #[must_use]
    pub fn signing_key(&self, workspace: WorkspaceId, hint: KeyId) -> Option<PublicKey> {
        let manifest = &self.homes.get(&workspace)?.manifest;
        let valid = |key: &&PublicKey| key.id() == hint && !manifest.revoked.contains(key);
        manifest.sign.iter().find(valid).copied()
    }

    /// A signing key that the workspace has or had: for what a valid word covers (spec 2.4).
    #[must_use]
    pub fn ever_key(&self, workspace: WorkspaceId, hint: KeyId) -> Option<PublicKey> {
        self.signing_key(workspace, hint).or_else(|| {
            let home = self.homes.get(&workspace)?;
            let manifests =
                home.chain.iter().rev().filter_map(|bytes| envelope::peek::<Manifest>(bytes).ok());
            manifests.flat_map(|manifest| manifest.sign).find(|key| key.id() == hint)
        })
    }

    /// Scopes through which content of the thread is granted: itself, then its recipient groups.
    pub fn granting(&self, thread: ThreadId) -> impl Iterator<Item = &Arc<Scope>> {
        let own = self.scope(thread);
        let groups = own.into_iter().flat_map(|scope| &scope.head.groups);
        own.into_iter().chain(groups.filter_map(|recipient| self.scope(recipient.group)))
    }

    /// What a committed change means for the state; content and chains mean nothing to it. Never fails.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::Put(row) => self.put(row.clone()),
            Change::Delete(key) => self.delete(key),
            Change::Promise(promise) => self.uptime.apply(promise),
            _ => {}
        }
    }

    /// Takes a row in, with the indexes that follow from it.
    pub fn put(&mut self, row: Row) {
        let key = row.key();
        self.delete_indexes(&key);
        match row {
            Row::Node(row) => self.node = Some(row),
            Row::Home(row) => drop(self.homes.insert(row.id, row.into())),
            Row::Peer(row) => drop(self.peers.insert(row.id, row.into())),
            Row::Ticket(row) => drop(self.tickets.insert(row.secret, row)),
            Row::User(row) => {
                self.locals.insert(row.local.clone(), row.id);
                self.lookup.add_person(row.id, &row.name, &row.local);
                self.users.insert(row.id, row.into());
            }
            Row::Scope(head) => self.put_scope(head),
            Row::Member(row) => self.put_member(row),
            Row::Log(row) => {
                self.move_in_time(row.thread, row.time);
                self.logs.insert(row.thread, row.into());
            }
            Row::Sent(row) => {
                if row.status.is_open() {
                    self.offers.entry(row.scope).or_default().insert(row.id);
                    self.rules.offered(row.by, true);
                }
                self.sent.insert(row.id, row.into());
            }
            Row::Received(row) => drop(self.received.insert((row.invite.id, row.user), row.into())),
            Row::Pending(row) => drop(self.outbox.insert((row.owner, row.number), row.into())),
            Row::Remembered(row) => drop(self.remembered.insert(row.id, row.into())),
            Row::Removal(row) => {
                if let Some(latest) = row.awaited_until() {
                    self.awaited.insert((latest, row.scope, row.epoch));
                }
                self.removals.insert((row.scope, row.epoch), row.into());
            }
            Row::GroupLink(row) => drop(self.links.insert((row.group, row.thread), row.into())),
            Row::Deferred(row) => drop(self.deferred.insert(row.number, row.into())),
            Row::Contradiction(row) => drop(self.evidence.insert(row.id, row.into())),
            Row::Reign(row) => drop(self.reigns.insert((row.scope, row.epoch), row.into())),
            Row::Succession(row) => drop(self.successions.insert(row.id, row.into())),
            Row::Transfer(row) => drop(self.transfers.insert(row.id, row.into())),
            Row::Credential(row) => drop(self.credentials.insert(row.user, row.into())),
            Row::Session(row) => {
                self.signed_in.entry(row.user).or_default().insert(row.token);
                self.sessions.insert(row.token, row.into());
            }
            Row::Successor(row) => drop(self.successors.insert(row.to, row)),
            Row::Claim(row) => drop(self.claims.insert(row.id, row.into())),
            Row::Link(row) => drop(self.links_out.insert(row.secret, row.into())),
            Row::Former(row) => drop(self.former.insert((row.user, row.scope), row.into())),
            Row::Origin(row) => drop(self.origins.insert(row.thread, row)),
            Row::Attention(row) => drop(self.attention.insert((row.thread, row.user), row.into())),
            Row::ReadMark(ReadMark { user, thread, seq }) => {
                self.reads.insert((user, thread), seq);
            }
            Row::Letter(row) => self.letters.put(row),
            Row::Mailed(row) => self.letters.put_mailed(row),
            Row::Policy(_) | Row::GroupPolicy(_) | Row::PeerPolicy(_) | Row::Request(_) | Row::Meter(_) => {
                self.rules.put(row);
            }
        }
        self.note_lapse(key);
    }

    /// Lets a row go, with the indexes that followed from it.
    pub fn delete(&mut self, key: &RowKey) {
        self.delete_indexes(key);
        match key {
            RowKey::Node(()) => self.node = None,
            RowKey::Home(id) => drop(self.homes.remove(id)),
            RowKey::Peer(id) => drop(self.peers.remove(id)),
            RowKey::Ticket(secret) => drop(self.tickets.remove(secret)),
            RowKey::User(id) => drop(self.users.remove(id)),
            RowKey::Scope(id) => drop(self.scopes.remove(id)),
            RowKey::Member((scope, user)) => self.delete_member(*scope, *user),
            RowKey::Log(id) => {
                self.move_in_time(*id, Millis(0));
                self.logs.remove(id);
            }
            RowKey::Sent(id) => drop(self.sent.remove(id)),
            RowKey::Received(key) => drop(self.received.remove(key)),
            RowKey::Pending(key) => drop(self.outbox.remove(key)),
            RowKey::Remembered(id) => drop(self.remembered.remove(id)),
            RowKey::Removal(key) => drop(self.removals.remove(key)),
            RowKey::GroupLink(key) => drop(self.links.remove(key)),
            RowKey::Deferred(number) => drop(self.deferred.remove(number)),
            RowKey::Contradiction(id) => drop(self.evidence.remove(id)),
            RowKey::Reign(key) => drop(self.reigns.remove(key)),
            RowKey::Succession(id) => drop(self.successions.remove(id)),
            RowKey::Transfer(id) => drop(self.transfers.remove(id)),
            RowKey::Credential(user) => drop(self.credentials.remove(user)),
            RowKey::Session(token) => drop(self.sessions.remove(token)),
            RowKey::Successor(to) => drop(self.successors.remove(to)),
            RowKey::Claim(id) => drop(self.claims.remove(id)),
            RowKey::Link(secret) => drop(self.links_out.remove(secret)),
            RowKey::Former(key) => drop(self.former.remove(key)),
            RowKey::Origin(id) => drop(self.origins.remove(id)),
            RowKey::Attention(key) => drop(self.attention.remove(key)),
            RowKey::ReadMark(key) => drop(self.reads.remove(key)),
            RowKey::Letter(number) => self.letters.delete(*number),
            RowKey::Mailed(to) => self.letters.delete_mailed(*to),
            RowKey::Policy(())
            | RowKey::GroupPolicy(_)
            | RowKey::PeerPolicy(_)
            | RowKey::Request(_)
            | RowKey::Meter(_) => self.rules.delete(key),
        }
    }

    fn delete_indexes(&mut self, key: &RowKey) {
        self.forget_lapse(key);
        match key {
            RowKey::User(id) => {
                if let Some(user) = self.users.get(id) {
                    self.locals.remove(&user.local);
                    self.lookup.remove_person(user.id, &user.name, &user.local);
                }
            }
            RowKey::Removal(key) => {
                if let Some(latest) = self.removals.get(key).and_then(|row| row.awaited_until()) {
                    self.awaited.remove(&(latest, key.0, key.1));
                }
            }
            RowKey::Scope(id) => {
                let Some(scope) = self.scopes.get(id).cloned() else { return };
                if let Some(ttl) = self.leased(&scope.head) {
                    self.follow_one_less(scope.head.owner, ttl);
                }
                if let Some(group) = id.group() {
                    self.lookup.remove_group(group, &scope.head.settings.name);
                }
                let Some(thread) = id.thread() else { return };
                let at = self.last_at(thread);
                self.lookup.mix(thread, scope.head.groups.iter().map(|at| at.group), false);
                for recipient in &scope.head.groups {
                    self.recent.remove_group(recipient.group, at);
                    if self.chats.get(&recipient.group) == Some(&thread) {
                        self.chats.remove(&recipient.group);
                    }
                    if let Some(threads) = self.addressed.get_mut(&recipient.group) {
                        threads.remove(&thread);
                    }
                }
            }
            RowKey::Sent(id) => {
                let Some((scope, by)) = self.sent.get(id).map(|sent| (sent.scope, sent.by)) else { return };
                if self.offers.get(&scope).is_some_and(|offers| offers.contains(id)) {
                    self.rules.offered(by, false);
                }
                let open = self.offers.get_mut(&scope).map(|offers| {
                    offers.remove(id);
                    !offers.is_empty()
                });
                if open == Some(false) {
                    self.offers.remove(&scope);
                }
            }
            _ => {}
        }
    }

    /// When something was last written in a thread.
    fn last_at(&self, thread: ThreadId) -> At {
        (self.logs.get(&thread).map_or(Millis(0), |log| log.time), thread)
    }

    fn move_in_time(&mut self, thread: ThreadId, time: Millis) {
        let (from, to) = (self.last_at(thread), (time, thread));
        if let Some(scope) = self.scopes.get(&ScopeId::Thread(thread)).filter(|_| from != to) {
            self.recent.moved(scope, self.node.as_ref().map(|node| node.id), from, to);
        }
    }

    fn follow_one_less(&mut self, owner: WorkspaceId, ttl: u64) {
        match self.followed.get_mut(&(owner, ttl)) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(self.followed.remove(&(owner, ttl))),
        }
    }

    fn put_scope(&mut self, head: ScopeHead) {
        if let Some(thread) = head.id.thread() {
            let at = self.last_at(thread);
            for recipient in &head.groups {
                self.recent.add_group(recipient.group, at);
                if head.kind == Some(ThreadKind::Chat) {
                    self.chats.insert(recipient.group, thread);
                }
                self.addressed.entry(recipient.group).or_default().insert(thread);
            }
        }
        let id = head.id;
        if let Some(group) = id.group() {
            self.lookup.add_group(group, &head.settings.name);
        }
        if let Some(ttl) = self.leased(&head) {
            *self.followed.entry((head.owner, ttl)).or_insert(0) += 1;
        }
        match self.scopes.get_mut(&id) {
            Some(scope) if scope.head.owner != head.owner => {
                let (from, to) = (scope.head.owner, head.owner);
                Arc::make_mut(scope).head = head;
                let members: Vec<UserId> = scope.members.keys().copied().collect();
                for user in members {
                    self.sum(from, id, user);
                    self.sum(to, id, user);
                }
                self.note_end_dates(id);
            }
            Some(scope) => Arc::make_mut(scope).head = head,
            None => {
                let scope = Scope { head, members: OrdMap::new(), homes: OrdMap::new() };
                self.scopes.insert(id, scope.into());
            }
        }
        self.note_readers(id);
    }

    /// After a scope came to another owner.
    fn note_end_dates(&mut self, id: ScopeId) {
        let Some(scope) = self.scopes.get(&id).cloned() else { return };
        for (user, until) in scope.members.values().filter_map(|m| Some((m.user, m.until?))) {
            if Some(scope.head.owner) == self.me() {
                self.expiring.insert((until, id, user));
            } else {
                self.expiring.remove(&(until, id, user));
            }
        }
    }

    /// Adds a place to the sum of its owner and home, or takes it out again: the sum is exclusive.
    fn sum(&mut self, owner: WorkspaceId, scope: ScopeId, user: UserId) {
        let kind = [u8::from(scope.thread().is_some())];
        let place = sha256(&[b"comity/1 roster", &kind, scope.bytes(), &user.0]);
        let sum = self.rosters.entry((owner, user.home())).or_insert(Hash::ZERO);
        sum.0.iter_mut().zip(place.0).for_each(|(sum, place)| *sum ^= place);
        if *sum == Hash::ZERO {
            self.rosters.remove(&(owner, user.home()));
        }
    }

    /// The ttl of a scope whose content needs a lease of another owner.
    fn leased(&self, head: &ScopeHead) -> Option<u64> {
        let foreign = Some(head.owner) != self.me() && !head.ended;
        (foreign && head.kind != Some(ThreadKind::Dm)).then_some(head.ttl)
    }
}
