//! Invitations by e-mail and who claims them (spec 6.7, 6.8; P1.5, P2.3), over links that deliver in any order of acts.

use comity::{
    ids::{GroupId, Hash, InviteId, ScopeId, UserId},
    protocol::{
        Command, Reply, account,
        claim::{self, Code},
        command::RejectCode,
        letter::What,
        row::{Claim, ClaimStatus, InviteStatus, LinkStatus},
    },
    wire::{
        frames::Item,
        objects::{Action, Floor, Grade, Profile, Statement, Word},
    },
};

use crate::{
    cluster::{Cluster, Node},
    story::group,
};

const ACME: usize = 0;
const GLOBEX: usize = 1;
const DAY: u64 = 24 * 3_600_000;

/// An invitation by e-mail: its id, and the hash of its link's secret.
fn by_mail(node: &mut Node, ann: UserId, group: GroupId, address: &str) -> (InviteId, Hash) {
    let (scope, grade, floor) = (ScopeId::from(group), Grade::Post, Floor::All);
    let invite = Action::Invite { scope, address: address.into(), grade, floor, until: None };
    let Ok(Reply::Link(Some(id), path)) = node.run(Command::Act(ann, invite)) else { panic!() };
    (id, account::link_hash(path.rsplit('/').next().unwrap()))
}

fn claim(cluster: &mut Cluster, user: UserId, link: Hash) {
    let owner = cluster.nodes[ACME].id;
    let code = Code { owner, endpoints: vec![], link };
    cluster.nodes[GLOBEX].run(Command::Claim(user, code)).unwrap();
    cluster.settle();
}

fn status(cluster: &Cluster, link: Hash) -> ClaimStatus {
    cluster.nodes[GLOBEX].state.claims[&Claim::id_of(cluster.nodes[ACME].id, link)].status
}

fn is_in(cluster: &Cluster, at: usize, group: GroupId, user: UserId) -> bool {
    cluster.nodes[at].state.scope(group).is_some_and(|scope| scope.members.contains_key(&user))
}

fn stage() -> (Cluster, UserId, UserId, GroupId) {
    let mut cluster = Cluster::new(&["acme", "globex"]);
    let ann = cluster.nodes[ACME].user("ann");
    let bob = cluster.nodes[GLOBEX].user("bob");
    let (ours, _) = group(&mut cluster.nodes[ACME], ann, "launch");
    (cluster, ann, bob, ours)
}

/// P2.3: 14 days, then the link says so and nobody comes in by it; sent again, the new link works and the old one does not.
#[test]
fn p2_3_an_invitation_ends_unanswered_and_a_new_link_replaces_the_old_one() {
    let (mut cluster, ann, bob, ours) = stage();
    let (id, link) = by_mail(&mut cluster.nodes[ACME], ann, ours, "bob@private.example");
    cluster.nodes[ACME].time += 14 * DAY + 1;
    cluster.nodes[ACME].run(Command::Tick).unwrap();
    let acme = &mut cluster.nodes[ACME];
    assert_eq!(acme.state.sent[&id].status, InviteStatus::Expired);
    let why = claim::invitation(&acme.state, link, acme.next_time()).unwrap_err();
    assert!(why.code == RejectCode::Closed && why.detail.contains("too old"), "{why}");
    let Ok(Reply::Link(_, path)) = acme.run(Command::ResendInvite(ann, id)) else { panic!() };
    let newer = account::link_hash(path.rsplit('/').next().unwrap());
    assert_eq!(acme.state.links_out[&link].status, LinkStatus::Withdrawn);
    claim(&mut cluster, bob, link);
    assert_eq!(status(&cluster, link), ClaimStatus::Gone);
    claim(&mut cluster, bob, newer);
    assert_eq!(status(&cluster, newer), ClaimStatus::Asked, "another address: the inviter decides");
    // What is known of links goes in the end.
    cluster.nodes[ACME].time += 60 * DAY;
    cluster.nodes[ACME].run(Command::Tick).unwrap();
    assert!(cluster.nodes[ACME].state.links_out.is_empty());
}

