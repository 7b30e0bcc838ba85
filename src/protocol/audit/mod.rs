//! Exports of the audit log (spec 13): a file that anybody can check, with nothing but the file.
//!
//! Duty: the lines of the file, and what is wrong with one. Never: IO, a verdict that rests on anything outside.

mod file;
mod order;
mod verify;

pub(super) use file::Base64;
pub use file::{Header, Record, Trailer, referred};
pub use verify::{Finding, NoExport, Report, verify};

#[cfg(test)]
mod tests;
