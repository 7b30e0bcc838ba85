//! Random acts and faults, and the invariants that are checked after each and at rest.

use std::collections::{BTreeMap, BTreeSet};

use crate::cluster::{Backup, Cluster, Node};
use comity::{
    crypto::{Random, sha256},
    ids::{ScopeId, SubmissionId, ThreadId, UserId},
    limits::RECOVERY_MILLIS,
    protocol::{Command, State, gate, recovery, row::InviteStatus},
    wire::{
        envelope,
        objects::{Action, EntryKind, Floor, Grade, Head, Settings},
    },
};

/// Rests of the cluster in one play: only after the first are people of other homes likely to write.
const ROUNDS: u64 = 3;
const STEPS: u64 = 40;

/// Seeded chance.
pub struct Dice(Random);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(Random::from_seed(sha256(&[&seed.to_be_bytes()]).0))
    }
    pub fn below(&mut self, n: usize) -> usize {
        usize::try_from(u64::from_be_bytes(self.0.bytes()) % u64::try_from(n).unwrap()).unwrap()
    }
    pub fn one<T: Clone>(&mut self, of: &[T]) -> Option<T> {
        if of.is_empty() { None } else { Some(of[self.below(of.len())].clone()) }
    }
}

/// The cluster, its people, and what must be remembered of the past.
pub struct World {
    cluster: Cluster,
    users: Vec<Vec<UserId>>,
    /// Per (scope, user) whom the owner removed: how far each thread went then.
    removed: BTreeMap<(ScopeId, UserId), BTreeMap<ThreadId, u64>>,
    dice: Dice,
    backups: BTreeMap<usize, Backup>,
    /// Memberships that a partner knows to be ended, while their owner forgot.
    known_out: BTreeSet<(ScopeId, UserId)>,
}

pub fn settings(name: &str) -> Settings {
    Settings {
        name: name.into(),
        externals: true,
        open_invites: false,
        replies_off: false,
        locked: false,
        closed: false,
        open: false,
    }
}

impl World {
    /// One seed from the first act to rest; panics with the invariant that is broken.
    pub fn play(seed: u64) {
        let mut world = Self::new(seed);
        for round in 0..ROUNDS {
            for number in 0..STEPS {
                world.step(round * STEPS + number);
                world.check();
            }
            world.cluster.settle();
            (0..3).for_each(|node| world.accept_all(node));
            world.cluster.settle();
        }
        world.check();
        world.check_rest();
    }

    /// The same with disks that are lost: nodes start again, from now or from an earlier copy, and forget.
    pub fn play_forgetful(seed: u64) {
        let mut world = Self::new(seed);
        for round in 0..ROUNDS {
            for number in 0..STEPS {
                match world.dice.below(12) {
                    0 => world.back_up(),
                    1 => world.restart(),
                    _ => world.step(round * STEPS + number),
                }
                world.check_out();
            }
            world.cluster.settle();
            (0..3).for_each(|node| world.accept_all(node));
            world.cluster.settle();
            world.cluster.pass(RECOVERY_MILLIS + 1);
            world.cluster.settle();
            world.check_out();
            world.check_converged();
        }
    }

    fn back_up(&mut self) {
        let node = self.dice.below(3);
        self.backups.insert(node, self.cluster.nodes[node].backup());
    }

    /// A crash; half of the time the disk is replaced by the last copy. What its partners know then is not to be undone.
    fn restart(&mut self) {
        let node = self.dice.below(3);
        let now = self.cluster.nodes[node].backup();
        let copy = self.backups.get(&node).filter(|_| self.dice.below(2) == 0).cloned();
        if let Some(copy) = &copy {
            self.note_known(node, copy);
        }
        let from = copy.unwrap_or(now);
        self.cluster.nodes[node].restart(from);
    }

    /// Removals by this owner that the home of the removed has applied; what a home knew that is restored itself is lost.
    fn note_known(&mut self, node: usize, copy: &Backup) {
        let id = self.cluster.nodes[node].id;
        self.known_out.retain(|(_, user)| user.home() != id);
        for (scope, user) in self.removed.keys() {
            let home = self.cluster.nodes.iter().find(|home| home.id == user.home()).unwrap();
            let owned = self.cluster.nodes[node].state.owns(*scope);
            let still =
                self.cluster.nodes[node].state.scope(*scope).is_some_and(|s| s.members.contains_key(user));
            let held = home.state.scope(*scope);
            let applied = held.is_some_and(|held| !held.members.contains_key(user));
            if owned && !still && applied && copy.has(*scope, *user) {
                self.known_out.insert((*scope, *user));
            }
        }
    }

