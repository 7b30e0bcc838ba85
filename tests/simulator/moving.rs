//! Ownership moves (spec 14; P5.4): history and members stay, removals stay, and there is one owner at a time.

use comity::{
    ids::{GroupId, MoveId, ScopeId, ThreadId, UserId},
    limits,
    protocol::{
        Command, Reject, Reply, command::RejectCode, fanout, gate, lease, moving::Stand, row::InviteStatus,
        row::Role,
    },
    wire::{
        Blob,
        frames::Item,
        objects::{Action, Floor, Grade},
    },
};

use crate::{
    cluster::{Backup, Cluster},
    story::{group, join, post, shown},
    world::settings,
};

pub const ACME: usize = 0;
pub const GLOBEX: usize = 1;
pub const INITECH: usize = 2;

/// acme's group with bob, admin of globex, and carl and dan of initech in it; a topic that began with it; messages of all.
pub struct Stage {
    pub cluster: Cluster,
    pub ann: UserId,
    pub bob: UserId,
    pub carl: UserId,
    pub dan: UserId,
    pub group: GroupId,
    pub chat: ThreadId,
    pub topic: ThreadId,
}

fn topic(cluster: &mut Cluster, node: usize, actor: UserId, group: GroupId) -> ThreadId {
    let (settings, groups) = (settings("plan"), vec![group]);
    let start = Command::CreateThread { actor, settings, groups, addresses: vec![] };
    let Reply::Scope(ScopeId::Thread(topic), _) = cluster.nodes[node].run(start).unwrap() else { panic!() };
    topic
}

pub fn stage() -> Stage {
    let mut cluster = Cluster::new(&["acme", "globex", "initech"]);
    let ann = cluster.nodes[ACME].user("ann");
    let (bob, carl) = (cluster.nodes[GLOBEX].user("bob"), cluster.nodes[INITECH].user("carl"));
    let dan = cluster.nodes[INITECH].user("dan");
    cluster.nodes[GLOBEX].run(Command::SetRole(bob, Role::Admin)).unwrap();
    let (group, chat) = group(&mut cluster.nodes[ACME], ann, "launch");
    join(&mut cluster, ACME, INITECH, ann, group.into(), carl, "carl@initech.example");
    join(&mut cluster, ACME, INITECH, ann, group.into(), dan, "dan@initech.example");
    post(&mut cluster.nodes[ACME], ann, chat, 1);
    let topic = topic(&mut cluster, ACME, ann, group);
    post(&mut cluster.nodes[ACME], ann, topic, 2);
    post(&mut cluster.nodes[INITECH], carl, chat, 3);
    cluster.settle();
    // bob comes last and sees nothing from before: his home needs it all the same.
    let action = Action::Invite {
        scope: group.into(),
        address: "bob@globex.example".into(),
        grade: Grade::Post,
        floor: Floor::FromNow,
        until: None,
    };
    cluster.nodes[ACME].run(Command::Act(ann, action)).unwrap();
    cluster.settle();
    let id = cluster.nodes[GLOBEX].state.received.values().next().unwrap().invite.id;
    cluster.nodes[GLOBEX].run(Command::AnswerInvite(bob, id, true)).unwrap();
    cluster.settle();
    post(&mut cluster.nodes[GLOBEX], bob, chat, 4);
    cluster.settle();
    Stage { cluster, ann, bob, carl, dan, group, chat, topic }
}

impl Stage {
    fn offer(&mut self) -> Result<MoveId, Reject> {
        let to = self.cluster.nodes[GLOBEX].id;
        match self.cluster.nodes[ACME].run(Command::OfferMove(self.ann, self.group, to))? {
            Reply::Offered(id) => Ok(id),
            other => panic!("{other:?}"),
        }
    }

    /// Offered and wanted; what follows from it is on its way.
    fn agree(&mut self) -> MoveId {
        let id = self.offer().unwrap();
        self.cluster.settle();
        self.cluster.nodes[GLOBEX].run(Command::WantMove(self.bob, id)).unwrap();
        id
    }

    fn moved(&mut self) {
        self.agree();
        self.cluster.settle();
        for scope in self.scopes() {
            assert_eq!(
                self.owners(scope),
                [self.cluster.nodes[GLOBEX].id; 3],
                "P5.4: one owner for everybody"
            );
        }
    }