/// P1.5: the claimant hears that what he claims was taken back; a claim is answered by who may answer for the invitation.
#[test]
fn p1_5_a_claim_ends_with_its_invitation() {
    let (mut cluster, ann, bob, ours) = stage();
    let eve = cluster.nodes[ACME].user("eve");
    let (id, link) = by_mail(&mut cluster.nodes[ACME], ann, ours, "bob@private.example");
    claim(&mut cluster, bob, link);
    let acme = &mut cluster.nodes[ACME];
    assert_eq!(acme.run(Command::DecideClaim(eve, id, true)).unwrap_err().code, RejectCode::NotFound);
    acme.run(Command::RevokeInvite(ann, id)).unwrap();
    cluster.settle();
    assert_eq!(status(&cluster, link), ClaimStatus::Gone);
    assert_eq!(
        cluster.nodes[ACME].run(Command::DecideClaim(ann, id, true)).unwrap_err().code,
        RejectCode::Stale
    );
    assert!(!is_in(&cluster, ACME, ours, bob));
}

/// Spec 6.5, 6.8: removed while his claim waits for the inviter, he does not come in by it.
#[test]
fn p2_4_a_removal_counts_for_a_claim_that_was_made_before_it() {
    let (mut cluster, ann, bob, ours) = stage();
    let (id, link) = by_mail(&mut cluster.nodes[ACME], ann, ours, "bob@private.example");
    crate::story::join(&mut cluster, ACME, GLOBEX, ann, ours.into(), bob, "bob@globex.example");
    claim(&mut cluster, bob, link);
    assert_eq!(status(&cluster, link), ClaimStatus::Asked);
    let (scope, everywhere) = (ScopeId::from(ours), true);
    cluster.nodes[ACME].run(Command::Act(ann, Action::Remove { scope, user: bob, everywhere })).unwrap();
    cluster.settle();
    drop(cluster.nodes[ACME].run(Command::DecideClaim(ann, id, true)));
    cluster.settle();
    assert!(!is_in(&cluster, ACME, ours, bob), "an invitation of before his removal brought him back");
    assert!(!is_in(&cluster, GLOBEX, ours, bob));
}

/// Spec 6.8: a home vouches for addresses of its own domain alone, in a claim as in a profile.
#[test]
fn a_home_cannot_lend_its_users_addresses_of_others() {
    let (mut cluster, ann, bob, ours) = stage();
    let (_, link) = by_mail(&mut cluster.nodes[ACME], ann, ours, "bob@private.example");
    let acme = cluster.nodes[ACME].id;
    let globex = cluster.nodes[GLOBEX].id;
    let say = |cluster: &mut Cluster, word: Word| {
        let time = cluster.nodes[GLOBEX].next_time();
        let signed = cluster.nodes[GLOBEX].sign(Statement { word, time }, Some(acme));
        cluster.say(GLOBEX, ACME, &Item::Statement { statement: signed.bytes().clone() });
    };
    let profile = Profile::new("bob@private.example", "Bob");
    say(&mut cluster, Word::Claim { link, user: bob, profile });
    let waiting = cluster.nodes[ACME].state.sent.values().next().unwrap().clone();
    assert!(waiting.claimant.is_none() && waiting.home == acme, "the claim counted: {waiting:?}");
    crate::story::join(&mut cluster, ACME, GLOBEX, ann, ours.into(), bob, "bob@globex.example");
    say(&mut cluster, Word::Profile { user: bob, profile: Profile::new("ann@acme.example", "Ann") });
    let shown = &cluster.nodes[ACME].state.scope(ours).unwrap().members[&bob].profile;
    assert_eq!((bob.home(), shown.address.as_str()), (globex, "bob@globex.example"));
}

