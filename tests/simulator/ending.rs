//! The end of a peering (P7.5, P8.1) and a group that becomes internal-only (P8.2): one decision each, and nothing else
//! passes afterwards.

use std::{collections::BTreeSet, sync::Arc};

use comity::{
    ids::{ScopeId, SubmissionId, ThreadId, UserId, WorkspaceId},
    protocol::{
        Command, Reply, State,
        command::RejectCode,
        gate,
        row::{InvitePolicy, InviteStatus, MemberRow, PeerStatus, Row},
        serve,
    },
    time::Millis,
    wire::{
        Blob, envelope,
        frames::{ContentFrame, HistoryPage, HistoryRequest, Item},
        objects::{Action, EntryKind, Event, Floor, Grade, Member, Op, Profile, Settings, Statement, Word},
    },
};

use crate::{
    cluster::{Cluster, Node},
    story::{group, join, post, shown},
    world::settings,
};

/// Three workspaces with everything that can run through a peering of the first two.
struct Tangle {
    cluster: Cluster,
    ann: UserId,
    bob: UserId,
    ian: UserId,
    /// Owned by acme, with all three.
    one: ScopeId,
    chat: ThreadId,
    /// Owned by globex, with ann.
    their_chat: ThreadId,
    /// Of acme, addressed to a group of each.
    plan: ThreadId,
    /// Of globex, addressed to a group of each.
    back: ThreadId,
    dm: ThreadId,
}

fn offer(scope: impl Into<ScopeId>, address: &str) -> Action {
    let (scope, address) = (scope.into(), address.into());
    Action::Invite { scope, address, grade: Grade::Post, floor: Floor::All, until: None }
}

fn thread(reply: Reply) -> ThreadId {
    match reply {
        Reply::Scope(ScopeId::Thread(thread), _) => thread,
        other => panic!("{other:?}"),
    }
}

fn message(author: UserId, thread: ThreadId, n: u8) -> Command {
    let (id, kind) = (SubmissionId([n; 16]), EntryKind::Message);
    Command::Post { author, thread, id, kind, target: None, text: "x".into(), mentions: vec![] }
}

fn tangle() -> Tangle {
    let mut cluster = Cluster::new(&["acme", "globex", "initech"]);
    let names = ["ann", "bob", "ian"];
    let people: Vec<UserId> =
        names.iter().zip(&mut cluster.nodes).map(|(name, node)| node.user(name)).collect();
    let (ann, bob, ian) = (people[0], people[1], people[2]);
    cluster.nodes[0].user("abe");
    cluster.nodes[1].user("cyd");
    let (one, chat) = group(&mut cluster.nodes[0], ann, "one");
    join(&mut cluster, 0, 1, ann, one.into(), bob, "bob@globex.example");
    join(&mut cluster, 0, 2, ann, one.into(), ian, "ian@initech.example");
    let (theirs, their_chat) = group(&mut cluster.nodes[1], bob, "theirs");
    join(&mut cluster, 1, 0, bob, theirs.into(), ann, "ann@acme.example");
    let start = |actor, name, groups| Command::CreateThread {
        actor,
        settings: settings(name),
        groups,
        addresses: vec![],
    };
    let plan = thread(cluster.nodes[0].run(start(ann, "plan", vec![one, theirs])).unwrap());
    let back = thread(cluster.nodes[1].run(start(bob, "back", vec![theirs, one])).unwrap());
    cluster.settle();
    let dm = thread(cluster.nodes[0].run(Command::OpenDm(ann, "bob@globex.example".into())).unwrap());
    cluster.settle();
    for (n, at) in [(1, chat), (2, plan), (3, dm)] {
        post(&mut cluster.nodes[0], ann, at, n);
    }
    post(&mut cluster.nodes[1], bob, their_chat, 4);
    post(&mut cluster.nodes[1], bob, back, 5);
    cluster.nodes[0].run(Command::Act(ann, offer(one, "cyd@globex.example"))).unwrap();
    cluster.nodes[1].run(Command::Act(bob, offer(theirs, "abe@acme.example"))).unwrap();
    cluster.settle();
    assert_eq!(shown(&cluster.nodes[1], bob, plan), 1);
    assert_eq!(shown(&cluster.nodes[0], ann, back), 1);
    Tangle { cluster, ann, bob, ian, one: one.into(), chat, their_chat, plan, back, dm }
}

