//! Leaving at home (P7.5, P5.5, P2.8): suspension, removal, a lost statement, one withdrawal, an end date.

use comity::{
    ids::{SubmissionId, ThreadId, UserId, WorkspaceId},
    protocol::{
        Command, Reply, account,
        command::RejectCode,
        gate,
        row::{InviteStatus, Role},
    },
    time::Millis,
    wire::{
        envelope,
        frames::Item,
        objects::{Action, EntryKind, Event, Floor, Grade, Op, Statement, Word},
    },
};

use crate::{
    cluster::{Cluster, Node},
    story::{group, join, post, shown},
};

/// The statements that wait for a peer.
pub fn words(node: &Node, peer: WorkspaceId) -> Vec<Word> {
    let statements = node.rows(peer).into_iter().filter_map(|item| match item {
        Item::Statement { statement } => Some(envelope::peek::<Statement>(&statement).unwrap().word),
        _ => None,
    });
    statements.collect()
}

fn offer(scope: impl Into<comity::ids::ScopeId>, address: &str, until: Option<Millis>) -> Action {
    let (scope, address) = (scope.into(), address.into());
    Action::Invite { scope, address, grade: Grade::Post, floor: Floor::All, until }
}

fn accept(node: &mut Node, user: UserId) {
    let mut open = node.state.received.values().filter(|row| row.status == InviteStatus::Sent);
    let id = open.next().unwrap().invite.id;
    node.run(Command::AnswerInvite(user, id, true)).unwrap();
}

fn write(node: &mut Node, author: UserId, thread: ThreadId, n: u8) {
    let (id, kind) = (SubmissionId([n; 16]), EntryKind::Message);
    node.run(Command::Post { author, thread, id, kind, target: None, text: "x".into(), mentions: vec![] })
        .unwrap();
}

/// P7.5: the home cuts at once, one statement tells the owner, everything that was on its way is void.
#[test]
fn a_suspended_user_is_cut_at_once_and_everywhere() {
    let mut cluster = Cluster::new(&["acme", "globex"]);
    let (ann, bob) = (cluster.nodes[0].user("ann"), cluster.nodes[1].user("bob"));
    let (acme, globex) = (cluster.nodes[0].id, cluster.nodes[1].id);
    let (one, chat) = group(&mut cluster.nodes[0], ann, "one");
    let (two, _) = group(&mut cluster.nodes[0], ann, "two");
    let (three, _) = group(&mut cluster.nodes[0], ann, "three");
    let (own, own_chat) = group(&mut cluster.nodes[1], bob, "own");
    join(&mut cluster, 0, 1, ann, one.into(), bob, "bob@globex.example");
    join(&mut cluster, 0, 1, ann, two.into(), bob, "bob@globex.example");
    post(&mut cluster.nodes[0], ann, chat, 1);
    cluster.settle();
    cluster.nodes[0].run(Command::Act(ann, offer(three, "bob@globex.example", None))).unwrap();
    cluster.settle();
    cluster.nodes[1].run(Command::Act(bob, offer(own, "ann@acme.example", None))).unwrap();
    cluster.settle();
    write(&mut cluster.nodes[1], bob, chat, 2);
    cluster.nodes[1].run(Command::OpenSession(account::full_token(bob, comity::ids::Hash([7; 32])))).unwrap();

    cluster.nodes[1].run(Command::SetRole(bob, Role::Suspended)).unwrap();
    let home = &cluster.nodes[1];
    assert!(
        [chat, own_chat].iter().all(|thread| !gate::reaches(&home.state, bob, *thread)),
        "denied at home"
    );
    assert!(!home.disk.content.keys().any(|(thread, _)| *thread == chat), "no reader, no copy");
    assert!(
        home.state.sessions.is_empty()
            && home.state.outbox.is_empty()
            && !home.state.places.contains_key(&bob)
    );
    let words = words(home, acme);
    assert_eq!(words.iter().filter(|word| matches!(word, Word::Offboard { .. })).count(), 1, "one per owner");
    assert_eq!(words.iter().filter(|word| matches!(word, Word::Decline { .. })).count(), 1);
    assert_eq!(words.iter().filter(|word| matches!(word, Word::Revoke { .. })).count(), 1);

    cluster.settle();
    let owner = &cluster.nodes[0];
    assert!(
        [one, two].iter().all(|id| !owner.state.scope(*id).unwrap().homes.contains_key(&globex)),
        "by events"
    );
    assert!(owner.state.sent.values().all(|sent| sent.status != InviteStatus::Sent));
    assert!(owner.state.received.values().all(|held| held.status == InviteStatus::Void));
    assert!(owner.state.removals.values().all(|row| row.homes.iter().all(|(_, at)| at.is_some())), "P7.6");

    cluster.nodes[1].run(Command::SetRole(bob, Role::Member)).unwrap();
    cluster.settle();
    assert!(
        !gate::sees_scope(&cluster.nodes[1].state, bob, one.into()),
        "a lifted suspension brings nothing back"
    );
    join(&mut cluster, 0, 1, ann, one.into(), bob, "bob@globex.example");
    assert_eq!(shown(&cluster.nodes[1], bob, chat), 1, "a new invitation does");
}

