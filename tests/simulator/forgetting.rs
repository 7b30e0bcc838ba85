//! When the owner forgets (spec 12; P7): restored from before a removal, it re-admits nobody who is known to be out.

use comity::{
    ids::{ScopeId, ThreadId, UserId},
    protocol::{Command, Reply, command::RejectCode, evidence, gate, row::InviteStatus},
    wire::objects::{Action, Floor, Grade},
};

use crate::{
    cluster::{Backup, Cluster},
    story::{group, join, post, shown, trio},
};

/// acme's group with bob of globex and carl of initech in it, a copy of acme, and then bob's removal.
struct Stage {
    cluster: Cluster,
    ann: UserId,
    bob: UserId,
    carl: UserId,
    group: ScopeId,
    chat: ThreadId,
    before: Backup,
}

const ACME: usize = 0;
const GLOBEX: usize = 1;
const INITECH: usize = 2;

fn stage() -> Stage {
    let (cluster, [ann, bob, carl], group, chat) = trio();
    let before = cluster.nodes[ACME].backup();
    let mut stage = Stage { cluster, ann, bob, carl, group, chat, before };
    stage.remove(bob).unwrap();
    stage
}

impl Stage {
    fn remove(&mut self, user: UserId) -> Result<Reply, comity::protocol::Reject> {
        let action = Action::Remove { scope: self.group, user, everywhere: false };
        self.cluster.nodes[ACME].run(Command::Act(self.ann, action))
    }

    fn restore(&mut self) {
        self.cluster.nodes[ACME].restart(self.before.clone());
    }

    fn is_in(&self, user: UserId) -> bool {
        self.cluster.nodes[ACME].state.scope(self.group).unwrap().members.contains_key(&user)
    }

    fn is_out(&self, user: UserId, home: usize) {
        assert!(!self.is_in(user), "invariant 6: re-admitted by the owner");
        let reads = gate::reaches(&self.cluster.nodes[home].state, user, self.chat);
        assert!(!reads, "invariant 6: shown again at home");
    }

    /// Everybody holds the same, and everybody who is in reads and writes.
    fn goes_on(&mut self, n: u8) {
        post(&mut self.cluster.nodes[ACME], self.ann, self.chat, n);
        self.cluster.settle();
        let high = shown(&self.cluster.nodes[ACME], self.ann, self.chat);
        assert_eq!(shown(&self.cluster.nodes[INITECH], self.carl, self.chat), high);
        let heads =
            [ACME, INITECH].map(|node| self.cluster.nodes[node].state.scope(self.group).unwrap().head.hash);
        assert_eq!(heads[0], heads[1], "invariant 15: one chain");
    }
}

#[test]
fn p7_a_restored_owner_takes_the_removal_back_from_who_had_purged() {
    let mut stage = stage();
    stage.cluster.settle();
    assert!(stage.cluster.nodes[GLOBEX].disk.content.is_empty(), "P7.3: globex has purged");
    stage.restore();
    assert!(stage.is_in(stage.bob), "the copy is from before the removal");
    assert!(stage.cluster.recall(ACME, GLOBEX));
    stage.is_out(stage.bob, GLOBEX);
    assert_eq!(
        stage.cluster.nodes[ACME].state.scope(stage.group).unwrap().head.incarnation,
        0,
        "the same chain"
    );
    stage.cluster.settle();
    stage.is_out(stage.bob, GLOBEX);
    stage.goes_on(2);
}

#[test]
fn p7_own_posts_wait_during_the_check_and_come_after_what_was_lost() {
    let mut stage = stage();
    post(&mut stage.cluster.nodes[ACME], stage.ann, stage.chat, 2);
    stage.cluster.settle();
    stage.restore();
    let own = stage.cluster.nodes[ACME].id;
    assert_eq!(post(&mut stage.cluster.nodes[ACME], stage.ann, stage.chat, 3), Reply::Pending(own));
    stage.cluster.settle();
    assert_eq!(
        shown(&stage.cluster.nodes[ACME], stage.ann, stage.chat),
        3,
        "entry 2 was fetched back, 3 follows it"
    );
    assert!(stage.cluster.nodes[ACME].state.outbox.is_empty());
    stage.is_out(stage.bob, GLOBEX);
    stage.goes_on(4);
}

