//! An owner that signs twice for one position (spec 4.2, 12.7): nobody is shown either, nobody comes back, and anybody
//! can check what it did.

use comity::{
    ids::{ScopeId, ThreadId, UserId},
    protocol::{Command, evidence, gate},
    view::scopes,
    wire::{
        cbor,
        frames::{FeedFrame, Item},
        objects::{Action, Grade},
    },
};

use crate::{
    cluster::Cluster,
    story::{group, join, post, shown},
    world::settings,
};

const ACME: usize = 0;
const GLOBEX: usize = 1;

/// acme's group with bob and carl of globex; acme has removed bob, which globex knows, and has then forgotten it.
struct Stage {
    cluster: Cluster,
    ann: UserId,
    bob: UserId,
    carl: UserId,
    group: ScopeId,
    chat: ThreadId,
}

fn stage() -> Stage {
    let mut cluster = Cluster::new(&["acme", "globex"]);
    let ann = cluster.nodes[ACME].user("ann");
    let (bob, carl) = (cluster.nodes[GLOBEX].user("bob"), cluster.nodes[GLOBEX].user("carl"));
    let (id, chat) = group(&mut cluster.nodes[ACME], ann, "launch");
    let group = id.into();
    join(&mut cluster, ACME, GLOBEX, ann, group, bob, "bob@globex.example");
    join(&mut cluster, ACME, GLOBEX, ann, group, carl, "carl@globex.example");
    post(&mut cluster.nodes[ACME], ann, chat, 1);
    cluster.settle();
    let before = cluster.nodes[ACME].backup();
    let mut stage = Stage { cluster, ann, bob, carl, group, chat };
    stage.act(Action::Remove { scope: group, user: bob, everywhere: false });
    stage.cluster.settle();
    assert!(!gate::reaches(&stage.cluster.nodes[GLOBEX].state, bob, chat));
    stage.cluster.nodes[ACME].forget(before);
    stage
}

impl Stage {
    fn act(&mut self, action: Action) {
        self.cluster.nodes[ACME].run(Command::Act(self.ann, action)).unwrap();
    }

    /// acme signs something else for the epoch of the removal.
    fn sign_again(&mut self) {
        self.act(Action::Grade { scope: self.group, user: self.bob, grade: Grade::Admin });
    }

    /// The newest event of acme's present chain arrives at globex, as a dishonest owner would send it.
    fn slip(&mut self) {
        let head = self.cluster.nodes[ACME].state.scope(self.group).unwrap().head.clone();
        let event = self.cluster.nodes[ACME].event(self.group, head.incarnation, head.epoch);
        let owner = self.cluster.nodes[ACME].id;
        let (feed, number, _) = self.cluster.nodes[GLOBEX].state.peers[&owner].inbound.unwrap();
        let items = vec![cbor::encode(&Item::Event { event }).into()];
        let frame = FeedFrame { feed, first: number + 1, items };
        self.cluster.nodes[GLOBEX].run(Command::Feed(owner, frame)).unwrap();
    }

    /// What globex shows: nothing, and why.
    fn is_frozen(&self) {
        let state = &self.cluster.nodes[GLOBEX].state;
        assert!(!gate::reaches(state, self.carl, self.chat), "spec 12.7: a frozen scope shows nothing");
        let view = scopes::scope(state, self.carl, self.group).unwrap().place;
        assert!(view.frozen.unwrap().contains("ask your admin"));
        assert_eq!(
            (view.members, view.settings.name.as_str()),
            (0, ""),
            "that it is frozen, and nothing else"
        );
        assert!(scopes::scope(state, self.bob, self.group).is_none(), "P3.1: who is out is told nothing");
        let held = state.scope(self.group).unwrap();
        assert!(!held.members.contains_key(&self.bob), "spec 12.7: the smaller membership");
        assert!(!self.cluster.nodes[GLOBEX].disk.content.is_empty(), "nothing is destroyed");
    }

    /// The evidence that a node holds, as a file.
    fn file(&self, node: usize) -> serde_json::Value {
        let state = &self.cluster.nodes[node].state;
        let mut all = state.evidence.values();
        let held = all.next().unwrap();
        assert!(all.next().is_none(), "one contradiction of a scope and incarnation is enough");
        serde_json::to_value(evidence::export(held, &state.homes[&held.owner])).unwrap()
    }