/// P7.5: a removal is for good; neither the account nor its address comes back.
#[test]
fn a_removed_user_never_comes_back() {
    let mut cluster = Cluster::new(&["acme", "globex"]);
    let (ann, bob) = (cluster.nodes[0].user("ann"), cluster.nodes[1].user("bob"));
    let (one, chat) = group(&mut cluster.nodes[0], ann, "one");
    join(&mut cluster, 0, 1, ann, one.into(), bob, "bob@globex.example");
    let home = &mut cluster.nodes[1];
    home.run(Command::RemoveUser(bob)).unwrap();
    assert!(matches!(home.run(Command::RemoveUser(bob)), Ok(Reply::Already)));
    let refused = [
        (Command::SetRole(bob, Role::Member), RejectCode::Closed),
        (Command::OpenSession(account::full_token(bob, comity::ids::Hash([7; 32]))), RejectCode::Closed),
        (Command::Rename(bob, "Bob".into()), RejectCode::Closed),
        (
            Command::AddUser { local: "bob".into(), name: "Bob".into(), role: Role::Member },
            RejectCode::Conflict,
        ),
    ];
    for (command, code) in refused {
        assert_eq!(home.run(command).unwrap_err().code, code);
    }
    cluster.settle();
    assert!(!cluster.nodes[0].state.places.contains_key(&bob));
    cluster.nodes[0].run(Command::Act(ann, offer(one, "bob@globex.example", None))).unwrap();
    cluster.settle();
    assert!(
        !gate::reaches(&cluster.nodes[1].state, bob, chat),
        "an invitation to the address reaches nobody"
    );
    assert!(cluster.nodes[1].state.received.values().all(|held| held.status != InviteStatus::Sent));
}

/// P7.5, invariant 15: the owner forgets the statement with an old backup; the home repeats it when it sees its user.
#[test]
fn a_statement_that_an_owner_forgot_is_repeated() {
    let mut cluster = Cluster::new(&["acme", "globex"]);
    let (ann, bob, cyd) =
        (cluster.nodes[0].user("ann"), cluster.nodes[1].user("bob"), cluster.nodes[1].user("cyd"));
    let (one, chat) = group(&mut cluster.nodes[0], ann, "one");
    join(&mut cluster, 0, 1, ann, one.into(), bob, "bob@globex.example");
    join(&mut cluster, 0, 1, ann, one.into(), cyd, "cyd@globex.example");
    let backup = (cluster.nodes[0].state.clone(), cluster.nodes[0].disk.clone());
    cluster.nodes[1].run(Command::RemoveUser(bob)).unwrap();
    while cluster.feed(1, 0, false) {}
    assert!(!cluster.nodes[0].state.places.contains_key(&bob), "the owner had taken the statement");
    (cluster.nodes[0].state, cluster.nodes[0].disk) = backup;
    assert!(cluster.nodes[0].state.places.contains_key(&bob), "and forgot it");

    cluster.compare(0, 1);
    while cluster.feed(0, 1, false) {
        assert!(!gate::reaches(&cluster.nodes[1].state, bob, chat), "never shown");
        assert!(!cluster.nodes[1].state.places.contains_key(&bob), "no place here");
    }
    let acme = cluster.nodes[0].id;
    assert!(
        words(&cluster.nodes[1], acme).contains(&Word::Leave { user: bob, scope: one.into() }),
        "at once"
    );
    cluster.settle();
    assert!(!cluster.nodes[0].state.places.contains_key(&bob), "repaired");
    assert!(gate::reaches(&cluster.nodes[1].state, cyd, chat), "nobody else is touched");
}

/// P7.5: the account ends while its acceptance is on the way: the join is answered, never shown.
#[test]
fn a_join_that_arrives_too_late_is_taken_back() {
    let mut cluster = Cluster::new(&["acme", "globex"]);
    let (ann, bob) = (cluster.nodes[0].user("ann"), cluster.nodes[1].user("bob"));
    let (one, chat) = group(&mut cluster.nodes[0], ann, "one");
    cluster.nodes[0].run(Command::Act(ann, offer(one, "bob@globex.example", None))).unwrap();
    cluster.settle();
    accept(&mut cluster.nodes[1], bob);
    cluster.nodes[1].run(Command::SetRole(bob, Role::Suspended)).unwrap();
    while cluster.feed(1, 0, false) {}
    assert!(cluster.nodes[0].state.places.contains_key(&bob), "the owner took the consent");
    cluster.settle();
    assert!(
        !cluster.nodes[0].state.places.contains_key(&bob)
            && !gate::reaches(&cluster.nodes[1].state, bob, chat)
    );
    assert!(cluster.nodes[1].disk.content.is_empty());
}