/// Everything that waits for the peer is the end, a removal of its people or groups, or a receipt.
fn only_the_end(node: &Node, peer: WorkspaceId) -> usize {
    let mut ends = 0;
    for item in node.rows(peer) {
        match item {
            Item::Receipt { .. } => {}
            Item::Statement { statement } => {
                let word = envelope::peek::<Statement>(&statement).unwrap().word;
                assert_eq!(word, Word::EndPeering {}, "spec 8.9");
                ends += 1;
            }
            Item::Event { event } => {
                let ops = envelope::peek::<Event>(&event).unwrap().ops;
                let removes = |op: &Op| match op {
                    Op::Remove { user } | Op::Leave { user } => user.home() == peer,
                    op => matches!(op, Op::RemoveGroup { .. }),
                };
                assert!(ops.iter().all(removes), "spec 8.9: {ops:?}");
            }
            other => panic!("spec 8.9: {other:?}"),
        }
    }
    ends
}

/// The state without what every row of a feed changes: how far it was taken.
fn deaf(state: &State, peer: WorkspaceId) -> State {
    let mut state = state.clone();
    let mut row = (**state.peers.get(&peer).unwrap()).clone();
    row.inbound = None;
    state.put(Row::Peer(row));
    state
}

fn check_ended(node: &Node, peer: WorkspaceId, dm: ThreadId) {
    let state = &node.state;
    assert_eq!(state.peers.get(&peer).unwrap().status, PeerStatus::Ended);
    let beside = |id: &ScopeId| *id != ScopeId::from(dm) && state.owns(*id);
    assert!(state.people_of(peer).all(|(_, places)| !places.iter().any(beside)), "no place of theirs here");
    let abroad = state.scopes.values().filter(|scope| scope.head.owner == peer && scope.head.id != dm.into());
    assert!(
        abroad.into_iter().all(|scope| scope.members.is_empty() && scope.head.ended),
        "no place of ours there"
    );
    assert!(
        state
            .links
            .values()
            .all(|link| link.follower != peer && !state.scope(link.group).unwrap().head.ended)
    );
    let foreign = |scope: &&Arc<comity::protocol::state::Scope>| {
        scope.head.groups.iter().any(|at| at.owner == peer) && state.owns(scope.head.id)
    };
    assert_eq!(state.scopes.values().filter(foreign).count(), 0, "their groups are off our threads");
    let copies = node.disk.content.keys().filter(|(thread, _)| !state.owns(*thread) && *thread != dm);
    let theirs = copies.filter(|(thread, _)| state.scope(*thread).unwrap().head.owner == peer);
    assert_eq!(theirs.count(), 0, "no copy stays");
    assert!(state.sent.values().all(|sent| sent.home != peer || sent.status != InviteStatus::Sent));
    assert!(state.received.values().all(|held| held.owner != peer || held.status != InviteStatus::Sent));
    assert!(state.outbox.values().all(|pending| pending.owner != peer || pending.refused.is_some()));
}

