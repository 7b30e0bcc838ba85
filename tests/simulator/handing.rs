//! A dead owner's root key hands a group over (spec 14.7; P5.4, P7): what it had removed stays removed.

use comity::{
    ids::{Hash, ScopeId},
    protocol::{Command, Reject, Reply, command::RejectCode, gate, handover},
    time::Millis,
    wire::{Blob, envelope, frames::Item, objects::Handover},
};

use crate::{
    cluster::Node,
    moving::{ACME, GLOBEX, INITECH, Stage, stage},
    story::{post, shown},
};

/// Signed by the root key of acme for what globex holds.
fn handovers(stage: &Stage, to: usize, root: &str) -> Vec<Blob> {
    let ids = handover::scopes(&stage.cluster.nodes[GLOBEX].state, stage.group);
    assert_eq!(ids.len(), 3, "the group with what began in it");
    let (from, to) = (stage.cluster.nodes[ACME].id, stage.cluster.nodes[to].id);
    let signed = ids.into_iter().map(|scope| {
        let (incarnation, epoch, hash) = handover::base(&stage.cluster.nodes[GLOBEX].state, scope).unwrap();
        let handover = Handover { scope, from, to, incarnation, epoch, hash, time: Millis(1) };
        envelope::sign(handover, None, &Node::root(root)).bytes().clone()
    });
    signed.collect()
}

impl Stage {
    fn take(&mut self, handovers: Vec<Blob>) -> Result<Reply, Reject> {
        self.cluster.nodes[GLOBEX].run(Command::TakeHandover(self.bob, handovers))
    }

    /// Everything arrives between the two that are alive.
    fn settle_without_acme(&mut self) {
        for _ in 0..60 {
            for (a, b) in [(GLOBEX, INITECH), (INITECH, GLOBEX)] {
                self.cluster.feed(a, b, false);
                self.cluster.submit(a, b, false);
                while self.cluster.content(a, b, false) {}
                self.cluster.history(a, b);
                self.cluster.lease(a, b, 0);
            }
        }
    }

    fn owned(&self, node: usize) -> bool {
        let owns = |id: &ScopeId| self.cluster.nodes[node].state.owns(*id);
        let all = self.scopes().iter().filter(|id| owns(id)).count();
        assert!(all == 0 || all == 3, "all of the group, or nothing");
        all == 3
    }

    fn out(&self) -> bool {
        let reads = |node: usize| gate::ways(&self.cluster.nodes[node].state, self.dan, self.chat).len();
        let member =
            self.cluster.nodes[GLOBEX].state.scope(self.group).unwrap().members.contains_key(&self.dan);
        reads(INITECH) == 0 && !member
    }
}

/// acme removes dan, initech hears of it, globex does not; then acme is gone.
fn dies_after_a_removal() -> Stage {
    let mut stage = stage();
    stage.remove(ACME, stage.ann, stage.dan).unwrap();
    while stage.cluster.feed(ACME, INITECH, false) {}
    let knows = |node: usize| {
        !stage.cluster.nodes[node].state.scope(stage.group).unwrap().members.contains_key(&stage.dan)
    };
    assert!(knows(INITECH) && !knows(GLOBEX));
    stage
}

#[test]
fn p7_a_removal_above_the_base_of_a_handover_stays() {
    let mut stage = dies_after_a_removal();
    let signed = handovers(&stage, GLOBEX, "acme");
    stage.take(signed).unwrap();
    assert!(!stage.owned(GLOBEX), "spec 14.7: the followers are asked first");
    stage.settle_without_acme();
    assert!(stage.owned(GLOBEX) && stage.out(), "P7: the removal that only initech held was applied first");
    post(&mut stage.cluster.nodes[GLOBEX], stage.bob, stage.chat, 70);
    post(&mut stage.cluster.nodes[INITECH], stage.carl, stage.chat, 71);
    stage.settle_without_acme();
    let high = stage.cluster.nodes[GLOBEX].state.logs[&stage.chat].high;
    assert_eq!(shown(&stage.cluster.nodes[INITECH], stage.carl, stage.chat), high, "the group goes on");
    assert!(stage.out());
}

#[test]
fn p7_a_follower_that_answers_late_still_brings_the_removal() {
    let mut stage = dies_after_a_removal();
    let signed = handovers(&stage, GLOBEX, "acme");
    stage.take(signed).unwrap();
    stage.cluster.pass(9_999);
    assert!(!stage.owned(GLOBEX));
    stage.cluster.pass(2);
    assert!(stage.owned(GLOBEX), "spec 12.1: silence is an answer after a while");
    stage.settle_without_acme();
    assert!(stage.out(), "P7: what a late answer brings is applied");
}

#[test]
fn p5_4_an_owner_that_comes_back_sees_the_handover_and_yields() {
    let mut stage = stage();
    stage.remove(ACME, stage.ann, stage.dan).unwrap();
    let signed = handovers(&stage, GLOBEX, "acme");
    stage.take(signed).unwrap();
    stage.settle_without_acme();
    assert!(stage.owned(GLOBEX) && !stage.out(), "nobody alive has heard of the removal");
    let newest = stage.cluster.nodes[ACME].backup();
    stage.cluster.nodes[ACME].restart(newest);
    assert!(stage.owned(ACME));
    stage.cluster.recall(ACME, INITECH);
    assert!(!stage.owned(ACME), "spec 14.7: it goes read-only");
    stage.cluster.settle();
    assert!(stage.out(), "P7: the removal that nobody but acme held");
    stage.goes_on(80);
}

#[test]
fn nobody_but_the_root_key_hands_over() {
    let mut stage = stage();
    for (to, root, code) in
        [(GLOBEX, "globex", RejectCode::Signature), (INITECH, "acme", RejectCode::Invalid)]
    {
        let signed = handovers(&stage, to, root);
        assert_eq!(stage.take(signed).unwrap_err().code, code);
    }
    let gus = stage.cluster.nodes[GLOBEX].user("gus");
    let signed = handovers(&stage, GLOBEX, "acme");
    let by_gus = stage.cluster.nodes[GLOBEX].run(Command::TakeHandover(gus, signed));
    assert_eq!(by_gus.unwrap_err().code, RejectCode::NotFound, "only an admin takes it");
    let forged = handovers(&stage, GLOBEX, "globex").remove(0);
    stage.cluster.say(GLOBEX, INITECH, &Item::HandedOver { handover: forged, high: 0, hash: Hash::ZERO });
    let owner = stage.cluster.nodes[INITECH].state.scope(stage.group).unwrap().head.owner;
    assert_eq!(owner, stage.cluster.nodes[ACME].id);
}