    /// Invariant 6: who is known to be out by a partner that has answered is not in again.
    fn check_out(&self) {
        for (scope, user) in &self.known_out {
            let owner = self.cluster.nodes.iter().find(|node| node.state.owns(*scope));
            let home = self.cluster.nodes.iter().find(|node| node.id == user.home()).unwrap();
            let Some(owner) = owner.filter(|owner| recovery::is_compared(&owner.state, home.id)) else {
                continue;
            };
            let member = owner.state.scope(*scope).is_some_and(|scope| scope.members.contains_key(user));
            let denied = recovery::is_denied(&owner.state, *scope, *user);
            assert!(!member || denied, "invariant 6: {user} is in {scope} again");
        }
    }

    /// Invariant 15 after disks were lost: homes show what owners grant, and nothing is frozen.
    fn check_converged(&self) {
        for node in &self.cluster.nodes {
            for scope in node.state.scopes.values() {
                assert_eq!(scope.head.frozen, None, "an honest owner is believed");
            }
            for thread in node.state.logs.keys().filter(|thread| node.state.owns(**thread)) {
                for (at, users) in self.users.iter().enumerate() {
                    for user in users {
                        let granted = visible(node, *user, *thread);
                        let shown = visible(&self.cluster.nodes[at], *user, *thread);
                        let home = &self.cluster.nodes[at];
                        assert_eq!(
                            granted,
                            shown,
                            "invariant 15: the home shows what the owner grants: {:?}; {:?}; waits for {:?}",
                            node.state.scope(*thread),
                            home.state.scope(*thread),
                            gate::waits_for(&home.state, *user, (*thread).into()).map(|head| head.id),
                        );
                    }
                }
            }
        }
    }

    fn new(seed: u64) -> Self {
        let mut cluster = Cluster::new(&["acme", "globex", "initech"]);
        let users = cluster.nodes.iter_mut().map(|node| vec![node.user("ann"), node.user("bob")]).collect();
        let mut dice = Dice::new(seed);
        for node in &mut cluster.nodes {
            node.rate = [991, 1000, 1009][dice.below(3)];
        }
        let (removed, backups, known_out) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        let mut world = Self { cluster, users, removed, dice, backups, known_out };
        for node in 0..3 {
            let ann = world.users[node][0];
            world.cluster.nodes[node].run(Command::CreateGroup(ann, settings("group"))).unwrap();
        }
        world
    }

    fn step(&mut self, number: u64) {
        let (a, b) = (self.dice.below(3), self.dice.below(3));
        let lossy = self.dice.below(5) == 0;
        match self.dice.below(12) {
            0 if a != b => drop(self.cluster.feed(a, b, lossy)),
            1 if a != b => drop(self.cluster.content(a, b, lossy)),
            2 if a != b => drop(self.cluster.history(a, b)),
            3 if a != b => drop(self.cluster.submit(a, b, lossy)),
            4 if a != b && self.dice.below(4) == 0 => self.cluster.compare(a, b),
            5 => self.invite(a),
            6 => self.remove(a),
            7 if a != b => {
                let late = u64::try_from(self.dice.below(5_000)).unwrap();
                self.cluster.lease(a, b, late);
            }
            8 => self.cluster.pass(u64::try_from(self.dice.below(120_000)).unwrap()),
            _ => self.write(a, number),
        }
    }

    fn invite(&mut self, a: usize) {
        let owned: Vec<ScopeId> =
            owned(&self.cluster.nodes[a]).into_iter().filter(|id| id.group().is_some()).collect();
        let b = self.dice.below(3);
        let (Some(scope), Some(user)) = (self.dice.one(&owned), self.dice.one(&self.users[b])) else {
            return;
        };
        let names = ["acme", "globex", "initech"];
        let local = if user == self.users[b][0] { "ann" } else { "bob" };
        let floor = if self.dice.below(2) == 0 { Floor::All } else { Floor::FromNow };
        let address = format!("{local}@{}.example", names[b]);
        let action = Action::Invite { scope, address, grade: Grade::Post, floor, until: None };
        let actor = self.users[a][0];
        drop(self.cluster.nodes[a].run(Command::Act(actor, action)));
        for node in 0..3 {
            self.accept_all(node);
        }
    }