/// P7.5, P8.1: both directions in one decision; the peer learns it by the statement; third parties keep what they have.
#[test]
fn a_peering_ends_in_both_directions_at_once() {
    let Tangle { mut cluster, ann, bob, ian, chat, their_chat, plan, back, dm, .. } = tangle();
    let (acme, globex) = (cluster.nodes[0].id, cluster.nodes[1].id);
    cluster.nodes[0].run(message(ann, their_chat, 9)).unwrap();
    cluster.nodes[0].run(Command::EndPeer(ann, globex)).unwrap();
    check_ended(&cluster.nodes[0], globex, dm);
    assert!([their_chat, back].iter().all(|at| !gate::reaches(&cluster.nodes[0].state, ann, *at)));
    let redeem = Command::RedeemTicket { peer: globex, endpoints: vec![], secret: Blob::from(vec![1; 32]) };
    assert_eq!(
        cluster.nodes[0].run(redeem).unwrap_err().code,
        RejectCode::Stale,
        "a new one would be ended too"
    );

    cluster.settle();
    check_ended(&cluster.nodes[1], acme, dm);
    assert!([chat, plan].iter().all(|at| !gate::reaches(&cluster.nodes[1].state, bob, *at)));
    let open = cluster.nodes.iter().flat_map(|node| node.state.removals.values());
    assert!(open.into_iter().all(|row| row.homes.iter().all(|(_, receipt)| receipt.is_some())), "P7.6");
    assert!(
        gate::reaches(&cluster.nodes[2].state, ian, chat)
            && gate::reaches(&cluster.nodes[2].state, ian, plan)
    );
    for (node, user) in [(0, ann), (1, bob)] {
        let node = &mut cluster.nodes[node];
        assert!(gate::reaches(&node.state, user, dm), "each home keeps its own user's copy");
        assert_eq!(
            node.run(message(user, dm, 20)).unwrap_err().code,
            RejectCode::Closed,
            "and takes nothing new"
        );
    }
    let again = Command::RedeemTicket { peer: globex, endpoints: vec![], secret: Blob::from(vec![1; 32]) };
    assert!(cluster.nodes[0].run(again).is_ok(), "told: they may begin anew");
}

/// Spec 8.9: what goes out to an ended peer, queued before, caused afterwards, or after a comparison.
#[test]
fn an_ended_peer_gets_the_end_and_removals_only() {
    let Tangle { mut cluster, ann, one, chat, dm, .. } = tangle();
    let globex = cluster.nodes[1].id;
    let backup = (cluster.nodes[1].state.clone(), cluster.nodes[1].disk.clone());
    let node = &mut cluster.nodes[0];
    let (late, _) = group(node, ann, "late");
    node.run(Command::Act(ann, offer(late, "bob@globex.example"))).unwrap();
    node.run(Command::Rename(ann, "Ann A.".into())).unwrap();
    post(node, ann, chat, 7);
    assert!(node.rows(globex).len() > 2, "rows wait");
    node.run(Command::EndPeer(ann, globex)).unwrap();
    assert_eq!(only_the_end(node, globex), 1);
    let rows = node.rows(globex).len();

    post(node, ann, chat, 8);
    node.run(Command::Rename(ann, "Ann".into())).unwrap();
    let by_mail = node.run(Command::Act(ann, offer(one, "bob@globex.example")));
    assert!(matches!(by_mail, Ok(Reply::Link(..))), "P2.3: an address of nobody's: {by_mail:?}");
    node.run(Command::Act(ann, Action::Settings { scope: one, settings: settings("new") })).unwrap();
    assert_eq!(node.rows(globex).len(), rows, "nothing new");
    for thread in [chat, dm] {
        assert!(serve::entries(&node.state, &node.disk, globex, thread, 0, 99).is_empty());
        assert!(serve::heads(&node.state, globex, thread).is_empty());
        let request = HistoryRequest { thread, before: None, after: None, limit: 9 };
        assert!(serve::page(&node.state, &node.disk, globex, &request).is_none());
    }
    cluster.compare(0, 1);
    assert_eq!(only_the_end(&cluster.nodes[0], globex), 1, "also by a comparison");
    cluster.settle();
    (cluster.nodes[1].state, cluster.nodes[1].disk) = backup;
    cluster.compare(0, 1);
    assert_eq!(only_the_end(&cluster.nodes[0], globex), 1, "the end is said again to who forgot it");
    cluster.settle();
    let acme = cluster.nodes[0].id;
    check_ended(&cluster.nodes[1], acme, dm);
}

