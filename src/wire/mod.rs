//! What `proto-spec/` says, as types: strict deterministic CBOR, the signed envelope, objects and frames.
//!
//! Duty: the one place where received bytes become values, after they were checked and verified
//! (spec 3). Never: state, clocks, sockets, or a decision on what a valid object may do.

pub mod cbor;
