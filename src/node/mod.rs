//! The node: identity on disk, and the one place for clocks and random sources.
//!
//! Duty: what lies between the pure core and the machine. Never: a rule of the protocol.

pub mod clock;
pub mod identity;
pub mod key_file;