/// P7.3: the last reader of a foreign thread read it through a group of his own home: the copy goes, and comes again for
/// the next one.
#[test]
fn a_copy_goes_with_its_last_reader_through_an_own_group() {
    let mut cluster = Cluster::new(&["acme", "globex"]);
    let (ann, bob, dan) =
        (cluster.nodes[0].user("ann"), cluster.nodes[1].user("bob"), cluster.nodes[0].user("dan"));
    cluster.nodes[0].run(Command::SetRole(dan, Role::Admin)).unwrap();
    let (one, _) = group(&mut cluster.nodes[0], ann, "one");
    let (theirs, _) = group(&mut cluster.nodes[1], bob, "theirs");
    join(&mut cluster, 0, 1, ann, one.into(), bob, "bob@globex.example");
    let (settings, groups) = (crate::world::settings("back"), vec![theirs, one]);
    let start = Command::CreateThread { actor: bob, settings, groups, addresses: vec![] };
    let Reply::Scope(back, _) = cluster.nodes[1].run(start).unwrap() else { panic!() };
    let back = back.thread().unwrap();
    cluster.settle();
    post(&mut cluster.nodes[1], bob, back, 1);
    cluster.settle();
    assert_eq!(shown(&cluster.nodes[0], ann, back), 1);
    cluster.nodes[0].run(Command::SetRole(ann, Role::Suspended)).unwrap();
    assert!(!cluster.nodes[0].disk.content.keys().any(|(thread, _)| *thread == back), "no reader, no copy");
    cluster.settle();
    let (scope, users) = (one.into(), vec![dan]);
    let add = Command::AddMembers { actor: dan, scope, users, grade: Grade::Post, floor: Floor::All };
    cluster.nodes[0].run(add).unwrap();
    cluster.settle();
    assert_eq!(shown(&cluster.nodes[0], dan, back), 1);
}

/// P5.5: one person out of one foreign group, by the home's admin.
#[test]
fn an_admin_takes_one_person_out_of_one_foreign_group() {
    let mut cluster = Cluster::new(&["acme", "globex"]);
    let (ann, bob, cyd) =
        (cluster.nodes[0].user("ann"), cluster.nodes[1].user("bob"), cluster.nodes[1].user("cyd"));
    let (one, chat) = group(&mut cluster.nodes[0], ann, "one");
    let (two, _) = group(&mut cluster.nodes[0], ann, "two");
    let (own, _) = group(&mut cluster.nodes[1], cyd, "own");
    for id in [one, two] {
        join(&mut cluster, 0, 1, ann, id.into(), bob, "bob@globex.example");
    }
    let withdraw = |user, scope| Command::Withdraw { admin: cyd, user, scope };
    let home = &mut cluster.nodes[1];
    assert_eq!(home.run(withdraw(cyd, own.into())).unwrap_err().code, RejectCode::Invalid, "owned here");
    assert_eq!(home.run(withdraw(ann, one.into())).unwrap_err().code, RejectCode::NotFound, "another's user");
    home.run(withdraw(bob, one.into())).unwrap();
    assert!(!gate::reaches(&home.state, bob, chat), "at once");
    cluster.settle();
    let owner = &cluster.nodes[0];
    assert!(!owner.state.scope(one).unwrap().members.contains_key(&bob));
    assert!(owner.state.scope(two).unwrap().members.contains_key(&bob), "only there");
}

/// P2.8: an end date is a signed removal like any other, with its row and its receipt.
#[test]
fn an_end_date_is_a_removal() {
    let mut cluster = Cluster::new(&["acme", "globex"]);
    let (ann, bob) = (cluster.nodes[0].user("ann"), cluster.nodes[1].user("bob"));
    let (one, chat) = group(&mut cluster.nodes[0], ann, "one");
    let until = Millis(cluster.nodes[0].next_time().0 + 40);
    cluster.nodes[0].run(Command::Act(ann, offer(one, "bob@globex.example", Some(until)))).unwrap();
    cluster.settle();
    accept(&mut cluster.nodes[1], bob);
    cluster.settle();
    assert!(gate::reaches(&cluster.nodes[1].state, bob, chat) && cluster.nodes[0].next_time() < until);
    assert!(matches!(cluster.nodes[0].run(Command::Tick), Ok(Reply::Already)), "nothing is due");
    cluster.pass(39);
    assert_eq!(cluster.nodes[0].state.expiring.len(), 1, "not yet");
    cluster.pass(1);
    let owner = &cluster.nodes[0];
    assert!(owner.state.expiring.is_empty() && !owner.state.places.contains_key(&bob));
    let removal = owner.state.removals.values().next().unwrap();
    assert_eq!(
        (removal.users.as_slice(), removal.homes.len()),
        ([bob].as_slice(), 1),
        "a deadline is known for it"
    );
    let sent = owner.rows(cluster.nodes[1].id).into_iter().any(|item| match item {
        Item::Event { event } => {
            envelope::peek::<Event>(&event).unwrap().ops.contains(&Op::Remove { user: bob })
        }
        _ => false,
    });
    assert!(sent, "a signed event");
    cluster.settle();
    assert!(!gate::reaches(&cluster.nodes[1].state, bob, chat));
    let removal = cluster.nodes[0].state.removals.values().next().unwrap();
    assert!(removal.homes.iter().all(|(_, receipt)| receipt.is_some()), "and its receipt");
}
