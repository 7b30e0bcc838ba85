//! A state of the model: the nodes, what is on its way, what was spent, and what the checks must remember.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{Hash as StdHash, Hasher},
};

use comity::{
    ids::{Hash, ScopeId},
    time::Millis,
    wire::{
        Blob,
        frames::{ContentFrame, Witness},
    },
};

use crate::cluster::{Asked, Cluster, Granted};

/// What is on its way between the owner and one follower; lost with the connection.
#[derive(Clone, Default)]
pub struct Flight {
    pub asked: Option<Asked>,
    pub granted: Option<Granted>,
    pub frame: Option<ContentFrame>,
    /// The follower's answer after the owner's start.
    pub witness: Option<Vec<Witness>>,
}

impl Flight {
    pub fn is_empty(&self) -> bool {
        self.asked.is_none() && self.granted.is_none() && self.frame.is_none() && self.witness.is_none()
    }
}

/// How often each bounded step was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    pub removals: u8,
    pub invites: u8,
    pub posts: u8,
    pub writes: u8,
    pub asks: [u8; 2],
    pub shorts: u8,
    pub longs: u8,
    pub restarts: u8,
    pub restores: u8,
    pub follower_restarts: u8,
    pub follower_restores: u8,
    pub cuts: u8,
    pub losses: u8,
}

impl Spent {
    pub fn bytes(&self) -> [u8; 14] {
        [
            self.removals,
            self.invites,
            self.posts,
            self.writes,
            self.asks[0],
            self.asks[1],
            self.shorts,
            self.longs,
            self.restarts,
            self.restores,
            self.follower_restarts,
            self.follower_restores,
            self.cuts,
            self.losses,
        ]
    }
}

/// Who is out, by the owner's own word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Out {
    /// The latest moment that the removal named for the home.
    pub latest: Millis,
}

/// What was true earlier and decides whether something is right now.
#[derive(Clone, Default)]
pub struct Past {
    /// By guest. A removal that a restored owner forgot counts again once a follower that knows it has answered.
    pub out: [Option<Out>; 2],
    /// Whether the guest was invited after the last removal.
    pub invited: [bool; 2],
    /// Own events by scope, incarnation and epoch: the hash, whether another node ever held it, the bytes.
    pub events: BTreeMap<(ScopeId, u64, u64), (Hash, bool, Blob)>,
    /// The same of heads, by incarnation and seq: the hash that it gives to the entry.
    pub heads: BTreeMap<(u64, u64), (Hash, bool)>,
    /// Every entry that the owner ever sequenced, and by guest those that came after he was out.
    pub sequenced: BTreeSet<Hash>,
    pub after: [BTreeSet<Hash>; 2],
    /// Removals so far when the owner was last restored.
    pub restored: Option<u8>,
    /// Feeds of the owner at the start, to tell that a comparison ran.
    pub feeds: Vec<comity::ids::FeedId>,
    /// The invariants that were broken by the step that led here, each with what was seen.
    pub broken: BTreeSet<(u8, String)>,
}

/// A state. Two are equal if their prints are.
#[derive(Clone)]
pub struct Moment {
    pub cluster: Cluster,
    /// By follower.
    pub flights: [Flight; 2],
    pub spent: Spent,
    pub past: Past,
    /// The print of all but what was spent.
    pub body: Hash,
    pub print: Hash,
}

impl Moment {
    pub fn new(cluster: Cluster) -> Self {
        Self {
            cluster,
            flights: Default::default(),
            spent: Spent::default(),
            past: Past::default(),
            body: Hash::ZERO,
            print: Hash::ZERO,
        }
    }

    pub fn flight(&mut self, home: usize) -> &mut Flight {
        &mut self.flights[home - 1]
    }
}

impl StdHash for Moment {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.print.0.hash(hasher);
    }
}

impl PartialEq for Moment {
    fn eq(&self, other: &Self) -> bool {
        self.print == other.print
    }
}

impl Eq for Moment {}

impl std::fmt::Debug for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?} {:?}", self.print, self.spent, self.past.broken)
    }
}