#[test]
fn p7_a_new_removal_waits_for_the_old_one() {
    let mut stage = stage();
    stage.cluster.settle();
    stage.restore();
    assert_eq!(stage.remove(stage.carl).unwrap_err().code, RejectCode::Checking, "nothing new is signed yet");
    stage.cluster.recall(ACME, GLOBEX);
    assert_eq!(stage.remove(stage.carl).unwrap_err().code, RejectCode::Checking, "initech was not heard");
    stage.cluster.recall(ACME, INITECH);
    stage.remove(stage.carl).unwrap();
    stage.cluster.settle();
    stage.is_out(stage.bob, GLOBEX);
    stage.is_out(stage.carl, INITECH);
}

#[test]
fn p7_who_never_answers_does_not_stop_the_scope_and_finds_it_later() {
    let mut stage = stage();
    stage.cluster.feed(ACME, GLOBEX, false);
    stage.restore();
    stage.cluster.recall(ACME, INITECH);
    stage.cluster.pass(10_001);
    stage.remove(stage.carl).unwrap();
    let head = stage.cluster.nodes[ACME].state.scope(stage.group).unwrap().head.clone();
    assert_eq!(head.incarnation >> 32, 1, "spec 12.3: silence leads to a new incarnation");
    assert!(stage.is_in(stage.bob), "nobody who answered knew better");
    assert!(
        gate::peer_floor(&stage.cluster.nodes[ACME].state, stage.cluster.nodes[GLOBEX].id, stage.chat)
            .is_none()
    );
    stage.cluster.settle();
    stage.is_out(stage.bob, GLOBEX);
    stage.is_out(stage.carl, INITECH);
    let frozen = stage.cluster.nodes.iter().flat_map(|node| node.state.scopes.values());
    assert!(
        frozen.into_iter().all(|scope| scope.head.frozen.is_none()),
        "no contradiction across incarnations"
    );
}

#[test]
fn a_thread_that_went_on_without_its_end_is_one_chain_again() {
    let mut stage = stage();
    stage.cluster.settle();
    for n in 2..=4 {
        post(&mut stage.cluster.nodes[ACME], stage.ann, stage.chat, n);
    }
    stage.cluster.settle();
    assert_eq!(shown(&stage.cluster.nodes[INITECH], stage.carl, stage.chat), 4);
    stage.restore();
    stage.cluster.recall(ACME, GLOBEX);
    stage.cluster.pass(10_001);
    assert_eq!(post(&mut stage.cluster.nodes[ACME], stage.ann, stage.chat, 9), Reply::Posted(2));
    stage.cluster.settle();
    let shown = shown(&stage.cluster.nodes[INITECH], stage.carl, stage.chat);
    assert_eq!(shown, 2, "entries 2 to 4 were let go, the new 2 is there");
    let (ours, theirs) =
        (&stage.cluster.nodes[ACME].disk.content, &stage.cluster.nodes[INITECH].disk.content);
    assert_eq!(ours[&(stage.chat, 2)].entry, theirs[&(stage.chat, 2)].entry);
    stage.goes_on(10);
}

#[test]
fn a_group_made_after_the_copy_comes_back_from_its_members() {
    let mut stage = stage();
    stage.cluster.settle();
    let (id, chat) = group(&mut stage.cluster.nodes[ACME], stage.ann, "later");
    join(&mut stage.cluster, ACME, INITECH, stage.ann, id.into(), stage.carl, "carl@initech.example");
    post(&mut stage.cluster.nodes[ACME], stage.ann, chat, 7);
    stage.cluster.settle();
    stage.restore();
    assert!(stage.cluster.nodes[ACME].state.scope(id).is_none());
    stage.cluster.settle();
    assert_eq!(shown(&stage.cluster.nodes[ACME], stage.ann, chat), 1, "with its message");
    post(&mut stage.cluster.nodes[ACME], stage.ann, chat, 8);
    stage.cluster.settle();
    assert_eq!(shown(&stage.cluster.nodes[INITECH], stage.carl, chat), 2);
}

