//! What `proto-spec/` says, as types: strict deterministic CBOR, the signed envelope, objects and frames.
//!
//! Duty: the one place where received bytes become values, after they were checked and verified
//! (spec 3). Never: state, clocks, sockets, or a decision on what a valid object may do.

mod array;
mod audit;
mod blob;
pub mod cbor;
mod content;
pub mod envelope;
pub mod frames;
pub mod objects;

pub(crate) use array::code;
pub use audit::{AuditLine, AuditRecord, Proof};
pub use blob::Blob;
pub use content::{Body, Entry, Sealed, Stored, commitment};
pub use envelope::{EnvelopeError, Object, Verified};
