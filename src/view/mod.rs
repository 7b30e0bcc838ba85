//! Read models: what people and peers are shown, as JSON.
//!
//! Duty: every read through the gate, in one view of the state. Never: a change, a clock, a name that the
//! viewer must not know (P3.1).

pub mod conduct;
pub mod externals;
pub mod foresight;
pub mod inbox;
pub mod invitations;
pub mod keys;
pub mod messages;
pub mod moves;
pub mod names;
pub mod people;
pub mod preview;
pub mod removals;
pub mod scopes;
pub mod search;
pub mod seen;