    pub fn scopes(&self) -> [ScopeId; 3] {
        [self.group.into(), self.chat.into(), self.topic.into()]
    }

    pub fn owners(&self, scope: ScopeId) -> [comity::ids::WorkspaceId; 3] {
        [ACME, GLOBEX, INITECH].map(|node| self.cluster.nodes[node].state.scope(scope).unwrap().head.owner)
    }

    pub fn remove(&mut self, node: usize, actor: UserId, user: UserId) -> Result<Reply, Reject> {
        let action = Action::Remove { scope: self.group.into(), user, everywhere: false };
        self.cluster.nodes[node].run(Command::Act(actor, action))
    }

    /// Everybody holds the same chain and reads all of it; everybody writes.
    pub fn goes_on(&mut self, n: u8) {
        post(&mut self.cluster.nodes[GLOBEX], self.bob, self.chat, n);
        post(&mut self.cluster.nodes[ACME], self.ann, self.chat, n + 1);
        post(&mut self.cluster.nodes[INITECH], self.carl, self.chat, n + 2);
        self.cluster.settle();
        let high = self.cluster.nodes[GLOBEX].state.logs[&self.chat].high;
        for (node, user) in [(ACME, self.ann), (GLOBEX, self.bob), (INITECH, self.carl)] {
            let node = &self.cluster.nodes[node];
            assert_eq!(shown(node, user, self.chat), high, "P5.4: history and members stay");
            assert!(node.state.outbox.is_empty(), "everything was delivered");
            assert!(node.state.scopes.values().all(|scope| scope.head.frozen.is_none()));
        }
        for scope in self.scopes() {
            let heads = [ACME, GLOBEX, INITECH]
                .map(|node| self.cluster.nodes[node].state.scope(scope).unwrap().head.hash);
            assert!(heads.iter().all(|hash| *hash == heads[0]), "invariant 15: one chain");
        }
        let entries = |node: usize| {
            let of_chat =
                self.cluster.nodes[node].disk.content.iter().filter(|((of, _), _)| *of == self.chat);
            of_chat.map(|(_, stored)| stored.entry.clone()).collect::<Vec<_>>()
        };
        let all = entries(GLOBEX);
        assert_eq!(all.len(), usize::try_from(high).unwrap());
        assert_eq!(entries(ACME), all);
        assert_eq!(entries(INITECH), all);
    }
}

#[test]
fn p5_4_a_group_moves_with_chat_topic_history_and_members() {
    let mut stage = stage();
    assert!(stage.cluster.nodes[GLOBEX].state.logs[&stage.chat].low > 1, "globex lacks the beginning");
    stage.moved();
    assert_eq!(
        stage.cluster.nodes[GLOBEX].state.logs[&stage.chat].low, 1,
        "spec 14.2: whole before it signs"
    );
    assert_eq!(stage.cluster.nodes[GLOBEX].state.logs[&stage.topic].low, 1);
    let members = |node: usize| stage.cluster.nodes[node].state.scope(stage.group).unwrap().members.len();
    assert_eq!([members(ACME), members(GLOBEX), members(INITECH)], [4; 3]);
    stage.goes_on(10);
    let stands = stage.cluster.nodes.iter().flat_map(|node| node.state.transfers.values());
    assert!(stands.into_iter().all(|row| row.stand == Stand::Moved));
}