/// Spec 8.9: nothing that an ended peer sends is taken, by whichever door.
#[test]
fn an_ended_peer_says_nothing_that_counts() {
    let Tangle { mut cluster, ann, bob, one, chat, their_chat, plan, dm, .. } = tangle();
    let (acme, globex) = (cluster.nodes[0].id, cluster.nodes[1].id);
    cluster.nodes[0].run(Command::EndPeer(ann, globex)).unwrap();
    let ended = deaf(&cluster.nodes[0].state, globex);

    let (news, _) = group(&mut cluster.nodes[1], bob, "news");
    cluster.nodes[1].run(Command::Act(bob, offer(news, "ann@acme.example"))).unwrap();
    cluster.nodes[1].run(Command::Rename(bob, "Bobby".into())).unwrap();
    let held = ScopeId::from(their_chat);
    drop(cluster.nodes[1].run(Command::Act(bob, Action::Settings { scope: held, settings: settings("x") })));
    cluster.nodes[1].run(message(bob, chat, 30)).unwrap();
    let start = Command::CreateThread {
        actor: bob,
        settings: settings("s"),
        groups: vec![one.group().unwrap()],
        addresses: vec![],
    };
    let Reply::Forward(_, act) = cluster.nodes[1].run(start).unwrap() else { panic!() };
    cluster.nodes[1].run(message(bob, their_chat, 31)).unwrap();
    assert!(cluster.nodes[1].rows(acme).len() > 2);
    while cluster.feed(1, 0, false) {}
    assert_eq!(deaf(&cluster.nodes[0].state, globex), ended, "no row of its feed counts");

    let pending = cluster.nodes[1].state.outbox.values().next().unwrap().clone();
    let (signed, sealed) = (pending.signed.clone(), pending.sealed.clone());
    let stored = cluster.nodes[1].disk.content.get(&(their_chat, 1)).unwrap().clone();
    let frame = ContentFrame { number: 99, entries: vec![stored], heads: vec![] };
    let page = HistoryPage { thread: dm, entries: vec![], heads: vec![], bottom: true };
    let doors = [
        Command::Submitted { peer: globex, signed, sealed },
        Command::Acted(globex, act),
        Command::Content(globex, frame),
        Command::ContentReset(globex, 5),
        Command::History(globex, page),
    ];
    for command in doors {
        let what = format!("{command:?}");
        assert_eq!(cluster.nodes[0].run(command).unwrap_err().code, RejectCode::PeerInactive, "{what}");
    }
    assert_eq!(deaf(&cluster.nodes[0].state, globex), ended);

    let remove = Action::Remove { scope: plan.into(), user: ann, everywhere: false };
    drop(cluster.nodes[1].run(Command::Act(bob, remove)));
    let gone = Action::Remove {
        scope: cluster.nodes[1]
            .state
            .addressed
            .iter()
            .find(|(_, threads)| threads.contains(&their_chat))
            .unwrap()
            .0
            .to_owned()
            .into(),
        user: ann,
        everywhere: false,
    };
    cluster.nodes[1].run(Command::Act(bob, gone)).unwrap();
    let before = cluster.nodes[0].rows(globex).len();
    while cluster.feed(1, 0, false) {}
    assert_eq!(cluster.nodes[0].rows(globex).len(), before + 1, "but a removal gets its receipt");
}

/// P7.5: ten thousand memberships in fifty scopes: one event each, and no work that grows with their product.
#[test]
#[allow(clippy::disallowed_methods, reason = "the time that it takes is shown")]
fn ten_thousand_memberships_end_with_one_command() {
    for (scopes, each) in [(50u64, 200u64), (2, 5_000)] {
        let mut cluster = Cluster::new(&["acme", "globex"]);
        let (acme, globex) = (cluster.nodes[0].id, cluster.nodes[1].id);
        let ann = cluster.nodes[0].user("ann");
        for at in 0..scopes {
            let (id, _) = group(&mut cluster.nodes[0], ann, "big");
            for n in 0..each {
                let user = UserId::new(globex, (u128::from(at) << 64 | u128::from(n)).to_be_bytes());
                let profile = Profile::new(format!("u{at}-{n}@globex.example"), "u");
                let member = Member {
                    user,
                    grade: Grade::Post,
                    floor: Floor::All,
                    joined: 1,
                    by: ann,
                    time: Millis(1),
                    until: None,
                    profile,
                };
                cluster.nodes[0].state.put(Row::Member(MemberRow { scope: id.into(), member }));
            }
        }
        let node = &mut cluster.nodes[0];
        assert_eq!(node.state.people_of(globex).count(), 10_000);
        let began = std::time::Instant::now();
        node.run(Command::EndPeer(ann, globex)).unwrap();
        eprintln!("10,000 memberships in {scopes} scopes end in {:?}", began.elapsed());
        assert_eq!(node.state.people_of(globex).count(), 0);
        let events = u64::try_from(node.rows(globex).len()).unwrap() - 1;
        assert_eq!(events, scopes * each.div_ceil(256), "as few events as the limit allows");
        let removed: usize = node.state.removals.values().map(|removal| removal.users.len()).sum();
        assert_eq!(removed, 10_000, "each with its removal");
        assert_eq!(node.state.me(), Some(acme));
    }
}