    /// The alarm has arrived; acme goes on in a new incarnation, without bob; globex has thawed.
    fn goes_on(&mut self) {
        self.cluster.settle();
        assert_eq!(self.file(ACME)["accused"], self.file(GLOBEX)["accused"], "the alarm is on both sides");
        for node in [ACME, GLOBEX] {
            let scope = self.cluster.nodes[node].state.scope(self.group).unwrap();
            assert_eq!(scope.head.incarnation >> 32, 1, "spec 12.3: the owner begins anew");
            assert_eq!(scope.head.frozen, None);
            assert!(!scope.members.contains_key(&self.bob), "invariant 6: who was out stays out");
            assert!(scope.members.contains_key(&self.carl));
        }
        post(&mut self.cluster.nodes[ACME], self.ann, self.chat, 9);
        self.cluster.settle();
        let high = shown(&self.cluster.nodes[ACME], self.ann, self.chat);
        assert_eq!(shown(&self.cluster.nodes[GLOBEX], self.carl, self.chat), high, "it thaws");
        assert!(!gate::reaches(&self.cluster.nodes[GLOBEX].state, self.bob, self.chat));
    }
}

#[test]
fn p7_two_events_for_one_epoch_freeze_the_scope_and_are_evidence() {
    let mut stage = stage();
    stage.sign_again();
    stage.slip();
    stage.is_frozen();
    let verdict = evidence::verify(&stage.file(GLOBEX).to_string()).unwrap();
    assert_eq!((verdict.accused, verdict.revoked.len()), (stage.cluster.nodes[ACME].id, 0));
    let group = stage.group.to_string();
    for words in ["acme (acme.example) signed two statements", "membership event", group.as_str(), "epoch 3 "]
    {
        assert!(verdict.proves.contains(words), "{words}: {}", verdict.proves);
    }
    stage.goes_on();
}

/// The answer to a comparison is a snapshot, as a dishonest owner gives it: it contradicts the event that is held.
#[test]
fn p7_a_snapshot_against_an_event_of_its_position_is_evidence() {
    let mut stage = stage();
    stage.sign_again();
    let (acme, globex) = (stage.cluster.nodes[ACME].id, stage.cluster.nodes[GLOBEX].id);
    stage.cluster.nodes[GLOBEX].run(Command::Comparing(acme)).unwrap();
    // As if globex had named nothing: an honest owner would see that it had signed before, and begin anew.
    stage.cluster.nodes[ACME].run(Command::Compare(globex, vec![])).unwrap();
    while stage.cluster.nodes[GLOBEX].state.evidence.is_empty() {
        assert!(stage.cluster.feed(ACME, GLOBEX, false), "the comparison brings the snapshot");
    }
    stage.is_frozen();
    let file = stage.file(GLOBEX);
    assert_ne!(file["first"]["kind"], file["second"]["kind"]);
    let verdict = evidence::verify(&file.to_string()).unwrap();
    assert!(verdict.proves.contains("snapshot of the members"), "{}", verdict.proves);
    stage.goes_on();
}

/// The same again changes nothing: one alarm, one piece of evidence, one new incarnation.
#[test]
fn what_was_told_once_is_not_told_again() {
    let mut stage = stage();
    stage.sign_again();
    stage.slip();
    stage.slip();
    stage.cluster.compare(ACME, GLOBEX);
    stage.is_frozen();
    stage.goes_on();
}

#[test]
fn an_honest_new_incarnation_is_no_evidence() {
    let mut stage = stage();
    stage.act(Action::Settings { scope: stage.group, settings: settings("before") });
    let state = &stage.cluster.nodes[ACME].state;
    let one = stage.cluster.nodes[ACME].event(stage.group, 0, state.scope(stage.group).unwrap().head.epoch);
    stage.slip();
    stage.cluster.settle();
    let head = stage.cluster.nodes[ACME].state.scope(stage.group).unwrap().head.clone();
    assert_eq!(head.incarnation >> 32, 1, "globex's alarm led to a new incarnation");
    let other = stage.cluster.nodes[ACME].event(stage.group, head.incarnation, head.epoch);
    assert!(!evidence::contradict(&one, &other), "spec 12.3: contradiction counts within one incarnation");
}