/// acme remembers bob only: carl's coming, and what followed it, is told by the answers.
fn only_bob_remembered() -> Stage {
    let mut cluster = Cluster::new(&["acme", "globex", "initech"]);
    let ann = cluster.nodes[ACME].user("ann");
    let (bob, carl) = (cluster.nodes[GLOBEX].user("bob"), cluster.nodes[INITECH].user("carl"));
    let (id, chat) = group(&mut cluster.nodes[ACME], ann, "launch");
    let group = id.into();
    join(&mut cluster, ACME, GLOBEX, ann, group, bob, "bob@globex.example");
    let before = cluster.nodes[ACME].backup();
    join(&mut cluster, ACME, INITECH, ann, group, carl, "carl@initech.example");
    Stage { cluster, ann, bob, carl, group, chat, before }
}

/// Found by the model: initech tells of carl's removal first, globex then of his coming.
#[test]
fn p7_answers_in_any_order_re_admit_nobody() {
    let mut stage = only_bob_remembered();
    stage.remove(stage.carl).unwrap();
    stage.cluster.feed(ACME, INITECH, false);
    stage.restore();
    stage.cluster.recall(ACME, INITECH);
    stage.cluster.recall(ACME, GLOBEX);
    stage.is_out(stage.carl, INITECH);
    stage.cluster.settle();
    stage.is_out(stage.carl, INITECH);
    let head = stage.cluster.nodes[ACME].state.scope(stage.group).unwrap().head.clone();
    assert_eq!(head.incarnation, 0, "spec 12.4: nothing is missing, so it is the same chain");
}

/// Found by the model: initech tells of bob's removal first; what lies before it is known only from globex.
#[test]
fn p7_an_epoch_is_signed_once_whoever_answers_first() {
    let mut stage = only_bob_remembered();
    stage.remove(stage.bob).unwrap();
    stage.cluster.feed(ACME, INITECH, false);
    stage.cluster.pass(1000);
    stage.restore();
    stage.cluster.recall(ACME, INITECH);
    stage.cluster.recall(ACME, GLOBEX);
    stage.cluster.settle();
    stage.is_out(stage.bob, GLOBEX);
    let nodes = &stage.cluster.nodes;
    assert!(nodes.iter().all(|node| node.state.evidence.is_empty()), "invariant 4: nothing is signed twice");
    let frozen = nodes.iter().flat_map(|node| node.state.scopes.values());
    assert!(frozen.into_iter().all(|scope| scope.head.frozen.is_none()));
    stage.goes_on(2);
}

/// Who came after a removal has no event of it, but the snapshot by which he came shows who was out by then.
#[test]
fn p7_a_snapshot_tells_who_was_out() {
    let mut stage = only_bob_remembered();
    let (ann, group, carl) = (stage.ann, stage.group, stage.carl);
    stage.cluster.settle();
    stage.remove(carl).unwrap();
    stage.cluster.settle();
    stage.remove(stage.bob).unwrap();
    join(&mut stage.cluster, ACME, INITECH, ann, group, carl, "carl@initech.example");
    stage.cluster.nodes[INITECH].disk.events.clear();
    stage.restore();
    stage.cluster.recall(ACME, INITECH);
    let member = gate::knows_scope(&stage.cluster.nodes[ACME].state, stage.bob, group);
    assert!(!member, "invariant 6: initech's snapshot shows him out");
    stage.cluster.pass(10_001);
    stage.cluster.settle();
    stage.is_out(stage.bob, GLOBEX);
}

/// Found by the model: entry 2 is signed again after it was forgotten, under heads of the group.
#[test]
fn p7_heads_over_forgotten_entries_are_no_evidence_against_an_honest_owner() {
    let mut stage = stage();
    let head = |stage: &Stage| {
        let log = stage.cluster.nodes[INITECH].state.logs.get(&stage.chat).unwrap();
        log.covers.iter().find(|(of, _)| *of == stage.group).map(|(_, cover)| cover.head.clone()).unwrap()
    };
    post(&mut stage.cluster.nodes[ACME], stage.ann, stage.chat, 2);
    stage.cluster.settle();
    let forgotten = head(&stage);
    stage.restore();
    stage.cluster.pass(10_001);
    post(&mut stage.cluster.nodes[ACME], stage.ann, stage.chat, 9);
    stage.cluster.settle();
    assert!(
        !evidence::contradict(&forgotten, &head(&stage)),
        "invariant 4: one hash per incarnation and entry"
    );
    stage.goes_on(10);
}

