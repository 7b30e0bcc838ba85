//! A self-hosted workspace node that federates groups and threads with the nodes of other workspaces.
//!
//! Every change, from any door, goes one way and never turns back: decode and verify (`wire`, `crypto`), decide
//! (`protocol`, pure), commit, dispatch. Invariants:
//! - Layers 0 to 2 (`ids`, `limits`, `time`, `uri`; `crypto`, `wire`; `protocol`) know nothing of sockets, files, clocks or
//!   random sources: time, seeds and keys are arguments, so a run is a pure function of its inputs.
//! - A decision is all or nothing: [`protocol::decide()`] works on a private copy and gives a list of
//!   [`protocol::Change`]s; `State::apply` never fails.
//! - Rows of state are written whole (`protocol::row`); only content, chains and feeds grow. Event sourcing of all
//!   state was weighed and left: rows keep the start fast and a schema change local to one row.
//! - A group or thread has one writer, its owner's chain; replicas only follow.
//! - Who may read is asked in one place, [`protocol::gate`]; what a peer gets is built in [`protocol::serve`], so that
//!   the simulator and the link serve the same bytes.
//! - What another workspace owns is served under its lease alone; leases and what was heard since a start are never stored
//!   (`protocol::uptime`): after a stop, a restore or a sleep the safe answer is the one that needs nothing.
//! - A node does not trust its own disk to be the newest: before it signs anything it asks its followers and its journal
//!   (`protocol::recovery`, `node::journal`). Consensus among nodes was weighed and left: one owner per scope needs none, and a
//!   follower keeps all that an owner needs to find its way back.
//! - What peers say is proof where they signed it, and a bounded hint where they did not.
//! - Free accounts live in a realm that is a node of its own in the same process (`node::realm`), and an ordinary peer of its
//!   host. A second kind of local user was weighed and left: every rule that asks for a home would have had two answers.
//! - Pages are made from the API's answers in the same process (`web`): they have no other way to the node, so a browser sees
//!   and does what a script can, and the API's gate is the only one. Views shared by both were weighed and left: each page
//!   would have had to ask the gate again.
//! - Every bound is in [`limits`].

pub mod api;
mod bench;
pub mod cli;
pub mod config;
pub mod crypto;
mod demo;
pub mod federation;
pub mod ids;
mod import;
pub mod limits;
pub mod mail;
pub mod node;
pub mod protocol;
pub mod store;
pub mod time;
mod uri;
pub mod view;
pub mod web;
pub mod wire;