/// P8.2, P5.1: who is in already goes with the confirmed decision; the rule then holds at every later door.
#[test]
fn a_group_becomes_internal_only() {
    let Tangle { mut cluster, ann, bob, ian, one, chat, plan, .. } = tangle();
    let internal = || Settings { externals: false, ..settings("one") };
    let start = Command::CreateThread {
        actor: ann,
        settings: settings("topic"),
        groups: vec![one.group().unwrap()],
        addresses: vec!["cyd@globex.example".into()],
    };
    let topic = thread(cluster.nodes[0].run(start).unwrap());
    let plain = Command::Act(ann, Action::Settings { scope: one, settings: internal() });
    assert_eq!(cluster.nodes[0].run(plain).unwrap_err().code, RejectCode::Forbidden, "not without a word");
    cluster.nodes[0].run(Command::Tighten(ann, one, internal())).unwrap();
    let state = &cluster.nodes[0].state;
    let homes: BTreeSet<_> = [one, topic.into(), plan.into(), chat.into()]
        .iter()
        .flat_map(|id| state.scope(*id).unwrap().homes.keys().copied())
        .collect();
    assert!(homes.into_iter().all(|home| Some(home) == state.me()), "nobody of another home is left");
    assert_eq!(state.scope(plan).unwrap().head.groups.len(), 1, "the other owner's group is off the thread");
    let of_scopes = |id: &ScopeId| *id == one || *id == topic.into();
    assert!(state.sent.values().all(|sent| !of_scopes(&sent.scope) || sent.status != InviteStatus::Sent));
    cluster.settle();
    assert!([chat, plan, topic].iter().all(|at| !gate::reaches(&cluster.nodes[1].state, bob, *at)));
    assert!(!gate::reaches(&cluster.nodes[2].state, ian, chat));
    let confirmed =
        |node: &Node| node.state.removals.values().all(|row| row.homes.iter().all(|(_, at)| at.is_some()));
    assert!(confirmed(&cluster.nodes[0]), "P7.6: receipts");

    let node = &mut cluster.nodes[0];
    let (open, _) = group(node, ann, "open");
    let both = Command::CreateThread {
        actor: ann,
        settings: settings("both"),
        groups: vec![one.group().unwrap(), open],
        addresses: vec![],
    };
    node.run(both).unwrap();
    let late = node.run(Command::Act(ann, offer(open, "bob@globex.example")));
    assert_eq!(
        late.unwrap_err().code,
        RejectCode::Forbidden,
        "a group beside an internal-only one admits nobody"
    );
    let theirs = *node
        .state
        .scopes
        .keys()
        .filter_map(|id| id.group())
        .collect::<Vec<_>>()
        .iter()
        .find(|id| !node.state.owns(**id))
        .unwrap();
    let floor = Floor::All;
    let add = node.run(Command::Act(ann, Action::AddGroup { thread: topic, group: theirs, floor }));
    assert_eq!(add.unwrap_err().code, RejectCode::Forbidden, "nor does a thread take another owner's group");
}

/// P8.2: a peer whose invitations are refused from now on: those that wait are declined.
#[test]
fn invitations_that_wait_fall_under_a_new_policy() {
    let Tangle { mut cluster, .. } = tangle();
    let globex = cluster.nodes[1].id;
    cluster.nodes[0].run(Command::SetInvitePolicy(globex, InvitePolicy::Refuse)).unwrap();
    cluster.settle();
    assert!(cluster.nodes[0].state.received.values().all(|held| held.status != InviteStatus::Sent));
    let declined = cluster.nodes[1].state.sent.values().filter(|sent| sent.status == InviteStatus::Declined);
    assert_eq!(declined.count(), 1);
}
