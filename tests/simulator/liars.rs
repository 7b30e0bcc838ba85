//! Peers that say what is not so (spec 9.6, 12.2): it costs their own time, and nobody's scopes, memory or places.

use comity::{
    ids::{Hash, ScopeId, ThreadId, UserId},
    protocol::{Command, command::RejectCode, gate},
    wire::{
        frames::{FeedFrame, Item, ScopeState, Witness},
        objects::{Action, Floor, Grade},
    },
};

use crate::{
    cluster::Cluster,
    story::{group, join, post, shown, trio},
};

const ACME: usize = 0;
const GLOBEX: usize = 1;
const INITECH: usize = 2;

struct Stage {
    cluster: Cluster,
    ann: UserId,
    bob: UserId,
    carl: UserId,
    group: ScopeId,
    chat: ThreadId,
}

fn stage() -> Stage {
    let (cluster, [ann, bob, carl], group, chat) = trio();
    Stage { cluster, ann, bob, carl, group, chat }
}

impl Stage {
    /// acme starts from its newest disk and has heard everybody.
    fn started(&mut self) {
        let newest = self.cluster.nodes[ACME].backup();
        self.cluster.nodes[ACME].restart(newest);
        self.cluster.settle();
    }

    fn claim(&self, incarnation: u64, epoch: u64) -> ScopeState {
        let (scope, hash) = (self.group, Hash([9; 32]));
        ScopeState { scope, incarnation, epoch, hash, follows: true, content: None }
    }

    fn compare(&mut self, held: Vec<ScopeState>) {
        let globex = self.cluster.nodes[GLOBEX].id;
        self.cluster.nodes[ACME].run(Command::Compare(globex, held)).unwrap();
    }

    fn incarnation(&self) -> u64 {
        self.cluster.nodes[ACME].state.scope(self.group).unwrap().head.incarnation >> 32
    }
}

#[test]
fn a_position_that_nobody_signed_costs_one_incarnation_and_no_scope() {
    let mut stage = stage();
    stage.started();
    stage.compare(vec![stage.claim(0xffff_fffe << 32, 0)]);
    stage.compare(vec![stage.claim(u64::MAX, u64::MAX)]);
    assert_eq!(stage.incarnation(), 0, "no number is believed that leaves no room above");
    stage.started();
    for n in 1..20 {
        stage.compare(vec![stage.claim(n << 32, n << 32)]);
    }
    assert_eq!(stage.incarnation(), 2, "above the first that is believed; a peer is believed once");
    let acme = stage.cluster.nodes[ACME].id;
    stage.cluster.nodes[GLOBEX].run(Command::Comparing(acme)).unwrap();
    stage.cluster.settle();
    post(&mut stage.cluster.nodes[ACME], stage.ann, stage.chat, 2);
    stage.cluster.settle();
    let high = shown(&stage.cluster.nodes[ACME], stage.ann, stage.chat);
    assert_eq!(shown(&stage.cluster.nodes[INITECH], stage.carl, stage.chat), high, "invariant 15");
    assert_eq!(shown(&stage.cluster.nodes[GLOBEX], stage.bob, stage.chat), high, "invariant 15");
}

#[test]
fn a_scope_that_is_named_a_thousand_times_is_sent_once() {
    let mut stage = stage();
    let mut honest = stage.claim(0, 0);
    honest.follows = false;
    let globex = stage.cluster.nodes[GLOBEX].id;
    stage.compare(vec![honest; 1000]);
    let rows = stage.cluster.nodes[ACME].state.peers[&globex].queued;
    assert!(rows < 20, "{rows} rows");
}