/// P1.1: who asks for a new password too often gets no more letters, and the link of the last one goes on working.
#[test]
fn a_link_that_is_not_mailed_takes_none_away() {
    let (mut cluster, ann, ..) = stage();
    let acme = &mut cluster.nodes[ACME];
    acme.run(Command::Mails(true)).unwrap();
    for _ in 0..12 {
        acme.run(Command::Forgot("ann@acme.example".into())).unwrap();
    }
    let open: Vec<_> =
        acme.state.links_out.values().filter(|link| link.status == LinkStatus::Open).cloned().collect();
    assert_eq!(open.len(), 1);
    let mailed = |link: Hash| {
        acme.state.letters.all.values().any(|letter| {
            let What::Reset { link: held, .. } = &letter.what else { return false };
            held.reveal().rsplit('/').next().map(account::link_hash) == Some(link)
        })
    };
    assert!(mailed(open[0].secret), "the one link of {ann} that works was never mailed");
}

/// P2.5: an answer is given once; whoever answers otherwise later is told, and does not go on believing that he is in.
#[test]
fn an_answer_to_an_invitation_is_final() {
    let (mut cluster, ann, bob, ours) = stage();
    let (scope, grade, floor) = (ScopeId::from(ours), Grade::Post, Floor::All);
    let answer = |cluster: &mut Cluster, id, accept| {
        cluster.nodes[GLOBEX].run(Command::AnswerInvite(bob, id, accept)).map_err(|reject| reject.code)
    };
    let invite = |cluster: &mut Cluster| {
        let address = "bob@globex.example".to_owned();
        let act = Action::Invite { scope, address, grade, floor, until: None };
        let Ok(Reply::Invited(id)) = cluster.nodes[ACME].run(Command::Act(ann, act)) else { panic!() };
        cluster.settle();
        id
    };
    let declined = invite(&mut cluster);
    assert_eq!(answer(&mut cluster, declined, false), Ok(Reply::Done));
    assert_eq!(answer(&mut cluster, declined, false), Ok(Reply::Already));
    assert_eq!(answer(&mut cluster, declined, true), Err(RejectCode::Closed));
    cluster.settle();
    let withdrawn = invite(&mut cluster);
    cluster.nodes[ACME].run(Command::RevokeInvite(ann, withdrawn)).unwrap();
    cluster.settle();
    assert_eq!(answer(&mut cluster, withdrawn, true), Err(RejectCode::Closed));
    assert_eq!(answer(&mut cluster, withdrawn, false), Ok(Reply::Already));
    let accepted = invite(&mut cluster);
    assert_eq!(answer(&mut cluster, accepted, true), Ok(Reply::Done));
    assert_eq!(answer(&mut cluster, accepted, true), Ok(Reply::Already));
    assert_eq!(answer(&mut cluster, accepted, false), Err(RejectCode::Closed));
    cluster.settle();
    assert!(is_in(&cluster, ACME, ours, bob) && is_in(&cluster, GLOBEX, ours, bob));
}

/// P1.4: no count of externals stands in anybody's way, in one group or in all of a workspace.
#[test]
fn p1_4_externals_are_as_many_as_are_invited() {
    let (mut cluster, ann, _, ours) = stage();
    let scope = ScopeId::from(ours);
    for n in 0..300 {
        // How fast somebody may invite is bounded (P2.3); how many are in is not.
        if n % 100 == 99 {
            cluster.pass(DAY);
            cluster.settle();
        }
        let user = cluster.nodes[GLOBEX].user(&format!("u{n}"));
        let (address, grade, floor) = (format!("u{n}@globex.example"), Grade::Post, Floor::FromNow);
        let act = Action::Invite { scope, address, grade, floor, until: None };
        let Ok(Reply::Invited(id)) = cluster.nodes[ACME].run(Command::Act(ann, act)) else {
            panic!("P1.4: {n} externals are enough, it says");
        };
        cluster.settle();
        assert_eq!(cluster.nodes[GLOBEX].run(Command::AnswerInvite(user, id, true)), Ok(Reply::Done));
        cluster.settle();
    }
    let held = &cluster.nodes[ACME].state.scope(ours).unwrap().members;
    assert_eq!(held.keys().filter(|user| user.home() == cluster.nodes[GLOBEX].id).count(), 300);
}