#[test]
fn p5_4_what_is_written_on_the_way_arrives_once() {
    let mut stage = stage();
    let id = stage.offer().unwrap();
    stage.cluster.settle();
    stage.cluster.nodes[GLOBEX].run(Command::WantMove(stage.bob, id)).unwrap();
    // globex holds all of it and signs; acme goes on and then takes the acceptance.
    stage.cluster.feed(GLOBEX, ACME, false);
    while stage.cluster.history(ACME, GLOBEX) {}
    assert_eq!(stage.cluster.nodes[GLOBEX].state.transfers[&id].stand, Stand::Signed);
    post(&mut stage.cluster.nodes[ACME], stage.ann, stage.chat, 20);
    post(&mut stage.cluster.nodes[INITECH], stage.carl, stage.chat, 21);
    stage.cluster.submit(ACME, INITECH, true);
    post(&mut stage.cluster.nodes[INITECH], stage.carl, stage.chat, 22);
    stage.cluster.feed(GLOBEX, ACME, false);
    assert_eq!(stage.cluster.nodes[ACME].state.transfers[&id].stand, Stand::Moved);
    stage.cluster.submit(ACME, INITECH, false);
    let refused =
        |cluster: &Cluster| cluster.nodes[INITECH].state.outbox.values().any(|row| row.refused.is_some());
    assert!(!refused(&stage.cluster), "an old owner says later, not no");
    let own = stage.cluster.nodes[GLOBEX].id;
    assert_eq!(post(&mut stage.cluster.nodes[ACME], stage.ann, stage.chat, 23), Reply::Pending(own));
    while stage.cluster.feed(ACME, GLOBEX, false) {}
    assert!(stage.cluster.nodes[GLOBEX].state.owns(stage.chat));
    assert_eq!(
        post(&mut stage.cluster.nodes[GLOBEX], stage.bob, stage.chat, 24),
        Reply::Pending(own),
        "spec 14.3: nothing new before everything old is here"
    );
    stage.cluster.settle();
    stage.goes_on(30);
    assert_eq!(stage.cluster.nodes[GLOBEX].state.logs[&stage.chat].high, 11, "nothing lost, nothing twice");
}

#[test]
fn p5_4_the_old_owner_neither_writes_nor_decides_any_more() {
    let mut stage = stage();
    let offer = Action::Invite {
        scope: stage.group.into(),
        address: "eve@initech.example".into(),
        grade: Grade::Post,
        floor: Floor::All,
        until: None,
    };
    stage.cluster.nodes[INITECH].user("eve");
    stage.cluster.nodes[ACME].run(Command::Act(stage.ann, offer)).unwrap();
    stage.cluster.settle();
    stage.moved();
    let received = stage.cluster.nodes[INITECH].state.received.values();
    let open = received.filter(|row| row.status == InviteStatus::Sent).count();
    assert_eq!(open, 0, "spec 14.2: open invitations are void");
    assert!(
        matches!(stage.remove(ACME, stage.ann, stage.dan), Ok(Reply::Forward(..))),
        "it asks the new owner"
    );
    let own = stage.cluster.nodes[GLOBEX].id;
    let written = post(&mut stage.cluster.nodes[ACME], stage.ann, stage.chat, 9);
    assert_eq!(written, Reply::Pending(own), "it sequences nothing");
    let to = stage.cluster.nodes[INITECH].id;
    let again = stage.cluster.nodes[ACME].run(Command::OfferMove(stage.ann, stage.group, to));
    assert_eq!(again.unwrap_err().code, RejectCode::NotOwner);
    stage.cluster.settle();
    stage.goes_on(10);
}

#[test]
fn p7_a_removal_right_before_the_move_stays() {
    let mut stage = stage();
    let id = stage.offer().unwrap();
    stage.cluster.settle();
    stage.cluster.nodes[GLOBEX].run(Command::WantMove(stage.bob, id)).unwrap();
    stage.cluster.feed(GLOBEX, ACME, false);
    while stage.cluster.history(ACME, GLOBEX) {}
    stage.remove(ACME, stage.ann, stage.dan).unwrap();
    // The new owner's word reaches initech before the old owner's removal and move.
    while stage.cluster.feed(GLOBEX, ACME, false) | stage.cluster.feed(ACME, GLOBEX, false) {}
    assert!(stage.cluster.nodes[GLOBEX].state.owns(stage.group));
    while stage.cluster.feed(GLOBEX, INITECH, false) {}
    let reads = |stage: &Stage| gate::ways(&stage.cluster.nodes[INITECH].state, stage.dan, stage.chat).len();
    assert_eq!(reads(&stage), 0, "P7: out by the new owner's snapshot");
    stage.cluster.settle();
    assert_eq!(reads(&stage), 0, "P7: and stays out");
    let removals = stage.cluster.nodes[ACME].state.removals.values();
    assert!(
        removals.flat_map(|row| row.homes.clone()).all(|(_, at)| at.is_some()),
        "P7.6: acme has its receipt"
    );
    let gone = &stage.cluster.nodes[GLOBEX].state.scope(stage.group).unwrap().head.tombstones;
    assert!(gone.iter().any(|(user, _)| *user == stage.dan), "spec 6.5: the new owner knows who was removed");
    stage.goes_on(10);
}

