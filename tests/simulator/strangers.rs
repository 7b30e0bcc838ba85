//! Homes that meet in a scope without being peers: what they know of each other comes from its owner (spec 9.5).

use comity::protocol::{Command, Reply};

use crate::{
    cluster::Cluster,
    story::{group, join, post, shown},
    world::settings,
};

const ACME: usize = 0;
const GLOBEX: usize = 1;
const INITECH: usize = 2;

/// P1.3, P6.2: carl follows a thread and not the group to which it is addressed; bob comes into that group later and writes.
#[test]
fn p6_2_a_newcomer_of_a_group_is_read_by_who_is_in_its_thread_alone() {
    let mut cluster = Cluster::around(&["acme", "globex", "initech"]);
    let ann = cluster.nodes[ACME].user("ann");
    let (bob, carl) = (cluster.nodes[GLOBEX].user("bob"), cluster.nodes[INITECH].user("carl"));
    let (ours, _) = group(&mut cluster.nodes[ACME], ann, "launch");
    let (actor, groups, addresses) = (ann, vec![ours], vec![]);
    let made = Command::CreateThread { actor, settings: settings("plan"), groups, addresses };
    let Ok(Reply::Scope(topic, _)) = cluster.nodes[ACME].run(made) else { panic!() };
    join(&mut cluster, ACME, INITECH, ann, topic, carl, "carl@initech.example");
    join(&mut cluster, ACME, GLOBEX, ann, ours.into(), bob, "bob@globex.example");
    post(&mut cluster.nodes[GLOBEX], bob, topic.thread().unwrap(), 1);
    cluster.settle();
    assert_eq!(shown(&cluster.nodes[INITECH], carl, topic.thread().unwrap()), 1);
}

/// A home changes its signing key: what its users write from then on is read by those who are no peers of it.
#[test]
fn p6_1_a_new_key_reaches_who_is_no_peer() {
    let mut cluster = Cluster::around(&["acme", "globex", "initech"]);
    let ann = cluster.nodes[ACME].user("ann");
    let (bob, carl) = (cluster.nodes[GLOBEX].user("bob"), cluster.nodes[INITECH].user("carl"));
    let (ours, chat) = group(&mut cluster.nodes[ACME], ann, "launch");
    join(&mut cluster, ACME, GLOBEX, ann, ours.into(), bob, "bob@globex.example");
    join(&mut cluster, ACME, INITECH, ann, ours.into(), carl, "carl@initech.example");
    post(&mut cluster.nodes[GLOBEX], bob, chat, 1);
    cluster.settle();
    cluster.nodes[GLOBEX].rotate();
    cluster.greet(GLOBEX, ACME);
    post(&mut cluster.nodes[GLOBEX], bob, chat, 2);
    cluster.settle();
    assert_eq!(shown(&cluster.nodes[INITECH], carl, chat), 2);
    // Content does not wait for control: the message may be there before the manifest.
    cluster.nodes[GLOBEX].rotate();
    cluster.greet(GLOBEX, ACME);
    post(&mut cluster.nodes[GLOBEX], bob, chat, 3);
    assert!(cluster.submit(ACME, GLOBEX, false));
    while cluster.content(ACME, INITECH, false) {}
    assert_eq!(shown(&cluster.nodes[INITECH], carl, chat), 2, "not before its signature can be checked");
    cluster.settle();
    assert_eq!(shown(&cluster.nodes[INITECH], carl, chat), 3);
}