/// Spec 12.5: who says that he has most, and gives nothing, does not keep the others from giving back what they have.
#[test]
fn what_an_honest_follower_has_comes_back_whatever_another_says() {
    let mut stage = stage();
    let before = stage.cluster.nodes[ACME].backup();
    post(&mut stage.cluster.nodes[ACME], stage.ann, stage.chat, 2);
    stage.cluster.settle();
    let high = shown(&stage.cluster.nodes[INITECH], stage.carl, stage.chat);
    stage.cluster.nodes[ACME].restart(before);
    let (acme, globex) = (stage.cluster.nodes[ACME].id, stage.cluster.nodes[GLOBEX].id);
    let head = stage.cluster.nodes[ACME].state.scope(stage.chat).unwrap().head.clone();
    let lie = ScopeState {
        scope: stage.chat.into(),
        incarnation: head.incarnation,
        epoch: head.epoch,
        hash: head.hash,
        follows: true,
        content: Some((1 << 40, Hash([9; 32]))),
    };
    // It has nothing to give, and its lie is higher than the truth.
    stage.cluster.nodes[GLOBEX].disk.content.clear();
    stage.cluster.nodes[GLOBEX].state.logs.remove(&stage.chat);
    let frame = Witness { scopes: vec![lie.clone()], items: vec![], more: false };
    stage.cluster.nodes[ACME].run(Command::Witness(globex, frame)).unwrap();
    stage.cluster.nodes[ACME].run(Command::Compared(globex, vec![lie])).unwrap();
    stage.cluster.nodes[GLOBEX].run(Command::Comparing(acme)).unwrap();
    stage.cluster.settle();
    stage.cluster.pass(10_001);
    post(&mut stage.cluster.nodes[ACME], stage.ann, stage.chat, 3);
    stage.cluster.settle();
    let high = high + 1;
    assert_eq!(shown(&stage.cluster.nodes[ACME], stage.ann, stage.chat), high, "entry 2 is back");
    assert_eq!(shown(&stage.cluster.nodes[INITECH], stage.carl, stage.chat), high);
}

/// P7.5: the home ended his place; what the owner still shows of him, because it has not heard so, does not count.
#[test]
fn p7_5_who_was_withdrawn_at_home_is_out_before_the_owner_hears() {
    let mut stage = stage();
    let admin = stage.cluster.nodes[GLOBEX].user("gina");
    let (user, scope) = (stage.bob, stage.group);
    stage.cluster.nodes[GLOBEX].run(Command::Withdraw { admin, user, scope }).unwrap();
    assert!(!gate::reaches(&stage.cluster.nodes[GLOBEX].state, stage.bob, stage.chat));
    stage.cluster.compare(ACME, GLOBEX);
    while stage.cluster.feed(ACME, GLOBEX, false) {}
    let globex = &stage.cluster.nodes[GLOBEX].state;
    assert!(!gate::sees_scope(globex, stage.bob, stage.group), "P7.5: out in one commit");
    assert!(!gate::reaches(globex, stage.bob, stage.chat));
    stage.cluster.settle();
    assert!(!stage.cluster.nodes[ACME].state.scope(stage.group).unwrap().members.contains_key(&stage.bob));
    join(&mut stage.cluster, ACME, GLOBEX, stage.ann, stage.group, stage.bob, "bob@globex.example");
    assert!(
        gate::reaches(&stage.cluster.nodes[GLOBEX].state, stage.bob, stage.chat),
        "invited again, he is in"
    );
}

