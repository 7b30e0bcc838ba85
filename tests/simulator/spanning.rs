//! Threads that are read through groups of several owners, and the leases between them (P6.2, spec 11.4).

use comity::{
    limits,
    protocol::{Command, Reply},
    wire::objects::{Action, Floor},
};

use crate::{
    cluster::Cluster,
    story::{group, join, post, shown},
    world::settings,
};

const ACME: usize = 0;
const GLOBEX: usize = 1;
const INITECH: usize = 2;

/// P7.4: what acme withheld from those who read through initech's group, as long as it lacked initech's lease, reaches them
/// with the next lease, also when that comes before anybody noticed that the last one was over.
#[test]
fn p7_4_a_gap_between_two_leases_that_no_tick_saw_loses_nothing() {
    let mut cluster = Cluster::new(&["acme", "globex", "initech"]);
    let (ann, carl) = (cluster.nodes[ACME].user("ann"), cluster.nodes[INITECH].user("carl"));
    let (bob, gerd) = (cluster.nodes[GLOBEX].user("bob"), cluster.nodes[GLOBEX].user("gerd"));
    let (ours, _) = group(&mut cluster.nodes[ACME], ann, "terms");
    let (theirs, _) = group(&mut cluster.nodes[INITECH], carl, "legal");
    join(&mut cluster, ACME, GLOBEX, ann, ours.into(), bob, "bob@globex.example");
    join(&mut cluster, INITECH, ACME, carl, theirs.into(), ann, "ann@acme.example");
    join(&mut cluster, INITECH, GLOBEX, carl, theirs.into(), gerd, "gerd@globex.example");
    let node = &mut cluster.nodes[ACME];
    let (actor, groups, addresses) = (ann, vec![ours], vec![]);
    let made = node.run(Command::CreateThread { actor, settings: settings("both"), groups, addresses });
    let Ok(Reply::Scope(id, _)) = made else { panic!("{made:?}") };
    let thread = id.thread().unwrap();
    node.run(Command::Act(ann, Action::AddGroup { thread, group: theirs, floor: Floor::All })).unwrap();
    cluster.settle();
    post(&mut cluster.nodes[ACME], ann, thread, 1);
    cluster.settle();
    assert_eq!(shown(&cluster.nodes[GLOBEX], gerd, thread), 1);
    cluster.wait(limits::LEASE_STANDARD_MILLIS);
    post(&mut cluster.nodes[ACME], ann, thread, 2);
    while cluster.content(ACME, GLOBEX, false) {}
    let waits = post(&mut cluster.nodes[GLOBEX], gerd, thread, 3);
    assert_eq!(waits, Reply::Pending(cluster.nodes[ACME].id));
    assert!(!cluster.submit(ACME, GLOBEX, false), "spec 11.4: neither accepted nor refused for good");
    for (owner, follower) in [(INITECH, ACME), (INITECH, GLOBEX), (ACME, GLOBEX)] {
        cluster.lease(owner, follower, 0);
    }
    assert_eq!(shown(&cluster.nodes[GLOBEX], bob, thread), 2);
    assert_eq!(shown(&cluster.nodes[GLOBEX], gerd, thread), 1, "spec 11.4: withheld without initech's lease");
    while cluster.content(ACME, GLOBEX, false) {}
    assert_eq!(
        shown(&cluster.nodes[GLOBEX], gerd, thread),
        2,
        "P7.4: what was withheld comes, without a new word"
    );
    cluster.settle();
    assert_eq!(shown(&cluster.nodes[GLOBEX], gerd, thread), 3, "P7.4: all comes back by itself");
    assert_eq!(shown(&cluster.nodes[ACME], ann, thread), 3, "and what was written meanwhile is delivered");
}