#[test]
fn p7_the_new_owner_removes_and_both_others_confirm() {
    let mut stage = stage();
    let eve = stage.cluster.nodes[ACME].user("eve");
    let add = Command::AddMembers {
        actor: stage.ann,
        scope: stage.group.into(),
        users: vec![eve],
        grade: Grade::Post,
        floor: Floor::All,
    };
    stage.cluster.nodes[ACME].run(add).unwrap();
    stage.moved();
    stage.remove(GLOBEX, stage.bob, stage.dan).unwrap();
    stage.remove(GLOBEX, stage.bob, eve).unwrap();
    stage.cluster.settle();
    assert!(!gate::reaches(&stage.cluster.nodes[INITECH].state, stage.dan, stage.chat), "P7.3");
    assert!(!gate::reaches(&stage.cluster.nodes[ACME].state, eve, stage.chat), "P7.3: the old owner obeys");
    let removals: Vec<_> = stage.cluster.nodes[GLOBEX].state.removals.values().cloned().collect();
    assert_eq!(removals.len(), 2);
    assert!(removals.iter().flat_map(|row| row.homes.iter()).all(|(_, at)| at.is_some()), "P7.6: receipts");
    stage.goes_on(10);
}

/// P7.4: the new owner believes in every lease that the old one may have given until the last moment.
#[test]
fn p7_4_a_cut_off_follower_may_hold_the_old_owners_lease() {
    let mut stage = stage();
    stage.cluster.pass(200_000);
    stage.cluster.lease(ACME, INITECH, 0);
    stage.agree();
    stage.cluster.feed(GLOBEX, ACME, false);
    while stage.cluster.history(ACME, GLOBEX) {}
    while stage.cluster.feed(GLOBEX, ACME, false) | stage.cluster.feed(ACME, GLOBEX, false) {}
    assert!(stage.cluster.nodes[GLOBEX].state.owns(stage.chat));
    let peer = stage.cluster.nodes[INITECH].id;
    stage.remove(GLOBEX, stage.bob, stage.dan).unwrap();
    let removal = stage.cluster.nodes[GLOBEX].state.removals.values().next().unwrap().clone();
    let latest = removal.latest.iter().find(|(home, _)| *home == peer).unwrap().1;
    let ttl = limits::LEASE_STANDARD_MILLIS;
    assert_eq!(latest, removal.time.plus(ttl + lease::allowance(ttl)), "spec 14.3: a full lease from now");
    stage.cluster.pass(ttl - 10_000);
    let reads = |stage: &Stage| gate::reaches(&stage.cluster.nodes[INITECH].state, stage.dan, stage.chat);
    assert!(reads(&stage), "cut off, it serves under acme's lease");
    stage.cluster.pass(10_000 + lease::allowance(ttl));
    assert!(!reads(&stage), "P7.4: and not a moment longer than globex says");
}

fn ahead() -> (Stage, Backup) {
    let mut stage = stage();
    let before = stage.cluster.nodes[ACME].backup();
    stage.moved();
    stage.remove(GLOBEX, stage.bob, stage.dan).unwrap();
    stage.cluster.settle();
    (stage, before)
}

#[test]
fn p7_an_old_owner_restored_from_before_the_move_does_not_take_the_group_back() {
    for first in [GLOBEX, INITECH] {
        let (mut stage, before) = ahead();
        stage.cluster.nodes[ACME].restart(before);
        assert!(stage.cluster.nodes[ACME].state.owns(stage.group), "the copy is from before the move");
        assert!(stage.cluster.recall(ACME, first));
        for scope in stage.scopes() {
            assert_eq!(stage.owners(scope), [stage.cluster.nodes[GLOBEX].id; 3], "spec 14.5: its own event");
        }
        stage.cluster.settle();
        assert!(!gate::reaches(&stage.cluster.nodes[INITECH].state, stage.dan, stage.chat), "P7: still out");
        stage.goes_on(40);
    }
}

