//! Several ways to one thread (P6.2, P7.8): access ends with the last of them and not before, and a removal names the rest.

use comity::{
    ids::{GroupId, ScopeId, ThreadId, UserId},
    protocol::{Command, Reply, gate, row::InviteStatus},
    wire::objects::{Action, Floor, Grade},
};

use crate::{
    cluster::Cluster,
    story::{group, join, post, shown},
    world::settings,
};

const ACME: usize = 0;
const GLOBEX: usize = 1;
const INITECH: usize = 2;

/// acme's thread for its own group and initech's; bob of globex is in both, and a direct recipient.
struct Stage {
    cluster: Cluster,
    ann: UserId,
    bob: UserId,
    carl: UserId,
    ours: GroupId,
    theirs: GroupId,
    thread: ThreadId,
}

fn stage() -> Stage {
    let mut cluster = Cluster::new(&["acme", "globex", "initech"]);
    let (ann, bob, carl) = (
        cluster.nodes[ACME].user("ann"),
        cluster.nodes[GLOBEX].user("bob"),
        cluster.nodes[INITECH].user("carl"),
    );
    let (ours, _) = group(&mut cluster.nodes[ACME], ann, "ours");
    let (theirs, _) = group(&mut cluster.nodes[INITECH], carl, "theirs");
    join(&mut cluster, INITECH, ACME, carl, theirs.into(), ann, "ann@acme.example");
    join(&mut cluster, ACME, GLOBEX, ann, ours.into(), bob, "bob@globex.example");
    join(&mut cluster, INITECH, GLOBEX, carl, theirs.into(), bob, "bob@globex.example");
    let (groups, addresses) = (vec![ours, theirs], vec![]);
    let start = Command::CreateThread { actor: ann, settings: settings("terms"), groups, addresses };
    let Reply::Scope(id, _) = cluster.nodes[ACME].run(start).unwrap() else { panic!() };
    cluster.settle();
    invite(&mut cluster, ann, id, bob);
    let thread = id.thread().unwrap();
    post(&mut cluster.nodes[ACME], ann, thread, 1);
    cluster.settle();
    Stage { cluster, ann, bob, carl, ours, theirs, thread }
}

/// One more way for somebody who sees the thread already.
fn invite(cluster: &mut Cluster, actor: UserId, scope: ScopeId, user: UserId) {
    let (address, grade, floor) = ("bob@globex.example".into(), Grade::Post, Floor::All);
    let action = Action::Invite { scope, address, grade, floor, until: None };
    cluster.nodes[ACME].run(Command::Act(actor, action)).unwrap();
    cluster.settle();
    let held = cluster.nodes[GLOBEX].state.received.values();
    let id = held.filter(|row| row.status == InviteStatus::Sent).map(|row| row.invite.id).next().unwrap();
    cluster.nodes[GLOBEX].run(Command::AnswerInvite(user, id, true)).unwrap();
    cluster.settle();
}

impl Stage {
    fn remove(&mut self, at: usize, actor: UserId, scope: ScopeId, everywhere: bool) -> Vec<ScopeId> {
        let action = Action::Remove { scope, user: self.bob, everywhere };
        let reply = self.cluster.nodes[at].run(Command::Act(actor, action)).unwrap();
        self.cluster.settle();
        match reply {
            Reply::Removed { remaining, .. } => remaining,
            other => panic!("{other:?}"),
        }
    }

    /// What bob reads the thread by, at home.
    fn ways(&self) -> Vec<ScopeId> {
        let paths = gate::paths(&self.cluster.nodes[GLOBEX].state, self.bob, self.thread);
        paths.into_iter().map(|path| path.scope).collect()
    }

    fn still_reads(&mut self, n: u8) {
        post(&mut self.cluster.nodes[ACME], self.ann, self.thread, n);
        self.cluster.settle();
        let high = shown(&self.cluster.nodes[ACME], self.ann, self.thread);
        assert_eq!(
            shown(&self.cluster.nodes[GLOBEX], self.bob, self.thread),
            high,
            "P6.2: by the ways that are left"
        );
    }
}

#[test]
fn p6_2_access_ends_with_the_last_path_and_not_before() {
    let mut stage = stage();
    let (direct, ours, theirs) = (ScopeId::from(stage.thread), stage.ours.into(), stage.theirs.into());
    assert_eq!(stage.ways(), [direct, ours, theirs]);
    let ann = stage.ann;
    assert_eq!(stage.remove(ACME, ann, ours, false), [theirs, direct], "P7.8: the paths that remain");
    assert_eq!(stage.ways(), [direct, theirs]);
    stage.still_reads(2);
    assert_eq!(stage.remove(ACME, ann, direct, false), [theirs], "P7.8");
    assert_eq!(stage.ways(), [theirs]);
    stage.still_reads(3);
    let carl = stage.carl;
    assert_eq!(stage.remove(INITECH, carl, theirs, false), [], "P7.8: none");
    assert_eq!(stage.ways(), []);
    assert!(stage.cluster.nodes[GLOBEX].disk.content.is_empty(), "P7.3: the copy goes with the last path");
    for node in [ACME, INITECH] {
        let removals = stage.cluster.nodes[node].state.removals.values();
        assert!(removals.into_iter().all(|row| row.homes.iter().all(|(_, at)| at.is_some())), "P7.6");
    }
    let awaited = stage.cluster.nodes[INITECH].state.removals.values().next().unwrap().homes.len();
    assert_eq!(
        awaited, 2,
        "P7.4: the removed's home, and the owner of the thread that the group is addressed by"
    );
}

#[test]
fn p7_8_everywhere_ends_the_other_paths_of_the_same_owner_in_one_act() {
    let mut stage = stage();
    let (ours, theirs) = (stage.ours.into(), stage.theirs.into());
    let ann = stage.ann;
    assert_eq!(stage.remove(ACME, ann, ours, true), [theirs], "what another owner grants, only he can end");
    assert_eq!(stage.ways(), [theirs]);
}

/// Spec 11.4: reading through a group needs the thread's owner and the group's owner.
#[test]
fn p7_4_each_of_two_owners_can_be_the_one_that_is_waited_for() {
    let mut stage = stage();
    let ann = stage.ann;
    stage.remove(ACME, ann, stage.ours.into(), true);
    let theirs = stage.theirs.into();
    assert_eq!(stage.ways(), [theirs]);
    for (silent, other) in [(ACME, INITECH), (INITECH, ACME)] {
        stage.cluster.pass(200_000);
        stage.cluster.lease(other, GLOBEX, 0);
        stage.cluster.pass(150_000);
        assert_eq!(stage.ways(), [], "without a word of {silent} for 350 s");
        let globex = &stage.cluster.nodes[GLOBEX];
        let waits = gate::waits_for(&globex.state, stage.bob, stage.thread.into()).unwrap();
        assert_eq!(waits.owner, stage.cluster.nodes[silent].id);
        stage.cluster.settle();
        assert_eq!(stage.ways(), [theirs], "it comes back by itself");
    }
    stage.cluster.pass(290_000);
    stage.cluster.lease(ACME, GLOBEX, 0);
    stage.cluster.lease(INITECH, GLOBEX, 0);
    stage.cluster.pass(20_000);
    let globex = stage.cluster.nodes[GLOBEX].id;
    let floor = gate::peer_floor(&stage.cluster.nodes[ACME].state, globex, stage.thread);
    assert_eq!(
        floor, None,
        "spec 11.4: without the group's owner the thread's owner sends nothing through it"
    );
}