/// Found by the model: bob's home, which had purged, gets a snapshot while his removal waits for the other answers.
#[test]
fn p7_who_is_known_to_be_out_is_not_introduced_again() {
    let mut stage = stage();
    stage.cluster.settle();
    stage.restore();
    stage.cluster.pass(10_001);
    post(&mut stage.cluster.nodes[ACME], stage.ann, stage.chat, 9);
    assert!(stage.is_in(stage.bob), "nobody has answered");
    let newest = stage.cluster.nodes[ACME].backup();
    stage.cluster.nodes[ACME].restart(newest);
    stage.cluster.recall(ACME, GLOBEX);
    while stage.cluster.feed(ACME, GLOBEX, false) {}
    let knows = gate::knows_scope(&stage.cluster.nodes[GLOBEX].state, stage.bob, stage.group);
    assert!(!knows, "invariant 6: globex had said that he is out");
    stage.cluster.settle();
    stage.is_out(stage.bob, GLOBEX);
    stage.goes_on(10);
}

/// Found by the model: the row by which bob comes back is lost to a comparison.
#[test]
fn p7_who_is_invited_again_is_in_also_after_a_comparison() {
    let mut stage = stage();
    stage.cluster.settle();
    let (scope, address) = (stage.group, "bob@globex.example".into());
    let invite = Action::Invite { scope, address, grade: Grade::Post, floor: Floor::All, until: None };
    stage.cluster.nodes[ACME].run(Command::Act(stage.ann, invite)).unwrap();
    stage.cluster.settle();
    let received = stage.cluster.nodes[GLOBEX].state.received.values();
    let id = received.filter(|row| row.status == InviteStatus::Sent).map(|row| row.invite.id).next().unwrap();
    stage.cluster.nodes[GLOBEX].run(Command::AnswerInvite(stage.bob, id, true)).unwrap();
    while stage.cluster.feed(GLOBEX, ACME, false) {}
    assert!(stage.is_in(stage.bob));
    stage.cluster.compare(ACME, GLOBEX);
    stage.cluster.settle();
    let globex = &stage.cluster.nodes[GLOBEX].state;
    assert!(
        gate::reaches(globex, stage.bob, stage.chat),
        "invariant 15: the home shows what the owner grants"
    );
}

/// Found by the model: "not here" waited for the end of bob's home's own check, and took away what came after it.
#[test]
fn p7_who_is_invited_again_while_his_home_checks_stays() {
    let mut stage = stage();
    stage.restore();
    stage.cluster.pass(10_001);
    stage.remove(stage.bob).unwrap();
    let newest = stage.cluster.nodes[GLOBEX].backup();
    stage.cluster.nodes[GLOBEX].restart(newest);
    stage.cluster.recall(GLOBEX, ACME);
    stage.cluster.recall(ACME, GLOBEX);
    while stage.cluster.feed(ACME, GLOBEX, false) {}
    stage.cluster.recall(ACME, INITECH);
    let (scope, address) = (stage.group, "bob@globex.example".into());
    let invite = Action::Invite { scope, address, grade: Grade::Post, floor: Floor::All, until: None };
    stage.cluster.nodes[ACME].run(Command::Act(stage.ann, invite)).unwrap();
    while stage.cluster.feed(ACME, GLOBEX, false) {}
    let received = stage.cluster.nodes[GLOBEX].state.received.values();
    let id = received.filter(|row| row.status == InviteStatus::Sent).map(|row| row.invite.id).next().unwrap();
    stage.cluster.nodes[GLOBEX].run(Command::AnswerInvite(stage.bob, id, true)).unwrap();
    while stage.cluster.feed(GLOBEX, ACME, false) {}
    assert!(stage.is_in(stage.bob), "he is invited again, and has consented");
    stage.cluster.settle();
    assert!(stage.is_in(stage.bob));
    let globex = &stage.cluster.nodes[GLOBEX].state;
    assert!(
        gate::reaches(globex, stage.bob, stage.chat),
        "invariant 15: the home shows what the owner grants"
    );
}