    fn accept_all(&mut self, node: usize) {
        let held = self.cluster.nodes[node].state.received.values();
        let open: Vec<_> = held
            .filter(|row| row.status == InviteStatus::Sent)
            .map(|row| (row.user, row.invite.id))
            .collect();
        for (user, id) in open {
            let scope = self.cluster.nodes[node].state.received[&(id, user)].invite.scope;
            self.known_out.remove(&(scope, user));
            self.cluster.nodes[node].run(Command::AnswerInvite(user, id, true)).unwrap();
        }
    }

    fn remove(&mut self, a: usize) {
        let node = &mut self.cluster.nodes[a];
        let places: Vec<(ScopeId, UserId)> = owned(node)
            .into_iter()
            .flat_map(|id| {
                node.state.scope(id).unwrap().members.keys().map(move |user| (id, *user)).collect::<Vec<_>>()
            })
            .filter(|(_, user)| user.home() != node.id)
            .collect();
        let Some((scope, user)) = self.dice.one(&places) else { return };
        let actor = self.users[a][0];
        let action = Action::Remove { scope, user, everywhere: false };
        if node.run(Command::Act(actor, action)).is_err() {
            assert!(
                !recovery::is_ready(&node.state, scope),
                "reductions never fail but while followers are asked"
            );
            return;
        }
        let high = node.state.logs.values().map(|log| (log.thread, log.high)).collect();
        self.removed.insert((scope, user), high);
    }

    fn write(&mut self, a: usize, number: u64) {
        let Some(author) = self.dice.one(&self.users[a]) else { return };
        let node = &mut self.cluster.nodes[a];
        let threads: Vec<ThreadId> = node
            .state
            .logs
            .keys()
            .copied()
            .filter(|thread| gate::reaches(&node.state, author, *thread))
            .collect();
        let Some(thread) = self.dice.one(&threads) else { return };
        let shown = gate::paths(&node.state, author, thread).iter().map(|path| path.to).max().unwrap_or(0);
        let kinds =
            [EntryKind::Message, EntryKind::Message, EntryKind::React, EntryKind::Edit, EntryKind::Delete];
        let kind = if shown == 0 { EntryKind::Message } else { self.dice.one(&kinds).unwrap() };
        let target = (kind != EntryKind::Message)
            .then(|| 1 + u64::try_from(self.dice.below(usize::try_from(shown).unwrap())).unwrap());
        let id = SubmissionId(self.dice.0.bytes());
        let text = if kind == EntryKind::React { "+1".into() } else { format!("{number:08}") };
        drop(node.run(Command::Post { author, thread, id, kind, target, text, mentions: vec![] }));
    }

    /// What must hold at every moment, whatever was lost.
    fn check(&self) {
        for node in &self.cluster.nodes {
            for log in node.state.logs.values() {
                self.check_copy(node, log.thread);
                for user in self.users.iter().flatten().filter(|user| user.home() == node.id) {
                    self.check_paths(node, *user, log.thread);
                }
            }
        }
    }

    fn owner(&self, thread: ThreadId) -> &Node {
        self.cluster.nodes.iter().find(|node| node.state.owns(thread)).unwrap()
    }

    /// Invariants 4, 8 (order), 9 and 11.
    fn check_copy(&self, node: &Node, thread: ThreadId) {
        let (owner, log) = (self.owner(thread), node.state.logs.get(&thread).unwrap());
        let mut last: BTreeMap<UserId, String> = BTreeMap::new();
        for seq in log.low..=log.high {
            let held = &node.disk.content[&(thread, seq)];
            assert_eq!(
                held.entry,
                owner.disk.content[&(thread, seq)].entry,
                "invariant 11: a copy is the owner's chain"
            );
            assert!(
                held.entry.signed.is_some() || held.entry.author.home() == owner.id,
                "invariant 9: signed by its home"
            );
            if seq > log.low {
                assert_eq!(
                    held.entry.previous,
                    node.disk.content[&(thread, seq - 1)].entry.hash(),
                    "invariant 4: gapless"
                );
            }
            let Some(body) = held.body.as_ref().filter(|_| held.entry.kind == EntryKind::Message) else {
                continue;
            };
            let text = comity::wire::Body::parse(&body.body).unwrap().text;
            let before = last.insert(held.entry.author, text.clone());
            assert!(
                before.is_none_or(|before| before < text),
                "invariant 8: each author's messages in order"
            );
        }
    }