#[test]
fn p7_an_old_owner_that_went_on_alone_yields_when_it_hears_of_the_move() {
    let (mut stage, before) = ahead();
    stage.cluster.nodes[ACME].restart(before);
    stage.cluster.pass(10_001);
    assert!(matches!(post(&mut stage.cluster.nodes[ACME], stage.ann, stage.chat, 50), Reply::Posted(_)));
    stage.cluster.settle();
    for scope in stage.scopes() {
        assert_eq!(stage.owners(scope), [stage.cluster.nodes[GLOBEX].id; 3]);
    }
    assert!(!gate::reaches(&stage.cluster.nodes[INITECH].state, stage.dan, stage.chat), "P7: still out");
    stage.goes_on(51);
}

#[test]
fn p5_4_a_new_owner_restored_from_before_the_move_owns_it_again() {
    let mut stage = stage();
    let before = stage.cluster.nodes[GLOBEX].backup();
    stage.moved();
    post(&mut stage.cluster.nodes[GLOBEX], stage.bob, stage.chat, 60);
    stage.remove(GLOBEX, stage.bob, stage.dan).unwrap();
    stage.cluster.settle();
    stage.cluster.nodes[GLOBEX].restart(before);
    stage.cluster.settle();
    assert!(stage.cluster.nodes[GLOBEX].state.owns(stage.group));
    assert!(!gate::reaches(&stage.cluster.nodes[INITECH].state, stage.dan, stage.chat), "P7: still out");
    stage.goes_on(61);
}

#[test]
fn p5_4_an_old_owner_without_a_reader_deletes_its_copy_with_a_receipt() {
    let mut stage = stage();
    let own = Action::Remove { scope: stage.group.into(), user: stage.ann, everywhere: true };
    let admin = stage.cluster.nodes[ACME].user("root");
    stage.cluster.nodes[ACME].run(Command::SetRole(admin, Role::Admin)).unwrap();
    stage.cluster.nodes[ACME].run(Command::Act(admin, own)).unwrap();
    stage.cluster.settle();
    let to = stage.cluster.nodes[GLOBEX].id;
    let Reply::Offered(id) =
        stage.cluster.nodes[ACME].run(Command::OfferMove(admin, stage.group, to)).unwrap()
    else {
        panic!()
    };
    stage.cluster.settle();
    stage.cluster.nodes[GLOBEX].run(Command::WantMove(stage.bob, id)).unwrap();
    stage.cluster.settle();
    assert!(stage.cluster.nodes[GLOBEX].state.owns(stage.chat));
    assert!(stage.cluster.nodes[ACME].disk.content.is_empty(), "no reader, no copy");
    let receipts = &stage.cluster.nodes[GLOBEX].state.transfers[&id].receipts;
    let mut confirmed: Vec<ScopeId> = receipts.iter().map(|(scope, ..)| *scope).collect();
    confirmed.sort_unstable();
    let mut all = stage.scopes().to_vec();
    all.sort_unstable();
    assert_eq!(confirmed, all, "P7.6: a receipt per scope");
}

#[test]
fn p2_5_no_move_without_both_sides() {
    let mut stage = stage();
    let to = stage.cluster.nodes[GLOBEX].id;
    let mia = stage.cluster.nodes[ACME].user("mia");
    let by_mia = stage.cluster.nodes[ACME].run(Command::OfferMove(mia, stage.group, to));
    assert_eq!(by_mia.unwrap_err().code, RejectCode::NotFound, "P3.1: a stranger to the group");
    let id = stage.offer().unwrap();
    stage.cluster.settle();
    let gus = stage.cluster.nodes[GLOBEX].user("gus");
    let by_gus = stage.cluster.nodes[GLOBEX].run(Command::WantMove(gus, id));
    assert_eq!(by_gus.unwrap_err().code, RejectCode::NotFound, "only an admin accepts");
    stage.cluster.nodes[ACME].run(Command::EndMove(stage.ann, id)).unwrap();
    stage.cluster.settle();
    let late = stage.cluster.nodes[GLOBEX].run(Command::WantMove(stage.bob, id));
    assert_eq!(late.unwrap_err().code, RejectCode::NotFound, "withdrawn");

    let id = stage.offer().unwrap();
    stage.cluster.settle();
    stage.cluster.nodes[ACME].run(Command::SetRole(stage.ann, Role::Suspended)).unwrap();
    stage.cluster.nodes[GLOBEX].run(Command::WantMove(stage.bob, id)).unwrap();
    stage.cluster.pass(1);
    stage.cluster.settle();
    assert!(
        stage.cluster.nodes[ACME].state.owns(stage.group),
        "the offer ended with the rights of who made it"
    );
    assert_eq!(stage.cluster.nodes[GLOBEX].state.transfers[&id].stand, Stand::Over);
}

