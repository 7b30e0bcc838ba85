//! The product's promises as one story, told through cores without IO (P2, P6.2, P7).

use comity::{
    ids::{GroupId, ScopeId, SubmissionId, ThreadId, UserId},
    protocol::{Command, Reply, command::RejectCode, gate, row::InviteStatus},
    wire::objects::{Action, EntryKind, Floor, Grade},
};

use crate::{
    cluster::{Cluster, Node},
    world::settings,
};

pub fn post(node: &mut Node, author: UserId, thread: ThreadId, n: u8) -> Reply {
    let (id, text) = (SubmissionId([n; 16]), format!("message {n}"));
    node.run(Command::Post {
        author,
        thread,
        id,
        kind: EntryKind::Message,
        target: None,
        text,
        mentions: vec![],
    })
    .unwrap()
}

pub fn group(node: &mut Node, actor: UserId, name: &str) -> (GroupId, ThreadId) {
    let Reply::Scope(ScopeId::Group(group), _) =
        node.run(Command::CreateGroup(actor, settings(name))).unwrap()
    else {
        panic!()
    };
    let chat = *node.state.addressed.get(&group).unwrap().iter().next().unwrap();
    (group, chat)
}

pub fn join(
    cluster: &mut Cluster,
    owner: usize,
    home: usize,
    actor: UserId,
    scope: ScopeId,
    user: UserId,
    address: &str,
) {
    let action =
        Action::Invite { scope, address: address.into(), grade: Grade::Post, floor: Floor::All, until: None };
    cluster.nodes[owner].run(Command::Act(actor, action)).unwrap();
    cluster.settle();
    assert!(!gate::sees_scope(&cluster.nodes[home].state, user, scope), "P2.5: no content before the answer");
    let held = cluster.nodes[home].state.received.values();
    let id = held.filter(|row| row.status == InviteStatus::Sent).map(|row| row.invite.id).next().unwrap();
    cluster.nodes[home].run(Command::AnswerInvite(user, id, true)).unwrap();
    cluster.settle();
}

/// acme's group with bob of globex and carl of initech in it, and a message of ann's.
pub fn trio() -> (Cluster, [UserId; 3], ScopeId, ThreadId) {
    let mut cluster = Cluster::new(&["acme", "globex", "initech"]);
    let ann = cluster.nodes[0].user("ann");
    let (bob, carl) = (cluster.nodes[1].user("bob"), cluster.nodes[2].user("carl"));
    let (id, chat) = group(&mut cluster.nodes[0], ann, "launch");
    join(&mut cluster, 0, 1, ann, id.into(), bob, "bob@globex.example");
    join(&mut cluster, 0, 2, ann, id.into(), carl, "carl@initech.example");
    post(&mut cluster.nodes[0], ann, chat, 1);
    cluster.settle();
    (cluster, [ann, bob, carl], id.into(), chat)
}

pub fn shown(node: &Node, user: UserId, thread: ThreadId) -> u64 {
    gate::paths(&node.state, user, thread).iter().map(|path| path.to).max().unwrap_or(0)
}

/// P2.5, P3.1, P7.2, P7.3, P7.6: in by invitation and consent, out at once with a receipt.
#[test]
fn an_external_joins_writes_and_is_removed() {
    let mut cluster = Cluster::new(&["acme", "globex"]);
    let (ann, bob) = (cluster.nodes[0].user("ann"), cluster.nodes[1].user("bob"));
    let (group, chat) = group(&mut cluster.nodes[0], ann, "launch");
    post(&mut cluster.nodes[0], ann, chat, 1);
    join(&mut cluster, 0, 1, ann, group.into(), bob, "bob@globex.example");
    assert_eq!(shown(&cluster.nodes[1], bob, chat), 1, "P2.6: the history that the invitation grants");
    assert!(matches!(post(&mut cluster.nodes[1], bob, chat, 2), Reply::Pending(_)));
    cluster.settle();
    assert_eq!(shown(&cluster.nodes[0], ann, chat), 2);
    assert_eq!(shown(&cluster.nodes[1], bob, chat), 2);

    let action = Action::Remove { scope: group.into(), user: bob, everywhere: false };
    cluster.nodes[0].run(Command::Act(ann, action)).unwrap();
    post(&mut cluster.nodes[0], ann, chat, 3);
    cluster.settle();
    assert!(!gate::reaches(&cluster.nodes[1].state, bob, chat), "P7.3: the home cuts at once");
    assert!(cluster.nodes[1].disk.content.is_empty(), "P7.3: no reader, no copy");
    assert!(
        cluster.nodes[0].state.removals.values().all(|row| row.homes.iter().all(|(_, at)| at.is_some())),
        "P7.6: a receipt"
    );
    let (id, kind) = (SubmissionId([9; 16]), EntryKind::Message);
    let again = Command::Post {
        author: bob,
        thread: chat,
        id,
        kind,
        target: None,
        text: "x".into(),
        mentions: vec![],
    };
    assert_eq!(
        cluster.nodes[1].run(again).unwrap_err().code,
        RejectCode::NotFound,
        "P3.1: as if it did not exist"
    );
}

/// P6.2: a thread addressed to groups of two owners; each side reads through its own group.
#[test]
fn a_thread_spans_groups_of_two_owners() {
    let mut cluster = Cluster::new(&["acme", "globex"]);
    let (ann, bob) = (cluster.nodes[0].user("ann"), cluster.nodes[1].user("bob"));
    let (ours, _) = group(&mut cluster.nodes[0], ann, "ours");
    let (theirs, _) = group(&mut cluster.nodes[1], bob, "theirs");
    join(&mut cluster, 1, 0, bob, theirs.into(), ann, "ann@acme.example");
    let start = Command::CreateThread {
        actor: ann,
        settings: settings("plan"),
        groups: vec![ours, theirs],
        addresses: vec![],
    };
    let Reply::Scope(ScopeId::Thread(thread), _) = cluster.nodes[0].run(start).unwrap() else { panic!() };
    cluster.settle();
    post(&mut cluster.nodes[0], ann, thread, 1);
    cluster.settle();
    assert_eq!(shown(&cluster.nodes[1], bob, thread), 1, "the other owner's member reads through his group");
    assert!(matches!(post(&mut cluster.nodes[1], bob, thread, 2), Reply::Pending(_)));
    cluster.settle();
    assert_eq!(shown(&cluster.nodes[0], ann, thread), 2);
}