/// Spec 12.4: an answer that shows nothing but that somebody was removed later voids invitations from before as well.
#[test]
fn p7_an_invitation_from_before_a_forgotten_removal_brings_nobody_back() {
    let mut cluster = Cluster::new(&["acme", "globex", "initech"]);
    let ann = cluster.nodes[ACME].user("ann");
    let (bob, carl) = (cluster.nodes[GLOBEX].user("bob"), cluster.nodes[INITECH].user("carl"));
    let (id, _) = group(&mut cluster.nodes[ACME], ann, "launch");
    let scope = ScopeId::from(id);
    let invite = |address: &str| Action::Invite {
        scope,
        address: address.into(),
        grade: Grade::Post,
        floor: Floor::All,
        until: None,
    };
    cluster.nodes[ACME].run(Command::Act(ann, invite("bob@globex.example"))).unwrap();
    cluster.settle();
    let before = cluster.nodes[ACME].backup();
    let accepting = cluster.nodes[GLOBEX].backup();
    let received = cluster.nodes[GLOBEX].state.received.values().next().unwrap().invite.id;
    cluster.nodes[GLOBEX].run(Command::AnswerInvite(bob, received, true)).unwrap();
    cluster.settle();
    join(&mut cluster, ACME, INITECH, ann, scope, carl, "carl@initech.example");
    cluster.nodes[ACME]
        .run(Command::Act(ann, Action::Remove { scope, user: bob, everywhere: true }))
        .unwrap();
    cluster.settle();
    cluster.nodes[ACME].restart(before);
    assert!(cluster.recall(ACME, INITECH), "initech holds a snapshot with bob, and his removal");
    // bob's home says nothing, and consents once more.
    cluster.nodes[GLOBEX].restart(accepting);
    cluster.nodes[GLOBEX].state.uptime.check = None;
    cluster.nodes[GLOBEX].run(Command::AnswerInvite(bob, received, true)).unwrap();
    let acme = cluster.nodes[ACME].id;
    let items = cluster.nodes[GLOBEX].rows(acme);
    assert!(items.iter().any(|item| matches!(item, Item::Consent { .. })));
    cluster.pass(10_001);
    for item in &items {
        cluster.say(GLOBEX, ACME, item);
    }
    cluster.pass(1);
    let members = cluster.nodes[ACME].state.scope(scope).unwrap().members.clone();
    assert!(!members.contains_key(&bob), "invariant 6");
}

#[test]
fn p8_1_a_peer_that_is_not_approved_feeds_nobody() {
    let mut stage = stage();
    let acme = stage.cluster.nodes[ACME].id;
    let row = (*stage.cluster.nodes[GLOBEX].state.peers[&acme]).clone();
    let waiting =
        comity::protocol::row::Peer { status: comity::protocol::row::PeerStatus::Waiting, ..row.clone() };
    stage.cluster.nodes[GLOBEX].state.peers.insert(acme, waiting.into());
    let frame = FeedFrame { feed: row.feed, first: 1, items: vec![] };
    for command in [Command::Feed(acme, frame), Command::Compare(acme, vec![])] {
        assert_eq!(stage.cluster.nodes[GLOBEX].run(command).unwrap_err().code, RejectCode::PeerInactive);
    }
}

/// Spec 8.3: the receipt over an earlier removal, said once more, does not confirm the later one.
#[test]
fn p7_6_an_old_receipt_confirms_no_later_removal() {
    let mut stage = stage();
    let remove = Action::Remove { scope: stage.group, user: stage.bob, everywhere: false };
    stage.cluster.nodes[ACME].run(Command::Act(stage.ann, remove.clone())).unwrap();
    while stage.cluster.feed(ACME, GLOBEX, false) {}
    let acme = stage.cluster.nodes[ACME].id;
    let rows = stage.cluster.nodes[GLOBEX].rows(acme);
    let receipt = rows.into_iter().find(|item| matches!(item, Item::Receipt { .. })).unwrap();
    stage.cluster.settle();
    join(&mut stage.cluster, ACME, GLOBEX, stage.ann, stage.group, stage.bob, "bob@globex.example");
    stage.cluster.nodes[ACME].run(Command::Act(stage.ann, remove)).unwrap();
    stage.cluster.say(GLOBEX, ACME, &receipt);
    let removals = &stage.cluster.nodes[ACME].state.removals;
    let last = removals.values().next_back().unwrap();
    assert!(last.homes.iter().all(|(_, at)| at.is_none()), "globex has not heard of it");
    while stage.cluster.feed(ACME, GLOBEX, false) {}
    // The row by hand took the number of the true receipt: a new feed brings that one.
    stage.cluster.compare(GLOBEX, ACME);
    stage.cluster.settle();
    let removals = &stage.cluster.nodes[ACME].state.removals;
    assert!(removals.values().all(|row| row.homes.iter().all(|(_, at)| at.is_some())), "P7.6");
}
