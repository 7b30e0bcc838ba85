//! The core: a pure function from state and command to changes (spec 4 to 9).
//!
//! Duty: every rule of who may what, and what follows from it. `decide` never mutates what it is given,
//! all or nothing; `State::apply` never fails. Never: clocks, random sources, files, sockets, threads;
//! time and seeds are arguments, so that a run is a function of its inputs.

pub mod account;
pub mod acts;
pub mod address;
pub mod approval;
pub mod attention;
pub mod audit;
pub mod change;
pub mod claim;
pub mod command;
pub mod consent;
pub mod contacts;
pub mod decide;
pub mod draft;
pub mod ending;
pub mod evidence;
pub mod fanout;
pub mod feed;
pub mod follow;
pub mod gate;
pub mod grouplink;
pub mod handover;
pub mod heads;
pub mod identity;
pub mod invite;
pub mod joining;
pub mod journal;
pub mod lease;
pub mod leaving;
pub mod letter;
pub mod lookup;
pub mod membership;
pub mod moved_account;
pub mod moving;
pub mod once;
pub mod parting;
pub mod peering;
pub mod people;
pub mod policy;
pub mod posting;
pub mod recent;
pub mod recovery;
pub mod reign;
pub mod removal;
pub mod replica;
pub mod request;
pub mod resolve;
pub mod row;
pub mod sabotage;
pub mod serve;
pub mod state;
pub mod tighten;
pub mod uptime;
pub mod witness;
pub mod words;

pub use change::{Change, Mark};
pub use command::{Command, Decision, Reject, Reply};
pub use decide::{decide, seal};
pub use draft::{Ctx, Draft, Records};
pub use state::State;
