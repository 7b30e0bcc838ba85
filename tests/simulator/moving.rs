//! Ownership moves (spec 14; P5.4): history and members stay, removals stay, and there is one owner at a time.

use comity::{
    ids::{GroupId, MoveId, ScopeId, ThreadId, UserId},
    limits,
    protocol::{
        Command, Reject, Reply, command::RejectCode, fanout, gate, lease, moving::Stand, row::InviteStatus,
        row::Role,
    },
    wire::{
        Blob,
        frames::Item,
        objects::{Action, Floor, Grade},
    },
};

use crate::{
    cluster::{Backup, Cluster},
    story::{group, join, post, shown},
    world::settings,
};

const ACME: usize = 0;
const GLOBEX: usize = 1;
const INITECH: usize = 2;

/// acme's group with bob, admin of globex, and carl and dan of initech in it; a topic that began with it; messages of all.
struct Stage {
    cluster: Cluster,
    ann: UserId,
    bob: UserId,
    carl: UserId,
    dan: UserId,
    group: GroupId,
    chat: ThreadId,
    topic: ThreadId,
}

fn topic(cluster: &mut Cluster, node: usize, actor: UserId, group: GroupId) -> ThreadId {
    let (settings, groups) = (settings("plan"), vec![group]);
    let start = Command::CreateThread { actor, settings, groups, addresses: vec![] };
    let Reply::Scope(ScopeId::Thread(topic), _) = cluster.nodes[node].run(start).unwrap() else { panic!() };
    topic
}

fn stage() -> Stage {
    let mut cluster = Cluster::new(&["acme", "globex", "initech"]);
    let ann = cluster.nodes[ACME].user("ann");
    let (bob, carl) = (cluster.nodes[GLOBEX].user("bob"), cluster.nodes[INITECH].user("carl"));
    let dan = cluster.nodes[INITECH].user("dan");
    cluster.nodes[GLOBEX].run(Command::SetRole(bob, Role::Admin)).unwrap();
    let (group, chat) = group(&mut cluster.nodes[ACME], ann, "launch");
    join(&mut cluster, ACME, INITECH, ann, group.into(), carl, "carl@initech.example");
    join(&mut cluster, ACME, INITECH, ann, group.into(), dan, "dan@initech.example");
    post(&mut cluster.nodes[ACME], ann, chat, 1);
    let topic = topic(&mut cluster, ACME, ann, group);
    post(&mut cluster.nodes[ACME], ann, topic, 2);
    post(&mut cluster.nodes[INITECH], carl, chat, 3);
    cluster.settle();
    // bob comes last and sees nothing from before: his home needs it all the same.
    let action = Action::Invite {
        scope: group.into(),
        address: "bob@globex.example".into(),
        grade: Grade::Post,
        floor: Floor::FromNow,
        until: None,
    };
    cluster.nodes[ACME].run(Command::Act(ann, action)).unwrap();
    cluster.settle();
    let id = cluster.nodes[GLOBEX].state.received.values().next().unwrap().invite.id;
    cluster.nodes[GLOBEX].run(Command::AnswerInvite(bob, id, true)).unwrap();
    cluster.settle();
    post(&mut cluster.nodes[GLOBEX], bob, chat, 4);
    cluster.settle();
    Stage { cluster, ann, bob, carl, dan, group, chat, topic }
}

impl Stage {
    fn offer(&mut self) -> Result<MoveId, Reject> {
        let to = self.cluster.nodes[GLOBEX].id;
        match self.cluster.nodes[ACME].run(Command::OfferMove(self.ann, self.group, to))? {
            Reply::Offered(id) => Ok(id),
            other => panic!("{other:?}"),
        }
    }

    /// Offered and wanted; what follows from it is on its way.
    fn agree(&mut self) -> MoveId {
        let id = self.offer().unwrap();
        self.cluster.settle();
        self.cluster.nodes[GLOBEX].run(Command::WantMove(self.bob, id)).unwrap();
        id
    }

    fn moved(&mut self) {
        self.agree();
        self.cluster.settle();
        for scope in self.scopes() {
            assert_eq!(self.owners(scope), [self.cluster.nodes[GLOBEX].id; 3], "P5.4: one owner for everybody");
        }
    }

    fn scopes(&self) -> [ScopeId; 3] {
        [self.group.into(), self.chat.into(), self.topic.into()]
    }

    fn owners(&self, scope: ScopeId) -> [comity::ids::WorkspaceId; 3] {
        [ACME, GLOBEX, INITECH].map(|node| self.cluster.nodes[node].state.scope(scope).unwrap().head.owner)
    }

    fn remove(&mut self, node: usize, actor: UserId, user: UserId) -> Result<Reply, Reject> {
        let action = Action::Remove { scope: self.group.into(), user, everywhere: false };
        self.cluster.nodes[node].run(Command::Act(actor, action))
    }

    /// Everybody holds the same chain and reads all of it; everybody writes.
    fn goes_on(&mut self, n: u8) {
        post(&mut self.cluster.nodes[GLOBEX], self.bob, self.chat, n);
        post(&mut self.cluster.nodes[ACME], self.ann, self.chat, n + 1);
        post(&mut self.cluster.nodes[INITECH], self.carl, self.chat, n + 2);
        self.cluster.settle();
        let high = self.cluster.nodes[GLOBEX].state.logs[&self.chat].high;
        for (node, user) in [(ACME, self.ann), (GLOBEX, self.bob), (INITECH, self.carl)] {
            let node = &self.cluster.nodes[node];
            assert_eq!(shown(node, user, self.chat), high, "P5.4: history and members stay");
            assert!(node.state.outbox.is_empty(), "everything was delivered");
            assert!(node.state.scopes.values().all(|scope| scope.head.frozen.is_none()));
        }
        for scope in self.scopes() {
            let heads = [ACME, GLOBEX, INITECH]
                .map(|node| self.cluster.nodes[node].state.scope(scope).unwrap().head.hash);
            assert!(heads.iter().all(|hash| *hash == heads[0]), "invariant 15: one chain");
        }
        let entries = |node: usize| {
            let of_chat = self.cluster.nodes[node].disk.content.iter().filter(|((of, _), _)| *of == self.chat);
            of_chat.map(|(_, stored)| stored.entry.clone()).collect::<Vec<_>>()
        };
        let all = entries(GLOBEX);
        assert_eq!(all.len() as u64, high);
        assert_eq!(entries(ACME), all);
        assert_eq!(entries(INITECH), all);
    }
}

#[test]
fn p5_4_a_group_moves_with_chat_topic_history_and_members() {
    let mut stage = stage();
    assert!(stage.cluster.nodes[GLOBEX].state.logs[&stage.chat].low > 1, "globex lacks the beginning");
    stage.moved();
    assert_eq!(stage.cluster.nodes[GLOBEX].state.logs[&stage.chat].low, 1, "spec 14.2: whole before it signs");
    assert_eq!(stage.cluster.nodes[GLOBEX].state.logs[&stage.topic].low, 1);
    let members = |node: usize| stage.cluster.nodes[node].state.scope(stage.group).unwrap().members.len();
    assert_eq!([members(ACME), members(GLOBEX), members(INITECH)], [4; 3]);
    stage.goes_on(10);
    let stands = stage.cluster.nodes.iter().flat_map(|node| node.state.transfers.values());
    assert!(stands.into_iter().all(|row| row.stand == Stand::Moved));
}