    /// Invariants 1 and 18, P7.2.
    fn check_paths(&self, node: &Node, user: UserId, thread: ThreadId) {
        let owner = self.owner(thread);
        for path in gate::paths(&node.state, user, thread) {
            let still = owner.state.scope(path.scope).and_then(|scope| scope.members.get(&user));
            if let (None, Some(high)) =
                (still, self.removed.get(&(path.scope, user)).and_then(|highs| highs.get(&thread)))
            {
                assert!(path.to <= *high, "invariant 1: an entry after the removal is shown to the removed");
                let removals = owner.state.removals.values();
                let of_user = removals
                    .filter(|row| row.scope == path.scope && row.users.contains(&user))
                    .max_by_key(|row| row.epoch);
                let latest = of_user.and_then(|row| row.latest.iter().find(|(peer, _)| *peer == node.id));
                assert!(
                    latest.is_none_or(|(_, latest)| node.state.uptime.wall <= *latest),
                    "invariant 2: served after the latest moment that the removal named"
                );
            }
            if node.id != owner.id {
                let log = node.state.logs.get(&thread).unwrap();
                let cover = log.covers.iter().find(|(of, _)| *of == path.scope);
                let head = cover.map(|(_, cover)| envelope::peek::<Head>(&cover.head).unwrap());
                let applied = node.state.scope(path.scope).unwrap().head.epoch;
                let covered = head.filter(|head| head.epoch <= applied).map_or(0, |head| head.seq);
                assert!(
                    path.to <= covered,
                    "invariant 11: entry {} is shown, {covered} are covered",
                    path.to
                );
            }
            let Some(member) = still.filter(|member| member.floor == Floor::FromNow) else { continue };
            let held = node.state.scope(path.scope).and_then(|scope| scope.members.get(&user));
            if held.is_some_and(|held| held.joined == member.joined) {
                let floor = gate::first_at(owner.state.logs.get(&thread).unwrap(), path.scope, member.joined);
                assert!(
                    path.from > path.to || path.from >= floor,
                    "invariant 18: shown from {} but the floor is {floor}",
                    path.from
                );
            }
        }
    }

    /// Invariants 10 and 15: at rest, every home shows its users exactly what the owner grants them.
    fn check_rest(&self) {
        for node in &self.cluster.nodes {
            assert!(
                node.state.outbox.values().all(|row| row.refused.is_some()),
                "invariant 15: outboxes empty or refused"
            );
            for removal in node.state.removals.values() {
                assert!(
                    removal.homes.iter().all(|(_, receipt)| receipt.is_some()),
                    "invariant 15: every removal is confirmed"
                );
            }
            for thread in node.state.logs.keys().filter(|thread| node.state.owns(**thread)) {
                for (at, users) in self.users.iter().enumerate() {
                    let home = &self.cluster.nodes[at];
                    users.iter().for_each(|user| self.check_view(node, home, *user, *thread));
                }
            }
        }
    }

    fn check_view(&self, owner: &Node, home: &Node, user: UserId, thread: ThreadId) {
        let (granted, shown) = (visible(owner, user, thread), visible(home, user, thread));
        let log = home.state.logs.get(&thread);
        assert_eq!(
            granted,
            shown,
            "invariant 15: the home shows what the owner grants; {log:?} {:?}",
            gate::paths(&home.state, user, thread)
        );
        let external = user.home() != owner.id;
        let joined =
            owner.state.places.get(&user).into_iter().flatten().filter(|scope| owner.state.owns(**scope));
        for scope in joined.filter(|_| external) {
            let accepted = |sent: &&std::sync::Arc<comity::protocol::row::SentInvite>| {
                sent.scope == *scope && sent.status == InviteStatus::Accepted
            };
            assert!(
                owner.state.sent.values().any(|sent| accepted(&sent)),
                "invariant 10: no join without consent"
            );
        }
    }
}

fn visible(node: &Node, user: UserId, thread: ThreadId) -> BTreeSet<u64> {
    let paths = gate::paths(&node.state, user, thread);
    let held = node.disk.content.range((thread, 0)..=(thread, u64::MAX)).map(|((_, seq), _)| *seq);
    held.filter(|seq| paths.iter().any(|path| path.shows(*seq))).collect()
}

fn owned(node: &Node) -> Vec<ScopeId> {
    let state: &State = &node.state;
    state.scopes.keys().copied().filter(|id| state.owns(*id)).collect()
}
