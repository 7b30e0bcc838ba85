//! The places and people of the model: what is there before the first step, and the copies of disks for restores.

use comity::{
    ids::{ScopeId, ThreadId, UserId, WorkspaceId},
    protocol::{Command, row::InvitePolicy},
    wire::objects::{Action, Floor, Grade},
};

use crate::{
    checks,
    cluster::{Backup, Cluster, Node},
    moment::Moment,
    people, print,
};

pub const OWNER: usize = 0;
/// globex with bob, initech with carl.
pub const HOMES: [usize; 2] = [1, 2];
/// The lease of the group: a third of it is the time that an owner waits after a start.
pub const TTL: u64 = 30_000;

/// Names that stay the same in every state.
pub struct Stage {
    pub ann: UserId,
    /// By home: bob at 1, carl at 2.
    pub guests: [UserId; 2],
    pub group: ScopeId,
    pub chat: ThreadId,
    pub ids: Vec<WorkspaceId>,
    /// The disks that a restore brings back, by node.
    pub copies: Vec<Backup>,
    start: Moment,
}

/// Of when the copies are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyOf {
    /// bob and carl are in.
    Both,
    /// carl was not invited yet.
    BobOnly,
}

impl Stage {
    pub fn new(copy_of: CopyOf) -> Self {
        let mut cluster = Cluster::new(&["acme", "globex", "initech"]);
        let ann = cluster.nodes[OWNER].user("ann");
        let guests = [cluster.nodes[1].user("bob"), cluster.nodes[2].user("carl")];
        let (group, chat) = people::group(&mut cluster.nodes[OWNER], ann, "launch");
        let group = group.into();
        cluster.nodes[OWNER].run(Command::Act(ann, Action::Lease { scope: group, ttl: TTL })).unwrap();
        let acme = cluster.nodes[OWNER].id;
        for home in HOMES {
            cluster.nodes[home].run(Command::SetInvitePolicy(acme, InvitePolicy::Accept)).unwrap();
        }
        let mut copies = None;
        for home in HOMES {
            if copies.is_none() && copy_of == CopyOf::BobOnly && home == 2 {
                copies = Some(backups(&cluster));
            }
            cluster.nodes[OWNER].run(Command::Act(ann, invitation(group, home))).unwrap();
            cluster.settle();
            people::post(&mut cluster.nodes[OWNER], ann, chat, [u8::try_from(home).unwrap(); 16]).unwrap();
            cluster.settle();
        }
        let copies = copies.unwrap_or_else(|| backups(&cluster));
        let ids = cluster.nodes.iter().map(|node| node.id).collect();
        let mut stage = Self { ann, guests, group, chat, ids, copies, start: Moment::new(cluster) };
        let mut start = stage.start.clone();
        let acme = &start.cluster.nodes[OWNER].state;
        start.past.feeds = HOMES.iter().map(|home| acme.peers[&stage.ids[*home]].feed).collect();
        checks::remember(&stage, &mut start);
        stage.start = start;
        stage
    }

    pub fn guest(&self, home: usize) -> UserId {
        self.guests[home - 1]
    }

    /// The first state, with clocks of these rates.
    pub fn start(&self, rates: [u64; 3]) -> Moment {
        let mut start = self.start.clone();
        start.cluster.nodes.iter_mut().zip(rates).for_each(|(node, rate)| node.rate = rate);
        start.body = print::body(&start);
        start.print = print::of(&start);
        start
    }
}

pub fn invitation(scope: ScopeId, home: usize) -> Action {
    let address = ["", "bob@globex.example", "carl@initech.example"][home].into();
    Action::Invite { scope, address, grade: Grade::Post, floor: Floor::All, until: None }
}

fn backups(cluster: &Cluster) -> Vec<Backup> {
    cluster.nodes.iter().map(Node::backup).collect()
}