/// A thread that was started after the acceptance makes the new owner sign once more.
#[test]
fn p5_4_what_begins_meanwhile_moves_as_well() {
    let mut stage = stage();
    let id = stage.agree();
    stage.cluster.feed(GLOBEX, ACME, false);
    while stage.cluster.history(ACME, GLOBEX) {}
    assert_eq!(stage.cluster.nodes[GLOBEX].state.transfers[&id].stand, Stand::Signed);
    let later = topic(&mut stage.cluster, ACME, stage.ann, stage.group);
    stage.cluster.settle();
    assert_eq!(stage.owners(later.into()), [stage.cluster.nodes[GLOBEX].id; 3]);
    stage.goes_on(10);
}

/// Neither half of a move is believed alone, nor one by somebody else.
#[test]
fn a_move_without_both_signatures_is_refused() {
    let mut stage = stage();
    let before = stage.cluster.nodes[INITECH].backup();
    stage.moved();
    let reign = stage.cluster.nodes[GLOBEX].state.reigns.values().next().unwrap().clone();
    stage.cluster.nodes[INITECH].restore(before);
    let (acme, id) = (stage.cluster.nodes[ACME].id, reign.scope);
    let owner = |stage: &Stage| stage.cluster.nodes[INITECH].state.scope(id).unwrap().head.owner;
    let (event, acceptance) = (reign.event.clone(), reign.acceptance.clone());
    let bad = |blob: &Blob| {
        let mut bytes = blob.to_vec();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        Blob::from(bytes)
    };
    for item in [
        Item::Event { event: event.clone() },
        Item::Moved { event: bad(&event), acceptance: acceptance.clone() },
        Item::Moved { event: event.clone(), acceptance: bad(&acceptance) },
        Item::Moved { event: event.clone(), acceptance: event.clone() },
    ] {
        stage.cluster.say(ACME, INITECH, &item);
        assert_eq!(owner(&stage), acme, "{item:?}");
    }
    stage.cluster.say(GLOBEX, INITECH, &Item::Moved { event, acceptance });
    assert_eq!(owner(&stage), stage.cluster.nodes[GLOBEX].id);
}

#[test]
fn a_newcomer_after_the_move_reads_what_the_old_owner_sequenced() {
    let mut stage = stage();
    stage.moved();
    let eve = stage.cluster.nodes[INITECH].user("eve");
    stage.remove(GLOBEX, stage.bob, stage.carl).unwrap();
    stage.remove(GLOBEX, stage.bob, stage.dan).unwrap();
    stage.cluster.settle();
    assert!(stage.cluster.nodes[INITECH].disk.content.is_empty(), "P7.3: initech has no copy left");
    join(&mut stage.cluster, GLOBEX, INITECH, stage.bob, stage.group.into(), eve, "eve@initech.example");
    let high = stage.cluster.nodes[GLOBEX].state.logs[&stage.chat].high;
    let log = &stage.cluster.nodes[INITECH].state.logs[&stage.chat];
    assert_eq!(
        (log.low, log.high),
        (1, high),
        "spec 14.6: entries of acme's time are vouched for by its last event"
    );
    assert_eq!(shown(&stage.cluster.nodes[INITECH], eve, stage.chat), high);
    let acme = stage.cluster.nodes[ACME].id;
    assert!(fanout::followers(&stage.cluster.nodes[GLOBEX].state, stage.group.into()).contains(&acme));
}
